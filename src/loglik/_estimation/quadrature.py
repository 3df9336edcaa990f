"""Divergences of univariate distributions by adaptive quadrature.

The line is cut where the densities bend: at the edges of uniform distributions and at some standard deviations of normal ones.
Each interval is integrated by Gauss and Legendre's rule as a whole and in halves; the difference is its error, and the intervals
with too large an error are halved again, those of all batch items together.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from loglik import ufuncs
from loglik.distributions.mvnormal import MultivariateNormal
from loglik.distributions.normal import Normal
from loglik.distributions.uniform import Uniform

_POINTS = 15  # of the rule
_DEVIATIONS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 38.6)  # of a normal distribution, to where its density is below 1e-323
_ROUNDS = 60  # of halving
_MOST = 1 << 20  # intervals at a time
DEFAULT_RTOL = 1e-10
"""Where no tolerance is asked for."""


class _Normals:
    def __init__(self, loc: np.ndarray, scale: np.ndarray) -> None:
        self._loc, self._scale = loc, scale

    def edges(self) -> np.ndarray:
        steps = np.array([-d for d in reversed(_DEVIATIONS)] + list(_DEVIATIONS[1:]))
        return self._loc[:, None] + steps * self._scale[:, None]

    def log_prob(self, item: np.ndarray, x: np.ndarray) -> np.ndarray:
        return ufuncs.normal_log_prob(x, self._loc[item, None], self._scale[item, None])


class _Uniforms:
    def __init__(self, low: np.ndarray, high: np.ndarray) -> None:
        self._low, self._high = low, high

    def edges(self) -> np.ndarray:
        return np.stack([self._low, self._high], axis=1)

    def log_prob(self, item: np.ndarray, x: np.ndarray) -> np.ndarray:
        return ufuncs.uniform_log_prob(x, self._low[item, None], self._high[item, None])


def is_univariate(distribution: Any) -> bool:
    """Whether there is a quadrature for it."""
    return isinstance(distribution, Normal | Uniform) or (
        isinstance(distribution, MultivariateNormal) and distribution.event_shape == (1,) and distribution._support is None
    )


def _densities(distribution: Any, shape: tuple[int, ...]) -> "_Normals | _Uniforms":
    def flat(values: Any) -> np.ndarray:
        return np.broadcast_to(np.asarray(values, np.float64), shape).reshape(-1)

    if isinstance(distribution, Normal):
        return _Normals(flat(distribution.loc), flat(distribution.scale))
    if isinstance(distribution, Uniform):
        return _Uniforms(flat(distribution.low), flat(distribution.high))
    return _Normals(flat(distribution.loc[..., 0]), flat(np.sqrt(distribution.variance[..., 0])))


def divergence(
    p: Any, q: Any, shape: tuple[int, ...], *, js: bool, rtol: float, atol: float
) -> tuple[np.ndarray, np.ndarray, int, bool]:
    """KL(p ‖ q) or JS(p, q) for each item of a batch of `shape`: value, error, largest number of points, whether all errors are
    within max(atol, rtol·value)."""
    first, second = _densities(p, shape), _densities(q, shape)

    def integrand(item: np.ndarray, x: np.ndarray) -> np.ndarray:
        log_p, log_q = first.log_prob(item, x), second.log_prob(item, x)
        with np.errstate(all="ignore"):
            density_p, density_q = np.exp(log_p), np.exp(log_q)
            outside = np.isneginf(log_p) & np.isneginf(log_q)
            ratio = np.where(outside, 0.0, log_p - log_q)
            if js:
                return 0.5 * (density_p + density_q) * ufuncs.js_integrand(ratio)
            # p log(p/q) + q - p: the terms q - p integrate to 0, and with them nothing cancels.
            small = np.abs(ratio) < 0.5  # there from q/p - 1, which keeps the digits of near densities
            near = -density_p * ufuncs.log1pmx(np.expm1(np.where(small, -ratio, 0.0)))
            far = np.where(density_p == 0, density_q, density_p * ratio + (density_q - density_p))
            return np.where(small, near, far)

    edges = np.sort(np.concatenate([first.edges(), second.edges()], axis=1), axis=1)
    if not js and isinstance(q, Uniform):  # the only one here without density somewhere
        a, b = first.edges(), second.edges()
        infinite = (a[:, 0] < b[:, 0]) | (a[:, -1] > b[:, -1]) | isinstance(p, Normal | MultivariateNormal)
    else:
        infinite = np.zeros(len(edges), bool)
    value, error, size, points = integrate(integrand, edges, ~infinite, rtol, atol)
    converged = bool((error <= np.maximum(atol, rtol * size))[~infinite].all())
    value[infinite], error[infinite] = math.inf, 0.0
    if js:
        value = np.clip(value, 0.0, math.log(2.0))
    return value.reshape(shape), error.reshape(shape), points, converged


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
