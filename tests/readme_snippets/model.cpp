// Shown in include/fewstep/io/README.md.
#include <fewstep/buffer.hpp>
#include <fewstep/io/model/exported_options.hpp>
#include <fewstep/io/model_file.hpp>

#include <filesystem>

using namespace fewstep;

template <class Network>
auto denoiser_of(const std::filesystem::path& folder, Network network) {
  const io::ModelFile file = io::read_model(folder / "model.json");
  const auto denoise = precondition(network(io::exported_options(file, folder)), file.rule);
  return denoise;
}

inline void compiled(const std::filesystem::path& folder) {
  const auto stand_in = [](const ExportedOptions&) {
    return [](const Buffer<float>& x, double, Buffer<float>& out) { out = x; };
  };
  sample(Euler{}, denoiser_of(folder, stand_in), karras({.steps = 2}), buffer_noise({1}, 4));
}
