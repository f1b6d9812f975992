// Tests of the kernels without MXNet, for scripts/sanitize: every kernel of every instruction set that the processor
// has, in every layout, against plain loops. Buffers have exactly the size that a kernel may use, so that an address
// sanitizer sees every access beyond it.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "kernels.h"
#include "winograd.h"

namespace {

using namespace cbam;

std::mt19937 generator(0);
int failures = 0, checks = 0;
std::string context;  // of the checks: kernel, instruction set, layout

template <typename T>
std::vector<T> random_values(int64_t size, double low = -1, double high = 1) {
  std::uniform_real_distribution<double> distribution(low, high);
  std::vector<T> values(size);
  for (T& value : values) value = static_cast<T>(distribution(generator));
  return values;
}

// Compares with what was computed in double, relative to the largest value.
template <typename T>
void check(const char* what, const std::vector<T>& found, const std::vector<double>& expected, double tolerance) {
  double largest = 0, error = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    error = std::max(error, std::abs(static_cast<double>(found[i]) - expected[i]));
  }
  ++checks;
  if (found.size() == expected.size() && error <= tolerance * std::max(largest, 1e-30)) return;
  ++failures;
  std::printf("%s: %s differs by %g of %g\n", context.c_str(), what, error, largest);
}

template <typename T>
constexpr double kTolerance = sizeof(T) == 4 ? 1e-5 : 1e-13;

struct Shape {
  int64_t batch, channels, positions;

  int64_t size() const { return batch * channels * positions; }
};

// Values as (N, C, positions), and in a layout.
template <typename T>
struct TestMap {
  TestMap(Shape shape_, int block_, double low = -1, double high = 1)
      : shape(shape_), block(block_), values(random_values<T>(shape.size(), low, high)), data(shape.size()) {
    for (int64_t i = 0; i < shape.size(); ++i) data[place(i)] = values[i];
  }

  // Where a value is in the layout.
  int64_t place(int64_t i) const {
    const int64_t p = i % shape.positions, c = i / shape.positions % shape.channels,
                  n = i / shape.positions / shape.channels;
    return ((n * (shape.channels / block) + c / block) * shape.positions + p) * block + c % block;
  }
  Map<const T> input() const { return {data.data(), shape.batch, shape.channels, shape.positions, block}; }
  Map<T> output() { return {data.data(), shape.batch, shape.channels, shape.positions, block}; }
  // What a kernel wrote, as (N, C, positions).
  std::vector<T> found() const {
    std::vector<T> plain(data.size());
    for (size_t i = 0; i < data.size(); ++i) plain[i] = data[place(i)];
    return plain;
  }

  Shape shape;
  int block;
  std::vector<T> values, data;
};

// Calls each(n, c, p, index) for all values of a map.
template <typename Each>
void for_values(Shape shape, Each each) {
  int64_t i = 0;
  for (int64_t n = 0; n < shape.batch; ++n) {
    for (int64_t c = 0; c < shape.channels; ++c) {
      for (int64_t p = 0; p < shape.positions; ++p) each(n, c, p, i++);
    }
  }
}

// Partial sums, (N, tiles, C), as (N, C).
template <typename T>
std::vector<T> add_tiles(const std::vector<T>& partial, Shape shape) {
  const int64_t tiles = tiles_of(shape.positions);
  std::vector<T> sums(shape.batch * shape.channels);
  for (size_t i = 0; i < partial.size(); ++i) {
    sums[static_cast<int64_t>(i) / (tiles * shape.channels) * shape.channels + i % shape.channels] += partial[i];
  }
  return sums;
}

template <typename T>
class KernelTest {
 public:
  KernelTest(const Kernels<T>& kernels, Shape shape, int block) : kernels_(kernels), shape_(shape), block_(block) {}

  void run() {
    test_relayout();
    test_global_pool();
    for (const bool gated : {false, true}) test_channel_pool(gated);
    for (int variant = 0; variant < 16; ++variant) {
      test_scale(variant & 1, variant & 2, variant & 4, variant & 8);
    }
    test_prelu();
  }

