"""Gradients of the multivariate normal log-density, in blocks.

Points, means and matrices meet as in `loglik._gaussian.axes`: E problems of N points and K Gaussians. A kernel gives for a block
the values, the rows −Σₖ s, Σₙ s, and the sum over points of outer products. What an argument repeats by broadcasting is
then added up by `loglik._gaussian.gradient_targets`.
"""

from typing import Any

import numpy as np

from loglik import ufuncs
from loglik._engine.results import Results
from loglik._engine.validate import broadcast_shapes
from loglik._gaussian.axes import BroadcastAxes, GroupedArray
from loglik._gaussian.batch import GaussianBatch
from loglik._gaussian.gradient_targets import SUM_BYTES, GradientTarget, add_pending, in_order
from loglik._kernels import EACH_MAX, mvn_gradient

_BLOCK_SECONDS = 2e-3
_BLOCK_BYTES = 1 << 21  # points of a block, which may have to be copied
_STREAM_BYTES = 1 << 23  # gradients in x and in matrices of points beyond this are written past the caches
_TILE = 96  # points: blocks are multiples of it


# ---------------------------------------------------------------------------------------- the call


def log_prob_gradients(
    function: str, gaussians: GaussianBatch, x: np.ndarray, dtype: np.dtype, *, wrt: Any, out: Any
) -> Any:
    """(value, gradient) or (value, (gradients, …)) of the log-density at `x`, an array of shape (..., d)."""
    form = gaussians.form
    loc, matrix = gaussians.in_dtype(dtype)
    shape = broadcast_shapes(function, **{"x's leading axes": x.shape[:-1], "batch_shape": gaussians.batch_shape})
    shapes = {"x": x.shape, "loc": loc.shape, form: matrix.shape}
    results = Results(function, shape, dtype, shapes, x, loc, matrix, wrt=wrt, out=out)
    with np.errstate(all="ignore"):  # infinities and NaN come from x; the workers have this context too
        _GradientPass(form, x, loc, matrix, results.value, results.gradients).run()
    return results.hand_over()


