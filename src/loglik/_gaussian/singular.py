r"""Gaussians whose covariance is singular: the density on their support.

A covariance of rank r is :math:`\Sigma = B B^T` with B of shape (d, r), and the points are :math:`x = \mu + B z` with z
standard normal. With respect to Lebesgue measure on that r-dimensional plane

.. math::

    \log p(x) = -\tfrac12 |z|^2 - \tfrac12 \log\det(B^T B) - \tfrac r2 \log 2\pi

and det(BᵀB) is the product of the positive eigenvalues of Σ. Off the plane the density is 0.

Design
- The rank is found by a Cholesky factorisation that takes, at each step, the coordinate with the largest part of its
  variance unexplained by those taken so far. It ends when that part is at most rtol for every coordinate: the others
  count as linear functions of those taken. Scales do not matter, diag(1, 1e-10) has rank 2. A coordinate of variance 0
  is a constant. The least eigenvalue of H (Σ scaled to unit diagonal) bounds the unexplained parts from below, so with
  the default rtol = (d + 1)²·u every matrix that an ordinary factorisation is guaranteed to survive has full rank.
- The factor of the coordinates taken, continued with the rows of the others and their standard deviations on the
  diagonal, is a triangle: one forward substitution (`ufuncs.whiten`) gives z and, for every other coordinate, what is
  left of it in standard deviations. That must vanish up to √rtol (the deviation that the rank rule neglects) and
  rounding.
- det(BᵀB) comes from B = P·L·U·Q by elimination with complete pivoting: 2·log|det U| + log det(LᵀL) is right for rows on
  any scales, where eigenvalues of Σ would drown in the largest (J. Demmel et al., Computing the singular value
  decomposition with high relative accuracy, 1999).
- Everything is in float64 and only at the singular items of a batch; the others take the ordinary kernels.
"""

import math
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from loglik import ufuncs
from loglik._engine.validate import describe_entry
from loglik._gaussian.axes import BLOCK_SECONDS, Axes, Rows, run
from loglik._gaussian.matrices import (
    batch_index,
    blocks,
    check_diagonal,
    check_symmetric,
    check_triangular,
    items,
    named,
    smallest_eigenvalue,
    triangular,
)

LOG_2PI = math.log(2 * math.pi)
_SECONDS = 1e-8  # of the evaluation, per coordinate
_BLOCK_ELEMENTS = 1 << 17  # of the matrices of a block


def default_rtol(form: str, d: int, dtype: np.dtype) -> float:
    """(d + 1)²·u, the rounding of a covariance; for a factor, whose rows are deviations, its square."""
    u = float(np.finfo(dtype).eps) / 2
    return ((d + 1) ** 2 * u) ** (2 if form == "scale_tril" else 1)


# ---------------------------------------------------------------------------------------- rank


def _exponents(std: np.ndarray) -> np.ndarray:
    """Powers of two next to the standard deviations; 0 for constants."""
    return np.frexp(std)[1].astype(np.int64)


