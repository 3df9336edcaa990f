"""Sums of discrete variables: thin bindings of csrc/kernels/discrete/{convolve,dice,counts,scaled}.h.

Arrays are one-dimensional and C-contiguous; the callers (`loglik._pmf`) see to it, and `vector` makes sure. Every
function takes the name of an instruction-set level for the tests; None is the level in use.
"""

cdef extern from "kernel_list.h":
    const int LOGLIK_CONVOLVE_PADDING
    const int64_t LOGLIK_SCALED_ZERO

PADDING = LOGLIK_CONVOLVE_PADDING

# Between two looks for Ctrl-C: multiply-adds, about 50 ms of the slowest level.
cdef Py_ssize_t SLICE = 100_000_000

# Values of a chunk lie within 2^CHUNK_BITS, so that products of two chunks and their sums are normal doubles.
cdef int64_t CHUNK_BITS = 400


cdef cnp.ndarray new_array(Py_ssize_t count, int type_number):
    cdef cnp.npy_intp size = count
    return cnp.PyArray_EMPTY(1, &size, type_number, 0)


cdef char *vector(cnp.ndarray array, int type_number, Py_ssize_t size=-1, bint write=False) except NULL:
    """Memory of a one-dimensional array, of `size` elements unless that is negative."""
    if array is None or cnp.PyArray_NDIM(array) != 1:
        raise ValueError("expected an array with one dimension")
    if size >= 0 and cnp.PyArray_SIZE(array) != size:
        raise ValueError(f"expected an array of {size} elements, got {cnp.PyArray_SIZE(array)}")
    return memory(array, type_number, write)


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


def dice_counts(int64_t n, int64_t s, Py_ssize_t first, Py_ssize_t last, Py_ssize_t digits, level=None):
    """Exact numbers of ways of the sums first .. last - 1 of n >= 1 dice with s >= 2 sides, the lowest sum being 0.

    Only sums up to the mode: 2·(last - 1) <= n(s - 1). Each is below 2^(32·digits). A list of integers; only s + 2
    numbers are kept beside it.
    """
    cdef const loglik_kernels *kernels = table(level)
    cdef Py_ssize_t k, used = 1, width = digits + 1, rows = min(s + 2, last + 1)
    cdef uint32_t *memory_of_rows = <uint32_t *> calloc(rows + 1, width * sizeof(uint32_t))
    cdef uint32_t *none = memory_of_rows + rows * width  # 0, for terms that are not there
    cdef uint32_t *current = memory_of_rows
    cdef const uint32_t *a
    cdef const uint32_t *b
    cdef uint32_t *following
    if memory_of_rows == NULL:
        raise MemoryError
    counts = []
    try:
        current[0] = 1
        for k in range(last):
            if k >= first:
                counts.append(int.from_bytes((<char *> current)[:used * sizeof(uint32_t)], "little"))
            if k & 255 == 0:
                PyErr_CheckSignals()
            a = none if k + 1 < s else memory_of_rows + (k + 1 - s) % rows * width
            b = none if k < s else memory_of_rows + (k - s) % rows * width
            following = memory_of_rows + (k + 1) % rows * width
            with nogil:
                # Numbers grow up to the mode: what lies above `used` in older rows is 0.
                kernels.counts_next(
                    current, a, b, min(used, digits), n + k, n * s + s - 1 - k, n * s - n + s - k, k + 1, following)
            current = following
            if used < width and current[used] != 0:
                used += 1
    finally:
        free(memory_of_rows)
    return counts


