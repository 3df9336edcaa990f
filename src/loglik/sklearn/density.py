"""One Gaussian: densities, distances and outliers."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from loglik.distributions.mvnormal import MultivariateNormal
from loglik.moments import MomentStats
from loglik.sklearn import _checks

__all__ = ["GaussianDensity"]

_NAME = "GaussianDensity"


class GaussianDensity(OutlierMixin, BaseEstimator):
    r"""A Gaussian fitted to rows: log-densities, Mahalanobis distances, samples, and outliers by a quantile.

    .. math:: \log p(x) = -\tfrac12 (x-\mu)^T \Sigma^{-1} (x-\mu) - \tfrac12 \log\det\Sigma - \tfrac d2 \log 2\pi

    μ is the weighted mean, Σ the covariance that maximises the likelihood (divided by the total weight) plus `reg_covar`.

    Parameters
    ----------
    covariance_type : {"full", "diag", "spherical"}
        A matrix, a variance for each coordinate, or one variance.
    reg_covar : float
        Added to all variances; 0 for maximum likelihood itself, which fails for a constant column.
    contamination : float
        Part of the rows that are outliers, above 0 and at most 0.5: `predict` gives -1 to those of the lowest density.

    Attributes
    ----------
    location_ : ndarray, shape (d,)
        Mean.
    covariance_ : ndarray, shape (d, d)
        Covariance matrix.
    offset_ : float
        Log-density below which a row is an outlier. After `fit` it is a quantile of the data of the fit; after `partial_fit`,
        which has not kept them, that of the Gaussian: the distance squared is a chi-squared variable.
    n_features_in_, feature_names_in_
        Columns of the data of the fit.

    Examples
    --------
    >>> import numpy as np
    >>> from loglik.sklearn import GaussianDensity
    >>> x = np.random.default_rng(1).normal(size=(1000, 2)) @ [[1.0, 0.9], [0.0, 0.5]]
    >>> density = GaussianDensity(contamination=0.01).fit(x)
    >>> density.predict([[1.0, 1.0], [2.0, -2.0]])
    array([ 1, -1])
    >>> density.mahalanobis([[1.0, 1.0], [2.0, -2.0]]).round(1)
    array([1. , 7.7])
    """

    location_: np.ndarray
    covariance_: np.ndarray
    offset_: float
    _stats: MomentStats

    def __init__(self, *, covariance_type: str = "full", reg_covar: float = 1e-6, contamination: float = 0.1) -> None:
        self.covariance_type = covariance_type
        self.reg_covar = reg_covar
        self.contamination = contamination

    # ------------------------------------------------------------------------------------------- fitting

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit to rows.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Rows, finite; at least 2.
        y : object
            Not used.
        sample_weight : array_like, shape (n,), optional
            How often each row counts; not negative.

        Returns
        -------
        GaussianDensity
            The object itself.

        Raises
        ------
        ValueError
            For parameters, data or weights that are not as described.
        numpy.linalg.LinAlgError
            If the covariance is singular, and `reg_covar` too small to help.
        """
        self._check_parameters()
        x = _checks.data(self, X, reset=True, least=2)
        weights = _checks.sample_weight(_NAME, sample_weight, len(x))
        self._estimate(MomentStats(x, weights=weights), x.dtype)
        scores = self._distribution().log_prob(x)
        order = np.argsort(scores)
        seen = np.cumsum(np.ones(len(x)) if weights is None else weights[order])
        # The rows below the offset have at most this part of the weight, up to the rounding of sums.
        at = int(np.searchsorted(seen, seen[-1] * (self.contamination + 1e-12), side="right"))
        self.offset_ = float(scores[order[min(at, len(x) - 1)]])
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Add rows to those of earlier calls, of `fit` also: the parameters become those of all of them together.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Rows, finite.
        y : object
            Not used.
        sample_weight : array_like, shape (n,), optional
            How often each row counts; not negative.

        Returns
        -------
        GaussianDensity
            The object itself.

        Raises
        ------
        ValueError, numpy.linalg.LinAlgError
            For the reasons that `fit` has.
        """
        self._check_parameters()
        first = not hasattr(self, "_stats")
        x = _checks.data(self, X, reset=first)
        weights = _checks.sample_weight(_NAME, sample_weight, len(x))
        more = MomentStats(x, weights=weights)
        self._estimate(more if first else self._stats + more, x.dtype if first else self.location_.dtype)
        from scipy.special import chdtri

        normal, d = self._distribution(), len(self.location_)
        self.offset_ = float(normal.log_prob(self.location_)) - float(chdtri(d, self.contamination)) / 2
        return self

    def _check_parameters(self) -> None:
        _checks.choice(_NAME, "covariance_type", self.covariance_type, ("full", "diag", "spherical"))
        _checks.number(_NAME, "reg_covar", self.reg_covar, 0)
        _checks.number(_NAME, "contamination", self.contamination, 0, 0.5)
        if not self.contamination:
            raise ValueError(f"{_NAME}: contamination must be above 0")

    def _estimate(self, stats: MomentStats, dtype: np.dtype) -> None:
        covariance = stats.covariance()
        variance = np.diagonal(covariance)
        if self.covariance_type == "spherical":
            variance = np.full_like(variance, variance.mean())
        if self.covariance_type != "full":
            covariance = np.diag(variance)
        covariance = covariance + self.reg_covar * np.eye(len(covariance))
        self._stats = stats
        self.location_, self.covariance_ = stats.mean.astype(dtype), covariance.astype(dtype)

    # ------------------------------------------------------------------------------------------- the fitted density

    def _distribution(self) -> MultivariateNormal:
        if self.covariance_type == "full":
            return MultivariateNormal(self.location_, self.covariance_)
        return MultivariateNormal(self.location_, variance=np.diagonal(self.covariance_))

    def _rows(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return _checks.data(self, X, reset=False)

    def score_samples(self, X: Any) -> np.ndarray:
        """Log-density of rows (n, d), in nats, of shape (n,)."""
        x = self._rows(X)
        return self._distribution().log_prob(x)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Mean log-density of rows (n, d), in nats."""
        values = self.score_samples(X)
        weights = _checks.sample_weight(_NAME, sample_weight, len(values))
        return float(np.average(values.astype(np.float64), weights=weights))

    def mahalanobis(self, X: Any) -> np.ndarray:
        """Mahalanobis distances √((x - μ)ᵀ Σ⁻¹ (x - μ)) of rows (n, d), of shape (n,); not their squares."""
        x = self._rows(X)
        return self._distribution().mahalanobis(x)

    def decision_function(self, X: Any) -> np.ndarray:
        """``score_samples(X) - offset_``: negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """1 for inliers and -1 for outliers, of shape (n,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Random rows, of shape (n_samples, d)."""
        check_is_fitted(self)
        _checks.number(f"{_NAME}.sample", "n_samples", n_samples, 1, integer=True)
        seed = check_random_state(random_state).randint(2**32, size=4, dtype=np.uint32)
        return self._distribution().sample(int(n_samples), rng=np.random.default_rng(seed))
