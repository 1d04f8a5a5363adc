// What only exists to reproduce slips of published code, a file for each program. Nothing in the library takes these
// for the method itself, and the laws do not hold here.
#pragma once

#include "compat/diff_sampler.hpp"
#include "compat/diffusers.hpp"
#include "compat/dpm_solver.hpp"
