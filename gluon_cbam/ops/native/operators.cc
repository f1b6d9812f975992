// MXNet operators of the kernels. They take maps in the layouts of oneDNN's convolutions, so that nothing is reordered
// before and after the attention.
//
//   _cbam_global_pool(x)                 -> mean (N, C), maximum (N, C), x
//   _cbam_channel_pool_*(x[, gate])      -> maximum and mean over the channels (N, 2, H, W), x
//   _cbam_scale_*(x[, channel][, spatial][, shortcut]) -> x * channel * spatial + shortcut, with ReLU or not
//
// x is returned, in place, as the input of the next operator: the gradients of x are then accumulated in one chain, in
// which each operator adds its own in place; otherwise each would write a map, and MXNet would add these. Where x is an
// output of BatchNorm, it is not kept for the backward pass, see normalization.h.
#include <mxnet/c_api.h>
#include <unistd.h>

#include <chrono>

#include "normalization.h"

namespace cbam {
namespace {

// Returns a map as an output, which shares the memory of the input where MXNet plans it so.
template <typename T>
void return_map(const Maps<T>& maps, Map<const T> from, const NDArray& output, OpReqType request) {
  if (request == mxnet::kNullOp) return;
  const Map<T> to = maps.create(output);
  if (from.data == to.data) return;
  std::memcpy(to.data, from.data, from.batch * from.channels * from.positions * sizeof(T));
}

// ------------------------------------------------------------------------------------------------- global pool

bool global_pool_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape* x = map_shape(*in, 0);
  if (!x) return false;
  *out = {matrix((*x)[0], (*x)[1]), matrix((*x)[0], (*x)[1]), *x, matrix((*x)[0], (*x)[1])};
  return true;
}

bool global_pool_type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) {
  return same_types(in, out, 1, 3);
}

template <typename T>
void global_pool(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Maps<T> maps({in[0]}, need_plain(out, requests));
  const Map<const T> x = maps.get(0);
  Target<T> mean(out, requests, 0), maximum(out, requests, 1);
  Target<int32_t> argmax(out, requests, wanted(requests, true, 3));
  kernels<T>().global_pool({x, mean.data(), maximum.data(), argmax.data()});
  mean.finish();
  maximum.finish();
  return_map(maps, x, out[2], requests[2]);
}

bool global_pool_backward_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape* dy = map_shape(*in, 2);
  if (!dy) return false;
  for (size_t index : {0, 1, 3}) set_shape(in, index, matrix((*dy)[0], (*dy)[1]));
  *out = {*dy};
  return true;
}

bool global_pool_backward_type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) {
  return same_types(in, out, 3, 1);
}

template <typename T>
void global_pool_backward(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Arrays keep;
  keep.reserve(2);
  const T* dmean = values_of<T>(in[0], &keep);
  const T* dmaximum = values_of<T>(in[1], &keep);
  const int32_t* argmax = in[3].data().dptr<int32_t>();
  Maps<T> maps({in[2]}, need_plain(out, requests));
  MapTarget<T> dx(maps, out, requests, 0);
  kernels<T>().global_pool_backward({maps.get(0), dmean, dmaximum, argmax, dx.map()});
  dx.finish();
}

// ------------------------------------------------------------------------------------------------ channel pool

template <bool kGated>
bool channel_pool_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape* x = map_shape(*in, 0);
  if (!x) return false;
  if (kGated) set_shape(in, 1, matrix((*x)[0], (*x)[1]));
  *out = {maps_shape(*x, 2), *x, maps_shape(*x, 1)};
  return true;
}

template <bool kGated>
bool channel_pool_type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) {
  return same_types(in, out, kGated ? 2 : 1, 2);
}

template <typename T, bool kGated, bool kMaximumFirst>
void channel_pool(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Arrays keep;
  const T* gate = kGated ? values_of<T>(in[1], &keep) : nullptr;
  Maps<T> maps({in[0]}, need_plain(out, requests));
  const Map<const T> x = maps.get(0);
  Target<T> statistics(out, requests, 0);
  Target<int32_t> argmax(out, requests, wanted(requests, true, 2));
  T* first = statistics.data();
  T* second = first + x.positions;
  kernels<T>().channel_pool(
      {x, gate, kMaximumFirst ? first : second, kMaximumFirst ? second : first, 2 * x.positions, argmax.data()});
  statistics.finish();
  return_map(maps, x, out[1], requests[1]);
}

