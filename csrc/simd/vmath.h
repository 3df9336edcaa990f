/* Vector mathematics for the current element type.
 *
 * Each function states its algorithm, its bound in ulp of the exact result, the worst input that we measured and
 * where it was looked for; tests/test_elementwise.py enforces the bounds at every level, csrc/tools/ulp.c finds
 * the worst inputs. "ulp" is the distance of the neighbours in the binade of the exact result (in the subnormal
 * range the least positive number), so 0.5 is a correctly rounded result. Coefficients are written by
 * csrc/tools/vmath_coefficients.py.
 *
 * Conventions: V f(V); suffix _parts returns head and tail, |tail| <= ulp(head)/2, which together are good to some
 * ten bits more than the type. Branch-free, but for the rare lanes of logarithms (not a positive normal number),
 * which a separate function repairs. Every lane depends on its own input only. */
#ifndef LOGLIK_VMATH_ONCE
#define LOGLIK_VMATH_ONCE
#include "vmath_coefficients.h"

#define VM_COUNT(coefficients) ((int)(sizeof(coefficients) / sizeof *(coefficients)))
/* The polynomial with the coefficients of that name at x. */
#define VM_POLY(name, x) FN(vm_poly)(x, FN(name), VM_COUNT(FN(name)), 1)
/* VM_POLY with all coefficients times a power of two. */
#define VM_POLY_SCALED(name, x, scale) FN(vm_poly)(x, FN(name), VM_COUNT(FN(name)), scale)

#endif

/* Horner's scheme over every second (up to 12 terms) or fourth coefficient: two or four independent chains. */
ALWAYS_INLINE V FN(vm_poly)(V x, const R *c, const int n, const R scale) {
    const int chains = n <= 3 ? 1 : n <= 12 ? 2 : 4;
    const V x2 = x * x, step = chains == 1 ? x : chains == 2 ? x2 : x2 * x2;
    V p[4];
    UNROLLED
    for (int k = 0; k < 4; k++) {
        p[k] = C(0);
    }
    UNROLLED
    for (int i = n - 1; i >= 0; i--) {
        const int k = i % chains;
        p[k] = i + chains >= n ? C(c[i] * scale) : v_fma(p[k], step, C(c[i] * scale));
    }
    return chains == 1 ? p[0] : chains == 2 ? v_fma(p[1], x, p[0])
                              : v_fma(v_fma(p[3], x, p[2]), x2, v_fma(p[1], x, p[0]));
}

#include "vmath_exp.h"
#include "vmath_log.h"
#include "vmath_logistic.h"
#include "vmath_trig.h"
#include "vmath_erf.h"
