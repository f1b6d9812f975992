// The kernels, included once an instruction set: CBAM_VARIANT names it. GCC's vector types are lowered to whatever the
// instruction set has.

namespace cbam {
namespace CBAM_VARIANT {

#include "lanes.inl"

// ------------------------------------------------------------------------------------------------------ relayout

template <typename T>
void relayout(Map<const T> from, Map<T> to) {
  const int64_t channels = from.channels, positions = from.positions;
  const int64_t run = from.block < to.block ? from.block : to.block;  // channels that lie together in both
#pragma omp parallel for schedule(static) if (is_large(from))
  for (int64_t i = 0; i < from.batch * (channels / run); ++i) {
    const int64_t sample = i / (channels / run), channel = i % (channels / run) * run;
    const T* source = from.at(sample, channel / from.block) + channel % from.block;
    T* target = to.at(sample, channel / to.block) + channel % to.block;
    for (int64_t p = 0; p < positions; ++p) {
      const T* values = source + p * from.block;
      T* place = target + p * to.block;
      if (run == 16) {
        std::memcpy(place, values, 16 * sizeof(T));
      } else {
        for (int64_t c = 0; c < run; ++c) place[c] = values[c];
      }
    }
  }
}

// ---------------------------------------------------------------------------------------------------------- pool

template <typename T, int B>
struct Pool {
  typedef Lanes<T, B> L;

  // one block of channels
  static void block(const T* x, int64_t positions, T* mean, T* maximum, int32_t* where) {
    typename L::vector sum = {}, best = L::all(lowest<T>());
    typename L::whole_vector place = {};
    for (int64_t p = 0; p < positions; ++p) {
      const typename L::vector value = L::load(x + p * B);
      sum += value;
      if (where) place = value > best ? L::all_whole(p) : place;
      best = value > best ? value : best;
    }
    for (int lane = 0; lane < B; ++lane) {
      mean[lane] = sum[lane] / positions;
      maximum[lane] = best[lane];
      if (where) where[lane] = static_cast<int32_t>(place[lane]);
    }
  }
};

template <typename T>
struct Pool<T, 1> {
  typedef Lanes<T, kLanes> L;

  static void block(const T* x, int64_t positions, T* mean, T* maximum, int32_t* where) {
    typename L::vector sums = {}, bests = L::all(lowest<T>());
    int64_t p = 0;
    for (; p + kLanes <= positions; p += kLanes) {
      const typename L::vector value = L::load(x + p);
      sums += value;
      bests = value > bests ? value : bests;
    }
    T sum = L::sum(sums), best = lowest<T>();
    for (int lane = 0; lane < kLanes; ++lane) best = bests[lane] > best ? bests[lane] : best;
    for (; p < positions; ++p) {
      sum += x[p];
      best = x[p] > best ? x[p] : best;
    }
    *mean = sum / positions;
    *maximum = best;
    if (!where) return;
    *where = 0;
    for (p = 0; p < positions; ++p) {
      if (x[p] == best) {
        *where = static_cast<int32_t>(p);
        break;
      }
    }
  }
};

template <typename T, int B>
void pool_blocks(Map<const T> x, T* mean, T* maximum, int32_t* where) {
  const int64_t blocks = x.blocks(), count = x.batch * blocks;
#pragma omp parallel for schedule(static) if (is_large(x))
  for (int64_t i = 0; i < count; ++i) {
    Pool<T, B>::block(x.at(i / blocks, i % blocks), x.positions, mean + i * B, maximum + i * B,
                      where ? where + i * B : nullptr);
  }
}

template <typename T, int B>
void pool_backward_blocks(Map<const T> dy, const T* dmean, const T* dmaximum, const int32_t* where, Map<T> dx) {
  constexpr int lanes = B == 1 ? kLanes : B;
  typedef Lanes<T, lanes> L;
  const int64_t blocks = dy.blocks(), count = dy.batch * blocks, values = dy.positions * B;
  const T share = T(1) / dy.positions;
#pragma omp parallel for schedule(static) if (is_large(dy))
  for (int64_t i = 0; i < count; ++i) {
    const T* from = dy.at(i / blocks, i % blocks);
    T* to = dx.at(i / blocks, i % blocks);
    const typename L::vector added = (B == 1 ? L::all(dmean[i]) : L::load(dmean + i * B)) * share;
    int64_t k = 0;
    for (; k + lanes <= values; k += lanes) L::store(to + k, L::load(from + k) + added);
    for (; k < values; ++k) to[k] = from[k] + added[0];
    for (int lane = 0; lane < B; ++lane) to[int64_t(where[i * B + lane]) * B + lane] += dmaximum[i * B + lane];
  }
}

// ------------------------------------------------------------------------------------------------------ describe

// The tile [first, last) of a sample's positions.
template <typename T, int B>
struct Describe {
  typedef Lanes<T, B> L;

