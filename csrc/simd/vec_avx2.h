/* AVX2 with FMA. Masks are integer vectors of −1 and 0. */
#include <immintrin.h>

#define LOGLIK_HAVE_FMA 1
#define LOGLIK_NEEDS LOGLIK_CPU_AVX2
#define LOGLIK_DESCRIPTION "AVX2 and FMA"

typedef vi64 mf64;
typedef vi32 mf32;

#define m_none(T) ((m##T){0})
#define m_any(m) (_mm256_movemask_epi8((__m256i)(m)) != 0)
#define m_not(m) (~(m))

#define V_LEVEL(T, V, VI, M, S)                                                                             \
    ALWAYS_INLINE V v_fma_##T(V a, V b, V c) { return (V)_mm256_fmadd_##S(a, b, c); }                       \
    ALWAYS_INLINE V v_fnma_##T(V a, V b, V c) { return (V)_mm256_fnmadd_##S(a, b, c); }                     \
    ALWAYS_INLINE V v_sqrt_##T(V a) { return (V)_mm256_sqrt_##S(a); }                                       \
    ALWAYS_INLINE M v_lt_##T(V a, V b) { return (M)_mm256_cmp_##S(a, b, _CMP_LT_OQ); }                      \
    ALWAYS_INLINE M v_le_##T(V a, V b) { return (M)_mm256_cmp_##S(a, b, _CMP_LE_OQ); }                      \
    ALWAYS_INLINE M v_eq_##T(V a, V b) { return (M)_mm256_cmp_##S(a, b, _CMP_EQ_OQ); }                      \
    ALWAYS_INLINE M v_unord_##T(V a, V b) { return (M)_mm256_cmp_##S(a, b, _CMP_UNORD_Q); }                 \
    ALWAYS_INLINE V v_select_##T(M m, V a, V b) { return (V)_mm256_blendv_##S(b, a, (V)m); }                \
    ALWAYS_INLINE V v_zero_unless_##T(M m, V a) { return (V)((VI)a & m); }                                  \
    ALWAYS_INLINE V v_zero_if_##T(M m, V a) { return (V)((VI)a & ~m); }                                      \
    ALWAYS_INLINE V v_max_##T(V a, V b) { return (V)_mm256_max_##S(a, b); }                                 \
    ALWAYS_INLINE V v_min_##T(V a, V b) { return (V)_mm256_min_##S(a, b); }                                 \
    ALWAYS_INLINE V v_round_##T(V a) { return (V)_mm256_round_##S(a, 8); }                                  \
    ALWAYS_INLINE M vi_eq_##T(VI a, VI b) { return (M)(a == b); }
V_LEVEL(f64, vf64, vi64, mf64, pd)
V_LEVEL(f32, vf32, vi32, mf32, ps)
#undef V_LEVEL
