#pragma once

#include "../errors.hpp"
#include "../history.hpp"
#include "../solver.hpp"
#include "detail/unipc_weights.hpp"
#include "detail/unrolled.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <utility>

namespace fewstep {

/// UniPC's function B(z): z for bh1, e^z - 1 for bh2. It affects only steps that use a single difference of outputs.
enum class UniB { bh1, bh2 };
constexpr std::array<std::string_view, 2> names_of(UniB) { return {"bh1", "bh2"}; }

/// UniPC: a multistep predictor whose result the next step corrects with the output that it evaluates there.
///
///   x' = a x + c [z phi_1(z) m0 + sum_k b_k (m_k - m0)/r_k],   r_k = log(t/t_k)/h,   h = log(t/s),
///   sum_k b_k r_k^(i-1) = i! z phi_{i+1}(z) for i = 1, 2, ...; for a single k instead b_1 = B(z)/2,
///   denoised: a = s/t, c = -1, z = -h,   slope: a = 1, c = -s, z = h
///
/// t, s: current and next level; m0: output at t; m_k: other outputs, at levels t_k: past ones, and in the corrector
/// the one at s too. A corrected state is not evaluated again; the last state of a run is not corrected.
/// NFE per step: 1. Order: `order` + 1; the first steps have lower orders.
/// Source: Zhao et al. 2023, arXiv 2302.04867, algorithms 5 to 8.
struct UniPc {
  int order = 3;  ///< 1 to 4
  UniB variant = UniB::bh2;
  Target target = Target::denoised;
  /// true: once the full order is reached, the order of a step is at most the number of remaining steps
  bool lower_order_final = true;
  int uncorrected =
      0;  ///< 0 or more: number of states at the start of a run that stay uncorrected; for strong guidance

  static constexpr std::size_t max_order = 4;
  template <State X>
  struct Memory {
    History<X> past;
    int last_order = 0;  // of the previous step; 0 where its output was not kept
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

  /// Returns the weights of m0 and of the outputs at the levels `other`, for a step from t to s.
  template <class T, std::size_t K>
  std::array<T, K + 1> weights(const T& t, const T& s, const std::array<T, K>& other) const {
    return detail::unipc_weights(b(), target, t, s, other);
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m, M&, Memory<X>& memory) const {
    if (memory.last_order > 0 && n.index > static_cast<std::size_t>(uncorrected)) correct(n, x, m, memory);
    const auto full = static_cast<std::size_t>(order);
    std::size_t k = (std::min)(memory.past.size() + 1, full);
    if (lower_order_final && k == full) k = (std::min)(k, n.count - n.index);
    const auto predictor = [this]<class T>(const T& t, const T& s, const auto&... older) {
      const std::array<T, sizeof...(older)> other{older...};
      return std::tuple_cat(std::tuple{carry(target, t, s)}, weights(t, s, other));
    };
    detail::unrolled<max_order - 1>(k - 1, [&, &past = memory.past]<std::size_t... I>(std::index_sequence<I...>) {
      combine(x, levels(n.from, n.to, past.level(I)...), predictor, x, m, past[I]...);
    });
    memory.last_order = n.remember ? static_cast<int>(k) : 0;
    memory.past.push(m, n);
  }

  /// Corrects x, which the previous step predicted, with the output m at (x, n.from).
  template <State X>
  void correct(const Step<X>& n, X& x, const X& m, const Memory<X>& memory) const {
    const auto correction = [this]<class T>(const T& t, const T& s, const auto&... older) {
      const std::array<T, sizeof...(older)> other{older...};
      return std::tuple_cat(std::tuple{unit}, detail::unipc_correction(b(), target, t, s, other));
    };
    const auto older = static_cast<std::size_t>(memory.last_order - 1);
    detail::unrolled<max_order - 1>(older, [&, &past = memory.past]<std::size_t... I>(std::index_sequence<I...>) {
      combine(x, levels(past.level(0), n.from, past.level(I + 1)...), correction, x, m, past[0], past[I + 1]...);
    });
  }

 private:
  detail::UniPcB b() const { return {.exponential = variant == UniB::bh2}; }
};

}  // namespace fewstep
