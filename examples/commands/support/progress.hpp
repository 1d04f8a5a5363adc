// A progress bar with rate and time left, on stderr so that stdout stays clean for results.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace fewstep::examples {

/// 3725 seconds as "1:02:05", 65 as "1:05".
inline std::string clock_text(double seconds) {
  const long s = std::lround(std::clamp(seconds, 0.0, 3599999.0));
  char text[32];
  if (s >= 3600) {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld:%02ld", s / 60, s % 60);
  }
  return text;
}

/// One line of progress: `done` of `total`, `fresh` of them in the last `seconds`.
inline std::string progress_line(std::string_view what, double done, double total, std::string_view unit, double fresh,
                                 double seconds, std::string_view note) {
  constexpr int width = 24;
  const double share = total > 0 ? std::clamp(done / total, 0.0, 1.0) : 1.0;
  const auto filled = static_cast<std::size_t>(share * width);
  std::string line = std::string(what) + " [" + std::string(filled, '=') + std::string(width - filled, ' ') + "]";
  char text[64];
  std::snprintf(text, sizeof text, " %3d%%", static_cast<int>(share * 100));
  line += text;
  if (fresh > 0 && seconds > 0) {
    const double rate = fresh / seconds;
    std::snprintf(text, sizeof text, rate < 10 ? "  %.2f " : "  %.0f ", rate);
    line += text + std::string(unit) + "/s  ";
    line += done < total ? clock_text((total - done) / rate) + " left" : "in " + clock_text(seconds);
  }
  if (!note.empty()) line += "  " + std::string(note);
  return line;
}

/// Draws on a terminal ten times a second at most, each time in one write (no flicker); elsewhere, such as in a log
/// file, one line every half minute and the last one.
class Progress {
 public:
  /// @param done  finished before (a resumed run): left out of the rate
  Progress(std::string what, double total, std::string unit, double done = 0)
      : what_(std::move(what)), unit_(std::move(unit)), total_(total), before_(done) {}
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// A short note, such as the current loss, goes to the end of the line.
  void update(double done, std::string_view note = {}) {
    const auto now = Clock::now();
    const std::chrono::duration<double> pause(terminal_ ? 0.1 : 30);
    const bool last = done >= total_;
    if (complete_ || (!last && now - drawn_ < pause)) return;
    drawn_ = now;
    complete_ = last;
    const double seconds = std::chrono::duration<double>(now - began_).count();
    std::string line = progress_line(what_, done, total_, unit_, done - before_, seconds, note);
    // Back to the line's start, the text, and clear what a longer text left behind.
    line = terminal_ ? "\r" + line + "\x1b[K" : line + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
    open_ = terminal_;
  }

  /// Ends the line, so that other output starts on one of its own.
  void finish() {
    if (open_) std::fputc('\n', stderr);
    open_ = false;
  }

 private:
  using Clock = std::chrono::steady_clock;

  std::string what_, unit_;
  double total_, before_;
  bool terminal_ = isatty(STDERR_FILENO) == 1, open_ = false, complete_ = false;
  Clock::time_point began_ = Clock::now(), drawn_ = began_;
};

}  // namespace fewstep::examples
