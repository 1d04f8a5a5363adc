// One denoiser per batch, for samples of different conditions.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

namespace fewstep {

/// Stands for a denoiser where calibrate() and autotune() take one: batch b of the noise has the denoiser make(b), with
/// the conditions of its samples. Batches are neither split nor reordered, so that row n of the conditions belongs to
/// row n of the noise.
template <class F>
struct PerBatch {
  F make;  ///< (std::size_t batch) -> denoiser
};

/// @param make  called once per batch and run; what it returns may share a network
template <class F>
PerBatch<F> per_batch(F make) {
  return {std::move(make)};
}

namespace detail {

template <class D>
inline constexpr bool is_per_batch = false;
template <class F>
inline constexpr bool is_per_batch<PerBatch<F>> = true;

/// The denoiser of a batch: a reference to the only one, or what PerBatch makes.
template <class D>
decltype(auto) denoiser_of(D& denoise, [[maybe_unused]] std::size_t batch) {
  if constexpr (is_per_batch<std::remove_const_t<D>>) return denoise.make(batch);
  else return (denoise);
}

}  // namespace detail

}  // namespace fewstep
