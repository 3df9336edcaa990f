"""Monte Carlo estimates: the fused kernel against its definition, honest intervals, same bits, errors."""

import math
import pickle
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

import loglik as ll
from loglik import _kernels
from loglik._engine import streams
from loglik._estimation import gaussian
from loglik._kernels import level_properties

LEVELS = ll.available_isas()


def random_tril(rng, d, spread=0.3):
    return np.tril(rng.normal(size=(d, d)) * spread, -1) + np.diag(np.exp(spread * rng.normal(size=d)))


def random_pair(d, seed=0):
    rng = np.random.default_rng(seed)
    return [ll.MultivariateNormal(rng.normal(size=d), scale_tril=random_tril(rng, d)) for _ in range(2)]


def fields(estimate):
    return tuple(np.asarray(x).tobytes() for x in (estimate.value, estimate.stderr, estimate.low, estimate.high))


# ------------------------------------------------------------------------------------------- the kernel


def kernel_moments(excess, shift, constant, *, key, n, block, level, js=False):
    """Mean and sum of squares of each block of pair 0, from the kernel."""
    mean, squares = np.empty((2, 1, -(-n // block)))
    _kernels.mvn_log_ratio_moments(
        key, 0, excess[None], shift[None], np.array([constant]), 0, n, block, 0, mean.shape[1], mean, squares, js, level
    )
    return mean[0], squares[0]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 7, 8, 16, 17, 33])
def test_kernel_is_the_log_ratio_of_its_normals(level, d):
    """log N(x; p) - log N(x; q) at x = a + A z, by the textbook formula, for the same normals."""
    rng = np.random.default_rng(d)
    a, b = rng.normal(size=(2, d))
    lower_a, lower_b = random_tril(rng, d), random_tril(rng, d)
    n, block, key = 1000, 256, 99
    groups = -(-n // 64) * d
    normals = np.empty(groups * 64)
    _kernels.fill_normal(key, 0, 0, normals, level)
    z = normals.reshape(-1, d, 64).transpose(0, 2, 1).reshape(-1, d)[:n]
    x = a + z @ lower_a.T

    def log_density(loc, lower):
        white = np.linalg.solve(lower, (x - loc).T)
        return -0.5 * (white**2).sum(axis=0) - np.log(np.diag(lower)).sum()

    expected = log_density(a, lower_a) - log_density(b, lower_b)
    excess = np.tril(np.linalg.solve(lower_b, lower_a - lower_b))
    constant = np.log(np.diag(lower_b)).sum() - np.log(np.diag(lower_a)).sum()
    shift = np.linalg.solve(lower_b, a - b)
    mean, squares = kernel_moments(excess, shift, constant, key=key, n=n, block=block, level=level)
    for i in range(len(mean)):
        part = expected[i * block : (i + 1) * block]
        scale = np.abs(part).mean()
        assert abs(mean[i] - part.mean()) <= 1e-12 * scale
        np.testing.assert_allclose(squares[i], ((part - part.mean()) ** 2).sum(), rtol=1e-11)


def test_kernel_bits_agree_between_levels_with_fma():
    results = set()
    for level in LEVELS:
        if level_properties(level)["fma"]:
            excess, shift = 0.1 * np.tri(9), np.linspace(-1, 1, 9)
            mean, squares = kernel_moments(excess, shift, 0.25, key=5, n=10_000, block=4096, level=level)
            results.add(mean.tobytes() + squares.tobytes())
    assert len(results) <= 1


# ------------------------------------------------------------------------------------------- values


def test_lecture_pair_within_its_interval():
    p, q = ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)
    for first, second, exact in ((p, q, 0.4431471805599453), (q, p, 1.3068528194400547)):
        estimate = ll.estimate_kl(first, second, n=1_000_000, rng=1, confidence=0.999)
        assert estimate.low < exact < estimate.high
        assert estimate.stderr < 0.005
        assert (estimate.n, estimate.method, estimate.converged) == (1_000_000, "mc", True)


@pytest.mark.parametrize("d", [1, 2, 3, 16, 50])
def test_multivariate_within_five_standard_errors(d):
    p, q = random_pair(d)
    estimate = ll.estimate_kl(p, q, n=200_000, rng=3)
    assert 0 < abs(estimate.value - ll.kl_divergence(p, q)) < 5 * estimate.stderr


def test_standard_error_and_interval_by_their_formulas():
    """For KL(N(0,1) ‖ N(c,1)) the log-ratio is c²/2 - c z: its standard deviation is c."""
    n, c = 500_000, 0.7
    estimate = ll.estimate_kl(ll.Normal(0.0, 1.0), ll.Normal(c, 1.0), n=n, rng=5, confidence=0.9)
    assert estimate.stderr == pytest.approx(c / math.sqrt(n), rel=5 / math.sqrt(2 * n))
    quantile = NormalDist().inv_cdf(0.95)
    assert estimate.high - estimate.value == pytest.approx(quantile * estimate.stderr, rel=1e-9)
    assert estimate.value - estimate.low == pytest.approx(quantile * estimate.stderr, rel=1e-9)


@pytest.mark.parametrize("difference", [1e-3, 1e-8, 1e-12])
def test_nearly_equal_pairs_keep_their_digits(difference):
    """z is the same at every difference, so the estimate minus its linear part scales with its square."""
    p = ll.Normal(0.0, 1.0)
    q = ll.Normal(difference, 1.0)
    estimate = ll.estimate_kl(p, q, n=10_000, rng=1)
    normals = streams.standard_normal((10_048,), streams.draw_key("", 1))[:10_000]
    expected = math.fsum(difference * (difference / 2 - z) for z in normals) / 10_000
    assert estimate.value == pytest.approx(expected, rel=1e-12)


def test_equal_distributions_give_exactly_zero():
    for p in (random_pair(5)[0], ll.Normal(3.0, 2.0)):
        estimate = ll.estimate_kl(p, p, n=1000, rng=1)
        assert (estimate.value, estimate.stderr, estimate.low, estimate.high) == (0.0, 0.0, 0.0, 0.0)


def test_overflow_is_an_infinite_divergence():
    estimate = ll.estimate_kl(ll.Normal(0.0, 1.0), ll.Normal(0.0, 1e-200), n=1000, rng=1)
    assert (estimate.value, estimate.stderr, estimate.low, estimate.high) == (math.inf, 0.0, math.inf, math.inf)


@pytest.mark.parametrize("n", [2, 63, 64, 65, 4095, 4096, 4097, 10_000])
def test_every_n_counts_all_its_samples(n):
    """Blocks and tiles that are not full: mean and error are those of the first n log-ratios."""
    estimate = ll.estimate_kl(ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0), n=n, rng=8)
    z = streams.standard_normal((n,), streams.draw_key("", 8))
    values = 0.5 * (((z - 1) / 2) ** 2 - z**2) + math.log(2)
    assert estimate.value == pytest.approx(values.mean(), rel=1e-12)
    assert estimate.stderr == pytest.approx(values.std(ddof=1) / math.sqrt(n), rel=1e-12)


