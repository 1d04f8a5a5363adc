// A scheduler of diffusers, as its scheduler_config.json says, in this library's terms.
#pragma once

#include "../registry.hpp"
#include "../run.hpp"
#include "../schedules/flow.hpp"
#include "../schedules/karras.hpp"
#include "../schedules/log_uniform.hpp"
#include "../schedules/training_steps.hpp"
#include "../solvers/compat.hpp"
#include "../unknown_name.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::io {

/// What the network predicts (diffusers' prediction_type): from_epsilon, from_v, from_x0, from_flow.
enum class Predicts { epsilon, v, sample, flow };

/// A solver with its schedule in sigma = noise/signal, or, for a flow, in the flow's own time (from_flow_native).
template <State X>
struct DiffusersScheduler {
  AnySolver<X> solver;
  Schedule schedule;
  Options options = {};
  Predicts predicts = Predicts::epsilon;
  bool native_flow = false;
  std::optional<NoiseTable> table = {};  // what the network was trained on: Discrete{*table} is its process
  /// Evaluations that diffusers makes at a last level that it repeats; they change nothing and are left out here.
  int idle_evaluations = 0;
};

namespace detail {

using nlohmann::json;

/// The settings of one scheduler. Those that nothing here reads are ignored, as diffusers ignores another scheduler's.
class DiffusersConfig {
 public:
  explicit DiffusersConfig(const json& config) : config_(config) {}

  template <class T>
  T get(const char* name, T otherwise) const {
    const auto found = config_.find(name);
    if (found == config_.end() || found->is_null()) return otherwise;
    try {
      return found->get<T>();
    } catch (const json::exception&) {
      throw std::runtime_error(std::string(name) + " is " + found->dump() + ", of another type than expected");
    }
  }
  std::string choice(const char* name, const char* otherwise, std::vector<std::string> allowed) const {
    const auto value = get<std::string>(name, otherwise);
    std::string list;
    for (const std::string& a : allowed) list += (list.empty() ? "" : ", ") + a;
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end())
      throw std::runtime_error(std::string(name) + " is " + value + "; allowed here: " + list);
    return value;
  }
  bool has(const char* name) const { return config_.contains(name) && !config_.at(name).is_null(); }

 private:
  const json& config_;
};

inline NoiseTable diffusers_table(const DiffusersConfig& c) {
  const auto count = c.get<std::size_t>("num_train_timesteps", 1000);
  const double first = c.get("beta_start", 1e-4), last = c.get("beta_end", 0.02);
  const std::string kind = c.choice("beta_schedule", "linear", {"linear", "scaled_linear", "squaredcos_cap_v2"});
  NoiseTable table = c.has("trained_betas")    ? NoiseTable(c.get<std::vector<double>>("trained_betas", {}))
                     : kind == "linear"        ? NoiseTable::linear(first, last, count)
                     : kind == "scaled_linear" ? NoiseTable::scaled_linear(first, last, count)
                                               : NoiseTable::cosine(count);
  return c.get("rescale_betas_zero_snr", false) ? table.with_zero_terminal_snr() : table;
}

inline Spacing diffusers_spacing(const DiffusersConfig& c, const char* otherwise) {
  const std::string s = c.choice("timestep_spacing", otherwise, {"linspace", "leading", "trailing"});
  return s == "linspace" ? Spacing::linspace : s == "leading" ? Spacing::leading : Spacing::trailing;
}

/// `steps` levels and the one after them.
struct DiffusersLevels {
  std::vector<double> levels;
  double end = 0;
};

template <State X>
class DiffusersImport {
 public:
  DiffusersImport(const json& config, int steps, double mu, std::vector<double> sigmas)
      : c_(config),
        steps_(steps),
        mu_(mu),
        sigmas_(std::move(sigmas)),
        kind_(config.value("_class_name", std::string())) {
    require(steps >= 1, "num_inference_steps", steps, "1 or more");
  }

