"""Block kernels of the losses: contiguous blocks in, a sum and what else was asked for out (csrc/kernels/losses/loss_task.h)."""

LOSS_FORMS = {"logits": 0, "probs": 1, "log_probs": 2, "variance": 3, "log_variance": 4, "scale": 5, "log_scale": 6}
LOSSES = ("bernoulli_nll", "gaussian_nll", "categorical_nll", "kl_standard_normal", "laplace_nll")


cdef char *block(array, int dtype, Py_ssize_t n, bint write=False) except? NULL:
    """Memory of a block of n elements, NULL for None; an address is taken as it is."""
    if array is None:
        return NULL
    if type(array) is int and array:
        return <char *> <size_t> array
    if cnp.PyArray_SIZE(array) != n:
        raise ValueError("loss_block: lengths differ")
    return memory(array, dtype, write)


cdef void advance(loglik_loss_task *task, Py_ssize_t values, Py_ssize_t elements, Py_ssize_t itemsize) noexcept nogil:
    """The arrays of the next block."""
    if task.labels:
        task.labels += values
    if task.targets:
        task.targets = <const char *> task.targets + elements * itemsize
    if task.weights:
        task.weights = <const char *> task.weights + values * itemsize
    if task.values:
        task.values = <char *> task.values + values * itemsize
    for a in range(2):
        if task.model[a]:
            task.model[a] = <const char *> task.model[a] + elements * itemsize
        if task.gradient[a]:
            task.gradient[a] = <char *> task.gradient[a] + elements * itemsize


def loss_block(
    str loss, str form, targets, tuple model, cnp.ndarray weights=None, double scale=1.0, cnp.ndarray values=None,
    tuple gradients=(None, None), Py_ssize_t width=1, double smoothing=0.0, ignored=None, double tolerance=0.0,
    Py_ssize_t step=0, Py_ssize_t elements=0, bint is_double=False, level=None,
):
    """One block of a loss, or with `step` several of so many values each.

    `targets` are elements, classes (int64) or rows of probabilities; `model` has one or two arrays of elements. A value is that
    of one element, for categorical_nll and kl_standard_normal of a row of `width`. Returns (sums, bad, which), a sum for each
    block: `bad` is -1, or the first element of argument `which` (0: targets) that is outside its range; `which` is -1 for a row
    of targets that does not sum to 1 within `tolerance`. What is not wanted is None; outputs must not overlap inputs. With
    `elements`, the addresses of so many elements, and of classes, stand for the arrays.
    """
    cdef const loglik_kernels *kernels = table(level)
    cdef loglik_loss_task task
    cdef int kind = LOSSES.index(loss), dtype = cnp.NPY_DOUBLE if is_double else cnp.NPY_FLOAT
    cdef Py_ssize_t n, at = 0, bad = -1, i
    cdef cnp.npy_intp blocks
    cdef cnp.ndarray result
    cdef double *sums
    cdef bint rows = kind == 2 or kind == 3, arrays = elements == 0
    cdef void (*run)(loglik_loss_task *task) noexcept nogil
    if arrays:
        dtype, elements = cnp.PyArray_TYPE(<cnp.ndarray?> model[0]), cnp.PyArray_SIZE(model[0])
        is_double = dtype == cnp.NPY_DOUBLE
    n = elements // width
    if not is_double and dtype != cnp.NPY_FLOAT:
        raise ValueError("loss_block: blocks must be float32 or float64")
    if n * width != elements or (width != 1 and not rows) or (kind == 3) != (targets is None):
        raise ValueError("loss_block: lengths differ")
    memset(&task, 0, sizeof(task))
    task.form = <loglik_loss_form> <int> LOSS_FORMS[form]
    task.n, task.width, task.scale, task.smoothing, task.tolerance = n, width, scale, smoothing, tolerance
    task.ignores = ignored is not None
    task.ignored = ignored if task.ignores else 0
    if kind == 2 and (not arrays or cnp.PyArray_TYPE(<cnp.ndarray?> targets) == cnp.NPY_INT64):
        task.labels = <const int64_t *> block(targets, cnp.NPY_INT64, n)
    else:
        task.targets = block(targets, dtype, elements)
    task.weights = block(weights, dtype, n)
    task.values = block(values, dtype, n, True)
    for i in range(len(model)):
        task.model[i] = block(model[i], dtype, elements)
        task.gradient[i] = block(gradients[i], dtype, elements, True)
    if kind == 0:
        run = kernels.f64.bernoulli_nll_task if is_double else kernels.f32.bernoulli_nll_task
    elif kind == 1:
        run = kernels.f64.gaussian_nll_task if is_double else kernels.f32.gaussian_nll_task
    elif kind == 2:
        run = kernels.f64.categorical_nll_task if is_double else kernels.f32.categorical_nll_task
    elif kind == 3:
        run = kernels.f64.kl_standard_normal_task if is_double else kernels.f32.kl_standard_normal_task
    else:
        run = kernels.f64.laplace_nll_task if is_double else kernels.f32.laplace_nll_task
    step = max(1, step or n)
    blocks = -(-n // step)
    result = cnp.PyArray_EMPTY(1, &blocks, cnp.NPY_DOUBLE, 0)
    sums = <double *> cnp.PyArray_DATA(result)
    with nogil:
        for i in range(blocks):
            task.n = min(step, n - at)
            run(&task)
            if task.bad >= 0:
                bad = task.bad + (at if task.labels and task.which == 0 else at * width)
                break
            sums[i] = task.sum
            at += task.n
            advance(&task, task.n, task.n * width, 8 if is_double else 4)
    return result.tolist(), bad, task.which
