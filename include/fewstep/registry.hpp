// The list of solvers. A new one is its file and one line here: laws, golden check, command line and table read the
// list.
#pragma once

#include "any_solver.hpp"
#include "errors.hpp"
#include "plugin/amed.hpp"
#include "schedules/karras.hpp"
#include "schedules/log_uniform.hpp"
#include "schedules/time_uniform.hpp"
#include "solvers/amed_solver.hpp"
#include "solvers/deis.hpp"
#include "solvers/dpm_solver_2.hpp"
#include "solvers/dpmpp.hpp"
#include "solvers/euler.hpp"
#include "solvers/heun.hpp"
#include "solvers/ipndm.hpp"
#include "solvers/plms.hpp"
#include "solvers/pndm.hpp"
#include "solvers/richardson.hpp"
#include "solvers/singlestep_dpm.hpp"
#include "solvers/unipc.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace fewstep {

/// What may be set of a solver chosen by name; a setting that the solver lacks is refused.
struct SolverSettings {
  std::optional<int> order = {};
  std::optional<double> ratio = {};
  std::optional<Target> target = {};
  std::optional<bool> lower_order_final = {};
  std::optional<UniB> variant = {};
};

template <class Make>
struct SolverEntry {
  std::string_view name, title, settings, source;
  Make make;  // SolverSettings -> solver
};
template <class Make>
SolverEntry(std::string_view, std::string_view, std::string_view, std::string_view, Make) -> SolverEntry<Make>;

inline constexpr std::tuple solver_list{
    SolverEntry{"euler", "Euler (DDIM)", "", "arXiv 2010.02502", [](const SolverSettings&) { return Euler{}; }},
    SolverEntry{"heun", "Heun", "", "arXiv 2206.00364", [](const SolverSettings&) { return Heun{}; }},
    SolverEntry{"dpm2", "DPM-Solver-2", "ratio", "arXiv 2206.00927",
                [](const SolverSettings& s) { return DpmSolver2{FixedRatio{s.ratio.value_or(0.5)}}; }},
    SolverEntry{"amed", "AMED-Solver", "ratio", "arXiv 2312.00094",
                [](const SolverSettings& s) { return AmedSolver{FixedRatio{s.ratio.value_or(0.5)}}; }},
    SolverEntry{"dpmpp", "DPM-Solver++ multistep", "order target lower_order_final", "arXiv 2211.01095",
                [](const SolverSettings& s) {
                  return Dpmpp{s.order.value_or(2), s.target.value_or(Target::denoised),
                               s.lower_order_final.value_or(true)};
                }},
    SolverEntry{"ipndm", "iPNDM", "order", "arXiv 2204.13902",
                [](const SolverSettings& s) { return Ipndm{s.order.value_or(4)}; }},
    SolverEntry{"ipndm_v", "Adams-Bashforth (iPNDM_v, LMS, rhoAB-DEIS)", "order", "arXiv 2204.13902",
                [](const SolverSettings& s) { return Deis{s.order.value_or(4), Variable::sigma}; }},
    SolverEntry{"deis", "tAB-DEIS", "order", "arXiv 2204.13902",
                [](const SolverSettings& s) { return Deis{s.order.value_or(3), Variable::time}; }},
    SolverEntry{
        "res", "RES multistep", "order", "arXiv 2308.02157",
        [](const SolverSettings& s) { return Deis{s.order.value_or(2), Variable::log_sigma, Target::denoised}; }},
    SolverEntry{"plms", "PLMS", "", "arXiv 2202.09778", [](const SolverSettings&) { return Plms{}; }},
    SolverEntry{"pndm", "PNDM", "", "arXiv 2202.09778", [](const SolverSettings&) { return Pndm{}; }},
    SolverEntry{"dpm_singlestep", "DPM-Solver-1/2/3, DPM-Solver++ 2S/3S", "order target ratio", "arXiv 2206.00927",
                [](const SolverSettings& s) {
                  const double r1 = s.ratio.value_or(s.order.value_or(3) == 2 ? 1. / 2 : 1. / 3);
                  return SinglestepDpm{s.order.value_or(3), s.target.value_or(Target::denoised), r1};
                }},
    SolverEntry{"unipc", "UniPC", "order variant target lower_order_final", "arXiv 2302.04867",
                [](const SolverSettings& s) {
                  return UniPc{s.order.value_or(3), s.variant.value_or(UniB::bh2), s.target.value_or(Target::denoised),
                               s.lower_order_final.value_or(true)};
                }},
};

