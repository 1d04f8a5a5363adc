// The network that a command runs, of either kind: weights of any architecture, or a description of an exported model.
#pragma once

#include "condition.hpp"
#include "evaluations.hpp"
#include "exported_model.hpp"
#include "image_config.hpp"
#include "network_options.hpp"

#include <fewstep/registry.hpp>
#include <fewstep/schedule_registry.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fewstep::examples {

class ImageDenoiser;

class Subject {
 public:
  using Denoise = ConditionalDenoiser::Denoise;

  /// @throws std::runtime_error as load_denoiser() and ExportedModel; std::invalid_argument as parse_device().
  explicit Subject(const NetworkOptions& options);

  /// The architecture of a file of weights; null for a described network.
  const ImageConfig* config() const { return config_; }
  /// The description; null for a file of weights.
  const io::ModelFile* description() const { return exported_ ? &exported_->file() : nullptr; }

  /// Whether LibTorch can differentiate it, by its noise level too; a description's labels are plain numbers.
  bool has_gradients() const { return config_ != nullptr; }
  /// Of the state.
  const Place& place() const { return place_; }
  const Shape& sample_shape() const { return sample_shape_; }
  /// The range of the data, which a picture shows.
  double lowest_value() const { return exported_ ? exported_->file().lowest_value : -1; }
  double highest_value() const { return exported_ ? exported_->file().highest_value : 1; }
  /// What decides the network's outputs: hashes of its files, and its type.
  std::string text() const;
  /// Numbers of a sample in the network's feature; 0: it has none. The first call may evaluate the network once.
  std::int64_t feature_size() const;

  /// @throws std::invalid_argument for classes or guidance that the network does not have.
  void check(const Condition& condition) const;
  /// How many samples in a row differ in their class or condition, before these take turns again.
  std::int64_t turns(const Condition& condition) const;

  /// A named schedule over the levels that the network is to be used at, unless the settings have others. With a table
  /// of levels that the network was trained with it ends at 0, unless the settings say otherwise.
  /// @throws std::invalid_argument as make_schedule().
  Schedule schedule(const std::string& name, ScheduleSettings settings) const;
  /// The settings of schedule() with the network's levels in place.
  ScheduleSettings at_its_levels(const std::string& name, ScheduleSettings settings) const;
  /// The same for karras, from the highest level to the lowest above 0.
  Schedule karras(int steps) const;

  /// @param option  that names a picture
  /// @throws std::invalid_argument unless samples have 1 or 3 channels, or the path is empty.
  void check_pictures(const char* option, const std::filesystem::path& path) const;

  /// Unit noise [numbers, sample_shape...]; each depends on its number only.
  Samples noise(const std::vector<std::uint64_t>& numbers) const;

  /// The denoiser of the samples first, first + 1, ..., `count` of them or fewer.
  /// @param around  empty: nothing
  /// @param wrap    what a described network's output means; empty: as its description says
  /// @throws std::runtime_error for guidance of a described network without unconditional values.
  ConditionalDenoiser denoiser(const Condition& condition, std::int64_t first, std::int64_t count,
                               const AroundEvaluation& around = {},
                               const std::function<Denoise(RawNetwork)>& wrap = {}) const;
#ifdef FEWSTEP_TORCH
  torch::Device device() const;
  /// The same for one row of labels per sample; only of a file of weights.
  ConditionalDenoiser labelled(const torch::Tensor& labels, double guidance, const AroundEvaluation& around = {}) const;
#endif

 private:
  /// Of a file of weights.
  void load_weights();

  NetworkOptions options_;
  Place place_;
  std::shared_ptr<const ImageDenoiser> network_;
  const ImageConfig* config_ = nullptr;  // of network_
  std::optional<ExportedModel> exported_;
  Shape sample_shape_;
  mutable std::optional<std::int64_t> feature_size_;
};

}  // namespace fewstep::examples
