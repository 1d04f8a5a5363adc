// Solvers and schedules that reproduce mistakes of published code, for comparison with its recorded results: one header
// per program. They are exempt from the laws; everything else in the library uses the correct methods.
#pragma once

#include "compat/diff_sampler.hpp"
#include "compat/diffusers.hpp"
#include "compat/dpm_solver.hpp"
