/* The logistic family, all from e = exp(−|x|) = e_head + e_tail, which cannot overflow. Rounding e alone would cost half
 * an ulp of the results (all of them are e for x far below 0), so its tail is carried through. */

/* log(1 + exp(x)) = max(x, 0) + log1p(e). Bounds: f32 1 ulp, f64 2 ulp: there the tails, which are half of the work,
 * are left out.
 * Worst found (avx2): f64 1.684 at 0x1.4654746dd6f6p-7, f32 0.8451 at -0x1.590f7ep+6. */
ALWAYS_INLINE V FN(vm_softplus)(V x) {
#if REAL_IS_DOUBLE
    return v_max(C(0), x) + FN(vm_log1p_01)(FN(vm_exp_neg)(-v_abs(x)));
#else
    V e_tail, tail;
    const V e = FN(vm_exp_neg_parts)(-v_abs(x), &e_tail);
    const V head = FN(vm_log1p_01_parts)(e, e_tail, &tail);
    const V ramp = v_max(C(0), x);
    const V larger = v_max(ramp, head), smaller = v_min(head, ramp);
    const V sum = larger + smaller;
    /* softplus(x) > x; the maximum also carries inf and NaN through. */
    return v_max(sum + ((smaller - (sum - larger)) + tail), x);
#endif
}

/* −softplus(−x). */
ALWAYS_INLINE V FN(vm_log_sigmoid)(V x) { return -FN(vm_softplus)(-x); }

/* 1/(1 + exp(−x)) = (x < 0 ? e : 1)/(1 + e); one division, then one correction step. Bound 1 ulp.
 * Worst found (avx2): f64 0.744 at -0x1.628031ed59eb4p+9, f32 0.8451 at -0x1.590f7ep+6. */
ALWAYS_INLINE V FN(vm_sigmoid)(V x) {
    V e_tail;
    const V e = FN(vm_exp_neg_parts)(-v_abs(x), &e_tail);
    const V d = e + C(1), d_tail = (e - (d - C(1))) + e_tail;
    const M negative = v_lt(x, C(0));
    const V numerator = v_select(negative, e, C(1)), numerator_tail = v_zero_unless(negative, e_tail);
    const V w = C(1) / d, q = numerator * w;
    const V error = v_fnma(q, d_tail, v_residual(q, d, numerator)) + numerator_tail;
    return v_fma(error, w, q);
}
