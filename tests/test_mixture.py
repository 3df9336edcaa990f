"""Mixtures: the kernel of the sum, and the facade, against mpmath and SciPy."""

import mpmath
import numpy as np
import pytest
from scipy import stats

import loglik as ll
from loglik._kernels import available_isas, make_ufuncs


@pytest.fixture(params=available_isas())
def kernels(request):
    return make_ufuncs(request.param)


@pytest.fixture
def log_mixture(kernels):
    return kernels["log_mixture"]


@pytest.fixture
def responsibilities(kernels):
    return kernels["responsibilities"]


def exact(a, b):
    with mpmath.workdps(60):
        sums = []
        for terms in zip(a, b, strict=True):
            sums.append(mpmath.fsum(mpmath.exp(mpmath.mpf(float(x)) + float(y)) for x, y in zip(*terms, strict=True)))
        return [float(mpmath.log(total)) for total in sums]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 2, 3, 5, 31, 32, 33, 100])
def test_sum_against_mpmath(log_mixture, dtype, k):
    rng = np.random.default_rng(k)
    scale = np.repeat([0.1, 3, 30, 200], 12)[:, None]
    a, b = (scale * rng.normal(size=(2, 48, k))).astype(dtype)
    u = np.finfo(dtype).eps / 2
    bound = (k + 4) * u + 2 * u * np.abs(a + b).max(axis=1)
    want = exact(a, b)
    assert (np.abs(log_mixture(a, b).astype(float) - want) <= bound).all()
    shared = log_mixture(a, b[0])
    assert (
        np.abs(shared.astype(float) - exact(a, np.broadcast_to(b[0], a.shape))) <= bound + 2 * u * np.abs(b[0]).max()
    ).all()
    np.testing.assert_array_equal(log_mixture(np.asfortranarray(a), b), log_mixture(a, b))


def test_sum_at_the_edges(log_mixture):
    inf, nan = np.inf, np.nan
    a = np.array([[0, 0], [-inf, 1], [-inf, -inf], [nan, 0], [inf, 0], [inf, -inf], [-800, 800], [-1e308, 0]], float)
    with np.errstate(all="raise"):
        got = log_mixture(a, np.zeros(2))
    np.testing.assert_allclose(got, [np.log(2), 1, -inf, nan, inf, inf, 800, 0], rtol=1e-15)
    with pytest.warns(RuntimeWarning, match="invalid"):
        assert np.isnan(log_mixture([inf, 0.0], [-inf, 0.0]))


def test_terms_of_no_size_are_not_slow_numbers(log_mixture):
    """What would be subnormal beside the largest term counts as nothing."""
    a = np.array([[0.0, -85, -95, -100], [-90, 0, -103, -1]], np.float32)
    zero = np.zeros(4, np.float32)
    np.testing.assert_array_equal(log_mixture(a, zero), log_mixture(np.where(a < -80, -np.float32(np.inf), a), zero))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 2, 7, 8, 33, 128, 129, 300])
def test_responsibilities_against_mpmath(responsibilities, dtype, k):
    rng = np.random.default_rng(k)
    scale = np.repeat([0.1, 3, 30, 200], 5)[:, None]
    a, b = (scale * rng.normal(size=(2, 20, k))).astype(dtype)
    u, tiny = np.finfo(dtype).eps / 2, np.finfo(dtype).tiny
    shares, total = responsibilities(a, b)
    most = np.abs(a + b).max(axis=1)
    assert (np.abs(total.astype(float) - exact(a, b)) <= (k + 4) * u + 2 * u * most).all()
    with mpmath.workdps(60):
        for row, x, y in zip(range(20), a, b, strict=True):
            terms = [mpmath.exp(mpmath.mpf(float(p)) + float(q)) for p, q in zip(x, y, strict=True)]
            for share, term in zip(shares[row], terms, strict=True):
                want = term / mpmath.fsum(terms)
                assert abs(float(share) - want) <= (k + 6 + 4 * most[row]) * u * want or (share == 0 and want < 4 * tiny)
    # The bits depend neither on the layout nor on the neighbours.
    for order in ("F", "C"):
        out = np.empty((2 * 20, k), dtype, order)[::2], np.empty(40, dtype)[::2]
        responsibilities(np.asarray(a, order=order), b, out=out)
        np.testing.assert_array_equal(out[0], shares)
        np.testing.assert_array_equal(out[1], total)
    by_component = np.empty((k, 20), dtype)
    responsibilities(np.ascontiguousarray(a.T).T, b, out=(by_component.T, None))
    np.testing.assert_array_equal(by_component.T, shares)
    np.testing.assert_array_equal(responsibilities(a[3], b[3])[0], shares[3])
    np.testing.assert_allclose(shares.sum(axis=1, dtype=float), 1, rtol=0, atol=4 * k * u)


