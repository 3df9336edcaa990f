"""Normal: density against the definition, edges, dtypes, memory, errors."""

import copy
import pickle

import mpmath
import numpy as np
import pytest
from memory_tools import peak_memory
from numpy import array, float32, float64  # noqa: F401  (names in an eval-able repr)
from registry import ndtri

import loglik as ll
from loglik import Normal, Uniform
from loglik._engine.parallel import num_threads

mp = mpmath.mp.clone()
mp.dps = 50


def test_lecture_values():
    x = [-1, 0, 1, 2]
    assert abs(Normal(0, 1).log_prob(x).sum() - -6.675754132818691) < 1e-15
    assert abs(Normal(0.5, np.sqrt(1.25)).log_prob(x).sum() - -6.122041235447110) < 2e-15


def test_far_apart_and_tiny_scales():
    # SciPy overflows x - loc here, and squares of tiny scales underflow elsewhere
    assert Normal(-1e308, 1e308).log_prob(1e308) == pytest.approx(-2 - np.log(1e308) - 0.9189385332046727, rel=1e-15)
    tiny = Normal(np.float32(0), np.float32(1e-23))
    assert tiny.log_prob(np.float32(1e-23)) == pytest.approx(-0.5 - np.log(1e-23) - 0.9189385332046727, rel=1e-6)
    assert Normal(0.0, 1e200).log_prob(1e200) == pytest.approx(-0.5 - np.log(1e200) - 0.9189385332046727, rel=1e-15)


def test_parameters_broadcast_and_large_arrays_equal_small_calls():
    loc, scale = np.arange(3.0), np.array([[1.0], [2.0]])
    d = Normal(loc, scale)
    assert d.batch_shape == (2, 3)
    assert d.event_shape == ()
    x = np.random.default_rng(0).standard_normal((50_000, 2, 3))
    big = d.log_prob(x)
    assert big.shape == x.shape
    for i in (0, 1, 49_999):
        np.testing.assert_array_equal(big[i], d.log_prob(x[i]))
    for threads in (1, 2, 3, 7):
        with num_threads(threads):
            np.testing.assert_array_equal(d.log_prob(x), big)
    np.testing.assert_array_equal(d.log_prob(np.asfortranarray(x)), big)
    np.testing.assert_array_equal(d.log_prob(x[::-1])[::-1], big)


def test_out_and_aliasing():
    d = Normal(0.0, 2.0)
    x = np.random.default_rng(1).standard_normal(200_001)
    want = d.log_prob(x)
    out = np.empty_like(x)
    assert d.log_prob(x, out=out) is out
    np.testing.assert_array_equal(out, want)
    for shift in (0, 1, 1000):
        memory = np.empty(len(x) + 2000)
        source, target = memory[1000 : 1000 + len(x)], memory[1000 + shift : 1000 + shift + len(x)]
        source[:] = x
        np.testing.assert_array_equal(d.log_prob(source, out=target), want)
    with pytest.raises(ValueError, match=r"out must have shape \(200001,\) and dtype float64"):
        d.log_prob(x, out=np.empty(3))
    with pytest.raises(TypeError, match=r"out must be a numpy.ndarray"):
        d.log_prob(x, out=[0.0])


def test_dtype_rules():
    x32 = np.zeros(3, np.float32)
    assert Normal().log_prob(x32).dtype == np.float32
    assert Normal(0, 1).log_prob(x32).dtype == np.float32
    assert Normal(np.float64(0)).log_prob(x32).dtype == np.float64
    assert Normal(np.arange(3)).log_prob(x32).dtype == np.float32  # integer arrays never promote
    assert Normal(np.zeros(3, np.float32)).log_prob([0, 1, 2]).dtype == np.float32
    assert Normal(np.zeros(3, np.float32)).log_prob([0.0, 1.0, 2.0]).dtype == np.float64
    assert Normal().log_prob(x32.astype(np.float16)).dtype == np.float32
    assert Normal().log_prob([0, 1]).dtype == np.float64
    assert Normal(np.zeros(2, np.float32)).dtype == np.float32
    assert isinstance(Normal().log_prob(0.0), np.float64)


def test_nan_and_infinity():
    got = Normal().log_prob([np.nan, np.inf, -np.inf, 0.0])
    np.testing.assert_array_equal(got[:3], [np.nan, -np.inf, -np.inf])
    assert np.isfinite(got[3])


