// Descriptions of exported models and .npy files: what they say is what a denoiser gets, and what is wrong is named.
#include "support/catch.hpp"
#include "support/message.hpp"

#include <fewstep/array/values.hpp>
#include <fewstep/denoisers/edm.hpp>
#include <fewstep/denoisers/flow.hpp>
#include <fewstep/denoisers/predictions.hpp>
#include <fewstep/io/diffusers.hpp>
#include <fewstep/io/model_file.hpp>
#include <fewstep/io/npy.hpp>
#include <fewstep/processes.hpp>
#include <fewstep/scalar.hpp>

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace fewstep;
using nlohmann::json;
using test::message_of;
namespace fs = std::filesystem;

namespace {

/// A folder of temporary files that is removed again.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("fewstep_model_" + std::to_string(::getpid()));
  Folder() { fs::create_directory(path); }
  ~Folder() { fs::remove_all(path); }
  fs::path with(const std::string& name, const std::string& content) const {
    std::ofstream(path / name, std::ios::binary) << content;
    return path / name;
  }
};

/// A description with these entries in addition.
json described(const json& entries = json::object()) {
  json all{{"format", "fewstep model 1"}, {"network", "model.onnx"}, {"sample_shape", {2, 3}}};
  all.update(entries);
  return all;
}

io::ModelFile model(const json& entries) { return io::model_from_json(described(entries), "."); }
std::string refusal(const json& entries) {
  return message_of([&] { model(entries); });
}

/// A network that keeps what it gets.
struct Spy {
  double* input;
  double* label;
  double operator()(double x, double t) const {
    *input = x, *label = t;
    return std::sin(3 * x) + 0.1 * t;
  }
};

/// The denoiser of a description and one made by hand agree, and so do the inputs of their networks.
template <class Make>
void check_same(const json& entries, Make make) {
  INFO(entries.dump());
  double inputs[2] = {}, labels[2] = {};
  auto ours = precondition(Spy{&inputs[0], &labels[0]}, model(entries).rule);
  auto theirs = make(Spy{&inputs[1], &labels[1]});
  for (const double sigma : {0.02, 0.7, 5., 14.})
    for (const double x : {-1.3, 0.4, 9.}) {
      double a = 0, b = 0;
      ours(x, sigma, a);
      theirs(x, sigma, b);
      CHECK(a == Approx(b).epsilon(1e-12));
      CHECK(inputs[0] == Approx(inputs[1]).epsilon(1e-12));
      CHECK(labels[0] == Approx(labels[1]).epsilon(1e-12));
    }
}

}  // namespace

