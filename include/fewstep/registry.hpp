// The list of solvers by name. A new solver is its file, one #include and one entry here: laws, golden check, commands
// and tables of the documentation read the list.
#pragma once

#include "any_solver.hpp"
#include "enum_names.hpp"
#include "errors.hpp"
#include "plugin/amed.hpp"
#include "solvers/amed_solver.hpp"
#include "solvers/deis.hpp"
#include "solvers/dpm_solver_2.hpp"
#include "solvers/dpmpp.hpp"
#include "solvers/euler.hpp"
#include "solvers/heun.hpp"
#include "solvers/ipndm.hpp"
#include "solvers/plms.hpp"
#include "solvers/pndm.hpp"
#include "solvers/singlestep_dpm.hpp"
#include "solvers/unipc.hpp"
#include "unknown_name.hpp"

#include <array>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fewstep {

/// The settings that solvers chosen by name may have.
enum class Setting { order, ratio, target, lower_order_final, variant };
constexpr std::array<std::string_view, 5> names_of(Setting) {
  return {"order", "ratio", "target", "lower_order_final", "variant"};
}

/// Settings of a solver that is chosen by name; unset ones keep the solver's defaults. make_solver() refuses a setting
/// that the solver lacks.
struct SolverSettings {
  std::optional<int> order = {};
  std::optional<double> ratio = {};            ///< of the intermediate level, in (0, 1)
  std::optional<Target> target = {};           ///< what an exponential solver extrapolates
  std::optional<bool> lower_order_final = {};  ///< no step uses a higher order than there are steps left
  std::optional<UniB> variant = {};            ///< of UniPC

  bool given(Setting s) const {
    const std::array given{order.has_value(), ratio.has_value(), target.has_value(), lower_order_final.has_value(),
                           variant.has_value()};
    return given[static_cast<std::size_t>(s)];
  }
};

/// A short constant list, for entries of the registry.
template <class T, std::size_t most = 5>
class ShortList {
 public:
  constexpr ShortList(std::initializer_list<T> values = {}) {
    for (const T& value : values) values_[size_++] = value;
  }
  constexpr const T* begin() const { return values_.data(); }
  constexpr const T* end() const { return values_.data() + size_; }
  constexpr std::size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }

 private:
  std::array<T, most> values_{};
  std::size_t size_ = 0;
};

/// What the registry states about a solver, whatever its type.
struct SolverInfo {
  std::string_view name;    ///< for make_solver()
  std::string_view title;   ///< as papers name it
  std::string_view source;  ///< arXiv number
  ShortList<Setting> settings;
  ShortList<int> few_step_orders;     ///< orders worth trying at 3 to 10 evaluations; empty: no choice of order
  ShortList<double> few_step_ratios;  ///< ratios worth trying at 3 to 10 evaluations; empty: the default alone
  bool few_step;                      ///< tried by default when solvers are compared at 3 to 10 evaluations

  constexpr bool has(Setting s) const {
    for (const Setting own : settings)
      if (own == s) return true;
    return false;
  }
};

/// One solver of the list: what is known about it and how it is made.
template <class Make>
struct SolverEntry : SolverInfo {
  Make make;  ///< SolverSettings -> solver
};

namespace detail {

/// What comparisons at few steps try; by default the solver with its default settings.
struct FewStep {
  ShortList<int> orders = {};
  ShortList<double> ratios = {};
  bool compare = true;
};

template <class Make>
constexpr SolverEntry<Make> solver_entry(std::string_view name, std::string_view title, std::string_view source,
                                         ShortList<Setting> settings, FewStep few_step, Make make) {
  return {{name, title, source, settings, few_step.orders, few_step.ratios, few_step.compare}, make};
}

/// Entries of different types, like std::tuple, which takes several times as long to compile.
template <class... Entry>
struct SolverList : Entry... {};
template <class... Entry>
SolverList(Entry...) -> SolverList<Entry...>;

template <class F, class... Entry>
void for_each(F& f, const SolverList<Entry...>& list) {
  (f(static_cast<const Entry&>(list)), ...);
}

}  // namespace detail

