"""Multivariate normal: kernels against mpmath and long doubles at every level, and the facade."""

import pickle
import sys
from functools import partial

import mpmath
import numpy as np
import pytest
from memory_tools import peak_memory
from mvn_accuracy import LOG_2PI, long_cholesky, long_values
from numpy.linalg import LinAlgError

import loglik as ll
from loglik._kernels import level_properties, make_ufuncs

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 200]

# ---------------------------------------------------------------------------------------- references


def spd(d, rng, dtype, kappa=1e2):
    """A symmetric positive definite matrix with spread-out scales, exactly representable in `dtype`."""
    q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    h = (q * np.geomspace(1, 1 / kappa, d)) @ q.T
    scale = np.exp(rng.normal(size=d))
    a = (scale[:, None] * h * scale).astype(dtype)
    return np.tril(a) + np.tril(a, -1).T


def kappa_of(a):
    a = a.astype(np.float64)
    std = np.sqrt(np.diagonal(a))
    return max(1.0, np.linalg.cond(a / std[:, None] / std))


def exact_values(x, loc, a):
    """Values like `long_values`, from mpmath with 50 digits."""
    with mpmath.workdps(50):
        d = len(loc)
        matrix = mpmath.matrix(a.astype(float).tolist())
        lower = mpmath.cholesky(matrix, tol=mpmath.mpf("1e-2000"))  # graded matrices have tiny pivots
        log_det = sum(mpmath.log(lower[i, i]) for i in range(d))
        values, terms = [], []
        for row in x:
            delta = mpmath.matrix(
                [mpmath.mpf(float(p)) - mpmath.mpf(float(m)) for p, m in zip(row, loc, strict=True)]
            )
            z: list = []
            for i in range(d):  # mpmath's own solver takes graded factors for singular
                z.append((delta[i] - sum(lower[i, k] * z[k] for k in range(i))) / lower[i, i])
            quadratic = sum(v * v for v in z) / 2
            constant = d * mpmath.log(2 * mpmath.pi) / 2
            values.append(-quadratic - log_det - constant)
            terms.append(quadratic + abs(log_det) + constant)
        return values, terms


def assert_close(got, exact, terms, d, kappa, dtype):
    """e <= 4·d·κ in units of u·Σ|terms|."""
    bound = 4 * d * kappa * (np.finfo(dtype).eps / 2) * np.asarray(terms)
    error = np.abs(got.astype(np.longdouble) - exact)
    assert (error <= bound).all(), float((error / bound).max())


def lanes(level, dtype):
    return level_properties(level)["vector_bits"] // (8 * dtype.itemsize)


# ---------------------------------------------------------------------------------------- kernels


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 8, 9, 12])
def test_kernels_against_mpmath(kernels, dtype, d):
    rng = np.random.default_rng(d)
    a, loc = spd(d, rng, dtype), rng.normal(size=d).astype(dtype)
    x = (loc + rng.normal(size=(12, d)) * 3 * np.sqrt(np.diagonal(a))).astype(dtype)
    exact, terms = exact_values(x, loc, a)
    kappa, u = kappa_of(a), np.finfo(dtype).eps / 2
    for value in (
        kernels["mvn_log_prob_shared"](x, loc, a)[0],
        kernels["mvn_log_prob"](x, loc, a)[0],
        kernels["mvn_log_prob_grid"](x, loc[None], a[None])[0][:, 0],
    ):
        assert value.dtype == dtype
        for got, want, scale in zip(value, exact, terms, strict=True):
            assert abs(mpmath.mpf(float(got)) - want) <= 4 * d * kappa * u * scale


@pytest.mark.parametrize("d", SIZES)
def test_kernels_against_long_double(kernels, level, dtype, d):
    rng = np.random.default_rng(d)
    a, loc = spd(d, rng, dtype), rng.normal(size=d).astype(dtype)
    kappa = kappa_of(a)
    factor = kernels["cholesky"](a)[0]
    lower, given = long_cholesky(a), np.tril(factor).astype(np.longdouble)
    w = lanes(level, dtype)
    many = 7 * w + 3 if d <= 65 else 3 * w + 1
    points = (loc + rng.normal(size=(many, d)) @ factor.T).astype(dtype)
    for n in (0, 1, w - 1, w, w + 1, many):
        x = points[:n]
        exact, terms = long_values(x, loc, lower)
        value, info = kernels["mvn_log_prob_shared"](x, loc, a)
        assert info == 0
        assert value.shape == (n,)
        assert_close(value, exact, terms, d, kappa, dtype)
        exact, terms = long_values(x, loc, given)
        value, info = kernels["mvn_log_prob_tril"](x, loc[None], factor[None])
        assert info == 0
        assert_close(value[:, 0], exact, terms, d, kappa, dtype)
        if d <= 65 or n <= w:
            assert_close(kernels["mvn_log_prob_tril_each"](x, loc, factor)[0], exact, terms, d, kappa, dtype)


@pytest.mark.parametrize("d", SIZES)
def test_a_matrix_for_every_point(kernels, level, dtype, d):
    rng = np.random.default_rng(d)
    n = lanes(level, dtype) + 3 if d <= 65 else 2
    distinct = [spd(d, rng, dtype) for _ in range(min(n, 3))]
    factors = [long_cholesky(a) for a in distinct]
    kappas = [kappa_of(a) for a in distinct]
    a = np.stack(distinct)[np.arange(n) % len(distinct)]
    loc, x = rng.normal(size=(2, n, d)).astype(dtype)
    value, info = kernels["mvn_log_prob"](x, loc, a)
    assert (info == 0).all()
    for i in range(n):
        kind = i % len(distinct)
        exact, terms = long_values(x[i : i + 1], loc[i], factors[kind])
        assert_close(value[i : i + 1], exact, terms, d, kappas[kind], dtype)
        alone, _ = kernels["mvn_log_prob"](x[i], loc[i], a[i])
        assert alone == value[i], "the bits do not depend on the position"


