// Writing safetensors files.
#pragma once

#include "../atomic_write.hpp"
#include "../json_file.hpp"
#include "content.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <ostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::io {

namespace detail {

using TensorEntry = const std::pair<const std::string, Array>*;

/// Returns the tensors in the order of the file: larger element types come first, so that each tensor is aligned.
inline std::vector<TensorEntry> file_order(const Safetensors& file) {
  std::vector<TensorEntry> order;
  for (const auto& entry : file.tensors) {
    const auto& [key, array] = entry;
    if (key == "__metadata__") throw std::invalid_argument("a tensor cannot be called __metadata__");
    if (array.bytes.size() != fewstep::detail::byte_count(array.dtype, array.shape))
      throw std::invalid_argument("tensor " + key + ": " + std::to_string(array.bytes.size()) +
                                  " bytes do not match its dtype and shape");
    order.push_back(&entry);
  }
  std::stable_sort(order.begin(), order.end(), [](TensorEntry a, TensorEntry b) {
    return item_size(a->second.dtype) > item_size(b->second.dtype);
  });
  return order;
}

inline std::string header_text(const Safetensors& file, const std::vector<TensorEntry>& order) {
  constexpr std::size_t alignment = 8;  // of the data, for readers that map the file into memory
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!file.metadata.empty()) header["__metadata__"] = nlohmann::json::parse(dump_json(nlohmann::json(file.metadata)));
  std::uint64_t offset = 0;
  for (const TensorEntry entry : order) {
    const auto& [key, array] = *entry;
    const std::uint64_t end = offset + array.bytes.size();
    header[key] = {{"dtype", to_string(array.dtype)}, {"shape", array.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + alignment - 1) / alignment * alignment, ' ');
  return text;
}

}  // namespace detail

/// Writes a whole file, atomically (atomic_write). Every tensor is aligned to its element type.
///
/// @throws std::invalid_argument for a tensor whose bytes do not match its dtype and shape, or whose name is
///         "__metadata__"; std::runtime_error if the file cannot be written.
inline void write_safetensors(const std::filesystem::path& path, const Safetensors& file) {
  const std::vector<detail::TensorEntry> order = detail::file_order(file);
  const std::string header = detail::header_text(file, order);
  atomic_write(path, [&](std::ostream& out) {
    const std::uint64_t size = header.size();
    out.write(reinterpret_cast<const char*>(&size), sizeof size);
    out << header;
    for (const detail::TensorEntry entry : order) {
      const std::vector<std::byte>& bytes = entry->second.bytes;
      out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
  });
}

}  // namespace fewstep::io
