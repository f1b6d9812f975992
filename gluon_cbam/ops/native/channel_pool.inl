// ChannelPoolArgs and ChannelPoolGradArgs. Part of kernels.inl.

// -------------------------------------------------------------------------------------------------------- blocks

// The first channel with the maximum, where each lane has the maximum of some channels, and the first of these minus
// the lane; `none` if no lane has it, as with NaN.
template <typename L, typename T>
inline int64_t first_channel_of(T best, typename L::vector bests, typename L::int_vector bests_at, int64_t none) {
  return L::minimum_int(bests == L::all(best) ? bests_at + L::indices() : L::all_int(none));
}

template <typename T, int B>
struct ChannelPool {
  typedef Lanes<T, B> L;

  static void tile(const ChannelPoolArgs<T>& a, const Tile& at) {
    const Map<const T> x = a.x;
    const int64_t size = at.size;
    const bool with_argmax = a.argmax != nullptr;
    typename L::vector sums[kTile], bests[kTile];
    typename L::int_vector best_blocks[kTile];
    for (int64_t p = 0; p < size; ++p) {
      sums[p] = typename L::vector{};
      bests[p] = L::all(lowest<T>());
      best_blocks[p] = typename L::int_vector{};
    }
    for (int64_t b = 0; b < x.blocks(); ++b) {
      const T* from = x.at(at.sample, b) + at.first * B;
      const typename L::vector factor = factor_of<T, B>(a.gate, at.sample * x.channels + b * B);
      for (int64_t p = 0; p < size; ++p) {
        const typename L::vector value = L::load(from + p * B) * factor;
        sums[p] += value;
        if (with_argmax) best_blocks[p] = value > bests[p] ? L::all_int(b) : best_blocks[p];
        bests[p] = value > bests[p] ? value : bests[p];
      }
    }
    for (int64_t p = 0; p < size; ++p) finish(a, at, p, sums[p], bests[p], best_blocks[p]);
  }

 private:
  static void finish(const ChannelPoolArgs<T>& a, const Tile& at, int64_t p, typename L::vector sums,
                     typename L::vector bests, typename L::int_vector best_blocks) {
    const T best = L::maximum(bests);
    const int64_t to = at.sample * a.sample_stride + at.first + p;
    a.maximum[to] = best;
    a.mean[to] = L::sum(sums) / a.x.channels;
    if (!a.argmax) return;
    const int64_t channel = first_channel_of<L>(best, bests, best_blocks * B, a.x.channels);
    a.argmax[at.sample * a.x.positions + at.first + p] = static_cast<int32_t>(channel < a.x.channels ? channel : 0);
  }
};

