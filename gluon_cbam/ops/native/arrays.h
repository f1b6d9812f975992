// Conversion of MXNet's arrays to the maps that the kernels take.
#pragma once

#include <vector>

#include "kernels.h"
#include "mxnet_abi.h"

namespace cbam {

using mxnet::NDArray;

// The block of channels of a map in memory, as in Map; 0 for any other layout, which is copied to be read.
inline int block_of(const NDArray& map) {
  if (!map.IsMKLDNNData()) return 1;
  if (map.IsView()) return 0;  // a part of an array whose layout is that of the entire array
  const dnnl_memory_desc_t& found = descriptor_of(*map.GetMKLDNNData());
  const dnnl_blocking_desc_t& blocking = found.format_desc.blocking;
  if (found.format_kind != dnnl_blocked || found.ndims != 4 || found.offset0 != 0) return 0;
  const int64_t channels = found.dims[1], positions = found.dims[2] * found.dims[3];
  int64_t block = channels, stride = 1;  // (N, H, W, C)
  if (blocking.inner_nblks == 1 && blocking.inner_idxs[0] == 1) {
    block = blocking.inner_blks[0];
    stride = block * positions;
  } else if (blocking.inner_nblks != 0) {
    return 0;
  }
  const bool dense = channels % block == 0 && found.padded_dims[1] == channels && blocking.strides[3] == block &&
                     blocking.strides[2] == block * found.dims[3] && blocking.strides[0] == channels * positions &&
                     blocking.strides[1] == stride;
  return dense && block > 1 && (block == 8 || block == 16 || block == channels) ? static_cast<int>(block) : 0;
}

// An array in MXNet's own layout, a copy where it is not.
inline NDArray plain(const NDArray& array) { return array.IsMKLDNNData() ? array.Reorder2Default() : array; }

// Values as a map of this shape.
template <typename Value>
Map<Value> map_of(Value* data, const mxnet::TShape& shape, int64_t block) {
  return {data, shape[0], shape[1], shape[2] * shape[3], static_cast<int>(block)};
}

// The maps that an operator reads, all in the layout of the first, or in MXNet's own.
template <typename T>
class Maps {
 public:
  Maps(std::vector<NDArray> arrays, bool only_plain) : arrays_(std::move(arrays)) {
    const int first = only_plain ? 1 : block_of(arrays_[0]);
    block_ = first == 0 ? 1 : first;
    for (NDArray& array : arrays_) {
      const int block = block_of(array);
      if (block != block_ && (block == 0 || block_ == 1)) array = plain(array);
    }
  }

  Map<const T> get(size_t index) {
    const NDArray& array = arrays_[index];
    const int block = block_of(array);
    const T* data = block == 1 ? array.data().dptr<T>() : static_cast<const T*>(array.storage_handle().dptr);
    if (block == block_) return view(data);
    copies_.emplace_back(new T[array.shape().Size()]);
    const Map<T> copy = view(copies_.back().get());
    Map<const T> from = view(data);
    from.block = block;
    kernels<T>().relayout(from, copy);
    return view<const T>(copy.data);
  }

  // An output map in the layout of the inputs.
  Map<T> create(const NDArray& output) const {
    NDArray& array = const_cast<NDArray&>(output);  // as MXNet's own operators do
    if (block_ == 1) {
      array.InvalidateMKLDNNData();  // discards the layout of the previous values
      return view(array.data().dptr<T>());
    }
    const dnnl_memory_desc_t wanted = descriptor_of(*arrays_[0].GetMKLDNNData());
    array.CreateMKLDNNData(mkldnn::memory::desc(wanted));
    return view(static_cast<T*>(array.storage_handle().dptr));
  }

  template <typename Value>
  Map<Value> view(Value* data) const {
    const mxnet::TShape& shape = arrays_[0].shape();
    return {data, shape[0], shape[1], static_cast<int64_t>(shape.ProdShape(2, shape.ndim())), block_};
  }

 private:
  std::vector<NDArray> arrays_;
  std::vector<std::unique_ptr<T[]>> copies_;
  int block_;
};

// A map in one of two layouts, given by the blocks of Map. Any other layout is copied to the first of them.
template <typename Value>
class ChannelMap {
 public:
  ChannelMap(const NDArray& array, int64_t block, int64_t other) {
    const int found = block_of(array);
    if (found != 1 && (found == block || found == other)) {
      map_ = map_of(static_cast<const Value*>(array.storage_handle().dptr), array.shape(), found);
      return;
    }
    const NDArray held = plain(array);
    copy_.reset(new Value[array.shape().Size()]);
    const Map<Value> copy = map_of(copy_.get(), array.shape(), block);
    copy_from_plain(held.data().dptr<Value>(), copy);
    map_ = {copy.data, copy.batch, copy.channels, copy.positions, copy.block};
  }

