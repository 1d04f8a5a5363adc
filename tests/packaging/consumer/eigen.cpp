#include <fewstep/eigen.hpp>

int main() {
  using X = Eigen::ArrayXXd;
  const auto denoise = [](const X& x, double sigma) -> X { return x / (1 + sigma * sigma); };
  const auto result =
      fewstep::sample(fewstep::Heun{}, denoise, fewstep::karras({.steps = 9}), fewstep::noise({1, 2}, 3));
  return result.status == fewstep::Status::complete ? 0 : 1;
}
