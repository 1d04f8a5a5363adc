// A run on Eigen arrays allocates no memory after its first step. Allocations are counted at malloc, because Eigen does
// not use operator new.
#include "support/catch.hpp"
#include "support/types.hpp"

#include <fewstep/eigen.hpp>
#include <fewstep/eigen/laws.hpp>
#include <fewstep/fitting/tabulate.hpp>
#include <fewstep/laws/solver.hpp>

#include <cstddef>

namespace {
std::size_t allocations = 0;
}

// glibc's malloc, which this program replaces.
extern "C" void* __libc_malloc(std::size_t size);
extern "C" void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}

using namespace fewstep;

namespace {

struct OnePerSample {
  [[maybe_unused]] static constexpr bool per_sample = true;
  template <class X>
  void operator()(const Step<X>&, const Features<X>*, Prediction<X>& out) const {
    out.ratio.each(laws::probe<X>::samples).setConstant(0.3);
    out.direction_scale.each(laws::probe<X>::samples).setConstant(1.02);
    out.sigma_scale.each(laws::probe<X>::samples).setConstant(0.98);
  }
};

}  // namespace

TEST_CASE("AmedPredictor allocates memory in its first call only") {
  using X = Eigen::ArrayXXd;
  const auto layer = [](std::size_t out, std::size_t in) {
    return AmedNetwork::Layer{std::vector<double>(out * in, 0.1), std::vector<double>(out)};
  };
  const AmedPredictor predictor(
      {layer(6, 20), layer(3, 6), layer(4, 4), {1, 0.01}, layer(1, 11), layer(1, 11), layer(1, 11), 0.1, 0.1});
  const X features = X::Constant(20, 3, 0.5);
  const Step<X> n{Level<X>(4), Level<X>(1), 0, 2};
  Prediction<X> out;
  predictor(n, &features, out);
  const std::size_t before = allocations;
  predictor(n, &features, out);
  CHECK(allocations == before);
}

TEMPLATE_TEST_CASE("runs allocate no memory after the first step", "", test::Array, Eigen::ArrayXXf, test::FixedArray) {
  using X = TestType;
  const auto count = [] { return allocations; };
  const auto check = [&](const std::string& label, const AnySolver<X>& solver) {
    INFO(label);
    CHECK(laws::allocation<X>(solver, count) == "");
  };
  for (const auto& [label, solver] : test::configurations<X>()) {
    check(label, solver);
    check(label + ", plugged per sample", Amed{solver, OnePerSample{}});
  }
  check("a table", tabulate(Ipndm{.order = 3}, karras({.steps = 12})));
  check("AMED over a table", corrected_table(tabulate(Ipndm{.order = 3}, karras({.steps = 24})), OnePerSample{}));
  check("dpm2 per sample", DpmSolver2{OnePerSample{}});
  const std::size_t before = allocations;
  const Eigen::ArrayXd made = Eigen::ArrayXd::Zero(4);
  CHECK(allocations > before + static_cast<std::size_t>(made[0]));  // the counter works
}
