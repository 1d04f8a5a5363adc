// The layers of the score-network U-Nets: DDPM++ and NCSN++ (Song et al. 2021, arXiv 2011.13456, appendix H) and ADM
// (Dhariwal & Nichol 2021, arXiv 2105.05233, section 3), in the parametrization of Karras et al. 2022 (arXiv
// 2206.00364, appendix F). Module and parameter names are those of the published EDM checkpoints.
//
// Every layer computes in the type of its input and converts its own weights, so that a network with float32 weights
// can run in bfloat16. Convolutions keep the memory format of their input.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace fewstep::examples {

/// Draws initial weights from a uniform distribution of variance scale^2 / fan, with fan the mean of fan-in and fan-out
/// ("xavier", Song et al.) or the fan-in ("kaiming", Dhariwal & Nichol).
struct WeightInit {
  enum class Fan { mean, in };
  Fan fan = Fan::mean;
  double scale = 1;
  double bias_scale = 0;

  void operator()(torch::Tensor& weight, torch::Tensor& bias) const {
    const torch::NoGradGuard no_grad;
    const auto area = static_cast<double>(weight.numel() / (weight.size(0) * weight.size(1)));
    const double fan_in = static_cast<double>(weight.size(1)) * area;
    const double fan_out = static_cast<double>(weight.size(0)) * area;
    const double unit = std::sqrt(3 / (fan == Fan::in ? fan_in : (fan_in + fan_out) / 2));
    weight.uniform_(-scale * unit, scale * unit);
    if (bias.defined()) bias.uniform_(-bias_scale * unit, bias_scale * unit);
  }
};

struct Linear : torch::nn::Module {
  torch::Tensor weight, bias;

  Linear(std::int64_t in, std::int64_t out, WeightInit init, bool with_bias = true) {
    weight = register_parameter("weight", torch::empty({out, in}));
    if (with_bias) bias = register_parameter("bias", torch::empty({out}));
    init(weight, bias);
  }

  /// [B, in] -> [B, out], in the type of the weights.
  torch::Tensor forward(const torch::Tensor& x) const {
    const torch::Tensor y = torch::matmul(x.to(weight.scalar_type()), weight.t());
    return bias.defined() ? y + bias : y;
  }
};

enum class Resample { none, up, down };

/// Convolution of kernel size 0 (none), 1 or 3 with "same" padding, optionally together with a change of resolution by
/// two through a separable low-pass filter ({1, 1}: nearest/box; {1, 3, 3, 1}: the smoother one of NCSN++).
struct Conv2d : torch::nn::Module {
  torch::Tensor weight, bias, resample_filter;

