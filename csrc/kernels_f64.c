/* All kernels of one instruction-set level for doubles, those that exist once for both types, and the level's table.
 *
 * CMake compiles this file and kernels_f32.c once per level with that level's flags and LOGLIK_LEVEL=<name>. Everything in
 * them is static but the tables: two objects compiled with different flags must not share inline functions, or the linker
 * may keep the copy that the processor cannot run. A test asserts it with nm. */
#include "cpu.h"
#include "dispatch.h"
#include "simd/vec.h"

#include "simd/real_f64.h"
#include "simd/vmath.h"
#include "simd/vmath_names.h"
#include "kernels/all.h"
#include "level.h"

static const loglik_f64_kernels f64_kernels = {LOGLIK_TYPED_KERNELS(double)};

extern const loglik_f32_kernels LOGLIK_F32_TABLE;
extern const loglik_kernels LOGLIK_TABLE;
__attribute__((visibility("hidden"))) const loglik_kernels LOGLIK_TABLE = {
    .name = LOGLIK_STRING(LOGLIK_LEVEL),
    .description = LOGLIK_DESCRIPTION,
    .needs = LOGLIK_NEEDS,
    .vector_bytes = LOGLIK_VECTOR_BYTES,
    .has_fma = LOGLIK_HAVE_FMA,
    .f64 = &f64_kernels,
    .f32 = &LOGLIK_F32_TABLE,
    LOGLIK_UNTYPED(LOGLIK_FUNCTION)
};
