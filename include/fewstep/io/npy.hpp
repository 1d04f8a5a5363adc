// NumPy's array files (.npy): numpy.load(path) and numpy.save(path, array).
#pragma once

#include "../array/array.hpp"
#include "../errors.hpp"
#include "atomic_write.hpp"
#include "file_error.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fewstep::io {

/// read_npy rejects files with more bytes than this.
inline constexpr std::uint64_t npy_size_limit = std::uint64_t{1} << 36;

namespace detail {

/// NumPy's names of the element types.
inline constexpr std::array<std::pair<std::string_view, Dtype>, 12> npy_types{{{"|b1", Dtype::boolean},
                                                                               {"|u1", Dtype::u8},
                                                                               {"|i1", Dtype::i8},
                                                                               {"<u2", Dtype::u16},
                                                                               {"<i2", Dtype::i16},
                                                                               {"<f2", Dtype::f16},
                                                                               {"<u4", Dtype::u32},
                                                                               {"<i4", Dtype::i32},
                                                                               {"<f4", Dtype::f32},
                                                                               {"<u8", Dtype::u64},
                                                                               {"<i8", Dtype::i64},
                                                                               {"<f8", Dtype::f64}}};

/// The header of a .npy file, a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
class NpyHeader {
 public:
  explicit NpyHeader(std::string_view text) : rest_(text) {}

  /// @throws std::invalid_argument for text that is no such dictionary, or arrays that are not supported.
  Array parse() {
    Array array;
    bool has_type = false, has_shape = false, has_order = false;
    expect("{");
    while (!take("}")) {
      const std::string_view key = quoted();
      expect(":");
      if (key == "descr") array.dtype = type(), has_type = true;
      else if (key == "fortran_order") order(), has_order = true;
      else if (key == "shape") array.shape = shape(), has_shape = true;
      else refuse("a key of the header", key, "descr, fortran_order, shape");
      if (!take(",")) {
        expect("}");
        break;
      }
    }
    require(has_type && has_shape && has_order, "the header", "incomplete", "descr, fortran_order and shape");
    return array;
  }

 private:
  void skip_spaces() { rest_.remove_prefix((std::min)(rest_.find_first_not_of(" \n\t"), rest_.size())); }
  bool take(std::string_view text) {
    skip_spaces();
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  void expect(std::string_view text) {
    if (!take(text)) refuse("the header", rest_.substr(0, 20), {"`", text, "` here"});
  }
  std::string_view quoted() {
    expect("'");
    const std::size_t end = rest_.find('\'');
    require(end != rest_.npos, "the header", "incomplete", "text that ends");
    const std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return text;
  }
  Dtype type() {
    skip_spaces();
    require(rest_.starts_with('\''), "the element type", rest_.substr(0, 20), "a type of numbers: no fields");
    const std::string_view name = quoted();
    for (const auto& [npy, dtype] : npy_types)
      if (npy == name) return dtype;
    std::string allowed;
    for (const auto& [npy, dtype] : npy_types) allowed.append(allowed.empty() ? "" : ", ").append(npy);
    refuse("the element type", name, allowed);
  }
  void order() {
    require(!take("True"), "fortran_order", "True", "False; numpy.ascontiguousarray(array) has it");
    expect("False");
  }
  std::vector<std::int64_t> shape() {
    std::vector<std::int64_t> extents;
    expect("(");
    while (!take(")")) {
      skip_spaces();
      std::int64_t extent = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), extent);
      require(error == std::errc() && extent >= 0, "an extent of the shape", rest_.substr(0, 20), "0 or more");
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      extents.push_back(extent);
      if (!take(",")) {
        expect(")");
        break;
      }
    }
    return extents;
  }

  std::string_view rest_;
};

inline constexpr std::string_view npy_magic = "\x93NUMPY";

}  // namespace detail

/// Reads a .npy file of format 1 to 3 with little-endian numbers in C order.
///
/// @throws std::runtime_error "PATH: WHAT" for a file that cannot be read, is malformed, or has another size.
inline Array read_npy(const std::filesystem::path& path) {
  require_regular_file(path);
  const std::uint64_t size = std::filesystem::file_size(path);
  std::ifstream in(path, std::ios::binary);
  if (!in) throw file_error(path, "cannot be read");
  return detail::naming_file(path, [&] {
    require(size <= npy_size_limit, "the size of the file", size, {npy_size_limit, " bytes or less"});
    const auto bytes = [&](std::size_t count) {
      std::string text(count, '\0');
      in.read(text.data(), static_cast<std::streamsize>(count));
      require(static_cast<std::size_t>(in.gcount()) == count, "the file", "too short", "a complete .npy file");
      return text;
    };
    const std::string start = bytes(8);
    require(start.starts_with(detail::npy_magic), "the file", "something else", "a .npy file");
    const auto version = static_cast<int>(static_cast<unsigned char>(start[6]));
    require(version >= 1 && version <= 3, "the version of .npy", version, "1 to 3");
    const std::string length_bytes = bytes(version == 1 ? 2 : 4);
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < length_bytes.size(); ++i)
      length |= std::uint64_t{static_cast<unsigned char>(length_bytes[i])} << (8 * i);
    require(length <= size, "the length of the header", length, {"at most that of the file, ", size});
    const std::string header = bytes(static_cast<std::size_t>(length));
    Array array = detail::NpyHeader(header).parse();
    const std::uint64_t count = fewstep::detail::byte_count(array.dtype, array.shape);
    const std::uint64_t rest = size - static_cast<std::uint64_t>(in.tellg());
    require(count == rest, "the size of the data", rest, {count, " bytes, as the shape has"});
    array.bytes.resize(static_cast<std::size_t>(count));
    in.read(reinterpret_cast<char*>(array.bytes.data()), static_cast<std::streamsize>(count));
    require(static_cast<std::uint64_t>(in.gcount()) == count, "the file", "too short", "a complete .npy file");
    return array;
  });
}

/// Writes a .npy file of format 1, atomically.
///
/// @throws std::invalid_argument for bytes that do not fill the shape, or BF16, which NumPy does not have;
///         std::runtime_error if the file cannot be written.
inline void write_npy(const std::filesystem::path& path, const Array& array) {
  const std::uint64_t count = fewstep::detail::byte_count(array.dtype, array.shape);
  require(array.bytes.size() == count, "the size of the data", array.bytes.size(), {count, " bytes, as the shape has"});
  const auto* type = std::find_if(detail::npy_types.begin(), detail::npy_types.end(),
                                  [&](const auto& one) { return one.second == array.dtype; });
  require(type != detail::npy_types.end(), "the element type", to_string(array.dtype), "types that NumPy has");
  std::string header = "{'descr': '" + std::string(type->first) + "', 'fortran_order': False, 'shape': (";
  for (const std::int64_t extent : array.shape)
    header += std::to_string(extent) + ",";  // the last comma makes one extent a tuple too
  header += "), }";
  constexpr std::size_t preamble = 10;   // magic, version, length of the header
  constexpr std::size_t alignment = 64;  // the data start at a multiple of this
  header.append(alignment - 1 - (preamble + header.size()) % alignment, ' ');
  header += '\n';
  atomic_write(path, [&](std::ostream& out) {
    const std::size_t size = header.size();
    out << detail::npy_magic << '\x01' << '\0' << static_cast<char>(size & 0xff) << static_cast<char>(size >> 8)
        << header;
    out.write(reinterpret_cast<const char*>(array.bytes.data()), static_cast<std::streamsize>(array.bytes.size()));
  });
}

}  // namespace fewstep::io