  static void tile(Map<const T> x, const T* gate, int64_t sample, int64_t first, int64_t last, T* maximum, T* mean,
                   int32_t* where) {
    typename L::vector sums[kTile], bests[kTile];
    typename L::whole_vector blocks_of[kTile];
    const int64_t size = last - first;
    for (int64_t p = 0; p < size; ++p) {
      sums[p] = typename L::vector{};
      bests[p] = L::all(lowest<T>());
      blocks_of[p] = typename L::whole_vector{};
    }
    for (int64_t b = 0; b < x.blocks(); ++b) {
      const T* from = x.at(sample, b) + first * B;
      const typename L::vector factor = gate ? L::load(gate + sample * x.channels + b * B) : L::all(1);
      for (int64_t p = 0; p < size; ++p) {
        const typename L::vector value = L::load(from + p * B) * factor;
        sums[p] += value;
        if (where) blocks_of[p] = value > bests[p] ? L::all_whole(b) : blocks_of[p];
        bests[p] = value > bests[p] ? value : bests[p];
      }
    }
    for (int64_t p = 0; p < size; ++p) {
      T best = bests[p][0];
      for (int lane = 1; lane < B; ++lane) best = bests[p][lane] > best ? bests[p][lane] : best;
      maximum[first + p] = best;
      mean[first + p] = L::sum(sums[p]) / x.channels;
      if (!where) continue;
      int64_t channel = x.channels;
      for (int lane = 0; lane < B; ++lane) {
        const int64_t candidate = int64_t(blocks_of[p][lane]) * B + lane;
        if (bests[p][lane] == best && candidate < channel) channel = candidate;
      }
      where[first + p] = static_cast<int32_t>(channel < x.channels ? channel : 0);
    }
  }
};

template <typename T>
struct Describe<T, 1> {
  static void tile(Map<const T> x, const T* gate, int64_t sample, int64_t first, int64_t last, T* maximum, T* mean,
                   int32_t* where) {
    T sums[kTile] = {}, bests[kTile];
    int32_t channels[kTile] = {};
    const int64_t size = last - first;
    for (int64_t p = 0; p < size; ++p) bests[p] = lowest<T>();
    for (int64_t c = 0; c < x.channels; ++c) {
      const T* from = x.at(sample, c) + first;
      const T factor = gate ? gate[sample * x.channels + c] : T(1);
      if (where) {
#pragma omp simd
        for (int64_t p = 0; p < size; ++p) channels[p] = from[p] * factor > bests[p] ? int32_t(c) : channels[p];
      }
#pragma omp simd
      for (int64_t p = 0; p < size; ++p) {
        const T value = from[p] * factor;
        sums[p] += value;
        bests[p] = value > bests[p] ? value : bests[p];
      }
    }
    for (int64_t p = 0; p < size; ++p) {
      maximum[first + p] = bests[p];
      mean[first + p] = sums[p] / x.channels;
      if (where) where[first + p] = channels[p];
    }
  }
};

template <typename T, int B>
void describe_tiles(Map<const T> x, const T* gate, T* maximum, T* mean, int64_t stride, int32_t* where) {
  const int64_t tiles = tiles_of(x.positions), count = x.batch * tiles;
#pragma omp parallel for schedule(static) if (is_large(x))
  for (int64_t i = 0; i < count; ++i) {
    const int64_t sample = i / tiles, first = i % tiles * kTile;
    const int64_t last = first + kTile < x.positions ? first + kTile : x.positions;
    Describe<T, B>::tile(x, gate, sample, first, last, maximum + sample * stride, mean + sample * stride,
                         where ? where + sample * x.positions : nullptr);
  }
}

template <typename T, int B>
struct DescribeBackward {
  typedef Lanes<T, B> L;

