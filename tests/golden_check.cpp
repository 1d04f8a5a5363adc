// golden_check DIR [--groups A,B] [--solvers euler,...] [--require-all] [--dump FILE]: recomputes the recorded vectors
// of DIR (golden/README.md) and compares. The last line is `total: C cases, P passed, S skipped, F failed`.
#include "support/golden.hpp"

#include <fewstep/eigen.hpp>
#include <fewstep/fitting/gits.hpp>
#include <fewstep/io/atomic_write.hpp>
#include <fewstep/io/diffusers.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace fewstep;
using namespace fewstep::golden;
using X = Eigen::ArrayXXd;  // one column per sample: the rows of a [B, ...] tensor, transposed
namespace fs = std::filesystem;

struct Tally {
  int cases = 0, passed = 0, skipped = 0;
  double worst = 0;
  std::set<std::string> reasons;
};

json read_json(const fs::path& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path.string() + ": cannot be read");
  return json::parse(file);
}

X columns(const json& tensor) {
  const auto data = tensor.at("data").get<std::vector<double>>();
  const auto batch = tensor.at("shape").at(0).get<Eigen::Index>();
  return Eigen::Map<const X>(data.data(), static_cast<Eigen::Index>(data.size()) / batch, batch);
}

/// Stands for the bottleneck of a U-Net: tanh(W x / sqrt(1 + sigma^2) + b), where the problem has one.
class Bottleneck {
 public:
  Bottleneck(const json& problems, const std::string& name) {
    const json f = problems.at("features").value(name, json());
    if (f.is_null()) return;
    bias_ = f.at("b").get<std::vector<double>>();
    for (const json& row : f.at("W")) weight_.push_back(row.get<std::vector<double>>());
  }
  void operator()(const X& x, const Level<X>& sigma, X& out) const {
    out.resize(static_cast<Eigen::Index>(bias_.size()), x.cols());
    for (Eigen::Index b = 0; b < x.cols(); ++b)
      for (std::size_t i = 0; i < bias_.size(); ++i) {
        const Eigen::Map<const Eigen::ArrayXd> row(weight_[i].data(), x.rows());
        out(static_cast<Eigen::Index>(i), b) =
            std::tanh((row * x.col(b)).sum() / std::sqrt(1 + sigma[b] * sigma[b]) + bias_[i]);
      }
  }

 private:
  std::vector<std::vector<double>> weight_;
  std::vector<double> bias_;
};

Outcome schedule_case(const json& c, const json& problems) {
  const Schedule schedule = schedule_of(c, problems);
  Outcome o;
  o.tolerance = c.at("rtol");
  o.error = difference(schedule.levels(), c.at("t_steps").get<std::vector<double>>(), 0);
  o.dump = {{"shape", {schedule.size()}}, {"data", schedule.levels()}};
  return o;
}

/// sigma(t) and its inverse at recorded points.
Outcome grid_case(const json& g, const json& problems) {
  const NoiseTable table = table_of(problems, g.at("grid"));
  std::vector<double> computed, recorded = g.at("sigma_of_t").get<std::vector<double>>();
  for (const double t : g.at("t")) computed.push_back(table.sigma(t));
  for (const double s : g.at("sigma")) computed.push_back(table.time(s));
  for (const double t : g.at("t_of_sigma")) recorded.push_back(t);
  return {difference(computed, recorded, 0), g.at("rtol"), {{"shape", {computed.size()}}, {"data", computed}}, {}};
}

