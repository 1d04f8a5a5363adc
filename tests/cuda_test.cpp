// On a GPU: samples, gradients and fits are those of the CPU, and sampling does not wait for the GPU. Skipped if
// LibTorch sees no GPU.
#include "support/catch.hpp"
#include "support/configurations.hpp"
#include "support/tensors.hpp"

#include <fewstep/fitting/calibrate.hpp>
#include <fewstep/fitting/gits.hpp>
#include <fewstep/torch.hpp>
#include <fewstep/torch/amed_predictor.hpp>
#include <fewstep/torch/training.hpp>

#include <torch/cuda.h>

#ifdef FEWSTEP_CUDA_HEADERS
#include <c10/cuda/CUDAFunctions.h>
#endif

#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::cuda_test {

using test::distance;
using torch::Tensor;

namespace {

bool without_gpu() {
  if (torch::cuda::is_available()) return false;
  std::puts("skipped: this LibTorch sees no GPU");
  return true;
}

Tensor unit_noise(std::uint64_t count) {
  std::vector<std::uint64_t> seeds;
  for (std::uint64_t k = 0; k < count; ++k) seeds.push_back(k);
  return tensor_noise(seeds, {4}, torch::kFloat64);
}

/// Ratio, direction scale and sigma scale of each sample from its features.
struct PerSample {
  [[maybe_unused]] static constexpr bool per_sample = true;
  void operator()(const Step<Tensor>&, const Tensor* features, Prediction<Tensor>& out) const {
    if (!features) return void(out.ratio = Level<Tensor>(0.5));
    const Tensor f = features->sum(1).tanh();
    out = {Level<Tensor>(0.5 + 0.4 * f), Level<Tensor>(1 + 0.05 * f), Level<Tensor>(1 - 0.05 * f)};
  }
};

/// A denoiser of plain arithmetic, with features.
struct Bent {
  std::pair<Tensor, Tensor> operator()(const Tensor& x, const Tensor& sigma) const {
    const Tensor s = sigma.reshape({-1, 1}).to(x.scalar_type());
    return {x.tanh() / (1 + s), x / (1 + s)};
  }
};

/// LibTorch's error if something in f waits for the GPU. Empty: nothing does, or LibTorch cannot detect it.
template <class F>
std::string waiting(F f) {
  std::string message;
#ifdef FEWSTEP_CUDA_HEADERS
  c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR);
#endif
  try {
    f();
  } catch (const std::exception& error) {
    message = error.what();
  }
#ifdef FEWSTEP_CUDA_HEADERS
  c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
#endif
  return message;
}

}  // namespace

TEST_CASE("GPU: every solver, plain and plugged, gives the samples of the CPU") {
  if (without_gpu()) return;
  const TensorMixtureDenoiser exact(test::mixture());
  const Tensor z = unit_noise(3);
  for (const auto& [label, solver] : test::configurations<Tensor>())
    for (const bool afs : {false, true}) {
      INFO(label << (afs ? " with AFS" : ""));
      const Options o{.analytic_first_step = afs,
                      .final_denoise = afs,
                      .thresholding = Thresholding{.quantile = 0.7, .floor = 0.9}};
      const auto there = sample(solver, exact, karras({.steps = 6}), z.to(torch::kCUDA), o),
                 here = sample(solver, exact, karras({.steps = 6}), z, o);
      CHECK(there.x.is_cuda());
      CHECK(distance(there.x.cpu(), here.x) < 1e-10);
    }
}

TEST_CASE("GPU: every solver with levels per sample gives the samples of the CPU") {
  if (without_gpu()) return;
  const Tensor z = unit_noise(3);
  for (const auto& [label, solver] : test::configurations<Tensor>()) {
    INFO(label);
    const AnySolver<Tensor> plugged = Amed{solver, PerSample{}};
    CHECK(distance(sample(plugged, Bent{}, karras({.steps = 4}), z.to(torch::kCUDA)).x.cpu(),
                   sample(plugged, Bent{}, karras({.steps = 4}), z).x) < 1e-8);
  }
}

TEST_CASE("GPU: sampling does not wait for the GPU") {
  if (without_gpu()) return;
  const Tensor z = unit_noise(3).to(torch::kCUDA);
  const Options unchecked{.check = Check::off};
  for (const auto& [label, solver] : test::configurations<Tensor>()) {
    INFO(label);
    // clang 14 cannot capture structured bindings, so this renames the solver.
    CHECK(waiting([&, &chosen = solver] { sample(chosen, Bent{}, karras({.steps = 6}), z, unchecked); }) == "");
  }
  const TensorAmedPredictor predictor(initial_amed_network(4, 0.05, 0.05, 1), torch::TensorOptions(torch::kCUDA));
  for (const AnySolver<Tensor>& solver :
       {AnySolver<Tensor>(AmedSolver{predictor}), AnySolver<Tensor>(Amed{Ipndm{}, predictor}),
        AnySolver<Tensor>(Amed{Dpmpp{}, predictor})})
    CHECK(waiting([&] { sample(solver, Bent{}, karras({.steps = 4}), z, unchecked); }) == "");
#ifdef FEWSTEP_CUDA_HEADERS
  CHECK(waiting([&] { z.sum().item<double>(); }) != "");
#else
  WARN("not tested: LibTorch's detection of synchronisation needs CUDA's headers");
#endif
}

TEST_CASE("GPU: gradients of a predictor are those of the CPU") {
  if (without_gpu()) return;
  const auto gradients = [](torch::Device device) {
    const TensorAmedPredictor predictor(initial_amed_network(4, 0.05, 0.05, 1),
                                        torch::TensorOptions(device).dtype(torch::kFloat64));
    for (Tensor parameter : predictor.parameters()) parameter.requires_grad_(true);
    sample(Amed{Ipndm{}, predictor}, Bent{}, karras({.steps = 4}), unit_noise(3).to(device), {.gradients = true})
        .x.square()
        .sum()
        .backward();
    std::vector<Tensor> all;
    for (const Tensor& parameter : predictor.parameters()) all.push_back(parameter.grad().cpu().flatten());
    return torch::cat(all);
  };
  const Tensor here = gradients(torch::kCPU);
  CHECK(here.abs().max().item<double>() > 0);
  CHECK(distance(gradients(torch::kCUDA), here) < 1e-10 * here.abs().max().item<double>());
}

TEST_CASE("GPU: a calibrated table and a path of GITS are those of the CPU") {
  if (without_gpu()) return;
  const TensorMixtureDenoiser exact(test::mixture());
  const Schedule schedule = time_uniform({.steps = 5});
  const Table start = tabulate(Ipndm{.order = 3}, schedule);
  const auto fitted = [&](torch::Device device) {
    return calibrate(exact, start, std::vector<Tensor>{unit_noise(60).to(device)}, {.iterations = 2});
  };
  const auto here = fitted(torch::kCPU), there = fitted(torch::kCUDA);
  CHECK(here.best_rms < here.start_rms);
  CHECK(there.best_rms == Approx(here.best_rms).epsilon(1e-4));
  for (std::size_t k = 0; k < here.table.levels.size(); ++k)
    CHECK(there.table.levels[k] == Approx(here.table.levels[k]).epsilon(1e-3));

  const auto path = [&](torch::Device device) {
    const Schedule made =
        gits(Heun{}, exact, karras({.steps = 20}), Tensor(unit_noise(8).to(device) * 80), Ipndm{}, {.steps = 4});
    return std::vector<double>(made.begin(), made.end());
  };
  CHECK(path(torch::kCUDA) == path(torch::kCPU));
}

}  // namespace fewstep::cuda_test
