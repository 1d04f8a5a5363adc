// What the stages of autotune() measure and fit with.
#pragma once

#include "../../run.hpp"
#include "../../schedules/karras.hpp"
#include "../../solvers/heun.hpp"
#include "../calibration/calibrator.hpp"
#include "../calibration/slope_models.hpp"
#include "../per_batch.hpp"
#include "dense_teacher.hpp"

#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// The combination of a denoiser's branches that autotune() weighs apart; empty: none.
template <class D>
std::vector<double> combination_of(const D& denoise) {
  if constexpr (requires { denoise.combination(); })
    if (denoise.branches() > 1) return denoise.combination();
  return {};
}

/// Slopes whose evaluations are counted.
template <State X>
struct CountedSlopes final : SlopeModel<X> {
  SlopeModel<X>* model;
  std::size_t* calls;

  CountedSlopes(SlopeModel<X>* m, std::size_t* c) : model(m), calls(c) {}
  void slopes(const X& x, double network_sigma, double sigma, std::span<X* const> out,
              std::optional<double> guidance) override {
    ++*calls;
    model->slopes(x, network_sigma, sigma, out, guidance);
  }
  void analytic(const X& x, double sigma, X& out) override { model->analytic(x, sigma, out); }
};

/// A model with batches of noise and a teacher's trajectories for them.
/// @tparam D  a denoiser or PerBatch
/// @tparam N  (batch) -> unit noise
template <State X, class D, class N>
class Workbench {
 public:
  /// Keeps references.
  /// @param batches  of which there will be trajectories
  Workbench(D& denoise, const N& noise, std::size_t batches, std::size_t& calls)
      : denoise_(denoise), noise_(noise), calls_(calls), slopes_(denoise, batches) {
    for (SlopeModel<X>* model : slopes_.pointers()) counted_.emplace_back(model, &calls_);
  }

  /// Adds the trajectory of the next batch, whose calls are not counted.
  /// @param schedule  of the teacher, the same for all batches
  void teach(const Schedule& schedule) {
    schedule_ = schedule;
    const std::size_t batch = trajectories_.size();
    auto&& own = denoiser_of(denoise_, batch);
    trajectories_.push_back(record_teacher_with_slopes(Heun{}, own, schedule, start(batch)));
  }
  std::size_t batches() const { return trajectories_.size(); }

  /// Squared distances per number between a table's ends and the teacher's, for the samples of the batches
  /// [begin, end); lost_sample where not finite.
  std::vector<double> squares(const Table& table, bool analytic_first_step, std::size_t begin, std::size_t end) {
    std::vector<double> all;
    for (std::size_t b = begin; b < end; ++b) {
      auto&& own = denoiser_of(denoise_, b);
      const auto run = integrate(table, own, table.schedule(), start(b), {.analytic_first_step = analytic_first_step});
      calls_ += static_cast<std::size_t>(run.evaluations);
      const X change = difference(run.x, trajectories_[b].states.back());
      for (const double square : algebra<X>::dot(change, change))
        all.push_back(std::isfinite(square) ? square / numbers_of_sample(change) : lost_sample);
    }
    return all;
  }

  /// Calls use(calibrator) with a Calibrator of the first `batches` trajectories.
  template <class F>
  CalibrationProgress calibrate(const Table& start, const CalibrationOptions& options, std::size_t batches,
                                const F& use) {
    std::vector<TeacherTrajectory<X>> teacher;
    for (std::size_t b = 0; b < batches; ++b) teacher.push_back(at_levels(trajectories_[b], schedule_, start.levels));
    std::vector<SlopeModel<X>*> models;
    for (CountedSlopes<X>& model : counted_) models.push_back(&model);
    Calibrator<X> calibrator(models, start, teacher, options, [](const X& x) { return x; });
    use(calibrator);
    return calibrator.progress();
  }

  std::size_t samples_per_batch() const { return sample_count(trajectories_[0].states[0]); }

 private:
  X start(std::size_t batch) const {
    const X z = noise_(batch);
    X x = algebra<X>::like(z);
    scale(x, schedule_[0], z);
    return x;
  }

  D& denoise_;
  const N& noise_;
  std::size_t& calls_;
  SlopeModels<X, D> slopes_;
  std::vector<CountedSlopes<X>> counted_;
  Schedule schedule_{std::vector<double>{2, 1}};
  std::vector<TeacherTrajectory<X>> trajectories_;
};

}  // namespace fewstep::detail
