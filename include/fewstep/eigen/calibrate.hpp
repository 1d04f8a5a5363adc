// A solver's numbers fitted to a model and a number of evaluations, without gradients: the model is only ever called.
#pragma once

#include "../run.hpp"
#include "../solvers/heun.hpp"
#include "../tabulate.hpp"

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace fewstep {

struct CalibrationOptions {
  /// The share of trajectories that are never fitted to, and decide.
  double held_out = 0.25;
  /// Added to the diagonal of the normalised Gram matrix of each step.
  double ridge = 1e-6;
  /// How many slopes a step may use at most; 0: all there are.
  std::size_t history = 0;
  /// Gauss-Newton iterations on where trajectories end, after the steps have been fitted one by one.
  int iterations = 5;
  /// The first slope is x / sqrt(1 + sigma^2), for free: run the table with the same option.
  bool analytic_first_step = true;
  /// Steps of the teacher, Heun's method, in each of the table's.
  int teacher_steps = 6;
  /// Called before each stage and iteration: what was reached so far. False stops with that.
  std::function<bool(const std::string& stage, double held_out_rms)> report = {};
};

/// A fitted table, and how far its ends are from the teacher's on held-out trajectories: the root mean square of the distances.
struct Calibration {
  Table table;
  double before, steps_fitted, after;    // of the solver it started from, after the first stage, in the end
  int teacher_evaluations;               // of the model, per trajectory; the first stage takes one per row
};

namespace detail {

/// Each interval in `parts`, evenly in the seventh root (Karras et al. 2022).
inline Schedule refined(const Schedule& schedule, int parts) {
  std::vector<double> levels{schedule[0]};
  for (std::size_t i = 0; i < schedule.steps(); ++i) {
    const double a = std::pow(schedule[i], 1. / 7), b = std::pow(schedule[i + 1], 1. / 7);
    for (int k = 1; k < parts; ++k) levels.push_back(std::pow(a + (b - a) * k / parts, 7));
    levels.push_back(schedule[i + 1]);
  }
  return Schedule(levels);
}

template <State X>
X copied(const X& x) {
  X y = algebra<X>::like(x);
  copy(y, x);
  return y;
}
template <State X>
void add(X& x, double a, const X& y) {
  combine(x, std::tuple<>{}, [a] { return std::tuple{unit, a}; }, x, y);
}
template <State X>
X difference(const X& a, const X& b) {
  X y = copied(a);
  add(y, -1, b);
  return y;
}

/// Fits a table of slopes to a teacher on batches of noise. Everything here works on what a run visits, so that a changed number costs
/// only the evaluations that come after it.
template <State X, class D>
class Calibrator {
 public:
  Calibrator(D& denoise, const Table& start, const std::vector<X>& noise, const CalibrationOptions& options)
      : denoise_(denoise), table_(start), options_(options) {
    table_.validate();
    require(table_.aim == Target::slope, "the table's target", "denoised", "slope");
    require(options.held_out > 0 && options.held_out < 1, "held_out", options.held_out, "numbers between 0 and 1");
    require(options.ridge >= 0, "ridge", options.ridge, "0 and positive numbers");
    require(options.teacher_steps >= 1, "teacher_steps", options.teacher_steps, "1 or more");
    const Schedule schedule = table_.schedule(), fine = refined(schedule, options.teacher_steps);
    std::size_t total = 0;
    for (const X& z : noise) {
      Batch b;
      b.states.push_back(algebra<X>::like(z));
      combine(b.states[0], std::tuple<>{}, [&] { return std::tuple{schedule[0]}; }, z);
      b.first = total;
      total += algebra<X>::dot(z, z).size();
      Run<X, D&, Heun> run(Heun{}, denoise_, fine, copied(b.states[0]), {.check = Check::off});
      while (run.advance())
        if (run.index() % static_cast<std::size_t>(options.teacher_steps) == 0) b.teacher.push_back(copied(run.x));
      require(algebra<X>::finite(b.teacher.back()), "the teacher's end", "not finite", "finite numbers");
      batches_.push_back(std::move(b));
    }
    fitted_ = total - static_cast<std::size_t>(std::llround(options.held_out * static_cast<double>(total)));
    require(fitted_ >= 2 && fitted_ < total, "the number of trajectories", total, "3 or more, of which some are held out");
    weight_.assign(total, 1.);
    if (options_.history == 0) options_.history = table_.rows.size();
  }

  Calibration run() {
    for (Batch& b : batches_) walk(table_, b, 0);
    Calibration result{table_, held_out(), 0, 0, 2 * options_.teacher_steps * static_cast<int>(table_.rows.size())};
    least_ = result.before;
    if (go_on("the solver to start from")) {
      const Table start = table_;
      fit_steps();
      if (!better()) {
        table_ = start;
        for (Batch& b : batches_) walk(table_, b, 0);
      }
    }
    result.steps_fitted = least_;
    result.table = table_;
    result.after = least_;
    double damping = 1e-2;
    for (int i = 0; i < options_.iterations && go_on("iteration " + std::to_string(i + 1)); ++i) {
      if (!iterate(damping)) break;
      least_ = held_out();
      if (least_ <= result.after) result.table = table_, result.after = least_;
    }
    return result;
  }

 private:
  struct Batch {
    std::vector<X> states, slopes;  // at the left end of each row; the last state is the end
    std::vector<X> teacher;         // at the right end of each row
    std::size_t first = 0;          // index of its first sample
  };

  bool go_on(const std::string& stage) const { return !options_.report || options_.report(stage, least_); }

  /// The slope at the left end of a row.
  X slope(const Table& t, std::size_t row, const X& x) const {
    X out = algebra<X>::like(x);
    if (row == 0 && options_.analytic_first_step) {
      combine(out, std::tuple<>{}, [&] { return std::tuple{1 / std::hypot(1., t.levels[0])}; }, x);
      return out;
    }
    Features<X> unused{};
    denoise(denoise_, x, Time<X>(t.levels[row] * t.rows[row].clock), out, unused);
    combine(out, std::tuple<>{}, [&] { return std::tuple{1 / t.levels[row], -1 / t.levels[row]}; }, x, out);
    return out;
  }
  static X stepped(const Table& t, std::size_t row, const X& x, const std::vector<X>& slopes) {
    X y = copied(x);
    for (std::size_t k = 0; k < t.rows[row].weights.size(); ++k) add(y, t.rows[row].weights[k], slopes[row - k]);
    return y;
  }
  /// A batch's run again from a row on, whose state is as before.
  void walk(const Table& t, Batch& b, std::size_t row, bool slope_as_before = false) const {
    for (std::size_t i = row; i < t.rows.size(); ++i) {
      b.states.resize(i + 1);
      if (i > row || !slope_as_before) {
        b.slopes.resize(i);
        b.slopes.push_back(slope(t, i, b.states[i]));
      }
      b.states.push_back(stepped(t, i, b.states[i], b.slopes));
    }
  }

  /// Squared distances of all samples' ends to the teacher's.
  std::vector<double> squares() const {
    std::vector<double> all;
    for (const Batch& b : batches_) {
      const X r = difference(b.states.back(), b.teacher.back());
      for (const double s : algebra<X>::dot(r, r)) all.push_back(s);
    }
    return all;
  }
  double held_out() const {
    const std::vector<double> all = squares();
    double sum = 0;
    for (std::size_t i = fitted_; i < all.size(); ++i) sum += all[i];
    const double rms = std::sqrt(sum / static_cast<double>(all.size() - fitted_));
    return std::isfinite(rms) ? rms : std::numeric_limits<double>::infinity();
  }
  bool better() {
    const double now = held_out();
    const bool is = now < least_;
    if (is) least_ = now;
    return is;
  }
  /// Of held-out trajectories, the sum of log(1 + square): those that end elsewhere, beyond three times the usual distance, hardly count
  /// (Cauchy's loss).
  double usual(double median) const {
    const std::vector<double> all = squares();
    double sum = 0;
    for (std::size_t i = fitted_; i < all.size(); ++i) sum += std::log1p(all[i] / (9 * median));
    return std::isfinite(sum) ? sum : std::numeric_limits<double>::infinity();
  }

  /// Sums over the samples of a batch, weighted: of those fitted to, or of those held out.
  double sum(const Batch& b, const std::vector<double>& each, bool of_fitted) const {
    double total = 0;
    for (std::size_t i = 0; i < each.size(); ++i)
      if ((b.first + i < fitted_) == of_fitted) total += weight_[b.first + i] * each[i];
    return total;
  }

  /// Each step's weights by least squares: of (teacher's next state - x)/(t' - t) on the slopes seen so far. How many of them
  /// serve is what held-out trajectories say.
  void fit_steps() {
    for (std::size_t i = 0; i < table_.rows.size(); ++i) {
      const double h = table_.levels[i + 1] - table_.levels[i];
      const std::size_t most = (std::min)(i + 1, options_.history);
      const auto size = static_cast<Eigen::Index>(most);
      Eigen::MatrixXd gram[2] = {Eigen::MatrixXd::Zero(size, size), Eigen::MatrixXd::Zero(size, size)};
      Eigen::VectorXd right[2] = {Eigen::VectorXd::Zero(size), Eigen::VectorXd::Zero(size)};
      for (Batch& b : batches_) {
        b.states.resize(i + 1);
        b.slopes.resize(i);
        b.slopes.push_back(slope(table_, i, b.states[i]));
        X y = difference(b.teacher[i], b.states[i]);
        combine(y, std::tuple<>{}, [h] { return std::tuple{1 / h}; }, y);
        for (std::size_t j = 0; j < most; ++j) {
          const auto at = algebra<X>::dot(b.slopes[i - j], y);
          for (const bool fitted : {false, true}) right[fitted](static_cast<Eigen::Index>(j)) += sum(b, at, fitted);
          for (std::size_t k = 0; k <= j; ++k) {
            const auto product = algebra<X>::dot(b.slopes[i - j], b.slopes[i - k]);
            for (const bool fitted : {false, true}) {
              auto& g = gram[fitted];
              g(static_cast<Eigen::Index>(j), static_cast<Eigen::Index>(k)) += sum(b, product, fitted);
              g(static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(j)) = g(static_cast<Eigen::Index>(j), static_cast<Eigen::Index>(k));
            }
          }
        }
      }
      std::vector<double> best = {1};
      double least = std::numeric_limits<double>::infinity();
      for (Eigen::Index terms = 1; terms <= size; ++terms) {
        const double unit_size = gram[1].topLeftCorner(terms, terms).trace() / static_cast<double>(terms);
        if (!(unit_size > 0) || !std::isfinite(unit_size)) break;
        const Eigen::MatrixXd normal = gram[1].topLeftCorner(terms, terms) / unit_size + options_.ridge * Eigen::MatrixXd::Identity(terms, terms);
        const Eigen::VectorXd w = normal.ldlt().solve(right[1].head(terms) / unit_size);
        const double loss = w.dot(gram[0].topLeftCorner(terms, terms) * w) - 2 * w.dot(right[0].head(terms));  // but for |y|^2
        if (!w.allFinite() || !(loss < least)) continue;
        least = loss;
        best.assign(w.data(), w.data() + terms);
      }
      table_.rows[i].carry = 1;
      table_.rows[i].weights.clear();
      for (const double w : best) table_.rows[i].weights.push_back(h * w);
      for (Batch& b : batches_) b.states.push_back(stepped(table_, i, b.states[i], b.slopes));
    }
  }

  /// A number of the table that is fitted to the end, and the first row that it moves.
  struct Number {
    enum Kind { weight, level, clock } kind;
    std::size_t row, term;
  };
  std::vector<Number> numbers() const {
    std::vector<Number> all;
    for (std::size_t i = 0; i < table_.rows.size(); ++i) {
      for (std::size_t k = 0; k < table_.rows[i].weights.size(); ++k) all.push_back({Number::weight, i, k});
      if (i > 0) all.push_back({Number::level, i, 0});
      if (i > 0 || !options_.analytic_first_step) all.push_back({Number::clock, i, 0});
    }
    return all;
  }
  /// Weights by shares of their step; levels and clocks by factors. A moved level takes the weights of both its steps along.
  static void move(Table& t, const Number& n, double by) {
    const auto step = [&](std::size_t row) { return t.levels[row + 1] - t.levels[row]; };
    if (n.kind == Number::weight) t.rows[n.row].weights[n.term] += by * step(n.row);
    if (n.kind == Number::clock) t.rows[n.row].clock *= std::exp(by);
    if (n.kind != Number::level) return;
    const double before = step(n.row - 1), after = step(n.row);
    t.levels[n.row] *= std::exp(by);
    for (double& w : t.rows[n.row - 1].weights) w *= step(n.row - 1) / before;
    for (double& w : t.rows[n.row].weights) w *= step(n.row) / after;
  }

  /// One step of Gauss and Newton with Levenberg's damping on the distances of the ends, by finite differences. Trajectories that end in
  /// another place than the teacher's weigh less.
  bool iterate(double& damping) {
    constexpr double tiny = 1e-3;
    std::vector<double> each = squares(), sorted(each.begin(), each.begin() + static_cast<std::ptrdiff_t>(fitted_));
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2), sorted.end());
    const double median = sorted[sorted.size() / 2];
    for (std::size_t i = 0; i < each.size(); ++i) weight_[i] = 1 / (1 + each[i] / (9 * median));
    const double before = usual(median);
    const std::vector<Number> all = numbers();
    const auto size = static_cast<Eigen::Index>(all.size());
    Eigen::MatrixXd normal = Eigen::MatrixXd::Zero(size, size);
    Eigen::VectorXd right = Eigen::VectorXd::Zero(size);
    for (const Batch& b : batches_) {
      if (b.first >= fitted_) continue;
      const X r = difference(b.states.back(), b.teacher.back());
      std::vector<X> columns;
      for (const Number& n : all) {
        Table moved = table_;
        move(moved, n, tiny);
        Batch again = begun(b, n.row);
        if (n.kind == Number::level) {
          again.states[n.row] = stepped(moved, n.row - 1, b.states[n.row - 1], b.slopes);
          walk(moved, again, n.row);
        } else {
          walk(moved, again, n.row, n.kind == Number::weight);
        }
        columns.push_back(difference(again.states.back(), b.states.back()));
        combine(columns.back(), std::tuple<>{}, [] { return std::tuple{1 / tiny}; }, columns.back());
      }
      for (Eigen::Index i = 0; i < size; ++i) {
        right(i) += sum(b, algebra<X>::dot(columns[static_cast<std::size_t>(i)], r), true);
        for (Eigen::Index j = 0; j <= i; ++j)
          normal(i, j) = normal(j, i) += sum(b, algebra<X>::dot(columns[static_cast<std::size_t>(i)], columns[static_cast<std::size_t>(j)]), true);
      }
    }
    weight_.assign(weight_.size(), 1.);
    for (int attempt = 0; attempt < 6; ++attempt, damping *= 10) {
      Eigen::MatrixXd damped = normal;
      damped.diagonal() *= 1 + damping;
      const Eigen::VectorXd step = damped.ldlt().solve(-right);
      if (!step.allFinite()) continue;
      Table moved = table_;
      for (Eigen::Index i = 0; i < size; ++i) move(moved, all[static_cast<std::size_t>(i)], step(i));
      try {
        moved.validate();
      } catch (const std::invalid_argument&) {  // levels out of order: a shorter step keeps them in it
        continue;
      }
      std::vector<Batch> saved;
      for (Batch& b : batches_) {
        saved.push_back(begun(b, b.slopes.size()));
        walk(moved, b, 0);
      }
      if (usual(median) < before) {
        table_ = moved;
        damping /= 10;
        return true;
      }
      for (std::size_t i = 0; i < batches_.size(); ++i) {
        batches_[i].states = std::move(saved[i].states);
        batches_[i].slopes = std::move(saved[i].slopes);
      }
    }
    return false;
  }
  /// A batch's run without its teacher, as far as the state and the slope at the left end of a row.
  static Batch begun(const Batch& b, std::size_t row) {
    Batch c;
    for (std::size_t i = 0; i <= row; ++i) {
      c.states.push_back(copied(b.states[i]));
      if (i < b.slopes.size()) c.slopes.push_back(copied(b.slopes[i]));
    }
    return c;
  }

  D& denoise_;
  Table table_;
  CalibrationOptions options_;
  std::vector<Batch> batches_;
  std::vector<double> weight_;
  std::size_t fitted_ = 0;
  double least_ = std::numeric_limits<double>::infinity();
};

}  // namespace detail

/// Fits the numbers of a solver to a model: first each step's weights by least squares against a teacher, in one pass; then weights, levels
/// and what the network is told of them together, by Gauss and Newton on where trajectories end. Held-out trajectories decide, and nothing
/// is returned that is worse on them than `start`.
/// @param start  e.g. tabulate(Ipndm{.order = 3}, karras({.steps = 6}))
/// @param noise  unit noise, a batch each; some 300 samples in all
/// @throws std::invalid_argument naming what does not fit; what the model throws passes through.
/// Source: least squares per step, Kim et al. 2024 (D-ODE, one scalar a step); Levenberg 1944; as a whole this library's own.
template <State X, class D>
Calibration calibrate(D&& denoise, const Table& start, const std::vector<X>& noise, const CalibrationOptions& options = {}) {
  return detail::Calibrator<X, std::remove_reference_t<D>>(denoise, start, noise, options).run();
}

}  // namespace fewstep
