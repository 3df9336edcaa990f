/* Selection without a copy: floating numbers are ordered like integers (keys), and passes over the data count how many keys lie
 * in each of some ranges until the wanted one is narrow enough to collect what is in it. Counts of blocks add up, so the data may
 * come in blocks, in chunks or from several machines. With weights, elements of weight 0 do not count, NaN included. */

/* Keys: ascending like the numbers, -0 before 0. */
ALWAYS_INLINE int64_t order_key(R x) {
#if REAL_IS_DOUBLE
    int64_t i;
    memcpy(&i, &x, sizeof i);
    return i ^ (int64_t)((uint64_t)(i >> 63) >> 1);
#else
    int32_t i;
    memcpy(&i, &x, sizeof i);
    return i ^ (int32_t)((uint32_t)(i >> 31) >> 1);
#endif
}

ALWAYS_INLINE VI order_keys(V x) {
    const VI i = v_bits(x);
    return i ^ (VI)((VU)(i >> (int)(8 * sizeof(R) - 1)) >> 1);
}

typedef __typeof__(((VU){0})[0]) order_word;
enum { ORDER_CHUNK = 512 };

/* Where each of n <= ORDER_CHUNK elements is counted. */
ALWAYS_INLINE void order_places(const R *x, ptrdiff_t n, int64_t low, int shift, order_word *place) {
    const VI first = CI(low);
    const VU bins = (VU)CI(LOGLIK_ORDER_BINS);
    R padded[LANES];
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const R *from = x + i;
        if (n - i < LANES) {
            memset(padded, 0, sizeof padded);
            memcpy(padded, from, (size_t)(n - i) * sizeof(R));
            from = padded;
        }
        const VI key = order_keys(v_load(from)), below = (VI)(key < first);
        VU bin = ((VU)key - (VU)first) >> shift;
        const VU within = (VU)(bin < bins);
        bin = ((bin & within) | (bins & ~within)) + 1;
        v_store((R *)(place + i), v_from_bits((VI)bin & ~below));
    }
}

static void order_counts(const R *x, const double *weights, ptrdiff_t n, int64_t low, int shift, int64_t *counts, double *sums) {
    enum { BINS = LOGLIK_ORDER_BINS, CHUNK = ORDER_CHUNK, TABLES = 4, PIECE = 1 << 30 };
    order_word place[CHUNK] __attribute__((aligned(64)));
    for (ptrdiff_t first = 0; first < n; first += PIECE) { /* 32 bits count a piece */
        const ptrdiff_t stop = n - first < PIECE ? n : first + PIECE;
        uint32_t table[TABLES][BINS + 2] = {{0}}; /* several: equal neighbours do not wait for each other */
        for (ptrdiff_t start = first; start < stop; start += CHUNK) {
            const ptrdiff_t count = stop - start < CHUNK ? stop - start : CHUNK;
            order_places(x + start, count, low, shift, place);
            if (weights) {
                for (ptrdiff_t i = 0; i < count; i++) {
                    const double w = weights[start + i];
                    sums[place[i]] += w;
                    counts[place[i]] += w > 0;
                }
                continue;
            }
            ptrdiff_t i = 0;
            for (; i + TABLES <= count; i += TABLES) {
                UNROLLED
                for (int t = 0; t < TABLES; t++) {
                    table[t][place[i + t]]++;
                }
            }
            for (; i < count; i++) {
                table[0][place[i]]++;
            }
        }
        for (ptrdiff_t i = 0; i < BINS + 2; i++) {
            for (int t = 0; t < TABLES; t++) {
                counts[i] += table[t][i];
            }
        }
    }
}

static ptrdiff_t order_gather(const R *x, const double *weights, ptrdiff_t n, int64_t low, int64_t high, R *out,
                              double *weights_out) {
    enum { CHUNK = 64 };
    const VI first = CI(low);
    const VU width = (VU)CI(high) - (VU)first;
    ptrdiff_t found = 0;
    for (ptrdiff_t start = 0; start < n; start += CHUNK) {
        const ptrdiff_t stop = n - start < CHUNK ? n : start + CHUNK;
        VI within = {0};
        for (ptrdiff_t i = start; i < stop && stop - start == CHUNK; i += LANES) {
            within |= (VI)((VU)order_keys(v_load(x + i)) - (VU)first <= width);
        }
        if (stop - start == CHUNK && !m_any(vi_negative(within))) {
            continue;
        }
        for (ptrdiff_t i = start; i < stop; i++) {
            const int64_t key = order_key(x[i]);
            if (low <= key && key <= high && (!weights || weights[i] > 0)) {
                out[found] = x[i];
                if (weights) {
                    weights_out[found] = weights[i];
                }
                found++;
            }
        }
    }
    return found;
}

/* 16 elements from x on, weights w or NULL. */
ALWAYS_INLINE void deviations_row(const R *x, const double *w, vf64 center, vf64 *lanes) {
    for (int s = 0; s < LOSS_STREAMS; s++) {
        vf64 wide[WIDE];
        loss_widen(v_load(x + s * LANES), wide);
        for (int j = 0; j < WIDE; j++) {
            const int at = s * WIDE + j;
            vf64 distance = v_abs(wide[j] - center);
            if (w) {
                const vf64 weight = v_load(w + at * LANES_f64);
                distance = v_zero_if(v_eq(weight, (vf64){0}), weight * distance); /* NaN included */
            }
            lanes[at] += distance;
        }
    }
}

/* In the virtual lanes and blocks of the losses' sums (loss_sums.h). */
static double absolute_deviations(const R *x, const double *weights, ptrdiff_t n, double center) {
    enum { BLOCK = LOSS_BLOCK, ROW = LOSS_LANES };
    const fp_state saved = fp_enter();
    const vf64 middle = v_set1(center);
    loss_total total = {0, 0};
    for (ptrdiff_t start = 0; start < n; start += BLOCK) {
        const ptrdiff_t stop = n - start < BLOCK ? n : start + BLOCK;
        vf64 lanes[LOSS_VECTORS] = {{0}};
        ptrdiff_t i = start;
        for (; i + ROW <= stop; i += ROW) {
            deviations_row(x + i, weights ? weights + i : NULL, middle, lanes);
        }
        if (i < stop) {
            R padded[ROW];
            double padded_weights[ROW] = {0}; /* of 0: what pads does not count */
            memset(padded, 0, sizeof padded);
            memcpy(padded, x + i, (size_t)(stop - i) * sizeof(R));
            for (ptrdiff_t j = 0; j < stop - i; j++) {
                padded_weights[j] = weights ? weights[i + j] : 1;
            }
            deviations_row(padded, padded_weights, middle, lanes);
        }
        loss_add(&total, loss_sum_lanes(lanes));
    }
    fp_leave(saved, 0);
    return loss_result(&total);
}
