"""Bindings of the random-number and Monte Carlo kernels: memory and the GIL, nothing else.

Arguments are trusted: `loglik._rng` and `loglik.estimate` check them. `level` names an instruction-set level
(tests); None is the one in use. Everything is addressed by key, stream and index, and releases the GIL.
"""


def philox_words(uint64_t key, uint64_t stream, uint64_t counter, cnp.ndarray out not None, level=None):
    """Fill `out` (count, 4), uint32, with the words of Philox4x32-10 for the counters from `counter`."""
    cdef const loglik_kernels *kernels = table(level)
    cdef Py_ssize_t count = cnp.PyArray_SIZE(out) // 4
    cdef uint32_t *words = <uint32_t *> memory(out, cnp.NPY_UINT32, True)
    with nogil:
        kernels.philox_words(key, stream, counter, count, words)


cdef enum Sequence:
    UNIFORM
    NORMAL
    LAPLACE


cdef int fill(uint64_t key, uint64_t stream, uint64_t start, cnp.ndarray out, level, Sequence sequence, double scale,
              double shift, double last) except -1:
    cdef const loglik_kernels *kernels = table(level)
    cdef bint is_double = cnp.PyArray_TYPE(out) == cnp.NPY_DOUBLE
    cdef void (*make)(uint64_t, uint64_t, uint64_t, Py_ssize_t, double, double, double, double *) noexcept nogil
    cdef void (*make_single)(uint64_t, uint64_t, uint64_t, Py_ssize_t, float, float, float, float *) noexcept nogil
    cdef Py_ssize_t n = cnp.PyArray_SIZE(out)
    cdef char *values = memory(out, cnp.NPY_DOUBLE if is_double else cnp.NPY_FLOAT, True)
    with nogil:
        if is_double:
            make = (kernels.f64.random_normal if sequence == NORMAL else
                    kernels.f64.random_laplace if sequence == LAPLACE else kernels.f64.random_uniform)
            make(key, stream, start, n, scale, shift, last, <double *> values)
        else:
            make_single = (kernels.f32.random_normal if sequence == NORMAL else
                           kernels.f32.random_laplace if sequence == LAPLACE else kernels.f32.random_uniform)
            make_single(key, stream, start, n, <float> scale, <float> shift, <float> last, <float *> values)
    return 0


def fill_uniform(
    uint64_t key, uint64_t stream, uint64_t start, cnp.ndarray out not None, level=None, double scale=1.0, double shift=0.0,
    double last=INFINITY,
):
    """Fill `out` with min(u scale + shift, last) for the values start, start + 1, ... of the uniform sequence on [0, 1)."""
    fill(key, stream, start, out, level, UNIFORM, scale, shift, last)


def fill_normal(
    uint64_t key, uint64_t stream, uint64_t start, cnp.ndarray out not None, level=None, double scale=1.0, double shift=0.0,
):
    """Fill `out` with z scale + shift for the values start, start + 1, ... of the standard normal sequence."""
    fill(key, stream, start, out, level, NORMAL, scale, shift, INFINITY)


def fill_laplace(
    uint64_t key, uint64_t stream, uint64_t start, cnp.ndarray out not None, level=None, double scale=1.0, double shift=0.0,
):
    """Fill `out` with z scale + shift for the values start, start + 1, ... of the standard Laplace sequence."""
    fill(key, stream, start, out, level, LAPLACE, scale, shift, INFINITY)


def fill_discrete(
    uint64_t key, uint64_t start, cnp.ndarray cdf not None, cnp.ndarray guide not None, cnp.ndarray out not None, level=None,
):
    """Fill `out`, int64, with values start, start + 1, ... of indices into `cdf`: the first above the uniform number.

    `cdf`, float64, does not fall and ends with 1. `guide`, int32, has a power of two and one entries: guide[c] is the first
    index with c / (len(guide) - 1) < cdf, and the last entry the last index.
    """
    cdef const loglik_kernels *kernels = table(level)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(out), cells = cnp.PyArray_SIZE(guide) - 1
    cdef double *sums = <double *> memory(cdf, cnp.NPY_DOUBLE, False)
    cdef int32_t *where = <int32_t *> memory(guide, cnp.NPY_INT32, False)
    cdef int64_t *values = <int64_t *> memory(out, cnp.NPY_INT64, True)
    with nogil:
        kernels.random_discrete(key, 0, start, n, sums, where, cells, values)


@cython.cdivision(True)
def mvn_log_ratio_moments(
    uint64_t key, uint64_t stream, cnp.ndarray excess not None, cnp.ndarray shift not None, cnp.ndarray constant not None,
    Py_ssize_t begin, Py_ssize_t end, Py_ssize_t block, Py_ssize_t first, Py_ssize_t last, cnp.ndarray mean not None,
    cnp.ndarray squares not None, bint js=False, level=None,
):
    """Moments of log p - log q, or of its `ufuncs.js_integrand`, for tasks first <= task < last.

    Arrays are contiguous, float64: excess (pairs, d, d), shift (pairs, d), constant (pairs), mean and squares (pairs,
    blocks). Samples begin, ..., end - 1 of every pair are cut into blocks of `block` (a multiple of 64, as is `begin`).
    Task i is block i % blocks of pair i // blocks, whose sequence is stream + i // blocks; its mean and its sum of
    squares about the mean go to mean[pair, block] and squares[pair, block]. csrc/kernels/random/montecarlo.h explains the rest.
    """
    cdef const loglik_kernels *kernels = table(level)
    cdef Py_ssize_t d = cnp.PyArray_DIM(shift, 1), blocks = cnp.PyArray_DIM(mean, 1), task, pair, b, start
    cdef double *e = <double *> memory(excess, cnp.NPY_DOUBLE, False)
    cdef double *c = <double *> memory(shift, cnp.NPY_DOUBLE, False)
    cdef double *constants = <double *> memory(constant, cnp.NPY_DOUBLE, False)
    cdef double *means = <double *> memory(mean, cnp.NPY_DOUBLE, True)
    cdef double *sums = <double *> memory(squares, cnp.NPY_DOUBLE, True)
    cdef double *allocated = <double *> malloc(kernels.mvn_log_ratio_scratch(d, block) * sizeof(double) + 64)
    if allocated == NULL:
        raise MemoryError
    cdef double *scratch = <double *> ((<uintptr_t> allocated + 63) & ~<uintptr_t> 63)  # whole cache lines
    with nogil:
        for task in range(first, last):
            pair = task // blocks
            b = task % blocks
            start = begin + b * block
            kernels.mvn_log_ratio_moments(
                key, stream + <uint64_t> pair, start, min(block, end - start), d, js, e + pair * d * d,
                c + pair * d, constants[pair], scratch, means + pair * blocks + b, sums + pair * blocks + b)
    free(allocated)
