"""Singular covariances: the density on the support against exact rational arithmetic, the rank rule, and the errors."""

import math
import pickle
import warnings
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from memory_tools import peak_memory
from numpy.linalg import LinAlgError

import loglik as ll

MVN = ll.MultivariateNormal
LOG_2PI = math.log(2 * math.pi)


def singular(loc, covariance=None, **parameters):
    return MVN(loc, covariance, allow_singular=True, **parameters)


def exact_determinant(rows):
    """Determinant of Fractions, by elimination."""
    rows = [list(row) for row in rows]
    det = Fraction(1)
    for k in range(len(rows)):
        pivot = next((i for i in range(k, len(rows)) if rows[i][k] != 0), None)
        if pivot is None:
            return Fraction(0)
        if pivot != k:
            rows[k], rows[pivot], det = rows[pivot], rows[k], -det
        det *= rows[k][k]
        for i in range(k + 1, len(rows)):
            f = rows[i][k] / rows[k][k]
            rows[i] = [a - f * b for a, b in zip(rows[i], rows[k], strict=True)]
    return det


def exact_log_prob(b, z):
    """log p(μ + B z) = -|z|²/2 - log det(BᵀB)/2 - (r/2) log 2π, from B and z exactly as they are."""
    b = [[Fraction(float(v)) for v in row] for row in b]
    r = len(b[0])
    gram = [[sum(row[i] * row[j] for row in b) for j in range(r)] for i in range(r)]
    det = exact_determinant(gram)
    square = sum(Fraction(float(v)) ** 2 for v in z)
    with mpmath.workdps(40):
        log_det = mpmath.log(det.numerator) - mpmath.log(det.denominator)
        value = -mpmath.mpf(square.numerator) / square.denominator / 2 - log_det / 2 - r * mpmath.log(2 * mpmath.pi) / 2
        return float(value)


def integers(d, r, rng):
    """B (d, r) of small integers and full rank, well conditioned: products and sums with it are exact in float32."""
    while True:
        b = rng.integers(-4, 5, size=(d, r)).astype(float)
        if np.linalg.matrix_rank(b) == r and np.linalg.cond(b) < 30 and (np.abs(b).sum(axis=1) > 0).all():
            return b


# ---------------------------------------------------------------------------------------- the density


def test_perfect_correlation_of_the_lecture():
    """ρ = 1: nothing in the plane has a density; on the line weight = 77 + 12·(height - 178)/7 it is normal."""
    line = singular([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0]])
    peak = -0.5 * math.log(2) - LOG_2PI / 2
    np.testing.assert_allclose(line.log_prob([[0, 0], [2, 2]]), [peak, peak - 2], rtol=1e-15)
    assert line.log_prob([1.0, 2.0]) == -np.inf
    assert line.rank == 1
    people = singular([178.0, 77.0], [[49.0, 84.0], [84.0, 144.0]])
    t = np.array([-1.0, 0.0, 0.5, 3.0])
    points = np.array([178.0, 77.0]) + t[:, None] * [7.0, 12.0]
    # along the line the standard deviation is √(49 + 144)
    np.testing.assert_allclose(people.log_prob(points), -t * t / 2 - 0.5 * math.log(193) - LOG_2PI / 2, rtol=1e-14)
    assert (people.log_prob(points + np.array([0, 0.01])) == -np.inf).all()
    opposite = singular([0.0, 0.0], [[1.0, -1.0], [-1.0, 1.0]])
    assert opposite.log_prob([1.0, -1.0]) == line.log_prob([1.0, 1.0])
    assert opposite.log_prob([1.0, 1.0]) == -np.inf
    # the mass on the line is one
    s = np.linspace(-120, 120, 4001)
    direction = np.array([7.0, 12.0]) / math.sqrt(193)
    mass = np.exp(people.log_prob(np.array([178.0, 77.0]) + s[:, None] * direction)).sum() * (s[1] - s[0])
    assert mass == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize(("d", "r"), [(1, 0), (2, 1), (3, 1), (3, 2), (5, 2), (6, 5), (9, 4), (17, 9)])
