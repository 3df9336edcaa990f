/* AVX2 with FMA. Masks are integer vectors of −1 and 0. */
#include <immintrin.h>

#define LOGLIK_HAVE_FMA 1
#define LOGLIK_NEEDS LOGLIK_CPU_AVX2
#define LOGLIK_DESCRIPTION "AVX2 and FMA"

/* The register tile of the triangular kernels: rows x vectors of accumulators (16 registers: 12 + 3 + 1). */
#define LOGLIK_TILE_ROWS 4
#define LOGLIK_TILE_VECTORS 3

typedef vi64 mf64;
typedef vi32 mf32;

#define m_none(T) ((m##T){0})
#define m_any(m) (_mm256_movemask_epi8((__m256i)(m)) != 0)
#define m_all(m) (_mm256_movemask_epi8((__m256i)(m)) == -1)
#define m_not(m) (~(m))

#define V_LEVEL(T, REAL, V, VI, M, S)                                                                       \
    ALWAYS_INLINE V v_fma_##T(V a, V b, V c) { return (V)_mm256_fmadd_##S(a, b, c); }                       \
    ALWAYS_INLINE V v_fnma_##T(V a, V b, V c) { return (V)_mm256_fnmadd_##S(a, b, c); }                     \
    ALWAYS_INLINE V v_sqrt_##T(V a) { return (V)_mm256_sqrt_##S(a); }                                       \
    ALWAYS_INLINE M v_lt_##T(V a, V b) { return (M)_mm256_cmp_##S(a, b, _CMP_LT_OQ); }                      \
    ALWAYS_INLINE M v_not_lt_##T(V a, V b) { return (M)_mm256_cmp_##S(a, b, _CMP_NLT_UQ); }                 \
    ALWAYS_INLINE M v_le_##T(V a, V b) { return (M)_mm256_cmp_##S(a, b, _CMP_LE_OQ); }                      \
    ALWAYS_INLINE M v_eq_##T(V a, V b) { return (M)_mm256_cmp_##S(a, b, _CMP_EQ_OQ); }                      \
    ALWAYS_INLINE M v_unord_##T(V a, V b) { return (M)_mm256_cmp_##S(a, b, _CMP_UNORD_Q); }                 \
    ALWAYS_INLINE V v_select_##T(M m, V a, V b) { return (V)_mm256_blendv_##S(b, a, (V)m); }                \
    ALWAYS_INLINE V v_zero_unless_##T(M m, V a) { return (V)((VI)a & m); }                                  \
    ALWAYS_INLINE V v_zero_if_##T(M m, V a) { return (V)((VI)a & ~m); }                                      \
    ALWAYS_INLINE V v_max_##T(V a, V b) { return (V)_mm256_max_##S(a, b); }                                 \
    ALWAYS_INLINE V v_min_##T(V a, V b) { return (V)_mm256_min_##S(a, b); }                                 \
    ALWAYS_INLINE V v_round_##T(V a) { return (V)_mm256_round_##S(a, 8); }                                  \
    ALWAYS_INLINE M vi_eq_##T(VI a, VI b) { return (M)(a == b); }                                           \
    ALWAYS_INLINE M vi_negative_##T(VI a) { return (M)(a < 0); }                                            \
    ALWAYS_INLINE V v_unpack_lo_##T(V a, V b) { return (V)_mm256_unpacklo_##S(a, b); }                      \
    ALWAYS_INLINE V v_unpack_hi_##T(V a, V b) { return (V)_mm256_unpackhi_##S(a, b); }                      \
    /* Past the caches; p is aligned to a register. v_stream_end() orders such stores before later ones. */   \
    ALWAYS_INLINE void v_stream_##T(REAL *p, V a) { _mm256_stream_##S(p, a); }                              \
    ALWAYS_INLINE V v_join_##T(const REAL *p, ptrdiff_t step) { /* from memory: off the shuffle port */     \
        return (V)_mm256_insertf128_##S(_mm256_cast##S##128_##S##256(_mm_loadu_##S(p)), _mm_loadu_##S(p + step), 1); \
    }                                                                                                       \
    ALWAYS_INLINE void v_split_##T(REAL *p, ptrdiff_t step, V a) {                                          \
        _mm_storeu_##S(p, _mm256_cast##S##256_##S##128(a));                                               \
        _mm_storeu_##S(p + step, _mm256_extractf128_##S(a, 1));                                             \
    }
V_LEVEL(f64, double, vf64, vi64, mf64, pd)
V_LEVEL(f32, float, vf32, vi32, mf32, ps)
#undef V_LEVEL

ALWAYS_INLINE vu64 vu_mul_low(vu64 a, vu64 b) { return (vu64)_mm256_mul_epu32((__m256i)a, (__m256i)b); }

ALWAYS_INLINE void v_widen(vf32 a, vf64 *low, vf64 *high) {
    *low = (vf64)_mm256_cvtps_pd(_mm256_castps256_ps128(a));
    *high = (vf64)_mm256_cvtps_pd(_mm256_extractf128_ps(a, 1));
}
ALWAYS_INLINE vf32 v_narrow(vf64 low, vf64 high) {
    return (vf32)_mm256_set_m128(_mm256_cvtpd_ps((__m256d)high), _mm256_cvtpd_ps((__m256d)low));
}
ALWAYS_INLINE void v_load_wide(const float *p, vf64 *low, vf64 *high) { /* off the shuffle port */
    *low = (vf64)_mm256_cvtps_pd(_mm_loadu_ps(p));
    *high = (vf64)_mm256_cvtps_pd(_mm_loadu_ps(p + 4));
}
ALWAYS_INLINE void v_stream_end(void) { _mm_sfence(); }
