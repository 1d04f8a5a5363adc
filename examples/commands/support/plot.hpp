// Plots by gnuplot, where it is installed.
#pragma once

#include <cstdio>
#include <filesystem>
#include <string>

namespace fewstep::examples {

/// Writes a PNG of `size` pixels ("1200,500") that these commands draw; says what it did. The file appears when it is
/// whole.
inline void plot(const std::filesystem::path& path, const std::string& size, const std::string& commands) {
  const std::filesystem::path part = path.string() + ".part.png";
  std::string quoted;  // as gnuplot reads it between single quotes
  for (const char c : part.string()) quoted += c == '\'' ? "\'\'" : std::string(1, c);
  // Without gnuplot somebody must still read the commands: writing where nobody reads would end this program.
  if (std::FILE* gnuplot = popen("gnuplot 2>/dev/null || { while read -r _; do :; done; false; }", "w")) {
    std::fprintf(gnuplot, "set terminal pngcairo size %s font 'sans,11'\nset output '%s'\n%s", size.c_str(),
                 quoted.c_str(), commands.c_str());
    if (pclose(gnuplot) == 0 && std::filesystem::exists(part)) {
      std::filesystem::rename(part, path);
      std::printf("wrote %s\n", path.c_str());
      return;
    }
  }
  std::printf("no plot: gnuplot with its pngcairo terminal is not installed\n");
}

}  // namespace fewstep::examples