  /// @param convolve_first  filter after the convolution, at the high resolution (NCSN++'s residual input branch);
  ///                        false: the convolution acts on the resampled features
  Conv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, WeightInit init, Resample resample = Resample::none,
         const std::vector<double>& filter = {1, 1}, bool convolve_first = false)
      : kernel_(kernel), resample_(resample), convolve_first_(convolve_first), taps_(std::ssize(filter)) {
    if (kernel > 0) {
      weight = register_parameter("weight", torch::empty({out, in, kernel, kernel}));
      bias = register_parameter("bias", torch::empty({out}));
      init(weight, bias);
    }
    if (resample != Resample::none) {
      const torch::Tensor taps = torch::tensor(filter, torch::kFloat64);
      const torch::Tensor normed = (taps / taps.sum()).to(torch::kFloat32);
      resample_filter = register_buffer("resample_filter", torch::outer(normed, normed).reshape({1, 1, taps_, taps_}));
      box_ = taps_ == 2 && filter[0] == filter[1];
    }
  }

  /// [B, in, H, W] -> [B, out, H', W'], H' = H, 2H or H/2.
  torch::Tensor forward(torch::Tensor x) const {
    const std::int64_t overhang = (taps_ - 1) / 2;  // padding that keeps the filter centred
    if (resample_ == Resample::none) return convolved(x, 0);
    if (convolve_first_) return filtered(convolved(x, overhang), 0);
    return convolved(filtered(x, overhang), 0);
  }

 private:
  torch::Tensor convolved(const torch::Tensor& x, std::int64_t extra_padding) const {
    if (kernel_ == 0) return x;
    return torch::conv2d(x, weight.to(x.scalar_type()), bias.to(x.scalar_type()), 1, kernel_ / 2 + extra_padding);
  }

  torch::Tensor filtered(const torch::Tensor& x, std::int64_t padding) const {
    if (box_) {  // the same result, several times faster
      if (resample_ == Resample::down) return torch::avg_pool2d(x, 2);
      return torch::upsample_nearest2d(x, c10::IntArrayRef{2 * x.size(2), 2 * x.size(3)});
    }
    const std::int64_t channels = x.size(1);
    const torch::Tensor filter = resample_filter.to(x.scalar_type()).expand({channels, 1, taps_, taps_});
    if (resample_ == Resample::down) return torch::conv2d(x, filter, {}, 2, padding, 1, channels);
    // Three of four input pixels of the transposed convolution are zero.
    return torch::conv_transpose2d(x, filter * 4, {}, 2, padding, 0, channels);
  }

  std::int64_t kernel_;
  Resample resample_;
  bool convolve_first_;
  std::int64_t taps_;
  bool box_ = false;
};

/// Group normalisation over 32 groups, or fewer, so that each group has at least four channels.
struct GroupNorm : torch::nn::Module {
  torch::Tensor weight, bias;

  GroupNorm(std::int64_t channels, double epsilon)
      : groups_(std::min<std::int64_t>(32, channels / 4)), epsilon_(epsilon) {
    weight = register_parameter("weight", torch::ones({channels}));
    bias = register_parameter("bias", torch::zeros({channels}));
  }

  torch::Tensor forward(const torch::Tensor& x) const {
    return torch::group_norm(x, groups_, weight.to(x.scalar_type()), bias.to(x.scalar_type()), epsilon_);
  }

 private:
  std::int64_t groups_;
  double epsilon_;
};

/// Sines and cosines of the noise level at geometrically spaced frequencies from 1 to 1/10000
/// (Ho et al. 2020, arXiv 2006.11239). `to_end`: the last frequency is exactly 1/10000.
inline torch::Tensor positional_angles(const torch::Tensor& level, std::int64_t channels, bool to_end) {
  const std::int64_t half = channels / 2;
  const torch::Tensor index = torch::arange(half, level.options());
  const torch::Tensor frequency = torch::pow(1e-4, index / static_cast<double>(half - (to_end ? 1 : 0)));
  return torch::outer(level, frequency);
}

/// Random frequencies, drawn once and stored with the weights (NCSN++).
struct FourierFeatures : torch::nn::Module {
  torch::Tensor freqs;

  explicit FourierFeatures(std::int64_t channels, double scale = 16) {
    freqs = register_buffer("freqs", torch::randn({channels / 2}) * scale);
  }

  torch::Tensor angles(const torch::Tensor& level) const {
    return torch::outer(level, freqs.to(level.scalar_type()) * (2 * M_PI));
  }
};

/// Options shared by all blocks of a network.
struct BlockOptions {
  std::int64_t embedding_channels = 0;
  std::int64_t channels_per_head = 0;  // 0: attention has a single head
  double dropout = 0;
  double skip_scale = 1;
  double epsilon = 1e-5;
  bool adaptive_scale = true;  // the embedding scales and shifts the features; false: it only shifts them
  bool resample_proj = false;  // every change of resolution has a 1x1 convolution on the skip branch
  std::vector<double> filter = {1, 1};
  WeightInit init, init_zero, init_attention;
};

