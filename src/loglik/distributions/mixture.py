"""Mixtures of multivariate normal distributions."""

from functools import partial
from typing import Any

import numpy as np

from loglik import ufuncs
from loglik._engine.validate import as_array, broadcast_shapes, describe_entry, first_index, is_dask, result_dtype
from loglik._gaussian.axes import BLOCK_SECONDS, BroadcastAxes, GroupedArray, run
from loglik._gaussian.batch import GaussianBatch
from loglik._gaussian.evaluation import log_prob_block, seconds_per_value
from loglik.distributions.mvnormal import MultivariateNormal

__all__ = ["mixture_log_prob"]

_VALUES_BYTES = 1 << 19  # log-densities that stay in cache until they are summed
_TOGETHER = 256  # components summed at a time, the same for any number of points, since the bits depend on it
_EXP_SECONDS = 1.5e-9


def mixture_log_prob(x: Any, log_weights: Any, mvn: MultivariateNormal) -> Any:
    r"""Log-density of a mixture of multivariate normal distributions, in nats.

    .. math::

        \log p(x) = \log \sum_k \exp(\log w_k + \log \mathcal N(x \mid \mu_k, \Sigma_k))

    Parameters
    ----------
    x : array_like, shape (..., d)
        Points. Leading axes broadcast with those of the mixtures.
    log_weights : array_like, shape (..., K)
        Logarithms of the weights of the components, in nats; -inf leaves a component out. They are taken as they are: if
        the weights do not add up to 1, neither does the mixture.
    mvn : MultivariateNormal
        The components: the last axis of its batch, of length K. Further axes are a batch of mixtures.

    Returns
    -------
    ndarray or scalar
        Shape: leading axes of `x` broadcast with ``mvn.batch_shape[:-1]`` and ``log_weights.shape[:-1]``. A NaN coordinate
        gives NaN for its point, an infinite one -inf.

    Raises
    ------
    ValueError
        Shapes that do not fit, a weight that is NaN or +inf; the message names its index. A component whose covariance is
        singular: it has no density with respect to the measure of the others.
    TypeError
        If `mvn` is not a MultivariateNormal, or an array is complex, object or long double.

    Notes
    -----
    Points are read once; the K values of a point are summed while they are in cache and never written to memory. Error: that
    of ``mvn.log_prob``, and K + 4 units for the sum.

    Examples
    --------
    >>> import numpy as np
    >>> import loglik as ll
    >>> components = ll.MultivariateNormal([[0.0, 0.0], [3.0, 3.0]], variance=[1.0, 1.0])
    >>> ll.mixture_log_prob([[0.0, 0.0], [3.0, 3.0]], np.log([0.25, 0.75]), components).round(6)
    array([-3.223801, -2.125518])
    """
    name = "mixture_log_prob"
    if not isinstance(mvn, MultivariateNormal):
        raise TypeError(f"{name}: mvn must be a MultivariateNormal, got {type(mvn).__name__}")
    if is_dask(x):
        from loglik._engine import chunks

        log_weights = as_array(name, "log_weights", log_weights)
        mixtures = np.broadcast_shapes(log_weights.shape[:-1], mvn.batch_shape[:-1])
        evaluate = partial(mixture_log_prob, log_weights=log_weights, mvn=mvn)
        return chunks.of_points(name, evaluate, x, mixtures, 1)
    dtype = result_dtype(x, log_weights, mvn.loc)
    points, weights = as_array(name, "x", x), as_array(name, "log_weights", log_weights)
    (d,) = mvn.event_shape
    if points.ndim == 0 or points.shape[-1] != d:
        raise ValueError(f"{name}: x must have shape (..., {d}) for event_shape ({d},), got {points.shape}")
    if not mvn.batch_shape:
        raise ValueError(f"{name}: the last axis of mvn's batch is the components, but its batch_shape is ()")
    if mvn.batch_shape[-1] == 0:
        raise ValueError(f"{name}: mvn has no components, its batch_shape is {mvn.batch_shape}")
    singular = np.asarray(mvn.rank) < d
    if singular.any():
        where = ", ".join(map(str, first_index(singular)))
        raise ValueError(f"{name}: mvn[{where}] has a singular covariance; densities on different supports cannot be added")
    components = mvn.batch_shape[-1]
    if weights.ndim == 0 or weights.shape[-1] != components:
        raise ValueError(
            f"{name}: log_weights must have shape (..., {components}) for batch_shape {mvn.batch_shape}, got {weights.shape}"
        )
    bad = ~(weights < np.inf)
    if bad.any():
        index = first_index(bad)
        entry = describe_entry("log_weights", index, weights[index])
        raise ValueError(f"{name}: log_weights must be less than infinity, but {entry}")

    mixtures = broadcast_shapes(
        name, **{"mvn's batch": mvn.batch_shape[:-1], "log_weights' leading axes": weights.shape[:-1]}
    )
    shape = broadcast_shapes(name, **{"x's leading axes": points.shape[:-1], "the mixtures": mixtures})
    result = np.empty(shape, dtype)
    _evaluate(name, points, weights, mvn._gaussians, (1,) * (len(shape) - len(mixtures)) + mixtures, result)
    return result[()]


def _evaluate(
    name: str,
    x: np.ndarray,
    log_weights: np.ndarray,
    components: GaussianBatch,
    mixtures: tuple[int, ...],
    out: np.ndarray,
) -> None:
    """Write log-densities to `out`. `mixtures`: for each axis of `out`, how many mixtures there are along it."""
    dtype, count = out.dtype, components.batch_shape[-1]
    loc, factor = components.in_dtype(dtype)
    component_axis = out.ndim
    shape = (*out.shape, count)
    mixture_axes = [i for i, n in enumerate(mixtures) if n != 1]
    point_axes = [i for i, n in enumerate(mixtures) if n == 1]
    points = GroupedArray(x[..., None, :], 1, shape, mixture_axes, point_axes)
    means = GroupedArray(loc, 1, shape, mixture_axes, [component_axis])
    matrices = GroupedArray(factor, 1 if components.form == "variance" else 2, shape, mixture_axes, [component_axis])
    weights = GroupedArray(log_weights, 0, shape, mixture_axes, [component_axis])
    values = GroupedArray(out, 0, out.shape, mixture_axes, point_axes)

    def block(e: slice, n: slice) -> None:
        problems, rows = e.stop - e.start, n.stop - n.start
        p = points.block(e, n).astype(dtype, copy=False)
        starts = range(0, count, _TOGETHER)
        partial_sums = np.empty((problems, rows, len(starts)), dtype)
        for i, start in enumerate(starts):
            k = slice(start, min(count, start + _TOGETHER))
            value = np.empty((problems, rows, k.stop - k.start), dtype)
            log_prob_block(name, p, means.block(e, k), matrices.block(e, k), value, form=components.form)
            w = weights.block(e, k).astype(dtype, copy=False)
            ufuncs.log_mixture(value, w[:, None], out=partial_sums[..., i])
        if len(starts) == 1:
            total = partial_sums[..., 0]
        else:
            total = ufuncs.log_mixture(partial_sums, np.zeros(len(starts), dtype))
        memory = values.writable_block(e, n)
        if memory is None:
            values.write_block(total, e, n)
        else:
            memory[...] = total

    seconds = seconds_per_value(x.shape[-1], dtype, count) + _EXP_SECONDS
    run(
        BroadcastAxes(shape, mixture_axes, point_axes, [component_axis]),
        max(seconds, BLOCK_SECONDS * dtype.itemsize / _VALUES_BYTES * min(count, _TOGETHER) / count),
        block,
    )
