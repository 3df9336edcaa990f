"""Estimates of divergences that know their own error."""

import math
import operator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from loglik import _random, ufuncs
from loglik._normal_pairs import NormalPair, normal_pair
from loglik._parallel import run_blocks
from loglik._rng import draw_key
from loglik.divergences import closed_form_kl

__all__ = ["Estimate", "estimate_kl"]

Method = Literal["auto", "exact", "mc", "quadrature", "qmc"]

_DEFAULT_N = 100_000  # of method="mc" when neither n nor a tolerance is given
_FIRST_ROUND = 1 << 14  # samples of the first round towards a tolerance; each further round doubles them
_TILE = 64  # samples of a tile of the kernel
_MAX_BLOCK = 4096  # samples whose moments are taken together
_BLOCK_NANOSECONDS = 2e6  # and at most about this much work (for large dimensions)
_TABLE = 1 << 18  # blocks whose moments are in memory at a time


@dataclass(frozen=True, repr=False, eq=False)
class Estimate:
    """An estimated number, or an array of them, with its error.

    Attributes
    ----------
    value : float or ndarray
        The estimate, float64.
    stderr : float or ndarray
        Its standard error; 0 where it is exact.
    low, high : float or ndarray
        Confidence interval. For Monte Carlo it is that of the central limit theorem, so asymptotic in `n`.
    n : int
        Number of samples (per batch item); 0 for an exact value.
    method : str
        "exact" or "mc".
    converged : bool
        Whether the tolerance was reached, if there was one.
    """

    value: Any
    stderr: Any
    low: Any
    high: Any
    n: int
    method: str
    converged: bool

    def __repr__(self) -> str:
        details = f"n={self.n}, method={self.method!r}, converged={self.converged}"
        if np.ndim(self.value) or not (self.stderr > 0 and math.isfinite(self.stderr)):
            return (
                f"Estimate(value={self.value}, stderr={self.stderr}, low={self.low}, high={self.high}, {details})"
            )
        digits = max(0, 1 - math.floor(math.log10(self.stderr)))  # two digits of the error
        value, stderr, low, high = (f"{x:.{digits}f}" for x in (self.value, self.stderr, self.low, self.high))
        return f"Estimate({value} ± {stderr} [{low}, {high}], {details})"


