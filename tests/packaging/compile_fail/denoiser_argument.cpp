// A denoiser that takes no noise level.
// error: 'Denoiser<
#include "mistakes.hpp"

#ifdef WRONG
Array denoise(const Array& x) { return x; }
#else
Array denoise(const Array& x, double) { return x; }
#endif

int main() { sample(Euler{}, denoise, schedule, z); }
