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
    ROWS = LOGLIK_TILE_ROWS,
    VECTORS = LOGLIK_TILE_VECTORS,
    TILE = LOGLIK_TILE_VECTORS * LANES,
    COLS = 16 / sizeof(R), /* columns of a block of 16 bytes: COLUMNS_f64 or COLUMNS_f32 */
    BLOCK = 256, /* columns of a solve: BLOCK rows of a tile (48 KiB at most) stay near the registers */
};
_Static_assert(TILE % ROWS == 0, "a block of TILE rows is a whole number of panels");

/* ---------------------------------------------------------------------------------- rows in memory */

/* A matrix or a set of points in the caller's memory; strides in elements. */
typedef struct {
    const R *data;
    ptrdiff_t row, column;
} view;

ALWAYS_INLINE R entry_of(view a, ptrdiff_t i, ptrdiff_t j) { return a.data[i * a.row + j * a.column]; }

/* A stride in elements. It is a whole number, so that a shift divides it, which a signed division by a constant does not. */
ALWAYS_INLINE ptrdiff_t elements(ptrdiff_t bytes) { return bytes >> (REAL_IS_DOUBLE ? 3 : 2); }

ALWAYS_INLINE view rows_at(const char *data, ptrdiff_t row_bytes, ptrdiff_t column_bytes) {
    return (view){(const R *)data, elements(row_bytes), elements(column_bytes)};
}

/* Whether there is a NaN among the first entries of row i. */
static int has_nan(view a, ptrdiff_t i, ptrdiff_t columns) {
    for (ptrdiff_t j = 0; j < columns; j++) {
        const R x = entry_of(a, i, j);
        if (x != x) {
            return 1;
        }
    }
    return 0;
}
static int all_finite(view a, ptrdiff_t i, ptrdiff_t columns) {
    for (ptrdiff_t j = 0; j < columns; j++) {
        const R x = entry_of(a, i, j);
        if (!(x - x == 0)) {
            return 0;
        }
    }
    return 1;
}

/* One argument of a group: lane p starts at data + p·lane (elements). */
typedef struct {
    const R *data;
    ptrdiff_t lane, row, column;
} batch;

ALWAYS_INLINE batch batch_at(const char *data, ptrdiff_t lane, ptrdiff_t row, ptrdiff_t column) {
    return (batch){(const R *)data, elements(lane), elements(row), elements(column)};
}
ALWAYS_INLINE view batch_lane(batch b, ptrdiff_t p) {
    return (view){b.data + p * b.lane, b.row, b.column};
}

/* out[k] = p[lane][k], k < columns, one element at a time; lanes from count on repeat the last one. */
static __attribute__((noinline)) void gather_lanes(V *out, const R *p, ptrdiff_t lane, ptrdiff_t column, ptrdiff_t columns,
                                                   ptrdiff_t count) {
    for (ptrdiff_t k = 0; k < columns; k++) {
        R value[LANES] __attribute__((aligned(64)));
        for (ptrdiff_t i = 0; i < LANES; i++) {
            value[i] = p[(i < count ? i : count - 1) * lane + k * column];
        }
        out[k] = v_load(value);
    }
}

/* out[k] = entries k < columns of one row, lanes being problems or points; lanes from count on repeat the last one.
 * width: entries of the row that may be loaded, 0: only those wanted, one by one. out has room for the next multiple of COLS. */
ALWAYS_INLINE void load_lanes(V *out, batch b, ptrdiff_t row, ptrdiff_t columns, ptrdiff_t width, ptrdiff_t count) {
    const R *const p = b.data + row * b.row;
    if (count == LANES && b.column == 1 && width >= COLS) {
        for (ptrdiff_t k = 0; k < columns; k += COLS) {
            const ptrdiff_t start = k + COLS <= width ? k : width - COLS;
            v_load_columns(p + start, b.lane, out + start);
        }
    } else {
        gather_lanes(out, p, b.lane, b.column, columns, count);
    }
}

