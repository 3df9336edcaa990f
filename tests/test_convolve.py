"""The kernels under `Discrete`, at every instruction-set level, against exact integers and fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest

import loglik as ll
from loglik import _kernels
from loglik._discrete import scaled_pmf
from loglik._kernels import level_properties

U = 2.0**-53
LEVELS = ll.available_isas()
FMA_LEVELS = [level for level in LEVELS if level_properties(level)["fma"]]
# Around every vector width, block of the kernel (32, 64) and tile of outputs (16 to 128).
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 129, 257]


def exact_dice(n, s):
    """Ways to roll each sum of n dice: one large power of the polynomial 1 + x + … at x = 2^bits."""
    bits = n * s.bit_length() + 1
    packed = sum(1 << (bits * i) for i in range(s)) ** n
    mask = (1 << bits) - 1
    return [(packed >> (bits * i)) & mask for i in range(n * (s - 1) + 1)]


def exact_ways(n, s, k):
    """One of them by inclusion and exclusion."""
    return sum((-1) ** j * math.comb(n, j) * math.comb(n + k - s * j - 1, n - 1) for j in range(k // s + 1))


def exact_convolve(a, b):
    out = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        if x:
            for j, y in enumerate(b):
                out[i + j] += x * y
    return out


def fraction(mantissa, exponent=0):
    numerator, denominator = float(mantissa).as_integer_ratio()
    exponent = int(exponent)
    return Fraction(numerator << max(exponent, 0), denominator << max(-exponent, 0))


def relative_error(got, exact):
    return float(abs(got / exact - 1)) if exact else math.inf * (got != 0) if got else 0.0


def padded(b):
    zeros = np.zeros(_kernels.PADDING, b.dtype)
    return np.concatenate([zeros, b, zeros])


def convolve(a, b, level, first=0, last=None):
    out = np.full(len(a) + len(b) - 1, np.nan, a.dtype)
    _kernels.convolve_range(a, padded(b), first, len(out) if last is None else last, out, level)
    return out


# -------------------------------------------------------------------------------------- dice


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("n", "s"),
    [
        (1, 2),
        (1, 6),
        (1, 1001),
        (2, 2),
        (2, 6),
        (2, 1000),
        (3, 6),
        (5, 3),
        (7, 301),
        (100, 6),
        (400, 2),
        (40, 100),
    ],
)
def test_every_probability_of_dice_is_rounded_correctly(n, s, level):
    exact = exact_dice(n, s)
    got = _kernels.dice_pmf(n, s, False, level)
    assert got.dtype == np.float64
    assert got.tolist() == [count / s**n for count in exact]  # a quotient of integers is rounded once


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("n", "s"), [(1200, 2), (400, 6), (460, 6), (220, 20), (3, 6)])
def test_scaled_dice_against_integers(n, s, level):
    exact, total = exact_dice(n, s), s**n
    mantissas, exponents = _kernels.dice_pmf(n, s, True, level)
    assert np.all((mantissas >= 1) & (mantissas < 2))
    worst = max(
        relative_error(fraction(m, e), Fraction(count, total))
        for m, e, count in zip(mantissas, exponents, exact, strict=True)
    )
    assert worst <= 1.01 * U


@pytest.mark.parametrize(
    ("n", "s"),
    [
        (1_000_000, 6),
        (300_000, 20),
        (3_000_000, 2),
        (600, 10_000),
        (20, 300_000),
        (3, 2_000_000),
        (2, 3_000_000),
    ],
)
def test_largest_dice_at_single_sums(n, s):
    mantissas, exponents = _kernels.dice_pmf(n, s, True)
    count = n * (s - 1) + 1
    places = {0, 1, 2, s - 1, s, s + 1, 2 * s + 3}
    if n <= 1000:  # inclusion and exclusion has about n terms at the mode
        places |= {count // 2, (count - 1) // 2, count // 3, count // 5}
    for k in sorted(place for place in places if place < count):
        # s^−n to 400 bits, without a fraction of millions of digits.
        ways = exact_ways(n, s, k)
        power, shift = 1, 0
        for bit in bin(n)[2:]:
            power, shift = power * power, 2 * shift
            if bit == "1":
                power *= s
            extra = max(0, power.bit_length() - 400)
            power, shift = power >> extra, shift + extra
        exact = Fraction(ways, power)  # times 2^−shift
        assert relative_error(fraction(mantissas[k], int(exponents[k]) + shift), exact) < 1e-15, k
        assert (mantissas[k], exponents[k]) == (mantissas[count - 1 - k], exponents[count - 1 - k])


@pytest.mark.parametrize(("n", "s"), [(1_000_000, 6), (10_000, 100)])
def test_largest_dice_have_total_mean_and_variance(n, s):
    probs = _kernels.dice_pmf(n, s, False)
    distance = np.arange(len(probs)) - n * (s - 1) / 2
    assert np.all(probs >= 0)
    assert abs(math.fsum(probs) - 1) <= 4 * 2 * U
    assert math.fsum(probs * distance) == 0
    # Would show an error of 1e-13 that bends the curve.
    assert abs(math.fsum(probs * distance**2) / (n * (s * s - 1) / 12) - 1) < 1e-14
    assert abs(math.fsum(probs * distance**4) / exact_fourth_moment(n, s) - 1) < 1e-14


def exact_fourth_moment(n, s):
    variance = Fraction(s * s - 1, 12)
    fourth = sum(Fraction((2 * i - s + 1) ** 4, 16) for i in range(s)) / s
    return float(n * fourth + 3 * n * (n - 1) * variance**2)


@pytest.mark.parametrize(("n", "s"), [(100, 6), (1000, 6), (1000, 3), (77, 1000), (20000, 2)])
def test_dice_have_the_same_bits_at_every_level(n, s):
    for use_exponents in (False, True):
        results = [np.array(_kernels.dice_pmf(n, s, use_exponents, level)) for level in LEVELS]
        assert all(np.array_equal(result, results[0]) for result in results)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("n", "s"), [(1, 2), (1, 6), (2, 2), (3, 3), (1, 1001), (700, 2), (7, 300), (90, 6), (64, 64), (300, 20)]
)
def test_exact_counts_of_dice(n, s, level):
    """Divisors with any power of two, and numbers that grow by a digit at every kind of place."""
    exact = exact_dice(n, s)
    half = (len(exact) + 1) // 2
    digits = int(n * math.log2(s)) // 32 + 1
    assert _kernels.dice_counts(n, s, 0, half, digits, level) == exact[:half]
    assert _kernels.dice_counts(n, s, half // 2, half // 2 + 1, digits, level) == [exact[half // 2]]


def test_binomial_coefficients_of_thousands_of_bits():
    got = _kernels.dice_counts(6000, 2, 2998, 3001, 6000 // 32 + 1)
    assert got == [math.comb(6000, k) for k in (2998, 2999, 3000)]


# -------------------------------------------------------------------------------------- direct convolution


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_convolution_of_integers_is_exact(dtype, level):
    rng = np.random.default_rng(1)
    for na in SIZES:
        for nb in SIZES:
            a, b = rng.integers(0, 200, na), rng.integers(0, 200, nb)  # sums below 2^24
            got = convolve(a.astype(dtype), b.astype(dtype), level)
            assert got.dtype == dtype
            assert np.array_equal(got, np.convolve(a, b)), (na, nb)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_convolution_rounds_within_its_bound(dtype, level):
    rng = np.random.default_rng(2)
    a, b = rng.random(70).astype(dtype), rng.random(190).astype(dtype)
    exact = exact_convolve([fraction(x) for x in a], [fraction(x) for x in b])
    got = convolve(a, b, level)
    terms = np.minimum(np.arange(1, len(got) + 1), np.minimum(len(a), len(got) - np.arange(len(got))))
    u = np.finfo(dtype).eps / 2
    assert all(
        relative_error(fraction(x), y) <= (count + 1) * u
        for x, y, count in zip(got, exact, terms, strict=True)
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_levels_with_fma_agree_in_every_bit(dtype):
    rng = np.random.default_rng(3)
    for na, nb in [(5, 300), (33, 200), (150, 151), (700, 900)]:
        a, b = rng.random(na).astype(dtype), rng.random(nb).astype(dtype)
        results = [convolve(a, b, level) for level in FMA_LEVELS]
        assert all(np.array_equal(result, results[0]) for result in results)


@pytest.mark.parametrize("level", LEVELS)
def test_a_range_has_the_bits_of_the_whole_and_writes_nothing_else(level):
    rng = np.random.default_rng(4)
    a, b = rng.random(90), rng.random(333)
    whole = convolve(a, b, level)
    for first, last in [(0, 1), (0, 64), (1, 63), (17, 17), (100, 300), (421, 422), (400, 422)]:
        part = convolve(a, b, level, first, last)
        assert np.array_equal(part[first:last], whole[first:last])
        assert np.all(np.isnan(np.delete(part, np.s_[first:last])))


def test_threads_do_not_change_a_bit():
    rng = np.random.default_rng(5)
    a, b = scaled_pmf.plain(rng.random(3000)), scaled_pmf.plain(rng.random(5000))
    results = []
    for n in (1, 2, 3):
        with ll.num_threads(n):
            results.append(scaled_pmf.convolve(a, b).values)
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])
    np.testing.assert_allclose(results[0], np.convolve(a.values, b.values), rtol=1e-13)


# -------------------------------------------------------------------------------------- scaled numbers


def random_scaled(rng, count, spread, zeros=0.1):
    mantissas = 1.0 + rng.random(count)
    mantissas[rng.random(count) < zeros] = 0.0
    mantissas[rng.integers(count)] = 1.5
    exponents = np.where(mantissas > 0, rng.integers(-spread, spread + 1, count), 0)
    return mantissas, exponents


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("na", "nb"), [(1, 1), (1, 9), (8, 8), (9, 17), (40, 60), (64, 65)])
@pytest.mark.parametrize("spread", [10, 190, 2000, 10**6, 10**12])
def test_scaled_convolution_against_fractions(na, nb, spread, level):
    rng = np.random.default_rng(na + nb)
    a, b = random_scaled(rng, na, min(spread, 4000)), random_scaled(rng, nb, min(spread, 4000))
    shift = max(0, spread - 4000)  # far exponents as an offset: fractions of 10^12 bits are not to be had
    m, e = _kernels.convolve_scaled(
        a[0], a[1] - shift * (a[0] > 0), b[0], b[1] + 3 * shift * (b[0] > 0), level
    )
    exact = exact_convolve(
        [fraction(*x) for x in zip(*a, strict=True)], [fraction(*x) for x in zip(*b, strict=True)]
    )
    assert np.all((m == 0) | ((m >= 1) & (m < 2)))
    assert np.all(e[m == 0] == 0)
    got = [fraction(x, y - 2 * shift * (x > 0)) for x, y in zip(m, e, strict=True)]
    worst = max(relative_error(x, y) for x, y in zip(got, exact, strict=True))
    assert worst <= (min(na, nb) + 4) * U


@pytest.mark.parametrize("level", LEVELS)
def test_scaled_convolution_of_slopes(level):
    """Long chunks, and pairs of them that are passed over: two slopes that fall by 2^-7 per step."""
    n = 600
    a = np.full(n, 1.25), -7 * np.arange(n)
    b = np.full(n, 1.5), -7 * np.arange(n)[::-1]
    m, e = _kernels.convolve_scaled(*a, *b, level)
    ratio = 2**14  # of neighbouring terms
    for k in range(2 * n - 1):
        terms = n - abs(k - n + 1)
        # Largest term: i = 0 up to the middle, i = k − n + 1 behind it; the others form a geometric series.
        top = -7 * (n - 1 - k) if k < n else -7 * (k - n + 1)
        series = sum(Fraction(1, ratio**i) for i in range(min(terms, 40)))
        assert relative_error(fraction(m[k], int(e[k]) - top), Fraction(15, 8) * series) <= 8 * U


def test_scaled_values_round_once_down_to_the_subnormal_numbers():
    rng = np.random.default_rng(6)
    mantissas = np.concatenate([1.0 + rng.random(400), [1.0, 1.5, 0.0, 1.0, 1.0, 1.5]])
    exponents = np.concatenate([rng.integers(-1080, 3, 400), [-1074, -1075, 0, -1075, -(10**15), 1023]])
    for level in LEVELS:
        got = _kernels.scaled_values(mantissas, exponents, level)
        expected = [float(fraction(m, max(int(e), -2000))) for m, e in zip(mantissas, exponents, strict=True)]
        assert got.tolist() == expected


@pytest.mark.parametrize("level", LEVELS)
def test_running_sums_against_fractions(level):
    rng = np.random.default_rng(7)
    values = rng.random(300) * 2.0 ** rng.integers(-60, 0, 300)
    total = Fraction(0)
    for x, got in zip(values, _kernels.cumulative(values, level=level), strict=True):
        total += fraction(x)
        assert relative_error(fraction(got), total) <= 1.01 * U
    mantissas, exponents = random_scaled(rng, 300, 1500)
    total = Fraction(0)
    sums, powers = _kernels.cumulative(mantissas, exponents, level)
    for m, e, got, power in zip(mantissas, exponents, sums, powers, strict=True):
        total += fraction(m, e)
        if total == 0:
            assert got == 0
        else:
            assert relative_error(fraction(got, power), total) <= 1.01 * U


def test_logarithms_of_scaled_numbers():
    from mpmath import mp

    rng = np.random.default_rng(8)
    mantissas = 1.0 + rng.random(200)
    exponents = np.concatenate([rng.integers(-3, 1, 100), rng.integers(-(10**6), 0, 100)])
    got = scaled_pmf.logs(mantissas, exponents)
    with mp.workdps(50):
        for m, e, x in zip(mantissas.tolist(), exponents.tolist(), got.tolist(), strict=True):
            exact = mp.log(m) + e * mp.log(2)
            assert abs(x - exact) <= 2 * U * abs(exact) + 1e-17


# -------------------------------------------------------------------------------------- floating-point state


def test_kernels_raise_no_flags():
    tiny = np.full(50, 1e-200)
    with np.errstate(all="raise"):
        for level in LEVELS:
            convolve(tiny, tiny, level)
            _kernels.dice_pmf(5000, 6, False, level)
        assert np.array([1.0]) + 1 == 2  # the next NumPy operation sees no old flag
