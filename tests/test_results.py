"""What calls hand back: the names in `wrt`, and an `out` that shares memory with an argument."""

import functools

import numpy as np
import pytest
from loss_registry import LOSSES

import loglik as ll
from loglik._engine.parallel import num_threads

N = 70_001  # more than a block, and no multiple of one

# ------------------------------------------------------------------------------------------- wrt

MATRIX = np.array([[2.0, 0.5], [0.5, 1.0]])
NORMALS = ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)
COINS = ll.Bernoulli(0.5), ll.Bernoulli(0.1)
GAUSSIANS = ll.MultivariateNormal([0.0, 1.0], MATRIX), ll.MultivariateNormal([1.0, 1.0], scale_tril=np.linalg.cholesky(MATRIX))
WITH_WRT = {
    **{
        f"{loss}, {way}": (loss.name, loss.form, functools.partial(loss, arguments))
        for loss in LOSSES
        for way, arguments in (
            ("short", loss.sample(np.float64, (2,))),
            ("long", [a.tolist() for a in loss.sample(np.float64, (2,))]),
        )
    },
    "Normal": ("Normal.log_prob", "loc", lambda **o: NORMALS[0].log_prob([0.5, 1.0], **o)),
    "Uniform": ("Uniform.log_prob", "high", lambda **o: ll.Uniform(0.0, 1.0).log_prob(0.5, **o)),
    "Bernoulli, probs": ("Bernoulli.log_prob", "probs", lambda **o: ll.Bernoulli(0.5).log_prob([0, 1], **o)),
    "Bernoulli, logits": ("Bernoulli.log_prob", "logits", lambda **o: ll.Bernoulli(logits=0.5).log_prob(1, **o)),
    "MultivariateNormal": ("MultivariateNormal.log_prob", "covariance", lambda **o: GAUSSIANS[0].log_prob([0.0, 0.0], **o)),
    "kl_divergence, Normal": ("kl_divergence", "q.scale", lambda **o: ll.kl_divergence(*NORMALS, **o)),
    "kl_divergence, Bernoulli": ("kl_divergence", "p.probs", lambda **o: ll.kl_divergence(*COINS, **o)),
    "kl_divergence, Gaussians": ("kl_divergence", "q.scale_tril", lambda **o: ll.kl_divergence(*GAUSSIANS, **o)),
}
with_wrt = pytest.mark.parametrize("function,name,call", WITH_WRT.values(), ids=WITH_WRT)


@with_wrt
@pytest.mark.parametrize("wrt", [3, {"x": 1}, {"loc"}, 1.5, True, b"loc"])
def test_wrt_is_a_name_or_a_tuple_of_names(function, name, call, wrt):
    with pytest.raises(TypeError) as caught:
        call(wrt=wrt)
    assert str(caught.value) == f"{function}: wrt must be a name or a tuple of names, got {wrt!r}"


@with_wrt
def test_wrt_names_each_argument_once(function, name, call):
    for wrt, wrong in (("nothing", "nothing"), ((name, None), None), ((name, 3), 3), ([name, ""], ""), (((name,),), (name,))):
        with pytest.raises(ValueError, match="a gradient can be taken in: .*" + repr(name)) as caught:
            call(wrt=wrt)
        assert str(caught.value).startswith(f"{function}: wrt names {wrong!r}; ")
    with pytest.raises(ValueError, match="more than once") as caught:
        call(wrt=(name, name))
    assert str(caught.value) == f"{function}: wrt names {name!r} more than once"


@with_wrt
def test_a_result_is_nested_as_wrt_is(function, name, call):
    value, gradient = call(wrt=name)
    for wrt in ((name,), [name]):
        again, gradients = call(wrt=wrt)
        assert type(gradients) is tuple
        assert len(gradients) == 1
        np.testing.assert_array_equal(again, value)
        np.testing.assert_array_equal(gradients[0], gradient)
    assert call(wrt=())[1] == ()
    np.testing.assert_array_equal(call(wrt=())[0], value)


NESTED = {
    "x": lambda x, **o: ll.Normal(0.0, 1.0).log_prob(x, **o),
    "logits": lambda x, **o: ll.bernoulli_nll(np.ones(5), logits=x, reduction="none", **o),
}


