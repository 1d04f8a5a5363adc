// States over contiguous numbers, the caller's or their own: std::vector<float>, float*, std::span. Needs no library.
#pragma once

#include "buffer/algebra.hpp"
#include "buffer/noise.hpp"
#include "fewstep.hpp"
