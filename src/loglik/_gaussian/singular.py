"""Which covariances are singular, their ranks, and the coordinates that determine the others.

Design
- The rank is found by a Cholesky factorisation that takes, at each step, the coordinate with the largest part of its
  variance unexplained by those taken so far. It ends when that part is at most rtol for every coordinate: the others
  count as linear functions of those taken. Scales do not matter, diag(1, 1e-10) has rank 2. A coordinate of variance 0
  is a constant. The least eigenvalue of H (Σ scaled to unit diagonal) bounds the unexplained parts from below, so with
  the default rtol = (d + 1)²·u every matrix that an ordinary factorisation is guaranteed to survive has full rank.
- det(BᵀB), for Σ = B·Bᵀ, comes from B = P·L·U·Q by elimination with complete pivoting: 2·log|det U| + log det(LᵀL) is right for
  rows on any scales, where eigenvalues of Σ would drown in the largest (J. Demmel et al., Computing the singular value
  decomposition with high relative accuracy, 1999).
"""

import math
from typing import Any, NoReturn

import numpy as np

from loglik import ufuncs
from loglik._engine.validate import describe_entry
from loglik._gaussian.matrices import (
    batch_index,
    blocks,
    check_diagonal,
    check_symmetric,
    check_triangular,
    items,
    named,
    smallest_eigenvalue,
)
from loglik._gaussian.support import Support


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


# ---------------------------------------------------------------------------------------- construction


def _support(
    found: tuple[np.ndarray, ...], where: np.ndarray, batch: tuple[int, ...], tolerance: float, roundoff: float
) -> Support:
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


def _support_of_variances(variance: np.ndarray, batch: tuple[int, ...], roundoff: float) -> Support | None:
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


def separate(function: str, form: str, matrix: np.ndarray, rtol: float | None) -> Support | None:
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
        matrices = members[block]
        if form == "covariance":
            _check_constants(function, form, matrices, batch, block.start)
            check_symmetric(function, form, matrices, batch, block.start)
        lower, refused = _ordinary(matrices, form)
        at = np.flatnonzero(refused | ~_surely_regular(matrices, lower, form, limit))
        if not len(at):
            continue
        whole = np.tril(matrices[at].astype(np.float64))
        if form == "covariance":
            whole += np.tril(whole, -1).swapaxes(-1, -2)
        b, rank, order, residue = _pivoted(whole, form, limit)
        bad = residue > 2 * max(limit, default)
        if bad.any():
            _raise_indefinite(function, form, matrices, int(at[np.argmax(bad)]), block.start, batch)
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


def _ordinary(matrices: np.ndarray, form: str) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of matrices (items, d, d) by the ordinary factorisation, and where there is none."""
    if form == "scale_tril":
        return matrices, (np.diagonal(matrices, axis1=-2, axis2=-1) == 0).any(axis=-1)
    with np.errstate(invalid="ignore"):
        lower, info = ufuncs.cholesky(matrices)
    return lower, info != 0


def _surely_regular(matrices: np.ndarray, lower: np.ndarray, form: str, limit: float) -> np.ndarray:
    """Where the smallest eigenvalue of H exceeds the tolerance, since det H / e does (the eigenvalues add up to d)."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        pivots = np.diagonal(lower, axis1=-2, axis2=-1).astype(np.float64)
        if form == "scale_tril":
            largest = np.abs(matrices).max(axis=-1)
            std = largest * np.sqrt(np.square(matrices / largest[..., None]).sum(axis=-1, dtype=np.float64))
        else:
            std = np.sqrt(np.diagonal(matrices, axis1=-2, axis2=-1).astype(np.float64))
        return np.prod(np.square(pivots / std), axis=-1) > 2 * math.e * limit


def _check_constants(function: str, form: str, matrices: np.ndarray, batch: tuple[int, ...], first: int) -> None:
    """A coordinate of variance 0 has no covariance with any other."""
    constant = np.diagonal(matrices, axis1=-2, axis2=-1) == 0
    wrong = (matrices != 0) & (constant[:, :, None] | constant[:, None, :])
    if wrong.any():
        item, i, j = (int(k) for k in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
        index = batch_index(first + item, batch)
        k = i if constant[item, i] else j
        raise np.linalg.LinAlgError(
            f"{function}: {named(form, index)} is indefinite: {describe_entry(form, (*index, i, j), matrices[item, i, j])} "
            f"beside {describe_entry(form, (*index, k, k), 0.0)}"
        )


def _raise_indefinite(
    function: str, form: str, matrices: np.ndarray, item: int, first: int, batch: tuple[int, ...]
) -> NoReturn:
    varies = np.diagonal(matrices[item]) > 0
    smallest = smallest_eigenvalue(matrices[item][np.ix_(varies, varies)])
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
