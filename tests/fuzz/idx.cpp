// IDX files of images (the first byte is even) and labels.
#include "../../examples/commands/support/idx.hpp"
#include "fuzz.hpp"

using namespace fewstep;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const fuzz::File file(data + 1, size - 1);
  fuzz::accepted([&] {
    const examples::IdxArray array = examples::read_idx(file.path(), data[0] % 2 == 0 ? 3 : 1);
    std::int64_t total = 1;
    for (const std::int64_t extent : array.shape) total *= extent;
    if (static_cast<std::int64_t>(array.bytes.size()) != total) fuzz::fail("bytes and extents differ");
  });
  return 0;
}
