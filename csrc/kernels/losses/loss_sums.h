/* Sums that the losses share. They are taken in double, in 16 virtual lanes at every level and block by block, in an order
 * that depends on the element's index alone: the same bits for any layout, any number of threads and any instruction set
 * with fused multiply-adds. */

enum {
    LOSS_LANES = 16, /* virtual lanes of a sum */
    LOSS_STREAMS = 16 / LANES,     /* vectors of R that fill them */
    LOSS_GROUP = 4 * 16,           /* elements whose terms are joined in R before widening */
    LOSS_BLOCK = 4096,             /* elements between horizontal sums */
    LOSS_AHEAD = 4096,             /* bytes between a read and its prefetch: the hardware stops at the end of a page */
    WIDE = REAL_IS_DOUBLE ? 1 : 2, /* double vectors per vector of R */
};

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

ALWAYS_INLINE void loss_widen(V x, vf64 *wide) {
#if REAL_IS_DOUBLE
    wide[0] = x;
#else
    v_widen(x, wide, wide + 1);
#endif
}

ALWAYS_INLINE V loss_narrow(const vf64 *wide) {
#if REAL_IS_DOUBLE
    return wide[0];
#else
    return v_narrow(wide[0], wide[1]);
#endif
}

/* ------------------------------------------------------------------------------- one value for each element
 *
 * A loss of up to three arguments is a function of vectors: its value, its derivatives in the model's arguments, and where
 * an argument is outside its range. */

enum { LOSS_MODELS = LOGLIK_LOSS_MODELS, LOSS_ARGUMENTS = 1 + LOGLIK_LOSS_MODELS };

typedef void (*loss_point)(const V *in, V *value, V *slope, int want_slope, M *bad);

/* A part of a task. */
typedef struct {
    const R *in[LOSS_ARGUMENTS], *weights;
    R *values, *gradient[LOSS_MODELS], scale;
} loss_part;

ALWAYS_INLINE loss_part loss_part_of(const loglik_loss_task *task, ptrdiff_t start) {
    loss_part part = {.scale = (R)task->scale, .in = {(const R *)task->targets + start}};
    for (int a = 0; a < LOSS_MODELS; a++) {
        part.in[1 + a] = task->model[a] ? (const R *)task->model[a] + start : NULL;
        part.gradient[a] = task->gradient[a] ? (R *)task->gradient[a] + start : NULL;
    }
    part.weights = task->weights ? (const R *)task->weights + start : NULL;
    part.values = task->values ? (R *)task->values + start : NULL;
    return part;
}

/* 16 elements from `at` on. */
ALWAYS_INLINE void loss_row(const loss_part *part, ptrdiff_t at, vf64 *lanes, const int models,
                            const loss_point point, int want_slope, M *bad) {
    ROLLED
    for (int s = 0; s < LOSS_STREAMS; s++, at += LANES) {
        V in[LOSS_ARGUMENTS], value, slope[LOSS_MODELS];
        UNROLLED
        for (int a = 0; a <= models; a++) {
            in[a] = v_load(part->in[a] + at);
        }
        UNROLLED
        for (int a = 0; a < models; a++) {
            slope[a] = C(0);
        }
        point(in, &value, slope, want_slope, bad);
        V weight = C(1);
        M counts = v_eq(weight, weight);
        if (part->weights) { /* weight 0 takes an element out, also one with an infinite loss */
            weight = v_load(part->weights + at);
            counts = m_not(v_eq(weight, C(0)));
            value = v_zero_unless(counts, value * weight);
        }
        if (part->values) {
            v_store(part->values + at, value);
        }
        UNROLLED
        for (int a = 0; a < models; a++) {
            if (want_slope && part->gradient[a]) {
                const V weighted = part->weights ? v_zero_unless(counts, slope[a] * weight) : slope[a];
                v_store(part->gradient[a] + at, weighted * v_set1(part->scale));
            }
        }
        vf64 wide[WIDE];
        loss_widen(value, wide);
        UNROLLED
        for (int k = 0; k < WIDE; k++) {
            lanes[s * WIDE + k] += wide[k];
        }
    }
}

/* Memory for the last row of a part, padded with copies of an element whose weight is 0. */
typedef struct {
    R in[LOSS_ARGUMENTS][LOSS_LANES], weights[LOSS_LANES], values[LOSS_LANES];
    R gradient[LOSS_MODELS][LOSS_LANES];
} loss_padding;

static __attribute__((noinline)) loss_part loss_pad(const loss_part *part, ptrdiff_t start, ptrdiff_t rest, int models,
                                                    loss_padding *padding) {
    loss_part padded = {.weights = padding->weights, .values = padding->values, .scale = part->scale};
    for (int a = 0; a <= models; a++) {
        padded.in[a] = padding->in[a];
    }
    for (int a = 0; a < models; a++) {
        padded.gradient[a] = padding->gradient[a];
    }
    for (ptrdiff_t k = 0; k < LOSS_LANES; k++) {
        const ptrdiff_t source = start + (k < rest ? k : 0);
        for (int a = 0; a <= models; a++) {
            padding->in[a][k] = part->in[a][source];
        }
        padding->weights[k] = k >= rest ? 0 : part->weights ? part->weights[source] : (R)1;
    }
    return padded;
}

static __attribute__((noinline)) void loss_unpad(const loss_part *part, ptrdiff_t start, ptrdiff_t rest, int models,
                                                 const loss_padding *padding) {
    if (part->values) {
        memcpy(part->values + start, padding->values, (size_t)rest * sizeof(R));
    }
    for (int a = 0; a < models; a++) {
        if (part->gradient[a]) {
            memcpy(part->gradient[a] + start, padding->gradient[a], (size_t)rest * sizeof(R));
        }
    }
}

/* The n <= LOSS_BLOCK elements of a part; returns their sum. */
ALWAYS_INLINE double loss_points(const loss_part *part, ptrdiff_t n, const int models, const loss_point point, int *bad) {
    enum { ROW = LOSS_LANES };
    const int want_slope = part->gradient[0] || part->gradient[1];
    vf64 lanes[LOSS_VECTORS] = {{0}};
    M any_bad = M_NONE;
    loss_padding padding;
    loss_part now = *part;
    for (ptrdiff_t i = 0; i < n; i += ROW) {
        const ptrdiff_t rest = n - i;
        ptrdiff_t at = i;
        if (rest < ROW) {
            now = loss_pad(part, i, rest, models, &padding);
            at = 0;
        }
        UNROLLED
        for (int a = 0; a <= models; a++) {
            for (size_t line = 0; line < ROW * sizeof(R); line += 64) {
                __builtin_prefetch((const char *)(now.in[a] + at) + line + LOSS_AHEAD);
            }
        }
        loss_row(&now, at, lanes, models, point, want_slope, &any_bad);
        if (rest < ROW) {
            loss_unpad(part, i, rest, models, &padding);
        }
    }
    *bad = m_any(any_bad);
    return loss_sum_lanes(lanes);
}
