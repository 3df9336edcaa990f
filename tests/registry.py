"""One row per kernel: its definition in mpmath, where it is tested, how wrong it may be.

`test_registry.py` generates the generic checks from these rows for every kernel, dtype, level, size, layout, alignment,
overlap and special value. A kernel that is in the list of csrc/kernel_list.h and not here fails the suite.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from families import FAMILIES
from kernel_rows import (
    HALF_LOG_2PI,
    INF,
    NAN,
    POSITIVE,
    PROBABILITY,
    REAL,
    TWO_ONE,
    Choice,
    Interval,
    Kernel,
    mp,
    softplus,
)

# ------------------------------------------------------------------------------------------------ definitions

def gaussian_nll(target, mean, variance):
    return (target - mean) ** 2 / (2 * variance) + mp.log(variance) / 2 + HALF_LOG_2PI


def gaussian_terms(target, mean, variance):
    return (target - mean) ** 2 / (2 * variance) + abs(mp.log(variance)) / 2 + HALF_LOG_2PI


def bernoulli_nll(target, logits):
    return target * softplus(-logits) + (1 - target) * softplus(logits)


def relative_entropy(p, q):
    with mp.workdps(800):
        return q if p == 0 else mp.inf if q == 0 else +(p * mp.log(p / q) + q - p)


def js_term(p, q):
    with mp.workdps(800):
        def part(a):
            return mp.mpf(0) if a == 0 else a * mp.log(2 * a / (p + q))

        return +((part(p) + part(q)) / 2)


def js_integrand(x):
    with mp.workdps(800):
        one = 1 / (1 + mp.exp(-x))
        return js_term(2 * one, 2 * (1 - one))


def bernoulli_js(p, q):
    with mp.workdps(400):
        return js_term(p, q) + js_term(1 - p, 1 - q)


def log_ndtr(x):
    # 1 - erfc loses the digits of the upper tail
    return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2) if x < 0 else mp.log1p(-mp.erfc(x / mp.sqrt(2)) / 2)


def ndtri(p):
    """Newton's method from a double, for the equation that keeps its digits: P(0 < X < x), or the smaller tail."""
    if not 0 < p < 1:
        return mp.nan if mp.isnan(p) or not 0 <= p <= 1 else mp.inf if p else -mp.inf
    p, root = mp.mpf(p), mp.sqrt(2)
    x = mp.mpf(NormalDist().inv_cdf(float(p)))
    for _ in range(3):
        if abs(p - 0.5) < 0.25:
            excess = mp.erf(x / root) / 2 - (p - 0.5)
        elif p < 0.5:
            excess = mp.erfc(-x / root) / 2 - p
        else:
            excess = (1 - p) - mp.erfc(x / root) / 2
        x -= excess / mp.npdf(x)
    return x


def log1pmx(x):
    with mp.workdps(400):
        return +(mp.log1p(x) - x)


def sincos_2pi(u):
    return mp.sinpi(2 * u), mp.cospi(2 * u)


# ------------------------------------------------------------------------------------------------ the rows

