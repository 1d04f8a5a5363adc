#pragma once

#include "../algebra.hpp"
#include "../order_statistic.hpp"
#include "buffer.hpp"
#include "level.hpp"
#include "weighted_sum.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace fewstep {

template <std::floating_point T>
struct algebra<Buffer<T>> {
  using X = Buffer<T>;
  using level = BufferLevel;
  using features = Buffer<T>;  // any number of numbers per sample
  struct inference {
    explicit inference(bool) {}
  };

  static void validate(const X& x) { require(x.size() > 0, "the state's size", x.size(), "1 or more"); }
  static X like(const X& x) { return X(std::vector<T>(x.size()), x.samples()); }
  static void fit(level& t, const X& x) { t.fit(x.samples()); }
  static bool is_one(const level& t) { return !t.per_sample() && t.value() == 1; }
  static void detach(auto&) {}
  static void release(X&) {}

  /// By bit pattern: with -ffast-math std::isfinite always returns true.
  static bool finite(const X& x) {
    using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
    constexpr Bits exponent = sizeof(T) == 8 ? Bits(0x7ff0000000000000ull) : Bits(0x7f800000u);
    return std::all_of(x.begin(), x.end(), [](T v) { return (std::bit_cast<Bits>(v) & exponent) != exponent; });
  }

  static void threshold(X& x, double quantile, double floor, double ceiling) {
    const auto numbers = static_cast<std::ptrdiff_t>(x.numbers());
    std::vector<T> magnitude(x.numbers());
    for (std::size_t b = 0; b < x.samples(); ++b) {
      const std::span<T> one = x.sample(b);
      std::transform(one.begin(), one.end(), magnitude.begin(), [](T v) { return std::abs(v); });
      const double place = quantile * static_cast<double>(numbers - 1);
      const auto below = static_cast<std::ptrdiff_t>(place);
      const T lower = detail::order_statistic(magnitude.data(), numbers, below);
      const T upper = below + 1 < numbers ? detail::order_statistic(magnitude.data(), numbers, below + 1) : lower;
      const double q = lower + (place - static_cast<double>(below)) * (upper - lower);
      const T s = static_cast<T>(std::clamp(q, floor, ceiling));
      for (T& v : one) v = std::clamp(v, -s, s) / s;
    }
  }

