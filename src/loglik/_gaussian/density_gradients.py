"""Gradients of the multivariate normal log-density: blocks of the kernels, and the sums that broadcasting asks for.

Points, means and matrices meet as in `_grid`: E problems of N points and K Gaussians. A kernel gives for a block the
values, the rows −Σₖ s, Σₙ s, and the sum over points of outer products. What an argument repeats by broadcasting is
then added up: blocks are cut by the shape alone and their sums are taken in the order of the blocks, in float64, so
that no number of threads changes a bit. At most a few blocks per thread wait for their turn.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from loglik import ufuncs
from loglik._engine import parallel
from loglik._engine.results import Results
from loglik._engine.validate import broadcast_shapes
from loglik._gaussian.axes import Axes, Rows
from loglik._kernels import EACH_MAX, mvn_gradient

_BLOCK_SECONDS = 2e-3
_BLOCK_BYTES = 1 << 21  # points of a block, which may have to be copied
_SUM_BYTES = 1 << 20  # sums of outer products that a block may hold before the Gaussians are taken in several parts
_STREAM_BYTES = 1 << 23  # gradients in x and in matrices of points beyond this are written past the caches
_TILE = 96  # points: blocks are multiples of it
_CHAIN = 32  # rows that are added one after the other


# ---------------------------------------------------------------------------------------- sums over broadcast axes


def sum_runs(index: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that have the same index added up: distinct indices in ascending order, and their sums in float64.

    Sums of sums of a few rows in a row, so that the rounding error does not grow with their number.
    """
    if (np.diff(index) < 0).any():
        order = np.argsort(index, kind="stable")
        index, rows = index[order], rows[order]
    rows = rows.astype(np.float64, copy=False)
    while len(index) > 1:
        first = np.concatenate(([True], index[1:] != index[:-1]))
        if first.all():
            break
        position = np.arange(len(index))
        start = np.maximum.accumulate(np.where(first, position, 0))
        starts = np.flatnonzero((position - start) % _CHAIN == 0)
        index, rows = index[starts], np.add.reduceat(rows, starts, axis=0)
    return index, rows


class _Target:
    """The gradient in one argument, filled block by block."""

    def __init__(
        self, result: np.ndarray, core: int, lead: tuple[int, ...], *groups: list[int]
    ) -> None:
        """`groups`: the axes of `lead` that the two leading axes of a block stand for."""
        self._result, self._core = result, core
        own = result.shape[: result.ndim - core]
        wide = (1,) * (len(lead) - len(own)) + own
        # Every entry is one of a block, so blocks are written at once and in any order.
        self.direct = all(wide[axis] == lead[axis] for group in groups for axis in group)
        if self.direct:
            self._rows = Rows(result, core, lead, *groups)
        else:
            positions = np.arange(int(np.prod(own, dtype=np.intp))).reshape(own)
            self._positions = Rows(positions, 0, lead, *groups)
            self._sums = np.zeros((positions.size, *result.shape[result.ndim - core :]))

    def memory(self, *slices: slice) -> np.ndarray | None:
        """The block as contiguous memory that a kernel may write to, if it is that."""
        if not self.direct:
            return None
        target = self._rows.target(*slices)
        good = target is not None and target.flags.c_contiguous and target.flags.aligned
        return target if good else None

    def put(self, block: np.ndarray, *slices: slice, add: bool = False) -> tuple[np.ndarray, np.ndarray] | None:
        """Write a block, or return what `add` must be called with, in the order of the blocks. `add`: to what is there."""
        if not self.direct:
            shape = tuple(part.stop - part.start for part in slices)
            index = np.broadcast_to(self._positions.block(*slices), shape).reshape(-1)
            return sum_runs(index, block.reshape(len(index), *block.shape[len(shape) :]))
        target = self._rows.target(*slices)
        if add:
            block = block + (self._rows.block(*slices) if target is None else target)
        if target is None:
            self._rows.put(block.astype(self._result.dtype, copy=False), *slices)
        else:
            target[...] = block
        return None

    def add(self, index: np.ndarray, rows: np.ndarray) -> None:
        self._sums[index] += rows

    def finish(self) -> None:
        if not self.direct:
            self._result[...] = self._sums.reshape(self._result.shape)


