// Trajectories of many steps, for what learns to make do with few.
#pragma once

#include "../run.hpp"

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

namespace fewstep {

/// A schedule with each of its steps in `parts`, evenly in the seventh root of the level (Karras et al. 2022, equation
/// 5).
inline Schedule refined(const Schedule& schedule, int parts) {
  require(parts >= 1, "parts", parts, "1 or more");
  std::vector<double> levels{schedule[0]};
  for (std::size_t i = 0; i < schedule.steps(); ++i) {
    const double a = std::pow(schedule[i], 1. / 7), b = std::pow(schedule[i + 1], 1. / 7);
    for (int k = 1; k < parts; ++k) levels.push_back(std::pow(a + (b - a) * k / parts, 7));
    levels.push_back(schedule[i + 1]);
  }
  return Schedule(levels);
}

/// Where a teacher, any solver, is at the right end of each step of the schedule, when it makes each in `parts` steps
/// of its own.
/// @param noise  a batch of unit noise
/// @throws std::runtime_error if it does not end at finite numbers
template <State X, class S, class D>
std::vector<X> teach(const S& teacher, D&& denoise, const Schedule& schedule, int parts, const X& noise) {
  std::vector<X> states;
  {
    [[maybe_unused]] const typename algebra<X>::inference mode(true);
    X x = algebra<X>::like(noise);
    combine(x, std::tuple<>{}, [first = schedule[0]] { return std::tuple{first}; }, noise);
    Run run(teacher, denoise, refined(schedule, parts), std::move(x), {.check = Check::off});
    while (run.advance())
      if (run.index() % static_cast<std::size_t>(parts) == 0) states.push_back(detail::copied(run.x));
  }
  for (X& s : states) algebra<X>::release(s);
  if (!algebra<X>::finite(states.back())) throw std::runtime_error("the teacher's samples are not finite");
  return states;
}

}  // namespace fewstep
