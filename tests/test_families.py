"""Every family of the registry against its entry in families.py: nothing is missing, and all is what the definition says.

Accuracy is that of the contract: |error| ≤ k·u·(size + what relative changes of all arguments by u change), k from the entry.
"""

import functools
import importlib
import itertools
import json
import math
import pkgutil
from pathlib import Path

import numpy as np
import pytest
from families import FAMILIES, arguments, cases_on, of
from kernel_rows import mp
from scipy import stats

import loglik as ll
from loglik import distributions
from loglik._commands import models
from loglik._divergences import pairs
from loglik.bench import references
from loglik.bench.cases import ELEMENTWISE
from loglik.cli import main
from loglik.distributions import registry
from loglik.distributions.base import Distribution

PAGE = Path(__file__).parents[1] / "docs" / "distributions.md"
STEP = mp.mpf(10) ** -25
REALS, INTEGERS, VECTORS = cases_on("reals"), cases_on("integers"), cases_on("vectors")
ALL = REALS | INTEGERS | VECTORS

EVERYWHERE = ("log_prob", "prob", "mean", "variance", "std", "mode", "entropy", "expect", "sample", "fit")
UNIVARIATE = (
    "cdf", "sf", "log_cdf", "log_sf", "quantile", "prob_between", "log_prob_between", "skewness", "kurtosis", "median",
)  # fmt: skip


def each(*tables):
    """A test for every case of the tables, in float64 and float32."""
    names = [name for table in tables for name in table]
    return pytest.mark.parametrize("d", [pytest.param((n, t), id=f"{n}-{t}") for n in names for t in ("f8", "f4")], indirect=True)


@pytest.fixture
def d(request):
    name, dtype = request.param
    return ALL[name](np.dtype(dtype).type)


# ------------------------------------------------------------------------------------------- nothing is missing


@pytest.mark.parametrize("name", registry.FAMILIES)
def test_a_family_is_complete(name):
    cls = registry.FAMILIES[name]
    assert name in FAMILIES, f"{name} has no entry in FAMILIES of tests/families.py"
    entry = FAMILIES[name]
    assert name in ll.__all__, f"{name} is not in __all__ of src/loglik/distributions/registry.py"
    assert getattr(ll, name) is cls
    for method in EVERYWHERE + (() if entry.on == "vectors" else UNIVARIATE):
        assert hasattr(cls, method), f"{name} has no {method}: declare it in its file in src/loglik/distributions"
    assert cls.__doc__, f"{name} has no docstring"
    for heading in ("Parameters", "Raises", "Examples", ">>> "):
        assert heading in cls.__doc__, f"the docstring of {name} has no section {heading!r}"
    assert f"{{py:class}}`~loglik.{name}`" in PAGE.read_text(), f"{name} has no row in the first table of docs/distributions.md"
    assert cls in models.FAMILIES.values(), f"{name} is no model of the command line: src/loglik/_commands/models.py"
    for kernel in (row.name for row in entry.kernels):
        assert kernel in ELEMENTWISE, f"{kernel} has no benchmark in src/loglik/bench/cases/elementwise.py"
        assert hasattr(references, kernel), f"{kernel} has no reference in src/loglik/bench/references.py"
    assert cls._fitted is not None, f"{name} has no fit: see src/loglik/_fitting/driver.py for what its file declares"
    golden = [values for _, by_dtype in entry.golden for values in by_dtype.values()]
    assert golden, f"the entry of {name} in tests/families.py has no golden sample"
    assert all(golden), f"a golden sample of {name} in tests/families.py has no values"
    kernel = getattr(getattr(cls, "_kernel", None), "__name__", None)
    rows = {None, *(row.name for row in entry.kernels)}
    assert kernel in rows, f"the entry of {name} in tests/families.py has no row for its kernel {kernel}"
    assert entry.cases, f"the entry of {name} in tests/families.py has no case"
    assert entry.batches or cls is ll.Discrete, f"the entry of {name} in tests/families.py has no batch"
    assert entry.on != "reals" or entry.cdf, f"the entry of {name} in tests/families.py has no cdf"


def test_every_family_is_in_the_registry():
    for module in pkgutil.iter_modules(distributions.__path__, "loglik.distributions."):
        for cls in vars(importlib.import_module(module.name)).values():
            if isinstance(cls, type) and issubclass(cls, Distribution) and cls._fitted is not None:
                listed = cls in registry.FAMILIES.values()
                assert listed, f"{cls.__name__} is not in __all__ of src/loglik/distributions/registry.py"
    assert list(FAMILIES) == list(registry.FAMILIES), "FAMILIES in tests/families.py is to have the order of the registry"
    everything = [name for family in FAMILIES.values() for name in (*family.cases, *family.batches, *family.exact)]
    assert len(set(everything)) == len(everything)