def _in_order(
    count: int, seconds: float, partial_bytes: int, block: Callable[[int], Any], commit: Callable[[Any], None] | None
) -> None:
    """``commit(block(i))`` for all i: blocks on several threads, results in order, a few at a time.

    Without `commit` the blocks need no order.
    """
    threads = parallel.get_num_threads()
    wave = count if commit is None else threads * (4 if partial_bytes <= _SUM_BYTES else 1)
    for start in range(0, count, max(wave, 1)):
        size = min(wave, count - start)
        results: list[Any] = [None] * size

        def one(i: int, start: int = start, results: list[Any] = results) -> None:
            results[i] = block(start + i)

        parallel.run_blocks(one, size, seconds=seconds / count * size)
        if commit is not None:
            for i in range(size):
                commit(results[i])
                results[i] = None


# ---------------------------------------------------------------------------------------- the call


def log_prob_gradients(
    function: str, mvn: Any, x: np.ndarray, dtype: np.dtype, *, wrt: Any, out: Any
) -> tuple[Any, Any]:
    """(value, gradient) or (value, (gradients, …)) of ``mvn.log_prob`` at `x`, an array of shape (..., d)."""
    form = mvn._form
    loc, matrix = mvn._factor_in(dtype)
    lead = broadcast_shapes(function, **{"x's leading axes": x.shape[:-1], "batch_shape": mvn.batch_shape})
    shapes = {"x": x.shape, "loc": loc.shape, form: matrix.shape}
    results = Results(function, lead, dtype, shapes, x, loc, matrix, wrt=wrt, out=out)
    with np.errstate(all="ignore"):  # infinities and NaN come from x; the workers have this context too
        _Pass(form, x, loc, matrix, results.value, results.gradients).run()
    return results.hand_over()