def convolve_range(
    cnp.ndarray a not None, cnp.ndarray padded not None, Py_ssize_t first, Py_ssize_t last, cnp.ndarray out not None,
    level=None, Py_ssize_t rows=1,
):
    """out[first:last] of the convolution of `a` with `padded`, which has PADDING zeros at both ends.

    All three have the same dtype, float32 or float64. With `rows`, the same of as many equal parts of each of them.
    """
    cdef const loglik_kernels *kernels = table(level)
    cdef int dtype = cnp.NPY_DOUBLE if cnp.PyArray_TYPE(out) == cnp.NPY_DOUBLE else cnp.NPY_FLOAT
    cdef Py_ssize_t parts = max(rows, 1), na = cnp.PyArray_SIZE(a) // parts, width = cnp.PyArray_SIZE(padded) // parts
    cdef Py_ssize_t nb = width - 2 * LOGLIK_CONVOLVE_PADDING, size = cnp.PyArray_SIZE(out) // parts, row
    cdef char *x = vector(a, dtype)
    cdef char *y = vector(padded, dtype)
    cdef char *z = vector(out, dtype, -1, True)
    with nogil:
        for row in range(rows):
            if dtype == cnp.NPY_DOUBLE:
                kernels.f64.convolve(
                    <double *> x + row * na, na, <double *> y + row * width + LOGLIK_CONVOLVE_PADDING, nb, first, last,
                    <double *> z + row * size + first)
            else:
                kernels.f32.convolve(
                    <float *> x + row * na, na, <float *> y + row * width + LOGLIK_CONVOLVE_PADDING, nb, first, last,
                    <float *> z + row * size + first)


cdef list chunks(const double *mantissas, const int64_t *exponents, Py_ssize_t n):
    """Stretches (first, last, top exponent) of a scaled pmf that lie within 2^CHUNK_BITS; none holds only zeros."""
    cdef Py_ssize_t i, first = -1, last = 0
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


def convolve_scaled(
    cnp.ndarray a_m not None, cnp.ndarray a_e not None, cnp.ndarray b_m not None, cnp.ndarray b_e not None, level=None,
):
    """Convolution of two scaled pmfs (mantissas in [1, 2) or 0, exponents), as mantissas and exponents.

    Chunks of bounded dynamic range are convolved in plain doubles, in pairs, largest products first; pairs that
    cannot reach 2^-90 of what is already there are passed over. All terms are positive, so every output keeps a
    relative error below (number of terms + 4) units.
    """
    cdef const loglik_kernels *kernels = table(level)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(a_m) + cnp.PyArray_SIZE(b_m) - 1, i, k, first, count, begin, end, step
    cdef cnp.ndarray mantissas = np.zeros(n), exponents = np.full(n, LOGLIK_SCALED_ZERO)
    cdef cnp.ndarray room = new_array(n, cnp.NPY_DOUBLE), values_a, values_b
    cdef double *m = <double *> vector(mantissas, cnp.NPY_DOUBLE, n, True)
    cdef int64_t *e = <int64_t *> vector(exponents, cnp.NPY_INT64, n, True)
    cdef double *terms = <double *> cnp.PyArray_DATA(room)
    cdef const double *x
    cdef const double *y
    cdef Py_ssize_t nx, ny
    cdef int64_t top, reach
    cdef bint needed
    pieces_a = scaled_pieces(a_m, a_e, 0)
    pieces_b = scaled_pieces(b_m, b_e, LOGLIK_CONVOLVE_PADDING)
    pairs = [(a[2] + b[2], i, j) for i, a in enumerate(pieces_a) for j, b in enumerate(pieces_b)]
    pairs.sort(reverse=True)
    for number, (total, i, j) in enumerate(pairs):
        start_a, values_a, _ = pieces_a[i]
        start_b, values_b, _ = pieces_b[j]
        x, y = <double *> cnp.PyArray_DATA(values_a), <double *> cnp.PyArray_DATA(values_b) + LOGLIK_CONVOLVE_PADDING
        nx, ny = cnp.PyArray_SIZE(values_a), cnp.PyArray_SIZE(values_b) - 2 * LOGLIK_CONVOLVE_PADDING
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
                kernels.f64.convolve(x, nx, y, ny, begin, end, terms + begin)
        with nogil:
            kernels.scaled_add(m + first, e + first, terms, top, count)
    with nogil:
        kernels.scaled_normalise(m, e, n)
    return mantissas, exponents


