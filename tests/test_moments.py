"""Moments of samples: against exact fractions, merged and split, in every layout."""

import pickle
from fractions import Fraction

import numpy as np
import pytest

import loglik as ll
from loglik._fitting.statistics import State, empty_states
from loglik._kernels import available_isas, moments_update


def exact(x, weights=None):
    """Mean and covariance (divisor Σw) of rows, in fractions."""
    rows = [[Fraction(v) for v in row] for row in np.asarray(x, np.float64).tolist()]
    weights = [Fraction(1)] * len(rows) if weights is None else [Fraction(w) for w in np.asarray(weights, np.float64).tolist()]
    total, d = sum(weights), len(rows[0])
    mean = [sum(w * row[i] for w, row in zip(weights, rows, strict=True)) / total for i in range(d)]
    covariance = [
        [sum(w * (row[i] - mean[i]) * (row[j] - mean[j]) for w, row in zip(weights, rows, strict=True)) / total for j in range(d)]
        for i in range(d)
    ]
    return mean, covariance


def assert_exact(stats, x, weights=None, bound=1e-14):
    mean, covariance = exact(x, weights)
    d = len(mean)
    got_mean, got = np.atleast_1d(stats.mean), np.atleast_2d(stats.covariance())
    std = [float(covariance[i][i]) ** 0.5 for i in range(d)]
    for i in range(d):
        assert abs(Fraction(float(got_mean[i])) - mean[i]) <= bound * max(abs(float(mean[i])), 0.1 * std[i])
        for j in range(d):
            assert abs(Fraction(float(got[i, j])) - covariance[i][j]) <= bound * std[i] * std[j]


def nist(offset, step):
    """Data like NumAcc3 and NumAcc4: 1001 numbers around a large mean."""
    return np.array([offset + step, *([offset, offset + 2 * step] * 500)])


@pytest.fixture
def rng():
    return np.random.default_rng(7)


# ------------------------------------------------------------------------------------------------ accuracy


@pytest.mark.parametrize("x", [nist(1_000_000.0, 0.1), nist(10_000_000.0, 0.1), nist(1e8, 1.0), nist(1e12, 0.5)])
def test_a_mean_far_from_zero(x):
    assert_exact(ll.MomentStats(x), x[:, None])


@pytest.mark.parametrize("d", [1, 2, 3, 5, 8, 16, 20])
def test_covariance_is_that_of_the_definition(d, rng):
    n = 700 if d < 5 else 120
    x = 1e8 + rng.standard_normal((n, d)) * 10.0 ** rng.integers(-1, 2, d)
    w = rng.random(n)
    assert_exact(ll.MomentStats(x), x)
    assert_exact(ll.MomentStats(x, weights=w), x, w)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: np.sort(x, axis=0),  # drifts
        lambda x: np.concatenate([[[1e9]], x]),  # the first row is far away
        lambda x: np.concatenate([x[:500], x[500:] + 1e6]),  # jumps
        lambda x: np.concatenate([x * 1e-6 + 3.0, x * 1e6]),
        lambda x: np.full((1000, 1), 0.1),
    ],
)
def test_drifts_jumps_and_outliers(make, rng):
    x = make(rng.standard_normal((1000, 1)))
    for weights in (None, np.where(np.arange(len(x)) < 50, 1e-12, 1.0)):
        assert_exact(ll.MomentStats(x, weights=weights), x, weights)


def test_a_constant_has_no_variance():
    stats = ll.MomentStats(np.full(100_001, 0.1)) + ll.MomentStats(np.full(7, 0.1))
    assert (stats.mean, stats.variance, stats.min, stats.max) == (0.1, 0.0, 0.1, 0.1)


@pytest.mark.parametrize("level", available_isas())
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("diagonal", [False, True])
def test_levels(level, dtype, diagonal, rng):
    for d in (1, 2, 3, 4, 6, 8, 11, 16, 33):
        x = (5 + rng.standard_normal((1, 1003, d))).astype(dtype)
        states = empty_states(1, d, diagonal)
        moments_update(states, x, None, diagonal, level=level)
        s, wide = State(states[0], d, diagonal), x[0].astype(np.longdouble)
        centred = wide - wide.mean(axis=0)
        np.testing.assert_allclose(s.shift + s.offset, wide.mean(axis=0).astype(float), rtol=1e-15)
        products = centred.T @ centred
        want = np.diagonal(products) if diagonal else np.tril(products)
        got = s.squares + s.rest
        assert np.max(np.abs((got if diagonal else np.tril(got)) - want)) <= 1e-14 * np.max(want)


def test_float32_is_summed_in_float64(rng):
    x = (1e4 + rng.standard_normal((5000, 3))).astype(np.float32)
    np.testing.assert_array_equal(ll.MomentStats(x).covariance(), ll.MomentStats(x.astype(np.float64)).covariance())
    assert ll.covariance(x).dtype == np.float32


# ------------------------------------------------------------------------------------------------ blocks


