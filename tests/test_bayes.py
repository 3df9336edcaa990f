"""Bayes' theorem against exact fractions and mpmath; edges; errors."""

import pickle
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from memory_tools import peak_memory

import loglik as ll
from loglik import diagnostic_test, posterior
from loglik._engine.parallel import num_threads

mp = mpmath.mp.clone()
mp.dps = 60
U = 2.0**-53


def exact_posterior(prior, log_likelihood):
    terms = [mp.mpf(float(p)) * mp.exp(mp.mpf(float(x))) for p, x in zip(prior, log_likelihood, strict=True)]
    return [term / mp.fsum(terms) for term in terms]


def test_known_values():
    np.testing.assert_array_equal(posterior([0.5, 0.5], [0.25, 0.75]), [0.25, 0.75])
    np.testing.assert_allclose(posterior([0.01, 0.99], [0.9, 0.1]), [1 / 12, 11 / 12], rtol=1e-15)
    # The posterior is the prior of the next observation.
    prior, first, second = [0.2, 0.3, 0.5], np.array([0.1, 0.7, 0.4]), np.array([0.9, 0.2, 0.3])
    np.testing.assert_allclose(posterior(posterior(prior, first), second), posterior(prior, first * second), rtol=1e-15)


@pytest.mark.parametrize("spread", [1.0, 30.0, 800.0, 3000.0])
def test_logarithms_against_the_definition(spread):
    rng = np.random.default_rng(int(spread))
    for k in (1, 2, 5, 40):
        prior = rng.random(k) ** 8
        prior[0] *= 1e-300 if k > 1 else 1
        prior /= prior.sum()
        shift = rng.choice([0.0, -1e5, 700.0, 1e9])
        log_likelihood = shift + rng.uniform(-spread, 0, k)
        got = posterior(prior, log_likelihood=log_likelihood)
        for value, exact in zip(got, exact_posterior(prior, log_likelihood), strict=True):
            assert abs(mp.mpf(float(value)) - exact) <= (8 + np.log2(k)) * U * exact + 2.0**-1074
        assert got.sum() == pytest.approx(1, rel=k * 2 * U)


def test_values_against_the_definition():
    rng = np.random.default_rng(5)
    for k in (2, 7, 33):
        prior = rng.random(k)
        prior[0], prior[1] = 1e-310, prior[1]
        prior /= prior.sum()
        likelihood = rng.random(k) * 10.0 ** rng.uniform(-200, -150, k)
        likelihood[0] = 1e305
        terms = [Fraction(p) * Fraction(x) for p, x in zip(prior.tolist(), likelihood.tolist(), strict=True)]
        for value, term in zip(posterior(prior, likelihood).tolist(), terms, strict=True):
            exact = term / sum(terms)
            assert abs(Fraction(value) - exact) <= (8 + np.log2(k)) * Fraction(U) * exact + Fraction(2) ** -1074


def test_tiny_priors_and_extreme_likelihoods():
    # exp(-1000)/1e-300 is a double, exp(-1000) is not
    got = posterior([1.0, 1e-300], log_likelihood=[-1000.0, 0.0])
    exact = exact_posterior([1.0, 1e-300], [-1000.0, 0.0])
    assert float(got[0] / float(exact[0])) == pytest.approx(1, rel=1e-15)
    assert got[1] == 1
    assert 0 < got[0] < 1e-130
    np.testing.assert_array_equal(posterior([0.5, 0.5], [5e-324, 5e-324]), [0.5, 0.5])
    np.testing.assert_array_equal(posterior([0.5, 0.5], [1.7e308, 1.7e308]), [0.5, 0.5])
    np.testing.assert_array_equal(posterior([0.5, 0.5], log_likelihood=[-1e300, -1.1e300]), [1, 0])
    np.testing.assert_array_equal(posterior([0.5, 0.5], log_likelihood=[1.7e308, -1.7e308]), [1, 0])
    np.testing.assert_array_equal(posterior([0.0, 1.0], log_likelihood=[1e5, -1e5]), [0, 1])
    np.testing.assert_array_equal(posterior([0.5, 0.25, 0.25], log_likelihood=[-np.inf, -2.0, -2.0]), [0, 0.5, 0.5])


