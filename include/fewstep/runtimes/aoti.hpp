// Networks in packages of AOTInductor (.pt2), which LibTorch 2.6 and later load.
#pragma once

#include "tensor_network.hpp"

#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace fewstep {

/// Calls a package.
struct AotiRun {
  std::shared_ptr<torch::inductor::AOTIModelPackageLoader> package;

  std::vector<torch::Tensor> operator()(std::vector<torch::Tensor> arguments) const {
    for (torch::Tensor& argument : arguments) argument = argument.contiguous();  // compiled for these strides
    return package->run(arguments);
  }
};

using AotiNetwork = TensorNetwork<AotiRun>;

/// A package of AOTInductor as a function of (x, label) on tensors. Packages have no gradients.
/// @throws std::invalid_argument as TensorNetwork.
inline AotiNetwork aoti_network(std::shared_ptr<torch::inductor::AOTIModelPackageLoader> package,
                                TensorNetworkOptions options = {}) {
  return AotiNetwork({std::move(package)}, std::move(options));
}

}  // namespace fewstep
