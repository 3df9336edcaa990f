"""Log-densities and Mahalanobis distances of points under Gaussians: which way a call takes, and the kernels of its blocks.

- A few points under one Gaussian: one call of a kernel (`log_prob_of_one`).
- Many points under one Gaussian: blocks of rows (`_fill_rows`).
- Everything else that broadcasts: blocks of problems, points and Gaussians (`_broadcast_values`).

Blocks, and so the bits, depend on shapes alone, and the three ways give the same bits.
"""

from typing import Any

import numpy as np

from loglik import ufuncs
from loglik._engine.parallel import run_blocks
from loglik._engine.results import hand_over, memory_for, overlaps
from loglik._engine.validate import as_array, broadcast_shapes, check_out, result_dtype
from loglik._gaussian.axes import BLOCK_SECONDS, BroadcastAxes, GroupedArray, points_per_block, run
from loglik._gaussian.batch import GaussianBatch
from loglik._gaussian.matrices import NO_MEMORY

_FEW = 4096  # elements of points that one call of a kernel evaluates
_BLOCK_BYTES = 1 << 22  # of points or matrices, which are gathered and cast by blocks where they have to be


def as_points(function: str, x: Any, d: int) -> np.ndarray:
    """`x` as an array of shape (..., d)."""
    x = as_array(function, "x", x)
    if x.ndim == 0 or x.shape[-1] != d:
        raise ValueError(f"{function}: x must have shape (..., {d}) for event_shape ({d},), got {x.shape}")
    return x


def log_prob_of_one(gaussian: GaussianBatch, x: np.ndarray) -> Any:
    """Log-density of an array (..., d) under a `single` Gaussian of its dtype."""
    if x.size <= _FEW:
        if gaussian.form == "variance":
            return ufuncs.mvn_log_prob_diagonal(x, gaussian.loc, gaussian.factor)
        kernel = ufuncs.mvn_log_prob_whitened if gaussian.form == "precision" else ufuncs.mvn_log_prob_tril
        loc, factor = gaussian.single  # type: ignore[misc]
        value = kernel(x if x.ndim > 1 else x[None], loc, factor)[0]
        return value[0, 0] if x.ndim == 1 else value[..., 0]
    function = f"{gaussian.owner}.log_prob"
    if x.ndim > 2 and not x.flags.c_contiguous:
        return _broadcast_values(function, x, gaussian.loc, gaussian.factor, form=gaussian.form)
    result = np.empty(x.shape[:-1], x.dtype)
    _fill_rows(function, x, gaussian.loc, gaussian.factor, result, gaussian.form)
    return result[()]


def log_prob(function: str, gaussians: GaussianBatch, x: Any, out: Any = None) -> Any:
    """Log-density of points (..., d); errors are worded for `function`."""
    return _evaluate(function, gaussians, x, out, mahalanobis=False)


def mahalanobis(function: str, gaussians: GaussianBatch, x: Any) -> Any:
    """Mahalanobis distance of points (..., d) from the means; errors are worded for `function`."""
    return _evaluate(function, gaussians, x, None, mahalanobis=True)


def _evaluate(function: str, gaussians: GaussianBatch, x: Any, out: Any, *, mahalanobis: bool) -> Any:
    dtype = result_dtype(x, gaussians.loc)
    x = as_points(function, x, gaussians.d)
    loc, factor = gaussians.in_dtype(dtype)
    form = gaussians.form
    if mahalanobis and form == "precision":
        factor, form = gaussians.scale_tril(dtype), "scale_tril"
    if gaussians.support is None:
        if gaussians.single is not None and not mahalanobis and (x.ndim <= 2 or x.flags.c_contiguous):
            result = memory_for(function, out, x.shape[:-1], dtype, x, loc, factor)
            if result.flags.c_contiguous:
                _fill_rows(function, x, loc, factor, result, form)
                return hand_over(result, out)
        return _broadcast_values(function, x, loc, factor, form=form, out=out, mahalanobis=mahalanobis)
    # Singular matrices have a regular one in their place: their values are written over.
    aliased = overlaps(out, x, loc)
    value = np.asarray(
        _broadcast_values(function, x, loc, factor, form=form, out=None if aliased else out, mahalanobis=mahalanobis)
    )
    if aliased:
        check_out(function, out, value.shape, value.dtype)
    gaussians.support.overwrite(x, loc, value, mahalanobis=mahalanobis)
    return hand_over(value, out)


