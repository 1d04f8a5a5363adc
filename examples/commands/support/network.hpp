// A network as the commands use it: on its device, in its type, timed.
#pragma once

#include "progress.hpp"
#include "unet.hpp"

#include <torch/torch.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace fewstep::examples {

/// Lets the process keep the memory that it frees: a network's layers ask for the same large blocks again and again,
/// and glibc would return each to the system and have it zeroed for the next.
inline void keep_freed_memory() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 2'000'000'000);
  mallopt(M_TOP_PAD, 250'000'000);
#endif
}

/// What was spent where, over all batches of a run.
struct Spent {
  int calls = 0;
  double seconds = 0;
};

/// Counts a call and its seconds from here to the end of the block.
class Timer {
 public:
  /// @param wait  a GPU works behind the caller's back: without waiting, its time would be counted as somebody else's
  Timer(bool wait, Spent& spent) : wait_(wait), spent_(&spent) {
    if (wait_) torch::cuda::synchronize();
    start_ = std::chrono::steady_clock::now();
  }
  ~Timer() {
    if (wait_) torch::cuda::synchronize();
    spent_->seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    ++spent_->calls;
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  bool wait_;
  Spent* spent_;
  std::chrono::steady_clock::time_point start_;
};

/// A denoiser that counts and times the network behind it, and moves a progress bar.
/// @param labels  [classes] for all samples alike, or a row for each; undefined: none
class TimedNetwork {
 public:
  TimedNetwork(std::shared_ptr<const EdmDenoiser> network, torch::Tensor labels, Progress& progress, Spent& spent)
      : network_(std::move(network)), labels_(std::move(labels)), progress_(&progress), spent_(&spent) {}

  EdmDenoiser::Output operator()(const torch::Tensor& x, const torch::Tensor& sigma) const {
    const auto labels =
        labels_.defined() && labels_.dim() == 1 ? labels_.unsqueeze(0).expand({x.size(0), -1}) : labels_;
    auto output = [&] {
      const Timer timer(x.is_cuda(), *spent_);
      return network_->forward(x, sigma, labels);
    }();
    progress_->update(spent_->calls);
    return output;
  }

 private:
  std::shared_ptr<const EdmDenoiser> network_;
  torch::Tensor labels_;
  Progress* progress_;
  Spent* spent_;
};

/// "cpu", "cuda" or "cuda:1".
/// @throws std::invalid_argument for any other name and for a GPU that is not there.
inline torch::Device parse_device(const std::string& name) {
  const auto fail = [&](const std::string& allowed) {
    throw std::invalid_argument("device is " + name + "; allowed: " + allowed);
  };
  if (name == "cpu") return torch::kCPU;
  if (name != "cuda" && !name.starts_with("cuda:")) fail("cpu, cuda, cuda:0, cuda:1, ...");
  const auto count = torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
  if (count == 0) fail("cpu (this LibTorch sees no GPU)");
  int index = 0;
  if (name != "cuda") {
    const std::string digits = name.substr(5);
    if (digits.empty() || digits.size() > 3 || digits.find_first_not_of("0123456789") != digits.npos)
      fail("cuda:0, ...");
    index = std::stoi(digits);
  }
  if (index >= count) fail("cuda:0 to cuda:" + std::to_string(count - 1));
  return {torch::kCUDA, static_cast<torch::DeviceIndex>(index)};
}

/// A float32 tensor's numbers on this side. The tensor must outlive the span.
inline std::span<const float> floats(const torch::Tensor& contiguous) {
  return {contiguous.data_ptr<float>(), static_cast<std::size_t>(contiguous.numel())};
}

/// [B, C, H, W] as the layout of a picture.
inline std::vector<int> extents(const torch::Tensor& batch) {
  std::vector<int> sizes;
  for (const auto size : batch.sizes()) sizes.push_back(static_cast<int>(size));
  return sizes;
}

/// The first line of an error: LibTorch appends a stack trace.
inline std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

}  // namespace fewstep::examples
