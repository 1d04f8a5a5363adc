// The small tools of the examples: other code reads what they write, and they reject wrong input in one line.
#include "../examples/commands/support/bitmap_font.hpp"
#include "../examples/commands/support/emoji.hpp"
#include "../examples/commands/support/image_grid.hpp"
#include "../examples/commands/support/output.hpp"
#include "../examples/commands/support/plot.hpp"
#include "../examples/commands/support/png_reader.hpp"
#include "../examples/commands/support/process.hpp"
#include "../examples/commands/support/progress.hpp"
#include "../examples/commands/support/seeds.hpp"
#include "../examples/commands/support/signals.hpp"
#include "support/catch.hpp"

#include <fewstep/io/atomic_write.hpp>

#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_image.h>
#pragma GCC diagnostic pop

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace fewstep::examples;
namespace fs = std::filesystem;

namespace {

/// A folder that is removed at the end of its test.
struct Scratch {
  fs::path dir = fs::path(FEWSTEP_BINARY_DIR) / "scratch_examples_support";
  Scratch() {
    fs::remove_all(dir);
    fs::create_directories(dir);
  }
  ~Scratch() { fs::remove_all(dir); }
};

std::string bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Image decoded(const fs::path& path) {
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> data(stbi_load(path.c_str(), &width, &height, &channels, 0),
                                                       stbi_image_free);
  REQUIRE(data);
  Image image(width, height, channels);
  std::copy_n(data.get(), image.pixels.size(), image.pixels.begin());
  return image;
}

/// The message of what `action` throws, which must be one line.
template <class Error, class Action>
std::string refusal(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    const std::string message = error.what();
    CHECK(message.find('\n') == message.npos);
    return message;
  }
  return "(accepted)";
}

std::string seeds_refusal(const char* text) {
  return refusal<std::invalid_argument>([&] { parse_seeds(text); });
}

}  // namespace

TEST_CASE("seeds: numbers and ranges keep their order") {
  using Seeds = std::vector<std::uint64_t>;
  CHECK(parse_seeds("7") == Seeds{7});
  CHECK(parse_seeds("3-5,9,0-1") == Seeds{3, 4, 5, 9, 0, 1});
  CHECK(parse_seeds("0-63").size() == 64);
  CHECK(parse_seeds("18446744073709551614-18446744073709551615") ==
        Seeds{18446744073709551614u, 18446744073709551615u});
  CHECK(parse_seeds("0-999999").size() == 1'000'000);
}

TEST_CASE("seeds: malformed lists are rejected with the reason") {
  const std::string allowed = "; allowed: numbers and ranges such as 0-63,70,80-90";
  CHECK(seeds_refusal("") == "seeds '': '' is not a number or a range" + allowed);
  CHECK(seeds_refusal("9-3") == "seeds '9-3': '9-3' is empty: it ends before it starts" + allowed);
  CHECK(seeds_refusal("1,x,3") == "seeds '1,x,3': 'x' is not a number or a range" + allowed);
  CHECK(seeds_refusal("18446744073709551616") ==
        "seeds '18446744073709551616': '18446744073709551616' does not fit in 64 bits" + allowed);
  CHECK(seeds_refusal("5,0-999999") == "seeds '5,0-999999': '0-999999' makes more than a million seeds" + allowed);
  for (const char* text : {",", "1,", ",1", "1,,2", "-", "-1", "1-", "1-2-3", "1.5", "+1", " 1", "1 ", "0x1", "1e3",
                           "0-18446744073709551615"}) {
    INFO(text);
    CHECK(seeds_refusal(text).find(allowed) != std::string::npos);
  }
}

