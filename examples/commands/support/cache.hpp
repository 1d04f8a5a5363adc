// A cache of computed arrays on disk, for long runs that are resumed and for teachers that several runs share.
#pragma once

#include <fewstep/array/array.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>

namespace fewstep::examples {

/// 64 bits as 16 hexadecimal digits.
std::string hex(std::uint64_t number);

/// The hash of a file's content in 16 digits, to describe what was computed with it.
/// @throws std::runtime_error if the file cannot be read.
std::string fingerprint(const std::filesystem::path& path);

/// A folder of safetensors files, one for each result. A file is named by a hash of the result's description, which it
/// also contains.
class Cache {
 public:
  using Arrays = std::map<std::string, Array>;

  /// @param folder  created when the first result is written; empty: nothing is stored
  explicit Cache(std::filesystem::path folder = {}) : folder_(std::move(folder)) {}

  /// Returns the stored result with this description, or makes and stores it.
  /// @param description  everything that decides the result
  Arrays operator()(const std::string& description, const std::function<Arrays()>& make) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace fewstep::examples
