// The core and all solvers, without a backend: include eigen.hpp or torch.hpp for one.
#pragma once

#include "any_solver.hpp"
#include "denoisers.hpp"
#include "observer.hpp"
#include "plugin/amed.hpp"
#include "plugin/corrected_predictor.hpp"
#include "plugin/table_predictor.hpp"
#include "registry.hpp"
#include "run.hpp"
#include "schedule_registry.hpp"
#include "solvers/corrected_table.hpp"
#include "solvers/richardson.hpp"
#include "version.hpp"
