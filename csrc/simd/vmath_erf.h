/* Error functions and the normal distribution function.
 *
 * erfcx(a) = exp(a²)·erfc(a), a >= 0, is (1 + w·h(q)) / (1 + 2a) with w = 2a/(a + P), q = w − 1 in [−1, 1] and one
 * polynomial h for the whole half-line (P = 4 in float64, 2 in float32). w is relatively exact near 0, and the
 * bracket lies in [1, 1.24], so its rounding is nearly the only one. erfc(x) = exp(−x²)·erfcx(x) with x² and both
 * factors in two words. */

#if REAL_IS_DOUBLE
static const double vm_erf_slope_f64 = 0x1.20dd750429b6dp+0, vm_erf_slope_tail_f64 = 0x1.1ae3a914fed80p-56; /* 2/√π */
static const double vm_sqrt_half_f64 = 0x1.6a09e667f3bcdp-1, vm_sqrt_half_tail_f64 = -0x1.bdd3413b26456p-55;
#else
static const float vm_erf_slope_f32 = 0x1.20dd76p+0f, vm_erf_slope_tail_f32 = -0x1.f7ac92p-25f;
static const float vm_sqrt_half_f32 = 0x1.6a09e6p-1f, vm_sqrt_half_tail_f32 = 0x1.9fcef4p-26f;
#endif

/* erfcx(a + a_tail) = head + tail, 0 <= a <= 1e200 (f32: 1e30). */
ALWAYS_INLINE V FN(vm_erfcx_parts)(V a, V a_tail, V *tail) {
    const V twice = a + a, w = twice / (a + C(REAL_IS_DOUBLE ? 4 : 2)), q = w - C(1);
    const V h = VM_POLY(vm_erfcx_c, q);
    const V product = w * h, top = C(1) + product, top_tail = product - (top - C(1));
    V bottom_tail;
    const V bottom = v_two_sum(C(1), twice, &bottom_tail);
    const V head = top / bottom;
    const V error = v_fnma(head, v_fma(a_tail, C(2), bottom_tail), v_residual(head, bottom, top)) + top_tail;
    /* 1/bottom = head/top, and top is 1.1 within an eighth. */
    *tail = error * (head * C(0.9));
    return head;
}

/* exp(−(h + h_tail)) · (factor + factor_tail) = head + tail, for h >= 0. The product is made 2^LIFT too large: a tail
 * that is subnormal would be rounded itself. */
ALWAYS_INLINE V FN(vm_damped_parts)(V h, V h_tail, V factor, V factor_tail, V *tail) {
    V e_tail, low, rest;
    const V e = FN(vm_exp_neg_lifted_parts)(-h, 1, &e_tail), unlift = C(FN(vm_unlift));
    const V product = v_two_prod(e, factor, &low);
    const V head = v_fast_two_sum(product, low + v_fma(e, factor_tail, v_fnma(e, h_tail, e_tail) * factor), &rest);
    *tail = rest * unlift;
    return head * unlift;
}

/* erfc(a) = head + tail for a >= 0, NaN stays. */
ALWAYS_INLINE V FN(vm_erfc_parts)(V a, V *tail) {
    const V x = v_min(C(REAL_IS_DOUBLE ? 30 : 15), a); /* beyond, it is 0 */
    V h_tail, factor_tail;
    const V h = v_two_prod(x, x, &h_tail);
    const V factor = FN(vm_erfcx_parts)(x, C(0), &factor_tail);
    return FN(vm_damped_parts)(h, h_tail, factor, factor_tail, tail);
}

/* 1 − erf(x), all x. Bound 2 ulp.
 * Worst found (avx2): f64 1.513 at 0x1.814f1e34f558p+4, f32 1.5323 at 0x1.23da0cp+3. */
ALWAYS_INLINE V FN(vm_erfc)(V x) {
    V tail;
    const V head = FN(vm_erfc_parts)(v_abs(x), &tail);
    const V mirrored = C(2) - head, rest = (C(2) - mirrored) - head;
    return v_select(v_lt(x, C(0)), mirrored + (rest - tail), head + tail);
}

/* erf(x), all x; keeps the sign of zero. Bound 1 ulp (2 for subnormal f32 without FMA).
 * Worst found (avx2): f64 0.720 at -0x1.451201043a04p-1, f32 0.9998 at 0x1.8654f2p-125. */
ALWAYS_INLINE V FN(vm_erf)(V x) {
    const V a = v_abs(x), z = x * x;
    V tail, low;
    const V linear = v_two_prod(x, C(FN(vm_erf_slope)), &low);
    const V near = linear + v_fma(x, v_fma(z, VM_POLY(vm_erf_c, z), C(FN(vm_erf_slope_tail))), low);
    const V head = FN(vm_erfc_parts)(a, &tail);
    const V far = C(1) - head, rest = (C(1) - far) - head;
    return v_copysign(v_select(v_lt(a, C(0.625)), near, far + (rest - tail)), x);
}

/* ndtr(−a) = head + tail for a >= 0, given erfcx(a/√2) = factor + factor_tail; NaN stays. */
ALWAYS_INLINE V FN(vm_normal_tail_parts)(V a, V factor, V factor_tail, V *tail) {
    const V x = v_min(C(REAL_IS_DOUBLE ? 40 : 20), a);
    V h_tail;
    const V h = v_two_prod(x, x * C(0.5), &h_tail);
    return FN(vm_damped_parts)(h, h_tail, factor * C(0.5), factor_tail * C(0.5), tail);
}

