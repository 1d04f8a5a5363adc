#include "difficulty.hpp"

#include "metrics.hpp"

#include <fewstep/errors.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>

namespace fewstep::examples {

torch::Tensor reallocated(const torch::Tensor& difficulty, double share, const SamplingBudget& cheap,
                          const SamplingBudget& middle, const SamplingBudget& rich) {
  require(cheap.nfe < middle.nfe && middle.nfe < rich.nfe, "NFE of the three samplers",
          std::to_string(cheap.nfe) + ", " + std::to_string(middle.nfe) + ", " + std::to_string(rich.nfe),
          "increasing ones");
  const std::int64_t count = difficulty.size(0);
  const auto hard = static_cast<std::int64_t>(std::llround(share * static_cast<double>(count)));
  const std::int64_t saved = middle.nfe - cheap.nfe, easy = (hard * (rich.nfe - middle.nfe) + saved - 1) / saved;
  require(hard >= 0 && hard + easy <= count, "share", share, "0 to what the easy samples can pay for");
  const torch::Tensor order = std::get<1>(torch::sort(difficulty, true, 0, true));
  torch::Tensor squares = middle.squares.clone();
  const auto take = [&](const torch::Tensor& which, const SamplingBudget& from) {
    squares.index_copy_(0, which, from.squares.index_select(0, which));
  };
  take(order.narrow(0, 0, hard), rich);
  take(order.narrow(0, count - easy, easy), cheap);
  return squares;
}

torch::Tensor cross_validated(const torch::Tensor& x, const torch::Tensor& y) {
  constexpr std::int64_t folds = 8;
  constexpr double ridge = 0.1, least_deviation = 1e-9;
  const std::int64_t count = x.size(0);
  torch::Tensor predicted = torch::zeros_like(y);
  for (std::int64_t fold = 0; fold < folds; ++fold) {
    const std::int64_t first = fold * count / folds, end = (fold + 1) * count / folds;
    const torch::Tensor others = torch::cat({torch::arange(0, first), torch::arange(end, count)});
    const torch::Tensor known = x.index_select(0, others), mean = known.mean(0),
                        scale = known.std(0, false) + least_deviation;
    const torch::Tensor a = (known - mean) / scale, target = y.index_select(0, others);
    const torch::Tensor normal =
        a.t().mm(a) + ridge * static_cast<double>(others.size(0)) * torch::eye(x.size(1), x.options());
    const torch::Tensor w = torch::linalg_inv(normal).mm(a.t().mm((target - target.mean()).unsqueeze(1)));
    predicted.narrow(0, first, end - first)
        .copy_(((x.narrow(0, first, end - first) - mean) / scale).mm(w).squeeze(1) + target.mean());
  }
  return predicted;
}

void print_reallocations(const SamplingBudget& cheap, const SamplingBudget& middle, const SamplingBudget& rich,
                         const std::vector<std::pair<std::string, torch::Tensor>>& difficulties, int resamples) {
  static_cast<void>(reallocated(middle.squares, 0, cheap, middle, rich));  // refuses budgets before anything is printed
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
      "%s for the hardest samples, %s for the easiest, at the total NFE of %s, whose RMS distance to the reference is "
      "%.4f +- %.4f\n\n| difficulty | share of hard samples | RMS | change |\n|---|---|---|---|\n",
      rich.name.c_str(), cheap.name.c_str(), middle.name.c_str(), plain.value(), plain.margin());
  for (const auto& [name, difficulty] : difficulties)
    for (const double share : {0.05, 0.1, 0.2}) {
      const Figure f = rms(reallocated(difficulty, share, cheap, middle, rich)), change = f - plain;
      std::printf("| %s | %g | %.4f | %.4f +- %.4f |\n", name.c_str(), share, f.value(), change.value(),
                  change.margin());
    }
}

}  // namespace fewstep::examples
