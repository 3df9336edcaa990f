"""The estimators for scikit-learn: its own checks, its own mixture as the reference, and what ours promise beyond it."""

import math
import pickle
import warnings

import numpy as np
import pytest
from memory_tools import peak_memory
from subprocess_tools import python_output

import loglik as ll

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Peer
from sklearn.utils.estimator_checks import parametrize_with_checks

from loglik.sklearn import GaussianDensity, GaussianMixture

TYPES = ("full", "tied", "diag", "spherical")
STARTS = ("kmeans", "k-means++", "random", "random_from_data")
PARAMETERS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")


@parametrize_with_checks([GaussianMixture(), GaussianMixture(covariance_type="tied"), GaussianDensity()])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_loglik_alone_does_not_import_it():
    assert python_output("import sys, loglik; print('sklearn' in sys.modules, 'loglik.sklearn' in sys.modules)") == "False False"


def test_says_what_is_missing():
    code = "import sys; sys.modules['sklearn'] = None\ntry: import loglik.sklearn\nexcept ImportError as e: print(e)"
    assert python_output(code) == "loglik.sklearn needs scikit-learn 1.6 or later: pip install 'loglik[sklearn]'"


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(5)
    centres = np.array([[0.0, 0, 0], [3, 0, 1], [0, 4, -4]])
    return np.concatenate([rng.normal(size=(300, 3)) * s + c for s, c in zip((1, 0.5, 2), centres, strict=True)])


def quiet(mixture, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(*arguments, **options)


def assert_same(a, b, rtol):
    for name in PARAMETERS:
        got, want = getattr(a, name), getattr(b, name)
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * np.abs(want).max(), err_msg=name)
    assert a.n_iter_ == b.n_iter_
    assert a.converged_ == b.converged_
    assert a.lower_bound_ == pytest.approx(b.lower_bound_, rel=rtol, abs=rtol)
    if a.max_iter:
        # the first one after a start of single rows is that of tiny variances, where scikit-learn's squares cancel
        np.testing.assert_allclose(a.lower_bounds_, b.lower_bounds_, rtol=max(rtol, 1e-7), atol=rtol)


# ------------------------------------------------------------------------------- the mixture beside scikit-learn's


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("kind", TYPES)
def test_same_as_scikit_learn(x, kind, start):
    if kind == "tied" and start in ("k-means++", "random_from_data"):
        pytest.skip("scikit-learn adds up all rows there, though the start consists of K rows")
    options = {"covariance_type": kind, "init_params": start, "random_state": 2, "max_iter": 25, "n_init": 2}
    a, b = (quiet(mixture(3, **options), x) for mixture in (GaussianMixture, Peer))
    assert_same(a, b, 1e-9)
    y = x[::-7] * 1.5
    np.testing.assert_allclose(a.score_samples(y), b.score_samples(y), rtol=1e-9)
    np.testing.assert_allclose(a.predict_proba(y), b.predict_proba(y), atol=1e-9)
    np.testing.assert_array_equal(a.predict(y), b.predict(y))
    for method in ("score", "aic", "bic"):
        assert getattr(a, method)(y) == pytest.approx(getattr(b, method)(y), rel=1e-9)
    np.testing.assert_array_equal(quiet(clone(a), x).predict(x), a.fit_predict(x))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("max_iter", [0, 4])
def test_same_from_given_parameters(x, kind, max_iter):
    k, d = 3, 3
    precisions = {"full": np.tile(np.eye(d) + 0.2, (k, 1, 1)), "tied": np.eye(d) + 0.2, "diag": np.full((k, d), 0.7)}
    options = {
        "covariance_type": kind,
        "weights_init": [0.2, 0.3, 0.5],
        "means_init": x[[0, 400, 800]],
        "precisions_init": precisions.get(kind, np.array([0.5, 1, 2])),
        "max_iter": max_iter,
        "tol": 0,
    }
    a = quiet(GaussianMixture(k, **options), x)
    if max_iter:
        assert_same(a, quiet(Peer(k, **options), x), 1e-9)
    else:
        np.testing.assert_allclose(a.precisions_, options["precisions_init"], rtol=1e-12, atol=1e-12)
        assert (a.n_iter_, a.lower_bound_, a.lower_bounds_) == (0, -math.inf, [])
    some = {"means_init": options["means_init"], "random_state": 1, "covariance_type": kind, "max_iter": 3}
    assert_same(quiet(GaussianMixture(k, **some), x), quiet(Peer(k, **some), x), 1e-9)