# ------------------------------------------------------------------------------------------- definitions


def changed(value, factor):
    """`value` with one of its numbers multiplied by `factor`, for each in turn."""
    if not isinstance(value, list):
        yield value * factor
        return
    for i, entry in enumerate(value):
        for other in changed(entry, factor):
            yield [*value[:i], other, *value[i + 1 :]]


def condition(function, given):
    """What relative changes of the arguments by u change, in units of u: Σ|θ ∂f/∂θ|, the larger of both sides at a kink."""
    value, total = function(**given), mp.mpf(0)
    for name in given:
        sides = []
        for sign in (1, -1):
            near = [function(**(given | {name: other})) for other in changed(given[name], 1 + sign * STEP)]
            sides.append(mp.fsum(abs(v - value) / STEP for v in near if not (mp.isinf(v) or mp.isinf(value) or mp.isnan(v))))
        total += max(sides)
    return total


def close(got, function, given, units, dtype, plus=0, power=1):
    """Assert that `got` is the function's value. `plus`: what is added to its size; power 0: an absolute bound."""
    value, u = function(**given), mp.mpf(float(np.finfo(dtype).eps)) / 2
    if mp.isinf(value):
        assert float(got) == float(value), given
        return
    bound = units * u * (plus + power * abs(value) + condition(function, given)) + float(np.finfo(dtype).smallest_subnormal)
    if abs(value) > float(np.finfo(dtype).max):
        return
    if power and abs(value) < float(np.finfo(dtype).tiny):
        bound += units * float(np.finfo(dtype).smallest_subnormal)
    error = abs(mp.mpf(float(got)) - value)
    assert error <= bound, f"{given}: {float(got)!r}, not {float(value)!r}; error {float(error / bound):.3g} of what is allowed"


def points(d):
    """Ordinary and extreme points of a case, which float32 holds exactly."""
    if of(d).on == "vectors":
        return np.float32(np.asarray(d.mean) + np.asarray(d.std) * np.array([[0], [0.5], [-3], [20]]))
    q = [1e-30, 1e-12, 1e-4, 0.03, 0.2, 0.5, 0.7, 0.9, 0.999, 1 - 2**-20]
    ends = [float(end) for end in of(d).ends(**arguments(d))]
    x = [*d.quantile(np.array(q)).tolist(), *(end for end in ends if math.isfinite(end))]
    x += [end + step for end, step in zip(ends, (-1.0, 1.0), strict=True) if math.isfinite(end)]  # outside
    x += [float(at) for at in of(d).breaks(**arguments(d))]
    return np.unique(np.float32(x))


def definition(d, x):
    return of(d).log_prob(x, **arguments(d))


@each(ALL)
def test_log_prob_is_the_definition(d):
    x, family = points(d), of(d)
    for at, got in zip(x.tolist(), d.log_prob(x.astype(d.dtype)), strict=True):
        given = {"x": [mp.mpf(v) for v in at] if isinstance(at, list) else mp.mpf(at)} | arguments(d)
        close(got, family.log_prob, given, 16, d.dtype, plus=1)


# ------------------------------------------------------------------------------------------- tails


def key_of(d):
    return type(d).__name__, repr(arguments(d))


def lists(family, given, most=10**5):
    """Outcomes of an integer family with their masses: from end to end, or until nothing comes that matters."""
    low, high = family.ends(**given)
    result, total = [], mp.mpf(0)
    for k in range(int(low), int(low) + most):
        if k > high:
            break
        p = mp.exp(family.log_prob(mp.mpf(k), **given))
        total += p
        result.append((k, p))
        if mp.isinf(high) and total > 0.9 and p < mp.mpf(10) ** -45:
            break
    return result


def lower(family):
    """P(X ≤ x) as a function of x and the arguments; in 90 digits, so that small complements keep theirs."""
    def cdf(x, **given):
        with mp.workdps(90):
            if family.cdf:
                return family.cdf(x, **given)
            return mp.fsum(p for k, p in lists(family, given) if k <= x)

    return cdf


def upper(family):
    def sf(x, **given):
        with mp.workdps(90):
            return 1 - family.cdf(x, **given) if family.cdf else mp.fsum(p for k, p in lists(family, given) if k > x)

    return sf


