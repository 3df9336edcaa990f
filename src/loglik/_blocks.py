"""Arrays as sequences of elements in logical C order, read and written block by block.

What a kernel sees is always a contiguous block of its own type: input of another layout, byte order or dtype is
gathered per block, so no call makes a copy as large as an input, and the bits of a result do not depend on layouts.
"""

import numpy as np


class Source:
    """Elements of an array, broadcast to `shape`, as contiguous blocks of `dtype`."""

    def __init__(self, array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype, order: tuple[int, ...]) -> None:
        """`order`: the axes of `shape` in the order in which the elements are taken."""
        self._dtype = dtype
        self._constant = array.reshape(()).astype(dtype) if array.size == 1 else None
        view = np.broadcast_to(array, shape).transpose(order)
        self._flat = view.reshape(-1) if view.flags.c_contiguous else view.flat

    def take(self, start: int, stop: int) -> np.ndarray:
        if self._constant is not None:
            return np.full(stop - start, self._constant)
        return np.ascontiguousarray(self._flat[start:stop], self._dtype)


class Sink:
    """Where blocks of results go: an array of any layout, or a part of it."""

    def __init__(self, array: np.ndarray, order: tuple[int, ...]) -> None:
        view = array.transpose(order)
        self._dtype = array.dtype
        self._direct = view.flags.c_contiguous and view.flags.aligned
        self._flat = view.reshape(-1) if self._direct else view.flat

    def block(self, start: int, stop: int) -> np.ndarray:
        """A contiguous array to write the block to; hand it to `put` afterwards."""
        return self._flat[start:stop] if self._direct else np.empty(stop - start, self._dtype)

    def put(self, start: int, stop: int, block: np.ndarray) -> None:
        if not self._direct:
            self._flat[start:stop] = block
