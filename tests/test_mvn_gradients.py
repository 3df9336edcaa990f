"""Gradients of the multivariate normal log-density: against long doubles, mpmath and differences, in every regime."""

import functools

import mpmath
import numpy as np
import pytest
from memory_tools import peak_memory
from mvn_accuracy import long_cholesky, long_values
from test_mvnormal import SIZES, kappa_of, spd

import loglik as ll
from loglik._gaussian import density_gradients
from loglik._gaussian.gradient_targets import sum_runs
from loglik._kernels import level_properties

FORMS = ["covariance", "scale_tril", "precision", "variance"]


@pytest.fixture
def at_level(level, monkeypatch):
    """The facade with the gradient kernels of one level."""
    kernel = functools.partial(density_gradients.mvn_gradient, level=level)
    monkeypatch.setattr(density_gradients, "mvn_gradient", kernel)
    return level


# ---------------------------------------------------------------------------------------- references


def substitute(lower, columns):
    """L⁻¹·columns in the precision of the arguments."""
    result = columns.copy()
    for i in range(len(lower)):
        result[i] = (result[i] - lower[i, :i] @ result[:i]) / lower[i, i]
    return result


def substitute_back(lower, columns):
    """L⁻ᵀ·columns."""
    return substitute(lower[::-1, ::-1].T, columns[::-1])[::-1]


def long_factor(form, matrix):
    """L with L Lᵀ = Σ, in long double."""
    matrix = matrix.astype(np.longdouble)
    if form == "covariance":
        return long_cholesky(matrix)
    if form == "scale_tril":
        return matrix
    if form == "variance":
        return np.diag(np.sqrt(matrix))
    # J P J = C Cᵀ gives P = (J Cᵀ J)ᵀ(J Cᵀ J) = Wᵀ W and Σ = W⁻¹ W⁻ᵀ
    whitener = long_cholesky(matrix[::-1, ::-1])[::-1, ::-1].T
    return substitute(whitener, np.eye(len(matrix), dtype=np.longdouble))


def long_gradients(form, x, loc, matrix):
    """(gradients, terms) in x, loc and the matrix, for n points under one Gaussian; terms are the magnitudes that add up.

    An error of s is a share of its norm in units of the standard deviations: that is its term in every coordinate.
    """
    lower = long_factor(form, matrix)
    d, n = len(lower), len(x)
    delta = (x.astype(np.longdouble) - loc.astype(np.longdouble)).T
    y = substitute(lower, delta.copy())
    s = substitute_back(lower, y)
    half = substitute(lower, np.eye(d, dtype=np.longdouble))
    inverse, sigma = half.T @ half, lower @ lower.T
    std = np.sqrt(np.diagonal(sigma))
    s_terms = np.sqrt(((std[:, None] * s) ** 2).sum(axis=0)) / std[:, None]
    h_inverse = np.abs(np.linalg.norm((inverse * std * std[:, None]).astype(float), 2))
    if form == "covariance":
        gradient = (s @ s.T - n * inverse) / 2
        terms = (s_terms @ s_terms.T + n * h_inverse / std / std[:, None]) / 2
    elif form == "scale_tril":
        gradient = np.tril(s @ y.T) - n * np.diag(1 / np.diagonal(lower))
        terms = s_terms @ np.abs(np.linalg.norm(y.astype(float), axis=0))[:, None] + n * np.diag(1 / np.diagonal(lower))
    elif form == "precision":
        gradient = (n * sigma - delta @ delta.T) / 2
        terms = (n * std * std[:, None] + np.abs(delta) @ np.abs(delta).T) / 2
    else:
        gradient = ((s * s).sum(axis=1) - n / matrix.astype(np.longdouble)) / 2
        terms = ((s * s).sum(axis=1) + n / matrix.astype(np.longdouble)) / 2
        s_terms = np.abs(s)
    return (-s.T, s.sum(axis=1), gradient), (s_terms.T, s_terms.sum(axis=1), terms)


def parameter_of(form, a, dtype):
    if form == "variance":
        return np.diagonal(a).copy()
    if form == "precision":
        inverse = np.linalg.inv(a.astype(float))
        return ((inverse + inverse.T) / 2).astype(dtype)
    return np.linalg.cholesky(a.astype(float)).astype(dtype) if form == "scale_tril" else a


def check(got, exact, terms, d, kappa, dtype):
    bound = 4 * d * kappa * (np.finfo(dtype).eps / 2) * terms
    error = np.abs(got.astype(np.longdouble) - exact)
    assert (error <= bound).all(), float(np.max(error / bound))