def test_broadcasting_axes_and_types():
    rng = np.random.default_rng(1)
    prior, likelihood = np.array([0.2, 0.3, 0.5]), rng.random((4, 5, 3))
    got = posterior(prior, likelihood)
    assert got.shape == (4, 5, 3)
    np.testing.assert_array_equal(got[2, 3], posterior(prior, likelihood[2, 3]))
    moved = posterior(prior[:, None], np.moveaxis(likelihood, -1, 1), axis=1)
    np.testing.assert_array_equal(moved, np.moveaxis(got, -1, 1))
    assert moved.flags.c_contiguous
    many_priors = np.array([[0.5, 0.5, 0], [0, 0, 1], [0.25, 0.25, 0.5]])
    assert posterior(many_priors[:, None], likelihood[0]).shape == (3, 5, 3)
    np.testing.assert_array_equal(posterior(many_priors, likelihood[0, 0])[1], [0, 0, 1])
    assert posterior(np.float32(prior), np.float32(likelihood)).dtype == np.float32
    assert posterior(np.float32([0.5, 0.5]), [1, 3]).dtype == np.float32  # integers do not decide
    np.testing.assert_allclose(posterior(np.float32([0.1, 0.9]), np.float32([1, 1])), [0.1, 0.9], rtol=1e-7)
    assert posterior(prior, np.empty((0, 3))).shape == (0, 3)
    assert posterior([1.0], [0.25]).tolist() == [1.0]
    np.testing.assert_array_equal(posterior(prior, likelihood[..., ::-1][..., ::-1]), got)


def test_missing_values_stay_in_their_row():
    got = posterior([0.5, 0.5], [[1.0, np.nan], [1.0, 3.0]])
    np.testing.assert_array_equal(got, [[np.nan, np.nan], [0.25, 0.75]])
    got = posterior([0.5, 0.5], log_likelihood=[[np.nan, 0.0], [np.nan, -np.inf], [0.0, 0.0]])
    np.testing.assert_array_equal(got, [[np.nan, np.nan], [np.nan, np.nan], [0.5, 0.5]])


def test_large_arrays():
    rng = np.random.default_rng(2)
    prior, log_likelihood = rng.dirichlet(np.ones(8)), rng.normal(size=(200_000, 8)) * 100
    with num_threads(1):
        want = posterior(prior, log_likelihood=log_likelihood)
    with num_threads(3):
        np.testing.assert_array_equal(posterior(prior, log_likelihood=log_likelihood), want)
    np.testing.assert_array_equal(posterior(prior, log_likelihood=log_likelihood[123_456]), want[123_456])
    size = log_likelihood.nbytes
    assert peak_memory(lambda: posterior(prior, log_likelihood=log_likelihood)) < size + (16 << 20)
    log_likelihood[150_001] = -np.inf
    with pytest.raises(ValueError, match=r"^posterior: the evidence is 0 in row \[150001, :\]: no hypothesis"):
        posterior(prior, log_likelihood=log_likelihood)


def test_errors():
    half = [0.5, 0.5]
    with pytest.raises(TypeError, match=r"^posterior: give exactly one of likelihood and log_likelihood, got none$"):
        posterior(half)
    with pytest.raises(TypeError, match=r"got both$"):
        posterior(half, half, log_likelihood=half)
    with pytest.raises(ValueError, match=r"^posterior: prior must total 1 within .* but prior\[:\] totals 0.75"):
        posterior([0.5, 0.25], half)
    with pytest.raises(ValueError, match=r"^posterior: prior must total 1 .* but prior\[1, :\] totals 0.9"):
        posterior([half, [0.4, 0.5]], half)
    with pytest.raises(ValueError, match=r"^posterior: prior must be at least 0, but prior\[0\] = -0.5$"):
        posterior([-0.5, 1.5], half)
    with pytest.raises(ValueError, match=r"^posterior: prior must be finite, but prior\[1\] = nan$"):
        posterior([0.5, np.nan], half)
    with pytest.raises(ValueError, match=r"^posterior: likelihood must be at least 0 and finite, but likelihood\[1, 0\] = -1$"):
        posterior(half, [[1, 1], [-1, 1]])
    with pytest.raises(ValueError, match=r"^posterior: likelihood must be at least 0 and finite, but likelihood\[1\] = inf$"):
        posterior(half, [1, np.inf])
    with pytest.raises(ValueError, match=r"^posterior: log_likelihood must be below infinity, but log_likelihood\[0\] = inf$"):
        posterior(half, log_likelihood=[np.inf, 0])
    with pytest.raises(ValueError, match=r"^posterior: the evidence is 0: no hypothesis .* has a likelihood above 0$"):
        posterior([1.0, 0.0], [0.0, 1.0])
    with pytest.raises(ValueError, match=r"^posterior: the evidence is 0 in row \[:, 1\]: .* has a log_likelihood above -inf$"):
        posterior([[0.5], [0.5]], log_likelihood=[[0, -np.inf], [0, -np.inf]], axis=0)
    with pytest.raises(ValueError, match=r"^posterior: prior has 2 entries along axis -1, likelihood has 3$"):
        posterior(half, [1, 2, 3])
    with pytest.raises(ValueError, match=r"^posterior: axis 3 is out of bounds for prior \(2,\) and likelihood \(2,\)$"):
        posterior(half, half, axis=3)
    with pytest.raises(TypeError, match=r"^posterior: axis must be an integer, got 0.5$"):
        posterior(half, half, axis=0.5)
    with pytest.raises(ValueError, match=r"^posterior: there must be at least one entry along axis -1$"):
        posterior([], [])
    with pytest.raises(TypeError, match=r"^posterior: likelihood has dtype complex128"):
        posterior(half, [1j, 0])


