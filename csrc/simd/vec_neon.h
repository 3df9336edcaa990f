/* 64-bit Arm Advanced SIMD. Masks are integer vectors of −1 and 0. */
#include <arm_neon.h>

#define LOGLIK_HAVE_FMA 1
#define LOGLIK_NEEDS LOGLIK_CPU_NEON
#define LOGLIK_DESCRIPTION "Advanced SIMD, on every 64-bit Arm processor"

/* The register tile of the triangular kernels: rows x vectors of accumulators (32 registers: 16 + 4 + 4). */
#define LOGLIK_TILE_ROWS 4
#define LOGLIK_TILE_VECTORS 4

typedef vi64 mf64;
typedef vi32 mf32;

#define m_none(T) ((m##T){0})
#define m_any(m) (vmaxvq_u32((uint32x4_t)(m)) != 0)
#define m_all(m) (vminvq_u32((uint32x4_t)(m)) != 0)
#define m_not(m) (~(m))

#define V_LEVEL(T, REAL, V, VI, M, S, SU, A, U)                                                             \
    ALWAYS_INLINE V v_fma_##T(V a, V b, V c) { return (V)vfmaq_##S((A)c, (A)a, (A)b); }                     \
    ALWAYS_INLINE V v_fnma_##T(V a, V b, V c) { return (V)vfmsq_##S((A)c, (A)a, (A)b); }                    \
    ALWAYS_INLINE V v_sqrt_##T(V a) { return (V)vsqrtq_##S((A)a); }                                         \
    ALWAYS_INLINE M v_lt_##T(V a, V b) { return (M)(a < b); }                                               \
    ALWAYS_INLINE M v_not_lt_##T(V a, V b) { return ~(M)(a < b); }                                          \
    ALWAYS_INLINE M v_le_##T(V a, V b) { return (M)(a <= b); }                                              \
    ALWAYS_INLINE M v_eq_##T(V a, V b) { return (M)(a == b); }                                              \
    ALWAYS_INLINE M v_unord_##T(V a, V b) { return ~((M)(a == a) & (M)(b == b)); }                          \
    ALWAYS_INLINE V v_select_##T(M m, V a, V b) { return (V)vbslq_##S((U)m, (A)a, (A)b); }                  \
    ALWAYS_INLINE V v_zero_unless_##T(M m, V a) { return (V)((VI)a & m); }                                  \
    ALWAYS_INLINE V v_zero_if_##T(M m, V a) { return (V)((VI)a & ~m); }                                      \
    /* Arm's own maximum propagates NaN: spelled out, so that the lanes agree with x86. */                  \
    ALWAYS_INLINE V v_max_##T(V a, V b) { return v_select_##T(v_lt_##T(b, a), a, b); }                      \
    ALWAYS_INLINE V v_min_##T(V a, V b) { return v_select_##T(v_lt_##T(a, b), a, b); }                      \
    ALWAYS_INLINE V v_round_##T(V a) { return (V)vrndnq_##S((A)a); }                                        \
    ALWAYS_INLINE M vi_eq_##T(VI a, VI b) { return (M)(a == b); }                                           \
    ALWAYS_INLINE M vi_negative_##T(VI a) { return (M)(a < 0); }                                            \
    ALWAYS_INLINE V v_unpack_lo_##T(V a, V b) { return (V)vzip1q_##S((A)a, (A)b); }                         \
    ALWAYS_INLINE V v_unpack_hi_##T(V a, V b) { return (V)vzip2q_##S((A)a, (A)b); }                         \
    ALWAYS_INLINE void v_stream_##T(REAL *p, V a) { vst1q_##S(p, (A)a); } /* no such store here */           \
    ALWAYS_INLINE V v_join_##T(const REAL *p, ptrdiff_t step) {                                             \
        (void)step;                                                                                         \
        return (V)vld1q_##S(p);                                                                             \
    }                                                                                                       \
    ALWAYS_INLINE void v_split_##T(REAL *p, ptrdiff_t step, V a) {                                          \
        (void)step;                                                                                         \
        vst1q_##S(p, (A)a);                                                                                 \
    }
V_LEVEL(f64, double, vf64, vi64, mf64, f64, u64, float64x2_t, uint64x2_t)
V_LEVEL(f32, float, vf32, vi32, mf32, f32, u32, float32x4_t, uint32x4_t)
#undef V_LEVEL

ALWAYS_INLINE vu64 vu_mul_low(vu64 a, vu64 b) {
    return (vu64)vmull_u32(vmovn_u64((uint64x2_t)a), vmovn_u64((uint64x2_t)b));
}

ALWAYS_INLINE void v_widen(vf32 a, vf64 *low, vf64 *high) {
    *low = (vf64)vcvt_f64_f32(vget_low_f32((float32x4_t)a));
    *high = (vf64)vcvt_high_f64_f32((float32x4_t)a);
}
ALWAYS_INLINE vf32 v_narrow(vf64 low, vf64 high) {
    return (vf32)vcvt_high_f32_f64(vcvt_f32_f64((float64x2_t)low), (float64x2_t)high);
}
ALWAYS_INLINE void v_load_wide(const float *p, vf64 *low, vf64 *high) { v_widen((vf32)vld1q_f32(p), low, high); }
ALWAYS_INLINE void v_stream_end(void) {}
