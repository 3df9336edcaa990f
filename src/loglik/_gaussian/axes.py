"""Which points meet which Gaussians: the regime of a call, and the blocks that it is cut into.

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
SMALLEST_BLOCK = 256  # points: less would not pay for packing the factor


def _merged_stride(shape: tuple[int, ...], strides: tuple[int, ...]) -> int | None:
    """Stride of the axes merged into one, None where they do not merge."""
    axes = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    for (_, outer), (n, inner) in itertools.pairwise(axes):
        if outer != n * inner:
            return None
    return axes[-1][1] if axes else 0


class Rows:
    """An array seen as (A, B, ..., *core): each group of leading axes merged into one. A block is a view or
    gathered.

    Parameters
    ----------
    array : ndarray
        Leading axes that broadcast to `lead`, then `core` axes that stay as they are.
    groups : list of axis numbers for each merged axis. On axes in no group the array has length 1.
    """

    def __init__(self, array: np.ndarray, core: int, lead: tuple[int, ...], *groups: list[int]) -> None:
        order = [axis for group in groups for axis in group]
        padded = array[(None,) * (len(lead) + core - array.ndim) + (...,)]
        taken = padded[(*(slice(None) if axis in order else 0 for axis in range(len(lead))), ...)]
        kept = sorted(order)
        moved = taken.transpose([kept.index(axis) for axis in order] + list(range(len(order), taken.ndim)))
        self._core = moved.shape[len(order) :]
        self._shapes = [tuple(lead[axis] for axis in group) for group in groups]
        shape = tuple(lead[axis] for axis in order) + self._core
        self._array = moved if moved.shape == shape else np.broadcast_to(moved, shape)
        self._view = self._merge()

    def _merge(self) -> np.ndarray | None:
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

    def _index(self, slices: tuple[slice, ...]) -> tuple[np.ndarray, ...]:
        index: list[np.ndarray] = []
        for position, (part, shape) in enumerate(zip(slices, self._shapes, strict=True)):
            along = [1] * len(slices)
            along[position] = -1
            if shape:
                index += [i.reshape(along) for i in np.unravel_index(np.arange(part.start, part.stop), shape)]
        return tuple(index)

    def block(self, *slices: slice) -> np.ndarray:
        """The block of these ranges, one per group (start and stop given)."""
        if self._view is not None:
            return self._view[slices]
        return self._array[self._index(slices)].reshape(
            [part.stop - part.start for part in slices] + list(self._core)
        )

    def target(self, *slices: slice) -> np.ndarray | None:
        """The block as memory that a kernel may write to; None where it must be written with `put`."""
        return None if self._view is None else self._view[(*slices, ...)]

    def put(self, value: np.ndarray, *slices: slice) -> None:
        """Write a block."""
        index = self._index(slices)
        self._array[index] = value.reshape(np.broadcast_shapes(*(i.shape for i in index)) + self._core)


@dataclass(frozen=True)
class Axes:
    """The classes of the broadcast axes of points and matrices."""

    lead: tuple[int, ...]
    each: list[int]
    points: list[int]
    matrices: list[int]

    @classmethod
    def of(cls, points: tuple[int, ...], matrices: tuple[int, ...], lead: tuple[int, ...]) -> "Axes":
        """Classify by the leading shapes of points and matrices, which broadcast to `lead`."""
        p = (1,) * (len(lead) - len(points)) + points
        m = (1,) * (len(lead) - len(matrices)) + matrices
        axes = range(len(lead))
        return cls(
            lead,
            [i for i in axes if p[i] != 1 and m[i] != 1],
            [i for i in axes if m[i] == 1],
            [i for i in axes if p[i] == 1 and m[i] != 1],
        )

    @classmethod
    def of_gaussians(
        cls, x: tuple[int, ...], loc: tuple[int, ...], batch: tuple[int, ...], lead: tuple[int, ...], diagonal: bool
    ) -> tuple["Axes", bool]:
        """Classify by the leading shapes of points, means and matrices; and whether the means move to the points.

        They do where only the mean varies, so that the matrix is one for all. Where matrices are variances, `diagonal`, nothing
        is prepared for each of them, and the means stay.
        """
        wide_loc = (1,) * (len(lead) - len(loc)) + loc
        wide_batch = (1,) * (len(lead) - len(batch)) + batch
        centred = not diagonal and any(m == 1 and n != 1 for m, n in zip(wide_batch, wide_loc, strict=True))
        points = np.broadcast_shapes(x, loc) if centred else x
        matrices = np.broadcast_shapes(loc, batch) if diagonal else batch
        return cls.of(points, matrices, lead), centred

    def sizes(self) -> tuple[int, int, int]:
        e, n, k = (
            math.prod(self.lead[i] for i in group) for group in (self.each, self.points, self.matrices)
        )
        return e, n, k


def run(axes: Axes, seconds_per_value: float, function: Callable[[slice, slice], None]) -> None:
    """Call ``function(e, n)`` for blocks of the E and N axes that cover them, on several threads where it
    pays."""
    e, n, k = axes.sizes()
    if e * n * k == 0:
        return
    target = max(BLOCK_SECONDS / (seconds_per_value * k), 1.0)
    if n >= target:
        rows = int(max(target, SMALLEST_BLOCK))
        per_problem = -(-n // rows)

        def block(i: int) -> None:
            problem, part = divmod(i, per_problem)
            function(slice(problem, problem + 1), slice(part * rows, min(n, (part + 1) * rows)))

        count = e * per_problem
    else:
        problems = max(1, int(target / n))

        def block(i: int) -> None:
            function(slice(i * problems, min(e, (i + 1) * problems)), slice(0, n))

        count = -(-e // problems)
    try:
        parallel.run_blocks(block, count, seconds=seconds_per_value * e * n * k)
    except ValueError:
        for i in range(
            count
        ):  # in order: the error names the first offending index, whatever the threads did
            block(i)
        raise
