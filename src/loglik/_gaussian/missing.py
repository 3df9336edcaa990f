"""Points with missing coordinates (NaN): what `nan_policy` asks for.

Integrating a coordinate out of a Gaussian drops its rows and columns from the covariance. Points are taken in blocks, and
within a block by pattern, the set of coordinates that is observed: one factorisation per pattern, then the kernel
of many points under one factor. Complete points take the ordinary path, bit for bit.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from loglik import ufuncs
from loglik._engine.results import hand_over, overlaps
from loglik._engine.validate import check_out, describe_entry, first_index
from loglik._gaussian import evaluation
from loglik._gaussian.axes import BLOCK_SECONDS, BroadcastAxes, GroupedArray, run
from loglik._gaussian.batch import GaussianBatch, prepare
from loglik._gaussian.coordinates import marginal_matrix, marginal_source
from loglik._gaussian.matrices import batch_index, blocks

POLICIES = ("propagate", "raise", "marginalize")

_BLOCK_ELEMENTS = 1 << 17  # of x: large enough to meet a pattern often
_MATRIX_ELEMENTS = 1 << 17  # of the matrices that are factored together


def check_policy(function: str, nan_policy: Any) -> None:
    """ValueError unless the name is one of the three."""
    if not isinstance(nan_policy, str) or nan_policy not in POLICIES:
        names = ", ".join(map(repr, POLICIES))
        raise ValueError(f"{function}: nan_policy must be one of {names}, got {nan_policy!r}")


def check_complete(function: str, x: np.ndarray) -> None:
    """ValueError for the first NaN, in C order."""
    if x.dtype.kind != "f" or x.size == 0:
        return
    shape = x.shape[:-1]
    rows = GroupedArray(x, 1, shape, list(range(len(shape))))
    for block in blocks(math.prod(shape), x.shape[-1] * x.itemsize):
        missing = np.isnan(rows.block(block))
        if missing.any():
            row, k = first_index(missing)
            index = (*batch_index(block.start + row, shape), k)
            raise ValueError(
                f"{function}: x must not be NaN with nan_policy='raise', but {describe_entry('x', index, x[index])}"
            )


# ---------------------------------------------------------------------------------------- integrating out


def log_prob(function: str, gaussians: GaussianBatch, x: np.ndarray, out: Any) -> Any:
    """Log-density of the observed coordinates of every point; 0 where none is."""
    aliased = overlaps(out, x)
    value = np.asarray(evaluation.log_prob(function, gaussians, x, None if aliased else out))
    if aliased:
        check_out(function, out, value.shape, value.dtype)
    if x.dtype.kind == "f" and value.size:
        _overwrite_incomplete(function, gaussians, x, value)
    return hand_over(value, out)


def _overwrite_incomplete(function: str, gaussians: GaussianBatch, x: np.ndarray, result: np.ndarray) -> None:
    """Write the values of incomplete points into `result`."""
    d, dtype, shape, batch_shape = gaussians.d, result.dtype, result.shape, gaussians.batch_shape
    form, matrix = marginal_source(gaussians, dtype)
    core = 1 if form == "variance" else 2
    axes = BroadcastAxes.classify(x.shape[:-1], batch_shape, shape)
    points = GroupedArray(x, 1, shape, axes.paired, axes.point_only)
    means = GroupedArray(np.broadcast_to(gaussians.loc, (*batch_shape, d)), 1, shape, axes.paired, axes.matrix_only)
    batched = np.broadcast_to(matrix, (*batch_shape, *matrix.shape[matrix.ndim - core :]))
    matrices = GroupedArray(batched, core, shape, axes.paired, axes.matrix_only)
    values = GroupedArray(result, 0, shape, axes.paired, axes.point_only, axes.matrix_only)
    n_matrices = axes.sizes()[2]

    def singular_values(p: np.ndarray, m: np.ndarray, a: np.ndarray) -> np.ndarray:
        value = np.empty((*p.shape[:2], m.shape[1]), dtype)
        for e, k in np.ndindex(m.shape[:2]):
            marginal = prepare(
                gaussians.owner, m[e, k], form, a[e, k], allow_singular=True, singular_rtol=gaussians.singular_rtol
            )
            value[e, :, k] = evaluation.log_prob(function, marginal, p[e])
        return value

    def marginal_values(p: np.ndarray, m: np.ndarray, a: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Values (e, n, k) of points (e, n, d) with one pattern under Gaussians (e, k)."""
        if not len(observed):
            return np.zeros((*p.shape[:2], m.shape[1]), dtype)
        p, m = p[..., observed].astype(dtype), m[..., observed].astype(dtype)
        a = marginal_matrix(form, a, observed)
        if gaussians.support is not None:
            return singular_values(p, m, a)
        if form == "variance":
            return ufuncs.mvn_log_prob_diagonal(p[:, :, None], m[:, None], a[:, None])
        if form == "covariance":
            a, info = ufuncs.cholesky(a)
            if info.any():  # only a matrix that was on the edge in another order, or no memory
                raise np.linalg.LinAlgError(
                    f"{function}: the covariance of coordinates {observed.tolist()} is singular"
                )
        value, info = ufuncs.mvn_log_prob_tril(p, m, a)
        if info.any():
            raise MemoryError(f"{function}: no memory for the work of a block")
        return value

    def block(e: slice, n: slice) -> None:
        p = points.block(e, n)
        missing = np.isnan(p)
        incomplete = missing.any(axis=-1)
        if not incomplete.any():
            return
        step = max(1, _MATRIX_ELEMENTS // math.prod(matrix.shape[matrix.ndim - core :]))
        for start in range(0, n_matrices, step):
            k = slice(start, min(n_matrices, start + step))
            value = values.block(e, n, k)
            _by_pattern(p, missing, incomplete, means.block(e, k), matrices.block(e, k), value, step, marginal_values)
            if values.writable_block(e, n, k) is None:
                values.write_block(value, e, n, k)

    elements = max(d / _BLOCK_ELEMENTS, d**core / _MATRIX_ELEMENTS if axes.paired else 0.0)
    run(axes, BLOCK_SECONDS * elements / n_matrices, block)


def _by_pattern(
    p: np.ndarray,
    missing: np.ndarray,
    incomplete: np.ndarray,
    m: np.ndarray,
    a: np.ndarray,
    value: np.ndarray,
    step: int,
    marginal_values: Callable[..., np.ndarray],
) -> None:
    """Fill value (e, n, k) where points (e, n, d) are incomplete: pattern by pattern, about `step` matrices at a time."""
    e, n = np.nonzero(incomplete)
    patterns = missing[e, n]
    order, starts = _grouped(patterns)
    most = max(1, step // a.shape[1])
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        rows = order[start:end]
        observed = np.flatnonzero(~patterns[rows[0]])
        if p.shape[1] == 1:  # one point per matrix: a matrix each
            for first in range(0, len(rows), most):
                at = e[rows[first : first + most]]
                value[at] = marginal_values(p[at], m[at], a[at], observed)
        elif len(p) == 1:
            value[0, n[rows]] = marginal_values(p[0, n[rows]][None], m, a, observed)[0]
        else:
            for problem in np.unique(e[rows]):
                at, span = n[rows[e[rows] == problem]], slice(problem, problem + 1)
                value[problem, at] = marginal_values(p[span, at], m[span], a[span], observed)[0]


def _grouped(patterns: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """An order that brings equal rows of booleans (n, d) together, and where each group starts in it."""
    n, d = patterns.shape
    size = next((k for k in (1, 2, 4, 8) if 8 * k >= d), -(-d // 64) * 8)
    code = np.zeros((n, size), np.uint8)
    packed = np.packbits(patterns, axis=-1)
    code[:, : packed.shape[1]] = packed
    words = code.view(f"u{min(size, 8)}")
    if words.shape[1] == 1:  # a radix sort up to 16 bits
        order = np.argsort(words[:, 0], kind="stable")
    else:
        order = np.lexsort(words.T)
    changed = (words[order[1:]] != words[order[:-1]]).any(axis=-1)
    return order, [0, *(np.flatnonzero(changed) + 1).tolist()]
