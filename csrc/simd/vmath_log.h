/* Logarithms. x = 2^k · m with m in [1/√2, √2); f = m − 1; s = f/(2 + f);
 * log(1 + f) = 2·atanh(s) = f − s·(f − R), R = s²·p(s²) with a polynomial p (the identity 2s = f − s·f).
 * k·ln2_hi is exact and its sum with f is kept exactly, so k·log 2 + log(1 + f) is rounded about once. */

/* Positive normal x = 2^k · m, m in [1/√2, √2). */
ALWAYS_INLINE V FN(vm_split)(V x, V *k) {
#if REAL_IS_DOUBLE
    const VI offset = CI(0x3ff0000000000000 - 0x3fe6a09e667f3bcd), low = CI(0x3fe6a09e667f3bcd);
    const VI i = (VI)((VU)v_bits(x) + (VU)offset); /* wraps for NaN and negative x, whose lanes are replaced */
    /* The biased exponent, placed in the low bits of 2^52, converts without a conversion instruction. */
    *k = v_from_bits(vi_shr(i, 52) | CI(0x4330000000000000)) - C(0x1p52 + 1023);
    return v_from_bits((i & CI(0x000fffffffffffff)) + low);
#else
    const VI offset = CI(0x3f800000 - 0x3f3504f3), low = CI(0x3f3504f3);
    const VI i = (VI)((VU)v_bits(x) + (VU)offset); /* wraps for NaN and negative x, whose lanes are replaced */
    *k = v_from_int(vi_shr(i, 23) - 127);
    return v_from_bits((i & CI(0x007fffff)) + low);
#endif
}

/* Lanes that are not positive, normal and finite. */
ALWAYS_INLINE M FN(vm_log_special)(V x) {
    const M usual = v_ge(x, C(REAL_IS_DOUBLE ? 0x1p-1022 : 0x1p-126)) & v_lt(x, C(INFINITY));
    return m_not(usual);
}

/* log(2^k · (1 + f)) + f_tail/(1 + f) = head + tail; s = f/(2 + f) comes in. */
ALWAYS_INLINE V FN(vm_log_parts_from)(V k, V f, V f_tail, V s, V *tail) {
    const V z = s * s;
    const V base = k * C(FN(vm_ln2_hi)), head = base + f, rest = f - (head - base);
    const V small = v_fma(k, C(FN(vm_ln2_lo)), rest) + f_tail;
    *tail = v_fnma(s, v_fnma(z, VM_POLY(vm_log_c, z), f), small);
    return head;
}

ALWAYS_INLINE V FN(vm_log_parts)(V k, V f, V f_tail, V *tail) {
    return FN(vm_log_parts_from)(k, f, f_tail, f / (f + C(2)), tail);
}

/* s of two logarithms by one division: two units of error instead of half a one. */
ALWAYS_INLINE void FN(vm_log_quotients)(V f0, V f1, V *s0, V *s1) {
    const V d0 = f0 + C(2), d1 = f1 + C(2), inverse = C(1) / (d0 * d1);
    *s0 = f0 * (d1 * inverse);
    *s1 = f1 * (d0 * inverse);
}

/* log(x) of positive normal finite x: what hot loops with known arguments call. Bound as vm_log. */
ALWAYS_INLINE V FN(vm_log_normal)(V x) {
    V k, tail;
    const V m = FN(vm_split)(x, &k);
    const V head = FN(vm_log_parts)(k, m - C(1), C(0), &tail);
    return head + tail;
}

/* The rare lanes: subnormal, ±0, negative, inf, NaN. */
__attribute__((noinline, cold)) static V FN(vm_log_rare)(V x) {
    const R up = REAL_IS_DOUBLE ? 0x1p54 : 0x1p25;
    const M subnormal = v_lt(x, C(REAL_IS_DOUBLE ? 0x1p-1022 : 0x1p-126));
    V k, tail;
    const V m = FN(vm_split)(v_select(subnormal, x * C(up), x), &k);
    k = k - v_zero_unless(subnormal, C(REAL_IS_DOUBLE ? 54 : 25));
    const V head = FN(vm_log_parts)(k, m - C(1), C(0), &tail);
    const V positive = v_select(v_lt(x, C(INFINITY)), head + tail, x); /* inf and NaN stay */
    const V edge = v_select(v_eq(x, C(0)), C(-INFINITY), C(NAN));
    return v_select(v_le(x, C(0)), edge, positive);
}

/* log(x), all x: log(±0) = −inf, NaN for x < 0. Bound 1 ulp.
 * Worst found (avx2): f64 0.755 at 0x1.66de4bb8ff032p-1, f32 0.9108 at 0x1.45bf22p+0 of all inputs. */
ALWAYS_INLINE V FN(vm_log)(V x) {
    V y = FN(vm_log_normal)(x);
    if (__builtin_expect(m_any(FN(vm_log_special)(x)), 0)) {
        y = FN(vm_log_rare)(x);
    }
    return y;
}

