// MXNet operators for attention in int8 networks. As with MXNet's quantized convolutions, a quantized tensor is int8 or
// uint8 with the minimum and the maximum of the real values that it represents.
//
//   _cbam_channel_gate(mean, maximum, weight1, bias1, weight2, bias2)  -> channel gate (N, C), float
//   _cbam_spatial_gate(maps, weight, gamma, beta, mean, variance)      -> spatial gate (N, 1, H, W), float
//   _cbam_quantized_global_pool(x, min, max)                           -> mean (N, C), maximum (N, C)
//   _cbam_quantized_channel_pool_*(x, min, max, gate)                  -> maximum and mean (N, 2, H, W)
//   _cbam_quantized_scale(x, min, max, channel, spatial, shortcut, min, max, limit)
//                                                                      -> uint8 tensor, min, max
//
// The last is relu(x * channel * spatial + shortcut), quantized to the range from 0 to `limit`.
#include "registration.h"

namespace cbam {
namespace {

// The difference between the real values of successive integers.
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

// ------------------------------------------------------------------------------------------------- global pool

bool global_pool_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape* x = quantized_shape(*in, 0);
  if (!x) return false;
  set_scalars(in, {1, 2});
  *out = {matrix((*x)[0], (*x)[1]), matrix((*x)[0], (*x)[1])};
  return true;
}

bool global_pool_type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) {
  if ((*in)[0] < 0) return false;
  for (size_t i = 1; i < in->size(); ++i) (*in)[i] = mshadow::kFloat32;
  std::fill(out->begin(), out->end(), mshadow::kFloat32);
  return true;
}

void global_pool(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Target<float> mean(out, requests, 0), maximum(out, requests, 1);
  const float step = step_of(in[0], in[1], in[2]);
  if (in[0].dtype() == mshadow::kUint8) {
    const ChannelMap<uint8_t> x = in_rows<uint8_t>(in[0]);
    selected_kernels().inference.global_pool_uint8({x.map(), step, mean.data(), maximum.data()});
  } else {
    const ChannelMap<int8_t> x = in_rows<int8_t>(in[0]);
    selected_kernels().inference.global_pool_int8({x.map(), step, mean.data(), maximum.data()});
  }
  mean.finish();
  maximum.finish();
}

// ------------------------------------------------------------------------------------------------ channel gate

bool channel_gate_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
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

void channel_gate(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Arrays keep;
  keep.reserve(in.size());
  std::vector<const float*> values;
  for (const NDArray& array : in) values.push_back(values_of<float>(array, &keep));
  const int64_t batch = in[0].shape()[0], hidden = in[2].shape()[0];
  std::vector<float> workspace(batch * hidden);
  Target<float> target(out, requests, 0);
  selected_kernels().inference.channel_gate({values[0], values[1], values[2], values[3], values[4], values[5], batch,
                                             in[0].shape()[1], hidden, workspace.data(), target.data()});
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

// BatchNorm is in inference mode, with MXNet's default epsilon.
void spatial_gate(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  constexpr float kEpsilon = 1e-5f;
  Arrays keep;
  keep.reserve(in.size());
  std::vector<const float*> values;
  for (const NDArray& array : in) values.push_back(values_of<float>(array, &keep));
  const float factor = *values[2] / std::sqrt(*values[5] + kEpsilon);
  const TShape& shape = in[0].shape();
  Target<float> target(out, requests, 0);
  GateConvolutionArgs<float> a = {};
  a.maps = values[0];
  a.weight = values[1];
  a.batch = shape[0];
  a.inputs = shape[1];
  a.outputs = 1;
  a.plane = {shape[2], shape[3], in[1].shape()[2]};
  a.workspace = workspace<float>(a.workspace_size());
  a.y = target.data();
  kernels<float>().gate_convolution(a);
  const float shift = *values[3] - *values[4] * factor;
  selected_kernels().inference.spatial_gate({factor, shift, int64_t(out[0].shape().Size()), target.data()});
  target.finish();
}

// ------------------------------------------------------------------------------------------------ channel pool

bool channel_pool_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape* x = quantized_shape(*in, 0);
  if (!x) return false;
  set_scalars(in, {1, 2});
  set_shape(in, 3, matrix((*x)[0], (*x)[1]));
  *out = {maps_shape(*x, 2)};
  return true;
}

