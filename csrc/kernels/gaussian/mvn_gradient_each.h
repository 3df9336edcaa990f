/* Multivariate normal log-density with its gradients where every point brings its own factor: one pass over the matrices.
 *
 * Matrices are lanes, as in mvn_each.h; d <= 64. The matrices of a group are held as an array of vectors, row i from i·width on, padded with
 * zeros to whole register tiles; width is odd, since columns whose distance is a power of two would share few lines of the first-level
 * cache. The triangle is inverted in place, X = L⁻¹, and Σ⁻¹ = Xᵀ·X:
 *
 *     gradient in Σ   ½·(s·sᵀ − Xᵀ·X)       in L   tril(s·yᵀ) − diag(1/Lᵢᵢ)       in Σ⁻¹ = Wᵀ·W   ½·(W⁻¹·W⁻ᵀ − δ·δᵀ)  */

enum {
    LANE_ROWS = 4,
    LANE_COLUMNS = LOGLIK_TILE_ROWS * LOGLIK_TILE_VECTORS >= 16 ? 4 : 2, /* accumulators that stay in registers */
};

typedef struct {
    V *matrix, *result; /* result: the gradient, row i from i·d on */
    V *delta, *y, *s, *reciprocal;
    ptrdiff_t d, padded, width;
} lane_group;

ALWAYS_INLINE ptrdiff_t lane_padded(ptrdiff_t d) { return (d + LANE_ROWS - 1) / LANE_ROWS * LANE_ROWS; }
ALWAYS_INLINE ptrdiff_t lane_width(ptrdiff_t d) { return lane_padded(d) + 1; }
ALWAYS_INLINE ptrdiff_t lane_vectors(ptrdiff_t d) {
    return lane_padded(d) * lane_width(d) + d * d + 4 * (lane_width(d) + COLS);
}

/* acc[r][c] += Σ_{first <= k < last} a[r·a_row + k·a_step] · b[k·b_step + c·b_column] */
ALWAYS_INLINE void lane_tile(V (*acc)[LANE_COLUMNS], const V *a, const ptrdiff_t a_row, const ptrdiff_t a_step, const V *b,
                             const ptrdiff_t b_step, const ptrdiff_t b_column, ptrdiff_t first, ptrdiff_t last) {
    enum { ROWS = LANE_ROWS, COLUMNS = LANE_COLUMNS };
    for (ptrdiff_t k = first; k < last; k++) {
        V y[COLUMNS];
        UNROLLED
        for (int c = 0; c < COLUMNS; c++) {
            y[c] = b[k * b_step + c * b_column];
        }
        UNROLLED
        for (int r = 0; r < ROWS; r++) {
            const V x = a[r * a_row + k * a_step];
            UNROLLED
            for (int c = 0; c < COLUMNS; c++) {
                acc[r][c] = v_fma(x, y[c], acc[r][c]);
            }
        }
    }
}

/* Lower triangle → its inverse, in place, by blocks of rows: those above are inverse already. */
ALWAYS_INLINE void lane_invert(const lane_group *g) {
    enum { ROWS = LANE_ROWS, COLUMNS = LANE_COLUMNS };
    const ptrdiff_t width = g->width;
    for (ptrdiff_t i = 0; i < g->padded; i += ROWS) {
        V *const row = g->matrix + i * width;
        V diagonal[ROWS][ROWS];
        UNROLLED
        for (int r = 0; r < ROWS; r++) {
            UNROLLED
            for (int q = 0; q < r; q++) {
                diagonal[r][q] = row[r * width + i + q];
            }
        }
        for (ptrdiff_t j = 0; j < i; j += COLUMNS) {
            V acc[ROWS][COLUMNS] = {{C(0)}};
            lane_tile(acc, row, width, 1, g->matrix + j, width, 1, j, i);
            UNROLLED
            for (int r = 0; r < ROWS; r++) {
                UNROLLED
                for (int c = 0; c < COLUMNS; c++) {
                    UNROLLED
                    for (int q = 0; q < r; q++) {
                        acc[r][c] = v_fma(diagonal[r][q], acc[q][c], acc[r][c]);
                    }
                    acc[r][c] *= -g->reciprocal[i + r];
                    row[r * width + j + c] = acc[r][c];
                }
            }
        }
        UNROLLED
        for (int r = 0; r < ROWS; r++) {
            UNROLLED
            for (int c = 0; c < r; c++) {
                V acc = C(0);
                UNROLLED
                for (int q = c; q < r; q++) {
                    acc = v_fma(diagonal[r][q], row[q * width + i + c], acc);
                }
                row[r * width + i + c] = acc * -g->reciprocal[i + r];
            }
            row[r * width + i + r] = g->reciprocal[i + r];
        }
    }
}