class _Pass:
    """One evaluation: who meets whom, the targets, and the blocks."""

    def __init__(
        self, form: str, x: np.ndarray, loc: np.ndarray, matrix: np.ndarray, value: np.ndarray,
        gradients: dict[str, np.ndarray],
    ) -> None:
        self.form, self.dtype, self.lead, self.gradients = form, matrix.dtype, value.shape, gradients
        lead, core = self.lead, 1 if form == "variance" else 2
        self.d = d = loc.shape[-1]
        batch = matrix.shape[: matrix.ndim - core]
        axes, self.centred = Axes.of_gaussians(x.shape[:-1], loc.shape[:-1], batch, lead, form == "variance")
        self.e, self.n, self.k = axes.sizes()
        self.each = bool(axes.each) and self.n == 1 and self.k == 1 and form != "variance" and d <= EACH_MAX
        of_points, of_gaussians = (axes.each, axes.points), (axes.each, axes.matrices)
        self.x = Rows(x, 1, lead, *of_points)
        self.loc = Rows(loc, 1, lead, *(of_points if self.centred else of_gaussians))
        self.matrix = Rows(matrix, core, lead, *of_gaussians)
        self.values = Rows(value, 0, lead, *of_points, axes.matrices)
        large = form if self.each else "x"
        self.stream = large in gradients and gradients[large].nbytes > _STREAM_BYTES
        self.of_rows: list[tuple[_Target, int]] = []  # targets that rows go to, and their signs
        self.of_sums: _Target | None = None
        self.of_matrix: _Target | None = None
        if "x" in gradients:
            self.of_rows.append((_Target(gradients["x"], 1, lead, *of_points), 1))
        if "loc" in gradients and (self.centred or self.each):
            self.of_rows.append((_Target(gradients["loc"], 1, lead, *of_points), -1))
        elif "loc" in gradients:
            self.of_sums = _Target(gradients["loc"], 1, lead, *of_gaussians)
        if form in gradients:
            self.of_matrix = _Target(gradients[form], core, lead, *of_gaussians)

    def run(self) -> None:
        if self.e * self.n * self.k == 0:
            for gradient in self.gradients.values():
                gradient[...] = 0
            return
        d, core = self.d, 1 if self.form == "variance" else 2
        part = min(self.k, max(1, _SUM_BYTES // (8 * d**core)))
        for start in range(0, self.k, part):
            self._gaussians(slice(start, min(self.k, start + part)))
        for target in [*(target for target, _ in self.of_rows), self.of_sums, self.of_matrix]:
            if target is not None:
                target.finish()

    # ------------------------------------------------------------------------------------ blocks

    def _seconds(self) -> float:
        """Rough cost of one value, to choose blocks; the same on every machine, as blocks must be."""
        d = self.d
        if self.form == "variance":
            return 2e-9 * (d + 1)
        if self.each:
            return 2e-8 + d * d * (1.5e-9 + 0.04e-9 * d)
        return 2e-9 + d * (0.6e-9 + 0.08e-9 * d)

    def _gaussians(self, k: slice) -> None:
        """All points under a part of the Gaussians."""
        seconds = self._seconds() * (k.stop - k.start)
        rows = min(_BLOCK_SECONDS / seconds, _BLOCK_BYTES / (self.d * self.dtype.itemsize))
        least = min(4 * self.d, 12 * _TILE, 0.1 / seconds)  # to pay for d² sums per block; 0.1 s answer Ctrl-C in time
        rows = int(max(rows, least, 4 * _TILE)) // _TILE * _TILE
        if self.n > rows:
            self._long(k, rows, seconds)
        else:
            self._short(k, seconds)

    def _short(self, k: slice, seconds: float) -> None:
        """Blocks of whole problems."""
        per_problem = seconds * self.n + (seconds * self.d if self.of_matrix and not self.each else 0)
        bytes_per_problem = 8 * self.d * (self.n + (k.stop - k.start) * self.d)
        problems = max(1, int(min(_BLOCK_SECONDS / per_problem, _BLOCK_BYTES / bytes_per_problem)))
        targets = [*(target for target, _ in self.of_rows), self.of_sums]
        ordered = any(target is not None and not target.direct for target in targets) or (
            self.of_matrix is not None and not self.of_matrix.direct
        )

        def block(i: int) -> list[Any]:
            e = slice(i * problems, min(self.e, (i + 1) * problems))
            if self.each:
                return self._each(e)
            pending, sums, outer = self._points(e, slice(0, self.n), k)
            return pending + self._store(e, k, sums, outer)

        count = -(-self.e // problems)
        _in_order(count, per_problem * self.e, 0, block, _add_all if ordered else None)

    def _long(self, k: slice, rows: int, seconds: float) -> None:
        """Problems one after the other, each in blocks of points."""
        width = 8 * self.d * (k.stop - k.start) * (self.d if self.of_matrix and self.form != "variance" else 1)
        for problem in range(self.e):
            e = slice(problem, problem + 1)
            totals: list[Any] = [None, None]

            def block(i: int, e: slice = e) -> Any:
                return self._points(e, slice(i * rows, min(self.n, (i + 1) * rows)), k)

            def commit(result: Any, totals: list[Any] = totals) -> None:
                _add_all(result[0])
                for i in range(2):
                    if totals[i] is None:
                        totals[i] = result[1 + i]
                    elif result[1 + i] is not None:
                        totals[i] += result[1 + i]

            _in_order(-(-self.n // rows), seconds * self.n, width, block, commit)
            _add_all(self._store(e, k, *totals))

    def _input(self, e: slice, n: slice, k: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points, means and matrices of a block as the kernels take them."""
        x, loc, matrix = self.x.block(e, n), None, self.matrix.block(e, k)
        if not (x.dtype.isnative and x.dtype == self.dtype and x.flags.aligned):
            x = x.astype(self.dtype)
        if self.centred:
            x = x - self.loc.block(e, n)
            loc = np.broadcast_to(np.zeros(self.d, self.dtype), (len(x), k.stop - k.start, self.d))
        else:
            loc = self.loc.block(e, k)
        return x, loc, matrix

    def _value(self, e: slice, n: slice, k: slice) -> tuple[np.ndarray, bool]:
        """Memory for the values of a block, and whether they must be put in their place."""
        target = self.values.target(e, n, k)
        if target is not None and target.flags.aligned:
            return target, False
        return np.empty((e.stop - e.start, n.stop - n.start, k.stop - k.start), self.dtype), True

    def _put_rows(self, rows: np.ndarray, memory: Any, e: slice, n: slice, add: bool) -> list[Any]:
        pending = []
        for target, sign in self.of_rows:
            if rows is memory and sign == 1 and target.direct:
                continue
            rest = target.put(rows if sign == 1 else -rows, e, n, add=add)
            if rest is not None:
                pending.append((target, rest))
        return pending

    def _each(self, e: slice) -> list[Any]:
        """A block of problems of one point under one Gaussian."""
        one, size = slice(0, 1), e.stop - e.start
        x, loc, matrix = self._input(e, one, one)
        value, fresh = self._value(e, one, one)
        memory = self.of_rows[0][0].memory(e, one) if self.of_rows and self.of_rows[0][1] == 1 else None
        rows = memory
        if rows is None and self.of_rows:
            rows = np.empty((size, 1, self.d), self.dtype)
        gradient = target = None
        if self.of_matrix is not None:
            target = self.of_matrix.memory(e, one)
            gradient = np.empty((size, 1, self.d, self.d), self.dtype) if target is None else target
        mvn_gradient(self.form, True, x, loc, matrix, value, rows=rows, gradient=gradient, stream=self.stream)
        if fresh:
            self.values.put(value, e, one, one)
        pending = []
        if rows is not None:
            pending = self._put_rows(rows, memory, e, one, False)
        if self.of_matrix is not None and target is None and gradient is not None:
            self.of_matrix.put(gradient, e, one)
        return pending

    def _points(self, e: slice, n: slice, k: slice) -> tuple[list[Any], Any, Any]:
        """A block of points: what is left to add of its rows, Σₙ s, and the sum of outer products."""
        x, loc, matrix = self._input(e, n, k)
        value, fresh = self._value(e, n, k)
        problems, points, gaussians = value.shape
        memory = rows = row_sums = None
        if self.of_rows and self.k == 1:
            target, sign = self.of_rows[0]
            memory = target.memory(e, n) if sign == 1 else None
            rows = np.empty((problems, points, self.d), self.dtype) if memory is None else memory
        elif self.of_rows:
            row_sums = np.zeros((problems, points, self.d))
        sums = np.empty((problems, gaussians, self.d)) if self.of_sums is not None else None
        outer = np.empty(matrix.shape) if self.of_matrix is not None else None
        if self.form == "variance":
            ufuncs.mvn_log_prob_diagonal(x[:, :, None], loc[:, None], matrix[:, None], out=value)
        mvn_gradient(
            self.form, False, x, loc, matrix, value, rows=rows, row_sums=row_sums, sums=sums, outer=outer,
            stream=self.stream and memory is not None,
        )  # fmt: skip
        if fresh:
            self.values.put(value, e, n, k)
        pending = []
        if rows is not None:
            pending = self._put_rows(rows, memory, e, n, False)
        elif row_sums is not None:
            pending = self._put_rows(row_sums, None, e, n, k.start > 0)
        return pending, sums, outer

    def _store(self, e: slice, k: slice, sums: Any, outer: Any) -> list[Any]:
        """Sums over all points of problems to the gradients in the mean and the matrix."""
        pending = []
        if self.of_sums is not None:
            rest = self.of_sums.put(sums, e, k)
            if rest is not None:
                pending.append((self.of_sums, rest))
        if self.of_matrix is not None:
            gradient = _matrix_gradient(self.form, outer, self.matrix.block(e, k), self.n)
            rest = self.of_matrix.put(gradient, e, k)
            if rest is not None:
                pending.append((self.of_matrix, rest))
        return pending


def _add_all(pending: list[Any]) -> None:
    for target, rest in pending:
        target.add(*rest)


def _matrix_gradient(form: str, outer: np.ndarray, matrix: np.ndarray, n: int) -> np.ndarray:
    """The gradient in a matrix from the sum of outer products over n points, in place."""
    if form == "variance":
        outer -= n / matrix.astype(np.float64)
        outer *= 0.5
    elif form == "scale_tril":
        diagonal = np.arange(matrix.shape[-1])
        outer[..., diagonal, diagonal] -= n / matrix[..., diagonal, diagonal].astype(np.float64)
    else:
        inverse = _inverse(form, matrix)
        for i in np.ndindex(outer.shape[:2]):
            outer[i] -= n * inverse[i]
        outer *= 0.5 if form == "covariance" else -0.5
    return outer


def _inverse(form: str, matrix: np.ndarray) -> np.ndarray:
    """Σ⁻¹ from L, or Σ from W with Σ⁻¹ = WᵀW, of shape (E, K, d, d): the vectors s of unit points.

    In reversed order of coordinates Wᵀ is a lower triangle, whose product with its transpose is Σ⁻¹.
    """
    if form == "precision":
        matrix = np.ascontiguousarray(matrix[..., ::-1, ::-1].swapaxes(-1, -2))
    problems, gaussians, d = matrix.shape[:3]
    unit = np.broadcast_to(np.eye(d, dtype=matrix.dtype), (problems, d, d))
    zero = np.broadcast_to(np.zeros(d, matrix.dtype), (problems, 1, d))
    value = np.empty((problems, d, 1), matrix.dtype)
    inverse = np.empty((gaussians, problems, d, d), matrix.dtype)
    for k in range(gaussians):
        mvn_gradient("covariance", False, unit, zero, matrix[:, k : k + 1], value, rows=inverse[k])
    inverse = inverse.swapaxes(0, 1)
    inverse = -0.5 * (inverse + inverse.swapaxes(-1, -2))
    return inverse[..., ::-1, ::-1] if form == "precision" else inverse
