// unet_check DIR: every network in DIR (NAME.safetensors with a NAME.json of recorded inputs and outputs) must load
// completely and reproduce the recorded outputs to 1e-4 times their largest value.
#include "../examples/commands/support/image_denoiser.hpp"

#include <torch/torch.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using fewstep::examples::load_denoiser;
using nlohmann::json;
namespace fs = std::filesystem;

constexpr double tolerance = 1e-4;

torch::Tensor recorded(const json& array) {
  return torch::tensor(array.at("data").get<std::vector<float>>())
      .reshape(array.at("shape").get<std::vector<std::int64_t>>());
}

torch::Tensor rows(const json& table) {
  std::vector<torch::Tensor> list;
  for (const json& row : table) list.push_back(torch::tensor(row.get<std::vector<float>>()));
  return torch::stack(list);
}

/// Prints one line; true when the computed tensor agrees with the recorded one.
bool agrees(const std::string& name, const char* what, const torch::Tensor& computed, const torch::Tensor& expected) {
  double error = std::numeric_limits<double>::infinity();
  if (computed.sizes() == expected.sizes())
    error = ((computed - expected).abs().max() / expected.abs().max()).item<double>();
  const bool good = error <= tolerance;  // false for NaN
  std::printf("%-4s %-16s %-24s error %.2e\n", good ? "ok" : "FAIL", name.c_str(), what, error);
  return good;
}

bool check(const fs::path& record_path, const fs::path& weights_path) {
  const std::string name = record_path.stem().string();
  try {
    const json record = json::parse(std::ifstream(record_path));
    const auto network = load_denoiser(weights_path);
    const torch::Tensor sigma = torch::tensor(record.at("sigma").get<std::vector<double>>(), torch::kFloat64);
    const json labels = record.value("labels", json());
    const auto output =
        network->forward(recorded(record.at("x")), sigma, labels.is_null() ? torch::Tensor() : rows(labels));
    const bool denoised = agrees(name, "denoised", output.denoised, recorded(record.at("denoised")));
    const bool feature =
        agrees(name, "bottleneck_channel_mean", output.feature, recorded(record.at("bottleneck_channel_mean")));
    return denoised && feature;
  } catch (const std::exception& error) {
    std::printf("FAIL %-16s %s\n", name.c_str(), error.what());
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: unet_check DIR\n");
    return 2;
  }
  std::error_code unreadable;
  std::vector<fs::path> records;
  for (const auto& entry : fs::directory_iterator(argv[1], unreadable))
    if (entry.path().extension() == ".json" && fs::exists(fs::path(entry.path()).replace_extension(".safetensors")))
      records.push_back(entry.path());
  if (records.empty()) {
    std::fprintf(stderr, "unet_check: no NAME.json with a NAME.safetensors in %s\n", argv[1]);
    return 1;
  }
  std::sort(records.begin(), records.end());
  const torch::NoGradGuard no_grad;
  bool all_good = true;
  for (const fs::path& record : records)
    all_good = check(record, fs::path(record).replace_extension(".safetensors")) && all_good;
  return all_good ? 0 : 1;
}
