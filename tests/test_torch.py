"""`loglik.torch` against torch's own losses, and the rules of torch for operators. Not in CI, which has no torch:

pip install torch --index-url https://download.pytorch.org/whl/cpu && pytest tests/test_torch.py
"""

import gc
import multiprocessing

import numpy as np
import pytest
from loss_registry import LOSSES

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

import loglik as ll  # noqa: E402
import loglik._losses.evaluation as loss_pass  # noqa: E402
import loglik.torch as llt  # noqa: E402
from loglik._kernels import loss_block  # noqa: E402

F64, F32 = torch.float64, torch.float32
TO_NUMPY = {F64: np.float64, F32: np.float32}

# torch.compile, and forks of a process that has torch's threads, warn about things that are not ours
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::{kind}") for kind in ("DeprecationWarning", "FutureWarning", "UserWarning")
]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(11)


def leaf(*shape, dtype=F64, low=0.2, high=0.8):
    return torch.empty(shape, dtype=dtype).uniform_(low, high).requires_grad_()


def lower(*shape, dtype=F64):
    triangle = torch.tril(0.3 * torch.randn(*shape, shape[-1], dtype=dtype), -1)
    return (triangle + torch.diag_embed(torch.empty(shape, dtype=dtype).uniform_(0.5, 2))).requires_grad_()


def reached(function, leaves):
    """The value and the gradients of its weighted sum."""
    value = function(*leaves)
    weights = torch.linspace(0.5, 2, value.numel(), dtype=value.dtype).reshape(value.shape)
    return value.detach(), torch.autograd.grad((value * weights).sum(), leaves)


def agree(ours, theirs, leaves, rtol=1e-10):
    (value, gradients), (expected, slopes) = reached(ours, leaves), reached(theirs, leaves)
    torch.testing.assert_close(value, expected, rtol=rtol, atol=rtol)
    torch.testing.assert_close(gradients, slopes, rtol=rtol, atol=rtol)


# ------------------------------------------------------------------------------------------- each against torch's

REDUCTIONS = ("mean", "sum", "none")


@pytest.mark.parametrize("dtype, rtol", [(F64, 1e-10), (F32, 2e-5)])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_losses_equal_those_of_torch(reduction, dtype, rtol):
    t, classes = torch.rand(6, 5, dtype=dtype), torch.randint(0, 5, (6,))
    rows = torch.softmax(torch.randn(6, 5, dtype=dtype), -1)
    z, p = (3 * torch.randn(6, 5, dtype=dtype)).requires_grad_(), leaf(6, 5, dtype=dtype)
    m, v = torch.randn(6, 5, dtype=dtype).requires_grad_(), leaf(6, 5, dtype=dtype)
    o = {"reduction": reduction}
    agree(
        lambda z: llt.bernoulli_nll(t, logits=z, **o),
        lambda z: functional.binary_cross_entropy_with_logits(z, t, **o), [z], rtol,
    )  # fmt: skip
    agree(lambda p: llt.bernoulli_nll(t, probs=p, **o), lambda p: functional.binary_cross_entropy(p, t, **o), [p], rtol)
    agree(lambda z: llt.categorical_nll(classes, logits=z, **o), lambda z: functional.cross_entropy(z, classes, **o), [z], rtol)
    agree(lambda z: llt.categorical_nll(rows, logits=z, **o), lambda z: functional.cross_entropy(z, rows, **o), [z], rtol)
    agree(
        lambda z: llt.categorical_nll(classes, logits=z, label_smoothing=0.2, ignore_index=2, **o),
        lambda z: functional.cross_entropy(z, classes, label_smoothing=0.2, ignore_index=2, **o), [z], rtol,
    )  # fmt: skip
    agree(
        lambda m, v: llt.gaussian_nll(t, mean=m, variance=v, **o),
        lambda m, v: nn.GaussianNLLLoss(full=True, **o)(m, t, v), [m, v], rtol,
    )  # fmt: skip
    ours = {"log_variance": lambda v: v.log(), "scale": lambda v: v.sqrt()}
    for form, make in ours.items():
        agree(
            lambda m, v, form=form, make=make: llt.gaussian_nll(t, mean=m, **{form: make(v)}, **o),
            lambda m, v: nn.GaussianNLLLoss(full=True, **o)(m, t, v), [m, v], rtol,
        )  # fmt: skip

    def kl(m, lv):
        prior = torch.distributions.Normal(torch.zeros((), dtype=dtype), torch.ones((), dtype=dtype))
        terms = torch.distributions.kl_divergence(torch.distributions.Normal(m, (lv / 2).exp()), prior).sum(-1)
        return terms if reduction == "none" else getattr(terms, reduction)()

    agree(lambda m, lv: llt.kl_standard_normal(m, lv, **o), kl, [m, v], rtol)


