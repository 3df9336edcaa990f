/* Exponentials. x = n·log 2 + r with n = round(x / log 2), so |r| <= log(2)/2, and exp(x) = 2^n · exp(r) with
 * exp(r) = 1 + r·(1 + r·q(r)), q a polynomial. n·ln2_hi is exact, so r has one rounding, whose error the functions
 * with a tail carry along. Rounding to n by adding a magic number leaves n + bias in the low bits, whence 2^n. */

#if REAL_IS_DOUBLE
enum { VM_MANTISSA_f64 = 52, VM_BIAS_f64 = 1023, VM_LIFT_f64 = 64 };
static const double vm_log2e_f64 = 0x1.71547652b82fep+0, vm_ln2_hi_f64 = 0x1.62e42fefa3800p-1,
                    vm_ln2_lo_f64 = 0x1.ef35793c76730p-45, vm_magic_f64 = 0x1.8p52;
static const double vm_unlift_f64 = 0x1p-64; /* 2^-LIFT */
static const double vm_exp_zero_f64 = -745.2, vm_exp_inf_f64 = 710.0; /* beyond: 0 or inf for sure */
#else
enum { VM_MANTISSA_f32 = 23, VM_BIAS_f32 = 127, VM_LIFT_f32 = 32 };
static const float vm_log2e_f32 = 0x1.715476p+0f, vm_ln2_hi_f32 = 0x1.62e400p-1f, vm_ln2_lo_f32 = 0x1.7f7d1cp-20f,
                   vm_magic_f32 = 0x1.8p23f;
static const float vm_unlift_f32 = 0x1p-32f;
static const float vm_exp_zero_f32 = -104.0f, vm_exp_inf_f32 = 89.0f;
#endif

/* lift · exp(r), |r| <= log(2)/2, for a power of two `lift`. */
ALWAYS_INLINE V FN(vm_exp_reduced)(V r, const R lift) {
    const V q = VM_POLY_SCALED(vm_exp_c, r, lift), unit = C(lift);
#if LOGLIK_HAVE_FMA
    return v_fma(v_fma(q, r, unit), r, unit);
#else
    /* Horner's last steps would have two roundings too many: keep 1 + r exactly. */
    const V scaled = r * unit, sum = unit + scaled;
    return sum + (r * r * q + (scaled - (sum - unit)));
#endif
}

/* exp(x), all x. Bound 1 ulp.
 * Worst found (avx2): f64 0.907 at -0x1.c2e10ed900da4p+8, f32 0.9405 at 0x1.4cc8c2p+2 of all inputs. */
ALWAYS_INLINE V FN(vm_exp)(V x) {
    const V magic = C(FN(vm_magic));
    const V y = v_min(C(FN(vm_exp_inf)), v_max(C(FN(vm_exp_zero)), x));
    const V n = v_fma(y, C(FN(vm_log2e)), magic) - magic;
    const V r = v_fnma(n, C(FN(vm_ln2_lo)), v_fnma(n, C(FN(vm_ln2_hi)), y));
    const V p = FN(vm_exp_reduced)(r, 1);
    /* -inf and masks like -1e9 are common: they become 0 here, not by a slow underflow. */
    return v_scale(v_zero_if(v_lt(x, C(FN(vm_exp_zero))), p), n);
}

/* 2^(n + LIFT) from n + magic + bias + LIFT, for the functions of negative arguments: there n + LIFT is always a
 * normal exponent, and the factor 2^-LIFT is in the coefficients, so that the product is exp(x), rounded once. */
ALWAYS_INLINE V FN(vm_lifted_power)(V shifted) { return v_from_bits(v_bits(shifted) << FN(VM_MANTISSA)); }

