/* Moments of samples at every level: against long double in two passes, in several calls and in one, with every array between
 * forbidden pages, and with a strange floating-point state. */
#include <math.h>

#include "check.h"

static const char *level_name;
static const loglik_kernels *kernels;

#if defined(__aarch64__) /* long double is software there, and all of it is emulated in .ci/run */
static const ptrdiff_t SIZES[] = {1, 2, 3, 5, 8, 9, 17}, COUNTS[] = {1, 2, 33, 130};
#else
static const ptrdiff_t SIZES[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 65}, COUNTS[] = {1, 2, 7, 9, 97, 385, 5001};
#endif
enum { MOST = 65 };

typedef struct {
    double shift[MOST], offset[MOST], low[MOST], high[MOST], squares[MOST * MOST], rest[MOST * MOST];
} moments_state;

#define TEST(T, R)                                                                                          \
    static void test_##T(ptrdiff_t d, ptrdiff_t n, int diagonal, int weighted, int in_parts) {              \
        static moments_state s;                                                                             \
        const size_t N = (size_t)n, D = (size_t)d;                                                          \
        guarded x = guarded_new(N * D * sizeof(R), 1), w = guarded_new(N * sizeof(double), 1);              \
        guarded scratch = guarded_new((size_t)kernels->moments_scratch(d, diagonal) * sizeof(double), 1);   \
        R *const values = (R *)x.data;                                                                      \
        double *const weights = (double *)w.data;                                                           \
        memset(&s, 0, sizeof s);                                                                            \
        for (ptrdiff_t i = 0; i < d; i++) {                                                                 \
            s.low[i] = INFINITY;                                                                            \
            s.high[i] = -INFINITY;                                                                          \
        }                                                                                                   \
        for (ptrdiff_t r = 0; r < n; r++) { /* a jump in the middle, and a mean far from 0 */               \
            weights[r] = (double)(random_bits() % 3);                                                       \
            for (ptrdiff_t i = 0; i < d; i++) {                                                             \
                values[r * d + i] = (R)(1000.0 * (double)(i % 3) + random_signed() + (r > n / 2 ? 200.0 : 0.0)); \
                if (weighted && weights[r] == 0 && i == r % d) {                                            \
                    values[r * d + i] = (R)NAN; /* does not count */                                        \
                }                                                                                           \
            }                                                                                               \
        }                                                                                                   \
        loglik_moments_task t = {.d = d, .diagonal = diagonal, .extremes = 1, .shift = s.shift, .offset = s.offset, .squares = s.squares, \
                                 .rest = s.rest, .low = s.low, .high = s.high, .scratch = (double *)scratch.data}; \
        const ptrdiff_t step = in_parts ? (n + 2) / 3 : n;                                                  \
        for (ptrdiff_t first = 0; first < n; first += step) {                                               \
            t.n = n - first < step ? n - first : step;                                                      \
            t.x = values + first * d;                                                                       \
            t.weights = weighted ? weights + first : NULL;                                                  \
            fp_write(FP_STRANGE);                                                                           \
            kernels->moments_##T(&t);                                                                       \
            check(fp_read() == FP_STRANGE, "%s: moments: floating-point state", level_name);                \
            fp_write(FP_CLEAN);                                                                             \
        }                                                                                                   \
        long double total = 0, mean[MOST] = {0};                                                            \
        for (ptrdiff_t r = 0; r < n; r++) {                                                                 \
            const long double f = weighted ? weights[r] : 1;                                                \
            total += f;                                                                                     \
            for (ptrdiff_t i = 0; i < d && f > 0; i++) mean[i] += f * (long double)values[r * d + i];       \
        }                                                                                                   \
        check((long double)t.weight == total, "%s: weight, d = %td, n = %td", level_name, d, n);            \
        for (ptrdiff_t i = 0; i < d && total > 0; i++) {                                                    \
            mean[i] /= total;                                                                               \
            const long double got = (long double)s.shift[i] + s.offset[i];                                  \
            check(fabsl(got - mean[i]) <= 1e-15L * (fabsl(mean[i]) + 100), "%s: mean, d = %td, n = %td: %Lg, not %Lg", level_name, d, \
                  n, got, mean[i]);                                                                         \
        }                                                                                                   \
        for (ptrdiff_t i = 0; i < d && total > 0; i++) {                                                    \
            long double low = INFINITY, high = -INFINITY;                                                   \
            for (ptrdiff_t j = diagonal ? i : 0; j <= i; j++) {                                             \
                long double want = 0, size = 0;                                                             \
                for (ptrdiff_t r = 0; r < n; r++) {                                                         \
                    const long double f = weighted ? weights[r] : 1;                                        \
                    if (f > 0) {                                                                            \
                        const long double a = (long double)values[r * d + i] - mean[i], b = (long double)values[r * d + j] - mean[j]; \
                        want += f * a * b;                                                                  \
                        size += f * (a * a + b * b) / 2;                                                    \
                        low = values[r * d + i] < low ? values[r * d + i] : low;                            \
                        high = values[r * d + i] > high ? values[r * d + i] : high;                         \
                    }                                                                                       \
                }                                                                                           \
                const ptrdiff_t at = diagonal ? i : i * d + j;                                              \
                const long double got = (long double)s.squares[at] + s.rest[at];                            \
                check(fabsl(got - want) <= 3e-14L * size, "%s: products (%td, %td), d = %td, n = %td: %Lg, not %Lg", level_name, i, j, \
                      d, n, got, want);                                                                     \
            }                                                                                               \
            check(s.low[i] == (double)low && s.high[i] == (double)high, "%s: extremes, d = %td, n = %td", level_name, d, n); \
        }                                                                                                   \
        guarded_free(x);                                                                                    \
        guarded_free(w);                                                                                    \
        guarded_free(scratch);                                                                              \
    }
/* clang-format off */
TEST(f64, double)
TEST(f32, float)
/* clang-format on */

int main(void) {
    for (const loglik_kernels *const *level = loglik_levels; *level; level++) {
        if (!loglik_level_available(*level)) {
            continue;
        }
        kernels = *level;
        level_name = kernels->name;
        for (size_t a = 0; a < sizeof SIZES / sizeof *SIZES; a++) {
            for (size_t b = 0; b < sizeof COUNTS / sizeof *COUNTS; b++) {
                for (int option = 0; option < 8; option++) {
                    if (SIZES[a] * COUNTS[b] > 100000) {
                        continue; /* slow in long double */
                    }
                    test_f64(SIZES[a], COUNTS[b], option & 1, option >> 1 & 1, option >> 2);
                    test_f32(SIZES[a], COUNTS[b], option & 1, option >> 1 & 1, option >> 2);
                }
            }
        }
    }
    return checks_end();
}