  // one block of channels of a tile; dgate: the sums over its positions
  static void tile(const T* map, const Normalization<T>& of_map, typename L::vector factor, int64_t block, int64_t size,
                   const T* dmaximum, const T* shares, const int32_t* where, const T* dy, T* dx, T* dgate) {
    const Normal<L, T> normal(of_map, block * B);
    typename L::vector sum = {};
    const typename L::whole_vector channels = L::count() + L::all_whole(block * B);
    for (int64_t p = 0; p < size; ++p) {
      const typename L::vector peak = channels == L::all_whole(where[p]) ? L::all(dmaximum[p]) : typename L::vector{};
      const typename L::vector gradient = shares[p] + peak;
      sum += normal.x(L::load(map + p * B)) * gradient;
      L::store(dx + p * B, L::load(dy + p * B) + gradient * factor);
    }
    if (dgate) L::store(dgate, sum);
  }
};

template <typename T>
struct DescribeBackward<T, 1> {
  static void tile(const T* map, const Normalization<T>& of_map, T factor, int64_t channel, int64_t size,
                   const T* dmaximum, const T* shares, const int32_t* where, const T* dy, T* dx, T* dgate) {
    const T center = of_map.mean[channel], slope = of_map.factor[channel], offset = of_map.offset[channel];
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t p = 0; p < size; ++p) {
      const T gradient = shares[p] + (where[p] == channel ? dmaximum[p] : T(0));
      sum += ((map[p] - center) * slope + offset) * gradient;
      dx[p] = dy[p] + gradient * factor;
    }
    if (dgate) *dgate = sum;
  }
};

template <typename T, int B>
inline auto factor_of(const T* gate, int64_t at) {
  if constexpr (B == 1) {
    return gate ? gate[at] : T(1);
  } else {
    return gate ? Lanes<T, B>::load(gate + at) : Lanes<T, B>::all(1);
  }
}

template <typename T, int B>
void describe_backward_tiles(Map<const T> map, Normalization<T> of_map, const T* gate, const T* dmaximum,
                             const T* dmean, int64_t stride, const int32_t* where, Map<const T> dy, Map<T> dx,
                             T* dgate) {
  const int64_t tiles = tiles_of(map.positions), count = map.batch * tiles;
#pragma omp parallel for schedule(static) if (is_large(map))
  for (int64_t i = 0; i < count; ++i) {
    const int64_t sample = i / tiles, first = i % tiles * kTile;
    const int64_t size = first + kTile < map.positions ? kTile : map.positions - first;
    T shares[kTile];
    for (int64_t p = 0; p < size; ++p) shares[p] = dmean[sample * stride + first + p] / map.channels;
    for (int64_t b = 0; b < map.blocks(); ++b) {
      DescribeBackward<T, B>::tile(map.at(sample, b) + first * B, of_map,
                                   factor_of<T, B>(gate, sample * map.channels + b * B), b, size,
                                   dmaximum + sample * stride + first, shares, where + sample * map.positions + first,
                                   dy.at(sample, b) + first * B, dx.at(sample, b) + first * B,
                                   dgate ? dgate + i * map.channels + b * B : nullptr);
    }
  }
}

// --------------------------------------------------------------------------------------------------------- scale

template <typename T, int B, bool kSpatial, bool kShortcut, bool kRelu>
void scale_blocks(Map<const T> x, const T* channel, const T* spatial, const T* shortcut, Map<T> y) {
  constexpr int lanes = B == 1 ? kLanes : B;
  typedef Lanes<T, lanes> L;
  const int64_t blocks = x.blocks(), count = x.batch * blocks, values = x.positions * B;
#pragma omp parallel for schedule(static) if (is_large(x))
  for (int64_t i = 0; i < count; ++i) {
    const int64_t sample = i / blocks, block = i % blocks;
    const T* from = x.at(sample, block);
    const T* added = kShortcut ? shortcut + (from - x.data) : nullptr;
    const T* gates = kSpatial ? spatial + sample * x.positions : nullptr;
    T* to = y.at(sample, block);
    const typename L::vector factor =
        !channel ? L::all(1) : B == 1 ? L::all(channel[i]) : L::load(channel + i * B);
    int64_t k = 0;
    for (; k + lanes <= values; k += lanes) {
      typename L::vector value = L::load(from + k) * factor;
      if (kSpatial) value *= B == 1 ? L::load(gates + k) : L::all(gates[k / B]);
      if (kShortcut) value += L::load(added + k);
      if (kRelu) value = value > typename L::vector{} ? value : typename L::vector{};
      L::store(to + k, value);
    }
    for (; k < values; ++k) {  // of plain maps only
      T value = from[k] * factor[0];
      if (kSpatial) value *= gates[k];
      if (kShortcut) value += added[k];
      to[k] = kRelu && !(value > 0) ? T(0) : value;
    }
  }
}

template <typename T, int B>
void scale_any(Map<const T> x, const T* channel, const T* spatial, const T* shortcut, bool relu, Map<T> y) {
  typedef void (*Pass)(Map<const T>, const T*, const T*, const T*, Map<T>);
  static const Pass passes[8] = {
      scale_blocks<T, B, false, false, false>, scale_blocks<T, B, false, false, true>,
      scale_blocks<T, B, false, true, false>,  scale_blocks<T, B, false, true, true>,
      scale_blocks<T, B, true, false, false>,  scale_blocks<T, B, true, false, true>,
      scale_blocks<T, B, true, true, false>,   scale_blocks<T, B, true, true, true>,
  };
  passes[(spatial ? 4 : 0) + (shortcut ? 2 : 0) + (relu ? 1 : 0)](x, channel, spatial, shortcut, y);
}

template <typename T, int B>
struct ScaleBackward {
  typedef Lanes<T, B> L;