/* erfcx(a/√2) = head + tail for a >= 0, NaN stays; constant beyond the bound, where a² overflows (and exact products
 * without FMA would). */
ALWAYS_INLINE V FN(vm_mills_parts)(V a, V *tail) {
    const V x = v_min(C(REAL_IS_DOUBLE ? 1e200 : 1e30), a), root = C(FN(vm_sqrt_half));
    const V y = x * root, y_tail = v_fma(x, C(FN(vm_sqrt_half_tail)), -v_residual(x, root, y));
    return FN(vm_erfcx_parts)(y, y_tail, tail);
}

/* P(standard normal <= x), all x. Bound 2 ulp.
 * Worst found (avx2): f64 1.339 at -0x1.af33ad5ff1ad5p+4, f32 1.7077 at -0x1.9afe5ap+3. */
ALWAYS_INLINE V FN(vm_ndtr)(V x) {
    V factor_tail, tail;
    const V a = v_abs(x), factor = FN(vm_mills_parts)(a, &factor_tail);
    const V head = FN(vm_normal_tail_parts)(a, factor, factor_tail, &tail);
    const V above = C(1) - head, rest = (C(1) - above) - head;
    return v_select(v_gt(x, C(0)), above + (rest - tail), head + tail);
}

/* log of it: x < 0: log(erfcx(−x/√2)/2) − x²/2, both negative; otherwise log1p(−ndtr(−x)). Bound 2 ulp.
 * Worst found (avx2): f64 1.479 at -0x1.04053f491dc98p+1, f32 1.7715 at 0x1.8d307p-1. */
ALWAYS_INLINE V FN(vm_log_ndtr)(V x) {
    V factor_tail, q_tail, low, tail;
    const V a = v_abs(x), factor = FN(vm_mills_parts)(a, &factor_tail);
    const V q = FN(vm_normal_tail_parts)(a, factor, factor_tail, &q_tail);
    const V above = v_fast_two_sum(C(1), -q, &low);
    const M below = v_lt(x, C(0));
    const V u = v_select(below, factor * C(0.5), above);
    const V head = FN(vm_log_sum_parts)(u, v_select(below, factor_tail * C(0.5), low - q_tail), &tail);
    const V square = v_zero_unless(below, x * (x * C(-0.5)));
    return v_select(v_unord(x, x), x, (square + head) + tail);
}

/* The inverse of ndtr, all p: −inf at 0, inf at 1, NaN outside. With h = −2·log(2q), q = min(p, 1 − p) exactly, the result
 * is ±d·(1 + P(v)) with d = √(h + 1.125²) − 1.125, which is linear in h near p = 1/2 and like the result far out. P is one
 * polynomial for the whole range, P < 0.42, in v = top − (1 + top)·(pole + 1.125)/(s + pole) in [−1, 1], s = d + 1.125.
 * The logarithm and d have two words, so what is left are the roundings of v, of P·d and of the sum. Bound 2 ulp.
 * Worst found (avx2): f64 1.406 at 0x1.aac52cf107a99p-694, f32 1.7775 at 0x1.3a767cp-44 of all inputs. */
ALWAYS_INLINE V FN(vm_ndtri)(V p) {
    const R shift = (R)1.125, pole = (R)(REAL_IS_DOUBLE ? 4.25 : 1.75), top = (R)(REAL_IS_DOUBLE ? 1.28125 : 1.421875);
    const V q = v_min(p, C(1) - p);
    V k, log_tail, low;
    /* 2q, times a power of two that makes subnormal numbers normal and none infinite */
    const V m = FN(vm_split)(q * C(REAL_IS_DOUBLE ? 0x1p55 : 0x1p26), &k);
    const V log_head = FN(vm_log_parts)(k - C(REAL_IS_DOUBLE ? 54 : 25), m - C(1), C(0), &log_tail);
    const V h = C(-2) * v_fast_two_sum(log_head, log_tail, &low), h_tail = C(-2) * low;

    /* d ≈ h/(s + shift); what is missing from d·(d + 2·shift) = h tells its error. The bracket is `sum` to a rounding, and
     * their difference is exact. */
    const V s = v_sqrt(h + C(shift * shift)), sum = s + C(shift), far = s + C(pole), inverse = C(1) / (sum * far);
    const V ratio = h * inverse, root = inverse * far, d = ratio * far;
    const V missing = v_fnma(d, d - (sum - C(2 * shift)), v_residual(d, sum, h) + h_tail);
    /* 1/(2s) = root/(2 − 2·shift·root), to 2 %. */
    const V d_tail = missing * (root * v_fma(root, v_fma(root, C(1.14 * shift * shift), C(0.40 * shift)), C(0.505)));

    const V rise = VM_POLY(vm_ndtri_c, v_fma(ratio, C(1 + top), C(-1)));
    V x = d + v_fma(d, rise, v_fma(d_tail, rise, d_tail));
    const M inside = v_gt(q, C(0));
    if (__builtin_expect(!m_all(inside), 0)) {
        x = v_select(inside, x, v_select(v_eq(q, C(0)), C(INFINITY), C(NAN)));
    }
    return v_copysign(x, p - C(0.5));
}
