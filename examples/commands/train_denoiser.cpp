// Trains the class-conditional denoisers of the examples, on Fashion-MNIST or on emoji. sigma is log-normal, and the
// loss at each sigma is that of the network's own output:
//   unet  EDM (Karras et al. 2022, arXiv 2206.00364, table 1), weight (sigma^2 + sd^2) / (sigma sd)^2;
//   dit   rectified flow, |v - (noise - x0)|^2 with t = sigma / (1 + sigma).
//
// The random numbers of step k depend on seed and k only, so that a resumed run equals an uninterrupted one.
#include "support/archive.hpp"
#include "support/command_line.hpp"
#include "support/dit.hpp"
#include "support/output.hpp"
#include "support/progress.hpp"
#include "support/signals.hpp"
#include "support/tensor_file.hpp"
#include "support/training_data.hpp"
#include "support/unet.hpp"

#include <fewstep/errors.hpp>

#include <torch/nn/module.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

namespace {

using namespace fewstep::examples;
using torch::Tensor;
namespace fs = std::filesystem;

constexpr double ema_rampup = 0.05;  // longest half-life of the average, relative to the images seen
constexpr double label_dropout = 0.15;
constexpr double loss_smoothing = 0.005;     // weight of a new loss in the mean that is shown
constexpr std::int64_t test_batch = 250;     // images at a time; those of the test split beyond a multiple are left out
constexpr std::int64_t test_draws = 1'000;   // noise draws, at least, of a test split smaller than that
constexpr std::uint64_t test_seed = 20'231;  // of the noise on the test split
constexpr std::int64_t epoch_seeds_apart = 1'000'003, step_seeds_apart = 1'000'000'007;

struct Settings {
  std::string dataset = "fashion-mnist", data, architecture = "unet", out = "fashion_mnist.safetensors", evaluate;
  std::int64_t images = 400'000, batch = 48, seed = 0, test_images = 2'000;
  double lr = 1.5e-3, warmup = 8'000, ema = 20'000, checkpoint_seconds = 120, test_seconds = 600;
  std::optional<double> publish_seconds;
  UnetConfig unet = shipped_unet();
  DitConfig dit;
  bool constant_lr = false, bf16 = false;

