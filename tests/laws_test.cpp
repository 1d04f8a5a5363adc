// The laws over every solver of the list, plain and plugged, on every state type of the Eigen backend.
#include "support/catch.hpp"
#include "support/configurations.hpp"

#include <fewstep/eigen.hpp>
#include <fewstep/eigen/laws.hpp>
#include <fewstep/laws/denoiser.hpp>
#include <fewstep/laws/solver.hpp>
#include <fewstep/laws/state.hpp>

#include <cmath>

using namespace fewstep;

namespace {

void hold(const std::vector<laws::Verdict>& verdicts) {
  for (const auto& [law, failure] : verdicts) {
    INFO(law);
    CHECK(failure == "");
  }
}

/// A ratio per sample from that sample's features.
struct FromFeatures {
  static constexpr bool per_sample = true;
  template <class X>
  void operator()(const Step<X>&, const Features<X>* features, Prediction<X>& out) const {
    if (!features) return void(out.ratio = Time<X>(0.5));
    auto& each = out.ratio.each(features->cols());
    for (Eigen::Index b = 0; b < features->cols(); ++b) each[b] = 0.5 + 0.4 * std::tanh(static_cast<double>(features->col(b).sum()));
  }
};

static_assert(Amed<Euler, FromFeatures>::per_sample && DpmSolver2<FromFeatures>::per_sample && !AmedSolver<>::per_sample);

/// A predictor of the published architecture with weights out of a formula, for as many features as the batch has numbers.
AmedPredictor predictor(std::size_t features) {
  double seed = 0;
  const auto layer = [&](std::size_t out, std::size_t in, double scale = 1) {
    AmedNetwork::Layer l{std::vector<double>(out * in), std::vector<double>(out)};
    for (double& w : l.weight) w = scale * std::sin(seed += 1.7);
    for (double& w : l.bias) w = 0.3 * std::sin(seed += 1.7);
    return l;
  };
  return AmedPredictor({layer(6, features), layer(3, 6), layer(4, 4), {1, 0.01}, layer(1, 11, 0.2), {}, {}});
}

}  // namespace

TEMPLATE_TEST_CASE("laws", "", Eigen::ArrayXXd, Eigen::ArrayXXf, (Eigen::Array<double, 4, 2>), (Eigen::Array<float, 3, 1>)) {
  using X = TestType;
  hold(laws::check_state<X>());
  hold(laws::check_denoiser<X>(laws::elementwise<X>(laws::TwoPeaks{})));
  const auto solvers = test::configurations<X>();
  const auto scalars = test::configurations<double>();
  for (std::size_t i = 0; i < solvers.size(); ++i) {
    INFO(solvers[i].label);
    hold(laws::check<X>(solvers[i].solver));
    CHECK(laws::backends<X>(solvers[i].solver, scalars[i].solver) == "");
    hold(laws::check<X>(AnySolver<X>(Amed{solvers[i].solver, predictor(laws::probe<X>::numbers)})));
  }
  hold(laws::check<X>(AnySolver<X>(DpmSolver2{FromFeatures{}})));
  hold(laws::check<X>(AnySolver<X>(AmedSolver{predictor(laws::probe<X>::numbers)})));
}
