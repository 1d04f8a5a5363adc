// One many-step trajectory that serves tables on all schedules of its range.
#pragma once

#include "../teacher.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// out <- the state at level s of a trajectory, between its levels t > s > u: the cubic with the states and slopes at
/// both ends (Hermite).
template <State X>
void interpolate(const TeacherTrajectory<X>& dense, const Schedule& schedule, std::size_t i, double s, X& out) {
  const double t = schedule[i], h = schedule[i + 1] - t, p = (s - t) / h, q = 1 - p;
  if (i + 1 < dense.slopes.size()) {
    const Pack weights{q * q * (1 + 2 * p), p * p * (1 + 2 * q), h * p * q * q, -h * p * p * q};
    combine(
        out, levels(), [&weights] { return weights; }, dense.states[i], dense.states[i + 1], dense.slopes[i],
        dense.slopes[i + 1]);
  } else {  // the slope at the last level is unknown
    const Pack weights{1 - p * p, p * p, h * p * q};
    combine(out, levels(), [&weights] { return weights; }, dense.states[i], dense.states[i + 1], dense.slopes[i]);
  }
}

/// The states of a trajectory at the levels of another schedule.
/// @param dense     a state and, but for the last one, a slope at each level of its schedule
/// @param schedule  of `dense`
/// @param levels    decreasing; the first and last are those of `schedule`
template <State X>
TeacherTrajectory<X> at_levels(const TeacherTrajectory<X>& dense, const Schedule& schedule,
                               const std::vector<double>& levels) {
  TeacherTrajectory<X> made;
  std::size_t i = 0;
  for (const double s : levels) {
    while (i + 1 < schedule.steps() && schedule[i + 1] > s) ++i;
    X state = algebra<X>::like(dense.states[0]);
    if (s >= schedule[i]) copy(state, dense.states[i]);
    else if (s <= schedule[i + 1]) copy(state, dense.states[i + 1]);
    else interpolate(dense, schedule, i, s, state);
    made.states.push_back(std::move(state));
  }
  return made;
}

}  // namespace fewstep::detail
