#include "verdicts.hpp"

int second() { return wrong_verdicts(); }
