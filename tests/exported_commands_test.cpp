// `sample` and `calibrate` on an ONNX file, with and without LibTorch.
#include "../examples/policy/network.hpp"
#include "support/command.hpp"

#include <fewstep/array/values.hpp>
#include <fewstep/buffer.hpp>
#include <fewstep/io/npy.hpp>
#include <fewstep/io/table_file.hpp>
#include <fewstep/randn.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace fs = std::filesystem;
using namespace fewstep;

namespace {

struct Scratch : test::Scratch {
  Scratch() : test::Scratch("exported_commands") {}

  std::string good(const std::string& command, const std::string& arguments) const {
    const auto done = run(command, arguments);
    INFO(command << " " << arguments << "\n" << done.text);
    REQUIRE(done.code == 0);
    return done.text;
  }
  std::string refused(const std::string& command, const std::string& arguments) const {
    const auto done = run(command, arguments);
    INFO(command << " " << arguments << "\n" << done.text);
    CHECK(done.code == 1);
    const std::size_t last =
        done.text.rfind('\n', done.text.size() - 2) + 1;  // a runtime may log lines of its own before
    CHECK(done.text.substr(last).starts_with("error: "));
    CHECK_FALSE(fs::exists(dir / "none.npy"));
    return done.text;
  }
  std::vector<float> numbers(const char* file) const { return values_of<float>(io::read_npy(dir / file)); }
};

const std::string moons = "--model '" FEWSTEP_SOURCE_DIR "/examples/models/two_moons.json' ";

double rms(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(a[i] - b[i], 2);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

}  // namespace

TEST_CASE("an ONNX file gets a table of five evaluations by one command, and samples by a second") {
  const Scratch scratch;
  const std::string fitted = scratch.good(
      "calibrate", moons + "--steps 6 --images 80 --batch 40 --iterations 2 --cache teacher --out table.json");
  CHECK_THAT(fitted, Catch::Contains("wrote table.json"));
  CHECK_FALSE(fs::is_empty(scratch.dir / "teacher"));
  const std::string seeds = "--seeds 500-563 --batch 50 ";
  const std::string drawn = scratch.good("sample", moons + seeds + "--table table.json --npy table.npy");
  CHECK_THAT(drawn, Catch::Contains("NFE                  5\n"));
  scratch.good("sample", moons + seeds + "--solver heun --steps 200 --npy exact.npy");
  scratch.good("sample", moons + seeds + "--solver ipndm --order 3 --steps 6 --afs --npy plain.npy");
  const auto exact = scratch.numbers("exact.npy");
  const double by_table = rms(scratch.numbers("table.npy"), exact), plain = rms(scratch.numbers("plain.npy"), exact);
  CHECK(by_table < 0.75 * plain);
  CHECK(by_table < 0.1);
}

TEST_CASE("autotune: a solver file from an ONNX file by one command, the same again, and after an interruption") {
  const Scratch scratch;
  const std::string command = moons + "--calls 1500 --batch 20 --out ";
  const std::string found = scratch.good("autotune", command + "solver.json --plot search.png");
  CHECK_THAT(found, Catch::Contains("usable noise levels: up to"));
  CHECK_THAT(found, Catch::Contains("best classic solver"));
  CHECK_THAT(found, Catch::Contains("read_table_sampler(\"solver.json\")"));
  CHECK_FALSE(fs::exists(scratch.dir / "solver.json.part"));
  scratch.good("autotune", command + "again.json");
  const auto rows = [&](const std::string& name) {
    const io::TableFile file = io::read_table(scratch.dir / name);
    return std::pair(file.table.levels, file.table.rows.back().weights);
  };
  CHECK(rows("solver.json") == rows("again.json"));
  const std::string drawn = scratch.good("sample", moons + "--seeds 500-563 --table solver.json --npy tuned.npy");
  CHECK_THAT(drawn, Catch::Contains("NFE                  5\n"));
  scratch.good("sample", moons + "--seeds 500-563 --solver heun --steps 200 --npy exact.npy");
  CHECK(rms(scratch.numbers("tuned.npy"), scratch.numbers("exact.npy")) < 0.1);
  CHECK_THAT(scratch.refused("autotune", moons + "--calls 1500 --sigma-min 2 --sigma-max 1 --out a.json"),
             Catch::Contains("sigma_max is 1; allowed: above sigma_min"));
  CHECK_FALSE(fs::exists(scratch.dir / "a.json"));
}

TEST_CASE("calibrate --guidance-scales: one table that samples at any scale of its range") {
  const Scratch scratch;
  const std::string policy = "--model '" FEWSTEP_SOURCE_DIR "/examples/models/policy.json' ";
  const std::string command = policy +
                              "--solver ipndm --order 2 --schedule log_uniform --steps 5 --guidance-scales 1.5,3,6 "
                              "--batch 16 --iterations 2 --out ";
  scratch.good("calibrate", command + "scales.json --images 192");
  const io::TableFile file = io::read_table(scratch.dir / "scales.json");
  CHECK(file.guidance_scales == std::vector<double>{1.5, 3, 6});
  CHECK(file.table.branches() == 6);
  for (const std::string scale : {"1.5", "2.2", "4.5"}) {
    const std::string drawn = policy + "--seeds 500-531 --guidance " + scale;
    CHECK_THAT(scratch.good("sample", drawn + " --table scales.json --npy fitted.npy"),
               Catch::Contains("NFE                  8\n"));
    scratch.good("sample",
                 drawn + " --solver ipndm --order 2 --schedule log_uniform --steps 5 --afs --npy classic.npy");
    scratch.good("sample", drawn + " --solver heun --steps 40 --npy exact.npy");
    const std::vector<float> exact = scratch.numbers("exact.npy");
    CHECK(rms(scratch.numbers("fitted.npy"), exact) < 0.8 * rms(scratch.numbers("classic.npy"), exact));
  }
  CHECK_THAT(scratch.refused("sample", policy + "--table scales.json --guidance 7 --npy none.npy"),
             Catch::Contains("the guidance scale is 7; allowed: 1.5 to 6"));
  CHECK_THAT(scratch.refused("calibrate", command + "none.npy.json --images 64"),
             Catch::Contains("images is 64; allowed: 6 batches or more"));
  CHECK_THAT(scratch.refused("calibrate", policy + "--start scales.json --guidance 2 --out none.json"),
             Catch::Contains("tables of one guidance scale"));
  CHECK_THAT(scratch.refused("calibrate", policy + "--guidance-scales 3,2 --out none.json"),
             Catch::Contains("guidance scale 1 is 2; allowed: more than the one before it"));
}

TEST_CASE("samples start from the noise of torch.randn, whatever the build and the batch") {
  const Scratch scratch;
  scratch.good("sample", moons + "--steps 2 --seeds 3,8,5 --batch 2 --trajectory states.npy --npy a.npy");
  const Array states = io::read_npy(scratch.dir / "states.npy");
  CHECK(states.shape == std::vector<std::int64_t>{3, 3, 2});
  const std::vector<float> all = values_of<float>(states), ends = scratch.numbers("a.npy");
  std::size_t i = 0;
  for (const std::uint64_t seed : {3u, 8u, 5u}) {
    std::vector<float> noise(2);
    fill_randn<float>(noise, seed);
    for (const float z : noise) CHECK(all[i++] == Approx(99 * z).epsilon(1e-5));
  }
  CHECK(std::equal(ends.begin(), ends.end(), all.end() - 6));
}

TEST_CASE("known values are kept, and clean samples give a start") {
  const Scratch scratch;
  io::write_npy(scratch.dir / "known.npy", array_of(std::vector<float>{0.5f, 9.f}, {2}, Dtype::f32));
  io::write_npy(scratch.dir / "mask.npy", array_of(std::vector<float>{1, 0}, {2}, Dtype::f32));
  scratch.good("sample", moons + "--seeds 0-3 --prefix known.npy --mask mask.npy --npy a.npy");
  const std::vector<float> kept = scratch.numbers("a.npy");
  REQUIRE(kept.size() == 8);
  for (std::size_t i = 0; i < 8; i += 2) CHECK(kept[i] == 0.5f);
  const std::string edited =
      scratch.good("sample", moons + "--solver euler --steps 10 --seeds 0 --init known.npy --strength 0.3 --npy b.npy");
  CHECK_THAT(edited, Catch::Contains("NFE                  3\n"));
}

TEST_CASE("what cannot be run is refused in one line") {
  const Scratch scratch;
  std::ofstream(scratch.dir / "text.onnx") << "no network";
  std::ofstream(scratch.dir / "text.json")
      << R"({"format": "fewstep model 1", "network": "text.onnx", "sample_shape": [2], "process": {"kind": "flow"}})";
  const auto unreadable =
      scratch.run("sample", "--model text.json --npy none.npy");  // runtimes may log lines of their own
  CHECK(unreadable.code == 1);
  CHECK_THAT(unreadable.text, Catch::Contains("error: text.json: "));
  CHECK_THAT(scratch.refused("sample", moons + "--guidance 2 --steps 2 --npy none.npy"),
             Catch::Contains("guidance is 2; allowed: 1 for a network without conditions"));
  CHECK_THAT(scratch.refused("sample", moons + "--device npu --npy none.npy"), Catch::Contains("device is npu"));
  CHECK_THAT(scratch.refused("sample", moons + "--class 1 --npy none.npy"),
             Catch::Contains("none for a described network"));
#ifndef FEWSTEP_TORCH
  std::ofstream(scratch.dir / "a.pt") << "";
  std::ofstream(scratch.dir / "torchscript.json")
      << R"({"format": "fewstep model 1", "network": "a.pt", "sample_shape": [2], "process": {"kind": "flow"}})";
  const std::string without = "this program was built without LibTorch";
  for (const std::string arguments : {"--model torchscript.json", "--model a.safetensors"})
    CHECK_THAT(scratch.refused("sample", arguments + " --npy none.npy"), Catch::Contains(without));
  for (const std::string arguments : {"--device cuda", "--dtype float64", "--predictor p.safetensors"})
    CHECK_THAT(scratch.refused("sample", moons + arguments + " --npy none.npy"), Catch::Contains(without));
#endif
}

TEST_CASE("the policy's ONNX file draws the plans of its network in plain C++, with the conditions in turn") {
  const Scratch scratch;
  const fs::path models = FEWSTEP_SOURCE_DIR "/examples/models";
  const examples::PolicyNetwork network(models / "policy.safetensors");
  const Array given = io::read_npy(models / "policy_condition.npy"),
              none = io::read_npy(models / "policy_no_condition.npy");
  const std::vector<float> rows = values_of<float>(given), zeros = values_of<float>(none);
  REQUIRE(zeros == std::vector<float>(examples::condition_numbers));
  const std::string arguments =
      "--model '" + (models / "policy.json").string() + "' --solver dpmpp --order 2 --steps 5 ";
  scratch.good("sample", arguments + "--seeds 0-5 --batch 4 --npy plain.npy");
  scratch.good("sample", arguments + "--seeds 0-5 --batch 4 --guidance 1.5 --npy guided.npy");
  const auto bound = [&](const float* condition) {
    return edm_preconditioned(
        [&network, condition](const Buffer<float>& x, double label, Buffer<float>& out) {
          network(x.data(), static_cast<float>(label), condition, out.data());
        },
        examples::PolicyNetwork::sigma_data);
  };
  const Schedule levels = karras({.steps = 5, .sigma_min = 0.02, .sigma_max = 10});
  std::vector<float> plain, guidance;
  for (std::size_t i = 0; i < 6; ++i) {
    std::vector<float> numbers(examples::plan_numbers);
    fill_randn<float>(numbers, i);
    const Buffer<float> noise(numbers);
    const auto denoise = bound(&rows[i % 4 * examples::condition_numbers]);
    const auto one = sample(Dpmpp{}, denoise, levels, noise).x;
    plain.insert(plain.end(), one.begin(), one.end());
    const auto other = sample(Dpmpp{}, guided(denoise, bound(zeros.data()), {.scale = 1.5}), levels, noise).x;
    guidance.insert(guidance.end(), other.begin(), other.end());
  }
  CHECK(rms(scratch.numbers("plain.npy"), plain) < 1e-5);
  CHECK(rms(scratch.numbers("guided.npy"), guidance) < 1e-5);
}