# ---------------------------------------------------------------------------------------- accuracy


@pytest.mark.parametrize("d", SIZES)
@pytest.mark.parametrize("form", FORMS)
def test_shared_against_long_double(at_level, dtype, form, d):
    rng = np.random.default_rng(d)
    a, loc = spd(d, rng, dtype), rng.normal(size=d).astype(dtype)
    matrix = parameter_of(form, a, dtype)
    kappa = 1.0 if form == "variance" else kappa_of(a)
    mvn = ll.MultivariateNormal(loc, **{form: matrix})
    points = (loc + rng.normal(size=(203 if d <= 65 else 101, d)) @ np.linalg.cholesky(a.astype(float)).T).astype(dtype)
    for n in (0, 1, 2, 37, len(points)):
        x = points[:n]
        value, gradients = mvn.log_prob(x, wrt=("x", "loc", form))
        exact, terms = long_gradients(form, x, loc, matrix)
        for got, like, want, scale in zip(gradients, (x, loc, matrix), exact, terms, strict=True):
            assert got.shape == like.shape
            assert got.dtype == dtype
            check(got, want, scale, d, kappa, dtype)
        want, scale = long_values(x, loc, long_factor(form, matrix))
        check(value, want, scale, d, kappa, dtype)
        if form in ("covariance", "precision"):
            np.testing.assert_array_equal(gradients[2], gradients[2].T)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 32, 33, 48, 64, 65, 100])
@pytest.mark.parametrize("form", FORMS)
def test_a_gaussian_for_every_point(at_level, dtype, form, d):
    rng = np.random.default_rng(d)
    n = level_properties(at_level)["vector_bits"] // (8 * dtype.itemsize) + 3 if d <= 64 else 3
    distinct = [spd(d, rng, dtype) for _ in range(3)]
    parameters = [parameter_of(form, a, dtype) for a in distinct]
    matrix = np.stack(parameters)[np.arange(n) % 3]
    loc, x = rng.normal(size=(2, n, d)).astype(dtype)
    value, gradients = ll.MultivariateNormal(loc, **{form: matrix}).log_prob(x, wrt=("x", "loc", form))
    for i in range(n):
        kappa = 1.0 if form == "variance" else kappa_of(distinct[i % 3])
        exact, terms = long_gradients(form, x[i : i + 1], loc[i], matrix[i])
        check(gradients[0][i], exact[0][0], terms[0][0], d, kappa, dtype)
        check(gradients[1][i], exact[1], terms[1], d, kappa, dtype)
        check(gradients[2][i], exact[2], terms[2], d, kappa, dtype)
        want, scale = long_values(x[i : i + 1], loc[i], long_factor(form, matrix[i]))
        check(value[i : i + 1], want, scale, d, kappa, dtype)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_against_mpmath(dtype, d):
    """The definitions themselves, differentiated by mpmath."""
    rng = np.random.default_rng(d)
    a, loc = spd(d, rng, dtype), rng.normal(size=d).astype(dtype)
    x = (loc + 2 * rng.normal(size=(2, d))).astype(dtype)

    def log_density(entries):
        m, cov = entries[:d], mpmath.matrix(d, d)
        position = d
        for i in range(d):
            for j in range(i + 1):
                cov[i, j] = cov[j, i] = entries[position]
                position += 1
        inverse, log_det = cov**-1, mpmath.log(mpmath.det(cov))
        total = mpmath.mpf(0)
        for row in x:
            delta = mpmath.matrix([mpmath.mpf(float(p)) - q for p, q in zip(row, m, strict=True)])
            total -= ((delta.T * inverse * delta)[0] + log_det + d * mpmath.log(2 * mpmath.pi)) / 2
        return total

    _, (by_loc, by_covariance) = ll.MultivariateNormal(loc, a).log_prob(x, wrt=("loc", "covariance"))
    # an entry below the diagonal moves its mirror too
    got = [*by_loc, *(by_covariance[i, j] * (1 if i == j else 2) for i in range(d) for j in range(i + 1))]
    _, terms = long_gradients("covariance", x, loc, a)
    scale = [*terms[1], *(2 * terms[2][i, j] for i in range(d) for j in range(i + 1))]
    at = [*map(float, loc), *(float(a[i, j]) for i in range(d) for j in range(i + 1))]
    with mpmath.workdps(60):
        point = [mpmath.mpf(v) for v in at]
        for position in range(len(point)):
            order = tuple(int(i == position) for i in range(len(point)))
            want = mpmath.diff(lambda *entries: log_density(list(entries)), tuple(point), order)
            bound = 4 * d * kappa_of(a) * np.finfo(dtype).eps / 2 * float(scale[position])
            assert abs(mpmath.mpf(float(got[position])) - want) <= bound


