"""Closed-form divergences against 50 digits, near and far; symmetries; errors."""

import mpmath as mp
import numpy as np
import pytest

import loglik as ll

U = 2.0**-53


@pytest.fixture(autouse=True)
def digits():
    with mp.workdps(50):
        yield


def exact(x):
    return mp.mpf(float(x))


def normal_kl_reference(p_loc, p_scale, q_loc, q_scale):
    a, s, b, t = map(exact, (p_loc, p_scale, q_loc, q_scale))
    with mp.workdps(100):  # nearly equal arguments cancel up to 32 digits
        return -mp.mpf(1) / 2 + (s**2 + (a - b) ** 2) / (2 * t**2) + mp.log(t / s)


def mvn_kl_reference(p_loc, p_cov, q_loc, q_cov):
    """½ (tr(Σq⁻¹Σp) - d + Δᵀ Σq⁻¹ Δ + log det Σq - log det Σp) for mpmath matrices."""
    with mp.workdps(100):
        inverse, d = q_cov**-1, p_cov.rows
        product, delta = inverse * p_cov, p_loc - q_loc
        trace = mp.fsum(product[i, i] for i in range(d))
        return (trace - d + (delta.T * inverse * delta)[0] + mp.log(mp.det(q_cov)) - mp.log(mp.det(p_cov))) / 2


def matrix(array):
    return mp.matrix([[exact(x) for x in row] for row in np.atleast_2d(array)])


def vector(array):
    return mp.matrix([exact(x) for x in array])


def from_lower(array):
    """The symmetric matrix whose lower triangle is given, as the package reads a covariance."""
    lower = np.tril(array)
    return matrix(lower + np.tril(lower, -1).T)


def relative_error(got, expected):
    return float(abs(exact(got) - expected) / abs(expected)) if expected else float(abs(exact(got)))


def scaled_condition(covariance):
    std = np.sqrt(np.diag(covariance))
    return np.linalg.cond(covariance / np.outer(std, std))


# ------------------------------------------------------------------------------------------- univariate


def test_lecture_values():
    p, q = ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)
    assert abs(ll.kl_divergence(p, q) - 0.4431471805599453) <= 2 * U
    assert abs(ll.kl_divergence(q, p) - 1.3068528194400547) <= 2 * U
    assert ll.kl_divergence(p, p) == 0.0


@pytest.mark.parametrize("difference", [0.3, 1e-3, 1e-6, 1e-9, 1e-12, 2.0**-52])
@pytest.mark.parametrize("sign", [1, -1])
def test_normal_near_equal(difference, sign):
    rng = np.random.default_rng(1)
    for _ in range(40):
        p_loc, p_scale = rng.normal(), np.exp(rng.normal())
        q_loc = rng.choice([p_loc, p_loc + sign * difference * p_scale])
        q_scale = p_scale * (1 + sign * difference * rng.choice([0.0, 1.0, rng.random()]))
        expected = normal_kl_reference(p_loc, p_scale, q_loc, q_scale)
        got = ll.kl_divergence(ll.Normal(p_loc, p_scale), ll.Normal(q_loc, q_scale))
        assert relative_error(got, expected) <= 8 * 2 * U


def test_normal_over_the_range():
    rng = np.random.default_rng(2)
    loc = rng.normal(size=(2, 300)) * 10.0 ** rng.uniform(-100, 100, (2, 300))
    scale = 10.0 ** rng.uniform(-100, 100, (2, 300))
    scale[1, :200] = scale[0, :200] * 10.0 ** rng.uniform(-3, 3, 200)
    loc[1, :200] = loc[0, :200] + scale[0, :200] * rng.normal(size=200)
    got = ll.kl_divergence(ll.Normal(loc[0], scale[0]), ll.Normal(loc[1], scale[1]))
    for i in range(300):
        expected = normal_kl_reference(loc[0, i], scale[0, i], loc[1, i], scale[1, i])
        assert got[i] == np.inf if expected > 1e308 else relative_error(got[i], expected) <= 8 * 2 * U


