/* Sums that the losses share. They are taken in double, in 16 virtual lanes at every level and block by block, in an order
 * that depends on the element's index alone: the same bits for any layout, any number of threads and any instruction set
 * with fused multiply-adds. */

enum {
    FN(LOSS_LANES) = 16,               /* virtual lanes of a sum */
    FN(LOSS_STREAMS) = 16 / LANES,     /* vectors of R that fill them */
    FN(LOSS_GROUP) = 4 * 16,           /* elements whose terms are joined in R before widening */
    FN(LOSS_BLOCK) = 4096,             /* elements between horizontal sums */
    FN(LOSS_AHEAD) = 4096,             /* bytes between a read and its prefetch: the hardware stops at the end of a page */
    FN(WIDE) = REAL_IS_DOUBLE ? 1 : 2, /* double vectors per vector of R */
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

/* ------------------------------------------------------------------------------- one value for each element
 *
 * A loss of up to three arguments is a function of vectors: its value, its derivatives in the model's arguments, and where
 * an argument is outside its range. */

enum { FN(LOSS_MODELS) = LOGLIK_LOSS_MODELS, FN(LOSS_ARGUMENTS) = 1 + LOGLIK_LOSS_MODELS };

typedef void (*FN(loss_point))(const V *in, V *value, V *slope, const int want_slope, M *bad);

/* A part of a task. */
typedef struct {
    const R *in[FN(LOSS_ARGUMENTS)], *weights;
    R *values, *gradient[FN(LOSS_MODELS)], scale;
} FN(loss_part);

ALWAYS_INLINE FN(loss_part) FN(loss_part_of)(const loglik_loss_task *task, ptrdiff_t start) {
    FN(loss_part) part = {.scale = (R)task->scale, .in = {(const R *)task->targets + start}};
    for (int a = 0; a < FN(LOSS_MODELS); a++) {
        part.in[1 + a] = task->model[a] ? (const R *)task->model[a] + start : NULL;
        part.gradient[a] = task->gradient[a] ? (R *)task->gradient[a] + start : NULL;
    }
    part.weights = task->weights ? (const R *)task->weights + start : NULL;
    part.values = task->values ? (R *)task->values + start : NULL;
    return part;
}

/* 16 elements from `at` on. */
ALWAYS_INLINE void FN(loss_row)(const FN(loss_part) *part, ptrdiff_t at, vf64 *lanes, const int models,
                                const FN(loss_point) point, const int want_slope, M *bad) {
    UNROLLED
    for (int s = 0; s < FN(LOSS_STREAMS); s++, at += LANES) {
        V in[FN(LOSS_ARGUMENTS)], value, slope[FN(LOSS_MODELS)];
        UNROLLED
        for (int a = 0; a <= models; a++) {
            in[a] = v_load(part->in[a] + at);
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
        for (int a = 0; a < models && want_slope; a++) {
            if (part->gradient[a]) {
                const V weighted = part->weights ? v_zero_unless(counts, slope[a] * weight) : slope[a];
                v_store(part->gradient[a] + at, weighted * v_set1(part->scale));
            }
        }
        vf64 wide[FN(WIDE)];
        FN(loss_widen)(value, wide);
        UNROLLED
        for (int k = 0; k < FN(WIDE); k++) {
            lanes[s * FN(WIDE) + k] += wide[k];
        }
    }
}

/* The n <= LOSS_BLOCK elements of a part; returns their sum. */
ALWAYS_INLINE double FN(loss_points)(const FN(loss_part) *part, ptrdiff_t n, const int models, const FN(loss_point) point,
                                     const int want_slope, int *bad) {
    enum { ROW = FN(LOSS_LANES) };
    vf64 lanes[LOSS_VECTORS] = {{0}};
    M any_bad = M_NONE;
    const ptrdiff_t whole = n / ROW * ROW, rest = n - whole;
    for (ptrdiff_t i = 0; i < whole; i += ROW) {
        UNROLLED
        for (int a = 0; a <= models; a++) {
            for (size_t line = 0; line < ROW * sizeof(R); line += 64) {
                __builtin_prefetch((const char *)(part->in[a] + i) + line + FN(LOSS_AHEAD));
            }
        }
        FN(loss_row)(part, i, lanes, models, point, want_slope, &any_bad);
    }
    if (rest) { /* padded with copies of an element whose weight is 0 */
        R in[FN(LOSS_ARGUMENTS)][ROW], weights[ROW], values[ROW], gradient[FN(LOSS_MODELS)][ROW];
        FN(loss_part) padded = {.weights = weights, .values = values, .scale = part->scale};
        for (ptrdiff_t k = 0; k < ROW; k++) {
            const ptrdiff_t source = whole + (k < rest ? k : 0);
            for (int a = 0; a <= models; a++) {
                in[a][k] = part->in[a][source];
            }
            weights[k] = k >= rest ? 0 : part->weights ? part->weights[source] : (R)1;
        }
        for (int a = 0; a <= models; a++) {
            padded.in[a] = in[a];
        }
        for (int a = 0; a < models; a++) {
            padded.gradient[a] = gradient[a];
        }
        FN(loss_row)(&padded, 0, lanes, models, point, want_slope, &any_bad);
        if (part->values) {
            memcpy(part->values + whole, values, (size_t)rest * sizeof(R));
        }
        for (int a = 0; a < models; a++) {
            if (part->gradient[a]) {
                memcpy(part->gradient[a] + whole, gradient[a], (size_t)rest * sizeof(R));
            }
        }
    }
    *bad = m_any(any_bad);
    return loss_sum_lanes(lanes);
}
