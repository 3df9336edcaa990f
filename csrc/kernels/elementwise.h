/* Elementwise functions of one argument. Accuracy and algorithms: simd/vmath.h. */

ALWAYS_INLINE void FN(exp_map)(const V *in, V *out) { out[0] = FN(vm_exp)(in[0]); }
LOGLIK_MAP(exp, 1, 1)
