// What the networks of all runtimes share: which input gets what, in the type, the shape and the batches that it wants.
#pragma once

#include "../array/codec.hpp"
#include "../buffer/algebra.hpp"
#include "condition_input.hpp"
#include "label_input.hpp"
#include "port.hpp"
#include "rows.hpp"
#include "state_input.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace fewstep {

/// Which input and output of an exported network is which. An empty name is found by its place: the state is the first
/// input that has no other role, the label the one after it, the result the first output.
struct ExportedOptions {
  std::string state = {}, label = {};     ///< inputs
  std::string output = {}, feature = {};  ///< outputs; an empty feature: none
  /// Further inputs: one row for all samples, or one per sample. An array without the axis of samples is one row.
  std::map<std::string, Array> conditions = {};
  std::vector<std::int64_t> sample_shape = {};  ///< extents of a sample, where the network leaves several of them open
};

/// An input of one run: memory that the runtime reads.
struct Feed {
  std::size_t port;
  std::vector<std::int64_t> shape;
  const void* data;
};

/// An output of one run: memory that the runtime writes; without `data`, `result` gets the output as it comes.
struct Fetch {
  std::size_t port;
  std::vector<std::int64_t> shape = {};
  void* data = nullptr;
  Array result = {};
};

/// A network of a runtime as a function of (x, label) on Buffer<float> and Buffer<double>, with features where
/// ExportedOptions::feature names them.
///
/// Labels arrive in the type and shape that the network wants; integers get the nearest one. The state is handed over
/// without a copy where the network wants its type. A network for a fixed number of samples gets the batch in parts,
/// the last one filled up with copies of the last sample.
///
/// Threads may share it: it is constant, and each call has memory of its own.
/// @tparam Session  a runtime: inputs() and outputs(), lists of Port, and run(feeds, fetches), const, from any thread
template <class Session>
class ExportedNetwork {
 public:
  /// @throws std::invalid_argument for a name that the network does not have, an input without a value, or a condition
  /// of another type or shape, with what there is.
  explicit ExportedNetwork(Session session, ExportedOptions options = {})
      : session_(std::move(session)), options_(std::move(options)) {
    const std::vector<Port>& inputs = session_.inputs();
    std::vector<bool> taken(inputs.size());
    for (const auto& [name, values] : options_.conditions) {
      const std::size_t i = detail::port_named(inputs, name, "input");
      conditions_.emplace_back(inputs[i], i, values);
      taken[i] = true;
    }
    if (!options_.label.empty()) taken[detail::port_named(inputs, options_.label, "input")] = true;
    const std::optional<std::size_t> state = input(options_.state, taken);
    require(state.has_value(), "the network's inputs", detail::text_of(inputs), "one for the state");
    state_.emplace(inputs[*state], *state, options_.sample_shape);
    if (!options_.label.empty()) taken[detail::port_named(inputs, options_.label, "input")] = false;
    if (const auto label = input(options_.label, taken)) label_.emplace(inputs[*label], *label);
    for (std::size_t i = 0; i < inputs.size(); ++i)
      require(taken[i], {"the network's input `", inputs[i].name, "`"}, "missing", {"values, ", inputs[i].text()});
    const std::vector<Port>& outputs = session_.outputs();
    require(!outputs.empty(), "the network's outputs", "none", "one or more");
    if (!options_.output.empty()) output_ = detail::port_named(outputs, options_.output, "output");
    if (!options_.feature.empty()) feature_ = detail::port_named(outputs, options_.feature, "output");
  }

  /// out <- the network's output for x and its label
  /// @return whether there are features
  /// @throws std::invalid_argument for a state, label or number of samples that the network does not take.
  template <std::floating_point T>
  bool operator()(const Buffer<T>& x, const BufferLevel& label, Buffer<T>& out, Buffer<T>& features) const {
    out.reshape(x);
    const bool one_by_one = label_ && label_->is_shared() && label.per_sample() && state_->takes_any_batch();
    const std::vector<std::int64_t> shape = state_->shape(one_by_one ? 1 : x.samples(), x.numbers());
    const std::size_t part = detail::count_of(shape) / x.numbers();
    for (std::size_t first = 0; first < x.samples(); first += part) run(x, label, shape, first, part, out, features);
    return feature_.has_value();
  }

  /// Returns the network with other values of some conditions, e.g. the unconditional ones for guidance.
  ExportedNetwork with(const std::map<std::string, Array>& conditions) const {
    ExportedOptions changed = options_;
    for (const auto& [name, values] : conditions) changed.conditions.insert_or_assign(name, values);
    return ExportedNetwork(session_, changed);
  }

  const Session& session() const { return session_; }

 private:
  template <class T>
  static constexpr Dtype dtype_of = sizeof(T) == sizeof(double) ? Dtype::f64 : Dtype::f32;

