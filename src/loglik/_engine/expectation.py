"""Expectations E[g(X)]: sums where outcomes are listed, quadrature where there is a density.

- One dimension: the adaptive rule of `quadrature`, in units of the distribution or along its quantiles.
- More dimensions: products of Gauss-Hermite rules in the whitened coordinates, each larger than the one before, until two
  agree; singular covariances need nothing special. The number of points grows as a power of d, so there is a limit.

Where g is infinite, the length and the probability of the place decide: exp(0.48 x²) overflows at 38 standard deviations,
where the density makes it negligible; single points have no length; else the expectation is infinite, or nobody can tell.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from loglik import ufuncs
from loglik._engine.quadrature import integrate

_RTOL = 1e-12  # of E|g|: the aim
_WARN_RTOL = 1e-10
_ITEMS = 64  # of a batch, integrated together
_INTERVALS = 1 << 14  # at a time: 2 MB of points
_LARGE = np.finfo(np.float64).max
_DEVIATIONS = np.array([0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 38.6])  # to where the density is below 1e-323
_LAPLACE_EDGES = np.array([-745.0, -300.0, -100.0, -40.0, -15.0, -5.0, -1.0, 0.0, 1.0, 5.0, 15.0, 40.0, 100.0, 300.0, 745.0])
_ORDERS = (7, 10, 17, 26, 43, 68, 111)  # of Gauss-Hermite rules, with and without a point in the middle
_SMOOTH_RTOL = 1e-9  # of their difference: the larger rule is much better than the smaller
_MOST_POINTS = 1 << 20  # of a product of them
MOST_DIMENSIONS = 6  # with two rules within it

Values = Callable[[np.ndarray], np.ndarray]
Expectation = tuple[np.ndarray, str | None]  # in float64, and what to warn of
Place = Callable[[np.ndarray, np.ndarray], Any]  # (items, rows of what is integrated over) → points
Density = Callable[[np.ndarray, np.ndarray], np.ndarray]


def checked(function: str, g: Any, event: int) -> Values:
    """`g` as a function from points (float64, the last `event` axes are coordinates) to float64 values, one for each."""
    if not callable(g):
        raise TypeError(f"{function}: g must be a function of an array of points, got {type(g).__name__}")

    def values(x: np.ndarray) -> np.ndarray:
        shape = x.shape[: x.ndim - event]
        result = np.asarray(g(x))
        if result.dtype.kind not in "biuf":
            raise TypeError(f"{function}: g must return real numbers, got dtype {result.dtype}")
        if result.shape not in (shape, ()):
            raise ValueError(f"{function}: g must return a value for each point, shape {shape}, got shape {result.shape}")
        return np.broadcast_to(result.astype(np.float64), shape)

    return values


def of_outcomes(probs: np.ndarray, values: np.ndarray) -> Expectation:
    """Σ p·g over the last axis; what is impossible does not count, whatever its value."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(probs > 0, probs * values, 0.0).sum(axis=-1), None


def normal(function: str, g: Values, loc: np.ndarray, scale: np.ndarray) -> Expectation:
    """For each of a batch of normal distributions."""
    edges = np.concatenate([-_DEVIATIONS[:0:-1], _DEVIATIONS])
    return _in_units(function, g, loc, scale, lambda _: edges, lambda z, _: np.exp(ufuncs.normal_log_prob(z, 0.0, 1.0)))


def uniform(function: str, g: Values, low: np.ndarray, high: np.ndarray) -> Expectation:
    """For each of a batch of uniform distributions."""
    low, high = np.broadcast_arrays(low, high)
    # In units of a power of two: so points are as near to 0 as floating numbers come, where g may be infinite.
    scale = np.ldexp(1.0, np.frexp(np.maximum(np.abs(low), np.abs(high)))[1] - 1)

    def edges(scale: np.ndarray) -> np.ndarray:
        return np.stack([low / scale, np.clip(0.0, low, high) / scale, high / scale], axis=-1)

    return _in_units(function, g, np.zeros(low.shape), scale, edges, lambda _, ends: 1 / (ends[:, 1:] - ends[:, :1]))


def by_quantiles(function: str, g: Values, shape: tuple[int, ...], place: Place) -> Expectation:
    """For each of a batch of continuous distributions, from their quantiles.

    With v a Laplace variable, ``place(item, v)`` is the point of the distribution `item` that has the probability exp(-|v|)/2
    below it (v < 0) or above it: so E[g(X)] = E[g(place(V))], and both tails are seen as far as there are numbers.
    """
    edges = np.broadcast_to(_LAPLACE_EDGES, (math.prod(shape), len(_LAPLACE_EDGES)))
    value, problem = _adaptive(function, g, place, edges, lambda v, _: 0.5 * np.exp(-np.abs(v)))
    return value.reshape(shape), problem


def _in_units(
    function: str, g: Values, loc: np.ndarray, scale: np.ndarray, edges: Callable[[np.ndarray], np.ndarray], density: Density
) -> Expectation:
    """E[g(loc + scale·Z)] for each item, with the density of Z."""
    loc, scale = np.broadcast_arrays(loc, scale)
    shape = loc.shape
    cuts = edges(scale)
    cuts = np.broadcast_to(cuts, (*shape, cuts.shape[-1])).reshape(-1, cuts.shape[-1])
    loc, scale = (a.reshape(-1).astype(np.float64) for a in (loc, scale))
    value, problem = _adaptive(function, g, lambda item, z: loc[item, None] + scale[item, None] * z, cuts, density)
    return value.reshape(shape), problem