def test_density_against_exact_rationals(dtype, d, r):
    rng = np.random.default_rng([d, r])
    tolerance = 2e-13 if dtype == np.float64 else 1e-4
    for _ in range(4):
        b = integers(d, r, rng) if r else np.zeros((d, 0))
        loc = rng.integers(-50, 51, size=d).astype(dtype)
        z = rng.integers(-3, 4, size=(5, r)).astype(float)
        x = (loc + z @ b.T).astype(dtype)
        want = [exact_log_prob(b, row) if r else 0.0 for row in z]
        for mvn in (
            singular(loc, (b @ b.T).astype(dtype)),
            singular(loc, scale_tril=triangular(b).astype(dtype)),
        ):
            assert mvn.rank == r
            assert mvn.dtype == dtype
            got = mvn.log_prob(x)
            assert got.dtype == dtype
            np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)
            np.testing.assert_allclose(mvn.mahalanobis(x), np.sqrt((z * z).sum(axis=1)), rtol=tolerance, atol=tolerance)


def triangular(b):
    """L (d, d) lower triangular with L Lᵀ = B Bᵀ."""
    d = len(b)
    upper = np.linalg.qr(np.hstack([b, np.zeros((d, d))]).T, mode="r")
    lower = (upper * np.where(np.diagonal(upper) < 0, -1, 1)[:, None]).T
    lower[np.abs(lower) < 1e-13] = 0
    return np.tril(lower)


def test_determinant_is_the_product_of_the_positive_eigenvalues():
    b = integers(5, 3, np.random.default_rng(1))
    with mpmath.workdps(40):
        eigenvalues = mpmath.eigsy(mpmath.matrix((b @ b.T).tolist()), eigvals_only=True)
        want = -sum(mpmath.log(v) for v in eigenvalues if v > 1e-20) / 2 - 3 * mpmath.log(2 * mpmath.pi) / 2
    assert singular(np.zeros(5), b @ b.T).log_prob(np.zeros(5)) == pytest.approx(float(want), rel=1e-14)


def test_graded_scales():
    """D·B·Bᵀ·D with D over 2^±400: eigenvalues of such a matrix drown in the largest; the rank and volume must not."""
    rng = np.random.default_rng(5)
    for d, r in ((2, 1), (4, 2), (7, 4)):
        b = integers(d, r, rng)
        scale = 2.0 ** rng.integers(-400, 401, size=d)
        mvn = singular(np.zeros(d), scale[:, None] * (b @ b.T) * scale)
        assert mvn.rank == r
        z = rng.integers(-3, 4, size=(4, r)).astype(float)
        x = (z @ b.T) * scale
        want = [exact_log_prob(scale[:, None] * b, row) for row in z]
        np.testing.assert_allclose(mvn.log_prob(x), want, rtol=1e-13)
        off = x.copy()
        off[:, -1] += 1e-3 * scale[-1]
        assert (mvn.log_prob(off)[np.arange(4)] == -np.inf).all() or r == d
        np.testing.assert_allclose(mvn.scale_tril @ mvn.scale_tril.T, mvn.covariance, rtol=1e-12, atol=0)


@pytest.mark.parametrize("size", [1e308, 1.0, 1e-300, 2.3e-308])
def test_ends_of_the_range(size):
    """Variances next to overflow and underflow."""
    mvn = singular([0.0, 0.0], np.full((2, 2), size))
    std = math.sqrt(size)
    want = -0.5 - 0.5 * (math.log(2) + math.log(size)) - LOG_2PI / 2
    for x in ([std, std], [[std, std]] * 3):
        np.testing.assert_allclose(mvn.log_prob(x), want, rtol=1e-13)
    assert mvn.log_prob([std, 1.01 * std]) == -np.inf
    np.testing.assert_allclose(mvn.scale_tril, [[std, 0], [std, 0]], rtol=1e-15)


@pytest.mark.parametrize(("d", "r"), [(70, 1), (100, 60), (120, 119)])
def test_large_dimensions(d, r):
    rng = np.random.default_rng(d)
    b = rng.normal(size=(d, r))
    mvn = singular(np.zeros(d), b @ b.T)
    z = rng.normal(size=(20, r))
    want = -0.5 * (z * z).sum(axis=1) - 0.5 * np.linalg.slogdet(b.T @ b)[1] - r * LOG_2PI / 2
    assert mvn.rank == r
    np.testing.assert_allclose(mvn.log_prob(z @ b.T), want, rtol=1e-10)
    assert (mvn.log_prob(z @ b.T + 1e-3 * rng.choice([-1, 1], size=d)) == -np.inf).all()


