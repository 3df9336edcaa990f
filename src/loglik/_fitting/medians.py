"""Medians of samples, weighted or not, and mean absolute deviations from them, by passes over the data.

Nothing is copied or sorted but a few thousand values of a sample. Floating numbers are ordered like integers, their *keys*. A
pass counts how much weight the keys of some ranges have, and the next one looks into the range where half of the weight is
reached; each divides a range by a thousand. What is left of few values is collected. Values from all parts of the data tell where
to look first. What blocks, and chunks of a dask array, tell is joined in their order.

Two order statistics are searched for: the first value up to which there is half of the weight or more, and the first one up to
which there is more than half. The median lies in their middle. Both are mostly the same value, or found in the same range.
"""

import functools
import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from loglik._fitting.driver import Passes
from loglik._fitting.report import check_weight
from loglik._fitting.statistics import Observations
from loglik._kernels import ORDER_BINS, absolute_deviations, order_counts, order_gather

_FEW = 1 << 12  # values that are collected and sorted
_GUESSES = 1 << 9  # values of a block that tell where to look first
_MARGIN = 0.03  # share of those values on both sides of their middle that the first range takes in

Range = tuple[int, int, int]  # sample, lowest and highest key


class Medians(NamedTuple):
    """Observations of positive weight, total weight, median, mean absolute deviation from it; arrays where there is a batch."""

    n: np.ndarray
    weight: np.ndarray
    median: np.ndarray
    deviation: np.ndarray


def medians(function: str, data: Passes, dtype: np.dtype) -> Medians:
    """The medians of all samples, each of the dtype of the data or, between two values, rounded to it."""
    if data.rows_in_memory <= _FEW:
        found = data.collect(_of_small_samples)
        check_weight(function, found[1])
        return Medians(*found)
    looks = data.collect(_look)
    n, weight = (np.array([looks[item][i].sum() for item in range(len(looks))]) for i in (0, 1))
    check_weight(function, weight.reshape(data.kept_shape))
    searches = [
        Search(item, *first_range(looks[item][2]), more) for item in range(len(looks)) for more in (False, True)
    ]
    while wide := [search for search in searches if not search.is_few]:
        counts = data.collect(functools.partial(_count, _ranges(wide)))
        for search in wide:
            search.narrow(dtype, *counts[search.range])
    if few := [search for search in searches if search.result is None]:
        some = data.collect(functools.partial(_gather, _ranges(few)))
        for search in few:
            search.finish(*some[search.range])
    ends = np.array([search.result for search in searches], dtype).reshape(-1, 2)
    middle = _middle(ends[:, 0], ends[:, 1])
    totals = data.collect(functools.partial(_deviate, middle.astype(np.float64).tolist()))
    deviations = np.array([totals[item][0] for item in range(len(looks))]) / weight
    return Medians(*(a.reshape(data.kept_shape) for a in (n, weight, middle, deviations)))


def _ranges(searches: list["Search"]) -> list[Range]:
    """Where the searches look, each range once."""
    return list({search.range: None for search in searches})


def _middle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(a == b, a, a / 2 + b / 2)


# ------------------------------------------------------------------------------------------- keys


def keys(x: np.ndarray) -> np.ndarray:
    """Integers that ascend like the floating numbers x."""
    kind = np.int64 if x.dtype == np.float64 else np.int32
    bits: np.ndarray = x.view(kind)
    return bits ^ ((bits < 0) * np.iinfo(kind).max).astype(kind)


def number(key: int, dtype: np.dtype) -> Any:
    """The floating number with a key."""
    return keys(np.array(key, np.int64 if dtype == np.float64 else np.int32).view(dtype)).view(dtype)[()]


def first_range(guesses: np.ndarray) -> tuple[int, int]:
    """Keys that a median likely lies between, by some values."""
    if guesses.size == 0:
        limits = np.iinfo(np.int64 if guesses.dtype == np.float64 else np.int32)
        return int(limits.min), int(limits.max)
    ordered = np.sort(guesses)
    reach = int(len(ordered) * _MARGIN) + 1
    middle = len(ordered) // 2
    low, high = keys(ordered[[max(middle - reach, 0), min(middle + reach, len(ordered) - 1)]]).tolist()
    return low, high


