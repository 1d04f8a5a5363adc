#pragma once

#include "table_runs.hpp"

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <tuple>
#include <vector>

namespace fewstep::detail {

/// Each step's weights by least squares: of (teacher's next state - x)/(t' - t) on the slopes seen so far. How many of
/// them serve, and with which ridge, is what held-out samples say, those from number `fitted` on. Samples that are no
/// numbers count nowhere. Leaves the runs at the ends of the new table.
/// @param history  how many slopes at most
/// @param ridge    the least that is added to the diagonal of the normalised Gram matrix; 100 and 10,000 times as much
/// are tried too
/// @returns how many steps had nothing to fit to, and are Euler's
template <State X, class D>
std::size_t fit_steps(Table& table, TableRuns<X, D>& runs, std::size_t fitted, std::size_t history, double ridge) {
  std::size_t blind = 0;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const double h = table.levels[i + 1] - table.levels[i];
    const std::size_t most = (std::min)(i + 1, history);
    const auto size = static_cast<Eigen::Index>(most);
    // Of the samples held out, and of those fitted to.
    Eigen::MatrixXd gram[2] = {Eigen::MatrixXd::Zero(size, size), Eigen::MatrixXd::Zero(size, size)};
    Eigen::VectorXd right[2] = {Eigen::VectorXd::Zero(size), Eigen::VectorXd::Zero(size)};
    for (auto& b : runs.batches) {
      b.states.resize(i + 1);
      b.slopes.resize(i);
      b.slopes.push_back(runs.slope(table, i, b.states[i]));
      X wanted = difference(b.teacher[i], b.states[i]);
      combine(wanted, std::tuple<>{}, [h] { return std::tuple{1 / h}; }, wanted);
      // A slope that is no number makes the states after it none either: what is wanted tells of all slopes before the
      // last.
      const std::vector<double> last = algebra<X>::dot(b.slopes[i], b.slopes[i]), aim = algebra<X>::dot(wanted, wanted);
      const auto add = [&](double(&sum)[2], const X& x, const X& y) {
        const std::vector<double> each = algebra<X>::dot(x, y);
        for (std::size_t n = 0; n < each.size(); ++n)
          if (std::isfinite(last[n]) && std::isfinite(aim[n])) sum[b.first + n < fitted] += each[n];
      };
      for (std::size_t j = 0; j < most; ++j) {
        const auto row = static_cast<Eigen::Index>(j);
        double product[2] = {};
        add(product, b.slopes[i - j], wanted);
        for (const int which : {0, 1}) right[which](row) += product[which];
        for (std::size_t k = 0; k <= j; ++k) {
          double square[2] = {};
          add(square, b.slopes[i - j], b.slopes[i - k]);
          for (const int which : {0, 1}) gram[which](row, static_cast<Eigen::Index>(k)) += square[which];
        }
      }
    }
    for (Eigen::MatrixXd& g : gram) g = g.selfadjointView<Eigen::Lower>();
    std::vector<double> best = {1};
    double least = std::numeric_limits<double>::infinity();
    for (Eigen::Index terms = 1; terms <= size; ++terms) {
      const double scale = gram[1].topLeftCorner(terms, terms).trace() / static_cast<double>(terms);
      if (!(scale > 0) || !std::isfinite(scale)) break;
      for (const double more : {1., 1e2, 1e4}) {
        const Eigen::MatrixXd normal =
            gram[1].topLeftCorner(terms, terms) / scale + more * ridge * Eigen::MatrixXd::Identity(terms, terms);
        const Eigen::VectorXd w = normal.ldlt().solve(right[1].head(terms) / scale);
        const double loss = w.dot(gram[0].topLeftCorner(terms, terms) * w) -
                            2 * w.dot(right[0].head(terms));  // but for the square of what is wanted
        if (!w.allFinite() || !(loss < least)) continue;
        least = loss;
        best.assign(w.data(), w.data() + terms);
      }
    }
    blind += least == std::numeric_limits<double>::infinity();
    table.rows[i].carry = 1;
    table.rows[i].weights.clear();
    for (const double w : best) table.rows[i].weights.push_back(h * w);
    for (auto& b : runs.batches) b.states.push_back(runs.stepped(table, i, b.states[i], b.slopes));
  }
  return blind;
}

}  // namespace fewstep::detail
