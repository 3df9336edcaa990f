"""`Discrete` against fractions, exact integers and high precision."""

import copy
import math
import operator
import pickle
from fractions import Fraction

import numpy as np
import pytest
from mpmath import mp

import loglik as ll
from loglik import Bernoulli, Discrete, convolve
from loglik._discrete import scaled_pmf

U = 2.0**-53


def exact_sum(*pmfs):
    out = [Fraction(1)]
    for pmf in pmfs:
        new = [Fraction(0)] * (len(out) + len(pmf) - 1)
        for i, x in enumerate(out):
            for j, y in enumerate(pmf):
                new[i + j] += x * y
        out = new
    return out


def fractions_of(probs):
    return [Fraction(p) for p in np.asarray(probs, float).tolist()]


def log_of(x):
    """Natural logarithm of a fraction in (0, 1], to 50 digits."""
    with mp.workdps(50):
        if x > Fraction(1, 2):
            return mp.log1p(-mp.mpf((1 - x).numerator) / (1 - x).denominator)
        return mp.log(mp.mpf(x.numerator)) - mp.log(mp.mpf(x.denominator))


# ------------------------------------------------------------------------------------------ bad input

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, TypeError, "exactly one of probs, log_probs and counts, got none"),
        ({"probs": [1.0], "counts": [1]}, TypeError, "got probs, counts"),
        ({"probs": []}, ValueError, "probs must have at least one entry"),
        ({"probs": 1.0}, ValueError, r"one dimension, got shape \(\)"),
        ({"probs": [0.5, -0.25, 0.75]}, ValueError, r"probs\[1\] = -0.25"),
        ({"probs": [0.5, 0.5, NAN]}, ValueError, r"finite, but probs\[2\] = nan"),
        ({"probs": [INF, 0.5]}, ValueError, r"finite, but probs\[0\] = inf"),
        ({"probs": [0.5, 0.4]}, ValueError, "must total 1 .* totals 0.9"),
        ({"probs": [0.0, 0.0]}, ValueError, "must total 1 .* totals 0.0"),
        ({"probs": [0.0, 1e308]}, ValueError, r"at most 1, but probs\[1\] = 1e\+308"),
        ({"probs": ["a"]}, TypeError, "probs has dtype"),
        ({"probs": [0.5 + 0j, 0.5]}, TypeError, "complex"),
        ({"probs": [[1], [1, 2]]}, TypeError, "not an array of numbers"),
        ({"log_probs": []}, ValueError, "log_probs must have at least one entry"),
        ({"log_probs": [0.0, NAN]}, ValueError, r"log_probs\[1\] = nan"),
        ({"log_probs": [0.0, INF]}, ValueError, r"log_probs\[1\] = inf"),
        ({"log_probs": [0.0, 800.0]}, ValueError, r"log_probs\[1\] = 800"),
        ({"log_probs": [0.0, -1e300]}, ValueError, r"log_probs\[1\] = -1e\+300"),
        ({"log_probs": [-1.0, -1.0]}, ValueError, r"exp\(log_probs\) must total 1"),
        ({"counts": []}, ValueError, "at least one entry above 0"),
        ({"counts": [0, 0]}, ValueError, "at least one entry above 0"),
        ({"counts": [1, -2]}, ValueError, r"counts\[1\] = -2"),
        ({"counts": [1, 2.0]}, TypeError, r"counts\[1\] = 2.0"),
        ({"counts": np.ones((2, 2), int)}, ValueError, r"shape \(2, 2\)"),
        ({"probs": [1.0], "start": 0.5}, TypeError, "start must be an integer, got 0.5"),
        ({"probs": [1.0], "start": True}, TypeError, "start must be an integer"),
        ({"probs": [1.0], "start": 2**60}, ValueError, "within ±2"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        Discrete(**arguments)
    assert str(caught.value).startswith("Discrete")


def test_operators_refuse_what_they_cannot_do():
    d = Discrete([0.5, 0.5])
    for operation, other in [
        (operator.add, 1.5),
        (operator.add, "1"),
        (operator.sub, None),
        (operator.mul, 2),
    ]:
        with pytest.raises(TypeError):
            operation(d, other)
    with pytest.raises(TypeError):
        2.0 @ d
    with pytest.raises(TypeError):
        d @ 2
    with pytest.raises(TypeError):
        np.ones(3) + d
    with pytest.raises(ValueError, match="n >= 0 copies, got -1"):
        -1 @ d
    with pytest.raises(ValueError, match="more than the limit of 67108864"):
        10**9 @ d
    with pytest.raises(ValueError, match=r"would take about .* seconds"):
        (2**25 - 1) @ Discrete([0.2, 0.3, 0.5])
    with pytest.raises(ValueError, match="built from probabilities"):
        d.counts()
    with pytest.raises(ValueError, match=r"q\[1\] = 1.5"):
        d.quantile([0.5, 1.5])
    with pytest.raises(NotImplementedError, match="wrt"):
        d.log_prob(1, wrt="x")
    with pytest.raises(TypeError, match="x has dtype complex128"):
        d.log_prob(1j)


# ------------------------------------------------------------------------------------------ construction


def test_probabilities_are_normalised_once_and_kept():
    d = Discrete([0.1] * 10)  # totals 1 within an ulp
    assert d.probs.tolist() == [0.1] * 10
    off = np.full(1000, 1e-3) * (1 + 5e-13)
    d = Discrete(off)
    assert abs(math.fsum(d.probs) - 1) <= 4 * 2 * U
    again = Discrete(d.probs)
    assert np.array_equal(again.probs, d.probs)
    d = Discrete([-0.0, 1.0])
    assert math.copysign(1, d.probs[0]) == 1


def test_input_is_copied_and_output_read_only():
    given = np.array([0.25, 0.75])
    d = Discrete(given)
    given[0] = 1
    assert d.probs.tolist() == [0.25, 0.75]
    for array in (d.probs, d.log_probs, ll.dice(2, 6).probs, ll.dice(500, 6).log_probs):
        assert not array.flags.writeable
    for name in ("probs", "start", "mean", "_start", "anything"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(d, name, 1)
        with pytest.raises(AttributeError, match="immutable"):
            delattr(d, name)
    masses = d._masses.values
    assert masses.base is None or masses.base is not given


def test_dtypes():
    assert Discrete(np.array([0.5, 0.5], np.float32)).dtype == np.float32
    assert Discrete(np.array([0.5, 0.5], np.float16)).dtype == np.float32
    assert Discrete([1, 0]).dtype == np.float64
    single = Discrete(np.array([0.25, 0.75], np.float32))
    assert (single + single).dtype == np.float32
    assert (single + Discrete([0.5, 0.5])).dtype == np.float64
    for d in (single, 300 @ single):
        assert d.dtype == np.float32
        assert d.probs.dtype == d.log_probs.dtype == np.float32
        for value in (
            d.mean,
            d.variance,
            d.std,
            d.entropy(),
            d.log_prob(0),
            d.cdf(np.float32(0)),
            d.prob_between(0, 1),
        ):
            assert value.dtype == np.float32
        assert d.log_prob(np.zeros(2)).dtype == np.float64
    assert single.batch_shape == single.event_shape == ()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_logarithms_in_and_out(dtype):
    logs = np.array([-0.5, -INF, -3000.0, -2.5, -745.25], dtype)
    logs[0] = np.log1p(-np.exp(dtype(-2.5)))
    d = Discrete(log_probs=logs)
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(d.log_probs, logs, rtol=eps, atol=eps)
    assert d.probs[1] == d.probs[2] == 0
    assert (d + d).log_prob(4) == pytest.approx(
        np.logaddexp(-6000.0, float(logs[0]) - 745.25 + math.log(2)), rel=1e-6
    )
    assert (d + d).log_prob(5) == pytest.approx(-3002.5 + math.log(2), rel=4 * eps)


def test_counts_are_rounded_once_and_stay_exact():
    rng = np.random.default_rng(1)
    counts = [int(x) ** 30 for x in rng.integers(1, 2**40, 50)]
    d = Discrete(counts=counts, start=-5)
    total = sum(counts)
    assert d.counts() == (counts, -5)
    scale = 2.0**-1022  # a quotient of integers is rounded once, if it does not underflow
    for count, p, log_p in zip(counts, d.probs, d.log_probs, strict=True):
        exact = Fraction(count, total)
        assert p == float(exact)
        assert abs(log_p - log_of(exact)) <= 2 * U * abs(log_p)
    assert scale > 0
    assert Discrete(counts=np.array([1, 2, 1], np.uint8)).probs.tolist() == [0.25, 0.5, 0.25]
    assert Discrete(counts=iter([0, 3, 0])).probs.tolist() == [0, 1, 0]
    tiny = Discrete(counts=[1, 10**400])
    assert tiny.probs[0] == 0
    assert tiny.log_probs[0] == pytest.approx(-400 * math.log(10), rel=1e-15)


# ------------------------------------------------------------------------------------------ arithmetic


@pytest.mark.parametrize(("na", "nb"), [(1, 1), (1, 5), (2, 2), (8, 9), (33, 65), (50, 80)])
def test_sums_against_fractions(na, nb):
    rng = np.random.default_rng(na)
    a, b = rng.dirichlet(np.ones(na)), rng.dirichlet(np.ones(nb))
    x, y = Discrete(a, start=-3), Discrete(b, start=10)
    exact = exact_sum(fractions_of(x.probs), fractions_of(y.probs))
    for got, start in [(x + y, 7), (convolve([y, x]), 7), (x - -y, 7), (-(-x - y), 7)]:
        assert (got.start, len(got.probs)) == (start, na + nb - 1)
        assert (
            max(abs(Fraction(p) / q - 1) for p, q in zip(got.probs.tolist(), exact, strict=True))
            <= 20 * (na + nb) * U
        )
    difference = x - y
    assert difference.start == -3 - (10 + nb - 1)
    exact = exact_sum(fractions_of(x.probs), fractions_of(y.probs)[::-1])
    assert (
        max(abs(Fraction(p) / q - 1) for p, q in zip(difference.probs.tolist(), exact, strict=True))
        <= 20 * (na + nb) * U
    )


def test_shifts_and_zero():
    d = Discrete([0.25, 0.75], start=1)
    assert ((d + 3).start, (3 + d).start, (d - 3).start, (d - np.int8(3)).start) == (4, 4, -2, -2)
    assert (5 - d).support.tolist() == [3, 4]
    assert (5 - d).probs.tolist() == [0.75, 0.25]
    assert (-d).probs.tolist() == [0.75, 0.25]
    assert sum([d, d]).probs.tolist() == [0.0625, 0.375, 0.5625]
    for nothing in (0 @ d, convolve([])):
        assert (nothing.start, nothing.probs.tolist(), nothing.counts()) == (0, [1.0], ([1], 0))
    assert 1 @ d == d
    assert np.int64(2) @ d == d + d
    assert d + nothing == d


@pytest.mark.parametrize("n", [1, 2, 3, 7, 12])
def test_copies_against_fractions(n):
    d = Discrete([0.1, 0.2, 0.0, 0.7], start=2)
    exact = exact_sum(*[fractions_of(d.probs)] * n)
    got = n @ d
    assert got.start == 2 * n
    for p, q in zip(got.probs.tolist(), exact, strict=True):
        assert abs(Fraction(p) - q) <= 20 * len(exact) * U * q


def test_copies_of_counts_are_exact():
    loaded = Discrete(counts=[1, 0, 2, 5], start=1)
    got = 30 @ loaded
    expected = [1]
    for _ in range(30):
        expected = np.convolve(np.array(expected, object), np.array([1, 0, 2, 5], object)).tolist()
    assert got.counts() == (expected, 30)
    assert [got.prob(30 + i) for i in range(4)] == pytest.approx([c / 8**30 for c in expected[:4]], rel=1e-14)


@pytest.mark.parametrize("seed", range(6))
def test_random_pmfs_over_a_huge_range(seed):
    """Entries over 1e±600 of one another: every sum keeps its relative accuracy."""
    rng = np.random.default_rng(seed)
    na, nb = rng.integers(2, 90, 2)
    counts = [
        [int(2 ** rng.uniform(0, 60)) << int(rng.integers(0, 4000)) for _ in range(n)] for n in (na, nb)
    ]
    # Through log-probabilities, which round; so the same values are the reference.
    a, b = (Discrete(counts=c) for c in counts)
    no_pool = Discrete(log_probs=[0.0])  # forces float arithmetic on the rounded values
    got = convolve([a, b, no_pool])
    exact = exact_sum(*([Fraction(c, sum(cs)) for c in cs] for cs in counts))
    with pytest.raises(ValueError, match="no exact counts"):
        got.counts()
    for log_p, q in zip(got.log_probs.tolist(), exact, strict=True):
        exact_log = log_of(q)
        assert abs(log_p - exact_log) <= 20 * (na + nb) * U + 2 * U * abs(exact_log)
    assert (a + b).counts()[0] == np.convolve(*(np.array(c, object) for c in counts)).tolist()


def test_many_bernoulli_variables():
    """A Poisson-binomial sum whose ends underflow, against the products that its ends are."""
    rng = np.random.default_rng(3)
    p = rng.uniform(0.001, 0.999, 2000)
    total = convolve([[1 - x, x] for x in p])
    ends = [Discrete([1 - x, x]).probs for x in p]
    with mp.workdps(40):
        none = mp.fsum(mp.log(mp.mpf(float(x[0]))) for x in ends)
        one = mp.fsum(mp.mpf(float(x[1])) / mp.mpf(float(x[0])) for x in ends)
        every = mp.fsum(mp.log(mp.mpf(float(x[1]))) for x in ends)
        expected = {0: none, 1: none + mp.log(one), 2000: every}
    for k, exact in expected.items():
        assert abs(total.log_prob(k) - exact) <= 20 * 2001 * U + 2 * U * abs(exact)
    assert total.mean == pytest.approx(p.sum(), rel=1e-12)
    assert total.variance == pytest.approx((p * (1 - p)).sum(), rel=1e-11)
    assert abs(math.fsum(total.probs) - 1) < 20 * 2001 * U


@pytest.mark.parametrize("text", ["1d6", "2d6+3", "7d5", "30d6", "3d4 - 2d8 + 1", "2*3d5", "5"])
def test_counts_of_ranges(text):
    d = ll.dice(text)
    every, start = d.counts()
    assert start == d.start
    for low in range(start - 3, start + len(every) + 3):
        for high in {low, low + 1, low + 5, start + len(every) - 1, start + len(every) + 2}:
            if low <= high:
                got = d.counts(low, high)
                expected = [every[k - start] if 0 <= k - start < len(every) else 0 for k in range(low, high + 1)]
                assert got == (expected, low)
    assert d.counts(high=start) == (every[:1], start)
    assert d.counts(low=start) == (every, start)


def test_one_count_of_many_dice():
    """No room for all of them: 50,000d6 has 4 GB of counts."""
    many = ll.dice(50_000, 6)
    with pytest.raises(MemoryError, match="more than the limit of 1024 MiB"):
        many.counts()
    ways = math.comb(50_003, 4)  # sums of four above the lowest: dice with 7 or more are out of reach
    assert many.counts(50_004, 50_004) == ([ways], 50_004)
    assert many.counts(299_996, 299_997) == ([ways, math.comb(50_002, 3)], 299_996)
    loaded = 3 @ Discrete(counts=[1, 0, 2])
    assert loaded.counts(1, 2) == ([0, 6], 1)
    assert (loaded + ll.die(2)).counts(3, 4) == ([6, 6], 3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3, 2), ValueError, "low must be at most high, got 3 and 2"),
        ((2.5, 3), TypeError, "low must be an integer"),
        ((2, "x"), TypeError, "high must be an integer"),
        ((0, 10**9), ValueError, "more than the limit"),
    ],
)
def test_ranges_of_counts_that_make_no_sense(arguments, error, message):
    with pytest.raises(error, match=message):
        ll.die(6).counts(*arguments)


