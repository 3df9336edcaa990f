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
        self._constant = array.reshape(-1).astype(dtype) if array.size == 1 else None
        view = np.broadcast_to(array, shape).transpose(order)
        contiguous = view.flags.c_contiguous
        self._flat = view.reshape(-1) if contiguous else view.flat
        self.direct = contiguous and view.dtype == dtype and self._constant is None
        """Whether a block is a part of the array itself, of any length at no cost."""

    def take(self, start: int, stop: int) -> np.ndarray:
        if self._constant is not None:
            if len(self._constant) < stop - start:
                self._constant = np.full(stop - start, self._constant[0])
            return self._constant[: stop - start]
        return np.ascontiguousarray(self._flat[start:stop], self._dtype)


class Sink:
    """Where blocks of results go: an array of any layout, or a part of it."""

    def __init__(self, array: np.ndarray, order: tuple[int, ...]) -> None:
        view = array.transpose(order)
        self._dtype = array.dtype
        self.direct = view.flags.c_contiguous and view.flags.aligned
        self._flat = view.reshape(-1) if self.direct else view.flat

    def block(self, start: int, stop: int) -> np.ndarray:
        """A contiguous array to write the block to; hand it to `put` afterwards."""
        return self._flat[start:stop] if self.direct else np.empty(stop - start, self._dtype)

    def put(self, start: int, stop: int, block: np.ndarray) -> None:
        if not self.direct:
            self._flat[start:stop] = block
