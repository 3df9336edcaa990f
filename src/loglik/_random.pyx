# cython: language_level=3, freethreading_compatible=True, boundscheck=False, wraparound=False, cdivision=True
"""Bindings of the random-number and Monte Carlo kernels: memory and the GIL, nothing else.

Arguments are trusted: `loglik._rng` and `loglik.estimate` check them. `level` names an instruction-set level
(tests); None is the one in use. Everything is addressed by key, stream and index, and releases the GIL.
"""

from libc.stdint cimport uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc

from loglik._dispatch cimport active_kernels, kernels_of, loglik_kernels

ctypedef fused real:
    float
    double


cdef const loglik_kernels *table(level) except NULL:
    return active_kernels() if level is None else kernels_of(level)


def philox_words(uint64_t key, uint64_t stream, uint64_t counter, uint32_t[:, ::1] out, level=None):
    """Fill `out` (count, 4) with the words of Philox4x32-10 for the counters from `counter`."""
    cdef const loglik_kernels *kernels = table(level)
    if out.shape[0] == 0:
        return
    with nogil:
        kernels.philox_words(key, stream, counter, out.shape[0], &out[0, 0])


def fill_uniform(uint64_t key, uint64_t stream, uint64_t start, real[::1] out, level=None):
    """Fill `out` with values start, start + 1, ... of the uniform sequence on [0, 1)."""
    cdef const loglik_kernels *kernels = table(level)
    if out.shape[0] == 0:
        return
    with nogil:
        if real is double:
            kernels.random_uniform_f64(key, stream, start, out.shape[0], &out[0])
        else:
            kernels.random_uniform_f32(key, stream, start, out.shape[0], &out[0])


def fill_normal(uint64_t key, uint64_t stream, uint64_t start, real[::1] out, level=None):
    """Fill `out` with values start, start + 1, ... of the standard normal sequence."""
    cdef const loglik_kernels *kernels = table(level)
    if out.shape[0] == 0:
        return
    with nogil:
        if real is double:
            kernels.random_normal_f64(key, stream, start, out.shape[0], &out[0])
        else:
            kernels.random_normal_f32(key, stream, start, out.shape[0], &out[0])


def mvn_log_ratio_moments(
    uint64_t key, uint64_t stream, const double[:, :, ::1] excess, const double[:, ::1] shift,
    const double[::1] constant, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t block, Py_ssize_t first, Py_ssize_t last,
    double[:, ::1] mean, double[:, ::1] squares, level=None,
):
    """Moments of log p - log q for tasks first <= task < last.

    Samples begin, ..., end - 1 of every pair are cut into blocks of `block` (a multiple of 64, as is `begin`). Task i
    is block i % blocks of pair i // blocks, whose sequence is stream + i // blocks; its mean and its sum of squares
    about the mean go to mean[pair, block] and squares[pair, block]. csrc/kernels/montecarlo.h explains the rest.
    """
    cdef const loglik_kernels *kernels = table(level)
    cdef Py_ssize_t d = shift.shape[1], blocks = mean.shape[1], task, pair, b, start
    cdef double *memory = <double *> malloc(kernels.mvn_log_ratio_scratch(d, block) * sizeof(double) + 64)
    if memory == NULL:
        raise MemoryError
    cdef double *scratch = <double *> ((<uintptr_t> memory + 63) & ~<uintptr_t> 63)  # whole cache lines
    with nogil:
        for task in range(first, last):
            pair = task // blocks
            b = task % blocks
            start = begin + b * block
            kernels.mvn_log_ratio_moments(
                key, stream + <uint64_t> pair, start, min(block, end - start), d, &excess[pair, 0, 0],
                &shift[pair, 0], constant[pair], scratch, &mean[pair, b], &squares[pair, b])
    free(memory)