  /// The input of a name, or the first one without a role, which it takes.
  std::optional<std::size_t> input(const std::string& name, std::vector<bool>& taken) const {
    const auto free = static_cast<std::size_t>(std::find(taken.begin(), taken.end(), false) - taken.begin());
    if (name.empty() && free == taken.size()) return {};
    const std::size_t i = name.empty() ? free : detail::port_named(session_.inputs(), name, "input");
    require(!taken[i], {"the network's input `", name, "`"}, "given twice", "one role per input");
    taken[i] = true;
    return i;
  }

  /// Evaluates the network for samples first, first + 1, ..., as many as are left of a part.
  template <class T>
  void run(const Buffer<T>& x, const BufferLevel& label, const std::vector<std::int64_t>& shape, std::size_t first,
           std::size_t part, Buffer<T>& out, Buffer<T>& features) const {
    std::vector<std::vector<std::byte>> memory(conditions_.size() + 3);
    std::vector<Feed> feeds{{state_->index(), shape, state_data(x, first, part, memory[0], memory[1])}};
    const auto add = [&](const auto& input, const auto&... from) {
      Feed& feed = feeds.emplace_back(Feed{input.port(), {}, nullptr});
      feed.data = input.at(from..., first, part, x.samples(), feed.shape, memory[feeds.size()]);
    };
    if (label_) add(*label_, label);
    for (const auto& condition : conditions_) add(condition);

    const std::size_t filled = (std::min)(part, x.samples() - first);
    std::vector<Fetch> fetches(feature_ ? 2 : 1);
    fetches[0].port = output_;
    if (filled == part && fits(session_.outputs()[output_], shape, dtype_of<T>))
      fetches[0].shape = shape, fetches[0].data = out.data() + first * x.numbers();
    if (feature_) fetches[1].port = *feature_;
    session_.run(feeds, fetches);
    if (!fetches[0].data) take(fetches[0], part, first, filled, x.numbers(), out);
    if (!feature_) return;
    const std::size_t numbers = detail::count_of(fetches[1].result.shape) / part;
    if (features.size() != x.samples() * numbers || features.samples() != x.samples())
      features = Buffer<T>(std::vector<T>(x.samples() * numbers), x.samples());
    take(fetches[1], part, first, filled, numbers, features);
  }

  /// The numbers of a part in the type that the network wants.
  template <class T>
  const std::byte* state_data(const Buffer<T>& x, std::size_t first, std::size_t part, std::vector<std::byte>& encoded,
                              std::vector<std::byte>& filled) const {
    const Dtype dtype = state_->port().dtype;
    const auto* data = reinterpret_cast<const std::byte*>(x.data());
    if (dtype != dtype_of<T>) {
      require(detail::is_float(dtype), {"the type of the network's input `", state_->port().name, "`"},
              to_string(dtype), "F16, BF16, F32 or F64");
      encoded.resize(x.size() * item_size(dtype));
      detail::encode(x.data(), x.size(), dtype, encoded.data());
      data = encoded.data();
    }
    return detail::Rows{data, x.numbers() * item_size(dtype), x.samples()}.part(first, part, filled);
  }

  /// Whether an output may have this shape and type: the runtime then writes it where it belongs.
  static bool fits(const Port& port, const std::vector<std::int64_t>& shape, Dtype dtype) {
    const auto same = [](std::int64_t declared, std::int64_t extent) { return declared < 0 || declared == extent; };
    return port.dtype == dtype && port.shape &&
           std::equal(port.shape->begin(), port.shape->end(), shape.begin(), shape.end(), same);
  }

  /// Copies the output of a part for the samples that it was made for.
  template <class T>
  void take(const Fetch& fetch, std::size_t part, std::size_t first, std::size_t filled, std::size_t numbers,
            Buffer<T>& to) const {
    const Array& array = fetch.result;
    const Port& port = session_.outputs()[fetch.port];
    require(numbers > 0 && detail::count_of(array.shape) == part * numbers, {"the network's output `", port.name, "`"},
            Port{{}, array.dtype, array.shape}.text(), {numbers, " numbers for each of ", part, " samples"});
    require(detail::is_float(array.dtype), {"the type of the network's output `", port.name, "`"},
            to_string(array.dtype), "F16, BF16, F32 or F64");
    detail::decode(array.bytes.data(), filled * numbers, array.dtype, to.data() + first * numbers);
  }

  Session session_;
  ExportedOptions options_;
  std::optional<detail::StateInput> state_ = {};
  std::optional<detail::LabelInput> label_ = {};
  std::vector<detail::ConditionInput> conditions_ = {};
  std::size_t output_ = 0;
  std::optional<std::size_t> feature_ = {};
};

}  // namespace fewstep
