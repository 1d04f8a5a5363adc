// Commands on networks that a description names, run as programs.
#include "support/command.hpp"

#include <fewstep/array/values.hpp>
#include <fewstep/io/npy.hpp>
#include <fewstep/schedules/karras.hpp>

#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::described_test {

namespace fs = std::filesystem;

namespace {

struct Scratch : fewstep::test::Scratch {
  Scratch() : fewstep::test::Scratch("described") {}
  fewstep::test::Outcome sample(const std::string& arguments) const { return run("sample", arguments); }

  void write(const char* name, const std::string& text) const { std::ofstream(dir / name) << text; }
  void array(const char* name, const std::vector<float>& values, std::vector<std::int64_t> shape) const {
    io::write_npy(dir / name, array_of(values, std::move(shape), Dtype::f32));
  }
  std::vector<float> numbers(const char* name) const { return values_of<float>(io::read_npy(dir / name)); }

  /// Runs a command that must succeed. @return what it printed
  std::string good(const std::string& command, const std::string& arguments) const {
    const auto done = run(command, arguments);
    INFO(command << " " << arguments << "\n" << done.text);
    REQUIRE(done.code == 0);
    return done.text;
  }
  /// Runs a command that must fail with one line. @return the line
  std::string refused(const std::string& command, const std::string& arguments) const {
    const auto done = run(command, arguments);
    INFO(command << " " << arguments << "\n" << done.text);
    CHECK(done.code == 1);
    CHECK(std::count(done.text.begin(), done.text.end(), '\n') == 1);
    return done.text;
  }
};

constexpr double mean = 0.3, deviation = 0.4;  // of the data of pictures.json, in every pixel

/// Writes pictures.json: the exact denoiser of pictures [1, 4, 4] whose pixels are independent, with a feature of 16
/// numbers.
void write_pictures(const Scratch& scratch) {
  torch::jit::Module module("model");
  module.define(R"(
    def forward(self, x, sigma):
        s = sigma.view(-1, 1, 1, 1)
        d = 0.3 + 0.16 / (0.16 + s * s) * (x - 0.3)
        return d, d.flatten(1)
  )");
  module.save((scratch.dir / "pictures.pt").string());
  scratch.write("pictures.json", R"({"format": "fewstep model 1", "network": "pictures.pt", "sample_shape": [1, 4, 4],)"
                                 R"( "predicts": "x0", "process": {"kind": "edm"}, "feature": 1,)"
                                 R"( "label": {"kind": "sigma"},)"
                                 R"( "levels": [0.01, 20]})");
}

/// The exact end at level 0 of a run from x at a level.
double exact_end(double x, double level) {
  return mean + (x - mean) * deviation / std::sqrt(deviation * deviation + level * level);
}

}  // namespace

