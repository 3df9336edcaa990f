"""A batch of Gaussians as plain arrays: checked parameters, the factors that kernels take, and what follows from them."""

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from loglik import ufuncs
from loglik._engine.validate import broadcast_shapes, result_dtype
from loglik._gaussian import singular
from loglik._gaussian.condition_number import condition_of
from loglik._gaussian.matrices import check_finite, factored, items, parameter
from loglik._gaussian.support import Support

FORMS = ("covariance", "precision", "scale_tril", "variance")


class Parameters(NamedTuple):
    """What Gaussians are made from."""

    loc: np.ndarray
    form: str  # one of FORMS: what `matrix` is
    matrix: np.ndarray


@dataclass(frozen=True, eq=False)
class GaussianBatch:
    """Gaussians whose parameters have been checked and factored by `prepare`; arrays are read-only.

    Attributes
    ----------
    owner : name of the class or function that the parameters were given to, for messages.
    loc : (..., d) means.
    form : what `matrix` is: "covariance", "precision", "scale_tril" or "variance".
    matrix : (..., d, d), or variances (..., d), as given.
    factor : what the kernels of the form take: L, W with WᵀW = precision, or the variance. Singular matrices have the identity in
        their place.
    batch_shape : the leading shapes of `loc` and `matrix`, broadcast.
    singular_rtol : the option that `support` was found with.
    support : of the singular matrices; None where there are none.
    single : of one Gaussian without batch axes, whose covariance is regular, `loc` and `factor` behind an axis of length 1, as
        kernels take them; else None.
    """

    owner: str
    loc: np.ndarray
    form: str
    matrix: np.ndarray
    factor: np.ndarray
    batch_shape: tuple[int, ...]
    singular_rtol: float | None
    support: Support | None
    single: tuple[np.ndarray, np.ndarray] | None
    _cache: dict[Any, np.ndarray] = field(default_factory=dict)

    @property
    def d(self) -> int:
        return self.loc.shape[-1]

    @property
    def dtype(self) -> np.dtype:
        return self.loc.dtype

    def in_dtype(self, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
        """Means and factors in a dtype at least as wide as the batch's; in a wider one the matrix is factored anew."""
        if dtype == self.loc.dtype:
            return self.loc, self.factor
        key = ("factor", dtype)
        if key not in self._cache:
            matrix = self.matrix.astype(dtype)
            matrix = matrix if self.support is None else self.support.regular(matrix)
            self._cache[key] = factored(self.owner, self.form, matrix, warn=False)
        return self.loc.astype(dtype), self._cache[key]

    def scale_tril(self, dtype: np.dtype | None = None) -> np.ndarray:
        """Lower triangular L with L Lᵀ = covariance, (..., d, d) for the batch shape of the matrix; computed once."""
        factor = self.in_dtype(dtype or self.dtype)[1]
        if self.form in ("covariance", "scale_tril") and self.support is None:
            return factor
        key = ("scale_tril", factor.dtype)
        if key not in self._cache:
            d = self.d
            if self.form == "scale_tril":
                lower = self.matrix.astype(factor.dtype)
            elif self.form == "covariance":
                lower = factor.copy()
            elif self.form == "variance":
                lower = np.sqrt(self.matrix.astype(factor.dtype))[..., None] * np.eye(d, dtype=factor.dtype)
            else:  # row i of the whitened unit vectors is column i of W⁻¹
                unit, zero = np.eye(d, dtype=factor.dtype), np.zeros(d, factor.dtype)
                lower = np.ascontiguousarray(ufuncs.whiten(unit, zero, factor).swapaxes(-1, -2))
            if self.support is not None and self.form == "covariance":
                items(lower, 2)[self.support.where] = self.support.scale_tril()
            lower.setflags(write=False)
            self._cache[key] = lower
        return self._cache[key]

    def covariance(self) -> np.ndarray:
        """Covariance matrices (..., d, d), for the batch shape of the matrix."""
        if self.form == "covariance":
            return self.matrix
        if self.form == "variance":
            return self.matrix[..., None] * np.eye(self.d, dtype=self.dtype)
        lower = self.scale_tril()
        return lower @ lower.swapaxes(-1, -2)

    def variance(self) -> np.ndarray:
        """Variances (..., d) of the coordinates, for the batch shape of the matrix."""
        if self.form == "variance":
            return self.matrix
        if self.form == "covariance":
            return np.diagonal(self.matrix, axis1=-2, axis2=-1)
        return np.square(self.scale_tril()).sum(axis=-1)

    def rank(self) -> Any:
        """Ranks of the covariances, of shape `batch_shape`."""
        rank = np.asarray(self.d) if self.support is None else self.support.ranks(self.d)
        return np.broadcast_to(rank, self.batch_shape)[()]

    def condition_number(self) -> np.ndarray:
        """Condition numbers of the covariances scaled to unit diagonal, for the batch shape of the matrix; computed once."""
        if "condition" not in self._cache:
            if self.form == "variance":
                kappa = np.ones(self.matrix.shape[:-1])
            else:
                lower = self.factor if self.form != "precision" else self.scale_tril()
                flat = condition_of(items(lower, 2))
                if self.support is not None:
                    flat[self.support.where] = condition_of(self.support.independent())
                kappa = flat.reshape(lower.shape[:-2])
            self._cache["condition"] = kappa
        return self._cache["condition"]

    def entropy(self) -> np.ndarray:
        """Entropies in nats, in float64, for the batch shape of the matrix."""
        if self.form == "variance":
            half_log_det = 0.5 * np.log(self.factor, dtype=np.float64).sum(axis=-1)
        else:
            half_log_det = np.log(np.diagonal(self.factor, axis1=-2, axis2=-1), dtype=np.float64).sum(axis=-1)
        if self.form == "precision":
            half_log_det = -half_log_det
        entropy = np.asarray(half_log_det + 0.5 * self.d * (1 + math.log(2 * math.pi)))
        if self.support is not None:
            entropy.reshape(-1)[self.support.where] = self.support.entropy()
        return entropy


def prepare(
    function: str,
    loc: Any,
    form: str,
    matrix: Any,
    *,
    dtype: np.dtype | None = None,
    allow_singular: bool = False,
    singular_rtol: float | None = None,
) -> GaussianBatch:
    """Check and factor parameters, which are copied; errors are worded for `function`, the class or function they were given to.

    Parameters
    ----------
    dtype : dtype, optional
        Of the batch; by default that of the floating parameters.
    allow_singular, singular_rtol : optional
        As for `MultivariateNormal`.
    """
    dtype = result_dtype(loc, matrix) if dtype is None else dtype
    loc = parameter(function, "loc", loc, dtype, 1)
    matrix = parameter(function, form, matrix, dtype, 1 if form == "variance" else 2)
    d = loc.shape[-1]
    square = (d,) if form == "variance" else (d, d)
    if matrix.shape[-len(square) :] != square:
        raise ValueError(
            f"{function}: {form} must have shape (..., {', '.join(map(str, square))}) for loc of shape {loc.shape}, "
            f"got {matrix.shape}"
        )
    matrix_batch = matrix.shape[: -len(square)]
    batch_shape = broadcast_shapes(function, **{"loc's batch": loc.shape[:-1], f"{form}'s batch": matrix_batch})
    check_finite(function, "loc", loc)
    check_finite(function, form, matrix)
    for array in (loc, matrix):
        array.setflags(write=False)
    support = singular.separate(function, form, matrix, singular_rtol) if allow_singular else None
    factor = factored(function, form, matrix if support is None else support.regular(matrix))
    factor.setflags(write=False)
    single = (loc[None], factor[None]) if support is None and not batch_shape else None
    return GaussianBatch(function, loc, form, matrix, factor, batch_shape, singular_rtol, support, single)
