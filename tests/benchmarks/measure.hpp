// Times of several things, measured in alternation by Google Benchmark.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace fewstep::benchmarks {

/// CPU seconds of this process, which other programs on the machine disturb less than the time on the clock.
double cpu_seconds();

/// One of several things to compare.
struct Candidate {
  std::string name;
  std::function<double()> seconds;  ///< measures once
};

/// Measures the candidates in alternation, in random order.
/// @return the median for each candidate, in seconds
std::vector<double> medians(const std::vector<Candidate>& candidates);

/// The median of the first candidate as a multiple of the second's.
double ratio(const std::vector<Candidate>& candidates);

}  // namespace fewstep::benchmarks