// inputs: gradients of the statistics and of x as it was returned[, gate, x[, of BatchNorm]], argmax
constexpr size_t kNormAt = 4;

template <bool kGated>
bool channel_pool_backward_shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
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

bool channel_pool_backward_type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) {
  return same_types(in, out, in->size() - 1, out->size());
}

template <typename T, bool kGated, bool kMaximumFirst>
void channel_pool_backward(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Arrays keep;
  const T* statistics = values_of<T>(in[0], &keep);
  const T* gate = kGated ? values_of<T>(in[2], &keep) : nullptr;
  const int32_t* argmax = in.back().data().dptr<int32_t>();
  Maps<T> maps(kGated ? Arrays{in[3], in[1]} : Arrays{in[1]}, need_plain(out, requests));
  const Map<const T> map = maps.get(0), dy = maps.get(kGated);
  const NormValues<T> norm(in, kNormAt, in.size() > kNormAt + 1, map.channels);
  const T* dmaximum = statistics + (kMaximumFirst ? 0 : map.positions);
  const T* dmean = statistics + (kMaximumFirst ? map.positions : 0);
  const int64_t tiles = tiles_of(map.positions);
  std::vector<T> partial(kGated ? map.batch * tiles * map.channels : 0);
  MapTarget<T> dx(maps, out, requests, 0);
  kernels<T>().channel_pool_backward({map, norm.get(), gate, dmaximum, dmean, 2 * map.positions, argmax, dy, dx.map(),
                                      kGated ? partial.data() : nullptr});
  dx.finish();
  if (!kGated) return;
  Target<T> dgate(out, requests, 1);
  add_tiles(partial, map.batch, tiles, map.channels, dgate.data());
  dgate.finish();
}

// ------------------------------------------------------------------------------------------------------- scale

