/* Bernoulli negative log-likelihood (binary cross-entropy), of logits or of probabilities. */

enum { BERNOULLI_FLUSH = 16 }; /* groups between logarithms of the running product */

/* ------------------------------------------------------------------------------- from logits, summed
 *
 * Σ log1p(e) for e = exp(−|logits|) needs no logarithm per element: log1p(a) + log1p(b) = log1p(a + b + ab), and with
 * all terms positive the joined value keeps its relative accuracy also for tiny e (the plain product of
 * 1 + e would drop them). Four values are joined in R, then a chain in double, with one log1p per 64 elements and lane. */

ALWAYS_INLINE V join_log1p(V a, V b) { return v_fma(a, b, a + b); }
ALWAYS_INLINE vf64 join_log1p_wide(vf64 a, vf64 b) { return v_fma(a, b, a + b); }

/* Derivative of the loss in its logits, sigmoid(logits) − target, from e and the share: no cancellation where
 * the outcome is certain. */
ALWAYS_INLINE V bernoulli_slope(V logits, V share, V e) {
    return v_flip_sign(share - e / (C(1) + e), logits + C(0)); /* −0 counts as positive, as in the share */
}

/* Sums of a block. The fast pass has no guard for 0·inf and sees a NaN target only as a NaN sum: where a block's sum is NaN,
 * the careful pass below takes the block again. */
typedef struct {
    vf64 joined[LOSS_VECTORS], linear[LOSS_VECTORS];
    V lowest, highest; /* target */
} bernoulli_sums;

/* max(x, 0) − target·x = share·|x|: fused, it is rounded once. */
ALWAYS_INLINE V bernoulli_linear_fast(V target, V x) {
#if LOGLIK_HAVE_FMA
    return v_fnma(target, x, v_max(x, C(0)));
#else
    return bernoulli_share(target, x) * v_abs(x);
#endif
}

/* One group: 4 rows of 16 elements. */
ALWAYS_INLINE void bernoulli_group(const R *targets, const R *logits, R *gradient, R scale, const int want_gradient,
                                   bernoulli_sums *sums) {
    ROLLED
    for (int s = 0; s < LOSS_STREAMS; s++) {
        V e[4], linear[4];
        for (int row = 0; row < 4; row++) {
            const int at = row * LOSS_LANES + s * LANES;
            const V target = v_load(targets + at), x = v_load(logits + at);
            sums->lowest = v_min(target, sums->lowest);
            sums->highest = v_max(target, sums->highest);
            linear[row] = bernoulli_linear_fast(target, x);
            e[row] = vm_exp_neg(v_neg_abs(x));
            if (want_gradient) {
                const V slope = bernoulli_slope(x, bernoulli_share(target, x), e[row]);
                v_store(gradient + at, slope * v_set1(scale));
            }
        }
        vf64 joined[WIDE], sum[WIDE];
        loss_widen(join_log1p(join_log1p(e[0], e[1]), join_log1p(e[2], e[3])), joined);
        loss_widen((linear[0] + linear[1]) + (linear[2] + linear[3]), sum);
        for (int w = 0; w < WIDE; w++) {
            const int lane = s * WIDE + w;
            sums->joined[lane] = join_log1p_wide(sums->joined[lane], joined[w]);
            sums->linear[lane] += sum[w];
        }
    }
}

ALWAYS_INLINE void bernoulli_flush(bernoulli_sums *sums) {
    for (int i = 0; i < LOSS_VECTORS; i++) {
        sums->linear[i] += vm_log1p_f64(sums->joined[i]);
        sums->joined[i] = (vf64){0};
    }
}

