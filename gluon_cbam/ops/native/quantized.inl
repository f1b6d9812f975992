// The passes over maps of eight-bit integers, (N, H, W, C), whose values are integers times a step; for inference. Part
// of kernels.inl. Plain loops: GCC 12 turns vectors of bytes into wider ones a lane at a time.

constexpr int64_t kPooled = 64;  // channels that are pooled at a time

// Some channels, kWidth of them where that is not 0: then the sums stay in registers.
template <typename Q, int64_t kWidth>
void pool_run(const Q* x, int64_t positions, int64_t channels, int64_t some, int32_t* sums, int32_t* bests) {
  const int64_t width = kWidth ? kWidth : some;
  int32_t sum[kPooled] = {}, best[kPooled];
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
void quantized_pool(Map<const Q> x, float step, float* mean, float* maximum) {
  const int64_t channels = x.channels, chunks = (channels + kPooled - 1) / kPooled, count = x.batch * chunks;
  const float share = step / x.positions;
#pragma omp parallel for schedule(static) if (is_large(x, kAloneWhole))
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = i % chunks * kPooled, at = i / chunks * channels + first;
    const int64_t width = first + kPooled < channels ? kPooled : channels - first;
    const auto run = width == kPooled ? pool_run<Q, kPooled> : pool_run<Q, 0>;
    int32_t sums[kPooled], bests[kPooled];
    run(x.at(i / chunks, 0) + first, x.positions, channels, width, sums, bests);
    for (int64_t c = 0; c < width; ++c) {
      mean[at + c] = sums[c] * share;
      maximum[at + c] = bests[c] * step;
    }
  }
}

template <typename Q>
void quantized_describe(Map<const Q> x, float step, const float* gate, float* maximum, float* mean, int64_t stride) {
  const int64_t channels = x.channels;
  for_tiles(x, [&](int64_t sample, int64_t first, int64_t size, int64_t) {
    const float* gates = gate + sample * channels;
    for (int64_t p = first; p < first + size; ++p) {
      const Q* from = x.at(sample, 0) + p * channels;
      float sum = 0, best = lowest<float>();
#pragma omp simd reduction(+ : sum) reduction(max : best)
      for (int64_t c = 0; c < channels; ++c) {
        const float value = from[c] * gates[c];
        sum += value;
        best = value > best ? value : best;
      }
      maximum[sample * stride + p] = best * step;
      mean[sample * stride + p] = sum * step / channels;
    }
  }, kAloneWhole);
}

// A run of channels of quantized_scale; each step in a loop of its own, since GCC leaves a loop over both bytes and
// floats to the scalar units.
template <typename S>
inline void quantized_scale_run(const int8_t* __restrict x, const float* __restrict gates, float gate,
                                const S* __restrict shortcut, float other, int64_t size, uint8_t* __restrict y) {
  float values[kPooled];
  int32_t rounded[kPooled];
#pragma omp simd
  for (int64_t c = 0; c < size; ++c) values[c] = x[c] * gates[c] * gate;
#pragma omp simd
  for (int64_t c = 0; c < size; ++c) values[c] += shortcut[c] * other;
#pragma omp simd
  for (int64_t c = 0; c < size; ++c) {
    const float value = values[c] > 0.f ? values[c] : 0.f;
    rounded[c] = static_cast<int32_t>((value < 255.f ? value : 255.f) + 0.5f);  // half: to the nearest integer
  }
#pragma omp simd
  for (int64_t c = 0; c < size; ++c) y[c] = static_cast<uint8_t>(rounded[c]);
}

