// Files: tables, predictors, Gaussian starts and safetensors are read as they were written, also in older versions, and
// malformed files are rejected with an error that names the file and the value.
#include "support/catch.hpp"
#include "support/message.hpp"
#include "support/worst.hpp"

#include <fewstep/array/values.hpp>
#include <fewstep/denoisers/analytic_first_step.hpp>
#include <fewstep/eigen/algebra.hpp>
#include <fewstep/eigen/gaussian_start.hpp>
#include <fewstep/eigen/noise.hpp>
#include <fewstep/io/amed_file.hpp>
#include <fewstep/io/gaussian_start_file.hpp>
#include <fewstep/io/json_file.hpp>
#include <fewstep/io/safetensors.hpp>
#include <fewstep/io/table_file.hpp>
#include <fewstep/io/table_sampler.hpp>
#include <fewstep/run.hpp>
#include <fewstep/schedules/karras.hpp>
#include <fewstep/solvers/table.hpp>

#include <nlohmann/json.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace fewstep;
using test::message_of;
namespace fs = std::filesystem;

namespace {

const fs::path models = fs::path(FEWSTEP_SOURCE_DIR) / "examples/models";

/// A file in the folder for temporary files, removed by the destructor.
struct TemporaryFile {
  fs::path path;
  explicit TemporaryFile(const std::string& name) : path(fs::temp_directory_path() / ("fewstep_io_test_" + name)) {}
  ~TemporaryFile() { fs::remove(path); }
  void write(const std::string& text) const { std::ofstream(path, std::ios::binary) << text; }
};

std::string bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The error of read(path): one line that begins with the path, which is left out here.
template <class Read>
std::string error_of(Read read, const fs::path& path) {
  const std::string message = message_of([&] { read(path); }), start = path.string() + ": ";
  CHECK(message.find('\n') == message.npos);
  return message.starts_with(start) ? message.substr(start.size()) : message;
}

/// Two steps with every kind of value.
Table some_table() {
  return {.levels = {80, 1.5, 0.002},
          .rows = {{.weights = {-78.5}, .sigma_scale = 1.1, .midpoints = {{20, -60, 0.25, 0.9, 1.2}}},
                   {.carry = 0.98, .weights = {-1.7, 0.2}}}};
}

void check_same(const Table& a, const Table& b) {
  CHECK(a.target == b.target);
  CHECK(a.levels == b.levels);
  REQUIRE(a.rows.size() == b.rows.size());
  for (std::size_t i = 0; i < a.rows.size(); ++i) {
    const Table::Row &one = a.rows[i], &other = b.rows[i];
    CHECK(one.weights == other.weights);
    CHECK(one.sigma_scale == other.sigma_scale);
    CHECK(one.carry == other.carry);
    REQUIRE(one.midpoints.size() == other.midpoints.size());
    for (std::size_t k = 0; k < one.midpoints.size(); ++k) {
      const Table::Midpoint &m = one.midpoints[k], &n = other.midpoints[k];
      CHECK(std::vector{m.level, m.reach, m.weight, m.carry, m.sigma_scale} ==
            std::vector{n.level, n.reach, n.weight, n.carry, n.sigma_scale});
    }
  }
}

}  // namespace

TEST_CASE("a table is read as it was written") {
  const TemporaryFile file("table.json");
  for (const Target target : {Target::slope, Target::denoised}) {
    Table table = some_table();
    table.target = target;
    io::write_table(file.path, {table, true, {{"command", "none"}}});
    const io::TableFile read = io::read_table(file.path);
    check_same(read.table, table);
    CHECK(read.analytic_first_step);
    CHECK(read.made.at("command") == "none");
    CHECK(read.gaussian_start.empty());
  }
  // A command may hold a path that is not UTF-8. Its bytes are replaced.
  io::write_table(file.path, {some_table(), true, {{"command", "caf\xe9"}}});
  CHECK(io::read_table(file.path).made.at("command").starts_with("caf"));
  io::write_table(file.path, {some_table(), true, {}, "start.safetensors"});
  CHECK(io::read_table(file.path).gaussian_start == "start.safetensors");
  CHECK(io::read_table(file.path).analytic_first_step);
  fs::remove(file.path);
  CHECK(error_of(io::read_table, file.path) == "no such file");
}

