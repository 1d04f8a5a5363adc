// A state that is a matrix: states are arrays.
// error: 'State['<]
#include "mistakes.hpp"

#ifdef WRONG
using Batch = Eigen::MatrixXd;
#else
using Batch = Eigen::ArrayXXd;
#endif

Batch denoise(const Batch& x, double) { return x; }

int main() { sample(Euler{}, denoise, schedule, Batch(3, 2)); }
