#include "table_store.hpp"

#include <fewstep/io/json_file.hpp>
#include <fewstep/io/table_file.hpp>

#include <nlohmann/json.hpp>

#include <exception>
#include <fstream>
#include <stdexcept>

namespace fewstep::examples {

namespace {

/// The command as a JSON file gives it back: what is not UTF-8 is replaced.
std::string as_stored(const std::string& command) {
  return nlohmann::json::parse(io::dump_json(nlohmann::json(command)));
}

}  // namespace

StoredTable read_stored_table(const std::filesystem::path& path) {
  const io::TableFile file = io::read_table(path);
  return {file.table, file.analytic_first_step, file.gaussian_start, file.guidance_scales};
}

void write_stored_table(const std::filesystem::path& path, const StoredTable& stored,
                        const std::map<std::string, std::string>& made) {
  io::write_table(path,
                  {stored.table, stored.analytic_first_step, made, stored.gaussian_start, stored.guidance_scales});
}

nlohmann::ordered_json to_json(const CalibrationProgress& p, bool afs) {
  return {{"stage", p.stage},
          {"start_rms", p.start_rms},
          {"steps_rms", p.steps_rms},
          {"best_rms", p.best_rms},
          {"damping", p.damping},
          {"start_median", p.start_median},
          {"best_median", p.best_median},
          {"best_stage", p.best_stage},
          {"jacobian_batches", p.jacobian_batches},
          {"notes", p.notes},
          {"table", io::to_json({p.table, afs})},
          {"best", io::to_json({p.best, afs})}};
}

CalibrationProgress progress_from_json(const nlohmann::json& j) {
  // Files of earlier versions have other keys.
  const auto at = [&j](const char* key, const char* old_key) { return j.at(j.contains(key) ? key : old_key); };
  return {.stage = j.at("stage"),
          .table = io::table_from_json(j.at("table")).table,
          .best = io::table_from_json(j.at("best")).table,
          .start_rms = at("start_rms", "before"),
          .steps_rms = at("steps_rms", "steps_fitted"),
          .best_rms = at("best_rms", "after"),
          .damping = j.at("damping"),
          .start_median = at("start_median", "usual"),
          .best_median = at("best_median", "median"),
          .best_stage = j.value("best_stage", 0),
          .jacobian_batches = j.value("jacobian_batches", std::size_t{0}),
          .notes = j.at("notes")};
}

std::optional<nlohmann::json> read_state(const std::filesystem::path& path, const std::string& command) {
  if (!std::filesystem::exists(path)) return {};
  try {
    std::ifstream in(path);
    nlohmann::json j = nlohmann::json::parse(in);
    if (j.at("command") != as_stored(command))
      throw std::runtime_error("belongs to another command, or to other files: " + j.at("command").get<std::string>());
    return j;
  } catch (const std::exception& error) {
    throw std::runtime_error(path.string() + ": " + error.what() + "; remove it to start over");
  }
}

void write_calibration_state(const std::filesystem::path& path, const std::string& command, bool afs,
                             const CalibrationProgress& p) {
  nlohmann::ordered_json json{{"command", command}};
  json.update(to_json(p, afs));
  io::write_json(path, json);
}

std::optional<CalibrationProgress> read_calibration_state(const std::filesystem::path& path,
                                                          const std::string& command) {
  const std::optional<nlohmann::json> json = read_state(path, command);
  if (!json) return {};
  try {
    return progress_from_json(*json);
  } catch (const std::exception& error) {
    throw std::runtime_error(path.string() + ": " + error.what() + "; remove it to start over");
  }
}

}  // namespace fewstep::examples
