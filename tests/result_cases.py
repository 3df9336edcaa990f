"""The calls whose results `result_hashes.py` hashes: every ufunc and every public function, made from tables.

A family of distributions is a line in FAMILIES, a loss a line in LOSSES, and a ufunc comes from `registry.py`. What the installed
package does not have is left out, so that one set of tables serves old and new versions. Only public names are used.

Inputs depend on nothing but the name of their case: other cases may come and go. A call makes its own objects, because some
keep what they have computed.
"""

import inspect
import itertools
import math
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import registry

import loglik as ll

Call = Callable[[], Any]
Cases = Iterator[tuple[str, Call]]

INF, NAN = math.inf, math.nan
DTYPES = ("float64", "float32")
LARGE = 70_001  # more than the largest block of elements, 65,536
CLASSES = 5

# ------------------------------------------------------------------------------------------------ inputs

KINDS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "real": lambda rng, shape: rng.normal(0.0, 2.0, shape),
    "above": lambda rng, shape: rng.uniform(20.0, 40.0, shape),
    "positive": lambda rng, shape: rng.uniform(0.05, 4.0, shape),
    "unit": lambda rng, shape: rng.uniform(0.0, 1.0, shape),
    "bits": lambda rng, shape: rng.integers(0, 2, shape).astype(float),
    "integers": lambda rng, shape: rng.binomial(9, 0.3, shape).astype(float),
    "classes": lambda rng, shape: rng.integers(0, CLASSES, shape),
    "rows": lambda rng, shape: rng.normal(0.0, 3.0, (*shape, CLASSES)),
    "simplex": lambda rng, shape: rng.dirichlet(np.ones(CLASSES), shape),
    "log simplex": lambda rng, shape: np.log(rng.dirichlet(np.ones(CLASSES), shape)),
}
"""Random arrays by what their numbers mean."""


def generator(*name: Any) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(zlib.crc32(repr(name).encode())))


def data(kind: str, shape: tuple[int, ...], dtype: str, *name: Any) -> np.ndarray:
    array = KINDS[kind](generator(kind, shape, *name), shape)
    return array.astype(dtype) if array.dtype.kind == "f" else array


def edges(dtype: str, count: int | None = None) -> np.ndarray:
    """Numbers where formulas change or fail, the most telling ones first."""
    info = np.finfo(dtype)
    limits = [info.smallest_subnormal, info.tiny, info.eps, 1 - info.epsneg, 1 + info.eps, info.max, -info.max]
    numbers = [
        0.0,
        1.0,
        NAN,
        INF,
        -INF,
        0.5,
        -2.0,
        -0.0,
        2.0,
        -1.0,
        3.0,
        1e-3,
        -1e-8,
        0.25,
        6.0,
        -6.0,
        30.0,
        -40.0,
        710.0,
        -750.0,
        1e5,
    ]
    return np.array([*numbers, *map(float, limits)][:count], dtype)


def crossed(values: np.ndarray, count: int) -> list[np.ndarray]:
    """`count` arrays with every combination of the values."""
    return [np.ascontiguousarray(a.reshape(-1)) for a in np.meshgrid(*[values] * count, indexing="ij")]


def layouts(array: np.ndarray, core: int = 0) -> dict[str, np.ndarray]:
    """The same numbers in other places: with gaps, backwards, with the axes of memory in the other order, unaligned."""
    gaps = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)[..., ::2] if array.ndim else array.copy()
    gaps[...] = array
    memory = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    memory[...] = array
    backwards = np.ascontiguousarray(array[::-1])[::-1] if array.ndim > core else array
    return {"gaps": gaps, "backwards": backwards, "Fortran": np.asfortranarray(array), "unaligned": memory}


def written(call: Callable[..., Any], gaps: bool = False) -> Any:
    """What a call returns and what it writes when it is given ``out=`` of the form of its result."""

    def like(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(like, value))
        value = np.asarray(value)
        return np.full((*value.shape, 2), 7, value.dtype)[..., 0] if gaps else np.full(value.shape, 7, value.dtype)

    out = like(call())
    return call(out=out), out


def called(function: Any, **arguments: Any) -> str:
    """A call as text, for the name of a case."""
    parts = [f"{name}={value!r}" for name, value in arguments.items()]
    name = function if isinstance(function, str) else function.__name__
    return f"{name}({', '.join(parts)})"


# ------------------------------------------------------------------------------------------------ ufuncs

CORE_SIZES = {"d": (1, 2, 3, 4, 6, 8, 9, 15, 16, 17, 24, 32, 33, 64), "k": (1, 2, 3, 8, 9, 64, 200)}
"""Core dimensions of generalised ufuncs, by the letter in the signature; the other letters stand for 3."""


def ufunc_cases() -> Cases:
    general = {row.name: row for row in registry.GENERAL}
    for name, dtype in itertools.product(ll.ufuncs.__all__, DTYPES):
        made = _general(general[name], dtype) if name in general else _elementwise(registry.BY_NAME[name], dtype)
        for label, call in made:
            yield f"ufuncs.{name} {dtype} {label}", call


def _elementwise(row: registry.Kernel, dtype: str) -> Cases:
    ufunc, kind = getattr(ll.ufuncs, row.name), np.dtype(dtype)

    def arguments(n: int) -> list[list[np.ndarray]]:
        rng = generator(row.name, dtype)
        return [[argument.draw(rng, n, kind) for argument in domain] for domain in row.domains]

    def on(n: int, change: Callable[[list[np.ndarray]], list[Any]] = list) -> Call:
        return lambda: [ufunc(*change(domain)) for domain in arguments(n)]

    for n in (1, 7, 100, 5000):
        yield f"n={n}", on(n)
    for layout in layouts(np.zeros(1)):
        yield layout, on(501, lambda domain, layout=layout: [layouts(a)[layout] for a in domain])
    yield "broadcast", on(60, lambda domain: [a[: 7 + i % 2].reshape((-1, 1) if i % 2 else -1) for i, a in enumerate(domain)])
    yield "numbers", on(100, lambda domain: [domain[0], *(float(a[0]) for a in domain[1:])])
    yield "scalars", on(1, lambda domain: [a[0] for a in domain])
    other = "float32" if dtype == "float64" else "float64"
    with np.errstate(all="ignore"):
        yield "mixed", on(100, lambda domain: [domain[0].astype(other), *domain[1:]])
    yield "integers", lambda: ufunc(*crossed(np.arange(-2, 4), ufunc.nin))
    yield "written", on(100, lambda domain: [written(lambda out=None: ufunc(*domain, out=out), gaps=True)[1]])
    yield "edges", lambda: ufunc(*crossed(edges(dtype, {1: None, 2: None, 3: 14}.get(ufunc.nin, 8)), ufunc.nin))
    special = [np.array(column, dtype) for column in zip(*(values for values, _ in row.special), strict=True)]
    yield "special", lambda: ufunc(*special)


def _general(row: registry.GeneralKernel, dtype: str) -> Cases:
    ufunc = getattr(ll.ufuncs, row.name)

    def arguments(n: int) -> tuple[np.ndarray, ...]:
        return row.make(generator(row.name, dtype), n, np.dtype(dtype))

    for n in (1, 7, 100, 2000):
        yield f"n={n}", lambda n=n: ufunc(*arguments(n))
    for layout in layouts(np.zeros(1)):
        yield layout, lambda layout=layout: ufunc(*(layouts(a)[layout] for a in arguments(50)))
    yield "broadcast", lambda: ufunc(*(a[: 5 if i % 2 else 1] for i, a in enumerate(arguments(5))))
    for letter, sizes in CORE_SIZES.items():
        if f"{letter})" in ufunc.signature and not (letter == "k" and "d)" in ufunc.signature):
            for size in sizes:
                yield f"{letter}={size}", lambda size=size, letter=letter: ufunc(*_core(ufunc, dtype, {letter: size}))
    if "d,d)" in ufunc.signature:
        yield "bad matrices", lambda: [ufunc(*_with_matrices(ufunc, dtype, matrix)) for matrix in bad_matrices(dtype).values()]


