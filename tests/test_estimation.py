"""Estimates beyond two Gaussians: Jensen-Shannon, quadrature, other distributions, control variates, heavy tails, progress."""

import math
import signal
import sys
import types
import warnings

import mpmath as mp
import numpy as np
import pytest
from memory_tools import peak_memory
from scipy import stats
from subprocess_tools import run_python

import loglik as ll
from loglik import _kernels
from loglik._engine import streams
from loglik._estimation import intervals
from loglik._estimation.blocks import BlockSampler
from loglik._estimation.tails import Tail

LOG_2 = math.log(2.0)


class Frozen:
    """A frozen distribution of SciPy, as docs/estimation.md adapts it."""

    def __init__(self, frozen):
        self._frozen = frozen

    def sample(self, shape, *, rng):
        return self._frozen.rvs(size=shape, random_state=rng)

    def log_prob(self, x):
        return self._frozen.logpdf(x)


class Mixture:
    """Two normals with equal weights."""

    def __init__(self, *components):
        self._components = components

    def sample(self, shape, *, rng):
        which = rng.integers(0, len(self._components), shape)
        draws = [component.sample(shape, rng=rng) for component in self._components]
        return np.choose(which, draws)

    def log_prob(self, x):
        return np.logaddexp.reduce([c.log_prob(x) for c in self._components], axis=0) - math.log(len(self._components))


def fields(estimate):
    return tuple(np.asarray(x).tobytes() for x in (estimate.value, estimate.stderr, estimate.low, estimate.high))


def exact_divergence(log_p, log_q, points, *, js):
    """By mpmath, from log-densities, over the intervals between `points`."""

    def integrand(x):
        p, q = mp.exp(log_p(x)), mp.exp(log_q(x))
        terms = [(p, q)] if not js else [(p, (p + q) / 2), (q, (p + q) / 2)]
        return sum(a * mp.log(a / b) for a, b in terms if a > 0) / len(terms)

    return mp.quad(integrand, points)


def normal_log_density(loc, scale):
    return lambda x: -(((x - loc) / scale) ** 2) / 2 - mp.log(scale) - mp.log(2 * mp.pi) / 2


def uniform_log_density(low, high):
    return lambda x: -mp.log(mp.mpf(high) - low) if low <= x <= high else -mp.inf


def normal_to_student():
    """KL(N(0, 1) ‖ t(5))."""
    with mp.workdps(30):
        constant = mp.loggamma(3) - mp.loggamma(mp.mpf(5) / 2) - mp.log(5 * mp.pi) / 2
        log_q, points = (lambda x: constant - 3 * mp.log1p(x * x / 5)), [-38, -5, 0, 5, 38]
        return float(exact_divergence(normal_log_density(0, 1), log_q, points, js=False))


# ------------------------------------------------------------------------------------------- quadrature

NORMAL_PAIRS = [(0, 1, 1, 2), (0, 1, 6, 1), (0, 1, 0, 0.01), (0, 1, 1e-6, 1), (-3, 0.5, 100, 2), (0, 1, 40, 1)]


@pytest.mark.parametrize(("a", "s", "b", "t"), NORMAL_PAIRS)
def test_quadrature_of_normals(a, s, b, t):
    p, q = ll.Normal(a, s), ll.Normal(b, t)
    kl = ll.estimate_kl(p, q, method="quadrature")
    assert (kl.method, kl.converged) == ("quadrature", True)
    assert kl.low <= ll.kl_divergence(p, q) * (1 + 1e-13)
    assert kl.high >= ll.kl_divergence(p, q) * (1 - 1e-13)
    js = ll.estimate_js(p, q)
    with mp.workdps(40):
        steps = (-40, -20, -8, -4, -2, -1, 0, 1, 2, 4, 8, 20, 40)
        edges = sorted({mp.mpf(m) + k * mp.mpf(w) for m, w in ((a, s), (b, t)) for k in steps})
        exact = exact_divergence(normal_log_density(a, s), normal_log_density(b, t), edges, js=True)
    assert js.converged
    assert abs(js.value - float(exact)) <= max(js.stderr, 4e-16 * abs(js.value))
    assert js.stderr <= 1e-9 * js.value + 1e-14
    assert 0 <= js.low <= js.value <= js.high <= LOG_2


