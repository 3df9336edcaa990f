/* The functions of loglik.h: the bits of the loops behind them, bad arguments, no arguments, strides, the choice of a level, threads. */
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <sys/wait.h>

#include "check.h"

enum { N = 37 };

static const loglik_kernels *level;

/* ---------------------------------------------------------------------------------------- functions of elements */

/* What all elementwise functions look like with their arguments in arrays. */
#define CALLERS(R, T)                                                                                       \
    typedef struct {                                                                                        \
        const char *name;                                                                                   \
        int inputs;                                                                                         \
        int (*one)(ptrdiff_t, const R *, ptrdiff_t, R *, ptrdiff_t);                                        \
        int (*two)(ptrdiff_t, const R *, ptrdiff_t, const R *, ptrdiff_t, R *, ptrdiff_t);                  \
        int (*three)(ptrdiff_t, const R *, ptrdiff_t, const R *, ptrdiff_t, const R *, ptrdiff_t, R *, ptrdiff_t); \
        int (*four)(ptrdiff_t, const R *, ptrdiff_t, const R *, ptrdiff_t, const R *, ptrdiff_t, const R *, ptrdiff_t, R *, \
                    ptrdiff_t);                                                                             \
        size_t offset;                                                                                      \
    } function_##T;                                                                                         \
                                                                                                            \
    static int call_##T(const function_##T *f, ptrdiff_t n, R *const *in, const ptrdiff_t *s, R *out, ptrdiff_t out_stride) { \
        switch (f->inputs) {                                                                                \
        case 1: return f->one(n, in[0], s[0], out, out_stride);                                             \
        case 2: return f->two(n, in[0], s[0], in[1], s[1], out, out_stride);                                \
        case 3: return f->three(n, in[0], s[0], in[1], s[1], in[2], s[2], out, out_stride);                 \
        default: return f->four(n, in[0], s[0], in[1], s[1], in[2], s[2], in[3], s[3], out, out_stride);    \
        }                                                                                                   \
    }                                                                                                       \
                                                                                                            \
    static const function_##T FUNCTIONS_##T[] = {                                                           \
        {.name = "softplus", .inputs = 1, .one = loglik_softplus_##T, .offset = offsetof(loglik_f64_kernels, softplus)}, \
        {.name = "sigmoid", .inputs = 1, .one = loglik_sigmoid_##T, .offset = offsetof(loglik_f64_kernels, sigmoid)}, \
        {.name = "log_sigmoid", .inputs = 1, .one = loglik_log_sigmoid_##T, .offset = offsetof(loglik_f64_kernels, log_sigmoid)}, \
        {.name = "normal_log_prob", .inputs = 3, .three = loglik_normal_log_prob_##T,                       \
         .offset = offsetof(loglik_f64_kernels, normal_log_prob)},                                              \
        {.name = "bernoulli_nll", .inputs = 2, .two = loglik_bernoulli_nll_##T,                             \
         .offset = offsetof(loglik_f64_kernels, bernoulli_nll)},                                                \
        {.name = "gaussian_nll", .inputs = 3, .three = loglik_gaussian_nll_##T,                             \
         .offset = offsetof(loglik_f64_kernels, gaussian_nll)},                                                 \
        {.name = "normal_kl", .inputs = 4, .four = loglik_normal_kl_##T, .offset = offsetof(loglik_f64_kernels, normal_kl)}, \
        {.name = "bernoulli_kl", .inputs = 2, .two = loglik_bernoulli_kl_##T,                               \
         .offset = offsetof(loglik_f64_kernels, bernoulli_kl)},                                                 \
    };                                                                                                      \
                                                                                                            \
    /* Every stride from STRIDES for all arguments, between pages that must not be touched. */              \
    static void test_elements_##T(void) {                                                                   \
        static const ptrdiff_t STRIDES[] = {1, 3, -1, -2, 0};                                               \
        for (size_t k = 0; k < sizeof FUNCTIONS_##T / sizeof *FUNCTIONS_##T; k++) {                         \
            const function_##T *const f = &FUNCTIONS_##T[k];                                                \
            const loglik_loop loop = loglik_loop_at(level, f->offset, LOGLIK_##T);                          \
            check(loglik_find_loop(f->name, LOGLIK_##T) == loop, "%s is not found", f->name);               \
            for (ptrdiff_t n = 1; n <= N; n += 12) {                                                        \
                for (size_t way = 0; way < 5; way++) {                                                      \
                    const ptrdiff_t stride = STRIDES[way], apart = stride < 0 ? -stride : stride;           \
                    const ptrdiff_t out_stride = stride ? stride : 1, out_apart = stride ? apart : 1;       \
                    guarded memory[5];                                                                      \
                    R *in[5], values[4][N], expected[N];                                                    \
                    ptrdiff_t strides[5], steps[5];                                                         \
                    char *args[5];                                                                          \
                    for (int a = 0; a <= f->inputs; a++) {                                                  \
                        const int is_out = a == f->inputs;                                                  \
                        const ptrdiff_t gap = is_out ? out_apart : apart;                                   \
                        memory[a] = guarded_new(((size_t)((n - 1) * gap) + 1) * sizeof(R), 1);              \
                        in[a] = (R *)memory[a].data + (stride < 0 ? (n - 1) * gap : 0);                     \
                        strides[a] = is_out ? out_stride : stride;                                          \
                        steps[a] = sizeof(R);                                                               \
                        args[a] = is_out ? (char *)expected : (char *)values[a];                            \
                        for (ptrdiff_t i = 0; i < n && !is_out; i++) {                                      \
                            if (i == 0 || stride) {                                                         \
                                in[a][i * stride] = (R)(0.5 + 0.49 * random_signed()); /* good for any argument */ \
                            }                                                                               \
                            values[a][i] = in[a][i * stride];                                               \
                        }                                                                                   \
                    }                                                                                       \
                    loop(args, &n, steps, NULL);                                                            \
                    R *const out = in[f->inputs];                                                           \
                    check(call_##T(f, n, in, strides, out, out_stride) == LOGLIK_OK, "%s", f->name);        \
                    int same = 1;                                                                           \
                    for (ptrdiff_t i = 0; i < n; i++) {                                                     \
                        same &= memcmp(&out[i * out_stride], &expected[i], sizeof(R)) == 0;                 \
                    }                                                                                       \
                    check(same, "%s: n = %td, stride %td", f->name, n, stride);                             \
                    if (stride) { /* in the place of the first argument */                                  \
                        check(call_##T(f, n, in, strides, in[0], stride) == LOGLIK_OK, "%s", f->name);      \
                        for (ptrdiff_t i = 0; i < n; i++) {                                                 \
                            same &= memcmp(&in[0][i * stride], &expected[i], sizeof(R)) == 0;               \
                        }                                                                                   \
                        check(same, "%s in place: n = %td, stride %td", f->name, n, stride);                \
                    }                                                                                       \
                    for (int a = 0; a <= f->inputs; a++) {                                                  \
                        guarded_free(memory[a]);                                                            \
                    }                                                                                       \
                }                                                                                           \
            }                                                                                               \
            /* Nothing, and less than nothing. */                                                           \
            R value = 0.5, result = 7;                                                                      \
            R *good[4] = {&value, &value, &value, &value}, *none[4] = {NULL, NULL, NULL, NULL};             \
            const ptrdiff_t ones[4] = {1, 1, 1, 1};                                                         \
            check(call_##T(f, 0, none, ones, NULL, 1) == LOGLIK_OK, "%s: n = 0", f->name);                  \
            check(call_##T(f, -1, good, ones, &result, 1) == LOGLIK_BAD_ARGUMENT, "%s: n < 0", f->name);    \
            check(call_##T(f, PTRDIFF_MIN, good, ones, &result, 1) == LOGLIK_BAD_ARGUMENT, "%s: n < 0", f->name); \
            check(call_##T(f, 1, good, ones, NULL, 1) == LOGLIK_BAD_ARGUMENT, "%s: no output", f->name);    \
            for (int a = 0; a < f->inputs; a++) {                                                           \
                R *in[4] = {&value, &value, &value, &value};                                                \
                in[a] = NULL;                                                                               \
                check(call_##T(f, 1, in, ones, &result, 1) == LOGLIK_BAD_ARGUMENT, "%s: no argument %d", f->name, a); \
            }                                                                                               \
            check(result == 7, "%s wrote after an error", f->name);                                         \
        }                                                                                                   \
    }                                                                                                       \
                                                                                                            \
    static void test_sum_##T(void) {                                                                        \
        R targets[N], logits[N], weights[N], values[N], gradient[N];                                        \
        double sum = 0, total = 0, scale = 1;                                                               \
        for (int i = 0; i < N; i++) {                                                                       \
            targets[i] = (R)(i % 2), logits[i] = (R)(4 * random_signed()), weights[i] = (R)(i % 3);         \
        }                                                                                                   \
        for (int n = 0; n <= N; n++) {                                                                      \
            for (int weighted = 0; weighted < 2; weighted++) {                                              \
                check(loglik_bernoulli_nll_##T(n, targets, 1, logits, 1, values, 1) == LOGLIK_OK, "values"); \
                total = 0;                                                                                  \
                for (int i = 0; i < n; i++) {                                                               \
                    total += (double)(weighted ? weights[i] : 1) * (double)values[i];                       \
                }                                                                                           \
                check(loglik_bernoulli_nll_sum_##T(n, targets, logits, weighted ? weights : NULL, 0.25, &sum, NULL) == LOGLIK_OK \
                      && fabs(sum - total) <= 1e3 * (sizeof(R) == 4 ? FLT_EPSILON : DBL_EPSILON), "sum of %d", n); \
                check(loglik_bernoulli_nll_sum_##T(n, targets, logits, weighted ? weights : NULL, 0.25, &sum, gradient) \
                      == LOGLIK_OK, "gradient");                                                            \
                for (int i = 0; i < n; i++) {                                                               \
                    const double slope = 1 / (1 + exp(-(double)logits[i])) - (double)targets[i];            \
                    const double exact = 0.25 * (double)(weighted ? weights[i] : 1) * slope;                \
                    check(fabs((double)gradient[i] - exact) <= 8 * (sizeof(R) == 4 ? FLT_EPSILON : DBL_EPSILON), "gradient[%d]", i); \
                }                                                                                           \
            }                                                                                               \
        }                                                                                                   \
        check(loglik_bernoulli_nll_sum_##T(0, NULL, NULL, NULL, scale, &sum, NULL) == LOGLIK_OK && sum == 0, "no values"); \
        check(loglik_bernoulli_nll_sum_##T(-1, targets, logits, NULL, scale, &sum, NULL) == LOGLIK_BAD_ARGUMENT, "n < 0"); \
        check(loglik_bernoulli_nll_sum_##T(1, NULL, logits, NULL, scale, &sum, NULL) == LOGLIK_BAD_ARGUMENT, "targets"); \
        check(loglik_bernoulli_nll_sum_##T(1, targets, NULL, NULL, scale, &sum, NULL) == LOGLIK_BAD_ARGUMENT, "logits"); \
        check(loglik_bernoulli_nll_sum_##T(1, targets, logits, NULL, scale, NULL, NULL) == LOGLIK_BAD_ARGUMENT, "sum"); \
        targets[7] = (R)1.5;                                                                                \
        check(loglik_bernoulli_nll_sum_##T(N, targets, logits, NULL, scale, &sum, NULL) == LOGLIK_BAD_TARGET, "1.5"); \
        check(loglik_bernoulli_nll_sum_##T(N, targets, logits, weights, scale, &sum, gradient) == LOGLIK_BAD_TARGET, "1.5"); \
    }                                                                                                       \
                                                                                                            \
    /* Matrices of any size with gaps between them; one is not positive definite, one not finite. */        \
    static void test_matrices_##T(void) {                                                                   \
        enum { SPACE = 40 * 40 + 3 };                                                                       \
        static R a[N * SPACE], l[N * SPACE], x[N * 43], loc[N * 43], out[2 * N], again[2 * N];              \
        int32_t info[N];                                                                                    \
        const R bound = (R)(sizeof(R) == 4 ? 1e-4 : 1e-12);                                                 \
        for (ptrdiff_t d = 0; d <= 40; d += d < 10 ? 1 : 15) {                                              \
            const ptrdiff_t gap = d * d + 3, row = d + 3;                                                   \
            for (ptrdiff_t m = 0; m < N; m++) {                                                             \
                for (ptrdiff_t i = 0; i < d; i++) {                                                         \
                    for (ptrdiff_t j = 0; j < d; j++) {                                                     \
                        a[m * gap + i * d + j] = (R)(i == j ? d + 1 : 0.5 / (double)(1 + i + j + m));       \
                    }                                                                                       \
                    x[m * row + i] = (R)random_signed(), loc[m * row + i] = (R)random_signed();             \
                }                                                                                           \
            }                                                                                               \
            check(loglik_cholesky_##T(N, d, a, gap, l, gap, info) == LOGLIK_OK, "cholesky, d = %td", d);    \
            R worst = 0;                                                                                    \
            for (ptrdiff_t m = 0; m < N; m++) {                                                             \
                for (ptrdiff_t i = 0; i < d; i++) {                                                         \
                    for (ptrdiff_t j = 0; j < d; j++) {                                                     \
                        R entry = 0;                                                                        \
                        for (ptrdiff_t k = 0; k < d; k++) {                                                 \
                            entry += l[m * gap + i * d + k] * l[m * gap + j * d + k];                       \
                        }                                                                                   \
                        const R error = j <= i ? entry - a[m * gap + i * d + j] : 0;                        \
                        worst = error > worst ? error : -error > worst ? -error : worst;                    \
                        check(j <= i || l[m * gap + i * d + j] == 0, "not lower triangular");               \
                    }                                                                                       \
                }                                                                                           \
            }                                                                                               \
            check(worst <= bound, "cholesky, d = %td: error %g", d, (double)worst);                         \
            /* One Gaussian: the same bits as its copies (a stride of 0), by the two functions up to roundings. */ \
            check(loglik_mvn_log_prob_##T(N, d, x, row, loc, 0, a, 0, out, 2, info) == LOGLIK_OK, "d = %td", d); \
            check(loglik_mvn_log_prob_shared_##T(N, d, x, row, loc, a, again, 2) == LOGLIK_OK, "d = %td", d); \
            for (ptrdiff_t m = 0; m < N; m++) {                                                             \
                check(fabs((double)(out[2 * m] - again[2 * m])) <= (double)(d + 1) * (double)bound, "d = %td, point %td", d, m); \
                R alone;                                                                                    \
                check(loglik_mvn_log_prob_shared_##T(1, d, x + m * row, 0, loc, a, &alone, 0) == LOGLIK_OK && \
                          memcmp(&alone, &again[2 * m], sizeof(R)) == 0, "d = %td, point %td alone", d, m); \
            }                                                                                               \
            check(d || out[0] == 0, "d = 0");                                                               \
            if (d < 2) {                                                                                    \
                continue;                                                                                   \
            }                                                                                               \
            a[5 * gap + d + 1] = -1, a[9 * gap] = (R)INFINITY;                                              \
            check(loglik_cholesky_##T(N, d, a, gap, l, gap, info) == 2, "the pivot that fails, d = %td", d); \
            check(info[4] == 0 && info[5] == 2 && info[9] == LOGLIK_NOT_FINITE && info[10] == 0, "info, d = %td", d); \
            check(isnan(l[5 * gap]) && isnan(l[9 * gap]) && !isnan(l[6 * gap]), "a bad factor is NaN");      \
            memset(info, 7, sizeof info);                                                                   \
            check(loglik_mvn_log_prob_##T(N, d, x, row, loc, row, a, gap, out, 1, info) == 2, "the pivot that fails"); \
            check(info[4] == 0 && info[5] == 2 && info[9] == LOGLIK_NOT_FINITE && info[10] == 0, "info, d = %td", d); \
            check(isnan(out[5]) && isnan(out[9]) && isfinite(out[4]) && isfinite(out[10]), "values, d = %td", d); \
            check(loglik_mvn_log_prob_shared_##T(N, d, x, row, loc, a + 5 * gap, out, 1) == 2 && isnan(out[0]), "pivot"); \
            check(loglik_mvn_log_prob_shared_##T(N, d, x, row, loc, a + 9 * gap, out, 1) == LOGLIK_NOT_FINITE, "infinite"); \
        }                                                                                                   \
        out[0] = 7;                                                                                         \
        const int bad[] = {                                                                                 \
            loglik_cholesky_##T(-1, 2, a, 4, out, 4, info), loglik_cholesky_##T(1, -2, a, 4, out, 4, info), \
            loglik_cholesky_##T(1, 2, NULL, 4, out, 4, info), loglik_cholesky_##T(1, 2, a, 4, NULL, 4, info), \
            loglik_cholesky_##T(1, 2, a, 4, out, 4, NULL),                                                  \
            loglik_mvn_log_prob_##T(-1, 2, x, 2, loc, 2, a, 4, out, 1, info),                               \
            loglik_mvn_log_prob_##T(1, -1, x, 2, loc, 2, a, 4, out, 1, info),                               \
            loglik_mvn_log_prob_##T(1, 2, NULL, 2, loc, 2, a, 4, out, 1, info),                             \
            loglik_mvn_log_prob_##T(1, 2, x, 2, NULL, 2, a, 4, out, 1, info),                               \
            loglik_mvn_log_prob_##T(1, 2, x, 2, loc, 2, NULL, 4, out, 1, info),                             \
            loglik_mvn_log_prob_##T(1, 2, x, 2, loc, 2, a, 4, NULL, 1, info),                               \
            loglik_mvn_log_prob_##T(1, 2, x, 2, loc, 2, a, 4, out, 1, NULL),                                \
            loglik_mvn_log_prob_shared_##T(-1, 2, x, 2, loc, a, out, 1),                                    \
            loglik_mvn_log_prob_shared_##T(1, -2, x, 2, loc, a, out, 1),                                    \
            loglik_mvn_log_prob_shared_##T(1, 2, NULL, 2, loc, a, out, 1),                                  \
            loglik_mvn_log_prob_shared_##T(1, 2, x, 2, NULL, a, out, 1),                                    \
            loglik_mvn_log_prob_shared_##T(1, 2, x, 2, loc, NULL, out, 1),                                  \
            loglik_mvn_log_prob_shared_##T(1, 2, x, 2, loc, a, NULL, 1),                                    \
        };                                                                                                  \
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {                                             \
            check(bad[i] == LOGLIK_BAD_ARGUMENT, "bad argument %zu gives %d", i, bad[i]);                   \
        }                                                                                                   \
        check(out[0] == 7, "written after an error");                                                       \
        check(loglik_cholesky_##T(0, 2, NULL, 4, NULL, 4, NULL) == LOGLIK_OK, "no matrix");                 \
        check(loglik_mvn_log_prob_##T(0, 2, NULL, 2, NULL, 2, NULL, 4, NULL, 1, NULL) == LOGLIK_OK, "no point"); \
        check(loglik_mvn_log_prob_shared_##T(0, 2, NULL, 2, NULL, NULL, NULL, 1) == LOGLIK_OK, "no point"); \
    }

#define LOGLIK_f64 LOGLIK_F64
#define LOGLIK_f32 LOGLIK_F32
CALLERS(double, f64)
CALLERS(float, f32)

/* ---------------------------------------------------------------------------------------- levels and threads */

static pthread_barrier_t together;

/* The first call of the process, by eight threads at once. */
static void *first_call(void *result) {
    const double x = 1;
    pthread_barrier_wait(&together);
    *(int *)result = loglik_softplus_f64(1, &x, 1, (double *)result + 1, 1);
    return NULL;
}

static void test_threads(int expected) {
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    double results[THREADS][2] = {{0}};
    pthread_barrier_init(&together, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        check(pthread_create(&threads[i], NULL, first_call, results[i]) == 0, "no thread");
    }
    for (int i = 0; i < THREADS; i++) {
        int status;
        pthread_join(threads[i], NULL);
        memcpy(&status, results[i], sizeof status);
        check(status == expected, "thread %d: status %d", i, status);
        check(results[i][1] == results[0][1] && (results[i][1] != 0) == (expected == LOGLIK_OK), "thread %d", i);
    }
    pthread_barrier_destroy(&together);
}

/* Everything under LOGLIK_ISA=name, in a process of its own; `expected` is the level that this has to give, or NULL. */
static void test_level(const char *name, const loglik_kernels *expected) {
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        checks_done = checks_failed = 0;
        if (name) {
            setenv("LOGLIK_ISA", name, 1);
        } else {
            unsetenv("LOGLIK_ISA");
        }
        level = expected;
        test_threads(expected ? LOGLIK_OK : LOGLIK_BAD_ISA);
        check(loglik_level_in_use() == expected, "LOGLIK_ISA=%s gives another level", name);
        if (expected) {
            check(strcmp(loglik_isa(), expected->name) == 0, "isa %s", loglik_isa());
            setenv("LOGLIK_ISA", "other", 1);
            check(loglik_level_in_use() == expected, "the level changes");
            check(!loglik_find_loop(NULL, LOGLIK_F64) && !loglik_find_loop("", LOGLIK_F64), "a loop without a name");
            check(!loglik_find_loop("exp", 0) && !loglik_find_loop("exp", 3), "a loop of no type");
            for (int i = 0; i < loglik_ufunc_count; i++) {
                const char *const kernel = loglik_ufunc_infos[i].name;
                const size_t offset = loglik_ufunc_infos[i].offset;
                check(loglik_find_loop(kernel, LOGLIK_F64) == loglik_loop_at(level, offset, LOGLIK_F64), "%s", kernel);
                check(loglik_find_loop(kernel, LOGLIK_F32) == loglik_loop_at(level, offset, LOGLIK_F32), "%s", kernel);
            }
            test_elements_f64();
            test_elements_f32();
            test_sum_f64();
            test_sum_f32();
            test_matrices_f64();
            test_matrices_f32();
        } else {
            double value = 1, sum;
            int32_t info;
            check(!loglik_isa() && !loglik_find_loop("exp", LOGLIK_F64), "a level for LOGLIK_ISA=%s", name);
            check(loglik_bernoulli_nll_sum_f64(1, &value, &value, NULL, 1, &sum, NULL) == LOGLIK_BAD_ISA, "sum");
            check(loglik_cholesky_f64(1, 1, &value, 1, &sum, 1, &info) == LOGLIK_BAD_ISA, "cholesky");
            check(loglik_mvn_log_prob_shared_f64(1, 1, &value, 1, &value, &value, &sum, 1) == LOGLIK_BAD_ISA, "shared");
        }
        exit(checks_end());
    }
    int status = -1;
    check(child > 0 && waitpid(child, &status, 0) == child && status == 0, "LOGLIK_ISA=%s", name ? name : "(not set)");
}

int main(void) {
    check(strchr(loglik_version(), '.') != NULL, "version %s", loglik_version());
    for (const loglik_kernels *const *each = loglik_levels; *each; each++) {
        test_level((*each)->name, loglik_level_available(*each) ? *each : NULL);
    }
    test_level(NULL, loglik_find_level(NULL));
    test_level("", loglik_find_level(NULL));
    test_level("sse9", NULL);
    return checks_end();
}
