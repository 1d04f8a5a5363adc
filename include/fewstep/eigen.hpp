// fewstep on Eigen arrays.
#pragma once

#include "eigen/algebra.hpp"
#include "eigen/amed_predictor.hpp"
#include "eigen/gaussian_mixture.hpp"
#include "eigen/noise.hpp"
#include "fewstep.hpp"
