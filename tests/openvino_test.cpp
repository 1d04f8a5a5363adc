// Networks in OpenVINO.
#include "support/exported_networks.hpp"

#include <fewstep/runtimes/openvino.hpp>

#include <string>
#include <utility>

TEST_CASE("networks in OpenVINO") {
  static ov::Core core;
  fewstep::test::check_exported_networks([](const std::string& file, fewstep::ExportedOptions options) {
    // Rounded to bfloat16 on some processors otherwise.
    auto model =
        core.compile_model(FEWSTEP_TEST_EXPORTED "/" + file, "CPU", ov::hint::inference_precision(ov::element::f32));
    return fewstep::openvino_network(std::move(model), std::move(options));
  });
}
