r"""The density of Gaussians whose covariance is singular, on their support.

A covariance of rank r is :math:`\Sigma = B B^T` with B of shape (d, r), and the points are :math:`x = \mu + B z` with z
standard normal. With respect to Lebesgue measure on that r-dimensional plane

.. math::

    \log p(x) = -\tfrac12 |z|^2 - \tfrac12 \log\det(B^T B) - \tfrac r2 \log 2\pi

and det(BᵀB) is the product of the positive eigenvalues of Σ. Off the plane the density is 0.

Design
- `loglik._gaussian.singular` finds the rank and the coordinates that determine the others. Their factor, continued with the rows
  of the others and their standard deviations on the diagonal, is a triangle: one forward substitution (`ufuncs.whiten`) gives z
  and, for every other coordinate, what is left of it in standard deviations. That must vanish up to √rtol (the deviation that the
  rank rule neglects) and rounding.
- Everything is in float64 and only at the singular items of a batch; the others take the ordinary kernels.
"""

import math
from dataclasses import dataclass

import numpy as np

from loglik import ufuncs
from loglik._gaussian.axes import BLOCK_SECONDS, BroadcastAxes, GroupedArray, run
from loglik._gaussian.matrices import items, triangular

LOG_2PI = math.log(2 * math.pi)
_SECONDS = 1e-8  # of the evaluation, per coordinate
_BLOCK_ELEMENTS = 1 << 17  # of the matrices of a block


