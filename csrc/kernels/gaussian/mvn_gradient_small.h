/* The gradients of mvn_gradient.h for few dimensions: points are lanes throughout, and both solves happen in registers.
 *
 * A block of points is kept as columns (entry i of all points), zero beyond the last point and the last coordinate. The sums of products run
 * over SMALL_VIRTUAL lanes at every level: point p adds to lane p mod SMALL_VIRTUAL, and lanes are joined by halving,
 * so the bits do not depend on the width of a register. */

enum {
    SMALL_POINTS = 2048 / sizeof(R),
    SMALL_VIRTUAL = 256 / sizeof(R),
    SMALL_SLOTS = SMALL_VIRTUAL / LANES,
    SMALL_KEPT = 64 / sizeof(R), /* lanes that are left after halving, summed as doubles */
    SMALL_ROWS = LOGLIK_TILE_ROWS * LOGLIK_TILE_VECTORS >= 16 ? 4 : 2,
    SMALL_COLUMNS = 4,
    SMALL_GROUP = 32, /* blocks */
};

enum { SMALL_MOST = 8 }; /* the greatest dimension of this file */

/* Columns of s, of y and of δ; sums by lane; what the back-substitution reads. */
typedef struct {
    R s[8][SMALL_POINTS], y[8][SMALL_POINTS], delta[8][SMALL_POINTS];
    R rows[8 * SMALL_POINTS]; /* −s, point by point */
    double outer[8][8][SMALL_KEPT], sums[8][SMALL_KEPT];
    R forward[8][8]; /* unit lower triangle of L, or W */
    R back[8][8];    /* back[i][k], k > i: L[k][i] / L[i][i], or W[k][i] */
    R scale[8];
} small_memory;

static void small_prepare(small_memory *m, const R *matrix, ptrdiff_t d, const enum matrix_kind kind) {
    memset(m, 0, sizeof *m);
    for (ptrdiff_t i = 0; i < d; i++) {
        m->scale[i] = kind == FACTOR ? 1 / matrix[i * d + i] : 1;
    }
    for (ptrdiff_t i = 0; i < d; i++) {
        for (ptrdiff_t k = 0; k <= i; k++) {
            m->forward[i][k] = matrix[i * d + k] * m->scale[k];
            m->back[k][i] = matrix[i * d + k] * m->scale[k];
        }
    }
}

/* Solves count <= SMALL_POINTS points from `first` on; d is a constant where this is inlined. */
ALWAYS_INLINE void small_solve(const ptrdiff_t d, const enum matrix_kind kind, const loglik_gradient_task *t, small_memory *m,
                               const gaussian *g, view x, ptrdiff_t problem, ptrdiff_t first, ptrdiff_t count,
                               char *out) {
    const int whitener = kind == WHITENER, keep_y = t->form == LOGLIK_GRADIENT_FACTOR;
    for (ptrdiff_t p = 0; p < count; p += LANES) {
        const ptrdiff_t now = count - p < LANES ? count - p : LANES;
        const batch points = {x.data + (first + p) * x.row, x.row, 0, x.column};
        V column[8 + COLS], y[8], s[8 + COLS], square = C(0);
        const int follow = x.row > 0 && first + p + LANES + COLS <= t->points; /* rows, behind a short one */
        load_entries(column, points, d, 0, x.column == 1 && (d >= COLS || follow), now, 1);
        UNROLLED
        for (int i = 0; i < d; i++) {
            column[i] -= v_set1(g->mean[i]);
            if (whitener) {
                v_store(m->delta[i] + p, column[i]);
            }
        }
        UNROLLED
        for (int i = 0; i < d; i++) {
            V z = whitener ? C(0) : column[i];
            UNROLLED
            for (int k = 0; k < i + whitener; k++) {
                z = v_fnma(v_set1(m->forward[i][k]), column[k], z);
            }
            if (!whitener) {
                column[i] = z;
                z *= v_set1(m->scale[i]);
            }
            y[i] = whitener ? -z : z;
            square = v_fma(z, z, square);
            if (keep_y) {
                v_store(m->y[i] + p, y[i]);
            }
        }
        UNROLLED
        for (int i = (int)d - 1; i >= 0; i--) {
            V z = y[i] * v_set1(whitener ? m->back[i][i] : m->scale[i]);
            UNROLLED
            for (int k = i + 1; k < d; k++) {
                const V c = v_set1(m->back[i][k]);
                z = whitener ? v_fma(c, y[k], z) : v_fnma(c, s[k], z);
            }
            s[i] = z;
            v_store(m->s[i] + p, z);
        }
        V value;
        log_densities(&value, &square, 1, g, x, first + p, now, d);
        put((value_sink){out, t->value_n, 0}, &value, 1, 1, 0, first + p, now);
        if (t->rows || t->row_sums) {
            const ptrdiff_t to = (problem * t->points + first + p) * d;
            UNROLLED
            for (int i = 0; i < d; i++) {
                s[i] = -s[i];
            }
            R *const rows = t->rows && !t->stream_rows ? (R *)t->rows + to : m->rows + p * d;
            if (now == LANES && d >= COLS) {
                store_lanes(rows, d, s, d, LANES, 0);
            } else if (now == LANES) {
                scatter_each(rows, d, s, d, LANES);
            } else { /* from a copy: s itself stays in registers */
                V copy[8];
                UNROLLED
                for (int i = 0; i < d; i++) {
                    copy[i] = s[i];
                }
                scatter_lanes(rows, d, copy, d, now);
            }
        }
        if (now < LANES) {
            UNROLLED
            for (int i = 0; i < d; i++) {
                for (ptrdiff_t q = now; q < LANES; q++) {
                    m->s[i][p + q] = m->y[i][p + q] = m->delta[i][p + q] = 0;
                }
            }
        }
    }
}

