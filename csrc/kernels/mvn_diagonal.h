/* Multivariate normal log-density with independent coordinates, one pass: q += δ·(δ / v), k ascending, points as lanes.
 *
 * Mean and variance may be one for all points (stride 0: prepared once) or one per point; the arithmetic is the same. */

/* The quadratic form of LANES points, adjacent coordinates, under one mean and one set of weights. */
ALWAYS_INLINE V FN(shared_diagonal)(FN(batch) x, FN(batch) mean, const R *weights, ptrdiff_t d) {
    enum { COLS = FN(COLS) };
    const ptrdiff_t bytes = LANES * COLS * (ptrdiff_t)sizeof(R), group = LANES * x.lane * (ptrdiff_t)sizeof(R);
    const uintptr_t ahead = (uintptr_t)x.data + (uintptr_t)((FN(AHEAD) / (group > 0 ? group : 1) + 1) * group);
    V square = C(0);
    for (ptrdiff_t k = 0; k < d; k += COLS) {
        const ptrdiff_t start = k + COLS <= d ? k : d - COLS; /* the last block overlaps the one before */
        V column[COLS];
        FN(v_load_columns)(x.data + start, x.lane, column);
        FN(fetch)(ahead + (uintptr_t)(k / COLS * bytes), x.lane == d ? bytes : 0, FN(L1));
        UNROLLED
        for (int c = 0; c < COLS; c++) {
            if (start + c >= k) {
                const V delta = column[c] - v_set1(mean.data[(start + c) * mean.column]);
                square = v_fma(delta, delta * v_set1(weights[start + c]), square);
            }
        }
    }
    return square;
}

static void FN(mvn_log_prob_diagonal)(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    enum { COLS = FN(COLS), BLOCK = 32 }; /* coordinates at a time; as many mantissas multiply without overflow */
    const ptrdiff_t n = dims[0], d = dims[1], *const s = steps + 4;
    const int shared = steps[2] == 0;
    const fp_state saved = fp_enter();
    R *const weights = shared ? malloc((size_t)(d + 1) * sizeof(R)) : NULL; /* 1 / variance; NULL: divide each time */
    V shared_log_det = C(0);
    int invalid = 0;

    for (ptrdiff_t first = 0; first < n; first += LANES) {
        const ptrdiff_t count = n - first < LANES ? n - first : LANES;
        const FN(batch) x = FN(batch_at)(args[0] + first * steps[0], steps[0], 0, s[0]);
        const FN(batch) mean = FN(batch_at)(args[1] + first * steps[1], steps[1], 0, s[1]);
        const FN(batch) variance = FN(batch_at)(args[2] + first * steps[2], steps[2], 0, s[2]);
        const int prepare = first == 0 || !weights;
        const int fast = !prepare && count == LANES && steps[1] == 0 && x.column == 1 && d >= COLS;
        V square = fast ? FN(shared_diagonal)(x, mean, weights, d) : C(0), log_det = C(0);
        for (ptrdiff_t k = fast ? d : 0; k < d; k += BLOCK) {
            const ptrdiff_t now = d - k < BLOCK ? d - k : BLOCK;
            V point[BLOCK + COLS], center[BLOCK + COLS], v[BLOCK + COLS];
            FN(batch) part[3] = {x, mean, variance};
            for (int a = 0; a < 3; a++) {
                part[a].data += k * part[a].column;
            }
            FN(load_lanes)(point, part[0], 0, now, now, count);
            if (steps[1] == 0) {
                for (ptrdiff_t j = 0; j < now; j++) {
                    center[j] = v_set1(part[1].data[j * part[1].column]);
                }
            } else {
                FN(load_lanes)(center, part[1], 0, now, now, count);
            }
            if (prepare) {
                FN(lane_product) determinant = {C(1), C(0)};
                FN(load_lanes)(v, part[2], 0, now, now, count);
                for (ptrdiff_t j = 0; j < now; j++) {
                    const M good = FN(pivots_good)(v[j]);
                    FN(lane_multiply)(&determinant, v_select(good, v[j], C(1)));
                    v[j] = v_select(good, C(1) / v[j], C(NAN));
                }
                log_det += FN(lane_log_product)(determinant);
                for (ptrdiff_t j = 0; j < now && weights; j++) {
                    R lanes[LANES] __attribute__((aligned(64)));
                    v_store(lanes, v[j]);
                    weights[k + j] = lanes[0];
                }
            }
            for (ptrdiff_t j = 0; j < now; j++) {
                const V delta = point[j] - center[j];
                square = v_fma(delta, delta * (weights ? v_set1(weights[k + j]) : v[j]), square);
            }
        }
        if (weights) {
            shared_log_det = first == 0 ? log_det : shared_log_det;
            log_det = shared_log_det;
        }
        const V log_p = v_fma(C(-0.5), square + log_det, C(-0.91893853320467274) * v_set1((R)d));
        R value[LANES] __attribute__((aligned(64)));
        v_store(value, log_p);
        for (ptrdiff_t p = 0; p < count && m_any(v_unord(log_p, log_p)); p++) {
            if (value[p] == value[p]) {
                continue;
            }
            int good = 1;
            for (ptrdiff_t k = 0; k < d; k++) {
                const R m = FN(entry)(FN(batch_lane)(mean, p), 0, k);
                good &= m - m == 0 && FN(is_pivot)(FN(entry)(FN(batch_lane)(variance, p), 0, k));
            }
            const int nan_input = FN(has_nan)(FN(batch_lane)(x, p), 0, d) || FN(has_nan)(FN(batch_lane)(mean, p), 0, d) ||
                                  FN(has_nan)(FN(batch_lane)(variance, p), 0, d);
            value[p] = good && !nan_input ? (R)-INFINITY : (R)NAN;
            invalid |= !good && !nan_input;
        }
        for (ptrdiff_t p = 0; p < count; p++) {
            *(R *)(args[3] + (first + p) * steps[3]) = value[p];
        }
    }
    free(weights);
    fp_leave(saved, invalid);
}
