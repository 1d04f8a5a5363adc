// The probe of the laws for buffers.
#pragma once

#include "../laws/probe.hpp"
#include "algebra.hpp"

#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace fewstep::laws {

/// Batches of 3 samples with 19 numbers each: more than a block and some beside.
template <class T>
struct probe<Buffer<T>> {
  static constexpr bool resizable = true;
  static constexpr std::size_t samples = 3, numbers = 19;
  static constexpr double epsilon = std::numeric_limits<T>::epsilon();
  static constexpr bool bitwise = true;

  static Buffer<T> make(const Rows& rows) {
    std::vector<T> all;
    for (const auto& row : rows)
      for (const double v : row) all.push_back(static_cast<T>(v));
    return Buffer<T>(std::move(all), rows.size());
  }
  static Rows read(const Buffer<T>& x) {
    Rows rows;
    for (std::size_t b = 0; b < x.samples(); ++b) rows.emplace_back(x.sample(b).begin(), x.sample(b).end());
    return rows;
  }
  static BufferLevel levels(const std::vector<double>& values) { return algebra<Buffer<T>>::level_per_sample(values); }
  static double level(const BufferLevel& t, std::size_t b) { return t[b]; }
  static Buffer<T> features(const Rows& rows) { return make(rows); }
};

}  // namespace fewstep::laws
