"""The Jensen-Shannon divergence as the mean of two halves, one sampled from p and one from q."""

import numpy as np

from loglik._estimation.summary import Estimator, Summary


class Halves:
    """The mean of two estimators, each with half of the samples: sampling (p + q)/2 with as many from p as from q."""

    def __init__(self, first: Estimator, second: Estimator) -> None:
        self._parts, self.n = (first, second), 0

    def extend(self, n: int) -> None:
        self.n = n
        for part, size in zip(self._parts, (n - n // 2, n // 2), strict=True):
            part.extend(size)

    def summary(self) -> Summary:
        a, b = (part.summary() for part in self._parts)
        mean, between = 0.5 * (a.mean + b.mean), a.mean - b.mean
        stderr = 0.5 * np.hypot(a.stderr, b.stderr)
        # of a sample of either, as the finite-sample interval takes it (`intervals.bernstein`)
        within = a.variance * (a.n - 1) + b.variance * (b.n - 1)
        variance = (within + between * between * (a.n * (b.n / self.n))) / max(self.n - 1, 1)
        return Summary(self.n, mean, stderr, variance)
