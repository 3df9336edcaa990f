"""Estimates of divergences that know their own error."""

import math
import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from loglik import ufuncs
from loglik._divergences import pairs
from loglik._divergences.normal_pairs import normal_pair
from loglik._engine import validate
from loglik._engine.progress import Progress
from loglik._engine.streams import draw_key
from loglik._engine.validate import AccuracyWarning
from loglik._estimation import quadrature
from loglik._estimation.blocks import BlockSampler
from loglik._estimation.gaussian import GaussianSampler
from loglik._estimation.halves import Halves
from loglik._estimation.intervals import bernstein, student_quantile
from loglik._estimation.lattice import MOST_SAMPLES, REPLICATES, LatticeSampler
from loglik._estimation.summary import Estimator, Summary
from loglik.distributions.base import Distribution
from loglik.distributions.mvnormal import MultivariateNormal
from loglik.distributions.registry import continuous
from loglik.divergences import closed_form_js, closed_form_kl

__all__ = ["Estimate", "estimate_js", "estimate_kl"]

Method = Literal["auto", "exact", "mc", "quadrature", "qmc"]

_DEFAULT_N = 100_000  # of sampling when neither n nor a tolerance is given
_FIRST_ROUND = 1 << 14  # samples of the first round towards a tolerance; each further round doubles them
_PIECE = 1 << 20  # samples between two reports of progress: the same with and without them, so that the bits are
_LOG_2 = math.log(2.0)


