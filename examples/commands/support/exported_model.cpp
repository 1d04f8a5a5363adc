#include "exported_model.hpp"

#include "runtimes.hpp"

#include <fewstep/io/model/exported_options.hpp>
#include <fewstep/io/model_file.hpp>
#include <fewstep/runtimes/exported.hpp>

#ifdef FEWSTEP_TORCH
#include "network.hpp"

#include <fewstep/torch/on_tensors.hpp>
#include <fewstep/torch/safetensors.hpp>

#include <torch/script.h>
#endif

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::examples {

namespace {

namespace fs = std::filesystem;
using io::Conditions;

using Values = std::map<std::string, Array>;

/// A loaded network for any values of its conditions.
struct Loaded {
  std::function<RawNetwork(Values)> with;
  std::vector<Port> inputs;  // as the runtime tells them; empty: it does not
};

#ifdef FEWSTEP_TORCH

/// @param text  a place among the outputs; empty: `otherwise`
int place_of(const std::string& text, const char* name, int otherwise) {
  if (text.empty()) return otherwise;
  require(text.find_first_not_of("0123456789") == text.npos && text.size() < 4, name, text,
          "places 0, 1, ...: outputs have no names in this runtime");
  return std::stoi(text);
}

TensorNetworkOptions tensor_options(const io::ModelFile& file, torch::Device device, const Values& values) {
  TensorNetworkOptions options{io::scalar_type(file.state.dtype.value_or(Dtype::f32)),
                               io::scalar_type(file.label.dtype.value_or(Dtype::f32)),
                               file.label.scalar,
                               file.batch,
                               {},
                               place_of(file.output, "output", 0),
                               place_of(file.feature, "feature", -1)};
  for (const io::ModelCondition& condition : file.conditions)
    options.conditions.push_back(io::tensor_of(values.at(condition.input)).to(device));
  return options;
}

Loaded torchscript(const io::ModelFile& file, const fs::path& folder, const std::string& device_name) {
  const torch::Device device = parse_device(device_name);
  const auto network = torchscript_network(torch::jit::load((folder / file.network).string(), device));
  return {[=](const Values& values) -> RawNetwork { return network.with(tensor_options(file, device, values)); }, {}};
}

Loaded aoti([[maybe_unused]] const io::ModelFile& file, [[maybe_unused]] const fs::path& folder) {
#if __has_include(<torch/csrc/inductor/aoti_package/model_package_loader.h>)
  const auto package = std::make_shared<torch::inductor::AOTIModelPackageLoader>((folder / file.network).string());
  return {[=](const Values& values) -> RawNetwork {
            return aoti_network(package, tensor_options(file, torch::kCPU, values));
          },
          {}};
#else
  refuse("runtime", "aoti", "others: LibTorch 2.6 or later has it");
#endif
}

auto on_samples(auto network) { return on_tensors(std::move(network)); }

#else

Loaded torchscript(const io::ModelFile&, const fs::path&, const std::string&) {
  refuse("runtime", "torchscript", "others: this program was built without LibTorch");
}
Loaded aoti(const io::ModelFile&, const fs::path&) {
  refuse("runtime", "aoti", "others: this program was built without LibTorch");
}

auto on_samples(auto network) { return network; }

#endif

Loaded exported(const io::ModelFile& file, const fs::path& folder, io::Runtime runtime) {
  return with_session<Loaded>(runtime, folder / file.network, [&](const auto& session) {
    io::require_described_types(file, session.inputs());
    return Loaded{[=](Values values) -> RawNetwork {
                    return on_samples(ExportedNetwork(session, io::exported_options(file, std::move(values))));
                  },
                  session.inputs()};
  });
}

Loaded load(const io::ModelFile& file, const fs::path& folder, const std::string& device) {
  if (!fs::exists(folder / file.network)) throw io::file_error(folder / file.network, "no such file");
  const io::Runtime runtime = chosen_runtime(file);
  require(device == "cpu" || runtime == io::Runtime::torchscript, "device", device, "cpu in this runtime");
  switch (runtime) {
    case io::Runtime::torchscript: return torchscript(file, folder, device);
    case io::Runtime::aoti: return aoti(file, folder);
    default: return exported(file, folder, runtime);
  }
}

/// The input of a condition, and that of the state, as far as the runtime tells them.
struct Inputs {
  std::vector<Port> ports;

  /// Null where the runtime does not tell its shape.
  const Port* named(const std::string& name) const {
    if (ports.empty()) return nullptr;
    const Port& port = ports[fewstep::detail::port_named(ports, name, "input")];
    return port.shape && !port.shape->empty() ? &port : nullptr;
  }
  /// The number of samples that the network was exported for; -1: any.
  std::int64_t batch(const io::ModelFile& file) const {
    const auto is_condition = [&](const Port& port) {
      return std::any_of(file.conditions.begin(), file.conditions.end(),
                         [&](const io::ModelCondition& c) { return c.input == port.name; });
    };
    for (const Port& port : ports)
      if (file.state.name.empty() ? !is_condition(port) && port.name != file.label.name : port.name == file.state.name)
        return port.shape && !port.shape->empty() ? port.shape->front() : -1;
    return -1;
  }
};

/// The number of rows that take turns in the values of an input: 1 where they are the same for all samples.
std::int64_t rows_of(const Array& values, const Port* port, std::int64_t batch) {
  const std::vector<std::int64_t>& shape = values.shape;
  if (shape.empty() || (port && port->shape->size() != shape.size())) return 1;
  const bool per_sample = !port || port->shape->front() < 0 || port->shape->front() == batch;
  return per_sample ? shape[0] : 1;
}

/// Rows first, first + 1, ..., `count` of `rows` that take turns.
Array window(const Array& values, std::int64_t rows, std::int64_t first, std::int64_t count) {
  if (rows <= 1) return values;
  const auto row = static_cast<std::ptrdiff_t>(values.bytes.size()) / rows;
  Array part{values.dtype, values.shape, {}};
  part.shape[0] = count;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto begin = values.bytes.begin() + (first + i) % rows * row;
    part.bytes.insert(part.bytes.end(), begin, begin + row);
  }
  return part;
}

}  // namespace

ExportedModel::ExportedModel(const fs::path& path, const std::string& device) : file_(io::read_model(path)) {
  const fs::path folder = path.parent_path();
  const Loaded loaded = io::detail::naming_file(path, [&] { return load(file_, folder, device); });
  const Inputs inputs{loaded.inputs};
  const std::int64_t batch = inputs.batch(file_);
  network_ = [=, file = file_](Conditions which, std::int64_t first, std::int64_t count) {
    return io::detail::naming_file(path, [&] {
      Values values = io::read_conditions(file, folder, which);
      for (auto& [name, array] : values) array = window(array, rows_of(array, inputs.named(name), batch), first, count);
      return loaded.with(std::move(values));
    });
  };
  for (const auto& [name, array] : io::read_conditions(file_, folder))
    rows_ = (std::max)(rows_, rows_of(array, inputs.named(name), batch));
  network_(Conditions::given, 0, rows_);  // reports values of another type or shape
}

}  // namespace fewstep::examples
