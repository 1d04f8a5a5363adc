#include "metrics.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <tuple>

namespace fewstep::examples {

torch::Tensor resample(std::int64_t count, std::uint64_t index) {
  if (index == 0) return torch::ones({count}, torch::kFloat64);
  std::mt19937_64 bits(index);
  torch::Tensor weights = torch::zeros({count}, torch::kFloat64);
  double* w = weights.data_ptr<double>();
  for (std::int64_t i = 0; i < count; ++i) w[bits() % static_cast<std::uint64_t>(count)] += 1;
  return weights;
}

Moments::Moments(const torch::Tensor& features, const torch::Tensor& weights) {
  const torch::Tensor f = features.to(torch::kFloat64), share = (weights / weights.sum()).unsqueeze(1);
  mean = (share * f).sum(0);
  const torch::Tensor centred = f - mean;
  covariance = centred.t().mm(share * centred);
}

double frechet(const Moments& a, const Moments& b) {
  const auto root = [](const torch::Tensor& c) {
    const auto [values, vectors] = torch::linalg_eigh(c);
    return vectors.mm(torch::diag(values.clamp_min(0).sqrt())).mm(vectors.t());
  };
  const torch::Tensor half = root(a.covariance);
  const torch::Tensor cross = torch::linalg_eigvalsh(half.mm(b.covariance).mm(half)).clamp_min(0).sqrt().sum();
  return ((a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * cross).item<double>();
}

Slices::Slices(const torch::Tensor& images, std::int64_t directions) {
  constexpr std::uint64_t seed = 7;
  const torch::Tensor flat = images.flatten(1).to(torch::kFloat32);
  const torch::Tensor draw =
      torch::randn({flat.size(1), directions}, at::detail::createCPUGenerator(seed), torch::kFloat32);
  std::tie(values, order) = flat.mm(draw / draw.square().sum(0).sqrt()).t().contiguous().sort(1);
  values = values.contiguous();
  order = order.contiguous();
}

double sliced_wasserstein(const Slices& a, const torch::Tensor& weights_a, const Slices& b,
                          const torch::Tensor& weights_b) {
  const std::int64_t directions = a.values.size(0), count = a.values.size(1);
  double sum = 0;
  std::vector<float> u, v;
  const auto spread = [count](const Slices& s, const torch::Tensor& weights, std::int64_t d, std::vector<float>& to) {
    to.clear();
    const float* value = s.values.data_ptr<float>() + d * count;
    const std::int64_t* place = s.order.data_ptr<std::int64_t>() + d * count;
    for (std::int64_t i = 0; i < count; ++i)
      to.insert(to.end(), static_cast<std::size_t>(weights.data_ptr<double>()[place[i]]), value[i]);
  };
  for (std::int64_t d = 0; d < directions; ++d) {
    spread(a, weights_a, d, u);
    spread(b, weights_b, d, v);
    for (std::size_t i = 0; i < u.size(); ++i) sum += (u[i] - v[i]) * (u[i] - v[i]);
  }
  return std::sqrt(sum / static_cast<double>(directions * count));
}

double Figure::margin() const {
  std::vector<double> sorted(values.begin() + 1, values.end());
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&](double share) {
    return sorted[static_cast<std::size_t>(std::lround(share * static_cast<double>(sorted.size() - 1)))];
  };
  return (at(0.975) - at(0.025)) / 2;
}

}  // namespace fewstep::examples
