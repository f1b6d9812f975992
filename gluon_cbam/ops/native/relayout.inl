// Copies a map to another layout. Part of kernels.inl.

template <typename T>
void relayout(Map<const T> from, Map<T> to) {
  const int64_t channels = from.channels, positions = from.positions;
  const int64_t run = from.block < to.block ? from.block : to.block;  // channels next to each other in both
#pragma omp parallel for schedule(static) if (is_parallel(from))
  for (int64_t i = 0; i < from.batch * (channels / run); ++i) {
    const int64_t sample = i / (channels / run), channel = i % (channels / run) * run;
    const T* source = from.at(sample, channel / from.block) + channel % from.block;
    T* target = to.at(sample, channel / to.block) + channel % to.block;
    for (int64_t p = 0; p < positions; ++p) {
      const T* values = source + p * from.block;
      T* place = target + p * to.block;
      if (run == 16) {
        std::memcpy(place, values, 16 * sizeof(T));
      } else {
        for (int64_t c = 0; c < run; ++c) place[c] = values[c];
      }
    }
  }
}
