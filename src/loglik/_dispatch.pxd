"""The table of kernels in use, for the other extension modules (cimport loglik._dispatch)."""

cdef extern from "dispatch.h" nogil:
    ctypedef void (*loglik_loop)(
        char **args, const Py_ssize_t *dims, const Py_ssize_t *steps, void *data) noexcept nogil
    ctypedef struct loglik_loops:
        loglik_loop f64
        loglik_loop f32
    ctypedef struct loglik_ufunc_info:
        const char *name
        const char *signature
        const char *types
        const char *doc
        size_t offset
    # The fields that extension modules call; one typedef per shape of a function.
    ctypedef Py_ssize_t (*bernoulli_nll_f64)(
        const double *targets, const double *model, const double *weights, Py_ssize_t n, double scale,
        double *values, double *gradient, double *sum, int *which) noexcept nogil
    ctypedef Py_ssize_t (*bernoulli_nll_f32)(
        const float *targets, const float *model, const float *weights, Py_ssize_t n, float scale,
        float *values, float *gradient, double *sum, int *which) noexcept nogil
    ctypedef struct loglik_kernels:
        const char *name
        const char *description
        int vector_bytes
        int has_fma
        bernoulli_nll_f64 bernoulli_nll_logits_f64
        bernoulli_nll_f64 bernoulli_nll_probs_f64
        bernoulli_nll_f32 bernoulli_nll_logits_f32
        bernoulli_nll_f32 bernoulli_nll_probs_f32

cdef const loglik_kernels *active_kernels() noexcept nogil
cdef const loglik_kernels *kernels_of(str level) except NULL
cdef int ufunc_count() noexcept nogil
cdef const loglik_ufunc_info *ufunc_info(int index) noexcept nogil
