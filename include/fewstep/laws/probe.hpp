// The operations that the laws need for a state type: making and reading states, and making noise levels.
#pragma once

#include "../scalar.hpp"

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

/// The customisation point of the laws: specialise it for your state type X, as eigen/laws.hpp and torch/laws.hpp do,
/// with the static members
///
///   make(rows) -> X, read(x) -> Rows
///   levels(values) -> Level<X>   noise levels, one per sample
///   level(t, b) -> double        the noise level of sample b
///   samples, numbers             size of the batches that the laws make
///   epsilon                      relative rounding error of the state's numbers, e.g. 2.2e-16
///   bitwise                      true: a sample's result must not depend, in any bit, on the rest of the batch
///
/// and, where they apply,
///
///   resizable = true             make() accepts any number of samples
///   features(rows) -> Features<X>
///   track(x), tracked(x)         makes x record gradients; returns whether x does
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

/// A law and how it was broken; an empty failure means that it holds.
struct Verdict {
  std::string_view law;
  std::string failure;
};

namespace detail {

/// Concatenates the parts, with all digits of doubles.
template <class... T>
std::string text(const T&... parts) {
  std::ostringstream out;
  out.precision(17);
  (out << ... << parts);
  return out.str();
}

/// Returns numbers for a state, about `scale` in size and the same on every call.
template <class X>
Rows some_rows(double scale) {
  Rows rows(probe<X>::samples, std::vector<double>(probe<X>::numbers));
  for (std::size_t b = 0; b < rows.size(); ++b)
    for (std::size_t i = 0; i < rows[b].size(); ++i)
      rows[b][i] = scale * 1.5 * std::sin(1.7 + 2.3 * static_cast<double>(b) + 0.9 * static_cast<double>(i));
  return rows;
}

/// Describes the first number of `got` that is not within `slack` of that of `want`; empty if there is none.
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
