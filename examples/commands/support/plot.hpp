// Plots by gnuplot, if it is installed.
#pragma once

#include <filesystem>
#include <string>

namespace fewstep::examples {

/// Draws a PNG by gnuplot, atomically, and prints a line: the file's path, or that gnuplot is not installed.
/// @param size  width and height in pixels, such as "1200,500"
/// @param commands  gnuplot commands; the terminal and the output are already set
void plot(const std::filesystem::path& path, const std::string& size, const std::string& commands);

}  // namespace fewstep::examples
