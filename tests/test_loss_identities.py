"""What the losses are to each other and to the losses of other libraries."""

import numpy as np
import pytest
from scipy import optimize

import loglik as ll


def assert_ulp(a, b, most):
    np.testing.assert_array_max_ulp(np.asarray(a), np.asarray(b), most)


def test_two_classes_are_a_bernoulli_variable(dtype):
    rng = np.random.default_rng(0)
    z = np.concatenate([10 * rng.standard_normal(500), rng.uniform(-700, 700, 100), [0.0, -0.0]]).astype(dtype)
    y = rng.integers(0, 2, len(z))
    logits = np.stack([np.zeros_like(z), z], axis=-1)
    bernoulli, slope = ll.bernoulli_nll(y, logits=z, reduction="none", wrt="logits")
    categorical, rows = ll.categorical_nll(y, logits=logits, reduction="none", wrt="logits")
    assert_ulp(categorical, bernoulli, 3)
    assert_ulp(rows[:, 1] + 0, slope + 0, 3)  # signs of zero aside
    soft = rng.random(len(z)).astype(dtype)
    rows = np.stack([1 - soft, soft], axis=-1)
    np.testing.assert_allclose(
        ll.categorical_nll(rows, logits=logits, reduction="none"),
        ll.bernoulli_nll(soft, logits=z, reduction="none"),
        rtol=10 * np.finfo(dtype).eps,
    )


def test_probabilities_and_logits_agree():
    rng = np.random.default_rng(1)
    p = rng.uniform(0.01, 0.99, 1000)
    y = rng.integers(0, 2, 1000)
    by_logits = ll.bernoulli_nll(y, logits=np.log(p) - np.log1p(-p), reduction="none")
    np.testing.assert_allclose(ll.bernoulli_nll(y, probs=p, reduction="none"), by_logits, rtol=1e-13)
    by_hand = -np.where(y == 1, np.log(p), np.log1p(-p))  # binary cross-entropy
    assert_ulp(ll.bernoulli_nll(y, probs=p, reduction="none"), by_hand, 2)


def test_gaussian_likelihood_is_the_squared_error():
    rng = np.random.default_rng(2)
    y, f = rng.standard_normal((2, 10_000))
    for scale in (0.1, 1.0, 3.0):
        m = len(y)
        want = np.square(y - f).sum() / (2 * scale**2) + m * np.log(scale) + m / 2 * np.log(2 * np.pi)
        for keywords in ({"scale": scale}, {"variance": scale**2}, {"log_variance": 2 * np.log(scale)}):
            np.testing.assert_allclose(ll.gaussian_nll(y, mean=f, reduction="sum", **keywords), want, rtol=1e-14)
    values = ll.gaussian_nll(y, mean=f, scale=2.0, reduction="none")
    np.testing.assert_allclose(values, -ll.Normal(f, 2.0).log_prob(y), rtol=1e-14)


def test_the_lecture_s_sequence():
    x = [-1.0, 0.0, 1.0, 2.0]
    assert ll.gaussian_nll(x, mean=0.0, scale=1.0, reduction="sum") == pytest.approx(6.675754132818691, rel=1e-15)
    assert ll.gaussian_nll(x, mean=0.5, variance=1.25, reduction="sum") == pytest.approx(6.122041235447110, rel=1e-15)


def test_minimisers_agree():
    """Least squares, most likely Gaussian: one line. Its slope also minimises with a learned spread."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal(200)
    y = 2 * x - 1 + 0.5 * rng.standard_normal(200)
    slope, intercept = np.polyfit(x, y, 1)

    def objective(p):
        mean = p[0] * x + p[1]
        value, (mean_slope, spread_slope) = ll.gaussian_nll(y, mean=mean, log_variance=p[2], wrt=("mean", "log_variance"))
        return value, np.array([mean_slope @ x, mean_slope.sum(), spread_slope])

    found = optimize.minimize(objective, np.zeros(3), jac=True, method="BFGS", options={"gtol": 1e-10})
    np.testing.assert_allclose(found.x[:2], [slope, intercept], rtol=1e-6)
    np.testing.assert_allclose(np.exp(found.x[2]), np.square(y - slope * x - intercept).mean(), rtol=1e-6)


def test_the_vae_term_is_a_sum_of_normal_divergences():
    rng = np.random.default_rng(4)
    loc, log_variance = rng.standard_normal((2, 50, 8))
    want = ll.kl_divergence(ll.Normal(loc, np.exp(log_variance / 2)), ll.Normal(0.0, 1.0)).sum(axis=-1)
    np.testing.assert_allclose(ll.kl_standard_normal(loc, log_variance, reduction="none"), want, rtol=1e-13)


# ------------------------------------------------------------------------------- other libraries, where installed


def test_scikit_learn_log_loss():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(5)
    p, y = rng.uniform(0.01, 0.99, 1000), rng.integers(0, 2, 1000)
    np.testing.assert_allclose(ll.bernoulli_nll(y, probs=p), metrics.log_loss(y, p), rtol=1e-14)
    rows, labels = rng.dirichlet(np.ones(5), 1000), rng.integers(0, 5, 1000)
    np.testing.assert_allclose(
        ll.categorical_nll(labels, log_probs=np.log(rows)), metrics.log_loss(labels, rows, labels=range(5)), rtol=1e-13
    )


def test_torch_losses():
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    rng = np.random.default_rng(6)
    z, y = rng.standard_normal(1000), rng.integers(0, 2, 1000).astype(float)
    t = torch.from_numpy
    close = {"rtol": 1e-13}
    np.testing.assert_allclose(ll.bernoulli_nll(y, logits=z), functional.binary_cross_entropy_with_logits(t(z), t(y)), **close)
    p = 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(ll.bernoulli_nll(y, probs=p), functional.binary_cross_entropy(t(p), t(y)), **close)
    rows, labels = rng.standard_normal((300, 7)), rng.integers(0, 7, 300)
    for smoothing in (0.0, 0.2):
        want = functional.cross_entropy(t(rows), t(labels), label_smoothing=smoothing)
        np.testing.assert_allclose(ll.categorical_nll(labels, logits=rows, label_smoothing=smoothing), want, **close)
    labels[::3] = -100
    np.testing.assert_allclose(
        ll.categorical_nll(labels, logits=rows, ignore_index=-100), functional.cross_entropy(t(rows), t(labels)), **close
    )
    soft = rng.dirichlet(np.ones(7), 300)
    np.testing.assert_allclose(ll.categorical_nll(soft, logits=rows), functional.cross_entropy(t(rows), t(soft)), **close)
    m, v = rng.standard_normal(1000), rng.uniform(0.5, 2, 1000)
    want = functional.gaussian_nll_loss(t(m), t(z), t(v), full=True)
    np.testing.assert_allclose(ll.gaussian_nll(z, mean=m, variance=v), want, **close)
