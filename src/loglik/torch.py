"""Losses and the Gaussian log-density on PyTorch tensors: custom operators, on the CPU, in the memory of the tensors.

Import it where it is used, ``from loglik import torch as llt``; PyTorch must be installed. The functions are those of
`loglik.losses` with tensors for arrays. What asks for a gradient gets it in the same pass as the value, so that going back
is one multiplication. There are no second derivatives.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from loglik import losses
from loglik.distributions.mvnormal import MultivariateNormal

__all__ = ["bernoulli_nll", "categorical_nll", "gaussian_nll", "kl_standard_normal", "mvn_log_prob"]

_FLOATS = (torch.float32, torch.float64)
_DATA = (*_FLOATS, torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)

# ---------------------------------------------------------------------------------------- operators
#
# An operator returns the value and the gradients of its model's arguments (empty where `needs` is false). Where the value
# is no scalar, the functions below have expanded those arguments, so an element belongs to one value.


class _Operator:
    """``torch.ops.loglik.<name>``, and the same without the dispatcher, which takes a third of a small call.

    `kernel` computes, `fake` gives shapes, `setup` and `backward` are the autograd formula.
    """

    def __init__(self, kernel: Callable, fake: Callable, setup: Callable, backward: Callable) -> None:
        name = kernel.__name__.strip("_")
        self.op = torch.library.custom_op(f"loglik::{name}", kernel, mutates_args=(), device_types="cpu")
        self.op.register_fake(fake)

        def setup_op(ctx: Any, inputs: Any, output: Any) -> None:
            setup(ctx, inputs, output)
            ctx.mark_non_differentiable(*output[1:])

        def backward_op(ctx: Any, *of_outputs: Any) -> Any:
            # The gradients would be constants of a graph made here. Without the dispatcher they lead back to `_refuse_second`.
            _refuse_second([of_outputs[0] if torch.is_grad_enabled() else None])
            return backward(ctx, of_outputs[0], *[None] * (len(of_outputs) - 1))

        self.op.register_autograd(backward_op, setup_context=setup_op)
        methods = {"forward": kernel, "setup_context": setup, "backward": backward}
        function: Any = type(name, (torch.autograd.Function,), {k: staticmethod(f) for k, f in methods.items()})
        self.transformed = function.apply  # it binds a signature at each call, for 150 µs

        def forward(ctx: Any, *arguments: Any) -> Any:
            output = kernel(*arguments)
            setup(ctx, arguments, output)
            return output

        methods = {"forward": forward, "backward": backward}
        function = type(name, (torch.autograd.Function,), {k: staticmethod(f) for k, f in methods.items()})
        self.direct = function.apply

    def __call__(self, *arguments: Any) -> Tensor:
        direct = not torch.compiler.is_compiling()
        for a in arguments:
            if isinstance(a, Tensor) and (type(a) not in (Tensor, torch.nn.Parameter) or a.device.type != "cpu"):
                direct = False
        if not direct:
            return self.op(*arguments)[0]
        return (self.transformed if _transforms() else self.direct)(*arguments)[0]


# Whether a function of torch.func is at work; True where this version of torch does not tell.
_transforms: Any = getattr(torch._C, "_are_functorch_transforms_active", lambda: True)
_FEW = 1 << 16  # strided elements that are copied, so that the loss can take its short way


def _array(tensor: Tensor | None) -> Any:
    """The same memory as an array."""
    if tensor is None:
        return None
    if not tensor.is_contiguous() and tensor.numel() <= _FEW:
        tensor = tensor.contiguous()
    return tensor.numpy(force=True)


def _call(loss: Callable, names: tuple[str, ...], needs: Sequence[bool], axis: Any, *positional: Any, **keywords: Any) -> Any:
    """Value and gradients of a loss as tensors."""
    wrt = tuple(name for name, need in zip(names, needs, strict=True) if need)
    axis = None if axis is None else tuple(axis)
    found = loss(*positional, axis=axis, wrt=wrt or None, **keywords)
    value, gradients = found if wrt else (found, ())
    by_name = dict(zip(wrt, gradients, strict=True))
    tensors = (torch.from_numpy(np.asarray(by_name[name])) if name in by_name else torch.empty(0) for name in names)
    return torch.from_numpy(np.asarray(value)), *tensors


def _fake(models: tuple[Tensor, ...], batch: Any, reduction: str, axis: Any, needs: Sequence[bool]) -> Any:
    """Tensors of the shapes that `_call` returns, without values."""
    kept = batch if reduction == "none" else ()
    if reduction != "none" and axis is not None:
        kept = [n for i, n in enumerate(batch) if i - len(batch) not in axis]
    gradients = (m.new_empty(m.shape) if need else torch.empty(0) for m, need in zip(models, needs, strict=True))
    return models[0].new_empty(kept), *gradients


def _lifts(reduction: str, axis: Any, ndim: int, events: Sequence[int]) -> tuple[int, ...]:
    """The axes of an element, counted from the end, that its value lacks; ``()`` where the value is a scalar."""
    if reduction != "none" and axis is None:
        return ()
    of_batch = [a for a in range(-ndim, 0) if a not in events]
    reduced = [] if reduction == "none" else [of_batch[a] for a in axis]
    return tuple(sorted([a + ndim for a in (*events, *reduced)]))


def _keep(first: int, events: Callable[[tuple], Sequence[int]]) -> Callable:
    """What a loss notes for its gradient; its model's arguments start at `first`, ..., reduction, axis, needs are its last."""

    def setup(ctx: Any, inputs: Any, output: Any) -> None:
        *_, reduction, axis, needs = inputs
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*output[1:])
        ctx.first, ctx.needs, ctx.count = first, needs, len(inputs)
        ctx.lifts = _lifts(reduction, axis, inputs[first].ndim, events(inputs))

    return setup


