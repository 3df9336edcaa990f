/* Whether matrices are symmetric. Nearly all are, bit for bit: that is decided for a group of matrices at a time, with
 * matrices as lanes, and only a group that has another one is looked at entry by entry. */


/* First entry (i, j), i > j, in row order with |a_ij − a_ji| > √u·√(a_ii·a_jj), as i·d + j; 0: none. An entry that is not
 * finite counts: the caller tells the cases apart. */
/* Whether any of LANES matrices differs from its transpose (NaN differs from itself); d >= COLS, columns contiguous. */
ALWAYS_INLINE int FN(group_differs)(const R *p, ptrdiff_t lane, ptrdiff_t row, ptrdiff_t d) {
    enum { COLS = FN(COLS) };
    M differs = M_NONE;
    for (ptrdiff_t i = 0; i < d; i += COLS) {
        const ptrdiff_t r = i + COLS <= d ? i : d - COLS; /* the last tile overlaps the one before */
        for (ptrdiff_t j = 0; j <= i; j += COLS) {
            const ptrdiff_t c = j + COLS <= d ? j : d - COLS;
            V low[COLS][COLS], high[COLS][COLS];
            for (int k = 0; k < COLS; k++) {
                FN(v_load_columns)(p + (r + k) * row + c, lane, low[k]);
                FN(v_load_columns)(p + (c + k) * row + r, lane, high[k]);
            }
            for (int k = 0; k < COLS; k++) {
                for (int l = 0; l < COLS; l++) {
                    differs |= m_not(v_eq(low[k][l], high[l][k]));
                }
            }
        }
    }
    return m_any(differs);
}

/* 0 for a symmetric matrix, or the position i·d + j of the first entry that is not that of its mirror (i > j). */
static ptrdiff_t FN(first_asymmetry)(FN(rows) a, ptrdiff_t d) {
    const R sqrt_u = REAL_IS_DOUBLE ? (R)0x1.6a09e667f3bcdp-27 : (R)0x1p-12;
    for (ptrdiff_t r = 1; r < d; r++) {
        const R scale = sqrt_u * (R)sqrt((double)FN(entry)(a, r, r));
        for (ptrdiff_t c = 0; c < r; c++) {
            const R low = FN(entry)(a, r, c), gap = low - FN(entry)(a, c, r);
            if (gap != 0 && !(fabs((double)gap) <= (double)scale * sqrt((double)FN(entry)(a, c, c)))) {
                return r * d + c;
            }
        }
    }
    return 0;
}

static void FN(asymmetry)(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    const ptrdiff_t n = dims[0], d = dims[1], *const s = steps + 2;
    const int dense = s[1] == (ptrdiff_t)sizeof(R) && d >= FN(COLS);
    const fp_state saved = fp_enter();
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const ptrdiff_t count = n - i < LANES ? n - i : LANES;
        const char *const group = args[0] + i * steps[0];
        const int equal = dense && count == LANES &&
                          !FN(group_differs)((const R *)group, steps[0] / (ptrdiff_t)sizeof(R),
                                             s[0] / (ptrdiff_t)sizeof(R), d);
        for (ptrdiff_t p = 0; p < count; p++) {
            const ptrdiff_t found =
                equal ? 0 : FN(first_asymmetry)(FN(rows_at)(group + p * steps[0], s[0], s[1]), d);
            *(int32_t *)(args[1] + (i + p) * steps[1]) = (int32_t)found;
        }
    }
    fp_leave(saved, 0);
}
