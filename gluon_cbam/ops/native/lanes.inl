// Vectors of values, on GCC's vector extension. Part of kernels.inl and of winograd.inl.

template <typename T>
struct IntegerOf;
template <>
struct IntegerOf<float> {
  typedef int32_t type;
};
template <>
struct IntegerOf<double> {
  typedef int64_t type;
};

// The lanes of a vector as one value: combine(a, b), of vectors and of values, is applied to halves again and again.
template <int L, typename T, typename Vector, typename Combine>
inline T fold_lanes(Vector value, Combine combine) {
  if constexpr (L == 1) {
    return value[0];
  } else if constexpr (L == 2) {
    return combine(value[0], value[1]);
  } else {
    typedef T Half __attribute__((vector_size(L / 2 * sizeof(T))));
    Half low, high;
    std::memcpy(&low, &value, sizeof(low));
    std::memcpy(&high, reinterpret_cast<const char*>(&value) + sizeof(low), sizeof(high));
    return fold_lanes<L / 2, T>(combine(low, high), combine);
  }
}

// L lanes of T
template <typename T, int L>
struct Lanes {
  typedef T vector __attribute__((vector_size(L * sizeof(T))));
  typedef typename IntegerOf<T>::type integer;
  typedef integer int_vector __attribute__((vector_size(L * sizeof(integer))));

  static inline vector load(const T* from) {
    vector value;
    std::memcpy(&value, from, sizeof(value));
    return value;
  }
  static inline void store(T* to, vector value) { std::memcpy(to, &value, sizeof(value)); }
  static inline vector all(T value) { return value - vector{}; }
  static inline int_vector all_int(integer value) { return value - int_vector{}; }
  static inline int_vector indices() {
    int_vector value;
    for (int lane = 0; lane < L; ++lane) value[lane] = lane;
    return value;
  }
  static inline T sum(vector value) {
    return fold_lanes<L, T>(value, [](auto a, auto b) { return a + b; });
  }
  static inline T maximum(vector value) {
    return fold_lanes<L, T>(value, [](auto a, auto b) { return a > b ? a : b; });
  }
  static inline integer minimum_int(int_vector value) {
    return fold_lanes<L, integer>(value, [](auto a, auto b) { return a < b ? a : b; });
  }
};

// A Normalization for the channels from `channel` on, one in each lane.
template <typename L, typename T>
struct Normalizer {
  typename L::vector mean, factor, offset;

  Normalizer(const Normalization<T>& norm, int64_t channel)
      : mean(L::load(norm.mean + channel)),
        factor(L::load(norm.factor + channel)),
        offset(L::load(norm.offset + channel)) {}

  inline typename L::vector x(typename L::vector value) const { return (value - mean) * factor + offset; }
};

constexpr int kLanes = 16;  // of plain maps, along the positions

template <typename T>
constexpr T lowest() {
  return -std::numeric_limits<T>::infinity();
}
