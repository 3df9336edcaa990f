/* Multivariate normal log-density of many points with its gradients, in one pass.
 *
 *     s = Σ⁻¹·δ,  δ = x − μ       d/dx = −s       d/dμ = Σₙ s       d/dΣ = ½·(Σₙ s·sᵀ − N·Σ⁻¹)
 *     y = L⁻¹·δ                   d/dL = tril(Σₙ s·yᵀ) − N·diag(1/Lᵢᵢ)      d/dΣ⁻¹ = ½·(N·Σ − Σₙ δ·δᵀ)
 *
 * A tile of points is solved against L as for the value (triangular.h), and solved back against Lᵀ while it is in cache. In reversed
 * order of coordinates Lᵀ is a lower triangle again, J·Lᵀ·J, so the second solve is the first one with other panels (for a
 * whitener W: the two products). The sums over points are rank-updates of whole blocks (rank_update.h), never a matrix
 * for each point; they are kept in three levels (a chain, GROUP points, all of them), so that their rounding
 * errors do not grow with the number of points. What does not depend on points (N·Σ⁻¹ and the like) is left to the caller. */

enum { GRADIENT_GROUP = 10 * RANK_BLOCK };

typedef struct {
    gaussian forward, back;
    R *work;     /* for prepare, then two tiles */
    R *forward_memory, *back_memory;
    R *a, *b;    /* packed blocks: the factors of the rank-update; a is s where it is computed */
    R *s;        /* the packed block of s: a, or one more */
    double *outer, *sums; /* of a group */
    double *outer_low, *sums_low; /* what the totals have lost to rounding */
} gradient_memory;

/* LANES entries from `start` on, for all lanes. */
ALWAYS_INLINE void store_square(R *out, ptrdiff_t step, const V *in, int stream) {
    V square[LANES];
    UNROLLED
    for (int i = 0; i < LANES; i++) {
        square[i] = in[i];
    }
    v_transpose(square);
    if (stream) {
        UNROLLED
        for (int i = 0; i < LANES; i++) {
            v_stream(out + i * step, square[i]);
        }
    } else {
        UNROLLED
        for (int i = 0; i < LANES; i++) {
            v_store(out + i * step, square[i]);
        }
    }
}

/* out[p·step + k] = in[k][p], k < d, for count lanes, one element at a time. */
ALWAYS_INLINE void scatter_each(R *out, ptrdiff_t step, const V *in, ptrdiff_t d, ptrdiff_t count) {
    for (ptrdiff_t k = 0; k < d; k++) {
        R value[LANES] __attribute__((aligned(64)));
        v_store(value, in[k]);
        for (ptrdiff_t p = 0; p < count; p++) {
            out[p * step + k] = value[p];
        }
    }
}

static __attribute__((noinline)) void scatter_lanes(R *out, ptrdiff_t step, const V *in, ptrdiff_t d, ptrdiff_t count) {
    scatter_each(out, step, in, d, count);
}

/* out[p·step + k] = in[k][p], k < d, for count lanes; the reverse of load_lanes. Where the lanes allow it, stores are aligned: NumPy
 * aligns memory to 16 bytes, and a store across two cache lines costs two. `stream`: past the caches. */
ALWAYS_INLINE void store_lanes(R *out, ptrdiff_t step, const V *in, ptrdiff_t d, ptrdiff_t count, int stream) {
    const ptrdiff_t head = (ptrdiff_t)(-(uintptr_t)out % LOGLIK_VECTOR_BYTES / sizeof(R));
    const int aligned = (uintptr_t)out % sizeof(R) == 0 && step % LANES == 0 && head % COLS == 0 && d % COLS == 0;
    ptrdiff_t k = 0;
    if (count == LANES && aligned && d >= 2 * LANES) {
        for (; k < head; k += COLS) {
            v_store_columns(out + k, step, in + k);
        }
        for (; k + LANES <= d; k += LANES) {
            store_square(out + k, step, in + k, stream);
        }
        for (; k < d; k += COLS) {
            v_store_columns(out + k, step, in + k);
        }
    } else if (count == LANES && d >= LANES) {
        for (; k < d; k += LANES) { /* the last square overlaps the one before */
            const ptrdiff_t start = k + LANES <= d ? k : d - LANES;
            store_square(out + start, step, in + start, 0);
        }
    } else if (count == LANES && d >= COLS) {
        for (; k < d; k += COLS) {
            const ptrdiff_t start = k + COLS <= d ? k : d - COLS;
            v_store_columns(out + start, step, in + start);
        }
    } else {
        scatter_lanes(out, step, in, d, count);
    }
}

