// Laws of a solver's weights: they are exact for constants, depend on levels alone, and refine correctly in the
// plugin.
#pragma once

#include "../plugin/amed.hpp"
#include "solver_support.hpp"

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace fewstep::laws {

/// A run is exact for a constant denoised image and, if the solver extrapolates slopes, for a constant slope. A
/// predictor whose direction_scale or sigma_scale is not 1 breaks this law on purpose.
template <State X, Solver<X> S>
std::string exactness(const S& solver) {
  const Schedule schedule = detail::grid();
  const Rows x0 = detail::some_rows<X>(10);
  const double from = schedule[0], to = schedule[schedule.steps()];
  const double image = 0.3, slope = 0.7;

  Rows want = x0;
  for (auto& row : want)
    for (double& v : row) v = image + to / from * (v - image);
  const auto constant_image = [&](double, double) { return image; };
  std::string failure =
      detail::compare(detail::solve<X>(solver, constant_image, schedule, x0), want, detail::slack<X>(10));
  if (!failure.empty()) return "constant denoised image: " + failure;
  if (target_of(solver) != Target::slope) return {};

  want = x0;
  for (auto& row : want)
    for (double& v : row) v += slope * (to - from);
  const auto constant_slope = [&](double x, double sigma) { return x - slope * sigma; };
  failure =
      detail::compare(detail::solve<X>(solver, constant_slope, schedule, x0), want, detail::slack<X>(10 * from / to));
  return failure.empty() ? failure : "constant slope: " + failure;
}

/// The weights of model outputs depend on levels alone: for the sum of two sequences of outputs, a run ends at the sum
/// of their ends.
template <State X, Solver<X> S>
std::string weights_alone(const S& solver) {
  std::vector<Level<X>> list;
  for (const double s : detail::grid()) list.push_back(Level<X>(s));
  const Rows zero(probe<X>::samples, std::vector<double>(probe<X>::numbers, 0.));
  const auto add = [](Rows a, const Rows& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
      for (std::size_t j = 0; j < a[i].size(); ++j) a[i][j] += b[i][j];
    return a;
  };
  std::vector<Rows> a, b, sum;
  for (std::size_t k = 0; k < detail::grid().steps() * static_cast<std::size_t>(solver.evaluations()); ++k) {
    a.push_back(detail::some_rows<X>(std::cos(2. * static_cast<double>(k))));
    b.push_back(detail::some_rows<X>(std::cos(3. * static_cast<double>(k) + 1)));
    sum.push_back(add(a[k], b[k]));
  }
  const auto end = [&](const std::vector<Rows>& outputs, const Rows& x0) {
    detail::ScriptedModel<X> model{outputs};
    return detail::run_over_levels<X>(solver, model, list, probe<X>::make(x0));
  };
  const Rows x0 = detail::some_rows<X>(10);
  return detail::compare(end(sum, x0), add(end(a, x0), end(b, zero)), detail::slack<X>(100));
}

/// The AMED-Plugin with a constant ratio gives the result of the solver on the schedule with the inserted levels.
template <State X, Solver<X> S>
std::string wrapping(const S& solver) {
  const Rows x0 = detail::some_rows<X>(10);
  const Schedule coarse = detail::grid();
  for (const double ratio : {0.5, 0.3}) {
    std::vector<double> levels{coarse[0]};
    for (std::size_t i = 0; i < coarse.steps(); ++i) {
      levels.push_back(fewstep::detail::geometric(ratio, coarse[i], coarse[i + 1]));
      levels.push_back(coarse[i + 1]);
    }
    const Schedule fine(levels);
    const Amed plugged{solver, FixedRatio{ratio}};
    if (evaluations(plugged, coarse) != evaluations(solver, fine)) return "the plugin declares other evaluations";
    for (const Options& options : {Options{}, Options{.analytic_first_step = true},
                                   Options{.analytic_first_step = true, .analytic_in_history = false}}) {
      const Rows got = detail::solve<X>(plugged, TwoPeaks{}, coarse, x0, options);
      const Rows want = detail::solve<X>(solver, TwoPeaks{}, fine, x0, options);
      const std::string failure = detail::compare(got, want, detail::slack<X>(10));
      if (!failure.empty())
        return detail::text("ratio ", ratio, options.analytic_first_step ? ", analytic first step: " : ": ", failure);
    }
  }
  return {};
}

}  // namespace fewstep::laws
