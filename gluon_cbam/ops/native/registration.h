// Common parts of the operators: types, shapes, and the registration with MXNet.
#pragma once

#include <string>
#include <vector>

#include "arrays.h"

namespace cbam {

using mxnet::OpContext;
using mxnet::OpReqType;
using mxnet::ShapeVector;
using mxnet::TShape;
using nnvm::NodeAttrs;
using nnvm::NodeEntry;
using nnvm::ObjectPtr;
using Arrays = std::vector<NDArray>;
using Requests = std::vector<OpReqType>;
using Pairs = std::vector<std::pair<int, int>>;

// An attribute of an operator, empty if it has none.
template <typename Attribute>
Attribute attribute_of(const char* op, const char* key) {
  return nnvm::Op::GetAttr<Attribute>(key).get(nnvm::Op::Get(op), Attribute());
}

inline bool is_double(const NDArray& array) { return array.dtype() == mshadow::kFloat64; }

// A small array's values in MXNet's own layout; `keep` holds what had to be copied.
template <typename T>
const T* values_of(const NDArray& array, Arrays* keep) {
  keep->push_back(plain(array));
  return keep->back().data().dptr<T>();
}

inline const TShape* map_shape(const ShapeVector& shapes, size_t index) {
  const TShape& shape = shapes[index];
  if (!mxnet::shape_is_known(shape)) return nullptr;
  CHECK_EQ(shape.ndim(), 4) << "attention takes an (N, C, H, W) map, got the shape " << shape;
  return &shape;
}

// Sets the shape of an input, which depends on the shape of the map.
inline void set_shape(ShapeVector* shapes, size_t index, const TShape& needed) {
  TShape& shape = (*shapes)[index];
  CHECK(!mxnet::shape_is_known(shape) || shape == needed)
      << "attention takes an input " << index << " of the shape " << needed << " with this map, got " << shape;
  shape = needed;
}

inline bool dense_storage(const NodeAttrs&, int, mxnet::DispatchMode* mode, std::vector<int>* in,
                          std::vector<int>* out) {
  std::fill(in->begin(), in->end(), mxnet::kDefaultStorage);
  std::fill(out->begin(), out->end(), mxnet::kDefaultStorage);
  *mode = mxnet::DispatchMode::kFComputeEx;
  return true;
}

inline TShape matrix(int64_t rows, int64_t columns) { return TShape({rows, columns}); }
inline TShape maps_shape(const TShape& like, int64_t channels) { return TShape({like[0], channels, like[2], like[3]}); }

// The index of an output, or kAbsent if it is not needed: a graph without gradients needs no argmax. (The context
// cannot be used for this: in graphs with static memory its need_grad is never set.)
inline size_t wanted(const Requests& requests, bool exists, size_t index) {
  return exists && requests[index] != mxnet::kNullOp ? index : kAbsent;
}

// A workspace of the thread that runs the operators, valid until the next call; MXNet's own would be kept in up to four
// copies.
template <typename T>
T* workspace(int64_t values) {
  static thread_local std::unique_ptr<T[]> held;
  static thread_local int64_t size = 0;
  if (size < values) {
    held.reset();
    held.reset(new T[values]);
    size = values;
  }
  return held.get();
}

// The sums over tiles, (N, tiles, C) to (N, C), in one order for any number of threads.
template <typename T>
void add_tiles(const std::vector<T>& partial, int64_t batch, int64_t tiles, int64_t channels, T* sums) {
#pragma omp parallel for schedule(static) if (batch * tiles * channels > kMinParallelValues)
  for (int64_t sample = 0; sample < batch; ++sample) {
    T* to = sums + sample * channels;
    std::fill(to, to + channels, T(0));
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const T* from = partial.data() + (sample * tiles + tile) * channels;
      for (int64_t c = 0; c < channels; ++c) to[c] += from[c];
    }
  }
}

inline void set_type(const std::vector<int>& types, size_t count, int* type) {
  for (size_t i = 0; i < count; ++i) {
    if (types[i] < 0) continue;
    CHECK(*type < 0 || types[i] == *type) << "compiled operators take inputs of one type";
    *type = types[i];
  }
}

inline bool same_types(std::vector<int>* in, std::vector<int>* out, size_t floats_in, size_t floats_out) {
  int type = -1;
  set_type(*in, floats_in, &type);
  set_type(*out, floats_out, &type);
  if (type < 0) return false;
  CHECK(type == mshadow::kFloat32 || type == mshadow::kFloat64)
      << "a compiled operator takes float32 and float64: CBAM_KERNELS=plain in the environment leaves it out";
  for (size_t i = 0; i < in->size(); ++i) (*in)[i] = i < floats_in ? type : mshadow::kInt32;
  for (size_t i = 0; i < out->size(); ++i) (*out)[i] = i < floats_out ? type : mshadow::kInt32;
  return true;
}

