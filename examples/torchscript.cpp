// A TorchScript module whose second output, a feature, reaches a predictor.
#include <fewstep/torch.hpp>

#include <torch/script.h>

#include <cstdio>
#include <utility>

using namespace fewstep;
using torch::Tensor;

/// A predictor: places the intermediate level of each sample by its feature. AMED trains a small network for this.
struct ByFeature {
  static constexpr bool per_sample = true;
  void operator()(const Step<Tensor>&, const Tensor* feature, Prediction<Tensor>& out) const {
    if (feature) out.ratio = Level<Tensor>(torch::sigmoid(feature->to(torch::kFloat64).mean(1)));
  }
};

int main() {
  torch::jit::Module module("model");  // your code: torch::jit::load("model.pt")
  module.define(R"(
    def forward(self, x, sigma):
        keep = 0.25 / (0.25 + sigma.view(-1, 1, 1, 1) ** 2)
        feature = (keep * x).flatten(1)
        return (keep * x).to(x.dtype), feature.to(x.dtype)
  )");
  const auto denoise = [&](const Tensor& x, const Tensor& sigma) {
    const auto both = module.get_method("forward")({x, sigma}).toTuple();
    return std::pair(both->elements()[0].toTensor(), both->elements()[1].toTensor());
  };
  const auto result = sample(Amed{Ipndm{.order = 3}, ByFeature{}}, denoise, karras({.steps = 3}),
                             tensor_noise({1, 2}, {1, 4, 4}), {.analytic_first_step = true});
  std::printf("NFE %d, standard deviation %.2f\n", result.evaluations, result.x.std().item<double>());
}