def _pivoted(matrix: np.ndarray, form: str, rtol: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pivoted factorisation of matrices (items, d, d), a covariance or a factor, in float64.

    Returns B (items, d, d) with columns from the rank on zero; rank; order (items, d), coordinates taken first; and the
    largest entry left of the scaled matrix, which is positive semidefinite only if that is about rtol.
    """
    count, d = matrix.shape[:2]
    every = np.arange(count)
    if form == "scale_tril":
        largest = np.abs(matrix).max(axis=-1, initial=0.0)
        exponent = _exponents(largest)
        rest = np.ldexp(matrix, -exponent[:, :, None])
        total = np.square(rest).sum(axis=-1)
    else:
        exponent = _exponents(np.sqrt(np.diagonal(matrix, axis1=-2, axis2=-1)))
        rest = np.ldexp(np.ldexp(matrix, -exponent[:, :, None]), -exponent[:, None, :])
        total = np.diagonal(rest, axis1=-2, axis2=-1).copy()
    varies = total > 0
    b = np.zeros((count, d, d))
    active = varies.copy()
    order = np.zeros((count, d), np.int64)
    rank = np.zeros(count, np.int64)
    inverse = np.divide(1.0, total, out=np.zeros_like(total), where=varies)
    for k in range(d):
        if form == "scale_tril":
            left = np.square(rest).sum(axis=-1)
        else:
            left = np.diagonal(rest, axis1=-2, axis2=-1)
        share = np.where(active, left * inverse, -1.0)
        j = share.argmax(axis=-1)
        go = (share[every, j] > rtol) & (rank == k)
        if not go.any():
            break
        root = np.sqrt(np.where(go, left[every, j], 1.0))
        if form == "scale_tril":
            direction = rest[every, j] / root[:, None]
            column = np.einsum("ijk,ik->ij", rest, direction)
        else:
            column = rest[every, :, j] / root[:, None]
        column = np.where(active & go[:, None], column, 0.0)
        column[every, j] = np.where(go, root, 0.0)
        if form == "scale_tril":
            rest = rest - column[:, :, None] * direction[:, None, :]
        else:
            rest = rest - column[:, :, None] * column[:, None, :]
        b[:, :, k] = column
        active[every[go], j[go]] = False
        order[every[go], k] = j[go]
        rank[go] += 1
    deviation = np.sqrt(inverse)
    if form == "scale_tril":
        residue = np.zeros(count)
    else:
        scaled = np.abs(rest) * deviation[:, :, None] * deviation[:, None, :]
        scaled *= active[:, :, None] & active[:, None, :]
        residue = scaled.max(axis=(-1, -2), initial=0.0)
    group = np.where(varies, np.where(active, 1, 0), 2)  # after those taken the dependent ones, then constants
    order = np.where(np.arange(d) < rank[:, None], order, np.argsort(group, axis=-1, kind="stable"))
    return np.ldexp(b, exponent[:, :, None]), rank, order, residue


# ---------------------------------------------------------------------------------------- determinant


def _log_volume(b: np.ndarray) -> np.ndarray:
    """log det(BᵀB) / 2 for (items, d, r) of full rank r, by elimination with complete pivoting."""
    count, d, r = b.shape
    every = np.arange(count)
    rest = b.copy()
    lower = np.zeros_like(b)
    free = np.ones((count, d), bool)
    log_det = np.zeros(count)
    for k in range(r):
        size = np.abs(rest).reshape(count, -1)
        row, column = np.divmod(size.argmax(axis=-1), r)
        pivot = rest[every, row, column]
        log_det += np.log(np.abs(pivot))
        multiplier = np.where(free, rest[every, :, column] / pivot[:, None], 0.0)
        multiplier[every, row] = 1.0
        lower[:, :, k] = multiplier
        rest = rest - multiplier[:, :, None] * rest[every, row][:, None, :]
        free[every, row] = False
        rest[every, row] = 0.0
        rest[every, :, column] = 0.0
    gram = lower.swapaxes(-1, -2) @ lower
    return log_det + 0.5 * np.linalg.slogdet(gram)[1]


# ---------------------------------------------------------------------------------------- the support


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

    def overwrite(
        self, x: np.ndarray, loc: np.ndarray, result: np.ndarray, mahalanobis: bool = False
    ) -> None:
        """Write log-densities (or distances) under the singular items into `result`, (broadcast leading axes)."""
        lead, d = result.shape, x.shape[-1]
        axes = Axes.of(x.shape[:-1], self.batch, lead)
        points, means = Rows(x, 1, lead, axes.each, axes.points), Rows(loc, 1, lead, *_groups(axes))
        chosen = self.item_of_matrix().reshape(self.batch)
        matrices = Rows(chosen, 0, lead, axes.each, axes.matrices)
        values = Rows(result, 0, lead, *_groups(axes))
        _, n_points, n_matrices = axes.sizes()
        roundoff = max(self.roundoff, np.finfo(x.dtype).eps / 2 if x.dtype.kind == "f" else 0.0)

        def block(e: slice, n: slice) -> None:
            p = points.block(e, n)
            for k in range(n_matrices):
                one = slice(k, k + 1)
                item = matrices.block(e, one)[:, 0]
                at = np.flatnonzero(item >= 0)
                if len(at):
                    value = values.block(e, n, one)
                    m = means.block(e, n, one)[:, :, 0]
                    some = slice(None) if len(at) == len(item) else at
                    if n_points == 1 or mahalanobis:
                        value[some, :, 0] = self._evaluate(p[some], m[some], item[at], roundoff, mahalanobis)
                    else:
                        for i in at:
                            value[i, :, 0] = self._many(p[i], m[i], item[i : i + 1], roundoff)
                    if values.target(e, n, one) is None:
                        values.put(value, e, n, one)

        # Where points bring their matrices, those of a block are gathered.
        gathered = BLOCK_SECONDS * self.factor[:1].size / _BLOCK_ELEMENTS if axes.each else 0.0
        run(axes, max(_SECONDS * (d + 1), gathered), block)

    def _many(self, x: np.ndarray, loc: np.ndarray, item: np.ndarray, roundoff: float) -> np.ndarray:
        """Log-densities (n,) of points (n, d) under one matrix, by the kernels of regular ones.

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
        """Values (e, n) of points (e, n, d) with means likewise, and one item per e."""
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


def _groups(axes: Axes) -> tuple[list[int], list[int], list[int]]:
    return axes.each, axes.points, axes.matrices


# ---------------------------------------------------------------------------------------- construction


def _support(
    found: tuple[np.ndarray, ...], where: np.ndarray, batch: tuple[int, ...], tolerance: float, roundoff: float
) -> "Support":
    """The support of the singular matrices, from their B (items, d, d), rank and order."""
    b, rank, order = found
    d = b.shape[-1]
    taken = np.arange(d) < rank[:, None]
    b = np.where(taken[:, None, :], b, 0.0)
    log_volume = np.zeros(len(where))
    for r in np.unique(rank):
        some = np.flatnonzero(rank == r)
        log_volume[some] = _log_volume(b[some][:, :, :r])
    factor = np.take_along_axis(b, order[..., None], axis=1)
    scale = np.ldexp(1.0, -_exponents(np.abs(factor).max(axis=-1)))
    factor *= scale[..., None]
    std = np.sqrt(np.square(factor).sum(axis=-1))
    diagonal = np.arange(d)
    beyond = np.where(std == 0, 1.0, std)
    factor[:, diagonal, diagonal] = np.where(taken, factor[:, diagonal, diagonal], beyond)
    constants = (std == 0).sum(axis=-1)
    return Support(batch, where, rank, order, scale, factor, constants, log_volume, tolerance, roundoff)


def _support_of_variances(variance: np.ndarray, batch: tuple[int, ...], roundoff: float) -> "Support | None":
    """The support of independent coordinates (items, d) of which some are constant; None where none is."""
    where = np.flatnonzero((variance == 0).any(axis=-1))
    if not len(where):
        return None
    v = variance[where].astype(np.float64)
    constant = v == 0
    order = np.argsort(constant, axis=-1, kind="stable")
    v, constant = np.take_along_axis(v, order, -1), np.take_along_axis(constant, order, -1)
    v = np.where(constant, 1.0, v)
    log_volume = 0.5 * np.log(v).sum(axis=-1)
    std = np.sqrt(v)
    scale = np.ldexp(1.0, -_exponents(std))
    constants = constant.sum(axis=-1)
    rank = v.shape[-1] - constants
    return Support(batch, where, rank, order, scale, std * scale, constants, log_volume, 0.0, roundoff)


def separate(function: str, form: str, matrix: np.ndarray, rtol: float | None) -> "Support | None":
    """Check matrices (..., d, d), or variances (..., d), that may be singular; the support of those that are."""
    d, roundoff = matrix.shape[-1], float(np.finfo(matrix.dtype).eps) / 2
    if form == "variance":
        check_diagonal(function, form, matrix, 1, zero=True)
        return _support_of_variances(items(matrix, 1), matrix.shape[:-1], roundoff)
    check_diagonal(function, form, matrix, 2, zero=True)
    if form == "scale_tril":
        check_triangular(function, form, matrix)
    default = default_rtol(form, d, matrix.dtype)
    limit = default if rtol is None else float(rtol)
    batch, members = matrix.shape[:-2], items(matrix, 2)
    found: list[tuple[np.ndarray, ...]] = []
    where: list[np.ndarray] = []
    for block in blocks(len(members), 8 * d * d):
        part = members[block]
        if form == "covariance":
            _check_constants(function, form, part, batch, block.start)
            check_symmetric(function, form, part, batch, block.start)
        lower, refused = _ordinary(part, form)
        at = np.flatnonzero(refused | ~_surely_regular(part, lower, form, limit))
        if not len(at):
            continue
        whole = np.tril(part[at].astype(np.float64))
        if form == "covariance":
            whole += np.tril(whole, -1).swapaxes(-1, -2)
        b, rank, order, residue = _pivoted(whole, form, limit)
        bad = residue > 2 * max(limit, default)
        if bad.any():
            _raise_indefinite(function, form, part, int(at[np.argmax(bad)]), block.start, batch)
        # The rank rule may pass what a factorisation in another order does not survive.
        rank = np.where(refused[at], np.minimum(rank, d - 1), rank)
        singular = np.flatnonzero(rank < d)
        where.append(block.start + at[singular])
        found.append((b[singular], rank[singular], order[singular]))
    if not sum(map(len, where)):
        return None
    b, rank, order = (np.concatenate(column) for column in zip(*found, strict=True))
    tolerance = math.sqrt(max(limit, default, default_rtol("covariance", d, matrix.dtype)))
    return _support((b, rank, order), np.concatenate(where), batch, tolerance, roundoff)


def _ordinary(part: np.ndarray, form: str) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of matrices (items, d, d) by the ordinary factorisation, and where there is none."""
    if form == "scale_tril":
        return part, (np.diagonal(part, axis1=-2, axis2=-1) == 0).any(axis=-1)
    with np.errstate(invalid="ignore"):
        lower, info = ufuncs.cholesky(part)
    return lower, info != 0


def _surely_regular(part: np.ndarray, lower: np.ndarray, form: str, limit: float) -> np.ndarray:
    """Where the smallest eigenvalue of H exceeds the tolerance, since det H / e does (the eigenvalues add up to d)."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        pivots = np.diagonal(lower, axis1=-2, axis2=-1).astype(np.float64)
        if form == "scale_tril":
            largest = np.abs(part).max(axis=-1)
            std = largest * np.sqrt(np.square(part / largest[..., None]).sum(axis=-1, dtype=np.float64))
        else:
            std = np.sqrt(np.diagonal(part, axis1=-2, axis2=-1).astype(np.float64))
        return np.prod(np.square(pivots / std), axis=-1) > 2 * math.e * limit


def _check_constants(function: str, form: str, part: np.ndarray, batch: tuple[int, ...], first: int) -> None:
    """A coordinate of variance 0 has no covariance with any other."""
    constant = np.diagonal(part, axis1=-2, axis2=-1) == 0
    wrong = (part != 0) & (constant[:, :, None] | constant[:, None, :])
    if wrong.any():
        item, i, j = (int(k) for k in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
        index = batch_index(first + item, batch)
        k = i if constant[item, i] else j
        raise np.linalg.LinAlgError(
            f"{function}: {named(form, index)} is indefinite: {describe_entry(form, (*index, i, j), part[item, i, j])} "
            f"beside {describe_entry(form, (*index, k, k), 0.0)}"
        )


def _raise_indefinite(
    function: str, form: str, part: np.ndarray, item: int, first: int, batch: tuple[int, ...]
) -> NoReturn:
    varies = np.diagonal(part[item]) > 0
    smallest = smallest_eigenvalue(part[item][np.ix_(varies, varies)])
    raise np.linalg.LinAlgError(
        f"{function}: {named(form, batch_index(first + item, batch))} is indefinite: its smallest eigenvalue, scaled to "
        f"unit diagonal, is {smallest:.3g}"
    )


def check_options(function: str, allow_singular: Any, rtol: Any, precision: bool) -> None:
    """ValueError or TypeError for options that make no sense."""
    if not isinstance(allow_singular, (bool, np.bool_)):
        raise TypeError(f"{function}: allow_singular must be True or False, got {allow_singular!r}")
    if rtol is not None:
        if isinstance(rtol, bool) or not isinstance(rtol, (int, float, np.integer, np.floating)):
            raise TypeError(f"{function}: singular_rtol must be a number, got {rtol!r}")
        if not allow_singular:
            raise ValueError(f"{function}: singular_rtol = {rtol} has no meaning without allow_singular=True")
        if not 0 <= rtol < 1:
            raise ValueError(f"{function}: singular_rtol must be in [0, 1), got {rtol}")
    if allow_singular and precision:
        raise ValueError(
            f"{function}: allow_singular=True has no meaning with precision: a singular covariance has no inverse; "
            "give covariance, variance or scale_tril"
        )
