"""Bernoulli negative log-likelihood: sums, edges, reductions, weights, gradients. What losses share: `test_loss_registry.py`."""

import math

import mpmath
import numpy as np
import pytest

import loglik as ll
from loglik._engine.parallel import num_threads

mp = mpmath.mp.clone()
mp.dps = 50


def exact_nll(target, logit):
    """The definition for finite logits, as an mpf."""
    t, x = mp.mpf(float(target)), mp.mpf(float(logit))
    return t * mp.log1p(mp.exp(-x)) + (1 - t) * mp.log1p(mp.exp(x))


def sample(dtype, shape, soft=False, seed=0, spread=10.0):
    rng = np.random.default_rng(seed)
    targets = rng.random(shape) if soft else rng.integers(0, 2, shape)
    return targets.astype(dtype), (spread * rng.standard_normal(shape)).astype(dtype)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n", [0, 1, 5, 15, 16, 17, 63, 64, 65, 1000, 4095, 4096, 4097])
def test_sum_is_the_definition(dtype, n, soft):
    targets, logits = sample(dtype, n, soft)
    got = ll.bernoulli_nll(targets, logits=logits, reduction="sum")
    exact = mp.fsum(exact_nll(t, x) for t, x in zip(targets, logits, strict=True))
    assert got.dtype == dtype
    assert abs(mp.mpf(float(got)) - exact) <= 4 * np.finfo(dtype).eps * exact


@pytest.mark.parametrize("low,high", [(20, 30), (33, 36), (60, 80), (300, 700)])
def test_sum_of_confident_predictions_keeps_its_digits(low, high):
    # Σ log1p(e) with e < 2**-53: a product of 1 + e would be 1
    rng = np.random.default_rng(1)
    logits = rng.uniform(low, high, 3200)
    got = ll.bernoulli_nll(np.ones(3200), logits=logits, reduction="sum")
    exact = mp.fsum(mp.log1p(mp.exp(-mp.mpf(x))) for x in logits)
    assert abs(mp.mpf(float(got)) - exact) <= 4 * mp.mpf(2) ** -53 * exact


def test_mean_sum_none_agree_with_each_other_and_with_axis(dtype):
    targets, logits = sample(dtype, (7, 3, 1500))
    none = ll.bernoulli_nll(targets, logits=logits, reduction="none")
    assert none.shape == logits.shape
    assert none.dtype == dtype
    wide = none.astype(np.float64)
    close = {"rtol": 8 * np.finfo(dtype).eps}
    np.testing.assert_allclose(ll.bernoulli_nll(targets, logits=logits), wide.mean(), **close)
    for axis in (0, 1, -1, (0, 1), (0, 2), (2, 0), (1, 2), (0, 1, 2)):
        got = ll.bernoulli_nll(targets, logits=logits, axis=axis)
        np.testing.assert_allclose(got, wide.mean(axis=axis), **close)
        got = ll.bernoulli_nll(targets, logits=logits, axis=axis, reduction="sum")
        assert got.shape == wide.sum(axis=axis).shape
        np.testing.assert_allclose(got, wide.sum(axis=axis), **close)


EDGES = [
    # target, logit, value, gradient in the logit
    (0.0, -math.inf, 0.0, 0.0),
    (1.0, math.inf, 0.0, 0.0),
    (0.9, -math.inf, math.inf, -0.9),
    (0.9, math.inf, math.inf, 1 - 0.9),
    (1.0, -math.inf, math.inf, -1.0),
    (0.0, math.inf, math.inf, 1.0),
    (1.0, 800.0, 0.0, -0.0),
    (0.0, 800.0, 800.0, 1.0),
    (1.0, -800.0, 800.0, -1.0),
]


@pytest.mark.parametrize("target,logit,value,gradient", EDGES)
def test_infinite_and_certain_logits(target, logit, value, gradient):
    for reduction in ("none", "sum", "mean"):
        got = ll.bernoulli_nll([target], logits=[logit], reduction=reduction, wrt="logits")
        np.testing.assert_array_equal(np.ravel(got[0]), [value])
        np.testing.assert_allclose(got[1], [gradient], rtol=1e-15, atol=0)


def test_no_logit_gives_nan(dtype):
    # every value where the exponential runs out, and those around it
    logits = np.concatenate([np.linspace(-1200, 1200, 200_001), np.linspace(700, 760, 100_001)]).astype(dtype)
    for targets in (0.0, 0.25, 1.0):
        for reduction in ("none", "sum"):
            value, gradient = ll.bernoulli_nll(targets, logits=logits, reduction=reduction, wrt="logits")
            assert np.isfinite(value).all()
            assert np.isfinite(gradient).all()