def test_responsibilities_at_the_edges(responsibilities):
    inf, nan = np.inf, np.nan
    a = np.array([[0, 0], [-inf, 1], [nan, 0], [-800, 800], [-1e308, 0]], float)
    with np.errstate(all="raise"):
        shares, total = responsibilities(a, np.zeros(2))
    np.testing.assert_array_equal(shares, [[0.5, 0.5], [0, 1], [nan, nan], [0, 1], [0, 1]])
    np.testing.assert_allclose(total, [np.log(2), 1, nan, 800, 0], rtol=1e-15)
    shares, total = responsibilities([[-inf, -inf], [inf, 0]], [0.0, 0.0])
    assert np.isnan(shares).all()
    np.testing.assert_array_equal(total, [-inf, inf])
    with pytest.warns(RuntimeWarning, match="invalid"):
        assert np.isnan(responsibilities([inf, 0.0], [-inf, 0.0])[1])


def reference(x, weights, loc, covariance):
    terms = [w + stats.multivariate_normal(m, c).logpdf(x) for w, m, c in zip(weights, loc, covariance, strict=True)]
    return np.logaddexp.reduce(terms, axis=0)


@pytest.fixture
def parts():
    rng = np.random.default_rng(7)
    k, d = 5, 3
    a = rng.normal(size=(2, k, d, d))
    covariance = a @ a.swapaxes(-1, -2) + np.eye(d)
    weights = np.log(rng.dirichlet(np.ones(k), size=2))
    return rng.normal(size=(50, d)) * 2, weights, rng.normal(size=(2, k, d)), covariance


@pytest.mark.parametrize("form", ["covariance", "precision", "scale_tril", "variance"])
def test_one_mixture_in_every_form(parts, form):
    x, weights, loc, covariance = parts
    given = {
        "covariance": covariance[0],
        "precision": np.linalg.inv(covariance[0]),
        "scale_tril": np.linalg.cholesky(covariance[0]),
        "variance": np.diagonal(covariance[0], axis1=-2, axis2=-1),
    }[form]
    given = (given + given.swapaxes(-1, -2)) / 2 if form == "precision" else given
    dense = covariance[0] if form != "variance" else given[..., None] * np.eye(3)
    mvn = ll.MultivariateNormal(loc[0], **{form: given})
    got = ll.mixture_log_prob(x, weights[0], mvn)
    np.testing.assert_allclose(got, reference(x, weights[0], loc[0], dense), rtol=1e-11)
    assert ll.mixture_log_prob(x[3], weights[0], mvn) == got[3]
    assert ll.mixture_log_prob(x.astype(np.float32), weights[0].astype(np.float32), mvn).dtype == np.float64


