/* Losses summed in blocks. What the functions take and return: losses_list.h.
 *
 * Sums are taken in double, in 16 virtual lanes at every level and block by block, in an order that depends on
 * the element's index alone: the same bits for any layout, any number of threads and any instruction set
 * with fused multiply-adds. */

enum {
    FN(LOSS_LANES) = 16,                              /* virtual lanes of a sum */
    FN(LOSS_STREAMS) = 16 / LANES,                    /* vectors of R that fill them */
    FN(LOSS_GROUP) = 4 * 16,                          /* elements whose terms are joined in R before widening */
    FN(LOSS_FLUSH) = 16,                              /* groups between logarithms of the running product */
    FN(LOSS_BLOCK) = 4096,                            /* elements between horizontal sums */
    FN(LOSS_AHEAD) = 4096,                            /* bytes between a read and its prefetch */
    FN(WIDE) = REAL_IS_DOUBLE ? 1 : 2,                /* double vectors per vector of R */
};

#if REAL_IS_DOUBLE
enum { LOSS_VECTORS = 16 / LANES_f64 }; /* double vectors that hold the virtual lanes */

/* Sum of the virtual lanes in a fixed tree. */
static double loss_sum_lanes(const vf64 *lanes) {
    double x[16] __attribute__((aligned(64)));
    for (int i = 0; i < LOSS_VECTORS; i++) {
        v_store(x + i * LANES_f64, lanes[i]);
    }
    for (int half = 8; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            x[i] += x[i + half];
        }
    }
    return x[0];
}

/* A running sum with its compensation (Neumaier). */
typedef struct {
    double sum, correction;
} loss_total;

ALWAYS_INLINE void loss_add(loss_total *total, double x) {
    const double s = total->sum + x;
    if (fabs(total->sum) >= fabs(x)) {
        total->correction += (total->sum - s) + x;
    } else {
        total->correction += (x - s) + total->sum;
    }
    total->sum = s;
}

/* The correction is NaN where the sum is infinite. */
ALWAYS_INLINE double loss_result(const loss_total *total) {
    return isfinite(total->sum) ? total->sum + total->correction : total->sum;
}
#endif

ALWAYS_INLINE void FN(loss_widen)(V x, vf64 *wide) {
#if REAL_IS_DOUBLE
    wide[0] = x;
#else
    v_widen(x, wide, wide + 1);
#endif
}

/* ------------------------------------------------------------------------------- Bernoulli from logits, summed
 *
 * Σ log1p(e) for e = exp(−|logits|) needs no logarithm per element: log1p(a) + log1p(b) = log1p(a + b + ab), and with
 * all terms positive the joined value keeps its relative accuracy also for tiny e (the plain product of
 * 1 + e would drop them). Four values are joined in R, then a chain in double, with one log1p per 64 elements and lane. */

ALWAYS_INLINE V FN(join_log1p)(V a, V b) { return v_fma(a, b, a + b); }

/* Derivative of the loss in its logits, sigmoid(logits) − target, from e and the share: no cancellation where
 * the outcome is certain. */
ALWAYS_INLINE V FN(bernoulli_slope)(V logits, V share, V e) {
    return v_flip_sign(share - e / (C(1) + e), logits);
}

/* Sums of a block. The fast pass has no guard for 0·inf and sees a NaN target only as a NaN sum: where a block's sum is NaN,
 * the careful pass below takes the block again. */
typedef struct {
    vf64 joined[LOSS_VECTORS], linear[LOSS_VECTORS];
    V lowest, highest; /* target */
} FN(bernoulli_sums);

/* max(x, 0) − target·x = share·|x|: fused, it is rounded once. */
ALWAYS_INLINE V FN(bernoulli_linear_fast)(V target, V x) {
#if LOGLIK_HAVE_FMA
    return v_fnma(target, x, v_max(x, C(0)));
#else
    return FN(bernoulli_share)(target, x) * v_abs(x);
#endif
}

