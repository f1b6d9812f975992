// What the operators share: types, shapes, and how an operator is added to MXNet's.
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

// Sets the shape of an input, which follows from that of the map.
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

using Pass = void (*)(const OpContext&, const Arrays&, const Requests&, const Arrays&);
using InferShape = bool (*)(const NodeAttrs&, ShapeVector*, ShapeVector*);
using InferType = bool (*)(const NodeAttrs&, std::vector<int>*, std::vector<int>*);

inline nnvm::Op& register_operator(const std::string& name, std::vector<std::string> inputs, size_t outputs,
                                   InferShape shape, InferType type, Pass single, Pass twice, Pairs in_place) {
  nnvm::Op& op = dmlc::Registry<nnvm::Op>::Get()->__REGISTER_OR_GET__(name);
  for (const std::string& input : inputs) op.add_argument(input, "NDArray-or-Symbol", "");
  op.set_num_inputs(inputs.size());
  op.set_num_outputs(outputs);
  set_attribute<mxnet::FInferShape>(op, "FInferShape", callable(shape));
  set_attribute<nnvm::FInferType>(op, "FInferType", callable(type));
  set_attribute<mxnet::FInferStorageType>(op, "FInferStorageType", callable(dense_storage));
  set_attribute<bool>(op, "TIsMKLDNN", true);  // without it MXNet hands over copies in its own layout
  set_attribute<nnvm::FListInputNames>(op, "FListInputNames", [inputs](const NodeAttrs&) { return inputs; });
  set_attribute<nnvm::FInplaceOption>(op, "FInplaceOption", [in_place](const NodeAttrs&) { return in_place; });
  set_attribute<mxnet::FComputeEx>(op, "FComputeEx<cpu>",
                                 [single, twice](const NodeAttrs&, const OpContext& context, const Arrays& in,
                                                 const Requests& requests, const Arrays& out) {
                                   (is_double(in[0]) ? twice : single)(context, in, requests, out);
                                 });
  return op;
}

// The node of an operator that gives gradients of a node's inputs.
inline ObjectPtr backward_node(const std::string& op, const ObjectPtr& node, std::vector<NodeEntry> inputs) {
  ObjectPtr made = nnvm::Node::Create();
  made->attrs.op = nnvm::Op::Get(op);
  made->attrs.name = node->attrs.name + "_backward";
  made->inputs = std::move(inputs);
  return made;
}

// Adds the operators of quantized_operators.cc.
void register_quantized();

}  // namespace cbam
