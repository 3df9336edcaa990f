"""The benchmarks: references against definitions, probes, turns, the report, and every case run once."""

import itertools
import json
import math
from collections import Counter
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from registry import BY_NAME

import loglik as ll
from loglik import _kernels
from loglik.bench import BenchmarkError, Case, Problem, all_cases, probes, references, run, run_case, select
from loglik.bench.cases import ELEMENTWISE, elementwise_kernels
from loglik.bench.peers import contestants
from loglik.bench.report import COLUMNS, duration, line
from loglik.bench.runner import SelfTimed, measure

mpmath.mp.dps = 50
LOG_2PI = mpmath.log(2 * mpmath.pi)
mpf = mpmath.mpf

# ------------------------------------------------------------------------------- references


def _tuple(result: object) -> tuple:
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
def test_reference_is_its_definition(name, dtype):
    rng = np.random.default_rng(5)
    arguments = [make(rng, 40) for make in ELEMENTWISE[name].arguments]
    if dtype == np.longdouble and not ELEMENTWISE[name].extended:
        dtype = np.float64
    outputs = _tuple(getattr(references, name)(*(a.astype(dtype) for a in arguments)))
    # Cancellation between terms of size ~30 is allowed, a wrong formula or constant is not.
    tolerance = 3e-14 if dtype == np.float64 else 3e-17
    for i, row in enumerate(zip(*arguments, strict=True)):
        definition = _tuple(BY_NAME[name].reference(*map(mpf, map(float, row))))
        for got, exact in zip(outputs, definition, strict=True):
            assert got.dtype == dtype
            assert got[i] == exact or abs(mpf(str(got[i])) - exact) < tolerance * max(1, abs(exact))


def test_every_elementwise_kernel_is_benchmarked():
    kernels = elementwise_kernels()
    assert kernels
    for name in kernels:
        assert name in ELEMENTWISE, f"{name}: add a row to loglik.bench.cases.ELEMENTWISE"
        assert callable(getattr(references, name))


def _spd(d: int, seed: int = 3) -> np.ndarray:
    a = np.random.default_rng(seed).standard_normal((d, d))
    return a @ a.T + np.eye(d)


def _exact_log_prob(x, loc, covariance) -> mpmath.mpf:
    c = mpmath.matrix(covariance.tolist())
    r = mpmath.matrix((x - loc).tolist())
    return -((r.T * c**-1 * r)[0] + mpmath.log(mpmath.det(c)) + len(x) * LOG_2PI) / 2


def test_gaussian_references_are_the_definition():
    d, n, k = 4, 3, 2
    rng = np.random.default_rng(1)
    x, loc = rng.standard_normal((n, d)), rng.standard_normal((k, d))
    covariance = np.stack([_spd(d, seed) for seed in range(k)])
    exact = np.array([[float(_exact_log_prob(p, m, c)) for m, c in zip(loc, covariance, strict=True)] for p in x])
    np.testing.assert_allclose(references.mvn_log_prob_grid(x, loc, covariance), exact, rtol=1e-13)
    np.testing.assert_allclose(references.mvn_log_prob_shared(x, loc[0], covariance[0]), exact[:, 0], rtol=1e-13)
    per_point = references.mvn_log_prob(x[:k], loc, covariance)
    np.testing.assert_allclose(per_point, np.diagonal(exact[:k]), rtol=1e-13)
    wide = references.exact_mvn_log_prob(x[:, None], loc, covariance)
    np.testing.assert_allclose(wide.astype(float), exact, rtol=4e-16)
    factor = references.exact_cholesky(covariance)
    np.testing.assert_allclose((factor @ factor.swapaxes(1, 2)).astype(float), covariance, rtol=4e-16)
    assert np.all(np.triu(factor, 1) == 0)


def test_divergence_references_are_the_definition():
    d = 3
    p, q = (np.zeros(d), _spd(d, 1)), (np.ones(d), _spd(d, 2))
    cp, cq = (mpmath.matrix(c.tolist()) for c in (p[1], q[1]))
    shift = mpmath.matrix((q[0] - p[0]).tolist())
    product = cq**-1 * cp
    trace = sum(product[i, i] for i in range(d))
    exact = (trace + (shift.T * cq**-1 * shift)[0] - d + mpmath.log(mpmath.det(cq) / mpmath.det(cp))) / 2
    assert references.mvn_kl(*p, *q) == pytest.approx(float(exact), rel=1e-13)
    value, stderr = references.monte_carlo_kl(40_000, *p, *q, np.random.default_rng(0))
    assert abs(value - float(exact)) < 4 * stderr
    assert 0 < stderr < 0.1 * float(exact)


