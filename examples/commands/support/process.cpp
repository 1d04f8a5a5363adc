#include "process.hpp"

#include "signals.hpp"

#include <fewstep/io/file_error.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace fewstep::examples {

std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return io::printable(text.substr(0, text.find('\n')));
}

void keep_freed_memory() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 2'000'000'000);
  mallopt(M_TOP_PAD, 250'000'000);
#endif
}

int run_main(const std::function<void()>& work) {
  catch_signals();
  std::signal(SIGXFSZ, SIG_IGN);  // a write beyond `ulimit -f` fails, with a reason, in place of ending the process
  try {
    work();
    errno = 0;
    if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return 0;
    std::fprintf(stderr, "error: writing stdout failed: %s\n", std::strerror(errno ? errno : EIO));
  } catch (const Interrupted& kept) {
    std::fprintf(stderr, "interrupted; %s\n", first_line(kept).c_str());
    return 128 + caught_signal();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", first_line(error).c_str());
  } catch (...) {
    std::fprintf(stderr, "error: an unknown exception\n");
  }
  return 1;
}

}  // namespace fewstep::examples
