/* loglik: the C API, for C11 and C++. Examples: docs/c-api.md. `loglik info --cflags --libs` prints the compiler's options
 * for the shared library of the Python package; with the static library, which is in its folder `lib`, define LOGLIK_STATIC.
 *
 * Names end in _f64 (REAL is double) or _f32 (float). Results are in nats, with the bits of the Python functions.
 *
 * Arrays   In native byte order, aligned for their elements. A stride counts elements from one value (point, matrix) to the next;
 *          it may be negative, or 0: all share one. A point and a matrix (C order, the lower triangle is read) have no gaps;
 *          loglik_find_loop has loops for other layouts.
 * Overlap  An elementwise output may be exactly one of the inputs, with its stride; nothing overlaps otherwise.
 * NULL     Only where n is 0 (then nothing is done), or where it says so.
 * NaN      From NaN, and from a bad parameter, for example a scale below 0. An impossible value has log-density -infinity.
 * Status   0, or what is wrong: see below.
 * Threads  Any thread may call anything at any time. Nothing starts threads or keeps memory. */
#ifndef LOGLIK_H
#define LOGLIK_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && !defined(LOGLIK_STATIC)
#ifdef LOGLIK_BUILDING
#define LOGLIK_API __declspec(dllexport)
#else
#define LOGLIK_API __declspec(dllimport)
#endif
#elif defined(LOGLIK_BUILDING)
#define LOGLIK_API __attribute__((visibility("default")))
#else
#define LOGLIK_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum {
    /* Status, and entries of `info`; k > 0: pivot k (from 1) shows that the matrix is not positive definite. */
    LOGLIK_OK = 0,
    LOGLIK_NOT_FINITE = -1, /* an entry of the matrix */
    LOGLIK_NO_MEMORY = -2,
    LOGLIK_BAD_ARGUMENT = -10, /* negative size or NULL: nothing was written */
    LOGLIK_BAD_ISA = -11,      /* loglik_isa() is NULL: nothing was written */
    LOGLIK_BAD_TARGET = -12,   /* outside [0, 1]: what was written means nothing */
    /* Types of loops. */
    LOGLIK_F32 = 4,
    LOGLIK_F64 = 8
};

/* Version of the library and of its Python package, for example "1.2.3". */
LOGLIK_API const char *loglik_version(void);

/* The instruction set in use: "avx512", "avx2", "baseline", "neon". Whatever is called first chooses it for the process: the best
 * of the processor, or the one that the environment variable LOGLIK_ISA names; NULL if that cannot be had. */
LOGLIK_API const char *loglik_isa(void);

/* The inner loop of a kernel; the same as that of a NumPy ufunc, npy_intp being ptrdiff_t on every supported platform.
 *
 * args   one pointer per argument, inputs then outputs
 * dims   dims[0] is the number of elements (outer iterations), then the core dimensions of a generalised ufunc
 * steps  in bytes, may be negative or zero: the outer one of each argument, then the core ones argument by argument
 * data   not used
 *
 * The floating-point state on return is that on entry, but for the invalid flag where a NaN was made from input without one. */
typedef void (*loglik_loop)(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data);

/* The loop of any function of loglik.ufuncs, which documents its arguments; type: LOGLIK_F64 or LOGLIK_F32. NULL: none. */
LOGLIK_API loglik_loop loglik_find_loop(const char *name, int type);