/* exp(x) for x <= 0 (NaN stays), subnormal results included: vm_exp with fewer operations. Bound 1 ulp. */
ALWAYS_INLINE V FN(vm_exp_neg)(V x) {
    const V magic = C(FN(vm_magic) + FN(VM_BIAS) + FN(VM_LIFT));
    const V shifted = v_fma(x, C(FN(vm_log2e)), magic), n = shifted - magic;
    const V r = v_fnma(n, C(FN(vm_ln2_lo)), v_fnma(n, C(FN(vm_ln2_hi)), x));
    const V p = FN(vm_exp_reduced)(r, FN(vm_unlift));
    /* Far below, both factors are garbage: p may be inf or NaN, and the exponent of the power wraps around. */
    return v_zero_unless(v_not_lt(x, C(FN(vm_exp_zero))), p * FN(vm_lifted_power)(shifted));
}

/* What exp_below takes out of all exponents, for arguments up to `top`. */
typedef struct {
    V base;  /* subtracted from the arguments: 0, or `top` where that is large, since x − top is then exact or exp(x − top) is 0 */
    V magic; /* 1.5·2^MANTISSA + bias + LIFT − n, n near the exponent of exp(top − base) */
    V least; /* the least argument whose result is not 0 */
} FN(vm_exp_frame);

/* An infinite `top` leaves nothing but 0 (and NaN) below it. */
ALWAYS_INLINE FN(vm_exp_frame) FN(vm_exp_frame_below)(V top) {
    const M infinite = v_not_lt(v_abs(top), C(INFINITY));
    const V base = v_zero_unless(v_gt(v_abs(top), C(REAL_IS_DOUBLE ? 2048 : 256)), top), rest = v_zero_if(infinite, top - base);
    const V magic = C(FN(vm_magic)), n = v_fma(rest, C(FN(vm_log2e)), magic) - magic;
    FN(vm_exp_frame) frame = {.base = v_zero_if(infinite, base), .magic = C(FN(vm_magic) + FN(VM_BIAS) + FN(VM_LIFT)) - n};
    frame.least = v_select(infinite, C(INFINITY), rest + C(FN(vm_exp_zero)));
    return frame;
}

/* exp(x)·2^-n of the frame, for x <= top (NaN stays): at most √2. As accurate as exp(x), where exp(x − top) would magnify
 * the rounding of the difference. Bound 1 ulp. */
ALWAYS_INLINE V FN(vm_exp_below)(FN(vm_exp_frame) frame, V x) {
    const V y = x - frame.base, shifted = v_fma(y, C(FN(vm_log2e)), frame.magic), n = shifted - frame.magic;
    const V r = v_fnma(n, C(FN(vm_ln2_lo)), v_residual(n, C(FN(vm_ln2_hi)), y));
    const V p = FN(vm_exp_reduced)(r, FN(vm_unlift));
    return v_zero_unless(v_not_lt(y, frame.least), p * FN(vm_lifted_power)(shifted));
}

/* lift·2^LIFT·exp(x) = head + tail for x <= 0 (NaN stays), lift a power of two; both are 0 where exp(x) is. */
ALWAYS_INLINE V FN(vm_exp_neg_lifted_parts)(V x, const R lift, V *tail) {
    const V magic = C(FN(vm_magic) + FN(VM_BIAS) + FN(VM_LIFT)), unit = C(lift);
    const V y = v_max(C(FN(vm_exp_zero)), x);
    const V shifted = v_fma(y, C(FN(vm_log2e)), magic), n = shifted - magic;
    const V r_exact = v_fnma(n, C(FN(vm_ln2_hi)), y), r = v_fnma(n, C(FN(vm_ln2_lo)), r_exact);
    const V r_tail = v_fnma(n, C(FN(vm_ln2_lo)), r_exact - r);
    const V sum = v_fma(r, unit, unit), sum_tail = v_fma(r, unit, unit - sum); /* 1 + r, exactly, times 2^-LIFT */
    const V small = v_fma(r_tail, sum, v_fma(r * r, VM_POLY_SCALED(vm_exp_c, r, lift), sum_tail));
    const V head = sum + small;
    const V power = v_zero_if(v_lt(x, C(FN(vm_exp_zero))), FN(vm_lifted_power)(shifted));
    *tail = (small - (head - sum)) * power;
    return head * power;
}

