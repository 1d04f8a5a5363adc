// Training, fitting and measuring: metrics against closed forms, and the commands run as programs.
#include "../examples/commands/support/condition.hpp"
#include "../examples/commands/support/difficulty.hpp"
#include "../examples/commands/support/end_comparison.hpp"
#include "../examples/commands/support/fashion_mnist.hpp"
#include "../examples/commands/support/image_denoiser.hpp"
#include "../examples/commands/support/metrics.hpp"
#include "../examples/commands/support/network.hpp"
#include "../examples/commands/support/noise_numbers.hpp"
#include "../examples/commands/support/predictor_file.hpp"
#include "../examples/commands/support/tensor_cache.hpp"
#include "support/command.hpp"
#include "support/idx_images.hpp"

#include <fewstep/eigen.hpp>
#include <fewstep/fitting/calibrate.hpp>
#include <fewstep/io/safetensors.hpp>
#include <fewstep/io/table_file.hpp>
#include <fewstep/torch.hpp>
#include <fewstep/torch/safetensors.hpp>

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace fewstep::evaluate_test {

using namespace fewstep::examples;
using test::Scratch;
using test::write_images;
using torch::Tensor;
namespace fs = std::filesystem;

namespace {

const std::string network =
    (fs::path(FEWSTEP_SOURCE_DIR) / "tests/golden/edm_networks/ddpmpp_uncond.safetensors").string();
const std::string labelled =
    (fs::path(FEWSTEP_SOURCE_DIR) / "tests/golden/edm_networks/ddpmpp_cond.safetensors").string();
const std::string classifier =
    (fs::path(FEWSTEP_SOURCE_DIR) / "examples/models/fashion_mnist_classifier.safetensors").string();

/// The last `count` numbers of a file of floats.
Tensor last_floats(const std::string& bytes, std::size_t count) {
  std::vector<float> values(count);
  REQUIRE(bytes.size() > 4 * count);
  std::memcpy(values.data(), bytes.data() + bytes.size() - 4 * count, 4 * count);
  return torch::tensor(values);
}

/// Checks that a program fails with a one-line error that contains these words, and writes no file.
void refused_by(const Scratch& scratch, const std::string& program, const std::string& arguments,
                const std::string& words) {
  const auto outcome = scratch.run(program, arguments);
  INFO(outcome.text);
  CHECK(outcome.code > 0);
  CHECK(outcome.text.starts_with("error: "));
  CHECK(std::count(outcome.text.begin(), outcome.text.end(), '\n') == 1);
  CHECK(outcome.text.find(words) != std::string::npos);
  CHECK_FALSE(fs::exists(scratch.dir / "no.json"));
}

Tensor weights(std::int64_t count) { return resample(count, 0); }

/// Runs gaussian_start on the labelled network and returns what it wrote.
TensorGaussianStart fitted_start(const Scratch& scratch, const std::string& file, const std::string& arguments) {
  const auto made = scratch.run("gaussian_start", "--model '" + labelled + "' " + arguments + " --out " + file);
  INFO(made.text);
  REQUIRE(made.code == 0);
  return *load_gaussian_start(scratch.dir / file, shape_of(load_denoiser(labelled)->config()), torch::kCPU);
}

const std::string round_start = "--images 5 --rank 0 --seed 2",
                  ranked_start = "--images 40 --rank 3 --seed 2 --sigma 2";
const std::string small_fit = "--model '" + labelled + "' --steps 3 --images 12 --teacher-steps 2 ";

}  // namespace

TEST_CASE("frechet() of samples with known moments") {
  torch::manual_seed(1);
  const Tensor z = torch::randn({200'000, 3}, torch::kFloat64);
  const Tensor scale = torch::tensor({1., 2., 3.}, torch::kFloat64),
               shift = torch::tensor({0.5, 0., -1.}, torch::kFloat64);
  const Moments base(z, weights(z.size(0))), other(z.flip({0}) * scale + shift, weights(z.size(0)));
  CHECK(std::abs(frechet(base, base)) < 1e-9);
  CHECK(frechet(base, other) == Approx(1.25 + 0 + 1 + 4).epsilon(0.02));  // |shift|^2 + sum (1 - scale)^2
  CHECK(frechet(base, other) == Approx(frechet(other, base)).epsilon(1e-9));

  // Rotated, so that the covariances do not commute: a plane has a closed form, tr (C C')^(1/2) = sqrt(tr C C' + 2
  // sqrt(det C C')).
  const Tensor a = torch::tensor({{2., 0.5}, {0.5, 1.}}, torch::kFloat64),
               b = torch::tensor({{1., -0.7}, {-0.7, 3.}}, torch::kFloat64);
  Moments p(z.narrow(1, 0, 2), weights(z.size(0))), q = p;
  p.covariance = a;
  q.covariance = b;
  const double root = std::sqrt((a.mm(b).trace() + 2 * torch::sqrt(torch::det(a) * torch::det(b))).item<double>());
  CHECK(frechet(p, q) == Approx(3 + 4 - 2 * root).epsilon(1e-9));
}

TEST_CASE("bootstrap weights equal copies of samples") {
  torch::manual_seed(2);
  const Tensor x = torch::randn({50, 4}, torch::kFloat64), drawn = resample(50, 3);
  CHECK(drawn.sum().item<double>() == 50);
  CHECK(drawn.max().item<double>() > 1);
  const Tensor copies = x.repeat_interleave(drawn.to(torch::kInt64), 0);
  const Moments weighted(x, drawn), copied(copies, weights(50));
  CHECK((weighted.covariance - copied.covariance).abs().max().item<double>() < 1e-12);
  const Slices all(x), some(copies), other(x.flip({1}));
  CHECK(sliced_wasserstein(all, drawn, other, weights(50)) ==
        Approx(sliced_wasserstein(some, weights(50), other, weights(50))).epsilon(1e-6));
}

TEST_CASE("sliced_wasserstein() of a set and its shifted copy") {
  torch::manual_seed(3);
  const Tensor x = torch::randn({500, 2, 8}), shift = torch::zeros({2, 8});
  const Slices a(x, 2'000), b(x + 0.3, 2'000);
  CHECK(sliced_wasserstein(a, weights(500), a, weights(500)) == 0);
  CHECK(sliced_wasserstein(a, weights(500), b, weights(500)) ==
        Approx(0.3).epsilon(0.05));  // the shift's length / sqrt(16)
}

TEST_CASE("Figure: the margin of a mean is 1.96 standard errors") {
  torch::manual_seed(4);
  const Tensor x = torch::randn({400}, torch::kFloat64);
  Figure mean, twice;
  for (std::uint64_t r = 0; r <= 2'000; ++r) {
    const Tensor w = resample(400, r);
    mean.values.push_back((w * x).sum().item<double>() / 400);
    twice.values.push_back(2 * mean.values.back());
  }
  CHECK(mean.value() == x.mean().item<double>());
  CHECK(mean.margin() == Approx(1.96 * x.std().item<double>() / 20).epsilon(0.1));
  CHECK((twice - mean).margin() == Approx(mean.margin()).epsilon(1e-9));  // paired: they vary together
  CHECK((twice / mean).value() == Approx(2).epsilon(1e-9));
  CHECK((twice / mean).margin() < 1e-9);
}

TEST_CASE("numbers for training, validation and measurements do not overlap") {
  std::set<std::uint64_t> seen;
  for (const std::int64_t seed : {0, 1, 2, 1'000'000})
    for (const std::int64_t first :
         {std::int64_t{0}, std::int64_t{999'997}, validation_begins, validation_begins + 999'997})
      for (const std::uint64_t n : training_numbers(seed, first, 3)) CHECK(seen.insert(n).second);
  for (const std::int64_t set : {1, 2, 499, 501, 900, 999})
    for (const std::int64_t first : {0, 999'997})
      for (const std::uint64_t n : unseen_numbers(set, first, 3)) CHECK(seen.insert(n).second);
  CHECK_THROWS_AS(training_numbers(0, 999'998, 3), std::invalid_argument);
  CHECK_THROWS_AS(unseen_numbers(1, 999'998, 3), std::invalid_argument);
  CHECK_THROWS_AS(training_numbers(0, validation_begins + 999'998, 3), std::invalid_argument);
  CHECK_THROWS_AS(unseen_numbers(0, 0, 3), std::invalid_argument);
  CHECK_THROWS_AS(unseen_numbers(500, 0, 3), std::invalid_argument);
  CHECK_THROWS_AS(unseen_numbers(1'000, 0, 3), std::invalid_argument);
}

TEST_CASE("EndComparison: differences of moments sum to the Frechet distance") {
  torch::manual_seed(5);
  const auto learned = load_classifier(classifier);
  const Tensor teacher = (0.5 * torch::randn({400, 1, 32, 32})).clamp(-1, 1), student = 0.97 * teacher + 0.02;
  EndComparison all, none;
  all.shown = none.shown = 1;
  all.classifiers = none.classifiers = {learned};
  all.feature_weight = none.feature_weight = 0;
  all.moment_weight = 7;
  all.set_axes(teacher);
  const auto square = [&](const EndComparison& ends) {
    return (ends(student) - ends(teacher)).square().sum(1).to(torch::kFloat64);
  };
  const Tensor moments = square(all) - square(none);
  const auto of = [&](const Tensor& x) { return Moments(learned->forward(x).feature, weights(400)); };
  const double distance = frechet(of(student), of(teacher));
  CHECK(distance > 0);
  CHECK((moments / 49 / distance - 1).abs().max().item<double>() < 0.1);  // the same for each picture
}

TEST_CASE(
    "reallocated() gives evaluations of the easiest samples to the hardest; cross_validated() predicts held-out "
    "samples") {
  const auto numbers = [](double factor) { return factor * torch::arange(1, 11, torch::kFloat64); };
  const SamplingBudget cheap{"cheap", 4, numbers(100)}, middle{"middle", 5, numbers(10)}, rich{"rich", 7, numbers(1)};
  const Tensor difficulty = torch::arange(10, torch::kFloat64);
  // Two samples are hard. Four easy samples save one evaluation each for their four more evaluations.
  const Tensor out = reallocated(difficulty, 0.2, cheap, middle, rich);
  for (const std::int64_t i : {0, 3}) CHECK(out[i].item<double>() == 100. * static_cast<double>(i + 1));
  for (const std::int64_t i : {4, 7}) CHECK(out[i].item<double>() == 10. * static_cast<double>(i + 1));
  for (const std::int64_t i : {8, 9}) CHECK(out[i].item<double>() == 1. * static_cast<double>(i + 1));
  // One sample is hard. One easy sample saves three evaluations for its two more.
  const Tensor rounded = reallocated(difficulty, 0.1, SamplingBudget{"cheap", 2, cheap.squares}, middle, rich);
  CHECK(rounded[0].item<double>() == 100.);
  CHECK(rounded[1].item<double>() == 20.);
  CHECK(torch::equal(reallocated(difficulty, 0, cheap, middle, rich), middle.squares));
  CHECK_THROWS_WITH(reallocated(difficulty, 0.4, cheap, middle, rich),
                    Catch::Contains("share is 0.4; allowed: 0 to what the easy samples can pay for"));
  CHECK_THROWS_WITH(reallocated(difficulty, 0.1, middle, cheap, rich),
                    Catch::Contains("NFE of the three samplers is 5, 4, 7; allowed: increasing ones"));

  // A function of the columns is predicted; noise is not, since each row is predicted from others.
  torch::manual_seed(3);
  const Tensor x = torch::randn({800, 20}, torch::kFloat64), y = 5 + x.select(1, 0) - 2 * x.select(1, 7),
               noise = torch::randn({800}, torch::kFloat64);
  const auto correlation = [](const Tensor& a, const Tensor& b) {
    return torch::corrcoef(torch::stack({a, b}))[0][1].item<double>();
  };
  CHECK(correlation(cross_validated(x, y), y) > 0.99);
  CHECK(cross_validated(x, y).mean().item<double>() == Approx(5).epsilon(0.05));
  CHECK(std::abs(correlation(cross_validated(x, noise), noise)) < 0.15);
}

TEST_CASE("TensorCache returns a stored result for the same description only") {
  const Scratch scratch("cache");
  int made = 0;
  const auto make = [&] { return TensorCache::Tensors{{"n", torch::tensor({++made})}}; };
  const TensorCache cache(scratch.dir / "cache"), none;
  CHECK(cache("one", make).at("n").item<int>() == 1);
  CHECK(cache("one", make).at("n").item<int>() == 1);
  CHECK(cache("two", make).at("n").item<int>() == 2);
  CHECK(TensorCache(scratch.dir / "cache")("two", make).at("n").item<int>() == 2);
  CHECK(none("one", make).at("n").item<int>() == 3);
  for (const auto& entry : fs::directory_iterator(scratch.dir / "cache")) fs::resize_file(entry.path(), 40);
  CHECK(cache("two", make).at("n").item<int>() == 4);  // a truncated file is replaced
}

TEST_CASE("IDX files that are malformed or do not fit together are rejected by name") {
  const Scratch scratch("idx");
  const std::string labels = "t10k-labels-idx1-ubyte", images = "t10k-images-idx3-ubyte";
  const auto message = [&] {
    try {
      load_fashion_mnist(scratch.dir, "t10k");
    } catch (const std::runtime_error& error) {
      return std::string(error.what()).substr(scratch.dir.string().size() + 1);
    }
    return std::string("(accepted)");
  };
  const auto refused = [&](const std::string& file, std::size_t at, const std::string& bytes,
                           const std::string& words) {
    write_images(scratch.dir, "t10k", 40);
    std::string all = scratch.bytes(file);
    all.replace(at, bytes.size(), bytes);
    std::ofstream(scratch.dir / file, std::ios::binary) << all;
    CHECK(message() == file + ": " + words);
  };
  const std::string sizes = "; allowed: 1 or more, at most 1000000000 bytes in all";
  refused(labels, 4, "\xff\xff\xff\xff", "an extent is 4294967295" + sizes);
  refused(labels, 4, {"\x30\0\0\0", 4}, "not a complete IDX file");
  refused(labels, 4, {"\0\0\0\x5", 4}, "5 labels for 40 images");
  refused(labels, 4, {"\0\0\0\0", 4}, "an extent is 0" + sizes);
  refused(labels, 10, "\x0a", "a label is 10; allowed: 0 to 9");
  refused(images, 4, {"\0\0\0\0", 4}, "an extent is 0" + sizes);
  refused(images, 4, {"\0\xff\xff\xff", 4}, "an extent is 28" + sizes);
  refused(images, 8, {"\0\0\0\x0e\0\0\0\x38", 8}, "images of 14x56 pixels; allowed: 28x28");
  refused(images, 3, "\x04", "not an IDX file of bytes with 3 extents");
  fs::remove(scratch.dir / images);
  fs::create_directory(scratch.dir / images);
  CHECK(message() == images + ": a folder, not a file");
}

TEST_CASE("train_amed: a resumed training equals an uninterrupted one, with and without cached teacher") {
  const Scratch scratch("train");
  for (const std::string loss : {"greedy", "end-to-end --teacher-steps 4"}) {
    const std::string common = "--model '" + network +
                               "' --solver ipndm --order 2 --steps 2 --afs --forget-analytic --ema 0.9 --batch 3 "
                               "--validation 3 --scale-time 0.1 --loss " +
                               loss;
    const auto train = [&](const std::string& out, const std::string& more) {
      const auto done = scratch.run("train_amed", common + " --out " + out + ".safetensors " + more);
      INFO(done.text);
      REQUIRE(done.code == 0);
    };
    train("whole", "--trajectories 12 --cache cache");
    train("parts", "--trajectories 6");
    train("parts", "--trajectories 12 --cache cache");
    const auto whole = io::read_safetensors(scratch.dir / "whole.safetensors"),
               parts = io::read_safetensors(scratch.dir / "parts.safetensors");
    REQUIRE(whole.tensors.size() > 8);
    for (const auto& [name, array] : whole.tensors) {
      INFO(name);
      CHECK((array.bytes == parts.tensors.at(name).bytes));
    }
    const auto sampled =
        scratch.run("sample", "--model '" + network + "' --predictor whole.safetensors --seeds 0-1 --npy a.npy");
    INFO(sampled.text);
    CHECK(sampled.code == 0);
    CHECK(sampled.text.find("NFE                  3\n") != std::string::npos);
    for (const auto& entry : fs::directory_iterator(scratch.dir))
      if (entry.is_regular_file()) fs::remove(entry.path());
  }
}

TEST_CASE("evaluate: figures, cache, choice of settings, errors") {
  const Scratch scratch("evaluate");
  write_images(scratch.dir / "data", "train", 40);
  write_images(scratch.dir / "data", "t10k", 40);
  const auto trained = scratch.run(
      "train_amed",
      "--model '" + network + "' --steps 2 --afs --trajectories 2 --batch 2 --validation 2 --out amed_3.safetensors");
  INFO(trained.text);
  REQUIRE(trained.code == 0);
  const std::string rest = "--model '" + network +
                           "' --cache cache --images 16 --selection-images 16 --seeds 1 --resamples 20 "
                           "--solvers euler,ipndm --predictors amed_3.safetensors ";
  const std::string measure = rest + "--data data --classifier '" + classifier + "' ",
                    common = measure + "--reference-steps 6 ";
  const auto first = scratch.run("evaluate", common + "--nfe 2,3 --worst worst.png --out first");
  INFO(first.text);
  REQUIRE(first.code == 0);
  const std::string csv = scratch.bytes("first.csv");
  CHECK(std::count(csv.begin(), csv.end(), '\n') ==
        7);  // heading, reference, two classic solvers at 2 and 3, a predictor at 3
  for (const char* words : {"\n6,reference,", "\n2,euler,", "\n3,ipndm,", "\n3,amed_3,"})
    CHECK(csv.find(words) != std::string::npos);
  CHECK(scratch.bytes("worst.png").substr(1, 3) == "PNG");
  CHECK(first.text.find("| 3 | amed_3 | euler |") != std::string::npos);
  // The printed ratios are those of the figures in the file.
  const auto figure = [&](const std::string& row, int from_right) {
    const std::size_t at = csv.find("\n" + row + ",");
    REQUIRE(at != std::string::npos);
    std::string line = csv.substr(at + 1, csv.find('\n', at + 1) - at - 1);
    for (; from_right > 0; --from_right) line.resize(line.rfind(','));
    return std::stod(line.substr(line.rfind(',') + 1));
  };
  const auto check_share = [&](const std::string& what, int column, double floor) {
    const std::string words = "| 3 | amed_3 | " + what + " | ";
    const std::size_t at = first.text.find(words);
    REQUIRE(at != std::string::npos);
    const double best = (std::min)(figure("3,euler", column), figure("3,ipndm", column)) - floor;
    CHECK(std::stod(first.text.substr(at + words.size())) ==
          Approx((figure("3,amed_3", column) - floor) / best).epsilon(0.01));
  };
  check_share("median", 7, 0);
  check_share("Frechet to reference above the reference's own", 5, figure("6,reference", 5));
  const auto again = scratch.run("evaluate", common + "--nfe 2,3 --out again");
  REQUIRE(again.code == 0);
  CHECK(scratch.bytes("again.csv") == csv);  // seconds included: all samples came from the cache

  const auto asked = scratch.run(
      "evaluate", common + "--nfe 2 --settings 'euler, karras 7, 2 steps' 'ipndm 2, karras 5, 2 steps' --out asked");
  INFO(asked.text);
  CHECK(asked.code == 0);
  const std::string asked_csv = scratch.bytes("asked.csv");
  CHECK(std::count(asked_csv.begin(), asked_csv.end(), '\n') == 4);  // heading, reference, one row for each text
  for (const char* words : {"2,euler,\"euler, karras 7, 2 steps\"", "2,ipndm,\"ipndm 2, karras 5, 2 steps\""})
    CHECK(asked_csv.find(words) != std::string::npos);

  // The best setting by distance to the reference solution, which is itself among the settings.
  const auto nearest = scratch.run("evaluate", common + "--nfe 6 --choose images,distance --out nearest");
  INFO(nearest.text);
  CHECK(nearest.code == 0);
  const std::string nearest_csv = scratch.bytes("nearest.csv");
  CHECK(nearest_csv.find("\n6,ipndm,\"ipndm 4, karras 7, 6 steps\",") != std::string::npos);
  CHECK(std::count(nearest_csv.begin(), nearest_csv.end(), '\n') <=
        6);  // heading, reference, and one or two rows per solver: the choices may agree

  // Paired differences of RMS equal the differences of the rows.
  const std::string pairs = scratch.bytes("first_differences.csv");
  CHECK(std::count(pairs.begin(), pairs.end(), '\n') == 3);  // heading, the predictor against two classic solvers at 3
  const std::size_t against = pairs.find("\n3,amed_3,euler,\"euler, ");
  REQUIRE(against != std::string::npos);
  const std::string numbers_of_pair = pairs.substr(pairs.find("\",", against) + 2);
  CHECK(std::stod(numbers_of_pair) == Approx(figure("3,amed_3", 9) - figure("3,euler", 9)).margin(5e-6));

  // The whole text of a setting selects only that setting; a part of several texts selects all of them.
  for (const auto& [text, rows] :
       {std::pair{"ipndm 2, karras 5, 3 steps, AFS", 1}, {"ipndm 2, karras 5, 3 steps", 2}}) {
    const auto some = scratch.run("evaluate", common + "--nfe 2 --settings '" + text + "' --out some");
    INFO(some.text);
    CHECK(some.code == 0);
    const std::string some_csv = scratch.bytes("some.csv");
    CHECK(std::count(some_csv.begin(), some_csv.end(), '\n') == 2 + rows);
  }

  // Also if it is the whole text of a setting at another NFE.
  const auto both = scratch.run("evaluate", common + "--nfe 1,2 --settings 'euler, karras 7, 2 steps' --out both");
  INFO(both.text);
  CHECK(both.code == 0);
  const std::string both_csv = scratch.bytes("both.csv");
  CHECK(std::count(both_csv.begin(), both_csv.end(), '\n') == 3);

  // The distances do not depend on the solver of a converged reference solution.
  std::vector<double> distances;
  for (const char* reference : {"ipndm", "heun"}) {
    const auto some = scratch.run(
        "evaluate", measure +
                        "--nfe 2 --settings 'euler, karras 7, 2 steps' --out some --reference-steps 60 --reference " +
                        reference);
    INFO(some.text);
    CHECK(some.code == 0);
    const std::string line = scratch.bytes("some.csv"), words = "\n2,euler,\"euler, karras 7, 2 steps\",16,1,";
    REQUIRE(line.find(words) != std::string::npos);
    std::istringstream numbers(line.substr(line.find(words) + words.size()));
    double seconds = 0, rms = 0;
    char comma = 0;
    numbers >> seconds >> comma >> rms;
    distances.push_back(rms);
  }
  CHECK(distances[0] > 0);
  CHECK(std::abs(distances[0] - distances[1]) < 0.005 * distances[0]);

  // A Gaussian start is part of a setting's text.
  REQUIRE(scratch.run("gaussian_start", "--model '" + network + "' --images 2 --rank 1 --out start.safetensors").code ==
          0);
  const auto started = scratch.run(
      "evaluate",
      common + "--nfe 2 --settings 'ipndm 2, karras 5, 3 steps' --gaussian-start start.safetensors --out started");
  INFO(started.text);
  CHECK(started.code == 0);
  CHECK(scratch.bytes("started.csv").find("3 steps, start ") != std::string::npos);

  const auto refused = [&](const std::string& arguments, const std::string& words) {
    refused_by(scratch, "evaluate", arguments + " --out no", words);
    CHECK_FALSE(fs::exists(scratch.dir / "no.csv"));
  };
  refused(common + "--solvers unipk", "unipk");
  refused(common + "--predictors absent.safetensors", "absent.safetensors");
  refused(rest + "--data data --classifier '" + network + "'", "not a classifier of train_classifier");
  refused(rest + "--reference-steps 6 --data nowhere --nfe 4 --classifier '" + classifier + "'", "nowhere");
}

TEST_CASE("difficulty_study reallocates evaluations between tables and predictors") {
  const Scratch scratch("difficulty_study");
  const auto train = [&](const std::string& more) {
    const auto trained = scratch.run(
        "train_amed", "--model '" + network + "' --steps 2 --trajectories 2 --batch 2 --validation 2 " + more);
    INFO(trained.text);
    REQUIRE(trained.code == 0);
  };
  train("--afs --out amed_3.safetensors");
  for (const int steps : {5, 6}) {
    const std::filesystem::path path = scratch.dir / ("table_" + std::to_string(steps - 1) + ".json");
    io::write_table(path, {tabulate(Ipndm{.order = 2}, karras({.steps = steps})), true});
  }
  for (const std::string seed : {"1", "2"})
    train("--solver ipndm --order 2 --seed " + seed + " --out plugin_" + seed + ".safetensors");
  const std::string study = "--model '" + network +
                            "' --cache cache --images 16 --seeds 1 --resamples 20 --reference-steps 6 --predictors "
                            "amed_3.safetensors,",
                    random = "| random | 0.05 |", actual = "| actual distance, not known before | 0.2 |",
                    features = "| predicted from first features | 0.1 |",
                    outputs = "| predicted from all outputs of its predictor | 0.1 |",
                    differences = "| predicted from the differences to another predictor's outputs | 0.2 |";
  for (const auto& [middle, more, words] : std::vector<std::tuple<std::string, std::string, std::vector<std::string>>>{
           {"table_4", ".json,table_5.json", {random, features, actual}},
           {"plugin_1",
            ".safetensors,table_5.json,plugin_2.safetensors",
            {random, features, actual, outputs, differences}}}) {
    const auto studied = scratch.run("difficulty_study", study + middle + more);
    INFO(studied.text);
    CHECK(studied.code == 0);
    CHECK(studied.text.find("table_5 for the hardest samples, amed_3 for the easiest, at the total NFE of " + middle) !=
          std::string::npos);
    for (const std::string& row : {random, features, actual, outputs, differences})
      CHECK((studied.text.find(row) != std::string::npos) ==
            (std::find(words.begin(), words.end(), row) != words.end()));
  }
  refused_by(scratch, "difficulty_study", study + "table_4.json", "predictors is 2 files; allowed: 3 or more");
  refused_by(scratch, "difficulty_study", study + "table_5.json,table_4.json",
             "NFE of the three samplers is 3, 5, 4; allowed: increasing ones");
}

TEST_CASE("calibrate --classifier compares final states in features too") {
  const Scratch scratch("calibrate_features");
  const std::string plain =
      "--model '" + network + "' --steps 3 --images 12 --teacher-steps 2 --cache kept --shown 1 --iterations 1 ";
  const std::string features = plain + "--classifier '" + classifier + "' ";
  const auto fitted = [&](const std::string& command) {  // the starting distance, and the fitted levels
    const auto fit = scratch.run("calibrate", command + "--out table.json");
    INFO(fit.text);
    REQUIRE(fit.code == 0);
    double first = 0;
    REQUIRE(
        std::sscanf(
            nlohmann::json::parse(scratch.bytes("table.json")).at("made").at("held_out_rms").get<std::string>().c_str(),
            "%lf at first", &first) == 1);
    return std::pair{first, io::read_table(scratch.dir / "table.json").table.levels};
  };
  const auto square = [](double x) { return x * x; };
  const auto without = fitted(plain), with = fitted(features);
  CHECK(with.first > without.first);
  CHECK(with.second != without.second);
  CHECK(fitted(features + "--feature-weight 0 ") == without);
  CHECK(fitted(features + "--feature-weight 10 ") == with);
  const auto twice = fitted(plain + "--classifier '" + classifier + "','" + classifier +
                            "' ");  // twice the features: their squares count twice
  CHECK(square(twice.first) - square(with.first) == Approx(square(with.first) - square(without.first)).epsilon(0.01));
  CHECK(scratch.run("calibrate", plain + "--classifier '" + network + "' --out no.json")
            .text.find("not a classifier of train_classifier") != std::string::npos);
  CHECK(scratch.run("calibrate", plain + "--feature-weight 2 --out no.json").code > 0);
  const std::string halves = features + "--batch 6 --held-out 0.5 ";  // moments are those of whole batches
  CHECK(fitted(halves + "--moment-weight 5 ").first > fitted(halves).first);
  for (const std::string broken : {"--batch 5 --held-out 0.5 ", "--batch 6 --held-out 0.25 "}) {
    const auto refused = scratch.run("calibrate", features + broken + "--moment-weight 5 --out no.json");
    CHECK(refused.code > 0);
    CHECK(refused.text.find("fill whole batches") != std::string::npos);
  }
  CHECK_FALSE(fs::exists(scratch.dir / "no.json"));
}

TEST_CASE("calibrate: the table can be sampled, a stopped fit resumed, and a fit started from a table") {
  const Scratch scratch("calibrate");
  const auto fitted =
      scratch.run("calibrate", "--model '" + network +
                                   "' --steps 3 --images 12 --iterations 1 --teacher-steps 2 --out table_2.json");
  INFO(fitted.text);
  REQUIRE(fitted.code == 0);
  const io::TableFile table = io::read_table(scratch.dir / "table_2.json");
  CHECK(table.analytic_first_step);
  CHECK(table.table.rows.size() == 3);
  const auto sampled = scratch.run("sample", "--model '" + network + "' --table table_2.json --seeds 0-1 --npy a.npy");
  INFO(sampled.text);
  CHECK(sampled.code == 0);
  CHECK(sampled.text.find("NFE                  2\n") != std::string::npos);
  const auto both = scratch.run("sample", "--model '" + network + "' --table table_2.json --steps 4 --npy b.npy");
  CHECK(both.code > 0);
  CHECK_FALSE(fs::exists(scratch.dir / "b.npy"));
  // Only the same command resumes a stopped run.
  const std::string command =
      "--model '" + network + "' --steps 3 --images 12 --iterations 2 --teacher-steps 2 --cache kept --out again.json";
  REQUIRE(scratch.run("calibrate", command).code == 0);
  const auto whole = io::read_table(scratch.dir / "again.json").table;
  CHECK_FALSE(fs::exists(scratch.dir / "again.json.part"));
  std::ofstream(scratch.dir / "again.json.part") << R"({"command": "another"})";
  const auto other = scratch.run("calibrate", command);
  CHECK(other.code > 0);
  CHECK(other.text.find("again.json.part: belongs to another command") != std::string::npos);
  fs::remove(scratch.dir / "again.json.part");
  CHECK(scratch.run("calibrate", command).code == 0);  // the teacher from the cache
  CHECK(io::read_table(scratch.dir / "again.json").table.levels == whole.levels);

  // Resumed after the steps were fitted, the fit ends with the same table.
  const std::string at_once =
      "--model '" + network + "' --steps 3 --images 12 --teacher-steps 2 --cache kept --iterations 0 --out steps.json";
  REQUIRE(scratch.run("calibrate", at_once).code == 0);
  const auto made = nlohmann::json::parse(scratch.bytes("again.json")),
             steps = nlohmann::json::parse(scratch.bytes("steps.json"));
  double at_first = 0, fitted_steps = 0, in_the_end = 0;
  REQUIRE(std::sscanf(steps.at("made").at("held_out_rms").get<std::string>().c_str(),
                      "%lf at first, %lf with steps fitted, %lf", &at_first, &fitted_steps, &in_the_end) == 3);
  const double numbers = std::sqrt(static_cast<double>(load_denoiser(network)->config().img_channels)) *
                         static_cast<double>(load_denoiser(network)->config().img_resolution);
  const auto described = [&](const std::string& files) {
    return made.at("made").at("command").get<std::string>() + ", of " + files + " - -";
  };
  nlohmann::json part{{"command", described(hex(0))},
                      {"stage", 1},
                      {"before", at_first * numbers},
                      {"steps_fitted", fitted_steps * numbers},
                      {"after", in_the_end * numbers},
                      {"damping", 1e-2},
                      {"usual", 1.},
                      {"median", 1.},
                      {"least", 1e9},
                      {"notes", nlohmann::json::array()},
                      {"table", steps},
                      {"best", steps}};
  fs::remove(scratch.dir / "again.json");
  std::ofstream(scratch.dir / "again.json.part") << part;
  CHECK(scratch.run("calibrate", command).text.find("or to other files") !=
        std::string::npos);  // another model at the same path
  part["command"] = described(fingerprint(network));
  std::ofstream(scratch.dir / "again.json.part") << part;
  const auto resumed = scratch.run("calibrate", command);
  INFO(resumed.text);
  CHECK(resumed.code == 0);
  CHECK(io::read_table(scratch.dir / "again.json").table.levels == whole.levels);

  // It may start from given levels, or from a table.
  REQUIRE(scratch
              .run("calibrate",
                   "--model '" + network +
                       "' --levels 80,5,0.5,0.002 --images 12 --iterations 0 --teacher-steps 2 --out levels.json")
              .code == 0);
  CHECK(io::read_table(scratch.dir / "levels.json").table.levels == std::vector<double>{80, 5, 0.5, 0.002});
  REQUIRE(scratch
              .run("calibrate",
                   "--model '" + network +
                       "' --start table_2.json --images 12 --iterations 0 --teacher-steps 2 --out started.json")
              .code == 0);
  CHECK(io::read_table(scratch.dir / "started.json").table.levels == table.table.levels);
  CHECK(scratch.run("calibrate", "--model '" + network + "' --start table_2.json --steps 4 --out no.json").code > 0);

  const auto none = scratch.run("calibrate", "--model '" + network + "' --images 12 --teacher-steps 0 --out no.json");
  CHECK(none.code > 0);
  CHECK_FALSE(fs::exists(scratch.dir / "no.json"));
}

TEST_CASE("train_amed --table: an untrained predictor leaves the table as it is") {
  const Scratch scratch("amed_over_table");
  const auto unet = load_denoiser(network);
  const ImageConfig& c = unet->config();
  const auto pixels = static_cast<std::size_t>(c.img_channels * c.img_resolution * c.img_resolution);
  io::TableFile even{tabulate(Ipndm{.order = 3}, karras({.steps = 4})), true};
  even.table.rows[3].sigma_scale = 1.1;
  io::write_table(scratch.dir / "even.json", even);
  const auto trained = scratch.run(
      "train_amed",
      "--model '" + network +
          "' --table even.json --loss end-to-end --teacher-steps 4 --trajectories 2 --batch 2 --validation 2 "
          "--lr 1e-30 --scale-dir 0.05 --scale-time 0.05 --out over.safetensors");
  INFO(trained.text);
  REQUIRE(trained.code == 0);
  const auto plain = scratch.run("sample", "--model '" + network + "' --table even.json --seeds 0-1 --npy plain.npy");
  const auto over =
      scratch.run("sample", "--model '" + network + "' --predictor over.safetensors --seeds 0-1 --npy over.npy");
  INFO(over.text);
  REQUIRE(over.code == 0);
  CHECK(over.text.find("NFE                  3\n") != std::string::npos);
  const auto floats = [&](const std::string& name) { return last_floats(scratch.bytes(name), 2 * pixels); };
  CHECK((floats("plain.npy") - floats("over.npy")).abs().max().item<double>() < 1e-4);
  io::write_table(scratch.dir / "odd.json", {tabulate(Ipndm{.order = 3}, karras({.steps = 3})), true});
  const auto odd = scratch.run("train_amed", "--model '" + network + "' --table odd.json --out no.safetensors");
  CHECK(odd.code > 0);
  CHECK(odd.text.find("number of rows of Table is 3; allowed: even numbers") != std::string::npos);
}

TEST_CASE("calibrate: each condition and teacher gives another table") {
  const Scratch scratch("calibrate_conditions");
  std::set<std::vector<double>> weights;
  for (const char* option : {"", "--unlabelled ", "--guidance 3 ", "--classes 1 ", "--teacher ipndm "}) {
    REQUIRE(scratch
                .run("calibrate", "--model '" + labelled +
                                      "' --steps 3 --images 12 --iterations 1 --teacher-steps 2 --out of.json " +
                                      option)
                .code == 0);
    weights.insert(io::read_table(scratch.dir / "of.json").table.rows[2].weights);
  }
  CHECK(weights.size() == 5);
  for (const auto& [options, why] : {std::pair{"--classes 0,99", "error: classes is 99; allowed: 0 to "},
                                     {"--classes 1 --unlabelled", "error: classes is given; allowed: without"},
                                     {"--teacher none", "error: --teacher: solver is none; allowed: "}}) {
    const auto refused = scratch.run("calibrate", "--model '" + labelled + "' --images 12 --out no.json " + options);
    CHECK(refused.code > 0);
    CHECK(refused.text.find(why) == 0);
  }
  const auto unguided = scratch.run("calibrate", "--model '" + labelled + "' --guidance 3 --unlabelled --out no.json");
  CHECK(unguided.code > 0);
  CHECK(unguided.text == "error: guidance is 3; allowed: 1 for unconditional samples\n");
}

TEST_CASE("calibrate_callable, which does not link LibTorch, fits the same table as calibrate() on tensors") {
  const Scratch scratch("calibrate_callable");
  const auto linked = [](const std::string& program) {
    const std::string path = std::string(std::getenv("FEWSTEP_EXAMPLES_BIN")) + "/" + program;
    std::ifstream in(path, std::ios::binary);
    REQUIRE(in);
    return std::string(std::istreambuf_iterator<char>(in), {}).find("libtorch") != std::string::npos;
  };
  CHECK(linked("calibrate"));
  CHECK_FALSE(linked("calibrate_callable"));
  const auto blind = scratch.run("calibrate_callable",
                                 "\"$FEWSTEP_EXAMPLES_BIN/libnetwork_c.so\" '" + network + "' blind.json 3 12 1 2 1");
  INFO(blind.text);
  REQUIRE(blind.code == 0);
  const auto unet = load_denoiser(network);
  const ImageConfig& c = unet->config();
  Eigen::ArrayXXf z = fewstep::noise<float>(seed_range(0, 12), c.img_channels * c.img_resolution * c.img_resolution);
  const torch::NoGradGuard no_grad;
  const Tensor same_noise = torch::from_blob(z.data(), {12, c.img_channels, c.img_resolution, c.img_resolution});
  const Table seen = calibrate(bind_labels(unet), tabulate(Ipndm{.order = 3}, karras({.steps = 3})),
                               std::vector<Tensor>{same_noise}, {.iterations = 1, .tries = 1, .teacher_steps = 2})
                         .table;
  const Table unseen = io::read_table(scratch.dir / "blind.json").table;
  for (std::size_t i = 0; i < seen.rows.size(); ++i) {
    CHECK(unseen.levels[i] == Approx(seen.levels[i]).epsilon(1e-3));
    CHECK(unseen.rows[i].sigma_scale == Approx(seen.rows[i].sigma_scale).epsilon(1e-3));
    REQUIRE(unseen.rows[i].weights.size() == seen.rows[i].weights.size());
    for (std::size_t k = 0; k < seen.rows[i].weights.size(); ++k)
      CHECK(unseen.rows[i].weights[k] ==
            Approx(seen.rows[i].weights[k]).epsilon(1e-3).margin(1e-3 * (seen.levels[i] - seen.levels[i + 1])));
  }
  CHECK(scratch.run("calibrate_callable", "none.so '" + network + "' no.json").code > 0);
  CHECK(scratch.run("calibrate_callable", "\"$FEWSTEP_EXAMPLES_BIN/libnetwork_c.so\" none.safetensors no.json").code >
        0);
}

TEST_CASE("calibrate accepts every calibratable solver and rejects wrong options before it starts") {
  const Scratch scratch("calibrate_begins");
  const std::string few = "--model '" + labelled + "' --steps 2 --images 6 --iterations 0 --teacher-steps 2 ";
  for (const char* solver : {"euler", "dpm2", "amed", "deis"}) {
    const auto fitted = scratch.run("calibrate", few + "--solver " + solver + " --out " + solver + ".json");
    INFO(fitted.text);
    CHECK(fitted.code == 0);
  }
  fs::create_directory(scratch.dir / "folder");
  std::ofstream(scratch.dir / "file") << "a";
  for (const auto& [given, words] : std::initializer_list<std::pair<std::string, std::string>>{
           {"--solver dpmpp", "solver is dpmpp; allowed: one of slopes"},
           {"--solver plms", "solver is plms; allowed: one of slopes"},
           {"--order 2 --solver euler", "order is given; allowed: not with the solver euler"},
           {"--batch 3", "batch is 3; allowed: multiples of the "},
           {"--classes 0,1,2 --batch 4", "batch is 4; allowed: multiples of the 3 classes"},
           {"--held-out 0.01", "held_out is 0.01; allowed: shares that leave 2 or more of 6 trajectories"},
           {"--held-out nan", "--held-out: is nan; allowed: finite numbers"},
           {"--shown nan", "--shown: is nan; allowed"},
           {"--ridge nan", "--ridge: is nan; allowed"},
           {"--guidance nan", "--guidance: is nan"},
           {"--history -1", "--history: Value -1 not in range"},
           {"--steps 1", "steps is 1; allowed: 2 or more"},
           {"--cache file", "file"}})
    refused_by(scratch, "calibrate",
               "--model '" + labelled + "' --images 6 --iterations 0 --teacher-steps 2 --out no.json " + given, words);
  for (const auto& [out, words] :
       std::initializer_list<std::pair<std::string, std::string>>{{"none/no.json", "files in a folder that exists"},
                                                                  {"folder", "files that end in .json"},
                                                                  {"no.safetensors", "files that end in .json"},
                                                                  {"folder/.json", "files that end in .json"}})
    refused_by(scratch, "calibrate", few + "--out " + out, "out is " + out + "; allowed: " + words);
  fs::create_directory(scratch.dir / "folder.json");
  refused_by(scratch, "calibrate", few + "--out folder.json", "out is folder.json; allowed: files: this is a folder");
  CHECK_FALSE(fs::exists(scratch.dir / "no.json"));
}

TEST_CASE("gaussian_start fits Gaussians to the network's outputs at high noise") {
  const Scratch scratch("gaussian_start");
  const torch::NoGradGuard no_grad;
  const TensorGaussianStart start = fitted_start(scratch, "start.safetensors", round_start);
  const auto unet = load_denoiser(labelled);
  const ImageConfig& c = unet->config();
  const Tensor noise = 80 * noise_of(training_numbers(2, 0, 6), c, torch::kCPU).narrow(0, 0, 5),
               level = torch::full({5}, 80., torch::kFloat64);
  REQUIRE(start.means.size(0) == c.label_dim + 1);
  const auto mean_output = [&](const Tensor& row) {
    return unet->forward(noise, level, row.expand({5, -1})).denoised.mean(0);
  };
  const Tensor second = mean_output(class_rows(torch::tensor({1}), c.label_dim)),
               none = mean_output(torch::zeros({1, c.label_dim}));
  CHECK((start.means[1] - second).abs().max().item<double>() < 1e-5);
  CHECK((start.means[c.label_dim] - none).abs().max().item<double>() < 1e-5);

  // Without directions: the denoiser of a round Gaussian, per class, unconditional, and guided.
  const auto round = [&](double variance) {
    return TensorGaussianStart{start.means, start.directions, start.variances, variance};
  };
  for (const double guidance : {1., 2.5}) {
    const auto free = round(0.25).denoiser(class_rows(torch::tensor({1, 1}), c.label_dim), guidance);
    const Tensor x = noise.narrow(0, 0, 2), sigma = torch::tensor(0.5, torch::kFloat64),
                 mean = none + guidance * (second - none);
    CHECK((free(x, sigma) - (x + mean) / 2).abs().max().item<double>() < 1e-4);
  }
  const auto unconditional = round(0).denoiser(torch::zeros({2, c.label_dim}), 1);
  CHECK((unconditional(noise.narrow(0, 0, 2), level[0]) - none).abs().max().item<double>() < 1e-5);
  CHECK((round(0).denoiser({}, 1)(noise, level[0]) - none).abs().max().item<double>() < 1e-5);

  // With directions: the denoiser of a Gaussian with covariance C, D(x) = mean + C (C + sigma^2)^-1 (x - mean), also
  // guided.
  const TensorGaussianStart wide = fitted_start(scratch, "ranked.safetensors", ranked_start);
  REQUIRE(wide.directions.size(1) == 3);
  CHECK(wide.variances.max().item<double>() > 0);
  const Tensor at = noise.narrow(0, 0, 2) / 20;
  const auto by_covariance = [&](std::int64_t k) {
    const Tensor mean = wide.means[k].flatten().to(torch::kFloat64),
                 v = wide.directions[k].flatten(1).to(torch::kFloat64), one = torch::eye(mean.numel(), torch::kFloat64);
    const Tensor covariance = wide.variance * one + v.t().mm((wide.variances[k] - wide.variance).diag()).mm(v);
    return mean +
           torch::linalg_solve(covariance + 4 * one, (at.flatten(1).to(torch::kFloat64) - mean).t()).t().mm(covariance);
  };
  for (const double guidance : {1., 2.5}) {
    const Tensor guided = by_covariance(c.label_dim) + guidance * (by_covariance(1) - by_covariance(c.label_dim));
    const Tensor got =
        wide.denoiser(class_rows(torch::tensor({1, 1}), c.label_dim), guidance)(at, torch::tensor(2., torch::kFloat64));
    CHECK((got.flatten(1) - guided).abs().max().item<double>() < 2e-3);  // the directions are rounded to half precision
    const TensorGaussianStart round_one{wide.means, wide.directions, torch::full_like(wide.variances, wide.variance),
                                        wide.variance};
    const Tensor same = round_one.denoiser(class_rows(torch::tensor({1, 1}), c.label_dim), guidance)(
        at, torch::tensor(2., torch::kFloat64));
    CHECK((same - got).abs().max().item<double>() > 1e-2);  // the directions change the result
  }
}

TEST_CASE("a table fitted with a Gaussian start names its file and is sampled with it") {
  const Scratch scratch("gaussian_start_table");
  const torch::NoGradGuard no_grad;
  const TensorGaussianStart start = fitted_start(scratch, "start.safetensors", round_start);
  const auto unet = load_denoiser(labelled);
  const ImageConfig& c = unet->config();
  const auto fitted =
      scratch.run("calibrate", small_fit + "--iterations 1 --gaussian-start start.safetensors --out table.json");
  INFO(fitted.text);
  REQUIRE(fitted.code == 0);
  const io::TableFile table = io::read_table(scratch.dir / "table.json");
  CHECK(table.gaussian_start == "start.safetensors");
  CHECK(table.analytic_first_step);
  REQUIRE(
      scratch
          .run("calibrate", "--model '" + labelled +
                                "' --images 12 --teacher-steps 2 --iterations 0 --start table.json --out again.json")
          .code == 0);
  CHECK(io::read_table(scratch.dir / "again.json").gaussian_start == "start.safetensors");
  const auto sampled =
      scratch.run("sample", "--model '" + labelled + "' --table table.json --class 1 --seeds 3-4 --npy a.npy");
  INFO(sampled.text);
  REQUIRE(sampled.code == 0);
  const Tensor rows = class_rows(torch::tensor({1, 1}), c.label_dim), z = noise_of({3, 4}, c, torch::kCPU);
  const auto network_of_class = [&](const Tensor& x, const Tensor& sigma) {
    return unet->forward(x, sigma, rows).denoised;
  };
  const Tensor x = sample(table.table, with_analytic_first_step(network_of_class, start.denoiser(rows, 1)),
                          table.table.schedule(), z, {.analytic_first_step = true})
                       .x;
  CHECK((last_floats(scratch.bytes("a.npy"), static_cast<std::size_t>(x.numel())) - x.flatten())
            .abs()
            .max()
            .item<double>() < 1e-5);
  const Tensor without =
      sample(table.table, network_of_class, table.table.schedule(), z, {.analytic_first_step = true}).x;
  CHECK((without - x).abs().max().item<double>() > 1e-3);
}

TEST_CASE("commands reject Gaussian starts that do not fit, and malformed ones") {
  const Scratch scratch("gaussian_start_errors");
  fitted_start(scratch, "start.safetensors", round_start);
  const TensorGaussianStart ranked = fitted_start(scratch, "ranked.safetensors", ranked_start);
  const auto refused = [&](const std::string& program, const std::string& arguments, const std::string& words) {
    refused_by(scratch, program, arguments, words);
  };
  fs::create_directory(scratch.dir / "other");
  fs::copy(scratch.dir / "start.safetensors", scratch.dir / "other");
  refused("calibrate", small_fit + "--gaussian-start other/start.safetensors --out no.json",
          "files in the folder of --out");
  refused("calibrate", small_fit + "--gaussian-start start.safetensors --without-afs --out no.json",
          "with an analytic first step");
  refused("calibrate", "--model '" + network + "' --gaussian-start start.safetensors --out no.json", " for this model");
  const auto change = [&](const std::string& name, const Tensor& to) {
    auto file = io::load_tensors(scratch.dir / "ranked.safetensors");
    if (to.defined()) file.tensors[name] = to;
    else file.tensors.erase(name);
    io::save_tensors(scratch.dir / "broken.safetensors", file);
  };
  const Tensor many = torch::ones({ranked.means.size(0), 3}, torch::kFloat64), infinite = many / 0;
  for (const auto& [name, to, words] : std::vector<std::tuple<std::string, Tensor, std::string>>{
           {"means", ranked.means / 0, "GaussianStart::means[0] is "},
           {"directions", ranked.directions[0], "the shape of tensor directions is "},
           {"directions", ranked.directions.narrow(3, 0, 1).contiguous(), "the shape of tensor directions is "},
           {"directions", ranked.directions / 0, "GaussianStart::directions[0] is "},
           {"directions", {}, "tensor directions is missing"},
           {"variances", {}, "tensor variances is missing"},
           {"variances", -many, "GaussianStart::variances[0] is -1; allowed: finite numbers of 0 or more"},
           {"variances", infinite, "GaussianStart::variances[0] is inf"},
           {"variances", many.narrow(1, 0, 2).contiguous(), "the shape of tensor directions is "},
           {"variance", many, "the size of tensor variance is 33; allowed: 1"},
           {"variance", infinite[0][0].clone(), "GaussianStart::variance is inf"}}) {
    INFO(name);
    change(name, to);
    std::string error;
    try {
      load_gaussian_start(scratch.dir / "broken.safetensors", shape_of(load_denoiser(labelled)->config()), torch::kCPU);
    } catch (const std::exception& e) {
      error = e.what();
    }
    CHECK(error.find("broken.safetensors: " + words) != std::string::npos);
  }
  refused("calibrate", small_fit + "--gaussian-start broken.safetensors --out no.json",
          "GaussianStart::variance is inf");
  io::write_table(scratch.dir / "table.json",
                  {tabulate(Ipndm{.order = 3}, karras({.steps = 4})), true, {}, "start.safetensors"});
  fs::copy(labelled, scratch.dir / "network.safetensors");
  refused("calibrate", small_fit + "--gaussian-start network.safetensors --out no.json",
          "not a Gaussian start (no format entry");
  refused("train_amed", "--model '" + labelled + "' --table table.json --out no.safetensors",
          "with the start start.safetensors; allowed: ");
  fs::remove(scratch.dir / "start.safetensors");
  refused("sample", "--model '" + labelled + "' --table table.json --npy no.npy", "start.safetensors");
  refused("gaussian_start", "--model '" + labelled + "' --images 5 --rank 5 --out no.safetensors", "rank");
  refused("gaussian_start", "--model '" + labelled + "' --images 5 --out '" + labelled + "'",
          "another file than the one that is read");
  refused("gaussian_start", "--model '" + labelled + "' --sigma nan --out no.safetensors",
          "--sigma: is nan; allowed: finite numbers");
  refused("gaussian_start", "--model none.safetensors --out no.safetensors", "none.safetensors");
}

TEST_CASE("geometry writes a table of plausible figures") {
  const Scratch scratch("geometry");
  const auto made = scratch.run("geometry", "--model '" + network + "' --steps 6 --images 4 --out g");
  INFO(made.text);
  REQUIRE(made.code == 0);
  std::ifstream csv(scratch.dir / "g.csv");
  std::string line;
  std::getline(csv, line);
  CHECK(line == "what,at,value");
  int rows = 0;
  double least = 1;
  while (std::getline(csv, line)) {
    ++rows;
    const double value = std::stod(line.substr(line.rfind(',') + 1));
    CHECK(value >= 0);
    if (line.starts_with("variance")) {
      CHECK(value < least);
      least = value;
    }
  }
  CHECK(rows == 3 + 7 + 5);
  CHECK(least < 0.05);
  std::set<std::string> shapes;  // they differ between conditional, unconditional and guided samples
  for (const std::string option : {"", " --unlabelled", " --guidance 3"}) {
    REQUIRE(scratch.run("geometry", "--model '" + labelled + "' --steps 3 --images 2 --out of" + option).code == 0);
    shapes.insert(scratch.bytes("of.csv"));
  }
  CHECK(shapes.size() == 3);
  CHECK(scratch.run("geometry", "--model '" + network + "' --guidance 3 --out no").text ==
        "error: guidance is 3; allowed: 1 for unconditional samples\n");
  CHECK(scratch.run("geometry", "--model '" + network + "' --steps 2 --out no").code > 0);
  CHECK_FALSE(fs::exists(scratch.dir / "no.csv"));
}

TEST_CASE("gits prints levels that train_amed --levels accepts") {
  const Scratch scratch("gits");
  const auto made = scratch.run("gits", "--model '" + network + "' --steps 3 --teacher-steps 8 --images 4");
  INFO(made.text);
  REQUIRE(made.code == 0);
  const std::string last = made.text.substr(made.text.rfind('\n', made.text.size() - 2) + 1);
  CHECK(last.starts_with("80,"));
  CHECK(std::count(last.begin(), last.end(), ',') == 3);
  const auto trained = scratch.run(
      "train_amed", "--model '" + network +
                        "' --afs --loss end-to-end --teacher-steps 4 --trajectories 2 --batch 2 --validation 2 "
                        "--out p.safetensors --levels " +
                        last.substr(0, last.size() - 1));
  INFO(trained.text);
  CHECK(trained.code == 0);
  const auto refused = scratch.run("gits", "--model '" + network + "' --student none");
  CHECK(refused.code > 0);
  CHECK(refused.text.starts_with("error: --student: solver is none; allowed: "));
}

}  // namespace fewstep::evaluate_test
