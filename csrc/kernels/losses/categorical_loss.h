/* Categorical negative log-likelihood (softmax cross-entropy), a row of K logits for each value.
 *
 * With m the largest logit and T = Σ exp(z) / exp(m) over the others, log Σ exp z = m + log1p(T), and the loss of class y is
 *
 *     (m − z_y) + log1p(T),
 *
 * two terms that are not negative: a prediction that is certain and right keeps its digits, since the largest logit's own
 * part never enters the sum, and since exponentials are taken of the logits themselves: only their exponents are shifted
 * (vm_exp_below), so that the rounding of z − m, up to 700 times that of the result, never happens. Other targets t give
 * Σ t·(m − z) + (Σ t)·log1p(T). In double from the sums on.
 *
 * Long rows are read twice, the second time from the cache, with classes as lanes; of short rows LANES are taken at once,
 * with rows as lanes. */

enum {
    CATEGORICAL_SHORT = 32, /* classes of a short row */
    CATEGORICAL_ROWS = 64,  /* at most so many rows are taken together: their logarithms are independent of each other */
    CATEGORICAL_KEPT = 16,  /* of long ones and for gradients: their exponentials stay in cache */
};

/* A set of rows, and what they are reduced to: value = gap + share·log1p(ratio), ratio = others/top. */
typedef struct {
    R ratio[CATEGORICAL_ROWS] __attribute__((aligned(64)));
    double gap[CATEGORICAL_ROWS], share[CATEGORICAL_ROWS];
    double others[CATEGORICAL_ROWS], top[CATEGORICAL_ROWS]; /* T·e, and e = exp(m) in its frame */
    double weight[CATEGORICAL_ROWS];   /* 0: the row does not count */
    ptrdiff_t label[CATEGORICAL_ROWS]; /* 0 where the row does not count; with rows of targets −1 */
} categorical_rows;

/* What is smoothed over all classes gives each of them this target. */
ALWAYS_INLINE double categorical_floor(const loglik_loss_task *task) { return task->smoothing / (double)task->width; }

/* ------------------------------------------------------------------------------- long rows */

typedef struct {
    vf64 lanes[LOSS_VECTORS];
} lane_sum;

ALWAYS_INLINE void lane_add(lane_sum *sum, int stream, const V *x) {
    vf64 wide[WIDE];
    loss_widen((x[0] + x[1]) + (x[2] + x[3]), wide);
    UNROLLED
    for (int k = 0; k < WIDE; k++) {
        sum->lanes[stream * WIDE + k] += wide[k];
    }
}

/* The largest of n values, NaN passed over; −inf for none. */
static R row_maximum(const R *z, ptrdiff_t n) {
    V m[4] = {C(-INFINITY), C(-INFINITY), C(-INFINITY), C(-INFINITY)};
    ptrdiff_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        UNROLLED
        for (int v = 0; v < 4; v++) {
            m[v] = v_max(v_load(z + i + v * LANES), m[v]);
        }
    }
    for (; i + LANES <= n; i += LANES) {
        m[0] = v_max(v_load(z + i), m[0]);
    }
    R x[LANES] __attribute__((aligned(64)));
    v_store(x, v_max(v_max(m[0], m[1]), v_max(m[2], m[3])));
    for (int half = LANES / 2; half > 0; half /= 2) {
        for (int k = 0; k < half; k++) {
            x[k] = x[k + half] > x[k] ? x[k + half] : x[k];
        }
    }
    for (; i < n; i++) {
        x[0] = z[i] > x[0] ? z[i] : x[0];
    }
    return x[0];
}

/* Sums over a row. */
typedef struct {
    lane_sum others, gaps, targeted, target; /* Σ exp(z) but for z = m, Σ (m − z), Σ t·(m − z), Σ t */
    V at_maximum, lowest, highest;               /* how many are m; the targets' range */
} row_sums;

/* The largest logit of a row (for a lane each, in short rows) and its exponential. */
typedef struct {
    V m, e;
    vm_exp_frame frame;
} categorical_top;

