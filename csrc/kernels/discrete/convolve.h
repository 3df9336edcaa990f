/* Direct convolution of two sequences.
 *
 * Design
 *  - Vectors run along the outputs: every output is one chain of additions of a[i]·b[k−i], so there is no
 *    sum across lanes. A tile of outputs stays in registers while i runs.
 *  - Unaligned loads of b would bound the speed, not the multiplications. But a[i] and a[i + STEP], STEP elements
 *    being 64 bytes, meet the same vectors of b, one (or 2, 4) tile columns further. So i runs over
 *    a block in strides of STEP, GROUP values at a time: about one load for three multiply-adds.
 *  - STEP and GROUP are the same at every instruction-set level, and blocks of i begin at multiples of
 *    BLOCK: the order of summation does not depend on LANES. Levels with FMA give the same bits.
 *  - Outputs near the ends read zeros around b; adding a zero changes no bit. Terms are not negative in our
 *    use: the relative error of an output is below (number of terms + 1)·u. */

enum {
    CONVOLVE_STEP = 64 / sizeof(R),
    CONVOLVE_GROUP = 4,
    CONVOLVE_BLOCK = CONVOLVE_STEP * CONVOLVE_GROUP,
    CONVOLVE_TILE = 8, /* vectors of outputs; with GROUP values of a and one of b they fit 16 registers */
};

/* Outputs k .. k + TILE·LANES − 1. */
ALWAYS_INLINE void convolve_tile(const R *a, ptrdiff_t na, const R *b, ptrdiff_t nb, ptrdiff_t k, R *out) {
    enum {
        STEP = CONVOLVE_STEP, GROUP = CONVOLVE_GROUP, BLOCK = CONVOLVE_BLOCK,
        TILE = CONVOLVE_TILE, SHIFT = STEP / LANES, /* columns between a[i] and a[i + STEP] */
    };
    const ptrdiff_t begin = k - nb + 1 > 0 ? k - nb + 1 : 0; /* other i meet no element of b */
    const ptrdiff_t end = k + TILE * LANES < na ? k + TILE * LANES : na;
    const ptrdiff_t blocks_end = na / BLOCK * BLOCK;
    V sum[TILE];
#pragma GCC unroll 8 /* all loops over the tile, or it would live in memory */
    for (int t = 0; t < TILE; t++) {
        sum[t] = C(0.0);
    }
    ptrdiff_t i = begin / BLOCK * BLOCK;
    for (; i < blocks_end && i < end; i += BLOCK) {
        for (int r = 0; r < STEP; r++) {
            V x[GROUP];
            for (int j = 0; j < GROUP; j++) {
                x[j] = v_set1(a[i + r + j * STEP]);
            }
            const R *const window = b + (k - i - r);
#pragma GCC unroll 24
            for (int column = -SHIFT * (GROUP - 1); column < TILE; column++) {
                const V y = v_load(window + column * LANES);
#pragma GCC unroll 4
                for (int j = GROUP - 1; j >= 0; j--) {
                    const int t = column + j * SHIFT;
                    if (t >= 0 && t < TILE) {
                        sum[t] = v_fma(x[j], y, sum[t]);
                    }
                }
            }
        }
    }
    for (i = i > begin ? i : begin; i < end; i++) { /* the rest of a, where the blocks have ended */
        const V x = v_set1(a[i]);
#pragma GCC unroll 8
        for (int t = 0; t < TILE; t++) {
            sum[t] = v_fma(x, v_load(b + (k - i) + t * LANES), sum[t]);
        }
    }
#pragma GCC unroll 8
    for (int t = 0; t < TILE; t++) {
        v_store(out + t * LANES, sum[t]);
    }
}

static void convolve(const R *a, ptrdiff_t na, const R *b, ptrdiff_t nb, ptrdiff_t first, ptrdiff_t last,
                     R *out) {
    enum { WIDTH = CONVOLVE_TILE * LANES };
    const fp_state saved = fp_enter();
    ptrdiff_t k = first;
    for (; k + WIDTH <= last; k += WIDTH) {
        convolve_tile(a, na, b, nb, k, out + (k - first));
    }
    if (k < last) {
        R rest[WIDTH] __attribute__((aligned(64)));
        convolve_tile(a, na, b, nb, k, rest);
        memcpy(out + (k - first), rest, (size_t)(last - k) * sizeof(R));
    }
    fp_leave(saved, 0);
}