def test_gradient_reference_is_the_derivative():
    t, z = np.array([0.0, 1.0, 1.0, 0.25]), np.array([-3.0, 0.5, 30.0, 0.0])
    value, gradient = references.bernoulli_nll_gradient(t, z)
    assert value == pytest.approx(float(sum(references.bernoulli_nll(t, z))), rel=1e-15)
    for i in range(len(z)):
        slope = mpmath.diff(lambda v, i=i: mpmath.log(1 + mpmath.exp(v)) - mpf(t[i]) * v, mpf(z[i]))
        assert gradient[i] == pytest.approx(float(slope), rel=1e-14, abs=1e-16)


def test_dice_references_are_counts():
    n, sides = 4, 6
    counts = Counter(sum(throw) for throw in itertools.product(range(sides), repeat=n))
    pmf = references.dice_pmf(n, sides)
    assert len(pmf) == n * (sides - 1) + 1
    for k in range(len(pmf)):
        assert references.exact_dice_count(n, sides, k) == counts[k]
        assert pmf[k] == pytest.approx(float(Fraction(counts[k], sides**n)), rel=1e-14)
    np.testing.assert_array_equal(references.dice_pmf(1, 3), np.full(3, 1 / 3))
    np.testing.assert_allclose(references.convolve([np.array([0.5, 0.5]), np.array([0.25, 0.75])]), [0.125, 0.5, 0.375])


# ------------------------------------------------------------------------------- peers


def test_scipy_computes_the_same():
    pytest.importorskip("scipy")
    rng = np.random.default_rng(2)
    for name, spec in ELEMENTWISE.items():
        arguments = tuple(make(rng, 20) for make in spec.arguments)
        for function in contestants(name, arguments, threads=1, names=["scipy"]).values():
            np.testing.assert_allclose(function(), getattr(references, name)(*arguments), rtol=1e-12)
    x, loc, covariance = rng.standard_normal((5, 3)), np.ones(3), _spd(3)
    got = contestants("mvn_shared", (x, loc, covariance), threads=1, names=["scipy"])["scipy"]()
    np.testing.assert_allclose(got, references.mvn_log_prob_shared(x, loc, covariance), rtol=1e-12)
    fft = contestants("dice", (5, 6), threads=1, names=["numpy_fft"])["numpy_fft"]()
    np.testing.assert_allclose(fft, references.dice_pmf(5, 6), atol=1e-16)


# ------------------------------------------------------------------------------- probes


@pytest.mark.parametrize("sizes", [(0, 0), (1, 3), (64, 64), (1000, 17), (40_000, 5_000), (100_003, 33)])
@pytest.mark.parametrize("threads", [1, 2])
def test_streams_read_and_write_everything(sizes, threads):
    # Whole vectors are touched, at most 63 bytes at each end of a thread's part are left.
    rng = np.random.default_rng(0)
    source = rng.integers(-(2**62), 2**62, sizes[0])
    target = np.full(sizes[1], 7.0)
    probes.streams([source], [target], threads)()
    assert np.count_nonzero(target) <= 7 * threads
    if sizes[0] % 8 == 0:
        view = source.view(np.uint8) if source.size else np.empty(0, np.uint8)
        assert np.int64(_kernels.probe_streams([view], [])) == source.sum()


def test_streams_check_their_arguments():
    one = np.zeros(64, np.uint8)
    with pytest.raises(ValueError, match="at most 8"):
        _kernels.probe_streams([one] * 9, [])
    read_only = one.copy()
    read_only.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        _kernels.probe_streams([], [read_only])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_multiply_adds_are_counted(dtype):
    single = dtype == "float32"
    one = _kernels.probe_fma(1, single)
    lanes = one / (2 * 12)
    assert lanes in {2, 4, 8, 16}
    assert _kernels.probe_fma(1000, single) == 1000 * one
    function, operations = probes.fma(dtype, threads=2)
    function()
    assert operations == 2 * probes.FMA_ROUNDS * one


# ------------------------------------------------------------------------------- turns and rows


def test_contestants_take_turns():
    calls: list[str] = []
    slow = {name: SelfTimed(lambda name=name: calls.append(name) or 0.5) for name in "ab"}
    timings = measure(slow, budget=1.0)
    assert "".join(calls[-6:]) == "ababab"  # the last three rounds, after the warm-up
    assert timings["a"].min == timings["a"].median == 0.5


def test_short_calls_are_repeated():
    calls = [0]

    def short() -> None:
        calls[0] += 1

    timing = measure({"short": short}, budget=0.0)["short"]
    assert calls[0] > 100
    assert 0 < timing.min < 1e-4


