/* log Σ_k exp(a_k + b_k) of rows: the log-density of a mixture from those of its components and their log-weights.
 *
 * Rows are lanes. The largest term is taken out before the exponentials; it and the sum are carried over blocks of columns,
 * so one pass reads the values once, whatever their number. With the largest term out, the sum lies in [1, k]: one
 * logarithm, and no term that matters is lost. */

enum { FN(MIXTURE_BLOCK) = 32 };

ALWAYS_INLINE V FN(log_mixture_group)(FN(batch) a, FN(batch) b, ptrdiff_t k, ptrdiff_t count) {
    enum { BLOCK = FN(MIXTURE_BLOCK), COLS = FN(COLS) };
    V most = C(-INFINITY), sum = C(0);
    M nan = M_NONE;
    for (ptrdiff_t start = 0; start < k; start += BLOCK) {
        const ptrdiff_t now = k - start < BLOCK ? k - start : BLOCK;
        V term[BLOCK + COLS];
        FN(batch) part = a;
        part.data += start * a.column;
        FN(load_lanes)(term, part, 0, now, now, count);
        V top = most, weight[BLOCK + COLS];
        if (b.lane != 0) {
            FN(batch) part_b = b;
            part_b.data += start * b.column;
            FN(load_lanes)(weight, part_b, 0, now, now, count);
        }
        for (ptrdiff_t j = 0; j < now; j++) {
            term[j] += b.lane == 0 ? v_set1(b.data[(start + j) * b.column]) : weight[j];
            nan |= v_unord(term[j], term[j]);
            top = v_max(term[j], top);
        }
        /* Where every term so far is −inf there is nothing to take out. */
        const V out = v_select(v_eq(top, C(-INFINITY)), C(0), top);
        sum *= FN(vm_exp)(most - out);
        for (ptrdiff_t j = 0; j < now; j++) {
            sum += FN(vm_exp)(term[j] - out);
        }
        most = top;
    }
    const V value = v_select(v_lt(v_abs(most), C(INFINITY)), most + FN(vm_log)(sum), most);
    return v_select(nan, C(NAN), value);
}

static void FN(log_mixture)(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {
    (void)data;
    const ptrdiff_t n = dims[0], k = dims[1], *const s = steps + 3;
    const fp_state saved = fp_enter();
    int invalid = 0;
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const ptrdiff_t count = n - i < LANES ? n - i : LANES;
        const FN(batch) a = FN(batch_at)(args[0] + i * steps[0], steps[0], 0, s[0]);
        const FN(batch) b = FN(batch_at)(args[1] + i * steps[1], steps[1], 0, s[1]);
        R lanes[LANES] __attribute__((aligned(64)));
        v_store(lanes, FN(log_mixture_group)(a, b, k, count));
        for (ptrdiff_t p = 0; p < count; p++) {
            *(R *)(args[2] + (i + p) * steps[2]) = lanes[p];
            invalid |= lanes[p] != lanes[p] && !FN(has_nan)(FN(batch_lane)(a, p), 0, k) &&
                       !FN(has_nan)(FN(batch_lane)(b, p), 0, k);
        }
    }
    fp_leave(saved, invalid);
}