@pytest.mark.parametrize("step", [1, 7, 384, 5000])
def test_blocks_give_the_whole(step, rng):
    x, w = 1e6 + rng.standard_normal((12_000, 3)), rng.integers(0, 4, 12_000)
    if step == 1:
        x, w = x[:500], w[:500]
    whole, updated, summed = ll.MomentStats(x, weights=w), ll.MomentStats(), ll.MomentStats()
    for i in range(0, len(x), step):
        updated.update(x[i : i + step], w[i : i + step])
        summed = summed + ll.MomentStats(x[i : i + step], weights=w[i : i + step])
    for stats in (updated, summed):
        assert (stats.count, stats.weight) == (whole.count, whole.weight) == (np.count_nonzero(w), w.sum())
        np.testing.assert_allclose(stats.mean, whole.mean, rtol=1e-15)
        np.testing.assert_allclose(stats.covariance(), whole.covariance(), rtol=0, atol=2e-15)
        assert (stats.min == whole.min).all()
        assert (stats.max == whole.max).all()


def test_threads_do_not_change_bits(rng):
    x, w = rng.standard_normal((200_000, 5)), rng.random(200_000)
    results = []
    for n in (1, 2, 3, 7):
        with ll.num_threads(n):
            results.append((ll.MomentStats(x, weights=w), ll.covariance(x), ll.Normal.fit(x)))
    assert all(r[0] == results[0][0] and (r[1] == results[0][1]).all() and r[2] == results[0][2] for r in results)


def test_layouts_do_not_change_bits(rng):
    x = rng.standard_normal((30_001, 4))
    want, wide = ll.covariance(x), np.zeros((30_001, 9))
    wide[:, 1:9:2] = x
    for other in (np.asfortranarray(x), wide[:, 1:9:2], x[::-1][::-1], x.astype(">f8"), x.copy().view()):
        np.testing.assert_array_equal(ll.covariance(other), want)