/* result = ½·(z·zᵀ − Xᵀ·X), or ½·(X·Xᵀ − z·zᵀ) if rows: the sum runs over what is not zero in the triangle X. */
ALWAYS_INLINE void lane_symmetric(const lane_group *g, const V *z, const int rows) {
    enum { ROWS = LANE_ROWS, COLUMNS = LANE_COLUMNS };
    const ptrdiff_t width = g->width, d = g->d;
    const V half = rows ? C(0.5) : C(-0.5);
    for (ptrdiff_t i = 0; i < g->padded; i += ROWS) {
        for (ptrdiff_t j = 0; j < i + ROWS; j += COLUMNS) {
            V acc[ROWS][COLUMNS] = {{C(0)}};
            if (rows) {
                lane_tile(acc, g->matrix + i * width, width, 1, g->matrix + j * width, 1, width, 0, j + COLUMNS);
            } else {
                lane_tile(acc, g->matrix + i, 1, width, g->matrix + j, width, 1, i, g->padded);
            }
            UNROLLED
            for (int r = 0; r < ROWS; r++) {
                UNROLLED
                for (int c = 0; c < COLUMNS; c++) {
                    const V entry = half * v_fnma(z[i + r], z[j + c], acc[r][c]);
                    if (i + r < d && j + c < d) {
                        g->result[(i + r) * d + j + c] = entry;
                        g->result[(j + c) * d + i + r] = entry;
                    }
                }
            }
        }
    }
}

/* Results to rows, one body for every d. */
static __attribute__((noinline)) void store_results(R *out, ptrdiff_t step, const V *in, ptrdiff_t d, ptrdiff_t count, int stream) {
    store_lanes(out, step, in, d, count, stream);
}