 private:
  TestMap<T> map() const { return TestMap<T>(shape_, block_); }
  int64_t vectors() const { return shape_.batch * shape_.channels; }
  int64_t maps() const { return shape_.batch * shape_.positions; }
  int64_t partial_size() const { return shape_.batch * tiles_of(shape_.positions) * shape_.channels; }
  // A normalization, with the map that it gives x from.
  struct Normalized {
    std::vector<T> mean, factor, offset;
    Normalization<T> get() const { return {mean.data(), factor.data(), offset.data()}; }
    double x(T value, int64_t c) const { return (double(value) - mean[c]) * factor[c] + offset[c]; }
  };
  Normalized normalized() const {
    return {random_values<T>(shape_.channels), random_values<T>(shape_.channels), random_values<T>(shape_.channels)};
  }

  void test_relayout() {
    const TestMap<T> from = map();
    for (const int block : {1, 8, 16, static_cast<int>(shape_.channels)}) {
      if (shape_.channels % block) continue;
      TestMap<T> to(shape_, block);
      kernels_.relayout(from.input(), to.output());
      check("relayout", to.found(), std::vector<double>(from.values.begin(), from.values.end()), 0);
    }
  }

  void test_global_pool() {
    const TestMap<T> x = map(), dy = map();
    std::vector<T> mean(vectors()), maximum(vectors());
    std::vector<int32_t> argmax(vectors());
    kernels_.global_pool({x.input(), mean.data(), maximum.data(), nullptr});
    kernels_.global_pool({x.input(), mean.data(), maximum.data(), argmax.data()});
    std::vector<double> means(vectors()), maxima(vectors(), -1e30), places(vectors());
    for_values(shape_, [&](int64_t n, int64_t c, int64_t p, int64_t i) {
      const int64_t at = n * shape_.channels + c;
      means[at] += double(x.values[i]) / shape_.positions;
      if (x.values[i] > maxima[at]) maxima[at] = x.values[i], places[at] = p;
    });
    check("mean", mean, means, kTolerance<T>);
    check("maximum", maximum, maxima, 0);
    check("argmax", argmax, places, 0);

    const std::vector<T> dmean = random_values<T>(vectors()), dmaximum = random_values<T>(vectors());
    TestMap<T> dx = map();
    kernels_.global_pool_backward({dy.input(), dmean.data(), dmaximum.data(), argmax.data(), dx.output()});
    std::vector<double> gradient(shape_.size());
    for_values(shape_, [&](int64_t n, int64_t c, int64_t p, int64_t i) {
      const int64_t at = n * shape_.channels + c;
      gradient[i] = dy.values[i] + double(dmean[at]) / shape_.positions + (p == places[at] ? dmaximum[at] : T(0));
    });
    check("dx", dx.found(), gradient, kTolerance<T>);
  }

  void test_channel_pool(bool gated) {
    const TestMap<T> x = map(), dy = map();
    const std::vector<T> gates = random_values<T>(vectors(), 0, 1);
    const T* gate = gated ? gates.data() : nullptr;
    std::vector<T> statistics(2 * maps());
    std::vector<int32_t> argmax(maps());
    const int64_t stride = 2 * shape_.positions;
    T *maximum = statistics.data(), *mean = statistics.data() + shape_.positions;
    kernels_.channel_pool({x.input(), gate, maximum, mean, stride, nullptr});
    kernels_.channel_pool({x.input(), gate, maximum, mean, stride, argmax.data()});
    std::vector<double> pooled(2 * maps()), places(maps());
    for (int64_t n = 0; n < shape_.batch; ++n) {
      std::fill_n(pooled.begin() + n * stride, shape_.positions, -1e30);
    }
    for_values(shape_, [&](int64_t n, int64_t c, int64_t p, int64_t i) {
      const T value = gated ? x.values[i] * gates[n * shape_.channels + c] : x.values[i];
      pooled[n * stride + shape_.positions + p] += double(value) / shape_.channels;
      double& best = pooled[n * stride + p];
      if (value > best) best = value, places[n * shape_.positions + p] = c;
    });
    check("statistics", statistics, pooled, kTolerance<T>);
    check("argmax", argmax, places, 0);

    const std::vector<T> heads = random_values<T>(2 * maps());
    const T *dmaximum = heads.data(), *dmean = heads.data() + shape_.positions;
    const Normalized norm = normalized();
    TestMap<T> dx = map();
    std::vector<T> partial(partial_size());
    kernels_.channel_pool_backward(
        {x.input(), norm.get(), gate, dmaximum, dmean, stride, argmax.data(), dy.input(), dx.output(), nullptr});
    kernels_.channel_pool_backward(
        {x.input(), norm.get(), gate, dmaximum, dmean, stride, argmax.data(), dy.input(), dx.output(), partial.data()});
    std::vector<double> gradient(shape_.size()), dgate(vectors());
    for_values(shape_, [&](int64_t n, int64_t c, int64_t p, int64_t i) {
      const int64_t at = n * shape_.channels + c;
      const double g = double(dmean[n * stride + p]) / shape_.channels +
                       (c == places[n * shape_.positions + p] ? dmaximum[n * stride + p] : T(0));
      gradient[i] = dy.values[i] + g * (gated ? gates[at] : T(1));
      dgate[at] += g * norm.x(x.values[i], c);
    });
    check("dx", dx.found(), gradient, kTolerance<T>);
    check("dgate", add_tiles(partial, shape_), dgate, 10 * kTolerance<T>);
  }

