"""The table of kernels in use, for the other extension modules (cimport loglik._dispatch)."""

from libc.stdint cimport uint32_t, uint64_t

cdef extern from "dispatch.h" nogil:
    ctypedef void (*loglik_loop)(char **args, const Py_ssize_t *dims, const Py_ssize_t *steps, void *data) noexcept nogil
    ctypedef struct loglik_loops:
        loglik_loop f64
        loglik_loop f32
    ctypedef struct loglik_ufunc_info:
        const char *name
        const char *signature
        const char *types
        const char *doc
        size_t offset
    ctypedef struct loglik_kernels:
        const char *name
        const char *description
        int vector_bytes
        int has_fma
        void (*random_uniform_f64)(uint64_t key, uint64_t stream, uint64_t start, Py_ssize_t n, double *out) noexcept nogil
        void (*random_uniform_f32)(uint64_t key, uint64_t stream, uint64_t start, Py_ssize_t n, float *out) noexcept nogil
        void (*random_normal_f64)(uint64_t key, uint64_t stream, uint64_t start, Py_ssize_t n, double *out) noexcept nogil
        void (*random_normal_f32)(uint64_t key, uint64_t stream, uint64_t start, Py_ssize_t n, float *out) noexcept nogil
        void (*philox_words)(
            uint64_t key, uint64_t stream, uint64_t counter, Py_ssize_t count, uint32_t *out) noexcept nogil
        Py_ssize_t (*mvn_log_ratio_scratch)(Py_ssize_t d, Py_ssize_t count) noexcept nogil
        void (*mvn_log_ratio_moments)(
            uint64_t key, uint64_t stream, uint64_t start, Py_ssize_t count, Py_ssize_t d, const double *excess,
            const double *shift, double constant, double *scratch, double *mean, double *squares) noexcept nogil

cdef const loglik_kernels *active_kernels() noexcept nogil
cdef const loglik_kernels *kernels_of(str level) except NULL
cdef int ufunc_count() noexcept nogil
cdef const loglik_ufunc_info *ufunc_info(int index) noexcept nogil