def test_probabilities_are_not_clamped(dtype):
    p = np.array([0.0, 1.0, 0.0, 1.0, 0.25, 1e-30], dtype)
    t = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0], dtype)
    got = ll.bernoulli_nll(t, probs=p, reduction="none")
    want = [0.0, 0.0, np.inf, np.inf, math.log(4), 1e-30]
    np.testing.assert_allclose(got, want, rtol=2 * np.finfo(dtype).eps)
    _, gradient = ll.bernoulli_nll(t, probs=p, reduction="sum", wrt="probs")
    np.testing.assert_allclose(gradient, [1.0, -1.0, -np.inf, np.inf, -4.0, 1.0], rtol=2 * np.finfo(dtype).eps)


def test_gradient_of_the_mean_and_of_rows():
    targets, logits = sample(np.float64, (5, 40))
    _, full = ll.bernoulli_nll(targets, logits=logits, reduction="sum", wrt="logits")
    _, mean = ll.bernoulli_nll(targets, logits=logits, wrt="logits")
    np.testing.assert_allclose(mean, full / 200, rtol=1e-15)
    value, (rows,) = ll.bernoulli_nll(targets, logits=logits, axis=0, wrt=("logits",))
    assert value.shape == (40,)
    np.testing.assert_allclose(rows, full / 5, rtol=1e-15)


def test_gradient_has_the_shape_of_its_argument():
    targets, _ = sample(np.float64, (6, 5))
    for shape in ((5,), (6, 1), (1, 5), ()):
        logits = np.random.default_rng(0).standard_normal(shape)
        value, gradient = ll.bernoulli_nll(targets, logits=logits, wrt="logits")
        assert np.shape(gradient) == shape
        h = 1e-6
        for index in np.ndindex(shape):
            up, down = logits.copy(), logits.copy()
            up[index] += h
            down[index] -= h
            slope = (ll.bernoulli_nll(targets, logits=up) - ll.bernoulli_nll(targets, logits=down)) / (2 * h)
            assert abs(np.asarray(gradient)[index] - slope) < 1e-9
        assert value == ll.bernoulli_nll(targets, logits=np.broadcast_to(logits, (6, 5)))


def test_weights_equal_repeated_rows(dtype):
    targets, logits = sample(dtype, 60)
    counts = np.random.default_rng(5).integers(0, 4, 60)
    repeated = ll.bernoulli_nll(np.repeat(targets, counts), logits=np.repeat(logits, counts))
    weighted, gradient = ll.bernoulli_nll(targets, logits=logits, weights=counts, wrt="logits")
    np.testing.assert_allclose(weighted, repeated, rtol=8 * np.finfo(dtype).eps)
    _, plain = ll.bernoulli_nll(targets, logits=logits, reduction="sum", wrt="logits")
    np.testing.assert_allclose(gradient, plain * (counts / counts.sum()), rtol=8 * np.finfo(dtype).eps)
    rows = ll.bernoulli_nll(targets.reshape(6, 10), logits=logits.reshape(6, 10), weights=counts.reshape(6, 10), axis=1)
    for row in range(6):
        part = slice(10 * row, 10 * row + 10)
        one = ll.bernoulli_nll(targets[part], logits=logits[part], weights=counts[part])
        np.testing.assert_allclose(rows[row], one, rtol=8 * np.finfo(dtype).eps)


def test_weight_zero_takes_an_impossible_outcome_out():
    got = ll.bernoulli_nll([1, 1], logits=[-np.inf, 0.0], weights=[0, 1], reduction="sum")
    assert got == pytest.approx(math.log(2), rel=4 * 2.0**-52)


def test_weights_per_column_long_rows_and_sum():
    targets, logits = sample(np.float64, (3, 70_000))
    weights = np.random.default_rng(6).random(70_000)
    values = ll.bernoulli_nll(targets, logits=logits, reduction="none")
    got = ll.bernoulli_nll(targets, logits=logits, weights=weights, axis=1)
    np.testing.assert_allclose(got, values @ weights / weights.sum(), rtol=1e-14)
    got = ll.bernoulli_nll(targets, logits=logits, weights=weights, reduction="sum")
    np.testing.assert_allclose(got, (values @ weights).sum(), rtol=1e-14)


