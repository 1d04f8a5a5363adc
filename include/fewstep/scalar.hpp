// A state that is one number: the smallest possible state, for measuring solvers, and an example of an algebra.
#pragma once

#include "algebra.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace fewstep {

template <std::floating_point X>
struct algebra<X> {
  using level = double;
  struct features {};
  struct inference {
    explicit inference(bool) {}
  };

  static void validate(const X&) {}
  static X like(const X&) { return 0; }
  static void fit(level&, const X&) {}
  static bool is_one(level t) { return t == 1; }
  static void detach(auto&) {}
  static void release(X&) {}
  /// By bit pattern: with -ffast-math std::isfinite always returns true.
  static bool finite(X x) {
    constexpr std::uint64_t exponent = 0x7ff0000000000000u;
    return (std::bit_cast<std::uint64_t>(static_cast<double>(x)) & exponent) != exponent;
  }
  static void threshold(X& x, double, double floor, double ceiling) {
    const X s = std::clamp(std::abs(x), static_cast<X>(floor), static_cast<X>(ceiling));
    x = std::clamp(x, -s, s) / s;
  }

  static double scaled_error(X a, X b, X c, double absolute, double relative) {
    const double size = static_cast<double>((std::max)(std::abs(a), std::abs(c)));
    return std::abs(static_cast<double>(a - b)) / (std::max)(absolute, relative * size);
  }
  static int numbers(X) { return 1; }
  static std::vector<double> dot(X x, X y) { return {static_cast<double>(x) * static_cast<double>(y)}; }
  static std::vector<double> sum_abs(X x) { return {std::abs(static_cast<double>(x))}; }
  static level level_per_sample(const std::vector<double>& values) { return values.at(0); }

  static void map(level& out, auto f, auto... t) { out = f(t...); }

  static constexpr bool takes_packs = true;
  template <class At, class W, std::same_as<X>... V>
  static void combine(X& out, const At& at, W weights, const V&... v) {
    const X terms[] = {v...};
    out = sum(at, weights, terms, std::make_index_sequence<detail::pack_size<At>>(), std::index_sequence_for<V...>());
  }

 private:
  template <class At, class W, std::size_t n, std::size_t... T, std::size_t... K>
  static X sum(const At& at, W& weights, const X (&v)[n], std::index_sequence<T...>, std::index_sequence<K...>) {
    const auto w = weights(detail::element<T>(at)...);
    return (term(detail::element<K>(w), v[K]) + ...);
  }
  static X term(unit_t, X v) { return v; }
  static X term(double w, X v) { return static_cast<X>(w) * v; }
};

}  // namespace fewstep
