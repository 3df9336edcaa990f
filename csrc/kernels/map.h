/* The driver of elementwise ufunc loops: strides, tails and the invalid flag, once for all kernels.
 *
 * A kernel is a function of vectors, void f(const V *in, V *out). map() walks the arrays in blocks: an argument
 * that is contiguous is used in place, any other one is gathered into (scattered from) a buffer in L1, so
 * the arithmetic sees whole vectors only. The last vector is padded with copies of a real element and runs
 * through the same code: the bits of a result do not depend on its position, on strides or on the length.
 *
 * The invalid flag is left set only where an output is NaN and no input of that element is: computed from
 * the values (the hardware flags also see lanes whose result was discarded). */

enum { FN(MAP_BLOCK) = 512, FN(MAP_MAX_ARGS) = 8 };

typedef void (*FN(map_function))(const V *in, V *out);

ALWAYS_INLINE M FN(map_vector)(const R *const *in, R *const *out, ptrdiff_t i, int nin, int nout,
                               const FN(map_function) f, M made_nan) {
    V x[FN(MAP_MAX_ARGS)], y[FN(MAP_MAX_ARGS)];
    M nan_out = M_NONE;
    UNROLLED
    for (int a = 0; a < nin; a++) {
        x[a] = v_load(in[a] + i);
    }
    f(x, y);
    UNROLLED
    for (int a = 0; a < nout; a++) {
        v_store(out[a] + i, y[a]);
        nan_out |= v_unord(y[a], y[a]);
    }
    if (__builtin_expect(m_any(nan_out), 0)) {
        M nan_in = M_NONE;
        UNROLLED
        for (int a = 0; a < nin; a++) {
            nan_in |= v_unord(x[a], x[a]);
        }
        made_nan |= nan_out & m_not(nan_in);
    }
    return made_nan;
}

ALWAYS_INLINE void FN(map)(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, const int nin,
                           const int nout, const FN(map_function) f) {
    enum { BLOCK = FN(MAP_BLOCK), MAX = FN(MAP_MAX_ARGS) };
    R buffer[MAX][BLOCK] __attribute__((aligned(64)));
    const ptrdiff_t n = dims[0];
    const fp_state saved = fp_enter();
    M made_nan = M_NONE;

    UNROLLED
    for (int a = 0; a < nin; a++) {
        if (steps[a] == 0 && n > 0) { /* one value for all elements: gathered once */
            const R value = *(const R *)args[a];
            for (ptrdiff_t i = 0; i < (n < BLOCK ? n : BLOCK); i++) {
                buffer[a][i] = value;
            }
        }
    }
    for (ptrdiff_t start = 0; start < n; start += BLOCK) {
        const ptrdiff_t count = n - start < BLOCK ? n - start : BLOCK;
        const ptrdiff_t whole = count / LANES * LANES, rest = count - whole;
        const R *in[MAX];
        R *out[MAX];
        UNROLLED
        for (int a = 0; a < nin; a++) {
            const char *const p = args[a] + start * steps[a];
            if (steps[a] == sizeof(R)) {
                in[a] = (const R *)p;
            } else {
                in[a] = buffer[a];
                if (steps[a] != 0) {
                    for (ptrdiff_t i = 0; i < count; i++) {
                        buffer[a][i] = *(const R *)(p + i * steps[a]);
                    }
                }
            }
        }
        UNROLLED
        for (int a = 0; a < nout; a++) {
            const int direct = steps[nin + a] == sizeof(R);
            out[a] = direct ? (R *)(args[nin + a] + start * steps[nin + a]) : buffer[nin + a];
        }
        /* Whole vectors first; then, by the same code, those that are left over. */
        R padded[MAX][LANES] __attribute__((aligned(64)));
        const R *from[MAX];
        R *to[MAX];
        UNROLLED
        for (int a = 0; a < nin; a++) {
            from[a] = in[a];
        }
        UNROLLED
        for (int a = 0; a < nout; a++) {
            to[a] = out[a];
        }
        for (ptrdiff_t now = whole, left = rest;; now = LANES, left = 0) {
            for (ptrdiff_t i = 0; i < now; i += LANES) {
                made_nan = FN(map_vector)(from, to, i, nin, nout, f, made_nan);
            }
            if (left == 0) {
                break;
            }
            UNROLLED
            for (int a = 0; a < nin; a++) {
                for (ptrdiff_t i = 0; i < LANES; i++) {
                    padded[a][i] = in[a][whole + (i < rest ? i : 0)];
                }
                from[a] = padded[a];
            }
            UNROLLED
            for (int a = 0; a < nout; a++) {
                to[a] = padded[nin + a];
            }
        }
        UNROLLED
        for (int a = 0; a < nout && rest; a++) {
            memcpy(out[a] + whole, padded[nin + a], (size_t)rest * sizeof(R));
        }
        UNROLLED
        for (int a = 0; a < nout; a++) {
            if (out[a] == buffer[nin + a]) {
                char *const p = args[nin + a] + start * steps[nin + a];
                for (ptrdiff_t i = 0; i < count; i++) {
                    *(R *)(p + i * steps[nin + a]) = out[a][i];
                }
            }
        }
    }
    fp_leave(saved, m_any(made_nan));
}

/* Defines the ufunc loop `name` over the vector function `name_map`. */
#define LOGLIK_MAP(name, nin, nout)                                                                         \
    static void FN(name)(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {          \
        (void)data;                                                                                         \
        FN(map)(args, dims, steps, nin, nout, FN(name##_map));                                              \
    }
