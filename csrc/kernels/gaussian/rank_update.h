/* Sums over points of outer products of rows, Σₚ aₚ·bₚᵀ: the gradients in a matrix that many points share.
 *
 * Points come in blocks of RANK_BLOCK rows, packed in panels of one cache line of columns, so that a panel of a block stays
 * in the first-level cache whatever the dimension:
 *
 *     entry j of point p at packed[(j / RANK_PANEL · RANK_BLOCK + p) · RANK_PANEL + j % RANK_PANEL]
 *
 * Lanes are columns of b, and an entry of a is broadcast; ROWS x VECTORS sums stay in registers. Each sum is one chain
 * over a few points in order, added to a double: the bits depend neither on the width of a register nor on the
 * position of the entry. Chains are short where the bound of the error, 4·d·κ, is tight: a chain of c points is wrong by at most c u of the
 * sum of its terms, typically by √c/3. */

enum {
    RANK_PANEL = 64 / sizeof(R),
    RANK_BLOCK = 96, /* a multiple of every TILE */
};
_Static_assert(RANK_BLOCK % TILE == 0, "tiles fill a block");

ALWAYS_INLINE ptrdiff_t rank_width(ptrdiff_t d) { return (d + RANK_PANEL - 1) / RANK_PANEL * RANK_PANEL; }
/* Elements of a packed block, and doubles of the sums. */
ALWAYS_INLINE ptrdiff_t rank_packed(ptrdiff_t d) { return rank_width(d) * RANK_BLOCK; }
ALWAYS_INLINE ptrdiff_t rank_sums(ptrdiff_t d) { return rank_width(d) * rank_width(d); }

/* Points of a chain: RANK_BLOCK is a multiple of it. */
ALWAYS_INLINE ptrdiff_t rank_chain(ptrdiff_t d) {
    return REAL_IS_DOUBLE ? (d < 32 ? 32 : 96) : d < 16 ? 8 : d < 64 ? 32 : 96;
}

ALWAYS_INLINE const R *rank_column(const R *packed, ptrdiff_t j) {
    enum { PANEL = RANK_PANEL };
    return packed + j / PANEL * RANK_BLOCK * PANEL + j % PANEL;
}

/* sum[0 ... LANES) += x */
ALWAYS_INLINE void add_to_doubles(double *sum, V x) {
#if REAL_IS_DOUBLE
    v_store(sum, v_load(sum) + x);
#else
    vf64 low, high;
    v_widen(x, &low, &high);
    v_store(sum, v_load(sum) + low);
    v_store(sum + LANES_f64, v_load(sum + LANES_f64) + high);
#endif
}

/* Memory that is read next: `step` bytes of it are fetched with each step of a register tile. */
typedef struct {
    const char *at;
    ptrdiff_t step;
} rank_ahead;

/* One register tile: sum[r·width + j] += Σₚ a[p·PANEL + r]·b[j][p·PANEL]. */
ALWAYS_INLINE void rank_tile(const int vectors, const R *a, const R *b, ptrdiff_t j, ptrdiff_t count, ptrdiff_t chain,
                             double *sum, ptrdiff_t width, rank_ahead *ahead) {
    enum { PANEL = RANK_PANEL };
    const R *column[LOGLIK_TILE_VECTORS];
    UNROLLED
    for (int v = 0; v < vectors; v++) {
        column[v] = rank_column(b, j + v * LANES);
    }
    for (ptrdiff_t first = 0; first < count; first += chain) {
        const ptrdiff_t last = first + chain < count ? first + chain : count;
        V acc[ROWS][LOGLIK_TILE_VECTORS];
        UNROLLED
        for (int r = 0; r < ROWS; r++) {
            UNROLLED
            for (int v = 0; v < vectors; v++) {
                acc[r][v] = C(0);
            }
        }
        for (ptrdiff_t p = first; p < last; p++) {
            V y[LOGLIK_TILE_VECTORS];
            UNROLLED
            for (int v = 0; v < vectors; v++) {
                y[v] = v_load(column[v] + p * PANEL);
            }
            if (ahead) {
                __builtin_prefetch(ahead->at);
                ahead->at += ahead->step;
            }
            UNROLLED
            for (int r = 0; r < ROWS; r++) {
                const V x = v_set1(a[p * PANEL + r]);
                UNROLLED
                for (int v = 0; v < vectors; v++) {
                    acc[r][v] = v_fma(x, y[v], acc[r][v]);
                }
            }
        }
        UNROLLED
        for (int r = 0; r < ROWS; r++) {
            UNROLLED
            for (int v = 0; v < vectors; v++) {
                add_to_doubles(sum + r * width + j + v * LANES, acc[r][v]);
            }
        }
    }
}

