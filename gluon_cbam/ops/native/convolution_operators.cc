// MXNet operators for 3 x 3 convolutions with stride 1, padding 1, one group, no dilation and no bias:
//
//   _cbam_convolution(data, weight, ...) -> MXNet's Convolution, whose parameters, shapes and types it has
//
// It runs Winograd's algorithm where that is faster than oneDNN's convolution, and oneDNN's everywhere else.
#include "registration.h"
#include "winograd.h"

namespace cbam {
namespace {

using mxnet::Context;
using mxnet::OpStatePtr;

const char kMxnet[] = "Convolution", kMxnetBackward[] = "_backward_Convolution";
const char kOurs[] = "_cbam_convolution", kOursBackward[] = "_backward_cbam_convolution";

template <typename Attribute>
Attribute attribute_of(const char* op, const char* key) {
  return nnvm::Op::GetAttr<Attribute>(key).get(nnvm::Op::Get(op), Attribute());
}

void run_mxnet(const char* op, const NodeAttrs& attributes, const OpContext& context, const Arrays& in,
               const Requests& requests, const Arrays& out) {
  attribute_of<mxnet::FComputeEx>(op, "FComputeEx<cpu>")(attributes, context, in, requests, out);
}

// Whether Winograd's algorithm is faster: the transformed weights are four times as large as the weights, so there have
// to be enough positions for each reading of them. The rule is the same with and without gradients, and so are the
// outputs.
bool is_winograd_faster(const NDArray& map, const TShape& weight, int64_t inputs, int64_t outputs) {
  constexpr int64_t kPositions = 192;  // found with 256 and 512 channels
  const TShape& shape = map.shape();
  const int64_t positions = shape[0] * shape[2] * shape[3];
  const int64_t products = kWinogradPoints * winograd_tiles(shape[0], shape[2], shape[3]);
  return winograd() && map.dtype() == mshadow::kFloat32 && weight[2] == 3 && weight[3] == 3 &&
         outputs % (2 * winograd()->lanes) == 0 && inputs % winograd()->lanes == 0 && positions >= kPositions &&
         products * 3 <= positions * 9 * 2;
}

// A map in vectors of channels, in the layout of oneDNN's convolutions where it has to be copied: blocks for training,
// rows for inference.
ChannelMap<float> in_vectors(const NDArray& array, bool for_training) {
  const int64_t rows = array.shape()[1], block = winograd()->lanes;
  return for_training ? ChannelMap<float>(array, block, rows) : ChannelMap<float>(array, rows, block);
}

// A workspace of the thread that runs the operators; MXNet's own would be kept in up to four copies.
float* workspace(int64_t floats) {
  static thread_local std::unique_ptr<float[]> held;
  static thread_local int64_t size = 0;
  if (size < floats) {
    held.reset();
    held.reset(new float[floats]);
    size = floats;
  }
  return held.get();
}

// The output gets the layout of the input, so that nothing is reordered after it.
void convolve(const NDArray& x, const float* transformed, float* workspace, bool for_training, const NDArray& y) {
  const ChannelMap<float> from = in_vectors(x, for_training);
  const TShape& shape = y.shape();
  const int block = from.map().block == x.shape()[1] ? static_cast<int>(shape[1]) : from.map().block;
  const Map<float> to = map_of(set_layout<float>(y, dnnl_f32, block), shape, block);
  winograd()->convolve({from.map(), shape[2], transformed, workspace, to});
}

// Whether an output can get another layout.
bool is_whole(const NDArray& output, mxnet::OpReqType request) { return is_written(request) && !output.IsView(); }

// ----------------------------------------------------------------------------------------------------- forward

// The cache between calls: the last weights, and the transformed weights once they were used twice, so that nothing is
// kept for a single call or for training.
struct CachedWeights {
  NodeAttrs attributes;
  NDArray weight;  // a reference, so that no other array reuses its memory
  size_t version = 0;
  std::vector<float> transformed;

  bool is_repeated(const NDArray& array) {
    const size_t now = array.version();
    const bool again = !weight.is_none() && weight.var() == array.var() && version == now &&
                       weight.storage_handle().dptr == array.storage_handle().dptr;
    if (!again) std::vector<float>().swap(transformed);
    weight = array;
    version = now;
    return again;
  }
};

OpStatePtr create_state(const NodeAttrs& attributes, Context, const ShapeVector&, const std::vector<int>&) {
  OpStatePtr state = OpStatePtr::Create<CachedWeights>();
  state.get_state<CachedWeights>().attributes = attributes;
  return state;
}

void transform(const NDArray& weight, bool backward, float* transformed) {
  Arrays keep;
  const TShape& shape = weight.shape();
  winograd()->transform(values_of<float>(weight, &keep), shape[0], shape[1], backward, transformed);
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
      transform(in[1], false, cached.transformed.data());
    }
    convolve(in[0], cached.transformed.data(), workspace(needed), false, out[0]);
    return;
  }
  float* transformed = workspace(size + needed);
  transform(in[1], false, transformed);
  convolve(in[0], transformed, transformed + size, context.is_train, out[0]);
}

// ---------------------------------------------------------------------------------------------------- backward

void gradient_of_data(const NDArray& dy, const NDArray& weight, const NDArray& dx) {
  const TShape& shape = weight.shape();
  const int64_t size = winograd_transformed_size(shape[0], shape[1]);
  float* transformed = workspace(size + winograd()->workspace_size(shape[0]));
  transform(weight, true, transformed);
  convolve(dy, transformed, transformed + size, true, dx);
}

void gradient_of_weight(const NDArray& dy, const NDArray& x, Target<float> dweight) {
  const ChannelMap<float> from = in_vectors(x, true), gradient = in_vectors(dy, true);
  float* space = workspace(winograd()->gradient_workspace_size(from.map(), x.shape()[2], dy.shape()[1]));
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
