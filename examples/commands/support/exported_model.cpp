#include "exported_model.hpp"

#include <fewstep/io/model/exported_options.hpp>
#include <fewstep/io/model_file.hpp>
#include <fewstep/runtimes/torchscript.hpp>
#include <fewstep/torch/on_tensors.hpp>
#if __has_include(<torch/csrc/inductor/aoti_package/model_package_loader.h>)
#include <fewstep/runtimes/aoti.hpp>
#endif
#ifdef FEWSTEP_ONNXRUNTIME
#include <fewstep/runtimes/onnxruntime.hpp>
#endif
#ifdef FEWSTEP_OPENVINO
#include <fewstep/runtimes/openvino.hpp>
#endif

#include <torch/script.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::examples {

namespace {

namespace fs = std::filesystem;
using io::Conditions;

/// A network for given or unconditional values of its conditions.
using Loaded = std::function<RawNetwork(Conditions)>;

torch::ScalarType scalar_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::f16: return torch::kHalf;
    case Dtype::bf16: return torch::kBFloat16;
    case Dtype::f32: return torch::kFloat32;
    case Dtype::f64: return torch::kFloat64;
    case Dtype::i32: return torch::kInt32;
    case Dtype::i64: return torch::kInt64;
    case Dtype::boolean: return torch::kBool;
    default: refuse("the type", to_string(dtype), "BOOL, F16, BF16, F32, F64, I32, I64 in LibTorch's runtimes");
  }
}

torch::Tensor tensor_of(const Array& array) {
  const torch::Tensor tensor = torch::empty(array.shape, scalar_type(array.dtype));
  std::memcpy(tensor.data_ptr(), array.bytes.data(), array.bytes.size());
  return tensor;
}

/// @param text  a place among the outputs; empty: `otherwise`
int place_of(const std::string& text, const char* name, int otherwise) {
  if (text.empty()) return otherwise;
  require(text.find_first_not_of("0123456789") == text.npos && text.size() < 4, name, text,
          "places 0, 1, ...: outputs have no names in this runtime");
  return std::stoi(text);
}

TensorNetworkOptions tensor_options(const io::ModelFile& file, const fs::path& folder, torch::Device device,
                                    Conditions which) {
  TensorNetworkOptions options{scalar_type(file.state.dtype.value_or(Dtype::f32)),
                               scalar_type(file.label.dtype.value_or(Dtype::f32)),
                               file.label.scalar,
                               file.batch,
                               {},
                               place_of(file.output, "output", 0),
                               place_of(file.feature, "feature", -1)};
  const auto values = io::read_conditions(file, folder, which);
  for (const io::ModelCondition& condition : file.conditions)
    options.conditions.push_back(tensor_of(values.at(condition.input)).to(device));
  return options;
}

Loaded torchscript(const io::ModelFile& file, const fs::path& folder, torch::Device device) {
  const auto network = torchscript_network(torch::jit::load((folder / file.network).string(), device));
  return [=](Conditions which) -> RawNetwork { return network.with(tensor_options(file, folder, device, which)); };
}

Loaded aoti([[maybe_unused]] const io::ModelFile& file, [[maybe_unused]] const fs::path& folder) {
#if __has_include(<torch/csrc/inductor/aoti_package/model_package_loader.h>)
  const auto package = std::make_shared<torch::inductor::AOTIModelPackageLoader>((folder / file.network).string());
  return [=](Conditions which) -> RawNetwork {
    return aoti_network(package, tensor_options(file, folder, torch::kCPU, which));
  };
#else
  refuse("runtime", "aoti", "others: LibTorch 2.6 or later has it");
#endif
}

Loaded onnxruntime([[maybe_unused]] const io::ModelFile& file, [[maybe_unused]] const fs::path& folder) {
#ifdef FEWSTEP_ONNXRUNTIME
  static const Ort::Env environment(ORT_LOGGING_LEVEL_ERROR, "fewstep");
  const OnnxSession session(
      std::make_shared<Ort::Session>(environment, (folder / file.network).c_str(), Ort::SessionOptions()));
  io::require_described_types(file, session.inputs());
  return [=](Conditions which) -> RawNetwork {
    return on_tensors(OnnxNetwork(session, io::exported_options(file, folder, which)));
  };
#else
  refuse("runtime", "onnxruntime", "others: this program was built without ONNX Runtime");
#endif
}

Loaded openvino([[maybe_unused]] const io::ModelFile& file, [[maybe_unused]] const fs::path& folder) {
#ifdef FEWSTEP_OPENVINO
  static ov::Core core;
  const OpenVinoSession session(
      core.compile_model((folder / file.network).string(), "CPU", ov::hint::inference_precision(ov::element::f32)));
  io::require_described_types(file, session.inputs());
  return [=](Conditions which) -> RawNetwork {
    return on_tensors(OpenVinoNetwork(session, io::exported_options(file, folder, which)));
  };
#else
  refuse("runtime", "openvino", "others: this program was built without OpenVINO");
#endif
}

/// ONNX files without a named runtime run in whichever of the two there is.
io::Runtime chosen_runtime(const io::ModelFile& file) {
#if defined(FEWSTEP_OPENVINO) && !defined(FEWSTEP_ONNXRUNTIME)
  if (!file.runtime && io::runtime_of(file) == io::Runtime::onnxruntime) return io::Runtime::openvino;
#endif
  return io::runtime_of(file);
}

Loaded load(const io::ModelFile& file, const fs::path& folder, torch::Device device) {
  if (!fs::exists(folder / file.network)) throw io::file_error(folder / file.network, "no such file");
  const io::Runtime runtime = chosen_runtime(file);
  require(device.is_cpu() || runtime == io::Runtime::torchscript, "device", device.str(), "cpu in this runtime");
  switch (runtime) {
    case io::Runtime::onnxruntime: return onnxruntime(file, folder);
    case io::Runtime::openvino: return openvino(file, folder);
    case io::Runtime::torchscript: return torchscript(file, folder, device);
    default: return aoti(file, folder);
  }
}

}  // namespace

ExportedModel::ExportedModel(const fs::path& path, torch::Device device) : file_(io::read_model(path)) {
  const auto loaded = io::detail::naming_file(path, [&] { return load(file_, path.parent_path(), device); });
  const auto with = [path, loaded](Conditions which) {
    return io::detail::naming_file(path, [&] { return loaded(which); });
  };
  network_ = with(Conditions::given);
  for (const auto& [name, values] : io::read_conditions(file_, path.parent_path()))
    if (!values.shape.empty()) rows_ = (std::max)(rows_, values.shape[0]);
  unconditional_ = [with] { return with(Conditions::unconditional); };
}

}  // namespace fewstep::examples