  void test_scale(bool has_channel, bool has_spatial, bool has_shortcut, bool relu) {
    const TestMap<T> x = map(), shortcut = map(), dy = map();
    const std::vector<T> channels = random_values<T>(vectors()), spatials = random_values<T>(maps());
    const T* channel = has_channel ? channels.data() : nullptr;
    const T* spatial = has_spatial ? spatials.data() : nullptr;
    TestMap<T> y = map();
    kernels_.scale({x.input(), channel, spatial, has_shortcut ? shortcut.data.data() : nullptr, relu, y.output()});
    const auto gate = [&](int64_t n, int64_t c) { return has_channel ? double(channels[n * shape_.channels + c]) : 1; };
    const auto at = [&](int64_t n, int64_t p) { return has_spatial ? double(spatials[n * shape_.positions + p]) : 1; };
    std::vector<double> scaled(shape_.size());
    for_values(shape_, [&](int64_t n, int64_t c, int64_t p, int64_t i) {
      scaled[i] = x.values[i] * gate(n, c) * at(n, p) + (has_shortcut ? shortcut.values[i] : T(0));
      if (relu) scaled[i] = std::max(scaled[i], 0.0);
    });
    check("y", y.found(), scaled, kTolerance<T>);

    const Normalized norm = normalized();
    TestMap<T> dx = map(), dshortcut = map();
    std::vector<T> dspatial(maps()), partial(partial_size());
    const T* result = relu ? y.data.data() : nullptr;
    ScaleGradArgs<T> args = {x.input(),  norm.get(), channel, spatial, result,
                             dy.input(), nullptr,    nullptr, nullptr, nullptr};
    kernels_.scale_backward(args);
    args.dx = dx.data.data();
    args.dspatial = dspatial.data();
    args.dchannel = partial.data();
    args.dshortcut = dshortcut.data.data();
    kernels_.scale_backward(args);
    const std::vector<T> outputs = y.found();
    std::vector<double> gradient(shape_.size()), added(shape_.size()), of_spatial(maps()), of_channel(vectors());
    for_values(shape_, [&](int64_t n, int64_t c, int64_t p, int64_t i) {
      added[i] = relu && !(outputs[i] > 0) ? 0 : dy.values[i];
      gradient[i] = added[i] * gate(n, c) * at(n, p);
      of_spatial[n * shape_.positions + p] += added[i] * norm.x(x.values[i], c) * gate(n, c);
      of_channel[n * shape_.channels + c] += added[i] * norm.x(x.values[i], c) * at(n, p);
    });
    check("dx", dx.found(), gradient, kTolerance<T>);
    check("dshortcut", dshortcut.found(), added, kTolerance<T>);
    check("dspatial", dspatial, of_spatial, 10 * kTolerance<T>);
    check("dchannel", add_tiles(partial, shape_), of_channel, 10 * kTolerance<T>);
  }

  void test_prelu() {
    const TestMap<T> x = map(), dy = map();
    const std::vector<T> slopes = random_values<T>(shape_.channels);
    TestMap<T> y = map(), dx = map();
    std::vector<T> partial(partial_size());
    kernels_.prelu({x.input(), slopes.data(), y.output()});
    kernels_.prelu_backward({x.input(), slopes.data(), dy.input(), nullptr, nullptr});
    kernels_.prelu_backward({x.input(), slopes.data(), dy.input(), dx.data.data(), partial.data()});
    std::vector<double> values(shape_.size()), gradient(shape_.size()), dslopes(vectors());
    for_values(shape_, [&](int64_t n, int64_t c, int64_t, int64_t i) {
      const bool positive = x.values[i] > 0;
      values[i] = positive ? x.values[i] : double(x.values[i]) * slopes[c];
      gradient[i] = positive ? dy.values[i] : double(dy.values[i]) * slopes[c];
      if (!positive) dslopes[n * shape_.channels + c] += double(dy.values[i]) * x.values[i];
    });
    check("y", y.found(), values, kTolerance<T>);
    check("dx", dx.found(), gradient, kTolerance<T>);
    check("dslopes", add_tiles(partial, shape_), dslopes, 10 * kTolerance<T>);
  }

