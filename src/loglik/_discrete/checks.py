"""Checks of the arguments of discrete variables, and the limits of their sizes."""

import math
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from loglik import _kernels
from loglik._discrete import pmf_rows, scaled_pmf
from loglik._discrete.die_pool import Pool, faces
from loglik._engine.validate import as_array, describe_entry, first_index, require, result_dtype

MAX_OUTCOMES = 2**26  # 512 MiB of probabilities
MAX_SECONDS = 60  # of a sum
MAX_START = 2**53  # outcomes are exact in float64
MIN_LOG_PROB = -1e12


def as_integer(value: Any) -> int | None:
    """A Python integer, or None for anything else (bool included)."""
    if isinstance(value, bool | np.bool_):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def integer(function: str, name: str, value: Any) -> int:
    """A Python integer, or TypeError."""
    number = as_integer(value)
    if number is None:
        raise TypeError(f"{function}: {name} must be an integer, got {value!r}")
    return number


def check_probs(name: str, values: Any) -> tuple[scaled_pmf.Pmf, np.dtype]:
    """The `Pmf` of valid, normalised probabilities of shape (..., K), or of logarithms whose exponentials total 1; its dtype."""
    array = as_array("Discrete", name, values)
    dtype, is_log = result_dtype(array), name == "log_probs"
    if array.ndim == 0:
        raise ValueError(f"Discrete: {name} must have at least one dimension, got shape ()")
    if array.shape[-1] == 0:
        raise ValueError(f"Discrete: {name} must have at least one entry, got shape {array.shape}")
    if array.ndim > 1:
        checked = _checked_rows(name, array, dtype)
        shape = array.shape
        return (pmf_rows.from_logs(shape, checked) if is_log else pmf_rows.from_probs(shape, dtype, checked)), dtype
    array = np.array(array, dtype)
    for good, condition in _rules(name, array):
        require("Discrete", name, array, good, condition)
    if is_log:
        array = _normalised(name, "", array, np.exp(array.astype(np.float64)))
        return scaled_pmf.from_logs(array.astype(np.float64)), dtype
    array = np.abs(array)  # −0
    return scaled_pmf.plain(_normalised(name, "", array, array)), dtype