KERNELS = [
    Kernel(
        "exp", mp.exp, ((Interval(-745.2, 709.8),), (Interval(-1.0, 1.0, 1e-300),)), TWO_ONE,
        (((0.0,), 1.0), ((-0.0,), 1.0), ((INF,), INF), ((-INF,), 0.0), ((NAN,), NAN), ((1e4,), INF), ((-1e4,), 0.0)),
    ),
    Kernel(
        "log", mp.log, ((POSITIVE,), (Interval(0.5, 2.0),)), TWO_ONE,
        (((0.0,), -INF), ((-0.0,), -INF), ((INF,), INF), ((1.0,), 0.0), ((-1.0,), NAN), ((-INF,), NAN), ((NAN,), NAN)),
    ),
    Kernel(
        "log1p", mp.log1p, ((Interval(-1.0, INF, 1e-320),), (Interval(-0.99999, 3.0),)), TWO_ONE,
        (((0.0,), 0.0), ((-0.0,), -0.0), ((-1.0,), -INF), ((-1.5,), NAN), ((INF,), INF), ((-INF,), NAN), ((NAN,), NAN)),
    ),
    Kernel(
        "expm1", mp.expm1, ((Interval(-745.2, 709.7),), (Interval(-1.0, 1.0, 1e-320),)), TWO_ONE,
        (((0.0,), 0.0), ((-0.0,), -0.0), ((INF,), INF), ((-INF,), -1.0), ((NAN,), NAN)),
    ),
    Kernel(
        "log1pmx", log1pmx, ((Interval(-1.0, 1e300, 1e-150),), (Interval(-0.9, 2.0),)), {"f64": 4.0, "f32": 4.0},
        (((0.0,), 0.0), ((-1.0,), -INF), ((-2.0,), NAN), ((INF,), -INF), ((NAN,), NAN)),
    ),
    Kernel(
        "softplus", softplus, ((Interval(-745.0, 1e3),), (Interval(-1100.0, -700.0),), (Interval(-130.0, -80.0),), (REAL,)), TWO_ONE,
        (((INF,), INF), ((-INF,), 0.0), ((NAN,), NAN), ((-1e4,), 0.0)),
    ),
    Kernel(
        "sigmoid", lambda x: mp.exp(-softplus(-x)), ((Interval(-745.0, 50.0),), (Interval(-1100.0, -700.0),), (REAL,)), TWO_ONE,
        (((0.0,), 0.5), ((INF,), 1.0), ((-INF,), 0.0), ((NAN,), NAN)),
    ),
    Kernel(
        "log_sigmoid", lambda x: -softplus(-x), ((Interval(-1e3, 745.0),), (Interval(700.0, 1100.0),), (REAL,)), TWO_ONE,
        (((INF,), -0.0), ((-INF,), -INF), ((NAN,), NAN)),
    ),
    Kernel(
        "erf", mp.erf, ((Interval(-6.0, 6.0),), (Interval(-1.0, 1.0, 1e-300),)),
        {"f64": 2.0, "f32": 2.0},  # without fused multiply-adds; test_elementwise.py holds the other levels to 1 in float32
        (((0.0,), 0.0), ((-0.0,), -0.0), ((INF,), 1.0), ((-INF,), -1.0), ((NAN,), NAN)),
    ),
    Kernel(
        "erfc", mp.erfc, ((Interval(-6.0, 26.5),), (Interval(-1.0, 1.0, 1e-300),)), {"f64": 4.0, "f32": 2.0},
        (((0.0,), 1.0), ((INF,), 0.0), ((-INF,), 2.0), ((NAN,), NAN)),
    ),
    Kernel(
        "ndtr", mp.ncdf, ((Interval(-37.5, 9.0),),), {"f64": 8.0, "f32": 4.0},
        (((0.0,), 0.5), ((INF,), 1.0), ((-INF,), 0.0), ((NAN,), NAN)),
    ),
    Kernel(
        "log_ndtr", log_ndtr, ((Interval(-1e10, -1.0, 1.0),), (Interval(-10.0, 8.0),), (Interval(5.0, 37.5),)),
        {"f64": 45.0, "f32": 8.0},  # relative 1e-14
        (((INF,), 0.0), ((-INF,), -INF), ((NAN,), NAN)),
    ),
    Kernel(
        "ndtri", ndtri,
        ((PROBABILITY,), (Interval(0.0, 1.0, 1e-320),), (Interval(0.5 - 1e-6, 0.5 + 1e-6),), (Interval(1.0 - 1e-5, 1.0 - 6e-8),)), {"f64": 2.0, "f32": 2.0},
        (
            ((0.0,), -INF), ((-0.0,), -INF), ((1.0,), INF), ((0.5,), 0.0), ((NAN,), NAN), ((INF,), NAN), ((-INF,), NAN), ((-1.0,), NAN),
            ((-1e-30,), NAN), ((1.0000002,), NAN), ((2.0,), NAN),
        ),
    ),
    Kernel(
        "sincos_2pi", sincos_2pi, ((Interval(0.0, 1.0),), (Interval(-100.0, 100.0, 1e-300),)), {"f64": 2.0, "f32": 2.0},
        (((0.0,), (0.0, 1.0)), ((INF,), (NAN, NAN)), ((NAN,), (NAN, NAN)), ((0.25,), (1.0, 0.0)), ((0.5,), (0.0, -1.0))),
        signed_zero=False,
    ),
    Kernel(
        "bernoulli_nll", bernoulli_nll, ((Choice((0.0, 1.0)), Interval(-745.0, 745.0)), (PROBABILITY, Interval(-40.0, 40.0)), (PROBABILITY, REAL), (Choice((0.0, 0.3, 1.0)), Interval(-1100.0, 1100.0))),
        {"f64": 4.0, "f32": 4.0},
        (
            ((0.0, -INF), 0.0), ((1.0, INF), 0.0), ((0.9, -INF), INF), ((0.9, INF), INF), ((1.0, -INF), INF),
            ((0.0, INF), INF), ((-0.1, 0.0), NAN), ((1.1, 0.0), NAN), ((NAN, 0.0), NAN), ((0.5, NAN), NAN),
        ),
    ),
    Kernel(
        "gaussian_nll", gaussian_nll,
        ((Interval(-5.0, 5.0), Interval(-2.0, 2.0), Interval(0.01, 9.0)), (Interval(-1e300, 1e300, 1e-300),) * 2 + (Interval(0.0, 1e300, 1e-300),)),
        {"f64": 4.0, "f32": 4.0},
        (
            ((INF, 0.0, 1.0), INF), ((NAN, 0.0, 1.0), NAN), ((0.0, 0.0, 0.0), NAN), ((0.0, 0.0, -1.0), NAN), ((0.0, NAN, 1.0), NAN),
        ),
        gaussian_terms,
    ),
    Kernel(
        "bernoulli_js", bernoulli_js,
        (
            (PROBABILITY, PROBABILITY), (Interval(0.3, 0.3 + 1e-9), Interval(0.3, 0.3 + 1e-9)), (Interval(0.0, 1.0, 1e-300),) * 2,
            (Interval(0.999, 1.0), Interval(0.9, 1.0)), (Choice((0.0, 1.0, 0.5)), Interval(0.0, 1.0, 1e-320)),
        ),
        {"f64": 8.0, "f32": 8.0},
        (
            ((0.5, 0.5), 0.0), ((0.0, 0.0), 0.0), ((1.0, 1.0), 0.0), ((1.5, 0.5), NAN), ((0.5, -0.5), NAN), ((NAN, 0.5), NAN),
            ((0.5, NAN), NAN), ((INF, 0.5), NAN),
        ),
    ),
    Kernel(
        "relative_entropy", relative_entropy,
        (
            (PROBABILITY, PROBABILITY), (Interval(0.3, 0.3 + 1e-9), Interval(0.3, 0.3 + 1e-9)), (Interval(0.0, 1.0, 1e-320),) * 2,
            (Interval(1.0, 1.0 + 1e-12), Interval(1.0, 1.0 + 1e-12)), (Interval(0.2, 1.0), Interval(0.1, 4.0)), (Interval(0.0, 1e300, 1e-300),) * 2,
        ),
        {"f64": 8.0, "f32": 8.0},
        (
            ((0.5, 0.5), 0.0), ((0.0, 0.0), 0.0), ((0.0, 0.3), 0.3), ((0.3, 0.0), INF), ((-0.0, 0.25), 0.25), ((INF, 1.0), INF), ((1.0, INF), INF),
            ((0.0, INF), INF), ((INF, INF), NAN), ((-1.0, 0.5), NAN), ((0.5, -1.0), NAN), ((NAN, 0.5), NAN), ((0.5, NAN), NAN), ((NAN, 0.0), NAN),
        ),
    ),
    Kernel(
        "js_term", js_term,
        (
            (PROBABILITY, PROBABILITY), (Interval(0.3, 0.3 + 1e-9), Interval(0.3, 0.3 + 1e-9)), (Interval(0.0, 1.0, 1e-320),) * 2,
            (Interval(1.0, 1.0 + 1e-12), Interval(1.0, 1.0 + 1e-12)), (Interval(0.25, 0.5), Interval(0.75, 1.0)), (Interval(0.0, 1e300, 1e-300),) * 2,
        ),
        {"f64": 8.0, "f32": 8.0},
        (
            ((0.5, 0.5), 0.0), ((0.0, 0.0), 0.0), ((-0.0, -0.0), 0.0), ((INF, 1.0), INF), ((1.0, INF), INF), ((INF, INF), NAN), ((-1.0, 0.5), NAN),
            ((0.5, -1.0), NAN), ((NAN, 0.5), NAN), ((0.5, NAN), NAN),
        ),
    ),
    Kernel(
        "js_integrand", js_integrand,
        ((Interval(-4.0, 4.0, 1e-3),), (Interval(-50.0, 50.0, 1e-3),), (Interval(-1e-3, 1e-3, 1e-15),), (Interval(-1e300, 1e300, 30.0),)),
        {"f64": 8.0, "f32": 8.0},
        (((0.0,), 0.0), ((-0.0,), 0.0), ((INF,), math.log(2.0)), ((-INF,), math.log(2.0)), ((NAN,), NAN)),
    ),
    *(row for family in FAMILIES.values() for row in family.kernels),
]