def test_many_points_keep_their_digits(dtype):
    """The rounding errors of a sum do not grow with its length."""
    rng = np.random.default_rng(0)
    for d, n in ((1, 300_000), (3, 100_000), (9, 40_000)):
        a, loc = spd(d, rng, dtype), rng.normal(size=d).astype(dtype)
        x = (loc + 1 + rng.normal(size=(n, d)) @ np.linalg.cholesky(a.astype(float)).T).astype(dtype)
        for form in FORMS:
            matrix = parameter_of(form, a, dtype)
            _, gradients = ll.MultivariateNormal(loc, **{form: matrix}).log_prob(x, wrt=("loc", form))
            exact, terms = long_gradients(form, x, loc, matrix)
            for got, want, scale in zip(gradients, exact[1:], terms[1:], strict=True):
                check(got, want, scale, d, 1.0 if form == "variance" else kappa_of(a), dtype)


@pytest.mark.parametrize("form", FORMS)
def test_finite_differences(form):
    rng = np.random.default_rng(3)
    d = 4
    matrix = parameter_of(form, spd(d, rng, np.dtype(float), 5), np.dtype(float))
    loc, x = rng.normal(size=d), rng.normal(size=(6, d))
    _, gradients = ll.MultivariateNormal(loc, **{form: matrix}).log_prob(x, wrt=("x", "loc", form))
    for position, array in enumerate((x, loc, matrix)):
        step = rng.normal(size=array.shape) * 1e-6
        if position == 2 and form in ("covariance", "precision"):
            step = step + step.T  # dL = tr(G dΣ) for a symmetric dΣ
        if position == 2 and form == "scale_tril":
            step = np.tril(step)
        ends = []
        for sign in (1, -1):
            moved = [x, loc, matrix]
            moved[position] = array + sign * step
            ends.append(ll.MultivariateNormal(moved[1], **{form: moved[2]}).log_prob(moved[0]).sum())
        np.testing.assert_allclose((gradients[position] * step).sum(), (ends[0] - ends[1]) / 2, rtol=1e-7)


# ---------------------------------------------------------------------------------------- shapes


def unbroadcast(array, shape):
    """Sum over the axes that broadcasting `shape` repeated, as torch does."""
    array = array.sum(axis=tuple(range(array.ndim - len(shape))))
    axes = tuple(i for i, size in enumerate(shape) if size == 1)
    return array.sum(axis=axes, keepdims=True) if axes else array


def dense_gradients(form, x, loc, matrix):
    """By NumPy's broadcasting, with an inverse for every value."""
    core = 1 if form == "variance" else 2
    lead = np.broadcast_shapes(x.shape[:-1], loc.shape[:-1], matrix.shape[: matrix.ndim - core])
    delta = np.broadcast_to(x - loc, (*lead, x.shape[-1]))
    if form == "variance":
        s = delta / matrix
        g = (s * s - 1 / matrix) / 2
    elif form == "precision":
        s = (matrix @ delta[..., None])[..., 0]
        g = (np.linalg.inv(matrix) - delta[..., :, None] * delta[..., None, :]) / 2
    else:
        lower = np.linalg.cholesky(matrix) if form == "covariance" else matrix
        inverse = np.linalg.inv(lower)
        y = (inverse @ delta[..., None])[..., 0]
        s = (inverse.swapaxes(-1, -2) @ y[..., None])[..., 0]
        if form == "covariance":
            g = (s[..., :, None] * s[..., None, :] - np.linalg.inv(matrix)) / 2
        else:
            reciprocal = np.diagonal(inverse, axis1=-2, axis2=-1)
            g = np.tril(s[..., :, None] * y[..., None, :]) - np.eye(x.shape[-1]) * reciprocal[..., None, :]
    g = np.broadcast_to(g, (*lead, *g.shape[g.ndim - core :]))
    return unbroadcast(-s, x.shape), unbroadcast(s, loc.shape), unbroadcast(g, matrix.shape)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("matrix_batch", [(), (7,), (5, 1), (5, 7), (2, 1, 7)])
