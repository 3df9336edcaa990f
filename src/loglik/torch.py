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
from loglik._engine import validate
from loglik._losses.evaluation import SHORT, one_visit
from loglik.distributions.mvnormal import MultivariateNormal

__all__ = [
    "bernoulli_nll",
    "categorical_nll",
    "gaussian_nll",
    "kl_standard_normal",
    "laplace_nll",
    "mvn_log_prob",
]

_FLOATS = (torch.float32, torch.float64)
_DATA = (*_FLOATS, torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)

# ---------------------------------------------------------------------------------------- operators

_PLAIN = (Tensor, torch.nn.Parameter)
# Whether a function of torch.func is at work, how many modes record or replace the calls, and whether backward() keeps the
# graph; in a version of torch that does not tell, what is right anyway.
_transforms: Any = getattr(torch._C, "_are_functorch_transforms_active", lambda: True)
_modes: Any = getattr(torch._C, "_len_torch_dispatch_stack", lambda: 1)
_retained: Any = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: True)


def _ordinary() -> bool:
    """Whether torch only computes: nothing is compiled, recorded or transformed."""
    return not (torch.compiler.is_compiling() or _modes() or _transforms())


class _Operator:
    """``torch.ops.loglik.<name>``.

    `kernel` computes the value and the gradients (None: not wanted), `fake` gives their shapes, `setup` and `backward` are the
    autograd formula.
    """

    def __init__(self, name: str, schema: str, kernel: Callable, fake: Callable, setup: Callable, backward: Callable) -> None:
        def op(*arguments: Any) -> Any:
            return tuple(torch.empty(0) if t is None else t for t in kernel(*arguments))

        def setup_op(ctx: Any, inputs: Any, output: Any) -> None:
            setup(ctx, inputs, output)
            ctx.mark_non_differentiable(*output[1:])

        def once(ctx: Any, of_value: Any, *_: Any) -> Any:
            _refuse_graph()
            return backward(ctx, of_value)

        self.op = torch.library.custom_op(f"loglik::{name}", op, mutates_args=(), device_types="cpu", schema=schema)
        self.op.register_fake(fake)
        self.op.register_autograd(once, setup_context=setup_op)
        # torch.func needs this form (which binds a signature at each call, for 150 µs) and keeps every graph: the gradients
        # are outputs, so that a second derivative comes back here.
        methods = {"forward": op, "setup_context": setup, "backward": backward}
        function: Any = type(name, (torch.autograd.Function,), {k: staticmethod(f) for k, f in methods.items()})
        self.transformed = function.apply

        def compute(ctx: Any, *arguments: Any) -> Any:
            output = op(*arguments)
            setup_op(ctx, arguments, output)
            return output

        methods = {"forward": compute, "backward": once}
        function = type(name, (torch.autograd.Function,), {k: staticmethod(f) for k, f in methods.items()})
        self.direct: Any = super(torch.autograd.Function, function).apply  # type: ignore[misc]

    def apply(self, *arguments: Any) -> Tensor:
        """The value. The arguments are what the schema says."""
        if _ordinary() and all(not isinstance(t, Tensor) or type(t) in _PLAIN and t.is_cpu for t in arguments):
            return self.direct(*arguments)[0]
        return (self.transformed if not torch.compiler.is_compiling() and _transforms() else self.op)(*arguments)[0]


def _refuse_graph(wanted: bool | None = None) -> None:
    """An error where the gradients, constants of the graph made now, would be differentiated."""
    if torch.is_grad_enabled() if wanted is None else wanted:
        raise RuntimeError("loglik.torch: the losses have no second derivatives (create_graph=True went through one)")


