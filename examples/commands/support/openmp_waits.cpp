// Makes the threads of GNU's OpenMP library sleep while they wait. By default they spin, so that two threads on two
// busy cores, or two commands side by side, are slower than one.
//
// The library reads OMP_WAIT_POLICY before main(), and before any constructor of the program. On Linux with glibc, the
// function below runs earlier and starts the program again, once, with OMP_WAIT_POLICY=passive in its environment; this
// takes about a tenth of a second. It does nothing if OMP_WAIT_POLICY or GOMP_SPINCOUNT is set, nor on other systems.
// Linked into each command; in no library.
#if defined(__linux__)
#include <sys/auxv.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#if defined(__GLIBC__)

namespace {

bool is_variable(const char* entry, const char* name) {
  const std::size_t length = std::strlen(name);
  return std::strncmp(entry, name, length) == 0 && entry[length] == '=';
}

void start_again_with_passive_waits(int, char** argv, char** environment) {
  constexpr std::size_t most = 4'096;  // variables; nothing can be allocated yet
  static char policy[] = "OMP_WAIT_POLICY=passive";
  static char* extended[most + 2];
  std::size_t count = 0;
  for (; environment[count]; ++count) {
    if (count == most || is_variable(environment[count], "OMP_WAIT_POLICY") ||
        is_variable(environment[count], "GOMP_SPINCOUNT"))
      return;
    extended[count] = environment[count];
  }
  extended[count] = policy;
  if (getauxval(AT_BASE) == 0) return;  // started by "ld.so PROGRAM": the path below would be that of ld.so
  static char path[4'096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);  // the link itself would rename the process
  if (length > 0) execve(path, argv, extended);  // if it fails, the program goes on as it is
}

__attribute__((section(".preinit_array"),
               used)) void (*const before_constructors)(int, char**, char**) = start_again_with_passive_waits;

}  // namespace

#endif
#endif