  static void clamp(X& x, double low, double high) {
    for (T& v : x) v = std::clamp(v, static_cast<T>(low), static_cast<T>(high));
  }
  static void blend(X& x, const X& y, const X& mask) {
    for (const auto& [name, v] : {std::pair{"known", &y}, std::pair{"mask", &mask}})
      require(v->numbers() == x.numbers() && (v->samples() == x.samples() || v->samples() == 1),
              {"the shape of `", name, "`"}, {v->samples(), " x ", v->numbers()},
              {x.samples(), " x ", x.numbers(), ", or one sample"});
    for (std::size_t b = 0; b < x.samples(); ++b) {
      const std::span<T> to = x.sample(b);
      const auto from = y.sample(y.samples() == 1 ? 0 : b), m = mask.sample(mask.samples() == 1 ? 0 : b);
      for (std::size_t i = 0; i < to.size(); ++i) to[i] = m[i] * from[i] + (1 - m[i]) * to[i];
    }
  }
  static void match_deviation(X& x, const X& like, double amount) {
    for (std::size_t b = 0; b < x.samples(); ++b) {
      const double have = deviation(std::as_const(x).sample(b)), want = deviation(like.sample(b));
      if (have > 0)
        for (T& v : x.sample(b)) v *= static_cast<T>(1 + amount * (want / have - 1));
    }
  }
  static double scaled_error(const X& a, const X& b, const X& c, double absolute, double relative) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double size = static_cast<double>((std::max)(std::abs(a[i]), std::abs(c[i])));
      const double error = static_cast<double>(a[i] - b[i]) / (std::max)(absolute, relative * size);
      sum += error * error;
    }
    return std::sqrt(sum / static_cast<double>(a.size()));
  }
  static std::size_t numbers(const X& x) { return x.numbers(); }
  static std::vector<double> dot(const X& x, const X& y) {
    return sums(x, [&](std::size_t i) { return static_cast<double>(x[i]) * static_cast<double>(y[i]); });
  }
  static std::vector<double> sum_abs(const X& x) {
    return sums(x, [&](std::size_t i) { return std::abs(static_cast<double>(x[i])); });
  }
  static level level_per_sample(const std::vector<double>& values) {
    level t{0.};
    t.each(values.size()) = values;
    return t;
  }
  static X twice(const X& x) {
    X both(std::vector<T>(2 * x.size()), 2 * x.samples());
    for (std::size_t i = 0; i < 2; ++i) std::copy(x.begin(), x.end(), both.begin() + i * x.size());
    return both;
  }
  static level twice(const level& t) {
    level both = t;
    if (!t.per_sample()) return both;
    std::vector<double>& each = both.each(2 * t.size());
    for (std::size_t b = 0; b < each.size(); ++b) each[b] = t[b % t.size()];
    return both;
  }
  static X half(const X& both, std::size_t i) {
    const std::size_t size = both.size() / 2;
    return X(std::vector<T>(both.begin() + i * size, both.begin() + (i + 1) * size), both.samples() / 2);
  }

  template <class F, class... L>
  static void map(level& out, F f, const L&... t) {
    if (!(t.per_sample() || ...)) return out.set(f(t.value()...));
    std::size_t samples = 0;
    ((samples = t.per_sample() ? t.size() : samples), ...);
    std::vector<double>& each = out.each(samples);
    for (std::size_t b = 0; b < samples; ++b) each[b] = f(t[b]...);
  }

  static constexpr bool takes_packs = true, fuses_slopes = true;
  template <class At, class W, std::same_as<X>... V>
  static void combine(X& out, const At& at, W weights, const X& v0, const V&... v) {
    const X* const terms[] = {&v0, &v...};
    add_terms(out, at, weights, terms, places<At>(), std::index_sequence_for<X, V...>(), nullptr, nullptr);
  }
  template <class At, class W, std::same_as<X>... V>
  static void combine_first(X& x, X& first, const level* pending, const At& at, W weights, const V&... v) {
    const X* const terms[] = {&x, &first, &v...};
    add_terms(x, at, weights, terms, places<At>(), std::index_sequence_for<X, X, V...>(), &first, pending);
  }

 private:
  template <class At>
  using places = std::make_index_sequence<detail::pack_size<At>>;

  static constexpr T factor(unit_t) { return 1; }  // multiplying by 1 is exact
  static constexpr T factor(double w) { return static_cast<T>(w); }

  static double deviation(std::span<const T> v) {
    double sum = 0, squares = 0;
    for (const T number : v) sum += static_cast<double>(number);
    const double mean = sum / static_cast<double>(v.size());
    for (const T number : v) squares += (static_cast<double>(number) - mean) * (static_cast<double>(number) - mean);
    return std::sqrt(squares / static_cast<double>(v.size()));
  }

  /// For each sample the sum of term(i) over its numbers. Four sums at a time, since the additions of one sum wait for
  /// each other.
  template <class Term>
  static std::vector<double> sums(const X& x, Term term) {
    std::vector<double> each(x.samples());
    for (std::size_t b = 0; b < x.samples(); ++b) {
      double sum[4] = {};
      std::size_t i = b * x.numbers();
      const std::size_t end = i + x.numbers();
      for (; i + 4 <= end; i += 4)
        for (std::size_t k = 0; k < 4; ++k) sum[k] += term(i + k);
      for (; i < end; ++i) sum[0] += term(i);
      each[b] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
    return each;
  }

  /// @param first, pending  of combine_first(); nullptr, by type, for a plain sum
  template <class At, class W, std::size_t n, std::size_t... L, std::size_t... K, class First>
  static void add_terms(X& out, const At& at, W& weights, const X* const (&terms)[n], std::index_sequence<L...>,
                        std::index_sequence<K...>, [[maybe_unused]] First first, const level* pending) {
    for (std::size_t k = 1; k < n; ++k)
      require(terms[k]->size() == terms[0]->size(), "the size of a denoised batch", terms[k]->size(),
              {terms[0]->size(), ", as the state"});
    out.reshape(*terms[0]);
    const bool each = (detail::element<L>(at).per_sample() || ... || (pending && pending->per_sample()));
    const std::size_t parts = each ? out.samples() : 1, size = each ? out.numbers() : out.size();
    for (std::size_t b = 0; b < parts; ++b) {
      const auto w = weights(detail::element<L>(at)[b]...);
      static_assert(detail::pack_size<std::remove_const_t<decltype(w)>> == n, "combine: one weight per term");
      const T* const from[] = {terms[K]->data() + b * size...};
      const T factors[] = {factor(detail::element<K>(w))...};
      if constexpr (n > 1 && std::is_pointer_v<First>)
        if (pending) {
          detail::slope_and_sum(out.data() + b * size, first->data() + b * size, factor(1 / (*pending)[b]), size, from,
                                factors);
          continue;
        }
      detail::weighted_sum(out.data() + b * size, size, from, factors);
    }
  }
};

}  // namespace fewstep
