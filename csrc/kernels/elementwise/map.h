/* The driver of elementwise ufunc loops: strides, tails and the invalid flag, once for all kernels.
 *
 * A kernel is a function of vectors, void f(const V *in, V *out); LOGLIK_MAP makes a loop of it over contiguous memory. map()
 * uses an argument that is contiguous in place, makes a vector of one for all elements, and gathers any other one into
 * (scatters it from) a buffer in L1, block by block, so the arithmetic sees whole vectors only. The last vector is padded with
 * copies of a real element and runs through the same code: the bits of a result do not depend on its position, on
 * strides or on the length.
 *
 * The invalid flag is left set only where an output is NaN and no input of that element is: computed from
 * the values (the hardware flags also see lanes whose result was discarded). */

enum { MAP_BLOCK = 512, MAP_MAX_ARGS = 8 };

typedef void (*map_function)(const V *in, V *out);
/* n elements, a multiple of LANES; step[a]: 0 where the one vector at in[a] is for all of them, else LANES. Returns made_nan and
 * the lanes in which a NaN came from no NaN. */
typedef M (*map_loop)(const R *const *in, const ptrdiff_t *step, R *const *out, ptrdiff_t n, M made_nan);

ALWAYS_INLINE M map_vector(const R *const *from, R *const *out, ptrdiff_t i, int nin, int nout, const map_function f,
                           M made_nan) {
    V x[MAP_MAX_ARGS], y[MAP_MAX_ARGS];
    M nan_out = M_NONE;
    UNROLLED
    for (int a = 0; a < nin; a++) {
        x[a] = v_load(from[a]);
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

ALWAYS_INLINE M map_vectors(const R *const *in, const ptrdiff_t *step, R *const *out, ptrdiff_t n, const int nin, const int nout,
                            const map_function f, M made_nan) {
    const R *from[MAP_MAX_ARGS];
    UNROLLED
    for (int a = 0; a < nin; a++) {
        from[a] = in[a];
    }
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        made_nan = map_vector(from, out, i, nin, nout, f, made_nan);
        UNROLLED
        for (int a = 0; a < nin; a++) {
            from[a] += nin > 1 ? step[a] : LANES; /* a single argument is no single value: see map */
        }
    }
    return made_nan;
}

static __attribute__((noinline)) void map(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, int nin, int nout,
                                          map_loop loop) {
    enum { BLOCK = MAP_BLOCK, MAX = MAP_MAX_ARGS };
    R buffer[MAX][BLOCK] __attribute__((aligned(64))), padded[MAX][LANES] __attribute__((aligned(64)));
    const R *in[MAX], *in_padded[MAX];
    R *out[MAX], *out_padded[MAX];
    ptrdiff_t step[MAX];
    const ptrdiff_t n = dims[0];
    const fp_state saved = fp_enter();
    int direct = 1;
    M made_nan = M_NONE;

    for (int a = 0; a < nin + nout; a++) {
        step[a] = steps[a] == 0 && nin > 1 ? 0 : LANES;
        direct &= steps[a] == sizeof(R) || (a < nin && step[a] == 0);
        if (a < nin) {
            in_padded[a] = padded[a];
        } else {
            out_padded[a - nin] = padded[a];
        }
    }
    for (ptrdiff_t start = 0, count; start < n; start += count) {
        count = direct || n - start < BLOCK ? n - start : BLOCK;
        const ptrdiff_t whole = count / LANES * LANES, rest = count - whole;
        for (int a = 0; a < nin; a++) {
            const ptrdiff_t stride = steps[a], copies = stride == sizeof(R) ? 0 : step[a] == 0 ? LANES : count;
            const char *const p = args[a] + start * stride;
            in[a] = copies ? buffer[a] : (const R *)p;
            for (ptrdiff_t i = 0; i < copies; i++) {
                buffer[a][i] = *(const R *)(p + i * stride);
            }
            for (ptrdiff_t i = 0; i < LANES && rest; i++) {
                padded[a][i] = in[a][step[a] == 0 ? 0 : whole + (i < rest ? i : 0)];
            }
        }
        for (int a = 0; a < nout; a++) {
            const ptrdiff_t stride = steps[nin + a];
            out[a] = stride == sizeof(R) ? (R *)(args[nin + a] + start * stride) : buffer[nin + a];
        }
        if (whole) {
            made_nan = loop(in, step, out, whole, made_nan);
        }
        if (rest) {
            made_nan = loop(in_padded, step, out_padded, LANES, made_nan);
        }
        for (int a = 0; a < nout; a++) {
            const ptrdiff_t stride = steps[nin + a];
            memcpy(out[a] + whole, padded[nin + a], (size_t)rest * sizeof(R));
            for (ptrdiff_t i = 0; i < count && stride != sizeof(R); i++) {
                *(R *)(args[nin + a] + (start + i) * stride) = out[a][i];
            }
        }
    }
    fp_leave(saved, m_any(made_nan));
}

/* Defines the loop name_vectors over the vector function name_map. */
#define LOGLIK_MAP_VECTORS(name, nin, nout)                                                                 \
    static __attribute__((noinline)) M name##_vectors(const R *const *in, const ptrdiff_t *step,            \
                                                               R *const *out, ptrdiff_t n, M made_nan) {    \
        return map_vectors(in, step, out, n, nin, nout, name##_map, made_nan);                              \
    }

/* And the ufunc loop `name`. */
#define LOGLIK_MAP(name, nin, nout)                                                                         \
    LOGLIK_MAP_VECTORS(name, nin, nout)                                                                     \
    static void name##_loop(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data) {       \
        (void)data;                                                                                         \
        map(args, dims, steps, nin, nout, name##_vectors);                                                  \
    }
