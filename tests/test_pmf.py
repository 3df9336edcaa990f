"""Powers and sums of pmfs against exact integers and fractions: binomial sums, lattices."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

import loglik as ll
from loglik import Discrete
from loglik._discrete import scaled_pmf, wide

U = 2.0**-53


def value(pmf, k):
    """Probability k as a fraction."""
    mantissas, exponents = scaled_pmf.as_scaled(pmf)
    return Fraction(float(mantissas[k])) * Fraction(2) ** int(exponents[k])


def worst(pmf, exact):
    """Largest relative error in units of 2^-53 among the places of `exact`; zeros must agree."""
    largest = Fraction(0)
    for k, p in exact.items():
        got = value(pmf, k)
        assert (got == 0) == (p == 0)
        if p:
            largest = max(largest, abs(got / p - 1))
    return float(largest / Fraction(U))


def binomial(n, a, b, ks):
    return {k: math.comb(n, k) * a ** (n - k) * b**k / (a + b) ** n for k in ks}


@pytest.mark.parametrize("n", [1, 2, 3, 4, 15, 16, 17, 255, 500])
@pytest.mark.parametrize(("a", "b"), [(7, 3), (1, 1), (1, 2**40), (10**30, 1), (1, 10**50), (2**80 - 1, 2**80 + 1)])
def test_binomial_of_counts(n, a, b):
    d = n @ Discrete(counts=[a, b])
    ks = {0, 1, n // 3, n // 2, (n + 1) // 2, n - 1, n} if n > 20 else range(n + 1)
    assert worst(d._masses, binomial(n, Fraction(a), Fraction(b), ks)) <= 4
    assert d.log_probs[0] == pytest.approx(n * (math.log(a) - math.log(a + b)), rel=1e-13, abs=1e-30)


@pytest.mark.parametrize("probs", [[0.3, 0.7], [1e-300, 1.0], [5e-310, 1.0], [1.0, 1e-17], [0.5, 0.5]])
def test_binomial_of_probabilities(probs):
    a, b = map(Fraction, probs)
    for n in (2, 7, 40):
        d = n @ Discrete(probs)
        assert worst(d._masses, binomial(n, a, b, range(n + 1))) <= 4
        assert worst((n @ Discrete(probs[::-1]))._masses, binomial(n, b, a, range(n + 1))) <= 4
    assert (5 @ Discrete(np.float32([0.25, 0.75]))).dtype == np.float32


def test_a_million_successes():
    d = ll.dice("1000000d10>=8")
    n, a, b = 10**6, 7, 3
    # The mode by the exact ratio of its neighbours, the ends by their logarithms.
    assert d.log_probs[0] == pytest.approx(n * math.log(0.7), rel=1e-15)
    assert d.log_probs[-1] == pytest.approx(n * math.log(0.3), rel=1e-15)
    for k in (0, 1, 1000, 299_999, 300_000, 700_123, n - 1):
        ratio = Fraction((n - k) * b, (k + 1) * a)
        assert abs(value(d._masses, k + 1) / value(d._masses, k) / ratio - 1) <= 7 * U
    assert abs(math.fsum(d.probs) - 1) <= 4 * U
    k = np.arange(n + 1)
    assert math.fsum(k * d.probs) == pytest.approx(300_000, rel=1e-15)


def test_two_values_anywhere():
    exact = binomial(6, Fraction(2), Fraction(5), range(7))
    d = 6 @ Discrete(counts=[0, 2, 0, 0, 5, 0], start=-1)
    assert d.start == -6
    assert len(d.probs) == 31
    assert worst(d._masses, {k: exact[(k - 6) // 3] if k in range(6, 25, 3) else 0 for k in range(31)}) <= 4
    assert d.counts()[0][6:25:3] == [math.comb(6, k) * 2 ** (6 - k) * 5**k for k in range(7)]
    far = 3 @ Discrete(log_probs=[-math.inf, 0.0, -math.inf, -5000.0])
    np.testing.assert_allclose(far.log_probs[3::2], [0, math.log(3) - 5000, math.log(3) - 10000, -15000], rtol=1e-15)
    assert np.all(far.log_probs[[0, 1, 2, 4, 6, 8]] == -np.inf)
    assert (4 @ Discrete(counts=[0, 0, 3])).probs.tolist() == [0] * 8 + [1]


def test_lattices_are_powers_of_what_is_on_them():
    weights = [1, 0, 0, 4, 0, 0, 2, 0, 0, 9]
    d = 5 @ Discrete(counts=weights)
    exact = [0] * 46
    for roll in itertools.product(range(0, 10, 3), repeat=5):
        exact[sum(roll)] += math.prod(weights[k] for k in roll)
    assert worst(d._masses, {k: Fraction(c, 16**5) for k, c in enumerate(exact)}) <= 20


def test_common_factors_of_a_pool():
    for n in (3, 3000):
        apart, whole = ll.dice(f"6*{n}d6 + 15*{n}d4 - 9"), ll.dice(f"2*{n}d6 + 5*{n}d4")
        assert apart.start == 3 * whole.start - 9
        np.testing.assert_array_equal(apart.log_probs[::3], whole.log_probs)
        assert np.all(np.delete(apart.probs, np.s_[::3]) == 0)
    assert ll.dice("2*3d6").probs[::2].tolist() == ll.dice("3d6").probs.tolist()


def test_equal_bernoulli_variables_among_others():
    rng = np.random.default_rng(4)
    few = rng.integers(0, 2**20, 40) / 2.0**20
    p = np.concatenate([np.full(260, 0.25), few, np.full(270, 2.0**-30), np.zeros(300), np.ones(300), np.full(5, 0.25)])
    rng.shuffle(p)
    d = ll.convolve(ll.Bernoulli(p))
    exact = [1]
    for numbers, one in [(265, 2**28), (270, 1), *((1, int(x * 2**30)) for x in few)]:
        factor = [math.comb(numbers, k) * one**k * (2**30 - one) ** (numbers - k) for k in range(numbers + 1)]
        longer = [0] * (len(exact) + numbers)
        for (i, x), (j, y) in itertools.product(enumerate(exact), enumerate(factor)):
            longer[i + j] += x * y
        exact = longer
    places = [*range(320), 400, 570, 870, 875, 876]
    exact = {k: Fraction(exact[k - 300] if 300 <= k < 876 else 0, 2 ** (30 * 575)) for k in places}
    assert d.probs[:300].tolist() == [0] * 300
    assert worst(d._masses, exact) <= 100
    assert ll.convolve([Discrete([0.3, 0.7])] * 1000) == 1000 @ Discrete([0.3, 0.7])


def test_only_long_sums_are_refused():
    """By what the methods take: seconds for millions of outcomes, nothing for what is a recurrence."""
    for text in ("500000d6+500000d8", "1000000d6r1", "1000000d6+1000000d8", "60000000d10>=8", "100000d20+1d100000"):
        assert len(ll.dice(text).support) > 10**6
    coin, three = Discrete([0.25, 0.75]), Discrete([0.25, 0.5, 0.25])
    for n, d in [(2**25 - 1, three), (2**25 - 1, Discrete(counts=[1, 2, 2]))]:
        with pytest.raises(ValueError, match=r"would take about [0-9]+ seconds, more than the limit of 60"):
            n @ d
    assert scaled_pmf.sum_seconds([2] * 10**5, underflow=False) < 2
    assert scaled_pmf.sum_seconds([10**6], underflow=False) < 1
    assert scaled_pmf.power_seconds(6, 1, underflow=True) == 0
    assert (1000 @ coin).start == 0
    # Outcomes at a distance: what counts is what is on the lattice.
    apart = 2000 @ Discrete(counts=[1] + [0] * 9999 + [2])
    assert apart.mean == pytest.approx(2000 * 20000 / 3, rel=1e-15)
    assert apart.probs[10_000] == pytest.approx(0.0, abs=1e-300)


def test_wide_numbers():
    x, y = Fraction(7, 3), Fraction(2) ** -1000 * 5
    of = {x: wide.quotient(wide.wide(7), wide.wide(3)), y: wide.wide(5, -1000)}
    for function, exact in [
        (wide.product, x * y), (wide.quotient, x / y), (wide.plus, x + y),
    ]:  # fmt: skip
        m, e = function(of[x], of[y])
        assert m.bit_length() == 192
        assert abs(m * Fraction(2) ** e / exact - 1) <= Fraction(1, 2**188)
    assert wide.plus(of[y], of[x]) == wide.plus(of[x], of[y])
    m, e = wide.power(of[x], 1000)
    assert abs(m * Fraction(2) ** e / x**1000 - 1) <= Fraction(1, 2**178)
    assert wide.power(of[x], 0) == wide.wide(1)
    assert wide.rounded(wide.from_float(0.1, -5000)) == (1.6, -5004)
    assert wide.rounded(wide.from_float(5e-324)) == (1.0, -1074)
    mantissas, exponents = wide.powers(wide.wide(1), of[x], 40)
    assert [Fraction(m) * Fraction(2) ** e for m, e in zip(mantissas.tolist(), exponents.tolist(), strict=True)] == [
        Fraction(float(x**i)) for i in range(40)
    ]
