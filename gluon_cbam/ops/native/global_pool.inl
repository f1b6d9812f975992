// GlobalPoolArgs and GlobalPoolGradArgs. Part of kernels.inl.

// -------------------------------------------------------------------------------------------------------- blocks

// One block of B channels; i counts the blocks of all samples.
template <typename T, int B>
struct GlobalPool {
  typedef Lanes<T, B> L;

  static void block(const GlobalPoolArgs<T>& a, const T* x, int64_t i) {
    const int64_t positions = a.x.positions;
    const bool with_argmax = a.argmax != nullptr;
    typename L::vector sum = {}, best = L::all(lowest<T>());
    typename L::int_vector best_at = {};
    for (int64_t p = 0; p < positions; ++p) {
      const typename L::vector value = L::load(x + p * B);
      sum += value;
      if (with_argmax) best_at = value > best ? L::all_int(p) : best_at;
      best = value > best ? value : best;
    }
    for (int lane = 0; lane < B; ++lane) {
      a.mean[i * B + lane] = sum[lane] / positions;
      a.maximum[i * B + lane] = best[lane];
      if (with_argmax) a.argmax[i * B + lane] = static_cast<int32_t>(best_at[lane]);
    }
  }
};

template <typename T>
struct GlobalPool<T, 1> {
  typedef Lanes<T, kLanes> L;

  static void block(const GlobalPoolArgs<T>& a, const T* x, int64_t i) {
    const int64_t positions = a.x.positions;
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
    a.mean[i] = sum / positions;
    a.maximum[i] = best;
    if (!a.argmax) return;
    p = 0;
    while (p < positions && x[p] != best) ++p;
    a.argmax[i] = static_cast<int32_t>(p < positions ? p : 0);  // 0 where no value is a number
  }
};

template <typename T, int B>
void global_pool_blocks(const GlobalPoolArgs<T>& a) {
  const int64_t blocks = a.x.blocks(), count = a.x.batch * blocks;
#pragma omp parallel for schedule(static) if (is_parallel(a.x))
  for (int64_t i = 0; i < count; ++i) GlobalPool<T, B>::block(a, a.x.at(i / blocks, i % blocks), i);
}

template <typename T, int B>
void global_pool_backward_blocks(const GlobalPoolGradArgs<T>& a) {
  constexpr int lanes = B == 1 ? kLanes : B;
  typedef Lanes<T, lanes> L;
  const int64_t blocks = a.dy.blocks(), count = a.dy.batch * blocks, values = a.dy.positions * B;
  const T share = T(1) / a.dy.positions;
#pragma omp parallel for schedule(static) if (is_parallel(a.dy))
  for (int64_t i = 0; i < count; ++i) {
    const T* from = a.dy.at(i / blocks, i % blocks);
    T* to = a.dx.at(i / blocks, i % blocks);
    const typename L::vector added = (B == 1 ? L::all(a.dmean[i]) : L::load(a.dmean + i * B)) * share;
    int64_t k = 0;
    for (; k + lanes <= values; k += lanes) L::store(to + k, L::load(from + k) + added);
    for (; k < values; ++k) to[k] = from[k] + added[0];
    for (int lane = 0; lane < B; ++lane) to[int64_t(a.argmax[i * B + lane]) * B + lane] += a.dmaximum[i * B + lane];
  }
}

// ---------------------------------------------------------------------------------------------------------- rows

// kVectors vectors of channels, the first at x; `at` is the index of its first channel in (N, C).
template <typename T, typename L, int kVectors>
void global_pool_channels(const GlobalPoolArgs<T>& a, const T* x, int64_t at) {
  constexpr int lanes = sizeof(typename L::vector) / sizeof(T);
  const int64_t positions = a.x.positions, channels = a.x.channels;
  const bool with_argmax = a.argmax != nullptr;
  typename L::vector sums[kVectors], bests[kVectors];
  typename L::int_vector bests_at[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    sums[v] = typename L::vector{};
    bests[v] = L::all(lowest<T>());
    bests_at[v] = typename L::int_vector{};
  }
  for (int64_t p = 0; p < positions; ++p) {
    for (int v = 0; v < kVectors; ++v) {
      const typename L::vector value = L::load(x + p * channels + v * lanes);
      sums[v] += value;
      if (with_argmax) bests_at[v] = value > bests[v] ? L::all_int(p) : bests_at[v];
      bests[v] = value > bests[v] ? value : bests[v];
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    for (int lane = 0; lane < lanes; ++lane) {
      const int64_t to = at + v * lanes + lane;
      a.mean[to] = sums[v][lane] / positions;
      a.maximum[to] = bests[v][lane];
      if (with_argmax) a.argmax[to] = static_cast<int32_t>(bests_at[v][lane]);
    }
  }
}

template <typename T>
void global_pool_rows(const GlobalPoolArgs<T>& a) {
  constexpr int kVectors = 4;
  constexpr int64_t width = kVectors * kLanes;
  const int64_t channels = a.x.channels, chunks = (channels + width - 1) / width, count = a.x.batch * chunks;
#pragma omp parallel for schedule(static) if (is_parallel(a.x))
  for (int64_t i = 0; i < count; ++i) {
    const int64_t sample = i / chunks, first = i % chunks * width, at = sample * channels + first;
    const T* from = a.x.at(sample, 0) + first;
    if (channels - first >= width) {
      global_pool_channels<T, Lanes<T, kLanes>, kVectors>(a, from, at);
      continue;
    }
    for_row<T>(channels - first,
               [&](int64_t c, auto lanes) { global_pool_channels<T, decltype(lanes), 1>(a, from + c, at + c); });
  }
}

template <typename T>
void global_pool_backward_rows(const GlobalPoolGradArgs<T>& a) {
  const int64_t channels = a.dy.channels;
  const T share = T(1) / a.dy.positions;
  for_tiles(a.dy, [&](const Tile& tile) {
    const T* means = a.dmean + tile.sample * channels;
    for (int64_t p = tile.first; p < tile.first + tile.size; ++p) {
      const T* from = a.dy.at(tile.sample, 0) + p * channels;
      T* to = a.dx.at(tile.sample, 0) + p * channels;
      for_row<T>(channels, [&](int64_t c, auto lanes) {
        lanes.store(to + c, lanes.load(from + c) + lanes.load(means + c) * share);
      });
    }
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t at = tile.sample * channels + c, p = a.argmax[at];
      const bool here = p >= tile.first && p < tile.first + tile.size;
      if (here) a.dx.at(tile.sample, 0)[p * channels + c] += a.dmaximum[at];
    }
  });
}

template <typename T>
void global_pool(const GlobalPoolArgs<T>& a) {
  CBAM_BY_LAYOUT(a.x.block, global_pool_blocks, global_pool_rows<T>, a)
}

template <typename T>
void global_pool_backward(const GlobalPoolGradArgs<T>& a) {
  CBAM_BY_LAYOUT(a.dy.block, global_pool_backward_blocks, global_pool_backward_rows<T>, a)
}
