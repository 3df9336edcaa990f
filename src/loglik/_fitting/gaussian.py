"""Fits of normal distributions from moments: maximum likelihood, and the mode of the posterior with a conjugate prior."""

from typing import Any

import numpy as np

from loglik._engine import validate
from loglik._fitting.report import make_report, rounded
from loglik._fitting.statistics import Moments

_LOG_2PI = 1.8378770664093453


def normal(cls: Any, function: str, m: Moments, prior: Any, dtype: np.dtype) -> Any:
    mean, squares, divisor = m.mean, m.squares, m.weight
    if prior is not None:
        p = prior.check(function)
        share = p.kappa / (p.kappa + m.weight)
        squares = squares + (2 * p.scale + share * m.weight * (mean - p.mean) ** 2)
        divisor = divisor + (2 * p.shape + 3)
        mean = mean + share * (p.mean - mean)
    variance = squares / divisor
    _check_spread(function, m, variance)
    loc, scale = rounded(mean, dtype), rounded(np.sqrt(variance), dtype)
    result = cls(loc, scale)
    mu, sigma = np.asarray(loc, np.float64), np.asarray(scale, np.float64)
    terms = m.squares + m.weight * (m.mean - mu) ** 2
    log_likelihood = -0.5 * (m.weight * (_LOG_2PI + 2 * np.log(sigma)) + terms / sigma**2)
    errors = {"loc": sigma / np.sqrt(m.weight), "scale": sigma / np.sqrt(2 * m.weight)}
    return make_report(result, m, prior, 2, log_likelihood, errors)


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


def multivariate_normal(cls: Any, function: str, m: Moments, prior: Any, dtype: np.dtype) -> Any:
    d = m.mean.shape[-1]
    weight = np.asarray(m.weight)[..., None, None]
    mean, squares, divisor = m.mean, m.squares, weight
    if prior is not None:
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
        _explain_singular(function, m, d, prior is not None, error)
    sigma, mu = np.asarray(covariance.astype(dtype), np.float64), np.asarray(mean.astype(dtype), np.float64)
    difference = m.mean - mu
    about = m.squares + weight * (difference[..., :, None] * difference[..., None, :])
    lower = np.linalg.cholesky(sigma)
    log_det = 2 * np.log(np.diagonal(lower, axis1=-2, axis2=-1)).sum(-1)
    if prior is not None or dtype != np.float64:
        trace = np.trace(np.linalg.solve(sigma, about), axis1=-2, axis2=-1)
    else:
        trace = m.weight * d  # tr(Σ⁻¹ W Σ)
    log_likelihood = -0.5 * (m.weight * (d * _LOG_2PI + log_det) + trace)
    diagonal = np.diagonal(sigma, axis1=-2, axis2=-1)
    errors = {
        "loc": np.sqrt(diagonal / weight[..., 0]),
        "covariance": np.sqrt((diagonal[..., :, None] * diagonal[..., None, :] + sigma**2) / weight),
    }
    return make_report(result, m, prior, d + d * (d + 1) // 2, log_likelihood, errors)


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