/* load_lanes out of line, where a group has so much to do that the call does not count. Lanes may be adjacent. */
static __attribute__((noinline)) void load_group(V *out, batch b, ptrdiff_t row, ptrdiff_t columns, ptrdiff_t width,
                                                 ptrdiff_t count) {
    const R *const p = b.data + row * b.row;
    if (b.lane == 1 && count == LANES) {
        for (ptrdiff_t k = 0; k < columns; k++) {
            out[k] = v_load(p + k * b.column);
        }
    } else {
        load_lanes(out, b, row, columns, width, count);
    }
}

/* tile[k][p] = a[first + p][k] − shift[k] for p < count and k < columns; 0 in the lanes from count on.
 * shift may be NULL. Whole tiles of rows whose entries are adjacent are transposed in registers. */
static __attribute__((noinline)) void load_tile(R *tile, view a, ptrdiff_t first, ptrdiff_t count, ptrdiff_t columns,
                                                const R *shift) {
    const R *const p = a.data + first * a.row;
    if (count == TILE && a.column == 1 && columns >= COLS) {
        for (ptrdiff_t k = 0; k < columns; k += COLS) {
            /* The last block overlaps the one before rather than read past the end of a row. */
            const ptrdiff_t start = k + COLS <= columns ? k : columns - COLS;
            for (int v = 0; v < VECTORS; v++) {
                V column[COLS];
                v_load_columns(p + v * LANES * a.row + start, a.row, column);
                for (int c = 0; c < COLS; c++) {
                    const V x = shift ? column[c] - v_set1(shift[start + c]) : column[c];
                    v_store(tile + (start + c) * TILE + v * LANES, x);
                }
            }
        }
    } else if (count == TILE && a.row == 1) {
        for (ptrdiff_t k = 0; k < columns; k++) {
            for (int v = 0; v < VECTORS; v++) {
                const V x = v_load(p + v * LANES + k * a.column);
                v_store(tile + k * TILE + v * LANES, shift ? x - v_set1(shift[k]) : x);
            }
        }
    } else {
        for (ptrdiff_t k = 0; k < columns; k++) {
            const R m = shift ? shift[k] : 0;
            for (ptrdiff_t i = 0; i < count; i++) {
                tile[k * TILE + i] = p[i * a.row + k * a.column] - m;
            }
            for (ptrdiff_t i = count; i < TILE; i++) {
                tile[k * TILE + i] = 0;
            }
        }
    }
}

/* ---------------------------------------------------------------------------------- the triangle */

/* Panel b covers the columns 0 ... (b + 1)·ROWS − 1 of rows b·ROWS ...: where it starts, and the size of all. */
ALWAYS_INLINE ptrdiff_t panel_start(ptrdiff_t b) { return ROWS * ROWS * (b * (b + 1) / 2); }
ALWAYS_INLINE ptrdiff_t panels_size(ptrdiff_t d) {
    return panel_start((d + ROWS - 1) / ROWS);
}
/* Where entry (i, k), k <= i, of the triangle is stored. */
ALWAYS_INLINE ptrdiff_t panel_index(ptrdiff_t i, ptrdiff_t k) {
    return panel_start(i / ROWS) + k * ROWS + i % ROWS;
}

/* acc[r] −= Σ_{k < count} panel[k·step + r] · y[k], the register kernel; count is a multiple of ROWS. */
ALWAYS_INLINE void panel_update(V (*acc)[LOGLIK_TILE_VECTORS], const R *panel, const ptrdiff_t step,
                                const R *y, ptrdiff_t count) {
    enum { STEP = 4 }; /* columns at a time */
    _Static_assert(ROWS % STEP == 0, "a panel is a whole number of steps");
    for (ptrdiff_t first = 0; first < count; first += STEP) {
        UNROLLED
        for (ptrdiff_t k = first; k < first + STEP; k++) {
            V point[VECTORS];
            UNROLLED
            for (int v = 0; v < VECTORS; v++) {
                point[v] = v_load(y + k * TILE + v * LANES);
            }
            UNROLLED
            for (int r = 0; r < ROWS; r++) {
                const V l = v_set1(panel[k * step + r]);
                UNROLLED
                for (int v = 0; v < VECTORS; v++) {
                    acc[r][v] = v_fnma(l, point[v], acc[r][v]);
                }
            }
        }
    }
}

