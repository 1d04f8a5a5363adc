// Pictures of batches: a grid of images, labelled panels side by side, PNG files.
#pragma once

#include <fewstep/io/atomic_write.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_easy_font.h>
#include <stb_image_write.h>
#undef STB_IMAGE_WRITE_IMPLEMENTATION
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

namespace fewstep::examples {

/// A picture in memory: rows of pixels, channels (1 grey, 3 RGB) side by side.
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

/// The published conversion of [-1, 1]: x * 127.5 + 128, cut to 0..255, its fraction dropped. NaN becomes 0.
inline std::uint8_t to_byte(float x) {
  const float scaled = x * 127.5f + 128.0f;
  return scaled > 0.0f ? static_cast<std::uint8_t>(std::min(scaled, 255.0f)) : std::uint8_t{0};
}

/// Lays a batch [batch, channels, height, width] out row by row, each pixel drawn as scale x scale ones.
/// Without `columns` the grid is as square as it gets.
struct GridLayout {
  int batch, channels, height, width;
  int columns = 0, scale = 1, gap = 2;
};

/// @throws std::invalid_argument for a shape that is not one of grey or RGB images, or does not fit the data.
inline Image grid(std::span<const float> data, const GridLayout& layout) {
  const auto [batch, channels, height, width, wanted_columns, scale, gap] = layout;
  if (channels != 1 && channels != 3) {
    throw std::invalid_argument("an image has " + std::to_string(channels) + " channels; allowed: 1 (grey) or 3 (RGB)");
  }
  if (batch < 1 || height < 1 || width < 1 ||
      static_cast<std::size_t>(batch) * static_cast<std::size_t>(channels) * static_cast<std::size_t>(height) *
              static_cast<std::size_t>(width) !=
          data.size()) {
    throw std::invalid_argument("a grid of shape [" + std::to_string(batch) + ", " + std::to_string(channels) + ", " +
                                std::to_string(height) + ", " + std::to_string(width) + "] does not fit " +
                                std::to_string(data.size()) + " numbers");
  }
  const int columns = wanted_columns > 0 ? wanted_columns : static_cast<int>(std::ceil(std::sqrt(batch)));
  const int rows = (batch + columns - 1) / columns;
  Image image(columns * (width * scale + gap) - gap, rows * (height * scale + gap) - gap, channels);

  const float* value = data.data();
  for (int b = 0; b < batch; ++b) {
    const int left = b % columns * (width * scale + gap), top = b / columns * (height * scale + gap);
    for (int c = 0; c < channels; ++c) {
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          const std::uint8_t byte = to_byte(*value++);
          for (int v = 0; v < scale; ++v) {
            for (int u = 0; u < scale; ++u) image.at(left + x * scale + u, top + y * scale + v, c) = byte;
          }
        }
      }
    }
  }
  return image;
}

/// The width in pixels of a line of text at `scale`.
inline int text_width(std::string text, int scale) { return stb_easy_font_width(text.data()) * scale; }

/// Writes a line of dark text, its upper left corner at (left, top); what lies outside the picture is cut off.
inline void draw_text(Image& image, std::string text, int left, int top, int scale) {
  struct Vertex {
    float x, y, z;
    unsigned char color[4];
  };
  std::vector<Vertex> vertices(4 * 64 * (text.size() + 1));
  const int quads = stb_easy_font_print(0, 0, text.data(), nullptr, vertices.data(),
                                        static_cast<int>(vertices.size() * sizeof(Vertex)));
  for (int q = 0; q < quads; ++q) {  // the font is made of rectangles: corners 0 and 2 lie opposite
    const Vertex& from = vertices[static_cast<std::size_t>(4 * q)];
    const Vertex& to = vertices[static_cast<std::size_t>(4 * q + 2)];
    const auto pixel = [&](int origin, float v) { return origin + static_cast<int>(v) * scale; };
    for (int y = std::max(0, pixel(top, from.y)); y < std::min(image.height, pixel(top, to.y)); ++y) {
      for (int x = std::max(0, pixel(left, from.x)); x < std::min(image.width, pixel(left, to.x)); ++x) {
        for (int c = 0; c < image.channels; ++c) image.at(x, y, c) = 32;
      }
    }
  }
}

/// A picture and the line of text above it.
struct Panel {
  std::string label;
  Image image;
};

/// Panels from left to right on white, each under its label.
inline Image side_by_side(const std::vector<Panel>& panels) {
  constexpr int margin = 16, line = 36, text_scale = 2;
  int width = margin, height = 0, channels = 1;
  for (const auto& panel : panels) {
    width += std::max(panel.image.width, text_width(panel.label, text_scale)) + margin;
    height = std::max(height, panel.image.height);
    channels = std::max(channels, panel.image.channels);
  }
  Image out(width, line + height + margin, channels);
  int left = margin;
  for (const auto& panel : panels) {
    draw_text(out, panel.label, left, margin / 2 + 4, text_scale);
    for (int y = 0; y < panel.image.height; ++y) {
      for (int x = 0; x < panel.image.width; ++x) {
        for (int c = 0; c < channels; ++c) {
          out.at(left + x, line + y, c) = panel.image.at(x, y, std::min(c, panel.image.channels - 1));
        }
      }
    }
    left += std::max(panel.image.width, text_width(panel.label, text_scale)) + margin;
  }
  return out;
}

/// Writes a PNG file, whole or not at all.
/// @throws std::runtime_error naming the file when it cannot be written.
inline void write_png(const std::filesystem::path& path, const Image& image) {
  io::atomic_write(path, [&](std::ostream& out) {
    const auto append = [](void* stream, void* data, int size) {
      static_cast<std::ostream*>(stream)->write(static_cast<const char*>(data), size);
    };
    if (!stbi_write_png_to_func(append, &out, image.width, image.height, image.channels, image.pixels.data(),
                                image.width * image.channels)) {
      throw std::runtime_error(path.string() + ": could not be encoded as PNG");
    }
  });
}

}  // namespace fewstep::examples
