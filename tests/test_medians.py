"""Weighted medians by passes over blocks, and the kernels under them, against sorting."""

import math

import numpy as np
import pytest

import loglik as ll
from loglik import _kernels
from loglik._fitting import medians
from loglik._fitting.medians import first_range, keys, shift_of

DTYPES = [np.float64, np.float32]
BINS = _kernels.ORDER_BINS


def sorted_median(x, w=None):
    """The middle of the first values up to which there is half of the weight, and more than half; the mean distance from it."""
    x = np.asarray(x)
    w = np.ones(len(x)) if w is None else np.asarray(w, float)
    x, w = x[w > 0], w[w > 0]
    order = np.argsort(x, kind="stable")
    x, sums = x[order], np.cumsum(w[order])
    a = x[np.searchsorted(sums, sums[-1] / 2, side="left")]
    b = x[np.searchsorted(sums, sums[-1] / 2, side="right")]
    middle = a / 2 + b / 2 if a != b else a
    distances = np.abs(x.astype(np.longdouble) - np.longdouble(middle))
    return middle, float((distances * w[order]).sum() / w.sum())


def check(fit, x, w=None):
    middle, deviation = sorted_median(x, w)
    assert fit.loc == middle
    assert fit.scale == pytest.approx(deviation, rel=1e-14 if fit.dtype == np.float64 else 1e-6)
    assert fit.dtype == np.asarray(x).dtype


def shapes_of_data(dtype, n):
    """Data that searches find hard: far from a first guess, equal, of two values, over all magnitudes, in order."""
    rng = np.random.default_rng(3)
    tiny = np.finfo(dtype).smallest_subnormal
    yield "laplace", rng.laplace(3, 2, n)
    yield "ties", rng.integers(-3, 4, n)
    yield "two values", np.where(np.arange(n) % 2, 1.0, 1.0 + np.finfo(dtype).eps)
    yield "sorted", np.arange(n) - n / 3
    yield "descending", -np.arange(n) ** 2.0
    yield "all magnitudes", np.exp(rng.uniform(-80, 80, n)) * rng.choice([-1, 1], n)
    yield "subnormal", rng.integers(-50, 60, n) * np.float64(tiny)
    yield "zeros of both signs", rng.choice([-0.0, 0.0, 0.0, 1.0, -1.0], n)
    yield "far tail", np.where(np.arange(n) % 512 == 0, 1e6, rng.normal(size=n))  # what the first guess is made from


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [3, 4, 4097, 530_001], ids=str)  # small samples are sorted; the largest has three blocks
@pytest.mark.parametrize("weighted", [False, True])
def test_fits_are_medians(n, dtype, weighted):
    rng = np.random.default_rng(n)
    for name, x in shapes_of_data(dtype, n):
        x = x.astype(dtype)
        if weighted:
            w = rng.integers(0, 4, n).astype(float)
            w[:3] = 1
        else:
            w = None
        if np.ptp(x if w is None else x[w > 0]) == 0:
            continue
        if name == "subnormal" and dtype == np.float32:
            continue  # its scale rounds to few bits
        with np.errstate(all="ignore"):
            check(ll.Laplace.fit(x, weights=w), x, w)


