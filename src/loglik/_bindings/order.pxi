"""Selection over blocks (csrc/kernels/order/order.h): counts by ranges of keys, what lies in a range, absolute deviations.

x is contiguous, float32 or float64; weights are float64 of its length, or None. Keys are integers that ascend like the numbers.
"""

ORDER_BINS = LOGLIK_ORDER_BINS


cdef const double *weights_of(cnp.ndarray x, weights) except? NULL:
    """Memory of the weights of x, NULL for None."""
    if weights is None:
        return NULL
    if cnp.PyArray_SIZE(weights) != cnp.PyArray_SIZE(x):
        raise ValueError("lengths differ")
    return <const double *> memory(weights, cnp.NPY_DOUBLE, False)


cdef int require_real(cnp.ndarray x) except -1:
    """The NumPy type number of a floating array."""
    cdef int dtype = cnp.PyArray_TYPE(x)
    if dtype != cnp.NPY_DOUBLE and dtype != cnp.NPY_FLOAT:
        raise ValueError("x must be float32 or float64")
    return dtype


def order_counts(cnp.ndarray x not None, weights, int64_t low, int shift, cnp.ndarray counts not None, cnp.ndarray sums not None,
                 level=None):
    """Add to `counts` (int64) and, with weights, to `sums` (float64), of ORDER_BINS + 2 entries each: keys below `low`, in the
    ranges from ``low + (i << shift)`` to ``low + ((i + 1) << shift) - 1``, and above."""
    cdef const loglik_kernels *kernels = table(level)
    cdef int dtype = require_real(x)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(x)
    cdef char *values = memory(x, dtype, False)
    cdef const double *w = weights_of(x, weights)
    cdef int64_t *c = <int64_t *> memory(counts, cnp.NPY_INT64, True)
    cdef double *s = <double *> memory(sums, cnp.NPY_DOUBLE, True)
    if cnp.PyArray_SIZE(counts) != LOGLIK_ORDER_BINS + 2 or cnp.PyArray_SIZE(sums) != LOGLIK_ORDER_BINS + 2:
        raise ValueError("counts and sums must have ORDER_BINS + 2 entries")
    with nogil:
        if dtype == cnp.NPY_DOUBLE:
            kernels.f64.order_counts(<const double *> values, w, n, low, shift, c, s)
        else:
            kernels.f32.order_counts(<const float *> values, w, n, low, shift, c, s)


def order_gather(cnp.ndarray x not None, weights, int64_t low, int64_t high, level=None):
    """The elements with ``low <= key <= high`` in their order, and their weights or None."""
    cdef const loglik_kernels *kernels = table(level)
    cdef int dtype = require_real(x)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(x), found
    cdef char *values = memory(x, dtype, False)
    cdef const double *w = weights_of(x, weights)
    cdef cnp.ndarray out = np.empty(n, x.dtype), out_weights = np.empty(n if w != NULL else 0, np.float64)
    cdef char *to = <char *> cnp.PyArray_DATA(out)
    cdef double *w_to = <double *> cnp.PyArray_DATA(out_weights)
    with nogil:
        if dtype == cnp.NPY_DOUBLE:
            found = kernels.f64.order_gather(<const double *> values, w, n, low, high, <double *> to, w_to)
        else:
            found = kernels.f32.order_gather(<const float *> values, w, n, low, high, <float *> to, w_to)
    return out[:found].copy(), None if w == NULL else out_weights[:found].copy()


def absolute_deviations(cnp.ndarray x not None, weights, double center, level=None):
    """Sum of weight times abs(x - center), in float64."""
    cdef const loglik_kernels *kernels = table(level)
    cdef int dtype = require_real(x)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(x)
    cdef char *values = memory(x, dtype, False)
    cdef const double *w = weights_of(x, weights)
    cdef double total
    with nogil:
        if dtype == cnp.NPY_DOUBLE:
            total = kernels.f64.absolute_deviations(<const double *> values, w, n, center)
        else:
            total = kernels.f32.absolute_deviations(<const float *> values, w, n, center)
    return total