@pytest.mark.parametrize(
    "arguments,error,message",
    [
        ((0.0, 0.0), ValueError, "Normal: scale must be positive and finite, but scale = 0.0"),
        ((0.0, [1.0, -2.0]), ValueError, r"scale\[1\] = -2.0"),
        ((0.0, np.inf), ValueError, "scale = inf"),
        (([[0.0, np.nan]], 1.0), ValueError, r"Normal: loc must be finite, but loc\[0, 1\] = nan"),
        (([1, 2], [1, 2, 3]), ValueError, r"shapes do not broadcast: loc \(2,\), scale \(3,\)"),
        ((1j, 1.0), TypeError, "loc has dtype complex128"),
        ((0.0, "a"), TypeError, "scale has dtype"),
        ((None, 1.0), TypeError, "loc is missing"),
    ],
)
def test_bad_parameters_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        Normal(*arguments)


def test_bad_x_is_named():
    with pytest.raises(TypeError, match=r"Normal.log_prob: x has dtype complex128"):
        Normal().log_prob(1j)
    with pytest.raises(ValueError, match="broadcast"):
        Normal([0.0, 1.0]).log_prob([1.0, 2.0, 3.0])


def test_cdf_family_against_the_definition():
    d = Normal(1.0, 2.0)
    for x in (-70.0, -20.0, -3.0, 0.9, 1.0, 1.1, 5.0, 18.0, 70.0):
        z = (mp.mpf(x) - 1) / 2
        lower, upper = mp.erfc(-z / mp.sqrt(2)) / 2, mp.erfc(z / mp.sqrt(2)) / 2
        assert float(d.cdf(x)) == pytest.approx(float(lower), rel=1e-13)
        assert float(d.sf(x)) == pytest.approx(float(upper), rel=1e-13)
        assert float(d.log_cdf(x)) == pytest.approx(float(mp.log(lower) if z < 0 else mp.log1p(-upper)), rel=1e-14)
        assert float(d.log_sf(x)) == pytest.approx(float(mp.log(upper) if z > 0 else mp.log1p(-lower)), rel=1e-14)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_quantile_against_the_definition(dtype):
    u = float(np.finfo(dtype).eps) / 2
    q = np.array([0, 5e-324, 1e-40, 1e-20, 0.03, 0.31, 0.5, 0.5 + 2 * u, 0.7, 1 - 2 * u, 1], dtype)
    loc, scale = np.array([[0.0], [-3.0], [1e9]], dtype), np.array([[1.0], [1e-3], [7.0]], dtype)
    got = Normal(loc, scale).quantile(q)
    assert got.shape == (3, 11)
    assert got.dtype == dtype
    for (i, j), value in np.ndenumerate(got):
        z = ndtri(mp.mpf(float(q[j])))
        m, s = mp.mpf(float(loc[i, 0])), mp.mpf(float(scale[i, 0]))
        if mp.isinf(z):
            assert value == float(z)
        else:
            assert abs(mp.mpf(float(value)) - (m + s * z)) <= 6 * u * (abs(m) + abs(s * z)), (i, j)
    np.testing.assert_allclose(Normal().cdf(got[0]), q, rtol=500 * u, atol=float(np.finfo(dtype).tiny))


def test_quantile_blocks_out_and_types():
    d, rng = Normal([[1.0], [2.0]], 3.0), np.random.default_rng(1)
    q = rng.random((2, 100_000))
    q[1, 77_777] = np.nan
    whole = d.quantile(q)
    np.testing.assert_array_equal(whole[:, 77_000:78_000], d.quantile(q[:, 77_000:78_000]))
    with num_threads(1):
        np.testing.assert_array_equal(d.quantile(q), whole)
    np.testing.assert_array_equal(d.quantile(q[0]), np.stack([whole[0], d.quantile(q[0])[1]]))
    out = q.copy()
    assert d.quantile(out, out=out) is out  # in place
    np.testing.assert_array_equal(out, whole)
    assert peak_memory(lambda: d.quantile(q)) < q.nbytes + 16 * 2**20
    assert isinstance(Normal().quantile(0.25), np.float64)
    assert Normal(0.0, 2.0).quantile(np.array([0.2], np.float32)).dtype == np.float32
    assert Normal(np.float32(1)).quantile(0.2).dtype == np.float32
    assert Normal(np.float32(1)).quantile(np.array([0.2])).dtype == np.float64
    np.testing.assert_array_equal(Normal().quantile([0, 1]), [-np.inf, np.inf])  # integers
    np.testing.assert_array_equal(Normal().quantile([True, False]), [np.inf, -np.inf])
    assert Normal([1.0, 2.0]).quantile(np.empty((0, 2))).shape == (0, 2)


