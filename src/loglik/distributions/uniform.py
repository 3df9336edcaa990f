"""The continuous uniform distribution."""

import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from loglik import ufuncs
from loglik._engine import elementwise, expectation, sampling, validate
from loglik._engine.slopes import Argument, Slopes, elementwise_gradients
from loglik._kernels import fill_uniform
from loglik.distributions.base import Distribution, apart, keep


class Uniform(Distribution):
    """Uniform distribution with density 1/(high - low) on the closed interval [low, high].

    Parameters
    ----------
    low : array_like
        Lower bound, finite.
    high : array_like
        Upper bound, finite and greater than `low`. Broadcasts with it.

    Raises
    ------
    ValueError
        If a bound is not finite, an interval is empty (the message names the first index and its values) or the shapes do
        not broadcast.
    TypeError
        If a parameter is not real.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.Uniform(0.0, 4.0).log_prob([1.0, 5.0])
    array([-1.38629436,        -inf])
    >>> ll.Uniform(0.0, 4.0).entropy()
    np.float64(1.3862943611198906)
    """

    _parameters: ClassVar = ("low", "high")
    event_shape = ()
    _low: Any
    _high: Any

    # ------------------------------------------------------------------------------------------- construction

    def __init__(self, low: Any = 0.0, high: Any = 1.0) -> None:
        a, b = validate.as_array("Uniform", "low", low), validate.as_array("Uniform", "high", high)
        validate.require("Uniform", "low", a, np.isfinite(a), "finite")
        validate.require("Uniform", "high", b, np.isfinite(b), "finite")
        shape = validate.broadcast_shapes("Uniform", low=a.shape, high=b.shape)
        dtype = validate.result_dtype(low, high)
        with np.errstate(over="ignore"):
            ordered = a.astype(dtype) < b.astype(dtype)
        if not np.all(ordered):
            wide = [np.broadcast_to(array, shape) for array in (a, b)]
            index = validate.first_index(~np.broadcast_to(ordered, shape))
            entries = [validate.describe_entry(name, index, w[index]) for name, w in zip(("low", "high"), wide, strict=True)]
            raise ValueError(f"Uniform: low must be less than high, but {entries[0]} and {entries[1]}")
        self._initialise(_low=keep(low, a), _high=keep(high, b), batch_shape=shape, dtype=dtype)

    # ------------------------------------------------------------------------------------------- parameters

    @property
    def low(self) -> Any:
        """Lower bound as an array of `dtype`."""
        return np.asarray(self._low, self.dtype)[()]

    @property
    def high(self) -> Any:
        """Upper bound as an array of `dtype`."""
        return np.asarray(self._high, self.dtype)[()]

    # ------------------------------------------------------------------------------------------- density

    def log_prob(self, x: Any, *, out: Any = None, wrt: str | tuple[str, ...] | None = None) -> Any:
        """Logarithm of the density in nats: -log(high - low) on [low, high], -inf outside.

        Parameters
        ----------
        x : array_like
            Points; broadcast with the parameters. NaN gives NaN.
        out : ndarray, optional
            Where to put the result; with `wrt`, nested like the return value.
        wrt : str or tuple of str, optional
            What to take gradients in: ``"x"``, ``"low"``, ``"high"``.

        Returns
        -------
        ndarray or scalar, or with `wrt` a pair (value, gradient) or (value, (gradients, ...))
            Of the broadcast shape, float32 if all floating inputs are float32 or float16. A gradient has the shape of its
            argument: that of the sum of all values.

        Raises
        ------
        ValueError
            If shapes do not broadcast, `out` does not fit, or `wrt` names something else or a name twice.
        TypeError
            If `x` is not real, or `wrt` or `out` has the wrong form.

        Notes
        -----
        Error at most 2 u (1 + abs(result)). Inside, the gradients are 0 in x, w⁻¹ in low and -w⁻¹ in high, with w = high - low;
        where the density is 0 its logarithm has none, and they are NaN.

        Examples
        --------
        >>> import loglik as ll
        >>> ll.Uniform(0.0, 4.0).log_prob([1.0, 2.0], wrt="high")
        (array([-1.38629436, -1.38629436]), np.float64(-0.5))
        """
        if validate.is_dask(x):
            return self._lazily("log_prob", x, out, wrt)
        name = "Uniform.log_prob"
        x_array = validate.as_array(name, "x", x)
        dtype = validate.result_dtype(x, self._low, self._high)
        if wrt is None:
            return elementwise.apply(
                name, ufuncs.uniform_log_prob, x_array, self._low, self._high, dtype=dtype, out=out, nanoseconds=1.0
            )
        points = apart(x_array, out)
        arguments = {"x": points, "low": np.asarray(self._low), "high": np.asarray(self._high)}
        dtypes = {"x": dtype, "low": np.dtype(np.float64), "high": np.dtype(np.float64)}
        return elementwise_gradients(
            name, lambda into: self.log_prob(x if out is None else points, out=into),
            {key: Argument(array, dtypes[key]) for key, array in arguments.items()}, ("x", "low", "high"), _slopes,
            lead=validate.broadcast_shapes(name, x=points.shape, batch=self.batch_shape), dtype=dtype, wrt=wrt, out=out,
            nanoseconds=10.0,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------- distribution

    def _shares(self, method: str, x: Any) -> tuple[np.ndarray, np.ndarray]:
        """The shares of the interval below and above `x`, each from its own difference and within [0, 1]."""
        x_array = validate.as_array(f"Uniform.{method}", "x", x)
        dtype = validate.result_dtype(x, self._low, self._high)
        validate.broadcast_shapes(f"Uniform.{method}", x=x_array.shape, batch=self.batch_shape)
        # quarters: no difference overflows, and subnormal numbers keep their bits where it matters
        low, high, at = (np.asarray(a, dtype) for a in (self._low, self._high, x_array.astype(dtype, copy=False)))
        with np.errstate(all="ignore"):
            factor = np.where(np.maximum(np.abs(low), np.abs(high)) > np.finfo(dtype).max / 4, dtype.type(0.25), dtype.type(1))
            low, high = low * factor, high * factor
            at = np.clip(at * factor, low, high)
            width = high - low
            return (at - low) / width, (high - at) / width

    def cdf(self, x: Any) -> Any:
        """P(X ≤ x) = (x - low)/(high - low) within the interval, 0 below and 1 above it."""
        return self._shares("cdf", x)[0][()]

    def sf(self, x: Any) -> Any:
        """P(X > x) = (high - x)/(high - low) within the interval, without the cancellation of 1 - cdf."""
        return self._shares("sf", x)[1][()]

    def log_cdf(self, x: Any) -> Any:
        """log P(X ≤ x), right near both ends."""
        return _log_share(*self._shares("log_cdf", x))

    def log_sf(self, x: Any) -> Any:
        """log P(X > x), right near both ends."""
        return _log_share(*self._shares("log_sf", x)[::-1])

    def quantile(self, q: Any, *, out: np.ndarray | None = None) -> Any:
        """The x with P(X ≤ x) = q: (1 - q) low + q high, the inverse of `cdf`.

        Parameters
        ----------
        q : array_like
            Probabilities within [0, 1]; broadcast with the parameters. 0 gives low, 1 gives high, NaN gives NaN.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray or scalar
            Within [low, high], of the broadcast shape, float32 if all floating inputs are float32 or float16.

        Raises
        ------
        ValueError
            If an element of `q` is outside [0, 1] (the message names its index and value), shapes do not broadcast, or `out`
            does not fit.
        TypeError
            If `q` is not real, or `out` is no array.

        Notes
        -----
        Error at most 3 u ((1 - q) abs(low) + q abs(high)) (u = 2⁻⁵³ or 2⁻²⁴), also where high - low overflows.

        Examples
        --------
        >>> import loglik as ll
        >>> ll.Uniform(-1.0, 4.0).quantile([0.0, 0.5, 1.0])
        array([-1. ,  1.5,  4. ])
        """
        name = "Uniform.quantile"
        array = validate.as_array(name, "q", q)
        validate.require_probabilities(name, "q", array)
        dtype = validate.result_dtype(q, self._low, self._high)
        return elementwise.apply(name, _quantile, array, self._low, self._high, dtype=dtype, out=out, nanoseconds=2.0)

    def prob_between(self, a: Any, b: Any) -> Any:
        """P(a ≤ X ≤ b): the share of [low, high] that lies in [a, b]; 0 where a > b.

        `a` and `b` broadcast with each other and the parameters; ±inf are ends like others, NaN gives NaN. The error is at
        most 4 u relative (u = 2⁻⁵³ or 2⁻²⁴). Errors as in `cdf`.

        Examples
        --------
        >>> import loglik as ll
        >>> ll.Uniform(0.0, 10.0).prob_between([2, -1, 7], [4, 5, 6])
        array([0.2, 0.5, 0. ])
        """
        name = "Uniform.prob_between"
        ends = [validate.as_array(name, key, value) for key, value in (("a", a), ("b", b))]
        validate.broadcast_shapes(name, a=ends[0].shape, b=ends[1].shape, batch=self.batch_shape)
        dtype = validate.result_dtype(a, b, self._low, self._high)
        return elementwise.apply(name, _between, *ends, self._low, self._high, dtype=dtype, nanoseconds=10.0)

    # ------------------------------------------------------------------------------------------- moments

    @property
    def mean(self) -> Any:
        """E[X] = (low + high)/2, of the batch shape."""
        with np.errstate(over="ignore"):
            total = np.asarray(self.low + self.high)
        half = self.dtype.type(0.5)
        return np.where(np.isfinite(total), half * total, half * self.low + half * self.high)[()]

    @property
    def _width(self) -> Any:
        with np.errstate(over="ignore"):
            return self.high - self.low

    @property
    def variance(self) -> Any:
        """Var[X] = (high - low)²/12, of the batch shape."""
        with np.errstate(over="ignore", under="ignore"):
            return (self._width * (self._width / self.dtype.type(12)))[()]

    @property
    def std(self) -> Any:
        """√Var[X] = (high - low)/√12, of the batch shape."""
        root = self.dtype.type(math.sqrt(12))
        return (self.high / root - self.low / root if np.isinf(self._width).any() else self._width / root)[()]

    def entropy(self) -> Any:
        """Differential entropy in nats: log(high - low)."""
        return (0.0 - ufuncs.uniform_log_prob(self.low, self.low, self.high))[()]

    def _expectation(self, function: str, g: expectation.Values) -> expectation.Expectation:
        return expectation.uniform(function, g, np.asarray(self._low, np.float64), np.asarray(self._high, np.float64))

    def _picture(self) -> Any:
        from loglik._faces import pictures

        return pictures.Box(float(self.low), float(self.high))

    # ------------------------------------------------------------------------------------------- sampling

    def _sampler(self, function: str, dtype: Any) -> tuple[np.dtype, Callable[[np.ndarray, int], None]]:
        kind = sampling.floating(function, dtype, self.dtype)
        with np.errstate(over="ignore"):
            if kind != self.dtype:
                return Uniform(*(np.asarray(a).astype(kind) for a in (self._low, self._high)))._sampler(function, None)
            low, high = np.asarray(self._low, kind), np.asarray(self._high, kind)
            # Where the width overflows, everything is halved until the end.
            unit = np.where(np.isinf(high - low), kind.type(0.5), kind.type(1))
            width = high * unit - low * unit
        parameters = low * unit, width, unit, np.nextafter(high, low)
        return kind, functools.partial(
            sampling.in_blocks, columns=self.batch_shape, parameters=parameters, draw=_draw, nanoseconds=2.0
        )


def _draw(key: int, start: int, values: np.ndarray, low: Any, width: Any, unit: Any, last: Any) -> None:
    """(low + width·u)/unit for a block of a sample; rounding may not take it beyond `last`, the number before `high`."""
    if all(np.ndim(a) == 0 for a in (low, width, unit, last)) and unit == 1:
        fill_uniform(key, 0, start, values, scale=width, shift=low, last=last)
        return
    fill_uniform(key, 0, start, values)
    np.multiply(values, width, out=values)
    np.add(values, low, out=values)
    if np.any(unit != 1):
        np.divide(values, unit, out=values)
    np.minimum(values, last, out=values)


def _log_share(share: np.ndarray, rest: np.ndarray) -> Any:
    with np.errstate(divide="ignore"):
        return np.where(share < 0.5, ufuncs.log(share), ufuncs.log1p(-rest))[()]


def _quantile(q: Any, low: Any, high: Any, *, dtype: np.dtype, out: np.ndarray | None = None) -> Any:
    """(1 - q) low + q high of one block, called like a ufunc; both terms are finite, and rounding may leave [low, high]."""
    q, low, high = (np.asarray(a, dtype) for a in (q, low, high))
    with np.errstate(under="ignore"):
        return np.minimum(np.maximum((1 - q) * low + q * high, low), high, out=out)


def _between(a: Any, b: Any, low: Any, high: Any, *, dtype: np.dtype, out: np.ndarray | None = None) -> Any:
    """P(a ≤ X ≤ b) of one block, called like a ufunc; maximum and minimum hand NaN on."""
    a, b, low, high = (np.asarray(v, dtype) for v in (a, b, low, high))
    with np.errstate(all="ignore"):
        begin, end = np.maximum(a, low), np.minimum(b, high)
        # quarters where a difference may overflow, as in `_shares`
        factor = np.where(np.maximum(np.abs(low), np.abs(high)) > np.finfo(dtype).max / 4, dtype.type(0.25), dtype.type(1))
        share = (end * factor - begin * factor) / (high * factor - low * factor)
    return np.maximum(share, dtype.type(0), out=out)


def _slopes(blocks: dict[str, np.ndarray]) -> Slopes:
    x, low, high = blocks["x"], blocks["low"], blocks["high"]
    inside = (low <= x) & (x <= high)

    def of(sign: float) -> np.ndarray:
        return np.where(inside, sign / (high - low), np.nan)

    return {"x": lambda: of(0.0), "low": lambda: of(1.0), "high": lambda: of(-1.0)}
