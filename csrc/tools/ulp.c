/* Worst errors of the elementwise ufuncs of one level, in ulp of the exact result.
 *
 *   gcc -O3 -ffp-contract=off -mavx2 -mfma -DLOGLIK_LEVEL=avx2 -Icsrc -Icsrc/include \
 *       csrc/tools/ulp.c csrc/kernels_f64.c csrc/kernels_f32.c -o ulp -lquadmath -lm
 *   ./ulp f32 [name...]   all 2^32 float32 inputs against the C library's float64 functions
 *   ./ulp f64 [name...]   random float64 inputs of four kinds against libquadmath
 *
 * Environment: ULP_STRIDE=n takes every n-th float32 input, ULP_FIRST and ULP_END (hexadecimal bits) a range of them; ULP_COUNT=n (200000) float64 inputs of each kind. It prints
 * the worst error, its input, what was got and what is right. Other levels: the flags in CMakeLists.txt. */
#include <quadmath.h>
#include <stdio.h>
#include <stdlib.h>

#include <math.h>
#include <string.h>

#include "../dispatch.h"
#include "../level.h"

extern const loglik_kernels LOGLIK_TABLE;

typedef struct {
    const char *name;
    size_t offset; /* of the loop */
    int output, outputs;
    double (*reference32)(double);
    __float128 (*reference64)(__float128);
    double low, high; /* where the function is neither 0, its limit, nor NaN */
} entry;

static double ref_log1pmx(double x) {
    if (isinf(x) && x > 0) {
        return -x; /* not inf - inf */
    }
    if (fabs(x) > 1e-3) {
        return (double)(log1pl(x) - (long double)x);
    }
    return x * x * (-0.5 + x * (1 / 3.0 + x * (-0.25 + x * (0.2 + x * (-1 / 6.0 + x / 7)))));
}
static double ref_softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
static double ref_log_sigmoid(double x) { return -ref_softplus(-x); }
static double ref_sigmoid(double x) { return x > 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)); }
static double quarter_turn(double u, int quarter) { /* sin(2π(u + quarter/4)) */
    const double n = rint(4 * u), angle = 6.28318530717958647692528676655900577L * (u - n / 4);
    quarter = (quarter + (int)fmod(n, 4)) & 3;
    return (quarter & 2 ? -1 : 1) * (quarter & 1 ? cos(angle) : sin(angle));
}
static double ref_sin(double u) { return quarter_turn(u, 0); }
static double ref_cos(double u) { return quarter_turn(u, 1); }
static double ref_ndtr(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }
static double ref_log_ndtr(double x) {
    if (x > -5) {
        return x > 0 ? log1p(-0.5 * erfc(x * M_SQRT1_2)) : log(0.5 * erfc(-x * M_SQRT1_2));
    }
    double t = 0, z = 1 / (x * x); /* continued fraction of Mills' ratio, backwards */
    for (int k = 200; k > 0; k--) {
        t = k * z / (1 + t);
    }
    return -0.5 * x * x - log(-x * (1 + t) * 2.50662827463100050242);
}
/* Newton's method for erf(x/√2) = 2p − 1, or for log erfc(|x|/√2) = log 2q, q = min(p, 1 − p), away from p = 1/2. */
#define NDTRI(name, F, abs, sqrt, exp, log, erf, erfc, eps)                                                 \
    static F name(F p) {                                                                                    \
        const F root = sqrt((F)0.5), slope = 2 * sqrt(root * root / (F)M_PIq);                           \
        const F centred = p - 0.5, q = p < 0.5 ? p : 1 - p;                                                 \
        if (!(q > 0)) {                                                                                     \
            return q == 0 ? copysign(INFINITY, (double)centred) : NAN;                                      \
        }                                                                                                   \
        const int near = abs(centred) < 0.2;                                                                \
        F x = near ? abs(centred) * 2.5 : sqrt(1 - 2 * log(2 * q)) - 0.5, step = x;                         \
        for (int i = 0; i < 50 && abs(step) > eps * x; i++) {                                               \
            const F density = slope * exp(-x * x / 2), tail = erfc(x * root);                               \
            step = near ? (2 * abs(centred) - erf(x * root)) / density : log(tail / 2 / q) * tail / density; \
            x += step;                                                                                      \
        }                                                                                                   \
        return centred < 0 ? -x : x;                                                                        \
    }
NDTRI(ref_ndtri, double, fabs, sqrt, exp, log, erf, erfc, 1e-15)
NDTRI(q_ndtri, __float128, fabsq, sqrtq, expq, logq, erfq, erfcq, 1e-31Q)