@pytest.mark.parametrize("d", [1, 2, 5, 8, 9, 30])
def test_grid_equals_shared_and_whitener_equals_factor(kernels, dtype, d):
    rng = np.random.default_rng(d)
    k, n = 5, 101
    a = np.stack([spd(d, rng, dtype) for _ in range(k)])
    loc, x = rng.normal(size=(k, d)).astype(dtype), rng.normal(size=(n, d)).astype(dtype)
    value, info = kernels["mvn_log_prob_grid"](x, loc, a)
    assert value.shape == (n, k)
    assert info.tolist() == [0] * k
    for j in range(k):
        np.testing.assert_array_equal(value[:, j], kernels["mvn_log_prob_shared"](x, loc[j], a[j])[0])
    whitener = np.linalg.inv(np.linalg.cholesky(a.astype(float)))
    covariance_factor = [long_cholesky(np.eye(d))] * k
    for j in range(k):
        # Σ⁻¹ = WᵀW with the rounded W: z = W(x − μ)
        w = np.tril(whitener[j].astype(dtype))
        z = (x.astype(np.longdouble) - loc[j]) @ w.astype(np.longdouble).T
        exact, terms = long_values(z, np.zeros(d), covariance_factor[j])
        log_det = np.log(np.diagonal(w).astype(np.longdouble)).sum()
        spread = np.square(np.abs(x.astype(float) - loc[j]) @ np.abs(w.astype(float)).T).sum(axis=1)
        for got in (
            kernels["mvn_log_prob_whitened"](x, loc[j][None], w[None])[0][:, 0],
            kernels["mvn_log_prob_whitened_each"](x, loc[j], w)[0],
        ):
            assert_close(got, exact + log_det, terms + np.abs(log_det) + spread, d, 1, dtype)


@pytest.mark.parametrize("d", [1, 2, 3, 7, 8, 31, 32, 33, 70, 200])
def test_diagonal(kernels, level, dtype, d):
    rng = np.random.default_rng(d)
    n = 2 * lanes(level, dtype) + 3
    loc, x = rng.normal(size=(2, n, d)).astype(dtype)
    variance = np.exp(rng.normal(size=(n, d)) * (20 if dtype == np.float64 else 8)).astype(dtype)
    each = kernels["mvn_log_prob_diagonal"](x, loc, variance)
    for i in range(n):
        parts = (x[i].astype(np.longdouble) - loc[i]) ** 2 / (2 * variance[i].astype(np.longdouble))
        logs = np.log(variance[i].astype(np.longdouble)) / 2
        exact = -(parts + logs + LOG_2PI / 2).sum()
        terms = (parts + np.abs(logs) + LOG_2PI / 2).sum()
        assert_close(each[i], exact, terms, d, 1, dtype)
    shared = kernels["mvn_log_prob_diagonal"](x, loc[0], variance[0])
    tiled = kernels["mvn_log_prob_diagonal"](x, np.tile(loc[0], (n, 1)), np.tile(variance[0], (n, 1)))
    np.testing.assert_array_equal(shared, tiled)


