/* Monte Carlo for a pair of multivariate normals: moments of log p(x) - log q(x), or of its js_integrand, over samples x of p.
 *
 * With p = N(a, A Aᵀ), q = N(b, B Bᵀ) and a sample x = a + A z:
 *     log p(x) = -|z|²/2 - log det A + ...,   log q(x) = -|y|²/2 - log det B + ...,
 *     y = B⁻¹(x - b) = T z + c,   T = B⁻¹A (lower triangular),   c = B⁻¹(a - b).
 * With the excess E = T - I, made by the caller from A - B, and δ = E z + c = y - z:
 *     log p(x) - log q(x) = Σᵢ δᵢ (δᵢ + 2 zᵢ) / 2 - log det T.
 * Nothing cancels when p and q are nearly the same, and neither x nor T appears: one triangular product a sample.
 *
 * A tile of 64 samples has their d coordinates in d groups of normals: z of sample s, coordinate i is number
 * (s / 64 · d + i) · 64 + s % 64 of the sequence. Lanes are samples; each sample's sums run in the order of the
 * coordinates, so no result depends on the lanes of a level. Samples live in L1 and are never stored. */
#if REAL_IS_DOUBLE

enum {
    MC_TILE = GROUP,                     /* samples in a tile */
    MC_ROWS = 4,                         /* of E in registers at a time */
    MC_COLUMNS = LANES_f64 == 8 ? 4 : 2, /* vectors of samples in registers at a time: 4 × 2 sums of 16 registers */
    MC_FILLED = 16,                      /* groups of normals made at a time where d is small */
    MC_SUM_LANES = 32,                   /* virtual lanes of a sum, the same at every level */
};

/* Tiles whose normals are made at a time: few enough for L1, many enough to hide the call. */
ALWAYS_INLINE ptrdiff_t mc_tiles_filled(ptrdiff_t d) { return d < MC_FILLED ? MC_FILLED / d : 1; }

static ptrdiff_t mvn_log_ratio_scratch(ptrdiff_t d, ptrdiff_t count) {
    return mc_tiles_filled(d) * d * MC_TILE + (count + MC_TILE - 1) / MC_TILE * MC_TILE;
}

/* q += Σ δᵢ (δᵢ + 2 zᵢ) over `rows` rows from `first`, for MC_COLUMNS vectors of samples at z. */
ALWAYS_INLINE void mc_panel(const int rows, ptrdiff_t first, ptrdiff_t d, const double *excess, const double *shift,
                            const double *z, vf64 q[MC_COLUMNS]) {
    vf64 sum[MC_ROWS][MC_COLUMNS];
    const double *const e = excess + first * d;
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < MC_COLUMNS; v++) {
            sum[r][v] = v_set1(shift[first + r]);
        }
    }
    for (ptrdiff_t k = 0; k < first; k++) {
        for (int v = 0; v < MC_COLUMNS; v++) {
            const vf64 zk = v_load(z + k * MC_TILE + v * LANES_f64);
            for (int r = 0; r < rows; r++) {
                sum[r][v] = v_fma(v_set1(e[r * d + k]), zk, sum[r][v]);
            }
        }
    }
    for (int k = 0; k < rows; k++) { /* the triangle on the diagonal */
        for (int v = 0; v < MC_COLUMNS; v++) {
            const vf64 zk = v_load(z + (first + k) * MC_TILE + v * LANES_f64);
            for (int r = k; r < rows; r++) {
                sum[r][v] = v_fma(v_set1(e[r * d + first + k]), zk, sum[r][v]);
            }
            q[v] = v_fma(sum[k][v], v_fma(v_set1(2.0), zk, sum[k][v]), q[v]);
        }
    }
}

