// A denoiser that takes one level for the batch, with a predictor that chooses levels per sample.
// error: per_sample<S> \|\| PerSampleDenoiser<
#include "mistakes.hpp"

struct Middle {
  static constexpr bool per_sample = true;
  void operator()(const Step<Array>&, const Features<Array>*, Prediction<Array>& out) const {
    out.ratio = Level<Array>(0.5);
  }
};

#ifdef WRONG
Array denoise(const Array& x, double) { return x; }
#else
Array denoise(const Array& x, const Level<Array>&) { return x; }
#endif

int main() { sample(DpmSolver2{Middle{}}, denoise, schedule, z); }
