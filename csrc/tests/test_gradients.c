/* The gradient kernels of the multivariate normal, at every level: against the formulas in long double, with every array between forbidden
 * pages, and with a strange floating-point state. */
#include <math.h>

#include "check.h"

static const char *level_name;
static const loglik_kernels *kernels;

enum { MOST = 70 };
static long double y[MOST], s[MOST], delta[MOST], inverse[MOST][MOST];

/* y, s and the inverse of L·Lᵀ (or for a whitener W: y = W·δ, s = Wᵀ·y, and W⁻¹·W⁻ᵀ), from the triangle l of size d. */
static void solve(const long double (*l)[MOST], ptrdiff_t d, int whitener) {
    static long double column[MOST], triangle[MOST][MOST];
    for (ptrdiff_t i = 0; i < d; i++) {
        y[i] = whitener ? 0 : delta[i];
        for (ptrdiff_t k = 0; k < i + whitener; k++) {
            y[i] += whitener ? l[i][k] * delta[k] : -l[i][k] * y[k];
        }
        y[i] /= whitener ? 1 : l[i][i];
    }
    for (ptrdiff_t i = d - 1; i >= 0; i--) {
        s[i] = whitener ? 0 : y[i];
        for (ptrdiff_t k = whitener ? i : i + 1; k < d; k++) {
            s[i] += whitener ? l[k][i] * y[k] : -l[k][i] * s[k];
        }
        s[i] /= whitener ? 1 : l[i][i];
    }
    for (ptrdiff_t j = 0; j < d; j++) { /* columns of the inverse triangle */
        for (ptrdiff_t i = 0; i < d; i++) {
            column[i] = i == j;
            for (ptrdiff_t k = 0; k < i; k++) {
                column[i] -= l[i][k] * column[k];
            }
            column[i] /= l[i][i];
            triangle[i][j] = column[i];
        }
    }
    for (ptrdiff_t i = 0; i < d; i++) {
        for (ptrdiff_t j = 0; j < d; j++) {
            inverse[i][j] = 0;
            for (ptrdiff_t k = 0; k < d; k++) {
                inverse[i][j] += whitener ? triangle[i][k] * triangle[j][k] : triangle[k][i] * triangle[k][j];
            }
        }
    }
}

static void close_to(long double got, long double want, long double scale, double eps, const char *what, int form, ptrdiff_t d,
                     ptrdiff_t n) {
    check(fabsl(got - want) <= 2000 * eps * (1 + scale), "%s: %s of form %d, d = %td, n = %td: %Lg, not %Lg", level_name, what, form, d, n,
          got, want);
}

#if defined(__aarch64__) /* long double is software there, and all of it is emulated in .ci/run */
static const ptrdiff_t SIZES[] = {1, 2, 3, 5, 8, 9, 17, 20}, COUNTS[] = {1, 24, 33};
#else
static const ptrdiff_t SIZES[] = {1, 2, 3, 5, 8, 9, 16, 17, 33, 64, 70}, COUNTS[] = {1, 3, 24, 97};
#endif

