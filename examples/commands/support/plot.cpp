#include "plot.hpp"

#include <fewstep/io/file_error.hpp>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace fewstep::examples {

namespace {

/// Whether a PNG file is whole: gnuplot does not say that a disk is full.
bool is_complete(const std::filesystem::path& png) {
  std::ifstream in(png, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  return bytes.size() > 8 && bytes.compare(bytes.size() - 8, 4, "IEND") == 0;  // the last chunk: name and checksum
}

}  // namespace

void plot(const std::filesystem::path& path, const std::string& size, const std::string& commands) {
  const std::filesystem::path part = path.string() + ".part.png";
  std::string quoted;  // inside gnuplot's single quotes
  for (const char c : part.string()) quoted += c == '\'' ? "\'\'" : std::string(1, c);
  // Without gnuplot the shell still reads all commands, since a write to a closed pipe would end this program.
  if (std::FILE* gnuplot = popen("gnuplot 2>/dev/null || { while read -r _; do :; done; false; }", "w")) {
    std::fprintf(gnuplot, "set terminal pngcairo size %s font 'sans,11'\nset output '%s'\n%s", size.c_str(),
                 quoted.c_str(), commands.c_str());
    const bool success = pclose(gnuplot) == 0 && std::filesystem::exists(part);
    std::error_code error, ignored;
    std::string failure;
    if (success && !is_complete(part)) failure = "gnuplot's picture is incomplete; is the disk full?";
    else if (success && (std::filesystem::rename(part, path, error), error)) failure = error.message();
    if (!success || !failure.empty()) std::filesystem::remove(part, ignored);
    if (!failure.empty()) throw std::runtime_error("writing " + io::printable(path.string()) + " failed: " + failure);
    if (success) {
      std::printf("wrote %s\n", path.c_str());
      return;
    }
  }
  std::printf("no plot: gnuplot with its pngcairo terminal is not installed\n");
}

}  // namespace fewstep::examples
