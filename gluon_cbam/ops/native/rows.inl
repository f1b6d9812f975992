// The passes over maps in (N, H, W, C): rows of channels, one a position. Part of kernels.inl.

// Calls each(sample, first position, positions, number) for every tile of a map, by one thread unless it is large.
template <typename Value, typename Each>
void for_tiles(Map<Value> map, Each each, int64_t alone = kAlone) {
  const int64_t positions = map.positions, tiles = tiles_of(positions), count = map.batch * tiles;
#pragma omp parallel for schedule(static) if (is_large(map, alone))
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = i % tiles * kTile;
    each(i / tiles, first, first + kTile < positions ? kTile : positions - first, i);
  }
}

// Calls each(channel, lanes) along a row, lanes: Lanes<T, kLanes> and Lanes<T, 1> for what is left.
template <typename T, typename Each>
inline __attribute__((always_inline)) void for_row(int64_t channels, Each each) {
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) each(c, Lanes<T, kLanes>());
  for (; c < channels; ++c) each(c, Lanes<T, 1>());
}

template <typename T>
struct Rows {
  static constexpr int kChunk = 4;  // vectors of channels that are pooled at a time

  template <typename L, int kVectors>
  static void pool_channels(const T* x, int64_t positions, int64_t channels, T* mean, T* maximum, int32_t* where) {
    typename L::vector sums[kVectors], bests[kVectors];
    typename L::whole_vector places[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      sums[v] = typename L::vector{};
      bests[v] = L::all(lowest<T>());
      places[v] = typename L::whole_vector{};
    }
    constexpr int lanes = sizeof(typename L::vector) / sizeof(T);
    for (int64_t p = 0; p < positions; ++p) {
      for (int v = 0; v < kVectors; ++v) {
        const typename L::vector value = L::load(x + p * channels + v * lanes);
        sums[v] += value;
        if (where) places[v] = value > bests[v] ? L::all_whole(p) : places[v];
        bests[v] = value > bests[v] ? value : bests[v];
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      for (int lane = 0; lane < lanes; ++lane) {
        mean[v * lanes + lane] = sums[v][lane] / positions;
        maximum[v * lanes + lane] = bests[v][lane];
        if (where) where[v * lanes + lane] = static_cast<int32_t>(places[v][lane]);
      }
    }
  }

  static void pool(Map<const T> x, T* mean, T* maximum, int32_t* where) {
    constexpr int64_t width = kChunk * kLanes;
    const int64_t chunks = (x.channels + width - 1) / width, count = x.batch * chunks;
#pragma omp parallel for schedule(static) if (is_large(x))
    for (int64_t i = 0; i < count; ++i) {
      const int64_t sample = i / chunks, first = i % chunks * width, at = sample * x.channels + first;
      const T* from = x.at(sample, 0) + first;
      const int64_t left = x.channels - first;
      if (left >= width) {
        pool_channels<Lanes<T, kLanes>, kChunk>(from, x.positions, x.channels, mean + at, maximum + at,
                                                where ? where + at : nullptr);
        continue;
      }
      for_row<T>(left, [&](int64_t c, auto lanes) {
        pool_channels<decltype(lanes), 1>(from + c, x.positions, x.channels, mean + at + c, maximum + at + c,
                                          where ? where + at + c : nullptr);
      });
    }
  }

  static void pool_backward(Map<const T> dy, const T* dmean, const T* dmaximum, const int32_t* where, Map<T> dx) {
    const int64_t channels = dy.channels;
    const T share = T(1) / dy.positions;
    for_tiles(dy, [&](int64_t sample, int64_t first, int64_t size, int64_t) {
      const T* means = dmean + sample * channels;
      for (int64_t p = first; p < first + size; ++p) {
        const T* from = dy.at(sample, 0) + p * channels;
        T* to = dx.at(sample, 0) + p * channels;
        for_row<T>(channels, [&](int64_t c, auto lanes) {
          lanes.store(to + c, lanes.load(from + c) + lanes.load(means + c) * share);
        });
      }
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t p = where[sample * channels + c];
        if (p >= first && p < first + size) dx.at(sample, 0)[p * channels + c] += dmaximum[sample * channels + c];
      }
    });
  }

  static void describe(Map<const T> x, const T* gate, T* maximum, T* mean, int64_t stride, int32_t* where) {
    typedef Lanes<T, kLanes> L;
    const int64_t channels = x.channels, whole = channels - channels % kLanes;
    for_tiles(x, [&](int64_t sample, int64_t first, int64_t size, int64_t) {
      const T* gates = gate ? gate + sample * channels : nullptr;
      for (int64_t p = first; p < first + size; ++p) {
        const T* from = x.at(sample, 0) + p * channels;
        typename L::vector sums = {}, bests = L::all(lowest<T>());
        typename L::whole_vector places = {};
        for (int64_t c = 0; c < whole; c += kLanes) {
          typename L::vector value = L::load(from + c);
          if (gates) value *= L::load(gates + c);
          sums += value;
          if (where) places = value > bests ? L::all_whole(c) : places;
          bests = value > bests ? value : bests;
        }
        T sum = L::sum(sums), best = bests[0];
        for (int lane = 1; lane < kLanes; ++lane) best = bests[lane] > best ? bests[lane] : best;
        int64_t channel = channels;
        for (int lane = 0; where && lane < kLanes; ++lane) {
          const int64_t candidate = places[lane] + lane;
          if (whole && bests[lane] == best && candidate < channel) channel = candidate;
        }
        for (int64_t c = whole; c < channels; ++c) {
          const T value = gates ? from[c] * gates[c] : from[c];
          sum += value;
          if (value > best) {
            best = value;
            channel = c;
          }
        }
        maximum[sample * stride + p] = best;
        mean[sample * stride + p] = sum / channels;
        if (where) where[sample * x.positions + p] = static_cast<int32_t>(channel < channels ? channel : 0);
      }
    });
  }

