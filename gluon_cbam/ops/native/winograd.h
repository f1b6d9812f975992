// 3 x 3 convolution with stride 1 and padding 1 by Winograd's algorithm F(4 x 4, 3 x 3): Lavin and Gray, "Fast Algorithms
// for Convolutional Neural Networks" (2016). Tiles of 4 x 4 outputs take 36 products a pair of channels where the
// definition takes 144.
//
// Maps are (N, H, W, C), which oneDNN's convolutions use with AVX-512, or (N, C / 16, H, W, 16).
#pragma once

#include "kernels.h"

namespace cbam {

struct Winograd {
  // Weights (outputs, inputs, 3, 3) to the products' side, `transformed_size` floats; `backward` gives those of the
  // convolution that takes the gradient of the outputs to that of the inputs.
  void (*transform)(const float* weight, int64_t outputs, int64_t inputs, bool backward, float* transformed);
  // y = x * weights; outputs are multiples of 32, inputs of 16. `beside` has `workspace_size` floats.
  void (*convolve)(Map<const float> x, int64_t height, const float* transformed, float* beside, Map<float> y);
  // The gradient of the weights, (outputs, inputs, 3, 3); outputs are multiples of 32, inputs of 16. `beside` has
  // `gradient_workspace_size` floats.
  void (*gradient)(Map<const float> x, int64_t height, Map<const float> dy, float* beside, float* dweight);
};

constexpr int64_t kWinogradOutput = 4, kWinogradInput = 6, kWinogradPlaces = kWinogradInput * kWinogradInput;

inline int64_t winograd_tiles_along(int64_t size) { return (size + kWinogradOutput - 1) / kWinogradOutput; }

inline int64_t winograd_tiles(int64_t batch, int64_t height, int64_t width) {
  return batch * winograd_tiles_along(height) * winograd_tiles_along(width);
}

inline int64_t transformed_size(int64_t outputs, int64_t inputs) { return kWinogradPlaces * outputs * inputs; }

int64_t workspace_size(int64_t inputs);
int64_t gradient_workspace_size(Map<const float> x, int64_t height, int64_t outputs);

// Null where the processor has no AVX-512: elsewhere oneDNN's own convolutions do the work.
const Winograd* winograd();

// in winograd_avx512.cc
const Winograd& avx512_winograd();

}  // namespace cbam
