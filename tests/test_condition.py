"""Condition numbers against singular values, and the warning where digits are lost; difficult matrices against 50 digits."""

import warnings

import mpmath
import numpy as np
import pytest

import loglik as ll

MVN = ll.MultivariateNormal


def hilbert(d):
    i = np.arange(d)
    return 1.0 / (i[:, None] + i + 1)


def with_spectrum(values, rng):
    q = np.linalg.qr(rng.normal(size=(len(values), len(values))))[0]
    a = (q * values) @ q.T
    return (a + a.T) / 2


def exact(a, x):
    """Log-density at x with mean 0, the sum of its absolute terms, and κ(H), all with 50 digits (κ: 1-norm, an upper bound)."""
    with mpmath.workdps(60):
        d = len(a)
        matrix = mpmath.matrix(a.astype(float).tolist())
        lower = mpmath.cholesky(matrix, tol=mpmath.mpf("1e-3000"))
        log_det = sum(mpmath.log(lower[i, i]) for i in range(d))
        z = []
        for i in range(d):
            z.append((mpmath.mpf(float(x[i])) - sum(lower[i, k] * z[k] for k in range(i))) / lower[i, i])
        square = sum(v * v for v in z) / 2
        constant = d * mpmath.log(2 * mpmath.pi) / 2
        inverse = mpmath.matrix(d, d)  # of L, by columns; mpmath's own takes graded matrices for singular
        for c in range(d):
            for i in range(c, d):
                rest = (1 if i == c else 0) - sum(lower[i, k] * inverse[k, c] for k in range(c, i))
                inverse[i, c] = rest / lower[i, i]
        std = [mpmath.sqrt(matrix[i, i]) for i in range(d)]
        h = max(sum(abs(matrix[i, j]) / std[i] / std[j] for i in range(d)) for j in range(d))
        p = inverse.T * inverse
        h_inverse = max(sum(abs(p[i, j]) * std[i] * std[j] for i in range(d)) for j in range(d))
        return -square - log_det - constant, square + abs(log_det) + constant, float(h * h_inverse)


# ---------------------------------------------------------------------------------------- difficult matrices


@pytest.mark.parametrize(("d", "warns"), [(2, False), (5, False), (8, False), (9, True), (10, True), (12, True)])
def test_hilbert(d, warns):
    a = hilbert(d)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mvn = MVN(np.zeros(d), a)
    assert [w.category for w in caught] == [ll.AccuracyWarning] * warns
    rng = np.random.default_rng(d)
    for x in (np.zeros(d), a @ rng.integers(-3, 4, size=d), rng.normal(size=d)):
        value, terms, kappa = exact(a, x)
        assert abs(mpmath.mpf(float(mvn.log_prob(x))) - value) <= 4 * d * kappa * 2.0**-53 * terms
    if d == 8:  # published: 30.13770541
        assert mvn.log_prob(np.zeros(8)) == pytest.approx(30.13770541, rel=1e-8)


def test_diagonal_of_different_scales():
    """Where SciPy finds a singular matrix."""
    peak = 5 * np.log(10) - np.log(2 * np.pi)
    forms = {"covariance": np.diag([1, 1e-10]), "variance": [1, 1e-10], "scale_tril": np.diag([1, 1e-5])}
    for form, matrix in forms.items():
        mvn = MVN([0, 0], **{form: matrix})
        np.testing.assert_allclose(mvn.log_prob([[0, 0], [0, 1e-5]]), [peak, peak - 0.5], rtol=1e-14)
        assert mvn.condition_number == pytest.approx(1)


@pytest.mark.parametrize("d", [2, 5, 9])
def test_graded(d):
    """D·H·D over 2^±400: no warning, and digits as for H."""
    rng = np.random.default_rng(d)
    h = with_spectrum(np.geomspace(1, 1e-2, d), rng)
    scale = 2.0 ** rng.integers(-400, 401, size=d)
    a = scale[:, None] * h * scale
    lower = np.linalg.cholesky(h) * scale[:, None]
    inverse = np.linalg.inv(h)
    forms = {"covariance": a, "scale_tril": lower, "precision": (inverse + inverse.T) / 2 / scale[:, None] / scale}
    for form, matrix in forms.items():
        mvn = MVN(np.zeros(d), **{form: matrix})
        assert mvn.condition_number == pytest.approx(MVN(np.zeros(d), h).condition_number, rel=1e-9)
        for x in (np.zeros(d), rng.normal(size=d) * scale):
            value, terms, kappa = exact(a, x)
            slack = 1 if form == "covariance" else 4  # the factor and the precision are themselves rounded
            assert abs(mpmath.mpf(float(mvn.log_prob(x))) - value) <= slack * 4 * d * kappa * 2.0**-53 * terms
            if form != "precision":
                assert MVN(np.zeros(d), **{form: matrix}, allow_singular=True).log_prob(x) == mvn.log_prob(x)


# ---------------------------------------------------------------------------------------- condition_number


def true_condition(covariance):
    std = np.sqrt(np.diagonal(covariance))
    return np.linalg.cond(covariance / std[:, None] / std)


