"""What all losses share: reductions, axes, weights, layouts, threads, outputs, gradients of broadcast arguments."""

import itertools

import numpy as np
import pytest
from loss_registry import LOSSES
from memory_tools import peak_memory

import loglik as ll
from loglik import available_isas
from loglik._engine.parallel import num_threads
from loglik._kernels import loss_block
from loglik._losses import evaluation

every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def bits(result):
    """The bytes of a value, or of a value and its gradients."""
    value, gradients = result if isinstance(result, tuple) else (result, ())
    return [np.ascontiguousarray(a).tobytes() for a in (value, *gradients)]


# ------------------------------------------------------------------------------- reductions


@every_loss
def test_reductions_follow_from_the_values(loss, dtype):
    arguments = loss.sample(dtype, (7, 3, 150))
    weights = np.random.default_rng(1).random((7, 1, 150)).astype(dtype)
    none = loss(arguments, reduction="none").astype(np.float64)
    assert none.shape == (7, 3, 150)
    wide = np.broadcast_to(weights, none.shape).astype(np.float64)
    close = {"rtol": 20 * np.finfo(dtype).eps, "atol": 20 * np.finfo(dtype).eps}
    for axis in (None, 0, 1, -1, (0, 2), (1, 2), (0, 1, 2)):
        np.testing.assert_allclose(loss(arguments, axis=axis), none.mean(axis=axis), **close)
        np.testing.assert_allclose(loss(arguments, axis=axis, reduction="sum"), none.sum(axis=axis), **close)
        mean = loss(arguments, axis=axis, weights=weights)
        np.testing.assert_allclose(mean, (wide * none).sum(axis=axis) / wide.sum(axis=axis), **close)
    np.testing.assert_allclose(loss(arguments, weights=weights, reduction="none"), wide * none, **close)


@every_loss
def test_gradients_are_those_of_the_reduced_value(loss, dtype):
    """Sum, mean and weighted mean differ by factors only; along an axis as well."""
    arguments = loss.sample(dtype, (6, 50))
    weights = np.random.default_rng(1).random((6, 50))
    weights[2, 3] = 0
    _, unit = loss(arguments, reduction="sum", wrt=loss.model)
    unit = [g.astype(np.float64) for g in unit]
    tail = (...,) + (None,) * loss.core
    eps = np.finfo(dtype).eps

    def check(factor, **keywords):
        _, gradients = loss(arguments, wrt=loss.model, **keywords)
        for g, u in zip(gradients, unit, strict=True):
            assert g.shape == u.shape
            assert g.dtype == dtype
            factors = np.broadcast_to(factor, (6, 50))[tail]
            # p - t of a soft target cancels.
            np.testing.assert_allclose(g, factors * u, rtol=20 * eps, atol=4 * eps * float(np.max(factors)))

    check(1.0, reduction="none")
    check(1 / 300)
    check(1 / 50, axis=1)
    check(1 / 6, axis=0)
    check(1.0, axis=0, reduction="sum")
    w = weights.astype(dtype).astype(np.float64)
    check(w, reduction="none", weights=weights)
    check(w / w.sum(), weights=weights)
    check(w / w.sum(axis=1, keepdims=True), weights=weights, axis=1)


@every_loss
def test_weights_are_repetitions(loss):
    arguments = loss.sample(np.float64, (40,))
    times = np.random.default_rng(2).integers(0, 4, 40)
    repeated = tuple(np.repeat(a, times, axis=0) for a in arguments)
    np.testing.assert_allclose(loss(arguments, weights=times), loss(repeated), rtol=1e-14)
    np.testing.assert_allclose(
        loss(arguments, weights=times, reduction="sum"), loss(repeated, reduction="sum"), rtol=1e-14
    )


# ------------------------------------------------------------------------------- broadcasting


@every_loss
def test_gradients_of_broadcast_arguments_are_sums(loss, dtype):
    rng = np.random.default_rng(3)
    full = (5, 70, 4)
    arguments = loss.sample(dtype, full)
    eps = np.finfo(dtype).eps
    shapes = [(5, 70, 4), (70, 4), (4,), (), (5, 1, 1), (5, 1, 4), (1, 70, 1), (5, 70, 1), (1, 1, 1)]
    for position, name in enumerate(loss.model):
        for shape in shapes:
            which = len(arguments) - len(loss.model) + position
            core = arguments[which].shape[len(full) :]
            index = tuple(0 if n == 1 else slice(None) for n in (1,) * (3 - len(shape)) + shape)
            small = arguments[which][index].reshape(shape + core)
            some = [*arguments[:which], small, *arguments[which + 1 :]]
            wide = [*arguments[:which], np.broadcast_to(small, full + core).copy(), *arguments[which + 1 :]]
            weights = rng.random(full)
            _, (want,) = loss(wide, wrt=(name,), weights=weights)
            value, (got,) = loss(some, wrt=(name,), weights=weights)
            assert got.shape == small.shape
            axes = tuple(i for i, n in enumerate((1,) * (3 - len(shape)) + shape) if n == 1 and full[i] != 1)
            summed = want.astype(np.longdouble).sum(axis=axes).reshape(got.shape).astype(np.float64)
            size = np.abs(want.astype(np.float64)).sum(axis=axes).reshape(got.shape)
            # Sums are taken in float64, where all terms are of one sign one after the other: √m roundings for m terms.
            unit = 4 * eps + (want.size / got.size) ** 0.5 * 2.0**-53
            np.testing.assert_allclose(got, summed, rtol=0, atol=unit * (float(size.max()) + 1e-30))
            assert value == loss(wide, weights=weights)