def test_half_of_the_weight_exactly():
    n = 300_000
    x = np.repeat([1.0, 2.0, 5.0], [n // 2, n // 4, n // 4])
    for _ in range(2):
        fit = ll.Laplace.fit(x)
        assert fit == ll.Laplace(1.5, fit.scale)
        x = x[::-1]
    w = np.where(x == 1.0, 0.5, 1.0)
    assert ll.Laplace.fit(x, weights=w).loc == 2.0
    assert ll.Laplace.fit([1.0, 2.0, 3.0, 9.0], weights=[1, 1, 1, 1]).loc == 2.5
    assert ll.Laplace.fit([1.0, 2.0, 3.0, 9.0], weights=[1, 1, 2, 0]).loc == 2.5
    huge = np.finfo(np.float64).max
    assert ll.Laplace.fit([0.75 * huge, 0.5 * huge]).loc == 0.625 * huge


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 2), None])
@pytest.mark.parametrize("small", [True, False])
def test_batches_are_their_samples(axis, small, monkeypatch):
    """Both ways: samples that are sorted whole, and passes over blocks."""
    if not small:
        monkeypatch.setattr(medians, "_FEW", 4)
    rng = np.random.default_rng(5)
    x, w = rng.laplace(size=(6, 40, 7)).round(2), rng.integers(0, 3, (6, 40, 7)) + 0.25
    x[2, 3, 4] = np.nan
    reduced = tuple(range(3)) if axis is None else np.atleast_1d(axis).tolist()
    kept = [a for a in range(3) if a not in reduced]
    fit = ll.Laplace.fit(x, axis=axis, weights=w, nan_policy="omit")
    plain = ll.Laplace.fit(x, axis=axis, nan_policy="omit")
    shape = [x.shape[a] for a in kept]
    for d, weights in ((fit, w), (plain, np.ones_like(w))):
        assert d.batch_shape == tuple(shape) == np.shape(d.fit_report.n)
        rows, own = (np.transpose(a, [*kept, *reduced]).reshape(*shape, -1) for a in (x, weights))
        for index in np.ndindex(*shape):
            good = ~np.isnan(rows[index])
            middle, deviation = sorted_median(rows[index][good], own[index][good])
            assert np.asarray(d.loc)[index] == middle
            assert np.asarray(d.scale)[index] == pytest.approx(deviation, rel=1e-13)
            assert np.asarray(d.fit_report.n)[index] == good.sum()
            assert np.asarray(d.fit_report.weight)[index] == pytest.approx(own[index][good].sum(), rel=1e-14)


def test_threads_and_layouts_do_not_matter():
    x = np.random.default_rng(1).laplace(size=(700_000, 2))
    fits = []
    for threads in (1, 3):
        with ll.num_threads(threads):
            fits += [ll.Laplace.fit(a, axis=0) for a in (x, np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2])]
    assert all(fit == fits[0] for fit in fits)


def test_bad_data_are_refused():
    x = np.arange(10_000.0)
    with pytest.raises(ValueError, match=r"Laplace.fit: all observations are 2.0, so the scale would be 0"):
        ll.Laplace.fit(np.full(10_000, 2.0))
    with pytest.raises(ValueError, match="no observations of positive weight"):
        ll.Laplace.fit(x, weights=np.zeros(10_000))
    x[7777] = np.inf
    with pytest.raises(ValueError, match=r"x must be finite, but x\[7777\] = inf"):
        ll.Laplace.fit(x)
    with pytest.raises(NotImplementedError, match=r"moments do not determine a Laplace; use Laplace\.fit"):
        ll.MomentStats([1.0, 2.0]).fit(ll.Laplace)


def test_dask_chunks():
    da = pytest.importorskip("dask.array")
    rng = np.random.default_rng(2)
    x, w = rng.laplace(size=30_000).round(3), rng.integers(0, 3, 30_000).astype(float)
    for chunks in (999, 30_000):
        assert ll.Laplace.fit(da.from_array(x, chunks=chunks)) == ll.Laplace.fit(x)
        check(ll.Laplace.fit(da.from_array(x, chunks=chunks), weights=w), x, w)


# ------------------------------------------------------------------------------------------- the kernels


def values(dtype, n):
    """All magnitudes, both zeros, infinities, subnormal numbers."""
    rng = np.random.default_rng(8)
    x = (np.exp(rng.uniform(-90, 80, n)) * rng.choice([-1, 1], n)).astype(dtype)
    info = np.finfo(dtype)
    some = np.array([0.0, -0.0, np.inf, -np.inf, info.max, info.min, info.smallest_subnormal, -info.smallest_subnormal], dtype)
    x[rng.permutation(n)[: len(some)]] = some[:n]
    return x


