"""Expectations: known values, infinite and unresolved ones, what g may return."""

import math
import warnings

import numpy as np
import pytest

import loglik as ll
from loglik import AccuracyWarning


@pytest.mark.parametrize(
    "g, exact",
    [
        (lambda x: x**40, 319830986772877770815625.0),
        (np.abs, math.sqrt(2 / math.pi)),
        (lambda x: x > 0.3, 0.38208857781104733),
        (lambda x: np.log(np.abs(x)), -(np.euler_gamma + math.log(2)) / 2),
        (lambda x: np.sin(100 * x) ** 2, 0.5),
        (lambda x: np.exp(3 * x), math.exp(4.5)),
        (lambda x: np.exp(0.48 * x * x), 5.0),  # overflows at 38.4, where it does not count
        (lambda x: 1e307, 1e307),
        (lambda x: np.ones(x.shape, np.int8), 1.0),
    ],
)
def test_normal(g, exact):
    with np.errstate(all="ignore"):
        assert ll.Normal().expect(g) == pytest.approx(exact, rel=1e-12)


def test_moments_of_each_family():
    mvn = ll.MultivariateNormal([1.0, -2.0], [[2.0, 0.5], [0.5, 1.0]])
    assert mvn.expect(lambda x: x[..., 0] * x[..., 1]) == pytest.approx(0.5 - 2.0, rel=1e-14)
    line = ll.MultivariateNormal([0.0, 0.0], [[1.0, 2.0], [2.0, 4.0]], allow_singular=True)
    assert line.expect(lambda x: (x[..., 1] - x[..., 0]) ** 2) == pytest.approx(1.0, rel=1e-14)
    assert ll.MultivariateNormal([3.0], variance=[4.0]).expect(lambda x: x[..., 0] ** 2) == pytest.approx(13, rel=1e-14)
    assert ll.MultivariateNormal([3.0], variance=[0.0], allow_singular=True).expect(lambda x: x[..., 0]) == pytest.approx(3)
    assert ll.Uniform(-1.0, 3.0).expect(lambda x: x**3) == pytest.approx(5.0, rel=1e-14)
    assert ll.Uniform(-1.7e308, 1.7e308).expect(lambda x: x > 1e308) == pytest.approx(0.7 / 3.4, rel=1e-12)
    assert ll.Bernoulli(0.25).expect(lambda x: 4 * x + 1) == 2.0
    # Far from 0 and narrow: the points are in units of the distribution.
    assert ll.Normal(1e10, 1e-3).expect(lambda x: x - 1e10) == pytest.approx(0, abs=1e-8)
    for d in range(2, 7):
        value = ll.MultivariateNormal(np.zeros(d), variance=np.ones(d)).expect(lambda x: np.exp(0.3 * x.sum(axis=-1)))
        assert value == pytest.approx(math.exp(0.045 * d), rel=1e-12)


def test_batches_and_dtypes():
    d = ll.Normal(np.zeros((2, 1)), np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(d.expect(np.square), np.array([[1, 4, 9]] * 2), rtol=1e-14)
    many = ll.Uniform(np.zeros(1000), np.arange(1.0, 1001.0))
    np.testing.assert_allclose(many.expect(lambda x: x), np.arange(1.0, 1001.0) / 2, rtol=1e-14)
    np.testing.assert_allclose(ll.Bernoulli([0.0, 0.5, 1.0]).expect(lambda x: 2 * x), [0, 1, 2])
    gaussians = ll.MultivariateNormal(np.arange(6.0).reshape(3, 2), variance=[1.0, 4.0])
    np.testing.assert_allclose(gaussians.expect(lambda x: x[..., 1] ** 2), np.array([1.0, 9.0, 25.0]) + 4, rtol=1e-13)
    for d32 in (ll.Normal(np.float32(0), 1), ll.Bernoulli(np.float32(0.5)), ll.Discrete(np.float32([0.5, 0.5]))):
        assert d32.expect(lambda x: x).dtype == np.float32
    assert ll.Normal(np.zeros(0), 1.0).expect(lambda x: x).shape == (0,)
    assert ll.MultivariateNormal(np.zeros((0, 2)), variance=[1.0, 1.0]).expect(lambda x: x[..., 0]).shape == (0,)


def test_infinite_and_missing_values():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ll.Normal().expect(lambda x: np.full(x.shape, np.inf)) == np.inf
        assert ll.Normal().expect(lambda x: np.where(x > 0, -np.inf, 1.0)) == -np.inf
        assert np.isnan(ll.Normal().expect(lambda x: np.where(x > 0, -np.inf, np.inf)))
        assert np.isnan(ll.Normal().expect(lambda x: x * np.nan))
        assert ll.Uniform().expect(lambda x: np.where(x > 0.5, np.inf, 0.0)) == np.inf
        assert ll.die(6).expect(lambda x: np.where(x == 3, np.inf, x)) == np.inf
    # what cannot happen does not count
    assert ll.Discrete([0.5, 0.0, 0.5]).expect(lambda x: np.where(x == 1, np.inf, x)) == 1.0
    assert ll.Bernoulli(1.0).expect(lambda x: np.where(x == 0, np.nan, x)) == 1.0
    with pytest.warns(AccuracyWarning, match=r"Normal.expect: g overflows"), np.errstate(over="ignore"):
        assert ll.Normal().expect(lambda x: np.exp(x * x)) == np.inf
    with pytest.warns(AccuracyWarning, match=r"Normal.expect: the integral did not converge") as caught:
        ll.Normal().expect(lambda x: 1 / np.abs(x))
    assert caught[0].filename == __file__
    with pytest.warns(AccuracyWarning, match=r"Uniform.expect: the integral did not converge"):
        ll.Uniform().expect(lambda x: 1 / x)
    with np.errstate(divide="ignore"):  # infinite in a point only: integrable
        assert ll.Uniform().expect(lambda x: x**-0.5) == pytest.approx(2, rel=1e-9)
        assert ll.Normal(-0.5).expect(lambda x: np.abs(x) ** -0.5) == pytest.approx(1.61797017558135, rel=1e-7)
    with pytest.warns(AccuracyWarning, match=r"MultivariateNormal.expect: the integral did not converge"):
        ll.MultivariateNormal([0.0, 0.0], variance=[1.0, 1.0]).expect(lambda x: x[..., 0] > 0.1)


def test_errors():
    with pytest.raises(TypeError, match=r"^Normal.expect: g must be a function of an array of points, got float$"):
        ll.Normal().expect(1.0)
    with pytest.raises(TypeError, match=r"^Bernoulli.expect: g must return real numbers, got dtype complex128$"):
        ll.Bernoulli(0.5).expect(lambda x: x * 1j)
    with pytest.raises(ValueError, match=r"g must return a value for each point, shape \(6,\), got shape \(3,\)$"):
        ll.die(6).expect(lambda x: x[:3])
    with pytest.raises(NotImplementedError, match=r"^MultivariateNormal.expect: .* 6 dimensions, this has 7; estimate by"):
        ll.MultivariateNormal(np.zeros(7), np.eye(7)).expect(lambda x: x[..., 0])
