/* Multivariate normal log-density with independent coordinates, one pass: q += δ·(δ / v), k ascending, points as lanes.
 *
 * Mean and variance may be one for all points (stride 0: prepared once) or one per point, or points and Gaussians may make a grid;
 * the arithmetic is the same. */

enum { DIAGONAL_BLOCK = 32 }; /* coordinates at a time; as many mantissas multiply without overflow */

/* v ← 1 / v, NaN where it is no variance; the logarithm of the product of the good ones. */
ALWAYS_INLINE V invert_variances(V *v, ptrdiff_t n) {
    lane_product determinant = {C(1), C(0)};
    for (ptrdiff_t j = 0; j < n; j++) {
        const M good = pivots_good(v[j]);
        lane_multiply(&determinant, v_select(good, v[j], C(1)));
        v[j] = v_select(good, C(1) / v[j], C(NAN));
    }
    return lane_log_product(determinant);
}

ALWAYS_INLINE V diagonal_log_p(V square, V log_det, ptrdiff_t d) {
    return v_fma(C(-0.5), square + log_det, C(-0.91893853320467274) * v_set1((R)d));
}

/* Values that are NaN without a NaN in the input: -inf where the parameters are good. Nonzero: somewhere they are not. */
static __attribute__((noinline)) int repair_diagonal(R *value, ptrdiff_t count, batch x, batch mean, batch variance,
                                                     ptrdiff_t d) {
    int invalid = 0;
    for (ptrdiff_t p = 0; p < count; p++) {
        if (value[p] == value[p]) {
            continue;
        }
        int good = 1;
        for (ptrdiff_t k = 0; k < d; k++) {
            const R m = entry_of(batch_lane(mean, p), 0, k);
            good &= m - m == 0 && is_pivot(entry_of(batch_lane(variance, p), 0, k));
        }
        const int nan_input = has_nan(batch_lane(x, p), 0, d) || has_nan(batch_lane(mean, p), 0, d) ||
                              has_nan(batch_lane(variance, p), 0, d);
        value[p] = good && !nan_input ? (R)-INFINITY : (R)NAN;
        invalid |= !good && !nan_input;
    }
    return invalid;
}

