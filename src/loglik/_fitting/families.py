"""Fits: parameters from moments or counts, their standard errors, and the report.

Each family has one function from `Moments` (counts for Discrete) to parameters; `fit` and `MomentStats.fit` both call it.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from loglik import priors
from loglik._engine import validate
from loglik._engine.validate import axes as reduced_axes
from loglik._fitting.statistics import Moments, Rows

_LOG_2PI = 1.8378770664093453


@dataclass(frozen=True, eq=False)
class FitReport:
    """How a distribution was fitted: its ``fit_report``. Arrays where the fit is a batch.

    ``aic`` = 2k - 2 log L and ``bic`` = k log W - 2 log L, for k parameters and a total weight W.
    """

    method: str
    """"ml", or "map" with a prior."""
    n: Any
    """Observations of positive weight."""
    weight: Any
    """Their total weight; n without weights."""
    n_parameters: int
    log_likelihood: Any
    """Of the data under the fitted distribution, in nats, each observation times its weight; without the prior."""
    standard_errors: dict[str, Any]
    """By parameter, from the Fisher information of the data at the estimate; see ``fit``."""

    @property
    def aic(self) -> Any:
        """Akaike's information criterion."""
        return 2 * self.n_parameters - 2 * self.log_likelihood

    @property
    def bic(self) -> Any:
        """Bayesian information criterion."""
        return self.n_parameters * np.log(self.weight) - 2 * self.log_likelihood


def fit(cls: type, x: Any, weights: Any, prior: Any, axis: Any, nan_policy: str) -> Any:
    """What ``D.fit`` does."""
    name = f"{cls.__name__}.fit"
    family = _family(cls, name)
    if nan_policy not in ("raise", "omit"):
        raise ValueError(f'{name}: nan_policy must be "raise" or "omit", got {nan_policy!r}')
    reduced: tuple[int, ...]
    lazy = validate.is_dask(x, weights)
    if lazy:
        from loglik._engine import chunks

        array = chunks.as_dask(name, "x", x)
    else:
        array = validate.as_array(name, "x", x)
    if family == "MultivariateNormal":
        if axis is not None:
            raise ValueError(f"{name}: axis has no meaning; x has shape (..., n, d), and leading axes are a batch")
        if array.ndim < 2 or array.shape[-1] == 0:
            raise ValueError(f"{name}: x must have shape (..., n, d) with d >= 1, got {array.shape}")
        reduced, events = (array.ndim - 2,), 1
    else:
        array = array.reshape(1) if array.ndim == 0 else array
        reduced, events = reduced_axes(name, axis, array.ndim), 0
        if not reduced:
            raise ValueError(f"{name}: axis must name at least one axis")
    dtype = validate.result_dtype(array)
    outcomes = None
    if family == "Discrete":
        from loglik._discrete import fitting  # which uses this module

        outcomes = fitting.prior_range(name, prior)
    collect = partial(_collect, name, family, reduced, events, nan_policy, outcomes)
    part = chunks.tree(name, collect, array, weights, reduced, events).compute() if lazy else collect(array, weights)
    if family == "Discrete":
        return fitting.discrete(cls, name, part, prior, dtype)
    return _FROM_MOMENTS[family](cls, name, part.moments(), prior, dtype)


def _collect(
    name: str, family: str, reduced: tuple[int, ...], events: int, nan_policy: str, outcomes: "tuple[int, int] | None",
    x: np.ndarray, weights: Any,
) -> Any:
    """What the fit of a family needs to know of the data, or of a part of them: such parts add up."""
    rows = Rows(name, x, weights, reduced, events, nan_policy, finite=True)
    if family == "Discrete":
        from loglik._discrete import fitting

        return fitting.counts(name, rows, outcomes)
    return _ones(rows) if family == "Bernoulli" else rows.part(family != "MultivariateNormal")


