"""Samples of distributions: what number goes where, shapes, dtypes, memory, edges and bad input.

Whether the numbers have the right distribution is the matter of test_sampling_statistics.py.
"""

import math

import numpy as np
import pytest
from families import BATCHES, FAMILIES, cases_on
from memory_tools import peak_memory

import loglik as ll
from loglik import _kernels
from loglik._engine import sampling, streams

F32 = np.float32
GRID = np.array([[0.0, 10.0, -5.0], [1.0, 2.0, 3.0]])
SPD = np.array([[4.0, 1.0, 0.5], [1.0, 2.0, -0.25], [0.5, -0.25, 1.0]])

DISTRIBUTIONS = {
    **{name: make(np.float64) for name, make in (cases_on("reals", "integers") | BATCHES).items() if "empty" not in name},
    **{f"{next(iter(family.cases))}, float32": next(iter(family.cases.values()))(F32) for family in FAMILIES.values()},
    "Normal, batch of one": ll.Normal([3.0], 1.0),
    "Uniform, wide": ll.Uniform([-1.7e308, 0.0], [1.7e308, 1.0]),
    "dice": ll.dice("3d6 + 4"),
    "MVN": ll.MultivariateNormal([1.0, 2.0, 3.0], SPD),
    "MVN, precision": ll.MultivariateNormal([1.0, 2.0, 3.0], precision=SPD),
    "MVN, variance": ll.MultivariateNormal([1.0, 2.0], variance=[[4.0, 1.0], [1.0, 0.25]]),
    "MVN, means": ll.MultivariateNormal(GRID, SPD),
    "MVN, matrices": ll.MultivariateNormal([0.0, 1.0, 2.0], scale_tril=np.linalg.cholesky(SPD) * [[[1.0]], [[2.0]]]),
    "MVN, means by matrices": ll.MultivariateNormal(GRID[:, None], SPD * [[[1.0]], [[2.0]]]),
    "MVN, singular": ll.MultivariateNormal([0.0, 1.0, 2.0], [[1, 1, 0], [1, 1, 0], [0, 0, 0]], allow_singular=True),
}
every = pytest.mark.parametrize("d", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)


def whole_shape(d, *shape):
    return shape + d.batch_shape + d.event_shape


# ------------------------------------------------------------------------------------------- which number goes where


@every
def test_the_first_of_many_draws_are_few_draws(d):
    many = d.sample((40_000, 2), rng=5)
    assert many.shape == whole_shape(d, 40_000, 2)
    for m in (1, 7, 129, 20_001):
        assert d.sample((m, 2), rng=5).tobytes() == many[:m].tobytes()
    assert np.array_equal(d.sample(80_000, rng=5), many.reshape(whole_shape(d, 80_000)))
    assert np.array_equal(d.sample(rng=5), many[0, 0])


@every
def test_threads_do_not_matter(d):
    results = []
    for threads in (1, 2, 3, 7):
        with ll.num_threads(threads):
            results.append(d.sample(300_001, rng=9).tobytes())
    assert len(set(results)) == 1


@every
def test_blocks_do_not_matter(d, monkeypatch):
    expected = d.sample(3000, rng=2)
    for block in (1, 2, 7, 64, 1000):
        monkeypatch.setattr(sampling, "BLOCK", block)
        assert d.sample(300 if block < 64 else 3000, rng=2).tobytes() == expected[: 300 if block < 64 else 3000].tobytes()


def test_items_of_a_batch_have_numbers_of_their_own():
    z = ll.Normal(np.zeros((3, 5)), 1.0).sample((100,), rng=1)
    assert np.unique(z).size == z.size
    assert np.array_equal(z.ravel(), streams.standard_normal((1500,), streams.draw_key("", 1)))
    moved = ll.Normal(GRID, [1.0, 2.0, 0.1]).sample(100, rng=4)
    z = ll.Normal().sample((100, 2, 3), rng=4)
    assert np.array_equal(moved, z * [1.0, 2.0, 0.1] + GRID)


def test_a_batch_longer_than_a_block():
    loc, scale = np.linspace(0, 1, 100_000), np.float64(2)
    z = ll.Normal(np.zeros(()), 1.0).sample((3, 100_000), rng=8)
    assert np.array_equal(ll.Normal(loc, scale).sample(3, rng=8), z * scale + loc)
    columns = np.broadcast_to(np.linspace(0, 1, 300)[:, None], (300, 300))  # in no order of memory
    z = ll.Normal().sample((2, 300, 300), rng=8)
    assert np.array_equal(ll.Normal(columns.T, 1.0).sample(2, rng=8), z + columns.T)


