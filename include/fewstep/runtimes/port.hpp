#pragma once

#include "../array/array.hpp"
#include "../errors.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fewstep {

/// An input or output of an exported network.
struct Port {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::optional<std::vector<std::int64_t>> shape = {};  ///< extents, -1 for any; none: of any rank
  std::vector<std::string> other_names = {};            ///< where a runtime has several for one

  /// "F32 [?, 3, 64, 64]"
  std::string text() const {
    std::string list;
    for (const std::int64_t extent : shape.value_or(std::vector<std::int64_t>()))
      list += (list.empty() ? "" : ", ") + (extent < 0 ? "?" : std::to_string(extent));
    return std::string(to_string(dtype)) + (shape ? " [" + list + "]" : " of any shape");
  }
};

namespace detail {

/// "noise F32 [?, 4], t F32 [?]"
inline std::string text_of(const std::vector<Port>& ports) {
  std::string all;
  for (const Port& port : ports) all += (all.empty() ? "" : ", ") + port.name + " " + port.text();
  return all.empty() ? "none" : all;
}

/// Returns the index of a port.
/// @param role  for the message: "input", "output"
/// @throws std::invalid_argument listing the ports, where none has the name.
inline std::size_t port_named(const std::vector<Port>& ports, const std::string& name, const char* role) {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const std::vector<std::string>& others = ports[i].other_names;
    if (ports[i].name == name || std::find(others.begin(), others.end(), name) != others.end()) return i;
  }
  refuse({"the network's ", role}, name, text_of(ports));
}

/// Returns the product of extents.
inline std::size_t count_of(const std::vector<std::int64_t>& shape) {
  std::size_t count = 1;
  for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
  return count;
}

}  // namespace detail

}  // namespace fewstep
