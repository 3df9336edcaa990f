"""Samples of discrete variables by inversion: the outcome whose cumulative probabilities a uniform number falls between."""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from loglik import _kernels
from loglik._discrete import pmf_rows
from loglik._discrete.look_ups import count_below
from loglik._discrete.scaled_pmf import Pmf
from loglik._engine import sampling
from loglik._engine.blocks import Sink
from loglik._engine.parallel import run_blocks

_MIN_CELLS, _MAX_CELLS = 1 << 11, 1 << 20  # of the guide table of one pmf: 8 KiB to 4 MiB
_TABLE = 1 << 18  # entries of the tables that a block of a sample of a batch is drawn by
_DRAWS = 1 << 15


class InversionTable(NamedTuple):
    """What outcomes of one pmf are drawn by."""

    cdf: np.ndarray  # cumulative probabilities of the outcomes that are possible at all
    guide: np.ndarray  # where to begin looking (`_kernels.fill_discrete`)
    outcomes: np.ndarray | int  # the possible outcomes, or the first of them where they are consecutive


def inversion_table(probs: np.ndarray, start: int) -> InversionTable:
    """The table of probabilities of the outcomes from `start` on."""
    possible = np.flatnonzero(probs)
    sums = _kernels.cumulative(probs[possible].astype(np.float64))
    np.maximum.accumulate(sums, out=sums)
    sums /= sums[-1]
    # Many cells for each outcome: then most of them need no search.
    cells = min(max(8 << (len(sums) - 1).bit_length(), _MIN_CELLS), _MAX_CELLS)
    guide = np.searchsorted(sums, np.arange(cells + 1) / cells, side="right")
    guide = np.minimum(guide, len(sums) - 1).astype(np.int32)
    first = start + int(possible[0])
    consecutive = possible[-1] - possible[0] == len(possible) - 1
    return InversionTable(sums, guide, first if consecutive else start + possible)


def sampler(table: InversionTable) -> Callable[[np.ndarray, int], None]:
    """What fills an array from a key."""
    draw = functools.partial(_draw, *table)
    return functools.partial(sampling.in_blocks, columns=(), parameters=(), draw=draw, nanoseconds=4.0)


def _draw(cdf: np.ndarray, guide: np.ndarray, outcomes: np.ndarray | int, key: int, start: int, values: np.ndarray) -> None:
    """Outcomes for a block of a sample."""
    index = values if values.dtype == np.int64 else np.empty(len(values), np.int64)
    _kernels.fill_discrete(key, start, cdf, guide, index)
    values[...] = outcomes + index if isinstance(outcomes, int) else outcomes[index]


def sample_batch(pmf: Pmf, start: int, dtype: np.dtype, result: np.ndarray, key: int) -> None:
    """Fill an array whose last axes are the batch: number i is made from uniform number i, by the inversion that one pmf has.

    Probabilities are those that `dtype` has.
    """
    if result.size == 0:
        return
    *batch, length = pmf.values.shape
    width = math.prod(batch)
    sink = Sink(result, tuple(range(result.ndim)))
    cut = pmf_rows.pieces(tuple(batch), length, _TABLE)
    starts = np.cumsum([0, *(math.prod(pmf.floor[piece].shape) for piece in cut)]).tolist()
    repeats = result.size // width
    together = max(1, _DRAWS // width) if len(cut) == 1 else 1

    def table(i: int) -> np.ndarray:
        p = pmf_rows.probs(pmf_rows.take_block(pmf, cut[i]), dtype).astype(np.float64)
        sums = _kernels.cumulative(p.reshape(-1), rows=len(p)).reshape(p.shape)
        np.maximum.accumulate(sums, axis=1, out=sums)
        sums /= sums[:, -1:]
        return sums.reshape(-1)

    def draw(sums: np.ndarray, i: int, repeat: int) -> None:
        rows = starts[i + 1] - starts[i]
        for begin in range(0, rows, _DRAWS):
            count = min(rows - begin, _DRAWS)
            copies = min(together, repeats - repeat) if count == rows else 1
            at = repeat * width + starts[i] + begin
            uniform = np.empty(count * copies)
            _kernels.fill_uniform(key, 0, at, uniform)
            first = np.tile(np.arange(begin, begin + count) * length, copies)
            values = sink.block(at, at + len(uniform))
            values[...] = start + count_below(sums, first, length, uniform, or_equal=True)
            sink.put(at, at + len(uniform), values)

    seconds = result.size * 5e-8
    if len(cut) == 1:
        sums = table(0)
        run_blocks(lambda i: draw(sums, 0, i * together), -(-repeats // together), seconds=seconds)
        return

    def block(i: int) -> None:
        sums = table(i)
        for repeat in range(repeats):
            draw(sums, i, repeat)

    run_blocks(block, len(cut), seconds=seconds)