@pytest.mark.parametrize("level", ll.available_isas())
def test_scaled_numbers_are_rounded_like_those_of_numpy(level):
    for dtype in (np.float64, np.float32):
        z, x = np.empty(1000, dtype), np.empty(1000, dtype)
        for fill in (_kernels.fill_normal, _kernels.fill_laplace):
            fill(1, 2, 3, z, level)
            fill(1, 2, 3, x, level, 0.3, 1e3)
            assert np.array_equal(x, z * dtype(0.3) + dtype(1e3))
        _kernels.fill_uniform(1, 2, 3, z, level)
        _kernels.fill_uniform(1, 2, 3, x, level, 0.3, 0.1, 0.35)
        assert np.array_equal(x, np.minimum(z * dtype(0.3) + dtype(0.1), dtype(0.35)))


def test_golden_samples():
    """The stream policy (docs/random.md): these change only with a note in the changelog."""
    assert streams.draw_key("", 2026) == 3300764713747675562
    for family in FAMILIES.values():
        for make, golden in family.golden:
            for kind, values in golden.items():
                d = make(np.dtype(kind).type)
                x = d.sample(len(values) // math.prod(d.event_shape), rng=2026).ravel()
                if family.on == "integers":
                    assert x.tolist() == values
                else:
                    np.testing.assert_allclose(x, values, rtol=1e-14 if kind == "f8" else 1e-6)


# ------------------------------------------------------------------------------------------- shapes, dtypes, memory


@every
def test_shapes_and_dtypes(d):
    kind = np.dtype(np.int64) if isinstance(d, ll.Bernoulli | ll.Discrete) else d.dtype
    for shape in ((), 0, 3, (3,), [2, 0], (2, 3), (np.int64(2), 1)):
        x = d.sample(shape, rng=1)
        assert x.shape == whole_shape(d, *np.empty(shape).shape)
        assert x.dtype == kind
    if not whole_shape(d):
        assert isinstance(d.sample(rng=1), np.generic)


@every
@pytest.mark.parametrize("n", [50, 100_000])
def test_out_of_any_layout(d, n):
    x = d.sample((n, 2), rng=3)
    fresh = np.empty_like(x)
    assert d.sample((n, 2), rng=3, out=fresh) is fresh
    layouts = [
        np.empty_like(x, order="F"),
        np.empty_like(x)[::-1],
        np.empty((2 * n, *x.shape[1:]), x.dtype)[::2],
        np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape),
    ]
    for out in [fresh, *layouts]:
        assert d.sample((n, 2), rng=3, out=out) is out
        assert np.array_equal(out, x)
    single = np.empty(whole_shape(d), x.dtype)
    assert d.sample(rng=3, out=single) is single
    assert np.array_equal(single, d.sample(rng=3))


def test_float32_and_float64():
    d = ll.Normal(F32(1), F32(2))
    assert d.sample(3, rng=1, dtype=np.float64).dtype == np.float64
    assert np.array_equal(d.sample(3, rng=1, dtype="f8"), ll.Normal(1.0, 2.0).sample(3, rng=1))
    assert np.array_equal(ll.Normal(1.0, 2.0).sample(3, rng=1, dtype=F32), d.sample(3, rng=1))
    assert ll.Uniform().sample(rng=1, dtype=F32).dtype == F32
    with pytest.raises(ValueError, match=r"^Normal: scale must be positive and finite, but scale = 0\.0"):
        ll.Normal(0.0, 1e-60).sample(3, dtype=F32)
    with pytest.raises(ValueError, match=r"^Uniform: low must be less than high"):
        ll.Uniform(1.0, 1.0 + 1e-12).sample(3, dtype=F32)


def test_dtypes_of_integers():
    coin, die = ll.Bernoulli(0.5), ll.die(6)
    expected = coin.sample(100, rng=1)
    for dtype in (bool, np.int8, np.uint8, np.int32, np.float16, np.float32, np.float64):
        x = coin.sample(100, rng=1, dtype=dtype)
        assert x.dtype == dtype
        assert np.array_equal(x, expected)
    assert np.array_equal(die.sample(100, rng=1, dtype=np.uint8), die.sample(100, rng=1))
    assert ll.Discrete([0.5, 0.5]).sample(rng=1, dtype=bool).dtype == bool
    large = ll.Discrete([0.5, 0.5], start=2**40)
    assert set(large.sample(100, rng=1, dtype=float)) == {2.0**40, 2.0**40 + 1}
    for d, dtype in ((die, bool), (ll.Discrete([1.0], start=-1), np.uint64), (ll.die(128), np.int8), (large, F32)):
        with pytest.raises(ValueError, match=r"^Discrete\.sample: dtype \w+ does not hold the outcomes"):
            d.sample(3, dtype=dtype)


