// A solver whose step() has other parameters than the driver passes.
// error: 'Solver<
// error: solver\.step\(
#include "mistakes.hpp"

struct Still {
  static constexpr Target target = Target::slope;
  static int evaluations() { return 1; }
  NoMemory memory(const Array&) const { return {}; }
#ifdef WRONG
  void step(double, double, Array&) const {}
#else
  void step(const Step<Array>&, Array&, Array&, auto&, NoMemory&) const {}
#endif
};

int main() { sample(Still{}, shrink, schedule, z); }
