// A trained predictor as a safetensors file: its weights, and the settings that it was trained for.
#pragma once

#include "../array/values.hpp"
#include "../enum_names.hpp"
#include "../plugin/amed_network.hpp"
#include "../registry.hpp"
#include "../schedule_registry.hpp"
#include "detail/json_settings.hpp"
#include "file_error.hpp"
#include "format.hpp"
#include "json_file.hpp"
#include "safetensors.hpp"
#include "table_file.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace fewstep::io {

/// A predictor and the solver, schedule and options that it was trained for.
struct AmedFile {
  AmedNetwork network;
  /// Names for make_solver and make_schedule. The predictor replaces the ratio of `amed` and `dpm2`; every other solver
  /// is wrapped in Amed.
  std::string solver = "amed", schedule = "karras";
  SolverSettings solver_settings = {};
  ScheduleSettings schedule_settings = {};
  /// The table that the predictor corrects (corrected_table), used instead of the solver.
  std::optional<Table> table = {};
  bool analytic_first_step = false, analytic_in_history = true;
  /// Extents of one sample of the model's data, e.g. {1, 28, 28}.
  std::vector<std::int64_t> data_shape = {};
  /// How it was trained; informative only: "command", ...
  std::map<std::string, std::string> training = {};
};

/// The format that is written. Version 1, which is read too, has `form` (data, noise) in place of `target` (denoised,
/// slope).
inline constexpr const char* amed_format = "fewstep amed predictor 2";

