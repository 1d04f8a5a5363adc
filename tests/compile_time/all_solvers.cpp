#include <fewstep/eigen.hpp>

using namespace fewstep;

AnySolver<Eigen::ArrayXXf> by_name(const char* name) { return make_solver<Eigen::ArrayXXf>(name); }
