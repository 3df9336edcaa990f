"""The machinery that every elementwise loss shares: blocks, weights, reductions, gradients, outputs."""

import math
import warnings
from typing import Any

import numpy as np

from loglik import _validate
from loglik._blocks import Sink, Source
from loglik._parallel import run_blocks

# Elements per block; a multiple of the 4096 elements of a horizontal sum in the kernels.
_BLOCK = 1 << 16
# Rows shorter than this are summed from their values, many rows to a call.
_LONG_ROW = 1 << 10


class LossPass:
    """One pass of an elementwise loss over its arguments: shapes, blocks, weights, reduction, gradient, output.

    The elements are taken with the kept axes first and the reduced ones last, as `outer` rows of `inner` elements.
    """

    def __init__(
        self, function: str, arguments: dict[str, Any], model: str, weights: Any, reduction: str, axis: Any,
        wrt: Any, out: Any,
    ) -> None:
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f'{function}: reduction must be "mean", "sum" or "none", got {reduction!r}')
        self.function, self.model, self.reduction = function, model, reduction
        self.names = list(arguments)
        self.arrays = {name: _validate.as_array(function, name, value) for name, value in arguments.items()}
        self.dtype = _validate.result_dtype(arguments[model])
        shapes = {name: array.shape for name, array in self.arrays.items()}
        self.weights = None
        if weights is not None:
            self.weights = _validate.as_array(function, "weights", weights)
            shapes["weights"] = self.weights.shape
        self.shape = _validate.broadcast_shapes(function, **shapes)
        self.wrt_gradient, self.wrt_tuple = self._parse_wrt(wrt)

        reduced = _axes(function, axis, len(self.shape)) if reduction != "none" else ()
        kept = tuple(a for a in range(len(self.shape)) if a not in reduced)
        self.order = kept + reduced
        self.kept_shape = tuple(self.shape[a] for a in kept)
        self.outer = math.prod(self.kept_shape)
        self.inner = math.prod(self.shape[a] for a in reduced)
        self.out_value, self.out_gradient = self._parse_out(out)

    # ------------------------------------------------------------------------------------------- arguments

    def _parse_wrt(self, wrt: Any) -> tuple[bool, bool]:
        """Whether the gradient is wanted, and whether as a tuple."""
        if wrt is None:
            return False, False
        names = (wrt,) if isinstance(wrt, str) else tuple(wrt)
        for name in names:
            if name != self.model:
                raise ValueError(f"{self.function}: wrt names {name!r}; a gradient can be taken in: {self.model!r}")
        if len(names) > 1:
            raise ValueError(f"{self.function}: wrt names {names[0]!r} more than once")
        return bool(names), not isinstance(wrt, str)

    def _parse_out(self, out: Any) -> tuple[np.ndarray | None, np.ndarray | None]:
        if out is None:
            return None, None
        value, gradient = out, None
        if self.wrt_gradient:
            if not isinstance(out, tuple) or len(out) != 2:
                raise TypeError(f"{self.function}: with wrt, out must be a pair like the return value")
            value, gradient = out
            if self.wrt_tuple:
                if not isinstance(gradient, tuple) or len(gradient) != 1:
                    raise TypeError(f"{self.function}: with a tuple in wrt, out[1] must be a tuple of the same length")
                gradient = gradient[0]
            _validate.check_out(self.function, gradient, self.arrays[self.model].shape, self.dtype)
        _validate.check_out(self.function, value, self.kept_shape, self.dtype)
        # The pass reads and writes block by block, so an input that shares memory with an output is read first.
        for target in (value, gradient):
            if target is not None:
                self.arrays = {n: a.copy() if np.may_share_memory(a, target) else a for n, a in self.arrays.items()}
                if self.weights is not None and np.may_share_memory(self.weights, target):
                    self.weights = self.weights.copy()
        return value, gradient

    # ------------------------------------------------------------------------------------------- the pass

    def run(self, kernel: Any, *, nanoseconds: float) -> Any:
        """`kernel(blocks, weights, scale, values, gradient)` → (sum, bad, which) over all blocks, then the reduction."""
        sources = [Source(self.arrays[name], self.shape, self.dtype, self.order) for name in self.names]
        weight_source = None if self.weights is None else Source(self.weights, self.shape, self.dtype, self.order)
        long_rows = self.outer == 1 or self.inner >= _LONG_ROW
        blocks = self._cut(long_rows)
        totals = self._divisors(blocks, weight_source, long_rows)

        value = self.out_value
        if value is None:
            value = np.empty(self.kept_shape, self.dtype)
        value_sink = Sink(value, tuple(range(value.ndim))) if self.reduction == "none" else None
        gradient = self._gradient_array()
        model_shape = self.arrays[self.model].shape
        direct = gradient is not None and model_shape == self.shape
        gradient_sink = Sink(gradient, self.order) if direct else None
        folded = None if gradient is None or direct else _Folded(model_shape, self.shape, self.order)
        sums: list[Any] = [None] * len(blocks)
        bads: dict[int, tuple[int, int]] = {}

        def one(i: int) -> None:
            start, stop = blocks[i]
            taken = [source.take(start, stop) for source in sources]
            w = None if weight_source is None else weight_source.take(start, stop)
            by_rows = not long_rows and self.reduction != "none"
            v = np.empty(stop - start, self.dtype) if by_rows else None
            if value_sink is not None:
                v = value_sink.block(start, stop)
            g = None
            if gradient is not None:
                g = gradient_sink.block(start, stop) if gradient_sink else np.empty(stop - start, self.dtype)
            one_row = long_rows and self.reduction != "none"
            scale = 1.0 / totals[start // max(self.inner, 1)] if one_row and totals is not None else 1.0
            total, bad, which = kernel(taken, w, scale, v, g)
            if bad >= 0:
                bads[i] = (start + bad, which)
                return
            sums[i] = _row_sums(v, self.inner) if by_rows else total
            if g is not None and by_rows and totals is not None:
                first = start // self.inner
                rows = g.reshape(-1, self.inner)
                rows /= totals[first : first + len(rows), None].astype(self.dtype)
            if value_sink is not None:
                value_sink.put(start, stop, v)
            if gradient_sink is not None:
                gradient_sink.put(start, stop, g)
            elif folded is not None:
                folded.add(start, stop, g)

        # Gradients that are summed over broadcast axes are added in the order of the blocks.
        run_blocks(one, len(blocks), seconds=0.0 if folded else self.outer * self.inner * nanoseconds * 1e-9)
        if bads:
            self._raise_bad(*bads[min(bads)])
        if folded is not None:
            folded.store(gradient)
        if self.reduction != "none":
            self._store_reduced(value, sums, totals, long_rows)
        result = value if self.out_value is not None else value[()]
        if gradient is None:
            return result if not self.wrt_tuple else (result, ())
        gradient = gradient if self.out_gradient is not None else gradient[()]
        return result, (gradient,) if self.wrt_tuple else gradient

    def _cut(self, long_rows: bool) -> list[tuple[int, int]]:
        """Blocks of the flat order: parts of one row each, or whole rows."""
        size = self.outer * self.inner
        if self.reduction == "none" or self.outer == 1:
            return [(start, min(start + _BLOCK, size)) for start in range(0, size, _BLOCK)]
        if long_rows:
            return [
                (row * self.inner + start, row * self.inner + min(start + _BLOCK, self.inner))
                for row in range(self.outer) for start in range(0, self.inner, _BLOCK)
            ]
        step = self.inner * max(1, _BLOCK // max(self.inner, 1))
        return [(start, min(start + step, size)) for start in range(0, size, step)] if step else []

    def _divisors(self, blocks: list[tuple[int, int]], weights: Source | None, long_rows: bool) -> np.ndarray | None:
        """For a mean: what each row's sum is divided by."""
        if self.reduction != "mean":
            return None
        if weights is None:
            return np.full(max(self.outer, 1), float(self.inner))
        sums: list[Any] = []
        for start, stop in blocks:
            block = weights.take(start, stop).astype(np.float64)
            sums.append(float(np.add.reduce(block)) if long_rows else np.add.reduce(block.reshape(-1, self.inner), axis=1))
        return self._gather_rows(sums, long_rows)

    def _gather_rows(self, sums: list[Any], long_rows: bool) -> np.ndarray:
        """One float64 per row from the sums of the blocks, in a fixed order."""
        if not sums:
            return np.zeros(self.outer)
        if not long_rows:
            return np.concatenate(sums)
        per_row = len(sums) // max(self.outer, 1)
        return np.array([_sum(sums[row * per_row : (row + 1) * per_row]) for row in range(self.outer)])

    def _gradient_array(self) -> np.ndarray | None:
        if not self.wrt_gradient:
            return None
        if self.out_gradient is not None:
            return self.out_gradient
        return np.empty(self.arrays[self.model].shape, self.dtype)

    def _store_reduced(self, value: np.ndarray, sums: list[Any], totals: np.ndarray | None, long_rows: bool) -> None:
        rows = self._gather_rows(sums, long_rows)
        if totals is not None:
            if self.inner == 0 and self.outer > 0:
                warnings.warn("Mean of empty slice", RuntimeWarning, stacklevel=4)
            with np.errstate(invalid="ignore", divide="ignore"):
                rows = rows / totals[: self.outer]
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            value[...] = rows.reshape(self.kept_shape).astype(self.dtype)

    def _raise_bad(self, flat: int, which: int) -> None:
        name = self.names[which]
        array = self.arrays[name]
        permuted = np.unravel_index(flat, tuple(self.shape[a] for a in self.order))
        full = [0] * len(self.shape)
        for position, axis in zip(permuted, self.order, strict=True):
            full[axis] = int(position)
        own = full[len(full) - array.ndim :]
        index = tuple(0 if size == 1 else i for i, size in zip(own, array.shape, strict=True))
        entry = _validate.describe_entry(name, index, array[index])
        raise ValueError(f"{self.function}: {name} must be in [0, 1], but {entry}")


class _Folded:
    """A gradient in an argument that was broadcast: summed over the axes that broadcasting repeated."""

    def __init__(self, model_shape: tuple[int, ...], shape: tuple[int, ...], order: tuple[int, ...]) -> None:
        size = math.prod(model_shape)
        positions = np.arange(size).reshape(model_shape)
        self._positions = Source(positions, shape, np.dtype(np.intp), order)
        self._sums = np.zeros(size)

    def add(self, start: int, stop: int, gradient: np.ndarray) -> None:
        self._sums += np.bincount(self._positions.take(start, stop), gradient, self._sums.size)

    def store(self, gradient: np.ndarray) -> None:
        gradient[...] = self._sums.reshape(gradient.shape)


def _axes(function: str, axis: Any, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, tuple) else (axis,)
    result = []
    for a in axes:
        if isinstance(a, bool) or not hasattr(a, "__index__"):
            raise TypeError(f"{function}: axis must be an integer or a tuple of integers, got {axis!r}")
        if not -ndim <= a.__index__() < ndim:
            raise ValueError(f"{function}: axis {a} is out of range for {ndim} dimensions")
        result.append(a.__index__() % ndim)
    if len(set(result)) != len(result):
        raise ValueError(f"{function}: axis {axis} names an axis twice")
    return tuple(sorted(result))


def _row_sums(values: np.ndarray, inner: int) -> np.ndarray:
    # In float64 before the sum: NumPy's buffered casts would cut a row where the buffer happens to end.
    with np.errstate(invalid="ignore", over="ignore"):
        return np.add.reduce(values.astype(np.float64).reshape(-1, inner), axis=1)


def _sum(parts: list[float]) -> float:
    """Correctly rounded sum, so that the order does not matter; infinities and NaN as IEEE has them."""
    try:
        return math.fsum(parts)
    except (OverflowError, ValueError):  # intermediate overflow; inf - inf
        return sum(parts)
