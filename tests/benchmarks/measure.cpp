#include "measure.hpp"

#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <map>

namespace fewstep::benchmarks {

namespace {

/// Keeps the time of each repetition and prints nothing.
struct Collector : benchmark::BenchmarkReporter {
  std::map<std::string, std::vector<double>> seconds;
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs)
      if (run.run_type == Run::RT_Iteration)
        seconds[run.run_name.function_name].push_back(run.real_accumulated_time / static_cast<double>(run.iterations));
  }
};

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return (v[(v.size() - 1) / 2] + v[v.size() / 2]) / 2;
}

constexpr int repetitions = 31;
constexpr double seconds_per_repetition = 0.01;

/// How often to measure within a repetition.
benchmark::IterationCount iterations(const Candidate& candidate) {
  const double start = cpu_seconds();
  candidate.seconds();
  const double once = cpu_seconds() - start;
  return std::max<benchmark::IterationCount>(1, static_cast<benchmark::IterationCount>(seconds_per_repetition / once));
}

}  // namespace

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

std::vector<double> medians(const std::vector<Candidate>& candidates) {
  benchmark::ClearRegisteredBenchmarks();
  for (const Candidate& one : candidates) {
    const auto measure = [&one](benchmark::State& state) {
      for ([[maybe_unused]] auto _ : state) state.SetIterationTime(one.seconds());
    };
    benchmark::RegisterBenchmark(one.name.c_str(), measure)
        ->UseManualTime()
        ->Repetitions(repetitions)
        ->Iterations(iterations(one));
  }
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector, ".");
  std::vector<double> result;
  for (const Candidate& one : candidates) result.push_back(median(collector.seconds.at(one.name)));
  return result;
}

double ratio(const std::vector<Candidate>& candidates) {
  const std::vector<double> seconds = medians(candidates);
  return seconds.at(0) / seconds.at(1);
}

}  // namespace fewstep::benchmarks
