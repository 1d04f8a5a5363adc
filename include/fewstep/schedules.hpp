// All schedules.
#pragma once

#include "schedules/discrete.hpp"
#include "schedules/flow.hpp"
#include "schedules/karras.hpp"
#include "schedules/kl_optimal.hpp"
#include "schedules/log_uniform.hpp"
#include "schedules/polyexponential.hpp"
#include "schedules/published.hpp"
#include "schedules/time_uniform.hpp"
#include "schedules/training_steps.hpp"
