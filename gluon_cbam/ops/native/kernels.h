// The fused ops of attention over feature maps, and PReLU, for float and double, in one variant for each instruction
// set.
//
// A map is (N, C / B, H * W, B): B = 1 is MXNet's own (N, C, H, W); B = 8, 16 and C, which is (N, H, W, C), are the
// layouts of oneDNN's convolutions. Channels fill their blocks. No kernel allocates; all are parallel over OpenMP's
// default threads, and their results do not depend on the number of threads.
#pragma once

#include <cstdint>

namespace cbam {

// A feature map; Value may be const.
template <typename Value>
struct Map {
  Value* data;
  int64_t batch, channels, positions;
  int block;

  int64_t blocks() const { return channels / block; }
  Value* at(int64_t sample, int64_t channel_block) const {
    return data + (sample * blocks() + channel_block) * positions * block;
  }
};

// Minimum parallel sizes: waking a second thread between MXNet's operators takes about 40 microseconds, and one thread
// does this much in that time.
constexpr int64_t kMinParallelValues = 1 << 17;      // floats of a map
constexpr int64_t kMinParallelInt8Values = 1 << 20;  // int8 or uint8 values of a map
constexpr int64_t kMinParallelProducts = 1 << 18;    // products of a matrix with vectors
constexpr int64_t kMinParallelPositions = 1 << 14;   // positions of a k x k convolution of two maps

template <typename Value>
inline bool is_parallel(Map<Value> map, int64_t min_size = kMinParallelValues) {
  return map.batch * map.channels * map.positions > min_size;
}

// Positions of a map are processed in tiles of this many.
constexpr int64_t kTile = 64;

inline int64_t tiles_of(int64_t positions) { return (positions + kTile - 1) / kTile; }

// x from the map that is stored in its place: x = (map - mean) * factor + offset; the three vectors are (C).
template <typename T>
struct Normalization {
  const T *mean, *factor, *offset;
};

// In the comments below, n is a sample, c a channel, p a position, and the prefix d denotes a gradient.

// mean[n, c] = sum over p of x[n, c, p] / positions, maximum[n, c] = max over p of x[n, c, p]
template <typename T>
struct GlobalPoolArgs {
  Map<const T> x;
  T *mean, *maximum;
  int32_t* argmax;  // (N, C), the first position of the maximum; may be null
};

// dx[n, c, p] = dy[n, c, p] + dmean[n, c] / positions + (dmaximum[n, c] if p = argmax[n, c])
template <typename T>
struct GlobalPoolGradArgs {
  Map<const T> dy;  // gradient of the map as it was returned
  const T *dmean, *dmaximum;
  const int32_t* argmax;
  Map<T> dx;  // may be dy
};

// maximum[n, p] = max over c of x[n, c, p] * gate[n, c], mean[n, p] = sum over c of x[n, c, p] * gate[n, c] / C
template <typename T>
struct ChannelPoolArgs {
  Map<const T> x;
  const T* gate;  // (N, C); null for 1
  T *maximum, *mean;
  int64_t sample_stride;  // values between the samples of maximum and of mean
  int32_t* argmax;        // (N, positions), the first channel of the maximum; may be null
};

// g[n, c, p] = dmean[n, p] / C + (dmaximum[n, p] if c = argmax[n, p])
// dx = dy + g * gate, dgate[n, c] = sum over p of g[n, c, p] * x[n, c, p]
template <typename T>
struct ChannelPoolGradArgs {
  Map<const T> map;  // x, or the map that x is computed from by norm
  Normalization<T> norm;
  const T* gate;  // (N, C); null for 1
  const T *dmaximum, *dmean;
  int64_t sample_stride;  // values between the samples of dmaximum and of dmean
  const int32_t* argmax;
  Map<const T> dy;  // gradient of the map as it was returned
  Map<T> dx;        // may be dy
  T* dgate;         // partial sums, (N, tiles, C); may be null
};

// y[n, c, p] = x[n, c, p] * channel[n, c] * spatial[n, p] + shortcut[n, c, p], then ReLU
template <typename T>
struct ScaleArgs {
  Map<const T> x;
  const T *channel, *spatial;  // (N, C), (N, positions); null for 1
  const T* shortcut;           // in the layout of x; null for 0
  bool relu;
  Map<T> y;
};

// g = dy, with ReLU where y > 0
// dshortcut = g, dx = g * channel * spatial, dspatial[n, p] = sum over c of g * x * channel,
// dchannel[n, c] = sum over p of g * x * spatial
template <typename T>
struct ScaleGradArgs {
  Map<const T> map;  // x, or the map that x is computed from by norm
  Normalization<T> norm;
  const T *channel, *spatial;  // null for 1
  const T* y;                  // null without ReLU
  Map<const T> dy;
  T *dx, *dspatial;  // may be null
  T* dchannel;       // partial sums, (N, tiles, C); may be null
  T* dshortcut;      // may be null
};

// y = x where x > 0, x * slopes[c] elsewhere
template <typename T>
struct PreluArgs {
  Map<const T> x;
  const T* slopes;  // (C)
  Map<T> y;         // may be x
};

// dx = dy where x > 0, dy * slopes[c] elsewhere; dslopes[c] = sum over n, p of dy * x where x <= 0
template <typename T>
struct PreluGradArgs {
  Map<const T> x;
  const T* slopes;
  Map<const T> dy;
  T* dx;       // may be dy, may be null
  T* dslopes;  // partial sums, (N, tiles, C); may be null
};

// A map of one channel with zeros around it, for a convolution that keeps its size. Rows share their margins: those are
// only to the right of a row, and in front of the first. Positions are counted from the first value on, in rows with
// margins.
struct PaddedPlane {
  int64_t height, width, side;  // side: of the kernel, odd

