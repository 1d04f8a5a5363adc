#include "process.hpp"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace fewstep::examples {

std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

void keep_freed_memory() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 2'000'000'000);
  mallopt(M_TOP_PAD, 250'000'000);
#endif
}

}  // namespace fewstep::examples
