/* Multivariate normal log-density where every point brings its own matrix.
 *
 * Matrices are lanes: a group of LANES problems is transposed while it is loaded, and the code below then reads like
 * that for one small matrix. The factorisation is A = (unit triangle)·D·(unit triangle)ᵀ: one division per pivot and
 * no square root. The centred point is treated as one more row of the matrix,
 *
 *     [ A   δ ]        whose last pivot is  0 − δᵀ A⁻¹ δ,
 *     [ δᵀ  0 ]
 *
 * so factorisation, solve and quadratic form are one loop. The determinant is a product of mantissas and a sum of
 * exponents: one logarithm per matrix. A failed pivot is recorded in its lane and replaced by one; lanes never mix,
 * so the neighbours of a bad matrix keep their bits.
 *
 * Above EACH_MAX a group no longer fits the second-level cache: the blocked Cholesky per matrix takes over. */

enum {
    EACH_MAX = 64,
    EACH_ROWS = LOGLIK_TILE_ROWS == 8 ? 6 : 2, /* rows x EACH_COLUMNS accumulators; even */
    EACH_COLUMNS = 4,
};

/* ---------------------------------------------------------------------------------- groups of problems */

/* Product of positive normal numbers per lane, as mantissas and exponents (see product in mvn_shared.h). Up to 64
 * mantissas in [1, 2) do not overflow. */
typedef struct {
    V mantissa, exponent;
} lane_product;

ALWAYS_INLINE void lane_multiply(lane_product *p, V x) {
#if REAL_IS_DOUBLE
    const VI bits = v_bits(x), exponent = vi_shr(bits, 52) - 1023;
    p->mantissa *= v_from_bits((bits & CI(0xfffffffffffff)) | CI(1023ll << 52));
#else
    const VI bits = v_bits(x), exponent = vi_shr(bits, 23) - 127;
    p->mantissa *= v_from_bits((bits & CI(0x7fffff)) | CI(127 << 23));
#endif
    p->exponent += v_from_int(exponent);
}

ALWAYS_INLINE V lane_log_product(lane_product p) {
    return v_fma(p.exponent, C(0.69314718055994531), vm_log_normal(p.mantissa));
}

ALWAYS_INLINE M pivots_good(V pivot) {
#if REAL_IS_DOUBLE
    return v_ge(pivot, C(0x1p-1022)) & v_le(pivot, C(0x1.fffffffffffffp1023));
#else
    return v_ge(pivot, C(0x1p-126f)) & v_le(pivot, C(0x1.fffffep127f));
#endif
}

/* ---------------------------------------------------------------------------------- factorisation */

/* State of a group while its rows are taken one block after the other. */
typedef struct {
    V *unit;    /* rows of the unit triangle, row i from i·(i − 1)/2 */
    V *inverse; /* 1 / pivot */
    V failed;   /* 1-based pivot that failed first, 0: none */
    lane_product determinant;
    uintptr_t next, end; /* what to fetch of the memory of a later group */
} each_group;

ALWAYS_INLINE ptrdiff_t unit_row(ptrdiff_t i) { return i * (i - 1) / 2; }

/* One line of what is wanted later; in one burst such requests would stall the loads that matter. Returns the next one. */
ALWAYS_INLINE uintptr_t fetch_next(uintptr_t next, uintptr_t end) {
    __builtin_prefetch((const void *)next, 0, 2);
    return next < end ? next + 64 : next;
}

