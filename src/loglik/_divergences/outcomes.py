"""Divergences as sums over outcomes that keep the digits of nearly equal pairs.

KL is the sum over outcomes of a·log(a/b) + b - a >= 0, the Jensen-Shannon divergence with m = (a + b)/2 half the sum of such
terms from a to m and from b to m. The differences b - a come in beside a and b, computed from the parameters.
"""

from typing import Any, NamedTuple

import numpy as np

from loglik import ufuncs

_TINY = float(np.finfo(np.float64).tiny)
# the largest number of each type that is at most log 2
LOG_2_DOWN = {np.dtype(np.float64): np.log(2.0), np.dtype(np.float32): float.fromhex("0x1.62e42ep-1")}


class Outcome(NamedTuple):
    """Probabilities of one outcome (or of an array of them) under p and q in float64, q - p, and their logarithms."""

    p: np.ndarray
    q: np.ndarray
    difference: np.ndarray
    log_p: np.ndarray
    log_q: np.ndarray

    def log_ratio(self) -> np.ndarray:
        """log(p/q): from the difference where p and q are near, from the logarithms where the quotient has no normal number."""
        with np.errstate(all="ignore"):
            x, ratio = self.difference / self.p, self.p / self.q
            ordinary = (ratio > 1e-290) & (ratio < 1e290) & (self.p > _TINY)
            far = np.where(ordinary, ufuncs.log(np.where(ordinary, ratio, 1.0)), self.log_p - self.log_q)
            near = (x > -0.75) & (x < 2.0) & ordinary
            return np.where(near, -ufuncs.log1p(np.where(near, x, 0.0)), far)

    def relative_entropy(self) -> np.ndarray:
        """p·log(p/q) + q - p >= 0."""
        with np.errstate(all="ignore"):
            x = self.difference / self.p
            near = (x > -0.75) & (x < 2.0)
            apart = self.p * self.log_ratio() + self.difference
            value = np.where(near, 0.0 - self.p * ufuncs.log1pmx(np.where(near, x, 0.0)), apart)
            return np.where(self.p == 0, self.q, np.maximum(value, 0.0))

    def js(self) -> np.ndarray:
        """Half the relative entropies of p and of q to their mean."""
        half, mean = 0.5 * self.difference, 0.5 * self.p + 0.5 * self.q
        with np.errstate(all="ignore"):
            log_mean = np.logaddexp(self.log_p, self.log_q) - np.log(2.0)
        first = Outcome(self.p, mean, half, self.log_p, log_mean)
        second = Outcome(self.q, mean, -half, self.log_q, log_mean)
        return 0.5 * (first.relative_entropy() + second.relative_entropy())

    def turned(self) -> "Outcome":
        """With p and q exchanged."""
        return Outcome(self.q, self.p, -self.difference, self.log_q, self.log_p)


def cross_term(p: Any, log_q: Any) -> np.ndarray:
    """-p·log q with 0·log 0 = 0: one outcome of a cross-entropy."""
    with np.errstate(invalid="ignore"):
        return np.where(p == 0, 0.0, -p * log_q)