@dataclass(frozen=True, repr=False, eq=False)
class Estimate:
    """An estimated number, or an array of them, with its error.

    Attributes
    ----------
    value : float or ndarray
        The estimate, float64.
    stderr : float or ndarray
        Its standard error; for "quadrature" a bound of the error, seen from two rules; 0 where it is exact.
    low, high : float or ndarray
        Interval that covers the true value with the confidence that was asked for. For KL by "mc" it is that of the central limit
        theorem, so asymptotic in `n`; for the Jensen-Shannon divergence by "mc" it holds for every `n`; for "qmc" it is
        Student's, from independent replicates.
    n : int
        Number of samples (per batch item), or of points of a quadrature; 0 for an exact value.
    method : str
        "exact", "quadrature", "mc" or "qmc".
    converged : bool
        False if a tolerance was not reached, or if the samples look as if their variance were infinite: then the error
        cannot be relied on.
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
        # Two digits of the error, if so many can be relied on at all.
        size = math.floor(math.log10(max(abs(self.value), self.stderr)))
        last = max(math.floor(math.log10(self.stderr)) - 1, size - 16)
        form = f".{max(0, -last)}f" if -5 <= size < 16 else f".{size - last}e"
        value, low, high = (format(x, form) for x in (self.value, self.low, self.high))
        error = format(self.stderr, form if last > size - 16 else ".2g")
        return f"Estimate({value} ± {error} [{low}, {high}], {details})"


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
    progress: "bool | Callable[[int, int], object] | None" = None,
    max_n: int = 100_000_000,
) -> Estimate:
    """Estimate KL(p ‖ q) = E_p[log p(x) - log q(x)] in nats, with a standard error and a confidence interval.

    Parameters
    ----------
    p, q : distribution, or any object
        `p` has ``sample(shape, rng=generator)`` and ``log_prob(x)``, `q` has ``log_prob(x)``; samples and values are NumPy arrays
        with the samples along the first axis (`docs/estimation.md` shows adapters for SciPy and torch). Batches broadcast,
        with an estimate for each item.
    n : int, optional
        Number of samples, at least 2. For "qmc" it is rounded up to 32 times a power of two.
    rtol, atol : float, optional
        Instead of `n`: sample in doubling rounds until half the interval is at most max(atol, rtol·|value|) for every
        batch item, or until `max_n` samples are used (then ``converged`` is False). The confidence is corrected
        for the repeated looks: round j spends (1 - confidence) / (j (j + 1)).
    confidence : float
        Of the interval, between 0 and 1.
    method : {"auto", "exact", "quadrature", "mc", "qmc"}
        "exact" is `kl_divergence`. "quadrature" integrates adaptively: both Normal, Uniform or 1-dimensional MultivariateNormal.
        "mc" samples, 100,000 times unless told otherwise. "qmc" takes the samples from 32 randomly shifted lattices; `p` is
        Normal, Uniform or MultivariateNormal (at most 64 dimensions). "auto" samples ("mc") if `n`, `rtol` or `atol` is given;
        otherwise it is the first of exact, quadrature and mc that there is.
    rng : None, int or numpy.random.Generator
        Source of the 64-bit key of the samples: one integer is drawn from a generator. None: fresh entropy.
    progress : bool or callable, optional
        True: a bar on stderr, by tqdm where that is installed. A function is called with (done, total) samples.
    max_n : int
        Largest number of samples with a tolerance.

    Returns
    -------
    Estimate
        With fields value, stderr, low, high, n, method, converged: floats, or arrays of the batch shape. Where a sample of `p`
        has no density under `q`, value = low = high = inf, with stderr 0.

    Raises
    ------
    NotImplementedError
        If the method is not there for the pair.
    ValueError, TypeError
        For an argument outside its range or of the wrong type, for a `log_prob` that is NaN or +inf, or -inf at a sample of its
        own distribution.

    Warns
    -----
    AccuracyWarning
        If the samples have tails so heavy that their variance, or even their mean, looks infinite; then ``converged`` is False.

    Notes
    -----
    Two normal distributions are sampled in fused tiles: x = a + A z with normals z from Philox4x32-10 (Salmon et al. 2011) by
    Box and Muller's transformation, d of them a sample; log p(x) - log q(x) comes from the difference of the two
    distributions, so nearly equal pairs keep their accuracy, and p = q gives 0 with standard error 0. All in float64.

    Other pairs are sampled in blocks. If `p` is one of our distributions, the regression of log p(x) - log q(x) on the
    coordinates of x, their squares and (in up to 8 dimensions) their products is taken out, since their means are known: so
    if the log-ratio is a quadratic function, nothing is left of the error.

    The index of the tail of the log-ratio is estimated from its largest values (Zhang and Stephens 2009); from 1/2 on its
    variance is infinite. The result depends on the key only, not on the number of threads.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.estimate_kl(ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0), n=1_000_000, rng=1)
    Estimate(0.44447 ± 0.00058 [0.44332, 0.44561], n=1000000, method='mc', converged=True)
    >>> ll.estimate_kl(ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)).method
    'exact'
    """
    return _estimate(
        "estimate_kl", p, q, n=n, rtol=rtol, atol=atol, confidence=confidence, method=method, rng=rng, progress=progress,
        max_n=max_n,
    )  # fmt: skip


def estimate_js(
    p: Any,
    q: Any,
    *,
    n: int | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    confidence: float = 0.95,
    method: Method = "auto",
    rng: "int | np.random.Generator | None" = None,
    progress: "bool | Callable[[int, int], object] | None" = None,
    max_n: int = 100_000_000,
) -> Estimate:
    """Estimate the Jensen-Shannon divergence (KL(p ‖ m) + KL(q ‖ m))/2, m = (p + q)/2, in nats, with its error.

    Parameters are those of `estimate_kl`; both `p` and `q` are sampled, half of the `n` samples from each. "exact" is
    `js_divergence`.

    Returns
    -------
    Estimate
        Value and interval are in [0, log 2].

    Raises
    ------
    NotImplementedError, ValueError, TypeError
        As `estimate_kl`.

    Warns
    -----
    AccuracyWarning
        Never for sampling: what is averaged is bounded.

    Notes
    -----
    With l = log p(x) - log q(x), the divergence is the mean over samples of m of log 2 - H(sigmoid(l)), H the entropy of a
    Bernoulli variable (`ufuncs.js_integrand`): KL of the label of the half given x, with the label averaged out. It lies in
    [0, log 2], and so for "mc" the interval is that of the empirical Bernstein bound (Maurer and Pontil 2009), which covers
    with at least the confidence asked for, for every `n`. At 95 % it is 1.5 times as wide as that of the central limit theorem,
    plus 7/n on either side, which is what counts for divergences near 0. `stderr` is the usual standard error.

    Examples
    --------
    >>> import loglik as ll
    >>> estimate = ll.estimate_js(ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0))
    >>> estimate.method, round(estimate.value, 10)
    ('quadrature', 0.1281749731)
    >>> p, q = (ll.MultivariateNormal([shift, 0.0], [[1.0, 0.0], [0.0, 1.0]]) for shift in (0.0, 3.0))
    >>> estimate = ll.estimate_js(p, q, n=100_000, rng=1)
    >>> exact = ll.estimate_js(ll.Normal(0.0, 1.0), ll.Normal(3.0, 1.0)).value  # the second coordinate does not count
    >>> estimate.low < exact < estimate.high
    True
    """
    return _estimate(
        "estimate_js", p, q, n=n, rtol=rtol, atol=atol, confidence=confidence, method=method, rng=rng, progress=progress,
        max_n=max_n,
    )  # fmt: skip


def _estimate(
    function: str,
    p: Any,
    q: Any,
    *,
    n: Any,
    rtol: Any,
    atol: Any,
    confidence: Any,
    method: str,
    rng: Any,
    progress: Any,
    max_n: Any,
) -> Estimate:
    if method not in ("auto", "exact", "mc", "quadrature", "qmc"):
        raise ValueError(f'{function}: method must be "auto", "exact", "quadrature", "mc" or "qmc", got {method!r}')
    confidence = _check_number(function, "confidence", confidence)
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"{function}: confidence must be between 0 and 1, got {confidence}")
    sampled = n is not None or rtol is not None or atol is not None
    if n is not None and (rtol is not None or atol is not None):
        raise ValueError(f"{function}: give n or a tolerance (rtol, atol), not both")
    if method == "exact" and sampled:
        raise ValueError(f'{function}: method "exact" takes no n, rtol or atol')
    if method == "quadrature" and n is not None:
        raise ValueError(f'{function}: method "quadrature" takes no n; give a tolerance')
    js = function == "estimate_js"
    _check_distributions(function, p, q, both_sampled=js)
    p, q = _as_scalars(p, q), _as_scalars(q, p)
    tolerances = _check_tolerance(function, "rtol", rtol), _check_tolerance(function, "atol", atol)
    count = None if n is None else _check_count(function, "n", n)
    most = _check_count(function, "max_n", max_n)
    if method == "qmc":
        if count is not None and count > MOST_SAMPLES:
            raise ValueError(f'{function}: method "qmc" has at most {MOST_SAMPLES} samples, got n = {count}')
        most = min(most, MOST_SAMPLES)

    ours = isinstance(p, Distribution) and isinstance(q, Distribution)
    if method == "exact" or (method == "auto" and not sampled and ours and _has_closed_form(p, q, js)):
        if not ours:
            raise NotImplementedError(f"{function}: there is no closed form for {type(p).__name__} and {type(q).__name__}")
        value = np.asarray((closed_form_js if js else closed_form_kl)(function, p, q), np.float64)
        return _fields(value, np.zeros_like(value), value, value, 0, "exact", True)
    one_dimensional = quadrature.is_univariate(p) and quadrature.is_univariate(q)
    if method == "quadrature" or (method == "auto" and not sampled and one_dimensional):
        if not one_dimensional:
            raise NotImplementedError(
                f'{function}: method "quadrature" is there for {", ".join(continuous())} and MultivariateNormal of one '
                f"dimension, not for the pair {type(p).__name__}, {type(q).__name__}"
            )
        return _by_quadrature(function, p, q, js, rtol is not None or atol is not None, *tolerances)

    with Progress(function, progress, count or (most if sampled else _DEFAULT_N)) as report:
        key = draw_key(function, rng)
        estimator = _estimator(function, p, q, key, js=js, lattice=method == "qmc")
        interval = _Interval("qmc" if method == "qmc" else "bounded" if js else "limit")
        if not sampled or count is not None:
            _extend(estimator, count or _DEFAULT_N, report)
            summary = estimator.summary()
            estimate = interval.estimate(summary, 1.0 - confidence, converged=True)
        else:
            estimate, summary = _until(estimator, interval, *tolerances, confidence, most, report)
    return _judged(function, estimate, summary)


# ------------------------------------------------------------------------------------------- checks


def _check_distributions(function: str, p: Any, q: Any, *, both_sampled: bool) -> None:
    for name, distribution, sampled in (("p", p, True), ("q", q, both_sampled)):
        for method in ("log_prob", "sample") if sampled else ("log_prob",):
            if not callable(getattr(distribution, method, None)):
                raise TypeError(f"{function}: {name} must be a distribution with {method}, got {type(distribution).__name__}")
    if isinstance(p, Distribution) and isinstance(q, Distribution):
        if p.event_shape != q.event_shape and {p.event_shape, q.event_shape} != {(), (1,)}:
            raise ValueError(f"{function}: p has events of shape {p.event_shape}, q of shape {q.event_shape}")
        validate.broadcast_shapes(function, p=p.batch_shape, q=q.batch_shape)


def _as_scalars(distribution: Any, other: Any) -> Any:
    """A Gaussian of one dimension beside a distribution of numbers, as the Normal that it is."""
    beside_numbers = getattr(other, "_has_line", False) and not hasattr(other, "_as_gaussian")
    if beside_numbers and isinstance(distribution, MultivariateNormal):
        return distribution._as_normal() or distribution
    return distribution


def _check_count(function: str, name: str, value: Any) -> int:
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{function}: {name} must be an integer, got {value!r}")
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{function}: {name} must be an integer, got {value!r}") from None
    if not 2 <= count < 2**62:
        raise ValueError(f"{function}: {name} must be at least 2 and below 2**62, got {count}")
    return count


def _check_number(function: str, name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{function}: {name} must be a number, got {value!r}") from None


def _check_tolerance(function: str, name: str, value: Any) -> float:
    tolerance = 0.0 if value is None else _check_number(function, name, value)
    if not 0.0 <= tolerance < math.inf:
        raise ValueError(f"{function}: {name} must be finite and not negative, got {value!r}")
    return tolerance


# ------------------------------------------------------------------------------------------- without sampling


def _has_closed_form(p: Distribution, q: Distribution, js: bool) -> bool:
    singular = any(getattr(d, "_support", None) is not None for d in (p, q))
    return not singular and (pairs.JS if js else pairs.KL).find(p, q) is not None


def _by_quadrature(function: str, p: Any, q: Any, js: bool, given: bool, rtol: float, atol: float) -> Estimate:
    shape = validate.broadcast_shapes(function, p=p.batch_shape, q=q.batch_shape)
    value, error, points, reached = quadrature.divergence(
        p, q, shape, js=js, rtol=rtol if given else quadrature.DEFAULT_RTOL, atol=atol if given else 1e-14
    )
    low, high = np.maximum(value - error, 0.0), value + error
    return _fields(value, error, low, np.minimum(high, _LOG_2) if js else high, points, "quadrature", reached)


# ------------------------------------------------------------------------------------------- sampling


def _estimator(function: str, p: Any, q: Any, key: int, *, js: bool, lattice: bool) -> Estimator:
    if lattice:
        first: Estimator = LatticeSampler(function, p, q, ("p", "q"), key, js=js)
        return Halves(first, LatticeSampler(function, q, p, ("q", "p"), key, js=True, stream=1)) if js else first
    pair = _gaussian_pair(function, p, q)
    if pair is not None:
        first = GaussianSampler(pair, key, js=js)
        if not js:
            return first
        turned = normal_pair(function, q, p)
        assert turned is not None
        return Halves(first, GaussianSampler(turned, key, js=True, stream=1 << 32))
    first = BlockSampler(function, p, q, ("p", "q"), key, js=js)
    return Halves(first, BlockSampler(function, q, p, ("q", "p"), key, js=True, stream=1)) if js else first


def _gaussian_pair(function: str, p: Any, q: Any) -> Any:
    singular = any(getattr(d, "_support", None) is not None for d in (p, q))
    return None if singular else normal_pair(function, p, q)


def _extend(estimator: Estimator, n: int, report: Callable[[int], None]) -> None:
    while estimator.n < n:
        estimator.extend(min(n, (estimator.n // _PIECE + 1) * _PIECE))
        report(min(estimator.n, n))


class _Interval:
    """How a summary becomes an interval: "limit" by the central limit theorem, "bounded" for values in [0, log 2] and every n,
    "qmc" from replicates."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def half(self, summary: Summary, alpha: float) -> np.ndarray:
        if self._kind == "bounded":
            return bernstein(summary.variance, summary.n, _LOG_2, alpha)
        if self._kind == "qmc":
            return student_quantile(1.0 - alpha / 2, REPLICATES - 1) * summary.stderr
        return -float(ufuncs.ndtri(alpha / 2)) * summary.stderr

    def estimate(self, summary: Summary, alpha: float, *, converged: bool) -> Estimate:
        half, value = self.half(summary, alpha), summary.mean
        low, high = value - half, value + half
        if self._kind == "bounded":
            low, high = np.maximum(low, 0.0), np.minimum(high, _LOG_2)
        method = "qmc" if self._kind == "qmc" else "mc"
        return _fields(value, summary.stderr, low, high, summary.n, method, converged)


