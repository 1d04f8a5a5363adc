#pragma once

#include "../../../solver.hpp"
#include "../../unipc.hpp"

#include <algorithm>
#include <vector>

namespace fewstep::compat {

/// fewstep::UniPc whose states after chosen steps stay uncorrected. With UniPc::lower_order_final the order of a step
/// is at most the number of remaining steps, whether the full order was reached or not.
/// NFE per step: 1.
/// Source: diffusers, scheduling_unipc_multistep.py, disable_corrector and lower_order_final.
struct SelectiveUniPc {
  fewstep::UniPc solver;
  std::vector<int> uncorrected = {};  ///< indices of the steps whose end is not corrected

  Target target() const { return solver.target; }
  static constexpr bool multistep = true;
  static constexpr int evaluations() { return 1; }
  void validate() const { solver.validate(); }
  template <State X>
  fewstep::UniPc::Memory<X> memory(const X& x) const {
    return solver.memory(x);
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m, M& model, fewstep::UniPc::Memory<X>& memory) const {
    fewstep::UniPc here = solver;
    const auto before = static_cast<int>(n.index) - 1;
    if (std::find(uncorrected.begin(), uncorrected.end(), before) != uncorrected.end()) here.uncorrected = before + 1;
    if (solver.lower_order_final) here.order = (std::min)(solver.order, static_cast<int>(n.count - n.index));
    here.lower_order_final = false;
    here.step(n, x, m, model, memory);
  }
};

}  // namespace fewstep::compat
