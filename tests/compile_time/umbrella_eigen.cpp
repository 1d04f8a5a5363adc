#include <fewstep/eigen.hpp>