@pytest.mark.parametrize("kind", TYPES)
def test_float32(x, kind):
    narrow = x.astype(np.float32)
    options = {"covariance_type": kind, "random_state": 0, "max_iter": 5, "tol": 0}
    a = quiet(GaussianMixture(3, **options), narrow)
    exact = quiet(Peer(3, **options), narrow.astype(np.float64))
    for name in PARAMETERS:
        assert getattr(a, name).dtype == np.float32
        np.testing.assert_allclose(getattr(a, name), getattr(exact, name), rtol=2e-4, atol=2e-5)
    assert a.score_samples(narrow).dtype == a.predict_proba(narrow).dtype == a.sample(3)[0].dtype == np.float32
    assert a.score_samples(x).dtype == np.float64
    np.testing.assert_allclose(a.score_samples(narrow), exact.score_samples(narrow), rtol=1e-4)
    np.testing.assert_allclose(a.predict_proba(narrow).sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("kind", TYPES)
def test_float32_sums_lose_nothing(kind):
    """100 000 rows far from 0, whose float32 sums would be right to three digits of the spread."""
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(100_000, 2)) + 1000).astype(np.float32)
    mixture = GaussianMixture(covariance_type=kind, reg_covar=0).fit(x)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(mixture.means_[0], wide.mean(axis=0), rtol=1e-7)
    variance = np.var(wide, axis=0)
    got = {"full": lambda c: np.diagonal(c[0]), "tied": np.diagonal, "diag": lambda c: c[0], "spherical": lambda c: c}[kind]
    want = variance.mean() if kind == "spherical" else variance
    np.testing.assert_allclose(got(mixture.covariances_), want, rtol=2e-7)


# ------------------------------------------------------------------------------- weights, threads, layouts


@pytest.mark.parametrize("kind", TYPES)
def test_weights_are_repeats(x, kind):
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 4, len(x))
    k = 3
    start = GaussianMixture(k, covariance_type=kind, max_iter=0, random_state=0).fit(x)
    options = {"weights_init": start.weights_, "means_init": start.means_, "precisions_init": start.precisions_}
    make = GaussianMixture(k, covariance_type=kind, max_iter=7, tol=0, **options)
    weighted = quiet(clone(make), x, sample_weight=counts)
    assert_same(weighted, quiet(clone(make), np.repeat(x, counts, axis=0)), 1e-11)
    assert_same(weighted, quiet(clone(make), x, sample_weight=1e-30 * counts), 1e-11)
    assert weighted.score(x, sample_weight=counts) == pytest.approx(weighted.score(np.repeat(x, counts, axis=0)), rel=1e-12)


@pytest.mark.parametrize("start", STARTS)
def test_rows_of_weight_zero_do_not_count(x, start):
    weights = np.ones(len(x))
    weights[600:] = 0
    options = {"init_params": start, "random_state": 0}
    mixture = quiet(GaussianMixture(2, **options), x, sample_weight=weights)
    assert mixture.means_[:, 1].max() < 2  # not near the third cluster, at 4


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_do_not_depend_on_threads_or_layout(kind, dtype):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(9_000, 5)).astype(dtype)
    x[:4000] += 3
    weights = rng.uniform(0.5, 2, len(x))
    found = []
    for threads, data in ((1, x), (3, x), (2, np.asfortranarray(x)), (2, np.repeat(x, 2, axis=0)[::2])):
        with ll.num_threads(threads):
            mixture = GaussianMixture(40, covariance_type=kind, init_params="random_from_data", random_state=1, max_iter=3)
            quiet(mixture, data, sample_weight=weights)
            found.append([*(getattr(mixture, name) for name in PARAMETERS), np.array(mixture.lower_bounds_)])
            found[-1] += [mixture.score_samples(data), mixture.predict_proba(data), mixture.predict(data)]
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_memory_is_bounded():
    x = np.random.default_rng(0).normal(size=(200_000, 16)).astype(np.float32)
    k, d = 32, 16
    options = {"weights_init": np.full(k, 1 / k), "means_init": x[:k], "precisions_init": np.tile(np.eye(d), (k, 1, 1))}
    mixture = GaussianMixture(k, max_iter=1, **options)
    with ll.num_threads(2):
        assert peak_memory(lambda: quiet(mixture, x)) < 16 << 20  # the responsibilities alone would be 25 MB
        assert peak_memory(lambda: mixture.score_samples(x)) < (16 << 20) + 4 * len(x)


# ------------------------------------------------------------------------------- difficult data


