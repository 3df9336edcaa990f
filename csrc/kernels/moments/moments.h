/* Mean, covariance and extremes of rows, in one pass over memory.
 *
 * Rows come in blocks that fit into the second-level cache. A block is summed about a fixed point near its mean, the shift:
 *     t = Σ w (x − s),   P = Σ w (x − s)(x − s)ᵀ,   Σ w (x − m)(x − m)ᵀ = P − t tᵀ/Σw,   m = s + t/Σw.
 * The shift is the mean of what was seen before (of nothing: the first row). Where it turns out to be so far away that the
 * subtraction would cancel more than a few bits in any coordinate, the block is summed again about its own mean: data that
 * drift or jump cost time, never digits. Blocks are joined by the formula of Chan, Golub and LeVeque (1983; Pébay 2008), the mean
 * in two parts and the squares with a compensation, so that neither the number of blocks nor mean/sd matters.
 *
 * Inside a block, tiles of MOMENTS_TILE rows are centred and packed, and go through the register tiles of
 * gaussian/rank_update.h, in double for both types. Few coordinates are a waste of vectors, so `fold` rows are taken side by side as
 * one row of `width` entries, of whose products those on the diagonal are used. Virtual lanes are the same at every level: so are
 * the bits where multiply-adds are fused. */

#if REAL_IS_DOUBLE /* both kernels, since the sums are those of doubles */
enum {
    MOMENTS_TILE = RANK_BLOCK, /* wide rows packed at a time */
    MOMENTS_CHAINS = 4,        /* of running sums, and so rows taken at a time */
    MOMENTS_TILES = 48,        /* at most so many make a block */
    MOMENTS_BYTES = 1 << 20,   /* of a block, about */
    MOMENTS_FAR = 64,          /* (m − s)² beyond so many variances: 6 bits of the squares would cancel */
};

/* Rows side by side, so that vectors of up to 8 lanes are filled. */
ALWAYS_INLINE ptrdiff_t moments_fold(ptrdiff_t d) { return d <= 4 ? (d == 3 ? 8 : 8 / d) : 1; }

static ptrdiff_t moments_scratch(ptrdiff_t d, int diagonal) {
    diagonal |= d == 1;
    const ptrdiff_t fold = moments_fold(d), padded = rank_width(fold * d);
    const ptrdiff_t products = diagonal ? padded : padded * padded + 2 * rank_packed(fold * d);
    return products + 5 * padded + (fold > 1 ? MOMENTS_TILE * padded : 0) + 8;
}

/* The working memory of a call, and the layout. */
typedef struct {
    ptrdiff_t d, fold, width, padded;
    int diagonal, extremes;
    double *packed, *weighted;      /* tiles of x − shift, and of w (x − shift) */
    double *products;               /* P of the wide rows; diagonal: the squares only */
    double *sums, *mean;            /* t of the wide rows; t/Σw */
    double *shift, *low, *high;     /* of the wide rows */
    double *spread;                 /* weights, repeated for each entry of a wide row */
    double weight;
} moments_memory;

