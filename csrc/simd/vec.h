/* The vector alphabet: everything that differs between instruction sets is in this folder.
 *
 * Design
 *  - Vectors are GCC/Clang vector extensions, so + - * / and integer operations are plain C.
 *    What the extensions lack (fma, sqrt, masks, rounding) comes from one short header per level.
 *  - Operations are overloaded on the element type by _Generic: the kernels are written once, with
 *    R (element), V (vector), VI (integer vector of the same width), M (mask) for the current type,
 *    and are compiled for double and float by including them twice (see kernels.c).
 *  - v_fma is fused where the level has it (LOGLIK_HAVE_FMA) and a multiplication and an addition on
 *    baseline. Algorithms must hold their bound in both cases; where an exact product is needed they use
 *    v_two_prod, which is exact everywhere.
 *  - Masks are whatever the level compares into (AVX-512: bit masks, else: integer vectors); combine
 *    them with & and | only, negate with m_not, test with m_any and m_all.
 */
#ifndef LOGLIK_VEC_H
#define LOGLIK_VEC_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Memory in whole cache lines, NULL where there is none. Windows has its own functions for it. */
#if defined(_WIN32)
#include <malloc.h>
ALWAYS_INLINE void *aligned_take(size_t bytes) { return _aligned_malloc(bytes, 64); }
ALWAYS_INLINE void aligned_give_back(void *memory) { _aligned_free(memory); }
#else
ALWAYS_INLINE void *aligned_take(size_t bytes) {
    void *memory = NULL;
    return posix_memalign(&memory, 64, bytes) == 0 ? memory : NULL;
}
ALWAYS_INLINE void aligned_give_back(void *memory) { free(memory); }
#endif

/* Before a loop over registers: an array of vectors stays in registers only where every index is a constant, and the
 * compiler's own limits leave loops of loops rolled. Where a function is also compiled for a size known at run time
 * only, the mark has no effect there (clang warns of it: -Wno-pass-failed). */
#if defined(__clang__)
#define UNROLLED _Pragma("unroll")
#define ROLLED _Pragma("nounroll")
#else
#define UNROLLED _Pragma("GCC unroll 64")
#define ROLLED _Pragma("GCC unroll 1") /* where copies of a long body would buy nothing */
#endif

#if defined(__AVX512F__)
#define LOGLIK_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define LOGLIK_VECTOR_BYTES 32
#else
#define LOGLIK_VECTOR_BYTES 16
#endif

enum { LANES_f64 = LOGLIK_VECTOR_BYTES / 8, LANES_f32 = LOGLIK_VECTOR_BYTES / 4 };

#define VECTOR_OF(type) type __attribute__((vector_size(LOGLIK_VECTOR_BYTES)))
#define UNALIGNED_OF(type) type __attribute__((vector_size(LOGLIK_VECTOR_BYTES), aligned(sizeof(type)), may_alias))

typedef VECTOR_OF(double) vf64;
typedef VECTOR_OF(int64_t) vi64;
typedef VECTOR_OF(uint64_t) vu64;
typedef VECTOR_OF(float) vf32;
typedef VECTOR_OF(int32_t) vi32;
typedef VECTOR_OF(uint32_t) vu32;
typedef UNALIGNED_OF(double) vf64_unaligned;
typedef UNALIGNED_OF(float) vf32_unaligned;
typedef UNALIGNED_OF(int64_t) vi64_unaligned;
typedef UNALIGNED_OF(int32_t) vi32_unaligned;

#if defined(__AVX512F__)
#include "vec_avx512.h"
#elif defined(__AVX2__)
#include "vec_avx2.h"
#elif defined(__SSE2__)
#include "vec_sse2.h"
#elif defined(__ARM_NEON)
#include "vec_neon.h"
#else
#error "no vector alphabet for this target"
#endif

/* ---------------------------------------------------------------------------------- overloading
 * v_name(x, ...) calls v_name_f64 or v_name_f32 by the type of its first argument. */
#define V_OVERLOAD(name, x) _Generic((x), vf64: name##_f64, vf32: name##_f32)
#define VI_OVERLOAD(name, x) _Generic((x), vi64: name##_f64, vi32: name##_f32)

