// All noise processes.
#pragma once

#include "processes/discrete.hpp"
#include "processes/flow.hpp"
#include "processes/ve.hpp"
#include "processes/vp_cosine.hpp"
#include "processes/vp_linear.hpp"