TEST_CASE("a shipped table, of format version 1 with clock for sigma_scale, is read and written as version 2") {
  const TemporaryFile file("table_2.json");
  const fs::path shipped = models / "table_3_gaussian.json";
  const nlohmann::json json = nlohmann::json::parse(bytes_of(shipped));
  REQUIRE(json.at("format") == "fewstep solver table 1");
  const io::TableFile read = io::read_table(shipped);
  CHECK(read.gaussian_start == "gaussian_start.safetensors");
  CHECK(read.table.levels == json.at("levels").get<std::vector<double>>());
  for (std::size_t i = 0; i < read.table.rows.size(); ++i) {
    CHECK(read.table.rows[i].sigma_scale == json.at("rows")[i].at("clock").get<double>());
    CHECK(read.table.rows[i].weights == json.at("rows")[i].at("weights").get<std::vector<double>>());
  }
  CHECK(read.table.rows[3].sigma_scale == 3.1835077312865487);

  io::write_table(file.path, read);
  CHECK(nlohmann::json::parse(bytes_of(file.path)).at("format") == "fewstep solver table 2");
  CHECK(bytes_of(file.path).find("clock") == std::string::npos);
  check_same(io::read_table(file.path).table, read.table);

  // Midpoints have the same key, whose name depends on the version.
  const auto table = [](int version, const std::string& row, const std::string& midpoint) {
    return R"({"format": "fewstep solver table )" + std::to_string(version) +
           R"(", "target": "slope", "afs": false, "levels": [2, 1], "rows": [{"carry": 1, "weights": [-1], ")" + row +
           R"(": 1.5, "midpoints": [{"level": 1, "reach": -1, "weight": 0, "carry": 1, ")" + midpoint +
           R"(": 1.25}]}]})";
  };
  for (const auto& [version, key] : {std::pair{1, "clock"}, {2, "sigma_scale"}}) {
    file.write(table(version, key, key));
    CHECK(io::read_table(file.path).table.rows[0].sigma_scale == 1.5);
    CHECK(io::read_table(file.path).table.rows[0].midpoints[0].sigma_scale == 1.25);
  }
  file.write(table(2, "clock", "sigma_scale"));
  CHECK(error_of(io::read_table, file.path) ==
        "a key of rows[0] is clock; allowed: carry, weights, sigma_scale, midpoints");
  file.write(table(1, "clock", "sigma_scale"));
  CHECK(error_of(io::read_table, file.path) ==
        "a key of rows[0].midpoints[0] is sigma_scale; allowed: level, reach, weight, carry, clock");
  file.write(table(3, "sigma_scale", "sigma_scale"));
  CHECK(error_of(io::read_table, file.path) ==
        "format is fewstep solver table 3; allowed: fewstep solver table 1 to 2");
}

