"""Sums of batches of independent discrete variables, with the bits that `loglik._discrete.scaled_pmf` gives one sum at a time.

A row is ordinary if no product can need powers of two: then `convolve_all` and `power` decide by lengths, and by the order of
floors, so that all ordinary rows of a block go through the same steps side by side. Other rows, and long ones, go one by one.
"""

import math
from collections.abc import Callable

import numpy as np

from loglik import _kernels
from loglik._discrete import scaled_pmf
from loglik._discrete.pmf_rows import Piece, Rows, part, pieces, plain_floor, scaled_rows, single, spread
from loglik._discrete.scaled_pmf import Pmf

_LONG = 1 << 12  # outcomes of a sum that is left to `_pmf`
_FLOAT64 = np.dtype(np.float64)


def convolve_all(terms: list[Pmf], shape: tuple[int, ...]) -> Pmf:
    """The normalised sums of pmfs or batches that broadcast to `shape`."""
    if len(terms) > 2:  # as for one sum: float32 only where the result is stored
        terms = [Pmf(term.values.astype(np.float64, copy=False), term.exponents, term.floor) for term in terms]
    lengths = [term.values.shape[-1] for term in terms]
    length = 1 + sum(lengths) - len(lengths)
    wide = [spread(term, shape) for term in terms]
    # Only two long float32 terms are summed in float32.
    kinds = [_FLOAT64 if n <= scaled_pmf.STACK_LENGTH else term.values.dtype for n, term in zip(lengths, terms, strict=True)]
    dtype = np.result_type(*kinds)
    lowest = -1000 if dtype == np.float64 else -126
    result = Rows(shape, length, dtype if (sum(term.floor for term in wide) >= lowest).all() else _FLOAT64)

    def block(piece: Piece) -> None:
        parts = [part(term, piece) for term in wide]
        ordinary = sum(rows.floor for rows in parts) >= lowest
        for rows in parts:
            ordinary &= ~np.asarray(scaled_rows(rows))
        if length > _LONG or lengths.count(2) >= scaled_pmf.MANY_EQUAL:
            ordinary[:] = False
        result.put(piece, _put_together(parts, ordinary, _ordinary_sum, scaled_pmf.convolve_all))

    work = sum(n * length for n in lengths) * math.prod(shape)
    result.fill(block, seconds=work * 2e-9)
    return result.pmf()


def power(pmf: Pmf, n: int) -> Pmf:
    """The normalised sums of n >= 1 independent copies."""
    shape, old = pmf.values.shape[:-1], pmf.values.shape[-1]
    length, dtype = n * (old - 1) + 1, pmf.values.dtype
    lowest = -1022 if dtype == np.float64 else -126
    if dtype != np.float64:  # sums of some rows may be in float64; then logarithms of the others, too
        alike = all(_dense(part(pmf, piece).values).all() for piece in pieces(shape, old))
        dtype = dtype if alike and (n * pmf.floor >= lowest).all() else _FLOAT64
    result = Rows(shape, length, dtype)

    def block(piece: Piece) -> None:
        rows = part(pmf, piece)
        ordinary = (n * rows.floor >= lowest) & ~np.asarray(scaled_rows(rows)) & (length <= _LONG) & _dense(rows.values)
        together, alone = (lambda some: scaled_pmf.by_squaring(some[0], n, _convolve)), (lambda one: scaled_pmf.power(one[0], n))
        result.put(piece, _put_together([rows], ordinary, together, alone))

    result.fill(block, seconds=math.prod(shape) * length * length * 1e-9)
    return result.pmf()


def _dense(values: np.ndarray) -> np.ndarray:
    """Which rows have possible outcomes at both ends, no common step above 1, and not just two: others have their own form."""
    some = values > 0
    step = np.gcd.reduce(np.where(some, np.arange(values.shape[1]), 0), axis=1)
    return some[:, 0] & some[:, -1] & (step <= 1) & (some.sum(axis=1) != 2)


