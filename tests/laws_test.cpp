// The laws over every solver of the list, plain and plugged, on every state type of the Eigen backend.
#include "support/laws.hpp"

#include <fewstep/eigen.hpp>
#include <fewstep/eigen/laws.hpp>
#include <fewstep/laws/order.hpp>

#include <cmath>

using namespace fewstep;

namespace {

/// A ratio per sample from that sample's features.
struct FromFeatures {
  static constexpr bool per_sample = true;
  template <class X>
  void operator()(const Step<X>&, const Features<X>* features, Prediction<X>& out) const {
    if (!features) return void(out.ratio = Level<X>(0.5));
    auto& each = out.ratio.each(features->cols());
    for (Eigen::Index b = 0; b < features->cols(); ++b)
      each[b] = 0.5 + 0.4 * std::tanh(static_cast<double>(features->col(b).sum()));
  }
};

static_assert(Amed<Euler, FromFeatures>::per_sample && DpmSolver2<FromFeatures>::per_sample &&
              !AmedSolver<>::per_sample);

/// A predictor of the published architecture with weights out of a formula, for as many features as the batch has
/// numbers.
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

/// Euler's method that in some of its steps asks the model once more.
struct Uneven {
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 2; }
  static constexpr std::size_t more(std::size_t left) { return left % 5 % 2; }
  int evaluations(StepCount& at) const {
    at.kept += at.remember;
    return 1 + static_cast<int>(more(at.steps_left));
  }
  template <State X>
  struct Memory {
    X spare;
    void detach() {}
  };
  template <State X>
  Memory<X> memory(const X& x) const {
    return {algebra<X>::like(x)};
  }
  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m0, M& model, Memory<X>& m) const {
    if (more(n.count - n.index)) model(x, n.to, m.spare);
    combine(x, levels(n.from, n.to), [](const auto& t, const auto& s) { return std::tuple{unit, s - t}; }, x, m0);
  }
};

}  // namespace

TEMPLATE_TEST_CASE("laws", "", Eigen::ArrayXXd, Eigen::ArrayXXf, (Eigen::Array<double, 4, 2>),
                   (Eigen::Array<float, 3, 1>)) {
  using X = TestType;
  test::hold(laws::check_denoiser<X>(laws::elementwise<X>(laws::TwoPeaks{})));
  test::hold_for_every_solver<X>();
  test::hold_for_every_solver_with<X>(FromFeatures{});
  test::hold_for_every_solver_with<X>(predictor(laws::probe<X>::numbers));
}

TEST_CASE("the laws, every solver as its own type") {
  test::for_each_configuration([&](const std::string& label, const auto& solver) {
    INFO(label);
    test::hold(laws::check<double>(solver));
    test::hold(laws::check<double>(Richardson{AnySolver<double>(solver), 1}));
  });
}

TEST_CASE("extrapolation gains an order") {
  const auto order = [](const auto& solver) {
    return laws::order(solver, laws::TwoPeaks{}, laws::grids()[0], laws::Start::exact);
  };
  CHECK(order(Richardson{Euler{}, 1}) == Approx(2).margin(0.2));
  CHECK(order(Richardson{Heun{}, 2}) == Approx(3).margin(0.2));
  CHECK(order(Richardson{SinglestepDpm{.order = 2, .r1 = 0.5}, 2}) == Approx(3).margin(0.2));
  CHECK(order(Richardson{Richardson{Euler{}, 1}, 2}) == Approx(3).margin(0.2));
  CHECK_THROWS_WITH(laws::order(Richardson{Euler{}, 0}, laws::TwoPeaks{}, laws::grids()[0], laws::Start::exact),
                    "Richardson::order is 0; allowed: 1 or more, the order of its solver");
}

TEST_CASE("steps of unequal counts, inside the plugin and extrapolated, take what is declared") {
  CHECK(laws::count<double>(Uneven{}) == "");
  CHECK(laws::count<double>(Amed{Uneven{}}) == "");
  CHECK(laws::count<double>(Richardson{Uneven{}, 1}) == "");
}
