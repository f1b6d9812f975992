// PReLU and its gradients. Part of kernels.inl.

// Calls each(first value, values, block, number of the tile) for every tile of every block of channels; the values of a
// tile lie together, and the order is that of the memory.
template <int B, typename T, typename Each>
void for_block_tiles(Map<const T> x, Each each) {
  const int64_t tiles = tiles_of(x.positions), blocks = x.blocks(), count = x.batch * blocks * tiles;
#pragma omp parallel for schedule(static) if (is_large(x))
  for (int64_t i = 0; i < count; ++i) {
    const int64_t tile = i % tiles, plane = i / tiles, first = tile * kTile;
    const int64_t size = first + kTile < x.positions ? kTile : x.positions - first;
    each((plane * x.positions + first) * B, size * B, plane % blocks, plane / blocks * tiles + tile);
  }
}

// The slopes of a block of channels, for vectors of its values.
template <typename T, int B>
inline auto slopes_of(const T* gamma, int64_t block) {
  if constexpr (B == 1) {
    return Lanes<T, kLanes>::all(gamma[block]);
  } else {
    return Lanes<T, B>::load(gamma + block * B);
  }
}

template <typename T, int B>
void prelu_blocks(Map<const T> x, const T* gamma, Map<T> y) {
  constexpr int lanes = B == 1 ? kLanes : B;
  typedef Lanes<T, lanes> L;
  for_block_tiles<B>(x, [&](int64_t start, int64_t size, int64_t block, int64_t) {
    const T* from = x.data + start;
    T* to = y.data + start;
    const typename L::vector slopes = slopes_of<T, B>(gamma, block);
    int64_t k = 0;
    for (; k + lanes <= size; k += lanes) {
      const typename L::vector value = L::load(from + k);
      L::store(to + k, value > typename L::vector{} ? value : value * slopes);
    }
    for (; k < size; ++k) to[k] = from[k] > 0 ? from[k] : from[k] * slopes[0];  // of plain maps only
  });
}

template <typename T>
void prelu_rows(Map<const T> x, const T* gamma, Map<T> y) {
  for_tiles(x, [&](int64_t sample, int64_t first, int64_t size, int64_t) {
    const int64_t start = (sample * x.positions + first) * x.channels;
    for (int64_t at = start; at < start + size * x.channels; at += x.channels) {
      for_row<T>(x.channels, [&](int64_t c, auto lanes) {
        const auto value = lanes.load(x.data + at + c);
        lanes.store(y.data + at + c, value > decltype(value){} ? value : value * lanes.load(gamma + c));
      });
    }
  });
}

template <typename T, int B>
void prelu_backward_blocks(Map<const T> x, const T* gamma, Map<const T> dy, T* dx, T* dgamma) {
  constexpr int lanes = B == 1 ? kLanes : B;
  typedef Lanes<T, lanes> L;
  for_block_tiles<B>(x, [&](int64_t start, int64_t size, int64_t block, int64_t number) {
    const T *values = x.data + start, *gradients = dy.data + start;
    const typename L::vector slopes = slopes_of<T, B>(gamma, block), zero = {};
    typename L::vector total = {};
    int64_t k = 0;
    for (; k + lanes <= size; k += lanes) {
      const typename L::vector value = L::load(values + k), gradient = L::load(gradients + k);
      if (dx) L::store(dx + start + k, value > zero ? gradient : gradient * slopes);
      total += value > zero ? zero : gradient * value;
    }
    T rest = 0;
    for (; k < size; ++k) {  // of plain maps only
      const T value = values[k], gradient = gradients[k];
      if (dx) dx[start + k] = value > 0 ? gradient : gradient * slopes[0];
      rest += value > 0 ? T(0) : gradient * value;
    }
    if (!dgamma) return;
    if constexpr (B == 1) {
      dgamma[number * x.channels + block] = L::sum(total) + rest;
    } else {
      L::store(dgamma + number * x.channels + block * B, total);
    }
  });
}

template <typename T>
void prelu_backward_rows(Map<const T> x, const T* gamma, Map<const T> dy, T* dx, T* dgamma) {
  for_tiles(x, [&](int64_t sample, int64_t first, int64_t size, int64_t number) {
    const int64_t start = (sample * x.positions + first) * x.channels;
    T* sums = dgamma ? dgamma + number * x.channels : nullptr;
    if (sums) std::memset(sums, 0, x.channels * sizeof(T));
    for (int64_t at = start; at < start + size * x.channels; at += x.channels) {
      for_row<T>(x.channels, [&](int64_t c, auto lanes) {
        const auto value = lanes.load(x.data + at + c), gradient = lanes.load(dy.data + at + c);
        const decltype(value) zero = {};
        if (dx) lanes.store(dx + at + c, value > zero ? gradient : gradient * lanes.load(gamma + c));
        if (sums) lanes.store(sums + c, lanes.load(sums + c) + (value > zero ? zero : gradient * value));
      });
    }
  });
}

template <typename T>
void prelu(Map<const T> x, const T* gamma, Map<T> y) {
  CBAM_BY_BLOCK(prelu_blocks, prelu_rows<T>, x.block, x, gamma, y);
}

template <typename T>
void prelu_backward(Map<const T> x, const T* gamma, Map<const T> dy, T* dx, T* dgamma) {
  CBAM_BY_BLOCK(prelu_backward_blocks, prelu_backward_rows<T>, x.block, x, gamma, dy, dx, dgamma);
}