// A variant of scale; the parameters are the inputs after x, in this order, and ReLU.
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
    kernels<T>().scale({maps.get(0), channel, spatial, shortcut, kRelu, y.map()});
    y.finish();
  }

  // inputs: gradient, x[, channel][, spatial][, y][, of BatchNorm]; outputs: gradients of the inputs
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
    const NormValues<T> norm(in, kNormAt, in.size() > kNormAt, map.channels);
    const T* y = kRelu ? maps.get(1 + kRelu).data : nullptr;
    MapTarget<T> dx(maps, out, requests, wanted(requests, true, 0));
    MapTarget<T> dshortcut(maps, out, requests, wanted(requests, kShortcut, kShortcutAt));
    Target<T> dspatial(out, requests, wanted(requests, kSpatial, kSpatialAt));
    Target<T> dchannel(out, requests, wanted(requests, kChannel, 1));
    const int64_t tiles = tiles_of(map.positions);
    std::vector<T> partial(dchannel.data() ? map.batch * tiles * map.channels : 0);
    kernels<T>().scale_backward({map, norm.get(), channel, spatial, y, dy, dx.map().data, dspatial.data(),
                                 dchannel.data() ? partial.data() : nullptr, dshortcut.map().data});
    if (dchannel.data()) add_tiles(partial, map.batch, tiles, map.channels, dchannel.data());
    dx.finish();
    dshortcut.finish();
    dspatial.finish();
    dchannel.finish();
  }

  static std::vector<NodeEntry> backward_inputs(const ObjectPtr& node, const std::vector<NodeEntry>& gradients) {
    const SavedMap x(node->inputs[0], node->inputs[0]);
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

// The operator that takes x, and its variant kOfNorm.
void register_both(const std::string& name, size_t inputs, size_t outputs, InferShape shape, InferType type,
                   Compute f32, Compute f64, Pairs in_place) {
  register_backward(name, inputs, outputs, shape, type, f32, f64, in_place);
  register_backward(name + kOfNorm, inputs + kNormInputs, outputs, shape, type, f32, f64, in_place);
}

void register_global_pool() {
  const std::string backward = "_backward_cbam_global_pool";
  nnvm::Op& op = register_operator("_cbam_global_pool", {"data"}, 4, global_pool_shape, global_pool_type,
                                   global_pool<float>, global_pool<double>, {{0, 2}});
  add_former_name(op, "_cbam_pool");
  hide_last_output(op, 3);
  set_gradient(op, backward, 1, [](const ObjectPtr& node, const std::vector<NodeEntry>& gradients) {
    return std::vector<NodeEntry>{gradients[0], gradients[1], gradients[2], NodeEntry(node, 3, 0)};
  });
  register_backward(backward, 4, 1, global_pool_backward_shape, global_pool_backward_type, global_pool_backward<float>,
                    global_pool_backward<double>, {{2, 0}});
}

template <bool kGated, bool kMaximumFirst>
void register_channel_pool() {
  const std::string variant = std::string(kGated ? "_gated" : "") + (kMaximumFirst ? "_max_mean" : "_mean_max");
  const std::string name = "_cbam_channel_pool" + variant, backward = "_backward" + name;
  std::vector<std::string> inputs = {"data"};
  if (kGated) inputs.push_back("gate");
  nnvm::Op& op = register_operator(name, inputs, 3, channel_pool_shape<kGated>, channel_pool_type<kGated>,
                                   channel_pool<float, kGated, kMaximumFirst>,
                                   channel_pool<double, kGated, kMaximumFirst>, {{0, 1}});
  add_former_name(op, "_cbam_describe" + variant);
  hide_last_output(op, 2);
  set_gradient(op, backward, kGated ? 2 : 1, [](const ObjectPtr& node, const std::vector<NodeEntry>& gradients) {
    std::vector<NodeEntry> inputs = {gradients[0], gradients[1]};
    if (kGated) {
      const SavedMap x(node->inputs[0], NodeEntry(node, 1, 0));  // x was returned in place
      inputs.insert(inputs.end(), {node->inputs[1], x.map});
      inputs.insert(inputs.end(), x.norm.begin(), x.norm.end());
    }
    inputs.emplace_back(node, 2, 0);
    return inputs;
  });
  (kGated ? register_both : register_backward)(backward, kGated ? kNormAt + 1 : 3, kGated ? 2 : 1,
                                               channel_pool_backward_shape<kGated>, channel_pool_backward_type,
                                               channel_pool_backward<float, kGated, kMaximumFirst>,
                                               channel_pool_backward<double, kGated, kMaximumFirst>, {{1, 0}});
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

// Waits until MXNet runs no operator; false where it takes longer than this.
bool is_idle_within(int milliseconds) {
  const auto idle = std::make_shared<std::atomic<bool>>(false);
  std::thread([idle] {
    MXNDArrayWaitAll();
    *idle = true;
  }).detach();
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  while (!*idle && std::chrono::steady_clock::now() < end) usleep(50);
  return *idle;
}

}  // namespace
}  // namespace cbam

extern "C" {

// Adds the operators to MXNet's once no operator runs; 0 where some still run after the given time. Further calls do
// nothing, since MXNet aborts a process that adds an operator again.
//
// A bug of MXNet 1.9.1: for each operator that it runs, it copies the table of TIsMKLDNN without a lock. One that is
// added meanwhile is written behind the copy, into another object of the heap. The caller has to keep other threads
// from starting operators.
int cbam_register(int milliseconds) {
  static bool done = false;
  if (done) return 1;
  if (!cbam::is_idle_within(milliseconds)) return 0;
  done = true;
  cbam::register_global_pool();
  cbam::register_channel_pool<true, true>();
  cbam::register_channel_pool<true, false>();
  cbam::register_channel_pool<false, true>();
  cbam::register_channel_pool<false, false>();
  cbam::register_scales<true, false>();
  cbam::register_scales<false, true>();
  cbam::register_scales<true, true>();
  cbam::register_prelu();
  cbam::register_gate_convolution();
  cbam::register_optimizer();
  cbam::register_quantized();
  cbam::register_convolution();
  cbam::register_fused_convolution();
  return 1;
}

// The name of the instruction set in use.
const char* cbam_instructions() { return cbam::selected_kernels().name; }
}
