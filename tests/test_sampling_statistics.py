"""Whether samples have their distributions: 10^7 draws of each sampler against what holds for independent draws.

All p-values are one family, judged by Holm's procedure at level ALPHA; with the fixed seeds below a rejection is a defect and
not chance. The same checks are shown to find generators that are broken. The numbers of other instruction sets are the
same up to rounding (test_random.py).
"""

import os

import numpy as np
import pytest
from scipy import special, stats

import loglik as ll
from loglik._engine import streams

pytestmark = pytest.mark.skipif(bool(os.environ.get("LOGLIK_ISA")), reason="one level is enough: test_random.py compares them")

DRAWS = 10_000_000
SEED = 20261122
ALPHA = 1e-6
LAGS = (1, 2, 3, 4, 8, 16, 31, 32, 64, 128)


def two_sided(z):
    return 2 * special.ndtr(-abs(float(z)))


def kolmogorov(cdf_of_sorted):
    """p-value of the largest distance between the empirical distribution and the exact one (its values in order)."""
    n = cdf_of_sorted.size
    steps = np.arange(n + 1) / n
    return special.kolmogorov(np.sqrt(n) * max((steps[1:] - cdf_of_sorted).max(), (cdf_of_sorted - steps[:-1]).max()))


def lag_correlations(p, name, x):
    """x: mean 0 and variance 1 under the hypothesis."""
    for lag in LAGS:
        p[f"lag {lag}{name}"] = two_sided(np.dot(x[lag:], x[:-lag]) / np.sqrt(x.size - lag))


def normal_battery(z):
    """p-values of hypotheses that hold for independent standard normals, by name. z: a multiple of 128."""
    n = z.size
    z = z.astype(np.float64).ravel()
    p = {"kolmogorov": kolmogorov(special.ndtr(np.sort(z)))}
    for threshold in (3.0, 4.0, 4.5, 5.0):
        for side, count in (("upper", (z > threshold).sum()), ("lower", (z < -threshold).sum())):
            p[f"{side} tail {threshold}"] = stats.binomtest(int(count), n, special.ndtr(-threshold)).pvalue
    squares = z * z
    p["mean"] = two_sided(z.sum() / np.sqrt(n))
    p["moment 2"] = two_sided((squares.mean() - 1) * np.sqrt(n / 2))
    p["moment 3"] = two_sided(np.dot(squares, z) / np.sqrt(15 * n))
    p["moment 4"] = two_sided((np.dot(squares, squares) / n - 3) * np.sqrt(n / 96))
    squares -= 1
    squares /= np.sqrt(2)
    lag_correlations(p, "", z)
    lag_correlations(p, ", squares", squares)
    for width in (16, 32, 64, 128):
        for name, x in (("lanes", z), ("lanes, squares", squares)):
            lanes = x.reshape(-1, width)
            correlation = np.abs(lanes.T @ lanes)[np.triu_indices(width, 1)] / np.sqrt(len(lanes))
            p[f"{name} {width}"] = -np.expm1(correlation.size * np.log1p(-two_sided(correlation.max())))
    return p


def uniform_battery(u):
    """Tests for uniform numbers on [0, 1)."""
    n = u.size
    u = u.astype(np.float64)
    p = {"kolmogorov": kolmogorov(np.sort(u))}
    leading = (u * 2**20).astype(np.uint32)
    for bit in range(20):
        p[f"bit {bit + 1}"] = two_sided((int((leading >> np.uint32(19 - bit) & np.uint32(1)).sum()) - n / 2) / np.sqrt(n / 4))
    counts = np.bincount(leading >> np.uint32(10), minlength=1024)
    p["chi-squared"] = special.chdtrc(1023, ((counts - n / 1024) ** 2).sum() / (n / 1024))
    lag_correlations(p, "", (u - 0.5) * np.sqrt(12))
    return p


