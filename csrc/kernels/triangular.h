/* The register tile that every Gaussian kernel is built on: many points against one unit lower triangle.
 *
 * A tile holds TILE = TILE_VECTORS·LANES points, transposed: tile[k·TILE + p] is coordinate k of point p. The
 * triangle is packed in panels of ROWS rows, panel b stored column by column from its first column to its
 * diagonal block, so the inner loop reads both streams in order:
 *
 *     acc[r][v] −= L[i + r][k] · y[k][v]       k = 0, 1, ..., i − 1
 *
 * TILE_VECTORS·ROWS accumulators stay in registers. Each lane does the same operations in the same order (k
 * ascending, one fused multiply-add each) whatever the width of a register, the position in the tile and the
 * row-block, so the bits depend on none of them. The triangle has a unit diagonal (L·diag(L)⁻¹): the chain of
 * the substitution is then one operation per row, and the scaling is left to the end. */

enum {
    FN(ROWS) = LOGLIK_TILE_ROWS,
    FN(VECTORS) = LOGLIK_TILE_VECTORS,
    FN(TILE) = LOGLIK_TILE_VECTORS * LANES,
    FN(COLS) = FN(COLUMNS),
};
_Static_assert(FN(TILE) % FN(ROWS) == 0, "a block of TILE rows is a whole number of panels");

/* ---------------------------------------------------------------------------------- rows in memory */

/* A matrix or a set of points in the caller's memory; strides in elements. */
typedef struct {
    const R *data;
    ptrdiff_t row, column;
} FN(rows);

ALWAYS_INLINE R FN(entry)(FN(rows) a, ptrdiff_t i, ptrdiff_t j) { return a.data[i * a.row + j * a.column]; }

ALWAYS_INLINE FN(rows) FN(rows_at)(const char *data, ptrdiff_t row_bytes, ptrdiff_t column_bytes) {
    return (FN(rows)){(const R *)data, row_bytes / (ptrdiff_t)sizeof(R), column_bytes / (ptrdiff_t)sizeof(R)};
}

/* tile[k][p] = a[first + p][k] − shift[k] for p < count and k < columns; 0 in the lanes from count on.
 * shift may be NULL. Whole tiles of rows whose entries are adjacent are transposed in registers. */
ALWAYS_INLINE void FN(load_tile)(R *tile, FN(rows) a, ptrdiff_t first, ptrdiff_t count, ptrdiff_t columns,
                                 const R *shift) {
    enum { TILE = FN(TILE), COLS = FN(COLS) };
    const R *const p = a.data + first * a.row;
    if (count == TILE && a.column == 1 && columns >= COLS) {
        for (ptrdiff_t k = 0; k < columns; k += COLS) {
            /* The last block overlaps the one before rather than read past the end of a row. */
            const ptrdiff_t start = k + COLS <= columns ? k : columns - COLS;
            for (int v = 0; v < FN(VECTORS); v++) {
                V column[COLS];
                FN(v_load_columns)(p + v * LANES * a.row + start, a.row, column);
                for (int c = 0; c < COLS; c++) {
                    const V x = shift ? column[c] - v_set1(shift[start + c]) : column[c];
                    v_store(tile + (start + c) * TILE + v * LANES, x);
                }
            }
        }
    } else if (count == TILE && a.row == 1) {
        for (ptrdiff_t k = 0; k < columns; k++) {
            for (int v = 0; v < FN(VECTORS); v++) {
                const V x = v_load(p + v * LANES + k * a.column);
                v_store(tile + k * TILE + v * LANES, shift ? x - v_set1(shift[k]) : x);
            }
        }
    } else {
        for (ptrdiff_t k = 0; k < columns; k++) {
            const R m = shift ? shift[k] : 0;
            for (ptrdiff_t i = 0; i < TILE; i++) {
                tile[k * TILE + i] = i < count ? p[i * a.row + k * a.column] - m : 0;
            }
        }
    }
}

/* ---------------------------------------------------------------------------------- the triangle */

/* Panel b covers the columns 0 ... (b + 1)·ROWS − 1 of rows b·ROWS ...: where it starts, and the size of all. */
ALWAYS_INLINE ptrdiff_t FN(panel_start)(ptrdiff_t b) { return FN(ROWS) * FN(ROWS) * (b * (b + 1) / 2); }
ALWAYS_INLINE ptrdiff_t FN(panels_size)(ptrdiff_t d) {
    return FN(panel_start)((d + FN(ROWS) - 1) / FN(ROWS));
}
/* Where entry (i, k), k <= i, of the triangle is stored. */
ALWAYS_INLINE ptrdiff_t FN(panel_index)(ptrdiff_t i, ptrdiff_t k) {
    return FN(panel_start)(i / FN(ROWS)) + k * FN(ROWS) + i % FN(ROWS);
}