  const Kernels<T>& kernels_;
  Shape shape_;
  int block_;
};

// ------------------------------------------------------------------------------------- convolution of few maps

// A convolution and its gradients by their definition, in double: calls each(value, output, tap) for every product,
// with the places of a value of the maps, of a value of the output, and of a value of the weight.
template <typename Each>
void for_products(int64_t batch, int64_t inputs, int64_t outputs, const PaddedPlane& plane, Each each) {
  const int64_t height = plane.height, width = plane.width, side = plane.side;
  for (int64_t i = 0; i < batch * outputs * height * width * inputs * side * side; ++i) {
    const int64_t tap = i % (inputs * side * side), output = i / (inputs * side * side), map = tap / (side * side);
    const int64_t plane_of_output = output / (height * width), n = plane_of_output / outputs;
    const int64_t y = output / width % height + tap / side % side - side / 2,
                  x = output % width + tap % side - side / 2;
    if (y < 0 || y >= height || x < 0 || x >= width) continue;
    each(((n * inputs + map) * height + y) * width + x, output, plane_of_output % outputs * inputs * side * side + tap);
  }
}

template <typename T>
void test_gate_convolution(const Kernels<T>& kernels, int64_t batch, int64_t inputs, int64_t outputs,
                           const PaddedPlane& plane) {
  const int64_t area = plane.height * plane.width;
  const auto maps = random_values<T>(batch * inputs * area), bias = random_values<T>(outputs);
  const auto weight = random_values<T>(outputs * inputs * plane.side * plane.side);
  std::vector<T> y(batch * outputs * area);
  GateConvolutionArgs<T> args = {maps.data(), weight.data(), bias.data(), batch,   inputs,
                                 outputs,     plane,         nullptr,     y.data()};
  std::vector<T> workspace(args.workspace_size());
  args.workspace = workspace.data();
  kernels.gate_convolution(args);
  std::vector<double> expected(y.size());
  for (size_t i = 0; i < y.size(); ++i) expected[i] = bias[i / area % outputs];
  for_products(batch, inputs, outputs, plane, [&](int64_t value, int64_t output, int64_t tap) {
    expected[output] += double(maps[value]) * weight[tap];
  });
  check("convolution of a gate", y, expected, kTolerance<T>);
}

template <typename T>
void test_gate_convolution_backward(const Kernels<T>& kernels, int64_t batch, int64_t channels,
                                    const PaddedPlane& plane) {
  const int64_t area = plane.height * plane.width, taps = channels * plane.side * plane.side;
  const auto maps = random_values<T>(batch * channels * area), dy = random_values<T>(batch * area);
  GateConvolutionGradArgs<T> args = {maps.data(), dy.data(), batch, channels, plane, nullptr, nullptr};
  std::vector<T> workspace(args.workspace_size()), sums(args.groups() * args.sums_of_group()), found(taps + 1);
  args.workspace = workspace.data();
  args.sums = sums.data();
  kernels.gate_convolution_backward(args);
  for (size_t i = 0; i < sums.size(); ++i) found[i % args.sums_of_group() / kGateLanes<T>] += sums[i];
  std::vector<double> expected(taps + 1);
  for (const T gradient : dy) expected[taps] += gradient;
  for_products(batch, channels, 1, plane,
               [&](int64_t value, int64_t output, int64_t tap) { expected[tap] += double(maps[value]) * dy[output]; });
  check("gradient of the parameters of a gate", found, expected, kTolerance<T>);
}

template <typename T>
void test_gate_convolutions(const Kernels<T>& kernels, const std::string& name) {
  // maps smaller than the kernel, and that fill no vector, one, and several; batches for one group and for several
  for (const PaddedPlane& plane : {PaddedPlane{1, 1, 7}, {1, 1, 1}, {2, 5, 7}, {4, 13, 3}, {14, 14, 7}, {21, 33, 5}}) {
    for (const int64_t batch : {1, 3, 80}) {
      context = name + ", " + std::to_string(batch) + " x " + std::to_string(plane.height) + " x " +
                std::to_string(plane.width) + ", kernel of " + std::to_string(plane.side);
      for (const int64_t channels : {1, 2, 3}) {
        test_gate_convolution(kernels, batch, channels, 1, plane);
        test_gate_convolution(kernels, batch, 1, channels, plane);
        test_gate_convolution_backward(kernels, batch, channels, plane);
      }
    }
  }
}

