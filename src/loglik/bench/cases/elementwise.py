"""Benchmarks of the elementwise kernels, and of a Normal's log-density."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import loglik as ll
from loglik._kernels import kernel_types
from loglik.bench import references
from loglik.bench.problem import BOTH, Case, Problem, error_in_units, seeded

EXACT_SAMPLE = 10_000  # elements of a result that are compared with extended precision
LARGE, SMALL = 1_000_000, 10_000  # elements of a row: from memory, and from the caches


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


def _laplace_terms(x, loc, scale):
    return np.abs(x - loc) / scale + np.abs(np.log(2 * scale))


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
    "laplace_log_prob": Elementwise("density", (_REAL, _REAL, _POSITIVE), _laplace_terms),
    "bernoulli_log_prob": Elementwise("density", (_bits, _REAL)),
    "bernoulli_nll": Elementwise("loss", (_bits, _REAL)),
    "gaussian_nll": Elementwise("loss", (_REAL, _REAL, _POSITIVE), _gaussian_terms),
    "normal_kl": Elementwise("divergence", (_REAL, _POSITIVE, _REAL, _POSITIVE)),
    "laplace_kl": Elementwise("divergence", (_REAL, _POSITIVE, _REAL, _POSITIVE)),
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
    rng = seeded()
    arguments = tuple(make(rng, n).astype(dtype) for make in spec.arguments)
    out = _tuple(ufunc(*arguments))

    def error(got: Any) -> float:
        sample = slice(None, None, max(1, n // EXACT_SAMPLE))
        wide = tuple(a[sample].astype(np.longdouble) for a in arguments)
        return max(
            error_in_units(ours[sample], exact, np.abs(exact) if spec.terms is None else spec.terms(*wide), dtype)
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


def elementwise_cases(scale: int) -> Iterator[Case]:
    for name in (name for name in elementwise_kernels() if name in ELEMENTWISE):
        for dtype in BOTH:
            for n in dict.fromkeys((SMALL, LARGE // scale)):
                build = functools.partial(_elementwise, name, dtype, n)
                yield Case(f"{ELEMENTWISE[name].family}.{name}", dtype, (n,), build, n)


def _normal(dtype: str, n: int) -> Problem:
    rng = seeded()
    x = rng.standard_normal(n).astype(dtype)
    loc, scale = np.dtype(dtype).type(0.3), np.dtype(dtype).type(1.7)
    p, out = ll.Normal(loc, scale), np.empty(n, dtype)

    def error(got: np.ndarray) -> float:
        sample = slice(None, None, max(1, n // EXACT_SAMPLE))
        wide = (x[sample].astype(np.longdouble), np.longdouble(loc), np.longdouble(scale))
        return error_in_units(got[sample], references.normal_log_prob(*wide), _normal_terms(*wide), dtype)

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


def normal_cases(scale: int) -> Iterator[Case]:
    n = 10_000_000 // scale
    for dtype in BOTH:
        yield Case("density.normal.log_prob", dtype, (n,), functools.partial(_normal, dtype, n), n)
