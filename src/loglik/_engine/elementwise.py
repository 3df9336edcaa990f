"""Calls of elementwise ufuncs on large arrays: blocks, threads, aliasing."""

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from loglik._engine import validate
from loglik._engine.parallel import run_blocks
from loglik._engine.results import hand_over, memory_for

# Elements in a block: a few hundred microseconds of work, and its buffers fit a second-level cache.
BLOCK = 1 << 16


def split(shape: tuple[int, ...], block: int = BLOCK) -> Iterator[tuple[int | slice, ...]]:
    """Indices that cut an array of this shape into pieces of at most about `block` elements.

    The pieces depend on the shape alone. An elementwise result does not depend on them at all.
    """
    inner = 1
    axis = len(shape)
    while axis > 0 and inner * shape[axis - 1] <= block:
        axis -= 1
        inner *= shape[axis]
    if axis == 0:
        yield ()
        return
    axis -= 1  # this axis is cut in ranges, those before it are taken one index at a time
    step = max(1, block // inner)
    for outer in np.ndindex(*shape[:axis]):
        for start in range(0, shape[axis], step):
            yield (*outer, slice(start, start + step))


def apply(
    function: str, ufunc: Callable[..., Any], *arguments: Any, dtype: np.dtype, out: np.ndarray | None = None, nanoseconds: float
) -> Any:
    """``ufunc(*arguments, out=out, dtype=dtype)`` in blocks over the threads.

    Parameters
    ----------
    function : str
        Name of the caller, for errors.
    ufunc : ufunc, or a function that is called like one
        Elementwise; takes `out` and `dtype`.
    arguments : array or Python scalar
        Checked already (`validate.as_array`).
    dtype : dtype
        Of the result: float32 or float64.
    nanoseconds : float
        Rough cost of one element; decides when threads are worth their start.

    Returns
    -------
    ndarray, or NumPy scalar where all arguments are scalars and there is no `out`.
    """
    first = arguments[0]
    if out is None and (type(first) is float or (type(first) is np.ndarray and first.size <= BLOCK)) and (
        all([type(a) is float for a in arguments[1:]])  # noqa: C419 (quicker)
    ):
        return ufunc(*arguments, dtype=dtype)  # the common small call
    shapes = {f"argument {i}": np.shape(a) for i, a in enumerate(arguments)}
    shape = next(iter(set(shapes.values()))) if len(set(shapes.values())) == 1 else validate.broadcast_shapes(function, **shapes)
    size = math.prod(shape)
    if out is not None:
        validate.check_out(function, out, shape, dtype)
    if size <= BLOCK:
        return ufunc(*arguments, dtype=dtype) if out is None else ufunc(*arguments, out=out, dtype=dtype)

    # A ufunc sees one block at a time and cannot notice that a later block reads what an earlier one wrote.
    arrays = [a for a in arguments if isinstance(a, np.ndarray)]
    result = memory_for(function, out, shape, dtype, *arrays, in_place=True)
    views = [np.broadcast_to(a, shape) if isinstance(a, np.ndarray) and a.ndim else a for a in arguments]
    pieces = list(split(shape))

    def one(i: int) -> None:
        index = pieces[i]
        ufunc(*(v[index] if isinstance(v, np.ndarray) and v.ndim else v for v in views), out=result[index], dtype=dtype)

    run_blocks(one, len(pieces), seconds=size * nanoseconds * 1e-9)
    return hand_over(result, out)


def like_ufunc(function: Callable[..., Any], inner: Literal["result", "float64", "as given"] = "result") -> Callable[..., Any]:
    """A function of arrays, called like a ufunc. It gets them in the dtype of the result, in float64, or as they are (`inner`);
    its floating-point warnings are not shown."""
    double = np.dtype(np.float64)

    def call(*arguments: Any, dtype: np.dtype, out: np.ndarray | None = None) -> Any:
        kind = dtype if inner == "result" else double if inner == "float64" else None
        with np.errstate(all="ignore"):
            value = function(*[np.asarray(a, kind) for a in arguments])
            if out is None:
                return np.asarray(value, dtype)[()]
            out[...] = value
        return out

    return call