@pytest.mark.parametrize("dtype", DTYPES)
def test_keys_ascend_like_the_numbers(dtype):
    x = np.sort(values(dtype, 2000))
    assert np.all(np.diff(x[np.argsort(keys(x))]) >= 0)
    assert keys(np.array([-0.0, 0.0], dtype)).tolist() == [-1, 0]
    for key, at in zip(keys(x[::97]).tolist(), x[::97], strict=True):
        assert medians.number(key, x.dtype).tobytes() == at.tobytes()
    low, high = first_range(x[:0])
    assert (low, high) == (np.iinfo(keys(x).dtype).min, np.iinfo(keys(x).dtype).max)
    for width in (1, BINS - 1, BINS, BINS + 1, 10**6, high - low):
        assert width >> shift_of(0, width) < BINS  # all of the range is counted
        assert shift_of(0, width) == 0 or width >> (shift_of(0, width) - 1) >= BINS // 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 63, 64, 513, 5000])
def test_counts(level, dtype, n):
    x, w = values(dtype, n), np.random.default_rng(1).integers(0, 4, n).astype(float)
    k = keys(x).astype(object)
    limits = np.iinfo(keys(x).dtype)
    ranges = [(int(limits.min), int(limits.max)), (-1000, 1000), (0, 0), (int(limits.max) - 5, int(limits.max))]
    ranges += [tuple(sorted(k[[n // 3, n // 2]]))] if n else []
    for low, high in ranges:
        shift = shift_of(low, high)
        place = np.array([0 if key < low else min(1 + (int(key - low) >> shift), BINS + 1) for key in k], np.int64)
        for weights in (None, w):
            counts, sums = np.full(BINS + 2, 3, np.int64), np.full(BINS + 2, 0.5)
            _kernels.order_counts(x, weights, low, shift, counts, sums, level)
            present = np.ones(n, bool) if weights is None else w > 0
            np.testing.assert_array_equal(counts - 3, np.bincount(place[present], minlength=BINS + 2))
            expected = np.zeros(BINS + 2) if weights is None else np.bincount(place, w, minlength=BINS + 2)
            np.testing.assert_array_equal(sums - 0.5, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 63, 64, 513, 5000])
def test_gathering_and_deviations(level, dtype, n):
    x, w = values(dtype, n), np.random.default_rng(1).integers(0, 3, n).astype(float)
    k = keys(x)
    x[: n // 9] = np.nan  # of weight 0
    w[: n // 9] = 0
    for low, high in ((-(2**20), 2**20), (int(np.iinfo(k.dtype).min), -1), (0, int(np.iinfo(k.dtype).max)), (5, 4)):
        k = keys(x)
        inside = (k >= low) & (k <= high)
        found, none = _kernels.order_gather(x, None, low, high, level)
        np.testing.assert_array_equal(found, x[inside])
        assert none is None
        found, weights = _kernels.order_gather(x, w, low, high, level)
        np.testing.assert_array_equal(found, x[inside & (w > 0)])
        np.testing.assert_array_equal(weights, w[inside & (w > 0)])
    y = np.random.default_rng(2).normal(3, 2, n).astype(dtype)
    for weights in (None, w):
        each = np.abs(y.astype(np.float64) - 2.5) * (1 if weights is None else w)
        got = _kernels.absolute_deviations(y, weights, 2.5, level)
        assert got == pytest.approx(math.fsum(each.tolist()), rel=1e-14)
    y[: n // 9] = np.nan
    assert _kernels.absolute_deviations(y, w, 2.5, level) == pytest.approx(math.fsum(each[n // 9 :].tolist()), rel=1e-14)


def test_arguments_of_the_kernels_are_checked():
    x, counts, sums = np.zeros(3), np.zeros(BINS + 2, np.int64), np.zeros(BINS + 2)
    with pytest.raises(ValueError, match="float32 or float64"):
        _kernels.order_counts(np.zeros(3, int), None, 0, 0, counts, sums)
    with pytest.raises(ValueError, match="lengths differ"):
        _kernels.order_gather(x, np.zeros(2), 0, 1)
    with pytest.raises(ValueError, match="ORDER_BINS"):
        _kernels.order_counts(x, None, 0, 0, counts[1:], sums)