def _core(ufunc: np.ufunc, dtype: str, sizes: dict[str, int]) -> list[np.ndarray]:
    """Arguments for 3 calls of a generalised ufunc: positive vectors, rows that total 1, positive definite matrices."""
    rng, arguments = generator(ufunc.__name__, dtype, sizes), []
    for core in re.findall(r"\(([^)]*)\)", ufunc.signature.split("->")[0]):
        letters = [letter for letter in core.split(",") if letter]
        shape = (3, *(sizes.get(letter, 3) for letter in letters))
        if not letters:
            values = np.full(shape, np.finfo(dtype).eps)
        elif letters[-2:] == ["d", "d"]:
            values = positive_definite(rng, shape)
        else:
            values = rng.uniform(0.1, 2.0, shape)
            values = values / values.sum(-1, keepdims=True) if letters == ["k"] else values
        arguments.append(values.astype(dtype))
    return arguments


def _with_matrices(ufunc: np.ufunc, dtype: str, matrix: np.ndarray) -> list[np.ndarray]:
    return [np.broadcast_to(matrix, a.shape) if a.shape[-2:] == (4, 4) else a for a in _core(ufunc, dtype, {"d": 4})]


def positive_definite(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    a = rng.normal(size=shape)
    a = np.einsum("...ij,...kj->...ik", a, a) / shape[-1] + 0.3 * np.eye(shape[-1])
    return (a + a.swapaxes(-1, -2)) / 2


def bad_matrices(dtype: str) -> dict[str, np.ndarray]:
    """What is no covariance matrix in 4 dimensions, and why."""
    rng, good = generator("matrices"), np.eye(4)
    good[1, 0] = good[0, 1] = 0.5
    made = {
        "indefinite": positive_definite(rng, (4, 4)) - np.diag([0, 0, 9.0, 0]),
        "singular": np.ones((4, 4)),
        "zero": 0 * good,
    }
    for what, value in (("NaN", NAN), ("infinite", INF), ("asymmetric", 0.7)):
        made[what] = good.copy()
        made[what][1, 0] = value
    return {what: matrix.astype(dtype) for what, matrix in made.items()}


# ------------------------------------------------------------------------------------------------ univariate families

FAMILIES: dict[str, list[dict[str, Any]]] = {
    "Normal": [
        {},
        {"loc": 0.3, "scale": 1.7},
        {"loc": [-1.0, 0.0, 1e3], "scale": [[0.5], [20.0]]},
        {"loc": [-3e38, 0.0, 1e38], "scale": [[1e-38], [3e38]]},
        {"loc": [-1e308, 0.0], "scale": [[1e-308], [1e200], [1e308]]},
        {"loc": "real", "scale": "positive"},
    ],
    "Uniform": [
        {},
        {"low": -1.5, "high": 2.0},
        {"low": [-1.0, 0.0, 2.0], "high": [[2.5], [1e3]]},
        {"low": [-3e38, 0.0, 1.0], "high": [[2.0], [3e38]]},
        {"low": [-1e308, 0.0], "high": [[1e-308], [1e308]]},
        {"low": "real", "high": "above"},
    ],
    "Bernoulli": [
        {"probs": 0.25},
        {"logits": -0.5},
        {"probs": [0.0, 0.3, 1.0]},
        {"logits": [[-2.0, INF], [40.0, 0.0]]},
        {"probs": [1e-300, 5e-324, 1 - 2**-53, 1e-30]},
        {"logits": [1e308, -1e38, -800.0, 800.0]},
        {"probs": "unit"},
        {"logits": "real"},
    ],
    "Discrete": [
        {"probs": [0.25, 0.0, 0.75]},
        {"log_probs": [-1e4, 0.0, -INF], "start": -2},
        {"counts": [1, 4, 6, 4, 1]},
        {"probs": [[0.5, 0.5], [0.125, 0.875]], "start": 3},
        {"probs": "simplex"},
    ],
}
"""Parameter sets of every family: numbers, batches that broadcast, and kinds of random numbers for a large batch."""

BAD_PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "Normal": [
        {"scale": -1.0},
        {"loc": [0.0, NAN]},
        {"scale": [1.0, 0.0]},
        {"loc": [0.0, 1.0], "scale": [1.0, 2.0, 3.0]},
        {"loc": 1j},
    ],
    "Uniform": [{"low": 1.0, "high": 1.0}, {"low": [0.0, NAN]}, {"high": INF}, {"low": "a"}],
    "Bernoulli": [{}, {"probs": 1.5}, {"probs": [0.5, NAN]}, {"logits": NAN}, {"probs": 0.5, "logits": 0.0}],
    "Discrete": [
        {},
        {"probs": [0.5, 0.6]},
        {"probs": [1.5, -0.5]},
        {"counts": [1, -1]},
        {"probs": [1.0], "start": 0.5},
        {"probs": 1.0},
    ],
}

EVALUATE = ("log_prob", "prob", "cdf", "sf", "log_cdf", "log_sf")
BETWEEN = ("prob_between", "log_prob_between")
ATTRIBUTES = ("mean", "variance", "std", "skewness", "kurtosis", "mode", "modes", "support")
NUMBERS_OF = ("entropy", "counts", "normal_approximation", "distance_to_normal")  # methods without arguments
INTEGRANDS: dict[str, Callable[[np.ndarray], Any]] = {
    "square": np.square,
    "exp": lambda x: np.exp(x / 9),
    "step": lambda x: (x > 0.7).astype(float),
    "kink": lambda x: np.abs(x - 0.1),
}
POINTS = ("edges", "n=1", "n=7", "n=100", "n=5000", "integers", "number", "large", *layouts(np.zeros(1)))


def parameters(family: str, given: dict[str, Any], form: str) -> dict[str, Any]:
    """Arguments of a constructor: as they stand in the table ("plain"), or as arrays of a dtype."""

    def one(name: str, value: Any) -> Any:
        if isinstance(value, str) and value in KINDS:
            return data(value, (LARGE,), "float64" if form == "plain" else form, family, name)
        numbers = np.asarray(value)
        with np.errstate(over="ignore"):
            return np.asarray(value, form) if form != "plain" and numbers.dtype.kind == "f" else value

    return {name: one(name, value) for name, value in given.items()}


def is_random(given: dict[str, Any]) -> bool:
    return any(isinstance(value, str) and value in KINDS for value in given.values())


def families(tables: dict[str, list[dict[str, Any]]] = FAMILIES) -> Iterator[tuple[str, dict[str, Any]]]:
    for family, sets in tables.items():
        if hasattr(ll, family):
            yield from ((family, given) for given in sets)


def make(family: str, given: dict[str, Any], form: str) -> Any:
    return getattr(ll, family)(**parameters(family, given, form))


def points(form: str, dtype: str, batch: tuple[int, ...]) -> Any:
    """Where a distribution is evaluated, with axes of length 1 for its batch."""
    if form == "number":
        return 1.0
    if form == "integers":
        values = np.arange(-3, 20)
    elif form == "edges":
        values = edges(dtype)
    else:
        n = LARGE if form == "large" else int(form[2:]) if form.startswith("n=") else 301
        rng = generator("points", n)
        values = (rng.normal(size=n) * rng.choice([0.2, 1.0, 10.0, 1e3], n)).astype(dtype)
        values[::3] = np.round(values[::3])
    if batch == (LARGE,):
        values = values[:LARGE] if form == "large" else values[:1]
    elif batch:
        values = values[:25_000].reshape(-1, *(1 for _ in batch))
    return layouts(values)[form] if form in layouts(np.zeros(1)) else values