def fit_moments(cls: type, moments: Moments, vector: bool, prior: Any, dtype: np.dtype) -> Any:
    """What ``MomentStats.fit`` does, from the moments of a covariance; `vector`: of rows, not of numbers."""
    name = "MomentStats.fit"
    if not isinstance(cls, type):
        raise TypeError(f"{name}: a family of distributions is needed, such as Normal; got {cls!r}")
    family = _family(cls, name)
    if family not in _FROM_MOMENTS:
        raise NotImplementedError(f"{name}: moments do not determine a {cls.__name__}; use {cls.__name__}.fit")
    if family != "MultivariateNormal":
        lead = moments.weight.shape
        shape = lead + moments.mean.shape[-1:] if vector else lead
        wide = (np.broadcast_to(a[..., None], lead + moments.mean.shape[-1:]) for a in (moments.n, moments.weight))
        squares = np.diagonal(moments.squares, axis1=-2, axis2=-1)
        moments = Moments(*(np.reshape(a, shape) for a in (*wide, moments.mean, squares, moments.low, moments.high)))
    elif not vector:
        raise ValueError(f"{name}: the blocks were numbers; a {cls.__name__} needs blocks of shape (n, d)")
    if family == "Bernoulli":
        _check_bits(name, moments)
        moments = moments._replace(squares=moments.weight * moments.mean)
    return _FROM_MOMENTS[family](cls, name, moments, prior, dtype)


def _family(cls: type, function: str) -> str:
    for base in cls.__mro__:
        if base.__name__ in _FAMILIES and base.__module__ == "loglik":
            return base.__name__
    raise NotImplementedError(f"{function}: there is no fit for {cls.__name__}; families: {', '.join(_FAMILIES)}")


# ------------------------------------------------------------------------------------------- what families share


def check_prior(function: str, prior: Any, kind: type) -> bool:
    """Whether there is a prior; raises TypeError for one of another family."""
    if prior is not None and not isinstance(prior, kind):
        raise TypeError(f"{function}: prior must be a loglik.priors.{kind.__name__}, got {type(prior).__name__}")
    return prior is not None


def check_data(function: str, m: Moments) -> None:
    """Data there must be, and finite."""
    empty = np.asarray(m.weight) == 0
    if empty.any():
        index = validate.first_index(empty)
        where = f" in batch item {list(index)}" if index else ""
        raise ValueError(f"{function}: there are no observations of positive weight{where}")
    good = np.isfinite(m.mean)
    if not good.all():
        entry = validate.describe_entry("mean", validate.first_index(~good), np.asarray(m.mean)[validate.first_index(~good)])
        raise ValueError(f"{function}: the data are not finite, or too large: {entry}")


def _rounded(values: Any, dtype: np.dtype) -> Any:
    """Parameters in the dtype of the data, a Python float where that is the same."""
    array = np.asarray(values).astype(dtype)
    return float(array) if array.shape == () and dtype == np.float64 else array[()]


