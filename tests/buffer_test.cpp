// States over contiguous numbers: the laws, the caller's memory, and the same bits as Eigen arrays.
#include "support/laws.hpp"
#include "support/two_peaks.hpp"

#include <fewstep/adaptive.hpp>
#include <fewstep/buffer.hpp>
#include <fewstep/buffer/laws.hpp>
#include <fewstep/fitting/tabulate.hpp>
#include <fewstep/randn.hpp>

#include <array>
#include <cstring>
#include <utility>

using namespace fewstep;
using test::message_of;

namespace {

/// E[x0 | x] for data N(0.3, 0.25), in any form.
template <class X>
void denoise_normal(const X& x, double sigma, X& out) {
  using T = typename X::Scalar;
  const T keep = static_cast<T>(0.25 / (0.25 + sigma * sigma));
  for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(x.size()); ++i)
    out.data()[i] = T(0.3) + keep * (x.data()[i] - T(0.3));
}

}  // namespace

TEMPLATE_TEST_CASE("every solver obeys the laws on buffers", "", Buffer<float>, Buffer<double>) {
  test::hold(laws::check_denoiser<TestType>(laws::elementwise<TestType>(laws::TwoPeaks{})));
  test::hold_for_every_solver<TestType>();
}

TEMPLATE_TEST_CASE("buffers give the bits of Eigen arrays", "", float, double) {
  using T = TestType;
  using Eigen = ::Eigen::Array<T, ::Eigen::Dynamic, ::Eigen::Dynamic>;
  const auto arrays = test::configurations<Eigen>();
  const auto buffers = test::configurations<Buffer<T>>();
  for (const std::size_t numbers : {1u, 15u, 16u, 50u}) {
    const Eigen start = noise<T>({1, 2, 3}, static_cast<::Eigen::Index>(numbers));
    const Buffer<T> same = buffer_noise<T>({1, 2, 3}, numbers);
    CHECK(std::memcmp(start.data(), same.data(), same.size() * sizeof(T)) == 0);
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      INFO(arrays[i].label << ", " << numbers << " numbers");
      for (const Schedule& schedule : {karras({.steps = 5}), log_uniform({.steps = 4, .end = End::zero})}) {
        const auto a = sample(arrays[i].solver, denoise_normal<Eigen>, schedule, start);
        const auto b = sample(buffers[i].solver, denoise_normal<Buffer<T>>, schedule, same);
        CHECK(std::memcmp(a.x.data(), b.x.data(), b.x.size() * sizeof(T)) == 0);
      }
    }
  }
}

TEST_CASE("a run on a view writes its result into the caller's memory") {
  std::array<float, 6> memory{};
  for (const End end : {End::sigma_min, End::zero})
    for (const auto& [label, solver] : test::configurations<Buffer<float>>()) {
      INFO(label);
      const Schedule schedule = karras({.steps = 4, .end = end});
      Buffer<float> start = buffer_noise({5, 6}, 3);
      for (float& v : start) v *= 80;
      const auto want = integrate(solver, denoise_normal<Buffer<float>>, schedule, start);
      std::copy(start.begin(), start.end(), memory.begin());
      const auto got = integrate(solver, denoise_normal<Buffer<float>>, schedule, Buffer<float>::view(memory, 2));
      CHECK(got.x.is_view());
      CHECK(got.x.data() == memory.data());
      CHECK(std::equal(memory.begin(), memory.end(), want.x.begin()));
    }
  std::copy_n(buffer_noise({7}, 6).begin(), 6, memory.begin());
  Buffer<float> x = Buffer<float>::view(memory);
  const Buffer<float> copy = x;
  CHECK(!copy.is_view());
  const auto result = integrate_adaptive(denoise_normal<Buffer<float>>, 1, 0.1, std::move(x));
  CHECK(result.x.data() == memory.data());
  CHECK(!std::equal(memory.begin(), memory.end(), copy.begin()));
}

