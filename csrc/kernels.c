/* All kernels of one instruction-set level.
 *
 * CMake compiles this file once per level with that level's flags and LOGLIK_LEVEL=<name>. Everything in it is
 * static but the table at its end: two objects compiled with different flags must not share inline
 * functions, or the linker may keep the copy that the processor cannot run. A test asserts it with nm. */
#include "cpu.h"
#include "dispatch.h"
#include "simd/vec.h"

#include "simd/real_f64.h"
#include "kernels/all.h"
#include "simd/real_undef.h"

#include "simd/real_f32.h"
#include "kernels/all.h"
#include "simd/real_undef.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define STRING_(x) #x
#define STRING(x) STRING_(x)

extern const loglik_kernels JOIN(loglik_kernels_, LOGLIK_LEVEL);
__attribute__((visibility("hidden"))) const loglik_kernels JOIN(loglik_kernels_, LOGLIK_LEVEL) = {
    .name = STRING(LOGLIK_LEVEL),
    .description = LOGLIK_DESCRIPTION,
    .needs = LOGLIK_NEEDS,
    .vector_bytes = LOGLIK_VECTOR_BYTES,
    .has_fma = LOGLIK_HAVE_FMA,
#define LOGLIK_FIELD(name, signature, types) .name = {name##_f64, name##_f32},
    LOGLIK_UFUNCS(LOGLIK_FIELD)
#undef LOGLIK_FIELD
#define LOGLIK_FIELD(result, name, arguments) .name = name,
    LOGLIK_FUNCTIONS(LOGLIK_FIELD, double, f64)
    LOGLIK_FUNCTIONS(LOGLIK_FIELD, float, f32)
    LOGLIK_UNTYPED(LOGLIK_FIELD)
#undef LOGLIK_FIELD
};
