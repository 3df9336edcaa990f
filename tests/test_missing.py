"""Marginal distributions, and points with missing coordinates, against the definition: rows and columns dropped."""

import math

import mpmath
import numpy as np
import pytest
from memory_tools import peak_memory

import loglik as ll

MVN = ll.MultivariateNormal
FORMS = ("covariance", "precision", "scale_tril", "variance")


def covariances(d, rng, shape=()):
    a = rng.normal(size=(*shape, d, d + 3))
    return a @ a.swapaxes(-1, -2) / d


def given(form, covariance):
    """The parameter of a form, and the covariance that it stands for."""
    if form == "variance":
        variance = np.diagonal(covariance, axis1=-2, axis2=-1)
        return {"variance": variance}, variance[..., None] * np.eye(variance.shape[-1])
    if form == "precision":
        p = np.linalg.inv(covariance)
        return {"precision": (p + p.swapaxes(-1, -2)) / 2}, covariance
    if form == "scale_tril":
        return {"scale_tril": np.linalg.cholesky(covariance)}, covariance
    return {"covariance": covariance}, covariance


def definition(x, loc, covariance):
    """Log-density of the coordinates that are not NaN, of one point."""
    seen = ~np.isnan(x)
    if not seen.any():
        return 0.0
    if not np.isfinite(x[seen]).all():
        return -np.inf
    part = covariance[np.ix_(seen, seen)]
    delta = (x - loc)[seen]
    sign, log_det = np.linalg.slogdet(part)
    assert sign > 0
    return -0.5 * (delta @ np.linalg.solve(part, delta) + log_det + seen.sum() * math.log(2 * math.pi))


# ---------------------------------------------------------------------------------------- marginal


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(), (3,), (2, 1)])
def test_marginal(form, shape):
    rng = np.random.default_rng(len(shape))
    d = 5
    parameter, covariance = given(form, covariances(d, rng, shape))
    loc = rng.normal(size=(3, d)) if shape == (2, 1) else rng.normal(size=d)
    mvn = MVN(loc, **parameter)
    for indices in ([0, 1, 2, 3, 4], [0, 1], [3], [4, 0], [-1, 1, -5], 2, (2,), np.array([1, 3], np.int8), range(3)):
        chosen = np.atleast_1d(np.arange(d)[np.asarray(indices)])
        marginal = mvn.marginal(indices)
        assert marginal.batch_shape == mvn.batch_shape
        assert marginal.event_shape == (len(chosen),)
        np.testing.assert_array_equal(marginal.mean, mvn.mean[..., chosen])
        want = np.broadcast_to(covariance[..., chosen[:, None], chosen], marginal.covariance.shape)
        scale = np.sqrt(np.einsum("...i,...j->...ij", *[np.diagonal(want, axis1=-2, axis2=-1)] * 2))
        assert np.all(np.abs(marginal.covariance - want) <= 1e-13 * scale)
        if form in ("covariance", "variance"):
            np.testing.assert_array_equal(marginal.covariance, want)
        elif list(chosen) == list(range(len(chosen))):  # the leading part of a factor is one
            np.testing.assert_array_equal(marginal.scale_tril, mvn.scale_tril[..., : len(chosen), : len(chosen)])
        assert (np.diagonal(marginal.scale_tril, axis1=-2, axis2=-1) > 0).all()
    assert mvn.marginal(range(d)).log_prob(np.zeros(d)) == pytest.approx(mvn.log_prob(np.zeros(d)), rel=1e-12)


def test_marginal_keeps_dtype_and_options():
    mvn = MVN(np.zeros(3, np.float32), scale_tril=np.eye(3, dtype=np.float32))
    assert mvn.marginal([2, 0]).dtype == np.float32
    line = MVN(np.zeros(3), np.ones((3, 3)), allow_singular=True, singular_rtol=1e-6)
    pair = line.marginal([0, 2])
    assert pair == MVN(np.zeros(2), np.ones((2, 2)), allow_singular=True, singular_rtol=1e-6)
    assert pair.rank == 1
    assert line.marginal([1]).rank == 1
    lower = MVN(np.zeros(3), scale_tril=[[1, 0, 0], [1, 0, 0], [2, 0, 3]], allow_singular=True)
    assert lower.marginal([1, 0]).rank == 1
    assert lower.marginal([2, 0]).rank == 2


