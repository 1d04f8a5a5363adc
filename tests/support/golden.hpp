// Reading the recorded vectors, for both backends.
#pragma once

#include <fewstep/denoisers/gaussian_mixture.hpp>
#include <fewstep/fewstep.hpp>
#include <fewstep/plugin/amed_network.hpp>
#include <fewstep/solvers/compat.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace fewstep::golden {

using nlohmann::json;

inline constexpr double infinity = std::numeric_limits<double>::infinity();

struct Skip {
  std::string reason;
};

struct Outcome {
  double error = 0;  // largest |a - b| relative to the scale that the recorded tolerance refers to
  double tolerance = 0;
  json dump;
  std::string note;
};

/// The largest difference over max(floor, |b|); NaN and a wrong number of values count as infinite.
inline double difference(const std::vector<double>& a, const std::vector<double>& b, double floor) {
  if (a.size() != b.size()) return infinity;
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = a[i] == b[i] ? 0 : std::abs(a[i] - b[i]) / std::max(floor, std::abs(b[i]));
    if (!(d <= worst)) worst = std::isnan(d) ? infinity : d;
  }
  return worst;
}

inline GaussianMixture mixture(const json& problems, const std::string& name) {
  const json& p = problems.at("mixtures").at(name);
  return {p.at("weights").get<std::vector<double>>(), p.at("means").get<std::vector<std::vector<double>>>(),
          p.at("stds").get<std::vector<double>>()};
}

inline NoiseTable table_of(const json& problems, const std::string& name) {
  const json& g = problems.at("discrete_grids").at(name);
  return NoiseTable::scaled_linear(g.at("beta_start"), g.at("beta_end"),
                                   g.at("num_train_timesteps").get<std::size_t>());
}

inline Schedule schedule_of(const json& c, const json& problems) {
  const std::string type = c.at("schedule_type");
  const auto quirk = c.value("quirk", std::string());
  if (type == "discrete") {
    const NoiseTable table = table_of(problems, c.at("grid"));
    const DiscreteOptions options{.steps = c.at("num_steps").get<int>() - 1,
                                  .rho = c.at("schedule_rho"),
                                  .sigma_min = c.at("sigma_min").get<double>(),
                                  .sigma_max = c.at("sigma_max").get<double>()};
    if (quirk == "discrete_rho") return compat::discrete(table, options);
    if (!quirk.empty()) throw Skip{"quirk " + quirk};
    return discrete(table, options);
  }
  const ScheduleSettings settings{c.at("num_steps").get<int>() - 1, c.at("schedule_rho").get<double>(),
                                  c.at("sigma_min").get<double>(), c.at("sigma_max").get<double>()};
  if (type == "polynomial" || type == "time_uniform") return make_schedule(type, settings);
  if (type == "logsnr") {
    ScheduleSettings without = settings;
    without.rho.reset();
    return make_schedule(type, without);
  }
  throw Skip{"schedule " + type};
}

/// The recorded solver names are those of the published code.
template <State X>
AnySolver<X> solver_of(const json& c) {
  const std::string name = c.at("solver");
  const json& p = c.at("params");
  const std::string quirk = c.contains("quirk") && c.at("quirk").is_string() ? c.at("quirk").get<std::string>() : "";
  SolverSettings s;
  if (name == "euler" || name == "heun") return make_solver<X>(name);
  if (name == "dpm") {
    s.ratio = p.at("r").get<double>();
    return make_solver<X>("dpm2", s);
  }
  if (name == "ipndm") {
    s.order = p.at("max_order").get<int>();
    return make_solver<X>("ipndm", s);
  }
  if (name == "dpmpp")  // the recorded third order is the published one
    return compat::Dpmpp{{.order = p.at("max_order").get<int>(),
                          .target = p.at("predict_x0").get<bool>() ? Target::denoised : Target::slope,
                          .lower_order_final = p.at("lower_order_final").get<bool>()}};
  if (p.contains("max_order")) s.order = p.at("max_order").get<int>();
  if (name == "ipndm_v") {
    if (quirk == "ipndm_v_coeffs") return compat::IpndmV{*s.order};
    if (quirk.empty()) return make_solver<X>("ipndm_v", s);
  }
  if (name == "deis") {
    if (quirk == "deis_rhoab_stale") return compat::DeisStale{};
    if (p.at("deis_mode") == "tab") return compat::DeisTime{*s.order};
    if (quirk.empty() || quirk == "deis_rhoab_order") return make_solver<X>("ipndm_v", s);
  }
  if (name == "unipc") {
    const UniPc solver{*s.order, p.at("variant") == "bh1" ? UniB::bh1 : UniB::bh2,
                       p.at("predict_x0").get<bool>() ? Target::denoised : Target::slope,
                       p.at("lower_order_final").get<bool>()};
    if (quirk == "unipc_extra_corrector") return compat::UniPc{solver};
    if (quirk.empty()) return solver;
  }
  throw Skip{"solver " + name + " " + quirk};
}

inline AmedNetwork network_of(const json& predictors, const std::string& name) {
  json p;
  for (const json& candidate : predictors.at("predictors"))
    if (candidate.at("name") == name) p = candidate;
  if (p.is_null()) throw std::runtime_error("no predictor " + name);
  const json& layers = p.at("layers");
  AmedNetwork n;
  if (layers.contains("fc_r")) n.ratio.emplace();
  if (layers.contains("fc_scale_dir")) n.direction_scale.emplace();
  if (layers.contains("fc_scale_time")) n.sigma_scale.emplace();
  n.direction_scale_range = p.at("scale_dir");
  n.sigma_scale_range = p.at("scale_time");
  n.frequencies = p.at("frequencies").get<std::vector<double>>();
  AmedNetwork::for_each_layer(n, [&](const std::string& layer_name, AmedNetwork::Layer& layer) {
    layer.weight = layers.at(layer_name).at("weight").at("data").get<std::vector<double>>();
    layer.bias = layers.at(layer_name).at("bias").at("data").get<std::vector<double>>();
  });
  return n;
}

/// Cases on tensors (golden_torch.cpp), in builds with LibTorch.
Outcome tensor_amed_case(const json& c, const json& problems, const json& predictors);
Outcome tensor_predictor_case(const json& c, const json& predictors);
Outcome training_case(const json& c, const json& problems, const json& predictors);

}  // namespace fewstep::golden
