"""Fits: maximum likelihood against definitions, posterior modes, reports, bad data."""

import copy
import math
import os
import pickle
import signal
import threading
from fractions import Fraction

import numpy as np
import pytest
from families import FAMILIES

import loglik as ll
from loglik import priors
from loglik.distributions import registry


def data(family, rng):
    return FAMILIES[family.__name__].data(rng)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


each_family = pytest.mark.parametrize("family", registry.FAMILIES.values(), ids=lambda family: family.__name__)


# ------------------------------------------------------------------------------------------------ maximum likelihood


def test_the_lecture_s_example():
    fit = ll.Normal.fit([-1, 0, 1, 2])
    assert fit == ll.Normal(0.5, math.sqrt(1.25))
    assert fit.fit_report.log_likelihood == pytest.approx(-6.122041235447110, rel=1e-15)
    assert fit.fit_report.aic == pytest.approx(2 * 2 + 2 * 6.122041235447110, rel=1e-15)
    assert fit.fit_report.bic == pytest.approx(2 * math.log(4) + 2 * 6.122041235447110, rel=1e-15)


@pytest.mark.parametrize("mean", [0.0, 1.0, 1e8])
def test_normal_keeps_digits(mean, rng):
    x = mean + rng.standard_normal(3000)
    exact = [Fraction(v) for v in x.tolist()]
    mu = sum(exact) / len(exact)
    variance = sum((v - mu) ** 2 for v in exact) / len(exact)
    fit = ll.Normal.fit(x)
    assert abs(Fraction(fit.loc) - mu) <= Fraction(1e-14) * max(abs(mu), Fraction(1, 10))
    assert abs(Fraction(fit.scale) ** 2 / variance - 1) <= 1e-14


@each_family
def test_log_likelihood_is_that_of_the_fit(family, rng):
    x = data(family, rng)
    w = rng.random(len(x))
    for weights, total in ((None, len(x)), (w, w.sum())):
        fit = family.fit(x, weights=weights)
        report = fit.fit_report
        values = fit.log_prob(x) * (1 if weights is None else weights)
        assert report.log_likelihood == pytest.approx(math.fsum(values), rel=1e-12)
        assert report.weight == pytest.approx(total, rel=1e-14)
        assert (report.n, report.method) == (len(x), "ml")


@each_family
def test_nothing_near_is_more_likely(family, rng):
    x = data(family, rng)
    fit = family.fit(x)
    best = fit.log_prob(x).sum()
    for t in (-0.01, 0.01):
        for other in neighbours(fit, t):
            assert other.log_prob(x).sum() < best


def neighbours(fit, t):
    """The fit with one parameter moved, for each of them."""
    near = FAMILIES[type(fit).__name__].near
    if near is not None:
        yield near(fit, t)
        return
    for name, value in fit._arguments().items():
        other = value + t * max(abs(value), 0.1)
        yield type(fit)(**(fit._arguments() | {name: other}))


@each_family
def test_a_flat_prior_gives_the_same_bits(family, rng):
    x, prior = data(family, rng), FAMILIES[family.__name__].prior
    if prior is None:
        with pytest.raises(TypeError, match="prior must be None, there is no conjugate prior, got Beta"):
            family.fit(x, prior=priors.Beta())
        return
    for weights in (None, rng.random(len(x))):
        ml, flat = family.fit(x, weights=weights), family.fit(x, weights=weights, prior=prior)
        assert ml == flat
        assert flat.fit_report.method == "map"


@each_family
def test_weights_are_repeated_rows(family, rng):
    x = data(family, rng)
    w = rng.integers(0, 4, len(x))
    weighted, repeated = family.fit(x, weights=w), family.fit(np.repeat(x, w, axis=0))
    for name, value in weighted._arguments().items():
        np.testing.assert_allclose(value, repeated._arguments()[name], rtol=1e-14, atol=1e-15)
    assert weighted.fit_report.bic == pytest.approx(repeated.fit_report.bic, rel=1e-12)
    if family in (ll.Uniform, ll.Bernoulli, ll.Discrete):
        assert weighted == repeated


