// A solver of one's own: Ralston's method, then the laws that every solver obeys and its measured order.
#include <fewstep/fewstep.hpp>
#include <fewstep/laws/order.hpp>
#include <fewstep/laws/solver.hpp>

#include <cstdio>

using namespace fewstep;

/// y = x + 2/3 (s - t) d(x, t),   x' = x + (s - t) [d(x, t) + 3 d(y, m)] / 4,   m = t + 2/3 (s - t)
struct Ralston {
  template <State X>
  struct Stages {
    X guess, slope;
    Level<X> mid{0.};
    void detach() {}
  };
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 2; }  // a step; the driver has already made the one at (x, t)
  template <State X>
  Stages<X> memory(const X& x) const {
    return {algebra<X>::like(x), algebra<X>::like(x)};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& slope, M& model, Stages<X>& m) const {
    map_level<X>(m.mid, [](const auto& t, const auto& s) { return t + 2. / 3 * (s - t); }, n.from, n.to);
    combine(
        m.guess, levels(n.from, m.mid), [](const auto& t, const auto& mid) { return std::tuple{unit, mid - t}; }, x,
        slope);
    model(m.guess, m.mid, m.slope);
    combine(
        x, levels(n.from, n.to),
        [](const auto& t, const auto& s) { return std::tuple{unit, 0.25 * (s - t), 0.75 * (s - t)}; }, x, slope,
        m.slope);
  }
};

int main() {
  for (const auto& [law, failure] : laws::check<double>(Ralston{}))
    std::printf("%-15s %s\n", law.data(), failure.empty() ? "holds" : failure.c_str());
  for (const auto& grid : laws::grids())
    std::printf("order %.1f on a grid %s\n", laws::order(Ralston{}, laws::TwoPeaks{}, grid, laws::Start::exact),
                grid.name.data());
}