/* ---------------------------------------------------------------------------------- fetching ahead */

/* Rows that are wanted soon, asked for a few at a time while there is other work: in one burst they would stall the loads
 * that matter. Nothing is read, so an address beyond the end does no harm; it is a number, not a pointer, since C does not
 * allow such pointers. */
typedef struct {
    uintptr_t data;
    ptrdiff_t row;  /* bytes between rows; 0: nothing to fetch */
    ptrdiff_t size; /* bytes of a row */
} lookahead;

enum {
    AHEAD = 8192,   /* bytes: about the latency of memory at its full rate */
    L1 = 3, L2 = 2, /* into which cache: a large set would drive out of the first one what is at work */
};

ALWAYS_INLINE void fetch(uintptr_t from, ptrdiff_t bytes, const int cache) {
    for (ptrdiff_t b = 0; b < bytes; b += 64) {
        if (cache == L1) {
            __builtin_prefetch((const void *)(from + (uintptr_t)b), 0, 3);
        } else {
            __builtin_prefetch((const void *)(from + (uintptr_t)b), 0, 2);
        }
    }
}

/* The tile of rows that stands AHEAD bytes, but at least a tile, behind row `first`. */
ALWAYS_INLINE lookahead look_ahead(view x, ptrdiff_t first, ptrdiff_t d) {
    const ptrdiff_t row = x.row * (ptrdiff_t)sizeof(R), size = d * (ptrdiff_t)sizeof(R);
    const ptrdiff_t tiles = AHEAD / (TILE * size) + 1;
    return (lookahead){(uintptr_t)x.data + (uintptr_t)((first + tiles * TILE) * row), x.column == 1 ? row : 0, size};
}

/* The share of a tile that belongs to panel i / ROWS. */
ALWAYS_INLINE void fetch_share(lookahead a, ptrdiff_t i, ptrdiff_t d) {
    enum { LINE = 64 };
    if (a.row == a.size) { /* one stretch of memory */
        const ptrdiff_t panels = (d + ROWS - 1) / ROWS, share = (TILE * a.size + panels - 1) / panels;
        fetch(a.data + (uintptr_t)(i / ROWS * share), share, L1);
    } else if (a.row != 0 && i * (ptrdiff_t)sizeof(R) % LINE == 0) {
        for (int p = 0; p < TILE; p++) {
            fetch(a.data + (uintptr_t)(p * a.row + i * (ptrdiff_t)sizeof(R)), LINE, L1);
        }
    }
}

/* ---------------------------------------------------------------------------------- one panel of a solve */

/* acc[r] = coordinate i + r of the TILE points whose rows start at p, 0 from d on; no block of COLS goes across d. */
ALWAYS_INLINE void load_panel(V (*acc)[LOGLIK_TILE_VECTORS], const R *p, ptrdiff_t row, ptrdiff_t i, ptrdiff_t d) {
    UNROLLED
    for (int c = 0; c < ROWS; c += COLS) {
        UNROLLED
        for (int v = 0; v < VECTORS; v++) {
            V column[COLS] = {C(0)};
            if (i + c < d) {
                v_load_columns(p + v * LANES * row + i + c, row, column);
            }
            UNROLLED
            for (int t = 0; t < COLS; t++) {
                acc[c + t][v] = column[t];
            }
        }
    }
}

/* load_panel for a last panel of any width, to memory; d >= COLS. */
static __attribute__((noinline)) void load_last_panel(R *tile, const R *p, ptrdiff_t row, ptrdiff_t i, ptrdiff_t d) {
    for (ptrdiff_t k = i; k < d; k += COLS) {
        const ptrdiff_t start = k + COLS <= d ? k : d - COLS; /* the last block overlaps the one before */
        for (int v = 0; v < VECTORS; v++) {
            V column[COLS];
            v_load_columns(p + v * LANES * row + start, row, column);
            UNROLLED
            for (int c = 0; c < COLS; c++) {
                if (start + c >= i) {
                    v_store(tile + (start + c - i) * TILE + v * LANES, column[c]);
                }
            }
        }
    }
    memset(tile + (d - i) * TILE, 0, (size_t)((i + ROWS - d) * TILE) * sizeof(R));
}

