// Loops over maps, and the choice of a template by the layout. Part of kernels.inl.

// Some positions of a sample: [first, first + size). `number` counts the tiles of all samples.
struct Tile {
  int64_t sample, first, size, number;
};

// Calls each(tile) for every tile of a map; by one thread unless the map is large.
template <typename Value, typename Each>
void for_tiles(Map<Value> map, Each each, int64_t min_parallel_size = kMinParallelValues) {
  const int64_t positions = map.positions, tiles = tiles_of(positions), count = map.batch * tiles;
#pragma omp parallel for schedule(static) if (is_parallel(map, min_parallel_size))
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = i % tiles * kTile;
    each(Tile{i / tiles, first, first + kTile < positions ? kTile : positions - first, i});
  }
}

// Calls each(channel, lanes) along a row of channels; lanes: Lanes<T, kLanes>, and Lanes<T, 1> for the last ones.
template <typename T, typename Each>
inline __attribute__((always_inline)) void for_row(int64_t channels, Each each) {
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) each(c, Lanes<T, kLanes>());
  for (; c < channels; ++c) each(c, Lanes<T, 1>());
}

// The gates of a block of channels, or 1.
template <typename T, int B>
inline auto factor_of(const T* gate, int64_t at) {
  if constexpr (B == 1) {
    return gate ? gate[at] : T(1);
  } else {
    return gate ? Lanes<T, B>::load(gate + at) : Lanes<T, B>::all(1);
  }
}

// Calls blocks<T, B>(args) for maps of blocks of B channels, rows(args) for (N, H, W, C).
#define CBAM_BY_LAYOUT(block, blocks, rows, args) \
  switch (block) {                                \
    case 1:                                       \
      return blocks<T, 1>(args);                  \
    case 8:                                       \
      return blocks<T, 8>(args);                  \
    case 16:                                      \
      return blocks<T, 16>(args);                 \
    default:                                      \
      return rows(args);                          \
  }
