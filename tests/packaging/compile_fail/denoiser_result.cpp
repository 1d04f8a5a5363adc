// A denoiser that returns no batch.
// error: 'Denoiser<
#include "mistakes.hpp"

#ifdef WRONG
const char* denoise(const Array&, double) { return "sharp"; }
#else
Array denoise(const Array& x, double) { return x; }
#endif

int main() { sample(Euler{}, denoise, schedule, z); }