TEST_CASE("a description gives the denoiser that its words name") {
  const json betas{{"beta_schedule", "scaled_linear"}, {"beta_start", 0.00085}, {"beta_end", 0.012}};
  const json discrete{{"kind", "discrete"}, {"betas", betas}};
  const Discrete table{NoiseTable::scaled_linear(0.00085, 0.012, 1000)};
  check_same({{"process", discrete}, {"predicts", "epsilon"}}, [&](Spy n) { return from_epsilon(n, table); });
  check_same({{"process", discrete}, {"predicts", "v"}}, [&](Spy n) { return from_v(n, table); });
  check_same({{"process", discrete}, {"predicts", "x0"}}, [&](Spy n) { return from_x0(n, table); });
  check_same({{"process", discrete}, {"predicts", "epsilon"}, {"label", {{"rounded", true}}}},
             [&](Spy n) { return from_epsilon(n, Discrete{table.table, true}); });
  check_same({{"process", {{"kind", "vp"}}}, {"predicts", "epsilon"}, {"label", {{"scale", 999}}}},
             [](Spy n) { return from_epsilon(n, VpLinear{.label_scale = 999}); });
  check_same({{"process", {{"kind", "ve"}}}, {"predicts", "epsilon"}}, [](Spy n) { return from_epsilon(n, Ve{}); });
  check_same({{"process", {{"kind", "flow"}}}}, [](Spy n) { return from_flow(n); });
  check_same({{"process", {{"kind", "flow"}, {"noise_at", "zero"}}}, {"label", {{"scale", 1000}}}},
             [](Spy n) { return from_flow(n, {.noise_at = NoiseAt::zero, .label_scale = 1000}); });
  check_same({{"process", {{"kind", "edm"}, {"sigma_data", 0.7}}}}, [](Spy n) { return edm_preconditioned(n, 0.7); });
  check_same({{"process", {{"kind", "edm"}}}, {"predicts", "denoised"}}, [](Spy n) { return from_x0(n, Ve{}); });

  const io::ModelFile all = model({{"process", discrete},
                                   {"predicts", "epsilon"},
                                   {"runtime", "openvino"},
                                   {"batch", 4},
                                   {"input", {{"name", "x"}, {"type", "F16"}}},
                                   {"label", {{"name", "t"}, {"type", "I64"}, {"scalar", true}}},
                                   {"output", "eps"},
                                   {"feature", 1},
                                   {"conditions", {{{"input", "y"}, {"values", "y.npy"}, {"unconditional", "n.npy"}}}},
                                   {"levels", {0.05, 10}},
                                   {"data_range", {0, 1}}});
  CHECK(all.network == "model.onnx");
  CHECK(io::runtime_of(all) == io::Runtime::openvino);
  CHECK(all.sample_shape == std::vector<std::int64_t>{2, 3});
  CHECK(all.batch == 4);
  CHECK(all.state.name == "x");
  CHECK(all.state.dtype == Dtype::f16);
  CHECK(all.label.dtype == Dtype::i64);
  CHECK(all.label.scalar);
  CHECK(all.output == "eps");
  CHECK(all.feature == "1");
  REQUIRE(all.conditions.size() == 1);
  CHECK(all.conditions[0].unconditional == "n.npy");
  CHECK(all.sigma_min == 0.05);
  CHECK(all.sigma_max == 10);
  CHECK(all.highest_value == 1);
  const io::ModelFile plain = model({{"process", discrete}, {"predicts", "epsilon"}});
  CHECK(plain.sigma_max == Approx(14.6146).epsilon(1e-4));
  CHECK(io::runtime_of(plain) == io::Runtime::onnxruntime);
}

TEST_CASE("a description takes process, prediction and label from a scheduler's configuration") {
  const Folder folder;
  const auto check = [&](const json& config) {
    INFO(config.dump());
    folder.with("scheduler_config.json", config.dump());
    const io::ModelFile file = io::model_from_json(described({{"scheduler", "scheduler_config.json"}}), folder.path);
    const auto run = io::from_diffusers<double>(config, 4, {}, {});
    double inputs[2] = {}, labels[2] = {};
    auto ours = precondition(Spy{&inputs[0], &labels[0]}, file.rule);
    auto theirs = io::diffusers_denoiser(Spy{&inputs[1], &labels[1]}, run);
    for (std::size_t i = 1; i < 3; ++i) {
      const double level = run.schedule[i], sigma = run.native_flow ? level / (1 - level) : level;
      double a = 0, b = 0;
      ours(run.native_flow ? 0.4 / (1 - level) : 0.4, sigma, a);
      theirs(0.4, level, b);
      CHECK(a == Approx(b).epsilon(2e-3));  // some schedulers round labels to whole steps
      CHECK(labels[0] == Approx(labels[1]).epsilon(1e-3));
    }
  };
  const json betas{{"beta_schedule", "scaled_linear"}, {"beta_start", 0.00085}, {"beta_end", 0.012}};
  const auto with = [&](const char* name, json settings = json::object()) {
    settings["_class_name"] = name;
    return settings;
  };
  json sd = betas;
  for (const char* name : {"EulerDiscreteScheduler", "DDIMScheduler", "DPMSolverMultistepScheduler"})
    for (const char* type : {"epsilon", "v_prediction"}) {
      json config = sd;
      config["prediction_type"] = type;
      config["clip_sample"] = false;
      check(with(name, config));
    }
  check(with("FlowMatchEulerDiscreteScheduler", {{"shift", 3}}));
  check(with("DPMSolverMultistepScheduler",
             {{"use_flow_sigmas", true}, {"flow_shift", 3}, {"prediction_type", "flow_prediction"}}));
  check(with("EDMEulerScheduler", {{"sigma_data", 0.7}, {"prediction_type", "v_prediction"}}));
  json config = sd;
  config["prediction_type"] = "v_prediction";
  config["timestep_type"] = "continuous";
  check(with("EulerDiscreteScheduler", config));

  const auto message = [&](const json& description) {
    return message_of([&] { io::model_from_json(description, folder.path); });
  };
  CHECK_THAT(message(described({{"scheduler", "none.json"}})), Catch::Contains("none.json: no such file"));
  folder.with("scheduler_config.json", "{}");
  CHECK_THAT(message(described({{"scheduler", "scheduler_config.json"}})),
             Catch::Contains("scheduler_config.json: _class_name is missing; allowed: text"));
}