/* exp(x) = head + tail for x <= 0. Where the head is subnormal, the tail is rounded away and the head has 0.51 ulp. */
ALWAYS_INLINE V FN(vm_exp_neg_parts)(V x, V *tail) {
    return FN(vm_exp_neg_lifted_parts)(x, FN(vm_unlift), tail);
}

/* exp(x) − 1, all x; keeps the sign of zero. With s = 2^n / 2 and em = exp(r) − 1 = head + tail, half the result is
 * (s − 1/2) + s·em; the half keeps the greatest results finite. n is rounded a little downwards: r in [−0.29, 0.41]
 * avoids the worst cancellation, 2·em + 1 with em near −0.29. Bound 1 ulp.
 * Worst found (avx2): f64 0.777 at 0x1.783774459512p-2, f32 0.8231 at 0x1.9b650ap-2. */
ALWAYS_INLINE V FN(vm_expm1)(V x) {
    const V magic = C(FN(vm_magic) + FN(VM_BIAS) - 1);
    const V y = v_min(C(FN(vm_exp_inf)), v_max(C(-(FN(VM_MANTISSA) + 10)), x)); /* −1 below */
    const V shifted = v_fma(y, C(FN(vm_log2e)), C(-0.081)) + magic, n = shifted - magic;
    const V r_exact = v_fnma(n, C(FN(vm_ln2_hi)), y), r = v_fnma(n, C(FN(vm_ln2_lo)), r_exact);
    const V r_tail = v_fnma(n, C(FN(vm_ln2_lo)), r_exact - r);
    const V square = r * r, cubic = v_fma(square * r, VM_POLY(vm_expm1_c, r), v_fma(r_tail, r, r_tail));
    const V small = v_fma(square, C(0.5), cubic);
    const V head = r + small, tail = small - (head - r);
    const V s = FN(vm_lifted_power)(shifted), base = s - C(0.5), base_tail = (s - base) - C(0.5);
    const V product = s * head, sum = base + product, rest = product - (sum - base) + base_tail;
    const V result = sum + v_fma(s, tail, rest);
    const V tiny = C(REAL_IS_DOUBLE ? 0x1p-54 : 0x1p-25);
    return v_select(v_lt(v_abs(x), tiny), x, result + result);
}

/* exp(x) − 1 − x >= 0, and exp(x) − 1 with it, all x. As vm_expm1; near 0, where n = 0 and r = x, the linear terms cancel
 * exactly and r²/2 + ... is left, elsewhere the difference loses two bits. Bound 4 ulp, of exp(x) − 1 2 ulp. */
ALWAYS_INLINE V FN(vm_expm1mx)(V x, V *expm1) {
    const V magic = C(FN(vm_magic) + FN(VM_BIAS) - 1);
    const V high = v_min(C(FN(vm_exp_inf)), x), y = v_max(C(-(FN(VM_MANTISSA) + 10)), high); /* the rest is −1 − x below */
    const V shifted = v_fma(y, C(FN(vm_log2e)), C(-0.081)) + magic, n = shifted - magic;
    const V r_exact = v_fnma(n, C(FN(vm_ln2_hi)), y), r = v_fnma(n, C(FN(vm_ln2_lo)), r_exact);
    const V r_tail = v_fnma(n, C(FN(vm_ln2_lo)), r_exact - r);
    const V square = r * r, cubic = v_fma(square * r, VM_POLY(vm_expm1_c, r), v_fma(r_tail, r, r_tail));
    const V small = v_fma(square, C(0.5), cubic); /* exp(r) − 1 − r */
    const V s = FN(vm_lifted_power)(shifted), base = s - C(0.5); /* 2^n / 2: the half keeps the greatest results finite */
    const V linear = v_fma(s, r, base), rest = v_fma(s, r, v_fma(C(-0.5), high, base));
    const V half = v_fma(s, small, linear), excess = v_fma(s, small, rest);
    *expm1 = half + half;
    return excess + excess;
}
