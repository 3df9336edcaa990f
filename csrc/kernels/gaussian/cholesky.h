/* One blocked Cholesky for every size, in the form A = (L·D⁻½)·D·(L·D⁻½)ᵀ: unit lower triangle and pivots.
 *
 * Up-looking by blocks of TILE rows. The rows of a block are the points of a tile: solving them against the
 * triangle above (tile_solve) gives c = L·D½ up to the diagonal block, which continues with the same
 * register kernel, the scaled tile itself being the panel. Entry by entry this is
 *
 *     c[i][j] = a[i][j] − Σ_{k < j} l[j][k] · c[i][k],   pivot D[j] = c[j][j],   l[i][j] = c[i][j] / D[j]
 *
 * with k ascending: the order of operations of any other variant, so the batched kernel (mvn_each.h) could not differ
 * but for rounding of its own. Square roots are off the critical path: L[i][j] = c[i][j] / sqrt(D[j]).
 *
 * Reads the lower triangle only (entries above it may be loaded, never used). Backward error: N. J. Higham,
 * Accuracy and Stability of Numerical Algorithms, 2nd ed., section 10.1. A pivot must be a positive normal
 * number; a subnormal one has too few digits to divide by. */

/* Memory for a factorisation of size d, in elements: two tiles, the panels, and what the rows need. */
ALWAYS_INLINE ptrdiff_t padded_size(ptrdiff_t d) { return (d + ROWS - 1) / ROWS * ROWS; }
ALWAYS_INLINE ptrdiff_t factor_scratch(ptrdiff_t d) { return 2 * padded_size(d) * TILE; }

static inline int is_pivot(R x) {
#if REAL_IS_DOUBLE
    return x >= 0x1p-1022 && x <= 0x1.fffffffffffffp1023;
#else
    return x >= 0x1p-126f && x <= 0x1.fffffep127f;
#endif
}

/* info of a matrix whose pivot (1-based) failed: −1 if an entry of the lower triangle is not finite. */
static int32_t failure(view a, ptrdiff_t d, ptrdiff_t pivot) {
    for (ptrdiff_t i = 0; i < d; i++) {
        if (!all_finite(a, i, i + 1)) {
            return -1;
        }
    }
    return (int32_t)pivot;
}

/* Factors the d x d matrix a: unit triangle in `panels`, pivots in `pivots`. If lower is not NULL, L is written there
 * (row-major with the given strides in elements, lower triangle only).
 * Returns 0, the 1-based index of the pivot that failed, or −1 if a is not finite; then the outputs are undefined.
 * scratch: factor_scratch(d) elements. */
static int32_t factorise(view a, ptrdiff_t d, R *panels, R *pivots, R *lower, ptrdiff_t lower_row,
                         ptrdiff_t lower_column, R *scratch) {
    R *const c = scratch, *const unit = scratch + padded_size(d) * TILE;

    for (ptrdiff_t first = 0; first < d; first += TILE) {
        const ptrdiff_t count = d - first < TILE ? d - first : TILE;
        load_tile(c, a, first, count, first + count, NULL);
        tile_solve(c, panels, first);
        for (ptrdiff_t k = 0; k < first; k++) {
            const V w = v_set1(1 / pivots[k]);
            UNROLLED
            for (int v = 0; v < VECTORS; v++) {
                v_store(unit + k * TILE + v * LANES, v_load(c + k * TILE + v * LANES) * w);
            }
        }
        for (ptrdiff_t block = 0; block < count; block += ROWS) {
            const ptrdiff_t rows = count - block < ROWS ? count - block : ROWS;
            V acc[ROWS][VECTORS];
            UNROLLED
            for (int r = 0; r < ROWS; r++) {
                UNROLLED
                for (int v = 0; v < VECTORS; v++) {
                    acc[r][v] = r < rows ? v_load(c + (first + block + r) * TILE + v * LANES) : C(0);
                }
            }
            panel_update(acc, unit + block, TILE, c, first + block);
            UNROLLED
            for (int r = 0; r < ROWS; r++) {
                const ptrdiff_t k = first + block + r;
                if (r >= rows) {
                    break;
                }
                UNROLLED
                for (int v = 0; v < VECTORS; v++) {
                    v_store(c + k * TILE + v * LANES, acc[r][v]);
                }
                const R pivot = c[k * TILE + block + r];
                if (!is_pivot(pivot)) {
                    return failure(a, d, k + 1);
                }
                pivots[k] = pivot;
                const V w = v_set1(1 / pivot);
                UNROLLED
                for (int v = 0; v < VECTORS; v++) {
                    v_store(unit + k * TILE + v * LANES, acc[r][v] * w);
                }
                UNROLLED
                for (int s = r + 1; s < ROWS; s++) {
                    const V l = v_set1(unit[k * TILE + block + s]);
                    UNROLLED
                    for (int v = 0; v < VECTORS; v++) {
                        acc[s][v] = v_fnma(l, acc[r][v], acc[s][v]);
                    }
                }
            }
            /* The rows of this panel are complete: entries beyond its diagonal are never read. */
            R *const panel = panels + panel_start((first + block) / ROWS);
            for (ptrdiff_t k = 0; k < first + block + rows; k++) {
                memcpy(panel + k * ROWS, unit + k * TILE + block, ROWS * sizeof(R));
            }
        }
        if (lower) {
            for (ptrdiff_t k = 0; k < first + count; k++) {
                const R root = (R)sqrt((double)pivots[k]), scale = 1 / root;
                for (ptrdiff_t i = k > first ? k - first : 0; i < count; i++) {
                    lower[(first + i) * lower_row + k * lower_column] = first + i == k ? root : c[k * TILE + i] * scale;
                }
            }
        }
    }
    return 0;
}
