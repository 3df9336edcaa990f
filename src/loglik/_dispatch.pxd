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
    ctypedef struct loglik_kernels:
        const char *name
        const char *description
        int vector_bytes
        int has_fma

cdef const loglik_kernels *active_kernels() noexcept nogil
cdef const loglik_kernels *kernels_of(str level) except NULL
cdef int ufunc_count() noexcept nogil
cdef const loglik_ufunc_info *ufunc_info(int index) noexcept nogil