def majorant(cnp.ndarray values not None):
    """The concave majorant of numbers or -inf; the first and the last are numbers."""
    cdef Py_ssize_t n = cnp.PyArray_SIZE(values), i, j, top = 0
    cdef double *v = <double *> vector(values, cnp.NPY_DOUBLE)
    cdef cnp.ndarray out = new_array(n, cnp.NPY_DOUBLE), corners = new_array(n, cnp.NPY_INT64)
    cdef double *heights = <double *> cnp.PyArray_DATA(out)
    cdef int64_t *c = <int64_t *> cnp.PyArray_DATA(corners)
    cdef double slope
    with nogil:
        c[0] = 0
        for i in range(1, n):
            if v[i] == -INFINITY:
                continue
            while top > 0 and (v[c[top]] - v[c[top - 1]]) * (i - c[top]) <= (v[i] - v[c[top]]) * (c[top] - c[top - 1]):
                top -= 1
            top += 1
            c[top] = i
        for j in range(top):
            slope = (v[c[j + 1]] - v[c[j]]) / (c[j + 1] - c[j])
            for i in range(c[j], c[j + 1]):
                heights[i] = v[c[j]] + slope * (i - c[j])
        heights[n - 1] = v[n - 1]
    return out


cdef list scaled_pieces(cnp.ndarray m, cnp.ndarray e, Py_ssize_t padding):
    """The chunks as (start, values, top): value·2^top is what they stand for; `padding` zeros at both ends."""
    cdef Py_ssize_t n = cnp.PyArray_SIZE(m)
    cdef double *mantissas = <double *> vector(m, cnp.NPY_DOUBLE)
    cdef int64_t *exponents = <int64_t *> vector(e, cnp.NPY_INT64, n)
    pieces = []
    for first, last, top in chunks(mantissas, exponents, n):
        values = np.zeros(last - first + 2 * padding)
        values[padding:padding + last - first] = scaled_values(m[first:last], e[first:last] - top)
        pieces.append((first, values, top))
    return pieces


def scaled_values(cnp.ndarray m not None, cnp.ndarray e not None, level=None):
    """Array of m·2^e, rounded once; 0 below the subnormal numbers."""
    cdef const loglik_kernels *kernels = table(level)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(m)
    cdef double *mantissas = <double *> vector(m, cnp.NPY_DOUBLE)
    cdef int64_t *exponents = <int64_t *> vector(e, cnp.NPY_INT64, n)
    cdef cnp.ndarray out = new_array(n, cnp.NPY_DOUBLE)
    cdef double *data = <double *> cnp.PyArray_DATA(out)
    if n:
        with nogil:
            kernels.scaled_values(mantissas, exponents, data, n)
    return out


def cumulative(cnp.ndarray m not None, cnp.ndarray e=None, level=None, Py_ssize_t rows=1):
    """Running sums of an array, or of scaled numbers as mantissas (not in [1, 2)) and exponents; in about 100 bits.

    With `rows`, of each of as many parts of equal length.
    """
    cdef const loglik_kernels *kernels = table(level)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(m), step = n // max(rows, 1), row, at
    cdef double *values = <double *> vector(m, cnp.NPY_DOUBLE)
    cdef int64_t *exponents = NULL
    cdef cnp.ndarray sums = new_array(n, cnp.NPY_DOUBLE), powers = None
    cdef double *sums_data = <double *> cnp.PyArray_DATA(sums)
    cdef int64_t *powers_data = NULL
    if e is not None:
        exponents = <int64_t *> vector(e, cnp.NPY_INT64, n)
        powers = new_array(n, cnp.NPY_INT64)
        powers_data = <int64_t *> cnp.PyArray_DATA(powers)
    with nogil:
        for row in range(rows):
            at = row * step
            kernels.scaled_cumulative(
                values + at, NULL if exponents == NULL else exponents + at, sums_data + at,
                NULL if powers_data == NULL else powers_data + at, step)
    return sums if e is None else (sums, powers)