def _case(error: float, **changes: object) -> Case:
    x = np.zeros(1000)
    problem = Problem(
        run=lambda: x, reference=lambda: x, error=lambda got: error, tolerance=1.0, inputs=(x,), **changes
    )
    return Case("test.case", "float64", (1000,), lambda: problem, 1000)


@pytest.mark.parametrize("error", [1.5, math.inf, math.nan])
def test_wrong_results_are_not_timed(error):
    with pytest.raises(BenchmarkError, match=r"test\.case float64 \(1000,\): error"):
        run_case(_case(error), budget=0.0)


def test_limit_is_the_longer_of_memory_and_arithmetic():
    memory = run_case(_case(0.0), budget=0.0)
    assert memory.limit is not None
    assert memory.limit < 1e-4
    arithmetic = run_case(_case(0.0, flops=1e12), budget=0.0)
    assert arithmetic.limit is not None
    assert arithmetic.limit > 1e-2
    assert arithmetic.fraction == arithmetic.limit / arithmetic.seconds.min
    nothing = Case("none", "float64", (), lambda: Problem(lambda: 0, None, lambda got: 0.0, 1.0), 1)
    row = run_case(nothing, budget=0.0)
    assert row.limit is row.fraction is row.best_peer() is row.speedup("numpy") is None
    assert "none" in line(row)


def test_report_has_the_schema():
    report = run("elementwise.exp", quick=True, peers=False, budget=0.005)
    result = json.loads(json.dumps(report.as_dict()))
    assert {"version", "commit", "cpu", "isa", "threads", "probes", "rows"} <= result.keys()
    assert result["version"] == ll.__version__
    assert result["isa"] == ll.isa()
    assert result["threads"] == 1
    assert set(result["probes"]) == set(probes.machine())
    assert all(value > 0 for value in result["probes"].values())
    assert {row["dtype"] for row in result["rows"]} == {"float64", "float32"}
    for row in result["rows"]:
        assert row["name"].startswith("elementwise.exp")
        assert 0 < row["seconds"]["min"] <= row["seconds"]["median"]
        assert row["fraction"] == pytest.approx(row["limit"] / row["seconds"]["min"])
        assert set(row["peers"]) == {"numpy"}
        assert row["peers"]["numpy"]["min"] > 0
        assert 0 <= row["max_error"] < 10
        assert row["shape"] == [row["elements"]]
    header = report.header()
    assert ll.isa() in header
    assert "Gflop/s" in header
    for row in report.rows:
        assert len(line(row)) <= len(COLUMNS) + 12


def test_filters():
    cases = all_cases()
    assert len({(c.name, c.dtype, c.shape) for c in cases}) == len(cases)
    for family in ("mvn", "loss", "dice", "monte", "sampling", "divergence", "cholesky", "import", "call"):
        chosen = select(cases, family)
        assert chosen
        assert all(family in case.name for case in chosen)
    assert len(select(cases, "dice.100d6, LOSS")) == 1 + len(select(cases, "loss"))
    assert [case.dtype for case in select(cases, "normal_log_prob float32")] == ["float32"] * 2
    assert select(cases, None) == cases
    with pytest.raises(ValueError, match="no case matches 'nonsense'"):
        run("nonsense")


@pytest.mark.parametrize("case", all_cases(quick=True), ids=lambda c: f"{c.name}-{c.dtype}-{c.shape}")
def test_every_case_is_right(case):
    problem = case.build()
    if isinstance(problem.run, SelfTimed):
        return
    result = problem.run()
    assert problem.error(result) <= problem.tolerance
    if problem.fresh:
        assert problem.error(problem.fresh()) <= problem.tolerance
    if problem.reference is None:  # a pipeline in PyTorch, which is compared with PyTorch
        assert case.name.startswith("pipeline")
        assert problem.extra
        return
    if case.unit == "u" and not case.name.startswith("call"):
        # The reference solves the same problem; float32 sums lose digits in NumPy.
        for ours, theirs in zip(_tuple(result), _tuple(problem.reference()), strict=False):
            largest = float(np.max(np.abs(theirs), where=np.isfinite(theirs), initial=0.0))
            # The entries of a gradient are sums over many points that nearly cancel.
            atol = 1e-6 * (max(1.0, largest) if case.name.startswith("mvn.grad") else 1.0)
            np.testing.assert_allclose(ours, theirs, rtol=2e-3 if case.dtype == "float32" else 1e-9, atol=atol)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2.5, "2.50 s"),
        (0.0123, "12.3 ms"),
        (999.4e-6, "999 µs"),
        (999.6e-6, "1.00 ms"),
        (4e-10, "0.40 ns"),
        (1.5e-7, "150 ns"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
