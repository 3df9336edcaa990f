/* Laplace negative log-likelihood: |target − loc|/b + log 2b, with its derivatives, for each way in which the scale b is given. A
 * scale outside its range makes the value NaN and is reported. At target = loc, where there is a kink, the derivative in loc is 0. */

/* −sign(difference)·inverse, 0 where there is no difference. */
ALWAYS_INLINE V laplace_slope(V difference, V inverse) {
    return v_zero_if(v_eq(difference, C(0)), v_flip_sign(inverse, -difference));
}

ALWAYS_INLINE void laplace_point_scale(const V *in, V *value, V *slope, int want_slope, M *bad) {
    const V scale = in[2], inverse = C(1) / scale;
    const M valid = v_gt(scale, C(0)) & v_lt(scale, C(INFINITY));
    const V all[5] = {in[0], in[1], scale, inverse, laplace_log_width(scale)};
    V log_prob;
    laplace_log_prob_scaled_map(all, &log_prob);
    *value = v_select(valid, -log_prob, C(NAN));
    *bad |= m_not(valid) & m_not(v_unord(scale, scale));
    if (want_slope) {
        const V z = v_abs(standardise(in[0], in[1], scale));
        slope[0] = laplace_slope(in[0] - in[1], inverse);
        slope[1] = (C(1) - z) * inverse;
    }
}

ALWAYS_INLINE void laplace_point_log_scale(const V *in, V *value, V *slope, int want_slope, M *bad) {
    const V log_scale = in[2], difference = in[0] - in[1];
    const V inverse = vm_exp(-log_scale);
    V z = v_abs(difference) * inverse;
    /* Where exp leaves the normal numbers its root does not; no inf·0 for a target on loc. */
    const M extreme = v_lt(C(REAL_IS_DOUBLE ? 690 : 80), v_abs(log_scale)) | is_infinite(difference);
    if (__builtin_expect(m_any(extreme), 0)) {
        const V root = vm_exp(C(-0.5) * log_scale), half = v_abs(in[0] * C(0.5) - in[1] * C(0.5));
        z = v_select(extreme, v_zero_if(v_eq(half, C(0)) & v_eq(difference, C(0)), ((half * root) * root) * C(2)), z);
    }
    const M infinite = is_infinite(log_scale);
    *value = v_select(infinite, C(NAN), (z + log_scale) + C(0.69314718055994530942));
    *bad |= infinite;
    if (want_slope) {
        slope[0] = laplace_slope(difference, inverse);
        slope[1] = C(1) - z;
    }
}

static void laplace_nll_task(loglik_loss_task *task) {
    enum { BLOCK = LOSS_BLOCK };
    const fp_state saved = fp_enter();
    loss_total total = {0, 0};
    task->bad = -1;
    task->which = 2;
    for (ptrdiff_t start = 0; start < task->n && task->bad < 0; start += BLOCK) {
        const ptrdiff_t n = task->n - start < BLOCK ? task->n - start : BLOCK;
        const loss_part part = loss_part_of(task, start);
        int bad = 0;
        const double block = task->form == LOGLIK_LOSS_SCALE ? loss_points(&part, n, 2, laplace_point_scale, &bad)
                                                             : loss_points(&part, n, 2, laplace_point_log_scale, &bad);
        if (bad) {
            task->bad = first_bad_spread(part.in[2], n, task->form == LOGLIK_LOSS_LOG_SCALE);
            task->bad += task->bad < 0 ? 0 : start;
        }
        loss_add(&total, block);
    }
    task->sum = loss_result(&total);
    fp_leave(saved, 0);
}
