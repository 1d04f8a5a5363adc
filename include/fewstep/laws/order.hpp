// The measured order of convergence of a solver.
#pragma once

#include "../level.hpp"
#include "../run.hpp"
#include "problems.hpp"

#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

namespace fewstep::laws {

/// A kind of grid: for every n, n steps from `high` to `low`, and `margin` more levels beyond either end.
struct Grid {
  std::string_view name;
  double (*place)(int i, int n, std::uint64_t seed);  ///< position of level i, -margin to n + margin: 0 at 0, 1 at n
  double (*level)(double place);                      ///< noise level at a position
  int seeds = 1;                                      ///< grids of the kind to average over
};

/// The range of levels of a grid. The noisy data of TwoPeaks have one peak at `high` and two at `low`.
inline constexpr double high = 5, low = 0.2;
/// Number of levels of a grid beyond either end: more than the past outputs of any solver.
inline constexpr int margin = 6;

namespace detail {

inline double even(int i, int n, std::uint64_t) { return static_cast<double>(i) / n; }

/// Steps of 1 and 2 in turn, for an even n.
inline double alternating(int i, int n, std::uint64_t) {
  const int pairs = (i >= 0 ? i : i - 1) / 2;
  return (3. * pairs + (i - 2 * pairs)) / (1.5 * n);
}

/// Steps between 2/3 and 4/3, before they are scaled, from a hash (as in SplitMix64) of the seed and the step's index.
inline double random_steps(int i, int n, std::uint64_t seed) {
  constexpr int positive = 100;  // makes indices beyond the left end positive
  const auto step = [&](int k) {
    std::uint64_t z = seed * 0x9e3779b97f4a7c15u + static_cast<std::uint64_t>(k + positive) * 0xbf58476d1ce4e5b9u;
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

inline double geometric_level(double u) { return fewstep::detail::geometric(u, high, low); }
inline double karras_level(double u) {
  constexpr double rho = 7;
  const double first = std::pow(high, 1 / rho), last = std::pow(low, 1 / rho);
  return std::pow(first + u * (last - first), rho);
}

}  // namespace detail

/// The kinds of grid on which orders are measured.
inline const std::vector<Grid>& grids() {
  static const std::vector<Grid> list{{"uniform in log", detail::even, detail::geometric_level},
                                      {"rho = 7", detail::even, detail::karras_level},
                                      {"alternating 1:2", detail::alternating, detail::geometric_level},
                                      {"random", detail::random_steps, detail::geometric_level, 8}};
  return list;
}

/// How a measured run starts and ends.
///
///   exact     with an exact history from before its first step, and more steps to come after its last
///   shipped   as every user's run does: with lower orders at first and, where the solver lowers them, at the end
enum class Start { exact, shipped };

/// The RMS error of a solver over nine trajectories that are exact at `high`, and over all levels down to `low`, since
/// errors at a single level may cancel by chance.
/// @param n     steps from `high` to `low`
/// @param seed  of the grid
template <Solver<double> S>
double error(const S& solver, const TwoPeaks& problem, const Grid& grid, Start start, int n, std::uint64_t seed = 0) {
  constexpr int trajectories = 9;
  const int extra = start == Start::exact ? margin : 0;  // steps beyond either end
  std::vector<double> list;
  for (int i = -extra; i <= n + extra; ++i) list.push_back(grid.level(grid.place(i, n, seed)));
  const Schedule schedule(list);
  const auto denoise = [&](double x, double sigma) { return problem(x, sigma); };
  double sum = 0;
  for (int k = -trajectories / 2; k <= trajectories / 2; ++k) {
    const double x_high = (0.3 + k) / 2.5 * std::hypot(high, 1);  // within about 1.7 standard deviations
    const auto exact = [&](double level) { return problem.flow(x_high, high, level); };
    Run run(solver, denoise, schedule, exact(schedule[0]));
    while (static_cast<int>(run.index()) < extra) {
      run.advance();
      run.x = exact(schedule[run.index()]);
    }
    while (static_cast<int>(run.index()) < extra + n) {
      run.advance();
      const double e = run.x - exact(schedule[run.index()]);
      sum += e * e;
    }
  }
  return std::sqrt(sum / (trajectories * n));
}

/// The measured order: minus the slope of log(error) against log(steps), by least squares over 32, 64, 128 and 256
/// steps.
template <Solver<double> S>
double order(const S& solver, const TwoPeaks& problem, const Grid& grid, Start start) {
  constexpr int fewest_steps = 32, doublings = 4;
  constexpr double mean_doubling = 1.5, sum_of_squares = 5;  // of 0, 1, 2, 3: their mean and centred squares
  double slope = 0;
  for (int doubling = 0; doubling < doublings; ++doubling) {
    double log_error = 0;
    for (int seed = 0; seed < grid.seeds; ++seed) {
      const int steps = fewest_steps << doubling;
      log_error += std::log2(error(solver, problem, grid, start, steps, static_cast<std::uint64_t>(seed))) / grid.seeds;
    }
    slope -= (doubling - mean_doubling) * log_error / sum_of_squares;
  }
  return slope;
}

}  // namespace fewstep::laws
