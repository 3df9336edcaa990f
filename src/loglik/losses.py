"""Losses: negative log-likelihoods with reductions, weights and gradients, in one pass over the data.

Targets come first, the model's side by keyword. Nothing is clamped: an impossible outcome costs +inf.
"""

from typing import Any, Literal

import numpy as np

from loglik._engine import validate
from loglik._kernels import loss_block
from loglik._losses.evaluation import LossPass, short_pass

__all__ = ["bernoulli_nll", "categorical_nll", "gaussian_nll", "kl_standard_normal", "laplace_nll"]

Reduction = Literal["mean", "sum", "none"]


def bernoulli_nll(
    targets: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    weights: Any = None,
    reduction: Reduction = "mean",
    axis: int | tuple[int, ...] | None = None,
    wrt: str | tuple[str, ...] | None = None,
    out: Any = None,
) -> Any:
    """Bernoulli negative log-likelihood (binary cross-entropy) in nats.

    ℓ = -t log p - (1 - t) log(1 - p) with t the target and p = sigmoid(logits) or `probs`.

    Parameters
    ----------
    targets : array_like
        Outcomes 0 and 1 (any dtype), or their probabilities in [0, 1] (soft targets). They never decide the dtype of
        the result.
    logits, probs : array_like
        The model, exactly one of them: log-odds, or probabilities in [0, 1]. Broadcasts with `targets`.
    weights : array_like, optional
        Weights of the values; broadcast. A value with weight 0 does not count, even if it is infinite.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of values, with `weights` by their sum: Σwℓ / Σw.
    axis : int or tuple of int, optional
        The axes reduced; None: all. For example ``axis=-1`` gives one log-likelihood per image.
    wrt : {"logits", "probs"}, or a tuple of it, optional
        Return the gradient too, in the argument that was given: of the reduced value, or of the sum of the values.
        It has the shape of that argument.
    out : ndarray, optional
        Where the result goes; with `wrt` a pair like the one returned.

    Returns
    -------
    ndarray or scalar, or with `wrt` a pair (value, gradient)
        Of the dtype of `logits` or `probs` (float64 if that is integer). Sums are taken in double and rounded once.

    Raises
    ------
    ValueError
        A target or probability outside [0, 1] (the message names the index and the value), not exactly one of `logits`
        and `probs`, an unknown reduction or name in `wrt`, shapes that do not broadcast.
    TypeError
        Complex, object, string or long double input.

    Notes
    -----
    With logits the value is c·|logits| + log1p(exp(-|logits|)), c = t or 1 - t: two terms that are not negative, right
    for infinite logits. Sums join the logarithms: log1p(a) + log1p(b) = log1p(a + b + ab), which keeps their relative
    accuracy (4 ulp of the result) where 1 + a would round to 1. The same bits for any number of threads and any layout.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.bernoulli_nll([0, 1, 1], logits=[-2.0, 0.0, 3.0])
    np.float64(0.2895541810588866)
    >>> value, gradient = ll.bernoulli_nll([0, 1], logits=[-1.0, 1.0], wrt="logits")
    >>> gradient
    array([ 0.13447071, -0.13447071])
    """
    function = "bernoulli_nll"
    name, model = _exactly_one(function, logits=logits, probs=probs)
    short = short_pass(function, name, targets, {name: model}, weights, reduction, axis, wrt, out)
    if short is not None:
        return short
    if validate.is_dask(targets, model, weights):
        from loglik._engine import chunks

        operands = {"targets": (targets, 0), name: (model, 0)}
        return chunks.loss(bernoulli_nll, operands, weights, reduction, axis, wrt=wrt, out=out)
    conditions = {"targets": "in [0, 1]", name: "in [0, 1]"}
    loss = LossPass(
        function, {"targets": targets, name: model}, (name,), conditions, weights, reduction, axis, wrt, out
    )

    def kernel(blocks: dict[str, np.ndarray], w: Any, scale: float, values: Any, gradients: tuple[Any, ...]) -> Any:
        return loss_block(function, name, blocks["targets"], (blocks[name],), w, scale, values, gradients, step=loss.step)

    return loss.run(kernel, nanoseconds=1.0)