/// Compares a run with a record: the part that is common to solvers with and without a predictor.
Outcome trajectory_case(const json& c, const json& problems, const AnySolver<X>& solver) {
  const MixtureDenoiser exact(mixture(problems, c.at("problem")));
  const Bottleneck bottleneck(problems, c.at("problem"));
  const Schedule schedule(c.at("t_steps").get<std::vector<double>>());
  Options options{.analytic_first_step = c.at("afs"), .final_denoise = c.at("denoise_to_zero"), .check = Check::off};
  if (c.at("params").value("dynamic_thresholding", false)) options.thresholding = Thresholding{};

  std::vector<double> levels, states;
  const auto denoise = [&](const X& x, const Level<X>& sigma, X& out, X& features) {
    for (Eigen::Index b = 0; b < x.cols(); ++b) levels.push_back(sigma[b]);
    exact(x, sigma, out);
    bottleneck(x, sigma, features);
  };
  const auto keep = [&](const X& x) { states.insert(states.end(), x.data(), x.data() + x.size()); };
  // Between the ends UniPC's records have corrected states, while a run has predicted ones.
  const bool ends_alone = c.at("solver") == "unipc";
  X x = columns(c.at("latents")) * schedule[0];
  keep(x);
  const auto result = integrate(solver, denoise, schedule, x, options, [&](const Snapshot<X>& s) {
    if (!ends_alone || s.index + 1 == s.count) keep(s.x);
  });
  if (options.final_denoise) keep(result.x);

  std::vector<double> recorded;  // one level per sample and call, where a record has one per call
  const auto record = [&](const std::vector<double>& call) {
    for (Eigen::Index b = 0; b < x.cols(); ++b)
      recorded.push_back(call[call.size() == 1 ? 0 : static_cast<std::size_t>(b)]);
  };
  if (c.contains("eval_sigmas"))
    for (const double s : c.at("eval_sigmas")) record({s});
  else
    for (const json& e : c.at("evals")) record(e.at("sigma").get<std::vector<double>>());

  Outcome o;
  o.tolerance = c.at("tol");
  auto trajectory = c.at("trajectory").at("data").get<std::vector<double>>();
  if (ends_alone)
    trajectory.erase(trajectory.begin() + x.size(), trajectory.end() - (options.final_denoise ? 2 : 1) * x.size());
  o.error = difference(states, trajectory, 1);
  o.dump = {{"shape", c.at("trajectory").at("shape")}, {"data", states}};
  const int nfe = c.at("nfe");
  if (result.evaluations != nfe || evaluations(solver, schedule, options) != nfe) {
    o.error = infinity;
    o.note = "NFE " + std::to_string(result.evaluations) + " instead of " + std::to_string(nfe);
  } else if (!(difference(levels, recorded, 0) <= (c.contains("evals") ? o.tolerance : 1e-12))) {
    o.error = infinity;
    o.note = "evaluated at other levels";
  }
  return o;
}

Outcome solver_case(const json& c, const json& problems) { return trajectory_case(c, problems, solver_of<X>(c)); }

/// A teacher's trajectories, with and without an analytic first step, their costs, and the schedules selected by cost.
Outcome gits_case(const json& c, const json& problems) {
  const MixtureDenoiser exact(mixture(problems, c.at("problem")));
  const Schedule schedule(c.at("t_steps").get<std::vector<double>>());
  json solver{{"solver", c.at("solver_tea")}, {"params", c}};
  solver["params"]["r"] = 0.5;
  Outcome o;
  o.tolerance = 1;  // errors are in units of the recorded tolerances
  o.dump = json::array();
  const auto check = [&](double error, const json& tolerance, const std::string& what) {
    const double relative = error / tolerance.get<double>();
    if (relative <= o.error) return;
    o.error = relative;  // also if it is NaN
    o.note = what;
  };
  const std::pair<const char*, GitsCost> costs[] = {
      {"dev", GitsCost::deviation}, {"l1", GitsCost::l1}, {"l2", GitsCost::l2}};
  for (const json& recorded : c.at("teacher_runs")) {
    const bool afs = recorded.at("afs");
    const Options options{.analytic_first_step = afs, .check = Check::off};
    std::vector<TeacherTrajectory<X>> made;
    for (std::size_t k = 0; k < c.at("latents").size(); ++k) {
      made.push_back(record_teacher_with_slopes(solver_of<X>(solver), exact, schedule,
                                                X(columns(c.at("latents")[k]) * schedule[0]), {.run = options}));
      for (const auto& [name, states] :
           {std::pair{"trajectory", &made.back().states}, std::pair{"directions", &made.back().slopes}}) {
        std::vector<double> numbers;
        for (const X& x : *states) numbers.insert(numbers.end(), x.data(), x.data() + x.size());
        check(difference(numbers, recorded.at(name)[k].at("data").get<std::vector<double>>(), 1),
              c.at("tol").at("state"), name);
      }
    }
    std::map<std::string, std::vector<std::vector<double>>> matrices;
    for (const auto& [name, kind] : costs) {
      if (!recorded.at("cost_matrix").contains(name)) continue;
      matrices[name] = gits_costs(made, schedule, kind);
      std::vector<double> flat;
      for (const auto& row : matrices[name]) flat.insert(flat.end(), row.begin(), row.end());
      const auto want = recorded.at("cost_matrix").at(name).at("data").get<std::vector<double>>();
      double largest = 0;
      for (const double w : want) largest = std::max(largest, std::abs(w));
      check(difference(flat, want, largest), c.at("tol").at("cost_rel_to_max"), std::string("cost ") + name);
      o.dump.push_back(flat);
    }
    for (const json& s : c.at("selections")) {
      if (s.at("afs") != afs) continue;
      const int steps = s.at("num_steps").get<int>() - 1;
      const auto path = gits_path(matrices.at(s.at("metric")), steps, s.at("coeff"));
      std::string what = "selection " + s.at("metric").get<std::string>() + " " + std::to_string(steps);
      if (path != s.at("dp_list_before_afs").get<std::vector<std::size_t>>()) check(infinity, 1., what);
      std::vector<double> levels;
      for (const std::size_t i : path) levels.push_back(schedule[i]);
      if (afs) {
        json student{{"solver", s.at("solver")}, {"params", c}};
        student["params"]["r"] = 0.5;
        levels = gits_insertion(made.back(), exact, schedule, path, solver_of<X>(student)).levels();
      }
      check(difference(levels, s.at("t_steps").get<std::vector<double>>(), 0), 1e-12, what);
    }
  }
  return o;
}

