#include <fewstep/eigen/algebra.hpp>
#include <fewstep/run.hpp>
#include <fewstep/schedules/karras.hpp>
#include <fewstep/solvers/ipndm.hpp>

using namespace fewstep;
using X = Eigen::ArrayXXd;

X draw(const X& noise) {
  const auto denoise = [](const X& x, double sigma) -> X { return x / (1 + sigma * sigma); };
  return sample(Ipndm{}, denoise, karras({.steps = 5}), noise).x;
}
