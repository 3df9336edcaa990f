"""Log-densities straight from covariances, with nothing stored."""

import math
from typing import Any

import numpy as np

from loglik import ufuncs
from loglik._engine.results import hand_over, memory_for
from loglik._engine.validate import as_array, broadcast_shapes, result_dtype
from loglik._gaussian import evaluation
from loglik._gaussian.axes import BroadcastAxes, GroupedArray, run
from loglik._gaussian.batch import prepare
from loglik._gaussian.matrices import check_finite, raise_bad


def log_prob(function: str, x: Any, loc: Any, covariance: Any, out: Any) -> Any:
    """Log-density of points under means and covariances that broadcast; a covariance that all points share is factored once."""
    dtype = result_dtype(x, loc, covariance)
    covariance = as_array(function, "covariance", covariance)
    loc = as_array(function, "loc", loc)
    x = as_array(function, "x", x)
    d = loc.shape[-1] if loc.ndim else 0
    if d == 0 or x.ndim == 0 or x.shape[-1] != d or covariance.shape[-2:] != (d, d):
        raise ValueError(
            f"{function}: x (..., d), loc (..., d) and covariance (..., d, d) must agree in d >= 1, "
            f"got shapes {x.shape}, {loc.shape} and {covariance.shape}"
        )
    shape = broadcast_shapes(function, x=x.shape[:-1], loc=loc.shape[:-1], covariance=covariance.shape[:-2])
    paired = math.prod(x.shape[:-1]) == math.prod(shape) == math.prod(covariance.shape[:-2])
    if paired and math.prod(shape) > 1:
        return _paired(function, x, loc, covariance, shape, dtype, out)
    return evaluation.log_prob(function, prepare(function, loc, "covariance", covariance, dtype=dtype), x, out)


def _paired(
    function: str,
    x: np.ndarray,
    loc: np.ndarray,
    covariance: np.ndarray,
    shape: tuple[int, ...],
    dtype: np.dtype,
    out: Any,
) -> Any:
    """A covariance for every point, checked, factored and evaluated while a block of them is in cache."""
    result = memory_for(function, out, shape, dtype, x, loc, covariance)
    every = list(range(len(shape)))
    points, means = GroupedArray(x, 1, shape, every), GroupedArray(loc, 1, shape, every)
    matrices, values = GroupedArray(covariance, 2, shape, every), GroupedArray(result, 0, shape, every)

    def block(e: slice, _: slice) -> None:
        p, m, a = (array.block(e).astype(dtype, copy=False) for array in (points, means, matrices))
        memory = values.writable_block(e)
        value = np.empty(e.stop - e.start, dtype) if memory is None else memory
        with np.errstate(invalid="ignore"):
            info = ufuncs.mvn_log_prob_checked(p, m, a, out=(value, None))[1]
        if info.any():
            check_finite(function, "loc", loc.astype(dtype, copy=False))
            raise_bad(function, a, info, e.start, shape)
        if memory is None:
            values.write_block(value, e)

    run(BroadcastAxes(shape, every, [], []), evaluation.seconds_per_value(x.shape[-1], dtype, paired=True), block)
    return hand_over(result, out)
