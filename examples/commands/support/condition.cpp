#include "condition.hpp"

#include <fewstep/denoisers/guidance.hpp>
#include <fewstep/errors.hpp>

#include <cstddef>
#include <iterator>
#include <memory>
#include <sstream>
#include <utility>

namespace fewstep::examples {

void Condition::add_options(CommandLine& line) {
  line.flag("--unlabelled", unlabelled, "draw unconditional samples; otherwise the classes take turns");
  line.option("--guidance", guidance, "classifier-free guidance scale; other than 1, each step takes twice the NFE")
      .range(-1e3, 1e3);
}

void Condition::add_classes(CommandLine& line) {
  line.option("--classes", classes, "classes that take turns, such as 5,7,9; all if not given").comma_separated();
}

void Condition::check(const ImageConfig& c) const {
  require(guidance == 1 || (c.label_dim > 0 && !unlabelled), "guidance", guidance, "1 for unconditional samples");
  require(classes.empty() || !unlabelled, "classes", "given", "without --unlabelled");
  for (const std::int64_t one : classes)
    require(one >= 0 && one < c.label_dim, "classes", one,
            c.label_dim == 0 ? "none: this network was trained without classes"
                             : "0 to " + std::to_string(c.label_dim - 1));
}

std::string Condition::text() const {
  std::ostringstream text;
  text.precision(17);
  if (unlabelled) text << ", unlabelled";
  if (guidance != 1) text << ", guidance " << guidance;
  for (std::size_t k = 0; k < classes.size(); ++k) text << (k == 0 ? ", classes " : " ") << classes[k];
  return text.str();
}

std::int64_t Condition::class_count(const ImageConfig& c) const {
  if (unlabelled || c.label_dim == 0) return 1;
  return classes.empty() ? c.label_dim : std::ssize(classes);
}

#ifdef FEWSTEP_TORCH

ConditionalDenoiser::ConditionalDenoiser(Network network, torch::Tensor labels, double guidance)
    : labels_(std::move(labels)), guidance_(guidance) {
  const auto with_labels = [shared = std::make_shared<const Network>(std::move(network))](const torch::Tensor& all) {
    return [shared, all](const torch::Tensor& x, const torch::Tensor& sigma) {
      const bool longer = all.defined() && all.size(0) > x.size(0);
      return (*shared)(x, sigma, longer ? all.narrow(0, 0, x.size(0)) : all);
    };
  };
  if (guidance_ == 1) {
    denoise_ = [network = with_labels(labels_)](const torch::Tensor& x, const Level<torch::Tensor>& sigma,
                                                torch::Tensor& out, torch::Tensor& features) {
      ImageDenoiser::Output output = network(x, algebra<torch::Tensor>::native(sigma, x));
      features = std::move(output.feature);
      out = std::move(output.denoised);
      return true;
    };
  } else {
    set_guided(guided(with_labels(labels_), with_labels(torch::zeros_like(labels_)), {.scale = guidance_}));
  }
}

torch::Tensor Condition::labels(const ImageConfig& c, std::int64_t first, std::int64_t count) const {
  if (c.label_dim == 0) return {};
  if (unlabelled) return torch::zeros({count, c.label_dim});
  const torch::Tensor used = classes.empty() ? torch::arange(c.label_dim) : torch::tensor(classes);
  return class_rows(used.index_select(0, torch::arange(first, first + count) % used.size(0)), c.label_dim);
}

#endif

}  // namespace fewstep::examples