class _Known(torch.autograd.Function):
    """A value whose gradients came with it, without the dispatcher, which would take more than a small loss itself."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: Any, lifts: Any, *models: Tensor) -> Tensor:
        if lifts:
            ctx.lifts = lifts
        ctx.save_for_backward(*gradients)
        return value

    @staticmethod
    def backward(ctx: Any, of_value: Tensor) -> Any:
        if torch.is_grad_enabled():
            _refuse_graph()
        return None, None, None, *_scaled(ctx.saved_tensors, of_value, getattr(ctx, "lifts", ()))


# What `apply` of a class comes to outside torch.func.
_known: Any = super(torch.autograd.Function, _Known).apply


def _scaled(gradients: Sequence[Tensor | None], factor: Any, lifts: Sequence[int]) -> Sequence[Tensor | None]:
    """The gradients times the factor of the value."""
    # The memory goes to who asked, if nobody can ask again. A factor that is recorded has no value yet.
    ours = type(factor) is Tensor and not (_retained() or torch.is_grad_enabled() or _transforms() or _modes())
    if ours and factor.ndim == 0 and factor.is_cpu and factor.item() == 1:
        return [None if g is None else g.detach() for g in gradients]
    for axis in lifts:
        factor = factor.unsqueeze(axis)
    return [None if g is None else g.detach().mul_(factor) if ours else factor * g for g in gradients]


class _Loss:
    """A loss of loglik on tensors; `lead` names the arguments of its model but the last."""

    # The elements of one value lie along the axes `events`, which are counted from the end, as those of `axis` are.
    schema = (
        "(Tensor? targets, Tensor first, Tensor? second, Tensor? weights, str form, float smoothing, int? ignored, int[] events,"
        " str reduction, int[]? axis, bool[] needs) -> (Tensor, Tensor, Tensor)"
    )

    def __init__(self, name: str, *lead: str) -> None:
        self.name, self.lead = name, lead
        self.operator = _Operator(name, self.schema, self.kernel, self.fake, self.setup, self.backward)

    def __call__(
        self, targets: Any, models: Sequence[Any], weights: Any, form: str, reduction: str, axis: Any,
        events: Any = (), smoothing: float = 0.0, ignored: int | None = None,
    ) -> Tensor:  # fmt: skip
        """`events` may be an `event_axis` of loglik. Where the value is no scalar, an element is expanded to one for each."""
        if weights is None and axis is None and ignored is None and reduction in ("mean", "sum") and _ordinary():
            short = self.short(targets, models, form, reduction == "mean", events, smoothing)
            if short is not None:
                return short
        models = _models(self.name, (*self.lead, form), models)
        targets, weights = _data(self.name, models[0].dtype, targets, weights)
        if events != ():
            ndim = max(m.ndim for m in models)
            found = validate.axes(self.name, events, ndim) if ndim and events is not None else ()
            events = [e - ndim for e in found or losses._event_axes(self.name, events, ndim)]  # which raises
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f'{self.name}: reduction must be "mean", "sum" or "none", got {reduction!r}')
        full, batch = self.shapes(targets, models, weights, form, events)
        if reduction == "none":
            axis = None
        elif axis is not None:
            axis = [a - len(batch) for a in validate.axes(self.name, axis, len(batch))]
        if reduction == "none" or axis is not None:  # torch adds up the gradients of repeated elements
            lead = iter(batch)
            wide = [full[i] if i in events else next(lead) for i in range(-len(batch) - len(events), 0)]
            models = [m.expand(wide) for m in models]
        needs = [torch.is_grad_enabled() and m.requires_grad for m in models]
        pair = models[0], models[1] if self.lead else None
        arguments = targets, *pair, weights, form, smoothing, ignored, events, reduction, axis, needs
        if not _ordinary() or not all(t is None or type(t) in _PLAIN and t.is_cpu for t in arguments[:4]):
            return self.operator.apply(*arguments)
        value, *gradients = self.kernel(*arguments)
        return _known(value, gradients[: len(models)], self.lifts(arguments), *models)

    def short(self, targets: Any, models: Sequence[Any], form: str, mean: bool, events: Any, smoothing: float) -> Any:
        """The value of few elements of one shape and type, in half the time; None for all else, and for what is an error.

        After the other work of a step little of Python is in a cache, so this has few lines, and hands addresses to the kernel.
        """
        first, rows = models[0], events == -1
        if type(first) not in _PLAIN or not 0 < (size := first.numel()) <= SHORT:
            return None
        shape, dtype, recorded = first.shape, first.dtype, torch.is_grad_enabled()
        held = []
        for t in (*models, targets) if targets is not None else models:
            if type(t) not in _PLAIN or not t.is_cpu or t.layout is not torch.strided:
                return None
            if t is targets and rows:
                if t.dtype is not torch.int64 or t.shape != shape[:-1]:
                    return None
            elif t.dtype is not dtype or t.shape != shape:
                return None
            held.append(t if t.is_contiguous() and not t.is_neg() else t.contiguous().resolve_neg())
        if dtype not in _FLOATS or rows > len(shape) or (targets is None) > rows or not 0 <= smoothing <= 1:
            return None
        data = None
        if targets is not None:
            data = held.pop().data_ptr()
            if targets.requires_grad and recorded:
                return None
        needs = [recorded and m.requires_grad for m in models]
        gradients = [torch.empty_like(m) if need else None for m, need in zip(held, needs, strict=False)]
        written = tuple([None if g is None else g.data_ptr() for g in gradients])
        total = one_visit(
            self.name, form, data, tuple([m.data_ptr() for m in held]), written, mean, size,
            shape[-1] if rows else 1, smoothing=smoothing, elements=size, is_double=dtype is torch.float64,
        )  # fmt: skip
        if total is None or not (-3e38 < total < 3e38):
            return None
        value = torch.scalar_tensor(total, dtype=dtype)
        return _known(value, gradients, (), *models) if recorded else value

    def kernel(self, *inputs: Any) -> Any:
        targets, first, second, weights, form, smoothing, ignored, events, reduction, axis, needs = inputs
        names = (*self.lead, form)
        options: dict[str, Any] = dict(zip(names, (_array(first), _array(second)), strict=False))
        if self.name == "categorical_nll":
            options |= {"label_smoothing": smoothing, "ignore_index": ignored}
        elif self.name == "kl_standard_normal":
            options["event_axis"] = events[0] if len(events) == 1 else tuple(events)
        wrt = tuple(name for name, need in zip(names, needs, strict=True) if need)
        value, gradients = getattr(losses, self.name)(
            *(() if targets is None else (_array(targets),)), weights=_array(weights), reduction=reduction,
            axis=None if axis is None else tuple(axis), wrt=wrt, **options,
        )  # fmt: skip
        of = dict(zip(wrt, gradients, strict=True))
        return _tensor(value), *(_tensor(of[name]) if name in of else None for name in (*names, "")[:2])

    def fake(self, *inputs: Any) -> Any:
        targets, first, second, weights, *_, events, reduction, axis, needs = inputs
        models, kept = (first, second) if self.lead else (first,), []
        if reduction == "none" or axis is not None:
            _, batch = self.shapes(targets, models, weights, inputs[4], events)
            kept = [n for i, n in enumerate(batch, -len(batch)) if reduction == "none" or i not in axis]
        needs = (*needs, False)[:2]
        gradients = (models[i].new_empty(models[i].shape) if need else torch.empty(0) for i, need in enumerate(needs))
        return first.new_empty(kept), *gradients

    def shapes(self, targets: Any, models: Sequence[Tensor], weights: Any, form: str, events: Sequence[int]) -> Any:
        """Shapes of the elements of the model, and of the values."""
        elements = {name: m.shape for name, m in zip((*self.lead, form), models, strict=True)}
        rows = {} if weights is None else {"weights": weights.shape}
        if targets is not None:
            if events:  # classes, or rows of probabilities
                rows = {"targets": targets.shape[:-1] if targets.is_floating_point() else targets.shape} | rows
            else:
                elements = {"targets": targets.shape} | elements
        full = _joined(self.name, elements)
        batch = tuple([n for i, n in enumerate(full, -len(full)) if i not in events])
        label = " and ".join(elements) + (" without the axes of an event" if events else "")
        return full, _joined(self.name, {label: batch} | rows)

    @staticmethod
    def lifts(inputs: Any) -> Sequence[int]:
        """The axes of an element that its value lacks; () where the value is a scalar."""
        events, reduction, axis, _ = inputs[7:]
        if reduction != "none" and axis is None:
            return ()
        ndim = inputs[1].ndim
        of_batch = [a for a in range(-ndim, 0) if a not in events]
        return sorted([a + ndim for a in (*events, *([] if reduction == "none" else [of_batch[a] for a in axis]))])

    @staticmethod
    def setup(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*output[1:])
        ctx.needs, ctx.lifts = inputs[-1], _Loss.lifts(inputs)

    @staticmethod
    def backward(ctx: Any, of_value: Tensor | None, *of_gradients: Tensor | None) -> Any:
        _refuse_graph(any(g is not None for g in of_gradients))
        found: Sequence[Tensor | None] = (None, None)
        if of_value is not None:
            wanted = [g if need else None for g, need in zip(ctx.saved_tensors, (*ctx.needs, False)[:2], strict=True)]
            found = _scaled(wanted, of_value, ctx.lifts)
        return None, *found, *[None] * 8


def _array(tensor: Tensor | None) -> Any:
    """A tensor as an array that shares its memory."""
    return None if tensor is None else tensor.numpy(force=True)


def _tensor(array: Any) -> Tensor:
    return torch.from_numpy(np.asarray(array))


def _joined(function: str, shapes: dict[str, Any]) -> Any:
    """The shape that all broadcast to."""
    first, *others = shapes.values()
    if all(shape == first for shape in others):  # broadcast_shapes takes 50 µs
        return first
    try:
        return torch.broadcast_shapes(*shapes.values())
    except RuntimeError:
        given = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items())
        raise ValueError(f"{function}: shapes do not broadcast: {given}") from None


def _mvn_log_prob(x: Tensor, loc: Tensor, scale_tril: Tensor, need: bool) -> Any:
    mvn = MultivariateNormal(_array(loc), scale_tril=_array(scale_tril))
    if not need:
        return _tensor(mvn.log_prob(_array(x))), None
    value, by_x = mvn.log_prob(_array(x), wrt="x")
    return _tensor(value), _tensor(by_x)


def _mvn_fake(x, loc, scale_tril, need):
    lead = torch.broadcast_shapes(x.shape[:-1], loc.shape[:-1], scale_tril.shape[:-2])
    return x.new_empty(lead), x.new_empty(x.shape) if need else torch.empty(0)


def _mvn_keep(ctx: Any, inputs: Any, output: Any) -> None:
    _, loc, scale_tril, _ = inputs
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(output[1], scale_tril)
    ctx.loc_shape = loc.shape


def _mvn_gradients(ctx: Any, of_value: Tensor | None, *of_gradients: Tensor | None) -> Any:
    """From ∂/∂x = -s of every point: ∂/∂loc = Σ g·s, ∂/∂L = tril(Σ g·s·sᵀ·L) - Σ g·diag(1/Lᵢᵢ), with s·sᵀ·L = s·yᵀ."""
    _refuse_graph(any(g is not None for g in of_gradients))
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


_BERNOULLI = _Loss("bernoulli_nll")
_GAUSSIAN = _Loss("gaussian_nll", "mean")
_LAPLACE = _Loss("laplace_nll", "loc")
_CATEGORICAL = _Loss("categorical_nll")
_KL = _Loss("kl_standard_normal", "loc")
_MVN = _Operator(
    "mvn_log_prob", "(Tensor x, Tensor loc, Tensor scale_tril, bool need) -> (Tensor, Tensor)",
    _mvn_log_prob, _mvn_fake, _mvn_keep, _mvn_gradients,
)  # fmt: skip

# ---------------------------------------------------------------------------------------- arguments


def _check(function: str, name: str, tensor: Tensor, dtypes: Sequence[torch.dtype]) -> None:
    if not tensor.is_cpu and tensor.device.type not in ("cpu", "meta"):
        raise ValueError(f"{function}: {name} is on {tensor.device}, and loglik computes on the CPU; use .cpu()")
    if tensor.layout is not torch.strided:
        raise TypeError(f"{function}: {name} has layout {tensor.layout}; use .to_dense()")
    if tensor.dtype not in dtypes:
        known = "float32 or float64" if dtypes is _FLOATS else "float32, float64, integer or bool"
        raise TypeError(f"{function}: {name} has dtype {tensor.dtype}; {known} is needed, for example by .float()")


def _models(function: str, names: Sequence[str], values: Sequence[Any]) -> Sequence[Tensor]:
    """The model's arguments as tensors of one type; numbers follow the tensors."""
    dtypes = []
    for name, value in zip(names, values, strict=True):
        if isinstance(value, Tensor):
            _check(function, name, value, _FLOATS)
            dtypes.append(value.dtype)
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{function}: {name} must be a tensor, got {type(value).__name__}")
    if not dtypes:
        raise TypeError(f"{function}: {' or '.join(names)} must be a tensor")
    dtype = torch.float64 if torch.float64 in dtypes else torch.float32
    return [v.to(dtype) if isinstance(v, Tensor) else torch.tensor(v, dtype=dtype) for v in values]


