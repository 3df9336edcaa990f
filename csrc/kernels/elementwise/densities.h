/* Log-densities, losses and divergences, element by element. Formulas and bounds: src/loglik/_ufunc_docs.py. */

/* ------------------------------------------------------------------------------------------------ continuous */

ALWAYS_INLINE M is_infinite(V x) { return v_eq(v_abs(x), C(INFINITY)); }

/* (a − b)/divisor without overflow of the difference: halved where it does (rare). */
ALWAYS_INLINE V standardise(V a, V b, V divisor) {
    const V difference = a - b;
    V z = difference / divisor;
    const M overflow = is_infinite(difference);
    if (__builtin_expect(m_any(overflow), 0)) {
        z = v_select(overflow, (a * C(0.5) - b * C(0.5)) / (divisor * C(0.5)), z);
    }
    return z;
}

/* ((x − loc)/scale)²/2. Rounded as it stands, the square has twice the errors of difference and quotient: up to 5 u.
 * Here both leave their remainders, and the square takes them in: about 1 u, with one division (inverse = 1/scale). */
ALWAYS_INLINE V half_squared_deviation(V x, V loc, V scale, V inverse) {
    V difference_low, product_low;
    const V difference = v_two_sum(x, -loc, &difference_low);
    const V z = difference * inverse;
    const V product = v_two_prod(z, scale, &product_low);
    const V remainder = ((difference - product) - product_low) + difference_low;
    V half = C(0.5) * v_fma(z, z, (z + z) * (remainder * inverse));
    /* Where a reciprocal or a remainder would leave the range of normal numbers: plain. */
    const V low = C(REAL_IS_DOUBLE ? 0x1p-900 : 0x1p-100f), high = C(REAL_IS_DOUBLE ? 0x1p900 : 0x1p100f);
    const V largest = C(REAL_IS_DOUBLE ? 0x1p450 : 0x1p50f); /* its square, too, must stay finite */
    const M regular = v_lt(low, scale) & v_lt(scale, high) & v_lt(v_abs(z), largest) & v_lt(v_abs(difference), high);
    if (__builtin_expect(m_any(m_not(regular)), 0)) {
        const V plain = standardise(x, loc, scale);
        half = v_select(regular, half, (C(0.5) * plain) * plain); /* the square may overflow where its half does not */
    }
    return half;
}

/* What depends on the scale alone comes in: inverse = 1/scale and its logarithm. */
ALWAYS_INLINE void normal_log_prob_scaled_map(const V *in, V *out) {
    const V x = in[0], loc = in[1], scale = in[2], inverse = in[3], log_scale = in[4];
    const V value = C(-0.91893853320467274178) - half_squared_deviation(x, loc, scale, inverse) - log_scale;
    out[0] = v_select(v_gt(scale, C(0)), value, C(NAN));
}
ALWAYS_INLINE void normal_log_prob_map(const V *in, V *out) {
    const V all[5] = {in[0], in[1], in[2], C(1) / in[2], vm_log(in[2])};
    normal_log_prob_scaled_map(all, out);
}
LOGLIK_MAP_VECTORS(normal_log_prob_scaled, 5, 1)
LOGLIK_MAP_VECTORS(normal_log_prob, 3, 1)
/* A log-density of (x, loc, scale). One scale for many points: its reciprocal and its logarithm are taken once. Where there is
 * none they are not used, and must not look like a NaN that came in. */
static __attribute__((noinline)) void map_scaled(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps,
                                                 V (*logarithm)(V), map_loop loop, map_loop scaled_loop) {
    if (steps[2] != 0 || dims[0] <= LANES) {
        map(args, dims, steps, 3, 1, loop);
        return;
    }
    const fp_state saved = fp_enter();
    R inverse[LANES] __attribute__((aligned(64))), log_scale[LANES] __attribute__((aligned(64)));
    const V scale = v_set1(*(const R *)args[2]);
    v_store(inverse, v_select(v_gt(scale, C(0)), C(1) / scale, C(0)));
    v_store(log_scale, v_select(v_gt(scale, C(0)), logarithm(scale), C(0)));
    fp_leave(saved, 0);
    char *all[6] = {args[0], args[1], args[2], (char *)inverse, (char *)log_scale, args[3]};
    const ptrdiff_t all_steps[6] = {steps[0], steps[1], 0, 0, 0, steps[3]};
    map(all, dims, all_steps, 5, 1, scaled_loop);
}

