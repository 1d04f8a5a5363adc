#include <fewstep/fewstep.hpp>
