// MXNet's headers, as the wheel of 1.9.1 was compiled: by GCC 4.8, whose standard library differs from today's in three
// ways that matter where objects cross between that library and this one.
//
// 1. std::string: _GLIBCXX_USE_CXX11_ABI=0, on the compiler's command line.
// 2. std::unordered_map is 48 bytes there and 56 today. nnvm::NodeAttrs holds one, a node's attributes, in front of
//    what is used here, so the headers see a map of the old size that can be made, empty, searched, and destroyed
//    empty.
// 3. std::function passes the arguments to its target by value there, by reference today: `callable` makes a
//    std::function that the old library can call, and `set_attribute` calls nnvm::Op::set_attr of the old library
//    instead of an inlined one, since that passes such a function on.
//
// The layout of oneDNN's memory is read from the object, since the wheel hides oneDNN's C functions: `descriptor_of`.
// All of this is valid for one file only, libmxnet.so of mxnet 1.9.1 for Linux on x86-64; the Python side loads this
// library with no other.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <shared_mutex>
#include <string>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <dmlc/json.h>
#include <dmlc/registry.h>
#include <mkldnn.hpp>

namespace std {
template <typename Key, typename Value, typename...>
struct unordered_map_of_gcc_4 {
  struct Node {
    Node* next;
    Key key;
    Value value;
    size_t hash;
  };

  unordered_map_of_gcc_4() : buckets(new void*[1]()), count(1) {}
  unordered_map_of_gcc_4(const unordered_map_of_gcc_4&) : unordered_map_of_gcc_4() {}
  unordered_map_of_gcc_4& operator=(const unordered_map_of_gcc_4&) { return *this; }
  ~unordered_map_of_gcc_4() { delete[] buckets; }

  // the value of a key, or null; one list has the nodes of all buckets
  const Value* search(const Key& key) const {
    const Node* node = first;
    while (node && !(node->key == key)) node = node->next;
    return node ? &node->value : nullptr;
  }

  void** buckets;
  size_t count;
  Node* first = nullptr;
  size_t size = 0;
  float load = 1;
  size_t next_resize = 1;
};
}  // namespace std

#define unordered_map unordered_map_of_gcc_4
#include <nnvm/node.h>
#undef unordered_map

#include <mxnet/ndarray.h>
#include <mxnet/op_attr_types.h>
#include <nnvm/op.h>
#include <nnvm/op_attr_types.h>

namespace cbam {

static_assert(sizeof(std::unordered_map_of_gcc_4<std::string, std::string>) == 48, "the size that GCC 4.8 gives it");

// Where a std::function has the function that calls its target: after the 16 bytes of the target and the pointer to its
// manager.
constexpr size_t kInvoker = 24;

template <typename Result, typename... Arguments>
std::function<Result(Arguments...)> callable(Result (*function)(Arguments...)) {
  struct OldConvention {
    static Result call(const std::_Any_data& held, Arguments... arguments) {
      return (*reinterpret_cast<Result (*const*)(Arguments...)>(&held))(arguments...);
    }
  };
  std::function<Result(Arguments...)> made(function);
  Result (*const call)(const std::_Any_data&, Arguments...) = &OldConvention::call;
  std::memcpy(reinterpret_cast<char*>(&made) + kInvoker, &call, sizeof(call));
  return made;
}

// The opposite of `callable`: calls a std::function that the old library has made.
template <typename Value>
struct Same {
  typedef Value type;
};

template <typename Result, typename... Arguments>
Result call_old(const std::function<Result(Arguments...)>& function, typename Same<Arguments>::type... arguments) {
  Result (*call)(const std::_Any_data&, Arguments...);
  std::memcpy(&call, reinterpret_cast<const char*>(&function) + kInvoker, sizeof(call));
  return call(*reinterpret_cast<const std::_Any_data*>(&function), arguments...);
}

template <typename Value>
void set_attribute(nnvm::Op& op, const std::string& key, const Value& value) {
  constexpr int kPriority = 10;  // nnvm's default
  nnvm::Op& (nnvm::Op::* volatile set_attr)(const std::string&, const Value&, int) = &nnvm::Op::set_attr<Value>;
  (op.*set_attr)(key, value, kPriority);
}

// dnnl_memory: a table of virtual functions, two pointers, the descriptor
inline const dnnl_memory_desc_t& descriptor_of(const mkldnn::memory& memory) {
  return *reinterpret_cast<const dnnl_memory_desc_t*>(reinterpret_cast<const char*>(memory.get()) + 3 * sizeof(void*));
}

}  // namespace cbam
