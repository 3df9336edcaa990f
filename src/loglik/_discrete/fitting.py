"""Fit of `Discrete`: relative frequencies, counted in blocks."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from loglik._discrete.checks import MAX_OUTCOMES
from loglik._fitting import priors
from loglik._fitting.report import check_data, make_report, row_totals
from loglik._fitting.statistics import Moments, Observations

_EXACT_OUTCOMES = 1 << 16  # with as many or fewer, integer counts stay exact
_BLOCK = 1 << 19


@dataclass(frozen=True)
class Counts:
    """Weights of the outcomes from `start` on, along the last axis; their totals, and the numbers of observations. Parts of
    the same samples add up."""

    start: int
    counts: np.ndarray
    weight: np.ndarray
    n: np.ndarray

    def __add__(self, other: "Counts") -> "Counts":
        if not (self.n.any() and other.n.any()):
            return self if self.n.any() else other
        (*shape, length), (*_, other_length) = self.counts.shape, other.counts.shape
        start = min(self.start, other.start)
        length = max(self.start + length, other.start + other_length) - start
        _check_span("Discrete.fit", start, length, tuple(shape))
        total = np.zeros((*shape, length))
        for part in (self, other):
            total[..., part.start - start :][..., : part.counts.shape[-1]] += part.counts
        return Counts(start, total, self.weight + other.weight, self.n + other.n)


def _check_span(function: str, start: int, length: int, shape: tuple[int, ...]) -> None:
    if math.prod(shape) * length > MAX_OUTCOMES:
        each = f" for each of {math.prod(shape)} distributions" if shape else ""
        raise ValueError(
            f"{function}: x spans {length} outcomes{each}, from {start} to {start + length - 1}; at most 2^26 are possible"
        )


def prior_range(function: str, prior: Any) -> tuple[int, int] | None:
    """First outcome and number of those that a prior lists."""
    if prior is None:
        return None
    p = prior.check(function)
    return (p.start, p.alpha.size) if p.alpha.ndim else None


def discrete(cls: Any, function: str, found: Counts, prior: Any, dtype: np.dtype) -> Any:
    """Relative frequencies; of a batch, on the outcomes that any of its items has."""
    p = prior.check(function) if prior is not None else priors.Dirichlet(np.asarray(1.0))
    counts, weight = found.counts, found.weight
    m = Moments(found.n, weight, weight, weight, weight, weight)  # no mean and no more is asked for
    check_data(function, m)
    shares = counts + (p.alpha - 1)
    total = _sums(shares)
    exact = shares.ndim == 1 and len(shares) <= _EXACT_OUTCOMES and total < 2**53
    if exact and np.all(shares == np.floor(shares)):
        result = cls(counts=shares.astype(np.int64).tolist(), start=found.start)
    else:
        result = cls((shares / total[..., None]).astype(dtype), start=found.start)
    probs = shares / total[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_likelihood = _sums(np.where(counts > 0, counts * np.log(probs), 0.0))
    errors = {"probs": np.sqrt(probs * (1 - probs) / weight[..., None])}
    return make_report(result, m, prior, counts.shape[-1] - 1, log_likelihood, errors)


def _sums(x: np.ndarray) -> np.ndarray:
    """Over the last axis, each rounded once."""
    return np.reshape([math.fsum(row.tolist()) for row in x.reshape(-1, x.shape[-1])], x.shape[:-1])


def counts(function: str, data: Observations, outcomes: tuple[int, int] | None) -> Counts:
    """Weights of the outcomes that the data have, or of those asked for by the first one and their number."""
    start, length = _outcomes(function, data, outcomes)
    _check_span(function, start, length, data.kept_shape)

    def count(x: np.ndarray, w: np.ndarray | None, block: Any) -> tuple[Any, Any, np.ndarray, np.ndarray]:
        samples, _, d = x.shape
        totals = row_totals(x, w)
        values, item = x.reshape(-1), np.zeros(1, np.int64)
        if samples * d > 1:
            item = np.broadcast_to(np.arange(samples)[:, None, None] * d + np.arange(d), x.shape).reshape(-1)
        if w is not None:
            w = np.broadcast_to(w[..., None], x.shape).reshape(-1)
            kept = w > 0
            values, w, item = values[kept], w[kept], item[kept] if samples * d > 1 else item
        if not values.size:
            return (slice(0), slice(0)), 0.0, *totals
        places = values.astype(np.int64) - start
        first = int(places.min())
        span = int(places.max()) - first + 1
        key = item * span + (places - first)
        if samples * d * span <= _BLOCK:
            found = np.bincount(key, w, samples * d * span).reshape(samples * d, span)
            return (slice(None), slice(first, first + span)), found, *totals
        some, inverse = np.unique(key, return_inverse=True)  # few of very many outcomes
        return (some // span, some % span + first), np.bincount(inverse, w), *totals

    shape = (data.samples, data.d)
    total = np.zeros((data.samples * data.d, length))
    n, weight = np.zeros((data.samples, 1), np.int64), np.zeros((data.samples, 1))
    for (e0, e1, _, _), (at, found, number, weights) in data.fold(count, _integral, "integers"):
        total[e0 * data.d : e1 * data.d][at] += found
        n[e0:e1, 0] += number
        weight[e0:e1, 0] += weights
    n, weight = (np.broadcast_to(a, shape).reshape(data.kept_shape) for a in (n, weight))
    return Counts(start, total.reshape((*data.kept_shape, length)), weight, n)


def _outcomes(function: str, data: Observations, outcomes: tuple[int, int] | None) -> tuple[int, int]:
    """The first outcome, and how many there are."""

    def extremes(x: np.ndarray, w: np.ndarray | None, block: Any) -> tuple[float, float]:
        taken = x if w is None else x[np.broadcast_to((w > 0)[..., None], x.shape)]
        return (float(taken.min()), float(taken.max())) if taken.size else (math.inf, -math.inf)

    ranges = [r for _, r in data.fold(extremes, _integral, "integers")]
    low, high = min((r[0] for r in ranges), default=math.inf), max((r[1] for r in ranges), default=-math.inf)
    if outcomes is None:
        return (0, 1) if low > high else (int(low), int(high - low) + 1)
    start, length = outcomes
    if low < start or high >= start + length:
        outside = int(low if low < start else high)
        raise ValueError(f"{function}: x contains {outside}, but prior.alpha is for {start} to {start + length - 1}")
    return outcomes


def _integral(x: np.ndarray) -> np.ndarray:
    return (x == np.floor(x)) & (np.abs(x) <= 2.0**53)
