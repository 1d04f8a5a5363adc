// Reading safetensors files.
#pragma once

#include "../../enum_names.hpp"
#include "../file_error.hpp"
#include "../json_file.hpp"
#include "content.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace fewstep::io {

namespace detail {

/// The position of a tensor's bytes, counted from the end of the header.
struct ByteRange {
  std::uint64_t begin = 0, end = 0;
};

inline bool is_count(const nlohmann::json& json) { return json.is_number_unsigned(); }

/// Parses an entry of the header.
/// @return the array without its bytes, and their position
/// @throws std::exception naming the value at fault.
inline std::pair<Array, ByteRange> parse_entry(const nlohmann::json& entry) {
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets"))
    throw std::runtime_error("needs exactly dtype, shape and data_offsets");
  Array array;
  array.dtype = parse<Dtype>("dtype", text_for_message(entry["dtype"]));
  const nlohmann::json &shape = entry["shape"], &offsets = entry["data_offsets"];
  if (!shape.is_array() || !std::all_of(shape.begin(), shape.end(), is_count))
    throw std::runtime_error("shape must be a list of non-negative integers, got " + shape.dump());
  if (!offsets.is_array() || offsets.size() != 2 || !std::all_of(offsets.begin(), offsets.end(), is_count))
    throw std::runtime_error("data_offsets must be two non-negative integers, got " + offsets.dump());
  array.shape = shape.get<std::vector<std::int64_t>>();
  const ByteRange range{offsets[0].get<std::uint64_t>(), offsets[1].get<std::uint64_t>()};
  const std::uint64_t expected = fewstep::detail::byte_count(array.dtype, array.shape);
  if (range.end < range.begin || range.end - range.begin != expected)
    throw std::runtime_error("data_offsets " + offsets.dump() + " do not hold the " + std::to_string(expected) +
                             " bytes of dtype and shape");
  return {std::move(array), range};
}

inline std::map<std::string, std::string> parse_metadata(const nlohmann::json& json) {
  const auto is_text = [](const nlohmann::json& value) { return value.is_string(); };
  if (!json.is_object() || !std::all_of(json.begin(), json.end(), is_text))
    throw std::runtime_error("__metadata__ must map strings to strings");
  return json.get<std::map<std::string, std::string>>();
}

/// Parses the header. Stricter than nlohmann::json::parse, which keeps the last of several values of one key and
/// recurses as deep as the text nests.
inline nlohmann::json parse_header(const std::string& text) {
  constexpr int depth_limit = 3;  // header, entry, shape
  using Event = nlohmann::json::parse_event_t;
  std::set<std::string> names;
  nlohmann::json header;
  try {
    header = nlohmann::json::parse(text, [&](int depth, Event event, nlohmann::json& value) {
      if (depth > depth_limit) throw std::runtime_error("the header nests deeper than tensors do");
      if (depth == 1 && event == Event::key && !names.insert(value.get<std::string>()).second)
        throw std::runtime_error("tensor " + value.get<std::string>() + " appears twice");
      return true;
    });
  } catch (const nlohmann::json::exception&) {
    throw std::runtime_error("not a safetensors file (the header is not JSON)");
  }
  if (!header.is_object()) throw std::runtime_error("not a safetensors file (the header is not a JSON object)");
  return header;
}

/// Checks that the ranges, sorted by their beginning, tile the data: without overlaps, gaps or trailing bytes.
inline void require_tiling(const std::map<std::string, ByteRange>& named, std::uint64_t data_size) {
  std::vector<ByteRange> ranges;
  for (const auto& [name, range] : named) ranges.push_back(range);
  std::sort(ranges.begin(), ranges.end(), [](const ByteRange& a, const ByteRange& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t covered = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != covered)
      throw std::runtime_error(std::string(begin < covered ? "tensors overlap" : "there is a gap") + " at data byte " +
                               std::to_string((std::min)(begin, covered)));
    covered = end;
  }
  if (covered != data_size)
    throw std::runtime_error("tensors cover " + std::to_string(covered) + " of " + std::to_string(data_size) +
                             " data bytes");
}

/// A safetensors file that is open for reading.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::filesystem::path& path) : in_(path, std::ios::binary) {
    std::error_code no_size;
    file_size_ = std::filesystem::file_size(path, no_size);
    if (no_size || !in_) throw std::runtime_error("cannot be read");
  }

  Safetensors read() {
    const nlohmann::json header = parse_header(header_text());
    Safetensors file;
    std::map<std::string, ByteRange> ranges;
    for (const auto& item : header.items()) {
      const std::string& name = item.key();
      if (name == "__metadata__") {
        file.metadata = parse_metadata(item.value());
        continue;
      }
      naming_tensor(name, [&] {
        auto [array, range] = parse_entry(item.value());
        require_in_file(range);
        ranges.emplace(name, range);
        file.tensors.emplace(name, std::move(array));
      });
    }
    require_tiling(ranges, data_size());  // before data are read, which overlapping tensors would multiply
    for (auto& tensor : file.tensors)
      naming_tensor(tensor.first, [&] { tensor.second.bytes = bytes(ranges.at(tensor.first)); });
    return file;
  }

 private:
  std::uint64_t data_size() const { return file_size_ - data_begin_; }

  template <class F>
  static void naming_tensor(const std::string& name, F f) {
    try {
      f();
    } catch (const std::exception& error) {
      throw std::runtime_error("tensor " + name + ": " + error.what());
    }
  }

  std::string header_text() {
    std::uint64_t size = 0;
    if (!in_.read(reinterpret_cast<char*>(&size), sizeof size))
      throw std::runtime_error("truncated (shorter than the 8 bytes of the header's length)");
    if (size > (std::min)(file_size_ - sizeof size, header_limit))
      throw std::runtime_error("truncated, or not a safetensors file (the header claims " + std::to_string(size) +
                               " bytes)");
    std::string text(size, '\0');
    if (!in_.read(text.data(), static_cast<std::streamsize>(size)))
      throw std::runtime_error("reading the header failed");
    data_begin_ = sizeof size + size;
    return text;
  }

  void require_in_file(const ByteRange& range) const {
    if (range.end > data_size())
      throw std::runtime_error("data end at byte " + std::to_string(range.end) + ", the file holds " +
                               std::to_string(data_size()) + " (truncated?)");
  }

  std::vector<std::byte> bytes(const ByteRange& range) {
    std::vector<std::byte> all(range.end - range.begin);
    in_.seekg(static_cast<std::streamoff>(data_begin_ + range.begin));
    if (!in_.read(reinterpret_cast<char*>(all.data()), static_cast<std::streamsize>(all.size())))
      throw std::runtime_error("reading its data failed");
    return all;
  }

  std::ifstream in_;
  static constexpr std::uint64_t header_limit = 100'000'000;  // bytes; that of the format's own library
  std::uint64_t file_size_ = 0, data_begin_ = 0;
};

}  // namespace detail

/// Reads a whole file. The header is checked against the file's size before data are read.
///
/// @throws std::runtime_error "PATH: WHAT", naming the tensor where one is at fault.
inline Safetensors read_safetensors(const std::filesystem::path& path) {
  require_regular_file(path);
  try {
    return detail::SafetensorsReader(path).read();
  } catch (const std::runtime_error& error) {
    throw file_error(path, error.what());
  }
}

}  // namespace fewstep::io