@pytest.mark.parametrize("shapes", [((), ()), ((700,), ()), ((1000, 1), (700,)), ((1000, 1), (1, 700)), ((1, 1), (1000, 700))])
def test_large_broadcast_gradients_have_the_same_bits_for_any_threads(dtype, shapes):
    rng = np.random.default_rng(4)
    targets = rng.standard_normal((1000, 700)).astype(dtype)
    mean, variance = rng.standard_normal(shapes[0]).astype(dtype), rng.uniform(1, 2, shapes[1]).astype(dtype)
    want = None
    for threads in (1, 2, 3, 7, 16):
        with num_threads(threads):
            got = ll.gaussian_nll(targets, mean=mean, variance=variance, wrt=("mean", "variance"), reduction="sum")
        want = want or bits(got)
        assert bits(got) == want
    slope = (mean - targets.astype(np.float64)) / variance + np.zeros((1000, 700))
    padded = (1,) * (2 - mean.ndim) + mean.shape
    exact = slope.sum(axis=tuple(i for i, n in enumerate(padded) if n == 1)).reshape(mean.shape)
    np.testing.assert_allclose(got[1][0], exact, rtol=1e-4, atol=1e-4 * np.abs(slope).sum() ** 0.5)


# ------------------------------------------------------------------------------- layouts, threads, outputs


def layouts(array):
    yield np.asfortranarray(array)
    yield array[::-1].copy()[::-1]
    yield np.repeat(array, 2, axis=1)[:, ::2]
    yield array.astype(array.dtype.newbyteorder())
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    raw[...] = array
    raw.setflags(write=False)
    yield raw


@every_loss
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_bits_do_not_depend_on_layout_or_threads(loss, dtype, axis):
    arguments = loss.sample(dtype, (60, 403), seed=9)
    for reduction in ("mean", "none") if axis is None else ("mean",):
        keywords = {"reduction": reduction, "axis": axis, "wrt": loss.model}
        want = bits(loss(arguments, **keywords))
        for views in zip(*map(layouts, arguments), strict=True):
            assert bits(loss(views, **keywords)) == want
        for threads in (1, 2, 3, 7, 16):
            with num_threads(threads):
                assert bits(loss(arguments, **keywords)) == want