COVERAGE_PAIRS = {
    "lecture": (ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)),
    "nearly equal": (ll.Normal(0.0, 1.0), ll.Normal(1e-6, 1.0 + 1e-6)),
    "mvn": tuple(random_pair(4, seed=2)),
}


@pytest.mark.parametrize("name", COVERAGE_PAIRS)
def test_coverage(name):
    """The share of 95 % intervals that cover, over 400 seeds, within binomial limits at one in a million."""
    p, q = COVERAGE_PAIRS[name]
    exact, seeds = ll.kl_divergence(p, q), 400
    covered = sum(e.low <= exact <= e.high for e in (ll.estimate_kl(p, q, n=10_000, rng=seed) for seed in range(seeds)))
    assert stats.binomtest(covered, seeds, 0.95).pvalue > 1e-6


def test_a_wrong_value_would_not_be_covered():
    """The test of the test above: 3 standard errors off, coverage collapses."""
    p, q = COVERAGE_PAIRS["lecture"]
    estimates = [ll.estimate_kl(p, q, n=10_000, rng=seed) for seed in range(100)]
    wrong = ll.kl_divergence(p, q) + 3 * estimates[0].stderr
    covered = sum(e.low <= wrong <= e.high for e in estimates)
    assert stats.binomtest(covered, 100, 0.95).pvalue < 1e-6


