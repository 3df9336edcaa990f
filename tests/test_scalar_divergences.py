"""Divergences and their gradients for univariate families and mixed pairs, against mpmath definitions."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import loglik as ll

mp = mpmath.mp.clone()
mp.dps = 120
U = 2.0**-53
DIFFERENCES = [0.5, 1e-3, 1e-6, 1e-9, 1e-12, 1e-15]


def ulps(got, expected):
    if mp.isinf(expected) or np.isinf(got):
        return 0.0 if float(expected) == float(got) else math.inf
    step = max(mp.ldexp(1, mp.frexp(expected)[1] - 53), mp.mpf(5e-324)) if expected else mp.mpf(5e-324)
    return float(abs(mp.mpf(float(got)) - expected) / step)


def units(got, *terms):
    """Error of a sum of terms in units of u·Σ|terms|."""
    return float(abs(mp.mpf(float(got)) - mp.fsum(terms)) / (U * max(mp.fsum(abs(t) for t in terms), mp.mpf(1e-300))))


def bernoulli_kl(p, q):
    def part(a, b):
        return mp.mpf(0) if a == 0 else mp.inf if b == 0 else a * mp.log(a / b)

    return part(p, q) + part(1 - p, 1 - q)


def sigmoid(z):
    return 1 / (1 + mp.exp(-mp.mpf(z)))


# ------------------------------------------------------------------------------------------- the lecture


def test_lecture_values():
    assert ll.kl_divergence(ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)) == pytest.approx(0.4431471805599453, rel=1e-15)
    assert ll.kl_divergence(ll.Normal(1.0, 2.0), ll.Normal(0.0, 1.0)) == pytest.approx(1.3068528194400547, rel=1e-15)
    assert ll.kl_divergence(ll.Bernoulli(0.8), ll.Bernoulli(0.5)) == pytest.approx(0.19274475702175743, rel=4e-16)
    assert ll.kl_divergence(ll.Uniform(0.0, 1.0), ll.Uniform(-1.0, 3.0)) == pytest.approx(math.log(4), rel=1e-15)
    assert ll.kl_divergence(ll.Uniform(-1.0, 3.0), ll.Uniform(0.0, 1.0)) == np.inf


# ------------------------------------------------------------------------------------------- Bernoulli


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_bernoulli_from_logits(difference):
    rng = np.random.default_rng(1)
    for z in (*rng.normal(size=6) * 5, 0.0, 40.0, -40.0, 300.0, -700.0, 1e-300):
        w = z + difference * max(1.0, abs(z)) * rng.choice([-1, 1])
        p, q = sigmoid(z), sigmoid(w)
        with mp.workdps(700):
            p, q = sigmoid(float(z)), sigmoid(float(w))
            kl, mean = bernoulli_kl(p, q), (p + q) / 2
            js = (bernoulli_kl(p, mean) + bernoulli_kl(q, mean)) / 2
        first, second = ll.Bernoulli(logits=z), ll.Bernoulli(logits=w)
        assert ulps(ll.kl_divergence(first, second), kl) <= 8
        assert ulps(ll.js_divergence(first, second), js) <= 8


def test_bernoulli_extremes_of_logits():
    big = ll.Bernoulli(logits=[-1e5, 1e5, -np.inf, np.inf])
    np.testing.assert_array_equal(ll.kl_divergence(big, big), 0.0)
    np.testing.assert_array_equal(ll.js_divergence(big, big), 0.0)
    half = ll.Bernoulli(logits=0.0)
    np.testing.assert_allclose(ll.kl_divergence(half, ll.Bernoulli(logits=[-1e5, 1e5])), 5e4 - math.log(2), rtol=1e-15)
    np.testing.assert_array_equal(ll.kl_divergence(half, ll.Bernoulli(logits=[-np.inf, np.inf])), np.inf)
    np.testing.assert_allclose(ll.kl_divergence(big, half), math.log(2), rtol=1e-15)
    assert ll.kl_divergence(ll.Bernoulli(logits=-800.0), ll.Bernoulli(logits=-900.0)) == 0.0
    assert ll.js_divergence(ll.Bernoulli(logits=np.inf), ll.Bernoulli(0.0)) == math.log(2)
    assert ll.js_divergence(ll.Bernoulli(logits=1e3), ll.Bernoulli(logits=-1e3)) == math.log(2)


def test_bernoulli_probs_and_logits_mixed():
    for p in (0.0, 1e-300, 0.3, 1 - 2.0**-53, 1.0):
        for z in (-700.0, -1.0, 0.0, 2.0, 30.0):
            with mp.workdps(1000):
                expected = bernoulli_kl(mp.mpf(p), sigmoid(z))
                turned = bernoulli_kl(sigmoid(z), mp.mpf(p))
            assert ulps(ll.kl_divergence(ll.Bernoulli(p), ll.Bernoulli(logits=z)), expected) <= 8
            assert ulps(ll.kl_divergence(ll.Bernoulli(logits=z), ll.Bernoulli(p)), turned) <= 8


@settings(max_examples=300, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_bernoulli_is_sound(p, q):
    first, second = ll.Bernoulli(p), ll.Bernoulli(q)
    with mp.workdps(700):
        exact = mp.mpf(p), mp.mpf(q)
        mean = (exact[0] + exact[1]) / 2
        js = (bernoulli_kl(exact[0], mean) + bernoulli_kl(exact[1], mean)) / 2
        assert ulps(ll.kl_divergence(first, second), bernoulli_kl(*exact)) <= 8
        assert ulps(ll.js_divergence(first, second), js) <= 8
    assert 0 <= ll.js_divergence(first, second) <= math.log(2)
    assert ll.js_divergence(first, second) == ll.js_divergence(second, first)
    assert ll.js_distance(first, second) == np.sqrt(ll.js_divergence(first, second))


@settings(max_examples=300, deadline=None)
@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_logits_are_sound(a, b):
    first, second = ll.Bernoulli(logits=a), ll.Bernoulli(logits=b)
    assert ll.kl_divergence(first, second) >= 0
    assert 0 <= ll.js_divergence(first, second) <= math.log(2)
    assert ll.js_divergence(first, second) == ll.js_divergence(second, first)
    assert ll.cross_entropy(first, second) >= 0


# ------------------------------------------------------------------------------------------- uniform


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_uniform_near_equal(difference):
    rng = np.random.default_rng(2)
    for _ in range(30):
        low = rng.normal()
        high = low + np.exp(rng.normal())
        q_low, q_high = low - difference * rng.random(), high + difference * rng.integers(0, 2)
        expected = mp.log((mp.mpf(q_high) - mp.mpf(q_low)) / (mp.mpf(high) - mp.mpf(low)))
        got = ll.kl_divergence(ll.Uniform(low, high), ll.Uniform(q_low, q_high))
        assert ulps(got, expected) <= 8


def test_uniform_extremes():
    top = np.finfo(float).max
    for p, q in (((-1e308, 1e308), (-top, top)), ((0.0, 5e-324), (-top, top)), ((0.0, 5e-324), (-5e-324, 1e-323))):
        expected = mp.log((mp.mpf(q[1]) - mp.mpf(q[0])) / (mp.mpf(p[1]) - mp.mpf(p[0])))
        assert ulps(ll.kl_divergence(ll.Uniform(*p), ll.Uniform(*q)), expected) <= 8
    assert ll.kl_divergence(ll.Uniform(), ll.Uniform()) == 0
    np.testing.assert_array_equal(
        ll.kl_divergence(ll.Uniform(0.0, 1.0), ll.Uniform([0.0, 0.1, -1.0], [0.9, 2.0, 2.0]))[:2], np.inf
    )


def test_uniform_and_normal():
    rng = np.random.default_rng(3)
    for _ in range(200):
        low, scale = rng.normal() * 10.0 ** rng.uniform(-3, 3), 10.0 ** rng.uniform(-3, 3)
        width, loc = 10.0 ** rng.uniform(-3, 3), rng.normal() * 10.0 ** rng.uniform(-3, 3)
        high = low + width
        a, b, m, s = map(mp.mpf, (low, high, loc, scale))
        square = ((b - m) ** 3 - (a - m) ** 3) / (3 * (b - a))
        tail = mp.log(2 * mp.pi) / 2 + mp.log(s) + square / (2 * s**2)
        p, q = ll.Uniform(low, high), ll.Normal(loc, scale)
        assert ulps(ll.kl_divergence(p, q), tail - mp.log(b - a)) <= 8
        assert units(ll.cross_entropy(p, q), mp.log(2 * mp.pi) / 2, mp.log(s), square / (2 * s**2)) <= 8
        assert ll.kl_divergence(q, p) == np.inf
        assert ll.cross_entropy(q, p) == np.inf
    assert ll.kl_divergence(ll.Normal(np.zeros(3)), ll.Uniform(np.zeros((2, 1)), 1.0)).shape == (2, 3)
    assert np.isfinite(ll.kl_divergence(ll.Uniform(-1.7e308, 1.7e308), ll.Normal(0.0, 1e308)))
    with pytest.raises(ValueError, match="shapes do not broadcast"):
        ll.kl_divergence(ll.Normal(np.zeros(3)), ll.Uniform(np.zeros(2), 1.0))


# ------------------------------------------------------------------------------------------- Bernoulli and discrete


def test_bernoulli_and_discrete():
    for p in (0.0, 0.3, 1.0):
        for probs in ([0.5, 0.5], [1.0, 0.0], [0.0, 1.0], [0.25, 0.75]):
            b, d = ll.Bernoulli(p), ll.Discrete(probs)
            q = mp.mpf(probs[1])
            assert ulps(ll.kl_divergence(b, d), bernoulli_kl(mp.mpf(p), q)) <= 8
            assert ulps(ll.kl_divergence(d, b), bernoulli_kl(q, mp.mpf(p))) <= 8
            assert ulps(ll.js_divergence(d, b), mp.mpf(float(ll.js_divergence(ll.Bernoulli(probs[1]), b)))) <= 8
            assert ll.cross_entropy(b, d) == pytest.approx(float(ll.cross_entropy(b, ll.Bernoulli(probs[1]))), rel=1e-15)
            assert ll.cross_entropy(d, b) == pytest.approx(float(ll.cross_entropy(ll.Bernoulli(probs[1]), b)), rel=1e-15)
    batch = ll.kl_divergence(ll.Bernoulli([0.0, 0.5]), ll.Discrete([0.25, 0.25, 0.5], start=-1))
    np.testing.assert_allclose(batch, [math.log(4), 0.5 * math.log(2) + 0.5 * math.log(1)], rtol=1e-15)
    assert ll.kl_divergence(ll.Discrete([0.25, 0.25, 0.5], start=-1), ll.Bernoulli(0.5)) == np.inf
    assert ll.kl_divergence(ll.die(6), ll.Bernoulli(0.5)) == np.inf
    assert ll.kl_divergence(ll.Bernoulli(0.5), ll.die(6)) == np.inf
    assert ll.kl_divergence(ll.Bernoulli(1.0), ll.die(6)) == pytest.approx(math.log(6), rel=1e-15)
    assert ll.js_divergence(ll.Bernoulli(0.0), ll.die(6)) == pytest.approx(math.log(2), rel=4e-15)


@pytest.mark.parametrize("difference", [1e-3, 1e-9, 1e-12, 1e-15])
def test_bernoulli_near_discrete(difference):
    for p in (0.3, 0.7, 0.5):
        q = p + difference
        zero = 1.0 - q
        expected = sum(
            a * mp.log(a / b) + b - a
            for a, b in ((mp.mpf(p), mp.mpf(q)), (1 - mp.mpf(p), mp.mpf(zero)))
        )
        assert ulps(ll.kl_divergence(ll.Bernoulli(p), ll.Discrete([zero, q])), expected) <= 8


# ------------------------------------------------------------------------------------------- cross-entropy, entropy


def test_cross_entropy_is_entropy_and_divergence():
    rng = np.random.default_rng(4)
    a = rng.normal(size=(3, 3))
    covariance = a @ a.T + np.eye(3)
    pairs = [
        (ll.Normal(0.3, 2.0), ll.Normal(-1.0, 0.5)),
        (ll.Uniform(0.0, 1.0), ll.Uniform(-1.0, 3.0)),
        (ll.Uniform(0.0, 1.0), ll.Normal(0.0, 2.0)),
        (ll.Bernoulli(0.3), ll.Bernoulli(0.6)),
        (ll.Bernoulli(logits=0.3), ll.Bernoulli(0.6)),
        (ll.Bernoulli(0.3), ll.Bernoulli(logits=-0.6)),
        (ll.Bernoulli(0.3), ll.Discrete([0.5, 0.25, 0.25])),
        (ll.Discrete([0.5, 0.5]), ll.Bernoulli(0.75)),
        (ll.Discrete([0.5, 0.5]), ll.Discrete([0.2, 0.3, 0.5])),
        (ll.MultivariateNormal(np.ones(3), covariance), ll.MultivariateNormal(np.zeros(3), variance=[1.0, 2.0, 3.0])),
        (ll.Normal(0.3, 2.0), ll.MultivariateNormal([1.0], [[4.0]])),
    ]
    for p, q in pairs:
        assert ll.cross_entropy(p, q) == pytest.approx(float(p.entropy() + ll.kl_divergence(p, q)), rel=1e-14)
        assert ll.cross_entropy(p, p) == pytest.approx(float(p.entropy()), rel=1e-14, abs=1e-15)
    assert ll.cross_entropy(ll.Uniform(-1.0, 3.0), ll.Uniform(0.0, 1.0)) == np.inf
    assert ll.cross_entropy(ll.Bernoulli(0.5), ll.Bernoulli([0.0, 1.0])).tolist() == [np.inf, np.inf]
    assert ll.cross_entropy(ll.Bernoulli([0.0, 1.0]), ll.Bernoulli([0.0, 1.0])).tolist() == [0.0, 0.0]
    assert ll.cross_entropy(ll.Normal(np.float32(0)), ll.Normal()).dtype == np.float32


@pytest.mark.parametrize("q", [1e-300, 1e-17, 0.3, 0.9, 1 - 2.0**-53])
def test_bernoulli_cross_entropy_is_accurate(q):
    for p in (1e-200, 1e-17, 0.4, 1 - 2.0**-53):
        with mp.workdps(700):
            x, y = mp.mpf(p), mp.mpf(q)
            expected = -x * mp.log(y) - (1 - x) * mp.log(1 - y)
        assert ulps(ll.cross_entropy(ll.Bernoulli(p), ll.Bernoulli(q)), expected) <= 8


# ------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_normal_gradients(difference):
    rng = np.random.default_rng(5)
    names = ("p.loc", "p.scale", "q.loc", "q.scale")
    for _ in range(30):
        p_loc, p_scale = rng.normal(), np.exp(rng.normal())
        q_loc = p_loc + difference * p_scale * rng.normal() * rng.integers(0, 2)
        q_scale = p_scale * (1 + difference * rng.random())
        p, q = ll.Normal(p_loc, p_scale), ll.Normal(q_loc, q_scale)
        value, got = ll.kl_divergence(p, q, wrt=names)
        assert value == ll.kl_divergence(p, q)
        a, s, b, t = map(mp.mpf, (p_loc, p_scale, q_loc, q_scale))
        assert units(got[0], (a - b) / t**2) <= 8
        assert units(got[1], (s - t) * (s + t) / (s * t**2)) <= 8
        assert units(got[2], -(a - b) / t**2) <= 8
        assert units(got[3], (t - s) * (t + s) / t**3, -((a - b) ** 2) / t**3) <= 8

    def definition(a, s, b, t):
        return mp.log(t / s) + (s**2 + (a - b) ** 2) / (2 * t**2) - mp.mpf(1) / 2

    point = tuple(map(mp.mpf, (p_loc, p_scale, q_loc, q_scale)))
    for i in range(4):
        order = tuple(int(i == j) for j in range(4))
        assert float(abs(mp.diff(definition, point, order) - float(got[i]))) <= 1e-10 * max(1, abs(got[i]))


def test_normal_gradients_have_the_shapes_of_their_arguments():
    p, q = ll.Normal(np.zeros((3, 1)), 2.0), ll.Normal([0.5, 1.0, 1.5, 2.0], np.full((3, 4), 1.5))
    value, gradients = ll.kl_divergence(p, q, wrt=("p.loc", "p.scale", "q.loc", "q.scale"))
    assert value.shape == (3, 4)
    assert [np.shape(g) for g in gradients] == [(3, 1), (), (4,), (3, 4)]
    np.testing.assert_allclose(gradients[0][:, 0], (0 - q.loc).sum() / 1.5**2)
    np.testing.assert_allclose(gradients[1], 12 * (2 / 1.5**2 - 1 / 2))
    np.testing.assert_allclose(gradients[2], 3 * q.loc / 1.5**2)
    value, gradient = ll.kl_divergence(p, q, wrt="p.scale")
    assert gradient == gradients[1]
    value, (gradient,) = ll.kl_divergence(p, q, wrt=("p.scale",))
    assert gradient == gradients[1]
    single = ll.Normal(np.float32(1), np.float32(2))
    value, gradient = ll.kl_divergence(single, ll.Normal(), wrt="p.loc")
    assert value.dtype == gradient.dtype == np.float32
    # extremes: no overflow on the way
    value, gradient = ll.kl_divergence(ll.Normal(1e308, 1e308), ll.Normal(-1e308, 1e308), wrt=("p.loc", "q.scale"))
    np.testing.assert_allclose(gradient, (2e-308, -4e-308), rtol=1e-10)


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_bernoulli_gradients(difference):
    rng = np.random.default_rng(6)
    for _ in range(30):
        p = rng.choice([0.5, 0.25, 1e-3, 1 - 1e-3, rng.random()])
        q = min(max(p + difference * rng.uniform(-1, 1) * min(p, 1 - p), 0.0), 1.0)
        x, y = mp.mpf(p), mp.mpf(q)
        _, (by_p, by_q) = ll.kl_divergence(ll.Bernoulli(p), ll.Bernoulli(q), wrt=("p.probs", "q.probs"))
        assert units(by_p, mp.log(x / y), -mp.log((1 - x) / (1 - y))) <= 8
        assert units(by_q, (y - x) / (y * (1 - y))) <= 8
        a, b = rng.normal() * 10, 0.0
        b = a + difference * rng.uniform(-1, 1)
        x, y = sigmoid(float(a)), sigmoid(float(b))
        first, second = ll.Bernoulli(logits=a), ll.Bernoulli(logits=b)
        _, (by_p, by_q) = ll.kl_divergence(first, second, wrt=("p.logits", "q.logits"))
        assert units(by_p, x * (1 - x) * (mp.mpf(float(a)) - mp.mpf(float(b)))) <= 8
        assert units(by_q, y - x) <= 8


def test_bernoulli_gradients_at_the_ends():
    _, by_q = ll.kl_divergence(ll.Bernoulli([0.0, 1.0, 0.0, 1.0, 0.5]), ll.Bernoulli([0.0, 1.0, 0.5, 0.5, 0.0]), wrt="q.probs")
    np.testing.assert_array_equal(by_q, [1.0, -1.0, 2.0, -2.0, -np.inf])
    _, (by_p, by_q) = ll.kl_divergence(
        ll.Bernoulli(logits=[-np.inf, np.inf, 1e4]), ll.Bernoulli(logits=[0.0, 1.0, -1e4]), wrt=("p.logits", "q.logits")
    )
    np.testing.assert_array_equal(by_p, 0.0)
    np.testing.assert_allclose(by_q, [0.5, -1 / (1 + math.e), -1.0])
    _, by_p = ll.kl_divergence(ll.Bernoulli(0.3), ll.Bernoulli([0.2, 0.6]), wrt="p.probs")
    np.testing.assert_allclose(by_p, math.log(0.3 / 0.7) * 2 - math.log(0.25) - math.log(1.5), rtol=1e-14)
    _, by_q = ll.kl_divergence(ll.Bernoulli(np.full((2, 3), 0.3)), ll.Bernoulli(logits=np.zeros((2, 1))), wrt="q.logits")
    np.testing.assert_allclose(by_q, np.full((2, 1), 0.6), rtol=1e-15)