#define v_fma(a, b, c) V_OVERLOAD(v_fma, a)(a, b, c)   /*  a·b + c */
#define v_fnma(a, b, c) V_OVERLOAD(v_fnma, a)(a, b, c) /* −a·b + c */
#define v_fms(a, b, c) V_OVERLOAD(v_fma, a)(a, b, -(c)) /* a·b − c */
#define v_sqrt(a) V_OVERLOAD(v_sqrt, a)(a)
#define v_lt(a, b) V_OVERLOAD(v_lt, a)(a, b)
#define v_not_lt(a, b) V_OVERLOAD(v_not_lt, a)(a, b) /* also where either is NaN */
#define v_le(a, b) V_OVERLOAD(v_le, a)(a, b)
#define v_gt(a, b) V_OVERLOAD(v_lt, a)(b, a)
#define v_ge(a, b) V_OVERLOAD(v_le, a)(b, a)
#define v_eq(a, b) V_OVERLOAD(v_eq, a)(a, b)
#define v_unord(a, b) V_OVERLOAD(v_unord, a)(a, b)        /* either is NaN */
#define v_select(m, a, b) V_OVERLOAD(v_select, a)(m, a, b) /* m ? a : b, lane by lane */
#define v_zero_unless(m, a) V_OVERLOAD(v_zero_unless, a)(m, a) /* m ? a : +0 */
#define v_zero_if(m, a) V_OVERLOAD(v_zero_if, a)(m, a) /* m ? +0 : a */
#define v_max(a, b) V_OVERLOAD(v_max, a)(a, b)            /* a > b ? a : b, so b where either is NaN */
#define v_min(a, b) V_OVERLOAD(v_min, a)(a, b)            /* a < b ? a : b, so b where either is NaN */
#define v_round(a) V_OVERLOAD(v_round, a)(a)              /* to the nearest integer, ties to even; |a| < 2^51, 2^22 */
#define v_to_int(a) V_OVERLOAD(v_to_int, a)(a)            /* of integral a with |a| < 2^51, 2^31 */
#define v_bits(a) V_OVERLOAD(v_bits, a)(a)
#define v_abs(a) V_OVERLOAD(v_abs, a)(a)
#define v_neg_abs(a) V_OVERLOAD(v_neg_abs, a)(a) /* -|a| in one operation */
#define v_copysign(a, b) V_OVERLOAD(v_copysign, a)(a, b)  /* |a| with the sign of b */
#define v_flip_sign(a, b) V_OVERLOAD(v_flip_sign, a)(a, b) /* a · sign(b) */
#define v_scale(a, n) V_OVERLOAD(v_scale, a)(a, n)        /* a · 2^n rounded once, integral n, |n| <= 2040 (f64), 250 (f32) */
#define v_residual(a, b, c) V_OVERLOAD(v_residual, a)(a, b, c) /* c − a·b for c near a·b: exact but for one rounding */
#define v_two_prod(a, b, low) V_OVERLOAD(v_two_prod, a)(a, b, low)
#define v_two_sum(a, b, low) V_OVERLOAD(v_two_sum, a)(a, b, low)
#define v_fast_two_sum(a, b, low) V_OVERLOAD(v_fast_two_sum, a)(a, b, low)
#define v_store(p, a) V_OVERLOAD(v_store, a)(p, a)
#define v_stream(p, a) V_OVERLOAD(v_stream, a)(p, a)
#define v_load(p) V_OVERLOAD_AT(v_load, p)(p)
#define v_set1(x) _Generic((x), double: v_set1_f64, float: v_set1_f32)(x)
#define v_from_bits(i) VI_OVERLOAD(v_from_bits, i)(i)
#define v_from_int(i) VI_OVERLOAD(v_from_int, i)(i) /* |i| < 2^51, 2^31 */
#define vi_shr(i, n) VI_OVERLOAD(vi_shr, i)(i, n)   /* logical shift to the right */
#define vi_eq(i, j) VI_OVERLOAD(vi_eq, i)(i, j)
#define vi_negative(i) VI_OVERLOAD(vi_negative, i)(i) /* mask of the lanes whose sign bit is set */

