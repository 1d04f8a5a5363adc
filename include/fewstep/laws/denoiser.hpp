// The laws of a denoiser that takes a level per sample.
#pragma once

#include "../run.hpp"
#include "probe.hpp"

#include <string>
#include <vector>

namespace fewstep::laws {

/// Asked twice it says the same; it leaves its input alone; a sample's answer depends on that sample and its level
/// alone.
/// @param slack  what a sample's answer may move with the batch around it, as networks' own kernels make it
template <State X, PerSampleDenoiser<X> D>
std::vector<Verdict> check_denoiser(const D& denoise, double slack = 0) {
  const Rows rows = detail::start<X>(2);
  const auto ask = [&](const Rows& input, const std::vector<double>& values) {
    const X x = probe<X>::make(input);
    X out = algebra<X>::like(x);
    Features<X> features{};
    fewstep::detail::denoise<X>(denoise, x, probe<X>::levels(values), out, features);
    return std::pair{probe<X>::read(out), detail::compare(probe<X>::read(x), probe<X>::read(probe<X>::make(input)), 0)};
  };
  std::vector<double> values;
  for (std::size_t b = 0; b < rows.size(); ++b) values.push_back(0.2 + static_cast<double>(b));
  const auto [all, touched] = ask(rows, values);
  std::vector<Verdict> verdicts{{"input untouched", touched},
                                {"purity", detail::compare(ask(rows, values).first, all, 0)}};
  std::string batch;
  for (std::size_t b = 0; b < rows.size() && batch.empty(); ++b)
    batch = detail::compare({ask(Rows(rows.size(), rows[b]), std::vector<double>(rows.size(), values[b])).first[b]},
                            {all[b]}, slack);
  verdicts.push_back({"batch", batch});
  return verdicts;
}

}  // namespace fewstep::laws