def _fill_rows(
    function: str, x: np.ndarray, loc: np.ndarray, factor: np.ndarray, result: np.ndarray, form: str
) -> None:
    """Write log-densities of points (..., d) under one Gaussian to the contiguous `result`, in blocks of rows."""
    d, dtype, n = loc.shape[-1], factor.dtype, result.size
    if n == 0:
        return
    rows, values = x.reshape(-1, d), result.reshape(-1)
    loc, factor = loc[None, None], factor[None, None]
    seconds = seconds_per_value(d, dtype)
    step = points_per_block(n, seconds)

    def block(i: int) -> None:
        at = slice(i * step, min(n, (i + 1) * step))
        log_prob_block(function, rows[None, at].astype(dtype, copy=False), loc, factor, values[None, at, None], form=form)

    run_blocks(block, -(-n // step), seconds=seconds * n)


def _broadcast_values(
    function: str,
    x: np.ndarray,
    loc: np.ndarray,
    matrix: np.ndarray,
    *,
    form: str,
    out: Any = None,
    mahalanobis: bool = False,
) -> Any:
    """Values for points, means and matrices (L, W or the variance, by form) that broadcast."""
    dtype = matrix.dtype
    core = 1 if form == "variance" else 2
    d, matrix_batch = loc.shape[-1], matrix.shape[: matrix.ndim - core]
    shape = broadcast_shapes(
        function,
        **{"x's leading axes": x.shape[:-1], "batch_shape": np.broadcast_shapes(loc.shape[:-1], matrix_batch)},
    )
    result = memory_for(function, out, shape, dtype, x, loc, matrix)
    if result.size == 0:
        return hand_over(result, out)
    axes, centred = BroadcastAxes.classify_with_means(
        x.shape[:-1], loc.shape[:-1], matrix_batch, shape, diagonal=form == "variance"
    )
    _, n_points, n_matrices = axes.sizes()
    paired = bool(axes.paired) and n_points == 1 and n_matrices == 1
    points = GroupedArray(x, 1, shape, axes.paired, axes.point_only)
    means = GroupedArray(loc, 1, shape, axes.paired, axes.point_only if centred else axes.matrix_only)
    matrices = GroupedArray(matrix, core, shape, axes.paired, axes.matrix_only)
    values = GroupedArray(result, 0, shape, axes.paired, axes.point_only, axes.matrix_only)
    zero = np.broadcast_to(np.zeros(d, dtype), (1, n_matrices, d))
    k = slice(0, n_matrices)

    def block(e: slice, n: slice) -> None:
        p = points.block(e, n).astype(dtype, copy=False)
        if centred:
            p, m = p - means.block(e, n).astype(dtype, copy=False), zero
        else:
            m = means.block(e, k)
        a = matrices.block(e, k)
        memory = values.writable_block(e, n, k)
        value = np.empty((e.stop - e.start, n.stop - n.start, n_matrices), dtype) if memory is None else memory
        if mahalanobis:
            _mahalanobis_block(p, m, a, value, form)
        else:
            log_prob_block(function, p, m, a, value, form=form, paired=paired)
        if memory is None:
            values.write_block(value, e, n, k)

    run(axes, seconds_per_value(d, dtype, n_matrices, paired=paired and form != "variance"), block)
    return hand_over(result, out)


def seconds_per_value(d: int, dtype: np.dtype, matrices: int = 1, *, paired: bool = False) -> float:
    """Rough cost of one value, to choose blocks; the same on every machine, as blocks must be. Not less than what keeps a
    block within its bytes."""
    if paired:
        seconds, size = 2e-9 + d * d * (5e-10 + d * 6e-12), d * d
    else:
        seconds, size = 5e-10 + d * (2.5e-10 + d * 1.4e-11), d
    return max(seconds, BLOCK_SECONDS * size * dtype.itemsize / _BLOCK_BYTES / matrices)


def log_prob_block(
    function: str,
    x: np.ndarray,
    loc: np.ndarray,
    matrix: np.ndarray,
    value: np.ndarray,
    *,
    form: str,
    paired: bool = False,
) -> None:
    """Write log-densities value[e, n, k] of x[e, n] with the mean loc[e, k] and the matrix[e, k] (L, W or the variance, by form).

    `paired`: a point brings its own matrix, that is, n and k have length 1.
    """
    if form == "variance":
        ufuncs.mvn_log_prob_diagonal_grid(x, loc, matrix, out=value)
        return
    if paired:
        kernel = ufuncs.mvn_log_prob_whitened_each if form == "precision" else ufuncs.mvn_log_prob_tril_each
        column: np.ndarray = value[:, 0, 0]
        info = kernel(x[:, 0], loc[:, 0], matrix[:, 0], out=(column, None))[1]
    else:
        kernel = ufuncs.mvn_log_prob_whitened if form == "precision" else ufuncs.mvn_log_prob_tril
        info = kernel(x, loc, matrix, out=(value, None))[1]
    if (info == NO_MEMORY).any():
        raise MemoryError(f"{function}: no memory for the work of a block")


def _mahalanobis_block(x: np.ndarray, loc: np.ndarray, matrix: np.ndarray, value: np.ndarray, form: str) -> None:
    """Write distances value[e, n, k] of x[e, n] from loc[e, k] under the matrix[e, k] (L or the variance, by form)."""
    for k in range(value.shape[2]):
        if form == "variance":
            z = (x - loc[:, k, None]) / np.sqrt(matrix[:, k, None])
        else:
            z = ufuncs.whiten(x, loc[:, k], matrix[:, k])
        np.sqrt(np.einsum("...i,...i->...", z, z), out=value[..., k])