def _adaptive(function: str, g: Values, place: Place, edges: np.ndarray, density: Density) -> Expectation:
    """E[g(place(item, Z))] for each row of edges, with the density of Z (of points, and of the outer edges of their rows)."""
    parts = [_integrals(g, place, i, edges[i : i + _ITEMS], density) for i in range(0, len(edges), _ITEMS)]
    value, error, size = (np.concatenate(each) for each in zip(*parts, strict=True)) if parts else np.empty((3, 0))
    return value, _problem(function, value, error, size, _WARN_RTOL)


def _integrals(
    g: Values, place: Place, first: int, edges: np.ndarray, density: Density
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some items at once, from `first` on: value, error and E|g|."""
    count = len(edges)
    all_items = np.arange(count)
    overflow = np.zeros(count, bool)

    def points(item: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return g(place(first + item, z)), density(z, edges[item][:, [0, -1]])

    def finite_part(item: np.ndarray, z: np.ndarray) -> np.ndarray:
        values, weight = points(item, z)
        infinite = np.isinf(values)
        overflow[item[infinite.any(axis=1)]] = True
        return np.where(infinite, 0.0, values) * weight

    def infinite_part(item: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Where g is -inf and where inf: their probabilities, then their lengths."""
        kind, item = np.divmod(item, count)
        values, weight = points(item, z)
        inside = values == np.where(kind % 2, np.inf, -np.inf)[:, None]
        return np.where(kind[:, None] < 2, weight, 1.0) * inside

    with np.errstate(all="ignore"):
        value, error, size, _ = integrate(finite_part, edges, np.ones(count, bool), _RTOL, 0.0, _INTERVALS)
        # What is beyond the last edge is less than this: g·density falls there, or g is soon beyond the doubles.
        error += np.abs(finite_part(all_items, edges[:, [0, -1]])).max(axis=1) * (edges.shape[1] > 3)
        if overflow.any():
            share, _, _, _ = integrate(infinite_part, np.tile(edges, (4, 1)), np.tile(overflow, 4), 1e-3, 0.0, _INTERVALS)
            share = share.reshape(2, 2, count)
            # Not single points, and not so far out that nothing depends on them.
            matters = (share[1] > 1e-9 * (edges[:, -1] - edges[:, 0])) & (share[0] * _LARGE > _RTOL * size)
            below, above = matters
            value[above], value[below], value[above & below] = np.inf, -np.inf, np.nan
            # Far out, g may be finite and only beyond the doubles.
            error[above | below] = np.where(share[0].max(axis=0) > 1e-16, 0.0, np.inf)[above | below]
    return value, error, size


def _problem(function: str, value: np.ndarray, error: np.ndarray, size: np.ndarray, rtol: float) -> str | None:
    """What a warning has to say: where the error is above what was aimed at, in units of E|g|."""
    with np.errstate(invalid="ignore"):
        bad = ~np.isnan(value) & ~(error <= rtol * size)
    if not bad.any():
        return None
    i = int(np.argmax(bad))
    if np.isinf(value[i]):
        return f"{function}: g overflows where it still counts; its expectation is infinite or beyond what such values can tell"
    return (
        f"{function}: the integral did not converge; the error is about {error[i]:.1e} for the value {value[i]:.6g}, and the "
        "expectation may be infinite"
    )


def gaussian(function: str, g: Values, loc: np.ndarray, lower: np.ndarray) -> Expectation:
    """For each of a batch of Gaussians, from (..., d) and (..., d, d)."""
    d = loc.shape[-1]
    if d == 1:
        return normal(function, lambda x: g(x[..., None]), loc[..., 0], np.abs(lower[..., 0, 0]))
    if d > MOST_DIMENSIONS:
        raise NotImplementedError(
            f"{function}: quadrature reaches {MOST_DIMENSIONS} dimensions, this has {d}; estimate by sampling: "
            "g(d.sample(100_000)).mean(axis=0)"
        )
    batch = np.broadcast_shapes(loc.shape[:-1], lower.shape[:-2])
    loc = np.broadcast_to(loc, (*batch, d)).reshape(-1, d).astype(np.float64)
    lower = np.broadcast_to(lower, (*batch, d, d)).reshape(-1, d, d).astype(np.float64)
    result, error, size = np.empty(len(loc)), np.zeros(len(loc)), np.zeros(len(loc))
    for i in range(len(loc)):
        previous = math.nan
        for order in _ORDERS:
            if order**d > _MOST_POINTS:
                break
            value, size[i] = _product_rule(g, loc[i], lower[i], order)
            error[i], previous = abs(value - previous), value
            if not math.isfinite(value) or error[i] <= _SMOOTH_RTOL * size[i]:
                break
        result[i] = previous
    return result.reshape(batch), _problem(function, result, error, size, _SMOOTH_RTOL)


def _product_rule(g: Values, loc: np.ndarray, lower: np.ndarray, order: int) -> tuple[float, float]:
    """E[g] and E|g| by `order` points along each axis, in parts along the first."""
    d = len(loc)
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    weights = weights / weights.sum()
    rest = np.stack(np.meshgrid(*[nodes] * (d - 1), indexing="ij"), axis=-1).reshape(-1, d - 1)
    rest_weights = weights
    for _ in range(d - 2):
        rest_weights = np.multiply.outer(rest_weights, weights).reshape(-1)
    total, size = [], []
    for node, weight in zip(nodes, weights, strict=True):
        with np.errstate(all="ignore"):
            values = weight * rest_weights * g(loc + (node * lower[:, 0] + rest @ lower[:, 1:].T))
            total.append(float(values.sum()))
            size.append(float(np.abs(values).sum()))
    return sum(total), sum(size)