def logarithm(function):
    def log(**given):
        with mp.workdps(90):
            value = function(**given)
            return +mp.log(value) if value > 0 else -mp.inf

    return log


def pieces(family, given, *cuts):
    """The support, cut where quadrature needs it."""
    low, high = family.ends(**given)
    inner = sorted({*family.breaks(**given), *cuts})
    return [low, *(c for c in inner if low < c < high), high]


@each(REALS)
def test_the_cdf_of_the_entry_is_the_integral_of_its_density(d):
    if d.dtype == np.float32:
        pytest.skip("an entry knows no types")
    family, given = of(d), arguments(d)
    cuts = [mp.mpf(float(x)) for x in d.quantile(np.array([1e-3, 0.3, 0.5, 0.8, 0.99]))]
    with mp.workdps(20):
        cut = pieces(family, given, *cuts)
        parts = [mp.quad(lambda x: mp.exp(family.log_prob(x, **given)), cut[i : i + 2]) for i in range(len(cut) - 1)]
        for i, x in enumerate(cut[1:-1], 1):
            assert abs(mp.fsum(parts[:i]) - family.cdf(x, **given)) < mp.mpf(10) ** -14
        assert abs(mp.fsum(parts) - 1) < mp.mpf(10) ** -14


@each(REALS, INTEGERS)
def test_tails_are_the_definition(d):
    family, x = of(d), points(d).astype(d.dtype)
    for name, function in (("cdf", lower(family)), ("sf", upper(family))):
        values, logs = getattr(d, name)(x), getattr(d, "log_" + name)(x)
        for at, value, log in zip(x.tolist(), values, logs, strict=True):
            given = {"x": mp.mpf(at)} | arguments(d)
            close(value, function, given, family.units, d.dtype)
            close(log, logarithm(function), given, family.units, d.dtype, plus=1)


@each(REALS, INTEGERS)
def test_quantiles_have_the_probability(d):
    family, given = of(d), arguments(d)
    below, above = lower(family), upper(family)
    for q in np.array([1e-30, 1e-6, 0.01, 0.25, 0.5, 0.75, 0.99, 1 - 2**-20], np.float32).tolist():
        at = mp.mpf(float(d.quantile(d.dtype.type(q))))
        if family.on == "integers":
            slack = mp.mpf(8 * float(np.finfo(d.dtype).eps))
            assert below(at, **given) >= q * (1 - slack)
            assert at == int(family.ends(**given)[0]) or below(at - 1, **given) < q * (1 + slack)
        elif q <= 0.5:
            close(q, below, {"x": at} | given, family.units, d.dtype)
        else:
            close(1 - q, above, {"x": at} | given, family.units, d.dtype)
    assert d.median == d.quantile(d.dtype.type(0.5))


