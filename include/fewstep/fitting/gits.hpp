// A schedule computed from the user's own model: GITS, geometry-inspired time scheduling.
// Source: Chen et al. 2024, arXiv 2405.11326.
#pragma once

#include "../enum_names.hpp"
#include "../errors.hpp"
#include "../run.hpp"
#include "../schedule.hpp"
#include "teacher.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

namespace fewstep {

/// Cost of replacing several teacher steps by one Euler step: how much further the step ends from the straight line
/// through the trajectory's ends than the teacher, or the 1-norm or 2-norm of its distance to the teacher.
enum class GitsCost { deviation, l1, l2 };
constexpr std::array<std::string_view, 3> names_of(GitsCost) { return {"deviation", "l1", "l2"}; }

struct GitsOptions {
  /// Steps of the computed schedule: 1 to the teacher's, exclusive.
  int steps = 5;
  GitsCost cost = GitsCost::deviation;
  /// Factor of a cost for each step before it: above 1 late steps count more. The published value is 1.15.
  double coefficient = 1.15;
  /// Computes a schedule for a student with an analytic first step; the teacher then has one too.
  bool analytic_first_step = false;
};

namespace detail {

/// How far states of one batch are from the straight lines through the ends of their trajectories.
template <State X>
class LineDistance {
 public:
  LineDistance(const X& start, const X& end)
      : start_(start), line_(difference(end, start)), offset_(algebra<X>::like(start)) {
    length_squares_ = algebra<X>::dot(line_, line_);
  }

  /// One distance per sample.
  std::vector<double> operator()(const X& x) {
    subtract(offset_, x, start_);
    std::vector<double> share = algebra<X>::dot(offset_, line_);
    for (std::size_t b = 0; b < share.size(); ++b) share[b] /= length_squares_[b];
    const auto orthogonal = [](const auto& s) { return Pack{unit, -1. * s}; };
    combine(offset_, levels(algebra<X>::level_per_sample(share)), orthogonal, offset_, line_);
    std::vector<double> distances = algebra<X>::dot(offset_, offset_);
    for (double& d : distances) d = std::sqrt(d);
    return distances;
  }

