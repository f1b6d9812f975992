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

void spatial_gate(const SpatialGateArgs& a) {
#pragma omp parallel for schedule(static) if (a.size > kMinParallelPositions)
  for (int64_t i = 0; i < a.size; ++i) a.gate[i] = 1 / (1 + std::exp(-(a.gate[i] * a.factor + a.shift)));
}