def gaussian_nll(
    targets: Any,
    *,
    mean: Any,
    variance: Any = None,
    log_variance: Any = None,
    scale: Any = None,
    weights: Any = None,
    reduction: Reduction = "mean",
    axis: int | tuple[int, ...] | None = None,
    wrt: str | tuple[str, ...] | None = None,
    out: Any = None,
) -> Any:
    """Gaussian negative log-likelihood in nats: the squared error with its noise, and nothing left out.

    ℓ = (t - mean)² / (2σ²) + log σ + ½ log 2π, with σ² the variance.

    Parameters
    ----------
    targets : array_like
        Observations. They never decide the dtype of the result.
    mean : array_like
        The model's mean. All arguments broadcast.
    variance, log_variance, scale : array_like
        The spread, exactly one of them: σ² > 0, log σ², or the standard deviation σ > 0.
    weights, reduction, axis, out
        As in `bernoulli_nll`.
    wrt : {"mean", "variance", "log_variance", "scale"}, or a tuple of them, optional
        Return gradients too, in the arguments that were given; each has the shape of its argument.

    Returns
    -------
    ndarray or scalar, or with `wrt` a pair (value, gradient) or (value, gradients)
        Of the dtype of the model's arguments (float64 if they are integers). Sums are taken in double and rounded once.

    Raises
    ------
    ValueError
        A variance or scale that is not positive and finite, an infinite `log_variance` (the message names the index and
        the value), not exactly one of the three, an unknown reduction or name in `wrt`, shapes that do not broadcast.
    TypeError
        Complex, object, string or long double input.

    Notes
    -----
    With a fixed σ the sum over m observations is SSE/(2σ²) + m log σ + (m/2) log 2π: the least squares are the most
    likely. No variance is clamped, and the constant is not dropped. Squares do not overflow unless the value does.
    Error at most 4 units of u·Σ|terms| for each value. The same bits for any number of threads and any layout.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.gaussian_nll([-1.0, 0.0, 1.0, 2.0], mean=0.0, scale=1.0, reduction="sum")
    np.float64(6.675754132818691)
    >>> value, (mean, variance) = ll.gaussian_nll([-1.0, 0.0, 1.0, 2.0], mean=0.5, variance=1.25, wrt=("mean", "variance"))
    >>> abs(mean) < 1e-15 and abs(variance) < 1e-15  # the most likely parameters
    np.True_
    """
    function = "gaussian_nll"
    name, spread = _exactly_one(function, variance=variance, log_variance=log_variance, scale=scale)
    short = short_pass(function, name, targets, {"mean": mean, name: spread}, weights, reduction, axis, wrt, out)
    if short is not None:
        return short
    if validate.is_dask(targets, mean, spread, weights):
        from loglik._engine import chunks

        operands = {"targets": (targets, 0), "mean": (mean, 0), name: (spread, 0)}
        return chunks.loss(gaussian_nll, operands, weights, reduction, axis, wrt=wrt, out=out)
    conditions = {"targets": "a number", "mean": "a number", name: "finite" if name == "log_variance" else "positive and finite"}
    elements = {"targets": targets, "mean": mean, name: spread}
    loss = LossPass(function, elements, ("mean", name), conditions, weights, reduction, axis, wrt, out)

    def kernel(blocks: dict[str, np.ndarray], w: Any, factor: float, values: Any, gradients: tuple[Any, ...]) -> Any:
        model = (blocks["mean"], blocks[name])
        return loss_block(function, name, blocks["targets"], model, w, factor, values, gradients, step=loss.step)

    return loss.run(kernel, nanoseconds=1.2)


