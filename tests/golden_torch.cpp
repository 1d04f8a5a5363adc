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

/// A predictor whose outputs, one per sample, are kept with their gradients.
struct Recorded {
  [[maybe_unused]] static constexpr bool per_sample = true;
  TensorAmedPredictor inner;
  Prediction<Tensor>* outputs;
  std::int64_t batch;
  void operator()(const Step<Tensor>& n, const Tensor* features, Prediction<Tensor>& out) const {
    inner(n, features, out);
    for (Level<Tensor>* t : {&out.ratio, &out.direction_scale, &out.sigma_scale})
      if (t->per_sample()) {
        const Tensor each = t->each().expand({batch}).clone();
        each.retain_grad();
        *t = Level<Tensor>(each);
      }
    *outputs = out;
  }
};

/// The recorded solver with a predictor.
template <class P>
AnySolver<Tensor> plugged(const std::string& name, const json& c, const P& predictor) {
  if (name == "amed") return AmedSolver{predictor};
  if (name == "dpm") return DpmSolver2{predictor};
  return Amed{solver_of<Tensor>(c), predictor};
}

/// The name and parameters of a training record's student or teacher, in the form of other records.
json solver_record(const json& c, const std::string& role) {
  json p = {{"r", 0.5}, {"predict_x0", c.at("predict_x0")}, {"lower_order_final", c.at("lower_order_final")}};
  if (!c.at("max_order").is_null()) p["max_order"] = c.at("max_order");
  return {{"solver", c.at(role)}, {"params", p}};
}

/// Compares a training record: one pass with fixed weights, then three batches of training.
class TrainingCase {
 public:
  TrainingCase(const json& c, const json& problems, const json& predictors)
      : c_(c),
        problems_(problems),
        predictors_(predictors),
        problem_(problems, c.at("problem")),
        schedule_(c.at("t_steps").get<std::vector<double>>()),
        options_{.analytic_first_step = c.at("afs"), .check = Check::off} {
    if (c.at("dynamic_thresholding").get<bool>())
      options_.thresholding = teacher_options_.thresholding = Thresholding{};
    for (const json& z : c.at("latents")) starts_.push_back(tensor(z) * schedule_[0]);
  }

  /// @return the largest error, in units of its own tolerance
  Outcome compared() {
    one_pass();
    training();
    return outcome_;
  }

 private:
  void note(double error, const std::string& tolerance, const std::string& what) {
    const double units = error / c_.at("tol").at(tolerance).get<double>();
    if (units <= outcome_.error) return;
    outcome_.error = units;  // also if it is NaN
    outcome_.note = what;
  }

  void note_loss(const GreedyStep& step, const Tensor& start, const json& recorded, const std::string& what) {
    const double loss = step.loss.item<double>() * static_cast<double>(start.size(0)), expected = recorded;
    note(std::abs(loss - expected) / expected, "loss_rel", what);
  }

  std::vector<Tensor> teacher_states(const Tensor& x) const {
    json fine = c_;
    fine["num_steps"] = c_.at("num_steps_teacher");
    return record_teacher(solver_of<Tensor>(solver_record(c_, "sampler_tea")), problem_, schedule_of(fine, problems_),
                          x, {.stride = c_.at("M").get<std::size_t>() + 1, .run = teacher_options_})
        .states;
  }

  /// One pass of a student with this predictor.
  template <class P, class OnStep>
  void pass(const P& predictor, const std::vector<Tensor>& teacher, OnStep on_step) const {
    const std::string student = c_.at("sampler_stu");
    const Restart restart = student == "ipndm" || student == "dpmpp" ? Restart::student : Restart::teacher;
    greedy_pass(plugged(student, solver_record(c_, "sampler_stu"), predictor), problem_, schedule_, options_, teacher,
                restart, on_step);
  }

  /// Calls f(layer, part, parameter) for the weight and bias of each layer.
  template <class F>
  static void for_each_parameter(const TensorAmedPredictor& predictor, F f) {
    const std::vector<Tensor> parameters = predictor.parameters();
    std::size_t k = 0;
    AmedNetwork shape = predictor.network();
    AmedNetwork::for_each_layer(shape, [&](const std::string& layer, AmedNetwork::Layer&) {
      for (const char* part : {"weight", "bias"}) f(layer, part, parameters[k++]);
    });
  }