def test_quadrature_with_uniforms():
    u, wide, p = ll.Uniform(-1.0, 3.0), ll.Uniform(-2.0, 3.5), ll.Normal(0.5, 1.5)
    for first, second in ((u, p), (u, wide)):
        estimate = ll.estimate_kl(first, second, method="quadrature")
        assert estimate.value == pytest.approx(ll.kl_divergence(first, second), rel=1e-13)
    for first, second in ((p, u), (wide, u)):
        infinite = ll.estimate_kl(first, second, method="quadrature")
        assert (infinite.value, infinite.low, infinite.high, infinite.stderr) == (math.inf, math.inf, math.inf, 0.0)
    with mp.workdps(40):
        exact = exact_divergence(uniform_log_density(-1, 3), normal_log_density(0.5, 1.5), [-40, -10, -1, 0, 3, 10, 40], js=True)
    assert ll.estimate_js(u, p).value == pytest.approx(float(exact), rel=1e-13)
    # Sets of 4, 5.5 and, for disjoint ones, the largest value.
    middle, share = 0.125 + 0.5 / 5.5, 4 / 5.5
    exact = (math.log(0.25 / middle) + share * math.log(1 / 5.5 / middle) + (1 - share) * LOG_2) / 2
    assert ll.estimate_js(u, wide).value == pytest.approx(exact, rel=1e-13)
    assert ll.estimate_js(u, ll.Uniform(5.0, 6.0)).value == pytest.approx(LOG_2, rel=1e-15)
    one = ll.MultivariateNormal([0.5], [[2.25]])
    assert ll.estimate_js(u, one).value == pytest.approx(ll.estimate_js(u, p).value, rel=1e-13)


def test_quadrature_of_a_batch_is_that_of_its_items():
    p, q = ll.Normal(np.linspace(0, 5, 7), 1.0), ll.Normal(np.zeros((3, 1)), [[0.1], [1.0], [30.0]])
    batch = ll.estimate_js(p, q)
    assert batch.value.shape == (3, 7)
    for i, j in np.ndindex(3, 7):
        alone = ll.estimate_js(ll.Normal(p.loc[j], 1.0), ll.Normal(0.0, q.scale[i, 0]))
        assert batch.value[i, j] == pytest.approx(alone.value, rel=1e-12, abs=1e-16)
    assert ll.estimate_js(ll.Normal(np.zeros((0, 2)), 1.0), ll.Normal()).value.shape == (0, 2)


def test_quadrature_says_if_it_fails():
    p, q = ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)
    assert not ll.estimate_js(p, q, method="quadrature", rtol=1e-18).converged
    assert ll.estimate_js(p, q, method="quadrature", atol=1e-3).converged
    with pytest.raises(NotImplementedError, match=r'"quadrature" is there for Normal, .* not for the pair Normal, Frozen'):
        ll.estimate_kl(p, Frozen(stats.norm()), method="quadrature")


def test_nearly_equal_distributions_keep_their_digits():
    for shift in (1e-3, 1e-6, 1e-9):
        estimate = ll.estimate_js(ll.Normal(0.0, 1.0), ll.Normal(shift, 1.0))
        assert estimate.value == pytest.approx(shift**2 / 8, rel=max(shift**2, 1e-6))
        kl = ll.estimate_kl(ll.Normal(0.0, 1.0), ll.Normal(shift, 1.0), method="quadrature")
        assert kl.value == pytest.approx(shift**2 / 2, rel=1e-6)


# ------------------------------------------------------------------------------------------- Jensen-Shannon by sampling


