#include "core.hpp"

static_assert(sizeof(fewstep::Schedule) > 0);
