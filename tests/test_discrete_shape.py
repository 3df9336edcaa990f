"""Shape, comparison, and the Normal limit of `Discrete`, against definitions in exact fractions and mpmath."""

import itertools
import math
import sys
from fractions import Fraction

import numpy as np
import pytest
from mpmath import mp

import loglik as ll

U = 2.0**-53

SHAPES = {
    "3d6": ll.dice("3d6"),
    "kept": ll.dice("4d6kh3"),
    "exploding": ll.dice("d6!"),
    "mixed": ll.dice("d4 - 2*d6"),
    "successes": ll.dice("5d10>=8"),
    "coin": ll.Discrete([0.75, 0.25], start=-3),
    "float": ll.Discrete([0.125, 0.25, 0.5, 0.125]),
    "half": ll.Discrete(np.float32([0.5, 0.25, 0.25])),
    "holes": ll.Discrete([0, 0.5, 0, 0, 0.25, 0, 0, 0.25, 0]),
}


def exact(d):
    """Outcomes and their probabilities as fractions."""
    try:
        counts, start = d.counts()
    except ValueError:
        return {d.start + i: Fraction(float(p)) for i, p in enumerate(d.probs)}
    return {start + i: Fraction(c, sum(counts)) for i, c in enumerate(counts)}


@pytest.mark.parametrize("name", SHAPES)
def test_moments(name):
    d, p = SHAPES[name], exact(SHAPES[name])
    mean = sum(k * q for k, q in p.items())
    second, third, fourth = (sum((k - mean) ** r * q for k, q in p.items()) for r in (2, 3, 4))
    eps = float(np.finfo(d.dtype).eps)
    with mp.workdps(30):
        sigma = mp.sqrt(mp.mpf(second.numerator) / second.denominator)
        skewness = float(mp.mpf(third.numerator) / third.denominator / sigma**3)
    assert d.skewness == pytest.approx(skewness, rel=8 * eps, abs=8 * eps)
    assert d.kurtosis == pytest.approx(float(fourth / second**2 - 3), rel=16 * eps, abs=16 * eps)
    assert d.skewness.dtype == d.kurtosis.dtype == d.dtype
    largest = max(p.values())
    assert d.modes == tuple(k for k, q in p.items() if q == largest)
    assert d.modes[0] == d.mode


def test_shape_of_large_sums_and_constants():
    assert ll.dice(10_000, 6).skewness == 0
    assert ll.dice(10_000, 6).kurtosis == pytest.approx(ll.die(6).kurtosis / 10_000, rel=1e-15)
    assert (100 @ ll.dice("4d6kh3")).skewness == pytest.approx(ll.dice("4d6kh3").skewness / 10, rel=1e-14)
    assert np.isnan(ll.dice("7").skewness)
    assert np.isnan(ll.dice("7").kurtosis)
    assert ll.dice("7").modes == (7,)
    for rare in (ll.Discrete([1.0, 1e-250]), ll.Discrete(counts=[10**250, 1])):
        assert rare.skewness == pytest.approx(1e125, rel=1e-12)
        assert rare.kurtosis == pytest.approx(1e250, rel=1e-12)


def test_modes():
    assert ll.die(6).modes == (1, 2, 3, 4, 5, 6)
    assert ll.dice("3d6").modes == (10, 11)
    assert ll.dice("d4 + d6").modes == (5, 6, 7)
    assert ll.dice("20d6 + 21d9").modes == (175,)
    assert ll.dice("2*d3").modes == (2, 4, 6)
    assert ll.dice("10000d6").modes == (35000,)
    assert ll.Discrete([0.25, 0.5, 0.25]).modes == (1,)


# ------------------------------------------------------------------------------------------ comparison


@pytest.mark.parametrize(("a", "b"), list(itertools.product(SHAPES, repeat=2)))
def test_comparison(a, b):
    x, y = SHAPES[a], SHAPES[b]
    pairs = list(itertools.product(exact(x).items(), exact(y).items()))
    greater = float(sum(p * q for (j, p), (k, q) in pairs if j > k))
    equal = float(sum(p * q for (j, p), (k, q) in pairs if j == k))
    bound = 400 * float(np.finfo(np.result_type(x.dtype, y.dtype)).eps)
    assert ll.prob_greater(x, y) == pytest.approx(greater, rel=bound)
    assert ll.prob_equal(x, y) == pytest.approx(equal, rel=bound)
    assert ll.prob_greater(x, y).dtype == ll.prob_equal(x, y).dtype == np.result_type(x.dtype, y.dtype)


