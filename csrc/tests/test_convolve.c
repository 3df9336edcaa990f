/* Convolution, dice and scaled numbers at every level: exact values, memory between forbidden pages, and the same
 * bits at all levels with FMA (dice: at all levels). */
#include <math.h>

#include "check.h"

enum { MAX_SIZE = 300, PADDING = LOGLIK_CONVOLVE_PADDING };

/* Integers whose sums of products are exact in R. */
#define CONVOLVE_TEST(T, R)                                                                                 \
    static void test_convolve_##T(const loglik_kernels *level, int na, int nb) {                            \
        guarded a = guarded_new((size_t)na * sizeof(R), 1);                                                 \
        guarded b = guarded_new((size_t)(nb + 2 * PADDING) * sizeof(R), 1);                                 \
        const int n = na + nb - 1, first = n / 3, last = n - n / 5;                                         \
        guarded out = guarded_new((size_t)(last - first) * sizeof(R), 1);                                   \
        R *const x = (R *)a.data, *const y = (R *)b.data + PADDING, *const z = (R *)out.data;               \
        memset(b.data, 0, b.size);                                                                          \
        for (int i = 0; i < na; i++) {                                                                      \
            x[i] = (R)(random_bits() % 200);                                                                \
        }                                                                                                   \
        for (int i = 0; i < nb; i++) {                                                                      \
            y[i] = (R)(random_bits() % 200);                                                                \
        }                                                                                                   \
        level->T->convolve(x, na, y, nb, first, last, z);                                                  \
        for (int k = first; k < last; k++) {                                                                \
            R exact = 0;                                                                                    \
            for (int i = 0; i < na; i++) {                                                                  \
                exact += k - i >= 0 && k - i < nb ? x[i] * y[k - i] : 0;                                    \
            }                                                                                               \
            check(z[k - first] == exact, "%s convolve_" #T " %d x %d: [%d]", level->name, na, nb, k);       \
        }                                                                                                   \
        guarded_free(a);                                                                                    \
        guarded_free(b);                                                                                    \
        guarded_free(out);                                                                                  \
    }
CONVOLVE_TEST(f64, double)
CONVOLVE_TEST(f32, float)

/* Against sums of sums: one die at a time, scaled so that nothing underflows; 1e-13 for the accumulated rounding. */
static void test_dice(const loglik_kernels *level, int n, int s) {
    const ptrdiff_t count = (ptrdiff_t)n * (s - 1) + 1;
    double *const exact = calloc((size_t)count, sizeof *exact);
    exact[0] = 1.0;
    for (int die = 1; die <= n; die++) {
        for (ptrdiff_t k = (ptrdiff_t)die * (s - 1); k >= 0; k--) {
            double sum = 0.0;
            for (int j = 0; j < s && j <= k; j++) {
                sum += exact[k - j];
            }
            exact[k] = sum;
        }
        for (ptrdiff_t k = 0; k < count; k++) {
            exact[k] /= s;
        }
    }
    guarded memory = guarded_new((size_t)count * sizeof(double), 1);
    guarded powers = guarded_new((size_t)count * sizeof(int64_t), 1);
    guarded table = guarded_new((size_t)level->dice_segments(n, s) * sizeof(loglik_dice_segment), 1);
    double *const out = (double *)memory.data;
    int64_t *const exponents = (int64_t *)powers.data;
    loglik_dice_segment *const segments = (loglik_dice_segment *)table.data;
    ptrdiff_t used = level->dice_pmf(n, s, out, count, segments);
    level->dice_probs(out, count, segments, used);
    for (ptrdiff_t k = 0; k < count; k++) {
        check(fabs(out[k] - exact[k]) <= 1e-13 * exact[k] + 1e-307, "%s %dd%d: [%td]", level->name, n, s, k);
    }
    used = level->dice_pmf(n, s, out, count, segments);
    level->dice_scaled(out, exponents, count, segments, used);
    level->scaled_normalise(out, exponents, count);
    const double end = -n * log2(s);
    check(fabs(log2(out[0]) + (double)exponents[0] - end) <= 1e-12 * fabs(end) + 1e-12, "%s %dd%d: lowest",
          level->name, n, s);
    for (ptrdiff_t k = 0; k < count; k++) {
        check(out[k] >= 1.0 && out[k] < 2.0 && out[k] == out[count - 1 - k] &&
                  exponents[k] == exponents[count - 1 - k],
              "%s %dd%d: scaled [%td]", level->name, n, s, k);
    }
    free(exact);
    guarded_free(memory);
    guarded_free(powers);
    guarded_free(table);
}