/* c[r][j ... j + columns) of `rows` rows: Σ over the columns before j, then the triangle. */
ALWAYS_INLINE void each_columns(const int rows, const int columns, each_group *g, V *c, ptrdiff_t width, ptrdiff_t j) {
    const V *const unit = g->unit;
    V acc[EACH_ROWS][EACH_COLUMNS];
    uintptr_t next = g->next;
    UNROLLED
    for (int r = 0; r < rows; r++) {
        UNROLLED
        for (int q = 0; q < columns; q++) {
            acc[r][q] = c[r * width + j + q];
        }
    }
    for (ptrdiff_t k = 0; k < j; k++) {
        next = fetch_next(next, g->end);
        UNROLLED
        for (int q = 0; q < columns; q++) {
            const V l = unit[unit_row(j + q) + k];
            UNROLLED
            for (int r = 0; r < rows; r++) {
                acc[r][q] = v_fnma(l, c[r * width + k], acc[r][q]);
            }
        }
    }
    g->next = next;
    UNROLLED
    for (int q = 0; q < columns; q++) {
        UNROLLED
        for (int s = 0; s < q; s++) {
            const V l = unit[unit_row(j + q) + j + s];
            UNROLLED
            for (int r = 0; r < rows; r++) {
                acc[r][q] = v_fnma(l, acc[r][s], acc[r][q]);
            }
        }
        UNROLLED
        for (int r = 0; r < rows; r++) {
            c[r * width + j + q] = acc[r][q];
        }
    }
}

/* Rows i ... i + rows − 1 of the matrix bordered by the point, i even; c holds their entries. Returns the last pivot. */
ALWAYS_INLINE V each_rows(const int rows, each_group *g, V *c, ptrdiff_t width, ptrdiff_t i, ptrdiff_t d) {
    enum { ROWS = EACH_ROWS, COLUMNS = EACH_COLUMNS };
    V *const unit = g->unit;
    ptrdiff_t j = 0;
    for (; j + COLUMNS <= i; j += COLUMNS) {
        each_columns(rows, COLUMNS, g, c, width, j);
    }
    if (j < i) {
        each_columns(rows, 2, g, c, width, j);
    }
    V acc[ROWS][ROWS];
    UNROLLED
    for (int r = 0; r < rows; r++) {
        UNROLLED
        for (int s = 0; s <= r; s++) {
            acc[r][s] = c[r * width + i + s];
        }
    }
    uintptr_t next = g->next;
    for (ptrdiff_t k = 0; k < i; k++) {
        const V w = g->inverse[k];
        next = fetch_next(next, g->end);
        UNROLLED
        for (int r = 0; r < rows; r++) {
            const V ck = c[r * width + k], u = ck * w;
            unit[unit_row(i + r) + k] = u;
            UNROLLED
            for (int s = r; s < rows; s++) {
                acc[s][r] = v_fnma(u, c[s * width + k], acc[s][r]);
            }
        }
    }
    g->next = next;
    UNROLLED
    for (int s = 0; s < rows; s++) {
        if (i + s >= d) {
            break;
        }
        V pivot = acc[s][s];
        const M good = pivots_good(pivot);
        if (!m_all(good)) {
            g->failed = v_select(m_not(good) & v_eq(g->failed, C(0)), v_set1((R)(i + s + 1)), g->failed);
            pivot = v_select(good, pivot, C(1));
        }
        lane_multiply(&g->determinant, pivot);
        const V w = C(1) / pivot;
        g->inverse[i + s] = w;
        UNROLLED
        for (int r = s + 1; r < rows; r++) {
            const V u = acc[r][s] * w;
            unit[unit_row(i + r) + i + s] = u;
            UNROLLED
            for (int q = s + 1; q <= r; q++) { /* row q's u is stored: q <= r */
                acc[r][q] = v_fnma(unit[unit_row(i + q) + i + s], acc[r][s], acc[r][q]);
            }
        }
    }
    return acc[rows - 1][rows - 1];
}

/* ---------------------------------------------------------------------------------- what went wrong, and results */

/* The arguments of a group of problems, and where its results go. */
typedef struct {
    batch x, mean, matrix;
    ptrdiff_t d, count;
    int check; /* report asymmetric matrices and means that are not finite */
    char *out, *info;
    ptrdiff_t out_step, info_step;
} problems;

enum { BAD_MEAN = -3, ASYMMETRIC = -4 }; /* info where it is asked for */

