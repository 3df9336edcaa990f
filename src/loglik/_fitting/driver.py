"""How ``D.fit`` and ``MomentStats.fit`` go: from data to statistics, block by block or chunk by chunk, and on to the family.

What a family brings (class attributes of its distribution):

- ``_prior``: the class of its conjugate prior, None if there is none.
- ``_statistics(function, data, prior)``: what it needs to know of some data; such parts add up. By default moments.
- ``_fitted(function, statistics, prior, dtype)``: the distribution. A family whose statistics are moments (`_from_moments`) gets
  `Moments`. None where there is no fit.
- ``_fit_passes(function, data, prior, dtype)`` instead of both, for a family that has to pass over the data more than once.
- ``_fit_events``: the number of axes of one observation.
- ``_moments_as_statistics(function, moments)``: the moments of `MomentStats` as the statistics of the family.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np

from loglik._engine import validate
from loglik._fitting.report import check_data, check_prior
from loglik._fitting.statistics import Moments, Observations


class Passes(Protocol):
    """Data that a fit may read several times."""

    @property
    def kept_shape(self) -> tuple[int, ...]:
        """The shape of the batch of samples."""

    @property
    def rows_in_memory(self) -> float:
        """Observations of a sample; infinity where the data are not in memory."""

    def collect(self, statistics: Callable[[Observations], Any]) -> Any:
        """What `statistics` tells of all data."""


class Data:
    """The data of a fit: in memory, or lazily in the chunks of a dask array."""

    def __init__(self, function: str, x: Any, weights: Any, reduced: tuple[int, ...], events: int, nan_policy: str) -> None:
        self._function, self._x, self._weights = function, x, weights
        self._reduced, self._events, self._nan_policy = reduced, events, nan_policy
        self._lazy = validate.is_dask(x, weights)
        kept = [a for a in range(x.ndim - events) if a not in reduced]
        self.kept_shape = tuple(x.shape[a] for a in kept)
        self.rows_in_memory: float = math.inf if self._lazy else math.prod(x.shape[a] for a in reduced)

    def collect(self, statistics: Callable[[Observations], Any]) -> Any:
        """What `statistics` tells of all data: of the rows at once, or of chunks, which are added up in a tree."""
        call = partial(_of_rows, self._function, statistics, self._reduced, self._events, self._nan_policy)
        if not self._lazy:
            return call(self._x, self._weights)
        from loglik._engine import chunks

        return chunks.tree(self._function, call, self._x, self._weights, self._reduced, self._events).compute()


def _of_rows(
    function: str, statistics: Callable[[Observations], Any], reduced: tuple[int, ...], events: int, nan_policy: str,
    x: np.ndarray, weights: Any,
) -> Any:  # fmt: skip
    return statistics(Observations(function, x, weights, reduced, events, nan_policy, finite=True))


def fit(cls: Any, x: Any, weights: Any, prior: Any, axis: Any, nan_policy: str) -> Any:
    """What ``D.fit`` does."""
    name = f"{cls.__name__}.fit"
    _require_fit(cls, name)
    if nan_policy not in ("raise", "omit"):
        raise ValueError(f'{name}: nan_policy must be "raise" or "omit", got {nan_policy!r}')
    if validate.is_dask(x, weights):
        from loglik._engine import chunks

        array = chunks.as_dask(name, "x", x)
    else:
        array = validate.as_array(name, "x", x)
    reduced: tuple[int, ...]
    events = cls._fit_events
    if events:
        if axis is not None:
            raise ValueError(f"{name}: axis has no meaning; x has shape (..., n, d), and leading axes are a batch")
        if array.ndim < 2 or array.shape[-1] == 0:
            raise ValueError(f"{name}: x must have shape (..., n, d) with d >= 1, got {array.shape}")
        reduced = (array.ndim - 2,)
    else:
        array = array.reshape(1) if array.ndim == 0 else array
        reduced = validate.axes(name, axis, array.ndim)
        if not reduced:
            raise ValueError(f"{name}: axis must name at least one axis")
    check_prior(name, prior, cls._prior)
    data = Data(name, array, weights, reduced, events, nan_policy)
    return cls._fit_passes(name, data, prior, validate.result_dtype(array))


def fit_moments(cls: Any, moments: Moments, vector: bool, prior: Any, dtype: np.dtype) -> Any:
    """What ``MomentStats.fit`` does, from the moments of a covariance; `vector`: of rows, not of numbers."""
    name = "MomentStats.fit"
    if not hasattr(cls, "mro"):
        raise TypeError(f"{name}: a family of distributions is needed, such as Normal; got {cls!r}")
    _require_fit(cls, name)
    if not cls._from_moments:
        raise NotImplementedError(f"{name}: moments do not determine a {cls.__name__}; use {cls.__name__}.fit")
    if not cls._fit_events:
        lead = moments.weight.shape
        shape = lead + moments.mean.shape[-1:] if vector else lead
        wide = (np.broadcast_to(a[..., None], lead + moments.mean.shape[-1:]) for a in (moments.n, moments.weight))
        squares = np.diagonal(moments.squares, axis1=-2, axis2=-1)
        moments = Moments(*(np.reshape(a, shape) for a in (*wide, moments.mean, squares, moments.low, moments.high)))
    elif not vector:
        raise ValueError(f"{name}: the blocks were numbers; a {cls.__name__} needs blocks of shape (n, d)")
    moments = cls._moments_as_statistics(name, moments)
    return from_statistics(cls, name, moments, prior, dtype)


def from_statistics(cls: Any, function: str, statistics: Any, prior: Any, dtype: np.dtype) -> Any:
    """The fit from statistics of all data; they are checked where they are moments."""
    check_prior(function, prior, cls._prior)
    if cls._from_moments:
        check_data(function, statistics)
    return cls._fitted(function, statistics, prior, dtype)


def _require_fit(cls: Any, function: str) -> None:
    if getattr(cls, "_fitted", None) is None:
        raise NotImplementedError(f"{function}: there is no fit for {getattr(cls, '__name__', cls)}")
