// What the files with mistakes share.
#pragma once

#include <fewstep/eigen/algebra.hpp>
#include <fewstep/run.hpp>
#include <fewstep/schedules/karras.hpp>
#include <fewstep/solvers/dpm_solver_2.hpp>
#include <fewstep/solvers/euler.hpp>

using namespace fewstep;
using Array = Eigen::ArrayXXd;

inline const Schedule schedule = karras({.steps = 5});
inline const Array z = Array::Zero(3, 2);
inline Array shrink(const Array& x, double sigma) { return x / (1 + sigma * sigma); }
