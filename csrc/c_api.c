/* The functions of loglik.h: arguments are checked, then a loop or a task of the level in use does the work. */
#include <string.h>

#include "dispatch.h"

const char *loglik_version(void) { return LOGLIK_VERSION; }

const char *loglik_isa(void) {
    const loglik_kernels *const level = loglik_level_in_use();
    return level ? level->name : NULL;
}

loglik_loop loglik_find_loop(const char *name, int type) {
    const loglik_kernels *const level = loglik_level_in_use();
    for (int i = 0; level && name && i < loglik_ufunc_count; i++) {
        if (strcmp(loglik_ufunc_infos[i].name, name) == 0) {
            return type == LOGLIK_F64 || type == LOGLIK_F32 ? loglik_loop_at(level, loglik_ufunc_infos[i].offset, type) : NULL;
        }
    }
    return NULL;
}

/* A kernel of one type. */
typedef struct {
    size_t offset;
    int type;
} loop_place;

/* Runs a loop of the level in use, for n results. */
static int run(loop_place loop, char **args, int count, ptrdiff_t n, ptrdiff_t d, const ptrdiff_t *dims, const ptrdiff_t *steps) {
    const loglik_kernels *const level = loglik_level_in_use();
    if (!level) {
        return LOGLIK_BAD_ISA;
    }
    if (n < 0 || d < 0) {
        return LOGLIK_BAD_ARGUMENT;
    }
    if (n == 0) {
        return LOGLIK_OK;
    }
    for (int i = 0; i < count; i++) {
        if (!args[i]) {
            return LOGLIK_BAD_ARGUMENT;
        }
    }
    loglik_loop_at(level, loop.offset, loop.type)(args, dims, steps, NULL);
    return LOGLIK_OK;
}

typedef struct {
    const void *data;
    ptrdiff_t stride; /* in elements */
} argument;

static int elementwise(loop_place loop, size_t item, ptrdiff_t n, const argument *arguments, int count) {
    char *args[5];
    ptrdiff_t steps[5];
    for (int i = 0; i < count; i++) {
        args[i] = (char *)arguments[i].data;
        steps[i] = arguments[i].stride * (ptrdiff_t)item;
    }
    return run(loop, args, count, n, 0, &n, steps);
}

/* The status of a call for n matrices. */
static int first_bad(int status, ptrdiff_t n, const int32_t *info) {
    for (ptrdiff_t i = 0; i < n && !status; i++) {
        status = info[i];
    }
    return status;
}

#define LOGLIK_TYPE_f64 LOGLIK_F64
#define LOGLIK_TYPE_f32 LOGLIK_F32
#define LOOP(name, T) ((loop_place){offsetof(loglik_##T##_kernels, name), LOGLIK_TYPE_##T})
#define PARAMETER(R, name) const R *name, ptrdiff_t name##_stride
#define ARGUMENT(name) {name, name##_stride}
#define ELEMENTWISE(name, R, T, ...)                                                                        \
    {                                                                                                       \
        const argument arguments[] = {__VA_ARGS__, ARGUMENT(out)};                                          \
        return elementwise(LOOP(name, T), sizeof(R), n, arguments, (int)(sizeof arguments / sizeof *arguments)); \
    }
#define FUNCTION_1(name, R, T, a)                                                                           \
    int loglik_##name##_##T(ptrdiff_t n, PARAMETER(R, a), R *out, ptrdiff_t out_stride)                     \
    ELEMENTWISE(name, R, T, ARGUMENT(a))
#define FUNCTION_2(name, R, T, a, b)                                                                        \
    int loglik_##name##_##T(ptrdiff_t n, PARAMETER(R, a), PARAMETER(R, b), R *out, ptrdiff_t out_stride)    \
    ELEMENTWISE(name, R, T, ARGUMENT(a), ARGUMENT(b))
#define FUNCTION_3(name, R, T, a, b, c)                                                                     \
    int loglik_##name##_##T(ptrdiff_t n, PARAMETER(R, a), PARAMETER(R, b), PARAMETER(R, c), R *out,         \
                            ptrdiff_t out_stride)                                                           \
    ELEMENTWISE(name, R, T, ARGUMENT(a), ARGUMENT(b), ARGUMENT(c))
#define FUNCTION_4(name, R, T, a, b, c, d)                                                                  \
    int loglik_##name##_##T(ptrdiff_t n, PARAMETER(R, a), PARAMETER(R, b), PARAMETER(R, c), PARAMETER(R, d), \
                            R *out, ptrdiff_t out_stride)                                                   \
    ELEMENTWISE(name, R, T, ARGUMENT(a), ARGUMENT(b), ARGUMENT(c), ARGUMENT(d))