/* log(x) and log(y), both positive, normal and finite. About 1.3 ulp (estimate). */
ALWAYS_INLINE void FN(vm_log_two)(V x, V y, V *log_x, V *log_y) {
    V kx, ky, sx, sy, tail_x, tail_y;
    const V fx = FN(vm_split)(x, &kx) - C(1), fy = FN(vm_split)(y, &ky) - C(1);
    FN(vm_log_quotients)(fx, fy, &sx, &sy);
    const V head_x = FN(vm_log_parts_from)(kx, fx, C(0), sx, &tail_x);
    const V head_y = FN(vm_log_parts_from)(ky, fy, C(0), sy, &tail_y);
    *log_x = head_x + tail_x;
    *log_y = head_y + tail_y;
}

/* log(u + low) = head + tail, u positive, normal and finite, |low| <= ulp(u)/2: both are scaled by 2^-k. */
ALWAYS_INLINE V FN(vm_log_sum_parts)(V u, V low, V *tail) {
    V k;
    const V m = FN(vm_split)(u, &k);
    /* m/u = 2^-k exactly: the difference of the bits is the difference of the exponents. */
    /* (2^-1024, 2^-128 come out as -inf; there 1 is nothing.) */
    const V scale = v_max(C(0), v_from_bits((VI)((VU)v_bits(C(1)) + ((VU)v_bits(m) - (VU)v_bits(u)))));
    const V f_head = m - C(1), f_low = low * scale;
    const V f = f_head + f_low, f_tail = f_low - (f - f_head);
    /* 1/(1 + f) to a few percent is enough for the tail. */
    return FN(vm_log_parts)(k, f, v_fnma(f_tail, v_fnma(f, f * C(0.75), f), f_tail), tail);
}

/* log(1 + x) = head + tail for finite x > −1. */
ALWAYS_INLINE V FN(vm_log1p_parts)(V x, V *tail) {
    V low;
    const V u = v_two_sum(C(1), x, &low);
    return FN(vm_log_sum_parts)(u, low, tail);
}

/* The rare lanes: x = −1, x < −1, inf, NaN. */
__attribute__((noinline, cold)) static V FN(vm_log1p_rare)(V x) {
    V tail;
    const V head = FN(vm_log1p_parts)(x, &tail);
    const V above = v_select(v_lt(x, C(INFINITY)), v_copysign(head + tail, x), x);
    return v_select(v_le(x, C(-1)), v_select(v_eq(x, C(-1)), C(-INFINITY), C(NAN)), above);
}

/* log(1 + x), all x: −inf at −1, NaN below; keeps the sign of zero. Bound 1 ulp.
 * Worst found (avx2): f64 0.801 at -0x1.2fe12673eb391p-2, f32 0.9108 at 0x1.16fc88p-2 of all inputs. */
ALWAYS_INLINE V FN(vm_log1p)(V x) {
    V tail;
    const V head = FN(vm_log1p_parts)(x, &tail);
    V y = v_copysign(head + tail, x);
    const M usual = v_gt(x, C(-1)) & v_lt(x, C(INFINITY));
    if (__builtin_expect(m_any(m_not(usual)), 0)) {
        y = FN(vm_log1p_rare)(x);
    }
    return y;
}

/* log(1 + t) of t in [0, 1] (NaN stays), without exponents: s = t/(2 + t) <= 1/3. About 1.2 ulp (estimate). */
ALWAYS_INLINE V FN(vm_log1p_01)(V t) {
    const V s = t / (t + C(2)), z = s * s;
    return v_fnma(s, v_fnma(z, VM_POLY(vm_log1p_01_c, z), t), t);
}

/* log(1 + t + t_tail) = head + tail, t in [0, 1] and t_tail within its rounding: head = 2s; the error of s enters
 * the tail by 2·atanh(s + δ) = 2·atanh(s) + (t − s·(2 + t))/(1 + s). */
ALWAYS_INLINE V FN(vm_log1p_01_parts)(V t, V t_tail, V *tail) {
    const V d = t + C(2), d_tail = t - (d - C(2)), s = t / d, z = s * s;
    const V error = v_fnma(s, d_tail, v_residual(s, d, t)) + v_fnma(s, t_tail, t_tail);
    *tail = v_fma(s * z, VM_POLY(vm_log1p_01_c, z), v_fnma(error, s * C(0.8), error)); /* 1/(1+s) ≈ 1 − 0.8·s */
    return s + s;
}

/* log(1 + x) − x, all x: −inf at −1 and inf, NaN below −1. Where no exponent is taken out, head = x and the tail alone is
 * the result; elsewhere head − x is exact or large. Bound 4 ulp.
 * Worst found (avx2): f64 2.779 at -0x1.33f41bc5347bap-2, f32 3.0901 at -0x1.2d8dccp-2. */
ALWAYS_INLINE V FN(vm_log1pmx)(V x) {
    V tail;
    const V head = FN(vm_log1p_parts)(x, &tail), y = (head - x) + tail;
    const V edge = v_select(v_lt(x, C(-1)), C(NAN), v_select(v_unord(x, x), x, C(-INFINITY)));
    return v_select(v_gt(x, C(-1)) & v_lt(x, C(INFINITY)), y, edge);
}
