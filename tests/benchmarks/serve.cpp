#include "sections.hpp"
#include "steps.hpp"

#include <iostream>
#include <stdexcept>
#include <string>

namespace fewstep::benchmarks {

void serve() {
  std::string solver;
  Eigen::Index numbers = 0, batch = 0;
  while (std::cin >> solver >> numbers >> batch) {
    const Problem<Eigen::ArrayXXf> problem(numbers, batch);
    double seconds = 0;
    if (solver == "euler") seconds = step_seconds(Euler{}, problem);
    else if (solver == "dpmpp") seconds = step_seconds(Dpmpp{}, problem);
    else if (solver == "unipc") seconds = step_seconds(UniPc{.order = 2}, problem);
    else throw std::invalid_argument("unknown solver " + solver);
    std::cout << seconds << std::endl;
  }
}

}  // namespace fewstep::benchmarks