static void normal_log_prob_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    map_scaled(args, dims, steps, vm_log, normal_log_prob_vectors, normal_log_prob_scaled_vectors);
}

ALWAYS_INLINE void uniform_log_prob_map(const V *in, V *out) {
    const V x = in[0], low = in[1], high = in[2];
    const V width = high - low;
    V value = -vm_log(width);
    const M overflow = is_infinite(width);
    if (__builtin_expect(m_any(overflow), 0)) {
        const V halves = high * C(0.5) - low * C(0.5);
        value = v_select(overflow, -(vm_log(halves) + C(0.69314718055994530942)), value);
    }
    const M inside = v_le(low, x) & v_le(x, high);
    const M valid = v_lt(low, high) & v_lt(v_abs(low), C(INFINITY)) & v_lt(v_abs(high), C(INFINITY));
    value = v_select(inside, value, C(-INFINITY));
    out[0] = v_select(valid & m_not(v_unord(x, x)), value, C(NAN));
}
LOGLIK_MAP(uniform_log_prob, 3, 1)

ALWAYS_INLINE void gaussian_nll_map(const V *in, V *out) {
    const V target = in[0], mean = in[1], variance = in[2];
    V low;
    const V difference = v_two_sum(target, -mean, &low);
    /* d·(d/2v) rather than d²/2v: d² overflows and underflows long before the quotient does. The rounding error of the
     * difference, which would count twice, is added back. */
    const V ratio = C(0.5) * (difference / variance), plain = difference * ratio;
    V half = v_select(v_lt(v_abs(plain), C(INFINITY)), v_fma(difference, ratio, (low + low) * ratio), plain);
    const M rare = is_infinite(plain);
    if (__builtin_expect(m_any(rare), 0)) { /* the difference overflows, or d/2v for a tiny variance and a difference far below 1 */
        const V d = target * C(0.5) - mean * C(0.5);
        const V apart = d * (d / (variance * C(0.5))), tiny = C(0.5) * difference * difference / variance;
        half = v_select(rare, v_select(is_infinite(difference), apart, tiny), half);
    }
    const V value = v_fma(C(0.5), vm_log(variance), half) + C(0.91893853320467274178);
    out[0] = v_select(v_gt(variance, C(0)), value, C(NAN));
}
LOGLIK_MAP(gaussian_nll, 3, 1)

/* ------------------------------------------------------------------------------------------------- Bernoulli */

ALWAYS_INLINE void bernoulli_log_prob_map(const V *in, V *out) {
    const V x = in[0], logits = in[1];
    const M one = v_eq(x, C(1)), zero = v_eq(x, C(0)), missing = v_unord(x, logits);
    const V value = vm_log_sigmoid(v_select(one, logits, -logits));
    out[0] = v_select(missing, C(NAN), v_select(one | zero, value, C(-INFINITY)));
}
LOGLIK_MAP(bernoulli_log_prob, 2, 1)

/* Weight of |logits| in the loss: the share of the outcome that the sign of the logits speaks against. */
ALWAYS_INLINE V bernoulli_share(V target, V logits) {
    return v_select(v_lt(logits, C(0)), target, C(1) - target);
}

/* share·|logits| with 0·inf = 0: a certain and right prediction costs nothing. */
ALWAYS_INLINE V bernoulli_linear(V share, V magnitude) {
    return v_zero_unless(m_not(v_eq(share, C(0))), share * magnitude);
}

ALWAYS_INLINE M is_probability(V p) { return v_le(C(0), p) & v_le(p, C(1)); }

