// The trained network as a shared library with a C interface.
#include "support/network_c.h"

#include "support/image_denoiser.hpp"
#include "support/process.hpp"

#include <torch/utils.h>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>

using namespace fewstep::examples;

struct network {
  std::shared_ptr<ImageDenoiser> denoiser;
};

network* network_open(const char* path, char* error, int error_size) {
  try {
    keep_freed_memory();
    return new network{load_denoiser(path)};
  } catch (const std::exception& e) {
    std::snprintf(error, static_cast<std::size_t>(error_size), "%s", first_line(e).c_str());
    return nullptr;
  }
}

int network_numbers(const network* n) {
  const ImageConfig& c = n->denoiser->config();
  return static_cast<int>(c.img_channels * c.img_resolution * c.img_resolution);
}

int network_classes(const network* n) { return static_cast<int>(n->denoiser->config().label_dim); }

int network_denoise(network* n, const float* x, float sigma, const int* classes, float* out, int samples) {
  try {
    const torch::NoGradGuard no_grad;
    const ImageConfig& c = n->denoiser->config();
    const torch::Tensor batch =
        torch::from_blob(const_cast<float*>(x), {samples, c.img_channels, c.img_resolution, c.img_resolution});
    torch::Tensor labels;
    if (classes && c.label_dim > 0) {
      const torch::Tensor indices = torch::from_blob(const_cast<int*>(classes), {samples}, torch::kInt32);
      labels = class_rows(indices.to(torch::kInt64), c.label_dim);
    }
    const torch::Tensor denoised = n->denoiser->forward(batch, torch::tensor(sigma), labels).denoised.contiguous();
    std::memcpy(out, denoised.data_ptr<float>(), sizeof(float) * static_cast<std::size_t>(denoised.numel()));
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "error: %s\n", first_line(e).c_str());
    return 1;
  }
}

void network_close(network* n) { delete n; }
