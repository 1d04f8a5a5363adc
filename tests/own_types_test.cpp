// A user's own state, solver, predictor and denoiser obey all laws.
#include "support/laws.hpp"

#include <fewstep/laws/order.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <vector>

namespace {

/// Poses of several robots, one robot per sample: a struct of arrays.
struct Poses {
  std::vector<double> x, y, heading;
  std::array<std::vector<double>*, 3> parts() { return {&x, &y, &heading}; }
  std::array<const std::vector<double>*, 3> parts() const { return {&x, &y, &heading}; }
};

/// One level for all robots (one entry), or one per robot.
struct Levels {
  std::vector<double> each;
  explicit Levels(double v) : each{v} {}
  double operator[](std::size_t b) const { return each[each.size() == 1 ? 0 : b]; }
};

/// Features of the denoiser below: each robot's distance from the depot.
struct Doubt {
  std::vector<double> each;
};

}  // namespace

template <>
struct fewstep::algebra<Poses> {
  using level = Levels;
  using features = Doubt;
  struct inference {
    explicit inference(bool) {}
  };
  static void validate(const Poses& p) { require(!p.x.empty(), "the number of robots", p.x.size(), "1 or more"); }
  static Poses like(const Poses& p) {
    return {std::vector<double>(p.x.size()), std::vector<double>(p.x.size()), std::vector<double>(p.x.size())};
  }
  static void fit(Levels& t, const Poses& p) { t.each.reserve(p.x.size()); }
  static bool is_one(const Levels& t) { return t.each.size() == 1 && t.each[0] == 1; }
  static void detach(auto&) {}
  static void release(Poses&) {}
  static bool finite(const Poses& p) {
    for (const auto* part : p.parts())
      for (const double v : *part)
        if (!std::isfinite(v)) return false;
    return true;
  }
  static void threshold(Poses& p, double quantile, double floor, double ceiling) {
    for (std::size_t b = 0; b < p.x.size(); ++b) {
      std::array<double, 3> sorted{std::abs(p.x[b]), std::abs(p.y[b]), std::abs(p.heading[b])};
      std::sort(sorted.begin(), sorted.end());
      const double place = quantile * 2, below = std::min(std::floor(place), 1.);
      const auto at = static_cast<std::size_t>(below);
      const double s = std::clamp(sorted[at] + (place - below) * (sorted[at + 1] - sorted[at]), floor, ceiling);
      for (auto* part : p.parts()) (*part)[b] = std::clamp((*part)[b], -s, s) / s;
    }
  }
  static void map(Levels& out, auto f, const auto&... t) {
    const std::size_t n = std::max({t.each.size()...});
    out.each.resize(n);
    for (std::size_t b = 0; b < n; ++b) out.each[b] = f(t[b]...);
  }
  static void combine(Poses& out, const auto& at, auto weights, const auto&... v) {
    std::apply(
        [&](const auto&... t) {
          for (std::size_t b = 0; b < out.x.size(); ++b)
            std::apply(
                [&](const auto&... w) {
                  for (std::size_t k = 0; k < 3; ++k) (*out.parts()[k])[b] = (term(w, (*v.parts()[k])[b]) + ...);
                },
                weights(t[b]...));
        },
        at);
  }
  static double term(unit_t, double v) { return v; }
  static double term(double w, double v) { return w * v; }
};

template <>
struct fewstep::laws::probe<Poses> {
  static constexpr std::size_t samples = 3, numbers = 3;
  static constexpr double epsilon = 2.3e-16;
  static constexpr bool bitwise = true, resizable = true;
  static Poses make(const Rows& rows) {
    Poses p;
    for (const auto& row : rows) {
      p.x.push_back(row[0]);
      p.y.push_back(row[1]);
      p.heading.push_back(row[2]);
    }
    return p;
  }
  static Rows read(const Poses& p) {
    Rows rows;
    for (std::size_t b = 0; b < p.x.size(); ++b) rows.push_back({p.x[b], p.y[b], p.heading[b]});
    return rows;
  }
  static Levels levels(const std::vector<double>& values) {
    Levels t(0.);
    t.each = values;
    return t;
  }
  static double level(const Levels& t, std::size_t b) { return t[b]; }
  static Doubt features(const Rows& rows) {
    Doubt d;
    for (const auto& row : rows) d.each.push_back(row[0] + row[1] + row[2]);
    return d;
  }
};

namespace {

using namespace fewstep;
using test::hold;
using test::verdicts;

/// Adams-Bashforth of second order, exact for steps of any ratio.
struct AdamsBashforth2 {
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 1; }
  template <State X>
  History<X> memory(const X& x) const {
    return {x, 1};
  }
  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M&, History<X>& past) const {
    if (past.size() == 0)
      combine(x, levels(n.from, n.to), [](const auto& t, const auto& s) { return std::tuple{unit, s - t}; }, x, d);
    else
      combine(
          x, levels(past.level(0), n.from, n.to),
          [](const auto& p, const auto& t, const auto& s) {
            const auto h = s - t, tilt = h * h / (2. * (t - p));
            return std::tuple{unit, h + tilt, -1. * tilt};
          },
          x, d, past[0]);
    past.push(d, n);
  }
};

