"""How a count is cut into ranges, and where in an array a position stands that was counted in other order of the axes.

Every cut depends on its arguments alone, which are sizes and never threads: results that are joined in the order of the ranges
have the same bits everywhere.
"""

import numpy as np


def ranges(size: int, step: int) -> list[tuple[int, int]]:
    """(start, stop) of ranges of `step`, the last one shorter, that cover 0 ... size - 1; none where there is nothing."""
    return [(start, min(start + step, size)) for start in range(0, size, step)]


def shares(count: int, most: int) -> list[tuple[int, int]]:
    """(start, stop) of at most `most` ranges, at least one, whose lengths differ by 1 at most."""
    parts = max(1, min(count, most))
    return [(count * i // parts, count * (i + 1) // parts) for i in range(parts)]


def index_of(position: int, shape: tuple[int, ...], order: tuple[int, ...]) -> tuple[int, ...]:
    """The index in an array of `shape` of the element that comes at `position` when its axes are taken in `order`."""
    index = [0] * len(shape)
    found = np.unravel_index(position, tuple(shape[axis] for axis in order))
    for axis, i in zip(order, found, strict=True):
        index[axis] = int(i)
    return tuple(index)