@pytest.mark.parametrize(
    "x, loc, matrix",
    [
        ((7, 3), (3,), (3,)),
        ((3,), (3,), (3,)),
        ((7, 3), (7, 3), (7, 3)),
        ((7, 1, 3), (4, 3), (4, 3)),
        ((2, 7, 3), (2, 1, 3), (2, 1, 3)),
        ((7, 3), (3,), (1, 3)),
        ((3,), (5, 3), (3,)),
    ],
)
def test_mvn_equals_that_of_torch(x, loc, matrix):
    leaves = [torch.randn(x, dtype=F64).requires_grad_(), torch.randn(loc, dtype=F64).requires_grad_(), lower(*matrix)]

    def theirs(x, loc, scale_tril):
        return torch.distributions.MultivariateNormal(loc, scale_tril=torch.tril(scale_tril)).log_prob(x)

    agree(lambda x, loc, scale_tril: llt.mvn_log_prob(x, loc, scale_tril=scale_tril), theirs, leaves)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
def test_gradcheck_with_weights_and_broadcasting(reduction, axis):
    o = {"reduction": reduction, "axis": axis}
    t, w, classes = torch.rand(3, 4, 2), torch.rand(4, 1), torch.randint(0, 2, (3, 4))
    check = torch.autograd.gradcheck
    assert check(lambda z: llt.bernoulli_nll(t, logits=z, weights=w, **o), (leaf(4, 1),))
    assert check(lambda m, v: llt.gaussian_nll(t, mean=m, variance=v, weights=w, **o), (leaf(3, 1, 2), leaf()))
    assert check(lambda z: llt.categorical_nll(classes, logits=z, weights=w[:, 0], **o), (leaf(4, 2),))
    assert check(lambda m, v: llt.kl_standard_normal(m, v, weights=w[:, 0], **o), (leaf(3, 4, 2), leaf(2)))
    assert check(lambda m, v: llt.kl_standard_normal(m, v, event_axis=0, **o), (leaf(2, 3, 1), leaf(2, 1, 4)))


def test_no_points():
    x, loc, triangle = leaf(0, 3), leaf(3), lower(3)
    llt.mvn_log_prob(x, loc, scale_tril=triangle).sum().backward()
    assert x.grad.shape == (0, 3)
    assert not loc.grad.any()
    assert not triangle.grad.any()


def test_gradcheck_of_mvn():
    triangle = lower(3)
    assert torch.autograd.gradcheck(
        lambda x, loc, a: llt.mvn_log_prob(x, loc, scale_tril=torch.tril(a)), (leaf(5, 3), leaf(3), triangle)
    )


def test_some_arguments_require_gradients():
    t, m, v = torch.rand(5), leaf(5), leaf(5)
    llt.gaussian_nll(t, mean=m, variance=v.detach()).backward()
    assert m.grad is not None
    llt.gaussian_nll(t, mean=m.detach(), variance=v).backward()
    assert v.grad is not None
    assert not llt.gaussian_nll(t, mean=m.detach(), variance=v.detach()).requires_grad
    with torch.no_grad():
        assert not llt.gaussian_nll(t, mean=m, variance=v).requires_grad
    with torch.inference_mode():
        assert llt.mvn_log_prob(m, m, scale_tril=torch.eye(5)).dtype == F64
    x, loc, a = leaf(4, 3), leaf(3), lower(3)
    llt.mvn_log_prob(x.detach(), loc, scale_tril=a.detach()).sum().backward()
    assert loc.grad is not None
    assert a.grad is None


def test_numbers_and_types():
    t = torch.tensor([0.1, 0.2], dtype=F64)
    assert llt.gaussian_nll(t, mean=leaf(2, dtype=F32), scale=0.1).dtype == F32
    assert llt.gaussian_nll(t, mean=leaf(2), scale=leaf(1, dtype=F32)).dtype == F64
    value = llt.gaussian_nll(t, mean=torch.zeros(2, dtype=F64), scale=0.1).item()
    assert value == ll.gaussian_nll(t.numpy(), mean=np.zeros(2), scale=0.1)
    z = leaf(3)
    for target in (True, 1, 1.0, torch.tensor([True, True, True]), torch.ones(3, dtype=torch.uint8)):
        assert llt.bernoulli_nll(target, logits=z).item() == ll.bernoulli_nll(1, logits=z.detach().numpy())