/* Sum of up to LOSS_BLOCK elements; nonzero *bad where a target is not a probability. */
ALWAYS_INLINE double bernoulli_block(const R *targets, const R *logits, ptrdiff_t n, R *gradient, R scale,
                                     const int want_gradient, int *bad) {
    enum { GROUP = LOSS_GROUP };
    bernoulli_sums sums = {.lowest = C(0), .highest = C(1)};
    const ptrdiff_t whole = n / GROUP, rest = n % GROUP;
    for (ptrdiff_t group = 0; group < whole; group++) {
        for (size_t line = 0; line < GROUP * sizeof(R); line += 64) {
            __builtin_prefetch((const char *)(targets + group * GROUP) + line + LOSS_AHEAD);
            __builtin_prefetch((const char *)(logits + group * GROUP) + line + LOSS_AHEAD);
        }
        bernoulli_group(targets + group * GROUP, logits + group * GROUP,
                        want_gradient ? gradient + group * GROUP : NULL, scale, want_gradient, &sums);
        if (group % BERNOULLI_FLUSH == BERNOULLI_FLUSH - 1) {
            bernoulli_flush(&sums);
        }
    }
    if (rest) {
        /* Padded with a certain and right prediction, which adds exact zeros (exp(−1e5) is 0). */
        R t[GROUP], x[GROUP], g[GROUP];
        for (ptrdiff_t i = 0; i < GROUP; i++) {
            t[i] = i < rest ? targets[whole * GROUP + i] : (R)0;
            x[i] = i < rest ? logits[whole * GROUP + i] : (R)-1e5;
        }
        bernoulli_group(t, x, g, scale, want_gradient, &sums);
        if (want_gradient) {
            memcpy(gradient + whole * GROUP, g, (size_t)rest * sizeof(R));
        }
    }
    bernoulli_flush(&sums);
    *bad = m_any(v_lt(sums.lowest, C(0)) | v_lt(C(1), sums.highest));
    return loss_sum_lanes(sums.linear);
}

/* ------------------------------------------------------------------------------- one value for each element */

ALWAYS_INLINE void bernoulli_point_logits(const V *in, V *value, V *slope, int want_slope, M *bad) {
    const V target = in[0], logits = in[1], magnitude = v_abs(logits), share = bernoulli_share(target, logits);
    const V e = vm_exp_neg(-magnitude);
    *bad |= m_not(is_probability(target));
    *value = bernoulli_linear(share, magnitude) + vm_log1p_01(e);
    if (want_slope) {
        *slope = bernoulli_slope(logits, share, e);
    }
}

/* −target·log p − (1 − target)·log(1 − p) with 0·log 0 = 0. NaN in p propagates. */
ALWAYS_INLINE void bernoulli_point_probs(const V *in, V *value, V *slope, int want_slope, M *bad) {
    const V target = in[0], p = in[1], other = C(1) - target;
    const M one = m_not(v_eq(target, C(0))), zero = m_not(v_eq(other, C(0))), missing = v_unord(p, p);
    *bad |= m_not(is_probability(target)) | (m_not(is_probability(p)) & m_not(missing));
    const V one_part = v_zero_unless(one, target * vm_log(p));
    const V zero_part = v_zero_unless(zero, other * vm_log1p(-p));
    *value = v_select(missing, p, -(one_part + zero_part));
    if (want_slope) {
        const V one_slope = v_zero_unless(one, target / p), zero_slope = v_zero_unless(zero, other / (C(1) - p));
        *slope = v_select(missing, p, zero_slope - one_slope);
    }
}

/* ------------------------------------------------------------------------------- the kernel */

/* First element of a part with a target (argument 0) or a probability (1) outside [0, 1]. */
static ptrdiff_t bernoulli_first_bad(const loss_part *part, ptrdiff_t n, int from_logits, int *which) {
    for (ptrdiff_t i = 0; i < n; i++) {
        if (!(part->in[0][i] >= 0 && part->in[0][i] <= 1)) {
            *which = 0;
            return i;
        }
        if (!from_logits && (part->in[1][i] < 0 || part->in[1][i] > 1)) {
            *which = 1;
            return i;
        }
    }
    return -1;
}

static void bernoulli_nll_task(loglik_loss_task *task) {
    enum { BLOCK = LOSS_BLOCK };
    const int from_logits = task->form == LOGLIK_LOSS_LOGITS;
    const fp_state saved = fp_enter();
    loss_total total = {0, 0};
    task->bad = -1;
    for (ptrdiff_t start = 0; start < task->n && task->bad < 0; start += BLOCK) {
        const ptrdiff_t n = task->n - start < BLOCK ? task->n - start : BLOCK;
        const loss_part part = loss_part_of(task, start);
        R *const g = part.gradient[0];
        int bad = 0;
        double block = NAN;
        if (from_logits && !part.weights && !part.values) {
            block = g ? bernoulli_block(part.in[0], part.in[1], n, g, part.scale, 1, &bad)
                      : bernoulli_block(part.in[0], part.in[1], n, NULL, part.scale, 0, &bad);
        }
        if (block != block) {
            block = from_logits ? loss_points(&part, n, 1, bernoulli_point_logits, &bad)
                                : loss_points(&part, n, 1, bernoulli_point_probs, &bad);
        }
        if (bad) {
            task->bad = bernoulli_first_bad(&part, n, from_logits, &task->which);
            task->bad += task->bad < 0 ? 0 : start;
        }
        loss_add(&total, block);
    }
    task->sum = loss_result(&total);
    fp_leave(saved, 0);
}
