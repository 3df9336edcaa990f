"""dask arrays: graphs whose tasks call the functions of this package on blocks. Imported when an argument comes from dask.

Design
- What returns an array stays lazy: each block of the result is the function itself, called on blocks of the arguments. Axes that
  a function needs whole (coordinates, classes, the batch of a distribution) are rechunked to one chunk.
- Shapes and dtypes are checked at once, by a call on empty arrays. Values are seen by the tasks alone, so an index in an error
  message counts within its chunk.
- A task uses one thread: dask runs as many tasks as there are cores.
- Samples are summarised per chunk and joined in a tree. Its shape depends on the chunks alone, so workers, their number and their
  failures do not change a bit.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import numpy as np

from loglik._engine import validate
from loglik._engine.parallel import num_threads

_FAN_IN = 8  # parts that a task of the tree joins
_LABELS = 100  # names of axes: those of one array are apart from those of another


def as_dask(function: str, name: str, value: Any) -> Any:
    """A dask array of real numbers; columns of a dask data frame become one."""
    if hasattr(value, "to_dask_array"):
        value = value.to_dask_array()
    if not isinstance(value, da.Array):
        value = da.asarray(value if _is_numpy(value) else validate.as_array(function, name, value))
    if not _is_numpy(value._meta):
        raise TypeError(f"{function}: {name} is a dask array of {type(value._meta).__name__}; numpy.ndarray is needed")
    validate.as_array(function, name, value._meta)
    return value


def _is_numpy(value: Any) -> bool:
    return type(value) is np.ndarray


def _whole(array: Any, axes: tuple[int, ...]) -> Any:
    """The array with one chunk along each of the axes; the others are cut anew only if something must change."""
    if all(array.numblocks[a] == 1 for a in axes):
        return array
    return array.rechunk({a: -1 if a in axes else "auto" for a in range(array.ndim)})


def _one_thread(call: Callable[..., Any], *arrays: Any) -> Any:
    with num_threads(1):
        return np.asarray(call(*arrays))


def _over_blocks(call: Callable[..., Any], *operands: tuple[Any, int]) -> Any:
    """``call(*arrays)`` over the blocks of arrays, each with the number of its last axes that belong together; the axes before
    them broadcast, and are those of the result."""
    lead = max(array.ndim - core for array, core in operands)
    arguments: list[Any] = []
    empty = []
    for k, (given, core) in enumerate(operands):
        array = _whole(given, tuple(range(given.ndim - core, given.ndim)))
        own = tuple(_LABELS * (k + 1) + i for i in range(core))
        arguments += [array, (*range(lead - (array.ndim - core), lead), *own)]
        # one more axis than there is, so that there is no element even where nothing broadcasts
        empty.append(np.empty((0,) * (lead + 1) + array.shape[array.ndim - core :], array.dtype))
    sample = np.asarray(call(*empty))
    tail = sample.shape[lead + 1 :]
    new = {-1 - i: size for i, size in enumerate(tail)}
    meta = np.empty((0,) * (lead + len(tail)), sample.dtype)
    return da.blockwise(
        functools.partial(_one_thread, call), (*range(lead), *new), *arguments, new_axes=new, concatenate=True,
        dtype=meta.dtype, meta=meta,
    )  # fmt: skip


def _refuse(function: str, **options: Any) -> None:
    for name, value in options.items():
        if value is not None:
            raise TypeError(f"{function}: {name} has no meaning for dask arrays; map the function over blocks yourself")


def _operand(function: str, name: str, value: Any, batch: tuple[int, ...], events: int) -> tuple[Any, int]:
    """Points of a distribution as `_over_blocks` takes them: the axes of `batch` and the `events` behind them are whole."""
    x = as_dask(function, name, value)
    x = x[(None,) * (len(batch) + events - x.ndim) + (...,)] if x.ndim >= events else x
    while batch and batch[0] == 1:
        batch = batch[1:]
    return x, min(x.ndim, len(batch) + events)


def of_points(
    function: str, method: Callable[..., Any], x: Any, batch: tuple[int, ...], events: int, out: Any = None, wrt: Any = None
) -> Any:
    """``method(x)`` of a distribution with this batch shape and number of axes of an event."""
    _refuse(function, out=out, wrt=wrt)
    return _over_blocks(method, _operand(function, "x", x, batch, events))


def of_intervals(
    function: str, method: Callable[..., Any], ends: dict[str, Any], batch: tuple[int, ...], out: Any = None
) -> Any:
    """``method(**ends)`` of a distribution on the line, like `of_points`. Python's numbers among the ends stay as they are."""
    _refuse(function, out=out)
    fixed = {name: value for name, value in ends.items() if type(value) in (bool, int, float)}
    operands = {name: _operand(function, name, value, batch, 0) for name, value in ends.items() if name not in fixed}
    return _over_blocks(functools.partial(_by_end, method, tuple(operands), fixed), *operands.values())


