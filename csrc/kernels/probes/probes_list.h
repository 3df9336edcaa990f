/* Part of kernel_list.h: limits of the machine for the benchmarks. */
#define LOGLIK_FUNCTIONS_PROBES(X, R)                                                                       \
    /* Runs independent chains of fused multiply-adds (at baseline: multiplications and additions) in registers,  \
     * `rounds` long; returns the number of floating-point operations and leaves a sum of the results in sink. */ \
    X(double, probe_fma, (ptrdiff_t rounds, R *sink))

#define LOGLIK_UNTYPED_PROBES(X)                                                                            \
    /* Reads every input and writes every output once, all of them side by side from front to back, as a kernel   \
     * with these arguments must. sizes are in bytes; what is left beyond whole vectors is not touched.         \
     * Returns a sum of what was read, so that no read can be left out. */                                  \
    X(int64_t, probe_streams, (const char *const *in, const ptrdiff_t *in_bytes, ptrdiff_t nin,             \
                               char *const *out, const ptrdiff_t *out_bytes, ptrdiff_t nout))
