// A progress line on stderr: share done, rate, time left.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

namespace fewstep::examples {

/// Redraws in place on a terminal, at most five times a second; elsewhere prints a line a minute, so that logs stay
/// readable.
class Progress {
 public:
  /// @param done  how much of `total` was finished before (a resumed run), left out of the rate.
  Progress(std::string what, double total, std::string unit, double done = 0)
      : what_(std::move(what)), unit_(std::move(unit)), total_(total), before_(done) {}
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(double done, const std::string& note = {}) {
    const Clock::time_point now = Clock::now();
    const double pause = terminal_ ? 0.2 : 60;
    if (done < total_ && std::chrono::duration<double>(now - drawn_).count() < pause) return;
    drawn_ = now;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const double rate = seconds > 0 ? (done - before_) / seconds : 0;
    const int filled = static_cast<int>(width * std::min(1.0, done / total_));
    std::fprintf(stderr, "%s%s [%s%s] %3.0f%%  %.4g %s/s  %s left  %s%s", terminal_ ? "\r" : "", what_.c_str(),
                 std::string(static_cast<std::size_t>(filled), '#').c_str(),
                 std::string(static_cast<std::size_t>(width - filled), '.').c_str(), 100 * done / total_, rate,
                 unit_.c_str(), clock_text(rate > 0 ? (total_ - done) / rate : 0).c_str(), note.c_str(),
                 terminal_ ? "\033[K" : "\n");
    open_ = terminal_;
  }

  /// Ends the line, so that other output starts on one of its own.
  void finish() {
    if (open_) std::fputc('\n', stderr);
    open_ = false;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int width = 24;

  static std::string clock_text(double seconds) {
    char text[32];
    const long s = static_cast<long>(seconds + 0.5);
    std::snprintf(text, sizeof text, s >= 3600 ? "%ld:%02ld:%02ld" : "%.0ld%ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    return text;
  }

  std::string what_, unit_;
  double total_, before_;
  bool terminal_ = isatty(STDERR_FILENO) != 0, open_ = false;
  Clock::time_point start_ = Clock::now(), drawn_ = start_ - std::chrono::hours(1);
};

}  // namespace fewstep::examples
