"""Where gradients go, block by block, and the sums that broadcasting asks for.

What an argument repeats by broadcasting is added up: blocks are cut by the shape alone and their sums are taken in the order of
the blocks, in float64, so that no number of threads changes a bit. At most a few blocks per thread wait for their turn.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from loglik._engine import parallel
from loglik._gaussian.axes import GroupedArray

SUM_BYTES = 1 << 20  # sums of outer products that a block may hold before the Gaussians are taken in several parts
_CHAIN = 32  # rows that are added one after the other


def sum_runs(index: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that have the same index added up: distinct indices in ascending order, and their sums in float64.

    Sums of sums of a few rows in a row, so that the rounding error does not grow with their number.
    """
    if (np.diff(index) < 0).any():
        order = np.argsort(index, kind="stable")
        index, rows = index[order], rows[order]
    rows = rows.astype(np.float64, copy=False)
    while len(index) > 1:
        first = np.concatenate(([True], index[1:] != index[:-1]))
        if first.all():
            break
        position = np.arange(len(index))
        start = np.maximum.accumulate(np.where(first, position, 0))
        starts = np.flatnonzero((position - start) % _CHAIN == 0)
        index, rows = index[starts], np.add.reduceat(rows, starts, axis=0)
    return index, rows


class GradientTarget:
    """The gradient in one argument, filled block by block."""

    def __init__(self, result: np.ndarray, core: int, broadcast_shape: tuple[int, ...], *groups: list[int]) -> None:
        """`groups`: the axes of `broadcast_shape` that the two leading axes of a block stand for."""
        self._result = result
        own = result.shape[: result.ndim - core]
        wide = (1,) * (len(broadcast_shape) - len(own)) + own
        # Every entry is one of a block, so blocks are written at once and in any order.
        self.direct = all(wide[axis] == broadcast_shape[axis] for group in groups for axis in group)
        if self.direct:
            self._entries = GroupedArray(result, core, broadcast_shape, *groups)
        else:
            positions = np.arange(int(np.prod(own, dtype=np.intp))).reshape(own)
            self._positions = GroupedArray(positions, 0, broadcast_shape, *groups)
            self._sums = np.zeros((positions.size, *result.shape[result.ndim - core :]))

    def memory(self, *ranges: slice) -> np.ndarray | None:
        """The block as contiguous memory that a kernel may write to, if it is that."""
        if not self.direct:
            return None
        memory = self._entries.writable_block(*ranges)
        good = memory is not None and memory.flags.c_contiguous and memory.flags.aligned
        return memory if good else None

    def put(self, block: np.ndarray, *ranges: slice, add: bool = False) -> tuple[np.ndarray, np.ndarray] | None:
        """Write a block, with `add` to what is there; or return what the method `add` must be called with, in the order of the
        blocks."""
        if not self.direct:
            shape = tuple(span.stop - span.start for span in ranges)
            index = np.broadcast_to(self._positions.block(*ranges), shape).reshape(-1)
            return sum_runs(index, block.reshape(len(index), *block.shape[len(shape) :]))
        memory = self._entries.writable_block(*ranges)
        if add:
            block = block + (self._entries.block(*ranges) if memory is None else memory)
        if memory is None:
            self._entries.write_block(block.astype(self._result.dtype, copy=False), *ranges)
        else:
            memory[...] = block
        return None

    def add(self, index: np.ndarray, rows: np.ndarray) -> None:
        """Add rows, whose positions differ, to the sums."""
        self._sums[index] += rows

    def finish(self) -> None:
        """Write the sums, if there are any, to the gradient."""
        if not self.direct:
            self._result[...] = self._sums.reshape(self._result.shape)


def in_order(
    count: int, seconds: float, result_bytes: int, block: Callable[[int], Any], commit: Callable[[Any], None] | None
) -> None:
    """``commit(block(i))`` for all i: blocks on several threads, results in order, a few at a time.

    Without `commit` the blocks need no order.
    """
    threads = parallel.get_num_threads()
    wave = count if commit is None else threads * (4 if result_bytes <= SUM_BYTES else 1)
    for start in range(0, count, max(wave, 1)):
        size = min(wave, count - start)
        results: list[Any] = [None] * size

        def evaluate(i: int, start: int = start, results: list[Any] = results) -> None:
            results[i] = block(start + i)

        parallel.run_blocks(evaluate, size, seconds=seconds / count * size)
        if commit is not None:
            for i in range(size):
                commit(results[i])
                results[i] = None


def add_pending(pending: list[tuple[GradientTarget, tuple[np.ndarray, np.ndarray]]]) -> None:
    """Add what blocks have left to add."""
    for target, to_add in pending:
        target.add(*to_add)
