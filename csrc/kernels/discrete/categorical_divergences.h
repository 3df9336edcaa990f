/* Divergences of rows of probabilities: checks, totals and the sum of terms in one pass. Formulas and bounds: src/loglik/_ufunc_docs.py.
 *
 * Sums are taken in double: in each group of ROW_GROUP elements, element k goes to virtual lane k mod 16; the lanes of a part
 * of several groups are added, then joined in a fixed tree, the parts with compensation: few additions in a row, since equal
 * entries round in the same direction. The bits are the same whether elements are lanes (rows that are long and contiguous) or
 * rows are (short ones, and those that lie side by side). Totals are of the elements as they are; where one is
 * further from 1 than 4 eps, which is rare, the row is taken again with each element divided by it. */

enum {
    ROW_GROUP = 128,          /* a multiple of 16 */
    ROW_PART = 8 * ROW_GROUP, /* elements between horizontal sums */
    ROW_SHORT = 128,          /* up to here rows are transposed in registers, which is cheaper than three horizontal sums */
};

/* The terms of n elements, a multiple of LANES. */
typedef void (*row_terms)(const R *p, const R *q, R *term, ptrdiff_t n);

/* Not inlined: one copy serves both ways through the rows. */
#define LOGLIK_ROW_TERMS(name, value)                                                                       \
    static __attribute__((noinline)) void name(const R *ps, const R *qs, R *term, ptrdiff_t n) {            \
        for (ptrdiff_t i = 0; i < n; i += LANES) {                                                          \
            const V p = v_load(ps + i), q = v_load(qs + i);                                                 \
            v_store(term + i, value);                                                                       \
        }                                                                                                   \
    }
LOGLIK_ROW_TERMS(relative_entropy_terms, relative_entropy_of(p, q))
LOGLIK_ROW_TERMS(js_terms, js_term_of(p, q, q - p))
LOGLIK_ROW_TERMS(cross_entropy_terms, v_zero_if(v_eq(p, C(0)), C(0) - p * vm_log(q)))

enum { TERM = 2, ROW_SUMS = 3 }; /* sums of p, of q, of the terms */

typedef struct {
    batch in[2]; /* p and q; from the current row on */
    ptrdiff_t width;
    double eps[2];
    row_terms terms;
} row_pair;

/* ------------------------------------------------------------------------------- what a row is */

enum { ROW_BAD = 1, ROW_OFF = 4 }; /* shifted by one for q */

ALWAYS_INLINE int row_state(const row_pair *pair, int a, double total, R least) {
    const double off = fabs(total - 1);
    const int good = off <= 8 * (double)pair->width * pair->eps[a] && least >= 0;
    return !good ? ROW_BAD << a : off > 4 * pair->eps[a] ? ROW_OFF << a : 0;
}

ALWAYS_INLINE void row_wide(const R *x, vf64 *wide) {
#if REAL_IS_DOUBLE
    wide[0] = v_load(x);
#else
    v_load_wide(x, wide, wide + 1);
#endif
}

/* ------------------------------------------------------------------------------- elements as lanes */

/* A group of n elements, a multiple of 16, of p, q and their terms: into the virtual lanes, and the least of p and of q. */
static __attribute__((noinline)) void row_add(const R *const *x, ptrdiff_t n, vf64 (*lanes)[LOSS_VECTORS], V *least) {
    vf64 sum[ROW_SUMS][LOSS_VECTORS] = {{{0}}};
    V lowest[2] = {least[0], least[1]};
    for (ptrdiff_t i = 0; i < n; i += 16) {
        UNROLLED
        for (int s = 0; s < LOSS_STREAMS; s++) {
            UNROLLED
            for (int a = 0; a < ROW_SUMS; a++) {
                const R *const from = x[a] + i + s * LANES;
                vf64 wide[WIDE];
                row_wide(from, wide);
                UNROLLED
                for (int w = 0; w < WIDE; w++) {
                    sum[a][s * WIDE + w] += wide[w];
                }
                if (a < 2) {
                    lowest[a] = v_min(v_load(from), lowest[a]);
                }
            }
        }
    }
    UNROLLED
    for (int a = 0; a < ROW_SUMS; a++) {
        UNROLLED
        for (int i = 0; i < LOSS_VECTORS; i++) {
            lanes[a][i] += sum[a][i];
        }
    }
    memcpy(least, lowest, sizeof lowest);
}

