// States, problems and schedules that the tests share.
#pragma once

#include <fewstep/eigen.hpp>

#include <functional>
#include <string>
#include <vector>

namespace fewstep::test {

using Array = Eigen::ArrayXXd;

/// Three components in four dimensions: far enough apart that the ODE is not linear.
inline GaussianMixture mixture() {
  return {{0.5, 0.3, 0.2}, {{0.8, -0.4, 0.3, -0.9}, {-0.6, 0.7, -1.2, 0.2}, {0.1, 1.3, 0.5, 0.6}}, {0.2, 0.35, 0.1}};
}

/// D = c whatever x: every solver must land on c + (sigma_end/sigma_max)(x - c).
struct Constant {
  double value = 0.3;
  template <class X, class T>
  void operator()(const X&, const T&, X& out) const { out.setConstant(static_cast<typename X::Scalar>(value)); }
};

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
          {"huge and tiny", [](int n, End e) { return karras({.steps = n, .sigma_min = 1e-8, .sigma_max = 1e4, .end = e}); }}};
}

/// Every solver of the list at every order it has: f(label, solver).
template <class F>
void for_each_configuration(F f) {
  for_each_solver([&](const auto& entry) {
    const bool ordered = entry.settings.find("order") != std::string_view::npos;
    const bool formed = entry.settings.find("form") != std::string_view::npos;
    for (int order = 1; order <= (ordered ? 9 : 1); ++order)
      for (const Form form : {Form::data, Form::noise}) {
        if (form == Form::noise && !formed) continue;
        SolverSettings s;
        if (ordered) s.order = order;
        if (formed) s.form = form;
        const auto solver = entry.make(s);
        try {
          if constexpr (requires { solver.validate(); }) solver.validate();
        } catch (const std::invalid_argument&) {
          continue;
        }
        f(std::string(entry.name) + (ordered ? std::to_string(order) : "") + (form == Form::noise ? " noise form" : ""), solver);
      }
  });
}

}  // namespace fewstep::test
