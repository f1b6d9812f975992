// SgdMomentumArgs. Part of kernels.inl.

template <typename T>
void sgd_momentum(const SgdMomentumArgs<T>& a) {
  const T *weight = a.weight, *gradient = a.gradient;
  T *momentum = a.momentum, *updated = a.updated;
  const T rate = a.rate, decay = a.decay, factor = a.factor, weight_decay = a.weight_decay;
#pragma omp parallel for simd schedule(static) if (a.count > kMinParallelValues)
  for (int64_t i = 0; i < a.count; ++i) {
    const T step = decay * momentum[i] - rate * (factor * gradient[i] + weight_decay * weight[i]);
    momentum[i] = step;
    updated[i] = weight[i] + step;
  }
}
