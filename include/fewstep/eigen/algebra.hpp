// States that are Eigen arrays [numbers, batch], one column per sample: dynamic or of fixed size, float or double,
// column-major or row-major.
#pragma once

#include "../algebra.hpp"
#include "../errors.hpp"
#include "weighted_sum.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

namespace fewstep {

template <std::floating_point Scalar, int Rows, int Cols, int Layout, int MaxRows, int MaxCols>
struct algebra<Eigen::Array<Scalar, Rows, Cols, Layout, MaxRows, MaxCols>> {
  using X = Eigen::Array<Scalar, Rows, Cols, Layout, MaxRows, MaxCols>;
  using features = Eigen::Array<Scalar, Eigen::Dynamic, Eigen::Dynamic>;  // one column per sample
  struct inference {
    explicit inference(bool) {}
  };

  /// One level for the batch, or one per sample. Allocates in fit(), or in each() for a larger batch.
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
      if (per_sample_) each_ = o.each_;
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
    /// Makes it one level per sample, to be written into the result.
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
    std::fill_n(y.data(), y.size(), Scalar(0));
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
    return std::none_of(x.data(), x.data() + x.size(),
                        [](Scalar v) { return (std::bit_cast<Bits>(v) & exponent) == exponent; });
  }

  static void threshold(X& x, double quantile, double floor, double ceiling) {
    Eigen::Array<Scalar, Rows, 1, 0, MaxRows, 1> sorted;
    sorted.resize(x.rows());
    Scalar* const first = sorted.data();
    for (Eigen::Index b = 0; b < x.cols(); ++b) {
      for (Eigen::Index i = 0; i < x.rows(); ++i) first[i] = std::abs(x(i, b));
      std::sort(first, first + x.rows());
      const double place = quantile * static_cast<double>(x.rows() - 1);
      const auto below = static_cast<Eigen::Index>(place);
      const Eigen::Index above = (std::min)(below + 1, x.rows() - 1);
      const double q = first[below] + (place - static_cast<double>(below)) * (first[above] - first[below]);
      const auto s = static_cast<Scalar>(std::clamp(q, floor, ceiling));
      for (Eigen::Index i = 0; i < x.rows(); ++i) x(i, b) = (std::min)((std::max)(x(i, b), -s), s) / s;
    }
  }

  static void clamp(X& x, double low, double high) {
    x = x.cwiseMax(static_cast<Scalar>(low)).cwiseMin(static_cast<Scalar>(high));
  }
  static void blend(X& x, const X& y, const X& mask) {
    const auto fits = [&](const X& v) { return v.rows() == x.rows() && (v.cols() == x.cols() || v.cols() == 1); };
    require(fits(y), "the shape of `known`", shape(y), shape(x) + ", or one column");
    require(fits(mask), "the shape of `mask`", shape(mask), shape(x) + ", or one column");
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
  static std::vector<double> dot(const X& x, const X& y) {
    return numbers(x.template cast<double>() * y.template cast<double>());
  }
  static std::vector<double> sum_abs(const X& x) { return numbers(x.template cast<double>().abs()); }
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
  static A half(const A& both, Eigen::Index i) {  // of states and of features
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

  template <class... T, class W, std::same_as<X>... V>
  static void combine(X& out, const std::tuple<T...>& at, W weights, const X& v0, const V&... v) {
    if (out.rows() != v0.rows() || out.cols() != v0.cols()) out.resize(v0.rows(), v0.cols());
    (require_same_shape(v0, v), ...);
    const Scalar* const terms[] = {v0.data(), v.data()...};
    detail::unpack(at, [&](const auto&... t) {
      const bool each = (t.per_sample() || ... || false);
      for (Eigen::Index b = 0; b < (each ? out.cols() : 1); ++b)
        assign(out, part(out, each, b), weights(t[b]...), terms);
    });
  }

 private:
  template <class Each>
  static std::vector<double> numbers(const Each& each) {
    std::vector<double> sums;
    for (Eigen::Index b = 0; b < each.cols(); ++b) sums.push_back(each.col(b).sum());
    return sums;
  }
  static void require_same_shape(const X& a, const X& b) {
    if (a.rows() == b.rows() && a.cols() == b.cols()) return;
    refuse("the shape of a denoised batch or another term", shape(b), shape(a) + ", as the state");
  }
  static std::string shape(const X& x) { return std::to_string(x.rows()) + " x " + std::to_string(x.cols()); }

  static constexpr Scalar factor(unit_t) { return 1; }  // multiplying by 1 is exact
  static constexpr Scalar factor(double w) { return static_cast<Scalar>(w); }

  /// Numbers of a state that share their weights: all of them, or sample b.
  struct Part {
    Eigen::Index first, size, stride;
  };
  static Part part(const X& x, bool each, Eigen::Index b) {
    if (!each) return {0, x.size(), 1};
    if constexpr (X::IsRowMajor) return {b, x.rows(), x.cols()};
    else return {b * x.rows(), x.rows(), 1};
  }

  template <class Ws, std::size_t n>
  static void assign(X& out, Part p, const Ws& weights, const Scalar* const (&terms)[n]) {
    static_assert(std::tuple_size_v<Ws> == n, "combine: one weight per term");
    detail::unpack(weights, [&](const auto&... weight) {
      const Scalar w[] = {factor(weight)...};
      const Scalar* v[n];
      for (std::size_t k = 0; k < n; ++k) v[k] = terms[k] + p.first;
      detail::weighted_sum(out.data() + p.first, p.size, p.stride, v, w);
    });
  }
};

}  // namespace fewstep
