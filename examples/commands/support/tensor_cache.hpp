// A Cache of tensors.
#pragma once

#include "cache.hpp"

#include <torch/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>

namespace fewstep::examples {

class TensorCache {
 public:
  using Tensors = std::map<std::string, torch::Tensor>;

  /// @param folder  as Cache
  explicit TensorCache(std::filesystem::path folder = {}) : stored_(!folder.empty()), cache_(std::move(folder)) {}

  /// As Cache::operator(); stored tensors are on the CPU.
  Tensors operator()(const std::string& description, const std::function<Tensors()>& make) const;

 private:
  bool stored_;
  Cache cache_;
};

}  // namespace fewstep::examples