/// The factor alpha of a diffusers scheduler whose state is alpha x; 1 for the others.
double alpha_of(const std::string& kind, bool flow, double sigma) {
  for (const char* scaled : {"DPM", "UniPC", "DEIS", "DDIM", "IPNDM"})
    if (kind.starts_with(scaled)) return flow ? 1 / (1 + sigma) : 1 / std::sqrt(1 + sigma * sigma);
  return 1;
}

/// A diffusers scheduler by its configuration. Its state is alpha x where this library's is x, and the entries of Heun
/// and KDPM2 are half steps.
Outcome diffusers_case(const json& c, const json& problems) {
  const MixtureDenoiser exact(mixture(problems, c.at("problem")));
  json config = c.at("config");
  const std::string kind = config["_class_name"] = c.at("scheduler");
  const json& timesteps = c.at("set_timesteps");
  const auto sigmas = timesteps.value("sigmas", std::vector<double>());
  const int steps = timesteps.value("num_inference_steps", static_cast<int>(sigmas.size()));
  io::SetTimesteps call{.num_inference_steps = steps, .sigmas = sigmas, .single = false};  // recorded in double
  if (timesteps.contains("mu")) call.mu = timesteps.at("mu").get<double>();
  const auto made = io::from_diffusers<X>(config, call);

  const bool flow = config.value("use_flow_sigmas", false),
             halves = kind.starts_with("Heun") || kind.starts_with("KDPM2");
  const auto alpha = [&](double sigma) { return alpha_of(kind, flow, sigma); };
  std::vector<double> levels, states, recorded_levels, recorded;
  const auto denoise = [&](const X& x, const Level<X>& sigma, X& out) {
    levels.push_back(sigma.value());
    if (!made.native_flow) return exact(x, sigma, out);
    const double t = (std::min)(sigma.value(), 1 - 1e-15);  // at t = 1, x / (1 - t) is not finite
    exact(X(x / (1 - t)), Level<X>(t / (1 - t)), out);
  };
  const auto keep = [&](const X& x, double level) {
    const X sample = alpha(level) * x;
    states.insert(states.end(), sample.data(), sample.data() + sample.size());
  };
  const bool from_noise = kind == "IPNDMScheduler";
  const X x0 = columns(c.at("initial_sample")) * (from_noise ? made.start_scale : 1 / alpha(made.schedule[0]));
  const auto result =
      integrate(made.solver, denoise, made.schedule, x0, made.options, [&](const Snapshot<X>& s) { keep(s.x, s.to); });

  const json& calls = c.at("model_calls");
  const std::size_t idle_first = made.options.analytic_first_step ? 1 : 0;
  for (std::size_t i = idle_first; i < idle_first + levels.size() && i < calls.size(); ++i) {
    const double a = calls[i].at("alpha"), s = calls[i].at("sigma");
    recorded_levels.push_back(made.native_flow ? s : a > 0 ? s / a : made.schedule[0]);
  }
  const auto trajectory = c.at("trajectory").at("data").get<std::vector<double>>();
  const auto size = static_cast<std::size_t>(x0.size());
  for (std::size_t i = 0; i < result.steps; ++i) {
    const std::size_t entry = !halves ? i : (std::min)(2 * i + 1, trajectory.size() / size - 1);
    recorded.insert(recorded.end(), trajectory.begin() + static_cast<std::ptrdiff_t>(entry * size),
                    trajectory.begin() + static_cast<std::ptrdiff_t>((entry + 1) * size));
  }
  const auto output = c.at("output").at("data").get<std::vector<double>>();
  Outcome o;
  o.tolerance = c.at("tol");
  o.error = difference(states, recorded, 1);
  o.dump = {{"shape", {result.steps, size}}, {"data", states}};
  const auto fail = [&](const std::string& note) {
    o.error = infinity;
    o.note = note;
  };
  if (!(difference({states.end() - static_cast<std::ptrdiff_t>(size), states.end()}, output, 1) <= o.tolerance))
    fail("another end " + std::to_string(difference(states, recorded, 1)));
  if (result.evaluations + made.idle_evaluations != c.at("nfe").get<int>())
    fail("NFE " + std::to_string(result.evaluations) + " and " + std::to_string(made.idle_evaluations) + " idle");
  else if (!(difference(levels, recorded_levels, 0) <= 1e-9)) fail("evaluated at other levels");
  return o;
}

