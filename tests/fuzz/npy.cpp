// .npy files: read, written, and read again.
#include "fuzz.hpp"

#include <fewstep/io/npy.hpp>

using namespace fewstep;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::File file(data, size);
  fuzz::accepted([&] {
    const Array read = io::read_npy(file.path());
    io::write_npy(file.path(), read);
    const Array again = io::read_npy(file.path());
    if (again.dtype != read.dtype || again.shape != read.shape || again.bytes != read.bytes)
      fuzz::fail("a written array reads otherwise", "");
  });
  return 0;
}
