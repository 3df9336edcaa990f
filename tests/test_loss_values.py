"""Edges and options of single losses, at every level; what every loss does is in `test_loss_registry.py`."""

import numpy as np
import pytest
from loss_registry import categorical_exact, mp

import loglik as ll
from loglik._kernels import loss_block


def exact(array):
    return [mp.mpf(float(x)) for x in np.ravel(array)]


def assert_close(got, want, scale, unit, bound, terms=1):
    """|got - want| <= bound·unit·scale, and two steps of the subnormal numbers for each term."""
    unit = mp.mpf(float(unit))
    least = terms * mp.mpf(2) ** (-1073 if unit < 1e-10 else -148)
    for i, (g, w, s) in enumerate(zip(np.ravel(got).tolist(), want, scale, strict=True)):
        assert abs(mp.mpf(g) - w) <= bound * unit * s + least, (i, g, mp.nstr(w, 20))


# ------------------------------------------------------------------------------- Gaussian


def test_gaussian_nll_at_the_edges(dtype):
    def nll(targets, mean, **spread):
        return ll.gaussian_nll(np.asarray(targets, dtype), mean=np.asarray(mean, dtype), reduction="none", **spread)

    inf, nan, one = np.inf, np.nan, dtype.type(1)
    np.testing.assert_array_equal(nll([inf, -inf, 0.0], [0.0, 0.0, inf], variance=one), [inf] * 3)
    assert np.isnan(nll([nan, 0.0, inf], [0.0, nan, inf], variance=one)).all()
    assert np.isnan(nll([0.0], [0.0], variance=dtype.type(nan))).all()
    big = float(np.finfo(dtype).max) / 4
    assert np.isfinite(nll([big], [-big], scale=dtype.type(big)))  # the square would overflow
    tiny = float(np.finfo(dtype).smallest_subnormal)
    assert np.isfinite(nll([0.0], [0.0], variance=dtype.type(tiny)))
    # A target on the mean, with a variance of exp(-2000) or exp(2000): no 0·inf.
    np.testing.assert_allclose(nll([1.0], [1.0], log_variance=dtype.type(-2000)), -1000 + np.log(2 * np.pi) / 2, rtol=1e-6)
    np.testing.assert_allclose(nll([1.0], [0.0], log_variance=dtype.type(2000)), 1000 + np.log(2 * np.pi) / 2, rtol=1e-6)


# ------------------------------------------------------------------------------- the VAE's term


@pytest.mark.parametrize("width", [1, 2, 15, 16, 17, 512, 5000])
def test_kl_standard_normal_sums_over_events(dtype, width):
    rng = np.random.default_rng(width)
    loc, log_variance = rng.standard_normal((2, 7, width)).astype(dtype)
    wide = loc.astype(float), log_variance.astype(float)
    terms = 0.5 * (wide[0] ** 2 + np.expm1(wide[1]) - wide[1])
    close = {"rtol": 8 * np.finfo(dtype).eps}
    np.testing.assert_allclose(ll.kl_standard_normal(loc, log_variance, reduction="none"), terms.sum(axis=1), **close)
    np.testing.assert_allclose(ll.kl_standard_normal(loc, log_variance), terms.sum() / 7, **close)
    np.testing.assert_allclose(ll.kl_standard_normal(loc, log_variance, reduction="sum"), terms.sum(), **close)
    weights = np.arange(7.0)
    weighted = ll.kl_standard_normal(loc, log_variance, weights=weights)
    np.testing.assert_allclose(weighted, (weights * terms.sum(axis=1)).sum() / weights.sum(), **close)


def test_kl_standard_normal_event_axes():
    rng = np.random.default_rng(3)
    loc, log_variance = rng.standard_normal((2, 3, 4, 5))
    terms = 0.5 * (loc**2 + np.expm1(log_variance) - log_variance)
    for axes in (0, 1, 2, -3, (0, 1), (2, 0), (0, 1, 2)):
        got = ll.kl_standard_normal(loc, log_variance, event_axis=axes, reduction="none")
        np.testing.assert_allclose(got, terms.sum(axis=axes), rtol=1e-14)
        _, (a, b) = ll.kl_standard_normal(loc, log_variance, event_axis=axes, wrt=("loc", "log_variance"), reduction="sum")
        np.testing.assert_allclose(a, loc)
        np.testing.assert_allclose(b, 0.5 * np.expm1(log_variance), rtol=1e-14)
    _, (a, b) = ll.kl_standard_normal(loc[0], log_variance, event_axis=0, wrt=("loc", "log_variance"), reduction="sum")
    np.testing.assert_allclose(a, 3 * loc[0])
    assert b.shape == (3, 4, 5)
    assert ll.kl_standard_normal(np.zeros((3, 0)), np.zeros((3, 0)), reduction="none").tolist() == [0, 0, 0]
    for axis in (None, 0):  # events without coordinates
        value, (a, b) = ll.kl_standard_normal(np.zeros(0), np.zeros((3, 0)), axis=axis, wrt=("loc", "log_variance"))
        assert (value, a.shape, b.shape) == (0, (0,), (3, 0))
    inf = ll.kl_standard_normal([[np.inf], [0.0], [0.0]], [[0.0], [np.inf], [-np.inf]], reduction="none")
    assert inf.tolist() == [np.inf] * 3
    for axes, message in ((3, "out of range"), ((0, 0), "repeated axis"), ((), "at least one")):
        with pytest.raises(ValueError, match=message):
            ll.kl_standard_normal(loc, log_variance, event_axis=axes)
    with pytest.raises(ValueError, match="scalars"):
        ll.kl_standard_normal(0.0, 0.0)


