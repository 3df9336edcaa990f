"""Adaptive quadrature of many integrals at once by Gauss and Legendre's rule.

Each interval is integrated as a whole and in halves; the difference is its error, and the intervals with too large an error are
halved again, those of all integrals together.
"""

from collections.abc import Callable

import numpy as np

_POINTS = 15  # of the rule
_ROUNDS = 60  # of halving
_MOST = 1 << 20  # intervals at a time


def integrate(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray], edges: np.ndarray, wanted: np.ndarray, rtol: float, atol: float,
    most: int = _MOST,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:  # fmt: skip
    """Integrals over [edges[i, 0], edges[i, -1]]; edges are where an interval ends.

    ``function(item, x)`` gives the values of the integrands `item` in the rows of x. Returns the values, their errors, the sums
    of the sizes of the integrals over all intervals, to which `rtol` refers, and the largest number of points.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_POINTS)
    items = len(edges)
    done, done_error, done_size, points = np.zeros(items), np.zeros(items), np.zeros(items), np.zeros(items, np.int64)

    def rule(item: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        half = 0.5 * high - 0.5 * low
        x = (0.5 * low + 0.5 * high)[:, None] + half[:, None] * nodes
        np.add.at(points, item, _POINTS)
        return (function(item, x) * weights).sum(axis=1) * half

    item = np.repeat(np.arange(items), edges.shape[1] - 1)
    low, high = edges[:, :-1].reshape(-1), edges[:, 1:].reshape(-1)
    use = wanted[item] & (low < high)
    item, low, high = item[use], low[use], high[use]
    whole = rule(item, low, high)
    for rounds in range(_ROUNDS):
        middle = 0.5 * low + 0.5 * high
        left, right = rule(item, low, middle), rule(item, middle, high)
        halves = left + right
        error = np.abs(whole - halves)
        size = np.abs(left) + np.abs(right)
        allowed = np.maximum(atol, rtol * (done_size + np.bincount(item, size, items)))
        count = np.bincount(item, minlength=items)
        # An interval that is left alone may have its share of half of what is allowed, as the number of intervals goes.
        split = (error > 0.5 * (allowed / np.maximum(count, 1))[item]) & (low < middle) & (middle < high)
        split &= error > 4 * np.finfo(float).eps * size
        done += np.bincount(item[~split], halves[~split], items)
        done_error += np.bincount(item[~split], error[~split], items)
        done_size += np.bincount(item[~split], size[~split], items)
        if not split.any() or 2 * split.sum() > most or rounds == _ROUNDS - 1:
            break
        item, low, high = np.repeat(item[split], 2), _pairs(low[split], middle[split]), _pairs(middle[split], high[split])
        whole = _pairs(left[split], right[split])
    if split.any():  # not resolved
        done += np.bincount(item[split], halves[split], items)
        done_error += np.bincount(item[split], error[split], items)
        done_size += np.bincount(item[split], size[split], items)
    done_error += 8 * np.finfo(float).eps * done_size
    return done, done_error, done_size, int(points.max(initial=0))


def _pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a[0], b[0], a[1], b[1], ..."""
    return np.stack([a, b], axis=1).reshape(-1)
