"""Covariance-like parameters: copies, checks and factors, and the wording of what can be wrong with a matrix."""

from typing import Any, NoReturn

import numpy as np

from loglik import ufuncs
from loglik._validate import as_array, describe_entry

NO_MEMORY = -2  # info of a kernel that found none

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


def _blocks(count: int, item_bytes: int) -> list[slice]:
    step = max(1, _CHECK_BYTES // max(1, item_bytes))
    return [slice(i, min(count, i + step)) for i in range(0, count, step)]


def check_finite(function: str, name: str, array: np.ndarray) -> None:
    flat = array.reshape(-1)
    for block in _blocks(flat.size, flat.itemsize):
        good = np.isfinite(flat[block])
        if not good.all():
            index = np.unravel_index(block.start + int(np.argmin(good)), array.shape)
            entry = describe_entry(name, tuple(int(i) for i in index), array[index])
            raise ValueError(f"{function}: {name} must be finite, but {entry}")


def _items(array: np.ndarray, core: int) -> np.ndarray:
    """Batch axes merged."""
    return array.reshape(-1, *array.shape[array.ndim - core :])


def _batch_index(item: int, batch: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(item, batch)) if batch else ()


def _check_diagonal(function: str, name: str, array: np.ndarray, core: int) -> None:
    """A variance, or the diagonal of a matrix, must be positive (and normal, so that it can be divided
    by)."""
    diagonal = array if core == 1 else np.diagonal(array, axis1=-2, axis2=-1)
    good = diagonal >= np.finfo(array.dtype).smallest_normal
    if not good.all():
        index = tuple(int(i) for i in np.unravel_index(int(np.argmin(good)), diagonal.shape))
        value = diagonal[index]
        entry = describe_entry(name, index if core == 1 else (*index, index[-1]), value)
        if name == "scale_tril":
            raise np.linalg.LinAlgError(f"{function}: the diagonal of {name} must be positive, but {entry}")
        kind = "indefinite" if value < 0 else "singular"
        what = name if core == 2 else "the covariance"
        raise np.linalg.LinAlgError(f"{function}: {what} is {kind}: {entry} is not positive")


def _check_symmetric(
    function: str, name: str, matrices: np.ndarray, batch: tuple[int, ...], first: int = 0
) -> None:
    found = ufuncs.asymmetry(matrices)
    if found.any():
        item = int(np.argmax(found != 0))
        d = matrices.shape[-1]
        i, j = divmod(int(found[item]), d)
        _raise_asymmetric(function, name, matrices[item], _batch_index(first + item, batch), i, j)


def _raise_asymmetric(
    function: str, name: str, matrix: np.ndarray, index: tuple[int, ...], i: int, j: int
) -> NoReturn:
    low = describe_entry(name, (*index, i, j), matrix[i, j])
    high = describe_entry(name, (*index, j, i), matrix[j, i])
    raise ValueError(f"{function}: {name} must be symmetric, but {low} and {high}")


def _raise_not_definite(
    function: str, name: str, matrix: np.ndarray, index: tuple[int, ...], pivot: int
) -> NoReturn:
    """LinAlgError for a matrix whose pivot (1-based) failed: singular to working precision, or indefinite."""
    std = np.sqrt(np.diagonal(matrix).astype(np.float64))
    lower = np.tril(matrix / std[:, None] / std)[:pivot, :pivot]
    smallest = float(np.linalg.eigvalsh(lower, UPLO="L")[0])
    limit = (pivot + 1) ** 2 * float(np.finfo(matrix.dtype).eps)
    kind = "indefinite" if smallest < -limit else "singular to working precision"
    where = f"{name}[{', '.join(map(str, index))}]" if index else name
    raise np.linalg.LinAlgError(
        f"{function}: {where} is {kind}: pivot {pivot} of its Cholesky factorisation is not positive "
        f"(smallest eigenvalue of the leading {pivot} x {pivot} block, scaled to unit diagonal: {smallest:.3g})"
    )


def factored(function: str, form: str, matrix: np.ndarray) -> np.ndarray:
    """What the kernels of a form take: L, W with W^T W = precision, or the variance; read-only. Validates."""
    if form == "variance":
        _check_diagonal(function, form, matrix, 1)
        return matrix
    _check_diagonal(function, form, matrix, 2)
    batch = matrix.shape[:-2]
    items = _items(matrix, 2)
    if form == "scale_tril":
        upper = np.triu_indices(matrix.shape[-1], 1)
        for block in _blocks(len(items), items[:1].nbytes):
            above = items[block][:, upper[0], upper[1]] != 0
            if above.any():
                item, k = (int(i) for i in np.unravel_index(int(np.argmax(above)), above.shape))
                index = (*_batch_index(block.start + item, batch), int(upper[0][k]), int(upper[1][k]))
                entry = describe_entry(form, index, matrix[index])
                raise ValueError(f"{function}: {form} must be lower triangular, but {entry}")
        return matrix
    result = np.empty_like(items)
    for block in _blocks(len(items), items[:1].nbytes):
        part = items[block]
        _check_symmetric(function, form, part, batch, block.start)
        # With J the reversal: chol(J P J) = C gives P = (J C^T J)^T (J C^T J).
        source = part[:, ::-1, ::-1].swapaxes(-1, -2) if form == "precision" else part
        with np.errstate(invalid="ignore"):
            lower, info = ufuncs.cholesky(source)
        if info.any():
            item = int(np.argmax(info != 0))
            if info[item] == NO_MEMORY:
                raise MemoryError(f"{function}: no memory to factor {form}")
            failing = source[item]
            _raise_not_definite(
                function, form, failing, _batch_index(block.start + item, batch), int(info[item])
            )
        result[block] = lower[:, ::-1, ::-1].swapaxes(-1, -2) if form == "precision" else lower
    result = result.reshape(matrix.shape)
    result.setflags(write=False)
    return result


def raise_bad(
    name: str, matrices: np.ndarray, info: np.ndarray, first: int, lead: tuple[int, ...]
) -> NoReturn:
    """The error of the first bad matrix of a block, in the wording of the object."""
    item = int(np.argmax(info != 0))
    matrix, index = matrices[item], _batch_index(first + item, lead)
    if info[item] == NO_MEMORY:
        raise MemoryError(f"{name}: no memory for the work of a block")
    finite = np.isfinite(matrix)
    if not finite.all():
        i, j = (int(k) for k in np.unravel_index(int(np.argmin(finite)), matrix.shape))
        raise ValueError(
            f"{name}: covariance must be finite, but {describe_entry('covariance', (*index, i, j), matrix[i, j])}"
        )
    diagonal = np.diagonal(matrix)
    good = diagonal >= np.finfo(matrix.dtype).smallest_normal
    if not good.all():
        i = int(np.argmin(good))
        kind = "indefinite" if diagonal[i] < 0 else "singular"
        entry = describe_entry("covariance", (*index, i, i), diagonal[i])
        raise np.linalg.LinAlgError(f"{name}: covariance is {kind}: {entry} is not positive")
    found = int(ufuncs.asymmetry(matrix))
    if found:
        i, j = divmod(found, matrix.shape[-1])
        _raise_asymmetric(name, "covariance", matrix, index, i, j)
    _raise_not_definite(name, "covariance", matrix, index, int(info[item]))
