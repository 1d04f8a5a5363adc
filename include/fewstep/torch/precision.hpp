// Networks on tensors that compute in another floating-point type than the run.
#pragma once

#include "../denoisers/adaptor.hpp"
#include "../errors.hpp"
#include "algebra.hpp"

#include <torch/types.h>

#include <utility>

namespace fewstep {

/// The rule of in_precision().
struct Precision {
  torch::ScalarType type;

  template <class F>
  bool operator()(const torch::Tensor& x, const Level<torch::Tensor>& sigma, torch::Tensor& out,
                  torch::Tensor& features, F& network) const {
    const torch::Tensor input = x.to(type);
    torch::Tensor output, output_features;
    const bool has_features = detail::denoise(network, input, sigma, output, output_features);
    out = output.to(x.scalar_type());
    if (has_features) features = output_features.to(x.scalar_type());
    return has_features;
  }
};

/// A network that computes in its own type, such as bfloat16, while states, slopes and histories stay in that of the
/// run: its input is converted, and its output and features are converted back. Goes inside the other adaptors, next to
/// the network: from_v(in_precision(network, torch::kBFloat16), process). A state of low precision itself would lose
/// the denoised image in each slope (x - D)/sigma and is refused by every run.
/// @param network  (input, label) -> output, in any form of a denoiser; a label that is a tensor stays float64
/// @param type     of floating point
/// NFE per call: that of `network`.
/// @throws std::invalid_argument for another type.
template <class F>
auto in_precision(F network, torch::ScalarType type) {
  require(at::isFloatingType(type), "the network's type", type, "floating-point types");
  return detail::adapt(Precision{type}, std::move(network));
}

}  // namespace fewstep