TEST_CASE("sample draws from a described network, with conditions, guidance, given noise and diffusers' schedulers") {
  const Scratch scratch;
  torch::jit::Module module("model");  // the velocity of data N(mean, 0.25^2) at times of noise at 1
  module.define(R"(
    def forward(self, x, t, mean):
        t = t.view(-1, 1) / 1000
        keep = 0.0625 * (1 - t) / (0.0625 * (1 - t) ** 2 + t * t)
        d = mean + keep * (x - (1 - t) * mean)
        return (x - d) / t, keep * x
  )");
  module.save((scratch.dir / "flow.pt").string());
  scratch.array("one.npy", {1, 1, 1}, {1, 3});
  scratch.array("zero.npy", {0, 0, 0}, {1, 3});
  scratch.array("noise.npy", {1, -1, 0.5f, 0.2f, 2, -0.3f}, {2, 3});
  const std::string description =
      R"({"format": "fewstep model 1", "network": "flow.pt", "sample_shape": [3], "process": {"kind": "flow"},)"
      R"( "label": {"scale": 1000}, "feature": 1,)"
      R"( "conditions": [{"input": "mean", "values": "one.npy", "unconditional": "zero.npy"}]})";
  scratch.write("flow.json", description);
  scratch.write("scheduler.json", R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0})");

  const auto draw = [&](const std::string& options) {
    const auto done = scratch.sample("--model flow.json --noise noise.npy --npy a.npy " + options);
    INFO(done.text);
    REQUIRE(done.code == 0);
    return scratch.numbers("a.npy");
  };
  const auto expect = [&](const std::vector<float>& drawn, double mean) {
    REQUIRE(drawn.size() == 6);
    const std::vector<float> noise{1, -1, 0.5f, 0.2f, 2, -0.3f};
    for (std::size_t i = 0; i < 6; ++i) CHECK(drawn[i] == Approx(mean + 0.25 * noise[i]).margin(0.05));
  };
  expect(draw("--steps 30"), 1);
  expect(draw("--steps 30 --solver ipndm --order 3 --afs"), 1);
  expect(draw("--steps 30 --guidance 2"), 2);
  expect(draw("--steps 60 --scheduler scheduler.json"), 1);
  const auto euler = draw("--steps 2 --scheduler scheduler.json");  // times 1, 0.75 (shifted 0.5) and 0
  CHECK(euler[0] == Approx(1.15).margin(0.15));

  const auto fitted = scratch.run(
      "calibrate", "--model flow.json --steps 4 --images 40 --batch 20 --teacher-steps 4 --iterations 1 --out t.json");
  INFO(fitted.text);
  REQUIRE(fitted.code == 0);
  CHECK(fitted.text.find("wrote t.json") != std::string::npos);
  draw("--table t.json");
  const auto trained = scratch.run("train_amed",
                                   "--model flow.json --guidance 2 --solver ipndm --order 2 --steps 3 --afs "
                                   "--trajectories 40 --batch 20 --validation 20 --out p.safetensors");
  INFO(trained.text);
  REQUIRE(trained.code == 0);
  double mean = 0;
  for (const float number : draw("--predictor p.safetensors --guidance 2")) mean += number / 6;
  CHECK(mean == Approx(2).margin(0.3));
  const auto other = scratch.run("train_amed",
                                 "--model flow.json --guidance 1.5 --solver ipndm --order 2 --steps 3 --afs "
                                 "--trajectories 60 --batch 20 --validation 20 --out p.safetensors");
  CHECK(other.code == 1);
  CHECK_THAT(other.text, Catch::Contains("other settings (model"));
  CHECK_THAT(scratch.run("calibrate", "--model flow.json --classes 1 --out u.json").text,
             Catch::Contains("classes is given; allowed: none for a described network"));

  const auto refused = [&](const std::string& options) {
    const auto done = scratch.sample("--npy b.npy " + options);
    CHECK(done.code == 1);
    CHECK_FALSE(fs::exists(scratch.dir / "b.npy"));
    return done.text;
  };
  CHECK_THAT(refused("--model flow.json --class 1"),
             Catch::Contains("class is 1; allowed: none for a described network"));
  CHECK_THAT(refused("--model flow.json --out a.png"), Catch::Contains("samples [3] are no pictures"));
  CHECK_THAT(refused("--model flow.json --dtype float16"), Catch::Contains("dtype is float16; allowed: float32"));
  const std::string grey =
      (fs::path(FEWSTEP_SOURCE_DIR) / "tests/golden/edm_networks/ddpmpp_uncond.safetensors").string();
  CHECK_THAT(refused("--model '" + grey + "' --scheduler scheduler.json"),
             Catch::Contains("scheduler is scheduler.json; allowed: only with a described network (.json)"));
  scratch.array("flat.npy", {1, 2}, {2});
  CHECK_THAT(refused("--model flow.json --noise flat.npy"),
             Catch::Contains("flat.npy: the noise is F32 [2]; allowed: floating-point numbers F32 [2, 3]"));
  scratch.write("none.json", R"({"format": "fewstep model 1", "network": "no.pt", "sample_shape": [3],)"
                             R"( "process": {"kind": "flow"}})");
  CHECK_THAT(refused("--model none.json"), Catch::Contains("no.pt: no such file"));
  scratch.array("rows.npy", {1, 1, 1, 2, 2, 2}, {2, 3});
  scratch.write("rows.json",
                R"({"format": "fewstep model 1", "network": "flow.pt", "sample_shape": [3],)"
                R"( "process": {"kind": "flow"}, "label": {"scale": 1000}, "conditions": [{"input": "mean",)"
                R"( "values": "rows.npy"}]})");
  CHECK_THAT(refused("--model rows.json --guidance 2"),
             Catch::Contains("the unconditional values of `mean` is missing"));
  const auto turns = [&](const std::string& options) {  // means 1, 2, 1, 2, 1, whatever the batch
    const auto done = scratch.sample("--model rows.json --steps 30 --seeds 0-4 --npy a.npy " + options);
    INFO(done.text);
    REQUIRE(done.code == 0);
    return scratch.numbers("a.npy");
  };
  const std::vector<float> whole = turns(""), in_parts = turns("--batch 3");
  REQUIRE(whole.size() == 15);
  for (std::size_t i = 0; i < 15; ++i) {
    CHECK(whole[i] == Approx(i / 3 % 2 == 0 ? 1 : 2).margin(0.8));
    CHECK(in_parts[i] == Approx(whole[i]).margin(1e-4));
  }
}

