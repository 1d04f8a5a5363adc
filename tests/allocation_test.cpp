// After the first step an Eigen run takes nothing from the heap. Counted below operator new, which Eigen goes round.
#include "support/catch.hpp"
#include "support/types.hpp"

#include <cstddef>

namespace {
std::size_t taken = 0;
}

// glibc's own name for what this program's malloc replaces.
extern "C" void* __libc_malloc(std::size_t size);
extern "C" void* malloc(std::size_t size) {
  ++taken;
  return __libc_malloc(size);
}

using namespace fewstep;
using test::Array;

TEST_CASE("no allocation after the first step, every solver, shared and per-sample levels") {
  const auto shrink = [](const Array& x, const Time<Array>& sigma, Array& out) {
    for (Eigen::Index b = 0; b < x.cols(); ++b) out.col(b) = x.col(b) / (1 + sigma[b]);
  };
  struct TwoRatios {
    void operator()(const Step<Array>&, const Eigen::ArrayXXd*, Prediction<Array>& out) const { out.ratio.each(2) << 0.3, 0.6; }
  };
  const auto check = [&](const std::string& label, const auto& solver) {
    INFO(label);
    Run run(solver, shrink, karras({.steps = 12}), Array(noise({1, 2}, 16) * 80));
    run.advance();
    const std::size_t before = taken;
    while (run.advance()) {}
    const std::size_t after = taken;
    CHECK(after == before);
    CHECK(run.index() == 12);
  };
  test::for_each_configuration([&](const std::string& label, const auto& solver) {
    check(label, solver);
    check(label + " behind AnySolver", AnySolver<Array>(solver));
  });
  const std::size_t before = taken;
  const Array made = Array::Zero(4, 4);
  CHECK(taken > before + static_cast<std::size_t>(made(0, 0)));  // the counter counts
  check("dpm2 with a ratio per sample", DpmSolver2{TwoRatios{}});
}
