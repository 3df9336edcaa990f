/* The ufunc of the Cholesky factor. Up to EACH_MAX rows, LANES matrices are factored at once, matrices being lanes; the rest,
 * and groups with a bad matrix, one at a time. Both do the same operations on an entry in the same order (see cholesky.h),
 * so a factor's bits do not depend on its neighbours. */

/* Vectors of scratch: the triangle row by row, with room for the block that ends its last row, and a column of units. */
ALWAYS_INLINE ptrdiff_t cholesky_lanes_size(ptrdiff_t d) { return d * (d + 1) / 2 + COLS + d; }

/* Factors of LANES matrices to l (lane, row and column strides in elements), zeros above the diagonal. Returns 0 where one of
 * them has a bad pivot; then nothing has been written. */
static int cholesky_lanes(batch a, ptrdiff_t d, R *l, ptrdiff_t lane, ptrdiff_t row, ptrdiff_t column, V *scratch) {
    V *const unit = scratch, *const c = scratch + d;
    M good = v_eq(C(0), C(0));
    for (ptrdiff_t i = 0; i < d; i++) { /* a row's last block reaches into the next row, which is loaded after it */
        load_lanes(c + i * (i + 1) / 2, a, i, i + 1, d, LANES);
    }
    for (ptrdiff_t k = 0; k < d; k++) {
        const V pivot = c[k * (k + 1) / 2 + k], w = C(1) / pivot, root = v_sqrt(pivot), scale = C(1) / root;
        good &= pivots_good(pivot);
        for (ptrdiff_t i = k + 1; i < d; i++) {
            V *const r = c + i * (i + 1) / 2;
            const V entry = r[k];
            unit[i] = entry * w;
            for (ptrdiff_t j = k + 1; j <= i; j++) {
                r[j] = v_fnma(unit[j], entry, r[j]);
            }
            r[k] = entry * scale;
        }
        c[k * (k + 1) / 2 + k] = root;
    }
    if (!m_all(good)) {
        return 0;
    }
    for (ptrdiff_t i = 0; i < d; i++) {
        const V *const r = c + i * (i + 1) / 2;
        for (ptrdiff_t j = 0; j < d; j += COLS) {
            V block[COLS];
            if (column == 1 && j + COLS <= d) {
                UNROLLED
                for (int q = 0; q < COLS; q++) {
                    block[q] = j + q <= i ? r[j + q] : C(0);
                }
                v_store_columns(l + i * row + j, lane, block);
                continue;
            }
            for (ptrdiff_t q = j; q < d && q < j + COLS; q++) {
                R lanes[LANES] __attribute__((aligned(64)));
                v_store(lanes, q <= i ? r[q] : C(0));
                for (ptrdiff_t p = 0; p < LANES; p++) {
                    l[p * lane + i * row + q * column] = lanes[p];
                }
            }
        }
    }
    return 1;
}

/* One matrix to l; returns its info. memory: factor_scratch, panels and pivots. */
static int32_t cholesky_one(view a, ptrdiff_t d, R *l, ptrdiff_t row, ptrdiff_t column, R *memory, int *invalid) {
    R *const panels = memory + factor_scratch(d), *const pivots = panels + panels_size(d);
    const int32_t info = memory ? factorise(a, d, panels, pivots, l, row, column, memory) : -2;
    int nan_input = 0;
    for (ptrdiff_t r = 0; r < d && info != 0; r++) {
        nan_input |= has_nan(a, r, r + 1);
    }
    for (ptrdiff_t r = 0; r < d; r++) {
        for (ptrdiff_t c = info == 0 ? r + 1 : 0; c < d; c++) {
            l[r * row + c * column] = info == 0 ? 0 : (R)NAN;
        }
    }
    *invalid |= info != 0 && info != -2 && !nan_input;
    return info;
}

static void cholesky_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    enum { STACK = 4 * LOGLIK_TILE_VECTORS * LANES * SMALL, SIZE = sizeof(R) };
    R stack[STACK] __attribute__((aligned(64)));
    const ptrdiff_t n = dims[0], d = dims[1], *const s = steps + 3;
    const ptrdiff_t lane = steps[1] / SIZE, row = s[2] / SIZE, column = s[3] / SIZE;
    const fp_state saved = fp_enter();
    const ptrdiff_t one = factor_scratch(d) + panels_size(d) + d;
    const ptrdiff_t lanes = d <= EACH_MAX && n >= LANES ? cholesky_lanes_size(d) * LANES : 0;
    R *const memory = scratch_take(stack, STACK, one > lanes ? one : lanes);
    int invalid = 0;
    ptrdiff_t i = 0;

    while (i < n) {
        R *const l = (R *)(args[1] + i * steps[1]);
        const batch group = batch_at(args[0] + i * steps[0], steps[0], s[0], s[1]);
        ptrdiff_t count = n - i < LANES ? n - i : LANES;
        const int together = lanes && memory && count == LANES &&
                             cholesky_lanes(group, d, l, lane, row, column, (V *)memory);
        for (ptrdiff_t p = 0; p < count; p++) {
            *(int32_t *)(args[2] + (i + p) * steps[2]) =
                together ? 0
                         : cholesky_one(batch_lane(group, p), d, l + p * lane, row, column, memory, &invalid);
        }
        i += count;
    }
    scratch_give_back(stack, memory);
    fp_leave(saved, invalid);
}