def probabilities(form: str, dtype: str, batch: tuple[int, ...]) -> Any:
    """Where quantiles are taken; edges and impossible ones stay."""
    x = points(form, dtype, batch)
    if form in ("number", "integers", "edges"):
        return x
    return np.ascontiguousarray(generator("probabilities").uniform(0, 1, x.shape).astype(dtype) ** 3)


def univariate_cases() -> Cases:
    for family, given in families(BAD_PARAMETERS):
        yield called(family, **given), lambda family=family, given=given: make(family, given, "plain")
    for (family, given), form in itertools.product(families(), ("plain", *DTYPES)):
        cls, new = getattr(ll, family), lambda family=family, given=given, form=form: make(family, given, form)
        try:
            new()
        except ValueError:  # too large for float32; an error is a result, and there is nothing else to ask
            yield f"{called(family, **given)} {form}", new
            continue
        for label, call in itertools.chain(
            _evaluation(cls, new, given, form), _gradients(cls, new, given), _moments(cls, new, given), _samples(new, given)
        ):
            yield f"{called(family, **given)} {form} {label}", call


def _evaluation(cls: type, new: Call, given: dict[str, Any], form: str) -> Cases:
    for at, dtype in itertools.product(POINTS, DTYPES):
        if is_random(given) and at not in ("large", "number") or dtype != form != "plain" and at not in ("edges", "n=100"):
            continue
        for method in (m for m in EVALUATE if hasattr(cls, m)):
            yield (
                f"{method} {at} {dtype}",
                lambda m=method, at=at, dtype=dtype: (d := new()) and getattr(d, m)(points(at, dtype, d.batch_shape)),
            )
        yield (
            f"quantile {at} {dtype}",
            lambda at=at, dtype=dtype: (d := new()) and d.quantile(probabilities(at, dtype, d.batch_shape)),
        )
        for method in (m for m in BETWEEN if hasattr(cls, m)):
            yield (
                f"{method} {at} {dtype}",
                lambda m=method, at=at, dtype=dtype: (
                    (d := new())
                    and (a := points(at, dtype, d.batch_shape)) is not None
                    and (getattr(d, m)(a, a + 2.5), getattr(d, m)(a, 3.0), getattr(d, m)(-1.0, a))
                ),
            )
    for method in (m for m in (*EVALUATE, "quantile") if "out" in inspect.signature(getattr(cls, m, len)).parameters):
        values = probabilities if method == "quantile" else points
        for at, gaps in itertools.product(("n=100", "large"), (False, True)):
            yield (
                f"{method} {at} out, {gaps=}",
                lambda m=method, at=at, gaps=gaps, values=values: (
                    (d := new()) and written(lambda **out: getattr(d, m)(values(at, str(d.dtype), d.batch_shape), **out), gaps)
                ),
            )


def _gradients(cls: type, new: Call, given: dict[str, Any]) -> Cases:
    names = ["x", *given]
    wanted = dict.fromkeys([*names, tuple(names), tuple(reversed(names)), "nonsense", ("x", "x")])
    for method in (m for m in ("log_prob", "prob") if "wrt" in inspect.signature(getattr(cls, m)).parameters):
        for at, wrt in itertools.product(("edges", "n=100", "large", "number"), wanted):
            if is_random(given) and at not in ("large", "number"):
                continue

            def gradient(method: str = method, at: str = at, wrt: Any = wrt, **out: Any) -> Any:
                d = new()
                return getattr(d, method)(points(at, str(d.dtype), d.batch_shape), wrt=wrt, **out)

            yield f"{method} {at} {wrt=}", gradient
            if at != "edges":
                yield f"{method} {at} {wrt=} out", lambda gradient=gradient: written(gradient, gaps=True)


def _moments(cls: type, new: Call, given: dict[str, Any]) -> Cases:
    yield "itself", new
    yield "repr", lambda: repr(new())
    for name in (name for name in ATTRIBUTES if hasattr(cls, name)):
        yield name, lambda name=name: getattr(new(), name)
    for name in (name for name in NUMBERS_OF if hasattr(cls, name)):
        yield name, lambda name=name: getattr(new(), name)()
    if not is_random(given):
        for name, g in INTEGRANDS.items():
            yield f"expect {name}", lambda g=g: new().expect(g)


def _samples(new: Call, given: dict[str, Any]) -> Cases:
    shapes: tuple[Any, ...] = ((), 2) if is_random(given) else ((), 5, (2, 0), (3, 100), LARGE)
    for shape, dtype in itertools.product(shapes, (None, "float32", "float64", "int64", "int8")):
        if shape == LARGE and (dtype not in (None, "float32") or hasattr(new(), "start") and math.prod(new().batch_shape) > 1):
            continue
        yield f"sample {shape} {dtype}", lambda shape=shape, dtype=dtype: new().sample(shape, rng=12345, dtype=dtype)
    yield "sample from a generator", lambda: (rng := np.random.default_rng(3)) and [new().sample(3, rng=rng) for _ in range(3)]
    yield (
        "sample out",
        lambda: written(lambda **out: new().sample(1000 if not is_random(given) else 1, rng=7, **out), gaps=True),
    )


# ------------------------------------------------------------------------------------------------ fits

PRIORS: dict[str, list[dict[str, Any]]] = {
    "Beta": [{}, {"a": 2.0, "b": 3.5}, {"a": 0.5}],
    "Dirichlet": [{}, {"alpha": 2.0}, {"alpha": [1.0, 2.0] * 5, "start": 0}],
    "NormalInverseGamma": [{}, {"mean": 1.0, "kappa": 2.0, "shape": 3.0, "scale": 4.0}],
    "NormalInverseWishart": [{}, {"mean": 1.0, "kappa": 2.0, "dof": 6.0, "scale": 0.5}],
    "Pareto": [{}, {"low": -1.0, "high": 30.0}],
}
FIT_OPTIONS: dict[str, dict[str, Any]] = {
    "all": {},
    "axis 0": {"axis": 0},
    "axis -1": {"axis": -1},
    "both axes": {"axis": (0, 1)},
    "axis 5": {"axis": 5},
    "weights": {"weights": "positive"},
    "counts as weights": {"weights": "integers"},
    "weights of rows": {"axis": 0, "weights": "positive"},
    "NaN omitted": {"nan_policy": "omit"},
    "bad policy": {"nan_policy": "maybe"},
}


