"""Moments of samples: how data are cut into blocks, passed through the kernel and joined again.

Design
- Data are E samples of n rows of d coordinates, in any memory layout: a block is a view where they lie like this, and is gathered
  otherwise, so nothing as large as an input is ever copied.
- What is known of a sample is one array of float64, its *state* (see `State`). Blocks are added to a state by the kernel; states
  are joined by the same formula (Chan, Golub and LeVeque 1983), in an order that depends on the shape of the data alone.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from loglik._engine import validate
from loglik._engine.blocks import Source
from loglik._engine.cuts import index_of, ranges, shares
from loglik._engine.parallel import in_order, run_blocks
from loglik._kernels import moments_update

NAN_POLICIES = ("propagate", "raise", "omit")
_ELEMENTS = 1 << 18  # of a block, about
_PARTS = 64  # states that are filled side by side, at most,
_STATES = 1 << 20  # with so many numbers in all
_LONG = 1 << 21  # elements that are handed to the kernel at a time where they need not be gathered
_FOLDED = 8  # blocks whose results are kept at a time


class State:
    """Views of the parts of a state, or of a stack of them: weight, shift, offset, low, high, squares, rest.

    Mean = shift + offset; squares + rest is the sum of weighted squares about it, for `diagonal` one for each coordinate,
    otherwise the lower triangle of a matrix.
    """

    def __init__(self, array: np.ndarray, d: int, diagonal: bool) -> None:
        lead, square = array.shape[:-1], (d,) if diagonal else (d, d)
        size = math.prod(square)
        self.array = array
        self.weight = array[..., 0]
        self.shift, self.offset, self.low, self.high = (array[..., 1 + i * d : 1 + (i + 1) * d] for i in range(4))
        at = 1 + 4 * d
        self.squares = array[..., at : at + size].reshape(lead + square)
        self.rest = array[..., at + size :].reshape(lead + square)


def state_size(d: int, diagonal: bool) -> int:
    return 1 + 4 * d + 2 * (d if diagonal else d * d)


def empty_states(count: int, d: int, diagonal: bool) -> np.ndarray:
    """States of samples without rows."""
    states = np.zeros((count, state_size(d, diagonal)))
    states[:, 1 + 2 * d : 1 + 3 * d] = np.inf
    states[:, 1 + 3 * d : 1 + 4 * d] = -np.inf
    return states


def join(first: np.ndarray, second: np.ndarray, d: int, diagonal: bool) -> np.ndarray:
    """The states of two samples together; of pairs of samples, where leading axes are there."""
    a, b = State(first, d, diagonal), State(second, d, diagonal)
    result = np.empty_like(first)
    c = State(result, d, diagonal)
    with np.errstate(all="ignore"):
        c.weight[...] = a.weight + b.weight
        part = (b.weight / c.weight)[..., None]
        delta = (b.shift - a.shift) + (b.offset - a.offset)
        scaled = delta * (part * a.weight[..., None])
        between = delta * scaled if diagonal else scaled[..., :, None] * delta[..., None, :]
        c.shift[...], c.offset[...] = a.shift, a.offset + delta * part
        np.minimum(a.low, b.low, out=c.low)
        np.maximum(a.high, b.high, out=c.high)
        within, low = _two_sum(a.squares, b.squares)
        c.squares[...], lower = _two_sum(within, between)
        c.rest[...] = (a.rest + b.rest) + (low + lower)
    for empty, other in ((b.weight == 0, first), (a.weight == 0, second)):  # nothing to add to the other
        if empty.any():
            np.copyto(result, other, where=empty[..., None])
    return result


def _two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a + b and its rounding error (Knuth)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


class Moments(NamedTuple):
    """What fits need of samples; leading axes are those of a batch. All in float64."""

    n: np.ndarray  # rows of positive weight
    weight: np.ndarray
    mean: np.ndarray  # (..., d)
    squares: np.ndarray  # (..., d) if diagonal, else (..., d, d), symmetric
    low: np.ndarray
    high: np.ndarray


def summary(states: np.ndarray, counts: np.ndarray, d: int, diagonal: bool) -> Moments:
    s = State(states, d, diagonal)
    with np.errstate(all="ignore"):
        mean, squares = s.shift + s.offset, s.squares + s.rest
        if not diagonal:
            lower = np.tril(squares)
            squares = lower + np.tril(squares, -1).swapaxes(-1, -2)
        unknown = np.isnan(mean) | (s.weight == 0)[..., None]
        mean = np.where((s.weight == 0)[..., None], np.nan, mean)
        low, high = np.where(unknown, np.nan, s.low), np.where(unknown, np.nan, s.high)
    return Moments(counts, s.weight, mean, squares, low, high)


@dataclass(frozen=True)
class Part:
    """What is known of the samples in an array: their states and counts; parts of the same samples add up."""

    states: np.ndarray
    counts: np.ndarray
    kept_shape: tuple[int, ...]
    d: int
    diagonal: bool
    dtype: np.dtype

    def __add__(self, other: "Part") -> "Part":
        pairs = zip(self.states, other.states, strict=True)
        joined = [join(a, b, self.d, self.diagonal) for a, b in pairs]
        states = np.stack(joined) if joined else self.states
        return replace(self, states=states, counts=self.counts + other.counts)

    def moments(self) -> Moments:
        """Summary with the kept axes first; for samples of scalars, of their shape."""
        m, shape = summary(self.states, self.counts, self.d, self.diagonal), self.kept_shape
        if not self.diagonal:
            return Moments(*(np.reshape(a, shape + a.shape[1:]) for a in m))
        weight, count = (np.broadcast_to(a[:, None], (len(self.states), self.d)) for a in (m.weight, m.n))
        return Moments(*(np.reshape(a, shape) for a in (count, weight, m.mean, m.squares, m.low, m.high)))


class Observations:
    """Samples in an array: which axes are observations, which are coordinates, and their weights.

    Parameters
    ----------
    function : name of the caller, for errors.
    x : the data.
    weights : one for each observation (of the shape of the reduced axes), or one for each entry (of the shape of
        `x`, less the coordinates); None for 1.
    reduced : axes of `x` that are observations, ascending.
    events : number of last axes of `x` that are the coordinates of one observation (0 or 1).
    nan_policy : "propagate", "raise" or "omit" the observation.
    finite : refuse infinities.
    name : of the data, for errors.
    """

    def __init__(
        self, function: str, x: np.ndarray, weights: Any, reduced: tuple[int, ...], events: int, nan_policy: str,
        finite: bool = False, name: str = "x",
    ) -> None:
        if nan_policy not in NAN_POLICIES:
            raise ValueError(f'{function}: nan_policy must be "propagate", "raise" or "omit", got {nan_policy!r}')
        self.function, self.name, self.x = function, name, x
        self.nan_policy, self.finite = nan_policy, finite
        self.dtype = validate.result_dtype(x)
        kept = tuple(a for a in range(x.ndim - events) if a not in reduced)
        self.kept_shape = tuple(x.shape[a] for a in kept)
        self.weights, each = self._parse_weights(weights, reduced, events)
        # Kept axes behind the observations are coordinates to the kernel, unless each has weights or gaps of its own.
        tail = tuple(a for a in kept if reduced and a > reduced[-1])
        own = each or nan_policy == "omit"
        inner = tuple(range(x.ndim - events, x.ndim)) if events else () if own else tail
        outer = tuple(a for a in kept if a not in inner)
        self.order = outer + reduced + inner
        self.samples, self.n, self.d = (math.prod(x.shape[a] for a in axes) for axes in (outer, reduced, inner))
        self._source = Source(x, x.shape, self.dtype, self.order)
        self._weight_source: Source | None = None
        self._shared = False
        if self.weights is not None:
            self._shared = not each
            order = tuple(range(self.weights.ndim)) if self._shared else outer + reduced
            self._weight_source = Source(self.weights, self.weights.shape, np.dtype(np.float64), order)

    def _parse_weights(self, weights: Any, reduced: tuple[int, ...], events: int) -> tuple[np.ndarray | None, bool]:
        """The weights as an array, and whether there is one for each entry of a batch."""
        if weights is None:
            return None, False
        array = validate.as_array(self.function, "weights", weights)
        shared = tuple(self.x.shape[a] for a in reduced)
        full = self.x.shape[: self.x.ndim - events]
        if array.shape not in (shared, full):
            either = f"{shared}" if shared == full else f"{shared} or {full}"
            raise ValueError(
                f"{self.function}: weights must have shape {either} for {self.name} of shape {self.x.shape}, got {array.shape}"
            )
        return array, array.shape == full and shared != full

    # ------------------------------------------------------------------------------------------- blocks

    def parts(self, most: int) -> list[list[tuple[int, int, int, int]]]:
        """Blocks (first sample, last, first row, last) in order, those of a part one after the other: all of one
        sample if that is cut, otherwise several whole samples. At most `most` parts of a sample."""
        rows = max(1, self._block_rows())
        if self.n <= rows:
            step = max(1, _ELEMENTS // max(1, self.n * self.d))
            return [[(first, last, 0, self.n)] for first, last in ranges(self.samples, step)]
        blocks = ranges(self.n, rows)
        parts = shares(len(blocks), most)
        return [[(e, e + 1, *block) for block in blocks[slice(*part)]] for e in range(self.samples) for part in parts]

    def _block_rows(self) -> int:
        """Rows of a block: a multiple of what the kernel takes at a time."""
        rows = _ELEMENTS // max(1, self.d)
        for unit in (3072, 384):
            if rows >= unit:
                return rows // unit * unit
        return 384 if self.d <= 2048 else 96

    def block(self, e0: int, e1: int, start: int, stop: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Rows and weights of a block, checked: (samples, rows, d) and (rows,) or (samples, rows)."""
        n, d = self.n, self.d
        x = self._source.take((e0 * n + start) * d, ((e1 - 1) * n + stop) * d).reshape(e1 - e0, stop - start, d)
        w: np.ndarray | None = None
        if self._weight_source is not None:
            first, last = (start, stop) if self._shared else (e0 * n + start, (e1 - 1) * n + stop)
            w = self._weight_source.take(first, last)
            if w.size and not (w.min() >= 0 and w.max() < np.inf):
                self._raise_weight(first, w)
            w = w if self._shared else w.reshape(e1 - e0, stop - start)
        return x, w

    def _raise_weight(self, first: int, w: np.ndarray) -> None:
        assert self.weights is not None
        at = first + int(np.argmax(~((w >= 0) & (w < np.inf))))
        order = tuple(range(self.weights.ndim)) if self._shared else tuple(a for a in self.order if a < self.weights.ndim)
        index = index_of(at, self.weights.shape, order)
        entry = validate.describe_entry("weights", index, self.weights[index])
        raise ValueError(f"{self.function}: weights must be finite and not negative, but {entry}")

    def refuse(self, bad: np.ndarray, block: tuple[int, int, int, int], condition: str) -> None:
        """Raise ValueError for the first bad entry of a block."""
        e, i, j = validate.first_index(bad)
        at = ((block[0] + e) * self.n + block[2] + i) * self.d + j
        index = index_of(at, self.x.shape, self.order)
        entry = validate.describe_entry(self.name, index, self.x[index])
        raise ValueError(f"{self.function}: {self.name} must be {condition}, but {entry}")

    def gaps(self, x: np.ndarray, w: np.ndarray | None, block: tuple[int, int, int, int]) -> np.ndarray | None:
        """Weights of a block without its rows that have a NaN; None if there is none. Raises as the policy says."""
        missing = np.isnan(x)
        if w is not None and self.nan_policy != "propagate":
            missing &= (w > 0)[..., None]
        if self.nan_policy == "raise" and missing.any():
            self.refuse(missing, block, 'complete (nan_policy="omit" drops missing values)')
        if self.finite:
            infinite = np.isinf(x) if w is None else np.isinf(x) & (w > 0)[..., None]
            if infinite.any():
                self.refuse(infinite, block, "finite")
        if self.nan_policy == "propagate" or not missing.any():
            return None
        ones = np.ones(x.shape[:2])
        return np.where(missing.any(axis=-1), 0.0, ones if w is None else ones * w)

    # ------------------------------------------------------------------------------------------- the pass

    def states(
        self, diagonal: bool, onto: np.ndarray | None = None, extremes: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """One state for each sample, and its number of rows of positive weight; `onto`: a state to continue (one sample).

        Without `extremes` those of the states mean nothing: a covariance does not ask for them, and is faster by a tenth.
        """
        d, size = self.d, state_size(self.d, diagonal)
        parts = self.parts(min(_PARTS, max(4, _STATES // size)))
        whole = self.n <= self._block_rows()
        if whole and onto is not None and len(parts) == 1:
            states = onto.reshape(1, -1).copy()
            onto = None
        else:
            states = empty_states(self.samples if whole else len(parts), d, diagonal)
        counts = np.zeros(len(states), np.int64)

        def several(p: int) -> None:
            for block in self._lengthened(parts[p]):
                e0, e1 = block[:2]
                at = slice(e0, e1) if whole else slice(p, p + 1)
                counts[at] += self._add(states[at], block, diagonal, extremes)

        work = self.samples * self.n * self.d
        run_blocks(several, len(parts), seconds=work * (0.5 + (0 if diagonal else self.d / 30)) * 1e-9)
        if not whole:
            per = len(parts) // max(1, self.samples)
            stacks = [list(states[e * per : (e + 1) * per]) for e in range(self.samples)]
            counts = counts.reshape(self.samples, per).sum(axis=1)
            states = np.stack([tree(stack, d, diagonal) for stack in stacks]) if stacks else states[:0]
        if onto is not None and len(states):
            states = join(onto.reshape(-1), states[0], d, diagonal)[None]
        return states, counts

    def _lengthened(self, blocks: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
        """Fewer and longer ones, if they are parts of the arrays themselves; the kernel takes them in the same steps."""
        together = _LONG // _ELEMENTS
        if len(blocks) == 1 or not self._source.direct or (self._weight_source and not self._weight_source.direct):
            return blocks
        return [(*some[0][:3], some[-1][3]) for some in (blocks[i : i + together] for i in range(0, len(blocks), together))]

    def _add(self, states: np.ndarray, block: tuple[int, int, int, int], diagonal: bool, extremes: bool) -> Any:
        """A block to the states of its samples; how many rows count."""
        x, w = self.block(*block)
        before = states.copy() if self.nan_policy != "propagate" else None
        moments_update(states, x, w, diagonal, self._block_rows(), extremes)
        if before is not None or self.finite:
            s = State(states, self.d, diagonal)
            if not np.isfinite(s.offset).all():
                kept = self.gaps(x, w, block)
                if kept is not None and before is not None:
                    w = kept
                    states[...] = before
                    moments_update(states, x, w, diagonal, self._block_rows(), extremes)
        return x.shape[1] if w is None else np.count_nonzero(w, axis=-1)

    def part(self, diagonal: bool) -> "Part":
        """States and counts that add up; those of covariances have no extremes."""
        return Part(*self.states(diagonal, extremes=diagonal), self.kept_shape, self.d, diagonal, self.dtype)

    def moments(self, diagonal: bool) -> Moments:
        """Summary with the kept axes first; for samples of scalars, of their shape."""
        return self.part(diagonal).moments()

    def fold(
        self,
        function: Callable[[np.ndarray, np.ndarray | None, tuple[int, int, int, int]], Any],
        check: Callable[[np.ndarray], np.ndarray],
        condition: str,
    ) -> Iterator[tuple[tuple[int, int, int, int], Any]]:
        """Each block with ``function(x, weights, block)``, in order; entries must pass `check`. For what is not moments."""
        blocks = [block for part in self.parts(1) for block in part]

        def one(i: int) -> Any:
            x, w = self.block(*blocks[i])
            good = check(x)
            if not good.all():
                kept = self.gaps(x, w, blocks[i])
                w = w if kept is None else kept
                bad = ~good if w is None else ~good & (w > 0)[..., None]
                if bad.any():
                    self.refuse(bad, blocks[i], condition)
            return function(x, w, blocks[i])

        results = in_order(one, len(blocks), _FOLDED, seconds=len(blocks) * _ELEMENTS * 2e-9)
        return zip(blocks, results, strict=True)


def tree(states: list[np.ndarray], d: int, diagonal: bool) -> np.ndarray:
    """Joined in pairs."""
    while len(states) > 1:
        pairs = [join(states[i], states[i + 1], d, diagonal) for i in range(0, len(states) - 1, 2)]
        states = pairs + states[len(pairs) * 2 :]
    return states[0]
