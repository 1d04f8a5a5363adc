// Trains the policy of the robot's lesson on synthetic demonstrations, with the loss of Karras et al. 2022 (EDM, arXiv
// 2206.00364, table 1): log-normal sigma, weight (sigma^2 + sd^2) / (sigma sd)^2.
#include "../policy/demonstrations.hpp"
#include "../policy/network.hpp"
#include "support/command_line.hpp"
#include "support/output.hpp"
#include "support/policy_forward.hpp"
#include "support/progress.hpp"
#include "support/signals.hpp"
#include "support/tensor_file.hpp"

#include <fewstep/torch.hpp>

#include <torch/optim/adam.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <numbers>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace fewstep;
using namespace fewstep::examples;
using torch::Tensor;

constexpr double p_mean = -0.5, p_std = 1.4;               // of ln(sigma)
constexpr double longest_memory = 0.998;                   // of the averaged weights, per update
constexpr int warmup = 200, log_interval = 1'000;          // updates
constexpr std::uint64_t test_seed = 20'231;                // of the demonstrations for measuring
constexpr double lowest_level = 0.02, highest_level = 10;  // of the runs that are measured
constexpr int reference_steps = 100;
constexpr double sd = PolicyNetwork::sigma_data;

struct Settings {
  std::filesystem::path out = "policy.safetensors";
  std::string evaluate;
  int updates = 25'000, batch = 128, plans = 2'000;
  double lr = 5e-3, dropout = 0.1, guidance = 1;
  std::uint64_t seed = 0;
};

