// The LibTorch backend against the Eigen one, and properties of tensors alone: dtypes, gradients, devices.
#include "support/catch.hpp"
#include "support/laws.hpp"
#include "support/tensors.hpp"

#include <fewstep/denoisers/guidance.hpp>
#include <fewstep/fitting/branched.hpp>
#include <fewstep/fitting/tabulate.hpp>
#include <fewstep/randn.hpp>
#include <fewstep/torch.hpp>
#include <fewstep/torch/laws.hpp>

namespace fewstep::torch_test {

using test::Array;
using test::distance;
using test::tensor;
using torch::Tensor;

namespace {

struct PerSample {
  static constexpr bool per_sample = true;
  void operator()(const Step<Array>&, const Eigen::ArrayXXd*, Prediction<Array>& out) const {
    out.ratio.each(2) << 0.3, 0.6;
    out.sigma_scale.each(2) << 1, 0.9;
    out.direction_scale.each(2) << 1, 1.02;
  }
  void operator()(const Step<Tensor>&, const Tensor*, Prediction<Tensor>& out) const {
    const auto time = [](double a, double b) { return Level<Tensor>(torch::tensor({a, b}, torch::kFloat64)); };
    out = {time(0.3, 0.6), time(1, 1.02), time(1, 0.9)};
  }
};

/// A ratio per sample from that sample's features.
struct FromFeatures {
  [[maybe_unused]] static constexpr bool per_sample = true;
  void operator()(const Step<Tensor>&, const Tensor* features, Prediction<Tensor>& out) const {
    out.ratio = features ? Level<Tensor>(0.5 + 0.4 * features->sum(1).tanh()) : Level<Tensor>(0.5);
  }
};

/// dpm2 with a ratio that carries gradients.
struct Learned {
  static constexpr bool per_sample = true;
  Tensor ratio;
  void operator()(const Step<Tensor>&, const Tensor*, Prediction<Tensor>& out) const {
    out.ratio = Level<Tensor>(ratio);
  }
};

}  // namespace

TEST_CASE("every solver obeys the laws on tensors, plain and plugged") {
  test::hold(laws::check_denoiser<Tensor>(laws::elementwise<Tensor>(laws::TwoPeaks{})));
  test::hold_for_every_solver<Tensor>();
  test::hold_for_every_solver_with<Tensor>(FromFeatures{});
}

TEST_CASE("every solver gives the same samples on both backends, with shared levels") {
  const MixtureDenoiser eigen(test::mixture());
  const TensorMixtureDenoiser exact(test::mixture());
  const Array z = noise({1, 2, 3}, 4);
  const auto arrays = test::configurations<Array>();
  const auto tensors = test::configurations<Tensor>();
  for (std::size_t i = 0; i < arrays.size(); ++i)
    for (const bool afs : {false, true}) {
      INFO(arrays[i].label << (afs ? " with AFS" : ""));
      const Options o{.analytic_first_step = afs,
                      .final_denoise = afs,
                      .thresholding = Thresholding{.quantile = 0.7, .floor = 0.9}};
      const auto a = sample(arrays[i].solver, eigen, karras({.steps = 6}), z, o);
      const auto b = sample(tensors[i].solver, exact, karras({.steps = 6}), tensor(z), o);
      CHECK(distance(tensor(a.x), b.x) < 1e-12);
      CHECK(a.evaluations == b.evaluations);
    }
}

TEST_CASE("both backends give the same samples with levels per sample") {
  const auto a =
      sample(DpmSolver2{PerSample{}}, MixtureDenoiser(test::mixture()), karras({.steps = 6}), noise({1, 2}, 4));
  const auto b = sample(DpmSolver2{PerSample{}}, TensorMixtureDenoiser(test::mixture()), karras({.steps = 6}),
                        tensor(noise({1, 2}, 4)));
  CHECK(distance(tensor(a.x), b.x) < 1e-12);
}

TEST_CASE("weights of order 3 on tensors of levels per sample equal those on doubles") {
  const Tensor q = torch::tensor({9., 3.}, torch::kFloat64), p = torch::tensor({5., 2.99}, torch::kFloat64),
               t = torch::tensor({4., 2.98}, torch::kFloat64), s = torch::tensor({0.5, 2.97}, torch::kFloat64);
  const auto check = [&](auto weights) {
    const auto tensors = weights(q, p, t, s);
    for (int b = 0; b < 2; ++b) {
      const auto number = [&](const Tensor& v) { return v[b].item<double>(); };
      const auto doubles = weights(number(q), number(p), number(t), number(s));
      CHECK(std::abs(number(std::get<1>(tensors)) - std::get<1>(doubles)) < 1e-13);
      CHECK(std::abs(number(std::get<2>(tensors)) - std::get<2>(doubles)) < 1e-13);
      CHECK(std::abs(number(std::get<3>(tensors)) - std::get<3>(doubles)) < 1e-13);
    }
  };
  check(Dpmpp::denoised_weights_3);
  check(Dpmpp::slope_weights_3);
}

TEST_CASE("states keep their dtype, and float32 is close to float64") {
  const TensorMixtureDenoiser exact(test::mixture());
  const Tensor z = tensor_noise({1, 2}, {4});
  const auto seen_type = [](const Tensor& x, const Tensor& sigma) {
    CHECK(x.scalar_type() == torch::kFloat32);
    CHECK(sigma.scalar_type() == torch::kFloat64);
    return x / (1 + sigma.to(x.scalar_type()).reshape({-1, 1}));
  };
  for_each_solver([&](const auto& entry) {
    INFO(entry.name);
    CHECK(sample(entry.make({}), seen_type, karras({.steps = 5}), z).x.scalar_type() == torch::kFloat32);
  });
  CHECK(sample(DpmSolver2{PerSample{}}, seen_type, karras({.steps = 5}), z).x.scalar_type() == torch::kFloat32);
  const Tensor want = sample(Dpmpp{}, exact, karras({.steps = 6}), z.to(torch::kFloat64)).x;
  CHECK(distance(sample(Dpmpp{}, exact, karras({.steps = 6}), z).x.to(torch::kFloat64), want) < 1e-4);
}

TEST_CASE("a network of low precision costs its own rounding, not the solver's accuracy") {
  const TensorMixtureDenoiser exact(test::mixture());
  // EDM's F = (D(x) - c_skip x) / c_out of the input c_in x, with the label ln(sigma)/4.
  const auto low = [&](const Tensor& input, const Tensor& label) {
    CHECK(input.scalar_type() == torch::kBFloat16);
    const Tensor sigma = (4 * label.to(torch::kFloat64)).exp().reshape({-1, 1});
    const Tensor total = (sigma.square() + 0.25).sqrt(), x = input.to(torch::kFloat64) * total;
    return ((exact(x, sigma.flatten()) - 0.25 / total.square() * x) / (0.5 * sigma / total)).to(torch::kBFloat16);
  };
  const auto denoise = edm_preconditioned(in_precision(low, torch::kBFloat16), 0.5);
  const Tensor z = tensor_noise(seed_range(0, 64), {4});
  for_each_solver([&](const auto& entry) {
    INFO(entry.name);
    const auto run = [&](const auto& model, const Tensor& from) {
      return sample(entry.make({}), model, karras({.steps = 5}), from).x.to(torch::kFloat64);
    };
    const Tensor want = run(exact, z.to(torch::kFloat64)), have = run(denoise, z);
    CHECK((have - want).square().mean().sqrt().item<double>() < 0.025);
  });
  CHECK_THROWS_WITH(in_precision(low, torch::kInt64), Catch::Contains("type is Long; allowed: floating-point types"));
}

TEST_CASE("states of other types than float32 and float64 are rejected") {
  const auto denoise = [](const Tensor& x, const Tensor&) { return x; };
  for (const torch::ScalarType type : {torch::kInt64, torch::kFloat16, torch::kBFloat16})
    CHECK_THROWS_WITH(sample(Euler{}, denoise, karras({.steps = 2}), torch::zeros({1, 2}, type)),
                      Catch::Contains("the state's dtype is") && Catch::Contains("; allowed: Float, Double"));
}

TEST_CASE("a denoiser's output of another type than the state is refused, and named") {
  const auto widened = [](const Tensor& x, const Tensor& sigma) { return x / (1 + sigma.view({-1, 1})); };
  const Tensor z = tensor_noise({1, 2}, {4});
  const auto refused = [&](const auto& solver, const auto& denoise) {
    CHECK_THROWS_WITH(sample(solver, denoise, karras({.steps = 3}), z),
                      Catch::Contains("the dtype of the denoiser's output is Double; allowed: Float, as the state's"));
  };
  refused(Euler{}, widened);
  refused(Heun{}, widened);
  const auto both = guided(widened, widened, {.scale = 2});
  refused(Euler{}, both);
  refused(branched(tabulate(Euler{}, karras({.steps = 3})), 2, false), both);
  CHECK(sample(Euler{}, widened, karras({.steps = 3}), z.to(torch::kFloat64)).x.scalar_type() == torch::kFloat64);
}

TEST_CASE("gradients are recorded only on request, and the result is an ordinary tensor") {
  Tensor scale = torch::tensor(0.5, torch::requires_grad());
  const auto denoise = [&](const Tensor& x, const Tensor&) { return x * scale; };
  const Tensor z = tensor_noise({1}, {3});
  const Tensor plain = sample(Ipndm{}, denoise, karras({.steps = 4}), z).x;
  CHECK_FALSE(plain.requires_grad());
  CHECK_FALSE(plain.is_inference());
  const Tensor traced = sample(Ipndm{}, denoise, karras({.steps = 4}), z, {.gradients = true}).x;
  traced.sum().backward();
  CHECK(scale.grad().abs().item<double>() > 0);
  CHECK(distance(plain, traced.detach()) < 1e-5);
}

TEST_CASE("a shared level is moved to the device of the levels per sample") {
  const auto there =
      torch::TensorOptions(torch::kMeta).dtype(torch::kFloat64);  // a device without numbers, on every machine
  const Level<Tensor> shared(2.), each(torch::empty({3}, there));
  Level<Tensor> out(0.);
  algebra<Tensor>::map(out, [](const auto& a, const auto&) { return a; }, shared, each);
  CHECK(out.each().device().is_meta());
  Tensor moved;
  bool seen = false;
  combine(
      moved, levels(shared, each),
      [&](const auto& a, const auto& b) {
        if constexpr (std::is_same_v<std::decay_t<decltype(a)>, Tensor>) seen = a.device().is_meta();
        return std::tuple{a * b};
      },
      torch::empty({3, 4}, there));
  CHECK(seen);
  CHECK(moved.device().is_meta());
}

TEST_CASE("gradients through a predicted ratio equal central differences") {
  const TensorMixtureDenoiser exact(test::mixture());
  const Tensor z = tensor_noise({1, 2}, {4}).to(torch::kFloat64);
  const auto loss = [&](const Tensor& ratio) {
    return sample(DpmSolver2{Learned{ratio}}, exact, karras({.steps = 4}), z, {.gradients = true}).x.square().sum();
  };
  Tensor ratio = torch::tensor({0.4, 0.55}, torch::dtype(torch::kFloat64).requires_grad(true));
  loss(ratio).backward();
  for (int b = 0; b < 2; ++b) {
    const Tensor nudge = torch::zeros({2}, torch::kFloat64).index_fill_(0, torch::tensor(b), 1e-6);
    const double slope = ((loss(ratio.detach() + nudge) - loss(ratio.detach() - nudge)) / 2e-6).item<double>();
    CHECK(ratio.grad()[b].item<double>() == Approx(slope).epsilon(1e-6));
  }
}

TEST_CASE("tensors saved by an observer are not overwritten") {
  const auto denoise = [](const Tensor& x, const Tensor&) { return x * 0.3; };
  std::vector<Tensor> handles, copies;
  for (const auto& [label, solver] : test::configurations<Tensor>()) {
    INFO(label);
    handles.clear();
    copies.clear();
    const Tensor z = tensor_noise({1}, {3});
    const Tensor before = z.clone();
    sample(solver, denoise, karras({.steps = 5}), z, {}, [&](const Snapshot<Tensor>& s) {
      handles.push_back(s.x);
      copies.push_back(s.x.clone());
    });
    CHECK(torch::equal(z, before));
    for (std::size_t i = 0; i < handles.size(); ++i) CHECK(torch::equal(handles[i], copies[i]));
  }
}

TEST_CASE("tensor_noise is a function of each sample's seed, with the numbers of the CPU generator") {
  CHECK(torch::equal(tensor_noise({7, 8}, {2, 3})[1], tensor_noise({8}, {2, 3})[0]));
  torch::manual_seed(8);
  CHECK(torch::equal(tensor_noise({8}, {2, 3})[0], torch::randn({2, 3})));
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{8}, (std::uint64_t{1} << 40) + 3})
    for (const std::int64_t size : {1, 2, 15, 16, 17, 31, 32, 100, 784}) {
      const Tensor z = tensor_noise({seed}, {size});
      std::vector<float> same(static_cast<std::size_t>(size));
      fill_randn<float>(same, seed);
      for (std::int64_t i = 0; i < size; ++i)
        CHECK(same[static_cast<std::size_t>(i)] == Approx(z[0][i].item<float>()).margin(1e-5));
    }
}

TEST_CASE("mixtures with full covariances agree on both backends") {
  const CorrelatedMixture m{{0.4, 0.6}, {{1, -1}, {-0.5, 0.5}}, {{2, 0.6, 0.6, 1}, {0.5, -0.2, -0.2, 0.3}}};
  const Array x = noise({1, 2, 3}, 2);
  Array want(2, 3);
  MixtureDenoiser{m}(x, Level<Array>(0.7), want);
  CHECK(distance(TensorMixtureDenoiser(m)(tensor(x), torch::tensor(0.7, torch::kFloat64)), tensor(want)) < 1e-12);
}

}  // namespace fewstep::torch_test