/* One group of LANES problems. */
ALWAYS_INLINE void gradient_group(const loglik_gradient_task *t, const ptrdiff_t d, V *memory, ptrdiff_t e, ptrdiff_t count) {
    const ptrdiff_t size = sizeof(R), padded = lane_padded(d), width = lane_width(d);
    const enum loglik_gradient_form form = t->form;
    const batch x = batch_at(t->x + e * t->x_e, t->x_e, 0, t->x_d);
    const batch mean = batch_at(t->loc + e * t->loc_e, t->loc_e, 0, size);
    const batch matrix = batch_at(t->matrix + e * t->matrix_e, t->matrix_e, d * size, size);
    lane_group g = {.matrix = memory, .d = d, .padded = padded, .width = width};
    g.result = g.matrix + padded * width;
    g.delta = g.result + d * d;
    g.y = g.delta + width + COLS;
    g.s = g.y + width + COLS;
    g.reciprocal = g.s + width + COLS;
    V *const a = g.matrix;
    V square = C(0), log_det = C(0);
    lane_product determinant = {C(1), C(0)};

    load_lanes(g.delta, x, 0, d, d, count);
    load_lanes(g.s, mean, 0, d, d, count);
    for (ptrdiff_t k = 0; k < padded; k++) {
        g.delta[k] = k < d ? g.delta[k] - g.s[k] : C(0);
        g.y[k] = g.s[k] = g.reciprocal[k] = C(0);
    }
    for (ptrdiff_t i = 0; i < padded; i++) {
        V *const row = a + i * width;
        if (i < d) {
            load_lanes(row, matrix, i, i + 1, d, count);
            lane_multiply(&determinant, row[i]);
            if (i % 32 == 31) { /* before the product of mantissas overflows */
                log_det += lane_log_product(determinant);
                determinant = (lane_product){C(1), C(0)};
            }
            g.reciprocal[i] = C(1) / row[i];
            V y = form == LOGLIK_GRADIENT_PRECISION ? C(0) : g.delta[i];
            if (form == LOGLIK_GRADIENT_PRECISION) {
                for (ptrdiff_t k = 0; k <= i; k++) {
                    y = v_fma(row[k], g.delta[k], y);
                }
            } else {
                for (ptrdiff_t k = 0; k < i; k++) {
                    y = v_fnma(row[k], g.y[k], y);
                }
                y /= row[i];
            }
            g.y[i] = y;
            square = v_fma(y, y, square);
        }
        for (ptrdiff_t k = i < d ? i + 1 : 0; k < padded; k++) {
            row[k] = C(0);
        }
    }
    log_det += lane_log_product(determinant);
    log_det = form == LOGLIK_GRADIENT_PRECISION ? -log_det : log_det;
    V log_p = v_fma(C(-0.5), square, v_fma(C(-0.91893853320467274), v_set1((R)d), -log_det));
    repair_if_nan(&log_p, 1, (view){x.data, x.lane, x.column}, 0, count, d);
    put((value_sink){t->value + e * t->value_e, t->value_e, 0}, &log_p, 1, 1, 0, 0, count);

    if (form == LOGLIK_GRADIENT_PRECISION) {
        for (ptrdiff_t i = 0; i < d; i++) { /* s = Wᵀ·y, a row of W at a time */
            for (ptrdiff_t k = 0; k <= i; k++) {
                g.s[k] = v_fma(a[i * width + k], g.y[i], g.s[k]);
            }
        }
    } else { /* Lᵀ·s = y, a row of L at a time */
        for (ptrdiff_t i = 0; i < d; i++) {
            g.s[i] = g.y[i];
        }
        for (ptrdiff_t i = d - 1; i >= 0; i--) {
            const V s = g.s[i] * g.reciprocal[i];
            g.s[i] = s;
            for (ptrdiff_t k = 0; k < i; k++) {
                g.s[k] = v_fnma(a[i * width + k], s, g.s[k]);
            }
        }
    }
    if (t->rows) {
        for (ptrdiff_t k = 0; k < d; k++) {
            g.result[k] = -g.s[k];
        }
        if (d == 8) {
            store_lanes((R *)t->rows + e * 8, 8, g.result, 8, count, 0);
        } else {
            store_results((R *)t->rows + e * d, d, g.result, d, count, 0);
        }
    }
    if (!t->gradient) {
        return;
    }
    R *const out = (R *)t->gradient + e * d * d;
    if (form == LOGLIK_GRADIENT_FACTOR) {
        const ptrdiff_t rows = d > 16 ? 1 : d; /* at a time: short rows are stored together */
        for (ptrdiff_t i = 0; i < d; i++) {
            V *const row = g.result + i % rows * d;
            for (ptrdiff_t j = 0; j < d; j++) {
                row[j] = j <= i ? g.s[i] * g.y[j] : C(0);
            }
            row[i] -= g.reciprocal[i];
            if ((i + 1) % rows == 0) {
                store_results(out + (i + 1 - rows) * d, d * d, g.result, rows * d, count, t->stream);
            }
        }
        return;
    }
    lane_invert(&g);
    lane_symmetric(&g, form == LOGLIK_GRADIENT_PRECISION ? g.delta : g.s, form == LOGLIK_GRADIENT_PRECISION);
    store_results(out, d * d, g.result, d * d, count, t->stream);
}

static ptrdiff_t mvn_gradient_each_scratch(ptrdiff_t d) { return lane_vectors(d) * LOGLIK_VECTOR_BYTES + 64; }

static void mvn_gradient_each(const loglik_gradient_task *t) {
    const fp_state saved = fp_enter();
    V *const memory = (V *)(((uintptr_t)t->scratch + 63) / 64 * 64);
    for (ptrdiff_t e = 0; e < t->problems; e += LANES) {
        const ptrdiff_t count = t->problems - e < LANES ? t->problems - e : LANES;
        if (t->d == 8) { /* the common small size, unrolled; each further one is 5 kB of code in every object */
            gradient_group(t, 8, memory, e, count);
        } else {
            gradient_group(t, t->d, memory, e, count);
        }
    }
    v_stream_end();
    fp_leave(saved, 0);
}