void add_options(CommandLine& line, Settings& s) {
  line.option("--out", s.out, "weights to write (.safetensors); OUT.log is written too");
  line.option("--updates", s.updates, "updates of the weights").range(1, 10'000'000);
  line.option("--batch", s.batch, "demonstrations per update").range(1, 100'000);
  line.option("--lr", s.lr, "Adam's peak learning rate").positive();
  line.option("--dropout", s.dropout, "share of demonstrations without their condition").range(0., 1.);
  line.option("--plans", s.plans, "plans that are drawn and measured at the end").range(1, 100'000);
  line.option("--guidance", s.guidance, "guidance scale of these plans");
  line.option("--seed", s.seed, "seed of weights, demonstrations and noise");
  line.option("--evaluate", s.evaluate, "only measure these weights");
}

Tensor rows_of(std::vector<float>& numbers, std::int64_t count) {
  return torch::from_blob(numbers.data(), {count, static_cast<std::int64_t>(numbers.size()) / count}).clone();
}

/// Conditions [count, 14] and plans [count, 112]. @param draw  draws a demonstration
template <class Draw>
std::pair<Tensor, Tensor> demonstrations(int count, Draw draw) {
  std::vector<float> conditions, plans;
  for (int i = 0; i < count; ++i) {
    const Demonstration one = draw();
    conditions.insert(conditions.end(), one.condition.begin(), one.condition.end());
    plans.insert(plans.end(), one.plan.begin(), one.plan.end());
  }
  return {rows_of(conditions, count), rows_of(plans, count)};
}

class Trainer {
 public:
  explicit Trainer(const Settings& s)
      : s_(s), weights_(random_policy_weights()), demonstrator_(s.seed), adam_(parameters(), s.lr) {
    for (const auto& [name, tensor] : weights_) averages_[name] = tensor.detach().clone();
  }

  /// Returns the averaged weights in half precision. @param log  gets lines of progress
  PolicyWeights run(std::vector<std::string>& log) {
    Progress bar("train", s_.updates, "updates");
    double mean_loss = 0;
    for (int k = 0; k < s_.updates; ++k) {
      throw_if_interrupted();
      mean_loss += std::max(1. / log_interval, 1. / (k + 1)) * (step(k) - mean_loss);
      char note[64];
      std::snprintf(note, sizeof note, "loss %.4f", mean_loss);
      bar.update(k + 1, note);
      if ((k + 1) % log_interval == 0) log.push_back("updates " + std::to_string(k + 1) + "  " + note);
    }
    PolicyWeights half;
    for (const auto& [name, tensor] : averages_) half[name] = tensor.to(torch::kFloat16);
    return half;
  }

 private:
  std::vector<Tensor> parameters() {
    std::vector<Tensor> all;
    for (auto& entry : weights_) all.push_back(entry.second.requires_grad_());
    return all;
  }

  Tensor loss() {
    const auto [conditions, plans] = demonstrations(s_.batch, [this] { return demonstrator_.from_anywhere(); });
    const Tensor keep = (torch::rand({s_.batch, 1}) >= s_.dropout).to(torch::kFloat32);
    const Tensor sigma = (p_mean + p_std * torch::randn({s_.batch, 1})).exp();
    const Tensor total = sigma.square() + sd * sd, root = total.sqrt();
    const Tensor x = plans + sigma * torch::randn_like(plans);
    const Tensor output = policy_forward(weights_, x / root, sigma.log() / 4, conditions * keep);
    // The weighted error of D, divided by the factor of the network's output.
    return (output - (plans - sd * sd / total * x) * root / (sigma * sd)).square().mean();
  }

  double step(int k) {
    const double done = static_cast<double>(k) / s_.updates, warm = std::min(1., (k + 1.) / warmup);
    for (auto& group : adam_.param_groups())
      group.options().set_lr(s_.lr * warm * 0.5 * (1 + std::cos(std::numbers::pi * done)));
    const Tensor error = loss();
    adam_.zero_grad();
    error.backward();
    adam_.step();
    const torch::NoGradGuard no_grad;
    const double keep = std::min(longest_memory, k / (k + 10.));
    for (auto& [name, average] : averages_) average.lerp_(weights_.at(name), 1 - keep);
    return error.item<double>();
  }

  Settings s_;
  PolicyWeights weights_, averages_;
  Demonstrator demonstrator_;
  torch::optim::Adam adam_;
};

struct Outcome {
  double success = 0, clear = 0, at_goal = 0, left = 0;  // shares of the plans
};

Outcome outcome(const Tensor& conditions, const Tensor& plans) {
  Outcome sum;
  const auto count = static_cast<double>(plans.size(0));
  for (std::int64_t i = 0; i < plans.size(0); ++i) {
    const std::span condition(conditions[i].data_ptr<float>(), condition_numbers);
    const std::span plan(plans[i].data_ptr<float>(), plan_numbers);
    const bool clear = distance_to_post(condition, plan) > post_radius,
               at_goal = distance_to_goal(condition, plan) < goal_tolerance;
    sum.clear += clear / count;
    sum.at_goal += at_goal / count;
    sum.success += (clear && at_goal) / count;
    sum.left += (plans[i].view({plan_poses, pose_numbers}).select(1, 1).mean().item<float>() > 0) / count;
  }
  return sum;
}

/// Draws plans by DPM-Solver++.
/// @param conditions  [N, 14]
/// @param noise       [N, 112]
Result<Tensor> drawn(const PolicyWeights& weights, const Tensor& conditions, const Tensor& noise, int steps,
                     double guidance) {
  throw_if_interrupted();
  const auto denoiser = [&](const Tensor& given) {
    const auto network = [&weights, given](const Tensor& x, const Tensor& label) {
      return policy_forward(weights, x, label, given);
    };
    return edm_preconditioned(network, sd);
  };
  const Schedule levels =
      karras({.steps = steps, .sigma_min = lowest_level, .sigma_max = highest_level, .end = End::zero});
  if (guidance == 1) return sample(Dpmpp{}, denoiser(conditions), levels, noise);
  return sample(Dpmpp{}, guided(denoiser(conditions), denoiser(torch::zeros_like(conditions)), {.scale = guidance}),
                levels, noise);
}

/// Measures plans for new starts and goals.
/// @param success  becomes the share of successful plans with 100 steps
/// @return lines of a table
std::vector<std::string> measure(const PolicyWeights& stored, const Settings& s, double& success) {
  const torch::NoGradGuard no_grad;
  PolicyWeights weights;
  for (const auto& [name, tensor] : stored) weights[name] = tensor.to(torch::kFloat32);
  Demonstrator demonstrator(test_seed);
  const Tensor conditions = demonstrations(s.plans, [&] { return demonstrator.from_start(); }).first;
  const Tensor noise = tensor_noise(seed_range(0, static_cast<std::uint64_t>(s.plans)), {plan_numbers});
  const auto reference = drawn(weights, conditions, noise, reference_steps, s.guidance);
  std::vector<std::string> lines{"steps  NFE  success  clear of the post  at the goal  RMS distance to 100 steps"};
  char line[128];
  for (const int steps : {1, 2, 3, 5, 10, reference_steps}) {
    const auto plans = steps == reference_steps ? reference : drawn(weights, conditions, noise, steps, s.guidance);
    const Outcome o = outcome(conditions, plans.x);
    std::snprintf(line, sizeof line, "%5d  %3d  %7.3f  %17.3f  %11.3f  %25.4f", steps, plans.total_evaluations,
                  o.success, o.clear, o.at_goal, (plans.x - reference.x).square().mean().sqrt().item<double>());
    lines.emplace_back(line);
    success = o.success;
  }
  std::snprintf(line, sizeof line, "%.3f of the plans with 100 steps pass the post on the left",
                outcome(conditions, reference.x).left);
  lines.emplace_back(line);
  return lines;
}

void run(const Settings& s, const std::string& command) {
  double success = 0;
  if (!s.evaluate.empty()) {
    const PolicyNetwork checked(s.evaluate);  // for its errors, which name what is wrong with the file
    for (const std::string& line : measure(load_tensors(s.evaluate).tensors, s, success)) std::puts(line.c_str());
    return;
  }
  const std::string log_path = s.out.string() + ".log";
  check_output("out", s.out, ".safetensors");
  check_output("out", log_path, ".log");
  torch::manual_seed(s.seed);
  std::vector<std::string> lines{"# " + command};
  TensorFile file{Trainer(s).run(lines), {{"training_command", command}}};
  for (const std::string& line : measure(file.tensors, s, success)) {
    std::puts(line.c_str());
    lines.push_back(line);
  }
  file.metadata["success"] = std::to_string(success);
  save_tensors(s.out, file);
  Log log(log_path);
  for (const std::string& line : lines) log.write(line);
  std::printf("wrote %s\n", s.out.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CommandLine line("train_policy", "Trains the policy of the robot's lesson on synthetic demonstrations.");
  add_options(line, s);
  return line.run(argc, argv, [&] { run(s, line.text()); });
}
