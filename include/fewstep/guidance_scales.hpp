// Numbers that depend on the guidance scale.
#pragma once

#include "errors.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

namespace fewstep {

/// Guidance scales between which numbers are interpolated: polynomials in the logarithm of the scale.
struct GuidanceScales {
  static constexpr std::size_t max_count = 16;
  std::vector<double> nodes;  ///< 2 to max_count increasing scales above 0, such as 1.5, 3, 8

  /// @throws std::invalid_argument naming the scale that is out of range.
  void validate() const {
    require(nodes.size() >= 2 && nodes.size() <= max_count, "the number of guidance scales", nodes.size(),
            {"2 to ", max_count});
    for (std::size_t p = 0; p < nodes.size(); ++p) {
      require(nodes[p] > 0 && std::isfinite(nodes[p]), {"guidance scale ", p}, nodes[p], "positive numbers");
      if (p > 0) require(nodes[p] > nodes[p - 1], {"guidance scale ", p}, nodes[p], "more than the one before it");
    }
  }

  /// The weight of each node's number at `scale`: Lagrange's polynomials in log(scale). Their sum is 1.
  /// @throws std::invalid_argument for a scale outside the nodes.
  std::vector<double> weights(double scale) const {
    require(scale >= nodes.front() && scale <= nodes.back(), "the guidance scale", scale,
            {nodes.front(), " to ", nodes.back()});
    std::vector<double> all(nodes.size(), 1);
    for (std::size_t p = 0; p < nodes.size(); ++p)
      for (std::size_t q = 0; q < nodes.size(); ++q)
        if (q != p) all[p] *= std::log(scale / nodes[q]) / std::log(nodes[p] / nodes[q]);
    return all;
  }
};

}  // namespace fewstep
