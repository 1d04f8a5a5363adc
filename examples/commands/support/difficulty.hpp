// Evaluations handed out by how hard a sample is said to be: the hardest get more, the easiest pay for it.
#pragma once

#include "metrics.hpp"

#include <fewstep/errors.hpp>

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::examples {

/// One of three ways to make the same samples.
struct Way {
  std::string name;
  int evaluations;
  torch::Tensor squares;  // [N] squared distances to the reference
};

/// The squared distances [N] where `share` of the samples, those said to be hardest, are made by `rich` and enough of
/// the easiest by `cheap` that all take no more evaluations than by `middle`.
/// @param said  [N] how hard each is; of samples as hard the first counts as harder
/// @throws std::invalid_argument if the ways' evaluations do not increase, or the rest cannot pay.
inline torch::Tensor handed_out(const torch::Tensor& said, double share, const Way& cheap, const Way& middle,
                                const Way& rich) {
  require(cheap.evaluations < middle.evaluations && middle.evaluations < rich.evaluations, "the evaluations",
          std::to_string(cheap.evaluations) + ", " + std::to_string(middle.evaluations) + ", " +
              std::to_string(rich.evaluations),
          "increasing ones");
  const std::int64_t count = said.size(0);
  const auto hard = static_cast<std::int64_t>(std::llround(share * static_cast<double>(count)));
  const std::int64_t saved = middle.evaluations - cheap.evaluations,
                     easy = (hard * (rich.evaluations - middle.evaluations) + saved - 1) / saved;
  require(hard >= 0 && hard + easy <= count, "share", share, "0 and what the others can pay for");
  const torch::Tensor order = std::get<1>(torch::sort(said, true, 0, true));
  torch::Tensor squares = middle.squares.clone();
  const auto take = [&](const torch::Tensor& which, const Way& way) {
    squares.index_copy_(0, which, way.squares.index_select(0, which));
  };
  take(order.narrow(0, 0, hard), rich);
  take(order.narrow(0, count - easy, easy), cheap);
  return squares;
}

/// y [N] as a ridge regression on x [N, K] foretells it, each eighth from the other seven.
inline torch::Tensor foretold(const torch::Tensor& x, const torch::Tensor& y) {
  const std::int64_t count = x.size(0);
  torch::Tensor told = torch::zeros_like(y);
  for (std::int64_t fold = 0; fold < 8; ++fold) {
    const std::int64_t first = fold * count / 8, end = (fold + 1) * count / 8;
    const torch::Tensor others = torch::cat({torch::arange(0, first), torch::arange(end, count)});
    const torch::Tensor known = x.index_select(0, others), mean = known.mean(0), scale = known.std(0, false) + 1e-9;
    const torch::Tensor a = (known - mean) / scale, target = y.index_select(0, others);
    const torch::Tensor normal =
        a.t().mm(a) + 0.1 * static_cast<double>(others.size(0)) * torch::eye(x.size(1), x.options());
    const torch::Tensor w = torch::linalg_inv(normal).mm(a.t().mm((target - target.mean()).unsqueeze(1)));
    told.narrow(0, first, end - first)
        .copy_(((x.narrow(0, first, end - first) - mean) / scale).mm(w).squeeze(1) + target.mean());
  }
  return told;
}

/// The rms distance and what handing out changes about it, for each opinion of how hard samples are.
inline void print_handed_out(const Way& cheap, const Way& middle, const Way& rich,
                             const std::vector<std::pair<std::string, torch::Tensor>>& opinions, int resamples) {
  const std::int64_t count = middle.squares.size(0);
  const auto rms = [&](const torch::Tensor& squares) {
    Figure f;
    for (int r = 0; r <= resamples; ++r) {
      const torch::Tensor weights = resample(count, static_cast<std::uint64_t>(r));
      f.values.push_back(((weights * squares).sum() / weights.sum()).sqrt().item<double>());
    }
    return f;
  };
  const Figure plain = rms(middle.squares);
  std::printf(
      "\n%s for the hardest, %s for the easiest, in all the evaluations of %s, whose rms is %.4f +- %.4f\n\n| hard are "
      "| share | rms | change |\n|---|---|---|---|\n",
      rich.name.c_str(), cheap.name.c_str(), middle.name.c_str(), plain.value(), plain.margin());
  for (const auto& [name, said] : opinions)
    for (const double share : {0.05, 0.1, 0.2}) {
      const Figure f = rms(handed_out(said, share, cheap, middle, rich)), change = f - plain;
      std::printf("| %s | %g | %.4f | %.4f +- %.4f |\n", name.c_str(), share, f.value(), change.value(),
                  change.margin());
    }
}

}  // namespace fewstep::examples
