"""Is the variance of the samples finite? The tail index, from the largest of them."""

import numpy as np

_KEPT = 4096  # largest values
_LEAST = 25  # values from which something can be said


class Tail:
    """The most extreme of many values, for each batch item, and the index of their tails.

    Beyond a high threshold every distribution looks like a generalised Pareto one with an index k: values have a finite moment of
    order m where k < 1/m. So from 1/2 on the variance is infinite, and an interval that is made from it means nothing. The two
    tails of a log-ratio have little in common, so each has its own index. The threshold may lie where the values end but for a
    few, which looks like a heavy tail and is none; but with infinite variance one value is a large part of the sum of squares.
    """

    def __init__(self, items: int) -> None:
        self._kept = max(_LEAST, min(_KEPT, (1 << 20) // max(items, 1)))
        self._ends = [np.empty((0, items))] * 2  # the largest values, and the largest negative ones
        self._n = 0

    def add(self, values: np.ndarray) -> None:
        """Values (m, items)."""
        self._n += len(values)
        self._ends = [self._joined(end, signed) for end, signed in zip(self._ends, (values, -values), strict=True)]

    def _joined(self, end: np.ndarray, values: np.ndarray) -> np.ndarray:
        if len(end) == self._kept:
            values = values[(values > end.min(axis=0)).any(axis=1)]
        return largest(np.concatenate([end, values]), self._kept) if len(values) else end

    def farthest(self, mean: np.ndarray) -> np.ndarray:
        """The largest distance of a value from the mean."""
        high, low = (end.max(axis=0, initial=-np.inf) for end in self._ends)
        return np.maximum(high - mean, low + mean)

    def _size(self) -> int:
        """Values beyond the threshold."""
        return int(min(self._n / 10, 3 * np.sqrt(self._n), len(self._ends[0]) - 1))

    def index(self) -> tuple[np.ndarray, float]:
        """For each item the index of the heavier tail, and the error of such a number: one and a half times the standard error of
        that of a light tail. 0 where there are too few values to say."""
        size, items = self._size(), self._ends[0].shape[1]
        if size < _LEAST:
            return np.zeros(items), 0.0
        found = np.zeros(items)
        for end in self._ends:
            ordered = np.sort(end, axis=0)
            threshold, above = ordered[-size - 1], ordered[-size:]
            found = np.maximum(found, [_pareto_index(above[:, i] - threshold[i]) for i in range(items)])
        return found, 1.5 / np.sqrt(size)


def largest(values: np.ndarray, count: int) -> np.ndarray:
    """The largest `count` of each column."""
    return values if len(values) <= count else np.partition(values, len(values) - count, axis=0)[len(values) - count :]


def _pareto_index(excess: np.ndarray) -> float:
    """Index of the generalised Pareto distribution of sorted excesses: the estimate of Zhang and Stephens (2009), the mean of a
    profile likelihood over a grid."""
    n, greatest = len(excess), excess[-1]
    quartile = excess[int(n / 4 + 0.5) - 1]
    if not (quartile > 0 and np.isfinite(greatest)):
        return 0.0 if np.isfinite(greatest) else np.inf
    grid = 30 + int(np.sqrt(n))
    theta = 1 / greatest + (1 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))) / (3 * quartile)
    with np.errstate(divide="ignore", invalid="ignore"):
        k = np.log1p(-theta[:, None] * excess).mean(axis=1)
        likelihood = n * (np.log(-theta / k) - k - 1)
    likelihood = np.where(np.isfinite(likelihood), likelihood, -np.inf)
    weights = np.exp(likelihood - likelihood.max())
    weights /= weights.sum()
    return float(np.log1p(-(weights @ theta) * excess).mean())
