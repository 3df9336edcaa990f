/* Multivariate normal log-density of many points under few Gaussians (usually one).
 *
 *     log p(x) = −½ ‖L⁻¹ (x − μ)‖² − log det L − (d/2) log 2π
 *
 * Points are lanes. Up to SMALL dimensions everything is in registers, unrolled for each d; above, a tile of points is
 * transposed while μ is subtracted, solved in cache (triangular.h), and only its squared norms are written.
 * A value's bits depend on its point and its Gaussian alone, not on its neighbours or its position. */

enum { SMALL = 8 };

/* ---------------------------------------------------------------------------------- preparing a Gaussian */

/* How the matrix of a Gaussian is given. */
enum matrix_kind {
    COVARIANCE, /* Σ: factored here */
    FACTOR,     /* L with Σ = L·Lᵀ */
    WHITENER,   /* W with Σ⁻¹ = Wᵀ·W, lower triangular: z = W·(x − μ) needs no solve */
};

typedef struct {
    R *mean;       /* contiguous copy */
    R *panels;     /* unit triangle of L, or W itself */
    R *scale;      /* 1 / diagonal of L (unused for W) */
    R shift;       /* −log det L − (d/2) log 2π; NaN where the parameters are bad */
    int32_t info;  /* 0, pivot that failed (1-based), −1: matrix not finite, −2: no memory */
    int nan_input; /* a NaN came in with the parameters */
} gaussian;

/* A product of positive numbers, mantissa · 2^exponent: one logarithm for a whole determinant, with an error
 * below one unit per factor and no overflow. */
typedef struct {
    double mantissa, exponent;
} product;

static inline void multiply(product *p, R factor) {
    int of_factor, of_product;
    p->mantissa *= frexp((double)factor, &of_factor);
    p->mantissa = frexp(p->mantissa, &of_product);
    p->exponent += of_factor + of_product;
}

static inline double log_product(product p) {
    return log(p.mantissa) + p.exponent * 0.69314718055994531;
}

/* Elements of memory per Gaussian, and for the work on all of them. */
ALWAYS_INLINE ptrdiff_t gaussian_size(ptrdiff_t d) { return panels_size(d) + 2 * padded_size(d); }
ALWAYS_INLINE ptrdiff_t work_size(ptrdiff_t d) { return factor_scratch(d); }

/* Panels of the lower triangular matrix a: unit diagonal for a factor, as it is for a whitener. */
static int32_t pack(view a, ptrdiff_t d, enum matrix_kind kind, R *panels, R *scale,
                    product *determinant) {
    for (ptrdiff_t i = 0; i < d; i++) {
        const R diagonal = entry_of(a, i, i);
        if (!(diagonal > 0 && diagonal - diagonal == 0)) {
            return failure(a, d, i + 1);
        }
        scale[i] = 1 / diagonal;
        multiply(determinant, diagonal);
    }
    for (ptrdiff_t i = 0; i < d; i++) {
        R *const row = panels + panel_index(i, 0);
        for (ptrdiff_t k = 0; k <= i; k++) {
            const R x = entry_of(a, i, k);
            if (!(x - x == 0)) {
                return -1;
            }
            row[k * ROWS] = kind == FACTOR ? x * scale[k] : x;
        }
    }
    return 0;
}

