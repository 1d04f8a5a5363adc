// A state that refers to memory of others: states own their numbers.
// error: 'State['<]
#include "mistakes.hpp"

using Map = Eigen::Map<Array>;
Array denoise(const Array& x, double) { return x; }

int main() {
  double numbers[6] = {};
  const Map map(numbers, 3, 2);
#ifdef WRONG
  sample(Euler{}, denoise, schedule, map);
#else
  sample(Euler{}, denoise, schedule, Array(map));
#endif
}
