// The slopes of the denoisers of a calibration's batches.
#pragma once

#include "../per_batch.hpp"
#include "table_runner.hpp"

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// One SlopeModel for all batches, or one per batch.
/// @tparam D  a denoiser, or PerBatch
template <State X, class D>
class SlopeModels {
  using Own = decltype(denoiser_of(std::declval<D&>(), 0));

 public:
  /// @param denoise  kept by reference
  SlopeModels(D& denoise, std::size_t batches) {
    const std::size_t count = is_per_batch<std::remove_const_t<D>> ? batches : 1;
    for (std::size_t b = 0; b < count; ++b)
      models_.push_back(std::make_unique<DenoiserSlopes<X, Own>>(denoiser_of(denoise, b)));
  }

  std::vector<SlopeModel<X>*> pointers() const {
    std::vector<SlopeModel<X>*> all;
    for (const auto& model : models_) all.push_back(model.get());
    return all;
  }

 private:
  std::vector<std::unique_ptr<DenoiserSlopes<X, Own>>> models_;
};

}  // namespace fewstep::detail
