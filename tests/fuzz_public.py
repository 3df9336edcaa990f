"""Malformed arguments to every public function, for as long as asked: no crash, no hang, only the documented errors.

    python tests/fuzz_public.py [seconds] [seed]

Last run: 40 s, seed 11: 6,420 calls of each of 56 functions, those of scikit-learn and torch among them, nothing found.
"""

import collections
import importlib.util
import inspect
import random
import sys
import time
import warnings

import numpy as np
from loss_registry import LOSSES

import loglik as ll

ALLOWED = (ValueError, TypeError, np.linalg.LinAlgError, MemoryError, NotImplementedError)
SLOW_SECONDS = 1.0

NUMBERS = [None, True, 0, 1, -1, 2, 3.5, float("nan"), float("inf"), -0.0, 1e308, 5e-324, 1j]
OTHERS = ["a", b"x", [], [1, 2], [[1, 2], [3, 4]], {}, object(), np.zeros(0), np.zeros((2, 0)), np.eye(2),
          np.array([[1, 0.5], [0.5, 1]]), np.float32(1.5), np.arange(3)]  # fmt: skip
ENTRIES = [0, 1, 0.5, np.nan, np.inf, -1, 1e-310]


def loss_calls(draw, junk, changed, module, call):
    """The forms of each loss in the registry, with every option that it has; `changed` makes something of a good argument."""

    def one(loss):
        good = loss.make(np.random.default_rng(draw.randrange(9)), draw.choice([(), (3,), (2, 3)]))
        arguments = dict(zip(loss.arguments, map(changed, good), strict=True))
        if draw.random() < 0.1:  # another form, or none
            other = draw.choice([other.form for other in LOSSES if other.name == loss.name])
            arguments |= {loss.form: None, other: changed(good[-1])} if draw.random() < 0.5 else {other: changed(good[-1])}
        function = getattr(module, loss.name)
        choices = {
            "reduction": ["mean", "sum", "none", "x"], "wrt": [None, loss.form, loss.model, junk()], "out": [None, junk()],
            "weights": [None, None, changed(np.ones(good[-1].shape[: good[-1].ndim - loss.core]))],
            "axis": [None, None, 0, junk()],
            "label_smoothing": [0.0, 0.1, 2.0, junk()], "ignore_index": [None, None, 1, 5, junk()],
            "event_axis": [-1, -1, 0, (0, 1), junk()],
        }  # fmt: skip
        named = inspect.signature(function).parameters
        options = {name: draw.choice(some) for name, some in choices.items() if name in named}
        return call(function, **arguments, **options)

    prefix = "" if module is ll else "torch."
    return {f"{prefix}{loss}": lambda loss=loss: one(loss) for loss in LOSSES}


def torch_calls(draw, junk, small, maybe):
    """The functions of `loglik.torch` on tensors of any type, layout and shape, with gradients and without."""
    import torch

    from loglik import torch as llt

    dtypes = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64]

    def tensor(*shape):
        """Values of `small`, in a dtype that fits more often than not; or anything."""
        kind = draw.random()
        if kind < 0.2:
            return junk()
        shape = shape if kind < 0.8 else tuple(draw.choice([0, 1, 2, 3]) for _ in range(draw.randrange(4)))
        made = torch.from_numpy(np.asarray(small(*shape) if shape else np.float64(0.5)))
        made = made.to(draw.choice([torch.float64, torch.float64, *dtypes]))
        other = draw.random()
        if other < 0.05:
            return made.to_sparse() if made.ndim else made.to("meta")
        if other < 0.15 and made.ndim:
            made = made.transpose(0, -1).contiguous().transpose(0, -1)
        return made.requires_grad_(made.is_floating_point() and draw.random() < 0.6)

    def differentiated(function, *arguments, **options):
        value = function(*arguments, **options)
        if value.requires_grad:
            value.sum().backward()

    return {
        **loss_calls(draw, junk, lambda a: draw.choice([tensor(*a.shape), torch.from_numpy(a)]), llt, differentiated),
        "torch.mvn_log_prob": lambda: differentiated(
            llt.mvn_log_prob, tensor(3, 2), tensor(2), scale_tril=draw.choice([tensor(2, 2), torch.eye(2), torch.eye(2).double()])
        ),
    }


