#include "verdicts.hpp"

int second();

int main() { return wrong_verdicts() + second() == 0 ? 0 : 1; }
