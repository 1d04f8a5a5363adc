// The schedulers of diffusers, class by class.
#pragma once

#include "../../solvers/dpm_solver_2.hpp"
#include "../../solvers/dpmpp.hpp"
#include "../../solvers/euler.hpp"
#include "../../solvers/heun.hpp"
#include "../../solvers/ipndm.hpp"
#include "float_error.hpp"
#include "flow_levels.hpp"
#include "last_level.hpp"
#include "levels.hpp"
#include "other_levels.hpp"
#include "scheduler.hpp"
#include "solvers.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::io {

/// The arguments of an import besides the configuration: those of diffusers' set_timesteps, and `corrected`.
struct SetTimesteps {
  int num_inference_steps;            ///< 1 or more
  std::optional<double> mu = {};      ///< of use_dynamic_shifting; see flux_mu()
  std::vector<double> sigmas = {};    ///< for schedulers that take them
  /// Takes the right levels where diffusers' are known to be wrong (DiffusersScheduler::notes): the smallest time of
  /// FlowMatchEuler and FlowMatchHeun is shifted once, and each step of DDIM leads to the next level of the run.
  bool corrected = false;
  /// Levels of training steps are rounded to float, as diffusers computes them; false: they are exact.
  bool single = true;
};

namespace detail {

/// How a scheduler treats the denoised image, and its last step.
struct DiffusersTraits {
  std::optional<Thresholding> thresholding = {};
  bool alters_last_step = false;  // the solver clips or extrapolates in a step to level 0 too
  bool uses_last_output = false;  // the evaluation at a repeated last level changes the result
};

template <State X>
class DiffusersImport {
 public:
  DiffusersImport(const nlohmann::json& config, SetTimesteps call)
      : c_(config), call_(std::move(call)), steps_(call_.num_inference_steps) {
    require(steps_ >= 1 && steps_ <= most_training_steps, "num_inference_steps", steps_,
            {"1 to ", most_training_steps});
  }

  DiffusersScheduler<X> make();

  /// After make(): what diffusers computes in float.
  FloatPart float_part() const { return float_part_; }

 private:
  using Names = std::vector<std::string>;
  static inline const Names noise_or_v{"epsilon", "v_prediction"};
  static inline const Names any_image{"epsilon", "v_prediction", "sample"};
  static inline const Names any_prediction{"epsilon", "v_prediction", "sample", "flow_prediction"};

  /// Schedulers that take neither: diffusers' set_timesteps has no such argument. A mu of 0 counts as none, since it was
  /// the default of this library.
  void takes_no_mu() const {
    if (call_.mu && *call_.mu != 0) refuse("mu", *call_.mu, "none for this scheduler and its settings");
  }
  void takes_no_sigmas() const {
    require(call_.sigmas.empty(), "the number of sigmas", call_.sigmas.size(),
            "none: diffusers' scheduler takes no sigmas");
  }

  const TrainingLevels& table(const TableRules& rules = {}) {
    if (!table_) table_ = diffusers_table(c_, rules, call_.single);
    return table_->levels;
  }

  // Schedulers in sigma.

  DiffusersLevels sigma_levels(const LevelRules& rules, const TableRules& table_rules = {}) {
    takes_no_mu();
    takes_no_sigmas();
    return TableLevels(c_, table(table_rules), steps_, rules).make();
  }

  DiffusersScheduler<X> euler() {
    predicts_ = diffusers_prediction(c_, {"epsilon", "v_prediction", "sample", "original_sample"});
    const bool continuous = c_.choice("timestep_type", "discrete", {"discrete", "continuous"}) == "continuous";
    const TableRules table_rules{.zero_snr = true};
    LevelRules rules{.final = FinalLevel::lowest, .log_linear = true, .rounds_karras = false};
    rules.labels_may_repeat = continuous && predicts_ == Predicts::v;
    DiffusersLevels made =
        call_.sigmas.empty() ? sigma_levels(rules, table_rules) : given_levels(table(table_rules), rules.labels_may_repeat);
    if (rules.labels_may_repeat) {
      label_kind_ = Label::log_sigma;
      for (std::size_t i = 0; i < made.labels.size(); ++i) made.labels[i] = 0.25 * std::log(made.levels[i]);
    }
    return finish(Euler{}, std::move(made));
  }