@pytest.mark.parametrize("name,call", NESTED.items())
def test_out_is_nested_as_the_return_value(name, call):
    x, value, gradient = np.linspace(-1, 1, 5), np.empty(5), np.empty(5)
    assert call(x, out=value) is value
    for out in ((value, gradient), [value, gradient], (value,)):
        with pytest.raises(TypeError, match=r"out must be a numpy\.ndarray"):
            call(x, out=out)
    for out in (value, [value, gradient], (value,), (value, gradient, gradient)):
        with pytest.raises(TypeError, match="with wrt, out must be a pair"):
            call(x, wrt=name, out=out)
    with pytest.raises(TypeError, match=r"out must be a numpy\.ndarray, got tuple"):
        call(x, wrt=name, out=(value, (gradient,)))
    with pytest.raises(ValueError, match="out must have shape"):
        call(x, wrt=name, out=(value, np.empty(4)))
    for out in ((value, gradient), (value, [gradient]), (value, ()), (value, (gradient, gradient))):
        with pytest.raises(TypeError, match="tuple of the same length"):
            call(x, wrt=(name,), out=out)
    with pytest.raises(TypeError, match="out must be a pair"):
        call(x, wrt=(), out=value)
    out = (value, ())  # as the return value is without gradients
    assert call(x, wrt=(), out=out) is out
    np.testing.assert_array_equal(value, call(x))


# ------------------------------------------------------------------------------------------- shared memory


def flat(result):
    """The arrays of a result: the value and the gradients."""
    if not isinstance(result, tuple):
        return [result]
    value, gradients = result
    return [value, *(gradients if isinstance(gradients, tuple) else (gradients,))]


def nested(arrays, like):
    if not isinstance(like, tuple):
        return arrays[0]
    return arrays[0], tuple(arrays[1:]) if isinstance(like[1], tuple) else arrays[1]


def same(array, shape):
    """An argument and an array of a result that share memory, or None where that cannot be."""
    return (memory := array.copy(), memory) if array.shape == shape else None


def shifted(array, shape, step=1):
    size = int(np.prod(shape))
    memory = np.empty(max(array.size, size) + 1, array.dtype)
    first, second = memory[:-1], memory[1:]
    first, second = (first, second) if step > 0 else (second, first)
    argument = first[: array.size].reshape(array.shape)
    argument[...] = array
    return argument, second[:size].reshape(shape)


def shifted_back(array, shape):
    return shifted(array, shape, -1)


def reversed_(array, shape):
    size = int(np.prod(shape))
    memory = np.empty(max(array.size, size), array.dtype)
    argument = memory[: array.size].reshape(array.shape)
    argument[...] = array
    return argument, memory[:size][::-1].reshape(shape)


