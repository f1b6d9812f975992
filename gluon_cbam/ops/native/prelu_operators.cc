// MXNet's LeakyReLU with act_type='prelu', in the layouts of oneDNN's convolutions.
//
//   _cbam_prelu(x, gamma) -> x where x > 0, x * gamma elsewhere
//
// x is (N, C, ...), gamma one value or C. At 0, as in MXNet, the gradient of x is that of a negative value. The
// gradient of gamma takes x, which does not follow from y where gamma is 0; so both are kept, as MXNet keeps them.
#include "registration.h"

namespace cbam {
namespace {

// Sets the shape of gamma, where it is not known, from that of x.
bool set_gamma(const TShape& x, TShape* gamma) {
  if (!mxnet::shape_is_known(x)) return false;
  CHECK_GE(x.ndim(), 2) << "PReLU takes an (N, C, ...) input, got the shape " << x;
  if (!mxnet::shape_is_known(*gamma)) *gamma = TShape({x[1]});
  CHECK(gamma->ndim() == 1 && ((*gamma)[0] == 1 || (*gamma)[0] == x[1]))
      << "PReLU takes one slope, or one a channel, with an input of the shape " << x << ", got the shape " << *gamma;
  return true;
}

bool shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  if (!mxnet::shape_is_known((*in)[0])) (*in)[0] = (*out)[0];
  if (!set_gamma((*in)[0], &(*in)[1])) return false;
  *out = {(*in)[0]};
  return true;
}

bool backward_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  if (!set_gamma((*in)[1], &(*in)[2])) return false;
  set_shape(in, 0, (*in)[1]);
  *out = {(*in)[1], (*in)[2]};
  return true;
}

bool type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) {
  return same_types(in, out, in->size(), out->size());
}

// The slopes, one per channel.
template <typename T>
std::vector<T> slopes(const NDArray& gamma, int64_t channels) {
  Arrays keep;
  const T* values = values_of<T>(gamma, &keep);
  return gamma.shape()[0] == channels ? std::vector<T>(values, values + channels) : std::vector<T>(channels, *values);
}

template <typename T>
void forward(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Maps<T> maps({in[0]}, need_plain(out, requests));
  const Map<const T> x = maps.get(0);
  MapTarget<T> y(maps, out, requests, 0);
  kernels<T>().prelu({x, slopes<T>(in[1], x.channels).data(), y.map()});
  y.finish();
}

// The partial sums (N, tiles, C) as a gradient of gamma, in one order for any number of threads.
template <typename T>
void add_to_gamma(const std::vector<T>& partial, const Map<const T>& x, size_t count, T* dgamma) {
  std::vector<T> samples(x.batch * x.channels), channels(x.channels);
  add_tiles(partial, x.batch, tiles_of(x.positions), x.channels, samples.data());
  add_tiles(samples, 1, x.batch, x.channels, channels.data());
  std::fill(dgamma, dgamma + count, T(0));
  for (int64_t c = 0; c < x.channels; ++c) dgamma[count == 1 ? 0 : c] += channels[c];
}

// inputs: gradient, x, gamma; outputs: gradients of the inputs
template <typename T>
void backward(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Maps<T> maps({in[1], in[0]}, need_plain({out[0]}, {requests[0]}));
  const Map<const T> x = maps.get(0), dy = maps.get(1);
  MapTarget<T> dx(maps, out, requests, wanted(requests, true, 0));
  Target<T> dgamma(out, requests, wanted(requests, true, 1));
  std::vector<T> partial(dgamma.data() ? x.batch * tiles_of(x.positions) * x.channels : 0);
  kernels<T>().prelu_backward(
      {x, slopes<T>(in[2], x.channels).data(), dy, dx.map().data, dgamma.data() ? partial.data() : nullptr});
  if (dgamma.data()) add_to_gamma(partial, x, in[2].shape()[0], dgamma.data());
  dx.finish();
  dgamma.finish();
}

}  // namespace

void register_prelu() {
  const std::string backward_name = "_backward_cbam_prelu";
  nnvm::Op& op =
      register_operator("_cbam_prelu", {"data", "gamma"}, 1, shape, type, forward<float>, forward<double>, {{0, 0}});
  set_gradient(op, backward_name, 2, [](const ObjectPtr& node, const std::vector<NodeEntry>& gradients) {
    return std::vector<NodeEntry>{gradients[0], node->inputs[0], node->inputs[1]};
  });
  register_backward(backward_name, 3, 2, backward_shape, type, backward<float>, backward<double>, {{0, 0}});
}

}  // namespace cbam
