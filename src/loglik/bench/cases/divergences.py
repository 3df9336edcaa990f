"""Benchmarks of divergences: closed forms, rows of probabilities, Monte Carlo estimates."""

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

import loglik as ll
from loglik.bench import references
from loglik.bench.cases.gaussian import random_gaussian
from loglik.bench.problem import BOTH, F64, Case, Problem, error_in_units, seeded


def _two_gaussians(d: int) -> tuple[np.ndarray, ...]:
    rng = seeded()
    p_loc, p_covariance = random_gaussian(rng, F64, d)
    shift, q_covariance = random_gaussian(rng, F64, d)
    return p_loc, p_covariance, p_loc + 0.3 * shift, q_covariance


def _monte_carlo_kl(n: int, d: int) -> Problem:
    parameters = _two_gaussians(d)
    p, q = ll.MultivariateNormal(*parameters[:2]), ll.MultivariateNormal(*parameters[2:])
    exact, rng = float(references.mvn_kl(*parameters)), seeded()
    return Problem(
        run=lambda: ll.estimate_kl(p, q, n=n, method="mc", rng=1),
        reference=lambda: references.monte_carlo_kl(n, *parameters, rng),
        error=lambda got: abs(got.value - exact) / got.stderr,
        tolerance=6.0,
        flops=2.0 * n * d * d,
        kernel="monte_carlo_kl",
        arguments=(n, *parameters),
    )


def _monte_carlo_js(n: int, d: int) -> Problem:
    parameters = _two_gaussians(d)
    p, q = ll.MultivariateNormal(*parameters[:2]), ll.MultivariateNormal(*parameters[2:])
    near, rng = ll.estimate_js(p, q, n=1 << 20, method="qmc", rng=2), seeded()
    return Problem(
        run=lambda: ll.estimate_js(p, q, n=n, method="mc", rng=1),
        reference=lambda: references.monte_carlo_js(n, *parameters, rng),
        error=lambda got: abs(got.value - near.value) / math.hypot(got.stderr, near.stderr),
        tolerance=6.0,
        flops=2.0 * n * d * d,
        kernel="monte_carlo_js",
        arguments=(n, *parameters),
    )


def _gaussian_kl(d: int) -> Problem:
    parameters = _two_gaussians(d)
    p, q = ll.MultivariateNormal(*parameters[:2]), ll.MultivariateNormal(*parameters[2:])
    exact = references.mvn_kl(*parameters)
    return Problem(
        run=lambda: ll.kl_divergence(p, q),
        reference=lambda: references.mvn_kl(*parameters),
        error=lambda got: error_in_units(got, exact, np.abs(exact), F64),
        tolerance=1e4,
        kernel="mvn_kl",
        arguments=parameters,
    )


def _rows(divergence: str, dtype: str, n: int, k: int, axis: int) -> Problem:
    """Many pairs of k probabilities each, along the last or the first axis."""
    rng = seeded()
    p, q = (rng.dirichlet(np.ones(k), n).astype(dtype) for _ in range(2))
    p, q = (a / a.sum(axis=-1, keepdims=True, dtype=F64).astype(dtype) for a in (p, q))
    if axis == 0:
        p, q = np.ascontiguousarray(p.T), np.ascontiguousarray(q.T)
    ours, reference, term = {
        "kl": (ll.kl_divergence, references.rows_kl, references.relative_entropy),
        "js": (ll.js_divergence, references.rows_js, references.js_term),
        "cross_entropy": (ll.cross_entropy, references.rows_cross_entropy, lambda p, q: -p * np.log(q)),
    }[divergence]
    few = (slice(0, 50), slice(None)) if axis else (slice(None), slice(0, 50))
    wide = [a[few].astype(np.longdouble) for a in (p, q)]
    exact = term(*wide).sum(axis=axis)
    return Problem(
        run=lambda: ours(p, q, axis=axis),
        reference=lambda: reference(p, q, axis),
        error=lambda got: error_in_units(got[:50], exact, exact, dtype),
        tolerance=100.0,
        inputs=(p, q),
        outputs=(np.empty(n, dtype),),
        kernel=f"rows_{divergence}",
        arguments=(p, q, axis),
    )


def _discrete_kl(k: int) -> Problem:
    rng = seeded()
    p, q = (rng.dirichlet(np.ones(k)) for _ in range(2))
    first, second = ll.Discrete(p), ll.Discrete(q)
    exact = references.relative_entropy(*(d.probs.astype(np.longdouble) for d in (first, second))).sum()
    return Problem(
        run=lambda: ll.kl_divergence(first, second),
        reference=lambda: references.rows_kl(p, q, -1),
        error=lambda got: error_in_units(got, exact, exact, F64),
        tolerance=100.0,
        inputs=(p, q),
        kernel="rows_kl",
        arguments=(p, q, -1),
    )


def _bernoulli_gradient(n: int) -> Problem:
    rng = seeded()
    p, q = rng.uniform(0.05, 0.45, n), rng.uniform(0.55, 0.95, n)
    first, second = ll.Bernoulli(p), ll.Bernoulli(q)
    exact = references.bernoulli_kl_gradient(p.astype(np.longdouble), q.astype(np.longdouble))

    def run() -> tuple[Any, ...]:
        value, gradients = ll.kl_divergence(first, second, wrt=("p.probs", "q.probs"))
        return (value, *gradients)

    return Problem(
        run=run,
        reference=lambda: references.bernoulli_kl_gradient(p, q),
        error=lambda got: max(error_in_units(x, y, np.abs(y), F64) for x, y in zip(got, exact, strict=True)),
        tolerance=100.0,
        inputs=(p, q),
        outputs=(np.empty(n), np.empty(n), np.empty(n)),
    )


def divergence_cases(scale: int) -> Iterator[Case]:
    for dtype in BOTH:
        sizes = [(divergence, k, -1) for divergence in ("kl", "js", "cross_entropy") for k in (10, 100, 1000)]
        for divergence, k, axis in (*sizes, ("kl", 1000, 0)):
            m, place = max(1, 1_000_000 // k // scale), "" if axis else ".first"
            build = functools.partial(_rows, divergence, dtype, m, k, axis)
            yield Case(f"divergence.{divergence}.rows{place}.k{k}", dtype, (m, k), build, m * k)
    k = 1_000_000 // scale
    yield Case("divergence.kl.discrete", F64, (k,), functools.partial(_discrete_kl, k), k)
    n = 1_000_000 // scale
    yield Case("divergence.kl.bernoulli.grad", F64, (n,), functools.partial(_bernoulli_gradient, n), n)


def monte_carlo_cases(scale: int) -> Iterator[Case]:
    n, d = 1_000_000 // scale, 16
    yield Case(f"monte_carlo.kl.d{d}", F64, (n, d), functools.partial(_monte_carlo_kl, n, d), n, unit="se")
    yield Case(f"monte_carlo.js.d{d}", F64, (n, d), functools.partial(_monte_carlo_js, n, d), n, unit="se")
    yield Case(f"divergence.kl.gaussian.d{d}", F64, (d,), functools.partial(_gaussian_kl, d), 1)
