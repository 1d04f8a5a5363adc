// What was computed before, on disk: long runs that are started again, or share a teacher, find it there.
#pragma once

#include <fewstep/torch/safetensors.hpp>

#include <torch/torch.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

namespace fewstep::examples {

/// FNV-1a, the same on every machine.
inline std::uint64_t hash_of(const std::string& bytes) {
  std::uint64_t h = 14695981039346656037u;
  for (const char c : bytes) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return h;
}

inline std::string hex(std::uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

/// A file's content in 16 digits, to name what was computed with it.
/// @throws std::runtime_error when it cannot be read.
inline std::string fingerprint(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  if (!in) throw std::runtime_error(path.string() + ": cannot be read");
  return hex(hash_of(bytes));
}

/// A folder of safetensors files, each named by a hash of the description of what it holds, which it repeats.
class Cache {
 public:
  using Tensors = std::map<std::string, torch::Tensor>;

  /// @param folder  created when first written to; empty: nothing is kept
  explicit Cache(std::filesystem::path folder = {}) : folder_(std::move(folder)) {}

  /// What make() gave when it was last asked under this description, all that decides the result.
  template <class Make>
  Tensors operator()(const std::string& description, Make make) const {
    const std::filesystem::path path = folder_ / (hex(hash_of(description)) + ".safetensors");
    if (!folder_.empty() && std::filesystem::exists(path)) {
      try {
        io::TensorFile file = io::load_tensors(path);
        if (file.metadata["description"] == description) return file.tensors;
      } catch (const std::runtime_error&) {  // a damaged file is as good as none
      }
    }
    if (!folder_.empty()) std::filesystem::create_directories(folder_);
    Tensors made = make();
    if (!folder_.empty()) io::save_tensors(path, {made, {{"description", description}}});
    return made;
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace fewstep::examples