def _refuse_second(gradients: Sequence[Tensor | None]) -> None:
    if any(g is not None for g in gradients):
        raise RuntimeError("loglik.torch: the losses have no second derivatives (create_graph=True went through one)")


def _gradients(ctx: Any, of_value: Tensor | None, *of_gradients: Tensor | None) -> Any:
    _refuse_second(of_gradients)
    result: list[Tensor | None] = [None] * ctx.count
    if of_value is None:
        return tuple(result)
    # The memory goes to who asked, if nobody can ask again.
    one = not _retained() and _is_one(of_value)
    for axis in ctx.lifts:
        of_value = of_value.unsqueeze(axis)
    for i, (gradient, need) in enumerate(zip(ctx.saved_tensors, ctx.needs, strict=True)):
        if need:
            result[ctx.first + i] = gradient.detach() if one else of_value * gradient
    return tuple(result)


# Whether backward() keeps the graph; True where this version of torch does not tell.
_retained: Any = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: True)


def _is_one(factor: Tensor) -> bool:
    """Whether the factor is the number 1 (as it mostly is in training) and is known already."""
    if factor.ndim or type(factor) is not Tensor or torch.is_grad_enabled() or factor.device.type != "cpu":
        return False
    try:
        return factor.item() == 1
    except RuntimeError:  # a batch of factors, under vmap
        return False


def _bernoulli_nll(
    targets: Tensor, model: Tensor, weights: Tensor | None, form: str,
    reduction: str, axis: Sequence[int] | None, needs: Sequence[bool],
) -> tuple[Tensor, Tensor]:  # fmt: skip
    return _call(
        losses.bernoulli_nll, (form,), needs, axis, _array(targets), weights=_array(weights), reduction=reduction,
        **{form: _array(model)},
    )  # fmt: skip


def _bernoulli_fake(targets, model, weights, form, reduction, axis, needs):
    return _fake((model,), _batch(targets, model, weights), reduction, axis, needs)


