// The runtimes that this program was built with.
#pragma once

#include "threads.hpp"

#include <fewstep/errors.hpp>
#include <fewstep/io/model/file.hpp>

#ifdef FEWSTEP_ONNXRUNTIME
#include <fewstep/runtimes/onnxruntime.hpp>
#endif
#ifdef FEWSTEP_OPENVINO
#include <fewstep/runtimes/openvino.hpp>
#endif
#ifdef FEWSTEP_TORCH
#if __has_include(<torch/csrc/inductor/aoti_package/model_package_loader.h>)
#include <fewstep/runtimes/aoti.hpp>
#endif
#include <fewstep/runtimes/torchscript.hpp>
#endif

#include <filesystem>
#include <memory>

namespace fewstep::examples {

/// The runtime of a file. ONNX files without a named runtime run in whichever of the two there is.
/// @throws std::invalid_argument as io::runtime_of().
inline io::Runtime chosen_runtime(const io::ModelFile& file) {
#if defined(FEWSTEP_OPENVINO) && !defined(FEWSTEP_ONNXRUNTIME)
  if (!file.runtime && io::runtime_of(file) == io::Runtime::onnxruntime) return io::Runtime::openvino;
#endif
  return io::runtime_of(file);
}

/// Calls f with a session of ONNX Runtime or OpenVINO for ExportedNetwork.
/// @throws std::invalid_argument for a runtime that this program was built without.
template <class Result, class F>
Result with_session(io::Runtime runtime, [[maybe_unused]] const std::filesystem::path& path, [[maybe_unused]] F f) {
#ifdef FEWSTEP_ONNXRUNTIME
  static const Ort::Env environment(ORT_LOGGING_LEVEL_ERROR, "fewstep");
  if (runtime == io::Runtime::onnxruntime) {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(runtime_threads());
    return f(OnnxSession(std::make_shared<Ort::Session>(environment, path.c_str(), options)));
  }
#endif
#ifdef FEWSTEP_OPENVINO
  static ov::Core core;
  if (runtime == io::Runtime::openvino)
    return f(OpenVinoSession(core.compile_model(path.string(), "CPU", ov::hint::inference_precision(ov::element::f32),
                                                ov::inference_num_threads(runtime_threads()))));
#endif
  refuse("runtime", to_string(runtime), "others: this program was built without it");
}

}  // namespace fewstep::examples
