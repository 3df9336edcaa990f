"""Checks of arguments, and the wording of errors, in one place.

Every message names the function, the argument, the first offending index and its value.
"""

from typing import Any

import numpy as np


class AccuracyWarning(RuntimeWarning):
    """Digits are being lost: the result is right only to the accuracy that the message states."""


def is_dask(*values: Any) -> bool:
    """Whether one of them is a collection of dask, which is not imported for the question."""
    for value in values:  # noqa: SIM110 - a third of the time of any()
        if type(value).__module__.startswith("dask."):
            return True
    return False


def _converted(value: Any) -> np.ndarray:
    """What NumPy makes of it; columns with missing values have NaN there."""
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        return np.from_dlpack(value)
    array = np.asarray(value)
    if array.dtype == object and type(value).__module__.split(".")[0] == "pandas":
        return value.to_numpy(np.float64, na_value=np.nan)  # nullable columns of several types, or with missing values
    return array


def as_array(function: str, name: str, value: Any) -> np.ndarray:
    """`value` as an array of a real type; its own memory where possible, native or not.

    Raises TypeError for complex, object, string and long double input, for what NumPy cannot convert, and for dask arrays, which
    no function loads by itself.
    """
    if type(value) is np.ndarray:
        array = value
    elif value is None:
        raise TypeError(f"{function}: {name} is missing")
    elif type(value).__module__.startswith("numpy.ma"):
        raise TypeError(f"{function}: {name} is a masked array, whose mask would be lost; fill it or drop entries")
    elif is_dask(value):
        raise TypeError(f"{function}: {name} is a dask collection; use its map_blocks with this function, or compute() it first")
    else:
        try:
            array = _converted(value)
        except (ValueError, TypeError, RuntimeError, BufferError) as error:
            raise TypeError(f"{function}: {name} is not an array of numbers ({error})") from None
    if array.dtype.kind not in "biuf" or (array.dtype.kind == "f" and array.dtype.itemsize > 8):
        raise TypeError(
            f"{function}: {name} has dtype {array.dtype}; real floating (up to float64), integer or bool is needed"
        )
    return array


def result_dtype(*values: Any) -> np.dtype:
    """Floating type of a result: that of the floating inputs, float64 if there is none.

    Takes the arguments as the user gave them: Python scalars are weak, integer and bool arrays never promote,
    float16 computes in float32. None is passed over.
    """
    result: np.dtype | None = None
    for value in values:
        if value is None or type(value) in (bool, int, float):
            continue
        dtype = getattr(value, "dtype", None)
        if not isinstance(dtype, np.dtype):  # a list, or an array of another library with its own kind of dtype
            dtype = _converted(value).dtype
        if dtype.kind == "f":
            dtype = np.dtype(np.float32) if dtype.itemsize <= 4 else np.dtype(np.float64)
            result = dtype if result is None else np.promote_types(result, dtype)
    return np.dtype(np.float64) if result is None else result


def first_index(bad: np.ndarray) -> tuple[int, ...]:
    """Index of the first true element in C order; the caller knows that there is one."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))


def describe_entry(name: str, index: tuple[int, ...], value: Any) -> str:
    """``name[i, j] = value``, or ``name = value`` for a scalar."""
    position = f"[{', '.join(map(str, index))}]" if index else ""
    return f"{name}{position} = {value}"


def require(function: str, name: str, array: np.ndarray, good: np.ndarray, condition: str) -> None:
    """Raise ValueError naming the first element of `array` that is not `good`.

    `condition` completes "must be ...": ``require("Normal", "scale", scale, scale > 0, "positive")``.
    """
    if not np.all(good):
        index = first_index(~np.asarray(good))
        entry = describe_entry(name, index, array[index])
        raise ValueError(f"{function}: {name} must be {condition}, but {entry}")


def require_probabilities(function: str, name: str, array: np.ndarray) -> None:
    """Raise ValueError naming the first element outside [0, 1]; NaN passes. No mask is made unless there is one."""
    # fmin and fmax pass over NaN, so 0 is what is left of an empty array, too
    if np.fmin.reduce(array, axis=None, initial=0) < 0 or np.fmax.reduce(array, axis=None, initial=0) > 1:
        require(function, name, array, ~((array < 0) | (array > 1)), "within [0, 1]")


def broadcast_shapes(function: str, **shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape of named arguments; ValueError that lists them where there is none."""
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"{function}: shapes do not broadcast: {listed}") from None


def axes(function: str, axis: Any, ndim: int) -> tuple[int, ...]:
    """An `axis` argument as ascending axes; None is all of them."""
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, tuple) else (axis,)
    result = []
    for a in axes:
        if isinstance(a, bool) or not hasattr(a, "__index__"):
            raise TypeError(f"{function}: axis must be an integer or a tuple of integers, got {axis!r}")
        if not -ndim <= a.__index__() < ndim:
            raise ValueError(f"{function}: axis {a} is out of range for {ndim} dimensions")
        result.append(a.__index__() % ndim)
    if len(set(result)) != len(result):
        raise ValueError(f"{function}: axis {axis} names an axis twice")
    return tuple(sorted(result))


def check_out(function: str, out: Any, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise unless `out` is a writeable array of exactly this shape and dtype."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{function}: out must be a numpy.ndarray, got {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(
            f"{function}: out must have shape {shape} and dtype {dtype}, got shape {out.shape} and dtype {out.dtype}"
        )
    if not out.flags.writeable:
        raise ValueError(f"{function}: out is read-only")
