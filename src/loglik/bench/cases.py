"""What is measured: one case for each kernel, element type and size.

A case is cheap; its arrays are made by `build`, when its turn comes. Families share a prefix, so that
``loglik bench --filter mvn`` (loss, dice, monte, sampling, divergence, ...) selects one.
"""

import functools
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import loglik as ll
from loglik._kernels import kernel_types
from loglik.bench import references
from loglik.bench.fit_cases import fit_cases
from loglik.bench.loss_cases import loss_cases
from loglik.bench.pipeline_cases import pipeline_cases
from loglik.bench.pipeline_torch import pipeline_torch_cases
from loglik.bench.problem import BOTH, F32, F64, Case, Problem
from loglik.bench.problem import error_in_units as _error
from loglik.bench.problem import seeded as _rng
from loglik.bench.problem import unit_roundoff as _unit
from loglik.bench.runner import SelfTimed
from loglik.bench.sampling_cases import sampling_cases

EXACT_SAMPLE = 10_000  # elements of an elementwise result that are compared with extended precision
LARGE, SMALL = 1_000_000, 10_000  # elements of elementwise rows: from memory, and from the caches


# ------------------------------------------------------------------------------- elementwise kernels


def _uniform(low: float, high: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    return lambda rng, n: rng.uniform(low, high, n)


def _bits(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(0, 2, n).astype(float)


_REAL, _POSITIVE = _uniform(-8, 8), _uniform(0.5, 2)


@dataclass(frozen=True)
class Elementwise:
    """How a ufunc is benchmarked: its family, the values of its arguments and the terms of its result."""

    family: str
    arguments: tuple[Callable[[np.random.Generator, int], np.ndarray], ...]
    terms: Callable[..., Any] | None = None
    """Sum of the magnitudes of the terms where the result crosses zero; None: the result itself."""
    extended: bool = True
    """Whether the reference is more precise in long double; else errors hold those of a double."""


def _normal_terms(x, loc, scale):
    return 0.5 * ((x - loc) / scale) ** 2 + np.abs(np.log(scale)) + references.HALF_LOG_2PI


def _gaussian_terms(targets, mean, variance):
    return 0.5 * (targets - mean) ** 2 / variance + 0.5 * np.abs(np.log(variance)) + references.HALF_LOG_2PI


ELEMENTWISE: dict[str, Elementwise] = {
    "exp": Elementwise("elementwise", (_REAL,)),
    "log": Elementwise("elementwise", (_POSITIVE,)),
    "log1p": Elementwise("elementwise", (_POSITIVE,)),
    "expm1": Elementwise("elementwise", (_REAL,)),
    "log1pmx": Elementwise("elementwise", (_POSITIVE,)),
    "sincos_2pi": Elementwise("elementwise", (_REAL,), np.ones_like),
    "erf": Elementwise("elementwise", (_uniform(-3, 3),), extended=False),
    "erfc": Elementwise("elementwise", (_uniform(-3, 3),), extended=False),
    "ndtr": Elementwise("elementwise", (_uniform(-4, 4),), extended=False),
    "log_ndtr": Elementwise("elementwise", (_uniform(-4, 4),), extended=False),
    "ndtri": Elementwise("elementwise", (_uniform(0, 1),), extended=False),
    "softplus": Elementwise("elementwise", (_REAL,)),
    "sigmoid": Elementwise("elementwise", (_REAL,)),
    "log_sigmoid": Elementwise("elementwise", (_REAL,)),
    "normal_log_prob": Elementwise("density", (_REAL, _REAL, _POSITIVE), _normal_terms),
    "uniform_log_prob": Elementwise("density", (_REAL, _uniform(-9, -8), _uniform(6, 9))),
    "bernoulli_log_prob": Elementwise("density", (_bits, _REAL)),
    "bernoulli_nll": Elementwise("loss", (_bits, _REAL)),
    "gaussian_nll": Elementwise("loss", (_REAL, _REAL, _POSITIVE), _gaussian_terms),
    "normal_kl": Elementwise("divergence", (_REAL, _POSITIVE, _REAL, _POSITIVE)),
    "bernoulli_kl": Elementwise("divergence", (_uniform(0.05, 0.45), _uniform(0.55, 0.95))),
    "bernoulli_js": Elementwise("divergence", (_uniform(0.05, 0.45), _uniform(0.55, 0.95))),
    "relative_entropy": Elementwise("divergence", (_uniform(0.05, 0.45), _uniform(0.55, 0.95))),
    "js_term": Elementwise("divergence", (_uniform(0.05, 0.45), _uniform(0.55, 0.95))),
    "js_integrand": Elementwise("divergence", (_uniform(1, 4),)),
    "uniform_kl": Elementwise("divergence", (_uniform(0, 0.4), _uniform(0.6, 1), _uniform(-2, -1), _uniform(2, 3))),
}
"""One row for each elementwise ufunc; a test asserts that none is missing."""


def elementwise_kernels() -> list[str]:
    """Names of the ufuncs that work element by element."""
    return [name for name, (_, signature) in kernel_types().items() if signature is None]


def _tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


def _elementwise(name: str, dtype: str, n: int) -> Problem:
    spec, ufunc, reference = ELEMENTWISE[name], getattr(ll.ufuncs, name), getattr(references, name)
    rng = _rng()
    arguments = tuple(make(rng, n).astype(dtype) for make in spec.arguments)
    out = _tuple(ufunc(*arguments))

    def error(got: Any) -> float:
        sample = slice(None, None, max(1, n // EXACT_SAMPLE))
        wide = tuple(a[sample].astype(np.longdouble) for a in arguments)
        return max(
            _error(ours[sample], exact, np.abs(exact) if spec.terms is None else spec.terms(*wide), dtype)
            for ours, exact in zip(_tuple(got), _tuple(reference(*wide)), strict=True)
        )

    return Problem(
        run=lambda: ufunc(*arguments, out=out),
        fresh=lambda: ufunc(*arguments),
        reference=lambda: reference(*arguments),
        error=error,
        tolerance=100.0,
        inputs=arguments,
        outputs=out,
        kernel=name,
        arguments=arguments,
    )


def _elementwise_cases(scale: int) -> Iterator[Case]:
    for name in (name for name in elementwise_kernels() if name in ELEMENTWISE):
        for dtype in BOTH:
            for n in dict.fromkeys((SMALL, LARGE // scale)):
                build = functools.partial(_elementwise, name, dtype, n)
                yield Case(f"{ELEMENTWISE[name].family}.{name}", dtype, (n,), build, n)


def _normal(dtype: str, n: int) -> Problem:
    rng = _rng()
    x = rng.standard_normal(n).astype(dtype)
    loc, scale = np.dtype(dtype).type(0.3), np.dtype(dtype).type(1.7)
    p, out = ll.Normal(loc, scale), np.empty(n, dtype)

    def error(got: np.ndarray) -> float:
        sample = slice(None, None, max(1, n // EXACT_SAMPLE))
        wide = (x[sample].astype(np.longdouble), np.longdouble(loc), np.longdouble(scale))
        return _error(got[sample], references.normal_log_prob(*wide), _normal_terms(*wide), dtype)

    return Problem(
        run=lambda: p.log_prob(x, out=out),
        fresh=lambda: p.log_prob(x),
        reference=lambda: references.normal_log_prob(x, loc, scale),
        error=error,
        tolerance=100.0,
        inputs=(x,),
        outputs=(out,),
        kernel="normal_log_prob",
        arguments=(x, loc, scale),
    )


# ------------------------------------------------------------------------------- Gaussians


def _gaussian(rng: np.random.Generator, dtype: str, d: int, *batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Means and well-conditioned covariances."""
    a = rng.standard_normal((*batch, d, d), dtype=F32)
    covariance = (a @ a.swapaxes(-1, -2)) / d + np.eye(d, dtype=F32)
    return rng.standard_normal((*batch, d)).astype(dtype), covariance.astype(dtype)


def _mvn_error(got: np.ndarray, x: np.ndarray, loc: np.ndarray, covariance: np.ndarray, dtype: str) -> float:
    exact = references.exact_mvn_log_prob(x, loc, covariance)
    return _error(got, exact, np.abs(exact) + x.shape[-1], dtype)


def _mvn_shared(dtype: str, n: int, d: int) -> Problem:
    rng = _rng()
    loc, covariance = _gaussian(rng, dtype, d)
    x = rng.standard_normal((n, d)).astype(dtype)
    p, out = ll.MultivariateNormal(loc, covariance), np.empty(n, dtype)
    return Problem(
        run=lambda: p.log_prob(x, out=out),
        fresh=lambda: p.log_prob(x),
        reference=lambda: references.mvn_log_prob_shared(x, loc, covariance),
        error=lambda got: _mvn_error(got[:50], x[:50], loc, covariance, dtype),
        tolerance=100.0 * d,
        inputs=(x,),
        outputs=(out,),
        flops=float(n) * d * d,
        kernel="mvn_shared",
        arguments=(x, loc, covariance),
    )


def _mvn_points(dtype: str, n: int, d: int) -> Problem:
    rng = _rng()
    loc, covariance = _gaussian(rng, dtype, d, n)
    x, out = rng.standard_normal((n, d)).astype(dtype), np.empty(n, dtype)
    return Problem(
        run=lambda: ll.mvn_log_prob(x, loc, covariance, out=out),
        fresh=lambda: ll.mvn_log_prob(x, loc, covariance),
        reference=lambda: references.mvn_log_prob(x, loc, covariance),
        error=lambda got: _mvn_error(got[:50], x[:50], loc[:50], covariance[:50], dtype),
        tolerance=100.0 * d,
        inputs=(x, loc, covariance),
        outputs=(out,),
        flops=n * (d**3 / 3 + d * d),
        kernel="mvn_points",
        arguments=(x, loc, covariance),
    )


def _mvn_built(dtype: str, n: int, d: int, each: bool) -> Problem:
    """Construction (checks, condition, factor) and one call: a Gaussian for every point, or one for all."""
    rng = _rng()
    loc, covariance = _gaussian(rng, dtype, d, *((n,) if each else ()))
    x = rng.standard_normal((n, d)).astype(dtype)
    reference = references.mvn_log_prob if each else references.mvn_log_prob_shared
    few = min(n, 50)
    first = (loc[:few], covariance[:few]) if each else (loc, covariance)
    return Problem(
        run=lambda: ll.MultivariateNormal(loc, covariance).log_prob(x),
        reference=lambda: reference(x, loc, covariance),
        error=lambda got: _mvn_error(got[:few], x[:few], *first, dtype),
        tolerance=100.0 * d,
        inputs=(x, loc, covariance),
        outputs=(np.empty(n, dtype),),
        flops=(n if each else 1) * d**3 / 3 + float(n) * d * d,
        kernel="mvn_points" if each else "mvn_shared",
        arguments=(x, loc, covariance),
    )


def _mvn_grid(dtype: str, k: int, n: int, d: int) -> Problem:
    rng = _rng()
    loc, covariance = _gaussian(rng, dtype, d, k)
    x, out = rng.standard_normal((n, d)).astype(dtype), np.empty((n, k), dtype)
    p = ll.MultivariateNormal(loc, covariance)
    return Problem(
        run=lambda: p.log_prob(x[:, None, :], out=out),
        fresh=lambda: p.log_prob(x[:, None, :]),
        reference=lambda: references.mvn_log_prob_grid(x, loc, covariance),
        error=lambda got: _mvn_error(got[:20], x[:20, None], loc, covariance, dtype),
        tolerance=100.0 * d,
        inputs=(x,),
        outputs=(out,),
        flops=float(n) * k * d * d,
        kernel="mvn_grid",
        arguments=(x, loc, covariance),
    )


def _mixture(dtype: str, k: int, n: int, d: int) -> Problem:
    rng = _rng()
    loc, covariance = _gaussian(rng, dtype, d, k)
    x = rng.standard_normal((n, d)).astype(dtype)
    weights = np.log(rng.dirichlet(np.ones(k))).astype(dtype)
    p = ll.MultivariateNormal(loc, covariance)

    def error(got: np.ndarray) -> float:
        exact = references.exact_mvn_log_prob(x[:20, None], loc, covariance)
        return _error(got[:20], references.log_mixture(exact, weights), np.abs(exact).max(-1) + d, dtype)

    return Problem(
        run=lambda: ll.mixture_log_prob(x, weights, p),
        reference=lambda: references.mixture_log_prob(x, weights, loc, covariance),
        error=error,
        tolerance=100.0 * d,
        inputs=(x,),
        outputs=(np.empty(n, dtype),),
        flops=float(n) * k * d * d,
        kernel="mixture",
        arguments=(x, weights, loc, covariance),
    )


def _mvn_form(form: str, each: bool, dtype: str, n: int, d: int) -> Problem:
    """Gaussians given by precision, factor or variance: one for all points, or one for each."""
    rng = _rng()
    loc, covariance = _gaussian(rng, dtype, d, *((n,) if each else ()))
    if form == "variance":
        covariance = covariance * np.eye(d, dtype=dtype)
    matrix = {
        "precision": lambda: np.linalg.inv(covariance),
        "scale_tril": lambda: np.linalg.cholesky(covariance),
        "variance": lambda: np.ascontiguousarray(np.diagonal(covariance, axis1=-2, axis2=-1)),
    }[form]()
    if form == "precision":
        matrix = (matrix + matrix.swapaxes(-1, -2)) / 2
    reference = {
        "precision": references.mvn_log_prob_precision,
        "scale_tril": references.mvn_log_prob_tril,
        "variance": references.mvn_log_prob_variance,
    }[form]
    x, out = rng.standard_normal((n, d)).astype(dtype), np.empty(n, dtype)
    p = ll.MultivariateNormal(loc, **{form: matrix})
    first = slice(0, 50)

    def error(got: np.ndarray) -> float:
        if form == "precision":  # the covariance that belongs to the rounded precision
            wide = np.linalg.inv(np.asarray(matrix[first] if each else matrix, np.float64))
            return _mvn_error(got[first], x[first], loc[first] if each else loc, wide, dtype)
        part = (loc[first], covariance[first]) if each else (loc, covariance)
        return _mvn_error(got[first], x[first], *part, dtype)

    return Problem(
        run=lambda: p.log_prob(x, out=out),
        fresh=lambda: p.log_prob(x),
        reference=lambda: reference(x, loc, matrix),
        error=error,
        tolerance=100.0 * d,
        inputs=(x, loc, matrix) if each else (x,),
        outputs=(out,),
        flops=float(n) * (2 * d if form == "variance" else d * d),
    )


def _mvn_singular(dtype: str, n: int, d: int) -> Problem:
    """Points on the support of a covariance of half the rank."""
    rng = _rng()
    a, z = rng.standard_normal((d, d // 2)), rng.standard_normal((n, d // 2))
    covariance, loc, out = (a @ a.T).astype(dtype), np.zeros(d, dtype), np.empty(n, dtype)
    covariance = (covariance + covariance.T) / 2
    x = (z @ a.T).astype(dtype)
    p = ll.MultivariateNormal(loc, covariance, allow_singular=True)
    exact = -0.5 * (z * z).sum(-1) - 0.5 * np.linalg.slogdet(a.T @ a)[1] - d // 2 * references.HALF_LOG_2PI
    return Problem(
        run=lambda: p.log_prob(x, out=out),
        fresh=lambda: p.log_prob(x),
        reference=lambda: references.mvn_log_prob_singular(x, loc, covariance, d // 2),
        error=lambda got: _error(got, exact, np.abs(exact) + d, dtype),
        tolerance=1000.0 * d,
        inputs=(x,),
        outputs=(out,),
        flops=float(n) * d * d,
    )


def _mvn_missing(dtype: str, n: int, d: int) -> Problem:
    """One coordinate in twenty is missing, at random: hundreds of patterns."""
    rng = _rng()
    loc, covariance = _gaussian(rng, dtype, d)
    x, out = rng.standard_normal((n, d)).astype(dtype), np.empty(n, dtype)
    x[rng.random((n, d)) < 0.05] = np.nan
    p = ll.MultivariateNormal(loc, covariance)

    def error(got: np.ndarray) -> float:
        def one(row: np.ndarray, value: np.ndarray) -> float:
            seen = ~np.isnan(row)
            return _mvn_error(value, row[None, seen], loc[seen], covariance[np.ix_(seen, seen)], dtype)

        return max(one(x[i], got[i : i + 1]) for i in range(50) if not np.isnan(x[i]).all())

    return Problem(
        run=lambda: p.log_prob(x, out=out, nan_policy="marginalize"),
        fresh=lambda: p.log_prob(x, nan_policy="marginalize"),
        reference=lambda: references.mvn_log_prob_missing(x, loc, covariance),
        error=error,
        tolerance=100.0 * d,
        inputs=(x,),
        outputs=(out,),
        flops=float(n) * d * d,
    )


def _mvn_gradient(each: bool, dtype: str, n: int, d: int) -> Problem:
    """Value and all gradients from a built object; "value" is the same call without `wrt`, whose time is the yardstick."""
    rng = _rng()
    loc, covariance = _gaussian(rng, dtype, d, *((n,) if each else ()))
    x = rng.standard_normal((n, d)).astype(dtype)
    p, names = ll.MultivariateNormal(loc, covariance), ("x", "loc", "covariance")
    reference = references.mvn_gradient_points if each else references.mvn_gradient_shared
    out, alone = p.log_prob(x, wrt=names), np.empty(n, dtype)

    def flat(result: tuple[np.ndarray, tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
        return result[0], *result[1]

    def error(got: tuple[np.ndarray, ...]) -> float:
        few, mine = (x, loc, covariance), got
        if each:
            few, mine = (x[:50], loc[:50], covariance[:50]), tuple(a[:50] for a in got)
        exact = reference(*(a.astype(F64) for a in few))
        return max(_error(a, b, np.abs(b).max(), dtype) for a, b in zip(mine, exact, strict=True))

    return Problem(
        run=lambda: flat(p.log_prob(x, wrt=names, out=out)),
        fresh=lambda: flat(p.log_prob(x, wrt=names)),
        reference=lambda: reference(x, loc, covariance),
        error=error,
        tolerance=1000.0 * d,
        inputs=(x, loc, covariance),
        outputs=(out[0], *out[1]),
        flops=float(n) * (2 * d**3 / 3 + 2 * d * d if each else 3 * d * d),
        kernel="mvn_gradient",
        arguments=(x, loc, covariance),
        extra={"value": lambda: p.log_prob(x, out=alone)},
    )


def _whiten(dtype: str, n: int, d: int) -> Problem:
    rng = _rng()
    loc, covariance = _gaussian(rng, dtype, d)
    factor, x = np.linalg.cholesky(covariance), rng.standard_normal((n, d)).astype(dtype)
    out = np.empty((n, d), dtype)

    def error(got: np.ndarray) -> float:
        back = np.asarray(got[:50], np.longdouble) @ np.asarray(factor, np.longdouble).T + loc
        return _error(back, x[:50], np.abs(x[:50]) + np.abs(loc), dtype)

    return Problem(
        run=lambda: ll.ufuncs.whiten(x, loc, factor, out=out),
        fresh=lambda: ll.ufuncs.whiten(x, loc, factor),
        reference=lambda: references.whiten(x, loc, factor),
        error=error,
        tolerance=100.0 * d,
        inputs=(x,),
        outputs=(out,),
        flops=float(n) * d * d,
    )


def _unwhiten(dtype: str, n: int, d: int) -> Problem:
    rng = _rng()
    loc, covariance = _gaussian(rng, dtype, d)
    factor, z = np.linalg.cholesky(covariance), rng.standard_normal((n, d)).astype(dtype)
    out = np.empty((n, d), dtype)

    def error(got: np.ndarray) -> float:
        terms = np.asarray(factor, np.longdouble) * z[:50, None, :]
        return _error(got[:50], terms.sum(-1) + loc, np.abs(terms).sum(-1) + np.abs(loc), dtype)

    return Problem(
        run=lambda: ll.ufuncs.unwhiten(z, loc, factor, out=out),
        fresh=lambda: ll.ufuncs.unwhiten(z, loc, factor),
        reference=lambda: references.unwhiten(z, loc, factor),
        error=error,
        tolerance=d + 1.0,
        inputs=(z,),
        outputs=(out,),
        flops=float(n) * d * d,
    )


def _asymmetry(dtype: str, n: int, d: int) -> Problem:
    _, covariance = _gaussian(_rng(), dtype, d, n)
    covariance = (covariance + covariance.swapaxes(-1, -2)) / 2
    covariance[n // 2, d - 1, 0] += 1
    out, want = np.empty(n, np.int32), np.zeros(n, np.int32)
    want[n // 2] = (d - 1) * d
    return Problem(
        run=lambda: ll.ufuncs.asymmetry(covariance, out=out),
        fresh=lambda: ll.ufuncs.asymmetry(covariance),
        reference=lambda: references.asymmetry(covariance),
        error=lambda got: float(np.abs(got - want).max()),
        tolerance=0.0,
        inputs=(covariance,),
        outputs=(out,),
    )


def _cholesky(dtype: str, n: int, d: int) -> Problem:
    _, covariance = _gaussian(_rng(), dtype, d, n)
    out, info = ll.ufuncs.cholesky(covariance)

    def error(got: tuple[np.ndarray, np.ndarray]) -> float:
        exact = references.exact_cholesky(covariance[:20])
        return _error(got[0][:20], exact, np.abs(exact).max(axis=(-2, -1), keepdims=True), dtype)

    return Problem(
        run=lambda: ll.ufuncs.cholesky(covariance, out=(out, info)),
        fresh=lambda: ll.ufuncs.cholesky(covariance),
        reference=lambda: references.cholesky(covariance),
        error=error,
        tolerance=100.0 * d,
        inputs=(covariance,),
        outputs=(out,),
        flops=n * d**3 / 3,
        kernel="cholesky",
        arguments=(covariance,),
    )


def _gaussian_cases(scale: int) -> Iterator[Case]:
    for dtype in BOTH:
        for n, d in ((1_000_000, 2), (1_000_000, 8), (200_000, 32), (100_000, 64), (20_000, 256)):
            m = n // scale
            yield Case(f"mvn.shared.d{d}", dtype, (m, d), functools.partial(_mvn_shared, dtype, m, d), m)
    for dtype in BOTH:
        for n, d in ((200_000, 2), (100_000, 4), (100_000, 8), (50_000, 16), (20_000, 32), (5_000, 64)):
            m = n // scale
            yield Case(f"mvn.points.d{d}", dtype, (m, d), functools.partial(_mvn_points, dtype, m, d), m)
    for dtype in BOTH:
        for n, d, each in ((100_000, 8, True), (20_000, 32, True), (4096, 1024, False)):
            m, kind = max(n // scale, 64), "points" if each else "shared"
            build = functools.partial(_mvn_built, dtype, m, d if scale == 1 or each else 200, each)
            yield Case(f"mvn.{kind}.built.d{d}", dtype, (m, d), build, m)
    for dtype in BOTH:
        k, n, d = 32, 100_000 // scale, 16
        build = functools.partial(_mvn_grid, dtype, k, n, d)
        yield Case(f"mvn.grid.k{k}.d{d}", dtype, (n, k, d), build, n * k)
        build = functools.partial(_mixture, dtype, k, n, d)
        yield Case(f"mvn.mixture.k{k}.d{d}", dtype, (n, k, d), build, n * k)
    for dtype in BOTH:
        for form in ("precision", "scale_tril", "variance"):
            for each, n, d in ((False, 200_000, 16), (True, 50_000, 16)):
                m, kind = n // scale, "points" if each else "shared"
                build = functools.partial(_mvn_form, form, each, dtype, m, d)
                yield Case(f"mvn.{kind}.{form}.d{d}", dtype, (m, d), build, m)
        for each, n, d in (
            (False, 1_000_000, 8), (False, 200_000, 16), (False, 100_000, 64), (False, 20_000, 256),
            (True, 100_000, 8), (True, 50_000, 16), (True, 20_000, 32),
        ):  # fmt: skip
            m, kind = n // scale, "points" if each else "shared"
            build = functools.partial(_mvn_gradient, each, dtype, m, d)
            yield Case(f"mvn.grad.{kind}.d{d}", dtype, (m, d), build, m)
        m = 200_000 // scale
        yield Case("mvn.singular.d16", dtype, (m, 16), functools.partial(_mvn_singular, dtype, m, 16), m)
        yield Case("mvn.missing.d16", dtype, (m, 16), functools.partial(_mvn_missing, dtype, m, 16), m)
        yield Case("mvn.whiten.d16", dtype, (m, 16), functools.partial(_whiten, dtype, m, 16), m)
        yield Case("mvn.unwhiten.d16", dtype, (m, 16), functools.partial(_unwhiten, dtype, m, 16), m)
        m = 100_000 // scale
        yield Case("mvn.asymmetry.d8", dtype, (m, 8, 8), functools.partial(_asymmetry, dtype, m, 8), m)
    for dtype in BOTH:
        for n, d in ((100_000, 8), (5_000, 64), (1, 512)):
            m = max(1, n // scale)
            yield Case(f"cholesky.d{d}", dtype, (m, d, d), functools.partial(_cholesky, dtype, m, d), m)


# ------------------------------------------------------------------------------- divergences


def _two_gaussians(d: int) -> tuple[np.ndarray, ...]:
    rng = _rng()
    p_loc, p_covariance = _gaussian(rng, F64, d)
    shift, q_covariance = _gaussian(rng, F64, d)
    return p_loc, p_covariance, p_loc + 0.3 * shift, q_covariance


def _monte_carlo(n: int, d: int) -> Problem:
    parameters = _two_gaussians(d)
    p, q = ll.MultivariateNormal(*parameters[:2]), ll.MultivariateNormal(*parameters[2:])
    exact, rng = float(references.mvn_kl(*parameters)), _rng()
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
    near, rng = ll.estimate_js(p, q, n=1 << 20, method="qmc", rng=2), _rng()
    return Problem(
        run=lambda: ll.estimate_js(p, q, n=n, method="mc", rng=1),
        reference=lambda: references.monte_carlo_js(n, *parameters, rng),
        error=lambda got: abs(got.value - near.value) / math.hypot(got.stderr, near.stderr),
        tolerance=6.0,
        flops=2.0 * n * d * d,
        kernel="monte_carlo_js",
        arguments=(n, *parameters),
    )


def _divergence(d: int) -> Problem:
    parameters = _two_gaussians(d)
    p, q = ll.MultivariateNormal(*parameters[:2]), ll.MultivariateNormal(*parameters[2:])
    exact = references.mvn_kl(*parameters)
    return Problem(
        run=lambda: ll.kl_divergence(p, q),
        reference=lambda: references.mvn_kl(*parameters),
        error=lambda got: _error(got, exact, np.abs(exact), F64),
        tolerance=1e4,
        kernel="mvn_kl",
        arguments=parameters,
    )


def _rows(kind: str, dtype: str, n: int, k: int, axis: int) -> Problem:
    """Many pairs of k probabilities each, along the last or the first axis."""
    rng = _rng()
    p, q = (rng.dirichlet(np.ones(k), n).astype(dtype) for _ in range(2))
    p, q = (a / a.sum(axis=-1, keepdims=True, dtype=F64).astype(dtype) for a in (p, q))
    if axis == 0:
        p, q = np.ascontiguousarray(p.T), np.ascontiguousarray(q.T)
    ours, reference, term = {
        "kl": (ll.kl_divergence, references.rows_kl, references.relative_entropy),
        "js": (ll.js_divergence, references.rows_js, references.js_term),
        "cross_entropy": (ll.cross_entropy, references.rows_cross_entropy, lambda p, q: -p * np.log(q)),
    }[kind]
    few = (slice(0, 50), slice(None)) if axis else (slice(None), slice(0, 50))
    wide = [a[few].astype(np.longdouble) for a in (p, q)]
    exact = term(*wide).sum(axis=axis)
    return Problem(
        run=lambda: ours(p, q, axis=axis),
        reference=lambda: reference(p, q, axis),
        error=lambda got: _error(got[:50], exact, exact, dtype),
        tolerance=100.0,
        inputs=(p, q),
        outputs=(np.empty(n, dtype),),
        kernel=f"rows_{kind}",
        arguments=(p, q, axis),
    )


def _discrete_kl(k: int) -> Problem:
    rng = _rng()
    p, q = (rng.dirichlet(np.ones(k)) for _ in range(2))
    first, second = ll.Discrete(p), ll.Discrete(q)
    exact = references.relative_entropy(*(d.probs.astype(np.longdouble) for d in (first, second))).sum()
    return Problem(
        run=lambda: ll.kl_divergence(first, second),
        reference=lambda: references.rows_kl(p, q, -1),
        error=lambda got: _error(got, exact, exact, F64),
        tolerance=100.0,
        inputs=(p, q),
        kernel="rows_kl",
        arguments=(p, q, -1),
    )


def _bernoulli_gradient(n: int) -> Problem:
    rng = _rng()
    p, q = rng.uniform(0.05, 0.45, n), rng.uniform(0.55, 0.95, n)
    first, second = ll.Bernoulli(p), ll.Bernoulli(q)
    exact = references.bernoulli_kl_gradient(p.astype(np.longdouble), q.astype(np.longdouble))

    def run() -> tuple[Any, ...]:
        value, gradients = ll.kl_divergence(first, second, wrt=("p.probs", "q.probs"))
        return (value, *gradients)

    return Problem(
        run=run,
        reference=lambda: references.bernoulli_kl_gradient(p, q),
        error=lambda got: max(_error(x, y, np.abs(y), F64) for x, y in zip(got, exact, strict=True)),
        tolerance=100.0,
        inputs=(p, q),
        outputs=(np.empty(n), np.empty(n), np.empty(n)),
    )


def _divergence_cases(scale: int) -> Iterator[Case]:
    for dtype in BOTH:
        sizes = [(kind, k, -1) for kind in ("kl", "js", "cross_entropy") for k in (10, 100, 1000)]
        for kind, k, axis in (*sizes, ("kl", 1000, 0)):
            m, place = max(1, 1_000_000 // k // scale), "" if axis else ".first"
            build = functools.partial(_rows, kind, dtype, m, k, axis)
            yield Case(f"divergence.{kind}.rows{place}.k{k}", dtype, (m, k), build, m * k)
    k = 1_000_000 // scale
    yield Case("divergence.kl.discrete", F64, (k,), functools.partial(_discrete_kl, k), k)
    n = 1_000_000 // scale
    yield Case("divergence.kl.bernoulli.grad", F64, (n,), functools.partial(_bernoulli_gradient, n), n)


def _monte_carlo_cases(scale: int) -> Iterator[Case]:
    n, d = 1_000_000 // scale, 16
    yield Case(f"monte_carlo.kl.d{d}", F64, (n, d), functools.partial(_monte_carlo, n, d), n, unit="se")
    yield Case(f"monte_carlo.js.d{d}", F64, (n, d), functools.partial(_monte_carlo_js, n, d), n, unit="se")
    yield Case(f"divergence.kl.gaussian.d{d}", F64, (d,), functools.partial(_divergence, d), 1)


# ------------------------------------------------------------------------------- dice


def _dice_error(n: int, sides: int, got: Any) -> float:
    """Relative to exact integers at a few sums: near the ends, and inside where that is cheap; and of the total."""
    size = n * (sides - 1) + 1
    middle = (size // 50, size // 3, size // 2) if n <= 1000 else (size // 50,) if n <= 10_000 else ()
    got = np.asarray(got, float)
    worst = abs(float(got.sum()) - 1) / _unit(F64)
    if n * math.log2(sides) > 1e5:  # integers of millions of digits: the moments only
        distance = np.arange(size) - (size - 1) / 2
        return max(worst, abs(float(np.dot(got, distance**2)) / (n * (sides**2 - 1) / 12) - 1) / _unit(F64))
    for k in {0, 1, sides, 10 * sides, *middle}:
        exact = references.exact_dice_count(n, sides, k) / sides**n
        if exact > 1e-300:
            worst = max(worst, _error(got[[k, size - 1 - k]], exact, exact, F64))
    return worst


def _dice(n: int, sides: int) -> Problem:
    error = functools.partial(_dice_error, n, sides)
    slow = n * (sides - 1) > 300_000  # minutes by squaring
    return Problem(
        run=lambda: ll.dice(n, sides).probs,
        reference=None if slow else lambda: references.dice_pmf(n, sides),
        error=error,
        peer_error=error,
        tolerance=1e4,
        kernel="dice",
        arguments=(n, sides),
    )


def _kept_dice(n: int, sides: int, kept: int) -> Problem:
    def error(got: np.ndarray) -> float:
        exact = np.array([ways / sides**n for ways in references.exact_kept_counts(n, sides, kept)])
        return _error(got, exact, exact, F64)

    return Problem(
        run=lambda: ll.dice(f"{n}d{sides}kh{kept}").probs,
        reference=lambda: references.kept_dice_pmf(n, sides, kept),
        error=error,
        tolerance=1e4,
    )


def _counts(n: int, sides: int) -> Problem:
    size = n * (sides - 1) + 1
    places = {0, 1, sides, size // 50, size // 3 if n <= 1000 else 10 * sides}
    exact = {k: references.exact_dice_count(n, sides, k) for k in places}

    def error(got: Any) -> float:
        """How many of a few counts are wrong."""
        counts = got[0] if isinstance(got, tuple) else got
        return float(sum(int(counts[i]) != exact[k] for k in places for i in (k, size - 1 - k)))

    return Problem(
        run=lambda: ll.dice(n, sides).counts(),
        reference=(lambda: references.dice_counts(n, sides)) if n <= 1000 else None,
        error=error,
        peer_error=error,
        tolerance=0.0,
        kernel="dice_counts",
        arguments=(n, sides),
    )


def _poisson_binomial(n: int) -> Problem:
    p = _rng().random(n)

    def error(got: np.ndarray) -> float:
        """Of the lower end in exact products, where that is a normal number, of the total, the mean and the variance."""
        k = np.arange(n + 1)
        mean, variance = float(p.sum()), float((p * (1 - p)).sum())
        worst = max(abs(float(got.sum()) - 1), abs(float(np.dot(got, k)) / mean - 1))
        worst = max(worst, abs(float(np.dot(got, (k - mean) ** 2)) / variance - 1)) / _unit(F64)
        exact = float(np.prod((1 - p).astype(np.longdouble)))
        return max(worst, _error(got[0], exact, exact, F64)) if exact > 1e-300 else worst

    return Problem(
        run=lambda: ll.convolve(ll.Bernoulli(p)).probs,
        reference=(lambda: references.convolve(np.stack([1 - p, p], axis=-1))) if n <= 10_000 else None,
        error=error,
        peer_error=error,
        tolerance=1e4,
        kernel="poisson_binomial",
        arguments=(p,),
    )


def _convolve(count: int, size: int) -> Problem:
    rng = _rng()
    pmfs = [row / row.sum() for row in rng.uniform(0.1, 1, (count, size))]
    variables = [ll.Discrete(pmf) for pmf in pmfs]

    def error(got: np.ndarray) -> float:
        exact = np.ones(1, dtype=np.longdouble)
        for pmf in pmfs:
            exact = np.convolve(exact, pmf.astype(np.longdouble))
        return _error(got, exact, exact, F64)

    return Problem(
        run=lambda: ll.convolve(variables).probs,
        reference=lambda: references.convolve(pmfs),
        error=error,
        peer_error=error,
        tolerance=1e4,
    )


def _batch(what: str, rows: int, k: int) -> Problem:
    p = _rng().dirichlet(np.ones(k), rows)
    d, x, wide = ll.Discrete(p), np.arange(rows) % k, p.astype(np.longdouble)
    run: dict[str, Callable[[], Any]] = {"cdf": lambda: d.cdf(x), "sum": lambda: (d + d).probs}
    reference: dict[str, Callable[[], Any]] = {
        "cdf": lambda: references.rows_cdf(p, x), "sum": lambda: references.rows_sum(p, p)
    }  # fmt: skip
    exact = references.rows_cdf(wide, x) if what == "cdf" else references.rows_sum(wide, wide)
    return Problem(
        run=run[what], reference=reference[what], error=lambda got: _error(got, exact, exact, F64), tolerance=1e4, inputs=(p,)
    )


def _dice_cases(scale: int) -> Iterator[Case]:
    for n, sides in ((100, 6), (1000, 6), (10_000, 6), (10_000, 20), (1_000_000, 6)):
        if scale > 1 and n > 1000:
            continue
        size = n * (sides - 1) + 1
        yield Case(f"dice.{n}d{sides}", F64, (n, sides), functools.partial(_dice, n, sides), size)
    for n, sides, kept in ((4, 6, 3), (8, 10, 5), (20, 20, 10)):
        make = functools.partial(_kept_dice, n, sides, kept)
        yield Case(f"dice.{n}d{sides}kh{kept}", F64, (n, sides, kept), make, kept * (sides - 1) + 1)
    for n in sorted({1000, 10_000 // scale}):
        yield Case(f"dice.counts.{n}d6", "int", (n, 6), functools.partial(_counts, n, 6), 5 * n + 1, unit="wrong")
    for n in sorted({500, 100_000 // scale}):
        yield Case(f"dice.poisson_binomial.{n}", F64, (n,), functools.partial(_poisson_binomial, n), n + 1)
    count, size = 16, 128
    rows, k = 100_000 // scale, 10
    for what in ("cdf", "sum"):
        yield Case(f"dice.batch.{what}", F64, (rows, k), functools.partial(_batch, what, rows, k), rows * k)
    yield Case("dice.convolve", F64, (count, size), functools.partial(_convolve, count, size), count * (size - 1) + 1)


# ------------------------------------------------------------------------------- small calls and import


def _call(kind: str) -> Problem:
    x, loc, scale = np.array([0.5, -1.0, 2.0]), np.zeros(3), np.ones(3)
    exact = references.normal_log_prob(x, loc, scale)
    common = {"tolerance": 100.0, "kernel": "normal_log_prob", "arguments": (x, loc, scale)}

    def error(got: np.ndarray) -> float:
        return _error(got, exact, np.abs(exact), F64)

    if kind == "ufunc":
        ufunc = ll.ufuncs.normal_log_prob
        return Problem(
            run=lambda: ufunc(x, loc, scale),
            reference=lambda: references.normal_log_prob(x, loc, scale),
            error=error,
            **common,
        )
    if kind == "normal":
        return Problem(
            run=lambda: ll.Normal(0.0, 1.0).log_prob(x),
            reference=lambda: references.normal_log_prob(x, loc, scale),
            error=error,
            **common,
        )
    covariance = np.eye(3)
    p = ll.MultivariateNormal(loc, covariance)
    inverse, constant = np.linalg.inv(np.linalg.cholesky(covariance)), 3 * references.HALF_LOG_2PI

    def prepared() -> Any:  # NumPy with everything that a built object holds computed beforehand
        y = inverse @ (x - loc)
        return -0.5 * (y @ y) - constant

    return Problem(
        run=lambda: p.log_prob(x),
        reference=prepared,
        error=lambda got: _error(got, exact.sum(), np.abs(exact).sum(), F64),
        tolerance=100.0,
        kernel="mvn_shared",
        arguments=(x, loc, covariance),
    )


def _import_seconds(module: str) -> float:
    """Of one import in a new process that has NumPy already."""
    code = f"import numpy, time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)


def _import() -> Problem:
    from importlib.util import find_spec

    others = {"scipy": "scipy.stats", "torch": "torch.distributions", "jax": "jax.numpy"}
    return Problem(
        run=SelfTimed(lambda: _import_seconds("loglik")),
        reference=None,
        error=lambda got: 0.0,
        tolerance=0.0,
        extra={
            name: SelfTimed(functools.partial(_import_seconds, module))
            for name, module in others.items()
            if find_spec(name)
        },
    )


def _small_cases(scale: int) -> Iterator[Case]:
    yield Case("call.ufunc", F64, (3,), functools.partial(_call, "ufunc"), 1)
    yield Case("call.normal", F64, (3,), functools.partial(_call, "normal"), 1)
    yield Case("call.mvn", F64, (3,), functools.partial(_call, "mvn"), 1)
    yield Case("import.loglik", F64, (), _import, 1)


# ------------------------------------------------------------------------------- all


def all_cases(*, quick: bool = False) -> list[Case]:
    """Every case; with `quick`, the large ones at a tenth of their size."""
    scale = 10 if quick else 1
    cases = [*_elementwise_cases(scale), *pipeline_torch_cases(scale)]
    for dtype in BOTH:
        n = 10_000_000 // scale
        cases.append(Case("density.normal.log_prob", dtype, (n,), functools.partial(_normal, dtype, n), n))
    for family in (
        _gaussian_cases, loss_cases, sampling_cases, fit_cases, _monte_carlo_cases, _divergence_cases, _dice_cases, _small_cases,
        pipeline_cases,
    ):  # fmt: skip
        cases.extend(family(scale))
    return cases


def select(cases: list[Case], text: str | None) -> list[Case]:
    """Cases whose "name dtype" contains every word of `text`; alternatives are separated by commas."""
    if not text:
        return cases
    alternatives = [part.split() for part in text.lower().split(",") if part.strip()]
    return [
        case
        for case in cases
        if any(all(word in f"{case.name} {case.dtype}" for word in words) for words in alternatives)
    ]
