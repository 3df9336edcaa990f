/* x = μ + L·z for many z: what `whiten` undoes, and how normals become samples of a Gaussian.
 *
 * Many rows: points are lanes. A tile of points is transposed while it is loaded, a panel of rows of L at a time is summed in
 * registers (triangular.h), and goes back to rows from there. Few rows: one chain of operations per coordinate, since packing L
 * would cost more than the product. Either way coordinate i is μ[i] + (L[i][0] z[0] + L[i][1] z[1] + ...), one fused
 * multiply-add each in this order, so the bits depend on neither the way nor the neighbours. What is above the diagonal is not
 * read; zeros on it are as good as any number. */

enum { UNWHITEN_FEW = 4 }; /* rows */

/* Coordinates i, i + 1, ... of a tile of points to rows in memory: mean − acc. Whether there is a NaN among them. */
ALWAYS_INLINE int unwhiten_store(V (*acc)[LOGLIK_TILE_VECTORS], const R *mean, char *out, ptrdiff_t row, ptrdiff_t column,
                                 ptrdiff_t i, ptrdiff_t d, ptrdiff_t count) {
    M nan = M_NONE;
    UNROLLED
    for (int r = 0; r < ROWS; r++) {
        const V m = v_set1(mean[i + r]);
        UNROLLED
        for (int v = 0; v < VECTORS; v++) {
            acc[r][v] = m - acc[r][v];
            nan |= v_unord(acc[r][v], acc[r][v]);
        }
    }
    if (count == TILE && column == sizeof(R) && i + ROWS <= d) {
        R *const p = (R *)out + i;
        const ptrdiff_t step = elements(row);
        UNROLLED
        for (int c = 0; c < ROWS; c += COLS) {
            UNROLLED
            for (int v = 0; v < VECTORS; v++) {
                V block[COLS];
                UNROLLED
                for (int t = 0; t < COLS; t++) {
                    block[t] = acc[c + t][v];
                }
                v_store_columns(p + v * LANES * step + c, step, block);
            }
        }
        return m_any(nan);
    }
    R lanes[ROWS * TILE] __attribute__((aligned(64)));
    store_panel(lanes, acc);
    for (ptrdiff_t r = 0; r < ROWS && i + r < d; r++) {
        for (ptrdiff_t p = 0; p < count; p++) {
            *(R *)(out + p * row + (i + r) * column) = lanes[r * TILE + p];
        }
    }
    return m_any(nan);
}

/* One point. Whether there is a NaN in it. */
static int unwhiten_one(const R *z, ptrdiff_t z_column, view l, const char *mean, ptrdiff_t mean_step, ptrdiff_t d,
                             char *out, ptrdiff_t column) {
    int nan = 0;
    for (ptrdiff_t i = 0; i < d; i++) {
        V sum = C(0);
        for (ptrdiff_t k = 0; k <= i; k++) {
            sum = v_fnma(v_set1(entry_of(l, i, k)), v_set1(z[k * z_column]), sum);
        }
        R lanes[LANES] __attribute__((aligned(64)));
        v_store(lanes, v_set1(*(const R *)(mean + i * mean_step)) - sum);
        *(R *)(out + i * column) = lanes[0];
        nan |= lanes[0] != lanes[0];
    }
    return nan;
}

/* Whether a NaN in the result of a point was made here: not where one came in by what it is computed from. */
static __attribute__((noinline)) int unwhiten_made_nan(view result, view z, ptrdiff_t p, view l,
                                                       const char *mean, ptrdiff_t mean_step, ptrdiff_t d) {
    for (ptrdiff_t i = 0; i < d; i++) {
        const R x = entry_of(result, p, i), m = *(const R *)(mean + i * mean_step);
        if (x != x && m == m && !has_nan(z, p, i + 1) && !has_nan(l, i, i + 1)) {
            return 1;
        }
    }
    return 0;
}

static void unwhiten_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    enum { STACK = 4 * LOGLIK_TILE_VECTORS * LANES * SMALL };
    R stack[STACK] __attribute__((aligned(64)));
    const ptrdiff_t n = dims[1], d = dims[2], padded = padded_size(d), *const s = steps + 4;
    const int few = n < UNWHITEN_FEW;
    const fp_state saved = fp_enter();
    R *const memory = few ? NULL : scratch_take(stack, STACK, padded * (TILE + 1) + panels_size(d));
    R *const tile = memory, *const mean = memory + padded * TILE, *const panels = mean + padded;
    int invalid = 0;

    for (ptrdiff_t g = 0; g < dims[0]; g++) {
        const view z = rows_at(args[0] + g * steps[0], s[0], s[1]), l = rows_at(args[2] + g * steps[2], s[3], s[4]);
        const char *const m = args[1] + g * steps[1];
        char *const out = args[3] + g * steps[3];
        const view result = rows_at(out, s[5], s[6]);
        int nan = 0;
        if (!memory) { /* few, or there is none */
            for (ptrdiff_t p = 0; p < n; p++) {
                nan |= unwhiten_one(z.data + p * z.row, z.column, l, m, s[2], d, out + p * s[5], s[6]);
            }
        } else {
            memset(memory, 0, (size_t)(padded * (TILE + 1) + panels_size(d)) * sizeof(R));
            for (ptrdiff_t i = 0; i < d; i++) {
                mean[i] = *(const R *)(m + i * s[2]);
                for (ptrdiff_t k = 0; k <= i; k++) {
                    panels[panel_index(i, k)] = entry_of(l, i, k);
                }
            }
            for (ptrdiff_t first = 0; first < n; first += TILE) {
                const ptrdiff_t count = n - first < TILE ? n - first : TILE;
                load_tile(tile, z, first, count, d, NULL);
                for (ptrdiff_t i = 0; i < d; i += ROWS) {
                    V acc[ROWS][VECTORS];
                    UNROLLED
                    for (int r = 0; r < ROWS; r++) {
                        UNROLLED
                        for (int v = 0; v < VECTORS; v++) {
                            acc[r][v] = C(0);
                        }
                    }
                    panel_product(acc, panels + panel_start(i / ROWS), tile, i);
                    nan |= unwhiten_store(acc, mean, out + first * s[5], s[5], s[6], i, d, count);
                }
            }
        }
        for (ptrdiff_t p = 0; p < n && nan && !invalid; p++) {
            invalid = unwhiten_made_nan(result, z, p, l, m, s[2], d);
        }
    }
    scratch_give_back(stack, memory);
    fp_leave(saved, invalid);
}
