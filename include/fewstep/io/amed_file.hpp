// A trained time predictor as a file: its weights and everything that is needed to use them.
#pragma once

#include "../plugin/amed_network.hpp"
#include "../registry.hpp"
#include "file_error.hpp"
#include "format.hpp"
#include "json_file.hpp"
#include "safetensors.hpp"
#include "table_file.hpp"

#include <nlohmann/json.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace fewstep::io {

/// What a predictor was trained for. `solver` and `solver_settings` are make_solver's; the predictor takes the place of
/// the ratio of `amed` and `dpm2`, and is plugged into any other solver. With a table it corrects that
/// (corrected_table).
struct AmedFile {
  AmedNetwork network;
  std::string solver = "amed", schedule = "karras";
  SolverSettings solver_settings = {};
  ScheduleSettings schedule_settings = {};
  std::optional<Table> table = {};
  bool analytic_first_step = false, analytic_in_history = true;
  /// Of one sample of the model's data, e.g. {1, 28, 28}.
  std::vector<std::int64_t> data_shape = {};
  /// How it was trained, for people.
  std::map<std::string, std::string> training = {};
};

namespace detail {

/// Version 1, which is read too, has `form` (data, noise) in place of `target` (denoised, slope).
inline constexpr const char* amed_format = "fewstep amed predictor 2";

/// @throws std::runtime_error for a tensor that is missing or of another element type.
inline std::vector<double> doubles_of(const Safetensors& file, const std::string& name) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) throw std::runtime_error("tensor " + name + " is missing");
  if (found->second.dtype != Dtype::f64) throw std::runtime_error("tensor " + name + " is not of type F64");
  return values_of<double>(found->second);
}

/// Settings that were not given are null.
template <class T>
nlohmann::json optional_json(const std::optional<T>& value) {
  nlohmann::json j;
  if (value) j = *value;
  return j;
}
template <class T>
std::optional<T> optional_value(const nlohmann::json& j) {
  return j.is_null() ? std::optional<T>() : j.get<T>();
}

}  // namespace detail

/// @throws std::runtime_error when the file cannot be written; std::invalid_argument as AmedNetwork::validate.
inline void write_amed(const std::filesystem::path& path, const AmedFile& file) {
  file.network.validate();
  Safetensors raw;
  AmedNetwork::for_each_layer(file.network, [&](const std::string& name, const AmedNetwork::Layer& layer) {
    const auto out = static_cast<std::int64_t>(layer.outputs());
    raw.tensors[name + ".weight"] =
        array_of(layer.weight, {out, static_cast<std::int64_t>(layer.inputs())}, Dtype::f64);
    raw.tensors[name + ".bias"] = array_of(layer.bias, {out}, Dtype::f64);
  });
  raw.tensors["frequencies"] =
      array_of(file.network.frequencies, {static_cast<std::int64_t>(file.network.frequencies.size())}, Dtype::f64);
  const auto& solver = file.solver_settings;
  const auto& schedule = file.schedule_settings;
  nlohmann::json target, variant;
  if (solver.variant) variant = *solver.variant == UniB::bh1 ? "bh1" : "bh2";
  if (solver.target) target = *solver.target == Target::denoised ? "denoised" : "slope";
  nlohmann::json settings{{"scale_dir", file.network.direction_scale_range},
                          {"scale_time", file.network.sigma_scale_range},
                          {"solver", file.solver},
                          {"order", detail::optional_json(solver.order)},
                          {"target", target},
                          {"variant", variant},
                          {"lower_order_final", detail::optional_json(solver.lower_order_final)},
                          {"schedule", file.schedule},
                          {"steps", schedule.steps},
                          {"rho", detail::optional_json(schedule.rho)},
                          {"sigma_min", schedule.sigma_min},
                          {"sigma_max", schedule.sigma_max},
                          {"end_at_zero", schedule.end == End::zero},
                          {"levels", schedule.levels},
                          {"afs", file.analytic_first_step},
                          {"afs_in_history", file.analytic_in_history},
                          {"data_shape", file.data_shape}};
  if (file.table) settings["table"] = to_json({*file.table, file.analytic_first_step});
  raw.metadata = file.training;
  raw.metadata["format"] = detail::amed_format;
  raw.metadata["settings"] = settings.dump();
  write_safetensors(path, raw);
}

/// @throws std::runtime_error, one line: the file and what is wrong with it.
inline AmedFile read_amed(const std::filesystem::path& path) {
  Safetensors raw = read_safetensors(path);
  try {
    const auto format = raw.metadata.find("format");
    const int version =
        check_format(format == raw.metadata.end() ? "" : format->second, detail::amed_format, "a time predictor");
    const nlohmann::json j = parse_json(raw.metadata.at("settings"));
    AmedFile file;
    file.network.direction_scale_range = j.at("scale_dir");
    file.network.sigma_scale_range = j.at("scale_time");
    if (raw.tensors.contains("fc_r.weight")) file.network.ratio.emplace();
    if (raw.tensors.contains("fc_scale_dir.weight")) file.network.direction_scale.emplace();
    if (raw.tensors.contains("fc_scale_time.weight")) file.network.sigma_scale.emplace();
    file.network.frequencies = detail::doubles_of(raw, "frequencies");
    AmedNetwork::for_each_layer(file.network, [&](const std::string& name, AmedNetwork::Layer& layer) {
      layer.weight = detail::doubles_of(raw, name + ".weight");
      layer.bias = detail::doubles_of(raw, name + ".bias");
    });
    file.network.validate();
    file.solver = j.at("solver");
    file.solver_settings.order = detail::optional_value<int>(j.at("order"));
    if (const auto target = detail::optional_value<std::string>(j.at(version == 1 ? "form" : "target")))
      file.solver_settings.target = *target == (version == 1 ? "data" : "denoised") ? Target::denoised : Target::slope;
    if (const auto variant = j.find("variant"); variant != j.end() && !variant->is_null())
      file.solver_settings.variant = variant->get<std::string>() == "bh1" ? UniB::bh1 : UniB::bh2;
    file.solver_settings.lower_order_final = detail::optional_value<bool>(j.at("lower_order_final"));
    file.schedule = j.at("schedule");
    file.schedule_settings = {j.at("steps"),
                              detail::optional_value<double>(j.at("rho")),
                              j.at("sigma_min"),
                              j.at("sigma_max"),
                              j.at("end_at_zero").get<bool>() ? End::zero : End::sigma_min,
                              j.value("levels", std::vector<double>())};
    if (j.contains("table")) file.table = table_from_json(j.at("table")).table;
    file.analytic_first_step = j.at("afs");
    file.analytic_in_history = j.at("afs_in_history");
    file.data_shape = j.at("data_shape").get<std::vector<std::int64_t>>();
    raw.metadata.erase("format");
    raw.metadata.erase("settings");
    file.training = raw.metadata;
    return file;
  } catch (const std::exception& error) {
    throw file_error(path, error.what());
  }
}

}  // namespace fewstep::io
