// NumPy's array file, for `numpy.load(path)`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace fewstep::examples {

/// Writes float32 data as a .npy file of format 1.0, atomically.
/// @param data   row-major, as many numbers as the shape holds
/// @throws std::invalid_argument if data and shape disagree, std::runtime_error if the file cannot be written.
void write_npy(const std::filesystem::path& path, std::span<const float> data, const std::vector<std::int64_t>& shape);

}  // namespace fewstep::examples
