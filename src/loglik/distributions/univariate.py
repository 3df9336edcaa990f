"""Continuous families from a declaration: `Univariate`, and `LocationScale` for those that are one density moved and stretched.

What a family declares is listed in `scalar.Scalar`. Beside it:

- ``_ends(*θ)``: the ends of the support, where it is not the whole line.
- `_draw`, where sampling by inversion is not good enough.
- `_statistics` and `_fitted`, where it is fitted.
"""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from loglik._engine import expectation, sampling
from loglik._kernels import fill_uniform
from loglik.distributions.scalar import FLOAT64, INFINITY, POSITIVE, REAL, Function, Scalar

# Where the line is cut for quadrature: quantiles of these probabilities and of their complements.
_CUTS = (1e-300, 1e-150, 1e-60, 1e-24, 1e-9, 1e-4, 0.02, 0.15)


class Univariate(Scalar):
    """Base of continuous families on the line; see the modules `scalar` and `univariate`."""

    def _ends(self, *theta: Any) -> tuple[Any, Any]:
        """Ends of the support."""
        return -INFINITY, INFINITY

    def _empty(self, a: Any, b: Any) -> Any:
        return a >= b

    # ------------------------------------------------------------------------------------------- expectation

    def _wide_theta(self) -> list[np.ndarray]:
        """The parameters in float64, one entry for each item of the batch in C order."""
        return [np.broadcast_to(np.asarray(t, np.float64), self.batch_shape).reshape(-1) for t in self._theta]

    def _expectation(self, function: str, g: expectation.Values) -> expectation.Expectation:
        theta = self._wide_theta()

        def place(item: np.ndarray, v: np.ndarray) -> Any:
            """What has the probability exp(-abs(v))/2 below it (v < 0) or above it."""
            return self._quantile(0.5 * np.exp(-np.abs(v)), v > 0, *(t[item, None] for t in theta))

        return expectation.by_quantiles(function, g, self.batch_shape, place)

    _has_line = True
    """Whether quadrature along the line is there for it."""

    def _line(self, shape: tuple[int, ...]) -> "Line":
        """What quadrature along the line needs, for each item of a batch broadcast to `shape`."""
        theta = [np.broadcast_to(np.asarray(t, np.float64), shape).reshape(-1) for t in self._theta]
        return Line(self, theta)

    def _edges(self, *theta: np.ndarray) -> np.ndarray:
        """Where the line is cut for quadrature, (items, edges): ascending, from end to end of what counts."""
        p = np.array(_CUTS)
        columns = [t[:, None] for t in theta]
        with np.errstate(all="ignore"):
            below = self._quantile(p, np.zeros(p.shape, bool), *columns)
            middle = self._quantile(np.array([0.5]), np.zeros(1, bool), *columns)
            above = self._quantile(p[::-1], np.ones(p.shape, bool), *columns)
        return np.concatenate([below, middle, above], axis=1)

    def _picture(self) -> Any:
        from loglik._faces import pictures

        with np.errstate(all="ignore"):
            ends, ticks = self.quantile([0.001, 0.999]), self.quantile([0.05, 0.5, 0.95])
            x = np.linspace(ends[0], ends[1], 81)
            return pictures.Curve(x, np.asarray(self.prob(x), np.float64), [(at, at) for at in ticks.tolist()])

    # ------------------------------------------------------------------------------------------- sampling

    def _sampler(self, function: str, dtype: Any) -> tuple[np.dtype, Callable[[np.ndarray, int], None]]:
        kind = sampling.floating(function, dtype, self.dtype)
        if kind != self.dtype:
            return self._in(kind)._sampler(function, None)
        with np.errstate(all="ignore"):
            parameters = self._draw_parameters(*(np.asarray(t, kind) for t in self._theta))
        return kind, self._fill(*parameters)

    def _draw_parameters(self, *theta: np.ndarray) -> tuple[np.ndarray, ...]:
        """What `_draw` takes beside its place in the stream, from the parameters in the dtype of the sample."""
        return theta

    def _draw(self, key: int, start: int, values: np.ndarray, *theta: Any) -> None:
        """By inversion of uniform numbers in the middles of their cells: p = min(u, 1 - u) is exact and never 0."""
        fill_uniform(key, 0, start, values)
        cell = np.finfo(values.dtype).epsneg
        rest = (1 - cell) - values
        with np.errstate(all="ignore"):
            values[...] = self._quantile(np.minimum(values, rest) + cell / 2, values > rest, *theta)

    _uniform_dimensions = 1
    """How many uniform numbers make a sample in `_uniforms_to_samples`; None where there is no such map."""

    def _uniforms_to_samples(self, u: np.ndarray) -> np.ndarray:
        """Uniform numbers (m, 1) in (0, 1) as samples (m, batch), in float64."""
        q = u.reshape(-1, *[1] * len(self.batch_shape))
        with np.errstate(all="ignore"):
            return self._quantile_of(q, *(np.asarray(t, np.float64) for t in self._theta))