@pytest.mark.parametrize("d", [1, 2, 7, 32, 33, 70])
@pytest.mark.parametrize("k", [1, 2, 3, 8, 17])
@pytest.mark.parametrize("n", [1, 5, 97])
def test_grid_of_diagonals_has_the_bits_of_each(kernels, dtype, n, k, d):
    rng = np.random.default_rng(d)
    loc, variance = rng.normal(size=(k, d)).astype(dtype), np.exp(rng.normal(size=(k, d)) * 5).astype(dtype)
    x = rng.normal(size=(n, d)).astype(dtype)
    x[n // 2, -1], x[0, 0] = np.inf, np.nan
    variance[0, d // 2] = rng.choice([0, -1, np.inf, 1e-320, 1])
    loc[-1, 0] = rng.choice([np.inf, 1])
    with np.errstate(invalid="ignore"):
        want = kernels["mvn_log_prob_diagonal"](x[:, None], loc, variance)
        assert np.isnan(want[0]).all()
        np.testing.assert_array_equal(kernels["mvn_log_prob_diagonal_grid"](x, loc, variance), want)
        across = np.empty((2 * k, n), dtype)
        wide = np.zeros((2 * n, 3 * d), dtype)[::2, ::3]
        wide[...] = x
        kernels["mvn_log_prob_diagonal_grid"](
            wide, np.asfortranarray(loc), np.broadcast_to(variance, (1, k, d)), out=across[::2].T[None]
        )
    np.testing.assert_array_equal(across[::2].T, want)


def test_grid_of_diagonals_flags_bad_parameters_alone(kernels):
    x, loc, one = np.array([[0.0, np.nan], [np.inf, 1.0], [1.0, 2.0]] * 9), np.zeros((3, 2)), np.ones((3, 2))
    with np.errstate(all="raise"):
        got = kernels["mvn_log_prob_diagonal_grid"](x, loc, one)
    assert np.isnan(got[::3]).all()
    assert np.isneginf(got[1::3]).all()
    assert np.isfinite(got[2::3]).all()
    one[1, 1] = 0
    with pytest.warns(RuntimeWarning, match="invalid"):
        bad = kernels["mvn_log_prob_diagonal_grid"](x, loc, one)
    assert np.isnan(bad[:, 1]).all()
    np.testing.assert_array_equal(bad[:, [0, 2]], got[:, [0, 2]])


@pytest.mark.parametrize("d", [1, 2, 3, 5, 8, 9, 33, 65])
def test_layouts_and_positions(kernels, dtype, d):
    rng = np.random.default_rng(d)
    a, loc = spd(d, rng, dtype), rng.normal(size=d).astype(dtype)
    x = rng.normal(size=(137, d)).astype(dtype)
    want = kernels["mvn_log_prob_shared"](x, loc, a)[0]
    each = kernels["mvn_log_prob"](x, loc, a)[0]
    wide = np.zeros((274, 3 * d), dtype)
    wide[::2, ::3] = x
    raw = np.zeros(x.nbytes + 1, np.uint8)
    misaligned = raw[1:].view(dtype).reshape(x.shape)
    misaligned[:] = x
    column = np.asfortranarray(x)
    reverse = x[::-1, ::-1].copy()[::-1, ::-1]
    for view in (wide[::2, ::3], misaligned, column, reverse, x.astype(dtype.newbyteorder())):
        np.testing.assert_array_equal(kernels["mvn_log_prob_shared"](view, loc, a)[0], want)
        np.testing.assert_array_equal(kernels["mvn_log_prob"](view, loc, a)[0], each)
    poisoned = a.copy()
    poisoned[np.triu_indices(d, 1)] = np.nan
    np.testing.assert_array_equal(kernels["mvn_log_prob_shared"](x, loc, poisoned)[0], want)
    np.testing.assert_array_equal(kernels["mvn_log_prob"](x, loc, poisoned)[0], each)
    for start in (1, 5, 64, 130):
        np.testing.assert_array_equal(kernels["mvn_log_prob_shared"](x[start:], loc, a)[0], want[start:])
        np.testing.assert_array_equal(kernels["mvn_log_prob"](x[start:], loc, a)[0], each[start:])


def test_levels_with_fused_multiply_add_agree(dtype):
    levels = [name for name in ll.available_isas() if name != "baseline"]
    ufuncs = [make_ufuncs(name) for name in levels]
    rng = np.random.default_rng(1)
    for d in SIZES:
        a = np.stack([spd(d, rng, dtype) for _ in range(3)])[np.arange(19) % 3]
        loc, x = rng.normal(size=(2, 19, d)).astype(dtype)
        shared = [u["mvn_log_prob_shared"](x, loc[0], a[0])[0] for u in ufuncs]
        each = [u["mvn_log_prob"](x, loc, a)[0] for u in ufuncs]
        for other in range(1, len(levels)):
            np.testing.assert_array_equal(shared[other], shared[0])
            np.testing.assert_array_equal(each[other], each[0])


@pytest.mark.parametrize("d", [2, 8, 20])
def test_planted_bad_matrices(kernels, dtype, d):
    rng = np.random.default_rng(d)
    n = 10_000 if d < 20 else 1000
    a = (
        np.broadcast_to(np.stack([spd(d, rng, dtype) for _ in range(50)]), (n // 50, 50, d, d))
        .reshape(n, d, d)
        .copy()
    )
    x = rng.normal(size=(n, d)).astype(dtype)
    loc = np.zeros(d, dtype)
    clean = kernels["mvn_log_prob"](x, loc, a)[0]
    bad = rng.choice(n, 40, replace=False)
    expected = np.zeros(n, int)
    for count, i in enumerate(bad):
        if count % 4 == 0:
            a[i, d - 1, d - 1] = -1
            expected[i] = d
        elif count % 4 == 1:
            a[i, 0, 0] = 0
            expected[i] = 1
        elif count % 4 == 2:
            a[i, 1, 0] = np.nan
            expected[i] = -1
        else:
            a[i, d - 1, 0] = np.inf
            expected[i] = -1
    with np.errstate(invalid="ignore"):
        value, info = kernels["mvn_log_prob"](x, loc, a)
    np.testing.assert_array_equal(info, expected)
    assert np.isnan(value[bad]).all()
    good = np.setdiff1d(np.arange(n), bad)
    np.testing.assert_array_equal(value[good], clean[good])


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 8, 9, 16, 33, 64, 65])
def test_checked_kernel_reports_what_the_others_cannot_see(kernels, dtype, d):
    """Asymmetric matrices and means that are not finite, anywhere in a batch; the others keep their bits."""
    rng, n = np.random.default_rng(d), 37
    a = np.stack([spd(d, rng, dtype) for _ in range(n)])
    x, loc = rng.normal(size=(2, n, d)).astype(dtype)
    value, info = kernels["mvn_log_prob"](x, loc, a)
    for layout in (a, np.asfortranarray(a)):
        checked, all_info = kernels["mvn_log_prob_checked"](x, loc, layout)
        np.testing.assert_array_equal(checked, value)
        assert not all_info.any()

    bad = a.copy()
    expected = np.zeros(n, int)
    if d > 1:
        for item in (0, 11, 36):
            i, j = sorted(rng.choice(d, 2, replace=False))
            bad[item, i, j] += 0.01 * np.sqrt(a[item, i, i] * a[item, j, j])  # above the diagonal
            expected[item] = -4
    bad[5, d - 1, d - 1] = -1
    expected[5] = d
    bad[6, 0, 0] = np.nan
    expected[6] = -1
    dirty = loc.copy()
    dirty[17, d // 2], dirty[18, 0] = np.inf, np.nan
    expected[17] = expected[18] = -3
    with np.errstate(invalid="ignore"):
        got, info = kernels["mvn_log_prob_checked"](x, dirty, bad)
    np.testing.assert_array_equal(info, expected)
    np.testing.assert_array_equal(got[expected == 0], value[expected == 0])
    assert np.isnan(got[expected != 0]).all()

    nearly = a.copy()  # symmetric within the tolerance, though not bit for bit
    nearly[3, 0, d - 1] = np.nextafter(nearly[3, 0, d - 1], np.inf, dtype=dtype) if d > 1 else nearly[3, 0, 0]
    got, info = kernels["mvn_log_prob_checked"](x, loc, nearly)
    assert not info.any()
    np.testing.assert_array_equal(got, value)


@pytest.mark.parametrize("d", [1, 3, 8, 9, 40])
def test_nan_and_inf_stay_in_their_row(kernels, dtype, d):
    rng = np.random.default_rng(d)
    a, loc = spd(d, rng, dtype), np.zeros(d, dtype)
    x = rng.normal(size=(60, d)).astype(dtype)
    calls = {
        "shared": lambda x: kernels["mvn_log_prob_shared"](x, loc, a)[0],
        "each": lambda x: kernels["mvn_log_prob"](x, loc, a)[0],
        "diagonal": lambda x: kernels["mvn_log_prob_diagonal"](x, loc, np.diagonal(a)),
    }
    for call in calls.values():
        clean = call(x)
        dirty = x.copy()
        dirty[7, d - 1] = np.nan
        dirty[20, 0] = np.inf
        dirty[41, d // 2] = -np.inf
        with np.errstate(all="raise"):  # neither a NaN from a NaN nor a correct infinity warns
            got = call(dirty)
        assert np.isnan(got[7])
        assert got[20] == got[41] == -np.inf
        keep = np.setdiff1d(np.arange(60), [7, 20, 41])
        np.testing.assert_array_equal(got[keep], clean[keep])
        with pytest.warns(RuntimeWarning, match="invalid value"):
            kernels["mvn_log_prob_shared"](x, np.full(d, np.inf, dtype), a)


def test_difficult_covariances(kernels):
    """diag(1, 1e-10), Hilbert 8, graded D·H·D over 2^±400: where cutoffs on eigenvalues fail."""
    value, info = kernels["mvn_log_prob_shared"](
        np.array([[0, 0], [0, 1e-5]]), np.zeros(2), np.diag([1, 1e-10])
    )
    assert info == 0
    np.testing.assert_allclose(value, [9.675048398, 9.175048398], rtol=1e-9)
    i = np.arange(8)
    hilbert = 1.0 / (i[:, None] + i + 1)
    for kernel in ("mvn_log_prob_shared", "mvn_log_prob"):
        value, info = kernels[kernel](np.zeros((1, 8)), np.zeros(8), hilbert)
        assert np.all(info == 0)
        exact, terms = exact_values(np.zeros((1, 8)), np.zeros(8), hilbert)
        bound = 4 * 8 * kappa_of(hilbert) * 2.0**-53 * float(terms[0])
        assert abs(float(mpmath.mpf(float(value[0])) - exact[0])) <= bound
    rng = np.random.default_rng(4)
    h = spd(6, rng, np.dtype(float), 10)
    scale = 2.0 ** rng.integers(-400, 401, size=6)
    graded, x = scale[:, None] * h * scale, rng.normal(size=(5, 6)) * scale
    for kernel in ("mvn_log_prob_shared", "mvn_log_prob"):
        value, info = kernels[kernel](x, np.zeros(6), graded)
        assert np.all(info == 0)
        exact, terms = exact_values(x, np.zeros(6), graded)
        for got, want, size in zip(value, exact, terms, strict=True):
            assert abs(mpmath.mpf(float(got)) - want) <= 4 * 6 * kappa_of(h) * mpmath.mpf(2) ** -53 * size


# ---------------------------------------------------------------------------------------- the object


def definition(x, loc, covariance):
    lower = np.linalg.cholesky(covariance)
    z = np.linalg.solve(lower, (x - loc)[..., None])[..., 0]
    logs = np.log(np.diagonal(lower, axis1=-2, axis2=-1)).sum(axis=-1)
    return -0.5 * (z * z).sum(axis=-1) - logs - 0.5 * x.shape[-1] * np.log(2 * np.pi)


BATCHES = [(), (7,), (5, 1), (5, 7), (1, 7), (2, 1, 1), (2, 5, 7)]


@pytest.mark.parametrize("matrix_batch", [(), (7,), (5, 1), (5, 7), (2, 1, 7)])
@pytest.mark.parametrize("x_batch", BATCHES)
def test_every_way_to_broadcast(x_batch, matrix_batch):
    rng = np.random.default_rng(len(x_batch))
    d = 3
    a = rng.normal(size=(*matrix_batch, d, d + 2))
    covariance = a @ a.swapaxes(-1, -2) + np.eye(d)
    precision = np.linalg.inv(covariance)
    precision = (precision + precision.swapaxes(-1, -2)) / 2
    variance = np.diagonal(covariance, axis1=-2, axis2=-1)
    x = rng.normal(size=(*x_batch, d))
    for loc_batch in [(), (7,), (5, 1), (2, 1, 1)]:
        loc = rng.normal(size=(*loc_batch, d))
        want = definition(x, loc, covariance)
        for parameter in (
            {"covariance": covariance},
            {"precision": precision},
            {"scale_tril": np.linalg.cholesky(covariance)},
        ):
            mvn = ll.MultivariateNormal(loc, **parameter)
            assert mvn.batch_shape == np.broadcast_shapes(loc_batch, matrix_batch)
            for view in (x, np.asfortranarray(x), x.astype(">f8"), x[..., ::-1].copy()[..., ::-1]):
                np.testing.assert_allclose(mvn.log_prob(view), want, rtol=1e-11)
            out = np.asfortranarray(np.empty(want.shape))
            if want.shape:
                assert mvn.log_prob(x, out=out) is out
                np.testing.assert_allclose(out, want, rtol=1e-11)
            np.testing.assert_allclose(
                mvn.covariance, np.broadcast_to(covariance, mvn.covariance.shape), rtol=1e-9
            )
        np.testing.assert_allclose(ll.mvn_log_prob(x, loc, covariance), want, rtol=1e-11)
        diagonal = ll.MultivariateNormal(loc, variance=variance)
        np.testing.assert_allclose(
            diagonal.log_prob(x), definition(x, loc, variance[..., None] * np.eye(d)), rtol=1e-11
        )


@pytest.mark.parametrize("n", [1, 5000, 100_000])
def test_threads_and_blocks_do_not_change_bits(n):
    rng = np.random.default_rng(n)
    d = 6
    single = ll.MultivariateNormal(np.zeros(d), spd(d, rng, np.dtype(float)))
    several = ll.MultivariateNormal(
        rng.normal(size=(4, d)), np.stack([spd(d, rng, np.dtype(float)) for _ in range(4)])
    )
    x = rng.normal(size=(n, d))
    each = ll.MultivariateNormal(np.zeros(d), np.broadcast_to(single.covariance, (n, d, d)))
    want = None
    for threads in (1, 2, 3, 7):
        with ll.num_threads(threads):
            got = single.log_prob(x), several.log_prob(x[:, None]), each.log_prob(x)
        want = want or got
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)
    raw = ll.ufuncs.mvn_log_prob_tril(x, single.loc[None], single.scale_tril[None])[0][:, 0]
    np.testing.assert_array_equal(want[0], raw)


def test_out_may_overlap_x():
    rng = np.random.default_rng(0)
    mvn = ll.MultivariateNormal(np.zeros(2), np.eye(2))
    memory = rng.normal(size=(1000, 2))
    want = mvn.log_prob(memory.copy())
    assert mvn.log_prob(memory, out=memory[:, 1]) is not None
    np.testing.assert_array_equal(memory[:, 1], want)


def test_dtypes():
    x = np.zeros((3, 2), np.float32)
    assert ll.MultivariateNormal([0, 0], np.eye(2)).dtype == np.float64
    half = ll.MultivariateNormal(np.zeros(2, np.float32), np.eye(2, dtype=np.float32))
    assert half.dtype == np.float32
    assert half.log_prob(x).dtype == np.float32
    assert half.log_prob(x.astype(np.float16)).dtype == np.float32
    assert half.log_prob(np.zeros((3, 2), int)).dtype == np.float32
    assert half.log_prob(x.astype(np.float64)).dtype == np.float64
    assert ll.MultivariateNormal([0.0, 0.0], np.eye(2)).log_prob(x).dtype == np.float64
    wide = ll.MultivariateNormal(np.float32([0, 0]), np.float32([[2, 1], [1, 3]])).log_prob(
        np.array([0.3, 0.1])
    )
    np.testing.assert_allclose(
        wide, definition(np.array([0.3, 0.1]), 0.0, np.array([[2.0, 1], [1, 3]])), rtol=1e-14
    )


def test_properties():
    covariance = np.array([[4.0, 1.2], [1.2, 9.0]])
    for parameter in ({"covariance": covariance}, {"precision": np.linalg.inv(covariance)}):
        mvn = ll.MultivariateNormal([1.0, 2.0], **parameter)
        np.testing.assert_allclose(mvn.covariance, covariance, rtol=1e-14)
        np.testing.assert_allclose(mvn.scale_tril @ mvn.scale_tril.T, covariance, rtol=1e-14)
        np.testing.assert_allclose(mvn.variance, [4, 9], rtol=1e-14)
        np.testing.assert_allclose(mvn.std, [2, 3], rtol=1e-14)
        np.testing.assert_allclose(mvn.correlation, [[1, 0.2], [0.2, 1]], rtol=1e-14)
        entropy = 0.5 * np.log((2 * np.pi * np.e) ** 2 * (36 - 1.44))
        np.testing.assert_allclose(mvn.entropy(), entropy, rtol=1e-14)
        x = np.array([2.0, -1.0])
        distance = np.sqrt((x - mvn.mean) @ np.linalg.solve(covariance, x - mvn.mean))
        np.testing.assert_allclose(mvn.mahalanobis(x), distance, rtol=1e-14)
        np.testing.assert_allclose(mvn.prob(x), np.exp(mvn.log_prob(x)))
        assert mvn.event_shape == (2,)
        assert not mvn.covariance.flags.writeable
        assert pickle.loads(pickle.dumps(mvn)) == mvn
        assert eval(repr(mvn), {"MultivariateNormal": ll.MultivariateNormal, "array": np.array}) == mvn
        with pytest.raises(AttributeError, match="immutable"):
            mvn.loc = 0
    diagonal = ll.MultivariateNormal([0.0, 0.0], variance=[4.0, 9.0])
    np.testing.assert_array_equal(diagonal.scale_tril, np.diag([2.0, 3.0]))
    np.testing.assert_allclose(diagonal.entropy(), 0.5 * np.log((2 * np.pi * np.e) ** 2 * 36), rtol=1e-14)
    np.testing.assert_allclose(diagonal.mahalanobis([2.0, 3.0]), np.sqrt(2), rtol=1e-15)


def test_the_caller_cannot_change_the_object():
    loc, covariance = np.zeros(2), np.eye(2)
    mvn = ll.MultivariateNormal(loc, covariance)
    before = mvn.log_prob([1.0, 1.0])
    loc[:], covariance[:] = 5, 7
    assert mvn.log_prob([1.0, 1.0]) == before


def test_memory_of_a_call():
    n, d = 1_000_000, 4
    mvn = ll.MultivariateNormal(np.zeros(d), np.eye(d))
    x = np.zeros((n, d), np.float32)[:, ::-1]  # another dtype, another layout
    assert peak_memory(lambda: mvn.log_prob(x)) < n * 8 + 16 * 2**20


# ---------------------------------------------------------------------------------------- bad input

IDENTITY = np.eye(2)
BATCH = np.stack([IDENTITY] * 4)


def planted(index, value):
    batch = BATCH.copy()
    batch[index] = value
    return batch


BAD = [
    ((([0, 0]),), {}, ValueError, r"exactly one of covariance, precision, scale_tril, variance; got none"),
    (([0, 0], IDENTITY), {"variance": [1, 1]}, ValueError, r"exactly one of .*; got covariance, variance"),
    ((0.0, IDENTITY), {}, ValueError, r"loc must have shape \(\.\.\., d\).*got \(\)"),
    (([0, 0], np.eye(3)), {}, ValueError, r"covariance must have shape \(\.\.\., 2, 2\).*got \(3, 3\)"),
    (([0, 0], [1, 1]), {}, ValueError, r"covariance must have shape .*got \(2,\)"),
    (([0, 0],), {"variance": [1, 1, 1]}, ValueError, r"variance must have shape .*got \(3,\)"),
    ((np.zeros((3, 2)), BATCH), {}, ValueError, r"shapes do not broadcast"),
    (([0, np.nan], IDENTITY), {}, ValueError, r"loc must be finite, but loc\[1\] = nan"),
    (([0, 0], planted((2, 1, 0), np.inf)), {}, ValueError, r"covariance\[2, 1, 0\] = inf"),
    (
        ([0, 0], planted((3, 0, 1), 0.5)),
        {},
        ValueError,
        r"covariance\[3, 1, 0\] = 0.0 and covariance\[3, 0, 1\] = 0.5",
    ),
    (([0, 0], planted((1, 1, 1), -2)), {}, LinAlgError, r"indefinite: covariance\[1, 1, 1\] = -2.0"),
    (([0, 0], planted((1, 1, 1), 0)), {}, LinAlgError, r"singular: covariance\[1, 1, 1\] = 0.0"),
    (([0, 0], planted(2, [[1, 2], [2, 1]])), {}, LinAlgError, r"covariance\[2\] is indefinite: pivot 2"),
    (([0, 0], planted(2, [[1, 1], [1, 1]])), {}, LinAlgError, r"covariance\[2\] is singular .*: pivot 2"),
    (([0, 0],), {"precision": [[1, 2], [2, 1]]}, LinAlgError, r"precision is indefinite"),
    (([0, 0],), {"precision": [[1, 0.5], [0, 1]]}, ValueError, r"precision must be symmetric"),
    (
        ([0, 0],),
        {"scale_tril": [[1, 0.5], [0, 1]]},
        ValueError,
        r"lower triangular, but scale_tril\[0, 1\] = 0.5",
    ),
    (([0, 0],), {"scale_tril": [[1, 0], [0, -1]]}, LinAlgError, r"scale_tril\[1, 1\] = -1.0"),
    (([0, 0],), {"variance": [1, 0]}, LinAlgError, r"singular: variance\[1\] = 0.0"),
    (([0, 0],), {"variance": [1, -3]}, LinAlgError, r"indefinite: variance\[1\] = -3.0"),
    (([0, 0], IDENTITY * 1j), {}, TypeError, r"covariance has dtype complex128"),
    (([0, 0], "text"), {}, TypeError, r"covariance"),
    (([0, 0], [[1, 1], [1, 1]]), {}, LinAlgError, r"covariance is singular .*; MultivariateNormal\(\.\.\., allow_singular"),
    (([0, 0],), {"variance": [0, 1]}, LinAlgError, r"variance\[0\] = 0.0 is zero; .*allow_singular=True"),
    (([0, 0],), {"variance": [1, 1e-310]}, LinAlgError, r"singular: variance\[1\] = 1e-310 is subnormal"),
    (([0, 0],), {"scale_tril": [[1, 0], [2, 0]]}, LinAlgError, r"singular: scale_tril\[1, 1\] = 0.0 .*allow_singular"),
    (([0, 0],), {"precision": [[1, 1], [1, 1]]}, LinAlgError, r"precision is singular .* pivot 1 .*trailing 2 x 2"),
    (([0, 0],), {"precision": [[0, 0], [0, 1]]}, LinAlgError, r"precision is singular: precision\[0, 0\] = 0.0 is zero$"),
    (([0, 0], np.empty((0, 0))), {}, ValueError, r"covariance must have shape"),
]


@pytest.mark.parametrize(("arguments", "keywords", "error", "message"), BAD)
def test_bad_parameters(arguments, keywords, error, message):
    with pytest.raises(error, match="MultivariateNormal: .*" + message):
        ll.MultivariateNormal(*arguments, **keywords)


KINDS_OF_BAD = {  # of a matrix or a diagonal in a batch: error, and what the message says of item 3
    "asymmetric": (ValueError, r"{form} must be symmetric, but {form}\[3, 1, 0\] = 0.25 and {form}\[3, 0, 1\] = 0.5"),
    "indefinite": (LinAlgError, r"{form}\[3\] is indefinite: pivot {pivot} .*eigenvalue.*: -1\)$"),
    "negative": (LinAlgError, r"indefinite: {form}\[3{at}\] = -1.0 is negative$"),
    "singular": (LinAlgError, r"{form}\[3\] is singular to working precision: pivot {pivot} .*{hint}"),
    "zero": (LinAlgError, r"singular: {form}\[3{at}\] = 0.0 is zero{hint}"),
    "subnormal": (LinAlgError, r"singular: {form}\[3{at}\] = 1e-310 is subnormal"),
    "not finite": (ValueError, r"{form} must be finite, but {form}\[3{at}\] = nan"),
}


@pytest.mark.parametrize("kind", KINDS_OF_BAD)
@pytest.mark.parametrize("form", ["covariance", "precision", "variance", "scale_tril", "one shot", "one shot, shared"])
def test_every_kind_of_bad_matrix_has_its_error(form, kind):
    """Asymmetric, indefinite, singular, not finite: told apart in every form, with function, argument, index and value."""
    error, message = KINDS_OF_BAD[kind]
    name = form if form in ("precision", "variance", "scale_tril") else "covariance"
    if name in ("variance", "scale_tril") and kind in ("asymmetric", "indefinite", "singular"):
        pytest.skip("a diagonal or a factor cannot be that")
    item = np.array({
        "asymmetric": [[1, 0.5], [0.25, 1]],
        "indefinite": [[1, 2], [2, 1]],
        "negative": [[1, 0], [0, -1]],
        "singular": [[1, 1], [1, 1]],
        "zero": [[1, 0], [0, 0]],
        "subnormal": [[1, 0], [0, 1e-310]],
        "not finite": [[1, 0], [0, np.nan]],
    }[kind])  # fmt: skip
    hint = r".*; MultivariateNormal\(\.\.\., allow_singular=True\) gives the density on the support$"
    at = ", 1" if name == "variance" else ", 1, 1"
    if name == "scale_tril" and kind == "negative":
        message = r"scale_tril is not a factor of a covariance: scale_tril\[3, 1, 1\] = -1.0 is negative"
    if name == "variance" and kind in ("negative", "zero", "subnormal"):
        message = "the covariance is " + message
    pivot = 1 if name == "precision" else 2
    message = message.format(form=name, at=at, pivot=pivot, hint="$" if name == "precision" and kind == "zero" else hint)
    if name == "precision" and kind == "singular":
        message = message.removesuffix(hint)
    batch = np.tile(np.eye(2), (5, 1, 1))
    batch[3:] = item
    if form == "one shot, shared":
        with pytest.raises(error, match="mvn_log_prob: .*" + message):
            ll.mvn_log_prob(np.zeros((7, 1, 2)), np.zeros(2), batch)
    elif form == "one shot":
        with pytest.raises(error, match="mvn_log_prob: .*" + message):
            ll.mvn_log_prob(np.zeros((5, 2)), np.zeros(2), batch)
    else:
        batch = np.diagonal(batch, axis1=1, axis2=2) if name == "variance" else batch
        with pytest.raises(error, match="MultivariateNormal: .*" + message):
            ll.MultivariateNormal(np.zeros(2), **{name: batch})


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((5, 3)), ValueError, r"x must have shape \(\.\.\., 2\) .*got \(5, 3\)"),
        (0.0, ValueError, r"got \(\)"),
        (np.zeros((5, 2), complex), TypeError, r"x has dtype complex128"),
        (np.zeros((5, 2), object), TypeError, r"x has dtype object"),
        (None, TypeError, r"x is missing"),
    ],
)
def test_bad_points(x, error, message):
    mvn = ll.MultivariateNormal([0, 0], IDENTITY)
    for method in (mvn.log_prob, mvn.mahalanobis):
        with pytest.raises(error, match=message):
            method(x)
    with pytest.raises(ValueError, match="do not broadcast"):
        ll.MultivariateNormal([0, 0], BATCH).log_prob(np.zeros((3, 2)))


