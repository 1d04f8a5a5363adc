// The import of a scheduler: what all classes share, and the one-step ones in sigma with LMS.
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
  int num_inference_steps;          ///< 1 or more
  std::optional<double> mu = {};    ///< of use_dynamic_shifting; see flux_mu()
  std::vector<double> sigmas = {};  ///< for schedulers that take them
  /// Takes the right levels where diffusers' are known to be wrong (DiffusersScheduler::notes): the smallest time of
  /// FlowMatchEuler and FlowMatchHeun is shifted once, and each step of DDIM leads to the next level of the run. Levels
  /// are not rounded to float, and no run is refused for that rounding.
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

  /// Schedulers that take neither: diffusers' set_timesteps has no such argument. A mu of 0 counts as none, since it
  /// was the default of this library.
  void takes_no_mu() const {
    if (call_.mu && *call_.mu != 0) refuse("mu", *call_.mu, "none for this scheduler and its settings");
  }
  void takes_no_sigmas() const {
    require(call_.sigmas.empty(), "the number of sigmas", call_.sigmas.size(),
            "none: diffusers' scheduler takes no sigmas");
  }

  const TrainingLevels& table(const TableRules& rules = {}) {
    if (!table_) table_ = diffusers_table(c_, rules, call_.single && !call_.corrected);
    return table_->levels;
  }

  // Schedulers in sigma.

  DiffusersLevels sigma_levels(const LevelRules& rules, const TableRules& table_rules = {}) {
    takes_no_mu();
    takes_no_sigmas();
    return TableLevels(c_, table(table_rules), steps_, rules).make();
  }

  DiffusersScheduler<X> euler() {
    in_sigma_ = true;
    c_.knows({"sigma_min", "sigma_max"});
    predicts_ = diffusers_prediction(c_, {"epsilon", "v_prediction", "sample", "original_sample"});
    const bool continuous = c_.choice("timestep_type", "discrete", {"discrete", "continuous"}) == "continuous";
    const TableRules table_rules{.zero_snr = true};
    LevelRules rules{.final = FinalLevel::lowest, .log_linear = true, .rounds_karras = false};
    rules.labels_may_repeat = continuous && predicts_ == Predicts::v;
    DiffusersLevels made = call_.sigmas.empty() ? sigma_levels(rules, table_rules)
                                                : given_levels(table(table_rules), rules.labels_may_repeat);
    if (rules.labels_may_repeat) {
      label_kind_ = Label::log_sigma;
      made.labels.resize(made.levels.size());
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
    in_sigma_ = true;
    require(steps_ == 1, "num_inference_steps", steps_, "1 for EulerAncestralDiscreteScheduler: more steps add noise");
    predicts_ = diffusers_prediction(c_, noise_or_v);
    return finish(Euler{}, sigma_levels({.no_ranges = true}, {.zero_snr = true}));
  }

  DiffusersScheduler<X> heun() {
    in_sigma_ = true;
    predicts_ = diffusers_prediction(c_, any_image);
    DiffusersLevels made =
        sigma_levels({.rounds_karras = false}, {.first = 0.00085, .last = 0.012, .exponential = true});
    c_.knows({"clip_sample_range"});
    if (!c_.flag("clip_sample")) return finish(Heun{}, std::move(made));
    return finish(compat::ClippedHeun{c_.positive("clip_sample_range", 1)}, std::move(made),
                  {.alters_last_step = true});
  }

  DiffusersScheduler<X> kdpm2() {
    in_sigma_ = true;
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
    in_sigma_ = true;
    predicts_ = diffusers_prediction(c_, any_image);
    if (steps_ <= 2) float_part_ = FloatPart::none;  // weights of a single slope are exact
    return finish(Deis{4, Variable::sigma}, sigma_levels({.karras_ends = false, .rounds_karras = false}),
                  {.alters_last_step = true});
  }

  // import_multistep.hpp

  DiffusersLevels multistep_levels(const LevelRules& rules, const TableRules& table_rules = {});
  void read_prediction(bool slopes);
  template <class S>
  DiffusersScheduler<X> finish_dpm(const S& solver, DiffusersLevels made);
  DiffusersScheduler<X> dpm();
  DiffusersScheduler<X> dpm_singlestep();
  DiffusersScheduler<X> deis();
  DiffusersScheduler<X> sa();
  DiffusersScheduler<X> unipc();
  // import_ddim.hpp
  DiffusersScheduler<X> ddim(bool cogvideo);
  DiffusersScheduler<X> cogvideo_dpm();
  DiffusersScheduler<X> pndm();
  DiffusersScheduler<X> ipndm();
  // import_edm.hpp
  DiffusersScheduler<X> edm_euler();
  DiffusersScheduler<X> edm_dpm();
  DiffusersScheduler<X> cosine_dpm();
  void read_edm(double sigma_data, const char* prediction, double highest);
  // import_flow_match.hpp
  DiffusersScheduler<X> flow_match(bool heun);

  DiffusersScheduler<X> finish(const AnySolver<X>& solver, DiffusersLevels made, const DiffusersTraits& traits = {});
  double start_scale(double first) const;
  double input_divisor(double level) const;

  DiffusersSettings c_;
  SetTimesteps call_;
  int steps_;
  std::optional<DiffusersTable> table_ = {};
  Predicts predicts_ = Predicts::epsilon;
  Label label_kind_ = Label::training_step;
  InputScale input_ = InputScale::variance_preserving;
  std::optional<double> highest_ = {};  // of EDM: what the noise is scaled to, whatever the first level is
  bool in_sigma_ = false;               // diffusers' states are x0 + sigma noise, not scaled by alpha
  double sigma_data_ = 0.5, edm_sign_ = 1;
  FloatPart float_part_ = FloatPart::levels;
  std::vector<std::string> notes_ = {};
};

}  // namespace detail

}  // namespace fewstep::io
