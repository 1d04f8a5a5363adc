// Safetensors files: every tensor of a file that is accepted has the bytes of its type and shape.
#include "fuzz.hpp"

#include <fewstep/io/safetensors.hpp>

using namespace fewstep;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::File file(data, size);
  fuzz::accepted([&] {
    for (const auto& [name, array] : io::read_safetensors(file.path()).tensors)
      if (array.bytes.size() != detail::byte_count(array.dtype, array.shape)) fuzz::fail("bytes of tensor", name);
  });
  return 0;
}
