// What the fuzz targets share: a target may succeed or reject its input by one printable line, and nothing else.
#pragma once

#include <fewstep/io/file_error.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace fewstep::fuzz {

[[noreturn]] inline void fail(const char* law, std::string_view detail = {}) {
  std::fprintf(stderr, "broken: %s %.*s\n", law, static_cast<int>(detail.size()), detail.data());
  std::abort();
}

/// Calls f(). An error of another type than the library's passes through and ends the fuzzer.
/// @return whether f() succeeded
template <class F>
bool accepted(F f) {
  std::string message;
  try {
    f();
    return true;
  } catch (const std::invalid_argument& error) {
    message = error.what();
  } catch (const std::runtime_error& error) {
    message = error.what();
  }
  if (message.empty()) fail("an error without a message");
  if (io::printable(message) != message) fail("control characters in a message:", message);
  return false;
}

/// A file in memory, opened by its path in /proc.
class File {
 public:
  File(const std::uint8_t* data, std::size_t size) {
    if (descriptor_ < 0 || ::ftruncate(descriptor_, 0) != 0 ||
        ::pwrite(descriptor_, data, size, 0) != static_cast<ssize_t>(size))
      fail("the fuzzer's own file");
  }
  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  inline static const int descriptor_ = ::memfd_create("input", 0);
};

/// The denoiser of data with mean 0 and variance 1, which checks the levels that it is given.
struct CheckedDenoiser {
  double operator()(double x, double sigma) const {
    if (!(sigma > 0 && std::isfinite(sigma))) fail("a denoiser was called at level", std::to_string(sigma));
    return x / (1 + sigma * sigma);
  }
};

}  // namespace fewstep::fuzz