/* Moving between rows in memory and lanes: blocks of 16 bytes, that is COLUMNS_f64 = 2 or COLUMNS_f32 = 4 elements. */
#define v_unpack_lo(a, b) V_OVERLOAD(v_unpack_lo, a)(a, b) /* a0 b0 (f32: a0 b0 a1 b1) of each 16 bytes */
#define v_unpack_hi(a, b) V_OVERLOAD(v_unpack_hi, a)(a, b) /* a1 b1 (f32: a2 b2 a3 b3) of each 16 bytes */
/* v_join_T(p, step): 16 bytes from each of p, p + step, ...; v_split_T(p, step, a): the reverse. */
enum { COLUMNS_f64 = 2, COLUMNS_f32 = 4 };
#define V_OVERLOAD_AT(name, p) _Generic((p), const double *: name##_f64, double *: name##_f64, const float *: name##_f32, float *: name##_f32)
#define v_join(p, step) V_OVERLOAD_AT(v_join, p)(p, step)
#define v_load_blocks(p, row, step, column) V_OVERLOAD_AT(v_load_blocks, p)(p, row, step, column)
#define v_load_columns(p, stride, column) V_OVERLOAD_AT(v_load_columns, p)(p, stride, column)
#define v_store_columns(p, stride, column) V_OVERLOAD_AT(v_store_columns, p)(p, stride, column)
#define v_transpose(rows) _Generic((rows), vf64 *: v_transpose_f64, vf32 *: v_transpose_f32)(rows)

/* ---------------------------------------------------------------------------------- the same for all levels */
#define V_COMMON(T, REAL, INT, UINT, V, VI, VU, M)                                                          \
    ALWAYS_INLINE V v_load_##T(const REAL *p) { return (V) * (const V##_unaligned *)p; }                    \
    ALWAYS_INLINE void v_store_##T(REAL *p, V a) { *(V##_unaligned *)p = (V##_unaligned)a; }                \
    ALWAYS_INLINE VI v_bits_##T(V a) { return (VI)a; }                                                      \
    ALWAYS_INLINE V v_from_bits_##T(VI i) { return (V)i; }                                                  \
    ALWAYS_INLINE VI vi_set1_##T(INT x) { return x - (VI){0}; }                                             \
    ALWAYS_INLINE VI vi_shr_##T(VI i, int n) { return (VI)((VU)i >> n); }                                   \
    ALWAYS_INLINE V v_abs_##T(V a) { return (V)((VI)a & (VI)(~(VU){0} >> 1)); }                          \
    ALWAYS_INLINE V v_neg_abs_##T(V a) { return (V)((VI)a | ~(VI)(~(VU){0} >> 1)); }                        \
    ALWAYS_INLINE V v_copysign_##T(V a, V b) {                                                              \
        const VI magnitude = (VI)(~(VU){0} >> 1);                                                        \
        return (V)(((VI)a & magnitude) | ((VI)b & ~magnitude));                                             \
    }                                                                                                       \
    ALWAYS_INLINE V v_flip_sign_##T(V a, V b) { return (V)((VI)a ^ ((VI)b & ~(VI)(~(VU){0} >> 1))); }    \
    /* Knuth: s + low == a + b exactly. */                                                                  \
    ALWAYS_INLINE V v_two_sum_##T(V a, V b, V *low) {                                                       \
        const V s = a + b, t = s - a;                                                                       \
        *low = (a - (s - t)) + (b - t);                                                                     \
        return s;                                                                                           \
    }                                                                                                       \
    /* Dekker: the same for |a| >= |b|. */                                                                  \
    ALWAYS_INLINE V v_fast_two_sum_##T(V a, V b, V *low) {                                                  \
        const V s = a + b;                                                                                  \
        *low = b - (s - a);                                                                                 \
        return s;                                                                                           \
    }

ALWAYS_INLINE vf64 v_set1_f64(double x) { return x - (vf64){0}; } /* x − 0 keeps the sign of −0 */
ALWAYS_INLINE vf32 v_set1_f32(float x) { return x - (vf32){0}; }
V_COMMON(f64, double, int64_t, uint64_t, vf64, vi64, vu64, mf64)
V_COMMON(f32, float, int32_t, uint32_t, vf32, vi32, vu32, mf32)
#undef V_COMMON