static void prepare(gaussian *g, R *memory, const char *mean, ptrdiff_t mean_step, view matrix,
                    ptrdiff_t d, enum matrix_kind kind, R *work) {
    const ptrdiff_t padded = padded_size(d);
    product determinant = {1, 0};
    double log_det; /* of L */

    g->mean = memory;
    g->scale = memory + padded;
    g->panels = memory + 2 * padded;
    memset(memory, 0, (size_t)gaussian_size(d) * sizeof(R));
    int mean_finite = 1;
    g->nan_input = 0;
    for (ptrdiff_t k = 0; k < d; k++) {
        const R m = *(const R *)(mean + k * mean_step);
        g->mean[k] = m;
        mean_finite &= m - m == 0;
        g->nan_input |= m != m;
    }
    if (kind == COVARIANCE) {
        g->info = factorise(matrix, d, g->panels, g->scale, NULL, 0, 0, work);
        if (g->info == 0) {
            for (ptrdiff_t k = 0; k < d; k++) {
                multiply(&determinant, g->scale[k]); /* the pivots, until here */
                g->scale[k] = 1 / (R)sqrt((double)g->scale[k]);
            }
        }
        log_det = 0.5 * log_product(determinant);
    } else {
        g->info = pack(matrix, d, kind, g->panels, g->scale, &determinant);
        log_det = log_product(determinant);
        log_det = kind == FACTOR ? log_det : -log_det;
    }
    g->shift = (R)(-log_det - 0.91893853320467274 * (double)d);
    if (g->info != 0 || !mean_finite) {
        g->shift = (R)NAN;
        for (ptrdiff_t i = 0; i < d && g->info < 0; i++) {
            g->nan_input |= has_nan(matrix, i, i + 1);
        }
    }
}

/* ---------------------------------------------------------------------------------- values */

/* NaN from a point without NaN is an overflow or an infinite coordinate: the density is 0 there. */
static __attribute__((noinline)) void repair(V *value, ptrdiff_t count, view x, ptrdiff_t first, ptrdiff_t d) {
    for (ptrdiff_t p = 0; p < count; p += LANES) {
        R lanes[LANES] __attribute__((aligned(64)));
        v_store(lanes, value[p / LANES]);
        for (ptrdiff_t q = 0; q < LANES && p + q < count; q++) {
            if (lanes[q] != lanes[q] && !has_nan(x, first + p + q, d)) {
                lanes[q] = (R)-INFINITY;
            }
        }
        value[p / LANES] = v_load(lanes);
    }
}

/* repair for `vectors` groups of lanes, where there is a NaN at all. */
ALWAYS_INLINE void repair_if_nan(V *value, const int vectors, view x, ptrdiff_t first, ptrdiff_t count, ptrdiff_t d) {
    M nan = M_NONE;
    UNROLLED
    for (int v = 0; v < vectors; v++) {
        nan |= v_unord(value[v], value[v]);
    }
    if (__builtin_expect(m_any(nan), 0)) {
        repair(value, count, x, first, d);
    }
}

/* log p of `vectors` groups of lanes from their squared norms; `count` points from `first` on are real ones. */
ALWAYS_INLINE void log_densities(V *value, const V *square, const int vectors, const gaussian *g, view x,
                                 ptrdiff_t first, ptrdiff_t count, ptrdiff_t d) {
    const V shift = v_set1(g->shift);
    UNROLLED
    for (int v = 0; v < vectors; v++) {
        value[v] = v_fma(C(-0.5), square[v], shift);
    }
    if (g->shift == g->shift) {
        repair_if_nan(value, vectors, x, first, count, d);
    }
}

/* Where values go: out[n][k], strides in bytes. */
typedef struct {
    char *out;
    ptrdiff_t n, k;
} value_sink;

/* Values of `columns` <= COLS Gaussians from j on, for the points from `first` on: value[c][v]. Any layout. */
static __attribute__((noinline)) void put_columns(value_sink s, const V *value, int columns, int vectors, ptrdiff_t j,
                                                  ptrdiff_t first, ptrdiff_t count) {
    char *const at = s.out + first * s.n + j * s.k;
    if (columns == COLS && s.k == sizeof(R) && count == vectors * LANES) {
        for (int v = 0; v < vectors; v++) {
            V block[COLS];
            UNROLLED
            for (int c = 0; c < COLS; c++) {
                block[c] = value[c * vectors + v];
            }
            v_store_columns((R *)(at + v * LANES * s.n), elements(s.n), block);
        }
        return;
    }
    for (int c = 0; c < columns; c++) {
        if (s.n == sizeof(R) && count == vectors * LANES) {
            for (int v = 0; v < vectors; v++) {
                v_store((R *)(at + c * s.k) + v * LANES, value[c * vectors + v]);
            }
            continue;
        }
        for (ptrdiff_t p = 0; p < count; p += LANES) {
            R lanes[LANES] __attribute__((aligned(64)));
            v_store(lanes, value[c * vectors + p / LANES]);
            for (ptrdiff_t q = p; q < count && q < p + LANES; q++) {
                *(R *)(at + q * s.n + c * s.k) = lanes[q - p];
            }
        }
    }
}