BY_NAME = {kernel.name: kernel for kernel in KERNELS}

# Generalised ufuncs have their own files; what is generic is checked for them too, on these arguments.


@dataclass(frozen=True)
class GeneralKernel:
    """A generalised ufunc: `make(rng, n, dtype)` gives arguments with n loop items."""

    name: str
    make: Callable[[np.random.Generator, int, np.dtype], tuple[np.ndarray, ...]]


def _spd(rng: np.random.Generator, n: int, d: int, dtype: np.dtype) -> np.ndarray:
    a = rng.normal(size=(n, d, d + 2))
    return (a @ a.swapaxes(1, 2) / d + np.eye(d)).astype(dtype)


def _mvn(shape: str, matrix: Callable[[np.ndarray], np.ndarray], d: int = 5) -> Callable[..., tuple[np.ndarray, ...]]:
    """Arguments of a Gaussian kernel: "each", "shared" (7 points) or "grid" (7 points, 3 Gaussians)."""

    def make(rng: np.random.Generator, n: int, dtype: np.dtype) -> tuple[np.ndarray, ...]:
        points = {"each": (n, d), "shared": (n, 7, d), "grid": (n, 7, d)}[shape]
        gaussians = {"each": (n,), "shared": (n,), "grid": (n, 3)}[shape]
        matrices = matrix(_spd(rng, math.prod(gaussians), d, dtype)).astype(dtype)
        return (
            rng.normal(size=points).astype(dtype),
            rng.normal(size=(*gaussians, d)).astype(dtype),
            np.ascontiguousarray(matrices.reshape(*gaussians, *matrices.shape[1:])),
        )

    return make


