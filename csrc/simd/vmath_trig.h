/* Sine and cosine of angles in turns: the reduction is exact, since the turn is a power of two. */

/* sin(2πr), cos(2πr) for |r| <= 1/8. Bound 2 ulp.
 * Sine: worst found (avx2): f64 1.083 at 0x1.bfbf9cbd6f45p-1, f32 1.0962 at 0x1.0274cep-3. Cosine: f64 1.078 at
 * -0x1.837bd36ecad3p-2, f32 1.0962 at 0x1.fb1664p-4. */
ALWAYS_INLINE void FN(vm_sincos_eighth)(V r, V *sine, V *cosine) {
    const V tau = C(0x1.921fb54442d18p+2), z = r * r;
    const V tau_tail = C(REAL_IS_DOUBLE ? 0x1.1a62633145c07p-52 : -0x1.777a5cp-23);
    V tail;
    const V head = v_two_prod(r, tau, &tail);
    *sine = head + v_fma(r, v_fma(z, VM_POLY(vm_sin_c, z), tau_tail), tail);
    *cosine = v_fma(z, VM_POLY(vm_cos_c, z), C(1));
}

/* sin(2πu), cos(2πu) for any u; NaN for infinities. u = n/4 + r exactly. */
ALWAYS_INLINE void FN(vm_sincos_2pi)(V u, V *sine, V *cosine) {
    /* Above 2^MANTISSA every number is whole: its angle is 0 (and inf − inf is NaN). */
    const V fraction = v_select(v_lt(v_abs(u), C(REAL_IS_DOUBLE ? 0x1p52 : 0x1p23)), u, u - u);
    /* Whole multiples of 1024 first, so that the second rounding is in the range of the magic number. */
    const V coarse = v_fnma(v_round(fraction * C(0x1p-10)), C(0x1p10), fraction);
    const V magic = C(FN(vm_magic)), shifted = v_fma(coarse, C(4), magic);
    const V r = v_fnma(shifted - magic, C(0.25), coarse);
    V s, c;
    FN(vm_sincos_eighth)(r, &s, &c);
    const VI n = v_bits(shifted);
    const M even = vi_eq(n & 1, CI(0));
    const int sign = 8 * sizeof(R) - 2;
    /* Quarter n of (sin, cos): (s, c), (c, −s), (−s, −c), (−c, s). */
    *sine = v_flip_sign(v_select(even, s, c), v_from_bits(n << sign));
    *cosine = v_flip_sign(v_select(even, c, s), v_from_bits((n + 1) << sign));
}

/* sin and cos of a uniformly random angle from one random word per element: the top bits (52 or 23) place the angle in
 * ±1/8 turn, bit 1 swaps sine and cosine, bit 0 turns by half a turn. */
ALWAYS_INLINE void FN(vm_sincos_bits)(VI bits, V *sine, V *cosine) {
    const int spare = 8 * sizeof(R) - FN(VM_MANTISSA);
    /* 1.xxx − 1.5 in [−1/2, 1/2), moved to the middle of its step so that ±angles are equally many. */
    const V unit = v_from_bits(vi_shr(bits, spare) | v_bits(C(1)));
    const V r = v_fma(unit - C(1.5), C(0.25), C(REAL_IS_DOUBLE ? 0x1p-55 : 0x1p-26));
    V s, c;
    FN(vm_sincos_eighth)(r, &s, &c);
    const M swap = m_not(vi_eq(bits & 2, CI(0)));
    const V half_turn = v_from_bits(bits << (8 * sizeof(R) - 1));
    *sine = v_flip_sign(v_select(swap, c, s), half_turn);
    *cosine = v_flip_sign(v_select(swap, s, c), half_turn);
}
