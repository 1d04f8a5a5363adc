#include "emoji.hpp"

#include "bitmap_font.hpp"
#include "png_reader.hpp"

#include <fewstep/io/file_error.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <fstream>
#include <set>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace fewstep::examples {

namespace {

constexpr std::array<std::string_view, emoji_labels.size()> groups{
    "Smileys & Emotion", "People & Body", "Animals & Nature", "Food & Drink",
    "Travel & Places",   "Activities",    "Objects",          "Symbols"};

void require_file(const std::filesystem::path& path, const std::string& package) {
  if (!std::filesystem::exists(path))
    throw io::file_error(path, "no such file (Debian: apt-get install " + package + ")");
  io::require_regular_file(path);
}

/// The code point of a line "CODE [FE0F] ; status # comment"; 0: a sequence. FE0F only asks for the colour version.
std::uint32_t single_code_point(const std::string& line) {
  std::istringstream codes(line.substr(0, line.find(';')));
  std::uint32_t single = 0;
  for (std::string code; codes >> code;) {
    if (code == "FE0F") continue;
    if (single != 0) return 0;
    const auto [end, error] = std::from_chars(code.data(), code.data() + code.size(), single, 16);
    if (error != std::errc() || end != code.data() + code.size() || single == 0)
      throw std::runtime_error("a code point is " + code + "; allowed: hexadecimal numbers");
  }
  return single;
}

struct ListedEmoji {
  std::uint32_t code_point;
  std::int64_t label;
};

std::vector<ListedEmoji> read_list(const std::filesystem::path& path) {
  constexpr std::string_view heading = "# group: ";
  std::ifstream file(path);
  std::vector<ListedEmoji> entries;
  std::set<std::uint32_t> seen;  // a code point is listed with FE0F and without
  auto group = groups.end();
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(heading)) group = std::find(groups.begin(), groups.end(), line.substr(heading.size()));
    if (line.empty() || line.front() == '#' || group == groups.end()) continue;
    const std::uint32_t code_point = single_code_point(line);
    if (code_point != 0 && seen.insert(code_point).second) entries.push_back({code_point, group - groups.begin()});
  }
  if (entries.empty()) throw std::runtime_error("no emoji of one code point");
  return entries;
}

/// Returns the central square on white, averaged over blocks: [3, 32, 32] in [-1, 1].
std::vector<float> shrunk(const Image& picture) {
  const int side = std::min(picture.width, picture.height), block = side / emoji_side;
  if (block == 0 || side % emoji_side != 0)
    throw std::runtime_error("a picture of " + std::to_string(picture.width) + "x" + std::to_string(picture.height) +
                             " pixels; allowed: a shorter side of 32, 64, 96, ...");
  const int left = (picture.width - side) / 2, top = (picture.height - side) / 2;
  std::vector<float> pixels;
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < emoji_side; ++y)
      for (int x = 0; x < emoji_side; ++x) {
        int sum = 0;  // of colours times 255
        for (int v = 0; v < block; ++v)
          for (int u = 0; u < block; ++u) {
            const int column = left + x * block + u, row = top + y * block + v, opacity = picture.at(column, row, 3);
            sum += opacity * picture.at(column, row, c) + (255 - opacity) * 255;
          }
        pixels.push_back(static_cast<float>(sum / (127.5 * 255 * block * block) - 1));
      }
  return pixels;
}

}  // namespace

std::vector<Emoji> load_emoji(const std::filesystem::path& font_path, const std::filesystem::path& list_path) {
  require_file(font_path, "fonts-noto-color-emoji");
  require_file(list_path, "unicode-data");
  const std::vector<ListedEmoji> entries = io::detail::naming_file(list_path, [&] { return read_list(list_path); });
  const BitmapFont font(font_path);
  return io::detail::naming_file(font_path, [&] {
    std::vector<Emoji> all;
    for (const auto& [code_point, label] : entries)
      if (const auto png = font.png(code_point); !png.empty())
        all.push_back({code_point, label, shrunk(decode_png(png))});
    if (all.empty()) throw std::runtime_error("no emoji");
    return all;
  });
}

}  // namespace fewstep::examples
