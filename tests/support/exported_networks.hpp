// What networks in any runtime have in common: small ONNX files, D for data N(1, 0.5^2) with labels sigma.
#pragma once

#include "catch.hpp"
#include "message.hpp"

#include <fewstep/array/values.hpp>
#include <fewstep/buffer.hpp>
#include <fewstep/runtimes/exported.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace fewstep::test {

constexpr std::size_t numbers = 4;  // of a sample, [1, 2, 2]

inline double denoised(double x, double sigma, double mean = 1) {
  const double keep = 0.25 / (0.25 + sigma * sigma);
  return keep * x + (1 - keep) * mean;
}

template <class T>
Buffer<T> states(std::size_t samples) {
  std::vector<T> all(samples * numbers);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<T>(std::sin(3. * static_cast<double>(i)) * 2);
  return Buffer<T>(all, samples);
}

inline BufferLevel each(const std::vector<double>& labels) {
  BufferLevel level(1.);
  level.each(labels.size()) = labels;
  return level;
}

/// @param mean  of sample b
template <class T, class Mean>
void check_denoised(const Buffer<T>& out, const Buffer<T>& x, const BufferLevel& sigma, double tolerance, Mean mean) {
  REQUIRE(out.size() == x.size());
  for (std::size_t b = 0; b < x.samples(); ++b)
    for (std::size_t i = 0; i < numbers; ++i)
      CHECK(out.sample(b)[i] == Approx(denoised(x.sample(b)[i], sigma[b], mean(b))).margin(tolerance));
}

inline Array offsets(const std::vector<float>& rows, std::vector<std::int64_t> shape) {
  std::vector<float> all;
  for (const float row : rows) all.insert(all.end(), numbers, row);
  return array_of(all, std::move(shape), Dtype::f32);
}