def laplace_nll(
    targets: Any,
    *,
    loc: Any,
    scale: Any = None,
    log_scale: Any = None,
    weights: Any = None,
    reduction: Reduction = "mean",
    axis: int | tuple[int, ...] | None = None,
    wrt: str | tuple[str, ...] | None = None,
    out: Any = None,
) -> Any:
    """Laplace negative log-likelihood in nats: the absolute error with its scale, and nothing left out.

    ℓ = abs(t - loc) / b + log 2b, with b the scale, the mean absolute deviation.

    Parameters
    ----------
    targets : array_like
        Observations. They never decide the dtype of the result.
    loc : array_like
        The model's median. All arguments broadcast.
    scale, log_scale : array_like
        The spread, exactly one of them: b > 0, or log b.
    weights, reduction, axis, out
        As in `bernoulli_nll`.
    wrt : {"loc", "scale", "log_scale"}, or a tuple of them, optional
        Return gradients too, in the arguments that were given; each has the shape of its argument. Where a target is equal to
        loc, the gradient in loc is 0.

    Returns
    -------
    ndarray or scalar, or with `wrt` a pair (value, gradient) or (value, gradients)
        Of the dtype of the model's arguments (float64 if they are integers). Sums are taken in double and rounded once.

    Raises
    ------
    ValueError
        A scale that is not positive and finite, an infinite `log_scale` (the message names the index and the value), not exactly
        one of the two, an unknown reduction or name in `wrt`, shapes that do not broadcast.
    TypeError
        Complex, object, string or long double input.

    Notes
    -----
    With a fixed b the sum over m observations is SAE/b + m log 2b: the least absolute deviations are the most likely. Error at
    most 4 units of u·Σ|terms| for each value. The same bits for any number of threads and any layout.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.laplace_nll([-1.0, 0.0, 1.0, 2.0], loc=0.0, scale=1.0, reduction="sum")
    np.float64(6.772588722239782)
    >>> value, (loc, scale) = ll.laplace_nll([1.0, 2.0, 9.0], loc=2.0, scale=8 / 3, wrt=("loc", "scale"))
    >>> abs(loc) < 1e-15 and abs(scale) < 1e-15  # the most likely parameters
    np.True_
    """
    function = "laplace_nll"
    name, spread = _exactly_one(function, scale=scale, log_scale=log_scale)
    short = short_pass(function, name, targets, {"loc": loc, name: spread}, weights, reduction, axis, wrt, out)
    if short is not None:
        return short
    if validate.is_dask(targets, loc, spread, weights):
        from loglik._engine import chunks

        operands = {"targets": (targets, 0), "loc": (loc, 0), name: (spread, 0)}
        return chunks.loss(laplace_nll, operands, weights, reduction, axis, wrt=wrt, out=out)
    conditions = {"targets": "a number", "loc": "a number", name: "finite" if name == "log_scale" else "positive and finite"}
    elements = {"targets": targets, "loc": loc, name: spread}
    loss = LossPass(function, elements, ("loc", name), conditions, weights, reduction, axis, wrt, out)

    def kernel(blocks: dict[str, np.ndarray], w: Any, factor: float, values: Any, gradients: tuple[Any, ...]) -> Any:
        model = (blocks["loc"], blocks[name])
        return loss_block(function, name, blocks["targets"], model, w, factor, values, gradients, step=loss.step)

    return loss.run(kernel, nanoseconds=1.2)


