// The kernels for every x86-64.
#include "kernels.h"

#include <cstring>
#include <limits>

#define CBAM_VARIANT baseline
#include "kernels.inl"
