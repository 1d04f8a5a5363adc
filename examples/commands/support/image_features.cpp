#include "image_features.hpp"

#include "cache.hpp"
#include "fashion_mnist.hpp"

#include <torch/utils.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace fewstep::examples {

ImageFeatures::ImageFeatures(const std::filesystem::path& classifier, const std::filesystem::path& data)
    : classifier_(load_classifier(classifier)), text_(fingerprint(classifier)), data_(data) {
  static_cast<void>(load_fashion_mnist(data, "t10k"));  // missing files are reported before hours of sampling
}

torch::Tensor ImageFeatures::operator()(const torch::Tensor& images) const {
  constexpr std::int64_t batch = 500;
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> parts;
  for (const torch::Tensor& part : images.split(batch))
    parts.push_back(classifier_->forward(part.clamp(-1, 1)).feature);
  return torch::cat(parts);
}

const Moments& ImageFeatures::real(const std::string& split) {
  if (const auto known = real_.find(split); known != real_.end()) return known->second;
  const torch::Tensor images = load_fashion_mnist(data_, split).images;
  const std::int64_t count = (std::min)(images.size(0), std::int64_t{10'000});
  const Moments moments((*this)(images.narrow(0, images.size(0) - count, count)), resample(count, 0));
  return real_.emplace(split, moments).first->second;
}

}  // namespace fewstep::examples