def test_discrete_is_exact():
    fit = ll.Discrete.fit([3, 1, 1, 7])
    assert fit == ll.Discrete(counts=[2, 0, 1, 0, 0, 0, 1], start=1)
    assert ll.Discrete.fit([1.0, 2.0, 2.0], weights=[0.5, 1.0, 1.0]).probs == pytest.approx([0.2, 0.8], rel=1e-15)
    wide = ll.Discrete.fit([0, 10_000_000])
    assert (wide.start, len(wide.probs)) == (0, 10_000_001)


def test_bernoulli_is_exact(rng):
    x = rng.random(100_000) < 0.3
    assert ll.Bernoulli.fit(x).probs == x.sum() / 100_000
    assert ll.Bernoulli.fit([1, 1]).fit_report.log_likelihood == 0


def test_too_few_rows_and_a_prior():
    fit = ll.MultivariateNormal.fit(np.eye(3)[:2], prior=priors.NormalInverseWishart(dof=5, scale=1.0))
    assert fit.condition_number < 100


# ------------------------------------------------------------------------------------------------ batches


@pytest.mark.parametrize("axis", [0, 1, 2, -1, (0, 1), (0, 2), (2, 1), None])
def test_axis(axis, rng):
    x = rng.normal(1, 2, (5, 30, 7))
    w = rng.integers(1, 4, x.shape)
    fit, weighted = ll.Normal.fit(x, axis=axis), ll.Normal.fit(x, axis=axis, weights=w)
    np.testing.assert_allclose(fit.loc, x.mean(axis), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(fit.scale, x.std(axis), rtol=1e-13)
    np.testing.assert_allclose(weighted.loc, np.average(x, axis, w), rtol=1e-13, atol=1e-14)
    uniform = ll.Uniform.fit(x, axis=axis)
    np.testing.assert_array_equal(uniform.low, x.min(axis))
    np.testing.assert_array_equal(ll.Bernoulli.fit(x > 0, axis=axis).probs, (x > 0).mean(axis))
    x[3, 20, 2] = np.nan
    np.testing.assert_allclose(ll.Normal.fit(x, axis=axis, nan_policy="omit").loc, np.nanmean(x, axis), rtol=1e-13, atol=1e-14)
    if fit.batch_shape:
        assert fit.fit_report.log_likelihood.shape == fit.batch_shape == fit.fit_report.standard_errors["loc"].shape


def test_weights_of_the_reduced_axis(rng):
    x, w = rng.normal(size=(50, 4)), rng.random(50)
    got = ll.Normal.fit(x, weights=w, axis=0)
    np.testing.assert_allclose(got.loc, np.average(x, 0, w), rtol=1e-13)
    with pytest.raises(ValueError, match=r"weights must have shape \(50,\) or \(50, 4\)"):
        ll.Normal.fit(x, weights=w[:4], axis=0)


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 1), (0, 2), (2, 1)])
@pytest.mark.parametrize("options", ["plain", "weights", "own weights", "omit", "prior"])
def test_discrete_batches(axis, options, rng):
    """Every item is what a fit of its own gives, on the outcomes of all."""
    x = rng.integers(-3, 9, (5, 30, 7)) + 100.0 * (np.arange(7) == 3)
    reduced = np.atleast_1d(axis)
    kept = [a for a in range(3) if a not in reduced]
    w = rng.integers(0, 3, x.shape if options == "own weights" else [x.shape[a] for a in sorted(reduced)]) + 0.5
    given = {"omit": {"nan_policy": "omit"}, "prior": {"prior": priors.Dirichlet(2.0)}}.get(options, {})
    if options == "omit":
        x[rng.random(x.shape) < 0.1] = np.nan
    fit = ll.Discrete.fit(x, axis=axis, **given, **({"weights": w} if "weights" in options else {}))
    assert fit.batch_shape == tuple(x.shape[a] for a in kept) == fit.fit_report.aic.shape == fit.fit_report.n.shape
    for index in np.ndindex(fit.batch_shape):
        at = [slice(None)] * 3
        for a, i in zip(kept, index, strict=True):
            at[a] = i
        own = {"weights": w[tuple(at)] if options == "own weights" else w} if "weights" in options else {}
        if options == "prior":  # which counts all outcomes of the batch
            own["prior"] = priors.Dirichlet(np.full(fit.probs.shape[-1], 2.0), start=fit.start)
        one = ll.Discrete.fit(x[tuple(at)], **own, **({"nan_policy": "omit"} if options == "omit" else {}))
        np.testing.assert_array_equal(fit.probs[index][one.support - fit.start], one.probs)
        assert fit.fit_report.log_likelihood[index] == one.fit_report.log_likelihood
        assert (fit.fit_report.n[index], fit.fit_report.weight[index]) == (one.fit_report.n, one.fit_report.weight)