TEST_CASE("atomic_write: concurrent writers of one path all succeed and leave one whole file") {
  const Scratch scratch;
  const fs::path path = scratch.dir / "shared.txt";
  std::vector<std::string> texts;
  for (char c = 'a'; c < 'e'; ++c) texts.emplace_back(50'000, c);
  std::atomic<int> failed = 0;
  std::vector<std::thread> writers;
  for (const std::string& text : texts)
    writers.emplace_back([&] {
      for (int k = 0; k < 50; ++k) {
        try {
          fewstep::io::atomic_write(path, [&](std::ostream& out) { out << text; });
        } catch (const std::exception&) {
          ++failed;
        }
      }
    });
  for (std::thread& writer : writers) writer.join();
  CHECK(failed == 0);
  CHECK(std::count(texts.begin(), texts.end(), bytes_of(path)) == 1);
  CHECK(std::distance(fs::directory_iterator(scratch.dir), {}) == 1);
}

TEST_CASE("outputs: a path is tried and locked, and nothing is left behind") {
  const Scratch scratch;
  const fs::path path = scratch.dir / "a.png";
  check_output("out", path, ".png");
  CHECK_FALSE(fs::exists(path));
  CHECK(fs::exists(path.string() + ".lock"));
  CHECK(std::distance(fs::directory_iterator(scratch.dir), {}) == 1);
  CHECK(refusal<std::invalid_argument>([&] { check_output("npy", scratch.dir / "." / "a.png", ""); }) ==
        "npy is " + (scratch.dir / "." / "a.png").string() + "; allowed: files that no other process or option writes");
  check_output_folder("cache", scratch.dir / "new" / "cache");
  CHECK(fs::is_empty(scratch.dir / "new" / "cache"));
  std::ofstream(scratch.dir / "file") << "text";
  CHECK(refusal<std::invalid_argument>([&] {
          check_output_folder("cache", scratch.dir / "file");
        }).ends_with("; allowed: folders: this is a file"));
}

TEST_CASE("outputs: a disk that cannot be written is found before the work, with the system's reason") {
  const Scratch scratch;
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit full{0, before.rlim_max};
  std::string file, folder;
  setrlimit(RLIMIT_FSIZE, &full);
  file = refusal<std::runtime_error>([&] { check_output("out", scratch.dir / "b.png", ""); });
  folder = refusal<std::runtime_error>([&] { check_output_folder("cache", scratch.dir); });
  setrlimit(RLIMIT_FSIZE, &before);
  CHECK(file == "writing " + (scratch.dir / "b.png").string() + " failed: File too large");
  CHECK(folder == "writing " + (scratch.dir / "cache").string() + " failed: File too large");
  CHECK(std::distance(fs::directory_iterator(scratch.dir), {}) == 1);  // the lock, until the process ends
  CHECK(refusal<std::runtime_error>([&] {
          check_output("out", scratch.dir / std::string(250, 'a'), "");
        }).ends_with("failed: File name too long"));
}

TEST_CASE("logs: lines are appended, and a full disk is an error") {
  const Scratch scratch;
  for (const char* text : {"one", "two"}) Log(scratch.dir / "a.log").write(text);
  CHECK(bytes_of(scratch.dir / "a.log") == "one\ntwo\n");
  CHECK(refusal<std::runtime_error>([] { Log("/dev/full").write("one"); }) ==
        "writing /dev/full failed: No space left on device");
  CHECK(refusal<std::runtime_error>([&] {
          Log(scratch.dir / "no" / "a.log");
        }).ends_with("a.log failed: No such file or directory"));
}

TEST_CASE("signals: the first one is remembered, and the exit status tells it") {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    CHECK(run_main([] { throw_if_interrupted(); }) == 0);
    CHECK(run_main([&] {
            std::raise(number);
            CHECK(interrupted());
            std::raise(number);  // as `timeout` does, which signals the process and then its group
            run_keeping([] { return "the state is kept"; }, [] { throw_if_interrupted(); });
          }) == 128 + number);
  }
  std::signal(SIGINT, SIG_IGN);
  CHECK(run_main([] {
          std::raise(SIGINT);
          throw_if_interrupted();
        }) == 0);
  std::signal(SIGINT, SIG_DFL);
}

