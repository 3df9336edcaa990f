"""The Cholesky kernel: residuals against exact rationals and long doubles, positions, bad matrices,
scaling."""

from fractions import Fraction

import numpy as np
import pytest

import loglik as ll
from loglik._kernels import make_ufuncs

LEVELS = ll.available_isas()
DTYPES = [np.float64, np.float32]
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 200]


def unit_roundoff(dtype):
    return np.finfo(dtype).eps / 2


def symmetric(lower):
    return np.tril(lower) + np.swapaxes(np.tril(lower, -1), -1, -2)


def matrices(d, dtype, rng):
    """Kinds that stress a factorisation differently."""
    a = rng.normal(size=(d, d + 2))
    yield "random", symmetric((a @ a.T / d + 0.1 * np.eye(d)).astype(dtype))
    yield "identity", np.eye(d, dtype=dtype)
    i = np.arange(d)
    yield "toeplitz", (0.9 ** np.abs(i[:, None] - i)).astype(dtype)
    yield "minimum", (1.0 + np.minimum(i[:, None], i)).astype(dtype)
    yield "nearly diagonal", (np.diag(np.linspace(1, 3, d)) + 1e-3).astype(dtype)
    scale = 2.0 ** rng.integers(-20, 21, size=d)
    yield "graded", symmetric((scale[:, None] * (a @ a.T / d + np.eye(d)) * scale).astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", SIZES)
def test_residual(kernels, d, dtype):
    rng = np.random.default_rng(d)
    for kind, a in matrices(d, dtype, rng):
        lower, info = kernels["cholesky"](a)
        assert info == 0, kind
        assert lower.dtype == dtype
        assert (np.triu(lower, 1) == 0).all()
        assert (np.diagonal(lower) > 0).all()
        exact = np.tril(lower).astype(np.longdouble)
        residual = np.abs(a.astype(np.longdouble) - exact @ exact.T).sum(axis=0).max()
        norm = np.abs(a.astype(np.longdouble)).sum(axis=0).max()
        assert residual <= 2 * d * norm * unit_roundoff(dtype), kind


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_residual_in_exact_arithmetic(kernels, d, dtype):
    rng = np.random.default_rng(100 + d)
    for _ in range(50):
        a = rng.normal(size=(d, d + 1))
        a = symmetric((a @ a.T + 0.01 * np.eye(d)).astype(dtype))
        lower, info = kernels["cholesky"](a)
        assert info == 0
        low = [[Fraction(float(v)) for v in row] for row in lower]
        columns = []
        for j in range(d):
            columns.append(
                sum(
                    abs(Fraction(float(a[i, j])) - sum(low[i][k] * low[j][k] for k in range(d)))
                    for i in range(d)
                )
            )
        norm = max(sum(abs(Fraction(float(a[i, j]))) for i in range(d)) for j in range(d))
        assert max(columns) <= 2 * d * norm * Fraction(float(unit_roundoff(dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", SIZES)
def test_only_the_lower_triangle_is_read(kernels, d, dtype):
    rng = np.random.default_rng(d)
    a = next(matrices(d, dtype, rng))[1]
    poisoned = a.copy()
    poisoned[np.triu_indices(d, 1)] = np.nan
    np.testing.assert_array_equal(kernels["cholesky"](poisoned)[0], kernels["cholesky"](a)[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [2, 5, 8, 17, 40])
def test_scaling_by_powers_of_two_is_exact(kernels, d, dtype):
    rng = np.random.default_rng(d)
    a = next(matrices(d, dtype, rng))[1]
    scale = (2.0 ** rng.integers(-30, 31, size=d)).astype(dtype)
    lower = kernels["cholesky"](a)[0]
    scaled, info = kernels["cholesky"](scale[:, None] * a * scale)
    assert info == 0
    np.testing.assert_array_equal(scaled, scale[:, None] * lower)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [2, 3, 8, 20, 60])
def test_factors_down_to_the_guaranteed_eigenvalue(kernels, d, dtype):
    """Unit diagonal, smallest eigenvalue just above (d + 1)²·u: a Gram matrix of correlation close to one."""
    smallest = (
        4 * (d + 1) ** 2 * unit_roundoff(dtype)
    )  # forming the matrix costs up to about (d + 1)·u itself
    a = np.full((d, d), 1 - smallest, np.float64)
    np.fill_diagonal(a, 1)
    assert kernels["cholesky"](a.astype(dtype))[1] == 0


def test_layouts_and_position_do_not_change_bits(kernels):
    rng = np.random.default_rng(5)
    for dtype in DTYPES:
        for d in (3, 8, 30):
            a = np.stack([next(matrices(d, dtype, rng))[1] for _ in range(9)])
            expected, _ = kernels["cholesky"](a)
            for i in range(9):
                np.testing.assert_array_equal(kernels["cholesky"](a[i])[0], expected[i])
            wide = np.zeros((9, 2 * d, 3 * d), dtype)
            wide[:, ::2, ::3] = a
            for view in (a[::-1], np.asfortranarray(a), wide[:, ::2, ::3], a.swapaxes(1, 2)):
                want = expected[::-1] if view.strides[0] < 0 else expected
                np.testing.assert_array_equal(kernels["cholesky"](view)[0], want)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bad_matrices_are_reported_and_stay_alone(kernels, dtype):
    rng = np.random.default_rng(8)
    for d in (1, 3, 8, 33):
        a = np.stack([next(matrices(d, dtype, rng))[1] for _ in range(6)])
        good = kernels["cholesky"](a)[0]
        a[1, d // 2, d // 2] = -1
        a[3, d - 1, 0] = np.nan
        a[4, d - 1, d - 1] = np.inf
        with np.errstate(invalid="ignore"):
            lower, info = kernels["cholesky"](a)
        assert info.tolist() == [0, d // 2 + 1, 0, -1, -1, 0]
        for i in (0, 2, 5):
            np.testing.assert_array_equal(lower[i], good[i])
        for i in (1, 3, 4):
            assert np.isnan(lower[i]).all()


def test_invalid_flag_only_for_nan_made_from_numbers(kernels):
    with np.errstate(all="raise"):
        kernels["cholesky"](np.array([[4.0, 2.0], [2.0, 3.0]]))
        kernels["cholesky"](np.array([[np.nan, 2.0], [2.0, 3.0]]))
    with pytest.warns(RuntimeWarning, match="invalid value"):
        kernels["cholesky"](np.array([[1.0, 2.0], [2.0, 1.0]]))


def test_same_bits_at_all_levels_with_fused_multiply_add():
    levels = [name for name in LEVELS if name != "baseline"]
    rng = np.random.default_rng(3)
    for dtype in DTYPES:
        for d in SIZES:
            a = next(matrices(d, dtype, rng))[1]
            first = make_ufuncs(levels[0])["cholesky"](a)[0]
            for name in levels[1:]:
                np.testing.assert_array_equal(make_ufuncs(name)["cholesky"](a)[0], first)


def test_empty(kernels):
    assert kernels["cholesky"](np.empty((0, 3, 3)))[0].shape == (0, 3, 3)
    assert kernels["cholesky"](np.empty((2, 0, 0)))[1].tolist() == [0, 0]


@pytest.mark.parametrize("d", [1, 3, 4, 9, 30, 70])
@pytest.mark.parametrize("dtype", DTYPES)
def test_whiten_is_backward_stable(kernels, d, dtype):
    rng = np.random.default_rng(d)
    lower = kernels["cholesky"](next(matrices(d, dtype, rng))[1])[0]
    for n in (0, 1, 7, 50):
        x, loc = rng.normal(size=(n, d)).astype(dtype), rng.normal(size=d).astype(dtype)
        y = kernels["whiten"](x, loc, lower)
        assert y.shape == (n, d)
        assert y.dtype == dtype
        exact, wide = lower.astype(np.longdouble), y.astype(np.longdouble)
        delta = x.astype(np.longdouble) - loc
        slack = np.abs(wide) @ np.abs(exact).T + np.abs(delta)
        assert (np.abs(wide @ exact.T - delta) <= (d + 4) * unit_roundoff(dtype) * slack).all()


def test_whiten_bad_factor(kernels):
    with np.errstate(invalid="ignore"):
        assert np.isnan(kernels["whiten"](np.ones((3, 2)), np.zeros(2), np.diag([1.0, -1.0]))).all()
    with np.errstate(all="raise"):
        row = kernels["whiten"](np.array([[1.0, np.nan], [1.0, 2.0]]), np.zeros(2), np.eye(2))
    np.testing.assert_array_equal(row, [[1.0, np.nan], [1.0, 2.0]])


@pytest.mark.parametrize("d", [1, 2, 3, 4, 7, 8, 9, 30, 70])
@pytest.mark.parametrize("dtype", DTYPES)
def test_unwhiten_is_the_product(kernels, d, dtype):
    rng = np.random.default_rng(d)
    lower = np.tril(rng.normal(size=(d, d)) * 10.0 ** rng.integers(-5, 6, (d, 1))).astype(dtype)
    lower[:, d // 2] = 0  # singular
    unread = lower + np.triu(np.full((d, d), np.nan, dtype), 1)
    for n in (0, 1, 3, 4, 7, 50, 200):
        z, loc = rng.normal(size=(n, d)).astype(dtype), rng.normal(size=d).astype(dtype)
        x = kernels["unwhiten"](z, loc, unread)
        assert x.dtype == dtype
        wide = z.astype(np.longdouble)
        slack = np.abs(loc) + np.abs(wide) @ np.abs(lower).T
        assert (np.abs(x - (wide @ lower.T + loc)) <= (d + 1) * unit_roundoff(dtype) * slack).all()
        rows = [kernels["unwhiten"](row[None], loc, lower)[0] for row in z]
        assert b"".join(row.tobytes() for row in rows) == x.tobytes()  # few rows and many: the same operations
        assert kernels["unwhiten"](z[:, None, :], loc, lower).tobytes() == x.tobytes()


@pytest.mark.parametrize("n", [2, 60])
def test_unwhiten_nan_and_infinity(kernels, n):
    z, loc = np.ones((n, 3)), np.zeros(3)
    z[1] = [1.0, np.nan, 1.0]
    with np.errstate(all="raise"):
        x = kernels["unwhiten"](z, loc, np.tril(np.ones((3, 3))))
    np.testing.assert_array_equal(x[:2], [[1, 2, 3], [1, np.nan, np.nan]])
    with pytest.raises(FloatingPointError), np.errstate(invalid="raise"):
        kernels["unwhiten"](np.zeros((n, 1)), np.zeros(1), np.full((1, 1), np.inf))
    with np.errstate(all="raise"):
        assert np.isnan(kernels["unwhiten"](np.ones((n, 1)), np.full(1, np.nan), np.ones((1, 1)))).all()
        assert np.isnan(kernels["unwhiten"](np.ones((n, 1)), np.zeros(1), np.full((1, 1), np.nan))).all()


# ------------------------------------------------------------------------------------------------ symmetry


def first_asymmetry(a):
    """The definition: first (i, j), i > j, with |a_ij - a_ji| > sqrt(u) sqrt(a_ii a_jj), as i·d + j."""
    tolerance = np.sqrt(float(np.finfo(a.dtype).eps) / 2)
    d = len(a)
    for i in range(d):
        for j in range(i):
            gap = abs(float(a[i, j]) - float(a[j, i]))
            if not gap <= tolerance * np.sqrt(float(a[i, i])) * np.sqrt(float(a[j, j])):
                return i * d + j
    return 0


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17])
def test_asymmetry_is_the_definition(kernels, dtype, d):
    rng = np.random.default_rng(d)
    a = rng.normal(size=(200, d, d + 2)).astype(dtype)
    a = a @ a.swapaxes(1, 2)
    a = np.tril(a) + np.tril(a, -1).swapaxes(1, 2)
    eps = np.finfo(dtype).eps
    for k in range(0, 200, 3):  # two of three matrices are symmetric in every bit
        i, j = rng.integers(d, size=2)
        change = (eps, 1e-3 * np.sqrt(eps), 1e3 * np.sqrt(eps), np.nan)[k % 4] if i != j else 0
        a[k, i, j] += change * np.sqrt(a[k, i, i] * a[k, j, j])
    got = kernels["asymmetry"](a)
    assert got.tolist() == [first_asymmetry(x) for x in a]
    assert (got != 0).any() == (d > 1)
    np.testing.assert_array_equal(kernels["asymmetry"](a[:, ::-1, ::-1]), [first_asymmetry(x[::-1, ::-1]) for x in a])


@pytest.mark.parametrize("d", [1, 2, 3, 4, 7, 8, 16, 33, 64, 65])
def test_a_batch_has_the_bits_of_its_items(kernels, dtype, d):
    """Groups of matrices are factored as lanes, the rest one by one; a bad matrix leaves its group to the latter."""
    rng = np.random.default_rng(d)
    a = rng.normal(size=(45, d, d + 1))
    a = (a @ a.swapaxes(1, 2) + 0.1 * np.eye(d)).astype(dtype)
    alone = np.stack([kernels["cholesky"](one)[0] for one in a])
    whole, info = kernels["cholesky"](a)
    assert not info.any()
    np.testing.assert_array_equal(whole, alone)
    out = np.full((45, d, 2 * d), 7, dtype)[:, :, ::2]
    np.testing.assert_array_equal(kernels["cholesky"](np.asfortranarray(a), out=(out, None))[0], alone)
    np.testing.assert_array_equal(out.base[:, :, 1::2], 7)

    bad = a.copy()
    bad[5, d - 1, d - 1], bad[20, 0, 0] = -1, np.nan
    with np.errstate(invalid="ignore"):
        got, info = kernels["cholesky"](bad)
    keep = np.setdiff1d(np.arange(45), [5, 20])
    np.testing.assert_array_equal(got[keep], alone[keep])
    assert np.isnan(got[[5, 20]]).all()
    assert (info[5], info[20], info[keep].any()) == (d, -1, False)