def test_ranks_of_computed_covariances(dtype):
    """Gram matrices and sample covariances of fewer points than dimensions, on many scales."""
    rng = np.random.default_rng(3)
    for d in (2, 3, 8, 20, 40):
        for r in {1, d // 2, d - 1}:
            scale = 10.0 ** rng.uniform(-4, 4, size=d)
            b = (scale[:, None] * rng.normal(size=(d, r))).astype(dtype)
            gram = b @ b.T
            mvn = singular(np.zeros(d, dtype), np.tril(gram) + np.tril(gram, -1).T)
            assert mvn.rank == r
            x = (rng.normal(size=(30, r)) @ b.astype(float).T).astype(dtype)
            assert np.isfinite(mvn.log_prob(x)).all(), "rounded points of the support count as such"
            sample = rng.normal(size=(r + 1, d)) * scale + 3 * scale
            covariance = np.cov(sample.T).astype(dtype)
            fitted = singular(sample.mean(axis=0).astype(dtype), covariance)
            assert fitted.rank == r
            assert np.isfinite(fitted.log_prob(sample.astype(dtype))).all()


# ---------------------------------------------------------------------------------------- rank and support


def test_scales_do_not_make_a_matrix_singular():
    mvn = singular([0.0, 0.0], np.diag([1.0, 1e-10]))
    assert mvn.rank == 2
    np.testing.assert_allclose(mvn.log_prob([[0, 0], [0, 1e-5]]), [9.675048398, 9.175048398], rtol=1e-9)
    assert singular([0.0, 0.0], np.diag([1e300, 1e-300])).rank == 2


@pytest.mark.parametrize("form", ["covariance", "variance", "scale_tril"])
def test_full_rank_gives_the_same_bits(form):
    rng = np.random.default_rng(2)
    for d in (1, 2, 5, 40):
        a = rng.normal(size=(3, d, d + 3))
        covariance = a @ a.swapaxes(-1, -2)
        matrix = {
            "covariance": covariance,
            "variance": np.diagonal(covariance, axis1=-2, axis2=-1),
            "scale_tril": np.linalg.cholesky(covariance),
        }[form]
        x = rng.normal(size=(100, 1, d))
        for mat, points in ((matrix, x), (matrix[0], x[:, 0])):
            plain, allowed = MVN(np.zeros(d), **{form: mat}), singular(np.zeros(d), **{form: mat})
            np.testing.assert_array_equal(allowed.log_prob(points), plain.log_prob(points))
            np.testing.assert_array_equal(allowed.scale_tril, plain.scale_tril)
            np.testing.assert_array_equal(allowed.entropy(), plain.entropy())
            assert np.all(allowed.rank == d)
            assert allowed != plain


def test_the_rank_rule():
    """Unexplained variance of the second coordinate is 1 - ρ²."""
    for gap, rtol, rank in ((1e-6, None, 2), (1e-6, 1e-5, 1), (2.0**-53, None, 1), (1e-14, 1e-12, 1)):
        rho = 1 - gap
        assert singular([0.0, 0.0], [[1.0, rho], [rho, 1.0]], singular_rtol=rtol).rank == rank
    with pytest.warns(ll.AccuracyWarning, match=r"covariance has condition number 2e\+14"):
        assert singular([0.0, 0.0], [[1.0, 1 - 1e-14], [1 - 1e-14, 1.0]]).rank == 2
    # a factor has twice the digits
    thin = [[1.0, 0.0, 0.0], [1.0, 1e-12, 0.0], [0.0, 0.0, 0.0]]
    assert singular(np.zeros(3), scale_tril=thin).rank == 2
    assert singular(np.zeros(3), scale_tril=thin, singular_rtol=1e-20).rank == 1


def test_a_tolerance_of_zero():
    """Rounding then looks like rank; what an ordinary factorisation refuses still counts as singular."""
    refused = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        d = int(rng.integers(2, 7))
        b = rng.normal(size=(d, d - 1))
        gram = b @ b.T
        covariance = np.tril(gram) + np.tril(gram, -1).T
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ll.AccuracyWarning)
            mvn = singular(np.zeros(d), covariance, singular_rtol=0.0)
            try:
                MVN(np.zeros(d), covariance)
            except LinAlgError:
                refused += 1
                assert mvn.rank < d
        assert np.isfinite(mvn.log_prob(np.zeros(d)))
    assert refused > 10


