// Used by both files of the program, so that both instantiate the same templates and inline functions.
#pragma once

#include "everything.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>

/// Counts runs with a wrong status, with a finite model and with models whose fourth evaluation returns NaN or
/// infinity.
template <class X, class S>
int wrong_verdicts(const std::string& name, const S& solver) {
  using namespace fewstep;
  // As bits: -ffast-math must not see that they are NaN and infinity.
  constexpr std::uint64_t zero = 0, nan = 0x7ff8000000000000, infinity = 0x7ff0000000000000;
  const MixtureDenoiser mixture({.weights = {0.5, 0.5}, .means = {{1, 0}, {-1, 0.5}}, .deviations = {0.2, 0.3}});
  int wrong = 0;
  for (const std::uint64_t bits : {zero, nan, infinity})
    for (const Check check : {Check::end, Check::every_step}) {
      int calls = 0;
      const auto denoise = [&](const X& x, const Level<X>& sigma, X& out) {
        mixture(x, sigma, out);
        if (++calls == 4) out(0, 0) = static_cast<typename X::Scalar>(std::bit_cast<double>(bits));
      };
      const X z = noise<typename X::Scalar>({1, 2}, 2);
      const auto result = sample(solver, denoise, karras({.steps = 6}), z, {.check = check});
      const bool good = bits == zero;
      std::size_t steps = 6;
      if (!good && check == Check::every_step)
        while (evaluations(solver, karras({.steps = 6}), {.last_step = steps}) > 3) --steps;
      if (result.status == (good ? Status::complete : Status::non_finite) && result.steps == steps) continue;
      std::printf("%s: %s after %zu steps\n", name.c_str(), std::string(to_string(result.status)).c_str(),
                  result.steps);
      ++wrong;
    }
  return wrong;
}

inline int wrong_verdicts() {
  using namespace fewstep;
  int wrong = 0;
  for_each_solver([&](const auto& entry) {
    const std::string name(entry.name);
    wrong += wrong_verdicts<Eigen::ArrayXXd>(name, make_solver<Eigen::ArrayXXd>(name));
  });
  wrong += wrong_verdicts<Eigen::ArrayXXf>("euler on floats", Euler{});
  try {
    io::read_safetensors("");
    std::puts("a file without a name was read");
    ++wrong;
  } catch (const std::runtime_error&) {
  }
  return wrong;
}
