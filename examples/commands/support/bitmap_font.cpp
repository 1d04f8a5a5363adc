#include "bitmap_font.hpp"

#include <fewstep/io/file_error.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace fewstep::examples {

namespace {

/// Part of the file. Numbers are big-endian.
class FontTable {
 public:
  explicit FontTable(std::span<const std::uint8_t> bytes, std::size_t start = 0) : bytes_(bytes), start_(start) {}

  std::uint32_t number(std::size_t at, std::size_t size) const {
    std::uint32_t value = 0;
    for (const std::uint8_t byte : part(at, size).bytes_) value = value << 8 | byte;
    return value;
  }
  std::uint32_t u16(std::size_t at) const { return number(at, 2); }
  std::uint32_t u32(std::size_t at) const { return number(at, 4); }

  FontTable part(std::size_t at, std::size_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) throw std::runtime_error("not a complete font");
    return FontTable(bytes_.subspan(at, size), start_ + at);
  }
  FontTable from(std::size_t at) const { return part(at, at > bytes_.size() ? 0 : bytes_.size() - at); }
  /// In the file.
  std::size_t start() const { return start_; }
  std::size_t size() const { return bytes_.size(); }
  std::string text(std::size_t at, std::size_t size) const {
    const auto letters = part(at, size).bytes_;
    return {letters.begin(), letters.end()};
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t start_;
};

std::vector<std::uint8_t> font_bytes(const std::filesystem::path& path) {
  io::require_regular_file(path);
  std::ifstream file(path, std::ios::binary);
  std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw io::file_error(path, "cannot be read");
  return bytes;
}

FontTable table_named(const FontTable& file, std::string_view name) {
  constexpr std::size_t header = 12, entry = 16;  // bytes
  const std::size_t count = file.u16(4);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = header + entry * i;
    if (file.text(at, 4) == name) return file.part(file.u32(at + 8), file.u32(at + 12));
  }
  throw std::runtime_error("not a font with the table " + std::string(name));
}

/// Glyphs of code points: format 12 of the table cmap, which covers all of Unicode.
std::map<std::uint32_t, std::uint32_t> read_glyphs(const FontTable& cmap) {
  constexpr std::size_t header = 16, entry = 12;  // bytes
  constexpr std::uint32_t last_code = 0x10FFFF, last_glyph = 0xFFFF;
  std::map<std::uint32_t, std::uint32_t> glyphs;
  for (std::size_t k = 0; k < cmap.u16(2); ++k) {
    const FontTable subtable = cmap.from(cmap.u32(4 + 8 * k + 4));
    if (subtable.u16(0) != 12) continue;
    const std::size_t groups = subtable.u32(12);
    for (std::size_t i = 0; i < groups; ++i) {
      const FontTable group = subtable.part(header + entry * i, entry);
      const std::uint32_t first = group.u32(0), last = group.u32(4), glyph = group.u32(8);
      if (first > last || last > last_code || glyph > last_glyph || last - first > last_glyph - glyph)
        throw std::runtime_error("a malformed table cmap");
      for (std::uint32_t code = first; code <= last; ++code) glyphs[code] = glyph + (code - first);
    }
    return glyphs;
  }
  throw std::runtime_error("no characters by format 12 of the table cmap");
}

/// Where the PNG file of a glyph lies in its entry of CBDT, after the metrics.
FontTable png_of(const FontTable& entry, std::uint32_t image_format) {
  constexpr std::uint32_t small_metrics = 17, big_metrics = 18;
  if (image_format != small_metrics && image_format != big_metrics)
    throw std::runtime_error("a bitmap has format " + std::to_string(image_format) + "; allowed: 17, 18");
  const std::size_t metrics = image_format == small_metrics ? 5 : 8;
  return entry.part(metrics + 4, entry.u32(metrics));
}

/// Calls add(glyph, its PNG) for a range of glyphs, whose offsets are an array: formats 1 and 3 of an index subtable.
template <class Add>
void read_index(const FontTable& index, const FontTable& cbdt, std::uint32_t first, std::uint32_t last, Add add) {
  const std::uint32_t format = index.u16(0), image_format = index.u16(2);
  if (format != 1 && format != 3)
    throw std::runtime_error("an index of bitmaps has format " + std::to_string(format) + "; allowed: 1, 3");
  const FontTable images = cbdt.from(index.u32(4));
  const std::size_t width = format == 1 ? 4 : 2;
  const auto offset = [&](std::uint32_t k) { return index.number(8 + width * k, width); };
  for (std::uint32_t glyph = first; glyph <= last; ++glyph) {
    const std::uint32_t begin = offset(glyph - first), end = offset(glyph - first + 1);
    if (end < begin) throw std::runtime_error("a malformed table CBLC");
    if (end > begin) add(glyph, png_of(images.part(begin, end - begin), image_format));
  }
}

template <class Add>
void read_pictures(const FontTable& cblc, const FontTable& cbdt, Add add) {
  constexpr std::size_t header = 8;  // bytes, before the first size of bitmaps; only that size is used
  if (cblc.u32(4) == 0) throw std::runtime_error("no bitmaps");
  const FontTable subtables = cblc.from(cblc.u32(header));
  const std::size_t count = cblc.u32(header + 8);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t first = subtables.u16(8 * i), last = subtables.u16(8 * i + 2);
    read_index(subtables.from(subtables.u32(8 * i + 4)), cbdt, first, last, add);
  }
}

}  // namespace

BitmapFont::BitmapFont(const std::filesystem::path& path) : bytes_(font_bytes(path)) {
  io::detail::naming_file(path, [&] {
    const FontTable file{bytes_};
    glyphs_ = read_glyphs(table_named(file, "cmap"));
    read_pictures(table_named(file, "CBLC"), table_named(file, "CBDT"),
                  [&](std::uint32_t glyph, const FontTable& png) { pictures_[glyph] = {png.start(), png.size()}; });
  });
}

std::span<const std::uint8_t> BitmapFont::png(std::uint32_t code_point) const {
  const auto glyph = glyphs_.find(code_point);
  if (glyph == glyphs_.end()) return {};
  const auto picture = pictures_.find(glyph->second);
  if (picture == pictures_.end()) return {};
  return std::span(bytes_).subspan(picture->second.offset, picture->second.size);
}

}  // namespace fewstep::examples
