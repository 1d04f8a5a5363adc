#include "training_data.hpp"

#include "emoji.hpp"
#include "fashion_mnist.hpp"

#include <torch/utils.h>

#include <cstdint>

namespace fewstep::examples {

namespace {

/// The emoji whose code points have the remainder 15 modulo 16 are the test split, in every version of Unicode.
bool is_held_out(const Emoji& emoji) { return emoji.code_point % 16 == 15; }

LabelledImages emoji_split(const std::vector<Emoji>& all, bool held_out) {
  std::vector<torch::Tensor> images;
  std::vector<std::int64_t> labels;
  for (const Emoji& emoji : all)
    if (is_held_out(emoji) == held_out) {
      images.push_back(torch::tensor(emoji.pixels).reshape({3, emoji_side, emoji_side}));
      labels.push_back(emoji.label);
    }
  return {torch::stack(images), torch::tensor(labels)};
}

}  // namespace

TrainingData load_training_data(const std::string& name, const std::string& path) {
  if (name == "emoji") {
    const std::vector<Emoji> all = load_emoji(path.empty() ? emoji_font : path, emoji_list);
    TrainingData data{
        emoji_split(all, false), emoji_split(all, true), {emoji_labels.begin(), emoji_labels.end()}, torch::Tensor()};
    data.mirrors = data.train.labels != emoji_symbols;
    return data;
  }
  const std::string folder = path.empty() ? fashion_mnist_folder : path;
  return {load_fashion_mnist(folder, "train"),
          load_fashion_mnist(folder, "t10k"),
          {fashion_mnist_labels.begin(), fashion_mnist_labels.end()},
          torch::Tensor()};
}

torch::Tensor mirrored_at_random(const torch::Tensor& images, const torch::Tensor& mirrors) {
  if (!mirrors.defined()) return images;
  const torch::Tensor chosen = mirrors.logical_and(torch::rand(mirrors.sizes()) < 0.5);
  return torch::where(chosen.reshape({-1, 1, 1, 1}), images.flip({3}), images);
}

}  // namespace fewstep::examples
