"""What is measured of random numbers: normals and uniforms alone, and the samples of each distribution."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import loglik as ll
from loglik._engine.streams import standard_normal, uniform
from loglik.bench import references
from loglik.bench.problem import BOTH, F64, Case, Problem, seeded


def _moments(got: np.ndarray, mean: Any, variance: Any, kurtosis: float) -> float:
    """How far the means and variances of the columns are from theirs, in standard errors; kurtosis is E[(x - μ)⁴]/σ⁴."""
    n = len(got)
    deviation = got.astype(np.float64) - mean
    of_mean = np.abs(deviation.mean(axis=0)) / np.sqrt(variance / n)
    of_variance = np.abs(np.square(deviation).mean(axis=0) / variance - 1) / np.sqrt((kurtosis - 1) / n)
    return float(max(np.max(of_mean), np.max(of_variance)))


def _problem(
    run: Callable[..., Any], reference: Callable[[], Any], out: np.ndarray, moments: tuple[Any, Any, float], kernel: str,
    *arguments: Any,
) -> Problem:  # fmt: skip
    return Problem(
        run=lambda: run(out=out),
        fresh=run,
        reference=reference,
        error=lambda got: _moments(got, *moments),
        tolerance=6.0,
        outputs=(out,),
        kernel=kernel,
        arguments=arguments,
    )


def _normals(dtype: str, n: int) -> Problem:
    run, rng = functools.partial(standard_normal, (n,), key=1, dtype=dtype), seeded()
    return _problem(
        run, lambda: references.standard_normal(n, rng, dtype), np.empty(n, dtype), (0.0, 1.0, 3.0), "normals", n, dtype
    )


def _uniforms(dtype: str, n: int) -> Problem:
    run, rng = functools.partial(uniform, (n,), key=1, dtype=dtype), seeded()
    return _problem(
        run, lambda: references.uniform(n, rng, dtype), np.empty(n, dtype), (0.5, 1 / 12, 1.8), "uniforms", n, dtype
    )


def _normal(dtype: str, n: int) -> Problem:
    loc, scale, rng = np.dtype(dtype).type(1), np.dtype(dtype).type(2), seeded()
    return _problem(
        functools.partial(ll.Normal(loc, scale).sample, n, rng=1), lambda: references.normal_sample(n, loc, scale, rng),
        np.empty(n, dtype), (1.0, 4.0, 3.0), "normal_sample", n, loc, scale,
    )  # fmt: skip


def _laplace(dtype: str, n: int) -> Problem:
    loc, scale, rng = np.dtype(dtype).type(1), np.dtype(dtype).type(2), seeded()
    return _problem(
        functools.partial(ll.Laplace(loc, scale).sample, n, rng=1), lambda: references.laplace_sample(n, loc, scale, rng),
        np.empty(n, dtype), (1.0, 8.0, 6.0), "laplace_sample", n, loc, scale,
    )  # fmt: skip


def _mvn(dtype: str, n: int, d: int) -> Problem:
    rng = seeded()
    factor = np.tril(rng.standard_normal((d, d)), -1) + np.diag(rng.uniform(0.5, 2, d))
    mvn = ll.MultivariateNormal(rng.standard_normal(d).astype(dtype), scale_tril=factor.astype(dtype))
    return _problem(
        functools.partial(mvn.sample, n, rng=1), lambda: references.mvn_sample(n, mvn.loc, mvn.scale_tril, rng),
        np.empty((n, d), dtype), (mvn.loc, mvn.variance.astype(F64), 3.0), "mvn_sample", n, mvn.loc.copy(), mvn.scale_tril.copy(),
    )  # fmt: skip


def _bernoulli(n: int) -> Problem:
    p, rng = 0.3, seeded()
    return _problem(
        functools.partial(ll.Bernoulli(p).sample, n, rng=1, dtype=bool), lambda: references.bernoulli_sample(n, p, rng),
        np.empty(n, bool), (p, p * (1 - p), 1 / (p * (1 - p)) - 3), "bernoulli_sample", n, p,
    )  # fmt: skip


def _discrete(d: ll.Discrete, n: int) -> Problem:
    rng = seeded()
    kurtosis = float(np.dot(d.probs, (d.support - d.mean) ** 4) / d.variance**2)
    return _problem(
        functools.partial(d.sample, n, rng=1), lambda: d.start + references.discrete_sample(n, d.probs, rng),
        np.empty(n, np.int64), (d.mean, d.variance, kurtosis), "discrete_sample", n, d.probs.copy(),
    )  # fmt: skip


def sampling_cases(scale: int) -> Iterator[Case]:
    n = 10_000_000 // scale
    for dtype in BOTH:
        for name, build in (("normal", _normals), ("uniform", _uniforms), ("normal.loc_scale", _normal), ("laplace", _laplace)):
            yield Case(f"sampling.{name}", dtype, (n,), functools.partial(build, dtype, n), n, unit="se")
        m, d = 1_000_000 // scale, 16
        yield Case(f"sampling.mvn.d{d}", dtype, (m, d), functools.partial(_mvn, dtype, m, d), m * d, unit="se")
    yield Case("sampling.bernoulli", F64, (n,), functools.partial(_bernoulli, n), n, unit="se")
    for name, discrete in (("die6", ll.die(6)), ("1000d6", ll.dice(1000, 6)), ("die1000000", ll.die(10**6))):
        yield Case(f"sampling.discrete.{name}", F64, (n,), functools.partial(_discrete, discrete, n), n, unit="se")
