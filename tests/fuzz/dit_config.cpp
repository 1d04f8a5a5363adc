// A transformer's settings, as metadata of its file: as in unet_config.cpp.
#include "../../examples/commands/support/dit_config.hpp"
#include "fuzz.hpp"

#include <fewstep/io/json_file.hpp>

using namespace fewstep;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::map<std::string, std::string> metadata;
  try {
    const auto json = io::parse_json(std::string(reinterpret_cast<const char*>(data), size));
    for (const auto& [key, value] : json.items())
      metadata[key] = value.is_string() ? value.get<std::string>() : io::dump_json(value);
  } catch (const std::exception&) {
    return 0;
  }
  fuzz::accepted([&] {
    const auto parse = [&] { return examples::parse_dit_config(metadata); };
    const examples::DitConfig config = io::detail::naming_file("network.safetensors", parse);
    const double weights = examples::least_weights(config);
    if (!(weights > 0 && std::isfinite(weights))) fuzz::fail("the number of weights of a valid configuration");
  });
  return 0;
}
