// The noise levels of diffusers' schedulers that have a table of betas.
#pragma once

#include "../../processes/noise_table.hpp"
#include "../../schedules/flow.hpp"
#include "config.hpp"
#include "ranges.hpp"
#include "training_steps.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace fewstep::io::detail {

/// The levels at which the network is evaluated in a run, its labels there, and the level after the last of them.
struct DiffusersLevels {
  std::vector<double> levels, labels;
  double end = 0;
};

/// The level after the last evaluation: 0; by final_sigmas_type 0 or the table's lowest; by final_sigmas_type 0 or, in
/// a range or a flow, the last one again; without that setting, the lowest or the last one again.
enum class FinalLevel { zero, lowest, repeated, always_repeated };

/// How schedulers with a table of noise levels differ.
struct LevelRules {
  FinalLevel final = FinalLevel::zero;
  bool multistep = false;      // one of diffusers' multistep schedulers: ranges span the table, steps are whole
  bool linspace_only = false;  // the class has no timestep_spacing
  bool clips_lambda = false;   // it reads lambda_min_clipped
  bool lu = false;             // it reads use_lu_lambdas
  bool log_linear = false;     // it reads interpolation_type
  bool karras_ends = true;     // Karras's levels take sigma_min and sigma_max
  bool rounds_karras = true;   // their labels are whole steps
  bool no_ranges = false;      // the class has no such levels
  bool labels_may_repeat = false;
};

inline bool ends_at_zero(const DiffusersSettings& c) {
  return c.choice("final_sigmas_type", "zero", {"zero", "sigma_min"}) == "zero";
}

/// A flow's time as a noise level.
inline double flow_level(double t) {
  require(t < 1, "a flow's time", t, "less than 1: with use_flow_sigmas, all levels of the run");
  return t / (1 - t);
}

/// @throws std::invalid_argument where diffusers would find the first label twice and start at the second.
inline void require_one_start(const std::vector<double>& labels) {
  const bool again = std::find(labels.begin() + 1, labels.end(), labels.front()) != labels.end();
  require(!again, "the first label of the run", labels.front(),
          "a label that occurs once; levels above the table's have its last training step");
}

class TableLevels {
 public:
  TableLevels(const DiffusersSettings& c, const TrainingLevels& table, int steps, const LevelRules& rules)
      : c_(c),
        table_(table),
        steps_(steps),
        rules_(rules),
        range_(rules.no_ranges ? Range::none : diffusers_range(c)) {}

  DiffusersLevels make() {
    const bool lu = rules_.lu && c_.flag("use_lu_lambdas") && range_ != Range::karras;
    DiffusersLevels made;
    if (rules_.multistep && range_ != Range::none && !lu) made = in_range(table_.high(), table_.low());
    else if (lu) made = with_labels(range_levels(Range::exponential, steps_, table_.low(), table_.high()), true);
    else made = at_steps();
    const bool ranged = lu || range_ != Range::none;
    switch (rules_.final) {
      case FinalLevel::zero: break;
      case FinalLevel::lowest: made.end = ends_at_zero(c_) ? 0 : table_.low(); break;
      case FinalLevel::repeated: made.end = ends_at_zero(c_) ? 0 : ranged ? made.levels.back() : table_.low(); break;
      case FinalLevel::always_repeated: made.end = ranged ? made.levels.back() : table_.low(); break;
    }
    if (log_linear_ && !rules_.labels_may_repeat) {  // diffusers makes one more level than it has labels, and visits
      made.end = made.levels.back();
      made.levels.pop_back();
    }
    if (!rules_.labels_may_repeat) require_one_start(made.labels);
    return made;
  }

 private:
  StepRules step_rules() const {
    StepRules rules{.rounded = rules_.multistep, .spare_last = rules_.multistep};
    if (rules_.linspace_only) return rules;
    rules.spacing = diffusers_spacing(c_, Spacing::linspace);
    rules.offset = c_.whole("steps_offset", 0, 0, table_.count());
    return rules;
  }

  DiffusersLevels at_steps() {
    const int count = table_.count();
    int last = count;
    if (rules_.clips_lambda) {
      const double lambda = c_.number("lambda_min_clipped", -std::numeric_limits<double>::infinity());
      last = table_.above(lambda);
      require(last >= 2, "lambda_min_clipped", lambda, "values that leave two training steps");
    }
    const StepRules rules = step_rules();
    DiffusersLevels made;
    made.labels = chosen_steps(count, last, steps_, rules);
    log_linear_ =
        rules_.log_linear && c_.choice("interpolation_type", "linear", {"linear", "log_linear"}) == "log_linear";
    if (log_linear_) made.levels = table_.log_linear(steps_ + 1);
    else {
      if (range_ == Range::none) require_in_table(made.labels, count, steps_);
      for (const double step : made.labels) made.levels.push_back(table_.at(step));
    }
    if (range_ == Range::none) return made;
    log_linear_ = false;
    return in_range(made.levels.front(), made.levels.back());
  }

  DiffusersLevels in_range(double high, double low) {
    const bool ends = range_ != Range::karras || rules_.karras_ends;
    return with_labels(range_levels(c_, range_, steps_, low, high, ends), range_ == Range::karras);
  }

  DiffusersLevels with_labels(std::vector<double> levels, bool karras) const {
    DiffusersLevels made;
    made.levels = std::move(levels);
    for (const double level : made.levels) {
      const double step = table_.step(level);
      const bool rounds = karras && rules_.rounds_karras;
      made.labels.push_back(rounds ? std::nearbyint(step) : rules_.multistep ? std::floor(step) : step);
    }
    return made;
  }

  const DiffusersSettings& c_;
  const TrainingLevels& table_;
  int steps_;
  LevelRules rules_;
  Range range_;
  bool log_linear_ = false;
};

}  // namespace fewstep::io::detail
