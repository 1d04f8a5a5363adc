// The adaptors on tensors: they agree with the Eigen backend, and support what only tensors have.
#include <fewstep/eigen/gaussian_start.hpp>
#include <fewstep/fitting/branch_choice.hpp>
#include <fewstep/fitting/branched.hpp>
#include <fewstep/fitting/tabulate.hpp>
#include <fewstep/torch.hpp>
#include <fewstep/torch/gaussian_start.hpp>

#include <torch/script.h>

#include "support/catch.hpp"  // after LibTorch, whose CHECK it removes
#include "support/tensors.hpp"

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace fewstep::torch_denoisers_test {

using test::Array;
using test::distance;
using test::tensor;
using torch::Tensor;

namespace {

Tensor two_levels(double a, double b) { return torch::tensor({a, b}, torch::kFloat64); }

template <class D>
Tensor denoised(const D& denoise, const Tensor& x, const Level<Tensor>& sigma) {
  Tensor out, features;
  fewstep::detail::denoise(denoise, x, sigma, out, features);
  return out;
}

struct PerSample {
  static constexpr bool per_sample = true;
  void operator()(const Step<Array>&, const Eigen::ArrayXXd*, Prediction<Array>& out) const {
    out.ratio.each(2) << 0.3, 0.6;
  }
  void operator()(const Step<Tensor>&, const Tensor*, Prediction<Tensor>& out) const {
    out.ratio = Level<Tensor>(two_levels(0.3, 0.6));
  }
};

using Network = std::function<Tensor(const Tensor&, const Tensor&)>;

/// A network that predicts `of`(x, D, sigma, alpha) for the input alpha x. `process` has sigma(t).
template <class Process, class Of>
Network network(Process process, double label_scale, Of of) {
  const TensorMixtureDenoiser exact(test::mixture());
  return [=](const Tensor& z, const Tensor& label) {
    const Tensor sigma = process.sigma(label / label_scale), column = sigma.reshape({-1, 1});
    Tensor alpha = torch::ones_like(column);
    if constexpr (!std::is_same_v<decltype(process.alpha(sigma)), unit_t>) alpha = process.alpha(column);
    const Tensor x = z / alpha;
    return of(x, exact(x, sigma), column, alpha);
  };
}

const auto noise_of = [](const Tensor& x, const Tensor& d, const Tensor& s, const Tensor&) { return (x - d) / s; };
const auto clean_of = [](const Tensor&, const Tensor& d, const Tensor&, const Tensor&) { return d; };
const auto v_of = [](const Tensor& x, const Tensor& d, const Tensor& s, const Tensor& a) {
  return a * (x - d) / s - a * s * d;
};
const auto velocity_of = [](const Tensor& x, const Tensor& d, const Tensor& s, const Tensor&) {
  return (x - d) / s - d;
};

/// The levels of a table for tensors of labels.
struct TableLabels {
  Discrete process;
  Tensor sigma(const Tensor& t) const {
    Tensor out = t.clone();
    Tensor flat = out.view({-1});
    for (std::int64_t b = 0; b < flat.numel(); ++b) flat[b].fill_(process.sigma((flat[b].item<double>() + 1) / 1000));
    return out;
  }
  Tensor alpha(const Tensor& s) const { return process.alpha(s); }
};

struct Variant {
  std::string name;
  std::function<void(const Tensor&, const Level<Tensor>&, Tensor&)> denoise;
};

std::vector<Variant> forms() {
  const Discrete table{NoiseTable::linear(1e-4, 0.02, 1000)};
  const VpLinear vp{.label_scale = 999};
  const TensorMixtureDenoiser exact(test::mixture());
  const Network raw = [exact](const Tensor& in, const Tensor& label) {
    const Tensor s = torch::exp(4 * label), column = s.reshape({-1, 1}), total = column * column + 0.25,
                 x = in * torch::sqrt(total);
    return (exact(x, s) - 0.25 / total * x) * torch::sqrt(total) / (0.5 * column);
  };
  return {{"epsilon, linear", from_epsilon(network(vp, 999, noise_of), vp)},
          {"x0, cosine", from_x0(network(VpCosine{}, 1, clean_of), VpCosine{})},
          {"v, cosine", from_v(network(VpCosine{}, 1, v_of), VpCosine{})},
          {"v, table", from_v(network(TableLabels{table}, 1, v_of), table)},
          {"epsilon, exploding", from_epsilon(network(Ve{}, 1, noise_of), Ve{})},
          {"EDM", edm_preconditioned(raw, 0.5)},
          {"flow", from_flow(network(Flow{}, 1000, velocity_of), {.label_scale = 1000})}};
}

}  // namespace

TEST_CASE("all parametrisations of a network on tensors give the samples of the Eigen backend") {
  const MixtureDenoiser exact(test::mixture());
  const Schedule s = karras({.steps = 5, .sigma_min = 0.02});
  const Array z = noise({1, 2}, 4);
  const Array heun = sample(Heun{}, exact, s, z).x, each = sample(DpmSolver2{PerSample{}}, exact, s, z).x;
  for (const Variant& form : forms()) {
    INFO(form.name);
    CHECK(distance(sample(Heun{}, form.denoise, s, tensor(z)).x, tensor(heun)) < 1e-12);
    CHECK(distance(sample(DpmSolver2{PerSample{}}, form.denoise, s, tensor(z)).x, tensor(each)) < 1e-12);
  }
  // Levels t of the flow itself: x_t = x/(1 + sigma).
  const auto native = from_flow_native(network(Flow{}, 1, velocity_of));
  const TensorMixtureDenoiser on_tensors(test::mixture());
  const Tensor t = two_levels(0.7, 0.2), x = tensor(z);
  CHECK(distance(denoised(native, x, Level<Tensor>(t)), on_tensors(x / (1 - t.view({2, 1})), t / (1 - t))) < 1e-12);
}

TEST_CASE("float32 states keep their type and labels are float64, for shared levels and levels per sample") {
  const auto check = [](const auto& make) {
    const auto seen = [](const Tensor& z, const Tensor& label) {
      CHECK(z.scalar_type() == torch::kFloat32);
      CHECK(label.scalar_type() == torch::kFloat64);
      return z * 0.3;
    };
    const auto denoise = make(seen);
    const Tensor z = tensor_noise({1, 2}, {4});
    CHECK(sample(Heun{}, denoise, karras({.steps = 3}), z).x.scalar_type() == torch::kFloat32);
    CHECK(sample(DpmSolver2{PerSample{}}, denoise, karras({.steps = 3}), z).x.scalar_type() == torch::kFloat32);
  };
  check([](const auto& n) { return edm_preconditioned(n); });
  check([](const auto& n) { return from_epsilon(n, Discrete{NoiseTable::scaled_linear(0.00085, 0.012, 1000)}); });
  check([](const auto& n) { return from_v(n, VpCosine{}); });
  check([](const auto& n) { return from_flow(n); });
  check([](const auto& n) {
    return clamped(guided(from_x0(n, Ve{}), n, {.scale = 3, .sigma_high = 5, .rescale = 0.5}), -1, 1);
  });
  check([](const auto& n) {
    return inpainted(guided_batch(n, {.scale = 3}), torch::zeros({1, 4}), torch::ones({2, 4}, torch::kFloat64));
  });
  check([](const auto& n) {
    return classifier_guided(n, [](const Tensor& x, const Tensor&) { return -x.square().sum(1); });
  });
}

TEST_CASE("guidance, clamping and inpainting agree with the Eigen backend, as two calls and as one doubled batch") {
  const GaussianMixture one{{1}, {{1, -1, 0.5}}, {0.3}}, two{{0.5, 0.5}, {{1, -1, 0.5}, {-1, 0, 0}}, {0.3, 0.4}};
  const GuidanceOptions options{.scale = 4, .sigma_low = 0.5, .sigma_high = 3, .rescale = 0.6};
  const auto in_eigen = guided(MixtureDenoiser(one), MixtureDenoiser(two), options);
  const TensorMixtureDenoiser c(one), u(two);
  const auto on_tensors = guided(c, u, options);
  const auto batch = guided_batch(
      [&](const Tensor& x, const Tensor& sigma) {
        CHECK(x.size(0) == 4);
        const auto half = [&](std::int64_t i) { return sigma.dim() == 0 ? sigma : sigma.narrow(0, 2 * i, 2); };
        return std::pair(torch::cat({u(x.narrow(0, 0, 2), half(0)), c(x.narrow(0, 2, 2), half(1))}), torch::arange(4));
      },
      options);
  const Array x = noise({1, 2}, 3) * 3;
  const auto eigen_at = [&](const auto& d, const Level<Array>& sigma) {
    Array out(3, 2);
    d(x, sigma, out);
    return tensor(out);
  };
  Level<Array> each(0.);
  each.each(2) << 2., 5.;
  for (const auto& [e, t] :
       {std::pair{Level<Array>(2.), Level<Tensor>(2.)}, std::pair{Level<Array>(5.), Level<Tensor>(5.)},
        std::pair{each, Level<Tensor>(two_levels(2, 5))}}) {
    CHECK(distance(denoised(on_tensors, tensor(x), t), eigen_at(in_eigen, e)) < 1e-13);
    CHECK(distance(denoised(batch, tensor(x), t), eigen_at(in_eigen, e)) < 1e-13);
  }
  Tensor out, features;
  batch(tensor(x), Level<Tensor>(2.), out, features);
  CHECK(torch::equal(features, torch::tensor({2, 3})));  // the conditional half's
  const auto total = [&](const auto& d) {
    return sample(Heun{}, d, karras({.steps = 4}), tensor(x)).total_evaluations;
  };
  CHECK(total(batch) == 16);
  CHECK(total(guided(c, u, {.scale = 2})) == 16);
  CHECK(total(guided(c, u, {.scale = 2, .sigma_high = 0.5})) < 16);

  const Array known = Array::Constant(3, 1, 0.4), mask = Array::Constant(3, 1, 0.25);
  CHECK(distance(denoised(inpainted(clamped(u, -0.2, 0.3), tensor(known), tensor(mask)), tensor(x), Level<Tensor>(2.)),
                 eigen_at(inpainted(clamped(MixtureDenoiser(two), -0.2, 0.3), known, mask), Level<Array>(2.))) < 1e-15);
  CHECK_THROWS_WITH(denoised(inpainted(u, tensor(known), torch::ones({2, 4})), tensor(x), Level<Tensor>(2.)),
                    Catch::Contains("the shape of `mask` is [2, 4]; allowed:"));
  // A constant image has no deviation to match.
  const auto flat = [](const Tensor& v, const Tensor&) { return torch::ones_like(v); };
  CHECK(torch::equal(denoised(guided(flat, flat, {.scale = 2, .rescale = 1}), tensor(x), Level<Tensor>(2.)),
                     torch::ones({2, 3}, torch::kFloat64)));
}

TEST_CASE("tables of branches on tensors: as on Eigen's arrays, as two calls and as one doubled batch") {
  const GaussianMixture one{{1}, {{1, -1, 0.5}}, {0.3}}, two{{0.5, 0.5}, {{1, -1, 0.5}, {-1, 0, 0}}, {0.3, 0.4}};
  const GuidanceOptions options{.scale = 3};
  const TensorMixtureDenoiser c(one), u(two);
  const auto batch = guided_batch(
      [&](const Tensor& x, const Tensor& sigma) {
        return std::pair(torch::cat({u(x.narrow(0, 0, 2), sigma), c(x.narrow(0, 2, 2), sigma)}), torch::arange(4));
      },
      options);
  const Schedule schedule = karras({.steps = 6});
  const Array z = noise({1, 2}, 3);
  for (const bool afs : {false, true}) {
    const Options run{.analytic_first_step = afs};
    const Table whole = branched(tabulate(Ipndm{.order = 3}, schedule), 3, afs), sparse = leave_out(whole, 3, 1);
    for (const Table& table : {whole, sparse}) {
      const auto on_arrays =
          sample(table, guided(MixtureDenoiser(one), MixtureDenoiser(two), options), schedule, z, run);
      const auto on_tensors = sample(table, guided(c, u, options), schedule, tensor(z), run);
      CHECK(distance(on_tensors.x, tensor(on_arrays.x)) < 1e-12);
      CHECK(on_tensors.total_evaluations == on_arrays.total_evaluations);
    }
    CHECK(distance(sample(whole, batch, schedule, tensor(z), run).x,
                   sample(whole, guided(c, u, options), schedule, tensor(z), run).x) < 1e-12);
    CHECK_THROWS_WITH(sample(sparse, batch, schedule, tensor(z), run),
                      Catch::Contains("the number of branches evaluated is 1; allowed: 2 with guided_batch()"));
  }
}

TEST_CASE("classifier_guided with an exact classifier gives the denoiser of its class") {
  const GaussianMixture all{{0.4, 0.6}, {{1, -1, 0.5}, {-1, 0, 0.2}}, {0.3, 0.5}}, one{{1}, {{1, -1, 0.5}}, {0.3}};
  const auto log_probability = [](const Tensor& x, const Tensor& sigma) {  // of the first class
    const auto joint = [&](double weight, const Tensor& mean, double deviation) {
      const Tensor v = deviation * deviation + sigma.reshape({-1}).square();
      return std::log(weight) - 1.5 * v.log() - (x - mean).square().sum(1) / (2 * v);
    };
    const Tensor a = joint(0.4, torch::tensor({1., -1., 0.5}, torch::kFloat64), 0.3);
    return a - torch::logaddexp(a, joint(0.6, torch::tensor({-1., 0., 0.2}, torch::kFloat64), 0.5));
  };
  const auto pushed = classifier_guided(TensorMixtureDenoiser(all), log_probability);
  const TensorMixtureDenoiser want(one);
  const Tensor x = tensor(noise({1, 2}, 3) * 2);
  for (const double sigma : {0.1, 1., 10.})
    CHECK(distance(denoised(pushed, x, Level<Tensor>(sigma)), want(x, torch::tensor(sigma, torch::kFloat64))) < 1e-10);
  CHECK(distance(denoised(pushed, x, Level<Tensor>(two_levels(0.5, 4))), want(x, two_levels(0.5, 4))) < 1e-10);
  const auto run = [&](const auto& denoise, const Options& o = {}) {
    return sample(DpmSolver2{PerSample{}}, denoise, karras({.steps = 6}), x, o).x;
  };
  CHECK(distance(run(pushed), run(want)) < 1e-10);  // under inference mode
  CHECK_FALSE(run(pushed).is_inference());
  CHECK_THROWS_AS(classifier_guided(want, log_probability, std::nan("")), std::invalid_argument);

  // Recorded runs differentiate through the gradient itself.
  Tensor shift = torch::zeros({3}, torch::dtype(torch::kFloat64).requires_grad(true));
  const auto loss = [&](const Tensor& by) {
    const auto moved = [&](const Tensor& v, const Tensor& s) { return log_probability(v + by, s); };
    return run(classifier_guided(TensorMixtureDenoiser(all), moved), {.gradients = true}).sum();
  };
  loss(shift).backward();
  const Tensor nudge = torch::tensor({0., 1e-5, 0.}, torch::kFloat64);
  const double slope = ((loss(shift.detach() + nudge) - loss(shift.detach() - nudge)) / 2e-5).item<double>();
  CHECK(shift.grad()[1].item<double>() == Approx(slope).epsilon(1e-5));
}

TEST_CASE("a TorchScript module can return its bottleneck as second output") {
  torch::jit::Module module("network");
  module.register_parameter("weight", torch::full({1}, 0.5), false);
  module.define(R"(
    def forward(self, x, label):
        hidden = x * self.weight
        return hidden + 0.0 * label.float(), hidden.mean(1)
  )");
  const auto network = [&](const Tensor& z, const Tensor& label) {
    const auto outputs = module.forward({z, label}).toTuple();
    return std::pair(outputs->elements()[0].toTensor(), outputs->elements()[1].toTensor());
  };
  const auto denoise = from_epsilon(network, VpLinear{});
  const Tensor x = tensor_noise({1, 2}, {4});
  Tensor out, features;
  CHECK(fewstep::detail::denoise(denoise, x, Level<Tensor>(2.), out, features));
  const Tensor input = x / std::sqrt(5.);
  CHECK(distance(features, 0.5 * input.mean(1)) < 1e-6);
  CHECK(distance(out, x - 2 * 0.5 * input) < 1e-6);
  CHECK(sample(Ipndm{}, denoise, karras({.steps = 3}), x).status == Status::complete);
}

TEST_CASE("TensorGaussianStart equals GaussianStartDenoiser, per class and guided") {
  GaussianStart start{.shape = {1, 2, 2}, .variance = 0.3};
  start.means = {{1, 2, 3, 4}, {-1, 0, 0.5f, 2}, {0.25f, 0.5f, 1, -2}};
  start.directions = {{1, 0, 0, 0, 0, 1, 0, 0}, {0, 0, 0.6f, 0.8f, 0, 0, 0.8f, -0.6f}, {0, 0, 0, 1, 0, 0, 1, 0}};
  start.variances = {{4, 2}, {1, 0.5}, {0, 9}};
  // Tensors hold means, and combine those of guidance, in float32.
  const TensorGaussianStart tensors = TensorGaussianStart::from(start);
  CHECK(tensors.values().means == start.means);
  CHECK(tensors.values().directions == start.directions);
  CHECK(tensors.values().variances == start.variances);
  CHECK(tensors.values().shape == start.shape);

  const std::vector<int> classes{1, GaussianStart::unconditional, 0};
  const Tensor labels = torch::tensor({0., 1., 0., 0., 1., 0.}, torch::kFloat32).reshape({3, 2});  // one-hot, or zeros
  const Array x = 3 * noise(std::vector<std::uint64_t>{1, 2, 3}, 4);
  Array expected = x;
  for (const double sigma : {0.02, 1., 80.})
    for (const double guidance : {1., 2.5}) {
      GaussianStartDenoiser(start, classes, guidance)(x, Level<Array>(sigma), expected);
      const auto denoise = tensors.denoiser(labels, guidance);
      const Tensor images = tensor(x).reshape({3, 1, 2, 2}), level = torch::tensor(sigma, torch::kFloat64);
      CHECK(distance(denoise(images, level).flatten(1), tensor(expected)) <= 2e-6);
      CHECK(distance(denoise(images, level.expand({3})).flatten(1), tensor(expected)) <= 2e-6);
      CHECK(distance(denoise(images.narrow(0, 0, 2), level).flatten(1), tensor(expected).narrow(0, 0, 2)) <= 2e-6);
      const Tensor narrow = denoise(images.to(torch::kFloat32), level);
      CHECK(narrow.scalar_type() == torch::kFloat32);
      CHECK(distance(narrow.flatten(1), tensor(expected)) <= 1e-5);
    }
  GaussianStartDenoiser{start}(x, Level<Array>(1.), expected);
  CHECK(distance(tensors.denoiser({})(tensor(x), torch::tensor(1., torch::kFloat64)), tensor(expected)) <= 2e-6);

  start.directions.assign(3, {});  // one variance for all directions
  start.variances.assign(3, {});
  GaussianStartDenoiser{start, classes}(x, Level<Array>(1.), expected);
  const TensorGaussianStart round = TensorGaussianStart::from(start);
  CHECK(distance(round.denoiser(labels)(tensor(x), torch::tensor(1., torch::kFloat64)), tensor(expected)) <= 2e-6);
  CHECK(round.values().variances == start.variances);
}

}  // namespace fewstep::torch_denoisers_test
