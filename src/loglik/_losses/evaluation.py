"""The machinery that every loss shares: blocks, weights, reductions, gradients, outputs."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from loglik._engine import validate
from loglik._engine.blocks import Sink, Source
from loglik._engine.cuts import index_of, ranges, shares
from loglik._engine.folded import Folded
from loglik._engine.parallel import get_num_threads, run_blocks
from loglik._engine.results import Results, parse_wrt
from loglik._kernels import loss_block

# Elements whose values are summed together; a multiple of the 4096 elements of a horizontal sum in the kernels.
_BLOCK = 1 << 16
# At most so many of them to a call where all arrays are taken as they are: fewer returns to Python.
_SPAN = 16
# Fewer values than this in a row of a reduction: they are written, and summed here, many rows to a call.
_LONG_ROW = 1 << 10
# At most so many elements for `one_visit`, which neither uses threads nor answers Ctrl-C.
SHORT = 1 << 19

Kernel = Callable[[dict[str, np.ndarray], Any, float, Any, tuple[Any, ...]], tuple[list[float], int, int]]


def _as_it_is(array: np.ndarray) -> np.ndarray:
    return array


class LossPass:
    """One pass of a loss over its arguments: shapes, blocks, weights, reduction, gradients, output.

    Parameters
    ----------
    function : name of the caller, for errors.
    elements : arguments of which each element counts by itself; with `core` > 0 their last `core` axes make one value.
    rows : arguments with one entry for each value, where that is not the same.
    model : names of the elements that decide the dtype and that gradients can be taken in.
    conditions : for the arguments whose range the kernel checks, in its order, what completes "must be ...".
    arrange : a view of an argument of the model with its `core` axes last.

    The values are taken with the kept axes first and the reduced ones last, as `outer` rows of `inner` values.
    """

    def __init__(
        self,
        function: str,
        elements: dict[str, Any],
        model: tuple[str, ...],
        conditions: dict[str, str],
        weights: Any,
        reduction: str,
        axis: Any,
        wrt: Any,
        out: Any,
        *,
        rows: dict[str, Any] | None = None,
        core: int = 0,
        arrange: Callable[[np.ndarray], np.ndarray] = _as_it_is,
    ) -> None:
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f'{function}: reduction must be "mean", "sum" or "none", got {reduction!r}')
        self.function, self.model, self.reduction = function, model, reduction
        self.conditions, self.arrange = conditions, arrange
        self.given = {name: validate.as_array(function, name, value) for name, value in (elements | (rows or {})).items()}
        self.row_names = tuple(rows or ())
        self.dtype = validate.result_dtype(*(elements[name] for name in model))
        self.weights = None if weights is None else validate.as_array(function, "weights", weights)
        self._find_shapes(core)

        reduced = validate.axes(function, axis, len(self.batch)) if reduction != "none" else ()
        kept = tuple(a for a in range(len(self.batch)) if a not in reduced)
        self.order = kept + reduced
        self.element_order = self.order + tuple(range(len(self.batch), len(self.shape)))
        self.kept_shape = tuple(self.batch[a] for a in kept)
        self.outer = math.prod(self.kept_shape)
        self.inner = math.prod(self.batch[a] for a in reduced)
        self.width = math.prod(self.shape[len(self.batch) :])
        self.step = max(1, _BLOCK // max(self.width, 1))
        """Values whose sum is taken together."""
        arguments = (*self.given.values(), *(() if self.weights is None else (self.weights,)))
        shapes = {name: self.given[name].shape for name in model}
        self.results = Results(function, self.kept_shape, self.dtype, shapes, *arguments, wrt=wrt, out=out)

    # ------------------------------------------------------------------------------------------- arguments

    def _find_shapes(self, core: int) -> None:
        """`shape` of the elements, `batch` of the values."""
        shapes = {n: self.arrange(a).shape if n in self.model else a.shape for n, a in self.given.items()}
        elements = {n: shape for n, shape in shapes.items() if n not in self.row_names}
        values = {n: shapes[n] for n in self.row_names}
        if self.weights is not None:
            values["weights"] = self.weights.shape
        if not core:
            self.shape = self.batch = validate.broadcast_shapes(self.function, **elements, **values)
            return
        tail = validate.broadcast_shapes(self.function, **{n: shape[-core:] for n, shape in elements.items()})
        leads = {n: shape[:-core] for n, shape in elements.items()} | values
        self.batch = validate.broadcast_shapes(self.function, **leads)
        self.shape = self.batch + tail

    def _source(self, name: str) -> Source:
        array = self.given[name]
        if name in self.row_names:
            return Source(array, self.batch, np.dtype(np.int64), self.order)
        return Source(self.arrange(array) if name in self.model else array, self.shape, self.dtype, self.element_order)

    # ------------------------------------------------------------------------------------------- the pass

    def run(self, kernel: Kernel, *, nanoseconds: float, counts: Callable[[dict[str, Any]], np.ndarray] | None = None) -> Any:
        """``kernel(blocks, weights, scale, values, gradients)`` → (sums, bad, which) over all blocks, then the reduction.

        There is a sum for every `step` values. `gradients` are in the order of `model`. `counts` tells from the blocks of
        `rows` which values count in a mean.
        """
        sources = {name: self._source(name) for name in self.given}
        weights = None if self.weights is None else Source(self.weights, self.batch, self.dtype, self.order)
        long_rows = self.outer == 1 or self.inner >= _LONG_ROW
        totals = self._divisors(weights, sources, counts, long_rows)

        value, gradients = self.results.value, self.results.gradients
        value_sink = Sink(value, tuple(range(value.ndim))) if self.reduction == "none" else None
        sinks, folded = self._gradient_targets()
        taken_directly = [*sources.values(), *sinks.values(), *(x for x in (weights, value_sink) if x is not None)]
        by_rows, one_row = not long_rows and self.reduction != "none", long_rows and self.reduction != "none"
        span = 1
        if not by_rows and not folded and all(x.direct for x in taken_directly):
            span = min(_SPAN, max(1, self.outer * self.inner // self.step // (4 * get_num_threads())))
        blocks = self._cut(long_rows, self.step * span)
        parts = shares(len(blocks), min((f.most_parts for f in folded.values()), default=len(blocks)))
        for target in folded.values():
            target.prepare(len(parts))
        sums: list[Any] = [None] * len(blocks)
        bads: dict[int, tuple[int, int]] = {}
        w = self.width

        def one(i: int, part: int) -> None:
            start, stop = blocks[i]
            taken = {
                name: source.take(start, stop) if name in self.row_names else source.take(start * w, stop * w)
                for name, source in sources.items()
            }
            v = np.empty(stop - start, self.dtype) if by_rows else None
            if value_sink is not None:
                v = value_sink.block(start, stop)
            g: dict[str, np.ndarray] = {}
            for name in gradients:
                sink = sinks.get(name)
                g[name] = sink.block(start * w, stop * w) if sink else np.empty((stop - start) * w, self.dtype)
            scale = 1.0 / totals[start // max(self.inner, 1)] if one_row and totals is not None else 1.0
            weight = None if weights is None else weights.take(start, stop)
            found, bad, which = kernel(taken, weight, scale, v, tuple(g.get(name) for name in self.model))
            if bad >= 0:
                by_value = which >= 0 and list(self.conditions)[which] in self.row_names
                bads[i] = (start + bad if by_value else start * w + bad, which)
                return
            sums[i] = _row_sums(v, self.inner) if by_rows else found
            if by_rows and totals is not None and w:
                first = start // self.inner
                for array in g.values():
                    rows = array.reshape(-1, self.inner * w)
                    rows /= totals[first : first + len(rows), None].astype(self.dtype)
            if value_sink is not None:
                value_sink.put(start, stop, v)
            for name, array in g.items():
                if name in sinks:
                    sinks[name].put(start * w, stop * w, array)
                else:
                    folded[name].add(part, start * w, array)

        def several(part: int) -> None:
            for i in range(*parts[part]):
                one(i, part)

        seconds = self.outer * self.inner * w * nanoseconds * 1e-9
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            run_blocks(several, len(parts), seconds=seconds)
        if bads:
            self._raise_bad(*bads[min(bads)])
        for name, target in folded.items():
            target.store(self.arrange(gradients[name]))
        if self.reduction != "none":
            self._store_reduced(value, sums, totals, long_rows)
        return self.results.hand_over()

    def _cut(self, long_rows: bool, most: int) -> list[tuple[int, int]]:
        """Blocks of at most so many values in their order: parts of one row each, or whole rows (at least one)."""
        size = self.outer * self.inner
        if self.reduction == "none" or self.outer == 1:
            return ranges(size, most)
        if long_rows:
            within = ranges(self.inner, most)
            return [(row + start, row + stop) for row in range(0, size, self.inner) for start, stop in within]
        step = self.inner * max(1, most // max(self.inner, 1))
        return ranges(size, step) if step else []

    def _divisors(
        self, weights: Source | None, sources: dict[str, Source], counts: Any, long_rows: bool
    ) -> np.ndarray | None:
        """For a mean: what each row's sum is divided by."""
        if self.reduction != "mean":
            return None
        if weights is None and counts is None:
            return np.full(max(self.outer, 1), float(self.inner))
        sums: list[Any] = []
        for start, stop in self._cut(long_rows, self.step):
            block = np.ones(stop - start) if weights is None else weights.take(start, stop).astype(np.float64)
            if counts is not None:
                block = np.where(counts({name: sources[name].take(start, stop) for name in self.row_names}), block, 0.0)
            sums.append([float(np.add.reduce(block))] if long_rows else np.add.reduce(block.reshape(-1, self.inner), axis=1))
        return self._gather_rows(sums, long_rows)

    def _gather_rows(self, sums: list[Any], long_rows: bool) -> np.ndarray:
        """One float64 per row from the sums of the blocks, in a fixed order."""
        if not sums:
            return np.zeros(self.outer)
        if not long_rows:
            return np.concatenate(sums)
        sums = [total for block in sums for total in block]
        per_row = len(sums) // max(self.outer, 1)
        return np.array([_sum(sums[row * per_row : (row + 1) * per_row]) for row in range(self.outer)])

    def _gradient_targets(self) -> tuple[dict[str, Sink], dict[str, Folded]]:
        """How the blocks of the gradients get where they belong: as they come, or summed over broadcast axes."""
        sinks, folded = {}, {}
        for name, gradient in self.results.gradients.items():
            view = self.arrange(gradient)
            if view.shape == self.shape:
                sinks[name] = Sink(view, self.element_order)
            else:
                folded[name] = Folded(view.shape, self.shape, self.element_order)
        return sinks, folded

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
        name = list(self.conditions)[max(which, 0)]
        array = self.given[name]
        full_shape, order = (self.batch, self.order) if name in self.row_names else (self.shape, self.element_order)
        view = self.arrange(array) if name in self.model else array
        full = index_of(flat, full_shape, order)
        own = full[len(full) - view.ndim :]
        index = tuple(0 if size == 1 else i for i, size in zip(own, view.shape, strict=True))
        # The view shows where in the array itself the entry stands.
        places = self.arrange(np.arange(array.size).reshape(array.shape)) if name in self.model else None
        if places is not None:
            index = tuple(int(i) for i in np.unravel_index(int(places[index]), array.shape))
        if which < 0:
            total = math.fsum(array[index[:-1]].tolist())
            entry = validate.describe_entry(name, index[:-1], total).replace(" = ", " sums to ")
            raise ValueError(f"{self.function}: rows of {name} must sum to 1, but {entry}")
        entry = validate.describe_entry(name, index, array[index])
        raise ValueError(f"{self.function}: {name} must be {self.conditions[name]}, but {entry}")


