// MXNet operators for attention in networks of eight-bit integers: they take what MXNet's quantized convolutions give,
// the integers with the least and the greatest value that they stand for, and give the next convolution the same.
//
//   _cbam_gate(mean, maximum, weight1, bias1, weight2, bias2) -> the channel gate (N, C), of floats
//   _cbam_spatial_gate(descriptors, weight, gamma, beta, mean, variance)
//                                                      -> the spatial gate (N, 1, H, W), of floats
//   _cbam_quantized_pool(x, min, max)                  -> mean (N, C), maximum (N, C)
//   _cbam_quantized_describe_*(x, min, max, gate)      -> maximum and mean over channels (N, 2, H, W)
//   _cbam_quantized_scale(x, min, max, channel, spatial, shortcut, min, max, limit) -> unsigned integers, min, max
//
// The last is relu(x * channel * spatial + shortcut), in integers from 0 to `limit`.
#include "registration.h"

namespace cbam {
namespace {

// The step between the values that integers stand for.
float step_of(const NDArray& integers, const NDArray& low, const NDArray& high) {
  const float least = low.data().dptr<float>()[0], greatest = high.data().dptr<float>()[0];
  if (integers.dtype() == mshadow::kUint8) return greatest / 255;
  return std::max(std::abs(least), std::abs(greatest)) / 127;
}

// A map of integers as rows of channels.
template <typename Q>
ChannelMap<Q> in_rows(const NDArray& array) {
  const int64_t rows = array.shape()[1];
  return ChannelMap<Q>(array, rows, rows);
}

const TShape* quantized_shape(const ShapeVector& shapes, size_t index) {
  const TShape* x = map_shape(shapes, index);
  if (x) CHECK_EQ((*x)[1] % 16, 0) << "quantized attention takes multiples of 16 channels, got the shape " << *x;
  return x;
}

void set_scalars(ShapeVector* shapes, std::initializer_list<size_t> places) {
  for (size_t place : places) (*shapes)[place] = TShape({1});
}

// -------------------------------------------------------------------------------------------------------- pool

bool pool_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape* x = quantized_shape(*in, 0);
  if (!x) return false;
  set_scalars(in, {1, 2});
  *out = {matrix((*x)[0], (*x)[1]), matrix((*x)[0], (*x)[1])};
  return true;
}

bool pool_type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) {
  if ((*in)[0] < 0) return false;
  for (size_t i = 1; i < in->size(); ++i) (*in)[i] = mshadow::kFloat32;
  std::fill(out->begin(), out->end(), mshadow::kFloat32);
  return true;
}

void pool(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Target<float> mean(out, requests, 0), maximum(out, requests, 1);
  const float step = step_of(in[0], in[1], in[2]);
  if (in[0].dtype() == mshadow::kUint8) {
    quantized_kernels().pool_unsigned(in_rows<uint8_t>(in[0]).map(), step, mean.data(), maximum.data());
  } else {
    quantized_kernels().pool_signed(in_rows<int8_t>(in[0]).map(), step, mean.data(), maximum.data());
  }
  mean.finish();
  maximum.finish();
}

// -------------------------------------------------------------------------------------------------------- gate

bool gate_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape mean = (*in)[0], weight = (*in)[2];
  if (!mxnet::shape_is_known(mean) || !mxnet::shape_is_known(weight)) return false;
  CHECK(mean.ndim() == 2 && weight.ndim() == 2)
      << "a gate takes matrices, got the shapes " << mean << " and " << weight;
  set_shape(in, 1, mean);
  set_shape(in, 2, matrix(weight[0], mean[1]));
  set_shape(in, 3, TShape({weight[0]}));
  set_shape(in, 4, matrix(mean[1], weight[0]));
  set_shape(in, 5, TShape({mean[1]}));
  *out = {mean};
  return true;
}

bool gate_type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) {
  std::fill(in->begin(), in->end(), mshadow::kFloat32);
  *out = {mshadow::kFloat32};
  return true;
}

void gate(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Arrays keep;
  keep.reserve(in.size());
  std::vector<const float*> values;
  for (const NDArray& array : in) values.push_back(values_of<float>(array, &keep));
  const int64_t batch = in[0].shape()[0], hidden = in[2].shape()[0];
  std::vector<float> beside(batch * hidden);
  Target<float> target(out, requests, 0);
  const Mlp mlp = {values[2], values[3], values[4], values[5], in[0].shape()[1], hidden};
  quantized_kernels().gate(values[0], values[1], mlp, batch, beside.data(), target.data());
  target.finish();
}

// ------------------------------------------------------------------------------------------------ spatial gate

bool spatial_gate_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape *x = map_shape(*in, 0), *weight = map_shape(*in, 1);
  if (!x || !weight) return false;
  set_shape(in, 0, maps_shape(*x, 2));
  set_shape(in, 1, TShape({1, 2, (*weight)[2], (*weight)[2]}));
  set_scalars(in, {2, 3, 4, 5});
  *out = {maps_shape(*x, 1)};
  return true;
}

// The BatchNorm is that of inference, with MXNet's usual epsilon.
void spatial_gate(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  constexpr float kEpsilon = 1e-5f;
  Arrays keep;
  keep.reserve(in.size());
  std::vector<const float*> values;
  for (const NDArray& array : in) values.push_back(values_of<float>(array, &keep));
  const float factor = *values[2] / std::sqrt(*values[5] + kEpsilon);
  const TShape& shape = in[0].shape();
  const Stencil of = {values[1], factor, *values[3] - *values[4] * factor, shape[0], shape[2], shape[3],
                      in[1].shape()[2]};
  std::vector<float> beside(of.padded_size());
  Target<float> target(out, requests, 0);
  quantized_kernels().spatial_gate(values[0], of, beside.data(), target.data());
  target.finish();
}