ALWAYS_INLINE categorical_top categorical_top_of(V m) {
    categorical_top top = {.m = m, .frame = vm_exp_frame_below(m)};
    top.e = v_select(v_lt(v_abs(m), C(INFINITY)), vm_exp_below(top.frame, m), C(1));
    return top;
}

/* What a row is besides its logits. */
typedef struct {
    int log_probs, gaps; /* whether the elements are logarithms already; whether Σ (m − z) is wanted */
    const R *t;          /* targets, or NULL: one class */
} categorical_kind;

/* A group of 64 elements; z − m is 0 where z is m, also for an infinite m. e may be NULL. */
ALWAYS_INLINE void categorical_group(const R *z, R *e, const categorical_top *top, const categorical_kind kind,
                                     row_sums *sums) {
    const int log_probs = kind.log_probs, gaps = kind.gaps;
    const R *const t = kind.t;
    ROLLED
    for (int s = 0; s < LOSS_STREAMS; s++) {
        V other[4], gap[4], targeted[4], target[4];
        UNROLLED
        for (int row = 0; row < 4; row++) {
            const int at = row * LOSS_LANES + s * LANES;
            const V x = v_load(z + at);
            const M largest = v_eq(x, top->m);
            gap[row] = log_probs ? -x : v_zero_if(largest, top->m - x);
            other[row] = targeted[row] = target[row] = C(0);
            if (!log_probs) {
                other[row] = vm_exp_below(top->frame, x);
                if (e) {
                    v_store(e + at, v_select(largest, top->e, other[row]));
                }
                other[row] = v_zero_if(largest, other[row]);
                sums->at_maximum += v_zero_unless(largest, C(1));
            }
            if (t) {
                target[row] = v_load(t + at);
                sums->lowest = v_min(target[row], sums->lowest);
                sums->highest = v_max(target[row], sums->highest);
                targeted[row] = v_zero_if(v_eq(target[row], C(0)), target[row] * gap[row]);
            }
        }
        if (!log_probs) {
            lane_add(&sums->others, s, other);
        }
        if (gaps) {
            lane_add(&sums->gaps, s, gap);
        }
        if (t) {
            lane_add(&sums->targeted, s, targeted);
            lane_add(&sums->target, s, target);
        }
    }
}

/* The groups of a row from element i on; the last one is padded with impossible classes that are no target. */
ALWAYS_INLINE void categorical_groups(const R *z, ptrdiff_t width, R *e, const categorical_top *top, categorical_kind kind,
                                      row_sums *sums) {
    enum { GROUP = LOSS_GROUP };
    const R *const t = kind.t;
    ptrdiff_t i = 0;
    for (; i + GROUP <= width; i += GROUP) {
        for (size_t line = 0; line < GROUP * sizeof(R); line += 64) { /* of the next row */
            __builtin_prefetch((const char *)(z + width + i) + line, 0, 2);
        }
        kind.t = t ? t + i : NULL;
        categorical_group(z + i, e ? e + i : NULL, top, kind, sums);
    }
    if (i < width) {
        const size_t rest = (size_t)(width - i) * sizeof(R);
        R zs[GROUP], ts[GROUP], es[GROUP];
        for (int k = 0; k < GROUP; k += LANES) {
            v_store(zs + k, kind.log_probs ? C(0) : C(-INFINITY));
        }
        memcpy(zs, z + i, rest);
        if (t) {
            memset(ts, 0, sizeof ts);
            memcpy(ts, t + i, rest);
            kind.t = ts;
        }
        kind.gaps = 0;
        categorical_group(zs, e ? es : NULL, top, kind, sums);
        if (e) {
            memcpy(e + i, es, rest);
        }
    }
}