// The operators after pooling take signed integers, since a map before its gates has values of both signs.
bool is_signed(int type) {
  CHECK(type < 0 || type == mshadow::kInt8) << "quantized attention takes signed integers after pooling";
  return type >= 0;
}

bool channel_pool_type(const NodeAttrs& attributes, std::vector<int>* in, std::vector<int>* out) {
  return is_signed((*in)[0]) && global_pool_type(attributes, in, out);
}

template <bool kMaximumFirst>
void channel_pool(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Arrays keep;
  const float* gate = values_of<float>(in[3], &keep);
  const ChannelMap<int8_t> x = in_rows<int8_t>(in[0]);
  const int64_t positions = x.map().positions;
  Target<float> statistics(out, requests, 0);
  float* first = statistics.data();
  float* second = first + positions;
  selected_kernels().inference.channel_pool_int8({x.map(), step_of(in[0], in[1], in[2]), gate,
                                                  kMaximumFirst ? first : second, kMaximumFirst ? second : first,
                                                  2 * positions});
  statistics.finish();
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
  uint8_t* y = set_layout<uint8_t>(out[0], dnnl_u8, x.map().block);
  if (in[5].dtype() == mshadow::kUint8) {
    const ChannelMap<uint8_t> shortcut = in_rows<uint8_t>(in[5]);
    selected_kernels().inference.scale_uint8(
        {x.map(), step, channel, spatial, shortcut.map().data, shortcut_step, y, limit / 255});
  } else {
    const ChannelMap<int8_t> shortcut = in_rows<int8_t>(in[5]);
    selected_kernels().inference.scale_int8(
        {x.map(), step, channel, spatial, shortcut.map().data, shortcut_step, y, limit / 255});
  }
}

}  // namespace

void register_quantized() {
  const std::vector<std::string> map = {"data", "min_data", "max_data"};
  std::vector<std::string> gated = map, scaled = map;
  gated.push_back("gate");
  for (const char* name : {"channel", "spatial", "shortcut", "min_shortcut", "max_shortcut", "limit"}) {
    scaled.push_back(name);
  }
  const std::vector<std::string> pooled = {"mean", "maximum", "weight1", "bias1", "weight2", "bias2"};
  const std::vector<std::string> maps = {"maps", "weight", "gamma", "beta", "mean", "variance"};
  const auto add = [](const std::string& name, const std::string& former, const std::vector<std::string>& inputs,
                      size_t outputs, InferShape shape, InferType type, Compute compute) {
    nnvm::Op& op = register_operator(name, inputs, outputs, shape, type, compute, compute, {});
    if (former != name) add_former_name(op, former);
    set_zero_gradient(op);
  };
  add("_cbam_channel_gate", "_cbam_gate", pooled, 1, channel_gate_shape, gate_type, channel_gate);
  add("_cbam_spatial_gate", "_cbam_spatial_gate", maps, 1, spatial_gate_shape, gate_type, spatial_gate);
  add("_cbam_quantized_global_pool", "_cbam_quantized_pool", map, 2, global_pool_shape, global_pool_type, global_pool);
  add("_cbam_quantized_channel_pool_gated_max_mean", "_cbam_quantized_describe_gated_max_mean", gated, 1,
      channel_pool_shape, channel_pool_type, channel_pool<true>);
  add("_cbam_quantized_channel_pool_gated_mean_max", "_cbam_quantized_describe_gated_mean_max", gated, 1,
      channel_pool_shape, channel_pool_type, channel_pool<false>);
  add("_cbam_quantized_scale", "_cbam_quantized_scale", scaled, 3, scale_shape, scale_type, scale);
}

}  // namespace cbam
