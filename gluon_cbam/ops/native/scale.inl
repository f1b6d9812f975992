// ScaleArgs and ScaleGradArgs. Part of kernels.inl.

// Calls the function for the present terms; Options<gate, shortcut, relu>, where gate is the spatial one of blocks and
// the channel one of rows.
template <typename T, template <bool, bool, bool> class Options>
void call_scale(bool gate, const ScaleArgs<T>& a) {
  typedef void (*Function)(const ScaleArgs<T>&);
  static const Function functions[8] = {
      Options<false, false, false>::run, Options<false, false, true>::run, Options<false, true, false>::run,
      Options<false, true, true>::run,   Options<true, false, false>::run, Options<true, false, true>::run,
      Options<true, true, false>::run,   Options<true, true, true>::run,
  };
  functions[(gate ? 4 : 0) + (a.shortcut ? 2 : 0) + (a.relu ? 1 : 0)](a);
}

// -------------------------------------------------------------------------------------------------------- blocks

template <typename T, int B>
struct ScaleBlocks {
  template <bool kSpatial, bool kShortcut, bool kRelu>
  struct With {
    static void run(const ScaleArgs<T>& a) {
      constexpr int lanes = B == 1 ? kLanes : B;
      typedef Lanes<T, lanes> L;
      const Map<const T> x = a.x;
      const int64_t blocks = x.blocks(), count = x.batch * blocks, values = x.positions * B;
#pragma omp parallel for schedule(static) if (is_parallel(x))
      for (int64_t i = 0; i < count; ++i) {
        const int64_t sample = i / blocks, block = i % blocks;
        const T* from = x.at(sample, block);
        const T* added = kShortcut ? a.shortcut + (from - x.data) : nullptr;
        const T* gates = kSpatial ? a.spatial + sample * x.positions : nullptr;
        T* to = a.y.at(sample, block);
        const typename L::vector factor = !a.channel ? L::all(1)
                                          : B == 1   ? L::all(a.channel[i])
                                                     : L::load(a.channel + i * B);
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
  };
};

template <typename T, int B>
void scale_blocks(const ScaleArgs<T>& a) {
  call_scale<T, ScaleBlocks<T, B>::template With>(a.spatial, a);
}

template <typename T, int B>
struct ScaleGrad {
  typedef Lanes<T, B> L;