def _put_together(
    parts: list[Pmf], ordinary: np.ndarray, together: Callable[[list[Pmf]], Pmf], alone: Callable[[list[Pmf]], Pmf]
) -> Pmf:
    """Sums of the rows of a block: `together` of those that are ordinary, `alone` of each of the others; normalised."""
    count = len(ordinary)
    if ordinary.all():
        return _normalised(together(parts))
    which = np.flatnonzero(ordinary)
    done: Pmf | None = None
    if len(which):
        done = _normalised(together([Pmf(rows.values[which], None, rows.floor[which]) for rows in parts]))
    others = {i: scaled_pmf.normalised(alone([single(rows, i) for rows in parts])) for i in np.flatnonzero(~ordinary).tolist()}
    one = next(iter(others.values()))
    every = [*others.values(), *([done] if done is not None else [])]
    values = np.empty((count, len(one)), np.result_type(*{pmf.values.dtype for pmf in every}))
    exponents, floor = np.zeros(values.shape, np.int64), np.empty(count, np.int64)
    if done is not None:
        values[which], floor[which] = done.values, done.floor
    for i, pmf in others.items():
        values[i], floor[i] = pmf.values, pmf.floor
        if pmf.exponents is not None:
            exponents[i] = pmf.exponents
    return Pmf(values, exponents if exponents.any() else None, floor)


def _ordinary_sum(parts: list[Pmf]) -> Pmf:
    """The steps of `scaled_pmf.convolve_all` for many plain rows at once."""
    short: dict[int, list[np.ndarray]] = {}
    rest = []
    for rows in parts:
        if rows.values.shape[1] <= scaled_pmf.STACK_LENGTH:
            short.setdefault(rows.values.shape[1], []).append(rows.values)
        else:
            rest.append(rows)
    for alike in short.values():
        rest += _sum_pairs(np.stack([values.T for values in alike], dtype=np.float64))
    return scaled_pmf.shortest_first(rest, _convolve)


def _sum_pairs(stack: np.ndarray) -> list[Pmf]:
    """The steps of `scaled_pmf._convolve_rows` for each of many rows: shape (variables, outcomes, rows), the rows innermost."""
    floors = plain_floor(np.moveaxis(stack, 1, 2))
    order = np.argsort(floors, axis=0, kind="stable")
    stack, floors = np.take_along_axis(stack, order[:, None], axis=0), np.take_along_axis(floors, order, axis=0)
    done = []
    while len(stack) > 1 and stack.shape[1] <= scaled_pmf.STACK_LENGTH:
        if len(stack) % 2:
            done.append((stack[-1], floors[-1]))
        pairs, size = len(stack) // 2, stack.shape[1]
        a, b = stack[0 : 2 * pairs : 2], stack[1 : 2 * pairs : 2]
        floors = floors[0 : 2 * pairs : 2] + floors[1 : 2 * pairs : 2]
        stack = np.zeros((pairs, 2 * size - 1, stack.shape[2]))
        for i in range(size):
            stack[:, i : i + size] += a[:, i : i + 1] * b
    done += zip(stack, floors, strict=True)
    return [Pmf(np.ascontiguousarray(values.T), None, floor) for values, floor in done]


def _convolve(a: Pmf, b: Pmf) -> Pmf:
    """Row by row, by the kernel that `scaled_pmf.convolve` takes for plain ones."""
    if a.values.shape[1] > b.values.shape[1]:
        a, b = b, a
    (count, na), nb = a.values.shape, b.values.shape[1]
    dtype, pad = np.promote_types(a.values.dtype, b.values.dtype), _kernels.PADDING
    padded = np.zeros((count, nb + 2 * pad), dtype)
    padded[:, pad : pad + nb] = b.values
    out = np.empty((count, na + nb - 1), dtype)
    first = np.ascontiguousarray(a.values, dtype)
    _kernels.convolve_range(first.reshape(-1), padded.reshape(-1), 0, na + nb - 1, out.reshape(-1), rows=count)
    return Pmf(out, None, a.floor + b.floor)


def _normalised(rows: Pmf) -> Pmf:
    """The steps of `scaled_pmf.normalised` for plain rows."""
    values = np.ascontiguousarray(rows.values, np.float64)
    totals = _kernels.cumulative(values.reshape(-1), rows=len(values)).reshape(values.shape)[:, -1]
    off = np.flatnonzero(np.abs(totals - 1) > 2.0**-51)
    if not len(off):
        return rows
    result, floor = rows.values.copy(), rows.floor.copy()
    result[off] = values[off] / totals[off, None]
    floor[off] = plain_floor(result[off])
    return Pmf(result, None, floor)
