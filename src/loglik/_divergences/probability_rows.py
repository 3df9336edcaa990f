"""Divergences of probabilities that are listed: rows of arrays, and the masses of discrete variables.

The kernels (`ufuncs.categorical_kl` and its like) check, total and sum a row in one pass; where they report a row that is no
distribution, a second pass finds out what to say. Their sums are over terms that are never negative, so the relative error is
that of a term, and pairs that are nearly equal keep their digits.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from loglik import ufuncs
from loglik._engine import elementwise, validate
from loglik._engine.parallel import run_blocks


class Listed(NamedTuple):
    """Probabilities along the last axis of an array, as it was given."""

    array: np.ndarray
    eps: float
    """The eps of the type that they were rounded to; infinite: they need not total 1."""


class PairOfRows(NamedTuple):
    """Probabilities along the last axis of two arrays that broadcast in the others."""

    p: Listed
    q: Listed
    lead: tuple[int, ...]
    dtype: np.dtype
    check: Callable[[], None]
    """Raises an error for what the kernels found wrong."""


def rows(function: str, p: Any, q: Any, axis: int) -> PairOfRows:
    """Two arrays of probabilities, checked, the axis moved to the end.

    Each row must total 1 as the probabilities of `Discrete` must, and is normalised by the same rule.
    """
    arrays, back, lead = aligned(function, axis, p=p, q=q)
    listed = {name: Listed(array, float(np.finfo(validate.result_dtype(array)).eps)) for name, array in arrays.items()}

    def check_both() -> None:
        for name, array in arrays.items():
            check(function, name, np.moveaxis(array, -1, back), back)

    return PairOfRows(listed["p"], listed["q"], lead, validate.result_dtype(p, q), check_both)


def aligned(function: str, axis: Any, **values: Any) -> tuple[dict[str, np.ndarray], int, tuple[int, ...]]:
    """Arrays with entries along an axis that is moved to the end; the axis counted from the end; the shape that the others
    broadcast to."""
    arrays = {name: validate.as_array(function, name, value) for name, value in values.items()}
    ndim = max(array.ndim for array in arrays.values())
    if not isinstance(axis, int | np.integer) or isinstance(axis, bool):
        raise TypeError(f"{function}: axis must be an integer, got {axis!r}")
    if not -ndim <= axis < ndim:
        shapes = " and ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"{function}: axis {axis} is out of bounds for {shapes}")
    back = int(axis) % ndim - ndim  # counted from the end, where shapes are aligned
    for name, array in arrays.items():
        if array.ndim < -back:
            raise ValueError(f"{function}: {name} of shape {array.shape} has no axis {axis}")
    lengths = {name: array.shape[back] for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        (p, m), (q, n) = lengths.items()
        raise ValueError(f"{function}: {p} has {m} entries along axis {axis}, {q} has {n}")
    if 0 in lengths.values():
        raise ValueError(f"{function}: there must be at least one entry along axis {axis}")
    moved = {name: np.moveaxis(array, back, -1) for name, array in arrays.items()}
    lead = validate.broadcast_shapes(function, **{name: array.shape[:-1] for name, array in moved.items()})
    return moved, back, lead


def check(function: str, name: str, array: np.ndarray, axis: int) -> None:
    """Raise an error that names the first entry or row of `array` (along an axis counted from the end) that is no probability or
    no distribution."""
    listed = Listed(np.moveaxis(array, axis, -1), float(np.finfo(validate.result_dtype(array)).eps))
    validate.require(function, name, array, np.isfinite(array), "finite")
    validate.require(function, name, array, array >= 0, "at least 0")
    good = np.zeros(listed.array.shape[:-1], bool)
    values = np.empty(good.shape, validate.result_dtype(array))
    _run(ufuncs.categorical_cross_entropy, listed, listed, values, good)
    if not good.all():
        index = validate.first_index(~good)
        with np.errstate(over="ignore"):
            total = float(listed.array[index].sum(dtype=np.float64))
        position = list(map(str, index))
        position.insert(array.ndim + axis, ":")
        tolerance = 8 * array.shape[axis] * listed.eps
        raise ValueError(
            f"{function}: {name} must total 1 within 8·K·eps = {tolerance:.2g} along the axis, "
            f"but {name}[{', '.join(position)}] totals {total!r}"
        )


def _run(ufunc: np.ufunc, p: Listed, q: Listed, out: np.ndarray, good: np.ndarray | None = None) -> bool:
    """Values of rows in `out`, block by block, and which rows are distributions in `good`; returns whether all are."""
    size = p.array.shape[-1]
    step = max(1, elementwise.BLOCK // size)
    if step > 16:
        step -= step % 16  # whole vectors of rows
    pieces = list(elementwise.split(out.shape, step)) if out.size else []
    sound = [True] * len(pieces)

    def one(i: int) -> None:
        index = pieces[i]
        _, info = ufunc(p.array[index], q.array[index], p.eps, q.eps, out=(out[(*index, ...)], None))
        sound[i] = not info.any()
        if good is not None:
            good[index] = info == 0

    with np.errstate(all="ignore"):
        run_blocks(one, len(pieces), seconds=out.size * size * 2e-9)
    return all(sound)


def _values(ufunc: np.ufunc, rows: PairOfRows) -> Any:
    p, q = (one._replace(array=np.broadcast_to(one.array, (*rows.lead, one.array.shape[-1]))) for one in (rows.p, rows.q))
    out = np.empty(rows.lead, rows.dtype)
    if not _run(ufunc, p, q, out) or not out.size:
        rows.check()
    return out[()]


def total(ufunc: np.ufunc, p: np.ndarray, q: np.ndarray) -> Any:
    """The sum of one long row, whatever p and q total: by parts over the threads. Or of each of several short rows."""
    if p.ndim > 1:
        with np.errstate(all="ignore"):
            return ufunc(p, q, np.inf, np.inf)[0]
    starts = range(0, len(p), elementwise.BLOCK)
    parts = np.zeros(len(starts))

    def one(i: int) -> None:
        part = slice(starts[i], starts[i] + elementwise.BLOCK)
        parts[i] = ufunc(p[part], q[part], np.inf, np.inf)[0]

    with np.errstate(all="ignore"):
        run_blocks(one, len(parts), seconds=len(p) * 2e-9)
    return math.fsum(parts)


def kl(rows: PairOfRows) -> Any:
    """KL(p ‖ q) of each row."""
    return _values(ufuncs.categorical_kl, rows)


def js(rows: PairOfRows) -> Any:
    """Jensen-Shannon divergence of each row."""
    return _values(ufuncs.categorical_js, rows)


def cross_entropy(rows: PairOfRows) -> Any:
    """-Σ p log q of each row; every term is not negative but for roundings of 1 in q."""
    return _values(ufuncs.categorical_cross_entropy, rows)