template <typename S>
void quantized_scale(Map<const int8_t> x, float step, const float* channel, const float* spatial, const S* shortcut,
                     float shortcut_step, float output_step, uint8_t* y) {
  const int64_t channels = x.channels;
  const float own = step / output_step, other = shortcut_step / output_step;
  for_tiles(x, [&](int64_t sample, int64_t first, int64_t size, int64_t) {
    const float* gates = channel + sample * channels;
    for (int64_t p = first; p < first + size; ++p) {
      const int64_t start = (sample * x.positions + p) * channels;
      const float gate = spatial[sample * x.positions + p] * own;
      int64_t c = 0;
      for (; c + kPooled <= channels; c += kPooled) {
        quantized_scale_run(x.data + start + c, gates + c, gate, shortcut + start + c, other, kPooled, y + start + c);
      }
      quantized_scale_run(x.data + start + c, gates + c, gate, shortcut + start + c, other, channels - c,
                          y + start + c);
    }
  }, kAloneWhole);
}

inline float dot(const float* a, const float* b, int64_t size) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

void gate_of_pooled(const float* mean, const float* maximum, const Mlp& mlp, int64_t batch, float* beside,
                    float* gate) {
  const int64_t channels = mlp.channels, hidden = mlp.hidden;
#pragma omp parallel for schedule(static) if (batch * hidden * channels > kAloneProducts)
  for (int64_t i = 0; i < batch * hidden; ++i) {
    const int64_t sample = i / hidden, unit = i % hidden;
    const float* weights = mlp.weight1 + unit * channels;
    const float first = dot(weights, mean + sample * channels, channels) + mlp.bias1[unit];
    const float second = dot(weights, maximum + sample * channels, channels) + mlp.bias1[unit];
    beside[i] = (first > 0 ? first : 0) + (second > 0 ? second : 0);  // the second layer is linear: one pass for both
  }
#pragma omp parallel for schedule(static) if (batch * hidden * channels > kAloneProducts)
  for (int64_t i = 0; i < batch * channels; ++i) {
    const int64_t sample = i / channels, channel = i % channels;
    const float logit = dot(mlp.weight2 + channel * hidden, beside + sample * hidden, hidden) + 2 * mlp.bias2[channel];
    gate[i] = 1 / (1 + std::exp(-logit));
  }
}

// A row of the padded descriptors of a sample: zeros around, and behind, so that vectors of kLanes fit.
void pad_descriptors(const float* descriptors, const Stencil& of, float* padded) {
  const int64_t margin = of.side / 2, wide = of.padded_width(), tall = of.height + 2 * margin;
#pragma omp parallel for schedule(static) if (of.is_large())
  for (int64_t row = 0; row < of.batch * 2 * tall; ++row) {
    float* to = padded + row * wide;
    const int64_t y = row % tall - margin;
    std::fill(to, to + wide, 0.f);
    if (y < 0 || y >= of.height) continue;
    std::memcpy(to + margin, descriptors + (row / tall * of.height + y) * of.width, of.width * sizeof(float));
  }
}

void spatial_gate(const float* descriptors, const Stencil& of, float* beside, float* gate) {
  typedef Lanes<float, kLanes> L;
  const int64_t wide = of.padded_width(), tall = of.height + of.side - 1;
  pad_descriptors(descriptors, of, beside);
#pragma omp parallel for schedule(static) if (of.is_large())
  for (int64_t row = 0; row < of.batch * of.height; ++row) {
    const float* top = beside + (row / of.height * 2 * tall + row % of.height) * wide;
    for (int64_t x = 0; x < of.width; x += kLanes) {
      L::vector sum = {};
      const float* weight = of.weight;
      for (int64_t channel = 0; channel < 2; ++channel) {
        for (int64_t i = 0; i < of.side; ++i) {
          const float* from = top + (channel * tall + i) * wide + x;
          for (int64_t j = 0; j < of.side; ++j) sum += *weight++ * L::load(from + j);
        }
      }
      for (int64_t i = 0; i < kLanes && x + i < of.width; ++i) {
        gate[row * of.width + x + i] = 1 / (1 + std::exp(-(sum[i] * of.factor + of.shift)));
      }
    }
  }
}