@pytest.mark.parametrize(
    ("p", "q"),
    [
        ((0.0, 1e-300), (0.0, 1e300)),
        ((0.0, 5e-324), (0.0, 1.0)),
        ((0.0, 5e-324), (0.0, 1e308)),
        ((1e308, 1.0), (-1e308, 1e308)),
        ((-1e308, 1e308), (1e308, 1e308)),
        ((0.0, 1.0), (0.0, np.nextafter(1.0, 2.0))),
        ((0.0, 1e-310), (0.0, 2e-310)),
    ],
)
def test_normal_extremes_are_right(p, q):
    got = ll.kl_divergence(ll.Normal(*p), ll.Normal(*q))
    assert relative_error(got, normal_kl_reference(*p, *q)) <= 16 * U


def test_overflow_is_infinity_without_a_warning():
    assert ll.kl_divergence(ll.Normal(0.0, 1.0), ll.Normal(0.0, 1e-200)) == np.inf
    assert ll.kl_divergence(ll.Normal(1e200, 1.0), ll.Normal(0.0, 1.0)) == np.inf


# ------------------------------------------------------------------------------------------- multivariate


def random_covariance(rng, d, spread=1.0):
    factor = rng.normal(size=(d, 2 * d))
    std = np.exp(spread * rng.normal(size=d))
    covariance = factor @ factor.T / (2 * d) * np.outer(std, std)
    return (covariance + covariance.T) / 2