  const Map<const Value>& map() const { return map_; }

 private:
  static void copy_from_plain(const Value* from, Map<Value> to) {
#pragma omp parallel for schedule(static) if (is_parallel(to))
    for (int64_t plane = 0; plane < to.batch * to.channels; ++plane) {
      const int64_t channel = plane % to.channels;
      Value* at = to.at(plane / to.channels, channel / to.block) + channel % to.block;
      for (int64_t p = 0; p < to.positions; ++p) at[p * to.block] = from[plane * to.positions + p];
    }
  }

  Map<const Value> map_;
  std::unique_ptr<Value[]> copy_;
};

// Sets the layout of an output to blocks of some channels or of all channels, see Map, and returns its memory. oneDNN
// then uses this layout.
template <typename Q>
Q* set_layout(const NDArray& output, dnnl_data_type_t type, int block) {
  const mxnet::TShape& shape = output.shape();
  const int64_t positions = shape[2] * shape[3];
  const bool rows = block == shape[1];
  dnnl_memory_desc_t wanted = {};
  wanted.ndims = 4;
  wanted.data_type = type;
  wanted.format_kind = dnnl_blocked;
  dnnl_blocking_desc_t& blocking = wanted.format_desc.blocking;
  if (!rows) {
    blocking.inner_nblks = 1;
    blocking.inner_blks[0] = block;
    blocking.inner_idxs[0] = 1;
  }
  const int64_t strides[] = {shape[1] * positions, rows ? 1 : block * positions, block * shape[3], block};
  for (int i = 0; i < 4; ++i) {
    wanted.dims[i] = wanted.padded_dims[i] = shape[i];
    blocking.strides[i] = strides[i];
  }
  NDArray& array = const_cast<NDArray&>(output);
  array.CreateMKLDNNData(mkldnn::memory::desc(wanted));
  return static_cast<Q*>(array.storage_handle().dptr);
}

// The index of an output that a variant of an operator does not have.
constexpr size_t kAbsent = static_cast<size_t>(-1);

inline bool is_written(mxnet::OpReqType request) {
  return request == mxnet::kWriteTo || request == mxnet::kWriteInplace;
}

// Whether maps must be written in MXNet's own layout: into a part of an array, or where values are added to others.
inline bool need_plain(const std::vector<NDArray>& outputs, const std::vector<mxnet::OpReqType>& requests) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (requests[i] == mxnet::kAddTo || (requests[i] != mxnet::kNullOp && outputs[i].IsView())) return true;
  }
  return false;
}

// The memory that an operator writes an output to: the array itself, or a buffer if the values are added to the array
// or are not needed; null if the output is absent.
template <typename T>
class Target {
 public:
  Target(const std::vector<NDArray>& outputs, const std::vector<mxnet::OpReqType>& requests, size_t index) {
    if (index == kAbsent) return;
    const NDArray& array = outputs[index];
    const mxnet::OpReqType request = requests[index];
    if (!is_written(request)) buffer_.resize(array.shape().Size());
    if (request == mxnet::kNullOp) return;
    const NDArray before = request == mxnet::kAddTo ? plain(array) : array;
    const_cast<NDArray&>(array).InvalidateMKLDNNData();
    out_ = array.data().dptr<T>();
    const T* values = before.data().dptr<T>();
    if (values != out_) std::memcpy(out_, values, array.shape().Size() * sizeof(T));
  }

  T* data() { return buffer_.empty() ? out_ : buffer_.data(); }

  // To be called after the values were written.
  void finish() {
    for (size_t i = 0; out_ && i < buffer_.size(); ++i) out_[i] += buffer_[i];
  }

 private:
  T* out_ = nullptr;
  std::vector<T> buffer_;
};

// A Target for a map, in the layout of the inputs if the map itself is written.
template <typename T>
class MapTarget {
 public:
  MapTarget(const Maps<T>& maps, const std::vector<NDArray>& outputs, const std::vector<mxnet::OpReqType>& requests,
            size_t index)
      : target_(outputs, requests, index != kAbsent && is_written(requests[index]) ? kAbsent : index),
        map_(index != kAbsent && is_written(requests[index]) ? maps.create(outputs[index])
                                                             : maps.view(target_.data())) {}

  Map<T> map() const { return map_; }
  void finish() { target_.finish(); }

 private:
  Target<T> target_;
  Map<T> map_;
};

}  // namespace cbam