/* Sums of a row, divided by `divisor` unless that is NULL, and the least elements (of a NaN nothing). */
static __attribute__((noinline)) void row_along(const row_pair *pair, const double *divisor, double *sums, R *least) {
    enum { PART = ROW_PART, GROUP = ROW_GROUP };
    loss_total total[ROW_SUMS] = {{0}};
    V lowest[2] = {C(0), C(0)};
    const int direct = !divisor && pair->in[0].column == 1 && pair->in[1].column == 1;
    R copy[2][GROUP] __attribute__((aligned(64))), term[GROUP] __attribute__((aligned(64)));
    for (ptrdiff_t start = 0; start < pair->width; start += PART) {
        const ptrdiff_t end = pair->width - start < PART ? pair->width : start + PART;
        vf64 lanes[ROW_SUMS][LOSS_VECTORS] = {{{0}}};
        for (ptrdiff_t first = start; first < end; first += GROUP) {
            const ptrdiff_t n = end - first < GROUP ? end - first : GROUP, whole = (n + 15) / 16 * 16;
            const R *in[ROW_SUMS] = {NULL, NULL, term};
            for (int a = 0; a < 2; a++) {
                const batch b = pair->in[a];
                in[a] = b.data + first * b.column;
                if (direct && n == whole) {
                    continue;
                }
                if (b.column == 1) {
                    memcpy(copy[a], in[a], (size_t)n * sizeof(R));
                } else {
                    for (ptrdiff_t k = 0; k < n; k++) {
                        copy[a][k] = in[a][k * b.column];
                    }
                }
                in[a] = copy[a];
                for (ptrdiff_t k = n; k < whole; k++) {
                    copy[a][k] = 1; /* the term of two ones is 0 */
                }
                for (ptrdiff_t k = 0; k < n && divisor; k += LANES) {
                    v_store(copy[a] + k, v_load(copy[a] + k) / v_set1((R)divisor[a]));
                }
            }
            pair->terms(in[0], in[1], term, (n + LANES - 1) / LANES * LANES);
            for (ptrdiff_t k = n; k < whole; k++) {
                copy[0][k] = copy[1][k] = term[k] = 0;
            }
            row_add(in, whole, lanes, lowest);
        }
        for (int a = 0; a < ROW_SUMS; a++) {
            loss_add(&total[a], loss_sum_lanes(lanes[a]));
        }
    }
    for (int a = 0; a < ROW_SUMS; a++) {
        sums[a] = loss_result(&total[a]);
    }
    for (int a = 0; a < 2; a++) {
        R x[LANES] __attribute__((aligned(64)));
        v_store(x, lowest[a]);
        least[a] = 0;
        for (int i = 0; i < LANES; i++) {
            least[a] = x[i] < least[a] ? x[i] : least[a];
        }
    }
}

/* ------------------------------------------------------------------------------- rows as lanes */

/* Columns `first` ... of up to LANES rows. */
ALWAYS_INLINE void row_columns(V *out, batch b, ptrdiff_t first, ptrdiff_t columns, ptrdiff_t count) {
    const R *const next = b.data + LANES * (b.lane + first); /* as much of the following rows, if those adjoin */
    b.data += first * b.column;
    if (b.lane == 1 && count == LANES) { /* side by side; what comes next is too far away for the hardware to foresee */
        for (ptrdiff_t k = 0; k < columns; k++) {
            out[k] = v_load(b.data + k * b.column);
            __builtin_prefetch(b.data + (k + 16) * b.column);
        }
    } else {
        for (ptrdiff_t k = 0; k < columns; k++) {
            __builtin_prefetch(next + k * LANES);
        }
        load_lanes(out, b, 0, columns, columns, count);
    }
}

