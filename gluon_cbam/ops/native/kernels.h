// The passes over feature maps that attention is made of, and PReLU, for float and double, in one variant an instruction
// set.
//
// A map is seen as (N, C / B, H * W, B): B = 1 is MXNet's own (N, C, H, W); B = 8, 16 and C, which is (N, H, W, C), are
// the layouts that oneDNN's convolutions use. Channels fill their blocks. No pass allocates; all are parallel over
// OpenMP's default threads, and their results do not depend on how many there are.
#pragma once

#include <cstdint>

namespace cbam {

// a map; Value may be const
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

// Waking a second thread between MXNet's operators takes about 40 microseconds, in which one does this much alone.
constexpr int64_t kAlone = 1 << 17;       // values of a map of floats
constexpr int64_t kAloneWhole = 1 << 20;  // of integers
constexpr int64_t kAloneProducts = 1 << 18;

template <typename Value>
inline bool is_large(Map<Value> map, int64_t alone = kAlone) {
  return map.batch * map.channels * map.positions > alone;
}

// Positions of a map are worked on in tiles of this many.
constexpr int64_t kTile = 64;

inline int64_t tiles_of(int64_t positions) { return (positions + kTile - 1) / kTile; }

// How x follows from the map that lies in its place, channel by channel: (map - mean) * factor + offset, (C) each.
template <typename T>
struct Normalization {
  const T *mean, *factor, *offset;
};

template <typename T>
struct Kernels {
  // the same values in another layout
  void (*relayout)(Map<const T> from, Map<T> to);
  // mean and maximum over the positions, (N, C) each, and where the maximum is (the first one) unless `where` is null
  void (*pool)(Map<const T> x, T* mean, T* maximum, int32_t* where);
  // dx = dy + dmean / positions, + dmaximum where the maximum was; dx may be dy
  void (*pool_backward)(Map<const T> dy, const T* dmean, const T* dmaximum, const int32_t* where, Map<T> dx);
  // maximum and mean over the channels of x * gate (1 if null), (positions) a sample with `stride` between samples
  void (*describe)(Map<const T> x, const T* gate, T* maximum, T* mean, int64_t stride, int32_t* where);
  // dx = dy + the gradient through the descriptors; dgate unless null: partial sums (N, tiles, C); dx may be dy
  void (*describe_backward)(Map<const T> map, Normalization<T> of_map, const T* gate, const T* dmaximum,
                            const T* dmean, int64_t stride, const int32_t* where, Map<const T> dy, Map<T> dx,
                            T* dgate);
  // y = x * channel gate (N, C) * spatial gate (N, positions) + shortcut, then ReLU; gates and shortcut may be null
  void (*scale)(Map<const T> x, const T* channel, const T* spatial, const T* shortcut, bool relu, Map<T> y);
  // the gradients of scale; y is what came out (null without ReLU), dchannel: partial sums (N, tiles, C);
  // dx, dspatial, dchannel and dshortcut may be null
  void (*scale_backward)(Map<const T> map, Normalization<T> of_map, const T* channel, const T* spatial, const T* y,
                         Map<const T> dy, T* dx, T* dspatial, T* dchannel, T* dshortcut);
  // y = x where x > 0, x * gamma (C) elsewhere; y may be x
  void (*prelu)(Map<const T> x, const T* gamma, Map<T> y);
  // the gradients of prelu; dgamma: partial sums (N, tiles, C); dx and dgamma may be null, dx may be dy
  void (*prelu_backward)(Map<const T> x, const T* gamma, Map<const T> dy, T* dx, T* dgamma);
};

// A channel gate from the mean and the maximum, (N, C) each, by one MLP with ReLU for both, C -> hidden -> C:
// sigmoid(MLP(mean) + MLP(maximum)). Weights are (hidden, C) and (C, hidden). For inference.
struct Mlp {
  const float *weight1, *bias1, *weight2, *bias2;
  int64_t channels, hidden;
};

// A spatial gate from two descriptors, (N, 2, H, W): sigmoid(convolution * factor + shift), the weights (2, side, side).
// For inference.
struct Stencil {
  const float* weight;
  float factor, shift;
  int64_t batch, height, width, side;

  bool is_large() const { return batch * height * width > 1 << 14; }  // for one thread
  int64_t padded_width() const { return (width + 15) / 16 * 16 + side - 1; }
  int64_t padded_size() const { return batch * 2 * (height + side - 1) * padded_width(); }
};

// Passes for maps of integers, (N, H, W, C) with C a multiple of 16: the values are the integers times a step. For
// inference, as the end of a residual block: channel and spatial gates, a shortcut and ReLU. `gate` needs N * hidden
// floats beside, `spatial_gate` padded_size() of them.
struct QuantizedKernels {
  void (*gate)(const float* mean, const float* maximum, const Mlp& mlp, int64_t batch, float* beside, float* gate);
  void (*spatial_gate)(const float* descriptors, const Stencil& of, float* beside, float* gate);
  void (*pool_signed)(Map<const int8_t> x, float step, float* mean, float* maximum);
  void (*pool_unsigned)(Map<const uint8_t> x, float step, float* mean, float* maximum);
  void (*describe)(Map<const int8_t> x, float step, const float* gate, float* maximum, float* mean, int64_t stride);
  void (*scale_signed)(Map<const int8_t> x, float step, const float* channel, const float* spatial,
                       const int8_t* shortcut, float shortcut_step, float output_step, uint8_t* y);
  void (*scale_unsigned)(Map<const int8_t> x, float step, const float* channel, const float* spatial,
                         const uint8_t* shortcut, float shortcut_step, float output_step, uint8_t* y);
};

// one definition a file kernels_*.cc
const Kernels<float>& baseline_float();
const Kernels<double>& baseline_double();
const QuantizedKernels& baseline_quantized();
const Kernels<float>& avx2_float();
const Kernels<double>& avx2_double();
const QuantizedKernels& avx2_quantized();
const Kernels<float>& avx512_float();
const Kernels<double>& avx512_double();
const QuantizedKernels& avx512_quantized();

// The best that the processor has, or less: CBAM_INSTRUCTIONS in the environment names a limit.
template <typename T>
const Kernels<T>& kernels();
const QuantizedKernels& quantized_kernels();
// its name: baseline, avx2 or avx512
const char* instructions();

}  // namespace cbam
