// Winograd's convolution for AVX-512.
#include "winograd.h"

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

// after the headers, so that no inline function of theirs is compiled for this instruction set alone
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prefer-vector-width=512")
#define CBAM_VARIANT avx512
#define CBAM_LANES 16
#define CBAM_ROWS 14  // 28 of 32 registers hold sums
#include "winograd.inl"