 private:
  const X& start_;
  X line_, offset_;
  std::vector<double> length_squares_;
};

/// The norm of x for each sample: GitsCost::l1 or l2.
template <State X>
std::vector<double> sample_norms(const X& x, GitsCost cost) {
  if (cost == GitsCost::l1) return algebra<X>::sum_abs(x);
  std::vector<double> norms = algebra<X>::dot(x, x);
  for (double& n : norms) n = std::sqrt(n);
  return norms;
}

/// Adds the costs of all Euler steps along one trajectory, summed over its samples.
/// @return the number of samples
template <State X>
std::size_t add_gits_costs(const TeacherTrajectory<X>& teacher, const Schedule& schedule, GitsCost kind,
                           std::vector<std::vector<double>>& cost) {
  const std::size_t n = schedule.size();
  const std::vector<X>& states = teacher.states;
  LineDistance<X> line_distance(states[0], states.back());
  std::vector<std::vector<double>> teacher_distance(n);  // empty at the ends, which are on the line
  if (kind == GitsCost::deviation)
    for (std::size_t j = 1; j + 1 < n; ++j) teacher_distance[j] = line_distance(states[j]);
  X y = algebra<X>::like(states[0]);
  std::size_t samples = 0;
  for (std::size_t i = 0; i + 1 < n; ++i)
    for (std::size_t j = i + 1; j < n; ++j) {
      copy(y, states[i]);
      add_scaled(y, schedule[j] - schedule[i], teacher.slopes[i]);
      std::vector<double> costs;
      if (kind == GitsCost::deviation) {
        costs = line_distance(y);
        for (std::size_t b = 0; b < teacher_distance[j].size(); ++b) costs[b] -= teacher_distance[j][b];
      } else {
        subtract(y, y, states[j]);
        costs = sample_norms(y, kind);
      }
      for (const double c : costs) cost[i][j] += c;
      samples = costs.size();
    }
  return samples;
}

inline Schedule chosen_levels(const Schedule& schedule, const std::vector<std::size_t>& path) {
  std::vector<double> levels;
  for (const std::size_t i : path) levels.push_back(schedule[i]);
  return Schedule(std::move(levels));
}

}  // namespace detail

/// Costs of replacing several teacher steps by one Euler step, averaged over the samples of all batches.
/// @param teacher   trajectories with a state and a slope for each level of the schedule
/// @param schedule  the teacher's
/// @return cost[i][j], i < j: of the step from level i to level j along the teacher's slope at level i; else 0
template <State X>
std::vector<std::vector<double>> gits_costs(const std::vector<TeacherTrajectory<X>>& teacher, const Schedule& schedule,
                                            GitsCost kind) {
  std::vector cost(schedule.size(), std::vector<double>(schedule.size()));
  std::size_t samples = 0;
  for (const TeacherTrajectory<X>& trajectory : teacher)
    samples += detail::add_gits_costs(trajectory, schedule, kind, cost);
  for (std::vector<double>& row : cost)
    for (double& c : row) c /= static_cast<double>(samples);
  return cost;
}

/// The cheapest path from the first level to the last in a number of steps, by dynamic programming from the end:
///   V(j, 1) = cost[j][last],   V(j, k) = min over i > j of cost[j][i] + coefficient V(i, k - 1)
/// V(j, k): the cost of the cheapest path from level j to the last in k steps.
/// @return steps + 1 indices of levels
/// @throws std::invalid_argument unless 1 <= steps < the number of levels.
inline std::vector<std::size_t> gits_path(const std::vector<std::vector<double>>& cost, int steps, double coefficient) {
  const std::size_t n = cost.size();
  require(steps >= 1 && static_cast<std::size_t>(steps) < n, "GitsOptions::steps", steps,
          {"1 to the teacher's ", n - 1});
  std::vector<std::vector<double>> value(static_cast<std::size_t>(steps) + 1,
                                         std::vector<double>(n, std::numeric_limits<double>::infinity()));
  std::vector<std::vector<std::size_t>> next(value.size(), std::vector<std::size_t>(n, n - 1));
  for (std::size_t j = 1; j + 1 < n; ++j) value[1][j] = cost[j][n - 1];
  for (std::size_t k = 2; k < value.size(); ++k)
    for (std::size_t j = 0; j + 2 < n; ++j)
      for (std::size_t i = j + 1; i + 1 < n; ++i) {
        const double v = cost[j][i] + coefficient * value[k - 1][i];
        if (!(v < value[k][j])) continue;
        value[k][j] = v;
        next[k][j] = i;
      }
  std::vector<std::size_t> path{0};
  for (std::size_t k = value.size() - 1; k >= 1; --k) path.push_back(next[k][path.back()]);
  return path;
}

/// The schedule of a path with one more level, for a student with an analytic first step, which costs no evaluation:
/// the level before the path's second one with which the student ends nearest to the teacher (mean 2-norm). Without
/// change where the path's second level is the teacher's second, as none lies before it.
/// Evaluations: one run of the student for each candidate.
/// @param teacher   a trajectory of a teacher with an analytic first step
/// @param schedule  the teacher's
/// @param student   any solver
template <State X, class D, class Student>
Schedule gits_insertion(const TeacherTrajectory<X>& teacher, D&& denoise, const Schedule& schedule,
                        const std::vector<std::size_t>& path, const Student& student) {
  const Options options{.analytic_first_step = true};
  Schedule best = detail::chosen_levels(schedule, path);
  double least_distance = std::numeric_limits<double>::infinity();
  for (std::size_t k = 1; k < path[1]; ++k) {
    std::vector<std::size_t> longer = path;
    longer.insert(longer.begin() + 1, k);
    const Schedule candidate = detail::chosen_levels(schedule, longer);
    X end = integrate(student, denoise, candidate, detail::copied(teacher.states[0]), options).x;
    subtract(end, end, teacher.states.back());
    double distance = 0;
    for (const double norm : detail::sample_norms(end, GitsCost::l2)) distance += norm;
    if (!(distance < least_distance)) continue;
    least_distance = distance;
    best = candidate;
  }
  return best;
}

/// A schedule of `options.steps` steps on levels of a teacher's schedule, chosen for the student by the costs along the
/// teacher's trajectories. With an analytic first step it has one level more (gits_insertion).
/// Evaluations: the teacher's run, and with an analytic first step those of gits_insertion.
/// @param teacher   any solver, e.g. Ipndm{}
/// @param schedule  the teacher's, e.g. karras({.steps = 60})
/// @param x         a batch at its first level: schedule[0] * unit noise, 256 or more samples
/// @param student   the solver that will run on the result
/// @throws std::invalid_argument for wrong options; std::runtime_error if the teacher's samples are not finite.
/// Source: Chen et al. 2024, arXiv 2405.11326, algorithm 1; diff-sampler, gits_utils.py (the level for the analytic
/// first step).
template <State X, class S, class D, class Student>
Schedule gits(const S& teacher, D&& denoise, const Schedule& schedule, const X& x, const Student& student,
              const GitsOptions& options = {}) {
  const std::vector trajectories{record_teacher_with_slopes(
      teacher, denoise, schedule, x, {.run = {.analytic_first_step = options.analytic_first_step}})};
  const std::vector<std::size_t> path =
      gits_path(gits_costs(trajectories, schedule, options.cost), options.steps, options.coefficient);
  if (options.analytic_first_step) return gits_insertion(trajectories[0], denoise, schedule, path, student);
  return detail::chosen_levels(schedule, path);
}

}  // namespace fewstep
