// The order of convergence of a solver, measured.
#pragma once

#include "../run.hpp"
#include "problems.hpp"

#include <cmath>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace fewstep::laws {

/// Levels of a grid with n steps from `high` to `low`, continued beyond both: level(i, n, seed), i from -margin to n +
/// margin.
struct Grid {
  std::string_view name;
  double (*place)(int i, int n, std::uint64_t seed);  // 0 at i = 0, 1 at i = n
  double (*level)(double place);
  int seeds = 1;  // how many of its kind to average over
};

inline constexpr double high = 5, low = 0.2;  // where both the peaks and their blur matter
inline constexpr int margin = 6;

namespace detail {

inline double even(int i, int n, std::uint64_t) { return static_cast<double>(i) / n; }

/// Steps of 1 and 2 in turn; n even.
inline double alternating(int i, int n, std::uint64_t) {
  const int pairs = (i >= 0 ? i : i - 1) / 2;
  return (3. * pairs + (i - 2 * pairs)) / (1.5 * n);
}

/// Steps between 2/3 and 4/3, each from its own hash.
inline double random_steps(int i, int n, std::uint64_t seed) {
  const auto step = [&](int k) {
    std::uint64_t z = seed * 0x9e3779b97f4a7c15u + static_cast<std::uint64_t>(k + 100) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return 2. / 3 * (1 + static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53);
  };
  double whole = 0, part = 0;
  for (int k = 0; k < n; ++k) whole += step(k);
  for (int k = 0; k < i; ++k) part += step(k);
  for (int k = i; k < 0; ++k) part -= step(k);
  return part / whole;
}

inline double geometric_level(double u) { return high * std::pow(low / high, u); }
inline double karras_level(double u) {
  const double first = std::pow(high, 1. / 7), last = std::pow(low, 1. / 7);
  return std::pow(first + u * (last - first), 7);
}

}  // namespace detail

inline const std::vector<Grid>& grids() {
  static const std::vector<Grid> list{{"uniform in log", detail::even, detail::geometric_level},
                                      {"rho = 7", detail::even, detail::karras_level},
                                      {"alternating 1:2", detail::alternating, detail::geometric_level},
                                      {"random", detail::random_steps, detail::geometric_level, 8}};
  return list;
}

/// Where a run starts: with a history as if it had been exact so far and more steps to come, or as every user's run
/// does, with lower orders at the start and, where the solver says so, at the end.
enum class Start { exact, shipped };

/// The root mean square error over nine samples, exact at `high`, and over all levels of n steps down to `low`: at one
/// level alone errors may happen to cancel.
template <Solver<double> S>
double error(const S& solver, const TwoPeaks& problem, const Grid& grid, Start start, int n, std::uint64_t seed = 0) {
  const int before = start == Start::exact ? margin : 0;
  std::vector<double> list;
  for (int i = -before; i <= n + before; ++i) list.push_back(grid.level(grid.place(i, n, seed)));
  const Schedule schedule(list);
  const auto denoise = [&](double x, double sigma) { return problem(x, sigma); };
  double sum = 0;
  for (int k = -4; k <= 4; ++k) {
    const double x0 = (0.3 + k) / 2.5 * std::hypot(high, 1);
    Run run(solver, denoise, schedule, problem.flow(x0, high, schedule[0]));
    while (static_cast<int>(run.index()) < before) {
      run.advance();
      run.x = problem.flow(x0, high, schedule[run.index()]);
    }
    while (static_cast<int>(run.index()) < before + n) {
      run.advance();
      const double e = run.x - problem.flow(x0, high, schedule[run.index()]);
      sum += e * e;
    }
  }
  return std::sqrt(sum / (9 * n));
}

/// The slope of log error over log steps, fitted over 32 to 256 steps.
template <Solver<double> S>
double order(const S& solver, const TwoPeaks& problem, const Grid& grid, Start start) {
  double slope = 0;
  for (int doubling = 0; doubling < 4; ++doubling) {
    double log_error = 0;
    for (int seed = 0; seed < grid.seeds; ++seed)
      log_error +=
          std::log2(error(solver, problem, grid, start, 32 << doubling, static_cast<std::uint64_t>(seed))) / grid.seeds;
    slope -= (doubling - 1.5) * log_error / 5;  // least squares: the centred abscissae squared add up to 5
  }
  return slope;
}

}  // namespace fewstep::laws
