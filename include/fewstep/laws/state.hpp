// The laws of an algebra, for your own state types.
#pragma once

#include "probe.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace fewstep::laws {

namespace detail {

/// The tolerance for sums of a few numbers of size 1.
template <class X>
inline constexpr double few_roundings = 20 * probe<X>::epsilon;

}  // namespace detail

/// combine() adds weighted terms correctly, with shared levels and levels per sample, also where the result is one of
/// the terms.
template <State X>
std::string combination() {
  const Rows a = detail::some_rows<X>(3), b = detail::some_rows<X>(-2);
  const auto weights = [](const auto& t, const auto& s) { return std::tuple{unit, s - t, 0.25 * s}; };
  for (const bool per_sample : {false, true}) {
    std::vector<double> values;
    for (std::size_t k = 0; k < a.size(); ++k) values.push_back(1.5 + (per_sample ? static_cast<double>(k) : 0));
    const Level<X> t = per_sample ? probe<X>::levels(values) : Level<X>(1.5), s(0.5);
    Rows want = a;
    for (std::size_t k = 0; k < a.size(); ++k)
      for (std::size_t i = 0; i < a[k].size(); ++i)
        want[k][i] = a[k][i] + (0.5 - values[k]) * b[k][i] + 0.125 * a[k][i];
    const X x = probe<X>::make(a), y = probe<X>::make(b);
    X separate = algebra<X>::like(x), as_first = probe<X>::make(a), as_second = probe<X>::make(b);
    combine(separate, levels(t, s), weights, x, y, x);
    combine(as_first, levels(t, s), weights, as_first, y, as_first);
    combine(as_second, levels(t, s), weights, x, as_second, x);
    for (const X* out : {&separate, &as_first, &as_second}) {
      const std::string failure = detail::compare(probe<X>::read(*out), want, detail::few_roundings<X>);
      if (!failure.empty()) return detail::text(per_sample ? "a level per sample: " : "a shared level: ", failure);
    }
    if (!detail::compare(probe<X>::read(x), probe<X>::read(probe<X>::make(a)), 0).empty()) return "a term has changed";
  }
  return {};
}

/// Levels are stored and mapped as doubles.
template <State X>
std::string mapping() {
  constexpr double tolerance = 1e-15;  // relative
  std::vector<double> values;
  for (std::size_t k = 0; k < probe<X>::samples; ++k) values.push_back(0.1 + static_cast<double>(k));
  const Level<X> each = probe<X>::levels(values), shared(0.3);
  Level<X> out(1.);
  algebra<X>::fit(out, probe<X>::make(detail::some_rows<X>(1)));
  if (!algebra<X>::is_one(out)) return "is_one() is false for the level 1";
  if (algebra<X>::is_one(shared)) return "is_one() is true for the level 0.3";
  const auto ratio = [](const auto& a, const auto& b) { return a / b; };
  map_level<X>(out, ratio, shared, shared);
  if (probe<X>::level(out, 0) != 1) return "0.3 / 0.3 is not 1";
  map_level<X>(out, ratio, each, shared);
  for (std::size_t k = 0; k < values.size(); ++k)
    if (!(std::abs(probe<X>::level(out, k) - values[k] / 0.3) <= tolerance * values[k] / 0.3))
      return detail::text("level ", k, " is ", probe<X>::level(out, k), " instead of ", values[k] / 0.3);
  return {};
}

/// finite() finds a NaN or an infinity at every position.
template <State X>
std::string finiteness() {
  const Rows good = detail::some_rows<X>(1e30);
  if (!algebra<X>::finite(probe<X>::make(good))) return "finite() is false for numbers of 1e30";
  for (std::size_t b = 0; b < good.size(); ++b)
    for (std::size_t i = 0; i < good[b].size(); ++i)
      for (const double bad : {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
        Rows rows = good;
        rows[b][i] = bad;
        if (algebra<X>::finite(probe<X>::make(rows)))
          return detail::text("finite() is true with ", bad, " as number ", i, " of sample ", b);
      }
  return {};
}

/// threshold() clamps each sample to [-s, s] and divides it by s, where s is the quantile of its own |x|, limited to
/// [floor, ceiling].
template <State X>
std::string thresholds() {
  const Rows rows = detail::some_rows<X>(3);
  for (const auto& [quantile, ceiling] : {std::pair{0., 100.}, {0.7, 100.}, {1., 100.}, {1., 1.5}}) {
    X x = probe<X>::make(rows);
    algebra<X>::threshold(x, quantile, 1, ceiling);
    Rows want = rows;
    for (auto& row : want) {
      std::vector<double> sorted;
      for (const double v : row) sorted.push_back(std::abs(v));
      std::sort(sorted.begin(), sorted.end());
      const double place = quantile * static_cast<double>(sorted.size() - 1), below = std::floor(place);
      const auto at = static_cast<std::size_t>(below), next = (std::min)(at + 1, sorted.size() - 1);
      const double s = std::clamp(sorted[at] + (place - below) * (sorted[next] - sorted[at]), 1., ceiling);
      for (double& v : row) v = std::clamp(v, -s, s) / s;
    }
    const std::string failure = detail::compare(probe<X>::read(x), want, detail::few_roundings<X>);
    if (!failure.empty()) return detail::text("quantile ", quantile, ": ", failure);
  }
  return {};
}

/// Checks all laws of an algebra.
/// @return one verdict per law
template <State X>
std::vector<Verdict> check_state() {
  return {{"combination", combination<X>()},
          {"mapping", mapping<X>()},
          {"finiteness", finiteness<X>()},
          {"thresholds", thresholds<X>()}};
}

}  // namespace fewstep::laws
