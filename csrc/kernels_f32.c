/* All kernels of one instruction-set level for floats (see kernels_f64.c). Some sums are double: hence the logarithms of that type. */
#include "cpu.h"
#include "dispatch.h"
#include "simd/vec.h"

#include "simd/real_f64.h"
#include "simd/vmath.h"
#include "simd/real_undef.h"

#include "simd/real_f32.h"
#include "simd/vmath.h"
#include "simd/vmath_names.h"
#include "kernels/all.h"
#include "level.h"

extern const loglik_f32_kernels LOGLIK_F32_TABLE;
__attribute__((visibility("hidden"))) const loglik_f32_kernels LOGLIK_F32_TABLE = {LOGLIK_TYPED_KERNELS(float)};
