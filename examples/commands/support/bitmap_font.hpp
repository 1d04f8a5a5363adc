// Pictures of characters from a font that holds them as PNG files (tables CBLC and CBDT), as Noto Color Emoji does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <vector>

namespace fewstep::examples {

/// An OpenType font with colour bitmaps, read completely. Untrusted: every offset is checked.
class BitmapFont {
 public:
  /// @throws std::runtime_error naming the file that is missing, malformed or without colour bitmaps.
  explicit BitmapFont(const std::filesystem::path& path);

  /// Returns the PNG file of a character, which lives as long as the font; empty if the font has none.
  std::span<const std::uint8_t> png(std::uint32_t code_point) const;

 private:
  struct Place {
    std::size_t offset, size;  // in the file
  };

  std::vector<std::uint8_t> bytes_;
  std::map<std::uint32_t, std::uint32_t> glyphs_;  // of code points
  std::map<std::uint32_t, Place> pictures_;        // of glyphs
};

}  // namespace fewstep::examples