/* Sum of numbers in 8 virtual lanes. */
static double moments_total(const double *x, ptrdiff_t n) {
    enum { PARTS = 8 / LANES_f64 };
    vf64 sums[PARTS];
    double lanes[8];
    UNROLLED
    for (int v = 0; v < PARTS; v++) {
        sums[v] = v_set1(0.0);
    }
    ptrdiff_t i = 0;
    for (; i + 8 <= n; i += 8) {
        UNROLLED
        for (int v = 0; v < PARTS; v++) {
            sums[v] += v_load(x + i + v * LANES_f64);
        }
    }
    UNROLLED
    for (int v = 0; v < PARTS; v++) {
        v_store(lanes + v * LANES_f64, sums[v]);
    }
    for (; i < n; i++) {
        lanes[i % 8] += x[i];
    }
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

/* Each weight d times, 2 <= d <= 4. */
ALWAYS_INLINE void moments_repeat(double *to, const double *w, ptrdiff_t n, const int d) {
    for (ptrdiff_t r = 0; r < n; r++) {
        UNROLLED
        for (int i = 0; i < d; i++) {
            to[r * d + i] = w[r];
        }
    }
}
static void moments_spread(double *to, const double *w, ptrdiff_t n, ptrdiff_t d) {
    switch (d) {
    case 2: moments_repeat(to, w, n, 2); break;
    case 3: moments_repeat(to, w, n, 3); break;
    default: moments_repeat(to, w, n, 4);
    }
}

/* The moments of a block, about its shift, to those of the task. Nonzero: the shift is too far from the mean, nothing was done but that
 * g->shift is the mean now. */
static int moments_join(loglik_moments_task *t, moments_memory *g, int last_try) {
    const ptrdiff_t d = g->d, padded = g->padded;
    const double weight = g->weight, total = t->weight + weight, part = weight / total;
    double *const sum = g->sums, *const mean = g->mean;
    int far = 0;
    /* What stands side by side is of one kind: to the first of them. */
    for (ptrdiff_t i = 0; i < d; i++) {
        for (ptrdiff_t s = 1; s < g->fold; s++) {
            const ptrdiff_t at = s * d + i;
            sum[i] += sum[at];
            if (g->diagonal) {
                g->products[i] += g->products[at];
            } else {
                for (ptrdiff_t j = 0; j <= i; j++) {
                    g->products[i * padded + j] += g->products[at * padded + s * d + j];
                }
            }
        }
        mean[i] = sum[i] / weight;
        const double own = g->products[g->diagonal ? i : i * padded + i] - sum[i] * mean[i];
        far |= mean[i] * mean[i] * weight > MOMENTS_FAR * own;
    }
    if (far && !last_try) {
        for (ptrdiff_t i = 0; i < g->width; i++) {
            const double centre = g->shift[i] + mean[i % d];
            g->shift[i] = isfinite(centre) ? centre : g->shift[i];
        }
        return 1;
    }
    if (t->weight == 0) {
        memcpy(t->shift, g->shift, (size_t)d * sizeof(double));
        memset(t->offset, 0, (size_t)d * sizeof(double));
    }
    double *const delta = g->shift; /* from the mean so far to that of the block */
    for (ptrdiff_t i = 0; i < d; i++) {
        delta[i] = (g->shift[i] - t->shift[i]) + (mean[i] - t->offset[i]);
        t->offset[i] += delta[i] * part;
        const double times = delta[i] * part * t->weight;
        for (ptrdiff_t j = g->diagonal ? i : 0; j <= i; j++) {
            const ptrdiff_t from = g->diagonal ? i : i * padded + j, to = g->diagonal ? i : i * d + j;
            double own = g->products[from] - sum[i] * mean[j];
            own = i == j && own < 0 ? 0 : own;
            add_compensated(&t->squares[to], &t->rest[to], t->weight == 0 ? own : own + times * delta[j]);
        }
    }
    t->weight = total;
    return 0;
}

/* Register tiles of a tile of wide rows: how often something is fetched ahead. */
ALWAYS_INLINE ptrdiff_t moments_steps(ptrdiff_t width, ptrdiff_t count) {
    ptrdiff_t tiles = 0;
    for (ptrdiff_t j = 0; j < width; j += VECTORS * LANES_f64) {
        tiles += (width - j / ROWS * ROWS + ROWS - 1) / ROWS;
    }
    return tiles * count;
}

/* P of a tile. What comes next is fetched meanwhile, `bytes` from `ahead` on: the tile is small, so memory would stand still. */
static void moments_products(moments_memory *g, const double *a, ptrdiff_t count, const char *ahead, ptrdiff_t bytes) {
    const ptrdiff_t steps = moments_steps(g->width, count);
    rank_ahead next = {ahead, (bytes + steps - 1) / steps};
    rank_products(a, g->packed, g->width, count, MOMENTS_TILE, g->products, &next);
}

/* Rows of either type: `size` is that of an element, a constant where this is inlined. */
ALWAYS_INLINE double moments_element(const char *x, ptrdiff_t i, const int size) {
    return size == sizeof(double) ? ((const double *)x)[i] : (double)((const float *)x)[i];
}

/* The lanes of one double vector, from element i on. */
ALWAYS_INLINE vf64 moments_load(const char *x, ptrdiff_t i, const int size) {
    typedef float part __attribute__((vector_size(LOGLIK_VECTOR_BYTES / 2), aligned(4), may_alias));
    return size == sizeof(double) ? v_load((const double *)x + i) : __builtin_convertvector(*(const part *)((const float *)x + i), vf64);
}

/* `count` wide rows, a multiple of MOMENTS_CHAINS: packs them, and adds their sums, squares (diagonal) and extremes. */
ALWAYS_INLINE void moments_columns(moments_memory *g, const char *x, const int size, ptrdiff_t count, const double *weights,
                                   const int diagonal, const int weighted, const int folded, const int extremes) {
    enum { PANEL = RANK_PANEL };
    const ptrdiff_t width = g->width;
    const double *const spread = folded && g->d > 1 ? g->spread : weights;
    for (ptrdiff_t v = 0; v < width; v += LANES_f64) {
        const vf64 shift = v_load(g->shift + v);
        vf64 sum[MOMENTS_CHAINS], square[MOMENTS_CHAINS], low = v_load(g->low + v), high = v_load(g->high + v);
        double *const packed = g->packed + (v / PANEL * MOMENTS_TILE) * PANEL + v % PANEL;
        double *const times = g->weighted + (v / PANEL * MOMENTS_TILE) * PANEL + v % PANEL;
        UNROLLED
        for (int c = 0; c < MOMENTS_CHAINS; c++) {
            sum[c] = square[c] = v_set1(0.0);
        }
        for (ptrdiff_t p = 0; p < count; p += MOMENTS_CHAINS) {
            UNROLLED
            for (int c = 0; c < MOMENTS_CHAINS; c++) {
                vf64 y = moments_load(x, (p + c) * width + v, size);
                if (diagonal) {
                    __builtin_prefetch(x + ((p + c) * width + v) * size + LOSS_AHEAD);
                }
                if (weighted) {
                    const vf64 w = folded ? v_load(spread + (p + c) * width + v) : v_set1(spread[p + c]);
                    const mf64 counts = v_lt(v_set1(0.0), w);
                    if (extremes) {
                        low = v_min(v_select(counts, y, v_set1((double)INFINITY)), low);
                        high = v_max(v_select(counts, y, v_set1(-(double)INFINITY)), high);
                    }
                    y = v_zero_unless(counts, y - shift);
                    const vf64 wy = y * w;
                    if (!diagonal) {
                        v_store(times + (p + c) * PANEL, wy);
                        v_store(packed + (p + c) * PANEL, y);
                    }
                    sum[c] += wy;
                    square[c] = diagonal ? v_fma(wy, y, square[c]) : square[c];
                } else {
                    if (extremes) {
                        low = v_min(y, low);
                        high = v_max(y, high);
                    }
                    y -= shift;
                    if (!diagonal) {
                        v_store(packed + (p + c) * PANEL, y);
                    }
                    sum[c] += y;
                    square[c] = diagonal ? v_fma(y, y, square[c]) : square[c];
                }
            }
        }
        v_store(g->low + v, low);
        v_store(g->high + v, high);
        v_store(g->sums + v, v_load(g->sums + v) + ((sum[0] + sum[1]) + (sum[2] + sum[3])));
        if (diagonal) {
            v_store(g->products + v, v_load(g->products + v) + ((square[0] + square[1]) + (square[2] + square[3])));
        }
    }
}

/* One row by itself: what is left of a block. */
ALWAYS_INLINE void moments_row(moments_memory *g, const char *x, const int size, double weight) {
    if (weight == 0) {
        return;
    }
    for (ptrdiff_t i = 0; i < g->d; i++) {
        const double value = moments_element(x, i, size), y = value - g->shift[i], wy = weight * y;
        g->sums[i] += wy;
        g->low[i] = value < g->low[i] ? value : g->low[i];
        g->high[i] = value > g->high[i] ? value : g->high[i];
        for (ptrdiff_t j = g->diagonal ? i : 0; j <= i; j++) {
            g->products[g->diagonal ? i : i * g->padded + j] += wy * (moments_element(x, j, size) - g->shift[j]);
        }
    }
}

/* Sums of a block about g->shift; `more`: there are rows behind it. */
ALWAYS_INLINE void moments_block(moments_memory *g, const char *x, const int size, ptrdiff_t n, const double *weights, int more) {
    const ptrdiff_t d = g->d, fold = g->fold, padded = g->padded;
    /* Vectors read on behind a row that does not fill them. */
    const ptrdiff_t wide = (g->width % 8 == 0 || more ? n / fold : n - 1) / MOMENTS_CHAINS * MOMENTS_CHAINS;
    memset(g->sums, 0, (size_t)padded * sizeof(double));
    memset(g->products, 0, (size_t)(g->diagonal ? padded : padded * padded) * sizeof(double));
    g->weight = weights ? moments_total(weights, n) : (double)n;
    for (ptrdiff_t first = 0; first < wide; first += MOMENTS_TILE) {
        const ptrdiff_t count = wide - first < MOMENTS_TILE ? wide - first : MOMENTS_TILE;
        const char *const rows = x + first * g->width * size;
        const double *const w = weights ? weights + first * fold : NULL;
        if (w && fold > 1 && d > 1) {
            moments_spread(g->spread, w, count * fold, d);
        }
        /* Folded rows are few numbers; and nobody asks for variances without extremes and weights. */
        switch (w ? 1 + (fold > 1 ? 0 : g->extremes ? 1 : 2) + 3 * (g->diagonal != 0) : 0) {
        case 0:
            if (g->diagonal) {
                moments_columns(g, rows, size, count, w, 1, 0, 0, 1);
            } else if (g->extremes) {
                moments_columns(g, rows, size, count, w, 0, 0, 0, 1);
            } else {
                moments_columns(g, rows, size, count, w, 0, 0, 0, 0);
            }
            break;
        case 1: moments_columns(g, rows, size, count, w, 0, 1, 1, g->extremes); break;
        case 2: moments_columns(g, rows, size, count, w, 0, 1, 0, 1); break;
        case 3: moments_columns(g, rows, size, count, w, 0, 1, 0, 0); break;
        case 4: moments_columns(g, rows, size, count, w, 1, 1, 1, g->extremes); break;
        case 5: moments_columns(g, rows, size, count, w, 1, 1, 0, 1); break;
        default: moments_columns(g, rows, size, count, w, 1, 1, 0, 0);
        }
        if (g->diagonal) {
            continue;
        }
        const ptrdiff_t bytes = count * g->width * size;
        moments_products(g, w ? g->weighted : g->packed, count, rows + bytes, bytes);
    }
    for (ptrdiff_t r = wide * fold; r < n; r++) {
        moments_row(g, x + r * d * size, size, weights ? weights[r] : 1.0);
    }
}

typedef void (*moments_function)(moments_memory *g, const char *x, ptrdiff_t n, const double *weights, int more);

ALWAYS_INLINE void moments(loglik_moments_task *t, const int size, const moments_function block) {
    const fp_state saved = fp_enter();
    const char *const x = t->x;
    const ptrdiff_t d = t->d, fold = moments_fold(d), width = fold * d, padded = rank_width(width);
    moments_memory g = {.d = d, .fold = fold, .width = width, .padded = padded, .diagonal = t->diagonal || d == 1, .extremes = t->extremes};
    g.products = (double *)(((uintptr_t)t->scratch + 63) / 64 * 64);
    g.sums = g.products + (g.diagonal ? padded : padded * padded);
    g.mean = g.sums + padded;
    g.shift = g.mean + padded;
    g.low = g.shift + padded;
    g.high = g.low + padded;
    g.spread = g.high + padded;
    if (!g.diagonal) {
        g.packed = g.spread + (fold > 1 ? MOMENTS_TILE * padded : 0);
        g.weighted = g.packed + rank_packed(width);
        memset(g.packed, 0, (size_t)(2 * rank_packed(width)) * sizeof(double));
    }
    memset(g.shift, 0, (size_t)padded * sizeof(double));
    const ptrdiff_t fits = MOMENTS_BYTES / (MOMENTS_TILE * width * size);
    const ptrdiff_t step = fold * MOMENTS_TILE * (fits < 4 ? 4 : fits < MOMENTS_TILES ? fits : MOMENTS_TILES);
    for (ptrdiff_t i = 0; i < padded; i++) {
        g.low[i] = (double)INFINITY;
        g.high[i] = -(double)INFINITY;
    }

    for (ptrdiff_t first = 0; first < t->n; first += step) {
        const ptrdiff_t n = t->n - first < step ? t->n - first : step;
        const double *const weights = t->weights ? t->weights + first : NULL;
        ptrdiff_t row = 0;
        while (weights && row < n && weights[row] == 0) {
            row++;
        }
        if (row == n) {
            continue;
        }
        for (ptrdiff_t i = 0; i < width; i++) {
            const double seen = t->weight == 0 ? (double)NAN : t->shift[i % d] + t->offset[i % d], start = moments_element(x, (first + row) * d + i % d, size);
            g.shift[i] = isfinite(seen) ? seen : isfinite(start) ? start : 0;
        }
        block(&g, x + first * d * size, n, weights, first + n < t->n);
        if (moments_join(t, &g, 0)) {
            block(&g, x + first * d * size, n, weights, first + n < t->n);
            moments_join(t, &g, 1);
        }
    }
    for (ptrdiff_t i = 0; i < width && t->extremes; i++) {
        t->low[i % d] = g.low[i] < t->low[i % d] ? g.low[i] : t->low[i % d];
        t->high[i % d] = g.high[i] > t->high[i % d] ? g.high[i] : t->high[i % d];
    }
    fp_leave(saved, 0);
}

#define LOGLIK_MOMENTS(T, R)                                                                                \
    static __attribute__((noinline)) void moments_block_##T(moments_memory *g, const char *x, ptrdiff_t n,  \
                                                            const double *weights, int more) {              \
        moments_block(g, x, sizeof(R), n, weights, more);                                                   \
    }                                                                                                       \
    static void moments_##T(loglik_moments_task *t) { moments(t, sizeof(R), moments_block_##T); }
LOGLIK_MOMENTS(f64, double)
LOGLIK_MOMENTS(f32, float)
#undef LOGLIK_MOMENTS
#endif