/* tile → out, W·tile with rows in reversed order; square[v] += (W·tile)[i]², i ascending. The tile is 0 from row d on. */
static __attribute__((noinline)) void tile_product(R *out, const R *tile, const R *panels, const ptrdiff_t d, V *square) {
    for (ptrdiff_t i = 0; i < d; i += ROWS) {
        V acc[ROWS][VECTORS] = {{C(0)}};
        panel_product(acc, panels + panel_start(i / ROWS), tile, i);
        UNROLLED
        for (int r = 0; r < ROWS; r++) {
            UNROLLED
            for (int v = 0; v < VECTORS; v++) {
                if (i + r < d) {
                    v_store(out + (d - 1 - i - r) * TILE + v * LANES, -acc[r][v]);
                    square[v] = v_fma(acc[r][v], acc[r][v], square[v]);
                }
            }
        }
    }
}

/* The log-densities of a tile, to out. */
ALWAYS_INLINE void gradient_values(const V *square, const gaussian *g, view x, ptrdiff_t first, ptrdiff_t count,
                                   ptrdiff_t d, char *out, ptrdiff_t step) {
    V value[LOGLIK_TILE_VECTORS];
    log_densities(value, square, LOGLIK_TILE_VECTORS, g, x, first, count, d);
    put((value_sink){out, step, 0}, value, 1, LOGLIK_TILE_VECTORS, 0, 0, count);
}

/* tile ← unit triangle⁻¹·δ, square, and y = L⁻¹·δ with its rows reversed, for points under one Gaussian. */
ALWAYS_INLINE void gradient_forward(R *tile, R *reversed, const gaussian *g, view x, ptrdiff_t first, ptrdiff_t count,
                                    ptrdiff_t d, V *square) {
    const int in_rows = count == TILE && x.column == 1 && d >= COLS;
    const lookahead ahead = look_ahead(x, first, d);
    const point_tile points = {x.data + first * x.row, x.row, tile, {C(0)}};
    if (!in_rows) {
        load_tile(tile, x, first, count, d, g->mean);
        /* beyond d the tile before may have left a NaN */
        memset(tile + d * TILE, 0, (size_t)((padded_size(d) - d) * TILE) * sizeof(R));
    }
    for (ptrdiff_t i = 0; i < d; i += ROWS) {
        V acc[ROWS][VECTORS];
        if (in_rows) {
            fetch_share(ahead, i, d);
        }
        centred_panel(acc, ROWS_IN_MEMORY, &points, g->mean, !in_rows, i, d);
        panel_solve(acc, g->panels + panel_start(i / ROWS), tile, i);
        store_panel(tile + i * TILE, acc);
        UNROLLED
        for (int r = 0; r < ROWS; r++) {
            const V scale = v_set1(g->scale[i + r]);
            UNROLLED
            for (int v = 0; v < VECTORS; v++) {
                const V z = acc[r][v] * scale;
                square[v] = v_fma(z, z, square[v]);
                if (i + r < d) {
                    v_store(reversed + (d - 1 - i - r) * TILE + v * LANES, z);
                }
            }
        }
    }
}

/* Solves a tile of points and packs what the sums need. */
ALWAYS_INLINE void gradient_tile(const loglik_gradient_task *t, gradient_memory *g, view x, ptrdiff_t first,
                                 ptrdiff_t count, char *value, ptrdiff_t in_block, const int want_s, const int want_outer) {
    const ptrdiff_t d = t->d;
    R *const tile = g->work, *const reversed = g->work + padded_size(d) * TILE;
    V square[VECTORS] = {C(0)};
    if (t->form == LOGLIK_GRADIENT_PRECISION) {
        load_tile(tile, x, first, count, d, g->forward.mean);
        if (want_outer) {
            pack_points(g->a, tile, NULL, d, 0, in_block);
        }
        tile_product(reversed, tile, g->forward.panels, d, square);
        gradient_values(square, &g->forward, x, first, count, d, value, t->value_n);
        if (want_s) {
            tile_product(tile, reversed, g->back.panels, d, square);
            pack_points(g->s, tile, NULL, d, 0, in_block);
        }
        return;
    }
    gradient_forward(tile, reversed, &g->forward, x, first, count, d, square);
    gradient_values(square, &g->forward, x, first, count, d, value, t->value_n);
    if (want_outer && t->form == LOGLIK_GRADIENT_FACTOR) {
        pack_points(g->b, reversed, NULL, d, 1, in_block);
    }
    if (want_s) {
        tile_solve(reversed, g->back.panels, d);
        pack_points(g->s, reversed, g->back.scale, d, 1, in_block);
    }
}

