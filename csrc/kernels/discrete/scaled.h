/* Scaled numbers m·2^e: probabilities far below the range of doubles, with full relative accuracy. */
#if REAL_IS_DOUBLE

#define EXPONENT_BIAS 1023
#define MANTISSA_BITS ((int64_t)0x000fffffffffffff)
#define ONE_BITS ((int64_t)0x3ff0000000000000)

ALWAYS_INLINE vi64 vi_max_f64(vi64 a, vi64 b) {
    const vi64 greater = (vi64)(a > b);
    return (a & greater) | (b & ~greater);
}

/* 2^d for d <= 0; 0 where it is below the normal numbers. */
ALWAYS_INLINE vf64 scaled_factor(vi64 d) { return v_from_bits(vi_max_f64(d + EXPONENT_BIAS, (vi64){0}) << 52); }

/* The parts of a positive normal number or zero. */
ALWAYS_INLINE vf64 scaled_parts(vf64 x, vi64 *exponent) {
    const vi64 bits = v_bits(x), zero = (vi64)(bits == 0);
    *exponent = ((vi_shr(bits, 52) - EXPONENT_BIAS) & ~zero) | (zero & LOGLIK_SCALED_ZERO);
    return v_from_bits(((bits & MANTISSA_BITS) | ONE_BITS) & ~zero);
}

ALWAYS_INLINE vi64 vi_load_f64(const int64_t *p) { return (vi64) * (const vi64_unaligned *)p; }
ALWAYS_INLINE void vi_store_f64(int64_t *p, vi64 i) { *(vi64_unaligned *)p = (vi64_unaligned)i; }

ALWAYS_INLINE void scaled_add_vector(double *m, int64_t *e, const double *terms, int64_t shift) {
    vi64 term_exponent;
    const vf64 term = scaled_parts(v_load(terms), &term_exponent);
    const vi64 old_exponent = vi_load_f64(e);
    term_exponent += shift; /* that of a zero stays far below all others */
    const vi64 exponent = vi_max_f64(old_exponent, term_exponent);
    v_store(m, v_load(m) * scaled_factor(old_exponent - exponent) + term * scaled_factor(term_exponent - exponent));
    vi_store_f64(e, exponent);
}

static void scaled_add(double *m, int64_t *e, const double *terms, int64_t shift, ptrdiff_t n) {
    const fp_state saved = fp_enter();
    const ptrdiff_t whole = n / LANES * LANES, rest = n - whole;
    for (ptrdiff_t i = 0; i < whole; i += LANES) {
        scaled_add_vector(m + i, e + i, terms + i, shift);
    }
    if (rest) {
        double last_m[LANES] = {0}, last_terms[LANES] = {0};
        int64_t last_e[LANES] = {0};
        memcpy(last_m, m + whole, (size_t)rest * sizeof *m);
        memcpy(last_e, e + whole, (size_t)rest * sizeof *e);
        memcpy(last_terms, terms + whole, (size_t)rest * sizeof *terms);
        scaled_add_vector(last_m, last_e, last_terms, shift);
        memcpy(m + whole, last_m, (size_t)rest * sizeof *m);
        memcpy(e + whole, last_e, (size_t)rest * sizeof *e);
    }
    fp_leave(saved, 0);
}

static void scaled_normalise(double *m, int64_t *e, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        int64_t bits;
        memcpy(&bits, m + i, sizeof bits);
        const int64_t normal = bits == 0 ? 0 : (bits & MANTISSA_BITS) | ONE_BITS;
        e[i] = bits == 0 ? 0 : e[i] + (bits >> 52) - EXPONENT_BIAS;
        memcpy(m + i, &normal, sizeof normal);
    }
}

static void scaled_values(const double *m, const int64_t *e, double *out, ptrdiff_t n) {
    const fp_state saved = fp_enter();
    for (ptrdiff_t i = 0; i < n; i++) {
        /* Two factors, so that only the second product rounds. */
        const int64_t bounded = e[i] < -1100 ? -1100 : e[i], half = bounded / 2;
        const int64_t first = (half + EXPONENT_BIAS) << 52, second = (bounded - half + EXPONENT_BIAS) << 52;
        double f, g;
        memcpy(&f, &first, sizeof f);
        memcpy(&g, &second, sizeof g);
        out[i] = m[i] * f * g;
    }
    fp_leave(saved, 0);
}

static void scaled_cumulative(const double *m, const int64_t *e, double *out_m, int64_t *out_e, ptrdiff_t n) {
    const fp_state saved = fp_enter();
    double sum = 0.0, low = 0.0; /* sum + low, times 2^exponent */
    int64_t exponent = LOGLIK_SCALED_ZERO;
    for (ptrdiff_t i = 0; i < n; i++) {
        double term = m[i];
        if (e) {
            if (term > 0.0 && e[i] > exponent) {
                const int64_t d = exponent - e[i];
                const double factor = d < -1000 ? 0.0 : power_of_two(d);
                sum *= factor;
                low *= factor;
                exponent = e[i];
            }
            const int64_t d = e[i] - exponent;
            term = term > 0.0 && d >= -1000 ? term * power_of_two(d) : 0.0;
        }
        const double_pair next = exact_sum(sum, term);
        sum = next.hi;
        low += next.lo;
        out_m[i] = sum + low;
        if (e) {
            out_e[i] = exponent;
        }
    }
    fp_leave(saved, 0);
}

#undef EXPONENT_BIAS
#undef MANTISSA_BITS
#undef ONE_BITS
#endif
