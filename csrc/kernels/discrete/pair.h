/* Arithmetic on pairs of doubles: scalar, exact products and sums, the same bits with and without FMA. */
#if REAL_IS_DOUBLE

typedef struct {
    double hi, lo; /* the value is hi + lo; lo is small, but not always below half a unit of hi */
} double_pair;

/* 2^e for −1022 <= e <= 1023. */
ALWAYS_INLINE double power_of_two(int64_t e) {
    const int64_t bits = (e + 1023) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* hi + lo == a·b exactly. */
ALWAYS_INLINE double_pair exact_product(double a, double b) {
    const double p = a * b;
#if LOGLIK_HAVE_FMA
    return (double_pair){p, __builtin_fma(a, b, -p)};
#else
    const double split = 134217729.0, ta = split * a, tb = split * b; /* Veltkamp, Dekker */
    const double ah = ta - (ta - a), al = a - ah, bh = tb - (tb - b), bl = b - bh;
    return (double_pair){p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
#endif
}

/* hi + lo == a + b exactly. */
ALWAYS_INLINE double_pair exact_sum(double a, double b) {
    const double s = a + b, t = s - a;
    return (double_pair){s, (a - (s - t)) + (b - t)};
}

ALWAYS_INLINE double_pair pair_times(double_pair x, double a) {
    const double_pair p = exact_product(x.hi, a);
    return (double_pair){p.hi, p.lo + x.lo * a};
}

/* (x + y + z) / divisor; `inverse` is 1/divisor rounded. */
ALWAYS_INLINE double_pair pair_sum_divided(double_pair x, double_pair y, double_pair z, double divisor, double inverse) {
    const double_pair yz = exact_sum(y.hi, z.hi), sum = exact_sum(x.hi, yz.hi);
    const double low = ((y.lo + z.lo) + yz.lo) + (x.lo + sum.lo);
    const double quotient = sum.hi * inverse;
    const double_pair back = exact_product(quotient, divisor);
    return (double_pair){quotient, (((sum.hi - back.hi) - back.lo) + low) * inverse};
}

#endif