/* The value of each lane, from what its parameters and the point turned out to be. */
static __attribute__((noinline)) int each_repair(R *value, int32_t *info, const problems *g, int differs) {
    int invalid = 0;
    for (ptrdiff_t p = 0; p < g->count; p++) {
        const view a = batch_lane(g->matrix, p), m = batch_lane(g->mean, p);
        const int finite = value[p] - value[p] == 0;
        if (info[p] == 0 && differs && first_asymmetry(a, g->d)) {
            info[p] = ASYMMETRIC;
        }
        if (finite && info[p] == 0) {
            continue;
        }
        int nan_input = has_nan(batch_lane(g->x, p), 0, g->d) || has_nan(m, 0, g->d);
        const int mean_finite = all_finite(m, 0, g->d);
        if (info[p] != 0) {
            info[p] = failure(a, g->d, info[p]);
            for (ptrdiff_t i = 0; i < g->d && info[p] < 0; i++) {
                nan_input |= has_nan(a, i, i + 1);
            }
        } else if (mean_finite && !nan_input) { /* overflow, or an infinite coordinate */
            value[p] = (R)-INFINITY;
            continue;
        } else if (!mean_finite && g->check) {
            info[p] = BAD_MEAN;
        }
        value[p] = (R)NAN;
        invalid |= !nan_input;
    }
    return invalid;
}

/* Values and infos of a group one by one; the arguments and the result are those of each_finish. */
static __attribute__((noinline)) int each_write(const problems *g, V log_p, V failed, int differs) {
    R value[LANES] __attribute__((aligned(64))), pivot[LANES] __attribute__((aligned(64)));
    int32_t code[LANES];
    int invalid = 0;
    v_store(value, log_p);
    v_store(pivot, failed);
    for (int i = 0; i < LANES; i++) {
        code[i] = (int32_t)pivot[i];
    }
    const M fine = v_eq(log_p - log_p, C(0)) & v_eq(failed, C(0));
    if (differs || !m_all(fine)) {
        invalid = each_repair(value, code, g, differs);
    }
    for (ptrdiff_t p = 0; p < g->count; p++) {
        *(R *)(g->out + p * g->out_step) = value[p];
        *(int32_t *)(g->info + p * g->info_step) = code[p];
    }
    return invalid;
}

/* Writes a group's values and infos; failed: the pivots that failed, differs: a matrix is not equal to its transpose.
 * Returns whether NaN was made. */
ALWAYS_INLINE int each_finish(const problems *g, V log_p, V failed, int differs) {
    const M fine = v_eq(log_p - log_p, C(0)) & v_eq(failed, C(0));
    if (differs || !m_all(fine) || g->count != LANES || g->out_step != sizeof(R) || g->info_step != sizeof(int32_t)) {
        return each_write(g, log_p, failed, differs);
    }
    v_store((R *)g->out, log_p);
    memset(g->info, 0, LANES * sizeof(int32_t));
    return 0;
}

/* ---------------------------------------------------------------------------------- small matrices, in registers */

enum { EACH_SMALL = 8 };

/* What load_entries does not load itself, to memory. */
static __attribute__((noinline)) void gather_entries(V *entry, const R *p, ptrdiff_t lane, ptrdiff_t row, ptrdiff_t column,
                                                     int size, int columns, ptrdiff_t count) {
    for (int e = 0; e < size; e += columns, p += row) {
        if (count == LANES && (lane == 0 || lane == 1)) {
            for (int k = 0; k < columns; k++) {
                entry[e + k] = lane == 0 ? v_set1(p[k * column]) : v_load(p + k * column);
            }
        } else {
            gather_lanes(entry + e, p, lane, column, columns, count);
        }
    }
}

/* entry[e], e < size, lanes being problems: entries of a vector (d = 0), or of a matrix with d columns, row by row. With
 * `blocks` they stand in a row of which at least COLS may be loaded; then what is above the diagonal is left out unless
 * `all` is set. */