/* acc ← (unit triangle on the diagonal of the panel of row i)⁻¹ · acc. */
ALWAYS_INLINE void panel_triangle(V (*acc)[LOGLIK_TILE_VECTORS], const R *panel, ptrdiff_t i) {
    UNROLLED
    for (int s = 0; s < ROWS - 1; s++) {
        UNROLLED
        for (int r = s + 1; r < ROWS; r++) {
            const V l = v_set1(panel[(i + s) * ROWS + r]);
            UNROLLED
            for (int v = 0; v < VECTORS; v++) {
                acc[r][v] = v_fnma(l, acc[s][v], acc[r][v]);
            }
        }
    }
}

/* acc ← (unit triangle)⁻¹ · (acc − panel · y). */
ALWAYS_INLINE void panel_solve(V (*acc)[LOGLIK_TILE_VECTORS], const R *panel, const R *y, ptrdiff_t i) {
    panel_update(acc, panel, ROWS, y, i);
    panel_triangle(acc, panel, i);
}

/* square[v] += (scale[r]·acc[r][v])², r ascending. scale is 0 from row d on. */
ALWAYS_INLINE void panel_squares(V *square, V (*acc)[LOGLIK_TILE_VECTORS], const R *scale) {
    UNROLLED
    for (int r = 0; r < ROWS; r++) {
        const V s = v_set1(scale[r]);
        UNROLLED
        for (int v = 0; v < VECTORS; v++) {
            const V z = acc[r][v] * s;
            square[v] = v_fma(z, z, square[v]);
        }
    }
}

ALWAYS_INLINE void load_stored(V (*acc)[LOGLIK_TILE_VECTORS], const R *tile) {
    UNROLLED
    for (int r = 0; r < ROWS; r++) {
        UNROLLED
        for (int v = 0; v < VECTORS; v++) {
            acc[r][v] = v_load(tile + r * TILE + v * LANES);
        }
    }
}

ALWAYS_INLINE void store_panel(R *tile, V (*acc)[LOGLIK_TILE_VECTORS]) {
    UNROLLED
    for (int r = 0; r < ROWS; r++) {
        UNROLLED
        for (int v = 0; v < VECTORS; v++) {
            v_store(tile + r * TILE + v * LANES, acc[r][v]);
        }
    }
}

/* tile ← L⁻¹·tile for the unit lower triangle in `panels` (d rows; the tile has room for d rounded up to ROWS). */
static void tile_solve(R *tile, const R *panels, const ptrdiff_t d) {
    for (ptrdiff_t i = 0; i < d; i += ROWS) {
        V acc[ROWS][VECTORS];
        load_stored(acc, tile + i * TILE);
        panel_solve(acc, panels + panel_start(i / ROWS), tile, i);
        store_panel(tile + i * TILE, acc);
    }
}

/* acc −= W·tile for rows i ... i + ROWS − 1 of the lower triangle W whose panel this is. */
ALWAYS_INLINE void panel_product(V (*acc)[LOGLIK_TILE_VECTORS], const R *panel, const R *tile, ptrdiff_t i) {
    panel_update(acc, panel, ROWS, tile, i);
    UNROLLED
    for (int s = 0; s < ROWS; s++) {
        V point[VECTORS];
        UNROLLED
        for (int v = 0; v < VECTORS; v++) {
            point[v] = v_load(tile + (i + s) * TILE + v * LANES);
        }
        UNROLLED
        for (int r = s; r < ROWS; r++) {
            const V w = v_set1(panel[(i + s) * ROWS + r]);
            UNROLLED
            for (int v = 0; v < VECTORS; v++) {
                acc[r][v] = v_fnma(w, point[v], acc[r][v]);
            }
        }
    }
}