def exact_product(rows):
    """Coefficients of a product of polynomials with integer coefficients, shortest first."""
    rows = [[int(c) for c in row] for row in rows]
    while len(rows) > 1:
        bits = max(sum(row).bit_length() for row in rows) * 2 + 1
        packed = [sum(c << (bits * i) for i, c in enumerate(row)) for row in rows]
        lengths = [len(row) for row in rows]
        rows = []
        for i in range(0, len(packed) - 1, 2):
            product, count = packed[i] * packed[i + 1], lengths[i] + lengths[i + 1] - 1
            rows.append([(product >> (bits * k)) & ((1 << bits) - 1) for k in range(count)])
        if len(packed) % 2:
            rows.append([(packed[-1] >> (bits * k)) & ((1 << bits) - 1) for k in range(lengths[-1])])
    return rows[0]


@pytest.mark.parametrize(("n", "size", "bits"), [(3, 2, 10), (300, 2, 20), (301, 2, 50), (131, 5, 40), (20, 64, 30)])
def test_many_different_variables_against_integers(n, size, bits):
    """Probabilities that are multiples of 2^-bits, a few of them tiny: the floats are exact."""
    rng = np.random.default_rng(n)
    cuts = np.sort(np.rint(2.0 ** (bits * rng.random((n, size - 1)))), axis=1)
    whole = np.diff(cuts, axis=1, prepend=0.0, append=2.0**bits)
    exact, total = exact_product(whole), 2 ** (bits * n)
    rows = whole / 2.0**bits
    results = [convolve(rows), convolve(rows.tolist()), convolve([Discrete(row) for row in rows])]
    if size == 2:
        results += [convolve(Bernoulli(rows[:, 1])), convolve([Bernoulli(rows[1:, 1]), Discrete(rows[0])])]
    for got in results:
        assert (got.start, len(got.probs)) == (0, len(exact))
        assert abs(math.fsum(got.probs) - 1) <= 4 * U
        mantissas, exponents = scaled_pmf.as_scaled(got._masses)
        for m, e, count in zip(mantissas.tolist(), exponents.tolist(), exact, strict=True):
            if count == 0:
                assert m == 0
            else:
                value = Fraction(m) * Fraction(2) ** int(e)
                assert abs(value * total / count - 1) <= 1e-14


