"""Probabilities, tails, quantiles and intervals at given points, of one pmf or row by row of a batch.

Design
- A method has a *reader*, a function of arrays of points. The reader of one pmf is made from its tables; that of a batch, from a
  block of rows, takes first, for each point, where its row begins among the entries of the block.
- Points broadcast with a batch: x has a shape such as (…, batch axes), and each of its elements is looked up in its own row.
- Readers leave floating-point warnings to the caller.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from loglik._discrete import pmf_rows, scaled_pmf
from loglik._discrete.pmf_rows import plain_and_scaled
from loglik._discrete.scaled_pmf import Pmf, Tails
from loglik._engine import elementwise
from loglik._engine.parallel import run_blocks

Reader = Callable[..., np.ndarray]

# Takes indices into the flat entries of a table (for a batch: of the rows of a block) to the values there.
_Take = Callable[[np.ndarray], np.ndarray]


class _Beyond(NamedTuple):
    """What a method has outside the outcomes."""

    below: float
    above: float
    between: bool  # whether `below` is the value between the integers, too; else that of the next lower one


_BEYOND = {
    "prob": _Beyond(0.0, 0.0, True),
    "log_prob": _Beyond(-np.inf, -np.inf, True),
    "cdf": _Beyond(0.0, 1.0, False),
    "sf": _Beyond(1.0, 0.0, False),
    "log_cdf": _Beyond(-np.inf, 0.0, False),
    "log_sf": _Beyond(0.0, -np.inf, False),
}
_FAINT = 1e-290  # a probability below is summed anew, as some of its terms may have underflowed
_STEP = 512  # powers of two between the scales of these sums


# ------------------------------------------------------------------------------------------ values at outcomes


def from_table(method: str, table: np.ndarray, start: int) -> Reader:
    """The reader of a method that has a value for each outcome, listed in a table."""
    take, beyond, length = table.__getitem__, _BEYOND[method], len(table)
    return lambda x: _at_points(x, start, length, take, beyond)


def _at_points(x: np.ndarray, start: int, length: int, take: _Take, beyond: _Beyond) -> np.ndarray:
    """``take(floor(x) - start)``, and what there is beyond; NaN for NaN."""
    # Outcomes are below 2^53: float64 holds each of them, and no other integer rounds to one.
    x = x.astype(np.float64)
    whole = np.floor(x)
    index = whole - start
    inside = (index >= 0) & (index < length)
    value = take(np.where(inside, index, 0.0).astype(np.int64))
    value = np.where(inside, value, np.where(index < 0, beyond.below, beyond.above))
    if beyond.between:
        value = np.where(whole == x, value, beyond.below)
    return np.where(np.isnan(x), np.nan, value)


def _row_tables(method: str) -> Callable[[Pmf, int, np.dtype], Reader]:
    """What makes the reader of such a method for rows."""
    make, beyond = _TABLES[method], _BEYOND[method]

    def reader(rows: Pmf, start: int, dtype: np.dtype) -> Reader:
        take, length = make(rows, dtype), rows.values.shape[1]
        return lambda first, x: _at_points(x, start, length, lambda index: take(first + index), beyond)

    return reader


def _probs_table(rows: Pmf, dtype: np.dtype) -> _Take:
    values = rows.values.reshape(-1)
    if rows.exponents is None:
        return lambda index: values[index].astype(dtype, copy=False)
    exponents = rows.exponents.reshape(-1)
    return lambda index: pmf_rows.probs(Pmf(values[index], exponents[index], 0), dtype)


def _logs_table(rows: Pmf, dtype: np.dtype) -> _Take:
    values, scaled, length = rows.values.reshape(-1), pmf_rows.is_scaled(rows), rows.values.shape[1]
    if rows.exponents is None:
        return lambda index: scaled_pmf.logs(values[index], None).astype(dtype, copy=False)
    exponents = rows.exponents.reshape(-1)

    def take(index: np.ndarray) -> np.ndarray:
        taken = values[index]
        both = scaled_pmf.logs(taken, exponents[index]), scaled_pmf.logs(taken, None)
        return np.where(scaled[index // length], *both).astype(dtype, copy=False)

    return take


def _tails_table(name: str) -> Callable[[Pmf, np.dtype], _Take]:
    def table(rows: Pmf, dtype: np.dtype) -> _Take:
        def tail(alike: Pmf) -> np.ndarray:
            return getattr(scaled_pmf.tails(alike, log=name.startswith("log")), name)

        return plain_and_scaled(tail, rows).reshape(-1).__getitem__

    return table


_TABLES: dict[str, Callable[[Pmf, np.dtype], _Take]] = {
    "prob": _probs_table, "log_prob": _logs_table, **{name: _tails_table(name) for name in scaled_pmf.Tails._fields}
}  # fmt: skip


# ------------------------------------------------------------------------------------------ quantiles


def quantiles(pmf: Pmf, tails: Tails, start: int, dtype: np.dtype) -> Reader:
    """The reader of the smallest outcome with a cdf of at least q, within [0, 1] or NaN."""
    possible = np.flatnonzero(pmf.values)
    lowest, highest = int(possible[0]), int(possible[-1])
    cdf, mirrored, length = tails.cdf.astype(dtype, copy=False), tails.sf[::-1], len(pmf)

    def read(q: np.ndarray) -> np.ndarray:
        low = np.searchsorted(cdf, q.astype(dtype))
        # sf never rises: its mirror image is sorted. The first index with sf <= 1 − q.
        high = length - np.searchsorted(mirrored, 1.0 - q, side="right")
        return _nearer(q, low, high, lowest, highest, start, dtype)

    return read


def _row_quantiles(rows: Pmf, start: int, dtype: np.dtype) -> Reader:
    length = rows.values.shape[1]

    def tables(alike: Pmf) -> np.ndarray:
        tails = scaled_pmf.tails(alike, log=False)
        return np.stack([tails.cdf.astype(dtype).astype(np.float64), -tails.sf], axis=1)  # both rise

    possible = rows.values > 0
    table, lowest = plain_and_scaled(tables, rows).reshape(-1), possible.argmax(axis=1)
    highest = length - 1 - possible[:, ::-1].argmax(axis=1)

    def read(first: np.ndarray, q: np.ndarray) -> np.ndarray:
        row = first // length
        low = count_below(table, 2 * first, length, q.astype(dtype).astype(np.float64), or_equal=False)
        high = count_below(table, 2 * first + length, length, -(1.0 - q), or_equal=False)
        return _nearer(q, low, high, lowest[row], highest[row], start, dtype)

    return read


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


class _Span(NamedTuple):
    """The outcomes from a to b: indices of the first one, of the shape of a, and behind the last one, of the shape of b."""

    first: np.ndarray
    stop: np.ndarray
    missing: np.ndarray  # where an end is NaN, of the shape of both

    @property
    def empty(self) -> np.ndarray:
        return self.first >= self.stop


def _span(a: np.ndarray, b: np.ndarray, start: int, length: int) -> _Span:
    # fmax passes over NaN
    first = np.minimum(np.fmax(np.ceil(np.asarray(a, np.float64)) - start, 0.0), length)
    stop = np.minimum(np.fmax(np.floor(np.asarray(b, np.float64)) - start + 1, 0.0), length)
    return _Span(np.asarray(first, np.int64), np.asarray(stop, np.int64), np.isnan(a) | np.isnan(b))


def _sums(padded: np.ndarray, row: Any, part: _Span) -> np.ndarray:
    """Sums over intervals, from rows of numbers with one more behind each; `row` is where a row begins."""
    # reduceat sums from each index to the next; a number behind the end lets every index be in range.
    shape = np.shape(part.missing)
    bounds = np.empty((*shape, 2), np.int64)
    bounds[..., 0] = part.first + row
    bounds[..., 1] = np.maximum(part.stop, part.first) + row
    return np.add.reduceat(padded, bounds.reshape(-1))[::2].reshape(shape) if bounds.size else np.zeros(shape)


def _padded(rows: np.ndarray) -> np.ndarray:
    """Rows as one array of float64, with a zero behind each."""
    result = np.zeros((*rows.shape[:-1], rows.shape[-1] + 1))
    result[..., :-1] = rows
    return result.reshape(-1)


def _shares(padded: np.ndarray, row: Any, part: _Span) -> np.ndarray:
    """P(a <= X <= b)."""
    sums = np.minimum(_sums(padded, row, part), 1.0)
    return np.where(part.missing, np.nan, np.where(part.empty, 0.0, sums))


def intervals(probs: np.ndarray, start: int) -> Reader:
    """The reader of P(a <= X <= b) for probabilities of the outcomes from `start` on."""
    padded, length = _padded(probs), len(probs)
    return lambda a, b: _shares(padded, 0, _span(a, b, start, length))


def _row_intervals(rows: Pmf, start: int, dtype: np.dtype) -> Reader:
    padded, length = _padded(pmf_rows.probs(rows, dtype)), rows.values.shape[1]
    return lambda first, a, b: _shares(padded, first + first // length, _span(a, b, start, length))


def log_intervals(pmf: Pmf, tails: Tails, start: int) -> Reader:
    """The reader of log P(a <= X <= b)."""
    rows = Pmf(pmf.values[None], None if pmf.exponents is None else pmf.exponents[None], np.array([pmf.floor]))
    read = _log_reader(rows, tails.cdf, tails.sf, start)
    return lambda a, b: read(np.int64(0), a, b)


def _row_log_intervals(rows: Pmf, start: int, dtype: np.dtype) -> Reader:
    def both(alike: Pmf) -> np.ndarray:
        tails = scaled_pmf.tails(alike, log=False)
        return np.stack([tails.cdf, tails.sf], axis=1)

    tables = plain_and_scaled(both, rows)
    return _log_reader(rows, tables[:, 0].reshape(-1), tables[:, 1].reshape(-1), start)


def _log_reader(rows: Pmf, cdf: np.ndarray, sf: np.ndarray, start: int) -> Reader:
    """Logarithms of intervals of rows: from what is outside where that is the smaller part, from sums that have powers of two
    beside them where the probability may underflow, else from the probability."""
    length = rows.values.shape[1]
    padded = _padded(scaled_pmf.probs(rows))

    def read(first: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        part = _span(a, b, start, length)
        row = first + first // length
        share = _shares(padded, row, part)
        below = np.where(part.first > 0, cdf[first + np.maximum(part.first - 1, 0)], 0.0)
        above = np.where(part.stop > 0, sf[first + np.maximum(part.stop - 1, 0)], 1.0)
        value = np.where(share > 0.5, np.log1p(-np.minimum(below + above, 0.5)) + 0.0, np.log(share))  # no −0
        if rows.exponents is not None:
            faint = (share < _FAINT) & ~part.empty
            if faint.any():
                row, *some = (np.broadcast_to(x, faint.shape)[faint] for x in (row, *part))
                value[faint] = _faint_logs(rows, row, _Span(*some))
        return value

    return read


def _faint_logs(rows: Pmf, row: np.ndarray, part: _Span) -> np.ndarray:
    """Logarithms of sums over some intervals, none empty: sums with largest terms alike are made together, on one scale."""
    assert rows.exponents is not None
    lowest = -(2**60)  # of what is 0, below all others
    exponents = np.full((len(rows.values), rows.values.shape[1] + 1), lowest)
    exponents[:, :-1] = np.where(rows.values > 0, rows.exponents, lowest)
    exponents, mantissas = exponents.reshape(-1), _padded(rows.values)
    bounds = np.stack([part.first + row, part.stop + row], axis=-1).reshape(-1)
    top = np.maximum.reduceat(exponents, bounds)[::2]
    result = np.full(top.shape, -np.inf)
    scales = top // _STEP
    for scale in np.unique(scales[top > lowest]).tolist():
        index = np.flatnonzero((scales == scale) & (top > lowest))
        # Terms below 2^-1022 do not count beside the largest one, which is at least 1; outside of the intervals anything may be.
        powers = np.clip(exponents - scale * _STEP, -1100, 1023)
        terms = np.ldexp(mantissas, powers.astype(np.int32))
        sums = _sums(terms, row[index], _Span(*(x[index] for x in part)))
        result[index] = scaled_pmf.logs(sums, np.full(sums.shape, scale * _STEP))
    return result


# ------------------------------------------------------------------------------------------ batches

# What makes the reader of a method for the rows of a block, for outcomes from `start` on; probabilities are those of a dtype.
_ROW_READERS: dict[str, Callable[[Pmf, int, np.dtype], Reader]] = {
    **{method: _row_tables(method) for method in _BEYOND},
    "quantile": _row_quantiles,
    "prob_between": _row_intervals,
    "log_prob_between": _row_log_intervals,
}


def fill_batch(method: str, pmf: Pmf, start: int, dtype: np.dtype, out: np.ndarray, *points: np.ndarray) -> None:
    """Write the values of a method at points that broadcast to the shape of `out`, whose last axes are the batch."""
    make = _ROW_READERS[method]
    *batch, length = pmf.values.shape
    views = [np.broadcast_to(array, out.shape) for array in points]
    leading = out.ndim - len(batch)
    cut = pmf_rows.pieces(tuple(batch), length)

    def block(i: int) -> None:
        rows = pmf_rows.take_block(pmf, cut[i])
        # An axis of the batch that a point broadcasts is not cut.
        index = (slice(None),) * leading + tuple(
            piece if size == batch[axis] else slice(None)
            for axis, (piece, size) in enumerate(zip(cut[i], out.shape[leading:], strict=False))
        )
        target, taken = out[index], [view[index] for view in views]
        first = np.broadcast_to((np.arange(len(rows.values)) * length).reshape(pmf.floor[cut[i]].shape), target.shape)
        with np.errstate(all="ignore"):
            read = make(rows, start, dtype)
            for place in elementwise.split(target.shape, pmf_rows.BLOCK):
                target[place] = read(first[place], *(view[place] for view in taken))

    run_blocks(block, len(cut), seconds=(out.size * 4 + pmf.values.size) * 1e-8)
