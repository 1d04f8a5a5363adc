// Which settings of a classic solver `evaluate` shows.
#pragma once

#include "command_line.hpp"
#include "image_features.hpp"
#include "method.hpp"
#include "sample_store.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fewstep::examples {

struct ChoiceOptions {
  std::vector<std::string> settings;     // texts of settings to show; empty: the best ones
  std::vector<std::string> by;           // how the best is found: "images", "distance"; a row for each
  std::vector<double> levels;            // one more schedule to try; empty: none
  std::filesystem::path gaussian_start;  // of analytic first steps; empty: N(0, 1)
  std::int64_t images = 256;             // to measure the settings on

  /// Adds --settings, --choose, --levels, --gaussian-start and --selection-images.
  void add_options(CommandLine& line);
};

class SettingChoice {
 public:
  /// @param all_nfe  the NFE of all rows: a text in ChoiceOptions::settings that is the whole text of a setting at any
  ///                 of them selects only that setting
  /// @param features  null: the best are found by distance
  SettingChoice(const ChoiceOptions& options, const std::vector<int>& all_nfe, SampleStore& store,
                ImageFeatures* features);

  /// The settings of a solver that take `nfe` evaluations and are to be shown.
  std::vector<Method> operator()(const std::string& solver, int nfe);

 private:
  std::vector<Method> all(const std::string& solver, int nfe) const;
  std::vector<Method> named(const std::string& solver, int nfe) const;
  std::optional<Method> best(const std::string& solver, int nfe, const std::string& by);
  double distance(const Method& method, std::int64_t count, const std::string& by);

  ChoiceOptions options_;
  std::vector<int> all_nfe_;
  SampleStore* store_;
  ImageFeatures* features_;
  std::shared_ptr<const TensorGaussianStart> gaussian_start_;
};

}  // namespace fewstep::examples