// ---------------------------------------------------------------------------------------------------- inference

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

void test_channel_gate(const InferenceKernels& kernels, int64_t batch, int64_t channels, int64_t hidden) {
  const auto mean = random_values<float>(batch * channels), maximum = random_values<float>(batch * channels);
  const auto weight1 = random_values<float>(hidden * channels), bias1 = random_values<float>(hidden);
  const auto weight2 = random_values<float>(channels * hidden), bias2 = random_values<float>(channels);
  std::vector<float> workspace(batch * hidden), gate(batch * channels);
  kernels.channel_gate({mean.data(), maximum.data(), weight1.data(), bias1.data(), weight2.data(), bias2.data(), batch,
                        channels, hidden, workspace.data(), gate.data()});
  std::vector<double> expected(batch * channels);
  for (int64_t n = 0; n < batch; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      double logit = 0;
      for (const auto* pooled : {&mean, &maximum}) {
        logit += bias2[c];
        for (int64_t h = 0; h < hidden; ++h) {
          double unit = bias1[h];
          for (int64_t k = 0; k < channels; ++k)
            unit += double(weight1[h * channels + k]) * (*pooled)[n * channels + k];
          logit += weight2[c * hidden + h] * std::max(unit, 0.0);
        }
      }
      expected[n * channels + c] = sigmoid(logit);
    }
  }
  check("channel gate", gate, expected, 1e-5);
}

void test_spatial_gate(const InferenceKernels& kernels, int64_t size) {
  std::vector<float> gate = random_values<float>(size);
  std::vector<double> expected(size);
  for (int64_t i = 0; i < size; ++i) expected[i] = sigmoid(gate[i] * 0.3 - 0.1);
  kernels.spatial_gate({0.3f, -0.1f, size, gate.data()});
  check("spatial gate", gate, expected, 1e-5);
}

template <typename Q>
void pool_integers(const InferenceKernels& kernels, const QuantizedGlobalPoolArgs<Q>& args);
template <>
void pool_integers(const InferenceKernels& kernels, const QuantizedGlobalPoolArgs<int8_t>& args) {
  kernels.global_pool_int8(args);
}
template <>
void pool_integers(const InferenceKernels& kernels, const QuantizedGlobalPoolArgs<uint8_t>& args) {
  kernels.global_pool_uint8(args);
}

template <typename Q>
void scale_integers(const InferenceKernels& kernels, const QuantizedScaleArgs<Q>& args);
template <>
void scale_integers(const InferenceKernels& kernels, const QuantizedScaleArgs<int8_t>& args) {
  kernels.scale_int8(args);
}
template <>
void scale_integers(const InferenceKernels& kernels, const QuantizedScaleArgs<uint8_t>& args) {
  kernels.scale_uint8(args);
}