#define TEST(T, R, EPS)                                                                                     \
    static void test_##T(int form, ptrdiff_t d, ptrdiff_t n, int each) {                                    \
        static long double l[MOST][MOST], outer[MOST][MOST], sums[MOST];                                    \
        const int variance = form == LOGLIK_GRADIENT_VARIANCE, whitener = form == LOGLIK_GRADIENT_PRECISION; \
        const int in_sums = !each && n % 2;                                                                 \
        const size_t size = (size_t)(variance ? d : d * d), N = (size_t)n, D = (size_t)d;                   \
        guarded x = guarded_new(N * D * sizeof(R), 1), mean = guarded_new(D * sizeof(R), 1);                \
        guarded matrix = guarded_new(size * sizeof(R), 1), value = guarded_new(N * sizeof(R), 1);           \
        guarded rows = guarded_new(N * D * sizeof(R), 1), row_sums = guarded_new(N * D * sizeof(double), 1); \
        guarded sum = guarded_new(D * sizeof(double), 1), out = guarded_new(size * sizeof(double), 1);      \
        guarded gradient = guarded_new(N * D * D * sizeof(R), 1);                                           \
        const ptrdiff_t bytes = variance ? kernels->T->mvn_gradient_diagonal_scratch(d)                    \
                                : each   ? kernels->T->mvn_gradient_each_scratch(d)                        \
                                         : kernels->T->mvn_gradient_scratch(d);                            \
        guarded scratch = guarded_new(((size_t)bytes + 7) / 8 * 8, 1);                                      \
        for (size_t i = 0; i < N * D; i++) ((R *)x.data)[i] = (R)random_signed();                           \
        for (ptrdiff_t i = 0; i < d; i++) {                                                                 \
            ((R *)mean.data)[i] = (R)random_signed();                                                       \
            for (ptrdiff_t k = 0; k < d && !variance; k++) {                                                \
                ((R *)matrix.data)[i * d + k] = (R)(k == i ? 1.5 + random_signed() / 2 : random_signed() / (double)d); \
                l[i][k] = k <= i ? ((R *)matrix.data)[i * d + k] : 0;                                       \
            }                                                                                               \
            if (variance) {                                                                                 \
                ((R *)matrix.data)[i] = (R)(1.5 + random_signed());                                         \
            }                                                                                               \
        }                                                                                                   \
        const ptrdiff_t item = sizeof(R);                                                                   \
        loglik_gradient_task t = {                                                                          \
            .form = (enum loglik_gradient_form)form, .problems = each ? n : 1, .points = each ? 1 : n, .gaussians = 1, .d = d, \
            .x = x.data, .loc = mean.data, .matrix = matrix.data, .x_e = each ? d * item : 0, .x_n = d * item, .x_d = item, \
            .value = value.data, .value_e = each ? item : 0, .value_n = item, .rows = rows.data, .scratch = scratch.data, \
        };                                                                                                  \
        if (each) {                                                                                         \
            t.gradient = gradient.data;                                                                     \
            t.stream = (int)(n % 2);                                                                        \
        } else {                                                                                            \
            t.stream_rows = n % 3 == 0;                                                                     \
            if (in_sums) {                                                                                  \
                t.rows = NULL;                                                                              \
                t.row_sums = (double *)row_sums.data;                                                       \
            }                                                                                               \
            t.sums = (double *)sum.data;                                                                    \
            t.outer = (double *)out.data;                                                                   \
        }                                                                                                   \
        fp_write(FP_STRANGE);                                                                               \
        (variance ? kernels->T->mvn_gradient_diagonal : each ? kernels->T->mvn_gradient_each : kernels->T->mvn_gradient)(&t); \
        const uint64_t after = fp_read();                                                                   \
        fp_write(FP_CLEAN);                                                                                 \
        check(after == FP_STRANGE, "%s: the state is left %llx", level_name, (unsigned long long)after);    \
        memset(outer, 0, sizeof outer);                                                                     \
        memset(sums, 0, sizeof sums);                                                                       \
        for (ptrdiff_t p = 0; p < n; p++) {                                                                 \
            for (ptrdiff_t i = 0; i < d; i++) {                                                             \
                delta[i] = (long double)((R *)x.data)[p * d + i] - ((R *)mean.data)[i];                     \
                s[i] = variance ? delta[i] / ((R *)matrix.data)[i] : 0;                                     \
            }                                                                                               \
            if (!variance) {                                                                                \
                solve(l, d, whitener);                                                                      \
            }                                                                                               \
            for (ptrdiff_t i = 0; i < d; i++) {                                                             \
                sums[i] += s[i];                                                                            \
                const long double row = in_sums ? (long double)((double *)row_sums.data)[p * d + i] : ((R *)rows.data)[p * d + i]; \
                close_to(row, -s[i], 1, EPS, "s", form, d, n);                                              \
                for (ptrdiff_t k = 0; k < d; k++) {                                                         \
                    const long double a = whitener ? delta[i] : s[i];                                       \
                    const long double b = form == LOGLIK_GRADIENT_FACTOR ? (k <= i ? y[k] : 0) : whitener ? delta[k] : s[k]; \
                    outer[i][k] += a * b;                                                                   \
                    if (each) {                                                                             \
                        const long double want = form == LOGLIK_GRADIENT_FACTOR ? a * b - (i == k ? 1 / l[i][i] : 0) \
                                                 : (whitener ? inverse[i][k] - a * b : a * b - inverse[i][k]) / 2; \
                        close_to(((R *)gradient.data)[(p * d + i) * d + k], want, 1, EPS, "gradient", form, d, n); \
                    }                                                                                       \
                }                                                                                           \
            }                                                                                               \
        }                                                                                                   \
        for (ptrdiff_t i = 0; i < d && !each; i++) {                                                        \
            close_to(((double *)sum.data)[i], sums[i], (long double)n, EPS, "sums", form, d, n);            \
            for (ptrdiff_t k = 0; k < (variance ? 1 : d); k++) {                                            \
                close_to(((double *)out.data)[variance ? i : i * d + k], outer[i][variance ? i : k], (long double)n, EPS, "outer", form, \
                         d, n);                                                                             \
            }                                                                                               \
        }                                                                                                   \
        guarded all[] = {x, mean, matrix, value, rows, row_sums, sum, out, gradient, scratch};              \
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);                         \
    }
TEST(f64, double, 0x1p-53)
TEST(f32, float, 0x1p-24)

int main(void) {
    for (const loglik_kernels *const *level = loglik_levels; *level; level++) {
        kernels = *level;
        level_name = kernels->name;
        if (!loglik_level_available(kernels)) {
            continue;
        }
        for (int form = LOGLIK_GRADIENT_COVARIANCE; form <= LOGLIK_GRADIENT_VARIANCE; form++) {
            for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
                for (size_t j = 0; j < sizeof COUNTS / sizeof *COUNTS; j++) {
                    for (int each = 0; each <= (form != LOGLIK_GRADIENT_VARIANCE && SIZES[i] <= 64 && COUNTS[j] < 90); each++) {
                        test_f64(form, SIZES[i], COUNTS[j], each);
                        test_f32(form, SIZES[i], COUNTS[j], each);
                    }
                }
            }
        }
    }
    return checks_end();
}
