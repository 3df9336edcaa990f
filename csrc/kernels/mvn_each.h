/* Multivariate normal log-density where every point brings its own matrix.
 *
 * Matrices are lanes: a group of LANES problems is transposed while it is loaded, and the code below then reads like
 * that for one small matrix. The factorisation is A = (unit triangle)·D·(unit triangle)ᵀ: one division per pivot and
 * no square root. The centred point is treated as one more row of the matrix,
 *
 *     [ A   δ ]        whose last pivot is  0 − δᵀ A⁻¹ δ,
 *     [ δᵀ  0 ]
 *
 * so factorisation, solve and quadratic form are one loop. The determinant is a product of mantissas and a sum of
 * exponents: one logarithm per matrix. A failed pivot is recorded in its lane and replaced by one; lanes never mix,
 * so the neighbours of a bad matrix keep their bits.
 *
 * Above EACH_MAX a group no longer fits the second-level cache: the blocked Cholesky per matrix takes over. */

enum {
    FN(EACH_MAX) = 64,
    FN(EACH_ROWS) = LOGLIK_TILE_ROWS == 8 ? 4 : 2, /* rows x EACH_COLUMNS accumulators */
    FN(EACH_COLUMNS) = 4,
};

/* ---------------------------------------------------------------------------------- groups of problems */

/* One argument of a group: lane p starts at data + p·lane (elements). */
typedef struct {
    const R *data;
    ptrdiff_t lane, row, column;
} FN(batch);

ALWAYS_INLINE FN(batch) FN(batch_at)(const char *data, ptrdiff_t lane, ptrdiff_t row, ptrdiff_t column) {
    const ptrdiff_t size = sizeof(R);
    return (FN(batch)){(const R *)data, lane / size, row / size, column / size};
}
ALWAYS_INLINE FN(rows) FN(batch_lane)(FN(batch) b, ptrdiff_t p) {
    return (FN(rows)){b.data + p * b.lane, b.row, b.column};
}

/* out[k] = entries k < columns of one row, lanes being problems; lanes from count on repeat the last one.
 * width: entries in the row, all of which may be loaded. out has room for the next multiple of COLS. */
ALWAYS_INLINE void FN(load_lanes)(V *out, FN(batch) b, ptrdiff_t row, ptrdiff_t columns, ptrdiff_t width, ptrdiff_t count) {
    enum { COLS = FN(COLS) };
    const R *const p = b.data + row * b.row;
    if (count == LANES && b.column == 1 && width >= COLS) {
        for (ptrdiff_t k = 0; k < columns; k += COLS) {
            const ptrdiff_t start = k + COLS <= width ? k : width - COLS;
            FN(v_load_columns)(p + start, b.lane, out + start);
        }
    } else {
        for (ptrdiff_t k = 0; k < columns; k++) {
            R value[LANES] __attribute__((aligned(64)));
            for (ptrdiff_t i = 0; i < LANES; i++) {
                value[i] = p[(i < count ? i : count - 1) * b.lane + k * b.column];
            }
            out[k] = v_load(value);
        }
    }
}

/* Product of positive normal numbers per lane, as mantissas and exponents (see product in mvn_shared.h). Up to 64
 * mantissas in [1, 2) do not overflow. */
typedef struct {
    V mantissa, exponent;
} FN(lane_product);

ALWAYS_INLINE void FN(lane_multiply)(FN(lane_product) *p, V x) {
#if REAL_IS_DOUBLE
    const VI bits = v_bits(x), exponent = vi_shr(bits, 52) - 1023;
    p->mantissa *= v_from_bits((bits & CI(0xfffffffffffff)) | CI(1023ll << 52));
#else
    const VI bits = v_bits(x), exponent = vi_shr(bits, 23) - 127;
    p->mantissa *= v_from_bits((bits & CI(0x7fffff)) | CI(127 << 23));
#endif
    p->exponent += v_from_int(exponent);
}

ALWAYS_INLINE V FN(lane_log_product)(FN(lane_product) p) {
    return v_fma(p.exponent, C(0.69314718055994531), FN(vm_log_normal)(p.mantissa));
}

