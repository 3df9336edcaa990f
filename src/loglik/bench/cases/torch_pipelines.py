"""Pipelines in torch beside its own losses: the two terms of the loss of a VAE with their gradients, and a step of training."""

import functools
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import loglik as ll
from loglik.bench.problem import F32, Case, Problem

_LATENT = 8


def _terms(torch: Any) -> tuple[Any, Any]:
    """The loss of (images, logits, means, log-variances) by loglik and by torch."""
    from torch.nn import functional

    from loglik import torch as llt

    def ours(x: Any, logits: Any, loc: Any, log_variance: Any) -> Any:
        return llt.bernoulli_nll(x, logits=logits, reduction="sum") + llt.kl_standard_normal(loc, log_variance, reduction="sum")

    def theirs(x: Any, logits: Any, loc: Any, log_variance: Any) -> Any:
        kl = 0.5 * (loc.square() + log_variance.exp() - 1 - log_variance).sum()
        return functional.binary_cross_entropy_with_logits(logits, x, reduction="sum") + kl

    torch.set_num_threads(ll.get_num_threads())
    return ours, theirs


def _loss(batch: int) -> Problem:
    import torch

    make = torch.Generator().manual_seed(0)
    x = torch.rand(batch, 64, generator=make)
    logits = torch.randn(batch, 64, generator=make).requires_grad_()
    code = torch.randn(batch, 2 * _LATENT, generator=make).requires_grad_()  # means and logarithms of variances

    def run(loss: Any) -> Any:
        logits.grad = code.grad = None
        value = loss(x, logits, *code.chunk(2, dim=-1))
        value.backward()
        return value.detach(), logits.grad, code.grad

    ours, theirs = (functools.partial(run, loss) for loss in _terms(torch))
    expected = theirs()

    def error(got: Any) -> float:
        return max(float(((a - b).abs() / (1 + b.abs())).max()) for a, b in zip(got, expected, strict=True)) * 2.0**24

    return Problem(run=ours, reference=None, error=error, tolerance=1000.0, extra={"torch": theirs})


def _step(batch: int) -> Problem:
    """Forward, backward and Adam of the network of examples/vae_digits.py."""
    import torch
    from torch import nn

    def training(loss: Any) -> Any:
        torch.manual_seed(0)
        encode = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2 * _LATENT))
        decode = nn.Sequential(nn.Linear(_LATENT, 64), nn.ReLU(), nn.Linear(64, 64))
        optimiser = torch.optim.Adam([*encode.parameters(), *decode.parameters()], lr=1e-4)
        make = torch.Generator().manual_seed(1)
        x = torch.rand(batch, 64, generator=make)

        def step() -> Any:
            optimiser.zero_grad()
            loc, log_variance = encode(x).chunk(2, dim=-1)
            noise = torch.randn(batch, _LATENT, generator=make)
            value = loss(x, decode(loc + (0.5 * log_variance).exp() * noise), loc, log_variance)
            value.backward()
            optimiser.step()
            return value.detach()

        return step

    ours, theirs = _terms(torch)

    def error(_: Any) -> float:
        """Largest difference between the losses of ten steps from the same start."""
        pairs = zip(*([step() for _ in range(10)] for step in (training(ours), training(theirs))), strict=True)
        return max(float(abs(a / b - 1)) for a, b in pairs) * 2.0**24

    return Problem(run=training(ours), reference=None, error=error, tolerance=1000.0, extra={"torch": training(theirs)})


def pipeline_torch_cases(scale: int) -> Iterator[Case]:
    if find_spec("torch"):
        for name, build in (("loss", _loss), ("step", _step)):
            for batch in (128, 512, 1797 // scale):
                yield Case(f"pipeline.vae.{name}", F32, (batch, 64), functools.partial(build, batch), batch * 64)