# ------------------------------------------------------------------------------- categorical


@pytest.mark.parametrize("classes", [2, 3, 10, 32, 33, 100, 1024])
@pytest.mark.parametrize("spread", [1.0, 30.0, 300.0])
def test_categorical_nll_is_the_definition(level, dtype, classes, spread):
    rows = 17 if classes < 100 else 3  # one more than what is taken together
    rng = np.random.default_rng(classes)
    logits = (spread * rng.standard_normal((rows, classes)) + rng.choice([0, 0, 900], (rows, 1))).astype(dtype)
    labels = np.where(rng.random(rows) < 0.5, logits.argmax(axis=1), rng.integers(0, classes, rows))
    values, gradient = np.empty(rows, dtype), np.empty(rows * classes, dtype)
    more = {"values": values, "gradients": (gradient, None), "width": classes, "level": level}
    loss_block("categorical_nll", "logits", labels, (logits.ravel(),), **more)
    unit = np.finfo(dtype).eps / 2
    shares = ([mp.mpf(int(k == label)) for k in range(classes)] for label in labels)
    want = [categorical_exact(exact(z), share) for z, share in zip(logits, shares, strict=True)]
    value = [row.value for row in want]
    assert_close(values, value, value, unit, 8, classes)  # 4 ulp
    slope = [s for row in want for s in row.slopes[0]]
    assert_close(gradient, slope, map(abs, slope), unit, 8)


@pytest.mark.parametrize("margin", [0.0, 1e-9, 40.0, 100.0, 700.0, 745.0, 800.0, 1e5])
def test_a_label_that_wins_or_loses(level, margin):
    for classes, label in ((2, 0), (5, 3), (64, 40)):
        logits = np.full((16, classes), 3.25)
        logits[:, label] += margin
        margin = logits[0, label] - 3.25  # as it is in floating point
        values = np.empty(16)
        labels = np.full(16, label)
        loss_block("categorical_nll", "logits", labels, (logits.ravel(),), values=values, width=classes, level=level)
        want = mp.log1p((classes - 1) * mp.exp(-mp.mpf(margin)))
        assert_close(values, [want] * 16, [want] * 16, 2.0**-53, 8, classes)
        loss_block(
            "categorical_nll", "logits", (labels + 1) % classes, (logits.ravel(),), values=values, width=classes, level=level
        )
        assert_close(values, [want + margin] * 16, [want + margin] * 16, 2.0**-53, 4)


def test_masked_and_infinite_logits(dtype):
    def nll(targets, logits, **keywords):
        return ll.categorical_nll(targets, logits=np.array(logits, dtype), reduction="none", **keywords).tolist()

    inf = np.inf
    log2 = float(np.log(dtype.type(2)))
    for pad in (0, 1, 40):  # rows taken together, rows alone, long rows
        masked = [-inf] * pad
        for times in (1, 16):
            assert nll([0] * times, [[0.0, 0.0, -inf, *masked]] * times) == pytest.approx([log2] * times)
            assert nll([2] * times, [[0.0, 0.0, -inf, *masked]] * times) == [inf] * times
            assert nll([1] * times, [[-inf, 5.0, -inf, *masked]] * times) == [0.0] * times
            assert nll([0] * times, [[inf, 5.0, -inf, *masked]] * times) == [0.0] * times
            assert nll([1] * times, [[inf, 5.0, -inf, *masked]] * times) == [inf] * times
            assert np.isnan(nll([1] * times, [[-inf, -inf, *masked]] * times)).all()
            assert np.isnan(nll([1] * times, [[np.nan, 0.0, *masked]] * times)).all()
            assert np.isnan(nll([0] * times, [[0.0, np.nan, *masked]] * times)).all()
    # NaN touches its own row only.
    logits = np.zeros((40, 5), dtype)
    logits[7, 3] = np.nan
    value, gradient = ll.categorical_nll(np.zeros(40, int), logits=logits, reduction="none", wrt="logits")
    assert np.flatnonzero(np.isnan(value)).tolist() == [7]
    assert np.flatnonzero(np.isnan(gradient).any(axis=1)).tolist() == [7]
    # A soft target of 0 on a masked class costs nothing.
    assert nll([[0.5, 0.5, 0.0]], [[0.0, 0.0, -inf]]) == pytest.approx([log2])
    assert nll([[0.5, 0.25, 0.25]], [[0.0, 0.0, -inf]]) == [inf]
    log_probs = np.array([[0.0, -inf], [0.0, -inf]], dtype)
    assert ll.categorical_nll([0, 1], log_probs=log_probs, reduction="none").tolist() == [0, inf]