ALWAYS_INLINE void put(value_sink s, const V *value, int columns, const int vectors, ptrdiff_t j, ptrdiff_t first,
                       ptrdiff_t count) {
    if (columns == 1 && s.n == sizeof(R) && count == vectors * LANES) {
        UNROLLED
        for (int v = 0; v < vectors; v++) {
            v_store((R *)(s.out + first * s.n + j * s.k) + v * LANES, value[v]);
        }
    } else {
        put_columns(s, value, columns, vectors, j, first, count);
    }
}

/* ---------------------------------------------------------------------------------- few coordinates */

/* Rows shorter than a block of columns may be read past their end while rows follow: how many points, from the first
 * one, may be loaded in blocks. */
ALWAYS_INLINE ptrdiff_t points_in_blocks(view x, ptrdiff_t n, ptrdiff_t d) {
    return x.column != 1 ? 0 : d >= COLS ? n : x.row > 0 ? n - COLS : 0;
}

/* Points first ... first + LANES − 1 as columns. */
ALWAYS_INLINE void load_block(V *column, const int d, view x, ptrdiff_t first) {
    const R *const p = x.data + first * x.row;
    if (d == 1 && x.row == 1) {
        column[0] = v_load(p);
        return;
    }
    UNROLLED
    for (int k = 0; k < d; k += COLS) {
        const int start = k + COLS <= d || d < COLS ? k : d - COLS;
        V block[COLS];
        v_load_columns(p + start, x.row, block);
        UNROLLED
        for (int c = 0; c < COLS; c++) {
            if (start + c < d) {
                column[start + c] = block[c];
            }
        }
    }
}

/* ‖L⁻¹(x − μ)‖² */
ALWAYS_INLINE V small_square(const int d, const V *column, const gaussian *g, const enum matrix_kind kind) {
    const R *const l = g->panels;
    V z[SMALL] = {C(0)}, square = C(0);
    UNROLLED
    for (int i = 0; i < d; i++) {
        z[i] = column[i] - v_set1(g->mean[i]);
    }
    UNROLLED
    for (int i = 0; i < d; i++) {
        V y = kind == WHITENER ? C(0) : z[i];
        UNROLLED
        for (int s = 0; s < i + (kind == WHITENER); s++) {
            y = v_fnma(v_set1(l[panel_index(i, s)]), z[s], y);
        }
        if (kind != WHITENER) {
            z[i] = y;
            y *= v_set1(g->scale[i]);
        }
        square = v_fma(y, y, square);
    }
    return square;
}

/* Points `first` ... n; d <= SMALL. blocks: a whole number of groups of lanes, loaded in blocks. */
ALWAYS_INLINE void small_points(const int d, view x, ptrdiff_t first, ptrdiff_t n, const gaussian *g, ptrdiff_t k,
                                const enum matrix_kind kind, value_sink sink, const int blocks) {
    const ptrdiff_t group = LANES * x.row * (ptrdiff_t)sizeof(R);
    for (; first < n; first += LANES) {
        const ptrdiff_t count = blocks || n - first > LANES ? LANES : n - first;
        V column[SMALL];
        if (blocks) {
            const uintptr_t ahead = (uintptr_t)(x.data + first * x.row) + AHEAD;
            fetch(ahead, group, L1);
            load_block(column, d, x, first);
        } else {
            const batch points = {x.data + first * x.row, x.row, 0, x.column};
            load_lanes(column, points, 0, d, 0, count);
        }
        for (ptrdiff_t j = 0; j < k; j += COLS) {
            const int columns = (int)(k - j < COLS ? k - j : COLS);
            V value[COLS];
            for (int c = 0; c < columns; c++) {
                const V square = small_square(d, column, &g[j + c], kind);
                log_densities(&value[c], &square, 1, &g[j + c], x, first, count, d);
            }
            put(sink, value, columns, 1, j, first, count);
        }
    }
}

