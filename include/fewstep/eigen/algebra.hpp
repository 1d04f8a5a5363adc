// States that are Eigen arrays, dynamic or fixed, float or double: one column per sample.
#pragma once

#include "../algebra.hpp"
#include "../errors.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>

namespace fewstep {

template <std::floating_point Scalar, int Rows, int Cols, int Layout, int MaxRows, int MaxCols>
struct algebra<Eigen::Array<Scalar, Rows, Cols, Layout, MaxRows, MaxCols>> {
  using X = Eigen::Array<Scalar, Rows, Cols, Layout, MaxRows, MaxCols>;
  using features = Eigen::Array<Scalar, Eigen::Dynamic, Eigen::Dynamic>;  // one column per sample
  struct inference {
    explicit inference(bool) {}
  };

  /// One level for the batch, or one per sample; a level that was fitted once never allocates again.
  class level {
   public:
    using Each = Eigen::Array<double, Cols, 1, 0, MaxCols, 1>;
    explicit level(double v) : value_(v) {
      if constexpr (Cols != Eigen::Dynamic) each_.setConstant(v);  // a copy would read what was never written
    }
    level(const level&) = default;
    level(level&&) = default;
    level& operator=(const level& o) {  // keeps its buffer
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
    /// Storage for one level per sample.
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
  static X like(const X& x) { return X::Zero(x.rows(), x.cols()); }
  static void fit(level& t, const X& x) { t.fit(x.cols()); }
  static bool is_one(const level& t) { return !t.per_sample() && t.value() == 1; }
  static void detach(auto&) {}
  static void release(X&) {}

  /// By bit pattern: -ffast-math lets a compiler assume that std::isfinite is always true.
  static bool finite(const X& x) {
    using Bits = std::conditional_t<sizeof(Scalar) == 8, std::uint64_t, std::uint32_t>;
    constexpr Bits exponent = sizeof(Scalar) == 8 ? Bits(0x7ff0000000000000ull) : Bits(0x7f800000u);
    return std::none_of(x.data(), x.data() + x.size(),
                        [](Scalar v) { return (std::bit_cast<Bits>(v) & exponent) == exponent; });
  }

  static void threshold(X& x, double quantile, double floor, double ceiling) {
    Eigen::Array<Scalar, Rows, 1, 0, MaxRows, 1> sorted(x.rows());
    for (Eigen::Index b = 0; b < x.cols(); ++b) {
      sorted = x.col(b).abs();
      std::sort(sorted.data(), sorted.data() + sorted.size());
      const double place = quantile * static_cast<double>(sorted.size() - 1);
      const auto below = static_cast<Eigen::Index>(place);
      const Eigen::Index above = (std::min)(below + 1, sorted.size() - 1);
      const double q = sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
      const auto s = static_cast<Scalar>(std::clamp(q, floor, ceiling));
      x.col(b) = x.col(b).cwiseMax(-s).cwiseMin(s) / s;
    }
  }

  static void clamp(X& x, double low, double high) {
    x = x.cwiseMax(static_cast<Scalar>(low)).cwiseMin(static_cast<Scalar>(high));
  }
  static void blend(X& x, const X& y, const X& mask) {
    const auto fits = [&](const X& v) { return v.rows() == x.rows() && (v.cols() == x.cols() || v.cols() == 1); };
    const auto shape = [](const X& v) { return std::to_string(v.rows()) + " x " + std::to_string(v.cols()); };
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

  template <class... T, class W, class... V>
  static void combine(X& out, const std::tuple<T...>& at, W w, const V&... v) {
    std::apply(
        [&](const auto&... t) {
          if (!(t.per_sample() || ... || false)) return assign(out, w(t.value()...), v...);
          for (Eigen::Index b = 0; b < out.cols(); ++b) assign(out.col(b), w(t[b]...), v.col(b)...);
        },
        at);
  }

 private:
  template <class Each>
  static std::vector<double> numbers(const Each& each) {
    std::vector<double> sums;
    for (Eigen::Index b = 0; b < each.cols(); ++b) sums.push_back(each.col(b).sum());
    return sums;
  }
  template <class Out, class Ws, class... V>
  static void assign(Out&& out, const Ws& ws, const V&... v) {
    static_assert(std::tuple_size_v<Ws> == sizeof...(V), "combine: one weight per term");
    std::apply([&](const auto&... w) { out = (term(w, v) + ...); }, ws);
  }
  template <class V>
  static const V& term(unit_t, const V& v) {
    return v;
  }
  template <class V>
  static auto term(double w, const V& v) {
    return static_cast<Scalar>(w) * v;
  }
};

}  // namespace fewstep
