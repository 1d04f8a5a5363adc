#include "autotune_store.hpp"

#include "table_store.hpp"

#include <fewstep/enum_names.hpp>
#include <fewstep/io/json_file.hpp>
#include <fewstep/io/table_file.hpp>

#include <nlohmann/json.hpp>

#include <stdexcept>

namespace fewstep::examples {

namespace {

nlohmann::ordered_json to_json(const Racer& r) {
  return {{"text", r.text},
          {"family", r.family},
          {"table", io::to_json({r.table, r.analytic_first_step})},
          {"rms", r.rms},
          {"median", r.median}};
}

nlohmann::ordered_json to_json(const AutotuneStart& s) {
  return {{"text", s.text},
          {"family", s.family},
          {"table", io::to_json({s.table, s.analytic_first_step})},
          {"rms", s.rms},
          {"median", s.median}};
}

/// @tparam T  Racer or AutotuneStart
template <class T>
std::vector<T> entries(const nlohmann::json& list) {
  std::vector<T> all;
  for (const nlohmann::json& j : list) {
    const io::TableFile file = io::table_from_json(j.at("table"));
    T one;
    one.text = j.at("text");
    one.family = j.at("family");
    one.table = file.table;
    one.analytic_first_step = file.analytic_first_step;
    one.rms = j.at("rms");
    one.median = j.at("median");
    all.push_back(std::move(one));
  }
  return all;
}

StoredSearch search_from_json(const nlohmann::json& j) {
  StoredSearch search{j.at("calls_allowed"), {}};
  AutotuneState& s = search.state;
  s.stage = parse<AutotuneStage>("stage", j.at("stage").get<std::string>());
  s.calls = j.at("calls");
  if (j.contains("check"))
    s.check = LevelCheck{j["check"].at("levels"), j["check"].at("denoised_rms"), j["check"].at("usable_max")};
  s.leaders = entries<Racer>(j.at("leaders"));
  s.starts = entries<AutotuneStart>(j.at("starts"));
  s.batches = j.at("batches");
  s.idle = j.at("idle");
  if (j.contains("refinement")) s.refinement = progress_from_json(j["refinement"]);
  return search;
}

}  // namespace

void write_search(const std::filesystem::path& path, const std::string& command, const StoredSearch& search) {
  const AutotuneState& s = search.state;
  nlohmann::ordered_json json{{"command", command},
                              {"calls_allowed", search.calls},
                              {"stage", to_string(s.stage)},
                              {"calls", s.calls},
                              {"batches", s.batches},
                              {"idle", s.idle},
                              {"leaders", nlohmann::ordered_json::array()},
                              {"starts", nlohmann::ordered_json::array()}};
  if (s.check)
    json["check"] = {
        {"levels", s.check->levels}, {"denoised_rms", s.check->denoised_rms}, {"usable_max", s.check->usable_max}};
  for (const Racer& racer : s.leaders) json["leaders"].push_back(to_json(racer));
  for (const AutotuneStart& start : s.starts) json["starts"].push_back(to_json(start));
  if (s.refinement) json["refinement"] = to_json(*s.refinement, s.starts.at(0).analytic_first_step);
  io::write_json(path, json);
}

std::optional<StoredSearch> read_search(const std::filesystem::path& path, const std::string& command) {
  const std::optional<nlohmann::json> json = read_state(path, command);
  if (!json) return {};
  try {
    return search_from_json(*json);
  } catch (const std::exception& error) {
    throw std::runtime_error(path.string() + ": " + error.what() + "; remove it to start over");
  }
}

}  // namespace fewstep::examples
