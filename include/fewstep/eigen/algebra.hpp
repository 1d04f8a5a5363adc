// States that are Eigen arrays [numbers, batch], one column per sample: dynamic or of fixed size, float or double,
// column-major or row-major.
#pragma once

#include "../algebra.hpp"
#include "../errors.hpp"
#include "../order_statistic.hpp"
#include "weighted_sum.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

namespace fewstep {

template <std::floating_point Scalar, int Rows, int Cols, int Layout, int MaxRows, int MaxCols>
struct algebra<Eigen::Array<Scalar, Rows, Cols, Layout, MaxRows, MaxCols>> {
  using X = Eigen::Array<Scalar, Rows, Cols, Layout, MaxRows, MaxCols>;
  using features = Eigen::Array<Scalar, Eigen::Dynamic, Eigen::Dynamic>;  // one column per sample
  struct inference {
    explicit inference(bool) {}
  };

  /// One level for the batch, or one per sample. Allocates only in fit(), or in each() for another batch size.
  class level {
   public:
    using Each = Eigen::Array<double, Cols, 1, 0, MaxCols, 1>;
    explicit level(double v) : value_(v) {
      if constexpr (Cols != Eigen::Dynamic) each_.setConstant(v);  // copies must not read indeterminate values
    }
    level(const level&) = default;
    level(level&&) = default;
    level& operator=(const level& o) {  // keeps the buffer of a shared level
      value_ = o.value_;
      per_sample_ = o.per_sample_;
      if (per_sample_) {
        fit(o.size());
        for (Eigen::Index b = 0; b < each_.size(); ++b) each_[b] = o.each_[b];
      }
      return *this;
    }
    bool per_sample() const { return per_sample_; }
    double value() const { return value_; }
    double operator[](Eigen::Index b) const { return per_sample_ ? each_[b] : value_; }
    Eigen::Index size() const { return each_.size(); }
    void set(double v) {
      value_ = v;
      per_sample_ = false;
    }
    /// Switches to one level per sample.
    /// @return the levels, to be written
    Each& each(Eigen::Index batch) {
      fit(batch);
      per_sample_ = true;
      return each_;
    }
    void fit(Eigen::Index batch) {
      if (each_.size() != batch) each_.resize(batch);
    }

   private:
    double value_;
    bool per_sample_ = false;
    Each each_;
  };

  static void validate(const X& x) { require(x.size() > 0, "the state's size", x.size(), "1 or more"); }
  static X like(const X& x) {
    X y;
    y.resize(x.rows(), x.cols());
    for (Eigen::Index i = 0; i < y.size(); ++i) y.data()[i] = 0;
    return y;
  }
  static void fit(level& t, const X& x) { t.fit(x.cols()); }
  static bool is_one(const level& t) { return !t.per_sample() && t.value() == 1; }
  static void detach(auto&) {}
  static void release(X&) {}

  /// By bit pattern: with -ffast-math std::isfinite always returns true.
  static bool finite(const X& x) {
    using Bits = std::conditional_t<sizeof(Scalar) == 8, std::uint64_t, std::uint32_t>;
    constexpr Bits exponent = sizeof(Scalar) == 8 ? Bits(0x7ff0000000000000ull) : Bits(0x7f800000u);
    for (Eigen::Index i = 0; i < x.size(); ++i)
      if ((std::bit_cast<Bits>(x.data()[i]) & exponent) == exponent) return false;
    return true;
  }

  static void threshold(X& x, double quantile, double floor, double ceiling) {
    Eigen::Array<Scalar, Rows, 1, 0, MaxRows, 1> magnitude;
    magnitude.resize(x.rows());
    for (Eigen::Index b = 0; b < x.cols(); ++b) {
      for (Eigen::Index i = 0; i < x.rows(); ++i) magnitude[i] = std::abs(x(i, b));
      const double place = quantile * static_cast<double>(x.rows() - 1);
      const auto below = static_cast<Eigen::Index>(place);
      const Scalar lower = detail::order_statistic(magnitude.data(), x.rows(), below);
      Scalar upper = lower;  // the next larger one
      if (below + 1 < x.rows()) upper = detail::order_statistic(magnitude.data(), x.rows(), below + 1);
      const double q = lower + (place - static_cast<double>(below)) * (upper - lower);
      const auto s = static_cast<Scalar>(std::clamp(q, floor, ceiling));
      for (Eigen::Index i = 0; i < x.rows(); ++i) x(i, b) = (std::min)((std::max)(x(i, b), -s), s) / s;
    }
  }