Outcome predictor_case(const json& c, const json& predictors) {
  const AmedPredictor predictor(network_of(predictors, c.at("predictor")));
  const Level<X> from(c.at("t_cur").get<double>()), to(c.at("t_next").get<double>());
  const X features = columns(c.at("features"));
  Prediction<X> out;
  predictor(Step<X>{from, to, 0, 1}, &features, out);
  std::vector<double> computed, recorded;
  for (const auto& [name, time] : {std::pair{"r", &out.ratio}, std::pair{"scale_dir", &out.direction_scale},
                                   std::pair{"scale_time", &out.sigma_scale}})
    if (c.at("outputs").contains(name))
      for (const double v : c.at("outputs").at(name)) {
        recorded.push_back(v);
        computed.push_back((*time)[static_cast<Eigen::Index>(computed.size()) % features.cols()]);
      }
  return {difference(computed, recorded, 1), c.at("tol"), {{"shape", {computed.size()}}, {"data", computed}}, {}};
}

/// The recorded names are those of the solver inside; direction and sigma scales are checked by the states they give.
Outcome amed_case(const json& c, const json& problems, const json& predictors) {
  const AmedPredictor p(network_of(predictors, c.at("predictor")));
  const std::string name = c.at("solver");
  if (name == "amed") return trajectory_case(c, problems, AmedSolver{p});
  if (name == "dpm") return trajectory_case(c, problems, DpmSolver2{p});
  return trajectory_case(c, problems, Amed{solver_of<X>(c), p});
}

#ifdef FEWSTEP_TORCH
/// The outcome of the backend with the larger error.
Outcome worse(Outcome eigen, const Outcome& tensor) {
  if (tensor.error <= eigen.error) return eigen;
  eigen.error = tensor.error;
  eigen.note = "(tensors) " + tensor.note;
  return eigen;
}
#endif

struct Settings {
  std::string dir, dump_file;
  std::vector<std::string> groups{"A", "B"}, solvers;
  bool require_all = false;
};

/// Runs the cases of all groups, prints failures, and counts.
class Checker {
 public:
  explicit Checker(const Settings& s) : s_(s), problems_(read("problems")) {}

  void check(const std::string& group) {
    const std::map<std::string, std::string> files{{"A", "schedules"}, {"B", "solvers"}, {"C", "amed_solvers"},
                                                   {"D", "training"},  {"E", "gits"},    {"F", "diffusers"}};
    const json records = read(files.at(group));
    if (group == "C" || group == "D") predictors_ = read("predictors");
    for (const json& c : records.at("cases")) {
      const std::string row = row_of(group, c);
      const bool by_solver = group == "B" || group == "C" || group == "D";
      const bool wanted =
          s_.solvers.empty() || std::find(s_.solvers.begin(), s_.solvers.end(), row) != s_.solvers.end();
      if (!by_solver || wanted) run(group + " " + row, c.at("name"), [&] { return outcome(group, c); });
    }
    if (group == "C") {
      const json outputs = read("predictor_outputs");
      for (const json& c : outputs.at("cases")) run("C predictor", c.at("name"), [&] { return predictor_outcome(c); });
    }
    for (const json& g : records.value("grid_functions", json::array()))
      run(group + " grid functions", "A-grid-" + g.at("grid").get<std::string>(),
          [&] { return grid_case(g, problems_); });
  }

