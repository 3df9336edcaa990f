"""Probabilities, tails and quantiles at given points, of one pmf or row by row of a batch.

Points broadcast with a batch: x has a shape such as (…, batch axes), and each of its elements is looked up in its own row.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from loglik._discrete import pmf_rows, scaled_pmf
from loglik._discrete.pmf_rows import plain_and_scaled
from loglik._discrete.scaled_pmf import Pmf
from loglik._engine import elementwise
from loglik._engine.parallel import run_blocks
from loglik._engine.validate import broadcast_shapes

# Takes indices into the flat entries of a table (for a batch: of the rows of a block) to the values there.
Take = Callable[[np.ndarray], np.ndarray]

# ------------------------------------------------------------------------------------------ values at outcomes


def at_points(
    x: np.ndarray, start: int, length: int, take: Take, below: float, above: float, only_integers: bool
) -> np.ndarray:
    """``take(floor(x) - start)``; `below` and `above` outside, NaN for NaN; `below` for no integer if `only_integers`."""
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


def batch_at_points(
    function: str, pmf: Pmf, start: int, dtype: np.dtype, method: str, x: np.ndarray, result: np.ndarray | np.dtype,
    below: float, above: float, only_integers: bool,
) -> np.ndarray:  # fmt: skip
    """`at_points` for each row of a batch, with the table of a `method` of TABLES; `result` is where to write, or the dtype."""
    length, table = pmf.values.shape[-1], _TABLES[method]

    def fill(take: Take, first: np.ndarray, x: np.ndarray) -> np.ndarray:
        return at_points(x, start, length, lambda index: take(first + index), below, above, only_integers)

    return _row_by_row(function, pmf, result, {"x": x}, lambda rows: table(rows, dtype), fill)


def _probs_table(rows: Pmf, dtype: np.dtype) -> Take:
    values = rows.values.reshape(-1)
    if rows.exponents is None:
        return lambda index: values[index].astype(dtype, copy=False)
    exponents = rows.exponents.reshape(-1)
    return lambda index: pmf_rows.probs(Pmf(values[index], exponents[index], 0), dtype)


def _logs_table(rows: Pmf, dtype: np.dtype) -> Take:
    values, scaled, length = rows.values.reshape(-1), pmf_rows.is_scaled(rows), rows.values.shape[1]
    if rows.exponents is None:
        return lambda index: scaled_pmf.logs(values[index], None).astype(dtype, copy=False)
    exponents = rows.exponents.reshape(-1)

    def take(index: np.ndarray) -> np.ndarray:
        taken = values[index]
        both = scaled_pmf.logs(taken, exponents[index]), scaled_pmf.logs(taken, None)
        return np.where(scaled[index // length], *both).astype(dtype, copy=False)

    return take


def _tails_table(name: str) -> Callable[[Pmf, np.dtype], Take]:
    def table(rows: Pmf, dtype: np.dtype) -> Take:
        def tail(alike: Pmf) -> np.ndarray:
            return getattr(scaled_pmf.tails(alike, log=name.startswith("log")), name)

        return plain_and_scaled(tail, rows).reshape(-1).__getitem__

    return table


# What makes the table of a method of `Discrete` from the rows of a block.
_TABLES: dict[str, Callable[[Pmf, np.dtype], Take]] = {
    "prob": _probs_table, "log_prob": _logs_table, **{name: _tails_table(name) for name in scaled_pmf.Tails._fields}
}  # fmt: skip


def _row_by_row(
    function: str, pmf: Pmf, result: np.ndarray | np.dtype, arguments: dict[str, np.ndarray], prepare: Callable[[Pmf], Any],
    fill: Callable[..., np.ndarray],
) -> np.ndarray:  # fmt: skip
    """Values at arguments that broadcast with the batch.

    ``fill(prepare(rows), first, *arguments)`` gets elements of the arguments, and for each of them where its row begins among
    the entries of the block. `result` is where to write, or the dtype.
    """
    *batch, length = pmf.values.shape
    shapes = {name: array.shape for name, array in arguments.items()}
    shape = broadcast_shapes(function, **shapes, batch=tuple(batch))
    out = result if isinstance(result, np.ndarray) else np.empty(shape, result)
    views = [np.broadcast_to(array, shape) for array in arguments.values()]
    leading = len(shape) - len(batch)
    cut = pmf_rows.pieces(tuple(batch), length)

    def block(i: int) -> None:
        rows = pmf_rows.take_block(pmf, cut[i])
        prepared = prepare(rows)
        # An axis of the batch that an argument broadcasts is not cut.
        index = (slice(None),) * leading + tuple(
            piece if size == batch[axis] else slice(None)
            for axis, (piece, size) in enumerate(zip(cut[i], shape[leading:], strict=False))
        )
        target, taken = out[index], [view[index] for view in views]
        first = np.broadcast_to((np.arange(len(rows.values)) * length).reshape(pmf.floor[cut[i]].shape), target.shape)
        for place in elementwise.split(target.shape, pmf_rows.BLOCK):
            target[place] = fill(prepared, first[place], *(view[place] for view in taken))

    run_blocks(block, len(cut), seconds=(out.size * 4 + pmf.values.size) * 1e-8)
    return out


# ------------------------------------------------------------------------------------------ quantiles


def quantile(pmf: Pmf, tails: scaled_pmf.Tails, start: int, dtype: np.dtype, q: np.ndarray) -> np.ndarray:
    """The smallest outcome with a cdf of at least q, within [0, 1] or NaN."""
    possible = np.flatnonzero(pmf.values)
    low = np.searchsorted(tails.cdf.astype(dtype, copy=False), q.astype(dtype))
    # sf never rises: its mirror image is sorted. The first index with sf <= 1 − q.
    high = len(pmf) - np.searchsorted(tails.sf[::-1], 1.0 - q, side="right")
    return _nearer(q, low, high, possible[0], possible[-1], start, dtype)


def batch_quantile(function: str, pmf: Pmf, start: int, dtype: np.dtype, q: np.ndarray) -> np.ndarray:
    """`quantile` for each row of a batch."""
    length = pmf.values.shape[-1]

    def prepare(rows: Pmf) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        def tables(alike: Pmf) -> np.ndarray:
            tails = scaled_pmf.tails(alike, log=False)
            return np.stack([tails.cdf.astype(dtype).astype(np.float64), -tails.sf], axis=1)  # both rise

        possible = rows.values > 0
        last = length - 1 - possible[:, ::-1].argmax(axis=1)
        return plain_and_scaled(tables, rows).reshape(-1), possible.argmax(axis=1), last

    def fill(prepared: tuple[np.ndarray, np.ndarray, np.ndarray], first: np.ndarray, q: np.ndarray) -> np.ndarray:
        table, lowest, highest = prepared
        row = first // length
        low = count_below(table, 2 * first, length, q.astype(dtype).astype(np.float64), or_equal=False)
        high = count_below(table, 2 * first + length, length, -(1.0 - q), or_equal=False)
        return _nearer(q, low, high, lowest[row], highest[row], start, dtype)

    return _row_by_row(function, pmf, np.dtype(np.float64), {"q": q}, prepare, fill)


def _nearer(q: np.ndarray, low: Any, high: Any, lowest: Any, highest: Any, start: int, dtype: np.dtype) -> np.ndarray:
    """The quantile by its index from the lower tail and that from the upper tail, among the possible outcomes."""
    # So that quantile(cdf(x)) is x, q stands for what is rounded to it, except where that is much of the upper tail.
    high = np.where(1.0 - q > 2**13 * np.finfo(dtype).eps, np.minimum(low, high), high)
    index = np.clip(np.where(q > 0.5, high, low), lowest, highest)
    index = np.where(q == 1.0, highest, index)
    return np.where(np.isnan(q), np.nan, start + index.astype(np.float64))


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


# ------------------------------------------------------------------------------------------ intervals


def prob_between(probs: np.ndarray, start: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """P(a <= X <= b) for probabilities of the outcomes from `start` on, in float64; NaN for NaN."""
    padded = np.append(probs.astype(np.float64), 0.0)
    low, high = np.broadcast_arrays(a, b)
    return _sums_between(padded, 0, low, high, start, len(probs))


def batch_prob_between(function: str, pmf: Pmf, start: int, dtype: np.dtype, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`prob_between` for each row of a batch, in `dtype`."""
    length = pmf.values.shape[-1]

    def prepare(rows: Pmf) -> np.ndarray:
        p = pmf_rows.probs(rows, dtype)
        padded = np.zeros((len(p), length + 1))
        padded[:, :-1] = p
        return padded.reshape(-1)

    def fill(padded: np.ndarray, first: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return _sums_between(padded, first + first // length, a, b, start, length)

    return _row_by_row(function, pmf, dtype, {"a": a, "b": b}, prepare, fill)


def _sums_between(padded: np.ndarray, first: Any, a: np.ndarray, b: np.ndarray, start: int, length: int) -> np.ndarray:
    """P(a <= X <= b) from rows of `length` probabilities with a zero behind each; `first` is where a row begins."""
    missing = np.isnan(a) | np.isnan(b)
    low = np.clip(np.ceil(np.where(missing, 0, a)) - start, 0, length).astype(np.int64)
    high = np.clip(np.floor(np.where(missing, 0, b)) - start + 1, 0, length).astype(np.int64)
    # reduceat sums from each index to the next; a zero behind the end lets every index be in range.
    bounds = np.stack([low + first, np.maximum(high, low) + first], axis=-1).ravel()
    sums = np.add.reduceat(padded, bounds)[::2].reshape(a.shape) if bounds.size else np.zeros(a.shape)
    return np.where(missing, np.nan, np.where(high > low, np.minimum(sums, 1.0), 0.0))
