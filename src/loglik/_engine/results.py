"""What a call hands back: the names in `wrt`, the arrays in `out`, and memory that an array of `out` shares with an argument.

Rules
- `wrt` is a name, or a tuple or a list of different names. A function then returns (value, gradient) or
  (value, (gradients, ...)), and its `out` is nested in the same way.
- An array of `out` may share memory with any argument. The results are what they would be if all of them were computed first and
  written afterwards.

Functions compute block by block, so a block that is written could destroy what a later block reads. An array of `out` that may
share memory with an argument is therefore left alone until the end: a fresh array takes its place and is copied over it when
everything is computed. The other way, a copy of each argument concerned, needs as much memory or more (an argument may be larger
than what it is broadcast to, and there may be several), and has to be thought of wherever an argument is read. An elementwise
function, which reads an element before it writes the same one, may write over an argument directly (`in_place`).

Arrays of `out` that share memory with each other, as the value and a gradient, are the caller's mistake; nothing checks it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from loglik._engine.validate import check_out

Shape = tuple[int, ...]


def parse_wrt(function: str, wrt: Any, valid: tuple[str, ...]) -> tuple[str, ...]:
    """The names in `wrt`, each one of `valid` and there once."""
    if not isinstance(wrt, (str, tuple, list)):
        raise TypeError(f"{function}: wrt must be a name or a tuple of names, got {wrt!r}")
    names = (wrt,) if isinstance(wrt, str) else tuple(wrt)
    for i, name in enumerate(names):
        if not isinstance(name, str) or name not in valid:
            listed = ", ".join(map(repr, valid))
            raise ValueError(f"{function}: wrt names {name!r}; a gradient can be taken in: {listed}")
        if name in names[:i]:
            raise ValueError(f"{function}: wrt names {name!r} more than once")
    return names


def overlaps(out: Any, *arguments: np.ndarray) -> bool:
    """Whether an array `out` may share memory with an argument; False where it is None."""
    return out is not None and any(np.may_share_memory(out, argument) for argument in arguments)


def memory_for(
    function: str, out: Any, shape: Shape, dtype: np.dtype, *arguments: np.ndarray, in_place: bool = False
) -> np.ndarray:
    """Memory for a result: `out`, or a fresh array where there is none or where it may share memory with an argument.

    `in_place`: each element is read before the same one is written, so that an argument which is `out` itself does no harm.
    """
    if out is None:
        return np.empty(shape, dtype)
    check_out(function, out, shape, dtype)
    for argument in arguments:
        if np.may_share_memory(out, argument) and not (in_place and _same_view(out, argument)):
            return np.empty(shape, dtype)
    return out


def hand_over(result: np.ndarray, out: Any) -> Any:
    """What the caller gets: `out`, which holds the result, or the result, as a scalar where it has no axes."""
    if out is None:
        return result if result.ndim else result[()]
    if result is not out:
        out[...] = result
    return out


def _same_view(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.__array_interface__["data"] == b.__array_interface__["data"] and (
        a.shape == b.shape and a.strides == b.strides
    )


class Results:
    """The value and the gradients of one call: memory to compute them in, and what the caller gets.

    Parameters
    ----------
    function : name of the caller, for errors.
    shape, dtype : of the value; gradients have the same dtype.
    gradients : the names that `wrt` may have, each with the shape of its gradient.
    wrt, out : the arguments of the caller.
    arguments : arrays that are read while results are written.
    """

    value: np.ndarray
    """Where the value is to be computed."""
    gradients: dict[str, np.ndarray]
    """Where the gradients are to be computed, by name, in the order of `wrt`."""

    def __init__(
        self, function: str, shape: Shape, dtype: np.dtype, gradients: Mapping[str, Shape], *arguments: np.ndarray,
        wrt: Any, out: Any,
    ) -> None:  # fmt: skip
        names = () if wrt is None else parse_wrt(function, wrt, tuple(gradients))
        self._wrt, self._out = wrt, out
        self._targets = _unnested(function, out, wrt, len(names))
        shapes = (shape, *(gradients[name] for name in names))
        self.value, *rest = (
            memory_for(function, target, wanted, dtype, *arguments)
            for target, wanted in zip(self._targets, shapes, strict=True)
        )
        self.gradients = dict(zip(names, rest, strict=True))

    def hand_over(self) -> Any:
        """What the caller returns, when all is computed: `out`, or arrays (scalars where they have no axes) nested in its way."""
        computed = (self.value, *self.gradients.values())
        value, *gradients = (hand_over(*pair) for pair in zip(computed, self._targets, strict=True))
        if self._out is not None:
            return self._out
        if self._wrt is None:
            return value
        return value, gradients[0] if isinstance(self._wrt, str) else tuple(gradients)


def _unnested(function: str, out: Any, wrt: Any, count: int) -> tuple[Any, ...]:
    """The array for the value in `out`, and those for so many gradients; None for each where there is no `out`."""
    if out is None:
        return (None,) * (1 + count)
    if wrt is None:
        return (out,)
    if not isinstance(out, tuple) or len(out) != 2:
        raise TypeError(f"{function}: with wrt, out must be a pair like the return value")
    value, gradients = out
    if isinstance(wrt, str):
        return value, gradients
    if not isinstance(gradients, tuple) or len(gradients) != count:
        raise TypeError(f"{function}: with a tuple in wrt, out[1] must be a tuple of the same length")
    return value, *gradients