@pytest.mark.parametrize("classes", [3, 10, 40, 200])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("form", ["logits", "log_probs"])
def test_soft_targets_and_smoothing(dtype, classes, smoothing, soft, form):
    rng = np.random.default_rng(classes)
    n = 19
    model = (3 * rng.standard_normal((n, classes))).astype(dtype)
    targets = rng.dirichlet(np.ones(classes), n).astype(dtype) if soft else rng.integers(0, classes, n)
    wide = model.astype(float)
    hard = targets.astype(float) if soft else np.eye(classes)[targets]
    t = (1 - smoothing) * hard + smoothing / classes
    shifted = wide - wide.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)) if form == "logits" else wide
    value, gradient = ll.categorical_nll(targets, **{form: model}, label_smoothing=smoothing, wrt=form, reduction="none")
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(value, -(t * log_p).sum(axis=1), rtol=20 * eps, atol=20 * eps * np.abs(log_p).max())
    np.testing.assert_allclose(gradient, (np.exp(log_p) if form == "logits" else 0) - t, atol=8 * eps)


def test_ignored_classes_do_not_count(dtype):
    rng = np.random.default_rng(2)
    for classes in (4, 50):
        logits = rng.standard_normal((100, classes)).astype(dtype)
        labels = rng.integers(0, classes, 100)
        gone = rng.random(100) < 0.3
        marked = np.where(gone, -100, labels)
        logits[np.flatnonzero(gone)[0]] = np.nan  # nor does what is behind them
        for weights in (None, rng.random(100)):
            kept = None if weights is None else weights[~gone]
            for axis in (None, 0):
                want, slope = ll.categorical_nll(labels[~gone], logits=logits[~gone], weights=kept, axis=axis, wrt="logits")
                got, gradient = ll.categorical_nll(
                    marked, logits=logits, weights=weights, axis=axis, wrt="logits", ignore_index=-100
                )
                np.testing.assert_allclose(got, want, rtol=8 * np.finfo(dtype).eps)
                np.testing.assert_allclose(gradient[~gone], slope, rtol=1e-5, atol=1e-8)
                assert (gradient[gone] == 0).all()
        values = ll.categorical_nll(marked, logits=logits, ignore_index=-100, reduction="none")
        assert (values[gone] == 0).all()
    with pytest.raises(ValueError, match=r"targets must be a class from 0 to 3, but targets\[1\] = -100"):
        ll.categorical_nll([0, -100], logits=np.zeros((2, 4)))
    with np.errstate(invalid="ignore"):
        assert np.isnan(ll.categorical_nll([-1, -1], logits=np.zeros((2, 4)), ignore_index=-1))


@pytest.mark.parametrize(
    "arguments,error,message",
    [
        ({"targets": [0, 4], "logits": np.zeros((2, 4))}, ValueError, r"class from 0 to 3, but targets\[1\] = 4"),
        ({"targets": [[0], [-1]], "logits": np.zeros((2, 1, 4))}, ValueError, r"targets\[1, 0\] = -1"),
        ({"targets": np.array([2**64 - 1], np.uint64), "logits": np.zeros((1, 4))}, ValueError, r"18446744073709551615"),
        ({"targets": [[0.5, 0.6]], "logits": np.zeros((1, 2))}, ValueError, r"must sum to 1, but targets\[0\] sums to 1.1"),
        ({"targets": [[0.5, -0.5]], "logits": np.zeros((1, 2))}, ValueError, r"in \[0, 1\], but targets\[0, 1\] = -0.5"),
        ({"targets": [[0.5, np.nan]], "logits": np.zeros((1, 2))}, ValueError, r"targets\[0, 1\] = nan"),
        ({"targets": [0.0, 1.0], "logits": np.zeros((2, 3))}, ValueError, "must be integers"),
        ({"targets": [0], "logits": 1.0}, ValueError, "classes on its last axis"),
        ({"targets": [0], "logits": np.zeros((1, 0))}, ValueError, "classes on its last axis"),
        ({"targets": [0]}, ValueError, "exactly one of logits and log_probs"),
        ({"targets": [0, 1, 2], "logits": np.zeros((2, 3))}, ValueError, "do not broadcast"),
        ({"targets": [0], "logits": np.zeros((1, 3)), "label_smoothing": 1.5}, ValueError, r"label_smoothing must be in"),
        ({"targets": [0], "logits": np.zeros((1, 3)), "label_smoothing": "a"}, TypeError, "label_smoothing must be a number"),
        ({"targets": [0], "logits": np.zeros((1, 3)), "ignore_index": 0.5}, TypeError, "ignore_index must be an integer"),
        ({"targets": [[1.0, 0.0]], "logits": np.zeros((1, 2)), "ignore_index": 0}, TypeError, "rows of probabilities"),
        ({"targets": [0], "logits": np.zeros((1, 3)), "wrt": "log_probs"}, ValueError, "can be taken in: 'logits'"),
    ],
)
def test_bad_categorical_input_is_named(arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        ll.categorical_nll(**arguments)
    assert str(caught.value).startswith("categorical_nll: ")