/* One group: 4 rows of 16 elements. */
ALWAYS_INLINE void FN(bernoulli_group)(const R *targets, const R *logits, R *gradient, R scale, const int want_gradient,
                                       FN(bernoulli_sums) *sums) {
    for (int s = 0; s < FN(LOSS_STREAMS); s++) {
        V e[4], linear[4];
        for (int row = 0; row < 4; row++) {
            const int at = row * FN(LOSS_LANES) + s * LANES;
            const V target = v_load(targets + at), x = v_load(logits + at);
            sums->lowest = v_min(target, sums->lowest);
            sums->highest = v_max(target, sums->highest);
            linear[row] = FN(bernoulli_linear_fast)(target, x);
            e[row] = FN(vm_exp_neg)(v_neg_abs(x));
            if (want_gradient) {
                const V slope = FN(bernoulli_slope)(x, FN(bernoulli_share)(target, x), e[row]);
                v_store(gradient + at, slope * v_set1(scale));
            }
        }
        vf64 joined[FN(WIDE)], sum[FN(WIDE)];
        FN(loss_widen)(FN(join_log1p)(FN(join_log1p)(e[0], e[1]), FN(join_log1p)(e[2], e[3])), joined);
        FN(loss_widen)((linear[0] + linear[1]) + (linear[2] + linear[3]), sum);
        for (int w = 0; w < FN(WIDE); w++) {
            const int lane = s * FN(WIDE) + w;
            sums->joined[lane] = join_log1p_f64(sums->joined[lane], joined[w]);
            sums->linear[lane] += sum[w];
        }
    }
}

ALWAYS_INLINE void FN(bernoulli_flush)(FN(bernoulli_sums) *sums) {
    for (int i = 0; i < LOSS_VECTORS; i++) {
        sums->linear[i] += vm_log1p_f64(sums->joined[i]);
        sums->joined[i] = (vf64){0};
    }
}

/* Sum of up to LOSS_BLOCK elements; nonzero *bad where a target is not a probability. */
ALWAYS_INLINE double FN(bernoulli_block)(const R *targets, const R *logits, ptrdiff_t n, R *gradient, R scale,
                                         const int want_gradient, int *bad) {
    enum { GROUP = FN(LOSS_GROUP) };
    FN(bernoulli_sums) sums = {.lowest = C(0), .highest = C(1)};
    const ptrdiff_t whole = n / GROUP, rest = n % GROUP;
    for (ptrdiff_t group = 0; group < whole; group++) {
        /* The hardware stops at the end of a page; far enough ahead for the latency of memory. */
        for (size_t line = 0; line < GROUP * sizeof(R); line += 64) {
            __builtin_prefetch((const char *)(targets + group * GROUP) + line + FN(LOSS_AHEAD));
            __builtin_prefetch((const char *)(logits + group * GROUP) + line + FN(LOSS_AHEAD));
        }
        FN(bernoulli_group)(targets + group * GROUP, logits + group * GROUP,
                            want_gradient ? gradient + group * GROUP : NULL, scale, want_gradient, &sums);
        if (group % FN(LOSS_FLUSH) == FN(LOSS_FLUSH) - 1) {
            FN(bernoulli_flush)(&sums);
        }
    }
    if (rest) {
        /* Padded with a certain and right prediction, which adds exact zeros (exp(−1e5) is 0). */
        R t[GROUP], x[GROUP], g[GROUP];
        for (ptrdiff_t i = 0; i < GROUP; i++) {
            t[i] = i < rest ? targets[whole * GROUP + i] : (R)0;
            x[i] = i < rest ? logits[whole * GROUP + i] : (R)-1e5;
        }
        FN(bernoulli_group)(t, x, g, scale, want_gradient, &sums);
        if (want_gradient) {
            memcpy(gradient + whole * GROUP, g, (size_t)rest * sizeof(R));
        }
    }
    FN(bernoulli_flush)(&sums);
    *bad = m_any(v_lt(sums.lowest, C(0)) | v_lt(C(1), sums.highest));
    return loss_sum_lanes(sums.linear);
}