def test_dtype_rules():
    t64, x32 = np.array([0.0, 1.0]), np.array([0.5, -1.0], np.float32)
    assert ll.bernoulli_nll(t64, logits=x32).dtype == np.float32
    assert ll.bernoulli_nll(t64, logits=x32.astype(np.float16)).dtype == np.float32
    assert ll.bernoulli_nll([0, 1], logits=[1, 2]).dtype == np.float64
    assert ll.bernoulli_nll(t64.astype(np.float32), logits=x32.astype(np.float64)).dtype == np.float64
    for kind in (np.bool_, np.int8, np.uint64, np.float16):
        assert ll.bernoulli_nll(t64.astype(kind), logits=x32) == ll.bernoulli_nll(t64, logits=x32)


def test_out_holds_the_result_also_when_it_is_an_input(dtype):
    targets, logits = sample(dtype, (4, 100))
    want, slope = ll.bernoulli_nll(targets, logits=logits, reduction="none", wrt="logits")
    out = (np.empty((4, 100), dtype), np.empty((4, 100), dtype))
    got = ll.bernoulli_nll(targets, logits=logits, reduction="none", wrt="logits", out=out)
    assert got[0] is out[0]
    assert got[1] is out[1]
    np.testing.assert_array_equal(out[0], want)
    np.testing.assert_array_equal(out[1], slope)
    mine = logits.copy()
    ll.bernoulli_nll(targets, logits=mine, reduction="none", out=mine)
    np.testing.assert_array_equal(mine, want)
    columns = np.zeros((4, 200), dtype)
    ll.bernoulli_nll(targets, logits=logits, reduction="none", out=columns[:, ::2])
    np.testing.assert_array_equal(columns[:, ::2], want)
    scalar = np.empty((), dtype)
    assert ll.bernoulli_nll(targets, logits=logits, out=scalar) is scalar
    assert scalar == ll.bernoulli_nll(targets, logits=logits)


def test_empty_input():
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"):
        assert np.isnan(ll.bernoulli_nll([], logits=[]))
    assert ll.bernoulli_nll([], logits=[], reduction="sum") == 0
    assert ll.bernoulli_nll([], logits=[], reduction="none").shape == (0,)
    assert ll.bernoulli_nll(np.zeros((0, 3)), logits=np.zeros((0, 3)), axis=1).shape == (0,)
    with pytest.warns(RuntimeWarning):
        got = ll.bernoulli_nll(np.zeros((3, 0)), logits=np.zeros((3, 0)), axis=1)
    assert np.isnan(got).all()
    assert got.shape == (3,)


BAD = [
    ({"targets": [0.5, np.nan], "logits": [0.0, 1.0]}, ValueError, r"targets\[1\] = nan"),
    ({"targets": [[0, 1], [1, -0.5]], "logits": 0.0}, ValueError, r"targets\[1, 1\] = -0.5"),
    ({"targets": [0, 1], "logits": [0.0, 1.0, 2.0]}, ValueError, r"do not broadcast: targets \(2,\), logits \(3,\)"),
    ({"targets": [0], "logits": [0.0], "wrt": "probs"}, ValueError, "wrt names 'probs'; .*'logits'"),
]


@pytest.mark.parametrize("arguments,error,message", BAD)
def test_bad_input_is_named(arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        ll.bernoulli_nll(**arguments)
    assert str(caught.value).startswith("bernoulli_nll: ")


def test_first_bad_target_is_named_for_any_axis_and_threads():
    targets, logits = sample(np.float32, (300, 701))
    targets[200, 3] = 7
    targets[250, 600] = 8
    for axis in (None, 1):
        for threads in (1, 3):
            with num_threads(threads), pytest.raises(ValueError, match=r"targets\[200, 3\] = 7"):
                ll.bernoulli_nll(targets, logits=logits, axis=axis)
    with pytest.raises(ValueError, match=r"targets\[200, 3\] = 7"):
        ll.bernoulli_nll(targets, logits=logits, axis=0)


def test_negative_zero_is_a_logit(dtype):
    for logits in ([0.0] * 20, [-0.0] * 20):
        for target in (0.0, 0.25, 1.0):
            for keywords in ({"reduction": "sum"}, {"reduction": "none"}):
                z = np.array(logits, dtype)
                _, gradient = ll.bernoulli_nll([target] * 20, logits=z, wrt="logits", **keywords)
                assert (gradient == 0.5 - target).all()


def test_negative_zero_is_a_target():
    assert ll.bernoulli_nll([-0.0], logits=[-3.0]) == ll.bernoulli_nll([0.0], logits=[-3.0])