  static void tile(Map<const T> map, const Normalization<T>& of_map, const T* channel, const T* spatial, const T* y,
                   Map<const T> dy, T* dx, T* dspatial, T* dchannel, T* dshortcut, int64_t sample, int64_t first,
                   int64_t size) {
    typename L::vector sums[kTile];
    for (int64_t p = 0; p < size; ++p) sums[p] = typename L::vector{};
    for (int64_t b = 0; b < map.blocks(); ++b) {
      const int64_t start = map.at(sample, b) + first * B - map.data;
      const Normal<L, T> normal(of_map, b * B);
      const typename L::vector factor = factor_of<T, B>(channel, sample * map.channels + b * B);
      typename L::vector total = {};
      for (int64_t p = 0; p < size; ++p) {
        const int64_t at = start + p * B;
        typename L::vector gradient = L::load(dy.data + at);
        if (y) gradient = L::load(y + at) > typename L::vector{} ? gradient : typename L::vector{};
        if (dshortcut) L::store(dshortcut + at, gradient);
        const T gate = spatial ? spatial[sample * map.positions + first + p] : T(1);
        const typename L::vector product = gradient * normal.x(L::load(map.data + at));
        sums[p] += product * factor;
        total += product * gate;
        if (dx) L::store(dx + at, gradient * factor * gate);
      }
      if (dchannel) L::store(dchannel + b * B, total);
    }
    if (!dspatial) return;
    for (int64_t p = 0; p < size; ++p) dspatial[sample * map.positions + first + p] = L::sum(sums[p]);
  }
};

template <typename T>
struct ScaleBackward<T, 1> {
  static void tile(Map<const T> map, const Normalization<T>& of_map, const T* channel, const T* spatial, const T* y,
                   Map<const T> dy, T* dx, T* dspatial, T* dchannel, T* dshortcut, int64_t sample, int64_t first,
                   int64_t size) {
    T sums[kTile] = {}, gradients[kTile], gates[kTile];
    for (int64_t p = 0; p < size; ++p) gates[p] = spatial ? spatial[sample * map.positions + first + p] : T(1);
    for (int64_t c = 0; c < map.channels; ++c) {
      const int64_t start = map.at(sample, c) + first - map.data;
      const T* from = map.data + start;
      const T* above = dy.data + start;
      const T center = of_map.mean[c], slope = of_map.factor[c], offset = of_map.offset[c];
      const T factor = channel ? channel[sample * map.channels + c] : T(1);
      T total = 0;
      for (int64_t p = 0; p < size; ++p) gradients[p] = !y || y[start + p] > 0 ? above[p] : T(0);
#pragma omp simd reduction(+ : total)
      for (int64_t p = 0; p < size; ++p) {
        const T product = gradients[p] * ((from[p] - center) * slope + offset);
        sums[p] += product * factor;
        total += product * gates[p];
      }
      if (dshortcut) std::memcpy(dshortcut + start, gradients, size * sizeof(T));
      if (dx) {
#pragma omp simd
        for (int64_t p = 0; p < size; ++p) dx[start + p] = gradients[p] * factor * gates[p];
      }
      if (dchannel) dchannel[c] = total;
    }
    if (dspatial) std::memcpy(dspatial + sample * map.positions + first, sums, size * sizeof(T));
  }
};

template <typename T, int B>
void scale_backward_tiles(Map<const T> map, Normalization<T> of_map, const T* channel, const T* spatial, const T* y,
                          Map<const T> dy, T* dx, T* dspatial, T* dchannel, T* dshortcut) {
  const int64_t tiles = tiles_of(map.positions), count = map.batch * tiles;
#pragma omp parallel for schedule(static) if (is_large(map))
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = i % tiles * kTile;
    const int64_t size = first + kTile < map.positions ? kTile : map.positions - first;
    ScaleBackward<T, B>::tile(map, of_map, channel, spatial, y, dy, dx, dspatial,
                              dchannel ? dchannel + i * map.channels : nullptr, dshortcut, i / tiles, first, size);
  }
}