def test_batches_of_mixtures_and_points(parts):
    x, weights, loc, covariance = parts
    mvn = ll.MultivariateNormal(loc, covariance)  # 2 mixtures of 5
    want = np.stack([reference(x, weights[i], loc[i], covariance[i]) for i in range(2)], axis=1)
    np.testing.assert_allclose(ll.mixture_log_prob(x[:, None], weights, mvn), want, rtol=1e-11)
    np.testing.assert_allclose(ll.mixture_log_prob(x[:20].reshape(10, 2, 3), weights, mvn),
                               [[want[2 * i, 0], want[2 * i + 1, 1]] for i in range(10)], rtol=1e-11)  # fmt: skip
    one = ll.MultivariateNormal(loc[0], covariance[0])  # the same components with two sets of weights
    want = np.stack([reference(x, w, loc[0], covariance[0]) for w in weights], axis=1)
    np.testing.assert_allclose(ll.mixture_log_prob(x[:, None], weights, one), want, rtol=1e-11)
    assert ll.mixture_log_prob(np.zeros((0, 3)), weights[0], one).shape == (0,)


def test_many_points_and_components_on_any_number_of_threads():
    rng = np.random.default_rng(3)
    k, d, n = 700, 9, 3000
    loc, scale = 3 * rng.normal(size=(k, d)), np.tril(rng.normal(size=(d, d)), -1) / 4 + np.eye(d)
    weights, x = np.log(rng.dirichlet(np.ones(k))), 3 * rng.normal(size=(n, d))
    mvn = ll.MultivariateNormal(loc, scale_tril=scale)
    got = []
    for threads in (1, 3):
        with ll.num_threads(threads):
            got.append(ll.mixture_log_prob(x, weights, mvn))
    np.testing.assert_array_equal(got[0], got[1])
    np.testing.assert_array_equal(ll.mixture_log_prob(x[::-1], weights, mvn), got[0][::-1])
    terms = mvn.log_prob(x[:, None]) + weights
    np.testing.assert_allclose(got[0], np.logaddexp.reduce(terms, axis=1), rtol=1e-13)


def test_left_out_components_and_bad_input(parts):
    x, weights, loc, covariance = parts
    mvn = ll.MultivariateNormal(loc[0], covariance[0])
    some = weights[0].copy()
    some[[1, 4]] = -np.inf
    keep = [0, 2, 3]
    np.testing.assert_allclose(
        ll.mixture_log_prob(x, some, mvn), reference(x, some[keep], loc[0][keep], covariance[0][keep]), rtol=1e-11
    )
    assert (ll.mixture_log_prob(x, np.full(5, -np.inf), mvn) == -np.inf).all()
    dirty = x.copy()
    dirty[4, 1], dirty[5, 0] = np.nan, np.inf
    got = ll.mixture_log_prob(dirty, weights[0], mvn)
    assert np.isnan(got[4])
    assert got[5] == -np.inf
    np.testing.assert_array_equal(np.delete(got, [4, 5]), np.delete(ll.mixture_log_prob(x, weights[0], mvn), [4, 5]))
    for bad in (np.nan, np.inf):
        some[2] = bad
        with pytest.raises(ValueError, match=rf"log_weights must be less than infinity, but log_weights\[2\] = {bad}"):
            ll.mixture_log_prob(x, some, mvn)
    with pytest.raises(ValueError, match=r"log_weights must have shape \(\.\.\., 5\)"):
        ll.mixture_log_prob(x, np.zeros(4), mvn)
    with pytest.raises(ValueError, match=r"x must have shape \(\.\.\., 3\)"):
        ll.mixture_log_prob(x[:, :2], weights[0], mvn)
    with pytest.raises(ValueError, match=r"mvn has no components, its batch_shape is \(0,\)"):
        ll.mixture_log_prob(np.zeros(2), [], ll.MultivariateNormal(np.zeros((0, 2)), np.eye(2)))
    with pytest.raises(ValueError, match="batch_shape is"):
        ll.mixture_log_prob(x, [0.0], ll.MultivariateNormal(np.zeros(3), np.eye(3)))
    with pytest.raises(TypeError, match="mvn must be a MultivariateNormal, got Normal"):
        ll.mixture_log_prob(x, [0.0], ll.Normal())
