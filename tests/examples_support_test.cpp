// The small helpers of the examples.
#include "support/catch.hpp"

#include "../examples/support/image_grid.hpp"
#include "../examples/support/npy.hpp"
#include "../examples/support/seeds.hpp"

#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <stb_image.h>
#pragma GCC diagnostic pop

#include <fstream>
#include <sstream>

using namespace fewstep::examples;
namespace fs = std::filesystem;

TEST_CASE("seeds") {
  CHECK(parse_seeds("3") == std::vector<std::uint64_t>{3});
  CHECK(parse_seeds("0-3,70,9-9") == std::vector<std::uint64_t>{0, 1, 2, 3, 70, 9});
  CHECK(parse_seeds("18446744073709551615") == std::vector<std::uint64_t>{~std::uint64_t{0}});
  for (const char* bad : {"", "5-3", "a", "1-", "-1", "1,,2", "1,", "0-99999999999", "1.5", "99999999999999999999"}) {
    INFO(bad);
    CHECK_THROWS_AS(parse_seeds(bad), std::invalid_argument);
  }
}

TEST_CASE("npy: header and bytes") {
  const fs::path path = fs::temp_directory_path() / "fewstep_test.npy";
  const float data[6] = {1, 2, 3, 4, 5, -6};
  write_npy(path, {2, 3}, data);
  std::ifstream file(path, std::ios::binary);
  std::stringstream stream;
  stream << file.rdbuf();
  const std::string all = stream.str();
  CHECK(all.substr(0, 8) == std::string("\x93NUMPY\x01\x00", 8));
  const std::size_t header = static_cast<unsigned char>(all[8]) + 256u * static_cast<unsigned char>(all[9]);
  CHECK((10 + header) % 64 == 0);
  CHECK(all.substr(10, 58) == "{'descr': '<f4', 'fortran_order': False, 'shape': (2,3,), ");
  REQUIRE(all.size() == 10 + header + sizeof data);
  CHECK(std::memcmp(all.data() + 10 + header, data, sizeof data) == 0);
  fs::remove(path);
  CHECK_THROWS_AS(write_npy("/no/such/folder/x.npy", {2, 3}, data), std::runtime_error);
}

TEST_CASE("png: pixels where they belong, grey and RGB") {
  const fs::path path = fs::temp_directory_path() / "fewstep_test.png";
  const float grey[8] = {-1, 1, 0, -1, 1, 1, -1, 0};              // two images of 2x2
  const float rgb[12] = {1, -1, 0, 0, -1, 1, 0, 0, -1, -1, 1, 0};  // one image of 2x2
  write_png(path, {{"", grey, 2, 1, 2, 2, 2}, {"", rgb, 1, 3, 2, 2, 1}}, 3);
  int width = 0, height = 0, channels = 0;
  unsigned char* pixels = stbi_load(path.c_str(), &width, &height, &channels, 3);
  REQUIRE(pixels != nullptr);
  CHECK(width == 12 + (2 * 8 - 2) + 12 + 6 + 12);
  CHECK(height == 12 + 6 + 12);
  const auto at = [&](int x, int y) { return std::array<int, 3>{pixels[3 * (y * width + x)], pixels[3 * (y * width + x) + 1], pixels[3 * (y * width + x) + 2]}; };
  CHECK(at(12, 12) == std::array<int, 3>{0, 0, 0});
  CHECK(at(15, 12) == std::array<int, 3>{255, 255, 255});
  CHECK(at(12, 15) == std::array<int, 3>{128, 128, 128});
  CHECK(at(20, 12) == std::array<int, 3>{255, 255, 255});   // the second image
  CHECK(at(20, 15) == std::array<int, 3>{0, 0, 0});
  CHECK(at(38, 12) == std::array<int, 3>{255, 0, 0});       // RGB
  CHECK(at(41, 12) == std::array<int, 3>{0, 255, 0});
  stbi_image_free(pixels);
  fs::remove(path);
  CHECK(to_byte(-2) == 0);
  CHECK(to_byte(0.999f) == 255);
  CHECK(to_byte(std::nanf("")) == 0);
  CHECK_THROWS_AS(write_png(path, {{"", grey, 1, 2, 2, 2, 1}}), std::invalid_argument);
}
