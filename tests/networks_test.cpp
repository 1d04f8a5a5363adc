// The networks of weights files: what every architecture has, the transformer against plain tensor algebra, its
// training.
#include "../examples/commands/support/dit.hpp"
#include "../examples/commands/support/emoji.hpp"
#include "../examples/commands/support/image_denoiser.hpp"
#include "../examples/commands/support/tensor_file.hpp"
#include "../examples/commands/support/training_data.hpp"
#include "../examples/commands/support/unet.hpp"
#include "support/command.hpp"
#include "support/idx_images.hpp"
#include "support/message.hpp"
#include "support/tensors.hpp"

#include <fewstep/denoisers/flow.hpp>

#include <torch/torch.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::networks_test {

using namespace fewstep::examples;
using test::distance;
using test::message_of;
using test::Scratch;
using torch::Tensor;
namespace fs = std::filesystem;

namespace {

/// A network of a few thousand weights for 8x8 colour images of 3 classes.
DitConfig tiny() {
  DitConfig c;
  c.img_resolution = 8;
  c.label_dim = 3;
  c.hidden_size = 8;
  c.depth = 2;
  c.num_heads = 2;
  c.mlp_ratio = 2;
  return c;
}

/// With weights that are all random, in float64. A new network's velocity is 0.
std::shared_ptr<FlowDenoiser> random_network(const DitConfig& config = tiny()) {
  torch::manual_seed(5);
  auto network = std::make_shared<FlowDenoiser>(config);
  const torch::NoGradGuard no_grad;
  for (Tensor& weight : network->parameters()) weight.uniform_(-0.5, 0.5);
  network->to(torch::kFloat64);
  network->eval();
  return network;
}

struct Inputs {
  Tensor x, sigma, labels;
};

Inputs some_inputs() {
  torch::manual_seed(6);
  return {torch::randn({3, 3, 8, 8}, torch::kFloat64), torch::tensor({0.02, 0.7, 40.}, torch::kFloat64),
          class_rows(torch::tensor({2, 0, 1}), 3).to(torch::kFloat64)};
}

// The transformer once more, from its description: loops over samples and heads, patches by reshape.

using State = std::map<std::string, Tensor>;

Tensor plain_linear(const State& w, const std::string& name, const Tensor& x) {
  return torch::einsum("...i,oi->...o", {x, w.at("model." + name + ".weight")}) + w.at("model." + name + ".bias");
}

Tensor plain_norm(const Tensor& x) {
  const Tensor centred = x - x.mean(1, true);
  return centred / (centred.square().mean(1, true) + 1e-6).sqrt();
}

/// [tokens, width]: cos and sin of a token's row, then of its column.
Tensor plain_positions(int side, int width) {
  Tensor positions = torch::zeros({side * side, width}, torch::kFloat64);
  for (int row = 0; row < side; ++row)
    for (int column = 0; column < side; ++column)
      for (int k = 0; k < width / 4; ++k) {
        const double rate = std::pow(10'000., -static_cast<double>(k) / (width / 4));
        const double values[] = {std::cos(row * rate), std::sin(row * rate), std::cos(column * rate),
                                 std::sin(column * rate)};
        for (int part = 0; part < 4; ++part) positions[row * side + column][part * (width / 4) + k] = values[part];
      }
  return positions;
}

Tensor plain_condition(const State& w, double time, const Tensor& label) {
  Tensor angles = torch::zeros({128}, torch::kFloat64);
  for (int k = 0; k < 64; ++k) {
    angles[k] = std::cos(1'000 * time * std::pow(10'000., -k / 64.));
    angles[64 + k] = std::sin(1'000 * time * std::pow(10'000., -k / 64.));
  }
  const auto silu = [](const Tensor& x) { return x / (1 + (-x).exp()); };
  const Tensor embedding = plain_linear(w, "time1", silu(plain_linear(w, "time0", angles)));
  return silu(embedding + torch::mv(w.at("model.label.weight"), label));
}