namespace detail {

/// @throws std::runtime_error for a tensor that is missing or of another element type.
inline std::vector<double> doubles_named(const Safetensors& file, const std::string& name) {
  const Array& array = file.tensor(name);
  if (array.dtype != Dtype::f64) throw std::runtime_error("tensor " + name + " is not of type F64");
  return values_of<double>(array);
}

/// Returns a setting as JSON: null for one that is not given.
template <class T>
nlohmann::json optional_json(const std::optional<T>& value) {
  if (!value) return nullptr;
  if constexpr (NamedEnum<T>) return to_string(*value);
  else return *value;
}

inline std::map<std::string, Array> tensors_of(const AmedNetwork& network) {
  std::map<std::string, Array> tensors;
  AmedNetwork::for_each_layer(network, [&](const std::string& name, const AmedNetwork::Layer& layer) {
    const auto outputs = static_cast<std::int64_t>(layer.outputs()), inputs = static_cast<std::int64_t>(layer.inputs());
    tensors[name + ".weight"] = array_of(layer.weight, {outputs, inputs}, Dtype::f64);
    tensors[name + ".bias"] = array_of(layer.bias, {outputs}, Dtype::f64);
  });
  const auto frequencies = static_cast<std::int64_t>(network.frequencies.size());
  tensors["frequencies"] = array_of(network.frequencies, {frequencies}, Dtype::f64);
  return tensors;
}

inline AmedNetwork network_of(const Safetensors& file, const JsonSettings& settings) {
  AmedNetwork network;
  network.direction_scale_range = settings.get<double>("scale_dir");
  network.sigma_scale_range = settings.get<double>("scale_time");
  if (file.tensors.contains("fc_r.weight")) network.ratio.emplace();
  if (file.tensors.contains("fc_scale_dir.weight")) network.direction_scale.emplace();
  if (file.tensors.contains("fc_scale_time.weight")) network.sigma_scale.emplace();
  network.frequencies = doubles_named(file, "frequencies");
  AmedNetwork::for_each_layer(network, [&](const std::string& name, AmedNetwork::Layer& layer) {
    layer.weight = doubles_named(file, name + ".weight");
    layer.bias = doubles_named(file, name + ".bias");
  });
  network.validate();
  return network;
}

inline nlohmann::json settings_json(const AmedFile& file) {
  const SolverSettings& solver = file.solver_settings;
  const ScheduleSettings& schedule = file.schedule_settings;
  const ScheduleRange range = fewstep::detail::schedule_range(schedule);
  nlohmann::json settings{{"scale_dir", file.network.direction_scale_range},
                          {"scale_time", file.network.sigma_scale_range},
                          {"solver", file.solver},
                          {"order", optional_json(solver.order)},
                          {"target", optional_json(solver.target)},
                          {"variant", optional_json(solver.variant)},
                          {"lower_order_final", optional_json(solver.lower_order_final)},
                          {"schedule", file.schedule},
                          {"steps", schedule.steps},
                          {"rho", optional_json(schedule.rho)},
                          {"sigma_min", range.sigma_min},
                          {"sigma_max", range.sigma_max},
                          {"end_at_zero", range.end == End::zero},
                          {"levels", schedule.levels},
                          {"afs", file.analytic_first_step},
                          {"afs_in_history", file.analytic_in_history},
                          {"data_shape", file.data_shape}};
  if (file.table) settings["table"] = to_json({*file.table, file.analytic_first_step});
  return settings;
}

inline SolverSettings solver_settings_of(const JsonSettings& settings, int version) {
  SolverSettings solver;
  solver.order = settings.find<int>("order");
  if (version == 1 && settings.has("form"))
    solver.target = settings.choice("form", "", {"data", "noise"}) == "data" ? Target::denoised : Target::slope;
  else if (const auto target = settings.find<std::string>("target")) solver.target = parse<Target>("target", *target);
  if (const auto variant = settings.find<std::string>("variant")) solver.variant = parse<UniB>("variant", *variant);
  solver.lower_order_final = settings.find<bool>("lower_order_final");
  return solver;
}

/// Files have a range for every schedule, also for those that lack one.
inline ScheduleSettings schedule_settings_of(const JsonSettings& settings, std::string_view schedule) {
  fewstep::detail::require_steps(settings.get<int>("steps"));
  ScheduleSettings read{.steps = settings.get<int>("steps"),
                        .rho = settings.find<double>("rho"),
                        .levels = settings.get("levels", std::vector<double>())};
  const double sigma_min = settings.get<double>("sigma_min"), sigma_max = settings.get<double>("sigma_max");
  const End end = settings.get<bool>("end_at_zero") ? End::zero : End::sigma_min;
  if (!is_range_schedule(schedule)) return read;
  read.sigma_min = sigma_min;
  read.sigma_max = sigma_max;
  read.end = end;
  return read;
}

inline AmedFile amed_file_from(const Safetensors& raw) {
  const int version = check_format(raw.text("format"), amed_format, "a time predictor");
  require(!raw.text("settings").empty(), "settings", "missing", "the settings of a predictor, in the metadata");
  const nlohmann::json json = parse_json(raw.text("settings"));
  const JsonSettings settings(json);
  const std::string schedule = settings.get<std::string>("schedule");
  AmedFile file{network_of(raw, settings), settings.get<std::string>("solver"), schedule,
                solver_settings_of(settings, version), schedule_settings_of(settings, schedule)};
  if (settings.has("table")) file.table = table_from_json(json.at("table")).table;
  file.analytic_first_step = settings.get<bool>("afs");
  file.analytic_in_history = settings.get<bool>("afs_in_history");
  file.data_shape = settings.get<std::vector<std::int64_t>>("data_shape");
  file.training = raw.metadata;
  file.training.erase("format");
  file.training.erase("settings");
  return file;
}

}  // namespace detail

/// Writes a predictor file, atomically (atomic_write).
///
/// @throws std::invalid_argument as AmedNetwork::validate; std::runtime_error if the file cannot be written.
inline void write_amed(const std::filesystem::path& path, const AmedFile& file) {
  file.network.validate();
  Safetensors raw{detail::tensors_of(file.network), file.training};
  raw.metadata["format"] = amed_format;
  raw.metadata["settings"] = detail::settings_json(file).dump();
  write_safetensors(path, raw);
}

/// Reads a predictor file, in any version of the format.
///
/// @throws std::runtime_error "PATH: WHAT" if the file cannot be read or is malformed.
inline AmedFile read_amed(const std::filesystem::path& path) {
  const Safetensors raw = read_safetensors(path);
  return detail::naming_file(path, [&] { return detail::amed_file_from(raw); });
}

}  // namespace fewstep::io
