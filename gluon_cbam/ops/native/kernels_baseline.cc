// The kernels for every x86-64.
#include "kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#define CBAM_VARIANT baseline
#include "kernels.inl"
