// States that are LibTorch tensors [batch, ...] of a floating-point type, on any device.
#pragma once

#include "../algebra.hpp"
#include "../errors.hpp"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace fewstep {

/// Tensors behave as values: nothing here writes into storage that another tensor shares. A copied handle is therefore
/// a saved state, and gradients stay correct.
template <>
struct algebra<torch::Tensor> {
  using X = torch::Tensor;
  using features = torch::Tensor;

  /// c10::InferenceMode in the calling thread, unless constructed from false: no gradients, and less work per
  /// operation.
  struct inference {
    explicit inference(bool on) {
      if (on) guard_.emplace();
    }

   private:
    std::optional<c10::InferenceMode> guard_;
  };

  /// One double for the batch, or a tensor [batch] on the state's device. Predictors may give a tensor [1]: one value
  /// for all samples, with gradients.
  class level {
   public:
    explicit level(double v) : value_(v) {}
    explicit level(X each) : each_(std::move(each)) {}
    bool per_sample() const { return each_.defined(); }
    double value() const { return value_; }
    const X& each() const { return each_; }
    void detach() {
      if (each_.defined()) each_ = each_.detach();
    }

   private:
    double value_ = 0;
    X each_;
  };

  /// Device and type of the levels of a state: float64, or float32 on Apple's GPUs (MPS), which have no float64.
  static torch::TensorOptions level_options(const X& x) {
    const bool narrow = x.device().type() == torch::kMPS;
    return torch::TensorOptions().device(x.device()).dtype(narrow ? torch::kFloat32 : torch::kFloat64);
  }
  /// Returns a level as a tensor on x's device: [] for the batch (filled on the device, so that nothing waits for a
  /// copy), or [batch].
  static X native(const level& t, const X& x) {
    return t.per_sample() ? t.each() : torch::full({}, t.value(), level_options(x));
  }

  static void validate(const X& x) {
    require(x.defined() && x.dim() >= 1 && x.numel() > 0, "the state", x.defined() ? x.numel() : 0,
            "a tensor [batch, ...] that is not empty");
    require(x.scalar_type() == torch::kFloat32 || x.scalar_type() == torch::kFloat64, "the state's dtype",
            x.scalar_type(), "Float, Double; in_precision(network, dtype) is for a network of another type");
  }
  /// Refuses a denoiser's output of another type: LibTorch would widen the state, and its version 1.13 throws an
  /// internal error. A level with an axis, such as sigma.view({-1, 1}), widens what it is multiplied with.
  static void require_alike(const X& output, const X& x) {
    require(output.scalar_type() == x.scalar_type(), "the dtype of the denoiser's output", output.scalar_type(),
            {x.scalar_type(), ", as the state's: end with .to(x.dtype())"});
  }
  /// Returns an undefined tensor: the first combine() allocates, from LibTorch's pool.
  static X like(const X&) { return {}; }
  static void fit(level& t, const X& x) {
    if (t.per_sample() && t.each().size(0) != x.size(0)) t = level(t.each().expand({x.size(0)}));
  }
  static bool is_one(const level& t) { return !t.per_sample() && t.value() == 1; }
  static void detach(X& x) {
    if (x.defined()) x = x.detach();
  }
  static void detach(level& t) { t.detach(); }
  static void release(X& x) {
    if (x.is_inference()) x = x.clone();
  }
  static bool finite(const X& x) { return torch::isfinite(x).all().item<bool>(); }

  static void threshold(X& x, double quantile, double floor, double ceiling) {
    const bool narrow = x.scalar_type() != torch::kFloat32 && x.scalar_type() != torch::kFloat64;
    const X flat = (narrow ? x.to(torch::kFloat32) : x).flatten(1);
    const X s = torch::quantile(flat.abs(), quantile, 1, true).clamp(floor, ceiling);
    x = (torch::minimum(torch::maximum(flat, -s), s) / s).to(x.scalar_type()).view_as(x);
  }