/// @param load  (name of a file in tests/exported, ExportedOptions) -> network
template <class Load>
void check_exported_networks(Load load) {
  Buffer<float> out, features;
  const BufferLevel one_level(0.7);
  const auto ones = [](std::size_t) { return 1.; };

  SECTION("any number of samples, labels per sample, conditions, features") {
    const auto network =
        load("any_batch.onnx", {.feature = "feature", .conditions = {{"offset", offsets({1}, {1, 2, 2})}}});
    for (const std::size_t samples : {1u, 3u, 2u}) {
      const auto x = states<float>(samples);
      CHECK(network(x, one_level, out, features));
      check_denoised(out, x, one_level, 1e-6, ones);
      REQUIRE(features.size() == x.size());
      CHECK(features.samples() == samples);
      CHECK(features[1] == Approx(x[1] * 0.25 / 0.74));
    }
    const auto x = states<float>(3);
    const BufferLevel levels = each({0.2, 1, 5});
    network(x, levels, out, features);
    check_denoised(out, x, levels, 1e-6, ones);
    const auto other = network.with({{"offset", offsets({2, -1, 4}, {3, 1, 2, 2})}});
    other(x, levels, out, features);
    check_denoised(out, x, levels, 1e-6, [](std::size_t b) { return std::vector{2., -1., 4.}[b]; });
    // The caller's memory is where the result goes, and is read and written in no later call.
    std::vector<float> mine(x.size());
    auto view = Buffer<float>::view(mine, 3);
    network(x, levels, view, features);
    const std::vector<float> first = mine;
    network(states<float>(3), one_level, out, features);
    CHECK(mine == first);
    // Numbers of another type are converted.
    const auto wide = states<double>(2);
    Buffer<double> wide_out, wide_features;
    network(wide, one_level, wide_out, wide_features);
    check_denoised(wide_out, wide, one_level, 1e-6, ones);
  }
  SECTION("a fixed number of samples") {
    const auto network = load("three.onnx", {.feature = "feature"});
    for (const std::size_t samples : {1u, 3u, 4u, 8u}) {
      const auto x = states<float>(samples);
      std::vector<double> labels;
      for (std::size_t b = 0; b < samples; ++b) labels.push_back(0.3 + 0.4 * static_cast<double>(b));
      const BufferLevel levels = each(labels);
      network(x, levels, out, features);
      check_denoised(out, x, levels, 1e-6, ones);
      const std::size_t last = x.size() - 1;
      CHECK(features[last] == Approx(x[last] * 0.25 / (0.25 + labels.back() * labels.back())));
    }
  }
  SECTION("labels as a scalar, whole numbers, half precision") {
    const auto network = load("half_scalar.onnx", {});
    const auto x = states<float>(3);
    network(x, BufferLevel(1.9), out, features);
    check_denoised(out, x, BufferLevel(2.), 2e-3, ones);
    CHECK_FALSE(network(x, each({1, 2, 3}), out, features));  // sample by sample
    check_denoised(out, x, each({1, 2, 3}), 2e-3, ones);
  }
  SECTION("one label for the batch, double precision") {
    const auto network = load("double_one.onnx", {.state = "x", .label = "sigma", .output = "denoised"});
    const auto x = states<double>(3);
    Buffer<double> wide, unused;
    network(x, one_level, wide, unused);
    check_denoised(wide, x, one_level, 1e-7, ones);
    network(x, each({1, 2, 3}), wide, unused);
    check_denoised(wide, x, each({1, 2, 3}), 1e-7, ones);
  }
  SECTION("threads share a network") {
    const auto network = load("three.onnx", {});
    const auto x = states<float>(4);
    std::vector<Buffer<float>> results(4);
    std::vector<std::thread> threads;
    for (std::size_t k = 0; k < results.size(); ++k)
      threads.emplace_back([&, k] {
        Buffer<float> unused;
        for (int i = 0; i < 50; ++i) network(x, BufferLevel(static_cast<double>(k + 1)), results[k], unused);
      });
    for (std::thread& thread : threads) thread.join();
    for (std::size_t k = 0; k < results.size(); ++k)
      check_denoised(results[k], x, BufferLevel(static_cast<double>(k + 1)), 1e-6, ones);
  }
  SECTION("a run") {
    const auto network = load("any_batch.onnx", {.conditions = {{"offset", offsets({1}, {1, 1, 2, 2})}}});
    const auto start = states<float>(2);
    const auto exact = [](const Buffer<float>& x, const BufferLevel& sigma, Buffer<float>& to) {
      for (std::size_t i = 0; i < x.size(); ++i) to[i] = static_cast<float>(denoised(x[i], sigma[i / numbers]));
    };
    const auto run = [&](const auto& d) { return sample(Dpmpp{.order = 3}, d, karras({.steps = 5}), start).x; };
    const auto ours = run(network), expected = run(exact);
    for (std::size_t i = 0; i < ours.size(); ++i) CHECK(ours[i] == Approx(expected[i]).margin(1e-4));
  }
  SECTION("what does not fit is named") {
    const auto refusal = [&](const char* file, ExportedOptions options) {
      return message_of([&] { load(file, std::move(options)); });
    };
    const std::string inputs = "; allowed: x F32 [?, 1, 2, 2], sigma F32 [?], offset F32 [?, 1, 2, 2]";
    CHECK(refusal("any_batch.onnx", {}) ==
          "the network's input `offset` is missing; allowed: values, F32 [?, 1, 2, 2]");
    CHECK(refusal("any_batch.onnx", {.label = "t"}) == "the network's input is t" + inputs);
    CHECK(refusal("any_batch.onnx", {.conditions = {{"prompt", {}}}}) == "the network's input is prompt" + inputs);
    CHECK(refusal("three.onnx", {.output = "eps"}) ==
          "the network's output is eps; allowed: denoised F32 [3, 1, 2, 2], feature F32 [3, 4]");
    CHECK(refusal("three.onnx", {.feature = "bottleneck"}) ==
          "the network's output is bottleneck; allowed: denoised F32 [3, 1, 2, 2], feature F32 [3, 4]");
    CHECK(refusal("three.onnx", {.state = "x", .label = "x"}) ==
          "the network's input `x` is given twice; allowed: one role per input");
    CHECK(refusal("any_batch.onnx", {.conditions = {{"offset", offsets({1}, {4})}}}) ==
          "the shape of `offset` is F32 [4]; allowed: F32 [?, 1, 2, 2]");
    const auto network = load("three.onnx", {});
    const auto call = [&](const Buffer<float>& x, const BufferLevel& label) {
      return message_of([&] { network(x, label, out, features); });
    };
    CHECK(call(Buffer<float>(std::vector<float>(10), 2), one_level) ==
          "the numbers of a sample is 5; allowed: those of the network's input `x`, F32 [3, 1, 2, 2]");
    const auto two_rows = load("any_batch.onnx", {.conditions = {{"offset", offsets({1, 2}, {2, 1, 2, 2})}}});
    CHECK(message_of([&] { two_rows(states<float>(3), one_level, out, features); }) ==
          "the rows of `offset` is 2; allowed: 1, or 3 or more");
  }
}

}  // namespace fewstep::test