/* Steps of the matrix functions: the outer ones, then the core ones, in bytes. */
#define FUNCTIONS(R, T)                                                                                     \
    FUNCTION_1(softplus, R, T, x)                                                                           \
    FUNCTION_1(sigmoid, R, T, x)                                                                            \
    FUNCTION_1(log_sigmoid, R, T, x)                                                                        \
    FUNCTION_3(normal_log_prob, R, T, x, loc, scale)                                                        \
    FUNCTION_2(bernoulli_nll, R, T, targets, logits)                                                        \
    FUNCTION_3(gaussian_nll, R, T, targets, mean, variance)                                                 \
    FUNCTION_4(normal_kl, R, T, p_loc, p_scale, q_loc, q_scale)                                             \
    FUNCTION_2(bernoulli_kl, R, T, p, q)                                                                    \
    int loglik_bernoulli_nll_sum_##T(ptrdiff_t n, const R *targets, const R *logits, const R *weights, double scale, \
                                     double *sum, R *gradient) {                                            \
        const loglik_kernels *const level = loglik_level_in_use();                                          \
        loglik_loss_task task = {                                                                           \
            .form = LOGLIK_LOSS_LOGITS, .n = n, .width = 1, .targets = targets, .model = {logits},          \
            .weights = weights, .scale = scale, .gradient = {gradient}, .bad = -1,                          \
        };                                                                                                  \
        if (!level) {                                                                                       \
            return LOGLIK_BAD_ISA;                                                                          \
        }                                                                                                   \
        if (n < 0 || !sum || (n > 0 && (!targets || !logits))) {                                            \
            return LOGLIK_BAD_ARGUMENT;                                                                     \
        }                                                                                                   \
        if (n > 0) {                                                                                        \
            level->T->bernoulli_nll_task(&task);                                                           \
        }                                                                                                   \
        *sum = task.sum;                                                                                    \
        return task.bad < 0 ? LOGLIK_OK : LOGLIK_BAD_TARGET;                                                \
    }                                                                                                       \
    int loglik_cholesky_##T(ptrdiff_t n, ptrdiff_t d, PARAMETER(R, a), R *out, ptrdiff_t out_stride, int32_t *info) { \
        const ptrdiff_t item = sizeof(R), dims[] = {n, d};                                                  \
        const ptrdiff_t steps[] = {a_stride * item, out_stride * item, sizeof *info, d * item, item, d * item, item}; \
        char *args[] = {(char *)a, (char *)out, (char *)info};                                              \
        return first_bad(run(LOOP(cholesky, T), args, 3, n, d, dims, steps), n, info);                            \
    }                                                                                                       \
    int loglik_mvn_log_prob_##T(ptrdiff_t n, ptrdiff_t d, PARAMETER(R, x), PARAMETER(R, loc), PARAMETER(R, covariance), \
                                R *out, ptrdiff_t out_stride, int32_t *info) {                              \
        const ptrdiff_t item = sizeof(R), dims[] = {n, d};                                                  \
        const ptrdiff_t steps[] = {x_stride * item, loc_stride * item, covariance_stride * item, out_stride * item, \
                                   sizeof *info, item, item, d * item, item};                               \
        char *args[] = {(char *)x, (char *)loc, (char *)covariance, (char *)out, (char *)info};             \
        return first_bad(run(LOOP(mvn_log_prob, T), args, 5, n, d, dims, steps), n, info);                        \
    }                                                                                                       \
    int loglik_mvn_log_prob_shared_##T(ptrdiff_t n, ptrdiff_t d, PARAMETER(R, x), const R *loc, const R *covariance, \
                                       R *out, ptrdiff_t out_stride) {                                      \
        int32_t info = 0;                                                                                   \
        const ptrdiff_t item = sizeof(R), dims[] = {1, n, d};                                               \
        const ptrdiff_t steps[] = {0, 0, 0, 0, 0, x_stride * item, item, item, d * item, item, out_stride * item}; \
        char *args[] = {(char *)x, (char *)loc, (char *)covariance, (char *)out, (char *)&info};            \
        return first_bad(run(LOOP(mvn_log_prob_shared, T), args, 5, n, d, dims, steps), 1, &info);              \
    }

FUNCTIONS(double, f64)
FUNCTIONS(float, f32)