def _some_asymmetric(rng: np.random.Generator, n: int, d: int, dtype: np.dtype) -> np.ndarray:
    """Symmetric matrices, but every fifth has one entry that is not that of its mirror."""
    a = _spd(rng, n, d, dtype)
    a = np.tril(a) + np.tril(a, -1).swapaxes(1, 2)
    a[::5, d - 1, 1 % d] += 1
    return a


def _diagonals(matrices: np.ndarray) -> np.ndarray:
    return np.diagonal(matrices, axis1=1, axis2=2)


def _probability_rows(rng: np.random.Generator, n: int, dtype: np.dtype) -> tuple[np.ndarray, ...]:
    """Rows of 37 probabilities, some zero; every seventh has a negative entry."""
    p, q = rng.dirichlet(np.ones(37), (2, n)).astype(dtype)
    p[::3, 5] = 0
    p /= p.sum(axis=-1, keepdims=True, dtype=np.float64)
    p[::7, 3] *= -1
    eps = np.full(n, np.finfo(dtype).eps)
    return p, q, eps, eps.copy()


GENERAL: list[GeneralKernel] = [
    GeneralKernel("cholesky", lambda rng, n, dtype: (_spd(rng, n, 5, dtype),)),
    GeneralKernel("asymmetry", lambda rng, n, dtype: (_some_asymmetric(rng, n, 5, dtype),)),
    GeneralKernel("whiten", _mvn("shared", np.linalg.cholesky)),
    GeneralKernel("unwhiten", _mvn("shared", np.linalg.cholesky)),
    GeneralKernel("mvn_log_prob", _mvn("each", np.asarray)),
    GeneralKernel("mvn_log_prob_checked", _mvn("each", np.asarray)),
    GeneralKernel("mvn_log_prob_shared", _mvn("shared", np.asarray)),
    GeneralKernel("mvn_log_prob_grid", _mvn("grid", np.asarray)),
    GeneralKernel("mvn_log_prob_tril", _mvn("grid", np.linalg.cholesky)),
    GeneralKernel("mvn_log_prob_tril_each", _mvn("each", np.linalg.cholesky)),
    GeneralKernel("mvn_log_prob_whitened", _mvn("grid", np.linalg.cholesky)),
    GeneralKernel("mvn_log_prob_whitened_each", _mvn("each", np.linalg.cholesky)),
    GeneralKernel("log_mixture", lambda rng, n, dtype: tuple(rng.normal(size=(2, n, 7)).astype(dtype) * 3)),
    GeneralKernel("responsibilities", lambda rng, n, dtype: tuple(rng.normal(size=(2, n, 7)).astype(dtype) * 3)),
    GeneralKernel("mvn_log_prob_diagonal", _mvn("each", _diagonals)),
    GeneralKernel("mvn_log_prob_diagonal_grid", _mvn("grid", _diagonals)),
    GeneralKernel("categorical_kl", _probability_rows),
    GeneralKernel("categorical_js", _probability_rows),
    GeneralKernel("categorical_cross_entropy", _probability_rows),
]
