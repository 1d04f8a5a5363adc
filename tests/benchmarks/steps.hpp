// The time of a step of a run whose network costs next to nothing.
#pragma once

#include "measure.hpp"

#include <fewstep/buffer.hpp>
#include <fewstep/eigen.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <random>
#include <type_traits>
#include <vector>

namespace fewstep::benchmarks {

/// A state whose numbers are all `value`.
template <class X>
X constant(Eigen::Index rows, Eigen::Index columns, float value) {
  using Scalar = typename X::Scalar;
  if constexpr (std::is_same_v<X, Buffer<Scalar>>)
    return X(std::vector<Scalar>(static_cast<std::size_t>(rows * columns), value), static_cast<std::size_t>(columns));
  else return X::Constant(rows, columns, value);
}

/// A denoiser that takes one pass over the state. Not inlined, since a network is not either.
template <class X>
struct Cheap {
  [[gnu::noinline]] void operator()(const X& x, double, X& out) const {
    using Scalar = typename X::Scalar;
    if constexpr (std::is_same_v<X, Buffer<Scalar>>) {
      const Scalar* __restrict from = x.data();
      Scalar* __restrict to = out.data();
      for (std::size_t i = 0; i < x.size(); ++i) to[i] = static_cast<Scalar>(0.9) * from[i];
    } else {
      out = x * static_cast<Scalar>(0.9);
    }
  }
};

/// A state, and a schedule long enough to time its steps.
template <class X>
struct Problem {
  X start;
  Schedule schedule;

  Problem(Eigen::Index rows, Eigen::Index columns)
      : start(constant<X>(rows, columns, 80)),
        schedule(
            karras({.steps = static_cast<int>(std::clamp<Eigen::Index>(2'000'000 / (rows * columns), 30, 1'000))})) {
    for (Eigen::Index i = 0; i < rows * columns; ++i) start.data()[i] += static_cast<typename X::Scalar>(i % 7);
  }
};

/// Leaves free blocks of random sizes, a bit larger than a state, for the states of a run, whose distances are random
/// then. A loop over states takes up to 1.3 times as long where their addresses are equal modulo 4096.
class Scattered {
 public:
  template <class X>
  explicit Scattered(const X& state) {
    static std::minstd_rand random;
    constexpr std::size_t blocks = 8, most = 4096;
    std::vector<std::unique_ptr<char[]>> freed;
    for (std::size_t i = 0; i < blocks; ++i) {
      freed.emplace_back(
          new char[sizeof(typename X::Scalar) * static_cast<std::size_t>(state.size()) + random() % most]);
      between_.emplace_back(new char[1 + random() % most]);
    }
  }

 private:
  std::vector<std::unique_ptr<char[]>> between_;
};

/// Steps at the start of a run that are not timed: they touch its memory for the first time, and have lower orders.
constexpr std::size_t warm_up = 5;

/// CPU seconds of a step, the average of a run after the warm-up.
template <class X, class S>
double step_seconds(const S& solver, const Problem<X>& problem) {
  const Scattered scattered(problem.start);
  const Cheap<X> denoise;
  Run<X, const Cheap<X>&, S> run(solver, denoise, problem.schedule, problem.start);
  for (std::size_t i = 0; i < warm_up; ++i) run.advance();
  const double start = cpu_seconds();
  while (run.advance()) {
  }
  return (cpu_seconds() - start) / static_cast<double>(problem.schedule.steps() - warm_up);
}

}  // namespace fewstep::benchmarks
