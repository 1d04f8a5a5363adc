// A solver whose memory has no detach().
// error: 'Solver<
// error: detach
#include "mistakes.hpp"

struct Still {
  struct Memory {
#ifndef WRONG
    void detach() {}
#endif
  };
  static constexpr Target target = Target::slope;
  static int evaluations() { return 1; }
  Memory memory(const Array&) const { return {}; }
  void step(const Step<Array>&, Array&, Array&, auto&, Memory&) const {}
};

int main() { sample(Still{}, shrink, schedule, z); }