/* 2^i added 2^i at a time from far apart exponents: exact sums. */
static void test_scaled(const loglik_kernels *level, int n) {
    guarded gm = guarded_new((size_t)n * sizeof(double), 1), ge = guarded_new((size_t)n * sizeof(int64_t), 1);
    guarded gt = guarded_new((size_t)n * sizeof(double), 1);
    double *const m = (double *)gm.data, *const terms = (double *)gt.data;
    int64_t *const e = (int64_t *)ge.data;
    for (int i = 0; i < n; i++) {
        m[i] = 0.0;
        e[i] = LOGLIK_SCALED_ZERO;
        terms[i] = i % 5 == 3 ? 0.0 : ldexp(1.0 + i % 3, -i);
    }
    level->scaled_add(m, e, terms, -3000, n);
    level->scaled_add(m, e, terms, -2999, n);
    level->scaled_add(m, e, terms, -9000, n); /* beyond the last bit */
    level->scaled_normalise(m, e, n);
    for (int i = 0; i < n; i++) {
        const int top = i % 5 == 3 ? 0 : i % 3 == 0 ? 1 : 2; /* 3·(1 + i % 3) = 3, 6, 9 */
        const double expected = i % 5 == 3 ? 0.0 : 3.0 * (1 + i % 3) / (i % 3 == 2 ? 8 : 1 << top);
        const int64_t exponent = i % 5 == 3 ? 0 : -3000 - i + (i % 3 == 2 ? 3 : top);
        check(m[i] == expected && e[i] == exponent, "%s scaled_add of %d: [%d]", level->name, n, i);
    }
    level->scaled_cumulative(m, e, m, e, n);
    check(m[n - 1] > 0.0, "%s scaled_cumulative of %d", level->name, n);
    level->scaled_values(terms, e, m, n);
    check(m[n - 1] == 0.0, "%s scaled_values of %d", level->name, n);
    guarded_free(gm);
    guarded_free(ge);
    guarded_free(gt);
}

/* C(n, k) for all k up to n by the recurrence of dice with two sides: C(n, n) = 1 at its end. */
static void test_counts(const loglik_kernels *level, int n) {
    const ptrdiff_t digits = n / 32 + 1;
    guarded memory[3];
    uint32_t *rows[3];
    for (int i = 0; i < 3; i++) {
        memory[i] = guarded_new((size_t)(digits + 1) * sizeof(uint32_t), 1);
        rows[i] = (uint32_t *)memory[i].data;
        memset(rows[i], 0, (size_t)(digits + 1) * sizeof(uint32_t));
    }
    uint32_t *b = rows[0], *a = rows[1], *out = rows[2];
    guarded zero = guarded_new((size_t)(digits + 1) * sizeof(uint32_t), 1);
    memset(zero.data, 0, (size_t)(digits + 1) * sizeof(uint32_t));
    uint32_t *c = (uint32_t *)zero.data;
    c[0] = 1;
    for (int k = 0; k < n; k++) {
        /* s = 2: c[k+1−s] = c[k−1], c[k−s] = c[k−2]. */
        level->counts_next(c, a, b, digits, n + k, 2 * n + 1 - k, n + 2 - k, k + 1, out);
        uint32_t *const oldest = b;
        b = a;
        a = c;
        c = out;
        out = oldest;
    }
    int rest = 0;
    for (ptrdiff_t i = 1; i <= digits; i++) {
        rest |= c[i] != 0;
    }
    check(c[0] == 1 && !rest, "%s counts_next: C(%d, %d) is not 1", level->name, n, n);
    for (int i = 0; i < 3; i++) {
        guarded_free(memory[i]);
    }
    guarded_free(zero);
}

int main(void) {
    static const int sizes[] = {1, 2, 3, 7, 8, 9, 31, 32, 33, 64, 65, 127, MAX_SIZE};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    static const int dice[][2] = {{1, 2}, {1, 6}, {2, 2}, {2, 6}, {3, 6}, {5, 3}, {7, 50}, {400, 6}, {1500, 2}};
    for (const loglik_kernels *const *level = loglik_levels; *level; level++) {
        if (!loglik_level_available(*level)) {
            continue;
        }
        for (int i = 0; i < COUNT; i++) {
            for (int j = 0; j < COUNT; j++) {
                test_convolve_f64(*level, sizes[i], sizes[j]);
                test_convolve_f32(*level, sizes[i], sizes[j]);
            }
            test_scaled(*level, sizes[i]);
            test_counts(*level, sizes[i]);
        }
        for (size_t i = 0; i < sizeof dice / sizeof *dice; i++) {
            test_dice(*level, dice[i][0], dice[i][1]);
        }
    }
    return checks_end();
}