def test_bernoulli_variables_keep_both_tails_of_their_logits():
    z = np.array([-800.0, -50.0, 0.0, 40.0, 700.0, np.inf, -np.inf])
    got = convolve(Bernoulli(logits=z))
    with mp.workdps(60):
        ones = [1 / (1 + mp.exp(-mp.mpf(x))) for x in z.tolist()]
        zeros = [1 / (1 + mp.exp(mp.mpf(x))) for x in z.tolist()]
        exact = [mp.mpf(1)]
        for p, q in zip(ones, zeros, strict=True):
            exact = [
                (exact[k] * q if k < len(exact) else 0) + (exact[k - 1] * p if k else 0) for k in range(len(exact) + 1)
            ]
        for log_p, value in zip(got.log_probs.tolist(), exact, strict=True):
            # exp(-800) is 0 as a float64 probability: what depends on it is 0.
            if value > mp.exp(-745):
                assert abs(log_p - mp.log(value)) <= 1e-14 + 2 * U * abs(mp.log(value))


def test_probabilities_that_round_or_vanish():
    rng = np.random.default_rng(5)
    p = np.concatenate([10.0 ** rng.uniform(-300, 0, 150), np.zeros(3), np.ones(4), [5e-324, 2.0**-1022]])
    got = convolve(Bernoulli(p))
    assert got.probs[:4].tolist() == [0.0] * 4
    assert got.log_probs[-3:].tolist() == [-math.inf] * 3
    odd = [Fraction(x) for x in p.tolist()]
    exact = sum(math.log(x) for x in odd if x)  # about -50,000: the last possible outcome
    assert abs(got.log_probs[-4] - exact) <= 1e-9
    assert abs(math.fsum(got.probs) - 1) <= 4 * U
    half = convolve(Bernoulli(p[:150].astype(np.float32)))
    assert half.dtype == np.float32
    assert abs(float(half.probs.sum(dtype=np.float64)) - 1) <= 1e-6


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0.5, 0.5], [0.5, 0.5], [1.5, -0.5]], r"convolve: variables must be at least 0, but variables\[2, 1\] = -0.5"),
        ([[0.5, 0.5], [0.5, np.nan], [1.0, 0.0]], r"convolve: variables must be finite, but variables\[1, 1\] = nan"),
        ([[0.5, 0.5], [0.5, 0.25], [1.0, 0.0]], r"variables\[1\] must total 1 .* but totals 0.75"),
        ([[0.5, 0.5], [1.0], [0.5, 0.25]], "probs must total 1"),
    ],
)
def test_rows_that_are_no_probabilities(rows, message):
    with pytest.raises(ValueError, match=message):
        convolve(rows)


