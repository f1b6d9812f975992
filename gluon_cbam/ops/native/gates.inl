// ChannelGateArgs and SpatialGateArgs, for inference. Part of kernels.inl.

inline float dot(const float* a, const float* b, int64_t size) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

void channel_gate(const ChannelGateArgs& a) {
  const int64_t batch = a.batch, channels = a.channels, hidden = a.hidden;
#pragma omp parallel for schedule(static) if (batch * hidden * channels > kMinParallelProducts)
  for (int64_t i = 0; i < batch * hidden; ++i) {
    const int64_t sample = i / hidden, unit = i % hidden;
    const float* weights = a.weight1 + unit * channels;
    const float first = dot(weights, a.mean + sample * channels, channels) + a.bias1[unit];
    const float second = dot(weights, a.maximum + sample * channels, channels) + a.bias1[unit];
    // the second layer is linear: it is applied to the sum
    a.workspace[i] = (first > 0 ? first : 0) + (second > 0 ? second : 0);
  }
#pragma omp parallel for schedule(static) if (batch * hidden * channels > kMinParallelProducts)
  for (int64_t i = 0; i < batch * channels; ++i) {
    const int64_t sample = i / channels, channel = i % channels;
    const float* units = a.workspace + sample * hidden;
    const float logit = dot(a.weight2 + channel * hidden, units, hidden) + 2 * a.bias2[channel];
    a.gate[i] = 1 / (1 + std::exp(-logit));
  }
}

// Writes the maps to the workspace, with zeros around them, and behind each row, so that vectors of kLanes fit.
void pad_maps(const SpatialGateArgs& a) {
  const int64_t margin = a.side / 2, padded_width = a.padded_width(), padded_height = a.height + 2 * margin;
#pragma omp parallel for schedule(static) if (a.is_parallel())
  for (int64_t row = 0; row < a.batch * 2 * padded_height; ++row) {
    float* to = a.workspace + row * padded_width;
    const int64_t y = row % padded_height - margin;
    std::fill(to, to + padded_width, 0.f);
    if (y < 0 || y >= a.height) continue;
    const float* from = a.maps + (row / padded_height * a.height + y) * a.width;
    std::memcpy(to + margin, from, a.width * sizeof(float));
  }
}

void spatial_gate(const SpatialGateArgs& a) {
  typedef Lanes<float, kLanes> L;
  const int64_t padded_width = a.padded_width(), padded_height = a.height + a.side - 1;
  const int64_t height = a.height, width = a.width, side = a.side;
  pad_maps(a);
#pragma omp parallel for schedule(static) if (a.is_parallel())
  for (int64_t row = 0; row < a.batch * height; ++row) {
    const float* top = a.workspace + (row / height * 2 * padded_height + row % height) * padded_width;
    for (int64_t x = 0; x < width; x += kLanes) {
      L::vector sum = {};
      const float* weight = a.weight;
      for (int64_t map = 0; map < 2; ++map) {
        for (int64_t i = 0; i < side; ++i) {
          const float* from = top + (map * padded_height + i) * padded_width + x;
          for (int64_t j = 0; j < side; ++j) sum += *weight++ * L::load(from + j);
        }
      }
      for (int64_t i = 0; i < kLanes && x + i < width; ++i) {
        a.gate[row * width + x + i] = 1 / (1 + std::exp(-(sum[i] * a.factor + a.shift)));
      }
    }
  }
}
