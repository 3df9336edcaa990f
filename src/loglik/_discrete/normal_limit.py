"""The distance of a discrete distribution from the Normal that matches it, and the outcomes that count for it."""

import math
from typing import Any, NamedTuple

import numpy as np

from loglik import ufuncs
from loglik._discrete.scaled_pmf import Pmf, Tails

_BLOCK = 2**15
HIDDEN = 5e-7  # probability left out of a picture at each end


class NormalDistance(NamedTuple):
    """Distances between a discrete distribution and its Normal; see `Discrete.distance_to_normal`."""

    kolmogorov: float
    total_variation: float
    kl: float
    wasserstein: float


class Places(NamedTuple):
    """Where outcomes are possible: indices of the first and the last one, and the largest step that all share."""

    first: int
    last: int
    step: int  # 2 for twice a die


def possible_places(pmf: Pmf) -> Places:
    """The places of one pmf."""
    possible = np.flatnonzero(pmf.values)
    step = int(np.gcd.reduce(np.diff(possible))) if len(possible) > 1 else 1
    return Places(int(possible[0]), int(possible[-1]), step)


def visible(places: Places, low: int, high: int) -> slice:
    """The indices of possible outcomes from `low` to `high`, or from one before `low`."""
    low, high = max(places.first, low), min(places.last, high)
    low -= (low - places.first) % places.step
    return slice(low, high + 1, places.step)


def distances(
    places: Places, probs: np.ndarray, log_probs: np.ndarray, tails: Tails, start: int, mean: float, std: float
) -> NormalDistance:
    """The distances of a distribution on start, start + 1, … from the Normal with its `mean` and its positive `std`."""
    first, last, step = places
    half = step / (2 * std)
    largest, variation, kl, area = 0.0, [], [], []
    before = 0.0  # P(X < the first outcome of the block)
    ends = (start + first - mean) / std, (start + last - mean) / std
    for begin in range(first, last + 1, _BLOCK * step):
        taken = slice(begin, min(begin + _BLOCK * step, last + 1), step)
        z = (np.arange(start + taken.start, start + taken.stop, step) - mean) / std
        p, log_p = probs[taken].astype(np.float64), log_probs[taken].astype(np.float64)
        cdf, sf = tails.cdf[taken].astype(np.float64), tails.sf[taken].astype(np.float64)
        expected = ufuncs.ndtr(z)
        below = np.append(before, cdf[:-1])
        before = cdf[-1]
        largest = max(largest, float(np.max(np.abs(cdf - expected))), float(np.max(np.abs(below - expected))))
        log_q = _log_mass(z, half)
        q = np.exp(log_q)
        variation.append(float(np.sum(np.abs(p - q))))
        kl.append(float(np.sum(_kl_terms(p, log_p, q, log_q))))
        # The steps to the next outcome right of the mean are mirrored: tails are small there.
        inner = z + 2 * half <= ends[1] + half
        a, b = z[inner], (z + 2 * half)[inner]
        right = a + b > 0
        level = np.where(right, sf[inner], cdf[inner])
        area.append(float(np.sum(_area(np.where(right, -b, a), np.where(right, -a, b), level))))
    outside = float(ufuncs.ndtr(ends[0] - half)) + float(ufuncs.ndtr(-ends[1] - half))
    flat = float(_integral(ends[0])) + float(_integral(-ends[1]))
    return NormalDistance(
        kolmogorov=largest,
        total_variation=min(0.5 * (math.fsum(variation) + outside), 1.0),
        kl=math.fsum(kl) + outside,
        wasserstein=std * (math.fsum(area) + flat),
    )


def _log_mass(z: np.ndarray, half: float) -> np.ndarray:
    """Logarithm of what a standard Normal has within `half` around z, from the nearer tail."""
    far = -np.abs(z)
    upper = ufuncs.log_ndtr(far + half)
    return upper + np.log(-np.expm1(ufuncs.log_ndtr(far - half) - upper))


def _kl_terms(p: np.ndarray, log_p: np.ndarray, q: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """p·log(p/q) − p + q, none of which is negative."""
    ratio = np.where(p > 0, log_q - np.where(p > 0, log_p, 0.0), 0.0)
    near = np.clip(ratio, -1.0, 1.0)
    return np.where(np.abs(ratio) < 1, p * (np.expm1(near) - near), q - p - p * ratio) + np.where(p > 0, 0.0, p)


def _integral(z: Any) -> Any:
    """∫ Φ from −∞ to z."""
    return np.maximum(np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) + z * ufuncs.ndtr(z), 0.0)


def _area(a: np.ndarray, b: np.ndarray, level: np.ndarray) -> np.ndarray:
    """∫ |Φ − level| from a to b."""
    crossing = np.clip(ufuncs.ndtri(level), a, b)
    at = _integral(crossing)
    left = level * (crossing - a) - (at - _integral(a))
    right = _integral(b) - at - level * (b - crossing)
    return np.maximum(left, 0.0) + np.maximum(right, 0.0)
