// The policy of the robot's lesson: its demonstrations, its network in plain C++, and plans from the shipped weights.
#include "../examples/policy/demonstrations.hpp"
#include "../examples/policy/network.hpp"
#include "../examples/policy/task.hpp"
#include "support/catch.hpp"

#include <fewstep/buffer.hpp>
#include <fewstep/io/safetensors.hpp>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

using namespace fewstep;
using namespace fewstep::examples;

namespace {

const std::filesystem::path weights = FEWSTEP_SOURCE_DIR "/examples/models/policy.safetensors";

/// The largest step of the hand on the table.
double longest_step(const Demonstration& one) {
  std::complex<double> here(one.condition[0], one.condition[1]);
  double longest = 0;
  for (std::size_t i = 0; i < plan_numbers; i += pose_numbers) {
    const std::complex<double> next(one.plan[i], one.plan[i + 1]);
    longest = std::max(longest, std::abs(next - here));
    here = next;
  }
  return longest;
}

}  // namespace

TEST_CASE("demonstrations pass the post on both sides, reach the goal and keep the speed") {
  Demonstrator demonstrator(7);
  int left = 0, on_the_way = 0;
  for (int i = 0; i < 2'000; ++i) {
    const bool begins = i % 2 == 0;
    const Demonstration one = begins ? demonstrator.from_start() : demonstrator.from_anywhere();
    REQUIRE(one.condition.size() == condition_numbers);
    REQUIRE(one.plan.size() == plan_numbers);
    CHECK(distance_to_post(one.condition, one.plan) > 0.41);  // 0.42 less what a straight step cuts off the arc
    CHECK(distance_to_goal(one.condition, one.plan) < 1e-6);
    CHECK(longest_step(one) < 0.18 + 1e-6);
    CHECK(std::ranges::all_of(one.plan, [](float v) { return std::abs(v) <= 1; }));
    if (begins) {
      double side = 0;
      for (std::size_t k = 1; k < plan_numbers; k += pose_numbers) side += one.plan[k];
      left += side > 0;
    } else on_the_way += std::abs(one.condition[0]) < 0.5f;
  }
  CHECK(std::abs(left - 500) < 70);  // 4 standard deviations
  CHECK(on_the_way > 200);
}

TEST_CASE("the distance to the post counts the way between poses") {
  std::vector<float> condition(condition_numbers), plan(plan_numbers);
  condition[0] = -1, condition[1] = 0.3f;
  for (std::size_t i = 0; i < plan_numbers; i += pose_numbers) plan[i] = 1, plan[i + 1] = 0.3f;
  CHECK(distance_to_post(condition, plan) == Approx(0.3));
  plan[plan_numbers - 1] = -0.25f;
  condition[pose_numbers] = 1, condition[pose_numbers + 1] = 0.3f;
  CHECK(distance_to_goal(condition, plan) == Approx(0.25));
}

TEST_CASE("plans from the shipped weights avoid the post and reach the goal") {
  const PolicyNetwork network(weights);
  const int plans = 500;
  Demonstrator demonstrator(11);
  int succeeded = 0, succeeded_in_5 = 0, succeeded_in_1 = 0;
  for (int i = 0; i < plans; ++i) {
    const std::vector<float> condition = demonstrator.from_start().condition;
    const auto denoise = edm_preconditioned(
        [&](const Buffer<float>& x, double label, Buffer<float>& out) {
          network(x.data(), static_cast<float>(label), condition.data(), out.data());
        },
        PolicyNetwork::sigma_data);
    const auto succeeds = [&](int steps) {
      const Schedule levels = karras({.steps = steps, .sigma_min = 0.02, .sigma_max = 10, .end = End::zero});
      const Buffer<float> plan =
          sample(Dpmpp{}, denoise, levels, buffer_noise({static_cast<std::uint64_t>(i)}, plan_numbers)).x;
      return distance_to_post(condition, plan.sample(0)) > post_radius &&
             distance_to_goal(condition, plan.sample(0)) < goal_tolerance;
    };
    succeeded += succeeds(100);
    succeeded_in_5 += succeeds(5);
    succeeded_in_1 += succeeds(1);
  }
  std::printf("plans that succeed, of %d: %d with 100 steps, %d with 5, %d with 1\n", plans, succeeded, succeeded_in_5,
              succeeded_in_1);
  CHECK(succeeded >= 0.95 * plans);
  CHECK(succeeded_in_5 >= 0.85 * plans);
  CHECK(succeeded_in_1 <= 0.05 * plans);  // the mean of both sides hits the post
}

TEST_CASE("a file without the policy's tensors is refused") {
  const std::filesystem::path path = std::filesystem::path(FEWSTEP_BINARY_DIR) / "not_a_policy.safetensors";
  io::Safetensors file = io::read_safetensors(weights);
  const Array bias = file.tensor("hidden_1.bias");
  const auto refusal = [&] {
    io::write_safetensors(path, file);
    try {
      const PolicyNetwork network(path);
      return std::string();
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
  };
  file.tensors["hidden_1.bias"] = file.tensor("output.bias");
  CHECK_THAT(refusal(), Catch::Contains("tensor hidden_1.weight has another shape"));
  file.tensors.erase("hidden_1.bias");
  CHECK(refusal().ends_with("not_a_policy.safetensors: tensor hidden_1.bias is missing"));
  file.tensors["hidden_1.bias"] = bias;
  CHECK(refusal().empty());
  std::filesystem::remove(path);
}