  /// The architecture of examples/models/fashion_mnist.safetensors.
  static UnetConfig shipped_unet() {
    UnetConfig c;
    c.model_channels = 32;
    c.channel_mult = {1, 2, 2};
    c.num_blocks = 1;
    c.attn_resolutions = {8};
    return c;
  }
};

void add_options(CommandLine& line, Settings& s) {
  line.option("--dataset", s.dataset, "images to train on").one_of(training_data_names);
  line.option("--data", s.data, "folder of the IDX files, or font of emoji; default: that of Debian's package");
  line.option("--out", s.out, "weights to write (.safetensors); OUT.log and OUT.checkpoint are written too");
  line.option("--images", s.images, "training images in total").positive();
  line.option("--batch", s.batch, "images per step").range(1, 60'000);
  line.option("--lr", s.lr, "Adam's peak learning rate").positive();
  line.flag("--constant-lr", s.constant_lr, "stay at that rate; otherwise it falls to 0 at --images, as a cosine");
  line.option("--warmup", s.warmup, "images until the peak learning rate").positive();
  line.option("--ema", s.ema, "half-life of the averaged weights, in images").positive();
  line.option("--checkpoint-interval", s.checkpoint_seconds, "seconds between checkpoints").positive();
  line.option("--test-interval", s.test_seconds, "seconds between losses on the test split").positive();
  line.option("--test-images", s.test_images, "images for that loss; a smaller test split is used completely")
      .range(250, 10'000);
  line.option("--publish-interval", s.publish_seconds, "seconds between weights in OUT; if not given, only at the end")
      .positive();
  line.option("--seed", s.seed, "seed of weights, order and noise");
  line.flag("--bf16", s.bf16, "compute in bfloat16, with float32 weights; faster on processors that support it");
  line.option("--evaluate", s.evaluate, "only print the loss of these weights on the test split");
  line.option("--architecture", s.architecture, "unet: U-Net, EDM; dit: transformer, rectified flow")
      .one_of({"unet", "dit"});
  line.group("U-Net");
  line.option("--channels", s.unet.model_channels, "channels at full resolution");
  line.option("--multiples", s.unet.channel_mult, "channels at each resolution, as multiples of --channels")
      .comma_separated();
  line.option("--blocks", s.unet.num_blocks, "blocks per resolution");
  line.option("--attention", s.unet.attn_resolutions, "resolutions with self-attention").comma_separated();
  line.group("Transformer");
  line.option("--patch-size", s.dit.patch_size, "pixels, in width and height, of a token");
  line.option("--hidden-size", s.dit.hidden_size, "channels of a token");
  line.option("--depth", s.dit.depth, "blocks");
  line.option("--heads", s.dit.num_heads, "heads of each self-attention");
}

/// A network of the chosen architecture for these images, with random weights.
std::shared_ptr<ImageDenoiser> new_network(const Settings& s, const TrainingData& data) {
  const auto fitted = [&](auto config) {
    config.img_channels = data.train.images.size(1);
    config.img_resolution = data.train.images.size(2);
    config.label_dim = std::ssize(data.labels);
    config.label_dropout = label_dropout;
    config.labels = data.labels;
    return config;
  };
  std::shared_ptr<ImageDenoiser> network;
  if (s.architecture == "dit") network = std::make_shared<FlowDenoiser>(fitted(s.dit));
  else network = std::make_shared<EdmDenoiser>(fitted(s.unet));
  network->channels_last = s.bf16;
  if (s.bf16) network->compute_type = torch::kBFloat16;
  if (network->channels_last) {
    const torch::NoGradGuard no_grad;
    for (Tensor& p : network->parameters())
      if (p.dim() == 4) p.set_data(p.contiguous(torch::MemoryFormat::ChannelsLast));
  }
  return network;
}

/// Returns one noise level per image, at evenly spaced quantiles of the log-normal distribution: the mean loss of a
/// batch varies far less than with independent draws.
Tensor stratified_sigmas(const ImageDenoiser& net, std::int64_t count) {
  const auto [mean, deviation] = net.training_levels();
  const Tensor quantile =
      ((torch::arange(count, torch::kFloat64) + torch::rand({1}, torch::kFloat64)) / count).clamp(1e-6, 1 - 1e-6);
  return (mean + deviation * std::sqrt(2.) * torch::erfinv(2 * quantile - 1)).exp().to(torch::kFloat32);
}

/// Mean weighted squared error over all pixels. The noise is drawn from LibTorch's global generator.
Tensor training_loss(const ImageDenoiser& net, const Tensor& images, const Tensor& labels, const Tensor& sigma) {
  const Tensor level = sigma.view({-1, 1, 1, 1});
  const Tensor denoised = net.forward(images + level * torch::randn_like(images), sigma, labels).denoised;
  return (net.loss_weight(level) * (denoised - images).square()).mean();
}

TrainingData load_data(const Settings& s) {
  TrainingData data = load_training_data(s.dataset, s.data);
  if (s.dataset == "fashion-mnist")
    fewstep::require(data.test.images.size(0) >= test_batch, "the number of images of the test split",
                     data.test.images.size(0), {test_batch, " or more"});
  return data;
}

/// The same loss over the first `count` images of a split, with fixed noise and `repeats` noise levels per image, or
/// more for a small split.
double split_loss(ImageDenoiser& net, const LabelledImages& split, std::int64_t count, bool with_labels, int repeats) {
  const torch::NoGradGuard no_grad;
  const bool was_training = net.is_training();
  net.eval();
  torch::manual_seed(test_seed);
  const std::int64_t batch = std::min(test_batch, count);
  const std::int64_t rounds = batch == test_batch ? repeats : repeats * (test_draws / batch);
  double sum = 0;
  std::int64_t batches = 0;
  for (std::int64_t round = 0; round < rounds; ++round)
    for (std::int64_t at = 0; at + batch <= count; at += batch, ++batches) {
      throw_if_interrupted();
      const Tensor labels =
          with_labels ? class_rows(split.labels.narrow(0, at, batch), net.config().label_dim) : Tensor();
      // Shuffled, so that noise levels do not depend on the position of an image in the file.
      const Tensor sigma = stratified_sigmas(net, batch).index_select(0, torch::randperm(batch));
      sum += training_loss(net, split.images.narrow(0, at, batch), labels, sigma).item<double>();
    }
  net.train(was_training);
  return sum / static_cast<double>(batches);
}

class Trainer {
 public:
  explicit Trainer(const Settings& settings)
      : s_(settings),
        data_(load_data(settings)),
        net_(new_network(settings, data_)),
        ema_(new_network(settings, data_)),
        adam_(net_->parameters(), torch::optim::AdamOptions(settings.lr).betas({0.9, 0.99})) {
    const std::int64_t images = data_.test.images.size(0);
    if (images < test_batch) s_.test_images = images;
    fewstep::require(s_.test_images <= images, "--test-images", s_.test_images, {"250 to ", images});
    ema_->load_state(net_->state());
    if (fs::exists(checkpoint_path())) resume();
  }

  /// @throws Interrupted after a signal, with the state of the last step saved.
  void run(const std::string& command) {
    try {
      train_and_test(command);
    } catch (const Interrupted&) {  // thrown only between two steps
      save();
      throw Interrupted("the same command continues from " + checkpoint_path());
    }
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double elapsed(Clock::time_point since) { return std::chrono::duration<double>(Clock::now() - since).count(); }
  std::string checkpoint_path() const { return s_.out + ".checkpoint"; }

  template <class... Parts>
  static void write(Log& log, const Parts&... parts) {
    std::ostringstream text;
    (text << ... << parts);
    log.write(text.str());
  }

  void train_and_test(const std::string& command) {
    Log log(s_.out + ".log");
    write(log, "# ", command, "\n# ", parameter_count(), " parameters, starting at image ", seen_);
    train(log, command);
    const auto [loss, unlabelled] = test_losses();
    write(log, "images ", seen_, "  test loss (all ", data_.test.images.size(0), ", EMA) ", loss, " with labels, ",
          unlabelled, " without");
    std::printf("test loss %.4f with labels, %.4f without\n", loss, unlabelled);
    publish(command, loss, unlabelled);
    std::printf("wrote %s\n", s_.out.c_str());
  }

  /// Of the averaged weights on the whole test split, with labels and without.
  std::pair<double, double> test_losses() {
    const auto loss = [&](bool labels) { return split_loss(*ema_, data_.test, data_.test.images.size(0), labels, 2); };
    return {loss(true), loss(false)};
  }

  std::int64_t parameter_count() const {
    std::int64_t count = 0;
    for (const Tensor& p : net_->parameters()) count += p.numel();
    return count;
  }

  void train(Log& log, const std::string& command) {
    Progress bar("train", static_cast<double>(s_.images), "images", static_cast<double>(seen_));
    auto saved = Clock::now(), tested = saved, published = saved;
    while (seen_ < s_.images) {
      throw_if_interrupted();
      const double loss = step();
      mean_loss_ += std::max(loss_smoothing, 1. / static_cast<double>(seen_ / s_.batch)) * (loss - mean_loss_);
      char note[64];
      std::snprintf(note, sizeof note, "loss %.4f", mean_loss_);
      bar.update(static_cast<double>(seen_), note);
      if (elapsed(saved) > s_.checkpoint_seconds) {
        save();
        saved = Clock::now();
      }
      if (elapsed(tested) > s_.test_seconds) {
        write(log, "images ", seen_, "  train loss ", mean_loss_, "  test loss (first ", s_.test_images, ", EMA) ",
              split_loss(*ema_, data_.test, s_.test_images, true, 1));
        tested = Clock::now();
      }
      if (s_.publish_seconds && elapsed(published) > *s_.publish_seconds) {
        const auto [with_labels, without] = test_losses();
        publish(command, with_labels, without);
        published = Clock::now();
      }
    }
    bar.finish();
    save();
  }

  double step() {
    const std::int64_t k = seen_ / s_.batch, per_epoch = data_.train.images.size(0) / s_.batch;
    if (k / per_epoch != epoch_) {
      epoch_ = k / per_epoch;
      torch::manual_seed(static_cast<std::uint64_t>(s_.seed * epoch_seeds_apart + epoch_));
      order_ = torch::randperm(data_.train.images.size(0));
    }
    torch::manual_seed(static_cast<std::uint64_t>((s_.seed + 1) * step_seeds_apart + k));
    const Tensor rows = order_.narrow(0, k % per_epoch * s_.batch, s_.batch);

    for (auto& group : adam_.param_groups()) group.options().set_lr(learning_rate());

    const Tensor mirrors = data_.mirrors.defined() ? data_.mirrors.index_select(0, rows) : Tensor();
    const Tensor loss = training_loss(*net_, mirrored_at_random(data_.train.images.index_select(0, rows), mirrors),
                                      class_rows(data_.train.labels.index_select(0, rows), net_->config().label_dim),
                                      stratified_sigmas(*net_, s_.batch));
    adam_.zero_grad();
    loss.backward();
    adam_.step();
    seen_ += s_.batch;

    // The half-life grows at first, so that the average forgets the initial weights (EDM, appendix F).
    const torch::NoGradGuard no_grad;
    const double half_life = std::min(s_.ema, ema_rampup * static_cast<double>(seen_));
    const double keep = std::exp2(-static_cast<double>(s_.batch) / half_life);
    const auto fresh = net_->parameters();
    auto average = ema_->parameters();
    for (std::size_t i = 0; i < fresh.size(); ++i) average[i].lerp_(fresh[i], 1 - keep);
    return loss.item<double>();
  }

  double learning_rate() const {
    const double done = static_cast<double>(seen_) / static_cast<double>(s_.images);
    const double warm = std::min(1., static_cast<double>(seen_ + s_.batch) / s_.warmup);
    return s_.lr * warm * (s_.constant_lr ? 1 : 0.5 * (1 + std::cos(M_PI * done)));
  }

  void save() {
    torch::serialize::OutputArchive archive, net, ema, adam;
    net_->module().save(net);
    ema_->module().save(ema);
    adam_.save(adam);
    archive.write("net", net);
    archive.write("ema", ema);
    archive.write("adam", adam);
    archive.write("seen", torch::tensor(seen_));
    archive.write("mean_loss", torch::tensor(mean_loss_, torch::kFloat64));
    save_archive(checkpoint_path(), archive);
  }

  void resume() {
    load_archive(checkpoint_path(), [&](torch::serialize::InputArchive& archive) {
      torch::serialize::InputArchive net, ema, adam;
      archive.read("net", net);
      archive.read("ema", ema);
      archive.read("adam", adam);
      net_->module().load(net);
      ema_->module().load(ema);
      adam_.load(adam);
      Tensor seen, mean_loss;
      archive.read("seen", seen);
      archive.read("mean_loss", mean_loss);
      seen_ = seen.item<std::int64_t>();
      mean_loss_ = mean_loss.item<double>();
      fewstep::require(seen_ >= 0, "seen", seen_, "0 or more");
    });
    std::fprintf(stderr, "resuming at image %lld\n", static_cast<long long>(seen_));
  }

  void publish(const std::string& command, double loss, double unlabelled) {
    TensorFile file{{}, ema_->metadata()};
    for (const auto& [name, tensor] : ema_->state()) file.tensors[name] = tensor.to(torch::kFloat16);
    file.metadata["training_command"] = command;
    file.metadata["training_images"] = std::to_string(seen_);
    file.metadata["test_loss"] = std::to_string(loss);
    file.metadata["test_loss_without_labels"] = std::to_string(unlabelled);
    save_tensors(s_.out, file);
  }

  Settings s_;
  TrainingData data_;
  std::shared_ptr<ImageDenoiser> net_, ema_;
  torch::optim::Adam adam_;
  Tensor order_;
  std::int64_t seen_ = 0, epoch_ = -1;
  double mean_loss_ = 0;
};

/// Prints the loss of weights on the test split.
void print_loss(const Settings& s) {
  const auto net = load_denoiser(s.evaluate);
  const TrainingData data = load_data(s);
  const LabelledImages& test = data.test;
  fewstep::require(std::ssize(data.labels) == net->config().label_dim, "dataset", s.dataset,
                   {"data sets of ", net->config().label_dim, " classes, as this network has"});
  for (const bool labels : {true, false})
    std::printf("test loss %s labels: %.4f\n", labels ? "with" : "without",
                split_loss(*net, test, test.images.size(0), labels, 2));
}

void run(const Settings& s, const std::string& command) {
  if (!s.evaluate.empty()) return print_loss(s);
  check_output("out", s.out, ".safetensors");
  for (const char* beside : {".log", ".checkpoint"}) check_output("out", s.out + beside, beside);
  torch::manual_seed(static_cast<std::uint64_t>(s.seed));
  Trainer(s).run(command);
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CommandLine line("train_denoiser", "Trains a class-conditional denoiser; run it again to resume.");
  add_options(line, s);
  return line.run(argc, argv, [&] { run(s, line.text()); });
}