  int64_t margin() const { return side / 2; }
  int64_t row() const { return width + margin(); }
  int64_t origin() const { return margin() * row() + margin(); }  // where the first value is
  int64_t positions() const { return tiles_of(height * row()) * kTile; }
  int64_t size() const { return 2 * origin() + positions(); }
};

// y[n, o] = convolution(maps[n], weight[o]) + bias[o], of a few maps, which keeps their size
template <typename T>
struct GateConvolutionArgs {
  const T* maps;    // (N, inputs, H, W)
  const T* weight;  // (outputs, inputs, side, side)
  const T* bias;    // (outputs); null for 0
  int64_t batch, inputs, outputs;
  PaddedPlane plane;
  T* workspace;  // workspace_size() values
  T* y;          // (N, outputs, H, W)

  bool is_parallel() const { return batch * plane.height * plane.width > kMinParallelPositions; }
  int64_t workspace_size() const { return batch * inputs * plane.size(); }
};

// The values in a vector of a convolution of few maps, as many as a cache line has.
template <typename T>
constexpr int kGateLanes = 64 / sizeof(T);

// The gradient of the weight and of the bias, with one output; samples are added up in groups.
template <typename T>
struct GateConvolutionGradArgs {
  const T* maps;  // (N, channels, H, W)
  const T* dy;    // (N, 1, H, W)
  int64_t batch, channels;
  PaddedPlane plane;
  T* workspace;  // workspace_size() values
  T* sums;       // partial sums, (groups, channels * side * side + 1, kGateLanes), of the bias at last