def test_comparison_in_the_tail_and_with_integers():
    # 100 dice beat 599 with probability 6^-100
    assert ll.prob_greater(ll.dice(100, 6), 599) == pytest.approx(6.0**-100, rel=1e-13)
    assert ll.prob_greater(101, ll.dice(100, 6)) == pytest.approx(6.0**-100, rel=1e-13)
    assert ll.prob_equal(ll.dice(100, 6), 100) == pytest.approx(6.0**-100, rel=1e-13)
    assert ll.prob_greater(3, 2) == 1
    assert ll.prob_greater(2, 2) == 0
    assert ll.prob_equal(2, 2) == 1
    assert ll.prob_greater(ll.die(6), ll.die(6) + 100) == ll.prob_equal(ll.die(6), ll.die(6) + 100) == 0
    assert ll.prob_greater(ll.die(6) + 100, ll.die(6)) == 1
    a = ll.dice(100_000, 6)  # several blocks
    assert 2 * ll.prob_greater(a, a) + ll.prob_equal(a, a) == pytest.approx(1, abs=1e-12)
    for function in (ll.prob_greater, ll.prob_equal):
        with pytest.raises(TypeError, match=f"{function.__name__}: b must be a Discrete or an integer, got 2.5"):
            function(ll.die(6), 2.5)
        with pytest.raises(TypeError, match="a must be"):
            function("d6", 2)


# ------------------------------------------------------------------------------------------ the Normal limit


def distances(d):
    """The definitions, in mpmath."""
    with mp.workdps(40):
        p = [(k, mp.mpf(q.numerator) / q.denominator) for k, q in exact(d).items()]
        possible = [k for k, q in p if q]
        step = math.gcd(*(k - possible[0] for k in possible))
        p = [(k, q) for k, q in p if (k - possible[0]) % step == 0 and possible[0] <= k <= possible[-1]]
        mean = sum(k * q for k, q in p)
        sigma = mp.sqrt(sum((k - mean) ** 2 * q for k, q in p))
        cdf = lambda x: mp.erfc(-(x - mean) / sigma / mp.sqrt(2)) / 2  # noqa: E731
        f, largest, variation, kl, area = mp.mpf(0), 0, 0, 0, 0
        mass = 0
        for k, q in p:
            largest = max(largest, abs(f - cdf(k)))
            f += q
            largest = max(largest, abs(f - cdf(k)))
            expected = cdf(k + mp.mpf(step) / 2) - cdf(k - mp.mpf(step) / 2)
            mass += expected
            variation += abs(q - expected)
            kl += q * mp.log(q / expected) if q else 0
            if k < p[-1][0]:
                crossing = mean + sigma * mp.sqrt(2) * mp.erfinv(2 * f - 1)
                cuts = sorted({mp.mpf(k), min(max(crossing, k), k + step), mp.mpf(k + step)})
                area += sum(abs(mp.quad(lambda x, f=f: cdf(x) - f, pair)) for pair in itertools.pairwise(cuts))
        area += mp.quad(cdf, [-mp.inf, p[0][0]]) + mp.quad(lambda x: 1 - cdf(x), [p[-1][0], mp.inf])
        return [float(x) for x in (largest, (variation + 1 - mass) / 2, kl, area)]


@pytest.mark.parametrize("name", ["3d6", "kept", "successes", "coin", "float", "holes", "mixed"])
def test_distances_against_their_definitions(name):
    d = SHAPES[name]
    assert d.distance_to_normal() == pytest.approx(distances(d), rel=1e-12, abs=1e-14)


def test_distances_fall_as_the_theorem_says():
    few, many = ll.dice(1000, 6).distance_to_normal(), ll.dice(100_000, 6).distance_to_normal()
    assert few.kolmogorov / many.kolmogorov == pytest.approx(10, rel=1e-3)
    assert few.total_variation / many.total_variation == pytest.approx(100, rel=1e-3)
    assert few.kl / many.kl == pytest.approx(1e4, rel=1e-2)
    # sums of lattice steps: a quarter of a step at any n
    assert few.wasserstein == pytest.approx(0.25, rel=1e-2)
    assert many.wasserstein == pytest.approx(0.25, rel=1e-3)
    with pytest.raises(ValueError, match="variance is 0"):
        ll.dice("7").distance_to_normal()


def test_plot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    ax = ll.dice("3d6").plot()
    heights = [bar.get_height() for bar in ax.patches]
    assert heights == ll.dice("3d6").probs.tolist()
    curve = ax.lines[0].get_xydata()
    assert curve[:, 1].max() == pytest.approx(1 / (2.9580398915498 * math.sqrt(2 * math.pi)), rel=1e-3)
    _, other = pyplot.subplots()
    for text in ("10000d6", "2*10d6", "7", "3d6!"):
        assert ll.dice(text).plot(other) is other
    assert other.get_xlabel() == "outcome"
    pyplot.close("all")


@pytest.mark.parametrize("size", [(7, 2.5), (8, 6), (2.5, 7)])
def test_the_legend_covers_nothing(size):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = (1, 2) if size[0] > size[1] else (2, 1)
    figure, axes = pyplot.subplots(*panels, figsize=size, layout="constrained")
    for ax, text in zip(axes, ("d6", "4d6kh3"), strict=True):
        ll.dice(text).plot(ax)
        ax.set_title(text)
    figure.canvas.draw()
    for ax in axes:
        highest = ax.transData.transform((0, ax.dataLim.y1))[1]
        assert highest < ax.get_legend().get_window_extent().y0 <= ax.bbox.y1
    pyplot.close("all")


def test_plot_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"loglik\[plot\]"):
        ll.die(6).plot()
