"""Batches of pmfs, many rows at a time.

Design
- A batch is one `Pmf` whose arrays have the shape batch_shape + (K,), and whose floor has an entry for each row. Where some
  row needs exponents, those of the other rows are 0; a row that needs them has some that are not 0.
- A row has the bits of a pmf of its own: the same operations in the same order. So rows with exponents (scaled ones) and rows
  without (plain ones) are computed separately.
- Work goes through blocks of rows, cut by the shape alone, over the threads; temporaries are as large as a block.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from loglik._discrete import scaled_pmf
from loglik._discrete.scaled_pmf import Pmf
from loglik._engine import elementwise, expectation
from loglik._engine.parallel import run_blocks
from loglik._engine.validate import broadcast_shapes

BLOCK = 1 << 15  # entries of a block of rows: its temporaries stay in the second-level cache
_LONG = 1 << 12  # rows above are taken one by one

Piece = tuple[slice, ...]  # the index of a block of rows in an array of the batch


def pieces(shape: tuple[int, ...], length: int, block: int = BLOCK) -> list[Piece]:
    """Indices that cut a batch into blocks of rows, which follow each other in C order."""
    cut = elementwise.split(shape, max(1, block // length) if length <= _LONG else 1)
    return [tuple(i if isinstance(i, slice) else slice(i, i + 1) for i in piece) for piece in cut]


def take_block(pmf: Pmf, piece: Piece) -> Pmf:
    """The rows of a block, shape (rows, K)."""
    length = pmf.values.shape[-1]
    exponents = None if pmf.exponents is None else pmf.exponents[piece].reshape(-1, length)
    if exponents is not None and not exponents.any():
        exponents = None
    return Pmf(pmf.values[piece].reshape(-1, length), exponents, np.asarray(pmf.floor)[piece].reshape(-1))


def take_row(rows: Pmf, i: int) -> Pmf:
    """Row i as a pmf of its own."""
    exponents = None if rows.exponents is None or not rows.exponents[i].any() else rows.exponents[i]
    return Pmf(rows.values[i], exponents, int(rows.floor[i]))


def item(pmf: Pmf, index: Any) -> Pmf:
    """What an index picks from a batch: one pmf or a batch."""
    *shape, length = pmf.values.shape
    places = np.arange(math.prod(shape)).reshape(shape)[index]  # so that the index cannot reach the outcomes
    exponents = None if pmf.exponents is None else pmf.exponents.reshape(-1, length)
    rows = Pmf(pmf.values.reshape(-1, length), exponents, pmf.floor.reshape(-1))
    if np.ndim(places) == 0:
        return take_row(rows, int(places))
    if exponents is not None:
        exponents = exponents[places] if exponents[places].any() else None
    return Pmf(rows.values[places], exponents, rows.floor[places])


def broadcast(pmf: Pmf, shape: tuple[int, ...]) -> Pmf:
    """One pmf or a batch, repeated to a batch of `shape`."""
    whole = (*shape, pmf.values.shape[-1])
    exponents = None if pmf.exponents is None else np.broadcast_to(pmf.exponents, whole)
    return Pmf(np.broadcast_to(pmf.values, whole), exponents, np.broadcast_to(pmf.floor, shape))


def is_scaled(rows: Pmf) -> Any:
    """Which rows have exponents: an entry for each, or False where none has."""
    return False if rows.exponents is None else (rows.exponents != 0).any(axis=1)


def plain_and_scaled(function: Callable[..., np.ndarray], *batches: Pmf) -> np.ndarray:
    """``function(*batches)``, an entry for each row, called separately for plain and for scaled rows of each batch."""
    combination = sum(is_scaled(rows) * (1 << i) for i, rows in enumerate(batches))  # of each row, a bit for each batch
    if np.ndim(combination) == 0:
        return function(*batches)
    result: np.ndarray | None = None
    for bits in np.unique(combination).tolist():
        index = np.flatnonzero(combination == bits)
        values = function(*(_select(rows, index, bits >> i & 1) for i, rows in enumerate(batches)))
        if result is None:
            result = np.empty((len(combination), *values.shape[1:]), values.dtype)
        result[index] = values
    assert result is not None
    return result


def _select(rows: Pmf, index: np.ndarray, scaled: int) -> Pmf:
    exponents = rows.exponents[index] if scaled and rows.exponents is not None else None
    return Pmf(rows.values[index], exponents, rows.floor[index])


# ------------------------------------------------------------------------------------------ construction


def plain_floor(probs: np.ndarray) -> np.ndarray:
    """The floor of each row: the power of two that no positive probability is below."""
    return np.frexp(np.where(probs > 0, probs, 1.0).min(axis=-1))[1].astype(np.int64) - 1


def from_probs(shape: tuple[int, ...], dtype: np.dtype, checked: Callable[[Piece], np.ndarray]) -> Pmf:
    """A batch of `shape` (..., K), for which `checked` makes the valid probabilities of each block of rows."""
    batch = BatchBuilder(shape[:-1], shape[-1], dtype)

    def fill(piece: Piece) -> None:
        rows = checked(piece)
        batch.put(piece, Pmf(rows, None, plain_floor(rows)))

    batch.fill(fill, seconds=math.prod(shape) * 1e-8)
    return batch.pmf()


def from_logs(shape: tuple[int, ...], checked: Callable[[Piece], np.ndarray]) -> Pmf:
    """A batch of `shape` (..., K), for which `checked` makes the valid natural logarithms of each block of rows."""
    batch = BatchBuilder(shape[:-1], shape[-1], np.dtype(np.float64))

    def fill(piece: Piece) -> None:
        mantissas, exponents = scaled_pmf.log_parts(checked(piece).astype(np.float64))
        floor = np.where(mantissas > 0, exponents, 0).min(axis=1)
        plain = floor >= -1022
        values = scaled_pmf.probs(Pmf(mantissas, exponents, 0))
        if plain.all():
            batch.put(piece, Pmf(values, None, floor))
        else:
            column = plain[:, None]
            batch.put(piece, Pmf(np.where(column, values, mantissas), np.where(column, 0, exponents), floor))

    batch.fill(fill, seconds=math.prod(shape) * 4e-8)
    return batch.pmf()


class BatchBuilder:
    """A batch of pmfs that is made block by block; there is memory for exponents when a block has some."""

    def __init__(self, shape: tuple[int, ...], length: int, dtype: np.dtype) -> None:
        self._values, self._floor = np.empty((*shape, length), dtype), np.empty(shape, np.int64)
        self._exponents: list[tuple[Piece, np.ndarray]] = []

    def fill(self, fill: Callable[[Piece], object], *, seconds: float) -> None:
        """Call `fill`, which has to `put`, for every block."""
        cut = pieces(self._floor.shape, self._values.shape[-1])
        run_blocks(lambda i: fill(cut[i]), len(cut), seconds=seconds)

    def put(self, piece: Piece, rows: Pmf) -> None:
        """Store the rows of a block."""
        target = self._values[piece]
        target[...] = rows.values.reshape(target.shape)
        self._floor[piece] = rows.floor.reshape(target.shape[:-1])
        if rows.exponents is not None:
            self._exponents.append((piece, rows.exponents.reshape(target.shape)))

    def pmf(self) -> Pmf:
        """The batch, when all blocks are stored."""
        exponents = None
        if self._exponents:
            exponents = np.zeros(self._values.shape, np.int64)
            while self._exponents:
                piece, of_piece = self._exponents.pop()
                exponents[piece] = of_piece
        return Pmf(self._values, exponents, self._floor)


# ------------------------------------------------------------------------------------------ values of each row


def per_row(pmf: Pmf, function: Callable[[Pmf], np.ndarray], dtype: Any, *entries: int) -> np.ndarray:
    """An array of batch_shape + `entries`: what `function` gives for the rows of each block, shape (rows, \\*entries)."""
    *shape, length = pmf.values.shape
    result = np.empty((*shape, *entries), dtype)
    cut = pieces(tuple(shape), length)

    def block(i: int) -> None:
        target = result[cut[i]]
        target[...] = function(take_block(pmf, cut[i])).reshape(target.shape)

    run_blocks(block, len(cut), seconds=pmf.values.size * 1e-8)
    return result


def probs(rows: Pmf, dtype: np.dtype) -> np.ndarray:
    """Probabilities in `dtype`."""
    return scaled_pmf.probs(rows).astype(dtype, copy=False)


def logs(rows: Pmf, dtype: np.dtype) -> np.ndarray:
    """Natural logarithms of the probabilities of some rows, in `dtype`."""
    return plain_and_scaled(lambda alike: scaled_pmf.logs(alike.values, alike.exponents), rows).astype(dtype, copy=False)


def modes(rows: Pmf) -> np.ndarray:
    """Index of the largest probability of each row, the first of equal ones."""

    def index(alike: Pmf) -> np.ndarray:
        if alike.exponents is None:
            return alike.values.argmax(axis=1)
        highest = np.where(alike.values > 0, alike.exponents, np.iinfo(np.int64).min).max(axis=1)
        return np.where(alike.exponents == highest[:, None], alike.values, 0.0).argmax(axis=1)

    return plain_and_scaled(index, rows)


def entropies(rows: Pmf, dtype: np.dtype) -> np.ndarray:
    """Entropy of each row, summed over the positive probabilities only: rows with as many of them go together."""
    p = probs(rows, dtype).astype(np.float64)
    positive = p > 0
    terms = np.multiply(p, logs(rows, dtype), out=np.zeros_like(p), where=positive)
    counts, result = positive.sum(axis=1), np.empty(len(p))
    for count in np.unique(counts).tolist():
        index = np.flatnonzero(counts == count)
        result[index] = -np.sum(terms[index][positive[index]].reshape(len(index), count), axis=1) + 0.0
    return result


def expectations(pmf: Pmf, dtype: np.dtype, values: np.ndarray) -> np.ndarray:
    """Σ p·g of each row of a batch, for the values g of the outcomes and probabilities rounded to `dtype`."""
    return per_row(pmf, lambda rows: expectation.of_outcomes(probs(rows, dtype).astype(np.float64), values)[0], np.float64)


def equal(a: Pmf, b: Pmf) -> bool:
    """Whether two batches of one shape have equal probabilities."""
    *shape, length = a.values.shape

    def same(piece: Piece) -> bool:
        (x, e), (y, f) = (_mantissas_and_exponents(take_block(pmf, piece)) for pmf in (a, b))
        return np.array_equal(x, y) and np.array_equal(e, f)

    return all(map(same, pieces(tuple(shape), length)))


def _mantissas_and_exponents(rows: Pmf) -> tuple[np.ndarray, np.ndarray]:
    """Mantissas in [1, 2) or 0, and exponents, whether rows are plain or scaled."""
    mantissas, exponents = np.frexp(rows.values.astype(np.float64))
    powers = exponents.astype(np.int64) - 1 + (0 if rows.exponents is None else rows.exponents)
    return 2.0 * mantissas, np.where(mantissas > 0, powers, 0)


# ------------------------------------------------------------------------------------------ pairs


def paired(
    function: str, p: Pmf, q: Pmf, value: Callable[[Pmf, Pmf], np.ndarray], p_name: str = "a", q_name: str = "b"
) -> np.ndarray:
    """``value(p, q)`` in float64 for all pairs of rows of two batches that broadcast.

    `value` gets two pmfs, or two batches of rows of which each is plain or scaled throughout. The names are those of the
    arguments of `function`, for its error.
    """
    shape = broadcast_shapes(function, **{p_name: p.values.shape[:-1], q_name: q.values.shape[:-1]})
    length = max(p.values.shape[-1], q.values.shape[-1])
    result = np.empty(shape)
    p, q = broadcast(p, shape), broadcast(q, shape)
    cut = pieces(shape, length)

    def block(i: int) -> None:
        p_rows, q_rows = take_block(p, cut[i]), take_block(q, cut[i])
        target = result[cut[i]]
        if target.size == 1:  # perhaps long
            target[...] = value(take_row(p_rows, 0), take_row(q_rows, 0))
        else:
            target[...] = plain_and_scaled(value, p_rows, q_rows).reshape(target.shape)

    run_blocks(block, len(cut), seconds=result.size * length * 1e-8)
    return result