@pytest.mark.parametrize("x_batch", [(), (7,), (5, 1), (5, 7), (1, 7), (2, 1, 1), (2, 5, 7), (0,)])
def test_every_way_to_broadcast(x_batch, matrix_batch, form):
    if 0 in x_batch and matrix_batch[-1:] == (7,):
        return
    rng = np.random.default_rng(len(x_batch))
    d = 3
    a = rng.normal(size=(*matrix_batch, d, d + 2))
    a = a @ a.swapaxes(-1, -2) + np.eye(d)
    matrix = {
        "covariance": lambda: a, "precision": lambda: a, "scale_tril": lambda: np.linalg.cholesky(a),
        "variance": lambda: np.diagonal(a, axis1=-2, axis2=-1).copy(),
    }[form]()  # fmt: skip
    x = rng.normal(size=(*x_batch, d))
    for loc_batch in [(), (7,), (5, 1), (2, 1, 1)]:
        if 0 in x_batch and loc_batch[-1:] == (7,):
            continue
        loc = rng.normal(size=(*loc_batch, d))
        mvn = ll.MultivariateNormal(loc, **{form: matrix})
        value, gradients = mvn.log_prob(x, wrt=("x", "loc", form))
        np.testing.assert_allclose(value, mvn.log_prob(x), rtol=1e-12)
        for got, want in zip(gradients, dense_gradients(form, x, loc, matrix), strict=True):
            assert got.shape == want.shape
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-10)
        for view in (np.asfortranarray(x), x.astype(">f8"), x[..., ::-1].copy()[..., ::-1]):
            again, others = mvn.log_prob(view, wrt=("x", "loc", form))
            np.testing.assert_array_equal(again, value)
            for got, want in zip(others, gradients, strict=True):
                np.testing.assert_array_equal(got, want)
        alone, by_loc = mvn.log_prob(x, wrt="loc")
        np.testing.assert_array_equal(by_loc, gradients[1])
        np.testing.assert_array_equal(alone, value)
        out = tuple(np.asfortranarray(np.full_like(g, np.nan)) for g in (value, *gradients))
        if value.shape:
            result = mvn.log_prob(x, wrt=(form, "x", "loc"), out=(out[0], (out[3], out[1], out[2])))
            assert result[1][0] is out[3]
            for got, want in zip(out, (value, *gradients), strict=True):
                np.testing.assert_array_equal(got, want)


def test_return_values():
    mvn = ll.MultivariateNormal([0.0, 0.0], variance=[4.0, 1.0])
    value, gradient = mvn.log_prob([2, 0], wrt="x")
    assert value == mvn.log_prob([2, 0])
    assert isinstance(value, np.float64)
    np.testing.assert_array_equal(gradient, [-0.5, 0.0])
    value, gradients = mvn.log_prob(np.zeros((3, 2), np.float32), wrt=("variance",))
    assert isinstance(gradients, tuple)
    assert gradients[0].dtype == np.float64
    np.testing.assert_array_equal(gradients[0], [-3 / 8, -3 / 2])
    assert mvn.log_prob([2, 0], wrt=())[1] == ()
    single = ll.MultivariateNormal(np.zeros(2, np.float32), np.eye(2, dtype=np.float32))
    value, (by_x, by_loc) = single.log_prob(np.array([1.0, 2.0]), wrt=("x", "loc"))
    assert value.dtype == by_x.dtype == by_loc.dtype == np.float64
    assert single.log_prob(np.ones(2, int), wrt="x")[1].dtype == np.float32


def test_empty():
    mvn = ll.MultivariateNormal(np.zeros((4, 2)), np.eye(2))
    value, gradients = mvn.log_prob(np.zeros((0, 1, 2)), wrt=("x", "loc", "covariance"))
    assert value.shape == (0, 4)
    assert gradients[0].shape == (0, 1, 2)
    assert not gradients[1].any()
    assert not gradients[2].any()
    none = ll.MultivariateNormal(np.zeros((0, 2)), np.eye(2))
    assert not none.log_prob(np.ones((3, 1, 2)), wrt="x")[1].any()


# ---------------------------------------------------------------------------------------- bits and memory


def cases_of_bits(dtype):
    rng = np.random.default_rng(1)
    d = 5
    a = np.stack([spd(d, rng, dtype) for _ in range(4)])
    x, loc = rng.normal(size=(5000, d)).astype(dtype), rng.normal(size=(4, d)).astype(dtype)
    every = np.arange(5000) % 4
    for form in FORMS:
        matrix = np.stack([parameter_of(form, m, dtype) for m in a])
        yield form, ll.MultivariateNormal(loc[0], **{form: matrix[0]}), x
        yield form, ll.MultivariateNormal(loc, **{form: matrix}), x[:, None]
        yield form, ll.MultivariateNormal(loc[0], **{form: matrix[every]}), x
        yield form, ll.MultivariateNormal(loc[every], **{form: matrix[0]}), x