@pytest.mark.parametrize("make", [Normal, Uniform], ids=["Normal", "Uniform"])
def test_bad_q_is_named(make):
    q = np.full((3, 4), 0.5)
    q[0, 1] = np.nan
    for bad in (-1e-300, np.nextafter(1, 2), np.inf, -np.inf):
        q[1, 2] = bad
        with pytest.raises(ValueError, match=rf"^{make.__name__}.quantile: q must be within \[0, 1\], but q\[1, 2\] = {bad}$"):
            make().quantile(q)
    with pytest.raises(ValueError, match=r"but q = 2$"):
        make().quantile(2)
    with pytest.raises(TypeError, match="q has dtype complex128"):
        make().quantile(0.5j)
    with pytest.raises(ValueError, match="broadcast"):
        make([0.0, 0.5], [1.0, 1.5]).quantile([0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="out must have shape"):
        make().quantile([0.1, 0.2], out=np.empty(3))
    assert np.isnan(make().quantile(np.nan))


def test_moments_and_entropy():
    d = Normal([0.0, 1.0], [[2.0], [3.0]])
    np.testing.assert_array_equal(d.mean, [[0, 1], [0, 1]])
    np.testing.assert_array_equal(d.variance, [[4, 4], [9, 9]])
    np.testing.assert_array_equal(d.std, [[2, 2], [3, 3]])
    np.testing.assert_allclose(d.entropy(), np.log(d.std * np.sqrt(2 * np.pi * np.e)), rtol=1e-15)


def test_value_semantics():
    for d in (Normal(), Normal(1, 2.5), Normal(np.float32(1)), Normal([0.0, 1.0], np.array([1.0, 2.0], np.float32))):
        assert eval(repr(d)) == d
        assert pickle.loads(pickle.dumps(d)) == d
        assert copy.deepcopy(d) == d
        assert hash(eval(repr(d))) == hash(d)
    assert Normal() != Normal(1.0)
    assert Normal() != "Normal"
    d = Normal([0.0])
    with pytest.raises(AttributeError, match="immutable"):
        d.loc = 1
    with pytest.raises(ValueError, match="read-only"):
        d.loc[0] = 1
    source = np.array([0.0, 1.0])
    d = Normal(source)
    source[0] = 99
    assert d.loc[0] == 0


def test_public_name():
    assert ll.Normal is Normal


def test_gradients_against_the_definition():
    rng = np.random.default_rng(3)
    for _ in range(50):
        x, mu, sigma = rng.normal(), rng.normal(), np.exp(rng.normal())
        value, got = Normal(mu, sigma).log_prob(x, wrt=("x", "loc", "scale"))
        assert value == Normal(mu, sigma).log_prob(x)
        z = (mp.mpf(x) - mp.mpf(mu)) / mp.mpf(sigma)
        terms = [(-z / sigma,), (z / sigma,), (z * z / sigma, -1 / mp.mpf(sigma))]
        for g, t in zip(got, terms, strict=True):
            assert abs(mp.mpf(float(g)) - mp.fsum(t)) <= 8 * 2.0**-53 * mp.fsum(abs(a) for a in t)
    assert Normal(-1e308, 1e308).log_prob(1e308, wrt="x")[1] == pytest.approx(-2e-308, rel=1e-14)


def test_gradients_are_of_the_sum():
    rng = np.random.default_rng(4)
    x, mu, sigma = rng.normal(size=(50, 1, 4)), rng.normal(size=(3, 1)), np.array([1.0, 2.0, 3.0, 4.0])
    d = Normal(mu, sigma)
    value, (by_x, by_loc, by_scale) = d.log_prob(x, wrt=("x", "loc", "scale"))
    z = (x - mu) / sigma
    np.testing.assert_array_equal(value, d.log_prob(x))
    np.testing.assert_allclose(by_x, (-z / sigma).sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(by_loc, (z / sigma).sum(axis=(0, 2))[:, None], rtol=1e-12)
    np.testing.assert_allclose(by_scale, ((z * z - 1) / sigma).sum(axis=(0, 1)), rtol=1e-12)
    out = (np.empty((50, 3, 4)), (np.empty((3, 1)), np.empty(x.shape)))
    assert d.log_prob(x, wrt=("loc", "x"), out=out) is out
    np.testing.assert_array_equal(out[1][1], by_x)
    single, gradient = Normal(np.float32(0)).log_prob(np.ones(3, np.float32), wrt="loc")
    assert single.dtype == gradient.dtype == np.float32
    with pytest.raises(ValueError, match=r"in: 'x', 'loc', 'scale'$"):
        d.log_prob(x, wrt="variance")
    with pytest.raises(TypeError, match="out must be a pair"):
        d.log_prob(x, wrt="loc", out=np.empty(3))


def test_long_sums_are_pairwise_wherever_their_terms_lie():
    n = 1_000_000
    gradient = Normal([0.0, 0.0]).log_prob(np.full((n, 2), 0.1), wrt="loc")[1]
    assert abs(gradient / (n * 0.1) - 1).max() < 2e-15


def test_gradients_make_no_temporary_as_large_as_an_input():
    x = np.linspace(-3.0, 3.0, 2_000_000)
    out = np.empty_like(x), np.empty_like(x)
    p = Normal(0.5, 2.0)
    p.log_prob(x[:10], wrt="x")
    assert peak_memory(lambda: p.log_prob(x, wrt="x", out=out)) < 8 << 20
    assert peak_memory(lambda: p.log_prob(x, wrt=("loc", "scale"), out=(out[0], (np.empty(()), np.empty(()))))) < 8 << 20


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_gradients_have_the_same_bits_for_any_threads(threads):
    x = np.random.default_rng(1).normal(size=(300, 500))
    p = Normal(np.linspace(-1, 1, 500), np.linspace(1, 2, 300)[:, None])
    with num_threads(1):
        want = p.log_prob(x, wrt=("x", "loc", "scale"))
    with num_threads(threads):
        got = p.log_prob(x, wrt=("x", "loc", "scale"))
    for a, b in zip((want[0], *want[1]), (got[0], *got[1]), strict=True):
        assert a.tobytes() == b.tobytes()
    # A gradient that is written where its argument is read.
    target = x.copy()
    p.log_prob(target, wrt="x", out=(np.empty_like(x), target))
    assert target.tobytes() == want[1][0].tobytes()


def _between(a, b):
    """Φ(b) - Φ(a) with 60 digits, from the nearer tail."""
    if a + b > 0:
        a, b = -b, -a
    with mp.workdps(60):
        return (mp.erfc(-mp.mpf(float(b)) / mp.sqrt(2)) - mp.erfc(-mp.mpf(float(a)) / mp.sqrt(2))) / 2


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_prob_between_against_the_definition(dtype):
    rng = np.random.default_rng(3)
    reach = 36 if dtype == "float64" else 12
    middle = np.where(rng.random(2000) < 0.5, rng.uniform(-reach, reach, 2000), rng.uniform(-3, 3, 2000))
    width = 10 ** rng.uniform(-9 if dtype == "float64" else -4, 1.3, 2000)
    a, b = (middle - width * rng.random(2000)).astype(dtype), (middle + width * rng.random(2000)).astype(dtype)
    a, b = np.minimum(a, b), np.nextafter(np.maximum(a, b), np.asarray(np.inf, dtype))
    value = Normal().prob_between(a, b)
    assert value.dtype == dtype
    u = np.finfo(dtype).eps / 2
    for low, high, got in zip(a, b, value, strict=True):
        exact = _between(low, high)
        assert abs(mp.mpf(float(got)) - exact) <= 16 * u * exact, (low, high)


def test_prob_between_edges():
    d = Normal()
    nan, inf = np.nan, np.inf
    a = [-inf, -inf, inf, 1, 2, nan, 0, inf, -inf, 0]
    b = [inf, 0, inf, 1, 1, 0, nan, -inf, -inf, inf]
    np.testing.assert_array_equal(d.prob_between(a, b), [1, 0.5, 0, 0, 0, nan, nan, 0, 0, 0.5])
    assert d.prob_between(30, 31) == d.prob_between(-31, -30) > 0
    assert d.prob_between(-1, 1) == pytest.approx(0.6826894921370859, rel=1e-15)
    # Differences that overflow, and parameters that are far from 0.
    assert Normal(1e308, 1e308).prob_between(-1e308, 1.5e308) == pytest.approx(float(_between(-2, 0.5)), rel=1e-15)
    assert Normal(1e10, 1.0).prob_between(1e10 - 1, 1e10 + 1) == pytest.approx(0.6826894921370859, rel=1e-15)
    batch = Normal([[0.0], [1.0]], [1.0, 2.0, 3.0])
    assert batch.prob_between(np.zeros((4, 1, 1)), 1.0).shape == (4, 2, 3)
    assert d.prob_between(np.empty(0), 1.0).shape == (0,)
    assert isinstance(d.prob_between(0, 1), np.float64)
    x = np.random.default_rng(0).normal(size=200_000)
    part = slice(70_000, 70_100)
    np.testing.assert_array_equal(d.prob_between(x, x + 0.5)[part], d.prob_between(x[part], x[part] + 0.5))
    with pytest.raises(ValueError, match=r"^Normal.prob_between: shapes do not broadcast: a \(2,\), b \(3,\), batch \(\)$"):
        d.prob_between([0, 1], [1, 2, 3])
    with pytest.raises(TypeError, match=r"^Normal.prob_between: b is missing$"):
        d.prob_between(0, None)
