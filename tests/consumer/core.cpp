// The core alone: a state of one's own needs no library.
#include <fewstep/fewstep.hpp>

int main() { return fewstep::karras({.steps = 5}).steps() == 5 ? 0 : 1; }