def row_totals(x: np.ndarray, w: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Of the samples in a block: observations of positive weight, and their weight."""
    if w is None:
        return np.full(len(x), x.shape[1]), np.full(len(x), float(x.shape[1]))
    return np.broadcast_to(np.count_nonzero(w, axis=-1), len(x)), np.broadcast_to(np.add.reduce(w, axis=-1), len(x))


def make_report(result: Any, m: Moments, method: bool, parameters: int, log_likelihood: Any, errors: dict[str, Any]) -> Any:
    report = FitReport(
        "map" if method else "ml", _plain(m.n), _plain(m.weight), parameters, _plain(log_likelihood),
        {name: np.asarray(value)[()] for name, value in errors.items()},
    )  # fmt: skip
    result.__dict__["fit_report"] = report
    return result


def _plain(value: Any) -> Any:
    array = np.asarray(value)
    return array.item() if array.shape == () else array


# ------------------------------------------------------------------------------------------- families


def normal(cls: Any, function: str, m: Moments, prior: Any, dtype: np.dtype) -> Any:
    has_prior = check_prior(function, prior, priors.NormalInverseGamma)
    check_data(function, m)
    mean, squares, divisor = m.mean, m.squares, m.weight
    if has_prior:
        p = prior.check(function)
        share = p.kappa / (p.kappa + m.weight)
        squares = squares + (2 * p.scale + share * m.weight * (mean - p.mean) ** 2)
        divisor = divisor + (2 * p.shape + 3)
        mean = mean + share * (p.mean - mean)
    variance = squares / divisor
    _check_spread(function, m, variance)
    loc, scale = _rounded(mean, dtype), _rounded(np.sqrt(variance), dtype)
    result = cls(loc, scale)
    mu, sigma = np.asarray(loc, np.float64), np.asarray(scale, np.float64)
    terms = m.squares + m.weight * (m.mean - mu) ** 2
    log_likelihood = -0.5 * (m.weight * (_LOG_2PI + 2 * np.log(sigma)) + terms / sigma**2)
    errors = {"loc": sigma / np.sqrt(m.weight), "scale": sigma / np.sqrt(2 * m.weight)}
    return make_report(result, m, has_prior, 2, log_likelihood, errors)


def _check_spread(function: str, m: Moments, variance: np.ndarray) -> None:
    """The variances of a normal distribution must be positive."""
    good = (variance > 0) & np.isfinite(variance) & np.isfinite(np.sqrt(variance))
    if good.all():
        return
    index = validate.first_index(~np.asarray(good))
    where = f" of batch item {list(index)}" if index else ""
    value, low, high = (np.asarray(a)[index] for a in (variance, m.low, m.high))
    if low == high:
        raise ValueError(
            f"{function}: all observations{where} are {low}, so the scale would be 0 and there is no density; a prior gives one"
        )
    kind = "overflows" if not np.isfinite(value) or value > 1 else "underflows"
    raise ValueError(f"{function}: the variance{where} {kind} (data from {low} to {high}); fit scaled data")


def uniform(cls: Any, function: str, m: Moments, prior: Any, dtype: np.dtype) -> Any:
    has_prior = check_prior(function, prior, priors.Pareto)
    check_data(function, m)
    low, high = m.low, m.high
    if has_prior:
        p = prior.check(function)
        low, high = np.minimum(low, p.low), np.maximum(high, p.high)
    same = np.asarray(low == high)
    if same.any():
        index = validate.first_index(same)
        where = f" of batch item {list(index)}" if index else ""
        raise ValueError(f"{function}: all observations{where} are {np.asarray(low)[index]}, so the interval would be empty")
    result = cls(_rounded(low, dtype), _rounded(high, dtype))
    w, width = m.weight, high - low
    error = width / (w + 1) * np.sqrt(w / (w + 2))
    return make_report(result, m, has_prior, 2, -w * np.log(width), {"low": error, "high": error})


def bernoulli(cls: Any, function: str, m: Moments, prior: Any, dtype: np.dtype) -> Any:
    has_prior = check_prior(function, prior, priors.Beta)
    check_data(function, m)
    ones, divisor = m.squares, m.weight  # of 0 and 1
    if has_prior:
        p = prior.check(function)
        ones, divisor = ones + (p.a - 1), divisor + (p.a - 1 + (p.b - 1))
    probs = _rounded(np.clip(ones / divisor, 0, 1), dtype)
    result = cls(probs)
    p1 = np.asarray(probs, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        zeros = m.weight - m.squares
        log_likelihood = np.where(m.squares > 0, m.squares * np.log(p1), 0.0) + np.where(zeros > 0, zeros * np.log1p(-p1), 0.0)
    return make_report(result, m, has_prior, 1, log_likelihood, {"probs": np.sqrt(p1 * (1 - p1) / m.weight)})


@dataclass(frozen=True)
class _Ones:
    """Observations of positive weight, total weight, and weight of the ones."""

    count: np.ndarray
    weight: np.ndarray
    hits: np.ndarray

    def __add__(self, other: "_Ones") -> "_Ones":
        return _Ones(self.count + other.count, self.weight + other.weight, self.hits + other.hits)

    def moments(self) -> Moments:
        """With the weight of the ones as `squares`: Σwx² = Σwx, which does not round unless the weights do."""
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = self.hits / self.weight
        return Moments(self.count, self.weight, mean, self.hits, mean, mean)


def _ones(rows: Rows) -> _Ones:

    def one(x: np.ndarray, w: np.ndarray | None) -> tuple[Any, Any, Any]:
        hit = x if w is None else np.where(x == 1, w[..., None], 0.0)
        return *row_totals(x, w), np.add.reduce(hit, axis=1, dtype=np.float64)

    counts, weights = (np.zeros((rows.samples, 1)) for _ in range(2))
    ones = np.zeros((rows.samples, rows.d))
    for (e0, e1, _, _), (count, weight, hits) in rows.fold(one, lambda x: (x == 0) | (x == 1), "0 or 1"):
        counts[e0:e1, 0] += count
        weights[e0:e1, 0] += weight
        ones[e0:e1] += hits
    return _Ones(*(np.broadcast_to(a, ones.shape).reshape(rows.kept_shape) for a in (counts.astype(np.int64), weights, ones)))


def _check_bits(function: str, m: Moments) -> None:
    """Of 0 and 1, which moments tell up to rounding: no x is outside [0, 1], and Σw x (1 − x) = 0."""
    inside = (m.low >= 0) & (m.high <= 1)
    rest = m.weight * m.mean * (1 - m.mean) - m.squares
    good = inside & (np.abs(rest) <= 1e-12 * m.weight)
    if not np.all(good):
        raise ValueError(f"{function}: data of a Bernoulli must be 0 or 1, but the moments are those of other values")


def multivariate_normal(cls: Any, function: str, m: Moments, prior: Any, dtype: np.dtype) -> Any:
    has_prior = check_prior(function, prior, priors.NormalInverseWishart)
    d = m.mean.shape[-1]
    check_data(function, m)
    weight = np.asarray(m.weight)[..., None, None]
    mean, squares, divisor = m.mean, m.squares, weight
    if has_prior:
        p = prior.check_for(function, d)
        share = p.kappa / (p.kappa + weight)
        apart = p.mean - mean
        squares = squares + (p.scale + share * weight * (apart[..., :, None] * apart[..., None, :]))
        divisor = divisor + (p.dof + d + 2)
        mean = mean + share[..., 0] * apart
    covariance = squares / divisor
    finite = np.isfinite(covariance)
    if not finite.all():
        index = validate.first_index(~finite)
        entry = validate.describe_entry("covariance", index, covariance[index])
        raise ValueError(f"{function}: the covariance overflows: {entry}; fit scaled data")
    try:
        result = cls(mean.astype(dtype), covariance.astype(dtype))
    except np.linalg.LinAlgError as error:
        _explain_singular(function, m, d, has_prior, error)
    sigma, mu = np.asarray(covariance.astype(dtype), np.float64), np.asarray(mean.astype(dtype), np.float64)
    difference = m.mean - mu
    about = m.squares + weight * (difference[..., :, None] * difference[..., None, :])
    lower = np.linalg.cholesky(sigma)
    log_det = 2 * np.log(np.diagonal(lower, axis1=-2, axis2=-1)).sum(-1)
    if has_prior or dtype != np.float64:
        trace = np.trace(np.linalg.solve(sigma, about), axis1=-2, axis2=-1)
    else:
        trace = m.weight * d  # tr(Σ⁻¹ W Σ)
    log_likelihood = -0.5 * (m.weight * (d * _LOG_2PI + log_det) + trace)
    diagonal = np.diagonal(sigma, axis1=-2, axis2=-1)
    errors = {
        "loc": np.sqrt(diagonal / weight[..., 0]),
        "covariance": np.sqrt((diagonal[..., :, None] * diagonal[..., None, :] + sigma**2) / weight),
    }
    return make_report(result, m, has_prior, d + d * (d + 1) // 2, log_likelihood, errors)


def _explain_singular(function: str, m: Moments, d: int, has_prior: bool, error: Exception) -> Any:
    fewest = int(np.min(m.n))
    ways = (
        "a prior (loglik.priors.NormalInverseWishart) makes it regular; "
        "MultivariateNormal(mean, covariance, allow_singular=True) takes it as it is"
    )
    if fewest <= d and not has_prior:
        raise np.linalg.LinAlgError(
            f"{function}: {fewest} observations in {d} dimensions have a covariance of rank {max(0, fewest - 1)} at most; {ways}"
        ) from None
    raise np.linalg.LinAlgError(f"{function}: the covariance of the data has no density ({error}); {ways}") from None


_FROM_MOMENTS = {
    "Normal": normal,
    "Uniform": uniform,
    "Bernoulli": bernoulli,
    "MultivariateNormal": multivariate_normal,
}
_FAMILIES = (*_FROM_MOMENTS, "Discrete")
