// Settings that several schedulers of diffusers share. Defaults are those of diffusers 0.42.1.
#pragma once

#include "../../enum_names.hpp"
#include "../../model.hpp"
#include "../../processes/noise_table.hpp"
#include "../../schedules/training_steps.hpp"
#include "settings.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace fewstep::io {

/// What the network predicts (diffusers' prediction_type): the noise, v, the clean data, the velocity of a flow, or
/// EDM's F.
enum class Predicts { epsilon, v, sample, flow, edm };

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
  bool zero_snr = false;         // the class reads rescale_betas_zero_snr
  bool exponential = false;      // the class has the beta_schedule exp
  bool snr_shift = false;        // the class reads snr_shift_scale
};

/// Returns the table with alpha^2 replaced by alpha^2/(scale + (1 - scale) alpha^2): sigma times the root of `scale`.
inline NoiseTable snr_shifted(const NoiseTable& table, double scale) {
  std::vector<double> betas;
  double before = 1;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const double sigma = table.sigma(static_cast<double>(i + 1) / static_cast<double>(table.size()));
    const double alpha2 = 1 / (1 + scale * sigma * sigma);
    betas.push_back(1 - alpha2 / before);
    before = alpha2;
  }
  return NoiseTable(betas);
}

/// Returns the noise levels that the network was trained at.
inline NoiseTable diffusers_noise_table(const DiffusersSettings& c, const TableRules& rules) {
  const auto count = static_cast<std::size_t>(training_step_count(c));
  std::vector<std::string> kinds{"linear", "scaled_linear", "squaredcos_cap_v2"};
  if (rules.exponential) kinds.emplace_back("exp");
  const std::string kind = c.choice("beta_schedule", rules.kind, kinds);
  c.knows({"beta_start", "beta_end"});
  const auto make = [&] {
    if (const auto trained = c.find<std::vector<double>>("trained_betas")) {
      require(trained->size() == count, "the number of trained_betas", trained->size(), {count, ", num_train_timesteps"});
      return NoiseTable(*trained);
    }
    if (kind == "squaredcos_cap_v2") return NoiseTable::cosine(count);
    constexpr double largest_exp_beta = 0.999, exp_rate = 12;
    if (kind == "exp") {
      const double beta = -std::expm1(-exp_rate / static_cast<double>(count));
      return NoiseTable(std::vector<double>(count, (std::min)(beta, largest_exp_beta)));
    }
    const double first = c.number("beta_start", rules.first), last = c.number("beta_end", rules.last);
    require(first > 0 && first < 1, "beta_start", first, "numbers between 0 and 1");
    require(last > 0 && last < 1, "beta_end", last, "numbers between 0 and 1");
    return kind == "linear" ? NoiseTable::linear(first, last, count) : NoiseTable::scaled_linear(first, last, count);
  };
  NoiseTable table = make();
  if (rules.snr_shift) table = snr_shifted(table, c.positive("snr_shift_scale", 3));
  return rules.zero_snr && c.flag("rescale_betas_zero_snr") ? table.with_zero_terminal_snr() : table;
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