/* What is not loaded in blocks: one body for every d. */
static __attribute__((noinline)) void small_rest(int d, view x, ptrdiff_t first, ptrdiff_t n, const gaussian *g,
                                                 ptrdiff_t k, enum matrix_kind kind, value_sink sink) {
    small_points(d, x, first, n, g, k, kind, sink, 0);
}

/* d <= SMALL, a constant where this is inlined. */
ALWAYS_INLINE void mvn_small(const int d, view x, ptrdiff_t n, const gaussian *g, ptrdiff_t k,
                             const enum matrix_kind kind, value_sink sink) {
    const ptrdiff_t limit = points_in_blocks(x, n, d), whole = limit < LANES ? 0 : limit / LANES * LANES;
    if (k == 1 && sink.n == sizeof(R)) { /* without the code for other layouts of the output: twice as fast for d = 2 */
        small_points(d, x, 0, whole, g, 1, kind, (value_sink){sink.out, sizeof(R), 0}, 1);
    } else {
        small_points(d, x, 0, whole, g, k, kind, sink, 1);
    }
    small_rest(d, x, whole, n, g, k, kind, sink);
}

/* ---------------------------------------------------------------------------------- any number of coordinates */

enum tile_source {
    ROWS_IN_MEMORY, /* points as the caller gave them, coordinates adjacent, a whole tile */
    TRANSPOSED,     /* a tile of points, not centred */
};

/* A tile of points on its way to squared norms under one Gaussian. */
typedef struct {
    const R *points; /* rows `row` apart, or a tile */
    ptrdiff_t row;
    R *y; /* the tile of solutions */
    V square[LOGLIK_TILE_VECTORS];
} point_tile;

/* Coordinates i ... i + ROWS − 1, centred; if begun, what has been stored of them in the tile of solutions. */
ALWAYS_INLINE void centred_panel(V (*acc)[LOGLIK_TILE_VECTORS], enum tile_source source, const point_tile *t, const R *mean,
                                 int begun, ptrdiff_t i, ptrdiff_t d) {
    const R *stored = t->y + i * TILE;
    if (!begun && source == TRANSPOSED) {
        stored = t->points + i * TILE;
    } else if (!begun && (i + ROWS <= d || d % COLS == 0)) {
        stored = NULL;
    } else if (!begun) {
        load_last_panel(t->y + i * TILE, t->points, t->row, i, d);
    }
    if (stored) {
        load_stored(acc, stored);
    } else {
        load_panel(acc, t->points, t->row, i, d);
    }
    if (begun) {
        return;
    }
    UNROLLED
    for (int r = 0; r < ROWS; r++) { /* the mean is 0 from d on */
        const V m = v_set1(mean[i + r]);
        UNROLLED
        for (int v = 0; v < VECTORS; v++) {
            acc[r][v] -= m;
        }
    }
}

/* Rows i ... i + ROWS − 1 of the solve, as far as the columns first ... first + BLOCK − 1 matter for them. */
ALWAYS_INLINE void solve_step(enum tile_source source, point_tile *t, const gaussian *g, ptrdiff_t first, ptrdiff_t i,
                              ptrdiff_t d) {
    const R *const panel = g->panels + panel_start(i / ROWS) + first * ROWS;
    const ptrdiff_t before = i - first;
    const int last = before < BLOCK; /* block of columns */
    V acc[ROWS][VECTORS];
    centred_panel(acc, source, t, g->mean, first > 0, i, d);
    panel_update(acc, panel, ROWS, t->y + first * TILE, last ? before : BLOCK);
    if (last) {
        panel_triangle(acc, panel, before);
    }
    if (!last || i + ROWS < d) {
        store_panel(t->y + i * TILE, acc);
    }
    if (last) {
        panel_squares(t->square, acc, g->scale + i);
    }
}