# ------------------------------------------------------------------------------------------- memory, layouts, threads


@pytest.mark.parametrize("rows", [50, 20_000])
def test_tensors_are_not_copied(monkeypatch, rows):
    """The kernel reads the tensors' memory, and the gradient is the memory that it wrote."""
    seen = []
    z, t = leaf(rows, 40), torch.rand(rows, 40, dtype=F64)

    def spy(loss, form, targets, model, weights, scale, values, gradients, *width, **options):
        memory = [targets, model[0], gradients[0]]
        seen.append([m if isinstance(m, int) else m.__array_interface__["data"][0] for m in memory])
        return loss_block(loss, form, targets, model, weights, scale, values, gradients, *width, **options)

    monkeypatch.setattr(loss_pass, "loss_block", spy)
    monkeypatch.setattr(ll.losses, "loss_block", spy)
    with ll.num_threads(1):
        gradient = torch.autograd.grad(llt.bernoulli_nll(t, logits=z), z)[0]
    assert seen[0] == [t.data_ptr(), z.data_ptr(), gradient.data_ptr()]


@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("options", [{}, {"reduction": "sum"}, {"reduction": "none"}, {"axis": 0, "reduction": "sum"}])
@pytest.mark.parametrize("rows", [30, 11_000])
def test_bits_are_those_of_arrays(rows, options, dtype):
    """Values, and gradients with wrt; short and long, and with what is not of one type."""
    big = rows > 10_000
    for loss in LOSSES[: 1 if big and options else None]:
        shape = (rows, 5 if loss.core else 50)
        arguments = [torch.from_numpy(np.ascontiguousarray(a)) for a in loss.sample(TO_NUMPY[dtype], shape)]
        data, model = arguments[: -len(loss.model)], [a.requires_grad_() for a in arguments[-len(loss.model) :]]
        others = [[d.int() if d.dtype == torch.int64 else d.double()] for d in data] or [[]]
        for targets in (data, *([] if big else others)):
            expected, slopes = loss([a.detach().numpy() for a in (*targets, *model)], wrt=loss.model, **options)
            value = loss([*targets, *model], module=llt, **options)
            np.testing.assert_array_equal(value.detach().numpy(), expected)
            gradients = torch.autograd.grad(value.sum(), model)
            for ours, theirs in zip(gradients, slopes, strict=True):
                assert ours.dtype == dtype
                np.testing.assert_array_equal(ours.numpy(), theirs)


def test_a_gradient_of_an_earlier_step_stays():
    z, t = leaf(50), torch.rand(50)
    loss = llt.bernoulli_nll(t, logits=z)
    loss.backward(retain_graph=True)
    first = z.grad
    kept = first.clone()
    loss.backward(retain_graph=True)  # added to the first, which must not be the memory of the graph
    torch.testing.assert_close(z.grad, 2 * kept, rtol=0, atol=0)
    last = torch.autograd.grad(loss, z)[0]
    assert torch.equal(last, kept)
    assert not last.requires_grad
    del loss
    gc.collect()


def test_layouts():
    z, t, x = torch.randn(8, 6, dtype=F64), torch.rand(6, 8), torch.randn(3, 40, dtype=F64)
    for view in (z.T, z[::2], z.flip(0), z[:, 1:4]):
        targets = torch.rand(view.shape)
        expected = ll.bernoulli_nll(targets.numpy(), logits=view.numpy())
        strided = view.detach().requires_grad_()
        assert llt.bernoulli_nll(targets, logits=strided).item() == expected
        agree(
            lambda z, targets=targets: llt.bernoulli_nll(targets, logits=z),
            lambda z, targets=targets: functional.binary_cross_entropy_with_logits(z, targets.double()), [strided],
        )  # fmt: skip
    assert llt.bernoulli_nll(t.T, logits=z).item() == ll.bernoulli_nll(t.T.numpy(), logits=z.numpy())
    mvn = ll.MultivariateNormal(np.zeros(3), scale_tril=np.eye(3))
    np.testing.assert_array_equal(
        llt.mvn_log_prob(x.T, torch.zeros(3), scale_tril=torch.eye(3)).numpy(), mvn.log_prob(x.T.numpy())
    )
    assert llt.bernoulli_nll(torch.ones(2), logits=torch._neg_view(torch.ones(2))).item() > 1  # a view that negates