def test_what_counts_as_on_the_support():
    line = singular([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0]])
    rtol = 9 * 2.0**-53
    for distance in (0.0, 1.0, 1e6):
        near = 0.9 * math.sqrt(rtol) * max(1.0, distance)
        assert np.isfinite(line.log_prob([distance, distance + near]))
        assert line.log_prob([distance, distance + 1.5 * near]) == -np.inf
    wide = singular([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0]], singular_rtol=1e-4)
    assert np.isfinite(wide.log_prob([0.0, 0.009]))
    assert wide.log_prob([0.0, 0.011]) == -np.inf
    # far from the origin, points are rounded
    far = singular([1e12, 1e12], [[1.0, 1.0], [1.0, 1.0]])
    assert np.isfinite(far.log_prob([1e12 + 1.0001, 1e12 + 1.0002]))
    assert far.log_prob([1e12, 1e12 + 0.1]) == -np.inf
    constant = singular([1.0, 3.0], variance=[1.0, 0.0])
    assert np.isfinite(constant.log_prob([0.0, np.nextafter(3.0, 4)]))
    assert constant.log_prob([0.0, 3.0 + 1e-14]) == -np.inf
    # points in float32 are what they can be
    assert np.isfinite(singular([0.1, 0.1], [[1.0, 1.0], [1.0, 1.0]]).log_prob(np.float32([0.3, 0.3])))
    assert np.isfinite(singular([0.1, 0.1], variance=[1.0, 0.0]).log_prob(np.float32([0.3, 0.1])))


def test_many_points_and_one_by_one():
    """Many points take other kernels than one: the same supports to the last point, and the same values."""
    rng = np.random.default_rng(12)
    for d, r, constants in ((2, 1, 0), (5, 2, 1), (9, 6, 2), (3, 2, 1)):
        b = integers(d - constants, r, rng)
        b = rng.permutation(np.vstack([b, np.zeros((constants, r))]) * 2.0 ** rng.integers(-100, 100, size=(d, 1)))
        std = np.sqrt((b * b).sum(axis=1))
        tolerance = math.sqrt((d + 1) ** 2 * 2.0**-53)
        for offset in (0.0, 1e3, 1e12):
            unit = np.where(std > 0, std, 1.0)
            loc = offset * unit * rng.choice([-1, 1], size=d)
            mvn = singular(loc, b @ b.T)
            assert mvn.rank == r
            n = 200
            z = rng.normal(size=(n, r)) * 10.0 ** rng.integers(-3, 6, size=(n, 1))
            x = loc + z @ b.T
            size = np.maximum(1, np.sqrt((z * z).sum(axis=1)))
            moved = rng.integers(d, size=n)  # one coordinate moved by about what is allowed, or much more or less
            amount = tolerance * size * 10.0 ** rng.uniform(-1, 1, size=n) * 1e6 ** rng.integers(-1, 2, size=n)
            x[range(n), moved] += amount * unit[moved] * rng.choice([-1, 1], size=n)
            got = mvn.log_prob(x)
            single = np.array([mvn.log_prob(row) for row in x])
            np.testing.assert_array_equal(np.isinf(got), np.isinf(single))
            assert 10 < np.isinf(got).sum() < n - 10
            np.testing.assert_allclose(got, single, rtol=1e-12, atol=1e-12)


def test_constant_coordinates():
    v = np.array([4.0, 0.0, 9.0])
    want = -0.5 * (1 / 4 + 4 / 9) - math.log(6) - LOG_2PI
    for mvn in (
        singular([1.0, 2.0, 3.0], variance=v),
        singular([1.0, 2.0, 3.0], np.diag(v)),
        singular([1.0, 2.0, 3.0], scale_tril=np.diag(np.sqrt(v))),
    ):
        assert mvn.rank == 2
        assert mvn.log_prob([2.0, 2.0, 5.0]) == pytest.approx(want, rel=1e-15)
        assert mvn.log_prob([2.0, 2.5, 5.0]) == -np.inf
        assert mvn.entropy() == pytest.approx(math.log(6) + 1 + LOG_2PI, rel=1e-15)
        np.testing.assert_array_equal(mvn.variance, v)
        np.testing.assert_array_equal(mvn.covariance, np.diag(v))
        np.testing.assert_allclose(mvn.scale_tril @ mvn.scale_tril.T, np.diag(v), rtol=1e-15)
        assert mvn.condition_number == 1
        correlation = mvn.correlation
        assert correlation[0, 2] == 0
        assert np.isnan(correlation[0, 1])
        np.testing.assert_array_equal(np.diagonal(correlation), 1)
    nothing = singular([5.0], variance=[0.0])
    assert (nothing.rank, nothing.log_prob([5.0]), nothing.log_prob([4.0])) == (0, 0.0, -np.inf)
    assert nothing.entropy() == 0


