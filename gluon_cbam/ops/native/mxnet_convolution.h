// MXNet's convolution with operations after it. The wheel exports the functions and lacks their headers, so that what
// is here repeats the members of MXNet 1.9.1 in their order; see mxnet_abi.h for what makes that valid.
#pragma once

#include <dmlc/optional.h>

#include "registration.h"

namespace mxnet {
namespace op {

struct ConvolutionParam {
  mxnet::TShape kernel, stride, dilate, pad;
  uint32_t num_filter, num_group;
  uint64_t workspace;
  bool no_bias;
  dmlc::optional<int> cudnn_tune;
  bool cudnn_off;
  dmlc::optional<int> layout;
};

struct MKLDNNConvParam {
  bool with_bn = false, with_act = false, with_sum = false, with_postsum_act = false, quantized = false;
  dmlc::optional<float> min_calib_range, max_calib_range;
};

struct MKLDNNPostEltwiseParam {
  mkldnn::algorithm alg = mkldnn::algorithm::undef;
  float scale = 1, alpha = 0, beta = 1;
};

// y = act(convolution), + y where with_sum, then postsum_act
struct MKLDNNConvFullParam {
  ConvolutionParam conv_param;
  MKLDNNConvParam mkldnn_param = {};
  float sum_scale = 1;
  std::vector<float> requantize_scales = {};
  MKLDNNPostEltwiseParam act_param = {}, postsum_act_param = {};
};

class MKLDNNConvForward {
 public:
  // For arrays of these shapes; oneDNN chooses their layouts.
  MKLDNNConvForward(const MKLDNNConvFullParam& param, bool is_train, const NDArray& data, const NDArray& weight,
                    const NDArray* bias, const NDArray& output);

  const mkldnn::primitive_desc_base& description() const { return *description_; }

 private:
  std::shared_ptr<void> primitive_;
  std::shared_ptr<mkldnn::primitive_desc_base> description_;
};

// What oneDNN was asked to do on this thread before, as NDArray::CopyFrom does, is done first.
void MKLDNNConvolutionForwardFullFeature(const MKLDNNConvFullParam& param, const OpContext& context,
                                         MKLDNNConvForward* forward, const std::vector<NDArray>& in,
                                         const std::vector<OpReqType>& requests, const std::vector<NDArray>& out);

}  // namespace op
}  // namespace mxnet

namespace cbam {

// primitive_desc_base::query_md as libmxnet.so has it; the one of oneDNN's header calls C functions that are hidden.
mkldnn::memory::desc query_description(const mkldnn::primitive_desc_base* of, mkldnn::query what,
                                       int index) asm("_ZNK4dnnl19primitive_desc_base8query_mdENS_5queryEi");

}  // namespace cbam
