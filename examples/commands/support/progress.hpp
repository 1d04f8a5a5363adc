// A progress bar with its rate and the time left, on stderr so that stdout holds results only.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace fewstep::examples {

/// Returns 3725 seconds as "1:02:05", 65 as "1:05".
std::string clock_text(double seconds);

/// Returns one line of progress.
/// @param done, total  in `unit`
/// @param recent  how much of `done` was made in the last `seconds`: the rate
/// @param note  appended to the line; may be empty
std::string progress_line(std::string_view what, double done, double total, std::string_view unit, double recent,
                          double seconds, std::string_view note);

/// A progress bar. On a terminal it is redrawn at most ten times a second, in one write so that it does not flicker.
/// Elsewhere, such as in a log file, it prints a line every 30 seconds and the last one.
class Progress {
 public:
  /// @param done  finished by an earlier run; not counted in the rate
  Progress(std::string what, double total, std::string unit, double done = 0);
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// @param note  appended to the line, such as the current loss
  void update(double done, std::string_view note = {});

  /// Ends the line, so that other output starts on a new one.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  std::string what_, unit_;
  double total_, done_before_;
  bool terminal_, line_open_ = false, complete_ = false;
  Clock::time_point began_, drawn_;
};

}  // namespace fewstep::examples