  /// The levels that set_timesteps of EulerDiscreteScheduler got, the last one included.
  DiffusersLevels given_levels(const TrainingLevels& training, bool labels_may_repeat) {
    takes_no_mu();
    c_.knows({"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "sigma_min", "sigma_max",
              "timestep_spacing", "steps_offset", "interpolation_type", "final_sigmas_type"});
    diffusers_range(c_);
    const Schedule checked(call_.sigmas);
    require(checked.decreasing(), "the first of sigmas", checked[0], "the highest level");
    DiffusersLevels made{checked.levels(), {}, checked[checked.steps()]};
    made.levels.pop_back();
    for (const double level : made.levels) made.labels.push_back(training.step(level));
    if (!labels_may_repeat) require_one_start(made.labels);
    return made;
  }

  DiffusersScheduler<X> euler_ancestral() {
    require(steps_ == 1, "num_inference_steps", steps_, "1 for EulerAncestralDiscreteScheduler: more steps add noise");
    predicts_ = diffusers_prediction(c_, noise_or_v);
    return finish(Euler{}, sigma_levels({.no_ranges = true}, {.zero_snr = true}));
  }

  DiffusersScheduler<X> heun() {
    predicts_ = diffusers_prediction(c_, any_image);
    DiffusersLevels made =
        sigma_levels({.rounds_karras = false}, {.first = 0.00085, .last = 0.012, .exponential = true});
    c_.knows({"clip_sample_range"});
    if (!c_.flag("clip_sample")) return finish(Heun{}, std::move(made));
    return finish(compat::ClippedHeun{c_.positive("clip_sample_range", 1)}, std::move(made),
                  {.alters_last_step = true});
  }

  DiffusersScheduler<X> kdpm2() {
    predicts_ = diffusers_prediction(c_, noise_or_v);
    DiffusersLevels made = sigma_levels({}, {.first = 0.00085, .last = 0.012});
    const TrainingLevels& training = table();
    for (std::size_t i = 0; i + 1 < made.levels.size(); ++i) {
      const double middle = training.step(std::sqrt(made.levels[i] * made.levels[i + 1]));
      require(middle != made.labels[0], "the first label of the run", middle, "a label that occurs once");
    }
    return finish(DpmSolver2{}, std::move(made));
  }

  DiffusersScheduler<X> lms() {
    predicts_ = diffusers_prediction(c_, any_image);
    float_part_ = FloatPart::none;
    return finish(Deis{4, Variable::sigma}, sigma_levels({.karras_ends = false, .rounds_karras = false}),
                  {.alters_last_step = true});
  }

  // Diffusers' multistep and single-step schedulers.

  /// The levels of one of them, whose flows are those of DPM-Solver.
  DiffusersLevels multistep_levels(const LevelRules& rules, const TableRules& table_rules = {}) {
    takes_no_sigmas();
    c_.knows({"use_flow_sigmas", "flow_shift", "use_dynamic_shifting", "time_shift_type", "timestep_spacing",
              "steps_offset", "lambda_min_clipped"});
    double shift = c_.positive("flow_shift", 1);
    if (c_.flag("use_dynamic_shifting") && call_.mu &&
        c_.choice("time_shift_type", "exponential", {"exponential", "linear"}) == "exponential")
      shift = dynamic_shift(c_, call_.mu);
    else takes_no_mu();
    const TrainingLevels& training = table(table_rules);
    const bool flow = c_.flag("use_flow_sigmas");
    const bool lu = rules.lu && c_.flag("use_lu_lambdas");
    if (flow) input_ = InputScale::flow;
    if (!flow || lu || diffusers_range(c_) != Range::none) {
      DiffusersLevels made = TableLevels(c_, training, steps_, rules).make();
      return flow ? as_flow_times(std::move(made)) : made;
    }
    label_kind_ = Label::flow_time;
    DiffusersLevels made = flow_levels(plain_flow_times(training.count(), steps_, shift), training.count());
    if (rules.final == FinalLevel::always_repeated) made.end = made.levels.back();
    else if (!ends_at_zero(c_)) made.end = flow_level(training.low());
    return made;
  }

  /// @param slopes  the solver extrapolates slopes
  void read_prediction(bool slopes) {
    predicts_ = diffusers_prediction(c_, slopes ? any_image : any_prediction);
    // A predicted image or v is not multiplied by sigma.
    float_part_ = slopes ? FloatPart::logarithms : predicts_ == Predicts::epsilon ? FloatPart::levels : FloatPart::none;
    const bool flow = c_.flag("use_flow_sigmas");
    require(predicts_ != Predicts::flow || flow, "prediction_type", "flow_prediction",
            "epsilon, v_prediction or sample without use_flow_sigmas");
    require(predicts_ != Predicts::v || !flow, "prediction_type", "v_prediction",
            "epsilon, sample or flow_prediction with use_flow_sigmas: diffusers' formula for v needs alpha^2 + sigma^2 = 1");
  }