/* The sums of up to LANES rows: sums[a·LANES + r] of row r. */
static __attribute__((noinline)) void rows_across(const row_pair *pair, ptrdiff_t count, const V *divisor, double *sums,
                                                  V *least) {
    enum { PART = ROW_PART, GROUP = ROW_GROUP, SUMS = ROW_SUMS };
    vf64 total[SUMS][WIDE] = {{{0}}}, correction[SUMS][WIDE] = {{{0}}};
    V lowest[2] = {C(0), C(0)};
    for (ptrdiff_t start = 0; start < pair->width; start += PART) {
        const ptrdiff_t n = pair->width - start < PART ? pair->width - start : PART;
        vf64 lanes[16][SUMS * WIDE], group[16][SUMS * WIDE]; /* of the part, and of a group but the first */
        for (ptrdiff_t first = 0; first < n; first += 16) {
            const ptrdiff_t columns = n - first < 16 ? n - first : 16;
            V x[SUMS][16 + COLS];
            for (int a = 0; a < 2; a++) {
                row_columns(x[a], pair->in[a], start + first, columns, count);
                for (ptrdiff_t k = 0; k < columns && divisor; k++) {
                    x[a][k] /= divisor[a];
                }
            }
            pair->terms((const R *)x[0], (const R *)x[1], (R *)x[TERM], columns * LANES);
            vf64(*const to)[SUMS * WIDE] = first < GROUP ? lanes : group;
            for (ptrdiff_t k = 0; k < columns; k++) {
                UNROLLED
                for (int a = 0; a < SUMS; a++) {
                    vf64 wide[WIDE];
                    row_wide((const R *)&x[a][k], wide);
                    UNROLLED
                    for (int w = 0; w < WIDE; w++) {
                        to[k][a * WIDE + w] = first % GROUP ? to[k][a * WIDE + w] + wide[w] : wide[w];
                    }
                }
                lowest[0] = v_min(x[0][k], lowest[0]);
                lowest[1] = v_min(x[1][k], lowest[1]);
            }
            if (first >= GROUP && ((first + 16) % GROUP == 0 || first + 16 >= n)) {
                const ptrdiff_t there = n - first / GROUP * GROUP < 16 ? columns : 16;
                for (ptrdiff_t k = 0; k < there; k++) {
                    UNROLLED
                    for (int i = 0; i < SUMS * WIDE; i++) {
                        lanes[k][i] += group[k][i];
                    }
                }
            }
        }
        for (int half = 8; half > 0; half /= 2) { /* as loss_sum_lanes; what is not there is 0 */
            for (ptrdiff_t k = 0; k < half && k + half < n; k++) {
                UNROLLED
                for (int i = 0; i < SUMS * WIDE; i++) {
                    lanes[k][i] += lanes[k + half][i];
                }
            }
        }
        for (int a = 0; a < SUMS; a++) {
            for (int w = 0; w < WIDE; w++) {
                vf64 low;
                total[a][w] = v_two_sum(total[a][w], lanes[0][a * WIDE + w], &low);
                correction[a][w] += low;
            }
        }
    }
    least[0] = lowest[0];
    least[1] = lowest[1];
    for (int a = 0; a < SUMS; a++) {
        for (int w = 0; w < WIDE; w++) {
            const vf64 sum = total[a][w];
            const mf64 finite = v_lt(v_abs(sum), v_set1((double)INFINITY));
            v_store(sums + a * LANES + w * LANES_f64, sum + v_zero_unless(finite, correction[a][w]));
        }
    }
}

/* ------------------------------------------------------------------------------- the loop */

/* The state of each row of a group that is not as it should be, and new sums for those that must be normalised. */
static __attribute__((noinline, cold)) void rows_again(const row_pair *pair, ptrdiff_t count, int across, double *sums,
                                                       const V *least, int *state) {
    R low[2][LANES] __attribute__((aligned(64))), divisor[2][LANES] __attribute__((aligned(64)));
    int any = 0;
    for (int a = 0; a < 2; a++) {
        v_store(low[a], least[a]);
        for (ptrdiff_t r = 0; r < LANES; r++) {
            const ptrdiff_t row = r < count ? r : count - 1;
            const int now = row_state(pair, a, sums[a * LANES + row], low[a][row]);
            divisor[a][r] = now & ROW_OFF << a ? (R)sums[a * LANES + row] : 1;
            state[r] = (a ? state[r] : 0) | now;
            any |= now;
        }
    }
    if (!(any & (ROW_OFF | ROW_OFF << 1))) {
        return;
    }
    if (across) {
        V by[2] = {v_load(divisor[0]), v_load(divisor[1])}, unused[2];
        rows_across(pair, count, by, sums, unused);
    } else {
        const double by[2] = {(double)divisor[0][0], (double)divisor[1][0]};
        double sum[ROW_SUMS];
        R unused[2];
        row_along(pair, by, sum, unused);
        sums[TERM * LANES] = sum[TERM];
    }
}

