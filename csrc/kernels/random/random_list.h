/* Part of kernel_list.h: random streams and Monte Carlo. */
#define LOGLIK_FUNCTIONS_RANDOM(X, R)                                                                       \
    /* min(x scale + shift, last) of the values [start, start + n) of the sequence (key, stream). */        \
    X(void, random_uniform,                                                                                 \
      (uint64_t key, uint64_t stream, uint64_t start, ptrdiff_t n, R scale, R shift, R last, R *out))       \
    X(void, random_normal,                                                                                  \
      (uint64_t key, uint64_t stream, uint64_t start, ptrdiff_t n, R scale, R shift, R last, R *out))       \
    X(void, random_laplace,                                                                                 \
      (uint64_t key, uint64_t stream, uint64_t start, ptrdiff_t n, R scale, R shift, R last, R *out))

#define LOGLIK_UNTYPED_RANDOM(X)                                                                            \
    /* The four words of each of `count` Philox counters. */                                                \
    X(void, philox_words, (uint64_t key, uint64_t stream, uint64_t counter, ptrdiff_t count, uint32_t *out)) \
    /* Outcomes [start, start + n) by cumulative probabilities and a table of where to look; see random.h. */ \
    X(void, random_discrete,                                                                                \
      (uint64_t key, uint64_t stream, uint64_t start, ptrdiff_t n, const double *cdf, const int32_t *guide, \
       ptrdiff_t cells, int64_t *out))                                                                      \
    /* Doubles of scratch that mvn_log_ratio_moments needs. */                                              \
    X(ptrdiff_t, mvn_log_ratio_scratch, (ptrdiff_t d, ptrdiff_t count))                                     \
    /* Mean of log p(x) - log q(x) (js: of its js_integrand), and sum of squares about it, over samples     \
     * [start, start + count) of p; see montecarlo.h. start and, but for the last block, count are  \
     * multiples of 64. */                                                                                  \
    X(void, mvn_log_ratio_moments,                                                                          \
      (uint64_t key, uint64_t stream, uint64_t start, ptrdiff_t count, ptrdiff_t d, int js, const double *excess, \
       const double *shift, double constant, double *scratch, double *mean, double *squares))