/// One block on one sample [tokens, width].
Tensor plain_block(const State& w, const DitConfig& c, const std::string& name, Tensor x, const Tensor& condition) {
  const Tensor m = plain_linear(w, name + ".modulation", condition).reshape({6, c.hidden_size});
  const Tensor qkv = plain_linear(w, name + ".qkv", plain_norm(x) * (1 + m[1]) + m[0]);
  const std::int64_t size = c.hidden_size / c.num_heads;
  std::vector<Tensor> heads;
  for (std::int64_t h = 0; h < c.num_heads; ++h) {
    const auto part = [&](std::int64_t k) { return qkv.narrow(1, k * c.hidden_size + h * size, size); };
    const Tensor scores = part(0).mm(part(1).t()) / std::sqrt(static_cast<double>(size));
    heads.push_back((scores.exp() / scores.exp().sum(1, true)).mm(part(2)));
  }
  x = x + m[2] * plain_linear(w, name + ".proj", torch::cat(heads, 1));
  const Tensor h = plain_linear(w, name + ".fc1", plain_norm(x) * (1 + m[4]) + m[3]);
  const Tensor gelu = 0.5 * h * (1 + torch::tanh(std::sqrt(2 / M_PI) * (h + 0.044715 * h.pow(3))));
  return x + m[5] * plain_linear(w, name + ".fc2", gelu);
}

struct PlainOutput {
  Tensor velocity, feature;
};

/// Of one sample [C, R, R].
PlainOutput plain_dit(const State& w, const DitConfig& c, const Tensor& x_t, double time, const Tensor& label) {
  const std::int64_t side = c.side(), p = c.patch_size, channels = c.img_channels;
  const Tensor patches =
      x_t.reshape({channels, side, p, side, p}).permute({1, 3, 0, 2, 4}).reshape({side * side, channels * p * p});
  Tensor tokens =
      plain_linear(w, "patches", patches) + plain_positions(static_cast<int>(side), static_cast<int>(c.hidden_size));
  const Tensor condition = plain_condition(w, time, label);
  Tensor feature;
  for (std::int64_t i = 0; i < c.depth; ++i) {
    tokens = plain_block(w, c, "block" + std::to_string(i), tokens, condition);
    if (i + 1 == (c.depth + 1) / 2)
      feature = tokens.norm(2, 1).reshape({side / 2, 2, side / 2, 2}).mean(c10::IntArrayRef{1, 3}) /
                std::sqrt(static_cast<double>(c.hidden_size));
  }
  const Tensor m = plain_linear(w, "modulation", condition).reshape({2, c.hidden_size});
  const Tensor out = plain_linear(w, "out", plain_norm(tokens) * (1 + m[1]) + m[0]);
  return {out.reshape({side, side, channels, p, p}).permute({2, 0, 3, 1, 4}).reshape({channels, side * p, side * p}),
          feature};
}

}  // namespace

TEST_CASE("the transformer equals the same network in plain tensor algebra") {
  const torch::NoGradGuard no_grad;
  for (const std::int64_t depth : {1, 2, 3}) {
    DitConfig config = tiny();
    config.depth = depth;
    const auto network = random_network(config);
    const auto [x, sigma, labels] = some_inputs();
    const auto output = network->forward(x, sigma, labels);
    REQUIRE(output.feature.sizes() == c10::IntArrayRef{3, 2, 2});
    CHECK(config.feature_size() == 4);
    for (int b = 0; b < 3; ++b) {
      const double level = sigma[b].item<double>(), time = level / (1 + level);
      const Tensor x_t = x[b] / (1 + level);
      const PlainOutput plain = plain_dit(network->state(), config, x_t, time, labels[b]);
      CHECK(distance(output.denoised[b], x_t - time * plain.velocity) < 1e-10);
      CHECK(distance(output.feature[b], plain.feature) < 1e-10);
    }
  }
}

