// JSON of tables: read, written, read again, and run.
#include "fuzz.hpp"

#include <fewstep/io/table_file.hpp>
#include <fewstep/run.hpp>
#include <fewstep/scalar.hpp>

using namespace fewstep;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::File file(data, size);
  fuzz::accepted([&] {
    const io::TableFile read = io::read_table(file.path());
    const auto again = io::table_from_json(nlohmann::json(io::to_json(read)));
    if (!(again.table.levels == read.table.levels)) fuzz::fail("a written table reads otherwise");
    sample(read.table, fuzz::CheckedDenoiser{}, read.table.schedule(), 1.,
           {.analytic_first_step = read.analytic_first_step});
  });
  return 0;
}