TEST_CASE("every command takes a described network") {
  const Scratch scratch;
  write_pictures(scratch);
  const std::string model = "--model pictures.json ";
  scratch.good("calibrate", model + "--steps 4 --images 40 --batch 20 --iterations 1 --out table.json");
  const std::string trained = scratch.good(
      "train_amed", model + "--steps 2 --afs --trajectories 40 --batch 20 --validation 20 --out amed.safetensors");
  CHECK_THAT(trained, Catch::Contains("wrote amed.safetensors"));
  CHECK_THAT(trained, Catch::Contains(" classic settings at the same NFE, "));
  CHECK_THAT(trained, Catch::Contains("relative to it: RMS "));
  const std::string drawn = scratch.good("sample", model + "--predictor amed.safetensors --seeds 0-3 --npy a.npy");
  CHECK_THAT(drawn, Catch::Contains("NFE                  3\n"));
  CHECK_THAT(drawn, Catch::Contains("a prediction"));

  const std::string compared =
      scratch.good("compare", model + "--predictors amed.safetensors,table.json --seeds 0-3 --out compare.png");
  CHECK_THAT(compared, Catch::Contains("calibrated             3  0.0"));
  CHECK(fs::exists(scratch.dir / "compare.png"));
  scratch.good("compare", model + "--seeds 0-3");

  const std::string levels = scratch.good("gits", model + "--steps 4 --images 16 --teacher-steps 20");
  CHECK_THAT(levels, Catch::Contains("\n20,"));
  CHECK(levels.ends_with(",0.01\n"));
  CHECK_THAT(scratch.good("geometry", model + "--images 8 --steps 10 --out geometry"),
             Catch::Contains("wrote geometry.csv"));

  const std::string measured =
      scratch.good("evaluate", model +
                                   "--nfe 3 --solvers euler,ipndm --predictors table.json,amed.safetensors "
                                   "--images 32 --seeds 2 --selection-images 16 --resamples 20 --out evaluate");
  CHECK_THAT(measured, Catch::Contains("| RMS | median | sliced Wasserstein |"));
  for (const char* words :
       {"| 3 | euler | ", "| 3 | ipndm | ", "| 3 | table | ", "| 3 | amed | ", "Paired differences"})
    CHECK_THAT(measured, Catch::Contains(words));
  CHECK_THAT(measured, !Catch::Contains("Frechet"));
  for (const char* file : {"evaluate.csv", "evaluate_differences.csv"})
    CHECK_THAT(scratch.bytes(file), !Catch::Contains("frechet"));
}

TEST_CASE("commands refuse what a described network lacks") {
  const Scratch scratch;
  write_pictures(scratch);
  const std::string model = "--model pictures.json ";
  for (const char* command : {"calibrate", "geometry", "evaluate"}) {
    const std::string out = command == std::string("calibrate") ? "--out t.json " : "--out o ";
    CHECK_THAT(scratch.refused(command, model + out + "--unlabelled"),
               Catch::Contains("unlabelled is given; allowed: none for a described network"));
    CHECK_THAT(scratch.refused(command, model + out + "--bf16"),
               Catch::Contains("bf16 is given; allowed: none for a described network"));
  }
  CHECK_THAT(scratch.refused("train_amed", model + "--out p.safetensors --gradients automatic"),
             Catch::Contains("gradients is automatic; allowed: finite for a described network"));
  CHECK_THAT(scratch.refused("evaluate", model + "--out o --choose images"),
             Catch::Contains("choose is images; allowed: distance without --classifier"));
  for (const char* command : {"gaussian_start", "difficulty_study"})
    CHECK(scratch.run(command, model + "--out o.safetensors --predictors pictures.json").code != 0);

  scratch.write("plain.json",
                R"({"format": "fewstep model 1", "network": "pictures.pt", "sample_shape": [1, 4, 4],)"
                R"( "predicts": "x0", "process": {"kind": "edm"}, "label": {"kind": "sigma"}, "levels": [0.01, 20]})");
  const std::string train = "--steps 2 --trajectories 20 --batch 20 --validation 20 --out p.safetensors";
  CHECK_THAT(scratch.refused("train_amed", "--model plain.json " + train),
             Catch::Contains("constants is missing; allowed: with a network without a feature"));
  scratch.good("train_amed", "--model plain.json --constants " + train);
  scratch.good("sample", "--model plain.json --predictor p.safetensors --seeds 0 --npy a.npy");
  CHECK_THAT(scratch.refused("sample", model + "--predictor p.safetensors --npy a.npy"),
             Catch::Contains("p.safetensors for 1 features; allowed: predictors for this model's 16"));
  CHECK_THAT(scratch.refused("sample", model + "--predictor t.json --npy a.npy"),
             Catch::Contains("allowed: files of train_amed (.safetensors)"));
}