/* Rows begin ... end − 1 of the solve, one panel after the other. ahead: what to fetch meanwhile, or NULL. */
ALWAYS_INLINE void solve_panels(enum tile_source source, point_tile *t, const gaussian *g, ptrdiff_t first, ptrdiff_t begin,
                                ptrdiff_t end, ptrdiff_t d, const lookahead *ahead) {
    for (ptrdiff_t i = begin; i < end; i += ROWS) {
        if (ahead && first == 0) {
            fetch_share(*ahead, i, d);
        }
        solve_step(source, t, g, first, i, d);
    }
}
static __attribute__((noinline)) void solve_rows(enum tile_source source, point_tile *t, const gaussian *g, ptrdiff_t first,
                                                 ptrdiff_t begin, ptrdiff_t end, ptrdiff_t d, const lookahead *ahead) {
    solve_panels(source, t, g, first, begin, end, d, ahead);
}

/* Squared norms of two tiles of points in memory. By blocks of columns: what is solved of a tile stays in the first-level cache
 * while the rows below are updated, and each part of the triangle serves both tiles. */
ALWAYS_INLINE void mvn_solve_pair(point_tile *t, const gaussian *g, ptrdiff_t d) {
    for (ptrdiff_t first = 0; first < d; first += BLOCK) {
        for (ptrdiff_t i = first; i < d; i += ROWS) {
            solve_rows(ROWS_IN_MEMORY, &t[0], g, first, i, i + ROWS, d, NULL);
            solve_rows(ROWS_IN_MEMORY, &t[1], g, first, i, i + ROWS, d, NULL);
        }
    }
}

/* solve_panels for a whitener: the centred tile is kept, products of its rows are summed. */
ALWAYS_INLINE void product_panels(enum tile_source source, point_tile *t, const gaussian *g, ptrdiff_t d,
                                  const lookahead *ahead) {
    for (ptrdiff_t i = 0; i < d; i += ROWS) {
        V centred[ROWS][VECTORS], acc[ROWS][VECTORS] = {{C(0)}};
        if (ahead) {
            fetch_share(*ahead, i, d);
        }
        centred_panel(centred, source, t, g->mean, 0, i, d);
        store_panel(t->y + i * TILE, centred);
        panel_product(acc, g->panels + panel_start(i / ROWS), t->y, i);
        UNROLLED
        for (int r = 0; r < ROWS; r++) {
            UNROLLED
            for (int v = 0; v < VECTORS; v++) { /* the sign of acc does not matter */
                t->square[v] = v_fma(acc[r][v], acc[r][v], t->square[v]);
            }
        }
    }
}

static __attribute__((noinline)) void product_rows(enum tile_source source, point_tile *t, const gaussian *g, ptrdiff_t d,
                                                   const lookahead *ahead) {
    product_panels(source, t, g, d, ahead);
}

/* Squared norms of a tile. The call is noticed where the tile is in cache already: there (`inlined`) the code is repeated. */
ALWAYS_INLINE void mvn_tile(enum tile_source source, enum matrix_kind kind, point_tile *t, const gaussian *g, ptrdiff_t d,
                            const lookahead *ahead, const int inlined) {
    if (kind == WHITENER && inlined) {
        product_panels(source, t, g, d, ahead);
    } else if (kind == WHITENER) {
        product_rows(source, t, g, d, ahead);
    }
    for (ptrdiff_t first = 0; first < d && kind != WHITENER; first += BLOCK) {
        if (inlined) {
            solve_panels(source, t, g, first, first, d, d, ahead);
        } else {
            solve_rows(source, t, g, first, first, d, d, ahead);
        }
    }
}

