// Networks in TorchScript as denoisers on tensors: labels, batches, conditions and features as the module wants them.
#include "support/catch.hpp"
#include "support/message.hpp"

#include <fewstep/runtimes/torchscript.hpp>
#include <fewstep/torch/on_tensors.hpp>

#include <torch/script.h>

#include <string>
#include <vector>

using namespace fewstep;
using torch::Tensor;

namespace {

/// D for data N(mean, 0.5^2), mean: the third argument, or 1.
/// @param checks  of types (4: int64, 6: float32, 7: float64) and shapes
torch::jit::Module module_of(const std::string& checks, bool conditional = false) {
  torch::jit::Module module("model");
  module.define("def forward(self, x, sigma" + std::string(conditional ? ", mean" : "") + "):\n" + checks +
                "    keep = 0.25 / (0.25 + sigma.to(7).view(-1, 1, 1) ** 2)\n"
                "    d = keep * x + (1 - keep)" +
                (conditional ? " * mean.view(-1, 1, 1)" : "") + "\n    return d.to(x.dtype), (keep * x).flatten(1)\n");
  return module;
}

Tensor expected(const Tensor& x, const Tensor& sigma, const Tensor& mean) {
  const Tensor keep = 0.25 / (0.25 + sigma.view({-1, 1, 1}) * sigma.view({-1, 1, 1}));
  return keep * x + (1 - keep) * mean.view({-1, 1, 1});
}

double worst(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace

TEST_CASE("TorchScript: labels, batches, conditions and features") {
  const Tensor x = torch::linspace(-2, 2, 5 * 6, torch::kFloat64).view({5, 2, 3}).to(torch::kFloat32);
  const Tensor each = torch::tensor({0.3, 0.7, 1., 2., 5.}, torch::kFloat64), one = torch::ones({1}, torch::kFloat64);
  Tensor out, features;

  const auto any = torchscript_network(
      module_of("    assert sigma.dtype == 6 and sigma.dim() == 1 and sigma.size(0) == x.size(0)\n"), {.feature = 1});
  CHECK(any(x, Level<Tensor>(0.7), out, features));
  CHECK(worst(out, expected(x, 0.7 * one, one)) < 1e-6);
  CHECK(out.scalar_type() == torch::kFloat32);
  CHECK(features.sizes() == at::IntArrayRef({5, 6}));
  any(x, Level<Tensor>(each), out, features);
  CHECK(worst(out, expected(x, each, one)) < 1e-6);

  const auto fixed =
      torchscript_network(module_of("    assert x.size(0) == 2 and sigma.size(0) == 2\n"), {.batch = 2, .feature = 1});
  fixed(x, Level<Tensor>(each), out, features);
  CHECK(worst(out, expected(x, each, one)) < 1e-6);
  CHECK(features.size(0) == 5);

  const auto whole =
      torchscript_network(module_of("    assert sigma.dtype == 4 and sigma.dim() == 0 and x.dtype == 7\n"),
                          {.dtype = torch::kFloat64, .label_dtype = torch::kInt64, .scalar_label = true});
  CHECK_FALSE(whole(x, Level<Tensor>(1.9), out, features));
  CHECK(worst(out, expected(x, 2 * one, one)) < 1e-6);
  whole(x, Level<Tensor>(each.round().clamp_min(1)), out, features);  // sample by sample
  CHECK(worst(out, expected(x, each.round().clamp_min(1), one)) < 1e-6);

  const Tensor means = torch::tensor({1., -1., 2., 0., 3.}, torch::kFloat64);
  const auto conditional = torchscript_network(module_of("", true), {.batch = 2, .conditions = {means}});
  conditional(x, Level<Tensor>(0.7), out, features);
  CHECK(worst(out, expected(x, 0.7 * one, means)) < 1e-6);
  conditional.with({4 * one})(x, Level<Tensor>(0.7), out, features);
  CHECK(worst(out, expected(x, 0.7 * one, 4 * one)) < 1e-6);

  const auto refusal = [&](const TensorNetworkOptions& options) {
    return test::message_of(
        [&] { torchscript_network(module_of("", true), options)(x, Level<Tensor>(1.), out, features); });
  };
  CHECK(refusal({.conditions = {means.narrow(0, 0, 3)}}) == "the rows of a condition is 3; allowed: 1, or 5 or more");
  CHECK(refusal({.conditions = {one}, .output = 2}) == "the network's output is 2; allowed: places below 2");
  CHECK(refusal({.conditions = {one}, .output = 1}) ==
        "the shape of the network's output is [5, 6]; allowed: that of the state");
  CHECK(refusal({.batch = -1}) == "TensorNetworkOptions::batch is -1; allowed: 0 or more");
}

TEST_CASE("on_tensors: a network on buffers, with levels per sample, features and other types") {
  const auto network =
      on_tensors([](const Buffer<float>& x, const BufferLevel& label, Buffer<float>& out, Buffer<float>& features) {
        features = Buffer<float>(std::vector<float>(x.samples()), x.samples());
        for (std::size_t b = 0; b < x.samples(); ++b) {
          features[b] = static_cast<float>(label[b]);
          for (std::size_t i = 0; i < x.numbers(); ++i)
            out.sample(b)[i] = static_cast<float>(label[b]) * x.sample(b)[i];
        }
        return true;
      });
  const Tensor x = torch::linspace(-1, 1, 12, torch::kFloat64).view({3, 2, 2});
  const Tensor each = torch::tensor({0.5, 2., 3.}, torch::kFloat64);
  Tensor out, features;
  CHECK(network(x, Level<Tensor>(each), out, features));
  CHECK(out.scalar_type() == torch::kFloat64);
  CHECK(worst(out, x * each.view({3, 1, 1})) < 1e-6);
  CHECK(worst(features, each.view({3, 1})) < 1e-6);
  const Tensor turned = x.to(torch::kFloat32).transpose(1, 2);  // not contiguous
  network(turned, Level<Tensor>(2.), out, features);
  CHECK(worst(out, 2 * turned) == 0);
  CHECK_FALSE(on_tensors([](const Buffer<float>&, const BufferLevel&, Buffer<float>&, Buffer<float>&) {
    return false;
  })(x, Level<Tensor>(1.), out, features));
}
