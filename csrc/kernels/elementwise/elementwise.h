/* Elementwise functions of one argument. Accuracy and algorithms: simd/vmath_*.h. */

#define LOGLIK_MAP_VMATH(name)                                                                              \
    ALWAYS_INLINE void name##_map(const V *in, V *out) { out[0] = vm_##name(in[0]); }                       \
    LOGLIK_MAP(name, 1, 1)

LOGLIK_MAP_VMATH(exp)
LOGLIK_MAP_VMATH(expm1)
LOGLIK_MAP_VMATH(log)
LOGLIK_MAP_VMATH(log1p)
LOGLIK_MAP_VMATH(log1pmx)
LOGLIK_MAP_VMATH(erf)
LOGLIK_MAP_VMATH(erfc)
LOGLIK_MAP_VMATH(ndtr)
LOGLIK_MAP_VMATH(log_ndtr)
LOGLIK_MAP_VMATH(ndtri)
LOGLIK_MAP_VMATH(softplus)
LOGLIK_MAP_VMATH(sigmoid)
LOGLIK_MAP_VMATH(log_sigmoid)

ALWAYS_INLINE void sincos_2pi_map(const V *in, V *out) { vm_sincos_2pi(in[0], &out[0], &out[1]); }
LOGLIK_MAP(sincos_2pi, 1, 2)

#undef LOGLIK_MAP_VMATH