ALWAYS_INLINE void bernoulli_nll_map(const V *in, V *out) {
    const V target = in[0], logits = in[1], magnitude = v_abs(logits);
    const V linear = bernoulli_linear(bernoulli_share(target, logits), magnitude);
    const V value = linear + vm_softplus(-magnitude);
    out[0] = v_select(is_probability(target) & m_not(v_unord(logits, logits)), value, C(NAN));
}
LOGLIK_MAP(bernoulli_nll, 2, 1)

/* --------------------------------------------------------------------------------------------------- divergences */

/* Here and below no copy for each place of use: a call costs little beside the work, the code much. */
__attribute__((noinline)) static V normal_kl_of(V p_loc, V p_scale, V q_loc, V q_scale) {
    const V z = standardise(p_loc, q_loc, q_scale);
    const V ratio = p_scale / q_scale, delta = (p_scale - q_scale) / q_scale;
    /* Near each other: e = ratio² − 1 from the difference; e − log(1+e) by log1pmx. */
    const V e = delta * (delta + C(2));
    V spread = -vm_log1pmx(e);
    /* Apart: (ratio² − 1) − 2 log ratio loses at most a factor 3 to cancellation. */
    const M apart = v_ge(v_abs(delta), C(0.5));
    V log_ratio = vm_log(ratio);
    const M extreme = v_lt(ratio, C(REAL_IS_DOUBLE ? 0x1p-1000 : 0x1p-120f)) | is_infinite(ratio);
    if (__builtin_expect(m_any(extreme), 0)) {
        log_ratio = v_select(extreme, vm_log(p_scale) - vm_log(q_scale), log_ratio);
    }
    /* Halves of everything: the squares may overflow where half of them does not. */
    spread = v_select(apart, v_fma(C(0.5) * ratio, ratio, C(-0.5)) - log_ratio, C(0.5) * spread);
    const M valid = v_gt(p_scale, C(0)) & v_gt(q_scale, C(0));
    return v_select(valid, v_fma(C(0.5) * z, z, spread), C(NAN));
}

ALWAYS_INLINE void normal_kl_map(const V *in, V *out) { out[0] = normal_kl_of(in[0], in[1], in[2], in[3]); }
LOGLIK_MAP(normal_kl, 4, 1)

/* The rare lanes of the following: a or a/b near the ends of the range (0 and inf included), NaN. */
__attribute__((noinline, cold)) static V relative_entropy_rare(V a, V b, V difference) {
    const V x = difference / a;
    const M apart = v_lt(x, C(-0.75)) | v_not_lt(x, C(2));
    const V ratio = a / b, least = C(REAL_IS_DOUBLE ? 0x1p-1000 : 0x1p-120f);
    const M extreme = v_lt(ratio, least) | is_infinite(ratio);
    const V log_ratio = v_select(extreme, vm_log(a) - vm_log(b), vm_log(ratio));
    const V value = v_select(apart, v_fma(a, log_ratio, difference), C(0) - a * vm_log1pmx(x));
    return v_select(v_eq(a, C(0)), C(0) + b, v_select(v_eq(b, C(0)), C(INFINITY), value));
}

/* a·log(a/b) + (b − a) >= 0 for a, b >= 0 and b = a + difference: the part of one outcome in a divergence. The difference
 * comes from the caller, since that of 1 − p and 1 − q has lost digits to the rounding of both.
 *
 * It is a·(x − log(1 + x)) with x = difference/a, rounded about once; log(1 + x) = x − s·(x − R) as in vmath_log.h. For x in
 * (−1/2, 1) no exponent is taken out, and s·(x − R) is the result. Beyond, x and the logarithm cancel less than two bits, and one
 * of 1 + x, rounded, serves; from x = −3/4 and 2 on that of b/a, since 1 + x would magnify the rounding of x. */
typedef struct {
    V ratio, x, k, f;
} relative_entropy_parts;

