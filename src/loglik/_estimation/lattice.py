"""Quasi-Monte Carlo: an extensible lattice with independent random shifts.

Point i is frac(φ(i)·(1, a, a², ...) + shift), with φ van der Corput's sequence in base 2 (Hickernell, Hong, L'Ecuyer and Lemieux
2000), folded by u → 1 - |2u - 1|, and turned into a sample by quantiles. The first 2^m points are a lattice for every m. Each
replicate has its own shift, so its mean is unbiased and the spread of the replicates tells the error, by Student's distribution.
"""

from typing import Any

import numpy as np

from loglik._engine.cuts import ranges
from loglik._engine.parallel import in_order
from loglik._engine.streams import uniform
from loglik._estimation.blocks import LogRatio
from loglik._estimation.controls import is_ours
from loglik._estimation.summary import Summary

REPLICATES = 32
_BITS = 24  # of the largest lattice
MOST_SAMPLES = REPLICATES << _BITS
_GENERATOR = 11940973  # a, see docs/scripts/lattice_generator.py
MOST_DIMENSIONS = 64
_NUMBERS = 1 << 15  # of a block
_FIRST = 64  # points of the least lattice


def transport(distribution: Any) -> Any:
    """Uniform coordinates (m, d) of a sample → samples (m, batch, event), and d; None for what has no such map, or too many
    dimensions."""
    dimensions = getattr(distribution, "_uniform_dimensions", None)
    if dimensions is None or dimensions > MOST_DIMENSIONS:
        return None
    return distribution._uniforms_to_samples, dimensions


class LatticeSampler:
    """Means of log f - log g, or of its `js_integrand`, over `REPLICATES` shifted lattices in the coordinates of f.

    Always has `REPLICATES` times a power of two of samples, at least the number that it is extended to.
    """

    def __init__(
        self, function: str, sampled: Any, other: Any, names: tuple[str, str], key: int, *, js: bool = False, stream: int = 0
    ) -> None:
        known = transport(sampled)
        if known is None:
            raise NotImplementedError(
                f'{function}: method "qmc" samples by quantiles, which are there for continuous univariate families and '
                f"MultivariateNormal of full rank with at most {MOST_DIMENSIONS} dimensions; {names[0]} is {sampled!r:.200}"
            )
        self._transport, self._dimensions = known
        self._values = LogRatio(function, sampled, other, names, js=js)
        self._side_by_side = is_ours(other)
        self._shifts = uniform((REPLICATES, self._dimensions), key, stream=stream)
        powers = [pow(_GENERATOR, j, 1 << _BITS) for j in range(self._dimensions)]
        self._vector = np.array(powers, np.uint64)
        self._points = self.n = 0
        self._sums: Any = 0.0
        self._batch: tuple[int, ...] = ()
        self._infinite: Any = False
        self._rounding = 0.0

    def _coordinates(self, first: int, last: int, replicate: int) -> np.ndarray:
        """Points of a replicate, (last - first, dimensions)."""
        index = _reversed_bits(np.arange(first, last, dtype=np.uint64))
        lattice = (index[:, None] * self._vector & np.uint64((1 << _BITS) - 1)).astype(np.float64)
        x = lattice * 2.0**-_BITS + self._shifts[replicate]
        folded = 1.0 - np.abs(2.0 * (x - np.floor(x)) - 1.0)
        # The ends have probability 0, but for the rounding of x.
        return np.clip(folded, 2.0**-54, 1.0 - 2.0**-53)

    def extend(self, n: int) -> None:
        wanted = max(_FIRST, 1 << (-(-n // REPLICATES) - 1).bit_length())
        first, self._points = self._points, max(self._points, wanted)
        self.n = REPLICATES * self._points
        if first == self._points:
            return
        width = max(self._dimensions, int(np.prod(self._batch, initial=1)))
        step = max(1, _NUMBERS // width)
        blocks = [(first + start, first + stop) for start, stop in ranges(self._points - first, step)]
        tasks = [(*block, replicate) for replicate in range(REPLICATES) for block in blocks]

        def one(i: int) -> tuple[np.ndarray, Any, float]:
            values, rounding = self._values(self._transport(self._coordinates(*tasks[i])))
            infinite = np.isposinf(values).any(axis=0)
            return np.where(np.isfinite(values), values, 0.0).sum(axis=0), infinite, rounding

        seconds = 1e-7 * len(tasks) * step if self._side_by_side else 0.0
        found = list(in_order(one, len(tasks), len(tasks), seconds=seconds))
        sums = np.zeros((REPLICATES, *found[0][0].shape))
        for (_, _, replicate), (total, infinite, rounding) in zip(tasks, found, strict=True):
            sums[replicate] += total
            self._rounding = max(self._rounding, rounding)
            self._infinite = self._infinite | infinite
        self._sums = self._sums + sums
        self._batch = sums.shape[1:]

    def summary(self) -> Summary:
        means = self._sums / self._points
        mean = np.where(self._infinite, np.inf, means.mean(axis=0))
        spread = np.hypot(means.std(axis=0, ddof=1) / np.sqrt(REPLICATES), self._rounding)
        return Summary(self.n, mean, np.where(self._infinite, 0.0, spread))


def _reversed_bits(index: np.ndarray) -> np.ndarray:
    """The `_BITS` bits of integers in reverse order."""
    result = np.zeros_like(index)
    for bit in range(_BITS):
        result |= (index >> np.uint64(bit) & np.uint64(1)) << np.uint64(_BITS - 1 - bit)
    return result
