/* AVX-512 F, DQ, BW, VL. Masks are bit masks. */
#include <immintrin.h>

#define LOGLIK_HAVE_FMA 1
#define LOGLIK_HAVE_SCALE 1
#define LOGLIK_NEEDS LOGLIK_CPU_AVX512
#define LOGLIK_DESCRIPTION "AVX-512 F, DQ, BW, VL"

/* The register tile of the triangular kernels: rows x vectors of accumulators (32 registers: 24 + 3 + 1). */
#define LOGLIK_TILE_ROWS 8
#define LOGLIK_TILE_VECTORS 3

typedef __mmask8 mf64;
typedef __mmask16 mf32;

#define m_none(T) ((m##T)0)
#define m_any(m) ((m) != 0)
#define m_all(m) ((int)(m) == _Generic((m), __mmask8: 0xff, __mmask16: 0xffff))
#define m_not(m) _Generic((m), __mmask8: _knot_mask8, __mmask16: _knot_mask16)(m)

#define V_LEVEL(T, REAL, V, VI, M, S, SI)                                                                   \
    ALWAYS_INLINE V v_fma_##T(V a, V b, V c) { return (V)_mm512_fmadd_##S(a, b, c); }                       \
    ALWAYS_INLINE V v_fnma_##T(V a, V b, V c) { return (V)_mm512_fnmadd_##S(a, b, c); }                     \
    ALWAYS_INLINE V v_sqrt_##T(V a) { return (V)_mm512_sqrt_##S(a); }                                       \
    ALWAYS_INLINE M v_lt_##T(V a, V b) { return _mm512_cmp_##S##_mask(a, b, _CMP_LT_OQ); }                  \
    ALWAYS_INLINE M v_not_lt_##T(V a, V b) { return _mm512_cmp_##S##_mask(a, b, _CMP_NLT_UQ); }             \
    ALWAYS_INLINE M v_le_##T(V a, V b) { return _mm512_cmp_##S##_mask(a, b, _CMP_LE_OQ); }                  \
    ALWAYS_INLINE M v_eq_##T(V a, V b) { return _mm512_cmp_##S##_mask(a, b, _CMP_EQ_OQ); }                  \
    ALWAYS_INLINE M v_unord_##T(V a, V b) { return _mm512_cmp_##S##_mask(a, b, _CMP_UNORD_Q); }             \
    ALWAYS_INLINE V v_select_##T(M m, V a, V b) { return (V)_mm512_mask_blend_##S(m, b, a); }               \
    ALWAYS_INLINE V v_zero_unless_##T(M m, V a) { return (V)_mm512_maskz_mov_##S(m, a); }                   \
    ALWAYS_INLINE V v_zero_if_##T(M m, V a) { return (V)_mm512_maskz_mov_##S(m_not(m), a); }                 \
    ALWAYS_INLINE V v_scale_##T(V a, V n) { return (V)_mm512_scalef_##S(a, n); }                            \
    ALWAYS_INLINE V v_max_##T(V a, V b) { return (V)_mm512_max_##S(a, b); }                                 \
    ALWAYS_INLINE V v_min_##T(V a, V b) { return (V)_mm512_min_##S(a, b); }                                 \
    ALWAYS_INLINE V v_round_##T(V a) { return (V)_mm512_roundscale_##S(a, 8); }                             \
    ALWAYS_INLINE M vi_eq_##T(VI a, VI b) { return _mm512_cmpeq_##SI##_mask((__m512i)a, (__m512i)b); }      \
    ALWAYS_INLINE M vi_negative_##T(VI a) { return _mm512_mov##SI##_mask((__m512i)a); }                     \
    ALWAYS_INLINE V v_unpack_lo_##T(V a, V b) { return (V)_mm512_unpacklo_##S(a, b); }                      \
    ALWAYS_INLINE V v_unpack_hi_##T(V a, V b) { return (V)_mm512_unpackhi_##S(a, b); }                      \
    /* Past the caches; p is aligned to a register. v_stream_end() orders such stores before later ones. */   \
    ALWAYS_INLINE void v_stream_##T(REAL *p, V a) { _mm512_stream_##S(p, a); }                              \
    ALWAYS_INLINE V v_join_##T(const REAL *p, ptrdiff_t step) { /* from memory: off the shuffle port */     \
        __m512d a = _mm512_castpd128_pd512(_mm_loadu_pd((const double *)p));                                \
        a = _mm512_insertf64x2(a, _mm_loadu_pd((const double *)(p + step)), 1);                             \
        a = _mm512_insertf64x2(a, _mm_loadu_pd((const double *)(p + 2 * step)), 2);                         \
        a = _mm512_insertf64x2(a, _mm_loadu_pd((const double *)(p + 3 * step)), 3);                         \
        return (V)a;                                                                                        \
    }                                                                                                       \
    ALWAYS_INLINE void v_split_##T(REAL *p, ptrdiff_t step, V a) {                                          \
        _mm_storeu_pd((double *)p, _mm512_castpd512_pd128((__m512d)a));                                     \
        _mm_storeu_pd((double *)(p + step), _mm512_extractf64x2_pd((__m512d)a, 1));                         \
        _mm_storeu_pd((double *)(p + 2 * step), _mm512_extractf64x2_pd((__m512d)a, 2));                     \
        _mm_storeu_pd((double *)(p + 3 * step), _mm512_extractf64x2_pd((__m512d)a, 3));                     \
    }
V_LEVEL(f64, double, vf64, vi64, mf64, pd, epi64)
V_LEVEL(f32, float, vf32, vi32, mf32, ps, epi32)
#undef V_LEVEL

ALWAYS_INLINE vu64 vu_mul_low(vu64 a, vu64 b) { return (vu64)_mm512_mul_epu32((__m512i)a, (__m512i)b); }

ALWAYS_INLINE void v_widen(vf32 a, vf64 *low, vf64 *high) {
    *low = (vf64)_mm512_cvtps_pd(_mm512_castps512_ps256(a));
    *high = (vf64)_mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1));
}
ALWAYS_INLINE vf32 v_narrow(vf64 low, vf64 high) {
    return (vf32)_mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps((__m512d)low)), _mm512_cvtpd_ps((__m512d)high), 1);
}
ALWAYS_INLINE void v_load_wide(const float *p, vf64 *low, vf64 *high) { /* off the shuffle port */
    *low = (vf64)_mm512_cvtps_pd(_mm256_loadu_ps(p));
    *high = (vf64)_mm512_cvtps_pd(_mm256_loadu_ps(p + 8));
}
ALWAYS_INLINE void v_stream_end(void) { _mm_sfence(); }
