// Solvers and schedules of the registries with random settings, plugged or not: what is accepted runs at finite levels
// and takes the evaluations that it declares.
#include "fuzz.hpp"

#include <fewstep/adaptive.hpp>
#include <fewstep/fewstep.hpp>
#include <fewstep/scalar.hpp>

#include <fuzzer/FuzzedDataProvider.h>

using namespace fewstep;

namespace {

template <class T, class Draw>
std::optional<T> maybe(FuzzedDataProvider& input, Draw draw) {
  return input.ConsumeBool() ? std::optional<T>(draw()) : std::nullopt;
}

double number(FuzzedDataProvider& input) {
  return input.ConsumeBool() ? input.ConsumeFloatingPointInRange<double>(0, 100) : input.ConsumeFloatingPoint<double>();
}

AnySolver<double> draw_solver(FuzzedDataProvider& input) {
  std::vector<std::string_view> names;
  for_each_solver([&](const auto& entry) { names.push_back(entry.name); });
  SolverSettings settings;
  settings.order = maybe<int>(input, [&] { return input.ConsumeIntegralInRange(-1, 9); });
  settings.ratio = maybe<double>(input, [&] { return number(input); });
  settings.target = maybe<Target>(input, [&] { return input.ConsumeBool() ? Target::slope : Target::denoised; });
  settings.lower_order_final = maybe<bool>(input, [&] { return input.ConsumeBool(); });
  settings.variant = maybe<UniB>(input, [&] { return input.ConsumeBool() ? UniB::bh1 : UniB::bh2; });
  const AnySolver<double> solver =
      make_solver<double>(names[input.ConsumeIntegralInRange<std::size_t>(0, names.size() - 1)], settings);
  if (input.ConsumeBool()) return solver;
  return Amed{solver, FixedRatio{number(input)}};
}

Schedule draw_schedule(FuzzedDataProvider& input) {
  static const NoiseTable table = NoiseTable::scaled_linear(0.00085, 0.012, 1000);
  std::vector<std::string_view> names;
  for_each_schedule([&](const ScheduleEntry& entry) { names.push_back(entry.name); });
  ScheduleSettings settings;
  settings.steps = input.ConsumeIntegralInRange(-1, 40);
  settings.rho = maybe<double>(input, [&] { return number(input); });
  settings.sigma_min = maybe<double>(input, [&] { return number(input); });
  settings.sigma_max = maybe<double>(input, [&] { return number(input); });
  settings.end = maybe<End>(input, [&] { return input.ConsumeBool() ? End::zero : End::sigma_min; });
  for (int i = input.ConsumeIntegralInRange(0, 6); i > 0; --i) settings.levels.push_back(number(input));
  const std::string_view name = names[input.ConsumeIntegralInRange<std::size_t>(0, names.size() - 1)];
  if (input.ConsumeBool()) return make_schedule(name, settings, input.ConsumeBool() ? &table : nullptr);
  const FlowTable flow{number(input), input.ConsumeIntegralInRange<std::size_t>(0, 2000)};
  return make_schedule(name, settings, &flow);
}

/// A run that chooses its own steps.
void run_adaptively(FuzzedDataProvider& input) {
  AdaptiveOptions options{.order = input.ConsumeIntegralInRange(1, 4),
                          .relative = number(input),
                          .absolute = number(input),
                          .first_step = number(input),
                          .proportional = number(input),
                          .integral = number(input),
                          .derivative = number(input),
                          .accept_safety = number(input),
                          .most_evaluations = input.ConsumeIntegralInRange(0, 300)};
  const double from = number(input), to = number(input);
  const auto result = integrate_adaptive(fuzz::CheckedDenoiser{}, from, to, number(input), options);
  if (result.evaluations > options.most_evaluations) fuzz::fail("more evaluations than allowed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider input(data, size);
  fuzz::accepted([&] {
    if (input.ConsumeIntegralInRange(0, 9) == 0) return run_adaptively(input);
    const AnySolver<double> solver = draw_solver(input);
    const Schedule schedule = draw_schedule(input);
    Options options{.analytic_first_step = input.ConsumeBool(),
                    .analytic_in_history = input.ConsumeBool(),
                    .final_denoise = input.ConsumeBool()};
    options.first_step = input.ConsumeIntegralInRange<std::size_t>(0, 3);
    const auto result = integrate(solver, fuzz::CheckedDenoiser{}, schedule, number(input), options);
    if (result.evaluations != evaluations(solver, schedule, options))
      fuzz::fail("evaluations differ from those declared");
  });
  return 0;
}
