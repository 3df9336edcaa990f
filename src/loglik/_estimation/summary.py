"""What every estimator tells of its samples, and how the moments of blocks of them are joined."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Summary:
    """The moments of the samples so far; arrays of the batch shape."""

    n: int
    mean: np.ndarray
    stderr: np.ndarray
    variance: np.ndarray = field(default_factory=lambda: np.full((), np.nan))
    """The variance of a single sample, where an interval needs it."""
    tail_index: np.ndarray = field(default_factory=lambda: np.zeros(()))
    """Tail index of the samples: from 1/2 on their variance is infinite, from 1 on their mean. 0: light, or known."""
    tail_error: float = 0.0


class Estimator(Protocol):
    n: int

    def extend(self, n: int) -> None:
        """Go on to `n` samples in all."""

    def summary(self) -> Summary: ...


def add_moments(
    n: int, mean: np.ndarray, products: np.ndarray, more: int, more_mean: np.ndarray, more_products: np.ndarray
) -> None:
    """Add `more` samples to `n`, in place: means (..., k) and sums of products about them (..., k, k).

    Chan, Golub and LeVeque (1983).
    """
    share = more / (n + more)
    difference = more_mean - mean
    mean += difference * share
    products += more_products + difference[..., :, None] * difference[..., None, :] * (n * share)