def test_discrete_batches_of_few_out_of_many_outcomes(rng):
    x = rng.integers(0, 40, (20, 50)) * 10_000
    fit = ll.Discrete.fit(x, axis=1)
    for i in range(20):
        np.testing.assert_array_equal(fit.probs[i, x[i] - fit.start], [np.mean(x[i] == value) for value in x[i]])


def test_gaussian_batches(rng):
    x, w = rng.standard_normal((2, 3, 40, 4)), rng.random((2, 3, 40))
    fit = ll.MultivariateNormal.fit(x, weights=w)
    assert fit.batch_shape == (2, 3) == fit.fit_report.aic.shape
    for index in np.ndindex(2, 3):
        one = ll.MultivariateNormal.fit(x[index], weights=w[index])
        np.testing.assert_array_equal(fit.covariance[index], one.covariance)
        assert fit.fit_report.log_likelihood[index] == pytest.approx(one.fit_report.log_likelihood, rel=1e-13)


@each_family
def test_float32_stays(family, rng):
    x = data(family, rng).astype(np.float32)
    fit = family.fit(x)
    assert fit.dtype == (np.float64 if family is ll.Discrete else np.float32)  # counts are exact
    assert fit.fit_report.log_likelihood == pytest.approx(fit.log_prob(x).astype(np.float64).sum(), rel=1e-4)


# ------------------------------------------------------------------------------------------------ priors


def test_bernoulli_map():
    assert ll.Bernoulli.fit([1, 1, 0], prior=priors.Beta(3, 2)).probs == pytest.approx((2 + 2) / (3 + 3))


def test_uniform_map():
    assert ll.Uniform.fit([0.25, 0.5], prior=priors.Pareto(0, 1)) == ll.Uniform(0.0, 1.0)


def log_posterior_normal(p, x, mu, variance):
    n = -0.5 * math.log(variance) - p.kappa * (mu - p.mean) ** 2 / (2 * variance)
    return ll.Normal(mu, math.sqrt(variance)).log_prob(x).sum() + n - (p.shape + 1) * math.log(variance) - p.scale / variance


def test_normal_map_is_the_mode(rng):
    x, p = rng.normal(2, 3, 20), priors.NormalInverseGamma(1.0, 4.0, 2.0, 5.0)
    fit = ll.Normal.fit(x, prior=p)
    best = log_posterior_normal(p, x, fit.loc, fit.scale**2)
    for a in (-0.01, 0, 0.01):
        for b in (-0.01, 0, 0.01):
            if a or b:
                assert log_posterior_normal(p, x, fit.loc + a, fit.scale**2 * (1 + b)) < best


