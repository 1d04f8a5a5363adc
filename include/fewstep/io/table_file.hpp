// A table of a solver's numbers as JSON.
#pragma once

#include "../errors.hpp"
#include "../solvers/table.hpp"
#include "atomic_write.hpp"
#include "json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <ostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::io {

/// A table with what is needed to run it.
struct TableFile {
  Table table;
  bool analytic_first_step = false;
  std::map<std::string, std::string> made = {};  // how, for people
  /// Of an analytic first step that is not N(0, 1)'s: the file, in the table's folder, of the start that it was fitted
  /// with, for the caller to read and to put before the denoiser (with_analytic_first_step).
  std::string start = {};
};

namespace detail {
inline constexpr const char* table_format = "fewstep solver table 2";  // 1: `clock` in place of `sigma_scale`

/// @param newest  a name and the newest version, which is written; the versions from 1 on are read
/// @return the version found
/// @throws std::exception for another format or version.
inline int check_format(const std::string& found, const std::string& newest, const std::string& what) {
  const std::string name = newest.substr(0, newest.rfind(' ') + 1);
  const int last = std::stoi(newest.substr(name.size()));
  for (int version = 1; version <= last; ++version)
    if (found == name + std::to_string(version)) return version;
  require(!found.starts_with(name), "format", found, last == 1 ? newest : name + "1 to " + std::to_string(last));
  throw std::runtime_error("not " + what + " (it lacks the format '" + newest + "')");
}

/// A value in a message: on one line, and nothing that a terminal would obey.
inline std::string shown(const nlohmann::json& j) {
  if (j.is_structured()) return j.type_name();
  const std::string text = j.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return j.is_string() ? text.substr(1, text.size() - 2) : text;
}

inline void check_keys(const nlohmann::json& j, const std::string& of, const std::vector<std::string>& known) {
  require(j.is_object(), of, j.type_name(), "object");
  std::string all;
  for (const auto& key : known) all += (all.empty() ? "" : ", ") + key;
  for (const auto& [key, value] : j.items())
    require(std::find(known.begin(), known.end(), key) != known.end(), "a key of " + of, shown(key), all);
}

/// @param of  what the object is, to name the key by
inline const nlohmann::json& value(const nlohmann::json& j, const std::string& key, const std::string& of) {
  require(j.contains(key), of + key, "missing", "a value");
  return j.at(key);
}
inline double number(const nlohmann::json& j, const std::string& name) {
  require(j.is_number(), name, shown(j), "numbers");
  return j.get<double>();
}
inline const nlohmann::json& list(const nlohmann::json& j, const std::string& key, const std::string& of = "") {
  const nlohmann::json& found = value(j, key, of);
  require(found.is_array(), of + key, found.type_name(), "array");
  return found;
}
inline std::vector<double> numbers(const nlohmann::json& j, const std::string& key, const std::string& of = "") {
  std::vector<double> all;
  for (const auto& one : list(j, key, of))
    all.push_back(number(one, of + key + "[" + std::to_string(all.size()) + "]"));
  return all;
}

/// One line: the file and what is wrong with it.
inline std::runtime_error about(const std::filesystem::path& path, const std::exception& error) {
  const std::string text = error.what();
  return std::runtime_error(path.string() + ": " + text.substr(0, text.find('\n')));
}

/// A start's file is one beside the table's: no other place can be named.
inline std::string file_name(const std::string& start) {
  require(!start.empty() && std::filesystem::path(start).filename() == start && start != "." && start != "..", "afs",
          start, "true, false, or the name of a file beside the table's");
  return start;
}
}  // namespace detail

inline nlohmann::ordered_json to_json(const TableFile& file) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Table::Row& row : file.table.rows) {
    nlohmann::ordered_json j{{"carry", row.carry}, {"weights", row.weights}, {"sigma_scale", row.sigma_scale}};
    for (const Table::Midpoint& m : row.midpoints)
      j["midpoints"].push_back({{"level", m.level},
                                {"reach", m.reach},
                                {"weight", m.weight},
                                {"carry", m.carry},
                                {"sigma_scale", m.sigma_scale}});
    rows.push_back(std::move(j));
  }
  return {{"format", detail::table_format},
          {"made", file.made},
          {"target", file.table.target == Target::slope ? "slope" : "denoised"},
          {"afs",
           file.start.empty() ? nlohmann::ordered_json(file.analytic_first_step) : nlohmann::ordered_json(file.start)},
          {"levels", file.table.levels},
          {"rows", rows}};
}

/// @throws std::exception that says what is wrong
inline TableFile table_from_json(const nlohmann::json& j) {
  const auto format = j.is_object() ? j.find("format") : j.end();
  const int version = detail::check_format(format != j.end() && format->is_string() ? format->get<std::string>() : "",
                                           detail::table_format, "a solver table");
  const std::string scale = version == 1 ? "clock" : "sigma_scale";
  detail::check_keys(j, "the table", {"format", "made", "target", "afs", "levels", "rows"});
  TableFile file;
  const nlohmann::json &target = detail::value(j, "target", ""), &afs = detail::value(j, "afs", "");
  require(target == "slope" || target == "denoised", "target", detail::shown(target), "slope, denoised");
  file.table.target = target == "slope" ? Target::slope : Target::denoised;
  if (afs.is_string()) file.start = detail::file_name(afs);
  else require(afs.is_boolean(), "afs", detail::shown(afs), "true, false, or the name of a file beside the table's");
  file.analytic_first_step = !file.start.empty() || afs.get<bool>();
  file.table.levels = detail::numbers(j, "levels");
  for (const auto& row : detail::list(j, "rows")) {
    const std::string name = "rows[" + std::to_string(file.table.rows.size()) + "]";
    detail::check_keys(row, name, {"carry", "weights", scale, "midpoints"});
    const auto number = [&](const nlohmann::json& of, const std::string& key, const std::string& at) {
      return detail::number(detail::value(of, key, at), at + key);
    };
    file.table.rows.push_back({number(row, "carry", name + "."), detail::numbers(row, "weights", name + "."),
                               number(row, scale, name + ".")});
    if (!row.contains("midpoints")) continue;
    for (const auto& m : detail::list(row, "midpoints", name + ".")) {
      const std::string at = name + ".midpoints[" + std::to_string(file.table.rows.back().midpoints.size()) + "]";
      detail::check_keys(m, at, {"level", "reach", "weight", "carry", scale});
      file.table.rows.back().midpoints.push_back({number(m, "level", at + "."), number(m, "reach", at + "."),
                                                  number(m, "weight", at + "."), number(m, "carry", at + "."),
                                                  number(m, scale, at + ".")});
    }
  }
  if (j.contains("made")) file.made = j.at("made").get<std::map<std::string, std::string>>();
  file.table.validate();
  return file;
}

/// @throws std::invalid_argument as Table::validate; std::runtime_error when the file cannot be written.
inline void write_table(const std::filesystem::path& path, const TableFile& file) {
  file.table.validate();
  if (!file.start.empty()) detail::file_name(file.start);
  atomic_write(path, [&](std::ostream& out) { out << detail::text_of(to_json(file), 1) << "\n"; });
}

/// @throws std::runtime_error, one line: the file and what is wrong with it.
inline TableFile read_table(const std::filesystem::path& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error(path.string() + ": cannot be read");
  try {
    return table_from_json(detail::parse_json(in));
  } catch (const std::exception& error) {
    throw detail::about(path, error);
  }
}

}  // namespace fewstep::io
