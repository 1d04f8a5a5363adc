// Pictures of batches: a grid of images, pages of titled panels, PNG files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace fewstep::examples {

/// A picture in memory: rows of pixels with interleaved channels (1: grey, 3: RGB, 4: RGB and opacity).
struct Image {
  int width = 0, height = 0, channels = 1;
  std::vector<std::uint8_t> pixels;

  Image(int w, int h, int c, std::uint8_t fill = 255)
      : width(w),
        height(h),
        channels(c),
        pixels(static_cast<std::size_t>(w) * static_cast<std::size_t>(h) * static_cast<std::size_t>(c), fill) {}

  std::uint8_t& at(int x, int y, int c) {
    return pixels[(static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)) *
                      static_cast<std::size_t>(channels) +
                  static_cast<std::size_t>(c)];
  }
  std::uint8_t at(int x, int y, int c) const { return const_cast<Image&>(*this).at(x, y, c); }
};

/// Returns x * 127.5 + 128, clamped to 0..255 and truncated, as the published EDM code converts [-1, 1]. NaN gives 0.
std::uint8_t to_byte(float x);

/// A batch [batch, channels, height, width] laid out row by row. Each pixel covers scale x scale pixels of the picture.
/// `columns` 0: as square as possible. `gap`: white pixels between images.
struct GridLayout {
  int batch, channels, height, width;
  int columns = 0, scale = 1, gap = 2;
};

/// @throws std::invalid_argument if the channels are not 1 or 3, or the shape does not fit the data.
Image grid(std::span<const float> data, const GridLayout& layout);

/// An image with a title of one or more lines above it.
struct Panel {
  std::vector<std::string> title;
  Image image;
};

/// Lays panels out on a white page, row by row.
/// @param rows  1 or more; every row but the last has ceil(panels / rows) panels
/// @param text_scale  1: letters are about 8 pixels high
Image page(const std::vector<Panel>& panels, int rows, int text_scale);

/// Writes a PNG file atomically.
/// @throws std::runtime_error naming the file if it cannot be written.
void write_png(const std::filesystem::path& path, const Image& image);

}  // namespace fewstep::examples
