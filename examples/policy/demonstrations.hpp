// Synthetic demonstrations of the policy's task.
#pragma once

#include "task.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstdint>
#include <numbers>
#include <random>
#include <vector>

namespace fewstep::examples {

/// The shortest path that keeps a distance from the post: a line, an arc, a line.
class PathRoundPost {
 public:
  /// @param radius  distance to keep, below those of start and goal
  /// @param turn    1: anticlockwise, -1: clockwise; the path must be long enough to touch the circle
  PathRoundPost(std::complex<double> start, std::complex<double> goal, double radius, double turn)
      : start_(start), goal_(goal), radius_(radius), turn_(turn) {
    constexpr double circle = 2 * std::numbers::pi;
    const double before = std::acos(radius / std::abs(start)), after = std::acos(radius / std::abs(goal));
    const double angle = turn * (std::arg(goal) - std::arg(start));
    arc_begin_ = std::arg(start) + turn * before;
    arc_ = angle - circle * std::floor(angle / circle) - before - after;
    line_ = std::abs(start) * std::sin(before);
    last_line_ = std::abs(goal) * std::sin(after);
  }

  double length() const { return line_ + arc_ * radius_ + last_line_; }

  /// @param distance  from the start along the path
  std::complex<double> at(double distance) const {
    if (distance < line_) return start_ + distance / line_ * (touch(0) - start_);
    if (distance < length() - last_line_) return touch((distance - line_) / radius_);
    return goal_ + (length() - distance) / last_line_ * (touch(arc_) - goal_);
  }

 private:
  std::complex<double> touch(double angle) const { return std::polar(radius_, arc_begin_ + turn_ * angle); }

  std::complex<double> start_, goal_;
  double radius_, turn_, arc_begin_ = 0, arc_ = 0, line_ = 0, last_line_ = 0;
};

struct Demonstration {
  std::vector<float> condition;  // [14]
  std::vector<float> plan;       // [112]
};

/// Draws demonstrations. From a start on one side of the table to a goal on the other, the hand passes the post on the
/// left or on the right with equal probability, at constant speed, then rests; the other five numbers change linearly.
class Demonstrator {
 public:
  explicit Demonstrator(std::uint64_t seed) : random_(seed) {}

  /// A plan from the start, where both sides are still open.
  Demonstration from_start() {
    draw();
    return cut(0);
  }

  /// A plan from the start, or from a pose on the way to which the hand has chosen its side.
  Demonstration from_anywhere() {
    constexpr double from_start = 0.4;
    draw();
    const bool begins = uniform(0, 1) < from_start;
    return cut(begins ? 0 : uniform(0, path_.length()));
  }

 private:
  static constexpr double speed = 0.18;  // per pose: every plan has the time to reach its goal

  /// Not of std::uniform_real_distribution, whose numbers depend on the standard library.
  double uniform(double low, double high) {
    constexpr int unused = 11;  // bits that a double does not hold
    return low + (high - low) * static_cast<double>(random_() >> unused) * 0x1p-53;
  }

  std::complex<double> place(double direction) {
    const double distance = uniform(0.7, 1);
    return std::polar(distance, direction + uniform(-0.4, 0.4));
  }

  void draw() {
    const std::complex<double> start = place(std::numbers::pi), goal = place(0);
    const double radius = uniform(0.42, 0.48);
    path_ = {start, goal, radius, uniform(0, 1) < 0.5 ? 1. : -1.};
    for (auto* others : {&others_at_start_, &others_at_goal_})
      for (double& number : *others) number = uniform(-1, 1);
  }

  void add_pose(double distance, std::vector<float>& to) const {
    const std::complex<double> place = path_.at(distance);
    to.insert(to.end(), {static_cast<float>(place.real()), static_cast<float>(place.imag())});
    const double share = distance / path_.length();
    for (std::size_t i = 0; i < others_at_goal_.size(); ++i)
      to.push_back(static_cast<float>(others_at_start_[i] + share * (others_at_goal_[i] - others_at_start_[i])));
  }

  Demonstration cut(double begin) const {
    Demonstration made;
    add_pose(begin, made.condition);
    add_pose(path_.length(), made.condition);
    for (std::size_t k = 1; k <= plan_poses; ++k)
      add_pose(std::min(begin + speed * static_cast<double>(k), path_.length()), made.plan);
    return made;
  }

  std::mt19937_64 random_;
  PathRoundPost path_{-1, 1, 0.5, 1};
  std::array<double, pose_numbers - 2> others_at_start_{}, others_at_goal_{};
};

}  // namespace fewstep::examples
