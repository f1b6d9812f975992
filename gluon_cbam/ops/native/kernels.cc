// The choice of an instruction set, once a process.
#include "kernels.h"
#include "winograd.h"

#include <cstdlib>
#include <cstring>

namespace cbam {
namespace {

enum Instructions { kBaseline, kAvx2, kAvx512 };
const char* const kNames[] = {"baseline", "avx2", "avx512"};

Instructions choose() {
  Instructions best = kBaseline;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) best = kAvx2;
  if (best == kAvx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    best = kAvx512;
  }
  const char* limit = std::getenv("CBAM_INSTRUCTIONS");
  for (int i = kBaseline; limit && i < best; ++i) {
    if (std::strcmp(limit, kNames[i]) == 0) return static_cast<Instructions>(i);
  }
  return best;
}

const Instructions kChosen = choose();

}  // namespace

template <>
const Kernels<float>& kernels<float>() {
  return kChosen == kAvx512 ? avx512_float() : kChosen == kAvx2 ? avx2_float() : baseline_float();
}

template <>
const Kernels<double>& kernels<double>() {
  return kChosen == kAvx512 ? avx512_double() : kChosen == kAvx2 ? avx2_double() : baseline_double();
}

const QuantizedKernels& quantized_kernels() {
  return kChosen == kAvx512 ? avx512_quantized() : kChosen == kAvx2 ? avx2_quantized() : baseline_quantized();
}

const Winograd* winograd() { return kChosen == kAvx512 ? &avx512_winograd() : nullptr; }

const char* instructions() { return kNames[kChosen]; }

}  // namespace cbam
