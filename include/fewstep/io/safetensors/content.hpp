#pragma once

#include "../../array/array.hpp"

#include <map>
#include <stdexcept>
#include <string>

namespace fewstep::io {

/// The content of a safetensors file. Both maps are sorted, so equal contents make equal files.
struct Safetensors {
  std::map<std::string, Array> tensors;
  std::map<std::string, std::string> metadata;

  /// @throws std::runtime_error for a tensor that is missing.
  const Array& tensor(const std::string& name) const {
    const auto found = tensors.find(name);
    if (found == tensors.end()) throw std::runtime_error("tensor " + name + " is missing");
    return found->second;
  }
  /// Returns an entry of the metadata; empty text for a missing one.
  std::string text(const std::string& name) const {
    const auto found = metadata.find(name);
    return found == metadata.end() ? std::string() : found->second;
  }
};

}  // namespace fewstep::io
