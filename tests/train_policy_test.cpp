// The policy's network on tensors against the one in plain C++, and the command that trains it.
#include "../examples/commands/support/policy_forward.hpp"
#include "../examples/commands/support/tensor_file.hpp"
#include "../examples/policy/network.hpp"
#include "support/command.hpp"

#include <torch/torch.h>

#include <csignal>
#include <filesystem>
#include <string>

namespace fewstep::train_policy_test {

namespace fs = std::filesystem;
using namespace fewstep::examples;

namespace {

const std::string shipped = FEWSTEP_SOURCE_DIR "/examples/models/policy.safetensors";

struct Scratch : fewstep::test::Scratch {
  Scratch() : fewstep::test::Scratch("train_policy") {}
};

}  // namespace

TEST_CASE("the policy's network in plain C++ equals LibTorch's to 1e-5") {
  const PolicyNetwork network(shipped);
  const TensorFile file = load_tensors(shipped);
  PolicyWeights weights;
  for (const auto& [name, tensor] : file.tensors) {
    CHECK(tensor.scalar_type() == torch::kFloat16);
    weights[name] = tensor.to(torch::kFloat32);
  }
  torch::manual_seed(3);
  const torch::Tensor x = torch::randn({20, plan_numbers}), condition = 2 * torch::rand({20, condition_numbers}) - 1;
  const torch::Tensor label = 1.5 * torch::rand({20}) - 1, expected = policy_forward(weights, x, label, condition);
  torch::Tensor out = torch::empty_like(x);
  for (int i = 0; i < 20; ++i)
    network(x[i].data_ptr<float>(), label[i].item<float>(), condition[i].data_ptr<float>(), out[i].data_ptr<float>());
  CHECK((out - expected).abs().max().item<double>() < 1e-5 * expected.abs().max().item<double>());
}

TEST_CASE("train_policy gives the same weights twice, and measures them") {
  const Scratch scratch;
  const std::string arguments = "--updates 30 --batch 16 --plans 20 --threads 1 --out a.safetensors";
  const auto done = scratch.run("train_policy", arguments);
  INFO(done.text);
  REQUIRE(done.code == 0);
  CHECK_THAT(done.text, Catch::Contains("steps  NFE  success") && Catch::Contains("wrote a.safetensors"));
  CHECK_THAT(scratch.bytes("a.safetensors.log"), Catch::StartsWith("# train_policy " + arguments + "\n"));
  const std::string first = scratch.bytes("a.safetensors");
  REQUIRE(scratch.run("train_policy", arguments).code == 0);
  CHECK(scratch.bytes("a.safetensors") == first);
  REQUIRE(scratch.run("train_policy", arguments + " --seed 1").code == 0);
  CHECK(scratch.bytes("a.safetensors") != first);
}

TEST_CASE("train_policy leaves nothing after a signal, and draws guided plans") {
  const Scratch scratch;
  // Signalled twice, once it has begun, as `timeout` does. A shell's background processes ignore SIGINT.
  const auto stopped = scratch.shell(scratch.program("train_policy") +
                                     " --threads 1 & while ! [ -e policy.safetensors.lock ] && kill -0 $!; do :; done; "
                                     "kill $!; kill $!; wait $!");
  INFO(stopped.text);
  CHECK(stopped.code == 128 + SIGTERM);
  CHECK_THAT(stopped.text, Catch::Contains("nothing was written"));
  CHECK(fs::is_empty(scratch.dir));
  const auto guided = scratch.run("train_policy", "--evaluate '" + shipped + "' --plans 20 --guidance 2 --threads 1");
  INFO(guided.text);
  CHECK(guided.code == 0);
  CHECK_THAT(guided.text, Catch::Contains("\n    5   10  "));
}

}  // namespace fewstep::train_policy_test
