// Files of Gaussian starts.
#include "fuzz.hpp"

#include <fewstep/io/gaussian_start_file.hpp>

using namespace fewstep;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::File file(data, size);
  fuzz::accepted([&] { io::read_gaussian_start(file.path()); });
  return 0;
}
