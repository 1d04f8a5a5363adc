// A robot's policy as a flow: every tick it plans 16 actions of 7 joints for what it observes, and executes four.
#include <fewstep/buffer.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <vector>

using namespace fewstep;
constexpr std::size_t joints = 7, numbers = 16 * joints, executed = 4 * joints;
using Observation = std::vector<float>;  // one number per joint
float best(const Observation& seen, std::size_t i) { return seen[i % joints] * std::cos(0.2f * float(i / joints)); }

/// Stands for an exported network (plan, time, observation) -> velocity: exact for best plans and deviations of 0.1.
void run_network(const float* x, float t, const Observation& seen, float* velocity) {
  const float variance = 0.01f, share = variance * t / (variance * t * t + (1 - t) * (1 - t));
  for (std::size_t i = 0; i < numbers; ++i) {
    const float mean = best(seen, i), plan = mean + share * (x[i] - t * mean);
    velocity[i] = (plan - x[i]) / (1 - t);
  }
}

int main() {
  const Flow flow{.noise_at = NoiseAt::zero};
  std::vector<float> plan(numbers), known(numbers);
  const auto now = std::chrono::steady_clock::now;
  std::chrono::steady_clock::duration outside{};
  for (unsigned tick = 0; tick < 4; ++tick) {
    const Observation seen{0.5f, -1, 0.2f * float(tick), 1, 0.3f, -0.4f, 0.8f};
    const auto network = [&](const Buffer<float>& x, double t, Buffer<float>& velocity) {
      const auto begin = now();
      run_network(x.data(), float(t), seen, velocity.data());
      outside -= now() - begin;
    };
    // The first plan starts from noise; later ones from the last plan, moved up by what was executed, and half noise.
    const double first = flow.sigma(tick == 0 ? 0.99 : 0.5);
    const Schedule levels =
        karras({.steps = tick == 0 ? 5 : 2, .sigma_min = 0.02, .sigma_max = first, .end = End::zero});
    std::rotate(plan.begin(), plan.begin() + executed, plan.end());
    known = plan;
    const Buffer<float> noise = buffer_noise({tick}, numbers);
    for (std::size_t i = 0; i < numbers; ++i) plan[i] += float(first) * noise[i];
    // The first four actions are under way already: they stay what they are, with the noise of each level.
    const auto keep = [&](Buffer<float>& x, double sigma) {
      for (std::size_t i = 0; tick > 0 && i < executed; ++i) x[i] = known[i] + float(sigma) * noise[i];
    };
    const auto begin = now();
    const auto run = integrate(Dpmpp{}, from_flow(network, flow), levels, Buffer<float>::view(plan),
                               {.after_step = after_step<Buffer<float>>(keep)});
    outside += now() - begin;
    double error = 0;
    for (std::size_t i = executed; i < numbers; ++i) error += std::pow(plan[i] - best(seen, i), 2);
    std::printf("tick %u: NFE %d, RMS distance to the best plan %.2f, first actions %s\n", tick, run.evaluations,
                std::sqrt(error / (numbers - executed)),
                std::equal(plan.begin(), plan.begin() + executed, known.begin()) ? "kept" : "new");
  }
  const double each = std::chrono::duration<double, std::milli>(outside).count() / (5 + 3 * 2);
  std::printf("outside the network, per step: %s\n", each < 1 ? "below 1 ms" : "1 ms or more");
}
