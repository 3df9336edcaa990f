"""What every distribution promises, checked on all of them: one contract, against definitions that use the density alone.

A case is a maker that takes a dtype. Cases without batch are checked value by value, batches against the distributions that they
consist of.
"""

import copy
import math
import pickle
import xml.etree.ElementTree as ET

import mpmath
import numpy as np
import pytest
from numpy import array, float32, float64  # noqa: F401  (names in an eval-able repr)

import loglik as ll
from loglik import Bernoulli, Discrete, MultivariateNormal, Normal, Uniform, dice  # noqa: F401

mp = mpmath.mp.clone()
mp.dps = 50

COVARIANCE = [[2.0, 0.6], [0.6, 0.5]]

CONTINUOUS = {
    "standard normal": lambda t: Normal(t(0), t(1)),
    "normal": lambda t: Normal(t(-3.25), t(0.5)),
    "uniform": lambda t: Uniform(t(-1), t(4)),
    "uniform far": lambda t: Uniform(t(1000), t(1000.5)),
}
LISTED = {
    "bernoulli": lambda t: Bernoulli(t(0.3)),
    "certain": lambda t: Bernoulli(t(1)),
    "bernoulli logits": lambda t: Bernoulli(logits=t(-2.5)),
    "discrete": lambda t: Discrete(np.array([0.125, 0, 0.5, 0.375], t), start=-2),
    "discrete logs": lambda t: Discrete(log_probs=np.log(np.array([0.25, 0.7, 0.05])).astype(t)),
    "constant": lambda t: Discrete(np.array([1], t), start=7),
}
EXACT = {  # float64 only
    "die": lambda t: ll.die(6),
    "dice": lambda t: ll.dice(3, 10) + 4,
    "weights": lambda t: Discrete(counts=[1, 2, 0, 4], start=5),
    "kept": lambda t: ll.dice("4d6kh3"),
}
VECTORS = {
    "mvn": lambda t: MultivariateNormal(np.array([1, -2], t), np.array(COVARIANCE, t)),
    "mvn diagonal": lambda t: MultivariateNormal(np.array([0, 10], t), variance=np.array([4, 0.25], t)),
    "mvn precision": lambda t: MultivariateNormal(np.zeros(2, t), precision=np.array(COVARIANCE, t)),
    "mvn factor": lambda t: MultivariateNormal(np.zeros(2, t), scale_tril=np.array([[1, 0], [-0.5, 2]], t)),
    "mvn of one": lambda t: MultivariateNormal(np.array([3], t), np.array([[4]], t)),
}
BATCHES = {
    "normal batch": lambda t: Normal(np.array([[0], [5]], t), np.array([1, 2, 0.5], t)),
    "uniform batch": lambda t: Uniform(np.array([[0], [-5]], t), np.array([1, 2, 7], t)),
    "bernoulli batch": lambda t: Bernoulli(np.array([[0.0, 0.25, 0.5], [0.75, 0.9, 1]], t)),
    "logits batch": lambda t: Bernoulli(logits=np.array([-50, 0, 3], t)),
    "mvn batch": lambda t: MultivariateNormal(np.array([[0, 0], [1, 2], [3, -4]], t), np.array(COVARIANCE, t)),
    "mvn batch of both": lambda t: MultivariateNormal(
        np.zeros((2, 1, 2), t), np.array([COVARIANCE, [[1, 0], [0, 2]], [[1, -0.5], [-0.5, 1]]], t)
    ),
    "empty batch": lambda t: Normal(np.zeros((0, 2), t), t(1)),
}
SCALARS = CONTINUOUS | LISTED | EXACT
ALL = SCALARS | VECTORS | BATCHES

METHODS = ("log_prob", "prob", "entropy", "expect", "sample", "fit")
OF_VECTORS = ("marginal", "condition", "mahalanobis")
UNIVARIATE = ("cdf", "sf", "log_cdf", "log_sf", "quantile", "prob_between")
PROPERTIES = ("mean", "variance", "std")


def cases(*tables):
    """Pairs (name, dtype) of all cases of the tables."""
    names = [name for table in tables for name in table]
    return pytest.mark.parametrize(
        "d",
        [pytest.param((name, t), id=f"{name}-{t}") for name in names for t in ("f8", "f4") if t == "f8" or name not in EXACT],
        indirect=True,
    )