def test_marginal_of_a_graded_factor():
    """Rows of L on very different scales: relative accuracy of each, which a covariance would not keep."""
    lower = np.tril([[1, 0, 0], [1, 1e-9, 0], [1, 1, 1]]) * (2.0 ** np.array([0, 300, -300]))[:, None]
    marginal = MVN(np.zeros(3), scale_tril=lower).marginal([1, 0])
    # Σ of coordinates 1, 0 has correlation 1/√(1 + 1e-18): the second pivot is the deviation left, 1e-9/√(1 + 1e-18)
    np.testing.assert_allclose(marginal.scale_tril, [[2.0**300, 0], [1, 1e-9]], rtol=1e-6)


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        ([], ValueError, "indices must name at least one coordinate"),
        ([0, 3], ValueError, r"indices must be from -3 to 2, but indices\[1\] = 3"),
        ([-4], ValueError, r"indices\[0\] = -4"),
        ([0, 1, -3], ValueError, r"indices must differ, but indices\[2\] = -3 is coordinate 0 again"),
        ([0.0], TypeError, r"indices must be integers, but indices\[0\] = 0.0"),
        ([True, False, True], TypeError, r"indices must be integers, but indices\[0\] = True"),
        (np.array([True, False, True]), TypeError, r"indices must be integers"),
        ("ab", TypeError, r"indices must be integers"),
        (None, TypeError, r"indices must be integers"),
        ([[0, 1]], TypeError, r"indices must be integers"),
    ],
)
def test_bad_indices(indices, error, message):
    with pytest.raises(error, match=r"MultivariateNormal.marginal: .*" + message):
        MVN(np.zeros(3), np.eye(3)).marginal(indices)


# ---------------------------------------------------------------------------------------- missing coordinates


def test_against_mpmath():
    """Every pattern of four coordinates, 50 digits."""
    rng = np.random.default_rng(0)
    covariance, loc = covariances(4, rng), rng.normal(size=4)
    mvn = MVN(loc, covariance)
    x = np.tile(rng.normal(size=4), (16, 1))
    x[((np.arange(16)[:, None] >> np.arange(4)) & 1) == 1] = np.nan
    got = mvn.log_prob(x, nan_policy="marginalize")
    with mpmath.workdps(50):
        for row, value in zip(x, got, strict=True):
            seen = np.flatnonzero(~np.isnan(row))
            if not len(seen):
                assert value == 0
                continue
            part = mpmath.matrix(covariance[np.ix_(seen, seen)].tolist())
            delta = mpmath.matrix([mpmath.mpf(float(row[i])) - mpmath.mpf(float(loc[i])) for i in seen])
            square = (delta.T * mpmath.lu_solve(part, delta))[0]
            want = -(square + mpmath.log(mpmath.det(part)) + len(seen) * mpmath.log(2 * mpmath.pi)) / 2
            assert abs(value - want) <= 1e-13 * (1 + abs(want))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("d", [1, 2, 3, 8])
def test_every_pattern(dtype, form, d):
    rng = np.random.default_rng(d)
    parameter, covariance = given(form, covariances(d, rng))
    parameter = {form: parameter[form].astype(dtype)}
    loc = rng.normal(size=d).astype(dtype)
    mvn = MVN(loc, **parameter)
    patterns = (np.arange(2**d)[:, None] >> np.arange(d)) & 1
    x = np.repeat(patterns, 3, axis=0).astype(dtype)
    x = np.where(x == 1, np.nan, rng.normal(size=x.shape) * 2).astype(dtype)
    rng.shuffle(x)
    got = mvn.log_prob(x, nan_policy="marginalize")
    assert got.dtype == dtype
    want = [definition(row.astype(float), loc.astype(float), covariance) for row in x]
    tolerance = 1e-10 if dtype == np.float64 else 5e-3
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)
    assert (got[np.isnan(x).all(axis=1)] == 0).all()
    complete = ~np.isnan(x).any(axis=1)
    np.testing.assert_array_equal(got[complete], mvn.log_prob(x)[complete])
    assert np.isnan(mvn.log_prob(x)[~complete]).all()
    if form != "variance":
        for i in range(0, len(x), 5):
            seen = np.flatnonzero(~np.isnan(x[i]))
            if 0 < len(seen) < d:
                assert got[i] == mvn.marginal(seen).log_prob(x[i, seen]), "bit for bit"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("matrix_batch", [(), (4,), (3, 1), (3, 4)])
