"""Block kernels of the Gaussian gradients: arrays to the task of csrc/kernels/gaussian/gradient_task.h.

Arguments are trusted: `loglik.distributions._gradients` makes them. Shapes: x (E, N, d), loc (E, K, d), matrix
(E, K, d, d) or (E, K, d), value (E, N, K), rows and row_sums (E, N, d), sums (E, K, d), outer like the matrix, gradient
(E, d, d). Any strides in x and value and along E and K; the rest is contiguous. What is not wanted is None. `stream`:
gradient, or else rows, are written past the caches.
"""

GRADIENT_FORMS = {"covariance": 0, "scale_tril": 1, "precision": 2, "variance": 3}
EACH_MAX = 64


cdef char *bytes_of(cnp.ndarray array) noexcept:
    return NULL if array is None else cnp.PyArray_BYTES(array)


def mvn_gradient(
    str form, bint each, cnp.ndarray x not None, cnp.ndarray loc not None, cnp.ndarray matrix not None,
    cnp.ndarray value not None, cnp.ndarray rows=None, cnp.ndarray row_sums=None, cnp.ndarray sums=None,
    cnp.ndarray outer=None, cnp.ndarray gradient=None, bint stream=False, level=None,
):
    """Log-densities of a block and what its gradients need; `each`: a matrix for every point (d <= EACH_MAX).

    For the form "variance" `value` is left alone.
    """
    cdef const loglik_kernels *kernels = table(level)
    cdef loglik_gradient_task task
    cdef bint is_double = cnp.PyArray_TYPE(x) == cnp.NPY_DOUBLE
    cdef cnp.ndarray scratch
    cdef bint diagonal
    cdef void (*run)(const loglik_gradient_task *task) noexcept nogil
    cdef Py_ssize_t (*need)(Py_ssize_t d) noexcept nogil
    task.form = <loglik_gradient_form> <int> GRADIENT_FORMS[form]
    task.problems, task.points, task.d = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(x, 2)
    task.gaussians = cnp.PyArray_DIM(loc, 1)
    task.x, task.loc, task.matrix, task.value = bytes_of(x), bytes_of(loc), bytes_of(matrix), bytes_of(value)
    task.x_e, task.x_n, task.x_d = cnp.PyArray_STRIDE(x, 0), cnp.PyArray_STRIDE(x, 1), cnp.PyArray_STRIDE(x, 2)
    task.loc_e, task.loc_k = cnp.PyArray_STRIDE(loc, 0), cnp.PyArray_STRIDE(loc, 1)
    task.matrix_e, task.matrix_k = cnp.PyArray_STRIDE(matrix, 0), cnp.PyArray_STRIDE(matrix, 1)
    task.value_e, task.value_n = cnp.PyArray_STRIDE(value, 0), cnp.PyArray_STRIDE(value, 1)
    task.value_k = cnp.PyArray_STRIDE(value, 2)
    task.rows, task.row_sums, task.sums = bytes_of(rows), <double *> bytes_of(row_sums), <double *> bytes_of(sums)
    task.outer, task.gradient = <double *> bytes_of(outer), bytes_of(gradient)
    task.stream = task.stream_rows = stream
    diagonal = task.form == GRADIENT_FORMS["variance"]
    if diagonal:
        run = kernels.f64.mvn_gradient_diagonal if is_double else kernels.f32.mvn_gradient_diagonal
        need = kernels.f64.mvn_gradient_diagonal_scratch if is_double else kernels.f32.mvn_gradient_diagonal_scratch
    elif each:
        run = kernels.f64.mvn_gradient_each if is_double else kernels.f32.mvn_gradient_each
        need = kernels.f64.mvn_gradient_each_scratch if is_double else kernels.f32.mvn_gradient_each_scratch
    else:
        run = kernels.f64.mvn_gradient if is_double else kernels.f32.mvn_gradient
        need = kernels.f64.mvn_gradient_scratch if is_double else kernels.f32.mvn_gradient_scratch
    scratch = np.empty(need(task.d) // 8 + 1, np.float64)
    task.scratch = bytes_of(scratch)
    with nogil:
        run(&task)
