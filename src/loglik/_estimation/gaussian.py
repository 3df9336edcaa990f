"""Monte Carlo for two normal distributions, by fused tiles (csrc/kernels/montecarlo.h)."""

import numpy as np

from loglik import _kernels
from loglik._divergences.normal_pairs import NormalPair
from loglik._engine.cuts import ranges
from loglik._engine.parallel import run_blocks
from loglik._estimation.summary import Summary, add_moments

_TILE = 64  # samples of a tile of the kernel
_MAX_BLOCK = 4096  # samples whose moments are taken together
_BLOCK_NANOSECONDS = 2e6  # and at most about this much work (for large dimensions)
_TABLE = 1 << 18  # blocks whose moments are in memory at a time


class GaussianSampler:
    """Moments of log p - log q, or of its `js_integrand`, over samples of p, for a batch of pairs.

    Pair i takes its numbers from the sequence `stream` + i. Must be extended to multiples of 64, but for the last time.
    """

    def __init__(self, pair: NormalPair, key: int, *, js: bool = False, stream: int = 0) -> None:
        d = pair.shift.shape[-1]
        self._shape, self._key, self._stream, self._js = pair.batch_shape, key, stream, js
        self._excess = np.ascontiguousarray(pair.excess).reshape(-1, d, d)
        self._shift = np.ascontiguousarray(pair.shift).reshape(-1, d)
        self._constant = np.ascontiguousarray(-pair.log_ratio.sum(axis=-1)).reshape(-1)
        self._pairs = self._constant.size
        nanoseconds = 3.0 * d + 0.15 * d * d + (8.0 if js else 0.0)
        self._nanoseconds = nanoseconds
        # A function of d alone, so that the bits do not depend on threads or on the rest of the batch.
        self._block = _TILE * max(1, min(_MAX_BLOCK, int(_BLOCK_NANOSECONDS / nanoseconds)) // _TILE)
        self.n = 0
        self._mean = np.zeros((self._pairs, 1))
        self._squares = np.zeros((self._pairs, 1, 1))

    def extend(self, n: int) -> None:
        """Go on to `n` samples in all."""
        blocks = -(-(n - self.n) // self._block)
        rows = max(1, _TABLE // max(blocks, 1))
        for first, last in ranges(self._pairs, rows):
            self._extend_pairs(first, last, n, blocks)
        self.n = n

    def _extend_pairs(self, first: int, last: int, n: int, blocks: int) -> None:
        means, squares = np.empty((last - first, blocks)), np.empty((last - first, blocks))
        excess, shift, constant = self._excess[first:last], self._shift[first:last], self._constant[first:last]
        tasks = (last - first) * blocks
        task_nanoseconds = self._nanoseconds * min(self._block, n - self.n) + 100.0
        per_call = max(1, int(_BLOCK_NANOSECONDS / task_nanoseconds))

        def some_tasks(i: int) -> None:
            _kernels.mvn_log_ratio_moments(
                self._key, self._stream + first, excess, shift, constant, self.n, n, self._block,
                i * per_call, min((i + 1) * per_call, tasks), means, squares, self._js,
            )  # fmt: skip

        run_blocks(some_tasks, -(-tasks // per_call), seconds=1e-9 * tasks * task_nanoseconds)
        self._merge(slice(first, last), n - self.n, means, squares)

    def _merge(self, pairs: slice, n: int, means: np.ndarray, squares: np.ndarray) -> None:
        """Add n samples, given by the moments of their blocks, to the moments so far."""
        counts = np.full(means.shape[1], self._block)
        counts[-1] = n - self._block * (means.shape[1] - 1)
        with np.errstate(invalid="ignore", over="ignore"):
            mean = means[:, 0] + (counts * (means - means[:, :1])).sum(axis=1) / n
            square = squares.sum(axis=1) + (counts * (means - mean[:, None]) ** 2).sum(axis=1)
            add_moments(self.n, self._mean[pairs], self._squares[pairs], n, mean[:, None], square[:, None, None])

    def summary(self) -> Summary:
        mean, squares = self._mean[:, 0].copy(), self._squares[:, 0, 0]
        # Parameters are finite, so NaN comes from inf - inf: |y|² of some sample overflowed, and so does the mean.
        mean[np.isnan(mean)] = np.inf
        variance = np.where(np.isfinite(mean), squares, 0.0) / max(self.n - 1, 1)
        mean, variance = mean.reshape(self._shape), variance.reshape(self._shape)
        return Summary(self.n, mean, np.sqrt(variance / self.n), variance)
