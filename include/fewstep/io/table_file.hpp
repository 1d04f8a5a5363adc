// A table of a solver's weights as a JSON file.
#pragma once

#include "../enum_names.hpp"
#include "../errors.hpp"
#include "../solvers/guidance_table.hpp"
#include "../solvers/table.hpp"
#include "detail/json_values.hpp"
#include "file_error.hpp"
#include "format.hpp"
#include "json_file.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <optional>
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
  /// Of a table for a range of guidance scales (GuidanceTable); empty: `table` is one that runs.
  std::vector<double> guidance_scales = {};

  /// The table that runs at a guidance scale.
  /// @param guidance  of the denoiser; none: that of the table
  /// @throws std::invalid_argument for another scale than the table's, and where none is given for a range.
  Table at(std::optional<double> guidance) const {
    if (guidance_scales.empty()) {
      if (guidance && table.guidance)
        require(*guidance == *table.guidance, "guidance", *guidance, {*table.guidance, ", as the table's"});
      return table;
    }
    const GuidanceScales scales{guidance_scales};
    if (!guidance) refuse("guidance", "not given", {scales.nodes.front(), " to ", scales.nodes.back()});
    return GuidanceTable{scales, table}.at(*guidance);
  }
  /// @throws std::invalid_argument naming the number that is out of range.
  void validate() const {
    if (guidance_scales.empty()) table.validate();
    else GuidanceTable{{guidance_scales}, table}.validate();
  }
};

/// The format that is written. Version 1, which is read too, has `clock` in place of `sigma_scale`.
inline constexpr const char* table_format = "fewstep solver table 2";

namespace detail {

inline constexpr std::size_t most_branches = 64;  // a bound for untrusted files
inline constexpr const char* afs_allowed = "true, false, or the name of a file beside the table's";

/// Returns `name`.
/// @throws std::invalid_argument if it is empty or names another folder.
inline std::string require_file_name(const std::string& name) {
  const bool file = std::filesystem::path(name).filename() == name && name != "." && name != "..";
  require(!name.empty() && file && printable(name) == name, "afs", printable(name), afs_allowed);
  return name;
}

/// The weights of each branch, and whether the row evaluates it.
inline void branches_from_json(const JsonObject& row, std::size_t branches, Table::Row& made) {
  const auto count = [&](const char* key, std::size_t size) {
    require(size == branches, "the number of " + row.path(key), size, {branches, ", the table's branches"});
  };
  const auto weights = row.number_lists("weights");
  count("weights", weights.size());
  made.others.resize(branches - 1);
  for (std::size_t b = 0; b < branches; ++b) made.weights_of(b) = weights[b];
  if (!row.has("evaluated")) return;
  const std::vector<bool> evaluated = row.flags("evaluated");
  count("evaluated", evaluated.size());
  made.evaluated = evaluated[0];
  for (std::size_t b = 1; b < branches; ++b) made.others[b - 1].evaluated = evaluated[b];
}

/// @param scale  the key of sigma_scale
inline Table::Row row_from_json(const nlohmann::json& json, const std::string& place, const std::string& scale,
                                std::size_t branches) {
  const JsonObject row(json, place, {"carry", "weights", scale, branches > 1 ? "evaluated" : "midpoints"});
  Table::Row made{row.number("carry"), {}, row.number(scale)};
  if (branches > 1) branches_from_json(row, branches, made);
  else made.weights = row.numbers("weights");
  if (!row.has("midpoints")) return made;
  for (const auto& one : row.list("midpoints")) {
    const JsonObject m(one, row.element("midpoints", made.midpoints.size()),
                       {"level", "reach", "weight", "carry", scale});
    made.midpoints.push_back(
        {m.number("level"), m.number("reach"), m.number("weight"), m.number("carry"), m.number(scale)});
  }
  return made;
}

inline nlohmann::ordered_json branched_row_to_json(const Table::Row& row) {
  nlohmann::ordered_json weights, evaluated;
  for (std::size_t b = 0; b < row.branches(); ++b) {
    weights.push_back(row.weights_of(b));
    evaluated.push_back(row.evaluates(b));
  }
  return {{"carry", row.carry}, {"weights", weights}, {"evaluated", evaluated}, {"sigma_scale", row.sigma_scale}};
}

inline nlohmann::ordered_json row_to_json(const Table::Row& row) {
  if (row.branches() > 1) return branched_row_to_json(row);
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
  nlohmann::ordered_json json{
      {"format", table_format}, {"made", file.made}, {"target", to_string(file.table.target)}, {"afs", afs}};
  if (file.table.branches() > 1) json["branches"] = file.table.branches();
  if (file.table.guidance) json["guidance"] = *file.table.guidance;
  if (!file.guidance_scales.empty()) json["guidance"] = file.guidance_scales;
  json["levels"] = file.table.levels;
  json["rows"] = rows;
  return json;
}

/// Reads the content of a table file, in any version of the format.
///
/// @throws std::exception naming the row and the value at fault.
inline TableFile table_from_json(const nlohmann::json& json) {
  const auto format = json.is_object() ? json.find("format") : json.end();
  const bool has_format = format != json.end() && format->is_string();
  const int version = check_format(has_format ? format->get<std::string>() : "", table_format, "a solver table");
  const std::string scale = version == 1 ? "clock" : "sigma_scale";
  const detail::JsonObject top(json, "", {"format", "made", "target", "afs", "levels", "rows", "branches", "guidance"});
  TableFile file;
  const nlohmann::json &target = top.at("target"), &afs = top.at("afs");
  file.table.target = parse<Target>("target", text_for_message(target));
  require(afs.is_boolean() || afs.is_string(), "afs", text_for_message(afs), detail::afs_allowed);
  if (afs.is_string()) file.gaussian_start = detail::require_file_name(afs);
  file.analytic_first_step = afs.is_string() || afs.get<bool>();
  file.table.levels = top.numbers("levels");
  std::size_t branches = 1;
  if (top.has("branches")) {
    branches = static_cast<std::size_t>(top.whole("branches", 1));
    require(branches >= 1 && branches <= detail::most_branches, "branches", branches, {"1 to ", detail::most_branches});
  }
  if (top.has("guidance")) {
    if (top.at("guidance").is_array()) file.guidance_scales = top.numbers("guidance");
    else file.table.guidance = top.number("guidance");
  }
  for (const auto& row : top.list("rows"))
    file.table.rows.push_back(detail::row_from_json(row, top.element("rows", file.table.rows.size()), scale, branches));
  if (top.has("made")) file.made = top.at("made").get<std::map<std::string, std::string>>();
  file.validate();
  return file;
}

/// Writes a table file, atomically (atomic_write).
///
/// @throws std::invalid_argument as TableFile::validate, or for a gaussian_start in another folder; std::runtime_error
/// if
///         the file cannot be written.
inline void write_table(const std::filesystem::path& path, const TableFile& file) {
  file.validate();
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
