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
    hold(laws::check<X>(AnySolver<X>(Amed{solvers[i].solver, FromFeatures{}})));
  }
  hold(laws::check<X>(AnySolver<X>(DpmSolver2{FromFeatures{}})));
}
