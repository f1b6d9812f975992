// Winograd's convolution, included once for each instruction set: CBAM_VARIANT is its name, CBAM_LANES the number of
// floats in a register, and CBAM_ROWS the rows of a matrix product whose sums, two registers each, are held in
// registers.

namespace cbam {
namespace {

#include "lanes.inl"

constexpr int kVector = CBAM_LANES;
typedef Lanes<float, kVector> L;
typedef L::vector Vector;

constexpr int64_t kWide = 2 * kVector, kOutput = kWinogradOutput, kInput = kWinogradInput;
constexpr int64_t kPoints = kWinogradPoints;
constexpr int kRows = CBAM_ROWS;
constexpr int64_t kGroup = 28 / kRows * kRows;  // tiles that are processed together, so that they stay in the L2 cache
constexpr int64_t kBatch = 128;                 // the same for the gradient of weights, which is summed over all tiles
constexpr int64_t kPad = kVector;               // keeps rows from mapping to the same sets of a cache

// The points of the interpolation are 0, +-a, +-b and infinity; with 5/8 and 3/2 the errors are a quarter of those with
// 1 and 2, and both numbers are exact in float.
constexpr float a = 0.625f, b = 1.5f, a2 = a * a, b2 = b * b;
constexpr float kAt0 = 1 / (a2 * b2), kAtA = 1 / (2 * a2 * (a2 - b2)), kAtB = 1 / (2 * b2 * (b2 - a2));

// The values at +-a and +-b from the even and the odd part at each.
inline void to_both_signs(Vector even_a, Vector odd_a, Vector even_b, Vector odd_b, Vector* to) {
  to[1] = even_a + odd_a;
  to[2] = even_a - odd_a;
  to[3] = even_b + odd_b;
  to[4] = even_b - odd_b;
}

inline void to_input_points(const Vector* d, Vector* to) {
  const Vector even_a = d[4] - b2 * d[2], odd_a = a * (d[3] - b2 * d[1]);
  const Vector even_b = d[4] - a2 * d[2], odd_b = b * (d[3] - a2 * d[1]);
  to[0] = a2 * b2 * d[0] - (a2 + b2) * d[2] + d[4];
  to_both_signs(even_a, odd_a, even_b, odd_b, to);
  to[5] = a2 * b2 * d[1] - (a2 + b2) * d[3] + d[5];
}

inline void to_weight_points(const Vector* g, Vector* to) {
  const Vector even_a = kAtA * (g[0] + a2 * g[2]), odd_a = kAtA * a * g[1];
  const Vector even_b = kAtB * (g[0] + b2 * g[2]), odd_b = kAtB * b * g[1];
  to[0] = kAt0 * g[0];
  to_both_signs(even_a, odd_a, even_b, odd_b, to);
  to[5] = g[2];
}

// The transposes of from_points and to_weight_points, for the gradients.
inline void gradient_to_points(const Vector* d, Vector* to) {
  const Vector even_a = d[0] + a2 * d[2], odd_a = a * d[1] + a2 * a * d[3];
  const Vector even_b = d[0] + b2 * d[2], odd_b = b * d[1] + b2 * b * d[3];
  to[0] = d[0];
  to_both_signs(even_a, odd_a, even_b, odd_b, to);
  to[5] = d[3];
}

inline void gradient_from_points(const Vector* m, Vector* to) {
  const Vector even_a = kAtA * (m[1] + m[2]), even_b = kAtB * (m[3] + m[4]);
  to[0] = kAt0 * m[0] + even_a + even_b;
  to[1] = kAtA * a * (m[1] - m[2]) + kAtB * b * (m[3] - m[4]);
  to[2] = a2 * even_a + b2 * even_b + m[5];
}

inline void from_points(const Vector* m, Vector* to) {
  const Vector even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
  to[0] = m[0] + even_a + even_b;
  to[1] = a * odd_a + b * odd_b;
  to[2] = a2 * even_a + b2 * even_b;
  to[3] = a2 * a * odd_a + b2 * b * odd_b + m[5];
}

// Transforms a square in both directions: `from(i, j)`, kFrom x kFrom vectors, to `to(i, j, value)`, kTo x kTo.
template <int64_t kFrom, int64_t kTo, void (*kTransform)(const Vector*, Vector*), typename From, typename To>
inline void transform_square(From from, To to) {
  Vector half[kTo][kFrom], line[kFrom], out[kTo];
  for (int64_t j = 0; j < kFrom; ++j) {
    for (int64_t i = 0; i < kFrom; ++i) line[i] = from(i, j);
    kTransform(line, out);
    for (int64_t i = 0; i < kTo; ++i) half[i][j] = out[i];
  }
  for (int64_t i = 0; i < kTo; ++i) {
    kTransform(half[i], out);
    for (int64_t j = 0; j < kTo; ++j) to(i, j, out[j]);
  }
}

// How a matrix product reads and writes; all rows of `right` and `sums` are kWide long.
struct Product {
  const float* left;
  int64_t left_step;  // between its rows, or between its columns where it is transposed
  const float* right;
  int64_t right_step;  // between rows
  int64_t inner;
  float* sums;
  bool add;  // whether to add to the previous sums
};

// sums[row] = sum over k of left[row][k] * right[k]
template <int kCount, bool kTransposed>
void multiply(const Product& of) {
  Vector sum[kCount][2] = {};
  for (int row = 0; of.add && row < kCount; ++row) {
    sum[row][0] = L::load(of.sums + row * kWide);
    sum[row][1] = L::load(of.sums + row * kWide + kVector);
  }
  const float *left = of.left, *right = of.right;
  const int64_t step = of.left_step;
  for (int64_t k = 0; k < of.inner; ++k, right += of.right_step) {
    const Vector first = L::load(right), second = L::load(right + kVector);
#pragma GCC unroll 14
    for (int row = 0; row < kCount; ++row) {
      const float factor = kTransposed ? left[k * step + row] : left[row * step + k];
      sum[row][0] += factor * first;
      sum[row][1] += factor * second;
    }
  }
  for (int row = 0; row < kCount; ++row) {
    L::store(of.sums + row * kWide, sum[row][0]);
    L::store(of.sums + row * kWide + kVector, sum[row][1]);
  }
}

// Calls `multiply` for any number of rows, in even parts.
template <bool kTransposed>
struct Multiply {
  template <int... kCounts>
  static void part(const Product& of, int64_t rows, std::integer_sequence<int, kCounts...>) {
    static void (*const kMultiply[])(const Product&) = {multiply<kCounts + 1, kTransposed>...};
    kMultiply[rows - 1](of);
  }

