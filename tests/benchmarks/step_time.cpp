// A step against a hand-written loop, and solvers against iPNDM.
#include "hand_written.hpp"
#include "sections.hpp"

#include <fewstep/fitting/tabulate.hpp>

#include <cstdio>

namespace fewstep::benchmarks {

namespace {

using Dynamic = Eigen::ArrayXXf;

template <class X>
void against_hand_written(const char* name, Eigen::Index rows, Eigen::Index columns) {
  const Problem<X> problem(rows, columns);
  const auto of = [&](auto solver, double (*loop)(const Problem<X>&)) {
    return medians({{"fewstep", [&, solver] { return step_seconds(solver, problem); }},
                    {"loop", [&, loop] { return loop(problem); }}});
  };
  const auto euler = of(Euler{}, hand_written_euler<X>), ipndm = of(Ipndm{.order = 3}, hand_written_ipndm<X>);
  std::printf("| %s | %.2f | %.2f | %.2f | %.2f |\n", name, 1e6 * euler[1], euler[0] / euler[1], 1e6 * ipndm[1],
              ipndm[0] / ipndm[1]);
}

void against_ipndm(const char* name, Eigen::Index rows, Eigen::Index columns) {
  const Problem<Dynamic> problem(rows, columns);
  const auto step = [&](const char* label, auto solver) {
    return Candidate{label, [&problem, solver] { return step_seconds(solver, problem); }};
  };
  const Ipndm ipndm{.order = 3};
  const auto seconds = medians({step("ipndm", ipndm), step("euler", Euler{}),
                                step("table", tabulate(ipndm, problem.schedule)), step("unipc 2", UniPc{.order = 2}),
                                step("unipc 3", UniPc{.order = 3}), step("dpmpp", Dpmpp{}), step("deis", Deis{})});
  std::printf("| %s |", name);
  for (std::size_t i = 1; i < seconds.size(); ++i) std::printf(" %.2f |", seconds[i] / seconds[0]);
  std::printf("\n");
}

}  // namespace

void step_time() {
  std::printf(
      "| state | Euler: loop, us | fewstep / loop | iPNDM-3: loop, us | fewstep / loop |\n|---|---|---|---|---|\n");
  against_hand_written<Eigen::Array<float, 112, 1>>("112, fixed size", 112, 1);
  against_hand_written<Dynamic>("112", 112, 1);
  against_hand_written<Dynamic>("3x32x32", 3 * 32 * 32, 1);
  against_hand_written<Dynamic>("3x64x64, batch 16", 3 * 64 * 64, 16);
  against_hand_written<Dynamic>("4x64x64, batch 64", 4 * 64 * 64, 64);
  against_hand_written<Dynamic>("3x256x256, batch 16", 3 * 256 * 256, 16);
  against_hand_written<Buffer<float>>("buffer, 112", 112, 1);
  against_hand_written<Buffer<float>>("buffer, 3x32x32", 3 * 32 * 32, 1);
  against_hand_written<Buffer<float>>("buffer, 4x64x64, batch 64", 4 * 64 * 64, 64);
}

void solver_time() {
  std::printf(
      "| state | Euler | table of iPNDM-3 | UniPC-2 | UniPC-3 | DPM-Solver++ 2M | DEIS-3 "
      "|\n|---|---|---|---|---|---|---|\n");
  against_ipndm("112", 112, 1);
  against_ipndm("3x32x32", 3 * 32 * 32, 1);
  against_ipndm("3x64x64, batch 16", 3 * 64 * 64, 16);
}

}  // namespace fewstep::benchmarks
