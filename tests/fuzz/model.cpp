// Descriptions of exported models: read, and their denoisers called.
#include "fuzz.hpp"

#include <fewstep/denoisers/preconditioned.hpp>
#include <fewstep/io/model_file.hpp>
#include <fewstep/scalar.hpp>

using namespace fewstep;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::File file(data, size);
  fuzz::accepted([&] {
    const io::ModelFile model = io::read_model(file.path());
    if (!(model.sigma_min < model.sigma_max)) fuzz::fail("levels do not increase", "");
    const auto denoise = precondition([](double x, double) { return x; }, model.rule);
    double out = 0;
    denoise(1., 0.5 * (model.sigma_min + model.sigma_max), out);
  });
  return 0;
}