@pytest.mark.parametrize("d", [1, 2, 5])
def test_js_of_gaussians_agrees_with_a_plain_computation(d):
    rng = np.random.default_rng(d)
    p = ll.MultivariateNormal(rng.normal(size=d), scale_tril=np.eye(d))
    q = ll.MultivariateNormal(rng.normal(size=d), scale_tril=np.eye(d) * 1.5)
    estimate = ll.estimate_js(p, q, n=200_000, rng=1)
    x, y = p.sample(100_000, rng=2), q.sample(100_000, rng=3)

    def to_middle(of, points):
        return of.log_prob(points) - np.logaddexp(p.log_prob(points), q.log_prob(points)) + LOG_2

    plain = (to_middle(p, x).mean() + to_middle(q, y).mean()) / 2
    spread = math.hypot(to_middle(p, x).std(), to_middle(q, y).std()) / 2 / math.sqrt(100_000)
    assert abs(estimate.value - plain) < 5 * math.hypot(spread, estimate.stderr)
    assert 0 <= estimate.low < estimate.value < estimate.high <= LOG_2


def test_js_standard_error_and_interval_by_their_formulas():
    """From the same normals: the fused kernel's log-ratios, by NumPy."""
    p, q, n = ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0), 4097
    estimate = ll.estimate_js(p, q, n=n, rng=8)
    assert estimate.n == n
    halves = []
    of_p, of_q = (lambda z: 0.5 * (((z - 1) / 2) ** 2 - z**2) + LOG_2), (lambda z: 0.5 * ((1 + 2 * z) ** 2 - z**2) - LOG_2)
    for function, samples, stream in ((of_p, n - n // 2, 0), (of_q, n // 2, 1 << 32)):
        z = np.empty(samples)
        _kernels.fill_normal(streams.draw_key("", 8), stream, 0, z)
        halves.append(ll.ufuncs.js_integrand(function(z)))
    a, b = halves
    assert estimate.value == pytest.approx((a.mean() + b.mean()) / 2, rel=1e-12)
    assert estimate.stderr == pytest.approx(0.5 * math.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b)), rel=1e-10)
    together = np.concatenate(halves)
    half = math.sqrt(2 * together.var(ddof=1) * math.log(80) / n) + 7 * LOG_2 * math.log(80) / (3 * (n - 1))
    assert estimate.high - estimate.value == pytest.approx(half, rel=1e-10)


def test_js_limits():
    same = ll.MultivariateNormal(np.zeros(3), np.eye(3))
    nothing = ll.estimate_js(same, same, n=1000, rng=1)
    assert (nothing.value, nothing.stderr, nothing.low) == (0.0, 0.0, 0.0)
    far = ll.estimate_js(same, ll.MultivariateNormal(np.full(3, 1e6), np.eye(3)), n=1000, rng=1)
    assert far.value == pytest.approx(LOG_2, rel=1e-15)
    assert far.high <= LOG_2
    # Closed forms, where there are some, unless samples are asked for.
    assert ll.estimate_js(ll.Bernoulli(0.2), ll.Bernoulli(0.7)).method == "exact"
    p, q = ll.dice("2d6"), ll.dice("1d12")
    sampled = ll.estimate_js(p, q, n=20_000, rng=1)
    assert sampled.low < ll.js_divergence(p, q) < sampled.high


def test_finite_sample_interval_covers_rare_events():
    """One value in 10,000 is log 2: nearly all samples of 1000 see none, and the interval holds all the same."""
    p = ll.Bernoulli(1e-4)
    estimates = [ll.estimate_js(p, ll.Bernoulli(0.0), n=1000, rng=seed, method="mc") for seed in range(50)]
    exact = ll.js_divergence(p, ll.Bernoulli(0.0))
    assert all(e.low <= exact <= e.high for e in estimates)
    # An interval by the central limit theorem would not: the test of the test.
    assert sum(e.value - 2 * e.stderr <= exact <= e.value + 2 * e.stderr for e in estimates) < 25


# ------------------------------------------------------------------------------------------- other distributions