TEST_CASE("fill_randn draws what torch.randn draws for the same seed") {
  struct Recorded {
    std::size_t size;
    float first, middle, last;
  };
  for (const Recorded& want :
       {Recorded{1, -0.146795f, -0.146795f, -0.146795f}, Recorded{5, -0.146795f, 0.946822f, 1.690790f},
        Recorded{15, -0.146795f, 1.232386f, 1.395451f}, Recorded{16, -0.820135f, 0.926543f, 1.090165f},
        Recorded{20, -0.820135f, -0.081022f, -0.356723f}, Recorded{33, -0.820135f, -1.582665f, -1.637021f}}) {
    std::vector<float> x(want.size);
    fill_randn<float>(x, 7);
    CHECK(x[0] == Approx(want.first).margin(3e-6));
    CHECK(x[want.size / 2] == Approx(want.middle).margin(3e-6));
    CHECK(x.back() == Approx(want.last).margin(3e-6));
  }
}

TEST_CASE("a cancelled run on a view restores the last completed step") {
  std::array<double, 4> memory{1, -2, 3, 4};
  int calls = 0;
  const Options options{.stop = [&] { return ++calls > 3; }};
  const auto result =
      integrate(Heun{}, denoise_normal<Buffer<double>>, karras({.steps = 4}), Buffer<double>::view(memory), options);
  CHECK(result.status == Status::cancelled);
  CHECK(result.steps == 1);
  const auto one = integrate(Heun{}, denoise_normal<Buffer<double>>, karras({.steps = 4}),
                             Buffer<double>({1, -2, 3, 4}), {.last_step = 1});
  CHECK(std::equal(memory.begin(), memory.end(), one.x.begin()));
}

TEST_CASE("after_step keeps known parts exact, and observers see the denoised batch") {
  using X = Buffer<double>;
  const auto put = after_step<X>([](X& x, double sigma) { x[0] = 5 + sigma; });
  for (const auto& [label, solver] : test::configurations<X>())
    for (const bool analytic : {false, true}) {
      INFO(label << (analytic ? ", AFS" : ""));
      const Schedule schedule({4, 2, 1, 0});
      std::size_t seen = 0;
      X before({1, 2, 3});
      const auto observe = [&](const Snapshot<X>& s) {
        ++seen;
        CHECK(s.x[0] == 5 + s.to);
        REQUIRE(s.denoised);
        X want = algebra<X>::like(before);
        if (analytic && s.index == 0)
          for (std::size_t i = 0; i < 3; ++i) want[i] = before[i] * (1 - s.from / std::sqrt(1 + s.from * s.from));
        else denoise_normal(before, s.from, want);
        for (std::size_t i = 0; i < 3; ++i) CHECK((*s.denoised)[i] == Approx(want[i]).epsilon(1e-12));
        before = s.x;
      };
      const Options options{.analytic_first_step = analytic, .after_step = put, .keep_denoised = true};
      const auto result = integrate(solver, denoise_normal<X>, schedule, before, options, observe);
      CHECK(seen == 3);
      CHECK(result.x[0] == 5);
    }
  const auto unseen = [](const Snapshot<X>& s) { CHECK(s.denoised == nullptr); };
  integrate(Euler{}, denoise_normal<X>, Schedule({2, 1}), X({1, 2}), {}, unseen);
  CHECK(message_of([&] { integrate(Euler{}, test::two_peaks, Schedule({2, 1}), 3., {.after_step = put}); }) ==
        "after_step is a function of another type of state; allowed: one of the run's type");
}

