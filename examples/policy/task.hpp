// The task of the policy in models/: a hand moves to a goal past an upright post.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <span>

namespace fewstep::examples {

/// A pose: x, y, height, three angles, the gripper's opening, each scaled to about [-1, 1]. The post stands at the
/// origin of x and y. A plan: the next 16 poses. A condition: the pose now and the goal.
inline constexpr std::size_t pose_numbers = 7, plan_poses = 16, plan_numbers = plan_poses * pose_numbers,
                             condition_numbers = 2 * pose_numbers;
inline constexpr double post_radius = 0.2, goal_tolerance = 0.1;

/// Returns the smallest distance between the post's axis and the hand's path, which begins at the pose now.
/// @param condition  [14]
/// @param plan       [112]
inline double distance_to_post(std::span<const float> condition, std::span<const float> plan) {
  std::complex<double> here(condition[0], condition[1]);
  double least = std::abs(here);
  for (std::size_t i = 0; i < plan_numbers; i += pose_numbers) {
    const std::complex<double> next(plan[i], plan[i + 1]), way = next - here;
    const double share = std::norm(way) > 0 ? -std::real(std::conj(way) * here) / std::norm(way) : 0;
    least = std::min(least, std::abs(here + std::clamp(share, 0., 1.) * way));
    here = next;
  }
  return least;
}

/// Returns the largest difference between a number of the plan's last pose and of the goal.
/// @param condition  [14]
/// @param plan       [112]
inline double distance_to_goal(std::span<const float> condition, std::span<const float> plan) {
  double largest = 0;
  for (std::size_t i = 0; i < pose_numbers; ++i)
    largest = std::max(largest, std::abs(double{plan[plan_numbers - pose_numbers + i]} - condition[pose_numbers + i]));
  return largest;
}

}  // namespace fewstep::examples
