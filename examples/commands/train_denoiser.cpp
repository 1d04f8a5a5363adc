// Trains the class-conditional denoiser that the examples ship, on Fashion-MNIST, with the loss of Karras et al. 2022
// (EDM, arXiv 2206.00364, table 1): sigma log-normal, weight (sigma^2 + sd^2) / (sigma sd)^2.
//
// All randomness of step k comes from (seed, k) alone, so a run that was killed and resumed sees the same numbers as
// one that was not.
#include "support/command_line.hpp"
#include "support/fashion_mnist.hpp"
#include "support/output.hpp"
#include "support/progress.hpp"
#include "support/unet.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace {

using namespace fewstep::examples;
using torch::Tensor;
namespace fs = std::filesystem;
namespace io = fewstep::io;

constexpr double p_mean = -1.2, p_std = 1.2;

struct Settings {
  std::string data = fashion_mnist_folder, out = "fashion_mnist.safetensors", evaluate;
  std::int64_t images = 400'000, batch = 48, threads = 0, seed = 0, test_images = 2'000;
  double lr = 1.5e-3, warmup = 8'000, ema = 20'000, checkpoint_seconds = 120, test_seconds = 600;
  UnetConfig net;
  bool bf16 = false;
};

/// One noise level per image, at evenly spaced quantiles of the log-normal: the mean loss of a batch varies far less
/// than with independent draws.
Tensor stratified_sigmas(std::int64_t count) {
  const Tensor quantile =
      ((torch::arange(count, torch::kFloat64) + torch::rand({1}, torch::kFloat64)) / count).clamp(1e-6, 1 - 1e-6);
  return (p_mean + p_std * std::sqrt(2.) * torch::erfinv(2 * quantile - 1)).exp().to(torch::kFloat32);
}

/// Mean weighted squared error over all pixels, for noise from LibTorch's current random state.
Tensor edm_loss(const EdmDenoiser& net, const Tensor& images, const Tensor& labels, const Tensor& sigma) {
  const double sd = net.config().sigma_data;
  const Tensor level = sigma.view({-1, 1, 1, 1});
  const Tensor denoised = net.forward(images + level * torch::randn_like(images), sigma, labels).denoised;
  const Tensor weight = (level.square() + sd * sd) / (level * sd).square();
  return (weight * (denoised - images).square()).mean();
}

/// The same loss over the first `count` images of a split, with fixed noise and `repeats` noise levels per image.
double split_loss(EdmDenoiser& net, const LabelledImages& split, std::int64_t count, bool with_labels, int repeats) {
  const torch::NoGradGuard no_grad;
  const bool was_training = net.is_training();
  net.eval();
  constexpr std::int64_t batch = 250;
  torch::manual_seed(20231);
  double sum = 0;
  std::int64_t batches = 0;
  for (int repeat = 0; repeat < repeats; ++repeat)
    for (std::int64_t at = 0; at + batch <= count; at += batch, ++batches) {
      const Tensor labels =
          with_labels ? class_rows(split.labels.narrow(0, at, batch), net.config().label_dim) : Tensor();
      // Shuffled, so that an image's place in the file says nothing about its noise levels.
      const Tensor sigma = stratified_sigmas(batch).index_select(0, torch::randperm(batch));
      sum += edm_loss(net, split.images.narrow(0, at, batch), labels, sigma).item<double>();
    }
  net.train(was_training);
  return sum / static_cast<double>(batches);
}

class Trainer {
 public:
  explicit Trainer(const Settings& settings)
      : s_(settings),
        net_(settings.net),
        ema_(settings.net),
        adam_(net_.parameters(), torch::optim::AdamOptions(settings.lr).betas({0.9, 0.99})),
        train_(load_fashion_mnist(s_.data, "train")),
        test_(load_fashion_mnist(s_.data, "t10k")) {
    net_.channels_last = ema_.channels_last = s_.bf16;
    if (s_.bf16) net_.compute_type = ema_.compute_type = torch::kBFloat16;
    for (auto* net : {&net_, &ema_})
      if (net->channels_last) {
        const torch::NoGradGuard no_grad;
        for (Tensor& p : net->parameters())
          if (p.dim() == 4) p.set_data(p.contiguous(torch::MemoryFormat::ChannelsLast));
      }
    ema_.load_state(net_.state());
    if (fs::exists(checkpoint_path())) resume();
  }