def test_other_distributions_agree_with_closed_forms():
    p, q = Frozen(stats.norm(0, 1)), Frozen(stats.norm(1, 2))
    kl = ll.kl_divergence(ll.Normal(0, 1), ll.Normal(1, 2))
    for first, second in ((p, q), (p, ll.Normal(1.0, 2.0)), (ll.Normal(0.0, 1.0), q)):
        estimate = ll.estimate_kl(first, second, n=50_000, rng=3)
        assert abs(estimate.value - kl) <= 5 * estimate.stderr + 1e-9
        assert estimate.method == "mc"
    js = ll.estimate_js(ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)).value
    estimate = ll.estimate_js(p, q, n=50_000, rng=3)
    assert abs(estimate.value - js) < 5 * estimate.stderr
    assert fields(ll.estimate_kl(p, q, n=9_999, rng=5)) == fields(ll.estimate_kl(p, q, n=9_999, rng=5))
    assert ll.estimate_kl(p, q, rng=1).n == 100_000


def test_mixtures():
    mixture, q = Mixture(ll.Normal(-2.0, 1.0), ll.Normal(2.0, 1.0)), ll.Normal(0.0, 2.0)
    with mp.workdps(30):
        parts = [normal_log_density(-2, 1), normal_log_density(2, 1)]

        def log_p(x):
            return mp.log(sum(mp.exp(part(x)) for part in parts) / 2)

        points = [-40, -10, -2, 0, 2, 10, 40]
        kl, js = (float(exact_divergence(log_p, normal_log_density(0, 2), points, js=js)) for js in (False, True))
    estimate = ll.estimate_kl(mixture, q, n=100_000, rng=1)
    assert abs(estimate.value - kl) < 5 * estimate.stderr
    estimate = ll.estimate_js(mixture, q, n=100_000, rng=1)
    assert abs(estimate.value - js) < 5 * estimate.stderr


def test_batches_broadcast():
    p, q = ll.Uniform([0.0, 1.0], 3.0), ll.Normal([[0.0], [1.0], [2.0]], 2.0)
    estimate = ll.estimate_kl(p, q, n=5000, rng=1)
    np.testing.assert_allclose(estimate.value, ll.kl_divergence(p, q), rtol=1e-6)
    assert ll.estimate_kl(q, p, n=5000, rng=1).value.tolist() == [[math.inf] * 2] * 3
    single = ll.estimate_kl(ll.Uniform(0.0, 3.0), q, n=5000, rng=1)
    np.testing.assert_allclose(single.value[:, 0], ll.kl_divergence(ll.Uniform(0.0, 3.0), q)[:, 0], rtol=1e-6)


def test_multivariate_events():
    rng = np.random.default_rng(0)
    for d in (2, 9):
        a = rng.normal(size=(d, d))
        p = ll.MultivariateNormal(rng.normal(size=d), a @ a.T + np.eye(d))
        q = Frozen(stats.multivariate_normal(np.zeros(d), np.eye(d) * 3))
        exact = ll.kl_divergence(p, ll.MultivariateNormal(np.zeros(d), np.eye(d) * 3))
        estimate = ll.estimate_kl(p, q, n=20_000, rng=2)
        assert abs(estimate.value - exact) < 5 * estimate.stderr + 1e-7
        back = ll.estimate_kl(q, p, n=20_000, rng=2)
        assert abs(back.value - ll.kl_divergence(ll.MultivariateNormal(np.zeros(d), np.eye(d) * 3), p)) < 5 * back.stderr


def test_infinite_divergence_is_seen_in_the_samples():
    for p, q in ((ll.Normal(0.0, 1.0), ll.Uniform(-3.0, 3.0)), (Frozen(stats.norm()), ll.Uniform(-3.0, 3.0))):
        estimate = ll.estimate_kl(p, q, n=10_000, rng=1)
        assert (estimate.value, estimate.low, estimate.high) == (math.inf,) * 3
        assert (estimate.stderr, estimate.converged) == (0.0, True)
        assert ll.estimate_js(p, q, n=10_000, rng=1).high < LOG_2


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_same_bits_for_any_number_of_threads(threads):
    pairs = [(ll.Uniform([0.0, 1.0], 3.0), ll.Normal([[0.0], [2.0]], 2.0)), (ll.dice("3d6"), ll.Discrete(np.full(30, 1 / 30)))]
    for p, q in pairs:
        with ll.num_threads(1):
            want = [fields(f(p, q, n=40_001, rng=4)) for f in (ll.estimate_kl, ll.estimate_js)]
        with ll.num_threads(threads):
            assert [fields(f(p, q, n=40_001, rng=4)) for f in (ll.estimate_kl, ll.estimate_js)] == want


