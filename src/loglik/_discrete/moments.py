"""Moments of discrete variables, by exact counts or by probabilities. Both classes have the same methods."""

import math
from typing import Any

import numpy as np

from loglik._discrete.die_pool import Pool


class PoolMoments:
    """Moments of a pool of dice from its exact cumulants, each rounded once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def mean(self, start: int) -> float:
        """Expectation, the lowest value being `start`."""
        return float(start + self._pool.mean())

    def variance(self) -> float:
        """Expected squared distance from the mean."""
        return float(self._pool.variance())

    def skewness(self) -> float:
        """Third central moment over the cubed standard deviation; NaN where the variance is zero."""
        variance = self.variance()
        return float(self._pool.third_cumulant()) / variance / math.sqrt(variance) if variance > 0 else math.nan

    def kurtosis(self) -> float:
        """Excess kurtosis: fourth cumulant over the squared variance, 0 for a Normal; NaN where the variance is zero."""
        variance = self.variance()
        return float(self._pool.fourth_cumulant()) / variance / variance if variance > 0 else math.nan


class PmfMoments:
    """Moments of one pmf or of rows of probabilities, shape (..., K), over consecutive outcomes.

    Sums are in float64. Skewness and kurtosis divide by the variance that the dtype of the probabilities has.
    """

    def __init__(self, probs: np.ndarray) -> None:
        self._probs, self._outcomes = probs, np.arange(probs.shape[-1])
        self._mean: Any = np.sum(probs * self._outcomes, axis=-1, dtype=np.float64)

    def mean(self, start: int) -> Any:
        """Expectation, the lowest outcome being `start`."""
        return start + self._mean

    def _central(self, order: int) -> Any:
        """Expectation of a power of the distance from the mean."""
        distance = self._outcomes - self._mean[..., None]
        return np.sum(self._probs * distance**order, axis=-1, dtype=np.float64)

    def variance(self) -> Any:
        """Expected squared distance from the mean, in the dtype of the probabilities."""
        return self._central(2).astype(self._probs.dtype)

    def skewness(self) -> Any:
        """Third central moment over the cubed standard deviation; NaN where the variance is zero."""
        variance = self.variance()
        with np.errstate(invalid="ignore", divide="ignore"):
            value = self._central(3) / variance.astype(np.float64) / np.sqrt(variance).astype(np.float64)
        return np.where(variance > 0, value, np.nan)

    def kurtosis(self) -> Any:
        """Excess kurtosis: fourth central moment over the squared variance, less 3; NaN where the variance is zero."""
        variance = self.variance().astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(variance > 0, self._central(4) / variance / variance - 3.0, np.nan)
