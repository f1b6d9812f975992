// The kernels, included once for each instruction set: CBAM_VARIANT is its name. GCC lowers vectors to the registers
// that the instruction set has.

namespace cbam {
namespace CBAM_VARIANT {

// clang-format off: the order of the includes matters
#include "lanes.inl"
#include "loops.inl"
#include "relayout.inl"
#include "global_pool.inl"
#include "channel_pool.inl"
#include "scale.inl"
#include "prelu.inl"
#include "gate_convolution.inl"
#include "sgd_momentum.inl"
#include "gates.inl"
#include "quantized.inl"
// clang-format on

template <typename T>
constexpr Kernels<T> kKernels = {
    relayout<T>,
    global_pool<T>,
    global_pool_backward<T>,
    channel_pool<T>,
    channel_pool_backward<T>,
    scale<T>,
    scale_backward<T>,
    prelu<T>,
    prelu_backward<T>,
    gate_convolution<T>,
    gate_convolution_backward<T>,
    sgd_momentum<T>,
};

constexpr InferenceKernels kInferenceKernels = {
    channel_gate,
    spatial_gate,
    quantized_global_pool<int8_t>,
    quantized_global_pool<uint8_t>,
    quantized_channel_pool,
    quantized_scale<int8_t>,
    quantized_scale<uint8_t>,
};

}  // namespace CBAM_VARIANT

#define CBAM_TEXT_OF(name) #name
#define CBAM_TEXT(name) CBAM_TEXT_OF(name)
#define CBAM_JOIN_OF(name, end) name##end
#define CBAM_JOIN(name, end) CBAM_JOIN_OF(name, end)

constexpr Variant CBAM_JOIN(CBAM_VARIANT, _kernels) = {CBAM_TEXT(CBAM_VARIANT), CBAM_VARIANT::kKernels<float>,
                                                       CBAM_VARIANT::kKernels<double>, CBAM_VARIANT::kInferenceKernels};

}  // namespace cbam
