// An observer that asks for a state to change.
// error: 'Observer<
#include "mistakes.hpp"

Array denoise(const Array& x, double) { return x; }

int main() {
#ifdef WRONG
  sample(Euler{}, denoise, schedule, z, {}, [](Snapshot<Array>& s) { return s.index < 3; });
#else
  sample(Euler{}, denoise, schedule, z, {}, [](const Snapshot<Array>& s) { return s.index < 3; });
#endif
}
