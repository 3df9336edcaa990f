"""Mixtures of multivariate normal distributions."""

from functools import partial
from typing import Any

import numpy as np

from loglik import ufuncs
from loglik._engine.validate import as_array, broadcast_shapes, describe_entry, first_index, is_dask, result_dtype
from loglik._gaussian.axes import BLOCK_SECONDS, Axes, Rows, run
from loglik.distributions.mvnormal import MultivariateNormal, kernel, seconds_per_value

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
    lead = broadcast_shapes(name, **{"x's leading axes": points.shape[:-1], "the mixtures": mixtures})
    result = np.empty(lead, dtype)
    _evaluate(name, points, weights, mvn, (1,) * (len(lead) - len(mixtures)) + mixtures, result)
    return result[()]


def _evaluate(
    name: str,
    x: np.ndarray,
    log_weights: np.ndarray,
    mvn: MultivariateNormal,
    mixtures: tuple[int, ...],
    out: np.ndarray,
) -> None:
    """`mixtures`: for each axis of `out`, how many mixtures there are along it."""
    dtype, components = out.dtype, mvn.batch_shape[-1]
    loc, factor = mvn._factor_in(dtype)
    last = out.ndim
    lead = (*out.shape, components)
    each = [i for i, n in enumerate(mixtures) if n != 1]
    only_points = [i for i, n in enumerate(mixtures) if n == 1]
    points = Rows(x[..., None, :], 1, lead, each, only_points)
    means = Rows(loc, 1, lead, each, [last])
    matrices = Rows(factor, 1 if mvn._form == "variance" else 2, lead, each, [last])
    weights = Rows(log_weights, 0, lead, each, [last])
    values = Rows(out, 0, out.shape, each, only_points)

    def block(e: slice, n: slice) -> None:
        problems, rows = e.stop - e.start, n.stop - n.start
        p = points.block(e, n).astype(dtype, copy=False)
        starts = range(0, components, _TOGETHER)
        parts = np.empty((problems, rows, len(starts)), dtype)
        for i, start in enumerate(starts):
            k = slice(start, min(components, start + _TOGETHER))
            value = np.empty((problems, rows, k.stop - k.start), dtype)
            kernel(name, p, means.block(e, k), matrices.block(e, k), value, what="log_prob", form=mvn._form, each=False)
            w = weights.block(e, k).astype(dtype, copy=False)
            ufuncs.log_mixture(value, w[:, None], out=parts[..., i])
        total = parts[..., 0] if len(starts) == 1 else ufuncs.log_mixture(parts, np.zeros(len(starts), dtype))
        target = values.target(e, n)
        if target is None:
            values.put(total, e, n)
        else:
            target[...] = total

    seconds = seconds_per_value(x.shape[-1], False, dtype, components) + _EXP_SECONDS
    run(
        Axes(lead, each, only_points, [last]),
        max(seconds, BLOCK_SECONDS * dtype.itemsize / _VALUES_BYTES * min(components, _TOGETHER) / components),
        block,
    )