static __float128 q_log1pmx(__float128 x) {
    if (isinfq(x) && x > 0) {
        return -x;
    }
    if (fabsq(x) > 0.01Q) {
        return log1pq(x) - x;
    }
    __float128 sum = 0, power = -x;
    for (int k = 2; k < 40; k++) {
        power *= -x;
        sum -= power / k;
    }
    return sum;
}
static __float128 q_softplus(__float128 x) { return x > 0 ? x + log1pq(expq(-x)) : log1pq(expq(x)); }
static __float128 q_log_sigmoid(__float128 x) { return -q_softplus(-x); }
static __float128 q_sigmoid(__float128 x) { return x > 0 ? 1 / (1 + expq(-x)) : expq(x) / (1 + expq(x)); }
static __float128 q_sin(__float128 u) { return sinq(2 * M_PIq * (u - rintq(u))); }
static __float128 q_cos(__float128 u) { return cosq(2 * M_PIq * (u - rintq(u))); }
static __float128 q_ndtr(__float128 x) { return erfcq(-x * M_SQRT1_2q) / 2; }
static __float128 q_log_ndtr(__float128 x) {
    if (x > -60) {
        return x > 0 ? log1pq(-erfcq(x * M_SQRT1_2q) / 2) : logq(erfcq(-x * M_SQRT1_2q) / 2);
    }
    const __float128 z = 1 / (x * x);
    __float128 t = 0;
    for (int k = 60; k > 0; k--) {
        t = k * z / (1 + t);
    }
    return -x * x / 2 - logq(-x * (1 + t) * sqrtq(2 * M_PIq));
}

#define ROW(name, low, high) {#name, offsetof(loglik_f64_kernels, name), 0, 1, name, name##q, low, high}
#define OWN(name, low, high) {#name, offsetof(loglik_f64_kernels, name), 0, 1, ref_##name, q_##name, low, high}
static const entry entries[] = {
    ROW(exp, -746, 710), ROW(expm1, -40, 710), ROW(log, 0, 1e308), ROW(log1p, -1, 1e308),
    OWN(log1pmx, -1, 1e308), OWN(softplus, -746, 800), OWN(sigmoid, -746, 40), OWN(log_sigmoid, -800, 746),
    {"sin_2pi", offsetof(loglik_f64_kernels, sincos_2pi), 0, 2, ref_sin, q_sin, -2, 2},
    {"cos_2pi", offsetof(loglik_f64_kernels, sincos_2pi), 1, 2, ref_cos, q_cos, -2, 2},
    ROW(erf, -6, 6), ROW(erfc, -6, 27.3), OWN(ndtr, -38.6, 9), OWN(log_ndtr, -1e10, 38.6),
    OWN(ndtri, 0, 1),
};

enum { BLOCK = 4096 };

static void call(const entry *e, int type, size_t size, void *x, void *y, void *unused, ptrdiff_t n) {
    char *args[] = {x, e->output == 0 ? y : unused, e->output == 0 ? unused : y};
    const ptrdiff_t steps[] = {(ptrdiff_t)size, (ptrdiff_t)size, (ptrdiff_t)size};
    loglik_loop_at(&LOGLIK_TABLE, e->offset, type)(args, &n, steps, NULL);
}