/* One Gaussian. Where the triangle outgrows the cache, each part of it serves two tiles. */
static __attribute__((noinline)) void mvn_one(enum matrix_kind kind, ptrdiff_t d, view x, ptrdiff_t n,
                                              const gaussian *g, value_sink sink, R *work) {
    enum { PAIRED = 256 };
    const ptrdiff_t size = padded_size(d) * TILE, whole = x.column == 1 && d >= COLS ? n / TILE * TILE : 0;
    const int paired = kind != WHITENER && d > PAIRED;
    for (ptrdiff_t first = 0, tiles; first < n; first += tiles * TILE) {
        point_tile t[2];
        tiles = paired && first + 2 * TILE <= whole ? 2 : 1;
        for (int j = 0; j < tiles; j++) {
            t[j] = (point_tile){x.data + (first + j * TILE) * x.row, x.row, work + j * size, {C(0)}};
        }
        if (tiles == 2) {
            mvn_solve_pair(t, g, d);
        } else if (first < whole) {
            const lookahead ahead = look_ahead(x, first, d);
            mvn_tile(ROWS_IN_MEMORY, kind, t, g, d, &ahead, 0);
        } else {
            load_tile(work + size, x, first, n - first < TILE ? n - first : TILE, d, NULL);
            t[0].points = work + size;
            mvn_tile(TRANSPOSED, kind, t, g, d, NULL, 0);
        }
        for (int j = 0; j < tiles; j++) {
            const ptrdiff_t at = first + j * TILE, count = n - at < TILE ? n - at : TILE;
            V value[VECTORS];
            log_densities(value, t[j].square, VECTORS, g, x, at, count, d);
            put(sink, value, 1, VECTORS, 0, at, count);
        }
    }
}

/* Several Gaussians: a tile is transposed once for all of them. */
static __attribute__((noinline)) void mvn_many(enum matrix_kind kind, ptrdiff_t d, view x, ptrdiff_t n,
                                               const gaussian *g, ptrdiff_t k, value_sink sink, R *work) {
    R *const tile = work + padded_size(d) * TILE;
    const ptrdiff_t share = TILE * sink.n / k; /* of the next values' memory, fetched while there is other work */
    for (ptrdiff_t first = 0; first < n; first += TILE) {
        const ptrdiff_t count = n - first < TILE ? n - first : TILE;
        const uintptr_t ahead = (uintptr_t)sink.out + (uintptr_t)((first + TILE) * sink.n);
        load_tile(tile, x, first, count, d, NULL);
        for (ptrdiff_t j = 0; j < k; j += COLS) {
            const int columns = (int)(k - j < COLS ? k - j : COLS);
            V value[COLS * VECTORS];
            for (int c = 0; c < columns; c++) {
                const gaussian *const gaussian = &g[j + c];
                point_tile t = {tile, 0, work, {C(0)}};
                fetch(ahead + (uintptr_t)((j + c) * share), sink.k == sizeof(R) ? share : 0, L1);
                mvn_tile(TRANSPOSED, kind, &t, gaussian, d, NULL, 1);
                log_densities(value + c * VECTORS, t.square, VECTORS, gaussian, x, first, count, d);
            }
            put(sink, value, columns, VECTORS, j, first, count);
        }
    }
}

/* Not inlined: its inner loops are short of registers as it is. */
static __attribute__((noinline)) void mvn_values(ptrdiff_t d, view x, ptrdiff_t n, const gaussian *g, ptrdiff_t k,
                                                 enum matrix_kind kind, char *out, ptrdiff_t out_n, ptrdiff_t out_k,
                                                 R *work) {
    const value_sink sink = {out, out_n, out_k};
    switch (kind == WHITENER ? 0 : d) {
#define LOGLIK_SMALL(D)                                                                                     \
    case D:                                                                                                 \
        mvn_small(D, x, n, g, k, FACTOR, sink);                                                            \
        break;
        LOGLIK_SMALL(1)
        LOGLIK_SMALL(2)
        LOGLIK_SMALL(3)
        LOGLIK_SMALL(4)
        LOGLIK_SMALL(5)
        LOGLIK_SMALL(6)
        LOGLIK_SMALL(7)
        LOGLIK_SMALL(8)
#undef LOGLIK_SMALL
    default:
        if (k == 1) {
            mvn_one(kind, d, x, n, g, sink, work);
        } else {
            mvn_many(kind, d, x, n, g, k, sink, work);
        }
    }
}