  static void run(const Product& of, int64_t rows) {
    const int64_t parts = (rows + kRows - 1) / kRows;
    for (int64_t i = 0; i < parts; ++i) {
      const int64_t first = rows * i / parts;
      Product one = of;
      one.left += first * (kTransposed ? 1 : of.left_step);
      one.sums += first * kWide;
      part(one, rows * (i + 1) / parts - first, std::make_integer_sequence<int, kRows>());
    }
  }
};

// The positions of the tiles of a map.
struct Tiling {
  Tiling(int64_t batch, int64_t height_, int64_t width_)
      : height(height_),
        width(width_),
        down(winograd_tiles_along(height_)),
        across(winograd_tiles_along(width_)),
        count(winograd_tiles(batch, height_, width_)) {}

  int64_t sample(int64_t tile) const { return tile / (down * across); }
  int64_t row(int64_t tile) const { return tile / across % down * kOutput; }
  int64_t column(int64_t tile) const { return tile % across * kOutput; }

  int64_t height, width, down, across, count;
};

// The channels of a register of a sample; `step` is the distance between its positions.
template <typename Value>
struct Lines {
  Lines(Map<Value> map, int64_t sample, int64_t channel)
      : data(map.block == kVector ? map.at(sample, channel / kVector) : map.at(sample, 0) + channel), step(map.block) {}

  Value* data;
  int64_t step;
};

// Transformed tiles: (point, tile, channel).
struct AtPoints {
  AtPoints(float* data_, int64_t tiles_, int64_t channels)
      : data(data_), tiles(tiles_), row(channels + kPad), stride(tiles * row + kPad) {}

