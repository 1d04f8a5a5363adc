#pragma once

#include "../errors.hpp"
#include "../history.hpp"
#include "../solver.hpp"
#include "detail/unipc_weights.hpp"
#include "detail/unrolled.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <tuple>
#include <utility>

namespace fewstep {

/// Predictor and corrector in one: the output at the left end of a step first corrects the state it was evaluated at.
///   x' = a x + c [z phi_1(z) m0 + B sum_k rho_k (m_k - m0)/r_k],   r_k = log(t/t_k)/h, h = log(t/s),
///   sum_k rho_k r_k^(i-1) B = i! z phi_{i+1}(z), i = 1, 2, ...         (data: a = s/t, c = -1, z = -h; noise: a = 1, c
///   = -s, z = h)
/// with the older outputs m_k as a predictor, and with the one at s (r = 1) too as a corrector: what that adds, the
/// next step adds first. Nothing is evaluated again after a correction, and the last state is a predicted one.
/// Evaluations per step: 1.  Order: `order` + 1; the first steps use what history there is.
/// Source: Zhao et al. 2023, arXiv 2302.04867, algorithms 5-8.
struct UniPc {
  int order = 3;
  UniB variant = UniB::bh2;
  Target target = Target::denoised;
  bool lower_order_final = true;
  int uncorrected = 0;  // first states that are left as predicted: those of large steps under strong guidance

  static constexpr std::size_t max_order = 4;
  template <State X>
  struct Memory {
    History<X> past;
    int last_order = 0;  // of the last step; 0: its output was not kept
    void detach() { past.detach(); }
  };

  static constexpr bool multistep = true;
  static constexpr int evaluations() { return 1; }
  void validate() const {
    require(order >= 1 && order <= static_cast<int>(max_order), "UniPc::order", order, "1 to 4");
    require(uncorrected >= 0, "UniPc::uncorrected", uncorrected, "0 or more");
  }
  template <State X>
  Memory<X> memory(const X& x) const {
    return {{x, static_cast<std::size_t>(order)}};
  }

  /// The weights of m0 and of the outputs at `other`, for a step from t to s.
  template <class T, std::size_t K>
  std::array<T, K + 1> weights(const T& t, const T& s, const std::array<T, K>& other) const {
    return detail::unipc_weights(variant, target, t, s, other);
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m, M&, Memory<X>& memory) const {
    if (memory.last_order > 0 && n.index > static_cast<std::size_t>(uncorrected)) correct(n, x, m, memory);
    std::size_t k = (std::min)(memory.past.size() + 1, static_cast<std::size_t>(order));
    if (lower_order_final && k == static_cast<std::size_t>(order)) k = (std::min)(k, n.count - n.index);
    const History<X>& past = memory.past;
    detail::unrolled<max_order - 1>(k - 1, [&]<std::size_t... I>(std::index_sequence<I...>) {
      combine(
          x, levels(n.from, n.to, past.level(I)...),
          [this](const auto& t, const auto& s, const auto&... older) {
            const bool data = target == Target::denoised;
            return std::tuple_cat(std::tuple{data ? s / t : t / t}, this->weights(t, s, list(t, older...)));
          },
          x, m, past[I]...);
    });
    memory.last_order = n.remember ? static_cast<int>(k) : 0;
    memory.past.push(m, n);
  }

  /// What the last step would have added to x, had it known m, the output at its end n.from.
  template <State X>
  void correct(const Step<X>& n, X& x, const X& m, const Memory<X>& memory) const {
    const History<X>& past = memory.past;
    detail::unrolled<max_order - 1>(static_cast<std::size_t>(memory.last_order - 1),
                                    [&]<std::size_t... I>(std::index_sequence<I...>) {
                                      combine(
                                          x, levels(past.level(0), n.from, past.level(I + 1)...),
                                          [this](const auto& t, const auto& s, const auto&... older) {
                                            const auto corrected = this->weights(t, s, list(t, s, older...));
                                            const auto predicted = this->weights(t, s, list(t, older...));
                                            return std::tuple{unit, corrected[1], corrected[0] - predicted[0],
                                                              (corrected[I + 2] - predicted[I + 1])...};
                                          },
                                          x, m, past[0], past[I + 1]...);
                                    });
  }

 private:
  template <class T, class... U>
  static std::array<T, sizeof...(U)> list(const T&, const U&... levels) {
    return {levels...};
  }
};

}  // namespace fewstep
