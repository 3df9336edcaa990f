/* Gradients of the multivariate normal log-density with independent coordinates: s = δ/v and its sums; coordinates are lanes.
 *
 * The reciprocal w of a variance carries its rounding error with it, so that s is right to two roundings and δ is divided by nothing:
 * δ/v = δ·w + δ·w·(1 − v·w). */

/* One vector of coordinates for the points first ... of a block. */
ALWAYS_INLINE void diagonal_column(const loglik_gradient_task *t, view x, ptrdiff_t e, ptrdiff_t item, ptrdiff_t first, ptrdiff_t count,
                                   ptrdiff_t j, const int width, V mean, V w, V correction) {
    const ptrdiff_t d = t->d;
    const int last = first + count == t->points;
    vf64 sum[2] = {v_set1(0.0), v_set1(0.0)}, square[2] = {v_set1(0.0), v_set1(0.0)};
    for (ptrdiff_t p = 0; p < count; p++) {
        const R *const from = x.data + (first + p) * x.row + j * x.column;
        const ptrdiff_t to = (e * t->points + first + p) * d + j;
        R lanes[LANES] __attribute__((aligned(64))) = {0};
        V delta;
        if (width == LANES && x.column == 1) {
            delta = v_load(from) - mean;
        } else {
            for (int c = 0; c < width; c++) {
                lanes[c] = from[c * x.column];
            }
            delta = v_load(lanes) - mean;
        }
        const V quotient = delta * w, s = v_fma(quotient, correction, quotient);
        if (width == LANES && t->rows) {
            v_store((R *)t->rows + to, -s);
        } else if (t->rows) {
            v_store(lanes, -s);
            memcpy((R *)t->rows + to, lanes, (size_t)width * sizeof(R));
        }
        if (t->row_sums) {
            v_store(lanes, s);
            for (int c = 0; c < width; c++) {
                t->row_sums[to + c] -= (double)lanes[c];
            }
        }
#if REAL_IS_DOUBLE
        sum[0] += s;
        square[0] = v_fma(s, s, square[0]);
#else
        vf64 part[2];
        v_widen(s, &part[0], &part[1]);
        for (int h = 0; h < 2; h++) {
            sum[h] += part[h];
            square[h] = v_fma(part[h], part[h], square[h]);
        }
#endif
    }
    double total[2 * LANES_f64] __attribute__((aligned(64)));
    for (int which = 0; which < 2; which++) {
        double *const out = which == 0 ? t->sums : t->outer, *const low = (double *)t->scratch + which * d + j;
        v_store(total, which == 0 ? sum[0] : square[0]);
        v_store(total + LANES_f64, which == 0 ? sum[1] : square[1]);
        for (int c = 0; c < width && out; c++) {
            add_compensated(&out[item * d + j + c], &low[c], total[c]);
            if (last) {
                out[item * d + j + c] += low[c];
            }
        }
    }
}

static void mvn_gradient_diagonal(const loglik_gradient_task *t) {
    enum { BLOCK = 96 };
    const ptrdiff_t d = t->d;
    const fp_state saved = fp_enter();
    const size_t items = (size_t)(t->problems * t->gaussians * d) * sizeof(double);
    if (t->sums) {
        memset(t->sums, 0, items);
    }
    if (t->outer) {
        memset(t->outer, 0, items);
    }
    for (ptrdiff_t e = 0; e < t->problems; e++) {
        const view x = rows_at(t->x + e * t->x_e, t->x_n, t->x_d);
        for (ptrdiff_t k = 0; k < t->gaussians; k++) {
            const R *const mean = (const R *)(t->loc + e * t->loc_e + k * t->loc_k);
            const R *const variance = (const R *)(t->matrix + e * t->matrix_e + k * t->matrix_k);
            memset(t->scratch, 0, (size_t)(2 * d) * sizeof(double)); /* what the sums have lost to rounding */
            for (ptrdiff_t first = 0; first < t->points; first += BLOCK) {
                const ptrdiff_t count = t->points - first < BLOCK ? t->points - first : BLOCK;
                for (ptrdiff_t j = 0; j < d; j += LANES) {
                    const int width = (int)(d - j < LANES ? d - j : LANES);
                    R m[LANES] __attribute__((aligned(64))) = {0}, v[LANES] __attribute__((aligned(64)));
                    for (int c = 0; c < LANES; c++) {
                        m[c] = c < width ? mean[j + c] : 0;
                        v[c] = c < width ? variance[j + c] : 1;
                    }
                    const V w = C(1) / v_load(v), correction = v_residual(v_load(v), w, C(1));
                    if (width == LANES) {
                        diagonal_column(t, x, e, e * t->gaussians + k, first, count, j, LANES, v_load(m), w, correction);
                    } else {
                        diagonal_column(t, x, e, e * t->gaussians + k, first, count, j, width, v_load(m), w, correction);
                    }
                }
            }
        }
    }
    fp_leave(saved, 0);
}

static ptrdiff_t mvn_gradient_diagonal_scratch(ptrdiff_t d) { return 2 * d * (ptrdiff_t)sizeof(double); }
