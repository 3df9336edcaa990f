"""Benchmarks of pipelines in torch: the two terms of a VAE's loss with their gradients, beside torch's own."""

import functools
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import loglik as ll
from loglik.bench.problem import F32, Case, Problem


def _vae(batch: int) -> Problem:
    import torch
    from torch.nn import functional

    from loglik import torch as llt

    torch.set_num_threads(ll.get_num_threads())
    make = torch.Generator().manual_seed(0)
    x = torch.rand(batch, 64, generator=make)
    logits = torch.randn(batch, 64, generator=make).requires_grad_()
    code = torch.randn(batch, 16, generator=make).requires_grad_()  # means and logarithms of variances

    def step(bernoulli: Any, kl: Any) -> Any:
        logits.grad = code.grad = None
        loss = bernoulli() + kl(*code.chunk(2, dim=-1))
        loss.backward()
        return loss.detach(), logits.grad, code.grad

    ours = functools.partial(
        step,
        lambda: llt.bernoulli_nll(x, logits=logits, reduction="sum"),
        lambda m, v: llt.kl_standard_normal(m, v, reduction="sum"),
    )
    theirs = functools.partial(
        step,
        lambda: functional.binary_cross_entropy_with_logits(logits, x, reduction="sum"),
        lambda m, v: 0.5 * (m.square() + v.exp() - 1 - v).sum(),
    )
    expected = theirs()

    def error(got: Any) -> float:
        return max(float(((a - b).abs() / (1 + b.abs())).max()) for a, b in zip(got, expected, strict=True)) * 2.0**24

    return Problem(run=ours, reference=None, error=error, tolerance=1000.0, extra={"torch": theirs})


def pipeline_torch_cases(scale: int) -> Iterator[Case]:
    if find_spec("torch"):
        for batch in (128, 512, 1797 // scale):
            yield Case("pipeline.vae", F32, (batch, 64), functools.partial(_vae, batch), batch * 64)