TEST_CASE("buffers of wrong sizes are refused") {
  CHECK(message_of([] { Buffer<float>(std::vector<float>(5), 2); }) ==
        "samples is 2; allowed: divisors of the state's size, 5");
  CHECK(message_of([] { Buffer<float>(std::vector<float>()); }) == "the state's size is 0; allowed: 1 or more");
  std::array<float, 4> memory{};
  CHECK(message_of([&] { Buffer<float>::view(memory, 0); }) ==
        "samples is 0; allowed: divisors of the state's size, 4");
  CHECK(message_of([&] {
          Buffer<float> seen = Buffer<float>::view(memory);
          seen = Buffer<float>(std::vector<float>(3));
        }) == "the size of a denoised batch is 3; allowed: 4, as the state");
  const auto shrinks = [](const Buffer<float>&, double) { return Buffer<float>(std::vector<float>(3)); };
  CHECK(message_of([&] { integrate(Euler{}, shrinks, karras({.steps = 2}), Buffer<float>(std::vector<float>(4))); }) ==
        "the size of a denoised batch is 3; allowed: 4, as the state");
}

TEST_CASE("guidance, clamping and known parts on buffers") {
  using X = Buffer<double>;
  const auto constant = [](double v) {
    return [v](const X& x, double, X& out) { std::fill_n(out.data(), x.size(), v); };
  };
  const X x({1, 2, 3, 4, 5, 6}, 2);
  const auto at = [&](auto denoise, double sigma) {
    X out = algebra<X>::like(x);
    denoise(x, sigma, out);
    return std::vector<double>(out.begin(), out.end());
  };
  CHECK(at(guided(constant(2), constant(1), {.scale = 3}), 1) == std::vector<double>(6, 4));
  CHECK(at(clamped(constant(2), -1, 1), 1) == std::vector<double>(6, 1));
  CHECK(at(inpainted(constant(2), X({7, 8, 9}), X({1, 0, 0.5})), 1) == std::vector<double>{7, 2, 5.5, 7, 2, 5.5});
  CHECK_THAT(message_of([&] { at(inpainted(constant(2), X({7, 8}), X({1, 0, 1})), 1); }),
             Catch::Contains("the shape of `known` is 1 x 2; allowed: 2 x 3, or one sample"));
  const auto doubled = [](const X& both, double, X& out) {
    for (std::size_t i = 0; i < both.size(); ++i) out[i] = both[i] * (i < both.size() / 2 ? 1 : 2);
  };
  const auto rising = [](double factor) {
    return [factor](const X& v, double, X& out) {
      for (std::size_t i = 0; i < v.size(); ++i) out[i] = factor * static_cast<double>(i % 3);
    };
  };
  // The conditional batch deviates by twice the unconditional one; rescaled, guidance keeps its deviation.
  CHECK(at(guided(rising(2), rising(1), {.scale = 3, .rescale = 1}), 1)[5] == Approx(4));
  const auto same_as_eigen = [&](const auto& make) {
    const auto of = [&]<class State>(State) {
      return make(
          [](const State& v, double, State& out) {
            for (int i = 0; i < 6; ++i) out.data()[i] = 0.3 * v.data()[i] + (i % 3);
          },
          [](const State& v, double, State& out) {
            for (int i = 0; i < 6; ++i) out.data()[i] = 0.1 * v.data()[i] - (i % 2);
          });
    };
    Eigen::ArrayXXd y(3, 2), out(3, 2);
    y << 1, 4, 2, 5, 3, 6;
    of(y)(y, 1., out);
    const std::vector<double> got = at(of(X()), 1);
    for (std::size_t i = 0; i < 6; ++i) CHECK(got[i] == Approx(out.data()[i]).epsilon(1e-14));
  };
  same_as_eigen([](auto yes, auto no) { return guided_zero_star(yes, no, {.scale = 3}); });
  same_as_eigen([](auto yes, auto no) { return guided_by_projection(yes, no, {.scale = 3, .largest_norm = 0.5}); });
  const BufferLevel each = algebra<X>::twice(algebra<X>::level_per_sample({1, 2}));
  CHECK((each.size() == 4 && each[0] == 1 && each[3] == 2));
  CHECK(at(guided_batch(doubled, {.scale = 2}), 1) == std::vector<double>{3, 6, 9, 12, 15, 18});
}
