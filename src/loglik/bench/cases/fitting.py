"""Benchmarks of moments and fits: tall data, beside what NumPy, scikit-learn and torch make of them."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

import loglik as ll
from loglik.bench import references
from loglik.bench.problem import BOTH, Case, Problem, seeded, unit_roundoff

_CHUNK = 1 << 16  # rows in long double at a time


def _extended(x: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance in long double: over 10^6 rows the float64 reference is some hundred units off."""
    ones = np.ones(len(x)) if weights is None else weights
    parts = [
        (x[i : i + _CHUNK].astype(np.longdouble), ones[i : i + _CHUNK].astype(np.longdouble)) for i in range(0, len(x), _CHUNK)
    ]
    total = sum(w.sum() for _, w in parts)
    mean = sum(w @ rows for rows, w in parts) / total
    return mean, sum(((rows - mean) * w[:, None]).T @ (rows - mean) for rows, w in parts) / total


def _error(got: tuple[Any, Any], exact: tuple[np.ndarray, np.ndarray], dtype: str) -> float:
    """Largest error of the covariance in units of u·std(i)·std(j), or of the mean in units of u·(std + |mean|)."""
    mean, covariance = exact
    std = np.sqrt(np.diagonal(covariance))
    worst = np.max(np.abs(got[1] - covariance) / np.multiply.outer(std, std))
    return float(max(worst, np.max(np.abs(got[0] - mean) / (std + np.abs(mean)))) / unit_roundoff(dtype))


def _covariance(dtype: str, n: int, d: int, weighted: bool) -> Problem:
    rng = seeded()
    x = (rng.standard_normal((n, d), dtype=np.float32) + 3).astype(dtype)
    weights = rng.uniform(0.5, 2, n) if weighted else None

    exact = functools.cache(lambda: _extended(x, weights))

    def run() -> tuple[Any, Any]:
        stats = ll.MomentStats(x, weights=weights)
        return stats.mean, stats.covariance()

    return Problem(
        run=run,
        reference=lambda: references.mean_covariance(x, weights),
        error=lambda got: _error(got, exact(), dtype),
        tolerance=100.0,
        inputs=(x,) if weights is None else (x, weights),
        flops=float(n) * d * (d + 1),
        kernel="mean_covariance",
        arguments=(x, weights),
    )


def _normal(dtype: str, n: int) -> Problem:
    x = (seeded().standard_normal(n, dtype=np.float32) + 3).astype(dtype)
    wide = x.astype(np.longdouble)
    mean = wide.mean()
    std = np.sqrt(np.square(wide - mean).mean())

    def run() -> tuple[Any, Any]:
        fit = ll.Normal.fit(x)
        return fit.mean, fit.std

    def error(got: tuple[Any, Any]) -> float:
        return float(max(abs(got[0] / mean - 1), abs(got[1] / std - 1)) / unit_roundoff(dtype))

    return Problem(
        run=run,
        reference=lambda: (np.mean(x), np.std(x)),
        error=error,
        tolerance=100.0,
        inputs=(x,),
    )


def _laplace(dtype: str, n: int) -> Problem:
    x = (seeded().laplace(size=n) + 3).astype(dtype)
    median, deviation = references.laplace_fit(x.astype(np.longdouble))

    def run() -> tuple[Any, Any]:
        fit = ll.Laplace.fit(x)
        return fit.loc, fit.scale

    def error(got: tuple[Any, Any]) -> float:
        return float(max(abs(got[0] / median - 1), abs(got[1] / deviation - 1)) / unit_roundoff(dtype))

    return Problem(
        run=run,
        reference=lambda: references.laplace_fit(x),
        error=error,
        tolerance=100.0,
        inputs=(x,),
    )


def fit_cases(scale: int) -> Iterator[Case]:
    for dtype in BOTH:
        for rows, d in ((1_000_000, 16), (4_000_000, 2), (200_000, 64)):
            n = rows // scale
            yield Case(f"fit.covariance.d{d}", dtype, (n, d), functools.partial(_covariance, dtype, n, d, False), n * d)
        n = 1_000_000 // scale
        yield Case("fit.covariance.weighted", dtype, (n, 16), functools.partial(_covariance, dtype, n, 16, True), n * 16)
        n = 10_000_000 // scale
        yield Case("fit.normal", dtype, (n,), functools.partial(_normal, dtype, n), n)
        n = 1_000_000 // scale
        yield Case("fit.laplace", dtype, (n,), functools.partial(_laplace, dtype, n), n)