# ------------------------------------------------------------------------------------------- diagnostic tests


def test_lecture_values():
    test = diagnostic_test(sensitivity=0.9, specificity=0.9, prevalence=[0.01, 0.5])
    np.testing.assert_allclose(test.ppv, [1 / 12, 0.9], rtol=1e-15)
    np.testing.assert_allclose(test.npv, [891 / 892, 0.9], rtol=1e-15)
    assert test.lr_positive == pytest.approx(9, rel=1e-15)
    assert test.lr_negative == pytest.approx(1 / 9, rel=1e-15)
    ppv, npv, lr_positive, lr_negative = test
    assert (ppv is test.ppv, npv is test.npv) == (True, True)
    assert (lr_positive, lr_negative) == (test.lr_positive, test.lr_negative)
    assert pickle.loads(pickle.dumps(test)).lr_positive == lr_positive


def test_diagnostic_test_against_the_definition():
    rng = np.random.default_rng(0)
    s, t, share = (np.where(rng.random(400) < 0.5, rng.random(400), 10 ** rng.uniform(-300, 0, 400)) for _ in range(3))
    t = np.where(rng.random(400) < 0.5, 1 - t, t)
    test = diagnostic_test(sensitivity=s, specificity=t, prevalence=share)
    for i, (a, b, p) in enumerate(zip(*(map(Fraction, v.tolist()) for v in (s, t, share)), strict=True)):
        if a * p + (1 - b) * (1 - p):
            ppv = a * p / (a * p + (1 - b) * (1 - p))
            assert abs(Fraction(float(test.ppv[i])) - ppv) <= 6 * Fraction(U) * ppv + Fraction(2) ** -1074
        if b * (1 - p) + (1 - a) * p:
            npv = b * (1 - p) / (b * (1 - p) + (1 - a) * p)
            assert abs(Fraction(float(test.npv[i])) - npv) <= 6 * Fraction(U) * npv + Fraction(2) ** -1074
        if b < 1:
            assert abs(Fraction(float(test.lr_positive[i])) - a / (1 - b)) <= 3 * Fraction(U) * a / (1 - b) + Fraction(2) ** -1074
        assert abs(Fraction(float(test.lr_negative[i])) - (1 - a) / b) <= 3 * Fraction(U) * (1 - a) / b


def test_diagnostic_test_edges():
    def values(s, t, p):
        return [float(v) for v in diagnostic_test(sensitivity=s, specificity=t, prevalence=p)]

    nan, inf = np.nan, np.inf
    np.testing.assert_array_equal(values(1.0, 1.0, 0.5), [1, 1, inf, 0])
    np.testing.assert_array_equal(values(0.9, 1.0, 0.0)[:3], [nan, 1, inf])  # no positive result occurs
    np.testing.assert_array_equal(values(0.5, 0.5, 0.0), [0, 1, 1, 1])
    np.testing.assert_array_equal(values(0.5, 0.5, 1.0), [1, 0, 1, 1])
    np.testing.assert_array_equal(values(1.0, 0.5, 1.0), [1, nan, 2, 0])
    np.testing.assert_array_equal(values(0.0, 1.0, 0.5), [nan, 0.5, nan, 1])
    np.testing.assert_array_equal(values(1.0, 0.0, 0.5), [0.5, nan, 1, nan])
    np.testing.assert_array_equal(values(True, 1, 0), [nan, 1, inf, 0])
    # products that underflow
    assert values(1e-200, 0.0, 1e-200)[0] == 0
    np.testing.assert_allclose(values(1e-200, 1.0, 1e-200)[:2], [1, 1])


