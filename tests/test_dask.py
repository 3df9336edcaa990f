"""dask arrays: lazy, with the dtype and shape known beforehand, and equal to what NumPy gives."""

import pickle

import numpy as np
import pytest
from subprocess_tools import python_output

import loglik as ll

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
cloudpickle = pytest.importorskip("cloudpickle")

RNG = np.random.default_rng(7)
X = RNG.normal(size=(60, 6))
BATCH = RNG.uniform(0.5, 2.0, 6)
COVARIANCE = np.cov(X.T) + np.eye(6)
MVN = ll.MultivariateNormal(np.arange(6.0), COVARIANCE)
MVN_BATCH = ll.MultivariateNormal(RNG.normal(size=(3, 6)), COVARIANCE)
DISCRETE = ll.Discrete([0.125, 0.25, 0.5, 0.125], start=-1)


@pytest.fixture(autouse=True)
def _one_scheduler():
    with dask.config.set(scheduler="synchronous"):
        yield


def computed(make, *arguments):
    """The value of a lazy result: nothing is computed before it is asked for, what was announced holds, and it pickles."""

    def refuse(*_, **__):
        raise AssertionError("computed at the call")

    with dask.config.set(scheduler=refuse):
        lazy = make(*arguments)
    assert isinstance(lazy, da.Array)
    assert type(lazy._meta) is np.ndarray
    value = cloudpickle.loads(cloudpickle.dumps(lazy)).compute()
    assert value.dtype == lazy.dtype
    assert value.shape == lazy.shape
    for block in np.ndindex(lazy.numblocks) if lazy.ndim else ():
        part = lazy.blocks[block].compute()
        assert np.shape(part) == lazy.blocks[block].shape
        assert part.dtype == lazy.dtype
    return value


def chunked(array, *chunks):
    return da.from_array(array, chunks=chunks or 7)


POINTS = {
    "Normal": (ll.Normal(0.5, 2.0), X),
    "Normal, float32": (ll.Normal(0.5, 2.0), X.astype(np.float32)),
    "Normal, integers": (ll.Normal(0.5, 2.0), np.arange(20)),
    "Normal, batch": (ll.Normal(0.0, BATCH), X),
    "Normal, larger batch": (ll.Normal(0.0, RNG.uniform(1, 2, (4, 1, 6))), X[:5]),
    "Normal, one column": (ll.Normal(0.0, BATCH), X[:, :1]),
    "Normal, batch of one": (ll.Normal([0.0], [[2.0]]), X),
    "Normal, points of one axis": (ll.Normal(0.0, RNG.uniform(1, 2, (4, 6))), X[0]),
    "Uniform": (ll.Uniform(-1.0, 1.0), X),
    "Bernoulli": (ll.Bernoulli(0.25), (X > 0)),
    "Bernoulli, logits": (ll.Bernoulli(logits=BATCH), (X > 0).astype(int)),
    "Discrete": (DISCRETE, np.arange(30) % 5 - 1),
    "MultivariateNormal": (MVN, X),
    "MultivariateNormal, one point": (MVN, X[0]),
    "MultivariateNormal, variance": (ll.MultivariateNormal(np.zeros(6), variance=BATCH), X.reshape(5, 12, 6)),
    "MultivariateNormal, batch": (MVN_BATCH, X[:, None, :]),
}


@pytest.mark.parametrize("case", POINTS)
@pytest.mark.parametrize("method", ["log_prob", "prob"])
def test_log_prob(case, method):
    distribution, x = POINTS[case]
    expected = np.asarray(getattr(distribution, method)(x))
    value = computed(getattr(distribution, method), chunked(x, *(4,) * x.ndim))
    assert value.dtype == expected.dtype
    if method == "log_prob":
        np.testing.assert_array_equal(value, expected)
    else:
        np.testing.assert_allclose(value, expected, rtol=1e-6 if expected.dtype == np.float32 else 1e-14)


def test_log_prob_of_missing_values():
    x = X.copy()
    x[3, 2] = x[40, :] = np.nan
    expected = MVN.log_prob(x, nan_policy="marginalize")
    value = computed(lambda a: MVN.log_prob(a, nan_policy="marginalize"), chunked(x, 9, 2))
    np.testing.assert_allclose(value, expected, rtol=1e-13)


def test_mixture():
    weights = np.log([0.2, 0.3, 0.5])
    expected = ll.mixture_log_prob(X, weights, MVN_BATCH)
    np.testing.assert_array_equal(computed(lambda x: ll.mixture_log_prob(x, weights, MVN_BATCH), chunked(X, 7, 3)), expected)


