// MXNet operators for the convolution of a spatial gate, which has so few channels that oneDNN's takes ten times as
// long:
//
//   _cbam_gate_convolution(data, weight)            -> convolution of the maps (N, C, H, W) to one (N, 1, H, W)
//   _cbam_gate_convolution_bias(data, weight, bias) -> the same with a bias (1)
//
// The weight is (1, C, k, k) with an odd k. The stride is 1, and zeros around the maps keep their size.
#include "registration.h"

namespace cbam {
namespace {

void check_weight(const TShape& x, const TShape& weight) {
  CHECK(weight.ndim() == 4 && weight[0] == 1 && weight[1] == x[1] && weight[2] == weight[3] && weight[2] % 2 == 1)
      << "the convolution of a gate takes a weight of the shape [1," << x[1] << ",k,k], k odd, with a map of the shape "
      << x << ", got " << weight;
}

template <bool kBias>
bool shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape* x = map_shape(*in, 0);
  if (!x || !mxnet::shape_is_known((*in)[1])) return false;
  check_weight(*x, (*in)[1]);
  if (kBias) set_shape(in, 2, TShape({1}));
  *out = {maps_shape(*x, 1)};
  return true;
}

// inputs: gradient, data, weight; outputs: gradients of data, weight[, bias]
bool backward_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape* x = map_shape(*in, 1);
  if (!x || !mxnet::shape_is_known((*in)[2])) return false;
  check_weight(*x, (*in)[2]);
  set_shape(in, 0, maps_shape(*x, 1));
  (*out)[0] = *x;
  (*out)[1] = (*in)[2];
  if (out->size() > 2) (*out)[2] = TShape({1});
  return true;
}

bool type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) {
  return same_types(in, out, in->size(), out->size());
}

PaddedPlane plane_of(const NDArray& maps, const NDArray& weight) {
  return {maps.shape()[2], maps.shape()[3], weight.shape()[2]};
}

template <typename T>
void run(GateConvolutionArgs<T> args) {
  args.workspace = workspace<T>(args.workspace_size());
  kernels<T>().gate_convolution(args);
}

template <typename T, bool kBias>
void forward(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Arrays keep;
  keep.reserve(3);
  const T *maps = values_of<T>(in[0], &keep), *weight = values_of<T>(in[1], &keep);
  const T* bias = kBias ? values_of<T>(in[2], &keep) : nullptr;
  const TShape& x = in[0].shape();
  Target<T> y(out, requests, 0);
  run<T>({maps, weight, bias, x[0], x[1], 1, plane_of(in[0], in[1]), nullptr, y.data()});
  y.finish();
}

// The gradient of the maps: the convolution of that of the output with the turned weight.
template <typename T>
void gradient_of_maps(const T* dy, const T* weight, const TShape& x, const PaddedPlane& plane, Target<T> dmaps) {
  const int64_t taps = plane.side * plane.side;
  std::vector<T> turned(weight, weight + x[1] * taps);
  for (int64_t c = 0; c < x[1]; ++c) std::reverse(turned.begin() + c * taps, turned.begin() + (c + 1) * taps);
  run<T>({dy, turned.data(), nullptr, x[0], 1, x[1], plane, nullptr, dmaps.data()});
  dmaps.finish();
}

// The gradients of the weight and of the bias, (C * k * k + 1).
template <typename T>
std::vector<T> gradients_of_parameters(const T* maps, const T* dy, const TShape& x, const PaddedPlane& plane) {
  GateConvolutionGradArgs<T> args = {maps, dy, x[0], x[1], plane, nullptr, nullptr};
  const int64_t size = args.sums_of_group(), lanes = kGateLanes<T>;
  std::vector<T> partial(args.groups() * size), sums(size), totals(size / lanes);
  args.workspace = workspace<T>(args.workspace_size());
  args.sums = partial.data();
  kernels<T>().gate_convolution_backward(args);
  add_tiles(partial, 1, args.groups(), size, sums.data());
  for (int64_t i = 0; i < size; ++i) totals[i / lanes] += sums[i];
  return totals;
}

template <typename T>
void write(const T* values, size_t count, Target<T> target) {
  std::copy(values, values + count, target.data());
  target.finish();
}

template <typename T, bool kBias>
void backward(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Arrays keep;
  keep.reserve(3);
  const T *dy = values_of<T>(in[0], &keep), *maps = values_of<T>(in[1], &keep), *weight = values_of<T>(in[2], &keep);
  const TShape& x = in[1].shape();
  const PaddedPlane plane = plane_of(in[1], in[2]);
  if (requests[0] != mxnet::kNullOp) gradient_of_maps<T>(dy, weight, x, plane, Target<T>(out, requests, 0));
  if (requests[1] == mxnet::kNullOp && (!kBias || requests[2] == mxnet::kNullOp)) return;
  const std::vector<T> found = gradients_of_parameters<T>(maps, dy, x, plane);
  write<T>(found.data(), found.size() - 1, Target<T>(out, requests, 1));
  if (kBias) write<T>(&found.back(), 1, Target<T>(out, requests, 2));
}

template <bool kBias>
void register_variant() {
  const std::string name = std::string("_cbam_gate_convolution") + (kBias ? "_bias" : ""), back = "_backward" + name;
  std::vector<std::string> inputs = {"data", "weight"};
  if (kBias) inputs.push_back("bias");
  nnvm::Op& op =
      register_operator(name, inputs, 1, shape<kBias>, type, forward<float, kBias>, forward<double, kBias>, {});
  set_gradient(op, back, inputs.size(), [](const ObjectPtr& node, const std::vector<NodeEntry>& gradients) {
    return std::vector<NodeEntry>{gradients[0], node->inputs[0], node->inputs[1]};
  });
  register_backward(back, 3, inputs.size(), backward_shape, type, backward<float, kBias>, backward<double, kBias>, {});
}

}  // namespace

void register_gate_convolution() {
  register_variant<false>();
  register_variant<true>();
}

}  // namespace cbam
