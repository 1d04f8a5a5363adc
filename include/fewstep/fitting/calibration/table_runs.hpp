#pragma once

#include "../../run.hpp"
#include "../../solvers/table.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// In place of a squared distance that is no number: beyond all others.
inline constexpr double lost_sample = 1e200;

/// What the runs of a table of slopes visit, beside where a teacher is: so that a changed number costs only the
/// evaluations after it.
template <State X, class D>
class TableRuns {
 public:
  struct Batch {
    std::vector<X> states, slopes;  // at the left end of each row; the last state is the end
    std::vector<X> teacher;         // at the right end of each row
    X wanted;                       // what is seen of the teacher's end
    std::size_t first;              // index of its first sample
  };
  std::vector<Batch> batches;

  /// @param see  what is compared of an end
  TableRuns(D& denoise, bool analytic, std::function<X(const X&)> see)
      : denoise_(denoise), analytic_(analytic), see_(std::move(see)) {}

  /// @param x  the states at the first level
  void add(X x, std::vector<X> teacher) {
    X wanted = seen(teacher.back());
    const std::size_t count = algebra<X>::dot(x, x).size(), count_seen = algebra<X>::dot(wanted, wanted).size();
    require(count_seen == count, "the number of samples seen", count_seen,
            std::to_string(count) + ", those of the state");
    batches.push_back({{}, {}, std::move(teacher), std::move(wanted), samples_});
    samples_ += count;
    batches.back().states.push_back(std::move(x));
  }

  /// The slope at the left end of a row.
  X slope(const Table& t, std::size_t row, const X& x) const {
    X out = algebra<X>::like(x);
    if (row == 0 && analytic_) {
      Model<X, D>(denoise_, Target::slope).analytic(x, Level<X>(t.levels[0]), out);
      return out;
    }
    Model<X, D>(denoise_, Target::slope)(x, Level<X>(t.levels[row] * t.rows[row].sigma_scale), Level<X>(t.levels[row]),
                                         out);
    return out;
  }

  static X stepped(const Table& t, std::size_t row, const X& x, const std::vector<X>& slopes) {
    X y = copied(x);
    for (std::size_t k = 0; k < t.rows[row].weights.size(); ++k)
      combine(y, std::tuple<>{}, [w = t.rows[row].weights[k]] { return std::tuple{unit, w}; }, y, slopes[row - k]);
    return y;
  }

  /// A batch's run again from a row on, whose state, and perhaps slope, is as before.
  void walk(const Table& t, Batch& b, std::size_t row = 0, bool slope_as_before = false) const {
    for (std::size_t i = row; i < t.rows.size(); ++i) {
      b.states.resize(i + 1);
      if (i > row || !slope_as_before) {
        b.slopes.resize(i);
        b.slopes.push_back(slope(t, i, b.states[i]));
      }
      b.states.push_back(stepped(t, i, b.states[i], b.slopes));
    }
  }
  void walk_all(const Table& t) {
    for (Batch& b : batches) walk(t, b);
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

  /// All runs without their teachers, and back.
  std::vector<Batch> saved() const {
    std::vector<Batch> all;
    for (const Batch& b : batches) all.push_back(begun(b, b.slopes.size()));
    return all;
  }
  void restore(std::vector<Batch> all) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      batches[i].states = std::move(all[i].states);
      batches[i].slopes = std::move(all[i].slopes);
    }
  }

  X seen(const X& end) const { return see_(end); }
  /// From what is seen of the teacher's end to what is of a batch's.
  X missed(const Batch& b) const { return difference(seen(b.states.back()), b.wanted); }

  /// Squared distances of all samples' ends to the teacher's, as seen; of one that is no number `lost_sample`.
  std::vector<double> squares() const {
    std::vector<double> all;
    for (const Batch& b : batches) {
      const X r = missed(b);
      for (const double s : algebra<X>::dot(r, r)) all.push_back(std::isfinite(s) ? s : lost_sample);
    }
    return all;
  }

 private:
  D& denoise_;
  bool analytic_;
  std::function<X(const X&)> see_;
  std::size_t samples_ = 0;
};

/// Those of samples that are numbers.
inline std::vector<double> finite_of(std::vector<double> squares) {
  std::erase_if(squares, [](double square) { return square == lost_sample; });
  return squares;
}

inline double rms_of(const std::vector<double>& squares) {
  double sum = 0;
  for (const double square : squares) sum += square;
  return std::sqrt(sum / static_cast<double>(squares.size()));
}

inline double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace fewstep::detail