// ---------------------------------------------------------------------------------------------------- describe

bool describe_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape* x = quantized_shape(*in, 0);
  if (!x) return false;
  set_scalars(in, {1, 2});
  set_shape(in, 3, matrix((*x)[0], (*x)[1]));
  *out = {maps_shape(*x, 2)};
  return true;
}

// The passes behind the first take signed integers: a map that is about to be gated has both signs.
bool is_signed(int type) {
  CHECK(type < 0 || type == mshadow::kInt8) << "quantized attention takes signed integers after pooling";
  return type >= 0;
}

bool describe_type(const NodeAttrs& attributes, std::vector<int>* in, std::vector<int>* out) {
  return is_signed((*in)[0]) && pool_type(attributes, in, out);
}

template <bool kMaximumFirst>
void describe(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Arrays keep;
  const float* gate = values_of<float>(in[3], &keep);
  const ChannelMap<int8_t> x = in_rows<int8_t>(in[0]);
  const int64_t positions = x.map().positions;
  Target<float> descriptors(out, requests, 0);
  float* first = descriptors.data();
  float* second = first + positions;
  quantized_kernels().describe(x.map(), step_of(in[0], in[1], in[2]), gate, kMaximumFirst ? first : second,
                               kMaximumFirst ? second : first, 2 * positions);
  descriptors.finish();
}

// ------------------------------------------------------------------------------------------------------- scale

bool scale_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape* x = quantized_shape(*in, 0);
  if (!x) return false;
  set_scalars(in, {1, 2, 6, 7, 8});
  set_shape(in, 3, matrix((*x)[0], (*x)[1]));
  set_shape(in, 4, maps_shape(*x, 1));
  set_shape(in, 5, *x);
  *out = {*x, TShape({1}), TShape({1})};
  return true;
}

bool scale_type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) {
  if (!is_signed((*in)[0]) || (*in)[5] < 0) return false;
  for (size_t i = 1; i < in->size(); ++i) (*in)[i] = i == 5 ? (*in)[i] : int(mshadow::kFloat32);
  *out = {mshadow::kUint8, mshadow::kFloat32, mshadow::kFloat32};
  return true;
}

void scale(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Arrays keep;
  keep.reserve(2);
  const float* channel = values_of<float>(in[3], &keep);
  const float* spatial = values_of<float>(in[4], &keep);
  const ChannelMap<int8_t> x = in_rows<int8_t>(in[0]);
  const float limit = in[8].data().dptr<float>()[0], step = step_of(in[0], in[1], in[2]);
  const float shortcut_step = step_of(in[5], in[6], in[7]);
  Target<float> low(out, requests, 1), high(out, requests, 2);
  *low.data() = 0;
  *high.data() = limit;
  uint8_t* y = laid_out<uint8_t>(out[0], dnnl_u8, x.map().block);
  if (in[5].dtype() == mshadow::kUint8) {
    const ChannelMap<uint8_t> shortcut = in_rows<uint8_t>(in[5]);
    quantized_kernels().scale_unsigned(x.map(), step, channel, spatial, shortcut.map().data, shortcut_step,
                                       limit / 255, y);
  } else {
    const ChannelMap<int8_t> shortcut = in_rows<int8_t>(in[5]);
    quantized_kernels().scale_signed(x.map(), step, channel, spatial, shortcut.map().data, shortcut_step, limit / 255,
                                     y);
  }
}

// MXNet wants a gradient of every operator in a graph, as of its own quantized ones: zeros.
void set_zero_gradient(nnvm::Op& op) {
  set_attribute<nnvm::FGradient>(op, "FGradient", [](const ObjectPtr& node, const std::vector<NodeEntry>&) {
    std::vector<NodeEntry> zeros;
    for (const NodeEntry& input : node->inputs) {
      zeros.emplace_back(backward_node("zeros_like", node, {input}), 0, 0);
    }
    return zeros;
  });
}

}  // namespace

void register_quantized() {
  const std::vector<std::string> x = {"data", "min_data", "max_data"};
  std::vector<std::string> described = x, scaled = x;
  described.push_back("gate");
  for (const char* name : {"channel", "spatial", "shortcut", "min_shortcut", "max_shortcut", "limit"}) {
    scaled.push_back(name);
  }
  const std::vector<std::string> pooled = {"mean", "maximum", "weight1", "bias1", "weight2", "bias2"};
  nnvm::Op* const operators[] = {
      &register_operator("_cbam_gate", pooled, 1, gate_shape, gate_type, gate, gate, {}),
      &register_operator("_cbam_spatial_gate", {"descriptors", "weight", "gamma", "beta", "mean", "variance"}, 1,
                         spatial_gate_shape, gate_type, spatial_gate, spatial_gate, {}),
      &register_operator("_cbam_quantized_pool", x, 2, pool_shape, pool_type, pool, pool, {}),
      &register_operator("_cbam_quantized_describe_gated_max_mean", described, 1, describe_shape, describe_type,
                         describe<true>, describe<true>, {}),
      &register_operator("_cbam_quantized_describe_gated_mean_max", described, 1, describe_shape, describe_type,
                         describe<false>, describe<false>, {}),
      &register_operator("_cbam_quantized_scale", scaled, 3, scale_shape, scale_type, scale, scale, {}),
  };
  for (nnvm::Op* op : operators) set_zero_gradient(*op);
}

}  // namespace cbam