def test_bad_out():
    mvn = ll.MultivariateNormal([0, 0], IDENTITY)
    with pytest.raises(ValueError, match=r"out must have shape \(3,\)"):
        mvn.log_prob(np.zeros((3, 2)), out=np.empty(2))
    with pytest.raises(TypeError, match=r"out must be a numpy\.ndarray"):
        mvn.log_prob(np.zeros((3, 2)), out=[0, 0, 0])


@pytest.mark.parametrize("threads", [1, 3])
def test_one_shot_names_the_first_bad_matrix(threads):
    n = 20_000
    x = np.zeros((n, 2))
    for value, error, message in (
        ([[1, 2], [2, 1]], LinAlgError, r"mvn_log_prob: covariance\[50\] is indefinite: pivot 2"),
        ([[1, 1], [1, 1]], LinAlgError, r"covariance\[50\] is singular"),
        ([[1, 0.5], [0, 1]], ValueError, r"covariance\[50, 1, 0\] = 0.0 and covariance\[50, 0, 1\] = 0.5"),
        ([[1, np.nan], [0, 1]], ValueError, r"covariance must be finite, but covariance\[50, 0, 1\] = nan"),
        ([[1, 0], [0, 0]], LinAlgError, r"singular: covariance\[50, 1, 1\] = 0.0"),
    ):
        covariance = np.tile(IDENTITY, (n, 1, 1))
        covariance[[50, 7000, 19_999]] = value
        with ll.num_threads(threads), pytest.raises(error, match=message):
            ll.mvn_log_prob(x, np.zeros(2), covariance)
    with pytest.raises(ValueError, match=r"mvn_log_prob: x \(\.\.\., d\)"):
        ll.mvn_log_prob(np.zeros((3, 2)), np.zeros(3), np.eye(3))
    with pytest.raises(LinAlgError, match=r"mvn_log_prob: covariance is indefinite"):
        ll.mvn_log_prob(np.zeros((3, 2)), np.zeros(2), [[1, 2], [2, 1]])
    with pytest.raises(ValueError, match=r"mvn_log_prob: loc must be finite"):
        ll.mvn_log_prob(np.zeros((3, 2)), [0, np.nan], np.stack([IDENTITY] * 3))


