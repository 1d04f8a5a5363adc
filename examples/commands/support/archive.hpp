// Checkpoints: LibTorch's archives, written atomically and read with errors that name the file.
#pragma once

#include <torch/serialize/archive.h>

#include <filesystem>
#include <functional>

namespace fewstep::examples {

/// Writes an archive atomically. It is serialised in memory, since LibTorch ends the process when a disk is full.
/// @throws std::runtime_error "writing PATH failed: REASON".
void save_archive(const std::filesystem::path& path, torch::serialize::OutputArchive& archive);

/// Reads an archive by `read`.
/// @throws std::runtime_error "PATH: WHAT; remove it to start over" for a damaged file, and for what `read` throws.
void load_archive(const std::filesystem::path& path, const std::function<void(torch::serialize::InputArchive&)>& read);

}  // namespace fewstep::examples