def test_a_distribution_that_contradicts_itself_is_named():
    good = ll.Normal(0.0, 1.0)

    def other(**changes):
        methods = {"sample": lambda shape, rng: rng.normal(size=shape), "log_prob": lambda x: -x * x, **changes}
        return types.SimpleNamespace(**methods)

    ll.estimate_kl(other(), good, n=1000)
    with pytest.raises(ValueError, match=r"p\.sample drew .*, where p\.log_prob is -inf"):
        ll.estimate_kl(other(log_prob=lambda x: np.where(x > 1, -np.inf, 0.0)), good, n=1000)
    with pytest.raises(ValueError, match=r"q\.log_prob is nan for the sample .* of p"):
        ll.estimate_kl(good, other(log_prob=lambda x: np.where(x > 1, np.nan, 0.0)), n=1000)
    with pytest.raises(ValueError, match=r"q\.log_prob gave shape \(\) for samples of shape \(256,\)"):
        ll.estimate_kl(good, other(log_prob=lambda x: 0.0), n=1000)
    with pytest.raises(TypeError, match=r"q must be a distribution with sample, got SimpleNamespace"):
        ll.estimate_js(good, types.SimpleNamespace(log_prob=good.log_prob), n=1000)
    assert ll.estimate_kl(good, types.SimpleNamespace(log_prob=good.log_prob), n=1000).value == 0.0


# ------------------------------------------------------------------------------------------- control variates, tails


def block_estimate(p, q, n, seed, controls=True):
    sampler = BlockSampler("test", p, q, ("p", "q"), seed)
    if not controls:
        sampler._controls = None
    sampler.extend(n)
    return sampler.summary()


def test_control_variates_leave_nothing_of_a_quadratic_log_ratio():
    for p, q in (
        (ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)), (ll.Uniform(-1.0, 3.0), ll.Normal(0.3, 1.0)),
        (ll.Bernoulli(0.3), ll.Bernoulli(0.9)),
    ):  # fmt: skip
        with_controls, without = (block_estimate(p, q, 10_000, 1, c) for c in (True, False))
        exact = ll.kl_divergence(p, q)
        assert abs(with_controls.mean - exact) < 1e-9 * exact
        assert with_controls.stderr < 1e-6 * without.stderr
        assert abs(without.mean - exact) < 5 * without.stderr


def test_rounding_of_a_float32_density_is_in_the_error():
    p, frozen = ll.Normal(0.0, 1.0), Frozen(stats.norm(1, 2))
    q = types.SimpleNamespace(log_prob=lambda x: frozen.log_prob(x).astype(np.float32))
    for method in ("mc", "qmc"):
        estimate = ll.estimate_kl(p, q, n=1 << 16, method=method, rng=1)
        assert estimate.low < 0.4431471805599453 < estimate.high
        assert estimate.stderr > 1e-7


def test_control_variates_help_where_the_log_ratio_is_nearly_quadratic():
    p, q = ll.Normal(0.0, 1.0), Frozen(stats.logistic())
    with_controls, without = (block_estimate(p, q, 20_000, 1, c) for c in (True, False))
    assert with_controls.stderr < 0.5 * without.stderr
    assert abs(with_controls.mean - without.mean) < 5 * without.stderr


def test_coverage_with_control_variates():
    p, q = ll.Normal(0.0, 1.0), Frozen(stats.t(5))
    exact = normal_to_student()
    covered = sum(e.low <= exact <= e.high for e in (ll.estimate_kl(p, q, n=2000, rng=seed) for seed in range(300)))
    assert stats.binomtest(covered, 300, 0.95).pvalue > 1e-6


@pytest.mark.parametrize("degrees", [1.2, 2.5])
def test_infinite_variance_is_noticed(degrees):
    with pytest.warns(ll.AccuracyWarning, match="seems to be infinite"):
        estimate = ll.estimate_kl(Frozen(stats.t(degrees)), ll.Normal(0.0, 1.0), n=100_000, rng=1)
    assert not estimate.converged