ALWAYS_INLINE relative_entropy_parts relative_entropy_split(V a, V b, V difference, V inverse) {
    const V quotient = difference * inverse, ratio = b * inverse;
    const V x = v_fma(v_residual(quotient, a, difference), inverse, quotient);
    const M near = v_lt(C(-0.5), x) & v_lt(x, C(1)), close = v_lt(C(-0.75), x) & v_lt(x, C(2));
    V k;
    const V m = vm_split(v_select(close, C(1) + x, ratio), &k);
    /* f is finite in any case: it enters the division of another term */
    return (relative_entropy_parts){ratio, x, v_zero_if(near, k), v_select(near, x, m - C(1))};
}
ALWAYS_INLINE V relative_entropy_join(V a, relative_entropy_parts parts, V s) {
    const V k = parts.k, f = parts.f, z = s * s;
    const V base = k * C(vm_ln2_hi), head = base + f, rest = f - (head - base);
    const V small = v_fma(k, C(vm_ln2_lo), rest);
    return a * ((parts.x - head) + v_fms(s, v_fnma(z, VM_POLY(vm_log1p_01_c, z), f), small));
}

/* Where a and b/a, of which these are the least and the largest, are far from the ends of the range: so a, b > 0 as well. */
ALWAYS_INLINE M relative_entropy_usual(V least, V largest) {
    return v_lt(C(REAL_IS_DOUBLE ? 0x1p-900 : 0x1p-90f), least) & v_lt(largest, C(REAL_IS_DOUBLE ? 0x1p900 : 0x1p90f));
}

/* The value for any a and b. */
ALWAYS_INLINE V relative_entropy_repaired(V a, V b, V difference, relative_entropy_parts parts, V value) {
    const M usual = relative_entropy_usual(v_min(a, parts.ratio), v_max(a, parts.ratio));
    const M no_a = v_eq(a, C(0)), no_b = v_eq(b, C(0)), handled = usual | no_a | no_b;
    value = v_select(no_a, C(0) + b, v_select(no_b, C(INFINITY), value));
    if (__builtin_expect(m_any(m_not(handled)), 0)) {
        value = v_select(handled, value, relative_entropy_rare(a, b, difference));
    }
    return value;
}

/* Both arguments in [0, inf], one of them finite. */
ALWAYS_INLINE V where_measures(V p, V q, V value) {
    const M measures = v_le(C(0), p) & v_le(C(0), q), one = v_lt(v_min(p, q), C(INFINITY));
    const V bounded = v_select(v_lt(v_max(p, q), C(INFINITY)), value, C(INFINITY));
    return v_select(measures & one, bounded, C(NAN));
}

/* For q = p + difference, exactly enough: log(q/p) = k·log 2 + 2·atanh(s), s the difference of the mantissas over their sum; one
 * division. Between p/2 and 2 p, s is of p and q themselves, k = 0, and difference = s·(p + q) cancels 2·p·s exactly. */
ALWAYS_INLINE V relative_entropy_inline(V p, V q) {
    const V difference = q - p;
    const M near = v_lt(p, q + q) & v_lt(q, p + p);
    V k_p, k_q;
    V m_p = vm_split(p, &k_p), m_q = vm_split(q, &k_q);
    m_p = v_select(near, p, m_p);
    m_q = v_select(near, q, m_q);
    const V s = (m_q - m_p) / (m_q + m_p), z = s * s, w = z * VM_POLY(vm_log1p_01_c, z), k = k_q - k_p;
    const V base = k * C(vm_ln2_hi), twice = s + s, head = base + twice, rest = twice - (head - base);
    const V low = v_fma(s, w, v_fma(k, C(vm_ln2_lo), rest));
    V value = v_fnma(p, low, v_fnma(p, head, difference));
    value = v_select(near, s * v_fnma(p, w, difference), value);
    const V least = C(REAL_IS_DOUBLE ? 0x1p-1022 : 0x1p-126), largest = C(REAL_IS_DOUBLE ? 0x1p1000 : 0x1p110f);
    const M usual = v_le(least, v_min(p, q)) & v_lt(v_max(p, q), largest);
    if (m_any(m_not(usual))) {
        const M no_p = v_eq(p, C(0)), no_q = v_eq(q, C(0)), handled = usual | no_p | no_q;
        value = v_select(no_p, C(0) + q, v_select(no_q, C(INFINITY), value));
        if (__builtin_expect(m_any(m_not(handled)), 0)) {
            value = v_select(handled, value, relative_entropy_rare(p, q, difference));
        }
        value = where_measures(p, q, value);
    }
    return value;
}