/* clang-format off */
#define LOGLIK_FUNCTIONS_OF(REAL, T) \
/* log(1 + exp(x)), 1 / (1 + exp(-x)), and the logarithm of that. */ \
LOGLIK_API int loglik_softplus_##T(ptrdiff_t n, const REAL *x, ptrdiff_t x_stride, REAL *out, ptrdiff_t out_stride); \
LOGLIK_API int loglik_sigmoid_##T(ptrdiff_t n, const REAL *x, ptrdiff_t x_stride, REAL *out, ptrdiff_t out_stride); \
LOGLIK_API int loglik_log_sigmoid_##T(ptrdiff_t n, const REAL *x, ptrdiff_t x_stride, REAL *out, ptrdiff_t out_stride); \
\
/* Log-density of a normal distribution. */ \
LOGLIK_API int loglik_normal_log_prob_##T(ptrdiff_t n, const REAL *x, ptrdiff_t x_stride, \
const REAL *loc, ptrdiff_t loc_stride, const REAL *scale, ptrdiff_t scale_stride, REAL *out, ptrdiff_t out_stride); \
\
/* Negative log-likelihood of targets in [0, 1] (NaN for others) under log-odds; of real ones under mean and variance. */ \
LOGLIK_API int loglik_bernoulli_nll_##T(ptrdiff_t n, const REAL *targets, ptrdiff_t targets_stride, \
const REAL *logits, ptrdiff_t logits_stride, REAL *out, ptrdiff_t out_stride); \
LOGLIK_API int loglik_gaussian_nll_##T(ptrdiff_t n, const REAL *targets, ptrdiff_t targets_stride, \
const REAL *mean, ptrdiff_t mean_stride, const REAL *variance, ptrdiff_t variance_stride, REAL *out, ptrdiff_t out_stride); \
\
/* Sum of bernoulli_nll over arrays without gaps, each value times its weight (NULL: 1), and scale times its gradient in the \
 * logits (NULL: not wanted). The sum is taken in double; Python adds those of blocks of 65,536. */ \
LOGLIK_API int loglik_bernoulli_nll_sum_##T(ptrdiff_t n, const REAL *targets, const REAL *logits, const REAL *weights, \
double scale, double *sum, REAL *gradient); \
\
/* Kullback-Leibler divergence of normal distributions, and of Bernoulli distributions with probabilities p and q. */ \
LOGLIK_API int loglik_normal_kl_##T(ptrdiff_t n, const REAL *p_loc, ptrdiff_t p_loc_stride, \
const REAL *p_scale, ptrdiff_t p_scale_stride, const REAL *q_loc, ptrdiff_t q_loc_stride, \
const REAL *q_scale, ptrdiff_t q_scale_stride, REAL *out, ptrdiff_t out_stride); \
LOGLIK_API int loglik_bernoulli_kl_##T(ptrdiff_t n, const REAL *p, ptrdiff_t p_stride, const REAL *q, ptrdiff_t q_stride, \
REAL *out, ptrdiff_t out_stride); \
\
/* Cholesky factors L of n matrices A = L L^T, with zeros above the diagonal. info[n]: the status of each; the first that is not \
 * 0 is returned. What belongs to a bad matrix is NaN. */ \
LOGLIK_API int loglik_cholesky_##T(ptrdiff_t n, ptrdiff_t d, const REAL *a, ptrdiff_t a_stride, \
REAL *out, ptrdiff_t out_stride, int32_t *info); \
\
/* Multivariate normal log-density of n points; each mean and covariance is used for its point. info as for cholesky. */ \
LOGLIK_API int loglik_mvn_log_prob_##T(ptrdiff_t n, ptrdiff_t d, const REAL *x, ptrdiff_t x_stride, \
const REAL *loc, ptrdiff_t loc_stride, const REAL *covariance, ptrdiff_t covariance_stride, \
REAL *out, ptrdiff_t out_stride, int32_t *info); \
\
/* Log-density of n points under one mean and one covariance, which is factored once and whose status is returned. */ \
LOGLIK_API int loglik_mvn_log_prob_shared_##T(ptrdiff_t n, ptrdiff_t d, const REAL *x, ptrdiff_t x_stride, \
const REAL *loc, const REAL *covariance, REAL *out, ptrdiff_t out_stride);

LOGLIK_FUNCTIONS_OF(double, f64)
LOGLIK_FUNCTIONS_OF(float, f32)
/* clang-format on */

#ifdef __cplusplus
}
#endif

#endif