static __attribute__((noinline)) void divergence_rows(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps,
                                                      row_terms terms, double most) {
    const ptrdiff_t n = dims[0], *const core = steps + 6;
    const fp_state saved = fp_enter();
    row_pair pair = {.width = dims[1], .terms = terms};
    const int same_eps = steps[2] == 0 && steps[3] == 0;
    const int beside = steps[0] == sizeof(R) || steps[1] == sizeof(R);
    int invalid = 0;
    for (ptrdiff_t i = 0, count; i < n; i += count) {
        count = !same_eps ? 1 : n - i < LANES ? n - i : LANES;
        /* Whatever is chosen here, the bits are the same. */
        const int empty = pair.width == 0; /* there is no first entry to look at */
        const int across = empty || (count > 1 && (pair.width <= ROW_SHORT || (beside && count == LANES)));
        count = across ? count : 1;
        for (int a = 0; a < 2; a++) {
            pair.in[a] = batch_at(args[a] + i * steps[a], steps[a], 0, core[a]);
            pair.eps[a] = *(const double *)(args[2 + a] + i * steps[2 + a]);
        }
        double sums[ROW_SUMS * LANES] __attribute__((aligned(64)));
        V least[2];
        int state[LANES] = {0};
        int usual = 1;
        if (across) {
            rows_across(&pair, count, NULL, sums, least);
            for (int a = 0; a < 2; a++) {
                usual &= !m_any(v_lt(least[a], C(0)));
                for (int w = 0; w < WIDE; w++) {
                    const vf64 off = v_abs(v_load(sums + a * LANES + w * LANES_f64) - v_set1(1.0));
                    usual &= m_all(v_le(off, v_set1(4 * pair.eps[a])));
                }
            }
        } else {
            double sum[ROW_SUMS];
            R low[2];
            row_along(&pair, NULL, sum, low);
            for (int a = 0; a < ROW_SUMS; a++) {
                sums[a * LANES] = sum[a];
            }
            for (int a = 0; a < 2; a++) {
                least[a] = v_set1(low[a]);
                usual &= row_state(&pair, a, sum[a], low[a]) == 0;
            }
        }
        if (!usual) {
            rows_again(&pair, count, across, sums, least, state);
        }
        for (ptrdiff_t r = 0; r < count; r++) {
            const int bad = state[r] & (ROW_BAD | ROW_BAD << 1);
            double value = sums[TERM * LANES + r];
            value = value > most ? most : value;
            if (bad) {
                value = NAN;
                invalid |= !has_nan(batch_lane(pair.in[0], r), 0, pair.width) &&
                           !has_nan(batch_lane(pair.in[1], r), 0, pair.width);
            }
            *(R *)(args[4] + (i + r) * steps[4]) = (R)value;
            *(int32_t *)(args[5] + (i + r) * steps[5]) = bad;
        }
    }
    fp_leave(saved, invalid);
}

#define LOGLIK_DIVERGENCE_ROWS(name, terms, most)                                                           \
    static void name##_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {       \
        (void)data;                                                                                         \
        divergence_rows(args, dims, steps, terms, most);                                                    \
    }
LOGLIK_DIVERGENCE_ROWS(categorical_kl, relative_entropy_terms, INFINITY)
/* log 2 rounded down */
LOGLIK_DIVERGENCE_ROWS(categorical_js, js_terms, REAL_IS_DOUBLE ? 0x1.62e42fefa39efp-1 : 0x1.62e42ep-1)
LOGLIK_DIVERGENCE_ROWS(categorical_cross_entropy, cross_entropy_terms, INFINITY)
#undef LOGLIK_ROW_TERMS
#undef LOGLIK_DIVERGENCE_ROWS
