// Files of `calibrate`: tables, and the state of an unfinished calibration.
#pragma once

#include <fewstep/fitting/calibration/options.hpp>

#include <fewstep/solvers/table.hpp>

#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fewstep::examples {

/// A table with its analytic first step.
struct StoredTable {
  Table table;
  bool analytic_first_step = false;
  std::string gaussian_start = {};           // file name, in the folder of the table; empty: none
  std::vector<double> guidance_scales = {};  // of a table for a range (GuidanceTable); empty: one that runs
};

/// @throws std::runtime_error as io::read_table().
StoredTable read_stored_table(const std::filesystem::path& path);

/// @param made  how the table was made, for people: "command", ...
/// @throws std::runtime_error as io::write_table().
void write_stored_table(const std::filesystem::path& path, const StoredTable& table,
                        const std::map<std::string, std::string>& made);

/// The state of an unfinished calibration as JSON, and back.
nlohmann::ordered_json to_json(const CalibrationProgress& progress, bool analytic_first_step);
CalibrationProgress progress_from_json(const nlohmann::json& json);
/// Reads the state that a command left in a file.
/// @return nothing if there is no file
/// @throws std::runtime_error for a malformed file, and for one of another command.
std::optional<nlohmann::json> read_state(const std::filesystem::path& path, const std::string& command);

/// Writes the state of an unfinished calibration.
/// @param command  everything that decides the calibration
/// @throws std::runtime_error if the file cannot be written.
void write_calibration_state(const std::filesystem::path& path, const std::string& command, bool analytic_first_step,
                             const CalibrationProgress& progress);

/// Reads that state.
/// @return nothing if there is no file
/// @throws std::runtime_error for a malformed file, and for one of another command.
std::optional<CalibrationProgress> read_calibration_state(const std::filesystem::path& path,
                                                          const std::string& command);

}  // namespace fewstep::examples