TEST_CASE("sample --init starts from clean samples, and --prefix keeps known values") {
  const Scratch scratch;
  write_pictures(scratch);
  std::vector<float> noise(32), init(16, 0.5f), known(16), mask(16);
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = 0.1f * static_cast<float>(i) - 1.5f;
  for (std::size_t i = 0; i < 16; ++i) known[i] = 0.01f * static_cast<float>(i), mask[i] = i < 6 ? 1.f : 0.f;
  scratch.array("noise.npy", noise, {2, 1, 4, 4});
  scratch.array("init.npy", init, {1, 4, 4});
  scratch.array("known.npy", known, {1, 1, 4, 4});
  scratch.array("mask.npy", mask, {1, 4, 4});
  const std::string model = "--model pictures.json --noise noise.npy --npy a.npy ",
                    sampler = "--solver heun --steps 40 --to-zero ";
  CHECK_THAT(scratch.good("sample", model + sampler + "--init init.npy --strength 0.5"),
             Catch::Contains("NFE                  39\n"));
  const std::vector<float> edited = scratch.numbers("a.npy");
  const double level = karras({.steps = 40, .sigma_min = 0.01, .sigma_max = 20, .end = End::zero})[20];
  REQUIRE(edited.size() == 32);
  for (std::size_t i = 0; i < 32; ++i)
    CHECK(edited[i] == Approx(exact_end(0.5 + level * noise[i], level)).margin(4e-3));

  scratch.good("sample", model + sampler);
  const std::vector<float> free = scratch.numbers("a.npy");
  for (const std::string afs : {"", "--afs "}) {
    scratch.good("sample", model + sampler + afs + "--prefix known.npy --mask mask.npy");
    const std::vector<float> kept = scratch.numbers("a.npy");
    for (std::size_t i = 0; i < 32; ++i) {
      if (mask[i % 16] == 1) CHECK(kept[i] == known[i % 16]);
      else CHECK(kept[i] == Approx(free[i]).margin(afs.empty() ? 1e-5 : 0.02));
    }
  }

  CHECK_THAT(scratch.refused("sample", model + "--init init.npy --strength 0"),
             Catch::Contains("strength is 0; allowed: above 0, at most 1"));
  CHECK_THAT(scratch.refused("sample", model + "--steps 4 --init init.npy --strength 0.1"),
             Catch::Contains("strength is 0.1; allowed: 1/4 or more"));
  scratch.array("three.npy", std::vector<float>(48), {3, 1, 4, 4});
  CHECK_THAT(scratch.refused("sample", model + "--init three.npy"),
             Catch::Contains("three.npy: 3 samples; allowed: 1 or 2"));
  CHECK_THAT(scratch.refused("sample", model + "--prefix three.npy --mask mask.npy"),
             Catch::Contains("three.npy: 3 samples; allowed: 1 or 2"));
  scratch.array("wide.npy", std::vector<float>(16, 2.f), {1, 4, 4});
  CHECK_THAT(scratch.refused("sample", model + "--prefix known.npy --mask wide.npy"),
             Catch::Contains("wide.npy: a number of the mask is not in [0, 1]"));
  CHECK(scratch.run("sample", model + "--prefix known.npy").code != 0);
  CHECK(scratch.run("sample", model + "--strength 0.5").code != 0);
}

TEST_CASE("sample --decoder turns latents into pictures") {
  const Scratch scratch;
  write_pictures(scratch);
  torch::jit::Module module("decoder");
  module.define(R"(
    def forward(self, z):
        return torch.cat([z, z, z], 1).repeat(1, 1, 4, 8)
  )");
  module.save((scratch.dir / "decoder.pt").string());
  const auto describe = [&](const std::string& shape, const std::string& more = "") {
    scratch.write("decoder.json",
                  R"({"format": "fewstep decoder 1", "network": "decoder.pt", "sample_shape": )" + shape + more + "}");
  };
  describe("[1, 4, 4]");
  const std::string model = "--model pictures.json --seeds 0 ";
  scratch.good("sample", model + "--decoder decoder.json --out a.png --npy a.npy");
  const std::string png = scratch.bytes("a.png");
  const auto extent = [&](std::size_t at) { return static_cast<unsigned char>(png.at(at + 3)); };
  CHECK(extent(16) == 32);  // width
  CHECK(extent(20) == 16);  // height
  CHECK(scratch.numbers("a.npy").size() == 16);
  CHECK_THAT(scratch.refused("sample", model + "--decoder decoder.json --npy a.npy"),
             Catch::Contains("decoder is decoder.json; allowed: with --out"));
  describe("[4, 4, 4]");
  CHECK_THAT(scratch.refused("sample", model + "--decoder decoder.json --out b.png"),
             Catch::Contains("decoder.json: sample_shape is F32 [4, 4, 4]; allowed: that of the model, F32 [1, 4, 4]"));
  describe("[1, 4, 4]", R"(, "scale": 2)");
  CHECK_THAT(scratch.refused("sample", model + "--decoder decoder.json --out b.png"), Catch::Contains("scale"));
  CHECK_FALSE(fs::exists(scratch.dir / "b.png"));
}

}  // namespace fewstep::described_test
