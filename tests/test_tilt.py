"""Convolution by tilting against exact integers and against the convolution in chunks, with every path forced on short pmfs."""

from fractions import Fraction

import numpy as np
import pytest

from loglik import _kernels
from loglik._discrete import scaled_pmf, tilting

U = 2.0**-53


@pytest.fixture(params=["direct", "fft"])
def path(request, monkeypatch):
    monkeypatch.setattr(tilting, "_SMALL_WORK", 30.0)
    if request.param == "fft":
        monkeypatch.setattr(tilting, "_FFT_WINDOW", 10)
    return request.param


def tilted(a, b, first=0, last=None):
    last = len(a[0]) + len(b[0]) - 1 if last is None else last
    return tilting.convolve(a, b, first, last, np.convolve)


def worst(got, expected):
    """Largest relative error; zeros must agree."""
    some = expected[0] > 0
    assert np.array_equal(got[0] > 0, some)
    assert np.all((got[0] == 0) | ((got[0] >= 1) & (got[0] < 2)))
    ratio = np.ldexp(got[0], np.clip(got[1] - expected[1], -1000, 1000))[some] / expected[0][some]
    return float(np.max(np.abs(ratio - 1), initial=0.0))


def from_logs(logs):
    return scaled_pmf.as_scaled(scaled_pmf.from_logs(np.asarray(logs, float)))


def shapes():
    rng = np.random.default_rng(1)
    k = np.arange(400.0)
    with np.errstate(divide="ignore"):
        yield "bell", -0.002 * (k - 150) ** 2, -0.02 * (k[:90] - 20) ** 2
        yield "steep", -60 * k, -2 * k[:200] ** 2
        yield "steep, rising", 700 * k - 280000, 3 * k[:70]
        yield "flat", np.log(rng.random(400)), np.log(rng.random(300))
        yield "two peaks", np.maximum(-0.02 * (k - 40) ** 2, -30 - 0.05 * (k - 350) ** 2), -0.03 * (k[:60] - 30) ** 2
        yield "rough", rng.uniform(-3000, 0, 400), rng.uniform(-3000, 0, 100)
        yield "holes", np.where(rng.random(400) < 0.6, -0.01 * (k - 200) ** 2, -np.inf), -0.1 * k[:80]
        yield "lattice", np.where(k % 7 == 0, -0.001 * k**2, -np.inf), np.where(k[:200] % 7 == 3, -0.01 * k[:200], -np.inf)
        yield "slow tail", -4 * np.log1p(k), -4 * np.log1p(k)
        yield "one", np.where(k == 77, 0.0, -np.inf), -0.3 * k[:100]
        yield "gap", np.where((k < 5) | (k > 395), -k, -np.inf), -np.abs(k[:150] - 70)


