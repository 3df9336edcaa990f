"""Bernoulli: probabilities against the definition, edges, gradients, dtypes, errors."""

import copy
import pickle

import mpmath
import numpy as np
import pytest
from numpy import array, float32, float64  # noqa: F401  (names in an eval-able repr)

import loglik as ll
from loglik import Bernoulli

mp = mpmath.mp.clone()
mp.dps = 60


def test_lecture_values():
    for p in (0.8, 0.2, 0.5):
        np.testing.assert_allclose(Bernoulli(p).log_prob([1, 0]), np.log([p, 1 - p]), rtol=1e-15)
        np.testing.assert_allclose(Bernoulli(p).prob([1, 0]), [p, 1 - p], rtol=1e-15)


def test_outcomes():
    for d in (Bernoulli(0.25), Bernoulli(logits=np.log(1 / 3))):
        np.testing.assert_array_equal(d.log_prob([2, -1, 0.5, np.inf]), -np.inf)
        assert np.isnan(d.log_prob(np.nan))
        np.testing.assert_allclose(d.log_prob([True, False]), np.log([0.25, 0.75]), rtol=1e-15)
    certain = Bernoulli([0.0, 1.0])
    np.testing.assert_array_equal(certain.log_prob(1), [-np.inf, 0])
    np.testing.assert_array_equal(certain.log_prob(0), [0, -np.inf])
    np.testing.assert_array_equal(Bernoulli(logits=[-np.inf, np.inf]).log_prob(1), [-np.inf, 0])


@pytest.mark.parametrize("z", [-800.0, -40.0, -1.0, 0.0, 1e-300, 3.0, 37.0, 745.0])
def test_logits_keep_both_digits(z):
    d = Bernoulli(logits=z)
    p = 1 / (1 + mp.exp(-mp.mpf(z)))
    with mp.workdps(400):
        p0 = 1 / (1 + mp.exp(mp.mpf(z)))
        entropy = -p * mp.log(p) - p0 * mp.log(p0)
    assert d.probs == pytest.approx(float(p), rel=1e-15)
    assert d.log_prob(0) == pytest.approx(float(mp.log(p0)), rel=1e-15)
    assert d.log_prob(1) == pytest.approx(float(mp.log(p)) if z < 0 else -float(mp.log1p(mp.exp(-mp.mpf(z)))), rel=1e-15)
    assert d.entropy() == pytest.approx(float(entropy), rel=1e-15)
    assert d.variance == pytest.approx(float(p * p0), rel=1e-15)
    assert d.logits == z


@pytest.mark.parametrize("p", [0.0, 1e-310, 1e-17, 0.3, 0.5, 0.9, 1 - 2.0**-53, 1.0])
def test_entropy_and_logits_of_probabilities(p):
    with mp.workdps(400):
        x = mp.mpf(p)
        entropy = -sum(a * mp.log(a) for a in (x, 1 - x) if a)
    assert Bernoulli(p).entropy() == pytest.approx(float(entropy), rel=8e-16, abs=1e-320)
    assert not np.signbit(Bernoulli(p).entropy())
    if 0 < p < 1:
        assert Bernoulli(p).logits == pytest.approx(float(mp.log(x / (1 - x))), rel=1e-15)


def test_cdf_family():
    d = Bernoulli([0.25, 1.0])
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, np.nan])[:, None]
    cdf = np.array([[0, 0], [0.75, 0], [0.75, 0], [1, 1], [1, 1], [np.nan, np.nan]])
    np.testing.assert_array_equal(d.cdf(x), cdf)
    np.testing.assert_array_equal(d.sf(x), 1 - cdf)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(d.log_cdf(x), np.log(cdf), rtol=1e-15)
        np.testing.assert_allclose(d.log_sf(x), np.log(1 - cdf), rtol=1e-15)
    assert Bernoulli(logits=50.0).log_sf(0.5) == pytest.approx(-float(mp.exp(-50)), rel=1e-15)


def test_moments():
    d = Bernoulli([0.25, 0.5])
    np.testing.assert_array_equal(d.mean, [0.25, 0.5])
    np.testing.assert_array_equal(d.variance, [0.1875, 0.25])
    np.testing.assert_array_equal(d.std, np.sqrt([0.1875, 0.25]))


