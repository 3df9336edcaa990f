"""Benchmarks of what is small: calls with three numbers, and the import."""

import functools
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

import loglik as ll
from loglik.bench import references
from loglik.bench.problem import F64, Case, Problem, error_in_units
from loglik.bench.runner import SelfTimed


def _call(what: str) -> Problem:
    x, loc, scale = np.array([0.5, -1.0, 2.0]), np.zeros(3), np.ones(3)
    exact = references.normal_log_prob(x, loc, scale)
    common = {"tolerance": 100.0, "kernel": "normal_log_prob", "arguments": (x, loc, scale)}

    def error(got: np.ndarray) -> float:
        return error_in_units(got, exact, np.abs(exact), F64)

    if what == "ufunc":
        ufunc = ll.ufuncs.normal_log_prob
        return Problem(
            run=lambda: ufunc(x, loc, scale),
            reference=lambda: references.normal_log_prob(x, loc, scale),
            error=error,
            **common,
        )
    if what == "normal":
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
        error=lambda got: error_in_units(got, exact.sum(), np.abs(exact).sum(), F64),
        tolerance=100.0,
        kernel="mvn_shared",
        arguments=(x, loc, covariance),
    )


def _import_seconds(module: str) -> float:
    """How long an import takes in a new process that has NumPy already."""
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


def small_cases(scale: int) -> Iterator[Case]:
    yield Case("call.ufunc", F64, (3,), functools.partial(_call, "ufunc"), 1)
    yield Case("call.normal", F64, (3,), functools.partial(_call, "normal"), 1)
    yield Case("call.mvn", F64, (3,), functools.partial(_call, "mvn"), 1)
    yield Case("import.loglik", F64, (), _import, 1)
