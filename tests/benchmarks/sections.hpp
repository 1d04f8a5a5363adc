// The parts of the benchmark. Each prints one table in Markdown.
#pragma once

namespace fewstep::benchmarks {

void step_time();         ///< a step against a hand-written loop
void solver_time();       ///< steps of other solvers against iPNDM's
void allocation_count();  ///< allocations after the first step, for every solver
void network_time();      ///< the shipped network: a run against bare calls, and evaluations per second by type

/// Reads lines "SOLVER NUMBERS BATCH" (unipc, dpmpp or euler) and prints the seconds of a step for each: for
/// compare_diffusers.py, which measures in alternation.
void serve();

}  // namespace fewstep::benchmarks
