/* The x86-64 floor: SSE2, no FMA, no rounding instruction, no blend. Masks are integer vectors of −1 and 0. */
#include <emmintrin.h>

#define LOGLIK_HAVE_FMA 0
#define LOGLIK_NEEDS 0
#define LOGLIK_DESCRIPTION "SSE2, on every x86-64 processor"

/* The register tile of the triangular kernels: rows x vectors of accumulators (16 registers). */
#define LOGLIK_TILE_ROWS 4
#define LOGLIK_TILE_VECTORS 2

typedef vi64 mf64;
typedef vi32 mf32;

#define m_none(T) ((m##T){0})
#define m_any(m) (_mm_movemask_epi8((__m128i)(m)) != 0)
#define m_all(m) (_mm_movemask_epi8((__m128i)(m)) == 0xffff)
#define m_not(m) (~(m))

#define V_LEVEL(T, REAL, V, VI, M, S, MAGIC)                                                                    \
    ALWAYS_INLINE V v_fma_##T(V a, V b, V c) { return a * b + c; }                                          \
    ALWAYS_INLINE V v_fnma_##T(V a, V b, V c) { return c - a * b; }                                         \
    ALWAYS_INLINE V v_sqrt_##T(V a) { return (V)_mm_sqrt_##S(a); }                                          \
    ALWAYS_INLINE M v_lt_##T(V a, V b) { return (M)_mm_cmplt_##S(a, b); }                                   \
    ALWAYS_INLINE M v_not_lt_##T(V a, V b) { return (M)_mm_cmpnlt_##S(a, b); }                              \
    ALWAYS_INLINE M v_le_##T(V a, V b) { return (M)_mm_cmple_##S(a, b); }                                   \
    ALWAYS_INLINE M v_eq_##T(V a, V b) { return (M)_mm_cmpeq_##S(a, b); }                                   \
    ALWAYS_INLINE M v_unord_##T(V a, V b) { return (M)_mm_cmpunord_##S(a, b); }                             \
    ALWAYS_INLINE V v_select_##T(M m, V a, V b) { return (V)((m & (VI)a) | (~m & (VI)b)); }                 \
    ALWAYS_INLINE V v_zero_unless_##T(M m, V a) { return (V)((VI)a & m); }                                  \
    ALWAYS_INLINE V v_zero_if_##T(M m, V a) { return (V)((VI)a & ~m); }                                      \
    ALWAYS_INLINE V v_max_##T(V a, V b) { return (V)_mm_max_##S(a, b); }                                    \
    ALWAYS_INLINE V v_min_##T(V a, V b) { return (V)_mm_min_##S(a, b); }                                    \
    /* 1.5·2^52 (1.5·2^23) has unit spacing: adding and subtracting it rounds to an integer. */             \
    ALWAYS_INLINE V v_round_##T(V a) {                                                                      \
        const V magic = MAGIC - (V){0};                                                                     \
        return (a + magic) - magic;                                                                         \
    }                                                                                                       \
    ALWAYS_INLINE M vi_eq_##T(VI a, VI b) { return (M)(a == b); }                                           \
    ALWAYS_INLINE M vi_negative_##T(VI a) { return (M)(a < 0); }                                            \
    ALWAYS_INLINE V v_unpack_lo_##T(V a, V b) { return (V)_mm_unpacklo_##S(a, b); }                         \
    ALWAYS_INLINE V v_unpack_hi_##T(V a, V b) { return (V)_mm_unpackhi_##S(a, b); }                         \
    /* Past the caches; p is aligned to a register. v_stream_end() orders such stores before later ones. */   \
    ALWAYS_INLINE void v_stream_##T(REAL *p, V a) { _mm_stream_##S(p, a); }                                 \
    ALWAYS_INLINE V v_join_##T(const REAL *p, ptrdiff_t step) {                                             \
        (void)step;                                                                                         \
        return (V)_mm_loadu_##S(p);                                                                         \
    }                                                                                                       \
    ALWAYS_INLINE void v_split_##T(REAL *p, ptrdiff_t step, V a) {                                          \
        (void)step;                                                                                         \
        _mm_storeu_##S(p, a);                                                                               \
    }
V_LEVEL(f64, double, vf64, vi64, mf64, pd, 0x1.8p52)
V_LEVEL(f32, float, vf32, vi32, mf32, ps, 0x1.8p23f)
#undef V_LEVEL

ALWAYS_INLINE vu64 vu_mul_low(vu64 a, vu64 b) { return (vu64)_mm_mul_epu32((__m128i)a, (__m128i)b); }

ALWAYS_INLINE void v_widen(vf32 a, vf64 *low, vf64 *high) {
    *low = (vf64)_mm_cvtps_pd(a);
    *high = (vf64)_mm_cvtps_pd(_mm_movehl_ps(a, a));
}
ALWAYS_INLINE vf32 v_narrow(vf64 low, vf64 high) {
    return (vf32)_mm_movelh_ps(_mm_cvtpd_ps((__m128d)low), _mm_cvtpd_ps((__m128d)high));
}
ALWAYS_INLINE void v_load_wide(const float *p, vf64 *low, vf64 *high) { v_widen((vf32)_mm_loadu_ps(p), low, high); }
ALWAYS_INLINE void v_stream_end(void) { _mm_sfence(); }
