// MXNet operators for 3 x 3 convolutions with stride 1, padding 1, one group, no dilation and no bias:
//
//   _cbam_convolution(data, weight, ...) -> MXNet's Convolution, whose parameters, shapes and types it has
//
// It runs Winograd's algorithm where that is faster than oneDNN's convolution, and oneDNN's everywhere else.
#include "convolution_arrays.h"

namespace cbam {
namespace {

using mxnet::Context;
using mxnet::OpStatePtr;

const char kMxnet[] = "Convolution", kMxnetBackward[] = "_backward_Convolution";
const char kOurs[] = "_cbam_convolution", kOursBackward[] = "_backward_cbam_convolution";

void run_mxnet(const char* op, const NodeAttrs& attributes, const OpContext& context, const Arrays& in,
               const Requests& requests, const Arrays& out) {
  attribute_of<mxnet::FComputeEx>(op, "FComputeEx<cpu>")(attributes, context, in, requests, out);
}

// ----------------------------------------------------------------------------------------------------- forward

// The cache between calls: the last weights, and the transformed weights once they were used twice, so that nothing is
// kept for a single call or for training.
struct CachedWeights {
  NodeAttrs attributes;
  LastArrays last;
  std::vector<float> transformed;

  bool is_repeated(const NDArray& weight) {
    const bool again = last.are_repeated({weight});
    if (!again) std::vector<float>().swap(transformed);
    return again;
  }
};

OpStatePtr create_state(const NodeAttrs& attributes, Context, const ShapeVector&, const std::vector<int>&) {
  OpStatePtr state = OpStatePtr::Create<CachedWeights>();
  state.get_state<CachedWeights>().attributes = attributes;
  return state;
}

void forward(const OpStatePtr& state, const OpContext& context, const Arrays& in, const Requests& requests,
             const Arrays& out) {
  CachedWeights& cached = state.get_state<CachedWeights>();
  const TShape& weight = in[1].shape();
  if (!is_whole(out[0], requests[0]) || !is_winograd_faster(in[0], weight, weight[1], weight[0])) {
    run_mxnet(kMxnet, cached.attributes, context, in, requests, out);
    return;
  }
  const int64_t needed = winograd()->workspace_size(weight[1]);
  const int64_t size = winograd_transformed_size(weight[0], weight[1]);
  if (!context.is_train && cached.is_repeated(in[1])) {
    if (cached.transformed.empty()) {
      cached.transformed.resize(size);
      transform(in[1], nullptr, false, cached.transformed.data());
    }
    convolve(in[0], cached.transformed.data(), workspace<float>(needed), false, out[0]);
    return;
  }
  float* transformed = workspace<float>(size + needed);
  transform(in[1], nullptr, false, transformed);
  convolve(in[0], transformed, transformed + size, context.is_train, out[0]);
}

// ---------------------------------------------------------------------------------------------------- backward

void gradient_of_data(const NDArray& dy, const NDArray& weight, const NDArray& dx) {
  const TShape& shape = weight.shape();
  const int64_t size = winograd_transformed_size(shape[0], shape[1]);
  float* transformed = workspace<float>(size + winograd()->workspace_size(shape[0]));
  transform(weight, nullptr, true, transformed);
  convolve(dy, transformed, transformed + size, true, dx);
}

void gradient_of_weight(const NDArray& dy, const NDArray& x, Target<float> dweight) {
  const ChannelMap<float> from = in_vectors(x, true), gradient = in_vectors(dy, true);
  float* space = workspace<float>(winograd()->gradient_workspace_size(from.map(), x.shape()[2], dy.shape()[1]));
  winograd()->gradient({from.map(), x.shape()[2], gradient.map(), space, dweight.data()});
  dweight.finish();
}

// inputs: gradient, data, weight; outputs: gradients of data and weight
void backward(const NodeAttrs& attributes, const OpContext& context, const Arrays& in, const Requests& requests,
              const Arrays& out) {
  const TShape& weight = in[2].shape();
  Requests left = requests;
  if (is_whole(out[0], requests[0]) && is_winograd_faster(in[0], weight, weight[0], weight[1])) {
    gradient_of_data(in[0], in[2], out[0]);
    left[0] = mxnet::kNullOp;
  }
  if (requests[1] != mxnet::kNullOp && is_winograd_faster(in[1], weight, weight[1], weight[0])) {
    gradient_of_weight(in[0], in[1], Target<float>(out, requests, 1));
    left[1] = mxnet::kNullOp;
  }
  const auto is_left = [](mxnet::OpReqType request) { return request != mxnet::kNullOp; };
  if (std::any_of(left.begin(), left.end(), is_left)) {
    run_mxnet(kMxnetBackward, attributes, context, in, left, out);
  }
}

// --------------------------------------------------------------------------------------------------- registering

template <typename Attribute>
void copy_attribute(const char* from, nnvm::Op& to, const char* key) {
  set_attribute<Attribute>(to, key, attribute_of<Attribute>(from, key));
}

// An operator with the parameters of another.
nnvm::Op& register_like(const char* name, const char* original) {
  const nnvm::Op& from = *nnvm::Op::Get(original);
  nnvm::Op& op = dmlc::Registry<nnvm::Op>::Get()->__REGISTER_OR_GET__(name);
  op.arguments = from.arguments;
  op.num_inputs = from.num_inputs;
  op.num_outputs = from.num_outputs;
  op.get_num_inputs = from.get_num_inputs;
  op.get_num_outputs = from.get_num_outputs;
  op.attr_parser = from.attr_parser;
  copy_attribute<mxnet::FResourceRequest>(original, op, "FResourceRequest");
  set_attribute<mxnet::FInferStorageType>(op, "FInferStorageType", callable(dense_storage));
  set_attribute<bool>(op, "TIsMKLDNN", true);
  return op;
}

}  // namespace

void register_convolution() {
  nnvm::Op& op = register_like(kOurs, kMxnet);
  copy_attribute<nnvm::FListInputNames>(kMxnet, op, "FListInputNames");
  copy_attribute<mxnet::FInferShape>(kMxnet, op, "FInferShape");
  copy_attribute<nnvm::FInferType>(kMxnet, op, "FInferType");
  set_attribute<mxnet::FCreateOpState>(op, "FCreateOpState", callable(create_state));
  set_attribute<mxnet::FStatefulComputeEx>(op, "FStatefulComputeEx<cpu>", forward);
  set_attribute<nnvm::FGradient>(op, "FGradient", [](const ObjectPtr& node, const std::vector<NodeEntry>& gradients) {
    const auto entries = attribute_of<nnvm::FGradient>(kMxnet, "FGradient")(node, gradients);
    entries[0].node->attrs.op = nnvm::Op::Get(kOursBackward);
    return entries;
  });
  nnvm::Op& back = register_like(kOursBackward, kMxnetBackward);
  set_attribute<nnvm::TIsBackward>(back, "TIsBackward", true);
  set_attribute<mxnet::FComputeEx>(back, "FComputeEx<cpu>", backward);
}

}  // namespace cbam