/// f(entry) for every entry of the list.
template <class F>
void for_each_solver(F f) {
  std::apply([&](const auto&... entry) { (f(entry), ...); }, solver_list);
}

namespace detail {

/// Levenshtein's distance.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t swap = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = (std::min)({swap, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

[[noreturn]] inline void unknown_name(std::string_view what, std::string_view name, std::vector<std::string> known) {
  const auto distance = [&](const std::string& k) { return edit_distance(name, k); };
  const auto nearest = *std::min_element(known.begin(), known.end(),
                                         [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
  std::string list;
  for (const std::string& k : known) list += (list.empty() ? "" : ", ") + k;
  if (distance(nearest) <= 2) list += " (did you mean " + nearest + "?)";
  require(false, what, name, list);
  throw;  // not reached
}

}  // namespace detail

/// @throws std::invalid_argument for an unknown name (listing those that exist and the nearest), a setting that the
/// solver lacks, or a value that it cannot have.
template <State X>
AnySolver<X> make_solver(std::string_view name, const SolverSettings& settings = {}) {
  std::optional<AnySolver<X>> made;
  std::vector<std::string> known;
  for_each_solver([&](const auto& entry) {
    known.emplace_back(entry.name);
    if (entry.name != name) return;
    const auto only = [&](bool given, std::string_view setting) {
      require(!given || entry.settings.find(setting) != std::string_view::npos, setting, "given",
              "not with the solver " + std::string(name));
    };
    only(settings.order.has_value(), "order");
    only(settings.ratio.has_value(), "ratio");
    only(settings.target.has_value(), "target");
    only(settings.lower_order_final.has_value(), "lower_order_final");
    only(settings.variant.has_value(), "variant");
    const auto solver = entry.make(settings);
    detail::validate(solver);
    made.emplace(solver);
  });
  if (!made) detail::unknown_name("solver", name, known);
  return *made;
}

/// The same solver with a predictor: in place of the ratio of `amed` and `dpm2`, plugged into any other.
template <State X, TimePredictor<X> P>
AnySolver<X> make_solver(std::string_view name, const SolverSettings& settings, P predictor) {
  const AnySolver<X> plain = make_solver<X>(name, settings);
  require(!settings.ratio, "ratio", settings.ratio.value_or(0), "none where a predictor gives it");
  if (name == "amed") return AmedSolver{std::move(predictor)};
  if (name == "dpm2") return DpmSolver2{std::move(predictor)};
  return Amed{plain, std::move(predictor)};
}

/// What may be set of a schedule chosen by name.
struct ScheduleSettings {
  int steps = 5;
  std::optional<double> rho = {};
  double sigma_min = 0.002, sigma_max = 80;
  End end = End::sigma_min;
  std::vector<double> levels = {};  // of the schedule "custom", which asks for nothing else
};

/// @throws std::invalid_argument as make_solver.
inline Schedule make_schedule(std::string_view name, const ScheduleSettings& s) {
  if (name == "custom") return Schedule(s.levels);
  require(s.levels.empty(), "levels", "given", "none with the schedule " + std::string(name) + "; with custom");
  if (name == "karras" || name == "polynomial")
    return karras({s.steps, s.rho.value_or(7), s.sigma_min, s.sigma_max, s.end});
  if (name == "time_uniform")
    return time_uniform(
        {.steps = s.steps, .rho = s.rho.value_or(1), .sigma_min = s.sigma_min, .sigma_max = s.sigma_max, .end = s.end});
  if (name == "log_uniform" || name == "logsnr") {
    require(!s.rho, "rho", s.rho.value_or(0), "not with the schedule " + std::string(name));
    return log_uniform({s.steps, s.sigma_min, s.sigma_max, s.end});
  }
  detail::unknown_name("schedule", name, {"karras", "polynomial", "log_uniform", "logsnr", "time_uniform", "custom"});
}

}  // namespace fewstep
