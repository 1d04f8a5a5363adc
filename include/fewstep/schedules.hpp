// All schedules.
#pragma once

#include "schedules/beta_quantiles.hpp"
#include "schedules/bong_tangent.hpp"
#include "schedules/comfyui.hpp"
#include "schedules/discrete.hpp"
#include "schedules/flow.hpp"
#include "schedules/flow_table.hpp"
#include "schedules/flow_uniform.hpp"
#include "schedules/karras.hpp"
#include "schedules/kl_optimal.hpp"
#include "schedules/linear_quadratic.hpp"
#include "schedules/log_uniform.hpp"
#include "schedules/polyexponential.hpp"
#include "schedules/published.hpp"
#include "schedules/time_uniform.hpp"
#include "schedules/training_steps.hpp"
#include "schedules/training_table.hpp"
