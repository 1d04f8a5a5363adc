// The core alone: a schedule needs no library.
#include <fewstep/fewstep.hpp>

#include <string_view>

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
static_assert(std::string_view(TEXT(FEWSTEP_VERSION_MAJOR) "." TEXT(FEWSTEP_VERSION_MINOR) "." TEXT(
                  FEWSTEP_VERSION_PATCH)) == PACKAGE_VERSION,
              "the headers are of another version than the package");

int main() { return fewstep::karras({.steps = 5}).steps() == 5 ? 0 : 1; }