TEST_CASE("signals: one more than a second after the first ends the process") {
  const pid_t child = fork();
  if (child == 0) {
    catch_signals();
    std::raise(SIGTERM);
    std::this_thread::sleep_for(std::chrono::milliseconds(1'100));
    std::raise(SIGINT);
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGINT);
}

TEST_CASE("errors: the first line is printed, its control characters escaped") {
  CHECK(first_line(std::runtime_error("a\x1b[31mb\nframe #0")) == "a\\x1b[31mb");
  CHECK(run_main([] { throw std::runtime_error("shown by the test of run_main()\nnot shown"); }) == 1);
  CHECK(run_main([] { throw 1; }) == 1);
}

TEST_CASE("plots: without gnuplot nothing is drawn and the program continues") {
  const Scratch scratch;
  const char* was = std::getenv("PATH");
  const std::string path = was ? was : "";
  setenv("PATH", scratch.dir.c_str(), 1);
  plot(scratch.dir / "none.png", "100,100", std::string(1'000'000, '#'));  // more than a pipe holds
  setenv("PATH", path.c_str(), 1);
  CHECK(fs::is_empty(scratch.dir));
}

TEST_CASE("images: bytes are those of the published conversion") {
  CHECK(to_byte(-1.0f) == 0);
  CHECK(to_byte(0.0f) == 128);
  CHECK(to_byte(1.0f) == 255);
  CHECK(to_byte(-0.004f) == 127);  // 127.49, truncated
  CHECK(to_byte(-9.0f) == 0);
  CHECK(to_byte(9.0f) == 255);
  CHECK(to_byte(std::numeric_limits<float>::quiet_NaN()) == 0);
}

TEST_CASE("images: a grid survives its PNG file") {
  const Scratch scratch;
  const int channels = GENERATE(1, 3);
  std::vector<float> data(static_cast<std::size_t>(5 * channels * 4 * 6));
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = std::sin(static_cast<float>(i));
  const Image image = grid(data, {.batch = 5, .channels = channels, .height = 4, .width = 6, .scale = 2, .gap = 3});
  CHECK(image.width == 3 * 12 + 2 * 3);
  CHECK(image.height == 2 * 8 + 3);

  const auto path = scratch.dir / "grid.png";
  write_png(path, image);
  const Image back = decoded(path);
  CHECK(back.width == image.width);
  CHECK(back.height == image.height);
  CHECK(back.channels == channels);
  CHECK(back.pixels == image.pixels);

  // Image 4 lies in the second row and column; its last pixel fills a square of 2 x 2.
  for (int c = 0; c < channels; ++c) {
    const auto expected = to_byte(data[static_cast<std::size_t>(((4 * channels + c) * 4 + 3) * 6 + 5)]);
    CHECK(back.at(15 + 11, 11 + 7, c) == expected);
    CHECK(back.at(15 + 10, 11 + 6, c) == expected);
    CHECK(back.at(15 + 12, 11 + 7, c) == 255);  // the gap
  }
}

TEST_CASE("images: a page has its panels and titles in rows") {
  const Scratch scratch;
  const std::vector<float> grey(64 * 64, -1.0f), red{1.0f, -1.0f, -1.0f};
  const Image images = grid(grey, {.batch = 64, .channels = 1, .height = 8, .width = 8, .scale = 4});
  const Image pixel = grid(red, {.batch = 1, .channels = 3, .height = 1, .width = 1, .scale = 50});
  const Image whole = page({{{"Euler", "NFE 5"}, images}, {{"iPNDM"}, images}, {{"one red pixel"}, pixel}}, 2, 2);
  CHECK(whole.channels == 3);  // grey beside RGB
  constexpr int margin = 16, title = 2 * 24;
  const int row = title + images.height + margin;
  CHECK(whole.width == margin + 2 * (images.width + margin));
  CHECK(whole.height == margin + 2 * row);
  const auto path = scratch.dir / "page.png";
  write_png(path, whole);
  const Image back = decoded(path);
  CHECK(back.pixels == whole.pixels);

  const auto dark = [&](int left, int right, int top, int bottom) {  // pixels of letters
    int count = 0;
    for (int y = top; y < bottom; ++y)
      for (int x = left; x < right; ++x) count += back.at(x, y, 0) == 32;
    return count;
  };
  const int second = margin + images.width + margin;               // column
  CHECK(dark(margin, second, margin, margin + 24) > 100);          // Euler
  CHECK(dark(margin, second, margin + 24, margin + title) > 100);  // NFE 5
  CHECK(dark(second, back.width, margin, margin + 24) > 100);      // iPNDM
  CHECK(dark(second, back.width, margin + 24, back.height) == 0);
  CHECK(dark(margin, second, margin + title, margin + row) == 0);
  CHECK(dark(margin, second, margin + row, margin + row + 24) > 100);  // one red pixel
  CHECK(back.at(second, margin + title, 0) == 0);
  CHECK(back.at(margin, margin + row + title, 0) == 255);
  CHECK(back.at(margin, margin + row + title, 1) == 0);
}

TEST_CASE("images: wrong channels and shapes are rejected") {
  const std::vector<float> data(2 * 2 * 4 * 4);
  CHECK(refusal<std::invalid_argument>([&] { grid(data, {.batch = 2, .channels = 2, .height = 4, .width = 4}); }) ==
        "an image has 2 channels; allowed: 1 (grey) or 3 (RGB)");
  CHECK(refusal<std::invalid_argument>([&] { grid(data, {.batch = 3, .channels = 1, .height = 4, .width = 4}); }) ==
        "a grid of shape [3, 1, 4, 4] does not fit 64 numbers");
}

TEST_CASE("progress: the line has the rate and the time left") {
  CHECK(progress_line("sampling", 16, 64, "images", 16, 8.0, "") ==
        "sampling [======                  ]  25%  2.00 images/s  0:24 left");
  // An earlier run did 50,000: the rate is that of this run.
  CHECK(progress_line("training", 60000, 100000, "images", 10000, 20.0, "loss 0.18") ==
        "training [==============          ]  60%  500 images/s  1:20 left  loss 0.18");
  CHECK(progress_line("x", 5, 5, "steps", 5, 3725.0, "") ==
        "x [========================] 100%  0.00 steps/s  in 1:02:05");
  CHECK(progress_line("x", 0, 5, "steps", 0, 0.0, "") == "x [                        ]   0%");
}

namespace {

std::string big_endian(std::size_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 255);
  return text;
}
std::string u16(std::size_t value) { return big_endian(value, 2); }
std::string u32(std::size_t value) { return big_endian(value, 4); }

/// A font whose glyphs 5, 6, ... are these PNG files, for the code points from `first` on.
std::string bitmap_font(const std::vector<std::string>& pngs, std::size_t first, int index_format = 1,
                        int image_format = 17) {
  const std::string metrics(image_format == 17 ? 5 : 8, '\0');
  std::string images, offsets;
  const auto width = index_format == 1 ? 4 : 2;
  for (const std::string& png : pngs) {
    offsets += big_endian(images.size(), width);
    images += metrics + u32(png.size()) + png;
  }
  offsets += big_endian(images.size(), width);
  const std::size_t count = pngs.size();
  const std::string cbdt = u32(0x30000) + images;
  const std::string index =
      u16(static_cast<std::size_t>(index_format)) + u16(static_cast<std::size_t>(image_format)) + u32(4) + offsets;
  const std::string cblc = u32(0x30000) + u32(1) + u32(56) + u32(8 + index.size()) + u32(1) + std::string(36, '\0') +
                           u16(5) + u16(5 + count - 1) + u32(8) + index;
  const std::string cmap = u16(0) + u16(1) + u16(3) + u16(10) + u32(12) + u16(12) + u16(0) + u32(28) + u32(0) + u32(1) +
                           u32(first) + u32(first + count - 1) + u32(5);
  std::string font = u32(0x10000) + u16(3) + std::string(6, '\0'), body;
  for (const auto& [name, table] : {std::pair{"CBDT", cbdt}, std::pair{"CBLC", cblc}, std::pair{"cmap", cmap}}) {
    font += name + u32(0) + u32(12 + 3 * 16 + body.size()) + u32(table.size());
    body += table;
  }
  return font + body;
}

void write_bytes(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

}  // namespace

TEST_CASE("emoji: pictures of a font, averaged over blocks on white, by the groups of Unicode's list") {
  const Scratch scratch;
  // 64 pixels high, so that 2x2 become one, and 8 columns wider, which are cut off.
  Image picture(72, 64, 4, 0);
  for (int y = 0; y < 2; ++y)
    for (int x = 4; x < 6; ++x) {
      picture.at(x, y, 0) = static_cast<std::uint8_t>(x == 4 ? 255 : 51);  // red, in the mean 0.6
      picture.at(x, y, 3) = 255;
    }
  picture.at(67, 63, 3) = 102;  // black of opacity 0.4, in one of the last four
  write_png(scratch.dir / "a.png", picture);
  const std::string png = bytes_of(scratch.dir / "a.png");
  const fs::path font = scratch.dir / "font.ttf", list = scratch.dir / "list.txt";
  write_bytes(
      list,
      "# group: Smileys & Emotion\n1F600 ; fully-qualified # a face\n1F601 1F3FB ; fully-qualified # a sequence\n"
      "# group: Flags\n1F602 ; fully-qualified # left out\n# group: Symbols\n\n"
      "1F603 FE0F ; fully-qualified # in colour\n1F603 ; unqualified # the same\n1F6FF ; fully-qualified # none\n");
  for (const int index : {1, 3})
    for (const int image : {17, 18}) {
      write_bytes(font, bitmap_font({png, png, png, png}, 0x1F600, index, image));
      const std::vector<Emoji> all = load_emoji(font, list);
      REQUIRE(all.size() == 2);
      CHECK(all[0].code_point == 0x1F600);
      CHECK(all[0].label == 0);
      CHECK(all[1].code_point == 0x1F603);
      CHECK(all[1].label == emoji_symbols);
      const std::vector<float>& pixels = all[1].pixels;
      REQUIRE(pixels.size() == 3 * 32 * 32);
      CHECK(pixels[0] == Approx(0.2));
      CHECK(pixels[32 * 32] == -1);
      CHECK(pixels[1] == 1);
      CHECK(pixels[32 * 32 - 1] == Approx(0.8));
    }
}

TEST_CASE("emoji: malformed fonts, pictures and lists are rejected by name") {
  const Scratch scratch;
  const fs::path font = scratch.dir / "font.ttf", list = scratch.dir / "list.txt";
  write_bytes(list, "# group: Objects\n1F600 ; fully-qualified # a thing\n");
  const auto refused = [&](const std::string& bytes) {
    write_bytes(font, bytes);
    return refusal<std::runtime_error>([&] { load_emoji(font, list); }).substr(font.string().size() + 2);
  };
  const auto png_of = [&](int width, int height) {
    write_png(scratch.dir / "a.png", Image(width, height, 4));
    return bytes_of(scratch.dir / "a.png");
  };
  const std::string good = bitmap_font({png_of(32, 32)}, 0x1F600);
  CHECK(refused(bitmap_font({png_of(40, 48)}, 0x1F600)) ==
        "a picture of 40x48 pixels; allowed: a shorter side of 32, 64, 96, ...");
  CHECK(refused(bitmap_font({"no picture"}, 0x1F600)).starts_with("not a PNG file: "));
  CHECK(refused(bitmap_font({png_of(32, 32)}, 0x1F700)) == "no emoji");
  CHECK(refused(bitmap_font({png_of(32, 32)}, 0x1F600, 2)) == "an index of bitmaps has format 2; allowed: 1, 3");
  CHECK(refused(bitmap_font({png_of(32, 32)}, 0x1F600, 1, 19)) == "a bitmap has format 19; allowed: 17, 18");
  CHECK(refused(std::string(good).replace(good.find("CBDT"), 4, "COLR")) == "not a font with the table CBDT");
  CHECK(refused("") == "not a complete font");
  for (std::size_t size = 0; size < good.size(); ++size) {  // a truncated file, wherever it ends
    write_bytes(font, good.substr(0, size));
    CHECK_THROWS_AS(BitmapFont(font), std::runtime_error);
  }
  for (std::size_t at = 0; at < good.size(); ++at)  // one wrong byte: an error or another font, but no crash
    for (const char byte : {'\0', '\x7f', '\xff'}) {
      std::string wrong = good;
      wrong[at] = byte;
      write_bytes(font, wrong);
      try {
        for (const std::uint32_t code : {0u, 0x1F600u}) static_cast<void>(BitmapFont(font).png(code));
      } catch (const std::runtime_error&) {
      }
    }

  write_bytes(font, good);
  const auto list_refused = [&](const std::string& text) {
    write_bytes(list, text);
    return refusal<std::runtime_error>([&] { load_emoji(font, list); }).substr(list.string().size() + 2);
  };
  CHECK(list_refused("# group: Flags\n1F600 ; fully-qualified\n") == "no emoji of one code point");
  CHECK(list_refused("# group: Objects\n1F6xx ; fully-qualified\n") ==
        "a code point is 1F6xx; allowed: hexadecimal numbers");
  CHECK(refusal<std::runtime_error>([&] { load_emoji(scratch.dir / "none.ttf", list); }) ==
        (scratch.dir / "none.ttf").string() + ": no such file (Debian: apt-get install fonts-noto-color-emoji)");
}

TEST_CASE("emoji: Debian's font has pictures of all of Unicode's groups") {
  if (!fs::exists(emoji_font) || !fs::exists(emoji_list)) {
    WARN("skipped: fonts-noto-color-emoji and unicode-data are not installed");
    return;
  }
  const std::vector<Emoji> all = load_emoji(emoji_font, emoji_list);
  CHECK(all.size() > 1'300);
  const auto one = [&](std::uint32_t code_point) {
    return *std::find_if(all.begin(), all.end(), [&](const Emoji& e) { return e.code_point == code_point; });
  };
  const auto middle = [](const Emoji& e, int channel) {
    return e.pixels[static_cast<std::size_t>(channel * 32 * 32 + 16 * 32 + 16)];
  };
  const Emoji heart = one(0x2764), grapes = one(0x1F347);
  CHECK(emoji_labels.at(static_cast<std::size_t>(heart.label)) == std::string("smileys"));
  CHECK(emoji_labels.at(static_cast<std::size_t>(grapes.label)) == std::string("food"));
  CHECK(middle(heart, 0) > 0.5);  // red
  CHECK(middle(heart, 1) < 0);
  CHECK(heart.pixels[0] == 1);  // white
}