/* The quadratic form of LANES points, adjacent coordinates, under one mean and one set of weights. */
ALWAYS_INLINE V shared_diagonal(batch x, batch mean, const R *weights, ptrdiff_t d) {
    const ptrdiff_t bytes = LANES * COLS * (ptrdiff_t)sizeof(R), group = LANES * x.lane * (ptrdiff_t)sizeof(R);
    const uintptr_t ahead = (uintptr_t)x.data + (uintptr_t)((AHEAD / (group > 0 ? group : 1) + 1) * group);
    V square = C(0);
    for (ptrdiff_t k = 0; k < d; k += COLS) {
        const ptrdiff_t start = k + COLS <= d ? k : d - COLS; /* the last block overlaps the one before */
        V column[COLS];
        v_load_columns(x.data + start, x.lane, column);
        fetch(ahead + (uintptr_t)(k / COLS * bytes), x.lane == d ? bytes : 0, L1);
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

static void mvn_log_prob_diagonal_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    enum { BLOCK = DIAGONAL_BLOCK };
    const ptrdiff_t n = dims[0], d = dims[1], *const s = steps + 4;
    const int shared = steps[2] == 0;
    const fp_state saved = fp_enter();
    R *const weights = shared ? malloc((size_t)(d + 1) * sizeof(R)) : NULL; /* 1 / variance; NULL: divide each time */
    V shared_log_det = C(0);
    int invalid = 0;

    for (ptrdiff_t first = 0; first < n; first += LANES) {
        const ptrdiff_t count = n - first < LANES ? n - first : LANES;
        const batch x = batch_at(args[0] + first * steps[0], steps[0], 0, s[0]);
        const batch mean = batch_at(args[1] + first * steps[1], steps[1], 0, s[1]);
        const batch variance = batch_at(args[2] + first * steps[2], steps[2], 0, s[2]);
        const int prepare = first == 0 || !weights;
        const int fast = !prepare && count == LANES && steps[1] == 0 && x.column == 1 && d >= COLS;
        V square = fast ? shared_diagonal(x, mean, weights, d) : C(0), log_det = C(0);
        for (ptrdiff_t k = fast ? d : 0; k < d; k += BLOCK) {
            const ptrdiff_t now = d - k < BLOCK ? d - k : BLOCK;
            V point[BLOCK + COLS], center[BLOCK + COLS], v[BLOCK + COLS];
            batch part[3] = {x, mean, variance};
            for (int a = 0; a < 3; a++) {
                part[a].data += k * part[a].column;
            }
            load_lanes(point, part[0], 0, now, now, count);
            if (steps[1] == 0) {
                for (ptrdiff_t j = 0; j < now; j++) {
                    center[j] = v_set1(part[1].data[j * part[1].column]);
                }
            } else {
                load_lanes(center, part[1], 0, now, now, count);
            }
            if (prepare) {
                load_lanes(v, part[2], 0, now, now, count);
                log_det += invert_variances(v, now);
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
        const V log_p = diagonal_log_p(square, log_det, d);
        R value[LANES] __attribute__((aligned(64)));
        v_store(value, log_p);
        if (__builtin_expect(m_any(v_unord(log_p, log_p)), 0)) {
            invalid |= repair_diagonal(value, count, x, mean, variance, d);
        }
        for (ptrdiff_t p = 0; p < count; p++) {
            *(R *)(args[3] + (first + p) * steps[3]) = value[p];
        }
    }
    free(weights);
    fp_leave(saved, invalid);
}

/* Squared norms of a tile of points under two Gaussians, of which m0 and m1 are the means. */
ALWAYS_INLINE void diagonal_squares(V (*square)[LOGLIK_TILE_VECTORS], const R *tile, const R *m0, const R *w0, const R *m1,
                                    const R *w1, ptrdiff_t d) {
    V sum[2][VECTORS];
    UNROLLED
    for (int v = 0; v < VECTORS; v++) {
        sum[0][v] = sum[1][v] = C(0);
    }
    for (ptrdiff_t k = 0; k < d; k++) {
        const V m[2] = {v_set1(m0[k]), v_set1(m1[k])}, w[2] = {v_set1(w0[k]), v_set1(w1[k])};
        UNROLLED
        for (int v = 0; v < VECTORS; v++) {
            const V x = v_load(tile + k * TILE + v * LANES);
            UNROLLED
            for (int g = 0; g < 2; g++) {
                sum[g][v] = v_fma(x - m[g], (x - m[g]) * w[g], sum[g][v]);
            }
        }
    }
    UNROLLED
    for (int v = 0; v < VECTORS; v++) {
        square[0][v] = sum[0][v];
        square[1][v] = sum[1][v];
    }
}

/* Means, 1 / variances and log-determinants of k Gaussians. */
static void prepare_diagonal(batch mean, batch variance, ptrdiff_t k, ptrdiff_t d, R *means, R *weights, R *log_dets) {
    enum { BLOCK = DIAGONAL_BLOCK };
    for (ptrdiff_t j = 0; j < k; j++) {
        for (ptrdiff_t i = 0; i < d; i++) {
            means[j * d + i] = entry_of(batch_lane(mean, j), 0, i);
        }
    }
    for (ptrdiff_t j = 0; j < k; j += LANES) {
        const ptrdiff_t count = k - j < LANES ? k - j : LANES;
        R lanes[LANES] __attribute__((aligned(64)));
        V log_det = C(0);
        for (ptrdiff_t start = 0; start < d; start += BLOCK) {
            const ptrdiff_t now = d - start < BLOCK ? d - start : BLOCK;
            V v[BLOCK];
            gather_lanes(v, variance.data + j * variance.lane + start * variance.column, variance.lane, variance.column, now,
                         count);
            log_det += invert_variances(v, now);
            put_columns((value_sink){(char *)(weights + j * d + start), d * (ptrdiff_t)sizeof(R), sizeof(R)}, v, (int)now, 1, 0, 0, count);
        }
        v_store(lanes, log_det);
        memcpy(log_dets + j, lanes, (size_t)count * sizeof(R));
    }
}

/* The points of a problem, under each of its k Gaussians. Nonzero: parameters were bad. */
static int diagonal_grid(view x, ptrdiff_t n, batch mean, batch variance, ptrdiff_t k, ptrdiff_t d, value_sink sink,
                         R *memory) {
    R *const tile = memory, *const means = tile + TILE * d, *const weights = means + k * d, *const log_dets = weights + k * d;
    int invalid = 0;
    prepare_diagonal(mean, variance, k, d, means, weights, log_dets);
    for (ptrdiff_t first = 0; first < n; first += TILE) {
        const ptrdiff_t count = n - first < TILE ? n - first : TILE;
        load_tile(tile, x, first, count, d, NULL);
        for (ptrdiff_t j = 0; j < k; j += COLS) {
            const int columns = (int)(k - j < COLS ? k - j : COLS);
            V value[COLS + 1][VECTORS];
            for (int c = 0; c < columns; c += 2) {
                const ptrdiff_t one = (j + c) * d, other = c + 1 < columns ? one + d : one;
                diagonal_squares(value + c, tile, means + one, weights + one, means + other, weights + other, d);
            }
            for (int c = 0; c < columns; c++) {
                const V log_det = v_set1(log_dets[j + c]);
                M nan = M_NONE;
                UNROLLED
                for (int v = 0; v < VECTORS; v++) {
                    value[c][v] = diagonal_log_p(value[c][v], log_det, d);
                    nan |= v_unord(value[c][v], value[c][v]);
                }
                if (__builtin_expect(m_any(nan), 0)) {
                    const batch points = {x.data + first * x.row, x.row, 0, x.column};
                    const batch own[2] = {{mean.data + (j + c) * mean.lane, 0, 0, mean.column},
                                              {variance.data + (j + c) * variance.lane, 0, 0, variance.column}};
                    R lanes[TILE] __attribute__((aligned(64)));
                    for (int v = 0; v < VECTORS; v++) {
                        v_store(lanes + v * LANES, value[c][v]);
                    }
                    invalid |= repair_diagonal(lanes, count, points, own[0], own[1], d);
                    for (int v = 0; v < VECTORS; v++) {
                        value[c][v] = v_load(lanes + v * LANES);
                    }
                }
            }
            put_columns(sink, value[0], columns, VECTORS, j, first, count);
        }
    }
    return invalid;
}

static void mvn_log_prob_diagonal_grid_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    const ptrdiff_t n = dims[1], d = dims[2], k = dims[3], *const s = steps + 4;
    const fp_state saved = fp_enter();
    R *const memory = n >= LANES && k > 1 ? malloc((size_t)((TILE + 2 * k) * d + k) * sizeof(R)) : NULL;
    int invalid = 0;
    for (ptrdiff_t e = 0; e < dims[0]; e++) {
        char *at[4];
        for (int a = 0; a < 4; a++) {
            at[a] = args[a] + e * steps[a];
        }
        if (memory) {
            invalid |= diagonal_grid(rows_at(at[0], s[0], s[1]), n, batch_at(at[1], s[2], 0, s[3]),
                                     batch_at(at[2], s[4], 0, s[5]), k, d, (value_sink){at[3], s[6], s[7]}, memory);
            continue;
        }
        /* Few points, or one Gaussian, or no memory: along the longer axis. */
        const ptrdiff_t of_points[7] = {s[0], 0, 0, s[6], s[1], s[3], s[5]}, of_gaussians[7] = {0, s[2], s[4], s[7], s[1], s[3], s[5]};
        const ptrdiff_t *const along = n >= k ? of_points : of_gaussians, *const across = n >= k ? of_gaussians : of_points;
        const ptrdiff_t size[2] = {n >= k ? n : k, d};
        for (ptrdiff_t i = n >= k ? k : n; i > 0; i--) {
            mvn_log_prob_diagonal_loop(at, size, along, data);
            for (int a = 0; a < 4; a++) {
                at[a] += across[a];
            }
        }
    }
    free(memory);
    fp_leave(saved, invalid);
}
