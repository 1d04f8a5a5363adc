// The command `sample`, run as a program, on the small networks recorded in golden/.
#include "support/command.hpp"

#include <fewstep/io/amed_file.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

namespace fewstep::sample_test {

namespace fs = std::filesystem;

namespace {

const fs::path networks = fs::path(FEWSTEP_SOURCE_DIR) / "tests/golden/edm_networks";
const std::string grey = (networks / "ddpmpp_uncond.safetensors").string();
const std::string rgb = (networks / "ddpmpp_cond.safetensors").string();

struct Scratch : fewstep::test::Scratch {
  Scratch() : fewstep::test::Scratch("sample") {}
  fewstep::test::Outcome sample(const std::string& arguments) const { return run("sample", arguments); }
};

/// The numbers of a .npy file that `sample` wrote; its header is checked elsewhere (examples_support_test).
std::vector<float> numbers(const std::string& npy) {
  REQUIRE(npy.size() > 10);
  const std::size_t start = 10u + static_cast<unsigned char>(npy[8]) + 256u * static_cast<unsigned char>(npy[9]);
  std::vector<float> values((npy.size() - start) / 4);
  std::memcpy(values.data(), npy.data() + start, 4 * values.size());
  return values;
}

}  // namespace

TEST_CASE("sample writes the requested files and prints NFE and times") {
  const Scratch scratch;
  const auto done =
      scratch.sample("--model '" + grey +
                     "' --solver ipndm --order 3 --steps 4 --afs --seeds 0-4 --batch 2 --out a.png --npy a.npy "
                     "--trajectory t.npy");
  INFO(done.text);
  REQUIRE(done.code == 0);
  for (const char* words : {"NFE                  3\n", "seconds ", "images per second ", "outside the network "})
    CHECK(done.text.find(words) != std::string::npos);
  CHECK(scratch.bytes("a.png").substr(1, 3) == "PNG");
  CHECK(scratch.bytes("a.npy").find("'shape': (5,1,32,32,)") != std::string::npos);
  CHECK(scratch.bytes("t.npy").find("'shape': (5,5,1,32,32,)") != std::string::npos);

  const auto images = numbers(scratch.bytes("a.npy")), states = numbers(scratch.bytes("t.npy"));
  REQUIRE(states.size() == 5 * images.size());
  CHECK(std::equal(images.begin(), images.end(), states.end() - static_cast<std::ptrdiff_t>(images.size())));
}

TEST_CASE("sample: an image depends on its seed, not on its batch") {
  const Scratch scratch;
  REQUIRE(scratch.sample("--model '" + rgb + "' --seeds 0-5 --batch 4 --class 3 --npy all.npy").code == 0);
  REQUIRE(scratch.sample("--model '" + rgb + "' --seeds 5 --class 3 --npy one.npy").code == 0);
  const auto all = numbers(scratch.bytes("all.npy")), one = numbers(scratch.bytes("one.npy"));
  REQUIRE(all.size() == 6 * one.size());
  for (std::size_t i = 0; i < one.size(); ++i)  // within one grey level: a network's kernels depend on its batch
    REQUIRE(std::abs(all[5 * one.size() + i] - one[i]) <= 1 / 127.5f);

  REQUIRE(scratch.sample("--model '" + rgb + "' --seeds 5 --class 4 --npy other.npy").code == 0);
  CHECK(numbers(scratch.bytes("other.npy")) != one);
}

TEST_CASE("sample --guidance extrapolates by the scale, at twice the NFE") {
  const Scratch scratch;
  const auto drawn = [&](const std::string& of) {
    const auto done = scratch.sample("--model '" + rgb + "' --seeds 0-2 --solver euler --steps 1 --npy a.npy " + of);
    INFO(done.text);
    REQUIRE(done.code == 0);
    CHECK((done.text.find("NFE                  2\n") != std::string::npos) ==
          (of.find("--guidance") != std::string::npos));
    return numbers(scratch.bytes("a.npy"));
  };
  const auto none = drawn(""), class_3 = drawn("--class 3"), guided = drawn("--class 3 --guidance 2.5");
  REQUIRE(none != class_3);
  for (std::size_t i = 0; i < none.size(); ++i)
    REQUIRE(std::abs(none[i] + 2.5f * (class_3[i] - none[i]) - guided[i]) < 1e-3f);
}

TEST_CASE("sample takes solver and schedule from a predictor's file, and rejects models that do not fit") {
  const Scratch scratch;
  using Layer = fewstep::AmedNetwork::Layer;
  const auto zeros = [](std::size_t out, std::size_t in) {
    return Layer{std::vector<double>(out * in), std::vector<double>(out)};
  };
  fewstep::io::AmedFile file;
  file.network = {zeros(8, 64), zeros(4, 8), zeros(4, 4), {1, 0.01}, zeros(1, 12), {}, {}};
  file.schedule_settings.steps = 3;
  file.analytic_first_step = true;
  file.data_shape = {1, 32, 32};
  fewstep::io::write_amed(scratch.dir / "p.safetensors", file);
  const auto done = scratch.sample("--model '" + grey + "' --predictor p.safetensors --seeds 0-2 --npy p.npy");
  INFO(done.text);
  REQUIRE(done.code == 0);
  CHECK(done.text.find("NFE                  5\n") != std::string::npos);
  // Without weights the ratio is 1/2: the solver's own.
  REQUIRE(scratch.sample("--model '" + grey + "' --solver amed --steps 3 --afs --seeds 0-2 --npy same.npy").code == 0);
  CHECK(numbers(scratch.bytes("p.npy")) == numbers(scratch.bytes("same.npy")));

  const auto refused = [&](const std::string& arguments, const std::string& words) {
    const auto failed = scratch.sample(arguments + " --npy no.npy");
    INFO(failed.text);
    CHECK(failed.code != 0);
    CHECK(failed.text.find(words) != std::string::npos);
    CHECK(std::count(failed.text.begin(), failed.text.end(), '\n') == 1);
    CHECK_FALSE(fs::exists(scratch.dir / "no.npy"));
  };
  refused("--model '" + rgb + "' --predictor p.safetensors",
          "error: predictor is p.safetensors for data of 1 x 32 x 32; allowed: predictors for this model's data, 3 x "
          "32 x 32");
  refused("--model '" + grey + "' --predictor p.safetensors --steps 4", "--steps excludes --predictor");
  refused("--model '" + grey + "' --predictor '" + grey + "'", "not a time predictor");
  file.network = {zeros(8, 16), zeros(4, 8), zeros(4, 4), {1, 0.01}, zeros(1, 12), {}, {}};
  fewstep::io::write_amed(scratch.dir / "p.safetensors", file);
  refused("--model '" + grey + "' --predictor p.safetensors",
          "error: predictor is p.safetensors for 16 features; allowed: predictors for this model's 64");
}

TEST_CASE("sample --dtype: all types give finite samples, and float64 agrees with float32") {
  const Scratch scratch;
  for (const char* dtype : {"float32", "float64", "bfloat16"}) {
    const auto done = scratch.sample("--model '" + grey + "' --seeds 1 --dtype " + dtype + " --npy " + dtype + ".npy");
    INFO(done.text);
    REQUIRE(done.code == 0);
  }
  const auto single = numbers(scratch.bytes("float32.npy")), wide = numbers(scratch.bytes("float64.npy"));
  for (std::size_t i = 0; i < single.size(); ++i) REQUIRE(std::abs(single[i] - wide[i]) <= 1e-3f);
}

TEST_CASE("sample: wrong options give a one-line error and no file") {
  const Scratch scratch;
  const auto refused = [&](const std::string& arguments, const std::string& words) {
    const auto before = std::distance(fs::directory_iterator(scratch.dir), {});
    const auto outcome = scratch.sample(arguments);
    INFO(arguments << "\n" << outcome.text);
    CHECK(outcome.code > 0);
    CHECK(outcome.text.starts_with("error: "));
    CHECK(std::count(outcome.text.begin(), outcome.text.end(), '\n') == 1);
    CHECK(outcome.text.find(words) != std::string::npos);
    CHECK(std::distance(fs::directory_iterator(scratch.dir), {}) == before);
  };
  const std::string model = "--model '" + grey + "' ", out = " --out a.png --npy a.npy";

  refused(out, "--model is required");
  refused(model, "the output is missing; allowed: one or more of --out, --npy, --trajectory");
  refused(model + "--solver ipndn" + out, "did you mean ipndm?");
  refused(model + "--solver dpmpp --order 4" + out, "order is 4; allowed: 1 to 3");
  refused(model + "--solver ipndm --order 0" + out, "order is 0; allowed: 1 to 4");
  refused(model + "--solver euler --order 2" + out, "order is given; allowed: not with the solver euler");
  refused(model + "--schedule karas" + out, "did you mean karras?");
  refused(model + "--steps 0" + out, "--steps");
  refused(model + "--steps five" + out, "--steps");
  refused(model + "--rho 0" + out, "rho is 0");
  refused(model + "--seeds 9-3" + out, "'9-3' is empty");
  refused(model + "--seeds ''" + out, "is not a number or a range");
  refused(model + "--batch 0" + out, "--batch");
  refused(model + "--device gpu" + out, "device is gpu");
  refused(model + "--dtype float8" + out, "--dtype");
  refused(model + "--class 1" + out, "class is 1");
  refused("--model '" + rgb + "' --class 10" + out, "class is 10; allowed: 0 to 9");
  refused("--model '" + rgb + "' --guidance 2" + out, "guidance is 2; allowed: 1 without --class");
  refused(model + "--out nowhere/a.png", "out is nowhere/a.png; allowed: files in a folder that exists");
  refused(model + "--out a.jpg", "out is a.jpg; allowed: files that end in .png");
  refused(model + "--colour" + out, "--colour");
  refused("--model absent.safetensors" + out, "absent.safetensors");
}

TEST_CASE("sample: outputs are tried first, and not shared with another process") {
  const Scratch scratch;
  const std::string model = "--model '" + grey + "' --steps 2 --seeds 0 ";
  for (const std::string option : {"--out a.png", "--npy a.npy", "--trajectory a.npy"}) {
    const std::string file = option.substr(option.find(' ') + 1), name = option.substr(2, option.find(' ') - 2);
    CHECK(scratch.run("sample", model + option, "ulimit -f 0 &&").text ==
          "error: writing " + file + " failed: File too large\n");
    const int other = open((scratch.dir / (file + ".lock")).c_str(), O_RDWR | O_CREAT, 0600);
    REQUIRE(flock(other, LOCK_EX) == 0);
    CHECK(scratch.sample(model + option).text ==
          "error: " + name + " is " + file + "; allowed: files that no other process or option writes\n");
    close(other);
    CHECK(scratch.sample(model + option).code == 0);
    CHECK_FALSE(fs::exists(scratch.dir / (file + ".lock")));
  }
  CHECK(scratch.sample(model + "--npy b.npy --trajectory b.npy").code == 1);
  const auto full = scratch.sample(model + "--out a.png > /dev/full");
  CHECK(full.text.ends_with("\nerror: writing stdout failed: No space left on device\n"));
  CHECK(full.code == 1);
  CHECK(scratch.sample("--model . --out a.png").text == "error: .: a folder, not a file\n");
}

TEST_CASE("sample --threads: threads sleep while they wait, and their number does not change the images") {
  const Scratch scratch;
  const auto shown = scratch.run("sample", "--help", "env -u OMP_WAIT_POLICY OMP_DISPLAY_ENV=verbose");
  CHECK(shown.text.find("--threads") != std::string::npos);
  if (shown.text.find("GOMP_SPINCOUNT") != std::string::npos)  // GNU's OpenMP library
    CHECK(shown.text.find("GOMP_SPINCOUNT = '0'") != std::string::npos);
  const auto active = scratch.run("sample", "--help", "OMP_DISPLAY_ENV=verbose OMP_WAIT_POLICY=active");
  CHECK(active.text.find("GOMP_SPINCOUNT = '0'") == std::string::npos);

  for (const std::string threads : {"1", "2"}) {
    const auto done = scratch.sample("--model '" + grey + "' --steps 2 --seeds 0-3 --threads " + threads + " --npy " +
                                     threads + ".npy");
    INFO(done.text);
    REQUIRE(done.code == 0);
  }
  const auto one = numbers(scratch.bytes("1.npy")), two = numbers(scratch.bytes("2.npy"));
  REQUIRE(one.size() == two.size());
  for (std::size_t i = 0; i < one.size(); ++i) REQUIRE(std::abs(one[i] - two[i]) < 1e-4f);
  CHECK(scratch.sample("--model '" + grey + "' --threads -1 --npy a.npy").text.find("--threads") != std::string::npos);
}

TEST_CASE("sample: a model's description cannot make it take much memory") {
  const Scratch scratch;
  std::ifstream in(grey, std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(in), {}};
  const auto refused = [&](const std::string& from, const std::string& to, const std::string& words) {
    std::string bytes = good;
    const auto at = bytes.find(from);
    REQUIRE(at != bytes.npos);
    bytes.replace(at, from.size(), to);
    std::uint64_t header = 0;
    std::memcpy(&header, bytes.data(), sizeof header);
    header += to.size() - from.size();
    std::memcpy(bytes.data(), &header, sizeof header);
    std::ofstream(scratch.dir / "bad.safetensors", std::ios::binary) << bytes;
    CHECK(scratch.run("sample", "--model bad.safetensors --out a.png", "ulimit -v 8000000 &&").text ==
          "error: bad.safetensors: " + words + "\n");
  };
  const std::string blocks = R"(\"num_blocks\": 2)", width = R"(\"model_channels\": 8)", multiples = R"([1, 2, 2])",
                    unusable = "metadata: num_blocks has the unusable value ";
  refused(blocks, R"(\"num_blocks\": 65536)", "metadata: num_blocks is 65536; allowed: 1 to 64");
  refused(blocks, R"(\"num_blocks\": 2.9)", unusable + "2.9");
  refused(blocks, R"(\"num_blocks\": 1e300)", unusable + "1e+300");
  refused(blocks, R"(\"num_blocks\": 18446744073709551615)", unusable + "18446744073709551615");
  refused(multiples, "[1, 65536]", "metadata: channel_mult is 65536; allowed: 1 to 64");
  refused(multiples, "[1, 2.5]", "metadata: channel_mult has the unusable value [1,2.5]");
  refused(multiples, "[64, 64, 64]", "the network has 7.1e+07 weights or more, the tensors hold 1.12e+05 numbers");
  refused(width, R"(\"model_channels\": 4096)",
          "the network has 1.56e+10 weights or more, the tensors hold 1.12e+05 numbers");
  refused(R"("img_resolution": "32")", R"("img_resolution": "65536")",
          "metadata: img_resolution is 65536; allowed: 1 to 4096");
  refused(R"("img_channels": "1")", R"("img_channels": "65536")",
          "metadata: img_channels is 65536; allowed: 1 to 1024");
  refused(R"("label_dim": "0")", R"("label_dim": "1e300")", "metadata: label_dim has the unusable value 1e+300");
}

TEST_CASE("sample: a damaged model is rejected") {
  const Scratch scratch;
  std::ifstream in(grey, std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(in), {}};
  const auto refused = [&](const std::string& bytes, const std::string& words) {
    std::ofstream(scratch.dir / "bad.safetensors", std::ios::binary) << bytes;
    const auto outcome = scratch.sample("--model bad.safetensors --out a.png");
    INFO(outcome.text);
    CHECK(outcome.code > 0);
    CHECK(outcome.text.starts_with("error: bad.safetensors"));
    CHECK(std::count(outcome.text.begin(), outcome.text.end(), '\n') == 1);
    CHECK(outcome.text.find(words) != std::string::npos);
    CHECK(!fs::exists(scratch.dir / "a.png"));
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string bytes = good;
    const auto at = bytes.find(from);
    REQUIRE(at != bytes.npos);
    REQUIRE(from.size() == to.size());
    return bytes.replace(at, from.size(), to);
  };

  std::string not_finite = good;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(not_finite.data() + not_finite.size() - 4, &nan, 4);
  refused(not_finite, "not finite");
  refused(good.substr(0, good.size() / 2), "");
  refused(good.substr(0, 5), "");
  refused("", "");
  refused(with(R"(\"model_channels\": 8)", R"(\"model_channels\": 4)"), "shape");
  refused(with(R"("img_channels": "1")", R"("img_channels": "3")"), "shape");
  refused(with("SongUNet", "SingUNet"), "model_type");
}

TEST_CASE("sample: the shipped model draws the class on an empty frame, and more steps are closer to the reference") {
  const Scratch scratch;
  const std::string shipped =
      "--model '" + std::string(FEWSTEP_SOURCE_DIR) + "/examples/models/fashion_mnist.safetensors' --seeds 0-7 ";
  const auto draw = [&](const std::string& arguments) {
    const auto done = scratch.sample(shipped + arguments + " --npy a.npy");
    INFO(done.text);
    REQUIRE(done.code == 0);
    auto images = numbers(scratch.bytes("a.npy"));
    REQUIRE(images.size() == 8 * 32 * 32);
    return images;
  };
  const auto mean = [](const std::vector<float>& v) {
    double sum = 0;
    for (const float x : v) sum += x;
    return sum / static_cast<double>(v.size());
  };
  const auto bags = draw("--class 8 --solver heun --steps 12"), sandals = draw("--class 5 --solver heun --steps 12");
  CHECK(mean(bags) > mean(sandals) + 0.15);  // a bag covers far more of the picture
  std::size_t outside = 0, framing = 0;
  double frame = 0;
  for (std::size_t i = 0; i < bags.size(); ++i) {
    REQUIRE(std::isfinite(bags[i]));
    outside += std::abs(bags[i]) > 1.2f;
    const std::size_t row = i / 32 % 32, column = i % 32;
    if (row >= 2 && row <= 29 && column >= 2 && column <= 29) continue;
    frame += std::abs(bags[i] + 1.0);
    ++framing;
  }
  CHECK(outside < bags.size() / 100);
  CHECK(frame / static_cast<double>(framing) < 0.02);

  const auto distance = [&](const std::vector<float>& a) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - bags[i]) * (a[i] - bags[i]);
    return std::sqrt(sum / static_cast<double>(a.size()));
  };
  CHECK(distance(draw("--class 8 --solver dpmpp --steps 16")) < distance(draw("--class 8 --solver dpmpp --steps 5")));
  CHECK(distance(draw("--class 8 --solver ipndm --order 3 --steps 5")) <
        distance(draw("--class 8 --solver euler --steps 5")));
}

}  // namespace fewstep::sample_test
