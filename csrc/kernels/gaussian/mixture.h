/* log Σ_k exp(a_k + b_k) of rows, the log-density of a mixture from those of its components and their log-weights; and the parts of
 * the components in it, their responsibilities.
 *
 * Rows are lanes. The largest term is taken out before the exponentials. With it out, the sum lies in [1, k]: one logarithm, and no
 * term that matters is lost. */

enum {
    MIXTURE_BLOCK = 32, /* columns at a time; the largest term and the sum are carried over blocks */
    MIXTURE_KEPT = 128, /* terms of a row that are kept for its parts; those of longer rows are added up again */
};

ALWAYS_INLINE V log_mixture_group(batch a, batch b, ptrdiff_t k, ptrdiff_t count) {
    enum { BLOCK = MIXTURE_BLOCK };
    V most = C(-INFINITY), sum = C(0);
    M nan = M_NONE;
    for (ptrdiff_t start = 0; start < k; start += BLOCK) {
        const ptrdiff_t now = k - start < BLOCK ? k - start : BLOCK;
        V term[BLOCK + COLS];
        batch part = a;
        part.data += start * a.column;
        load_lanes(term, part, 0, now, now, count);
        V top = most, weight[BLOCK + COLS];
        if (b.lane != 0) {
            batch part_b = b;
            part_b.data += start * b.column;
            load_lanes(weight, part_b, 0, now, now, count);
        }
        for (ptrdiff_t j = 0; j < now; j++) {
            term[j] += b.lane == 0 ? v_set1(b.data[(start + j) * b.column]) : weight[j];
            nan |= v_unord(term[j], term[j]);
            top = v_max(term[j], top);
        }
        /* Where every term so far is −inf there is nothing to take out. */
        const V out = v_select(v_eq(top, C(-INFINITY)), C(0), top);
        sum *= vm_exp(most - out);
        for (ptrdiff_t j = 0; j < now; j++) {
            /* e⁻⁸⁰ is nothing beside the 1 in the sum; smaller numbers may be subnormal, and slow. */
            sum += vm_exp(v_max(term[j] - out, C(-80)));
        }
        most = top;
    }
    const V value = v_select(v_lt(v_abs(most), C(INFINITY)), most + vm_log(sum), most);
    return v_select(nan, C(NAN), value);
}

/* Values of `count` rows, to out. Nonzero: a NaN that came from no NaN. */
ALWAYS_INLINE int put_log_mixture(V value, batch a, batch b, ptrdiff_t k, ptrdiff_t count, char *out, ptrdiff_t step) {
    R lanes[LANES] __attribute__((aligned(64)));
    int invalid = 0;
    v_store(lanes, value);
    for (ptrdiff_t p = 0; p < count; p++) {
        *(R *)(out + p * step) = lanes[p];
        invalid |= lanes[p] != lanes[p] && !has_nan(batch_lane(a, p), 0, k) && !has_nan(batch_lane(b, p), 0, k);
    }
    return invalid;
}

static void log_mixture_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    const ptrdiff_t n = dims[0], k = dims[1], *const s = steps + 3;
    const fp_state saved = fp_enter();
    int invalid = 0;
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const ptrdiff_t count = n - i < LANES ? n - i : LANES;
        const batch a = batch_at(args[0] + i * steps[0], steps[0], 0, s[0]);
        const batch b = batch_at(args[1] + i * steps[1], steps[1], 0, s[1]);
        invalid |= put_log_mixture(log_mixture_group(a, b, k, count), a, b, k, count, args[2] + i * steps[2], steps[2]);
    }
    fp_leave(saved, invalid);
}

/* Columns start ... start + now − 1 of LANES rows. */
ALWAYS_INLINE void load_mixture(V *term, batch a, ptrdiff_t start, ptrdiff_t now, ptrdiff_t count) {
    a.data += start * a.column;
    load_group(term, a, 0, now, now, count);
}

