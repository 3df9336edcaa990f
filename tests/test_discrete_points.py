"""Intervals in logarithms, memory for results, medians and parts of a batch of `Discrete`."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from mpmath import mp

import loglik as ll
from loglik import Discrete

INF, NAN = math.inf, math.nan
U = 2.0**-53
METHODS = ("prob", "log_prob", "cdf", "sf", "log_cdf", "log_sf", "quantile")
BETWEEN = ("prob_between", "log_prob_between")


def normalised(logs):
    logs = np.asarray(logs, float)
    return logs - np.log(np.exp(logs - logs.max()).sum()) - logs.max()


def far_down(seed, length=60, depth=5000.0):
    """Logarithms of which most are far below the range of doubles, in no order, some -inf."""
    rng = np.random.default_rng(seed)
    logs = -depth * rng.random(length) ** 2
    logs[rng.random(length) < 0.2] = -INF
    logs[seed % length] = 0.0
    return normalised(logs)


def ends_of(d, rng, count):
    """Ends of intervals around the outcomes, in order and not, between the integers and infinite."""
    x = [*(d.start + np.arange(-2, d.probs.shape[-1] + 2)), d.start + 0.5, d.start + 2.25, -INF, INF]
    a, b = rng.choice(x, (2, count))
    short = rng.random(count) < 0.5
    return a, np.where(short, a + rng.integers(-1, 4, count), b)


# ------------------------------------------------------------------------------------------ logarithms of intervals


EXACT = {
    "100d6": ll.dice(100, 6),
    "400d6": ll.dice(400, 6),  # its tails are below the range of doubles
    "counts": Discrete(counts=[1, 0, 3, 2**300, 5, 0, 7, 2**1100, 1], start=-4),
    "constant": Discrete(counts=[3], start=5),
    "nearly certain": Discrete(counts=[1, 2**200, 1]),
}


@pytest.mark.parametrize("name", EXACT)
def test_log_prob_between_against_integers(name):
    d = EXACT[name]
    counts, start = d.counts()
    total = sum(counts)
    a, b = ends_of(d, np.random.default_rng(1), 400)
    got = d.log_prob_between(a, b)
    assert got.dtype == np.float64
    checked = 0
    for low, high, value in zip(a.tolist(), b.tolist(), got.tolist(), strict=True):
        ways = sum(count for k, count in enumerate(counts, start) if low <= k <= high)
        if not ways:
            assert value == -INF
            continue
        with mp.workdps(60):
            # whichever is the smaller part
            exact = mp.log(mp.mpf(ways) / total) if 2 * ways <= total else mp.log1p(-mp.mpf(total - ways) / total)
            allowed = 100 * U * min(1, abs(exact)) + 2 * U * abs(exact) + mp.mpf(2) ** -1074
            assert abs(value - exact) <= allowed, (low, high)
        checked += 1
    assert checked > 20


@pytest.mark.parametrize("seed", range(6))
def test_log_prob_between_far_below_the_range_of_doubles(seed):
    logs = far_down(seed)
    d = Discrete(log_probs=logs, start=-7)
    a, b = ends_of(d, np.random.default_rng(seed), 300)
    got = d.log_prob_between(a, b)
    underflowed = 0
    with mp.workdps(60):
        exact_probs = [mp.exp(mp.mpf(x)) if x > -INF else mp.mpf(0) for x in logs.tolist()]
        for low, high, value in zip(a.tolist(), b.tolist(), got.tolist(), strict=True):
            total = mp.fsum(p for k, p in enumerate(exact_probs, -7) if low <= k <= high)
            if total == 0:
                assert value == -INF
                continue
            # the logarithms were rounded, and total 1 only nearly
            assert abs(value - mp.log(total)) <= 4 * U * (100 + abs(mp.log(total))), (low, high)
            underflowed += total < 1e-320
    assert underflowed > 10


def test_log_prob_between_adds_many_equal_terms():
    # where a difference of tails would cancel
    n = 2000
    d = Discrete(log_probs=normalised([0.0, *[-1500.0] * n]))
    for a, b in [(1, 1), (17, 17), (500, 504), (1, n), (n, n), (1000, 1999)]:
        expected = -1500.0 + math.log(b - a + 1)
        assert d.log_prob_between(a, b) == pytest.approx(expected, rel=4 * U)
    single = d.log_prob_between(np.arange(n + 1), np.arange(n + 1))
    np.testing.assert_allclose(single[1:], d.log_prob(np.arange(1, n + 1)), rtol=2 * U)
    # of 1000 scales at once
    steep = Discrete(log_probs=normalised(-700.0 * np.arange(1000)))
    at = np.arange(1000)
    np.testing.assert_allclose(steep.log_prob_between(at, at + 3)[1:], -700.0 * at[1:], rtol=4 * U)
    np.testing.assert_allclose(steep.log_prob_between(at, INF)[1:], steep.log_sf(at - 1)[1:], rtol=4 * U)


def test_log_prob_between_of_the_smallest_and_the_nearest_to_one():
    least = Discrete(log_probs=[0.0, -1e12, -INF], start=1)
    assert least.log_prob_between(2, 9) == pytest.approx(-1e12, rel=4 * U)
    assert least.log_prob_between(3, 9) == -INF
    assert least.log_prob_between(1, 2) == 0
    assert not np.signbit(least.log_prob_between(1, 2))
    d = Discrete([1e-20, 0.5, 0.5 - 1e-17, 3e-18])
    assert d.log_prob_between(1, 2) == pytest.approx(-3.01e-18, rel=1e-12)


def test_edges_of_log_prob_between():
    d = Discrete([0.25, 0.0, 0.5, 0.25], start=10)
    for a, b in [(12, 11), (INF, -INF), (1, 9), (14, 1e300), (11, 11), (10.2, 10.8), (10.2, 11.9), (INF, INF), (-INF, -INF)]:
        assert d.log_prob_between(a, b) == -INF, (a, b)
    assert d.log_prob_between(-INF, INF) == 0
    assert math.exp(d.log_prob_between(9.5, 12.0)) == pytest.approx(0.75)
    assert np.isnan(d.log_prob_between([NAN, 10, NAN], [10, NAN, NAN])).all()
    assert np.shape(d.log_prob_between(np.zeros((3, 1)), np.zeros(4))) == (3, 4)
    assert d.log_prob_between(np.empty((0, 2)), 1).shape == (0, 2)
    half = Discrete(np.float32([0.25, 0.75]))
    assert half.log_prob_between(0.0, 0.0) == np.float32(math.log(0.25))
    assert half.log_prob_between(np.zeros(2), 1).dtype == half.prob_between(np.zeros(2), 1).dtype == np.float32
    with pytest.raises(TypeError, match=r"Discrete\.log_prob_between: b "):
        d.log_prob_between(1, "x")
    with pytest.raises(ValueError, match=r"Discrete\.log_prob_between: .*broadcast"):
        d.log_prob_between([1, 2], [1, 2, 3])


def test_log_prob_between_of_batches():
    """Every row has the bits that it has alone; plain rows and such with powers of two stand in one block."""
    logs = np.array([far_down(1), normalised(np.zeros(60)), far_down(2, depth=1e6), far_down(3, depth=10.0), far_down(4)])
    rng = np.random.default_rng(0)
    for rows in (logs, np.array([normalised(row) for row in logs.clip(-1e3)]).astype(np.float32)):
        d, singles = Discrete(log_probs=rows, start=3), [Discrete(log_probs=row, start=3) for row in rows]
        a, b = np.reshape(ends_of(d, rng, 7 * 5), (2, 7, 5))
        a[0, 0] = NAN
        for method in BETWEEN:
            expected = np.stack([getattr(one, method)(a[:, i], b[:, i]) for i, one in enumerate(singles)], axis=1)
            got = getattr(d, method)(a, b)
            assert got.dtype == expected.dtype == d.dtype
            np.testing.assert_array_equal(got, expected)
            np.testing.assert_array_equal(getattr(d, method)(4, 9), [getattr(one, method)(4, 9) for one in singles])
    assert Discrete(np.zeros((0, 3))).log_prob_between(np.zeros((4, 1)), 1).shape == (4, 0)
    assert Discrete(np.zeros((2, 0, 3))).log_prob_between(0, 1).shape == (2, 0)


# ------------------------------------------------------------------------------------------ memory for results


PMFS = {
    "one": lambda t: Discrete(np.array([0.125, 0.0, 0.5, 0.375], t), start=-2),
    "logs": lambda t: Discrete(log_probs=np.log(np.array([0.25, 0.5, 0.25])).astype(t)),
    "far": lambda t: Discrete(log_probs=far_down(3).astype(t), start=-2) if t == np.float64 else ll.dice(500, 6),
    "batch": lambda t: Discrete(np.array([[0.125, 0.0, 0.5, 0.375], [0.25, 0.25, 0.5, 0.0], [1.0, 0.0, 0.0, 0.0]], t), start=-2),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", PMFS)
def test_out(name, dtype):
    d = PMFS[name](dtype)
    shape = (5, 4, *d.batch_shape)
    rng = np.random.default_rng(2)
    for method in (*METHODS, *BETWEEN):
        x = rng.random(shape) if method == "quantile" else rng.integers(-3, 4, shape)
        x = x.astype(d.dtype)
        points = (x, x + 2) if method in BETWEEN else (x,)
        expected = getattr(d, method)(*points)
        assert expected.dtype == (np.float64 if method == "quantile" else d.dtype)
        out = np.full((*shape, 2), -7.0, expected.dtype)[..., 1]
        assert getattr(d, method)(*points, out=out) is out
        np.testing.assert_array_equal(out, expected)
        if x.dtype == expected.dtype:  # written over a point, in place and one further
            memory = np.zeros(x.size + 1, x.dtype)
            for target in (memory[:-1], memory[1:]):
                memory[:-1] = x.ravel()
                over = memory[:-1].reshape(shape)
                got = getattr(d, method)(over, *points[1:], out=target.reshape(shape))
                np.testing.assert_array_equal(got, expected)
        full = f"Discrete.{method}: out "
        with pytest.raises(ValueError, match=re.escape(full) + "must have shape"):
            getattr(d, method)(*points, out=np.empty((5, *shape), expected.dtype))
        with pytest.raises(ValueError, match=re.escape(full) + "must have shape .* dtype"):
            getattr(d, method)(*points, out=np.empty(shape, np.int64))
        with pytest.raises(TypeError, match=re.escape(full) + "must be a numpy.ndarray"):
            getattr(d, method)(*points, out=[])


def test_prob_of_other_families_has_out():
    x = np.array([0.0, 1.0, 0.25])
    for d in (ll.Normal(0.5, 2.0), ll.Uniform(0.0, 2.0), ll.Bernoulli(0.25)):
        out = x.copy()
        assert d.prob(out, out=out) is out
        np.testing.assert_array_equal(out, d.prob(x))


def test_large_arrays_go_in_blocks():
    """A value does not depend on the block it is computed in, nor on threads."""
    rng = np.random.default_rng(6)
    for d in (ll.dice(300, 6), Discrete(log_probs=far_down(5, depth=1e5))):
        for method in (*METHODS, *BETWEEN):
            x = rng.random(200_000) if method == "quantile" else rng.integers(d.start - 2, d.start + d.probs.size + 2, 200_000)
            points = (x, x + 3) if method in BETWEEN else (x,)
            with ll.num_threads(1):
                parts = [getattr(d, method)(*(p[i : i + 1000] for p in points)) for i in range(0, len(x), 1000)]
            with ll.num_threads(2):
                np.testing.assert_array_equal(getattr(d, method)(*points), np.concatenate(parts))


def test_dask_arrays():
    da = pytest.importorskip("dask.array")
    x = np.linspace(-3, 5, 24).reshape(6, 4)
    for d in (ll.Discrete([0.125, 0.0, 0.5, 0.375], start=-2), ll.Discrete(np.full((4, 5), np.float32(0.2)))):
        for method in (*METHODS, *BETWEEN):
            y = (x + 3) / 8 if method == "quantile" else x
            points = (y, y + 2) if method in BETWEEN else (y,)
            got = getattr(d, method)(*(da.from_array(p, chunks=(4, 3)) for p in points))
            expected = getattr(d, method)(*points)
            assert isinstance(got, da.Array)
            assert got.dtype == expected.dtype
            np.testing.assert_array_equal(got.compute(), expected)
        with pytest.raises(TypeError, match=r"Discrete\.cdf: out has no meaning for dask"):
            d.cdf(da.zeros((6, 4)), out=np.empty((6, 4)))


# ------------------------------------------------------------------------------------------ median


def test_median():
    """The lowest outcome that at least half of the probability does not exceed."""
    coin, constant = Discrete(counts=[1, 0, 0, 1], start=-1), Discrete(counts=[2], start=9)
    for d in (ll.die(6), ll.dice("3d6"), ll.dice("4d6kh3"), coin, constant):
        counts, start = d.counts()
        half = Fraction(sum(counts), 2)
        expected = next(start + i for i in range(len(counts)) if sum(counts[: i + 1]) >= half)
        assert d.median == expected
    batch = Discrete(np.float32([[0.5, 0.0, 0.5], [0.0, 0.25, 0.75]]), start=4)
    np.testing.assert_array_equal(batch.median, [4.0, 6.0])
    assert batch.median.shape == batch.batch_shape
    assert Discrete(np.zeros((0, 3))).median.shape == (0,)


# ------------------------------------------------------------------------------------------ parts of a batch


def test_parts_of_a_batch_are_what_they_are_alone():
    logs = np.array([[far_down(i, 20) if (i + j) % 2 else normalised(np.arange(20.0)) for j in range(3)] for i in range(2)])
    d = Discrete(log_probs=logs, start=-4)
    for index in [(0, 1), (1, 2), (1, 1), (-1, 0)]:
        alone = Discrete(log_probs=logs[index], start=-4)
        assert d[index] == alone
        assert hash(d[index]) == hash(alone)
        assert repr(d[index]) == repr(alone)
        assert d[index].mode == alone.mode
        np.testing.assert_array_equal(d[index].log_sf(np.arange(20)), alone.log_sf(np.arange(20)))
    for index in [0, (slice(None), 1), (0, ..., slice(1, 3)), ..., (..., 0), None, np.array([1, 0, 1]), d.mean > 0, slice(0, 0)]:
        part = d[index]
        places = np.arange(6).reshape(2, 3)[index]
        assert part.batch_shape == places.shape
        np.testing.assert_array_equal(part.log_probs, d.log_probs.reshape(6, 20)[places])
        if part.batch_shape and places.size:
            assert part == Discrete(log_probs=logs.reshape(6, 20)[places], start=-4)
    assert [row.batch_shape for row in d] == [(3,), (3,)]
    with pytest.raises(IndexError):
        d[0, 1, 2]  # the outcomes are no axis of the batch
    with pytest.raises(IndexError):
        d[2]
    with pytest.raises(IndexError, match=r"d\.prob\(i\)"):
        ll.die(6)[1]


def test_parts_remember_what_was_cut_off():
    exploding = ll.dice("d6!")
    batch = exploding + Discrete([[0.5, 0.5], [1.0, 0.0]])
    assert batch.truncated_mass == batch[0].truncated_mass == exploding.truncated_mass > 0
