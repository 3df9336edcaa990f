"""Errors of the Cholesky factorisation and of the multivariate normal densities, measured; also a script.

Matrices are the nine kinds of LAPACK's test of dpotrf (TESTING/LIN/dlatb4.f and dchkpo.f: diagonal; well conditioned;
first, last and middle row and column zero; condition √(0.1/eps) and 0.1/eps; scaled near underflow and overflow) and
three more: the least eigenvalue that a factorisation must survive, scales graded over 2^±400, and equal correlations.

The reference is a factorisation in long double, 11 bits more than float64 (`test_the_reference` holds it against
50 digits).

    python tests/mvn_accuracy.py            # the table of docs/accuracy.md: d = 1 ... 200, about half a minute a level
    python tests/mvn_accuracy.py --quick    # a few d
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

LONG = np.longdouble
LOG_2PI = np.log(2 * LONG(np.pi) + 2 * LONG(1.2246467991473532e-16))
DTYPES = [np.dtype(np.float64), np.dtype(np.float32)]

# ---------------------------------------------------------------------------------------- matrices


def unit_roundoff(dtype):
    return float(np.finfo(dtype).eps) / 2


def _symmetric(a):
    return np.tril(a) + np.swapaxes(np.tril(a, -1), -1, -2)


def _gram(b, dtype):
    """b bᵀ rounded once: float64 has digits enough for float32."""
    b = b.astype(LONG if dtype == np.float64 else np.float64)
    return b @ b.T


def _spectrum(d, dtype, rng, kappa, norm=1.0):
    """Random eigenvectors and eigenvalues from norm/kappa to norm, in a geometric sequence."""
    q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    a = _gram(q * np.sqrt(np.geomspace(1, 1 / kappa if d > 1 else 1, d)), dtype)
    return _symmetric((a * norm).astype(dtype))


def _small(dtype):
    """A quarter of the least norm whose unit roundoff is a normal number."""
    info = np.finfo(dtype)
    return LONG(info.smallest_normal) / LONG(info.eps) / 4


def _diagonal(d, dtype, rng):
    return np.diag(rng.permutation(np.geomspace(0.5, 1, d))).astype(dtype)


def _zero_row(where: Callable[[int], int]):
    def kind(d, dtype, rng):
        a = _spectrum(d, dtype, rng, 2.0)
        a[where(d)] = a[:, where(d)] = 0
        return a

    return kind


def guaranteed(d, dtype):
    """(d + 1)² u: a matrix of unit diagonal with a larger least eigenvalue must factorise."""
    return (d + 1) ** 2 * unit_roundoff(dtype)


def _limit(d, dtype, rng):
    """Unit diagonal, least eigenvalue just above the guaranteed one: (1 − s)·(singular correlation matrix) + s·I.

    Rounding an entry moves eigenvalues by at most d·u/2.
    """
    s = guaranteed(d, dtype) + d * unit_roundoff(dtype)
    g = rng.normal(size=(d, max(1, d - 1))).astype(LONG)
    g /= np.sqrt((g * g).sum(axis=1))[:, None]
    a = (1 - LONG(s)) * (g @ g.T)
    np.fill_diagonal(a, 1)
    return _symmetric(a.astype(dtype))


def _graded(d, dtype, rng):
    """D·H·D with D powers of two between 2^-400 and 2^400 (float32: 2^±40)."""
    most = 400 if dtype == np.float64 else 40
    scale = 2.0 ** rng.integers(-most, most + 1, size=d)
    h = _spectrum(d, dtype, rng, 100.0)
    return (scale[:, None] * h * scale).astype(dtype)


def _equal_correlations(d, dtype, rng):
    """All correlations 1 − s with s the next multiple of eps above the guaranteed eigenvalue, which is s itself."""
    eps = float(np.finfo(dtype).eps)
    a = np.full((d, d), 1 - np.ceil(guaranteed(d, dtype) / eps + 0.5) * eps, dtype)
    np.fill_diagonal(a, 1)
    sign = np.where(rng.random(d) < 0.5, -1, 1).astype(dtype)
    return sign[:, None] * a * sign


def _bad(power):
    return lambda d, dtype, rng: _spectrum(d, dtype, rng, (0.1 / float(np.finfo(dtype).eps)) ** power)


KINDS: dict[str, Callable] = {
    "diagonal": _diagonal,
    "condition 2": lambda d, dtype, rng: _spectrum(d, dtype, rng, 2.0),
    "first row zero": _zero_row(lambda d: 0),
    "last row zero": _zero_row(lambda d: d - 1),
    "middle row zero": _zero_row(lambda d: d // 2),
    "condition √(0.1/eps)": _bad(0.5),
    "condition 0.1/eps": _bad(1.0),
    "near underflow": lambda d, dtype, rng: _spectrum(d, dtype, rng, 2.0, _small(dtype)),
    "near overflow": lambda d, dtype, rng: _spectrum(d, dtype, rng, 2.0, 1 / _small(dtype)),
    "least eigenvalue (d+1)²u": _limit,
    "graded": _graded,
    "equal correlations": _equal_correlations,
}
ZERO_PIVOT = {"first row zero": lambda d: 1, "last row zero": lambda d: d, "middle row zero": lambda d: d // 2 + 1}
GOOD = [kind for kind in KINDS if kind not in ZERO_PIVOT]


@lru_cache(maxsize=4096)
def matrix(kind, d, dtype):
    """The matrix of a kind; the same for every level."""
    rng = np.random.default_rng([d, list(KINDS).index(kind), dtype.itemsize])
    a = np.ascontiguousarray(KINDS[kind](d, dtype, rng))
    a.setflags(write=False)
    return a


# ---------------------------------------------------------------------------------------- reference


def long_cholesky(a):
    """Cholesky in long double, column by column."""
    a = a.astype(LONG)
    lower = np.zeros_like(a)
    for j in range(len(a)):
        column = a[j:, j] - lower[j:, :j] @ lower[j, :j]
        if not column[0] > 0:
            raise np.linalg.LinAlgError(f"pivot {j + 1}")
        lower[j:, j] = column / np.sqrt(column[0])
    return lower


def scaled_condition(lower):
    """κ₂ of L Lᵀ scaled to unit diagonal: the square of that of the scaled factor, so right far beyond 1/u."""
    rows = lower / np.sqrt((lower * lower).sum(axis=1))[:, None]
    values = np.linalg.svd(rows.astype(np.float64), compute_uv=False)
    return float((values[0] / values[-1]) ** 2)


def long_values(x, loc, lower):
    """Log-density and the sum of its absolute terms, in long double, points by rows."""
    delta = (x.astype(LONG) - loc.astype(LONG)).T.copy()
    for i in range(len(lower)):
        delta[i] = (delta[i] - lower[i, :i] @ delta[:i]) / lower[i, i]
    quadratic = (delta * delta).sum(axis=0) / 2
    log_det = np.log(np.diagonal(lower)).sum()
    constant = len(lower) * LOG_2PI / 2
    return -quadratic - log_det - constant, quadratic + np.abs(log_det) + constant


@dataclass(frozen=True)
class Problem:
    """A matrix with its factor in long double, points, and the exact values."""

    a: np.ndarray
    loc: np.ndarray
    x: np.ndarray
    lower: np.ndarray  # long double
    kappa: float
    value: np.ndarray
    terms: np.ndarray


POINTS = 67  # more than a tile of any level, and a tail


@lru_cache(maxsize=4096)
def problem(kind, d, dtype):
    a = matrix(kind, d, dtype)
    lower = long_cholesky(a)
    rng = np.random.default_rng([d, 99, list(KINDS).index(kind)])
    std = np.sqrt(np.diagonal(a).astype(LONG))
    loc = (rng.normal(size=d) * std).astype(dtype)
    typical = (rng.normal(size=(POINTS - 9, d)).astype(LONG) @ lower.T) + loc
    elsewhere = 5 * rng.normal(size=(8, d)) * std + loc  # far from the mean where correlations are strong
    x = np.concatenate([typical, elsewhere, loc[None]]).astype(dtype)
    value, terms = long_values(x, loc, lower)
    return Problem(a, loc, x, lower, scaled_condition(lower), value, terms)


# ---------------------------------------------------------------------------------------- errors


@lru_cache(maxsize=20_000)
def _residual(kind, d, dtype, bits):
    a, lower = matrix(kind, d, dtype), np.frombuffer(bits, dtype).reshape(d, d)
    wide = LONG if dtype == np.float64 else np.float64
    scale = 1 / wide(np.abs(a).max())  # squares of what is near underflow or overflow stay in range
    root = np.sqrt(scale)
    low = lower.astype(wide) * root
    difference = np.abs(a.astype(wide) * scale - low @ low.T).sum(axis=0).max()
    norm = np.abs(a.astype(wide) * scale).sum(axis=0).max()
    return float(difference / (d * norm * unit_roundoff(dtype)))


def residual(kind, d, dtype, lower):
    """‖A − L Lᵀ‖₁ / (d ‖A‖₁ u); once for levels with the same bits."""
    return _residual(kind, d, dtype, np.ascontiguousarray(lower).tobytes())


def graded_residual(a, lower):
    """max |a_ij − (L Lᵀ)_ij| / (d u √(a_ii a_jj)): the row-wise form, which a graded matrix needs."""
    std = np.sqrt(np.diagonal(a).astype(LONG))
    rows = lower.astype(LONG) / std[:, None]
    scaled = a.astype(LONG) / std[:, None] / std
    return float(np.abs(scaled - rows @ rows.T).max() / (len(a) * unit_roundoff(a.dtype)))


def excess(p, got):
    """max e / (d κ) of the values, e in units of u·Σ|terms|; the bound is 4. Infinite where a value is not finite."""
    got = np.asarray(got)
    if not np.isfinite(got).all():
        return np.inf
    d = len(p.loc)
    e = np.abs(got.astype(LONG) - p.value) / (unit_roundoff(p.a.dtype) * p.terms)
    return float(e.max() / (d * p.kappa))


def shared_values(kernels, p):
    """Every kernel with one matrix for many points: name, values."""
    x, loc, a = p.x, p.loc, p.a
    yield "shared", kernels["mvn_log_prob_shared"](x, loc, a)[0]
    grid = kernels["mvn_log_prob_grid"](x, np.stack([loc] * 3), np.stack([a] * 3))[0]
    yield "grid", grid[:, 1]
    yield "each", kernels["mvn_log_prob"](x, loc, a)[0]
    yield "each, checked", kernels["mvn_log_prob_checked"](x, loc, a)[0]
    lower = kernels["cholesky"](a)[0]
    yield "factor", kernels["mvn_log_prob_tril"](x, loc[None], lower[None])[0][:, 0]
    yield "factor each", kernels["mvn_log_prob_tril_each"](x, loc, lower)[0]


# ---------------------------------------------------------------------------------------- the table

QUICK = [1, 2, 3, 5, 8, 17, 33, 64, 65]
DENSITIES = {*range(1, 34), 47, 48, 63, 64, 65, 80, 96, 100, 127, 128, 150, 199, 200}


def worst(kernels, kind, dtype, sizes):
    """Largest residual and excess of a kind, each with its d (and kernel), and where it was refused.

    The excess at d = 1, where two roundings are all there is, stands apart.
    """
    most, density, single, refused = (0.0, 0), (0.0, 0, ""), (0.0, 0, ""), []
    for d in sizes:
        with np.errstate(invalid="ignore"):
            lower, info = kernels["cholesky"](matrix(kind, d, dtype))
        if info != 0:
            refused.append((d, int(info)))
            continue
        most = max(most, (residual(kind, d, dtype, lower), d))
        if d in DENSITIES:
            p = problem(kind, d, dtype)
            here = max((excess(p, value), d, name) for name, value in shared_values(kernels, p))
            density, single = (density, here) if d == 1 else (max(density, here), single)
    return most, density, single, refused


def main():
    from loglik._kernels import available_isas, make_ufuncs

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few d instead of 1 ... 200")
    parser.add_argument("levels", nargs="*", help="default: all that the machine has")
    arguments = parser.parse_args()
    sizes = QUICK if arguments.quick else range(1, 201)
    runs = [(level, dtype) for level in arguments.levels or available_isas() for dtype in DTYPES]
    kernels = {level: make_ufuncs(level) for level, _ in runs}
    residuals, densities = [], []
    singles = [(0.0, 1, "")] * len(runs)
    for kind in KINDS:
        found = [worst(kernels[level], kind, dtype, sizes) for level, dtype in runs]
        if kind in ZERO_PIVOT:
            right = all(refused == [(d, ZERO_PIVOT[kind](d)) for d in sizes] for *_, refused in found)
            cells = ["refused" if right else "WRONG PIVOT"] * len(runs)
            residuals.append([kind, *cells])
        else:
            refused = {d for *_, refused in found for d, _ in refused}
            name = kind + (f" (refused at d = {sorted(refused)})" if refused else "")
            residuals.append([name, *(f"{value:.2g} ({d})" for (value, d), *_ in found)])
            densities.append([name, *(f"{value:.2g} ({d}, {kernel})" for _, (value, d, kernel), *_ in found)])
            singles = [max(old, single) for old, (_, _, single, _) in zip(singles, found, strict=True)]
        matrix.cache_clear(), problem.cache_clear()
    densities.append(["d = 1, all kinds", *(f"{value:.2g} ({kernel})" for value, _, kernel in singles)])
    heads = [f"{level} {dtype.name}" for level, dtype in runs]
    for title, rows in (
        ("‖A − LLᵀ‖₁ / (d‖A‖₁u), bound 2 (at d)", residuals),
        ("e / (d κ(H)) for d >= 2, bound 4 (at d, kernel)", densities),
    ):
        print(f"\n| {title} | " + " | ".join(heads) + " |\n|" + "---|" * (len(runs) + 1))
        for row in rows:
            print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