static void put_mixture(value_sink sink, const V *term, ptrdiff_t start, ptrdiff_t now, ptrdiff_t count) {
    for (ptrdiff_t j = 0; j < now; j += COLS) {
        put_columns(sink, term + j, (int)(now - j < COLS ? now - j : COLS), 1, start + j, 0, count);
    }
}

/* a + b of these columns, and the largest of them and `most`. */
static V mixture_terms(V *term, batch a, batch b, ptrdiff_t start, ptrdiff_t now, ptrdiff_t count, V most, M *nan) {
    V weight[MIXTURE_KEPT + COLS];
    load_mixture(term, a, start, now, count);
    if (b.lane != 0) {
        load_mixture(weight, b, start, now, count);
    }
    M any = *nan;
    for (ptrdiff_t j = 0; j < now; j++) {
        term[j] += b.lane == 0 ? v_set1(b.data[(start + j) * b.column]) : weight[j];
        any |= v_unord(term[j], term[j]);
        most = v_max(term[j], most);
    }
    *nan = any;
    return most;
}

/* The parts of LANES rows, and the logarithm of their sum; one exponential for each part. */
static __attribute__((noinline)) V responsibilities_group(batch a, batch b, ptrdiff_t k, ptrdiff_t count, value_sink sink) {
    enum { KEPT = MIXTURE_KEPT };
    const V smallest = REAL_IS_DOUBLE ? C(-708) : C(-87); /* with a normal exponential: subnormal ones are slow */
    V most = C(-INFINITY), sum = C(0), term[KEPT + COLS];
    M nan = M_NONE;
    for (ptrdiff_t start = 0; start < k; start += KEPT) {
        most = mixture_terms(term, a, b, start, k - start < KEPT ? k - start : KEPT, count, most, &nan);
    }
    const V shift = v_select(v_eq(most, C(-INFINITY)), C(0), most); /* where every term is −inf there is nothing to take out */
    for (ptrdiff_t start = 0; start < k; start += KEPT) {
        const ptrdiff_t now = k - start < KEPT ? k - start : KEPT;
        if (k > KEPT) {
            mixture_terms(term, a, b, start, now, count, most, &nan);
        }
        for (ptrdiff_t j = 0; j < now; j++) {
            const V x = term[j] - shift;
            term[j] = v_zero_unless(v_ge(x, smallest), vm_exp(v_max(x, smallest)));
            sum += term[j];
        }
        if (k > KEPT) {
            put_mixture(sink, term, start, now, count);
        }
    }
    const V scale = v_select(nan | v_eq(v_abs(most), C(INFINITY)), C(NAN), C(1) / sum);
    for (ptrdiff_t start = 0; start < k; start += KEPT) {
        const ptrdiff_t now = k - start < KEPT ? k - start : KEPT;
        if (k > KEPT) {
            load_mixture(term, batch_at(sink.out, sink.n, 0, sink.k), start, now, count);
        }
        for (ptrdiff_t j = 0; j < now; j++) {
            term[j] *= scale;
        }
        put_mixture(sink, term, start, now, count);
    }
    const V value = v_select(v_lt(v_abs(most), C(INFINITY)), most + vm_log(sum), most);
    return v_select(nan, C(NAN), value);
}

static void responsibilities_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    const ptrdiff_t n = dims[0], k = dims[1], *const s = steps + 4;
    const fp_state saved = fp_enter();
    int invalid = 0;
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const ptrdiff_t count = n - i < LANES ? n - i : LANES;
        const batch a = batch_at(args[0] + i * steps[0], steps[0], 0, s[0]);
        const batch b = batch_at(args[1] + i * steps[1], steps[1], 0, s[1]);
        const V value = responsibilities_group(a, b, k, count, (value_sink){args[2] + i * steps[2], steps[2], s[2]});
        invalid |= put_log_mixture(value, a, b, k, count, args[3] + i * steps[3], steps[3]);
    }
    fp_leave(saved, invalid);
}
