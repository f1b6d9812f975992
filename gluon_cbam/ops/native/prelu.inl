// PreluArgs and PreluGradArgs. Part of kernels.inl.

// -------------------------------------------------------------------------------------------------------- blocks

// A tile of a block of channels: its values are next to each other, from `start` on.
struct BlockTile {
  int64_t start, values, block, number;  // number: of the tile in the map
};

// Calls each(tile) for every tile of every block of channels, in the order of the memory.
template <int B, typename T, typename Each>
void for_block_tiles(Map<const T> x, Each each) {
  const int64_t tiles = tiles_of(x.positions), blocks = x.blocks(), count = x.batch * blocks * tiles;
#pragma omp parallel for schedule(static) if (is_parallel(x))
  for (int64_t i = 0; i < count; ++i) {
    const int64_t tile = i % tiles, plane = i / tiles, first = tile * kTile;
    const int64_t size = first + kTile < x.positions ? kTile : x.positions - first;
    each(BlockTile{(plane * x.positions + first) * B, size * B, plane % blocks, plane / blocks * tiles + tile});
  }
}

// The slopes of a block of channels, for vectors of its values.
template <typename T, int B>
inline auto slopes_of(const T* slopes, int64_t block) {
  if constexpr (B == 1) {
    return Lanes<T, kLanes>::all(slopes[block]);
  } else {
    return Lanes<T, B>::load(slopes + block * B);
  }
}

template <typename T, int B>
void prelu_blocks(const PreluArgs<T>& a) {
  constexpr int lanes = B == 1 ? kLanes : B;
  typedef Lanes<T, lanes> L;
  for_block_tiles<B>(a.x, [&](const BlockTile& tile) {
    const T* from = a.x.data + tile.start;
    T* to = a.y.data + tile.start;
    const typename L::vector slopes = slopes_of<T, B>(a.slopes, tile.block);
    int64_t k = 0;
    for (; k + lanes <= tile.values; k += lanes) {
      const typename L::vector value = L::load(from + k);
      L::store(to + k, value > typename L::vector{} ? value : value * slopes);
    }
    for (; k < tile.values; ++k) to[k] = from[k] > 0 ? from[k] : from[k] * slopes[0];  // of plain maps only
  });
}

template <typename T, int B>
void prelu_backward_blocks(const PreluGradArgs<T>& a) {
  constexpr int lanes = B == 1 ? kLanes : B;
  typedef Lanes<T, lanes> L;
  for_block_tiles<B>(a.x, [&](const BlockTile& tile) {
    const T *values = a.x.data + tile.start, *gradients = a.dy.data + tile.start;
    T* dx = a.dx ? a.dx + tile.start : nullptr;
    const typename L::vector slopes = slopes_of<T, B>(a.slopes, tile.block), zero = {};
    typename L::vector total = {};
    int64_t k = 0;
    for (; k + lanes <= tile.values; k += lanes) {
      const typename L::vector value = L::load(values + k), gradient = L::load(gradients + k);
      if (dx) L::store(dx + k, value > zero ? gradient : gradient * slopes);
      total += value > zero ? zero : gradient * value;
    }
    T rest = 0;
    for (; k < tile.values; ++k) {  // of plain maps only
      const T value = values[k], gradient = gradients[k];
      if (dx) dx[k] = value > 0 ? gradient : gradient * slopes[0];
      rest += value > 0 ? T(0) : gradient * value;
    }
    if (!a.dslopes) return;
    T* const dslopes = a.dslopes + tile.number * a.x.channels + tile.block * B;
    if constexpr (B == 1) {
      *dslopes = L::sum(total) + rest;
    } else {
      L::store(dslopes, total);
    }
  });
}

// ---------------------------------------------------------------------------------------------------------- rows

template <typename T>
void prelu_rows(const PreluArgs<T>& a) {
  const int64_t channels = a.x.channels;
  for_tiles(a.x, [&](const Tile& tile) {
    const int64_t start = (tile.sample * a.x.positions + tile.first) * channels;
    const T *from = a.x.data, *slopes = a.slopes;
    T* to = a.y.data;
    for (int64_t at = start; at < start + tile.size * channels; at += channels) {
      for_row<T>(channels, [&](int64_t c, auto lanes) {
        const auto value = lanes.load(from + at + c);
        lanes.store(to + at + c, value > decltype(value){} ? value : value * lanes.load(slopes + c));
      });
    }
  });
}

template <typename T>
void prelu_backward_rows(const PreluGradArgs<T>& a) {
  const int64_t channels = a.x.channels;
  for_tiles(a.x, [&](const Tile& tile) {
    const int64_t start = (tile.sample * a.x.positions + tile.first) * channels;
    const T *x = a.x.data, *dy = a.dy.data, *slopes = a.slopes;
    T *dx = a.dx, *sums = a.dslopes ? a.dslopes + tile.number * channels : nullptr;
    if (sums) std::memset(sums, 0, channels * sizeof(T));
    for (int64_t at = start; at < start + tile.size * channels; at += channels) {
      for_row<T>(channels, [&](int64_t c, auto lanes) {
        const auto value = lanes.load(x + at + c), gradient = lanes.load(dy + at + c);
        const decltype(value) zero = {};
        if (dx) lanes.store(dx + at + c, value > zero ? gradient : gradient * lanes.load(slopes + c));
        if (sums) lanes.store(sums + c, lanes.load(sums + c) + (value > zero ? zero : gradient * value));
      });
    }
  });
}

template <typename T>
void prelu(const PreluArgs<T>& a) {
  CBAM_BY_LAYOUT(a.x.block, prelu_blocks, prelu_rows<T>, a)
}

template <typename T>
void prelu_backward(const PreluGradArgs<T>& a) {
  CBAM_BY_LAYOUT(a.x.block, prelu_backward_blocks, prelu_backward_rows<T>, a)
}