  static void tile(const ScaleGradArgs<T>& a, const Tile& at) {
    const Map<const T> map = a.map;
    const T *y = a.y, *spatial = a.spatial ? a.spatial + at.sample * map.positions + at.first : nullptr;
    T *dx = a.dx, *dshortcut = a.dshortcut;
    typename L::vector sums[kTile];
    for (int64_t p = 0; p < at.size; ++p) sums[p] = typename L::vector{};
    for (int64_t b = 0; b < map.blocks(); ++b) {
      const int64_t start = map.at(at.sample, b) + at.first * B - map.data;
      const Normalizer<L, T> normal(a.norm, b * B);
      const typename L::vector factor = factor_of<T, B>(a.channel, at.sample * map.channels + b * B);
      typename L::vector total = {};
      for (int64_t p = 0; p < at.size; ++p) {
        const int64_t k = start + p * B;
        typename L::vector gradient = L::load(a.dy.data + k);
        if (y) gradient = L::load(y + k) > typename L::vector{} ? gradient : typename L::vector{};
        if (dshortcut) L::store(dshortcut + k, gradient);
        const T gate = spatial ? spatial[p] : T(1);
        const typename L::vector product = gradient * normal.x(L::load(map.data + k));
        sums[p] += product * factor;
        total += product * gate;
        if (dx) L::store(dx + k, gradient * factor * gate);
      }
      if (a.dchannel) L::store(a.dchannel + at.number * map.channels + b * B, total);
    }
    if (!a.dspatial) return;
    T* to = a.dspatial + at.sample * map.positions + at.first;
    for (int64_t p = 0; p < at.size; ++p) to[p] = L::sum(sums[p]);
  }
};

template <typename T>
struct ScaleGrad<T, 1> {
  static void tile(const ScaleGradArgs<T>& a, const Tile& at) {
    const Map<const T> map = a.map;
    const int64_t size = at.size, first = at.sample * map.positions + at.first;
    const T* y = a.y;
    T* dx = a.dx;
    T sums[kTile] = {}, gradients[kTile], gates[kTile];
    for (int64_t p = 0; p < size; ++p) gates[p] = a.spatial ? a.spatial[first + p] : T(1);
    for (int64_t c = 0; c < map.channels; ++c) {
      const int64_t start = map.at(at.sample, c) + at.first - map.data;
      const T* from = map.data + start;
      const T* dy = a.dy.data + start;
      const T center = a.norm.mean[c], slope = a.norm.factor[c], offset = a.norm.offset[c];
      const T factor = factor_of<T, 1>(a.channel, at.sample * map.channels + c);
      T total = 0;
      for (int64_t p = 0; p < size; ++p) gradients[p] = !y || y[start + p] > 0 ? dy[p] : T(0);
#pragma omp simd reduction(+ : total)
      for (int64_t p = 0; p < size; ++p) {
        const T product = gradients[p] * ((from[p] - center) * slope + offset);
        sums[p] += product * factor;
        total += product * gates[p];
      }
      if (a.dshortcut) std::memcpy(a.dshortcut + start, gradients, size * sizeof(T));
      if (dx) {
#pragma omp simd
        for (int64_t p = 0; p < size; ++p) dx[start + p] = gradients[p] * factor * gates[p];
      }
      if (a.dchannel) a.dchannel[at.number * map.channels + c] = total;
    }
    if (a.dspatial) std::memcpy(a.dspatial + first, sums, size * sizeof(T));
  }
};

template <typename T, int B>
void scale_backward_blocks(const ScaleGradArgs<T>& a) {
  for_tiles(a.map, [&](const Tile& tile) { ScaleGrad<T, B>::tile(a, tile); });
}

// ---------------------------------------------------------------------------------------------------------- rows

template <typename T>
struct ScaleRows {
  template <bool kChannel, bool kShortcut, bool kRelu>
  struct With {
    static void run(const ScaleArgs<T>& a) {
      const Map<const T> x = a.x;
      const int64_t channels = x.channels;
      for_tiles(x, [&](const Tile& tile) {
        const T* gates = kChannel ? a.channel + tile.sample * channels : nullptr;
        for (int64_t p = tile.first; p < tile.first + tile.size; ++p) {
          const int64_t start = x.at(tile.sample, 0) + p * channels - x.data;
          const T* from = x.data + start;
          const T* added = kShortcut ? a.shortcut + start : nullptr;
          T* to = a.y.data + start;
          const T factor = a.spatial ? a.spatial[tile.sample * x.positions + p] : T(1);
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
  };
};

template <typename T>
void scale_rows(const ScaleArgs<T>& a) {
  call_scale<T, ScaleRows<T>::template With>(a.channel, a);
}

template <typename T>
void scale_backward_rows(const ScaleGradArgs<T>& a) {
  const Map<const T> map = a.map;
  const int64_t channels = map.channels;
  const T* y = a.y;
  T *dx = a.dx, *dshortcut = a.dshortcut;
  for_tiles(map, [&](const Tile& tile) {
    const T* gates = a.channel ? a.channel + tile.sample * channels : nullptr;
    T* sums = a.dchannel ? a.dchannel + tile.number * channels : nullptr;
    if (sums) std::memset(sums, 0, channels * sizeof(T));
    for (int64_t p = tile.first; p < tile.first + tile.size; ++p) {
      const int64_t start = map.at(tile.sample, 0) + p * channels - map.data;
      const T gate = a.spatial ? a.spatial[tile.sample * map.positions + p] : T(1);
      Lanes<T, kLanes> wide;
      typename Lanes<T, kLanes>::vector total = {};
      T rest = 0;
      for_row<T>(channels, [&](int64_t c, auto lanes) {
        auto gradient = lanes.load(a.dy.data + start + c);
        const decltype(gradient) zero = {};
        if (y) gradient = lanes.load(y + start + c) > zero ? gradient : zero;
        if (dshortcut) lanes.store(dshortcut + start + c, gradient);
        const auto factor = gates ? lanes.load(gates + c) : lanes.all(1);
        const Normalizer<decltype(lanes), T> normal(a.norm, c);
        const auto product = gradient * normal.x(lanes.load(map.data + start + c));
        if constexpr (std::is_same<decltype(lanes), Lanes<T, 1>>::value) {
          rest += (product * factor)[0];
        } else {
          total += product * factor;
        }
        if (sums) lanes.store(sums + c, lanes.load(sums + c) + product * gate);
        if (dx) lanes.store(dx + start + c, gradient * factor * gate);
      });
      if (a.dspatial) a.dspatial[tile.sample * map.positions + p] = wide.sum(total) + rest;
    }
  });
}

template <typename T>
void scale(const ScaleArgs<T>& a) {
  CBAM_BY_LAYOUT(a.x.block, scale_blocks, scale_rows<T>, a)
}

template <typename T>
void scale_backward(const ScaleGradArgs<T>& a) {
  CBAM_BY_LAYOUT(a.map.block, scale_backward_blocks, scale_backward_rows<T>, a)
}