def estimate_kl(
    p: Any,
    q: Any,
    *,
    n: int | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    confidence: float = 0.95,
    method: Method = "auto",
    rng: "int | np.random.Generator | None" = None,  # quoted: naming the type would load numpy.random at import
    progress: Any = None,
    max_n: int = 100_000_000,
) -> Estimate:
    """Estimate KL(p ‖ q) = E_p[log p(x) - log q(x)] in nats, with a standard error and a confidence interval.

    Parameters
    ----------
    p, q : Normal or MultivariateNormal
        Of the same dimension; batches broadcast, and every batch item is estimated from samples of its own.
    n : int, optional
        Number of samples, at least 2.
    rtol, atol : float, optional
        Instead of `n`: sample in doubling rounds until half the interval is at most max(atol, rtol·|value|) for every
        batch item, or until `max_n` samples are used (then ``converged`` is False). The confidence is corrected
        for the repeated looks: round j spends (1 - confidence) / (j (j + 1)).
    confidence : float
        Of the interval, between 0 and 1.
    method : {"auto", "exact", "mc"}
        "mc" samples (100,000 times unless told otherwise), "exact" is `kl_divergence`. "auto" samples if `n`, `rtol` or
        `atol` is given, and otherwise takes the closed form. "quadrature" and "qmc" are not available yet.
    rng : None, int or numpy.random.Generator
        Source of the 64-bit key of the samples: one integer is drawn from a generator. None: fresh entropy.
    progress : optional
        Not available yet.
    max_n : int
        Largest number of samples with a tolerance.

    Returns
    -------
    Estimate
        With fields value, stderr, low, high, n, method, converged: floats, or arrays of the batch shape.

    Raises
    ------
    NotImplementedError
        For other distributions and methods.
    ValueError, TypeError
        For an argument outside its range or of the wrong type.

    Notes
    -----
    x = a + A z is sampled with standard normals z from Philox4x32-10 (Salmon et al. 2011) by Box and Muller's
    transformation, d of them a sample; log p(x) - log q(x) is computed from the difference of the two distributions, so
    nearly equal pairs keep their accuracy, and p = q gives 0 with standard error 0. All in float64. The result
    depends on the key only, not on the number of threads. A divergence that overflows is inf with stderr 0.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.estimate_kl(ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0), n=1_000_000, rng=1)
    Estimate(0.44447 ± 0.00058 [0.44332, 0.44561], n=1000000, method='mc', converged=True)
    """
    chosen = _check_method(method, n, rtol, atol)
    confidence = _check_number("confidence", confidence)
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"estimate_kl: confidence must be between 0 and 1, got {confidence}")
    if progress:
        raise NotImplementedError("estimate_kl: progress is not available yet")
    if chosen == "exact":
        value = np.asarray(closed_form_kl("estimate_kl", p, q), np.float64)
        return _result(value, np.zeros_like(value), 0.0, 0, method="exact", converged=True)

    pair = normal_pair("estimate_kl", p, q)
    if pair is None:
        raise NotImplementedError(
            f"estimate_kl: sampling from the pair {type(p).__name__}, {type(q).__name__} is not available yet; "
            "Normal and MultivariateNormal are"
        )
    if rtol is None and atol is None:
        n = _check_count("n", _DEFAULT_N if n is None else n)
        sampler = _Sampler(pair, draw_key("estimate_kl", rng))
        sampler.extend(n)
        quantile = float(ufuncs.ndtri(0.5 + confidence / 2))
        return _result(*sampler.summary(), quantile, n, method="mc", converged=True)
    return _until(
        _Sampler(pair, draw_key("estimate_kl", rng)),
        rtol=_check_tolerance("rtol", rtol),
        atol=_check_tolerance("atol", atol),
        confidence=confidence,
        max_n=_check_count("max_n", max_n),
    )


# ------------------------------------------------------------------------------------------- checks


def _check_method(method: str, n: Any, rtol: Any, atol: Any) -> str:
    if method not in ("auto", "exact", "mc", "quadrature", "qmc"):
        raise ValueError(f'estimate_kl: method must be "auto", "exact" or "mc", got {method!r}')
    if method in ("quadrature", "qmc"):
        raise NotImplementedError(f'estimate_kl: method {method!r} is not available yet; "exact" and "mc" are')
    tolerance = rtol is not None or atol is not None
    if n is not None and tolerance:
        raise ValueError("estimate_kl: give n or a tolerance (rtol, atol), not both")
    if method == "auto":
        return "mc" if n is not None or tolerance else "exact"
    if method == "exact" and (n is not None or tolerance):
        raise ValueError('estimate_kl: method "exact" takes no n, rtol or atol')
    return method


def _check_count(name: str, value: Any) -> int:
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"estimate_kl: {name} must be an integer, got {value!r}")
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"estimate_kl: {name} must be an integer, got {value!r}") from None
    if not 2 <= count < 2**62:
        raise ValueError(f"estimate_kl: {name} must be at least 2 and below 2**62, got {count}")
    return count


def _check_number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"estimate_kl: {name} must be a number, got {value!r}") from None


def _check_tolerance(name: str, value: Any) -> float:
    tolerance = 0.0 if value is None else _check_number(name, value)
    if not 0.0 <= tolerance < math.inf:
        raise ValueError(f"estimate_kl: {name} must be finite and not negative, got {value!r}")
    return tolerance


# ------------------------------------------------------------------------------------------- sampling