@pytest.mark.parametrize("name", ["softplus", "sigmoid", "log_ndtr"])
def test_ufuncs(name):
    ufunc = getattr(ll.ufuncs, name)
    np.testing.assert_array_equal(computed(ufunc, chunked(X)), ufunc(X))


def test_ufuncs_take_several_arrays_and_check_no_values():
    scale = BATCH - 1
    assert (scale < 0).any()
    with np.errstate(invalid="ignore"):
        value = computed(ll.ufuncs.normal_log_prob, chunked(X), 0.0, chunked(scale, 4))
        np.testing.assert_array_equal(value, ll.ufuncs.normal_log_prob(X, 0.0, scale))
    assert np.isnan(value[:, scale < 0]).all()


# ------------------------------------------------------------------------------------------- losses


def bernoulli(targets, logits, **options):
    return ll.bernoulli_nll(targets, logits=logits, **options)


def gaussian(targets, mean, **options):
    return ll.gaussian_nll(targets, mean=mean, scale=2.0, **options)


def soft(targets, logits, **options):
    return ll.categorical_nll(targets, logits=logits, label_smoothing=0.1, **options)


def classes(targets, logits, **options):
    return ll.categorical_nll(targets, logits=logits, ignore_index=2, **options)


def kl(loc, log_variance, **options):
    return ll.kl_standard_normal(loc, log_variance, event_axis=0, **options)