# ---------------------------------------------------------------------------------------- batches and calls


def batch(rng, d, shape):
    """Covariances of every rank, B exact, as B (..., d, d) padded by zero columns."""
    b = np.zeros((*shape, d, d))
    for i, index in enumerate(np.ndindex(*shape)):
        r = i % (d + 1)
        if r:
            b[index][:, :r] = integers(d, r, rng)
    return b


@pytest.mark.parametrize("form", ["covariance", "scale_tril", "variance"])
@pytest.mark.parametrize("matrix_batch", [(4,), (3, 1), (3, 4), (2, 1, 4)])
def test_every_way_to_broadcast(form, matrix_batch):
    rng = np.random.default_rng(len(matrix_batch))
    d = 3
    b = batch(rng, d, matrix_batch)
    if form == "variance":
        b = np.where(b != 0, b, 0) * np.eye(d)
        matrix = np.square(np.diagonal(b, axis1=-2, axis2=-1))
    elif form == "covariance":
        matrix = b @ b.swapaxes(-1, -2)
    else:
        matrix = np.stack([triangular(one) for one in b.reshape(-1, d, d)]).reshape(b.shape)
    finite = infinite = 0
    for loc_batch in ((), (4,), (3, 1)):
        if len(matrix_batch) == 3 and loc_batch == (3, 1):
            matrix, matrix_batch = matrix[:, :, :1], (2, 1, 1)
        loc = np.full((*loc_batch, d), 2.0)
        loc[..., 0] = rng.integers(0, 2, size=loc_batch)
        mvn = singular(loc, **{form: matrix})
        means = np.broadcast_to(loc, (*mvn.batch_shape, d)).reshape(-1, d)
        ones = np.broadcast_to(matrix, mvn.batch_shape + matrix.shape[len(matrix_batch) :])
        ones = ones.reshape(-1, *matrix.shape[len(matrix_batch) :])
        assert mvn.rank.shape == mvn.batch_shape
        for x_batch in ((), mvn.batch_shape, (5, *[1] * len(mvn.batch_shape)), (2, *mvn.batch_shape)):
            x = np.full((*x_batch, d), 2.0)
            x[..., 0] = rng.integers(0, 2, size=x_batch)  # some are means, so on every support
            got = mvn.log_prob(x)
            lead = np.broadcast_shapes(x.shape[:-1], mvn.batch_shape)
            assert got.shape == lead
            each = np.broadcast_to(x, (*lead, d))
            owner = np.broadcast_to(np.arange(len(ones)).reshape(mvn.batch_shape), lead)
            for index in np.ndindex(*lead):
                single = singular(means[owner[index]], **{form: ones[owner[index]]})
                np.testing.assert_allclose(got[index], single.log_prob(each[index]), rtol=1e-12, atol=1e-12)
            finite += np.isfinite(got).sum()
            infinite += np.isinf(got).sum()
            out = np.asfortranarray(np.empty(lead))
            assert mvn.log_prob(x, out=out) is out
            np.testing.assert_array_equal(out, got)
    assert min(finite, infinite) > 5


def test_singular_items_leave_the_others_alone():
    rng = np.random.default_rng(8)
    a = rng.normal(size=(6, 4, 7))
    covariance = a @ a.swapaxes(-1, -2)
    planted = covariance.copy()
    planted[2], planted[5] = np.ones((4, 4)), 0.0
    x = rng.normal(size=(50, 1, 4))
    keep = [0, 1, 3, 4]
    want, got = MVN(np.zeros(4), covariance).log_prob(x), singular(np.zeros(4), planted).log_prob(x)
    np.testing.assert_array_equal(got[:, keep], want[:, keep])
    assert (got[:, [2, 5]] == -np.inf).all()
    assert singular(np.zeros(4), planted).rank.tolist() == [4, 4, 1, 4, 4, 0]
    np.testing.assert_array_equal(singular(np.zeros(4), planted).scale_tril[keep], MVN(np.zeros(4), covariance).scale_tril[keep])


