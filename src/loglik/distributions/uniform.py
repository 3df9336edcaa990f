"""The continuous uniform distribution."""

import math
from typing import Any, ClassVar

import numpy as np

from loglik import ufuncs
from loglik._divergences import pairs
from loglik._engine import expectation, validate
from loglik._fitting import priors
from loglik._fitting.report import make_report, rounded
from loglik._fitting.statistics import Moments
from loglik._kernels import fill_uniform
from loglik.distributions.normal import Normal, cross_entropy
from loglik.distributions.scalar import REAL
from loglik.distributions.univariate import LocationScale, Univariate

# KL of a uniform distribution from the normal one with its mean and variance: log(2πe/12)/2
_TO_NORMAL = 0.17648520831067259


class Uniform(Univariate):
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

    Notes
    -----
    With w = high - low and u = 2⁻⁵³ (float32: 2⁻²⁴):

    - log_prob = -log w inside, -inf outside: error at most 2 u (1 + abs(result)). Inside, its gradients are 0 in x, 1/w in low
      and -1/w in high; outside they are NaN.
    - cdf = (x - low)/w and sf = (high - x)/w, each from its own difference; log_cdf and log_sf are right near both ends.
    - quantile = (1 - q) low + q high: error at most 3 u ((1 - q) abs(low) + q abs(high)), also where w overflows.
    - prob_between is the share of [low, high] that lies in [a, b]: relative error at most 4 u.
    - mean (low + high)/2, variance w²/12, entropy log w; every point of the interval is a mode, and `mode` is the lowest.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.Uniform(0.0, 4.0).log_prob([1.0, 5.0])
    array([-1.38629436,        -inf])
    >>> ll.Uniform(-1.0, 4.0).quantile([0.0, 0.5, 1.0])
    array([-1. ,  1.5,  4. ])
    >>> ll.Uniform(0.0, 10.0).prob_between([2, -1, 7], [4, 5, 6])
    array([0.2, 0.5, 0. ])
    """

    _ranges: ClassVar = {"low": REAL, "high": REAL}
    _kernel = ufuncs.uniform_log_prob
    _draw_nanoseconds = 2.0
    low: Any
    high: Any
    _low: Any
    _high: Any

    def __init__(self, low: Any = 0.0, high: Any = 1.0) -> None:
        self._construct(low=low, high=high)

    def _check_together(self, arrays: dict[str, np.ndarray], dtype: np.dtype) -> None:
        with np.errstate(over="ignore"):
            ordered = arrays["low"].astype(dtype) < arrays["high"].astype(dtype)
        if not np.all(ordered):
            index = validate.first_index(~ordered)
            entries = [validate.describe_entry(n, index, np.broadcast_to(a, ordered.shape)[index]) for n, a in arrays.items()]
            raise ValueError(f"Uniform: low must be less than high, but {entries[0]} and {entries[1]}")

    # ------------------------------------------------------------------------------------------- functions of blocks

    def _ends(self, low: Any, high: Any) -> tuple[Any, Any]:
        return low, high

    def _slopes(self, x: Any, low: Any, high: Any) -> tuple[Any, ...]:
        inside = (low <= x) & (x <= high)

        def within(sign: float) -> np.ndarray:
            return np.where(inside, sign / (high - low), np.nan)

        return lambda: within(0.0), lambda: within(1.0), lambda: within(-1.0)

    def _tail(self, x: Any, low: Any, high: Any, *, upper: bool) -> Any:
        """The share of the interval beside x, from its own difference and within [0, 1]."""
        factor = _quarter(low, high)
        low, high = low * factor, high * factor
        at = np.clip(x * factor, low, high)
        return ((high - at) if upper else (at - low)) / (high - low)

    def _log_tail(self, x: Any, low: Any, high: Any, *, upper: bool) -> Any:
        share, rest = (self._tail(x, low, high, upper=side) for side in (upper, not upper))
        return np.where(share < 0.5, ufuncs.log(share), ufuncs.log1p(-rest))

    def _quantile(self, p: Any, upper: Any, low: Any, high: Any) -> Any:
        return _mix(np.where(upper, 1 - p, p), np.where(upper, p, 1 - p), low, high)

    def _quantile_of(self, q: Any, low: Any, high: Any) -> Any:
        return _mix(q, 1 - q, low, high)

    def _between_of(self, a: Any, b: Any, low: Any, high: Any) -> Any:
        begin, end = np.maximum(a, low), np.minimum(b, high)
        factor = _quarter(low, high)
        return np.maximum((end * factor - begin * factor) / (high * factor - low * factor), 0)

    # ------------------------------------------------------------------------------------------- moments

    def _mean(self, low: Any, high: Any) -> Any:
        total, half = low + high, low.dtype.type(0.5)
        return np.where(np.isfinite(total), half * total, half * low + half * high)

    def _mode(self, low: Any, high: Any) -> Any:
        return low

    def _variance(self, low: Any, high: Any) -> Any:
        width = high - low
        return width * (width / low.dtype.type(12))

    def _std(self, low: Any, high: Any) -> Any:
        root, width = low.dtype.type(math.sqrt(12)), high - low
        return np.where(np.isinf(width), high / root - low / root, width / root)

    def _skewness(self, low: Any, high: Any) -> Any:
        return np.zeros_like(low + high)

    def _kurtosis(self, low: Any, high: Any) -> Any:
        return np.full_like(low + high, -1.2)

    def _entropy(self, low: Any, high: Any) -> Any:
        return 0.0 - ufuncs.uniform_log_prob(low, low, high)

    def _expectation(self, function: str, g: expectation.Values) -> expectation.Expectation:
        return expectation.uniform(function, g, np.asarray(self._low, np.float64), np.asarray(self._high, np.float64))

    def _edges(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return np.stack([low, high], axis=1)

    def _picture(self) -> Any:
        from loglik._faces import pictures

        return pictures.Box(float(self.low), float(self.high))

    # ------------------------------------------------------------------------------------------- sampling

    def _draw_parameters(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, ...]:
        # Where the width overflows, everything is halved until the end.
        unit = np.where(np.isinf(high - low), low.dtype.type(0.5), low.dtype.type(1))
        return low * unit, high * unit - low * unit, unit, np.nextafter(high, low)

    def _draw(self, key: int, start: int, values: np.ndarray, low: Any, width: Any, unit: Any, last: Any) -> None:
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

    # ------------------------------------------------------------------------------------------- fit

    _prior = priors.Pareto

    @classmethod
    def _fitted(cls, function: str, m: Moments, prior: Any, dtype: np.dtype) -> "Uniform":
        low, high = m.low, m.high
        if prior is not None:
            p = prior.check(function)
            low, high = np.minimum(low, p.low), np.maximum(high, p.high)
        same = np.asarray(low == high)
        if same.any():
            index = validate.first_index(same)
            where = f" of batch item {list(index)}" if index else ""
            raise ValueError(f"{function}: all observations{where} are {np.asarray(low)[index]}, so the interval would be empty")
        result = cls(rounded(low, dtype), rounded(high, dtype))
        w, width = m.weight, high - low
        error = width / (w + 1) * np.sqrt(w / (w + 2))
        return make_report(result, m, prior, 2, -w * np.log(width), {"low": error, "high": error})


def _quarter(low: Any, high: Any) -> Any:
    """1, or 1/4 where a difference might overflow; subnormal numbers keep their bits where it matters."""
    large = np.maximum(np.abs(low), np.abs(high)) > np.finfo(low.dtype).max / 4
    return np.where(large, low.dtype.type(0.25), low.dtype.type(1))


def _mix(q: Any, rest: Any, low: Any, high: Any) -> Any:
    """rest·low + q·high; both terms are finite, and rounding may not leave [low, high]."""
    return np.minimum(np.maximum(rest * low + q * high, low), high)


# ------------------------------------------------------------------------------------------- divergences


def _moments(low: Any, high: Any, loc: Any) -> tuple[Any, Any]:
    """Mean from `loc` on, and standard deviation."""
    # quarters, so that no difference overflows
    mean = 2 * ((0.25 * low - 0.25 * loc) + (0.25 * high - 0.25 * loc))
    near = 0.5 * ((low - loc) + (high - loc))
    root, width = np.sqrt(12.0), high - low
    return np.where(np.isfinite(near), near, mean), np.where(np.isfinite(width), width / root, high / root - low / root)


def _kl_normal(low: Any, high: Any, loc: Any, scale: Any) -> Any:
    """That of the normal with the same two moments, and a constant."""
    return ufuncs.normal_kl(*_moments(low, high, loc), 0.0, scale) + _TO_NORMAL


def _cross_entropy_normal(low: Any, high: Any, loc: Any, scale: Any) -> Any:
    mean, std = _moments(low, high, loc)
    return cross_entropy(mean, std, 0.0, scale)


def _cross_entropy(p_low: Any, p_high: Any, low: Any, high: Any) -> Any:
    covered = (low <= p_low) & (p_high <= high)
    return np.where(covered, 0.0 - ufuncs.uniform_log_prob(low, low, high), np.inf)


pairs.register(pairs.KL, Uniform, Uniform, pairs.elementwise(ufuncs.uniform_kl, 4.0))
pairs.register(pairs.KL, Uniform, Normal, pairs.elementwise(_kl_normal, 20.0, wide=True))
pairs.register(pairs.KL, LocationScale, Uniform, pairs.infinite)
pairs.register(pairs.CROSS_ENTROPY, Uniform, Uniform, pairs.elementwise(_cross_entropy, 5.0, wide=True))
pairs.register(pairs.CROSS_ENTROPY, Uniform, Normal, pairs.elementwise(_cross_entropy_normal, 20.0, wide=True))
pairs.register(pairs.CROSS_ENTROPY, LocationScale, Uniform, pairs.infinite)
