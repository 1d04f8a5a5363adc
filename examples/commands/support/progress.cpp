#include "progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <utility>

namespace fewstep::examples {

namespace {
constexpr double longest = 3'599'999;  // seconds that clock_text() shows
constexpr int bar_width = 24;
constexpr double redraw_seconds = 0.1, log_seconds = 30;
}  // namespace

std::string clock_text(double seconds) {
  const long s = std::lround(std::clamp(seconds, 0.0, longest));
  char text[32];
  if (s >= 3600) std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  else std::snprintf(text, sizeof text, "%ld:%02ld", s / 60, s % 60);
  return text;
}

std::string progress_line(std::string_view what, double done, double total, std::string_view unit, double recent,
                          double seconds, std::string_view note) {
  const double share = total > 0 ? std::clamp(done / total, 0.0, 1.0) : 1.0;
  const auto filled = static_cast<std::size_t>(share * bar_width);
  std::string line = std::string(what) + " [" + std::string(filled, '=') + std::string(bar_width - filled, ' ') + "]";
  char text[64];
  std::snprintf(text, sizeof text, " %3d%%", static_cast<int>(share * 100));
  line += text;
  if (recent > 0 && seconds > 0) {
    const double rate = recent / seconds;
    std::snprintf(text, sizeof text, rate < 10 ? "  %.2f " : "  %.0f ", rate);
    line += text + std::string(unit) + "/s  ";
    line += done < total ? clock_text((total - done) / rate) + " left" : "in " + clock_text(seconds);
  }
  if (!note.empty()) line += "  " + std::string(note);
  return line;
}

Progress::Progress(std::string what, double total, std::string unit, double done)
    : what_(std::move(what)),
      unit_(std::move(unit)),
      total_(total),
      done_before_(done),
      terminal_(isatty(STDERR_FILENO) == 1),
      began_(Clock::now()),
      drawn_(began_) {}

void Progress::update(double done, std::string_view note) {
  const auto now = Clock::now();
  const std::chrono::duration<double> pause(terminal_ ? redraw_seconds : log_seconds);
  const bool last = done >= total_;
  if (complete_ || (!last && now - drawn_ < pause)) return;
  drawn_ = now;
  complete_ = last;
  const double seconds = std::chrono::duration<double>(now - began_).count();
  std::string line = progress_line(what_, done, total_, unit_, done - done_before_, seconds, note);
  // On a terminal: back to the start of the line, the text, and clear what is left of a longer one.
  line = terminal_ ? "\r" + line + "\x1b[K" : line + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
  line_open_ = terminal_;
}

void Progress::finish() {
  if (line_open_) std::fputc('\n', stderr);
  line_open_ = false;
}

}  // namespace fewstep::examples
