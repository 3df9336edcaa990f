"""Benchmarks of whole procedures: what a user waits for, beside the package that is used for it."""

import functools
import importlib.util
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from loglik.bench import references
from loglik.bench.problem import BOTH, Case, Problem, seeded, unit_roundoff

_ITERATIONS = 3


def _mixture(covariance_type: str, dtype: str, k: int, n: int, d: int) -> Problem:
    """Iterations of EM from a start that is given, so that both do the same work."""
    from sklearn.exceptions import ConvergenceWarning

    from loglik.sklearn import GaussianMixture

    rng = seeded()
    centres = 1.5 * rng.standard_normal((k, d))
    x = (centres[rng.integers(k, size=n)] + rng.standard_normal((n, d))).astype(dtype)
    unit = np.eye(d)
    precisions = {"full": np.tile(unit, (k, 1, 1)), "tied": unit, "diag": np.ones((k, d)), "spherical": np.ones(k)}
    options: dict[str, Any] = {
        "n_components": k,
        "covariance_type": covariance_type,
        "max_iter": _ITERATIONS,
        "tol": 0.0,
        "weights_init": np.full(k, 1 / k, dtype),
        "means_init": (centres + 0.1 * rng.standard_normal((k, d))).astype(dtype),
        "precisions_init": precisions[covariance_type].astype(dtype),
    }

    def run() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return GaussianMixture(**options).fit(x).lower_bounds_

    def error(got: Any) -> float:
        """Largest error of an iteration's log-likelihood, which depends on all parameters of the iteration before."""
        wide = (a.astype(np.float64) for a in (x, options["means_init"]))
        return float(np.max(np.abs(got / references.mixture_em(*wide, covariance_type, _ITERATIONS) - 1)) / unit_roundoff(dtype))

    return Problem(
        run=run,
        reference=lambda: references.mixture_em(x, options["means_init"], covariance_type, _ITERATIONS),
        error=error,
        tolerance=200.0,
        inputs=(x,),
        flops=_ITERATIONS * float(n) * k * (2 * d * (d + 1) if covariance_type in ("full", "tied") else 8 * d),
        kernel="mixture_fit",
        arguments=(x, options),
    )


def pipeline_cases(scale: int) -> Iterator[Case]:
    if importlib.util.find_spec("sklearn") is None:
        return
    k, n, d = 32, 100_000 // scale, 16
    for covariance_type in ("full", "tied", "diag", "spherical"):
        for dtype in BOTH:
            build = functools.partial(_mixture, covariance_type, dtype, k, n, d)
            yield Case(f"pipeline.mixture.{covariance_type}.k{k}.d{d}", dtype, (n, k, d), build, _ITERATIONS * n * k)
