// Outputs of BatchNorm, recomputed from the values that BatchNorm keeps.
//
// The backward operators of attention need x, the map that they were applied to. Where x is an output of BatchNorm,
// they take BatchNorm's input instead, which BatchNorm's own backward operator keeps in memory anyway, and the
// kernels recompute x while they read it: x = (input - mean) / deviation * gamma + beta. So the graph keeps one map
// less for every block between its forward and its backward pass.
#pragma once

#include "registration.h"

namespace cbam {

// The variant kOfNorm of a backward operator takes BatchNorm's input in place of x and, after its other floats, this
// many vectors (C): the mean and the inverse standard deviation that BatchNorm used, which are its outputs 1 and 2 in
// training and in inference, gamma (which BatchNorm has set to 1 where it does not scale) and beta.
constexpr size_t kNormInputs = 4;

// The entry that made a map, before operators of this package that return it unchanged. While MXNet records operators
// one by one, it asks for gradients of nodes whose inputs have no nodes yet.
inline NodeEntry origin_of(NodeEntry entry) {
  while (entry.node && entry.node->op()) {
    const std::string& name = entry.node->op()->name;
    const uint32_t returned = name == "_cbam_global_pool" ? 2 : name.rfind("_cbam_channel_pool", 0) == 0 ? 1 : 0;
    if (returned == 0 || entry.index != returned) break;
    entry = NodeEntry(entry.node->inputs[0]);
  }
  return entry;
}

// The map that a backward operator takes: x itself, or BatchNorm's input.
struct SavedMap {
  NodeEntry map;
  std::vector<NodeEntry> norm;  // kNormInputs of them, or none

  // `same`: an entry of the same values, saved where the map is no output of BatchNorm
  SavedMap(const NodeEntry& x, const NodeEntry& same) : map(same) {
    const NodeEntry made = origin_of(x);
    if (!made.node || !made.node->op() || made.node->op()->name != "BatchNorm" || made.index != 0) return;
    const std::string* axis = made.node->attrs.dict.search("axis");
    if (axis && *axis != "1") return;
    const std::vector<NodeEntry>& inputs = made.node->inputs;
    map = inputs[0];
    norm = {NodeEntry(made.node, 1, 0), NodeEntry(made.node, 2, 0), inputs[1], inputs[2]};
  }
};

// Sets the shapes of the kNormInputs inputs.
inline void set_norm_shapes(ShapeVector* shapes, size_t first, int64_t channels) {
  for (size_t i = 0; i < kNormInputs; ++i) set_shape(shapes, first + i, TShape({channels}));
}

// The kNormInputs inputs as a Normalization; without them, one by which x is the map itself.
template <typename T>
class NormValues {
 public:
  NormValues(const Arrays& in, size_t first, bool exist, int64_t channels)
      : mean_(channels, T(0)), factor_(channels, T(1)), offset_(channels, T(0)) {
    if (!exist) return;
    Arrays keep;
    const T* values[kNormInputs];
    for (size_t i = 0; i < kNormInputs; ++i) values[i] = values_of<T>(in[first + i], &keep);
    for (int64_t c = 0; c < channels; ++c) {
      mean_[c] = values[0][c];
      factor_[c] = values[1][c] * values[2][c];
      offset_[c] = values[3][c];
    }
  }

  Normalization<T> get() const { return {mean_.data(), factor_.data(), offset_.data()}; }

 private:
  std::vector<T> mean_, factor_, offset_;
};

}  // namespace cbam
