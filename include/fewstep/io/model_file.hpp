// The description of an exported model: a JSON file beside the network's.
#pragma once

#include "../enum_names.hpp"
#include "../errors.hpp"
#include "detail/json_values.hpp"
#include "diffusers/read.hpp"
#include "file_error.hpp"
#include "format.hpp"
#include "json_file.hpp"
#include "model/file.hpp"
#include "model/from_scheduler.hpp"
#include "model/rule_from_json.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fewstep::io {

inline constexpr const char* model_format = "fewstep model 1";

namespace detail {

/// Returns a file's name.
/// @throws std::invalid_argument if it is empty or names another folder.
inline std::string file_beside(const JsonObject& from, const std::string& key) {
  const std::string name = from.text(key);
  const bool plain = std::filesystem::path(name).filename() == name && name != "." && name != "..";
  require(plain && !name.empty() && printable(name) == name, from.path(key), printable(name),
          "names of files beside the description");
  return name;
}

/// Reads the input of the state, or of the label.
inline ModelInput input_from_json(const JsonObject& json) {
  ModelInput input{json.text("name", ""), {}, json.flag("scalar", false)};
  if (json.has("type")) input.dtype = parse<Dtype>(json.path("type"), json.text("type"));
  return input;
}

/// Reads an output's name; a number is the place of one without a name.
inline std::string output_from_json(const JsonObject& top, const std::string& key) {
  if (!top.has(key)) return {};
  return top.at(key).is_number() ? std::to_string(top.whole(key, 0)) : top.text(key);
}

/// Reads two numbers that increase.
inline void read_range(const JsonObject& top, const std::string& key, double& low, double& high) {
  if (!top.has(key)) return;
  const std::vector<double> ends = top.numbers(key);
  require(ends.size() == 2, key, {ends.size(), " numbers"}, "2 numbers");
  require(ends[0] < ends[1], key, {ends[0], ", ", ends[1]}, "numbers that increase");
  low = ends[0], high = ends[1];
}

inline std::vector<std::int64_t> shape_from_json(const JsonObject& top) {
  constexpr double most = 1e9;
  std::vector<std::int64_t> shape;
  for (const double extent : top.numbers("sample_shape")) {
    require(extent >= 1 && extent <= most && extent == std::floor(extent), "an extent of sample_shape", extent,
            "whole numbers, 1 or more");
    shape.push_back(static_cast<std::int64_t>(extent));
  }
  require(!shape.empty(), "sample_shape", "empty", "one extent or more");
  return shape;
}

/// Reads prediction, process and label, in part from a scheduler_config.json.
inline ModelRule model_rule(const JsonObject& top, const std::filesystem::path& folder) {
  require(top.has("process") != top.has("scheduler"), "process",
          top.has("process") ? "given with scheduler" : "missing", "one of process and scheduler");
  ModelRule rule;
  if (top.has("process")) {
    rule = rule_from_json(top.at("process"));
    read_prediction(top, rule);
  } else {
    require(!top.has("predicts"), "predicts", "given", "none with a scheduler, which has it");
    const std::filesystem::path path = folder / file_beside(top, "scheduler");
    const std::string text = scheduler_text(path);
    rule = naming_file(path, [&] { return model_of_scheduler(parse_scheduler(text)); });
  }
  if (top.has("label")) read_label(top.at("label"), rule);
  rule.validate();
  return rule;
}

}  // namespace detail

/// Returns a description from its JSON.
///
/// @param folder  of the scheduler_config.json that it may name
/// @throws std::invalid_argument naming the entry; std::runtime_error for another format, or a scheduler that cannot be
///         read.
inline ModelFile model_from_json(const nlohmann::json& json, const std::filesystem::path& folder) {
  const auto format = json.is_object() ? json.find("format") : json.end();
  const bool has_format = format != json.end() && format->is_string();
  check_format(has_format ? format->get<std::string>() : "", model_format, "the description of a model");
  const detail::JsonObject top(
      json, "",
      {"format", "network", "runtime", "sample_shape", "batch", "predicts", "process", "scheduler", "input", "label",
       "output", "feature", "conditions", "levels", "data_range"},
      "the description");
  ModelFile file;
  file.network = detail::file_beside(top, "network");
  if (top.has("runtime")) file.runtime = parse<Runtime>("runtime", top.text("runtime"));
  runtime_of(file);
  file.sample_shape = detail::shape_from_json(top);
  file.batch = top.whole("batch", 0);
  file.rule = detail::model_rule(top, folder);
  if (top.has("input")) file.state = detail::input_from_json({top.at("input"), "input", {"name", "type"}});
  if (top.has("label")) file.label = detail::input_from_json({top.at("label"), "label", detail::label_keys});
  file.output = detail::output_from_json(top, "output");
  file.feature = detail::output_from_json(top, "feature");
  if (top.has("conditions"))
    for (const nlohmann::json& one : top.list("conditions")) {
      const detail::JsonObject condition(one, top.element("conditions", file.conditions.size()),
                                         {"input", "values", "unconditional"});
      ModelCondition made{condition.text("input"), detail::file_beside(condition, "values")};
      if (condition.has("unconditional")) made.unconditional = detail::file_beside(condition, "unconditional");
      file.conditions.push_back(std::move(made));
    }
  file.sigma_min = file.rule.sigma_min();
  file.sigma_max = file.rule.sigma_max();
  detail::read_range(top, "levels", file.sigma_min, file.sigma_max);
  require(file.sigma_min > 0, "levels", file.sigma_min, "positive numbers");
  detail::read_range(top, "data_range", file.lowest_value, file.highest_value);
  return file;
}

/// Reads a model's description.
///
/// @throws std::runtime_error "PATH: WHAT" if the file cannot be read or is malformed.
inline ModelFile read_model(const std::filesystem::path& path) {
  const nlohmann::json json = read_json(path);
  return detail::naming_file(path, [&] { return model_from_json(json, path.parent_path()); });
}

}  // namespace fewstep::io