/* total[0 ... SMALL_KEPT) += the lanes of part[SMALL_SLOTS], joined by halving. */
ALWAYS_INLINE void small_join(V *part, double *total) {
    enum { SLOTS = SMALL_SLOTS, LEFT = SMALL_KEPT / LANES };
    UNROLLED
    for (int half = SLOTS / 2; half >= LEFT; half /= 2) {
        UNROLLED
        for (int v = 0; v < half; v++) {
            part[v] += part[v + half];
        }
    }
    UNROLLED
    for (int v = 0; v < LEFT; v++) {
        add_to_doubles(total + v * LANES, part[v]);
    }
}

/* Sums of a block of `count` points (a multiple of SMALL_VIRTUAL) of a[i]·b[j], j <= i (and some above). */
static void small_outer(R (*a)[SMALL_POINTS], R (*b)[SMALL_POINTS], ptrdiff_t d, ptrdiff_t count, small_memory *m) {
    enum { ROWS = SMALL_ROWS, COLUMNS = SMALL_COLUMNS, SLOTS = SMALL_SLOTS };
    for (ptrdiff_t i = 0; i < d; i += ROWS) {
        for (ptrdiff_t j = 0; j < i + ROWS && j < d; j += COLUMNS) {
            V part[ROWS][COLUMNS][SLOTS];
            for (ptrdiff_t slot = 0; slot < SLOTS; slot++) {
                V acc[ROWS][COLUMNS] = {{C(0)}};
                for (ptrdiff_t p = slot * LANES; p < count; p += SMALL_VIRTUAL) {
                    V z[COLUMNS];
                    UNROLLED
                    for (int c = 0; c < COLUMNS; c++) {
                        z[c] = v_load(b[j + c] + p);
                    }
                    UNROLLED
                    for (int r = 0; r < ROWS; r++) {
                        const V y = v_load(a[i + r] + p);
                        UNROLLED
                        for (int c = 0; c < COLUMNS; c++) {
                            acc[r][c] = v_fma(y, z[c], acc[r][c]);
                        }
                    }
                }
                UNROLLED
                for (int r = 0; r < ROWS; r++) {
                    UNROLLED
                    for (int c = 0; c < COLUMNS; c++) {
                        part[r][c][slot] = acc[r][c];
                    }
                }
            }
            UNROLLED
            for (int r = 0; r < ROWS; r++) {
                UNROLLED
                for (int c = 0; c < COLUMNS; c++) {
                    small_join(part[r][c], m->outer[i + r][j + c]);
                }
            }
        }
    }
}

