// The training steps of a run, chosen as diffusers chooses them: with numpy's rounding.
#pragma once

#include "../../errors.hpp"
#include "../../processes/noise_table.hpp"
#include "../../schedules/training_steps.hpp"
#include "settings.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace fewstep::io::detail {

/// How a scheduler chooses training steps.
struct StepRules {
  Spacing spacing = Spacing::linspace;
  int offset = 0;           // steps_offset, of leading steps
  bool rounded = false;     // to whole training steps
  bool spare_last = false;  // one step more is chosen, and the lowest dropped
};

/// Returns the training steps of a run, decreasing. Trailing ones may be fewer than `steps`, or one more.
/// @param count  training steps of the network
/// @param last   of them, those that lambda_min_clipped leaves
inline std::vector<double> chosen_steps(int count, int last, int steps, const StepRules& rules) {
  std::vector<double> list;
  const auto add = [&](double step) { list.push_back(rules.rounded ? std::nearbyint(step) : step); };
  if (rules.spacing == Spacing::trailing) {
    const double stride = static_cast<double>(count) / steps, second = last - stride, change = second - last;
    const auto size = static_cast<int>(std::ceil(last / stride));
    for (int i = 0; i < size; ++i) list.push_back(std::nearbyint(last + i * change) - 1);
    return list;
  }
  const int chosen = steps + (rules.spare_last ? 1 : 0), spared = rules.spare_last ? 1 : 0;
  const double stride = chosen > 1 ? static_cast<double>(last - 1) / (chosen - 1) : 0;
  for (int i = chosen - 1; i >= spared; --i)
    if (const int whole_stride = last / chosen; rules.spacing == Spacing::leading) add(i * whole_stride + rules.offset);
    else add(i > 0 && i == chosen - 1 ? last - 1 : i * stride);
  return list;
}

/// @throws std::invalid_argument unless the steps are those of the table and decrease: as many steps as training steps
/// do not always fit.
inline void require_in_table(const std::vector<double>& list, int count, int steps) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i] >= 0 && list[i] <= count - 1 && (i == 0 || list[i] < list[i - 1])) continue;
    refuse("num_inference_steps", steps,
           {"fewer: as many steps as training steps, or nearly, would take step ", list[i], " of 0 to ", count - 1,
            i > 0 && list[i] >= list[i - 1] ? " twice" : ""});
  }
}

/// The noise levels of the training steps, and the steps of noise levels.
class TrainingLevels {
 public:
  /// @param levels  increasing
  /// @param single  they were computed in float
  TrainingLevels(std::vector<double> levels, bool single) : levels_(std::move(levels)), single_(single) {
    for (const double level : levels_) logs_.push_back(std::log(level));
  }

  int count() const { return static_cast<int>(levels_.size()); }
  double low() const { return levels_.front(); }
  /// A level or a flow's time as diffusers keeps it.
  double rounded(double value) const { return single_ ? static_cast<float>(value) : value; }
  double high() const { return levels_.back(); }
  /// The level at a training step, linear between two of them; that of the nearest one outside the table.
  double at(double step) const {
    const double inside = std::clamp(step, 0., count() - 1.);
    const auto i = static_cast<std::size_t>((std::min)(std::floor(inside), count() - 2.));
    return levels_[i] + (inside - static_cast<double>(i)) * (levels_[i + 1] - levels_[i]);
  }
  /// The step of a level, linear in log(sigma) between two of them, and at most the last one.
  double step(double sigma) const {
    const double log = std::log(sigma);
    const auto above = std::upper_bound(logs_.begin(), logs_.end(), log);
    const auto i = std::clamp<std::ptrdiff_t>(above - logs_.begin() - 1, 0, count() - 2);
    const double low = logs_[static_cast<std::size_t>(i)], high = logs_[static_cast<std::size_t>(i) + 1];
    return static_cast<double>(i) + std::clamp((log - low) / (high - low), 0., 1.);
  }
  /// `steps` levels evenly spaced in log(sigma) from the highest to the lowest, as torch.linspace computes them.
  std::vector<double> log_linear(int steps) const {
    const auto first = static_cast<float>(logs_.back()), last = static_cast<float>(logs_.front());
    const float change = (last - first) / static_cast<float>(steps - 1);
    std::vector<double> levels;
    for (int i = 0; i < steps; ++i) {
      const float log =
          i < steps / 2 ? first + change * static_cast<float>(i) : last - change * static_cast<float>(steps - i - 1);
      const double exact = logs_.back() + (logs_.front() - logs_.back()) * i / (steps - 1);
      levels.push_back(single_ ? static_cast<double>(std::exp(log)) : std::exp(exact));
    }
    return levels;
  }
  /// How many training steps have log(alpha/sigma) of `lambda` or more.
  int above(double lambda) const {
    int above = 0;
    for (const double log : logs_) above += -log >= lambda;
    return above;
  }

 private:
  std::vector<double> levels_, logs_;
  bool single_;
};

}  // namespace fewstep::io::detail
