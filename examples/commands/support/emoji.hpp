// Emoji as a data set of small colour pictures: the bitmaps of Noto Color Emoji, with the groups of Unicode as classes.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace fewstep::examples {

inline constexpr const char* emoji_font =
    "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf";                              // Debian: fonts-noto-color-emoji
inline constexpr const char* emoji_list = "/usr/share/unicode/emoji/emoji-test.txt";  // Debian: unicode-data

inline constexpr int emoji_side = 32;  // pixels
inline constexpr std::array<const char*, 8> emoji_labels{"smileys", "people",     "animals", "food",
                                                         "travel",  "activities", "objects", "symbols"};
inline constexpr std::int64_t emoji_symbols = 7;  // a class with letters and digits, which must not be mirrored

struct Emoji {
  std::uint32_t code_point;
  std::int64_t label;
  std::vector<float> pixels;  // [3, 32, 32], in [-1, 1], on white
};

/// Returns the emoji of one code point, in the order of Unicode's list. Groups of sequences of code points, such as
/// flags, are left out.
/// @param list  Unicode's emoji-test.txt
/// @throws std::runtime_error naming the file that is missing or malformed.
std::vector<Emoji> load_emoji(const std::filesystem::path& font, const std::filesystem::path& list);

}  // namespace fewstep::examples
