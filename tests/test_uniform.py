"""Uniform: density against the definition, edges, gradients, dtypes, errors."""

import copy
import pickle
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from numpy import array, float32, float64  # noqa: F401  (names in an eval-able repr)

import loglik as ll
from loglik import Uniform
from loglik._engine.parallel import num_threads

mp = mpmath.mp.clone()
mp.dps = 50


def test_density():
    d = Uniform(-1.0, 3.0)
    np.testing.assert_allclose(d.log_prob([-1.0, 0.0, 3.0]), -np.log(4), rtol=1e-15)
    np.testing.assert_array_equal(d.log_prob([-1.1, 3.1, np.inf, -np.inf]), -np.inf)
    assert np.isnan(d.log_prob(np.nan))
    np.testing.assert_allclose(d.prob([0.0, 9.0]), [0.25, 0.0])
    wide = Uniform(-1.7e308, 1.7e308)
    assert wide.log_prob(0.0) == pytest.approx(float(-mp.log(2 * mp.mpf(1.7e308))), rel=1e-15)
    assert wide.entropy() == pytest.approx(float(mp.log(2 * mp.mpf(1.7e308))), rel=1e-15)
    assert wide.mean == 0
    assert wide.std == pytest.approx(1.7e308 / np.sqrt(3), rel=1e-15)


def test_large_arrays_and_out():
    d = Uniform(np.zeros(2), [[1.0], [2.0]])
    assert d.batch_shape == (2, 2)
    x = np.random.default_rng(0).uniform(-1, 3, (60_000, 2, 2))
    want = d.log_prob(x)
    np.testing.assert_array_equal(want[17], d.log_prob(x[17]))
    for threads in (1, 3):
        with num_threads(threads):
            np.testing.assert_array_equal(d.log_prob(x), want)
    out = np.empty_like(x)
    assert d.log_prob(x, out=out) is out
    np.testing.assert_array_equal(out, want)
    with pytest.raises(ValueError, match=r"Uniform.log_prob: out must have shape"):
        d.log_prob(x, out=np.empty(3))


def test_gradients():
    d = Uniform(0.0, [2.0, 4.0])
    x = np.array([[1.0, 1.0], [1.5, 3.0], [0.0, 4.0]])
    value, (by_x, by_low, by_high) = d.log_prob(x, wrt=("x", "low", "high"))
    np.testing.assert_array_equal(value, d.log_prob(x))
    np.testing.assert_array_equal(by_x, np.zeros((3, 2)))
    assert by_low == 3 * 0.5 + 3 * 0.25
    np.testing.assert_array_equal(by_high, [-1.5, -0.75])
    assert np.isnan(d.log_prob(5.0, wrt="low")[1])
    out = (np.empty((3, 2)), np.empty(2))
    assert d.log_prob(x, wrt="high", out=out) is out
    np.testing.assert_array_equal(out[1], by_high)
    with pytest.raises(ValueError, match=r"in: 'x', 'low', 'high'$"):
        d.log_prob(x, wrt="loc")


def test_cdf_family():
    d = Uniform(1.0, 3.0)
    x = [0.0, 1.0, 1.5, 2.0, 3.0, 4.0, np.nan, np.inf, -np.inf]
    np.testing.assert_array_equal(d.cdf(x), [0, 0, 0.25, 0.5, 1, 1, np.nan, 1, 0])
    np.testing.assert_array_equal(d.sf(x), [1, 1, 0.75, 0.5, 0, 0, np.nan, 0, 1])
    np.testing.assert_allclose(d.log_cdf(x), [-np.inf, -np.inf, np.log(0.25), np.log(0.5), 0, 0, np.nan, 0, -np.inf], rtol=1e-15)
    np.testing.assert_allclose(d.log_sf(x), [0, 0, np.log(0.75), np.log(0.5), -np.inf, -np.inf, np.nan, -np.inf, 0], rtol=1e-15)
    unit = Uniform()
    assert unit.log_sf(1e-300) == -1e-300
    assert unit.sf(1 - 2.0**-53) == 2.0**-53
    assert unit.cdf(1e-300) == 1e-300
    wide = Uniform(-1.7e308, 1.7e308)
    assert wide.cdf(0.0) == 0.5
    assert wide.sf(1e308) == pytest.approx(0.7 / 3.4, rel=1e-15)
    assert Uniform(0.0, 5e-324).cdf(5e-324) == 1
    assert unit.cdf(np.float32(0.5)).dtype == np.float32


