// The probe of the laws for tensors.
#pragma once

#include "../laws/probe.hpp"
#include "algebra.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace fewstep::laws {

/// Batches of 3 samples with 4 numbers each, [3, 4] in float64.
template <>
struct probe<torch::Tensor> {
  static constexpr bool resizable = true;
  static constexpr std::size_t samples = 3, numbers = 4;
  static constexpr double epsilon = std::numeric_limits<double>::epsilon();
  // Vectorised kernels use fused operations, their loops over the remaining elements do not.
  static constexpr bool bitwise = false;

  static torch::Tensor make(const Rows& rows) {
    std::vector<torch::Tensor> tensors;
    for (const auto& row : rows) tensors.push_back(torch::tensor(row, torch::kFloat64));
    return torch::stack(tensors);
  }
  static Rows read(const torch::Tensor& x) {
    Rows rows;
    for (std::int64_t b = 0; b < x.size(0); ++b) {
      const torch::Tensor row = x[b].detach().contiguous();
      rows.emplace_back(row.data_ptr<double>(), row.data_ptr<double>() + row.numel());
    }
    return rows;
  }
  static Level<torch::Tensor> levels(const std::vector<double>& values) {
    return Level<torch::Tensor>(torch::tensor(values, torch::kFloat64));
  }
  static double level(const Level<torch::Tensor>& t, std::size_t b) {
    return t.per_sample() ? t.each()[static_cast<std::int64_t>(b)].item<double>() : t.value();
  }
  static torch::Tensor features(const Rows& rows) { return make(rows); }
  static void track(torch::Tensor& x) { x.requires_grad_(); }
  static bool tracked(const torch::Tensor& x) { return x.requires_grad(); }
};

}  // namespace fewstep::laws
