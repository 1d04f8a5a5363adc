// benchmarks [SECTION...]: prints the tables of tests/README.md; without arguments all of them.
#include "sections.hpp"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <string_view>

namespace {

struct Section {
  std::string_view name, title;
  void (*print)();
};

}  // namespace

int main(int argc, char** argv) {
  using namespace fewstep::benchmarks;
  char program[] = "benchmarks", order[] = "--benchmark_enable_random_interleaving=true";
  char* flags[] = {program, order, nullptr};
  int count = 2;
  benchmark::Initialize(&count, flags);

  const Section sections[] = {
      {"step", "Time of a step, relative to a hand-written loop", step_time},
      {"solvers", "Time of a step, relative to that of iPNDM-3", solver_time},
      {"allocations", "Allocations after the first step", allocation_count},
      {"network", "The shipped network on one core", network_time},
  };
  for (const Section& section : sections) {
    bool chosen = argc == 1;
    for (int i = 1; i < argc; ++i) chosen = chosen || section.name == argv[i];
    if (!chosen) continue;
    std::printf("%s:\n\n", section.title.data());
    section.print();
    std::printf("\n");
    std::fflush(stdout);
  }
  if (argc == 2 && std::string_view(argv[1]) == "serve") serve();
}
