// The recorded vectors of AMED on tensors in float64: predictors, samples (group C) and training (group D).
#include "support/golden.hpp"

#include <fewstep/fitting/teacher.hpp>
#include <fewstep/torch.hpp>
#include <fewstep/torch/amed_predictor.hpp>
#include <fewstep/torch/training.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::golden {

namespace {

using torch::Tensor;

Tensor tensor(const json& t) {
  return torch::tensor(t.at("data").get<std::vector<double>>(), torch::kFloat64)
      .view(t.at("shape").get<std::vector<std::int64_t>>());
}
std::vector<double> numbers(const Tensor& t) {
  const Tensor plain = t.detach().to(torch::kFloat64).contiguous();
  return {plain.data_ptr<double>(), plain.data_ptr<double>() + plain.numel()};
}
double difference(const Tensor& a, const json& b, double floor) {
  return golden::difference(numbers(a), b.at("data").get<std::vector<double>>(), floor);
}

/// The mixture's denoiser with the recorded stand-in for a bottleneck.
class Problem {
 public:
  Problem(const json& problems, const std::string& name) : exact_(mixture(problems, name)) {
    const json& f = problems.at("features").at(name);
    std::vector<Tensor> rows;
    for (const json& row : f.at("W")) rows.push_back(torch::tensor(row.get<std::vector<double>>(), torch::kFloat64));
    weight_ = torch::stack(rows);
    bias_ = torch::tensor(f.at("b").get<std::vector<double>>(), torch::kFloat64);
  }
  std::pair<Tensor, Tensor> operator()(const Tensor& x, const Tensor& sigma) const {
    const Tensor u = x.detach().flatten(1) / (1 + sigma.detach().square()).sqrt().reshape({-1, 1});
    return {exact_(x, sigma), torch::linear(u, weight_, bias_).tanh()};
  }

 private:
  TensorMixtureDenoiser exact_;
  Tensor weight_, bias_;
};

TensorAmedPredictor predictor_of(const json& predictors, const std::string& name) {
  return TensorAmedPredictor(network_of(predictors, name), torch::kFloat64);
}

/// A predictor whose answers, one per sample, are kept for their gradients.
struct Recorded {
  [[maybe_unused]] static constexpr bool per_sample = true;
  TensorAmedPredictor inner;
  Prediction<Tensor>* answers;
  std::int64_t batch;
  void operator()(const Step<Tensor>& n, const Tensor* features, Prediction<Tensor>& out) const {
    inner(n, features, out);
    for (Level<Tensor>* t : {&out.ratio, &out.direction_scale, &out.sigma_scale})
      if (t->per_sample()) {
        const Tensor each = t->each().expand({batch}).clone();
        each.retain_grad();
        *t = Level<Tensor>(each);
      }
    *answers = out;
  }
};

/// The solver around a predictor that a record means.
template <class P>
AnySolver<Tensor> plugged(const std::string& name, const json& c, const P& predictor) {
  if (name == "amed") return AmedSolver{predictor};
  if (name == "dpm") return DpmSolver2{predictor};
  return Amed{solver_of<Tensor>(c), predictor};
}

/// A training record in the terms of the others: name and parameters of its student or teacher.
json solver_record(const json& c, const std::string& role) {
  json p = {{"r", 0.5}, {"predict_x0", c.at("predict_x0")}, {"lower_order_final", c.at("lower_order_final")}};
  if (!c.at("max_order").is_null()) p["max_order"] = c.at("max_order");
  return {{"solver", c.at(role)}, {"params", p}};
}

}  // namespace

Outcome tensor_predictor_case(const json& c, const json& predictors) {
  const Tensor features = tensor(c.at("features"));
  const Level<Tensor> from(c.at("t_cur").get<double>()), to(c.at("t_next").get<double>());
  Prediction<Tensor> out;
  predictor_of(predictors, c.at("predictor"))(Step<Tensor>{from, to, 0, 1}, &features, out);
  Outcome o{0, c.at("tol"), {}, {}};
  for (const auto& [name, time] : {std::pair{"r", &out.ratio}, std::pair{"scale_dir", &out.direction_scale},
                                   std::pair{"scale_time", &out.sigma_scale}})
    if (c.at("outputs").contains(name)) {
      const auto recorded = c.at("outputs").at(name).get<std::vector<double>>();
      const Tensor got = algebra<Tensor>::native(*time, features).expand({features.size(0)});
      o.error = std::max(o.error, golden::difference(numbers(got), recorded, 1));
    }
  return o;
}

Outcome tensor_amed_case(const json& c, const json& problems, const json& predictors) {
  const Problem problem(problems, c.at("problem"));
  const Schedule schedule(c.at("t_steps").get<std::vector<double>>());
  Options options{.analytic_first_step = c.at("afs"), .final_denoise = c.at("denoise_to_zero"), .check = Check::off};
  if (c.at("params").value("dynamic_thresholding", false)) options.thresholding = Thresholding{};
  const Tensor x = tensor(c.at("latents")) * schedule[0];
  std::vector<Tensor> states{x};
  const auto result =
      integrate(plugged(c.at("solver"), c, predictor_of(predictors, c.at("predictor"))), problem, schedule, x, options,
                [&](const Snapshot<Tensor>& s) { states.push_back(s.x.clone()); });
  if (options.final_denoise) states.push_back(result.x);
  const torch::NoGradGuard no_grad;
  for (Tensor& s : states) algebra<Tensor>::release(s);
  Outcome o{difference(torch::stack(states), c.at("trajectory"), 1), c.at("tol"), {}, {}};
  if (result.evaluations != c.at("nfe").get<int>())
    o.error = infinity, o.note = "NFE " + std::to_string(result.evaluations);
  return o;
}