def test_nan_infinity_and_overflow():
    for mvn in (singular([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0]]), singular([0.0, 0.0], variance=[0.0, 1.0])):
        x = np.array([[0.0, np.nan], [np.nan, 0.0], [0.0, np.inf], [-np.inf, 0.0], [np.inf, np.nan], [1e308, -1e308]])
        with np.errstate(all="raise"):
            got = mvn.log_prob(x)
        np.testing.assert_array_equal(got, [np.nan, np.nan, -np.inf, -np.inf, np.nan, -np.inf])


def test_threads_layouts_and_aliases():
    rng = np.random.default_rng(4)
    b = integers(6, 3, rng)
    mvn = singular(np.zeros(6), b @ b.T)
    x = rng.integers(-3, 4, size=(30_000, 3)) @ b.T
    x[::7, 2] += 1
    want = mvn.log_prob(x)
    assert np.isfinite(want).mean() == pytest.approx(6 / 7, abs=1e-3)
    for threads in (1, 2, 3):
        with ll.num_threads(threads):
            np.testing.assert_array_equal(mvn.log_prob(x), want)
    for view in (np.asfortranarray(x), x.astype(">f8"), x[::-1].copy()[::-1]):
        np.testing.assert_array_equal(mvn.log_prob(view), want)
    memory = x.copy()
    assert mvn.log_prob(memory, out=memory[:, 1]) is not None
    np.testing.assert_array_equal(memory[:, 1], want)
    with pytest.raises(ValueError, match="out must have shape"):
        mvn.log_prob(x, out=np.empty(3))


def test_wider_points():
    """A float32 object keeps its rank for float64 points."""
    b = integers(4, 2, np.random.default_rng(6))
    mvn = singular(np.zeros(4, np.float32), (b @ b.T / 3).astype(np.float32))
    z = np.array([1.0, -2.0])
    x = b @ z / np.sqrt(3.0)
    assert mvn.rank == 2
    value = mvn.log_prob(x)
    assert value.dtype == np.float64
    assert value == pytest.approx(exact_log_prob(b / np.sqrt(3.0), z), rel=1e-6)


def test_memory_of_a_call():
    n, d = 300_000, 4
    mvn = singular(np.zeros(d), np.ones((d, d)))
    x = np.zeros((n, d), np.float32)[:, ::-1]
    assert peak_memory(lambda: mvn.log_prob(x)) < n * 8 + 16 * 2**20


# ---------------------------------------------------------------------------------------- the object


