"""Covariance-like parameters: copies, checks and factors, and the wording of what can be wrong with a matrix."""

from typing import Any, NoReturn

import numpy as np

from loglik import ufuncs
from loglik._engine.validate import as_array, describe_entry
from loglik._gaussian.condition_number import doubtful, warn_where_ill_conditioned

NO_MEMORY = -2  # info of a kernel that found none

ON_SUPPORT = "MultivariateNormal(..., allow_singular=True) gives the density on the support"

_CHECK_BYTES = 1 << 20  # parameters are validated in blocks of this size


def parameter(function: str, name: str, value: Any, dtype: np.dtype, core: int) -> np.ndarray:
    """A private copy of a parameter with at least `core` axes."""
    array = as_array(function, name, value)
    if (
        array.ndim < core
        or (core == 1 and array.shape[-1] == 0)
        or (array.size == 0 and 0 in array.shape[-core:])
    ):
        expected = "(..., d)" if core == 1 else "(..., d, d)"
        raise ValueError(f"{function}: {name} must have shape {expected} with d >= 1, got {array.shape}")
    return np.array(array, dtype=dtype, order="C")


def blocks(count: int, item_bytes: int) -> list[slice]:
    step = max(1, _CHECK_BYTES // max(1, item_bytes))
    return [slice(i, min(count, i + step)) for i in range(0, count, step)]


def check_finite(function: str, name: str, array: np.ndarray) -> None:
    flat = array.reshape(-1)
    for block in blocks(flat.size, flat.itemsize):
        good = np.isfinite(flat[block])
        if not good.all():
            index = np.unravel_index(block.start + int(np.argmin(good)), array.shape)
            entry = describe_entry(name, tuple(int(i) for i in index), array[index])
            raise ValueError(f"{function}: {name} must be finite, but {entry}")


def items(array: np.ndarray, core: int) -> np.ndarray:
    """Batch axes merged."""
    return array.reshape(-1, *array.shape[array.ndim - core :])


def batch_index(item: int, batch: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(item, batch)) if batch else ()


def is_normal(values: np.ndarray) -> np.ndarray:
    """Whether numbers are positive and not subnormal, so that they can be divided by without loss."""
    return values >= np.finfo(values.dtype).smallest_normal


def check_diagonal(function: str, name: str, array: np.ndarray, core: int, zero: bool = False) -> None:
    """A variance, or the diagonal of a matrix, must consist of positive normal numbers (or zeros, where allowed)."""
    diagonal = array if core == 1 else np.diagonal(array, axis1=-2, axis2=-1)
    good = is_normal(diagonal)
    if zero:
        good |= diagonal == 0
    if not good.all():
        index = tuple(int(i) for i in np.unravel_index(int(np.argmin(good)), diagonal.shape))
        _raise_diagonal(function, name, index if core == 1 else (*index, index[-1]), diagonal[index])


def _raise_diagonal(function: str, name: str, index: tuple[int, ...], value: Any) -> NoReturn:
    """LinAlgError for a diagonal entry that is no positive normal number."""
    entry = describe_entry(name, index, value)
    what = "the covariance" if name in ("variance", "scale_tril") else name
    if value < 0:
        problem = "not a factor of a covariance" if name == "scale_tril" else "indefinite"
        subject = name if name == "scale_tril" else what
        raise np.linalg.LinAlgError(f"{function}: {subject} is {problem}: {entry} is negative")
    why = "is zero" if value == 0 else "is subnormal, which leaves too few digits"
    hint = f"; {ON_SUPPORT}" if value == 0 and name != "precision" else ""
    raise np.linalg.LinAlgError(f"{function}: {what} is singular: {entry} {why}{hint}")


def check_symmetric(
    function: str, name: str, matrices: np.ndarray, batch: tuple[int, ...], first: int = 0
) -> None:
    found = ufuncs.asymmetry(matrices)
    if found.any():
        item = int(np.argmax(found != 0))
        d = matrices.shape[-1]
        i, j = divmod(int(found[item]), d)
        _raise_asymmetric(function, name, matrices[item], batch_index(first + item, batch), i, j)


def _raise_asymmetric(
    function: str, name: str, matrix: np.ndarray, index: tuple[int, ...], i: int, j: int
) -> NoReturn:
    low = describe_entry(name, (*index, i, j), matrix[i, j])
    high = describe_entry(name, (*index, j, i), matrix[j, i])
    raise ValueError(f"{function}: {name} must be symmetric, but {low} and {high}")


def smallest_eigenvalue(matrix: np.ndarray) -> float:
    """Smallest eigenvalue of a matrix with positive diagonal, scaled to unit diagonal; from the lower triangle."""
    std = np.sqrt(np.diagonal(matrix).astype(np.float64))
    return float(np.linalg.eigvalsh(np.tril(matrix / std[:, None] / std), UPLO="L")[0])


def named(name: str, index: tuple[int, ...]) -> str:
    """``name[i, j]`` of a batch, or ``name``."""
    return f"{name}[{', '.join(map(str, index))}]" if index else name


def _raise_not_definite(
    function: str, name: str, matrix: np.ndarray, index: tuple[int, ...], pivot: int
) -> NoReturn:
    """LinAlgError for a matrix whose pivot (1-based) failed: singular to working precision, or indefinite."""
    smallest = smallest_eigenvalue(matrix[:pivot, :pivot])
    singular = smallest >= -((pivot + 1) ** 2) * float(np.finfo(matrix.dtype).eps)
    block = "leading"
    if name == "precision":  # factored from the last coordinate up
        block, pivot_of = "trailing", len(matrix) + 1 - pivot
    else:
        pivot_of = pivot
    hint = f"; {ON_SUPPORT}" if singular and name != "precision" else ""
    raise np.linalg.LinAlgError(
        f"{function}: {named(name, index)} is {'singular to working precision' if singular else 'indefinite'}: "
        f"pivot {pivot_of} of its Cholesky factorisation is not positive (smallest eigenvalue of the {block} "
        f"{pivot} x {pivot} block, scaled to unit diagonal: {smallest:.3g}){hint}"
    )


def check_triangular(function: str, name: str, matrix: np.ndarray) -> None:
    """Above the diagonal of a factor there must be zeros."""
    batch = matrix.shape[:-2]
    members = items(matrix, 2)
    upper = np.triu_indices(matrix.shape[-1], 1)
    for block in blocks(len(members), members[:1].nbytes):
        above = members[block][:, upper[0], upper[1]] != 0
        if above.any():
            item, k = (int(i) for i in np.unravel_index(int(np.argmax(above)), above.shape))
            index = (*batch_index(block.start + item, batch), int(upper[0][k]), int(upper[1][k]))
            entry = describe_entry(name, index, matrix[index])
            raise ValueError(f"{function}: {name} must be lower triangular, but {entry}")


def factored(function: str, form: str, matrix: np.ndarray, warn: bool = True) -> np.ndarray:
    """What the kernels of a form take: L, W with W^T W = precision, or the variance; read-only. Validates.

    With `warn`, an AccuracyWarning for the first covariance or precision that costs too many digits.
    """
    if form == "variance":
        check_diagonal(function, form, matrix, 1)
        return matrix
    check_diagonal(function, form, matrix, 2)
    if form == "scale_tril":
        check_triangular(function, form, matrix)
        return matrix
    batch = matrix.shape[:-2]
    members = items(matrix, 2)
    result = np.empty_like(members)
    candidates: list[int] = []
    for block in blocks(len(members), members[:1].nbytes):
        matrices = members[block]
        check_symmetric(function, form, matrices, batch, block.start)
        # With J the reversal: chol(J P J) = C gives P = (J C^T J)^T (J C^T J).
        source = matrices[:, ::-1, ::-1].swapaxes(-1, -2) if form == "precision" else matrices
        place = result[block]
        lower = place[:, ::-1, ::-1].swapaxes(-1, -2) if form == "precision" else place
        with np.errstate(invalid="ignore"):
            info = ufuncs.cholesky(source, out=(lower, None))[1]
        if info.any():
            item = int(np.argmax(info != 0))
            if info[item] == NO_MEMORY:
                raise MemoryError(f"{function}: no memory to factor {form}")
            failing = source[item]
            _raise_not_definite(function, form, failing, batch_index(block.start + item, batch), int(info[item]))
        if warn:
            found = doubtful(lower, source)
            if len(found):
                candidates += (block.start + found).tolist()
    if candidates:
        # The scaled whitener of a reversed precision is a factor like any other.
        factors = result[:, ::-1, ::-1].swapaxes(-1, -2) if form == "precision" else result
        warn_where_ill_conditioned(function, factors, candidates, lambda i: named(form, batch_index(i, batch)))
    result = result.reshape(matrix.shape)
    result.setflags(write=False)
    return result


def triangular(rows: np.ndarray) -> np.ndarray:
    """Lower triangular L (..., m, m) with L Lᵀ = rows·rowsᵀ and a diagonal >= 0, for rows (..., m, k), k >= m."""
    upper: np.ndarray = np.linalg.qr(rows.swapaxes(-1, -2), mode="r")  # type: ignore[assignment]
    sign = np.where(np.diagonal(upper, axis1=-2, axis2=-1) < 0, -1.0, 1.0)
    return np.tril((upper * sign[..., None]).swapaxes(-1, -2))


def raise_bad(
    name: str, matrices: np.ndarray, info: np.ndarray, first: int, batch: tuple[int, ...]
) -> NoReturn:
    """The error of the first bad matrix of a block, in the wording of the object."""
    item = int(np.argmax(info != 0))
    matrix, index = matrices[item], batch_index(first + item, batch)
    if info[item] == NO_MEMORY:
        raise MemoryError(f"{name}: no memory for the work of a block")
    finite = np.isfinite(matrix)
    if not finite.all():
        i, j = (int(k) for k in np.unravel_index(int(np.argmin(finite)), matrix.shape))
        raise ValueError(
            f"{name}: covariance must be finite, but {describe_entry('covariance', (*index, i, j), matrix[i, j])}"
        )
    diagonal = np.diagonal(matrix)
    good = is_normal(diagonal)
    if not good.all():
        i = int(np.argmin(good))
        _raise_diagonal(name, "covariance", (*index, i, i), diagonal[i])
    found = int(ufuncs.asymmetry(matrix))
    if found:
        i, j = divmod(found, matrix.shape[-1])
        _raise_asymmetric(name, "covariance", matrix, index, i, j)
    _raise_not_definite(name, "covariance", matrix, index, int(info[item]))