ALWAYS_INLINE void load_entries(V *entry, batch b, const int size, const int d, int blocks, ptrdiff_t count, int all) {
    enum { MOST = EACH_SMALL * EACH_SMALL };
    const int columns = d > 0 ? d : size;
    if (size == 1 && count == LANES && b.lane == 1) {
        entry[0] = v_load(b.data);
    } else if (d == 0 && count == LANES && b.lane == 0) {
        UNROLLED
        for (int e = 0; e < size; e++) {
            entry[e] = v_set1(b.data[e * b.column]);
        }
    } else if (count == LANES && blocks) {
        UNROLLED
        for (int e = 0; e < size; e += COLS) {
            const int start = e + COLS <= size || size < COLS ? e : size - COLS;
            int lower = d == 0;
            UNROLLED
            for (int c = 0; c < COLS; c++) {
                lower |= (start + c) % columns <= (start + c) / columns;
            }
            if (lower || all) {
                V block[COLS];
                v_load_columns(b.data + start, b.lane, block);
                UNROLLED
                for (int c = 0; c < COLS; c++) {
                    if (start + c < size) {
                        entry[start + c] = block[c];
                    }
                }
            }
        }
    } else { /* by way of memory of its own: entry stays in registers */
        V gathered[MOST];
        gather_entries(gathered, b.data, b.lane, b.row, b.column, size, columns, count);
        UNROLLED
        for (int e = 0; e < size; e++) {
            entry[e] = gathered[e];
        }
    }
}

/* One group, d a constant. Right-looking, so that the entries of a column are updated independently of each other; each
 * entry sees the operations of the blocked version in the same order. Which pivot fails is not noted: a bad one shows as
 * NaN or out of range, and the group is left to the blocked version. Returns 0, 1 if NaN was made, −1 if left.
 * follow: rows of COLS elements may be read behind a shorter last one. */
ALWAYS_INLINE int each_small(const int d, const problems *g, int follow) {
    enum { MAX = EACH_SMALL };
    V a[MAX * MAX], p[MAX], m[MAX];
    const int check = g->check;
    const int dense = g->matrix.column == 1 && g->matrix.row == d;
    load_entries(a, g->matrix, d * d, d, dense && (d * d >= COLS || follow), g->count, check);
    VI differs = (VI){0};
    if (check) {
        UNROLLED
        for (int i = 0; i < d; i++) {
            UNROLLED
            for (int j = 0; j < i; j++) {
                differs |= v_bits(a[i * d + j]) ^ v_bits(a[j * d + i]);
            }
        }
    }
    load_entries(p, g->x, d, 0, g->x.column == 1 && (d >= COLS || follow), g->count, 1);
    load_entries(m, g->mean, d, 0, g->mean.column == 1 && (d >= COLS || follow), g->count, 1);
    UNROLLED
    for (int k = 0; k < d; k++) {
        p[k] -= m[k];
    }
    lane_product determinant = {C(1), C(0)};
    V last = C(0), smallest = C(1), largest = C(1);
    UNROLLED
    for (int k = 0; k < d; k++) {
        const V pivot = a[k * d + k], w = C(1) / pivot;
        V unit[MAX];
        smallest = v_min(pivot, smallest);
        largest = v_max(pivot, largest);
        lane_multiply(&determinant, pivot);
        UNROLLED
        for (int i = k + 1; i < d; i++) {
            unit[i] = a[i * d + k] * w;
            UNROLLED
            for (int j = k + 1; j <= i; j++) {
                a[i * d + j] = v_fnma(unit[j], a[i * d + k], a[i * d + j]);
            }
            p[i] = v_fnma(unit[i], p[k], p[i]);
        }
        last = v_fnma(p[k] * w, p[k], last);
    }
    /* A pivot that is NaN makes the quadratic form NaN; one that is infinite or not positive is seen here. */
    const M good = pivots_good(smallest) & pivots_good(largest) & v_eq(last, last);
    if (!m_all(good)) {
        return -1;
    }
    const V log_p = v_fma(C(0.5), last - lane_log_product(determinant), C(-0.91893853320467274) * C(d));
    return each_finish(g, log_p, C(0), !m_all(vi_eq(differs, (VI){0})));
}

