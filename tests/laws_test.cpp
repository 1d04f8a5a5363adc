// The laws of every solver of the registry, plain and plugged, on every state type of the Eigen backend.
#include "support/laws.hpp"

#include <fewstep/eigen.hpp>
#include <fewstep/eigen/laws.hpp>
#include <fewstep/laws/order.hpp>

#include <cmath>

using namespace fewstep;

namespace {

/// A ratio per sample, computed from the sample's features.
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

/// A predictor of the published architecture with weights from a formula.
/// @param features  numbers per sample
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

/// Euler's method with one more evaluation, which changes nothing, in some steps.
struct Uneven {
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 2; }
  static constexpr bool more(std::size_t steps_left) { return steps_left % 3 == 0; }
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

TEMPLATE_TEST_CASE("every solver obeys the laws on Eigen arrays", "", test::Array, Eigen::ArrayXXf, test::FixedArray,
                   test::FixedColumn) {
  using X = TestType;
  test::hold(laws::check_denoiser<X>(laws::elementwise<X>(laws::TwoPeaks{})));
  test::hold_for_every_solver<X>();
  test::hold_for_every_solver_with<X>(FromFeatures{});
  test::hold_for_every_solver_with<X>(predictor(laws::probe<X>::numbers));
}

TEST_CASE("every solver obeys the laws on doubles, plain and extrapolated") {
  for (const auto& [label, solver] : test::configurations<double>()) {
    INFO(label);
    test::hold(test::verdicts<double>(solver));
    test::hold(test::verdicts<double>(Richardson{solver, 1}));
  }
}

TEST_CASE("AnySolver gives the samples of the solver in it") {
  const auto denoise = laws::elementwise<double>(laws::TwoPeaks{});
  const auto states = [&](const auto& solver, const Schedule& schedule, const Options& options) {
    std::vector<double> all;
    const auto run = integrate(solver, denoise, schedule, 12., options, [&](const auto& s) { all.push_back(s.x); });
    all.push_back(run.x);
    all.push_back(run.evaluations);
    return all;
  };
  test::for_each_configuration([&](const std::string& label, const auto& solver) {
    INFO(label);
    const AnySolver<double> erased(solver);
    for (const End end : {End::sigma_min, End::zero})
      for (const Options& options : {Options{}, Options{.analytic_first_step = true, .final_denoise = end != End::zero},
                                     Options{.analytic_first_step = true, .analytic_in_history = false}}) {
        const Schedule schedule = karras({.steps = 7, .end = end});
        CHECK(states(solver, schedule, options) == states(erased, schedule, options));
        CHECK(evaluations(solver, schedule, options) == evaluations(erased, schedule, options));
      }
    CHECK(target_of(solver) == target_of(erased));
    CHECK(is_multistep(solver) == is_multistep(erased));
  });
}

TEST_CASE("Richardson extrapolation gains an order") {
  const auto order = [](const AnySolver<double>& solver) {
    return laws::order(solver, laws::TwoPeaks{}, laws::grids()[0], laws::Start::exact);
  };
  CHECK(order(Richardson{Euler{}, 1}) == Approx(2).margin(0.2));
  CHECK(order(Richardson{Heun{}, 2}) == Approx(3).margin(0.2));
  CHECK(order(Richardson{SinglestepDpm{.order = 2, .r1 = 0.5}, 2}) == Approx(3).margin(0.2));
  CHECK(order(Richardson{Richardson{Euler{}, 1}, 2}) == Approx(3).margin(0.2));
  CHECK_THROWS_WITH(order(Richardson{Euler{}, 0}),
                    "Richardson::order is 0; allowed: 1 or more, the order of its solver");
}

TEST_CASE("steps of a solver may take different numbers of evaluations, also plugged and extrapolated") {
  CHECK(laws::count<double>(Uneven{}) == "");
  CHECK(laws::count<double>(Amed{Uneven{}}) == "");
  CHECK(laws::count<double>(Richardson{Uneven{}, 1}) == "");
}
