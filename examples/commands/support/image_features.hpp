// Features of images by a classifier, in which sets of images are compared.
#pragma once

#include "classifier.hpp"
#include "metrics.hpp"

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace fewstep::examples {

class ImageFeatures {
 public:
  /// @param classifier  weights of train_classifier
  /// @param data        folder of the IDX files of Fashion-MNIST
  /// @throws std::runtime_error as load_classifier(), and if the test images are missing.
  ImageFeatures(const std::filesystem::path& classifier, const std::filesystem::path& data);

  /// @param images  [N, 1, 32, 32]; values beyond [-1, 1] are clamped
  torch::Tensor operator()(const torch::Tensor& images) const;

  /// Moments of the last 10,000 images of a split: of the training images those that the classifier was not trained
  /// on, of the test images all. Computed once.
  const Moments& real(const std::string& split);

  /// The hash of the classifier's file.
  const std::string& text() const { return text_; }

 private:
  std::shared_ptr<Classifier> classifier_;
  std::string text_;
  std::filesystem::path data_;
  std::map<std::string, Moments> real_;
};

}  // namespace fewstep::examples
