// Trains the classifier in whose features `evaluate` compares sets of images, on the first 50,000 images of
// Fashion-MNIST: the last 10,000 are for choosing settings, the test images for the final table.
#include "support/classifier.hpp"
#include "support/command_line.hpp"
#include "support/fashion_mnist.hpp"
#include "support/network.hpp"
#include "support/output.hpp"
#include "support/progress.hpp"

#include <CLI/CLI.hpp>

#include <cmath>
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

/// The share of images whose class is found.
double accuracy(Classifier& classifier, const Tensor& images, const Tensor& labels) {
  const torch::NoGradGuard no_grad;
  std::int64_t right = 0;
  for (std::int64_t at = 0; at < images.size(0); at += 500)
    right += (classifier.forward(images.narrow(0, at, 500)).logits.argmax(1) == labels.narrow(0, at, 500))
                 .sum()
                 .item<std::int64_t>();
  return static_cast<double>(right) / static_cast<double>(images.size(0));
}

/// Mirrored half of the time, and moved by up to two pixels.
Tensor augmented(const Tensor& images) {
  const Tensor mirrored = torch::where(torch::rand({images.size(0), 1, 1, 1}) < 0.5, images.flip({3}), images);
  const auto shift = torch::randint(-2, 3, {2}, torch::kInt64);
  return mirrored.roll({shift[0].item<std::int64_t>(), shift[1].item<std::int64_t>()}, {2, 3});
}

void train(const Settings& s, const std::string& command) {
  torch::manual_seed(s.seed);
  const LabelledImages all = load_fashion_mnist(s.data, "train"), test = load_fashion_mnist(s.data, "t10k");
  constexpr std::int64_t count = 50'000;
  Classifier classifier;
  torch::optim::AdamW adam(classifier.parameters(), torch::optim::AdamWOptions(s.lr).weight_decay(0.05));
  const std::int64_t updates = s.epochs * (count / s.batch);
  Progress bar("train", static_cast<double>(updates), "updates");
  Tensor order;
  for (std::int64_t k = 0; k < updates; ++k) {
    const std::int64_t place = k % (count / s.batch) * s.batch;
    if (place == 0) order = torch::randperm(count);
    const Tensor rows = order.narrow(0, place, s.batch);
    const double share = static_cast<double>(k) / static_cast<double>(updates);
    for (auto& group : adam.param_groups())
      static_cast<torch::optim::AdamWOptions&>(group.options()).lr(s.lr * 0.5 * (1 + std::cos(std::acos(-1.) * share)));
    const Tensor loss = torch::cross_entropy_loss(
        classifier.forward(augmented(all.images.index_select(0, rows))).logits, all.labels.index_select(0, rows));
    adam.zero_grad();
    loss.backward();
    adam.step();
    char note[32];
    std::snprintf(note, sizeof note, "loss %.3f", loss.item<double>());
    bar.update(static_cast<double>(k + 1), note);
  }
  bar.finish();
  const double held = accuracy(classifier, all.images.narrow(0, count, 10'000), all.labels.narrow(0, count, 10'000));
  const double tested = accuracy(classifier, test.images, test.labels);
  fewstep::io::TensorFile file{{}, {{"training_command", command}, {"test_accuracy", std::to_string(tested)}}};
  for (const auto& entry : classifier.named_parameters()) file.tensors[entry.key()] = entry.value().detach();
  fewstep::io::save_tensors(s.out, file);
  std::printf("accuracy %.4f on the last 10,000 training images, %.4f on the test images\nwrote %s\n", held, tested,
              s.out.string().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CLI::App app{"Trains the classifier whose features `evaluate` compares images in."};
  plain_words(app);
  app.add_option("--data", s.data, "folder of the IDX files");
  app.add_option("--out", s.out, "weights to write");
  app.add_option("--epochs", s.epochs, "passes over the images")->check(CLI::Range(1, 1'000));
  app.add_option("--batch", s.batch, "images per update")->check(CLI::Range(1, 50'000));
  app.add_option("--lr", s.lr, "peak learning rate")->check(CLI::PositiveNumber);
  app.add_option("--seed", s.seed, "of weights and order");
  finite_numbers(app);
  CLI11_PARSE(app, argc, argv);
  try {
    keep_freed_memory();
    check_output("out", s.out, ".safetensors");
    std::string command = "train_classifier";
    for (int i = 1; i < argc; ++i) command += std::string(" ") + argv[i];
    train(s, command);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", first_line(error).c_str());
    return 1;
  }
}