  DiffusersScheduler<X> dpm() {
    c_.require_off("variance_type");
    const Target target = dpm_target(c_, true);
    read_prediction(target == Target::slope);
    LevelRules rules{.final = FinalLevel::lowest, .multistep = true, .clips_lambda = true, .lu = true};
    rules.rounds_karras = c_.choice("beta_schedule", "linear", {"linear", "scaled_linear", "squaredcos_cap_v2"}) !=
                          "squaredcos_cap_v2";
    DiffusersLevels made = multistep_levels(rules, {.zero_snr = true});
    const auto solver = multistep_dpm(c_, target, shape_of(made));
    return finish_dpm(solver, std::move(made));
  }

  DiffusersScheduler<X> dpm_singlestep() {
    c_.require_off("variance_type");
    const Target target = dpm_target(c_, true);
    read_prediction(target == Target::slope);
    DiffusersLevels made = multistep_levels(
        {.final = FinalLevel::lowest, .multistep = true, .linspace_only = true, .clips_lambda = true});
    const auto solver = grouped_dpm(c_, target, shape_of(made));
    require(target == Target::denoised || !c_.flag("thresholding"), "thresholding", true,
            "false with the algorithm_type dpmsolver");
    return finish(solver, std::move(made), {diffusers_thresholding(c_), false, true});
  }

  template <class S>
  DiffusersScheduler<X> finish_dpm(S solver, DiffusersLevels made) {
    const std::optional<Thresholding> thresholding = diffusers_thresholding(c_);
    if (thresholding && solver.target == Target::slope)
      return finish(compat::ThresholdedSlope{solver}, std::move(made), {thresholding});
    return finish(solver, std::move(made), {thresholding});
  }

  DiffusersScheduler<X> deis() {
    read_prediction(false);
    float_part_ = FloatPart::logarithms;
    DiffusersLevels made = multistep_levels({.final = FinalLevel::always_repeated, .multistep = true});
    const Deis solver = diffusers_deis(c_, shape_of(made));
    return finish_dpm(solver, std::move(made));
  }

  DiffusersScheduler<X> sa() {
    c_.require_off("variance_type");
    const compat::SaSolver solver = sa_solver(c_);
    read_prediction(solver.target == Target::slope);
    float_part_ = FloatPart::logarithms;
    DiffusersLevels made =
        multistep_levels({.final = FinalLevel::always_repeated, .multistep = true, .clips_lambda = true});
    constexpr double first_noisy = 200, last_noisy = 800;  // training steps at which the default tau_func is 1
    if (!c_.find<double>("tau_func"))
      for (const double label : made.labels)
        require(label < first_noisy || label > last_noisy, "tau_func", "null",
                "0 for SASolverScheduler: the default adds noise at the training steps 200 to 800");
    else require(c_.find<double>("tau_func") == 0, "tau_func", c_.find<double>("tau_func").value(), "0: no noise");
    const std::optional<Thresholding> thresholding = diffusers_thresholding(c_);
    require(solver.target == Target::denoised || !thresholding, "thresholding", true,
            "false with the algorithm_type noise_prediction");
    return finish(solver, std::move(made), {thresholding, false, true});
  }

  DiffusersScheduler<X> unipc();
  DiffusersScheduler<X> ddim(bool cogvideo);
  DiffusersScheduler<X> cogvideo_dpm();
  DiffusersScheduler<X> pndm();
  DiffusersScheduler<X> ipndm();
  DiffusersScheduler<X> edm_euler();
  DiffusersScheduler<X> edm_dpm();
  DiffusersScheduler<X> cosine_dpm();
  DiffusersScheduler<X> flow_match(bool heun);
  void read_edm(double sigma_data, const char* prediction);

  DiffusersScheduler<X> finish(AnySolver<X> solver, DiffusersLevels made, const DiffusersTraits& traits = {});

  DiffusersSettings c_;
  SetTimesteps call_;
  int steps_;
  std::optional<DiffusersTable> table_ = {};
  Predicts predicts_ = Predicts::epsilon;
  Label label_kind_ = Label::training_step;
  InputScale input_ = InputScale::variance_preserving;
  double sigma_data_ = 0.5, edm_sign_ = 1;
  FloatPart float_part_ = FloatPart::levels;
  std::vector<std::string> notes_ = {};
};

}  // namespace detail

}  // namespace fewstep::io
