// A sampling loop over raw memory, and what replaces it.
#include <fewstep/buffer.hpp>
#include <fewstep/stepper.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

using namespace fewstep;

constexpr std::size_t count = 4 * 16;  // 4 samples of 16 numbers each

/// An exported network: reads and writes memory, predicts the noise from z and its time t. Stands for a runtime's call;
/// it is exact for data N(1, 0.5^2).
void run_network(const float* z, float t, float* out) {
  const double sigma = VpLinear{}.sigma(t), alpha = 1 / std::sqrt(1 + sigma * sigma), noise = alpha * sigma;
  const double share = 0.25 * alpha / (0.25 * alpha * alpha + noise * noise);
  for (std::size_t i = 0; i < count; ++i)
    out[i] = static_cast<float>((z[i] - alpha * (1 + share * (z[i] - alpha))) / noise);
}

int main() {
  const VpLinear vp{};  // the process that the network was trained on
  const Schedule schedule = karras({.steps = 5, .end = End::zero});
  const Buffer<float> start = buffer_noise({1, 2, 3, 4}, 16);  // one seed per sample
  const auto network = [](const Buffer<float>& z, double t, Buffer<float>& out) {
    run_network(z.data(), static_cast<float>(t), out.data());
  };
  const auto denoise = from_epsilon(network, vp);
  const auto exact = sample(Heun{}, denoise, karras({.steps = 100, .end = End::zero}), start).x;
  const auto report = [&](const char* name, const float* x) {
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += (x[i] - exact[i]) * (x[i] - exact[i]);
    std::printf("%-22s RMS distance %.4f\n", name, std::sqrt(sum / count));
  };
  // By hand: Euler's method (DDIM) in memory of one's own.
  std::vector<float> x(start.begin(), start.end()), z(count), epsilon(count);
  for (float& v : x) v *= static_cast<float>(schedule[0]);
  for (std::size_t i = 0; i < schedule.steps(); ++i) {
    for (std::size_t k = 0; k < count; ++k) z[k] = static_cast<float>(vp.alpha(schedule[i])) * x[k];
    run_network(z.data(), static_cast<float>(vp.time(schedule[i])), epsilon.data());
    for (std::size_t k = 0; k < count; ++k) x[k] += static_cast<float>(schedule[i + 1] - schedule[i]) * epsilon[k];
  }
  report("Euler by hand", x.data());
  // The same memory, a better solver: the run works in x itself and leaves its result there.
  for (std::size_t k = 0; k < count; ++k) x[k] = static_cast<float>(schedule[0]) * start[k];
  integrate(Dpmpp{.order = 3}, denoise, schedule, Buffer<float>::view(x, 4));
  report("DPM-Solver++", x.data());
  // Where the loop must stay one's own, the solver takes the network's outputs one by one.
  Buffer<float> output = start;
  for (std::size_t k = 0; k < count; ++k) x[k] = static_cast<float>(schedule[0]) * start[k];
  const auto adaptor = [&](auto asked) { return from_epsilon(asked, vp); };
  Stepper stepper(Dpmpp{.order = 3}, adaptor, schedule, Buffer<float>::view(x, 4));
  while (!stepper.done()) {
    run_network(stepper.input().data(), static_cast<float>(stepper.label()), output.data());
    stepper.step(output);
  }
  report("DPM-Solver++, own loop", stepper.x().data());
}