class _GradientPass:
    """One evaluation: how points meet Gaussians, the targets, and the blocks."""

    def __init__(
        self, form: str, x: np.ndarray, loc: np.ndarray, matrix: np.ndarray, value: np.ndarray,
        gradients: dict[str, np.ndarray],
    ) -> None:
        self.form, self.dtype, self.gradients = form, matrix.dtype, gradients
        shape, core = value.shape, 1 if form == "variance" else 2
        self.d = d = loc.shape[-1]
        matrix_batch = matrix.shape[: matrix.ndim - core]
        axes, self.centred = BroadcastAxes.classify_with_means(
            x.shape[:-1], loc.shape[:-1], matrix_batch, shape, diagonal=form == "variance"
        )
        self.e, self.n, self.k = axes.sizes()
        self.paired = bool(axes.paired) and self.n == 1 and self.k == 1 and form != "variance" and d <= EACH_MAX
        point_groups, matrix_groups = (axes.paired, axes.point_only), (axes.paired, axes.matrix_only)
        self.x = GroupedArray(x, 1, shape, *point_groups)
        self.loc = GroupedArray(loc, 1, shape, *(point_groups if self.centred else matrix_groups))
        self.matrix = GroupedArray(matrix, core, shape, *matrix_groups)
        self.values = GroupedArray(value, 0, shape, *point_groups, axes.matrix_only)
        large = form if self.paired else "x"
        self.stream = large in gradients and gradients[large].nbytes > _STREAM_BYTES
        self.row_targets: list[tuple[GradientTarget, int]] = []  # that the rows −s of points go to, and their signs
        self.mean_target: GradientTarget | None = None  # that the sums of s over points go to
        self.matrix_target: GradientTarget | None = None
        if "x" in gradients:
            self.row_targets.append((GradientTarget(gradients["x"], 1, shape, *point_groups), 1))
        if "loc" in gradients and (self.centred or self.paired):
            self.row_targets.append((GradientTarget(gradients["loc"], 1, shape, *point_groups), -1))
        elif "loc" in gradients:
            self.mean_target = GradientTarget(gradients["loc"], 1, shape, *matrix_groups)
        if form in gradients:
            self.matrix_target = GradientTarget(gradients[form], core, shape, *matrix_groups)

    def run(self) -> None:
        """Fill the value and the gradients."""
        if self.e * self.n * self.k == 0:
            for gradient in self.gradients.values():
                gradient[...] = 0
            return
        d, core = self.d, 1 if self.form == "variance" else 2
        step = min(self.k, max(1, SUM_BYTES // (8 * d**core)))
        for start in range(0, self.k, step):
            self._run_gaussians(slice(start, min(self.k, start + step)))
        for target in [*(target for target, _ in self.row_targets), self.mean_target, self.matrix_target]:
            if target is not None:
                target.finish()

    # ------------------------------------------------------------------------------------ blocks

    def _seconds(self) -> float:
        """Rough cost of one value, to choose blocks; the same on every machine, as blocks must be."""
        d = self.d
        if self.form == "variance":
            return 2e-9 * (d + 1)
        if self.paired:
            return 2e-8 + d * d * (1.5e-9 + 0.04e-9 * d)
        return 2e-9 + d * (0.6e-9 + 0.08e-9 * d)

    def _run_gaussians(self, k: slice) -> None:
        """All points under some of the Gaussians."""
        seconds = self._seconds() * (k.stop - k.start)
        rows = min(_BLOCK_SECONDS / seconds, _BLOCK_BYTES / (self.d * self.dtype.itemsize))
        least = min(4 * self.d, 12 * _TILE, 0.1 / seconds)  # to pay for d² sums per block; 0.1 s answer Ctrl-C in time
        rows = int(max(rows, least, 4 * _TILE)) // _TILE * _TILE
        if self.n > rows:
            self._run_blocks_of_points(k, rows, seconds)
        else:
            self._run_blocks_of_problems(k, seconds)

    def _run_blocks_of_problems(self, k: slice, seconds: float) -> None:
        """Blocks of whole problems."""
        per_problem = seconds * self.n + (seconds * self.d if self.matrix_target and not self.paired else 0)
        bytes_per_problem = 8 * self.d * (self.n + (k.stop - k.start) * self.d)
        problems = max(1, int(min(_BLOCK_SECONDS / per_problem, _BLOCK_BYTES / bytes_per_problem)))
        targets = [*(target for target, _ in self.row_targets), self.mean_target]
        ordered = any(target is not None and not target.direct for target in targets) or (
            self.matrix_target is not None and not self.matrix_target.direct
        )

        def block(i: int) -> list[Any]:
            e = slice(i * problems, min(self.e, (i + 1) * problems))
            if self.paired:
                return self._paired_block(e)
            pending, row_sums, outer_sums = self._shared_block(e, slice(0, self.n), k)
            return pending + self._put_sums(e, k, row_sums, outer_sums)

        count = -(-self.e // problems)
        in_order(count, per_problem * self.e, 0, block, add_pending if ordered else None)

    def _run_blocks_of_points(self, k: slice, rows: int, seconds: float) -> None:
        """Problems one after the other, each in blocks of points."""
        width = 8 * self.d * (k.stop - k.start) * (self.d if self.matrix_target and self.form != "variance" else 1)
        for problem in range(self.e):
            e = slice(problem, problem + 1)
            totals: list[Any] = [None, None]

            def block(i: int, e: slice = e) -> Any:
                return self._shared_block(e, slice(i * rows, min(self.n, (i + 1) * rows)), k)

            def commit(result: Any, totals: list[Any] = totals) -> None:
                add_pending(result[0])
                for i in range(2):
                    if totals[i] is None:
                        totals[i] = result[1 + i]
                    elif result[1 + i] is not None:
                        totals[i] += result[1 + i]

            in_order(-(-self.n // rows), seconds * self.n, width, block, commit)
            add_pending(self._put_sums(e, k, *totals))

    def _inputs(self, e: slice, n: slice, k: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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

    def _value_memory(self, e: slice, n: slice, k: slice) -> tuple[np.ndarray, bool]:
        """Memory for the values of a block, and whether they must be copied to their place."""
        memory = self.values.writable_block(e, n, k)
        if memory is not None and memory.flags.aligned:
            return memory, False
        return np.empty((e.stop - e.start, n.stop - n.start, k.stop - k.start), self.dtype), True

    def _put_rows(self, rows: np.ndarray, memory: Any, e: slice, n: slice, add: bool) -> list[Any]:
        """Write the rows −s of a block, which may be the `memory` of a target already; returns what is left to add."""
        pending = []
        for target, sign in self.row_targets:
            if rows is memory and sign == 1 and target.direct:
                continue
            to_add = target.put(rows if sign == 1 else -rows, e, n, add=add)
            if to_add is not None:
                pending.append((target, to_add))
        return pending

    def _paired_block(self, e: slice) -> list[Any]:
        """Evaluate problems of one point under one Gaussian; returns what is left to add."""
        first, size = slice(0, 1), e.stop - e.start
        x, loc, matrix = self._inputs(e, first, first)
        value, fresh = self._value_memory(e, first, first)
        memory = None
        if self.row_targets and self.row_targets[0][1] == 1:
            memory = self.row_targets[0][0].memory(e, first)
        rows = memory
        if rows is None and self.row_targets:
            rows = np.empty((size, 1, self.d), self.dtype)
        gradient = gradient_memory = None
        if self.matrix_target is not None:
            gradient_memory = self.matrix_target.memory(e, first)
            gradient = np.empty((size, 1, self.d, self.d), self.dtype) if gradient_memory is None else gradient_memory
        mvn_gradient(self.form, True, x, loc, matrix, value, rows=rows, gradient=gradient, stream=self.stream)
        if fresh:
            self.values.write_block(value, e, first, first)
        pending = [] if rows is None else self._put_rows(rows, memory, e, first, False)
        if self.matrix_target is not None and gradient_memory is None and gradient is not None:
            self.matrix_target.put(gradient, e, first)
        return pending

    def _shared_block(self, e: slice, n: slice, k: slice) -> tuple[list[Any], Any, Any]:
        """Evaluate points under Gaussians that they share; returns what is left to add of the rows, Σₙ s, and the sum of outer
        products."""
        x, loc, matrix = self._inputs(e, n, k)
        value, fresh = self._value_memory(e, n, k)
        problems, points, gaussians = value.shape
        memory = rows = sums_over_k = None
        if self.row_targets and self.k == 1:
            target, sign = self.row_targets[0]
            memory = target.memory(e, n) if sign == 1 else None
            rows = np.empty((problems, points, self.d), self.dtype) if memory is None else memory
        elif self.row_targets:
            sums_over_k = np.zeros((problems, points, self.d))
        sums_over_n = np.empty((problems, gaussians, self.d)) if self.mean_target is not None else None
        outer_sums = np.empty(matrix.shape) if self.matrix_target is not None else None
        if self.form == "variance":
            ufuncs.mvn_log_prob_diagonal(x[:, :, None], loc[:, None], matrix[:, None], out=value)
        mvn_gradient(
            self.form, False, x, loc, matrix, value, rows=rows, row_sums=sums_over_k, sums=sums_over_n, outer=outer_sums,
            stream=self.stream and memory is not None,
        )  # fmt: skip
        if fresh:
            self.values.write_block(value, e, n, k)
        pending = []
        if rows is not None:
            pending = self._put_rows(rows, memory, e, n, False)
        elif sums_over_k is not None:
            pending = self._put_rows(sums_over_k, None, e, n, k.start > 0)
        return pending, sums_over_n, outer_sums

    def _put_sums(self, e: slice, k: slice, row_sums: Any, outer_sums: Any) -> list[Any]:
        """Write the gradients in means and matrices, from sums over all points of problems; returns what is left to add."""
        pending = []
        if self.mean_target is not None:
            to_add = self.mean_target.put(row_sums, e, k)
            if to_add is not None:
                pending.append((self.mean_target, to_add))
        if self.matrix_target is not None:
            gradient = _matrix_gradient(self.form, outer_sums, self.matrix.block(e, k), self.n)
            to_add = self.matrix_target.put(gradient, e, k)
            if to_add is not None:
                pending.append((self.matrix_target, to_add))
        return pending


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