TEST_CASE("the transformer's D is from_flow() of its velocity, and x at sigma = 0") {
  const torch::NoGradGuard no_grad;
  const auto network = random_network();
  const auto [x, sigma, labels] = some_inputs();
  CHECK(distance(network->forward(x, torch::tensor(0.), labels).denoised, x) == 0);
  CHECK(distance(network->forward(x, torch::tensor(1e-9), labels).denoised, x) < 1e-8);
  const State state = network->state();
  const auto velocity = [&, label = labels[0]](const Tensor& x_t, const Tensor& time) {
    return plain_dit(state, tiny(), x_t[0], time.reshape({-1})[0].item<double>(), label).velocity.unsqueeze(0);
  };
  const auto denoise = from_flow(velocity);
  const Tensor one = x.narrow(0, 0, 1), row = labels.narrow(0, 0, 1);
  Tensor out, features;
  for (const double level : {0.02, 1., 80.}) {
    denoise(one, Level<Tensor>(level), out, features);
    CHECK(distance(network->forward(one, torch::tensor(level, torch::kFloat64), row).denoised, out) < 1e-10);
  }
}

TEST_CASE("the loss weight of each network makes the loss that of its own output") {
  const Tensor sigma = torch::tensor({0.1, 1., 30.}, torch::kFloat64), time = sigma / (1 + sigma);
  CHECK(distance(random_network()->loss_weight(sigma) * time.square(), torch::ones_like(sigma)) < 1e-12);
  UnetConfig config;
  config.model_channels = 4;
  config.channel_mult = {1};
  config.num_blocks = 1;
  config.sigma_data = 0.6;
  const Tensor c_out = sigma * 0.6 / (sigma.square() + 0.36).sqrt();
  CHECK(distance(EdmDenoiser(config).loss_weight(sigma) * c_out.square(), torch::ones_like(sigma)) < 1e-12);
}

TEST_CASE(
    "labels of the transformer: one row per sample, zeros or none for unconditional samples, dropped in training") {
  const torch::NoGradGuard no_grad;
  DitConfig config = tiny();
  config.label_dropout = 1;
  const auto network = random_network(config);
  const auto [x, sigma, labels] = some_inputs();
  const auto denoised = [&, x = x, sigma = sigma](const Tensor& rows) {
    return network->forward(x, sigma, rows).denoised;
  };
  const Tensor free = denoised({});
  CHECK(distance(denoised(torch::zeros({3, 3})), free) == 0);
  CHECK(distance(denoised(labels), free) > 1e-3);
  CHECK(distance(denoised(labels.roll(1, 0)), denoised(labels)) > 1e-3);
  network->train();
  CHECK(distance(denoised(labels), free) == 0);
}

TEST_CASE("the transformer has gradients by x, sigma and its weights, and computes in bfloat16") {
  const auto network = random_network();
  auto [x, sigma, labels] = some_inputs();
  x.requires_grad_();
  sigma.requires_grad_();
  const auto output = network->forward(x, sigma, labels);
  (output.denoised.sum() + output.feature.sum()).backward();
  CHECK(x.grad().abs().min().item<double>() > 0);
  CHECK(sigma.grad().abs().min().item<double>() > 0);
  for (const Tensor& weight : network->parameters()) CHECK(weight.grad().defined());

  const torch::NoGradGuard no_grad;
  network->to(torch::kFloat32);
  network->compute_type = torch::kBFloat16;
  const Tensor single = x.detach().to(torch::kFloat32);
  const auto narrow = network->forward(single, sigma, labels);
  CHECK(narrow.denoised.scalar_type() == torch::kFloat32);
  CHECK(narrow.feature.scalar_type() == torch::kFloat32);
  CHECK(distance(narrow.denoised, output.denoised.detach().to(torch::kFloat32)) < 0.1);
  CHECK(distance(narrow.denoised, output.denoised.detach().to(torch::kFloat32)) > 0);
}

