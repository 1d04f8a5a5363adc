// More evaluations for hard samples, fewer for easy ones, at the same total.
#pragma once

#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

namespace fewstep::examples {

/// A sampler with its NFE and the errors of its samples. Three of them share the same noise.
struct SamplingBudget {
  std::string name;
  int nfe;
  torch::Tensor squares;  // [N]: squared distances to the reference solution
};

/// Reallocates evaluations by difficulty: the hardest samples are drawn with `rich`, and so many of the easiest with
/// `cheap` that the total is at most that of `middle` for all samples.
/// @param difficulty  [N]: larger means harder; among equal values the first counts as the hardest
/// @param share       of the samples that are drawn with `rich`, from 0 to what the easiest can pay for
/// @return [N]: squared distances of all samples
/// @throws std::invalid_argument unless the NFE increase from `cheap` to `rich`, and for a larger share.
torch::Tensor reallocated(const torch::Tensor& difficulty, double share, const SamplingBudget& cheap,
                          const SamplingBudget& middle, const SamplingBudget& rich);

/// Predicts y [N] from x [N, K] by ridge regression with eight-fold cross-validation: each eighth from the other seven.
torch::Tensor cross_validated(const torch::Tensor& x, const torch::Tensor& y);

/// Prints the RMS distance after reallocation, for three shares and each estimate of difficulty.
/// @param difficulties  names of the estimates, and the estimates [N]
void print_reallocations(const SamplingBudget& cheap, const SamplingBudget& middle, const SamplingBudget& rich,
                         const std::vector<std::pair<std::string, torch::Tensor>>& difficulties, int resamples);

}  // namespace fewstep::examples
