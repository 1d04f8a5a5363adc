#include "evaluations.hpp"

#include "signals.hpp"

#ifdef FEWSTEP_TORCH
#include <torch/cuda.h>
#endif

namespace fewstep::examples {

AroundEvaluation interruptible() {
  return [](const Samples&, const std::function<void()>& evaluate) {
    throw_if_interrupted();
    evaluate();
  };
}

#ifdef FEWSTEP_TORCH
namespace {
bool is_on_gpu(const Samples& x) { return x.defined() && x.is_cuda(); }
}  // namespace
void CallTimer::wait() const {
  if (on_gpu_) torch::cuda::synchronize();
}
#else
namespace {
bool is_on_gpu(const Samples&) { return false; }
}  // namespace
void CallTimer::wait() const {}
#endif

CallTimer::CallTimer(const Samples& x, CallTimes& times) : on_gpu_(is_on_gpu(x)), times_(&times) {
  wait();
  start_ = std::chrono::steady_clock::now();
}

CallTimer::~CallTimer() {
  wait();
  times_->seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  ++times_->calls;
}

AroundEvaluation timed(Progress& progress, CallTimes& times) {
  return [&progress, &times](const Samples& x, const std::function<void()>& evaluate) {
    throw_if_interrupted();
    {
      const CallTimer timer(x, times);
      evaluate();
    }
    progress.update(times.calls);
  };
}

}  // namespace fewstep::examples