# ------------------------------------------------------------------------------------------ density and tails


def test_log_prob_of_any_x():
    d = Discrete([0.25, 0.0, 0.75], start=-1)
    x = np.array([-2, -1, 0, 1, 2, 0.5, -1.5, NAN, INF, -INF, 1e300])
    expected = [-INF, math.log(0.25), -INF, math.log(0.75), -INF, -INF, -INF, NAN, -INF, -INF, -INF]
    np.testing.assert_array_equal(d.log_prob(x), expected)
    np.testing.assert_array_equal(d.prob(x), np.exp(expected))
    assert d.log_prob(np.array([[1, -1]], np.int8)).tolist() == [[math.log(0.75), math.log(0.25)]]
    assert d.prob(np.array([2**64 - 1], np.uint64)) == 0
    assert d.prob(True) == 0.75
    assert isinstance(d.log_prob(1), np.float64)
    assert d.log_prob(np.empty((0, 3))).shape == (0, 3)
    out = np.empty(2)
    assert d.log_prob([-1, 1], out=out) is out
    assert out.tolist() == [math.log(0.25), math.log(0.75)]
    with pytest.raises(ValueError, match="out must have shape"):
        d.log_prob([1, 2, 3], out=out)
    assert Discrete([1.0], start=2**53 - 1).prob([2**53 - 1, 2**53, 2**53 + 1]).tolist() == [1, 0, 0]