/* n elements to memory that is not read soon: past the caches but for the ends. */
static void stream_copy(R *out, const R *from, ptrdiff_t n) {
    ptrdiff_t head = (ptrdiff_t)(-(uintptr_t)out % LOGLIK_VECTOR_BYTES / sizeof(R)), i;
    head = head < n && (uintptr_t)out % sizeof(R) == 0 ? head : n;
    memcpy(out, from, (size_t)head * sizeof(R));
    for (i = head; i + LANES <= n; i += LANES) {
        v_stream(out + i, v_load(from + i));
    }
    memcpy(out + i, from + i, (size_t)(n - i) * sizeof(R));
}

/* out[p][j] = −s[first + p][j], from the packed block s. */
ALWAYS_INLINE void negate_rows(R *out, const R *s, ptrdiff_t first, ptrdiff_t count, ptrdiff_t d) {
    enum { PANEL = RANK_PANEL };
    const ptrdiff_t whole = d / LANES * LANES;
    for (ptrdiff_t p = 0; p < count; p++) {
        for (ptrdiff_t j = 0; j < whole; j += LANES) {
            v_store(out + p * d + j, -v_load(rank_column(s, j) + (first + p) * PANEL));
        }
        for (ptrdiff_t j = whole; j < d; j++) {
            out[p * d + j] = -rank_column(s, j)[(first + p) * PANEL];
        }
    }
}

/* −s of a block to rows (assigned) or row_sums (added). */
static void gradient_rows(const loglik_gradient_task *t, const R *s, ptrdiff_t problem, ptrdiff_t first, ptrdiff_t count) {
    enum { PANEL = RANK_PANEL, BUFFER = 16384 / sizeof(R) };
    const ptrdiff_t d = t->d, start = (problem * t->points + first) * d;
    if (t->rows && t->stream_rows && d <= BUFFER) {
        R buffer[BUFFER] __attribute__((aligned(64)));
        const ptrdiff_t step = BUFFER / d;
        for (ptrdiff_t p = 0; p < count; p += step) {
            const ptrdiff_t now = count - p < step ? count - p : step;
            negate_rows(buffer, s, p, now, d);
            stream_copy((R *)t->rows + start + p * d, buffer, now * d);
        }
    } else if (t->rows) {
        negate_rows((R *)t->rows + start, s, 0, count, d);
    }
    if (t->row_sums) {
        double *const out = t->row_sums + start;
        for (ptrdiff_t p = 0; p < count; p++) {
            for (ptrdiff_t j = 0; j < d; j++) {
                out[p * d + j] -= (double)rank_column(s, j)[p * PANEL];
            }
        }
    }
}

/* total[0] += part, the rounding error to *low (Knuth). */
ALWAYS_INLINE void add_compensated(double *total, double *low, double part) {
    const double sum = *total + part, back = sum - *total;
    *low += (*total - (sum - back)) + (part - back);
    *total = sum;
}

/* The sums of a group to the totals, and back to zero; with the last group the compensation is added, and a symmetric matrix is
 * written on both sides. */
static void gradient_flush(gradient_memory *g, const loglik_gradient_task *t, ptrdiff_t item, int last) {
    const ptrdiff_t d = t->d, width = rank_width(d);
    if (t->sums) {
        double *const out = t->sums + item * d;
        for (ptrdiff_t j = 0; j < d; j++) {
            add_compensated(&out[j], &g->sums_low[j], g->sums[j]);
            if (last) {
                out[j] += g->sums_low[j];
                g->sums_low[j] = 0;
            }
        }
        memset(g->sums, 0, (size_t)width * sizeof(double));
    }
    if (t->outer) {
        double *const out = t->outer + item * d * d;
        for (ptrdiff_t i = 0; i < d; i++) {
            double *const low = g->outer_low + i * width, *const part = g->outer + i * width;
            for (ptrdiff_t j = 0; j <= i; j++) {
                if (d >= 64) { /* the bound of the error has room for plain sums */
                    out[i * d + j] += part[j];
                } else {
                    add_compensated(&out[i * d + j], &low[j], part[j]);
                }
                if (last && d < 64) {
                    out[i * d + j] += low[j];
                    low[j] = 0;
                }
                if (last && t->form != LOGLIK_GRADIENT_FACTOR) {
                    out[j * d + i] = out[i * d + j];
                }
            }
            memset(part, 0, (size_t)(i + 1) * sizeof(double));
        }
    }
}

#include "mvn_gradient_small.h"