def test_gradients():
    p = np.array([0.25, 0.75])
    x = np.array([[1, 0], [1, 1], [0, 0]])
    value, gradient = Bernoulli(p).log_prob(x, wrt="probs")
    np.testing.assert_array_equal(value, Bernoulli(p).log_prob(x))
    np.testing.assert_allclose(gradient, [2 / 0.25 - 1 / 0.75, 1 / 0.75 - 2 / 0.25], rtol=1e-15)
    z = np.array([0.5, -40.0])
    value, (gradient,) = Bernoulli(logits=z).log_prob(x, wrt=("logits",))
    np.testing.assert_allclose(gradient, x.sum(0) - 3 / (1 + np.exp(-z)), rtol=1e-15)
    assert Bernoulli(logits=40.0).log_prob(1, wrt="logits")[1] == pytest.approx(float(1 / (1 + mp.exp(40))), rel=1e-15)
    assert np.isnan(Bernoulli(0.5).log_prob(2, wrt="probs")[1])
    out = (np.empty((3, 2)), np.empty(2))
    assert Bernoulli(p).log_prob(x, wrt="probs", out=out) is out
    np.testing.assert_array_equal(out[0], Bernoulli(p).log_prob(x))
    for wrt in ("x", "logits"):
        with pytest.raises(ValueError, match=r"in: 'probs'$"):
            Bernoulli(p).log_prob(x, wrt=wrt)


def test_out_and_dtypes():
    x = np.array([0, 1, 1], np.float32)
    for d in (Bernoulli(0.25), Bernoulli(logits=0.25)):
        out = np.empty(3, np.float32)
        assert d.log_prob(x, out=out) is out
        assert d.log_prob(x).dtype == np.float32
        np.testing.assert_array_equal(out, d.log_prob(x))
        with pytest.raises(ValueError, match="out must have shape"):
            d.log_prob(x, out=np.empty(3))
    assert Bernoulli(np.float32(0.25)).dtype == np.float32
    assert Bernoulli(np.float32(0.25)).entropy().dtype == np.float32
    assert Bernoulli(np.float32(0.25)).log_prob([0, 1]).dtype == np.float32
    assert Bernoulli(np.array([0, 1])).dtype == np.float64


@pytest.mark.parametrize(
    "arguments,error,message",
    [
        ({"probs": 1.5}, ValueError, r"Bernoulli: probs must be within \[0, 1\], but probs = 1.5"),
        ({"probs": [0.5, -0.1]}, ValueError, r"but probs\[1\] = -0.1"),
        ({"probs": np.nan}, ValueError, "but probs = nan"),
        ({"logits": [[0.0], [np.nan]]}, ValueError, r"logits must be a number.*but logits\[1, 0\] = nan"),
        ({}, TypeError, "give exactly one of probs and logits, got none"),
        ({"probs": 0.5, "logits": 0.0}, TypeError, "got both"),
        ({"probs": 0.5j}, TypeError, "probs has dtype complex128"),
    ],
)
def test_bad_parameters_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        Bernoulli(**arguments)


def test_value_semantics():
    one = Bernoulli(logits=np.float32(1))
    for d in (Bernoulli(0.25), one, Bernoulli([0.0, 1.0]), Bernoulli(logits=[0.5, 1.5]), Bernoulli(1)):
        assert eval(repr(d)) == d
        assert pickle.loads(pickle.dumps(d)) == d
        assert copy.deepcopy(d) == d
        assert hash(eval(repr(d))) == hash(d)
    assert Bernoulli(0.5) != Bernoulli(logits=0.0)
    with pytest.raises(AttributeError, match="immutable"):
        Bernoulli(0.5).probs = 1
    assert ll.Bernoulli is Bernoulli


def test_quantile_and_prob_between():
    d = Bernoulli([0.0, 0.25, 1.0])
    np.testing.assert_array_equal(d.quantile([[0.0], [0.75], [0.76], [1.0]]), [[0, 0, 1], [0, 0, 1], [0, 1, 1], [0, 1, 1]])
    assert np.isnan(Bernoulli(0.5).quantile(np.nan))
    # Neither probability loses digits: 1 - p is 1 here.
    rare = Bernoulli(logits=-50.0)
    np.testing.assert_array_equal(rare.quantile([0.5, 1 - 2.0**-53, 1.0]), [0, 0, 1])
    for p in np.random.default_rng(0).random(1000):
        for one in (Bernoulli(p), Bernoulli(np.float32(p)), Bernoulli(logits=np.log(p / (1 - p)))):
            assert one.quantile(one.cdf(0)) == 0
            assert one.quantile(1) == 1
    assert Bernoulli(np.float32(0.5)).quantile(0.5).dtype == np.float32
    with pytest.raises(ValueError, match=r"^Bernoulli.quantile: q must be within \[0, 1\], but q\[1\] = 2.0$"):
        d.quantile([0.5, 2.0, 3.0])

    nan, inf = np.nan, np.inf
    a, b = [0, 0.5, 0, 1, -inf, 2, nan, 0], [1, 2, 0.5, 0, inf, 3, 0, nan]
    np.testing.assert_array_equal(Bernoulli(0.25).prob_between(a, b), [1, 0.25, 0.75, 0, 1, 0, nan, nan])
    assert Bernoulli(np.float32([0.25, 0.5])).prob_between([[0], [1], [2]], 1).shape == (3, 2)
    assert Bernoulli(np.float32(0.5)).prob_between(0, 0).dtype == np.float32
    assert rare.prob_between(1, 1) == rare.sf(0) > 0