def categorical_nll(
    targets: Any,
    *,
    logits: Any = None,
    log_probs: Any = None,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    weights: Any = None,
    reduction: Reduction = "mean",
    axis: int | tuple[int, ...] | None = None,
    wrt: str | tuple[str, ...] | None = None,
    out: Any = None,
) -> Any:
    """Categorical negative log-likelihood (softmax cross-entropy) in nats; the classes are on the last axis.

    ℓ = -Σₖ tₖ log pₖ with p = softmax(logits) or exp(log_probs), and t = 1 for the class of the target, else 0.

    Parameters
    ----------
    targets : array_like, shape (...) of integers, or (..., K) of floats
        Classes from 0 to K - 1; or rows of probabilities in [0, 1] that sum to 1 (soft targets).
    logits, log_probs : array_like, shape (..., K)
        The model, exactly one of them: scores up to a constant, or logarithms of probabilities. -inf masks a class. Leading axes
        broadcast with the targets.
    label_smoothing : float
        Share ε of the target that is spread over all K classes: (1 - ε)·t + ε/K.
    ignore_index : int, optional
        Values whose class is this number do not count: they are 0, and a mean is over the others.
    weights : array_like, shape (...), optional
        Weights of the values (never of classes). A value with weight 0 does not count, even if it is infinite.
    reduction, out
        As in `bernoulli_nll`.
    axis : int or tuple of int, optional
        The axes of the values (without that of the classes) that are reduced; None: all.
    wrt : {"logits", "log_probs"}, or a tuple of it, optional
        Return the gradient too, in the argument that was given and of its shape.

    Returns
    -------
    ndarray or scalar, or with `wrt` a pair (value, gradient)
        Of the dtype of `logits` or `log_probs` (float64 if that is integer). Sums are taken in double and rounded once.

    Raises
    ------
    ValueError
        A class that is not one of the K, a probability outside [0, 1], a row that does not sum to 1 (within 8·K·eps of its
        dtype), not exactly one of `logits` and `log_probs`, a smoothing outside [0, 1], an unknown reduction or name in
        `wrt`, shapes that do not fit.
    TypeError
        Complex, object, string or long double input; `ignore_index` with soft targets.

    Notes
    -----
    With m the largest logit and T = Σ exp(z - m) over the other classes, ℓ = (m - z_t) + log1p(T): at most 4 ulp, also
    where the right class wins by hundreds. The gradient in the logits is p - t, with 1 - p of a certain class from the
    others. A row whose classes are all masked gives NaN, a masked class that occurs +inf. The same bits for any number
    of threads and any layout.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.categorical_nll([0, 2], logits=[[2.0, 0.0, -1.0], [0.0, 0.0, 40.0]], reduction="none")
    array([1.69846020e-01, 8.49670851e-18])
    >>> value, gradient = ll.categorical_nll(1, logits=[0.0, 0.0], wrt="logits")
    >>> gradient
    array([ 0.5, -0.5])
    """
    function = "categorical_nll"
    name, model = _exactly_one(function, logits=logits, log_probs=log_probs)
    if validate.is_dask(targets, model, weights):
        from loglik._engine import chunks

        targets = chunks.as_dask(function, "targets", targets)
        soft = targets.dtype.kind == "f"
        operands = {"targets": (targets, int(soft)), name: (model, 1)}
        return chunks.loss(
            categorical_nll, operands, weights, reduction, axis,
            ignored=_ignored(function, ignore_index, soft), wrt=wrt, out=out, label_smoothing=label_smoothing,
        )  # fmt: skip
    array, target = validate.as_array(function, name, model), validate.as_array(function, "targets", targets)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"{function}: {name} must have the classes on its last axis, got shape {array.shape}")
    classes = array.shape[-1]
    smoothing = _share(function, "label_smoothing", label_smoothing)
    if ignore_index is None:
        short = short_pass(
            function, name, targets, {name: model}, weights, reduction, axis, wrt, out, rows=True, smoothing=smoothing
        )
        if short is not None:
            return short
    soft = target.dtype.kind == "f"
    if soft and (target.ndim == 0 or target.shape[-1] != classes):
        raise ValueError(
            f"{function}: targets of dtype {target.dtype} are rows of probabilities, so their last axis must have the "
            f"{classes} classes, got shape {target.shape}; classes themselves must be integers"
        )
    ignored = _ignored(function, ignore_index, soft)
    elements, rows = {name: model}, {"targets": targets}
    if soft:
        elements, rows = {"targets": targets, name: model}, {}
    conditions = {"targets": "in [0, 1]" if soft else f"a class from 0 to {classes - 1}", name: "a number"}
    loss = LossPass(function, elements, (name,), conditions, weights, reduction, axis, wrt, out, rows=rows, core=1)
    tolerance = 8.0 * classes * max(np.finfo(target.dtype).eps, np.finfo(loss.dtype).eps) if soft else 0.0

    def kernel(blocks: dict[str, np.ndarray], w: Any, scale: float, values: Any, gradients: tuple[Any, ...]) -> Any:
        return loss_block(
            function, name, blocks["targets"], (blocks[name],), w, scale, values, gradients,
            width=classes, smoothing=smoothing, ignored=ignored, tolerance=tolerance, step=loss.step,
        )  # fmt: skip

    def counts(blocks: dict[str, np.ndarray]) -> np.ndarray:
        return blocks["targets"] != ignored

    return loss.run(kernel, nanoseconds=0.5, counts=None if ignored is None else counts)


