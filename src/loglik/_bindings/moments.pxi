"""Moments of rows: blocks added to a state (csrc/kernels/moments/moments_task.h).

A state is one array of float64: weight, shift[d], offset[d], low[d], high[d], squares and rest, [d][d] each or [d] if diagonal.
"""


def moments_update(
    cnp.ndarray state not None, cnp.ndarray x not None, cnp.ndarray weights=None, bint diagonal=False, Py_ssize_t step=0,
    bint extremes=True, level=None,
):
    """Rows x (E, n, d) to the states (E, size); weights (E, n), or (n,) for all. `step`: rows taken at a time, 0 for all.

    Without `extremes` they stay infinite.
    """
    cdef const loglik_kernels *kernels = table(level)
    cdef loglik_moments_task task
    cdef int dtype = cnp.PyArray_TYPE(x)
    cdef bint is_double = dtype == cnp.NPY_DOUBLE
    cdef void (*run)(loglik_moments_task *task) noexcept nogil
    cdef Py_ssize_t problems, size, i, n, first, weight_step = 0, width
    cdef double *at
    cdef const double *w
    cdef char *rows
    cdef cnp.ndarray scratch
    if cnp.PyArray_NDIM(x) != 3 or (not is_double and dtype != cnp.NPY_FLOAT):
        raise ValueError("moments_update: x must be float32 or float64, of three dimensions")
    problems, n, task.d = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(x, 2)
    size = 1 + 4 * task.d + 2 * (task.d if diagonal else task.d * task.d)
    if cnp.PyArray_SIZE(state) != problems * size:
        raise ValueError("moments_update: the state is of another size")
    if task.d == 0:
        return
    if weights is not None:
        weight_step = n if cnp.PyArray_NDIM(weights) == 2 else 0
        if cnp.PyArray_SIZE(weights) != (problems if weight_step else 1) * n:
            raise ValueError("moments_update: lengths differ")
    at = <double *> memory(state, cnp.NPY_DOUBLE, True)
    rows = memory(x, dtype, False)
    w = NULL if weights is None else <const double *> memory(weights, cnp.NPY_DOUBLE, False)
    task.diagonal, task.extremes = diagonal, extremes
    scratch = np.empty(kernels.moments_scratch(task.d, diagonal), np.float64)
    task.scratch = <double *> cnp.PyArray_DATA(scratch)
    run = kernels.moments_f64 if is_double else kernels.moments_f32
    width = task.d * (8 if is_double else 4)
    step = n if step <= 0 else step
    with nogil:
        for i in range(problems):
            task.weight = at[0]
            task.shift = at + 1
            task.offset = task.shift + task.d
            task.low = task.offset + task.d
            task.high = task.low + task.d
            task.squares = task.high + task.d
            task.rest = task.squares + (task.d if diagonal else task.d * task.d)
            first = 0
            while first < n:
                task.n = min(step, n - first)
                task.x = rows + (i * n + first) * width
                task.weights = NULL if w == NULL else w + i * weight_step + first
                run(&task)
                first += task.n
            at[0] = task.weight
            at += size
