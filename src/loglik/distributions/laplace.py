"""The Laplace distribution."""

import math
from typing import Any

import numpy as np

from loglik import ufuncs
from loglik._divergences import pairs
from loglik._fitting.driver import Passes
from loglik._fitting.medians import Medians, medians
from loglik._fitting.report import check_scale, make_report, rounded
from loglik._kernels import fill_laplace
from loglik.distributions.univariate import LocationScale, standardised

_LOG_2 = math.log(2.0)


class Laplace(LocationScale):
    """Laplace (double exponential) distribution with density exp(-abs(x - loc)/scale) / (2 scale).

    Parameters
    ----------
    loc : array_like
        Median and mean μ, finite.
    scale : array_like
        Mean absolute deviation b, positive and finite; the standard deviation is √2 b. Broadcasts with `loc`.

    Raises
    ------
    ValueError
        If a parameter is outside its range (the message names the first index and its value) or the shapes do not broadcast.
    TypeError
        If a parameter is not real.

    Notes
    -----
    With z = (x - μ)/b and u = 2⁻⁵³ (float32: 2⁻²⁴):

    - log_prob = -abs(z) - log 2b: error at most 4 u Σ|terms|. At x = μ, where the density has a kink, its gradient is 0.
    - log_cdf and log_sf: at most 4 u (1 + abs(result)). quantile: 5 u (abs(μ) + abs(b z)). prob_between: 8 u beside what the
      rounding of z changes.
    - KL within the family: 16 u of the result, for near pairs, too.
    - entropy 1 + log 2b, kurtosis 3.
    - `fit` is the weighted median (the middle, where two values serve) and the mean absolute deviation from it, found by a few
      passes over the data, without a copy.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.Laplace(0.0, 1.0).log_prob([-1, 0, 1, 2])
    array([-1.69314718, -0.69314718, -1.69314718, -2.69314718])
    >>> ll.Laplace.fit([1.0, 2.0, 9.0])
    Laplace(loc=2.0, scale=2.6666666666666665)
    """

    _kernel = ufuncs.laplace_log_prob
    _unit_variance, _unit_kurtosis, _unit_entropy = 2.0, 3.0, 1 + _LOG_2
    _score = staticmethod(np.sign)
    _sequence = staticmethod(fill_laplace)
    _draw_nanoseconds = 2.0

    @staticmethod
    def _lower_tail(z: Any) -> Any:
        tail = ufuncs.exp(-np.abs(z)) / 2
        return np.where(z > 0, 1 - tail, tail)

    @staticmethod
    def _log_lower_tail(z: Any, rest: Any) -> Any:
        return np.where(z > 0, ufuncs.log1p(-ufuncs.exp(-np.abs(z)) / 2), z - z.dtype.type(_LOG_2))

    @staticmethod
    def _lower_quantile(p: Any) -> Any:
        return ufuncs.log(2 * p)

    @staticmethod
    def _inside(low: Any, high: Any, width: Any) -> Any:
        """On one side of 0 exp(-nearest)·(1 - exp(-width))/2; around 0 what lies on both sides."""
        nearest = np.minimum(np.abs(low), np.abs(high))
        around = -0.5 * (ufuncs.expm1(-np.abs(low)) + ufuncs.expm1(-np.abs(high)))
        return np.where((low < 0) & (high > 0), around, -0.5 * ufuncs.exp(-nearest) * ufuncs.expm1(-width))

    _from_moments = False

    @classmethod
    def _fit_passes(cls, function: str, data: Passes, prior: Any, dtype: np.dtype) -> "Laplace":
        return cls._fitted(function, medians(function, data, dtype), prior, dtype)

    @classmethod
    def _fitted(cls, function: str, m: Medians, prior: Any, dtype: np.dtype) -> "Laplace":
        check_scale(function, m.deviation, m.median)
        result = cls(rounded(m.median, dtype), rounded(m.deviation, dtype))
        b = np.asarray(result.scale, np.float64)
        log_likelihood = -m.weight * (np.log(2 * b) + m.deviation / b)
        error = b / np.sqrt(m.weight)
        return make_report(result, m, prior, 2, log_likelihood, {"loc": error, "scale": error})


def _kl_slopes(a: Any, s: Any, b: Any, t: Any) -> tuple[Any, ...]:
    """Derivatives of KL(Laplace(a, s) ‖ Laplace(b, t)) in a, s, b and t."""
    shift, d = standardised(a, b, t), standardised(a, b, s)
    reach, decay = -np.sign(d) * ufuncs.expm1(-np.abs(d)) / t, ufuncs.exp(-np.abs(d))
    by_s = (ufuncs.expm1(-np.abs(d)) + np.abs(d) * decay) / t + (s - t) / t / s

    def by_t() -> Any:
        return (((t - s) - s * ufuncs.expm1(-np.abs(d))) / t - np.abs(shift)) / t

    return lambda: reach, lambda: by_s, lambda: -reach, by_t


def _cross_entropy(a: Any, s: Any, b: Any, t: Any) -> Any:
    """log 2t + E|X - b|/t."""
    return np.log(2 * t) + np.abs(standardised(a, b, t)) + s / t * ufuncs.exp(-np.abs(standardised(a, b, s)))


pairs.register(pairs.KL, Laplace, Laplace, pairs.elementwise(ufuncs.laplace_kl, 5.0), pairs.elementwise_slopes(_kl_slopes))
pairs.register(pairs.CROSS_ENTROPY, Laplace, Laplace, pairs.elementwise(_cross_entropy, 20.0, wide=True))
