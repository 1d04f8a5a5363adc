// What commands do around each evaluation of a network: count, time, show, stop.
#pragma once

#include "progress.hpp"
#include "samples.hpp"

#include <chrono>
#include <functional>

namespace fewstep::examples {

/// Called in place of each evaluation of a network on x, which it makes by `evaluate`.
using AroundEvaluation = std::function<void(const Samples& x, const std::function<void()>& evaluate)>;

/// An evaluation after a signal throws Interrupted (signals.hpp).
AroundEvaluation interruptible();

/// Number and duration of calls.
struct CallTimes {
  int calls = 0;
  double seconds = 0;
};

/// Counts one call, and its time until the end of the block.
class CallTimer {
 public:
  /// @param x  where it lies on a GPU, which runs asynchronously, the timer waits for it before and after the call
  CallTimer(const Samples& x, CallTimes& times);
  ~CallTimer();
  CallTimer(const CallTimer&) = delete;
  CallTimer& operator=(const CallTimer&) = delete;

 private:
  void wait() const;

  bool on_gpu_;
  CallTimes* times_;
  std::chrono::steady_clock::time_point start_;
};

/// interruptible(), and every evaluation is counted, timed and shown as progress. `progress` and `times` must outlive
/// the result.
AroundEvaluation timed(Progress& progress, CallTimes& times);

}  // namespace fewstep::examples