class Search:
    """The search for an order statistic of a sample: of half of the weight, or of more than half."""

    def __init__(self, sample: int, low: int, high: int, more_than_half: bool) -> None:
        self._sample, self._more = sample, more_than_half
        self._low, self._high = low, high
        self._below, self._half = 0.0, 0.0  # weight below the range, and what is to be reached
        self.result: Any = None
        """The statistic, when it is found."""
        self.is_few = False
        """Whether few values lie in the range, and the statistic among them."""

    @property
    def range(self) -> Range:
        """Where to look."""
        return self._sample, self._low, self._high

    def narrow(self, dtype: np.dtype, counts: np.ndarray, weights: np.ndarray) -> None:
        """Look where the statistic is, by what is below the range, in each of its parts and above."""
        sums = np.cumsum(weights)
        self._half = sums[-1] / 2
        at = int(np.searchsorted(sums, self._half, side="right" if self._more else "left"))
        limits, width = np.iinfo(np.int64 if dtype == np.float64 else np.int32), 1 << shift_of(self._low, self._high)
        if at == 0:
            self._low, self._high = int(limits.min), self._low - 1
            return
        end = self._low + (at - 1) * width
        if at == ORDER_BINS + 1:
            self._low, self._high = end, int(limits.max)
            return
        self._low, self._high, self._below = end, min(end + width - 1, int(limits.max)), float(sums[at - 1])
        if width == 1:
            self.result = number(self._low, dtype)
        self.is_few = width == 1 or counts[at] <= _FEW

    def finish(self, values: np.ndarray, weights: np.ndarray | None) -> None:
        """Find the statistic among all that lies in the range."""
        if weights is None:
            sums = self._below + np.arange(1, len(values) + 1)
            values = np.sort(values)
        else:
            order = np.argsort(values, kind="stable")
            values, sums = values[order], self._below + np.cumsum(weights[order])
        at = int(np.searchsorted(sums, self._half, side="right" if self._more else "left"))
        self.result = values[min(at, len(values) - 1)]  # sums in another order may end a rounding error too early


