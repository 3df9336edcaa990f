/* Spot checks of elementwise kernels against the C library in long double (80 or 128 bits).
 *
 * The bounds in force, with mpmath as the judge and every kernel, are those of tests/registry.py; these here catch a
 * miscompiled or emulated level where no Python runs. */
#include <math.h>

#include "check.h"

static long double softplus(long double x) { return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x)); }
static long double sigmoid(long double x) { return 1 / (1 + expl(-x)); }
static long double log_sigmoid(long double x) { return -softplus(-x); }

static const struct {
    const char *name;
    long double (*exact)(long double);
    double low, high, ulp; /* domain, bound in units in the last place */
} CASES[] = {
    {"exp", expl, -760, 720, 1.0},         {"expm1", expm1l, -60, 720, 2.0},
    {"log", logl, 0, 1e3, 1.0},            {"log1p", log1pl, -1, 1e3, 2.0},
    {"softplus", softplus, -760, 760, 2.0}, {"sigmoid", sigmoid, -760, 760, 2.0},
    {"log_sigmoid", log_sigmoid, -760, 760, 2.0},
};

/* |got − exact| in units in the last place of exact, rounded to a type with `digits` bits and smallest exponent `low`. */
static double error_in_ulp(double got, long double exact, int digits, int low) {
    if (isnan(exact) || isnan(got)) {
        return isnan(exact) && isnan(got) ? 0 : INFINITY;
    }
    if (isinf(got) || isinf(exact)) {
        const long double largest = ldexpl(1 - ldexpl(1, -digits), digits == 53 ? 1024 : 128);
        return (isinf(got) && fabsl(exact) >= largest && (got > 0) == (exact > 0)) ? 0 : INFINITY;
    }
    int exponent;
    frexpl(exact, &exponent);
    const int unit = (exact == 0 || exponent < low ? low : exponent) - digits;
    return (double)fabsl(ldexpl((long double)got - exact, -unit));
}

int main(void) {
    enum { N = 20000 };
    static double x64[N], y64[N];
    static float x32[N], y32[N];
    for (size_t c = 0; c < sizeof CASES / sizeof *CASES; c++) {
        for (int i = 0; i < loglik_ufunc_count; i++) {
            if (strcmp(loglik_ufunc_infos[i].name, CASES[c].name) != 0) {
                continue;
            }
            for (int k = 0; k < N; k++) {
                const double u = 0.5 + 0.5 * random_signed(), wide = CASES[c].low + u * (CASES[c].high - CASES[c].low);
                x64[k] = k % 3 == 0 && CASES[c].low < 0 ? ldexp(random_signed(), -(int)(random_bits() % 60)) : wide;
                x64[k] = x64[k] > CASES[c].low ? x64[k] : CASES[c].high;
                x32[k] = (float)x64[k];
            }
            for (const loglik_kernels *const *level = loglik_levels; *level; level++) {
                if (!loglik_level_available(*level)) {
                    continue;
                }
                const size_t offset = loglik_ufunc_infos[i].offset;
                const ptrdiff_t n = N, steps64[2] = {8, 8}, steps32[2] = {4, 4};
                loglik_loop_at(*level, offset, LOGLIK_F64)((char *[]){(char *)x64, (char *)y64}, &n, steps64, NULL);
                loglik_loop_at(*level, offset, LOGLIK_F32)((char *[]){(char *)x32, (char *)y32}, &n, steps32, NULL);
                double worst64 = 0, worst32 = 0, at64 = 0, at32 = 0;
                for (int k = 0; k < N; k++) {
                    const double e64 = error_in_ulp(y64[k], CASES[c].exact(x64[k]), 53, -1021);
                    const double e32 = error_in_ulp(y32[k], CASES[c].exact(x32[k]), 24, -125);
                    worst64 = e64 > worst64 ? at64 = x64[k], e64 : worst64;
                    worst32 = e32 > worst32 ? at32 = x32[k], e32 : worst32;
                }
                printf("%-12s %-9s float64 %.3f ulp at %a, float32 %.3f ulp at %a\n", CASES[c].name, (*level)->name,
                       worst64, at64, worst32, at32);
                check(worst64 <= CASES[c].ulp, "%s %s float64: %g ulp at %a", (*level)->name, CASES[c].name, worst64, at64);
                check(worst32 <= CASES[c].ulp, "%s %s float32: %g ulp at %a", (*level)->name, CASES[c].name, worst32, at32);
            }
        }
    }
    return checks_end();
}
