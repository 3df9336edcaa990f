"""Counts of zeros and ones, from which a Bernoulli is fitted."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from loglik._fitting.report import row_totals
from loglik._fitting.statistics import Moments, Observations


@dataclass(frozen=True)
class Ones:
    """Observations of positive weight, total weight, and weight of the ones."""

    count: np.ndarray
    weight: np.ndarray
    hits: np.ndarray

    def __add__(self, other: "Ones") -> "Ones":
        return Ones(self.count + other.count, self.weight + other.weight, self.hits + other.hits)

    def moments(self) -> Moments:
        """With the weight of the ones as `squares`: Σwx² = Σwx, which does not round unless the weights do."""
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = self.hits / self.weight
        return Moments(self.count, self.weight, mean, self.hits, mean, mean)


def count_ones(function: str, data: Observations, prior: Any) -> Ones:
    """The statistics of samples of 0 and 1."""

    def one(x: np.ndarray, w: np.ndarray | None, block: Any) -> tuple[Any, Any, Any]:
        hit = x if w is None else np.where(x == 1, w[..., None], 0.0)
        return *row_totals(x, w), np.add.reduce(hit, axis=1, dtype=np.float64)

    counts, weights = (np.zeros((data.samples, 1)) for _ in range(2))
    ones = np.zeros((data.samples, data.d))
    for (e0, e1, _, _), (count, weight, hits) in data.fold(one, lambda x: (x == 0) | (x == 1), "0 or 1"):
        counts[e0:e1, 0] += count
        weights[e0:e1, 0] += weight
        ones[e0:e1] += hits
    return Ones(*(np.broadcast_to(a, ones.shape).reshape(data.kept_shape) for a in (counts.astype(np.int64), weights, ones)))


def check_bits(function: str, m: Moments) -> None:
    """Refuse data with more than 0 and 1, as moments tell up to rounding: no x is outside [0, 1], and Σw x (1 − x) = 0."""
    inside = (m.low >= 0) & (m.high <= 1)
    rest = m.weight * m.mean * (1 - m.mean) - m.squares
    good = inside & (np.abs(rest) <= 1e-12 * m.weight)
    if not np.all(good):
        raise ValueError(f"{function}: data of a Bernoulli must be 0 or 1, but the moments are those of other values")
