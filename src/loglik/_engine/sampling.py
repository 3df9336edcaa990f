"""What the samplers share: arguments, memory, and blocks of a result.

Design
- Number i of a sample, in C order of shape + batch_shape + event_shape, is made from numbers i of the sequence (key, stream 0)
  (`loglik._engine.streams`). So a sample does not depend on blocks, threads or the memory it is written to, and the first rows
  of a larger sample are those of a smaller one.
- A block is drawn where it is to be, and transformed while it is in cache: there is no temporary as large as the result.
- Everything is checked before the key is drawn, so that a call that fails leaves its generator as it was.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from loglik._engine.blocks import Sink, Source
from loglik._engine.parallel import run_blocks
from loglik._engine.streams import check_rng, draw_key
from loglik._engine.validate import check_out

# Numbers of a block: some 50 µs of work, and with its parameters within a second-level cache.
BLOCK = 1 << 15
_GROUP = 128  # of numbers that are made together: blocks of whole rows start with a group where that is possible


def floating(function: str, dtype: Any, default: np.dtype) -> np.dtype:
    """The dtype of a continuous sample: float32 or float64."""
    if dtype is None:
        return default
    result = _dtype(function, dtype)
    if result not in (np.float32, np.float64):
        raise TypeError(f"{function}: dtype must be float32 or float64, got {result}")
    return result


def discrete(function: str, dtype: Any, low: int, high: int) -> np.dtype:
    """The dtype of a sample of integers from `low` to `high`: one that holds them all; int64 by default."""
    if dtype is None:
        return np.dtype(np.int64)
    result = _dtype(function, dtype)
    if result.kind not in "biuf" or not result.isnative or result.itemsize > 8:
        raise TypeError(f"{function}: dtype must be bool, an integer or a floating type of up to 64 bits, got {result}")
    if result.kind == "b":
        least, most = 0, 1
    elif result.kind == "f":
        most = 2 ** (np.finfo(result).nmant + 1)
        least = -most
    else:
        least, most = int(np.iinfo(result).min), int(np.iinfo(result).max)
    if low < least or high > most:
        raise ValueError(f"{function}: dtype {result} does not hold the outcomes {low} to {high}")
    return result


def _dtype(function: str, dtype: Any) -> np.dtype:
    try:
        return np.dtype(dtype)
    except (TypeError, ValueError):
        raise TypeError(f"{function}: dtype must be a NumPy dtype, got {dtype!r}") from None


def _sizes(function: str, shape: Any) -> tuple[int, ...]:
    """`shape` as a tuple of integers."""
    given = shape if isinstance(shape, tuple | list) else (shape,)
    sizes = []
    for i, size in enumerate(given):
        try:
            number = None if isinstance(size, bool | np.bool_) else operator.index(size)
        except TypeError:
            number = None
        where = f"shape[{i}]" if isinstance(shape, tuple | list) else "shape"
        if number is None:
            raise TypeError(f"{function}: shape must be an int or a tuple of ints, but {where} = {size!r}")
        if number < 0:
            raise ValueError(f"{function}: shape must not be negative, but {where} = {number}")
        sizes.append(number)
    return tuple(sizes)


def prepare(
    function: str, shape: Any, tail: tuple[int, ...], dtype: np.dtype, rng: Any, out: Any
) -> tuple[np.ndarray, int]:
    """Memory for a sample of `shape` + `tail`, and the key of the call."""
    whole = _sizes(function, shape) + tail
    check_rng(function, rng)
    if out is not None:
        check_out(function, out, whole, dtype)
        return out, draw_key(function, rng)
    if math.prod(whole) * dtype.itemsize > 2**62:
        raise MemoryError(f"{function}: no memory for a sample of shape {whole}")
    return np.empty(whole, dtype), draw_key(function, rng)


def in_blocks(
    result: np.ndarray,
    key: int,
    *,
    columns: tuple[int, ...],
    parameters: tuple[np.ndarray, ...],
    draw: Callable[..., object],
    nanoseconds: float,
) -> None:
    """Fill `result`, whose last axes are `columns`, block by block.

    ``draw(key, start, values, *parameters)`` writes the numbers start, start + 1, ... of the sample to the contiguous `values`.
    Parameters broadcast to `columns`; `draw` gets each as a scalar, or as an array with an entry for each value.
    """
    size, width = result.size, math.prod(columns)
    if size == 0:
        return
    sink = Sink(result, tuple(range(result.ndim)))
    whole = width <= BLOCK  # blocks of whole rows, or parts of a row
    if whole:
        rows = BLOCK // width
        step = width * (rows - rows % _GROUP if rows >= _GROUP else rows)
        count, per_row = -(-size // step), 1
    else:
        step, per_row = BLOCK, -(-width // BLOCK)
        count = size // width * per_row
    # Repeated for all rows of a block: loops as short as a row would take longer than the numbers.
    repeats = min(step, size) // width
    given = [_Parameter(p, columns, repeats if whole else 0) for p in parameters]

    def block(i: int) -> None:
        row, part = divmod(i, per_row)
        first = part * step  # within the row
        start = i * step if whole else row * width + first
        stop = min(size, start + step) if whole else min((row + 1) * width, start + step)
        values = sink.block(start, stop)
        draw(key, start, values, *(p.take(first, first + stop - start) for p in given))
        sink.put(start, stop, values)

    run_blocks(block, count, seconds=nanoseconds * 1e-9 * size)


class _Parameter:
    """A parameter of the columns of a result, for the values of a block: a scalar, or an entry for each of them."""

    def __init__(self, array: np.ndarray, columns: tuple[int, ...], repeats: int) -> None:
        """`repeats`: rows of a block, which is made once; 0 where blocks are parts of rows."""
        self._scalar = array.reshape(())[()] if array.size == 1 else None
        if self._scalar is None:
            self._source = Source(array, columns, array.dtype, tuple(range(len(columns))))
            self._block = np.tile(self._source.take(0, math.prod(columns)), repeats) if repeats else None

    def take(self, first: int, last: int) -> Any:
        """For the entries first ... last - 1 of a row, or of a block of rows."""
        if self._scalar is not None:
            return self._scalar
        return self._source.take(first, last) if self._block is None else self._block[first:last]


def affine(fill: Callable[..., None], key: int, start: int, values: np.ndarray, loc: Any, scale: Any) -> None:
    """scale·z + loc for a block of a sample, with z of the sequence that ``fill(key, stream, start, values)`` makes."""
    if np.ndim(loc) == np.ndim(scale) == 0:
        fill(key, 0, start, values, scale=scale, shift=loc)
        return
    fill(key, 0, start, values)
    with np.errstate(over="ignore"):
        np.multiply(values, scale, out=values)
        np.add(values, loc, out=values)