  /// States, losses, and gradients of the predictor's outputs and parameters.
  void one_pass() {
    const std::vector<Tensor> teacher = teacher_states(starts_[0]);
    note(difference(torch::stack(at::TensorList(teacher).slice(1)), c_.at("teacher"), 1), "state", "teacher");
    const TensorAmedPredictor fixed = predictor_of(predictors_, c_.at("predictor"));
    for (Tensor p : fixed.parameters()) p.requires_grad_();
    Prediction<Tensor> outputs;
    pass(Recorded{fixed, &outputs, starts_[0].size(0)}, teacher, [&](const GreedyStep& step) {
      const json& want = c_.at("one_pass").at(step.index);
      const std::string at = "step " + std::to_string(step.index) + ": ";
      for (Tensor p : fixed.parameters()) p.mutable_grad() = Tensor();
      step.loss.backward();
      note(difference(step.left_state, want.at("tensor_in"), 1), "state", at + "start");
      note(difference(step.right_state, want.at("student_out"), 1), "state", at + "end");
      note_loss(step, starts_[0], want.at("loss_sum"), at + "loss");
      compare_output_gradients(outputs, want, at);
      compare_parameter_gradients(fixed, want, at);
    });
  }

  /// A tensor's gradient; zeros if the loss does not depend on it.
  static std::vector<double> gradient(const Tensor& t, std::size_t size) {
    return t.grad().defined() ? numbers(t.grad()) : std::vector<double>(size, 0.);
  }

  /// Compares gradients, relative to the largest.
  void compare_gradients(const std::vector<double>& got, const std::vector<double>& expected, const std::string& what) {
    double largest = 0;
    for (const double g : expected) largest = std::max(largest, std::abs(g));
    note(golden::difference(got, expected, largest), "grad_rel_to_max", what);
  }

  void compare_output_gradients(const Prediction<Tensor>& outputs, const json& want, const std::string& at) {
    for (const auto& [name, output] :
         {std::pair{"grad_r", &outputs.ratio}, std::pair{"grad_scale_dir", &outputs.direction_scale},
          std::pair{"grad_scale_time", &outputs.sigma_scale}})
      if (!want.at(name).is_null()) {
        const auto recorded = want.at(name).get<std::vector<double>>();
        compare_gradients(gradient(output->each(), recorded.size()), recorded, at + name);
      }
  }

  void compare_parameter_gradients(const TensorAmedPredictor& predictor, const json& want, const std::string& at) {
    std::vector<double> got, expected;
    for_each_parameter(predictor, [&](const std::string& layer, const char* part, const Tensor& parameter) {
      const auto recorded = want.at("grads").at(layer).at(part).at("data").get<std::vector<double>>();
      const std::vector<double> own = gradient(parameter, recorded.size());
      got.insert(got.end(), own.begin(), own.end());
      expected.insert(expected.end(), recorded.begin(), recorded.end());
    });
    compare_gradients(got, expected, at + "gradients");
  }

  /// Losses, and parameters after each batch.
  void training() {
    const TensorAmedPredictor trained = predictor_of(predictors_, c_.at("predictor"));
    const json& adam = c_.at("adam");
    PublishedAdam optimizer(trained.parameters(), adam.at("lr"));
    for (std::size_t batch = 0; batch < starts_.size(); ++batch) {
      const json& want = adam.at("iterations").at(batch);
      pass(trained, teacher_states(starts_[batch]), [&](const GreedyStep& step) {
        note_loss(step, starts_[batch], want.at("losses").at(step.index), "training loss");
        optimizer.step(step.loss);
      });
      for_each_parameter(trained, [&](const std::string& layer, const char* part, const Tensor& parameter) {
        const Tensor error = (parameter.detach() - tensor(want.at("params").at(layer).at(part))).abs().max();
        note(error.item<double>(), "params_abs", "parameters after batch " + std::to_string(batch));
      });
    }
  }

  const json &c_, &problems_, &predictors_;
  Problem problem_;
  Schedule schedule_;
  Options options_, teacher_options_{.check = Check::off};
  std::vector<Tensor> starts_;
  Outcome outcome_{0, 1, {}, {}};
};

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
  if (result.evaluations != c.at("nfe").get<int>()) {
    o.error = infinity;
    o.note = "NFE " + std::to_string(result.evaluations);
  }
  return o;
}

Outcome training_case(const json& c, const json& problems, const json& predictors) {
  return TrainingCase(c, problems, predictors).compared();
}

}  // namespace fewstep::golden