  static int64_t size(int64_t tiles, int64_t channels) { return kPoints * (tiles * (channels + kPad) + kPad); }
  float* end() const { return data + kPoints * stride; }

  float* data;
  int64_t tiles, row, stride;  // values of a tile, values of a point
};

// Transforms the kSize x kSize values of a tile, which begin kFirst positions left of and above its outputs.
template <int64_t kSize, int64_t kFirst, void (*kTransform)(const Vector*, Vector*)>
void tile_to_points(Map<const float> x, const Tiling& tiling, int64_t tile, int64_t slot, const AtPoints& points) {
  int64_t at[kSize * kSize];  // positions, or -1 outside
  for (int64_t i = 0; i < kSize * kSize; ++i) {
    const int64_t row = tiling.row(tile) + i / kSize - kFirst, column = tiling.column(tile) + i % kSize - kFirst;
    const bool inside = row >= 0 && row < tiling.height && column >= 0 && column < tiling.width;
    at[i] = inside ? row * tiling.width + column : -1;
  }
  for (int64_t c = 0; c < x.channels; c += kVector) {
    const Lines<const float> lines(x, tiling.sample(tile), c);
    float* to = points.data + slot * points.row + c;
    transform_square<kSize, kInput, kTransform>(
        [&](int64_t i, int64_t j) {
          const int64_t position = at[i * kSize + j];
          return position < 0 ? Vector{} : L::load(lines.data + position * lines.step);
        },
        [&](int64_t i, int64_t j, Vector value) { L::store(to + (i * kInput + j) * points.stride, value); });
  }
}

constexpr auto input_to_points = tile_to_points<kInput, 1, to_input_points>;
constexpr auto outputs_to_points = tile_to_points<kOutput, 0, gradient_to_points>;

// The workspace of a thread: tiles at the points, (point, tile, channel), and products, (point, tile, kWide).
struct Workspace {
  Workspace(float* workspace, int64_t thread, int64_t inputs)
      : left(workspace + thread * size(inputs), kGroup, inputs), sums(left.end()) {}

  static int64_t size(int64_t inputs) { return AtPoints::size(kGroup, inputs) + kPoints * kSumsStride; }

  static constexpr int64_t kSumsStride = kGroup * kWide + kPad;
  AtPoints left;
  float* sums;
};

// What is done to kVector channels of a convolution before they are stored.
template <bool kEnds, Activation kActivation>
struct End {
  End(const WinogradArgs& a, int64_t channel) {
    if (kEnds) bias = L::load(a.bias + channel);
    if (kActivation == Activation::kPrelu) slopes = L::load(a.slopes + channel);
  }

  Vector operator()(Vector value, const float* shortcut) const {
    if (!kEnds) return value;
    value += bias;
    if (shortcut) value += L::load(shortcut);
    if (kActivation == Activation::kRelu) return value > Vector{} ? value : Vector{};
    if (kActivation == Activation::kPrelu) return value > Vector{} ? value : value * slopes;
    return value;
  }