def _until(
    estimator: Estimator,
    interval: _Interval,
    rtol: float,
    atol: float,
    confidence: float,
    max_n: int,
    report: Callable[[int], None],
) -> tuple[Estimate, Summary]:
    """Doubling rounds until the interval is short enough."""
    n, round_number = min(_FIRST_ROUND, max_n), 1
    while True:
        _extend(estimator, n, report)
        summary = estimator.summary()
        alpha = (1.0 - confidence) / (round_number * (round_number + 1))
        finite = np.isfinite(summary.mean)
        tolerance = np.maximum(atol, rtol * np.abs(np.where(finite, summary.mean, 0.0)))
        converged = bool(np.all(~finite | (interval.half(summary, alpha) <= tolerance)))
        if converged or n >= max_n:
            return interval.estimate(summary, alpha, converged=converged), summary
        n, round_number = min(2 * n, max_n), round_number + 1


def _judged(function: str, estimate: Estimate, summary: Summary) -> Estimate:
    """With a warning, and not converged, where the tail says that the variance is infinite."""
    index = np.asarray(summary.tail_index)
    if not (index - summary.tail_error >= 0.5).any():
        return estimate
    worst = np.unravel_index(int(np.argmax(index)), index.shape)
    where = f" of batch item {tuple(map(int, worst))}" if index.ndim else ""
    what = "mean, and with it the divergence," if index[worst] >= 1 else "variance"
    warnings.warn(
        f"{function}: the largest of {estimate.n} values of log p - log q{where} grow so fast (tail index {index[worst]:.2f}) "
        f"that their {what} seems to be infinite; the standard error and the interval cannot be relied on",
        AccuracyWarning,
        stacklevel=4,
    )
    return Estimate(estimate.value, estimate.stderr, estimate.low, estimate.high, estimate.n, estimate.method, False)


def _fields(value: Any, stderr: Any, low: Any, high: Any, n: int, method: str, converged: bool) -> Estimate:
    value, stderr, low, high = (x if np.ndim(x) else float(x) for x in (value, stderr, low, high))
    return Estimate(value, stderr, low, high, n, method, converged)
