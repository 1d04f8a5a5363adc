// A denoiser of floats, a state of doubles.
// error: 'Denoiser<
#include "mistakes.hpp"

#ifdef WRONG
Eigen::ArrayXXf denoise(const Eigen::ArrayXXf& x, float) { return x; }
#else
Array denoise(const Array& x, double) { return x; }
#endif

int main() { sample(Euler{}, denoise, schedule, z); }