def test_same_bits_for_any_number_of_threads():
    z, t = torch.randn(3000, 1000, requires_grad=True), torch.rand(3000, 1000)
    found = []
    for n in (1, 3):
        with ll.num_threads(n):
            loss = llt.bernoulli_nll(t, logits=z)
            found.append((loss.item(), torch.autograd.grad(loss, z)[0]))
    assert found[0][0] == found[1][0]
    assert torch.equal(found[0][1], found[1][1])


class Scored(torch.utils.data.Dataset):
    """Each item is a loss of 2 million values, large enough for threads."""

    def __len__(self):
        return 2

    def __getitem__(self, i):
        z = torch.linspace(-3, 3 + i, 2_000_000, requires_grad=True)
        loss = llt.bernoulli_nll(torch.ones(2_000_000), logits=z)
        return loss.detach(), torch.autograd.grad(loss, z)[0][:3]


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork")
def test_in_the_worker_of_a_data_loader():
    data = Scored()
    with ll.num_threads(2):
        here = [data[i] for i in range(2)]  # the threads are there before the fork
        loader = torch.utils.data.DataLoader(data, num_workers=1, multiprocessing_context="fork", timeout=60)
        there = [(value[0], gradient[0]) for value, gradient in loader]
    torch.testing.assert_close(there, here, rtol=0, atol=0)


# ------------------------------------------------------------------------------------------- operators


def samples():
    t, z, p, classes, w = torch.rand(4, 3), leaf(4, 3), leaf(4, 3), torch.randint(0, 3, (4,)), torch.rand(4, 1)
    rows, plain = torch.softmax(t, -1), (0.0, None, [])
    for reduction, axis in (("mean", None), ("sum", [-1]), ("none", None)):
        yield llt._BERNOULLI, (t, z, None, None, "logits", *plain, reduction, axis, [True])
        yield llt._BERNOULLI, (t, p, None, w, "probs", *plain, reduction, axis, [True])
        yield llt._GAUSSIAN, (t, z, p, w, "scale", *plain, reduction, axis, [True, True])
        yield llt._CATEGORICAL, (classes, z, None, None, "logits", 0.1, 1, [-1], reduction, axis, [True])
        yield (
            llt._CATEGORICAL,
            (rows, z.float().detach(), None, w[:, 0], "logits", 0.0, None, [-1], reduction, axis, [False]),
        )
        yield llt._KL, (None, z, p, w[:, 0], "log_variance", 0.0, None, [-1], reduction, axis, [True, True])
        yield llt._KL, (None, z.detach(), p, None, "log_variance", 0.0, None, [-2], reduction, axis, [False, True])
    yield llt._MVN, (leaf(5, 3), leaf(3), lower(3), True)
    yield llt._MVN, (leaf(4, 1, 3).expand(4, 2, 3), leaf(2, 3), lower(2, 3), True)
    yield llt._MVN, (leaf(5, 3).detach(), leaf(3).detach(), lower(3).detach(), False)


@pytest.mark.parametrize("i", range(24))
def test_opcheck(i):
    loss, arguments = list(samples())[i]
    torch.library.opcheck(getattr(loss, "operator", loss).op, arguments)


def test_all_samples_are_checked():
    assert len(list(samples())) == 24


def model(t, classes, z, v, a):
    """Every loss, in one function of four leaves."""
    return (
        llt.bernoulli_nll(t, logits=2 * z)
        + llt.categorical_nll(classes, logits=z, reduction="none").square().sum()
        + llt.gaussian_nll(t, mean=z, variance=v, axis=0).sum()
        + llt.kl_standard_normal(z, v.log())
        + llt.mvn_log_prob(z, v[0], scale_tril=torch.tril(a)).mean()
    )


