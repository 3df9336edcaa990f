/* Vector mathematics for the current element type. */

/* 2^n · x for integral n, |n| <= 2100 (f64), 280 (f32), rounded once: two factors, neither overflows or underflows
 * before the product does. */
ALWAYS_INLINE V FN(vm_scale)(V x, VI n) {
#if REAL_IS_DOUBLE
    const VI half = n >> 1, rest = n - half;
    return x * v_from_bits((half + 1023) << 52) * v_from_bits((rest + 1023) << 52);
#else
    const VI half = n >> 1, rest = n - half;
    return x * v_from_bits((half + 127) << 23) * v_from_bits((rest + 127) << 23);
#endif
}

/* exp(x) = 2^n · exp(r), n = round(x / log 2), |r| <= log(2)/2; Taylor polynomial of exp(r). */
ALWAYS_INLINE V FN(vm_exp)(V x) {
#if REAL_IS_DOUBLE
    const V log2e = C(1.4426950408889634), ln2_hi = C(0x1.62e42fefa3800p-1), ln2_lo = C(0x1.ef35793c76730p-45);
    /* Beyond these bounds the result is 0 or inf all the same; NaN goes through (it is the second operand). */
    const V clamped = v_max(C(-750.0), v_min(C(710.0), x));
    const V n = v_round(clamped * log2e);
    const V r = v_fnma(n, ln2_lo, v_fnma(n, ln2_hi, clamped));
    V p = C(1.0 / 6227020800.0);
    p = v_fma(p, r, C(1.0 / 479001600.0));
    p = v_fma(p, r, C(1.0 / 39916800.0));
    p = v_fma(p, r, C(1.0 / 3628800.0));
    p = v_fma(p, r, C(1.0 / 362880.0));
    p = v_fma(p, r, C(1.0 / 40320.0));
    p = v_fma(p, r, C(1.0 / 5040.0));
    p = v_fma(p, r, C(1.0 / 720.0));
    p = v_fma(p, r, C(1.0 / 120.0));
    p = v_fma(p, r, C(1.0 / 24.0));
    p = v_fma(p, r, C(1.0 / 6.0));
    p = v_fma(p, r, C(0.5));
#else
    const V log2e = C(1.4426950408889634), ln2_hi = C(0x1.62e400p-1f), ln2_lo = C(0x1.7f7d1cp-20f);
    const V clamped = v_max(C(-110.0), v_min(C(90.0), x));
    const V n = v_round(clamped * log2e);
    const V r = v_fnma(n, ln2_lo, v_fnma(n, ln2_hi, clamped));
    V p = C(1.0 / 5040.0);
    p = v_fma(p, r, C(1.0 / 720.0));
    p = v_fma(p, r, C(1.0 / 120.0));
    p = v_fma(p, r, C(1.0 / 24.0));
    p = v_fma(p, r, C(1.0 / 6.0));
    p = v_fma(p, r, C(0.5));
#endif
    p = C(1.0) + v_fma(p, r * r, r);
    return FN(vm_scale)(p, v_to_int(n));
}