ALWAYS_INLINE M FN(pivots_good)(V pivot) {
#if REAL_IS_DOUBLE
    return v_ge(pivot, C(0x1p-1022)) & v_le(pivot, C(0x1.fffffffffffffp1023));
#else
    return v_ge(pivot, C(0x1p-126f)) & v_le(pivot, C(0x1.fffffep127f));
#endif
}

/* ---------------------------------------------------------------------------------- factorisation */

/* State of a group while its rows are taken one block after the other. */
typedef struct {
    V *unit;    /* rows of the unit triangle, row i from i·(i − 1)/2 */
    V *inverse; /* 1 / pivot */
    V failed;   /* 1-based pivot that failed first, 0: none */
    FN(lane_product) determinant;
} FN(group);

ALWAYS_INLINE ptrdiff_t FN(unit_row)(ptrdiff_t i) { return i * (i - 1) / 2; }

/* c[r][j ... j + columns) of `rows` rows: Σ over the columns before j, then the triangle. */
ALWAYS_INLINE void FN(each_columns)(const int rows, const int columns, V *c, ptrdiff_t width, ptrdiff_t j, const V *unit) {
    V acc[FN(EACH_ROWS)][FN(EACH_COLUMNS)];
    for (int r = 0; r < rows; r++) {
        for (int q = 0; q < columns; q++) {
            acc[r][q] = c[r * width + j + q];
        }
    }
    for (ptrdiff_t k = 0; k < j; k++) {
        for (int q = 0; q < columns; q++) {
            const V l = unit[FN(unit_row)(j + q) + k];
            for (int r = 0; r < rows; r++) {
                acc[r][q] = v_fnma(l, c[r * width + k], acc[r][q]);
            }
        }
    }
    for (int q = 0; q < columns; q++) {
        for (int s = 0; s < q; s++) {
            const V l = unit[FN(unit_row)(j + q) + j + s];
            for (int r = 0; r < rows; r++) {
                acc[r][q] = v_fnma(l, acc[r][s], acc[r][q]);
            }
        }
        for (int r = 0; r < rows; r++) {
            c[r * width + j + q] = acc[r][q];
        }
    }
}

/* Rows i ... i + rows − 1 of the matrix bordered by the point; c holds their entries. Returns the last pivot. */
ALWAYS_INLINE V FN(each_rows)(const int rows, FN(group) *g, V *c, ptrdiff_t width, ptrdiff_t i, ptrdiff_t d) {
    enum { ROWS = FN(EACH_ROWS), COLUMNS = FN(EACH_COLUMNS) };
    V *const unit = g->unit;
    ptrdiff_t j = 0;
    for (; j + COLUMNS <= i; j += COLUMNS) {
        FN(each_columns)(rows, COLUMNS, c, width, j, unit);
    }
    if (j < i) { /* i is a multiple of ROWS, 2 or 4 */
        FN(each_columns)(rows, 2, c, width, j, unit);
    }
    V acc[ROWS][ROWS];
    for (int r = 0; r < rows; r++) {
        for (int s = 0; s <= r; s++) {
            acc[r][s] = c[r * width + i + s];
        }
    }
    for (ptrdiff_t k = 0; k < i; k++) {
        const V w = g->inverse[k];
        for (int r = 0; r < rows; r++) {
            const V ck = c[r * width + k], u = ck * w;
            unit[FN(unit_row)(i + r) + k] = u;
            for (int s = r; s < rows; s++) {
                acc[s][r] = v_fnma(u, c[s * width + k], acc[s][r]);
            }
        }
    }
    for (int s = 0; s < rows && i + s < d; s++) {
        V pivot = acc[s][s];
        const M good = FN(pivots_good)(pivot);
        if (!m_all(good)) {
            g->failed = v_select(m_not(good) & v_eq(g->failed, C(0)), v_set1((R)(i + s + 1)), g->failed);
            pivot = v_select(good, pivot, C(1));
        }
        FN(lane_multiply)(&g->determinant, pivot);
        const V w = C(1) / pivot;
        g->inverse[i + s] = w;
        for (int r = s + 1; r < rows; r++) {
            const V u = acc[r][s] * w;
            unit[FN(unit_row)(i + r) + i + s] = u;
            for (int q = s + 1; q <= r; q++) { /* row q's u is stored: q <= r */
                acc[r][q] = v_fnma(unit[FN(unit_row)(i + q) + i + s], acc[r][s], acc[r][q]);
            }
        }
    }
    return acc[rows - 1][rows - 1];
}

