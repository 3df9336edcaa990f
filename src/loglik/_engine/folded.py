"""Gradients in arguments that were broadcast: sums over the axes that broadcasting repeated."""

import math

import numpy as np

# Parts that are summed side by side, each with memory of its own.
_PARTS = 16


class Folded:
    """A gradient in an argument that was broadcast: summed over the axes that broadcasting repeated, in float64.

    Blocks come in the order of the elements, those of one part from one thread. Which parts there are depends on shapes only.
    """

    def __init__(self, shape: tuple[int, ...], full: tuple[int, ...], order: tuple[int, ...]) -> None:
        padded = (1,) * (len(full) - len(shape)) + shape
        self._axes = [a for a in order if padded[a] != 1]
        self._sizes = [padded[a] for a in self._axes]
        self._size = math.prod(self._sizes)
        self._groups: list[tuple[int, bool]] = []  # merged axes: their size, and whether the argument varies along them
        for a in order:
            if full[a] == 1:
                continue
            varies = padded[a] != 1
            if self._groups and self._groups[-1][1] == varies:
                self._groups[-1] = (self._groups[-1][0] * full[a], varies)
            else:
                self._groups.append((full[a], varies))
        leading = self._groups[:-1] if self._groups and not self._groups[-1][1] else self._groups
        self._in_order = len(leading) <= 1  # entries are met in order: nothing is revisited
        copies = math.prod(full) // max(self._size, 1)
        self.most_parts = 1 << 30 if self._in_order else max(1, min(_PARTS, copies // 4))
        self._pieces: list[list[tuple[int, np.ndarray]]] = []
        self._sums: list[np.ndarray | None] = []

    def prepare(self, parts: int) -> None:
        self._pieces = [[] for _ in range(parts)]
        self._sums = [None] * parts

    def add(self, part: int, start: int, gradient: np.ndarray) -> None:
        if gradient.size == 0:
            return
        x, groups = gradient.astype(np.float64), self._groups
        if groups and not groups[-1][1]:
            size = groups[-1][0]
            first, last = start // size, (start + len(x) - 1) // size
            x = np.add.reduceat(x, np.maximum(np.arange(first, last + 1) * size - start, 0))
            start, groups = first, groups[:-1]
        if self._in_order:
            self._pieces[part].append((start, x))
            return
        sums = self._sums[part]
        if sums is None:
            sums = self._sums[part] = np.zeros(self._size)
        if len(groups) > 2:
            np.add.at(sums, self._positions(start, len(x), groups), x)
            return
        size = groups[-1][0]
        column = start % size
        head = min(size - column, len(x)) if column else 0
        sums[column : column + head] += x[:head]
        whole = (len(x) - head) // size
        if whole:
            sums += _column_sums(x[head : head + whole * size].reshape(whole, size))
        tail = x[head + whole * size :]
        sums[: len(tail)] += tail

    @staticmethod
    def _positions(start: int, count: int, groups: list[tuple[int, bool]]) -> np.ndarray:
        """Where in the argument the elements stand."""
        rest, result, stride = np.arange(start, start + count), np.zeros(count, np.intp), 1
        for size, varies in reversed(groups):
            if varies:
                result += rest % size * stride
                stride *= size
            rest //= size
        return result

    def store(self, gradient: np.ndarray) -> None:
        total = np.zeros(self._size)
        for pieces, sums in zip(self._pieces, self._sums, strict=True):
            for start, x in pieces:
                total[start : start + len(x)] += x
            if sums is not None:
                total += sums
        axes = np.argsort(self._axes)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            gradient[...] = total.reshape(self._sizes).transpose(axes).reshape(gradient.shape)


def _column_sums(rows: np.ndarray) -> np.ndarray:
    """Σ rows, pairwise, as NumPy adds along the last axis only."""
    while len(rows) > 4:
        half = len(rows) // 2
        joined = rows[:half] + rows[half : 2 * half]
        if len(rows) % 2:
            joined[0] += rows[-1]
        rows = joined
    return np.add.reduce(rows, axis=0)
