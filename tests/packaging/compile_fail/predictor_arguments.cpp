// A predictor that maps two levels to a third.
// error: static.*assert.*TimePredictor
#include "mistakes.hpp"

struct Middle {
#ifdef WRONG
  double operator()(double from, double to) const { return (from + to) / 2; }
#else
  void operator()(const Step<Array>&, const Features<Array>*, Prediction<Array>& out) const {
    out.ratio = Level<Array>(0.5);
  }
#endif
};

int main() { sample(DpmSolver2{Middle{}}, shrink, schedule, z); }