def test_empty():
    mvn = ll.MultivariateNormal([0.0, 0.0], IDENTITY)
    assert mvn.log_prob(np.zeros((0, 2))).shape == (0,)
    assert ll.MultivariateNormal(np.zeros((0, 2)), IDENTITY).log_prob(np.zeros((4, 1, 2))).shape == (4, 0)
    assert ll.mvn_log_prob(np.zeros((0, 2)), np.zeros(2), np.zeros((0, 2, 2))).shape == (0,)
    no_matrices = ll.MultivariateNormal(np.zeros(2), np.zeros((0, 2, 2)))
    assert no_matrices.log_prob(np.zeros(2)).shape == no_matrices.mahalanobis(np.zeros(2)).shape == (0,)
    assert no_matrices.log_prob(np.zeros((3, 1, 2))).shape == (3, 0)

NO_GAUSSIANS = {
    "loc": {"loc": np.zeros((0, 2)), "covariance": np.eye(2)},
    "covariance": {"loc": np.zeros(2), "covariance": np.zeros((0, 2, 2))},
    "precision": {"loc": np.zeros(2), "precision": np.zeros((0, 2, 2))},
    "scale_tril": {"loc": np.zeros(2), "scale_tril": np.zeros((0, 2, 2))},
    "variance": {"loc": np.zeros(2), "variance": np.zeros((0, 2))},
    "may be singular": {"loc": np.zeros(2), "covariance": np.zeros((0, 2, 2)), "allow_singular": True},
}


