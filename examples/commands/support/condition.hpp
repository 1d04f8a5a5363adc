// What pictures a network is asked for: what the commands that draw many have in common.
#pragma once

#include "unet.hpp"

#include <fewstep/denoisers/analytic_first_step.hpp>
#include <fewstep/denoisers/guidance.hpp>
#include <fewstep/io/gaussian_start_file.hpp>
#include <fewstep/torch.hpp>
#include <fewstep/torch/gaussian_start.hpp>

#include <torch/torch.h>
#include <CLI/CLI.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace fewstep::examples {

/// @throws std::runtime_error as io::read_gaussian_start, also for a start that is for another model.
inline TensorGaussianStart load_gaussian_start(const std::filesystem::path& path, const UnetConfig& c,
                                               torch::Device device) {
  return TensorGaussianStart::from(io::read_gaussian_start(path, {c.img_channels, c.img_resolution, c.img_resolution},
                                                           static_cast<std::size_t>(c.label_dim)),
                                   device);
}

struct Condition {
  bool unlabelled = false;                 // else classes take turns
  double guidance = 1;                     // classifier-free; 1: none, else every evaluation is two
  std::vector<std::int64_t> classes = {};  // those that take turns; empty: all

  void add_options(CLI::App& app) {
    app.add_flag("--unlabelled", unlabelled, "pictures of no class; else classes take turns");
    app.add_option("--guidance", guidance, "towards the class (classifier-free); other than 1, each evaluation is two")
        ->check(CLI::Range(-1e3, 1e3));
  }

  /// @throws std::invalid_argument for a network that knows no classes, or not these.
  void check(const UnetConfig& c) const {
    require(guidance == 1 || (c.label_dim > 0 && !unlabelled), "guidance", guidance, "1 where no class is asked for");
    require(classes.empty() || !unlabelled, "classes", "given", "without --unlabelled");
    for (const std::int64_t one : classes)
      require(one >= 0 && one < c.label_dim, "classes", one,
              c.label_dim == 0 ? "none, of a model without classes" : "0 to " + std::to_string(c.label_dim - 1));
  }

  /// Empty for the usual one.
  std::string text() const {
    std::ostringstream text;
    text.precision(17);
    if (unlabelled) text << ", unlabelled";
    if (guidance != 1) text << ", guidance " << guidance;
    for (std::size_t k = 0; k < classes.size(); ++k) text << (k == 0 ? ", classes " : " ") << classes[k];
    return text.str();
  }

  /// How many take turns.
  std::int64_t kinds(const UnetConfig& c) const {
    if (unlabelled || c.label_dim == 0) return 1;
    return classes.empty() ? c.label_dim : std::ssize(classes);
  }

  /// The rows of the samples first, first + 1, ...: [count, classes]; undefined for a network without classes.
  torch::Tensor labels(const UnetConfig& c, std::int64_t first, std::int64_t count) const {
    if (c.label_dim == 0) return {};
    if (unlabelled) return torch::zeros({count, c.label_dim});
    const torch::Tensor known = classes.empty() ? torch::arange(c.label_dim) : torch::tensor(classes);
    return class_rows(known.index_select(0, torch::arange(first, first + count) % known.size(0)), c.label_dim);
  }

  /// What `use` makes of the denoiser that these rows and the guidance give, with an analytic start of its own if there
  /// is one.
  template <class Network, class Use>
  auto with_denoiser(const Network& network, const torch::Tensor& labels, const TensorGaussianStart* start,
                     Use&& use) const {
    return with_denoiser(network, labels, [&](const auto& denoise) {
      return start ? use(with_analytic_first_step(denoise, start->denoiser(labels, guidance))) : use(denoise);
    });
  }
  template <class Network, class Use>
  auto with_denoiser(const Network& network, const torch::Tensor& labels, Use&& use) const {
    const auto asked = [&](const torch::Tensor& rows) {
      return [&network, rows](const torch::Tensor& x, const torch::Tensor& sigma) { return network(x, sigma, rows); };
    };
    if (guidance == 1) return use(asked(labels));
    return use(guided(asked(labels), asked(torch::zeros_like(labels)), {.scale = guidance}));
  }
};

}  // namespace fewstep::examples