@pytest.mark.parametrize("x_batch", [(), (4,), (3, 4), (6, 1, 1), (2, 3, 4), (6, 3, 1)])
def test_every_way_to_broadcast(form, matrix_batch, x_batch):
    rng = np.random.default_rng(len(x_batch))
    d = 3
    parameter, covariance = given(form, covariances(d, rng, matrix_batch))
    for loc_batch in ((), (4,), (3, 1)):
        loc = rng.normal(size=(*loc_batch, d))
        mvn = MVN(loc, **parameter)
        x = rng.normal(size=(*x_batch, d))
        x[rng.random(x.shape) < 0.4] = np.nan
        lead = np.broadcast_shapes(x_batch, mvn.batch_shape)
        got = mvn.log_prob(x, nan_policy="marginalize")
        assert np.shape(got) == lead
        xs, means = np.broadcast_to(x, (*lead, d)), np.broadcast_to(loc, (*lead, d))
        matrices = np.broadcast_to(covariance, (*lead, d, d))
        want = np.array([definition(xs[i], means[i], matrices[i]) for i in np.ndindex(*lead)]).reshape(lead)
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
        if lead:
            out = np.asfortranarray(np.empty(lead))
            assert mvn.log_prob(x, nan_policy="marginalize", out=out) is out
            np.testing.assert_array_equal(out, got)


def test_large_batches_of_matrices():
    """More matrices than are factored together, on either side of the broadcast."""
    rng = np.random.default_rng(7)
    d, k = 40, 90
    covariance, loc = covariances(d, rng, (k,)), rng.normal(size=(k, d))
    mvn = MVN(loc, covariance)
    x = rng.normal(size=(k, d))
    x[:, 3] = np.nan
    x[::2, 5] = np.nan
    each = mvn.log_prob(x, nan_policy="marginalize")
    np.testing.assert_allclose(each, [definition(*row) for row in zip(x, loc, covariance, strict=True)], rtol=1e-10)
    grid = mvn.log_prob(x[:4, None], nan_policy="marginalize")
    want = [[definition(row, m, a) for m, a in zip(loc, covariance, strict=True)] for row in x[:4]]
    np.testing.assert_allclose(grid, want, rtol=1e-10)


def test_infinite_integer_and_other_points():
    mvn = MVN([0.0, 1.0], [[2.0, 1.0], [1.0, 2.0]])
    x = np.array([[np.nan, np.inf], [np.inf, 1.0], [np.nan, np.nan]])
    np.testing.assert_array_equal(mvn.log_prob(x, nan_policy="marginalize"), [-np.inf, -np.inf, 0])
    whole = np.array([[1, 2], [0, 0]])
    for policy in ("raise", "marginalize"):
        np.testing.assert_array_equal(mvn.log_prob(whole, nan_policy=policy), mvn.log_prob(whole))
        assert mvn.log_prob(np.empty((0, 2)), nan_policy=policy).shape == (0,)
    half = np.array([[1, np.nan]], np.float16)
    first = -0.25 - 0.5 * math.log(2) - 0.5 * math.log(2 * math.pi)
    assert mvn.log_prob(half, nan_policy="marginalize") == pytest.approx(first)
    single = MVN(np.float32([0, 1]), np.float32([[2, 1], [1, 2]]))
    assert single.log_prob(np.array([1.0, np.nan]), nan_policy="marginalize").dtype == np.float64
    value = mvn.log_prob([1.0, np.nan], nan_policy="marginalize")
    assert isinstance(value, np.float64)


def test_singular():
    line = MVN([0.0, 0.0, 0.0], [[1, 1, 0], [1, 1, 0], [0, 0, 4.0]], allow_singular=True)
    x = np.array([[1, 1, np.nan], [1, 2, np.nan], [np.nan, 2, 2], [3, np.nan, np.nan], [np.nan] * 3])
    got = line.log_prob(x, nan_policy="marginalize")
    half = 0.5 * math.log(2 * math.pi)
    want = [-0.5 - 0.5 * math.log(2) - half, -np.inf, -2.5 - math.log(2) - 2 * half, -4.5 - half, 0]
    np.testing.assert_allclose(got, want, rtol=1e-14)
    constant = MVN([1.0, 2.0], variance=[[0.0, 1.0], [1.0, 1.0]], allow_singular=True)
    got = constant.log_prob(np.array([[1.0, np.nan], [np.nan, 2.0], [0.0, np.nan]])[:, None], nan_policy="marginalize")
    np.testing.assert_allclose(got, [[0, -half], [-half, -half], [-np.inf, -0.5 - half]], atol=1e-15)