  Vector bias = {}, slopes = {};
};

// kWide channels of a tile.
template <bool kEnds, Activation kActivation>
void tile_from_points(const WinogradArgs& a, const Workspace& workspace, int64_t slot, const Tiling& tiling,
                      int64_t tile, int64_t channel) {
  const int64_t rows = tiling.height - tiling.row(tile), columns = tiling.width - tiling.column(tile);
  const int64_t corner = tiling.row(tile) * tiling.width + tiling.column(tile);
  for (int64_t c = 0; c < kWide; c += kVector) {
    const Lines<float> lines(a.y, tiling.sample(tile), channel + c);
    const float* shortcut = kEnds && a.shortcut ? a.shortcut + (lines.data - a.y.data) : nullptr;
    const End<kEnds, kActivation> end(a, channel + c);
    const float* from = workspace.sums + slot * kWide + c;
    transform_square<kInput, kOutput, from_points>(
        [&](int64_t i, int64_t j) { return L::load(from + (i * kInput + j) * Workspace::kSumsStride); },
        [&](int64_t i, int64_t j, Vector value) {
          if (i >= rows || j >= columns) return;
          const int64_t at = (corner + i * tiling.width + j) * lines.step;
          L::store(lines.data + at, end(value, shortcut ? shortcut + at : nullptr));
        });
  }
}

constexpr auto tile_ending_of(const WinogradArgs& a) {
  return !a.bias                              ? tile_from_points<false, Activation::kNone>
         : a.activation == Activation::kRelu  ? tile_from_points<true, Activation::kRelu>
         : a.activation == Activation::kPrelu ? tile_from_points<true, Activation::kPrelu>
                                              : tile_from_points<true, Activation::kNone>;
}

// The kernels of weights (outputs, inputs, 3, 3); with `backward`, turned around, from the outputs to the inputs.
struct Kernels {
  // to[i][lane] is position i of the kernel from channel k to `channel` + lane.
  void load(int64_t k, int64_t channel, float (*to)[kWide]) const {
    for (int64_t lane = 0; lane < kWide; ++lane) {
      const int64_t output = backward ? k : channel + lane, input = backward ? channel + lane : k;
      const float* from = weight + 9 * (output * inputs + input);
      const float factor = scale ? scale[output] : 1;
      for (int64_t i = 0; i < 9; ++i) to[i][lane] = factor * from[backward ? 8 - i : i];
    }
  }

  const float *weight, *scale;
  int64_t inputs;
  bool backward;
};

constexpr int64_t kDepth = 4;  // channels whose transformed kernels are written together; these fit in the L1 cache
static_assert(kVector % kDepth == 0, "the channels are a multiple of kVector");

// The layout of transformed weights is (outputs / kWide, point, inputs, kWide). The points of an input are often a
// multiple of 4 KB apart and map to the same sets of a cache, so those of kDepth inputs are written in one run each.
void transform(const float* weight, const float* scale, int64_t outputs, int64_t inputs, bool backward,
               float* transformed) {
  const Kernels kernels{weight, scale, inputs, backward};
  const int64_t wide = (backward ? inputs : outputs) / kWide, inner = backward ? outputs : inputs;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t block = 0; block < wide; ++block) {
    for (int64_t first = 0; first < inner; first += kDepth) {
      Vector points[kPoints][kDepth][2];
      for (int64_t k = 0; k < kDepth; ++k) {
        alignas(Vector) float kernel[9][kWide];
        kernels.load(first + k, block * kWide, kernel);
        for (int64_t half = 0; half < 2; ++half) {
          transform_square<3, kInput, to_weight_points>(
              [&](int64_t i, int64_t j) { return L::load(kernel[i * 3 + j] + half * kVector); },
              [&](int64_t i, int64_t j, Vector value) { points[i * kInput + j][k][half] = value; });
        }
      }
      float* to = transformed + (block * kPoints * inner + first) * kWide;
      for (int64_t point = 0; point < kPoints; ++point) {
        std::memcpy(to + point * inner * kWide, points[point], sizeof(points[point]));
      }
    }
  }
}

// Some of the tiles and, where there are more threads than groups of tiles, some of the outputs.
struct Task {
  int64_t first, count, channel, end, thread;
};

// Calls each(task), in parallel.
template <typename Each>
void for_tasks(int64_t tiles, int64_t outputs, Each each) {
  const int64_t threads = omp_get_max_threads(), wide = outputs / kWide, least = (tiles + kGroup - 1) / kGroup;
  const int64_t groups = least < threads ? least : (least + threads - 1) / threads * threads;
  const int64_t parts = groups < threads ? std::min(wide, threads / groups) : 1;
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < groups * parts; ++i) {
    const int64_t group = i / parts, part = i % parts, first = tiles * group / groups;
    each(Task{first, tiles * (group + 1) / groups - first, wide * part / parts * kWide,
              wide * (part + 1) / parts * kWide, omp_get_thread_num()});
  }
}

