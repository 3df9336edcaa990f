"""Batches of pmfs: what a `Discrete` with a batch shape computes, many rows at a time.

Design
- The masses are one `Pmf` whose arrays have the shape batch_shape + (K,), and whose floor has an entry for each row. Where some
  row needs exponents, those of the other rows are 0, and no row of the first kind has zeros only.
- A row has the bits of a pmf of its own: the same operations in the same order, and rows of the two kinds apart.
- Work goes through blocks of rows, cut by the shape alone, over the threads; temporaries are as large as a block.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from loglik import _kernels
from loglik._discrete import scaled_pmf
from loglik._discrete.scaled_pmf import Pmf
from loglik._engine import elementwise, expectation
from loglik._engine.blocks import Sink
from loglik._engine.parallel import run_blocks
from loglik._engine.validate import broadcast_shapes

if TYPE_CHECKING:
    from loglik.distributions.discrete import Discrete

_BLOCK = 1 << 15  # entries of a block of rows: its temporaries stay in the second-level cache
_LONG = 1 << 12  # rows above are taken one by one
_TABLE = 1 << 18  # entries of the tables that a block of a sample is drawn by
_DRAWS = 1 << 15

Piece = tuple[slice, ...]


def pieces(shape: tuple[int, ...], length: int, block: int = _BLOCK) -> list[Piece]:
    """Indices that cut a batch into blocks of rows, which follow each other in C order."""
    cut = elementwise.split(shape, max(1, block // length) if length <= _LONG else 1)
    return [tuple(i if isinstance(i, slice) else slice(i, i + 1) for i in piece) for piece in cut]


def part(pmf: Pmf, piece: Piece) -> Pmf:
    """The rows of a block, shape (rows, K)."""
    length = pmf.values.shape[-1]
    exponents = None if pmf.exponents is None else pmf.exponents[piece].reshape(-1, length)
    if exponents is not None and not exponents.any():
        exponents = None
    return Pmf(pmf.values[piece].reshape(-1, length), exponents, np.asarray(pmf.floor)[piece].reshape(-1))


def spread(pmf: Pmf, shape: tuple[int, ...]) -> Pmf:
    """The masses, of one pmf or many, repeated to a batch of `shape`."""
    whole = (*shape, pmf.values.shape[-1])
    exponents = None if pmf.exponents is None else np.broadcast_to(pmf.exponents, whole)
    return Pmf(np.broadcast_to(pmf.values, whole), exponents, np.broadcast_to(pmf.floor, shape))


def _select(rows: Pmf, some: Any, scaled: Any) -> Pmf:
    return Pmf(rows.values[some], rows.exponents[some] if scaled and rows.exponents is not None else None, rows.floor[some])


def scaled_rows(rows: Pmf) -> Any:
    """Which rows have exponents."""
    return False if rows.exponents is None else (rows.exponents != 0).any(axis=1)


def by_kind(function: Callable[..., np.ndarray], *parts: Pmf) -> np.ndarray:
    """``function(*parts)``, with an entry for each row, called for rows with and without exponents apart."""
    kinds = sum(scaled_rows(rows) * (1 << i) for i, rows in enumerate(parts))
    if np.ndim(kinds) == 0:
        return function(*parts)
    result: np.ndarray | None = None
    for kind in np.unique(kinds).tolist():
        some = np.flatnonzero(kinds == kind)
        values = function(*(_select(rows, some, kind >> i & 1) for i, rows in enumerate(parts)))
        if result is None:
            result = np.empty((len(kinds), *values.shape[1:]), values.dtype)
        result[some] = values
    assert result is not None
    return result


def single(rows: Pmf, i: int) -> Pmf:
    """Row i as a pmf of its own."""
    exponents = None if rows.exponents is None or not rows.exponents[i].any() else rows.exponents[i]
    return Pmf(rows.values[i], exponents, int(rows.floor[i]))


# ------------------------------------------------------------------------------------------ construction


def plain_floor(probs: np.ndarray) -> np.ndarray:
    """The floor of each row: the power of two that no positive probability is below."""
    return np.frexp(np.where(probs > 0, probs, 1.0).min(axis=-1))[1].astype(np.int64) - 1


def of_probs(shape: tuple[int, ...], dtype: np.dtype, checked: Callable[[Piece], np.ndarray]) -> Pmf:
    """Of probabilities, shape (..., K), of which `checked` makes the valid ones of each block of rows."""
    result = Rows(shape[:-1], shape[-1], dtype)

    def block(piece: Piece) -> None:
        rows = checked(piece)
        result.put(piece, Pmf(rows, None, plain_floor(rows)))

    result.fill(block, seconds=math.prod(shape) * 1e-8)
    return result.pmf()


def of_logs(shape: tuple[int, ...], checked: Callable[[Piece], np.ndarray]) -> Pmf:
    """The same of natural logarithms."""
    result = Rows(shape[:-1], shape[-1], np.dtype(np.float64))

    def block(piece: Piece) -> None:
        mantissas, exponents = scaled_pmf.log_parts(checked(piece).astype(np.float64))
        floor = np.where(mantissas > 0, exponents, 0).min(axis=1)
        plain = floor >= -1022
        values = scaled_pmf.probs(Pmf(mantissas, exponents, 0))
        if plain.all():
            result.put(piece, Pmf(values, None, floor))
        else:
            keep = plain[:, None]
            result.put(piece, Pmf(np.where(keep, values, mantissas), np.where(keep, 0, exponents), floor))

    result.fill(block, seconds=math.prod(shape) * 4e-8)
    return result.pmf()


class Rows:
    """Masses that are made block by block; there is memory for exponents when a block has some."""

    def __init__(self, shape: tuple[int, ...], length: int, dtype: np.dtype) -> None:
        self._values, self._floor = np.empty((*shape, length), dtype), np.empty(shape, np.int64)
        self._exponents: list[tuple[Piece, np.ndarray]] = []

    def fill(self, block: Callable[[Piece], object], *, seconds: float) -> None:
        cut = pieces(self._floor.shape, self._values.shape[-1])
        run_blocks(lambda i: block(cut[i]), len(cut), seconds=seconds)

    def put(self, piece: Piece, rows: Pmf) -> None:
        target = self._values[piece]
        target[...] = rows.values.reshape(target.shape)
        self._floor[piece] = rows.floor.reshape(target.shape[:-1])
        if rows.exponents is not None:
            self._exponents.append((piece, rows.exponents.reshape(target.shape)))

    def pmf(self) -> Pmf:
        exponents = None
        if self._exponents:
            exponents = np.zeros(self._values.shape, np.int64)
            while self._exponents:
                piece, some = self._exponents.pop()
                exponents[piece] = some
        return Pmf(self._values, exponents, self._floor)


# ------------------------------------------------------------------------------------------ a value for each row


def per_row(d: "Discrete", function: Callable[[Pmf], np.ndarray], dtype: Any, *entries: int) -> np.ndarray:
    """``function`` of the rows of each block, which has so many `entries` for each, as an array of batch_shape + entries."""
    result = np.empty((*d.batch_shape, *entries), dtype)
    cut = pieces(d.batch_shape, d._length)

    def block(i: int) -> None:
        target = result[cut[i]]
        target[...] = function(part(d._masses, cut[i])).reshape(target.shape)

    run_blocks(block, len(cut), seconds=math.prod(d.batch_shape) * d._length * 1e-8)
    return result


def probs(rows: Pmf, dtype: np.dtype) -> np.ndarray:
    """Probabilities as an object of this dtype has them."""
    return scaled_pmf.probs(rows).astype(dtype, copy=False)


def logs(rows: Pmf, dtype: np.dtype) -> np.ndarray:
    """Their logarithms."""
    return by_kind(lambda some: scaled_pmf.logs(some.values, some.exponents), rows).astype(dtype, copy=False)


class Moments:
    """Moments of rows of probabilities, over outcomes that are counted from 0."""

    def __init__(self, rows: Pmf, dtype: np.dtype) -> None:
        self._probs, self._dtype = probs(rows, dtype), dtype
        self._outcomes = np.arange(self._probs.shape[-1])
        self.mean: Any = np.sum(self._probs * self._outcomes, axis=-1, dtype=np.float64)

    def central(self, order: int) -> Any:
        distance = self._outcomes - self.mean[:, None]
        return np.sum(self._probs * distance**order, axis=-1, dtype=np.float64)

    def variance(self) -> np.ndarray:
        return self.central(2).astype(self._dtype)

    def skewness(self) -> np.ndarray:
        variance = self.variance()
        with np.errstate(invalid="ignore", divide="ignore"):
            value = self.central(3) / variance.astype(np.float64) / np.sqrt(variance).astype(np.float64)
        return np.where(variance > 0, value, np.nan)

    def kurtosis(self) -> np.ndarray:
        variance = self.variance().astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(variance > 0, self.central(4) / variance / variance - 3.0, np.nan)


def modes(rows: Pmf) -> np.ndarray:
    """Index of the largest probability of each row, the first of equal ones."""

    def index(some: Pmf) -> np.ndarray:
        if some.exponents is None:
            return some.values.argmax(axis=1)
        highest = np.where(some.values > 0, some.exponents, np.iinfo(np.int64).min).max(axis=1)
        return np.where(some.exponents == highest[:, None], some.values, 0.0).argmax(axis=1)

    return by_kind(index, rows)


def entropies(rows: Pmf, dtype: np.dtype) -> np.ndarray:
    """Entropy of each row, summed over what is above 0 only: rows with as many such entries go together."""
    p = probs(rows, dtype).astype(np.float64)
    some = p > 0
    terms = np.multiply(p, logs(rows, dtype), out=np.zeros_like(p), where=some)
    counts, result = some.sum(axis=1), np.empty(len(p))
    for count in np.unique(counts).tolist():
        which = np.flatnonzero(counts == count)
        result[which] = -np.sum(terms[which][some[which]].reshape(len(which), count), axis=1) + 0.0
    return result


def expectations(d: "Discrete", values: np.ndarray) -> np.ndarray:
    """Σ p·g of each row, for the values g of the outcomes."""
    return per_row(d, lambda rows: expectation.of_outcomes(probs(rows, d.dtype).astype(np.float64), values)[0], np.float64)


def equal(a: "Discrete", b: "Discrete") -> bool:
    """Whether two batches of one shape have the same masses."""

    def same(piece: Piece) -> bool:
        (x, e), (y, f) = (_scaled(part(d._masses, piece)) for d in (a, b))
        return np.array_equal(x, y) and np.array_equal(e, f)

    return all(map(same, pieces(a.batch_shape, a._length)))


def _scaled(rows: Pmf) -> tuple[np.ndarray, np.ndarray]:
    """Mantissas in [1, 2) or 0, and exponents."""
    mantissas, exponents = np.frexp(rows.values.astype(np.float64))
    powers = exponents.astype(np.int64) - 1 + (0 if rows.exponents is None else rows.exponents)
    return 2.0 * mantissas, np.where(mantissas > 0, powers, 0)


# ------------------------------------------------------------------------------------------ values at outcomes

# What takes flat indices into the rows of a block to values there.
Take = Callable[[np.ndarray], np.ndarray]


def probs_at(rows: Pmf, dtype: np.dtype) -> Take:
    values = rows.values.reshape(-1)
    if rows.exponents is None:
        return lambda at: values[at].astype(dtype, copy=False)
    exponents = rows.exponents.reshape(-1)
    return lambda at: probs(Pmf(values[at], exponents[at], 0), dtype)


def logs_at(rows: Pmf, dtype: np.dtype) -> Take:
    values, scaled, length = rows.values.reshape(-1), scaled_rows(rows), rows.values.shape[1]
    if rows.exponents is None:
        return lambda at: scaled_pmf.logs(values[at], None).astype(dtype, copy=False)
    exponents = rows.exponents.reshape(-1)

    def take(at: np.ndarray) -> np.ndarray:
        some = values[at]
        both = scaled_pmf.logs(some, exponents[at]), scaled_pmf.logs(some, None)
        return np.where(scaled[at // length], *both).astype(dtype, copy=False)

    return take


def tails_at(name: str) -> Callable[[Pmf, np.dtype], Take]:
    def prepare(rows: Pmf, dtype: np.dtype) -> Take:
        table = by_kind(lambda some: getattr(scaled_pmf.tails(some, log=name.startswith("log")), name), rows).reshape(-1)
        return table.__getitem__

    return prepare


TABLES: dict[str, Callable[[Pmf, np.dtype], Take]] = {
    "prob": probs_at, "log_prob": logs_at, **{name: tails_at(name) for name in scaled_pmf.Tails._fields}
}  # fmt: skip


def look_up(
    x: np.ndarray, start: int, length: int, take: Take, below: float, above: float, only_integers: bool
) -> np.ndarray:
    """``take(floor(x) - start)``; `below` and `above` outside; `below` for no integer, if asked. For any pmf."""
    # Outcomes are below 2^53: float64 holds each of them, and no other integer rounds to one.
    x = x.astype(np.float64)
    missing = np.isnan(x)
    with np.errstate(invalid="ignore"):
        whole = np.floor(x)
        index = whole - start
        inside = (index >= 0) & (index < length)
        value = take(np.where(inside, index, 0.0).astype(np.int64))
        value = np.where(inside, value, np.where(index < 0, below, above))
        if only_integers:
            value = np.where(whole == x, value, below)
    return np.where(missing, np.nan, value)


def over_rows(
    d: "Discrete", function: str, result: np.ndarray | np.dtype, arguments: dict[str, np.ndarray], prepare: Callable[[Pmf], Any],
    fill: Callable[..., np.ndarray],
) -> np.ndarray:  # fmt: skip
    """Values at arguments that broadcast with the batch.

    ``fill(prepare(rows), first, *arguments)`` gets parts of the arguments, and where their row begins among the entries of the
    block. `result` is where to write, or the dtype.
    """
    shapes = {name: array.shape for name, array in arguments.items()}
    shape = broadcast_shapes(function, **shapes, batch=d.batch_shape)
    out = result if isinstance(result, np.ndarray) else np.empty(shape, result)
    views = [np.broadcast_to(array, shape) for array in arguments.values()]
    lead = len(shape) - len(d.batch_shape)
    cut = pieces(d.batch_shape, d._length)

    def block(i: int) -> None:
        rows = part(d._masses, cut[i])
        ready = prepare(rows)
        # An axis of the batch that an argument broadcasts is not cut.
        wide = [slice(None)] * lead + [
            one if size == d.batch_shape[axis] else slice(None)
            for axis, (one, size) in enumerate(zip(cut[i], shape[lead:], strict=False))
        ]
        target, taken = out[tuple(wide)], [view[tuple(wide)] for view in views]
        first = np.broadcast_to((np.arange(len(rows.values)) * d._length).reshape(d._masses.floor[cut[i]].shape), target.shape)
        for some in elementwise.split(target.shape, _BLOCK):
            target[some] = fill(ready, first[some], *(view[some] for view in taken))

    run_blocks(block, len(cut), seconds=(out.size * 4 + math.prod(d.batch_shape) * d._length) * 1e-8)
    return out


def quantiles(d: "Discrete", q: np.ndarray) -> np.ndarray:
    """The smallest outcome with a cdf of at least q, within [0, 1] or NaN; the steps of `Discrete.quantile`."""
    length = d._length

    def prepare(rows: Pmf) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        def tables(some: Pmf) -> np.ndarray:
            tails = scaled_pmf.tails(some, log=False)
            return np.stack([tails.cdf.astype(d.dtype).astype(np.float64), -tails.sf], axis=1)  # both rise

        possible = rows.values > 0
        last = length - 1 - possible[:, ::-1].argmax(axis=1)
        return by_kind(tables, rows).reshape(-1), possible.argmax(axis=1), last

    def fill(ready: tuple[np.ndarray, np.ndarray, np.ndarray], first: np.ndarray, q: np.ndarray) -> np.ndarray:
        table, lowest, highest = ready
        row = first // length
        low = count_below(table, 2 * first, length, q.astype(d.dtype).astype(np.float64), or_equal=False)
        high = count_below(table, 2 * first + length, length, -(1.0 - q), or_equal=False)
        high = np.where(1.0 - q > 2**13 * np.finfo(d.dtype).eps, np.minimum(low, high), high)
        index = np.clip(np.where(q > 0.5, high, low), lowest[row], highest[row])
        index = np.where(q == 1.0, highest[row], index)
        return np.where(np.isnan(q), np.nan, d._start + index.astype(np.float64))

    return over_rows(d, "Discrete.quantile", np.dtype(np.float64), {"q": q}, prepare, fill)


def count_below(table: np.ndarray, first: Any, length: int, key: np.ndarray, *, or_equal: bool) -> np.ndarray:
    """How many of the `length` rising numbers from table[first] on are below `key`, or at most equal to it."""
    found = np.zeros(key.shape, np.int64)
    step = 1 << (length.bit_length() - 1)
    while step:
        further = found + step
        value = table[first + np.minimum(further, length) - 1]
        found = np.where((further <= length) & ((value <= key) if or_equal else (value < key)), further, found)
        step >>= 1
    return found


def padded_probs(rows: Pmf, dtype: np.dtype) -> np.ndarray:
    """Rows of probabilities in float64, a zero behind each."""
    p = probs(rows, dtype)
    padded = np.zeros((*p.shape[:-1], p.shape[-1] + 1))
    padded[..., :-1] = p
    return padded.reshape(-1)


def between(padded: np.ndarray, first: Any, a: np.ndarray, b: np.ndarray, start: int, length: int) -> np.ndarray:
    """P(a <= X <= b) from `padded_probs`; `first` is where the row begins. For any pmf."""
    missing = np.isnan(a) | np.isnan(b)
    low = np.clip(np.ceil(np.where(missing, 0, a)) - start, 0, length).astype(np.int64)
    high = np.clip(np.floor(np.where(missing, 0, b)) - start + 1, 0, length).astype(np.int64)
    # reduceat sums from each index to the next; a zero behind the end lets every index be in range.
    bounds = np.stack([low + first, np.maximum(high, low) + first], axis=-1).ravel()
    sums = np.add.reduceat(padded, bounds)[::2].reshape(a.shape) if bounds.size else np.zeros(a.shape)
    return np.where(missing, np.nan, np.where(high > low, np.minimum(sums, 1.0), 0.0))


# ------------------------------------------------------------------------------------------ sampling


def sample(d: "Discrete", result: np.ndarray, key: int) -> None:
    """Fill an array whose last axes are the batch: number i is made from uniform number i, by the inversion that one pmf has."""
    if result.size == 0:
        return
    width = math.prod(d.batch_shape)
    sink = Sink(result, tuple(range(result.ndim)))
    cut = pieces(d.batch_shape, d._length, _TABLE)
    starts = np.cumsum([0, *(math.prod(d._masses.floor[piece].shape) for piece in cut)]).tolist()
    repeats = result.size // width
    together = max(1, _DRAWS // width) if len(cut) == 1 else 1

    def table(i: int) -> np.ndarray:
        p = probs(part(d._masses, cut[i]), d.dtype).astype(np.float64)
        sums = _kernels.cumulative(p.reshape(-1), rows=len(p)).reshape(p.shape)
        np.maximum.accumulate(sums, axis=1, out=sums)
        sums /= sums[:, -1:]
        return sums.reshape(-1)

    def draw(sums: np.ndarray, i: int, row: int) -> None:
        rows = starts[i + 1] - starts[i]
        for begin in range(0, rows, _DRAWS):
            count = min(rows - begin, _DRAWS)
            copies = min(together, repeats - row) if count == rows else 1
            at = row * width + starts[i] + begin
            uniform = np.empty(count * copies)
            _kernels.fill_uniform(key, 0, at, uniform)
            first = np.tile(np.arange(begin, begin + count) * d._length, copies)
            values = sink.block(at, at + len(uniform))
            values[...] = d._start + count_below(sums, first, d._length, uniform, or_equal=True)
            sink.put(at, at + len(uniform), values)

    seconds = result.size * 5e-8
    if len(cut) == 1:
        sums = table(0)
        run_blocks(lambda i: draw(sums, 0, i * together), -(-repeats // together), seconds=seconds)
        return

    def block(i: int) -> None:
        sums = table(i)
        for row in range(repeats):
            draw(sums, i, row)

    run_blocks(block, len(cut), seconds=seconds)


# ------------------------------------------------------------------------------------------ pairs


def paired(
    function: str, a: "Discrete", b: "Discrete", value: Callable[[Pmf, Pmf], np.ndarray], a_name: str = "a", b_name: str = "b"
) -> np.ndarray:
    """``value(p, q)`` in float64 for all pairs of rows of two batches that broadcast; p and q are pmfs, or rows of one kind."""
    shape = broadcast_shapes(function, **{a_name: a.batch_shape, b_name: b.batch_shape})
    result = np.empty(shape)
    p, q = spread(a._masses, shape), spread(b._masses, shape)
    cut = pieces(shape, max(a._length, b._length))

    def block(i: int) -> None:
        x, y = part(p, cut[i]), part(q, cut[i])
        target = result[cut[i]]
        if target.size == 1:  # perhaps long
            target[...] = value(single(x, 0), single(y, 0))
        else:
            target[...] = by_kind(value, x, y).reshape(target.shape)

    run_blocks(block, len(cut), seconds=result.size * max(a._length, b._length) * 1e-8)
    return result
