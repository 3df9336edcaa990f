"""The distance of a discrete distribution from the Normal that matches it, and the picture of both."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from loglik import ufuncs
from loglik._faces.axes import draw_masses, finish, new_axes

if TYPE_CHECKING:
    from loglik.distributions.discrete import Discrete

_BLOCK = 2**15
_HIDDEN = 5e-7  # probability left out of the picture at each end


class NormalDistance(NamedTuple):
    """Distances between a discrete distribution and its Normal; see `Discrete.distance_to_normal`."""

    kolmogorov: float
    total_variation: float
    kl: float
    wasserstein: float


def lattice(d: "Discrete") -> tuple[int, int, int]:
    """Index of the first and the last possible outcome, and the largest step that all share (2 for twice a die)."""
    possible = np.flatnonzero(d._masses.values)
    step = int(np.gcd.reduce(np.diff(possible))) if len(possible) > 1 else 1
    return int(possible[0]), int(possible[-1]), step


def distances(d: "Discrete") -> NormalDistance:
    """Of a distribution with a positive variance."""
    normal = d.normal_approximation()  # raises for a constant
    mean, sigma = float(normal.mean), float(normal.std)
    first, last, step = lattice(d)
    half = step / (2 * sigma)
    largest, variation, kl, area = 0.0, [], [], []
    before = 0.0  # P(X < the first outcome of the block)
    ends = (d.start + first - mean) / sigma, (d.start + last - mean) / sigma
    for begin in range(first, last + 1, _BLOCK * step):
        taken = slice(begin, min(begin + _BLOCK * step, last + 1), step)
        z = (np.arange(d.start + taken.start, d.start + taken.stop, step) - mean) / sigma
        p, log_p = d.probs[taken].astype(np.float64), d.log_probs[taken].astype(np.float64)
        cdf, sf = d._tails.cdf[taken].astype(np.float64), d._tails.sf[taken].astype(np.float64)
        expected = ufuncs.ndtr(z)
        below = np.append(before, cdf[:-1])
        before = cdf[-1]
        largest = max(largest, float(np.max(np.abs(cdf - expected))), float(np.max(np.abs(below - expected))))
        log_q = _log_mass(z, half)
        q = np.exp(log_q)
        variation.append(float(np.sum(np.abs(p - q))))
        kl.append(float(np.sum(_kl_terms(p, log_p, q, log_q))))
        # Of the steps to the next outcome, those right of the mean are mirrored: tails are small there.
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
        wasserstein=sigma * (math.fsum(area) + flat),
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


# ------------------------------------------------------------------------------------------ picture


def plot(d: "Discrete", ax: Any) -> Any:
    """Probabilities and the matching Normal on the axes `ax`."""
    ax = new_axes("Discrete.plot") if ax is None else ax
    x, step = draw(d, ax, color="#8fb4d9", label="probability")
    if d.variance > 0:
        normal = d.normal_approximation()
        low, high = max(x[0] - step, normal.mean - 5 * normal.std), min(x[-1] + step, normal.mean + 5 * normal.std)
        grid = np.linspace(low, high, 400)
        label = f"Normal: mean {float(normal.mean):.6g}, sd {float(normal.std):.4g}"
        # The step makes an area of the density: what falls to one bar.
        ax.plot(grid, step * normal.prob(grid), color="#c0392b", linewidth=1.5, label=label)
    finish(ax)
    return ax


def shown(d: "Discrete") -> tuple[np.ndarray, np.ndarray, int]:
    """The outcomes in a picture, their probabilities and their step."""
    first, last, step = lattice(d)
    low = max(first, int(d.quantile(_HIDDEN)) - d.start)
    high = min(last, int(d.quantile(1 - _HIDDEN)) - d.start)
    low -= (low - first) % step
    taken = slice(low, high + 1, step)
    return d.support[taken], d.probs[taken], step


def draw(d: "Discrete", ax: Any, **style: Any) -> tuple[np.ndarray, int]:
    """Draw the probabilities; returns the outcomes shown and their step."""
    x, p, step = shown(d)
    draw_masses(ax, x, p, step, **style)
    return x, step
