#include "decoder.hpp"

#include "runtimes.hpp"
#include "samples.hpp"
#include "signals.hpp"

#include <fewstep/io/model_file.hpp>

#ifdef FEWSTEP_TORCH
#include "network.hpp"

#include <fewstep/torch/safetensors.hpp>

#include <torch/script.h>
#include <torch/utils.h>
#endif

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace fewstep::examples {

namespace {

namespace fs = std::filesystem;

constexpr const char* decoder_format = "fewstep decoder 1";

/// Latents of one run to pictures.
struct DecoderRun {
  std::function<Array(const Array&)> run;
  std::int64_t batch = -1;  // of each run; -1: any
};

template <class Session>
DecoderRun exported_decoder(const Session& session) {
  require(session.inputs().size() == 1, "the decoder's inputs", fewstep::detail::text_of(session.inputs()), "one");
  const Port& in = session.inputs()[0];
  require(in.dtype == Dtype::f32, {"the type of the decoder's `", in.name, "`"}, to_string(in.dtype), "F32");
  const auto run = [session](const Array& latents) {
    std::vector<Fetch> fetches(1);
    session.run({Feed{0, latents.shape, latents.bytes.data()}}, fetches);
    return fetches[0].result;
  };
  return {run, in.shape && !in.shape->empty() ? in.shape->front() : -1};
}

#ifdef FEWSTEP_TORCH
DecoderRun torchscript_decoder(const fs::path& path, const std::string& device_name) {
  const torch::Device device = parse_device(device_name);
  const TorchScriptRun module{std::make_shared<torch::jit::Module>(torch::jit::load(path.string(), device))};
  return {[module, device](const Array& latents) {
    const torch::NoGradGuard no_grad;
    return io::array_of(module({io::tensor_of(latents).to(device)})[0].to(torch::kFloat32));
  }};
}
#else
DecoderRun torchscript_decoder(const fs::path&, const std::string&) {
  refuse("runtime", "torchscript", "others: this program was built without LibTorch");
}
#endif

DecoderRun decoder_run(const io::ModelFile& file, const fs::path& folder, const std::string& device) {
  const fs::path path = folder / file.network;
  if (!fs::exists(path)) throw io::file_error(path, "no such file");
  const io::Runtime runtime = chosen_runtime(file);
  require(runtime != io::Runtime::aoti, "runtime", "aoti", "onnxruntime, openvino, torchscript for a decoder");
  if (runtime == io::Runtime::torchscript) return torchscript_decoder(path, device);
  return with_session<DecoderRun>(runtime, path, [](const auto& session) { return exported_decoder(session); });
}

/// Rows first, first + 1, ..., the last one in place of those beyond it.
Array rows(const Array& all, std::int64_t first, std::int64_t count) {
  const auto row = static_cast<std::ptrdiff_t>(all.bytes.size()) / all.shape[0];
  Array part{all.dtype, all.shape, {}};
  part.shape[0] = count;
  for (std::int64_t i = first; i < first + count; ++i) {
    const auto begin = all.bytes.begin() + (std::min)(i, all.shape[0] - 1) * row;
    part.bytes.insert(part.bytes.end(), begin, begin + row);
  }
  return part;
}

/// All pictures, in parts of the decoder's batch.
Array decoded(const DecoderRun& network, const Array& latents, std::int64_t most) {
  const std::int64_t count = latents.shape[0], part = network.batch > 0 ? network.batch : (std::min)(most, count);
  std::vector<Array> pictures;
  for (std::int64_t first = 0; first < count; first += part) {
    throw_if_interrupted();
    const Array made = network.run(rows(latents, first, part));
    const bool shown = made.dtype == Dtype::f32 && made.shape.size() == 4 && made.shape[0] == part &&
                       (made.shape[1] == 1 || made.shape[1] == 3);
    require(shown, "the decoder's output", Port{{}, made.dtype, made.shape}.text(),
            {"pictures F32 [", part, ", 1 or 3, H, W]"});
    pictures.push_back(rows(made, 0, (std::min)(part, count - first)));
  }
  return joined(pictures);
}

}  // namespace

Decoder load_decoder(const fs::path& path, const std::vector<std::int64_t>& latent_shape, const std::string& device) {
  constexpr std::int64_t most = 8;  // pictures at once, which are much larger than latents
  const nlohmann::json json = io::read_json(path);
  return io::detail::naming_file(path, [&]() -> Decoder {
    const bool has_format = json.is_object() && json.contains("format") && json["format"].is_string();
    io::check_format(has_format ? json["format"].get<std::string>() : "", decoder_format, "a decoder");
    const io::detail::JsonObject top(json, "", {"format", "network", "runtime", "sample_shape", "data_range"},
                                     "the description of a decoder");
    io::ModelFile file;
    file.network = io::detail::file_beside(top, "network");
    if (top.has("runtime")) file.runtime = parse<io::Runtime>("runtime", top.text("runtime"));
    file.sample_shape = io::detail::shape_from_json(top);
    require(file.sample_shape == latent_shape, "sample_shape", Port{{}, Dtype::f32, file.sample_shape}.text(),
            {"that of the model, ", Port{{}, Dtype::f32, latent_shape}.text()});
    io::detail::read_range(top, "data_range", file.lowest_value, file.highest_value);
    const DecoderRun network = decoder_run(file, path.parent_path(), device);
    const auto decode = [=](const Array& latents) {
      return io::detail::naming_file(path, [&] { return decoded(network, latents, most); });
    };
    return {decode, file.lowest_value, file.highest_value};
  });
}

}  // namespace fewstep::examples