@pytest.fixture
def d(request):
    name, t = request.param
    return ALL[name](np.dtype(t).type)


def is_listed(d):
    return isinstance(d, Bernoulli | Discrete)


def outcomes(d):
    return np.array([0, 1]) if isinstance(d, Bernoulli) else d.support


def eps(d):
    return float(np.finfo(d.dtype).eps)


def ends(d):
    """Where the density is, or nearly all of it."""
    mean, std = float(d.mean), float(d.std)
    return (float(d.low), float(d.high)) if isinstance(d, Uniform) else (mean - 12 * std, mean + 12 * std)


def integral(function, low, high):
    """Composite Gauss-Legendre rule."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    edges = np.linspace(low, high, 61)
    half = np.diff(edges)[:, None] / 2
    x = (edges[:-1, None] + edges[1:, None]) / 2 + half * nodes
    return float((function(x) * weights * half).sum())


def density(d):
    """In float64, so that the integral is that of the parameters that are stored."""
    wide = type(d)(*(np.float64(value) for value in d._arguments().values()))
    return wide.prob


def items(d):
    """The members of a batch, each made on its own, with their index."""
    for index in np.ndindex(d.batch_shape):
        arguments = {}
        for name, value in d._arguments().items():
            depth = 0 if not d.event_shape else 2 if name in ("covariance", "precision", "scale_tril") else 1
            value = np.asarray(value)
            arguments[name] = np.broadcast_to(value, d.batch_shape + value.shape[value.ndim - depth :])[index]
        yield index, type(d)(**arguments)


# ------------------------------------------------------------------------------------------- the table of methods


@cases(SCALARS, VECTORS, BATCHES)
def test_the_table_of_methods_is_complete(d):
    for name in METHODS + (OF_VECTORS if d.event_shape else UNIVARIATE):
        assert callable(getattr(d, name)), name
    moments = [getattr(d, name) for name in PROPERTIES]
    assert all(np.shape(value) == d.batch_shape + d.event_shape and value.dtype == d.dtype for value in moments)
    assert np.shape(d.entropy()) == d.batch_shape
    assert d.entropy().dtype == d.dtype


# ------------------------------------------------------------------------------------------- the density


@cases(SCALARS)
def test_the_density_totals_one(d):
    total = math.fsum(d.prob(outcomes(d))) if is_listed(d) else integral(density(d), *ends(d))
    assert total == pytest.approx(1, rel=8 * eps(d) if is_listed(d) else 1e-13)
    x = outcomes(d) if is_listed(d) else np.linspace(*ends(d), 99, dtype=d.dtype)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(np.log(d.prob(x)), d.log_prob(x), rtol=200 * eps(d), atol=4 * eps(d))


@cases(VECTORS)
def test_the_density_of_a_vector_totals_one(d):
    # The trapezoidal rule is exact to rounding for a function that falls like this one.
    steps = np.arange(-10, 10.01, 0.125)
    grid = np.stack(np.meshgrid(*[steps] * d.event_shape[0], indexing="ij"), axis=-1)
    lower = np.asarray(d.scale_tril, np.float64)
    total = d.prob(np.asarray(d.mean, np.float64) + grid @ lower.T).sum() * np.prod(np.diag(lower) * 0.125)
    assert total == pytest.approx(1, rel=64 * eps(d))


# ------------------------------------------------------------------------------------------- the distribution function


@cases(CONTINUOUS)
def test_cdf_is_the_integral_of_the_density(d):
    low, high = ends(d)
    x = np.linspace(low, high, 23, dtype=d.dtype)
    cdf, sf = d.cdf(x), d.sf(x)
    assert np.all(np.diff(cdf) >= 0)
    for at, below, above in zip(x.tolist(), cdf, sf, strict=True):
        assert below == pytest.approx(integral(density(d), low, at), abs=20 * eps(d))
        assert above == pytest.approx(integral(density(d), at, high), abs=20 * eps(d))
    for i in (0, 3, 11, 20):
        between = d.prob_between(x[i], x[i + 2])
        assert between == pytest.approx(integral(density(d), x[i], x[i + 2]), rel=20 * eps(d) + 1e-12)


@cases(LISTED, EXACT)
def test_cdf_is_the_sum_of_the_probabilities(d):
    x = outcomes(d)
    p = d.prob(x).astype(np.float64)
    cdf, sf = d.cdf(x), d.sf(x)
    assert np.all(np.diff(cdf) >= 0)
    for i in range(len(x)):
        assert cdf[i] == pytest.approx(math.fsum(p[: i + 1]), rel=8 * eps(d))
        assert sf[i] == pytest.approx(math.fsum(p[i + 1 :]), rel=8 * eps(d))
        for j in range(i, len(x)):
            assert d.prob_between(x[i], x[j]) == pytest.approx(math.fsum(p[i : j + 1]), rel=8 * eps(d))
            assert d.prob_between(x[i] - 0.5, x[j] + 0.5) == d.prob_between(x[i], x[j])
    np.testing.assert_array_equal(d.cdf((x + 0.5).astype(d.dtype)), cdf)
    np.testing.assert_array_equal(d.prob(x + 0.5), 0)
    np.testing.assert_array_equal(d.prob([x[0] - 1, x[-1] + 1, 1e300]), 0)


@cases(SCALARS)
def test_both_tails_and_their_logarithms_agree(d):
    x = outcomes(d) if is_listed(d) else np.linspace(*ends(d), 51, dtype=d.dtype)
    np.testing.assert_allclose(d.cdf(x).astype(np.float64) + d.sf(x), 1, rtol=2 * eps(d))
    with np.errstate(divide="ignore"):
        for probability, logarithm in ((d.cdf(x), d.log_cdf(x)), (d.sf(x), d.log_sf(x))):
            np.testing.assert_allclose(np.exp(logarithm, dtype=np.float64), probability, rtol=150 * eps(d))
            assert np.all(logarithm <= 0)
    middle = x[len(x) // 2]
    assert d.prob_between(-np.inf, middle) == pytest.approx(d.cdf(middle), rel=4 * eps(d))
    assert d.prob_between(-np.inf, np.inf) == pytest.approx(1, rel=8 * eps(d))


@cases(SCALARS)
def test_quantile_is_the_inverse_of_cdf(d):
    if is_listed(d):
        x = outcomes(d)
        x = x[d.prob(x) > 0]
        np.testing.assert_array_equal(d.quantile([0.0, 1.0]), [x[0], x[-1]])
        for at in x:
            assert d.quantile(d.cdf(at)) == at
        middles = (np.append(0.0, d.cdf(x)[:-1]) + d.cdf(x)) / 2
        np.testing.assert_array_equal(d.quantile(middles), x)
    else:
        q = np.array([1e-6, 0.01, 0.3, 0.5, 0.7, 0.99], d.dtype)
        scale = max(abs(end) for end in ends(d)) / float(d.std)  # what the rounding of a quantile is, in deviations
        np.testing.assert_allclose(d.cdf(d.quantile(q)), q, rtol=(20 + 8 * scale) * eps(d), atol=2 * scale * eps(d))
        x = np.linspace(float(d.mean - d.std), float(d.mean + d.std), 11, dtype=d.dtype)
        np.testing.assert_allclose(d.quantile(d.cdf(x)), x, rtol=8 * eps(d), atol=16 * eps(d) * float(d.std))


TAILS = [
    # maker, method, points, the definition in mpmath
    (lambda: Normal(), "log_cdf", [-1e10, -1e4, -40.0, -1.0, 5.0, 37.5], lambda x: mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)),
    (lambda: Normal(), "log_sf", [-37.5, 0.5, 1.0, 40.0, 1e4, 1e10], lambda x: mp.log(mp.erfc(x / mp.sqrt(2)) / 2)),
    (lambda: Uniform(0, 4), "log_cdf", [1e-300, 1.0, 3.999999999], lambda x: mp.log(x / 4)),
    (lambda: Uniform(0, 4), "log_sf", [1e-300, 1.0, 3.999999999], lambda x: mp.log1p(-x / 4)),
    (lambda: Bernoulli(logits=-700.0), "log_sf", [0.0], lambda x: -mp.log1p(mp.exp(700))),
    (lambda: Bernoulli(logits=-700.0), "log_cdf", [0.0], lambda x: -mp.log1p(mp.exp(-700))),
    (lambda: Bernoulli(1e-300), "log_cdf", [0.0], lambda x: mp.log1p(-mp.mpf(1e-300))),
    (lambda: ll.dice(500, 6), "log_cdf", [500, 501], lambda x: mp.log(501 if x == 501 else 1) - 500 * mp.log(6)),
    (lambda: ll.dice(500, 6), "log_sf", [2999, 2998], lambda x: mp.log(501 if x == 2998 else 1) - 500 * mp.log(6)),
]


@pytest.mark.parametrize("make, method, points, exact", TAILS)
def test_log_tails_against_the_definition(make, method, points, exact):
    for x in points:
        with mp.workdps(400):
            want = exact(mp.mpf(x))
        got = mp.mpf(float(getattr(make(), method)(x)))
        assert abs(got - want) <= 1e-14 * abs(want) + 2.0**-1074, (x, got, want)


# ------------------------------------------------------------------------------------------- moments and samples


@cases(SCALARS)
def test_moments_and_entropy_are_expectations(d):
    mean, variance = float(d.mean), float(d.variance)
    size = abs(mean) + float(d.std)
    assert d.expect(lambda x: x) == pytest.approx(mean, rel=8 * eps(d), abs=8 * eps(d) * size)
    assert d.expect(lambda x: (x - mean) ** 2) == pytest.approx(variance, rel=32 * eps(d), abs=4 * eps(d) * size * float(d.std))
    assert float(d.std) == pytest.approx(math.sqrt(variance), rel=4 * eps(d))
    # The logarithm of what is impossible is -inf, and it does not count.
    assert d.expect(lambda x: -d.log_prob(x)) == pytest.approx(float(d.entropy()), rel=32 * eps(d), abs=8 * eps(d))
    assert d.expect(lambda x: 1.0) == pytest.approx(1, rel=8 * eps(d))


@cases(VECTORS)
def test_moments_and_entropy_of_vectors_are_expectations(d):
    size = np.abs(d.mean) + d.std
    for i in range(d.event_shape[0]):
        mean = d.expect(lambda x, i=i: x[..., i])
        assert mean == pytest.approx(d.mean[i], abs=8 * eps(d) * float(size[i]))
        for j in range(d.event_shape[0]):
            product = d.expect(lambda x, i=i, j=j: (x[..., i] - d.mean[i]) * (x[..., j] - d.mean[j]))
            assert product == pytest.approx(d.covariance[i, j], abs=64 * eps(d) * float(d.std[i] * d.std[j]))
    np.testing.assert_allclose(d.std**2, d.variance, rtol=4 * eps(d))
    np.testing.assert_array_equal(np.diag(d.correlation), 1)
    assert d.expect(lambda x: -d.log_prob(x)) == pytest.approx(float(d.entropy()), rel=64 * eps(d))


@cases(SCALARS, VECTORS, BATCHES)
def test_samples_have_the_moments(d):
    n = 20_000
    x = np.asarray(d.sample(n, rng=5), np.float64)
    assert x.shape == (n, *d.batch_shape, *d.event_shape)
    std = np.asarray(d.std, np.float64)
    assert np.all(np.abs(x.mean(axis=0) - d.mean) <= 5 * std / math.sqrt(n) + 4 * eps(d) * np.abs(d.mean))
    # The standard error of a sample's variance is σ²·√((kurtosis - 1)/n); the kurtosis is small but for rare outcomes.
    rare = is_listed(d) and np.any((std > 0) & (std < 0.1))
    if not rare:
        assert np.all(np.abs(x.var(axis=0) - std**2) <= 5 * std**2 * math.sqrt(8 / n) + 1e-12)
    np.testing.assert_array_equal(d.sample(n, rng=5), d.sample(n, rng=5))
    assert np.shape(d.sample((0, 3), rng=1)) == (0, 3, *d.batch_shape, *d.event_shape)
    assert np.shape(d.sample(rng=1)) == d.batch_shape + d.event_shape
    if d.batch_shape == d.event_shape == ():
        for at in d.quantile([0.1, 0.5, 0.8]):
            share = float(d.cdf(at))
            assert abs(np.mean(x <= at) - share) <= 5 * math.sqrt(share * (1 - share) / n) + 1e-6
    assert np.all(np.isfinite(d.log_prob(d.sample(50, rng=2))))


# ------------------------------------------------------------------------------------------- NaN, edges, empty arrays


@cases(SCALARS)
def test_nan_and_infinity(d):
    nan, inf = np.nan, np.inf
    for name in (*UNIVARIATE[:-1], "log_prob", "prob"):
        assert np.isnan(getattr(d, name)(nan)), name
        assert np.isnan(getattr(d, name)(np.array([nan, 0.5]))[0]), name
    assert np.isnan(d.prob_between(nan, 0))
    assert np.isnan(d.prob_between(0, nan))
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(d.log_prob([-inf, inf]), -inf)
        np.testing.assert_array_equal(d.cdf([-inf, inf]), [0, 1])
        np.testing.assert_array_equal(d.sf([-inf, inf]), [1, 0])
        np.testing.assert_array_equal(d.log_cdf([-inf, inf]), [-inf, 0])
        np.testing.assert_array_equal(d.log_sf([-inf, inf]), [0, -inf])
        assert d.prob_between(inf, -inf) == d.prob_between(2, 1) == 0
    for bad in (-0.5, 1.5, inf, -inf):
        with pytest.raises(ValueError, match=rf"^{type(d).__name__}.quantile: q must be within \[0, 1\], but q\[1\] = {bad}$"):
            d.quantile([0.5, bad])


@cases(SCALARS, VECTORS, BATCHES)
def test_empty_arrays(d):
    assert d.log_prob(np.empty((0, *d.batch_shape, *d.event_shape))).shape == (0, *d.batch_shape)
    if not d.event_shape:
        for name in UNIVARIATE[:-1]:
            assert getattr(d, name)(np.empty((0, *d.batch_shape))).shape == (0, *d.batch_shape), name
        assert d.prob_between(np.empty((0, *d.batch_shape)), 1).shape == (0, *d.batch_shape)


@cases(SCALARS, VECTORS, BATCHES)
def test_what_is_no_number_is_refused(d):
    methods = ("log_prob", "prob") + (UNIVARIATE[:-1] if not d.event_shape else ())
    for name in methods:
        for bad in ("a", None, 1j, [object()]):
            with pytest.raises(TypeError, match=rf"^{type(d).__name__}\.\w+: "):
                getattr(d, name)(bad)
    with pytest.raises(TypeError, match=rf"^{type(d).__name__}.expect: g must be a function"):
        d.expect(None)


# ------------------------------------------------------------------------------------------- batches


@cases(BATCHES)
def test_a_batch_is_its_items(d):
    for index, item in items(d):
        assert item.dtype == d.dtype
        x = item.sample(7, rng=1).astype(d.dtype)
        spread = x.reshape(7, *[1] * len(d.batch_shape), *d.event_shape)
        tolerance = 8 * eps(d)
        for name in ("log_prob", "prob"):
            whole = getattr(d, name)(spread)[(slice(None), *index)]
            np.testing.assert_allclose(whole, getattr(item, name)(x), rtol=tolerance, atol=tolerance)
        for name in () if d.event_shape else UNIVARIATE[:-2]:
            whole = getattr(d, name)(spread)[(slice(None), *index)]
            np.testing.assert_array_equal(whole, getattr(item, name)(x))
        if not d.event_shape:
            q = np.array([0.0, 0.2, 0.5, 1.0], d.dtype)
            whole = d.quantile(q.reshape(-1, *[1] * len(d.batch_shape)))
            np.testing.assert_array_equal(whole[(slice(None), *index)], item.quantile(q))
            np.testing.assert_array_equal(d.prob_between(-0.5, 0.75)[index], item.prob_between(-0.5, 0.75))
        for name in PROPERTIES:
            np.testing.assert_allclose(getattr(d, name)[index], getattr(item, name), rtol=tolerance)
        assert d.entropy()[index] == pytest.approx(float(item.entropy()), rel=tolerance)

        def square(x, last=bool(d.event_shape)):
            return (x[..., 0] if last else x) ** 2

        assert d.expect(square)[index] == pytest.approx(float(item.expect(square)), rel=1e-12 + tolerance)


@cases(BATCHES)
def test_a_batch_is_indexed_like_an_array(d):
    members = np.empty(d.batch_shape, object)
    for index, item in items(d):
        members[index] = item
        assert d[index] == item
        assert d[index].dtype == d.dtype
    even = np.arange(members.size).reshape(members.shape) % 2 == 0
    some = np.arange(len(members))[::-1]
    for index in (slice(None), slice(None, None, -2), slice(0, 0), (..., slice(1)), (None, ...), even, some):
        part, chosen = d[index], members[index]
        assert type(part) is type(d)
        assert (part.batch_shape, part.event_shape, part.dtype) == (chosen.shape, d.event_shape, d.dtype)
        assert all(part[at] == chosen[at] for at in np.ndindex(chosen.shape))
    along = list(d)
    assert len(along) == len(members)
    for part, chosen in zip(along, members, strict=True):
        assert part.batch_shape == d.batch_shape[1:]
        assert all(part[at] == chosen[at] for at in np.ndindex(part.batch_shape) if at)
    for beyond in (len(members), (slice(None),) * members.ndim + (0,), np.ones(len(members) + 1, bool)):
        with pytest.raises(IndexError):
            d[beyond]


@cases(CONTINUOUS, VECTORS)
def test_what_is_no_batch_is_not_indexed(d):
    for index in (0, ..., slice(None)):
        with pytest.raises(IndexError, match=rf"^{type(d).__name__} has no batch to index; .* d\.prob\(i\)"):
            d[index]
    with pytest.raises(TypeError, match=rf"^{type(d).__name__} has no batch to iterate over"):
        iter(d)


@cases(VECTORS)
def test_the_density_of_a_vector_is_largest_at_its_mode(d):
    assert d.mode.shape == d.event_shape
    steps = np.concatenate([np.eye(*d.event_shape), -np.eye(*d.event_shape)]) * d.std / 64
    assert (d.log_prob(d.mode + steps.astype(d.dtype)) < d.log_prob(d.mode)).all()


# ------------------------------------------------------------------------------------------- objects


@cases(SCALARS, VECTORS, BATCHES)
def test_objects_are_values(d):
    for other in (pickle.loads(pickle.dumps(d)), copy.copy(d), copy.deepcopy(d), eval(repr(d))):
        assert type(other) is type(d)
        assert other == d
        assert hash(other) == hash(d)
        assert (other.dtype, other.batch_shape, other.event_shape) == (d.dtype, d.batch_shape, d.event_shape)
        np.testing.assert_array_equal(other.mean, d.mean)
    assert d != 1
    assert d != "Normal"
    assert len({d, copy.copy(d)}) == 1
    for change in (lambda: setattr(d, "loc", 0), lambda: setattr(d, "_start", 0), lambda: delattr(d, "dtype")):
        with pytest.raises(AttributeError, match=r"is immutable"):
            change()


def test_different_parameters_and_types_are_different():
    every = [make(np.float64) for make in ALL.values()]
    narrow = [make(np.float32) for name, make in ALL.items() if name not in EXACT]
    for i, one in enumerate(every):
        assert [one == other for other in every] == [i == j for j in range(len(every))]
        assert not any(one == other for other in narrow)


@cases(SCALARS, VECTORS, BATCHES)
def test_what_a_notebook_shows(d):
    text = d._repr_html_()
    page = ET.fromstring(text)  # well-formed
    assert type(d).__name__ in "".join(page.itertext())
    assert len(text) < 8000
    labels = [cell.text for cell in page.iter("th")]
    assert {"mean", "sd"} <= set(labels)
    drawn = list(page.iter("{http://www.w3.org/2000/svg}svg"))
    assert len(drawn) == (not d.batch_shape)
    assert not any(word in text for word in ("nan", "<script", "href", "url(", "src="))
    for picture in drawn:
        width, height = float(picture.get("width")), float(picture.get("height"))
        for line in picture.iter("{http://www.w3.org/2000/svg}polygon"):
            points = np.array([[float(v) for v in pair.split(",")] for pair in line.get("points").split()])
            assert np.all((points >= 0) & (points <= [width, height]))


def test_notebooks_of_extreme_distributions():
    huge = [
        Normal(1e308, 1e308), Normal(0, 5e-324), Uniform(-1.7e308, 1.7e308), Bernoulli(logits=-np.inf), ll.dice("100000d100"),
        ll.dice(1000, 6), ll.dice("d6!"), Discrete(np.full(5000, 1 / 5000), start=-(2**40)), Normal(np.zeros(10**6), 1.0),
        MultivariateNormal(np.zeros(50), np.eye(50)), MultivariateNormal([0, 0], np.ones((2, 2)), allow_singular=True),
        MultivariateNormal([0, 0], variance=[1.0, 0.0], allow_singular=True), MultivariateNormal([1e300, 0], variance=[1e300, 1]),
    ]  # fmt: skip
    for d in huge:
        text = d._repr_html_()
        ET.fromstring(text)
        assert len(text) < 8000
    assert "100000d100" in huge[4]._repr_html_()
    assert "_masses" not in huge[4].__dict__  # nothing long is started to show it