def short_pass(
    function: str, form: str, targets: Any, model: dict[str, Any], weights: Any, reduction: str, axis: Any, wrt: Any, out: Any,
    *, rows: bool = False, **options: Any,
) -> Any:  # fmt: skip
    """The whole call in one visit of the kernel, where all is contiguous and of one shape and type; None where it is not.

    What `LossPass` prepares for every other case takes 50 µs, longer than 30,000 elements. The blocks are the same, so the
    bits are. Bad entries are left to it, too. `rows`: the last axis of the model makes one value.
    """
    first = next(iter(model.values()))
    if type(first) is not np.ndarray or not 0 < first.size <= SHORT or first.dtype not in (np.float32, np.float64):
        return None
    if weights is not None or axis is not None or out is not None or reduction not in ("mean", "sum"):
        return None
    shape, dtype = first.shape, first.dtype
    names = () if wrt is None else parse_wrt(function, wrt, tuple(model))
    if rows and not shape or targets is None and not rows:  # of what is missing, LossPass says the name
        return None
    width = shape[-1] if rows else 1
    if targets is not None:
        if type(targets) is not np.ndarray or targets.shape != (shape[:-1] if rows else shape):
            return None
        if rows or targets.dtype.kind in "biu":
            if targets.dtype.kind not in "biu" or targets.dtype == np.uint64:
                return None
            targets = targets.astype(np.int64 if rows else dtype, copy=False)
    for array in (*model.values(), *(() if targets is None else (targets,))):
        if type(array) is not np.ndarray or not (array.flags.c_contiguous and array.flags.aligned):
            return None
        if array is not targets and array.shape != shape or not (array.dtype == dtype or rows and array is targets):
            return None
    gradients = {name: np.empty(shape, dtype) for name in names}
    total = one_visit(
        function, form, targets, tuple(model.values()), tuple([gradients.get(name) for name in model]), reduction == "mean",
        first.size, width, **options,
    )  # fmt: skip
    if total is None:
        return None
    with np.errstate(over="ignore", under="ignore"):
        value = dtype.type(total)
    if not names:
        return value if wrt is None else (value, ())
    found = tuple(array[()] for array in gradients.values())
    return value, found[0] if isinstance(wrt, str) else found


def one_visit(
    function: str, form: str, targets: Any, model: tuple[Any, ...], gradients: tuple[Any, ...], mean: bool, size: int, width: int,
    **options: Any,
) -> float | None:  # fmt: skip
    """The mean or the sum over contiguous arrays of `size` elements; None if an entry is bad."""
    count = size // width
    sums, bad, _ = loss_block(
        function, form, targets, model, None, 1.0 / count if mean else 1.0, None, gradients, width, step=max(1, _BLOCK // width),
        **options,
    )  # fmt: skip
    if bad >= 0:
        return None
    total = sums[0] if len(sums) == 1 else _sum(sums)
    return total / count if mean else total


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