@every_loss
def test_bits_do_not_depend_on_how_many_blocks_a_call_takes(loss, monkeypatch):
    width = loss.sample(np.float32, (1,))[-1].size
    arguments = loss.sample(np.float32, (9 * evaluation._BLOCK // width + 77,), seed=10)
    want = bits(loss(arguments, wrt=loss.model))
    monkeypatch.setattr(evaluation, "_SPAN", 1)
    assert bits(loss(arguments, wrt=loss.model)) == want
    assert bits(loss(tuple(np.repeat(a, 2, axis=0)[::2] for a in arguments), wrt=loss.model)) == want


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("block", [0, 1, 7])
def test_the_first_bad_element_is_named_in_any_block(block, threads):
    logits, targets = np.zeros(8 * evaluation._BLOCK, np.float32), np.zeros(8 * evaluation._BLOCK, np.float32)
    first = block * evaluation._BLOCK + 5
    targets[first:] = 2.0
    with num_threads(threads), pytest.raises(ValueError, match=rf"targets\[{first}\] = 2.0"):
        ll.bernoulli_nll(targets, logits=logits)
    labels, logits = np.zeros(2 * evaluation._BLOCK, np.int64), logits.reshape(-1, 4)
    labels[first // 4 :] = 4
    with num_threads(threads), pytest.raises(ValueError, match=rf"targets\[{first // 4}\] = 4"):
        ll.categorical_nll(labels, logits=logits)


@every_loss
def test_out_holds_the_results_also_when_it_is_an_input(loss, dtype):
    arguments = loss.sample(dtype, (4, 50))
    want, slopes = loss(arguments, reduction="none", wrt=loss.model)
    out = (np.empty((4, 50), dtype), tuple(np.empty_like(g) for g in slopes))
    got = loss(arguments, reduction="none", wrt=loss.model, out=out)
    assert got[0] is out[0]
    assert all(a is b for a, b in zip(got[1], out[1], strict=True))
    assert bits(out) == bits((want, slopes))
    mine = [a.copy() for a in arguments]
    loss(mine, reduction="none", wrt=loss.model, out=(out[0], tuple(mine[-len(slopes) :])))
    assert bits((out[0], tuple(mine[-len(slopes) :]))) == bits((want, slopes))
    with pytest.raises(TypeError, match="tuple of the same length"):
        loss(arguments, wrt=loss.model, out=(np.empty((), dtype), slopes[0]))
    single = loss(arguments, reduction="none", wrt=loss.model[-1])
    assert bits((single[0], (single[1],))) == bits((want, slopes[-1:]))
    assert loss(arguments, wrt=())[1] == ()


@every_loss
def test_empty_input(loss):
    for shape, axis in itertools.product([(0,), (3, 0), (0, 3)], [None, -1]):
        arguments = loss.sample(np.float64, shape)
        assert (loss(arguments, reduction="sum", axis=axis) == 0).all()
        assert loss(arguments, reduction="none").shape == shape
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"):
        assert np.isnan(loss(loss.sample(np.float64, (0,))))


@every_loss
def test_no_temporary_is_as_large_as_an_input(loss):
    n = 1_000_000
    arguments = loss.sample(np.float64, (n // (8 if loss.core else 1),))
    out = loss(arguments, wrt=loss.model, reduction="none")
    peak = peak_memory(lambda: loss(arguments, wrt=loss.model, reduction="none", out=out))
    assert peak < 4 << 20


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (3, 2, 30_000)])
def test_the_short_way_has_the_bits_of_the_long_one(shape, dtype, reduction):
    rng = np.random.default_rng(5)
    x, y, t = rng.uniform(0.1, 0.9, (3, *shape)).astype(dtype)
    labels = rng.integers(0, shape[-1], shape[:-1])
    calls = (
        lambda **o: ll.bernoulli_nll(t, logits=x, wrt="logits", **o),
        lambda **o: ll.bernoulli_nll(t > 0.5, probs=x, wrt=("probs",), **o),
        lambda **o: ll.gaussian_nll(t, mean=x, variance=y, wrt=("variance", "mean"), **o),
        lambda **o: ll.gaussian_nll(t, mean=x, log_variance=y, wrt="mean", **o),
        lambda **o: ll.categorical_nll(labels, logits=x, label_smoothing=0.1, wrt="logits", **o),
        lambda **o: ll.categorical_nll(labels.astype(np.uint8 if shape[-1] < 256 else np.int32), logits=x, wrt="logits", **o),
        lambda **o: ll.kl_standard_normal(x, y, wrt=("log_variance", "loc"), **o),
    )
    for i, call in enumerate(calls):
        axes = tuple(range(len(shape) - (i >= 4)))  # naming all of them asks for the long way
        value, gradient = call(reduction=reduction)
        value_long, gradient_long = call(reduction=reduction, axis=axes)
        assert type(value) is type(value_long)
        assert value == value_long
        if not isinstance(gradient, tuple):
            gradient, gradient_long = (gradient,), (gradient_long,)
        assert len(gradient) == len(gradient_long)
        for a, b in zip(gradient, gradient_long, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


def test_the_short_way_leaves_bad_entries_to_the_long_one():
    with pytest.raises(ValueError, match=r"targets must be in \[0, 1\], but targets\[1\] = 2"):
        ll.bernoulli_nll(np.array([0, 2]), logits=np.zeros(2))
    with pytest.raises(ValueError, match=r"targets\[1\] = -1"):
        ll.categorical_nll(np.array([0, -1]), logits=np.zeros((2, 3)))
    assert ll.kl_standard_normal(np.float32([[1e30]]), np.float32([[1.0]])) == np.inf  # no warning


@pytest.mark.parametrize("level", available_isas())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [2, 3, 6, 10, 31, 32, 33])
def test_a_row_has_its_bits_in_any_company(level, dtype, width):
    """Rows at the end of a task are fewer than a vector has lanes."""
    rng = np.random.default_rng(width)
    z, labels = (3 * rng.standard_normal((70, width))).astype(dtype), rng.integers(0, width, 70)

    def block(start, stop, wanted):
        values, gradient = np.empty(stop - start, dtype), np.empty((stop - start, width), dtype) if wanted else None
        loss_block(
            "categorical_nll", "logits", labels[start:stop], (np.ascontiguousarray(z[start:stop]),), values=values,
            gradients=(gradient,), width=width, smoothing=0.1, level=level,
        )
        return values, gradient

    whole, slopes = block(0, 70, True)
    for start, stop in [(0, n) for n in range(1, 70)] + [(n, n + 1) for n in range(70)] + [(3, 20), (5, 70), (17, 33)]:
        values, gradient = block(start, stop, True)
        assert np.array_equal(values, whole[start:stop])
        assert np.array_equal(gradient, slopes[start:stop])
        assert np.array_equal(block(start, stop, False)[0], whole[start:stop])
