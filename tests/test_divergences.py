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


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("difference", [1.0, 1e-3, 1e-8, 1e-12])
def test_mvn_from_precisions(d, difference):
    rng = np.random.default_rng(40 + d)
    q_matrix = random_covariance(rng, d)
    p_matrix = q_matrix + difference * random_covariance(rng, d, 0.0) * np.sqrt(np.outer(np.diag(q_matrix), np.diag(q_matrix)))
    loc = rng.normal(size=d)
    expected = mvn_kl_reference(vector(loc), from_lower(p_matrix) ** -1, vector(loc), from_lower(q_matrix) ** -1)
    p, q = ll.MultivariateNormal(loc, precision=p_matrix), ll.MultivariateNormal(loc, precision=q_matrix)
    got = ll.kl_divergence(p, q)
    assert relative_error(got, expected) <= 8 * d * np.linalg.cond(q_matrix) * U
    _, gradient = ll.kl_divergence(p, q, wrt="p.precision")
    covariance = mvn_gradients_reference(vector(loc), from_lower(p_matrix) ** -1, vector(loc), from_lower(q_matrix) ** -1)[2]
    inverse = from_lower(p_matrix) ** -1
    assert norm_error(gradient, -inverse * covariance * inverse) <= 8 * d * np.linalg.cond(p_matrix) ** 2 * U


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
    for name in ("loc", "p.variance", "p.x", "r.loc", ""):
        with pytest.raises(ValueError, match=r"a gradient can be taken in: 'p.loc', 'p.scale', 'q.loc', 'q.scale'$"):
            ll.kl_divergence(p, p, wrt=name)
    with pytest.raises(ValueError, match=r"'p.loc' more than once"):
        ll.kl_divergence(p, p, wrt=("p.loc", "p.loc"))
    with pytest.raises(TypeError, match="wrt must be a name or a tuple"):
        ll.kl_divergence(p, p, wrt=3)
    with pytest.raises(ValueError, match=r"in: 'p.loc', 'p.covariance', 'q.loc', 'q.precision'$"):
        ll.kl_divergence(q, ll.MultivariateNormal(np.zeros(2), precision=np.eye(2)), wrt="q.covariance")
    with pytest.raises(ValueError, match=r"in: 'p.probs', 'q.logits'$"):
        ll.kl_divergence(ll.Bernoulli(0.5), ll.Bernoulli(logits=0.0), wrt="q.probs")
    with pytest.raises(NotImplementedError, match=r"no gradients \(wrt\) for KL\(Uniform ‖ Uniform\)"):
        ll.kl_divergence(ll.Uniform(), ll.Uniform(), wrt="p.low")
    with pytest.raises(NotImplementedError, match="not for arrays"):
        ll.kl_divergence([0.5, 0.5], [0.5, 0.5], wrt="p")
    with pytest.raises(NotImplementedError, match=r"JS\(Normal ‖ Normal\).*estimate_js is for other pairs"):
        ll.js_divergence(p, p)
    with pytest.raises(NotImplementedError, match=r"JS\(Uniform ‖ Bernoulli\).*estimate_js"):
        ll.js_distance(ll.Uniform(), ll.Bernoulli(0.5))
    with pytest.raises(NotImplementedError, match=r"^cross_entropy: no closed form for H\(Normal ‖ Bernoulli\)"):
        ll.cross_entropy(p, ll.Bernoulli(0.5))


# ------------------------------------------------------------------------------------------- gradients of Gaussians


def mvn_gradients_reference(p_loc, p_cov, q_loc, q_cov):
    """In both means, and the symmetric ones in both covariances, for mpmath matrices."""
    with mp.workdps(100):
        p_inverse, q_inverse, delta = p_cov**-1, q_cov**-1, p_loc - q_loc
        by_loc = q_inverse * delta
        of_p = (q_inverse - p_inverse) / 2
        of_q = (q_inverse - q_inverse * (p_cov + delta * delta.T) * q_inverse) / 2
        return by_loc, -by_loc, of_p, of_q


def norm_error(got, expected):
    """Largest error over the largest entry."""
    flat = [expected[i, j] for i in range(expected.rows) for j in range(expected.cols)]
    top = max(abs(x) for x in flat)
    errors = [abs(exact(g) - e) for g, e in zip(np.ravel(got), flat, strict=True)]
    return float(max(errors) / top) if top else float(max(errors))


@pytest.mark.parametrize("d", [1, 2, 4])
@pytest.mark.parametrize("difference", [1.0, 1e-3, 1e-8, 1e-12])
def test_mvn_gradients_of_covariances(d, difference):
    rng = np.random.default_rng(20 + d)
    q_cov, q_loc = random_covariance(rng, d), rng.normal(size=d)
    p_cov = q_cov + difference * random_covariance(rng, d, 0.0) * 0.3 * np.sqrt(np.outer(np.diag(q_cov), np.diag(q_cov)))
    p_loc = q_loc + difference * rng.normal(size=d)
    p, q = ll.MultivariateNormal(p_loc, p_cov), ll.MultivariateNormal(q_loc, q_cov)
    value, got = ll.kl_divergence(p, q, wrt=("p.loc", "q.loc", "p.covariance", "q.covariance"))
    assert value == ll.kl_divergence(p, q)
    expected = mvn_gradients_reference(vector(p_loc), from_lower(p_cov), vector(q_loc), from_lower(q_cov))
    bound = 8 * d * np.linalg.cond(q_cov) * np.linalg.cond(p_cov) * U
    for g, e in zip(got, expected, strict=True):
        assert norm_error(g, e) <= bound
    np.testing.assert_array_equal(got[2], got[2].T)
    np.testing.assert_array_equal(got[3], got[3].T)


