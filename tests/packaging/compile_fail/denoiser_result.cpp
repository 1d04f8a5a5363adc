// A denoiser that returns no batch.
// error: 'Denoiser<
// lines: 80, since clang goes through every form that a denoiser may have
#include "mistakes.hpp"

#ifdef WRONG
std::string denoise(const Array&, double) { return "sharp"; }
#else
Array denoise(const Array& x, double) { return x; }
#endif

int main() { sample(Euler{}, denoise, schedule, z); }
