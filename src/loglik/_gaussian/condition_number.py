"""Condition numbers of factored covariances, and the warning where they cost digits.

What matters is H, the matrix scaled to unit diagonal: diag(1, 1e-10) has condition number 1. With L the factor and D the
standard deviations (the norms of the rows of L), H = (D⁻¹L)(D⁻¹L)ᵀ: rows of norm one, and κ(H) = κ(D⁻¹L)².
"""

import math
import sys
import warnings
from collections.abc import Callable
from functools import cache

import numpy as np

from loglik import ufuncs
from loglik._engine.validate import AccuracyWarning

_EXACT = 32  # up to this dimension all singular values are computed
_STEPS = 16  # of the iteration above it
_BATCH_BYTES = 1 << 20
_INVERT = 256  # up to this dimension a factor is inverted before its condition number is estimated
_NONE = np.empty(0, np.int64)


def tolerated(d: int, dtype: np.dtype) -> float:
    """Condition number above which a warning is due: the guaranteed error 4·d·κ·u exceeds u^(1/4)."""
    u = float(np.finfo(dtype).eps) / 2
    return _small(dtype) / (4 * d * u)


@cache
def _small(dtype: np.dtype) -> float:
    """u^(1/4): 1e-4 for float64, 1/64 for float32."""
    return (float(np.finfo(dtype).eps) / 2) ** 0.25


def doubtful(lower: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Which of a block of matrices (items, d, d) and their factors might not be well conditioned: a quick look at the
    pivots, as parts of the diagonal entries.

    Their product is det H, and since the eigenvalues of H add up to d, κ(H) <= e·d / det H. That leaves too many large
    matrices in doubt, so those without a pivot below u^(1/4) are passed too, which is no proof.
    """
    pivots = np.square(lower.diagonal(axis1=1, axis2=2))
    diagonal = matrix.diagonal(axis1=1, axis2=2)
    small = pivots < _small(lower.dtype) * diagonal
    if not small.any():
        return _NONE
    found = np.flatnonzero(small.any(axis=-1))
    d = lower.shape[-1]
    determinant = np.prod(pivots[found] / diagonal[found], axis=-1, dtype=np.float64)
    return found[determinant * tolerated(d, lower.dtype) < math.e * d]


def condition_of(lower: np.ndarray) -> np.ndarray:
    """κ₂(H), (items,), for lower triangular factors (items, d, d) with a positive diagonal, in float64."""
    items, d = lower.shape[:2]
    result = np.ones(items)
    step = max(1, _BATCH_BYTES // (8 * d * d))
    for start in range(0, items if d > 1 else 0, step):
        rows = _scaled(lower[start : start + step])
        if d <= _EXACT:
            values = np.linalg.svd(rows, compute_uv=False)
            with np.errstate(over="ignore", divide="ignore"):
                result[start : start + step] = np.square(values[:, 0] / values[:, -1])
        else:
            result[start : start + step] = _largest(rows, inverse=False) * _largest(rows, inverse=True)
    return result


def _scaled(lower: np.ndarray) -> np.ndarray:
    """D⁻¹L in float64."""
    rows = lower.astype(np.float64)
    rows /= np.abs(rows).max(axis=-1, keepdims=True)  # squares stay in range
    rows /= np.sqrt(np.einsum("ijk,ijk->ij", rows, rows))[..., None]
    return rows


def _bound(lower: np.ndarray) -> np.ndarray:
    """An upper bound of κ(H), less than d² times too large: d·tr H⁻¹, from the inverse of D⁻¹L."""
    d = lower.shape[-1]
    inverse = ufuncs.whiten(np.eye(d), np.zeros(d), _scaled(lower))
    with np.errstate(over="ignore", invalid="ignore"):
        return d * np.einsum("ijk,ijk->i", inverse, inverse)


def _largest(rows: np.ndarray, inverse: bool) -> np.ndarray:
    """Largest eigenvalue of H = rows·rowsᵀ, or of its inverse, from below: Lanczos iteration (C. Lanczos, 1950).

    The start favours the coordinate with the smallest pivot, where the inverse is large.
    """
    items, d = rows.shape[:2]
    steps = min(_STEPS, d)
    pivots = np.diagonal(rows, axis1=-2, axis2=-1)
    start = 1.0 + 0.1 * np.cos(np.arange(d)) + np.zeros((items, d))
    if inverse:
        start = np.cos(np.arange(d)) + np.zeros((items, d))
        start[np.arange(items), pivots.argmin(axis=-1)] += d
    basis = np.zeros((items, steps, d))
    image = np.zeros((items, steps, d))
    zero = np.zeros(d)
    reversed_transpose = rows[:, ::-1, ::-1].swapaxes(-1, -2)  # lower triangular, as `whiten` needs it
    v = start
    for k in range(steps):
        before = np.sqrt(np.einsum("id,id->i", v, v))[:, None]
        for _ in range(2):  # twice is enough to be orthogonal to working precision
            v = v - np.einsum("ikd,ik->id", basis[:, :k], np.einsum("ikd,id->ik", basis[:, :k], v))
        norm = np.sqrt(np.einsum("id,id->i", v, v))[:, None]
        # Where little is left the space is invariant, and what is left is rounding.
        v = np.divide(v, norm, out=np.zeros_like(v), where=norm > 1e-8 * before)
        basis[:, k] = v
        if inverse:
            v = ufuncs.whiten(v[:, None], zero, rows)
            v = ufuncs.whiten(v[..., ::-1], zero, reversed_transpose)[:, 0, ::-1]
        else:
            v = np.einsum("ijk,ik->ij", rows, np.einsum("ijk,ij->ik", rows, v))
        image[:, k] = v
    projected = np.einsum("ikd,ijd->ikj", basis, image)
    if not np.isfinite(projected).all():
        return np.where(np.isfinite(projected).all(axis=(-1, -2)), 1.0, np.inf)
    return np.linalg.eigvalsh((projected + projected.swapaxes(-1, -2)) / 2)[:, -1]


def warn_where_ill_conditioned(
    function: str, lower: np.ndarray, candidates: list[int], name: Callable[[int], str]
) -> None:
    """AccuracyWarning for the first of the factors `candidates` whose condition number is not tolerated."""
    d, dtype = lower.shape[-1], lower.dtype
    limit = tolerated(d, dtype)
    step = max(1, _BATCH_BYTES // (8 * d * d))
    for start in range(0, len(candidates), step):
        some = np.array(candidates[start : start + step])
        if d <= _INVERT:
            some = some[~(_bound(lower[some]) <= limit)]
        for item in some:
            kappa = float(condition_of(lower[item : item + 1])[0])
            if kappa > limit:
                error = 4 * d * float(np.finfo(dtype).eps) / 2 * kappa
                warnings.warn(
                    f"{function}: {name(int(item))} has condition number {kappa:.2g} after scaling to unit diagonal: "
                    f"densities in {dtype} are right only to {error:.1g} of their largest term in the worst case",
                    AccuracyWarning,
                    stacklevel=_depth(),
                )
                return


def _depth() -> int:
    """Stack level, seen from `warn_where_ill_conditioned`, of the first caller outside the package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("loglik."):
        frame, level = frame.f_back, level + 1
    return level
