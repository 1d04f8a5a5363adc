// Scheduler files of diffusers: imported and run. The first two bytes are the number of steps.
#include "fuzz.hpp"

#include <fewstep/io/diffusers.hpp>
#include <fewstep/run.hpp>
#include <fewstep/scalar.hpp>

#include <optional>

using namespace fewstep;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const int steps = data[0] + data[1] % 2 * 256;
  const std::string text(reinterpret_cast<const char*>(data) + 2, size - 2);
  fuzz::accepted([&] {
    nlohmann::json config;
    try {
      config = io::parse_scheduler(text);
    } catch (const nlohmann::json::exception&) {
      return;
    }
    const auto scheduler = io::from_diffusers<double>(config, steps, data[1] & 2 ? std::optional(0.5) : std::nullopt);
    sample(scheduler.solver, fuzz::CheckedDenoiser{}, scheduler.schedule, 1., scheduler.options);
  });
  return 0;
}
