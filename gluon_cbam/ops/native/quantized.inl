// QuantizedGlobalPoolArgs, QuantizedChannelPoolArgs and QuantizedScaleArgs, for inference. Part of kernels.inl.
//
// These are scalar loops, since GCC 12 widens vectors of bytes one lane at a time.

constexpr int64_t kChunk = 64;  // channels at a time

// Sums and maxima of some channels, kWidth of them unless that is 0: then the sums stay in registers.
template <typename Q, int64_t kWidth>
void pool_chunk(const Map<const Q>& map, const Q* x, int64_t width_, int32_t* sums, int32_t* bests) {
  const int64_t width = kWidth ? kWidth : width_, positions = map.positions, channels = map.channels;
  int32_t sum[kChunk] = {}, best[kChunk];
  for (int64_t c = 0; c < width; ++c) best[c] = x[c];
  for (int64_t p = 0; p < positions; ++p, x += channels) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
      const int32_t value = x[c];
      sum[c] += value;
      best[c] = value > best[c] ? value : best[c];
    }
  }
  std::copy(sum, sum + width, sums);
  std::copy(best, best + width, bests);
}

template <typename Q>
void quantized_global_pool(const QuantizedGlobalPoolArgs<Q>& a) {
  const Map<const Q> x = a.x;
  const int64_t channels = x.channels, chunks = (channels + kChunk - 1) / kChunk, count = x.batch * chunks;
  const float step = a.step, share = step / x.positions;
#pragma omp parallel for schedule(static) if (is_parallel(x, kMinParallelInt8Values))
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = i % chunks * kChunk, at = i / chunks * channels + first;
    const int64_t width = first + kChunk < channels ? kChunk : channels - first;
    const auto pool = width == kChunk ? pool_chunk<Q, kChunk> : pool_chunk<Q, 0>;
    int32_t sums[kChunk], bests[kChunk];
    pool(x, x.at(i / chunks, 0) + first, width, sums, bests);
    for (int64_t c = 0; c < width; ++c) {
      a.mean[at + c] = sums[c] * share;
      a.maximum[at + c] = bests[c] * step;
    }
  }
}

void quantized_channel_pool(const QuantizedChannelPoolArgs& a) {
  const int64_t channels = a.x.channels;
  const auto pool = [&](const Tile& tile) {
    const float* gates = a.gate + tile.sample * channels;
    for (int64_t p = tile.first; p < tile.first + tile.size; ++p) {
      const int8_t* from = a.x.at(tile.sample, 0) + p * channels;
      float sum = 0, best = lowest<float>();
#pragma omp simd reduction(+ : sum) reduction(max : best)
      for (int64_t c = 0; c < channels; ++c) {
        const float value = from[c] * gates[c];
        sum += value;
        best = value > best ? value : best;
      }
      a.maximum[tile.sample * a.sample_stride + p] = best * a.step;
      a.mean[tile.sample * a.sample_stride + p] = sum * a.step / channels;
    }
  };
  for_tiles(a.x, pool, kMinParallelInt8Values);
}

// Some channels of quantized_scale at a position; each step has its own loop, since GCC does not vectorize a loop over
// both bytes and floats.
template <typename Q>
inline void quantized_scale_chunk(const int8_t* __restrict x, const float* __restrict gates, float gate,
                                  const Q* __restrict shortcut, float shortcut_step, int64_t size,
                                  uint8_t* __restrict y) {
  float values[kChunk];
  int32_t rounded[kChunk];
#pragma omp simd
  for (int64_t c = 0; c < size; ++c) values[c] = x[c] * gates[c] * gate;
#pragma omp simd
  for (int64_t c = 0; c < size; ++c) values[c] += shortcut[c] * shortcut_step;
#pragma omp simd
  for (int64_t c = 0; c < size; ++c) {
    const float value = values[c] > 0.f ? values[c] : 0.f;
    rounded[c] = static_cast<int32_t>((value < 255.f ? value : 255.f) + 0.5f);  // half: to the nearest integer
  }
#pragma omp simd
  for (int64_t c = 0; c < size; ++c) y[c] = static_cast<uint8_t>(rounded[c]);
}

template <typename Q>
void quantized_scale(const QuantizedScaleArgs<Q>& a) {
  const int64_t channels = a.x.channels;
  const float x_step = a.step / a.y_step, shortcut_step = a.shortcut_step / a.y_step;
  const auto scale = [&](const Tile& tile) {
    const float* gates = a.channel + tile.sample * channels;
    for (int64_t p = tile.first; p < tile.first + tile.size; ++p) {
      const int64_t start = (tile.sample * a.x.positions + p) * channels;
      const int8_t* x = a.x.data + start;
      const Q* shortcut = a.shortcut + start;
      uint8_t* y = a.y + start;
      const float gate = a.spatial[tile.sample * a.x.positions + p] * x_step;
      int64_t c = 0;
      for (; c + kChunk <= channels; c += kChunk) {
        quantized_scale_chunk(x + c, gates + c, gate, shortcut + c, shortcut_step, kChunk, y + c);
      }
      quantized_scale_chunk(x + c, gates + c, gate, shortcut + c, shortcut_step, channels - c, y + c);
    }
  };
  for_tiles(a.x, scale, kMinParallelInt8Values);
}
