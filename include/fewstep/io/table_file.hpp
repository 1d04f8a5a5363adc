// A table of a solver's weights as a JSON file.
#pragma once

#include "../enum_names.hpp"
#include "../errors.hpp"
#include "../solvers/table.hpp"
#include "detail/json_values.hpp"
#include "file_error.hpp"
#include "format.hpp"
#include "json_file.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::io {

/// The content of a table file. read_table_sampler() reads everything that it needs to run.
struct TableFile {
  Table table;
  /// Whether it was fitted with an analytic first step.
  bool analytic_first_step = false;
  /// How it was made; informative only: "command", "held_out_rms", ...
  std::map<std::string, std::string> made = {};
  /// The name of a file in the table's folder, with the GaussianStart of its analytic first step
  /// (io/gaussian_start_file.hpp); empty: N(0, 1), or no analytic first step.
  std::string gaussian_start = {};
};

/// The format that is written. Version 1, which is read too, has `clock` in place of `sigma_scale`.
inline constexpr const char* table_format = "fewstep solver table 2";

namespace detail {

inline constexpr const char* afs_allowed = "true, false, or the name of a file beside the table's";

/// Returns `name`.
/// @throws std::invalid_argument if it is empty or names another folder.
inline std::string require_file_name(const std::string& name) {
  const bool file = std::filesystem::path(name).filename() == name && name != "." && name != "..";
  require(!name.empty() && file && printable(name) == name, "afs", printable(name), afs_allowed);
  return name;
}

/// @param scale  the key of sigma_scale
inline Table::Row row_from_json(const nlohmann::json& json, const std::string& place, const std::string& scale) {
  const JsonObject row(json, place, {"carry", "weights", scale, "midpoints"});
  Table::Row made{row.number("carry"), row.numbers("weights"), row.number(scale)};
  if (!row.has("midpoints")) return made;
  for (const auto& one : row.list("midpoints")) {
    const JsonObject m(one, row.element("midpoints", made.midpoints.size()),
                       {"level", "reach", "weight", "carry", scale});
    made.midpoints.push_back(
        {m.number("level"), m.number("reach"), m.number("weight"), m.number("carry"), m.number(scale)});
  }
  return made;
}

inline nlohmann::ordered_json row_to_json(const Table::Row& row) {
  nlohmann::ordered_json json{{"carry", row.carry}, {"weights", row.weights}, {"sigma_scale", row.sigma_scale}};
  for (const Table::Midpoint& m : row.midpoints)
    json["midpoints"].push_back({{"level", m.level},
                                 {"reach", m.reach},
                                 {"weight", m.weight},
                                 {"carry", m.carry},
                                 {"sigma_scale", m.sigma_scale}});
  return json;
}

}  // namespace detail

/// Returns the content of a table file, in the newest version of the format.
inline nlohmann::ordered_json to_json(const TableFile& file) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array(), afs = file.analytic_first_step;
  for (const Table::Row& row : file.table.rows) rows.push_back(detail::row_to_json(row));
  if (!file.gaussian_start.empty()) afs = file.gaussian_start;
  return {{"format", table_format},      {"made", file.made}, {"target", to_string(file.table.target)}, {"afs", afs},
          {"levels", file.table.levels}, {"rows", rows}};
}

/// Reads the content of a table file, in any version of the format.
///
/// @throws std::exception naming the row and the value at fault.
inline TableFile table_from_json(const nlohmann::json& json) {
  const auto format = json.is_object() ? json.find("format") : json.end();
  const bool has_format = format != json.end() && format->is_string();
  const int version = check_format(has_format ? format->get<std::string>() : "", table_format, "a solver table");
  const std::string scale = version == 1 ? "clock" : "sigma_scale";
  const detail::JsonObject top(json, "", {"format", "made", "target", "afs", "levels", "rows"});
  TableFile file;
  const nlohmann::json &target = top.at("target"), &afs = top.at("afs");
  file.table.target = parse<Target>("target", text_for_message(target));
  require(afs.is_boolean() || afs.is_string(), "afs", text_for_message(afs), detail::afs_allowed);
  if (afs.is_string()) file.gaussian_start = detail::require_file_name(afs);
  file.analytic_first_step = afs.is_string() || afs.get<bool>();
  file.table.levels = top.numbers("levels");
  for (const auto& row : top.list("rows"))
    file.table.rows.push_back(detail::row_from_json(row, top.element("rows", file.table.rows.size()), scale));
  if (top.has("made")) file.made = top.at("made").get<std::map<std::string, std::string>>();
  file.table.validate();
  return file;
}

/// Writes a table file, atomically (atomic_write).
///
/// @throws std::invalid_argument as Table::validate, or for a gaussian_start in another folder; std::runtime_error if
///         the file cannot be written.
inline void write_table(const std::filesystem::path& path, const TableFile& file) {
  file.table.validate();
  if (!file.gaussian_start.empty()) detail::require_file_name(file.gaussian_start);
  write_json(path, to_json(file));
}

/// Reads a table file, in any version of the format.
///
/// @throws std::runtime_error "PATH: WHAT" if the file cannot be read or is malformed.
inline TableFile read_table(const std::filesystem::path& path) {
  const nlohmann::json json = read_json(path);
  return detail::naming_file(path, [&] { return table_from_json(json); });
}

}  // namespace fewstep::io
