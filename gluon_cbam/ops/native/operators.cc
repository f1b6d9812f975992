// MXNet operators of the kernels. They take maps in the layouts that oneDNN's convolutions leave, so that nothing is
// reordered around the attention.
//
//   _cbam_pool(x)                         -> mean (N, C), maximum (N, C), x
//   _cbam_describe_*(x[, gate])           -> maximum and mean over channels (N, 2, H, W), x
//   _cbam_scale_*(x[, channel][, spatial][, shortcut]) -> x * channel * spatial + shortcut, with ReLU or not
//
// x comes out again, in place, for the next of them to take: its gradients then come back through one chain, each
// operator adding its own in place, where separate users of x would each write a map for MXNet to add up. Where it came
// from BatchNorm, it is not kept for that: normalization.h.
#include "normalization.h"

namespace cbam {
namespace {

// Hands a map on as an output, which is the input itself where MXNet plans so.
template <typename T>
void hand_on(const Maps<T>& maps, Map<const T> from, const NDArray& output, OpReqType request) {
  if (request == mxnet::kNullOp) return;
  const Map<T> to = maps.create(output);
  if (from.data == to.data) return;
  std::memcpy(to.data, from.data, from.batch * from.channels * from.positions * sizeof(T));
}

// -------------------------------------------------------------------------------------------------------- pool

bool pool_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape* x = map_shape(*in, 0);
  if (!x) return false;
  *out = {matrix((*x)[0], (*x)[1]), matrix((*x)[0], (*x)[1]), *x, matrix((*x)[0], (*x)[1])};
  return true;
}

bool pool_type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) { return same_types(in, out, 1, 3); }

template <typename T>
void pool(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Maps<T> maps({in[0]}, need_plain(out, requests));
  const Map<const T> x = maps.get(0);
  Target<T> mean(out, requests, 0), maximum(out, requests, 1);
  Target<int32_t> where(out, requests, wanted(requests, true, 3));
  kernels<T>().pool(x, mean.data(), maximum.data(), where.data());
  mean.finish();
  maximum.finish();
  hand_on(maps, x, out[2], requests[2]);
}

bool pool_backward_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape* dy = map_shape(*in, 2);
  if (!dy) return false;
  for (size_t index : {0, 1, 3}) set_shape(in, index, matrix((*dy)[0], (*dy)[1]));
  *out = {*dy};
  return true;
}

bool pool_backward_type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) {
  return same_types(in, out, 3, 1);
}

template <typename T>
void pool_backward(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Arrays keep;
  keep.reserve(2);
  const T* dmean = values_of<T>(in[0], &keep);
  const T* dmaximum = values_of<T>(in[1], &keep);
  const int32_t* where = in[3].data().dptr<int32_t>();
  Maps<T> maps({in[2]}, need_plain(out, requests));
  MapTarget<T> dx(maps, out, requests, 0);
  kernels<T>().pool_backward(maps.get(0), dmean, dmaximum, where, dx.map());
  dx.finish();
}

// ---------------------------------------------------------------------------------------------------- describe

template <bool kGated>
bool describe_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape* x = map_shape(*in, 0);
  if (!x) return false;
  if (kGated) set_shape(in, 1, matrix((*x)[0], (*x)[1]));
  *out = {maps_shape(*x, 2), *x, maps_shape(*x, 1)};
  return true;
}

template <bool kGated>
bool describe_type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) {
  return same_types(in, out, kGated ? 2 : 1, 2);
}

template <typename T, bool kGated, bool kMaximumFirst>
void describe(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Arrays keep;
  const T* gate = kGated ? values_of<T>(in[1], &keep) : nullptr;
  Maps<T> maps({in[0]}, need_plain(out, requests));
  const Map<const T> x = maps.get(0);
  Target<T> descriptors(out, requests, 0);
  Target<int32_t> where(out, requests, wanted(requests, true, 2));
  T* first = descriptors.data();
  T* second = first + x.positions;
  kernels<T>().describe(x, gate, kMaximumFirst ? first : second, kMaximumFirst ? second : first, 2 * x.positions,
                        where.data());
  descriptors.finish();
  hand_on(maps, x, out[1], requests[1]);
}

