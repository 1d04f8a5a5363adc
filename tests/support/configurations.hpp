// Every solver of the registry with every order, target and variant, and the schedules to test it on.
#pragma once

#include <fewstep/fewstep.hpp>
#include <fewstep/scalar.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fewstep::test {

struct NamedSchedule {
  std::string name;
  std::function<Schedule(int steps, End end)> make;
};

inline std::vector<NamedSchedule> schedules() {
  return {{"karras", [](int n, End e) { return karras({.steps = n, .end = e}); }},
          {"karras rho 1", [](int n, End e) { return karras({.steps = n, .rho = 1, .end = e}); }},
          {"log_uniform", [](int n, End e) { return log_uniform({.steps = n, .end = e}); }},
          {"time_uniform", [](int n, End e) { return time_uniform({.steps = n, .end = e}); }},
          {"time_uniform rho 2", [](int n, End e) { return time_uniform({.steps = n, .rho = 2, .end = e}); }},
          {"huge and tiny",
           [](int n, End e) { return karras({.steps = n, .sigma_min = 1e-8, .sigma_max = 1e4, .end = e}); }}};
}

/// Calls f(label, solver) for each.
template <class F>
void for_each_configuration(F f) {
  for_each_solver([&](const auto& entry) {
    const bool ordered = entry.has(Setting::order);
    const bool targets = entry.has(Setting::target);
    const bool variants = entry.has(Setting::variant);
    for (int order = 1; order <= (ordered ? 9 : 1); ++order)
      for (const auto& [target, variant] : {std::pair{Target::denoised, UniB::bh2},
                                            {Target::slope, UniB::bh2},
                                            {Target::denoised, UniB::bh1},
                                            {Target::slope, UniB::bh1}}) {
        if ((target == Target::slope && !targets) || (variant == UniB::bh1 && !variants)) continue;
        SolverSettings s;
        if (ordered) s.order = order;
        if (targets) s.target = target;
        if (variants) s.variant = variant;
        const auto solver = entry.make(s);
        try {
          detail::validate(solver);
        } catch (const std::invalid_argument&) {
          continue;
        }
        f(std::string(entry.name) + (ordered ? " " + std::to_string(order) : "") +
              (target == Target::slope ? " slope" : "") + (variant == UniB::bh1 ? " bh1" : ""),
          solver);
      }
  });
}

template <class X>
struct Configuration {
  std::string label;
  AnySolver<X> solver;
};

/// The same behind one type, so that a test compiles once, and each inside Amed with a constant ratio. Programs link
/// the instantiations of compiled.cpp for the states declared here and in types.hpp.
template <class X>
std::vector<Configuration<X>> configurations() {
  std::vector<Configuration<X>> list;
  for_each_configuration([&](const std::string& label, const auto& solver) { list.push_back({label, solver}); });
  for (std::size_t i = 0, plain = list.size(); i < plain; ++i)
    list.push_back({list[i].label + ", plugged", Amed{list[i].solver, FixedRatio{0.4}}});
  return list;
}

extern template std::vector<Configuration<double>> configurations<double>();

}  // namespace fewstep::test

namespace fewstep {
extern template AnySolver<double> make_solver<double>(std::string_view, const SolverSettings&);
}
