// Winograd's algorithm on MXNet's arrays, for the operators of convolutions.
#pragma once

#include "registration.h"
#include "winograd.h"

namespace cbam {

// Whether Winograd's algorithm is faster: the transformed weights are four times as large as the weights, so there have
// to be enough positions for each reading of them. The rule is the same with and without gradients, and so are the
// outputs. It does not tell the stride and the padding, which have to be 1.
bool is_winograd_faster(const NDArray& map, const TShape& weight, int64_t inputs, int64_t outputs);

// A map in vectors of channels, in the layout of oneDNN's convolutions where it has to be copied: blocks for training,
// rows for inference.
ChannelMap<float> in_vectors(const NDArray& array, bool for_training);

// Transforms weights; see Winograd::transform.
void transform(const NDArray& weight, const float* scale, bool backward, float* transformed);

// What is done to a convolution before it is stored, see WinogradArgs; by default nothing.
struct ConvolutionEnd {
  const float* bias = nullptr;
  const NDArray* shortcut = nullptr;  // may share the memory of the output
  Activation activation = Activation::kNone;
  const float* slopes = nullptr;
};

// The output gets the layout of the input, so that nothing is reordered after it.
void convolve(const NDArray& x, const float* transformed, float* workspace, bool for_training, const NDArray& y,
              const ConvolutionEnd& end = {});

// Whether an output can get another layout.
inline bool is_whole(const NDArray& output, mxnet::OpReqType request) {
  return is_written(request) && !output.IsView();
}

// The arrays of the last call, to find out whether their values are still the same. They are references, so that no
// other array reuses their memory.
class LastArrays {
 public:
  // Whether these are the arrays of the last call, unchanged; they are the last ones then.
  bool are_repeated(const Arrays& arrays);

 private:
  Arrays arrays_;
  std::vector<size_t> versions_;
};

}  // namespace cbam
