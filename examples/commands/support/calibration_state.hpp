// An unfinished calibration as a file, from which it is resumed.
#pragma once

#include <fewstep/fitting/calibration/options.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace fewstep::examples {

/// @param command  everything that decides the calibration
/// @throws std::runtime_error if the file cannot be written.
void write_calibration_state(const std::filesystem::path& path, const std::string& command, bool analytic_first_step,
                             const CalibrationProgress& progress);

/// @return nothing where there is no file
/// @throws std::runtime_error for a malformed file, and for one of another command.
std::optional<CalibrationProgress> read_calibration_state(const std::filesystem::path& path,
                                                          const std::string& command);

}  // namespace fewstep::examples
