"""Gradients of elementwise values: what broadcasting repeated is added up."""

from collections.abc import Callable
from typing import Any

import numpy as np

from loglik.distributions._gradients import parse_out, parse_wrt


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