@pytest.mark.parametrize("form", ["covariance", "precision", "scale_tril"])
@pytest.mark.parametrize("d", [1, 2, 5, 32, 33, 60, 150])
def test_condition_number(form, d):
    rng = np.random.default_rng(d)
    ones = np.ones(d - 1)
    spectra = [np.geomspace(1, 1e-6, d), np.r_[ones, 1], np.r_[ones, 1e-6], np.r_[1e3, ones], np.linspace(1, 1e-4, d)]
    for values in spectra:
        a = with_spectrum(values, rng)
        matrix = {"covariance": a, "scale_tril": np.linalg.cholesky(a), "precision": np.linalg.inv(a)}[form]
        if form == "precision":
            matrix = (matrix + matrix.T) / 2
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ll.AccuracyWarning)
            got = MVN(np.zeros(d), **{form: matrix}).condition_number
        want = true_condition(a)
        assert isinstance(got, float)
        if d <= 32:
            assert got == pytest.approx(want, rel=1e-6)
        else:
            assert 0.9 * want <= got <= want * (1 + 1e-6)


def test_condition_number_of_correlations():
    """Eigenvalues 1 - ρ and 1 + (d - 1)ρ, whatever the scales; beyond 1/u it is large, not an error."""
    for d in (2, 3, 10, 40):
        for rho in (0.5, 0.99, 1 - 1e-6):
            h = np.full((d, d), rho) + (1 - rho) * np.eye(d)
            scale = 10.0 ** np.linspace(-100, 100, d)
            kappa = MVN(np.zeros(d), scale[:, None] * h * scale).condition_number
            assert kappa == pytest.approx((1 + (d - 1) * rho) / (1 - rho), rel=1e-4)
    with pytest.warns(ll.AccuracyWarning):
        assert MVN(np.zeros(12), hilbert(12)).condition_number > 1e14


def test_condition_number_shapes(dtype):
    rng = np.random.default_rng(0)
    a = np.stack([with_spectrum(np.geomspace(1, 10.0**-k, 4), rng) for k in range(3)]).astype(dtype)
    mvn = MVN(np.zeros((5, 1, 4), dtype), a)
    kappa = mvn.condition_number
    assert kappa.shape == (5, 3)
    np.testing.assert_allclose(kappa[2], [true_condition(m.astype(float)) for m in a], rtol=1e-3)
    assert (MVN(np.zeros((2, 3)), variance=[1.0, 2.0, 3.0]).condition_number == [1, 1]).all()
    assert MVN(np.zeros((0, 3)), np.eye(3)).condition_number.shape == (0,)
    assert MVN(np.zeros(3), np.empty((0, 3, 3))).condition_number.shape == (0,)


# ---------------------------------------------------------------------------------------- the warning


def test_warning_names_the_first():
    a = np.stack([np.eye(10), np.eye(10), hilbert(10), hilbert(10)]).reshape(2, 2, 10, 10)
    pattern = r"MultivariateNormal: covariance\[1, 0\] has condition number 5.9e\+12 .* right only to 0.03 of"
    with pytest.warns(ll.AccuracyWarning, match=pattern) as caught:
        MVN(np.zeros(10), a)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with pytest.warns(ll.AccuracyWarning, match=r"mvn_log_prob: covariance has condition number") as caught:
        ll.mvn_log_prob(np.zeros((3, 10)), np.zeros(10), hilbert(10))
    assert caught[0].filename == __file__
    with pytest.warns(ll.AccuracyWarning, match=r"precision has condition number 1.9e\+11"):
        MVN(np.zeros(9), precision=hilbert(9))


@pytest.mark.parametrize("d", [2, 3, 6, 20, 50])
def test_warning_on_either_side_of_the_threshold(dtype, d):
    """4·d·κ·u against u^(1/4), for a matrix of which one direction is thin."""
    u = np.finfo(dtype).eps / 2
    limit = u**0.25 / (4 * d * u)
    rng = np.random.default_rng(d)
    v = rng.normal(size=d)
    v /= np.linalg.norm(v)
    # the quick look at the pivots may pass float32 matrices that are close to the limit
    for factor, warns in ((0.5, False), (2.0 if dtype == np.float64 else 16.0, True)):
        h = None
        low, high = 1e-16, 1.0
        for _ in range(60):  # the thinness that gives the condition number wanted
            thin = np.sqrt(low * high)
            h = np.eye(d) - (1 - thin) * np.outer(v, v)
            low, high = (thin, high) if true_condition(h) > factor * limit else (low, thin)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            MVN(np.zeros(d, dtype), h.astype(dtype))
        assert [w.category for w in caught] == [ll.AccuracyWarning] * warns, (factor, true_condition(h))


def test_no_warning():
    """Nothing is lost by a given factor, by scales, by evaluation, or where a matrix is wrong anyway."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MVN(np.zeros(10), scale_tril=np.linalg.cholesky(hilbert(10)))
        MVN(np.zeros(2), variance=[1e300, 1e-300])
        MVN(np.zeros(2), np.ones((2, 2)), allow_singular=True).log_prob([1.0, 1.0])
        single = MVN(np.zeros(5, np.float32), np.eye(5, dtype=np.float32) + np.float32(4))
        single.log_prob(np.zeros(5))
        with pytest.raises(np.linalg.LinAlgError):
            MVN(np.zeros(2), np.stack([[[1, 1 - 1e-15], [1 - 1e-15, 1]], [[1, 2], [2, 1]]]))
    with pytest.warns(ll.AccuracyWarning):
        mvn = MVN(np.zeros(10), hilbert(10))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mvn.log_prob(np.zeros(10))
        assert mvn.condition_number > 1e12
        mvn.log_prob(np.zeros(10, np.float32))
