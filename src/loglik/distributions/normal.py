"""The univariate normal distribution."""

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from loglik import _elementwise, _validate, ufuncs
from loglik._kernels import fill_normal
from loglik.distributions import _sampling
from loglik.distributions._base import Distribution, apart, keep
from loglik.distributions._sums import Argument, Slopes, elementwise_gradients

_HALF_LOG_2PI = 0.9189385332046727
_INFINITY = float("inf")
_FLOAT64 = np.dtype(np.float64)


class Normal(Distribution):
    """Normal distribution with density exp(-(x - loc)² / (2 scale²)) / (scale √(2π)).

    Parameters
    ----------
    loc : array_like
        Mean μ, finite.
    scale : array_like
        Standard deviation σ, positive and finite. Broadcasts with `loc`.

    Raises
    ------
    ValueError
        If a parameter is outside its range (the message names the first index and its value) or the shapes do not
        broadcast.
    TypeError
        If a parameter is not real.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.Normal(0.0, 1.0).log_prob([-1, 0, 1, 2]).sum()
    np.float64(-6.675754132818691)
    """

    _parameters: ClassVar = ("loc", "scale")
    event_shape = ()
    _loc: Any
    _scale: Any

    # ------------------------------------------------------------------------------------------- construction

    def __init__(self, loc: Any = 0.0, scale: Any = 1.0) -> None:
        if type(loc) is float and type(scale) is float and -_INFINITY < loc < _INFINITY and 0.0 < scale < _INFINITY:
            self._initialise(_loc=loc, _scale=scale, batch_shape=(), dtype=_FLOAT64)  # the common case, in a microsecond
            return
        mu, sigma = _validate.as_array("Normal", "loc", loc), _validate.as_array("Normal", "scale", scale)
        _validate.require("Normal", "loc", mu, np.isfinite(mu), "finite")
        _validate.require("Normal", "scale", sigma, (sigma > 0) & np.isfinite(sigma), "positive and finite")
        self._initialise(
            # Python scalars stay as they are: they are weak in what follows, so float32 data gives float32 results.
            _loc=keep(loc, mu),
            _scale=keep(scale, sigma),
            batch_shape=_validate.broadcast_shapes("Normal", loc=mu.shape, scale=sigma.shape),
            dtype=_validate.result_dtype(loc, scale),
        )

    # ------------------------------------------------------------------------------------------- parameters

    @property
    def loc(self) -> Any:
        """Mean μ as an array of `dtype`."""
        return np.asarray(self._loc, self.dtype)[()]

    @property
    def scale(self) -> Any:
        """Standard deviation σ as an array of `dtype`."""
        return np.asarray(self._scale, self.dtype)[()]

    # ------------------------------------------------------------------------------------------- density

    def log_prob(self, x: Any, *, out: np.ndarray | None = None, wrt: str | tuple[str, ...] | None = None) -> Any:
        """Logarithm of the density in nats: -((x - μ)/σ)²/2 - log σ - log(2π)/2.

        Parameters
        ----------
        x : array_like
            Points; broadcast with the parameters. NaN gives NaN, ±inf gives -inf.
        out : ndarray, optional
            Where to put the result; with `wrt`, nested like the return value.
        wrt : str or tuple of str, optional
            What to take gradients in: ``"x"``, ``"loc"``, ``"scale"``.

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
        Error at most 4 units of u·Σ|terms| (u = 2⁻⁵³ or 2⁻²⁴) for x and σ over the whole range, without overflow of
        x - μ or of squares. With z = (x - μ)/σ the gradients are -z/σ in x, z/σ in μ and (z² - 1)/σ in σ, computed and
        added up in float64: at most 8 units. An infinite x gives what these formulas give.

        Examples
        --------
        >>> import loglik as ll
        >>> value, (by_loc, by_scale) = ll.Normal(0.0, 2.0).log_prob([2.0, 4.0], wrt=("loc", "scale"))
        >>> by_loc, by_scale
        (np.float64(1.5), np.float64(1.5))
        """
        if wrt is not None:
            return self._gradients(x, wrt, out)
        x_array = x if type(x) is float else _validate.as_array("Normal.log_prob", "x", x)
        dtype = _validate.result_dtype(x, self._loc, self._scale)
        return _elementwise.apply(
            "Normal.log_prob", ufuncs.normal_log_prob, x_array, self._loc, self._scale,
            dtype=dtype, out=out, nanoseconds=1.0,
        )

    def _gradients(self, x: Any, wrt: Any, out: Any) -> tuple[Any, Any]:
        name = "Normal.log_prob"
        points = apart(_validate.as_array(name, "x", x), out)
        dtype = _validate.result_dtype(x, self._loc, self._scale)
        arguments = {"x": points, "loc": np.asarray(self._loc), "scale": np.asarray(self._scale)}
        return elementwise_gradients(
            name, lambda into: self.log_prob(x if out is None else points, out=into),
            {key: Argument(array, dtype) for key, array in arguments.items()}, ("x", "loc", "scale"), _slopes,
            lead=_validate.broadcast_shapes(name, x=points.shape, batch=self.batch_shape), dtype=dtype, wrt=wrt, out=out,
            nanoseconds=15.0,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------- distribution

    def _standardise(self, method: str, x: Any) -> tuple[Any, np.dtype]:
        x_array = _validate.as_array(f"Normal.{method}", "x", x)
        dtype = _validate.result_dtype(x, self._loc, self._scale)
        _validate.broadcast_shapes(f"Normal.{method}", x=x_array.shape, batch=self.batch_shape)
        with np.errstate(over="ignore", under="ignore"):
            z = (x_array.astype(dtype, copy=False) - np.asarray(self._loc, dtype)) / np.asarray(self._scale, dtype)
        return z, dtype

    def cdf(self, x: Any) -> Any:
        """P(X ≤ x) = Φ((x - μ)/σ)."""
        z, _ = self._standardise("cdf", x)
        return ufuncs.ndtr(z)

    def sf(self, x: Any) -> Any:
        """P(X > x) = Φ(-(x - μ)/σ), without the cancellation of 1 - cdf."""
        z, _ = self._standardise("sf", x)
        return ufuncs.ndtr(-z)

    def log_cdf(self, x: Any) -> Any:
        """log P(X ≤ x), right in both tails."""
        z, _ = self._standardise("log_cdf", x)
        return ufuncs.log_ndtr(z)

    def log_sf(self, x: Any) -> Any:
        """log P(X > x), right in both tails."""
        z, _ = self._standardise("log_sf", x)
        return ufuncs.log_ndtr(-z)

    def quantile(self, q: Any, *, out: np.ndarray | None = None) -> Any:
        """The x with P(X ≤ x) = q: μ + σ Φ⁻¹(q), the inverse of `cdf`.

        Parameters
        ----------
        q : array_like
            Probabilities within [0, 1]; broadcast with the parameters. 0 gives -inf, 1 gives inf, NaN gives NaN.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray or scalar
            Of the broadcast shape, float32 if all floating inputs are float32 or float16.

        Raises
        ------
        ValueError
            If an element of `q` is outside [0, 1] (the message names its index and value), shapes do not broadcast, or `out`
            does not fit.
        TypeError
            If `q` is not real, or `out` is no array.

        Notes
        -----
        Φ⁻¹ is `ufuncs.ndtri`, within 2 ulp for every q. Error at most 6 u (abs(μ) + abs(σ Φ⁻¹(q))) (u = 2⁻⁵³ or 2⁻²⁴);
        infinite where σ Φ⁻¹(q) overflows. 2 μ - quantile(p) is what is exceeded
        with probability p, also where 1 - p rounds to 1.

        Examples
        --------
        >>> import loglik as ll
        >>> ll.Normal(1.0, 2.0).quantile([0.0, 0.5, 0.975])
        array([      -inf, 1.        , 4.91992797])
        """
        name = "Normal.quantile"
        array = _validate.as_array(name, "q", q)
        _validate.require_probabilities(name, "q", array)
        dtype = _validate.result_dtype(q, self._loc, self._scale)
        return _elementwise.apply(name, _quantile, array, self._loc, self._scale, dtype=dtype, out=out, nanoseconds=7.0)

    # ------------------------------------------------------------------------------------------- moments

    @property
    def mean(self) -> Any:
        """E[X] = μ, of the batch shape."""
        return np.broadcast_to(self.loc, self.batch_shape)[()]

    @property
    def variance(self) -> Any:
        """Var[X] = σ², of the batch shape."""
        return np.broadcast_to(self.scale, self.batch_shape)[()] ** 2

    @property
    def std(self) -> Any:
        """√Var[X] = σ, of the batch shape."""
        return np.broadcast_to(self.scale, self.batch_shape)[()]

    def entropy(self) -> Any:
        """Differential entropy in nats: log σ + (1 + log 2π)/2."""
        return (np.log(self.std) + self.dtype.type(0.5 + _HALF_LOG_2PI))[()]

    # ------------------------------------------------------------------------------------------- sampling

    def _sampler(self, function: str, dtype: Any) -> tuple[np.dtype, Callable[[np.ndarray, int], None]]:
        kind = _sampling.floating(function, dtype, self.dtype)
        if kind != self.dtype:
            with np.errstate(over="ignore"):
                return Normal(*(np.asarray(a).astype(kind) for a in (self._loc, self._scale)))._sampler(function, None)
        parameters = np.asarray(self._loc, kind), np.asarray(self._scale, kind)
        return kind, functools.partial(
            _sampling.in_blocks, columns=self.batch_shape, parameters=parameters, draw=draw, nanoseconds=2.0
        )


def draw(key: int, start: int, values: np.ndarray, loc: Any, scale: Any) -> None:
    """loc + scale·z for a block of a sample."""
    if np.ndim(loc) == np.ndim(scale) == 0:
        fill_normal(key, 0, start, values, scale=scale, shift=loc)
        return
    fill_normal(key, 0, start, values)
    with np.errstate(over="ignore"):
        np.multiply(values, scale, out=values)
        np.add(values, loc, out=values)


def _quantile(q: Any, loc: Any, scale: Any, *, dtype: np.dtype, out: np.ndarray | None = None) -> Any:
    """μ + σ Φ⁻¹(q) of one block, called like a ufunc."""
    q, loc, scale = (np.asarray(a, dtype) for a in (q, loc, scale))
    with np.errstate(over="ignore", under="ignore"):
        return np.add(ufuncs.ndtri(q) * scale, loc, out=out)


def _slopes(blocks: dict[str, np.ndarray]) -> Slopes:
    x, loc, scale = blocks["x"], blocks["loc"], blocks["scale"]
    difference = x - loc
    z = difference / scale
    overflow = np.isinf(difference)
    if overflow.any():
        z = np.where(overflow & np.isfinite(x), 2 * ((x / 2 - loc / 2) / scale), z)
    return {"x": lambda: -z / scale, "loc": lambda: z / scale, "scale": lambda: (z - 1) * ((z + 1) / scale)}