  static void describe_backward(Map<const T> map, Normalization<T> of_map, const T* gate, const T* dmaximum,
                                const T* dmean, int64_t stride, const int32_t* where, Map<const T> dy, Map<T> dx,
                                T* dgate) {
    const int64_t channels = map.channels;
    for_tiles(map, [&](int64_t sample, int64_t first, int64_t size, int64_t number) {
      const T* gates = gate ? gate + sample * channels : nullptr;
      T* sums = dgate ? dgate + number * channels : nullptr;
      if (sums) std::memset(sums, 0, channels * sizeof(T));
      for (int64_t p = first; p < first + size; ++p) {
        const int64_t start = map.at(sample, 0) + p * channels - map.data;
        const T *values = map.data + start, *from = dy.data + start;
        T* to = dx.data + start;
        const T share = dmean[sample * stride + p] / channels, peak = dmaximum[sample * stride + p];
        const int64_t channel = where[sample * map.positions + p];
        // dx may be dy: what the peak adds to is known before
        const T at_peak = from[channel] + (share + peak) * (gates ? gates[channel] : T(1));
        for_row<T>(channels, [&](int64_t c, auto lanes) {
          const auto factor = gates ? lanes.load(gates + c) : lanes.all(1);
          if (sums) {
            const Normal<decltype(lanes), T> normal(of_map, c);
            lanes.store(sums + c, lanes.load(sums + c) + normal.x(lanes.load(values + c)) * share);
          }
          lanes.store(to + c, lanes.load(from + c) + factor * share);
        });
        if (sums) {
          typedef Lanes<T, 1> One;
          sums[channel] += Normal<One, T>(of_map, channel).x(One::load(values + channel))[0] * peak;
        }
        to[channel] = at_peak;
      }
    });
  }

  template <bool kChannel, bool kShortcut, bool kRelu>
  static void scale_rows(Map<const T> x, const T* channel, const T* spatial, const T* shortcut, Map<T> y) {
    const int64_t channels = x.channels;
    for_tiles(x, [&](int64_t sample, int64_t first, int64_t size, int64_t) {
      const T* gates = kChannel ? channel + sample * channels : nullptr;
      for (int64_t p = first; p < first + size; ++p) {
        const int64_t start = x.at(sample, 0) + p * channels - x.data;
        const T* from = x.data + start;
        const T* added = kShortcut ? shortcut + start : nullptr;
        T* to = y.data + start;
        const T factor = spatial ? spatial[sample * x.positions + p] : T(1);
        for_row<T>(channels, [&](int64_t c, auto lanes) {
          auto value = lanes.load(from + c) * factor;
          if (kChannel) value *= lanes.load(gates + c);
          if (kShortcut) value += lanes.load(added + c);
          const decltype(value) zero = {};
          lanes.store(to + c, kRelu ? (value > zero ? value : zero) : value);
        });
      }
    });
  }

  static void scale(Map<const T> x, const T* channel, const T* spatial, const T* shortcut, bool relu, Map<T> y) {
    typedef void (*Pass)(Map<const T>, const T*, const T*, const T*, Map<T>);
    static const Pass passes[8] = {
        scale_rows<false, false, false>, scale_rows<false, false, true>, scale_rows<false, true, false>,
        scale_rows<false, true, true>,   scale_rows<true, false, false>, scale_rows<true, false, true>,
        scale_rows<true, true, false>,   scale_rows<true, true, true>,
    };
    passes[(channel ? 4 : 0) + (shortcut ? 2 : 0) + (relu ? 1 : 0)](x, channel, spatial, shortcut, y);
  }

  static void scale_backward(Map<const T> map, Normalization<T> of_map, const T* channel, const T* spatial, const T* y,
                             Map<const T> dy, T* dx, T* dspatial, T* dchannel, T* dshortcut) {
    const int64_t channels = map.channels;
    for_tiles(map, [&](int64_t sample, int64_t first, int64_t size, int64_t number) {
      const T* gates = channel ? channel + sample * channels : nullptr;
      T* sums = dchannel ? dchannel + number * channels : nullptr;
      if (sums) std::memset(sums, 0, channels * sizeof(T));
      for (int64_t p = first; p < first + size; ++p) {
        const int64_t start = map.at(sample, 0) + p * channels - map.data;
        const T gate = spatial ? spatial[sample * map.positions + p] : T(1);
        Lanes<T, kLanes> wide;
        typename Lanes<T, kLanes>::vector total = {};
        T rest = 0;
        for_row<T>(channels, [&](int64_t c, auto lanes) {
          auto gradient = lanes.load(dy.data + start + c);
          const decltype(gradient) zero = {};
          if (y) gradient = lanes.load(y + start + c) > zero ? gradient : zero;
          if (dshortcut) lanes.store(dshortcut + start + c, gradient);
          const auto factor = gates ? lanes.load(gates + c) : lanes.all(1);
          const Normal<decltype(lanes), T> normal(of_map, c);
          const auto product = gradient * normal.x(lanes.load(map.data + start + c));
          if constexpr (std::is_same<decltype(lanes), Lanes<T, 1>>::value) {
            rest += (product * factor)[0];
          } else {
            total += product * factor;
          }
          if (sums) lanes.store(sums + c, lanes.load(sums + c) + product * gate);
          if (dx) lanes.store(dx + start + c, gradient * factor * gate);
        });
        if (dspatial) dspatial[sample * map.positions + p] = wide.sum(total) + rest;
      }
    });
  }
};
