/* Probabilities of sums of n equal dice with s sides.
 *
 * Design
 *  - The generating function f(x) = ((1 − x^s)/(1 − x))^n satisfies
 *        (1 − x)(1 − x^s) f' = n f·((1 − x^s) − s·x^(s−1)·(1 − x)),
 *    so its coefficients obey a recurrence with four terms for every s:
 *        (k+1) c[k+1] = (n+k) c[k] − (ns+s−1−k) c[k+1−s] + (ns−n+s−k) c[k−s].
 *    It runs from the lowest sum to the mode; the other half is its mirror image.
 *  - In plain doubles it loses about n units in the last place (7e-12 at 20000d6). So every coefficient carries
 *    its error as a second double (sums and products are split exactly): what is left is of order n·u².
 *    The leading part is the plain recurrence, about 12 cycles from one coefficient to the next.
 *  - Probabilities below 2^−900 need a power of two: coefficients are kept within 2^±300, and each overrun
 *    starts a new segment 2^600 higher. A term from the segment before is scaled; older ones are below
 *    2^−300 of the result and count as zero.
 *  - Operations are split exactly with and without FMA: the same bits at every level. */
#if REAL_IS_DOUBLE

static const double DICE_TOP = 0x1p300, DICE_RESCALE = 0x1p-600;
enum { DICE_SEGMENT_BITS = 600, DICE_UNSCALED_BITS = 900 };

/* value·2^exponent. */
typedef struct {
    double_pair value;
    int64_t exponent;
} scaled_pair;

/* hi into [1, 2), lo as small as it can be. */
ALWAYS_INLINE scaled_pair scaled_pair_normalise(scaled_pair x) {
    const double hi = x.value.hi + x.value.lo, lo = x.value.lo - (hi - x.value.hi);
    int64_t bits;
    memcpy(&bits, &hi, sizeof bits);
    const int64_t shift = (bits >> 52) - 1023;
    const double factor = power_of_two(-shift);
    return (scaled_pair){{hi * factor, lo * factor}, x.exponent + shift};
}

ALWAYS_INLINE scaled_pair scaled_pair_product(scaled_pair x, scaled_pair y) {
    const double_pair p = exact_product(x.value.hi, y.value.hi);
    const double low = p.lo + (x.value.hi * y.value.lo + x.value.lo * y.value.hi);
    return scaled_pair_normalise((scaled_pair){{p.hi, low}, x.exponent + y.exponent});
}

/* s^−n: the relative error is a few n·u². */
static scaled_pair inverse_power(int64_t s, int64_t n) {
    scaled_pair base = scaled_pair_normalise((scaled_pair){{(double)s, 0.0}, 0});
    scaled_pair power = {{1.0, 0.0}, 0};
    for (int64_t m = n; m > 0; m >>= 1) {
        if (m & 1) {
            power = scaled_pair_product(power, base);
        }
        base = scaled_pair_product(base, base);
    }
    const double hi = 1.0 / power.value.hi;
    const double_pair back = exact_product(hi, power.value.hi);
    const double lo = ((1.0 - back.hi) - back.lo - hi * power.value.lo) * hi;
    return scaled_pair_normalise((scaled_pair){{hi, lo}, -power.exponent});
}

static ptrdiff_t dice_segments(int64_t n, int64_t s) {
    int bits = 1;
    while (bits < 62 && ((int64_t)1 << bits) < s) {
        bits++;
    }
    return (ptrdiff_t)(n * bits / DICE_SEGMENT_BITS + 3);
}

/* What a term from `behind` segments ago is multiplied with. */
ALWAYS_INLINE double dice_factor(ptrdiff_t behind) {
    return behind == 0 ? 1.0 : behind == 1 ? DICE_RESCALE : 0.0;
}