LOSSES = {  # with options and broadcasting; the others are in `test_loss_registry.py`
    "bernoulli, broadcast": (bernoulli, (X > 0).astype(np.uint8), X[3], (60, 6)),
    "classes": (classes, np.arange(60) % 6, X, (60,)),
    "soft targets": (soft, np.full((60, 6), 1 / 6), X, (60,)),
    "kl": (kl, X, X[::-1] / 4, (6,)),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("case", LOSSES)
def test_losses(case, reduction, weighted, dtype):
    loss, first, second, shape = LOSSES[case]
    first = first if first.dtype != np.float64 else first.astype(dtype)
    second = second.astype(dtype)
    options = {"reduction": reduction}
    if weighted:
        options["weights"] = (np.arange(np.prod(shape)) % 4).reshape(shape).astype(float)
    expected = loss(first, second, **options)
    for axis in (None, -1) if reduction != "none" else (None,):
        expected = np.asarray(loss(first, second, axis=axis, **options))
        for operands in ((chunked(first, *(7,) * first.ndim), second), (first, chunked(second, *(5,) * second.ndim))):
            value = computed(lambda *pair, axis=axis: loss(*pair, axis=axis, **options), *operands)
            assert value.dtype == expected.dtype
            if reduction == "none":
                np.testing.assert_array_equal(value, expected)
            else:
                np.testing.assert_allclose(value, expected, rtol=8 * np.finfo(dtype).eps, atol=1e-14)


def test_weights_alone_may_be_of_dask():
    w = np.arange(60.0)
    value = computed(lambda w: gaussian(X[:, 0], 0.0, weights=w), chunked(w, 11))
    np.testing.assert_allclose(value, gaussian(X[:, 0], 0.0, weights=w), rtol=1e-14)


def test_scalars_of_python_are_weak():
    logits = chunked(X.astype(np.float32))
    assert ll.bernoulli_nll(1, logits=logits).dtype == np.float32
    assert ll.gaussian_nll(0.0, mean=logits, variance=1.0, weights=0.5).dtype == np.float32


def test_unknown_chunks():
    x = chunked(X[:, 0], 9)
    positive = X[:, 0][X[:, 0] > 0]
    lazy = x[x > 0]
    assert np.isnan(lazy.shape[0])
    np.testing.assert_array_equal(ll.Normal().log_prob(lazy).compute(), ll.Normal().log_prob(positive))
    np.testing.assert_allclose(gaussian(lazy, 0.0).compute(), gaussian(positive, 0.0), rtol=1e-14)
    close(ll.Normal.fit(lazy), ll.Normal.fit(positive))
    close(ll.Normal.fit(lazy, weights=lazy), ll.Normal.fit(positive, weights=positive))


# ------------------------------------------------------------------------------------------- samples


def close(a, b, rtol=1e-13):
    assert type(a) is type(b)
    assert a.dtype == b.dtype
    for name, value in a._arguments().items():
        np.testing.assert_allclose(value, b._arguments()[name], rtol=rtol, atol=1e-14)
    assert np.all(a.fit_report.n == b.fit_report.n)
    np.testing.assert_allclose(a.fit_report.log_likelihood, b.fit_report.log_likelihood, rtol=1e-12)


ROLLS = RNG.integers(1, 7, 500)
FITS = {
    "Normal": (ll.Normal, X, {}),
    "Normal, float32": (ll.Normal, X.astype(np.float32), {}),
    "Normal, columns": (ll.Normal, X, {"axis": 0}),
    "Normal, rows": (ll.Normal, X, {"axis": 1}),
    "Normal, cube": (ll.Normal, X.reshape(5, 12, 6), {"axis": (0, 2)}),
    "Normal, prior": (ll.Normal, X[:, 0], {"prior": ll.priors.NormalInverseGamma(0.0, 1.0, 2.0, 1.0)}),
    "Uniform": (ll.Uniform, X, {"axis": 0}),
    "Bernoulli": (ll.Bernoulli, (X > 0).astype(np.int8), {"axis": 0}),
    "Discrete": (ll.Discrete, ROLLS, {}),
    "Discrete, batch": (ll.Discrete, ROLLS.reshape(10, 50), {"axis": 1}),
    "Discrete, prior": (ll.Discrete, ROLLS, {"prior": ll.priors.Dirichlet(np.full(9, 2.0), start=0)}),
    "MultivariateNormal": (ll.MultivariateNormal, X, {}),
    "MultivariateNormal, batch": (ll.MultivariateNormal, X.reshape(2, 30, 6), {}),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", FITS)
def test_fit(case, weighted):
    family, x, options = FITS[case]
    if weighted:
        shape = x.shape[: x.ndim - (family is ll.MultivariateNormal)]
        w = np.arange(np.prod(shape)).reshape(shape) % 5.0
        options = options | {"weights": w}
    expected = family.fit(x, **options)
    for size in (4, 17, 1000):
        lazy = chunked(x, *(size,) * x.ndim)
        close(family.fit(lazy, **options), expected, rtol=1e-6 if x.dtype == np.float32 else 1e-13)
        if weighted:
            lazy_weights = chunked(w, *(6,) * w.ndim)
            again = family.fit(lazy, **(options | {"weights": lazy_weights}))
            close(again, expected)
            assert again == family.fit(lazy, **options)


def test_fit_has_the_same_bits_for_every_scheduler():
    lazy = chunked(X, 7, 2)
    with dask.config.set(scheduler="threads", num_workers=5):
        threaded = ll.MultivariateNormal.fit(lazy)
    assert threaded == ll.MultivariateNormal.fit(lazy)


def test_fit_leaves_out_missing_values_and_refuses_them():
    x = X[:, 0].copy()
    x[[3, 30, 31]] = np.nan
    close(ll.Normal.fit(chunked(x), nan_policy="omit"), ll.Normal.fit(x, nan_policy="omit"))
    with pytest.raises(ValueError, match=r"Normal\.fit: x must be complete"):
        ll.Normal.fit(chunked(x))


def test_fit_refuses_what_it_refuses_elsewhere():
    with pytest.raises(ValueError, match="0 or 1"):
        ll.Bernoulli.fit(chunked(X))
    with pytest.raises(ValueError, match="axis"):
        ll.Normal.fit(chunked(X), axis=5)
    with pytest.raises(TypeError, match="complex"):
        ll.Normal.fit(chunked(X * 1j))
    with pytest.raises(ValueError, match="weights"):
        ll.Normal.fit(chunked(X), weights=np.ones(5))


def test_moment_stats():
    expected = ll.MomentStats(X)
    stats = ll.MomentStats(chunked(X[:20], 6, 6)).update(chunked(X[20:], 9, 4))
    assert stats.count == expected.count
    np.testing.assert_allclose(stats.mean, expected.mean, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(stats.covariance(), expected.covariance(), rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(stats.max, expected.max)
    w = np.arange(60.0)
    weighted = ll.MomentStats(chunked(X), weights=chunked(w, 13))
    np.testing.assert_allclose(weighted.mean, ll.MomentStats(X, weights=w).mean, rtol=1e-14, atol=1e-15)
    before = pickle.loads(pickle.dumps(stats))
    with pytest.raises(ValueError, match="go together"):
        stats.update(chunked(X[:, 0]))
    assert stats == before


@pytest.mark.parametrize("function", [ll.covariance, ll.correlation])
@pytest.mark.parametrize("shape", [(360,), (60, 6), (3, 20, 6)])
def test_covariance(function, shape):
    x = X.reshape(shape)
    w = np.arange(shape[-2] if len(shape) > 1 else 360.0)
    for options in ({}, {"weights": np.arange(float(w) if w.ndim == 0 else w.size) + 1.0}):
        if len(shape) == 1:
            options = {}
        value = computed(lambda a, options=options: function(a, **options), chunked(x, *(7,) * x.ndim))
        np.testing.assert_allclose(value, function(x, **options), rtol=1e-12, atol=1e-14)
    assert function(chunked(x.astype(np.float32))).dtype == np.float32


# ------------------------------------------------------------------------------------------- what is refused, and when


def test_shapes_and_types_are_checked_at_the_call():
    with pytest.raises(ValueError, match=r"MultivariateNormal\.log_prob: x must have shape"):
        MVN.log_prob(chunked(X[:, :5]))
    with pytest.raises(ValueError, match="broadcast"):
        ll.Normal(np.zeros(6), 1.0).log_prob(chunked(X[:, :5]))
    with pytest.raises(TypeError, match=r"Normal\.log_prob: x has dtype complex128"):
        ll.Normal().log_prob(chunked(X * 1j))
    with pytest.raises(TypeError, match="out has no meaning for dask arrays"):
        ll.Normal().log_prob(chunked(X), out=np.empty(X.shape))
    with pytest.raises(ValueError, match="exactly one"):
        ll.bernoulli_nll(chunked(X))
    with pytest.raises(ValueError, match="reduction"):
        gaussian(chunked(X), 0.0, reduction="total")
    with pytest.raises(TypeError, match="wrt has no meaning"):
        gaussian(chunked(X), 0.0, wrt="mean")


def test_values_are_checked_by_the_tasks():
    lazy = ll.bernoulli_nll(chunked(np.arange(20.0), 7), logits=0.0)
    with pytest.raises(ValueError, match=r"bernoulli_nll: targets must be in \[0, 1\], but targets\[\d\] = \d"):  # in its chunk
        lazy.compute()


@pytest.mark.parametrize("call", [lambda x: ll.Normal(x), lambda x: ll.kl_divergence(x, x)])
def test_what_does_not_stay_lazy_is_refused_with_a_way_out(call):
    with pytest.raises(TypeError, match="dask collection; use its map_blocks"):
        call(chunked(X))


@pytest.mark.parametrize("d", [ll.Normal(), ll.Normal(np.array([0.5, 1.0]), 2.0), ll.Uniform(-1.0, 2.0), ll.Bernoulli(0.25)])
def test_methods_of_points_stay_lazy(d):
    x = np.linspace(-2, 2, 24).reshape(12, 2)
    lazy = chunked(x)
    for name in ("cdf", "sf", "log_cdf", "log_sf", "prob"):
        result = getattr(d, name)(lazy)
        assert isinstance(result, da.Array)
        np.testing.assert_array_equal(result.compute(), getattr(d, name)(x))
    q = np.linspace(0, 1, 24).reshape(12, 2)
    np.testing.assert_array_equal(d.quantile(chunked(q)).compute(), d.quantile(q))
    for a, b, lazy_a, lazy_b in ((x, 1.5, lazy, 1.5), (x, x + 1, lazy, lazy + 1), (-1.0, x[:, :1], -1.0, chunked(x[:, :1]))):
        for name in ("prob_between", "log_prob_between"):
            result = getattr(d, name)(lazy_a, lazy_b)
            assert isinstance(result, da.Array)
            np.testing.assert_array_equal(result.compute(), getattr(d, name)(a, b))


def test_tasks_use_one_thread():
    seen = []

    class Watched(ll.Normal):
        def log_prob(self, x, **options):
            if type(x) is np.ndarray and x.size:
                seen.append(ll.get_num_threads())
            return super().log_prob(x, **options)

    with ll.num_threads(4):
        Watched().log_prob(chunked(X)).compute()
    assert seen == [1] * 9


def test_columns_of_a_data_frame():
    dd = pytest.importorskip("dask.dataframe")
    pd = pytest.importorskip("pandas")
    frame = dd.from_pandas(pd.DataFrame(X, columns=list("abcdef")), npartitions=4)
    np.testing.assert_array_equal(MVN.log_prob(frame).compute(), MVN.log_prob(X))
    np.testing.assert_array_equal(ll.Normal().log_prob(frame["a"]).compute(), ll.Normal().log_prob(X[:, 0]))
    close(ll.MultivariateNormal.fit(frame), ll.MultivariateNormal.fit(X))


def test_dask_is_not_imported_without_need():
    code = """
import sys
import numpy as np
import loglik as ll
ll.Normal.fit([1.0, 2.0]).log_prob(np.ones(3))
ll.bernoulli_nll([0, 1], logits=[0.0, 1.0])
print([name for name in sys.modules if name.startswith(("dask", "loglik._engine.chunks"))])
"""
    assert python_output(code) == "[]"