# ------------------------------------------------------------------------------------------- tolerance


def test_tolerance_is_reached():
    p, q = ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)
    for tolerance in ({"rtol": 3e-3}, {"atol": 2e-3}, {"rtol": 1e-9, "atol": 2e-3}):
        estimate = ll.estimate_kl(p, q, rng=1, **tolerance)
        half = (estimate.high - estimate.low) / 2
        assert estimate.converged
        assert half <= max(tolerance.get("atol", 0), tolerance.get("rtol", 0) * abs(estimate.value))
        assert abs(estimate.value - 0.4431471805599453) < half
        # The repeated looks widen the interval beyond that of a fixed n.
        assert half > NormalDist().inv_cdf(0.975) * estimate.stderr


def test_rounds_extend_the_same_samples():
    p, q = ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)
    rounds = ll.estimate_kl(p, q, rng=1, rtol=0.0, atol=1e-9, max_n=100_001)
    fixed = ll.estimate_kl(p, q, rng=1, n=100_001)
    assert not rounds.converged
    assert rounds.n == 100_001
    assert rounds.value == pytest.approx(fixed.value, rel=1e-12)
    assert rounds.stderr == pytest.approx(fixed.stderr, rel=1e-12)


# ------------------------------------------------------------------------------------------- threads, rng, batch


@pytest.mark.parametrize("d", [1, 5])
def test_same_bits_for_any_number_of_threads(d):
    p, q = random_pair(d)
    results = set()
    for threads in (1, 2, 3, 7):
        with ll.num_threads(threads):
            results.add(fields(ll.estimate_kl(p, q, n=600_001, rng=4)))
    assert len(results) == 1


def test_rng_decides_the_result_and_advances_by_one_draw():
    p, q = ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)
    generator, twin = np.random.default_rng(11), np.random.default_rng(11)
    first = ll.estimate_kl(p, q, n=1000, rng=generator)
    twin.integers(0, 2**64, dtype=np.uint64)
    assert generator.bit_generator.state == twin.bit_generator.state
    assert fields(first) == fields(ll.estimate_kl(p, q, n=1000, rng=11))
    assert fields(first) != fields(ll.estimate_kl(p, q, n=1000, rng=generator))
    assert fields(ll.estimate_kl(p, q, n=1000)) != fields(ll.estimate_kl(p, q, n=1000))


def test_batch_items_have_their_own_samples_and_errors():
    p, q = ll.Normal([0.0, 0.0, 0.0], 1.0), ll.Normal([[1.0], [0.0]], 2.0)
    estimate = ll.estimate_kl(p, q, n=20_000, rng=6)
    assert estimate.value.shape == estimate.stderr.shape == (2, 3)
    assert np.unique(estimate.value).size == 6  # equal pairs, different samples
    assert np.all(np.abs(estimate.value - ll.kl_divergence(p, q)) < 5 * estimate.stderr)
    # The first item is what the pair gives alone.
    alone = ll.estimate_kl(ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0), n=20_000, rng=6)
    assert alone.value == estimate.value[0, 0]
    empty = ll.estimate_kl(ll.Normal(np.zeros((0, 2)), 1.0), ll.Normal(0.0, 1.0), n=10, rng=1)
    assert empty.value.shape == (0, 2)


def test_a_large_batch_is_cut_into_tables(monkeypatch):
    """Moments of many blocks do not all live at once, and cutting them changes nothing."""
    p, q = ll.Normal(np.linspace(0, 1, 50), 1.0), ll.Normal(1.0, 2.0)
    whole = ll.estimate_kl(p, q, n=10_000, rng=2)
    monkeypatch.setattr(gaussian, "_TABLE", 7)
    assert fields(ll.estimate_kl(p, q, n=10_000, rng=2)) == fields(whole)