/// Residual block: norm, SiLU, convolution, embedding, norm, SiLU, convolution, plus optional self-attention.
struct UnetBlock : torch::nn::Module {
  std::shared_ptr<GroupNorm> norm0, norm1, norm2;
  std::shared_ptr<Conv2d> conv0, conv1, skip, qkv, proj;
  std::shared_ptr<Linear> affine;

  UnetBlock(std::int64_t in, std::int64_t out, bool attention, Resample resample, const BlockOptions& options)
      : options_(options) {
    const BlockOptions& o = options;
    norm0 = register_module("norm0", std::make_shared<GroupNorm>(in, o.epsilon));
    conv0 = register_module("conv0", std::make_shared<Conv2d>(in, out, 3, o.init, resample, o.filter));
    affine = register_module("affine",
                             std::make_shared<Linear>(o.embedding_channels, out * (o.adaptive_scale ? 2 : 1), o.init));
    norm1 = register_module("norm1", std::make_shared<GroupNorm>(out, o.epsilon));
    conv1 = register_module("conv1", std::make_shared<Conv2d>(out, out, 3, o.init_zero));
    if (out != in || resample != Resample::none) {
      const std::int64_t kernel = o.resample_proj || out != in ? 1 : 0;
      skip = register_module("skip", std::make_shared<Conv2d>(in, out, kernel, o.init, resample, o.filter));
    }
    if (attention) {
      heads_ = o.channels_per_head > 0 ? std::max<std::int64_t>(1, out / o.channels_per_head) : 1;
      norm2 = register_module("norm2", std::make_shared<GroupNorm>(out, o.epsilon));
      qkv = register_module("qkv", std::make_shared<Conv2d>(out, 3 * out, 1, o.init_attention));
      proj = register_module("proj", std::make_shared<Conv2d>(out, out, 1, o.init_zero));
    }
  }

  /// x: [B, in, H, W], embedding: [B, E] -> [B, out, H', W'].
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& embedding) const {
    torch::Tensor y = conv0->forward(torch::silu(norm0->forward(x)));
    const torch::Tensor parameters = affine->forward(embedding).to(y.scalar_type()).unsqueeze(-1).unsqueeze(-1);
    if (options_.adaptive_scale) {
      const std::vector<torch::Tensor> scale_shift = parameters.chunk(2, 1);
      y = torch::addcmul(scale_shift[1], norm1->forward(y), scale_shift[0] + 1);
    } else {
      y = norm1->forward(y + parameters);
    }
    y = torch::silu(y);
    if (is_training() && options_.dropout > 0) y = torch::dropout(y, options_.dropout, true);
    y = combined(conv1->forward(y), skip ? skip->forward(x) : x);
    return qkv ? combined(proj->forward(attended(y)), y) : y;
  }

 private:
  torch::Tensor combined(const torch::Tensor& branch, const torch::Tensor& trunk) const {
    const torch::Tensor sum = branch + trunk;
    return options_.skip_scale == 1 ? sum : sum * options_.skip_scale;
  }

  /// Scaled dot-product attention over all positions; query, key and value of a channel are adjacent in qkv.
  torch::Tensor attended(const torch::Tensor& x) const {
    const std::int64_t batch = x.size(0), channels = x.size(1) / heads_;
    const torch::Tensor all = qkv->forward(norm2->forward(x)).reshape({batch * heads_, channels, 3, -1});
    const torch::Tensor query = all.select(2, 0), key = all.select(2, 1), value = all.select(2, 2);
    const torch::Tensor logits = torch::bmm(query.transpose(1, 2), key / std::sqrt(static_cast<double>(channels)));
    const torch::ScalarType precise = logits.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
    const torch::Tensor weights = torch::softmax(logits, -1, precise).to(logits.scalar_type());
    return torch::bmm(value, weights.transpose(1, 2)).reshape(x.sizes());
  }

  BlockOptions options_;
  std::int64_t heads_ = 1;
};

}  // namespace fewstep::examples
