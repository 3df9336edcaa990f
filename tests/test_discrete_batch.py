"""Batches of pmfs: every row has the bits of a pmf of its own, whatever stands beside it."""

import copy
import functools
import math
import pickle
import re

import mpmath as mp
import numpy as np
import pytest

import loglik as ll
from loglik import Discrete

INF, NAN = math.inf, math.nan


def same(got, expected):
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    np.testing.assert_array_equal(got, expected)
    if got.dtype.kind != "c":
        np.testing.assert_array_equal(np.signbit(got), np.signbit(expected))


def rows_of(count, length, seed=0, dtype=np.float64):
    """Probabilities of many sizes, every third row with zeros."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(length, 0.3), count) + 1e-300
    p[::3][rng.random((len(p[::3]), length)) < 0.4] = 0.0
    p[:, length // 2] += 0.1
    return (p / p.sum(axis=1, keepdims=True)).astype(dtype)


def logs_of(count, length, seed=0):
    """Logarithms, of which every other row has some far below the range of doubles."""
    rng = np.random.default_rng(seed)
    logs = rng.normal(0, 3, (count, length))
    logs[::2] -= rng.choice([0.0, 900.0, 1e5, 1e12 - 100], (len(logs[::2]), length))
    logs[:, length // 3] = 1.0
    logs[1::4, 0] = -INF if length > 1 else 1.0
    return logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))


# The batches, each with what its rows are made from; the last ones are longer than a block of rows.
BATCHES = {
    "probs": ("probs", rows_of(12, 6)),
    "float32": ("probs", rows_of(7, 5, 1, np.float32)),
    "logs": ("log_probs", logs_of(9, 7)),
    "float32 logs": ("log_probs", logs_of(6, 4).clip(-1e3).astype(np.float32)),
    "one outcome": ("probs", np.ones((3, 1))),
    "one row": ("probs", rows_of(1, 9)),
    "long": ("probs", rows_of(3, 5000)),
    "long float32": ("probs", rows_of(2, 9000, 2, np.float32)),
    "many": ("probs", rows_of(9000, 5)),
}


def make(name, start=-2):
    kind, rows = BATCHES[name]
    return Discrete(**{kind: rows}, start=start), [Discrete(**{kind: row}, start=start) for row in rows]


@pytest.fixture(params=BATCHES, scope="module")
def pair(request):
    return make(request.param)


def of_each(singles, function):
    return np.array([function(d) for d in singles])


# ------------------------------------------------------------------------------------------ rows are single pmfs


def test_shapes(pair):
    d, singles = pair
    assert d.batch_shape == (len(singles),)
    assert d.event_shape == ()
    assert d.dtype == singles[0].dtype
    assert d.start == -2
    same(d.support, singles[0].support)


@pytest.mark.parametrize("name", ["probs", "log_probs", "mean", "variance", "std", "skewness", "kurtosis"])
def test_properties(pair, name):
    d, singles = pair
    same(getattr(d, name), of_each(singles, lambda one: getattr(one, name)))
    assert name == "std" or not getattr(d, name).flags.writeable


def test_mode_entropy_and_expectation(pair):
    d, singles = pair
    same(d.mode, of_each(singles, lambda one: one.mode))
    same(d.entropy(), of_each(singles, lambda one: one.entropy()))
    for g in (np.square, lambda x: x.astype(np.float32), lambda x: 2.0):
        same(d.expect(g), of_each(singles, lambda one, g=g: one.expect(g)))


@pytest.mark.parametrize("method", ["log_prob", "prob", "cdf", "sf", "log_cdf", "log_sf"])
def test_values(pair, method):
    d, singles = pair
    points = np.array([-3.0, -2, -1.5, 0, 1, 2.9, 4, 6, 1e20, -INF, INF, NAN])
    x = np.random.default_rng(3).choice([*points, *d.support], (4, len(singles)))
    expected = np.stack([getattr(one, method)(x[:, i]) for i, one in enumerate(singles)], axis=1)
    same(getattr(d, method)(x), expected)
    same(getattr(d, method)(x[0]), expected[0])
    same(getattr(d, method)(0), of_each(singles, lambda one: getattr(one, method)(0)))
    assert getattr(d, method)(x.astype(np.float32)).dtype == d.dtype


def test_quantile_and_prob_between(pair):
    d, singles = pair
    rng = np.random.default_rng(4)
    q = np.concatenate([rng.random((5, len(singles))), np.tile([[0.0], [1.0], [0.5], [1e-12], [1 - 1e-12], [NAN]], len(singles))])
    same(d.quantile(q), np.stack([one.quantile(q[:, i]) for i, one in enumerate(singles)], axis=1))
    at_steps = np.array([one.cdf(one.mode) for one in singles])
    same(d.quantile(at_steps), np.array([one.quantile(p) for one, p in zip(singles, at_steps, strict=True)]))
    a, b = rng.choice([-5.0, -2, -1.2, 0, 2, 100, NAN], (2, 6, len(singles)))
    same(d.prob_between(a, b), np.stack([one.prob_between(a[:, i], b[:, i]) for i, one in enumerate(singles)], axis=1))


def test_arithmetic(pair):
    d, singles = pair

    def check(batch, function):
        alone = [function(one) for one in singles]
        assert (batch.start, batch.dtype) == (alone[0].start, alone[0].dtype)
        same(batch.probs, of_each(alone, lambda one: one.probs))
        logs = of_each(alone, lambda one: one.log_probs)
        if d.dtype == np.float32:  # rows of a sum may be kept in float64, where other rows need it
            np.testing.assert_allclose(batch.log_probs, logs, rtol=2e-7)
        else:
            same(batch.log_probs, logs)

    check(d + 3, lambda one: one + 3)
    check(3 - d, lambda one: 3 - one)
    check(-d, lambda one: -one)
    check(1 @ d, lambda one: 1 @ one)
    if len(d.support) < 100 and len(singles) < 100:
        check(5 @ d, lambda one: 5 @ one)
        die = ll.dice("2d4")
        check(d + die, lambda one: one + die)
        check(die - d, lambda one: die - one)
        other = Discrete(rows_of(1, 9)[0])
        check(d + d, lambda one: one + one)
        check(d + d + other, lambda one: one + one + other)
        for terms in ([d], [d, d, other, d, d, d, die], [d, d, d]):
            alone = [[one if term is d else term for term in terms] for one in singles]
            batch = ll.convolve(terms)
            expected = [ll.convolve(list_of) for list_of in alone]
            same(batch.probs, of_each(expected, lambda one: one.probs))
            same(batch.log_probs, of_each(expected, lambda one: one.log_probs))


def test_long_sums_have_the_same_bits():
    for dtype in (np.float64, np.float32):
        p, q = rows_of(4, 100, 1, dtype), rows_of(4, 90, 2, dtype) + dtype(0)
        p, q = (np.where(x < 1e-30, 0, x) for x in (p, q))
        if dtype == np.float64:
            q[2, 5] = p[2, 6] = 1e-290  # a product needs powers of two
        p, q = (x / x.sum(axis=1, keepdims=True) for x in (p, q))
        a, b = Discrete(p), Discrete(q)
        expected = [Discrete(x) + Discrete(y) for x, y in zip(p, q, strict=True)]
        same((a + b).log_probs, of_each(expected, lambda one: one.log_probs))
        expected = [3 @ Discrete(x) for x in p]
        exact = same if dtype == np.float64 else functools.partial(np.testing.assert_allclose, rtol=2e-7)
        exact((3 @ a).log_probs, of_each(expected, lambda one: one.log_probs))


def test_sums_in_floats_of_both_kinds_lose_no_digits():
    p = np.full((2, 100), 0.01, np.float32)
    p[1, :2] = 0.02 - 1e-20, 1e-20
    d = Discrete(p)
    expected = [Discrete(row) + Discrete(row) for row in p]
    np.testing.assert_allclose((d + d).log_probs, [one.log_probs for one in expected], rtol=1e-6)


# ------------------------------------------------------------------------------------------ pairs of batches


@pytest.mark.parametrize("first", BATCHES)
@pytest.mark.parametrize("second", ["probs", "float32", "logs"])
@pytest.mark.parametrize(
    "function", [ll.prob_greater, ll.prob_equal, ll.kl_divergence, ll.js_divergence, ll.cross_entropy, ll.js_distance]
)
def test_pairs(first, second, function):
    (a, some), (_, others) = make(first), make(second, start=0)
    n = min(len(some), len(others), 5)
    same(function(Discrete(a.probs[:n]), others[0]), np.array([function(Discrete(p), others[0]) for p in a.probs[:n]]))
    same(function(others[1], a), np.array([function(others[1], one) for one in some]))
    if len(some) < 100:
        (kind, rows), (other_kind, other_rows) = BATCHES[first], BATCHES[second]
        grid = Discrete(**{kind: rows[:, None]}, start=-2)
        below = Discrete(**{other_kind: other_rows}, start=0)
        same(function(grid, below), np.array([[function(one, other) for other in others] for one in some]))
    same(function(a, a), np.array([function(one, one) for one in some]))


def test_comparison_with_integers():
    d = Discrete([[0.5, 0.5], [0.25, 0.75]])
    same(ll.prob_greater(d, 0), np.array([0.5, 0.75]))
    same(ll.prob_greater(0, d), np.zeros(2))
    same(ll.prob_equal(d, 5), np.zeros(2))
    same(ll.prob_equal(1, d), np.array([0.5, 0.75]))


@pytest.mark.parametrize("start", [-1, 0, 1, 5])
def test_bernoulli_beside_a_batch(start):
    kind, rows = BATCHES["logs"]
    d = Discrete(**{kind: rows}, start=start)
    singles = [Discrete(**{kind: row}, start=start) for row in rows]
    coins = np.linspace(0, 1, len(rows))
    for function in (ll.kl_divergence, ll.js_divergence, ll.cross_entropy):
        b = ll.Bernoulli(coins)
        one_by_one = [(ll.Bernoulli(float(p)), one) for p, one in zip(coins, singles, strict=True)]
        same(function(b, d), np.array([function(x, y) for x, y in one_by_one]))
        same(function(d, b), np.array([function(y, x) for x, y in one_by_one]))
        assert function(ll.Bernoulli([[0.5], [0.25]]), d).shape == (2, len(rows))
    three = Discrete(np.full(3, 1 / 3), start=start)
    for function in (ll.kl_divergence, ll.cross_entropy):
        same(function(three, ll.Bernoulli([0.25, 0.5])), np.full(2, INF))
    total = ll.convolve([d, ll.Bernoulli([0.25, 0.5])])
    expected = [ll.convolve([one, ll.Bernoulli([0.25, 0.5])]) for one in singles]
    np.testing.assert_allclose(total.log_probs, [one.log_probs for one in expected], rtol=1e-13)


# ------------------------------------------------------------------------------------------ definitions


def test_against_fifty_digits():
    rows = rows_of(5, 6)
    d = Discrete(rows)
    with mp.workdps(50):
        for i, row in enumerate(rows):
            p = [mp.mpf(float(x)) for x in row]
            mean = mp.fsum(k * x for k, x in enumerate(p))
            assert abs(d.mean[i] - mean) < 1e-14
            assert abs(d.variance[i] - mp.fsum((k - mean) ** 2 * x for k, x in enumerate(p))) < 1e-14
            assert abs(d.entropy()[i] + mp.fsum(x * mp.log(x) for x in p if x)) < 1e-14
            assert abs(d.cdf(2)[i] - mp.fsum(p[:3])) < 1e-15
            assert abs((d + d).probs[i, 5] - mp.fsum(p[k] * p[5 - k] for k in range(6))) < 1e-15


def test_tiny_probabilities():
    d = Discrete(log_probs=[[0.0, -1e12], [math.log(0.5)] * 2])
    same(d.log_prob(1), np.array([-1e12, math.log(0.5)]))
    same(d.log_sf(0), np.array([-1e12, math.log(0.5)]))
    same((2 @ d).log_prob(2)[0], np.float64(-2e12))
    assert (d + d).log_prob(1)[0] == pytest.approx(math.log(2) - 1e12, rel=1e-15)
    same(ll.kl_divergence(Discrete([[0.0, 1.0]]), d), np.array([1e12, math.log(2)]))


# ------------------------------------------------------------------------------------------ shapes


def test_broadcasting():
    p = rows_of(6, 4).reshape(2, 3, 4)
    d = Discrete(p)
    assert d.batch_shape == (2, 3)
    assert d.cdf(np.zeros((5, 1, 3))).shape == (5, 2, 3)
    column = Discrete(p[:, :1])
    x = np.arange(24).reshape(4, 2, 3) % 5
    same(column.log_prob(x), np.stack([Discrete(p[i, 0]).log_prob(x[:, i]) for i in range(2)], axis=1))
    assert (d + column).batch_shape == (2, 3)
    assert (column + Discrete(p[0])).batch_shape == (2, 3)
    same((column + Discrete(p[0])).probs[1, 2], (Discrete(p[1, 0]) + Discrete(p[0, 2])).probs)
    assert ll.convolve([p[0], p[0]]).batch_shape == (3,)
    assert ll.convolve(rows_of(3, 4)).batch_shape == ()  # rows are variables


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3), (0, 1)])
def test_no_rows(shape):
    d = Discrete(np.zeros(shape))
    batch = shape[:-1]
    assert d.batch_shape == batch
    values = [d.mean, d.variance, d.skewness, d.kurtosis, d.mode, d.entropy(), d.expect(np.square), d.cdf(0), d.quantile(0.5)]
    values += [d.log_prob(1.0), d.prob_between(0, 1), ll.kl_divergence(d, d), ll.prob_greater(d, d), d.sample(rng=1)]
    for value in values:
        assert np.shape(value) == batch
    assert d.sample((3, 2), rng=1).shape == (3, 2, *batch)
    assert (d + d).batch_shape == (3 @ d).batch_shape == (-d + 1).batch_shape == batch
    assert Discrete(log_probs=np.zeros(shape)).probs.shape == shape
    assert pickle.loads(pickle.dumps(d)) == d


def test_no_copies_of_a_batch_is_a_batch_of_zeros():
    d = 0 @ Discrete(np.full((2, 3, 2), 0.5))
    assert d.batch_shape == (2, 3)
    same(d.prob(0), np.ones((2, 3)))


def test_layouts_and_out():
    p = rows_of(20, 6)
    expected = Discrete(p)
    for given in (np.asfortranarray(p), p.astype(">f8"), p[::-1][::-1], p.tolist()):
        assert Discrete(given) == expected
    x = np.arange(20.0) % 6
    out = np.empty((3, 40))[:, ::2]
    assert expected.log_prob(np.tile(x, (3, 1)), out=out) is out
    same(out, np.tile(expected.log_prob(x), (3, 1)))
    values = np.tile(x, (3, 1))
    expected.cdf(values[0])
    same(expected.log_prob(values, out=values), np.tile(expected.log_prob(x), (3, 1)))


def test_threads_do_not_matter():
    p = rows_of(40_000, 5)
    x = np.arange(40_000) % 6
    with ll.num_threads(1):
        d = Discrete(p)
        alone = d.cdf(x), d.mean, d.sample(3, rng=1), (d + d).probs, ll.kl_divergence(d, d)
    d = Discrete(p)
    together = d.cdf(x), d.mean, d.sample(3, rng=1), (d + d).probs, ll.kl_divergence(d, d)
    for a, b in zip(alone, together, strict=True):
        same(a, b)


# ------------------------------------------------------------------------------------------ sampling


def test_samples_use_the_numbers_of_their_places(pair):
    """Number i of a sample is what the single pmf has as its number i."""
    d, singles = pair
    n, width = 3, len(singles)
    sample = d.sample(n, rng=1)
    assert sample.dtype == np.int64
    singles = singles[:50]
    for i, one in enumerate(singles):
        same(sample[:, i], one.sample(n * width, rng=1)[i::width])
    same(d.sample((2, 2), rng=1).reshape(4, width)[:n], sample)
    out = np.empty((n, 2 * width), np.float32)[:, ::2]
    assert d.sample(n, rng=1, dtype=np.float32, out=out) is out
    same(out, sample.astype(np.float32))


def test_samples_of_large_tables():
    p = rows_of(100, 4000)
    d = Discrete(p)
    sample = d.sample(2, rng=5)
    for i in (0, 64, 65, 99):
        same(sample[:, i], Discrete(p[i]).sample(200, rng=5)[i::100])


# ------------------------------------------------------------------------------------------ objects


def test_objects(pair):
    d, singles = pair
    for again in (pickle.loads(pickle.dumps(d)), copy.copy(d), copy.deepcopy(d)):
        assert again == d
        assert hash(again) == hash(d)
        same(again.log_probs, d.log_probs)
    assert d != singles[0]
    assert singles[0] != d
    assert d != d + 1
    if len(singles) > 1:
        assert d != Discrete(d.probs[::-1], start=d.start) or np.array_equal(d.probs, d.probs[::-1])
    with pytest.raises(AttributeError):
        d.start = 3


def test_repr():
    for d in (Discrete([[0.5, 0.5], [0.25, 0.75]]), Discrete(rows_of(2, 3, 0, np.float32), start=-3)):
        names = {"Discrete": Discrete, "array": np.array, "float32": np.float32, "float64": np.float64}
        assert eval(repr(d), names) == d
    assert repr(Discrete([[0.5, 0.5]], start=1)) == "Discrete(probs=array([[0.5, 0.5]]), start=1)"
    assert repr(Discrete(rows_of(1000, 5), start=2)) == "<Discrete: batch (1000,), 5 outcomes from 2 to 6>"
    assert "log_probs=array([[-1000." in repr(Discrete(log_probs=[[-1000.0, 0.0]]))


def test_normal_approximation():
    d = Discrete(rows_of(4, 6))
    normal = d.normal_approximation()
    assert normal.batch_shape == (4,)
    same(normal.mean, d.mean)
    same(normal.std, d.std)


# ------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"probs": [[0.5, 0.5], [0.5, NAN]]}, "probs must be finite, but probs[1, 1] = nan"),
        ({"probs": [[[0.5, 0.5], [1.5, -0.5]]]}, "probs must be at least 0, but probs[0, 1, 1] = -0.5"),
        ({"probs": [[0.5, 0.5], [2.0, 0.0]]}, "probs must be at most 1, but probs[1, 0] = 2.0"),
        ({"probs": [[[0.5, 0.5]], [[0.5, 0.25]]]}, "probs[1, 0] must total 1 within 8·K·eps = 3.6e-15, but totals 0.75"),
        ({"log_probs": [[0.0, -INF], [0.0, -1.0]]}, "exp(log_probs[1]) must total 1"),
        ({"log_probs": [[0.0, -INF], [0.0, 1.0]]}, "log_probs must be at most 0, but log_probs[1, 1] = 1.0"),
        ({"log_probs": [[0.0, -1e300]]}, "at least -1e+12 or -inf, but log_probs[0, 1] = -1e+300"),
        ({"probs": np.zeros((3, 0))}, "probs must have at least one entry, got shape (3, 0)"),
        ({"probs": [[1.0]], "start": 2**60}, "within ±2^53"),
    ],
)
def test_bad_rows_are_named(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Discrete(**arguments)


def test_the_first_bad_row_of_many_blocks_is_named():
    p = np.full((3, 20_000, 4), 0.25)
    p[1, 15_000, 2] = -0.25
    p[2, 3, 1] = NAN
    for threads in (1, 4):
        with ll.num_threads(threads), pytest.raises(ValueError, match=re.escape("probs[1, 15000, 2] = -0.25")):
            Discrete(p)
    p[1, 15_000, 2] = 0.5
    with pytest.raises(ValueError, match=re.escape("probs[1, 15000] must total 1")):
        Discrete(p)


def test_what_is_not_for_batches():
    d = Discrete([[0.5, 0.5], [1.0, 0.0]])
    for method in ("counts", "plot", "distance_to_normal"):
        with pytest.raises(ValueError, match=re.escape(f"Discrete.{method}: one pmf is needed, not a batch of shape (2,)")):
            getattr(d, method)()
    with pytest.raises(ValueError, match=r"Discrete\.modes: one pmf"):
        d.modes  # noqa: B018
    with pytest.raises(ValueError, match=re.escape("the variance at index (1,) is 0")):
        d.normal_approximation()
    with pytest.raises(NotImplementedError, match="wrt"):
        d.log_prob(1, wrt="x")


def test_shapes_that_do_not_fit_are_named():
    d = Discrete(np.full((3, 2), 0.5))
    for call, message in (
        (lambda: d.log_prob([0, 1]), "Discrete.log_prob: shapes do not broadcast: x (2,), batch (3,)"),
        (lambda: d.quantile([0, 1]), "Discrete.quantile: shapes do not broadcast: q (2,), batch (3,)"),
        (lambda: d.prob_between([0, 1], 2), "Discrete.prob_between: shapes do not broadcast: a (2,), b (), batch (3,)"),
        (lambda: d.log_prob(0, out=np.empty(2)), "Discrete.log_prob: out must have shape (3,)"),
        (lambda: d + Discrete(np.full((2, 2), 0.5)), "convolve: shapes do not broadcast: variables[0] (3,), variables[1] (2,)"),
        (lambda: ll.kl_divergence(d, Discrete(np.full((2, 2), 0.5))), "kl_divergence: shapes do not broadcast: p (3,), q (2,)"),
        (lambda: ll.prob_equal(d, Discrete(np.full((2, 2), 0.5))), "prob_equal: shapes do not broadcast: a (3,), b (2,)"),
        (lambda: d.quantile([0, 2, 0]), "q must be within [0, 1], but q[1] = 2"),
        (lambda: -1 @ d, "needs n >= 0 copies"),
        (lambda: d.sample(out=np.empty(2, np.int64)), "Discrete.sample: out must have shape (3,)"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            call()
