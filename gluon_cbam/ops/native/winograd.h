// 3 x 3 convolution with stride 1 and padding 1 by Winograd's algorithm F(4 x 4, 3 x 3): Lavin and Gray, "Fast
// Algorithms for Convolutional Neural Networks" (2016).
//
// A tile of 4 x 4 outputs is y = A' [(G w G') * (B' x B)] A, summed over the input channels before A: its 6 x 6 inputs
// x and the kernel w are transformed to their values at 36 points, multiplied there, and transformed back. That takes
// 36 products for each pair of channels where the definition takes 144.
//
// Maps are (N, H, W, C) or (N, C / B, H, W, B), the layouts of oneDNN's convolutions, where B is the number of floats
// in a register: 16 with AVX-512, 8 with AVX2.
#pragma once

#include "kernels.h"

namespace cbam {

enum class Activation { kNone, kRelu, kPrelu };

// y = activation(convolution of x with the weights + bias + shortcut)
struct WinogradArgs {
  Map<const float> x;  // channels: a multiple of B
  int64_t height;
  const float* transformed;         // the weights, from Winograd::transform
  float* workspace;                 // Winograd::workspace_size values
  Map<float> y;                     // channels: a multiple of 2 B
  const float* bias = nullptr;      // (outputs); without it there is only the convolution
  const float* shortcut = nullptr;  // a map in the layout of y, which may be y, or null
  Activation activation = Activation::kNone;
  const float* slopes = nullptr;  // (outputs), of Activation::kPrelu
};

// dweight[o, i, r, s] = sum over samples and positions of dy[n, o, p] * x[n, i, p + (r, s) - (1, 1)]
struct WinogradGradArgs {
  Map<const float> x;  // channels: a multiple of B
  int64_t height;
  Map<const float> dy;  // channels: a multiple of 2 B
  float* workspace;     // Winograd::gradient_workspace_size values
  float* dweight;       // (outputs, inputs, 3, 3)
};

struct Winograd {
  int64_t lanes;  // B
  // Transforms weights (outputs, inputs, 3, 3) to `winograd_transformed_size` values; with `backward`, for the
  // convolution that computes the gradient of the inputs from the gradient of the outputs. The outputs are multiplied
  // with `scale` (outputs), unless it is null.
  void (*transform)(const float* weight, const float* scale, int64_t outputs, int64_t inputs, bool backward,
                    float* transformed);
  void (*convolve)(const WinogradArgs&);
  void (*gradient)(const WinogradGradArgs&);
  int64_t (*workspace_size)(int64_t inputs);
  int64_t (*gradient_workspace_size)(Map<const float> x, int64_t height, int64_t outputs);
};

constexpr int64_t kWinogradOutput = 4, kWinogradInput = 6, kWinogradPoints = kWinogradInput * kWinogradInput;

inline int64_t winograd_tiles_along(int64_t size) { return (size + kWinogradOutput - 1) / kWinogradOutput; }

inline int64_t winograd_tiles(int64_t batch, int64_t height, int64_t width) {
  return batch * winograd_tiles_along(height) * winograd_tiles_along(width);
}

inline int64_t winograd_transformed_size(int64_t outputs, int64_t inputs) { return kWinogradPoints * outputs * inputs; }

// That of the instruction set that is selected; null without AVX2: there oneDNN's own convolutions run.
const Winograd* winograd();

extern const Winograd avx2_winograd, avx512_winograd;  // in winograd_*.cc

}  // namespace cbam