/* ---------------------------------------------------------------------------------- blocks of rows */

ALWAYS_INLINE ptrdiff_t each_width(ptrdiff_t d) { return d + 1 + COLS; }
/* Vectors of scratch: unit triangle of d + 1 rows, inverses, a block of rows, the mean. */
ALWAYS_INLINE ptrdiff_t each_size(ptrdiff_t d) {
    return unit_row(d + 1) + d + 1 + d + (EACH_ROWS + 1) * each_width(d);
}

/* One group of any size. ahead: the matrices of a later group, fetched in the order of memory, since nothing else finds so
 * many streams; 0: nothing to fetch. Returns whether NaN was made. */
static __attribute__((noinline)) int each_blocked(const problems *g, V *scratch, uintptr_t ahead) {
    enum { ROWS = EACH_ROWS, LINE = 64 };
    const ptrdiff_t d = g->d, width = each_width(d);
    V *const rows = scratch, *const shift = rows + ROWS * width;
    each_group state = {.inverse = shift + width, .unit = shift + width + d, .failed = C(0), .determinant = {C(1), C(0)}};
    V last = C(0);
    /* The inner loops fetch one line in each of their steps; the lines that are left come with the rows, more of them with
     * longer ones. */
    const ptrdiff_t lines = LANES * d * d * (ptrdiff_t)sizeof(R) / LINE;
    const ptrdiff_t steps = d * d * d / (6 * ROWS * EACH_COLUMNS) + d * d / (2 * ROWS);
    const ptrdiff_t rest = ahead && lines > steps ? lines - steps : 0;
    state.next = ahead ? ahead : (uintptr_t)scratch;
    state.end = ahead ? ahead + (uintptr_t)(lines * LINE) : 0;

    for (ptrdiff_t i = 0, count; i <= d; i += count) {
        const ptrdiff_t left = d + 1 - i;
        count = left >= ROWS ? ROWS : left >= 4 && ROWS > 4 ? 4 : left >= 2 ? 2 : 1;
        for (int r = 0; r < count; r++) {
            V *const c = rows + r * width;
            if (i + r < d) {
                const ptrdiff_t share = (2 * (i + r) + 1) * rest / (d * d) * LINE;
                fetch(state.next, share, L2);
                state.next += (uintptr_t)share;
                load_lanes(c, g->matrix, i + r, i + r + 1, d, g->count);
            } else {
                load_lanes(c, g->x, 0, d, d, g->count);
                load_lanes(shift, g->mean, 0, d, d, g->count);
                for (ptrdiff_t k = 0; k < d; k++) {
                    c[k] -= shift[k];
                }
                c[d] = C(0);
            }
        }
        switch (count) {
        case 1:
            last = each_rows(1, &state, rows, width, i, d);
            break;
        case 2:
            last = each_rows(2, &state, rows, width, i, d);
            break;
        case 4:
            last = each_rows(ROWS < 4 ? ROWS : 4, &state, rows, width, i, d);
            break;
        default:
            last = each_rows(ROWS, &state, rows, width, i, d);
        }
    }
    const V log_p = v_fma(C(0.5), last - lane_log_product(state.determinant), C(-0.91893853320467274) * v_set1((R)d));
    const int differs = g->check && any_differs(g->matrix, g->count, d);
    return each_finish(g, log_p, state.failed, differs);
}

/* ---------------------------------------------------------------------------------- the loops */

/* Arguments of the first problems. */
static problems problems_at(char **args, ptrdiff_t n, ptrdiff_t d, const ptrdiff_t *steps, int check) {
    const ptrdiff_t *const s = steps + 5;
    return (problems){
        .x = batch_at(args[0], steps[0], 0, s[0]),
        .mean = batch_at(args[1], steps[1], 0, s[1]),
        .matrix = batch_at(args[2], steps[2], s[2], s[3]),
        .d = d, .count = n < LANES ? n : LANES, .check = check,
        .out = args[3], .info = args[4], .out_step = steps[3], .info_step = steps[4],
    };
}