/* acc[r] −= Σ_{k < count} panel[k·step + r] · y[k], the register kernel. */
ALWAYS_INLINE void FN(panel_update)(V (*acc)[LOGLIK_TILE_VECTORS], const R *panel, const ptrdiff_t step,
                                    const R *y, ptrdiff_t count) {
    enum { ROWS = FN(ROWS), VECTORS = FN(VECTORS), TILE = FN(TILE) };
    for (ptrdiff_t k = 0; k < count; k++) {
        V point[VECTORS];
        for (int v = 0; v < VECTORS; v++) {
            point[v] = v_load(y + k * TILE + v * LANES);
        }
        for (int r = 0; r < ROWS; r++) {
            const V l = v_set1(panel[k * step + r]);
            for (int v = 0; v < VECTORS; v++) {
                acc[r][v] = v_fnma(l, point[v], acc[r][v]);
            }
        }
    }
}

/* tile ← L⁻¹·tile for the unit lower triangle in `panels` (d rows; the tile has room for d rounded up to ROWS).
 * If square is not NULL, square[v] += (tile[i]·scale[i])², i ascending.
 * next: rows to prefetch meanwhile, a whole tile of them, or data NULL. */
ALWAYS_INLINE void FN(tile_solve)(R *tile, const R *panels, const ptrdiff_t d, V *square, const R *scale,
                                  FN(rows) next) {
    enum { ROWS = FN(ROWS), VECTORS = FN(VECTORS), TILE = FN(TILE) };
    for (ptrdiff_t i = 0; i < d; i += ROWS) {
        const R *const panel = panels + FN(panel_start)(i / ROWS);
        V acc[ROWS][VECTORS];
        if (next.data) { /* spread over the tile: in one burst they would stall the loads that matter */
            for (int p = 0; p < TILE; p++) {
                __builtin_prefetch(next.data + p * next.row + i);
            }
        }
        for (int r = 0; r < ROWS; r++) {
            for (int v = 0; v < VECTORS; v++) {
                acc[r][v] = v_load(tile + (i + r) * TILE + v * LANES);
            }
        }
        FN(panel_update)(acc, panel, ROWS, tile, i);
        for (int r = 0; r < ROWS; r++) {
            for (int s = 0; s < r; s++) {
                const V l = v_set1(panel[(i + s) * ROWS + r]);
                for (int v = 0; v < VECTORS; v++) {
                    acc[r][v] = v_fnma(l, acc[s][v], acc[r][v]);
                }
            }
        }
        for (int r = 0; r < ROWS; r++) {
            for (int v = 0; v < VECTORS; v++) {
                v_store(tile + (i + r) * TILE + v * LANES, acc[r][v]);
            }
            if (square && i + r < d) {
                const V s = v_set1(scale[i + r]);
                for (int v = 0; v < VECTORS; v++) {
                    const V z = acc[r][v] * s;
                    square[v] = v_fma(z, z, square[v]);
                }
            }
        }
    }
}

/* square[v] += (W·tile)[i]², i ascending, for the lower triangle W in `panels`, its diagonal included. */
ALWAYS_INLINE void FN(tile_multiply)(const R *tile, const R *panels, const ptrdiff_t d, V *square) {
    enum { ROWS = FN(ROWS), VECTORS = FN(VECTORS), TILE = FN(TILE) };
    for (ptrdiff_t i = 0; i < d; i += ROWS) {
        const R *const panel = panels + FN(panel_start)(i / ROWS);
        V acc[ROWS][VECTORS] = {{C(0)}};
        FN(panel_update)(acc, panel, ROWS, tile, i);
        for (int r = 0; r < ROWS && i + r < d; r++) {
            for (int s = 0; s <= r; s++) {
                const V w = v_set1(panel[(i + s) * ROWS + r]);
                for (int v = 0; v < VECTORS; v++) {
                    acc[r][v] = v_fnma(w, v_load(tile + (i + s) * TILE + v * LANES), acc[r][v]);
                }
            }
            for (int v = 0; v < VECTORS; v++) { /* the sign of acc does not matter */
                square[v] = v_fma(acc[r][v], acc[r][v], square[v]);
            }
        }
    }
}