/* ------------------------------------------------------------------------- one value per element, weights, probabilities */

typedef void (*FN(bernoulli_point))(V target, V model, V *value, V *slope, const int want_slope, M *bad);

ALWAYS_INLINE void FN(bernoulli_point_logits)(V target, V logits, V *value, V *slope, const int want_slope, M *bad) {
    const V magnitude = v_abs(logits), share = FN(bernoulli_share)(target, logits);
    *bad |= m_not(FN(is_probability)(target));
    *value = FN(bernoulli_linear)(share, magnitude) + FN(vm_softplus)(-magnitude);
    if (want_slope) {
        *slope = FN(bernoulli_slope)(logits, share, FN(vm_exp_neg)(-magnitude));
    }
}

/* −target·log p − (1 − target)·log(1 − p) with 0·log 0 = 0. NaN in p propagates. */
ALWAYS_INLINE void FN(bernoulli_point_probs)(V target, V p, V *value, V *slope, const int want_slope, M *bad) {
    const V other = C(1) - target;
    const M one = m_not(v_eq(target, C(0))), zero = m_not(v_eq(other, C(0))), missing = v_unord(p, p);
    *bad |= m_not(FN(is_probability)(target)) | (m_not(FN(is_probability)(p)) & m_not(missing));
    const V one_part = v_zero_unless(one, target * FN(vm_log)(p));
    const V zero_part = v_zero_unless(zero, other * FN(vm_log1p)(-p));
    *value = v_select(missing, p, -(one_part + zero_part));
    if (want_slope) {
        const V one_slope = v_zero_unless(one, target / p), zero_slope = v_zero_unless(zero, other / (C(1) - p));
        *slope = v_select(missing, p, zero_slope - one_slope);
    }
}

/* One row of 16 elements; weights may be NULL, v and g may not. */
ALWAYS_INLINE void FN(bernoulli_row)(const R *targets, const R *model, const R *weights, R scale, R *v, R *g,
                                     const FN(bernoulli_point) point, const int want_slope, M *bad) {
    for (int at = 0; at < FN(LOSS_LANES); at += LANES) {
        V value, slope = C(0);
        point(v_load(targets + at), v_load(model + at), &value, &slope, want_slope, bad);
        if (weights) {
            const V weight = v_load(weights + at);
            /* Weight 0 takes an element out, also one with an infinite loss. */
            const M counts = m_not(v_eq(weight, C(0)));
            value = v_zero_unless(counts, value * weight);
            slope = v_zero_unless(counts, slope * weight);
        }
        v_store(v + at, value);
        if (want_slope) {
            v_store(g + at, slope * v_set1(scale));
        }
    }
}

/* Up to LOSS_BLOCK elements, one value each. Order of the sum: 16 virtual lanes, then their tree. */
ALWAYS_INLINE double FN(bernoulli_points)(const R *targets, const R *model, const R *weights, ptrdiff_t n, R scale,
                                          R *values, R *gradient, const FN(bernoulli_point) point,
                                          const int want_slope, int *bad) {
    enum { ROW = FN(LOSS_LANES) };
    vf64 lanes[LOSS_VECTORS] = {{0}};
    M any_bad = M_NONE;
    R t[ROW], m[ROW], w[ROW], v[ROW], g[ROW];
    for (ptrdiff_t i = 0; i < n; i += ROW) {
        const R *row = v;
        if (n - i >= ROW) {
            R *const value_row = values ? values + i : v;
            FN(bernoulli_row)(targets + i, model + i, weights ? weights + i : NULL, scale, value_row,
                              want_slope ? gradient + i : NULL, point, want_slope, &any_bad);
            row = value_row;
        } else { /* padded with copies of a real element, which are kept out of the results */
            const ptrdiff_t count = n - i;
            for (ptrdiff_t k = 0; k < ROW; k++) {
                const ptrdiff_t source = i + (k < count ? k : 0);
                t[k] = targets[source];
                m[k] = model[source];
                w[k] = weights ? weights[source] : (R)1;
            }
            FN(bernoulli_row)(t, m, weights ? w : NULL, scale, v, g, point, want_slope, &any_bad);
            if (values) {
                memcpy(values + i, v, (size_t)count * sizeof(R));
            }
            if (want_slope) {
                memcpy(gradient + i, g, (size_t)count * sizeof(R));
            }
            for (ptrdiff_t k = count; k < ROW; k++) {
                v[k] = 0;
            }
        }
        for (int s = 0; s < FN(LOSS_STREAMS); s++) {
            vf64 wide[FN(WIDE)];
            FN(loss_widen)(v_load(row + s * LANES), wide);
            for (int k = 0; k < FN(WIDE); k++) {
                lanes[s * FN(WIDE) + k] += wide[k];
            }
        }
    }
    *bad = m_any(any_bad);
    return loss_sum_lanes(lanes);
}