TEST_CASE("the transformer rejects wrong shapes and configurations") {
  const auto network = random_network();
  const auto [x, sigma, labels] = some_inputs();
  CHECK(message_of([&, x = x] { network->forward(x.narrow(1, 0, 1), torch::tensor(1.)); }) ==
        "x has shape [3, 1, 8, 8], this network needs [B, 3, 8, 8]");
  CHECK(message_of([&, x = x] { network->forward(x, torch::ones(2)); }) ==
        "sigma has 2 values, allowed: 1 or the batch's 3");
  CHECK(message_of([&, x = x, s = sigma] { network->forward(x, s, torch::zeros({3, 4})); }) ==
        "labels have shape [3, 4], this network needs [3, 3]");
  const auto refused = [](auto change) {
    DitConfig config = tiny();
    change(config);
    return message_of([&] { FlowDenoiser{config}; });
  };
  CHECK(refused([](DitConfig& c) { c.num_heads = 3; }) ==
        "metadata: num_heads is 3; allowed: divisors of hidden_size, 8");
  CHECK(refused([](DitConfig& c) { c.img_resolution = 10; }) ==
        "metadata: img_resolution is 10; allowed: multiples of 4");
  CHECK(refused([](DitConfig& c) { c.hidden_size = 6; }) == "metadata: hidden_size is 6; allowed: multiples of 4");
  CHECK(refused([](DitConfig& c) { c.depth = 0; }) == "metadata: depth is 0; allowed: 1 to 128");
}

TEST_CASE("load_denoiser() builds the network that a file describes, and refuses metadata that lie by name") {
  const torch::NoGradGuard no_grad;
  const Scratch scratch("networks");
  DitConfig config = tiny();
  config.label_dropout = 0.25;
  config.labels = {"one", "two", "three"};
  const auto network = random_network(config);
  const fs::path path = scratch.dir / "n.safetensors";
  const TensorFile good{network->state(), network->metadata()};
  save_tensors(path, good);
  const auto loaded = load_denoiser(path);
  CHECK(loaded->metadata() == network->metadata());
  CHECK(loaded->config().label(1) == "two");
  CHECK_FALSE(loaded->is_training());
  loaded->to(torch::kFloat64);
  network->load_state(loaded->state());  // rounded to float32
  const auto [x, sigma, labels] = some_inputs();
  CHECK(distance(loaded->forward(x, sigma, labels).denoised, network->forward(x, sigma, labels).denoised) < 1e-12);

  const auto refused = [&](const std::string& entry, const std::string& from, const std::string& to) {
    TensorFile file = good;
    std::string& text = file.metadata.at(entry);
    REQUIRE(text.find(from) != std::string::npos);
    text.replace(text.find(from), from.size(), to);
    save_tensors(path, file);
    return message_of([&] { load_denoiser(path); }).substr(path.string().size() + 2);
  };
  CHECK(refused("process", "flow", "vp") == "metadata: process is vp; allowed: flow");
  CHECK(refused("arch", "DiT", "UViT") == "metadata: model_type is UViT; allowed: SongUNet, DhariwalUNet, DiT");
  CHECK(refused("arch", "\"depth\":2", "\"depth\":3") == "tensor model.block2.fc1.bias is missing");
  CHECK(refused("arch", "\"depth\":2", "\"depth\":1") == "tensor model.block1.fc1.bias is not part of this network");
  CHECK(refused("arch", "\"hidden_size\":8", "\"hidden_size\":16") ==
        "tensor model.block0.fc1.bias has shape [16], the network needs [32]");
  CHECK(refused("arch", "\"hidden_size\":8", "\"hidden_size\":4096") ==
        "the network has 4.7e+08 weights or more, the tensors hold 3.48e+03 numbers");
  CHECK(refused("arch", "\"depth\":2", "\"depth\":2.5") == "metadata: depth has the unusable value 2.5");
  CHECK(refused("arch", "\"depth\"", "\"deep\"") == "metadata: arch has the unknown entry deep");
  CHECK(refused("label_dim", "3", "2") == "metadata: the number of labels is 3; allowed: 2, as label_dim");
  CHECK(refused("img_channels", "3", "1") == "tensor model.out.bias has shape [12], the network needs [4]");
}