/// Every figure in units of its own tolerance.
Outcome training_case(const json& c, const json& problems, const json& predictors) {
  const Problem problem(problems, c.at("problem"));
  const Schedule schedule(c.at("t_steps").get<std::vector<double>>());
  Options options{.analytic_first_step = c.at("afs"), .check = Check::off};
  Options teacher_options{.check = Check::off};
  if (c.at("dynamic_thresholding").get<bool>()) options.thresholding = teacher_options.thresholding = Thresholding{};
  const std::string student = c.at("sampler_stu");
  const Restart restart = student == "ipndm" || student == "dpmpp" ? Restart::student : Restart::teacher;
  json fine = c;
  fine["num_steps"] = c.at("num_steps_teacher");
  const auto teacher_of = [&](const Tensor& x) {
    return record_teacher(solver_of<Tensor>(solver_record(c, "sampler_tea")), problem, schedule_of(fine, problems), x,
                          {.stride = c.at("M").get<std::size_t>() + 1, .run = teacher_options})
        .states;
  };
  std::vector<Tensor> starts;
  for (const json& z : c.at("latents")) starts.push_back(tensor(z) * schedule[0]);

  const json& tol = c.at("tol");
  Outcome o{0, 1, {}, {}};
  const auto note = [&](double error, const std::string& tolerance, const std::string& what) {
    const double units = error / tol.at(tolerance).get<double>();
    if (!(units <= o.error)) o.error = units, o.note = what;
  };

  // One pass with fixed weights: states, losses, and gradients of answers and parameters.
  const auto teacher = teacher_of(starts[0]);
  note(difference(torch::stack(at::TensorList(teacher).slice(1)), c.at("teacher"), 1), "state", "teacher");
  const TensorAmedPredictor fixed = predictor_of(predictors, c.at("predictor"));
  for (Tensor p : fixed.parameters()) p.requires_grad_();
  Prediction<Tensor> answers;
  const Recorded recorded{fixed, &answers, starts[0].size(0)};
  greedy_pass(plugged(student, solver_record(c, "sampler_stu"), recorded), problem, schedule, options, teacher, restart,
              [&](const GreedyStep& step) {
                const json& want = c.at("one_pass").at(step.index);
                const std::string at = "step " + std::to_string(step.index) + ": ";
                for (Tensor p : fixed.parameters()) p.mutable_grad() = Tensor();
                step.loss.backward();
                note(difference(step.before, want.at("tensor_in"), 1), "state", at + "start");
                note(difference(step.after, want.at("student_out"), 1), "state", at + "end");
                const double loss = step.loss.item<double>() * static_cast<double>(starts[0].size(0)),
                             recorded_loss = want.at("loss_sum");
                note(std::abs(loss - recorded_loss) / recorded_loss, "loss_rel", at + "loss");
                std::vector<double> got, expected;
                const auto compare = [&](const Tensor& g, const std::vector<double>& w) {
                  const auto n = g.defined() ? numbers(g) : std::vector<double>(w.size(), 0.);
                  got.insert(got.end(), n.begin(), n.end());
                  expected.insert(expected.end(), w.begin(), w.end());
                };
                const auto finish = [&](const std::string& what) {
                  double most = 0;
                  for (const double w : expected) most = std::max(most, std::abs(w));
                  double worst = got.size() == expected.size() ? 0 : infinity;
                  for (std::size_t i = 0; i < got.size() && worst < infinity; ++i)
                    worst = std::max(worst, std::abs(got[i] - expected[i]));
                  note(worst / most, "grad_rel_to_max", at + what);
                  got.clear(), expected.clear();
                };
                for (const auto& [name, time] :
                     {std::pair{"grad_r", &answers.ratio}, std::pair{"grad_scale_dir", &answers.direction_scale},
                      std::pair{"grad_scale_time", &answers.sigma_scale}})
                  if (!want.at(name).is_null()) {
                    compare(time->each().grad(), want.at(name).get<std::vector<double>>());
                    finish(name);
                  }
                std::size_t k = 0;
                AmedNetwork shape = fixed.network();
                AmedNetwork::for_each_layer(shape, [&](const std::string& layer, AmedNetwork::Layer&) {
                  for (const char* part : {"weight", "bias"})
                    compare(fixed.parameters()[k++].grad(),
                            want.at("grads").at(layer).at(part).at("data").get<std::vector<double>>());
                });
                finish("gradients");
              });

  // Three batches of training.
  const TensorAmedPredictor trained = predictor_of(predictors, c.at("predictor"));
  const json& adam = c.at("adam");
  PublishedAdam optimizer(trained.parameters(), adam.at("lr"));
  const AnySolver<Tensor> solver = plugged(student, solver_record(c, "sampler_stu"), trained);
  for (std::size_t batch = 0; batch < starts.size(); ++batch) {
    const json& want = adam.at("iterations").at(batch);
    greedy_pass(solver, problem, schedule, options, teacher_of(starts[batch]), restart, [&](const GreedyStep& step) {
      const double loss = step.loss.item<double>() * static_cast<double>(starts[batch].size(0)),
                   recorded_loss = want.at("losses").at(step.index);
      note(std::abs(loss - recorded_loss) / recorded_loss, "loss_rel", "training loss");
      optimizer.step(step.loss);
    });
    std::size_t k = 0;
    AmedNetwork shape = trained.network();
    AmedNetwork::for_each_layer(shape, [&](const std::string& layer, AmedNetwork::Layer&) {
      for (const char* part : {"weight", "bias"}) {
        const Tensor error =
            (trained.parameters()[k++].detach() - tensor(want.at("params").at(layer).at(part))).abs().max();
        note(error.item<double>(), "params_abs", "parameters after batch " + std::to_string(batch));
      }
    });
  }
  return o;
}

}  // namespace fewstep::golden