namespace {

const std::string deep_nest = std::string(200'000, '[') + std::string(200'000, ']');  // too deep to recurse into
const std::string too_deep = "the depth of nesting is 16; allowed: less than 16";

/// The text of a table with one row, parts of which are replaced.
struct TableText {
  std::string rows = "", levels = "[2, 1]", made = "{}", afs = "false", more = "", row = "";
  std::string text() const {
    const std::string one = R"([{"carry": 1, "weights": [-1], "sigma_scale": 1)" + row + "}]";
    return R"({"format": "fewstep solver table 2", "made": )" + made + R"(, "target": "slope", "afs": )" + afs +
           R"(, "levels": )" + levels + R"(, "rows": )" + (rows.empty() ? one : rows) + more + "}";
  }
};

}  // namespace

TEST_CASE("malformed tables are rejected with the place and value of the error") {
  const TemporaryFile file("malformed.json");
  const auto error = [&](const std::string& text) {
    file.write(text);
    return error_of(io::read_table, file.path);
  };
  const auto with = [&](const TableText& parts) { return error(parts.text()); };
  REQUIRE(with({}) == "nothing was thrown");
  REQUIRE(with({.row = R"(, "midpoints": [{"level": 1, "reach": -1, "weight": 0, "carry": 1, "sigma_scale": 1}])"}) ==
          "nothing was thrown");
  CHECK_THAT(error("[1, 2"), Catch::Contains("parse error"));
  for (const char* none : {"{}", "[]", "1", R"({"format": 1})", R"({"format": "fewstep amed predictor 1"})"})
    CHECK(error(none) == "not a solver table (no format entry 'fewstep solver table 2')");
  const std::string head = R"({"format": "fewstep solver table 2", "afs": false, "target": )";
  CHECK(error(head + R"("noise"})") == "target is noise; allowed: slope, denoised");
  CHECK(error(head + R"("slope"})") == "levels is missing; allowed: a value");
  CHECK(with({.rows = R"({"0": 1})"}) == "rows is object; allowed: array");
  CHECK(with({.rows = "null"}) == "rows is null; allowed: array");
  CHECK(with({.rows = "[1]"}) == "rows[0] is number; allowed: object");
  CHECK(with({.levels = R"({"0": 2})"}) == "levels is object; allowed: array");
  CHECK(with({.levels = R"([2, "x"])"}) == "levels[1] is x; allowed: numbers");
  CHECK_THAT(with({.made = "[]"}), Catch::Contains("type must be object, but is array"));
  CHECK(with({.row = R"(, "midpoints": null)"}) == "rows[0].midpoints is null; allowed: array");
  CHECK(with({.row = R"(, "midpoints": {})"}) == "rows[0].midpoints is object; allowed: array");
  CHECK(with({.row = R"(, "midpoints": [[]])"}) == "rows[0].midpoints[0] is array; allowed: object");
  CHECK(with({.row = R"(, "midpoint": [])"}) ==
        "a key of rows[0] is midpoint; allowed: carry, weights, sigma_scale, midpoints");
  CHECK(with({.row = R"(, "midpoints": [{"levels": 1}])"}) ==
        "a key of rows[0].midpoints[0] is levels; allowed: level, reach, weight, carry, sigma_scale");
  CHECK(with({.row = R"(, "midpoints": [{"level": 1, "reach": 1, "weight": 0, "carry": true, "sigma_scale": 1}])"}) ==
        "rows[0].midpoints[0].carry is true; allowed: numbers");
  CHECK(with({.row = R"(, "midpoints": [{"level": 1}])"}) == "rows[0].midpoints[0].reach is missing; allowed: a value");
  CHECK(with({.rows = R"([{"carry": 1, "weights": [-1, null], "sigma_scale": 1}])"}) ==
        "rows[0].weights[1] is null; allowed: numbers");
  CHECK(with({.rows = R"([{"carry": "one", "weights": [1], "sigma_scale": 1}])"}) ==
        "rows[0].carry is one; allowed: numbers");
  CHECK_THAT(with({.rows = R"([{"carry": 1, "weights": [], "sigma_scale": 1}])"}), Catch::Contains("weights is 0"));
  CHECK(with({.rows = R"([{"carry": 1, "weights": [-1]}])"}) == "rows[0].sigma_scale is missing; allowed: a value");
  CHECK(with({.more = R"(, "steps": 1)"}) ==
        "a key of the table is steps; allowed: format, made, target, afs, levels, rows, branches, guidance");
  CHECK(with({.more = R"(, "rows": [])"}) == "rows is given twice; allowed: once");
  CHECK(with({.row = R"(, "sigma_scale": 1)"}) == "sigma_scale is given twice; allowed: once");
  for (const std::string more : {R"(, "\u001b[2J": 1)", R"(, "\u001b[2J": 1, "\u001b[2J": 2)"})
    CHECK_THAT(with({.more = more}), Catch::Contains("\\u001b[2J is") || Catch::Contains("is \\u001b[2J;"));
  CHECK(error("{\"format\": \"fewstep solver table \\u001b[2J\"}") ==
        "format is fewstep solver table \\u001b[2J; allowed: fewstep solver table 1 to 2");

  for (const TableText& parts : {TableText{.rows = deep_nest}, TableText{.row = R"(, "midpoints": )" + deep_nest},
                                 TableText{.row = R"(, "a": )" + deep_nest}, TableText{.levels = deep_nest},
                                 TableText{.made = deep_nest}, TableText{.more = R"(, "a": )" + deep_nest}}) {
    CHECK(with(parts) == too_deep);
    // The message is short also if the caller parsed the JSON, as part of another file.
    CHECK(message_of([&] { io::table_from_json(nlohmann::json::parse(parts.text())); }).size() < 200);
  }
  CHECK(error(deep_nest) == too_deep);
  std::string objects;
  for (int i = 0; i < io::json_depth_limit; ++i) objects += R"({"a": )";
  CHECK(error(objects) == too_deep);
}

TEST_CASE("a table names a Gaussian start in its own folder only") {
  const TemporaryFile file("start.json");
  const auto error = [&](const std::string& afs) {
    file.write(TableText{.afs = afs}.text());
    return error_of(io::read_table, file.path);
  };
  const std::string allowed = "; allowed: true, false, or the name of a file beside the table's";
  for (const std::string start : {"", "..", "../start.safetensors", "/start.safetensors", "folder/"}) {
    CHECK(error('"' + start + '"') == "afs is " + start + allowed);
    if (!start.empty())
      CHECK(message_of([&] { io::write_table(file.path, {some_table(), true, {}, start}); }) ==
            "afs is " + start + allowed);
  }
  CHECK(error("1") == "afs is 1" + allowed);
}

namespace {

/// The smallest network: one feature, one hidden unit, the ratio's head alone.
AmedNetwork small_network() {
  AmedNetwork network;
  network.encode_0 = network.encode_1 = {{1}, {0}};
  network.embed = {{1, 1}, {0}};
  network.frequencies = {1};
  network.ratio = {{1, 1, 1}, {0}};
  return network;
}

}  // namespace

TEST_CASE("malformed settings of a predictor are rejected by name") {
  const TemporaryFile file("predictor.safetensors");
  io::AmedFile written;
  written.network = small_network();
  written.table = some_table();
  written.solver_settings.variant = UniB::bh1;
  io::write_amed(file.path, written);
  check_same(*io::read_amed(file.path).table, some_table());
  CHECK(io::read_amed(file.path).solver_settings.variant == UniB::bh1);
  const io::Safetensors good = io::read_safetensors(file.path);
  REQUIRE(good.metadata.at("format") == "fewstep amed predictor 2");
  io::Safetensors made = good;
  made.metadata["command"] = "caf\xe9";  // not UTF-8: replaced
  io::write_safetensors(file.path, made);
  CHECK(io::read_safetensors(file.path).metadata.at("command").starts_with("caf"));

  const auto changed = [&](const std::string& key, auto change) {
    io::Safetensors raw = good;
    change(raw.metadata[key]);
    io::write_safetensors(file.path, raw);
    return error_of(io::read_amed, file.path);
  };
  const auto with = [&](const std::string& part, const std::string& other) {
    return changed("settings", [&](std::string& text) { text.replace(text.find(part), part.size(), other); });
  };
  CHECK(changed("format", [](std::string& text) { text.back() = '3'; }) ==
        "format is fewstep amed predictor 3; allowed: fewstep amed predictor 1 to 2");
  CHECK(changed("format", [](std::string& text) { text = "fewstep solver table 2"; }) ==
        "not a time predictor (no format entry 'fewstep amed predictor 2')");
  CHECK(with("{", R"({"steps": 1, )") == "steps is given twice; allowed: once");
  CHECK(with(R"("bh1")", "null") == "nothing was thrown");
  CHECK(with(R"("bh1")", R"("bh3")") == "variant is bh3; allowed: bh1, bh2");
  CHECK(with(R"("target":null)", R"("target":"noise")") == "target is noise; allowed: slope, denoised");
  CHECK(with(R"("target":null)", R"("target":[])") == "target is array; allowed: text");
  CHECK(with(R"("scale_dir":0.0)", R"("scale_dir":"wide")") == "scale_dir is wide; allowed: a number");
  CHECK(with(R"("solver":)", R"("resolver":)") == "solver is missing; allowed: text");
  CHECK(with(R"("bh1")", deep_nest) == too_deep);
}

TEST_CASE("a shipped predictor, of format version 1 with form for target, is read and written as version 2") {
  const TemporaryFile file("predictor_1.safetensors");
  const io::Safetensors shipped = io::read_safetensors(models / "amed_ipndm_5.safetensors");
  REQUIRE(shipped.metadata.at("format") == "fewstep amed predictor 1");
  REQUIRE(nlohmann::json::parse(shipped.metadata.at("settings")).at("form").is_null());
  const io::AmedFile read = io::read_amed(models / "amed_ipndm_5.safetensors");
  CHECK(read.solver == "ipndm");
  CHECK(read.solver_settings.order == 3);
  CHECK(!read.solver_settings.target);
  CHECK(!read.solver_settings.variant);
  CHECK(read.schedule == "time_uniform");
  CHECK(read.schedule_settings.steps == 3);
  CHECK(read.analytic_first_step);
  CHECK(!read.analytic_in_history);
  CHECK(read.data_shape == std::vector<std::int64_t>{1, 32, 32});

  io::write_amed(file.path, read);
  const io::Safetensors again = io::read_safetensors(file.path);
  CHECK(again.metadata.at("format") == "fewstep amed predictor 2");
  CHECK(again.metadata.at("settings").find("\"form\"") == std::string::npos);
  for (const auto& [name, array] : shipped.tensors) {
    INFO(name);
    CHECK(again.tensors.at(name).bytes == array.bytes);
  }
  const auto form = [&](const std::string& value) {
    io::Safetensors raw = shipped;
    std::string& settings = raw.metadata["settings"];
    const std::string part = R"("form":null)";
    settings.replace(settings.find(part), part.size(), R"("form":")" + value + '"');
    io::write_safetensors(file.path, raw);
  };
  form("data");
  CHECK(io::read_amed(file.path).solver_settings.target == Target::denoised);
  form("noise");
  CHECK(io::read_amed(file.path).solver_settings.target == Target::slope);
  form("slope");
  CHECK(error_of(io::read_amed, file.path) == "form is slope; allowed: data, noise");
}

TEST_CASE("malformed safetensors files are rejected with the name of the tensor") {
  const TemporaryFile file("malformed.safetensors");
  const auto error = [&](const std::string& header, std::size_t data = 8) {
    const std::uint64_t size = header.size();
    file.write(std::string(reinterpret_cast<const char*>(&size), sizeof size) + header + std::string(data, 'x'));
    return error_of(io::read_safetensors, file.path);
  };
  const auto tensor = [](const std::string& name, const std::string& dtype, const std::string& shape,
                         const std::string& offsets) {
    return '"' + name + R"(": {"dtype": ")" + dtype + R"(", "shape": )" + shape + R"(, "data_offsets": )" + offsets +
           "}";
  };
  const auto one = [&](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return error("{" + tensor("a", dtype, shape, offsets) + "}");
  };
  const std::string left = tensor("a", "F32", "[1]", "[0, 4]"), right = tensor("b", "F32", "[]", "[4, 8]");
  REQUIRE(error("{" + right + ", " + left + "}") == "nothing was thrown");
  CHECK(error("{" + left + "}") == "tensors cover 4 of 8 data bytes");
  CHECK(error("{" + right + "}") == "there is a gap at data byte 0");
  CHECK(error("{" + left + ", " + tensor("b", "U8", "[6]", "[2, 8]") + "}") == "tensors overlap at data byte 2");
  CHECK(error("{" + left + ", " + right + "}", 6) == "tensor b: data end at byte 8, the file holds 6 (truncated?)");
  CHECK(error("{" + left + ", " + left + "}") == "tensor a appears twice");
  CHECK(one("F8", "[8]", "[0, 8]") ==
        "tensor a: dtype is F8; allowed: BOOL, U8, I8, U16, I16, F16, BF16, U32, I32, F32, U64, I64, F64");
  CHECK(one("F64", "[2]", "[0, 8]") == "tensor a: data_offsets [0,8] do not hold the 16 bytes of dtype and shape");
  CHECK(one("F64", "[-1]", "[0, 8]") == "tensor a: shape must be a list of non-negative integers, got [-1]");
  CHECK(one("F64", "[9223372036854775807]", "[0, 8]") == "tensor a: shape is too large");
  CHECK(one("F64", "[1]", "[8]") == "tensor a: data_offsets must be two non-negative integers, got [8]");
  CHECK(one("F64", deep_nest, "[0, 8]") == "the header nests deeper than tensors do");
  CHECK(error(R"({"a": {"dtype": "F64"}})") == "tensor a: needs exactly dtype, shape and data_offsets");
  CHECK(error(R"({"__metadata__": {"a": 1}})") == "__metadata__ must map strings to strings");
  CHECK(error("[]") == "not a safetensors file (the header is not a JSON object)");
  CHECK(error("{") == "not a safetensors file (the header is not JSON)");
  file.write("{}");
  CHECK(error_of(io::read_safetensors, file.path) == "truncated (shorter than the 8 bytes of the header's length)");
  file.write("{\"a\": 1}{");
  CHECK_THAT(error_of(io::read_safetensors, file.path), Catch::StartsWith("truncated, or not a safetensors file"));
  const std::uint64_t claim = std::uint64_t{8} << 30;  // a header of 8 GiB
  file.write(std::string(reinterpret_cast<const char*>(&claim), sizeof claim) + "{}");
  CHECK_THAT(error_of(io::read_safetensors, file.path), Catch::Contains("the header claims 8589934592 bytes"));
  std::string overlapping;  // which would be read 6,000 times if the ranges were not checked first
  for (int i = 0; i < 6000; ++i)
    overlapping += std::string(i ? ", " : "{") + "\"" + std::to_string(i) +
                   R"(": {"dtype": "U8", "shape": [1000000], "data_offsets": [0, 1000000]})";
  CHECK(error(overlapping + "}", 1'000'000) == "tensors overlap at data byte 0");
  CHECK(error("{\"\\u001b[2J\": 1}") == "tensor \\x1b[2J: needs exactly dtype, shape and data_offsets");
  fs::remove(file.path);
  CHECK(error_of(io::read_safetensors, file.path) == "no such file");
  fs::create_directory(file.path);
  CHECK(error_of(io::read_safetensors, file.path) == "a folder, not a file");
  CHECK(error_of(io::read_json, file.path) == "a folder, not a file");
  fs::remove(file.path);
  REQUIRE(::mkfifo(file.path.c_str(), 0600) == 0);
  CHECK(error_of(io::read_safetensors, file.path) == "not a regular file");  // reading would wait for a writer
}

TEST_CASE("half precision: every value survives a round trip, others round to nearest, ties to even") {
  using detail::Half;
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const float value = Half::decode(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) CHECK((bits & 0x7fff) > 0x7c00);
    else if (Half::encode(value) != bits) FAIL(bits << " became " << Half::encode(value));
  }
  CHECK(Half::decode(0x3c00) == 1);
  CHECK(Half::decode(0xc000) == -2);
  CHECK(Half::decode(0x0001) == std::ldexp(1.f, -24));
  CHECK(Half::decode(0x7bff) == 65504);
  CHECK(Half::encode(65519) == 0x7bff);
  CHECK(Half::encode(65520) == 0x7c00);
  CHECK(Half::encode(-INFINITY) == 0xfc00);
  CHECK((Half::encode(NAN) & 0x7fff) == 0x7e00);
  const double step = std::ldexp(1, -10);  // of values from 1 to 2
  CHECK(Half::encode(1 + step / 2) == 0x3c00);
  CHECK(Half::encode(1 + step * 1.5) == 0x3c02);
  CHECK(Half::encode(1 + step * 0.51) == 0x3c01);
  CHECK(Half::encode(2 - step / 2) == 0x4000);
  CHECK(Half::encode(std::ldexp(1, -25)) == 0);  // halfway to the smallest
  CHECK(Half::encode(std::ldexp(1.5, -24)) == 2);

  const std::vector<float> values{1, -0.5f, 3};
  for (const Dtype dtype : {Dtype::f16, Dtype::bf16, Dtype::f32, Dtype::f64})
    CHECK(values_of<float>(array_of(values, {3}, dtype)) == values);
  const Array brain{Dtype::bf16, {1}, {std::byte{0x40}, std::byte{0x3f}}};
  CHECK(values_of<double>(brain) == std::vector{0.75});
  CHECK(message_of([] { values_of<float>({Dtype::i32, {}, {}}); }) == "is of type I32; allowed: F16, BF16, F32, F64");
  CHECK(message_of([] { array_of(std::vector{1.}, {1}, Dtype::u8); }) ==
        "element type is U8; allowed: F16, BF16, F32, F64");
}

namespace {

/// Two classes and the unconditional entry, over 2 x 2 values, with two directions each.
GaussianStart some_start() {
  GaussianStart start{.shape = {1, 2, 2}, .variance = 0.3};
  start.means = {{1, 2, 3, 4}, {-1, 0, 0.5f, 2}, {0.25f, 0.5f, 1, -2}};
  start.directions = {
      {1, 0, 0, 0, 0, 1, 0, 0}, {0.5f, 0.5f, 0.5f, 0.5f, 0.5f, -0.5f, 0.5f, -0.5f}, {0, 0, 0, 1, 0, 0, 1, 0}};
  start.variances = {{4, 2}, {1, 0.5}, {0, 9}};
  return start;
}

/// The denoiser by the whole covariance C, by Gaussian elimination: m + C y with (C + sigma^2) y = x - m.
std::vector<double> by_full_solve(const GaussianStart& start, std::size_t k, const Eigen::ArrayXd& x, double sigma) {
  const std::size_t d = start.dimension();
  std::vector<std::vector<double>> covariance(d, std::vector<double>(d, 0.));
  std::vector<double> y(d), denoised(d);
  for (std::size_t i = 0; i < d; ++i) {
    covariance[i][i] += start.variance;
    for (std::size_t j = 0; j < d; ++j)
      for (std::size_t r = 0; r < start.rank(); ++r)
        covariance[i][j] +=
            (start.variances[k][r] - start.variance) * start.directions[k][r * d + i] * start.directions[k][r * d + j];
    y[i] = x[static_cast<Eigen::Index>(i)] - start.means[k][i];
  }
  auto a = covariance;
  for (std::size_t i = 0; i < d; ++i) a[i][i] += sigma * sigma;
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t row = i + 1; row < d; ++row) {
      const double factor = a[row][i] / a[i][i];
      for (std::size_t j = i; j < d; ++j) a[row][j] -= factor * a[i][j];
      y[row] -= factor * y[i];
    }
  for (std::size_t i = d; i-- > 0;) {
    for (std::size_t j = i + 1; j < d; ++j) y[i] -= a[i][j] * y[j];
    y[i] /= a[i][i];
  }
  for (std::size_t i = 0; i < d; ++i) {
    denoised[i] = start.means[k][i];
    for (std::size_t j = 0; j < d; ++j) denoised[i] += covariance[i][j] * y[j];
  }
  return denoised;
}

}  // namespace

TEST_CASE("GaussianStartDenoiser is the exact denoiser of its Gaussians, per class and guided") {
  const GaussianStart start = some_start();
  const Eigen::ArrayXXd x = 3 * noise(std::vector<std::uint64_t>{1, 2, 3}, 4);
  const std::vector<int> classes{1, GaussianStart::unconditional, 0};
  Eigen::ArrayXXd out = x;
  const auto error = [&](Eigen::Index b, int one, double sigma, double guidance) {
    const Eigen::ArrayXd column = x.col(b);
    const std::vector<double> base = by_full_solve(start, 2, column, sigma),
                              own = by_full_solve(start, one < 0 ? 2 : static_cast<std::size_t>(one), column, sigma);
    double largest = 0;
    for (std::size_t i = 0; i < base.size(); ++i)
      largest = test::worst(largest,
                            std::abs(out(static_cast<Eigen::Index>(i), b) - base[i] - guidance * (own[i] - base[i])));
    return largest;
  };
  for (const double sigma : {0.02, 1., 80.})
    for (const double guidance : {1., 0., 2.5}) {
      GaussianStartDenoiser(start, classes, guidance)(x, Level<Eigen::ArrayXXd>(sigma), out);
      for (Eigen::Index b = 0; b < 3; ++b)
        CHECK(error(b, classes[static_cast<std::size_t>(b)], sigma, guidance) <= 1e-12);
    }
  // Levels per sample, one class for all, and states in float.
  Level<Eigen::ArrayXXd> levels(1);
  levels.each(3) << 0.5, 1, 2;
  GaussianStartDenoiser(start, {0})(x, levels, out);
  for (Eigen::Index b = 0; b < 3; ++b) CHECK(error(b, 0, levels[b], 1) <= 1e-12);
  const Eigen::ArrayXXf narrow = x.cast<float>();
  Eigen::ArrayXXf narrow_out = narrow;
  GaussianStartDenoiser(start, {0})(narrow, levels, narrow_out);
  CHECK((narrow_out - out.cast<float>()).abs().maxCoeff() <= 1e-5f);

  CHECK(message_of([&] { GaussianStartDenoiser(start, {2}); }) == "class is 2; allowed: -1 (unconditional) to 1");
  CHECK(message_of([&] { GaussianStartDenoiser(start, {}); }) ==
        "the number of classes is 0; allowed: 1, or one per sample");
  CHECK(message_of([&] { GaussianStartDenoiser(start, {0, 1})(x, levels, out); }) ==
        "the number of samples is 3; allowed: 2, one per class given");
  const Eigen::ArrayXXd flat = x.topRows(3);
  CHECK(message_of([&] { GaussianStartDenoiser(start, {0})(flat, levels, out); }) ==
        "the number of rows of x is 3; allowed: 4");
}

TEST_CASE("Gaussian starts are read as they were written, and malformed files are rejected") {
  const TemporaryFile file("start.safetensors");
  const auto read = [](const fs::path& path) { return io::read_gaussian_start(path); };
  for (const std::string name : {"gaussian_start_6.safetensors", "gaussian_start.safetensors"}) {
    const GaussianStart shipped = io::read_gaussian_start(models / name, {1, 32, 32}, 10);
    CHECK(shipped.rank() == (name == "gaussian_start.safetensors" ? 0 : 6));  // without directions, an older file
    io::write_gaussian_start(file.path, shipped);
    if (shipped.rank() > 0) CHECK(bytes_of(file.path) == bytes_of(models / name));
    const GaussianStart again = io::read_gaussian_start(file.path);
    CHECK(again.means == shipped.means);
    CHECK(again.directions == shipped.directions);
    CHECK(again.variances == shipped.variances);
    CHECK(again.variance == shipped.variance);
  }
  io::write_gaussian_start(file.path, some_start());
  const io::Safetensors good = io::read_safetensors(file.path);
  const auto changed = [&](auto change) {
    io::Safetensors raw = good;
    change(raw);
    io::write_safetensors(file.path, raw);
    return error_of(read, file.path);
  };
  const auto with = [&](const std::string& name, const Array& array) {
    return changed([&](io::Safetensors& raw) { raw.tensors[name] = array; });
  };
  const auto without = [&](const std::string& name) {
    return changed([&](io::Safetensors& raw) { raw.tensors.erase(name); });
  };
  const auto doubles = [](std::vector<double> values, std::vector<std::int64_t> shape) {
    return array_of(values, std::move(shape), Dtype::f64);
  };
  CHECK(with("variance", doubles({1, 2}, {2})) == "the size of tensor variance is 2; allowed: 1");
  CHECK(with("variance", doubles({-1}, {1})) == "GaussianStart::variance is -1; allowed: finite numbers of 0 or more");
  CHECK(with("variances", doubles({1, 1, 1, NAN, 1, 1}, {3, 2})) ==
        "GaussianStart::variances[1] is nan; allowed: finite numbers of 0 or more");
  CHECK(with("variances", doubles({1, 1, 1, 1, 1, -2}, {3, 2})) ==
        "GaussianStart::variances[2] is -2; allowed: finite numbers of 0 or more");
  CHECK(with("variances", doubles({1, 1, 1}, {3, 1})) ==
        "the shape of tensor directions is 3 x 2 x 1 x 2 x 2; allowed: 3 x 1 x 1 x 2 x 2");
  CHECK(with("variances", doubles({1, 1, 1}, {3})) ==
        "the shape of tensor directions is 3 x 2 x 1 x 2 x 2; allowed: 3 x 0 x 1 x 2 x 2");
  CHECK(with("means", doubles({INFINITY, 1}, {2, 1})) ==
        "the shape of tensor directions is 3 x 2 x 1 x 2 x 2; allowed: 2 x 2 x 1");
  CHECK(with("means", {Dtype::u8, {0}, {}}) == "tensor means has no entry");
  CHECK(with("means", {Dtype::u8, {1}, {std::byte{1}}}) == "tensor means is of type U8; allowed: F16, BF16, F32, F64");
  for (const std::string name : {"means", "directions", "variances", "variance"})
    CHECK(without(name) == "tensor " + name + " is missing");
  CHECK(changed([](io::Safetensors& raw) { raw.metadata["format"].back() = '2'; }) ==
        "format is fewstep gaussian start 2; allowed: fewstep gaussian start 1");
  CHECK(changed([](io::Safetensors& raw) { raw.metadata.clear(); }) ==
        "not a Gaussian start (no format entry 'fewstep gaussian start 1')");
  io::write_gaussian_start(file.path, some_start());
  const auto for_model = [&](std::vector<std::int64_t> shape, std::size_t classes) {
    return error_of([&](const fs::path& path) { return io::read_gaussian_start(path, shape, classes); }, file.path);
  };
  CHECK(for_model({1, 2, 2}, 2) == "nothing was thrown");
  CHECK(for_model({4}, 2) == "the shape of the Gaussian start's samples is 1 x 2 x 2; allowed: 4 for this model");
  CHECK(for_model({1, 2, 2}, 0) == "the number of the Gaussian start's classes is 2; allowed: 0 for this model");
  GaussianStart broken = some_start();
  broken.directions[1].pop_back();
  CHECK(message_of([&] { io::write_gaussian_start(file.path, broken); }) ==
        "GaussianStart::directions[1].size() is 7; allowed: 8");
}

TEST_CASE("a shipped table runs with the Gaussian start that it names") {
  const io::TableSampler file = io::read_table_sampler(models / "table_3_rank_6.json");
  REQUIRE(file.gaussian_start);
  CHECK(file.gaussian_start->classes() == 10);
  CHECK(file.options.analytic_first_step);
  CHECK(file.schedule.levels() == file.table.levels);
  const Eigen::ArrayXXd z = noise(std::vector<std::uint64_t>{1, 2}, 1024);
  const std::vector<int> classes{3, 7};
  // For the Gaussians' own denoiser the analytic first step is exact: only the number of evaluations changes.
  const GaussianStartDenoiser exact(*file.gaussian_start, classes);
  const auto result = sample(file.table, with_analytic_first_step(exact, exact), file.schedule, z, file.options);
  const auto evaluated = sample(file.table, exact, file.schedule, z);
  CHECK((result.x - evaluated.x).abs().maxCoeff() <= 1e-10);
  CHECK(result.evaluations == 3);
  CHECK(evaluated.evaluations == 4);
  CHECK(!io::read_table_sampler(models / "table_3.json").gaussian_start);
}