TEST_CASE("train_denoiser --architecture dit: a resumed run equals an uninterrupted one; sample takes its weights") {
  const Scratch scratch("train_dit");
  test::write_images(scratch.dir / "data", "train", 40);
  test::write_images(scratch.dir / "data", "t10k", 250);
  const std::string common =
      "--architecture dit --data data --hidden-size 8 --depth 1 --heads 2 --batch 8 --constant-lr --test-images 250 ";
  const auto train = [&](const std::string& arguments) {
    const auto outcome = scratch.run("train_denoiser", common + arguments);
    INFO(outcome.text);
    CHECK(outcome.code == 0);
  };
  const auto weights = [&](const std::string& file) { return load_tensors(scratch.dir / file).tensors; };
  train("--images 64 --publish-interval 0.001 --out whole.safetensors");
  train("--images 24 --out parts.safetensors");
  const auto early = weights("parts.safetensors");
  train("--images 64 --out parts.safetensors");
  const auto whole = weights("whole.safetensors"), parts = weights("parts.safetensors");
  REQUIRE(whole.size() == parts.size());
  double moved = 0;
  for (const auto& [name, tensor] : whole) {
    INFO(name);
    CHECK(torch::equal(tensor, parts.at(name)));
    moved += (tensor - early.at(name)).abs().sum().item<double>();
  }
  CHECK(moved > 0);
  const auto loaded = load_denoiser(scratch.dir / "whole.safetensors");
  CHECK(loaded->config().img_channels == 1);
  CHECK(loaded->config().label(9) == "boot");
  const auto drawn = scratch.run("sample",
                                 "--model whole.safetensors --class 9 --guidance 2 --steps 2 --seeds 0-1 "
                                 "--out grid.png");
  INFO(drawn.text);
  CHECK(drawn.code == 0);
}

TEST_CASE("emoji as training data: two splits without a common image, symbols are not mirrored") {
  if (!fs::exists(emoji_font) || !fs::exists(emoji_list)) {
    WARN("skipped: fonts-noto-color-emoji and unicode-data are not installed");
    return;
  }
  const TrainingData data = load_training_data("emoji", "");
  const std::int64_t count = data.train.images.size(0);
  CHECK(count > 1'000);
  CHECK(data.test.images.size(0) > 50);
  CHECK(data.train.images.sizes() == c10::IntArrayRef{count, 3, 32, 32});
  CHECK(data.labels.size() == 8);
  CHECK(data.train.images.min().item<float>() >= -1);
  CHECK(data.train.images.max().item<float>() <= 1);
  CHECK((data.train.images.select(2, 0).select(2, 0) == 1).to(torch::kFloat32).mean().item<float>() >
        0.7);  // white corners
  for (std::int64_t c = 0; c < 8; ++c) CHECK((data.train.labels == c).sum().item<std::int64_t>() > 50);
  const Tensor symbols = data.train.labels == emoji_symbols;
  CHECK(torch::equal(data.mirrors, symbols.logical_not()));

  torch::manual_seed(1);
  const Tensor mirrored = mirrored_at_random(data.train.images, data.mirrors);
  const auto same = [&](const Tensor& other) { return (mirrored == other).flatten(1).all(1); };
  CHECK(same(data.train.images).logical_or(same(data.train.images.flip({3}))).all().item<bool>());
  CHECK(same(data.train.images).masked_select(symbols).all().item<bool>());
  CHECK(same(data.train.images).to(torch::kFloat32).mean().item<double>() == Approx(0.6).margin(0.1));
}

}  // namespace fewstep::networks_test
