// Winograd's convolution for AVX2.
#include "winograd.h"

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

// after the headers, so that no inline function of theirs is compiled for this instruction set alone
#pragma GCC target("avx2,fma")
#define CBAM_VARIANT avx2
#define CBAM_LANES 8
#define CBAM_ROWS 6  // 12 of 16 registers hold sums
#include "winograd.inl"
