/* Gaussian negative log-likelihood: (target − mean)²/(2σ²) + log σ + ½ log 2π, with its derivatives, for each way in which
 * the spread is given. A spread outside its range makes the value NaN and is reported. */

ALWAYS_INLINE void gaussian_point_variance(const V *in, V *value, V *slope, int want_slope, M *bad) {
    const V variance = in[2];
    const M valid = v_gt(variance, C(0)) & v_lt(variance, C(INFINITY));
    gaussian_nll_map(in, value);
    *bad |= m_not(valid) & m_not(v_unord(variance, variance));
    if (want_slope) {
        const V inverse = C(1) / variance, z = (in[0] - in[1]) * inverse;
        slope[0] = -z;
        slope[1] = C(0.5) * (inverse - z * z);
    }
}

ALWAYS_INLINE void gaussian_point_scale(const V *in, V *value, V *slope, int want_slope, M *bad) {
    const V scale = in[2], inverse = C(1) / scale;
    const M valid = v_gt(scale, C(0)) & v_lt(scale, C(INFINITY));
    const V half = half_squared_deviation(in[0], in[1], scale, inverse);
    *value = v_select(valid, half + vm_log(scale) + C(0.91893853320467274178), C(NAN));
    *bad |= m_not(valid) & m_not(v_unord(scale, scale));
    if (want_slope) {
        slope[0] = -standardise(in[0], in[1], scale) * inverse;
        slope[1] = (C(1) - (half + half)) * inverse;
    }
}

ALWAYS_INLINE void gaussian_point_log_variance(const V *in, V *value, V *slope, int want_slope, M *bad) {
    const V log_variance = in[2], precision = vm_exp(-log_variance);
    V low;
    const V difference = v_two_sum(in[0], -in[1], &low);
    V gradient = difference * precision;
    const V ratio = C(0.5) * gradient, plain = difference * ratio;
    /* The rounding error of the difference, which would count twice, is added back. */
    V half = v_select(v_lt(plain, C(INFINITY)), v_fma(difference, ratio, (low + low) * ratio), plain);
    /* Where exp leaves the normal numbers its root may not; no inf·0 for a target on the mean. */
    const M extreme = v_lt(C(REAL_IS_DOUBLE ? 690 : 80), v_abs(log_variance)) | is_infinite(difference);
    if (__builtin_expect(m_any(extreme), 0)) {
        const V root = vm_exp(C(-0.5) * log_variance), z = v_zero_if(v_eq(difference, C(0)), difference * root);
        half = v_select(extreme, z * (C(0.5) * z), half);
        gradient = v_select(extreme, v_zero_if(v_eq(z, C(0)), z * root), gradient);
    }
    const M infinite = is_infinite(log_variance);
    *value = v_select(infinite, C(NAN), v_fma(C(0.5), log_variance, half) + C(0.91893853320467274178));
    *bad |= infinite;
    if (want_slope) {
        slope[0] = -gradient;
        slope[1] = C(0.5) - half;
    }
}

/* First element whose spread is outside its range. */
static ptrdiff_t first_bad_spread(const R *spread, ptrdiff_t n, int logarithm) {
    for (ptrdiff_t i = 0; i < n; i++) {
        const R s = spread[i];
        if (s == (R)INFINITY || (logarithm ? s == (R)-INFINITY : s <= 0)) {
            return i;
        }
    }
    return -1;
}

static void gaussian_nll_task(loglik_loss_task *task) {
    enum { BLOCK = LOSS_BLOCK };
    const fp_state saved = fp_enter();
    loss_total total = {0, 0};
    task->bad = -1;
    task->which = 2;
    for (ptrdiff_t start = 0; start < task->n && task->bad < 0; start += BLOCK) {
        const ptrdiff_t n = task->n - start < BLOCK ? task->n - start : BLOCK;
        const loss_part part = loss_part_of(task, start);
        int bad = 0;
        double block;
        switch (task->form) {
        case LOGLIK_LOSS_VARIANCE:
            block = loss_points(&part, n, 2, gaussian_point_variance, &bad);
            break;
        case LOGLIK_LOSS_SCALE:
            block = loss_points(&part, n, 2, gaussian_point_scale, &bad);
            break;
        default:
            block = loss_points(&part, n, 2, gaussian_point_log_variance, &bad);
        }
        if (bad) {
            task->bad = first_bad_spread(part.in[2], n, task->form == LOGLIK_LOSS_LOG_VARIANCE);
            task->bad += task->bad < 0 ? 0 : start;
        }
        loss_add(&total, block);
    }
    task->sum = loss_result(&total);
    fp_leave(saved, 0);
}
