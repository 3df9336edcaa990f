"""The Bernoulli distribution."""

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from loglik import ufuncs
from loglik._engine import elementwise, expectation, sampling, validate
from loglik._engine.slopes import Argument, Slopes, elementwise_gradients
from loglik._kernels import fill_uniform
from loglik.distributions.base import Distribution, apart, keep


class Bernoulli(Distribution):
    """Distribution on {0, 1} with P(X = 1) = p and P(X = 0) = 1 - p.

    Exactly one of `probs` and `logits` is given. Logits z = log(p/(1 - p)) keep the digits of both probabilities where one
    of them is near 1.

    Parameters
    ----------
    probs : array_like, optional
        Probability p of 1, within [0, 1].
    logits : array_like, optional
        Its logit, not NaN; ±inf are the probabilities 1 and 0.

    Raises
    ------
    ValueError
        If a parameter is outside its range (the message names the first index and its value).
    TypeError
        If not exactly one parameter is given, or it is not real.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.Bernoulli(0.75).log_prob([0, 1])
    array([-1.38629436, -0.28768207])
    >>> print(ll.Bernoulli(logits=0.0).entropy().round(12))
    0.69314718056
    """

    _parameters: ClassVar = ("probs", "logits")
    event_shape = ()
    _probs: Any
    _logits: Any

    # ------------------------------------------------------------------------------------------- construction

    def __init__(self, probs: Any = None, *, logits: Any = None) -> None:
        if (probs is None) == (logits is None):
            raise TypeError(f"Bernoulli: give exactly one of probs and logits, got {'none' if probs is None else 'both'}")
        name, given = ("probs", probs) if logits is None else ("logits", logits)
        array = validate.as_array("Bernoulli", name, given)
        if logits is None:
            validate.require("Bernoulli", name, array, (array >= 0) & (array <= 1), "within [0, 1]")
        else:
            validate.require("Bernoulli", name, array, ~np.isnan(array), "a number (±inf allowed)")
        self._initialise(
            _probs=keep(probs, array) if logits is None else None,
            _logits=keep(logits, array) if probs is None else None,
            batch_shape=array.shape,
            dtype=validate.result_dtype(given),
        )

    # ------------------------------------------------------------------------------------------- parameters

    @property
    def _given(self) -> Any:
        return self._logits if self._probs is None else self._probs

    def _both(self, dtype: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """P(X = 1) and P(X = 0) in a dtype, each with full relative accuracy."""
        given = np.asarray(self._given, self.dtype).astype(dtype or self.dtype)
        return (given, 1 - given) if self._logits is None else (ufuncs.sigmoid(given), ufuncs.sigmoid(-given))

    def _log_both(self, dtype: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of `_both`."""
        given = np.asarray(self._given, self.dtype).astype(dtype or self.dtype)
        if self._logits is None:
            return ufuncs.log(given), ufuncs.log1p(-given)
        return ufuncs.log_sigmoid(given), ufuncs.log_sigmoid(-given)

    @property
    def probs(self) -> Any:
        """P(X = 1) as an array of `dtype`."""
        return self._both()[0][()]

    @property
    def logits(self) -> Any:
        """log(p/(1 - p)) as an array of `dtype`."""
        if self._logits is not None:
            return np.asarray(self._logits, self.dtype)[()]
        one, zero = self._log_both(np.float64)
        return (one - zero).astype(self.dtype)[()]

    # ------------------------------------------------------------------------------------------- density

    def log_prob(self, x: Any, *, out: Any = None, wrt: str | tuple[str, ...] | None = None) -> Any:
        """Logarithm of P(X = x) in nats: log p for 1, log(1 - p) for 0, -inf for anything else.

        Parameters
        ----------
        x : array_like
            Outcomes; broadcast with the parameter. NaN gives NaN.
        out : ndarray, optional
            Where to put the result; with `wrt`, nested like the return value.
        wrt : str or tuple of str, optional
            What to take the gradient in: the parameter by the name it was given by, ``"probs"`` or ``"logits"``.

        Returns
        -------
        ndarray or scalar, or with `wrt` a pair (value, gradient) or (value, (gradient,))
            Of the broadcast shape, float32 if all floating inputs are float32 or float16. The gradient has the shape of the
            parameter: that of the sum of all values.

        Raises
        ------
        ValueError
            If shapes do not broadcast, `out` does not fit, or `wrt` names something else or a name twice.
        TypeError
            If `x` is not real, or `wrt` or `out` has the wrong form.

        Notes
        -----
        At most 2 ulp. The gradients are 1/p and -1/(1 - p) in a probability, σ(-z) and -σ(z) in a logit, for the outcomes 1 and
        0; NaN for anything else.

        Examples
        --------
        >>> import loglik as ll
        >>> ll.Bernoulli(logits=0.0).log_prob([1, 1, 0], wrt="logits")[1]
        np.float64(0.5)
        """
        if validate.is_dask(x):
            return self._lazily("log_prob", x, out, wrt)
        name = "Bernoulli.log_prob"
        x_array = validate.as_array(name, "x", x)
        dtype = validate.result_dtype(x, self._given)
        lead = validate.broadcast_shapes(name, x=x_array.shape, batch=self.batch_shape)
        if wrt is not None:
            points, form = apart(x_array, out), "probs" if self._logits is None else "logits"
            return elementwise_gradients(
                name, lambda into: self.log_prob(x if out is None else points, out=into),
                {"x": Argument(points, np.dtype(np.float64)), form: Argument(np.asarray(self._given), self.dtype)},
                (form,), _slopes, lead=lead, dtype=dtype, wrt=wrt, out=out, nanoseconds=20.0,
            )  # fmt: skip
        if self._logits is not None:
            return elementwise.apply(
                name, ufuncs.bernoulli_log_prob, x_array, self._logits, dtype=dtype, out=out, nanoseconds=2.0
            )
        if out is not None:
            validate.check_out(name, out, lead, dtype)
        one, zero = self._log_both(dtype)  # of the parameter: as many logarithms as it has entries
        value = _of_outcome(x_array, one, zero, -np.inf).astype(dtype, copy=False)
        if out is None:
            return value[()]
        out[...] = value
        return out

    # ------------------------------------------------------------------------------------------- distribution

    def _step(self, method: str, x: Any, below: float, between: np.ndarray, above: float) -> Any:
        """`below` for x < 0, `between` for 0 ≤ x < 1, `above` from 1 on."""
        if validate.is_dask(x):
            return self._lazily(method, x)
        x_array = validate.as_array(f"Bernoulli.{method}", "x", x)
        dtype = validate.result_dtype(x, self._given)
        validate.broadcast_shapes(f"Bernoulli.{method}", x=x_array.shape, batch=self.batch_shape)
        value = np.where(x_array < 0, below, np.where(x_array < 1, between, above))
        return np.where(np.isnan(x_array), np.nan, value).astype(dtype)[()]

    def cdf(self, x: Any) -> Any:
        """P(X ≤ x): 0 below 0, 1 - p below 1, 1 from there on."""
        return self._step("cdf", x, 0.0, self._both()[1], 1.0)

    def sf(self, x: Any) -> Any:
        """P(X > x): 1 below 0, p below 1, 0 from there on."""
        return self._step("sf", x, 1.0, self._both()[0], 0.0)

    def log_cdf(self, x: Any) -> Any:
        """log P(X ≤ x)."""
        return self._step("log_cdf", x, -np.inf, self._log_both()[1], 0.0)

    def log_sf(self, x: Any) -> Any:
        """log P(X > x)."""
        return self._step("log_sf", x, 0.0, self._log_both()[0], -np.inf)

    def quantile(self, q: Any) -> Any:
        """The smaller outcome x with P(X ≤ x) ≥ q.

        Parameters
        ----------
        q : array_like
            Probabilities within [0, 1]; broadcast with the parameter. 0 gives the lowest and 1 the highest outcome that is
            possible at all. NaN gives NaN.

        Returns
        -------
        ndarray or scalar
            0 or 1 as floating numbers, of the broadcast shape. Where q is at most `cdf(0)`, or 1 - q at least `sf(0)`, 0: so
            neither of the two probabilities loses digits.

        Raises
        ------
        ValueError
            If an element of `q` is outside [0, 1], or shapes do not broadcast.
        TypeError
            If `q` is not real.

        Examples
        --------
        >>> import loglik as ll
        >>> ll.Bernoulli(0.25).quantile([0.0, 0.75, 0.8, 1.0])
        array([0., 0., 1., 1.])
        """
        name = "Bernoulli.quantile"
        array = validate.as_array(name, "q", q)
        validate.require_probabilities(name, "q", array)
        validate.broadcast_shapes(name, q=array.shape, batch=self.batch_shape)
        dtype = validate.result_dtype(q, self._given)
        one, zero = self._both()
        upper = (array > zero) & (1 - array < one) | (zero == 0) | (array == 1) & (one > 0)
        return np.where(np.isnan(array), np.nan, upper).astype(dtype)[()]

    def prob_between(self, a: Any, b: Any) -> Any:
        """P(a ≤ X ≤ b), both ends included: 0, 1 - p, p or 1; 0 where a > b.

        `a` and `b` broadcast with each other and the parameter; NaN gives NaN. Errors as in `cdf`.

        Examples
        --------
        >>> import loglik as ll
        >>> ll.Bernoulli(0.25).prob_between([0, 0.5, 0, 1], [1, 2, 0.5, 0])
        array([1.  , 0.25, 0.75, 0.  ])
        """
        name = "Bernoulli.prob_between"
        low, high = (validate.as_array(name, key, value) for key, value in (("a", a), ("b", b)))
        validate.broadcast_shapes(name, a=low.shape, b=high.shape, batch=self.batch_shape)
        one, zero = self._both()
        has_zero, has_one = (low <= 0) & (high >= 0), (low <= 1) & (high >= 1)
        value = np.where(has_zero & has_one, 1.0, np.where(has_zero, zero, np.where(has_one, one, 0.0)))
        missing = np.isnan(low) | np.isnan(high)
        return np.where(missing, np.nan, value).astype(validate.result_dtype(a, b, self._given))[()]

    # ------------------------------------------------------------------------------------------- moments

    @property
    def mean(self) -> Any:
        """E[X] = p, of the batch shape."""
        return self.probs

    @property
    def variance(self) -> Any:
        """Var[X] = p (1 - p), of the batch shape."""
        one, zero = self._both()
        return (one * zero)[()]

    @property
    def std(self) -> Any:
        """√Var[X], of the batch shape."""
        return np.sqrt(self.variance)

    def entropy(self) -> Any:
        """Shannon entropy -p log p - (1 - p) log(1 - p) in nats, with 0 log 0 = 0; at most 8 ulp."""
        return cross_entropy(self, self).astype(self.dtype)[()]

    def _expectation(self, function: str, g: expectation.Values) -> expectation.Expectation:
        one, zero = self._both(np.float64)
        return expectation.of_outcomes(np.stack([zero, one], axis=-1), g(np.array([0.0, 1.0])))

    def _picture(self) -> Any:
        from loglik._faces import pictures

        one, zero = self._both()
        return pictures.Masses([0, 1], [float(zero), float(one)])

    # ------------------------------------------------------------------------------------------- sampling

    def _sampler(self, function: str, dtype: Any) -> tuple[np.dtype, Callable[[np.ndarray, int], None]]:
        kind = sampling.discrete(function, dtype, 0, 1)
        return kind, functools.partial(
            sampling.in_blocks, columns=self.batch_shape, parameters=(self._both(np.float64)[0],), draw=_draw, nanoseconds=2.0
        )


def _draw(key: int, start: int, values: np.ndarray, one: Any) -> None:
    """1 where a uniform number on [0, 1) is below P(X = 1)."""
    uniform = np.empty(len(values))
    fill_uniform(key, 0, start, uniform)
    np.less(uniform, one, out=values)


def cross_entropy(p: Bernoulli, q: Bernoulli) -> np.ndarray:
    """-p log q - (1 - p) log(1 - q), both terms not negative; float64."""
    with np.errstate(invalid="ignore"):
        terms = [
            np.where(share == 0, 0.0, -share * log)
            for share, log in zip(p._both(np.float64), q._log_both(np.float64), strict=True)
        ]
    return terms[0] + terms[1] + 0.0


def _of_outcome(x: np.ndarray, one: Any, zero: Any, other: float) -> np.ndarray:
    value = np.where(x == 1, one, np.where(x == 0, zero, other))
    return np.where(np.isnan(x), np.nan, value)


def part_of(distribution: Bernoulli, given: np.ndarray) -> Bernoulli:
    """The same with float64 parameters that need no check, being some of its own."""
    part = object.__new__(Bernoulli)
    by_probs = distribution._logits is None
    part.__dict__.update(
        _probs=given if by_probs else None, _logits=None if by_probs else given, batch_shape=given.shape, dtype=given.dtype
    )
    return part


def _slopes(blocks: dict[str, np.ndarray]) -> Slopes:
    x = blocks["x"]
    if "logits" in blocks:
        logits = blocks["logits"]
        return {"logits": lambda: _of_outcome(x, ufuncs.sigmoid(-logits), -ufuncs.sigmoid(logits), np.nan)}
    return {"probs": lambda: _of_outcome(x, 1 / blocks["probs"], -1 / (1 - blocks["probs"]), np.nan)}
