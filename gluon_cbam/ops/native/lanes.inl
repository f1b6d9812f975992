// What the passes compute with: vectors of values. Part of kernels.inl and of winograd_avx512.cc.

template <typename T>
struct Whole;
template <>
struct Whole<float> {
  typedef int32_t type;
};
template <>
struct Whole<double> {
  typedef int64_t type;
};

// L lanes of T
template <typename T, int L>
struct Lanes {
  typedef T vector __attribute__((vector_size(L * sizeof(T))));
  typedef typename Whole<T>::type whole;
  typedef whole whole_vector __attribute__((vector_size(L * sizeof(whole))));

  static inline vector load(const T* from) {
    vector value;
    std::memcpy(&value, from, sizeof(value));
    return value;
  }
  static inline void store(T* to, vector value) { std::memcpy(to, &value, sizeof(value)); }
  static inline vector all(T value) { return value - vector{}; }
  static inline whole_vector all_whole(whole value) { return value - whole_vector{}; }
  static inline whole_vector count() {
    whole_vector value;
    for (int lane = 0; lane < L; ++lane) value[lane] = lane;
    return value;
  }
  static inline T sum(vector value) {
    T total = 0;
    for (int lane = 0; lane < L; ++lane) total += value[lane];
    return total;
  }
};

// x where the channels from `channel` on are in the lanes of the map that lies in its place
template <typename L, typename T>
struct Normal {
  typename L::vector mean, factor, offset;

  Normal(const Normalization<T>& of_map, int64_t channel)
      : mean(L::load(of_map.mean + channel)),
        factor(L::load(of_map.factor + channel)),
        offset(L::load(of_map.offset + channel)) {}

  inline typename L::vector x(typename L::vector value) const { return (value - mean) * factor + offset; }
};

constexpr int kLanes = 16;  // of plain maps, along the positions

template <typename T>
constexpr T lowest() {
  return -std::numeric_limits<T>::infinity();
}