  DiffusersScheduler<X> make() {
    if (kind_ == "FlowMatchEulerDiscreteScheduler") return flow();
    if (kind_ == "IPNDMScheduler") return ipndm();
    if (kind_ == "EDMEulerScheduler") return finish(Euler{}, edm());
    if (kind_ == "EDMDPMSolverMultistepScheduler") return finish(dpm(), edm());
    table_ = diffusers_table(c_);
    if (kind_ == "DDIMScheduler") return ddim();
    if (kind_ == "EulerDiscreteScheduler") return finish(Euler{}, discrete("linspace", false));
    if (kind_ == "HeunDiscreteScheduler") return finish(Heun{}, discrete("linspace", false));
    if (kind_ == "KDPM2DiscreteScheduler") return finish(DpmSolver2{}, discrete("linspace", false));
    if (kind_ == "LMSDiscreteScheduler") return finish(Deis{4, Variable::sigma}, discrete("linspace", false));
    if (kind_ == "DPMSolverMultistepScheduler") return finish(dpm(), discrete("linspace", true));
    if (kind_ == "UniPCMultistepScheduler") return finish(unipc(), discrete("linspace", true));
    if (kind_ == "DEISMultistepScheduler") {
      lowest_end_ = true;
      return finish(Deis{c_.get("solver_order", 2), Variable::log_sigma, Target::slope,
                         c_.get("lower_order_final", true) && steps_ < 15},
                    discrete("linspace", true));
    }
    fewstep::detail::unknown_name(
        "_class_name", kind_,
        {"DDIMScheduler", "DEISMultistepScheduler", "DPMSolverMultistepScheduler", "EDMDPMSolverMultistepScheduler",
         "EDMEulerScheduler", "EulerDiscreteScheduler", "FlowMatchEulerDiscreteScheduler", "HeunDiscreteScheduler",
         "IPNDMScheduler", "KDPM2DiscreteScheduler", "LMSDiscreteScheduler", "UniPCMultistepScheduler"});
  }

 private:
  // Levels

  DiffusersLevels edm() const {
    const double low = c_.get("sigma_min", 0.002), high = c_.get("sigma_max", 80.);
    const bool exponential = c_.choice("sigma_schedule", "karras", {"karras", "exponential"}) == "exponential";
    const auto levels = range(exponential, low, high, c_.get("rho", 7.));
    return {levels, zero_end() ? 0 : levels.back()};
  }
  /// Evenly in log sigma, or by Karras's rule, both ends among the levels.
  std::vector<double> range(bool exponential, double low, double high, double rho = 7) const {
    if (steps_ == 1) return {high};
    return exponential ? log_uniform({.steps = steps_ - 1, .sigma_min = low, .sigma_max = high}).levels()
                       : karras({.steps = steps_ - 1, .rho = rho, .sigma_min = low, .sigma_max = high}).levels();
  }
  bool zero_end() const { return c_.choice("final_sigmas_type", "zero", {"zero", "sigma_min"}) == "zero"; }

  DiffusersLevels discrete(const char* spacing, bool multistep) const {
    const double low = table_->sigma_min(), high = table_->sigma_max();
    if (c_.get("use_beta_sigmas", false))
      throw std::runtime_error("use_beta_sigmas is true; allowed here: false (see beta_quantiles)");
    if (c_.get("use_flow_sigmas", false)) return flow_sigmas();
    const bool karras_levels = c_.get("use_karras_sigmas", false),
               exponential = c_.get("use_exponential_sigmas", false) || c_.get("use_lu_lambdas", false);
    const bool log_linear = c_.choice("interpolation_type", "linear", {"linear", "log_linear"}) == "log_linear";
    DiffusersLevels made;
    if (log_linear) {  // diffusers makes one level more than it visits
      made.levels = log_uniform({.steps = steps_, .sigma_min = low, .sigma_max = high}).levels();
      made.end = made.levels.back();
      made.levels.pop_back();
      return made;
    }
    const auto chosen = training_steps(table_->size(), {.steps = steps_,
                                                        .spacing = diffusers_spacing(c_, spacing),
                                                        .offset = c_.get("steps_offset", 0),
                                                        .rounded = multistep,
                                                        .spare_last = multistep});
    for (const double step : chosen) made.levels.push_back(level_at(*table_, step));
    if (karras_levels || exponential) {
      const bool whole = multistep;  // the table's range, else that of the levels chosen so far
      made.levels = range(exponential, whole ? low : made.levels.back(), whole ? high : made.levels.front());
    }
    made.end = lowest_end_ ? (karras_levels ? made.levels.back() : low) : zero_end() ? 0 : low;
    return made;
  }
  /// A flow's levels for solvers of sigma = t/(1 - t).
  DiffusersLevels flow_sigmas() const {
    const double count = c_.get("num_train_timesteps", 1000.), shift = c_.get("flow_shift", 1.);
    DiffusersLevels made;
    for (int i = 0; i < steps_; ++i) {  // the last of steps + 1 levels is left out
      const double alpha = 1 + (1 / count - 1) * (steps_ - i) / steps_, t = shifted(1 - alpha, shift);
      made.levels.push_back(t / (1 - t));
    }
    return made;
  }

