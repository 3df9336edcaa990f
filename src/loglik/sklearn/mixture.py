"""Mixtures of Gaussians, fitted by expectation and maximisation."""

import math
import warnings
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from loglik._engine import validate
from loglik._engine.parallel import num_threads
from loglik._fitting.statistics import Moments
from loglik._gaussian.matrices import check_symmetric
from loglik.distributions.mvnormal import MultivariateNormal
from loglik.sklearn import _checks, _em

__all__ = ["GaussianMixture"]

_NAME = "GaussianMixture"
_STARTS = ("kmeans", "k-means++", "random", "random_from_data")


class GaussianMixture(DensityMixin, BaseEstimator):
    r"""Mixture of K Gaussians, fitted by EM: `sklearn.mixture.GaussianMixture`, with sample weights, and faster.

    .. math:: \log p(x) = \log \sum_k w_k \mathcal N(x \mid \mu_k, \Sigma_k)

    Parameters
    ----------
    n_components : int
        K, the number of components.
    covariance_type : {"full", "tied", "diag", "spherical"}
        A matrix for each component, one matrix for all, variances of each coordinate, or one variance for each component.
    tol : float
        Stop when an iteration adds less than this to the mean log-likelihood, in nats.
    reg_covar : float
        Added to all variances, so that no component collapses.
    max_iter : int
        Iterations at most; 0 leaves the start as it is.
    n_init : int
        Number of starts, of which the best is kept.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}
        The start: clusters of `sklearn.cluster.KMeans`, its seeds, random responsibilities, or random rows.
    weights_init, means_init, precisions_init : array_like, optional
        Parameters to start with, instead of those of the start: of shape (K,), (K, d), and that of the covariances.
    random_state : int, RandomState or None
        For the start and `sample`.
    warm_start : bool
        Let `fit` go on from the last fit.
    verbose : int
        1 prints the log-likelihood every `verbose_interval` iterations.
    verbose_interval : int
        See `verbose`.

    Attributes
    ----------
    weights_, means_, covariances_, precisions_, precisions_cholesky_ : ndarray
        The parameters, in the dtype of the data. With U of ``precisions_cholesky_``, U·Uᵀ is a precision matrix.
    converged_ : bool
        Whether `tol` was reached.
    n_iter_ : int
        Iterations of the best start.
    lower_bound_ : float
        Mean log-likelihood of a row, in nats, before the last iteration.
    lower_bounds_ : list of float
        That of each iteration.
    n_features_in_, feature_names_in_
        Columns of the data of the fit.

    Notes
    -----
    From the same start every iteration gives scikit-learn's parameters up to rounding. Log-densities come from the grid kernel,
    sums are weighted moments about points near the means, in float64 also for float32 data. Rows go in blocks: beside the
    output a pass takes a few MiB, and its results do not depend on threads. (k-means, of scikit-learn, takes a copy of the
    data.) A weight counts as so many equal rows, where the start does: k-means draws differently for repeated rows.

    Examples
    --------
    >>> import numpy as np
    >>> from loglik.sklearn import GaussianMixture
    >>> rng = np.random.default_rng(1)
    >>> x = np.concatenate([rng.normal(-5, 1, (300, 2)), rng.normal(5, 2, (100, 2))])
    >>> mixture = GaussianMixture(2, random_state=0).fit(x)
    >>> mixture.weights_.round(2)
    array([0.75, 0.25])
    >>> mixture.predict([[-4.0, -6.0], [5.0, 5.0]])
    array([0, 1])
    """

    weights_: np.ndarray
    means_: np.ndarray
    covariances_: np.ndarray
    precisions_: np.ndarray
    precisions_cholesky_: np.ndarray
    converged_: bool
    n_iter_: int
    lower_bound_: float
    lower_bounds_: list[float]

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval

    # ------------------------------------------------------------------------------------------- fitting

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit by EM.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Rows, finite; at least 2, and as many as components.
        y : object
            Not used.
        sample_weight : array_like, shape (n,), optional
            How often each row counts; not negative.

        Returns
        -------
        GaussianMixture
            The object itself.

        Raises
        ------
        ValueError
            For parameters, data or weights that are not as described.
        numpy.linalg.LinAlgError
            If a covariance is not positive definite: a component has collapsed, and `reg_covar` is too small for the data.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If `max_iter` iterations did not reach `tol`.
        """
        self._check_parameters()
        x = _checks.data(self, X, reset=True, least=2)
        if len(x) < self.n_components:
            raise ValueError(f"{_NAME}: X must have at least n_components = {self.n_components} rows, got {len(x)}")
        weights = _checks.sample_weight(_NAME, sample_weight, len(x))
        total = float(len(x)) if weights is None else float(weights.sum())
        blocks = _em.Blocks(x, self.n_components)
        given = self._given(x.shape[1])
        again = self.warm_start and hasattr(self, "converged_")
        random_state = check_random_state(self.random_state)

        best, best_bounds, best_converged = None, [-math.inf], False
        for attempt in range(1 if again else self.n_init):
            if self.verbose:
                print(f"Initialization {attempt}")
            if again:
                model, previous = self._model(), self.lower_bound_
            else:
                model, previous = self._start(blocks, weights, total, given, random_state), -math.inf
            bounds, converged = [], False
            for i in range(self.max_iter):
                expectation = _em.expectation(_em.Densities(model, x.dtype), weights)
                m, likelihood = _em.moments(blocks, expectation, weights, self.n_components, self._diagonal)
                model = self._maximised(m, total / len(x))
                bounds.append(likelihood / total)
                change = bounds[-1] - previous
                previous = bounds[-1]
                if self.verbose and (i + 1) % self.verbose_interval == 0:
                    print(f"  Iteration {i + 1}: log-likelihood {previous:.6f}, change {change:.3g}")
                if abs(change) < self.tol:
                    converged = True
                    break
            if best is None or (bounds and bounds[-1] > best_bounds[-1]):
                best, best_bounds, best_converged = model, bounds or [-math.inf], converged
        assert best is not None
        self._set(best, x.dtype)
        self.converged_ = best_converged
        self.n_iter_ = len(best_bounds) if self.max_iter else 0
        self.lower_bound_, self.lower_bounds_ = best_bounds[-1], best_bounds if self.max_iter else []
        if not best_converged and self.max_iter:
            warnings.warn(
                f"{_NAME}: not converged to tol = {self.tol:g} in max_iter = {self.max_iter} iterations; try another start, more "
                "iterations, or look for degenerate data",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> np.ndarray:
        """``fit``, and the component of each row."""
        return self.fit(X, y, sample_weight).predict(X)

    @property
    def _diagonal(self) -> bool:
        return self.covariance_type in ("diag", "spherical")

    def _check_parameters(self) -> None:
        _checks.number(_NAME, "n_components", self.n_components, 1, integer=True)
        _checks.choice(_NAME, "covariance_type", self.covariance_type, _checks.COVARIANCE_TYPES)
        _checks.choice(_NAME, "init_params", self.init_params, _STARTS)
        _checks.number(_NAME, "tol", self.tol, 0)
        _checks.number(_NAME, "reg_covar", self.reg_covar, 0)
        _checks.number(_NAME, "max_iter", self.max_iter, 0, integer=True)
        _checks.number(_NAME, "n_init", self.n_init, 1, integer=True)
        _checks.number(_NAME, "verbose_interval", self.verbose_interval, 1, integer=True)

    def _given(self, d: int) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
        """Weights, means and covariances of the start that the user gave, in float64."""
        k = self.n_components
        square = {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,)}[self.covariance_type]
        found: list[np.ndarray | None] = []
        for name, shape in (("weights_init", (k,)), ("means_init", (k, d)), ("precisions_init", square)):
            value = getattr(self, name)
            if value is not None:
                value = validate.as_array(_NAME, name, value).astype(np.float64)
                if value.shape != shape:
                    raise ValueError(f"{_NAME}: {name} must have shape {shape}, got {value.shape}")
                validate.require(_NAME, name, value, np.isfinite(value), "finite")
            found.append(value)
        weights, means, precisions = found
        if weights is not None:
            validate.require(_NAME, "weights_init", weights, (weights >= 0) & (weights <= 1), "within [0, 1]")
            if abs(weights.sum() - 1) > 1e-6:
                raise ValueError(f"{_NAME}: weights_init must add up to 1, but the sum is {weights.sum()}")
        if precisions is None:
            return weights, means, None
        if self._diagonal:
            validate.require(_NAME, "precisions_init", precisions, precisions > 0, "positive")
            return weights, means, 1 / precisions
        check_symmetric(_NAME, "precisions_init", precisions.reshape(-1, d, d), precisions.shape[:-2])
        normal = MultivariateNormal(np.zeros(d), precision=precisions)
        return weights, means, np.asarray(normal.covariance)

    def _start(
        self, blocks: _em.Blocks, weights: np.ndarray | None, total: float, given: tuple[Any, Any, Any], random_state: Any
    ) -> _em.MixtureParameters:
        size, means, covariances = given
        if size is None or means is None or covariances is None:
            m = self._first_moments(blocks, weights, random_state)
            unit = total / blocks.n
            found, spread = _em.parameters(m, unit, self.covariance_type, self.reg_covar)
            size = _em.counts(m, unit) / total if size is None else size
            means = found if means is None else means
            covariances = spread if covariances is None else covariances
        return _em.MixtureParameters(size, means, covariances, _em.factors(covariances, self.covariance_type, self.n_components))

    def _first_moments(self, blocks: _em.Blocks, weights: np.ndarray | None, random_state: Any) -> Moments:
        """Moments of the components of a start, drawn as scikit-learn draws it."""
        x, k = blocks.x, self.n_components
        if self.init_params in ("k-means++", "random_from_data"):
            if self.init_params == "k-means++":
                from sklearn.cluster import kmeans_plusplus

                rows = kmeans_plusplus(x, k, sample_weight=weights, random_state=random_state)[1]
            else:
                p = None if weights is None else weights / weights.sum()
                rows = random_state.choice(len(x), size=k, replace=False, p=p)
            means = x[rows].astype(np.float64)
            weight = np.ones(k) if weights is None else weights[rows]
            squares = np.zeros((k, blocks.d) if self._diagonal else (k, blocks.d, blocks.d))
            return Moments(np.ones(k), weight, means, squares, means, means)
        if self.init_params == "kmeans":
            from sklearn.cluster import KMeans

            labels = KMeans(k, n_init=1, random_state=random_state).fit(x, sample_weight=weights).labels_
            columns = np.arange(k)[:, None]

            def clusters(rows: np.ndarray, at: slice) -> tuple[np.ndarray, float]:
                return (labels[at] == columns).astype(np.float64), 0.0

            return _em.moments(blocks, clusters, weights, k, self._diagonal)[0]

        def random(rows: np.ndarray, at: slice) -> tuple[np.ndarray, float]:
            values = random_state.uniform(size=(len(rows), k)).astype(x.dtype)
            values /= values.sum(axis=1)[:, None]
            return np.ascontiguousarray(values.T), 0.0

        with num_threads(1):  # numbers are drawn in the order of the rows
            return _em.moments(blocks, random, weights, k, self._diagonal)[0]

    def _maximised(self, m: Moments, unit: float) -> _em.MixtureParameters:
        means, covariances = _em.parameters(m, unit, self.covariance_type, self.reg_covar)
        size = _em.counts(m, unit)
        factors = _em.factors(covariances, self.covariance_type, self.n_components)
        return _em.MixtureParameters(size / size.sum(), means, covariances, factors)

    def _set(self, model: _em.MixtureParameters, dtype: np.dtype) -> None:
        if self._diagonal:
            cholesky = 1 / np.sqrt(model.covariances)
            precisions = 1 / model.covariances
        else:
            cholesky = _em.inverse_transposed(model.factors[0] if self.covariance_type == "tied" else model.factors)
            precisions = cholesky @ cholesky.swapaxes(-1, -2)
        self.weights_, self.means_, self.covariances_, self.precisions_, self.precisions_cholesky_ = (
            np.array(a, dtype) for a in (model.weights, model.means, model.covariances, precisions, cholesky)
        )

    # ------------------------------------------------------------------------------------------- the fitted mixture

    def _model(self) -> _em.MixtureParameters:
        """From the attributes. Factors come from `precisions_cholesky_`: rounded to float32, a covariance may be singular."""
        weights, means, cholesky = (a.astype(np.float64) for a in (self.weights_, self.means_, self.precisions_cholesky_))
        if self._diagonal:
            factors = 1 / np.square(cholesky)
        else:
            # The inverse of a lower triangle, which the function gives transposed.
            factors = _em.inverse_transposed(cholesky.swapaxes(-1, -2)).swapaxes(-1, -2)
            factors = np.broadcast_to(factors, (len(means), *factors.shape[-2:]))
        return _em.MixtureParameters(weights, means, self.covariances_.astype(np.float64), factors)

    def _prepare(self, X: Any) -> tuple[_em.Blocks, _em.Densities]:
        check_is_fitted(self)
        x = _checks.data(self, X, reset=False)
        dtype = np.promote_types(x.dtype, self.means_.dtype)
        return _em.Blocks(x, len(self.means_)), _em.Densities(self._model(), dtype)

    def score_samples(self, X: Any) -> np.ndarray:
        """Log-density of rows, in nats.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Rows.

        Returns
        -------
        ndarray, shape (n,)
            -inf where a row is too far from all components.
        """
        blocks, densities = self._prepare(X)
        result = np.empty(blocks.n, densities.dtype)

        def block(x: np.ndarray, at: slice) -> None:
            result[at] = densities.total(x)

        blocks.run(block)
        return result

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Mean log-density of rows, in nats."""
        values = self.score_samples(X)
        weights = _checks.sample_weight(_NAME, sample_weight, len(values))
        return float(np.average(values.astype(np.float64), weights=weights))

    def predict(self, X: Any) -> np.ndarray:
        """The most probable component of each row, as integers of shape (n,)."""
        blocks, densities = self._prepare(X)
        result = np.empty(blocks.n, np.int64)

        def block(x: np.ndarray, at: slice) -> None:
            np.argmax(densities.joint(x), axis=0, out=result[at])

        blocks.run(block)
        return result

    def predict_proba(self, X: Any) -> np.ndarray:
        """Posterior probabilities of the components given each row, of shape (n, K).

        Raises
        ------
        ValueError
            If the density of a row is 0 to the dtype under every component; the message names the row.
        """
        blocks, densities = self._prepare(X)
        result = np.empty((blocks.n, densities.components), densities.dtype)

        def block(x: np.ndarray, at: slice) -> None:
            result[at] = densities.responsibilities(x, at.start)[0].T

        blocks.run(block)
        return result

    def sample(self, n_samples: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Random rows of shape (n_samples, d), ordered by component, and their components; numbers are not scikit-learn's."""
        check_is_fitted(self)
        _checks.number(f"{_NAME}.sample", "n_samples", n_samples, 1, integer=True)
        random_state, model = check_random_state(self.random_state), self._model()
        sizes = random_state.multinomial(n_samples, model.weights / model.weights.sum())
        rng = np.random.default_rng(random_state.randint(2**32, size=4, dtype=np.uint32))
        rows = np.empty((n_samples, self.means_.shape[1]), self.means_.dtype)
        start = 0
        for k, size in enumerate(sizes):
            factor = model.factors[k]
            if self._diagonal:
                normal = MultivariateNormal(model.means[k], variance=np.broadcast_to(factor, model.means[k].shape))
            else:
                normal = MultivariateNormal(model.means[k], scale_tril=factor)
            normal.sample(int(size), rng=rng, out=rows[start : start + size], dtype=rows.dtype)
            start += size
        return rows, np.repeat(np.arange(len(sizes)), sizes)

    def _n_parameters(self) -> int:
        k, d = self.means_.shape
        of_covariance = {"full": k * d * (d + 1) // 2, "tied": d * (d + 1) // 2, "diag": k * d, "spherical": k}
        return of_covariance[self.covariance_type] + k * d + k - 1

    def aic(self, X: Any) -> float:
        """Akaike's information criterion on X, in units of -2 nats: the lower the better."""
        values = self.score_samples(X)
        return -2 * math.fsum(values) + 2 * self._n_parameters()

    def bic(self, X: Any) -> float:
        """Bayesian information criterion on X, in units of -2 nats: the lower the better."""
        values = self.score_samples(X)
        return -2 * math.fsum(values) + self._n_parameters() * math.log(len(values))
