// What commands need to know about the network of a weights file: its images, its classes, its feature.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace fewstep::examples {

/// The part of a network's configuration that every architecture has. Names are those of the published EDM checkpoints.
struct ImageConfig {
  std::int64_t img_resolution = 32;
  std::int64_t img_channels = 3;
  std::int64_t label_dim = 0;            // number of classes, 0: unconditional
  double label_dropout = 0;              // used in training mode only
  std::vector<std::string> labels = {};  // names of the classes; may be empty

  virtual ~ImageConfig() = default;
  /// The name of a class, or its number.
  std::string label(std::int64_t k) const {
    return labels.empty() ? std::to_string(k) : labels[static_cast<std::size_t>(k)];
  }
  /// The size of the network's feature (ImageDenoiser::Output), which AMED's predictor reads.
  virtual std::int64_t feature_size() const = 0;

 protected:
  ImageConfig() = default;
  ImageConfig(const ImageConfig&) = default;
  ImageConfig& operator=(const ImageConfig&) = default;
};

}  // namespace fewstep::examples
