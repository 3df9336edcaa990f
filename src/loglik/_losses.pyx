# cython: language_level=3, freethreading_compatible=True
"""Block kernels of the losses: one contiguous block in, a sum and what else was asked for out."""

cimport numpy as cnp

from loglik._arrays cimport memory
from loglik._dispatch cimport active_kernels, loglik_kernels

cnp.import_array()


cdef void *block(cnp.ndarray array, int dtype, Py_ssize_t n, bint write=False) except? NULL:
    """Memory of a block of n elements, NULL for None."""
    if array is None:
        return NULL
    if cnp.PyArray_SIZE(array) != n:
        raise ValueError("bernoulli_nll_block: lengths differ")
    return memory(array, dtype, write)


def bernoulli_nll_block(
    cnp.ndarray targets not None,
    cnp.ndarray model not None,
    cnp.ndarray weights,
    bint from_logits,
    double scale,
    cnp.ndarray values,
    cnp.ndarray gradient,
):
    """One block of the Bernoulli negative log-likelihood.

    Returns (sum, bad, which): `bad` is -1, or the first index whose target (`which` 0) or probability (1) is outside
    [0, 1]. `values` and `gradient` may be None; they must not overlap the inputs.
    """
    cdef const loglik_kernels *kernels = active_kernels()
    cdef Py_ssize_t n = cnp.PyArray_SIZE(targets), bad
    cdef int dtype = cnp.PyArray_TYPE(targets), which = 0
    cdef double total = 0.0
    if dtype != cnp.NPY_DOUBLE and dtype != cnp.NPY_FLOAT:
        raise ValueError("bernoulli_nll_block: blocks must be float32 or float64")
    cdef void *t = block(targets, dtype, n)
    cdef void *m = block(model, dtype, n)
    cdef void *w = block(weights, dtype, n)
    cdef void *v = block(values, dtype, n, True)
    cdef void *g = block(gradient, dtype, n, True)
    if n == 0:
        return 0.0, -1, 0
    with nogil:
        if dtype == cnp.NPY_DOUBLE:
            if from_logits:
                bad = kernels.bernoulli_nll_logits_f64(
                    <double *> t, <double *> m, <double *> w, n, scale, <double *> v, <double *> g, &total, &which)
            else:
                bad = kernels.bernoulli_nll_probs_f64(
                    <double *> t, <double *> m, <double *> w, n, scale, <double *> v, <double *> g, &total, &which)
        elif from_logits:
            bad = kernels.bernoulli_nll_logits_f32(
                <float *> t, <float *> m, <float *> w, n, <float> scale, <float *> v, <float *> g, &total, &which)
        else:
            bad = kernels.bernoulli_nll_probs_f32(
                <float *> t, <float *> m, <float *> w, n, <float> scale, <float *> v, <float *> g, &total, &which)
    return total, bad, which