#include "rows.inl"
#include "quantized.inl"

// --------------------------------------------------------------------------------------------------- by the block

#define CBAM_BY_BLOCK(name, rows, block, ...)                                         \
  block == 1    ? name<T, 1>(__VA_ARGS__)                                            \
  : block == 8  ? name<T, 8>(__VA_ARGS__)                                            \
  : block == 16 ? name<T, 16>(__VA_ARGS__)                                           \
                : rows(__VA_ARGS__)

template <typename T>
void pool(Map<const T> x, T* mean, T* maximum, int32_t* where) {
  CBAM_BY_BLOCK(pool_blocks, Rows<T>::pool, x.block, x, mean, maximum, where);
}

template <typename T>
void pool_backward(Map<const T> dy, const T* dmean, const T* dmaximum, const int32_t* where, Map<T> dx) {
  CBAM_BY_BLOCK(pool_backward_blocks, Rows<T>::pool_backward, dy.block, dy, dmean, dmaximum, where, dx);
}

template <typename T>
void describe(Map<const T> x, const T* gate, T* maximum, T* mean, int64_t stride, int32_t* where) {
  CBAM_BY_BLOCK(describe_tiles, Rows<T>::describe, x.block, x, gate, maximum, mean, stride, where);
}

template <typename T>
void describe_backward(Map<const T> map, Normalization<T> of_map, const T* gate, const T* dmaximum, const T* dmean,
                       int64_t stride, const int32_t* where, Map<const T> dy, Map<T> dx, T* dgate) {
  CBAM_BY_BLOCK(describe_backward_tiles, Rows<T>::describe_backward, map.block, map, of_map, gate, dmaximum, dmean, stride,
                where, dy, dx, dgate);
}

template <typename T>
void scale(Map<const T> x, const T* channel, const T* spatial, const T* shortcut, bool relu, Map<T> y) {
  CBAM_BY_BLOCK(scale_any, Rows<T>::scale, x.block, x, channel, spatial, shortcut, relu, y);
}

template <typename T>
void scale_backward(Map<const T> map, Normalization<T> of_map, const T* channel, const T* spatial, const T* y,
                    Map<const T> dy, T* dx, T* dspatial, T* dchannel, T* dshortcut) {
  CBAM_BY_BLOCK(scale_backward_tiles, Rows<T>::scale_backward, map.block, map, of_map, channel, spatial, y, dy, dx, dspatial,
                dchannel, dshortcut);
}

#include "prelu.inl"

template <typename T>
const Kernels<T>& table() {
  static const Kernels<T> kernels = {relayout<T>,          pool<T>,  pool_backward<T>,  describe<T>,
                                     describe_backward<T>, scale<T>, scale_backward<T>, prelu<T>,
                                     prelu_backward<T>};
  return kernels;
}

const QuantizedKernels& quantized_table() {
  static const QuantizedKernels kernels = {
      gate_of_pooled,          spatial_gate,           quantized_pool<int8_t>,  quantized_pool<uint8_t>,
      quantized_describe<int8_t>, quantized_scale<int8_t>, quantized_scale<uint8_t>};
  return kernels;
}

}  // namespace CBAM_VARIANT

#define CBAM_JOINED(variant, type) variant##_##type
#define CBAM_NAMED(variant, type) CBAM_JOINED(variant, type)
const Kernels<float>& CBAM_NAMED(CBAM_VARIANT, float)() { return CBAM_VARIANT::table<float>(); }
const Kernels<double>& CBAM_NAMED(CBAM_VARIANT, double)() { return CBAM_VARIANT::table<double>(); }
const QuantizedKernels& CBAM_NAMED(CBAM_VARIANT, quantized)() { return CBAM_VARIANT::quantized_table(); }

}  // namespace cbam
