// MXNet operator that updates a weight:
//
//   _cbam_sgd_momentum(weight, gradient, momentum, settings) -> weight, as MXNet's sgd_mom_update; writes the momentum
//
// MXNet's own takes five times as long as the memory needs. The settings, (4), are the learning rate, the decay of the
// momentum, the factor of the gradient, and the weight decay: an array, since parsing them as text takes longer than
// the update of a small weight.
#include "registration.h"

namespace cbam {
namespace {

constexpr int64_t kSettings = 4;

bool shape(const NodeAttrs&, ShapeVector* in, ShapeVector* out) {
  const TShape weight = (*in)[0];
  if (!mxnet::shape_is_known(weight)) return false;
  for (const size_t index : {1, 2}) {
    const TShape& given = (*in)[index];
    CHECK(given == weight) << "a weight of the shape " << weight << " is updated from arrays of the same shape, got "
                           << given;
  }
  set_shape(in, 3, TShape({kSettings}));
  *out = {weight};
  return true;
}

bool type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) { return same_types(in, out, 4, 1); }

template <typename T>
void update(const OpContext&, const Arrays& in, const Requests& requests, const Arrays& out) {
  Arrays keep;
  const T* weight = values_of<T>(in[0], &keep);  // a copy where oneDNN changed its layout for inference
  const T* gradient = values_of<T>(in[1], &keep);
  const T* settings = values_of<T>(in[3], &keep);
  CHECK(!in[2].IsMKLDNNData() && is_written(requests[0])) << "a momentum and a weight are written in place";
  const_cast<NDArray&>(out[0]).InvalidateMKLDNNData();
  kernels<T>().sgd_momentum({weight, gradient, static_cast<int64_t>(in[0].shape().Size()), settings[0], settings[1],
                             settings[2], settings[3], in[2].data().dptr<T>(), out[0].data().dptr<T>()});
}

}  // namespace

void register_optimizer() {
  nnvm::Op& op = register_operator("_cbam_sgd_momentum", {"weight", "gradient", "momentum", "settings"}, 1, shape, type,
                                   update<float>, update<double>, {{0, 0}});
  set_attribute<nnvm::FMutateInputs>(op, "FMutateInputs", [](const NodeAttrs&) { return std::vector<uint32_t>{2}; });
}

}  // namespace cbam