def _by_end(method: Callable[..., Any], names: tuple[str, ...], fixed: dict[str, Any], *arrays: Any) -> Any:
    return method(**dict(zip(names, arrays, strict=True)), **fixed)


def _by_name(loss: Callable[..., Any], names: tuple[str, ...], options: dict[str, Any], *arrays: Any) -> Any:
    return loss(**dict(zip(names, arrays, strict=True)), **options, reduction="none")


def loss(
    function: Callable[..., Any],
    operands: dict[str, tuple[Any, int]],
    weights: Any,
    reduction: str,
    axis: Any,
    *,
    ignored: int | None = None,
    wrt: Any = None,
    out: Any = None,
    **options: Any,
) -> Any:
    """A loss: its values block by block, summed by dask in float64 and rounded once.

    `operands`: arguments with the number of their last axes that make one value. Python's numbers are weak here as elsewhere.
    """
    name = function.__name__
    _refuse(name, out=out, wrt=wrt)
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'{name}: reduction must be "mean", "sum" or "none", got {reduction!r}')
    operands = {**operands, "weights": (weights, 0)}
    plain = (type(None), bool, int, float)
    options |= {key: value for key, (value, _) in operands.items() if type(value) in plain}
    arrays = {key: (as_dask(name, key, value), core) for key, (value, core) in operands.items() if type(value) not in plain}
    if ignored is not None:
        options["ignore_index"] = ignored
    values = _over_blocks(functools.partial(_by_name, function, tuple(arrays), options), *arrays.values())
    if reduction == "none":
        return values
    axes = validate.axes(name, axis, values.ndim)
    total = values.sum(axis=axes, dtype=np.float64)
    if reduction == "mean":
        divisor = math.prod(values.shape[a] for a in axes)
        if weights is not None or ignored is not None or math.isnan(divisor):
            counts = values.map_blocks(np.ones_like, dtype=values.dtype, meta=values._meta)
            if weights is not None:
                counts = counts * (arrays["weights"][0].astype(values.dtype) if "weights" in arrays else weights)
            if ignored is not None:
                counts = da.where(arrays["targets"][0] == ignored, 0, counts)
            divisor = counts.sum(axis=axes, dtype=np.float64)
        total = total / divisor
    return total.astype(values.dtype)


# ------------------------------------------------------------------------------------------- samples


def _summary(summarise: Callable[[Any, Any], Any], x: np.ndarray, weights: Any) -> Any:
    with num_threads(1):
        return summarise(x, weights)


def _joined(parts: list[Any]) -> Any:
    return functools.reduce(lambda a, b: a + b, parts)


def tree(
    function: str, summarise: Callable[[Any, Any], Any], x: Any, weights: Any, reduced: tuple[int, ...], events: int
) -> Any:
    """``summarise(block, weights)`` of all blocks along the axes `reduced`, added up in a tree; a delayed object.

    The other axes are whole in each block. Weights are for the reduced axes, or for all but the last `events`.
    """
    x = _whole(x, tuple(a for a in range(x.ndim) if a not in reduced))
    blocks = x.to_delayed().reshape(-1)
    parts: list[Any] = [None] * len(blocks)
    if weights is not None:
        w = as_dask(function, "weights", weights)
        axes = reduced if w.ndim == len(reduced) else tuple(range(x.ndim - events))
        chunks, shape = tuple(x.chunks[a] for a in axes), tuple(x.shape[a] for a in axes)
        unknown = any(map(math.isnan, (*shape, *w.shape)))
        if w.ndim != len(axes) or (w.numblocks != tuple(map(len, chunks)) if unknown else w.shape != shape):
            raise ValueError(f"{function}: weights of shape {w.shape} do not fit x of shape {x.shape}")
        parts = list((w if unknown else w.rechunk(chunks)).to_delayed().reshape(-1))
    task = dask.delayed(functools.partial(_summary, summarise), pure=False, traverse=False)
    parts = [task(block, weight) for block, weight in zip(blocks, parts, strict=True)]
    join = dask.delayed(_joined, pure=False)
    while len(parts) > 1:
        parts = [join(parts[i : i + _FAN_IN]) for i in range(0, len(parts), _FAN_IN)]
    return parts[0]


def lazy_array(call: Callable[..., Any], part: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """``call(part)`` as an array, when it is wanted."""
    return da.from_delayed(dask.delayed(call, pure=False)(part), shape, dtype)
