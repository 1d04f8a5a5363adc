#include "image_grid.hpp"

#include <fewstep/io/atomic_write.hpp>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <stdexcept>

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wconversion"
#endif
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_easy_font.h>
#include <stb_image_write.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

namespace fewstep::examples {

namespace {

constexpr std::uint8_t text_grey = 32;
constexpr int line_height = 12;  // of stb_easy_font, in pixels at scale 1

int text_width(std::string text, int scale) { return stb_easy_font_width(text.data()) * scale; }

/// Writes one line of dark text with its upper left corner at (left, top). Text outside the picture is cut off.
void draw_text(Image& image, std::string text, int left, int top, int scale) {
  struct Vertex {
    float x, y, z;
    unsigned char color[4];
  };
  constexpr std::size_t vertices_per_letter = 4 * 64;  // more than any letter of the font has
  std::vector<Vertex> vertices(vertices_per_letter * (text.size() + 1));
  const int quads = stb_easy_font_print(0, 0, text.data(), nullptr, vertices.data(),
                                        static_cast<int>(vertices.size() * sizeof(Vertex)));
  const auto pixel = [&](int origin, float v) { return origin + static_cast<int>(v) * scale; };
  for (int q = 0; q < quads; ++q) {  // letters consist of rectangles, whose corners 0 and 2 are opposite
    const Vertex& from = vertices[static_cast<std::size_t>(4 * q)];
    const Vertex& to = vertices[static_cast<std::size_t>(4 * q + 2)];
    for (int y = std::max(0, pixel(top, from.y)); y < std::min(image.height, pixel(top, to.y)); ++y)
      for (int x = std::max(0, pixel(left, from.x)); x < std::min(image.width, pixel(left, to.x)); ++x)
        for (int c = 0; c < image.channels; ++c) image.at(x, y, c) = text_grey;
  }
}

/// Copies an image to (left, top); grey becomes RGB where the target has three channels.
void paste(Image& to, const Image& image, int left, int top) {
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      for (int c = 0; c < to.channels; ++c)
        to.at(left + x, top + y, c) = image.at(x, y, std::min(c, image.channels - 1));
}

void check(const GridLayout& g, std::size_t numbers) {
  if (g.channels != 1 && g.channels != 3)
    throw std::invalid_argument("an image has " + std::to_string(g.channels) +
                                " channels; allowed: 1 (grey) or 3 (RGB)");
  const bool fits = g.batch >= 1 && g.height >= 1 && g.width >= 1 &&
                    static_cast<std::size_t>(g.batch) * static_cast<std::size_t>(g.channels) *
                            static_cast<std::size_t>(g.height) * static_cast<std::size_t>(g.width) ==
                        numbers;
  if (!fits)
    throw std::invalid_argument("a grid of shape [" + std::to_string(g.batch) + ", " + std::to_string(g.channels) +
                                ", " + std::to_string(g.height) + ", " + std::to_string(g.width) + "] does not fit " +
                                std::to_string(numbers) + " numbers");
}

}  // namespace

std::uint8_t to_byte(float x) {
  const float scaled = x * 127.5f + 128.0f;
  return scaled > 0.0f ? static_cast<std::uint8_t>(std::min(scaled, 255.0f)) : std::uint8_t{0};
}

Image grid(std::span<const float> data, const GridLayout& layout) {
  check(layout, data.size());
  const auto [batch, channels, height, width, wanted_columns, scale, gap] = layout;
  const int columns = wanted_columns > 0 ? wanted_columns : static_cast<int>(std::ceil(std::sqrt(batch)));
  const int rows = (batch + columns - 1) / columns;
  Image image(columns * (width * scale + gap) - gap, rows * (height * scale + gap) - gap, channels);
  const auto fill = [&, side = scale](int left, int top, int channel, std::uint8_t byte) {
    for (int v = 0; v < side; ++v)
      for (int u = 0; u < side; ++u) image.at(left + u, top + v, channel) = byte;
  };
  const float* value = data.data();
  for (int b = 0; b < batch; ++b) {
    const int left = b % columns * (width * scale + gap), top = b / columns * (height * scale + gap);
    for (int c = 0; c < channels; ++c)
      for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) fill(left + x * scale, top + y * scale, c, to_byte(*value++));
  }
  return image;
}

Image page(const std::vector<Panel>& panels, int rows, int text_scale) {
  const int margin = 8 * text_scale, line = line_height * text_scale;
  int width = 0, height = 0, lines = 0, channels = 1;  // of the largest panel
  for (const Panel& panel : panels) {
    width = std::max(width, panel.image.width);
    for (const std::string& text : panel.title) width = std::max(width, text_width(text, text_scale));
    height = std::max(height, panel.image.height);
    lines = std::max(lines, static_cast<int>(panel.title.size()));
    channels = std::max(channels, panel.image.channels);
  }
  const int count = static_cast<int>(panels.size()), columns = (count + rows - 1) / rows;
  const int column_width = width + margin, row_height = lines * line + height + margin;
  Image out(margin + columns * column_width, margin + rows * row_height, channels);
  for (int i = 0; i < count; ++i) {
    const Panel& panel = panels[static_cast<std::size_t>(i)];
    const int left = margin + i % columns * column_width, top = margin + i / columns * row_height;
    for (std::size_t k = 0; k < panel.title.size(); ++k)
      draw_text(out, panel.title[k], left, top + static_cast<int>(k) * line, text_scale);
    paste(out, panel.image, left, top + lines * line);
  }
  return out;
}

void write_png(const std::filesystem::path& path, const Image& image) {
  io::atomic_write(path, [&](std::ostream& out) {
    const auto append = [](void* stream, void* data, int size) {
      static_cast<std::ostream*>(stream)->write(static_cast<const char*>(data), size);
    };
    if (!stbi_write_png_to_func(append, &out, image.width, image.height, image.channels, image.pixels.data(),
                                image.width * image.channels))
      throw std::runtime_error(path.string() + ": cannot be encoded as PNG");
  });
}

}  // namespace fewstep::examples