template <typename Q>
void test_integers(const InferenceKernels& kernels, Shape shape) {
  const double low = Q(-1) < 0 ? -127 : 0, high = Q(-1) < 0 ? 127 : 255;
  const float step = 0.02f, shortcut_step = 0.01f, y_step = 0.005f;
  const int block = static_cast<int>(shape.channels);
  const TestMap<Q> q(shape, block, low, high);
  const int64_t vectors = shape.batch * shape.channels, maps = shape.batch * shape.positions;
  std::vector<float> mean(vectors), maximum(vectors);
  pool_integers<Q>(kernels, {q.input(), step, mean.data(), maximum.data()});
  std::vector<double> means(vectors), maxima(vectors, -1e30);
  for_values(shape, [&](int64_t n, int64_t c, int64_t, int64_t i) {
    const int64_t at = n * shape.channels + c;
    means[at] += double(q.values[i]) * step / shape.positions;
    maxima[at] = std::max(maxima[at], double(q.values[i]) * step);
  });
  check("mean", mean, means, 1e-5);
  check("maximum", maximum, maxima, 1e-6);

  const TestMap<int8_t> x(shape, block, -127, 127);
  const auto channel = random_values<float>(vectors, 0, 1), spatial = random_values<float>(maps, 0, 1);
  std::vector<float> statistics(2 * maps);
  const int64_t stride = 2 * shape.positions;
  kernels.channel_pool_int8(
      {x.input(), step, channel.data(), statistics.data(), statistics.data() + shape.positions, stride});
  std::vector<double> pooled(2 * maps);
  for (int64_t n = 0; n < shape.batch; ++n) std::fill_n(pooled.begin() + n * stride, shape.positions, -1e30);
  std::vector<uint8_t> y(shape.size());
  std::vector<double> scaled(shape.size());
  for_values(shape, [&](int64_t n, int64_t c, int64_t p, int64_t i) {
    const double gated = double(x.values[i]) * step * channel[n * shape.channels + c];
    pooled[n * stride + p] = std::max(pooled[n * stride + p], gated);
    pooled[n * stride + shape.positions + p] += gated / shape.channels;
    const double value = gated * spatial[n * shape.positions + p] + double(q.values[i]) * shortcut_step;
    scaled[x.place(i)] = std::min(std::max(value / y_step, 0.0), 255.0);
  });
  check("statistics", statistics, pooled, 1e-5);
  scale_integers<Q>(kernels,
                    {x.input(), step, channel.data(), spatial.data(), q.data.data(), shortcut_step, y.data(), y_step});
  check("y", y, scaled, 0.501 / 255);
}

// ----------------------------------------------------------------------------------------------------- Winograd

void test_winograd(const Winograd& winograd, int64_t batch, int64_t inputs, int64_t outputs, int64_t height,
                   int64_t width, bool rows) {
  const Shape in = {batch, inputs, height * width}, out = {batch, outputs, height * width};
  const int64_t block = winograd.lanes;
  const TestMap<float> x(in, rows ? inputs : block), dy(out, rows ? outputs : block);
  TestMap<float> y(out, rows ? outputs : block);
  const auto weight = random_values<float>(outputs * inputs * 9);
  std::vector<float> transformed(winograd_transformed_size(outputs, inputs)),
      workspace(winograd.workspace_size(inputs));
  winograd.transform(weight.data(), nullptr, outputs, inputs, false, transformed.data());
  winograd.convolve({x.input(), height, transformed.data(), workspace.data(), y.output()});
  std::vector<float> space(winograd.gradient_workspace_size(x.input(), height, outputs)), dweight(weight.size());
  winograd.gradient({x.input(), height, dy.input(), space.data(), dweight.data()});
  std::vector<double> convolved(out.size()), gradient(weight.size());
  for (int64_t n = 0; n < batch; ++n) {
    for (int64_t o = 0; o < outputs; ++o) {
      for (int64_t i = 0; i < inputs; ++i) {
        for (int64_t k = 0; k < 9 * height * width; ++k) {
          const int64_t p = k / 9, row = p / width + k % 9 / 3 - 1, column = p % width + k % 3 - 1;
          if (row < 0 || row >= height || column < 0 || column >= width) continue;
          const double value = x.values[(n * inputs + i) * height * width + row * width + column];
          const int64_t to = (n * outputs + o) * height * width + p, w = (o * inputs + i) * 9 + k % 9;
          convolved[to] += value * weight[w];
          gradient[w] += value * dy.values[to];
        }
      }
    }
  }
  check("convolution", y.found(), convolved, 2e-5);
  check("gradient of the weights", dweight, gradient, 2e-5);

  // with what follows a convolution in inference; dy is the shortcut
  const auto scale = random_values<float>(outputs), bias = random_values<float>(outputs);
  const auto slopes = random_values<float>(outputs);
  winograd.transform(weight.data(), scale.data(), outputs, inputs, false, transformed.data());
  for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kPrelu}) {
    WinogradArgs args = {x.input(), height, transformed.data(), workspace.data(), y.output()};
    args.bias = bias.data();
    args.shortcut = dy.input().data;
    args.activation = activation;
    args.slopes = slopes.data();
    winograd.convolve(args);
    std::vector<double> ended(out.size());
    for (int64_t i = 0; i < out.size(); ++i) {
      const int64_t o = i / (height * width) % outputs;
      const double value = convolved[i] * scale[o] + bias[o] + dy.values[i];
      const double slope = activation == Activation::kPrelu ? slopes[o] : activation == Activation::kRelu ? 0 : 1;
      ended[i] = value > 0 ? value : value * slope;
    }
    check("convolution, scale, bias, shortcut, activation", y.found(), ended, 2e-5);
  }
}

