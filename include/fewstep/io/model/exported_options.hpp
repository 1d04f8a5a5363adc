// What a description says of the inputs and outputs of a network in ONNX Runtime or OpenVINO.
#pragma once

#include "../../errors.hpp"
#include "../../runtimes/exported.hpp"
#include "../npy.hpp"
#include "file.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::io {

/// Which values a network's further inputs get.
enum class Conditions { given, unconditional };

/// Reads the values of a model's conditions from their .npy files.
///
/// @param folder  of the description
/// @throws std::invalid_argument for a condition without unconditional values, where these are asked for;
///         std::runtime_error as read_npy.
inline std::map<std::string, Array> read_conditions(const ModelFile& file, const std::filesystem::path& folder,
                                                    Conditions which = Conditions::given) {
  std::map<std::string, Array> values;
  for (const ModelCondition& condition : file.conditions) {
    const bool given = which == Conditions::given;
    require(given || !condition.unconditional.empty(), {"the unconditional values of `", condition.input, "`"},
            "missing", "a .npy file, for guidance");
    values[condition.input] = read_npy(folder / (given ? condition.values : condition.unconditional));
  }
  return values;
}

/// Returns the options of onnx_network() or openvino_network() for a described model.
/// @param conditions  the values of its further inputs
inline ExportedOptions exported_options(const ModelFile& file, std::map<std::string, Array> conditions) {
  return {file.state.name, file.label.name, file.output, file.feature, std::move(conditions), file.sample_shape};
}
/// The same with values from files; parameters and errors as read_conditions().
inline ExportedOptions exported_options(const ModelFile& file, const std::filesystem::path& folder,
                                        Conditions which = Conditions::given) {
  return exported_options(file, read_conditions(file, folder, which));
}

/// Checks what a description says although the runtime tells it.
/// @throws std::invalid_argument unless the network's inputs have the types that the description names; for a type
/// without a name, a batch or a scalar label.
inline void require_described_types(const ModelFile& file, const std::vector<Port>& inputs) {
  require(file.batch == 0, "batch", file.batch, "none in this runtime, which tells it");
  require(!file.label.scalar, "label.scalar", true, "none in this runtime, which tells it");
  for (const auto* input : {&file.state, &file.label}) {
    if (!input->dtype) continue;
    require(!input->name.empty(), "the name of an input with a type", "missing", "a name, in this runtime");
    const Port& port = inputs[fewstep::detail::port_named(inputs, input->name, "input")];
    require(port.dtype == *input->dtype, {"the described type of `", input->name, "`"}, to_string(*input->dtype),
            {to_string(port.dtype), ", as the network has"});
  }
}

}  // namespace fewstep::io
