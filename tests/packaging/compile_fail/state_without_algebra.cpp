// A state type without a specialisation of algebra.
// error: 'State['<]
#include "mistakes.hpp"

#ifdef WRONG
struct Image {
  double pixels[6];
};
#else
using Image = Eigen::Array<double, 3, 2>;
#endif

Image denoise(const Image& x, double) { return x; }

int main() { sample(Euler{}, denoise, schedule, Image{}); }