/* On to the next problems, of which there are `left`. */
ALWAYS_INLINE void advance(problems *g, ptrdiff_t left) {
    const ptrdiff_t by = g->count;
    g->x.data += by * g->x.lane;
    g->mean.data += by * g->mean.lane;
    g->matrix.data += by * g->matrix.lane;
    g->out += by * g->out_step;
    g->info += by * g->info_step;
    g->count = left < LANES ? left : LANES;
}

/* All groups, for one d (a constant), or d = 0: for any. */
ALWAYS_INLINE int each_groups(const int constant, problems g, ptrdiff_t n, V *scratch) {
    const ptrdiff_t d = constant > 0 ? constant : g.d, group = LANES * g.matrix.lane * (ptrdiff_t)sizeof(R);
    const ptrdiff_t distance = AHEAD / (group > 0 ? group : 1) + 1;
    const int dense = g.matrix.row == d && g.matrix.column == 1 && g.matrix.lane == d * d;
    int invalid = 0;
    for (ptrdiff_t left = n; left > 0; left -= LANES) {
        const uintptr_t ahead = dense ? (uintptr_t)g.matrix.data + (uintptr_t)(distance * group) : 0;
        int done = -1;
        if (constant > 0) {
            if (ahead) {
                fetch(ahead, group, L2);
            }
            const int follow = left >= LANES + COLS && g.x.lane > 0 && g.mean.lane > 0 && g.matrix.lane > 0;
            done = each_small(constant, &g, follow);
        }
        invalid |= done < 0 ? each_blocked(&g, scratch, constant > 0 ? 0 : ahead) : done;
        advance(&g, left - LANES);
    }
    return invalid;
}

/* What a large problem on its own has to be checked for besides its pivots. */
static void check_one(const problems *g) {
    int32_t *const info = (int32_t *)g->info;
    if (*info == 0 && !all_finite(batch_lane(g->mean, 0), 0, g->d)) {
        *info = BAD_MEAN;
    } else if (*info == 0 && first_asymmetry(batch_lane(g->matrix, 0), g->d)) {
        *info = ASYMMETRIC;
        *(R *)g->out = (R)NAN;
    }
}

static void mvn_each(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, int check) {
    /* Scratch of the smaller sizes; larger ones take it from the heap, once per call. */
    enum { STACK = (16 * 17 / 2 + 2 * 17 + 5 * 21) };
    V stack[STACK];
    const ptrdiff_t n = dims[0], d = dims[1], *const s = steps + 5;
    const fp_state saved = fp_enter();
    int invalid = 0;


    if (d > EACH_MAX) {
        problems one = problems_at(args, 1, d, steps, check);
        for (ptrdiff_t i = 0; i < n; i++) {
            invalid |= mvn_grid_task(
                (grid_task){
                    .x = args[0] + i * steps[0], .mean = args[1] + i * steps[1], .matrix = args[2] + i * steps[2],
                    .out = args[3] + i * steps[3], .info = args[4] + i * steps[4],
                    .n = 1, .d = d, .k = 1, .x_d = s[0], .mean_d = s[1], .matrix_i = s[2], .matrix_j = s[3],
                },
                COVARIANCE);
            if (check) {
                check_one(&one);
                advance(&one, 1);
            }
        }
        fp_leave(saved, invalid);
        return;
    }
    R *const memory = scratch_take((R *)stack, STACK * LANES, each_size(d) * LANES);
    if (!memory) {
        for (ptrdiff_t i = 0; i < n; i++) {
            *(R *)(args[3] + i * steps[3]) = (R)NAN;
            *(int32_t *)(args[4] + i * steps[4]) = -2;
        }
        fp_leave(saved, 0);
        return;
    }
    V *const scratch = (V *)memory;
    const problems g = problems_at(args, n, d, steps, check);
    switch (d) {
#define LOGLIK_EACH(D)                                                                                      \
    case D:                                                                                                 \
        invalid = each_groups(D, g, n, scratch);                                                            \
        break;
        LOGLIK_EACH(1)
        LOGLIK_EACH(2)
        LOGLIK_EACH(3)
        LOGLIK_EACH(4)
        LOGLIK_EACH(5)
        LOGLIK_EACH(6)
        LOGLIK_EACH(7)
        LOGLIK_EACH(8)
#undef LOGLIK_EACH
    default:
        invalid = each_groups(0, g, n, scratch);
    }
    scratch_give_back((R *)stack, memory);
    fp_leave(saved, invalid);
}