# ------------------------------------------------------------------------------------------- Gaussians


def gaussian_reference(d, shape, seed):
    """loc + L z in long double, for the normals of the key in C order, and the size of its terms."""
    z = streams.standard_normal(whole_shape(d, *shape), streams.draw_key("", seed), dtype=d.dtype).astype(np.longdouble)
    lower = d.scale_tril.astype(np.longdouble)
    terms = lower * z[..., None, :]
    return d.loc + terms.sum(-1), np.abs(d.loc) + np.abs(terms).sum(-1)


@pytest.mark.parametrize("form", ["covariance", "precision", "scale_tril", "variance"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gaussians_are_loc_plus_factor_times_normals(form, dtype):
    rng = np.random.default_rng(1)
    for dim in (1, 2, 7, 16, 33):
        for means, matrices in (((), ()), ((3,), ()), ((), (3,)), ((2, 1), (3,)), ((1, 1), (2, 3)), ((300,), (300,))):
            if form == "variance":
                parameter = rng.uniform(0.5, 2, (*matrices, dim))
            else:
                parameter = np.tril(rng.uniform(-1, 1, (*matrices, dim, dim)) / dim, -1) + np.eye(dim)
                if form != "scale_tril":
                    parameter = parameter @ parameter.swapaxes(-1, -2)
            d = ll.MultivariateNormal(rng.normal(size=(*means, dim)).astype(dtype), **{form: parameter.astype(dtype)})
            for shape in ((), (5,)) if len(d.batch_shape) == 1 and d.batch_shape[0] > 100 else ((), (5,), (2, 40)):
                x = d.sample(shape, rng=5)
                exact, size = gaussian_reference(d, shape, 5)
                assert x.dtype == dtype
                assert (np.abs(x - exact) <= (dim + 2) * np.finfo(dtype).eps / 2 * size).all()


def test_a_gaussian_of_high_dimension():
    dim = 2000
    d = ll.MultivariateNormal(np.arange(dim), scale_tril=np.tril(np.full((dim, dim), 1 / dim)) + np.eye(dim))
    x = d.sample(70, rng=1)
    exact = d.loc + streams.standard_normal((70, dim), streams.draw_key("", 1)) @ d.scale_tril.T
    np.testing.assert_allclose(x, exact, rtol=1e-12, atol=1e-12)


def test_gaussian_samples_in_another_dtype():
    d = ll.MultivariateNormal([1.0, 2.0, 3.0], SPD)
    narrow = ll.MultivariateNormal(F32([1, 2, 3]), scale_tril=F32(d.scale_tril))
    assert np.array_equal(d.sample(9, rng=1, dtype=F32), narrow.sample(9, rng=1))
    wide = ll.MultivariateNormal(F32([1, 2, 3]), F32(SPD)).sample(9, rng=1, dtype=float)
    np.testing.assert_allclose(wide, d.sample(9, rng=1), rtol=1e-14)
    for large in (ll.MultivariateNormal([1e300], [[1.0]]), ll.MultivariateNormal([1e300], variance=[1.0])):
        with pytest.raises(ValueError, match=r"^MultivariateNormal\.sample, in float32: loc must be finite, but loc\[0\] = inf"):
            large.sample(3, dtype=F32)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_singular_samples_are_on_the_support(dtype):
    rng = np.random.default_rng(2)
    scale = 10.0 ** rng.integers(-3, 4, 6)
    factor = (rng.normal(size=(6, 3)) * scale[:, None]).astype(dtype)
    factor[4] = 0
    covariance = factor @ factor.T
    covariance = np.tril(covariance) + np.tril(covariance, -1).T
    lower = (np.tril(rng.normal(size=(6, 6)), -1) + np.eye(6)).astype(dtype)
    lower[2] = 0
    loc = rng.normal(size=6).astype(dtype)
    for d in (
        ll.MultivariateNormal(loc, covariance, allow_singular=True),
        ll.MultivariateNormal(loc, [covariance, np.eye(6, dtype=dtype)], allow_singular=True),
        ll.MultivariateNormal(loc, scale_tril=lower, allow_singular=True),
        ll.MultivariateNormal(loc, variance=np.array([1, 0, 2, 0, 0, 3], dtype), allow_singular=True),
    ):
        x = d.sample(2000, rng=1)
        assert np.isfinite(d.log_prob(x)).all()
        constant = d.variance == 0
        assert np.array_equal(x[:, constant], np.broadcast_to(d.loc, x.shape)[:, constant])
        deviation = x - d.loc
        got = np.einsum("n...i,n...j->...ij", deviation, deviation) / 2000
        size = np.sqrt(d.variance[..., :, None] * d.variance[..., None, :])
        assert (np.abs(got - d.covariance) <= 0.15 * size).all()


# ------------------------------------------------------------------------------------------- edges


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_uniform_never_returns_high(dtype):
    one = dtype(1)
    two = dtype(2)
    for low, high in ((one, np.nextafter(one, two)), (two**20, two**20 + 1), (-one, dtype(0)), (dtype(0.1), one)):
        x = ll.Uniform(low, high).sample(300_000, rng=1)
        assert x.dtype == dtype
        assert x.min() >= low
        assert x.max() < high
    largest = np.finfo(dtype).max
    for d in (ll.Uniform(-largest, largest), ll.Uniform([-largest, -1], [largest, 1])):
        x = d.sample(200_000, rng=1)
        assert np.all(x < d.high)
        assert np.all(x >= d.low)
        mean = (x.reshape(200_000, -1)[:, 0] / largest).mean(dtype=np.float64)
        assert abs(mean) < 5 / np.sqrt(3 * 200_000)


def test_extreme_normals_do_not_warn():
    x = ll.Normal([1e308, 0.0, 1e-320], [1e308, 1e-308, 1e-310]).sample(1000, rng=1)
    assert np.isinf(x[:, 0]).any()
    assert np.isfinite(x[:, 1:]).all()
    assert np.isinf(ll.Normal(1e308, 1e308).sample(1000, rng=1)).any()


def test_certain_outcomes():
    for d in (ll.Bernoulli([0.0, 1.0]), ll.Bernoulli(logits=[-np.inf, np.inf]), ll.Bernoulli(F32([0, 1]))):
        x = d.sample(500_000, rng=1)
        assert not x[:, 0].any()
        assert x[:, 1].all()
    assert (ll.Discrete([0.0, 1.0, 0.0], start=5).sample(1000, rng=1) == 6).all()
    assert (ll.Discrete([1.0]).sample(1000, rng=1) == 0).all()
    assert (ll.Discrete(counts=[0, 0, 3]).sample(1000, rng=1) == 2).all()


def test_impossible_outcomes_are_never_drawn():
    sparse = np.zeros(1000)
    sparse[[0, 3, 500, 997]] = [1e-3, 0.5, 0.499 - 1e-20, 1e-20]
    d = ll.Discrete(sparse)
    assert set(d.sample(200_000, rng=1)) == {0, 3, 500}
    assert d._table[0][-1] == 1.0
    assert (np.diff(d._table[0]) >= 0).all()
    tiny = ll.Discrete(log_probs=[-1e6, np.log(0.5), -1e5, np.log(0.5), -1e7])
    assert set(tiny.sample(1000, rng=1)) == {1, 3}
    assert set(ll.dice("10000d6").sample(1000, rng=1) // 1000) <= {34, 35}


def test_tenths_stay_in_range():
    """searchsorted(cumsum(full(10, 0.1)), 1 - 2**-53) is 10: the sum is below 1."""
    d = ll.Discrete(np.full(10, 0.1))
    cdf, guide, _ = d._table
    assert guide[-1] == 9
    assert cdf[-1] == 1.0
    assert d.sample(1_000_000, rng=1).max() == 9


def test_the_table_is_the_definition():
    rng = np.random.default_rng(1)
    for k in (1, 2, 3, 1000, 4097):
        p = rng.exponential(size=k) ** 4 * (rng.random(k) < 0.7)
        p[rng.integers(k)] = 1.0
        d = ll.Discrete(p / p.sum(), start=-3)
        u = streams.uniform((5000,), streams.draw_key("", 3))
        possible = np.flatnonzero(p)
        expected = possible[np.searchsorted(d._table[0], u, side="right")] - 3
        assert np.array_equal(d.sample(5000, rng=3), expected)
        exact = np.cumsum(d.probs[possible].astype(np.longdouble)).astype(float)
        np.testing.assert_allclose(d._table[0], exact, rtol=0, atol=2e-16)


def test_a_million_faces():
    x = ll.die(10**6).sample(300_000, rng=1)
    assert x.min() >= 1
    assert x.max() <= 10**6
    counts = np.bincount((x - 1) // 1000, minlength=1000)
    assert abs(((counts - 300) ** 2 / 300).sum() - 999) < 6 * np.sqrt(2 * 999)


# ------------------------------------------------------------------------------------------- rng=, bad input


@every
def test_a_generator_advances_by_one_integer(d):
    for shape in ((), 0, (7, 3), 100_000):
        generator, twin = np.random.default_rng(3), np.random.default_rng(3)
        x = d.sample(shape, rng=generator)
        twin.integers(2**64 - 1, dtype=np.uint64, endpoint=True)
        assert generator.bit_generator.state == twin.bit_generator.state
        assert np.array_equal(x, d.sample(shape, rng=3))
        assert np.array_equal(x, d.sample(shape, rng=np.int64(3)))
    if d.dtype == np.float64 and d.event_shape == () and not isinstance(d, ll.Bernoulli | ll.Discrete):
        assert not np.array_equal(d.sample(50), d.sample(50))


@every
def test_a_call_that_fails_leaves_the_generator(d):
    name = type(d).__name__
    generator = np.random.default_rng(3)
    state = generator.bit_generator.state
    good = d.sample(3, rng=1)
    read_only = good.copy()
    read_only.setflags(write=False)
    bad = [
        (ValueError, r"shape must not be negative, but shape = -1", {"shape": -1}),
        (ValueError, r"shape must not be negative, but shape\[1\] = -2", {"shape": (3, -2)}),
        (TypeError, r"shape must be an int or a tuple of ints, but shape = 2\.0", {"shape": 2.0}),
        (TypeError, r"shape must be an int or a tuple of ints, but shape\[0\] = True", {"shape": (True,)}),
        (TypeError, r"shape must be an int or a tuple of ints, but shape = '3'", {"shape": "3"}),
        (TypeError, r"shape must be an int or a tuple of ints, but shape = None", {"shape": None}),
        (TypeError, r"out must be a numpy\.ndarray, got list", {"out": [1.0]}),
        (ValueError, r"out must have shape .* and dtype .*, got shape \(7, 7\)", {"out": np.empty((7, 7))}),
        (ValueError, r"out must have shape .* and dtype .* and dtype complex128", {"out": np.empty(good.shape, complex)}),
        (ValueError, r"out must have shape", {"out": np.empty(good.shape, good.dtype.newbyteorder())}),
        (ValueError, r"out is read-only", {"out": read_only}),
        (TypeError, r"dtype must be ", {"dtype": complex}),
        (TypeError, r"dtype must be ", {"dtype": "no such"}),
        (TypeError, r"dtype must be ", {"dtype": ">f8"}),
    ]
    for error, message, arguments in bad:
        with pytest.raises(error, match=rf"^{name}\.sample: {message}"):
            d.sample(**{"shape": 3, "rng": generator, **arguments})
    assert generator.bit_generator.state == state
    with pytest.raises(MemoryError):
        d.sample((2**40, 2**40), rng=generator)
    with pytest.raises(TypeError):
        d.sample(3, 1)  # rng by keyword only


@every
def test_a_bad_rng(d):
    name = type(d).__name__
    for bad in (1.5, "seed", True, [1, 2]):
        with pytest.raises(TypeError, match=rf"^{name}\.sample: rng must be None, an int or a numpy\.random\.Generator, got "):
            d.sample(3, rng=bad)
    with pytest.raises(TypeError, match=r"got RandomState; make a Generator by numpy\.random\.default_rng\(seed\)$"):
        d.sample(3, rng=np.random.RandomState(1))
    with pytest.raises(ValueError, match=rf"^{name}\.sample: rng as a seed must not be negative, got -1$"):
        d.sample(3, rng=-1)


def test_memory_is_that_of_the_result():
    n = 4_000_000
    gaussians = [ll.MultivariateNormal(np.zeros(s), np.broadcast_to(np.eye(4), (*s, 4))) for s in ((4,), (1000, 4))]
    for d in (ll.Normal(), ll.Uniform(), ll.Bernoulli(0.5), ll.die(6), ll.Normal([0.0, 1.0], 1.0), *gaussians):
        tail = whole_shape(d)
        out = np.empty((n // int(np.prod(tail)), *tail), d.sample(rng=1).dtype)
        assert peak_memory(lambda d=d, out=out: d.sample(len(out), rng=1, out=out)) < 8 << 20