class _Sampler:
    """Moments of log p - log q for a batch of pairs, extended by more and more samples of one sequence each."""

    def __init__(self, pair: NormalPair, key: int) -> None:
        d = pair.shift.shape[-1]
        self._shape, self._key = pair.batch_shape, key
        self._excess = np.ascontiguousarray(pair.excess).reshape(-1, d, d)
        self._shift = np.ascontiguousarray(pair.shift).reshape(-1, d)
        self._constant = np.ascontiguousarray(-pair.log_ratio.sum(axis=-1)).reshape(-1)
        self._pairs = self._constant.size
        nanoseconds = 3.0 * d + 0.15 * d * d
        self._nanoseconds = nanoseconds
        # A function of d alone, so that the bits do not depend on threads or on the rest of the batch.
        self._block = _TILE * max(1, min(_MAX_BLOCK, int(_BLOCK_NANOSECONDS / nanoseconds)) // _TILE)
        self.n = 0
        self._mean = np.zeros(self._pairs)
        self._squares = np.zeros(self._pairs)

    def extend(self, n: int) -> None:
        """Go on to `n` samples in all; the present number is a multiple of 64."""
        blocks = -(-(n - self.n) // self._block)
        rows = max(1, _TABLE // blocks)
        for first in range(0, self._pairs, rows):
            self._extend_pairs(first, min(first + rows, self._pairs), n, blocks)
        self.n = n

    def _extend_pairs(self, first: int, last: int, n: int, blocks: int) -> None:
        means, squares = np.empty((last - first, blocks)), np.empty((last - first, blocks))
        excess, shift, constant = self._excess[first:last], self._shift[first:last], self._constant[first:last]
        tasks = (last - first) * blocks
        task_nanoseconds = self._nanoseconds * min(self._block, n - self.n) + 100.0
        per_call = max(1, int(_BLOCK_NANOSECONDS / task_nanoseconds))

        def some_tasks(i: int) -> None:
            _random.mvn_log_ratio_moments(
                self._key, first, excess, shift, constant, self.n, n, self._block,
                i * per_call, min((i + 1) * per_call, tasks), means, squares,
            )

        run_blocks(some_tasks, -(-tasks // per_call), seconds=1e-9 * tasks * task_nanoseconds)
        self._merge(slice(first, last), n - self.n, means, squares)

    def _merge(self, pairs: slice, n: int, means: np.ndarray, squares: np.ndarray) -> None:
        """Add n samples, given by the moments of their blocks, to the moments so far (Chan, Golub, LeVeque 1983)."""
        counts = np.full(means.shape[1], self._block)
        counts[-1] = n - self._block * (means.shape[1] - 1)
        with np.errstate(invalid="ignore", over="ignore"):
            mean = means[:, 0] + (counts * (means - means[:, :1])).sum(axis=1) / n
            square = squares.sum(axis=1) + (counts * (means - mean[:, None]) ** 2).sum(axis=1)
            difference = mean - self._mean[pairs]
            total = self.n + n
            self._mean[pairs] += difference * (n / total)
            self._squares[pairs] += square + difference * difference * (self.n * (n / total))

    def summary(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard error, of the batch shape."""
        mean, squares = self._mean.copy(), self._squares
        # Parameters are finite, so NaN comes from inf - inf: |y|² of some sample overflowed, and so does the mean.
        mean[np.isnan(mean)] = math.inf
        stderr = np.sqrt(np.where(np.isfinite(mean), squares, 0.0) / (self.n - 1) / self.n)
        return mean.reshape(self._shape), stderr.reshape(self._shape)


def _until(sampler: _Sampler, *, rtol: float, atol: float, confidence: float, max_n: int) -> Estimate:
    """Doubling rounds until the interval is short enough."""
    n, round_number = min(_FIRST_ROUND, max_n), 1
    while True:
        sampler.extend(n)
        mean, stderr = sampler.summary()
        alpha = (1.0 - confidence) / (round_number * (round_number + 1))
        quantile = -float(ufuncs.ndtri(alpha / 2))
        finite = np.isfinite(mean)
        tolerance = np.maximum(atol, rtol * np.abs(np.where(finite, mean, 0.0)))
        converged = bool(np.all(~finite | (quantile * stderr <= tolerance)))
        if converged or n >= max_n:
            return _result(mean, stderr, quantile, n, method="mc", converged=converged)
        n, round_number = min(2 * n, max_n), round_number + 1


def _result(value: Any, stderr: Any, quantile: float, n: int, *, method: str, converged: bool) -> Estimate:
    low, high = value - quantile * stderr, value + quantile * stderr
    value, stderr, low, high = (x if np.ndim(x) else float(x) for x in (value, stderr, low, high))
    return Estimate(value, stderr, low, high, n, method, converged)