def main(seconds: float, seed: int) -> int:
    draw = random.Random(seed)

    def junk():
        kind = draw.random()
        if kind < 0.4:
            return draw.choice(NUMBERS)
        if kind < 0.8:
            return draw.choice(OTHERS)
        array = np.array([draw.choice(ENTRIES) for _ in range(draw.randrange(4))])
        with np.errstate(all="ignore"):
            return array.astype(draw.choice(["f8", "f4", "f2", "i4", "O", ">f8"]))

    def small(*shape):
        """An array of a shape that fits, symmetric if it is a matrix."""
        array = np.array([draw.choice([*ENTRIES, 0, 0, 1, 1, 2, 1e-200]) for _ in range(int(np.prod(shape)))]).reshape(shape)
        return array + array.swapaxes(-1, -2) if shape[-2:] == (2, 2) else array

    def maybe(value=None):
        return draw.choice([value, junk()])

    def distribution():
        makers = [
            lambda: ll.Normal(junk(), junk()),
            lambda: ll.MultivariateNormal(junk(), junk()),
            lambda: ll.MultivariateNormal(junk(), variance=junk()),
            lambda: ll.Discrete(junk(), start=junk()),
            lambda: ll.Discrete(draw.choice([small(2, 3), small(2, 1, 2), np.full((3, 2), 0.5)]), start=maybe(0)),
            lambda: ll.Uniform(junk(), junk()),
            lambda: ll.Bernoulli(maybe(), logits=maybe()),
            ll.Normal,
            ll.Uniform,
            lambda: ll.Bernoulli(0.25),
            lambda: ll.MultivariateNormal([0, 0], np.eye(2)),
            lambda: ll.die(6),
            lambda: ll.dice("4d6kh3"),
            lambda: ll.dice("d6!"),
        ]
        try:
            return draw.choice(makers)()
        except ALLOWED:
            return junk()

    def sampled(**arguments):
        d = distribution()
        return d.sample(**arguments) if hasattr(d, "sample") else None

    def method(name, *arguments):
        return getattr(distribution(), name, lambda *_: None)(*arguments)

    def prior():
        kind = getattr(ll.priors, draw.choice(ll.priors.__all__))
        return kind(**{name: junk() for name in kind._fields if draw.random() < 0.3})

    def notation():
        return "".join(draw.choice("0123456789dD+-*()% khlr!x>=<{},F") for _ in range(draw.randrange(8)))

    calls = {
        **loss_calls(draw, junk, lambda a: draw.choice([junk(), small(*a.shape), a]), ll, lambda f, *a, **o: f(*a, **o)),
        "Normal": lambda: ll.Normal(junk(), junk()).log_prob(junk()),
        "MultivariateNormal": lambda: ll.MultivariateNormal(
            junk(), maybe(), precision=maybe(), variance=maybe()
        ).log_prob(junk()),
        "MultivariateNormal, singular": lambda: ll.MultivariateNormal(
            *draw.choice([(junk(), maybe()), (np.zeros(2), small(2, 2)), (small(2), small(draw.choice([1, 3]), 2, 2))]),
            allow_singular=draw.choice([True, True, junk()]), singular_rtol=draw.choice([None, None, 0.1, junk()]),
        ).log_prob(draw.choice([junk(), small(3, 1, 2)]), nan_policy=draw.choice(["propagate", "raise", "marginalize"])),
        "MultivariateNormal, variance or factor": lambda: ll.MultivariateNormal(
            small(2), **draw.choice([{"variance": small(2)}, {"scale_tril": np.tril(small(2, 2))}]),
            allow_singular=draw.random() < 0.8,
        ).log_prob(small(3, 2), nan_policy=maybe("marginalize")),
        "marginal": lambda: ll.MultivariateNormal(np.zeros(3), np.eye(3)).marginal(
            draw.choice([junk(), [draw.randrange(-4, 4) for _ in range(draw.randrange(4))]])
        ).log_prob(junk()),
        "condition": lambda: ll.MultivariateNormal(
            np.zeros(3), **draw.choice([{"covariance": np.eye(3)}, {"precision": np.eye(3)}, {"covariance": np.ones((3, 3))}]),
            allow_singular=draw.random() < 0.5,
        ).condition(draw.choice([junk(), {draw.randrange(-4, 4): draw.choice([junk(), 1.0]) for _ in range(draw.randrange(4))}])),
        "MultivariateNormal gradient": lambda: ll.MultivariateNormal(
            junk(), maybe(), scale_tril=maybe(), variance=maybe()
        ).log_prob(junk(), wrt=draw.choice(["x", "loc", ("x", "variance"), ("loc", "covariance"), junk()]), out=maybe()),
        "mvn_log_prob": lambda: ll.mvn_log_prob(junk(), junk(), junk()),
        "Discrete": lambda: ll.Discrete(junk(), log_probs=maybe(), counts=maybe(), start=maybe(0)).log_prob(junk()),
        "Discrete, batch": lambda: draw.choice([
            lambda d: (d.log_prob(junk(), out=maybe()), d.cdf(junk())), lambda d: d.quantile(junk()),
            lambda d: d.prob_between(junk(), junk()), lambda d: (d.mean, d.kurtosis, d.mode, d.entropy(), repr(d), hash(d)),
            lambda d: ll.convolve([d, draw.choice([junk(), d, distribution()])]), lambda d: d.counts(), lambda d: d.plot(),
        ])(ll.Discrete(**draw.choice([
            {"probs": small(3, 2)}, {"probs": np.full((2, 2), 0.5)}, {"log_probs": small(2, 2)}, {"log_probs": np.zeros((2, 1))},
            {"log_probs": [[0.0, -1e5], [-np.inf, 0.0]]},
        ]), start=maybe(0))),
        "dice": lambda: ll.dice(junk(), junk()),
        "dice notation": lambda: ll.dice(notation()),
        "die": lambda: ll.die(junk()),
        "convolve": lambda: ll.convolve(draw.choice([junk(), [junk(), junk()], [distribution(), distribution()]])),
        "convolve, rows": lambda: ll.convolve(
            draw.choice([small(4, 2), small(3, 3), ll.Bernoulli(junk()), [distribution(), junk()]])
        ),
        "counts": lambda: ll.dice(draw.randrange(4), 3).counts(*draw.choice([(junk(), junk()), (1, junk()), (), (-2, 9)])),
        "+": lambda: distribution() + distribution(),
        "prob_greater": lambda: ll.prob_greater(draw.choice([junk(), distribution()]), draw.choice([junk(), distribution()])),
        "prob_equal": lambda: ll.prob_equal(draw.choice([junk(), distribution()]), draw.choice([junk(), distribution()])),
        "Discrete, shape": lambda: draw.choice([
            lambda d: d.distance_to_normal(), lambda d: (d.skewness, d.kurtosis, d.modes, d.truncated_mass),
        ])(ll.Discrete(draw.choice([junk(), [0.25, 0.75]]), counts=maybe(), start=maybe(0))),
        "@": lambda: draw.randrange(-2, 4) @ distribution(),
        "Uniform": lambda: ll.Uniform(junk(), junk()).log_prob(junk(), wrt=maybe("low"), out=maybe()),
        "Bernoulli": lambda: ll.Bernoulli(maybe(), logits=maybe()).log_prob(junk(), wrt=maybe("probs"), out=maybe()),
        "Uniform.cdf": lambda: ll.Uniform(junk(), junk()).log_cdf(junk()),
        "Uniform.quantile": lambda: ll.Uniform(junk(), junk()).quantile(junk(), out=maybe()),
        "Normal.quantile": lambda: ll.Normal(maybe(0.0), maybe(1.0)).quantile(junk(), out=maybe()),
        "Bernoulli.cdf": lambda: ll.Bernoulli(maybe(), logits=maybe()).log_sf(junk()),
        "Bernoulli.quantile": lambda: ll.Bernoulli(maybe(), logits=maybe()).quantile(junk()),
        "prob_between": lambda: method("prob_between", draw.choice([junk(), 0.5]), junk()),
        "expect": lambda: method("expect", draw.choice([junk(), np.square, np.sum, lambda x: x[..., 0], lambda x: junk()])),
        "_repr_html_": lambda: method("_repr_html_"),
        "posterior": lambda: ll.posterior(
            draw.choice([junk(), [0.5, 0.5], [1, 0], small(2), np.full((3, 2), 0.5)]),
            draw.choice([None, junk(), small(2), small(3, 2)]),
            log_likelihood=draw.choice([None, None, junk(), small(3, 2)]), axis=draw.choice([-1, -1, -1, 0, junk()]),
        ),
        "diagnostic_test": lambda: ll.diagnostic_test(
            sensitivity=draw.choice([junk(), 0.9, 1]), specificity=draw.choice([junk(), 0.9, 1]),
            prevalence=draw.choice([junk(), 0.5, [0, 1]]),
        ),
        "sample": lambda: sampled(
            shape=draw.choice([(), 3, (2, 0), junk(), (junk(), 2)]), rng=maybe(1), dtype=maybe(), out=maybe()
        ),
        "kl_divergence": lambda: ll.kl_divergence(
            distribution(), distribution(), wrt=draw.choice([None, None, "p.loc", ("p.probs", "q.probs"), junk()])
        ),
        "kl_divergence of arrays": lambda: ll.kl_divergence(junk(), junk(), axis=maybe(-1)),
        "js_divergence": lambda: ll.js_divergence(draw.choice([junk(), distribution()]), draw.choice([junk(), distribution()])),
        "cross_entropy": lambda: ll.cross_entropy(draw.choice([junk(), distribution()]), distribution()),
        "fit": lambda: draw.choice([ll.Normal, ll.Uniform, ll.Bernoulli, ll.MultivariateNormal, ll.Discrete]).fit(
            draw.choice([junk(), small(5), small(4, 2), np.arange(5) % 2]), weights=draw.choice([None, None, junk(), small(5)]),
            axis=draw.choice([None, None, 0, -1, junk()]), prior=draw.choice([None, None, prior(), junk()]),
            nan_policy=draw.choice(["raise", "omit", junk()]),
        ),
        "MomentStats": lambda: (ll.MomentStats(draw.choice([junk(), small(4, 2), small(3)]), weights=maybe()) + draw.choice(
            [ll.MomentStats(), ll.MomentStats([[1.0, 2.0], [2.0, 1.0]]), junk()])).update(
            draw.choice([junk(), small(4, 2), small(3)]), maybe(), nan_policy=draw.choice(["propagate", "omit", junk()])
        ).fit(draw.choice([ll.Normal, ll.MultivariateNormal, ll.Bernoulli, junk()]), prior=draw.choice([None, prior(), junk()])),
        "covariance": lambda: ll.covariance(draw.choice([junk(), small(4, 2)]), weights=maybe(), ddof=maybe(0)),
        "correlation": lambda: ll.correlation(draw.choice([junk(), small(4, 2)]), weights=maybe()),
        "covariance_from": lambda: ll.covariance_from(draw.choice([junk(), [1.0, 2.0]]), draw.choice([junk(), 0.5, small(2, 2)])),
        "estimate_kl": lambda: ll.estimate_kl(
            distribution(), distribution(), n=maybe(100), rtol=draw.choice([None, None, junk()]), confidence=maybe(0.95),
            rng=maybe(1), method=draw.choice(["auto", "mc", "exact", "qmc", "quadrature", junk()]), max_n=10_000,
        ),
        "estimate_js": lambda: ll.estimate_js(
            distribution(), distribution(), n=maybe(100), rtol=draw.choice([None, None, junk()]), confidence=maybe(0.95),
            rng=maybe(1), method=draw.choice(["auto", "mc", "exact", "qmc", "quadrature", junk()]), max_n=10_000,
        ),
    }
    if importlib.util.find_spec("sklearn"):
        from loglik.sklearn import GaussianDensity, GaussianMixture

        def fitted(estimator):
            x = draw.choice([junk(), small(4, 3), np.arange(12.0).reshape(6, 2) ** 2])
            return estimator.fit(x, sample_weight=maybe()).score_samples(draw.choice([x, junk()]))

        calls["sklearn.GaussianDensity"] = lambda: fitted(GaussianDensity(
            covariance_type=draw.choice(["full", "diag", "spherical", junk()]), reg_covar=maybe(1e-6), contamination=maybe(0.1),
        ))
        calls["sklearn.GaussianMixture"] = lambda: fitted(GaussianMixture(
            draw.choice([1, 2, junk()]), tol=maybe(0.1),
            covariance_type=draw.choice(["full", "tied", "diag", "spherical", junk()]),
            reg_covar=maybe(1e-6), max_iter=maybe(3), n_init=maybe(1), init_params=draw.choice(["random", "k-means++", junk()]),
            weights_init=maybe(), means_init=maybe(), precisions_init=maybe(), random_state=0,
        ))
    if importlib.util.find_spec("torch"):
        calls |= torch_calls(draw, junk, small, maybe)
    found: collections.Counter = collections.Counter()
    rounds, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        rounds += 1
        for name, call in calls.items():
            start = time.monotonic()
            try:
                call()
            except ALLOWED:
                pass
            except Exception as error:
                found[f"{name}: {type(error).__name__}: {error}"] += 1
            if time.monotonic() - start > SLOW_SECONDS:
                found[f"{name}: slow"] += 1
    print(f"{rounds} calls of each of {len(calls)} functions")
    for text, count in found.most_common():
        print(f"{count:8}  {text}")
    return 1 if found else 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    arguments = sys.argv[1:]
    sys.exit(main(float(arguments[0]) if arguments else 60.0, int(arguments[1]) if len(arguments) > 1 else 1))