/* column[c] = entries (0, c), (1, c), ... of a block of 16 bytes in COLUMNS rows, for each of the blocks at p, p + step, ... */
ALWAYS_INLINE void v_load_blocks_f64(const double *p, ptrdiff_t row, ptrdiff_t step, vf64 *column) {
    const vf64 a = v_join_f64(p, step), b = v_join_f64(p + row, step);
    column[0] = v_unpack_lo(a, b);
    column[1] = v_unpack_hi(a, b);
}
ALWAYS_INLINE void v_load_blocks_f32(const float *p, ptrdiff_t row, ptrdiff_t step, vf32 *column) {
    const vf32 a = v_join_f32(p, step), b = v_join_f32(p + row, step);
    const vf32 c = v_join_f32(p + 2 * row, step), d = v_join_f32(p + 3 * row, step);
    const vf64 ab_lo = (vf64)v_unpack_lo(a, b), ab_hi = (vf64)v_unpack_hi(a, b);
    const vf64 cd_lo = (vf64)v_unpack_lo(c, d), cd_hi = (vf64)v_unpack_hi(c, d);
    column[0] = (vf32)v_unpack_lo(ab_lo, cd_lo);
    column[1] = (vf32)v_unpack_hi(ab_lo, cd_lo);
    column[2] = (vf32)v_unpack_lo(ab_hi, cd_hi);
    column[3] = (vf32)v_unpack_hi(ab_hi, cd_hi);
}
/* column[c][r] = p[r·stride + c] for all lanes r and the columns c of one 16-byte block. */
ALWAYS_INLINE void v_load_columns_f64(const double *p, ptrdiff_t stride, vf64 *column) {
    v_load_blocks_f64(p, stride, COLUMNS_f64 * stride, column);
}
ALWAYS_INLINE void v_load_columns_f32(const float *p, ptrdiff_t stride, vf32 *column) {
    v_load_blocks_f32(p, stride, COLUMNS_f32 * stride, column);
}
/* The reverse: p[r·stride + c] = column[c][r]. */
ALWAYS_INLINE void v_store_columns_f64(double *p, ptrdiff_t stride, const vf64 *column) {
    v_split_f64(p, 2 * stride, v_unpack_lo(column[0], column[1]));
    v_split_f64(p + stride, 2 * stride, v_unpack_hi(column[0], column[1]));
}
ALWAYS_INLINE void v_store_columns_f32(float *p, ptrdiff_t stride, const vf32 *column) {
    const vf64 ab_lo = (vf64)v_unpack_lo(column[0], column[1]), ab_hi = (vf64)v_unpack_hi(column[0], column[1]);
    const vf64 cd_lo = (vf64)v_unpack_lo(column[2], column[3]), cd_hi = (vf64)v_unpack_hi(column[2], column[3]);
    v_split_f32(p, 4 * stride, (vf32)v_unpack_lo(ab_lo, cd_lo));
    v_split_f32(p + stride, 4 * stride, (vf32)v_unpack_hi(ab_lo, cd_lo));
    v_split_f32(p + 2 * stride, 4 * stride, (vf32)v_unpack_lo(ab_hi, cd_hi));
    v_split_f32(p + 3 * stride, 4 * stride, (vf32)v_unpack_hi(ab_hi, cd_hi));
}

#include "transpose.h"

/* Unsigned 64-bit lanes, for random numbers (with vu_mul_low of each level: the product of the low halves). */
ALWAYS_INLINE vu64 vu_set1(uint64_t x) { return x - (vu64){0}; }
ALWAYS_INLINE void vu_store(uint64_t *p, vu64 a) { *(vi64_unaligned *)p = (vi64_unaligned)a; }
ALWAYS_INLINE vu64 vu_iota(void) {
    vu64 lanes;
    for (int i = 0; i < LANES_f64; i++) {
        lanes[i] = (uint64_t)i;
    }
    return lanes;
}

/* Adding 1.5·2^52 leaves the integer in the low bits: exact for |a| < 2^51, one operation on every level. */
ALWAYS_INLINE vi64 v_to_int_f64(vf64 a) {
    const vf64 magic = v_set1_f64(0x1.8p52);
    return (vi64)(a + magic) - (vi64)magic;
}
ALWAYS_INLINE vf64 v_from_int_f64(vi64 i) {
    const vf64 magic = v_set1_f64(0x1.8p52);
    return (vf64)(i + (vi64)magic) - magic;
}
ALWAYS_INLINE vi32 v_to_int_f32(vf32 a) { return __builtin_convertvector(a, vi32); }
ALWAYS_INLINE vf32 v_from_int_f32(vi32 i) { return __builtin_convertvector(i, vf32); }

/* v_widen(a, &low, &high), of each level: the lanes of `a` as doubles, the first half of them in *low. v_load_wide: the same from memory.
 * v_narrow(low, high): back, rounded. */

/* hi + low == a·b exactly (barring underflow). Without FMA by Veltkamp's split, which overflows
 * above 2^995 (f64), 2^115 (f32). */
