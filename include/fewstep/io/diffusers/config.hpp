// Settings that several schedulers of diffusers share. Defaults are those of diffusers 0.42.1.
#pragma once

#include "../../denoisers/any_prediction.hpp"
#include "../../enum_names.hpp"
#include "../../model.hpp"
#include "../../processes/noise_table.hpp"
#include "../../schedules/training_steps.hpp"
#include "settings.hpp"
#include "training_steps.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

namespace fewstep::io {

namespace detail {

inline constexpr int most_training_steps = 1'000'000;

/// @param allowed  the prediction types of the scheduler's class, diffusers' names
inline Predicts diffusers_prediction(const DiffusersSettings& c, const std::vector<std::string>& allowed) {
  const std::string type = c.choice("prediction_type", "epsilon", allowed);
  if (type == "epsilon") return Predicts::epsilon;
  if (type == "v_prediction") return Predicts::v;
  return type == "flow_prediction" ? Predicts::flow : Predicts::sample;
}

inline int training_step_count(const DiffusersSettings& c, int least = 2) {
  return c.whole("num_train_timesteps", 1000, least, most_training_steps);
}

/// How the tables of schedulers differ.
struct TableRules {
  double first = 1e-4, last = 0.02;  // default betas
  const char* kind = "linear";
  bool zero_snr = false;          // the class reads rescale_betas_zero_snr
  bool exponential = false;       // the class has the beta_schedule exp
  bool any_lowest_level = false;  // little depends on the lowest level
  bool snr_shift = false;         // the class reads snr_shift_scale
};

/// The table of a network, and its levels as diffusers computes them.
struct DiffusersTable {
  NoiseTable table;
  TrainingLevels levels;
};

/// Returns betas by the rule of a configuration.
inline std::vector<double> diffusers_betas(const DiffusersSettings& c, const TableRules& rules, bool single) {
  constexpr double largest = 0.999, exp_rate = 12;
  const int count = training_step_count(c);
  const auto size = static_cast<std::size_t>(count);
  std::vector<std::string> kinds{"linear", "scaled_linear", "squaredcos_cap_v2"};
  if (rules.exponential) kinds.emplace_back("exp");
  const std::string kind = c.choice("beta_schedule", rules.kind, kinds);
  c.knows({"beta_start", "beta_end"});
  if (auto trained = c.find<std::vector<double>>("trained_betas")) {
    require(trained->size() == size, "the number of trained_betas", trained->size(), {count, ", num_train_timesteps"});
    return *trained;
  }
  if (kind == "exp") return std::vector<double>(size, (std::min)(-std::expm1(-exp_rate / count), largest));
  std::vector<double> betas;
  if (kind == "squaredcos_cap_v2") {
    const auto alpha2 = [&](int i) {
      const double cosine = std::cos((static_cast<double>(i) / count + 0.008) / 1.008 * std::numbers::pi / 2);
      return cosine * cosine;
    };
    for (int i = 0; i < count; ++i) betas.push_back((std::min)(1 - alpha2(i + 1) / alpha2(i), largest));
    return betas;
  }
  const double first = c.number("beta_start", rules.first), last = c.number("beta_end", rules.last);
  require(first > 0 && first < 1, "beta_start", first, "numbers between 0 and 1");
  require(last > 0 && last < 1, "beta_end", last, "numbers between 0 and 1");
  const bool roots = kind == "scaled_linear";
  const double a = roots ? std::sqrt(first) : first, b = roots ? std::sqrt(last) : last;
  for (int i = 0; i < count; ++i) {
    const double even = a + (b - a) * i / (count - 1);
    const double value = single ? static_cast<float>(even) : even;
    betas.push_back(roots ? value * value : value);
  }
  return betas;
}

/// Arithmetic of diffusers' tables: in float, or exact.
struct Rounding {
  bool single;
  double operator()(double value) const { return single ? static_cast<float>(value) : value; }
};

/// Returns the products of 1 - beta.
inline std::vector<double> products(const std::vector<double>& betas, const Rounding& round) {
  std::vector<double> alpha2;
  double product = 1;
  for (const double beta : betas) alpha2.push_back(round(product *= round(1 - beta)));
  return alpha2;
}

/// Returns betas for which the last product is 0, by the operations of diffusers
/// (NoiseTable::with_zero_terminal_snr).
inline std::vector<double> zero_snr_betas(const std::vector<double>& alpha2, const Rounding& round) {
  std::vector<double> betas;
  const double first = round(std::sqrt(alpha2.front())), last = round(std::sqrt(alpha2.back()));
  const double scale = round(first / round(first - last));
  double before = 1;
  for (const double a : alpha2) {
    const double root = round(round(round(std::sqrt(a)) - last) * scale), square = round(root * root);
    betas.push_back(round(1 - round(square / before)));
    before = square;
  }
  return betas;
}

/// Returns the noise levels that the network was trained at.
/// @param single  betas, products and levels are rounded to float, as diffusers' are
inline DiffusersTable diffusers_table(const DiffusersSettings& c, const TableRules& rules, bool single) {
  constexpr double last_alpha2 = 1. / (1 << 24);  // diffusers' in place of 0
  const Rounding round{single && !rules.snr_shift};
  std::vector<double> betas = diffusers_betas(c, rules, round.single), levels;
  NoiseTable table(betas);
  for (double& beta : betas) beta = round(beta);
  std::vector<double> alpha2 = products(betas, round);
  if (rules.snr_shift) {
    const double scale = c.positive("snr_shift_scale", 3);
    double before = 1;
    for (std::size_t i = 0; i < alpha2.size(); ++i) {
      alpha2[i] /= scale + (1 - scale) * alpha2[i];
      betas[i] = 1 - alpha2[i] / before;
      before = alpha2[i];
    }
    table = NoiseTable(betas);
  }
  if (rules.zero_snr && c.flag("rescale_betas_zero_snr")) {
    constexpr double least_beta = 9e-5;  // of the first step: float resolves its level to 0.1%
    require(!round.single || rules.any_lowest_level || betas[0] >= least_beta, "rescale_betas_zero_snr", true,
            {"false, or `corrected`: float arithmetic decides the lowest level for a first beta of ", betas[0]});
    table = table.with_zero_terminal_snr();
    alpha2 = products(zero_snr_betas(alpha2, round), round);
    alpha2.back() = last_alpha2;
  }
  for (const double a : alpha2) levels.push_back(round(std::sqrt(round(round(1 - a) / a))));
  return {table, TrainingLevels(levels, single)};
}

inline Spacing diffusers_spacing(const DiffusersSettings& c, Spacing otherwise) {
  return parse<Spacing>("timestep_spacing",
                        c.choice("timestep_spacing", otherwise == Spacing::linspace ? "linspace" : "leading",
                                 {"linspace", "leading", "trailing"}));
}

/// Returns the thresholding of the denoised image: dynamic, to [-1, 1] at least.
inline std::optional<Thresholding> diffusers_thresholding(const DiffusersSettings& c) {
  c.knows({"dynamic_thresholding_ratio", "sample_max_value"});
  if (!c.flag("thresholding")) return {};
  const double most = c.number("sample_max_value", 1);
  require(most >= 1, "sample_max_value", most, "1 or more with thresholding");
  return Thresholding{c.number("dynamic_thresholding_ratio", 0.995, 0., 1.), 1, most};
}

}  // namespace detail

}  // namespace fewstep::io