/* Reduces row `row` of a task to entry r; exponentials to e, unless NULL. Returns whether its targets are no probabilities. */
static int categorical_long(const loglik_loss_task *task, ptrdiff_t row, R *e, categorical_rows *out, int r) {
    const ptrdiff_t width = task->width;
    const R *const z = (const R *)task->model[0] + row * width;
    const R *const t = task->targets ? (const R *)task->targets + row * width : NULL;
    const int log_probs = task->form == LOGLIK_LOSS_LOG_PROBS, gaps = task->smoothing > 0;
    const R largest = log_probs ? 0 : row_maximum(z, width);
    const categorical_top top = categorical_top_of(v_set1(largest));
    row_sums sums = {.at_maximum = C(0), .lowest = C(0), .highest = C(1)};
    if (!log_probs && !gaps && !t) { /* the usual row, without a question in its loop */
        categorical_groups(z, width, e, &top, (categorical_kind){0}, &sums);
    } else {
        categorical_groups(z, width, e, &top, (categorical_kind){log_probs, gaps, t}, &sums);
    }
    R count[LANES] __attribute__((aligned(64))), e_top[LANES] __attribute__((aligned(64)));
    v_store(count, sums.at_maximum);
    v_store(e_top, top.e);
    R ties = -1;
    for (int k = 0; k < LANES; k++) {
        ties += count[k];
    }
    out->top[r] = log_probs ? 1 : (double)e_top[0];
    out->others[r] = log_probs ? 0 : loss_sum_lanes(sums.others.lanes) + (double)ties * out->top[r];
    if (!log_probs && largest == (R)-INFINITY) {
        out->others[r] = NAN; /* every class is impossible, or every logit NaN */
    }
    out->ratio[r] = (R)(out->others[r] / out->top[r]);
    if (t) {
        out->gap[r] = loss_sum_lanes(sums.targeted.lanes);
        out->share[r] = loss_sum_lanes(sums.target.lanes);
    } else {
        const R chosen = z[out->label[r]];
        out->gap[r] = log_probs ? -(double)chosen : chosen == largest ? 0 : (double)largest - (double)chosen;
        out->share[r] = 1;
    }
    if (gaps) {
        double all = loss_sum_lanes(sums.gaps.lanes);
        for (ptrdiff_t k = width / LOSS_GROUP * LOSS_GROUP; k < width; k++) { /* of the last, shorter group */
            all += z[k] == largest && !log_probs ? 0 : (double)largest - (double)z[k];
        }
        out->gap[r] = (1 - task->smoothing) * out->gap[r] + categorical_floor(task) * all * out->share[r];
    }
    return m_any(v_lt(sums.lowest, C(0)) | v_lt(C(1), sums.highest)) || (t && !(fabs(out->share[r] - 1) <= task->tolerance));
}

/* The gradient in place of the exponentials: e·factor − kept·t − floor. t may be NULL. */
static void categorical_long_gradient(R *g, const R *t, ptrdiff_t n, R factor, R kept, R floor) {
    ptrdiff_t k = 0;
    for (; k + LANES <= n; k += LANES) {
        const V p = v_load(g + k) * v_set1(factor);
        v_store(g + k, t ? p - v_load(t + k) * v_set1(kept) - v_set1(floor) : p - v_set1(floor));
    }
    for (; k < n; k++) {
        const R p = g[k] * factor;
        g[k] = t ? p - t[k] * kept - floor : p - floor;
    }
}

/* ------------------------------------------------------------------------------- short rows */

/* Up to four classes of LANES rows: their exponentials to e, unless NULL, and into the sums over the others. */
ALWAYS_INLINE void categorical_classes(const V *z, V *e, const categorical_top *top, const int classes, vf64 *others,
                                       V *ties) {
    V term[4];
    UNROLLED
    for (int q = 0; q < classes; q++) {
        const M largest = v_eq(z[q], top->m);
        const V x = vm_exp_below(top->frame, z[q]);
        term[q] = v_zero_if(largest, x);
        *ties += v_zero_unless(largest, C(1));
        if (e) {
            e[q] = v_select(largest, top->e, x);
        }
    }
    vf64 wide[WIDE];
    loss_widen(classes == 4 ? (term[0] + term[1]) + (term[2] + term[3]) : classes == 2 ? term[0] + term[1] : term[0], wide);
    UNROLLED
    for (int w = 0; w < WIDE; w++) {
        others[w] += wide[w];
    }
}

