/* Kernels that are not ufuncs: known answers, memory around the arrays, floating-point state, at every level. */
#include <math.h>

#include "check.h"

static const char *level_name;
static const loglik_kernels *kernels;

/* Runs a statement and checks that it leaves the floating-point state alone, whatever that was. */
#define KEEPS_STATE(statement)                                                                              \
    do {                                                                                                    \
        fp_write(FP_STRANGE);                                                                               \
        statement;                                                                                          \
        const uint64_t after_ = fp_read();                                                                  \
        fp_write(FP_CLEAN);                                                                                 \
        check(after_ == FP_STRANGE, "%s: %s left the state %llx", level_name, #statement, (unsigned long long)after_); \
    } while (0)

/* ---------------------------------------------------------------------------------- random numbers */

static const struct {
    uint64_t key, stream, counter;
    uint32_t words[4];
} PHILOX[] = {
    /* The vectors published with Random123 for philox4x32-10. */
    {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {UINT64_MAX, UINT64_MAX, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

/* The definition, one counter at a time. */
static void philox(uint64_t key, uint64_t stream, uint64_t counter, uint32_t words[4]) {
    uint32_t c[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++, k0 += 0x9e3779b9, k1 += 0xbb67ae85) {
        const uint64_t a = (uint64_t)0xd2511f53 * c[0], b = (uint64_t)0xcd9e8d57 * c[2];
        const uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k0, (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ k1, (uint32_t)a};
        memcpy(c, next, sizeof c);
    }
    memcpy(words, c, sizeof c);
}

static void test_philox(void) {
    for (size_t i = 0; i < sizeof PHILOX / sizeof *PHILOX; i++) {
        uint32_t words[4], defined[4];
        kernels->philox_words(PHILOX[i].key, PHILOX[i].stream, PHILOX[i].counter, 1, words);
        philox(PHILOX[i].key, PHILOX[i].stream, PHILOX[i].counter, defined);
        check(memcmp(words, PHILOX[i].words, sizeof words) == 0, "%s: philox vector %zu", level_name, i);
        check(memcmp(defined, PHILOX[i].words, sizeof words) == 0, "the definition of philox, vector %zu", i);
    }
    const ptrdiff_t counts[] = {0, 1, 31, 32, 33, 100};
    const uint64_t starts[] = {0, 7, 32, 0xfffffff0u, 0x1fffffff5u, UINT64_MAX - 40};
    for (size_t s = 0; s < 36; s++) { /* every start with every count; across the carry of the low word, and around */
        const ptrdiff_t count = counts[s / 6];
        const uint64_t start = starts[s % 6], key = random_bits(), stream = random_bits();
        const guarded g = guarded_new((size_t)count * 16, 1);
        KEEPS_STATE(kernels->philox_words(key, stream, start, count, (uint32_t *)g.data));
        for (ptrdiff_t i = 0; i < count; i++) {
            uint32_t defined[4];
            philox(key, stream, start + (uint64_t)i, defined);
            check(memcmp(g.data + 16 * i, defined, 16) == 0, "%s: philox counter %llx + %td of %td", level_name,
                  (unsigned long long)start, i, count);
        }
        guarded_free(g);
    }
}

/* Sequences: any part has the bits of the whole; values lie where they should. */
#define TEST_SEQUENCE(name, T, R, good)                                                                     \
    static void test_##name##_##T(void) {                                                                   \
        enum { WHOLE = 1500 };                                                                              \
        static R whole[2][WHOLE]; /* as it is, and transformed */                                           \
        kernels->T->name(3, 5, 100, WHOLE, 1, 0, (R)INFINITY, whole[0]);                                 \
        kernels->T->name(3, 5, 100, WHOLE, 2, 0, (R)0.75, whole[1]);                                     \
        double sum = 0;                                                                                     \
        for (int i = 0; i < WHOLE; i++) {                                                                   \
            const R x = whole[0][i];                                                                        \
            check(good, "%s: %s_%s[%d] = %g", level_name, #name, #T, i, (double)x);                         \
            check(whole[1][i] == (2 * x < (R)0.75 ? 2 * x : (R)0.75), "%s: %s_%s[%d] = %g, transformed to %g", level_name, #name, \
                  #T, i, (double)x, (double)whole[1][i]);                                                   \
            sum += (double)x;                                                                               \
        }                                                                                                   \
        check(sum != 0, "%s: %s_%s is all zero", level_name, #name, #T);                                    \
        for (int k = 0; k < 400; k++) {                                                                     \
            const ptrdiff_t start = (ptrdiff_t)(random_bits() % WHOLE);                                     \
            ptrdiff_t n = (ptrdiff_t)(random_bits() % (k % 2 ? 20 : 700));                                  \
            n = n < WHOLE - start ? n : WHOLE - start;                                                      \
            const guarded g = guarded_new((size_t)n * sizeof(R), 1);                                        \
            const int changed = k / 2 % 2;                                                                  \
            KEEPS_STATE(kernels->T->name(3, 5, 100 + (uint64_t)start, n, (R)(1 + changed), 0,            \
                                            changed ? (R)0.75 : (R)INFINITY, (R *)g.data));                 \
            check(memcmp(g.data, whole[changed] + start, (size_t)n * sizeof(R)) == 0, "%s: %s_%s from %td, %td values", \
                  level_name, #name, #T, start, n);                                                         \
            guarded_free(g);                                                                                \
        }                                                                                                   \
    }
TEST_SEQUENCE(random_uniform, f64, double, x >= 0 && x < 1)
TEST_SEQUENCE(random_uniform, f32, float, x >= 0 && x < 1)
TEST_SEQUENCE(random_normal, f64, double, fabs(x) < 9)
TEST_SEQUENCE(random_normal, f32, float, fabsf(x) < 9)
TEST_SEQUENCE(random_laplace, f64, double, fabs(x) < 37)
TEST_SEQUENCE(random_laplace, f32, float, fabsf(x) < 23)

/* Steps of all kinds: tiny, equal (never drawn), many in one cell of the guide; against the first entry above the number. */
static void test_random_discrete(void) {
    enum { K = 40, N = 3000 };
    double cdf[K], u[N];
    int64_t got[N];
    for (int k = 0; k < K; k++) {
        cdf[k] = k == K - 1 ? 1 : k < 10 ? 1e-3 * k : k < 20 ? 0.25 : k < 30 ? 0.25 + 1e-17 * k : 0.02 * k;
    }
    kernels->f64->random_uniform(7, 0, 50, N, 1, 0, INFINITY, u);
    for (ptrdiff_t cells = 1; cells <= 256; cells *= 4) {
        const guarded guide = guarded_new((size_t)(cells + 1) * sizeof(int32_t), 1);
        for (ptrdiff_t c = 0; c <= cells; c++) {
            int32_t k = 0;
            while (k < K - 1 && cdf[k] <= (double)c / (double)cells) k++;
            ((int32_t *)guide.data)[c] = k;
        }
        KEEPS_STATE(kernels->random_discrete(7, 0, 50, N, cdf, (const int32_t *)guide.data, cells, got));
        for (int i = 0; i < N; i++) {
            int64_t k = 0;
            while (cdf[k] <= u[i]) k++;
            check(got[i] == k, "%s: random_discrete, %td cells: %g gives %lld, not %lld", level_name, cells, u[i],
                  (long long)got[i], (long long)k);
        }
        guarded_free(guide);
    }
}

/* ---------------------------------------------------------------------------------- sums of discrete variables */

#define TEST_CONVOLVE(T, R)                                                                                 \
    static void test_convolve_##T(void) {                                                                   \
        const ptrdiff_t lengths[][2] = {{1, 1}, {1, 5}, {3, 7}, {8, 8}, {17, 40}, {64, 200}, {33, 301}};    \
        for (size_t c = 0; c < sizeof lengths / sizeof *lengths; c++) {                                     \
            const ptrdiff_t na = lengths[c][0], nb = lengths[c][1], n = na + nb - 1, pad = LOGLIK_CONVOLVE_PADDING; \
            const guarded ga = guarded_new((size_t)na * sizeof(R), 1), gb = guarded_new((size_t)(nb + 2 * pad) * sizeof(R), 1); \
            R *const a = (R *)ga.data, *const b = (R *)gb.data + pad;                                       \
            memset(gb.data, 0, gb.size);                                                                    \
            for (ptrdiff_t i = 0; i < na; i++) a[i] = (R)(random_bits() % 64); /* sums are exact integers */ \
            for (ptrdiff_t i = 0; i < nb; i++) b[i] = (R)(random_bits() % 64);                              \
            for (int k = 0; k < 12; k++) {                                                                  \
                const ptrdiff_t first = k ? (ptrdiff_t)(random_bits() % (uint64_t)n) : 0;                   \
                const ptrdiff_t last = k ? first + (ptrdiff_t)(random_bits() % (uint64_t)(n - first + 1)) : n; \
                const guarded out = guarded_new((size_t)(last - first) * sizeof(R), 1);                     \
                KEEPS_STATE(kernels->T->convolve(a, na, b, nb, first, last, (R *)out.data));               \
                for (ptrdiff_t j = first; j < last; j++) {                                                  \
                    long exact = 0;                                                                         \
                    for (ptrdiff_t i = 0; i < na; i++) exact += j - i >= 0 && j - i < nb ? (long)a[i] * (long)b[j - i] : 0; \
                    check(((R *)out.data)[j - first] == (R)exact, "%s: convolve_%s %td x %td at %td", level_name, #T, na, nb, j); \
                }                                                                                           \
                guarded_free(out);                                                                          \
            }                                                                                               \
            guarded_free(ga);                                                                               \
            guarded_free(gb);                                                                               \
        }                                                                                                   \
    }
TEST_CONVOLVE(f64, double)
TEST_CONVOLVE(f32, float)

static void test_dice(void) {
    const int64_t cases[][2] = {{1, 2}, {1, 6}, {2, 6}, {3, 6}, {5, 4}, {2, 100}, {7, 20}, {40, 2}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const int64_t n = cases[c][0], s = cases[c][1];
        const ptrdiff_t count = n * (s - 1) + 1;
        /* Counts by adding one die at a time, in exact integers. */
        uint64_t *const ways = calloc((size_t)count, sizeof *ways), *const next = calloc((size_t)count, sizeof *next);
        ways[0] = 1;
        for (int64_t die = 0; die < n; die++) {
            memset(next, 0, (size_t)count * sizeof *next);
            for (ptrdiff_t k = 0; k < count; k++) {
                for (int64_t face = 0; face < s && face <= k; face++) {
                    next[k] += ways[k - face];
                }
            }
            memcpy(ways, next, (size_t)count * sizeof *ways);
        }
        const guarded out = guarded_new((size_t)count * 8, 1), powers = guarded_new((size_t)count * 8, 1);
        const ptrdiff_t most = kernels->dice_segments(n, s);
        const guarded segments = guarded_new((size_t)most * sizeof(loglik_dice_segment), 1);
        double *const p = (double *)out.data;
        ptrdiff_t used = 0;
        KEEPS_STATE(used = kernels->dice_pmf(n, s, p, count, (loglik_dice_segment *)segments.data));
        check(used >= 1 && used <= most, "%s: %td of %td segments", level_name, used, most);
        KEEPS_STATE(kernels->dice_probs(p, count, (loglik_dice_segment *)segments.data, used));
        for (ptrdiff_t k = 0; k < count; k++) {
            const long double exact = (long double)ways[k] / powl((long double)s, (long double)n);
            check(fabsl((long double)p[k] - exact) <= (long double)n * 0x1p-52L * exact, "%s: %d dice of %d at %td: %a",
                  level_name, (int)n, (int)s, k, p[k]);
        }
        used = kernels->dice_pmf(n, s, p, count, (loglik_dice_segment *)segments.data);
        KEEPS_STATE(kernels->dice_scaled(p, (int64_t *)powers.data, count, (loglik_dice_segment *)segments.data, used));
        KEEPS_STATE(kernels->scaled_normalise(p, (int64_t *)powers.data, count));
        KEEPS_STATE(kernels->scaled_values(p, (int64_t *)powers.data, p, count));
        for (ptrdiff_t k = 0; k < count; k++) {
            const long double exact = (long double)ways[k] / powl((long double)s, (long double)n);
            check(fabsl((long double)p[k] - exact) <= (long double)n * 0x1p-52L * exact, "%s: %d dice of %d at %td, scaled",
                  level_name, (int)n, (int)s, k);
        }
        free(ways);
        free(next);
        guarded_free(out);
        guarded_free(powers);
        guarded_free(segments);
    }
}

int main(void) {
    for (const loglik_kernels *const *level = loglik_levels; *level; level++) {
        kernels = *level;
        level_name = kernels->name;
        if (!loglik_level_available(kernels)) {
            continue;
        }
        test_philox();
        test_random_uniform_f64();
        test_random_uniform_f32();
        test_random_normal_f64();
        test_random_normal_f32();
        test_random_laplace_f64();
        test_random_laplace_f32();
        test_random_discrete();
        test_convolve_f64();
        test_convolve_f32();
        test_dice();
    }
    return checks_end();
}
