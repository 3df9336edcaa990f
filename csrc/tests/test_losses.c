/* The kernels of the losses, at every level: against their definitions in long double, with every array between forbidden
 * pages, and with a strange floating-point state. */
#include <math.h>

#include "check.h"

static const char *level_name;
static const loglik_kernels *kernels;

/* Runs a kernel and checks that it leaves the floating-point state alone, whatever that was. */
static void run(void (*kernel)(loglik_loss_task *), loglik_loss_task *task, const char *name) {
    fp_write(FP_STRANGE);
    kernel(task);
    const uint64_t after = fp_read();
    fp_write(FP_CLEAN);
    check(after == FP_STRANGE, "%s: %s left the state %llx", level_name, name, (unsigned long long)after);
}

/* ---------------------------------------------------------------------------------- definitions */

static const long double HALF_LOG_2PI = 0.918938533204672741780329736405617639861L;
static const long double LOG_2 = 0.693147180559945309417232121458176568076L;

/* Value and slopes of one element; *terms: the sum of the absolute terms. */
static long double bernoulli(long double t, const long double *m, long double *slope, long double *terms) {
    slope[0] = 1 / (1 + expl(-m[0])) - t;
    return *terms = t * log1pl(expl(-m[0])) + (1 - t) * log1pl(expl(m[0]));
}
static long double bernoulli_probs(long double t, const long double *m, long double *slope, long double *terms) {
    slope[0] = (1 - t) / (1 - m[0]) - t / m[0];
    return *terms = -t * logl(m[0]) - (1 - t) * log1pl(-m[0]);
}
static long double gaussian(long double t, long double mean, long double sigma, long double *terms) {
    const long double half = (t - mean) * (t - mean) / (2 * sigma * sigma);
    *terms = half + fabsl(logl(sigma)) + HALF_LOG_2PI;
    return half + logl(sigma) + HALF_LOG_2PI;
}
static long double gaussian_variance(long double t, const long double *m, long double *slope, long double *terms) {
    slope[0] = (m[0] - t) / m[1];
    slope[1] = (1 - (t - m[0]) * (t - m[0]) / m[1]) / (2 * m[1]);
    return gaussian(t, m[0], sqrtl(m[1]), terms);
}
static long double gaussian_log_variance(long double t, const long double *m, long double *slope, long double *terms) {
    slope[0] = (m[0] - t) * expl(-m[1]);
    slope[1] = (1 - (t - m[0]) * (t - m[0]) * expl(-m[1])) / 2;
    return gaussian(t, m[0], expl(m[1] / 2), terms);
}
static long double gaussian_scale(long double t, const long double *m, long double *slope, long double *terms) {
    slope[0] = (m[0] - t) / (m[1] * m[1]);
    slope[1] = (1 - (t - m[0]) * (t - m[0]) / (m[1] * m[1])) / m[1];
    return gaussian(t, m[0], m[1], terms);
}
static long double laplace(long double t, long double loc, long double log_scale, long double *slope, long double *terms) {
    const long double inverse = expl(-log_scale), z = fabsl(t - loc) * inverse;
    slope[0] = t == loc ? 0 : t > loc ? -inverse : inverse;
    *terms = z + fabsl(log_scale) + LOG_2;
    return z + log_scale + LOG_2;
}
static long double laplace_scale(long double t, const long double *m, long double *slope, long double *terms) {
    slope[1] = (1 - fabsl(t - m[0]) / m[1]) / m[1];
    return laplace(t, m[0], logl(m[1]), slope, terms);
}
static long double laplace_log_scale(long double t, const long double *m, long double *slope, long double *terms) {
    slope[1] = 1 - fabsl(t - m[0]) * expl(-m[1]);
    return laplace(t, m[0], m[1], slope, terms);
}
static long double standard_normal(long double t, const long double *m, long double *slope, long double *terms) {
    (void)t;
    slope[0] = m[0];
    slope[1] = expm1l(m[1]) / 2;
    *terms = (m[0] * m[0] + expm1l(m[1]) + fabsl(m[1])) / 2;
    return (m[0] * m[0] + expm1l(m[1]) - m[1]) / 2;
}

/* ---------------------------------------------------------------------------------- losses of elements */