# ------------------------------------------------------------------------------------------- exact, repr, errors


def test_without_n_or_tolerance_the_answer_is_exact():
    p, q = random_pair(3)
    for method in ("auto", "exact"):
        estimate = ll.estimate_kl(p, q, method=method)
        assert estimate.value == estimate.low == estimate.high == ll.kl_divergence(p, q)
        assert (estimate.stderr, estimate.n, estimate.method, estimate.converged) == (0.0, 0, "exact", True)
    assert ll.estimate_kl(p, q, method="mc", rng=1).n == 100_000


def test_repr_and_immutability():
    estimate = ll.estimate_kl(ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0), n=10_000, rng=1)
    text = repr(estimate)
    assert text.startswith("Estimate(0.4")
    assert " ± 0.00" in text
    assert text.endswith("n=10000, method='mc', converged=True)")
    assert "exact" in repr(ll.estimate_kl(ll.Normal(), ll.Normal()))
    with pytest.raises(AttributeError):
        estimate.value = 1.0
    assert fields(pickle.loads(pickle.dumps(estimate))) == fields(estimate)


P, Q = ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n": 1}, ValueError, "n must be at least 2 and below 2**62, got 1"),
        ({"n": 1e6}, TypeError, "n must be an integer, got 1000000.0"),
        ({"n": True}, TypeError, "n must be an integer, got True"),
        ({"n": 10, "rtol": 0.1}, ValueError, "give n or a tolerance"),
        ({"n": 10, "method": "exact"}, ValueError, 'method "exact" takes no n, rtol or atol'),
        ({"n": 10, "confidence": 1.0}, ValueError, "confidence must be between 0 and 1, got 1.0"),
        ({"n": 10, "confidence": math.nan}, ValueError, "confidence must be between 0 and 1, got nan"),
        ({"n": 10, "confidence": "high"}, TypeError, "confidence must be a number, got 'high'"),
        ({"n": 10, "method": "bootstrap"}, ValueError, 'must be "auto", "exact", "quadrature", "mc" or "qmc", got \'bootstrap\''),
        ({"n": 10, "method": "quadrature"}, ValueError, 'method "quadrature" takes no n'),
        ({"n": 10, "rng": "seed"}, TypeError, "rng must be None, an int or a numpy.random.Generator, got str"),
        ({"n": 10, "progress": "bar"}, TypeError, "progress must be True, False or a function of (done, total), got 'bar'"),
        ({"rtol": -1.0}, ValueError, "rtol must be finite and not negative, got -1.0"),
        ({"atol": math.inf}, ValueError, "atol must be finite and not negative, got inf"),
        ({"rtol": 0.1, "max_n": 1}, ValueError, "max_n must be at least 2"),
    ],
)
@pytest.mark.parametrize("function", [ll.estimate_kl, ll.estimate_js])
def test_bad_arguments(function, arguments, error, message):
    with pytest.raises(error) as caught:
        function(P, Q, **arguments)
    assert str(caught.value).startswith(f"{function.__name__}: ")
    assert message in str(caught.value)


def test_what_is_no_distribution_is_named():
    with pytest.raises(TypeError, match=r"^estimate_kl: q must be a distribution with log_prob, got str"):
        ll.estimate_kl(P, "q", n=10)
    with pytest.raises(TypeError, match=r"^estimate_kl: p must be a distribution with log_prob, got NoneType"):
        ll.estimate_kl(None, Q)
    with pytest.raises(ValueError, match=r"p has events of shape \(\), q of shape \(2,\)"):
        ll.estimate_kl(P, ll.MultivariateNormal(np.zeros(2), np.eye(2)), n=10)
    with pytest.raises(ValueError, match=r"p \(2,\) and q \(3,\)|do not broadcast"):
        ll.estimate_kl(ll.Normal([0, 1], 1), ll.Normal([0, 1, 2], 1), n=10)