def test_threads_do_not_change_bits(dtype, monkeypatch):
    monkeypatch.setattr(density_gradients, "_BLOCK_SECONDS", 2e-5)  # many blocks
    for form, mvn, x in cases_of_bits(dtype):
        want = None
        for threads in (1, 2, 3, 7, 16):
            with ll.num_threads(threads):
                value, gradients = mvn.log_prob(x, wrt=("x", "loc", form))
            want = want or (value, *gradients)
            for got, first in zip((value, *gradients), want, strict=True):
                assert got.tobytes() == first.tobytes()


def test_stores_past_the_caches_do_not_change_bits(dtype, monkeypatch):
    for form, mvn, x in cases_of_bits(dtype):
        results = []
        for limit in (1 << 40, 0):
            monkeypatch.setattr(density_gradients, "_STREAM_BYTES", limit)
            memory = np.zeros(x.size + 1, dtype)[1:].reshape(x.shape)  # not aligned to a cache line
            out = (np.empty(x.shape[:-1], dtype), memory)
            if mvn.batch_shape == (4,):
                out = (np.empty((len(x), 4), dtype), memory)
            value, by_x = mvn.log_prob(x, wrt="x", out=out)
            results.append((value, by_x, mvn.log_prob(x, wrt=form)[1]))
        for got, want in zip(*results, strict=True):
            assert got.tobytes() == want.tobytes()


def test_layouts_do_not_change_bits(dtype):
    for form, mvn, x in cases_of_bits(dtype):
        value, gradients = mvn.log_prob(x, wrt=("x", "loc", form))
        raw = np.zeros(x.nbytes + 1, np.uint8)
        misaligned = raw[1:].view(dtype).reshape(x.shape)
        misaligned[...] = x
        wide = np.zeros((*x.shape[:-1], 3 * x.shape[-1]), dtype)
        wide[..., ::3] = x
        for view in (np.asfortranarray(x), misaligned, wide[..., ::3], x[::-1].copy()[::-1], x.astype(dtype.newbyteorder())):
            again, others = mvn.log_prob(view, wrt=("x", "loc", form))
            for got, want in zip((again, *others), (value, *gradients), strict=True):
                assert got.tobytes() == want.tobytes()


def test_out_may_overlap_x():
    rng = np.random.default_rng(0)
    mvn = ll.MultivariateNormal(np.zeros(2), [[2.0, 0.5], [0.5, 1.0]])
    memory = rng.normal(size=(1000, 2))
    value, gradient = mvn.log_prob(memory.copy(), wrt="x")
    into = np.empty(1000)
    assert mvn.log_prob(memory, wrt="x", out=(into, memory))[1] is memory
    np.testing.assert_array_equal(memory, gradient)
    np.testing.assert_array_equal(into, value)


@pytest.mark.parametrize("form", FORMS)
def test_memory_of_a_call(form):
    n, d = 600_000, 4
    matrix = np.ones(d) if form == "variance" else np.eye(d)
    mvn = ll.MultivariateNormal(np.zeros(d), **{form: matrix})
    x = np.zeros((n, d), np.float32)[:, ::-1]  # another dtype, another layout
    for names, size in ((("loc", form), n * 8), (("x", "loc", form), n * 8 * (d + 1))):
        with ll.num_threads(2):
            peak = peak_memory(functools.partial(mvn.log_prob, x, wrt=names))
        assert peak < size + 16 * 2**20


def test_sum_runs():
    rng = np.random.default_rng(0)
    index = rng.integers(0, 7, 3000)
    rows = rng.normal(size=(3000, 2))
    for order in (np.arange(3000), np.argsort(index, kind="stable")):
        where, sums = sum_runs(index[order], rows[order])
        np.testing.assert_array_equal(where, np.arange(7))
        np.testing.assert_allclose(sums, [rows[index == i].sum(axis=0) for i in range(7)], rtol=1e-12, atol=1e-12)