/* ------------------------------------------------------------------------------------------------------ entry points */

/* First index with a target (which = 0) or a probability (which = 1) outside [0, 1]. */
static ptrdiff_t FN(bernoulli_first_bad)(const R *targets, const R *probs, ptrdiff_t n, int *which) {
    for (ptrdiff_t i = 0; i < n; i++) {
        if (!(targets[i] >= 0 && targets[i] <= 1)) {
            *which = 0;
            return i;
        }
        if (probs && (probs[i] < 0 || probs[i] > 1)) {
            *which = 1;
            return i;
        }
    }
    return -1;
}

ALWAYS_INLINE ptrdiff_t FN(bernoulli_nll_blocks)(const R *targets, const R *model, const R *weights, ptrdiff_t n,
                                                 R scale, R *values, R *gradient, double *sum, int *which,
                                                 const int from_logits) {
    enum { BLOCK = FN(LOSS_BLOCK) };
    const fp_state saved = fp_enter();
    loss_total total = {0, 0};
    ptrdiff_t bad_index = -1;
    for (ptrdiff_t start = 0; start < n && bad_index < 0; start += BLOCK) {
        const ptrdiff_t count = n - start < BLOCK ? n - start : BLOCK;
        const R *const t = targets + start, *const m = model + start;
        R *const g = gradient ? gradient + start : NULL;
        int bad = 0;
        double block = NAN;
        if (from_logits && !weights && !values) {
            block = g ? FN(bernoulli_block)(t, m, count, g, scale, 1, &bad)
                      : FN(bernoulli_block)(t, m, count, NULL, scale, 0, &bad);
        }
        if (block != block) {
            const R *const w = weights ? weights + start : NULL;
            R *const v = values ? values + start : NULL;
            const FN(bernoulli_point) point = from_logits ? FN(bernoulli_point_logits) : FN(bernoulli_point_probs);
            block = g ? FN(bernoulli_points)(t, m, w, count, scale, v, g, point, 1, &bad)
                      : FN(bernoulli_points)(t, m, w, count, scale, v, NULL, point, 0, &bad);
        }
        if (bad) {
            bad_index = FN(bernoulli_first_bad)(t, from_logits ? NULL : m, count, which);
            bad_index += bad_index < 0 ? 0 : start;
        }
        loss_add(&total, block);
    }
    if (sum) {
        *sum = loss_result(&total);
    }
    fp_leave(saved, 0);
    return bad_index;
}

static ptrdiff_t FN(bernoulli_nll_logits)(const R *targets, const R *logits, const R *weights, ptrdiff_t n, R scale,
                                          R *values, R *gradient, double *sum, int *which) {
    return FN(bernoulli_nll_blocks)(targets, logits, weights, n, scale, values, gradient, sum, which, 1);
}

static ptrdiff_t FN(bernoulli_nll_probs)(const R *targets, const R *probs, const R *weights, ptrdiff_t n, R scale,
                                         R *values, R *gradient, double *sum, int *which) {
    return FN(bernoulli_nll_blocks)(targets, probs, weights, n, scale, values, gradient, sum, which, 0);
}
