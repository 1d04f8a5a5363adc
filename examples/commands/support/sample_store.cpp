#include "sample_store.hpp"

#include "loaded_sampler.hpp"
#include "noise_numbers.hpp"
#include "progress.hpp"
#include "solver_list.hpp"

#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <vector>

namespace fewstep::examples {

void StoreOptions::add_options(CommandLine& line) {
  line.option("--cache", cache, "folder for computed samples and figures");
  line.option("--images", images, "images per set of noise").range(16, 1'000'000);
  line.option("--seeds", seeds, "sets of noise").range(1, 100);
  line.option("--reference", reference, "solver of the reference solution, at its default order").check(unknown_solver);
  line.option("--reference-steps", reference_steps, "steps of that solver").range(1, 100'000);
  line.option("--batch", batch, "images per batch").range(1, 65'536);
  condition.add_options(line);
  network.add_device(line);
}

std::string StoreOptions::kept() const {
  return cache.empty() ? "nothing was written" : "the same command continues from " + cache.string();
}

SampleStore::SampleStore(const StoreOptions& options)
    : options_(options), subject_(options.network), network_text_(subject_.text()), cache_(options.cache) {
  subject_.check(options_.condition);
}

SampleStore::Inputs SampleStore::inputs(std::int64_t set, std::int64_t first, std::int64_t count) const {
  return {subject_.noise(unseen_numbers(set, first, count)),
          subject_.denoiser(options_.condition, first, count, interruptible())};
}

Result<torch::Tensor> SampleStore::generate(const Sampler& sampler, const Inputs& inputs) const {
  return draw(sampler, inputs.denoise, inputs.unit_noise);
}

SampleStore::Samples SampleStore::samples(const Method& method, std::int64_t set, std::int64_t count) const {
  constexpr std::int64_t part_size = 512;
  const torch::NoGradGuard no_grad;
  Progress bar(method.name, static_cast<double>(count), "images");
  const auto make = [&](std::int64_t first, std::int64_t end) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<torch::Tensor> images;
    for (std::int64_t at = first; at < end; at += options_.batch) {
      const auto result = generate(method.sampler, inputs(set, at, (std::min)(options_.batch, end - at)));
      if (result.status != Status::complete)
        throw std::runtime_error(method.name + " (" + method.setup + "): the samples are not finite");
      images.push_back(result.x.to(torch::kCPU));
      bar.update(static_cast<double>(at + images.back().size(0)));
    }
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    return TensorCache::Tensors{{"images", torch::cat(images)},
                                {"seconds", torch::tensor({spent.count()}, torch::kFloat64)}};
  };
  std::vector<torch::Tensor> all;
  torch::Tensor seconds = torch::zeros({1}, torch::kFloat64);
  for (std::int64_t first = 0; first < count; first += part_size) {
    const std::int64_t end = (std::min)(first + part_size, count);
    const TensorCache::Tensors part = cache_(description(method, set, first, end), [&] { return make(first, end); });
    all.push_back(part.at("images"));
    seconds += part.at("seconds");
  }
  return {torch::cat(all), seconds.item<double>()};
}

Method SampleStore::reference() const {
  const ScheduleSettings settings{.steps = options_.reference_steps, .rho = 7};
  return {"reference",
          false,
          text_of_default(options_.reference) + ", " + text_of("karras", settings),
          {samples_solver(options_.reference), subject_.karras(options_.reference_steps)}};
}

torch::Tensor SampleStore::reference_images(std::int64_t set) {
  torch::Tensor& images = references_[set];
  if (!images.defined()) images = samples(reference(), set, options_.images).images;
  return images;
}

Method SampleStore::load(const std::filesystem::path& path) const {
  const LoadedSampler loaded = load_sampler(path, subject_, options_.condition.guidance);
  const std::string kind = path.extension() == ".json" ? "table " : "predictor ";
  const std::filesystem::path& start = loaded.gaussian_start_file;
  return {path.stem().string(), true, kind + fingerprint(path) + (start.empty() ? "" : ", start " + fingerprint(start)),
          loaded.sampler};
}

std::string SampleStore::description(const Method& m, std::int64_t set, std::int64_t first, std::int64_t end) const {
  return "model " + network_text_ + ", " + m.text() + options_.condition.text() + ", set " + std::to_string(set) +
         ", images " + std::to_string(first) + " to " + std::to_string(end);
}

}  // namespace fewstep::examples
