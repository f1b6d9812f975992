// GateConvolutionArgs and GateConvolutionGradArgs. Part of kernels.inl.
//
// Vectors run along a PaddedPlane, across the ends of rows, so that narrow maps fill them, too. What they hold between
// two rows is left out of the outputs; gradients of outputs are 0 there.

template <typename T>
struct GateVectors {
  static constexpr int kLanes = kGateLanes<T>, kCount = 4;  // kCount are processed at a time, in registers
  static constexpr int64_t kPositions = kLanes * kCount;
  typedef Lanes<T, kLanes> L;
};

template <typename T>
void pad_planes(const T* from, int64_t count, const PaddedPlane& plane, bool is_parallel, T* to) {
  const int64_t size = plane.size(), origin = plane.origin(), row = plane.row();
#pragma omp parallel for schedule(static) if (is_parallel)
  for (int64_t i = 0; i < count; ++i) {
    const T* values = from + i * plane.height * plane.width;
    T* padded = to + i * size;
    std::fill(padded, padded + size, T(0));
    for (int64_t y = 0; y < plane.height; ++y) {
      std::memcpy(padded + origin + y * row, values + y * plane.width, plane.width * sizeof(T));
    }
  }
}

// Convolves the padded maps of a sample at the next positions; `maps` is moved to the first of them.
template <typename T>
inline void convolve_positions(const GateConvolutionArgs<T>& a, const T* maps, const T* weight, T start, T* sums) {
  typedef typename GateVectors<T>::L L;
  constexpr int kCount = GateVectors<T>::kCount, kLanes = GateVectors<T>::kLanes;
  const int64_t row = a.plane.row(), side = a.plane.side, size = a.plane.size();
  typename L::vector sum[kCount];
  for (int v = 0; v < kCount; ++v) sum[v] = L::all(start);
  for (int64_t map = 0; map < a.inputs; ++map) {
    for (int64_t i = 0; i < side; ++i) {
      const T* from = maps + map * size + i * row;
      for (int64_t j = 0; j < side; ++j) {
        const T factor = *weight++;
        for (int v = 0; v < kCount; ++v) sum[v] += factor * L::load(from + j + v * kLanes);
      }
    }
  }
  for (int v = 0; v < kCount; ++v) L::store(sums + v * kLanes, sum[v]);
}

// Copies `count` values at the positions from `first` on of a padded plane to a map, without those between the rows.
template <typename T>
inline void copy_positions(const T* values, int64_t first, int64_t count, const PaddedPlane& plane, T* map) {
  const int64_t row = plane.row(), width = plane.width, last = first + count;
  for (int64_t y = first / row; y < plane.height && y * row < last; ++y) {
    const int64_t start = y * row > first ? y * row : first, stop = y * row + width < last ? y * row + width : last;
    T* to = map + y * (width - row);
    for (int64_t p = start; p < stop; ++p) to[p] = values[p - first];
  }
}

template <typename T>
void gate_convolution(const GateConvolutionArgs<T>& a) {
  constexpr int64_t kPositions = GateVectors<T>::kPositions;
  const PaddedPlane& plane = a.plane;
  const int64_t size = plane.size(), chunks = plane.positions() / kPositions;
  pad_planes(a.maps, a.batch * a.inputs, plane, a.is_parallel(), a.workspace);
#pragma omp parallel for schedule(static) if (a.is_parallel())
  for (int64_t i = 0; i < a.batch * a.outputs * chunks; ++i) {
    const int64_t output = i / chunks, channel = output % a.outputs, first = i % chunks * kPositions;
    T sums[kPositions];
    convolve_positions(a, a.workspace + output / a.outputs * a.inputs * size + first,
                       a.weight + channel * a.inputs * plane.side * plane.side, a.bias ? a.bias[channel] : T(0), sums);
    copy_positions(sums, first, kPositions, plane, a.y + output * plane.height * plane.width);
  }
}

// Adds the products of some gradients with the maps that belong to them to the sums of a group.
template <typename T>
inline void add_products(const GateConvolutionGradArgs<T>& a, const T* maps, const T* dy, T* sums) {
  typedef typename GateVectors<T>::L L;
  constexpr int kCount = GateVectors<T>::kCount, kLanes = GateVectors<T>::kLanes;
  const int64_t row = a.plane.row(), side = a.plane.side, size = a.plane.size();
  typename L::vector gradient[kCount];
  for (int v = 0; v < kCount; ++v) gradient[v] = L::load(dy + v * kLanes);
  for (int64_t map = 0; map < a.channels; ++map) {
    for (int64_t i = 0; i < side; ++i) {
      const T* from = maps + map * size + i * row;
      for (int64_t j = 0; j < side; ++j, sums += kLanes) {
        typename L::vector sum = L::load(sums);
        for (int v = 0; v < kCount; ++v) sum += gradient[v] * L::load(from + j + v * kLanes);
        L::store(sums, sum);
      }
    }
  }
  typename L::vector total = L::load(sums);
  for (int v = 0; v < kCount; ++v) total += gradient[v];
  L::store(sums, total);
}

template <typename T>
void gate_convolution_backward(const GateConvolutionGradArgs<T>& a) {
  const PaddedPlane& plane = a.plane;
  const int64_t size = plane.size(), group = a.samples_in_group();
  T* const maps = a.workspace;
  T* const dy = maps + a.batch * a.channels * size;
  pad_planes(a.maps, a.batch * a.channels, plane, a.is_parallel(), maps);
  pad_planes(a.dy, a.batch, plane, a.is_parallel(), dy);
#pragma omp parallel for schedule(static) if (a.is_parallel())
  for (int64_t i = 0; i < a.groups(); ++i) {
    T* sums = a.sums + i * a.sums_of_group();
    std::fill(sums, sums + a.sums_of_group(), T(0));
    for (int64_t n = i * group; n < a.batch && n < (i + 1) * group; ++n) {
      for (int64_t p = 0; p < plane.positions(); p += GateVectors<T>::kPositions) {
        add_products(a, maps + n * a.channels * size + p, dy + n * size + plane.origin() + p, sums);
      }
    }
  }
}
