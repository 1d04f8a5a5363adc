// The safetensors format: named arrays and text metadata in one file, without code in it.
//
// Layout: 8 bytes little-endian length of the header, the header (JSON, name -> {dtype, shape, data_offsets}, and
// "__metadata__" -> {string: string}), then the data, each tensor row-major, without gaps or overlaps.
#pragma once

#include <fewstep/io/atomic_write.hpp>
#include <fewstep/io/json.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fewstep::io {

static_assert(std::endian::native == std::endian::little, "safetensors data are little-endian");

/// Element types of the format.
enum class Dtype { boolean, u8, i8, u16, i16, f16, bf16, u32, i32, f32, u64, i64, f64 };

/// One array: row-major bytes of `dtype` in `shape` (an empty shape is a scalar).
struct Array {
  Dtype dtype = Dtype::f32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
};

/// The content of a safetensors file. Both maps are sorted, so equal contents give equal files.
struct Safetensors {
  std::map<std::string, Array> tensors;
  std::map<std::string, std::string> metadata;
};

namespace detail {

struct DtypeRow {
  Dtype dtype;
  std::string_view name;
  std::uint64_t size;
};

inline constexpr std::array<DtypeRow, 13> dtype_rows{{{Dtype::boolean, "BOOL", 1},
                                                      {Dtype::u8, "U8", 1},
                                                      {Dtype::i8, "I8", 1},
                                                      {Dtype::u16, "U16", 2},
                                                      {Dtype::i16, "I16", 2},
                                                      {Dtype::f16, "F16", 2},
                                                      {Dtype::bf16, "BF16", 2},
                                                      {Dtype::u32, "U32", 4},
                                                      {Dtype::i32, "I32", 4},
                                                      {Dtype::f32, "F32", 4},
                                                      {Dtype::u64, "U64", 8},
                                                      {Dtype::i64, "I64", 8},
                                                      {Dtype::f64, "F64", 8}}};

inline const DtypeRow& dtype_row(Dtype dtype) { return dtype_rows[static_cast<std::size_t>(dtype)]; }

/// Bytes that an array of this type and shape holds; throws when a dimension is negative or the product overflows.
inline std::uint64_t byte_count(Dtype dtype, const std::vector<std::int64_t>& shape) {
  std::uint64_t count = dtype_row(dtype).size;
  for (const std::int64_t extent : shape) {
    if (extent < 0) throw std::runtime_error("shape has the negative extent " + std::to_string(extent));
    const auto factor = static_cast<std::uint64_t>(extent);
    if (factor != 0 && count > (std::numeric_limits<std::uint64_t>::max)() / factor)
      throw std::runtime_error("shape is too large");
    count *= factor;
  }
  return count;
}

/// One header entry: the array without its bytes, and where these lie.
inline std::pair<Array, std::pair<std::uint64_t, std::uint64_t>> parse_entry(const nlohmann::json& entry) {
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets"))
    throw std::runtime_error("needs exactly dtype, shape and data_offsets");

  Array array;
  const nlohmann::json& dtype = entry["dtype"];
  const auto row = std::find_if(dtype_rows.begin(), dtype_rows.end(),
                                [&](const DtypeRow& r) { return dtype.is_string() && dtype == std::string(r.name); });
  if (row == dtype_rows.end()) throw std::runtime_error("unknown dtype " + dtype.dump());
  array.dtype = row->dtype;

  const auto is_count = [](const nlohmann::json& j) { return j.is_number_unsigned(); };
  const nlohmann::json& shape = entry["shape"];
  const nlohmann::json& offsets = entry["data_offsets"];
  if (!shape.is_array() || !std::all_of(shape.begin(), shape.end(), is_count))
    throw std::runtime_error("shape must be a list of non-negative integers, got " + shape.dump());
  if (!offsets.is_array() || offsets.size() != 2 || !std::all_of(offsets.begin(), offsets.end(), is_count))
    throw std::runtime_error("data_offsets must be two non-negative integers, got " + offsets.dump());
  array.shape = shape.get<std::vector<std::int64_t>>();
  const auto begin = offsets[0].get<std::uint64_t>();
  const auto end = offsets[1].get<std::uint64_t>();

  const std::uint64_t expected = byte_count(array.dtype, array.shape);
  if (end < begin || end - begin != expected)
    throw std::runtime_error("data_offsets " + offsets.dump() + " do not hold the " + std::to_string(expected) +
                             " bytes of dtype and shape");
  return {std::move(array), {begin, end}};
}

inline nlohmann::json parse_header(const std::string& text) {
  std::set<std::string> names;
  const auto refuse = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    if (depth > 3) throw std::runtime_error("the header nests deeper than tensors do");
    if (depth == 1 && event == nlohmann::json::parse_event_t::key && !names.insert(value.get<std::string>()).second)
      throw std::runtime_error("tensor " + value.get<std::string>() + " appears twice");
    return true;
  };
  nlohmann::json header;
  try {
    header = nlohmann::json::parse(text, refuse);
  } catch (const nlohmann::json::exception&) {
    throw std::runtime_error("not a safetensors file (the header is not JSON)");
  }
  if (!header.is_object()) throw std::runtime_error("not a safetensors file (the header is not a JSON object)");
  return header;
}

}  // namespace detail

