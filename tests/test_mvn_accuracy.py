"""The accuracy rows of the Gaussian: Cholesky residuals and log-densities over LAPACK's matrix kinds, d = 1 ... 200,
both types, every level. `mvn_accuracy` has the kinds, the reference and the full table."""

import mpmath
import mvn_accuracy as accuracy
import numpy as np
import pytest

# Every d of the small regimes, both sides of every tile, panel and regime boundary, and some beyond.
RESIDUAL_SIZES = [*range(1, 73), 95, 96, 97, 100, 127, 128, 129, 150, 191, 192, 199, 200]
DENSITY_SIZES = [*range(1, 19), 23, 24, 25, 31, 32, 33, 47, 48, 49, 63, 64, 65, 66, 96, 100, 128, 129, 200]


def must_factor(kind, d, dtype):
    """Whether the least eigenvalue of the matrix, scaled to unit diagonal, exceeds (d + 1)² u."""
    rows = accuracy.long_cholesky(accuracy.matrix(kind, d, dtype))
    rows = (rows / np.sqrt((rows * rows).sum(axis=1))[:, None]).astype(np.float64)
    least = np.linalg.svd(rows, compute_uv=False)[-1] ** 2
    return least > accuracy.guaranteed(d, dtype)


# ---------------------------------------------------------------------------------------- the reference


@pytest.mark.parametrize("kind", accuracy.GOOD)
def test_the_reference(kind, dtype):
    """Long doubles against 50 digits: 64 times below the bound that they are used for."""
    for d in (1, 2, 5, 11):
        p = accuracy.problem(kind, d, dtype)
        with mpmath.workdps(50):
            lower = mpmath.matrix(d, d)
            for j in range(d):
                for i in range(j, d):
                    rest = float(p.a[i, j]) - sum(lower[i, k] * lower[j, k] for k in range(j))
                    lower[i, j] = mpmath.sqrt(rest) if i == j else rest / lower[j, j]
            log_det = sum(mpmath.log(lower[i, i]) for i in range(d))
            for row, got, terms in zip(p.x[::11], p.value[::11], p.terms[::11], strict=True):
                z = []
                for i in range(d):
                    delta = mpmath.mpf(float(row[i])) - mpmath.mpf(float(p.loc[i]))
                    z.append((delta - sum(lower[i, k] * z[k] for k in range(i))) / lower[i, i])
                exact = -sum(v * v for v in z) / 2 - log_det - d * mpmath.log(2 * mpmath.pi) / 2
                high = float(got)  # a long double in two exact parts
                error = abs(mpmath.mpf(high) + mpmath.mpf(float(got - high)) - exact)
                assert error <= 4 * d * p.kappa * float(terms) * accuracy.unit_roundoff(np.float64) / 64


def test_the_matrices_are_what_they_are_called(dtype):
    eps = float(np.finfo(dtype).eps)
    for d in (2, 9, 40):
        for kind in accuracy.KINDS:
            a = accuracy.matrix(kind, d, dtype)
            assert (a == a.T).all()
            assert np.isfinite(a).all()
        for kind, kappa in (("condition 2", 2), ("condition √(0.1/eps)", (0.1 / eps) ** 0.5), ("condition 0.1/eps", 0.1 / eps)):
            values = np.linalg.svd(accuracy.long_cholesky(accuracy.matrix(kind, d, dtype)).astype(float))[1]
            assert (values[0] / values[-1]) ** 2 == pytest.approx(kappa, rel=0.2)
        least = np.linalg.eigvalsh(accuracy.matrix("least eigenvalue (d+1)²u", d, dtype).astype(float))[0]
        assert least == pytest.approx(accuracy.guaranteed(d, dtype), rel=0.3)
        norms = [np.linalg.norm(accuracy.matrix(f"near {end}", d, dtype).astype(float), 2) for end in ("underflow", "overflow")]
        assert norms[0] * eps < np.finfo(dtype).smallest_normal
        assert norms[0] * norms[1] == pytest.approx(1, rel=1e-5)


# ---------------------------------------------------------------------------------------- Cholesky


@pytest.mark.parametrize("kind", accuracy.KINDS)
def test_cholesky(kernels, dtype, kind):
    """‖A − L Lᵀ‖₁ <= 2 d ‖A‖₁ u wherever λmin(H) > (d + 1)² u; a zero row is refused, and its pivot named."""
    for d in RESIDUAL_SIZES:
        with np.errstate(invalid="ignore"):
            lower, info = kernels["cholesky"](accuracy.matrix(kind, d, dtype))
        if kind in accuracy.ZERO_PIVOT:
            assert info == accuracy.ZERO_PIVOT[kind](d), d
            assert np.isnan(lower).all()
        elif info != 0:
            assert kind == "condition 0.1/eps", d
            assert not must_factor(kind, d, dtype), d
        else:
            assert accuracy.residual(kind, d, dtype, lower) <= 2, d


def test_cholesky_of_graded_matrices_row_by_row(kernels, dtype):
    """|a − L Lᵀ| <= 2 d u √(a_ii a_jj) in every entry: the norm alone would see the largest rows only."""
    for d in RESIDUAL_SIZES:
        a = accuracy.matrix("graded", d, dtype)
        lower, info = kernels["cholesky"](a)
        assert info == 0
        assert accuracy.graded_residual(a, lower) <= 2, d