  // Solvers

  AnySolver<X> dpm() const {
    const int order = c_.get("solver_order", 2);
    const Target target = c_.choice("algorithm_type", "dpmsolver++", {"dpmsolver++", "dpmsolver"}) == "dpmsolver"
                              ? Target::slope
                              : Target::denoised;
    const bool lower = c_.get("lower_order_final", true) && steps_ < 15;
    const bool heun = c_.choice("solver_type", "midpoint", {"midpoint", "heun"}) == "heun";
    if (heun && order == 2) return Deis{2, Variable::log_sigma, target};
    return compat::Dpmpp{{.order = order, .target = target, .lower_order_final = lower}};
  }
  AnySolver<X> unipc() const {
    const auto disabled = c_.get<std::vector<int>>("disable_corrector", {});
    for (std::size_t i = 0; i < disabled.size(); ++i)
      if (disabled[i] != static_cast<int>(i))
        throw std::runtime_error("disable_corrector is a list with " + std::to_string(disabled[i]) +
                                 "; allowed here: 0, 1, 2, ...");
    return UniPc{c_.get("solver_order", 2),
                 c_.choice("solver_type", "bh2", {"bh1", "bh2"}) == "bh1" ? UniB::bh1 : UniB::bh2,
                 c_.get("predict_x0", true) ? Target::denoised : Target::slope, c_.get("lower_order_final", true),
                 static_cast<int>(disabled.size())};
  }

  // Schedulers of their own kind

  /// Clipping acts on the image alone, not on the noise (compat::ClippedDdim).
  DiffusersScheduler<X> ddim() {
    const auto count = static_cast<int>(table_->size());
    const Spacing spacing = diffusers_spacing(c_, "leading");
    const auto chosen =
        training_steps(table_->size(), {.steps = steps_, .spacing = spacing, .offset = c_.get("steps_offset", 0)});
    DiffusersLevels made;
    std::vector<double> reached;
    for (const double step : chosen) {
      made.levels.push_back(table_->sigma((step + 1) / count));
      reached.push_back(table_->sigma(((std::max)(step - count / steps_, 0.) + 1) / count));
    }
    if (c_.get("rescale_betas_zero_snr", false) && chosen[0] == count - 1)
      made.levels[0] = 1e14;  // the image form takes any
    made.end = c_.get("set_alpha_to_one", true) ? 0 : table_->sigma_min();
    const bool clips = c_.get("clip_sample", true) || c_.get("thresholding", false);
    if (clips && c_.get("thresholding", false) && c_.get("sample_max_value", 1.) != 1)
      throw std::runtime_error("sample_max_value is not 1; allowed here: 1");
    const double limit = c_.get("thresholding", false) ? 1 : c_.get("clip_sample_range", 1.);
    thresholds_ = false;
    clips_ = clips;
    if (clips && spacing == Spacing::linspace)
      throw std::runtime_error("clip_sample is true; allowed here: false with the timestep_spacing linspace");
    if (clips) return finish(compat::ClippedDdim{limit}, made);
    if (spacing == Spacing::linspace) return finish(compat::StridedDdim{reached}, made);
    return finish(Dpmpp{.order = 1}, made);  // its image form bears a first level without signal
  }
  /// Levels cot(pi/2 u), u = 1 to 0; the first, at which diffusers takes the noise for the slope and has no signal, is
  /// large here.
  DiffusersScheduler<X> ipndm() {
    DiffusersLevels made;
    for (int i = 0; i < steps_; ++i) {
      const double u = 1 - static_cast<double>(i) / steps_, beta = std::pow(std::sin(u * std::numbers::pi / 2), 2);
      made.levels.push_back(i == 0 ? largest_level : beta / std::sqrt(1 - beta * beta));
    }
    auto all = finish(Ipndm{}, made);
    all.options.analytic_first_step = true;
    all.idle_evaluations = 1;
    return all;
  }
  DiffusersScheduler<X> flow() {
    const double count = c_.get("num_train_timesteps", 1000.), shift = c_.get("shift", 1.),
                 terminal = c_.get("shift_terminal", 0.);
    for (const char* name : {"invert_sigmas", "stochastic_sampling", "use_beta_sigmas", "use_exponential_sigmas"})
      if (c_.get(name, false)) throw std::runtime_error(std::string(name) + " is true; allowed here: false");
    const bool dynamic = c_.get("use_dynamic_shifting", false);
    if (dynamic) c_.choice("time_shift_type", "exponential", {"exponential"});
    const double again = dynamic ? std::exp(mu_) : shift;
    std::vector<double> times;
    const double last =
        dynamic ? 1 / count : shifted(1 / count, shift);  // diffusers shifts its range before it shifts the levels
    if (!sigmas_.empty())
      for (const double s : sigmas_) times.push_back(shifted(s, again));
    else
      times = flow_times({.steps = steps_, .shift = again, .terminal = terminal, .last = last}).levels(),
      times.pop_back();
    if (c_.get("use_karras_sigmas", false)) times = range(false, times.back(), times.front());
    times.push_back(0);
    return {Euler{}, Schedule(times), {}, Predicts::flow, true};
  }