/// The format's name of an element type, e.g. "F32".
inline std::string_view name(Dtype dtype) { return detail::dtype_row(dtype).name; }

/// Bytes of one element.
inline std::uint64_t item_size(Dtype dtype) { return detail::dtype_row(dtype).size; }

/// Reads a whole file. Everything the header claims is checked against the file before any data are used.
///
/// @throws std::runtime_error, one line: the file, the tensor where one is at fault, and what is wrong.
inline Safetensors read_safetensors(const std::filesystem::path& path) {
  const auto fail = [&](const std::string& what) -> std::runtime_error {
    return std::runtime_error(path.string() + ": " + what);
  };
  std::error_code no_size;
  const std::uint64_t file_size = std::filesystem::file_size(path, no_size);
  std::ifstream in(path, std::ios::binary);
  if (no_size || !in) throw fail("no such file, or not readable");

  std::uint64_t header_size = 0;
  if (!in.read(reinterpret_cast<char*>(&header_size), sizeof header_size))
    throw fail("truncated (shorter than the 8 bytes of the header's length)");
  if (header_size > file_size - sizeof header_size)
    throw fail("truncated, or not a safetensors file (the header claims " + std::to_string(header_size) + " bytes)");
  std::string text(header_size, '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(header_size))) throw fail("reading the header failed");
  const std::uint64_t data_begin = sizeof header_size + header_size;
  const std::uint64_t data_size = file_size - data_begin;

  Safetensors file;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  try {
    const nlohmann::json header = detail::parse_header(text);
    for (const auto& [key, value] : header.items()) {
      if (key == "__metadata__") {
        if (!value.is_object() ||
            !std::all_of(value.begin(), value.end(), [](const nlohmann::json& j) { return j.is_string(); }))
          throw std::runtime_error("__metadata__ must map strings to strings");
        file.metadata = value.get<std::map<std::string, std::string>>();
        continue;
      }
      try {
        auto [array, range] = detail::parse_entry(value);
        if (range.second > data_size)
          throw std::runtime_error("data end at byte " + std::to_string(range.second) + ", the file holds " +
                                   std::to_string(data_size) + " (truncated?)");
        array.bytes.resize(range.second - range.first);
        in.seekg(static_cast<std::streamoff>(data_begin + range.first));
        if (!in.read(reinterpret_cast<char*>(array.bytes.data()), static_cast<std::streamsize>(array.bytes.size())))
          throw std::runtime_error("reading its data failed");
        ranges.push_back(range);
        file.tensors.emplace(key, std::move(array));
      } catch (const std::runtime_error& error) {
        throw std::runtime_error("tensor " + key + ": " + error.what());
      }
    }
    // Sorted by their beginning, the ranges must tile the data: this finds overlaps, gaps and trailing bytes at once.
    std::sort(ranges.begin(), ranges.end());
    std::uint64_t covered = 0;
    for (const auto& [begin, end] : ranges) {
      if (begin != covered)
        throw std::runtime_error(std::string(begin < covered ? "tensors overlap" : "there is a gap") +
                                 " at data byte " + std::to_string((std::min)(begin, covered)));
      covered = end;
    }
    if (covered != data_size)
      throw std::runtime_error("tensors cover " + std::to_string(covered) + " of " + std::to_string(data_size) +
                               " data bytes");
  } catch (const std::runtime_error& error) {
    throw fail(error.what());
  }
  return file;
}

/// Writes a whole file, atomically (see atomic_write). Larger element types come first and the header is padded to
/// 8 bytes, so that every tensor is aligned for readers that map the file into memory.
///
/// @throws std::invalid_argument when a tensor's bytes do not match its dtype and shape or is called "__metadata__";
///         std::runtime_error when the file cannot be written.
inline void write_safetensors(const std::filesystem::path& path, const Safetensors& file) {
  std::vector<const std::pair<const std::string, Array>*> order;
  for (const auto& entry : file.tensors) {
    if (entry.first == "__metadata__") throw std::invalid_argument("a tensor cannot be called __metadata__");
    if (entry.second.bytes.size() != detail::byte_count(entry.second.dtype, entry.second.shape))
      throw std::invalid_argument("tensor " + entry.first + ": " + std::to_string(entry.second.bytes.size()) +
                                  " bytes do not match its dtype and shape");
    order.push_back(&entry);
  }
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return item_size(a->second.dtype) > item_size(b->second.dtype);
  });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!file.metadata.empty())
    header["__metadata__"] = nlohmann::json::parse(detail::text_of(nlohmann::json(file.metadata), -1));
  std::uint64_t offset = 0;
  for (const auto* entry : order) {
    const auto& [key, array] = *entry;
    header[key] = {
        {"dtype", name(array.dtype)}, {"shape", array.shape}, {"data_offsets", {offset, offset + array.bytes.size()}}};
    offset += array.bytes.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');

  atomic_write(path, [&](std::ostream& out) {
    const std::uint64_t header_size = text.size();
    out.write(reinterpret_cast<const char*>(&header_size), sizeof header_size);
    out << text;
    for (const auto* entry : order) {
      const std::vector<std::byte>& bytes = entry->second.bytes;
      out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
  });
}

}  // namespace fewstep::io