def _data(function: str, dtype: torch.dtype, targets: Any, weights: Any) -> list[Any]:
    """Targets and weights, which are constants."""
    found = [targets, weights]
    for i, value in enumerate(found):
        name = "weights" if i else "targets"
        if isinstance(value, Tensor):
            _check(function, name, value, _DATA)
            if value.requires_grad and torch.is_grad_enabled():
                raise ValueError(f"{function}: {name} requires a gradient, and there is none in {name}; use .detach()")
        elif isinstance(value, (int, float)):  # bool is an int
            found[i] = torch.tensor(value, dtype=dtype if isinstance(value, float) else torch.int64)
        elif value is not None or name == "targets" and function != "kl_standard_normal":
            raise TypeError(f"{function}: {name} must be a tensor, got {type(value).__name__}")
    return found


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
    form, model = losses._exactly_one("bernoulli_nll", logits=logits, probs=probs)
    return _BERNOULLI(targets, (model,), weights, form, reduction, axis)


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
    form, spread = losses._exactly_one("gaussian_nll", variance=variance, log_variance=log_variance, scale=scale)
    return _GAUSSIAN(targets, (mean, spread), weights, form, reduction, axis)


def laplace_nll(
    targets: Any, *, loc: Any, scale: Any = None, log_scale: Any = None, weights: Any = None, reduction: str = "mean",
    axis: Any = None,
) -> Tensor:  # fmt: skip
    """Laplace negative log-likelihood in nats: `loglik.laplace_nll` on tensors.

    `loc` and exactly one of `scale` and `log_scale` are tensors or numbers (at least one tensor), and the result is
    differentiable once in them. Everything else is as in `bernoulli_nll` here.

    Examples
    --------
    >>> import torch
    >>> from loglik import torch as llt
    >>> loc = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    >>> llt.laplace_nll(torch.tensor([1.0, -2.0]), loc=loc, scale=2.0, reduction="sum").backward()
    >>> loc.grad
    tensor([-0.5000,  0.5000], dtype=torch.float64)
    """
    form, spread = losses._exactly_one("laplace_nll", scale=scale, log_scale=log_scale)
    return _LAPLACE(targets, (loc, spread), weights, form, reduction, axis)


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
    form, model = losses._exactly_one(function, logits=logits, log_probs=log_probs)
    if isinstance(model, Tensor) and model.ndim == 0:
        raise ValueError(f"{function}: {form} must have the classes on its last axis, got a scalar")
    return _CATEGORICAL(targets, (model,), weights, form, reduction, axis, -1, float(label_smoothing), ignore_index)


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
    return _KL(None, (loc, log_variance), weights, "log_variance", reduction, axis, event_axis)


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
    x, loc, scale_tril = _models(function, ("x", "loc", "scale_tril"), (x, loc, scale_tril))
    d = x.shape[-1] if x.ndim else 0
    if d == 0 or loc.shape[-1:] != (d,) or scale_tril.shape[-2:] != (d, d):
        shapes = f"{tuple(x.shape)}, {tuple(loc.shape)} and {tuple(scale_tril.shape)}"
        raise ValueError(f"{function}: x, loc and scale_tril need the shapes (..., d), (..., d) and (..., d, d), got {shapes}")
    lead = _joined(function, {"x": x.shape[:-1], "loc": loc.shape[:-1], "scale_tril": scale_tril.shape[:-2]})
    need = torch.is_grad_enabled() and any(t.requires_grad for t in (x, loc, scale_tril))
    if need:
        x = x.expand(*lead, d)
    return _MVN.apply(x, loc, scale_tril, need)
