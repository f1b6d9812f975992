// The kernels for AVX2.
#include "kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

// after the headers, so that no inline function of theirs is compiled for this instruction set alone
#pragma GCC target("avx2,fma")
#define CBAM_VARIANT avx2
#include "kernels.inl"