@pytest.mark.parametrize("kind", ["least eigenvalue (d+1)²u", "equal correlations"])
def test_cholesky_down_to_the_guaranteed_eigenvalue(kernels, dtype, kind):
    """Every d up to 200, with scales that make the factorisation no easier."""
    rng = np.random.default_rng(3)
    for d in range(1, 201) if kind == "equal correlations" else range(1, 201, 7):
        scale = (2.0 ** rng.integers(-20, 21, size=d)).astype(dtype)
        a = accuracy.matrix(kind, d, dtype)
        assert kernels["cholesky"](scale[:, None] * a * scale)[1] == 0, d


# ---------------------------------------------------------------------------------------- densities


@pytest.mark.parametrize("kind", accuracy.GOOD)
def test_densities(kernels, dtype, kind):
    """e <= 4·d·κ(H) for every kernel that takes a covariance or a factor."""
    for d in DENSITY_SIZES:
        with np.errstate(invalid="ignore"):
            if kernels["cholesky"](accuracy.matrix(kind, d, dtype))[1] != 0:
                continue  # test_cholesky says where that may be
        p = accuracy.problem(kind, d, dtype)
        for name, value in accuracy.shared_values(kernels, p):
            assert accuracy.excess(p, value) <= 4, (d, name)


@pytest.mark.parametrize("d", DENSITY_SIZES)
def test_densities_of_different_kinds_side_by_side(kernels, dtype, d):
    """A matrix for every point: kinds in neighbouring lanes, the bad ones among them."""
    kinds = list(accuracy.KINDS) * 3
    a = np.stack([accuracy.matrix(kind, d, dtype) for kind in kinds])
    problems = [None if kind in accuracy.ZERO_PIVOT else accuracy.problem(kind, d, dtype) for kind in kinds]
    points = [np.zeros((2, d), dtype) if p is None else np.stack([p.x[i], p.loc]) for i, p in enumerate(problems)]
    x, loc = np.stack(points).swapaxes(0, 1)
    with np.errstate(invalid="ignore"):
        value, info = kernels["mvn_log_prob"](x, loc, a)
        refused = kernels["cholesky"](a)[1]
    for i, (kind, p) in enumerate(zip(kinds, problems, strict=True)):
        if p is None:
            assert info[i] == accuracy.ZERO_PIVOT[kind](d), kind
            assert np.isnan(value[i])
        elif info[i] == 0:
            e = abs(value[i].astype(np.longdouble) - p.value[i]) / (accuracy.unit_roundoff(dtype) * p.terms[i])
            assert e <= 4 * d * p.kappa, kind
        else:
            assert refused[i], kind
            assert not must_factor(kind, d, dtype), kind


@pytest.mark.parametrize("kind", ["condition 2", "condition √(0.1/eps)", "graded", "equal correlations"])
def test_densities_from_precisions(kernels, dtype, kind):
    """A whitener W with WᵀW = P = J A J, from the factor of A: κ is that of the covariance or of the precision, scaled."""
    for d in DENSITY_SIZES:
        a = accuracy.matrix(kind, d, dtype)
        lower, info = kernels["cholesky"](a)
        assert info == 0
        w = np.ascontiguousarray(lower[::-1, ::-1].T)
        p = accuracy.problem(kind, d, dtype)
        wide = p.lower[::-1, ::-1].T  # exact whitener
        std = np.sqrt((np.linalg.inv((p.lower / np.sqrt((p.lower**2).sum(axis=1))[:, None]).astype(float)) ** 2).sum(axis=0))
        scale = (np.longdouble(std) / np.sqrt((p.lower**2).sum(axis=1)))[::-1]  # deviations under the precision
        rng = np.random.default_rng(d)
        loc = (rng.normal(size=d) * scale).astype(dtype)
        x = (rng.normal(size=(accuracy.POINTS, d)) * scale + loc).astype(dtype)
        z = (x.astype(np.longdouble) - loc) @ wide.T
        log_det = np.log(np.diagonal(wide)).sum()
        constant = d * accuracy.LOG_2PI / 2
        exact = -(z * z).sum(axis=1) / 2 + log_det - constant
        terms = (z * z).sum(axis=1) / 2 + abs(log_det) + constant
        bound = 4 * d * p.kappa * accuracy.unit_roundoff(dtype) * terms
        for got in (
            kernels["mvn_log_prob_whitened"](x, loc[None], w[None])[0][:, 0],
            kernels["mvn_log_prob_whitened_each"](x, loc, w)[0],
        ):
            assert (np.abs(got.astype(np.longdouble) - exact) <= bound).all(), d


@pytest.mark.parametrize("d", DENSITY_SIZES)
def test_diagonal_densities(kernels, dtype, d):
    """Variances over the range of the type: κ(H) = 1."""
    rng = np.random.default_rng(d)
    exponent = 900 if dtype == np.float64 else 110
    variance = (2.0 ** rng.integers(-exponent, exponent, size=d) * rng.uniform(1, 2, d)).astype(dtype)
    std = np.sqrt(variance.astype(np.longdouble))
    loc = (rng.normal(size=d) * std).astype(dtype)
    x = (rng.normal(size=(accuracy.POINTS, d)) * std + loc).astype(dtype)
    exact, terms = accuracy.long_values(x, loc, np.diag(std))
    logs = np.abs(np.log(std)).sum()  # the kernel adds d logarithms, which may cancel
    got = kernels["mvn_log_prob_diagonal"](x, loc, variance)
    e = np.abs(got.astype(np.longdouble) - exact) / (accuracy.unit_roundoff(dtype) * (terms + logs))
    assert e.max() <= 4 * d
