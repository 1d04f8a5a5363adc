// Images with classes, as training takes them.
#pragma once

#include <torch/types.h>

namespace fewstep::examples {

struct LabelledImages {
  torch::Tensor images;  // [N, C, H, W], float32 in [-1, 1]
  torch::Tensor labels;  // [N], int64, 0 to classes - 1
};

}  // namespace fewstep::examples