  static void clamp(X& x, double low, double high) {
    x = x.cwiseMax(static_cast<Scalar>(low)).cwiseMin(static_cast<Scalar>(high));
  }
  static void blend(X& x, const X& y, const X& mask) {
    const auto fits = [&](const X& v) { return v.rows() == x.rows() && (v.cols() == x.cols() || v.cols() == 1); };
    require(fits(y), "the shape of `known`", {y.rows(), " x ", y.cols()},
            {x.rows(), " x ", x.cols(), ", or one column"});
    require(fits(mask), "the shape of `mask`", {mask.rows(), " x ", mask.cols()},
            {x.rows(), " x ", x.cols(), ", or one column"});
    for (Eigen::Index b = 0; b < x.cols(); ++b) {
      const auto m = mask.col(mask.cols() == 1 ? 0 : b);
      x.col(b) = m * y.col(y.cols() == 1 ? 0 : b) + (1 - m) * x.col(b);
    }
  }
  static void match_deviation(X& x, const X& like, double amount) {
    const auto deviation = [](const auto& v) { return std::sqrt(static_cast<double>((v - v.mean()).square().mean())); };
    for (Eigen::Index b = 0; b < x.cols(); ++b) {
      const double have = deviation(x.col(b));
      if (have > 0) x.col(b) *= static_cast<Scalar>(1 + amount * (deviation(like.col(b)) / have - 1));
    }
  }
  static double scaled_error(const X& a, const X& b, const X& c, double absolute, double relative) {
    const auto size = (a.abs().max)(c.abs()).template cast<double>();
    const auto difference = (a - b).template cast<double>();
    return std::sqrt((difference / ((relative * size).max)(absolute)).square().mean());
  }
  static Eigen::Index numbers(const X& x) { return x.rows(); }
  static std::vector<double> dot(const X& x, const X& y) {
    const auto product = [&](Eigen::Index i) {
      return static_cast<double>(x.data()[i]) * static_cast<double>(y.data()[i]);
    };
    return sums(x, product);
  }
  static std::vector<double> sum_abs(const X& x) {
    return sums(x, [&](Eigen::Index i) { return std::abs(static_cast<double>(x.data()[i])); });
  }
  static level level_per_sample(const std::vector<double>& values) {
    level t{0.};
    t.each(static_cast<Eigen::Index>(values.size())) =
        Eigen::Map<const Eigen::ArrayXd>(values.data(), static_cast<Eigen::Index>(values.size()));
    return t;
  }
  static X twice(const X& x)
    requires(Cols == Eigen::Dynamic && MaxCols == Eigen::Dynamic)
  {
    X both(x.rows(), 2 * x.cols());
    both.leftCols(x.cols()) = x;
    both.rightCols(x.cols()) = x;
    return both;
  }
  static level twice(const level& t)
    requires(Cols == Eigen::Dynamic && MaxCols == Eigen::Dynamic)
  {
    level both = t;
    if (t.per_sample()) {
      auto& each = both.each(2 * t.size());
      for (Eigen::Index b = 0; b < each.size(); ++b) each[b] = t[b % t.size()];
    }
    return both;
  }
  template <class A>
  static A half(const A& both, Eigen::Index i) {  // A: a state or features
    return both.middleCols(i * (both.cols() / 2), both.cols() / 2);
  }

  template <class F, class... T>
  static void map(level& out, F f, const T&... t) {
    if (!(t.per_sample() || ...)) return out.set(f(t.value()...));
    Eigen::Index batch = 0;
    ((batch = t.per_sample() ? t.size() : batch), ...);
    auto& each = out.each(batch);
    for (Eigen::Index b = 0; b < batch; ++b) each[b] = f(t[b]...);
  }

  static constexpr bool takes_packs = true, fuses_slopes = true;
  static constexpr bool stored_inside = Rows != Eigen::Dynamic && Cols != Eigen::Dynamic;
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

  /// For each sample the sum of term(i) over the places i of its numbers in x. Four sums at a time, since the additions
  /// of one sum wait for each other.
  template <class Term>
  static std::vector<double> sums(const X& x, Term term) {
    std::vector<double> each(static_cast<std::size_t>(x.cols()));
    const Eigen::Index apart = X::IsRowMajor ? 1 : x.rows(), stride = X::IsRowMajor ? x.cols() : 1;
    for (Eigen::Index b = 0; b < x.cols(); ++b) {
      double sum[4] = {};
      Eigen::Index i = 0;
      const auto at = [&](Eigen::Index k) { return term(b * apart + k * stride); };
      for (; i + 4 <= x.rows(); i += 4)
        for (Eigen::Index k = 0; k < 4; ++k) sum[k] += at(i + k);
      for (; i < x.rows(); ++i) sum[0] += at(i);
      each[static_cast<std::size_t>(b)] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
    return each;
  }
  static constexpr Scalar factor(unit_t) { return 1; }  // multiplying by 1 is exact
  static constexpr Scalar factor(double w) { return static_cast<Scalar>(w); }

  /// Written with index sequences: std::apply and nested lambdas would compile several functions per sum.
  /// @param first, pending  of combine_first(); nullptr, by type, for a plain sum, which then compiles less
  template <class At, class W, std::size_t n, std::size_t... T, std::size_t... K, class First>
  static void add_terms(X& out, const At& at, W& weights, const X* const (&terms)[n], std::index_sequence<T...>,
                        std::index_sequence<K...>, First first, const level* pending) {
    detail::match_shapes<X>(out, terms, n);
    const bool each = (detail::element<T>(at).per_sample() || ... || (pending && pending->per_sample()));
    const Eigen::Index batch = each ? out.cols() : 1, size = each ? out.rows() : out.size();
    const Eigen::Index apart = X::IsRowMajor ? 1 : out.rows(), stride = each && X::IsRowMajor ? out.cols() : 1;
    for (Eigen::Index b = 0; b < batch; ++b) {
      const auto w = weights(detail::element<T>(at)[b]...);
      static_assert(detail::pack_size<std::remove_const_t<decltype(w)>> == n, "combine: one weight per term");
      Scalar* const to = out.data() + b * apart;
      const Scalar* const from[] = {terms[K]->data() + b * apart...};
      const Scalar factors[] = {factor(detail::element<K>(w))...};
      if constexpr (std::is_pointer_v<First>)
        if (pending) {
          constexpr bool unit_first = std::is_same_v<decltype(detail::element<0>(w)), const unit_t&>;
          detail::slope_and_sum<unit_first>(to, first->data() + b * apart, factor(1 / (*pending)[b]), size, stride,
                                            from, factors);
          continue;
        }
      detail::weighted_sum(to, size, stride, from, factors);
    }
  }
};

}  // namespace fewstep
