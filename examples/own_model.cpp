// Your own model: one call turns what a network predicts into a denoiser.
#include <fewstep/denoisers.hpp>
#include <fewstep/eigen.hpp>

#include <cstdio>

using namespace fewstep;
using X = Eigen::ArrayXXd;  // one column per sample

/// E[x0 | z] for data x0 ~ N(1, 0.5^2) and z = alpha x0 + deviation * (unit noise): stands for a trained network.
X expected(const X& z, double alpha, double deviation) {
  return 1 + 0.25 * alpha / (0.25 * alpha * alpha + deviation * deviation) * (z - alpha);
}

void report(const char* name, const auto& denoise, const Schedule& schedule) {
  const X start = schedule[0] * noise({1, 2, 3}, 1);  // three samples of one number each, at the first level
  const auto result = integrate(Dpmpp{}, denoise, schedule, start);
  std::printf("%-20s %8.5f %8.5f %8.5f   NFE %d\n", name, result.x(0), result.x(1), result.x(2),
              result.total_evaluations);
}

int main() {
  // What three networks predict from their input and their time t.
  const VpLinear vp{.beta_min = 0.1, .beta_max = 20};
  const auto epsilon = [&](const X& z, double t) -> X {
    const double alpha = vp.alpha(vp.sigma(t)), deviation = alpha * vp.sigma(t);
    return (z - alpha * expected(z, alpha, deviation)) / deviation;
  };
  const auto v = [&](const X& z, double t) -> X {
    const double alpha = vp.alpha(vp.sigma(t)), deviation = alpha * vp.sigma(t);
    return alpha * epsilon(z, t) - deviation * expected(z, alpha, deviation);
  };
  const auto velocity = [](const X& z, double t) -> X { return (z - expected(z, 1 - t, t)) / t; };
  const auto unconditional = [](const X& x, double sigma) -> X { return x / (1 + sigma * sigma); };  // data ~ N(0, 1)

  const auto conditional = from_epsilon(epsilon, vp);  // a network that predicts the noise, trained on this process
  const auto flow = from_flow(velocity);               // a rectified flow: (x_t, t) -> noise - x0
  const auto stronger = guided(conditional, unconditional, {.scale = 1.5, .sigma_high = 5});

  const Schedule schedule = karras({.steps = 5, .end = End::zero});
  report("noise", conditional, schedule);
  report("v", from_v(v, vp), schedule);
  report("flow", flow, schedule);
  report("flow, from t = 1", from_flow_native(velocity), Schedule({1, 0.8, 0.6, 0.4, 0.2, 0}));
  report("noise, guidance 1.5", stronger, schedule);
}
