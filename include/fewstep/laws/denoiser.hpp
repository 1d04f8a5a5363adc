// The laws of a denoiser that accepts a noise level per sample.
#pragma once

#include "../run.hpp"
#include "probe.hpp"

#include <string>
#include <utility>
#include <vector>

namespace fewstep::laws {

/// Checks three laws of a denoiser.
///
///   input untouched   a call does not change x
///   purity            two calls with the same input give the same result
///   batch             a sample's result depends on that sample and its level alone
///
/// @param slack  largest change of a sample's result with the rest of the batch, 0 or more; above 0 for networks whose
///               kernels depend on the batch size
/// @return one verdict per law
template <State X, PerSampleDenoiser<X> D>
std::vector<Verdict> check_denoiser(const D& denoise, double slack = 0) {
  const Rows rows = detail::some_rows<X>(2);
  std::vector<double> levels;
  for (std::size_t b = 0; b < rows.size(); ++b) levels.push_back(0.2 + static_cast<double>(b));

  std::string touched;
  const auto denoised = [&](const Rows& input, const std::vector<double>& values) {
    const X x = probe<X>::make(input);
    X out = algebra<X>::like(x);
    Features<X> features{};
    fewstep::detail::denoise<X>(denoise, x, probe<X>::levels(values), out, features);
    if (touched.empty()) touched = detail::compare(probe<X>::read(x), probe<X>::read(probe<X>::make(input)), 0);
    return probe<X>::read(out);
  };

  const Rows first = denoised(rows, levels), second = denoised(rows, levels);
  std::string batch;
  for (std::size_t b = 0; b < rows.size() && batch.empty(); ++b) {
    const Rows copies = denoised(Rows(rows.size(), rows[b]), std::vector<double>(rows.size(), levels[b]));
    batch = detail::compare({copies[b]}, {first[b]}, slack);
  }
  return {{"input untouched", touched}, {"purity", detail::compare(second, first, 0)}, {"batch", batch}};
}

}  // namespace fewstep::laws
