/* Part of kernel_list.h: divergences of rows of probabilities; sums of discrete variables. */

#ifndef LOGLIK_DISCRETE_LIST_H
#define LOGLIK_DISCRETE_LIST_H

/* Zeros that `convolve` may read on either side of b. */
enum { LOGLIK_CONVOLVE_PADDING = 256 };

/* A scaled number is m·2^e with separate m (double) and e (int64). Where it is zero, m = 0 and e is anything up to
 * LOGLIK_SCALED_ZERO, which is below every other exponent. */
#define LOGLIK_SCALED_ZERO (-((int64_t)1 << 60))

/* One stretch of a dice pmf with a common power of two: mantissas from `start` on stand for m·2^exponent. */
typedef struct {
    int64_t start, exponent;
} loglik_dice_segment;

#endif

/* clang-format off */
#define LOGLIK_UFUNCS_DISCRETE(X) \
    X(categorical_kl, "(k),(k),(),()->(),()", "rrdd->ri") \
    X(categorical_js, "(k),(k),(),()->(),()", "rrdd->ri") \
    X(categorical_cross_entropy, "(k),(k),(),()->(),()", "rrdd->ri")

#define LOGLIK_FUNCTIONS_DISCRETE(X, R)                                                                     \
    /* out[k − first] = Σᵢ a[i]·b[k−i] for first <= k < last. LOGLIK_CONVOLVE_PADDING zeros stand on both sides of  \
     * b[0] .. b[nb−1]; first >= 0, last <= na + nb − 1. out overlaps neither. Fastest with na <= nb. */    \
    X(void, convolve, (const R *a, ptrdiff_t na, const R *b, ptrdiff_t nb, ptrdiff_t first, ptrdiff_t last, R *out))

#define LOGLIK_UNTYPED_DISCRETE(X)                                                                          \
    /* How many segments dice_pmf may need for n dice of s sides. */                                        \
    X(ptrdiff_t, dice_segments, (int64_t n, int64_t s))                                                     \
    /* Probabilities of the sums of n >= 1 dice of s >= 2 sides, lowest sum first: mantissas into           \
     * out[0] .. out[(count−1)/2], count = n(s−1) + 1; the rest of out is scratch. Returns the number of segments,  \
     * whose powers of two go into segments. The other half follows by symmetry: dice_probs or dice_scaled. */  \
    X(ptrdiff_t, dice_pmf, (int64_t n, int64_t s, double *out, ptrdiff_t count, loglik_dice_segment *segments))  \
    /* After dice_pmf: out becomes the probabilities; what is below the subnormal numbers becomes 0. */     \
    X(void, dice_probs, (double *out, ptrdiff_t count, const loglik_dice_segment *segments, ptrdiff_t n_segments))  \
    /* After dice_pmf: out and exponents become scaled numbers. */                                          \
    X(void, dice_scaled, (double *out, int64_t *exponents, ptrdiff_t count, const loglik_dice_segment *segments,    \
                          ptrdiff_t n_segments))                                                            \
    /* out = (times_c·c − times_a·a + times_b·b) / divisor, which must be a whole number, not negative and below            \
     * 2^(32·(digits + 1)). Integers are 32-bit digits, lowest first: `digits` of c, a and b, digits + 1 of out, which is no \
     * other array. Factors are in [0, 2^29), divisor in [1, 2^29). */                                       \
    X(void, counts_next, (const uint32_t *c, const uint32_t *a, const uint32_t *b, ptrdiff_t digits, int64_t times_c,       \
                          int64_t times_a, int64_t times_b, int64_t divisor, uint32_t *out))                 \
    /* m·2^e += terms·2^shift, element by element; terms are 0 or positive normal numbers. m stays below 2·(additions) + 2. */ \
    X(void, scaled_add, (double *m, int64_t *e, const double *terms, int64_t shift, ptrdiff_t n))           \
    /* Mantissas into [1, 2), exponents of zeros to 0. m is 0 or a positive normal number. */               \
    X(void, scaled_normalise, (double *m, int64_t *e, ptrdiff_t n))                                         \
    /* out = m·2^e rounded once; 0 below the subnormal numbers. m in [1, 2) or 0, e <= 1023. */             \
    X(void, scaled_values, (const double *m, const int64_t *e, double *out, ptrdiff_t n))                   \
    /* Running sums of scaled numbers in about 100 bits, rounded: out_m·2^out_e = Σ_{j<=k} m·2^e. e and out_e may   \
     * both be NULL (no exponents). */                                                                      \
    X(void, scaled_cumulative, (const double *m, const int64_t *e, double *out_m, int64_t *out_e, ptrdiff_t n))
/* clang-format on */