def discrete_battery(x, outcomes, probs):
    """Tests for independent outcomes of these probabilities; whatever else occurs has p-value 0."""
    n = x.size
    x = x.astype(np.int64).ravel()
    index = np.searchsorted(outcomes, x)
    found = (index < len(outcomes)) & (outcomes[np.minimum(index, len(outcomes) - 1)] == x)
    counts = np.bincount(index[found], minlength=len(outcomes))
    p = {"possible": float(found.all() and not counts[probs == 0].any())}
    # Outcomes that are expected less than ten times are taken together.
    rare = n * probs < 10
    expected, observed = (np.append(a[~rare], a[rare].sum()) for a in (n * probs, counts))
    some = expected > 0
    p["chi-squared"] = special.chdtrc(some.sum() - 1, ((observed - expected)[some] ** 2 / expected[some]).sum())
    cdf = np.cumsum(probs)
    mean = np.dot(probs, outcomes)
    std = np.sqrt(np.dot(probs, (outcomes - mean) ** 2))
    p["kolmogorov"] = special.kolmogorov(np.sqrt(n) * np.abs(np.cumsum(counts) / n - cdf).max())  # conservative
    for sigmas in (3, 4, 4.5):
        for side, beyond in (("upper", outcomes > mean + sigmas * std), ("lower", outcomes < mean - sigmas * std)):
            if probs[beyond].sum() > 0:
                p[f"{side} tail {sigmas}"] = stats.binomtest(int(counts[beyond].sum()), n, probs[beyond].sum()).pvalue
    standard = (x - mean) / std
    p["mean"] = two_sided(standard.sum() / np.sqrt(n))
    lag_correlations(p, "", standard)
    return p


def rejected(p_values):
    """Names rejected by Holm's procedure at family level ALPHA."""
    names = []
    for i, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        if p > ALPHA / (len(p_values) - i):
            break
        names.append(name)
    return names


# ------------------------------------------------------------------------------------------- the samplers


def _gaussian(d, rng):
    lower = np.tril(rng.uniform(-1, 1, (d, d)), -1) + np.diag(rng.uniform(0.5, 2, d))
    return ll.MultivariateNormal(rng.normal(size=d), scale_tril=lower), lower


def _normals_of_a_gaussian(d, rows, **arguments):
    """A sample, brought back to standard normals by SciPy's solver."""
    from scipy.linalg import solve_triangular

    gaussian, lower = _gaussian(d, np.random.default_rng(d))
    x = gaussian.sample(rows, rng=SEED + d, **arguments)
    return normal_battery(solve_triangular(lower, (x - gaussian.loc).T, lower=True).T)


def _of_discrete(d, seed):
    return discrete_battery(d.sample(DRAWS, rng=seed), d.support, d.probs)


def _of_bernoulli(p, seed):
    return discrete_battery(ll.Bernoulli(p).sample(DRAWS, rng=seed, dtype=np.int8), np.arange(2), np.array([1 - p, p]))


