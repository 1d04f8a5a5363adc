#pragma once

#include "../model.hpp"
#include "predictor.hpp"

#include <cstddef>

namespace fewstep {

/// AMED-Plugin: any solver S with one predicted level m inserted into each step.
///
///   m = t^(1-r) s^r,   y = S(x; t -> m),   x' = k y + c (S(y; m -> s) - k y),   k = carry(target, m, s)
///
/// t, s: current and next level. The predictor P gives, from the features at the left end, the ratio r, the
/// direction_scale c and the sigma_scale: the network of the second half is fed sigma_scale times the level.
/// Both halves enter S's history. With a fixed ratio and c = sigma_scale = 1, this is S on the refined schedule.
/// NFE per step: twice that of S. Order: that of S where c = sigma_scale = 1.
/// Source: Zhou et al. 2024, arXiv 2312.00094.
template <class S, class P>
struct Amed {
  S solver;
  P predictor{};

  template <State X>
  struct Stages {
    Memory<S, X> inner;
    X middle_output, middle_state;
    Prediction<X> prediction{};
    Level<X> middle{0.}, scaled_middle{0.}, network_sigma{0.};
    void detach() { inner.detach(); }
  };

  static constexpr bool per_sample = detail::per_sample<S> || detail::per_sample<P>;
  Target target() const { return target_of(solver); }
  bool multistep() const { return is_multistep(solver); }
  double sigma_scale(std::size_t index) const { return detail::sigma_scale(solver, 2 * index); }
  int evaluations() const { return 2 * solver.evaluations(); }
  int evaluations(StepCount& at) const {
    StepCount half{at.kept, 2 * at.steps_left, at.remember};
    const int first = detail::step_evaluations(solver, half);
    half.steps_left -= 1;
    half.remember = true;
    const int second = detail::step_evaluations(solver, half);
    at.kept = half.kept;
    return first + second;
  }
  /// @throws std::invalid_argument for settings of the solver or the predictor that are out of range.
  void validate() const {
    detail::validate(solver);
    detail::validate(predictor);
  }
  template <State X>
  Stages<X> memory(const X& x) const {
    static_assert(Solver<S, X>, "Amed: the wrapped type must model Solver for this state");
    static_assert(TimePredictor<P, X>, "Amed: the predictor must model TimePredictor for this state");
    Stages<X> m{solver.memory(x), algebra<X>::like(x), algebra<X>::like(x)};
    for (Level<X>* t : {&m.middle, &m.scaled_middle, &m.network_sigma}) algebra<X>::fit(*t, x);
    return m;
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& first, M& model, Stages<X>& m) const {
    ModelRef<X> whole(model);
    detail::predict(predictor, n, whole.features(), x, m.prediction);
    map_level<X>(m.middle, detail::geometric, m.prediction.ratio, n.from, n.to);
    solver.step(Step<X>{n.from, m.middle, 2 * n.index, 2 * n.count, n.remember}, x, first, whole, m.inner);

    Rescaled<X> rescaled{whole, m.prediction.sigma_scale, m.network_sigma};
    evaluate_middle(n, x, rescaled, m);
    const bool scaled = !algebra<X>::is_one(m.prediction.direction_scale);
    if (scaled) detail::copy(m.middle_state, x);
    ModelRef<X> second_half(rescaled);
    solver.step(Step<X>{m.middle, n.to, 2 * n.index + 1, 2 * n.count}, x, m.middle_output, second_half, m.inner);
    if (!scaled) return;
    combine(
        x, levels(m.prediction.direction_scale, m.middle, n.to),
        [target = target_of(solver)](const auto& c, const auto& t, const auto& s) {
          return Pack{c, (1. - c) * carry(target, t, s)};
        },
        x, m.middle_state);
  }

 private:
  /// m.middle_output <- the target at the intermediate level, where the solver's own sigma_scale applies too.
  template <State X>
  void evaluate_middle(const Step<X>& n, const X& x, const Rescaled<X>& model, Stages<X>& m) const {
    const double own = detail::sigma_scale(solver, 2 * n.index + 1);
    if (own == 1) return model(x, m.middle, m.middle_output);
    map_level<X>(m.scaled_middle, [own](const auto& middle) { return own * middle; }, m.middle);
    model(x, m.scaled_middle, m.middle, m.middle_output);
  }
};
template <class S>
Amed(S) -> Amed<S, FixedRatio>;
template <class S, class P>
Amed(S, P) -> Amed<S, P>;

}  // namespace fewstep
