// What diffusers 0.42.1 does where this library does otherwise: orders by step, steps that lead to another level than
// the next, clipping that keeps the noise of the unclipped image.
#pragma once

#include "diffusers/ddim.hpp"
#include "diffusers/heun.hpp"
#include "diffusers/multistep_dpm.hpp"
#include "diffusers/pndm.hpp"
#include "diffusers/sa_solver.hpp"
#include "diffusers/singlestep_dpm.hpp"
#include "diffusers/thresholded_slope.hpp"
#include "diffusers/unipc.hpp"