def _standardised_batch():
    d = ll.Normal([1.0, -3.0, 0.0, 7.0], [[2.0], [0.25]])
    return normal_battery((d.sample(DRAWS // 8, rng=SEED + 3) - d.loc) / d.scale)


def _wild():
    p = np.exp(np.random.default_rng(3).normal(size=300) * 8)
    p[::7] = 0
    return ll.Discrete(p / p.sum(), start=-50)


def _of_a_large_die():
    x = (ll.die(10**6).sample(DRAWS, rng=SEED) - 1) // 1000
    return discrete_battery(x, np.arange(1000), np.full(1000, 1e-3))


SAMPLERS = {
    "Normal": lambda: normal_battery(ll.Normal().sample(DRAWS, rng=SEED)),
    "Normal, float32": lambda: normal_battery(ll.Normal().sample(DRAWS, rng=SEED, dtype=np.float32)),
    "Normal, batch": _standardised_batch,
    "Uniform": lambda: uniform_battery((ll.Uniform(-1.0, 3.0).sample(DRAWS, rng=SEED) + 1) / 4),
    "Uniform, float32": lambda: uniform_battery(ll.Uniform().sample(DRAWS, rng=SEED, dtype=np.float32)),
    "MVN": lambda: _normals_of_a_gaussian(16, DRAWS // 16),
    "MVN, float32": lambda: _normals_of_a_gaussian(2, DRAWS // 2, dtype=np.float32),
    "Bernoulli": lambda: _of_bernoulli(0.3, SEED),
    "Bernoulli, rare": lambda: _of_bernoulli(1e-5, SEED + 1),
    "Discrete, a die": lambda: _of_discrete(ll.die(6), SEED),
    "Discrete, 100d6": lambda: _of_discrete(ll.dice(100, 6), SEED + 1),
    "Discrete, on 16 decades": lambda: _of_discrete(_wild(), SEED + 2),
    "Discrete, a million faces": _of_a_large_die,
}


def _independence():
    """Tests of keys and streams."""
    n = DRAWS // 4
    base = streams.standard_normal((n,), 5)
    others = {
        "next key": streams.standard_normal((n,), 6),
        "key with one high bit more": streams.standard_normal((n,), 5 + 2**40),
        "next stream": streams.standard_normal((n,), 5, stream=1),
        "a high stream": streams.standard_normal((n,), 5, stream=2**32),
        "next seed": ll.Normal().sample(n, rng=1),
        "second call": ll.Normal().sample((2, n // 2), rng=np.random.default_rng(1)).ravel(),
    }
    p = {}
    for name, other in others.items():
        p[name] = two_sided(np.dot(base, other) / np.sqrt(n))
        p[f"{name}, squares"] = two_sided(np.dot(base**2 - 1, other**2 - 1) / 2 / np.sqrt(n))
    generator = np.random.default_rng(1)
    first, second = ll.Normal().sample(n, rng=generator), ll.Normal().sample(n, rng=generator)
    p["calls with one generator"] = two_sided(np.dot(first, second) / np.sqrt(n))
    return p


def test_every_sampler():
    p = {f"{sampler}: {name}": value for sampler, make in SAMPLERS.items() for name, value in make().items()}
    p |= {f"independence: {name}": value for name, value in _independence().items()}
    assert len(p) > 350
    assert rejected(p) == []
    # p-values are uniform themselves, or larger where a test is conservative
    assert np.mean(np.fromiter(p.values(), float) < 0.01) < 0.03


# ------------------------------------------------------------------------------------------- tests of the tests

FEW = 1 << 21


def _same_radius(z):
    halves = z.reshape(-1, 2, 32).copy()
    halves[:, 1] *= np.sqrt(0.98 + 0.02 * halves[:, 0] ** 2)
    return halves.ravel()


def _repeated_lane(z):
    lanes = z.reshape(-1, 64).copy()
    lanes[:, 17] = lanes[:, 3]
    return lanes.ravel()


BROKEN_NORMALS = {
    "scale off by 0.4 %": lambda z: z * 1.004,
    "mean off by 0.006": lambda z: z + 0.006,
    "a pair's radii depend on each other": _same_radius,
    "neighbours correlated by 0.6 %": lambda z: z + 0.006 * np.roll(z, 1),
    "tails cut at 4": lambda z: np.clip(z, -4, 4),
    "one lane repeats another": _repeated_lane,
    "8-bit uniforms": lambda z: special.ndtri((np.floor(special.ndtr(z) * 2**8) + 0.5) / 2**8),
}
BROKEN_UNIFORMS = {
    "density off by 0.5 %": lambda u: u**1.005,
    "12 bits": lambda u: np.floor(u * 2**12) / 2**12,
    "a bit stuck in one of 50": lambda u: np.where(np.arange(u.size) % 50 == 0, np.floor(u * 2) / 2 + 0.25 * (u * 2 % 1), u),
    "neighbours correlated": lambda u: np.where(np.arange(u.size) % 100 == 0, np.roll(u, 1), u),
}
BROKEN_DICE = {
    "a face 1.5 % too rare": lambda u: np.where(u < 0.0025, 5, np.floor(u * 6)),
    "out of range, once": lambda u: np.where(u == u.max(), 6, np.floor(u * 6)),
    "an impossible face, once": lambda u: np.where(u == u.max(), -1, np.floor(u * 6)),
    "repeats itself": lambda u: np.floor(np.where(np.arange(u.size) % 100 == 0, np.roll(u, 1), u) * 6),
}


@pytest.mark.parametrize("name", BROKEN_NORMALS)
def test_broken_normals_are_caught(name):
    assert rejected(normal_battery(BROKEN_NORMALS[name](np.random.default_rng(7).standard_normal(FEW))))


@pytest.mark.parametrize("name", BROKEN_UNIFORMS)
def test_broken_uniforms_are_caught(name):
    assert rejected(uniform_battery(BROKEN_UNIFORMS[name](np.random.default_rng(7).random(FEW))))


@pytest.mark.parametrize("name", BROKEN_DICE)
def test_broken_dice_are_caught(name):
    outcomes = BROKEN_DICE[name](np.random.default_rng(7).random(FEW))
    assert rejected(discrete_battery(outcomes, np.arange(-1, 6), np.array([0, *[1 / 6] * 6])))


def test_good_generators_of_numpy_pass():
    rng = np.random.default_rng(7)
    assert rejected(normal_battery(rng.standard_normal(FEW))) == []
    assert rejected(uniform_battery(rng.random(FEW))) == []
    assert rejected(discrete_battery(rng.integers(0, 6, FEW), np.arange(6), np.full(6, 1 / 6))) == []
