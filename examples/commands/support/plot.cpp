#include "plot.hpp"

#include <cstdio>

namespace fewstep::examples {

void plot(const std::filesystem::path& path, const std::string& size, const std::string& commands) {
  const std::filesystem::path part = path.string() + ".part.png";
  std::string quoted;  // inside gnuplot's single quotes
  for (const char c : part.string()) quoted += c == '\'' ? "\'\'" : std::string(1, c);
  // Without gnuplot the shell still reads all commands, since a write to a closed pipe would end this program.
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
