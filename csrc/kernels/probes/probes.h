/* Limits of the machine for the benchmarks.
 *
 * A row's limit is what these two reach in the same run: memory streams of the same sizes, and fused
 * multiply-adds out of registers. They use the alphabet of the kernels, so each level has its own limits. */

static double probe_fma(ptrdiff_t rounds, R *sink) {
    enum { CHAINS = 12 }; /* latency 4 on two ports wants 8; 12 and two constants fit 16 registers */
    const fp_state saved = fp_enter();
    /* From memory that may change, so that nothing is computed at compile time; stays near 1. */
    volatile R source[2] = {(R)0.9999, (R)0.0001};
    const V a = v_set1(source[0]), b = v_set1(source[1]);
    V x[CHAINS];
    UNROLLED
    for (int c = 0; c < CHAINS; c++) {
        x[c] = v_set1((R)(1 + c));
    }
    for (ptrdiff_t i = 0; i < rounds; i++) {
        UNROLLED
        for (int c = 0; c < CHAINS; c++) {
            x[c] = v_fma(x[c], a, b);
        }
    }
    UNROLLED
    for (int c = 1; c < CHAINS; c++) {
        x[0] += x[c];
    }
    R lanes[LANES];
    v_store(lanes, x[0]);
    *sink = lanes[0];
    fp_leave(saved, 0);
    return 2.0 * CHAINS * LANES * (double)rounds;
}

#if REAL_IS_DOUBLE
ALWAYS_INLINE vi64 probe_read(const char *p, ptrdiff_t bytes, vi64 sum) {
    enum { W = LOGLIK_VECTOR_BYTES };
    vi64 s[4] = {sum, {0}, {0}, {0}};
    ptrdiff_t i = 0;
    for (; i + 4 * W <= bytes; i += 4 * W) {
        UNROLLED
        for (int k = 0; k < 4; k++) {
            s[k] += (vi64) * (const vi64_unaligned *)(p + i + k * W);
        }
    }
    for (; i + W <= bytes; i += W) {
        s[0] += (vi64) * (const vi64_unaligned *)(p + i);
    }
    return (s[0] + s[1]) + (s[2] + s[3]);
}

ALWAYS_INLINE void probe_write(char *p, ptrdiff_t bytes, vi64 value) {
    for (ptrdiff_t i = 0; i + LOGLIK_VECTOR_BYTES <= bytes; i += LOGLIK_VECTOR_BYTES) {
        *(vi64_unaligned *)(p + i) = (vi64_unaligned)value;
    }
}

static int64_t probe_streams(const char *const *in, const ptrdiff_t *in_bytes, ptrdiff_t nin, char *const *out,
                             const ptrdiff_t *out_bytes, ptrdiff_t nout) {
    enum { CHUNK = 8192 }; /* of the largest stream: all chunks together stay in L1 */
    ptrdiff_t largest = 1;
    for (ptrdiff_t a = 0; a < nin; a++) {
        largest = in_bytes[a] > largest ? in_bytes[a] : largest;
    }
    for (ptrdiff_t a = 0; a < nout; a++) {
        largest = out_bytes[a] > largest ? out_bytes[a] : largest;
    }
    const ptrdiff_t steps = (largest + CHUNK - 1) / CHUNK;
    vi64 sum = {0};
    for (ptrdiff_t s = 0; s < steps; s++) {
        /* Step s covers the bytes from s/steps to (s+1)/steps of each stream, in whole cache lines. */
        for (ptrdiff_t a = 0; a < nin; a++) {
            const ptrdiff_t lines = in_bytes[a] / 64, from = lines * s / steps * 64;
            const ptrdiff_t to = s + 1 == steps ? in_bytes[a] : lines * (s + 1) / steps * 64;
            sum = probe_read(in[a] + from, to - from, sum);
        }
        for (ptrdiff_t a = 0; a < nout; a++) {
            const ptrdiff_t lines = out_bytes[a] / 64, from = lines * s / steps * 64;
            const ptrdiff_t to = s + 1 == steps ? out_bytes[a] : lines * (s + 1) / steps * 64;
            probe_write(out[a] + from, to - from, (vi64){0});
        }
    }
    int64_t total = 0;
    UNROLLED
    for (int i = 0; i < LANES_f64; i++) {
        total += sum[i];
    }
    return total;
}
#endif
