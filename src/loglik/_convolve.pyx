# cython: language_level=3, freethreading_compatible=True
# cython: boundscheck=False, wraparound=False
"""Sums of discrete variables: a thin skin over csrc/kernels/{convolve,dice,scaled}.h.

Arrays are one-dimensional and C-contiguous; the callers (`loglik._pmf`) see to it. Every function takes the name
of an instruction-set level for the tests; None is the level in use.
"""

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from loglik._dispatch cimport active_kernels, kernels_of, loglik_dice_segment, loglik_kernels

import numpy as np

cnp.import_array()

cdef extern from "kernel_list.h":
    const int LOGLIK_CONVOLVE_PADDING
    const int64_t LOGLIK_SCALED_ZERO

PADDING = LOGLIK_CONVOLVE_PADDING

# Between two looks for Ctrl-C: multiply-adds, about 50 ms of the slowest level.
cdef Py_ssize_t SLICE = 100_000_000

# Values of a chunk lie within 2^CHUNK_BITS, so that products of two chunks and their sums are normal doubles.
cdef int64_t CHUNK_BITS = 400


cdef const loglik_kernels *table(level) except NULL:
    return active_kernels() if level is None else kernels_of(level)


cdef cnp.ndarray new_array(Py_ssize_t count, int type_number):
    cdef cnp.npy_intp size = count
    return cnp.PyArray_EMPTY(1, &size, type_number, 0)


def dice_pmf(int64_t n, int64_t s, bint scaled, level=None):
    """Probabilities of the sums of n >= 1 dice with s >= 2 sides, lowest sum first.

    An array, or where `scaled` mantissas in [1, 2) and exponents.
    """
    cdef const loglik_kernels *kernels = table(level)
    cdef Py_ssize_t count = n * (s - 1) + 1, used
    cdef cnp.ndarray out = new_array(count, cnp.NPY_DOUBLE), exponents = None
    cdef double *data = <double *> cnp.PyArray_DATA(out)
    cdef int64_t *powers = NULL
    cdef loglik_dice_segment *segments = <loglik_dice_segment *> malloc(
        kernels.dice_segments(n, s) * sizeof(loglik_dice_segment))
    if segments == NULL:
        raise MemoryError
    if scaled:
        exponents = new_array(count, cnp.NPY_INT64)
        powers = <int64_t *> cnp.PyArray_DATA(exponents)
    with nogil:
        used = kernels.dice_pmf(n, s, data, count, segments)
        if scaled:
            kernels.dice_scaled(data, powers, count, segments, used)
            kernels.scaled_normalise(data, powers, count)
        else:
            kernels.dice_probs(data, count, segments, used)
        free(segments)
    return (out, exponents) if scaled else out


def convolve_range(a, padded, Py_ssize_t first, Py_ssize_t last, out, level=None):
    """out[first:last] of the convolution of `a` with `padded`, which has PADDING zeros at both ends.

    All three have the same dtype, float32 or float64.
    """
    cdef const loglik_kernels *kernels = table(level)
    cdef Py_ssize_t na = a.shape[0], nb = padded.shape[0] - 2 * LOGLIK_CONVOLVE_PADDING
    cdef const double[::1] a64, b64
    cdef double[::1] out64
    cdef const float[::1] a32, b32
    cdef float[::1] out32
    if out.dtype == np.float64:
        a64, b64, out64 = a, padded, out
        with nogil:
            kernels.convolve_f64(&a64[0], na, &b64[LOGLIK_CONVOLVE_PADDING], nb, first, last, &out64[first])
    else:
        a32, b32, out32 = a, padded, out
        with nogil:
            kernels.convolve_f32(&a32[0], na, &b32[LOGLIK_CONVOLVE_PADDING], nb, first, last, &out32[first])


cdef list chunks(const double[::1] mantissas, const int64_t[::1] exponents):
    """Stretches (first, last, top exponent) of a scaled pmf that lie within 2^CHUNK_BITS; none holds only zeros."""
    cdef Py_ssize_t i, first = -1, last = 0, n = mantissas.shape[0]
    cdef int64_t low = 0, high = 0, e
    found = []
    for i in range(n):
        if mantissas[i] == 0:
            continue
        e = exponents[i]
        if first >= 0 and max(high, e) - min(low, e) <= CHUNK_BITS:
            low, high = min(low, e), max(high, e)
        else:
            if first >= 0:
                found.append((first, last, high))
            first, low, high = i, e, e
        last = i + 1
    if first >= 0:
        found.append((first, last, high))
    return found


