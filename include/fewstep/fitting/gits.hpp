// A schedule computed from the user's own model: GITS, geometry-inspired time scheduling.
#pragma once

#include "../run.hpp"
#include "../schedule.hpp"
#include "teacher.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

namespace fewstep {

/// What one long step is blamed for, on average over samples, against where the teacher arrives: the growth of the
/// distance from the line through the trajectory's ends, or the 1-norm or 2-norm of the difference.
enum class GitsCost { deviation, l1, l2 };

struct GitsOptions {
  int steps = 5;
  GitsCost cost = GitsCost::deviation;
  double coefficient = 1.15;  // what the cost of later steps counts against that of earlier ones
  bool analytic_first_step = false;
};

/// cost[i][j], i < j: of one Euler step from the teacher's level i to its level j, along the teacher's slope at i. The
/// mean over all samples of all batches.
template <State X>
std::vector<std::vector<double>> gits_costs(const std::vector<TeacherTrajectory<X>>& teacher, const Schedule& schedule,
                                            GitsCost kind) {
  const std::size_t n = schedule.size();
  std::vector cost(n, std::vector<double>(n));
  const auto minus = [](X& out, const X& a, const X& b) {
    combine(out, std::tuple<>{}, [] { return std::tuple{unit, -1.}; }, a, b);
  };
  std::size_t samples = 0;
  for (const TeacherTrajectory<X>& one : teacher) {
    const std::vector<X>&states = one.states, &slopes = one.slopes;
    X chord = algebra<X>::like(states[0]), y = algebra<X>::like(chord), from_line = algebra<X>::like(chord);
    minus(chord, states.back(), states[0]);
    const std::vector<double> length = algebra<X>::dot(chord, chord);
    // Of each sample, how far it is from the line through its trajectory's ends.
    const auto deviation = [&](const X& x) {
      minus(from_line, x, states[0]);
      const std::vector<double> along = algebra<X>::dot(from_line, chord);
      std::vector<double> each(along.size());
      for (std::size_t b = 0; b < each.size(); ++b) each[b] = along[b] / length[b];
      combine(
          from_line, levels(algebra<X>::level_per_sample(each)),
          [](const auto& a) { return std::tuple{unit, -1. * a}; }, from_line, chord);
      const std::vector<double> squares = algebra<X>::dot(from_line, from_line);
      for (std::size_t b = 0; b < each.size(); ++b) each[b] = std::sqrt(squares[b]);
      return each;
    };
    samples += length.size();
    std::vector<std::vector<double>> at(n, std::vector<double>(length.size()));
    if (kind == GitsCost::deviation)
      for (std::size_t j = 1; j + 1 < n; ++j) at[j] = deviation(states[j]);  // of the ends, which are on the line, 0
    for (std::size_t i = 0; i + 1 < n; ++i)
      for (std::size_t j = i + 1; j < n; ++j) {
        const double h = schedule[j] - schedule[i];
        combine(y, std::tuple<>{}, [h] { return std::tuple{unit, h}; }, states[i], slopes[i]);
        std::vector<double> each;
        if (kind == GitsCost::deviation) {
          each = deviation(y);
          for (std::size_t b = 0; b < each.size(); ++b) each[b] -= at[j][b];
        } else {
          minus(y, y, states[j]);
          each = kind == GitsCost::l1 ? algebra<X>::sum_abs(y) : algebra<X>::dot(y, y);
          if (kind == GitsCost::l2)
            for (double& e : each) e = std::sqrt(e);
        }
        for (const double e : each) cost[i][j] += e;
      }
  }
  for (auto& row : cost)
    for (double& c : row) c /= static_cast<double>(samples);
  return cost;
}

/// The cheapest way from the first level to the last in `steps` steps, as indices: dynamic programming from the end, on
///   V(j, 1) = cost[j][last],   V(j, k) = min over i of cost[j][i] + coefficient V(i, k - 1)
/// @throws std::invalid_argument unless 1 <= steps < the number of levels.
inline std::vector<std::size_t> gits_path(const std::vector<std::vector<double>>& cost, int steps, double coefficient) {
  const std::size_t n = cost.size();
  require(steps >= 1 && static_cast<std::size_t>(steps) < n, "GitsOptions::steps", steps,
          "1 to the teacher's " + std::to_string(n - 1));
  std::vector<std::vector<double>> value(static_cast<std::size_t>(steps) + 1,
                                         std::vector<double>(n, std::numeric_limits<double>::infinity()));
  std::vector<std::vector<std::size_t>> next(value.size(), std::vector<std::size_t>(n, n - 1));
  for (std::size_t j = 1; j + 1 < n; ++j) value[1][j] = cost[j][n - 1];
  for (std::size_t k = 2; k < value.size(); ++k)
    for (std::size_t j = 0; j + 2 < n; ++j)
      for (std::size_t i = j + 1; i + 1 < n; ++i) {
        const double v = cost[j][i] + coefficient * value[k - 1][i];
        if (v < value[k][j]) value[k][j] = v, next[k][j] = i;
      }
  std::vector<std::size_t> path{0};
  for (std::size_t k = value.size() - 1; k >= 1; --k) path.push_back(next[k][path.back()]);
  return path;
}

/// With an analytic start the first step is free, so one more level is put before the path's second one: the one with
/// which the student, from the teacher's start, ends nearest to the teacher. None where the path takes the teacher's
/// second level: there is none between.
template <State X, class D, class Student>
Schedule gits_insertion(const TeacherTrajectory<X>& teacher, D&& denoise, const Schedule& schedule,
                        const std::vector<std::size_t>& path, const Student& student) {
  std::vector<double> levels, best;
  for (const std::size_t i : path) levels.push_back(schedule[i]);
  best = levels;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t k = 1; k < path[1]; ++k) {
    std::vector<double> longer = levels;
    longer.insert(longer.begin() + 1, schedule[k]);
    X end =
        integrate(student, denoise, Schedule(longer), detail::copied(teacher.states[0]), {.analytic_first_step = true})
            .x;
    combine(end, std::tuple<>{}, [] { return std::tuple{unit, -1.}; }, end, teacher.states.back());
    double distance = 0;
    for (const double square : algebra<X>::dot(end, end)) distance += std::sqrt(square);
    if (distance < least) least = distance, best = longer;
  }
  return Schedule(best);
}

/// A schedule of `options.steps` of the teacher's levels for the student; no evaluations beyond the teacher's, but with
/// an analytic start, which the teacher then has too and which makes the schedule one step longer where a level lies
/// before the path's second one.
/// @param schedule  of the teacher, fine; @param x  states at its first level: 256 or more
/// Source: Chen et al. 2024, arXiv 2405.11326, algorithm 1; diff-sampler, gits_utils.py (the level for the analytic
/// start).
template <State X, class S, class D, class Student>
Schedule gits(const S& teacher, D&& denoise, const Schedule& schedule, const X& x, const Student& student,
              const GitsOptions& options = {}) {
  const std::vector made{record_teacher(teacher, denoise, schedule, x,
                                        {.slopes = true, .run = {.analytic_first_step = options.analytic_first_step}})};
  const auto path = gits_path(gits_costs(made, schedule, options.cost), options.steps, options.coefficient);
  if (options.analytic_first_step) return gits_insertion(made[0], denoise, schedule, path, student);
  std::vector<double> levels;
  for (const std::size_t i : path) levels.push_back(schedule[i]);
  return Schedule(levels);
}

}  // namespace fewstep
