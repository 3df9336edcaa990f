"""Points with missing coordinates (NaN): what `nan_policy` asks for, and the choice of coordinates.

Integrating a coordinate out of a Gaussian drops its rows and columns from the covariance. Points are taken in blocks, and
within a block by pattern, the set of coordinates that is observed: one factorisation per pattern, then the kernel
of many points under one factor. Complete points take the ordinary path, bit for bit.
"""

import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from loglik import ufuncs
from loglik._engine.results import hand_over, overlaps
from loglik._engine.validate import check_out, describe_entry, first_index
from loglik._gaussian.axes import BLOCK_SECONDS, Axes, Rows, run
from loglik._gaussian.matrices import batch_index, blocks, marginal_factor

if TYPE_CHECKING:
    from loglik.distributions.mvnormal import MultivariateNormal

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
    lead = x.shape[:-1]
    rows = Rows(x, 1, lead, list(range(len(lead))))
    for block in blocks(math.prod(lead), x.shape[-1] * x.itemsize):
        missing = np.isnan(rows.block(block))
        if missing.any():
            row, k = first_index(missing)
            index = (*batch_index(block.start + row, lead), k)
            raise ValueError(
                f"{function}: x must not be NaN with nan_policy='raise', but {describe_entry('x', index, x[index])}"
            )


def coordinates(function: str, indices: Any, d: int) -> np.ndarray:
    """Indices of distinct coordinates as an array of integers from 0 to d - 1."""
    listed = [indices] if np.ndim(indices) == 0 else list(indices)
    if not listed:
        raise ValueError(f"{function}: indices must name at least one coordinate")
    chosen: list[int] = []
    for position, value in enumerate(listed):
        try:
            i = operator.index(value)
        except TypeError:
            i = None
        entry = describe_entry("indices", (position,), value)
        if i is None or isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{function}: indices must be integers, but {entry}")
        if not -d <= i < d:
            raise ValueError(f"{function}: indices must be from {-d} to {d - 1}, but {entry}")
        if i % d in chosen:
            raise ValueError(f"{function}: indices must differ, but {entry} is coordinate {i % d} again")
        chosen.append(i % d)
    return np.array(chosen)


# ---------------------------------------------------------------------------------------- integrating out


def log_prob(function: str, mvn: "MultivariateNormal", x: np.ndarray, out: Any, evaluate: Callable[..., Any]) -> Any:
    """Log-density of the observed coordinates of every point. `evaluate` does that for complete ones."""
    aliased = overlaps(out, x)
    value = np.asarray(evaluate(function, mvn, x, None if aliased else out, "log_prob"))
    if aliased:
        check_out(function, out, value.shape, value.dtype)
    if x.dtype.kind == "f" and value.size:
        _overwrite(function, mvn, x, value)
    return hand_over(value, out)


def _overwrite(function: str, mvn: "MultivariateNormal", x: np.ndarray, result: np.ndarray) -> None:
    """Write the values of incomplete points into `result`."""
    (d,) = mvn.event_shape
    dtype, lead = result.dtype, result.shape
    matrix, form = _matrix(mvn, dtype)
    core = 1 if form == "variance" else 2
    axes = Axes.of(x.shape[:-1], mvn.batch_shape, lead)
    points = Rows(x, 1, lead, axes.each, axes.points)
    means = Rows(np.broadcast_to(mvn._loc, (*mvn.batch_shape, d)), 1, lead, axes.each, axes.matrices)
    batched = np.broadcast_to(matrix, (*mvn.batch_shape, *matrix.shape[matrix.ndim - core :]))
    matrices = Rows(batched, core, lead, axes.each, axes.matrices)
    values = Rows(result, 0, lead, axes.each, axes.points, axes.matrices)
    n_matrices = axes.sizes()[2]
    kind, options = type(mvn), {"allow_singular": True, "singular_rtol": mvn._singular_rtol}

    def marginal_values(p: np.ndarray, m: np.ndarray, a: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Values (e, n, k) of points (e, n, d) with one pattern under Gaussians (e, k)."""
        if not len(seen):
            return np.zeros((*p.shape[:2], m.shape[1]), dtype)
        p, m = p[..., seen].astype(dtype), m[..., seen].astype(dtype)
        if mvn._support is not None:
            found = np.empty((*p.shape[:2], m.shape[1]), dtype)
            part = a[..., seen] if form == "variance" else _part(a, form, seen)
            for e, k in np.ndindex(m.shape[:2]):
                parameters: dict[str, Any] = {form: part[e, k], **options}
                one = kind(m[e, k], **parameters)
                found[e, :, k] = one.log_prob(p[e])
            return found
        if form == "variance":
            return ufuncs.mvn_log_prob_diagonal(p[:, :, None], m[:, None], a[:, None, :, seen])
        factor = _part(a, form, seen)
        if form == "covariance":
            factor, info = ufuncs.cholesky(factor)
            if info.any():  # only a matrix that was on the edge in another order, or no memory
                raise np.linalg.LinAlgError(f"{function}: the covariance of coordinates {seen.tolist()} is singular")
        value, info = ufuncs.mvn_log_prob_tril(p, m, factor)
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
            if values.target(e, n, k) is None:
                values.put(value, e, n, k)

    elements = max(d / _BLOCK_ELEMENTS, d**core / _MATRIX_ELEMENTS if axes.each else 0.0)
    run(axes, BLOCK_SECONDS * elements / n_matrices, block)


def _by_pattern(
    p: np.ndarray,
    missing: np.ndarray,
    incomplete: np.ndarray,
    m: np.ndarray,
    a: np.ndarray,
    value: np.ndarray,
    step: int,
    function: Callable[..., np.ndarray],
) -> None:
    """Fill value (e, n, k) where points (e, n, d) are incomplete."""
    e, n = np.nonzero(incomplete)
    some = missing[e, n]
    by_pattern, starts = _grouped(some)
    many = p.shape[1] > 1
    most = max(1, step // a.shape[1])
    for start, end in zip(starts, [*starts[1:], len(by_pattern)], strict=True):
        rows = by_pattern[start:end]
        seen = np.flatnonzero(~some[rows[0]])
        if not many:  # one point per matrix: a matrix each
            for first in range(0, len(rows), most):
                at = e[rows[first : first + most]]
                value[at] = function(p[at], m[at], a[at], seen)
        elif len(p) == 1:
            value[0, n[rows]] = function(p[0, n[rows]][None], m, a, seen)[0]
        else:
            for problem in np.unique(e[rows]):
                at, one = n[rows[e[rows] == problem]], slice(problem, problem + 1)
                value[problem, at] = function(p[one, at], m[one], a[one], seen)[0]


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


def _matrix(mvn: "MultivariateNormal", dtype: np.dtype) -> tuple[np.ndarray, str]:
    """What marginals are made from: a covariance or a variance as given, or a factor; in the dtype of the values."""
    if mvn._form in ("covariance", "variance"):
        return getattr(mvn, "_" + mvn._form).astype(dtype, copy=False), mvn._form
    return mvn._lower(dtype), "scale_tril"


def _part(a: np.ndarray, form: str, seen: np.ndarray) -> np.ndarray:
    """The covariances, or factors, of the coordinates seen."""
    return a[..., seen[:, None], seen] if form == "covariance" else marginal_factor(a, seen)