  /// Prints a line per row and the totals.
  /// @return whether no case failed, and there was one
  bool report() const {
    Tally total;
    std::printf("%-20s %6s %7s %8s %12s\n", "group solver", "cases", "passed", "skipped", "worst error");
    for (const auto& [name, t] : tallies_) {
      std::printf("%-20s %6d %7d %8d %12.2e", name.c_str(), t.cases, t.passed, t.skipped, t.worst);
      for (const std::string& reason : t.reasons) std::printf("  [%s not offered]", reason.c_str());
      std::printf("\n");
      total.cases += t.cases;
      total.passed += t.passed;
      total.skipped += t.skipped;
    }
    const int skipped = s_.require_all ? 0 : total.skipped, failed = total.cases - total.passed - skipped;
    std::printf("total: %d cases, %d passed, %d skipped, %d failed\n", total.cases, total.passed, skipped, failed);
    return failed == 0 && total.cases > 0;
  }

  /// What was computed, by the name of the case; empty without --dump.
  const json& dump() const { return dump_; }

 private:
  json read(const std::string& name) const { return read_json(fs::path(s_.dir) / (name + ".json")); }

  static std::string row_of(const std::string& group, const json& c) {
    if (group == "A") return c.at("schedule_type");
    if (group == "E") return c.at("solver_tea");
    if (group == "F") return c.at("scheduler");
    return c.value(group == "D" ? "sampler_stu" : "solver", std::string());
  }

  template <class Compute>
  void run(const std::string& row, const std::string& name, Compute compute) {
    Tally& tally = tallies_[row];
    ++tally.cases;
    try {
      const Outcome o = compute();
      tally.worst = std::max(tally.worst, o.error);
      if (!s_.dump_file.empty()) dump_[name] = o.dump;
      if (o.error <= o.tolerance) ++tally.passed;
      else std::printf("FAIL %s: error %.3g, tolerance %.3g %s\n", name.c_str(), o.error, o.tolerance, o.note.c_str());
    } catch (const Skip& skip) {
      ++tally.skipped;
      tally.reasons.insert(skip.reason);
    } catch (const std::exception& error) {
      tally.worst = infinity;
      std::printf("FAIL %s: %s\n", name.c_str(), error.what());
    }
  }

  Outcome outcome(const std::string& group, const json& c) const {
    if (group == "A") return schedule_case(c, problems_);
    if (group == "B") return solver_case(c, problems_);
    if (group == "E") return gits_case(c, problems_);
    if (group == "F") return diffusers_case(c, problems_);
#ifdef FEWSTEP_TORCH
    if (group == "D") return training_case(c, problems_, predictors_);
    return worse(amed_case(c, problems_, predictors_), tensor_amed_case(c, problems_, predictors_));
#else
    if (group == "D") throw Skip{"LibTorch"};
    return amed_case(c, problems_, predictors_);
#endif
  }

  Outcome predictor_outcome(const json& c) const {
#ifdef FEWSTEP_TORCH
    return worse(predictor_case(c, predictors_), tensor_predictor_case(c, predictors_));
#else
    return predictor_case(c, predictors_);
#endif
  }

  Settings s_;
  json problems_, predictors_, dump_ = json::object();
  std::map<std::string, Tally> tallies_;  // by group and row
};

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CLI::App app{"Compares this library with recorded vectors."};
  app.add_option("DIR", s.dir, "folder of the vectors")->required()->check(CLI::ExistingDirectory);
  app.add_option("--groups", s.groups, "groups to check")
      ->delimiter(',')
      ->check(CLI::IsMember({"A", "B", "C", "D", "E", "F"}));
  app.add_option("--solvers", s.solvers, "only these, by their recorded names")->delimiter(',');
  app.add_flag("--require-all", s.require_all, "a skipped case is a failure");
  app.add_option("--dump", s.dump_file, "write what was computed, as JSON");
  CLI11_PARSE(app, argc, argv);
  try {
    Checker checker(s);
    for (const std::string& group : s.groups) checker.check(group);
    if (!s.dump_file.empty()) io::atomic_write(s.dump_file, [&](std::ostream& out) { out << checker.dump(); });
    return checker.report() ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "golden_check: %s\n", error.what());
    return 1;
  }
}