  bool is_parallel() const { return batch * plane.height * plane.width > kMinParallelPositions; }
  int64_t workspace_size() const { return batch * (channels + 1) * plane.size(); }
  int64_t samples_in_group() const { return plane.positions() < 4096 ? 4096 / plane.positions() : 1; }
  int64_t groups() const { return (batch + samples_in_group() - 1) / samples_in_group(); }
  int64_t sums_of_group() const { return (channels * plane.side * plane.side + 1) * kGateLanes<T>; }
};

// momentum = decay * momentum - rate * (factor * gradient + weight_decay * weight); updated = weight + momentum
template <typename T>
struct SgdMomentumArgs {
  const T *weight, *gradient;
  int64_t count;
  T rate, decay, factor, weight_decay;
  T *momentum, *updated;  // updated may be weight
};

template <typename T>
struct Kernels {
  void (*relayout)(Map<const T> from, Map<T> to);  // the same values in another layout
  void (*global_pool)(const GlobalPoolArgs<T>&);
  void (*global_pool_backward)(const GlobalPoolGradArgs<T>&);
  void (*channel_pool)(const ChannelPoolArgs<T>&);
  void (*channel_pool_backward)(const ChannelPoolGradArgs<T>&);
  void (*scale)(const ScaleArgs<T>&);
  void (*scale_backward)(const ScaleGradArgs<T>&);
  void (*prelu)(const PreluArgs<T>&);
  void (*prelu_backward)(const PreluGradArgs<T>&);
  void (*gate_convolution)(const GateConvolutionArgs<T>&);
  void (*gate_convolution_backward)(const GateConvolutionGradArgs<T>&);
  void (*sgd_momentum)(const SgdMomentumArgs<T>&);
};

// The kernels below are for inference.

// gate = sigmoid(mlp(mean) + mlp(maximum)), mlp(v) = weight2 * relu(weight1 * v + bias1) + bias2
struct ChannelGateArgs {
  const float *mean, *maximum;                     // (N, C)
  const float *weight1, *bias1, *weight2, *bias2;  // (hidden, C), (hidden), (C, hidden), (C)
  int64_t batch, channels, hidden;
  float* workspace;  // N * hidden values
  float* gate;       // (N, C)
};

// gate = sigmoid(gate * factor + shift), of the convolution of a spatial gate
struct SpatialGateArgs {
  float factor, shift;
  int64_t size;
  float* gate;
};

// Quantized maps are (N, H, W, C) with C a multiple of 16; the real values are the int8 or uint8 values times a step.

// See GlobalPoolArgs.
template <typename Q>
struct QuantizedGlobalPoolArgs {
  Map<const Q> x;
  float step;
  float *mean, *maximum;
};

// See ChannelPoolArgs.
struct QuantizedChannelPoolArgs {
  Map<const int8_t> x;
  float step;
  const float* gate;
  float *maximum, *mean;
  int64_t sample_stride;
};

// See ScaleArgs, with both gates, a shortcut and ReLU; y is rounded to the nearest integer in [0, 255].
template <typename Q>
struct QuantizedScaleArgs {
  Map<const int8_t> x;
  float step;
  const float *channel, *spatial;
  const Q* shortcut;
  float shortcut_step;
  uint8_t* y;
  float y_step;
};

struct InferenceKernels {
  void (*channel_gate)(const ChannelGateArgs&);
  void (*spatial_gate)(const SpatialGateArgs&);
  void (*global_pool_int8)(const QuantizedGlobalPoolArgs<int8_t>&);
  void (*global_pool_uint8)(const QuantizedGlobalPoolArgs<uint8_t>&);
  void (*channel_pool_int8)(const QuantizedChannelPoolArgs&);
  void (*scale_int8)(const QuantizedScaleArgs<int8_t>&);
  void (*scale_uint8)(const QuantizedScaleArgs<uint8_t>&);
};

// The kernels of an instruction set. They are constants, so that selecting them runs no code compiled for an
// instruction set that the processor does not have.
struct Variant {
  const char* name;
  const Kernels<float>& f32;
  const Kernels<double>& f64;
  const InferenceKernels& inference;
};

extern const Variant baseline_kernels, avx2_kernels, avx512_kernels;  // in kernels_*.cc

// The best variant that the processor has, or a lower one: CBAM_INSTRUCTIONS in the environment names a limit.
const Variant& selected_kernels();

template <typename T>
const Kernels<T>& kernels();
template <>
inline const Kernels<float>& kernels() {
  return selected_kernels().f32;
}
template <>
inline const Kernels<double>& kernels() {
  return selected_kernels().f64;
}

}  // namespace cbam