// ---------------------------------------------------------------------------------------------------- optimizers

template <typename T>
void test_sgd_momentum(const Kernels<T>& kernels, int64_t count) {
  std::vector<T> weight = random_values<T>(count), momentum = random_values<T>(count);
  const std::vector<T> gradient = random_values<T>(count);
  std::vector<double> weights(count), momenta(count);
  for (int64_t i = 0; i < count; ++i) {
    momenta[i] = 0.75 * momentum[i] - 0.5 * (0.125 * gradient[i] + 0.25 * double(weight[i]));
    weights[i] = weight[i] + momenta[i];
  }
  kernels.sgd_momentum(
      {weight.data(), gradient.data(), count, T(0.5), T(0.75), T(0.125), T(0.25), momentum.data(), weight.data()});
  check("momentum", momentum, momenta, kTolerance<T>);
  check("weight", weight, weights, kTolerance<T>);
}

template <typename T>
void test_optimizers(const Kernels<T>& kernels, const std::string& name) {
  context = name + ", optimizers";
  for (const int64_t count : {1, 15, 33, 200003}) test_sgd_momentum(kernels, count);
}

// --------------------------------------------------------------------------------------------------------- main

bool is_available(const Variant& variant) {
  if (&variant == &baseline_kernels) return true;
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return &variant == &avx2_kernels ? avx2 : avx2 && winograd() == &avx512_winograd;
}

template <typename T>
void test_layouts(const Kernels<T>& kernels, const std::string& name) {
  // positions below, at and above a tile; channels that fill no vector, one, and several; a map for several threads
  for (const Shape shape :
       {Shape{2, 16, 63}, {1, 48, 64}, {1, 24, 8}, {2, 5, 143}, {1, 35, 1}, {1, 80, 129}, {3, 64, 700}}) {
    for (const int block : {1, 8, 16, static_cast<int>(shape.channels)}) {
      if (shape.channels % block) continue;
      context = name + ", " + std::to_string(shape.batch) + " x " + std::to_string(shape.channels) + " x " +
                std::to_string(shape.positions) + " in blocks of " + std::to_string(block);
      KernelTest<T>(kernels, shape, block).run();
    }
  }
}

void test_inference(const InferenceKernels& kernels, const std::string& name) {
  context = name + ", inference";
  test_channel_gate(kernels, 1, 64, 4);
  test_channel_gate(kernels, 3, 80, 5);
  test_channel_gate(kernels, 40, 128, 64);
  for (const int64_t size : {1, 35, 20000}) test_spatial_gate(kernels, size);
  for (const Shape shape : {Shape{2, 16, 35}, {1, 80, 81}, {3, 64, 1}, {2, 256, 2100}}) {
    test_integers<int8_t>(kernels, shape);
    test_integers<uint8_t>(kernels, shape);
  }
}

}  // namespace

int main() {
  for (const Variant* variant : {&baseline_kernels, &avx2_kernels, &avx512_kernels}) {
    if (!is_available(*variant)) {
      std::printf("%s is not tested: the processor does not have it\n", variant->name);
      continue;
    }
    test_layouts<float>(variant->f32, std::string(variant->name) + ", f32");
    test_layouts<double>(variant->f64, std::string(variant->name) + ", f64");
    test_gate_convolutions<float>(variant->f32, std::string(variant->name) + ", f32");
    test_gate_convolutions<double>(variant->f64, std::string(variant->name) + ", f64");
    test_optimizers<float>(variant->f32, std::string(variant->name) + ", f32");
    test_optimizers<double>(variant->f64, std::string(variant->name) + ", f64");
    test_inference(variant->inference, variant->name);
  }
  for (const Winograd* each : {&avx2_winograd, &avx512_winograd}) {
    if (!is_available(each == &avx2_winograd ? avx2_kernels : avx512_kernels)) continue;
    for (const bool rows : {false, true}) {
      context = "Winograd with " + std::to_string(each->lanes) + (rows ? " lanes, rows" : " lanes, blocks");
      test_winograd(*each, 2, 16, 32, 9, 7, rows);
      test_winograd(*each, 1, 32, 64, 14, 15, rows);
      test_winograd(*each, 3, 48, 32, 12, 12, rows);
    }
  }
  std::printf("%d comparisons, %d failed\n", checks, failures);
  return failures != 0 || checks == 0;
}
