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
from loglik._validate import describe_entry
from loglik.distributions._grid import Axes, Rows, run
from loglik.distributions._matrices import (
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
    items, d = matrix.shape[:2]
    every = np.arange(items)
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
    b = np.zeros((items, d, d))
    active = varies.copy()
    order = np.zeros((items, d), np.int64)
    rank = np.zeros(items, np.int64)
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
        residue = np.zeros(items)
    else:
        scaled = np.abs(rest) * deviation[:, :, None] * deviation[:, None, :]
        scaled *= active[:, :, None] & active[:, None, :]
        residue = scaled.max(axis=(-1, -2), initial=0.0)
    taken = np.argsort(np.where(varies & ~active, 0, 1), axis=-1, kind="stable")  # the rest, in their order
    order = np.where(np.arange(d) < rank[:, None], order, taken)
    return np.ldexp(b, exponent[:, :, None]), rank, order, residue


# ---------------------------------------------------------------------------------------- determinant


def _log_volume(b: np.ndarray) -> np.ndarray:
    """log det(BᵀB) / 2 for (items, d, r) of full rank r, by elimination with complete pivoting."""
    items, d, r = b.shape
    every = np.arange(items)
    rest = b.copy()
    lower = np.zeros_like(b)
    free = np.ones((items, d), bool)
    log_det = np.zeros(items)
    for k in range(r):
        size = np.abs(rest).reshape(items, -1)
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
    order : (items, d) coordinates taken first, in order.
    factor : (items, d, d) triangle in that order; or (items, d), standard deviations of independent coordinates.
    constant : (items, d) coordinates of variance 0, in that order.
    log_volume : (items,) log √det(BᵀB).
    tolerance : deviation, in standard deviations, that is still on the support.
    roundoff : unit roundoff of the parameters.
    """

    batch: tuple[int, ...]
    where: np.ndarray
    rank: np.ndarray
    order: np.ndarray
    factor: np.ndarray
    constant: np.ndarray
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
        """Lower triangular L with L Lᵀ = Σ, (items, d, d)."""
        d = self.order.shape[-1]
        if self.factor.ndim == 2:
            return np.where(self.constant, 0.0, self.factor)[..., None] * np.eye(d)
        b = np.zeros_like(self.factor)
        taken = np.arange(d) < self.rank[:, None]
        np.put_along_axis(b, self.order[..., None], np.where(taken[:, None, :], self.factor, 0.0), axis=1)
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
        n_matrices = axes.sizes()[2]
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
                    found = self._evaluate(p[some], m[some], item[at], roundoff, mahalanobis)
                    value[some, :, 0] = found
                    if values.target(e, n, one) is None:
                        values.put(value, e, n, one)

        run(axes, _SECONDS * (d + 1), block)

    def _evaluate(
        self, x: np.ndarray, loc: np.ndarray, item: np.ndarray, roundoff: float, mahalanobis: bool
    ) -> np.ndarray:
        """Values (e, n) for points (e, n, d), means likewise, and one item per e."""
        order = self.order[item][:, None]
        p = np.take_along_axis(x.astype(np.float64), order, axis=-1)
        m = np.take_along_axis(loc.astype(np.float64), order, axis=-1)
        factor, constant = self.factor[item], self.constant[item][:, None]
        diagonal = factor if factor.ndim == 2 else np.sqrt(np.square(factor).sum(axis=-1))
        independent = np.arange(x.shape[-1]) < self.rank[item][:, None, None]
        with np.errstate(over="ignore", invalid="ignore"):
            delta = p - m
            nan, infinite = np.isnan(delta).any(axis=-1), np.isinf(delta).any(axis=-1)
            nan &= np.isnan(p).any(axis=-1)
            delta[~np.isfinite(delta)] = 0.0
            if factor.ndim == 2:
                y = delta / factor[:, None]
            else:
                y = ufuncs.whiten(delta, np.zeros(x.shape[-1]), factor)
            square = np.square(np.where(independent, y, 0.0)).sum(axis=-1)
            distance = np.sqrt(square)
            size = (np.abs(p) + np.abs(m)) * (4 * roundoff)
            rounding = (x.shape[-1] + 1) * np.where(constant, 0.0, size / diagonal[:, None]).max(axis=-1)
            allowed = self.tolerance * np.maximum(distance, 1.0) + rounding
            left = np.where(independent | constant, 0.0, np.abs(y)).max(axis=-1)
            off = ~(left <= allowed) | (constant & (np.abs(delta) > size)).any(axis=-1) | infinite
            if mahalanobis:
                return np.where(nan, np.nan, np.where(off, np.inf, distance))
            shift = 0.0 - self.log_volume[item] - 0.5 * LOG_2PI * self.rank[item]
            return np.where(nan, np.nan, np.where(off, -np.inf, shift[:, None] - 0.5 * square))


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
    std = np.sqrt(np.square(factor).sum(axis=-1))
    constant = std == 0
    diagonal = np.arange(d)
    beyond = np.where(constant, 1.0, std)
    factor[:, diagonal, diagonal] = np.where(taken, factor[:, diagonal, diagonal], beyond)
    return Support(batch, where, rank, order, factor, constant, log_volume, tolerance, roundoff)


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
    rank = (~constant).sum(axis=-1)
    return Support(batch, where, rank, order, np.sqrt(v), constant, log_volume, 0.0, roundoff)


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
        whole = np.tril(part.astype(np.float64))
        if form == "covariance":
            whole += np.tril(whole, -1).swapaxes(-1, -2)
        b, rank, order, residue = _pivoted(whole, form, limit)
        bad = residue > 2 * max(limit, default)
        if bad.any():
            _raise_indefinite(function, form, part, int(np.argmax(bad)), block.start, batch)
        if form == "scale_tril":
            refused = (np.diagonal(part, axis1=-2, axis2=-1) == 0).any(axis=-1)
        else:  # the rank rule may pass what a factorisation in another order does not survive
            with np.errstate(invalid="ignore"):
                refused = ufuncs.cholesky(part)[1] != 0
        rank = np.where(refused, np.minimum(rank, d - 1), rank)
        singular = np.flatnonzero(rank < d)
        where.append(block.start + singular)
        found.append((b[singular], rank[singular], order[singular]))
    if not sum(map(len, where)):
        return None
    b, rank, order = (np.concatenate(column) for column in zip(*found, strict=True))
    tolerance = math.sqrt(max(limit, default, default_rtol("covariance", d, matrix.dtype)))
    return _support((b, rank, order), np.concatenate(where), batch, tolerance, roundoff)


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
