#pragma once

#include "../model.hpp"
#include "predictor.hpp"

#include <cstddef>
#include <tuple>

namespace fewstep {

/// AMED-Plugin: any solver with one predicted level inserted into each step. With m = t^(1-r) s^r,
///   y = S(x; t -> m),   x' = k y + c (S(y; m -> s) - k y),   k = carry(target, m, s)
/// r (ratio), c (direction_scale) and the sigma_scale of the second half's evaluations from the predictor, at the left
/// end's features. Both halves enter S's history. With the constant r and c = sigma_scale = 1 this is S on the refined
/// grid. Evaluations per step: twice those of S. Source: Zhou et al. 2024, arXiv 2312.00094.
template <class S, class P>
struct Amed {
  S solver;
  P predictor{};

  template <State X>
  struct Stages {
    Memory<S, X> inner;
    X second, before;
    Prediction<X> to{};
    Level<X> mid{0.}, told{0.}, fed{0.};
    void detach() { inner.detach(); }
  };

  static constexpr bool per_sample = detail::per_sample<S> || detail::per_sample<P>;
  Target target() const { return target_of(solver); }
  bool multistep() const { return is_multistep(solver); }
  double sigma_scale(std::size_t index) const { return detail::sigma_scale(solver, 2 * index); }
  int evaluations() const { return 2 * solver.evaluations(); }
  int evaluations(StepCount& at) const {
    StepCount inner{at.kept, 2 * at.steps_left, at.remember};
    const int first = detail::step_evaluations(solver, inner);
    inner.steps_left -= 1;
    inner.remember = true;
    const int second = detail::step_evaluations(solver, inner);
    at.kept = inner.kept;
    return first + second;
  }
  void validate() const {
    detail::validate(solver);
    detail::validate(predictor);
  }
  template <State X>
  Stages<X> memory(const X& x) const {
    static_assert(Solver<S, X>, "Amed: the wrapped type must model Solver for this state");
    static_assert(TimePredictor<P, X>, "Amed: the predictor must model TimePredictor for this state");
    Stages<X> m{solver.memory(x), algebra<X>::like(x), algebra<X>::like(x)};
    for (Level<X>* t : {&m.mid, &m.told, &m.fed}) algebra<X>::fit(*t, x);
    return m;
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& first, M& model, Stages<X>& m) const {
    detail::predict(predictor, n, model.features(), x, m.to);
    map_level<X>(m.mid, detail::geometric, m.to.ratio, n.from, n.to);
    solver.step(Step<X>{n.from, m.mid, 2 * n.index, 2 * n.count, n.remember}, x, first, model, m.inner);

    Rescaled<X, M> warped{model, m.to.sigma_scale, m.fed};
    if (const double sigma_scale = detail::sigma_scale(solver, 2 * n.index + 1); sigma_scale != 1) {
      map_level<X>(m.told, [sigma_scale](const auto& mid) { return sigma_scale * mid; }, m.mid);
      warped(x, m.told, m.mid, m.second);
    } else {
      warped(x, m.mid, m.second);
    }
    const bool scaled = !algebra<X>::is_one(m.to.direction_scale);
    if (scaled) detail::copy(m.before, x);
    solver.step(Step<X>{m.mid, n.to, 2 * n.index + 1, 2 * n.count}, x, m.second, warped, m.inner);
    if (!scaled) return;
    combine(
        x, levels(m.to.direction_scale, m.mid, n.to),
        [target = target_of(solver)](const auto& c, const auto& t, const auto& s) {
          return std::tuple{c, (1. - c) * carry(target, t, s)};
        },
        x, m.before);
  }
};
template <class S>
Amed(S) -> Amed<S, FixedRatio>;
template <class S, class P>
Amed(S, P) -> Amed<S, P>;

}  // namespace fewstep