def test_diagnostic_test_broadcasts():
    test = diagnostic_test(sensitivity=[[0.8], [0.9]], specificity=0.95, prevalence=np.linspace(0, 1, 5))
    assert test.ppv.shape == test.npv.shape == (2, 5)
    assert test.lr_positive.shape == test.lr_negative.shape == (2, 1)
    assert diagnostic_test(sensitivity=np.float32(0.9), specificity=0.5, prevalence=0.5).ppv.dtype == np.float32
    assert diagnostic_test(sensitivity=0.9, specificity=0.5, prevalence=np.empty(0)).ppv.shape == (0,)
    share = np.random.default_rng(0).random(200_000)
    whole = diagnostic_test(sensitivity=0.9, specificity=0.5, prevalence=share)
    part = diagnostic_test(sensitivity=0.9, specificity=0.5, prevalence=share[70_000:70_010])
    np.testing.assert_array_equal(whole.ppv[70_000:70_010], part.ppv)


def test_diagnostic_test_errors():
    good = {"sensitivity": 0.9, "specificity": 0.9, "prevalence": 0.1}
    for key in good:
        for value in (-0.1, 1.5, np.nan, np.inf):
            with pytest.raises(ValueError, match=rf"^diagnostic_test: {key} must be within \[0, 1\], but {key}\[1\] = {value}$"):
                diagnostic_test(**(good | {key: [0.5, value]}))
        with pytest.raises(TypeError, match=rf"^diagnostic_test: {key} "):
            diagnostic_test(**(good | {key: "high"}))
    with pytest.raises(ValueError, match=r"^diagnostic_test: shapes do not broadcast: sensitivity \(2,\)"):
        diagnostic_test(sensitivity=[0.5, 0.5], specificity=[0.5] * 3, prevalence=0.5)


def test_plot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    test = diagnostic_test(sensitivity=0.9, specificity=0.8, prevalence=0.1)
    axes = test.plot()
    for line, of in zip(axes.get_lines(), ("ppv", "npv"), strict=True):
        share, values = line.get_data()
        want = getattr(diagnostic_test(sensitivity=0.9, specificity=0.8, prevalence=share), of)
        np.testing.assert_allclose(values, want, rtol=1e-12)
    perfect = diagnostic_test(sensitivity=1.0, specificity=1.0, prevalence=0.1)
    assert np.all(perfect.plot(ax=axes).get_lines()[2].get_ydata() == 1)
    with pytest.raises(ValueError, match=r"^DiagnosticTest.plot: one test is needed, this is an array of shape \(2,\)$"):
        diagnostic_test(sensitivity=[0.9, 0.8], specificity=0.9, prevalence=0.1).plot()
    pyplot.close("all")


def test_it_is_bayes_theorem():
    test = ll.diagnostic_test(sensitivity=0.7, specificity=0.95, prevalence=0.02)
    np.testing.assert_allclose(posterior([0.02, 0.98], [0.7, 0.05])[0], test.ppv, rtol=1e-14)


def test_rows_do_not_depend_on_their_neighbours():
    rng = np.random.default_rng(8)
    for k in (2, 16, 17, 300):
        prior = rng.dirichlet(np.ones(k), 40)
        prior[3], prior[4, 0] = np.eye(k)[0], 0.0
        prior[4] /= prior[4].sum()
        logs = rng.normal(size=(40, k)) * 10.0 ** rng.integers(-1, 5, (40, 1))
        logs[7, 0], logs[8] = -np.inf, logs[8] - 1e9
        whole, values = posterior(prior, log_likelihood=logs), posterior(prior, np.exp(np.clip(logs, -700, 700)))
        shared = posterior(prior[0], log_likelihood=logs)
        for i in range(40):
            np.testing.assert_array_equal(posterior(prior[i], log_likelihood=logs[i]), whole[i])
            np.testing.assert_array_equal(posterior(prior[i], np.exp(np.clip(logs[i], -700, 700))), values[i])
            np.testing.assert_array_equal(posterior(prior[0], log_likelihood=logs[i]), shared[i])
