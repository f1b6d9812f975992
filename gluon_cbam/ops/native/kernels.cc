// The choice of an instruction set, once in a process.
#include "kernels.h"

#include <cstdlib>
#include <cstring>

#include "winograd.h"

namespace cbam {
namespace {

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

const Variant& select() {
  const char* const limit = std::getenv("CBAM_INSTRUCTIONS");
  const auto is_limit = [limit](const Variant& variant) { return limit && std::strcmp(limit, variant.name) == 0; };
  if (!has_avx2() || is_limit(baseline_kernels)) return baseline_kernels;
  if (!has_avx512() || is_limit(avx2_kernels)) return avx2_kernels;
  return avx512_kernels;
}

}  // namespace

const Variant& selected_kernels() {
  static const Variant& selected = select();
  return selected;
}

const Winograd* winograd() {
  if (&selected_kernels() == &avx512_kernels) return &avx512_winograd;
  return &selected_kernels() == &avx2_kernels ? &avx2_winograd : nullptr;
}

}  // namespace cbam
