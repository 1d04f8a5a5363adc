// Geometry of trajectories with a known shape.
#include "support/catch.hpp"
#include "support/message.hpp"

#include <fewstep/eigen.hpp>
#include <fewstep/fitting/geometry.hpp>

#include <cmath>
#include <numbers>
#include <vector>

using namespace fewstep;
using test::message_of;
using Array = Eigen::ArrayXXd;

namespace {

constexpr double turn = std::numbers::pi / 2;

/// Two trajectories along a curve in three dimensions, embedded in five: the curve itself, and a rotated, shifted copy
/// three times as large.
template <class Curve>
std::vector<Array> along(Curve curve, int steps) {
  std::vector<Array> states;
  const Eigen::MatrixXd axes = Eigen::HouseholderQR<Eigen::MatrixXd>(Eigen::MatrixXd::Random(5, 3)).householderQ() *
                               Eigen::MatrixXd::Identity(5, 3);
  for (int i = 0; i <= steps; ++i) {
    const Eigen::Vector3d at = curve(static_cast<double>(i) / steps);
    Array x = Array::Zero(5, 2);
    x.col(0).head(3) = at.array();
    x.col(1) = (3 * axes * at).array() + 7;
    states.push_back(x);
  }
  return states;
}

}  // namespace

TEST_CASE("geometry: a line is straight") {
  const Geometry g = geometry(along([](double u) { return Eigen::Vector3d(u * u, 2 * u * u, 0.5); }, 9));
  for (const double share : g.outside) CHECK(share < 1e-14);
  for (const double d : g.deviation) CHECK(d < 1e-7);
  for (const double c : g.curvature) CHECK(c < 1e-6);
  CHECK(g.deviation.size() == 10);
  CHECK(g.curvature.size() == 8);
}

TEST_CASE("geometry: an arc lies in a plane and has curvature 1 / radius") {
  const int steps = 40;
  const double radius = 2;
  const Geometry g = geometry(along(
      [&](double u) { return Eigen::Vector3d(radius * std::cos(turn * u), radius * std::sin(turn * u), 0); }, steps));
  CHECK(g.outside[0] > 0.01);
  CHECK(g.outside[1] < 1e-14);
  // The middle is radius - radius/sqrt(2) from the chord, which is radius sqrt(2) long.
  CHECK(g.deviation[steps / 2] == Approx((1 - std::sqrt(0.5)) / std::sqrt(2.)));
  CHECK(g.deviation[1] == Approx(g.deviation[steps - 1]).epsilon(1e-6));
  CHECK(g.deviation.front() < 1e-7);
  CHECK(g.deviation.back() < 1e-7);
  const double segment = 2 * radius * std::sin(turn / steps / 2);
  for (const double c : g.curvature)
    CHECK(c == Approx((turn / steps / segment + turn / steps / segment / 3) / 2));  // the mean of both samples
}

TEST_CASE("geometry: a helix needs three directions, with the shares of its covariance") {
  const auto states = along([](double u) { return Eigen::Vector3d(std::cos(4 * u), std::sin(4 * u), u); }, 30);
  const Geometry g = geometry(states);
  Eigen::MatrixXd points(3, 31);
  for (int i = 0; i <= 30; ++i) points.col(i) = states[static_cast<std::size_t>(i)].col(0).head(3).matrix();
  points.colwise() -= points.rowwise().mean().eval();
  const Eigen::VectorXd v = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(points * points.transpose()).eigenvalues();
  CHECK(g.outside[0] == Approx((v(0) + v(1)) / v.sum()));
  CHECK(g.outside[1] == Approx(v(0) / v.sum()));
  CHECK(g.outside[2] < 1e-14);
  // The same helix a thousand times as small.
  std::vector<Array> small;
  for (const Array& x : states) small.push_back(1e-3 * x);
  const Geometry scaled = geometry(small);
  CHECK(scaled.outside[0] == Approx(g.outside[0]));
  CHECK(scaled.deviation[15] == Approx(g.deviation[15]));
}

TEST_CASE("geometry: too few states, constant states, and a trajectory that returns") {
  CHECK(message_of([] { geometry(std::vector<Array>(2, Array::Zero(2, 1))); }) ==
        "the number of states is 2; allowed: 3 or more");
  const Geometry still = geometry(std::vector<Array>(4, Array::Constant(3, 2, 5)));
  for (const double share : still.outside) CHECK(share == 0);
  for (const double d : still.deviation) CHECK(d == 0);
  for (const double c : still.curvature) CHECK(c == 0);
  // A trajectory back to its start has an angle of pi between its segments.
  const Geometry back = geometry(std::vector<Array>{Array::Zero(2, 1), Array::Constant(2, 1, 1), Array::Zero(2, 1)});
  CHECK(back.curvature[0] == Approx(std::numbers::pi / std::sqrt(2.)));
  // A segment of length 0 has no direction.
  const Geometry pause = geometry(std::vector<Array>{Array::Zero(2, 1), Array::Zero(2, 1), Array::Constant(2, 1, 1)});
  CHECK(pause.curvature[0] == 0);
}
