"""One row per form of each loss: what it is in mpmath, where it is tested, how wrong it may be, what it refuses.

The checks that every loss must pass are generated from these rows: `test_loss_registry.py` (definitions, gradients, errors,
types, dask, and whether a loss has all of its pieces), `test_loss_pass.py` (reductions, broadcasting, layouts, threads, memory),
`test_results.py`, `test_torch.py` and `fuzz_public.py`. A public loss without a row fails the suite.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import mpmath
import numpy as np

import loglik as ll

mp = mpmath.mp.clone()
mp.dps = 60


class Exact(NamedTuple):
    """One value and its derivatives, exact. The sizes are those of the terms that may cancel; None: of the result itself."""

    value: Any
    slopes: tuple[Any, ...]  # for each argument of the model; lists where it is a row
    size: Any = None
    slope_sizes: tuple[Any, ...] | None = None


Arguments = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Loss:
    """One form of a loss.

    make: a generator of random numbers and the shape of the values → targets, if the loss has them, and the model, in float64 or
        integers, all of them ordinary.
    exact: exact arguments of one value (mpf; lists of them where an argument is a row) → `Exact`.
    draw: a generator, a number of values and a dtype → arguments over the whole range in which the bounds hold.
    """

    name: str
    model: tuple[str, ...]
    """The arguments that gradients are taken in; the last of them names the form."""
    make: Callable[[np.random.Generator, tuple[int, ...]], Arguments]
    exact: Callable[..., Exact]
    draw: Callable[[np.random.Generator, int, np.dtype], Arguments]
    bounds: tuple[float, float] = (8.0, 8.0)
    """Largest errors of values and gradients, in units of u·size, with u half the distance from 1 to the next number."""
    refused: tuple[tuple[str, float, str], ...] = ()
    """Arguments with an entry that is an error, and what completes "must be ..."."""
    core: int = 0
    """Axes of an element of the model that belong to one value: 1 for rows."""
    note: str = ""
    bench: str = ""
    """The first part of its rows in `loglik bench`, if it is not "loss.<name>"."""

    def __repr__(self) -> str:
        return "-".join(filter(None, (self.name, self.model[-1], self.note)))

    def __call__(self, arguments: Sequence[Any], *, module: Any = ll, **keywords: Any) -> Any:
        return getattr(module, self.name)(**dict(zip(self.arguments, arguments, strict=True)), **keywords)

    @property
    def arguments(self) -> tuple[str, ...]:
        has_targets = "targets" in inspect.signature(getattr(ll, self.name)).parameters
        return (*(("targets",) if has_targets else ()), *self.model)

    @property
    def form(self) -> str:
        return self.model[-1]

    def sample(self, dtype: Any, shape: tuple[int, ...], seed: int = 0) -> Arguments:
        """Ordinary arguments: integers as they are, the others of the dtype."""
        return _of(dtype, self.make(np.random.default_rng(seed), shape))

    def rows(self, arguments: Arguments) -> list[Exact]:
        """The exact results of one-dimensional samples, value by value."""
        return [self.exact(*map(_exactly, row)) for row in zip(*arguments, strict=True)]


def _of(dtype: Any, arguments: Arguments) -> Arguments:
    return tuple(a if a.dtype.kind in "iu" else a.astype(dtype) for a in arguments)


def _exactly(entry: Any) -> Any:
    return [mp.mpf(float(x)) for x in entry] if np.ndim(entry) else mp.mpf(float(entry))


# ------------------------------------------------------------------------------- Bernoulli


def _bernoulli_targets(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.where(rng.random(n) < 0.5, rng.integers(0, 2, n), rng.random(n))


def _times(share: Any, cost: Callable[[], Any]) -> Any:
    """share · cost, and 0 where the share is 0, whatever the cost."""
    return share * cost() if share else mp.mpf(0)


def _bernoulli_logits() -> Loss:
    def exact(t: Any, z: Any) -> Exact:
        p, q = 1 / (1 + mp.exp(-z)), 1 / (1 + mp.exp(z))
        slope = {0: p, 1: -q}.get(t, p - t)
        return Exact(
            t * mp.log1p(mp.exp(-z)) + (1 - t) * mp.log1p(mp.exp(z)), (slope,), None, (p + t if 0 < t < 1 else abs(slope),)
        )

    def draw(rng: np.random.Generator, n: int, dtype: np.dtype) -> Arguments:
        most = 80.0 if dtype == np.float32 else 700.0
        z = np.where(rng.random(n) < 0.5, 10 * rng.standard_normal(n), rng.uniform(-most, most, n))
        return _of(dtype, (_bernoulli_targets(rng, n), np.where(rng.random(n) < 0.1, z * 1e-9, z)))

    return Loss(
        "bernoulli_nll", ("logits",), lambda rng, shape: (rng.random(shape), 3 * rng.standard_normal(shape)), exact, draw,
        refused=tuple(("targets", entry, "in [0, 1]") for entry in (2.0, -0.5, np.inf, np.nan)),
    )  # fmt: skip


def _bernoulli_probs() -> Loss:
    def exact(t: Any, p: Any) -> Exact:
        parts = _times(t, lambda: 1 / p), _times(1 - t, lambda: 1 / (1 - p))
        value = _times(t, lambda: -mp.log(p)) + _times(1 - t, lambda: -mp.log1p(-p))
        return Exact(value, (parts[1] - parts[0],), None, (parts[0] + parts[1],))

    def draw(rng: np.random.Generator, n: int, dtype: np.dtype) -> Arguments:
        p = np.where(rng.random(n) < 0.5, rng.random(n), 10.0 ** rng.uniform(-30, 0, n))
        return _of(dtype, (_bernoulli_targets(rng, n), np.clip(p, 1e-30, 1 - 1e-7)))

    return Loss(
        "bernoulli_nll", ("probs",), lambda rng, shape: (rng.random(shape), rng.uniform(0.01, 0.99, shape)), exact, draw,
        refused=(
            *(("targets", entry, "in [0, 1]") for entry in (2.0, -0.5, np.nan)),
            *(("probs", entry, "in [0, 1]") for entry in (1.5, -0.25, np.inf)),
        ),
    )  # fmt: skip


# ------------------------------------------------------------------------------- Gaussian


def _gaussian(form: str) -> Loss:
    spread_of = {"variance": lambda s: s * s, "log_variance": lambda s: 2 * np.log(s), "scale": lambda s: s}[form]
    variance_of = {"variance": lambda s: s, "log_variance": mp.exp, "scale": lambda s: s * s}[form]

    def exact(t: Any, m: Any, s: Any) -> Exact:
        variance = variance_of(s)
        half, log_scale, constant = (t - m) ** 2 / (2 * variance), mp.log(variance) / 2, mp.log(2 * mp.pi) / 2
        chain = {"variance": 1 / variance, "log_variance": mp.mpf(1), "scale": 2 / s}[form]
        slope = (m - t) / variance
        return Exact(
            half + log_scale + constant, (slope, (mp.mpf(1) / 2 - half) * chain),
            half + abs(log_scale) + constant, (abs(slope), (mp.mpf(1) / 2 + half) * abs(chain)),
        )  # fmt: skip

    def draw(rng: np.random.Generator, n: int, dtype: np.dtype) -> Arguments:
        """Some close, some far, half of them over the range of the type."""
        exponent = np.where(rng.random(n) < 0.5, 3.0, 480.0 if dtype == np.float64 else 55.0)
        scale = 2.0 ** (exponent * rng.uniform(-1, 1, n))
        z = rng.standard_normal(n) * 10.0 ** rng.integers(-8, 3, n)
        mean = scale * rng.standard_normal(n) * rng.choice([0, 1, 100], n)
        return _of(dtype, (mean + scale * z, mean, spread_of(scale)))

    wrong = (np.inf, -np.inf) if form == "log_variance" else (0.0, -1.0, np.inf, -np.inf)
    condition = "finite" if form == "log_variance" else "positive and finite"
    return Loss(
        "gaussian_nll", ("mean", form),
        lambda rng, shape: (*rng.standard_normal((2, *shape)), rng.uniform(0.5, 2, shape)), exact, draw, (4.0, 8.0),
        refused=tuple((form, entry, condition) for entry in wrong),
    )  # fmt: skip


# ------------------------------------------------------------------------------- Laplace


def _laplace(form: str) -> Loss:
    def exact(t: Any, loc: Any, s: Any) -> Exact:
        scale = s if form == "scale" else mp.exp(s)
        z, log_scale, log_2 = abs(t - loc) / scale, mp.log(scale), mp.log(2)
        chain = 1 / scale if form == "scale" else mp.mpf(1)
        return Exact(
            z + log_scale + log_2, (mp.sign(loc - t) / scale, (1 - z) * chain),
            z + abs(log_scale) + log_2, (1 / scale, (1 + z) * chain),
        )  # fmt: skip

    def draw(rng: np.random.Generator, n: int, dtype: np.dtype) -> Arguments:
        """Some close, some far, half of them over the range of the type; a few targets on the kink."""
        exponent = np.where(rng.random(n) < 0.5, 3.0, 480.0 if dtype == np.float64 else 55.0)
        scale = 2.0 ** (exponent * rng.uniform(-1, 1, n))
        z = rng.laplace(size=n) * 10.0 ** rng.integers(-8, 3, n)
        loc = scale * rng.standard_normal(n) * rng.choice([0, 1, 100], n)
        targets = np.where(rng.random(n) < 0.05, loc, loc + scale * z)
        return _of(dtype, (targets, loc, scale if form == "scale" else np.log(scale)))

    wrong = (np.inf, -np.inf) if form == "log_scale" else (0.0, -1.0, np.inf, -np.inf)
    condition = "finite" if form == "log_scale" else "positive and finite"
    return Loss(
        "laplace_nll", ("loc", form), lambda rng, shape: (*rng.standard_normal((2, *shape)), rng.uniform(0.5, 2, shape)),
        exact, draw, (4.0, 8.0), refused=tuple((form, entry, condition) for entry in wrong),
    )  # fmt: skip


# ------------------------------------------------------------------------------- rows


def categorical_exact(row: list[Any], target: list[Any]) -> Exact:
    """Logits and the probabilities of the classes; logits of −inf have probability 0."""
    largest = max(row)
    e = [mp.exp(z - largest) for z in row]
    skip = row.index(largest)
    others = mp.fsum(x for i, x in enumerate(e) if i != skip)
    value = mp.fsum(t * (largest - z + mp.log1p(others)) for t, z in zip(target, row, strict=True) if t)
    total = mp.fsum(target)
    p = [total * x / (1 + others) for x in e]
    slope = [x - t for x, t in zip(p, target, strict=True)]
    if total == 1 and max(target) == 1:
        i = target.index(1)
        slope[i] = -mp.fsum(x for k, x in enumerate(e) if k != i) / (1 + others)
        return Exact(value, (slope,))
    return Exact(value, (slope,), None, ([x + t for x, t in zip(p, target, strict=True)],))


def _categorical(form: str, classes: int, soft: bool = False) -> Loss:
    def make(rng: np.random.Generator, shape: tuple[int, ...]) -> Arguments:
        targets = rng.dirichlet(np.ones(classes), shape) if soft else rng.integers(0, classes, shape)
        scores = 3 * rng.standard_normal((*shape, classes))
        return targets, scores if form == "logits" else scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))

    def exact(target: Any, row: Any) -> Exact:
        shares = target if soft else [mp.mpf(int(k == target)) for k in range(classes)]
        if form == "logits":
            return categorical_exact(row, shares)
        terms = [-t * x if t else mp.mpf(0) for t, x in zip(shares, row, strict=True)]
        return Exact(mp.fsum(terms), ([-t for t in shares],), mp.fsum(map(abs, terms)))

    def draw(rng: np.random.Generator, n: int, dtype: np.dtype) -> Arguments:
        targets, scores = make(rng, (n,))
        return _of(dtype, (targets, scores * rng.choice([0.1, 1.0, 20.0], (n, 1)) + rng.choice([0, 0, 300], (n, 1))))

    inside = "in [0, 1]" if soft else f"a class from 0 to {classes - 1}"
    return Loss(
        "categorical_nll", (form,), make, exact, draw, core=1, note=f"{classes}, rows" if soft else str(classes),
        refused=tuple(("targets", entry, inside) for entry in ((1.5, -0.5, np.nan) if soft else (classes, -1))),
    )  # fmt: skip


def _standard_normal(width: int) -> Loss:
    def exact(loc: Any, log_variance: Any) -> Exact:
        terms = [(m * m + mp.expm1(x) - x) / 2 for m, x in zip(loc, log_variance, strict=True)]
        return Exact(mp.fsum(terms), (loc, [mp.expm1(x) / 2 for x in log_variance]))

    def draw(rng: np.random.Generator, n: int, dtype: np.dtype) -> Arguments:
        edge, shape = 80 if dtype == np.float32 else 700, (n, width)
        near = rng.standard_normal(shape) * 10.0 ** rng.integers(-12, 1, shape)
        log_variance = np.where(rng.random(shape) < 0.8, near, rng.uniform(-edge, edge, shape))
        log_variance.flat[:6] = 0.0, -0.0, 1.0, -1.0, *np.nextafter(dtype.type([1, -1]), dtype.type([2, -2]))
        loc = rng.standard_normal(shape) * 10.0 ** rng.integers(-12, 2, shape) * rng.integers(0, 2, shape)
        return _of(dtype, (loc, log_variance))

    return Loss(
        "kl_standard_normal", ("loc", "log_variance"), lambda rng, shape: tuple(rng.standard_normal((2, *shape, width))),
        exact, draw, core=1, note=str(width), bench="loss.vae",
    )  # fmt: skip


LOSSES: list[Loss] = [
    _bernoulli_logits(), _bernoulli_probs(),
    _gaussian("variance"), _gaussian("log_variance"), _gaussian("scale"),
    _laplace("scale"), _laplace("log_scale"),
    _categorical("logits", 3), _categorical("logits", 40), _categorical("logits", 5, soft=True),
    _categorical("log_probs", 4), _categorical("log_probs", 6, soft=True),
    _standard_normal(1), _standard_normal(7),
]  # fmt: skip
