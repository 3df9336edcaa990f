"""Gradients of elementwise values: what broadcasting repeated is added up."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from loglik._engine.blocks import Sink, Source
from loglik._engine.folded import Folded
from loglik._engine.parallel import run_blocks
from loglik._engine.results import Results

_BLOCK = 1 << 14  # elements: the dozen arrays of a formula stay in a second-level cache

Slopes = dict[str, Callable[[], Any]]


class Argument(NamedTuple):
    """What a value is computed from, in the dtype that it is rounded to first."""

    array: np.ndarray
    dtype: np.dtype


def add_up(values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The sums of `values` over the axes that broadcasting `shape` to theirs repeated: an array of `shape`, float64.

    The summed axes are brought together in memory, so that NumPy adds pairwise and the error does not grow with their length.
    """
    values = np.asarray(values, np.float64)
    if values.shape == shape:
        return values
    added = values.ndim - len(shape)
    repeated = [i for i, n in enumerate(values.shape) if i < added or (shape[i - added] == 1 and n != 1)]
    kept = [i for i in range(values.ndim) if i not in repeated]
    together = np.ascontiguousarray(values.transpose(*kept, *repeated))
    return together.reshape(*(values.shape[i] for i in kept), -1).sum(axis=-1).reshape(shape)


def elementwise_gradients(
    function: str,
    value: Callable[[Any], Any],
    arguments: dict[str, Argument],
    names: tuple[str, ...],
    slopes: Callable[[dict[str, np.ndarray]], Slopes],
    *,
    value_shape: tuple[int, ...],
    dtype: np.dtype,
    wrt: Any,
    out: Any = None,
    nanoseconds: float,
) -> tuple[Any, Any]:
    """(value, gradient) or (value, (gradients, ...)) of values of the shape `value_shape`, block by block.

    ``value(memory)`` computes the values there, or returns them in memory of its own. `slopes` makes from blocks of the
    arguments, float64 and contiguous, a function for each of the `names` that gradients can be taken in: the derivatives of the
    values of the block.
    """
    order = tuple(range(len(value_shape)))
    sources = {name: Source(argument.array, value_shape, argument.dtype, order) for name, argument in arguments.items()}
    shapes = {name: arguments[name].array.shape for name in names}
    results = Results(
        function, value_shape, dtype, shapes, *(argument.array for argument in arguments.values()), wrt=wrt, out=out
    )
    values = value(results.value)
    if values is not results.value:
        results.value[...] = values
    sinks, folded = {}, {}
    for name, gradient in results.gradients.items():
        if gradient.shape == value_shape:
            sinks[name] = Sink(gradient, order)
        else:
            folded[name] = Folded(gradient.shape, value_shape, order)
    size = math.prod(value_shape)
    count = -(-size // _BLOCK)
    parts = max(1, min([count, *(f.most_parts for f in folded.values())]))
    for target in folded.values():
        target.prepare(parts)

    def evaluate_part(part: int) -> None:
        for i in range(count * part // parts, count * (part + 1) // parts):
            start, stop = i * _BLOCK, min((i + 1) * _BLOCK, size)
            with np.errstate(all="ignore"):  # infinities and NaN come from the arguments
                blocks = {name: source.take(start, stop).astype(np.float64) for name, source in sources.items()}
                formulas = slopes(blocks)
                for name in results.gradients:
                    derivative = np.broadcast_to(formulas[name](), stop - start)
                    if name in sinks:
                        block = sinks[name].block(start, stop)
                        block[...] = derivative
                        sinks[name].put(start, stop, block)
                    else:
                        folded[name].add(part, start, derivative)

    run_blocks(evaluate_part, parts, seconds=size * nanoseconds * 1e-9)
    for name, target in folded.items():
        target.store(results.gradients[name])
    return results.hand_over()


def value_and_gradients(
    function: str,
    value: Callable[[], Any],
    formulas: dict[str, tuple[tuple[int, ...], Callable[[], Any]]],
    *,
    value_shape: tuple[int, ...],
    dtype: np.dtype,
    wrt: Any,
    out: Any = None,
) -> tuple[Any, Any]:
    """(value, gradient) or (value, (gradients, ...)) of values of the shape `value_shape`.

    `formulas` gives for each name the shape of the argument and the derivative of every value in its own entry of the
    argument: of the shape `value_shape`, for vectors and matrices with their axes behind.
    """
    results = Results(function, value_shape, dtype, {name: shape for name, (shape, _) in formulas.items()}, wrt=wrt, out=out)
    with np.errstate(all="ignore"):  # infinities and NaN come from the arguments
        computed = {
            name: add_up(_at_least(formulas[name][1](), value_shape), gradient.shape)
            for name, gradient in results.gradients.items()
        }
    values = value()  # before anything is written: `out` may share memory with an argument
    with np.errstate(all="ignore"):
        for name, gradient in computed.items():
            results.gradients[name][...] = gradient
    results.value[...] = values
    return results.hand_over()


def _at_least(values: Any, value_shape: tuple[int, ...]) -> np.ndarray:
    """Broadcast to `value_shape`, if there are no further axes."""
    values = np.asarray(values)
    return values if values.ndim > len(value_shape) else np.broadcast_to(values, value_shape)