static ptrdiff_t dice_pmf(int64_t n, int64_t s, double *out, ptrdiff_t count, loglik_dice_segment *segments) {
    const fp_state saved = fp_enter();
    const ptrdiff_t half = (count + 1) / 2;
    double *const hi = out, *const lo = out + half; /* lo of the last coefficient has no place and needs none */
    const scaled_pair lowest = inverse_power(s, n);
    const int scaled = lowest.exponent < -DICE_UNSCALED_BITS;
    const double start = power_of_two(scaled ? -300 : lowest.exponent);

    double_pair c = {lowest.value.hi * start, lowest.value.lo * start};
    ptrdiff_t current = 0, segment_a = 0, segment_b = 0; /* segments of c[k], c[k+1−s], c[k−s] */
    segments[0] = (loglik_dice_segment){0, scaled ? lowest.exponent + 300 : 0};
    ptrdiff_t k = 0;
    while (k + 1 < half) {
        hi[k] = c.hi;
        lo[k] = c.lo;
        const ptrdiff_t a = k + 1 - s, b = k - s;
        ptrdiff_t stop = half - 1;
        if (a < 0) { /* Only one term: c[k+1] = c[k]·(n+k)/(k+1). */
            stop = s - 1 < stop ? s - 1 : stop;
            while (k < stop && c.hi < DICE_TOP) {
                const double next = (double)(k + 1);
                const double_pair none = {0.0, 0.0};
                c = pair_sum_divided(pair_times(c, (double)(n + k)), none, none, next, 1.0 / next);
                k++;
                hi[k] = c.hi;
                if (k + 1 < half) {
                    lo[k] = c.lo;
                }
            }
        } else {
            while (segment_a < current && segments[segment_a + 1].start <= a) {
                segment_a++;
            }
            while (segment_b < current && segments[segment_b + 1].start <= b) {
                segment_b++;
            }
            if (segment_a < current && segments[segment_a + 1].start + s - 1 < stop) {
                stop = segments[segment_a + 1].start + s - 1;
            }
            if (segment_b < current && segments[segment_b + 1].start + s < stop) {
                stop = segments[segment_b + 1].start + s;
            }
            if (b < 0) {
                stop = k + 1; /* c[−1] = 0: one step with the factor zero, on some coefficient */
            }
            const double factor_a = dice_factor(current - segment_a);
            const double factor_b = b < 0 ? 0.0 : dice_factor(current - segment_b);
            const ptrdiff_t back = b < 0 ? a : b;
            const double *const hi_a = hi + a, *const lo_a = lo + a, *const hi_b = hi + back, *const lo_b = lo + back;
            const ptrdiff_t steps = stop - k;
            const double from_c = (double)(n + k), from_a = (double)(n * s + s - 1 - k);
            const double from_b = (double)(n * s - n + s - k), from_k = (double)(k + 1);
            for (ptrdiff_t i = 0; i < steps && c.hi < DICE_TOP; i++) {
                const double step = (double)i, next = from_k + step;
                const double_pair value_a = {hi_a[i] * factor_a, lo_a[i] * factor_a};
                const double_pair value_b = {hi_b[i] * factor_b, lo_b[i] * factor_b};
                c = pair_sum_divided(pair_times(c, from_c + step), pair_times(value_a, step - from_a),
                                     pair_times(value_b, from_b - step), next, 1.0 / next);
                k++;
                hi[k] = c.hi;
                if (k + 1 < half) {
                    lo[k] = c.lo;
                }
            }
        }
        if (c.hi >= DICE_TOP && k + 1 < half) {
            c = (double_pair){c.hi * DICE_RESCALE, c.lo * DICE_RESCALE};
            current++;
            segments[current] = (loglik_dice_segment){k, segments[current - 1].exponent + DICE_SEGMENT_BITS};
        }
    }
    for (ptrdiff_t i = 0; i < half - 1; i++) {
        hi[i] += lo[i];
    }
    hi[half - 1] = c.hi + c.lo;
    fp_leave(saved, 0);
    return current + 1;
}

ALWAYS_INLINE void dice_mirror(double *out, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count / 2; i++) {
        out[count - 1 - i] = out[i];
    }
}

/* End of segment j in the lower half. */
ALWAYS_INLINE ptrdiff_t dice_segment_end(const loglik_dice_segment *segments, ptrdiff_t n_segments, ptrdiff_t j,
                                         ptrdiff_t count) {
    return j + 1 < n_segments ? (ptrdiff_t)segments[j + 1].start : (count + 1) / 2;
}

static void dice_probs(double *out, ptrdiff_t count, const loglik_dice_segment *segments, ptrdiff_t n_segments) {
    const fp_state saved = fp_enter();
    for (ptrdiff_t j = 0; j < n_segments; j++) {
        const int64_t e = segments[j].exponent;
        if (e != 0) {
            /* Two factors, so that only the second product rounds (a mantissa is above 2^−301). */
            const int64_t bounded = e < -1400 ? -1400 : e;
            const int64_t first = bounded < -700 ? -700 : bounded, second = bounded - first;
            const double f = power_of_two(first), g = power_of_two(second);
            const ptrdiff_t end = dice_segment_end(segments, n_segments, j, count);
            for (ptrdiff_t i = segments[j].start; i < end; i++) {
                out[i] = out[i] * f * g;
            }
        }
    }
    dice_mirror(out, count);
    fp_leave(saved, 0);
}

static void dice_scaled(double *out, int64_t *exponents, ptrdiff_t count, const loglik_dice_segment *segments,
                        ptrdiff_t n_segments) {
    for (ptrdiff_t j = 0; j < n_segments; j++) {
        const ptrdiff_t end = dice_segment_end(segments, n_segments, j, count);
        for (ptrdiff_t i = segments[j].start; i < end; i++) {
            exponents[i] = exponents[count - 1 - i] = segments[j].exponent;
        }
    }
    dice_mirror(out, count);
}

#endif