@each(REALS, INTEGERS)
def test_masses_between_points_are_the_definition(d):
    family, x = of(d), points(d).astype(d.dtype)

    def mass(a, b, **given):
        with mp.workdps(90):
            if family.cdf:
                return family.cdf(b, **given) - family.cdf(a, **given)
            return mp.fsum(p for k, p in lists(family, given) if a <= k <= b)

    for i, j in ((0, 1), (0, -1), (1, 2), (len(x) // 2, len(x) // 2 + 1), (-3, -2), (2, -2)):
        given = {"a": mp.mpf(float(x[i])), "b": mp.mpf(float(x[j]))} | arguments(d)
        close(d.prob_between(x[i], x[j]), mass, given, family.units, d.dtype)
        close(d.log_prob_between(x[i], x[j]), logarithm(mass), given, family.units, d.dtype, plus=1)


# ------------------------------------------------------------------------------------------- moments


@functools.cache
def expectations(name, key):
    """Mean, variance, skewness, excess kurtosis and entropy of the case with these arguments, by quadrature."""
    family, given = FAMILIES[name], _ARGUMENTS[key]

    def mean_of(function):
        if family.on == "integers":
            return mp.fsum(p * function(mp.mpf(k)) for k, p in lists(family, given) if p)
        with mp.workdps(25):
            middle = mp.findroot(lambda x: family.cdf(x, **given) - 0.5, _MIDDLES[key])
            return mp.quad(lambda x: mp.exp(family.log_prob(x, **given)) * function(x), pieces(family, given, middle))

    mean = mean_of(lambda x: x)
    second, third, fourth = (mean_of(lambda x, k=k: (x - mean) ** k) for k in (2, 3, 4))
    entropy = mean_of(lambda x: -family.log_prob(x, **given))
    certain = second == 0
    skewness = mp.nan if certain else third / second ** mp.mpf("1.5")
    return mean, second, skewness, mp.nan if certain else fourth / second**2 - 3, entropy


_ARGUMENTS, _MIDDLES = {}, {}


@each(REALS, INTEGERS)
def test_moments_are_those_of_the_density(d):
    name, key = key_of(d)
    _ARGUMENTS[key], _MIDDLES[key] = arguments(d), float(d.median)
    mean, variance, skewness, kurtosis, entropy = map(float, expectations(name, key))
    eps, std = float(np.finfo(d.dtype).eps), math.sqrt(variance)
    assert d.mean == pytest.approx(mean, abs=8 * eps * (abs(mean) + std))
    assert d.variance == pytest.approx(variance, rel=16 * eps)
    assert d.std == pytest.approx(std, rel=16 * eps)
    if std:
        assert d.skewness == pytest.approx(skewness, rel=32 * eps, abs=32 * eps)
        assert d.kurtosis == pytest.approx(kurtosis, rel=64 * eps, abs=64 * eps)
    assert d.entropy() == pytest.approx(entropy, rel=16 * eps, abs=16 * eps)


@each(ALL)
def test_nothing_is_denser_than_the_mode(d):
    x = points(d).astype(d.dtype)
    assert np.all(d.log_prob(x) <= d.log_prob(d.mode))
    if of(d).on == "reals":
        assert d.log_prob(d.mode) >= np.max(d.log_prob(d.mode + d.std * np.array([-1e-3, 1e-3], d.dtype)))


# ------------------------------------------------------------------------------------------- gradients


@each(ALL)
def test_gradients_are_the_slopes_of_the_definition(d):
    family, given = of(d), arguments(d)
    names = family.gradients if family.gradients is not None else (*(("x",) if family.on != "integers" else ()), *given)
    if not names:
        pytest.skip("it has none")
    kinks = [*family.breaks(**given), *(family.ends(**given) if family.on == "reals" else ())]
    step = mp.mpf(10) ** -18
    for x in points(d).astype(d.dtype):
        at = {"x": [mp.mpf(float(v)) for v in x] if x.ndim else mp.mpf(float(x))} | given
        if at["x"] in kinks or mp.isinf(family.log_prob(**at)):
            continue
        gradients = d.log_prob(x, wrt=names)[1]
        for name, got in zip(names, gradients, strict=True):
            sides = [list(added(at[name], sign * step)) for sign in (1, -1)]
            values = [[family.log_prob(**(at | {name: other})) for other in side] for side in sides]
            want = np.array([float((a - b) / (2 * step)) for a, b in zip(*values, strict=True)])
            eps = float(np.finfo(d.dtype).eps)
            got = np.asarray(got, np.float64)
            if name == "scale_tril":
                want = want * np.tri(len(got)).ravel()
            finite = np.isfinite(want)
            atol = 64 * eps * (1 + np.abs(want[finite]).max(initial=0))
            np.testing.assert_allclose(got.ravel()[finite], want[finite], rtol=256 * eps, atol=atol, err_msg=name)


def added(value, step):
    """`value` with `step` added to one of its numbers, for each in turn."""
    if not isinstance(value, list):
        yield value + step
        return
    for i, entry in enumerate(value):
        for other in added(entry, step):
            yield [*value[:i], other, *value[i + 1 :]]


# ------------------------------------------------------------------------------------------- divergences


def first_cases(cls):
    """Cases of a family that a pair is tested on; the second is wider where there is one."""
    family = FAMILIES[cls.__name__]
    return [make(np.float64) for make in family.cases.values()]


def closed_pairs():
    """The pairs of families that have a closed form, of their own or through a base."""
    return [
        pair
        for pair in itertools.product(registry.FAMILIES.values(), repeat=2)
        if any(issubclass(pair[0], p) and issubclass(pair[1], q) for p, q in pairs.KL.pairs())
    ]


@pytest.mark.parametrize("pair", closed_pairs(), ids=lambda pair: "-".join(cls.__name__ for cls in pair))
def test_divergences_are_integrals_of_the_densities(pair):
    for p, q in zip(first_cases(pair[0]), reversed(first_cases(pair[1])), strict=False):
        if p.event_shape != q.event_shape:
            q = first_cases(pair[1])[-1] if q.event_shape else q
            p = first_cases(pair[0])[-1] if p.event_shape else p
        kl, cross = divergence(p, q)
        got = ll.kl_divergence(p, q), ll.cross_entropy(p, q)
        np.testing.assert_allclose(got, (kl, cross), rtol=1e-13 if p.event_shape == () else 1e-11, atol=1e-15)


def divergence(p, q):
    """KL and cross-entropy, by quadrature in mpmath; of vectors by the products of rules of `expect`."""
    one, other, given, against = of(p), of(q), arguments(p), arguments(q)
    if one.on == "vectors" or other.on == "vectors":
        wide = p if p.event_shape else ll.MultivariateNormal([p.loc], [[p.scale**2]])
        cross = wide.expect(lambda x: -q.log_prob(x if q.event_shape else x[..., 0]))
        return cross - wide.entropy(), cross
    if one.on == "integers":
        both = [(mass, other.log_prob(mp.mpf(k), **against)) for k, mass in lists(one, given) if mass]
        cross = mp.inf if any(mp.isinf(log) for _, log in both) else -mp.fsum(mass * log for mass, log in both)
        return float(cross + mp.fsum(mass * mp.log(mass) for mass, _ in both)), float(cross)
    (low, high), (least, most) = one.ends(**given), other.ends(**against)
    if low < least or most < high:
        return math.inf, math.inf
    with mp.workdps(25):
        cuts = pieces(one, given, *other.breaks(**against), mp.mpf(float(p.median)), mp.mpf(float(q.median)))

        def mean_of(function):
            return mp.quad(lambda x: mp.exp(one.log_prob(x, **given)) * function(x), cuts)

        cross = mean_of(lambda x: -other.log_prob(x, **against))
        return float(cross + mean_of(lambda x: one.log_prob(x, **given))), float(cross)


# ------------------------------------------------------------------------------------------- samples


@each(REALS, INTEGERS)
def test_samples_have_the_distribution(d):
    """2·10⁵ draws with a fixed seed: Kolmogorov's and Smirnov's test or the χ² test, both tails, neighbours."""
    n = 200_000
    x = d.sample(n, rng=77)
    low, high = (float(end) for end in of(d).ends(**arguments(d)))
    assert low <= x.min()
    assert x.max() <= high
    if of(d).on == "reals":
        wide = type(d)(**{name: np.float64(value) for name, value in d._arguments().items()})
        u = wide.cdf(x.astype(np.float64))
        assert stats.kstest(u, "uniform").pvalue > 1e-4
        for tail in (u, 1 - u):
            assert stats.binomtest(int((tail < 1e-3).sum()), n, 1e-3).pvalue > 1e-4
        v = (u - 0.5) * math.sqrt(12)
        for lag in (1, 2, 64, 128):
            assert abs(np.dot(v[lag:], v[:-lag])) < 4.5 * math.sqrt(n)
    else:
        masses = lists(of(d), arguments(d))
        expected = np.array([float(p) for _, p in masses]) * n
        counts = np.bincount((x - masses[0][0]).astype(int), minlength=len(masses)).astype(float)
        assert not counts[expected == 0].any()
        some = expected > 5
        if some.sum() > 1:
            assert stats.chisquare(counts[some], expected[some] * counts[some].sum() / expected[some].sum()).pvalue > 1e-4


# ------------------------------------------------------------------------------------------- the command line


@pytest.mark.parametrize("name", FAMILIES)
def test_the_command_line_fits_saves_and_scores(name, tmp_path, capsys):
    cls = registry.FAMILIES[name]
    short = next(model for model, family in models.FAMILIES.items() if family is cls)
    x = np.asarray(FAMILIES[name].data(np.random.default_rng(1)), float)
    rows = x if x.ndim == 2 else x[:, None]
    table, model = tmp_path / "x.csv", tmp_path / "model.json"
    np.savetxt(table, rows, delimiter=",", fmt="%.17g")
    assert main(["fit", str(table), "--model", short, "-o", str(model)]) == 0
    fit = cls.fit(rows, axis=0) if x.ndim == 1 and cls is not ll.Discrete else cls.fit(x)
    assert json.loads(model.read_text())["model"] == short
    capsys.readouterr()
    loaded = models.load_model(str(model))
    np.testing.assert_allclose(loaded.log_prob(rows), fit.log_prob(rows).reshape(len(rows)), rtol=1e-12)
    assert main(["score", str(table), "--model", str(model)]) == 0
    assert capsys.readouterr().out.startswith(f"{len(rows)} rows\n")