  static void clamp(X& x, double low, double high) { x = x.clamp(low, high); }
  static void blend(X& x, const X& y, const X& mask) {
    const auto fits = [&](const X& v) {
      return v.defined() && v.dim() == x.dim() && v.sizes().slice(1) == x.sizes().slice(1) &&
             (v.size(0) == x.size(0) || v.size(0) == 1);
    };
    const auto shape = [](const X& v) { return v.defined() ? v.sizes() : at::IntArrayRef(); };
    require(fits(y), "the shape of `known`", shape(y), "that of the state, or with one sample");
    require(fits(mask), "the shape of `mask`", shape(mask), "that of the state, or with one sample");
    const X m = mask.to(x.options());
    x = m * y.to(x.options()) + (1 - m) * x;
  }
  static void match_deviation(X& x, const X& like, double amount) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
    shape[0] = x.size(0);
    const auto deviation = [&](const X& v) { return v.reshape({v.size(0), -1}).std(1, false).view(shape); };
    const X have = deviation(x);
    x = x * torch::where(have > 0, 1 + amount * (deviation(like) / have - 1), torch::ones_like(have));
  }
  static double scaled_error(const X& a, const X& b, const X& c, double absolute, double relative) {
    const X size = torch::maximum(a.abs(), c.abs()).to(torch::kFloat64);
    return ((a - b).to(torch::kFloat64) / (relative * size).clamp_min(absolute)).square().mean().sqrt().item<double>();
  }
  static std::int64_t numbers(const X& x) { return x.numel() / x.size(0); }
  static std::vector<double> dot(const X& x, const X& y) { return sample_sums(x.to(torch::kFloat64) * y); }
  static std::vector<double> sum_abs(const X& x) { return sample_sums(x.to(torch::kFloat64).abs()); }
  static level level_per_sample(const std::vector<double>& values) {
    return level(torch::tensor(values, torch::kFloat64));
  }
  static X twice(const X& x) { return torch::cat({x, x}); }
  static level twice(const level& t) { return t.per_sample() ? level(torch::cat({t.each(), t.each()})) : t; }
  static X half(const X& both, std::int64_t i) { return both.narrow(0, i * (both.size(0) / 2), both.size(0) / 2); }

  /// Returns numbers along a new first dimension, [n, 1, ..., 1], so that formulas of weights are evaluated at all of
  /// them at once.
  /// @param weight  gives the type, the device and the number of the other dimensions
  static X along_new_axis(const std::vector<double>& values, const X& weight) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(weight.dim()) + 1, 1);
    shape[0] = static_cast<std::int64_t>(values.size());
    return torch::tensor(values, weight.options().requires_grad(false)).view(shape);
  }
  static X sum_new_axis(const X& weights) { return weights.sum(0); }

  template <class F, class... T>
  static void map(level& out, F f, const T&... t) {
    if (!(t.per_sample() || ...)) {
      out = level(f(t.value()...));
      return;
    }
    if constexpr (std::invocable<F&, decltype(each_or(t, {}))...>) {
      torch::TensorOptions options;  // those of the levels per sample, as gradients do not pass between devices
      ((t.per_sample() ? void(options = t.each().options()) : void()), ...);
      out = level(f(each_or(t, options)...));
    } else {
      out = level(on_host(f, each_or(t, torch::kFloat64)...));
    }
  }

  template <class... T, class W, class... V>
  static void combine(X& out, const std::tuple<T...>& at, W w, const X& v0, const V&... v) {
    std::apply(
        [&](const auto&... t) {
          if ((t.per_sample() || ... || false)) out = sum(w(broadcast(t, v0)...), v0, v...);
          else out = sum(w(t.value()...), v0, v...);
        },
        at);
  }

 private:
  /// Returns the sum over each sample, on the host.
  static std::vector<double> sample_sums(const X& x) {
    const X sums = x.reshape({x.size(0), -1}).sum(1).to(torch::kCPU).contiguous();
    return {sums.data_ptr<double>(), sums.data_ptr<double>() + sums.numel()};
  }
  /// Returns a level as a tensor: [batch], or [] with the given options.
  static X each_or(const level& t, torch::TensorOptions shared) {
    return t.per_sample() ? t.each() : torch::full({}, t.value(), shared);
  }
  /// Returns a level as a tensor that multiplies x: [1, 1, ..., 1] or [batch, 1, ..., 1].
  static X broadcast(const level& t, const X& x) {
    const X each = native(t, x);
    std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
    shape[0] = each.numel();
    return each.view(shape);
  }

  /// Applies a function that accepts only doubles, e.g. a look-up in a noise table: one number per sample is copied to
  /// the host and back, without gradients.
  template <class F, class... V>
  static X on_host(F f, const V&... shared) {
    const auto host = torch::broadcast_tensors({shared.detach().to(torch::kCPU, torch::kFloat64)...});
    X out = torch::empty_like(host[0], at::MemoryFormat::Contiguous);
    std::vector<X> in;
    for (const X& one : host) in.push_back(one.contiguous());
    for (std::int64_t b = 0; b < out.numel(); ++b)
      out.data_ptr<double>()[b] = [&]<std::size_t... I>(std::index_sequence<I...>) {
        return static_cast<double>(f(in[I].template data_ptr<double>()[b]...));
      }(std::index_sequence_for<V...>{});
    for (const X& one : {shared...})
      if (one.dim() > 0) return out.to(one.options());
    return out;
  }

  template <class Ws, class... V>
  static X sum(const Ws& ws, const V&... v) {
    static_assert(std::tuple_size_v<Ws> == sizeof...(V), "combine: one weight per term");
    X total;
    bool own = false;  // whether no other tensor shares the storage of `total`
    std::apply([&](const auto&... w) { (add(total, own, w, v), ...); }, ws);
    return own ? total : total.clone();
  }

  template <class W>
  static void add(X& total, bool& own, const W& w, const X& v) {
    constexpr bool one = std::is_same_v<W, unit_t>, number = std::is_arithmetic_v<W>;
    const bool in_place = own && !torch::GradMode::is_enabled();
    // The weight is cast to the state's type, since a float64 weight would make a float32 state float64.
    if (!total.defined()) {
      if constexpr (one) total = v;
      else if constexpr (number) total = v * w;
      else total = v * w.to(v.options());
      own = !one;
      return;
    }
    if constexpr (one) total = in_place ? total.add_(v) : total + v;
    else if constexpr (number) total = in_place ? total.add_(v, w) : torch::add(total, v, w);
    else total = in_place ? total.addcmul_(w.to(v.options()), v) : torch::addcmul(total, w.to(v.options()), v);
    own = true;
  }
};

}  // namespace fewstep
