// What the laws must be able to do with a state: make one, read it, and give it noise levels.
#pragma once

#include "../scalar.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace fewstep::laws {

/// The numbers of a batch: rows[b][i] is number i of sample b.
using Rows = std::vector<std::vector<double>>;

/// Specialise for a state type (eigen/laws.hpp and torch/laws.hpp do) with the static members
///   make(rows) -> X            read(x) -> Rows
///   levels(values) -> Level<X>  one noise level per sample
///   level(t, b) -> double      that of sample b
///   samples, numbers           size of the batch to test: any where make() takes any, else the fixed one
///   epsilon                    relative rounding of the state's numbers, e.g. 2.2e-16
///   bitwise                    a sample's result may not depend, in any bit, on the batch around it
/// and, where they mean something,
///   resizable = true           make() takes any number of samples
///   features(rows) -> Features<X>
///   track(x), tracked(x)       lets x carry a history of gradients, and asks whether it does
template <class X>
struct probe;

template <>
struct probe<double> {
  static constexpr std::size_t samples = 1, numbers = 1;
  static constexpr double epsilon = std::numeric_limits<double>::epsilon();
  static constexpr bool bitwise = true;
  static double make(const Rows& rows) { return rows[0][0]; }
  static Rows read(double x) { return {{x}}; }
  static double levels(const std::vector<double>& values) { return values[0]; }
  static double level(double t, std::size_t) { return t; }
};

/// A law and how it was broken; empty: it holds.
struct Verdict {
  std::string_view law;
  std::string failure;
};

namespace detail {

template <class... T>
std::string text(const T&... parts) {
  std::ostringstream out;
  out.precision(17);
  (out << ... << parts);
  return out.str();
}

/// Some numbers of the size of `scale`, the same in every run.
template <class X>
Rows start(double scale) {
  Rows rows(probe<X>::samples, std::vector<double>(probe<X>::numbers));
  for (std::size_t b = 0; b < rows.size(); ++b)
    for (std::size_t i = 0; i < rows[b].size(); ++i)
      rows[b][i] = scale * 1.5 * std::sin(1.7 + 2.3 * static_cast<double>(b) + 0.9 * static_cast<double>(i));
  return rows;
}

inline double largest(const Rows& rows) {
  double most = 0;
  for (const auto& row : rows)
    for (const double v : row) most = (std::max)(most, std::abs(v));
  return most;
}

/// Empty if every number of `got` is within `slack` of `want`.
inline std::string compare(const Rows& got, const Rows& want, double slack) {
  if (got.size() != want.size()) return text(got.size(), " samples instead of ", want.size());
  for (std::size_t b = 0; b < got.size(); ++b) {
    if (got[b].size() != want[b].size()) return text(got[b].size(), " numbers instead of ", want[b].size());
    for (std::size_t i = 0; i < got[b].size(); ++i)
      if (!(std::abs(got[b][i] - want[b][i]) <= slack))
        return text("number ", i, " of sample ", b, " is ", got[b][i], " instead of ", want[b][i], ", allowed: within ",
                    slack);
  }
  return {};
}

}  // namespace detail
}  // namespace fewstep::laws