def _rules(name: str, array: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
    """What holds for every entry, one condition after the other."""
    tolerance = 8 * array.shape[-1] * float(np.finfo(array.dtype).eps)
    if name == "probs":
        yield np.isfinite(array), "finite"
        yield array >= 0, "at least 0"
        yield array <= 1 + tolerance, "at most 1"
    else:
        yield ~(np.isnan(array) | (array == np.inf)), "below infinity and not NaN"
        yield (array >= MIN_LOG_PROB) | (array == -np.inf), f"at least {MIN_LOG_PROB:g} or -inf"
        yield array <= tolerance, "at most 0"


def _normalised(name: str, where: str, array: np.ndarray, terms: np.ndarray) -> np.ndarray:
    """One row, whose probabilities are `terms`, divided by its total unless that is 1 already; `where` names the row."""
    eps = float(np.finfo(array.dtype).eps)
    tolerance = 8 * array.size * eps
    total = math.fsum(terms.tolist())
    if not abs(total - 1) <= tolerance:
        what = f"probs{where}" if name == "probs" else f"exp(log_probs{where})"
        raise ValueError(f"Discrete: {what} must total 1 within 8·K·eps = {tolerance:.2g}, but totals {total!r}")
    if abs(total - 1) > 4 * eps:  # as close as normalising gets; so it is done once only
        array = (array / total if name == "probs" else array - math.log(total)).astype(array.dtype)
    return array


def _checked_rows(name: str, given: np.ndarray, dtype: np.dtype) -> Callable[[pmf_rows.Piece], np.ndarray]:
    """What makes the valid, normalised rows of a block of a batch, shape (rows, K), or raises an error."""
    length = given.shape[-1]
    # What is further from 1 in some 100 bits is summed exactly.
    near = 4 * float(np.finfo(dtype).eps) * (1 - 2.0**-30)

    def checked(piece: pmf_rows.Piece) -> np.ndarray:
        block = given[piece]
        rows = block.astype(dtype, order="C").reshape(-1, length)

        def row_of(i: int) -> tuple[int, ...]:
            index = list(map(int, np.unravel_index(i, block.shape[:-1])))
            for axis, cut in enumerate(piece):
                index[axis] += cut.start or 0
            return tuple(index)

        for good, condition in _rules(name, rows):
            if not good.all():
                i, k = first_index(~good)
                raise ValueError(
                    f"Discrete: {name} must be {condition}, but {describe_entry(name, (*row_of(i), int(k)), rows[i, k])}"
                )
        if name == "probs":
            np.abs(rows, out=rows)
        terms = rows.astype(np.float64)
        if name == "log_probs":
            np.exp(terms, out=terms)
        totals = _kernels.cumulative(terms.reshape(-1), rows=len(rows)).reshape(rows.shape)[:, -1]
        for i in np.flatnonzero(~(np.abs(totals - 1) <= near)).tolist():
            rows[i] = _normalised(name, f"[{', '.join(map(str, row_of(i)))}]", rows[i], terms[i])
        return rows

    return checked


def check_rows(rows: list[Any]) -> np.ndarray | None:
    """Valid, normalised probabilities of many variables as the rows of one array; None unless all are short and of one length."""
    try:
        if len({len(row) for row in rows}) != 1 or not 1 <= len(rows[0]) <= scaled_pmf.STACK_LENGTH or len(rows) < 3:
            return None
        array = np.array(rows)
    except (TypeError, ValueError):
        return None  # the check of each array by itself finds the words
    if array.ndim != 2 or array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        return None
    array = array.astype(result_dtype(array), copy=False)
    name, eps = "convolve", float(np.finfo(array.dtype).eps)
    tolerance = 8 * array.shape[1] * eps
    require(name, "variables", array, np.isfinite(array), "finite")
    require(name, "variables", array, array >= 0, "at least 0")
    totals = array.sum(axis=1, dtype=np.float64)
    off = np.abs(totals - 1)
    if not np.all(off <= tolerance):
        i = int(np.argmax(off > tolerance))
        total = float(totals[i])
        raise ValueError(f"convolve: variables[{i}] must total 1 within 8·K·eps = {tolerance:.2g}, but totals {total!r}")
    return np.where((off > 4 * eps)[:, None], array / totals[:, None], np.abs(array)).astype(array.dtype)


def check_counts(counts: Iterable[int]) -> tuple[int, ...]:
    """Valid counts as Python integers."""
    if isinstance(counts, np.ndarray) and counts.ndim != 1:
        raise ValueError(f"Discrete: counts must have one dimension, got shape {counts.shape}")
    checked = []
    for i, count in enumerate(counts):
        number = as_integer(count)
        if number is None:
            raise TypeError(f"Discrete: counts must be integers, but counts[{i}] = {count!r}")
        if number < 0:
            raise ValueError(f"Discrete: counts must be at least 0, but counts[{i}] = {number}")
        checked.append(number)
    if not any(checked):
        raise ValueError("Discrete: counts must have at least one entry above 0")
    return tuple(checked)


def check_range(start: int, length: int) -> None:
    """Refuse too many outcomes, and outcomes that float64 does not hold exactly."""
    if length > MAX_OUTCOMES:
        raise ValueError(
            f"Discrete: the distribution would have {length} outcomes, more than the limit of {MAX_OUTCOMES}"
        )
    if start < -MAX_START or start + length > MAX_START:
        raise ValueError(f"Discrete: outcomes must be within ±2^53, got {start} to {start + length - 1}")


def check_pool_work(pool: Pool) -> None:
    """Refuse pools whose convolutions would take minutes."""
    dice = pool.dice
    if len(dice) == 1 and isinstance(next(iter(dice))[0], int):
        return
    underflow = pool.bits() > 1000
    lengths, seconds = [], 0.0
    for (die, factor), n in dice.items():
        if not isinstance(die, int) and sum(map(bool, die)) > 2:
            seconds += scaled_pmf.power_seconds(faces(die), n, underflow=underflow)
        lengths.append(n * (faces(die) - 1) * factor + 1)
    if lengths:
        check_seconds(seconds + scaled_pmf.sum_seconds(lengths, underflow=underflow))


def check_seconds(seconds: float) -> None:
    """Refuse a sum that would take longer than the limit."""
    if seconds > MAX_SECONDS:
        raise ValueError(
            f"Discrete: the sum would take about {seconds:.0f} seconds, more than the limit of {MAX_SECONDS}"
        )