static void small_sums(ptrdiff_t d, ptrdiff_t count, small_memory *m) {
    enum { SLOTS = SMALL_SLOTS };
    for (ptrdiff_t i = 0; i < d; i++) {
        V part[SLOTS];
        UNROLLED
        for (int slot = 0; slot < SLOTS; slot++) {
            part[slot] = C(0);
        }
        for (ptrdiff_t p = 0; p < count; p += SMALL_VIRTUAL) {
            UNROLLED
            for (int slot = 0; slot < SLOTS; slot++) {
                part[slot] += v_load(m->s[i] + p + slot * LANES);
            }
        }
        small_join(part, m->sums[i]);
    }
}

/* Sum of SMALL_KEPT doubles by halving; they become zero. */
ALWAYS_INLINE double small_reduce(double *lanes) {
    UNROLLED
    for (int half = SMALL_KEPT / 2; half >= 1; half /= 2) {
        UNROLLED
        for (int v = 0; v < half; v++) {
            lanes[v] += lanes[v + half];
        }
    }
    const double sum = lanes[0];
    memset(lanes, 0, SMALL_KEPT * sizeof *lanes);
    return sum;
}

/* All points of one problem under one Gaussian; the sums of a group are handed to gradient_flush. */
static void gradient_small(const loglik_gradient_task *t, gradient_memory *g, small_memory *m, view x, const R *matrix,
                           ptrdiff_t e, ptrdiff_t item, char *out) {
    enum { POINTS = SMALL_POINTS, VIRTUAL = SMALL_VIRTUAL };
    const ptrdiff_t n = t->points, d = t->d, width = rank_width(d);
    const int precision = t->form == LOGLIK_GRADIENT_PRECISION;
    small_prepare(m, matrix, d, precision ? WHITENER : FACTOR);
    for (ptrdiff_t first = 0; first < n; first += POINTS) {
        const ptrdiff_t count = n - first < POINTS ? n - first : POINTS;
        const ptrdiff_t vectors = (count + LANES - 1) / LANES * LANES, whole = (count + VIRTUAL - 1) / VIRTUAL * VIRTUAL;
        switch (precision ? -d : d) {
#define LOGLIK_SMALL(D)                                                                                     \
    case D:                                                                                                 \
        small_solve(D, FACTOR, t, m, &g->forward, x, e, first, count, out);                                 \
        break;                                                                                              \
    case -D:                                                                                                \
        small_solve(D, WHITENER, t, m, &g->forward, x, e, first, count, out);                               \
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
        }
        const ptrdiff_t to = (e * n + first) * d;
        if (t->rows && t->stream_rows) {
            stream_copy((R *)t->rows + to, m->rows, count * d);
        }
        for (ptrdiff_t q = 0; q < count * d && t->row_sums; q++) {
            t->row_sums[to + q] += (double)m->rows[q];
        }
        for (ptrdiff_t i = 0; i < d && vectors < whole; i++) { /* what the block before left */
            memset(m->s[i] + vectors, 0, (size_t)(whole - vectors) * sizeof(R));
            memset(m->y[i] + vectors, 0, (size_t)(whole - vectors) * sizeof(R));
            memset(m->delta[i] + vectors, 0, (size_t)(whole - vectors) * sizeof(R));
        }
        if (t->sums) {
            small_sums(d, whole, m);
        }
        if (t->outer) {
            small_outer(precision ? m->delta : m->s, t->form == LOGLIK_GRADIENT_FACTOR ? m->y : precision ? m->delta : m->s, d, whole, m);
        }
        if ((t->sums || t->outer) && ((first / POINTS + 1) % SMALL_GROUP == 0 || first + POINTS >= n)) {
            for (ptrdiff_t i = 0; i < d; i++) {
                g->sums[i] = small_reduce(m->sums[i]);
                for (ptrdiff_t j = 0; j <= i; j++) {
                    g->outer[i * width + j] = small_reduce(m->outer[i][j]);
                }
            }
            gradient_flush(g, t, item, first + POINTS >= n);
        }
    }
}
