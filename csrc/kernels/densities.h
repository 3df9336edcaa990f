/* Log-densities, losses and divergences, element by element. Formulas and bounds: densities_list.h. */

/* ------------------------------------------------------------------------------------------------ continuous */

ALWAYS_INLINE M FN(is_infinite)(V x) { return v_eq(v_abs(x), C(INFINITY)); }

/* (a − b)/divisor without overflow of the difference: halved where it does (rare). */
ALWAYS_INLINE V FN(standardise)(V a, V b, V divisor) {
    const V difference = a - b;
    V z = difference / divisor;
    const M overflow = FN(is_infinite)(difference);
    if (__builtin_expect(m_any(overflow), 0)) {
        z = v_select(overflow, (a * C(0.5) - b * C(0.5)) / (divisor * C(0.5)), z);
    }
    return z;
}

/* ((x − loc)/scale)²/2. Rounded as it stands, the square has twice the errors of difference and quotient: up to 5 u.
 * Here both leave their remainders, and the square takes them in: about 1 u, with one division (inverse = 1/scale). */
ALWAYS_INLINE V FN(half_squared_deviation)(V x, V loc, V scale, V inverse) {
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
        const V plain = FN(standardise)(x, loc, scale);
        half = v_select(regular, half, (C(0.5) * plain) * plain); /* the square may overflow where its half does not */
    }
    return half;
}

/* What depends on the scale alone comes in: inverse = 1/scale and its logarithm. */
ALWAYS_INLINE void FN(normal_log_prob_scaled_map)(const V *in, V *out) {
    const V x = in[0], loc = in[1], scale = in[2], inverse = in[3], log_scale = in[4];
    const V value = C(-0.91893853320467274178) - FN(half_squared_deviation)(x, loc, scale, inverse) - log_scale;
    out[0] = v_select(v_gt(scale, C(0)), value, C(NAN));
}
ALWAYS_INLINE void FN(normal_log_prob_map)(const V *in, V *out) {
    const V all[5] = {in[0], in[1], in[2], C(1) / in[2], FN(vm_log)(in[2])};
    FN(normal_log_prob_scaled_map)(all, out);
}
static void FN(normal_log_prob)(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    if (steps[2] != 0 || dims[0] <= LANES) {
        FN(map)(args, dims, steps, 3, 1, FN(normal_log_prob_map));
        return;
    }
    /* One scale for all: its logarithm once. Where there is none it is not used, and must not look like a NaN that came in. */
    const fp_state saved = fp_enter();
    R inverse[LANES] __attribute__((aligned(64))), log_scale[LANES] __attribute__((aligned(64)));
    const V scale = v_set1(*(const R *)args[2]);
    v_store(inverse, v_select(v_gt(scale, C(0)), C(1) / scale, C(0)));
    v_store(log_scale, v_select(v_gt(scale, C(0)), FN(vm_log)(scale), C(0)));
    fp_leave(saved, 0);
    char *all[6] = {args[0], args[1], args[2], (char *)inverse, (char *)log_scale, args[3]};
    const ptrdiff_t all_steps[6] = {steps[0], steps[1], 0, 0, 0, steps[3]};
    FN(map)(all, dims, all_steps, 5, 1, FN(normal_log_prob_scaled_map));
}

ALWAYS_INLINE void FN(uniform_log_prob_map)(const V *in, V *out) {
    const V x = in[0], low = in[1], high = in[2];
    const V width = high - low;
    V value = -FN(vm_log)(width);
    const M overflow = FN(is_infinite)(width);
    if (__builtin_expect(m_any(overflow), 0)) {
        const V halves = high * C(0.5) - low * C(0.5);
        value = v_select(overflow, -(FN(vm_log)(halves) + C(0.69314718055994530942)), value);
    }
    const M inside = v_le(low, x) & v_le(x, high);
    const M valid = v_lt(low, high) & v_lt(v_abs(low), C(INFINITY)) & v_lt(v_abs(high), C(INFINITY));
    value = v_select(inside, value, C(-INFINITY));
    out[0] = v_select(valid & m_not(v_unord(x, x)), value, C(NAN));
}
LOGLIK_MAP(uniform_log_prob, 3, 1)

ALWAYS_INLINE void FN(gaussian_nll_map)(const V *in, V *out) {
    const V target = in[0], mean = in[1], variance = in[2];
    V low;
    const V difference = v_two_sum(target, -mean, &low);
    /* d·(d/2v) rather than d²/2v: d² overflows and underflows long before the quotient does. The rounding error of the
     * difference, which would count twice, is added back. */
    const V ratio = C(0.5) * (difference / variance), plain = difference * ratio;
    V half = v_select(v_lt(v_abs(plain), C(INFINITY)), v_fma(difference, ratio, (low + low) * ratio), plain);
    const M overflow = FN(is_infinite)(difference);
    if (__builtin_expect(m_any(overflow), 0)) {
        const V d = target * C(0.5) - mean * C(0.5);
        half = v_select(overflow, d * (d / (variance * C(0.5))), half);
    }
    const V value = v_fma(C(0.5), FN(vm_log)(variance), half) + C(0.91893853320467274178);
    out[0] = v_select(v_gt(variance, C(0)), value, C(NAN));
}
LOGLIK_MAP(gaussian_nll, 3, 1)