def convolve_scaled(a_m, a_e, b_m, b_e, level=None):
    """Convolution of two scaled pmfs (mantissas in [1, 2) or 0, exponents), as mantissas and exponents.

    Chunks of bounded dynamic range are convolved in plain doubles, in pairs, largest products first; pairs that
    cannot reach 2^-90 of what is already there are passed over. All terms are positive, so every output keeps a
    relative error below (number of terms + 4) units.
    """
    cdef const loglik_kernels *kernels = table(level)
    cdef Py_ssize_t na = a_m.shape[0], nb = b_m.shape[0], n = na + nb - 1, i, k, first, count, begin, end, step
    cdef double[::1] m = np.zeros(n)
    cdef int64_t[::1] e = np.full(n, LOGLIK_SCALED_ZERO)
    cdef double[::1] terms = np.empty(n)
    cdef const double[::1] x, y
    cdef Py_ssize_t nx, ny
    cdef int64_t top, reach
    cdef bint needed
    pieces_a = scaled_pieces(a_m, a_e, 0)
    pieces_b = scaled_pieces(b_m, b_e, LOGLIK_CONVOLVE_PADDING)
    pairs = sorted(
        ((ta + tb, i, j) for i, (_, _, ta) in enumerate(pieces_a) for j, (_, _, tb) in enumerate(pieces_b)),
        reverse=True)
    for number, (total, i, j) in enumerate(pairs):
        start_a, values_a, _ = pieces_a[i]
        start_b, values_b, _ = pieces_b[j]
        x, y = values_a, values_b
        nx, ny = x.shape[0], y.shape[0] - 2 * LOGLIK_CONVOLVE_PADDING
        first, count, top = start_a + start_b, nx + ny - 1, total
        if number & 255 == 0:
            PyErr_CheckSignals()
        # Every term of the pair is below 2^(top + 2), every sum below min(nx, ny) of them.
        reach = top + 2 + <int64_t> (<object> min(nx, ny)).bit_length() + 90
        needed = False
        with nogil:
            for k in range(first, first + count):
                if e[k] < reach:
                    needed = True
                    break
        if not needed:
            continue
        step = max(1024, SLICE // min(nx, ny))
        for begin in range(0, count, step):
            end = min(count, begin + step)
            if begin > 0:
                PyErr_CheckSignals()
            with nogil:
                kernels.convolve_f64(&x[0], nx, &y[LOGLIK_CONVOLVE_PADDING], ny, begin, end, &terms[begin])
        with nogil:
            kernels.scaled_add(&m[first], &e[first], &terms[0], top, count)
    with nogil:
        kernels.scaled_normalise(&m[0], &e[0], n)
    return np.asarray(m), np.asarray(e)


cdef list scaled_pieces(m, e, Py_ssize_t padding):
    """The chunks as (start, values, top): value·2^top is what they stand for; `padding` zeros at both ends."""
    pieces = []
    for first, last, top in chunks(m, e):
        values = np.zeros(last - first + 2 * padding)
        values[padding:padding + last - first] = scaled_values(m[first:last], e[first:last] - top)
        pieces.append((first, values, top))
    return pieces


def scaled_values(const double[::1] m, const int64_t[::1] e, level=None):
    """Array of m·2^e, rounded once; 0 below the subnormal numbers."""
    cdef const loglik_kernels *kernels = table(level)
    cdef Py_ssize_t n = m.shape[0]
    cdef cnp.ndarray out = new_array(n, cnp.NPY_DOUBLE)
    cdef double *data = <double *> cnp.PyArray_DATA(out)
    if n:
        with nogil:
            kernels.scaled_values(&m[0], &e[0], data, n)
    return out


def cumulative(const double[::1] m, e=None, level=None):
    """Running sums of an array, or of scaled numbers as mantissas (not in [1, 2)) and exponents; in about 100 bits."""
    cdef const loglik_kernels *kernels = table(level)
    cdef Py_ssize_t n = m.shape[0]
    cdef double[::1] out_m = np.empty(n)
    cdef const int64_t[::1] powers
    cdef int64_t[::1] out_e
    if e is None:
        with nogil:
            kernels.scaled_cumulative(&m[0], NULL, &out_m[0], NULL, n)
        return np.asarray(out_m)
    powers, out_e = e, np.empty(n, np.int64)
    with nogil:
        kernels.scaled_cumulative(&m[0], &powers[0], &out_m[0], &out_e[0], n)
    return np.asarray(out_m), np.asarray(out_e)
