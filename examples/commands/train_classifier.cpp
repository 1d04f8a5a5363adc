// Trains the classifier whose features `evaluate` uses to compare sets of images, on the first 50,000 training images
// of Fashion-MNIST. The last 10,000 are reserved for choosing settings, the test images for measuring.
#include "support/classifier.hpp"
#include "support/command_line.hpp"
#include "support/fashion_mnist.hpp"
#include "support/output.hpp"
#include "support/progress.hpp"
#include "support/signals.hpp"
#include "support/tensor_file.hpp"

#include <torch/optim/adamw.h>
#include <torch/utils.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

namespace {

using namespace fewstep::examples;
using torch::Tensor;

struct Settings {
  std::string data = fashion_mnist_folder;
  std::filesystem::path out = "fashion_mnist_classifier.safetensors";
  int epochs = 12;
  std::int64_t batch = 128;
  double lr = 3e-3;
  std::uint64_t seed = 0;
};

constexpr std::int64_t training_images = 50'000, held_out_images = 10'000;

void add_options(CommandLine& line, Settings& s) {
  line.option("--data", s.data, "folder of the IDX files");
  line.option("--out", s.out, "weights to write (.safetensors)");
  line.option("--epochs", s.epochs, "passes over the images").range(1, 1'000);
  line.option("--batch", s.batch, "images per update").range(1, 50'000);
  line.option("--lr", s.lr, "peak learning rate");
  line.option("--seed", s.seed, "seed of weights and order");
}

/// The share of images that are classified correctly.
double accuracy(const Classifier& classifier, const Tensor& images, const Tensor& labels) {
  constexpr std::int64_t batch = 500;
  const torch::NoGradGuard no_grad;
  std::int64_t right = 0;
  for (std::int64_t at = 0; at < images.size(0); at += batch)
    right += (classifier.forward(images.narrow(0, at, batch)).logits.argmax(1) == labels.narrow(0, at, batch))
                 .sum()
                 .item<std::int64_t>();
  return static_cast<double>(right) / static_cast<double>(images.size(0));
}

/// Mirrors half of the images and moves them all by up to two pixels.
Tensor augmented(const Tensor& images) {
  const Tensor mirrored = torch::where(torch::rand({images.size(0), 1, 1, 1}) < 0.5, images.flip({3}), images);
  const auto shift = torch::randint(-2, 3, {2}, torch::kInt64);
  return mirrored.roll({shift[0].item<std::int64_t>(), shift[1].item<std::int64_t>()}, {2, 3});
}

void train(const Settings& s, Classifier& classifier, const LabelledImages& images) {
  torch::optim::AdamW adam(classifier.parameters(), torch::optim::AdamWOptions(s.lr).weight_decay(0.05));
  const std::int64_t per_epoch = training_images / s.batch, updates = s.epochs * per_epoch;
  Progress bar("train", static_cast<double>(updates), "updates");
  Tensor order;
  for (std::int64_t k = 0; k < updates; ++k) {
    throw_if_interrupted();
    const std::int64_t place = k % per_epoch * s.batch;
    if (place == 0) order = torch::randperm(training_images);
    const Tensor rows = order.narrow(0, place, s.batch);
    const double share = static_cast<double>(k) / static_cast<double>(updates);
    for (auto& group : adam.param_groups())
      static_cast<torch::optim::AdamWOptions&>(group.options()).lr(s.lr * 0.5 * (1 + std::cos(std::acos(-1.) * share)));
    const Tensor loss = torch::cross_entropy_loss(
        classifier.forward(augmented(images.images.index_select(0, rows))).logits, images.labels.index_select(0, rows));
    adam.zero_grad();
    loss.backward();
    adam.step();
    char note[32];
    std::snprintf(note, sizeof note, "loss %.3f", loss.item<double>());
    bar.update(static_cast<double>(k + 1), note);
  }
}

void run(const Settings& s, const std::string& command) {
  check_output("out", s.out, ".safetensors");
  torch::manual_seed(s.seed);
  const LabelledImages all = load_fashion_mnist(s.data, "train"), test = load_fashion_mnist(s.data, "t10k");
  Classifier classifier;
  train(s, classifier, all);
  const double held_out = accuracy(classifier, all.images.narrow(0, training_images, held_out_images),
                                   all.labels.narrow(0, training_images, held_out_images));
  const double tested = accuracy(classifier, test.images, test.labels);
  TensorFile file{{}, {{"training_command", command}, {"test_accuracy", std::to_string(tested)}}};
  for (const auto& [name, parameter] : classifier.named_parameters()) file.tensors[name] = parameter.detach();
  save_tensors(s.out, file);
  std::printf("accuracy %.4f on the last 10,000 training images, %.4f on the test images\nwrote %s\n", held_out, tested,
              s.out.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CommandLine line("train_classifier", "Trains the classifier whose features `evaluate` uses to compare images.");
  add_options(line, s);
  return line.run(argc, argv, [&] { run(s, line.text()); });
}