@pytest.mark.parametrize("form", ["precision", "scale_tril", "variance"])
@pytest.mark.parametrize("difference", [1.0, 1e-6, 1e-10])
def test_mvn_gradients_of_other_forms(form, difference):
    """By the chain rule, from differences of the definition along random directions."""
    rng = np.random.default_rng(30)
    d = 3

    def make():
        if form == "variance":
            return np.exp(rng.normal(size=d))
        tril = np.tril(rng.normal(size=(d, d)) * 0.3, -1) + np.diag(np.exp(0.3 * rng.normal(size=d)))
        return tril if form == "scale_tril" else tril @ tril.T

    q_matrix = make()
    p_matrix = q_matrix + difference * 0.1 * q_matrix * (np.eye(d) if form != "variance" else 1.0)
    p_loc, q_loc = rng.normal(size=d), rng.normal(size=d)
    p, q = ll.MultivariateNormal(p_loc, **{form: p_matrix}), ll.MultivariateNormal(q_loc, **{form: q_matrix})
    _, got = ll.kl_divergence(p, q, wrt=(f"p.{form}", f"q.{form}"))
    assert [g.shape for g in got] == [p_matrix.shape, q_matrix.shape]

    def covariance(entries):
        m = matrix(np.zeros((d, d)))
        for i, row in enumerate(entries):
            for j, x in enumerate(row):
                m[i, j] = x
        return m**-1 if form == "precision" else m * m.T if form == "scale_tril" else m

    def full(array):
        return np.diag(array) if form == "variance" else array

    for which, g in enumerate(got):
        direction = rng.normal(size=(d, d))
        direction = {
            "variance": np.diag(np.diag(direction)), "scale_tril": np.tril(direction), "precision": direction + direction.T,
        }[form]

        def along(t, which=which, direction=direction):
            entries = [[[exact(x) for x in row] for row in full(m)] for m in (p_matrix, q_matrix)]
            for i, j in np.ndindex(d, d):
                entries[which][i][j] += t * exact(direction[i, j])
            return mvn_kl_reference(vector(p_loc), covariance(entries[0]), vector(q_loc), covariance(entries[1]))

        with mp.workdps(90):
            step = mp.mpf(10) ** -25
            slope = (along(step) - along(-step)) / (2 * step)
        total = np.sum(full(g) * direction)
        assert abs(total - float(slope)) <= 1e-12 * np.abs(full(g) * direction).sum() + 1e-14 * difference


def test_mvn_gradients_have_the_shapes_of_their_arguments():
    rng = np.random.default_rng(31)
    d = 3
    p_cov = np.stack([random_covariance(rng, d, 0.3) for _ in range(4)])
    q_cov = random_covariance(rng, d, 0.3)
    p_loc, q_loc = rng.normal(size=(4, d)), rng.normal(size=(5, 1, d))
    p, q = ll.MultivariateNormal(p_loc, p_cov), ll.MultivariateNormal(q_loc, q_cov)
    names = ("p.loc", "p.covariance", "q.loc", "q.covariance")
    value, got = ll.kl_divergence(p, q, wrt=names)
    assert value.shape == (5, 4)
    assert [g.shape for g in got] == [(4, d), (4, d, d), (5, 1, d), (d, d)]
    sums = [np.zeros_like(g) for g in got]
    for i in range(5):
        for j in range(4):
            one = ll.MultivariateNormal(p_loc[j], p_cov[j]), ll.MultivariateNormal(q_loc[i, 0], q_cov)
            _, parts = ll.kl_divergence(*one, wrt=names)
            for total, part, index in zip(sums, parts, (j, j, (i, 0), ...), strict=True):
                total[index] += part
    for g, total in zip(got, sums, strict=True):
        np.testing.assert_allclose(g, total, rtol=1e-12, atol=1e-13)
    # a univariate normal with a 1-dimensional multivariate one
    first, second = ll.Normal([0.0, 1.0], 2.0), ll.MultivariateNormal([0.5], [[9.0]])
    _, got = ll.kl_divergence(first, second, wrt=("p.loc", "p.scale", "q.loc", "q.covariance"))
    _, want = ll.kl_divergence(first, ll.Normal(0.5, 3.0), wrt=("p.loc", "p.scale", "q.loc", "q.scale"))
    assert [np.shape(g) for g in got] == [(2,), (), (1,), (1, 1)]
    np.testing.assert_allclose(got[0], want[0], rtol=1e-14)
    np.testing.assert_allclose(got[1], want[1], rtol=1e-14)
    np.testing.assert_allclose(got[2][0], want[2], rtol=1e-14)
    np.testing.assert_allclose(got[3][0, 0], want[3] / 6, rtol=1e-14)
    single = ll.MultivariateNormal(np.zeros(2, np.float32), np.eye(2, dtype=np.float32))
    assert ll.kl_divergence(single, single, wrt="q.covariance")[1].dtype == np.float32
