"""Divergences of arrays of probabilities and of discrete variables against exact sums; axes, layouts, bounds, errors."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from memory_tools import peak_memory

import loglik as ll
from loglik._engine import elementwise
from loglik._engine.parallel import num_threads
from loglik._kernels import make_ufuncs

mp = mpmath.mp.clone()
mp.dps = 400

SMALLEST = 5e-324


def exact(values):
    return [mp.mpf(float(x)) for x in values]


def kl_reference(p, q):
    """Σ p log(p/q) + q - p: KL for totals of 1, and what it becomes for totals that differ from 1 by their rounding."""
    total = mp.mpf(0)
    for a, b in zip(exact(p), exact(q), strict=True):
        if a > 0 and b == 0:
            return mp.inf
        total += b if a == 0 else a * mp.log(a / b) + b - a
    return total


def js_reference(p, q):
    total = mp.mpf(0)
    for a, b in zip(exact(p), exact(q), strict=True):
        for x in (a, b):
            total += x * mp.log(2 * x / (a + b)) / 2 if x else 0
    return total


def ulps(got, expected, dtype=np.float64):
    if mp.isinf(expected):
        return 0.0 if got == np.inf else math.inf
    info = np.finfo(dtype)
    step = max(mp.ldexp(1, mp.frexp(expected)[1] - 1) * float(info.eps), float(info.smallest_subnormal)) if expected else SMALLEST
    return float(abs(mp.mpf(float(got)) - expected) / step)


def normalised(values):
    """Totals within 4 eps of 1, so that they are taken as they are."""
    values = values / math.fsum(values)
    values[np.argmax(values)] += 1 - math.fsum(values)
    return values


EDGES = [
    ([1.0, 0.0], [1.0, 0.0]),
    ([1.0, 0.0], [0.0, 1.0]),
    ([0.5, 0.5], [1.0, 0.0]),
    ([1.0, 0.0], [0.5, 0.5]),
    ([0.5, 0.5, 0.0], [0.5, 0.5, 0.0]),
    ([0.25, 0.25, 0.5], [0.25, 0.75, 0.0]),
    ([0.0, 1.0], [SMALLEST, 1.0]),
    ([SMALLEST, 1.0], [0.0, 1.0]),
    ([3 * SMALLEST, 1.0], [SMALLEST, 1.0]),
    ([1e-310, 1.0], [3e-310, 1.0]),
    ([1e-300, 1.0], [1e-17, 1.0]),
    ([1 - 2.0**-53, 2.0**-53], [2.0**-53, 1 - 2.0**-53]),
    ([np.nextafter(0.5, 0), 1 - np.nextafter(0.5, 0)], [1 - np.nextafter(0.5, 0), np.nextafter(0.5, 0)]),
    ([1.0], [1.0]),
]


@pytest.mark.parametrize(("p", "q"), EDGES)
def test_edges(p, q):
    assert ulps(ll.kl_divergence(p, q), kl_reference(p, q)) <= 8
    assert ulps(ll.js_divergence(p, q), js_reference(p, q)) <= 8
    assert ll.js_distance(p, q) == np.sqrt(ll.js_divergence(p, q))
    assert ulps(ll.kl_divergence(ll.Discrete(p), ll.Discrete(q)), kl_reference(p, q)) <= 8
    assert ulps(ll.js_divergence(ll.Discrete(p), ll.Discrete(q)), js_reference(p, q)) <= 8


@pytest.mark.parametrize("difference", [1.0, 1e-3, 1e-6, 1e-9, 1e-12, 1e-15])
@pytest.mark.parametrize("k", [2, 3, 10, 1000])
def test_near_equal(difference, k):
    rng = np.random.default_rng(k)
    for _ in range(3):
        p = normalised(rng.dirichlet(np.ones(k)))
        q = normalised(np.abs(p * (1 + difference * rng.uniform(-1, 1, k))))
        for a, b in ((p, q), (q, p)):
            assert ulps(ll.kl_divergence(a, b), kl_reference(a, b)) <= 8
            assert ulps(ll.js_divergence(a, b), js_reference(a, b)) <= 8
        first, second = ll.Discrete(p), ll.Discrete(q)
        assert ulps(ll.kl_divergence(first, second), kl_reference(first.probs, second.probs)) <= 8
        assert ulps(ll.js_divergence(first, second), js_reference(first.probs, second.probs)) <= 8


def test_exact_difference_of_equal_totals():
    """Totals of exactly 1: the definition without any further term."""
    for h in (2.0**-10, 2.0**-30, 2.0**-45):
        p, q = exact([0.25, 0.75]), exact([0.25 + h, 0.75 - h])
        definition = sum(a * mp.log(a / b) for a, b in zip(p, q, strict=True))
        assert ulps(ll.kl_divergence([0.25, 0.75], [0.25 + h, 0.75 - h]), definition) <= 8


def test_wide_range_and_sparse():
    rng = np.random.default_rng(5)
    p, q = (normalised(10.0 ** rng.uniform(-300, 0, 400)) for _ in range(2))
    assert ulps(ll.kl_divergence(p, q), kl_reference(p, q)) <= 8
    assert ulps(ll.js_divergence(p, q), js_reference(p, q)) <= 8
    p[rng.random(400) < 0.5] = 0
    p = normalised(p)
    assert ulps(ll.kl_divergence(p, q), kl_reference(p, q)) <= 8
    assert ulps(ll.js_divergence(p, q), js_reference(p, q)) <= 8
    assert ll.kl_divergence(q, p) == np.inf


def test_float32():
    rng = np.random.default_rng(6)
    p, q = (rng.dirichlet(np.ones(50), 20).astype(np.float32) for _ in range(2))
    kl, js = ll.kl_divergence(p, q), ll.js_divergence(p, q)
    assert kl.dtype == js.dtype == np.float32
    for i in range(20):
        assert ulps(kl[i], kl_reference(p[i], q[i]), np.float32) <= 8
        assert ulps(js[i], js_reference(p[i], q[i]), np.float32) <= 8
    assert ll.kl_divergence(p, q.astype(np.float64)).dtype == np.float64 if abs(q.sum(1, dtype=float) - 1).max() < 1e-13 else True
    assert float(ll.js_divergence(np.float32([1, 0]), np.float32([0, 1]))) <= math.log(2)


def test_totals_that_are_off_are_normalised_as_in_discrete():
    p, q = np.full(1000, 1e-3) * (1 + 1e-13), np.full(1000, 1e-3)
    q[0], q[1] = 0.5e-3, 1.5e-3
    first, second = ll.Discrete(p), ll.Discrete(q)
    for value in (ll.kl_divergence(p, q), ll.kl_divergence(first, second)):
        assert ulps(value, kl_reference(first.probs, second.probs)) <= 8


@pytest.mark.parametrize("function", [ll.kl_divergence, ll.js_divergence, ll.js_distance, ll.cross_entropy])
def test_axes_layouts_and_broadcasting(function):
    rng = np.random.default_rng(7)
    p, q = rng.dirichlet(np.ones(6), (4, 1)), rng.dirichlet(np.ones(6), 5)
    want = function(p, q)
    assert want.shape == (4, 5)
    for i in range(4):
        for j in range(5):
            item = function(p[i, 0], q[j])
            assert np.ndim(item) == 0
            assert item == want[i, j]
    moved = [np.ascontiguousarray(np.moveaxis(a, -1, 0)) for a in (p, np.broadcast_to(q, (1, 5, 6)))]
    np.testing.assert_array_equal(function(*moved, axis=0), want)
    np.testing.assert_array_equal(function(*moved, axis=-3), want)
    np.testing.assert_array_equal(function(np.asfortranarray(p), q[:, ::-1].copy()[:, ::-1]), want)
    np.testing.assert_array_equal(function(p.tolist(), q.tolist()), want)
    swapped = p.astype(p.dtype.newbyteorder())
    np.testing.assert_array_equal(function(swapped, q), want)
    assert function(np.zeros((0, 3)), np.full((1, 3), 1 / 3)).shape == (0,)
    assert function(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)
    np.testing.assert_array_equal(function([1, 0], [[1, 0]]), [0.0])


def test_blocks_and_threads_do_not_matter():
    rng = np.random.default_rng(8)
    p, q = rng.dirichlet(np.ones(50), 4000), rng.dirichlet(np.ones(50), 4000)
    want = ll.kl_divergence(p, q)
    assert all(want[i] == ll.kl_divergence(p[i], q[i]) for i in (0, 1310, 1311, 3999))
    for threads in (1, 2, 5):
        with num_threads(threads):
            np.testing.assert_array_equal(ll.kl_divergence(p, q), want)
            np.testing.assert_array_equal(ll.kl_divergence(p.T, q.T, axis=0), want)
    long = 3 * elementwise.BLOCK + 17
    p, q = (a / a.sum() for a in rng.uniform(0.5, 1.5, (2, long)))
    terms = p.astype(np.longdouble) * np.log(p.astype(np.longdouble) / q) + (q.astype(np.longdouble) - p)
    assert abs(ll.kl_divergence(p, q) / float(terms.sum()) - 1) < 1e-15


def test_js_is_bounded_and_symmetric_for_disjoint_rows():
    rng = np.random.default_rng(9)
    for k in (2, 3, 7, 1000):
        for dtype in (np.float64, np.float32):
            p, q = np.zeros((2, 200, 2 * k), dtype)
            p[:, :k], q[:, k:] = rng.dirichlet(np.ones(k), 200), rng.dirichlet(np.ones(k), 200)
            value = ll.js_divergence(p, q)
            assert (value.astype(np.float64) <= math.log(2)).all()
            assert (value > 0.6931).all()
            np.testing.assert_array_equal(value, ll.js_divergence(q, p))


rows = st.integers(1, 12).flatmap(
    lambda k: st.tuples(*(hnp.arrays(np.float64, k, elements=st.floats(0, 1, allow_subnormal=True)),) * 2)
)


@settings(max_examples=300, deadline=None)
@given(rows)
def test_never_negative_never_nan(pair):
    p, q = (a / math.fsum(a) if a.sum() > 1e-300 else np.eye(1, len(a))[0] for a in pair)
    kl, js = ll.kl_divergence(p, q), ll.js_divergence(p, q)
    assert kl >= 0
    assert 0 <= js <= math.log(2)
    assert js == ll.js_divergence(q, p)
    assert np.isinf(kl) == bool(((p > 0) & (q == 0)).any())
    assert ulps(js, js_reference(p, q)) <= 8
    assert ulps(kl, kl_reference(p, q)) <= 8
    assert ll.kl_divergence(p, p) == 0
    assert ll.js_divergence(p, p) == 0
    entropy = ll.cross_entropy(p, p)
    assert 0 <= entropy <= math.log(len(p)) * (1 + 1e-14)


# ------------------------------------------------------------------------------------------- discrete variables


def test_discrete_supports():
    assert ll.kl_divergence(ll.die(6), ll.die(8)) == pytest.approx(math.log(8 / 6), rel=1e-15)
    assert ll.kl_divergence(ll.die(8), ll.die(6)) == np.inf
    far = ll.die(6) + 100
    assert ll.kl_divergence(ll.die(6), far) == np.inf
    assert math.log(2) * (1 - 4e-15) < ll.js_divergence(ll.die(6), far) <= math.log(2)
    assert ll.js_divergence(ll.die(6), ll.die(8)) == ll.js_divergence(ll.die(8), ll.die(6))
    padded = ll.Discrete([0.0, 0.5, 0.5, 0.0], start=-1)
    assert ll.kl_divergence(padded, ll.Discrete([0.5, 0.5])) == 0
    assert ll.kl_divergence(ll.Discrete([0.5, 0.5]), padded) == 0
    assert ll.js_divergence(ll.Discrete([0.5, 0.5]), padded) == 0


def test_discrete_beyond_the_range_of_doubles():
    """The logarithms of 6^-1000 are finite: nothing is impossible, and the divergence is not infinite."""
    p, q = ll.Discrete([1.0], start=1000), ll.dice(1000, 6)
    assert ll.kl_divergence(p, q) == pytest.approx(1000 * math.log(6), rel=1e-14)
    assert ll.kl_divergence(q, p) == np.inf
    assert ll.cross_entropy(p, q) == pytest.approx(1000 * math.log(6), rel=1e-14)
    q = ll.Discrete(log_probs=[-2000.0, np.log1p(-math.exp(-745.0))])
    assert ll.kl_divergence(ll.Discrete([0.5, 0.5]), q) == pytest.approx(math.log(0.5) + 1000.0, rel=1e-15)
    assert ll.kl_divergence(q, ll.Discrete([0.0, 1.0])) == np.inf
    assert ll.kl_divergence(q, ll.Discrete([1e-17, 1.0])) == pytest.approx(1e-17, rel=1e-15)


def test_discrete_dtypes():
    single = ll.Discrete(np.float32([0.25, 0.75]))
    assert ll.kl_divergence(single, single).dtype == np.float32
    assert ll.kl_divergence(single, ll.Discrete([0.5, 0.5])).dtype == np.float64
    assert ll.js_divergence(ll.Bernoulli(np.float32(0.5)), single).dtype == np.float32


# ------------------------------------------------------------------------------------------- cross-entropy


def test_cross_entropy():
    assert ll.cross_entropy([0.5, 0.5], [1.0, 0.0]) == np.inf
    assert ll.cross_entropy([1.0, 0.0], [1.0, 0.0]) == 0
    rng = np.random.default_rng(3)
    p, q = (normalised(rng.dirichlet(np.ones(9))) for _ in range(2))
    definition = -sum(a * mp.log(b) for a, b in zip(exact(p), exact(q), strict=True))
    assert ulps(ll.cross_entropy(p, q), definition) <= 8
    assert ulps(ll.cross_entropy(ll.Discrete(p), ll.Discrete(q)), definition) <= 8
    assert ll.cross_entropy(ll.die(6), ll.die(8)) == pytest.approx(math.log(8), rel=1e-15)
    assert ll.cross_entropy(ll.die(8), ll.die(6)) == np.inf
    assert ll.cross_entropy(ll.die(6), ll.die(6)) == pytest.approx(ll.die(6).entropy(), rel=1e-15)


# ------------------------------------------------------------------------------------------- kernels

KINDS = ("categorical_kl", "categorical_js", "categorical_cross_entropy")
SIZES = (1, 2, 3, 15, 16, 17, 64, 127, 128, 129, 144, 257, 1023, 1024, 1025, 1300, 2500)


def some_rows(rng, n, k, dtype):
    p = rng.dirichlet(np.ones(k), n) + 0.01 / k
    p[:, k // 2] += p.sum(axis=-1) * (rng.random(n) < 0.3)
    return (p / p.sum(axis=-1, keepdims=True)).astype(dtype)


def term_sum(kind, p, q):
    p, q = p.astype(np.longdouble), q.astype(np.longdouble)
    m = (p + q) / 2
    terms = {
        "categorical_kl": lambda: p * np.log(p / q) + (q - p),
        "categorical_js": lambda: (p * np.log(p / m) + q * np.log(q / m)) / 2,
        "categorical_cross_entropy": lambda: -p * np.log(q),
    }[kind]()
    return terms.sum(axis=-1), np.abs(terms).sum(axis=-1)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", KINDS)
def test_kernels_at_the_edges_of_their_blocks(kernels, kind, dtype):
    """Every way through the rows: few or many, short or long, contiguous or side by side, with the same bits."""
    kernel, rng, eps = kernels[kind], np.random.default_rng(1), float(np.finfo(dtype).eps)
    for k in SIZES:
        p, q = some_rows(rng, 19, k, dtype), some_rows(rng, 19, k, dtype)
        value, info = kernel(p, q, np.inf, np.inf)
        assert not info.any()
        want, size = term_sum(kind, p, q)
        assert (np.abs(value - want) <= 4 * eps * np.maximum(size, 1e-3) + 8 * eps * np.abs(want)).all()
        beside = [np.asfortranarray(x) for x in (p, q)]
        gaps = [np.repeat(x[:, ::-1], 2, axis=1)[:, ::-2] for x in (p, q)]
        for a, b in (beside, gaps, (p, beside[1]), (beside[0], gaps[1])):
            np.testing.assert_array_equal(kernel(a, b, np.inf, np.inf)[0], value)
        for i in (0, 18):
            assert kernel(p[i], q[i], np.inf, np.inf)[0] == value[i]
            np.testing.assert_array_equal(kernel(p, q[i], np.inf, np.inf)[0], [kernel(x, q[i], np.inf, np.inf)[0] for x in p])
        off = p * dtype(1 + 64 * eps)  # to be normalised
        normal, _ = kernel(off, beside[1], 10.0 * eps, 1.0)
        np.testing.assert_array_equal(normal, kernel(np.asfortranarray(off), q, 10.0 * eps, 1.0)[0])
        np.testing.assert_array_equal(normal, [kernel(x, y, 10.0 * eps, 1.0)[0] for x, y in zip(off, q, strict=True)])


@pytest.mark.parametrize("k", [3, 40, 200, 1500])
def test_kernels_report_bad_rows(kernels, k):
    good = np.full((40, k), 1 / k)
    p, q = good.copy(), good.copy()
    p[3, k - 1] = -1 / k
    q[5, 0] = np.nan
    p[7, 1] = np.inf
    p[17, 0] *= 2
    q[17, 0] = 0
    eps = np.full(40, np.finfo(float).eps)
    want = np.zeros(40, int)
    want[[3, 7]], want[5], want[17] = 1, 2, 3
    for kind in KINDS:
        kernel = kernels[kind]
        for a, b in ((p, q), (np.asfortranarray(p), q)):
            with np.errstate(invalid="ignore"):
                value, info = kernel(a, b, eps[0], eps[0])
            assert info.tolist() == want.tolist()
            np.testing.assert_array_equal(np.isnan(value), want > 0)
        eps[17] = np.inf  # of each row its own
        with np.errstate(invalid="ignore"):
            value, info = kernel(p, q, eps, eps)
        assert info[17] == 0
        assert np.isfinite(value[17]) == (kind == "categorical_js")
        with pytest.warns(RuntimeWarning, match="invalid value"):
            kernel(p[:4], q[:4], eps[:4], eps[:4])
        eps[17] = eps[0]


def test_types_are_mixed():
    """float32 rows are as far from 1 as float32 allows, also beside float64 ones."""
    rng = np.random.default_rng(4)
    p = rng.dirichlet(np.ones(30), 20).astype(np.float32)
    q = normalised(rng.dirichlet(np.ones(30)))
    got = ll.kl_divergence(p, q)
    assert got.dtype == np.float64
    wide = p / p.sum(axis=-1, keepdims=True, dtype=np.float64)
    np.testing.assert_allclose(got, [float(kl_reference(x, q)) for x in wide], rtol=1e-6)
    assert ll.kl_divergence([1, 0, 0], np.float32([0.5, 0.25, 0.25])).dtype == np.float32


# ------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("name", ["kl_divergence", "js_divergence", "js_distance", "cross_entropy"])
def test_bad_input_is_named(name):
    function = getattr(ll, name)
    good = [0.5, 0.5]
    for bad, message in (
        ([0.5, -0.5], rf"^{name}: q must be at least 0, but q\[1\] = -0.5$"),
        ([[0.5, 0.5], [np.nan, 0.5]], rf"^{name}: q must be finite, but q\[1, 0\] = nan$"),
        ([[0.5, 0.5], [np.inf, 0.5]], rf"^{name}: q must be finite, but q\[1, 0\] = inf$"),
        ([[0.5, 0.5], [0.5, 0.4]], rf"^{name}: q must total 1 within 8·K·eps = 3.6e-15 .*, but q\[1, :\] totals 0.9$"),
        ([0.0, 0.0], r"q\[:\] totals 0.0"),
        ([1e308, 1e308], r"q\[:\] totals"),
        ([0.2, 0.3, 0.5], rf"^{name}: p has 2 entries along axis -1, q has 3$"),
    ):
        with pytest.raises(ValueError, match=message):
            function(good, bad)
    with pytest.raises(ValueError, match=r"p\[:, 1\] totals 0.5"):
        function([[0.5, 0.25], [0.5, 0.25]], [[0.5, 0.5], [0.5, 0.5]], axis=0)
    with pytest.raises(ValueError, match=rf"^{name}: there must be at least one entry along axis -1$"):
        function([], [])
    with pytest.raises(ValueError, match="axis 1 is out of bounds"):
        function(good, good, axis=1)
    with pytest.raises(ValueError, match="axis -1 is out of bounds"):
        function(1.0, 1.0)
    with pytest.raises(ValueError, match=r"p of shape \(2,\) has no axis 0"):
        function(good, np.full((2, 3), 0.5), axis=0)
    with pytest.raises(ValueError, match="shapes do not broadcast"):
        function(np.full((3, 2), 0.5), np.full((4, 2), 0.5))
    with pytest.raises(TypeError, match="axis must be an integer"):
        function(good, good, axis=0.0)
    with pytest.raises(TypeError, match="q has dtype complex128"):
        function(good, [0.5j, 0.5])
    with pytest.raises(NotImplementedError, match=r"\(Bernoulli ‖ list\)"):
        function(ll.Bernoulli(0.5), good)


@pytest.mark.parametrize("function", [ll.kl_divergence, ll.js_divergence, ll.cross_entropy])
def test_no_temporary_is_as_large_as_an_input(function):
    rng = np.random.default_rng(8)
    p, q = rng.random((2, 40_000, 50))
    p /= p.sum(axis=1, keepdims=True)
    q /= q.sum(axis=1, keepdims=True)
    for rows in (p, p * (1 + 2e-14), p.astype(p.dtype.newbyteorder())):  # 2e-14: to be normalised
        assert peak_memory(lambda rows=rows: function(rows, q)) < 8 << 20 < p.nbytes


@pytest.mark.parametrize("level", ll.available_isas())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["categorical_kl", "categorical_js", "categorical_cross_entropy"])
def test_rows_without_entries(level, dtype, name):
    """Their sum is 0, in any number of rows; that they do not total 1 is said where it matters."""
    ufunc = make_ufuncs(level)[name]
    for n in (1, 2, 3, 5, 17, 33):
        rows = np.zeros((n, 0), dtype)
        value, info = ufunc(rows, rows, np.inf, np.inf)
        assert np.array_equal(value, np.zeros(n))
        assert not info.any()
        with np.errstate(invalid="ignore"):
            value, info = ufunc(rows, rows, 1e-16, 1e-16)
        assert np.isnan(value).all()
        assert (info == 3).all()
