"""Probabilities that compare two independent discrete variables."""

import math
from typing import Any

import numpy as np

from loglik._discrete import pmf_rows, scaled_pmf
from loglik._discrete.checks import as_integer
from loglik._discrete.scaled_pmf import Pmf
from loglik._discrete.variable import constant
from loglik.distributions.discrete import Discrete

_PRODUCTS = 2**16  # summed at a time


def prob_greater(a: Any, b: Any) -> Any:
    r"""P(A > B) of two independent variables.

    .. math:: P(A > B) = \sum_k P(B = k)\, P(A > k)

    Parameters
    ----------
    a, b : Discrete or int
        An integer is a variable that always has this value. Batches broadcast.

    Returns
    -------
    ndarray or scalar
        Of the broadcast batch shape and the dtype that the two promote to.

    Raises
    ------
    TypeError
        If an argument is neither.
    ValueError
        If batches do not broadcast.

    Notes
    -----
    Positive terms only: the relative error stays small where the probability is small, as long as its terms do not underflow.

    Examples
    --------
    >>> import loglik as ll
    >>> print(f"{ll.prob_greater(ll.dice('2d20kh1'), ll.die(20)):.10g}")  # with advantage, against a die
    0.64125
    """
    a, b = _variable("prob_greater", "a", a), _variable("prob_greater", "b", b)
    # Below the lowest outcome of a everything is greater; from its highest one on, nothing.
    first = min(max(a._start - b._start, 0), b._length)
    last = min(max(a._start + a._length - 1 - b._start, first), b._length)
    if a.batch_shape or b.batch_shape:

        def value_of(p: Pmf, q: Pmf) -> Any:
            some = pmf_rows.probs(q, b.dtype)[..., first:last]
            above = scaled_pmf.tails(p, log=False).sf[..., b._start + first - a._start :][..., : last - first]
            surely = scaled_pmf.tails(q, log=False).cdf[..., first - 1] if first else 0.0
            return surely + _sum_of_products(some, above)

        return _rounded(a, b, pmf_rows.paired("prob_greater", a._masses, b._masses, value_of))
    certain = float(b._tails.cdf[first - 1]) if first else 0.0
    below = b._start + first - a._start
    value = certain + _sum_of_products(b.probs[first:last], a._tails.sf[below : below + last - first])
    return np.result_type(a.dtype, b.dtype).type(min(value, 1.0))


def prob_equal(a: Any, b: Any) -> Any:
    r"""P(A = B) of two independent variables.

    .. math:: P(A = B) = \sum_k P(A = k)\, P(B = k)

    Parameters
    ----------
    a, b : Discrete or int
        An integer is a variable that always has this value. Batches broadcast.

    Returns
    -------
    ndarray or scalar
        Of the broadcast batch shape and the dtype that the two promote to.

    Raises
    ------
    TypeError
        If an argument is neither.
    ValueError
        If batches do not broadcast.

    Examples
    --------
    >>> import loglik as ll
    >>> print(f"{ll.prob_equal(ll.die(6), ll.die(20)):.10g}")
    0.05
    """
    a, b = _variable("prob_equal", "a", a), _variable("prob_equal", "b", b)
    start, stop = max(a._start, b._start), min(a._start + a._length, b._start + b._length)
    stop = max(start, stop)
    if a.batch_shape or b.batch_shape:

        def value_of(p: Pmf, q: Pmf) -> Any:
            x, y = pmf_rows.probs(p, a.dtype), pmf_rows.probs(q, b.dtype)
            return _sum_of_products(
                x[..., start - a._start : stop - a._start], y[..., start - b._start : stop - b._start]
            )

        return _rounded(a, b, pmf_rows.paired("prob_equal", a._masses, b._masses, value_of))
    value = _sum_of_products(a.probs[start - a._start : stop - a._start], b.probs[start - b._start : stop - b._start])
    return np.result_type(a.dtype, b.dtype).type(min(value, 1.0))


def _variable(function: str, name: str, value: Any) -> Discrete:
    if isinstance(value, Discrete):
        return value
    number = as_integer(value)
    if number is None:
        raise TypeError(f"{function}: {name} must be a Discrete or an integer, got {value!r}")
    return Discrete._from_variable(constant(number))


def _rounded(a: Discrete, b: Discrete, values: np.ndarray) -> np.ndarray:
    return np.minimum(values, 1.0).astype(np.result_type(a.dtype, b.dtype))


def _sum_of_products(x: np.ndarray, y: np.ndarray) -> Any:
    """Σ xᵢyᵢ in double, in blocks: the same bits on every machine with the same NumPy, and no large temporaries.

    Of each of several rows, if they are no longer than a block.
    """
    if x.ndim > 1:
        return np.sum(np.multiply(x, y, dtype=np.float64), axis=-1)
    sums = []
    for i in range(0, len(x), _PRODUCTS):
        block = slice(i, i + _PRODUCTS)
        sums.append(float(np.sum(np.multiply(x[block], y[block], dtype=np.float64))))
    return math.fsum(sums)