#if LOGLIK_HAVE_FMA
#define V_TWO_PROD(T, V, SPLIT)                                                                             \
    ALWAYS_INLINE V v_two_prod_##T(V a, V b, V *low) {                                                      \
        const V p = a * b;                                                                                  \
        *low = v_fma_##T(a, b, -p);                                                                         \
        return p;                                                                                           \
    }
#else
#define V_TWO_PROD(T, V, SPLIT)                                                                             \
    ALWAYS_INLINE V v_two_prod_##T(V a, V b, V *low) {                                                      \
        const V split = v_set1_##T(SPLIT), p = a * b;                                                       \
        const V ta = split * a, tb = split * b;                                                             \
        const V ah = ta - (ta - a), al = a - ah, bh = tb - (tb - b), bl = b - bh;                           \
        *low = ((ah * bh - p) + ah * bl + al * bh) + al * bl;                                               \
        return p;                                                                                           \
    }
#endif
V_TWO_PROD(f64, vf64, 134217729.0)
V_TWO_PROD(f32, vf32, 4097.0f)
#undef V_TWO_PROD

#if LOGLIK_HAVE_FMA
#define V_RESIDUAL(T, V)                                                                                    \
    ALWAYS_INLINE V v_residual_##T(V a, V b, V c) { return v_fnma_##T(a, b, c); }
#else
#define V_RESIDUAL(T, V)                                                                                    \
    ALWAYS_INLINE V v_residual_##T(V a, V b, V c) {                                                         \
        V low;                                                                                              \
        const V high = v_two_prod_##T(a, b, &low);                                                          \
        return (c - high) - low;                                                                            \
    }
#endif
V_RESIDUAL(f64, vf64)
V_RESIDUAL(f32, vf32)
#undef V_RESIDUAL

/* Two factors, each near 2^(n/2): the first product is exact, the second one rounds. The integers come from
 * adding 1.5·2^52 (1.5·2^23) plus the exponent bias, which leaves n/2 + bias in the low bits. */
#ifndef LOGLIK_HAVE_SCALE
#define V_SCALE(T, V, MAGIC, MANTISSA)                                                                      \
    ALWAYS_INLINE V v_scale_##T(V a, V n) {                                                                 \
        const V magic = v_set1_##T(MAGIC), half = v_fma_##T(n, v_set1_##T(0.5), magic);                     \
        const V rest = (n - (half - magic)) + magic;                                                        \
        return a * v_from_bits_##T(v_bits_##T(half) << MANTISSA) * v_from_bits_##T(v_bits_##T(rest) << MANTISSA); \
    }
V_SCALE(f64, vf64, 0x1.8p52 + 1023.0, 52)
V_SCALE(f32, vf32, 0x1.8p23f + 127.0f, 23)
#undef V_SCALE
#endif

/* ---------------------------------------------------------------------------------- floating-point state
 * Kernels run in the default state (nearest, no flush to zero) and leave the caller's state as it was, but
 * for the invalid flag that they ask for. The barriers keep loads and stores between the two calls. */
#if defined(__x86_64__)
#include <xmmintrin.h>
typedef unsigned fp_state;
enum { FP_DEFAULT_MXCSR = 0x1f80, FP_INVALID = 1 };
ALWAYS_INLINE fp_state fp_enter(void) {
    const fp_state saved = _mm_getcsr();
    _mm_setcsr(FP_DEFAULT_MXCSR);
    __asm__ volatile("" ::: "memory");
    return saved;
}
ALWAYS_INLINE void fp_leave(fp_state saved, int invalid) {
    __asm__ volatile("" ::: "memory");
    _mm_setcsr(saved | (invalid ? FP_INVALID : 0u));
}
#elif defined(__aarch64__)
typedef struct {
    uint64_t control, status;
} fp_state;
ALWAYS_INLINE fp_state fp_enter(void) {
    fp_state saved;
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(saved.control), "=r"(saved.status)::"memory");
    __asm__ volatile("msr fpcr, %0" ::"r"((uint64_t)0) : "memory");
    return saved;
}
ALWAYS_INLINE void fp_leave(fp_state saved, int invalid) {
    const uint64_t status = saved.status | (invalid ? 1u : 0u);
    __asm__ volatile("msr fpsr, %0\n\tmsr fpcr, %1" ::"r"(status), "r"(saved.control) : "memory");
}
#endif

#endif