/* One ulp of float32 at x: the spacing in its binade, at least 2^-149. */
static inline double ulp32(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= 0x7ff0000000000000;
    const uint64_t least = (uint64_t)(1023 - 126) << 52;
    bits = (bits < least ? least : bits) - ((uint64_t)23 << 52);
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double error32(float got, double exact, float x) {
    if (isnan(exact) || isnan(got)) {
        return isnan(exact) && isnan(got) ? 0 : INFINITY;
    }
    if (got == (float)exact) {
        return isinf(exact) || isinf(got) ? 0 : fabs(got - exact) / ulp32(exact);
    }
    return fabs((isinf(got) && !isinf(x) ? copysign(0x1p128, got) : got) - exact) / ulp32(exact);
}

/* Our float64 loop screens all inputs; what may be the worst, and every 64th input, the C library decides. */
static void check_f32(const entry *e) {
    static float x[BLOCK], y[BLOCK], unused[BLOCK];
    static double wide[BLOCK], screen[BLOCK], unused_wide[BLOCK];
    double worst = 0;
    float worst_x = 0, worst_y = 0;
    uint64_t mistakes = 0, checked = 0;
    const uint64_t stride = getenv("ULP_STRIDE") ? strtoull(getenv("ULP_STRIDE"), NULL, 10) : 1;
    const uint64_t first = getenv("ULP_FIRST") ? strtoull(getenv("ULP_FIRST"), NULL, 16) : 0;
    const uint64_t end = getenv("ULP_END") ? strtoull(getenv("ULP_END"), NULL, 16) : (uint64_t)1 << 32;
    for (uint64_t start = first; start < end; start += BLOCK * stride) {
        for (int i = 0; i < BLOCK; i++) {
            const uint32_t bits = (uint32_t)(start + i * stride);
            memcpy(&x[i], &bits, sizeof bits);
            wide[i] = x[i];
        }
        call(e, LOGLIK_F32, sizeof(float), x, y, unused, BLOCK);
        call(e, LOGLIK_F64, sizeof(double), wide, screen, unused_wide, BLOCK);
        for (int i = 0; i < BLOCK; i++) {
            const double guess = fabs(y[i] - screen[i]);
            const int fine = guess <= 0.99 * worst * ulp32(screen[i]) || y[i] == screen[i]
                             || (isnan(y[i]) && isnan(screen[i]));
            if (fine && i % 64) {
                continue;
            }
            const double exact = e->reference32(x[i]), error = error32(y[i], exact, x[i]);
            checked++;
            mistakes += !(error <= 4);
            if (!(error <= worst)) {
                worst = error;
                worst_x = x[i];
                worst_y = y[i];
            }
        }
    }
    printf("%-12s f32  %.4f ulp at %a  got %a  want %.9a  (%llu decided by the C library, %llu beyond 4 ulp)\n", e->name,
           worst, worst_x, worst_y, e->reference32(worst_x), (unsigned long long)checked, (unsigned long long)mistakes);
    fflush(stdout);
}

static uint64_t random_state = 88172645463325252u;
static uint64_t random64(void) { /* xorshift64* */
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545f4914f6cdd1du;
}

static void check_f64(const entry *e) {
    static double x[BLOCK], y[BLOCK], unused[BLOCK];
    const char *kinds[] = {"any bits", "uniform", "moderate", "small"};
    const long count = getenv("ULP_COUNT") ? atol(getenv("ULP_COUNT")) : 200000;
    for (int kind = 0; kind < 4; kind++) {
        double worst = 0, worst_x = 0, worst_y = 0;
        for (long done = 0; done < count; done += BLOCK) {
            for (int i = 0; i < BLOCK;) {
                const uint64_t bits = random64();
                const double u = (double)(bits >> 11) * 0x1p-53;
                memcpy(&x[i], &bits, sizeof bits);
                if (kind == 1) {
                    x[i] = e->low + (fmin(e->high, 1e3) - e->low) * u;
                } else if (kind == 2) {
                    x[i] = fmax(e->low, -4) + 8 * u;
                } else if (kind == 3) {
                    x[i] = copysign(exp2(-12 * u), (int64_t)(bits << 60));
                }
                i += x[i] >= e->low && x[i] <= e->high;
            }
            call(e, LOGLIK_F64, sizeof(double), x, y, unused, BLOCK);
            for (int i = 0; i < BLOCK; i++) {
                const __float128 exact = e->reference64(x[i]);
                const double nearest = (double)exact;
                const double size = fabs(nearest) < 0x1p-1022 ? 0x1p-1074 : ldexp(1.0, ilogb(nearest) - 52);
                const double error = y[i] == nearest ? (double)fabsq(y[i] - exact) / size
                                     : isinf(y[i]) || isinf(nearest) ? 99
                                                                    : (double)(fabsq(y[i] - exact) / size);
                if (!(error <= worst) && !(isinf(y[i]) && y[i] == nearest)) {
                    worst = error;
                    worst_x = x[i];
                    worst_y = y[i];
                }
            }
        }
        char want[64];
        quadmath_snprintf(want, sizeof want, "%.18Qa", e->reference64(worst_x));
        printf("%-12s f64 %-9s %.3f ulp at %a  got %a  want %s\n", e->name, kinds[kind], worst, worst_x, worst_y, want);
        fflush(stdout);
    }
}

int main(int argc, char **argv) {
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        int wanted = argc <= 2;
        for (int a = 2; a < argc; a++) {
            wanted |= strcmp(argv[a], entries[i].name) == 0;
        }
        if (argc >= 2 && wanted) {
            (strcmp(argv[1], "f32") == 0 ? check_f32 : check_f64)(&entries[i]);
        }
    }
    return 0;
}
