// Networks in ONNX Runtime.
#include "support/exported_networks.hpp"

#include <fewstep/runtimes/onnxruntime.hpp>

#include <memory>
#include <string>
#include <utility>

TEST_CASE("networks in ONNX Runtime") {
  static const Ort::Env environment(ORT_LOGGING_LEVEL_ERROR, "test");
  fewstep::test::check_exported_networks([](const std::string& file, fewstep::ExportedOptions options) {
    auto session =
        std::make_shared<Ort::Session>(environment, (FEWSTEP_TEST_EXPORTED "/" + file).c_str(), Ort::SessionOptions());
    return fewstep::onnx_network(std::move(session), std::move(options));
  });
}