TEST_CASE("what is wrong in a description is named") {
  const json flow{{"kind", "flow"}};
  CHECK(refusal({{"process", flow}, {"label", {{"kind", "step"}}}}) ==
        "label is step; allowed: sigma, log_sigma, time or angle, in the process flow");
  CHECK(refusal({{"process", flow}, {"predicts", "v"}}) ==
        "predicts is v; allowed: epsilon, x0, flow or edm, in the process flow");
  CHECK(refusal({{"process", {{"kind", "vp"}}}}) ==
        "predicts is missing; allowed: epsilon, v, x0, flow, edm or denoised");
  CHECK(refusal({{"process", {{"kind", "vp"}, {"noise_at", "one"}}}, {"predicts", "v"}}) ==
        "process.noise_at is given; allowed: none in the process vp");
  CHECK(refusal({{"process", {{"kind", "sde"}}}}) == "process.kind is sde; allowed: edm, ve, vp, discrete, flow");
  CHECK(refusal(json::object()) == "process is missing; allowed: one of process and scheduler");
  CHECK(refusal({{"process", flow}, {"sample_shape", json::array()}}) ==
        "sample_shape is empty; allowed: one extent or more");
  CHECK(refusal({{"process", flow}, {"sample_shape", {1, 2.5}}}) ==
        "an extent of sample_shape is 2.5; allowed: whole numbers, 1 or more");
  CHECK(refusal({{"process", flow}, {"network", "model.bin"}}) ==
        "network is model.bin; allowed: files .onnx, .xml, .pt, .ts or .pt2, or with a `runtime`");
  CHECK(refusal({{"process", flow}, {"network", "../model.onnx"}}) ==
        "network is ../model.onnx; allowed: names of files beside the description");
  CHECK(refusal({{"process", flow}, {"levels", {3, 1}}}) == "levels is 3, 1; allowed: numbers that increase");
  CHECK(refusal({{"process", flow}, {"label", {{"type", "F8"}}}}) ==
        "label.type is F8; allowed: BOOL, U8, I8, U16, I16, F16, BF16, U32, I32, F32, U64, I64, F64");
  CHECK(
      refusal({{"process", flow}, {"colour", 1}}) ==
      "a key of the description is colour; allowed: format, network, runtime, sample_shape, batch, predicts, process, "
      "scheduler, input, label, output, feature, conditions, levels, data_range");
  CHECK(refusal({{"process", flow}, {"conditions", {{{"input", "y"}}}}}) ==
        "conditions[0].values is missing; allowed: a value");
  CHECK(refusal({{"format", "fewstep model 2"}}) == "format is fewstep model 2; allowed: fewstep model 1");
}