// inputs: gradients of the descriptors and of x as it came out[, gate, x[, of the norm]], where the maximum was
constexpr size_t kNormAt = 4;

template <bool kGated>
bool describe_backward_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape* dy = map_shape(*in, 1);
  if (!dy) return false;
  set_shape(in, 0, maps_shape(*dy, 2));
  set_shape(in, in->size() - 1, maps_shape(*dy, 1));
  *out = {*dy};
  if (!kGated) return true;
  const TShape gate = matrix((*dy)[0], (*dy)[1]);
  set_shape(in, 2, gate);
  set_shape(in, 3, *dy);
  if (in->size() > kNormAt + 1) set_norm_shapes(in, kNormAt, (*dy)[1]);
  out->push_back(gate);
  return true;
}

bool describe_backward_type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) {
  return same_types(in, out, in->size() - 1, out->size());
}

template <typename T, bool kGated, bool kMaximumFirst>
void describe_backward(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Arrays keep;
  const T* descriptors = values_of<T>(in[0], &keep);
  const T* gate = kGated ? values_of<T>(in[2], &keep) : nullptr;
  const int32_t* where = in.back().data().dptr<int32_t>();
  Maps<T> maps(kGated ? Arrays{in[3], in[1]} : Arrays{in[1]}, need_plain(out, requests));
  const Map<const T> map = maps.get(0), dy = maps.get(kGated);
  const NormValues<T> of_map(in, kNormAt, in.size() > kNormAt + 1, map.channels);
  const T* dmaximum = descriptors + (kMaximumFirst ? 0 : map.positions);
  const T* dmean = descriptors + (kMaximumFirst ? map.positions : 0);
  const int64_t tiles = tiles_of(map.positions);
  std::vector<T> partial(kGated ? map.batch * tiles * map.channels : 0);
  MapTarget<T> dx(maps, out, requests, 0);
  kernels<T>().describe_backward(map, of_map.get(), gate, dmaximum, dmean, 2 * map.positions, where, dy, dx.map(),
                                 kGated ? partial.data() : nullptr);
  dx.finish();
  if (!kGated) return;
  Target<T> dgate(out, requests, 1);
  add_tiles(partial, map.batch, tiles, map.channels, dgate.data());
  dgate.finish();
}

// ------------------------------------------------------------------------------------------------------- scale

// What a variant of scale takes beside x, in this order.
template <bool kHasChannel, bool kHasSpatial, bool kHasShortcut, bool kHasRelu>
struct Scale {
  static constexpr bool kChannel = kHasChannel, kSpatial = kHasSpatial, kShortcut = kHasShortcut, kRelu = kHasRelu;
  static constexpr size_t kSpatialAt = kChannel ? 2 : 1, kShortcutAt = kSpatialAt + kSpatial;
  static constexpr size_t kInputs = kShortcutAt + kShortcut;