/* ---------------------------------------------------------------------------------- the loops */

/* The one place where a Gaussian kernel allocates: a gufunc loop has no caller who could bring scratch. Small
 * problems use the stack. NULL where memory is short; the caller then reports info = −2 and NaN. */
ALWAYS_INLINE R *scratch_take(R *stack, ptrdiff_t stack_size, ptrdiff_t size) {
    if (size <= stack_size) {
        return stack;
    }
    return (size_t)size > SIZE_MAX / sizeof(R) / 2 ? NULL : aligned_take((size_t)size * sizeof(R));
}
ALWAYS_INLINE void scratch_give_back(R *stack, R *memory) {
    if (memory != stack) {
        aligned_give_back(memory);
    }
}

/* NaN for n points; returns whether one of them had none itself. */
static int fill_nan(view x, ptrdiff_t n, ptrdiff_t d, char *out, ptrdiff_t step, ptrdiff_t columns, ptrdiff_t column_step) {
    int made = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        for (ptrdiff_t j = 0; j < columns; j++) {
            *(R *)(out + i * step + j * column_step) = (R)NAN;
        }
        made = made || !has_nan(x, i, d);
    }
    return made;
}

/* What the four loops below have in common. Strides in bytes. */
typedef struct {
    const char *x, *mean, *matrix;
    char *out, *info;
    ptrdiff_t n, d, k;
    ptrdiff_t x_n, x_d, mean_k, mean_d, matrix_k, matrix_i, matrix_j, out_n, out_k, info_k;
} grid_task;

static int mvn_grid_task(grid_task t, enum matrix_kind kind) {
    enum { STACK = 4 * LOGLIK_TILE_VECTORS * LANES * SMALL, KEEP = 256 * 1024 / sizeof(R), MOST = 64 };
    R stack[STACK] __attribute__((aligned(64)));
    gaussian g[MOST];
    const view x = rows_at(t.x, t.x_n, t.x_d);
    /* So many Gaussians at once as stay in cache beside the tile: the points are read once for all of them. */
    const ptrdiff_t each = gaussian_size(t.d), work = work_size(t.d);
    ptrdiff_t most = KEEP / (each + 1) < 1 ? 1 : KEEP / (each + 1) > MOST ? MOST : KEEP / (each + 1);
    most = most < t.k ? most : t.k;
    R *const memory = scratch_take(stack, STACK, work + most * each);
    int invalid = 0;

    for (ptrdiff_t start = 0; start < t.k; start += most) {
        const ptrdiff_t now = t.k - start < most ? t.k - start : most;
        char *const out = t.out + start * t.out_k;
        for (ptrdiff_t j = 0; j < now && memory; j++) {
            view matrix = rows_at(t.matrix + (start + j) * t.matrix_k, t.matrix_i, t.matrix_j);
            prepare(&g[j], memory + work + j * each, t.mean + (start + j) * t.mean_k, t.mean_d, matrix, t.d, kind, memory);
        }
        for (ptrdiff_t j = 0; j < now && t.info; j++) {
            *(int32_t *)(t.info + (start + j) * t.info_k) = memory ? g[j].info : -2;
        }
        if (memory) {
            memset(memory, 0, (size_t)work * sizeof(R)); /* the rows of a tile beyond d */
            mvn_values(t.d, x, t.n, g, now, kind, out, t.out_n, t.out_k, memory);
        }
        for (ptrdiff_t j = 0; j < now; j++) {
            if (!memory || g[j].shift != g[j].shift) {
                const int made = fill_nan(x, t.n, t.d, out + j * t.out_k, t.out_n, 1, 0);
                invalid |= made && memory && !g[j].nan_input;
            }
        }
    }
    scratch_give_back(stack, memory);
    return invalid;
}