ALWAYS_INLINE void gradient_one(const loglik_gradient_task *t, gradient_memory *g, small_memory *small, ptrdiff_t e,
                                ptrdiff_t k) {
    enum { BLOCK = RANK_BLOCK, GROUP = GRADIENT_GROUP };
    static const R zero = 0;
    const ptrdiff_t n = t->points, d = t->d, item = e * t->gaussians + k, size = sizeof(R);
    const enum matrix_kind kind = t->form == LOGLIK_GRADIENT_PRECISION ? WHITENER : FACTOR;
    const R *const matrix = (const R *)(t->matrix + e * t->matrix_e + k * t->matrix_k);
    const view x = rows_at(t->x + e * t->x_e, t->x_n, t->x_d);
    const int want_outer = t->outer != NULL;
    const int want_s = t->rows || t->row_sums || t->sums || (want_outer && kind == FACTOR);

    prepare(&g->forward, g->forward_memory, t->loc + e * t->loc_e + k * t->loc_k, size, (view){matrix, d, 1}, d, kind, g->work);
    if (d <= SMALL_MOST) {
        gradient_small(t, g, small, x, matrix, e, item, t->value + e * t->value_e + k * t->value_k);
        return;
    }
    if (want_s) { /* J·Lᵀ·J: the transpose read from its last entry on */
        prepare(&g->back, g->back_memory, (const char *)&zero, 0, (view){matrix + d * d - 1, -1, -d}, d, kind, g->work);
    }
    memset(g->work, 0, (size_t)work_size(d) * sizeof(R)); /* the rows of a tile beyond d */
    for (ptrdiff_t first = 0; first < n; first += BLOCK) {
        const ptrdiff_t count = n - first < BLOCK ? n - first : BLOCK;
        for (ptrdiff_t p = 0; p < count; p += TILE) {
            gradient_tile(t, g, x, first + p, count - p < TILE ? count - p : TILE,
                          t->value + e * t->value_e + k * t->value_k + (first + p) * t->value_n, p, want_s, want_outer);
        }
        if (want_s) {
            gradient_rows(t, g->s, e, first, count);
        }
        if (t->sums) {
            column_sums(g->s, d, count, g->sums);
        }
        if (want_outer) {
            rank_update(g->a, g->b, d, count, g->outer);
        }
        if ((t->sums || want_outer) && ((first + BLOCK) % GROUP == 0 || first + BLOCK >= n)) {
            gradient_flush(g, t, item, first + BLOCK >= n);
        }
    }
}

static ptrdiff_t mvn_gradient_scratch(ptrdiff_t d) {
    const ptrdiff_t elements = work_size(d) + 2 * gaussian_size(d) + 3 * rank_packed(d);
    const ptrdiff_t doubles = 2 * (rank_sums(d) + rank_width(d));
    const ptrdiff_t small = d <= SMALL_MOST ? (ptrdiff_t)sizeof(small_memory) : 0;
    return small + elements * (ptrdiff_t)sizeof(R) + doubles * (ptrdiff_t)sizeof(double) + 64;
}

static void mvn_gradient(const loglik_gradient_task *t) {
    const ptrdiff_t d = t->d, width = rank_width(d), packed = rank_packed(d);
    const fp_state saved = fp_enter();
    char *const start = (char *)(((uintptr_t)t->scratch + 63) / 64 * 64);
    small_memory *const small = (small_memory *)start;
    gradient_memory g;
    /* What is read in whole cache lines comes first. */
    g.outer = (double *)(start + (d <= SMALL_MOST ? sizeof *small : 0));
    g.outer_low = g.outer + rank_sums(d);
    g.sums = g.outer_low + rank_sums(d);
    g.sums_low = g.sums + width;
    g.a = (R *)(g.sums_low + width);
    g.b = t->form == LOGLIK_GRADIENT_FACTOR ? g.a + packed : g.a;
    g.s = t->form == LOGLIK_GRADIENT_PRECISION ? g.a + 2 * packed : g.a;
    g.work = g.a + 3 * packed;
    g.forward_memory = g.work + work_size(d);
    g.back_memory = g.forward_memory + gaussian_size(d);
    memset(g.outer, 0, (size_t)rank_sums(d) * sizeof(double));
    memset(g.outer_low, 0, d < 64 ? (size_t)rank_sums(d) * sizeof(double) : 0); /* see gradient_flush */
    memset(g.sums, 0, (size_t)(2 * width) * sizeof(double) + (size_t)(3 * packed) * sizeof(R));
    const size_t items = (size_t)(t->problems * t->gaussians);
    if (t->sums) {
        memset(t->sums, 0, items * (size_t)d * sizeof(double));
    }
    if (t->outer) {
        memset(t->outer, 0, items * (size_t)(d * d) * sizeof(double));
    }
    for (ptrdiff_t e = 0; e < t->problems; e++) {
        for (ptrdiff_t k = 0; k < t->gaussians; k++) {
            gradient_one(t, &g, small, e, k);
        }
    }
    v_stream_end();
    fp_leave(saved, 0);
}
