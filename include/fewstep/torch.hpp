// fewstep on LibTorch tensors.
#pragma once

#include "fewstep.hpp"
#include "torch/algebra.hpp"
#include "torch/classifier_guidance.hpp"
#include "torch/gaussian_mixture.hpp"
#include "torch/noise.hpp"
#include "torch/precision.hpp"
