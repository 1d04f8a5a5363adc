// Networks in ONNX Runtime. CMake component: onnxruntime.
#pragma once

#include "exported.hpp"

#include <onnxruntime_cxx_api.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fewstep {

/// An Ort::Session for ExportedNetwork.
class OnnxSession {
 public:
  /// @throws std::invalid_argument for inputs or outputs that are no tensors of numbers.
  explicit OnnxSession(std::shared_ptr<Ort::Session> session) : session_(std::move(session)) {
    Ort::AllocatorWithDefaultOptions allocator;
    for (std::size_t i = 0; i < session_->GetInputCount(); ++i)
      inputs_.push_back(port(session_->GetInputNameAllocated(i, allocator).get(), session_->GetInputTypeInfo(i)));
    for (std::size_t i = 0; i < session_->GetOutputCount(); ++i)
      outputs_.push_back(port(session_->GetOutputNameAllocated(i, allocator).get(), session_->GetOutputTypeInfo(i)));
  }

  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }

  void run(const std::vector<Feed>& feeds, std::vector<Fetch>& fetches) const {
    std::vector<const char*> in_names, out_names;
    std::vector<Ort::Value> in, out;
    for (const Feed& feed : feeds) {
      in_names.push_back(inputs_[feed.port].name.c_str());
      in.push_back(value(inputs_[feed.port], feed.shape, const_cast<void*>(feed.data)));
    }
    for (const Fetch& fetch : fetches) {
      out_names.push_back(outputs_[fetch.port].name.c_str());
      out.push_back(fetch.data ? value(outputs_[fetch.port], fetch.shape, fetch.data) : Ort::Value(nullptr));
    }
    session_->Run(Ort::RunOptions(nullptr), in_names.data(), in.data(), in.size(), out_names.data(), out.data(),
                  out.size());
    for (std::size_t i = 0; i < fetches.size(); ++i) {
      if (fetches[i].data) continue;
      Array& result = fetches[i].result;
      result = {outputs_[fetches[i].port].dtype, out[i].GetTensorTypeAndShapeInfo().GetShape(), {}};
      result.bytes.resize(detail::byte_count(result.dtype, result.shape));
      std::memcpy(result.bytes.data(), out[i].GetTensorRawData(), result.bytes.size());
    }
  }

 private:
  static constexpr std::pair<ONNXTensorElementDataType, Dtype> types_[] = {
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, Dtype::boolean},  {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, Dtype::u8},
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, Dtype::i8},       {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16, Dtype::u16},
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16, Dtype::i16},     {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, Dtype::f16},
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16, Dtype::bf16}, {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32, Dtype::u32},
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, Dtype::i32},     {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, Dtype::f32},
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64, Dtype::u64},    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, Dtype::i64},
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, Dtype::f64}};

  static Port port(std::string name, const Ort::TypeInfo& info) {
    require(info.GetONNXType() == ONNX_TYPE_TENSOR, {"the type of the network's `", name, "`"}, "no tensor", "tensors");
    const auto tensor = info.GetTensorTypeAndShapeInfo();
    for (const auto& [onnx, dtype] : types_)
      if (onnx == tensor.GetElementType()) return {std::move(name), dtype, tensor.GetShape()};
    refuse({"the type of the network's `", name, "`"}, static_cast<int>(tensor.GetElementType()), "types of numbers");
  }

  static Ort::Value value(const Port& port, const std::vector<std::int64_t>& shape, void* data) {
    static const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    for (const auto& [onnx, dtype] : types_)
      if (dtype == port.dtype) type = onnx;
    return Ort::Value::CreateTensor(memory, data, detail::byte_count(port.dtype, shape), shape.data(), shape.size(),
                                    type);
  }

  std::shared_ptr<Ort::Session> session_;  // its Run is not const, but safe from any thread
  std::vector<Port> inputs_, outputs_;
};

using OnnxNetwork = ExportedNetwork<OnnxSession>;

/// A network in ONNX Runtime as a function of (x, label) on buffers.
/// @param session  also from other programs' code: any execution provider that reads the host's memory
/// @throws std::invalid_argument as ExportedNetwork.
inline OnnxNetwork onnx_network(std::shared_ptr<Ort::Session> session, ExportedOptions options = {}) {
  return OnnxNetwork(OnnxSession(std::move(session)), std::move(options));
}

}  // namespace fewstep