__attribute__((noinline)) static V relative_entropy_of(V p, V q) { return relative_entropy_inline(p, q); }

ALWAYS_INLINE void relative_entropy_map(const V *in, V *out) { out[0] = relative_entropy_of(in[0], in[1]); }
LOGLIK_MAP(relative_entropy, 2, 1)

/* Both terms share their divisions. */
__attribute__((noinline)) static V bernoulli_kl_of(V p, V q) {
    const V p0 = C(1) - p, q0 = C(1) - q, difference = q - p, product = p * p0, inverse = C(1) / product;
    V of_p = p0 * inverse, of_p0 = p * inverse;
    const M certain = v_eq(product, C(0));
    if (m_any(certain)) { /* p is 0 or 1; or so small that it is repaired */
        of_p = v_select(certain, C(1), of_p);
        of_p0 = v_select(certain, C(1), of_p0);
    }
    const relative_entropy_parts one = relative_entropy_split(p, q, difference, of_p);
    const relative_entropy_parts zero = relative_entropy_split(p0, q0, -difference, of_p0);
    V s, s0;
    vm_log_quotients(one.f, zero.f, &s, &s0);
    const V at_one = relative_entropy_join(p, one, s), at_zero = relative_entropy_join(p0, zero, s0);
    V value = at_one + at_zero;
    const V least = v_min(v_min(p, one.ratio), v_min(p0, zero.ratio)), largest = v_max(one.ratio, zero.ratio);
    if (m_any(m_not(relative_entropy_usual(least, largest)))) {
        value = relative_entropy_repaired(p, q, difference, one, at_one) +
                relative_entropy_repaired(p0, q0, -difference, zero, at_zero);
        value = v_select(is_probability(p) & is_probability(q), value, C(NAN));
    }
    return value;
}

ALWAYS_INLINE void bernoulli_kl_map(const V *in, V *out) { out[0] = bernoulli_kl_of(in[0], in[1]); }
LOGLIK_MAP(bernoulli_kl, 2, 1)

/* (p·log(p/m) + q·log(q/m))/2 >= 0 with m = (p + q)/2, for p, q >= 0 and q = p + difference. With t = difference/(p + q)
 * it is (p + q)/4·((1 + t)·log(1 + t) + (1 − t)·log(1 − t)), an even function of t: a polynomial times t² up to 1/2, the
 * two logarithms beyond, where they cancel at most two bits. Their ratios share the errors of p + q and of its inverse, which
 * are added back. */
__attribute__((noinline)) static V js_term_of(V p, V q, V difference) {
    const V least = C(REAL_IS_DOUBLE ? 0x1p-900 : 0x1p-90f), most = C(REAL_IS_DOUBLE ? 0x1p900 : 0x1p90f);
    const V up = C(REAL_IS_DOUBLE ? 0x1p600 : 0x1p60f), down = C(REAL_IS_DOUBLE ? 0x1p-600 : 0x1p-60f);
    const M small = v_lt(p, least) & v_lt(q, least), large = v_gt(p, most) | v_gt(q, most);
    const M scaled = small | large;
    V back = C(1);
    if (__builtin_expect(m_any(scaled), 0)) {
        const V factor = v_select(scaled, v_select(large, down, up), C(1));
        back = v_select(scaled, v_select(large, up, down), C(1));
        p = p * factor;
        q = q * factor;
        difference = difference * factor;
    }
    V sum_low;
    const V sum = v_two_sum(p, q, &sum_low), inverse = C(1) / sum, t = difference * inverse, z = t * t;
    V value = (difference * t) * VM_POLY_SCALED(vm_js_c, z, (R)0.25);
    const M apart = v_gt(z, C(0.25));
    if (m_any(apart)) {
        const V error = v_residual(inverse, sum, C(1)) - inverse * sum_low;
        const V nothing = C(0x1p-100); /* of such a ratio, 0 included, the logarithm does not count */
        V log_p, log_q;
        vm_log_two(v_max(C(2) * (p * inverse), nothing), v_max(C(2) * (q * inverse), nothing), &log_p, &log_q);
        value = v_select(apart, C(0.5) * v_fma(sum, error, p * log_p + q * log_q), value);
    }
    value = v_select(v_eq(sum, C(0)), C(0), value);
    return value * back;
}

