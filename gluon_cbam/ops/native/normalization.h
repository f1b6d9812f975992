// Maps that BatchNorm made, followed from what BatchNorm keeps.
//
// The backward passes of attention need x, the map that came in. Where BatchNorm made it, they take BatchNorm's input
// in its place, which stays for BatchNorm's own backward pass anyway, and the kernels make x of each value as they read
// it: the graph has one map less to keep from its forward pass for every block.
#pragma once

#include "registration.h"

namespace cbam {

// The form kOfNorm of a backward operator takes BatchNorm's input in place of x and, behind its other floats, this many
// vectors (C): the mean and the inverse standard deviation that BatchNorm used, which are its outputs 1 and 2 in
// training and in inference, gamma (which BatchNorm has set to 1 where it does not scale) and beta.
constexpr size_t kNormInputs = 4;

// The entry that a map was before operators of ours handed it on. While MXNet records operators one by one, it asks for
// gradients of nodes whose inputs have no nodes yet.
inline NodeEntry before_handing_on(NodeEntry entry) {
  while (entry.node && entry.node->op()) {
    const std::string& name = entry.node->op()->name;
    const uint32_t handed_on = name == "_cbam_pool" ? 2 : name.compare(0, 14, "_cbam_describe") == 0 ? 1 : 0;
    if (handed_on == 0 || entry.index != handed_on) break;
    entry = NodeEntry(entry.node->inputs[0]);
  }
  return entry;
}

// A map for a backward pass: itself, or what it follows from.
struct Kept {
  NodeEntry map;
  std::vector<NodeEntry> norm;  // kNormInputs of them, or none

  // `same`: an entry of the same values, kept where BatchNorm did not make the map
  Kept(const NodeEntry& x, const NodeEntry& same) : map(same) {
    const NodeEntry made = before_handing_on(x);
    if (!made.node || !made.node->op() || made.node->op()->name != "BatchNorm" || made.index != 0) return;
    const std::string* axis = made.node->attrs.dict.search("axis");
    if (axis && *axis != "1") return;
    const std::vector<NodeEntry>& inputs = made.node->inputs;
    map = inputs[0];
    norm = {NodeEntry(made.node, 1, 0), NodeEntry(made.node, 2, 0), inputs[1], inputs[2]};
  }
};

// The shapes of those inputs.
inline void set_norm_shapes(ShapeVector* shapes, size_t first, int64_t channels) {
  for (size_t i = 0; i < kNormInputs; ++i) set_shape(shapes, first + i, TShape({channels}));
}

// Those inputs as the kernels take them; where there are none, x is the map itself.
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