def test_gaussian_map_is_the_mode(rng):
    x, d = rng.normal(2, 3, (20, 2)), 2
    p = priors.NormalInverseWishart([1.0, 0.0], 4.0, 5.0, [[3.0, 1.0], [1.0, 2.0]])
    fit = ll.MultivariateNormal.fit(x, prior=p)

    def log_posterior(mu, sigma):
        prior = -((p.dof + d) / 2 + 1) * np.linalg.slogdet(sigma)[1] - np.trace(np.linalg.solve(sigma, np.array(p.scale))) / 2
        about = np.asarray(mu) - p.mean
        return ll.MultivariateNormal(mu, sigma).log_prob(x).sum() + prior - p.kappa * about @ np.linalg.solve(sigma, about) / 2

    best = log_posterior(fit.loc, fit.covariance)
    for change in ([[0.01, 0], [0, 0]], [[0, 0.01], [0.01, 0]], [[-0.01, 0], [0, 0.01]]):
        assert log_posterior(fit.loc, fit.covariance + np.array(change)) < best
        assert log_posterior(fit.loc + np.array(change)[0], fit.covariance) < best


def test_one_dimension_of_wishart_is_gamma(rng):
    x = rng.normal(2, 3, 20)
    one = ll.Normal.fit(x, prior=priors.NormalInverseGamma(1.0, 4.0, 2.5, 3.0))
    many = ll.MultivariateNormal.fit(x[:, None], prior=priors.NormalInverseWishart(1.0, 4.0, 5.0, 6.0))
    assert many.variance[0] == pytest.approx(one.scale**2, rel=1e-14)


def test_dirichlet():
    fit = ll.Discrete.fit([1, 6, 6], prior=priors.Dirichlet([2] * 6, start=1))
    np.testing.assert_array_equal(fit.probs, np.array([2, 1, 1, 1, 1, 3]) / 9)
    with pytest.raises(ValueError, match=r"x contains 7, but prior\.alpha is for 1 to 6"):
        ll.Discrete.fit([1, 7], prior=priors.Dirichlet([2] * 6, start=1))


@pytest.mark.parametrize(
    ("family", "prior", "message"),
    [
        (ll.Bernoulli, priors.Beta(0.5, 1), r"prior.a must be finite and at least 1, but prior.a ="),
        (ll.Normal, priors.NormalInverseGamma(kappa=-1), r"prior.kappa must be finite and not negative"),
        (ll.Normal, priors.NormalInverseGamma(shape=-2), r"prior.shape must be finite and at least -1.5"),
        (ll.Uniform, priors.Pareto(2, 1), "must be finite and in order"),
        (ll.Discrete, priors.Dirichlet(np.nan), r"prior.alpha must be finite and at least 1"),
        (ll.MultivariateNormal, priors.NormalInverseWishart(scale=[[1, 2], [0, 1]]), r"prior.scale must be"),
        (ll.MultivariateNormal, priors.NormalInverseWishart(dof=-9), r"prior.dof must be finite and at least -5"),
    ],
)
def test_bad_priors(family, prior, message, rng):
    with pytest.raises(ValueError, match=message):
        family.fit(data(family, rng), prior=prior)


def test_a_prior_of_another_family():
    with pytest.raises(TypeError, match=r"prior must be a loglik\.priors\.NormalInverseGamma, got Beta"):
        ll.Normal.fit([1.0, 2.0], prior=priors.Beta())


# ------------------------------------------------------------------------------------------------ reports


@each_family
def test_standard_errors_cover(family, rng):
    """The spread of many estimates is what the reports say."""
    entry = FAMILIES[family.__name__]
    fitted = family.fit(data(family, rng))
    assert tuple(fitted.fit_report.standard_errors) == entry.errors
    if fitted.event_shape:
        fits = family.fit(np.moveaxis(fitted.sample((200, 3000), rng=1), 0, 1))
    else:
        fits = family.fit(fitted.sample((3000, 200), rng=1), axis=1)
    for name in entry.errors:
        spread, said = getattr(fits, name).std(axis=0), fits.fit_report.standard_errors[name].mean(axis=0)
        np.testing.assert_allclose(spread, said, rtol=0.1, err_msg=name)