/* sum[i·width + j] += Σₚ a[p][i]·b[p][j] for j <= i < d (and some j above), width = rank_width(d); count points. */
ALWAYS_INLINE void rank_products(const R *a, const R *b, ptrdiff_t d, ptrdiff_t count, ptrdiff_t chain, double *sum,
                                 rank_ahead *ahead) {
    const ptrdiff_t width = rank_width(d);
    for (ptrdiff_t j = 0; j < d; j += VECTORS * LANES) {
        for (ptrdiff_t i = j / ROWS * ROWS; i < d; i += ROWS) {
            const R *const row = rank_column(a, i);
            double *const to = sum + i * width;
            const ptrdiff_t columns = i + ROWS < d ? i + ROWS : d, vectors = (columns - j + LANES - 1) / LANES;
            switch (vectors < VECTORS ? vectors : VECTORS) {
            case 1:
                rank_tile(1, row, b, j, count, chain, to, width, ahead);
                break;
            case 2:
                rank_tile(2, row, b, j, count, chain, to, width, ahead);
                break;
#if LOGLIK_TILE_VECTORS > 3
            case 3:
                rank_tile(3, row, b, j, count, chain, to, width, ahead);
                break;
#endif
            default:
                rank_tile(VECTORS, row, b, j, count, chain, to, width, ahead);
            }
        }
    }
}

static void rank_update(const R *a, const R *b, ptrdiff_t d, ptrdiff_t count, double *sum) {
    rank_products(a, b, d, count, rank_chain(d), sum, NULL);
}

/* sum[j] += Σₚ a[p][j]: four chains of points in turn, since one would wait for its additions. */
static void column_sums(const R *a, ptrdiff_t d, ptrdiff_t count, double *sum) {
    enum { PANEL = RANK_PANEL };
    const ptrdiff_t chain = rank_chain(d);
    for (ptrdiff_t j = 0; j < d; j += LANES) {
        const R *const column = rank_column(a, j);
        for (ptrdiff_t first = 0; first < count; first += chain) {
            const ptrdiff_t last = first + chain < count ? first + chain : count;
            V acc[4] = {C(0), C(0), C(0), C(0)};
            ptrdiff_t p = first;
            for (; p + 4 <= last; p += 4) {
                UNROLLED
                for (int c = 0; c < 4; c++) {
                    acc[c] += v_load(column + (p + c) * PANEL);
                }
            }
            UNROLLED
            for (int c = 0; p + c < last; c++) {
                acc[c] += v_load(column + (p + c) * PANEL);
            }
            add_to_doubles(sum + j, (acc[0] + acc[1]) + (acc[2] + acc[3]));
        }
    }
}

/* One square of pack_points: columns j ... j + LANES − 1, those from d on 0. */
ALWAYS_INLINE void pack_square(R *to, const R *tile, const R *scale, ptrdiff_t j, ptrdiff_t d, int reversed, const int whole) {
    enum { PANEL = RANK_PANEL };
    const ptrdiff_t first = reversed ? d - 1 - j : j, step = reversed ? -1 : 1;
    V square[LANES];
    UNROLLED
    for (int c = 0; c < LANES; c++) {
        square[c] = whole || j + c < d ? v_load(tile + (first + c * step) * TILE) : C(0);
    }
    if (scale) {
        UNROLLED
        for (int c = 0; c < LANES; c++) {
            square[c] = whole || j + c < d ? square[c] * v_set1(scale[first + c * step]) : C(0);
        }
    }
    v_transpose(square);
    UNROLLED
    for (int p = 0; p < LANES; p++) {
        v_store(to + p * PANEL, square[p]);
    }
}

/* packed[first + p][j] = tile[j][p]·scale[j] for a whole tile of points; scale may be NULL. Tile rows in descending order
 * if reversed: row i of the tile, and scale[i], belong to column d − 1 − i. */
static __attribute__((noinline)) void pack_points(R *packed, const R *tile, const R *scale, ptrdiff_t d, int reversed,
                                                  ptrdiff_t first) {
    enum { PANEL = RANK_PANEL };
    for (ptrdiff_t j = 0; j < d; j += LANES) {
        R *const to = packed + (j / PANEL * RANK_BLOCK + first) * PANEL + j % PANEL;
        for (ptrdiff_t v = 0; v < VECTORS; v++) {
            if (j + LANES <= d) {
                pack_square(to + v * LANES * PANEL, tile + v * LANES, scale, j, d, reversed, 1);
            } else {
                pack_square(to + v * LANES * PANEL, tile + v * LANES, scale, j, d, reversed, 0);
            }
        }
    }
}