def test_aliases_threads_layouts():
    rng = np.random.default_rng(1)
    d, n = 6, 60_000
    mvn = MVN(np.zeros(d), covariances(d, rng))
    x = rng.normal(size=(n, d))
    x[rng.random((n, d)) < 0.2] = np.nan
    want = mvn.log_prob(x, nan_policy="marginalize")
    assert np.isfinite(want).all()
    for threads in (1, 2, 3):
        with ll.num_threads(threads):
            np.testing.assert_array_equal(mvn.log_prob(x, nan_policy="marginalize"), want)
    for view in (np.asfortranarray(x), x.astype(">f8"), x[:, ::-1].copy()[:, ::-1]):
        np.testing.assert_array_equal(mvn.log_prob(view, nan_policy="marginalize"), want)
    np.testing.assert_array_equal(mvn.log_prob(x[100:200], nan_policy="marginalize"), want[100:200])
    memory = x.copy()
    mvn.log_prob(memory, nan_policy="marginalize", out=memory[:, 2])
    np.testing.assert_array_equal(memory[:, 2], want)
    with pytest.raises(ValueError, match="out must have shape"):
        mvn.log_prob(x, nan_policy="marginalize", out=np.empty(3))


def test_memory_of_a_call():
    n, d = 400_000, 5
    mvn = MVN(np.zeros(d), np.eye(d) + 0.5)
    x = np.zeros((n, d), np.float32)[:, ::-1]
    x[::3, 1] = np.nan
    x[::2, 4] = np.nan

    def refuse():
        with pytest.raises(ValueError, match="x must not be NaN"):
            mvn.log_prob(x, nan_policy="raise")

    for call in (refuse, lambda: mvn.log_prob(x, nan_policy="marginalize")):
        assert peak_memory(call) < n * 8 + 16 * 2**20


# ---------------------------------------------------------------------------------------- policies


@pytest.mark.parametrize(
    ("shape", "index"),
    [((2,), (1,)), ((5, 2), (3, 1)), ((4, 3, 2), (2, 1, 0)), ((200_000, 2), (150_001, 1)), ((1, 90_000, 2), (0, 80_000, 0))],
)
def test_raise_names_the_first(shape, index):
    mvn = MVN([0.0, 0.0], np.eye(2))
    x = np.zeros(shape)
    np.testing.assert_array_equal(mvn.log_prob(x, nan_policy="raise"), mvn.log_prob(x))
    x[index] = np.nan
    x[(-1,) * x.ndim] = np.nan
    listed = ", ".join(map(str, index))
    for view in (x, np.asfortranarray(x), x.astype(np.float32)):
        out = np.full(shape[:-1], 7.0)
        message = rf"MultivariateNormal.log_prob: x must not be NaN with nan_policy='raise', but x\[{listed}\] = nan"
        with pytest.raises(ValueError, match=message):
            mvn.log_prob(view, nan_policy="raise", out=out if shape[:-1] and view.dtype == np.float64 else None)
        assert (out == 7).all()


def test_names_of_policies():
    mvn = MVN([0.0, 0.0], np.eye(2))
    assert np.isnan(mvn.log_prob([0.0, np.nan], nan_policy="propagate"))
    for bad in ("omit", "", None, 3, ["raise"]):
        with pytest.raises(ValueError, match=r"nan_policy must be one of 'propagate', 'raise', 'marginalize', got"):
            mvn.log_prob([0.0, 0.0], nan_policy=bad)
    with pytest.raises(NotImplementedError, match=r"no gradients \(wrt=\) with nan_policy='marginalize'"):
        mvn.log_prob([0.0, 0.0], nan_policy="marginalize", wrt="x")
    with pytest.raises(ValueError, match=r"x must have shape \(\.\.\., 2\)"):
        mvn.log_prob([0.0], nan_policy="marginalize")