def test_finite_variance_is_no_alarm():
    for p, q in (
        (Frozen(stats.norm()), ll.Normal(3.0, 0.5)), (Frozen(stats.laplace()), ll.Normal(0.0, 1.0)),
        (ll.Normal(0.0, 1.0), Frozen(stats.t(3))),
        (Frozen(stats.expon()), Frozen(stats.gamma(3))),
    ):  # fmt: skip
        for seed in range(10):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                ll.estimate_kl(p, q, n=20_000, rng=seed)


@pytest.mark.parametrize("index", [0.0, 0.25, 0.5, 1.0])
def test_tail_index(index):
    uniform = np.random.default_rng(5).random(100_000)
    values = -np.log(uniform) if index == 0 else uniform**-index
    tail = Tail(2)
    for part in np.array_split(values, 13):
        tail.add(np.stack([part, np.ones_like(part)], axis=1))
    found, error = tail.index()
    assert abs(found[0] - index) < 4 * (1 + index) / math.sqrt(3 * math.sqrt(100_000))
    assert found[1] == 0.0
    assert error == pytest.approx(1.5 / math.sqrt(948))


# ------------------------------------------------------------------------------------------- intervals


def test_student_quantiles():
    for degrees in (3, 5, 15, 31):
        for probability in (0.6, 0.9, 0.975, 0.9995):
            assert intervals.student_quantile(probability, degrees) == pytest.approx(stats.t.ppf(probability, degrees), rel=1e-12)


def test_bernstein_interval_covers_with_bounded_values():
    rng = np.random.default_rng(3)
    for mean in (0.001, 0.1, 0.5):
        values = rng.random((2000, 200)) < mean
        half = intervals.bernstein(values.var(axis=1, ddof=1), 200, 1.0, 0.05)
        assert (np.abs(values.mean(axis=1) - mean) <= half).mean() >= 0.95


# ------------------------------------------------------------------------------------------- progress, interruption, memory


def test_progress_is_told_to_a_function():
    told = []
    p, q = ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)
    estimate = ll.estimate_kl(p, q, n=3_000_000, rng=1, progress=lambda done, total: told.append((done, total)))
    assert told == [(1 << 20, 3_000_000), (2 << 20, 3_000_000), (3_000_000, 3_000_000)]
    assert fields(estimate) == fields(ll.estimate_kl(p, q, n=3_000_000, rng=1))


def test_progress_without_tqdm_is_a_line(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    ll.estimate_kl(ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0), n=100_000, rng=1, progress=True)
    assert capsys.readouterr().err == "\restimate_kl: 100,000 of 100,000 samples (100%)\n"


def test_progress_is_a_bar_of_tqdm(monkeypatch):
    bars = []

    class Bar:
        def __init__(self, **options):
            self.options, self.n, self.closed = options, 0, False
            bars.append(self)

        def update(self, n):
            self.n += n

        def close(self):
            self.closed = True

    monkeypatch.setitem(sys.modules, "tqdm", types.SimpleNamespace(tqdm=Bar))
    ll.estimate_kl(ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0), n=100_000, rng=1, progress=True)
    (bar,) = bars
    assert (bar.n, bar.options["total"], bar.closed) == (100_000, 100_000, True)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers on this platform")
def test_interruption_ends_the_call_and_the_next_one_works():
    code = """
        import signal, numpy as np, loglik as ll
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        p, q = ll.Uniform(0.0, 1.0), ll.Normal(0.0, 1.0)
        for pair in ((p, q), (ll.Normal(), ll.Normal(1.0, 2.0))):
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            try:
                ll.estimate_js(*pair, n=10**12)
                print("not interrupted")
            except KeyboardInterrupt:
                print(ll.estimate_kl(*pair, n=1000, rng=1).value == ll.estimate_kl(*pair, n=1000, rng=1).value)
    """
    process = run_python(code)
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == ["True", "True"]


