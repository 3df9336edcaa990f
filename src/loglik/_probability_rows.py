"""Divergences of probabilities that are listed: rows of arrays, and the masses of discrete variables.

The sums are over terms that are never negative (`ufuncs.relative_entropy`, `ufuncs.js_term`), so their relative error is
that of a term, and pairs that are nearly equal keep their digits.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from loglik import _elementwise, _validate, ufuncs
from loglik._parallel import run_blocks

LOG_2_DOWN = {np.dtype(np.float64): math.log(2), np.dtype(np.float32): float.fromhex("0x1.62e42ep-1")}
"""The largest number of each type that is at most log 2."""


class Listed(NamedTuple):
    """Probabilities along the last axis of an array, as it was given."""

    array: np.ndarray
    dtype: np.dtype
    totals: np.ndarray | None
    """What the rows are to be divided by, with 1 for the last axis; None: they are normalised."""

    def broadcast(self, lead: tuple[int, ...]) -> "Listed":
        size = self.array.shape[-1]
        totals = None if self.totals is None else np.broadcast_to(self.totals, (*lead, 1))
        return self._replace(array=np.broadcast_to(self.array, (*lead, size)), totals=totals)

    def block(self, index: tuple[int | slice, ...]) -> np.ndarray:
        """A few rows, normalised."""
        rows = self.array[index].astype(self.dtype, copy=False)
        return rows if self.totals is None else rows / self.totals[index].astype(self.dtype)


class Rows(NamedTuple):
    """Probabilities along the last axis of two arrays that broadcast in the others."""

    p: Listed
    q: Listed
    lead: tuple[int, ...]
    dtype: np.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.lead, self.p.array.shape[-1])


def rows(function: str, p: Any, q: Any, axis: int) -> Rows:
    """Two arrays of probabilities, checked, the axis moved to the end.

    Each row must total 1 as the probabilities of `Discrete` must, and is normalised by the same rule.
    """
    arrays = {name: _validate.as_array(function, name, value) for name, value in (("p", p), ("q", q))}
    dtype = _validate.result_dtype(p, q)
    ndim = max(array.ndim for array in arrays.values())
    if not isinstance(axis, int | np.integer) or isinstance(axis, bool):
        raise TypeError(f"{function}: axis must be an integer, got {axis!r}")
    if not -ndim <= axis < ndim:
        raise ValueError(f"{function}: axis {axis} is out of bounds for p {arrays['p'].shape} and q {arrays['q'].shape}")
    back = int(axis) % ndim - ndim  # counted from the end, where shapes are aligned
    for name, array in arrays.items():
        if array.ndim < -back:
            raise ValueError(f"{function}: {name} of shape {array.shape} has no axis {axis}")
    lengths = [array.shape[back] for array in arrays.values()]
    if lengths[0] != lengths[1]:
        raise ValueError(f"{function}: p has {lengths[0]} entries along axis {axis}, q has {lengths[1]}")
    if lengths[0] == 0:
        raise ValueError(f"{function}: there must be at least one entry along axis {axis}")
    ready = [_checked(function, name, array, back) for name, array in arrays.items()]
    lead = _validate.broadcast_shapes(function, p=ready[0].array.shape[:-1], q=ready[1].array.shape[:-1])
    return Rows(ready[0].broadcast(lead), ready[1].broadcast(lead), lead, dtype)


def _checked(function: str, name: str, array: np.ndarray, axis: int) -> Listed:
    dtype = _validate.result_dtype(array)
    size = array.shape[axis]
    moved = np.moveaxis(array, axis, -1)
    if moved.size == 0:
        return Listed(moved, dtype, None)
    totals = _totals(moved)
    eps = float(np.finfo(dtype).eps)
    tolerance = 8 * size * eps
    with np.errstate(invalid="ignore"):
        sound = bool(moved.min() >= 0) and bool((np.abs(totals - 1) <= tolerance).all())
    if not sound:
        _validate.require(function, name, array, np.isfinite(array), "finite")
        _validate.require(function, name, array, array >= 0, "at least 0")
        index = _validate.first_index(np.abs(totals - 1) > tolerance)
        position = list(map(str, index))
        position.insert(array.ndim + axis, ":")
        raise ValueError(
            f"{function}: {name} must total 1 within 8·K·eps = {tolerance:.2g} along the axis, "
            f"but {name}[{', '.join(position)}] totals {float(totals[index])!r}"
        )
    off = np.abs(totals - 1) > 4 * eps  # as close as normalising gets
    return Listed(moved, dtype, np.where(off, totals, 1.0)[..., None] if off.any() else None)


def _pieces(shape: tuple[int, ...]) -> list[tuple[int | slice, ...]]:
    """Blocks of whole rows of about the size of a second-level cache."""
    return list(_elementwise.split(shape[:-1], max(1, _elementwise.BLOCK // shape[-1])))


def _row_sums(terms: np.ndarray) -> np.ndarray:
    """Sums of the contiguous last axis, pairwise and in float64."""
    with np.errstate(all="ignore"):
        return terms.sum(axis=-1, dtype=np.float64)


def _totals(array: np.ndarray) -> np.ndarray:
    totals = np.empty(array.shape[:-1])
    pieces = _pieces(array.shape)

    def one(i: int) -> None:
        totals[pieces[i]] = _row_sums(np.ascontiguousarray(array[pieces[i]]))

    run_blocks(one, len(pieces), seconds=array.size * 1e-9)
    return totals


def sum_of_terms(pair: Rows, ufunc: np.ufunc) -> np.ndarray:
    """Σ ufunc(p, q) along the last axis, float64, of the shape `lead`."""
    result = np.empty(pair.lead)
    pieces = _pieces(pair.shape) if result.size else []

    def one(i: int) -> None:
        index = pieces[i]
        result[index] = _chunked(ufunc, pair.p.block(index), pair.q.block(index), pair.dtype)

    run_blocks(one, len(pieces), seconds=result.size * pair.shape[-1] * 5e-9)
    return result


def _chunked(ufunc: np.ufunc, p: np.ndarray, q: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The sums of a few rows; of a long row by parts, whose terms stay in cache."""
    size = p.shape[-1]
    parts = []
    for start in range(0, size, _elementwise.BLOCK):
        part = slice(start, min(size, start + _elementwise.BLOCK))
        terms = np.empty((*p.shape[:-1], part.stop - part.start), dtype)  # in C order, whatever the strides of p and q
        parts.append(_row_sums(ufunc(p[..., part], q[..., part], out=terms, dtype=dtype)))
    return parts[0] if len(parts) == 1 else np.sum(np.stack(parts, axis=-1), axis=-1)


def kl(pair: Rows) -> Any:
    """KL(p ‖ q) of each row."""
    return _rounded(sum_of_terms(pair, ufuncs.relative_entropy), pair.dtype)


def js(pair: Rows) -> Any:
    """Jensen-Shannon divergence of each row."""
    limit = LOG_2_DOWN[pair.dtype]
    return _rounded(np.minimum(sum_of_terms(pair, ufuncs.js_term), limit), pair.dtype, limit)


def _rounded(values: np.ndarray, dtype: np.dtype, limit: float = np.inf) -> Any:
    with np.errstate(over="ignore", under="ignore"):
        return np.minimum(values.astype(dtype), dtype.type(limit))[()]


def cross_entropy(pair: Rows) -> Any:
    """-Σ p log q of each row; every term is not negative but for roundings of 1 in q."""
    result = np.empty(pair.lead)
    for index in _pieces(pair.shape) if result.size else []:
        share, other = pair.p.block(index), pair.q.block(index)
        with np.errstate(invalid="ignore"):
            terms = np.where(share == 0, 0.0, -share.astype(np.float64) * ufuncs.log(other, dtype=np.float64))
        result[index] = _row_sums(terms)
    return _rounded(result + 0.0, pair.dtype)