def test_the_object():
    mvn = singular([0.0, 0.0, 1.0], [[4.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 9.0]], singular_rtol=1e-9)
    assert pickle.loads(pickle.dumps(mvn)) == mvn
    scope = {"MultivariateNormal": MVN, "array": np.array}
    assert eval(repr(mvn), scope) == mvn
    assert hash(eval(repr(mvn), scope)) == hash(mvn)
    assert mvn != singular([0.0, 0.0, 1.0], mvn.covariance)
    assert mvn.rank == 2
    np.testing.assert_allclose(mvn.scale_tril, [[2, 0, 0], [1, 0, 0], [0, 3, 0]], atol=1e-15)
    np.testing.assert_array_equal(mvn.correlation, [[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    # sd √5 along (2, 1) and 3 along the third axis
    assert mvn.entropy() == pytest.approx(0.5 * math.log(45) + 1 + LOG_2PI, rel=1e-14)
    assert mvn.condition_number == pytest.approx(1)
    assert not mvn.scale_tril.flags.writeable
    again = singular(mvn.loc, scale_tril=mvn.scale_tril)
    x = np.array([2.0, 1.0, 2.0])
    assert again.log_prob(x) == pytest.approx(mvn.log_prob(x), rel=1e-14)
    np.testing.assert_array_equal(again.scale_tril, mvn.scale_tril)
    with pytest.raises(NotImplementedError, match=r"MultivariateNormal.log_prob: no gradients \(wrt=\)"):
        mvn.log_prob(x, wrt="x")
    regular = MVN(np.zeros(3), np.eye(3))
    for p, q, name in ((mvn, regular, "p"), (regular, mvn, "q")):
        with pytest.raises(NotImplementedError, match=f"kl_divergence: {name} has a singular covariance"):
            ll.kl_divergence(p, q)


def test_no_mixture_of_densities_on_different_supports():
    components = singular(np.zeros(2), np.stack([np.eye(2), np.ones((2, 2))]))
    with pytest.raises(ValueError, match=r"mixture_log_prob: mvn\[1\] has a singular covariance"):
        ll.mixture_log_prob([0.0, 0.0], np.log([0.5, 0.5]), components)
    regular = singular(np.zeros(2), np.stack([np.eye(2), 2 * np.eye(2)]))
    assert ll.mixture_log_prob([0.0, 0.0], np.log([0.5, 0.5]), regular) < 0


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"covariance": [[1, 2], [2, 1]]}, LinAlgError, r"covariance is indefinite: its smallest eigenvalue.* -1"),
        ({"covariance": [[[1, 0], [0, 1]], [[1, 2], [2, 1]]]}, LinAlgError, r"covariance\[1\] is indefinite"),
        ({"covariance": [[1, 1.001], [1.001, 1]]}, LinAlgError, r"covariance is indefinite"),
        ({"covariance": [[0, 1], [1, 5]]}, LinAlgError, r"indefinite: covariance\[0, 1\] = 1.0 beside covariance\[0, 0\] = 0.0"),
        ({"covariance": [[1, 0], [0, -1]]}, LinAlgError, r"indefinite: covariance\[1, 1\] = -1.0 is negative"),
        ({"covariance": [[1, 0], [0, 1e-310]]}, LinAlgError, r"covariance\[1, 1\] = 1e-310 is subnormal"),
        ({"covariance": [[1, 1], [0, 1]]}, ValueError, r"covariance must be symmetric, but covariance\[1, 0\] = 0.0"),
        ({"covariance": [[1, np.nan], [0, 1]]}, ValueError, r"finite, but covariance\[0, 1\] = nan"),
        ({"variance": [1, -1]}, LinAlgError, r"indefinite: variance\[1\] = -1.0"),
        ({"scale_tril": [[1, 0], [0, -1]]}, LinAlgError, r"scale_tril\[1, 1\] = -1.0 is negative"),
        ({"scale_tril": [[1, 1], [0, 0]]}, ValueError, r"lower triangular, but scale_tril\[0, 1\] = 1.0"),
        ({"precision": np.eye(2)}, ValueError, r"allow_singular=True has no meaning with precision"),
        ({"covariance": np.eye(2), "singular_rtol": -1.0}, ValueError, r"singular_rtol must be in \[0, 1\), got -1.0"),
        ({"covariance": np.eye(2), "singular_rtol": np.nan}, ValueError, r"singular_rtol must be in \[0, 1\), got nan"),
        ({"covariance": np.eye(2), "singular_rtol": "x"}, TypeError, r"singular_rtol must be a number"),
        ({"covariance": np.eye(2), "allow_singular": 2}, TypeError, r"allow_singular must be True or False, got 2"),
        (
            {"covariance": np.eye(2), "allow_singular": False, "singular_rtol": 0.1},
            ValueError,
            r"singular_rtol = 0.1 has no meaning without",
        ),
    ],
)
def test_errors(parameters, error, message):
    with pytest.raises(error, match="MultivariateNormal: .*" + message):
        MVN([0, 0], **{"allow_singular": True, **parameters})


def test_indefinite_by_more_than_rounding():
    """A projected correlation matrix: clearly negative eigenvalues stay an error, rounding does not."""
    rng = np.random.default_rng(9)
    b = rng.normal(size=(12, 4))
    gram = b @ b.T
    std = np.sqrt(np.diagonal(gram))
    h = gram / std[:, None] / std
    np.fill_diagonal(h, 1)
    assert singular(np.zeros(12), h).rank == 4
    with pytest.raises(LinAlgError, match="indefinite"):
        singular(np.zeros(12), h - 1e-9 * (np.eye(12) - np.ones((12, 12)) / 12))