static void mvn_log_prob_shared_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    const ptrdiff_t *const s = steps + 5;
    const fp_state saved = fp_enter();
    int invalid = 0;
    for (ptrdiff_t i = 0; i < dims[0]; i++) {
        invalid |= mvn_grid_task(
            (grid_task){
                .x = args[0] + i * steps[0], .mean = args[1] + i * steps[1], .matrix = args[2] + i * steps[2],
                .out = args[3] + i * steps[3], .info = args[4] + i * steps[4],
                .n = dims[1], .d = dims[2], .k = 1,
                .x_n = s[0], .x_d = s[1], .mean_d = s[2], .matrix_i = s[3], .matrix_j = s[4], .out_n = s[5],
            },
            COVARIANCE);
    }
    fp_leave(saved, invalid);
}

ALWAYS_INLINE void grid_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, enum matrix_kind kind) {
    const ptrdiff_t *const s = steps + 5;
    const fp_state saved = fp_enter();
    int invalid = 0;
    for (ptrdiff_t i = 0; i < dims[0]; i++) {
        invalid |= mvn_grid_task(
            (grid_task){
                .x = args[0] + i * steps[0], .mean = args[1] + i * steps[1], .matrix = args[2] + i * steps[2],
                .out = args[3] + i * steps[3], .info = args[4] + i * steps[4],
                .n = dims[1], .d = dims[2], .k = dims[3],
                .x_n = s[0], .x_d = s[1], .mean_k = s[2], .mean_d = s[3], .matrix_k = s[4], .matrix_i = s[5],
                .matrix_j = s[6], .out_n = s[7], .out_k = s[8], .info_k = s[9],
            },
            kind);
    }
    fp_leave(saved, invalid);
}

static void mvn_log_prob_grid_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    grid_loop(args, dims, steps, COVARIANCE);
}

static void mvn_log_prob_tril_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    grid_loop(args, dims, steps, FACTOR);
}

static void mvn_log_prob_whitened_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    grid_loop(args, dims, steps, WHITENER);
}

/* y = L⁻¹ (x − μ) */
static void whiten_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    enum { STACK = 4 * LOGLIK_TILE_VECTORS * LANES * SMALL };
    R stack[STACK] __attribute__((aligned(64)));
    const ptrdiff_t n = dims[1], d = dims[2], *const s = steps + 4;
    const fp_state saved = fp_enter();
    R *const memory = scratch_take(stack, STACK, work_size(d) + gaussian_size(d));
    R *const tile = memory;
    int invalid = 0;

    for (ptrdiff_t i = 0; i < dims[0]; i++) {
        const view x = rows_at(args[0] + i * steps[0], s[0], s[1]);
        char *const out = args[3] + i * steps[3];
        gaussian g = {.shift = (R)NAN};
        if (memory) {
            prepare(&g, memory + work_size(d), args[1] + i * steps[1], s[2],
                    rows_at(args[2] + i * steps[2], s[3], s[4]), d, FACTOR, memory);
        }
        if (g.shift != g.shift) {
            const int made = fill_nan(x, n, d, out, s[5], d, s[6]);
            invalid |= made && memory && !g.nan_input;
            continue;
        }
        memset(tile, 0, (size_t)work_size(d) * sizeof(R));
        for (ptrdiff_t first = 0; first < n; first += TILE) {
            const ptrdiff_t count = n - first < TILE ? n - first : TILE;
            load_tile(tile, x, first, count, d, g.mean);
            tile_solve(tile, g.panels, d);
            for (ptrdiff_t k = 0; k < d; k++) {
                for (ptrdiff_t p = 0; p < count; p++) {
                    const R y = tile[k * TILE + p] * g.scale[k];
                    *(R *)(out + (first + p) * s[5] + k * s[6]) = y;
                    invalid |= y != y && !has_nan(x, first + p, d);
                }
            }
        }
    }
    scratch_give_back(stack, memory);
    fp_leave(saved, invalid);
}