def _gaussian_nll(
    targets: Tensor, mean: Tensor, spread: Tensor, weights: Tensor | None, form: str,
    reduction: str, axis: Sequence[int] | None, needs: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    return _call(
        losses.gaussian_nll, ("mean", form), needs, axis, _array(targets), mean=_array(mean), weights=_array(weights),
        reduction=reduction, **{form: _array(spread)},
    )  # fmt: skip


def _gaussian_fake(targets, mean, spread, weights, form, reduction, axis, needs):
    return _fake((mean, spread), _batch(targets, mean, spread, weights), reduction, axis, needs)


def _categorical_nll(
    targets: Tensor, model: Tensor, weights: Tensor | None, form: str, label_smoothing: float, ignore_index: int | None,
    reduction: str, axis: Sequence[int] | None, needs: Sequence[bool],
) -> tuple[Tensor, Tensor]:  # fmt: skip
    return _call(
        losses.categorical_nll, (form,), needs, axis, _array(targets), weights=_array(weights), reduction=reduction,
        label_smoothing=label_smoothing, ignore_index=ignore_index, **{form: _array(model)},
    )  # fmt: skip


def _categorical_fake(targets, model, weights, form, smoothing, ignored, reduction, axis, needs):
    return _fake((model,), _rows(targets, model, weights), reduction, axis, needs)


def _kl_standard_normal(
    loc: Tensor, log_variance: Tensor, weights: Tensor | None, event_axis: Sequence[int],
    reduction: str, axis: Sequence[int] | None, needs: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    events = event_axis[0] if len(event_axis) == 1 else tuple(event_axis)
    return _call(
        losses.kl_standard_normal, ("loc", "log_variance"), needs, axis, _array(loc), _array(log_variance),
        event_axis=events, weights=_array(weights), reduction=reduction,
    )  # fmt: skip


def _kl_fake(loc, log_variance, weights, event_axis, reduction, axis, needs):
    return _fake((loc, log_variance), _events(loc, log_variance, weights, event_axis), reduction, axis, needs)


# The batch of values, from tensors or with None for what is not given.


def _joined(*shapes: Any) -> Any:
    first = shapes[0]
    return first if all(s == first for s in shapes) else torch.broadcast_shapes(*shapes)  # which takes 50 µs


def _batch(*tensors: Tensor | None) -> Any:
    return _joined(*(t.shape for t in tensors if t is not None))


def _rows(targets: Tensor, model: Tensor, weights: Tensor | None) -> Any:
    lead = targets.shape[:-1] if targets.is_floating_point() else targets.shape
    return _joined(lead, model.shape[:-1], *(() if weights is None else (weights.shape,)))


def _events(loc: Tensor, log_variance: Tensor, weights: Any, event_axis: Sequence[int]) -> Any:
    full = _batch(loc, log_variance)
    lead = tuple(n for i, n in enumerate(full) if i - len(full) not in event_axis)
    return _joined(lead, *(() if weights is None else (weights.shape,)))


def _mvn_log_prob(x: Tensor, loc: Tensor, scale_tril: Tensor, need: bool) -> tuple[Tensor, Tensor]:
    mvn = MultivariateNormal(_array(loc), scale_tril=_array(scale_tril))
    found = mvn.log_prob(_array(x), wrt="x") if need else (mvn.log_prob(_array(x)), np.empty(0, np.float32))
    value, by_x = (torch.from_numpy(np.asarray(a)) for a in found)
    return value, by_x


def _mvn_fake(x, loc, scale_tril, need):
    lead = torch.broadcast_shapes(x.shape[:-1], loc.shape[:-1], scale_tril.shape[:-2])
    return x.new_empty(lead), x.new_empty(x.shape) if need else torch.empty(0)


def _mvn_keep(ctx: Any, inputs: Any, output: Any) -> None:
    _, loc, scale_tril, _ = inputs
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(output[1], scale_tril)
    ctx.loc_shape = loc.shape


def _mvn_gradients(ctx: Any, of_value: Tensor | None, of_gradient: Tensor | None) -> Any:
    """From ∂/∂x = -s of every point: ∂/∂loc = Σ g·s, ∂/∂L = tril(Σ g·s·sᵀ·L) - Σ g·diag(1/Lᵢᵢ), with s·sᵀ·L = s·yᵀ."""
    _refuse_second([of_gradient])
    if of_value is None:
        return None, None, None, None
    by_x, lower = ctx.saved_tensors
    weighted = of_value.unsqueeze(-1) * by_x
    of_loc = (-weighted).sum_to_size(ctx.loc_shape) if ctx.needs_input_grad[1] else None
    of_lower = None
    if ctx.needs_input_grad[2]:
        lead, own = by_x.shape[:-1], lower.shape[:-2]
        wide = (1,) * (len(lead) - len(own)) + tuple(own)
        each = [i for i, n in enumerate(wide) if n != 1]
        shared = [i for i, n in enumerate(wide) if n == 1]  # points that one matrix is for
        shape = (*(lead[i] for i in each), math.prod(lead[i] for i in shared))
        s, gs, g = (
            a.permute((*each, *shared, *range(len(lead), a.ndim))).reshape((*shape, *a.shape[len(lead) :]))
            for a in (by_x, weighted, of_value)
        )
        outer = (gs.transpose(-1, -2) @ s).reshape(lower.shape)
        total = g.sum(-1).reshape(*own, 1)
        of_lower = torch.tril(outer @ lower) - torch.diag_embed(total / lower.diagonal(dim1=-2, dim2=-1))
    return weighted if ctx.needs_input_grad[0] else None, of_loc, of_lower, None


_BERNOULLI = _Operator(_bernoulli_nll, _bernoulli_fake, _keep(1, lambda inputs: ()), _gradients)
_GAUSSIAN = _Operator(_gaussian_nll, _gaussian_fake, _keep(1, lambda inputs: ()), _gradients)
_CATEGORICAL = _Operator(_categorical_nll, _categorical_fake, _keep(1, lambda inputs: (-1,)), _gradients)
_KL = _Operator(_kl_standard_normal, _kl_fake, _keep(0, lambda inputs: inputs[3]), _gradients)
_MVN = _Operator(_mvn_log_prob, _mvn_fake, _mvn_keep, _mvn_gradients)

# ---------------------------------------------------------------------------------------- arguments


def _check(function: str, name: str, tensor: Tensor, dtypes: Sequence[torch.dtype]) -> None:
    if tensor.device.type not in ("cpu", "meta"):
        raise ValueError(f"{function}: {name} is on {tensor.device}, and loglik computes on the CPU; use .cpu()")
    if tensor.layout is not torch.strided:
        raise TypeError(f"{function}: {name} has layout {tensor.layout}; use .to_dense()")
    if tensor.dtype not in dtypes:
        known = "float32 or float64" if dtypes is _FLOATS else "float32, float64, integer or bool"
        raise TypeError(f"{function}: {name} has dtype {tensor.dtype}; {known} is needed, for example by .float()")


def _models(function: str, **arguments: Any) -> tuple[Tensor, ...]:
    """The model's arguments as tensors of one type; numbers follow the tensors."""
    for name, value in arguments.items():
        if isinstance(value, Tensor):
            _check(function, name, value, _FLOATS)
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{function}: {name} must be a tensor, got {type(value).__name__}")
    tensors = [value for value in arguments.values() if isinstance(value, Tensor)]
    if not tensors:
        raise TypeError(f"{function}: {' or '.join(arguments)} must be a tensor")
    dtype = torch.float64 if any(t.dtype == torch.float64 for t in tensors) else torch.float32
    return tuple(v.to(dtype) if isinstance(v, Tensor) else torch.tensor(v, dtype=dtype) for v in arguments.values())


def _data(function: str, dtype: torch.dtype, **arguments: Any) -> list[Any]:
    """Targets and weights, which are constants."""
    for name, value in arguments.items():
        if isinstance(value, Tensor):
            _check(function, name, value, _DATA)
            if value.requires_grad and torch.is_grad_enabled():
                raise ValueError(f"{function}: {name} requires a gradient, and there is none in {name}; use .detach()")
        elif isinstance(value, (int, float)):  # bool is an int
            arguments[name] = torch.tensor(value, dtype=dtype if isinstance(value, float) else torch.int64)
        elif value is not None or name == "targets":
            raise TypeError(f"{function}: {name} must be a tensor, got {type(value).__name__}")
    return list(arguments.values())


def _needs(models: Sequence[Tensor]) -> list[bool]:
    return [torch.is_grad_enabled() and m.requires_grad for m in models]


def _axes(function: str, axis: Any, ndim: int, reduction: str) -> list[int] | None:
    """Reduced axes, counted from the end."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'{function}: reduction must be "mean", "sum" or "none", got {reduction!r}')
    if axis is None or reduction == "none":
        return None
    return [a - ndim for a in losses._validate.axes(function, axis, ndim)]


def _expanded(models: Sequence[Tensor], shape: Any, reduction: str, axis: Any) -> tuple[Tensor, ...]:
    """Where there are several values, an element for each of them: torch adds the gradients of repeated ones."""
    scalar = reduction != "none" and axis is None
    return tuple(m if scalar or m.shape == shape else m.expand(shape) for m in models)


# ---------------------------------------------------------------------------------------- functions


def bernoulli_nll(
    targets: Any, *, logits: Any = None, probs: Any = None, weights: Any = None, reduction: str = "mean", axis: Any = None
) -> Tensor:
    """Bernoulli negative log-likelihood (binary cross-entropy) in nats: `loglik.bernoulli_nll` on tensors.

    Parameters
    ----------
    targets : Tensor
        Outcomes 0 and 1 of any real type, or their probabilities in [0, 1]; without a gradient.
    logits, probs : Tensor
        Exactly one of them, float32 or float64. Broadcasts with `targets`.
    weights : Tensor, optional
        Weights of the values; without a gradient.
    reduction : {"mean", "sum", "none"}
    axis : int or tuple of int, optional
        The axes reduced; None: all.

    Returns
    -------
    Tensor
        Of the dtype of the model, differentiable once in `logits` or `probs`.

    Raises
    ------
    TypeError
        An argument that is no tensor, or of another dtype (float16, bfloat16, complex).
    ValueError
        A tensor on another device, `targets` or `weights` that require a gradient, and what `loglik.bernoulli_nll` raises.

    Examples
    --------
    >>> import torch
    >>> from loglik import torch as llt
    >>> logits = torch.tensor([-1.0, 1.0], dtype=torch.float64, requires_grad=True)
    >>> loss = llt.bernoulli_nll(torch.tensor([0, 1]), logits=logits)
    >>> loss.backward()
    >>> logits.grad
    tensor([ 0.1345, -0.1345], dtype=torch.float64)
    """
    function = "bernoulli_nll"
    form, given = losses._exactly_one(function, logits=logits, probs=probs)
    models = _models(function, **{form: given})
    targets, weights = _data(function, models[0].dtype, targets=targets, weights=weights)
    shape = _batch(targets, *models, weights)
    axis = _axes(function, axis, len(shape), reduction)
    models = _expanded(models, shape, reduction, axis)
    return _BERNOULLI(targets, *models, weights, form, reduction, axis, _needs(models))


def gaussian_nll(
    targets: Any, *, mean: Any, variance: Any = None, log_variance: Any = None, scale: Any = None, weights: Any = None,
    reduction: str = "mean", axis: Any = None,
) -> Tensor:  # fmt: skip
    """Gaussian negative log-likelihood in nats: `loglik.gaussian_nll` on tensors.

    `mean` and exactly one of `variance`, `log_variance` and `scale` are tensors or numbers (at least one tensor), and
    the result is differentiable once in them. Everything else is as in `bernoulli_nll` here.

    Examples
    --------
    >>> import torch
    >>> from loglik import torch as llt
    >>> mean = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    >>> llt.gaussian_nll(torch.tensor([1.0, 2.0]), mean=mean, scale=1.0, reduction="sum").backward()
    >>> mean.grad
    tensor([-1., -2.], dtype=torch.float64)
    """
    function = "gaussian_nll"
    form, given = losses._exactly_one(function, variance=variance, log_variance=log_variance, scale=scale)
    models = _models(function, **{"mean": mean, form: given})
    targets, weights = _data(function, models[0].dtype, targets=targets, weights=weights)
    shape = _batch(targets, *models, weights)
    axis = _axes(function, axis, len(shape), reduction)
    models = _expanded(models, shape, reduction, axis)
    return _GAUSSIAN(targets, *models, weights, form, reduction, axis, _needs(models))


def categorical_nll(
    targets: Any, *, logits: Any = None, log_probs: Any = None, label_smoothing: float = 0.0, ignore_index: int | None = None,
    weights: Any = None, reduction: str = "mean", axis: Any = None,
) -> Tensor:  # fmt: skip
    """Categorical negative log-likelihood (softmax cross-entropy) in nats: `loglik.categorical_nll` on tensors.

    The classes are on the last axis of `logits` or `log_probs` (in torch's own `cross_entropy` on the second). `targets` are
    integers, or rows of probabilities. Everything else is as in `bernoulli_nll` here.

    Examples
    --------
    >>> import torch
    >>> from loglik import torch as llt
    >>> logits = torch.zeros(1, 2, requires_grad=True)
    >>> llt.categorical_nll(torch.tensor([1]), logits=logits).backward()
    >>> logits.grad
    tensor([[ 0.5000, -0.5000]])
    """
    function = "categorical_nll"
    form, given = losses._exactly_one(function, logits=logits, log_probs=log_probs)
    models = _models(function, **{form: given})
    if models[0].ndim == 0:
        raise ValueError(f"{function}: {form} must have the classes on its last axis, got a scalar")
    targets, weights = _data(function, models[0].dtype, targets=targets, weights=weights)
    shape = _rows(targets, models[0], weights)
    axis = _axes(function, axis, len(shape), reduction)
    models = _expanded(models, (*shape, models[0].shape[-1]), reduction, axis)
    return _CATEGORICAL(
        targets, *models, weights, form, float(label_smoothing), ignore_index, reduction, axis, _needs(models)
    )


def kl_standard_normal(
    loc: Any, log_variance: Any, *, event_axis: int | tuple[int, ...] = -1, weights: Any = None, reduction: str = "mean",
    axis: Any = None,
) -> Tensor:  # fmt: skip
    """KL(N(loc, σ²) ‖ N(0, 1)) in nats, summed over an event: `loglik.kl_standard_normal` on tensors.

    Differentiable once in `loc` and `log_variance`. Everything else is as in `bernoulli_nll` here.

    Examples
    --------
    >>> import torch
    >>> from loglik import torch as llt
    >>> loc = torch.tensor([[1.0, 0.0]], requires_grad=True)
    >>> value = llt.kl_standard_normal(loc, torch.zeros(1, 2))
    >>> value.item()
    0.5
    >>> value.backward()
    >>> loc.grad
    tensor([[1., 0.]])
    """
    function = "kl_standard_normal"
    models = _models(function, loc=loc, log_variance=log_variance)
    full = _batch(*models)
    found = losses._validate.axes(function, event_axis, len(full)) if full and event_axis is not None else ()
    events = [e - len(full) for e in found or losses._event_axes(function, event_axis, len(full))]  # which raises
    (weights,) = _data(function, models[0].dtype, weights=weights)
    batch = _events(models[0], models[1], weights, events)
    axis = _axes(function, axis, len(batch), reduction)
    if axis is not None or reduction == "none":
        lead, wide = list(batch), [0] * (len(batch) + len(events))
        for a in range(-len(wide), 0):
            wide[a] = full[a] if a in events else lead.pop(0)
        models = _expanded(models, tuple(wide), reduction, axis)
    return _KL(*models, weights, events, reduction, axis, _needs(models))


def mvn_log_prob(x: Any, loc: Any, *, scale_tril: Any) -> Tensor:
    """Log-density in nats of multivariate normal distributions, `loglik.MultivariateNormal.log_prob` on tensors.

    Parameters
    ----------
    x, loc : Tensor, shape (..., d)
        Points and means.
    scale_tril : Tensor, shape (..., d, d)
        Lower triangles with a positive diagonal. Leading axes of all broadcast.

    Returns
    -------
    Tensor, shape (...)
        Differentiable once in each argument; in `scale_tril` below the diagonal and on it.

    Raises
    ------
    TypeError, ValueError
        As in `bernoulli_nll` here; a matrix that is not lower triangular.
    numpy.linalg.LinAlgError
        A diagonal that is not positive.

    Notes
    -----
    Each point has its gradient s from the pass of the value; that of a matrix is one product of these, so no point gets a matrix
    of its own where they share one.

    Examples
    --------
    >>> import torch
    >>> from loglik import torch as llt
    >>> x = torch.tensor([[2.0, 0.0]], requires_grad=True)
    >>> llt.mvn_log_prob(x, torch.zeros(2), scale_tril=torch.eye(2)).sum().backward()
    >>> x.grad
    tensor([[-2., -0.]])
    """
    function = "mvn_log_prob"
    x, loc, scale_tril = _models(function, x=x, loc=loc, scale_tril=scale_tril)
    d = x.shape[-1] if x.ndim else 0
    if d == 0 or loc.shape[-1:] != (d,) or scale_tril.shape[-2:] != (d, d):
        shapes = f"{tuple(x.shape)}, {tuple(loc.shape)} and {tuple(scale_tril.shape)}"
        raise ValueError(f"{function}: x, loc and scale_tril need the shapes (..., d), (..., d) and (..., d, d), got {shapes}")
    need = any(_needs([x, loc, scale_tril]))
    if need:
        x = x.expand(*torch.broadcast_shapes(x.shape[:-1], loc.shape[:-1], scale_tril.shape[:-2]), d)
    return _MVN(x, loc, scale_tril, need)