  void run(const std::string& command) {
    std::int64_t parameters = 0;
    for (const Tensor& p : net_.parameters()) parameters += p.numel();
    std::ofstream log(s_.out + ".log", std::ios::app);
    log << "# " << command << "\n# " << parameters << " parameters, starting at image " << seen_ << std::endl;
    Progress bar("train", static_cast<double>(s_.images), "images", static_cast<double>(seen_));
    auto saved = Clock::now(), tested = saved;
    while (seen_ < s_.images) {
      const double loss = step();
      mean_loss_ += std::max(0.005, 1. / static_cast<double>(seen_ / s_.batch)) * (loss - mean_loss_);
      char note[64];
      std::snprintf(note, sizeof note, "loss %.4f", mean_loss_);
      bar.update(static_cast<double>(seen_), note);
      if (elapsed(saved) > s_.checkpoint_seconds) {
        save();
        saved = Clock::now();
      }
      if (elapsed(tested) > s_.test_seconds) {
        log << "images " << seen_ << "  train loss " << mean_loss_ << "  test loss (first " << s_.test_images
            << ", EMA) " << split_loss(ema_, test_, s_.test_images, true, 1) << std::endl;
        tested = Clock::now();
      }
    }
    bar.finish();
    save();
    const double loss = split_loss(ema_, test_, 10'000, true, 2),
                 unlabelled = split_loss(ema_, test_, 10'000, false, 2);
    log << "images " << seen_ << "  test loss (all 10000, EMA) " << loss << " with labels, " << unlabelled << " without"
        << std::endl;
    std::printf("test loss %.4f with labels, %.4f without\n", loss, unlabelled);
    publish(command, loss, unlabelled);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double elapsed(Clock::time_point since) { return std::chrono::duration<double>(Clock::now() - since).count(); }
  std::string checkpoint_path() const { return s_.out + ".checkpoint"; }

  double step() {
    const std::int64_t k = seen_ / s_.batch, per_epoch = train_.images.size(0) / s_.batch;
    if (k / per_epoch != epoch_) {
      epoch_ = k / per_epoch;
      torch::manual_seed(static_cast<std::uint64_t>(s_.seed * 1'000'003 + epoch_));
      order_ = torch::randperm(train_.images.size(0));
    }
    torch::manual_seed(static_cast<std::uint64_t>((s_.seed + 1) * 1'000'000'007 + k));
    const Tensor rows = order_.narrow(0, k % per_epoch * s_.batch, s_.batch);

    const double done = static_cast<double>(seen_) / static_cast<double>(s_.images);
    const double warm = std::min(1., static_cast<double>(seen_ + s_.batch) / s_.warmup);
    for (auto& group : adam_.param_groups()) group.options().set_lr(s_.lr * warm * 0.5 * (1 + std::cos(M_PI * done)));

    const Tensor loss =
        edm_loss(net_, train_.images.index_select(0, rows),
                 class_rows(train_.labels.index_select(0, rows), s_.net.label_dim), stratified_sigmas(s_.batch));
    adam_.zero_grad();
    loss.backward();
    adam_.step();
    seen_ += s_.batch;

    // Averages over a growing span at first, so that the random start is soon forgotten (EDM, appendix F).
    const torch::NoGradGuard no_grad;
    const double half_life = std::min(s_.ema, 0.05 * static_cast<double>(seen_));
    const double keep = std::exp2(-static_cast<double>(s_.batch) / half_life);
    const auto fresh = net_.parameters();
    auto average = ema_.parameters();
    for (std::size_t i = 0; i < fresh.size(); ++i) average[i].lerp_(fresh[i], 1 - keep);
    return loss.item<double>();
  }

  void save() {
    const fs::path path = checkpoint_path(), part = path.string() + ".part";
    torch::serialize::OutputArchive archive, net, ema, adam;
    net_.save(net);
    ema_.save(ema);
    adam_.save(adam);
    archive.write("net", net);
    archive.write("ema", ema);
    archive.write("adam", adam);
    archive.write("seen", torch::tensor(seen_));
    archive.write("mean_loss", torch::tensor(mean_loss_, torch::kFloat64));
    archive.save_to(part.string());
    fs::rename(part, path);
  }

  void resume() {
    torch::serialize::InputArchive archive, net, ema, adam;
    archive.load_from(checkpoint_path());
    archive.read("net", net);
    archive.read("ema", ema);
    archive.read("adam", adam);
    net_.load(net);
    ema_.load(ema);
    adam_.load(adam);
    Tensor seen, mean_loss;
    archive.read("seen", seen);
    archive.read("mean_loss", mean_loss);
    seen_ = seen.item<std::int64_t>();
    mean_loss_ = mean_loss.item<double>();
    std::fprintf(stderr, "resuming at image %lld\n", static_cast<long long>(seen_));
  }

  void publish(const std::string& command, double loss, double unlabelled) {
    io::TensorFile file{{}, to_metadata(s_.net)};
    for (const auto& [name, tensor] : ema_.state()) file.tensors[name] = tensor.to(torch::kFloat16);
    std::string labels;
    for (const char* label : fashion_mnist_labels) labels += (labels.empty() ? "" : ",") + std::string(label);
    file.metadata["labels"] = labels;
    file.metadata["training_command"] = command;
    file.metadata["training_images"] = std::to_string(seen_);
    file.metadata["test_loss"] = std::to_string(loss);
    file.metadata["test_loss_without_labels"] = std::to_string(unlabelled);
    io::save_tensors(s_.out, file);
    std::printf("wrote %s\n", s_.out.c_str());
  }

  Settings s_;
  EdmDenoiser net_, ema_;
  torch::optim::Adam adam_;
  LabelledImages train_, test_;
  Tensor order_;
  std::int64_t seen_ = 0, epoch_ = -1;
  double mean_loss_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  s.net.img_channels = 1;
  s.net.label_dim = 10;
  s.net.label_dropout = 0.15;
  s.net.model_channels = 32;
  s.net.channel_mult = {1, 2, 2};
  s.net.num_blocks = 1;
  s.net.attn_resolutions = {8};
  CLI::App app{"Trains a class-conditional denoiser on Fashion-MNIST; run it again to resume."};
  plain_words(app);
  app.add_option("--data", s.data, "folder of the IDX files");
  app.add_option("--out", s.out, "weights to write; .log and .checkpoint stand beside it");
  app.add_option("--images", s.images, "training images to see in all")->check(CLI::PositiveNumber);
  app.add_option("--batch", s.batch, "images per step")->check(CLI::Range(1, 60'000));
  app.add_option("--lr", s.lr, "Adam's peak learning rate")->check(CLI::PositiveNumber);
  app.add_option("--warmup", s.warmup, "images until the peak learning rate")->check(CLI::PositiveNumber);
  app.add_option("--ema", s.ema, "half-life of the averaged weights, in images")->check(CLI::PositiveNumber);
  app.add_option("--channels", s.net.model_channels, "channels at full resolution");
  app.add_option("--multiples", s.net.channel_mult, "channels of each resolution, as multiples")->delimiter(',');
  app.add_option("--blocks", s.net.num_blocks, "blocks per resolution");
  app.add_option("--attention", s.net.attn_resolutions, "resolutions with self-attention")->delimiter(',');
  app.add_option("--checkpoint-interval", s.checkpoint_seconds, "seconds")->check(CLI::PositiveNumber);
  app.add_option("--test-interval", s.test_seconds, "seconds between losses on the test split")
      ->check(CLI::PositiveNumber);
  app.add_option("--test-images", s.test_images, "images of those")->check(CLI::Range(250, 10'000));
  app.add_option("--seed", s.seed, "of weights, order and noise");
  app.add_option("--threads", s.threads, "0: LibTorch's choice")->check(CLI::NonNegativeNumber);
  app.add_flag("--bf16", s.bf16, "compute in bfloat16 (weights stay float32), faster where the processor has it");
  app.add_option("--evaluate", s.evaluate, "only print the loss of these weights on the test split");
  finite_numbers(app);
  CLI11_PARSE(app, argc, argv);
  try {
    if (s.threads > 0) torch::set_num_threads(static_cast<int>(s.threads));
    if (!s.evaluate.empty()) {
      const auto net = load_unet(s.evaluate);
      const LabelledImages test = load_fashion_mnist(s.data, "t10k");
      for (const bool labels : {true, false})
        std::printf("test loss %s labels: %.4f\n", labels ? "with" : "without",
                    split_loss(*net, test, 10'000, labels, 2));
      return 0;
    }
    check_output("out", s.out, ".safetensors");
    std::string command = "train_denoiser";
    for (int i = 1; i < argc; ++i) command += std::string(" ") + argv[i];
    torch::manual_seed(static_cast<std::uint64_t>(s.seed));
    Trainer(s).run(command);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
