"""Gradients of elementwise values: what broadcasting repeated is added up."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from loglik._engine.blocks import Sink, Source
from loglik._engine.folded import Folded
from loglik._engine.parallel import run_blocks
from loglik._gaussian.density_gradients import parse_out, parse_wrt

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
    lead = values.ndim - len(shape)
    repeated = [i for i, n in enumerate(values.shape) if i < lead or (shape[i - lead] == 1 and n != 1)]
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
    lead: tuple[int, ...],
    dtype: np.dtype,
    wrt: Any,
    out: Any = None,
    nanoseconds: float,
) -> tuple[Any, Any]:
    """(value, gradient) or (value, (gradients, ...)) of values of the shape `lead`, block by block.

    ``value(out)`` computes the values. `slopes` makes from blocks of the arguments, float64 and contiguous, a function for each
    of the `names` that gradients can be taken in: the derivatives of the values of the block. No argument may share memory with
    `out`.
    """
    chosen = parse_wrt(function, wrt, names)
    value_out, outs = parse_out(function, out, wrt, [arguments[name].array.shape for name in chosen], lead, dtype)
    order = tuple(range(len(lead)))
    sources = {name: Source(argument.array, lead, argument.dtype, order) for name, argument in arguments.items()}
    result = value(value_out)
    gradients, sinks, folded = {}, {}, {}
    for name, given in zip(chosen, outs, strict=True):
        shape = arguments[name].array.shape
        gradients[name] = np.empty(shape, dtype) if given is None else given
        if shape == lead:
            sinks[name] = Sink(gradients[name], order)
        else:
            folded[name] = Folded(shape, lead, order)
    size = math.prod(lead)
    count = -(-size // _BLOCK)
    parts = max(1, min([count, *(f.most_parts for f in folded.values())]))
    for target in folded.values():
        target.prepare(parts)

    def part(number: int) -> None:
        for i in range(count * number // parts, count * (number + 1) // parts):
            start, stop = i * _BLOCK, min((i + 1) * _BLOCK, size)
            with np.errstate(all="ignore"):  # infinities and NaN come from the arguments
                blocks = {name: source.take(start, stop).astype(np.float64) for name, source in sources.items()}
                formulas = slopes(blocks)
                for name in chosen:
                    derivative = np.broadcast_to(formulas[name](), stop - start)
                    if name in sinks:
                        block = sinks[name].block(start, stop)
                        block[...] = derivative
                        sinks[name].put(start, stop, block)
                    else:
                        folded[name].add(number, start, derivative)

    run_blocks(part, parts, seconds=size * nanoseconds * 1e-9)
    for name, target in folded.items():
        target.store(gradients[name])
    if out is not None:
        return out
    found = tuple(gradients[name][()] for name in chosen)
    return result, found[0] if isinstance(wrt, str) else found


def value_and_gradients(
    function: str,
    value: Callable[[], Any],
    formulas: dict[str, tuple[tuple[int, ...], Callable[[], Any]]],
    *,
    lead: tuple[int, ...],
    dtype: np.dtype,
    wrt: Any,
    out: Any = None,
) -> tuple[Any, Any]:
    """(value, gradient) or (value, (gradients, ...)) of values of the shape `lead`.

    `formulas` gives for each name the shape of the argument and the derivative of every value in its own entry of the
    argument: of the shape `lead`, for vectors and matrices with their axes behind.
    """
    names = parse_wrt(function, wrt, tuple(formulas))
    value_out, outs = parse_out(function, out, wrt, [formulas[name][0] for name in names], lead, dtype)
    with np.errstate(all="ignore"):  # infinities and NaN come from the arguments
        gradients = [
            add_up(_at_least(formulas[name][1](), lead), formulas[name][0]).astype(dtype, copy=False)[()] for name in names
        ]
    result = value()  # `out` may share memory with arguments: nothing is written before all is computed
    if out is None:
        return result, gradients[0] if isinstance(wrt, str) else tuple(gradients)
    for target, computed in zip([value_out, *outs], [result, *gradients], strict=True):
        target[...] = computed
    return out


def _at_least(values: Any, lead: tuple[int, ...]) -> np.ndarray:
    """Broadcast to `lead`, if there are no further axes."""
    values = np.asarray(values)
    return values if values.ndim > len(lead) else np.broadcast_to(values, lead)
