"""Control variates: functions of a sample whose mean is known to be 0.

A mean of values is improved by what it has in common with them: their regression on functions with mean 0 is taken out (Owen
2013, "Monte Carlo theory, methods and examples", section 8.9). Here these are the standardised coordinates of a sample, their
squares and, in few dimensions, their products, less their expectations. A log-ratio that is quadratic in the sample, as
that of two normal distributions, has no variance left.
"""

from typing import Any

import numpy as np

_PRODUCTS = 8  # dimensions up to which products of different coordinates are taken
_MOST = 64  # control variates


class Controls:
    """Control variates (m, batch, count) of samples (m, batch, event)."""

    def __init__(self, distribution: Any) -> None:
        self._event = bool(distribution.event_shape)
        if self._event:
            covariance = np.asarray(distribution.covariance, np.float64)
            variance = np.diagonal(covariance, axis1=-2, axis2=-1)
            mean, d = np.asarray(distribution.loc, np.float64), variance.shape[-1]
        else:
            variance = np.asarray(distribution.variance, np.float64)[..., None]
            covariance, mean, d = variance[..., None], np.asarray(distribution.mean, np.float64)[..., None], 1
        with np.errstate(divide="ignore", invalid="ignore"):
            std = np.sqrt(variance)
            inverse = np.where(variance > 0, 1 / std, 0.0)
        self._mean, self._inverse = mean, inverse
        if d <= _PRODUCTS:
            rows, columns = np.tril_indices(d)
        elif 2 * d <= _MOST:
            rows = columns = np.arange(d)
        else:
            rows = columns = np.arange(0)
        self._rows, self._columns = rows, columns
        self._expected = covariance[..., rows, columns] * inverse[..., rows] * inverse[..., columns]
        self.count = d + len(rows)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        points = x if self._event else x[..., None]
        s = (points - self._mean) * self._inverse
        return np.concatenate([s, s[..., self._rows] * s[..., self._columns] - self._expected], axis=-1)


def is_ours(distribution: Any) -> bool:
    """Whether it is a distribution of this package: it has moments, is sampled from a key, and evaluated in any thread."""
    return hasattr(distribution, "_sampler")


def controls_of(distribution: Any) -> Controls | None:
    """None where no moments are known, or dimensions are too many."""
    if not is_ours(distribution) or (distribution.event_shape and distribution.event_shape[0] > _MOST):
        return None
    controls = Controls(distribution)
    finite = np.isfinite(controls._mean).all() and np.isfinite(controls._inverse).all() and np.isfinite(controls._expected).all()
    return controls if finite else None
