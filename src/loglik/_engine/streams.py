"""Random numbers: keys from NumPy generators, and arrays of our own streams.

Design
- ``rng=`` is None (fresh entropy), an int (a seed) or a `numpy.random.Generator`. A call draws exactly one 64-bit
  integer from it, the key; a generator advances by that and no more. All other numbers come from Philox4x32-10
  under that key.
- Value number i of the sequence (key, stream) is a pure function of the three (csrc/kernels/random.h): results do not
  depend on threads, blocks or batches. Words and uniforms are the same on every machine, normals on every
  machine with fused multiply-adds.
"""

import math
from typing import Any

import numpy as np

from loglik import _kernels
from loglik._engine.parallel import run_blocks

RNG_TYPES = "None, an int or a numpy.random.Generator"

# Values of a block of one thread: 0.3 to 0.6 ms.
_BLOCK = 1 << 18


def check_rng(function: str, rng: Any) -> None:
    """Raise TypeError or ValueError for what a key cannot be drawn from."""
    if isinstance(rng, int | np.integer) and not isinstance(rng, bool):
        if rng < 0:
            raise ValueError(f"{function}: rng as a seed must not be negative, got {rng}")
    elif rng is not None and not isinstance(rng, np.random.Generator):
        hint = "; make a Generator by numpy.random.default_rng(seed)" if isinstance(rng, np.random.RandomState) else ""
        raise TypeError(f"{function}: rng must be {RNG_TYPES}, got {type(rng).__name__}{hint}")


def draw_key(function: str, rng: Any) -> int:
    """The 64-bit key of one call, drawn from `rng`."""
    check_rng(function, rng)
    if not isinstance(rng, np.random.Generator):
        rng = np.random.default_rng(None if rng is None else int(rng))
    return int(rng.integers(2**64 - 1, dtype=np.uint64, endpoint=True))


def standard_normal(
    shape: tuple[int, ...], key: int, *, stream: int = 0, dtype: Any = np.float64, out: np.ndarray | None = None
) -> np.ndarray:
    """Standard normals 0, 1, ... of the sequence (key, stream) in C order, as an array of `shape`.

    `out`, if given, is contiguous and has this shape and dtype (float32 or float64).
    """
    return _fill(_kernels.fill_normal, _new(shape, dtype, out), key, stream, nanoseconds=2.0)


def uniform(
    shape: tuple[int, ...], key: int, *, stream: int = 0, dtype: Any = np.float64, out: np.ndarray | None = None
) -> np.ndarray:
    """Uniform numbers 0, 1, ... on [0, 1) of the sequence (key, stream), of 53 (float64) or 24 bits (float32)."""
    return _fill(_kernels.fill_uniform, _new(shape, dtype, out), key, stream, nanoseconds=1.0)


def _new(shape: tuple[int, ...], dtype: Any, out: np.ndarray | None) -> np.ndarray:
    return np.empty(shape, dtype) if out is None else out


def _fill(fill: Any, out: np.ndarray, key: int, stream: int, *, nanoseconds: float) -> np.ndarray:
    flat, n = out.reshape(-1), out.size

    def block(i: int) -> None:
        fill(key, stream, i * _BLOCK, flat[i * _BLOCK : (i + 1) * _BLOCK])

    run_blocks(block, math.ceil(n / _BLOCK), seconds=nanoseconds * 1e-9 * n)
    return out
