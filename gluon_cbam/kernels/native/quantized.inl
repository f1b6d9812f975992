// The passes over maps of eight-bit integers, (N, H, W, C), whose values are integers times a step; for inference. Part of
// kernels.inl.

template <typename Q>
struct Integers {
  typedef Q vector __attribute__((vector_size(kLanes)));
  typedef int32_t wide_vector __attribute__((vector_size(kLanes * sizeof(int32_t))));
  typedef Lanes<float, kLanes> L;

  static inline wide_vector load_wide(const Q* from) {
    vector value;
    std::memcpy(&value, from, sizeof(value));
    return __builtin_convertvector(value, wide_vector);
  }
  static inline L::vector load(const Q* from) { return __builtin_convertvector(load_wide(from), L::vector); }
  // values within the integers' range, to the nearest
  static inline void store(Q* to, L::vector value) {
    const vector rounded = __builtin_convertvector(__builtin_convertvector(value + 0.5f, wide_vector), vector);
    std::memcpy(to, &rounded, sizeof(rounded));
  }
};

template <typename Q>
void quantized_pool(Map<const Q> x, float step, float* mean, float* maximum) {
  typedef Integers<Q> I;
  const int64_t channels = x.channels, chunks = channels / kLanes, count = x.batch * chunks;
  const float share = step / x.positions;
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; ++i) {
    const int64_t at = i / chunks * channels + i % chunks * kLanes;
    const Q* from = x.at(i / chunks, 0) + i % chunks * kLanes;
    typename I::wide_vector sum = {}, best = I::load_wide(from);
    for (int64_t p = 0; p < x.positions; ++p) {
      const typename I::wide_vector value = I::load_wide(from + p * channels);
      sum += value;
      best = value > best ? value : best;
    }
    for (int lane = 0; lane < kLanes; ++lane) {
      mean[at + lane] = sum[lane] * share;
      maximum[at + lane] = best[lane] * step;
    }
  }
}

template <typename Q>
void quantized_describe(Map<const Q> x, float step, const float* gate, float* maximum, float* mean, int64_t stride) {
  typedef Integers<Q> I;
  typedef Lanes<float, kLanes> L;
  const int64_t channels = x.channels;
  for_tiles(x.batch, x.positions, [&](int64_t sample, int64_t first, int64_t size, int64_t) {
    const float* gates = gate + sample * channels;
    for (int64_t p = first; p < first + size; ++p) {
      const Q* from = x.at(sample, 0) + p * channels;
      L::vector sums = {}, bests = L::all(lowest<float>());
      for (int64_t c = 0; c < channels; c += kLanes) {
        const L::vector value = I::load(from + c) * L::load(gates + c);
        sums += value;
        bests = value > bests ? value : bests;
      }
      float best = bests[0];
      for (int lane = 1; lane < kLanes; ++lane) best = bests[lane] > best ? bests[lane] : best;
      maximum[sample * stride + p] = best * step;
      mean[sample * stride + p] = L::sum(sums) * step / channels;
    }
  });
}

template <typename S>
void quantized_scale(Map<const int8_t> x, float step, const float* channel, const float* spatial, const S* shortcut,
                     float shortcut_step, float output_step, uint8_t* y) {
  typedef Lanes<float, kLanes> L;
  const int64_t channels = x.channels;
  const float own = step / output_step, other = shortcut_step / output_step;
  const L::vector highest = L::all(255), zero = {};
  for_tiles(x.batch, x.positions, [&](int64_t sample, int64_t first, int64_t size, int64_t) {
    const float* gates = channel + sample * channels;
    for (int64_t p = first; p < first + size; ++p) {
      const int64_t start = (sample * x.positions + p) * channels;
      const float gate = spatial[sample * x.positions + p] * own;
      for (int64_t c = 0; c < channels; c += kLanes) {
        L::vector value = Integers<int8_t>::load(x.data + start + c) * L::load(gates + c) * gate;
        value += Integers<S>::load(shortcut + start + c) * other;
        value = value > zero ? value : zero;
        value = value < highest ? value : highest;
        Integers<uint8_t>::store(y + start + c, value);
      }
    }
  });
}