@pytest.mark.parametrize("parameters", NO_GAUSSIANS.values(), ids=NO_GAUSSIANS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_gaussians(parameters, dtype):
    """A batch of shape (0,): every method has a result without elements, and gradients that nothing was added to are 0."""
    given = {name: value if value is True else value.astype(dtype) for name, value in parameters.items()}
    mvn = ll.MultivariateNormal(**given)
    form = next(name for name in given if name not in ("loc", "allow_singular"))
    assert (mvn.batch_shape, mvn.event_shape, mvn.dtype) == ((0,), (2,), dtype)
    assert mvn.mean.shape == mvn.mode.shape == mvn.variance.shape == mvn.std.shape == (0, 2)
    assert mvn.covariance.shape == mvn.scale_tril.shape == mvn.correlation.shape == (0, 2, 2)
    assert mvn.entropy().shape == mvn.rank.shape == mvn.condition_number.shape == mvn.expect(lambda x: x[..., 0]).shape == (0,)
    for shape in ((2,), (1, 2), (0, 2), (3, 1, 2)):
        x = np.zeros(shape, dtype)
        results = [mvn.mahalanobis(x), *(mvn.log_prob(x, nan_policy=policy) for policy in ("propagate", "raise", "marginalize"))]
        assert all((result.shape, result.dtype) == ((*shape[:-2], 0), dtype) for result in results)
        if "allow_singular" not in given:
            value, gradients = mvn.log_prob(x, wrt=("x", "loc", form))
            assert (value.shape, value.dtype) == ((*shape[:-2], 0), dtype)
            for gradient, argument in zip(gradients, (x, given["loc"], given[form]), strict=True):
                assert (gradient.shape, gradient.dtype) == (argument.shape, dtype)
                assert not gradient.any()
    with pytest.raises(ValueError, match="do not broadcast"):
        mvn.log_prob(np.zeros((3, 2), dtype))
    assert mvn.sample(3, rng=1).shape == (3, 0, 2)
    assert mvn.marginal([1]).batch_shape == mvn.condition({0: 1.0}).batch_shape == mvn[:].batch_shape == (0,)
    assert mvn.condition({0: np.zeros((3, 1))}).batch_shape == (3, 0)
    assert list(mvn) == []
    assert pickle.loads(pickle.dumps(mvn)) == mvn


@pytest.mark.parametrize("form", ["covariance", "precision", "scale_tril", "variance"])
def test_no_points(form):
    mvn = ll.MultivariateNormal(np.zeros(2), **{form: np.ones(2) if form == "variance" else np.eye(2)})
    for shape in ((0,), (0, 3), (3, 0)):
        x = np.zeros((*shape, 2))
        out = np.empty(shape)
        assert mvn.log_prob(x, out=out) is out
        assert mvn.log_prob(x).shape == mvn.mahalanobis(x).shape == mvn.log_prob(x, nan_policy="marginalize").shape == shape
        value, (by_x, by_loc, by_matrix) = mvn.log_prob(x, wrt=("x", "loc", form))
        assert (value.shape, by_x.shape) == (shape, x.shape)
        assert not by_loc.any()
        assert not by_matrix.any()
    assert mvn.sample(0).shape == (0, 2)
    assert mvn.condition({0: np.zeros(0)}).batch_shape == (0,)


# ---------------------------------------------------------------------------------------- the way to a kernel


def python_frames(call):
    """How many Python functions a call enters."""
    names = []

    def note(frame, event, _):
        if event == "call":
            names.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return len(names)


@pytest.mark.parametrize("form", ["covariance", "precision", "scale_tril", "variance"])
def test_the_way_to_a_kernel_is_short(form):
    """Functions that Python enters, counted because clocks are noisy: of a call with one point, and of one with many, where the
    preparation must not grow and each block adds at most 3 (itself, `log_prob_block`, and NumPy's own behind ``.any()``)."""
    mvn = ll.MultivariateNormal(np.zeros(8), **{form: np.ones(8) if form == "variance" else np.eye(8)})
    x = np.zeros((100_000, 8))
    with ll.num_threads(1):
        mvn.log_prob(x)
        assert python_frames(partial(mvn.log_prob, x[0])) <= 3
        assert python_frames(partial(mvn.log_prob, x)) <= 16
        assert python_frames(partial(mvn.log_prob, x, out=np.empty(100_000))) <= 32