@each_family
def test_a_report_is_no_part_of_the_value(family, rng):
    fit = family.fit(data(family, rng))
    again = pickle.loads(pickle.dumps(fit))
    assert again == fit == copy.deepcopy(fit)
    assert again.fit_report.log_likelihood == fit.fit_report.log_likelihood
    assert "fit" not in repr(fit)
    assert ll.Normal(0, 1).fit_report is None
    with pytest.raises(AttributeError):
        fit.fit_report = None


def test_fits_of_statistics(rng):
    x = data(ll.MultivariateNormal, rng)
    stats = ll.MomentStats(x[:70]) + ll.MomentStats(x[70:])
    gaussian = stats.fit(ll.MultivariateNormal)
    np.testing.assert_allclose(gaussian.covariance, ll.MultivariateNormal.fit(x).covariance, rtol=1e-13)
    np.testing.assert_allclose(stats.fit(ll.Normal).scale, ll.Normal.fit(x, axis=0).scale, rtol=1e-14)
    assert stats.fit(ll.Uniform) == ll.Uniform.fit(x, axis=0)
    assert ll.MomentStats([0, 1, 1]).fit(ll.Bernoulli) == ll.Bernoulli.fit([0, 1, 1])
    assert ll.MomentStats(np.float32([1, 2])).fit(ll.Normal).dtype == np.float32
    assert ll.MomentStats([0.0, 1.0]).fit(ll.Normal, prior=priors.NormalInverseGamma(0, 1, 1, 1)).fit_report.method == "map"
    with pytest.raises(ValueError, match="must be 0 or 1"):
        ll.MomentStats([0, 0.5, 1]).fit(ll.Bernoulli)
    with pytest.raises(NotImplementedError, match=r"Discrete\.fit"):
        stats.fit(ll.Discrete)
    with pytest.raises(ValueError, match=r"needs blocks of shape \(n, d\)"):
        ll.MomentStats([1.0, 2.0]).fit(ll.MultivariateNormal)
    with pytest.raises(ValueError, match="no observations"):
        ll.MomentStats().fit(ll.Normal)
    with pytest.raises(TypeError, match="a family of distributions is needed"):
        stats.fit("Normal")