@pytest.mark.parametrize("kind", TYPES)
def test_collapsing_component(kind):
    """Two components sit on one repeated point: reg_covar is all that is left of their variance."""
    x = np.concatenate([np.full((50, 2), 3.0), np.random.default_rng(0).normal(size=(50, 2))])
    options = {"covariance_type": kind, "means_init": [[3, 3], [3, 3], [0, 0]], "init_params": "random", "random_state": 0}
    a = quiet(GaussianMixture(3, max_iter=200, **options), x)
    b = quiet(Peer(3, max_iter=200, **options), x)
    assert np.isfinite(a.score_samples(x)).all()
    assert a.lower_bound_ == pytest.approx(b.lower_bound_, rel=1e-5)


@pytest.mark.parametrize("kind", TYPES)
def test_component_without_rows(x, kind):
    far = np.array([[0.0, 0, 0], [1e4, 1e4, 1e4]])
    precisions = {"full": np.tile(np.eye(3), (2, 1, 1)), "tied": np.eye(3), "diag": np.ones((2, 3)), "spherical": np.ones(2)}
    options = {"means_init": far, "weights_init": [0.5, 0.5], "precisions_init": precisions[kind], "covariance_type": kind}
    a, b = (quiet(mixture(2, max_iter=1, **options), x) for mixture in (GaussianMixture, Peer))
    assert_same(a, b, 1e-9)


def test_singular_covariance_without_reg_covar():
    x = np.random.default_rng(0).normal(size=(50, 1)) * [1.0, 0.0]
    with pytest.raises(np.linalg.LinAlgError, match="a component has collapsed"):
        GaussianMixture(reg_covar=0).fit(x)
    with pytest.raises(np.linalg.LinAlgError, match="larger reg_covar"):
        GaussianMixture(reg_covar=0, covariance_type="diag").fit(x)


def test_far_from_the_origin():
    """scikit-learn's diagonal covariances are differences of squares, which are gone here."""
    rng = np.random.default_rng(0)
    near = np.concatenate([rng.normal(size=(500, 2)), rng.normal(size=(500, 2)) + 8])
    x = near + 2.0**26
    for kind in TYPES:
        a, b = (GaussianMixture(2, covariance_type=kind, random_state=0).fit(y) for y in (near, x))
        np.testing.assert_allclose(b.covariances_, a.covariances_, rtol=1e-6, atol=1e-6)


def test_rows_beyond_all_components(x):
    mixture = GaussianMixture(2, random_state=0).fit(x)
    far = np.array([[0.0, 0, 0], [1e200, 0, 0]])
    assert mixture.score_samples(far)[1] == -math.inf
    with pytest.raises(ValueError, match=r"density is 0: X\[1\] = "):
        mixture.predict_proba(far)


