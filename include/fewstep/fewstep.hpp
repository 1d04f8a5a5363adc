// The core and all solvers, without a backend: include eigen.hpp or torch.hpp for one.
#pragma once

#include "any_solver.hpp"
#include "denoisers.hpp"
#include "observers.hpp"
#include "plugin/amed.hpp"
#include "plugin/around.hpp"
#include "plugin/over_table.hpp"
#include "plugin/table_predictor.hpp"
#include "registry.hpp"
#include "run.hpp"
#include "version.hpp"
