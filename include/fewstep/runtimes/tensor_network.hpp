// What the networks of LibTorch's runtimes share: which argument gets what, in the type, shape and batches it wants.
#pragma once

#include "../errors.hpp"
#include "../torch/algebra.hpp"

#include <torch/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace fewstep {

/// How an exported network takes its arguments: (x, label, conditions...).
struct TensorNetworkOptions {
  torch::ScalarType dtype = torch::kFloat32;        ///< of x; the result has the type of the state
  torch::ScalarType label_dtype = torch::kFloat32;  ///< integers get the nearest label
  bool scalar_label = false;                        ///< the label is a tensor [], in place of [B]
  std::int64_t batch = 0;                           ///< samples of each run; 0: any number
  std::vector<torch::Tensor> conditions = {};       ///< further arguments: one row for all samples, or one per sample
  int output = 0;                                   ///< place of the result among the outputs
  int feature = -1;                                 ///< place of the feature; -1: none
};

/// A network of LibTorch as a function of (x, label) on tensors, for threads to share. A network for a fixed number of
/// samples gets the batch in parts, the last one filled up with copies of the last sample.
/// @tparam Run  called with the arguments; returns all outputs
template <class Run>
class TensorNetwork {
 public:
  /// @throws std::invalid_argument for a batch below 0.
  explicit TensorNetwork(Run run, TensorNetworkOptions options = {}) : run_(std::move(run)), o_(std::move(options)) {
    require(o_.batch >= 0, "TensorNetworkOptions::batch", o_.batch, "0 or more");
  }

  /// out <- the network's output for x and its label
  /// @return whether there are features
  /// @throws std::invalid_argument for a state or conditions that do not fit, or an output of another shape.
  bool operator()(const torch::Tensor& x, const Level<torch::Tensor>& label, torch::Tensor& out,
                  torch::Tensor& features) const {
    for (const torch::Tensor& condition : o_.conditions)
      require(condition.dim() > 0 && (condition.size(0) == 1 || condition.size(0) >= x.size(0)),
              "the rows of a condition", condition.dim() > 0 ? condition.size(0) : 0,
              {"1, or ", x.size(0), " or more"});
    const std::int64_t part = o_.batch > 0 ? o_.batch : o_.scalar_label && label.per_sample() ? 1 : x.size(0);
    require(!o_.scalar_label || !label.per_sample() || part == 1, "the labels", "one per sample", "one for the batch");
    std::vector<torch::Tensor> outs, all_features;
    for (std::int64_t first = 0; first < x.size(0); first += part) {
      std::vector<torch::Tensor> outputs = run_(arguments(x, label, first, part));
      const std::int64_t filled = (std::min)(part, x.size(0) - first);
      outs.push_back(output(outputs, o_.output).narrow(0, 0, filled).to(x.options()));
      if (o_.feature >= 0) all_features.push_back(output(outputs, o_.feature).narrow(0, 0, filled).to(x.options()));
    }
    out = joined(std::move(outs));
    require(out.sizes() == x.sizes(), "the shape of the network's output", out.sizes(), "that of the state");
    if (o_.feature >= 0) features = joined(std::move(all_features)).flatten(1);
    return o_.feature >= 0;
  }

  /// Returns the network with other options.
  TensorNetwork with(TensorNetworkOptions options) const { return TensorNetwork(run_, std::move(options)); }
  /// Returns the network with other conditions, e.g. the unconditional ones for guidance.
  TensorNetwork with(std::vector<torch::Tensor> conditions) const {
    TensorNetworkOptions changed = o_;
    changed.conditions = std::move(conditions);
    return TensorNetwork(run_, std::move(changed));
  }

 private:
  std::vector<torch::Tensor> arguments(const torch::Tensor& x, const Level<torch::Tensor>& label, std::int64_t first,
                                       std::int64_t part) const {
    std::vector<torch::Tensor> all{rows(x, first, part).to(o_.dtype)};
    torch::Tensor labels = algebra<torch::Tensor>::native(label, x);
    if (labels.dim() > 0) labels = rows(labels.expand({x.size(0)}), first, part);
    else if (!o_.scalar_label) labels = labels.expand({part});
    if (o_.scalar_label) labels = labels.reshape({});
    if (!torch::isFloatingType(o_.label_dtype)) labels = labels.round();
    all.push_back(labels.to(o_.label_dtype).contiguous());
    for (const torch::Tensor& condition : o_.conditions) all.push_back(rows(condition.to(x.device()), first, part));
    return all;
  }

  /// Samples first, first + 1, ...; the last one stands for those beyond it.
  static torch::Tensor rows(const torch::Tensor& x, std::int64_t first, std::int64_t part) {
    if (first == 0 && part == x.size(0)) return x;
    if (first + part <= x.size(0)) return x.narrow(0, first, part);
    const auto places = torch::arange(first, first + part, torch::TensorOptions(torch::kInt64).device(x.device()));
    return x.index_select(0, places.clamp_max(x.size(0) - 1));
  }
  static const torch::Tensor& output(const std::vector<torch::Tensor>& outputs, int place) {
    require(place >= 0 && static_cast<std::size_t>(place) < outputs.size(), "the network's output", place,
            {"places below ", outputs.size()});
    return outputs[static_cast<std::size_t>(place)];
  }
  static torch::Tensor joined(std::vector<torch::Tensor> parts) {
    return parts.size() == 1 ? parts[0] : torch::cat(parts);
  }

  Run run_;
  TensorNetworkOptions o_;
};

}  // namespace fewstep