# ---------------------------------------------------------------------------------------- edges


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("d", [1, 3, 9, 40])
def test_nan_and_inf_stay_in_their_row(dtype, form, d):
    rng = np.random.default_rng(d)
    a = spd(d, rng, dtype)
    matrix = parameter_of(form, a, dtype)
    x = rng.normal(size=(60, d)).astype(dtype)
    dirty = x.copy()
    dirty[7, d - 1] = np.nan
    dirty[20, 0] = np.inf
    keep = np.setdiff1d(np.arange(60), [7, 20])
    for mvn in (
        ll.MultivariateNormal(np.zeros(d, dtype), **{form: matrix}),
        ll.MultivariateNormal(np.zeros((60, d), dtype), **{form: np.stack([matrix] * 60)}),
    ):
        value, clean = mvn.log_prob(x, wrt=("x", "loc", form))
        with np.errstate(all="raise"):  # a correct infinity does not warn, nor does the NaN of a NaN
            got, gradients = mvn.log_prob(dirty, wrt=("x", "loc", form))
        assert np.isnan(got[7])
        assert got[20] == -np.inf
        np.testing.assert_array_equal(got[keep], value[keep])
        np.testing.assert_array_equal(gradients[0][keep], clean[0][keep])
        assert np.isnan(gradients[0][7]).any()
        assert not np.isfinite(gradients[0][20]).all()
        if mvn.batch_shape:
            for g, c in zip(gradients[1:], clean[1:], strict=True):
                np.testing.assert_array_equal(g[keep], c[keep])
                assert np.isnan(g[7]).any()
        else:
            assert np.isnan(gradients[1]).any()
            assert np.isnan(gradients[2]).any()


def test_difficult_covariances():
    rng = np.random.default_rng(4)
    h = spd(6, rng, np.dtype(float), 10)
    scale = 2.0 ** rng.integers(-100, 101, size=6)
    i = np.arange(6)
    for a in (scale[:, None] * h * scale, 1.0 / (i[:, None] + i + 1), np.diag(10.0 ** (-2 * i))):
        x = rng.normal(size=(5, 6)) * np.sqrt(np.diagonal(a))
        gradients = ll.MultivariateNormal(np.zeros(6), a).log_prob(x, wrt=("x", "loc", "covariance"))[1]
        exact, terms = long_gradients("covariance", x, np.zeros(6), a)
        for got, want, size in zip(gradients, exact, terms, strict=True):
            check(got, want, size, 6, kappa_of(a), np.float64)


@pytest.mark.parametrize(
    ("wrt", "error", "message"),
    [
        ("scale", ValueError, r"wrt names 'scale'; a gradient can be taken in: 'x', 'loc', 'covariance'"),
        ("precision", ValueError, r"wrt names 'precision'"),
        (("x", "y"), ValueError, r"wrt names 'y'"),
        (("x", "x"), ValueError, r"wrt names 'x' more than once"),
        ((1,), ValueError, r"wrt names 1"),
        (3, TypeError, r"wrt must be a name or a tuple of names, got 3"),
    ],
)
def test_bad_wrt(wrt, error, message):
    mvn = ll.MultivariateNormal([0, 0], np.eye(2))
    with pytest.raises(error, match=r"MultivariateNormal\.log_prob: " + message):
        mvn.log_prob([0, 0], wrt=wrt)


@pytest.mark.parametrize(
    ("wrt", "out", "error", "message"),
    [
        ("x", np.empty(3), TypeError, "out must be a pair"),
        (("x",), (np.empty(3), np.empty((3, 2))), TypeError, r"out\[1\] must be a tuple of the same length"),
        ("x", (np.empty(3), np.empty(2)), ValueError, r"out must have shape \(3, 2\)"),
        ("loc", (np.empty(2), np.empty(2)), ValueError, r"out must have shape \(3,\)"),
        ("loc", (np.empty(3), [0, 0]), TypeError, r"out must be a numpy\.ndarray"),
    ],
)
def test_bad_out(wrt, out, error, message):
    with pytest.raises(error, match=message):
        ll.MultivariateNormal([0, 0], np.eye(2)).log_prob(np.zeros((3, 2)), wrt=wrt, out=out)


def test_bad_points():
    mvn = ll.MultivariateNormal([0, 0], np.eye(2))
    with pytest.raises(ValueError, match=r"x must have shape \(\.\.\., 2\)"):
        mvn.log_prob(np.zeros((5, 3)), wrt="x")
    with pytest.raises(TypeError, match="x has dtype complex128"):
        mvn.log_prob(np.zeros((5, 2), complex), wrt="x")
    with pytest.raises(ValueError, match="do not broadcast"):
        ll.MultivariateNormal(np.zeros((4, 2)), np.eye(2)).log_prob(np.zeros((3, 2)), wrt="x")