ALWAYS_INLINE void js_term_map(const V *in, V *out) {
    out[0] = where_measures(in[0], in[1], js_term_of(in[0], in[1], in[1] - in[0]));
}
LOGLIK_MAP(js_term, 2, 1)

/* With p = 2·sigmoid(|x|), q = 2·sigmoid(−|x|), and q − p = −2·tanh(|x|/2) by expm1, so that it is right near 0. */
ALWAYS_INLINE void js_integrand_map(const V *in, V *out) {
    const V x = -v_abs(in[0]), e = vm_exp_neg(x), less = vm_expm1(x), t = less / (C(2) + less), p = C(2) / (C(1) + e);
    out[0] = js_term_of(p, e * p, t + t);
}
LOGLIK_MAP(js_integrand, 1, 1)

ALWAYS_INLINE void bernoulli_js_map(const V *in, V *out) {
    const V p = in[0], q = in[1];
    const V value = js_term_of(p, q, q - p) + js_term_of(C(1) - p, C(1) - q, p - q);
    /* log 2 rounded down */
    const V bounded = v_min(value, C(REAL_IS_DOUBLE ? 0x1.62e42fefa39efp-1 : 0x1.62e42ep-1f));
    out[0] = v_select(is_probability(p) & is_probability(q), bounded, C(NAN));
}
LOGLIK_MAP(bernoulli_js, 2, 1)

/* log(1 + x) with x = (what q has to the left of p and to the right)/(width of p): nothing cancels. */
__attribute__((noinline)) static V uniform_kl_of(V p_low, V p_high, V q_low, V q_high) {
    const V largest = C(REAL_IS_DOUBLE ? 0x1p1000 : 0x1p120f);
    const V factor = v_select(v_gt(v_abs(q_low), largest) | v_gt(v_abs(q_high), largest), C(0.25), C(1));
    const V left = p_low * factor - q_low * factor, right = q_high * factor - p_high * factor;
    const V x = (left + right) / (p_high * factor - p_low * factor);
    V value = vm_log1p(x);
    const M overflow = is_infinite(x);
    if (__builtin_expect(m_any(overflow), 0)) {
        const V q_width = q_high * C(0.25) - q_low * C(0.25);
        const V logs = (vm_log(q_width) - vm_log(p_high - p_low)) + C(1.38629436111989061883);
        value = v_select(overflow, logs, value);
    }
    const M covered = v_le(q_low, p_low) & v_le(p_high, q_high);
    const M ordered = v_lt(p_low, p_high) & v_lt(q_low, q_high);
    const V lowest = v_min(p_low, q_low), highest = v_max(p_high, q_high);
    const M valid = ordered & v_lt(C(-INFINITY), lowest) & v_lt(highest, C(INFINITY));
    return v_select(valid, v_select(covered, value, C(INFINITY)), C(NAN));
}

ALWAYS_INLINE void uniform_kl_map(const V *in, V *out) { out[0] = uniform_kl_of(in[0], in[1], in[2], in[3]); }
LOGLIK_MAP(uniform_kl, 4, 1)
