"""How points meet Gaussians: the classes of broadcast axes, arrays seen by these classes, and the blocks of a call.

Broadcast axes fall into three classes, by shape alone (never by strides):

- E: points and matrices both vary (a matrix for every point),
- N: only the points vary,
- K: only the matrices vary.

With the axes moved to (E, N, K), every call is a batch of E problems with N points and K Gaussians each.
Blocks are ranges of E and N that depend on these numbers only, so neither threads nor layout change a bit,
and no array is ever copied as a whole.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from loglik._engine import parallel

BLOCK_SECONDS = 1e-3
_SMALLEST_BLOCK = 256  # points: less would not pay for packing the factor


def _merged_stride(shape: tuple[int, ...], strides: tuple[int, ...]) -> int | None:
    """Stride of the axes merged into one, None where they do not merge."""
    axes = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    for (_, outer), (n, inner) in itertools.pairwise(axes):
        if outer != n * inner:
            return None
    return axes[-1][1] if axes else 0


class GroupedArray:
    """An array whose leading axes are merged group by group, read and written in blocks of the merged axes.

    Seen so, the array has shape (A, B, ..., *core): a merged axis for each group. A block is a view where strides allow it, and
    is gathered and scattered by index where they do not.

    Parameters
    ----------
    array : ndarray
        Its leading axes broadcast to `broadcast_shape`; `core` further axes stay as they are.
    groups : list of int for each merged axis
        Axes of `broadcast_shape`, in order. On axes that are in no group the array has length 1.
    """

    def __init__(self, array: np.ndarray, core: int, broadcast_shape: tuple[int, ...], *groups: list[int]) -> None:
        order = [axis for group in groups for axis in group]
        padded = array[(None,) * (len(broadcast_shape) + core - array.ndim) + (...,)]
        grouped = padded[(*(slice(None) if axis in order else 0 for axis in range(len(broadcast_shape))), ...)]
        ascending = sorted(order)
        moved = grouped.transpose([ascending.index(axis) for axis in order] + list(range(len(order), grouped.ndim)))
        self._core = moved.shape[len(order) :]
        self._shapes = [tuple(broadcast_shape[axis] for axis in group) for group in groups]
        shape = tuple(broadcast_shape[axis] for axis in order) + self._core
        self._array = moved if moved.shape == shape else np.broadcast_to(moved, shape)
        self._merged = self._merge()

    def _merge(self) -> np.ndarray | None:
        """The array of merged axes, as a view; None where strides do not allow one."""
        strides: list[int] = []
        start = 0
        for shape in self._shapes:
            merged = _merged_stride(shape, self._array.strides[start : start + len(shape)])
            if merged is None:
                return None
            strides.append(merged)
            start += len(shape)
        shape = (*map(math.prod, self._shapes), *self._core)
        return np.lib.stride_tricks.as_strided(
            self._array,
            shape,
            (*strides, *self._array.strides[start:]),
            writeable=self._array.flags.writeable,
        )

    def _index(self, ranges: tuple[slice, ...]) -> tuple[np.ndarray, ...]:
        """Integer indices, one for each axis of a group, that select a block."""
        index: list[np.ndarray] = []
        for position, (span, shape) in enumerate(zip(ranges, self._shapes, strict=True)):
            along = [1] * len(ranges)
            along[position] = -1
            if shape:
                index += [i.reshape(along) for i in np.unravel_index(np.arange(span.start, span.stop), shape)]
        return tuple(index)

    def block(self, *ranges: slice) -> np.ndarray:
        """The block of these ranges, one for each group, with start and stop given; to be read."""
        if self._merged is not None:
            return self._merged[ranges]
        return self._array[self._index(ranges)].reshape([span.stop - span.start for span in ranges] + list(self._core))

    def writable_block(self, *ranges: slice) -> np.ndarray | None:
        """The block as memory that a kernel may write to; None where it must be written with `write_block`."""
        return None if self._merged is None else self._merged[(*ranges, ...)]

    def write_block(self, value: np.ndarray, *ranges: slice) -> None:
        """Copy `value` into the block of these ranges."""
        index = self._index(ranges)
        self._array[index] = value.reshape(np.broadcast_shapes(*(i.shape for i in index)) + self._core)


@dataclass(frozen=True)
class BroadcastAxes:
    """The axes of a broadcast shape, each in one of the classes E (`paired`), N (`point_only`) and K (`matrix_only`)."""

    shape: tuple[int, ...]
    paired: list[int]
    point_only: list[int]
    matrix_only: list[int]

    @classmethod
    def classify(cls, points: tuple[int, ...], matrices: tuple[int, ...], shape: tuple[int, ...]) -> "BroadcastAxes":
        """Classes of the axes of `shape`, to which the leading shapes of points and matrices broadcast."""
        p = (1,) * (len(shape) - len(points)) + points
        m = (1,) * (len(shape) - len(matrices)) + matrices
        axes = range(len(shape))
        return cls(
            shape,
            [i for i in axes if p[i] != 1 and m[i] != 1],
            [i for i in axes if m[i] == 1],
            [i for i in axes if p[i] == 1 and m[i] != 1],
        )

    @classmethod
    def classify_with_means(
        cls, points: tuple[int, ...], loc: tuple[int, ...], matrices: tuple[int, ...], shape: tuple[int, ...], diagonal: bool
    ) -> tuple["BroadcastAxes", bool]:
        """Classes of the axes of `shape`, to which the leading shapes of points, means and matrices broadcast; and whether means
        are subtracted from points beforehand.

        They are where only the mean varies, so that the matrix is one for all. Where matrices are variances, `diagonal`, nothing
        is prepared for each of them, and the means stay with the matrices.
        """
        wide_loc = (1,) * (len(shape) - len(loc)) + loc
        wide_matrices = (1,) * (len(shape) - len(matrices)) + matrices
        centred = not diagonal and any(m == 1 and n != 1 for m, n in zip(wide_matrices, wide_loc, strict=True))
        if centred:
            points = np.broadcast_shapes(points, loc)
        if diagonal:
            matrices = np.broadcast_shapes(loc, matrices)
        return cls.classify(points, matrices, shape), centred

    def sizes(self) -> tuple[int, int, int]:
        """The numbers E of problems, N of points and K of Gaussians in each."""
        e, n, k = (
            math.prod(self.shape[i] for i in group) for group in (self.paired, self.point_only, self.matrix_only)
        )
        return e, n, k


def points_per_block(n: int, seconds: float) -> int:
    """How many of `n` points, each of which takes `seconds`, make a block."""
    target = max(BLOCK_SECONDS / seconds, 1.0)
    return int(max(target, _SMALLEST_BLOCK)) if n >= target else n


def run(axes: BroadcastAxes, seconds_per_value: float, function: Callable[[slice, slice], None]) -> None:
    """Call ``function(e, n)`` for blocks of the E and N axes that cover them, on several threads where it
    pays."""
    e, n, k = axes.sizes()
    if e * n * k == 0:
        return
    seconds = seconds_per_value * k
    points = points_per_block(n, seconds)
    if points < n:
        per_problem = -(-n // points)
        count = e * per_problem

        def block(i: int) -> None:
            problem, position = divmod(i, per_problem)
            function(slice(problem, problem + 1), slice(position * points, min(n, (position + 1) * points)))
    else:
        problems = max(1, int(BLOCK_SECONDS / seconds / n))
        count = -(-e // problems)

        def block(i: int) -> None:
            function(slice(i * problems, min(e, (i + 1) * problems)), slice(0, n))

    try:
        parallel.run_blocks(block, count, seconds=seconds_per_value * e * n * k)
    except ValueError:
        for i in range(count):  # in order: the error names the first offending index, whatever the threads did
            block(i)
        raise
