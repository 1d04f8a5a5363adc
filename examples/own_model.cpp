// Models of one's own: whatever a network predicts is one call away from a denoiser.
#include <fewstep/denoisers.hpp>
#include <fewstep/eigen.hpp>

#include <cstdio>

using namespace fewstep;
using X = Eigen::ArrayXXd;  // a column per sample

int main() {
  // Stand-ins for networks, right for data ~ N(1, 0.5^2): from z = alpha x0 + noise * unit noise to E[x0 | z].
  const auto expected = [](const X& z, double alpha, double noise) -> X {
    return 1 + 0.25 * alpha / (0.25 * alpha * alpha + noise * noise) * (z - alpha);
  };
  const VpLinear vp{.beta_min = 0.1, .beta_max = 20};
  const auto epsilon = [&](const X& z, double t) -> X {
    const double alpha = vp.alpha(vp.sigma(t)), noise = alpha * vp.sigma(t);
    return (z - alpha * expected(z, alpha, noise)) / noise;
  };
  const auto v = [&](const X& z, double t) -> X {
    const double alpha = vp.alpha(vp.sigma(t)), noise = alpha * vp.sigma(t);
    return alpha * epsilon(z, t) - noise * expected(z, alpha, noise);
  };
  const auto velocity = [&](const X& z, double t) -> X { return (z - expected(z, 1 - t, t)) / t; };

  const auto report = [](const char* name, const auto& denoise, const Schedule& schedule, double scale = 1) {
    const auto result = integrate(Dpmpp{}, denoise, schedule, X(scale * schedule[0] * noise({1, 2, 3}, 1)));
    std::printf("%-26s %8.5f %8.5f %8.5f  %d evaluations\n", name, result.x(0), result.x(1), result.x(2),
                result.total_evaluations);
  };
  const Schedule schedule = karras({.steps = 5, .end = End::zero});
  report("noise", from_epsilon(epsilon, vp), schedule);
  report("v", from_v(v, vp), schedule);
  report("flow", from_flow(velocity), schedule);
  report("flow, from t = 1 itself", from_flow_native(velocity), Schedule({1, 0.8, 0.6, 0.4, 0.2, 0}));
  report("noise, guided, clamped",
         clamped(guided(from_epsilon(epsilon, vp), [](const X& x, double) -> X { return 0 * x; },
                        {.scale = 2, .sigma_high = 5}),
                 -1, 1),
         schedule);
}
