"""One entry per family of distributions: its definition in mpmath, and what the generated tests make of it.

A family in `loglik.distributions.registry.FAMILIES` without an entry here fails the suite. From the entries come the contract
(test_contract.py), definitions, tails, moments, gradients, divergences and samples (test_families.py), fits (test_fit.py), dask
(test_dask.py), samples and golden values (test_sampling.py), the rows of its kernels (registry.py), commands and fuzzing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from kernel_rows import HALF_LOG_2PI, INF, NAN, PROBABILITY, REAL, TWO_ONE, Choice, Interval, Kernel, mp, softplus

import loglik as ll
from loglik import priors

Maker = Callable[[Any], Any]


@dataclass(frozen=True)
class Family:
    """What the tests know of a family.

    on: "reals", "integers" or "vectors".
    cases: distributions without batch, by name; a maker takes a type of NumPy's, float64 or float32. Numbers that float32 holds
        exactly make both types share their integrals.
    log_prob: the definition in mpmath, (x, **arguments of the constructor as mpf or nested lists of mpf); -inf outside the support.
    cdf: P(X ≤ x) of a family on the reals likewise; it is checked against the integral of the density, and reaches far tails.
    data: observations for a fit, from a generator of NumPy's; a few hundred.
    errors: names of the standard errors of a fit.
    golden: (maker, first values of a sample with rng=2026), for float64 and float32; the stream policy (docs/random.md).
    ends: the ends of the support, of the arguments. On the integers, an infinite end is summed to as long as something comes.
    breaks: where the density has a kink or a jump inside the support.
    batches, exact: cases with a batch, and such in float64 only.
    prior: one that changes nothing; None where there is no conjugate prior.
    near: a neighbour of a fit, of (fit, t); by default each parameter in turn changes by t.
    gradients: names in which log_prob has gradients; None: the arguments and, on the reals and vectors, x.
    kernels: rows of its kernels for registry.py.
    units: accuracy of cdf, sf, quantiles and masses in units u·(1 + condition numbers).
    """

    on: str
    cases: dict[str, Maker]
    log_prob: Callable[..., Any]
    data: Callable[[np.random.Generator], np.ndarray]
    errors: tuple[str, ...]
    golden: tuple[tuple[Maker, dict[str, list[float]]], ...]
    cdf: Callable[..., Any] | None = None
    ends: Callable[..., tuple[Any, Any]] = lambda **_: (-mp.inf, mp.inf)
    breaks: Callable[..., tuple[Any, ...]] = lambda **_: ()
    batches: dict[str, Maker] = field(default_factory=dict)
    exact: dict[str, Maker] = field(default_factory=dict)
    prior: Any = None
    near: Callable[[Any, float], Any] | None = None
    gradients: tuple[str, ...] | None = None
    kernels: tuple[Kernel, ...] = ()
    units: float = 16.0


# ------------------------------------------------------------------------------------------- location and scale

_HUGE = Interval(-1e300, 1e300, 1e-300)
_LOCATION_SCALE = (  # x, loc, scale
    (Interval(-5.0, 5.0), Interval(-2.0, 2.0), Interval(0.1, 3.0)),
    (_HUGE, _HUGE, Interval(0.0, 1e300, 1e-300)),
)
_TWO_SCALES = (  # p.loc, p.scale, q.loc, q.scale: ordinary, nearly equal, anything
    (Interval(-3.0, 3.0), Interval(0.1, 3.0)) * 2,
    (Choice((0.25,)), Interval(1.0, 1.0 + 1e-9)) * 2,
    (Interval(-1e10, 1e10, 1e-10), Interval(0.0, 1e100, 1e-100)) * 2,
)
_BAD_SCALES = tuple(((0.0, *bad), NAN) for bad in ((0.0, 0.0), (0.0, -1.0), (NAN, 1.0), (0.0, NAN)))
_EDGES_OF_THE_LINE = (((INF, 0.0, 1.0), -INF), ((-INF, 0.0, 1.0), -INF), ((NAN, 0.0, 1.0), NAN), *_BAD_SCALES)
_EDGES_OF_KL = (((0.0, 1.0, 0.0, 1.0), 0.0), ((0.0, 0.0, 0.0, 1.0), NAN), ((0.0, 1.0, 0.0, -1.0), NAN), ((NAN, 1.0, 0.0, 1.0), NAN))


def normal_log_prob(x, loc, scale):
    return -(((x - loc) / scale) ** 2) / 2 - mp.log(scale) - HALF_LOG_2PI


def normal_kl(p_loc, p_scale, q_loc, q_scale):
    with mp.workdps(800):  # near each other it cancels
        ratio = p_scale / q_scale
        return +(ratio**2 / 2 - mp.mpf(1) / 2 - mp.log(ratio) + ((p_loc - q_loc) / q_scale) ** 2 / 2)


NORMAL = Family(
    on="reals",
    cases={"standard normal": lambda t: ll.Normal(t(0), t(1)), "normal": lambda t: ll.Normal(t(-3.25), t(0.5))},
    batches={
        "normal batch": lambda t: ll.Normal(np.array([[0], [5]], t), np.array([1, 2, 0.5], t)),
        "empty batch": lambda t: ll.Normal(np.zeros((0, 2), t), t(1)),
    },
    log_prob=normal_log_prob,
    cdf=lambda x, loc, scale: mp.erfc((loc - x) / scale / mp.sqrt(2)) / 2,
    data=lambda rng: rng.normal(3, 2, 200),
    prior=priors.NormalInverseGamma(),
    errors=("loc", "scale"),
    golden=(
        (
            lambda t: ll.Normal(t(1), t(2)),
            {
                "f8": [2.625816042503117, 1.50022983994045, 1.8865776173612874],
                "f4": [-0.9441584348678589, 1.4145904779434204, 4.687369346618652],
            },
        ),
    ),
    units=45.0,  # log_ndtr holds a relative 1e-14
    kernels=(
        Kernel(
            "normal_log_prob", normal_log_prob, _LOCATION_SCALE, {"f64": 4.0, "f32": 4.0}, _EDGES_OF_THE_LINE,
            lambda x, loc, scale: ((x - loc) / scale) ** 2 / 2 + abs(mp.log(scale)) + HALF_LOG_2PI,
        ),
        Kernel("normal_kl", normal_kl, _TWO_SCALES, {"f64": 8.0, "f32": 8.0}, _EDGES_OF_KL),
    ),
)  # fmt: skip


def laplace_log_prob(x, loc, scale):
    return -abs(x - loc) / scale - mp.log(2 * scale)


def laplace_kl(p_loc, p_scale, q_loc, q_scale):
    with mp.workdps(800):
        distance = abs(p_loc - q_loc)
        return +(mp.log(q_scale / p_scale) + distance / q_scale + p_scale / q_scale * mp.exp(-distance / p_scale) - 1)


def laplace_cdf(x, loc, scale):
    tail = mp.exp(-abs(x - loc) / scale) / 2
    return tail if x < loc else 1 - tail


LAPLACE = Family(
    on="reals",
    cases={"standard laplace": lambda t: ll.Laplace(t(0), t(1)), "laplace": lambda t: ll.Laplace(t(5.5), t(0.125))},
    batches={"laplace batch": lambda t: ll.Laplace(np.array([[0], [5]], t), np.array([1, 2, 0.5], t))},
    log_prob=laplace_log_prob,
    cdf=laplace_cdf,
    breaks=lambda loc, scale: (loc,),
    data=lambda rng: rng.laplace(3, 2, 201),
    errors=("loc", "scale"),
    golden=(
        (
            lambda t: ll.Laplace(t(1), t(2)),
            {
                "f8": [-1.8842421244727947, 1.8682656870691163, 1.6466549032429332],
                "f4": [3.6957898139953613, -0.26547980308532715, 10.319449424743652],
            },
        ),
    ),
    kernels=(
        Kernel(
            "laplace_log_prob", laplace_log_prob, _LOCATION_SCALE, {"f64": 4.0, "f32": 4.0}, _EDGES_OF_THE_LINE,
            lambda x, loc, scale: abs(x - loc) / scale + abs(mp.log(2 * scale)),
        ),
        Kernel("laplace_kl", laplace_kl, _TWO_SCALES, {"f64": 8.0, "f32": 8.0}, _EDGES_OF_KL),
    ),
)  # fmt: skip


# ------------------------------------------------------------------------------------------- intervals


def uniform_log_prob(x, low, high):
    return -mp.log(high - low) if low <= x <= high else -mp.inf


def uniform_kl(p_low, p_high, q_low, q_high):
    with mp.workdps(800):
        covered = q_low <= p_low and p_high <= q_high
        return +mp.log((q_high - q_low) / (p_high - p_low)) if covered else mp.inf


UNIFORM = Family(
    on="reals",
    cases={"uniform": lambda t: ll.Uniform(t(-1), t(4)), "uniform far": lambda t: ll.Uniform(t(1000), t(1000.5))},
    batches={"uniform batch": lambda t: ll.Uniform(np.array([[0], [-5]], t), np.array([1, 2, 7], t))},
    log_prob=uniform_log_prob,
    cdf=lambda x, low, high: min(max((x - low) / (high - low), 0), 1),
    ends=lambda low, high: (low, high),
    data=lambda rng: rng.normal(3, 2, 200),
    prior=priors.Pareto(),
    errors=("low", "high"),
    golden=(
        (
            lambda t: ll.Uniform(t(-1), t(3)),
            {
                "f8": [2.054296989033781, 0.4086952390080798, 0.10505269293977015],
                "f4": [0.03914594650268555, 1.1245381832122803, -0.9621238708496094],
            },
        ),
    ),
    kernels=(
        Kernel(
            "uniform_log_prob", uniform_log_prob,
            ((Interval(-1.0, 3.0), Interval(-1.0, 0.0), Interval(0.5, 3.0)), (Interval(-1e300, 1e300, 1e-300), Interval(-1e300, 0.0, 1e-300), Interval(0.0, 1e300, 1e-300))),
            {"f64": 2.0, "f32": 2.0},
            (
                ((0.0, 0.0, 1.0), -0.0), ((1.0, 0.0, 1.0), -0.0), ((-0.1, 0.0, 1.0), -INF), ((1.1, 0.0, 1.0), -INF),
                ((0.5, 1.0, 0.0), NAN), ((0.5, 0.0, INF), NAN), ((NAN, 0.0, 1.0), NAN), ((0.5, 0.5, 0.5), NAN),
                ((INF, 0.0, 1.0), -INF),
            ),
            lambda x, low, high: 1 + abs(mp.log(high - low)),
        ),
        Kernel(
            "uniform_kl", uniform_kl,
            (
                (Interval(0.0, 0.5), Interval(0.6, 1.0), Interval(-3.0, 0.3), Interval(0.7, 9.0)),
                (Interval(0.25, 0.25 + 1e-9), Interval(1.0, 1.0 + 1e-9), Interval(0.25 - 1e-9, 0.25), Interval(1.0 + 1e-9, 1.0 + 2e-9)),
                (Interval(-1e10, 0.0, 1e-300), Interval(0.0, 1e10, 1e-300), Interval(-1e308, -1e9, 1e9), Interval(1e9, 1e308, 1e9)),
                (Choice((-1e38, 0.0)), Choice((1e-40, 1e38)), Choice((-1.5e38, -3e38)), Choice((1.5e38, 3e38))),
            ),
            {"f64": 8.0, "f32": 8.0},
            (
                ((0.0, 1.0, 0.0, 1.0), 0.0), ((-1.0, 3.0, 0.0, 1.0), INF), ((0.0, 1.0, 0.5, 2.0), INF), ((0.0, 1.0, -1.0, 0.5), INF),
                ((1.0, 0.0, 0.0, 1.0), NAN), ((0.0, 1.0, 0.0, 0.0), NAN), ((0.0, INF, 0.0, INF), NAN), ((0.0, 1.0, 0.0, INF), NAN),
                ((0.0, 1.0, -INF, 1.0), NAN), ((NAN, 1.0, 0.0, 1.0), NAN), ((0.0, 1.0, 0.0, NAN), NAN), ((0.0, 1.0, NAN, 1.0), NAN),
            ),
        ),
    ),
)


# ------------------------------------------------------------------------------------------- integers


def bernoulli_log_prob(x, logits):
    return -softplus(-logits) if x == 1 else -softplus(logits) if x == 0 else -mp.inf


def bernoulli_kl(p, q):
    with mp.workdps(400):
        def part(a, b):
            return mp.mpf(0) if a == 0 else mp.inf if b == 0 else a * mp.log(a / b)

        return part(p, q) + part(1 - p, 1 - q)


def bernoulli_definition(x, probs=None, logits=None):
    if logits is not None:
        return bernoulli_log_prob(x, logits)
    share = probs if x == 1 else 1 - probs if x == 0 else 0
    return mp.log(share) if share > 0 else -mp.inf


BERNOULLI = Family(
    on="integers",
    cases={
        "bernoulli": lambda t: ll.Bernoulli(t(0.3)),
        "certain": lambda t: ll.Bernoulli(t(1)),
        "bernoulli logits": lambda t: ll.Bernoulli(logits=t(-2.5)),
    },
    batches={
        "bernoulli batch": lambda t: ll.Bernoulli(np.array([[0.0, 0.25, 0.5], [0.75, 0.9, 1]], t)),
        "logits batch": lambda t: ll.Bernoulli(logits=np.array([-50, 0, 3], t)),
    },
    log_prob=bernoulli_definition,
    ends=lambda **_: (0, 1),
    data=lambda rng: rng.integers(0, 2, 200),
    prior=priors.Beta(),
    errors=("probs",),
    golden=((lambda t: ll.Bernoulli(t(0.3)), {"f8": [0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0]}),),
    kernels=(
        Kernel(
            "bernoulli_log_prob", bernoulli_log_prob, ((Choice((0.0, 1.0)), Interval(-745.0, 745.0)), (Choice((0.0, 1.0)), REAL)), TWO_ONE,
            (
                ((1.0, INF), -0.0), ((0.0, INF), -INF), ((1.0, -INF), -INF), ((0.0, -INF), -0.0), ((0.5, 0.0), -INF),
                ((2.0, 0.0), -INF), ((NAN, 0.0), NAN), ((1.0, NAN), NAN),
            ),
        ),
        Kernel(
            "bernoulli_kl", bernoulli_kl, ((PROBABILITY, PROBABILITY), (Interval(0.3, 0.3 + 1e-9), Interval(0.3, 0.3 + 1e-9)), (Interval(0.0, 1.0, 1e-300),) * 2),
            {"f64": 8.0, "f32": 8.0},
            (
                ((0.5, 0.5), 0.0), ((0.0, 0.0), 0.0), ((1.0, 1.0), 0.0), ((0.5, 0.0), INF), ((0.5, 1.0), INF), ((0.0, 1.0), INF),
                ((1.0, 0.0), INF), ((1.5, 0.5), NAN), ((0.5, -0.5), NAN), ((NAN, 0.5), NAN), ((0.5, NAN), NAN),
            ),
        ),
    ),
)


def discrete_definition(x, probs, start):
    k = x - start
    weight = probs[int(k)] if k == int(k) and 0 <= k < len(probs) else 0
    return mp.log(weight / mp.fsum(probs)) if weight else -mp.inf


DISCRETE = Family(
    on="integers",
    cases={
        "discrete": lambda t: ll.Discrete(np.array([0.125, 0, 0.5, 0.375], t), start=-2),
        "discrete logs": lambda t: ll.Discrete(log_probs=np.log(np.array([0.25, 0.7, 0.05])).astype(t)),
        "constant": lambda t: ll.Discrete(np.array([1], t), start=7),
    },
    exact={
        "die": lambda t: ll.die(6),
        "dice": lambda t: ll.dice(3, 10) + 4,
        "weights": lambda t: ll.Discrete(counts=[1, 2, 0, 4], start=5),
        "kept": lambda t: ll.dice("4d6kh3"),
    },
    log_prob=discrete_definition,
    ends=lambda probs, start: (int(start), int(start) + len(probs) - 1),
    data=lambda rng: rng.integers(-3, 9, 200),
    prior=priors.Dirichlet(),
    near=lambda fit, t: ll.Discrete((fit.probs + abs(t) / 12) / (1 + abs(t)), start=-3),
    errors=("probs",),
    golden=(
        (lambda t: ll.die(6), {"f8": [5, 3, 2, 2, 4, 6, 6, 1, 4, 3, 2, 3, 2, 4, 4, 2, 5, 1, 4, 3]}),
        (lambda t: ll.dice(100, 6), {"f8": [362, 344, 340, 334, 352, 370, 368, 319, 353, 347]}),
        (lambda t: ll.Discrete([0.1, 0.0, 0.6, 0.3]), {"f8": [3, 2, 2, 2, 2, 3, 3, 0, 2, 2, 2, 2, 2, 2, 2, 2, 3, 0, 2, 2]}),
    ),
    gradients=(),
)


# ------------------------------------------------------------------------------------------- vectors

COVARIANCE = [[2.0, 0.6], [0.6, 0.5]]


def mvn_definition(x, loc, covariance=None, precision=None, scale_tril=None, variance=None):
    if precision is not None:
        covariance = mp.matrix(precision) ** -1
    elif scale_tril is not None:
        covariance = mp.matrix(scale_tril) * mp.matrix(scale_tril).T
    else:
        covariance = mp.diag(variance) if variance is not None else mp.matrix(covariance)
    r = mp.matrix(x) - mp.matrix(loc)
    return -(r.T * covariance**-1 * r)[0] / 2 - mp.log(mp.det(covariance)) / 2 - len(x) * HALF_LOG_2PI


MVN = Family(
    on="vectors",
    cases={
        "mvn": lambda t: ll.MultivariateNormal(np.array([1, -2], t), np.array(COVARIANCE, t)),
        "mvn diagonal": lambda t: ll.MultivariateNormal(np.array([0, 10], t), variance=np.array([4, 0.25], t)),
        "mvn precision": lambda t: ll.MultivariateNormal(np.zeros(2, t), precision=np.array(COVARIANCE, t)),
        "mvn factor": lambda t: ll.MultivariateNormal(np.zeros(2, t), scale_tril=np.array([[1, 0], [-0.5, 2]], t)),
        "mvn of one": lambda t: ll.MultivariateNormal(np.array([3], t), np.array([[4]], t)),
    },
    batches={
        "mvn batch": lambda t: ll.MultivariateNormal(np.array([[0, 0], [1, 2], [3, -4]], t), np.array(COVARIANCE, t)),
        "mvn batch of both": lambda t: ll.MultivariateNormal(
            np.zeros((2, 1, 2), t), np.array([COVARIANCE, [[1, 0], [0, 2]], [[1, -0.5], [-0.5, 1]]], t)
        ),
    },
    log_prob=mvn_definition,
    data=lambda rng: rng.standard_normal((200, 3)) @ rng.standard_normal((3, 3)) + 5,
    prior=priors.NormalInverseWishart(),
    near=lambda fit, t: ll.MultivariateNormal(fit.loc + t, fit.covariance * (1 + t)),
    errors=("loc", "covariance"),
    golden=(
        (
            lambda t: ll.MultivariateNormal(np.array([1, 2], t), np.array([[4, 1], [1, 2]], t)),
            {"f8": [2.625816042503117, 2.737324949339798, 1.8865776173612874, 1.4458870781533508]},
        ),
        (
            lambda t: ll.MultivariateNormal(np.array([1, 2], t), precision=np.array([[4, 1], [1, 2]], t)),
            {"f8": [1.434517614640526, 1.9595991486666138, 1.2369478350677359, 1.466866349627349]},
        ),
        (
            lambda t: ll.MultivariateNormal(np.array([1, 2], t), variance=np.array([4, 1], t)),
            {"f8": [2.625816042503117, 2.250114919970225, 1.8865776173612874, 1.4135825820493886]},
        ),
    ),
)

FAMILIES: dict[str, Family] = {
    "Normal": NORMAL,
    "Laplace": LAPLACE,
    "Uniform": UNIFORM,
    "Bernoulli": BERNOULLI,
    "Discrete": DISCRETE,
    "MultivariateNormal": MVN,
}


# ------------------------------------------------------------------------------------------- what tests ask of all


def cases_on(*kinds: str) -> dict[str, Maker]:
    """The cases without batch of the families on these."""
    return {name: make for family in FAMILIES.values() if family.on in kinds for name, make in family.cases.items()}


EXACT = {name: make for family in FAMILIES.values() for name, make in family.exact.items()}
BATCHES = {name: make for family in FAMILIES.values() for name, make in family.batches.items()}


def of(d: Any) -> Family:
    """The entry of a distribution."""
    return FAMILIES[type(d).__name__]


def arguments(d: Any) -> dict[str, Any]:
    """What the definition of a distribution takes: mpf, and nested lists of them."""
    given = d._arguments() or {"probs": d.probs, "start": d.start}  # sums of dice have no arguments
    return {name: exact(value) for name, value in given.items() if value is not None}


def exact(value: Any) -> Any:
    """Numbers as mpf, arrays as nested lists."""
    if isinstance(value, int):
        return mp.mpf(value)
    if np.ndim(value):
        return [exact(v) for v in value]
    return mp.mpf(float(value))
