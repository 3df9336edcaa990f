"""Moments of probabilities over consecutive outcomes."""

from typing import Any

import numpy as np


class Moments:
    """Moments of one pmf or of rows of probabilities, shape (..., K), over the outcomes 0, 1, …, K - 1.

    Sums are in float64. Skewness and kurtosis, of rows, divide by the variance that the dtype of the probabilities has.
    """

    def __init__(self, probs: np.ndarray) -> None:
        self._probs, self._outcomes = probs, np.arange(probs.shape[-1])
        self.mean: Any = np.sum(probs * self._outcomes, axis=-1, dtype=np.float64)

    def central(self, order: int) -> Any:
        """Expectation of a power of the distance from the mean."""
        distance = self._outcomes - self.mean[..., None]
        return np.sum(self._probs * distance**order, axis=-1, dtype=np.float64)

    def variance(self) -> Any:
        """Expected squared distance from the mean, in the dtype of the probabilities."""
        return self.central(2).astype(self._probs.dtype)

    def skewness(self) -> np.ndarray:
        """Third central moment over the cubed standard deviation; NaN where the variance is zero."""
        variance = self.variance()
        with np.errstate(invalid="ignore", divide="ignore"):
            value = self.central(3) / variance.astype(np.float64) / np.sqrt(variance).astype(np.float64)
        return np.where(variance > 0, value, np.nan)

    def kurtosis(self) -> np.ndarray:
        """Excess kurtosis; NaN where the variance is zero."""
        variance = self.variance().astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(variance > 0, self.central(4) / variance / variance - 3.0, np.nan)