template <typename T>
struct ChannelPool<T, 1> {
  static void tile(const ChannelPoolArgs<T>& a, const Tile& at) {
    T sums[kTile] = {}, bests[kTile];
    int32_t channels[kTile] = {};
    const int64_t size = at.size;
    for (int64_t p = 0; p < size; ++p) bests[p] = lowest<T>();
    for (int64_t c = 0; c < a.x.channels; ++c) {
      const T* from = a.x.at(at.sample, c) + at.first;
      const T factor = factor_of<T, 1>(a.gate, at.sample * a.x.channels + c);
      if (a.argmax) {
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
    const int64_t to = at.sample * a.sample_stride + at.first;
    for (int64_t p = 0; p < size; ++p) {
      a.maximum[to + p] = bests[p];
      a.mean[to + p] = sums[p] / a.x.channels;
      if (a.argmax) a.argmax[at.sample * a.x.positions + at.first + p] = channels[p];
    }
  }
};

template <typename T, int B>
void channel_pool_blocks(const ChannelPoolArgs<T>& a) {
  for_tiles(a.x, [&](const Tile& tile) { ChannelPool<T, B>::tile(a, tile); });
}

// The arguments of the gradient of one block of channels for a tile; pointers are to its first position.
template <typename T>
struct ChannelPoolGradTile {
  int64_t size;
  const T *map, *dmaximum, *shares;  // shares: dmean / C
  const int32_t* argmax;
  const T* dy;
  T *dx, *dgate;  // dgate: the sums over the positions; may be null
};

template <typename T, int B>
struct ChannelPoolGrad {
  typedef Lanes<T, B> L;

  static void tile(const ChannelPoolGradTile<T>& t, const Normalization<T>& norm, typename L::vector factor,
                   int64_t block) {
    const T *map = t.map, *dmaximum = t.dmaximum, *shares = t.shares, *dy = t.dy;
    const int32_t* argmax = t.argmax;
    T* dx = t.dx;
    const int64_t size = t.size;
    const Normalizer<L, T> normal(norm, block * B);
    typename L::vector sum = {};
    const typename L::int_vector channels = L::indices() + L::all_int(block * B);
    for (int64_t p = 0; p < size; ++p) {
      const typename L::vector peak = channels == L::all_int(argmax[p]) ? L::all(dmaximum[p]) : typename L::vector{};
      const typename L::vector gradient = shares[p] + peak;
      sum += normal.x(L::load(map + p * B)) * gradient;
      L::store(dx + p * B, L::load(dy + p * B) + gradient * factor);
    }
    if (t.dgate) L::store(t.dgate, sum);
  }
};

template <typename T>
struct ChannelPoolGrad<T, 1> {
  static void tile(const ChannelPoolGradTile<T>& t, const Normalization<T>& norm, T factor, int64_t channel) {
    const T *map = t.map, *dmaximum = t.dmaximum, *shares = t.shares, *dy = t.dy;
    const int32_t* argmax = t.argmax;
    T* dx = t.dx;
    const int64_t size = t.size;
    const T center = norm.mean[channel], slope = norm.factor[channel], offset = norm.offset[channel];
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t p = 0; p < size; ++p) {
      const T gradient = shares[p] + (argmax[p] == channel ? dmaximum[p] : T(0));
      sum += ((map[p] - center) * slope + offset) * gradient;
      dx[p] = dy[p] + gradient * factor;
    }
    if (t.dgate) *t.dgate = sum;
  }
};

template <typename T, int B>
void channel_pool_backward_blocks(const ChannelPoolGradArgs<T>& a) {
  const Map<const T> map = a.map;
  for_tiles(map, [&](const Tile& tile) {
    const int64_t at = tile.sample * a.sample_stride + tile.first;
    T shares[kTile];
    for (int64_t p = 0; p < tile.size; ++p) shares[p] = a.dmean[at + p] / map.channels;
    for (int64_t b = 0; b < map.blocks(); ++b) {
      const ChannelPoolGradTile<T> t = {tile.size,
                                        map.at(tile.sample, b) + tile.first * B,
                                        a.dmaximum + at,
                                        shares,
                                        a.argmax + tile.sample * map.positions + tile.first,
                                        a.dy.at(tile.sample, b) + tile.first * B,
                                        a.dx.at(tile.sample, b) + tile.first * B,
                                        a.dgate ? a.dgate + tile.number * map.channels + b * B : nullptr};
      ChannelPoolGrad<T, B>::tile(t, a.norm, factor_of<T, B>(a.gate, tile.sample * map.channels + b * B), b);
    }
  });
}

// ---------------------------------------------------------------------------------------------------------- rows

template <typename T>
void channel_pool_rows(const ChannelPoolArgs<T>& a) {
  typedef Lanes<T, kLanes> L;
  const int64_t channels = a.x.channels, vectors_end = channels - channels % kLanes;
  const bool with_argmax = a.argmax != nullptr;
  for_tiles(a.x, [&](const Tile& tile) {
    const T* gates = a.gate ? a.gate + tile.sample * channels : nullptr;
    for (int64_t p = tile.first; p < tile.first + tile.size; ++p) {
      const T* from = a.x.at(tile.sample, 0) + p * channels;
      typename L::vector sums = {}, bests = L::all(lowest<T>());
      typename L::int_vector bests_at = {};
      for (int64_t c = 0; c < vectors_end; c += kLanes) {
        typename L::vector value = L::load(from + c);
        if (gates) value *= L::load(gates + c);
        sums += value;
        if (with_argmax) bests_at = value > bests ? L::all_int(c) : bests_at;
        bests = value > bests ? value : bests;
      }
      T sum = L::sum(sums), best = L::maximum(bests);
      const bool with_vectors = with_argmax && vectors_end;
      int64_t channel = with_vectors ? first_channel_of<L>(best, bests, bests_at, channels) : channels;
      for (int64_t c = vectors_end; c < channels; ++c) {
        const T value = gates ? from[c] * gates[c] : from[c];
        sum += value;
        if (value > best) {
          best = value;
          channel = c;
        }
      }
      a.maximum[tile.sample * a.sample_stride + p] = best;
      a.mean[tile.sample * a.sample_stride + p] = sum / channels;
      if (with_argmax) a.argmax[tile.sample * a.x.positions + p] = int32_t(channel < channels ? channel : 0);
    }
  });
}

template <typename T>
void channel_pool_backward_rows(const ChannelPoolGradArgs<T>& a) {
  const Map<const T> map = a.map;
  const int64_t channels = map.channels;
  for_tiles(map, [&](const Tile& tile) {
    const T* gates = a.gate ? a.gate + tile.sample * channels : nullptr;
    T* sums = a.dgate ? a.dgate + tile.number * channels : nullptr;
    if (sums) std::memset(sums, 0, channels * sizeof(T));
    for (int64_t p = tile.first; p < tile.first + tile.size; ++p) {
      const int64_t start = map.at(tile.sample, 0) + p * channels - map.data;
      const T *values = map.data + start, *from = a.dy.data + start;
      T* to = a.dx.data + start;
      const int64_t at = tile.sample * a.sample_stride + p;
      const T share = a.dmean[at] / channels, peak = a.dmaximum[at];
      const int64_t channel = a.argmax[tile.sample * map.positions + p];
      // dx may be dy: the value that the peak is added to is read before
      const T at_peak = from[channel] + (share + peak) * (gates ? gates[channel] : T(1));
      for_row<T>(channels, [&](int64_t c, auto lanes) {
        const auto factor = gates ? lanes.load(gates + c) : lanes.all(1);
        if (sums) {
          const Normalizer<decltype(lanes), T> normal(a.norm, c);
          lanes.store(sums + c, lanes.load(sums + c) + normal.x(lanes.load(values + c)) * share);
        }
        lanes.store(to + c, lanes.load(from + c) + factor * share);
      });
      if (sums) {
        typedef Lanes<T, 1> One;
        sums[channel] += Normalizer<One, T>(a.norm, channel).x(One::load(values + channel))[0] * peak;
      }
      to[channel] = at_peak;
    }
  });
}

template <typename T>
void channel_pool(const ChannelPoolArgs<T>& a) {
  CBAM_BY_LAYOUT(a.x.block, channel_pool_blocks, channel_pool_rows<T>, a)
}

template <typename T>
void channel_pool_backward(const ChannelPoolGradArgs<T>& a) {
  CBAM_BY_LAYOUT(a.map.block, channel_pool_backward_blocks, channel_pool_backward_rows<T>, a)
}
