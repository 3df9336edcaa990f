"""Sums of batches of independent discrete variables, with the bits that `loglik._discrete.scaled_pmf` gives one sum at a time.

A row is ordinary if no product can need powers of two. What `scaled_pmf.convolve_all` and `scaled_pmf.power` do for such a row
depends on lengths and on the order of floors only, so that all ordinary rows of a block go through the same steps side by side.
Other rows, and long ones, are summed one by one.
"""

import math
from collections.abc import Callable

import numpy as np

from loglik import _kernels
from loglik._discrete import scaled_pmf
from loglik._discrete.pmf_rows import (
    BatchBuilder,
    Piece,
    broadcast,
    is_scaled,
    pieces,
    plain_floor,
    take_block,
    take_row,
)
from loglik._discrete.scaled_pmf import Pmf

_LONG = 1 << 12  # outcomes of a sum that is made row by row
_FLOAT64 = np.dtype(np.float64)


def convolve_all(terms: list[Pmf], shape: tuple[int, ...]) -> Pmf:
    """The normalised sums of pmfs or batches that broadcast to `shape`."""
    if len(terms) > 2:  # many rounded sums: float32 only where the result is stored
        terms = [Pmf(term.values.astype(np.float64, copy=False), term.exponents, term.floor) for term in terms]
    lengths = [term.values.shape[-1] for term in terms]
    length = 1 + sum(lengths) - len(lengths)
    terms = [broadcast(term, shape) for term in terms]
    # Only two long float32 terms are summed in float32.
    dtypes = [_FLOAT64 if n <= scaled_pmf.STACK_LENGTH else term.values.dtype for n, term in zip(lengths, terms, strict=True)]
    dtype = np.result_type(*dtypes)
    lowest = -1000 if dtype == np.float64 else -126
    sums = BatchBuilder(shape, length, dtype if (sum(term.floor for term in terms) >= lowest).all() else _FLOAT64)

    def fill(piece: Piece) -> None:
        blocks = [take_block(term, piece) for term in terms]
        ordinary = sum(rows.floor for rows in blocks) >= lowest
        for rows in blocks:
            ordinary &= ~np.asarray(is_scaled(rows))
        if length > _LONG or lengths.count(2) >= scaled_pmf.MANY_EQUAL:
            ordinary[:] = False
        sums.put(piece, _sum_rows(blocks, ordinary, _sum_ordinary, scaled_pmf.convolve_all))

    work = sum(n * length for n in lengths) * math.prod(shape)
    sums.fill(fill, seconds=work * 2e-9)
    return sums.pmf()


def power(pmf: Pmf, n: int) -> Pmf:
    """The normalised sums of n >= 1 independent copies."""
    *shape, old_length = pmf.values.shape
    length, dtype = n * (old_length - 1) + 1, pmf.values.dtype
    lowest = -1022 if dtype == np.float64 else -126
    if dtype != np.float64:  # sums of some rows may be in float64; then logarithms of the others, too
        dense = all(_is_dense(take_block(pmf, piece).values).all() for piece in pieces(tuple(shape), old_length))
        dtype = dtype if dense and (n * pmf.floor >= lowest).all() else _FLOAT64
    sums = BatchBuilder(tuple(shape), length, dtype)

    def sum_ordinary(blocks: list[Pmf]) -> Pmf:
        return scaled_pmf.by_squaring(blocks[0], n, _convolve)

    def sum_row(rows: list[Pmf]) -> Pmf:
        return scaled_pmf.power(rows[0], n)

    def fill(piece: Piece) -> None:
        rows = take_block(pmf, piece)
        ordinary = (n * rows.floor >= lowest) & ~np.asarray(is_scaled(rows)) & (length <= _LONG) & _is_dense(rows.values)
        sums.put(piece, _sum_rows([rows], ordinary, sum_ordinary, sum_row))

    sums.fill(fill, seconds=math.prod(shape) * length * length * 1e-9)
    return sums.pmf()


def _is_dense(values: np.ndarray) -> np.ndarray:
    """Which rows have possible outcomes at both ends, no common step above 1, and not just two: others have their own form."""
    possible = values > 0
    step = np.gcd.reduce(np.where(possible, np.arange(values.shape[1]), 0), axis=1)
    return possible[:, 0] & possible[:, -1] & (step <= 1) & (possible.sum(axis=1) != 2)


def _sum_rows(
    blocks: list[Pmf], ordinary: np.ndarray, sum_ordinary: Callable[[list[Pmf]], Pmf], sum_row: Callable[[list[Pmf]], Pmf]
) -> Pmf:
    """Normalised sums of the rows of a block of each term: `sum_ordinary` makes those that are ordinary, `sum_row` each other."""
    count = len(ordinary)
    if ordinary.all():
        return _normalised(sum_ordinary(blocks))
    index = np.flatnonzero(ordinary)
    together: Pmf | None = None
    if len(index):
        together = _normalised(sum_ordinary([Pmf(rows.values[index], None, rows.floor[index]) for rows in blocks]))
    singles = {
        i: scaled_pmf.normalised(sum_row([take_row(rows, i) for rows in blocks])) for i in np.flatnonzero(~ordinary).tolist()
    }
    length = len(next(iter(singles.values())))
    dtypes = {pmf.values.dtype for pmf in (*singles.values(), *([] if together is None else [together]))}
    values = np.empty((count, length), np.result_type(*dtypes))
    exponents, floor = np.zeros(values.shape, np.int64), np.empty(count, np.int64)
    if together is not None:
        values[index], floor[index] = together.values, together.floor
    for i, pmf in singles.items():
        values[i], floor[i] = pmf.values, pmf.floor
        if pmf.exponents is not None:
            exponents[i] = pmf.exponents
    return Pmf(values, exponents if exponents.any() else None, floor)


def _sum_ordinary(blocks: list[Pmf]) -> Pmf:
    """Sums of plain rows, many at once, by the steps of `scaled_pmf.convolve_all`."""
    short: dict[int, list[np.ndarray]] = {}
    rest = []
    for rows in blocks:
        if rows.values.shape[1] <= scaled_pmf.STACK_LENGTH:
            short.setdefault(rows.values.shape[1], []).append(rows.values)
        else:
            rest.append(rows)
    for alike in short.values():
        rest += _sum_pairs(np.stack([values.T for values in alike], dtype=np.float64))
    return scaled_pmf.shortest_first(rest, _convolve)


def _sum_pairs(stack: np.ndarray) -> list[Pmf]:
    """Sums of pairs, by the steps of `scaled_pmf._convolve_rows`, for an array of shape (variables, outcomes, rows)."""
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
    """The sums of plain rows, by the kernel that `scaled_pmf.convolve` takes for plain pmfs."""
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
    """Plain rows divided by their totals, by the steps of `scaled_pmf.normalised`."""
    values = np.ascontiguousarray(rows.values, np.float64)
    totals = _kernels.cumulative(values.reshape(-1), rows=len(values)).reshape(values.shape)[:, -1]
    off = np.flatnonzero(np.abs(totals - 1) > 2.0**-51)
    if not len(off):
        return rows
    result, floor = rows.values.copy(), rows.floor.copy()
    result[off] = values[off] / totals[off, None]
    floor[off] = plain_floor(result[off])
    return Pmf(result, None, floor)