  static bool shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
    const TShape* x = map_shape(*in, 0);
    if (!x) return false;
    if (kChannel) set_shape(in, 1, matrix((*x)[0], (*x)[1]));
    if (kSpatial) set_shape(in, kSpatialAt, maps_shape(*x, 1));
    if (kShortcut) set_shape(in, kShortcutAt, *x);
    *out = {*x};
    return true;
  }

  static bool type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) {
    return same_types(in, out, in->size(), out->size());
  }

  template <typename T>
  static void forward(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
    Arrays keep, read = {in[0]};
    keep.reserve(2);
    const T* channel = kChannel ? values_of<T>(in[1], &keep) : nullptr;
    const T* spatial = kSpatial ? values_of<T>(in[kSpatialAt], &keep) : nullptr;
    if (kShortcut) read.push_back(in[kShortcutAt]);
    Maps<T> maps(read, need_plain(out, requests));
    const T* shortcut = kShortcut ? maps.get(kShortcut).data : nullptr;
    MapTarget<T> y(maps, out, requests, 0);
    kernels<T>().scale(maps.get(0), channel, spatial, shortcut, kRelu, y.map());
    y.finish();
  }

  // inputs: gradient, x[, channel][, spatial][, y][, of the norm]; outputs: gradients of the inputs
  static constexpr size_t kOutputAt = kInputs + 1 - kShortcut, kNormAt = kOutputAt + kRelu;

  static bool backward_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
    const TShape* x = map_shape(*in, 1);
    if (!x) return false;
    set_shape(in, 0, *x);
    if (in->size() > kNormAt) set_norm_shapes(in, kNormAt, (*x)[1]);
    *out = {*x};
    if (kChannel) out->push_back(matrix((*x)[0], (*x)[1]));
    if (kSpatial) out->push_back(maps_shape(*x, 1));
    if (kShortcut) out->push_back(*x);
    return true;
  }

  template <typename T>
  static void backward(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
    Arrays keep, read = {in[1], in[0]};
    keep.reserve(2);
    const T* channel = kChannel ? values_of<T>(in[2], &keep) : nullptr;
    const T* spatial = kSpatial ? values_of<T>(in[kSpatialAt + 1], &keep) : nullptr;
    if (kRelu) read.push_back(in[kOutputAt]);
    Maps<T> maps(read, need_plain(out, requests));
    const Map<const T> map = maps.get(0), dy = maps.get(1);
    const NormValues<T> of_map(in, kNormAt, in.size() > kNormAt, map.channels);
    const T* y = kRelu ? maps.get(1 + kRelu).data : nullptr;
    MapTarget<T> dx(maps, out, requests, wanted(requests, true, 0));
    MapTarget<T> dshortcut(maps, out, requests, wanted(requests, kShortcut, kShortcutAt));
    Target<T> dspatial(out, requests, wanted(requests, kSpatial, kSpatialAt));
    Target<T> dchannel(out, requests, wanted(requests, kChannel, 1));
    const int64_t tiles = tiles_of(map.positions);
    std::vector<T> partial(dchannel.data() ? map.batch * tiles * map.channels : 0);
    kernels<T>().scale_backward(map, of_map.get(), channel, spatial, y, dy, dx.map().data, dspatial.data(),
                                dchannel.data() ? partial.data() : nullptr, dshortcut.map().data);
    if (dchannel.data()) add_tiles(partial, map.batch, tiles, map.channels, dchannel.data());
    dx.finish();
    dshortcut.finish();
    dspatial.finish();
    dchannel.finish();
  }

  static std::vector<NodeEntry> backward_inputs(const ObjectPtr& node, const std::vector<NodeEntry>& gradients) {
    const Kept x(node->inputs[0], node->inputs[0]);
    std::vector<NodeEntry> inputs = {gradients[0], x.map};
    inputs.insert(inputs.end(), node->inputs.begin() + 1, node->inputs.begin() + kShortcutAt);
    if (kRelu) inputs.emplace_back(node, 0, 0);
    inputs.insert(inputs.end(), x.norm.begin(), x.norm.end());
    return inputs;
  }

  static std::string name() {
    return std::string("_cbam_scale") + (kChannel ? "_channel" : "") + (kSpatial ? "_spatial" : "") +
           (kShortcut ? "_add" : "") + (kRelu ? "_relu" : "");
  }
};

// -------------------------------------------------------------------------------------------------- registering

void hide_last_output(nnvm::Op& op, uint32_t visible) {
  set_attribute<nnvm::FNumVisibleOutputs>(op, "FNumVisibleOutputs", [visible](const NodeAttrs&) { return visible; });
}

// The operator that takes x, and its form kOfNorm.
void register_both(const std::string& name, size_t inputs, size_t outputs, InferShape shape, InferType type,
                   Pass single, Pass twice, Pairs in_place) {
  register_backward(name, inputs, outputs, shape, type, single, twice, in_place);
  register_backward(name + kOfNorm, inputs + kNormInputs, outputs, shape, type, single, twice, in_place);
}