def fit_cases() -> Cases:
    kinds = ("real", "positive", "unit", "bits", "integers")
    for family, kind, dtype in itertools.product(FAMILIES, kinds, (*DTYPES, "int64")):
        if not hasattr(ll, family) or (dtype == "int64" and kind not in ("bits", "integers")):
            continue
        cls, name = getattr(ll, family), f"{family}.fit of {kind} {dtype}"
        x = data(kind, (40, 7), dtype).astype(dtype)
        for label, call in _fits(cls, x, dtype):
            yield f"{name}, {label}", call
        for layout, values in layouts(x).items():
            yield f"{name}, {layout}", lambda cls=cls, values=values: cls.fit(values, axis=0)
        yield f"{name}, large", lambda cls=cls, kind=kind, dtype=dtype: cls.fit(data(kind, (100_003, 3), dtype).astype(dtype))
        yield (
            f"{name}, large rows",
            lambda cls=cls, kind=kind, dtype=dtype: cls.fit(data(kind, (LARGE, 3), dtype).astype(dtype), axis=1),
        )
        for label, few in {"one": x[0, :1], "none": x[:0], "equal": np.full(4, x[0, 0]), "number": x[0, 0]}.items():
            yield f"{name}, {label}", lambda cls=cls, few=few: cls.fit(few)
    for dtype, d in itertools.product(DTYPES, (1, 3, 20)):
        name, x = f"MultivariateNormal.fit {dtype} {d=}", data("real", (2, 40, d), dtype)
        for label, call in _fits(ll.MultivariateNormal, x, dtype):
            yield f"{name}, {label}", call
        for layout, values in layouts(x).items():
            yield f"{name}, {layout}", lambda values=values: ll.MultivariateNormal.fit(values)
        yield f"{name}, large", lambda d=d, dtype=dtype: ll.MultivariateNormal.fit(data("real", (200_003 // d, d), dtype))
        yield f"{name}, too few", lambda x=x: ll.MultivariateNormal.fit(x[0, :1])


def _fits(cls: type, x: np.ndarray, dtype: str) -> Cases:
    incomplete = x.astype("float32" if dtype == "float32" else "float64")
    incomplete[..., 3, -1] = NAN
    infinite = incomplete.copy()
    infinite[..., 5, 0] = INF
    rows = x.shape[-2:-1] if cls is ll.MultivariateNormal else x.shape
    for label, options in FIT_OPTIONS.items():
        if cls is ll.MultivariateNormal and "axis" in options and label != "axis 0":
            continue
        shape = x.shape[:1] if label == "weights of rows" else rows
        given = {k: data(v, shape, "float64") if k == "weights" else v for k, v in options.items()}
        values = incomplete if label == "NaN omitted" else x
        yield label, lambda values=values, given=given: cls.fit(values, **given)
    for prior, sets in PRIORS.items():
        for given in sets:
            yield called(prior, **given), lambda p=prior, g=given: cls.fit(x, prior=getattr(ll.priors, p)(**g))
    yield "NaN", lambda: cls.fit(incomplete)
    yield "infinite", lambda: cls.fit(infinite, nan_policy="omit")
    yield "weights of other shape", lambda: cls.fit(x, weights=np.ones(3))
    yield "negative weight", lambda: cls.fit(x, weights=np.full(rows, -1.0))
    yield "no weight", lambda: cls.fit(x, weights=np.zeros(rows))


# ------------------------------------------------------------------------------------------------ dice and sums

DICE = (
    "3d6",
    "d%",
    "4dF",
    "2d8-1d4",
    "(d6+1)-(d4-(2))",
    "2*1d6",
    "4d6kh3",
    "5d6dl1dh1",
    "{2d6+d8}kh2",
    "{2d6, d12}kh1",
    "3d6!",
    "2d6r1",
    "3d6r<=2",
    "2d6rr1",
    "5d10>=8",
    "30d10=10",
    "100d6",
    "350d6 + 1d20",
    "2d6!kh1",
    "40d6kh3",
    "2d6+",
    "(2d6",
    "d6*d4",
    "3d6/2",
    "",
)

DISCRETE: dict[str, Callable[[], Any]] = {
    "die(6)": lambda: ll.die(6),
    "die(0)": lambda: ll.die(0),
    "dice(3, 6)": lambda: ll.dice(3, 6),
    "dice(0, 6)": lambda: ll.dice(0, 6),
    "dice(400, 10)": lambda: ll.dice(400, 10),
    "die(6) + die(8)": lambda: ll.die(6) + ll.die(8),
    "die(6) - die(8) + 2": lambda: ll.die(6) - ll.die(8) + 2,
    "5 - -die(4)": lambda: 5 - -ll.die(4),
    "7 @ die(6)": lambda: 7 @ ll.die(6),
    "300 @ counts": lambda: 300 @ ll.Discrete(counts=[1, 2, 0, 5], start=-1),
    "9 @ probs": lambda: 9 @ ll.Discrete([0.25, 0.75]),
    "3000 @ probs": lambda: 3000 @ ll.Discrete([0.2, 0.5, 0.3]),
    "100 @ float32": lambda: 100 @ ll.Discrete(np.array([0.2, 0.5, 0.3], "f4")),
    "50 @ log_probs": lambda: 50 @ ll.Discrete(log_probs=[-2000.0, 0.0, -INF, -700.0]),
    "20 @ batch": lambda: 20 @ ll.Discrete([[0.2, 0.8], [0.5, 0.5], [0.0, 1.0]]),
    "0 @ batch": lambda: 0 @ ll.Discrete([[0.2, 0.8], [0.5, 0.5]]),
    "-1 @ die(6)": lambda: -1 @ ll.die(6),
    "batch + batch": lambda: (
        ll.Discrete([[[0.2, 0.8]], [[0.5, 0.5]]]) + ll.Discrete([[0.1, 0.2, 0.7], [0.0, 0.5, 0.5]], start=2)
    ),
    "batch - die(6)": lambda: ll.Discrete([[0.2, 0.8], [0.5, 0.5]]) - ll.die(6),
    "convolve of three": lambda: ll.convolve([ll.die(6), [0.25, 0.75], ll.Discrete(counts=[1, 1, 5])]),
    "convolve of rows": lambda: ll.convolve(data("simplex", (300,), "float64")),
    "convolve of a Bernoulli": lambda: ll.convolve(ll.Bernoulli(data("unit", (2000,), "float64"))),
    "convolve of nothing": lambda: ll.convolve([]),
    "convolve of junk": lambda: ll.convolve([ll.die(6), "x"]),
    "convolve of long": lambda: ll.convolve(
        [data("positive", (3000,), "float64", i) / data("positive", (3000,), "float64", i).sum() for i in range(2)]
    ),
    "large batch": lambda: ll.Discrete(data("simplex", (300, 40), "float64"), start=-2),
    "long batch": lambda: ll.Discrete(np.full((3, 5000), 1 / 5000)),
}

COMPARED = (
    "die(6)",
    "dice(3, 6)",
    "5 - -die(4)",
    "9 @ probs",
    "100 @ float32",
    "20 @ batch",
    "large batch",
    "long batch",
    "3000 @ probs",
)


def discrete_cases() -> Cases:
    objects = DISCRETE | {f"dice({text!r})": lambda text=text: ll.dice(text) for text in DICE}
    for name, new in objects.items():
        try:
            new()
        except Exception:  # an error is a result, and there is nothing else to ask
            yield name, new
            continue
        x = {
            "edges": np.append(edges("float64"), [-1e9, 1e9]),
            "integers": np.arange(-20, 200),
            "large": np.arange(-9, LARGE - 9) % 317,
        }
        for label, call in _moments(ll.Discrete, new, {}):
            yield f"{name} {label}", call
        for label, call in _samples(new, {}):
            yield f"{name} {label}", call
        yield f"{name} counts(3, 4)", lambda new=new: new().counts(3, 4)
        for (at, values), method in itertools.product(x.items(), (*EVALUATE, "prob_between")):
            yield (
                f"{name} {method} {at}",
                lambda new=new, m=method, x=values: (
                    (d := new())
                    and getattr(d, m)(
                        *[x.reshape(-1, *(1 for _ in d.batch_shape))[: 9_000 if d.batch_shape else None]]
                        * (1 + (m == "prob_between"))
                    )
                ),
            )
        yield f"{name} quantile", lambda new=new: new().quantile(np.linspace(-0.1, 1.1, 241).reshape(-1, 1, 1))
        yield f"{name} log_prob out", lambda new=new: written(lambda **out: new().log_prob(7, **out))
    for a, b in itertools.product((*COMPARED, 7, 2.5), repeat=2):
        p, q = (DISCRETE.get(c, lambda c=c: c) for c in (a, b))
        for function in (ll.prob_greater, ll.prob_equal):
            yield f"{function.__name__}({a}, {b})", lambda f=function, p=p, q=q: f(p(), q())


# ------------------------------------------------------------------------------------------------ multivariate normal

FORMS = ("covariance", "precision", "scale_tril", "variance")
GAUSSIANS: list[tuple[int, str, tuple[int, ...], tuple[int, ...], int | None]] = [
    # dimension, form, batch of loc, batch of the matrix, rank (None: full)
    *((d, "covariance", (), (), None) for d in (1, 2, 3, 4, 5, 8, 13, 16, 17, 32, 40, 64)),
    *((d, form, (), (), None) for d in (1, 3, 20) for form in FORMS[1:]),
    *((3, form, (2, 1), (4,), None) for form in FORMS),
    *((3, form, (4,), (), None) for form in FORMS),
    *((3, form, (), (4,), None) for form in FORMS),
    *((d, form, (), (), d // 2) for d in (2, 5, 20) for form in ("covariance", "scale_tril", "variance")),
    (4, "covariance", (), (3,), 2),
    (4, "variance", (3,), (3,), 2),
    (4, "scale_tril", (3,), (), 1),
    (2, "covariance", (), (40_000,), None),
    (2, "scale_tril", (40_000,), (40_000,), None),
    (20, "covariance", (), (300,), None),
]


def gaussian(d: int, form: str, loc: tuple[int, ...], batch: tuple[int, ...], rank: int | None, dtype: str) -> dict[str, Any]:
    """Arguments of MultivariateNormal. A singular matrix has small integers, so that it stays singular when it is rounded."""
    rng = generator(d, form, loc, batch, rank)
    if rank is None:
        matrix = positive_definite(rng, (*batch, d, d))
    else:
        factor = rng.integers(-2, 3, (*batch, d, rank)).astype(float)
        matrix = np.einsum("...ij,...kj->...ik", factor, factor)
    if form == "scale_tril":
        matrix = np.tril(matrix)
        if rank is not None:
            matrix[..., rank:, rank:] = 0.0
            matrix[..., range(rank), range(rank)] = 1.5
    if form == "variance":
        matrix = np.diagonal(matrix, axis1=-2, axis2=-1).copy()
        matrix[..., 0] *= rank is None
    options = {} if rank is None else {"allow_singular": True}
    return {"loc": rng.normal(size=(*loc, d)).astype(dtype), form: matrix.astype(dtype), **options}


def gaussian_cases() -> Cases:
    for row, dtype in itertools.product(GAUSSIANS, DTYPES):
        d, form, loc, batch, rank = row
        name = f"MultivariateNormal {d=} {form} loc {loc} matrix {batch} rank {rank} {dtype}"

        def new(row: Any = row, dtype: str = dtype) -> Any:
            return ll.MultivariateNormal(**gaussian(*row, dtype))

        large = max(math.prod(loc), math.prod(batch)) > 100
        for label, call in itertools.chain(_densities(new, d, form, dtype, large), _matrices(new, d, large)):
            yield f"{name} {label}", call
    for dtype, (what, matrix) in itertools.product(DTYPES, bad_matrices("float64").items()):
        for form, options in itertools.product(
            FORMS[:3], ({}, {"allow_singular": True}, {"allow_singular": True, "singular_rtol": 0.1})
        ):
            arguments = {form: np.stack([np.eye(4), matrix]).astype(dtype), **options}
            yield (
                f"MultivariateNormal of {what} {form} {dtype} {options}",
                lambda a=arguments: ll.MultivariateNormal(np.zeros(4), **a),
            )
        yield f"mvn_log_prob of {what} {dtype}", lambda m=matrix, dtype=dtype: ll.mvn_log_prob(
            np.zeros(4), np.zeros(4), m.astype(dtype)
        )
    yield "MultivariateNormal without a matrix", lambda: ll.MultivariateNormal([0.0])
    yield "MultivariateNormal of zero variance", lambda: ll.MultivariateNormal([0.0, 1.0], variance=[1.0, 0.0])
    yield "MultivariateNormal, nearly singular", lambda: ll.MultivariateNormal([0.0, 1.0], [[1.0, 1 - 1e-15], [1 - 1e-15, 1.0]])
    yield "MultivariateNormal of lists", lambda: ll.MultivariateNormal([0, 1], [[2, 1], [1, 2]]).log_prob([[0, 0], [1, 2]])
    yield from _one_shot()


def _vectors(at: str, d: int, dtype: str, batch: tuple[int, ...]) -> np.ndarray:
    """Points for a Gaussian: some for all of its batch, or ("each") one for each of it."""
    if at == "each":
        return data("real", (*batch, d), dtype)
    n = {"one": (), "large": (LARGE // d // max(1, math.prod(batch) // 8) + 2,)}.get(at) or (
        int(at[2:]) if at.startswith("n=") else 50,
    )
    x = data("real", () if at == "one" else n, dtype)
    x = data("real", (*((n) if at != "one" else ()), *((1,) * len(batch) if at != "one" else ()), d), dtype)
    if at == "NaN":
        x[::3, ..., 0] = NAN
        x[::4, ..., -1] = NAN
        x[7::9, ..., d // 2] = INF
    return layouts(x, core=1)[at] if at in layouts(np.zeros(1)) else x


def _densities(new: Call, d: int, form: str, dtype: str, large: bool) -> Cases:
    def ask(method: str, at: str, kind: str = dtype, **options: Any) -> Call:
        return lambda **out: (g := new()) and getattr(g, method)(_vectors(at, d, kind, g.batch_shape), **options, **out)

    sizes = ("one", "each", "n=3") if large else ("one", "each", "n=7", "n=100", "large", "NaN", *layouts(np.zeros(1)))
    for at, method in itertools.product(sizes, ("log_prob", "prob", "mahalanobis")):
        yield f"{method} {at}", ask(method, at)
    yield "log_prob of the other dtype", ask("log_prob", "each", "float32" if dtype == "float64" else "float64")
    for policy, at in itertools.product(("raise", "marginalize", "nonsense"), ("NaN", "n=7", "each")):
        if not large:
            yield f"log_prob {at} {policy}", ask("log_prob", at, nan_policy=policy)
    names = ("x", "loc", form)
    for wrt, at in itertools.product(
        (*names, names, names[1:], "nonsense"), ("each",) if large else ("one", "each", "n=100", "large", "NaN")
    ):
        call = ask("log_prob", at, wrt=wrt)
        yield f"log_prob {at} {wrt=}", call
        if at in ("n=100", "each"):
            yield f"log_prob {at} {wrt=} out", lambda call=call: written(call, gaps=True)
    for at in ("each",) if large else ("n=100", "large"):
        yield f"log_prob {at} out", lambda at=at: written(ask("log_prob", at), gaps=True)
    yield "log_prob of a wrong shape", lambda: new().log_prob(np.zeros((3, d + 1)))


def _matrices(new: Call, d: int, large: bool) -> Cases:
    yield "itself", new
    for name in ("mean", "covariance", "correlation", "scale_tril", "variance", "std", "rank", "condition_number"):
        yield name, lambda name=name: getattr(new(), name)
    yield "entropy", lambda: new().entropy()
    for name, indices in {str(i): i for i in (0, [0], [d - 1, 0], [-1], list(range(0, d, 2)), [d], [])}.items():
        yield f"marginal {name}", lambda indices=indices: new().marginal(indices)
    given: list[dict[int, Any]] = [{0: 0.5}, {-1: [0.1, 0.2, 0.3, 0.4]}, {0: 0.25, d // 2: -1.0}, {}, {d: 0.0}]
    for values in given:
        yield f"condition {values}", lambda values=values: new().condition(values)
    for shape, dtype in itertools.product(
        ((),) if large else ((), 5, (2, 3), 40_000 // d), (None, "float32", "float64", "int64")
    ):
        yield f"sample {shape} {dtype}", lambda shape=shape, dtype=dtype: new().sample(shape, rng=99, dtype=dtype)
    yield "sample out", lambda: written(lambda **out: new().sample(2, rng=99, **out), gaps=True)
    if d <= 3 and not large:
        yield "expect square", lambda: new().expect(lambda x: np.square(x[..., 0]))
        yield "expect exp", lambda: new().expect(lambda x: np.exp(x.sum(-1) / 9))


def _one_shot() -> Cases:
    for d, dtype, (points_of, of) in itertools.product(
        (1, 2, 5, 17, 40), DTYPES, (((9,), ()), ((9,), (9,)), ((300, 1), (4,)), ((), ()))
    ):
        given = gaussian(d, "covariance", of, of, None, dtype)
        x = data("real", (*points_of, d), dtype)
        name = f"{d=} {dtype} points {points_of} Gaussians {of}"

        def call(x: Any = x, given: Any = given, **out: Any) -> Any:
            return ll.mvn_log_prob(x, given["loc"], given["covariance"], **out)

        yield f"mvn_log_prob {name}", call
        yield f"mvn_log_prob {name} out", lambda call=call: written(call, gaps=True)
        for form in FORMS:
            weights = np.log(data("positive", (4,), dtype))
            given = gaussian(d, form, (4,), (), None, dtype)
            yield (
                f"mixture_log_prob {name} {form}",
                lambda x=x, w=weights, given=given: ll.mixture_log_prob(x, w, ll.MultivariateNormal(**given)),
            )
    for dtype in DTYPES:
        x, given = data("real", (30_000, 5), dtype), gaussian(5, "covariance", (200,), (), None, dtype)
        weights = np.log(data("positive", (200,), dtype))
        yield f"mvn_log_prob large {dtype}", lambda x=x, g=given: ll.mvn_log_prob(x, g["loc"][0], g["covariance"])
        yield (
            f"mixture_log_prob large {dtype}",
            lambda x=x, w=weights, g=given: ll.mixture_log_prob(x[:3000], w, ll.MultivariateNormal(**g)),
        )
    yield (
        "mixture_log_prob of a bad weight",
        lambda: ll.mixture_log_prob([0.0], [0.0, INF], ll.MultivariateNormal([[0.0], [1.0]], [[1.0]])),
    )


# ------------------------------------------------------------------------------------------------ losses

LOSSES: dict[str, list[dict[str, str]]] = {
    "bernoulli_nll": [
        {"targets": "bits", "logits": "real"},
        {"targets": "unit", "logits": "real"},
        {"targets": "bits", "probs": "unit"},
    ],
    "gaussian_nll": [
        {"targets": "real", "mean": "real", "variance": "positive"},
        {"targets": "real", "mean": "real", "log_variance": "real"},
        {"targets": "real", "mean": "real", "scale": "positive"},
    ],
    "categorical_nll": [
        {"targets": "classes", "logits": "rows"},
        {"targets": "simplex", "logits": "rows"},
        {"targets": "classes", "log_probs": "log simplex"},
    ],
    "kl_standard_normal": [{"loc": "real", "log_variance": "real"}],
}
"""The kinds of arguments of every loss."""

LOSS_OPTIONS: dict[str, list[dict[str, Any]]] = {
    "categorical_nll": [{"label_smoothing": 0.1}, {"ignore_index": 1}, {"label_smoothing": 2.0}],
    "kl_standard_normal": [{"event_axis": 0}, {"event_axis": (0, 1)}, {"event_axis": ()}],
}
LOSS_SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    # of the first argument, and of the others
    ((), ()),
    ((1,), (1,)),
    ((7,), (7,)),
    ((100,), (100,)),
    ((7,), ()),
    ((), (7,)),
    ((30, 40), (30, 40)),
    ((30, 40), (40,)),
    ((40,), (30, 1)),
    ((0,), (0,)),
    ((3,), (4,)),
    ((LARGE,), (LARGE,)),
    ((280, 300), (280, 300)),
    ((300, 280), (280,)),
]


def loss_cases() -> Cases:
    for loss, forms in LOSSES.items():
        if not hasattr(ll, loss):
            continue
        function = getattr(ll, loss)
        for kinds, (first, others), dtype in itertools.product(forms, LOSS_SHAPES, DTYPES):
            shapes = dict(zip(kinds, [first, *[others] * len(kinds)], strict=False))
            arguments = {name: data(kind, shapes[name], dtype, name) for name, kind in kinds.items()}
            name = f"{loss}({', '.join(f'{n} {k}' for n, k in kinds.items())}) {first} {others} {dtype}"
            for label, call in _loss(function, arguments, shapes, LOSS_OPTIONS.get(loss, [])):
                yield f"{name} {label}", call
        for kinds in forms:
            name = f"{loss}({', '.join(f'{n} {k}' for n, k in kinds.items())})"
            small = {n: data(k, (20, 30), "float64", n) for n, k in kinds.items()}
            for argument, values in small.items():
                for layout, array in layouts(values).items():
                    arguments = small | {argument: array}
                    yield f"{name} {argument} {layout}", lambda f=function, a=arguments: _call(f, a, wrt=tuple(a)[1:], axis=0)
                bad = values.copy()
                bad[3, 4] = -1 if bad.dtype.kind == "i" else NAN
                yield f"{name} bad {argument}", lambda f=function, a=small | {argument: bad}: _call(f, a)
                yield (
                    f"{name} without {argument}",
                    lambda f=function, a=small, n=argument: _call(f, {k: v for k, v in a.items() if k != n}),
                )
                if (values == np.round(values)).all():
                    for kind in ("bool", "int8", "uint8", "int64", "float16"):
                        yield (
                            f"{name} {argument} {kind}",
                            lambda f=function, a=small, n=argument, v=values, kind=kind: _call(f, a | {n: v.astype(kind)}),
                        )


def _call(function: Callable[..., Any], arguments: dict[str, Any], **options: Any) -> Any:
    """By name, but for those that have none."""
    positional = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    return function(
        *(arguments[n] for n in positional if n in arguments),
        **{n: v for n, v in arguments.items() if n not in positional},
        **options,
    )


def _loss(
    function: Callable[..., Any], arguments: dict[str, Any], shapes: dict[str, tuple[int, ...]], more: list[dict[str, Any]]
) -> Cases:
    names = tuple(arguments)[0 if "targets" not in arguments else 1 :]
    try:
        full = np.broadcast_shapes(*shapes.values())
    except ValueError:
        full = next(iter(shapes.values()))
    if function.__name__ == "kl_standard_normal":
        full = full[:-1]
    some = data("positive", full, "float64", "weights")
    some[... if some.ndim == 0 else slice(None, None, 3)] = 0.0
    weights = {"none": None, "some": some, "last axis": some.reshape(-1)[: full[-1]] if full else 2.0, "negative": -1.0}
    every = full in ((100,), (30, 40))  # the combinations of options
    wanted = dict.fromkeys((None, *names, names, tuple(reversed(names)), ("targets",)) if every else (None, names))
    for reduction, weighted, axis, wrt in itertools.product(("mean", "sum", "none"), weights, (None, 0, -1, (0, 1)), wanted):
        if reduction == "none" and axis is not None:
            continue
        if not every and (
            (axis in (-1, (0, 1)) or weighted in ("last axis", "negative")) or (reduction == "sum") == (weighted == "some")
        ):
            continue
        options = {"reduction": reduction, "weights": weights[weighted], "axis": axis, "wrt": wrt}

        def call(options: dict[str, Any] = options, **out: Any) -> Any:
            return _call(function, arguments, **options, **out)

        label = f"{reduction} {axis=} weights {weighted} {wrt=}"
        yield label, call
        if weighted == "some" and wrt in (None, names):
            yield f"{label} out", lambda call=call: written(call, gaps=True)
    for options in more:
        for wrt in (None, names):
            yield f"{options} {wrt=}", lambda options=options, wrt=wrt: _call(function, arguments, **options, wrt=wrt)
    yield "bad reduction", lambda: _call(function, arguments, reduction="median")


# ------------------------------------------------------------------------------------------------ divergences

DIVERGENCES = ("kl_divergence", "cross_entropy", "js_divergence", "js_distance")


def divergence_cases() -> Cases:
    objects = {f"{called(family, **given)}": (family, given) for family, given in families()}
    rows = [row for row in GAUSSIANS if row[0] in (1, 3, 5) and max(math.prod(row[2]), math.prod(row[3])) < 100]
    for form, f in itertools.product(DTYPES, DIVERGENCES):
        function = getattr(ll, f)
        for (p, p_row), (q, q_row) in itertools.product(objects.items(), repeat=2):
            large = is_random(p_row[1]) or is_random(q_row[1])
            if large and (p_row[0] != q_row[0] and form == "float32"):
                continue
            yield f"{f}({p}, {q}) {form}", lambda f=function, a=p_row, b=q_row, form=form: f(make(*a, form), make(*b, form))
            if f == "kl_divergence" and p_row[0] == q_row[0]:
                names = (*(f"p.{n}" for n in p_row[1]), *(f"q.{n}" for n in q_row[1]))
                for wrt in (*names, names, "p.nonsense", "x"):
                    yield (
                        f"{f}({p}, {q}) {form} {wrt=}",
                        lambda f=function, a=p_row, b=q_row, form=form, wrt=wrt: f(make(*a, form), make(*b, form), wrt=wrt),
                    )
        for p_row, q_row in itertools.product(rows, repeat=2):
            if p_row[0] == q_row[0]:
                names = ("p.loc", f"p.{p_row[1]}", "q.loc", f"q.{q_row[1]}")
                for wrt in (None, *names, names) if f == "kl_divergence" else (None,):
                    yield (
                        f"{f}(MultivariateNormal {p_row}, MultivariateNormal {q_row}) {form} {wrt=}",
                        lambda f=function, a=p_row, b=q_row, form=form, wrt=wrt: f(
                            ll.MultivariateNormal(**gaussian(*a, form)),
                            ll.MultivariateNormal(**gaussian(*b, form)),
                            **({"wrt": wrt} if wrt else {}),
                        ),
                    )
        for row, (other, other_row) in itertools.product(rows[:1], objects.items()):
            yield (
                f"{f}(MultivariateNormal {row}, {other}) {form}",
                lambda f=function, a=row, b=other_row, form=form: f(
                    ll.MultivariateNormal(**gaussian(*a, form)), make(*b, form)
                ),
            )
            yield (
                f"{f}({other}, MultivariateNormal {row}) {form}",
                lambda f=function, a=row, b=other_row, form=form: f(
                    make(*b, form), ll.MultivariateNormal(**gaussian(*a, form))
                ),
            )
        yield from _probability_arrays(function, form)


def _probability_arrays(function: Callable[..., Any], dtype: str) -> Cases:
    for p_shape, q_shape in (((), ()), ((7,), (7,)), ((7,), ()), ((1, 9), (8, 1)), ((30_000,), (30_000,)), ((30_000,), ())):
        p, q = data("simplex", p_shape, dtype, "p"), data("simplex", q_shape, dtype, "q")
        name = f"{function.__name__} of arrays {p_shape} {q_shape} {dtype}"
        yield name, lambda p=p, q=q: function(p, q)
        yield f"{name} axis 0", lambda p=p, q=q: function(np.moveaxis(p, -1, 0), np.moveaxis(q, -1, 0), axis=0)
        if p_shape == (7,):
            for layout in layouts(p):
                yield f"{name} {layout}", lambda p=p, q=q, layout=layout: function(layouts(p)[layout], q)
            yield f"{name} with wrt", lambda p=p, q=q: function(p, q, wrt="p")
    long = data("positive", (3, 100_003), "float64")
    long = (long / long.sum(-1, keepdims=True)).astype(dtype)
    yield f"{function.__name__} of long arrays {dtype}", lambda: function(long, long[::-1])
    for what, row in {
        "negative": [1.5, -0.5],
        "a total of 1.1": [0.5, 0.6],
        "NaN": [NAN, 1.0],
        "zeros": [0.0, 1.0],
        "other": [0.2, 0.3, 0.5],
    }.items():
        for name, p, q in (("p", row, [0.5, 0.5]), ("q", [0.5, 0.5], row)):
            yield (
                f"{function.__name__} of {what} {name} {dtype}",
                lambda p=p, q=q: function(np.array(p, dtype), np.array(q, dtype)),
            )


class Shifted:
    """A distribution that is not ours: a normal one around `shift`."""

    def __init__(self, shift: float) -> None:
        self.shift = shift

    def sample(self, shape: Any, *, rng: np.random.Generator) -> np.ndarray:
        return rng.normal(self.shift, 1.0, shape)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        return -((x - self.shift) ** 2) / 2 - 0.9189385332046727


ESTIMATED: dict[str, Callable[[], tuple[Any, Any]]] = {
    "normal, normal": lambda: (ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)),
    "equal": lambda: (ll.Normal(0.0, 1.0), ll.Normal(0.0, 1.0)),
    "batch of normals": lambda: (ll.Normal([0.0, 1.0], 1.0), ll.Normal(1.0, [[1.0], [3.0]])),
    "normal, uniform": lambda: (ll.Normal(0.0, 1.0), ll.Uniform(-1.0, 1.0)),
    "uniform, normal": lambda: (ll.Uniform(-1.0, 1.0), ll.Normal(0.0, 1.0)),
    "bernoulli, bernoulli": lambda: (ll.Bernoulli(0.3), ll.Bernoulli(0.6)),
    "dice": lambda: (ll.dice("3d6"), ll.dice("2d8+2")),
    "gaussians": lambda: tuple(ll.MultivariateNormal(**gaussian(3, form, (), (), None, "float64")) for form in FORMS[:2]),
    "batch of gaussians": lambda: tuple(
        ll.MultivariateNormal(**gaussian(3, "covariance", (), b, None, "float64")) for b in ((4,), ())
    ),
    "gaussian, normal": lambda: (ll.MultivariateNormal([0.5], [[2.0]]), ll.Normal(0.0, 1.0)),
    "strangers": lambda: (Shifted(0.0), Shifted(0.5)),
    "normal, stranger": lambda: (ll.Normal(0.0, 1.5), Shifted(0.5)),
    "heavy tails": lambda: (ll.Normal(0.0, 9.0), ll.Normal(0.0, 0.1)),
    "mismatch": lambda: (ll.Normal(0.0, 1.0), ll.MultivariateNormal([0.0, 0.0], variance=[1.0, 1.0])),
    "junk": lambda: (ll.Normal(0.0, 1.0), 3.0),
}
ESTIMATE_OPTIONS: list[dict[str, Any]] = [
    {"rng": 1},
    {"n": 1000, "rng": 1},
    {"n": 40_000, "rng": 2, "confidence": 0.8},
    {"n": 300, "method": "qmc", "rng": 3},
    {"method": "exact"},
    {"method": "quadrature"},
    {"method": "quadrature", "rtol": 1e-6},
    {"rtol": 0.03, "rng": 4, "max_n": 60_000},
    {"atol": 0.01, "method": "qmc", "rng": 5, "max_n": 60_000},
    {"n": 1},
    {"n": 10, "rtol": 0.1},
    {"method": "nonsense"},
    {"confidence": 1.0},
    {"method": "mc", "rng": 6},
]


def estimate_cases() -> Cases:
    for function, (name, pair), options in itertools.product(
        (ll.estimate_kl, ll.estimate_js), ESTIMATED.items(), ESTIMATE_OPTIONS
    ):
        yield f"{function.__name__} {name} {options}", lambda f=function, pair=pair, options=options: f(*pair(), **options)


# ------------------------------------------------------------------------------------------------ Bayes, moments


def bayes_cases() -> Cases:
    for dtype, shape, other in itertools.product(DTYPES, ((), (7,), (3, 1)), ((), (7,), (30_000,))):
        prior = data("simplex", shape, dtype, "prior")
        for name, likelihood in {
            "likelihood": data("positive", (*other, CLASSES), dtype),
            "log_likelihood": 50 * data("rows", other, dtype),
        }.items():
            yield f"posterior {shape} {name} {other} {dtype}", lambda p=prior, n=name, v=likelihood: ll.posterior(p, **{n: v})
            yield (
                f"posterior {shape} {name} {other} {dtype} axis 0",
                lambda p=prior, n=name, v=likelihood: ll.posterior(np.moveaxis(p, -1, 0), **{n: np.moveaxis(v, -1, 0)}, axis=0),
            )
    many = data("positive", (3, 40_000), "float64")
    yield "posterior of many", lambda: ll.posterior(np.full(40_000, 1 / 40_000), many)
    bad = {
        "evidence 0": ([1.0, 0.0], [0.0, 1.0]),
        "negative": ([0.5, 0.5], [-1.0, 1.0]),
        "total": ([0.5, 0.6], [1.0, 1.0]),
        "NaN": ([0.5, 0.5], [NAN, 1.0]),
    }
    for what, (prior, likelihood) in bad.items():
        yield f"posterior, {what}", lambda p=prior, v=likelihood: ll.posterior(p, v)
    yield "posterior of nothing", lambda: ll.posterior([1.0])
    for values in (
        (0.9, 0.95, 0.01),
        ([0.9, 1.0], 0.95, [[0.01], [0.0], [1.0]]),
        (1.5, 0.5, 0.5),
        (1, 1, 0.5),
        (np.float32(0.9), np.float32(0.9), 0.5),
    ):
        arguments = dict(zip(("sensitivity", "specificity", "prevalence"), values, strict=True))
        yield called("diagnostic_test", **arguments), lambda a=arguments: ll.diagnostic_test(**a)


def moment_cases() -> Cases:
    for dtype, shape in itertools.product(
        (*DTYPES, "int64"), ((30, 1), (30, 4), (30, 17), (2, 30, 3), (LARGE, 5), (1, 3), (0, 3), (5,), (30, 2, 0))
    ):
        x = (data("real", shape, "float64") * 10).astype(dtype)
        name, weights = f"{shape} {dtype}", data("positive", shape[:-1], "float64")
        for function, options in (
            (ll.covariance, {}),
            (ll.covariance, {"ddof": 1}),
            (ll.covariance, {"ddof": 40}),
            (ll.correlation, {}),
        ):
            label = f"{called(function, **options)} {name}"
            yield label, lambda f=function, x=x, o=options: f(x, **o)
            yield f"{label} weighted", lambda f=function, x=x, o=options, w=weights: f(x, weights=w, **o)
            for layout in layouts(np.zeros(1)):
                if shape == (30, 4):
                    yield f"{label} {layout}", lambda f=function, x=x, o=options, layout=layout: f(layouts(x)[layout], **o)
        for label, call in _stats(x, weights):
            yield f"MomentStats {name} {label}", call
    correlated = {
        "number": 0.5,
        "matrix": [[1.0, 0.5], [0.5, 1.0]],
        "batch": [[[1.0, r], [r, 1.0]] for r in (-0.5, 0.0, 0.9)],
        "singular": -1.0,
        "beyond": 1.5,
        "asymmetric": [[1.0, 0.5], [0.4, 1.0]],
        "diagonal": [[1.0, 0.5], [0.5, 2.0]],
    }
    for (what, correlation), dtype in itertools.product(correlated.items(), DTYPES):
        yield (
            f"covariance_from {what} {dtype}",
            lambda c=correlation, dtype=dtype: ll.covariance_from(np.array([7.0, 12.0], dtype), np.asarray(c, dtype)),
        )
    yield "covariance_from a negative std", lambda: ll.covariance_from([1.0, -1.0], 0.5)


def _stats(x: np.ndarray, weights: np.ndarray) -> Cases:
    half = len(x) // 2
    yield "whole", lambda: ll.MomentStats(x)
    yield "weighted", lambda: ll.MomentStats(x, weights=weights)
    yield "in parts", lambda: ll.MomentStats(x[:half]) + ll.MomentStats(x[half:])
    yield "updated", lambda: ll.MomentStats(x[:half]).update(x[half:], weights[half:]).update(x[:1])
    yield "sum", lambda: sum([ll.MomentStats(x[i : i + 10]) for i in range(0, min(len(x), 50), 10)])
    yield "repr", lambda: repr(ll.MomentStats(x))
    yield "ddof", lambda: ll.MomentStats(x).covariance(ddof=1)
    incomplete = x.astype("float64")
    incomplete[:1] = NAN
    for policy in ("propagate", "raise", "omit", "nonsense"):
        yield f"NaN {policy}", lambda policy=policy: ll.MomentStats().update(incomplete, nan_policy=policy)
    for family, prior in itertools.product((*FAMILIES, "MultivariateNormal"), (None, *PRIORS)):
        if hasattr(ll, family):
            yield (
                f"fit {family} {prior}",
                lambda family=family, prior=prior: ll.MomentStats(x).fit(
                    getattr(ll, family), prior=prior and getattr(ll.priors, prior)(**PRIORS[prior][1])
                ),
            )


# ------------------------------------------------------------------------------------------------ scikit-learn


def sklearn_cases() -> Cases:
    try:
        from loglik.sklearn import GaussianDensity, GaussianMixture
    except ImportError:
        return
    for dtype in DTYPES:
        x = data("real", (600, 3), dtype) + 4 * data("bits", (600, 1), dtype)
        for kind in ("full", "diag", "spherical"):
            yield (
                f"GaussianDensity {kind} {dtype}",
                lambda x=x, kind=kind: (
                    (m := GaussianDensity(covariance_type=kind).fit(x))
                    and (m.score_samples(x), m.predict(x), m.sample(9, random_state=1))
                ),
            )
        for kind in ("full", "tied", "diag", "spherical"):
            model = {
                "n_components": 3,
                "covariance_type": kind,
                "max_iter": 9,
                "init_params": "random",
                "random_state": 0,
                "tol": 1e-9,
            }
            yield (
                f"GaussianMixture {kind} {dtype}",
                lambda x=x, model=model: (
                    (m := GaussianMixture(**model).fit(x))
                    and (m.weights_, m.means_, m.covariances_, m.lower_bound_, m.score_samples(x), m.predict_proba(x), m.bic(x))
                ),
            )


def all_cases() -> Cases:
    sections = (
        ufunc_cases,
        univariate_cases,
        fit_cases,
        discrete_cases,
        gaussian_cases,
        loss_cases,
        divergence_cases,
        estimate_cases,
        bayes_cases,
        moment_cases,
        sklearn_cases,
    )
    for section in sections:
        yield from section()
