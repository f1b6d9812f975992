// A convolution with what follows it in inference:
//
//   _cbam_fused_convolution(data, weight[, bias], gamma, beta, mean, variance[, slopes][, shortcut])
//       -> activation(BatchNorm(Convolution(data, weight[, bias])) + shortcut)
//
// It has the parameters of MXNet's Convolution and those of `Settings`, whose names have underscores around them, so
// that the parser of MXNet's passes over them. BatchNorm is folded into the weights and a bias: where Winograd's
// algorithm is faster, into the transformed weights, elsewhere into a copy of the weights for oneDNN, both kept until
// one of the parameters changes. There are no gradients.
#include <cmath>
#include <mutex>

#include "mxnet_convolution.h"
#include "convolution_arrays.h"
#include "threads.h"

namespace cbam {
namespace {

using mxnet::op::ConvolutionParam;
using mxnet::op::MKLDNNConvForward;
using mxnet::op::MKLDNNConvFullParam;

const char kMxnet[] = "Convolution", kOurs[] = "_cbam_fused_convolution";

struct Folded;

// The parsed attributes of a node. Copies of the node share what was folded.
struct Settings {
  NodeAttrs convolution;  // of MXNet's operator
  bool has_bias;
  bool scales;            // __scale__: whether BatchNorm multiplies with gamma
  float epsilon;          // __eps__: of BatchNorm
  Activation activation;  // __act__: none, relu, prelu
  bool has_shortcut;      // __add__
  std::shared_ptr<Folded> folded;