/* The value of each lane, from what its parameters and the point turned out to be. */
static __attribute__((noinline)) int FN(each_repair)(R *value, int32_t *info, FN(batch) x, FN(batch) mean, FN(batch) matrix,
                                                     ptrdiff_t d, ptrdiff_t count) {
    int invalid = 0;
    for (ptrdiff_t p = 0; p < count; p++) {
        const FN(rows) a = FN(batch_lane)(matrix, p), m = FN(batch_lane)(mean, p);
        if (value[p] == value[p] && info[p] == 0) {
            continue;
        }
        int nan_input = FN(has_nan)(FN(batch_lane)(x, p), 0, d) || FN(has_nan)(m, 0, d);
        int mean_finite = 1;
        for (ptrdiff_t k = 0; k < d; k++) {
            mean_finite &= FN(entry)(m, 0, k) - FN(entry)(m, 0, k) == 0;
        }
        if (info[p] != 0) {
            info[p] = FN(failure)(a, d, info[p]);
            for (ptrdiff_t i = 0; i < d && info[p] < 0; i++) {
                nan_input |= FN(has_nan)(a, i, i + 1);
            }
        } else if (mean_finite && !nan_input) { /* overflow, or an infinite coordinate */
            value[p] = (R)-INFINITY;
            continue;
        }
        value[p] = (R)NAN;
        invalid |= !nan_input;
    }
    return invalid;
}

/* Writes a group's values and infos; returns whether NaN was made. */
ALWAYS_INLINE int FN(each_finish)(V log_p, V failed, FN(batch) x, FN(batch) mean, FN(batch) matrix, ptrdiff_t d,
                                  ptrdiff_t count, char *out, ptrdiff_t out_step, char *info, ptrdiff_t info_step) {
    R value[LANES] __attribute__((aligned(64))), pivot[LANES] __attribute__((aligned(64)));
    int32_t code[LANES] = {0};
    int invalid = 0;
    v_store(value, log_p);
    if (m_any(v_unord(log_p, log_p)) || !m_all(v_eq(failed, C(0)))) {
        v_store(pivot, failed);
        for (int i = 0; i < LANES; i++) {
            code[i] = (int32_t)pivot[i];
        }
        invalid = FN(each_repair)(value, code, x, mean, matrix, d, count);
    }
    for (ptrdiff_t p = 0; p < count; p++) {
        *(R *)(out + p * out_step) = value[p];
        *(int32_t *)(info + p * info_step) = code[p];
    }
    return invalid;
}

ALWAYS_INLINE ptrdiff_t FN(each_width)(ptrdiff_t d) { return d + 1 + FN(COLS); }
/* Vectors of scratch: unit triangle of d + 1 rows, inverses, a block of rows, the mean. */
ALWAYS_INLINE ptrdiff_t FN(each_size)(ptrdiff_t d) {
    return FN(unit_row)(d + 1) + d + 1 + d + (FN(EACH_ROWS) + 1) * FN(each_width)(d);
}