def test_quantile():
    d = Uniform([-1.0, 0.5], [[1.0], [3.0]])
    np.testing.assert_array_equal(d.quantile([0.0, 1.0]), [[-1, 1], [-1, 3]])
    np.testing.assert_array_equal(d.quantile(0.75), [[0.5, 0.875], [2, 2.375]])
    assert Uniform(-1.0, 0.0).quantile(1 - 2.0**-53) == -(2.0**-53)
    assert Uniform(0.0, 1.0).quantile(1e-300) == 1e-300
    assert Uniform(-1.7e308, 1.7e308).quantile(0.5) == 0
    assert Uniform(-1.7e308, 1.7e308).quantile(1.0) == 1.7e308
    assert Uniform(0.0, 5e-324).quantile(1) == 5e-324
    assert Uniform(0, 2).quantile(np.float32(0.5)).dtype == np.float32
    assert isinstance(Uniform().quantile(0.5), np.float64)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_quantiles_stay_inside_and_near_the_definition(dtype):
    rng = np.random.default_rng(5)
    u = Fraction(float(np.finfo(dtype).eps) / 2)
    low = (rng.standard_normal(3000) * 10.0 ** rng.integers(-3, 4, 3000)).astype(dtype)
    high = (low + 10.0 ** rng.integers(-9, 4, 3000) * rng.random(3000)).astype(dtype)
    high = np.maximum(high, np.nextafter(low, np.asarray(np.inf, dtype)))
    q = np.where(rng.random(3000) < 0.5, rng.random(3000), 1 - 10.0 ** rng.uniform(-16, 0, 3000)).astype(dtype)
    x = Uniform(low, high).quantile(q)
    assert np.all((low <= x) & (x <= high))
    for a, b, p, value in zip(*(map(Fraction, values.tolist()) for values in (low, high, q, x)), strict=True):
        assert abs(value - ((1 - p) * a + p * b)) <= 3 * u * ((1 - p) * abs(a) + p * abs(b))


def test_quantiles_of_large_arrays():
    rng = np.random.default_rng(6)
    q, low = rng.random(200_000), -rng.random(200_000)
    whole = Uniform(low, 1.0).quantile(q)
    np.testing.assert_array_equal(whole[70_000:71_000], Uniform(low[70_000:71_000], 1.0).quantile(q[70_000:71_000]))
    with num_threads(1):
        np.testing.assert_array_equal(Uniform(low, 1.0).quantile(q, out=q), whole)  # in place


def test_moments():
    d = Uniform([0.0, 1.0], [[2.0], [3.0]])
    np.testing.assert_array_equal(d.mean, [[1, 1.5], [1.5, 2]])
    np.testing.assert_allclose(d.variance, np.array([[4, 1], [9, 4]]) / 12, rtol=1e-15)
    np.testing.assert_allclose(d.std, np.sqrt(d.variance), rtol=1e-15)
    np.testing.assert_allclose(d.entropy(), np.log([[2, 1], [3, 2]]), rtol=1e-15)
    assert not np.signbit(Uniform().entropy())


def test_dtype_rules():
    x = np.zeros(3, np.float32)
    assert Uniform().log_prob(x).dtype == np.float32
    assert Uniform(np.float64(0)).log_prob(x).dtype == np.float64
    assert Uniform(np.float32(0), np.float32(1)).dtype == np.float32
    assert Uniform(np.float32(0), np.float32(1)).entropy().dtype == np.float32
    assert Uniform(np.arange(2), 5).log_prob(x[:2]).dtype == np.float32


@pytest.mark.parametrize(
    "arguments,error,message",
    [
        ((1.0, 1.0), ValueError, "Uniform: low must be less than high, but low = 1.0 and high = 1.0"),
        (([0.0, 2.0], 1.0), ValueError, r"but low\[1\] = 2.0 and high\[1\] = 1.0"),
        ((0.0, np.inf), ValueError, "Uniform: high must be finite, but high = inf"),
        (([[0.0, np.nan]], 1.0), ValueError, r"low must be finite, but low\[0, 1\] = nan"),
        (([0, 0], [1, 2, 3]), ValueError, r"shapes do not broadcast: low \(2,\), high \(3,\)"),
        ((0.0, 1j), TypeError, "high has dtype complex128"),
        ((None, 1.0), TypeError, "low is missing"),
    ],
)
def test_bad_parameters_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        Uniform(*arguments)


def test_value_semantics():
    for d in (Uniform(), Uniform(1, 2.5), Uniform(np.float32(0)), Uniform([0.0, 1.0], np.array([2.0, 3.0], np.float32))):
        assert eval(repr(d)) == d
        assert pickle.loads(pickle.dumps(d)) == d
        assert copy.deepcopy(d) == d
        assert hash(eval(repr(d))) == hash(d)
    assert Uniform() != Uniform(0.0, 2.0)
    assert Uniform() != ll.Normal()
    with pytest.raises(AttributeError, match="immutable"):
        Uniform().low = 1
    assert ll.Uniform is Uniform


def test_prob_between():
    d = Uniform(0.0, 10.0)
    nan, inf = np.nan, np.inf
    a = [2, -1, 7, -5, 11, -inf, nan, 0, 3, inf]
    b = [4, 5, 6, -1, 12, inf, 1, nan, 3, inf]
    np.testing.assert_array_equal(d.prob_between(a, b), [0.2, 0.5, 0, 0, 0, 1, nan, nan, 0, 0])
    assert Uniform(-1.7e308, 1.7e308).prob_between(-1e308, 1e308) == pytest.approx(1 / 1.7, rel=1e-15)
    assert Uniform(0.0, 5e-324).prob_between(0, 1) == 1
    assert Uniform(0.0, 1.0).prob_between(1e-300, 2e-300) == 1e-300
    assert Uniform(np.float32(0), [1.0, 2.0]).prob_between(np.float32(0.5), 1).shape == (2,)
    assert Uniform().prob_between(np.float32(0.5), 1).dtype == np.float32
    assert Uniform().prob_between(np.empty((0, 2)), 1).shape == (0, 2)
    with pytest.raises(ValueError, match=r"^Uniform.prob_between: shapes do not broadcast"):
        Uniform([0, 1], 2).prob_between([0, 1, 2], 1)