def test_memory_map(tmp_path, rng):
    x = rng.standard_normal((50_000, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert ll.MomentStats(mapped) == ll.MomentStats(x)


def test_batches(rng):
    x, w = rng.standard_normal((2, 3, 40, 4)), rng.random((2, 3, 40))
    got, weighted = ll.covariance(x, ddof=1), ll.covariance(x, weights=w)
    shared = ll.covariance(x, weights=w[0, 0])
    for index in np.ndindex(2, 3):
        np.testing.assert_allclose(got[index], np.cov(x[index].T), atol=1e-15)
        np.testing.assert_allclose(weighted[index], np.cov(x[index].T, aweights=w[index], bias=True), atol=1e-15)
        np.testing.assert_allclose(shared[index], np.cov(x[index].T, aweights=w[0, 0], bias=True), atol=1e-15)


# ------------------------------------------------------------------------------------------------ weights and NaN


def test_weights_are_repeated_rows(rng):
    x, w = 1e5 + rng.standard_normal((3000, 3)), rng.integers(0, 5, 3000)
    weighted, repeated = ll.MomentStats(x, weights=w), ll.MomentStats(np.repeat(x, w, axis=0))
    assert weighted.weight == repeated.weight == repeated.count
    np.testing.assert_allclose(weighted.mean, repeated.mean, rtol=2.3e-16)
    np.testing.assert_allclose(weighted.covariance(), repeated.covariance(), rtol=0, atol=2e-15)


def test_rows_of_weight_zero_do_not_count():
    x = np.array([[np.nan, 1e300], [1.0, 2.0], [np.inf, -np.inf], [3.0, 6.0]])
    stats = ll.MomentStats(x, weights=[0, 1, 0, 1])
    np.testing.assert_array_equal(stats.covariance(), [[1, 2], [2, 4]])
    assert stats.count == 2
    np.testing.assert_array_equal(stats.max, [3, 6])


@pytest.mark.parametrize("n", [10, 100_000])
def test_nan(n, rng):
    x = rng.standard_normal((n, 3))
    x[n // 2, 1] = np.nan
    c = ll.covariance(x)
    nan = np.isnan(c)
    np.testing.assert_array_equal(nan, [[0, 1, 0], [1, 1, 1], [0, 1, 0]])
    np.testing.assert_array_equal(np.isnan(ll.correlation(x)), nan)
    without = np.delete(x, n // 2, axis=0)
    omitted = ll.MomentStats().update(x, nan_policy="omit")
    np.testing.assert_allclose(omitted.covariance(), np.cov(without.T, bias=True), atol=1e-15)
    stats = ll.MomentStats(without)
    before = pickle.dumps(stats)
    with pytest.raises(ValueError, match=rf"block\[{n // 2}, 1\] = nan"):
        stats.update(x, nan_policy="raise")
    assert pickle.dumps(stats) == before


@pytest.mark.parametrize("weights", [[1, 2, -1], [1, np.nan, 1], [np.inf, 1, 1]])
def test_bad_weights_are_named(weights):
    index = next(i for i, w in enumerate(weights) if not 0 <= w < np.inf)
    with pytest.raises(ValueError, match=rf"MomentStats.update: weights must be finite and not negative, but weights\[{index}\]"):
        ll.MomentStats([1.0, 2.0, 3.0], weights=weights)


# ------------------------------------------------------------------------------------------------ as an object


def test_object(rng):
    x = rng.standard_normal((10, 2))
    a, empty = ll.MomentStats(x), ll.MomentStats()
    assert a == pickle.loads(pickle.dumps(a)) == a + empty == empty + a == sum([a])
    assert a != ll.MomentStats(x + 1)
    assert empty == ll.MomentStats()
    assert repr(empty) == "<MomentStats: empty>"
    assert np.isnan(empty.mean)
    assert empty.count == 0
    with pytest.raises(TypeError, match="unhashable"):
        hash(a)
    b = a + a
    assert b.count == 20
    assert a.count == 10
    with pytest.raises(ValueError, match=r"block must have shape \(n, 2\)"):
        a.update([1.0, 2.0])
    with pytest.raises(ValueError, match="do not go together"):
        a + ll.MomentStats([1.0])
    with pytest.raises(TypeError):
        a + 1


def test_ddof(rng):
    x = rng.standard_normal((6, 2))
    np.testing.assert_allclose(ll.MomentStats(x).covariance(ddof=1), np.cov(x.T), atol=1e-15)
    with pytest.raises(ValueError, match="total weight must be above ddof"):
        ll.covariance(x[:1], ddof=1)
    with pytest.raises(ValueError, match="ddof must be a finite number"):
        ll.covariance(x, ddof=np.nan)


def test_identical_rows_are_a_sample():
    people = [[170.0, 65.0], [180.0, 80.0], [165.0, 60.0], [190.0, 95.0], [170.0, 65.0]]
    assert ll.covariance(people).shape == (2, 2)
    np.testing.assert_array_equal(ll.covariance([[1.0, 2.0]] * 3), np.zeros((2, 2)))


# ------------------------------------------------------------------------------------------------ correlations


def test_correlation(rng):
    x = rng.standard_normal((500, 4)) @ rng.standard_normal((4, 4))
    rho = ll.correlation(x)
    np.testing.assert_allclose(rho, np.corrcoef(x.T), atol=1e-14)
    assert (np.diagonal(rho) == 1).all()
    assert (rho == rho.T).all()
    line = ll.correlation(np.stack([x[:, 0], 3 * x[:, 0] + 1, -x[:, 0]], axis=1))
    np.testing.assert_allclose(line, [[1, 1, -1], [1, 1, -1], [-1, -1, 1]], atol=1e-15)
    assert np.abs(line).max() == 1
    assert np.isnan(ll.correlation([[1.0, 2.0], [1.0, 3.0]])[0]).all()


def test_covariance_from(rng):
    x = rng.standard_normal((50, 3))
    c = ll.covariance(x)
    std = np.sqrt(np.diagonal(c))
    np.testing.assert_allclose(ll.covariance_from(std, ll.correlation(x)), c, rtol=1e-14)
    batch = ll.covariance_from([[1.0, 2.0], [3.0, 4.0]], [[1, 0.5], [0.5, 1]])
    np.testing.assert_array_equal(batch, [[[1, 1], [1, 4]], [[9, 6], [6, 16]]])
    assert ll.covariance_from(np.float32([1, 2]), 0.5).dtype == np.float32
    for rho in (1.0, -1.0):
        mvn = ll.MultivariateNormal([0.0, 0.0], ll.covariance_from([1.0, 2.0], rho), allow_singular=True)
        assert mvn.rank == 1


@pytest.mark.parametrize(
    ("std", "rho", "error", "message"),
    [
        ([1, 0], 0.5, ValueError, r"std must be positive and finite, but std\[1\] = 0"),
        ([1, 2], 1.5, ValueError, r"correlation must be within \[-1, 1\], but correlation = 1.5"),
        ([1, 2], [[1, 0.5], [0.5, 2]], ValueError, r"correlation\[1, 1\] = 2"),
        ([1, 2], [[1, 0.5], [0.5, 0.9]], ValueError, r"diagonal of correlation must be 1, but correlation\[1, 1\] = 0.9"),
        ([1, 2], [[1, 0.5], [0.4, 1]], ValueError, "must be symmetric"),
        ([1, 2, 3], 0.5, ValueError, r"shape \(..., 3, 3\)"),
        (1.0, 0.5, ValueError, r"std must have shape \(..., d\)"),
        ([1, 2], np.nan, ValueError, "correlation = nan"),
        ([1, 1, 1], [[1, -0.9, -0.9], [-0.9, 1, -0.9], [-0.9, -0.9, 1]], np.linalg.LinAlgError, "no variables have these"),
    ],
)
def test_covariance_from_errors(std, rho, error, message):
    with pytest.raises(error, match=message):
        ll.covariance_from(std, rho)


def test_arrays_are_not_added_to_statistics():
    for other in (np.zeros(3), np.zeros(0), [1.0], 1, None):
        with pytest.raises(TypeError):
            ll.MomentStats([1.0]) + other
        with pytest.raises(TypeError):
            other + ll.MomentStats([1.0])


def test_samples_without_coordinates():
    assert ll.Normal.fit(np.zeros((5, 0)), axis=0).batch_shape == (0,)
    assert ll.covariance(np.zeros((0, 3, 2))).shape == (0, 2, 2)
