// Runs whose network the caller evaluates.
#include "support/catch.hpp"
#include "support/configurations.hpp"
#include "support/message.hpp"

#include <fewstep/buffer.hpp>
#include <fewstep/fitting/tabulate.hpp>
#include <fewstep/stepper.hpp>

#include <algorithm>

using namespace fewstep;
using test::message_of;
using X = Buffer<float>;

namespace {

const VpLinear vp{};

/// The noise in z = alpha x0 + deviation noise for data x0 ~ N(1, 0.25).
void epsilon(const X& z, double t, X& out) {
  const double alpha = vp.alpha(vp.sigma(t)), deviation = alpha * vp.sigma(t);
  const double keep = 0.25 * alpha / (0.25 * alpha * alpha + deviation * deviation);
  for (std::size_t i = 0; i < z.size(); ++i)
    out[i] = static_cast<float>((z[i] - alpha * (1 + keep * (z[i] - alpha))) / deviation);
}
const auto adapted = [](auto network) { return from_epsilon(network, vp); };

X state() {
  X x = buffer_noise({1, 2}, 20);
  for (float& v : x) v *= 80;
  return x;
}

template <class S>
X stepped(const S& solver, const Schedule& schedule, const Options& options = {}) {
  Stepper<X> stepper(solver, adapted, schedule, state(), options);
  X output = algebra<X>::like(state());
  while (!stepper.done()) {
    epsilon(stepper.input(), stepper.label(), output);
    stepper.step(output);
  }
  CHECK(stepper.status() == Status::complete);
  return stepper.x();
}

bool equal(const X& a, const X& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

}  // namespace

TEST_CASE("Stepper: the numbers of integrate, for every solver of one evaluation per step") {
  const auto denoise = from_epsilon([](const X& z, double t, X& out) { epsilon(z, t, out); }, vp);
  int solvers = 0;
  for (const auto& [label, solver] : test::configurations<X>()) {
    if (solver.evaluations() != 1) continue;
    INFO(label);
    ++solvers;
    for (const End end : {End::sigma_min, End::zero})
      for (const bool analytic : {false, true}) {
        Options options{.analytic_first_step = analytic, .final_denoise = end == End::sigma_min};
        const Schedule schedule = karras({.steps = 5, .end = end});
        CHECK(equal(stepped(solver, schedule, options), integrate(solver, denoise, schedule, state(), options).x));
        options.first_step = 2;
        options.last_step = 4;
        options.final_denoise = false;
        CHECK(equal(stepped(solver, schedule, options), integrate(solver, denoise, schedule, state(), options).x));
      }
  }
  CHECK(solvers > 30);
  const Schedule schedule = karras({.steps = 6});
  const Table table = tabulate(Dpmpp{.order = 3}, schedule);
  CHECK(equal(stepped(table, schedule), integrate(table, denoise, schedule, state()).x));
}

TEST_CASE("Stepper: what it asks") {
  const Schedule schedule({40, 8, 1, 0});
  Stepper<X> stepper(Ipndm{}, adapted, schedule, state());
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK_FALSE(stepper.done());
    CHECK(stepper.index() == i);
    CHECK(stepper.sigma() == schedule[i]);
    CHECK(stepper.label() == vp.time(schedule[i]));
    CHECK(stepper.input()[3] == Approx(stepper.x()[3] / std::sqrt(1 + schedule[i] * schedule[i])).epsilon(1e-6));
    stepper.step(stepper.input());
  }
  CHECK(stepper.done());
  CHECK(message_of([&] { stepper.step(stepper.x()); }) ==
        "step is 3; allowed: steps of the schedule: the run is complete");
}

TEST_CASE("Stepper: denoised outputs, and guidance as one doubled batch") {
  const auto plain = [](auto network) { return network; };
  Stepper<double> one(Euler{}, plain, Schedule({2, 1, 0.5}), 3.);
  one.step(1);
  CHECK(one.x() == 2);
  one.step(1);
  CHECK(one.x() == 1.5);
  CHECK(one.done());

  const auto guided = [](auto network) { return guided_batch(network, {.scale = 2}); };
  Stepper<X> both(Euler{}, guided, Schedule({2, 1}), X({1, 2}, 1));
  CHECK(both.input().size() == 4);
  both.step(X({0, 0, 1, 1}, 2));
  CHECK(equal(both.x(), X({1.5, 2}, 1)));
}

TEST_CASE("Stepper: refusals") {
  const Schedule schedule({2, 1});
  const auto refusal = [&](const auto& solver, const auto& make) {
    return message_of([&] { Stepper<X>(solver, make, schedule, state()); });
  };
  CHECK(refusal(Heun{}, adapted) == "the solver's evaluations per step is 2; allowed: 1");
  CHECK(refusal(Euler{}, [](auto network) { return guided(network, network, {.scale = 2}); }) ==
        "the denoiser's calls of its network is 2; allowed: 1");
  Stepper<X> stepper(Euler{}, adapted, schedule, state());
  CHECK(message_of([&] { Stepper<X>(Euler{}, adapted, schedule, state(), {.stop = [] { return false; }}); }) ==
        "stop is given; allowed: none for a Stepper, whose caller has the loop");
  CHECK_THAT(message_of([&] { stepper.step(X({1, 2, 3})); }), Catch::Contains("is 3; allowed: 40, as the state"));
}
