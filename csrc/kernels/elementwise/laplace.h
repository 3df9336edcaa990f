/* Laplace: log-density and divergence. Formulas and bounds: src/loglik/_ufunc_docs.py. */

/* What depends on the scale alone comes in: inverse = 1/scale and log(2·scale). */
ALWAYS_INLINE void laplace_log_prob_scaled_map(const V *in, V *out) {
    const V x = in[0], loc = in[1], scale = in[2], inverse = in[3], log_width = in[4];
    const V difference = x - loc;
    V z = difference * inverse;
    /* Where the difference overflows, and where the reciprocal is not a normal number: by division. */
    const V low = C(REAL_IS_DOUBLE ? 0x1p-1000 : 0x1p-120f), high = C(REAL_IS_DOUBLE ? 0x1p1000 : 0x1p120f);
    const M regular = v_lt(low, scale) & v_lt(scale, high) & v_lt(v_abs(difference), C(INFINITY));
    if (__builtin_expect(m_any(m_not(regular)), 0)) {
        z = v_select(regular, z, standardise(x, loc, scale));
    }
    out[0] = v_select(v_gt(scale, C(0)), v_neg_abs(z) - log_width, C(NAN));
}

/* log(2·scale) for positive scales. */
ALWAYS_INLINE V laplace_log_width(V scale) {
    const V width = scale + scale, value = vm_log(width);
    return v_select(is_infinite(width), vm_log(scale) + C(0.69314718055994530942), value);
}

ALWAYS_INLINE void laplace_log_prob_map(const V *in, V *out) {
    const V all[5] = {in[0], in[1], in[2], C(1) / in[2], laplace_log_width(in[2])};
    laplace_log_prob_scaled_map(all, out);
}
LOGLIK_MAP_VECTORS(laplace_log_prob_scaled, 5, 1)
LOGLIK_MAP_VECTORS(laplace_log_prob, 3, 1)
static void laplace_log_prob_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    map_scaled(args, dims, steps, laplace_log_width, laplace_log_prob_vectors, laplace_log_prob_scaled_vectors);
}

/* With r = p_scale/q_scale and d = |p_loc − q_loc|/p_scale, two terms that are not negative:
 * ((r − 1) − log r) + r·(exp(−d) − 1 + d). */
__attribute__((noinline)) static V laplace_kl_of(V p_loc, V p_scale, V q_loc, V q_scale) {
    const V ratio = p_scale / q_scale, excess = (p_scale - q_scale) / q_scale;
    const V shift = v_abs(standardise(p_loc, q_loc, q_scale)), d = v_abs(standardise(p_loc, q_loc, p_scale));
    const M apart = v_ge(v_abs(excess), C(0.5));
    V log_ratio = vm_log(ratio);
    const M extreme = v_lt(ratio, C(REAL_IS_DOUBLE ? 0x1p-1000 : 0x1p-120f)) | is_infinite(ratio);
    if (__builtin_expect(m_any(extreme), 0)) {
        log_ratio = v_select(extreme, vm_log(p_scale) - vm_log(q_scale), log_ratio);
    }
    const V spread = v_select(apart, excess - log_ratio, -vm_log1pmx(excess));
    V less;
    const V near = ratio * vm_expm1mx(-d, &less);
    /* Beyond d = 2 little cancels; r·d, of which one factor may be out of range, is |p_loc − q_loc|/q_scale. */
    const V far = v_fma(ratio, less, shift);
    const M valid = v_gt(p_scale, C(0)) & v_gt(q_scale, C(0));
    /* Where the ratio overflows, so does the divergence, whatever 0·inf and inf − inf would say. */
    const V moved = v_select(is_infinite(ratio), ratio + shift, v_select(v_lt(d, C(2)), near, far));
    return v_select(valid, spread + moved, C(NAN));
}

ALWAYS_INLINE void laplace_kl_map(const V *in, V *out) { out[0] = laplace_kl_of(in[0], in[1], in[2], in[3]); }
LOGLIK_MAP(laplace_kl, 4, 1)