/// A predictor: the farther a robot is from the depot, the lower its intermediate level.
struct ByDoubt {
  [[maybe_unused]] static constexpr bool per_sample = true;
  void operator()(const Step<Poses>&, const Doubt* doubt, Prediction<Poses>& out) const {
    out.ratio.each.clear();
    if (!doubt) out.ratio.each.push_back(0.5);
    else
      for (const double d : doubt->each) out.ratio.each.push_back(0.5 + 0.4 * std::tanh(d));
  }
};

/// E[pose | noisy pose] for poses ~ N(depot, 0.3^2).
struct Depot {
  std::array<double, 3> place{1, -2, 0.5};
  void operator()(const Poses& p, const Levels& sigma, Poses& out, Doubt& doubt) const {
    doubt.each.assign(p.x.size(), 0.);
    for (std::size_t k = 0; k < 3; ++k)
      for (std::size_t b = 0; b < p.x.size(); ++b) {
        const double keep = 0.09 / (0.09 + sigma[b] * sigma[b]), offset = (*p.parts()[k])[b] - place[k];
        (*out.parts()[k])[b] = place[k] + keep * offset;
        doubt.each[b] += keep * std::abs(offset);
      }
  }
};

// Solvers that break one law each.

struct Shared {  // all runs share one memory
  inline static double last = 0;
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 1; }
  NoMemory memory(const double&) const { return {}; }
  void step(const Step<double>& n, double& x, double& d, auto&, NoMemory&) const {
    x += (n.to - n.from) * (d + 0.1 * (d - last));
    last = d;
  }
};

struct Twice {  // evaluates the current level again
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 2; }
  NoMemory memory(const double&) const { return {}; }
  void step(const Step<double>& n, double& x, double& d, auto& model, NoMemory&) const {
    model(x, n.from, d);
    x += (n.to - n.from) * d;
  }
};

struct Squared {  // weights that depend on the data
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 1; }
  NoMemory memory(const double&) const { return {}; }
  void step(const Step<double>& n, double& x, double& d, auto&, NoMemory&) const {
    x += (n.to - n.from) * d * (1 + 1e-3 * d);
  }
};

struct Hoarder {  // keeps the analytic slope although `remember` is false
  struct Past {
    double slope = 0;
    void detach() {}
  };
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 1; }
  Past memory(const double&) const { return {}; }
  void step(const Step<double>& n, double& x, double& d, auto&, Past& past) const {
    x += (n.to - n.from) * (n.index == 0 ? d : 1.5 * d - 0.5 * past.slope);
    past.slope = d;
  }
};

struct Leader {  // uses the first robot's levels for all
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 1; }
  NoMemory memory(const Poses&) const { return {}; }
  void step(const Step<Poses>& n, Poses& x, Poses& d, auto&, NoMemory&) const {
    const double h = n.to[0] - n.from[0];
    combine(x, std::tuple<>{}, [h] { return std::tuple{unit, h}; }, x, d);
  }
};

template <State X>
bool breaks(const AnySolver<X>& solver, std::string_view law) {
  for (const auto& verdict : verdicts<X>(solver))
    if (verdict.law == law) return !verdict.failure.empty();
  return false;
}

}  // namespace

TEST_CASE("a user's state type obeys the laws, and so does every solver on it") {
  test::hold_for_every_solver<Poses>();
}

TEST_CASE("a user's solver obeys the laws and has its order") {
  const AnySolver<double> on_numbers(AdamsBashforth2{});
  hold(laws::check<Poses>(AdamsBashforth2{}));
  CHECK(laws::backends<Poses>(AnySolver<Poses>(AdamsBashforth2{}), on_numbers) == "");
  for (const auto& grid : laws::grids()) {
    INFO(grid.name);
    CHECK(std::abs(laws::order(on_numbers, laws::TwoPeaks{}, grid, laws::Start::exact) - 2) < 0.2);
  }
}

TEST_CASE("a user's predictor obeys the laws in every solver") {
  hold(verdicts<Poses>(Amed{AdamsBashforth2{}, ByDoubt{}}));
  test::hold_for_every_solver_with<Poses>(ByDoubt{});
}

TEST_CASE("a user's denoiser obeys the laws, and its features reach the predictor") {
  hold(laws::check_denoiser<Poses>(Depot{}));
  const Poses start{{80, -80, 3}, {10, 200, -9}, {-70, 1, 2}};
  const auto end = [&](const AnySolver<Poses>& solver) {
    return sample(solver, Depot{}, karras({.steps = 40, .end = End::zero}), start).x;
  };
  const Poses at_depot = end(Amed{AdamsBashforth2{}, ByDoubt{}});
  CHECK(at_depot.x[0] != end(Amed{AdamsBashforth2{}, FixedRatio{0.5}}).x[0]);
  // The depot is at x = 1; a start 80 standard deviations of the noise away ends 80 of the data away.
  CHECK(std::abs(at_depot.x[0] - (1 + 0.3 * 80)) < 0.5);
}

TEST_CASE("the laws fail for solvers that break them") {
  CHECK(breaks<double>(Shared{}, "purity"));
  CHECK(breaks<double>(Shared{}, "resume"));
  CHECK(breaks<double>(Twice{}, "count"));
  CHECK(breaks<double>(Squared{}, "weights alone"));
  CHECK(breaks<double>(Squared{}, "exactness"));
  CHECK(breaks<double>(Hoarder{}, "forgetting"));
  CHECK(breaks<Poses>(Leader{}, "levels"));
}