void register_pool() {
  const std::string backward = "_backward_cbam_pool";
  nnvm::Op& op = register_operator("_cbam_pool", {"data"}, 4, pool_shape, pool_type, pool<float>, pool<double>,
                                   {{0, 2}});
  hide_last_output(op, 3);
  set_gradient(op, backward, 1, [](const ObjectPtr& node, const std::vector<NodeEntry>& gradients) {
    return std::vector<NodeEntry>{gradients[0], gradients[1], gradients[2], NodeEntry(node, 3, 0)};
  });
  register_backward(backward, 4, 1, pool_backward_shape, pool_backward_type, pool_backward<float>,
                    pool_backward<double>, {{2, 0}});
}

template <bool kGated, bool kMaximumFirst>
void register_describe() {
  const std::string name = std::string("_cbam_describe") + (kGated ? "_gated" : "") +
                           (kMaximumFirst ? "_max_mean" : "_mean_max");
  const std::string backward = "_backward" + name;
  nnvm::Op& op = register_operator(
      name, kGated ? std::vector<std::string>{"data", "gate"} : std::vector<std::string>{"data"}, 3,
      describe_shape<kGated>, describe_type<kGated>, describe<float, kGated, kMaximumFirst>,
      describe<double, kGated, kMaximumFirst>, {{0, 1}});
  hide_last_output(op, 2);
  set_gradient(op, backward, kGated ? 2 : 1, [](const ObjectPtr& node, const std::vector<NodeEntry>& gradients) {
    std::vector<NodeEntry> inputs = {gradients[0], gradients[1]};
    if (kGated) {
      const Kept x(node->inputs[0], NodeEntry(node, 1, 0));  // x came in place
      inputs.insert(inputs.end(), {node->inputs[1], x.map});
      inputs.insert(inputs.end(), x.norm.begin(), x.norm.end());
    }
    inputs.emplace_back(node, 2, 0);
    return inputs;
  });
  (kGated ? register_both : register_backward)(
      backward, kGated ? kNormAt + 1 : 3, kGated ? 2 : 1, describe_backward_shape<kGated>, describe_backward_type,
      describe_backward<float, kGated, kMaximumFirst>, describe_backward<double, kGated, kMaximumFirst>, {{1, 0}});
}

template <typename Variant>
void register_scale() {
  const std::string backward = "_backward" + Variant::name();
  std::vector<std::string> inputs = {"data"};
  if (Variant::kChannel) inputs.push_back("channel");
  if (Variant::kSpatial) inputs.push_back("spatial");
  if (Variant::kShortcut) inputs.push_back("shortcut");
  nnvm::Op& op = register_operator(Variant::name(), inputs, 1, Variant::shape, Variant::type,
                                   Variant::template forward<float>, Variant::template forward<double>, {{0, 0}});
  set_gradient(op, backward, Variant::kInputs, Variant::backward_inputs);
  register_both(backward, Variant::kNormAt, Variant::kInputs, Variant::backward_shape, Variant::type,
                Variant::template backward<float>, Variant::template backward<double>,
                {{0, Variant::kShortcut ? int(Variant::kShortcutAt) : 0}});
}

template <bool kChannel, bool kSpatial>
void register_scales() {
  register_scale<Scale<kChannel, kSpatial, false, false>>();
  register_scale<Scale<kChannel, kSpatial, false, true>>();
  register_scale<Scale<kChannel, kSpatial, true, false>>();
  register_scale<Scale<kChannel, kSpatial, true, true>>();
}

}  // namespace
}  // namespace cbam

extern "C" {

// Adds the operators to MXNet's; once, however often it is called, since MXNet ends a process that adds one again.
void cbam_register() {
  static bool done = false;
  if (done) return;
  done = true;
  cbam::register_pool();
  cbam::register_describe<true, true>();
  cbam::register_describe<true, false>();
  cbam::register_describe<false, true>();
  cbam::register_describe<false, false>();
  cbam::register_scales<true, false>();
  cbam::register_scales<false, true>();
  cbam::register_scales<true, true>();
  cbam::register_prelu();
  cbam::register_quantized();
  cbam::register_convolution();
}

// The name of the instruction set in use.
const char* cbam_instructions() { return cbam::instructions(); }
}
