#include "cache.hpp"

#include <fewstep/io/file_error.hpp>
#include <fewstep/io/safetensors.hpp>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace fewstep::examples {

namespace {

/// FNV-1a, which is the same on every machine.
std::uint64_t hash_of(const std::string& bytes) {
  constexpr std::uint64_t basis = 14695981039346656037u, prime = 1099511628211u;
  std::uint64_t hash = basis;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * prime;
  return hash;
}

}  // namespace

std::string hex(std::uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

std::string fingerprint(const std::filesystem::path& path) {
  io::require_regular_file(path);
  std::ifstream in(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  if (!in) throw std::runtime_error(path.string() + ": cannot be read");
  return hex(hash_of(bytes));
}

Cache::Arrays Cache::operator()(const std::string& description, const std::function<Arrays()>& make) const {
  if (folder_.empty()) return make();
  const std::filesystem::path path = folder_ / (hex(hash_of(description)) + ".safetensors");
  if (std::filesystem::exists(path)) {
    try {
      io::Safetensors file = io::read_safetensors(path);
      if (file.metadata["description"] == description) return file.tensors;
    } catch (const std::runtime_error&) {  // a damaged file is replaced
    }
  }
  std::filesystem::create_directories(folder_);
  Arrays made = make();
  io::write_safetensors(path, {made, {{"description", description}}});
  return made;
}

}  // namespace fewstep::examples