@pytest.mark.parametrize("backend", ["eager", "aot_eager", "inductor"])
def test_compiled_in_one_graph(backend):
    t, classes = torch.rand(4, 3, dtype=F64), torch.randint(0, 3, (4,))
    leaves = [leaf(4, 3), leaf(4, 3), lower(3)]
    expected = reached(lambda *a: model(t, classes, *a), leaves)
    torch._dynamo.reset()
    compiled = torch.compile(model, backend=backend, fullgraph=True)
    try:
        found = reached(lambda *a: compiled(t, classes, *a), leaves)
    except Exception as error:
        if backend == "inductor" and "Compiler" in type(error).__name__ + str(error):
            pytest.skip("inductor needs a C++ compiler")
        raise
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_compiled_for_any_size():
    torch._dynamo.reset()

    def rows(t, z):
        return llt.bernoulli_nll(t, logits=z, axis=-1)

    compiled = torch.compile(rows, fullgraph=True, dynamic=True, backend="aot_eager")
    for n in (5, 6, 9):
        t, z = torch.rand(n, 3), leaf(n, 3)
        assert torch.equal(compiled(t, z), rows(t, z))


def test_operators_and_the_direct_way_have_the_same_bits(monkeypatch):
    t, classes = torch.rand(4, 3, dtype=F64), torch.randint(0, 3, (4,))
    leaves = [leaf(4, 3), leaf(4, 3), lower(3)]
    direct = reached(lambda *a: model(t, classes, *a), leaves)
    monkeypatch.setattr(llt, "_ordinary", lambda: False)
    torch.testing.assert_close(reached(lambda *a: model(t, classes, *a), leaves), direct, rtol=0, atol=0)


def test_shapes_on_meta():
    z = torch.empty(4, 3, device="meta", requires_grad=True)
    value = llt.bernoulli_nll(torch.empty(4, 3, device="meta"), logits=z, axis=0)
    assert value.shape == (3,)
    value.sum().backward()
    assert z.grad.shape == (4, 3)


def test_functional_gradient():
    t, z = torch.rand(4), leaf(4)
    gradient = torch.func.grad(lambda z: llt.bernoulli_nll(t, logits=z))(z.detach())
    torch.testing.assert_close(gradient, torch.autograd.grad(llt.bernoulli_nll(t, logits=z), z)[0])


# ------------------------------------------------------------------------------------------- refusals


def test_second_derivatives_raise(monkeypatch):
    t, z, a = torch.rand(4), leaf(4), lower(4)
    losses = (
        lambda: llt.bernoulli_nll(t, logits=z), lambda: llt.bernoulli_nll(t, logits=z, reduction="none").sum(),
        lambda: llt.mvn_log_prob(z, z.detach(), scale_tril=a).sum(),
    )  # fmt: skip
    with pytest.raises(RuntimeError, match="second derivatives"):
        torch.func.grad(torch.func.grad(lambda x: llt.bernoulli_nll(t[0], logits=x)))(z.detach()[0])
    for ordinary in (llt._ordinary, lambda: False):
        monkeypatch.setattr(llt, "_ordinary", ordinary)
        for loss in losses:
            for graph in (loss, lambda loss=loss: loss() * z.sum()):
                with pytest.raises(RuntimeError, match="second derivatives"):
                    torch.autograd.grad(graph(), z, create_graph=True)
        with pytest.raises(RuntimeError, match="second derivatives"):
            torch.autograd.gradgradcheck(lambda z: llt.bernoulli_nll(t, logits=z), z)


def test_recording_is_not_fooled():
    """What records or replaces calls sees the operator."""
    from torch.fx.experimental.proxy_tensor import make_fx

    t, z = torch.rand(4), leaf(4).detach()
    graph = make_fx(lambda t, z: llt.bernoulli_nll(t, logits=z))(t, z)
    assert "loglik.bernoulli_nll" in graph.code
    assert torch.equal(graph(t, 2 * z), llt.bernoulli_nll(t, logits=2 * z))


def test_other_devices():
    from torch._subclasses import FakeTensorMode

    with FakeTensorMode():  # needs no such device
        z, t = torch.empty(3, device="cuda"), torch.empty(3)
        for call in (
            lambda: llt.bernoulli_nll(t, logits=z), lambda: llt.kl_standard_normal(t, z),
            lambda: llt.gaussian_nll(t, mean=t, scale=z), lambda: llt.mvn_log_prob(t, z, scale_tril=torch.eye(3)),
        ):  # fmt: skip
            with pytest.raises(ValueError, match=r"is on cuda:0, and loglik computes on the CPU"):
                call()
        with pytest.raises(ValueError, match="targets is on cuda:0"):
            llt.categorical_nll(z, logits=t)
        with pytest.raises(ValueError, match="weights is on cuda:0"):
            llt.bernoulli_nll(t, logits=t, weights=z)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.complex64, torch.int64])