def test_samples_are_never_stored():
    p, q = ll.Uniform(0.0, 1.0), ll.Normal(0.0, 1.0)
    ll.estimate_kl(p, q, n=1000, rng=1)
    assert peak_memory(lambda: ll.estimate_kl(p, q, n=4_000_000, rng=1)) < 16 << 20


# ------------------------------------------------------------------------------------------- quasi-Monte Carlo


def test_qmc_is_right_and_much_better_than_mc():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(5, 5))
    p, q = ll.MultivariateNormal(np.zeros(5), a @ a.T + np.eye(5)), ll.MultivariateNormal(np.ones(5), np.eye(5) * 4)
    exact = ll.kl_divergence(p, q)
    qmc, mc = (ll.estimate_kl(p, q, n=1 << 16, method=method, rng=1) for method in ("qmc", "mc"))
    assert (qmc.method, qmc.n) == ("qmc", 1 << 16)
    assert abs(qmc.value - exact) < 5 * qmc.stderr
    assert qmc.stderr < 0.1 * mc.stderr
    js = ll.estimate_js(p, q, n=1 << 16, method="qmc", rng=1)
    plain = ll.estimate_js(p, q, n=1 << 18, rng=1)
    assert abs(js.value - plain.value) < 5 * plain.stderr
    assert js.stderr < plain.stderr


def test_qmc_in_one_dimension():
    p, q = ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)
    assert ll.estimate_kl(p, q, n=10_000, method="qmc", rng=1).n == 32 * 512
    for first, second in ((p, q), (ll.Uniform([0.0, -1.0], 3.0), q), (ll.Normal([[0.0], [1.0]], [1.0, 2.0, 3.0]), p)):
        estimate = ll.estimate_kl(first, second, n=1 << 15, method="qmc", rng=3)
        assert (np.abs(estimate.value - ll.kl_divergence(first, second)) < 6 * np.asarray(estimate.stderr) + 1e-13).all()
    estimate = ll.estimate_js(p, q, n=1 << 14, method="qmc", rng=2)
    exact = ll.estimate_js(p, q).value
    assert abs(estimate.value - exact) < 6 * estimate.stderr
    assert estimate.stderr < 0.1 * ll.estimate_js(p, q, n=1 << 14, rng=2).stderr
    assert ll.estimate_kl(p, ll.Uniform(-1.0, 1.0), n=1000, method="qmc", rng=0).value == math.inf


def test_qmc_reaches_tolerances_and_covers():
    p, q = ll.Normal(0.0, 1.0), Frozen(stats.t(5))
    exact = normal_to_student()
    estimate = ll.estimate_kl(p, q, rtol=1e-5, method="qmc", rng=1)
    assert estimate.converged
    assert (estimate.high - estimate.low) / 2 <= 1e-5 * estimate.value
    estimates = [ll.estimate_kl(p, q, n=1 << 14, method="qmc", rng=seed) for seed in range(60)]
    covered = sum(e.low <= exact <= e.high for e in estimates)
    assert stats.binomtest(covered, 60, 0.93).pvalue > 1e-4  # not quite 95 %: the error of a lattice is skewed


def test_qmc_bits_and_errors():
    p, q = ll.MultivariateNormal(np.zeros(3), np.eye(3)), ll.MultivariateNormal(np.ones(3), np.eye(3) * 2)
    results = set()
    for threads in (1, 2, 3, 7):
        with ll.num_threads(threads):
            results.add(fields(ll.estimate_kl(p, q, n=100_000, method="qmc", rng=7)))
    assert len(results) == 1
    with pytest.raises(NotImplementedError, match=r'"qmc" samples by quantiles, .*; p is '):
        ll.estimate_kl(Frozen(stats.norm()), ll.Normal(), method="qmc", n=100)
    with pytest.raises(NotImplementedError, match="at most 64 dimensions"):
        ll.estimate_kl(*[ll.MultivariateNormal(np.zeros(65), np.eye(65))] * 2, method="qmc", n=100)
    with pytest.raises(ValueError, match="has at most"):
        ll.estimate_kl(ll.Normal(), ll.Normal(1.0, 1.0), method="qmc", n=10**10)