@dataclass(frozen=True)
class Support:
    """What the singular items of a batch of matrices need; `where` lists them.

    Attributes
    ----------
    batch : batch shape of the matrices.
    where : (items,) flat indices of the singular matrices.
    rank : (items,) their ranks.
    order : (items, d) coordinates taken first, in order; then dependent ones; then constants.
    scale : (items, d) powers of two that bring the coordinates, in that order, to deviations of about one.
    factor : (items, d, d) triangle in that order and scale; or (items, d), deviations of independent coordinates.
    constants : (items,) how many coordinates have variance 0.
    log_volume : (items,) log √det(BᵀB).
    tolerance : deviation, in standard deviations, that is still on the support.
    roundoff : unit roundoff of the parameters.
    """

    batch: tuple[int, ...]
    where: np.ndarray
    rank: np.ndarray
    order: np.ndarray
    scale: np.ndarray
    factor: np.ndarray
    constants: np.ndarray
    log_volume: np.ndarray
    tolerance: float
    roundoff: float

    def item_of_matrix(self) -> np.ndarray:
        """For each matrix of the batch (flat) its index among the singular ones, or -1."""
        index = np.full(math.prod(self.batch), -1)
        index[self.where] = np.arange(len(self.where))
        return index

    def regular(self, matrix: np.ndarray) -> np.ndarray:
        """The matrices (or variances) with something regular in place of the singular ones: the identity."""
        copy = matrix.copy()
        if matrix.ndim == len(self.batch) + 1:
            copy[copy == 0] = 1
        else:
            items(copy, 2)[self.where] = np.eye(matrix.shape[-1])
        return copy

    def ranks(self, d: int) -> np.ndarray:
        """Ranks of all matrices, of shape `batch`."""
        rank = np.full(math.prod(self.batch), d)
        rank[self.where] = self.rank
        return rank.reshape(self.batch)

    def entropy(self) -> np.ndarray:
        """Entropy on the support, per item."""
        return self.log_volume + 0.5 * self.rank * (1 + LOG_2PI)

    def independent(self) -> np.ndarray:
        """Triangles of the coordinates taken, (items, d, d), the others replaced by rows of the identity."""
        d = self.order.shape[-1]
        taken = np.arange(d) < self.rank[:, None]
        return np.where(taken[:, :, None], np.tril(self.factor), np.eye(d))

    def scale_tril(self) -> np.ndarray:
        """Lower triangular L with L Lᵀ = Σ, (items, d, d), where factors are triangles."""
        b = np.zeros_like(self.factor)
        taken = np.arange(self.order.shape[-1]) < self.rank[:, None]
        rows = np.where(taken[:, None, :], self.factor / self.scale[..., None], 0.0)
        np.put_along_axis(b, self.order[..., None], rows, axis=1)
        return triangular(b)

    # ------------------------------------------------------------------------------------ evaluation

    def overwrite(self, x: np.ndarray, loc: np.ndarray, result: np.ndarray, mahalanobis: bool = False) -> None:
        """Write log-densities (or distances) under the singular items into `result`, whose shape is that of the leading axes of
        points, means and matrices, broadcast."""
        shape, d = result.shape, x.shape[-1]
        axes = BroadcastAxes.classify(x.shape[:-1], self.batch, shape)
        classes = axes.paired, axes.point_only, axes.matrix_only
        points = GroupedArray(x, 1, shape, axes.paired, axes.point_only)
        means, values = GroupedArray(loc, 1, shape, *classes), GroupedArray(result, 0, shape, *classes)
        matrices = GroupedArray(self.item_of_matrix().reshape(self.batch), 0, shape, axes.paired, axes.matrix_only)
        _, n_points, n_matrices = axes.sizes()
        roundoff = max(self.roundoff, np.finfo(x.dtype).eps / 2 if x.dtype.kind == "f" else 0.0)

        def block(e: slice, n: slice) -> None:
            p = points.block(e, n)
            for matrix in range(n_matrices):
                k = slice(matrix, matrix + 1)
                item = matrices.block(e, k)[:, 0]
                singular = np.flatnonzero(item >= 0)
                if not len(singular):
                    continue
                value, m = values.block(e, n, k), means.block(e, n, k)[:, :, 0]
                if n_points == 1 or mahalanobis:
                    at = slice(None) if len(singular) == len(item) else singular
                    value[at, :, 0] = self._evaluate(p[at], m[at], item[singular], roundoff, mahalanobis)
                else:
                    for i in singular:
                        value[i, :, 0] = self._evaluate_points(p[i], m[i], item[i : i + 1], roundoff)
                if values.writable_block(e, n, k) is None:
                    values.write_block(value, e, n, k)

        # Where points bring their matrices, those of a block are gathered.
        gathered = BLOCK_SECONDS * self.factor[:1].size / _BLOCK_ELEMENTS if axes.paired else 0.0
        run(axes, max(_SECONDS * (d + 1), gathered), block)

    def _evaluate_points(self, x: np.ndarray, loc: np.ndarray, item: np.ndarray, roundoff: float) -> np.ndarray:
        """Log-densities (n,) of points (n, d), with means (n, d), under one singular item, by the kernels of regular matrices.

        The coordinates taken give |z|². The triangle of all that vary, with what is left of a dependent one in units of
        `tolerance`, gives |z|² + rest, and on the support `rest` is hardly more than max(1, |z|²). That decides nearly
        every point; those in doubt go to `_evaluate`.
        """
        d, r = x.shape[-1], int(self.rank[item[0]])
        varying = d - int(self.constants[item[0]])
        order, scale, factor = self.order[item[0]], self.scale[item[0]], self.factor[item[0]]
        with np.errstate(over="ignore", invalid="ignore"):
            p = np.take(x, order, axis=-1) * scale
            m = np.take(loc if loc.strides[0] else loc[:1], order, axis=-1) * scale
            far = 2 * np.abs(m).max(initial=0.0)  # more than twice the means, in deviations
            fixed, fixed_mean = p[:, varying:], m[:, varying:]
            on = np.isfinite(fixed) & (np.abs(fixed - fixed_mean) <= (np.abs(fixed) + np.abs(fixed_mean)) * (4 * roundoff))
            p, m = p[:, :varying], m[:, :varying]
            if len(m) > 1:
                p, m = p - m, np.zeros((1, varying))
            if factor.ndim == 1:
                variance = np.square(factor[:r])
                value = ufuncs.mvn_log_prob_diagonal(p, m[0], variance) if r else np.zeros(len(p))
                log_det = 0.5 * np.log(variance).sum()
            else:
                value = _values(p[:, :r], m[:, :r], factor[:r, :r])
                log_det = np.log(np.diagonal(factor)[:r]).sum()
            result = value + (log_det - self.log_volume[item[0]])
            result[~on.all(axis=-1)] = -np.inf
            doubtful = result[:0] != 0
            if varying > r:
                units = factor[:varying, :varying].copy()
                units[range(r, varying), range(r, varying)] *= self.tolerance
                whole = _values(p, m, units)
                log_det_whole = np.log(np.diagonal(units)).sum()
                square = np.maximum(-2 * (value + (log_det + 0.5 * LOG_2PI * r)), 0.0)
                rest = np.maximum(-2 * (whole + (log_det_whole + 0.5 * LOG_2PI * varying)) - square, 0.0)
                distance, left = np.sqrt(square), self.tolerance * np.sqrt(rest)
                rounding = 4 * (d + 1) * roundoff * (2 * far + distance + left)
                allowed = self.tolerance * np.maximum(distance, 1.0)
                off = ~(left <= 1.1 * math.sqrt(d) * (allowed + rounding))
                doubtful = ~off & (left > 0.9 * allowed)
                result[off] = -np.inf
                result[np.isnan(whole)] = np.nan
            result[np.isnan(value) | np.isnan(fixed).any(axis=-1)] = np.nan
        rows = np.flatnonzero(doubtful)
        if len(rows):
            result[rows] = self._evaluate(x[None, rows], loc[None, rows], item, roundoff, False)[0]
        return result

    def _evaluate(
        self, x: np.ndarray, loc: np.ndarray, item: np.ndarray, roundoff: float, mahalanobis: bool
    ) -> np.ndarray:
        """Log-densities, or distances, (e, n) of points (e, n, d), with means (e, n, d), and a singular item for each e."""
        d, order, scale = x.shape[-1], self.order[item][:, None], self.scale[item][:, None]
        factor, rank = self.factor[item], self.rank[item][:, None, None]
        constant = np.arange(d) >= d - self.constants[item][:, None, None]
        with np.errstate(over="ignore", invalid="ignore"):
            p = np.take_along_axis(x, order, axis=-1) * scale
            m = np.take_along_axis(loc, order, axis=-1) * scale
            delta = p - m
            nan, infinite = np.isnan(p).any(axis=-1), np.isinf(delta).any(axis=-1)
            delta[~np.isfinite(delta)] = 0.0
            y = delta / factor[:, None] if factor.ndim == 2 else ufuncs.whiten(delta, np.zeros(d), factor)
            independent = np.arange(d) < rank
            square = np.square(np.where(independent, y, 0.0)).sum(axis=-1)
            distance = np.sqrt(square)
            size = (np.abs(p) + np.abs(m)) * (4 * roundoff)
            deviation = factor if factor.ndim == 2 else np.sqrt(np.square(np.tril(factor)).sum(axis=-1))
            rounding = (d + 1) * np.where(constant, 0.0, size / deviation[:, None]).max(axis=-1)
            allowed = self.tolerance * np.maximum(distance, 1.0) + rounding
            left = np.where(independent | constant, 0.0, np.abs(y)).max(axis=-1)
            off = ~(left <= allowed) | (constant & (np.abs(delta) > size)).any(axis=-1) | infinite
            if mahalanobis:
                return np.where(nan, np.nan, np.where(off, np.inf, distance))
            shift = 0.0 - self.log_volume[item] - 0.5 * LOG_2PI * self.rank[item]
            return np.where(nan, np.nan, np.where(off, -np.inf, shift[:, None] - 0.5 * square))


def _values(p: np.ndarray, m: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Log-densities (n,) of points (n, d) with mean (1, d) and one factor (d, d); zeros for d = 0."""
    if factor.size == 0:
        return np.zeros(len(p))
    return ufuncs.mvn_log_prob_tril(p, m, factor[None])[0][:, 0]