# ------------------------------------------------------------------------------------------------ bad data


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ll.Normal.fit([]), ValueError, "Normal.fit: there are no observations"),
        (lambda: ll.Normal.fit([1, 2], weights=[0, 0]), ValueError, "no observations of positive weight"),
        (lambda: ll.Normal.fit([[1, 2], [3, 4]], axis=0, weights=[[0, 1], [0, 1]]), ValueError, r"in batch item \[0\]"),
        (lambda: ll.Normal.fit([2.0, 2.0]), ValueError, "all observations are 2.0, so the scale would be 0"),
        (lambda: ll.Normal.fit([[1, 2], [1, 3]], axis=0), ValueError, r"all observations of batch item \[0\] are 1.0"),
        (lambda: ll.Normal.fit([1, np.nan]), ValueError, r"must be complete .*omit.*x\[1\] = nan"),
        (lambda: ll.Normal.fit([1, np.inf], nan_policy="omit"), ValueError, r"x must be finite, but x\[1\] = inf"),
        (lambda: ll.Normal.fit([1, np.nan], nan_policy="propagate"), ValueError, "nan_policy must be"),
        (lambda: ll.Normal.fit([1e200, -1e200]), ValueError, "variance overflows"),
        (lambda: ll.Normal.fit([1e-200, -1e-200]), ValueError, "variance underflows"),
        (lambda: ll.Normal.fit(np.array([1j])), TypeError, "x has dtype complex128"),
        (lambda: ll.Normal.fit([1, 2], axis=1), ValueError, "axis 1 is out of range"),
        (lambda: ll.Normal.fit([1, 2], axis=()), ValueError, "at least one axis"),
        (lambda: ll.Uniform.fit([2.0]), ValueError, "the interval would be empty"),
        (lambda: ll.Bernoulli.fit([[0, 1], [1, 0.5]]), ValueError, r"x must be 0 or 1, but x\[1, 1\] = 0.5"),
        (lambda: ll.Bernoulli.fit([0, np.nan]), ValueError, "must be complete"),
        (lambda: ll.Discrete.fit([1, 1.5]), ValueError, r"x must be integers, but x\[1\] = 1.5"),
        (lambda: ll.Discrete.fit([0, 1e9]), ValueError, "spans 1000000001 outcomes"),
        (lambda: ll.Discrete.fit([[1, 2], [1, 4]], weights=[[1, 0], [1, 0]], axis=0), ValueError, r"in batch item \[1\]"),
        (lambda: ll.Discrete.fit([[0, 1e6]] * 99, axis=1), ValueError, "spans 1000001 outcomes for each of 99 distributions"),
        (lambda: ll.MultivariateNormal.fit([1.0, 2.0]), ValueError, r"x must have shape \(..., n, d\)"),
        (lambda: ll.MultivariateNormal.fit([[1.0, 2.0]], axis=0), ValueError, "axis has no meaning"),
        (lambda: ll.MultivariateNormal.fit([[1, 2], [3, 5]]), np.linalg.LinAlgError, "2 observations in 2 .* rank 1 at most"),
        (lambda: ll.MultivariateNormal.fit([[1, 2], [2, 4], [3, 6], [7, 14]]), np.linalg.LinAlgError, "allow_singular=True"),
        (lambda: ll.MultivariateNormal.fit([[[1, 2], [np.nan, 4]]]), ValueError, r"x\[0, 1, 0\] = nan"),
    ],
)
def test_bad_data(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_ctrl_c_ends_a_fit(rng):
    """Between blocks, and the next fit is right."""
    row = rng.standard_normal(16)
    endless = np.broadcast_to(row, (10**9, 16))  # minutes
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            ll.Normal.fit(endless, axis=0)
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, previous)
    x = rng.standard_normal((1000, 3))
    np.testing.assert_allclose(ll.MultivariateNormal.fit(x).covariance, np.cov(x.T, ddof=0), rtol=1e-12)


def test_layouts_have_the_same_bits(rng):
    """Blocks that are parts of the array are handed on in longer pieces than those which are gathered."""
    x, w = rng.standard_normal((400_000, 5)), rng.random(400_000)
    strided, other = np.asfortranarray(x), np.repeat(w, 2)[::2]
    for weights, far in ((None, None), (w, other)):
        fit = ll.MultivariateNormal.fit(x, weights=weights)
        for again in (ll.MultivariateNormal.fit(strided, weights=weights), ll.MultivariateNormal.fit(x, weights=far)):
            assert fit == again
            assert fit.fit_report.log_likelihood == again.fit_report.log_likelihood


def test_bad_entries_are_named_where_they_are(rng):
    x = rng.standard_normal((30, 1000, 40))
    x[17, 999, 3] = np.inf
    for axis in (0, 1, 2, (0, 2), None):
        with pytest.raises(ValueError, match=r"x\[17, 999, 3\] = inf"):
            ll.Normal.fit(x, axis=axis)
    w = np.ones(x.shape)
    w[5, 6, 7] = -2
    x[17, 999, 3] = 0
    for axis in (0, 1, 2, (0, 2), None):
        with pytest.raises(ValueError, match=r"weights\[5, 6, 7\] = -2"):
            ll.Normal.fit(x, weights=w, axis=axis)


@each_family
def test_missing_values_are_left_out(family, rng):
    x = data(family, rng).astype(float)
    with_gaps = np.concatenate([x[:50], np.full_like(x[:1], np.nan), x[50:]])
    fit, whole = family.fit(with_gaps, nan_policy="omit"), family.fit(x)
    assert fit.fit_report.n == len(x)
    for name, value in fit._arguments().items():
        np.testing.assert_allclose(value, whole._arguments()[name], rtol=1e-13)