/* Reduces LANES rows of logits, with labels, to entries r, r + 1, ...; the exponentials of class k to e[k], unless e is NULL. */
ALWAYS_INLINE void categorical_short(const loglik_loss_task *task, const R *rows, V *e, categorical_rows *out, int r) {
    const ptrdiff_t width = task->width;
    V z[CATEGORICAL_SHORT + COLS];
    const batch b = {rows, width, 0, 1};
    load_lanes(z, b, 0, width, width, LANES);
    V m = z[0];
    for (ptrdiff_t k = 1; k < width; k++) {
        m = v_max(z[k], m);
    }
    const categorical_top top = categorical_top_of(m);
    R chosen[LANES] __attribute__((aligned(64)));
    for (int p = 0; p < LANES; p++) {
        chosen[p] = rows[p * width + out->label[r + p]];
    }
    vf64 others[WIDE] = {{0}}, gaps[WIDE] = {{0}};
    V ties = C(-1);
    ptrdiff_t k = 0;
    for (; k + 4 <= width; k += 4) {
        categorical_classes(z + k, e ? e + k : NULL, &top, 4, others, &ties);
    }
    if (k + 2 <= width) {
        categorical_classes(z + k, e ? e + k : NULL, &top, 2, others, &ties);
        k += 2;
    }
    if (k < width) {
        categorical_classes(z + k, e ? e + k : NULL, &top, 1, others, &ties);
    }
    for (k = 0; k < width && task->smoothing > 0; k++) {
        vf64 wide[WIDE];
        loss_widen(v_zero_if(v_eq(z[k], m), m - z[k]), wide);
        for (int w = 0; w < WIDE; w++) {
            gaps[w] += wide[w];
        }
    }
    /* NaN where every class is impossible, or the first logit is NaN (one after it makes the sum NaN). */
    ties = v_select(v_lt(C(-INFINITY), m), ties, C(NAN));
    const V label = v_load(chosen);
    vf64 wide_ties[WIDE], wide_top[WIDE], wide_m[WIDE], wide_label[WIDE];
    loss_widen(ties, wide_ties);
    loss_widen(top.e, wide_top);
    loss_widen(m, wide_m);
    loss_widen(label, wide_label);
    UNROLLED
    for (int w = 0; w < WIDE; w++) {
        others[w] += wide_ties[w] * wide_top[w];
    }
    v_store(out->ratio + r, loss_narrow(others) / top.e);
    UNROLLED
    for (int w = 0; w < WIDE; w++) {
        const int at = r + w * LANES_f64;
        vf64 gap = v_zero_if(v_eq(wide_m[w], wide_label[w]), wide_m[w] - wide_label[w]);
        if (task->smoothing > 0) {
            gap = v_set1(1 - task->smoothing) * gap + v_set1(categorical_floor(task)) * gaps[w];
        }
        v_store(out->gap + at, gap);
        v_store(out->share + at, v_set1(1.0));
        if (task->gradient[0]) {
            v_store(out->top + at, wide_top[w]);
            v_store(out->others + at, others[w]);
        }
    }
}

/* Rows of e·factor − floor, for each lane its own. */
ALWAYS_INLINE void categorical_short_gradient(R *g, const V *e, ptrdiff_t width, V factor, V floor) {
    ptrdiff_t k = 0;
    for (; k + COLS <= width; k += COLS) {
        V block[COLS];
        UNROLLED
        for (int c = 0; c < COLS; c++) {
            block[c] = e[k + c] * factor - floor;
        }
        v_store_columns(g + k, width, block);
    }
    for (; k < width; k++) {
        R lanes[LANES] __attribute__((aligned(64)));
        v_store(lanes, e[k] * factor - floor);
        for (int p = 0; p < LANES; p++) {
            g[p * width + k] = lanes[p];
        }
    }
}

/* ------------------------------------------------------------------------------- the kernel */