@pytest.mark.parametrize(("a", "b"), [pytest.param(a, b, id=name) for name, a, b in shapes()])
def test_shapes_against_chunks(a, b, path):
    a, b = from_logs(a), from_logs(b)
    expected = _kernels.convolve_scaled(*a, *b)
    got = tilted(a, b)
    # Hundreds of terms for either, two units for every tilted factor, and what the FFT is allowed.
    assert worst(got, expected) <= (tilting._FFT_ACCURACY if path == "fft" else (min(len(a[0]), len(b[0])) + 30) * U)
    assert worst(tilted(b, a), expected) <= tilting._FFT_ACCURACY
    n = len(expected[0])
    for first, last in [(0, 1), (n - 1, n), (n // 3, n // 3 + 50), (0, n // 2), (7, n)]:
        part = tilted(a, b, first, last)
        assert worst(part, tuple(x[first:last] for x in expected)) <= tilting._FFT_ACCURACY


@pytest.mark.parametrize(("n", "s", "m", "r"), [(300, 6, 100, 20), (600, 2, 200, 6), (20, 200, 30, 100)])
def test_dice_against_integers(n, s, m, r, path):
    bits = n * s.bit_length() + m * r.bit_length() + 1
    packed = sum(1 << (bits * i) for i in range(s)) ** n * sum(1 << (bits * i) for i in range(r)) ** m
    got = tilted(_kernels.dice_pmf(n, s, True), _kernels.dice_pmf(m, r, True))
    total, mask, largest = s**n * r**m, (1 << bits) - 1, 0
    for i, (mantissa, exponent) in enumerate(zip(got[0].tolist(), got[1].tolist(), strict=True)):
        value = Fraction(mantissa) * Fraction(2) ** exponent
        largest = max(largest, abs(value * total / ((packed >> (bits * i)) & mask) - 1))
    assert largest <= (1e-13 if path == "fft" else 1e-14)


@pytest.mark.parametrize(("a", "b"), [pytest.param(a, b, id=name) for name, a, b in shapes()])
def test_sums_one_by_one(a, b):
    a, b = from_logs(a), from_logs(b)
    expected = _kernels.convolve_scaled(*a, *b)
    got = tilting._one_by_one(a, b, 0, len(expected[0]))
    assert worst(got, expected) <= (min(len(a[0]), len(b[0])) + 30) * U
    # A few places of long pmfs, without the rest
    for x, y in ((a, b), (b, a)):
        for first, last in [(0, 2), (100, 102), (len(expected[0]) - 2, len(expected[0]))]:
            assert worst(tilting._in_chunks(x, y, first, last), tuple(e[first:last] for e in expected)) <= 500 * U


def test_rough_pmfs_are_refused_where_they_would_take_long(monkeypatch):
    rng = np.random.default_rng(5)
    a, b = from_logs(rng.uniform(-3000, 0, 400)), from_logs(rng.uniform(-3000, 0, 500))
    monkeypatch.setattr(tilting, "MAX_WORK", 1000)
    monkeypatch.setattr(tilting, "_SMALL_WORK", 30.0)
    with pytest.raises(ValueError, match="too rough"):
        tilted(a, b)


def test_majorant():
    rng = np.random.default_rng(2)
    for n in (1, 2, 3, 10, 200):
        values = rng.normal(size=n)
        values[1:-1][rng.random(max(0, n - 2)) < 0.3] = -np.inf
        got = _kernels.majorant(values)
        assert np.all(got >= values - 1e-12)
        assert np.all(np.diff(got, 2) <= 1e-12)
        assert (got[0], got[-1]) == (values[0], values[-1])
        lines = [
            max(
                values[i] + (values[j] - values[i]) * (k - i) / max(j - i, 1)
                for i in range(k + 1)
                for j in range(k, n)
                if np.isfinite(values[i]) and np.isfinite(values[j])
            )
            for k in range(n)
        ] if n <= 10 else got
        np.testing.assert_allclose(got, lines, atol=1e-12)


@pytest.mark.parametrize("kind", ["flat", "bells"])
def test_long_pmfs(kind, monkeypatch):
    """Sums as they are in use, with plain probabilities that go to the FFT, at places summed one by one."""
    rng = np.random.default_rng(3)
    n = 40_000
    monkeypatch.setattr(scaled_pmf, "_LONG", 20_000)
    if kind == "flat":
        x, y = rng.random(n), rng.random(n + 30_000)
    else:
        x = np.exp(-0.5 * (np.arange(n) - 15_000) ** 2 / 4000**2) + 1e-9 * rng.random(n)
        y = np.exp(-0.5 * (np.arange(n) - 30_000) ** 2 / 3000**2)
    a, b = scaled_pmf.plain(x / x.sum()), scaled_pmf.plain(y / y.sum())
    got = scaled_pmf.probs(scaled_pmf.convolve(a, b))
    for k in [0, 1, 50, 1000, n // 2, n - 1, n, n + 5000, len(got) - 300, len(got) - 1]:
        low, high = max(0, k - len(y) + 1), min(k + 1, n)
        exact = np.sum(a.values[low:high].astype(np.longdouble) * b.values[k - high + 1 : k - low + 1][::-1])
        assert abs(got[k] / exact - 1) <= 1e-13
    assert abs(got.sum() - 1) <= 1e-13