def test_tails_of_any_x():
    d = Discrete([0.125, 0.0, 0.375, 0.5], start=2)
    x = [-INF, 1.9, 2, 2.5, 3, 4, 4.99, 5, 6, INF, NAN]
    cdf = [0, 0, 0.125, 0.125, 0.125, 0.5, 0.5, 1, 1, 1, NAN]
    np.testing.assert_array_equal(d.cdf(x), cdf)
    np.testing.assert_array_equal(d.sf(x), 1 - np.array(cdf))
    np.testing.assert_array_equal(d.log_cdf(x), [-INF if c == 0 else math.log(c) for c in cdf])
    np.testing.assert_array_equal(d.log_sf(x), [-INF if c == 1 else math.log(1 - c) for c in cdf])


@pytest.mark.parametrize(("n", "s"), [(3, 6), (40, 6), (100, 6), (600, 6)])
def test_tails_against_integers(n, s):
    d = ll.dice(n, s)
    counts, total = d.counts()[0], s**n
    below = 0
    cdf, sf, log_cdf, log_sf = (f(d.support) for f in (d.cdf, d.sf, d.log_cdf, d.log_sf))
    for k in range(0, len(counts), max(1, len(counts) // 60)):
        below = sum(counts[: k + 1])
        for got, log_got, count in [(cdf[k], log_cdf[k], below), (sf[k], log_sf[k], total - below)]:
            exact = Fraction(count, total)
            if exact > Fraction(1, 2**1000):
                assert abs(Fraction(got) / exact - 1) <= 8 * U
            if count:
                exact_log = log_of(exact)
                assert (
                    abs(log_got - exact_log) <= 8 * U * abs(exact_log) + 1e-307
                )  # an underflown tail leaves 0
            else:
                assert got == 0
                assert log_got == -INF
    assert np.all(np.diff(cdf) >= 0)
    assert np.all(np.diff(sf) <= 0)
    assert (cdf[-1], sf[-1], str(log_cdf[-1]), log_sf[-1]) == (1, 0, "0.0", -INF)


def test_quantiles_are_the_first_outcome_that_reaches_q():
    d = Discrete([0.0, 0.25, 0.25, 0.0, 0.5, 0.0], start=10)
    q = [0, 1e-300, 0.25, np.nextafter(0.25, 1), 0.5, np.nextafter(0.5, 1), 0.75, 1 - 2**-53, 1, NAN]
    np.testing.assert_array_equal(d.quantile(q), [11, 11, 11, 12, 12, 14, 14, 14, 14, NAN])
    assert isinstance(d.quantile(0.5), np.float64)
    big = ll.dice(1000, 6)
    for q in (1e-300, 1e-20, 0.3, 0.5):
        x = big.quantile(q)
        assert big.cdf(x) >= q > big.cdf(x - 1)
    for q in (0.6, 0.7, 1 - 2**-53):
        x = big.quantile(q)
        assert big.sf(x) <= 1 - q < big.sf(x - 1)
    for d in (ll.dice(20, 6), Discrete([0.1] * 10), ll.dice("4d6kh3")):
        x = d.support[d.sf(d.support) > 1e-11]
        np.testing.assert_array_equal(d.quantile(d.cdf(x)), x)
    assert (big.quantile(0), big.quantile(1)) == (1000, 6000)


def test_prob_between_sums_its_range():
    d = ll.dice(100, 6)
    counts, total = d.counts()[0], 6**100
    for a, b in [
        (100, 100),
        (100, 110),
        (590, 600),
        (595, 1e9),
        (-INF, 120),
        (300, 400),
        (101.5, 103.5),
        (-INF, INF),
    ]:
        exact = Fraction(sum(c for k, c in enumerate(counts, 100) if a <= k <= b), total)
        assert abs(Fraction(d.prob_between(a, b)) / exact - 1) <= 60 * U, (a, b)
    assert (
        d.prob_between(110, 100)
        == d.prob_between(700, 800)
        == d.prob_between(0, 99)
        == d.prob_between(101.2, 101.8)
        == 0
    )
    np.testing.assert_array_equal(d.prob_between([NAN, 100, 600], [[100], [600]]).shape, (2, 3))
    assert np.isnan(d.prob_between(NAN, 3))
    assert d.prob_between(np.empty(0), 1).shape == (0,)


# ------------------------------------------------------------------------------------------ moments


def test_moments_against_fractions():
    rng = np.random.default_rng(9)
    d = Discrete(rng.dirichlet(np.ones(40)), start=1_000_000)
    probs = fractions_of(d.probs)
    total = sum(probs)
    mean = sum(p * k for k, p in enumerate(probs, 1_000_000)) / total
    variance = sum(p * (k - mean) ** 2 for k, p in enumerate(probs, 1_000_000)) / total
    assert float(abs(Fraction(float(d.mean)) / mean - 1)) < 4 * U
    assert float(abs(Fraction(float(d.variance)) / variance - 1)) < 40 * U
    assert d.std == math.sqrt(d.variance)
    with mp.workdps(40):
        entropy = -mp.fsum(mp.mpf(p.numerator) / p.denominator * log_of(p) for p in probs)
    assert float(abs(d.entropy() / entropy - 1)) < 20 * U
    assert d.expect(lambda x: x) == pytest.approx(d.mean, rel=1e-15)
    assert d.mode == 1_000_000 + int(np.argmax(d.probs))


def test_moments_of_pools_are_exact():
    d = 3 @ Discrete(counts=[1, 0, 2, 5], start=1) + 2 * ll.die(6).start - ll.dice(7, 20)
    mean = 3 * Fraction(1 + 0 + 6 + 20, 8) + 2 - 7 * Fraction(21, 2)
    one = Fraction(1 + 2 * 9 + 5 * 16, 8) - Fraction(27, 8) ** 2
    assert d.mean == float(mean)
    assert d.variance == float(3 * one + 7 * Fraction(399, 12))
    assert Discrete([0.0, 1.0]).entropy() == 0
    assert math.copysign(1, Discrete([1.0]).entropy()) == 1
    assert ll.die(6).entropy() == pytest.approx(math.log(6), rel=1e-15)
    assert (ll.dice(3, 6).mode, Discrete([0.5, 0.5]).mode, ll.dice(1000, 6).mode) == (10, 0, 3500)


# ------------------------------------------------------------------------------------------ values

OBJECTS = [
    Discrete([0.25, 0.75], start=-2),
    Discrete(np.array([0.1, 0.9], np.float32)),
    Discrete(counts=[1, 0, 3]),
    Discrete([1.0], start=4),
    ll.die(6),
    ll.dice("2d8 - 1d4 + 3"),
    -ll.die(4) - 7,
    ll.dice("2*1d6"),
    ll.dice(0, 6),
    Discrete([0.5, 0.5]) + ll.die(6),
    Discrete([0.0, 0.5, 0.5]),
]


@pytest.mark.parametrize("d", [*OBJECTS, ll.dice(500, 6), 2000 @ Discrete([0.25, 0.75])], ids=repr)
def test_pickle_copy_equality_hash(d):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(d, protocol))
        assert again == d
        assert hash(again) == hash(d)
        assert again.dtype == d.dtype
        assert again.probs.tobytes() == d.probs.tobytes()
        assert again.log_probs.tobytes() == d.log_probs.tobytes()
    assert copy.copy(d) == copy.deepcopy(d) == d
    assert d + 1 != d
    assert d != "d"
    assert sum(d == other for other in OBJECTS) == (d in OBJECTS)


@pytest.mark.parametrize("d", OBJECTS, ids=repr)
def test_repr_evaluates_to_an_equal_object(d):
    names = {"Discrete": Discrete, "dice": ll.dice, "array": np.array, "float32": np.float32}
    again = eval(repr(d), names)
    assert again == d
    assert (again._pool is None) == (d._pool is None)


def test_repr_of_large_ones_is_short():
    assert repr(100 @ Discrete([0.5, 0.5])) == "<Discrete: 101 outcomes from 0 to 100>"
    assert repr(ll.dice("10000d6")) == "dice('10000d6')"
    assert repr(Discrete(log_probs=[-INF, 0.0])) == "Discrete(probs=[0.0, 1.0])"
    assert "log_probs=[-1000.0, " in repr(Discrete(log_probs=[-1000.0, 0.0]))


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ([[0.5, 0.5], [0.5, 0.6]], r"^convolve: variables\[1\]: probs must total 1 within .*, but totals 1\.1"),
        ([Discrete([1.0]), [-0.5, 1.5]], r"^convolve: variables\[1\]: probs must be at least 0, but probs\[0\] = -0\.5"),
        ([[0.5, 0.5]] * 3 + [[0.5, 0.6]], r"^convolve: variables\[3\] must total 1 within .*, but totals 1\.1"),
    ],
)
def test_convolve_names_the_variable_that_is_wrong(variables, message):
    with pytest.raises(ValueError, match=message):
        convolve(variables)