def test_other_types(dtype):
    z, t = torch.zeros(3, dtype=dtype), torch.zeros(3)
    with pytest.raises(TypeError, match=f"bernoulli_nll: logits has dtype {dtype}; float32 or float64 is needed"):
        llt.bernoulli_nll(t, logits=z)
    with pytest.raises(TypeError, match="mvn_log_prob: loc has dtype"):
        llt.mvn_log_prob(t, z, scale_tril=torch.eye(3))
    if dtype != torch.int64:
        with pytest.raises(TypeError, match="gaussian_nll: targets has dtype"):
            llt.gaussian_nll(z, mean=t, scale=1.0)
    with pytest.raises(TypeError, match=r"weights has layout torch.sparse_coo; use .to_dense"):
        llt.bernoulli_nll(t, logits=t, weights=torch.ones(3).to_sparse())


def test_bad_arguments():
    t, z = torch.rand(3), leaf(3)
    with pytest.raises(ValueError, match="targets requires a gradient"):
        llt.bernoulli_nll(leaf(3), logits=z)
    with pytest.raises(ValueError, match="weights requires a gradient"):
        llt.bernoulli_nll(t, logits=z, weights=leaf(3))
    with pytest.raises(TypeError, match="logits must be a tensor, got list"):
        llt.bernoulli_nll(t, logits=[1.0])
    with pytest.raises(TypeError, match="targets must be a tensor, got NoneType"):
        llt.bernoulli_nll(None, logits=z)
    with pytest.raises(TypeError, match="mean or scale must be a tensor"):
        llt.gaussian_nll(t, mean=0.0, scale=1.0)
    with pytest.raises(ValueError, match="exactly one of logits and probs"):
        llt.bernoulli_nll(t, logits=z, probs=z)
    with pytest.raises(ValueError, match="reduction must be"):
        llt.bernoulli_nll(t, logits=z, reduction="batchmean")
    with pytest.raises(ValueError, match=r"targets\[1\] = 2"):
        llt.bernoulli_nll(torch.tensor([0, 2, 0]), logits=z)
    with pytest.raises(ValueError, match="axis 3 is out of range"):
        llt.bernoulli_nll(t, logits=z, axis=3)
    with pytest.raises(ValueError, match="the classes on its last axis"):
        llt.categorical_nll(1, logits=leaf())
    with pytest.raises(ValueError, match="need the shapes"):
        llt.mvn_log_prob(z, torch.zeros(2), scale_tril=torch.eye(3))
    with pytest.raises(np.linalg.LinAlgError):
        llt.mvn_log_prob(z, torch.zeros(3), scale_tril=-torch.eye(3))


def test_shapes_that_do_not_broadcast_are_named():
    x, y = torch.zeros(3), torch.zeros(2)
    with pytest.raises(ValueError, match=r"bernoulli_nll: .* targets \(3,\), logits \(2,\)"):
        llt.bernoulli_nll(x, logits=y)
    with pytest.raises(ValueError, match=r"gaussian_nll: .* mean \(2,\), scale \(3,\)"):
        llt.gaussian_nll(y, mean=y, scale=x)
    with pytest.raises(ValueError, match=r"categorical_nll: .* logits without the axes of an event \(4,\), targets \(3,\)"):
        llt.categorical_nll(torch.zeros(3, dtype=torch.int64), logits=torch.zeros(4, 2))
    with pytest.raises(ValueError, match=r"bernoulli_nll: .* targets and logits \(3,\), weights \(2,\)"):
        llt.bernoulli_nll(x, logits=x, weights=y)
    with pytest.raises(ValueError, match=r"mvn_log_prob: .* x \(3,\), loc \(2,\), scale_tril \(\)"):
        llt.mvn_log_prob(torch.zeros(3, 2), torch.zeros(2, 2), scale_tril=torch.eye(2))
    with pytest.raises(ValueError, match=r"reduction must be .* got 1j"):
        llt.bernoulli_nll(x, logits=x, reduction=1j)


def test_tensors_without_memory_have_gradients_of_their_kind():
    logits = torch.zeros((), device="meta", requires_grad=True)
    llt.bernoulli_nll(torch.zeros((), device="meta"), logits=logits).backward()
    assert logits.grad.is_meta
