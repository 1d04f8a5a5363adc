#pragma once

#include "../../../errors.hpp"
#include "../../../history.hpp"
#include "../../../solver.hpp"
#include "../../detail/unrolled.hpp"
#include "sa_weights.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace fewstep::compat {

/// SA-Solver without noise (tau = 0): Adams-Bashforth in log(sigma), whose result the next step corrects by
/// Adams-Moulton with the output that it evaluates there.
///
/// The weights are the integrals of fewstep::Deis in log(sigma). Those of order 2 on denoised images have the published
/// terms that make them agree with UniPC to higher order: (h^2/2 - (h - 1 + e^-h))/h_1 in the predictor, and
/// h/2 - (h - 1 + e^-h)/h in the corrector; h = log(t/s), h_1 the log step before.
/// NFE per step: 1. The last state of a run is not corrected.
/// Source: Xue et al. 2023, arXiv 2309.05019; diffusers, scheduling_sasolver.py.
struct SaSolver {
  int predictor_order = 2;  ///< 1 to 4
  int corrector_order = 2;  ///< 1 to 4
  Target target = Target::denoised;
  bool lower_order_final = true;  ///< orders are limited by the remaining steps

  template <State X>
  struct Memory {
    History<X> past;
    X last;  // the corrected state at the level of past[0]
    std::size_t corrector = 0;
    void detach() {
      past.detach();
      algebra<X>::detach(last);
    }
  };

  static constexpr std::size_t max_order = 4;
  static constexpr bool multistep = true;
  static constexpr int evaluations() { return 1; }
  void validate() const {
    require(predictor_order >= 1 && predictor_order <= 4, "SaSolver::predictor_order", predictor_order, "1 to 4");
    require(corrector_order >= 1 && corrector_order <= 4, "SaSolver::corrector_order", corrector_order, "1 to 4");
  }
  template <State X>
  Memory<X> memory(const X& x) const {
    return {{x, capacity()}, algebra<X>::like(x)};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m, M&, Memory<X>& memory) const {
    const History<X>& past = memory.past;
    if (memory.corrector > 0) correct(n, x, m, memory);
    const std::size_t left = lower_order_final ? n.count - n.index : max_order;
    // A predictor of the full history's length has the current output and those before.
    const std::size_t order = (std::min)({static_cast<std::size_t>(predictor_order), left, past.size() + 1});
    memory.corrector = (std::min)({static_cast<std::size_t>(corrector_order), left + 1, past.size() + 2});
    detail::copy(memory.last, x);
    detail::unrolled<max_order - 1>(order - 1, [&]<std::size_t... I>(std::index_sequence<I...>) {
      const auto weights = [this](const auto& s, const auto& t, const auto&... older) {
        return sa_predictor_weights(target, s, std::array{t, older...});
      };
      combine(x, levels(n.to, n.from, past.level(I)...), weights, x, m, past[I]...);
    });
    memory.past.push(m, n);
  }

 private:
  std::size_t capacity() const { return static_cast<std::size_t>((std::max)(predictor_order, corrector_order - 1)); }

  template <State X>
  void correct(const Step<X>& n, X& x, const X& m, const Memory<X>& memory) const {
    const History<X>& past = memory.past;
    if (memory.corrector == 1) {
      const auto weights = [target = target](const auto& t, const auto& s) {
        return Pack{carry(target, t, s), target == Target::denoised ? 1. - s / t : s - t};
      };
      return combine(x, levels(past.level(0), n.from), weights, memory.last, m);
    }
    const std::size_t older = memory.corrector - 2;
    detail::unrolled<max_order - 2>(older, [&]<std::size_t... I>(std::index_sequence<I...>) {
      const auto weights = [this](const auto& s, const auto& t, const auto&... more) {
        return sa_corrector_weights(target, s, std::array{t, s, more...});
      };
      combine(x, levels(n.from, past.level(0), past.level(I + 1)...), weights, memory.last, past[0], m, past[I + 1]...);
    });
  }
};

}  // namespace fewstep::compat
