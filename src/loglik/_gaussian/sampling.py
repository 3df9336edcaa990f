"""Samples of Gaussians with a factor: normal numbers times L, in blocks."""

import math

import numpy as np

from loglik import ufuncs
from loglik._engine.parallel import run_blocks
from loglik._engine.sampling import BLOCK
from loglik._gaussian.axes import GroupedArray
from loglik._kernels import fill_normal


def fill(batch_shape: tuple[int, ...], loc: np.ndarray, lower: np.ndarray, result: np.ndarray, key: int) -> None:
    """Fill `result` with loc + L·z, in blocks of points by matrices: z is in cache when it meets L."""
    leading, d = result.shape[:-1], result.shape[-1]
    shared = lower.ndim == 2 or math.prod(lower.shape[:-2]) == 1
    matrix_axes = 0 if shared else len(batch_shape)  # how many of the last axes every item has a matrix on
    split = len(leading) - matrix_axes
    row_axes, item_axes = list(range(split)), list(range(split, len(leading)))
    n, items_of_row = math.prod(leading[:split]), math.prod(leading[split:])
    if result.size == 0:
        return
    # A matrix is packed once for the rows of a block: few of them would not pay for it, many keep Ctrl-C waiting.
    least = 64 if not shared or d > 1024 else 256
    items = min(items_of_row, max(1, BLOCK // (d * min(n, least))))
    rows = min(n, max(least, BLOCK // (d * items)))
    row_blocks, item_blocks = -(-n // rows), -(-items_of_row // items)
    matrices = GroupedArray(lower, 2, leading, item_axes)
    values = GroupedArray(result, 1, leading, row_axes, item_axes)
    zero = np.zeros(d, result.dtype)
    one_mean = shared and loc.size == d
    means = GroupedArray(loc, 1, leading, row_axes if shared else item_axes)

    def block(i: int) -> None:
        row_block, item_block = divmod(i, item_blocks)
        r = slice(row_block * rows, min(n, (row_block + 1) * rows))
        k = slice(item_block * items, min(items_of_row, (item_block + 1) * items))
        z = np.empty((r.stop - r.start, k.stop - k.start, d), result.dtype)
        if item_blocks == 1:
            fill_normal(key, 0, r.start * items_of_row * d, z)
        else:
            for row, at in zip(z, range(r.start, r.stop), strict=True):
                fill_normal(key, 0, (at * items_of_row + k.start) * d, row)
        memory = values.writable_block(r, k)
        value = np.empty_like(z) if memory is None else memory
        mean = loc.reshape(d) if one_mean else zero if shared else means.block(k)
        with np.errstate(over="ignore"):
            ufuncs.unwhiten(z.swapaxes(0, 1), mean, matrices.block(k), out=value.swapaxes(0, 1))
            if shared and not one_mean:
                np.add(value, means.block(r)[:, None], out=value)
        if memory is None:
            values.write_block(value, r, k)

    run_blocks(block, row_blocks * item_blocks, seconds=result.size * (2e-9 + d * 5e-11))