def test_many_coordinates_and_components():
    """Blocks of the smallest size, and few sets of states."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(700, 70))
    options = {"max_iter": 2, "tol": 0, "random_state": 0, "init_params": "random"}
    assert_same(quiet(GaussianMixture(5, **options), x), quiet(Peer(5, **options), x), 1e-8)
    options["covariance_type"] = "diag"
    assert_same(quiet(GaussianMixture(300, **options), x[:, :2]), quiet(Peer(300, **options), x[:, :2]), 1e-8)


# ------------------------------------------------------------------------------- the rest of the mixture


def test_warm_start(x):
    whole = quiet(GaussianMixture(3, random_state=0, max_iter=6, tol=0), x)
    parts = quiet(GaussianMixture(3, random_state=0, max_iter=3, tol=0, warm_start=True), x)
    quiet(parts, x)
    for name in PARAMETERS:
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-11, atol=1e-13)
    assert parts.lower_bounds_ == pytest.approx(whole.lower_bounds_[3:], rel=1e-12)


def test_does_not_converge(x):
    with pytest.warns(ConvergenceWarning, match="max_iter = 1 iterations"):
        GaussianMixture(3, max_iter=1, random_state=0).fit(x)


def test_best_of_many_starts(x):
    each = [quiet(GaussianMixture(6, init_params="random_from_data", random_state=i), x).lower_bound_ for i in range(3)]
    state = GaussianMixture(6, init_params="random_from_data", random_state=0, n_init=8)
    assert quiet(state, x).lower_bound_ >= each[0]


@pytest.mark.parametrize("kind", TYPES)
def test_sample(x, kind):
    mixture = GaussianMixture(3, covariance_type=kind, random_state=0).fit(x)
    rows, labels = mixture.sample(40_000)
    again, _ = mixture.sample(40_000)
    np.testing.assert_array_equal(rows, again)
    assert (np.diff(labels) >= 0).all()
    np.testing.assert_allclose(np.bincount(labels) / 40_000, mixture.weights_, atol=0.015)
    for k in range(3):
        np.testing.assert_allclose(rows[labels == k].mean(axis=0), mixture.means_[k], atol=0.1)
    fitted = np.average(mixture.score_samples(rows))
    assert fitted == pytest.approx(mixture.score(mixture.sample(20_000)[0]), abs=0.05)


def test_pickle_and_clone(x):
    mixture = GaussianMixture(3, random_state=0).fit(x)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(mixture)).score_samples(x), mixture.score_samples(x))
    assert not hasattr(clone(mixture), "means_")


def test_verbose(x, capsys):
    quiet(GaussianMixture(2, verbose=1, verbose_interval=1, max_iter=2, tol=0, random_state=0), x)
    assert capsys.readouterr().out.count("Iteration") == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components must be an integer of at least 1, got 0"),
        ({"n_components": 2.0}, "n_components must be an integer"),
        ({"covariance_type": "square"}, "covariance_type must be one of 'full', 'tied'"),
        ({"init_params": None}, "init_params must be one of"),
        ({"tol": -1}, "tol must be a number of at least 0"),
        ({"reg_covar": math.nan}, "reg_covar must be a number of at least 0, got nan"),
        ({"max_iter": -1}, "max_iter"),
        ({"n_init": True}, "n_init"),
        ({"weights_init": [0.5, 0.6]}, "must add up to 1, but the sum is 1.1"),
        ({"weights_init": [1.5, -0.5]}, r"within \[0, 1\], but weights_init\[0\] = 1.5"),
        ({"weights_init": [1.0]}, r"weights_init must have shape \(2,\), got \(1,\)"),
        ({"means_init": [[0, 0, 0]]}, r"means_init must have shape \(2, 3\)"),
        ({"means_init": np.full((2, 3), np.nan)}, r"means_init\[0, 0\] = nan"),
        ({"precisions_init": np.eye(3)}, r"precisions_init must have shape \(2, 3, 3\)"),
        ({"precisions_init": -np.ones((2, 3)), "covariance_type": "diag"}, r"positive, but precisions_init\[0, 0\] = -1"),
        ({"precisions_init": np.arange(9.0).reshape(3, 3), "covariance_type": "tied"}, "precisions_init.*symmetric"),
        ({"precisions_init": -np.eye(3), "covariance_type": "tied"}, "precision"),
    ],
)
def test_bad_parameters(x, options, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(**{"n_components": 2, "random_state": 0} | options).fit(x)


@pytest.mark.parametrize("estimator", [GaussianMixture(2), GaussianDensity()])
def test_bad_data(x, estimator):
    for weight, message in (
        (np.ones(3), r"sample_weight must have shape \(900,\), one for each row of X, got \(3,\)"),
        (-np.ones(900), r"finite and not negative, but sample_weight\[0\] = -1.0"),
        (np.full(900, np.inf), r"sample_weight\[0\] = inf"),
        (np.zeros(900), "all sample weights are zero"),
    ):
        with pytest.raises(ValueError, match=message):
            estimator.fit(x, sample_weight=weight)
    with pytest.raises(ValueError, match="minimum of 2"):
        estimator.fit(x[:1])
    with pytest.raises(ValueError, match="NaN"):
        estimator.fit(np.full((3, 2), np.nan))
    fitted = clone(estimator).fit(x)
    with pytest.raises(ValueError, match="2 features"):
        fitted.score_samples(x[:, :2])
    with pytest.raises(ValueError, match="n_samples must be an integer"):
        fitted.sample(0)


def test_fewer_rows_than_components(x):
    with pytest.raises(ValueError, match="at least n_components = 5 rows, got 3"):
        GaussianMixture(5).fit(x[:3])


# ------------------------------------------------------------------------------- one Gaussian


@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_density(x, kind, dtype):
    data = x.astype(dtype)
    density = GaussianDensity(covariance_type=kind, reg_covar=0).fit(data)
    wide = data.astype(np.float64)
    covariance = np.cov(wide.T, ddof=0)
    if kind != "full":
        covariance = np.diag(np.diagonal(covariance))
    if kind == "spherical":
        covariance = np.trace(covariance) / 3 * np.eye(3)
    tight = 1e-12 if dtype == np.float64 else 1e-6
    np.testing.assert_allclose(density.location_, wide.mean(axis=0), rtol=tight)
    np.testing.assert_allclose(density.covariance_, covariance, rtol=tight, atol=tight)
    want = ll.MultivariateNormal(wide.mean(axis=0), covariance)
    scores = density.score_samples(data)
    assert scores.dtype == density.location_.dtype == density.sample(2).dtype == dtype
    np.testing.assert_allclose(scores, want.log_prob(wide), rtol=20 * tight)
    np.testing.assert_allclose(density.mahalanobis(data), want.mahalanobis(wide), rtol=20 * tight)
    assert density.score(data) == pytest.approx(scores.mean(dtype=float))
    peer = Peer(covariance_type=kind, reg_covar=0).fit(wide)
    assert density.score(data) == pytest.approx(peer.score(wide), rel=20 * tight)


@pytest.mark.parametrize("n", [10, 90, 900])
@pytest.mark.parametrize("contamination", [0.001, 0.1, 0.3, 0.5])
def test_outliers_are_the_part_wanted(x, n, contamination):
    data = x[:: 900 // n]
    density = GaussianDensity(contamination=contamination).fit(data)
    outliers = density.predict(data) == -1
    assert outliers.sum() == math.floor(n * contamination + 1e-9)
    assert not outliers.any() or density.score_samples(data)[outliers].max() < density.score_samples(data)[~outliers].min()
    np.testing.assert_array_equal(density.fit_predict(data), np.where(outliers, -1, 1))


def test_weights_of_a_density_are_repeats(x):
    counts = np.random.default_rng(1).integers(0, 3, len(x))
    a = GaussianDensity(contamination=0.05).fit(x, sample_weight=counts)
    b = GaussianDensity(contamination=0.05).fit(np.repeat(x, counts, axis=0))
    np.testing.assert_allclose(a.covariance_, b.covariance_, rtol=1e-12)
    assert a.offset_ == pytest.approx(b.offset_, rel=1e-12)
    assert a.score(x, sample_weight=counts) == pytest.approx(b.score(np.repeat(x, counts, axis=0)), rel=1e-12)


@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
def test_partial_fit(x, kind):
    weights = np.random.default_rng(1).uniform(size=len(x))
    whole = GaussianDensity(covariance_type=kind).fit(x, sample_weight=weights)
    parts = GaussianDensity(covariance_type=kind)
    for rows in np.array_split(np.arange(len(x)), 7):
        parts.partial_fit(x[rows], sample_weight=weights[rows])
    np.testing.assert_allclose(parts.location_, whole.location_, rtol=1e-12)
    np.testing.assert_allclose(parts.covariance_, whole.covariance_, rtol=1e-12, atol=1e-14)
    after = GaussianDensity(covariance_type=kind).fit(x[:500], sample_weight=weights[:500])
    after.partial_fit(x[500:], sample_weight=weights[500:])
    np.testing.assert_allclose(after.covariance_, whole.covariance_, rtol=1e-12, atol=1e-14)
    single = GaussianDensity(covariance_type=kind).partial_fit(x[:1])
    np.testing.assert_array_equal(single.location_, x[0])


def test_outliers_after_partial_fit_are_those_of_the_gaussian():
    rng = np.random.default_rng(0)
    density = GaussianDensity(contamination=0.02).partial_fit(rng.normal(size=(50_000, 4)) * [1, 2, 3, 4])
    assert np.mean(density.predict(density.sample(50_000, random_state=1)) == -1) == pytest.approx(0.02, abs=0.003)


def test_sample_of_a_density(x):
    density = GaussianDensity().fit(x)
    rows = density.sample(50_000, random_state=3)
    np.testing.assert_array_equal(rows, density.sample(50_000, random_state=np.random.RandomState(3)))
    np.testing.assert_allclose(np.cov(rows.T), density.covariance_, atol=0.15)
    assert density.sample().shape == (1, 3)


@pytest.mark.parametrize(
    ("name", "value"), [("covariance_type", "tied"), ("contamination", 0), ("contamination", 0.6), ("reg_covar", -1)]
)
def test_bad_parameters_of_a_density(x, name, value):
    with pytest.raises(ValueError, match=f"GaussianDensity: {name} must be"):
        GaussianDensity(**{name: value}).fit(x)


def test_constant_column_of_a_density(x):
    data = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    assert np.isfinite(GaussianDensity().fit(data).score_samples(data)).all()
    with pytest.raises(np.linalg.LinAlgError):
        GaussianDensity(reg_covar=0).fit(data)