inline constexpr detail::SolverList solver_list{
    detail::solver_entry("euler", "Euler (DDIM)", "arXiv 2010.02502", {}, {},
                         [](const SolverSettings&) { return Euler{}; }),
    detail::solver_entry("heun", "Heun", "arXiv 2206.00364", {}, {}, [](const SolverSettings&) { return Heun{}; }),
    detail::solver_entry("dpm2", "DPM-Solver-2", "arXiv 2206.00927", {Setting::ratio}, {},
                         [](const SolverSettings& s) { return DpmSolver2{FixedRatio{s.ratio.value_or(0.5)}}; }),
    detail::solver_entry("amed", "AMED-Solver", "arXiv 2312.00094", {Setting::ratio},
                         {.ratios = {0.3, 0.4, 0.5}, .compare = false},
                         [](const SolverSettings& s) { return AmedSolver{FixedRatio{s.ratio.value_or(0.5)}}; }),
    detail::solver_entry("dpmpp", "DPM-Solver++ multistep", "arXiv 2211.01095",
                         {Setting::order, Setting::target, Setting::lower_order_final}, {.orders = {2, 3}},
                         [](const SolverSettings& s) {
                           return Dpmpp{s.order.value_or(2), s.target.value_or(Target::denoised),
                                        s.lower_order_final.value_or(true)};
                         }),
    detail::solver_entry("ipndm", "iPNDM", "arXiv 2204.13902", {Setting::order}, {.orders = {2, 3, 4}},
                         [](const SolverSettings& s) { return Ipndm{s.order.value_or(4)}; }),
    detail::solver_entry("ipndm_v", "Adams-Bashforth (iPNDM_v, LMS, rhoAB-DEIS)", "arXiv 2204.13902", {Setting::order},
                         {.orders = {2, 3, 4}},
                         [](const SolverSettings& s) { return Deis{s.order.value_or(4), Variable::sigma}; }),
    detail::solver_entry(
        "lms", "LMS", "k-diffusion", {Setting::order}, {.compare = false},
        [](const SolverSettings& s) { return Deis{s.order.value_or(4), Variable::sigma, Target::slope, false, true}; }),
    detail::solver_entry("deis", "tAB-DEIS", "arXiv 2204.13902", {Setting::order}, {.orders = {2, 3, 4}},
                         [](const SolverSettings& s) { return Deis{s.order.value_or(3), Variable::time}; }),
    detail::solver_entry(
        "res", "RES multistep", "arXiv 2308.02157", {Setting::order}, {.orders = {2, 3}},
        [](const SolverSettings& s) { return Deis{s.order.value_or(2), Variable::log_sigma, Target::denoised}; }),
    detail::solver_entry("plms", "PLMS", "arXiv 2202.09778", {}, {}, [](const SolverSettings&) { return Plms{}; }),
    detail::solver_entry("pndm", "PNDM", "arXiv 2202.09778", {}, {.compare = false},
                         [](const SolverSettings&) { return Pndm{}; }),
    detail::solver_entry("dpm_singlestep", "DPM-Solver-1/2/3, DPM-Solver++ 2S/3S", "arXiv 2206.00927",
                         {Setting::order, Setting::target, Setting::ratio}, {.orders = {2, 3}},
                         [](const SolverSettings& s) {
                           const double r1 = s.ratio.value_or(s.order.value_or(3) == 2 ? 1. / 2 : 1. / 3);
                           return SinglestepDpm{s.order.value_or(3), s.target.value_or(Target::denoised), r1};
                         }),
    detail::solver_entry("unipc", "UniPC", "arXiv 2302.04867",
                         {Setting::order, Setting::variant, Setting::target, Setting::lower_order_final},
                         {.orders = {2, 3}}, [](const SolverSettings& s) {
                           return UniPc{s.order.value_or(3), s.variant.value_or(UniB::bh2),
                                        s.target.value_or(Target::denoised), s.lower_order_final.value_or(true)};
                         })};

/// Calls f(entry) for every solver of the list.
template <class F>
void for_each_solver(F f) {
  detail::for_each(f, solver_list);
}

namespace detail {

inline void require_settings(const SolverInfo& solver, const SolverSettings& settings) {
  for (std::size_t i = 0; i < names_of(Setting{}).size(); ++i) {
    const auto setting = static_cast<Setting>(i);
    require(!settings.given(setting) || solver.has(setting), to_string(setting), "given",
            "not with the solver " + std::string(solver.name));
  }
}

}  // namespace detail

/// The solver with this name.
/// @throws std::invalid_argument for an unknown name (listing the known ones and the nearest), a setting that the
/// solver lacks, or a value out of range.
template <State X>
AnySolver<X> make_solver(std::string_view name, const SolverSettings& settings = {}) {
  std::optional<AnySolver<X>> made;
  std::vector<std::string> known;
  for_each_solver([&](const auto& entry) {
    known.emplace_back(entry.name);
    if (entry.name != name) return;
    detail::require_settings(entry, settings);
    const auto solver = entry.make(settings);
    detail::validate(solver);
    made.emplace(solver);
  });
  if (!made) detail::unknown_name("solver", name, known);
  return *made;
}

/// The same solver with a time predictor: it takes the place of the ratio of `amed` and `dpm2` and is plugged into any
/// other solver by Amed.
/// @throws std::invalid_argument as above, and for a ratio beside the predictor.
template <State X, TimePredictor<X> P>
AnySolver<X> make_solver(std::string_view name, const SolverSettings& settings, P predictor) {
  const AnySolver<X> plain = make_solver<X>(name, settings);
  require(!settings.ratio, "ratio", settings.ratio.value_or(0), "none where a predictor gives it");
  if (name == "amed") return AmedSolver{std::move(predictor)};
  if (name == "dpm2") return DpmSolver2{std::move(predictor)};
  return Amed{plain, std::move(predictor)};
}

}  // namespace fewstep
