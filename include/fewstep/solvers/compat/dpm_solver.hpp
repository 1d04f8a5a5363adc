// Mistakes of dpm_solver_pytorch.py, the code of the DPM-Solver papers, which diffusers, k-diffusion and diff-sampler
// copied.
#pragma once

#include "../dpmpp.hpp"

#include <cmath>
#include <tuple>

namespace fewstep::compat {

/// Multistep DPM-Solver++ and DPM-Solver with the published third order.
///
/// The mistake: the second-derivative term lacks a factor of 2, so that order 3 is of second order only. The
/// single-step method in the same file has the factor. Orders 1 and 2 are those of fewstep::Dpmpp. NFE per step: 1.
/// Source: dpm_solver_pytorch.py, multistep_dpm_solver_third_update; copied into diffusers, k-diffusion (dpmpp_3m_sde)
/// and diff-sampler.
struct Dpmpp {
  fewstep::Dpmpp solver{};

  Target target() const { return target_of(solver); }
  bool multistep() const { return is_multistep(solver); }
  static constexpr int evaluations() { return 1; }
  void validate() const { solver.validate(); }
  template <State X>
  History<X> memory(const X& x) const {
    return solver.memory(x);
  }

  /// The weights of x and of the three outputs, as a function of the levels q, p, t, s, oldest first.
  static auto published_weights_3(Target target) {
    return [target](const auto& q, const auto& p, const auto& t, const auto& s) {
      using std::log;
      const bool denoised = target == Target::denoised;
      const auto h = log(t / s), r0 = log(p / t) / h, r1 = log(q / p) / h;
      const auto outputs = denoised ? fewstep::Dpmpp::output_weights_3(1., h, -1. * h, r0, r1)
                                    : fewstep::Dpmpp::output_weights_3(1., -1. * s * h, h, r0, r1);
      return std::tuple_cat(std::tuple{carry(target, t, s)}, outputs);
    };
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m, M& model, History<X>& past) const {
    if (solver.order_of(n, past) < 3) return solver.step(n, x, m, model, past);
    combine(x, levels(past.level(1), past.level(0), n.from, n.to), published_weights_3(solver.target), x, m, past[0],
            past[1]);
    past.push(m, n);
  }
};

}  // namespace fewstep::compat
