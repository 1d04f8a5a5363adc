// Laws of a solver's samples: a result depends neither on the rest of the batch nor on the levels of other samples nor
// on the state type.
#pragma once

#include "solver_support.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace fewstep::laws {

/// A sample's result does not depend on the rest of the batch.
template <State X, Solver<X> S>
std::string batch(const S& solver) {
  const Rows x0 = detail::some_rows<X>(10), all = detail::solve<X>(solver, TwoPeaks{}, detail::grid(), x0);
  const double slack = detail::slack_of_batches<X>(10);
  for (std::size_t b = 0; b < x0.size(); ++b) {
    const Rows copies(x0.size(), x0[b]);
    std::string failure =
        detail::compare({detail::solve<X>(solver, TwoPeaks{}, detail::grid(), copies)[b]}, {all[b]}, slack);
    if constexpr (requires { requires probe<X>::resizable; })
      if (failure.empty())
        failure = detail::compare(detail::solve<X>(solver, TwoPeaks{}, detail::grid(), {x0[b]}), {all[b]}, slack);
    if (!failure.empty()) return detail::text("sample ", b, " of the batch: ", failure);
  }
  return {};
}

/// With one level per sample, each sample has the result of a run on its own levels.
template <State X, Solver<X> S>
std::string per_sample_levels(const S& solver) {
  const Rows x0 = detail::some_rows<X>(10);
  const auto denoise = elementwise<X>(TwoPeaks{});
  Model<X, const Elementwise<X, TwoPeaks>> model(denoise, target_of(solver));
  const auto on_shared_levels = [&](double scale) {
    std::vector<Level<X>> list;
    for (const double s : detail::grid(scale)) list.push_back(Level<X>(s));
    return detail::run_over_levels<X>(solver, model, list, probe<X>::make(x0));
  };
  for (const double spread : {0., 0.3}) {
    const auto scale = [&](std::size_t b) { return 1 + spread * static_cast<double>(b); };
    std::vector<Level<X>> list;
    for (std::size_t i = 0; i < detail::grid().size(); ++i) {
      std::vector<double> values;
      for (std::size_t b = 0; b < x0.size(); ++b) values.push_back(detail::grid(scale(b))[i]);
      list.push_back(probe<X>::levels(values));
    }
    const Rows got = detail::run_over_levels<X>(solver, model, list, probe<X>::make(x0));
    for (std::size_t b = 0; b < x0.size(); ++b) {
      const Rows want = on_shared_levels(scale(b));
      const std::string failure = detail::compare({got[b]}, {want[b]}, detail::slack_of_batches<X>(10));
      if (!failure.empty()) return detail::text("sample ", b, " on levels of its own: ", failure);
    }
  }
  return {};
}

/// Each number of a state has the same result as a state of one number.
/// @param scalar  the same solver, for states of type double
template <State X, Solver<X> S, Solver<double> R>
std::string backends(const S& solver, const R& scalar) {
  const Rows x0 = detail::some_rows<X>(10);
  for (const bool afs : {false, true}) {
    const Options options{.analytic_first_step = afs, .final_denoise = afs};
    Rows want = x0;
    for (auto& row : want)
      for (double& v : row) v = detail::solve<double>(scalar, TwoPeaks{}, detail::grid(), {{v}}, options)[0][0];
    const Rows got = detail::solve<X>(solver, TwoPeaks{}, detail::grid(), x0, options);
    const std::string failure = detail::compare(got, want, detail::slack<X>(100));
    if (!failure.empty()) return detail::text(afs ? "with an analytic first step: " : "", failure);
  }
  return {};
}

}  // namespace fewstep::laws
