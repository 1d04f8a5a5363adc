// Pictures of image batches: grids with a title each, side by side, as PNG.
#pragma once

#include <fewstep/io/atomic_write.hpp>

#ifdef __GNUC__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_easy_font.h>
#include <stb_image_write.h>
#ifdef __GNUC__
#pragma GCC diagnostic pop
#endif

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace fewstep::examples {

/// A batch of images, [count, channels, height, width] row-major, values in [-1, 1]; grey (1 channel) or RGB (3).
struct Panel {
  std::string title;
  const float* images;
  int count, channels, height, width;
  int columns;  // images per row
};

/// The published conversion to bytes: x * 127.5 + 128, clipped, truncated. NaN is black.
inline std::uint8_t to_byte(float x) {
  const float v = x * 127.5f + 128;
  return v >= 255 ? std::uint8_t{255} : v > 0 ? static_cast<std::uint8_t>(v) : std::uint8_t{0};
}

namespace detail {

class Canvas {
 public:
  Canvas(int width, int height)
      : width_(width), height_(height), pixels_(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3, 255) {}

  void fill(int x0, int y0, int x1, int y1, const std::uint8_t (&rgb)[3]) {
    for (int y = std::max(y0, 0); y < std::min(y1, height_); ++y)
      for (int x = std::max(x0, 0); x < std::min(x1, width_); ++x)
        std::memcpy(&pixels_[3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x))], rgb, 3);
  }

  void write(int x, int y, const std::string& text, int scale) {
    struct Vertex {
      float x, y, z;
      unsigned char color[4];
    };
    std::vector<Vertex> corners(text.size() * 300 / sizeof(Vertex) * 4 + 64);
    std::string copy = text;  // the font's function takes a mutable string
    const int quads = stb_easy_font_print(0, 0, copy.data(), nullptr, corners.data(), static_cast<int>(corners.size() * sizeof(Vertex)));
    for (int q = 0; q < quads; ++q) {
      const Vertex &a = corners[static_cast<std::size_t>(4 * q)], &c = corners[static_cast<std::size_t>(4 * q + 2)];
      const auto place = [&](int origin, float v) { return origin + scale * static_cast<int>(v); };
      fill(place(x, a.x), place(y, a.y), place(x, c.x), place(y, c.y), {40, 40, 40});
    }
  }

  void save(const std::filesystem::path& path) const {
    std::string bytes;
    const int good = stbi_write_png_to_func(
        [](void* to, void* data, int size) { static_cast<std::string*>(to)->append(static_cast<char*>(data), static_cast<std::size_t>(size)); },
        &bytes, width_, height_, 3, pixels_.data(), width_ * 3);
    if (!good) throw std::runtime_error(path.string() + ": the PNG could not be encoded");
    io::atomic_write(path, [&](std::ostream& out) { out << bytes; });
  }

 private:
  int width_, height_;
  std::vector<std::uint8_t> pixels_;
};

}  // namespace detail

/// @param zoom  screen pixels per image pixel
/// @throws std::invalid_argument for a panel that is neither grey nor RGB, std::runtime_error when writing fails.
inline void write_png(const std::filesystem::path& path, const std::vector<Panel>& panels, int zoom = 2) {
  constexpr int gap = 2, margin = 12;
  const bool titled = std::any_of(panels.begin(), panels.end(), [](const Panel& p) { return !p.title.empty(); });
  const int head = titled ? 28 : 0;
  int width = margin, height = 0;
  const auto rows = [](const Panel& p) { return (p.count + p.columns - 1) / p.columns; };
  for (const Panel& p : panels) {
    if (p.channels != 1 && p.channels != 3)
      throw std::invalid_argument("images have " + std::to_string(p.channels) + " channels; allowed: 1 or 3");
    width += p.columns * (p.width * zoom + gap) - gap + margin;
    height = std::max(height, rows(p) * (p.height * zoom + gap) - gap);
  }
  detail::Canvas canvas(width, height + head + 2 * margin);
  int left = margin;
  for (const Panel& p : panels) {
    if (titled) canvas.write(left, margin, p.title, 2);
    for (int i = 0; i < p.count; ++i) {
      const int x0 = left + i % p.columns * (p.width * zoom + gap), y0 = margin + head + i / p.columns * (p.height * zoom + gap);
      const std::size_t plane = static_cast<std::size_t>(p.height) * static_cast<std::size_t>(p.width);
      const float* image = p.images + static_cast<std::size_t>(i) * static_cast<std::size_t>(p.channels) * plane;
      for (int y = 0; y < p.height; ++y)
        for (int x = 0; x < p.width; ++x) {
          const float* pixel = image + y * p.width + x;
          const auto channel = [&](std::size_t c) { return to_byte(pixel[p.channels == 3 ? c * plane : 0]); };
          canvas.fill(x0 + x * zoom, y0 + y * zoom, x0 + (x + 1) * zoom, y0 + (y + 1) * zoom, {channel(0), channel(1), channel(2)});
        }
    }
    left += p.columns * (p.width * zoom + gap) - gap + margin;
  }
  canvas.save(path);
}

}  // namespace fewstep::examples
