"""The univariate normal distribution."""

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from loglik import ufuncs
from loglik._engine import elementwise, expectation, sampling, validate
from loglik._engine.slopes import Argument, Slopes, elementwise_gradients
from loglik._kernels import fill_normal
from loglik.distributions.base import Distribution, apart, keep

_HALF_LOG_2PI = 0.9189385332046727
_HALF_ROOT = 0.19947114020071635  # 1/√(8π): half of φ(0)
_NODES = 12  # error of the rule below 1e-17 where the density falls by e³ and the interval is two deviations
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
        mu, sigma = validate.as_array("Normal", "loc", loc), validate.as_array("Normal", "scale", scale)
        validate.require("Normal", "loc", mu, np.isfinite(mu), "finite")
        validate.require("Normal", "scale", sigma, (sigma > 0) & np.isfinite(sigma), "positive and finite")
        self._initialise(
            # Python scalars stay as they are: they are weak in what follows, so float32 data gives float32 results.
            _loc=keep(loc, mu),
            _scale=keep(scale, sigma),
            batch_shape=validate.broadcast_shapes("Normal", loc=mu.shape, scale=sigma.shape),
            dtype=validate.result_dtype(loc, scale),
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
        if type(x) is float:
            x_array: Any = x
        elif validate.is_dask(x):
            return self._lazily("log_prob", x, out)
        else:
            x_array = validate.as_array("Normal.log_prob", "x", x)
        dtype = validate.result_dtype(x, self._loc, self._scale)
        return elementwise.apply(
            "Normal.log_prob", ufuncs.normal_log_prob, x_array, self._loc, self._scale,
            dtype=dtype, out=out, nanoseconds=1.0,
        )

    def _gradients(self, x: Any, wrt: Any, out: Any) -> tuple[Any, Any]:
        name = "Normal.log_prob"
        points = apart(validate.as_array(name, "x", x), out)
        dtype = validate.result_dtype(x, self._loc, self._scale)
        arguments = {"x": points, "loc": np.asarray(self._loc), "scale": np.asarray(self._scale)}
        return elementwise_gradients(
            name, lambda into: self.log_prob(x if out is None else points, out=into),
            {key: Argument(array, dtype) for key, array in arguments.items()}, ("x", "loc", "scale"), _slopes,
            lead=validate.broadcast_shapes(name, x=points.shape, batch=self.batch_shape), dtype=dtype, wrt=wrt, out=out,
            nanoseconds=15.0,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------- distribution

    def _standardise(self, method: str, x: Any) -> tuple[Any, np.dtype]:
        x_array = validate.as_array(f"Normal.{method}", "x", x)
        dtype = validate.result_dtype(x, self._loc, self._scale)
        validate.broadcast_shapes(f"Normal.{method}", x=x_array.shape, batch=self.batch_shape)
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
        array = validate.as_array(name, "q", q)
        validate.require_probabilities(name, "q", array)
        dtype = validate.result_dtype(q, self._loc, self._scale)
        return elementwise.apply(name, _quantile, array, self._loc, self._scale, dtype=dtype, out=out, nanoseconds=7.0)

    def prob_between(self, a: Any, b: Any) -> Any:
        """P(a ≤ X ≤ b); 0 where a > b.

        Parameters
        ----------
        a, b : array_like
            Ends of the interval, ±inf included; broadcast with each other and the parameters. NaN gives NaN.

        Returns
        -------
        ndarray or scalar
            Of the broadcast shape, float32 if all floating inputs are float32 or float16.

        Raises
        ------
        ValueError
            If shapes do not broadcast.
        TypeError
            If `a` or `b` is not real.

        Notes
        -----
        Right in both tails and for short intervals, where cdf(b) - cdf(a) would cancel: relative error at most 16 u beside
        what the rounding of (a - μ)/σ changes (u = 2⁻⁵³, float32 2⁻²⁴; computed in float64). An interval that is short for the
        density on it is integrated by a Gauss-Legendre rule, with positive terms; others are a difference of
        probabilities of the nearer tail, the smaller at most a fifth of the larger.

        Examples
        --------
        >>> import loglik as ll
        >>> ll.Normal(100.0, 15.0).prob_between([85, 70, 55], [115, 130, 145]).round(4)
        array([0.6827, 0.9545, 0.9973])
        >>> print(f"{ll.Normal().prob_between(30.0, 31.0):.10g}")  # cdf(31) - cdf(30) is 0
        4.906713927e-198
        """
        name = "Normal.prob_between"
        ends = [validate.as_array(name, key, value) for key, value in (("a", a), ("b", b))]
        validate.broadcast_shapes(name, a=ends[0].shape, b=ends[1].shape, batch=self.batch_shape)
        dtype = validate.result_dtype(a, b, self._loc, self._scale)
        return elementwise.apply(name, _between, *ends, self._loc, self._scale, dtype=dtype, nanoseconds=60.0)

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

    def _expectation(self, function: str, g: expectation.Values) -> expectation.Expectation:
        return expectation.normal(function, g, np.asarray(self._loc), np.asarray(self._scale))

    def _picture(self) -> Any:
        from loglik._faces import pictures

        return pictures.bell(float(self.mean), float(self.std))

    # ------------------------------------------------------------------------------------------- sampling

    def _sampler(self, function: str, dtype: Any) -> tuple[np.dtype, Callable[[np.ndarray, int], None]]:
        kind = sampling.floating(function, dtype, self.dtype)
        if kind != self.dtype:
            with np.errstate(over="ignore"):
                return Normal(*(np.asarray(a).astype(kind) for a in (self._loc, self._scale)))._sampler(function, None)
        parameters = np.asarray(self._loc, kind), np.asarray(self._scale, kind)
        return kind, functools.partial(
            sampling.in_blocks, columns=self.batch_shape, parameters=parameters, draw=draw, nanoseconds=2.0
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


def _between(a: Any, b: Any, loc: Any, scale: Any, *, dtype: np.dtype, out: np.ndarray | None = None) -> Any:
    """P(a ≤ X ≤ b) of one block, called like a ufunc."""
    shape = np.broadcast_shapes(*map(np.shape, (a, b, loc, scale)))
    a, b, loc, scale = (np.broadcast_to(np.asarray(v, np.float64), shape).reshape(-1) for v in (a, b, loc, scale))
    with np.errstate(all="ignore"):
        low, high, width = _standard(a, loc, scale), _standard(b, loc, scale), _standard(b, a, scale)
        mirrored = low + high > 0  # to the left, where probabilities are those of the nearer tail
        low, high = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
        value = ufuncs.ndtr(high) - ufuncs.ndtr(low)
        # Around the middle the density is exp(-middle·s - s²/2) of its value there: nearly a polynomial if this is so small.
        short = (width < 2) & (np.abs(low + high) * width < 6)
        if short.any():
            value[short] = _short_interval(high[short], width[short])
        value = np.where(a >= b, 0.0, value)
        value = np.where(np.isnan(a) | np.isnan(b), np.nan, value).reshape(shape).astype(dtype)
    if out is None:
        return value[()]
    out[...] = value
    return out


def _standard(x: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(x - μ)/σ, also where the difference overflows."""
    z = (x - loc) / scale
    return np.where(np.isinf(z) & np.isfinite(x), 2 * ((x / 2 - loc / 2) / scale), z)


def _short_interval(end: np.ndarray, width: np.ndarray) -> np.ndarray:
    """∫ of the standard density from end - width to end: φ(end) ∫ exp(end·s - s²/2) ds over 0 ≤ s ≤ width."""
    head = end.astype(np.float32).astype(np.float64)  # its square is exact, so the exponent is no less accurate than `end`
    total = np.zeros_like(end)
    for node, weight in _rule():
        s = (0.5 + 0.5 * node) * width
        total += weight * ufuncs.exp((end - 0.5 * s) * s)
    return ufuncs.exp(-0.5 * head * head) * ufuncs.exp(-0.5 * (end - head) * (end + head)) * _HALF_ROOT * width * total


@functools.cache
def _rule() -> list[tuple[float, float]]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return list(zip(nodes.tolist(), weights.tolist(), strict=True))


def _slopes(blocks: dict[str, np.ndarray]) -> Slopes:
    x, loc, scale = blocks["x"], blocks["loc"], blocks["scale"]
    difference = x - loc
    z = difference / scale
    overflow = np.isinf(difference)
    if overflow.any():
        z = np.where(overflow & np.isfinite(x), 2 * ((x / 2 - loc / 2) / scale), z)
    return {"x": lambda: -z / scale, "loc": lambda: z / scale, "scale": lambda: (z - 1) * ((z + 1) / scale)}