def _overlap_cases():
    rng = np.random.default_rng(0)
    t, p, z, v = rng.integers(0, 2, N).astype(float), rng.uniform(0.1, 0.9, N), rng.standard_normal(N), rng.uniform(0.5, 2, N)
    rows, wide, soft = 30_001, rng.standard_normal((30_001, 3)), rng.dirichlet(np.ones(3), 30_001)
    spread = rng.standard_normal((rows, 3))
    none = {"reduction": "none"}
    for reduction in ("none", "mean"):
        option = {"reduction": reduction}
        yield f"bernoulli_nll, {reduction}", lambda a, o=option, **k: ll.bernoulli_nll(
            a["targets"], logits=a["logits"], weights=a["weights"], **o, **k
        ), {"targets": t, "logits": z, "weights": v}, ("logits",)
    yield "bernoulli_nll, axis", lambda a, **k: ll.bernoulli_nll(
        a["targets"].reshape(-1, 7), logits=a["logits"].reshape(-1, 7), axis=0, **k
    ), {"targets": t[:70_000], "logits": z[:70_000]}, ()
    for loss in LOSSES:
        size = N if not loss.core else 30_001
        arguments = dict(zip(loss.arguments, loss.sample(np.float64, (size,)), strict=True))
        if loss.core and arguments[loss.form].shape[-1] > 10:
            continue
        yield f"{loss}", lambda a, loss=loss, **k: loss([*a.values()], **none, **k), arguments, loss.model
    yield "gaussian_nll, one mean", lambda a, **k: ll.gaussian_nll(a["targets"], mean=a["mean"], scale=a["scale"], **none, **k), {
        "targets": t, "mean": z[:1], "scale": v,
    }, ("mean", "scale")
    for name, d in (
        ("Normal", ll.Normal(0.0, 1.0)), ("Normal, many", ll.Normal(z, v)), ("Uniform", ll.Uniform(-1.0, 2.0)),
        ("Normal, float32", ll.Normal(np.float32(0), np.float32(1))),
    ):  # fmt: skip
        x = {"x": z.astype(d.dtype)}
        yield f"{name}.log_prob", lambda a, d=d, **k: d.log_prob(a["x"], **k), x, ("x", *d._arguments())
        yield f"{name}.quantile", lambda a, d=d, **k: d.quantile(a["q"], **k), {"q": p.astype(d.dtype)}, ()
    for d in (ll.Bernoulli(0.3), ll.Bernoulli(logits=z)):
        (name,) = d._arguments()
        yield f"Bernoulli({name}).log_prob", lambda a, d=d, **k: d.log_prob(a["x"], **k), {"x": t}, (name,)
    for probs in (soft[0], soft[:40]):
        d = ll.Discrete(probs)
        x = rng.integers(-1, 4, (700, *d.batch_shape)).astype(float)
        yield f"Discrete{d.batch_shape}.log_prob", lambda a, d=d, **k: d.log_prob(a["x"], **k), {"x": x}, ()
    square = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, 0.2], [0.1, 0.2, 3.0]])
    forms = {
        "covariance": square, "precision": square, "scale_tril": np.linalg.cholesky(square), "variance": np.diag(square).copy(),
    }  # fmt: skip
    for form, matrix in forms.items():
        d = ll.MultivariateNormal(np.zeros(3), **{form: matrix})
        yield f"MultivariateNormal({form}).log_prob", lambda a, d=d, **k: d.log_prob(a["x"], **k), {"x": wide}, ("x", "loc", form)
    d = ll.MultivariateNormal(np.zeros(3), forms["covariance"])
    gaps = wide.copy()
    gaps[::3, 0] = np.nan
    yield "MultivariateNormal.log_prob, missing", lambda a, d=d, **k: d.log_prob(a["x"], nan_policy="marginalize", **k), {
        "x": gaps,
    }, ()  # fmt: skip
    flat_ = ll.MultivariateNormal(np.zeros(3), np.diag([1.0, 2.0, 0.0]), allow_singular=True)
    on_it = wide.copy()
    on_it[::2, 2] = 0
    yield "MultivariateNormal.log_prob, singular", lambda a, d=flat_, **k: d.log_prob(a["x"], **k), {"x": on_it}, ()
    each = np.broadcast_to(square, (rows, 3, 3)).copy()
    yield "mvn_log_prob", lambda a, **k: ll.mvn_log_prob(a["x"], a["loc"], a["covariance"], **k), {
        "x": wide, "loc": 0.1 * spread, "covariance": each,
    }, ()
    yield "mvn_log_prob, shared", lambda a, **k: ll.mvn_log_prob(a["x"], a["loc"], a["covariance"], **k), {
        "x": wide, "loc": wide[0], "covariance": square,
    }, ()


CASES = {name: case for name, *case in _overlap_cases()}


@pytest.mark.parametrize("call,arguments,names", CASES.values(), ids=CASES)
@pytest.mark.parametrize("sharing", [same, shifted, shifted_back, reversed_], ids=lambda f: f.__name__.strip("_"))
def test_out_that_shares_memory_with_an_argument_gets_the_bits_of_fresh_memory(call, arguments, names, sharing):
    tried = 0
    for wrt in (None, *names[:1], names) if names else (None,):
        keywords = {} if wrt is None else {"wrt": wrt}
        wanted = call(arguments, **keywords)
        bits = [np.asarray(a).tobytes() for a in flat(wanted)]
        for name, array in arguments.items():
            for i, result in enumerate(map(np.asarray, flat(wanted))):
                pair = sharing(array, result.shape)
                if pair is None or result.dtype != array.dtype:
                    continue
                argument, target = pair
                if not np.shares_memory(argument, target):  # a single number beside the other array
                    continue
                out = [np.empty_like(a) for a in map(np.asarray, flat(wanted))]
                out[i] = target
                with num_threads(1 + tried % 2):
                    got = call(arguments | {name: argument}, **keywords, out=nested(out, wanted))
                assert flat(got)[i] is target
                assert [np.asarray(a).tobytes() for a in flat(got)] == bits, (name, wrt, i)
                tried += 1
    assert tried or sharing is same


def test_a_sample_fills_memory_of_any_layout():
    """A sample has no argument that an `out` could share memory with: parameters are the distribution's own, and read-only."""
    loc = np.linspace(0, 1, 40)
    d = ll.Normal(loc, 1.0)
    want = d.sample(1000, rng=1)
    loc[...] = 99
    memory = np.empty((1000, 80))[::-1, ::-2]
    assert d.sample(1000, rng=1, out=memory) is memory
    np.testing.assert_array_equal(memory, want)
    with pytest.raises(ValueError, match="read-only"):
        d.sample((), rng=1, out=d.loc)