class Line:
    """A batch of univariate densities as quadrature sees them: where to cut the line, and logarithms of densities in float64."""

    def __init__(self, family: Univariate, theta: list[np.ndarray]) -> None:
        self._family, self._theta = family, theta

    def edges(self) -> np.ndarray:
        """Where to cut, (items, edges)."""
        return self._family._edges(*self._theta)

    def log_prob(self, item: np.ndarray, x: np.ndarray) -> np.ndarray:
        """For rows of points, each with the density of its item."""
        return self._family._kernel(x, *(t[item, None] for t in self._theta))

    def support(self) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the support, one for each item."""
        ends = self._family._ends(*self._theta)
        return tuple(np.broadcast_to(end, self._theta[0].shape) for end in ends)  # type: ignore[return-value]


# ------------------------------------------------------------------------------------------- location and scale


# Less than half of the spacing of the largest numbers: no difference overflows that has nothing larger on one side.
_SMALL_LOCATION = {np.dtype(np.float64): 1e290, np.dtype(np.float32): 1e30}


def standardised(x: Any, loc: Any, scale: Any) -> Any:
    """(x - loc)/scale, also where the difference overflows."""
    z = (x - loc) / scale
    if loc.ndim == 0 and abs(loc) < _SMALL_LOCATION[z.dtype]:
        return z
    wrong = np.isinf(z) & np.isfinite(x)
    return np.where(wrong, 2 * ((x / 2 - loc / 2) / scale), z) if wrong.any() else z


def rest_of_standardised(x: Any, loc: Any, scale: Any, z: Any) -> Any:
    """(x - loc)/scale - z to first order, for z from `standardised`: what rounding has left out, 0 where that cannot be told.

    The difference x - loc is taken with its rounding error (Knuth's two-sum), and z·scale with its own (Dekker's product).
    """
    difference = x - loc
    shift = difference - x
    lost = (x - (difference - shift)) - (loc + shift)
    product = z * scale
    split = z.dtype.type(2.0 ** (12 if z.dtype == np.float32 else 27) + 1)
    z_high, s_high = z * split - (z * split - z), scale * split - (scale * split - scale)
    z_low, s_low = z - z_high, scale - s_high
    error = ((z_high * s_high - product) + z_high * s_low + z_low * s_high) + z_low * s_low
    rest = ((difference - product) - error + lost) / scale
    return np.where(np.isfinite(rest), rest, 0)


class LocationScale(Univariate):
    """A family loc + scale·Z: functions of z, and a few numbers. Z is symmetric about 0.

    It declares `_kernel`, the functions below, and the moments of Z.
    """

    _ranges: ClassVar = {"loc": REAL, "scale": POSITIVE}
    _lower_tail: Function  # z → P(Z ≤ z)
    _log_lower_tail: Function  # (z, rest) → log P(Z ≤ z + rest); rest is a function without arguments
    _lower_quantile: Function  # p ≤ 1/2 → z ≤ 0
    _score: Function  # z → -d log f/dz
    _inside: Function  # (low, high, width) → P(low ≤ Z ≤ high) of flat arrays, low ≤ high
    _unit_variance: ClassVar[float]
    _unit_kurtosis: ClassVar[float]
    _unit_entropy: ClassVar[float]
    _sequence: ClassVar[Any] = None
    """``(key, stream, start, values, scale=, shift=)`` that fills `values` with scale·Z + shift; None: by quantiles."""
    loc: Any
    scale: Any
    _loc: Any
    _scale: Any

    def __init__(self, loc: Any = 0.0, scale: Any = 1.0) -> None:
        if type(loc) is float and type(scale) is float and -INFINITY < loc < INFINITY and 0.0 < scale < INFINITY:
            self.__dict__.update(_loc=loc, _scale=scale, _theta=(loc, scale), batch_shape=(), dtype=FLOAT64)  # in a microsecond
        else:
            self._construct(loc=loc, scale=scale)

    # ------------------------------------------------------------------------------------------- functions of blocks

    def _tail(self, x: Any, loc: Any, scale: Any, *, upper: bool) -> Any:
        z = standardised(x, loc, scale)
        return self._lower_tail(-z if upper else z)

    def _log_tail(self, x: Any, loc: Any, scale: Any, *, upper: bool) -> Any:
        z = standardised(x, loc, scale)
        sign = -1 if upper else 1
        return self._log_lower_tail(sign * z, lambda: sign * rest_of_standardised(x, loc, scale, z))

    def _quantile(self, p: Any, upper: Any, loc: Any, scale: Any) -> Any:
        z = self._lower_quantile(p)
        return np.where(upper, -z, z) * scale + loc

    def _between(self, a: Any, b: Any, loc: Any, scale: Any) -> Any:
        return self._inside(standardised(a, loc, scale), standardised(b, loc, scale), standardised(b, a, scale))

    def _slopes(self, x: Any, loc: Any, scale: Any) -> tuple[Function, ...]:
        z = standardised(x, loc, scale)
        score = self._score(z)
        return lambda: -score / scale, lambda: score / scale, lambda: (z * score - 1) / scale

    def _draw(self, key: int, start: int, values: np.ndarray, loc: Any, scale: Any) -> None:
        if self._sequence is None:
            super()._draw(key, start, values, loc, scale)
        else:
            sampling.affine(self._sequence, key, start, values, loc, scale)

    # ------------------------------------------------------------------------------------------- moments

    def _mean(self, loc: Any, scale: Any) -> Any:
        return loc

    def _mode(self, loc: Any, scale: Any) -> Any:
        return loc

    def _std(self, loc: Any, scale: Any) -> Any:
        return scale.dtype.type(math.sqrt(self._unit_variance)) * scale

    def _variance(self, loc: Any, scale: Any) -> Any:
        return scale.dtype.type(self._unit_variance) * (scale * scale)

    def _skewness(self, loc: Any, scale: Any) -> Any:
        return np.zeros_like(scale)

    def _kurtosis(self, loc: Any, scale: Any) -> Any:
        return np.full_like(scale, self._unit_kurtosis)

    def _entropy(self, loc: Any, scale: Any) -> Any:
        return np.log(scale) + scale.dtype.type(self._unit_entropy)