using Compute = void (*)(const OpContext&, const Arrays&, const Requests&, const Arrays&);
using InferShape = bool (*)(const NodeAttrs&, ShapeVector*, ShapeVector*);
using InferType = bool (*)(const NodeAttrs&, std::vector<int>*, std::vector<int>*);

inline nnvm::Op& register_operator(const std::string& name, std::vector<std::string> inputs, size_t outputs,
                                   InferShape shape, InferType type, Compute f32, Compute f64, Pairs in_place) {
  nnvm::Op& op = dmlc::Registry<nnvm::Op>::Get()->__REGISTER_OR_GET__(name);
  for (const std::string& input : inputs) op.add_argument(input, "NDArray-or-Symbol", "");
  op.set_num_inputs(inputs.size());
  op.set_num_outputs(outputs);
  set_attribute<mxnet::FInferShape>(op, "FInferShape", callable(shape));
  set_attribute<nnvm::FInferType>(op, "FInferType", callable(type));
  set_attribute<mxnet::FInferStorageType>(op, "FInferStorageType", callable(dense_storage));
  set_attribute<bool>(op, "TIsMKLDNN", true);  // without it MXNet passes copies in its own layout
  set_attribute<nnvm::FListInputNames>(op, "FListInputNames", [inputs](const NodeAttrs&) { return inputs; });
  set_attribute<nnvm::FInplaceOption>(op, "FInplaceOption", [in_place](const NodeAttrs&) { return in_place; });
  set_attribute<mxnet::FComputeEx>(
      op, "FComputeEx<cpu>",
      [f32, f64](const NodeAttrs&, const OpContext& context, const Arrays& in, const Requests& requests,
                 const Arrays& out) { (is_double(in[0]) ? f64 : f32)(context, in, requests, out); });
  return op;
}

// Ends the name of the variant of a backward operator that takes more inputs, see normalization.h.
const char* const kOfNorm = "_of_norm";

// A node of the backward operator of a node, in the variant with this number of inputs.
inline ObjectPtr backward_node(const std::string& op, const ObjectPtr& node, std::vector<NodeEntry> inputs) {
  ObjectPtr made = nnvm::Node::Create();
  const nnvm::Op* const found = nnvm::Op::Get(op);
  made->attrs.op = inputs.size() == found->num_inputs ? found : nnvm::Op::Get(op + kOfNorm);
  made->attrs.name = node->attrs.name + "_backward";
  made->inputs = std::move(inputs);
  return made;
}

// MXNet needs a gradient of every operator in a graph; like those of its own quantized ones, it is zero.
inline void set_zero_gradient(nnvm::Op& op) {
  set_attribute<nnvm::FGradient>(op, "FGradient", [](const ObjectPtr& node, const std::vector<NodeEntry>&) {
    std::vector<NodeEntry> zeros;
    for (const NodeEntry& input : node->inputs) {
      zeros.emplace_back(backward_node("zeros_like", node, {input}), 0, 0);
    }
    return zeros;
  });
}

using BackwardInputs = std::vector<NodeEntry> (*)(const ObjectPtr&, const std::vector<NodeEntry>&);

// Sets the backward operator of an operator, and the inputs that it takes.
inline void set_gradient(nnvm::Op& op, const std::string& backward, size_t outputs, BackwardInputs inputs) {
  const auto gradient = [backward, outputs, inputs](const ObjectPtr& node, const std::vector<NodeEntry>& gradients) {
    const ObjectPtr made = backward_node(backward, node, inputs(node, gradients));
    made->control_deps.push_back(node);
    std::vector<NodeEntry> entries;
    for (uint32_t i = 0; i < outputs; ++i) entries.emplace_back(made, i, 0);
    return entries;
  };
  set_attribute<nnvm::FGradient>(op, "FGradient", gradient);
}

inline void register_backward(const std::string& name, size_t inputs, size_t outputs, InferShape shape, InferType type,
                              Compute f32, Compute f64, Pairs in_place) {
  std::vector<std::string> names;
  for (size_t i = 0; i < inputs; ++i) names.push_back("input" + std::to_string(i));
  nnvm::Op& op = register_operator(name, names, outputs, shape, type, f32, f64, in_place);
  set_attribute<nnvm::TIsBackward>(op, "TIsBackward", true);
}

// Lets graphs that were saved under an operator's former name be loaded.
inline void add_former_name(const nnvm::Op& op, const std::string& name) {
  dmlc::Registry<nnvm::Op>::Get()->AddAlias(op.name, name);
}

// Adds the operators of prelu_operators.cc.
void register_prelu();
// Adds the operators of gate_operators.cc.
void register_gate_convolution();
// Adds the operator of optimizer_operators.cc.
void register_optimizer();
// Adds the operators of quantized_operators.cc.
void register_quantized();
// Adds the operators of convolution_operators.cc.
void register_convolution();
// Adds the operator of fused_convolution_operators.cc.
void register_fused_convolution();

}  // namespace cbam
