"""Families on the integers from a declaration. What a family declares is listed in `scalar.Scalar`; beside it:

- ``_extent()``: the lowest and the highest outcome, for the dtype of a sample.
- `_draw`: samples.

Functions of blocks take any real x: `_log_prob` is -inf between the integers, and tails are those of floor(x).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from loglik._engine import sampling
from loglik.distributions.scalar import Scalar


class Lattice(Scalar):
    """Base of families whose outcomes are integers; see the modules `scalar` and `lattice`."""

    _as_given = True

    def _extent(self) -> tuple[int, int]:
        """The lowest and the highest outcome."""
        raise NotImplementedError

    def _before(self, a: Any) -> Any:
        return np.ceil(a) - 1

    def _differentiable(self) -> tuple[str, ...]:
        return tuple(self._arguments())

    def _sampler(self, function: str, dtype: Any) -> tuple[np.dtype, Callable[[np.ndarray, int], None]]:
        kind = sampling.discrete(function, dtype, *self._extent())
        return kind, self._fill(*self._draw_parameters(*(np.asarray(t, np.float64) for t in self._theta)))

    def _draw_parameters(self, *theta: np.ndarray) -> tuple[np.ndarray, ...]:
        """What `_draw` takes beside its place in the stream, from the parameters in float64."""
        return theta
