// What only exists to reproduce slips of published code, a file for each method. Nothing in the library takes these for the method
// itself, and the laws do not hold here.
#pragma once

#include "compat/ddim.hpp"
#include "compat/deis.hpp"
#include "compat/discrete.hpp"
#include "compat/dpmpp.hpp"
#include "compat/ipndm_v.hpp"
#include "compat/unipc.hpp"