/* Labels of a set, and weights where they are not 1; returns the first row whose label is no class, or −1. */
static ptrdiff_t categorical_labels(const loglik_loss_task *task, ptrdiff_t start, ptrdiff_t n, categorical_rows *rows) {
    if (!task->weights && !task->targets && !task->ignores) { /* the usual task */
        int bad = 0;
        for (ptrdiff_t r = 0; r < n; r++) {
            const int64_t label = task->labels[start + r];
            bad |= (uint64_t)label >= (uint64_t)task->width;
            rows->label[r] = (ptrdiff_t)label;
        }
        if (!bad) {
            return -1;
        }
    }
    for (ptrdiff_t r = 0; r < n; r++) {
        rows->weight[r] = task->weights ? (double)((const R *)task->weights)[start + r] : 1;
        rows->label[r] = -1;
        if (task->targets) {
            continue;
        }
        const int64_t label = task->labels[start + r];
        if (task->ignores && label == task->ignored) {
            rows->weight[r] = 0;
        } else if (label < 0 || label >= task->width) {
            return start + r;
        }
        rows->label[r] = rows->weight[r] == 0 ? 0 : (ptrdiff_t)label;
    }
    return -1;
}

/* The derivative in the label's logit: −(1 − p) by the others' share, without cancellation where p is nearly 1. */
ALWAYS_INLINE R categorical_label_slope(const loglik_loss_task *task, double e, double others, double top, double weight) {
    const double rest = (e == top ? others : top + others - e) / (top + others);
    return (R)(-weight * (rest - (task->smoothing - categorical_floor(task))));
}

/* The gradient rows of a set. e: the exponentials of short rows (`together` is then n, else 0); long ones have theirs where the
 * gradient goes. */
static void categorical_gradients(const loglik_loss_task *task, ptrdiff_t start, ptrdiff_t n, const V *e, ptrdiff_t together,
                                  const categorical_rows *rows) {
    enum { ROWS = CATEGORICAL_KEPT, SHORT = CATEGORICAL_SHORT };
    const ptrdiff_t width = task->width;
    const int log_probs = task->form == LOGLIK_LOSS_LOG_PROBS;
    R *const gradient = (R *)task->gradient[0] + start * width;
    R factor[ROWS] __attribute__((aligned(64))), floor[ROWS] __attribute__((aligned(64)));
    double weight[ROWS];
    for (ptrdiff_t r = 0; r < ROWS; r++) {
        weight[r] = r < n ? rows->weight[r] * task->scale : 0;
        factor[r] = r < n && !log_probs ? (R)(weight[r] * rows->share[r] / (rows->top[r] + rows->others[r])) : 0;
        floor[r] = r < n ? (R)(weight[r] * rows->share[r] * categorical_floor(task)) : 0;
    }
    R tail[LANES * SHORT] __attribute__((aligned(64)));
    for (ptrdiff_t r = 0; r < together; r += LANES) {
        const int whole = r + LANES <= together;
        R *const to = whole ? gradient + r * width : tail;
        categorical_short_gradient(to, e + r / LANES * SHORT, width, v_load(factor + r), v_load(floor + r));
        if (!whole) {
            memcpy(gradient + r * width, tail, (size_t)((together - r) * width) * sizeof(R));
        }
    }
    for (ptrdiff_t r = 0; r < n; r++) {
        R *const g = gradient + r * width;
        const ptrdiff_t label = rows->label[r];
        const R kept = (R)(weight[r] * (1 - task->smoothing));
        if (rows->weight[r] == 0) {
            memset(g, 0, (size_t)width * sizeof(R));
            continue;
        }
        double at_label = 0;
        if (label >= 0 && !log_probs) {
            at_label = r < together ? (double)((const R *)(e + r / LANES * SHORT + label))[r % LANES] : (double)g[label];
        }
        if (log_probs) {
            memset(g, 0, (size_t)width * sizeof(R));
        }
        if (r >= together) {
            const R *const t = task->targets ? (const R *)task->targets + (start + r) * width : NULL;
            categorical_long_gradient(g, t, width, factor[r], kept, floor[r]);
        }
        if (label >= 0) {
            g[label] = log_probs ? -kept - floor[r]
                                 : categorical_label_slope(task, at_label, rows->others[r], rows->top[r], weight[r]);
        }
    }
}

