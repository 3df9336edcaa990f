/* Whether matrices are symmetric. Nearly all are, bit for bit: that is decided for a few matrices at a time, and only a
 * group that has another one is looked at entry by entry. */

/* Bits in which a matrix differs from its transpose; LANES <= d. COLS columns, transposed to registers, are compared with COLS
 * rows. */
ALWAYS_INLINE VI matrix_differs(const R *p, ptrdiff_t row, ptrdiff_t d) {
    VI differs = (VI){0};
    for (ptrdiff_t i = 0; i < d; i += LANES) {
        const ptrdiff_t r = i + LANES <= d ? i : d - LANES; /* the last block overlaps the one before */
        for (ptrdiff_t j = 0; j < r + LANES; j += COLS) {
            const ptrdiff_t c = j + COLS <= d ? j : d - COLS;
            V column[COLS];
            v_load_columns(p + r * row + c, row, column);
            UNROLLED
            for (int k = 0; k < COLS; k++) {
                differs |= v_bits(column[k]) ^ v_bits(v_load(p + (c + k) * row + r));
            }
        }
    }
    return differs;
}

/* How LANES small matrices differ from their mirrors, COLS <= d: 16 bytes of COLS rows, transposed, are compared with 16 bytes of COLS
 * columns of the mirror, for LANES / COLS matrices at once. */
ALWAYS_INLINE VI small_differs(const R *p, ptrdiff_t lane, ptrdiff_t row, ptrdiff_t d) {
    VI differs = (VI){0};
    for (ptrdiff_t part = 0; part < LANES; part += LANES / COLS, p += LANES / COLS * lane) {
        for (ptrdiff_t i = 0; i < d; i += COLS) {
            const ptrdiff_t r = i + COLS <= d ? i : d - COLS;
            for (ptrdiff_t j = 0; j <= i; j += COLS) {
                const ptrdiff_t c = j + COLS <= d ? j : d - COLS;
                V low[COLS];
                v_load_blocks(p + r * row + c, row, lane, low);
                UNROLLED
                for (int k = 0; k < COLS; k++) {
                    differs |= v_bits(low[k]) ^ v_bits(v_join(p + (c + k) * row + r, lane));
                }
            }
        }
    }
    return differs;
}

/* 0 for a symmetric matrix, or the position i·d + j of the first entry that is not that of its mirror (i > j). */
static ptrdiff_t first_asymmetry(view a, ptrdiff_t d) {
    const R sqrt_u = REAL_IS_DOUBLE ? (R)0x1.6a09e667f3bcdp-27 : (R)0x1p-12;
    for (ptrdiff_t r = 1; r < d; r++) {
        const R scale = sqrt_u * (R)sqrt((double)entry_of(a, r, r));
        for (ptrdiff_t c = 0; c < r; c++) {
            const R low = entry_of(a, r, c), gap = low - entry_of(a, c, r);
            if (gap != 0 && !(fabs((double)gap) <= (double)scale * sqrt((double)entry_of(a, c, c)))) {
                return r * d + c;
            }
        }
    }
    return 0;
}

/* Whether any of `count` <= LANES matrices may be asymmetric. */
static __attribute__((noinline)) int any_differs(batch a, ptrdiff_t count, ptrdiff_t d) {
    const int alone = d >= 2 * LANES;
    VI differs = (VI){0};
    if (a.column != 1 || d < COLS || (!alone && count < LANES)) {
        return 1;
    }
    if (!alone) {
        differs = small_differs(a.data, a.lane, a.row, d);
    }
    for (ptrdiff_t p = 0; p < count && alone; p++) {
        differs |= matrix_differs(a.data + p * a.lane, a.row, d);
    }
    return !m_all(vi_eq(differs, (VI){0}));
}

static void asymmetry_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    const ptrdiff_t n = dims[0], d = dims[1], *const s = steps + 2;
    const fp_state saved = fp_enter();
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const ptrdiff_t count = n - i < LANES ? n - i : LANES;
        const batch group = batch_at(args[0] + i * steps[0], steps[0], s[0], s[1]);
        const int differs = any_differs(group, count, d);
        for (ptrdiff_t p = 0; p < count; p++) {
            const ptrdiff_t found = differs ? first_asymmetry(batch_lane(group, p), d) : 0;
            *(int32_t *)(args[1] + (i + p) * steps[1]) = (int32_t)found;
        }
    }
    fp_leave(saved, 0);
}