  DiffusersScheduler<X> finish(AnySolver<X> solver, DiffusersLevels made) {
    solver.validate();
    DiffusersScheduler<X> all{solver, Schedule({1, 0}), {}, predicts(), false, table_};
    if (made.end == made.levels.back()) {
      // Diffusers' last step has no length. Its solvers still count it, so the schedule has a level to count that no
      // run reaches.
      all.idle_evaluations = 1;
      all.options.last_step = made.levels.size() - 1;
      made.end = made.levels.back() / 2;
    }
    // A run's step to level 0 gives the model's own image; these steps of diffusers clip, threshold or extrapolate
    // there too.
    const bool as_any_other = (thresholds_ && c_.get("thresholding", false)) || clips_ || kind_ == "IPNDMScheduler";
    made.levels.push_back(made.end == 0 && as_any_other ? 1e-14 * made.levels.back() : made.end);
    all.schedule = Schedule(made.levels);
    if (thresholds_ && c_.get("thresholding", false))
      all.options.thresholding =
          Thresholding{c_.get("dynamic_thresholding_ratio", 0.995), 1, c_.get("sample_max_value", 1.)};
    return all;
  }
  Predicts predicts() const {
    const std::string p =
        c_.choice("prediction_type", "epsilon", {"epsilon", "v_prediction", "sample", "flow_prediction"});
    return p == "epsilon"        ? Predicts::epsilon
           : p == "v_prediction" ? Predicts::v
           : p == "sample"       ? Predicts::sample
                                 : Predicts::flow;
  }

  static constexpr double largest_level = 1e8;  // for infinity; golden_check allows what follows 1e-7 for it

  DiffusersConfig c_;
  int steps_;
  double mu_;
  std::vector<double> sigmas_;
  std::string kind_;
  std::optional<NoiseTable> table_ = {};
  bool lowest_end_ = false, thresholds_ = true, clips_ = false;
};

}  // namespace detail

/// @param config  the content of scheduler_config.json; settings that it lacks have diffusers' defaults (0.40)
/// @param mu      of FlowMatchEulerDiscreteScheduler with use_dynamic_shifting; see resolution_shift
/// @param sigmas  for FlowMatchEulerDiscreteScheduler: as given to set_timesteps
/// @throws std::invalid_argument, std::runtime_error: one line naming the setting, its value and what is allowed here.
template <State X>
DiffusersScheduler<X> from_diffusers(const nlohmann::json& config, int num_inference_steps, double mu = 0,
                                     std::vector<double> sigmas = {}) {
  return detail::DiffusersImport<X>(config, num_inference_steps, mu, std::move(sigmas)).make();
}

}  // namespace fewstep::io
