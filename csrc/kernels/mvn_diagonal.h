/* Multivariate normal log-density with independent coordinates, one pass: q += δ·(δ / v), k ascending, points as lanes.
 *
 * Mean and variance may be one for all points (stride 0: prepared once) or one per point; the arithmetic is the same. */

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
        V square = C(0), log_det = C(0);
        for (ptrdiff_t k = 0; k < d; k += BLOCK) {
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

/* First entry (i, j), i > j, in row order with |a_ij − a_ji| > √u·√(a_ii·a_jj), as i·d + j; 0: none. An entry that is not
 * finite counts: the caller tells the cases apart. */
static void FN(asymmetry)(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    const ptrdiff_t d = dims[1], *const s = steps + 2;
    const R sqrt_u = REAL_IS_DOUBLE ? (R)0x1.6a09e667f3bcdp-27 : (R)0x1p-12;
    const fp_state saved = fp_enter();
    for (ptrdiff_t i = 0; i < dims[0]; i++) {
        const FN(rows) a = FN(rows_at)(args[0] + i * steps[0], s[0], s[1]);
        ptrdiff_t found = 0;
        int differs = 0; /* nearly always equal bit for bit: decided without a branch or a square root */
        for (ptrdiff_t r = 1; r < d; r++) {
            for (ptrdiff_t c = 0; c < r; c++) {
                differs |= FN(entry)(a, r, c) != FN(entry)(a, c, r);
            }
        }
        for (ptrdiff_t r = 1; r < d && differs && !found; r++) {
            const R scale = sqrt_u * (R)sqrt((double)FN(entry)(a, r, r));
            for (ptrdiff_t c = 0; c < r && !found; c++) {
                const R low = FN(entry)(a, r, c), gap = low - FN(entry)(a, c, r);
                if (gap != 0 && !(fabs((double)gap) <= (double)scale * sqrt((double)FN(entry)(a, c, c)))) {
                    found = r * d + c;
                }
            }
        }
        *(int32_t *)(args[1] + i * steps[1]) = (int32_t)found;
    }
    fp_leave(saved, 0);
}