/* ------------------------------------------------------------------------------------------------- Bernoulli */

ALWAYS_INLINE void FN(bernoulli_log_prob_map)(const V *in, V *out) {
    const V x = in[0], logits = in[1];
    const M one = v_eq(x, C(1)), zero = v_eq(x, C(0)), missing = v_unord(x, logits);
    const V value = FN(vm_log_sigmoid)(v_select(one, logits, -logits));
    out[0] = v_select(missing, C(NAN), v_select(one | zero, value, C(-INFINITY)));
}
LOGLIK_MAP(bernoulli_log_prob, 2, 1)

/* Weight of |logits| in the loss: the share of the outcome that the sign of the logits speaks against. */
ALWAYS_INLINE V FN(bernoulli_share)(V target, V logits) {
    return v_select(v_lt(logits, C(0)), target, C(1) - target);
}

/* share·|logits| with 0·inf = 0: a certain and right prediction costs nothing. */
ALWAYS_INLINE V FN(bernoulli_linear)(V share, V magnitude) {
    return v_zero_unless(m_not(v_eq(share, C(0))), share * magnitude);
}

ALWAYS_INLINE M FN(is_probability)(V p) { return v_le(C(0), p) & v_le(p, C(1)); }

ALWAYS_INLINE void FN(bernoulli_nll_map)(const V *in, V *out) {
    const V target = in[0], logits = in[1], magnitude = v_abs(logits);
    const V linear = FN(bernoulli_linear)(FN(bernoulli_share)(target, logits), magnitude);
    const V value = linear + FN(vm_softplus)(-magnitude);
    out[0] = v_select(FN(is_probability)(target) & m_not(v_unord(logits, logits)), value, C(NAN));
}
LOGLIK_MAP(bernoulli_nll, 2, 1)

/* --------------------------------------------------------------------------------------------------- divergences */

ALWAYS_INLINE void FN(normal_kl_map)(const V *in, V *out) {
    const V p_loc = in[0], p_scale = in[1], q_loc = in[2], q_scale = in[3];
    const V z = FN(standardise)(p_loc, q_loc, q_scale);
    const V ratio = p_scale / q_scale, delta = (p_scale - q_scale) / q_scale;
    /* Near each other: e = ratio² − 1 from the difference; e − log(1+e) by log1pmx. */
    const V e = delta * (delta + C(2));
    V spread = -FN(vm_log1pmx)(e);
    /* Apart: (ratio² − 1) − 2 log ratio loses at most a factor 3 to cancellation. */
    const M apart = v_ge(v_abs(delta), C(0.5));
    V log_ratio = FN(vm_log)(ratio);
    const M extreme = v_lt(ratio, C(REAL_IS_DOUBLE ? 0x1p-1000 : 0x1p-120f)) | FN(is_infinite)(ratio);
    if (__builtin_expect(m_any(extreme), 0)) {
        log_ratio = v_select(extreme, FN(vm_log)(p_scale) - FN(vm_log)(q_scale), log_ratio);
    }
    spread = v_select(apart, v_fma(ratio, ratio, C(-1)) - C(2) * log_ratio, spread);
    const M valid = v_gt(p_scale, C(0)) & v_gt(q_scale, C(0));
    out[0] = v_select(valid, C(0.5) * v_fma(z, z, spread), C(NAN));
}
LOGLIK_MAP(normal_kl, 4, 1)

/* a·log(a/b) + (b − a) >= 0 for a and b = a + difference in [0, 1]: the part of one outcome. The difference comes
 * from the caller, since that of 1 − p and 1 − q has lost digits to the rounding of both. */
ALWAYS_INLINE V FN(relative_entropy_term)(V a, V b, V difference) {
    const V x = difference / a;
    const V near = C(0) - a * FN(vm_log1pmx)(x);
    /* Apart, the two parts do not cancel, and log1p(x) would magnify the rounding of x near −1. */
    const M apart = v_lt(x, C(-0.75)) | v_ge(x, C(2));
    const V ratio = a / b;
    V log_ratio = FN(vm_log)(ratio);
    const M extreme = v_lt(ratio, C(REAL_IS_DOUBLE ? 0x1p-1000 : 0x1p-120f)) | FN(is_infinite)(ratio);
    if (__builtin_expect(m_any(extreme), 0)) {
        log_ratio = v_select(extreme, FN(vm_log)(a) - FN(vm_log)(b), log_ratio);
    }
    const V value = v_select(apart, v_fma(a, log_ratio, difference), near);
    return v_select(v_eq(a, C(0)), b, value);
}

ALWAYS_INLINE void FN(bernoulli_kl_map)(const V *in, V *out) {
    const V p = in[0], q = in[1];
    const V value = FN(relative_entropy_term)(p, q, q - p) + FN(relative_entropy_term)(C(1) - p, C(1) - q, p - q);
    out[0] = v_select(FN(is_probability)(p) & FN(is_probability)(q), value, C(NAN));
}
LOGLIK_MAP(bernoulli_kl, 2, 1)
