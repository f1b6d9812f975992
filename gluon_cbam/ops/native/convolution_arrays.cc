#include "convolution_arrays.h"

namespace cbam {

bool is_winograd_faster(const NDArray& map, const TShape& weight, int64_t inputs, int64_t outputs) {
  constexpr int64_t kPositions = 192;  // found with 256 and 512 channels
  const TShape& shape = map.shape();
  const int64_t positions = shape[0] * shape[2] * shape[3];
  const int64_t products = kWinogradPoints * winograd_tiles(shape[0], shape[2], shape[3]);
  return winograd() && map.dtype() == mshadow::kFloat32 && weight[2] == 3 && weight[3] == 3 &&
         outputs % (2 * winograd()->lanes) == 0 && inputs % winograd()->lanes == 0 && positions >= kPositions &&
         products * 3 <= positions * 9 * 2;
}

ChannelMap<float> in_vectors(const NDArray& array, bool for_training) {
  const int64_t rows = array.shape()[1], block = winograd()->lanes;
  return for_training ? ChannelMap<float>(array, block, rows) : ChannelMap<float>(array, rows, block);
}

void transform(const NDArray& weight, const float* scale, bool backward, float* transformed) {
  Arrays keep;
  const TShape& shape = weight.shape();
  winograd()->transform(values_of<float>(weight, &keep), scale, shape[0], shape[1], backward, transformed);
}

void convolve(const NDArray& x, const float* transformed, float* workspace, bool for_training, const NDArray& y,
              const ConvolutionEnd& end) {
  const ChannelMap<float> from = in_vectors(x, for_training);
  const TShape& shape = y.shape();
  const int block = from.map().block == x.shape()[1] ? static_cast<int>(shape[1]) : from.map().block;
  std::unique_ptr<ChannelMap<float>> shortcut;
  if (end.shortcut) shortcut.reset(new ChannelMap<float>(*end.shortcut, block, block));
  const Map<float> to = map_of(set_layout<float>(y, dnnl_f32, block), shape, block);
  WinogradArgs args = {from.map(), x.shape()[2], transformed, workspace, to};
  args.bias = end.bias;
  args.shortcut = shortcut ? shortcut->map().data : nullptr;
  args.activation = end.activation;
  args.slopes = end.slopes;
  winograd()->convolve(args);
}

bool LastArrays::are_repeated(const Arrays& arrays) {
  std::vector<size_t> versions;
  for (const NDArray& array : arrays) versions.push_back(array.version());
  bool again = versions == versions_;
  for (size_t i = 0; again && i < arrays.size(); ++i) {
    again = arrays_[i].var() == arrays[i].var() && arrays_[i].storage_handle().dptr == arrays[i].storage_handle().dptr;
  }
  arrays_ = arrays;
  versions_ = std::move(versions);
  return again;
}

}  // namespace cbam