  const ConvolutionParam& of_mxnet() const { return dmlc::unsafe_get<ConvolutionParam>(convolution.parsed); }
  size_t norm_at() const { return 2 + has_bias; }
  size_t slopes_at() const { return norm_at() + 4; }
  size_t shortcut_at() const { return slopes_at() + (activation == Activation::kPrelu); }
  size_t inputs() const { return shortcut_at() + has_shortcut; }
};

// Winograd's algorithm is for one group, and stride, padding and dilation of 1.
bool fits_winograd(const ConvolutionParam& p) {
  const auto is_one = [](const TShape& shape) { return shape[0] == 1 && shape[1] == 1; };
  return is_one(p.stride) && is_one(p.pad) && is_one(p.dilate) && p.num_group == 1;
}

// -------------------------------------------------------------------------------------------------------- folding

// What a node keeps between calls, for the last values of its parameters.
struct Folded {
  std::mutex mutex;
  LastArrays parameters;
  std::vector<float> scale, bias;   // of the outputs
  std::vector<float> transformed;   // for Winograd's algorithm, empty before its first use
  std::unique_ptr<NDArray> weight;  // for oneDNN, in its layout; none before its first use
  std::map<std::vector<int64_t>, std::unique_ptr<MKLDNNConvForward>> forwards;  // by the shape of the map
};

void update(const Settings& settings, const Arrays& in) {
  Folded& folded = *settings.folded;
  const size_t at = settings.norm_at();
  if (folded.parameters.are_repeated(Arrays(in.begin() + 1, in.begin() + at + 4))) return;
  std::vector<float>().swap(folded.transformed);
  folded.weight.reset();
  Arrays keep;
  const float* bias = settings.has_bias ? values_of<float>(in[2], &keep) : nullptr;
  const float *gamma = values_of<float>(in[at], &keep), *beta = values_of<float>(in[at + 1], &keep);
  const float *mean = values_of<float>(in[at + 2], &keep), *variance = values_of<float>(in[at + 3], &keep);
  const int64_t outputs = in[1].shape()[0];
  folded.scale.resize(outputs);
  folded.bias.resize(outputs);
  for (int64_t c = 0; c < outputs; ++c) {
    folded.scale[c] = (settings.scales ? gamma[c] : 1) / std::sqrt(variance[c] + settings.epsilon);
    folded.bias[c] = beta[c] + ((bias ? bias[c] : 0) - mean[c]) * folded.scale[c];
  }
}

// The weights times the scale of their output, in MXNet's own layout.
NDArray scaled(const NDArray& weight, const std::vector<float>& scale) {
  Arrays keep;
  const float* from = values_of<float>(weight, &keep);
  const NDArray made(weight.shape(), weight.ctx(), false, weight.dtype());
  float* to = made.data().dptr<float>();
  const int64_t outputs = weight.shape()[0], each = weight.shape().Size() / outputs;
#pragma omp parallel for schedule(static) if (outputs * each > kMinParallelValues)
  for (int64_t c = 0; c < outputs; ++c) {
    for (int64_t i = 0; i < each; ++i) to[c * each + i] = from[c * each + i] * scale[c];
  }
  return made;
}

// ------------------------------------------------------------------------------------------------------- Winograd

void run_winograd(const Settings& settings, const Arrays& in, const NDArray& out) {
  Folded& folded = *settings.folded;
  const TShape& weight = in[1].shape();
  if (folded.transformed.empty()) {
    folded.transformed.resize(winograd_transformed_size(weight[0], weight[1]));
    transform(in[1], folded.scale.data(), false, folded.transformed.data());
  }
  Arrays keep;
  ConvolutionEnd end;
  end.bias = folded.bias.data();
  if (settings.has_shortcut) end.shortcut = &in[settings.shortcut_at()];
  end.activation = settings.activation;
  if (settings.activation == Activation::kPrelu) end.slopes = values_of<float>(in[settings.slopes_at()], &keep);
  convolve(in[0], folded.transformed.data(), workspace<float>(winograd()->workspace_size(weight[1])), false, out, end);
}

// --------------------------------------------------------------------------------------------------------- oneDNN

MKLDNNConvFullParam with_operations(const Settings& settings) {
  MKLDNNConvFullParam param = {settings.of_mxnet()};
  param.conv_param.no_bias = false;
  param.mkldnn_param.with_sum = settings.has_shortcut;
  const bool has_relu = settings.activation == Activation::kRelu;
  (settings.has_shortcut ? param.mkldnn_param.with_postsum_act : param.mkldnn_param.with_act) = has_relu;
  param.act_param.alg = param.postsum_act_param.alg = mkldnn::algorithm::eltwise_relu;
  return param;
}

MKLDNNConvForward& forward_of(const Settings& settings, const MKLDNNConvFullParam& param, const Arrays& in,
                              const NDArray& out) {
  constexpr size_t kMost = 16;  // shapes of inputs; oneDNN keeps what is slow to make
  auto& forwards = settings.folded->forwards;
  const TShape& shape = in[0].shape();
  const std::vector<int64_t> key(shape.begin(), shape.end());
  const auto found = forwards.find(key);
  if (found != forwards.end()) return *found->second;
  if (forwards.size() >= kMost) forwards.clear();
  const NDArray& bias = in[settings.norm_at()];  // one of its shape
  std::unique_ptr<MKLDNNConvForward> made(new MKLDNNConvForward(param, false, in[0], in[1], &bias, out));
  return *forwards.emplace(key, std::move(made)).first->second;
}

bool is_same(const NDArray& array, const mkldnn::memory::desc& layout) {
  return std::memcmp(&descriptor_of(*array.GetMKLDNNData()), &layout.data, sizeof(layout.data)) == 0;
}

// Puts the shortcut where oneDNN adds the convolution to it: into the output, in the layout that oneDNN writes.
void write_shortcut(const NDArray& shortcut, const mkldnn::memory::desc& layout, const NDArray& out) {
  const bool is_there =
      shortcut.storage_handle().dptr == out.storage_handle().dptr && !shortcut.IsView() && is_same(shortcut, layout);
  const mkldnn::memory* from = shortcut.GetMKLDNNDataReorder(layout);
  NDArray& target = const_cast<NDArray&>(out);
  target.CreateMKLDNNData(layout);
  if (!is_there) target.CopyFrom(*from);
}

void run_onednn(const Settings& settings, const OpContext& context, const Arrays& in, const NDArray& out) {
  Folded& folded = *settings.folded;
  const MKLDNNConvFullParam param = with_operations(settings);
  MKLDNNConvForward& forward = forward_of(settings, param, in, out);
  const auto layout_of = [&](mkldnn::query what) { return query_description(&forward.description(), what, 0); };
  const mkldnn::memory::desc layout = layout_of(mkldnn::query::weights_md);
  std::unique_ptr<NDArray> plain_weight;  // is read when the convolution runs
  if (!folded.weight || !is_same(*folded.weight, layout)) {
    plain_weight.reset(new NDArray(scaled(in[1], folded.scale)));
    folded.weight.reset(new NDArray(in[1].shape(), in[1].ctx(), false, in[1].dtype()));
    folded.weight->CreateMKLDNNData(layout);
    folded.weight->CopyFrom(*plain_weight->GetMKLDNNData());
  }
  if (settings.has_shortcut) {
    write_shortcut(in[settings.shortcut_at()], layout_of(mkldnn::query::dst_md), out);
  }
  const NDArray data = in[0].IsView() ? plain(in[0]) : in[0];
  const NDArray bias(mxnet::TBlob(folded.bias.data(), TShape({in[1].shape()[0]}), mshadow::cpu::kDevMask), 0);
  mxnet::op::MKLDNNConvolutionForwardFullFeature(param, context, &forward, {data, *folded.weight, bias},
                                                 {mxnet::kWriteTo}, {out});
}

// The layout of a map decides how PReLU is computed in place.
void apply_prelu(const NDArray& gamma, const NDArray& out) {
  Arrays keep;
  const float* slopes = values_of<float>(gamma, &keep);
  Maps<float> maps({out}, false);
  const Map<const float> x = maps.get(0);
  kernels<float>().prelu({x, slopes, maps.create(out)});
}

// -------------------------------------------------------------------------------------------------------- operator

const Settings& settings_of(const NodeAttrs& attributes) { return dmlc::unsafe_get<Settings>(attributes.parsed); }

void run(const Settings& settings, const OpContext& context, const Arrays& in, const NDArray& out) {
  const std::lock_guard<std::mutex> lock(settings.folded->mutex);
  update(settings, in);
  const TShape& weight = in[1].shape();
  if (fits_winograd(settings.of_mxnet()) && is_winograd_faster(in[0], weight, weight[1], weight[0])) {
    run_winograd(settings, in, out);
    return;
  }
  run_onednn(settings, context, in, out);
  if (settings.activation == Activation::kPrelu) apply_prelu(in[settings.slopes_at()], out);
}

void forward(const NodeAttrs& attributes, const OpContext& context, const Arrays& in, const Requests& requests,
             const Arrays& out) {
  CHECK(!context.is_train) << "a fused convolution is for inference only";
  bind_team_once();
  if (requests[0] == mxnet::kNullOp) return;
  const Settings& settings = settings_of(attributes);
  if (is_whole(out[0], requests[0])) {
    run(settings, context, in, out[0]);
    return;
  }
  const NDArray whole(out[0].shape(), out[0].ctx(), false, out[0].dtype());
  run(settings, context, in, whole);
  Arrays keep;
  Target<float> target(out, requests, 0);
  std::memcpy(target.data(), values_of<float>(whole, &keep), whole.shape().Size() * sizeof(float));
  target.finish();
}

std::string setting(const NodeAttrs& attributes, const char* key, const char* otherwise) {
  const std::string* const found = attributes.dict.search(key);
  return found ? *found : otherwise;
}

Activation activation_of(const std::string& name) {
  if (name == "none") return Activation::kNone;
  CHECK(name == "relu" || name == "prelu") << "a fused convolution has no activation " << name;
  return name == "relu" ? Activation::kRelu : Activation::kPrelu;
}

void parse(NodeAttrs* attributes) {
  call_old(nnvm::Op::Get(kMxnet)->attr_parser, attributes);
  Settings settings = {};
  settings.convolution.op = nnvm::Op::Get(kMxnet);
  settings.convolution.parsed = attributes->parsed;
  settings.has_bias = !settings.of_mxnet().no_bias;
  settings.scales = setting(*attributes, "__scale__", "True") == "True";
  settings.epsilon = std::stof(setting(*attributes, "__eps__", "0.001"));
  settings.activation = activation_of(setting(*attributes, "__act__", "none"));
  settings.has_shortcut = setting(*attributes, "__add__", "False") == "True";
  settings.folded = std::make_shared<Folded>();
  CHECK_EQ(settings.of_mxnet().kernel.ndim(), 2) << "a fused convolution takes an (N, C, H, W) map";
  attributes->parsed = settings;
}

bool shape(const NodeAttrs& attributes, ShapeVector* in, ShapeVector* out) {
  const Settings& settings = settings_of(attributes);
  ShapeVector of_mxnet(in->begin(), in->begin() + settings.norm_at());
  const auto infer = attribute_of<mxnet::FInferShape>(kMxnet, "FInferShape");
  if (!call_old(infer, settings.convolution, &of_mxnet, out)) return false;
  std::copy(of_mxnet.begin(), of_mxnet.end(), in->begin());
  const TShape vector({(*out)[0][1]});
  for (size_t i = settings.norm_at(); i < settings.shortcut_at(); ++i) set_shape(in, i, vector);
  if (settings.has_shortcut) set_shape(in, settings.shortcut_at(), (*out)[0]);
  return true;
}

bool type(const NodeAttrs&, std::vector<int>* in, std::vector<int>* out) {
  std::fill(in->begin(), in->end(), mshadow::kFloat32);
  *out = {mshadow::kFloat32};
  return true;
}

std::vector<std::string> names(const NodeAttrs& attributes) {
  const Settings& settings = settings_of(attributes);
  std::vector<std::string> found = {"data", "weight"};
  if (settings.has_bias) found.push_back("bias");
  found.insert(found.end(), {"gamma", "beta", "mean", "variance"});
  if (settings.activation == Activation::kPrelu) found.push_back("slopes");
  if (settings.has_shortcut) found.push_back("shortcut");
  return found;
}

Pairs in_place(const NodeAttrs& attributes) {
  const Settings& settings = settings_of(attributes);
  return settings.has_shortcut ? Pairs{{static_cast<int>(settings.shortcut_at()), 0}} : Pairs{};
}

uint32_t count(const NodeAttrs& attributes) { return settings_of(attributes).inputs(); }

}  // namespace

void register_fused_convolution() {
  nnvm::Op& op = dmlc::Registry<nnvm::Op>::Get()->__REGISTER_OR_GET__(kOurs);
  op.set_num_outputs(1);
  op.get_num_inputs = callable(count);
  op.attr_parser = callable(parse);
  set_attribute<mxnet::FResourceRequest>(op, "FResourceRequest",
                                         attribute_of<mxnet::FResourceRequest>(kMxnet, "FResourceRequest"));
  set_attribute<nnvm::FListInputNames>(op, "FListInputNames", names);
  set_attribute<nnvm::FInplaceOption>(op, "FInplaceOption", in_place);
  set_attribute<mxnet::FInferShape>(op, "FInferShape", callable(shape));
  set_attribute<nnvm::FInferType>(op, "FInferType", callable(type));
  set_attribute<mxnet::FInferStorageType>(op, "FInferStorageType", callable(dense_storage));
  set_attribute<bool>(op, "TIsMKLDNN", true);
  set_attribute<mxnet::FComputeEx>(op, "FComputeEx<cpu>", forward);
  set_zero_gradient(op);
}

}  // namespace cbam