static void mvn_log_prob_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    mvn_each(args, dims, steps, 0);
}

static void mvn_log_prob_checked_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    mvn_each(args, dims, steps, 1);
}

/* ---------------------------------------------------------------------------------- a factor for every point */

/* z = L⁻¹ (x − μ) row by row, or W (x − μ); the rows are read once, in order. */
static void each_factored(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, const enum matrix_kind kind) {
    enum { STACK = 4 * 32 };
    V stack[STACK];
    const ptrdiff_t n = dims[0], d = dims[1], width = each_width(d);
    const fp_state saved = fp_enter();
    R *const memory = scratch_take((R *)stack, STACK * LANES, 3 * width * LANES);
    V *const z = (V *)memory, *const row = z + width, *const shift = row + width;
    int invalid = 0;

    problems g = problems_at(args, n, d, steps, 0);
    for (ptrdiff_t left = n; left > 0; left -= LANES) {
        V log_p = C(NAN), failed = C(0);
        if (memory) {
            V square = C(0), log_det = C(0);
            lane_product determinant = {C(1), C(0)};
            load_lanes(z, g.x, 0, d, d, g.count);
            load_lanes(shift, g.mean, 0, d, d, g.count);
            for (ptrdiff_t k = 0; k < d; k++) {
                z[k] -= shift[k];
            }
            /* W·δ needs all of δ: from the last row up, so that z may be overwritten. */
            for (ptrdiff_t step = 0; step < d; step++) {
                const ptrdiff_t r = kind == FACTOR ? step : d - 1 - step;
                load_lanes(row, g.matrix, r, r + 1, d, g.count);
                V diagonal = row[r], y = z[r];
                const M good = pivots_good(diagonal);
                if (!m_all(good)) {
                    const V first = v_set1((R)(r + 1));
                    failed = v_select(m_not(good) & (v_eq(failed, C(0)) | v_lt(first, failed)), first, failed);
                    diagonal = v_select(good, diagonal, C(1));
                }
                lane_multiply(&determinant, diagonal);
                if (step % 32 == 31) { /* before the product of mantissas overflows */
                    log_det += lane_log_product(determinant);
                    determinant = (lane_product){C(1), C(0)};
                }
                if (kind == FACTOR) {
                    for (ptrdiff_t k = 0; k < r; k++) {
                        y = v_fnma(row[k], z[k], y);
                    }
                    y /= diagonal;
                } else {
                    y = C(0);
                    for (ptrdiff_t k = 0; k <= r; k++) {
                        y = v_fma(row[k], z[k], y);
                    }
                }
                z[r] = y;
                square = v_fma(y, y, square);
            }
            log_det += lane_log_product(determinant);
            log_det = kind == FACTOR ? log_det : -log_det;
            log_p = v_fma(C(-0.5), square, v_fma(C(-0.91893853320467274), v_set1((R)d), -log_det));
        } else {
            failed = C(-2);
        }
        invalid |= each_finish(&g, log_p, failed, 0);
        advance(&g, left - LANES);
    }
    scratch_give_back((R *)stack, memory);
    fp_leave(saved, invalid && memory);
}

static void mvn_log_prob_tril_each_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    each_factored(args, dims, steps, FACTOR);
}

static void mvn_log_prob_whitened_each_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    each_factored(args, dims, steps, WHITENER);
}