/* One group; d is a constant where it is small. Returns whether NaN was made. */
ALWAYS_INLINE int FN(each_group)(const ptrdiff_t d, FN(batch) x, FN(batch) mean, FN(batch) matrix, ptrdiff_t count, int more,
                                 V *scratch, char *out, ptrdiff_t out_step, char *info, ptrdiff_t info_step) {
    enum { ROWS = FN(EACH_ROWS), LINE = 64 / sizeof(R) };
    const ptrdiff_t width = FN(each_width)(d);
    V *const rows = scratch, *const shift = rows + ROWS * width;
    FN(group) g = {.inverse = shift + width, .unit = shift + width + d, .failed = C(0), .determinant = {C(1), C(0)}};
    V last = C(0);

    for (ptrdiff_t i = 0; i <= d; i += ROWS) {
        for (int r = 0; r < ROWS && i + r <= d; r++) {
            V *const c = rows + r * width;
            if (i + r < d) {
                FN(load_lanes)(c, matrix, i + r, i + r + 1, d, count);
                if (more) { /* the next group's share of bytes, in order: nothing else finds so many streams */
                    const R *const ahead = matrix.data + LANES * matrix.lane + (i + r) * LANES * matrix.lane / d;
                    for (ptrdiff_t e = 0; e < LANES * d; e += LINE) {
                        __builtin_prefetch(ahead + e);
                    }
                }
            } else {
                FN(load_lanes)(c, x, 0, d, d, count);
                FN(load_lanes)(shift, mean, 0, d, d, count);
                for (ptrdiff_t k = 0; k < d; k++) {
                    c[k] -= shift[k];
                }
                c[d] = C(0);
            }
        }
        switch (d + 1 - i) {
        case 1:
            last = FN(each_rows)(1, &g, rows, width, i, d);
            break;
        case 2:
            last = FN(each_rows)(2, &g, rows, width, i, d);
            break;
        case 3:
            last = FN(each_rows)(ROWS < 3 ? ROWS : 3, &g, rows, width, i, d);
            break;
        default:
            last = FN(each_rows)(ROWS, &g, rows, width, i, d);
        }
    }
    const V log_det = FN(lane_log_product)(g.determinant);
    const V log_p = v_fma(C(0.5), last - log_det, C(-0.91893853320467274) * v_set1((R)d));
    return FN(each_finish)(log_p, g.failed, x, mean, matrix, d, count, out, out_step, info, info_step);
}

/* The loop over groups, for one d. */
ALWAYS_INLINE int FN(each_groups)(const ptrdiff_t d, char **args, ptrdiff_t n, const ptrdiff_t *steps, V *scratch) {
    const ptrdiff_t *const s = steps + 5;
    const int dense = s[3] == (ptrdiff_t)sizeof(R) && s[2] == d * s[3] && steps[2] == d * s[2];
    int invalid = 0;
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const ptrdiff_t count = n - i < LANES ? n - i : LANES;
        invalid |= FN(each_group)(
            d, FN(batch_at)(args[0] + i * steps[0], steps[0], 0, s[0]),
            FN(batch_at)(args[1] + i * steps[1], steps[1], 0, s[1]),
            FN(batch_at)(args[2] + i * steps[2], steps[2], s[2], s[3]), count, dense && n - i >= 2 * LANES, scratch,
            args[3] + i * steps[3], steps[3], args[4] + i * steps[4], steps[4]);
    }
    return invalid;
}

static void FN(mvn_log_prob)(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    /* Scratch of the unrolled sizes and a little more; larger ones take it from the heap, once per call. */
    enum { STACK = (16 * 17 / 2 + 2 * 17 + 5 * 21) };
    V stack[STACK];
    const ptrdiff_t n = dims[0], d = dims[1], *const s = steps + 5;
    const fp_state saved = fp_enter();
    int invalid = 0;

    if (d > FN(EACH_MAX)) {
        for (ptrdiff_t i = 0; i < n; i++) {
            invalid |= FN(mvn_grid_task)(
                (FN(grid_task)){
                    .x = args[0] + i * steps[0], .mean = args[1] + i * steps[1], .matrix = args[2] + i * steps[2],
                    .out = args[3] + i * steps[3], .info = args[4] + i * steps[4],
                    .n = 1, .d = d, .k = 1, .x_d = s[0], .mean_d = s[1], .matrix_i = s[2], .matrix_j = s[3],
                },
                FN(COVARIANCE));
        }
        fp_leave(saved, invalid);
        return;
    }
    R *const memory = FN(scratch_take)((R *)stack, STACK * LANES, FN(each_size)(d) * LANES);
    if (!memory) {
        for (ptrdiff_t i = 0; i < n; i++) {
            *(R *)(args[3] + i * steps[3]) = (R)NAN;
            *(int32_t *)(args[4] + i * steps[4]) = -2;
        }
        fp_leave(saved, 0);
        return;
    }
    V *const scratch = (V *)memory;
    switch (d) {
#define LOGLIK_EACH(D)                                                                                      \
    case D:                                                                                                 \
        invalid = FN(each_groups)(D, args, n, steps, scratch);                                              \
        break;
        LOGLIK_EACH(1)
        LOGLIK_EACH(2)
        LOGLIK_EACH(3)
        LOGLIK_EACH(4)
        LOGLIK_EACH(8)
#undef LOGLIK_EACH
    default:
        invalid = FN(each_groups)(d, args, n, steps, scratch);
    }
    FN(scratch_give_back)((R *)stack, memory);
    fp_leave(saved, invalid);
}

