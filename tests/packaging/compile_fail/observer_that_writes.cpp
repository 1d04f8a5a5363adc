// An observer that changes the state, which is const.
// error: observer_that_writes.cpp:[0-9:]+ error: .*(discards qualifiers|no matching member function)
#include "mistakes.hpp"

Array denoise(const Array& x, double) { return x; }

int main() {
#ifdef WRONG
  sample(Euler{}, denoise, schedule, z, {}, [](const Snapshot<Array>& s) { s.x.setZero(); });
#else
  sample(Euler{}, denoise, schedule, z, {}, [](const Snapshot<Array>& s) { return s.x.allFinite(); });
#endif
}
