// Networks in OpenVINO. CMake component: openvino.
#pragma once

#include "exported.hpp"

#include <openvino/openvino.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace fewstep {

/// An ov::CompiledModel for ExportedNetwork. Its inference requests are kept: as many as ran at the same time.
class OpenVinoSession {
 public:
  /// @throws std::invalid_argument for inputs or outputs of unknown types.
  explicit OpenVinoSession(ov::CompiledModel model) : state_(std::make_shared<State>()) {
    for (const auto& input : model.inputs())
      state_->inputs.push_back(port(input, input.get_node()->get_friendly_name()));
    for (const auto& output : model.outputs())
      state_->outputs.push_back(port(output, output.get_names().empty() ? "output" : output.get_any_name()));
    state_->model = std::move(model);
  }

  const std::vector<Port>& inputs() const { return state_->inputs; }
  const std::vector<Port>& outputs() const { return state_->outputs; }

  void run(const std::vector<Feed>& feeds, std::vector<Fetch>& fetches) const {
    Request r = taken();
    for (const Feed& feed : feeds)
      r.request.set_input_tensor(feed.port, tensor(inputs()[feed.port], feed.shape, const_cast<void*>(feed.data)));
    for (const Fetch& fetch : fetches)  // also its own memory, as the request may still have that of another run
      r.request.set_output_tensor(
          fetch.port, fetch.data ? tensor(outputs()[fetch.port], fetch.shape, fetch.data) : r.own_outputs[fetch.port]);
    r.request.infer();
    for (Fetch& fetch : fetches) {
      if (fetch.data) continue;
      const ov::Tensor made = r.request.get_output_tensor(fetch.port);
      const ov::Shape shape = made.get_shape();
      fetch.result = {outputs()[fetch.port].dtype, {shape.begin(), shape.end()}, {}};
      fetch.result.bytes.resize(made.get_byte_size());
      std::memcpy(fetch.result.bytes.data(), made.data(), made.get_byte_size());
    }
    const std::lock_guard lock(state_->mutex);
    state_->idle.push_back(std::move(r));
  }

 private:
  struct Request {
    ov::InferRequest request;
    std::vector<ov::Tensor> own_outputs;
  };
  struct State {
    ov::CompiledModel model;
    std::vector<Port> inputs, outputs;
    std::mutex mutex;
    std::vector<Request> idle;
  };

  /// An idle request, or a new one.
  Request taken() const {
    const std::lock_guard lock(state_->mutex);
    if (!state_->idle.empty()) {
      Request r = std::move(state_->idle.back());
      state_->idle.pop_back();
      return r;
    }
    Request r{state_->model.create_infer_request(), {}};
    for (std::size_t i = 0; i < outputs().size(); ++i) r.own_outputs.push_back(r.request.get_output_tensor(i));
    return r;
  }

  static std::vector<std::pair<ov::element::Type, Dtype>> types() {
    return {{ov::element::boolean, Dtype::boolean}, {ov::element::u8, Dtype::u8},   {ov::element::i8, Dtype::i8},
            {ov::element::u16, Dtype::u16},         {ov::element::i16, Dtype::i16}, {ov::element::f16, Dtype::f16},
            {ov::element::bf16, Dtype::bf16},       {ov::element::u32, Dtype::u32}, {ov::element::i32, Dtype::i32},
            {ov::element::f32, Dtype::f32},         {ov::element::u64, Dtype::u64}, {ov::element::i64, Dtype::i64},
            {ov::element::f64, Dtype::f64}};
  }

  static Port port(const ov::Output<const ov::Node>& port, const std::string& name) {
    Port made{name, Dtype::f32, {}, {port.get_names().begin(), port.get_names().end()}};
    const ov::PartialShape shape = port.get_partial_shape();
    if (shape.rank().is_static()) {
      made.shape.emplace();
      for (const ov::Dimension& extent : shape) made.shape->push_back(extent.is_static() ? extent.get_length() : -1);
    }
    for (const auto& [type, dtype] : types())
      if (type == port.get_element_type()) return made.dtype = dtype, made;
    refuse({"the type of the network's `", name, "`"}, port.get_element_type().get_type_name(), "types of numbers");
  }

  static ov::Tensor tensor(const Port& port, const std::vector<std::int64_t>& shape, void* data) {
    for (const auto& [type, dtype] : types())
      if (dtype == port.dtype) return {type, ov::Shape(shape.begin(), shape.end()), data};
    return {};
  }

  std::shared_ptr<State> state_;
};

using OpenVinoNetwork = ExportedNetwork<OpenVinoSession>;

/// A network in OpenVINO as a function of (x, label) on buffers.
/// @param model  compiled for any device: from ONNX (.onnx) or OpenVINO's own files (.xml)
/// @throws std::invalid_argument as ExportedNetwork.
inline OpenVinoNetwork openvino_network(ov::CompiledModel model, ExportedOptions options = {}) {
  return OpenVinoNetwork(OpenVinoSession(std::move(model)), std::move(options));
}

}  // namespace fewstep
