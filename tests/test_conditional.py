"""MultivariateNormal.condition against the definition: log p(rest | given) = log p(all) - log p(given), and mpmath."""

import re

import mpmath
import numpy as np
import pytest

import loglik as ll


def spd(rng, d, *batch):
    a = rng.standard_normal((*batch, d, d))
    return a @ a.swapaxes(-1, -2) / d + 0.1 * np.eye(d)


def made(form, loc, covariance):
    if form == "covariance":
        return ll.MultivariateNormal(loc, covariance)
    if form == "scale_tril":
        return ll.MultivariateNormal(loc, scale_tril=np.linalg.cholesky(covariance))
    if form == "precision":
        inverse = np.linalg.inv(covariance)
        return ll.MultivariateNormal(loc, precision=(inverse + inverse.swapaxes(-1, -2)) / 2)
    return ll.MultivariateNormal(loc, variance=np.diagonal(covariance, axis1=-2, axis2=-1))


@pytest.mark.parametrize("form", ["covariance", "scale_tril", "precision", "variance"])
@pytest.mark.parametrize("observed", [[0], [2], [3, 1], [-1, 0, 2], [4, 3, 2, 1]])
@pytest.mark.parametrize("batch", [(), (3,)])
def test_density_is_joint_over_marginal(form, observed, batch):
    rng = np.random.default_rng(len(observed))
    joint = made(form, rng.standard_normal((*batch, 5)), spd(rng, 5, *batch))
    x = rng.standard_normal(5)
    conditional = joint.condition({i: x[i] for i in observed})
    rest = [i for i in range(5) if i not in [j % 5 for j in observed]]
    assert conditional.batch_shape == batch
    assert conditional.event_shape == (len(rest),)
    expected = joint.log_prob(x) - joint.marginal(observed).log_prob(x[observed])
    np.testing.assert_allclose(conditional.log_prob(x[rest]), expected, rtol=1e-11, atol=1e-11)