typedef struct {
    const char *name;
    enum loglik_loss_form form;
    int models;
    long double (*exact)(long double t, const long double *m, long double *slope, long double *terms);
    void (*f64)(loglik_loss_task *), (*f32)(loglik_loss_task *);
} loss;

/* Every subset of weights, values and gradients, for sizes around those of vectors and blocks. kl_standard_normal: in one row. */
#define TEST_ELEMENTS(T, R, DIGITS)                                                                         \
    static void test_elements_##T(const loss *l) {                                                          \
        enum { MOST = 4099 };                                                                               \
        static long double value[MOST], slope[MOST][2], terms[MOST];                                        \
        const ptrdiff_t sizes[] = {0, 1, 2, 15, 16, 17, 63, 64, 65, 1000, MOST};                            \
        const int one_row = l->exact == standard_normal;                                                    \
        const long double unit = ldexpl(1, -DIGITS);                                                        \
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {                                         \
            const ptrdiff_t n = sizes[s];                                                                   \
            guarded g[7];                                                                                   \
            R *p[7];                                                                                        \
            for (int a = 0; a < 7; a++) {                                                                   \
                g[a] = guarded_new((size_t)n * sizeof(R), 1);                                               \
                p[a] = (R *)g[a].data;                                                                      \
            }                                                                                               \
            for (ptrdiff_t i = 0; i < n; i++) {                                                             \
                const int positive = l->form == LOGLIK_LOSS_VARIANCE || l->form == LOGLIK_LOSS_SCALE;       \
                p[0][i] = (R)(random_bits() % 5) / 4;                                                       \
                p[1][i] = l->form == LOGLIK_LOSS_PROBS ? (R)(0.5 + 0.49 * random_signed()) : (R)(10 * random_signed()); \
                p[2][i] = positive ? (R)(2 + 1.9 * random_signed()) : (R)(4 * random_signed());             \
                p[3][i] = one_row ? (R)1 : (R)(1 + random_bits() % 3);                                      \
                const long double m[2] = {p[1][i], p[2][i]};                                                \
                value[i] = l->exact(p[0][i], m, slope[i], &terms[i]);                                       \
            }                                                                                               \
            for (int wanted = 0; wanted < 16; wanted++) {                                                   \
                const R *const w = wanted & 1 && n ? p[3] : NULL;                                           \
                loglik_loss_task task = {.form = l->form, .n = one_row ? n > 0 : n, .width = one_row ? n : 1, .targets = p[0], \
                                         .model = {p[1], p[2]}, .weights = w, .scale = 1, .values = wanted & 2 ? p[4] : NULL, \
                                         .gradient = {wanted & 4 ? p[5] : NULL, wanted & 8 && l->models > 1 ? p[6] : NULL}}; \
                long double sum = 0, all = 0;                                                               \
                run(l->T, &task, l->name);                                                                  \
                check(task.bad == -1, "%s: %s_%s: element %td of %td is bad", level_name, l->name, #T, task.bad, n); \
                for (ptrdiff_t i = 0; i < n; i++) {                                                         \
                    const long double weight = w ? w[i] : 1;                                                \
                    sum += weight * value[i];                                                               \
                    all += weight * terms[i];                                                               \
                    if (task.values && !one_row) {                                                          \
                        check(fabsl(p[4][i] - weight * value[i]) <= 6 * unit * weight * terms[i], "%s: %s_%s of %td at %td: %g", \
                              level_name, l->name, #T, n, i, (double)p[4][i]);                              \
                    }                                                                                       \
                    for (int a = 0; a < l->models; a++) {                                                   \
                        const long double size = fabsl(slope[i][a]) + 1 + terms[i];                         \
                        check(!task.gradient[a] || fabsl(p[5 + a][i] - weight * slope[i][a]) <= 40 * unit * weight * size, \
                              "%s: gradient %d of %s_%s at %td of %td: %g, not %Lg", level_name, a, l->name, #T, i, n,  \
                              (double)p[5 + a][i], weight * slope[i][a]);                                   \
                    }                                                                                       \
                }                                                                                           \
                check(fabsl(task.sum - sum) <= 5 * unit * all, "%s: %s_%s of %td: %.17g, not %.17Lg", level_name, l->name, \
                      #T, n, task.sum, sum);                                                                \
            }                                                                                               \
            for (int a = 0; a <= l->models && n && !one_row; a++) { /* a bad argument is found where it is */ \
                const ptrdiff_t at = (ptrdiff_t)(random_bits() % (uint64_t)n);                              \
                const R kept = p[a][at], bad = (R)INFINITY;                                                 \
                const int checked = l->models == 1 ? a == 0 || l->form == LOGLIK_LOSS_PROBS : a == 2;       \
                loglik_loss_task task = {.form = l->form, .n = n, .width = 1, .targets = p[0], .model = {p[1], p[2]}, .scale = 1}; \
                p[a][at] = bad;                                                                             \
                run(l->T, &task, l->name);                                                                  \
                check(checked ? task.bad == at && task.which == a : task.bad == -1, "%s: %s_%s: argument %d at %td of %td: %td", \
                      level_name, l->name, #T, a, at, n, task.bad);                                         \
                p[a][at] = kept;                                                                            \
            }                                                                                               \
            for (int a = 0; a < 7; a++) guarded_free(g[a]);                                                 \
        }                                                                                                   \
    }
TEST_ELEMENTS(f64, double, 53)
TEST_ELEMENTS(f32, float, 24)

/* ---------------------------------------------------------------------------------- rows of classes */

#define TEST_CATEGORICAL(T, R, DIGITS)                                                                      \
    static void test_categorical_##T(ptrdiff_t rows, ptrdiff_t classes, int soft, double smoothing, int log_probs) { \
        const size_t row = (size_t)(rows * classes) * sizeof(R);                                            \
        const guarded gz = guarded_new(row, 1), gt = guarded_new(row, 1), gd = guarded_new(row, 1);         \
        const guarded gy = guarded_new((size_t)rows * 8, 1), gv = guarded_new((size_t)rows * sizeof(R), 1); \
        R *const z = (R *)gz.data, *const t = (R *)gt.data, *const d = (R *)gd.data, *const v = (R *)gv.data; \
        int64_t *const y = (int64_t *)gy.data;                                                              \
        const long double unit = ldexpl(1, -DIGITS), least = ldexpl(2, DIGITS == 53 ? -1074 : -149);          \
        for (ptrdiff_t r = 0; r < rows; r++) {                                                              \
            y[r] = (int64_t)(random_bits() % (uint64_t)classes);                                            \
            for (ptrdiff_t k = 0; k < classes; k++) {                                                       \
                z[r * classes + k] = (R)((random_bits() % 8 ? 5 : 50) * random_signed());                   \
                t[r * classes + k] = soft ? (R)(k == y[r] ? 0.75 : 0) + (R)(k == (y[r] + 1) % classes ? 0.25 : 0) : 0; \
            }                                                                                               \
        }                                                                                                   \
        loglik_loss_task task = {.form = log_probs ? LOGLIK_LOSS_LOG_PROBS : LOGLIK_LOSS_LOGITS, .n = rows, .width = classes, \
                                 .targets = soft ? t : NULL, .labels = soft ? NULL : y, .model = {z}, .smoothing = smoothing, \
                                 .tolerance = 1e-3, .scale = 1, .values = v, .gradient = {d}};              \
        run(kernels->T->categorical_nll_task, &task, "categorical_nll");                                   \
        check(task.bad == -1, "%s: categorical_%s: %td is bad", level_name, #T, task.bad);                  \
        long double total = 0, all = 0;                                                                     \
        for (ptrdiff_t r = 0; r < rows; r++) {                                                              \
            const R *const x = z + r * classes;                                                             \
            long double largest = -INFINITY, sum = 0, value = 0, terms = 0;                                 \
            for (ptrdiff_t k = 0; k < classes; k++) largest = x[k] > largest ? x[k] : largest;              \
            ptrdiff_t at = 0; /* of the largest, whose 1 is left out of the sum */                          \
            for (ptrdiff_t k = 0; k < classes; k++) at = x[k] == largest ? k : at;                          \
            for (ptrdiff_t k = 0; k < classes; k++) sum += k == at ? 0 : expl((long double)x[k] - largest); \
            for (ptrdiff_t k = 0; k < classes; k++) {                                                       \
                const long double hard = soft ? t[r * classes + k] : k == y[r];                             \
                const long double target = (1 - smoothing) * hard + smoothing / (long double)classes;       \
                const long double surprise = log_probs ? -(long double)x[k] : largest - x[k] + log1pl(sum);   \
                const long double slope = log_probs ? -target : expl(x[k] - largest) / (1 + sum) - target;        \
                value += target * surprise;                                                                 \
                terms += target * fabsl(surprise);                                                          \
                check(fabsl(d[r * classes + k] - slope) <= 8 * unit * (fabsl(slope) + target) + least, "%s: gradient of " \
                      "categorical_%s at row %td, class %td of %td: %g, not %Lg", level_name, #T, r, k, classes, \
                      (double)d[r * classes + k], slope);                                                   \
            }                                                                                               \
            check(fabsl(v[r] - value) <= 8 * unit * terms + least, "%s: categorical_%s of row %td of %td, %td classes: %g, not %Lg", \
                  level_name, #T, r, rows, classes, (double)v[r], value);                                   \
            total += value;                                                                                 \
            all += terms;                                                                                   \
        }                                                                                                   \
        check(fabsl(task.sum - total) <= 8 * unit * all + least, "%s: sum of categorical_%s", level_name, #T); \
        if (!soft && rows) {                                                                                \
            const ptrdiff_t at = (ptrdiff_t)(random_bits() % (uint64_t)rows);                               \
            y[at] = random_bits() % 2 ? classes : -1;                                                       \
            run(kernels->T->categorical_nll_task, &task, "categorical_nll");                               \
            check(task.bad == at && task.which == 0, "%s: the label at %td of %td is not found", level_name, at, rows); \
            task.ignores = 1;                                                                               \
            task.ignored = y[at];                                                                           \
            run(kernels->T->categorical_nll_task, &task, "categorical_nll");                               \
            check(task.bad == -1 && v[at] == 0, "%s: the label at %td of %td is not ignored", level_name, at, rows); \
        }                                                                                                   \
        guarded_free(gz), guarded_free(gt), guarded_free(gd), guarded_free(gy), guarded_free(gv);           \
    }
TEST_CATEGORICAL(f64, double, 53)
TEST_CATEGORICAL(f32, float, 24)

static void test_categorical(void) {
    const ptrdiff_t rows[] = {1, 3, 16, 33}, classes[] = {1, 2, 3, 4, 5, 9, 31, 32, 33, 63, 64, 65, 130, 1000};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t k = 0; k < sizeof classes / sizeof *classes; k++) {
            for (int kind = 0; kind < 6; kind++) {
                const int soft = kind % 2 && classes[k] > 1, log_probs = kind == 4 || kind == 5;
                test_categorical_f64(rows[i], classes[k], soft, kind / 2 == 1 ? 0.1 : 0, log_probs);
                test_categorical_f32(rows[i], classes[k], soft, kind / 2 == 1 ? 0.1 : 0, log_probs);
            }
        }
    }
}

int main(void) {
    for (const loglik_kernels *const *level = loglik_levels; *level; level++) {
        kernels = *level;
        level_name = kernels->name;
        if (!loglik_level_available(kernels)) {
            continue;
        }
#define LOSS(form, models, exact, kernel) {#kernel, LOGLIK_LOSS_##form, models, exact, kernels->f64->kernel##_task, kernels->f32->kernel##_task}
        const loss losses[] = {
            LOSS(LOGITS, 1, bernoulli, bernoulli_nll),
            LOSS(PROBS, 1, bernoulli_probs, bernoulli_nll),
            LOSS(VARIANCE, 2, gaussian_variance, gaussian_nll),
            LOSS(LOG_VARIANCE, 2, gaussian_log_variance, gaussian_nll),
            LOSS(SCALE, 2, gaussian_scale, gaussian_nll),
            LOSS(SCALE, 2, laplace_scale, laplace_nll),
            LOSS(LOG_SCALE, 2, laplace_log_scale, laplace_nll),
            LOSS(LOG_VARIANCE, 2, standard_normal, kl_standard_normal),
        };
        for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
            test_elements_f64(&losses[i]);
            test_elements_f32(&losses[i]);
        }
        test_categorical();
    }
    return checks_end();
}
