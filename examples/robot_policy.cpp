// A robot's policy: every tick it plans 16 poses of 7 numbers from the pose that it sees to a goal, and executes four.
#include "policy/network.hpp"
#include "policy/task.hpp"

#include <fewstep/buffer.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <vector>

using namespace fewstep;
using namespace fewstep::examples;
constexpr std::size_t executed = 4 * pose_numbers;

int main() {
  const PolicyNetwork network(FEWSTEP_EXAMPLES "/models/policy.safetensors");
  // The condition: the pose now and the goal. A post stands between them, to be passed on either side.
  std::vector<float> seen{-0.9f, 0.1f, 0.5f, 0, 0.2f, -0.4f, -1, 0.8f, 0, -0.5f, 0.3f, 0, 0.4f, 1};
  std::vector<float> plan(plan_numbers), known(plan_numbers);
  const auto now = std::chrono::steady_clock::now;
  std::chrono::steady_clock::duration outside{};
  const auto timed_network = [&](const Buffer<float>& x, double label, Buffer<float>& out) {
    const auto begin = now();
    network(x.data(), float(label), seen.data(), out.data());
    outside -= now() - begin;
  };
  const auto denoise = edm_preconditioned(timed_network, PolicyNetwork::sigma_data);
  for (unsigned tick = 0; tick < 4; ++tick) {
    // The first plan starts from noise; later ones from the last plan, moved up by what was executed, and less noise.
    const double first = tick == 0 ? 10 : 0.5;
    std::copy(plan.begin() + executed, plan.end(), plan.begin());
    known = plan;
    const Buffer<float> noise = buffer_noise({tick}, plan_numbers);
    for (std::size_t i = 0; i < plan_numbers; ++i) plan[i] += float(first) * noise[i];
    // The first four poses are under way already: they stay what they are, with the noise of each level.
    const auto keep = [&](Buffer<float>& x, double sigma) {
      for (std::size_t i = 0; tick > 0 && i < executed; ++i) x[i] = known[i] + float(sigma) * noise[i];
    };
    std::vector<float> reference = plan;
    const auto solve = [&](int steps, std::vector<float>& x) {
      const Schedule levels = karras({.steps = steps, .sigma_min = 0.02, .sigma_max = first, .end = End::zero});
      const auto begin = now();
      const auto run =
          integrate(Dpmpp{}, denoise, levels, Buffer<float>::view(x), {.after_step = after_step<Buffer<float>>(keep)});
      outside += now() - begin;
      std::printf("tick %u: NFE %3d, distance to the post %.2f, to the goal %.2f", tick, run.evaluations,
                  distance_to_post(seen, x), distance_to_goal(seen, x));
    };
    solve(100, reference);
    std::printf("\n");
    solve(tick == 0 ? 5 : 2, plan);
    double error = 0;
    for (std::size_t i = 0; i < plan_numbers; ++i) error += std::pow(plan[i] - reference[i], 2);
    std::printf(", RMS distance to 100 NFE %.3f, first poses %s\n", std::sqrt(error / plan_numbers),
                std::equal(plan.begin(), plan.begin() + executed, known.begin()) ? "kept" : "new");
    std::copy_n(plan.begin() + executed - pose_numbers, pose_numbers, seen.begin());  // where the robot is next tick
    seen[pose_numbers + 1] += 0.05f;                                                  // the goal moves
  }
  const double each = std::chrono::duration<double, std::milli>(outside).count() / (4 * 100 + 5 + 3 * 2);
  std::printf("outside the network, per step: %s\n", each < 1 ? "below 1 ms" : "1 ms or more");
}
