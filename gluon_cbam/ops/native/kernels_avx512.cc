// The kernels for AVX-512.
#include "kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

// after the headers, so that no inline function of theirs is compiled for this instruction set alone
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prefer-vector-width=512")
#define CBAM_VARIANT avx512
#include "kernels.inl"