TEST_CASE("npy: what is written is read, and the bytes are those of format 1") {
  const Folder folder;
  const fs::path path = folder.path / "a.npy";
  for (const Dtype dtype : {Dtype::f16, Dtype::f32, Dtype::f64}) {
    const Array array = array_of(std::vector<double>{1, -2.5, 0.125, 4, 5, 6}, {2, 3}, dtype);
    io::write_npy(path, array);
    const Array read = io::read_npy(path);
    CHECK(read.dtype == dtype);
    CHECK(read.shape == array.shape);
    CHECK(read.bytes == array.bytes);
  }
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  CHECK(bytes.substr(0, 8) == std::string("\x93NUMPY\x01\x00", 8));
  const auto length = static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
  CHECK((10 + length) % 64 == 0);
  REQUIRE(bytes.size() == 10 + length + 48);
  CHECK(bytes.substr(10, length).starts_with("{'descr': '<f8', 'fortran_order': False, 'shape': (2,3,), }"));
  CHECK(bytes[9 + length] == '\n');
  io::write_npy(path, {Dtype::i64, {}, std::vector<std::byte>(8)});  // a scalar
  CHECK(io::read_npy(path).shape.empty());
}

TEST_CASE("npy: files as NumPy writes them, and malformed ones") {
  const Folder folder;
  const auto file = [&](std::string header, const std::string& data, char version = 1) {
    const auto size = static_cast<char>(header.size());
    const std::string length = version == 1 ? std::string{size, '\0'} : std::string{size, '\0', '\0', '\0'};
    return folder.with("a.npy", "\x93NUMPY" + std::string{version, '\0'} + length + header + data);
  };
  const Array read =
      io::read_npy(file("{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }     \n", std::string(16, '\1')));
  CHECK(read.dtype == Dtype::i64);
  CHECK(read.shape == std::vector<std::int64_t>{2});
  CHECK(io::read_npy(file("{'shape': (1, 2), 'fortran_order': False, 'descr': '|u1'}", "ab", 3)).shape ==
        std::vector<std::int64_t>{1, 2});
  const auto message = [&](const std::string& header, const std::string& data = "") {
    const std::string text = message_of([&] { io::read_npy(file(header, data)); });
    return text.substr(text.find(": ") + 2);
  };
  CHECK(message("{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}") ==
        "the element type is >f4; allowed: |b1, |u1, |i1, <u2, <i2, <f2, <u4, <i4, <f4, <u8, <i8, <f8");
  CHECK(message("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}") ==
        "the element type is [('a', '<f4')], 'for; allowed: a type of numbers: no fields");
  CHECK(message("{'descr': '<f4', 'fortran_order': True, 'shape': (1,)}") ==
        "fortran_order is True; allowed: False; numpy.ascontiguousarray(array) has it");
  CHECK(message("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", "abcd") ==
        "the size of the data is 4; allowed: 12 bytes, as the shape has");
  CHECK(message("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999)}") ==
        "shape is too large");
  CHECK(message("{'descr': '<f4', 'shape': (3,)}") ==
        "the header is incomplete; allowed: descr, fortran_order and shape");
  CHECK(message("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}") ==
        "an extent of the shape is -1,)}; allowed: 0 or more");
  CHECK_THAT(message_of([&] { io::read_npy(folder.with("b.npy", "PK")); }), Catch::Contains("the file is too short"));
  CHECK_THAT(message_of([&] { io::read_npy(folder.with("b.npy", "PK345678")); }),
             Catch::Contains("the file is something else; allowed: a .npy file"));
  CHECK(message_of([&] { io::write_npy(folder.path / "c.npy", {Dtype::f32, {2, 3}, std::vector<std::byte>(20)}); }) ==
        "the size of the data is 20; allowed: 24 bytes, as the shape has");
  CHECK_FALSE(fs::exists(folder.path / "c.npy"));
}
