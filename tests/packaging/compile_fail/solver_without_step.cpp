// A solver that lacks its step.
// error: 'Solver<
// error: solver\.step\(
#include "mistakes.hpp"

struct Still {
  static constexpr Target target = Target::slope;
  static int evaluations() { return 1; }
  NoMemory memory(const Array&) const { return {}; }
#ifndef WRONG
  void step(const Step<Array>&, Array&, Array&, auto&, NoMemory&) const {}
#endif
};

int main() { sample(Still{}, shrink, schedule, z); }