@pytest.mark.parametrize("d", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("difference", [1.0, 0.1, 1e-3, 1e-8, 1e-12])
def test_mvn_from_covariances(d, difference):
    rng = np.random.default_rng(d)
    for _ in range(3):
        q_cov, q_loc = random_covariance(rng, d, 3.0), rng.normal(size=d)
        std = np.sqrt(np.diag(q_cov))
        p_cov = q_cov + difference * random_covariance(rng, d, 0.0) * np.outer(std, std)
        p_loc = q_loc + difference * std * rng.normal(size=d) * rng.integers(0, 2)
        expected = mvn_kl_reference(vector(p_loc), from_lower(p_cov), vector(q_loc), from_lower(q_cov))
        got = ll.kl_divergence(ll.MultivariateNormal(p_loc, p_cov), ll.MultivariateNormal(q_loc, q_cov))
        assert relative_error(got, expected) <= 8 * d * scaled_condition(q_cov) * U


@pytest.mark.parametrize("d", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("difference", [1.0, 1e-3, 1e-8, 1e-12])
def test_mvn_from_factors(d, difference):
    rng = np.random.default_rng(10 + d)
    q_tril = np.linalg.cholesky(random_covariance(rng, d))
    p_tril = q_tril + difference * np.tril(rng.normal(size=(d, d))) * np.diag(q_tril) * 0.3
    q_loc = rng.normal(size=d)
    p_loc = q_loc + difference * rng.normal(size=d)
    a, b = matrix(p_tril), matrix(q_tril)
    expected = mvn_kl_reference(vector(p_loc), a * a.T, vector(q_loc), b * b.T)
    got = ll.kl_divergence(
        ll.MultivariateNormal(p_loc, scale_tril=p_tril), ll.MultivariateNormal(q_loc, scale_tril=q_tril)
    )
    assert relative_error(got, expected) <= 8 * d * scaled_condition(q_tril @ q_tril.T) * U


def test_mvn_of_very_different_sizes():
    """tᵢᵢ far below and above 1: the logarithm must not go through 1 + excess."""
    rng = np.random.default_rng(3)
    for scale in (1e-8, 1e-3, 1e3, 1e8):
        p_cov, q_cov = scale**2 * random_covariance(rng, 4), random_covariance(rng, 4)
        expected = mvn_kl_reference(vector(np.zeros(4)), from_lower(p_cov), vector(np.ones(4)), from_lower(q_cov))
        got = ll.kl_divergence(ll.MultivariateNormal(np.zeros(4), p_cov), ll.MultivariateNormal(np.ones(4), q_cov))
        condition = max(scaled_condition(q_cov), scaled_condition(p_cov))
        assert relative_error(got, expected) <= 32 * condition * U


def test_mvn_equal_is_zero_and_never_negative():
    rng = np.random.default_rng(4)
    covariance = random_covariance(rng, 6)
    p = ll.MultivariateNormal(np.zeros(6), covariance)
    assert ll.kl_divergence(p, p) == 0.0
    for exponent in range(-60, 0, 5):
        q = ll.MultivariateNormal(np.zeros(6), covariance * (1 + 2.0**exponent))
        assert ll.kl_divergence(p, q) >= 0.0
        assert ll.kl_divergence(q, p) >= 0.0


def test_batches_broadcast_and_equal_their_items():
    rng = np.random.default_rng(5)
    d, shape = 3, (4, 1)
    p_cov = np.stack([random_covariance(rng, d) for _ in range(4)]).reshape(*shape, d, d)
    q_cov = np.stack([random_covariance(rng, d) for _ in range(5)])
    q_cov[2] = p_cov[1, 0] * (1 + 1e-9)  # one close item among others
    p_loc, q_loc = rng.normal(size=(4, 1, d)), rng.normal(size=(5, d))
    batch = ll.kl_divergence(ll.MultivariateNormal(p_loc, p_cov), ll.MultivariateNormal(q_loc, q_cov))
    assert batch.shape == (4, 5)
    for i in range(4):
        for j in range(5):
            item = ll.kl_divergence(
                ll.MultivariateNormal(p_loc[i, 0], p_cov[i, 0]), ll.MultivariateNormal(q_loc[j], q_cov[j])
            )
            assert item == batch[i, j]
    scalars = ll.kl_divergence(ll.Normal(np.zeros((3, 1)), 1.0), ll.Normal(0.0, [1.0, 2.0]))
    assert scalars.shape == (3, 2)


def test_univariate_with_one_dimensional_mvn():
    p, q = ll.Normal(0.0, 1.0), ll.MultivariateNormal([1.0], [[4.0]])
    assert abs(ll.kl_divergence(p, q) - 0.4431471805599453) <= 2 * U
    assert abs(ll.kl_divergence(q, p) - 1.3068528194400547) <= 2 * U


def test_dtype_follows_the_parameters():
    single = np.float32
    got = ll.kl_divergence(ll.Normal(single(0), single(1)), ll.Normal(single(1), single(2)))
    assert got.dtype == np.float32
    assert got == single(0.4431471805599453)
    mixed = ll.kl_divergence(ll.Normal(single(0), single(1)), ll.Normal(np.float64(1), np.float64(2)))
    assert mixed.dtype == np.float64


# ------------------------------------------------------------------------------------------- errors


def test_errors_name_what_is_wrong():
    p = ll.Normal(0.0, 1.0)
    q = ll.MultivariateNormal(np.zeros(2), np.eye(2))
    with pytest.raises(ValueError, match=r"^kl_divergence: p has dimension 1, q has dimension 2$"):
        ll.kl_divergence(p, q)
    with pytest.raises(ValueError, match=r"^kl_divergence: shapes do not broadcast: p \(2,\), q \(3,\)$"):
        ll.kl_divergence(ll.Normal(np.zeros(2)), ll.Normal(np.zeros(3)))
    with pytest.raises(NotImplementedError, match=r"KL\(Normal ‖ int\).*loglik\.estimate_kl"):
        ll.kl_divergence(p, 3)
    with pytest.raises(NotImplementedError, match="gradients"):
        ll.kl_divergence(p, p, wrt="p.loc")
