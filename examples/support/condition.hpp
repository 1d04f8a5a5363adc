// What pictures a network is asked for: what the commands that draw many have in common.
#pragma once

#include "gaussian_start.hpp"
#include "unet.hpp"

#include <fewstep/denoisers/guidance.hpp>
#include <fewstep/denoisers/started.hpp>
#include <fewstep/torch.hpp>

#include <CLI/CLI.hpp>
#include <torch/torch.h>

#include <cstdint>
#include <sstream>
#include <string>

namespace fewstep::examples {

struct Condition {
  bool unlabelled = false;  // else classes take turns
  double guidance = 1;      // classifier-free; 1: none, else every evaluation is two

  void add_options(CLI::App& app) {
    app.add_flag("--unlabelled", unlabelled, "pictures of no class; else classes take turns");
    app.add_option("--guidance", guidance, "towards the class (classifier-free); other than 1, each evaluation is two");
  }

  /// @throws std::invalid_argument for a network that knows no classes.
  void check(const UnetConfig& c) const {
    require(guidance == 1 || (c.label_dim > 0 && !unlabelled), "guidance", guidance, "1 where no class is asked for");
  }

  /// Empty for the usual one.
  std::string text() const {
    std::ostringstream text;
    if (unlabelled) text << ", unlabelled";
    if (guidance != 1) text << ", guidance " << guidance;
    return text.str();
  }

  /// The rows of the samples first, first + 1, ...: [count, classes]; undefined for a network without classes.
  torch::Tensor labels(const UnetConfig& c, std::int64_t first, std::int64_t count) const {
    if (c.label_dim == 0) return {};
    if (unlabelled) return torch::zeros({count, c.label_dim});
    return class_rows(torch::arange(first, first + count) % c.label_dim, c.label_dim);
  }

  /// What `use` makes of the denoiser that these rows and the guidance give, with an analytic start of its own if there is one.
  template <class Network, class Use>
  auto with_denoiser(const Network& network, const torch::Tensor& labels, const GaussianStart* start, Use&& use) const {
    return with_denoiser(network, labels, [&](const auto& denoise) {
      return start ? use(with_start(denoise, start->denoiser(labels, guidance))) : use(denoise);
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
