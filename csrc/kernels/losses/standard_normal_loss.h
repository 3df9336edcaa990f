/* KL(N(μ, σ²) ‖ N(0, 1)) = ½·(μ² + (exp(ℓ) − 1 − ℓ)) of ℓ = log σ², summed over rows: the term of a variational autoencoder. */

/* Elements of rows, 16 at a time. */
ALWAYS_INLINE void standard_normal_row(const R *loc, const R *log_variance, R *loc_gradient, R *spread_gradient, R scale,
                                       vf64 *lanes) {
    ROLLED
    for (int s = 0; s < LOSS_STREAMS; s++) {
        const V m = v_load(loc + s * LANES);
        V expm1;
        const V excess = vm_expm1mx(v_load(log_variance + s * LANES), &expm1);
        if (loc_gradient) {
            v_store(loc_gradient + s * LANES, m * v_set1(scale));
        }
        if (spread_gradient) {
            v_store(spread_gradient + s * LANES, expm1 * (C(0.5) * v_set1(scale)));
        }
        vf64 wide[WIDE], wide_m[WIDE];
        loss_widen(excess, wide);
        loss_widen(m, wide_m);
        UNROLLED
        for (int k = 0; k < WIDE; k++) {
            vf64 *const lane = lanes + s * WIDE + k;
            *lane = v_fma(wide_m[k], wide_m[k], *lane) + wide[k];
        }
    }
}

/* Twice the sum over n elements. */
static double standard_normal_sum(const R *loc, const R *log_variance, ptrdiff_t n, R *loc_gradient, R *spread_gradient,
                                  R scale) {
    enum { ROW = LOSS_LANES, BLOCK = LOSS_BLOCK };
    loss_total total = {0, 0};
    for (ptrdiff_t start = 0; start < n; start += BLOCK) {
        const ptrdiff_t end = n - start < BLOCK ? n : start + BLOCK;
        vf64 lanes[LOSS_VECTORS] = {{0}};
        ptrdiff_t i = start;
        for (; i + ROW <= end; i += ROW) {
            for (size_t line = 0; line < ROW * sizeof(R); line += 64) {
                __builtin_prefetch((const char *)(loc + i) + line + LOSS_AHEAD);
                __builtin_prefetch((const char *)(log_variance + i) + line + LOSS_AHEAD);
            }
            standard_normal_row(loc + i, log_variance + i, loc_gradient ? loc_gradient + i : NULL,
                                spread_gradient ? spread_gradient + i : NULL, scale, lanes);
        }
        if (i < end) { /* padded with zeros, which cost nothing */
            const size_t rest = (size_t)(end - i) * sizeof(R);
            R m[ROW] = {0}, l[ROW] = {0}, gm[ROW], gl[ROW];
            memcpy(m, loc + i, rest);
            memcpy(l, log_variance + i, rest);
            standard_normal_row(m, l, gm, gl, scale, lanes);
            if (loc_gradient) {
                memcpy(loc_gradient + i, gm, rest);
            }
            if (spread_gradient) {
                memcpy(spread_gradient + i, gl, rest);
            }
        }
        loss_add(&total, loss_sum_lanes(lanes));
    }
    return loss_result(&total);
}

static void kl_standard_normal_task(loglik_loss_task *task) {
    const fp_state saved = fp_enter();
    loss_total total = {0, 0};
    const R *const weights = task->weights;
    R *const values = task->values;
    /* Without weights and values the rows are one. */
    const int joined = !weights && !values;
    const ptrdiff_t rows = joined ? 1 : task->n, width = joined ? task->n * task->width : task->width;
    task->bad = -1;
    for (ptrdiff_t r = 0; r < rows; r++) {
        const R weight = weights ? weights[r] : (R)1;
        const ptrdiff_t at = r * width;
        R *const loc_gradient = task->gradient[0] ? (R *)task->gradient[0] + at : NULL;
        R *const spread_gradient = task->gradient[1] ? (R *)task->gradient[1] + at : NULL;
        double value = 0;
        if (weight != 0) {
            value = 0.5 * (double)weight *
                    standard_normal_sum((const R *)task->model[0] + at, (const R *)task->model[1] + at, width, loc_gradient,
                                        spread_gradient, weight * (R)task->scale);
        } else { /* takes the row out */
            for (ptrdiff_t i = 0; i < width; i++) {
                if (loc_gradient) {
                    loc_gradient[i] = 0;
                }
                if (spread_gradient) {
                    spread_gradient[i] = 0;
                }
            }
        }
        if (values) {
            values[r] = (R)value;
        }
        loss_add(&total, value);
    }
    task->sum = loss_result(&total);
    fp_leave(saved, 0);
}
