// Your own solver: Ralston's method, checked against the laws that every solver obeys, and its measured order.
#include <fewstep/fewstep.hpp>
#include <fewstep/laws/order.hpp>
#include <fewstep/laws/solver.hpp>

#include <cstdio>

using namespace fewstep;

/// x' = x + (s - t) [d(x, t) + 3 d(y, m)] / 4,   y = x + (m - t) d(x, t),   m = t + 2/3 (s - t)
/// t is the level at the left end of the step, s the one at its right end, d the slope. NFE per step: 2.
struct Ralston {
  template <State X>
  struct Stages {  // the memory of a run
    X guess, slope;
    Level<X> mid{0.};
    void detach() {}
  };
  static constexpr Target target = Target::slope;  // what the solver extrapolates
  static constexpr int evaluations() { return 2; }
  template <State X>
  Stages<X> memory(const X& x) const {
    return {algebra<X>::like(x), algebra<X>::like(x)};
  }

  /// Takes x from n.from to n.to. `slope` is the slope at (x, n.from), which the driver has evaluated.
  template <State X, class M>
  void step(const Step<X>& n, X& x, X& slope, M& model, Stages<X>& stages) const {
    const auto two_thirds = [](const auto& t, const auto& s) { return t + 2. / 3 * (s - t); };
    const auto euler = [](const auto& t, const auto& m) { return std::tuple{unit, m - t}; };
    const auto ralston = [](const auto& t, const auto& s) { return std::tuple{unit, 0.25 * (s - t), 0.75 * (s - t)}; };
    map_level<X>(stages.mid, two_thirds, n.from, n.to);
    combine(stages.guess, levels(n.from, stages.mid), euler, x, slope);
    model(stages.guess, stages.mid, stages.slope);
    combine(x, levels(n.from, n.to), ralston, x, slope, stages.slope);
  }
};

int main() {
  for (const auto& [law, failure] : laws::check<double>(Ralston{}))
    std::printf("%-15s %s\n", law.data(), failure.empty() ? "holds" : failure.c_str());
  for (const auto& grid : laws::grids())
    std::printf("order %.1f on a grid %s\n", laws::order(Ralston{}, laws::TwoPeaks{}, grid, laws::Start::exact),
                grid.name.data());
}