void convolve(const WinogradArgs& a) {
  const Map<const float> x = a.x;
  const Tiling tiling(x.batch, a.height, x.positions / a.height);
  const int64_t inputs = x.channels;
  const auto end_tile = tile_ending_of(a);
  for_tasks(tiling.count, a.y.channels, [&](const Task& task) {
    const Workspace mine(a.workspace, task.thread, inputs);
    const AtPoints& left = mine.left;
    for (int64_t slot = 0; slot < task.count; ++slot) input_to_points(x, tiling, task.first + slot, slot, left);
    for (int64_t channel = task.channel; channel < task.end; channel += kWide) {
      const float* right = a.transformed + kPoints * channel * inputs;
      for (int64_t point = 0; point < kPoints; ++point) {
        Multiply<false>::run({left.data + point * left.stride, left.row, right + point * inputs * kWide, kWide, inputs,
                              mine.sums + point * Workspace::kSumsStride, false},
                             task.count);
      }
      for (int64_t slot = 0; slot < task.count; ++slot) {
        end_tile(a, mine, slot, tiling, task.first + slot, channel);
      }
    }
  });
}

// Transforms the gradient at the points, in the layout of transformed weights, to the gradient of the weights.
void from_weight_points(const float* points, int64_t outputs, int64_t inputs, float* dweight) {
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t block = 0; block < outputs / kWide; ++block) {
    for (int64_t c = 0; c < inputs; ++c) {
      for (int64_t first = 0; first < kWide; first += kVector) {
        const float* from = points + (block * kPoints * inputs + c) * kWide + first;
        float* to = dweight + ((block * kWide + first) * inputs + c) * 9;
        transform_square<kInput, 3, gradient_from_points>(
            [&](int64_t i, int64_t j) { return L::load(from + (i * kInput + j) * inputs * kWide); },
            [&](int64_t i, int64_t j, Vector value) {
              for (int64_t lane = 0; lane < kVector; ++lane) to[lane * inputs * 9 + i * 3 + j] = value[lane];
            });
      }
    }
  }
}

void gradient(const WinogradGradArgs& a) {
  const Map<const float> x = a.x, dy = a.dy;
  const Tiling tiling(x.batch, a.height, x.positions / a.height);
  const int64_t inputs = x.channels, outputs = dy.channels;
  const int64_t batch = std::min(kBatch, tiling.count);
  const AtPoints left(a.workspace + winograd_transformed_size(outputs, inputs), batch, inputs);
  const AtPoints right(left.end(), batch, outputs);
  for (int64_t start = 0; start < tiling.count; start += batch) {
    const int64_t count = std::min(batch, tiling.count - start);
#pragma omp parallel for schedule(static)
    for (int64_t slot = 0; slot < count; ++slot) {
      input_to_points(x, tiling, start + slot, slot, left);
      outputs_to_points(dy, tiling, start + slot, slot, right);
    }
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t block = 0; block < outputs / kWide; ++block) {
      for (int64_t point = 0; point < kPoints; ++point) {
        Multiply<true>::run(
            {left.data + point * left.stride, left.row, right.data + point * right.stride + block * kWide, right.row,
             count, a.workspace + (block * kPoints + point) * inputs * kWide, start > 0},
            inputs);
      }
    }
  }
  from_weight_points(a.workspace, outputs, inputs, a.dweight);
}

int64_t workspace_size(int64_t inputs) { return omp_get_max_threads() * Workspace::size(inputs); }

int64_t gradient_workspace_size(Map<const float> x, int64_t height, int64_t outputs) {
  const int64_t batch = std::min(kBatch, Tiling(x.batch, height, x.positions / height).count);
  return winograd_transformed_size(outputs, x.channels) + AtPoints::size(batch, x.channels) +
         AtPoints::size(batch, outputs);
}

}  // namespace

#define CBAM_JOIN_OF(name, end) name##end
#define CBAM_JOIN(name, end) CBAM_JOIN_OF(name, end)

constexpr Winograd CBAM_JOIN(CBAM_VARIANT, _winograd) = {kVector,  transform,      convolve,
                                                         gradient, workspace_size, gradient_workspace_size};

}  // namespace cbam