/* ---------------------------------------------------------------------------------- a factor for every point */

/* z = L⁻¹ (x − μ) row by row, or W (x − μ); the rows are read once, in order. */
static void FN(each_factored)(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, const enum FN(matrix_kind) kind) {
    enum { STACK = 4 * 32 };
    V stack[STACK];
    const ptrdiff_t n = dims[0], d = dims[1], *const s = steps + 5, width = FN(each_width)(d);
    const fp_state saved = fp_enter();
    R *const memory = FN(scratch_take)((R *)stack, STACK * LANES, 3 * width * LANES);
    V *const z = (V *)memory, *const row = z + width, *const shift = row + width;
    int invalid = 0;

    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const ptrdiff_t count = n - i < LANES ? n - i : LANES;
        const FN(batch) x = FN(batch_at)(args[0] + i * steps[0], steps[0], 0, s[0]);
        const FN(batch) mean = FN(batch_at)(args[1] + i * steps[1], steps[1], 0, s[1]);
        const FN(batch) matrix = FN(batch_at)(args[2] + i * steps[2], steps[2], s[2], s[3]);
        V log_p = C(NAN), failed = C(0);
        if (memory) {
            V square = C(0), log_det = C(0);
            FN(lane_product) determinant = {C(1), C(0)};
            FN(load_lanes)(z, x, 0, d, d, count);
            FN(load_lanes)(shift, mean, 0, d, d, count);
            for (ptrdiff_t k = 0; k < d; k++) {
                z[k] -= shift[k];
            }
            /* W·δ needs all of δ: from the last row up, so that z may be overwritten. */
            for (ptrdiff_t step = 0; step < d; step++) {
                const ptrdiff_t r = kind == FN(FACTOR) ? step : d - 1 - step;
                FN(load_lanes)(row, matrix, r, r + 1, d, count);
                V diagonal = row[r], y = z[r];
                const M good = FN(pivots_good)(diagonal);
                if (!m_all(good)) {
                    const V first = v_set1((R)(r + 1));
                    failed = v_select(m_not(good) & (v_eq(failed, C(0)) | v_lt(first, failed)), first, failed);
                    diagonal = v_select(good, diagonal, C(1));
                }
                FN(lane_multiply)(&determinant, diagonal);
                if (step % 32 == 31) { /* before the product of mantissas overflows */
                    log_det += FN(lane_log_product)(determinant);
                    determinant = (FN(lane_product)){C(1), C(0)};
                }
                if (kind == FN(FACTOR)) {
                    for (ptrdiff_t k = 0; k < r; k++) {
                        y = v_fnma(row[k], z[k], y);
                    }
                    y /= diagonal;
                } else {
                    y = C(0);
                    for (ptrdiff_t k = 0; k <= r; k++) {
                        y = v_fma(row[k], z[k], y);
                    }
                }
                z[r] = y;
                square = v_fma(y, y, square);
            }
            log_det += FN(lane_log_product)(determinant);
            log_det = kind == FN(FACTOR) ? log_det : -log_det;
            log_p = v_fma(C(-0.5), square, v_fma(C(-0.91893853320467274), v_set1((R)d), -log_det));
        } else {
            failed = C(-2);
        }
        invalid |= FN(each_finish)(log_p, failed, x, mean, matrix, d, count, args[3] + i * steps[3], steps[3],
                                   args[4] + i * steps[4], steps[4]);
    }
    FN(scratch_give_back)((R *)stack, memory);
    fp_leave(saved, invalid && memory);
}

static void FN(mvn_log_prob_tril_each)(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    FN(each_factored)(args, dims, steps, FN(FACTOR));
}

static void FN(mvn_log_prob_whitened_each)(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    FN(each_factored)(args, dims, steps, FN(WHITENER));
}