def kl_standard_normal(
    loc: Any,
    log_variance: Any,
    *,
    event_axis: int | tuple[int, ...] = -1,
    weights: Any = None,
    reduction: Reduction = "mean",
    axis: int | tuple[int, ...] | None = None,
    wrt: str | tuple[str, ...] | None = None,
    out: Any = None,
) -> Any:
    """KL(N(loc, σ²) ‖ N(0, 1)) in nats of independent coordinates, summed over an event: the term of a variational autoencoder.

    ℓ = ½ Σⱼ (locⱼ² + exp(log σ²ⱼ) - 1 - log σ²ⱼ), over the coordinates j of `event_axis`.

    Parameters
    ----------
    loc, log_variance : array_like
        Means and logarithms of variances; broadcast.
    event_axis : int or tuple of int
        The axes whose coordinates belong together: their terms are added, whatever the reduction.
    weights : array_like, optional
        Weights of the events; of the shape without `event_axis`, or broadcasting to it.
    reduction, out
        As in `bernoulli_nll`: "mean" divides by the number of events, not of coordinates.
    axis : int or tuple of int, optional
        The axes of the events (those without `event_axis`) that are reduced; None: all.
    wrt : {"loc", "log_variance"}, or a tuple of them, optional
        Return gradients too; each has the shape of its argument.

    Returns
    -------
    ndarray or scalar, or with `wrt` a pair (value, gradient) or (value, gradients)
        Of the dtype of the arguments (float64 if they are integers). Sums are taken in double and rounded once.

    Raises
    ------
    ValueError
        An axis that does not exist, an unknown reduction or name in `wrt`, shapes that do not broadcast.
    TypeError
        Complex, object, string or long double input.

    Notes
    -----
    Every term is exp(x) - 1 - x >= 0 of x = log σ², whose linear terms cancel exactly: never negative, at most 8 ulp, where
    the form with four terms has lost all its digits for a posterior near the prior. The same bits for any number of threads
    and any layout.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.kl_standard_normal([[1.0, 0.0], [0.0, 1e-9]], [[0.0, 0.0], [0.0, 0.0]], reduction="none")
    array([5.e-01, 5.e-19])
    """
    function = "kl_standard_normal"
    model = {"loc": loc, "log_variance": log_variance}
    if type(event_axis) is int and event_axis == -1:
        short = short_pass(function, "log_variance", None, model, weights, reduction, axis, wrt, out, rows=True)
        if short is not None:
            return short
    if validate.is_dask(loc, log_variance, weights):
        from loglik._engine import chunks

        both = {n: chunks.as_dask(function, n, v) for n, v in (("loc", loc), ("log_variance", log_variance))}
        ndim = max(a.ndim for a in both.values())
        events = _event_axes(function, event_axis, ndim)
        last = tuple(range(-len(events), 0))
        operands = {
            n: (np.moveaxis(a[(None,) * (ndim - a.ndim) + (...,)], events, last), len(events)) for n, a in both.items()
        }
        return chunks.loss(kl_standard_normal, operands, weights, reduction, axis, wrt=wrt, out=out, event_axis=last)
    shapes = [validate.as_array(function, n, v).shape for n, v in (("loc", loc), ("log_variance", log_variance))]
    ndim = max(map(len, shapes))
    events = _event_axes(function, event_axis, ndim)
    last = tuple(range(-len(events), 0))

    def arrange(array: np.ndarray) -> np.ndarray:
        return np.moveaxis(array[(None,) * (ndim - array.ndim) + (...,)], events, last)

    loss = LossPass(
        function, model, ("loc", "log_variance"), {}, weights, reduction, axis, wrt, out,
        core=len(events), arrange=arrange,
    )  # fmt: skip

    def kernel(blocks: dict[str, np.ndarray], w: Any, scale: float, values: Any, gradients: tuple[Any, ...]) -> Any:
        if loss.width == 0:  # events without coordinates
            if values is not None:
                values[...] = 0
            return [0.0], -1, 0
        both = (blocks["loc"], blocks["log_variance"])
        return loss_block(function, "log_variance", None, both, w, scale, values, gradients, width=loss.width, step=loss.step)

    return loss.run(kernel, nanoseconds=0.7)


# ------------------------------------------------------------------------------------------- arguments


def _exactly_one(function: str, **arguments: Any) -> tuple[str, Any]:
    """The argument that is given; ValueError unless it is one."""
    given = [item for item in arguments.items() if item[1] is not None]
    if len(given) != 1:
        *first, last = arguments
        raise ValueError(f"{function}: give exactly one of {', '.join(first)} and {last}")
    return given[0]


def _share(function: str, name: str, value: Any) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{function}: {name} must be a number, got {value!r}")
    if not 0 <= value <= 1:
        raise ValueError(f"{function}: {name} must be in [0, 1], got {value}")
    return float(value)


def _ignored(function: str, ignore_index: Any, soft: bool) -> int | None:
    if ignore_index is None:
        return None
    if soft:
        raise TypeError(f"{function}: ignore_index goes with classes, and the targets are rows of probabilities; use weights")
    if isinstance(ignore_index, (bool, np.bool_)) or not hasattr(ignore_index, "__index__"):
        raise TypeError(f"{function}: ignore_index must be an integer, got {ignore_index!r}")
    index = ignore_index.__index__()
    if not -(2**63) <= index < 2**63:
        raise ValueError(f"{function}: ignore_index must be an int64, got {index}")
    return index


def _event_axes(function: str, event_axis: Any, ndim: int) -> tuple[int, ...]:
    if ndim == 0:
        raise ValueError(f"{function}: loc and log_variance are scalars; give them an axis for event_axis")
    try:
        events = np.lib.array_utils.normalize_axis_tuple(event_axis, ndim, "event_axis")
    except (TypeError, ValueError) as error:  # AxisError is a ValueError
        raise type(error)(f"{function}: {error}") if type(error) in (TypeError, ValueError) else ValueError(
            f"{function}: event_axis {event_axis} is out of range for {ndim} dimensions"
        ) from None
    if not events:
        raise ValueError(f"{function}: event_axis must name at least one axis")
    return events
