// All that makes denoisers of networks, and denoisers of denoisers.
#pragma once

#include "denoisers/analytic_first_step.hpp"
#include "denoisers/clamped.hpp"
#include "denoisers/composed.hpp"
#include "denoisers/conditioned.hpp"
#include "denoisers/edm.hpp"
#include "denoisers/flow.hpp"
#include "denoisers/guidance.hpp"
#include "denoisers/guided_batch.hpp"
#include "denoisers/inpainted.hpp"
#include "denoisers/predictions.hpp"
#include "denoisers/projected_guidance.hpp"
#include "denoisers/scale_polynomials.hpp"
#include "denoisers/zero_star_guidance.hpp"
#include "processes.hpp"