static void categorical_nll_task(loglik_loss_task *task) {
    enum { ROWS = CATEGORICAL_ROWS, SHORT = CATEGORICAL_SHORT };
    const fp_state saved = fp_enter();
    const ptrdiff_t width = task->width;
    const int is_short = !task->targets && task->form == LOGLIK_LOSS_LOGITS && width <= SHORT;
    loss_total total = {0, 0};
    vf64 lanes[LOSS_VECTORS] = {{0}};
    task->bad = -1;
    task->which = 0;
    const ptrdiff_t set = is_short && !task->gradient[0] ? ROWS : CATEGORICAL_KEPT;
    R tail[LANES * SHORT + LANES] __attribute__((aligned(64)));
    categorical_rows rows;
    for (ptrdiff_t r = 0; r < ROWS; r++) {
        rows.weight[r] = 1;
    }
    for (ptrdiff_t start = 0; start < task->n; start += set) {
        const ptrdiff_t n = task->n - start < set ? task->n - start : set;
        for (ptrdiff_t r = n; r < set; r++) { /* what is not there costs nothing */
            rows.gap[r] = rows.share[r] = rows.weight[r] = 0;
            rows.ratio[r] = 0;
            rows.label[r] = 0;
        }
        V e[CATEGORICAL_KEPT / LANES * SHORT];
        const ptrdiff_t together = is_short ? n : 0;
        ptrdiff_t bad = categorical_labels(task, start, n, &rows);
        for (ptrdiff_t r = 0; r < together && bad < 0; r += LANES) {
            const R *logits = (const R *)task->model[0] + (start + r) * width;
            if (r + LANES > together) { /* with rows of zeros: the bits of a row do not depend on how many there are */
                memset(tail, 0, sizeof tail);
                memcpy(tail, logits, (size_t)((together - r) * width) * sizeof(R));
                logits = tail;
            }
            categorical_short(task, logits, task->gradient[0] ? e + r / LANES * SHORT : NULL, &rows, (int)r);
        }
        for (ptrdiff_t r = together; r < n && bad < 0; r++) {
            R *const g = task->gradient[0] ? (R *)task->gradient[0] + (start + r) * width : NULL;
            if (categorical_long(task, start + r, g, &rows, (int)r)) {
                const R *const t = (const R *)task->targets + (start + r) * width;
                for (bad = 0; bad < width && t[bad] >= 0 && t[bad] <= 1; bad++) {
                }
                task->which = bad < width ? 0 : -1;
                bad = (start + r) * width + bad % width;
            }
        }
        if (bad >= 0) {
            task->bad = bad;
            break;
        }
        for (ptrdiff_t r = 0; r < set; r += LANES) {
            vf64 log[WIDE];
            loss_widen(vm_log1p(v_load(rows.ratio + r)), log);
            for (int w = 0; w < WIDE; w++) {
                const ptrdiff_t at = r + w * LANES_f64;
                const vf64 weight = v_load(rows.weight + at);
                const vf64 value = v_load(rows.gap + at) + v_load(rows.share + at) * log[w];
                const vf64 weighted = v_zero_if(v_eq(weight, v_set1(0.0)), value * weight);
                lanes[at / LANES_f64 % LOSS_VECTORS] += weighted;
                for (ptrdiff_t k = 0; task->values && k < LANES_f64 && at + k < n; k++) {
                    ((R *)task->values)[start + at + k] = (R)weighted[k];
                }
            }
        }
        if (task->gradient[0]) {
            categorical_gradients(task, start, n, e, together, &rows);
        }
        if ((start + set) % LOSS_BLOCK == 0 || start + set >= task->n) {
            loss_add(&total, loss_sum_lanes(lanes));
            memset(lanes, 0, sizeof lanes);
        }
    }
    task->sum = loss_result(&total);
    fp_leave(saved, 0);
}
