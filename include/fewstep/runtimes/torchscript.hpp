// Networks in TorchScript.
#pragma once

#include "tensor_network.hpp"

#include <torch/script.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fewstep {

/// Calls a TorchScript module; its tuple or list of tensors becomes a list.
struct TorchScriptRun {
  std::shared_ptr<torch::jit::Module> module;

  std::vector<torch::Tensor> operator()(const std::vector<torch::Tensor>& arguments) const {
    const torch::jit::IValue result = module->forward({arguments.begin(), arguments.end()});
    if (result.isTensor()) return {result.toTensor()};
    if (result.isTensorList()) return result.toTensorVector();
    require(result.isTuple(), "the network's result", result.tagKind(), "Tensor, or a tuple or list of them");
    std::vector<torch::Tensor> all;
    for (const torch::jit::IValue& one : result.toTupleRef().elements()) {
      require(one.isTensor(), "the network's result", one.tagKind(), "tensors");
      all.push_back(one.toTensor());
    }
    return all;
  }
};

using TorchScriptNetwork = TensorNetwork<TorchScriptRun>;

/// A TorchScript module, e.g. of torch::jit::load(path, device), as a function of (x, label) on tensors.
/// @throws std::invalid_argument as TensorNetwork.
inline TorchScriptNetwork torchscript_network(torch::jit::Module module, TensorNetworkOptions options = {}) {
  module.eval();
  return TorchScriptNetwork({std::make_shared<torch::jit::Module>(std::move(module))}, std::move(options));
}

}  // namespace fewstep