def shift_of(low: int, high: int) -> int:
    """Keys that are counted together have the same quotient by 2 to the power of it."""
    return max(0, ((high - low) // ORDER_BINS).bit_length())


# ------------------------------------------------------------------------------------------- passes


@dataclass
class Found:
    """What a pass found, by sample or by range; parts of the data are joined by `join`, entry by entry."""

    join: Callable[[Any, Any], Any]
    entries: dict[Any, tuple[Any, ...]] = field(default_factory=dict)

    def put(self, key: Any, found: tuple[Any, ...]) -> None:
        """Join what was found with what there is."""
        before = self.entries.get(key)
        self.entries[key] = found if before is None else tuple(self.join(a, b) for a, b in zip(before, found, strict=True))

    def __add__(self, other: "Found") -> "Found":
        result = Found(self.join, dict(self.entries))
        for key, found in other.entries.items():
            result.put(key, found)
        return result

    def __getitem__(self, key: Any) -> tuple[Any, ...]:
        return self.entries[key]

    def __len__(self) -> int:
        return len(self.entries)


def _together(a: Any, b: Any) -> Any:
    return None if a is None else np.concatenate([a, b])


def _pass(
    data: Observations, join: Callable[[Any, Any], Any], look: Callable[[int, np.ndarray, Any], Iterable[tuple[Any, Any]]]
) -> Found:
    """All that ``look(sample, values, weights)`` finds in the parts of each sample."""
    result = Found(join)

    def block(x: np.ndarray, w: np.ndarray | None, place: tuple[int, int, int, int]) -> list[tuple[Any, Any]]:
        found: list[tuple[Any, Any]] = []
        for e in range(len(x)):
            own = None if w is None else np.ascontiguousarray(w if w.ndim == 1 else w[e])
            for j in range(data.d):
                found += look((place[0] + e) * data.d + j, np.ascontiguousarray(x[e, :, j]), own)
        return found

    for _, found in data.fold(block, np.isfinite, "finite"):
        for key, what in found:
            result.put(key, what)
    return result


def _look(data: Observations) -> Found:
    """The observations and the weight of each sample in each block, and some values."""

    def look(sample: int, x: np.ndarray, w: np.ndarray | None) -> Iterator[tuple[Any, Any]]:
        n, weight = (len(x), float(len(x))) if w is None else (np.count_nonzero(w), np.add.reduce(w))
        some = x[:: max(1, len(x) // _GUESSES)]
        yield sample, (np.array([n]), np.array([weight]), some[np.isfinite(some)])

    result = _pass(data, _together, look)
    for sample in range(0 if data.n else data.samples * data.d):
        result.put(sample, (np.array([0]), np.array([0.0]), np.empty(0, data.dtype)))
    return result


def _count(ranges: list[Range], data: Observations) -> Found:
    """Observations and their weight in the parts of ranges."""

    def look(sample: int, x: np.ndarray, w: np.ndarray | None) -> Iterator[tuple[Any, Any]]:
        for wanted in by_sample.get(sample, ()):
            counts, sums = np.zeros(ORDER_BINS + 2, np.int64), np.zeros(ORDER_BINS + 2)
            order_counts(x, w, wanted[1], shift_of(*wanted[1:]), counts, sums)
            yield wanted, (counts, counts if w is None else sums)

    by_sample = _by_sample(ranges)
    return _pass(data, np.add, look)


def _gather(ranges: list[Range], data: Observations) -> Found:
    """The values in ranges, and their weights."""

    def look(sample: int, x: np.ndarray, w: np.ndarray | None) -> Iterator[tuple[Any, Any]]:
        for wanted in by_sample.get(sample, ()):
            yield wanted, order_gather(x, w, *wanted[1:])

    by_sample = _by_sample(ranges)
    return _pass(data, _together, look)


def _deviate(centers: list[float], data: Observations) -> Found:
    """Sums of absolute deviations."""

    def look(sample: int, x: np.ndarray, w: np.ndarray | None) -> Iterator[tuple[Any, Any]]:
        yield sample, (absolute_deviations(x, w, centers[sample]),)

    return _pass(data, operator.add, look)


def _by_sample(ranges: list[Range]) -> dict[int, list[Range]]:
    result: dict[int, list[Range]] = {}
    for wanted in ranges:
        result.setdefault(wanted[0], []).append(wanted)
    return result


# ------------------------------------------------------------------------------------------- small samples


def _of_small_samples(data: Observations) -> tuple[np.ndarray, ...]:
    """What `Medians` holds, of samples that lie whole in a block: sorted, many at a time."""
    shape = (data.samples, data.d)
    n, weight, deviation, middle = (np.zeros(shape, t) for t in (np.int64, np.float64, np.float64, data.dtype))

    def block(x: np.ndarray, w: np.ndarray | None, place: tuple[int, int, int, int]) -> None:
        at = slice(*place[:2])
        if w is None:
            n[at], weight[at] = x.shape[1], x.shape[1]
            ordered = np.sort(x, axis=1)
            middle[at] = _middle(ordered[:, (x.shape[1] - 1) // 2], ordered[:, x.shape[1] // 2]) if x.shape[1] else 0
            deviation[at] = np.add.reduce(np.abs(x.astype(np.float64) - middle[at, None]), axis=1) / x.shape[1]
            return
        w = np.broadcast_to(w[..., None], x.shape)
        x = np.where(w > 0, x, np.inf)  # a missing value has no weight
        n[at], weight[at] = np.count_nonzero(w, axis=1), np.add.reduce(w, axis=1)
        order = np.argsort(x, axis=1, kind="stable")
        sums = np.cumsum(np.take_along_axis(w, order, axis=1), axis=1)
        half = sums[:, -1:] / 2
        ends = (np.count_nonzero(below, axis=1)[:, None] for below in (sums < half, sums <= half))
        a, b = (np.take_along_axis(x, np.take_along_axis(order, end, axis=1), axis=1)[:, 0] for end in ends)
        middle[at] = _middle(a, b)
        distance = np.abs(np.where(w > 0, x, 0).astype(np.float64) - np.where(w > 0, middle[at, None], 0))
        deviation[at] = np.add.reduce(w * distance, axis=1) / weight[at]

    with np.errstate(all="ignore"):
        for _ in data.fold(block, np.isfinite, "finite"):
            pass
    return tuple(a.reshape(data.kept_shape) for a in (n, weight, middle, deviation))