/* The log-ratio of the 64 samples whose normals are at z. */
ALWAYS_INLINE void mc_tile(ptrdiff_t d, const double *excess, const double *shift, double constant,
                           const double *z, double *values) {
    for (int s = 0; s < MC_TILE; s += MC_COLUMNS * LANES_f64, z += MC_COLUMNS * LANES_f64) {
        vf64 q[MC_COLUMNS];
        for (int v = 0; v < MC_COLUMNS; v++) {
            q[v] = v_set1(0.0);
        }
        ptrdiff_t row = 0;
        for (; row + MC_ROWS <= d; row += MC_ROWS) {
            mc_panel(MC_ROWS, row, d, excess, shift, z, q);
        }
        switch (d - row) {
        case 3: mc_panel(3, row, d, excess, shift, z, q); break;
        case 2: mc_panel(2, row, d, excess, shift, z, q); break;
        case 1: mc_panel(1, row, d, excess, shift, z, q); break;
        }
        for (int v = 0; v < MC_COLUMNS; v++) {
            v_store(values + s + v * LANES_f64, v_fma(v_set1(0.5), q[v], v_set1(constant)));
        }
    }
}

/* Sum of x - center, or of its square, over a multiple of MC_SUM_LANES values: 32 running sums, then a tree. */
ALWAYS_INLINE double mc_sum(const double *x, ptrdiff_t n, double center, const int squared) {
    enum { VECTORS = MC_SUM_LANES / LANES_f64 };
    vf64 sums[VECTORS];
    double lanes[MC_SUM_LANES];
    for (int v = 0; v < VECTORS; v++) {
        sums[v] = v_set1(0.0);
    }
    for (ptrdiff_t i = 0; i < n; i += MC_SUM_LANES) {
        for (int v = 0; v < VECTORS; v++) {
            const vf64 difference = v_load(x + i + v * LANES_f64) - v_set1(center);
            sums[v] = squared ? v_fma(difference, difference, sums[v]) : sums[v] + difference;
        }
    }
    for (int v = 0; v < VECTORS; v++) {
        v_store(lanes + v * LANES_f64, sums[v]);
    }
    for (int width = MC_SUM_LANES / 2; width > 0; width /= 2) {
        for (int i = 0; i < width; i++) {
            lanes[i] += lanes[i + width];
        }
    }
    return lanes[0];
}

static void mvn_log_ratio_moments(uint64_t key, uint64_t stream, uint64_t start, ptrdiff_t count, ptrdiff_t d, int js,
                                  const double *excess, const double *shift, double constant, double *scratch,
                                  double *mean, double *squares) {
    const fp_state saved = fp_enter();
    const ptrdiff_t tiles = (count + MC_TILE - 1) / MC_TILE, filled = mc_tiles_filled(d);
    double *const z = scratch, *const values = scratch + filled * d * MC_TILE;
    const uint64_t first_group = start / MC_TILE * (uint64_t)d;

    for (ptrdiff_t tile = 0; tile < tiles; tile += filled) {
        const ptrdiff_t some = tiles - tile < filled ? tiles - tile : filled;
        normal_groups(key, stream, first_group + (uint64_t)(tile * d), some * d, z);
        for (ptrdiff_t t = 0; t < some; t++) {
            mc_tile(d, excess, shift, constant, z + t * d * MC_TILE, values + (tile + t) * MC_TILE);
        }
    }

    if (js) {
        for (ptrdiff_t i = 0; i < tiles * MC_TILE; i += LANES_f64) {
            const vf64 x = v_load(values + i);
            vf64 y;
            js_integrand_map(&x, &y);
            v_store(values + i, y);
        }
    }

    /* Two passes; the second corrects the rounding of the first. Beyond `count` the tile is filled with what adds 0. */
    const ptrdiff_t padded = tiles * MC_TILE;
    for (ptrdiff_t i = count; i < padded; i++) {
        values[i] = 0.0;
    }
    const double n = (double)count, center = mc_sum(values, padded, 0.0, 0) / n;
    for (ptrdiff_t i = count; i < padded; i++) {
        values[i] = center;
    }
    const double rest = mc_sum(values, padded, center, 0);
    *mean = center + rest / n;
    *squares = mc_sum(values, padded, center, 1) - rest * (rest / n);
    fp_leave(saved, 0);
}

#endif