def test_against_mpmath():
    rng = np.random.default_rng(2)
    a, mu, x = spd(rng, 4), rng.standard_normal(4), rng.standard_normal(4)
    got = ll.MultivariateNormal(mu, a).condition({2: x[2], 0: x[0]})
    with mpmath.workdps(50):
        block = lambda rows, columns: mpmath.matrix([[mpmath.mpf(a[i, j]) for j in columns] for i in rows])  # noqa: E731
        o, r = [0, 2], [1, 3]
        gain = block(r, o) * block(o, o) ** -1
        mean = [mpmath.mpf(mu[i]) for i in r]
        difference = mpmath.matrix([mpmath.mpf(x[i]) - mpmath.mpf(mu[i]) for i in o])
        mean = mpmath.matrix(mean) + gain * difference
        covariance = block(r, r) - gain * block(o, r)
        np.testing.assert_allclose(got.mean, [float(v) for v in mean], rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(got.covariance, [[float(covariance[i, j]) for j in range(2)] for i in range(2)], rtol=2e-14)


def test_nearly_perfect_correlation_keeps_its_digits():
    """1 - rho² = 2e-12: a subtraction from the covariance would leave four digits."""
    factor = np.array([[1.0, 0.0], [1.0, 1.4e-6]])
    got = ll.MultivariateNormal([0, 0], scale_tril=factor).condition({0: 3.0})
    assert got.mean == pytest.approx([3.0], rel=1e-15)
    assert got.std == pytest.approx([1.4e-6], rel=1e-15)


def test_values_broadcast():
    rng = np.random.default_rng(3)
    joint = ll.MultivariateNormal(rng.standard_normal((2, 1, 3)), spd(rng, 3))
    heights, weights = rng.standard_normal(4), rng.standard_normal((2, 1))
    many = joint.condition({0: heights, 2: weights})
    assert many.batch_shape == (2, 4)
    for i in range(2):
        for k in range(4):
            one = ll.MultivariateNormal(joint.mean[i, 0], joint.covariance[i, 0]).condition({0: heights[k], 2: weights[i, 0]})
            np.testing.assert_allclose(many.mean[i, k], one.mean, rtol=1e-14)
            np.testing.assert_allclose(many.covariance[i, k], one.covariance, rtol=1e-14)
    for form in ("precision", "variance"):
        assert made(form, np.zeros(3), spd(rng, 3)).condition({1: heights}).batch_shape == (4,)
    assert joint.condition({0: np.zeros((0, 1, 1))}).batch_shape == (0, 2, 1)


def test_types():
    joint = ll.MultivariateNormal(np.zeros(2, np.float32), np.eye(2, dtype=np.float32))
    assert joint.condition({0: 1.0}).dtype == np.float32
    assert joint.condition({0: np.float32(1)}).dtype == np.float32
    assert joint.condition({0: np.array([1, 2])}).dtype == np.float32
    assert joint.condition({0: np.array([1.0])}).dtype == np.float64


def test_forms_are_kept_where_they_say_it_all():
    precision = np.array([[2.0, 0.5, 0.1], [0.5, 3.0, 0.2], [0.1, 0.2, 1.0]])
    got = ll.MultivariateNormal(np.zeros(3), precision=precision).condition({1: 1.0})
    assert repr(got).startswith("MultivariateNormal(loc=array([")
    assert "precision=array([[2. , 0.1],\n       [0.1, 1. ]])" in repr(got)
    assert "variance=array([2.])" in repr(ll.MultivariateNormal([0, 0], variance=[1.0, 2.0]).condition({0: 1.0}))


def test_perfect_correlation_leaves_a_point():
    line = ll.MultivariateNormal([0.0, 1.0], [[1.0, 2.0], [2.0, 4.0]], allow_singular=True)
    point = line.condition({0: 3.0})
    assert point.mean == pytest.approx([7.0])
    assert point.rank == 0
    assert np.array_equal(point.log_prob([[7.0], [7.5]]), [0.0, -np.inf])
    with pytest.raises(np.linalg.LinAlgError, match=re.escape("coordinates [0, 1] determine each other (their rank = 1 of 2)")):
        ll.MultivariateNormal([0.0] * 3, np.ones((3, 3)) + np.diag([0, 0, 1.0]), allow_singular=True).condition({0: 1, 1: 1})
    plane = ll.MultivariateNormal([0.0] * 3, [[1.0, 1.0, 0.5], [1.0, 1.0, 0.5], [0.5, 0.5, 2.0]], allow_singular=True)
    rest = plane.condition({2: 1.0})
    assert rest.rank == 1
    assert rest.mean == pytest.approx([0.25, 0.25])
    assert rest.covariance == pytest.approx(np.full((2, 2), 0.875))
    point = plane.condition({0: 1.0})
    assert point.rank == 1
    assert point.mean == pytest.approx([1.0, 0.5])
    assert point.variance == pytest.approx([0.0, 1.75])


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({}, ValueError, "at least one coordinate"),
        ({0: 1, 1: 2, 2: 3}, ValueError, "must leave at least one coordinate, but all 3 are given"),
        ({3: 1.0}, ValueError, "indices must be from -3 to 2, but indices[0] = 3"),
        ({0: 1.0, -3: 2.0}, ValueError, "indices[1] = -3 is coordinate 0 again"),
        ({0.5: 1.0}, TypeError, "indices must be integers"),
        ({"a": 1.0}, TypeError, "indices must be integers"),
        ({0: np.nan}, ValueError, "values[0] must be finite, but values[0] = nan"),
        ({1: [0.0, np.inf]}, ValueError, "values[1] must be finite, but values[1][1] = inf"),
        ({0: "x"}, TypeError, "values[0]"),
        ({0: [1.0, 2.0], 1: [1.0, 2.0, 3.0]}, ValueError, "values[0] (2,), values[1] (3,)"),
        ([1.0], TypeError, "values must be a mapping from coordinates to values, got list"),
    ],
)
def test_bad_input(values, error, message):
    with pytest.raises(error, match=re.escape("MultivariateNormal.condition: ") + ".*" + re.escape(message)):
        ll.MultivariateNormal(np.zeros(3), np.eye(3)).condition(values)
