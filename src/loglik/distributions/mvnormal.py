"""The multivariate normal distribution."""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from loglik import ufuncs
from loglik._divergences.normal_pairs import Gaussian
from loglik._engine import expectation, sampling
from loglik._engine.parallel import run_blocks
from loglik._engine.results import hand_over, memory_for, overlaps
from loglik._engine.validate import as_array, broadcast_shapes, check_out, is_dask, result_dtype
from loglik._fitting import gaussian as fitted_gaussian
from loglik._fitting import priors
from loglik._gaussian import conditional, missing, singular
from loglik._gaussian.axes import BLOCK_SECONDS, Axes, Rows, run
from loglik._gaussian.condition_number import condition_of
from loglik._gaussian.density_gradients import log_prob_gradients
from loglik._gaussian.matrices import NO_MEMORY, check_finite, factored, items, marginal_factor, parameter, raise_bad
from loglik._kernels import fill_normal
from loglik.distributions import normal
from loglik.distributions.base import Distribution
from loglik.distributions.univariate import Line

__all__ = ["MultivariateNormal", "mvn_log_prob"]

_FORMS = ("covariance", "precision", "scale_tril", "variance")


class MultivariateNormal(Distribution):
    r"""Multivariate normal distribution, or a batch of them.

    .. math::

        \log p(x) = -\tfrac12 (x-\mu)^T \Sigma^{-1} (x-\mu) - \tfrac12 \log\det\Sigma - \tfrac d2 \log 2\pi

    Exactly one of `covariance`, `precision`, `scale_tril` and `variance` gives the matrix. It is factored
    here, once; what is given as a factor or a diagonal is used as it is.

    Parameters
    ----------
    loc : array_like, shape (..., d)
        Mean. Leading axes are a batch and broadcast with those of the matrix.
    covariance : array_like, shape (..., d, d), optional
        Symmetric positive definite. After the check of symmetry only its lower triangle is used.
    precision : array_like, shape (..., d, d), optional
        Inverse of the covariance, symmetric positive definite.
    scale_tril : array_like, shape (..., d, d), optional
        Lower triangular factor L of the covariance, L Lᵀ, with a positive diagonal.
    variance : array_like, shape (..., d), optional
        Diagonal of a diagonal covariance.
    allow_singular : bool, optional
        Accept a singular `covariance`, a `variance` with zeros or a `scale_tril` with zeros on its diagonal, as for
        perfectly correlated or constant coordinates. The density is then that on the support, with respect to Lebesgue
        measure there, and zero elsewhere (see Notes). A matrix of full rank gives the bits that it gives without this
        option. It has no meaning with `precision`.
    singular_rtol : float, optional
        A coordinate is a linear function of others if these explain all of its variance but this part. By default
        (d + 1)²·u, the rounding that a covariance carries, and the square of that for a `scale_tril`; u is 1.1e-16,
        float32 6e-8. In [0, 1).

    Raises
    ------
    ValueError
        Shapes that do not fit, entries that are not finite, a matrix that is not symmetric
        (:math:`|a_{ij}-a_{ji}| > \sqrt{u\,a_{ii}a_{jj}}\,` with :math:`\sqrt u` = 1.05e-8, float32 2.4e-4),
        a `scale_tril` that is not lower triangular. The message names the first offending index and its
        value.
    numpy.linalg.LinAlgError
        A matrix that is singular (without `allow_singular`) or indefinite; the message says which, and names the batch
        index and the pivot or entry.
    TypeError
        Complex, object or long double input.

    Notes
    -----
    Error of ``log_prob``: at most 4·d·κ in units of u·Σ|terms|, κ being the condition number of the
    covariance scaled to unit diagonal. A diagonal (or pivot) must be a normal number of the dtype, not a
    subnormal one.

    Where 4·d·κ·u exceeds u^(1/4) (1e-4, float32 0.016) for a covariance or precision, an `AccuracyWarning` names the first
    such matrix, once, at construction. To keep construction fast only matrices are looked at that have a pivot
    below u^(1/4) of its diagonal entry. That finds what occurs in practice; float32 matrices close to the limit may pass,
    and matrices made to have large pivots all the same. `condition_number` looks at every matrix. A `scale_tril` costs
    no such digits.

    With ``allow_singular=True`` and Σ = B·Bᵀ of rank r, B of shape (d, r), points of the support are x = μ + B·z and

    .. math::

        \log p(x) = -\tfrac12 |z|^2 - \tfrac12 \log\det(B^T B) - \tfrac r2 \log 2\pi

    where det(BᵀB) is the product of the positive eigenvalues of Σ. The rank comes from a factorisation that takes, at each
    step, the coordinate with the largest unexplained part of its variance, until that part is at most `singular_rtol` for every
    coordinate. Scales do not matter: diag(1, 1e-10) has rank 2. A coordinate of variance exactly 0 is a constant.
    Unexplained parts are at least the smallest eigenvalue of the covariance scaled to unit diagonal, so by default
    all matrices for which a Cholesky factorisation is guaranteed to succeed have full rank.
    A point is on the support if each dependent coordinate is where the others put it, up to √singular_rtol (not less
    than its default for a covariance) standard deviations times max(1, \|z\|), and the rounding of x and loc themselves:
    4·(d + 1)·u of the largest (\|x\| + \|loc\|)/std. A constant coordinate is there up to 4·u·(\|x\| + \|loc\|).

    Examples
    --------
    >>> import loglik as ll
    >>> height_weight = ll.MultivariateNormal([178.0, 77.0], [[49.0, 45.0], [45.0, 144.0]])
    >>> print(f"{height_weight.log_prob([180.0, 80.0]):.6f}")
    -6.146970
    >>> height_weight.correlation.round(3)
    array([[1.   , 0.536],
           [0.536, 1.   ]])

    Perfect correlation: no density in the plane, one on a line.

    >>> line = ll.MultivariateNormal([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0]], allow_singular=True)
    >>> print(line.rank, line.log_prob([[1.0, 1.0], [1.0, 2.0]]).round(6))
    1 [-1.765512      -inf]
    """

    _parameters = ("loc", *_FORMS, "allow_singular", "singular_rtol")
    _loc: Any
    _covariance: Any
    _precision: Any
    _scale_tril: Any
    _variance: Any
    _form: str
    _factors: dict[Any, Any]
    _few: Any
    _allow_singular: bool | None = None  # None: not given
    _singular_rtol: float | None = None
    _support: singular.Support | None = None  # of the singular matrices, where there are any

    # ------------------------------------------------------------------------------------ construction

    def __init__(
        self,
        loc: Any,
        covariance: Any = None,
        *,
        precision: Any = None,
        scale_tril: Any = None,
        variance: Any = None,
        allow_singular: bool = False,
        singular_rtol: float | None = None,
    ) -> None:
        given = {
            "covariance": covariance,
            "precision": precision,
            "scale_tril": scale_tril,
            "variance": variance,
        }
        if allow_singular is not False or singular_rtol is not None:
            singular.check_options(type(self).__name__, allow_singular, singular_rtol, precision is not None)
            if allow_singular:
                self._initialise(_allow_singular=True, _singular_rtol=singular_rtol)
        self._construct(type(self).__name__, loc, given)

    def _construct(self, name: str, loc: Any, given: dict[str, Any], dtype: np.dtype | None = None) -> None:
        """Validate and factor; errors are worded for the function `name`."""
        named = [form for form in _FORMS if given.get(form) is not None]
        if len(named) != 1:
            got = ", ".join(named) if named else "none"
            raise ValueError(f"{name}: give exactly one of {', '.join(_FORMS)}; got {got}")
        form = named[0]
        dtype = result_dtype(loc, given[form]) if dtype is None else dtype
        loc = parameter(name, "loc", loc, dtype, 1)
        matrix = parameter(name, form, given[form], dtype, 1 if form == "variance" else 2)
        d = loc.shape[-1]
        square = (d,) if form == "variance" else (d, d)
        if matrix.shape[-len(square) :] != square:
            raise ValueError(
                f"{name}: {form} must have shape (..., {', '.join(map(str, square))}) for loc of shape {loc.shape}, "
                f"got {matrix.shape}"
            )
        batch = matrix.shape[: -len(square)]
        shape = broadcast_shapes(name, **{"loc's batch": loc.shape[:-1], f"{form}'s batch": batch})
        check_finite(name, "loc", loc)
        check_finite(name, form, matrix)
        self._initialise(
            _loc=loc,
            _covariance=None,
            _precision=None,
            _scale_tril=None,
            _variance=None,
            _form=form,
            _factors={},
            batch_shape=shape,
            event_shape=(d,),
            dtype=dtype,
        )
        self._initialise(**{"_" + form: matrix})
        if self._allow_singular:
            support = singular.separate(name, form, matrix, self._singular_rtol)
            if support is not None:
                matrix = support.regular(matrix)
                self._initialise(_support=support)
        self._factors[dtype] = factored(name, form, matrix)
        self._initialise(_few=(loc[None], self._factors[dtype][None]))

    def _factor_in(self, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
        """loc and the factor in a dtype at least as wide as the object's; a wider one is factored from the
        parameter."""
        loc = self._loc if dtype == self.dtype else self._loc.astype(dtype)
        if dtype not in self._factors:
            matrix = getattr(self, "_" + self._form).astype(dtype)
            matrix = matrix if self._support is None else self._support.regular(matrix)
            self._factors[dtype] = factored(type(self).__name__, self._form, matrix, warn=False)
        return loc, self._factors[dtype]

    # ------------------------------------------------------------------------------------ density

    def log_prob(self, x: Any, *, nan_policy: str = "propagate", out: Any = None, wrt: Any = None) -> Any:
        r"""Log-density of points, in nats, with gradients where they are asked for.

        Parameters
        ----------
        x : array_like, shape (..., d)
            Points; leading axes broadcast with the batch. One Gaussian and many points, a Gaussian for every
            point, and ``x[:, None, :]`` against a batch of K Gaussians (a grid) each have their own kernel,
            chosen by shape.
        nan_policy : {"propagate", "raise", "marginalize"}, optional
            What NaN coordinates mean: a NaN value for their point; a ValueError; or missing coordinates, integrated out, so
            that the value is that of ``marginal(observed).log_prob``, and 0 where all are missing.
        out : ndarray, optional
            Where to write: exactly the shape and dtype of the result. It may overlap `x`. With `wrt`, nested
            like the return value: a pair, or a pair whose second part is a tuple.
        wrt : str or tuple of str, optional
            What to take gradients in: ``"x"``, ``"loc"``, and the matrix by the name it was given by at
            construction (``"covariance"``, ``"precision"``, ``"scale_tril"`` or ``"variance"``).

        Returns
        -------
        ndarray or scalar, or with `wrt` a pair (value, gradient) or (value, (gradients, ...))
            Value: leading axes of `x` broadcast with ``batch_shape``. A NaN coordinate gives NaN for its
            point alone, an infinite one -inf. A gradient has the shape of its argument: it is that of the sum
            of all values, so what broadcasting repeated is added up (in float64).

        Raises
        ------
        ValueError
            If the last axis of `x` is not d, shapes do not broadcast, or `wrt` names something else or a name
            twice; for a NaN with ``nan_policy="raise"``.
        TypeError
            If `x` is complex, object or long double, or `wrt` or `out` has the wrong form.

        Notes
        -----
        With δ = x − μ, s = Σ⁻¹δ, y = L⁻¹δ, and sums over the N points that share a parameter, the gradients
        are

        .. math::

            \frac{\partial}{\partial x} = -s, \quad
            \frac{\partial}{\partial \mu} = \sum s, \quad
            \frac{\partial}{\partial \Sigma} = \tfrac12 \Bigl(\sum s s^T - N \Sigma^{-1}\Bigr), \quad
            \frac{\partial}{\partial \Sigma^{-1}} = \tfrac12 \Bigl(N \Sigma - \sum \delta \delta^T\Bigr),

            \frac{\partial}{\partial L} = \mathrm{tril}\Bigl(\sum s y^T\Bigr)
                - N\, \mathrm{diag}(1/L_{ii}), \quad
            \frac{\partial}{\partial v_i} = \tfrac12 \Bigl(\sum s_i^2 - N / v_i\Bigr).

        For a covariance or a precision this is the symmetric G with dL = tr(G dΣ) for every symmetric dΣ. (A
        framework that treats an entry and its mirror as one variable adds the two.) No point gets a matrix of
        its own where they share one. Error: at most 4·d·κ in units of u·Σ|terms|, an error of s being measured
        against its norm. NaN in a row of `x` reaches that row's gradient and the sums it is part of; an
        infinite coordinate gives what the formulas give, mostly NaN, without a warning.

        Examples
        --------
        >>> import loglik as ll
        >>> mvn = ll.MultivariateNormal([0.0, 0.0], [[4.0, 0.0], [0.0, 1.0]])
        >>> value, (by_x, by_covariance) = mvn.log_prob([2.0, 0.0], wrt=("x", "covariance"))
        >>> by_x + 0.0
        array([-0.5,  0. ])
        >>> by_covariance + 0.0
        array([[ 0. ,  0. ],
               [ 0. , -0.5]])
        """
        if is_dask(x):
            return self._lazily("log_prob", x, out, wrt, nan_policy=nan_policy)
        if nan_policy != "propagate":
            return self._log_prob_of_incomplete(x, nan_policy, out, wrt)
        if type(x) is np.ndarray and out is None and wrt is None and not self.batch_shape and self._support is None:
            plain = x.dtype == self.dtype and x.shape[-1:] == self.event_shape
            if plain and x.size <= _FEW:
                return _evaluate_few(self, x)
        if wrt is not None and self._support is not None:
            raise NotImplementedError(
                f"{type(self).__name__}.log_prob: no gradients (wrt=) where a covariance is singular"
            )
        if wrt is not None:
            function = f"{type(self).__name__}.log_prob"
            dtype = result_dtype(x, self._loc)
            points = _points(function, x, self.event_shape[0])
            return log_prob_gradients(function, self, points, dtype, wrt=wrt, out=out)
        return _evaluate(f"{type(self).__name__}.log_prob", self, x, out, "log_prob")

    def _log_prob_of_incomplete(self, x: Any, nan_policy: str, out: Any, wrt: Any) -> Any:
        """log_prob for another treatment of NaN than handing it on."""
        function = f"{type(self).__name__}.log_prob"
        missing.check_policy(function, nan_policy)
        if nan_policy == "raise":
            missing.check_complete(function, _points(function, x, *self.event_shape))
            return self.log_prob(x, out=out, wrt=wrt)
        if wrt is not None:
            raise NotImplementedError(f"{function}: no gradients (wrt=) with nan_policy='marginalize'")
        return missing.log_prob(function, self, _points(function, x, *self.event_shape), out, _evaluate)

    def mahalanobis(self, x: Any) -> Any:
        """Mahalanobis distance of points from the mean, √((x−μ)ᵀ Σ⁻¹ (x−μ)); shapes and errors as in
        `log_prob`. Where the covariance is singular, |z| on the support and infinity off it.

        Examples
        --------
        >>> import loglik as ll
        >>> float(ll.MultivariateNormal([0.0, 0.0], variance=[4.0, 1.0]).mahalanobis([2.0, 0.0]))
        1.0
        """
        if is_dask(x):
            return self._lazily("mahalanobis", x)
        return _evaluate(f"{type(self).__name__}.mahalanobis", self, x, None, "mahalanobis")

    # ------------------------------------------------------------------------------------ moments and
    # matrices

    @property
    def loc(self) -> np.ndarray:
        """Mean, of shape batch_shape + (d,); read-only."""
        return np.broadcast_to(self._loc, self.batch_shape + self.event_shape)

    mean = loc

    @property
    def rank(self) -> Any:
        """Rank of the covariance, of shape batch_shape: d, or less where `allow_singular` found it singular.

        Examples
        --------
        >>> import loglik as ll
        >>> ll.MultivariateNormal([0.0, 0.0], variance=[[1.0, 1.0], [1.0, 0.0]], allow_singular=True).rank
        array([2, 1])
        """
        d = self.event_shape[0]
        rank = np.asarray(d) if self._support is None else self._support.ranks(d)
        return np.broadcast_to(rank, self.batch_shape)[()]

    @property
    def condition_number(self) -> Any:
        """Condition number κ₂ of the covariance scaled to unit diagonal (of the correlation matrix), of shape batch_shape.

        It is 1 where the coordinates are independent. The error of `log_prob` is at most 4·d·κ in units of u·Σ|terms|.
        Where the covariance is singular, the condition number of the coordinates that the others are functions of.
        Computed on first use.

        Notes
        -----
        Up to d = 32 from all singular values of the factor; above, by 16 steps of the Lanczos iteration for either end of
        the spectrum, which cost O(d²) per matrix and give a lower bound, usually right to a few per cent. Values beyond about 1/u
        mean only that there is no digit left.

        Examples
        --------
        >>> import loglik as ll
        >>> print(ll.MultivariateNormal([0.0, 0.0], variance=[1.0, 1e-10]).condition_number)
        1.0
        >>> print(ll.MultivariateNormal([0.0, 0.0], [[1.0, 0.5], [0.5, 1.0]]).condition_number.round(12))
        3.0
        """
        if "condition" not in self._factors:
            if self._form == "variance":
                kappa = np.ones(self._variance.shape[:-1])
            else:
                lower = self._factors[self.dtype] if self._form != "precision" else self._lower()
                flat = condition_of(items(lower, 2))
                if self._support is not None:
                    flat[self._support.where] = condition_of(self._support.independent())
                kappa = flat.reshape(lower.shape[:-2])
            self._factors["condition"] = kappa
        return np.broadcast_to(self._factors["condition"], self.batch_shape)[()]

    @property
    def covariance(self) -> np.ndarray:
        """Covariance matrix, of shape batch_shape + (d, d); read-only."""
        if self._covariance is not None:
            covariance = self._covariance
        elif self._variance is not None:
            covariance = self._variance[..., None] * np.eye(self.event_shape[0], dtype=self.dtype)
        else:
            lower = self._lower()
            covariance = lower @ lower.swapaxes(-1, -2)
        return self._per_batch(covariance)

    @property
    def scale_tril(self) -> np.ndarray:
        """Lower triangular L with L Lᵀ = covariance, of shape batch_shape + (d, d); read-only. Its diagonal is positive,
        where the covariance is singular not negative."""
        return self._per_batch(self._lower())

    @property
    def variance(self) -> np.ndarray:
        """Variances of the coordinates (the diagonal of the covariance), of shape batch_shape + (d,);
        read-only."""
        if self._variance is not None:
            variance = self._variance
        elif self._covariance is not None:
            variance = np.diagonal(self._covariance, axis1=-2, axis2=-1)
        else:
            variance = np.square(self._lower()).sum(axis=-1)
        return np.broadcast_to(variance, self.batch_shape + self.event_shape)

    @property
    def std(self) -> np.ndarray:
        """Standard deviations of the coordinates, of shape batch_shape + (d,)."""
        return np.sqrt(self.variance)

    @property
    def correlation(self) -> np.ndarray:
        """Correlation matrix, with an exact unit diagonal, of shape batch_shape + (d, d); NaN beside it for constants."""
        std = self.std
        with np.errstate(invalid="ignore"):
            correlation = self.covariance / std[..., :, None] / std[..., None, :]
        diagonal = np.arange(self.event_shape[0])
        correlation[..., diagonal, diagonal] = 1
        return correlation

    def entropy(self) -> Any:
        """Differential entropy in nats: log det Σ / 2 + (d/2)(1 + log 2π); shape batch_shape. Where the covariance is
        singular, that of the density on the support, with the rank for d and det(BᵀB) for det Σ."""
        factor = self._factors[self.dtype]
        if self._form == "variance":
            half_log_det = 0.5 * np.log(factor, dtype=np.float64).sum(axis=-1)
        else:
            half_log_det = np.log(np.diagonal(factor, axis1=-2, axis2=-1), dtype=np.float64).sum(axis=-1)
        if self._form == "precision":
            half_log_det = -half_log_det
        entropy = np.asarray(half_log_det + 0.5 * self.event_shape[0] * (1 + math.log(2 * math.pi)))
        if self._support is not None:
            entropy.reshape(-1)[self._support.where] = self._support.entropy()
        return np.broadcast_to(entropy.astype(self.dtype), self.batch_shape)[()]

    def _expectation(self, function: str, g: expectation.Values) -> expectation.Expectation:
        lower = np.sqrt(self._variance)[..., None] * np.eye(self.event_shape[0]) if self._form == "variance" else self._lower()
        return expectation.gaussian(function, g, self._loc, lower)

    # ------------------------------------------------------------------------------------ what other parts ask for

    _prior = priors.NormalInverseWishart
    _fit_events = 1
    _fitted = classmethod(fitted_gaussian.multivariate_normal)

    def _item(self, index: Any) -> dict[str, Any]:
        given = self._arguments()
        depths = {"loc": 1, "variance": 1, "covariance": 2, "precision": 2, "scale_tril": 2}
        for name, depth in depths.items():
            if name in given:
                core = given[name].shape[given[name].ndim - depth :]
                given[name] = np.broadcast_to(given[name], self.batch_shape + core)[index]
        return given

    @property
    def mode(self) -> np.ndarray:
        """Where the density is largest, the mean, of shape batch_shape + (d,)."""
        return np.broadcast_to(self._loc, self.batch_shape + self.event_shape)

    def _as_gaussian(self) -> Gaussian:
        loc, lower = np.asarray(self._loc, np.float64), self._lower(np.dtype(np.float64))
        if self._form == "scale_tril":
            matrix = None
        else:
            matrix = self._precision if self._form == "precision" else self.covariance
        return Gaussian(loc, lower, self._form, matrix, self._support is not None)

    def _as_normal(self) -> normal.Normal | None:
        """The distribution as a `Normal`, where it is one: of one dimension and not singular."""
        if self.event_shape != (1,) or self._support is not None:
            return None
        return normal.Normal(self.loc[..., 0], np.sqrt(self.variance[..., 0]))

    @property
    def _has_line(self) -> bool:
        return self.event_shape == (1,) and self._support is None

    def _line(self, shape: tuple[int, ...]) -> Line:
        scalar = self._as_normal()
        assert scalar is not None
        return scalar._line(shape)

    @property
    def _uniform_dimensions(self) -> int | None:
        return self.event_shape[0] if self._support is None else None

    def _uniforms_to_samples(self, u: np.ndarray) -> np.ndarray:
        d, lower = self.event_shape[0], self._lower(np.dtype(np.float64))
        z = ufuncs.ndtri(u).reshape(len(u), *[1] * len(self.batch_shape), d, 1)
        return np.asarray(self.loc, np.float64) + (lower @ z)[..., 0]

    def _lower(self, dtype: np.dtype | None = None) -> np.ndarray:
        """scale_tril before broadcasting, computed once."""
        factor = self._factor_in(dtype or self.dtype)[1]
        if self._form in ("covariance", "scale_tril") and self._support is None:
            return factor
        key = ("lower", factor.dtype)
        if key not in self._factors:
            d = self.event_shape[0]
            if self._form == "scale_tril":
                lower = self._scale_tril.astype(factor.dtype)
            elif self._form == "covariance":
                lower = factor.copy()
            elif self._form == "variance":
                lower = np.sqrt(self._variance.astype(factor.dtype))[..., None] * np.eye(d, dtype=factor.dtype)
            else:  # row i of the whitened unit vectors is column i of W⁻¹
                unit, zero = np.eye(d, dtype=factor.dtype), np.zeros(d, factor.dtype)
                lower = np.ascontiguousarray(ufuncs.whiten(unit, zero, factor).swapaxes(-1, -2))
            if self._support is not None and self._form == "covariance":
                items(lower, 2)[self._support.where] = self._support.scale_tril()
            lower.setflags(write=False)
            self._factors[key] = lower
        return self._factors[key]

    def _table_rows(self) -> list[tuple[str, Any]]:
        rows = super()._table_rows()
        if self._form != "variance" and 1 < self.event_shape[0] <= 8:
            rows.insert(-1, ("correlation", self.correlation))
        return rows

    def _picture(self) -> Any:
        from loglik._faces import pictures

        if self.event_shape == (1,):
            return pictures.bell(float(self.mean[0]), float(self.std[0]))
        return pictures.Ellipses(self.mean, self.std, self.scale_tril) if self.event_shape == (2,) else None

    # ------------------------------------------------------------------------------------ sampling

    def _sampler(self, function: str, dtype: Any) -> tuple[np.dtype, Callable[[np.ndarray, int], None]]:
        kind = sampling.floating(function, dtype, self.dtype)
        wide = np.promote_types(kind, self.dtype)
        with np.errstate(over="ignore"):
            loc = self._loc.astype(kind, copy=False)
            matrix = np.sqrt(self._variance.astype(wide)) if self._form == "variance" else self._lower(wide)
            matrix = matrix.astype(kind, copy=False)
        if kind != wide:
            for name, array in (("loc", loc), ("scale_tril", matrix)):
                check_finite(f"{function}, in {kind}", name, array)
        if self._form == "variance":
            return kind, functools.partial(
                sampling.in_blocks, columns=self.batch_shape + self.event_shape, parameters=(loc, matrix), draw=normal.draw,
                nanoseconds=2.0,
            )
        return kind, functools.partial(_sample, self.batch_shape, loc, matrix)

    # ------------------------------------------------------------------------------------ other distributions

    def marginal(self, indices: Any) -> "MultivariateNormal":
        """Distribution of some of the coordinates: the others integrated out.

        Parameters
        ----------
        indices : int or sequence of int
            The coordinates, in the order wanted; negative ones count from the end.

        Returns
        -------
        MultivariateNormal
            Of the same batch shape and dtype, made from a part of the `covariance` or `variance` that was given, unchanged;
            or, from `scale_tril` or `precision`, with a `scale_tril` found by an orthogonal transformation of rows of the
            factor (so that no covariance is formed).

        Raises
        ------
        ValueError
            No index, one out of range, or the same coordinate twice.
        TypeError
            Indices that are not integers.

        Examples
        --------
        >>> import loglik as ll
        >>> people = ll.MultivariateNormal([178.0, 77.0], [[49.0, 45.0], [45.0, 144.0]])
        >>> people.marginal([1])
        MultivariateNormal(loc=array([77.]), covariance=array([[144.]]))
        """
        chosen = missing.coordinates(f"{type(self).__name__}.marginal", indices, *self.event_shape)
        options: dict[str, Any] = {}
        if self._allow_singular:
            options = {"allow_singular": True, "singular_rtol": self._singular_rtol}
        loc = self._loc[..., chosen]
        if self._form == "variance":
            return type(self)(loc, variance=self._variance[..., chosen], **options)
        if self._form == "covariance":
            return type(self)(loc, self._covariance[..., chosen[:, None], chosen], **options)
        return type(self)(loc, scale_tril=marginal_factor(self._lower(), chosen), **options)

    def condition(self, values: Mapping[int, Any]) -> "MultivariateNormal":
        r"""Distribution of the other coordinates, given the values of some.

        .. math::

            \mu_{r|o} = \mu_r + \Sigma_{ro} \Sigma_{oo}^{-1} (x_o - \mu_o), \qquad
            \Sigma_{r|o} = \Sigma_{rr} - \Sigma_{ro} \Sigma_{oo}^{-1} \Sigma_{or}

        Parameters
        ----------
        values : mapping from int to array_like
            Coordinates (negative ones count from the end) and their values, which are finite and broadcast with each other and
            the batch: an array of values gives a batch of distributions.

        Returns
        -------
        MultivariateNormal
            Of the coordinates that are left, in their order; float32 if this object and all floating values are. Made from a
            `scale_tril`, or from a part of the `precision` or `variance` that was given.

        Raises
        ------
        ValueError
            No coordinate, one out of range or given twice, none left, a value that is not finite, shapes that do not broadcast.
        TypeError
            Coordinates that are not integers, values that are not real.
        numpy.linalg.LinAlgError
            With ``allow_singular=True``, if the given coordinates determine each other.

        Notes
        -----
        The factor of the covariance with the given coordinates first comes from an orthogonal transformation, so the Schur
        complement needs no subtraction; computed in float64. Under perfect correlation the rest is a point: rank 0.

        Examples
        --------
        >>> import loglik as ll
        >>> people = ll.MultivariateNormal([178.0, 77.0], [[49.0, 42.0], [42.0, 144.0]])
        >>> weight = people.condition({0: 185.0})
        >>> weight.mean.round(10), weight.std.round(4)
        (array([83.]), array([10.3923]))
        >>> people.condition({0: [160.0, 170.0, 180.0]}).batch_shape
        (3,)
        """
        return conditional.given(f"{type(self).__name__}.condition", self, values)

    def _per_batch(self, matrix: np.ndarray) -> np.ndarray:
        return np.broadcast_to(matrix, self.batch_shape + 2 * self.event_shape)


# ---------------------------------------------------------------------------------------- evaluation


_BLOCK_BYTES = 1 << 22  # of points or matrices, which are gathered and cast by blocks where they have to be


def seconds_per_value(d: int, each: bool, dtype: np.dtype, matrices: int = 1) -> float:
    """Rough cost of one value, to choose blocks; the same on every machine, as blocks must be. Not less than what keeps a
    block within its bytes."""
    if each:
        seconds, size = 2e-9 + d * d * (5e-10 + d * 6e-12), d * d
    else:
        seconds, size = 5e-10 + d * (2.5e-10 + d * 1.4e-11), d
    return max(seconds, BLOCK_SECONDS * size * dtype.itemsize / _BLOCK_BYTES / matrices)


def _points(function: str, x: Any, d: int) -> np.ndarray:
    x = as_array(function, "x", x)
    if x.ndim == 0 or x.shape[-1] != d:
        raise ValueError(f"{function}: x must have shape (..., {d}) for event_shape ({d},), got {x.shape}")
    return x


def _evaluate(function: str, mvn: MultivariateNormal, x: Any, out: Any, what: str) -> Any:
    """log_prob or mahalanobis of `x` under `mvn`."""
    (d,) = mvn.event_shape
    dtype = result_dtype(x, mvn._loc)
    x = _points(function, x, d)
    loc, factor = mvn._factor_in(dtype)
    form = mvn._form
    if what == "mahalanobis" and form == "precision":
        factor, form = mvn._lower(dtype), "scale_tril"
    if mvn._support is None:
        return _on_grid(function, x, loc, factor, out=out, what=what, form=form)
    # Singular matrices have a regular one in their place: their values are written over.
    aliased = overlaps(out, x, loc)
    value = np.asarray(_on_grid(function, x, loc, factor, out=None if aliased else out, what=what, form=form))
    if aliased:
        check_out(function, out, value.shape, value.dtype)
    mvn._support.overwrite(x, loc, value, mahalanobis=what == "mahalanobis")
    return hand_over(value, out)


_FEW = 4096  # elements that are evaluated without the preparation of a large call


def _evaluate_few(mvn: MultivariateNormal, x: np.ndarray) -> Any:
    """A few points in the dtype of a single Gaussian: the kernels of a large call, and their bits."""
    if mvn._form == "variance":
        return ufuncs.mvn_log_prob_diagonal(x, mvn._loc, mvn._factors[mvn.dtype])
    loc, factor = mvn._few
    kernel = ufuncs.mvn_log_prob_whitened if mvn._form == "precision" else ufuncs.mvn_log_prob_tril
    value = kernel(x if x.ndim > 1 else x[None], loc, factor)[0]
    return value[0, 0] if x.ndim == 1 else value[..., 0]


def _on_grid(
    function: str,
    x: np.ndarray,
    loc: np.ndarray,
    matrix: np.ndarray,
    *,
    out: Any,
    what: str,
    form: str,
) -> Any:
    """Values for broadcast points, means and matrices (L, W or the variance, by form)."""
    dtype = matrix.dtype
    core = 1 if form == "variance" else 2
    d, batch = loc.shape[-1], matrix.shape[: matrix.ndim - core]
    lead = broadcast_shapes(
        function,
        **{"x's leading axes": x.shape[:-1], "batch_shape": np.broadcast_shapes(loc.shape[:-1], batch)},
    )
    result = memory_for(function, out, lead, dtype, x, loc, matrix)
    axes, centred = Axes.of_gaussians(x.shape[:-1], loc.shape[:-1], batch, lead, form == "variance")
    _, n_points, n_matrices = axes.sizes()
    each = bool(axes.each) and n_points == 1 and n_matrices == 1
    points = Rows(x, 1, lead, axes.each, axes.points)
    if centred:
        means = Rows(loc, 1, lead, axes.each, axes.points)
    else:
        means = Rows(loc, 1, lead, axes.each, axes.matrices)
    matrices = Rows(matrix, core, lead, axes.each, axes.matrices)
    values = Rows(result, 0, lead, axes.each, axes.points, axes.matrices)
    zero = np.broadcast_to(np.zeros(d, dtype), (1, n_matrices, d))

    def block(e: slice, n: slice) -> None:
        p = points.block(e, n)
        p = p if p.dtype == dtype else p.astype(dtype)
        k = slice(0, n_matrices)
        if centred:
            p, m = p - means.block(e, n).astype(dtype, copy=False), zero
        else:
            m = means.block(e, k)
        a = matrices.block(e, k)
        target = values.target(e, n, k)
        shape = (e.stop - e.start, n.stop - n.start, n_matrices)
        value = np.empty(shape, dtype) if target is None else target
        kernel(function, p, m, a, value, what=what, form=form, each=each)
        if target is None:
            values.put(value, e, n, k)

    run(axes, seconds_per_value(d, each and form != "variance", dtype, n_matrices), block)
    return hand_over(result, out)


def kernel(
    function: str,
    x: np.ndarray,
    loc: np.ndarray,
    matrix: np.ndarray,
    value: np.ndarray,
    *,
    what: str,
    form: str,
    each: bool,
) -> None:
    """value[e, n, k] for x[e, n], loc[e, k], matrix[e, k]."""
    if what == "mahalanobis":
        for k in range(value.shape[2]):
            if form == "variance":
                z = (x - loc[:, k, None]) / np.sqrt(matrix[:, k, None])
            else:
                z = ufuncs.whiten(x, loc[:, k], matrix[:, k])
            np.sqrt(np.einsum("...i,...i->...", z, z), out=value[..., k])
        return
    if form == "variance":
        ufuncs.mvn_log_prob_diagonal_grid(x, loc, matrix, out=value)
        return
    if each:
        precision = form == "precision"
        kernel = ufuncs.mvn_log_prob_whitened_each if precision else ufuncs.mvn_log_prob_tril_each
        target: np.ndarray = value[:, 0, 0]
        info = kernel(x[:, 0], loc[:, 0], matrix[:, 0], out=(target, None))[1]
    else:
        kernel = ufuncs.mvn_log_prob_whitened if form == "precision" else ufuncs.mvn_log_prob_tril
        info = kernel(x, loc, matrix, out=(value, None))[1]
    if (info == NO_MEMORY).any():
        raise MemoryError(f"{function}: no memory for the work of a block")


# ---------------------------------------------------------------------------------------- sampling


def _sample(batch: tuple[int, ...], loc: np.ndarray, lower: np.ndarray, result: np.ndarray, key: int) -> None:
    """Fill `result` with loc + L·z, in blocks of points by matrices: z is in cache when it meets L."""
    lead, d = result.shape[:-1], result.shape[-1]
    shared = lower.ndim == 2 or math.prod(lower.shape[:-2]) == 1
    own = 0 if shared else len(batch)  # axes on which every item has a matrix: the last ones
    row_axes, item_axes = list(range(len(lead) - own)), list(range(len(lead) - own, len(lead)))
    n, items_of_row = math.prod(lead[: len(lead) - own]), math.prod(lead[len(lead) - own :])
    if result.size == 0:
        return
    # A matrix is packed once for the rows of a block: few of them would not pay for it, many keep Ctrl-C waiting.
    least = 64 if not shared or d > 1024 else 256
    chosen = min(items_of_row, max(1, sampling.BLOCK // (d * min(n, least))))
    rows = min(n, max(least, sampling.BLOCK // (d * chosen)))
    parts, per_row = -(-n // rows), -(-items_of_row // chosen)
    matrices, values = Rows(lower, 2, lead, item_axes), Rows(result, 1, lead, row_axes, item_axes)
    zero = np.zeros(d, result.dtype)
    one_mean = shared and loc.size == d
    means = Rows(loc, 1, lead, row_axes if shared else item_axes)

    def block(i: int) -> None:
        part, group = divmod(i, per_row)
        r = slice(part * rows, min(n, (part + 1) * rows))
        k = slice(group * chosen, min(items_of_row, (group + 1) * chosen))
        z = np.empty((r.stop - r.start, k.stop - k.start, d), result.dtype)
        if per_row == 1:
            fill_normal(key, 0, r.start * items_of_row * d, z)
        else:
            for row, at in zip(z, range(r.start, r.stop), strict=True):
                fill_normal(key, 0, (at * items_of_row + k.start) * d, row)
        target = values.target(r, k)
        value = np.empty_like(z) if target is None else target
        mean = loc.reshape(d) if one_mean else zero if shared else means.block(k)
        with np.errstate(over="ignore"):
            ufuncs.unwhiten(z.swapaxes(0, 1), mean, matrices.block(k), out=value.swapaxes(0, 1))
            if shared and not one_mean:
                np.add(value, means.block(r)[:, None], out=value)
        if target is None:
            values.put(value, r, k)

    run_blocks(block, parts * per_row, seconds=result.size * (2e-9 + d * 5e-11))


# ---------------------------------------------------------------------------------------- one shot


def mvn_log_prob(x: Any, loc: Any, covariance: Any, *, out: Any = None) -> Any:
    r"""Multivariate normal log-density in one call, in nats; no factor is stored.

    .. math::

        \log p(x) = -\tfrac12 (x-\mu)^T \Sigma^{-1} (x-\mu) - \tfrac12 \log\det\Sigma - \tfrac d2 \log 2\pi

    Parameters
    ----------
    x : array_like, shape (..., d)
        Points.
    loc : array_like, shape (..., d)
        Means.
    covariance : array_like, shape (..., d, d)
        Symmetric positive definite matrices. Leading axes of the three broadcast; a covariance that all
        points share is factored once.
    out : ndarray, optional
        Where to write: exactly the shape and dtype of the result.

    Returns
    -------
    ndarray or scalar
        Shape: the broadcast leading axes.

    Raises
    ------
    ValueError, numpy.linalg.LinAlgError, TypeError
        As `MultivariateNormal` for bad parameters.

    Notes
    -----
    Error: at most 4·d·κ in units of u·Σ|terms|, κ being the condition number of the covariance scaled to
    unit diagonal.

    Examples
    --------
    >>> import loglik as ll
    >>> print(f"{ll.mvn_log_prob([0.0, 1e-5], [0.0, 0.0], [[1.0, 0.0], [0.0, 1e-10]]):.6f}")
    9.175048
    """
    name = "mvn_log_prob"
    dtype = result_dtype(x, loc, covariance)
    covariance = as_array(name, "covariance", covariance)
    mean = as_array(name, "loc", loc)
    points = as_array(name, "x", x)
    d = mean.shape[-1] if mean.ndim else 0
    if d == 0 or points.ndim == 0 or points.shape[-1] != d or covariance.shape[-2:] != (d, d):
        raise ValueError(
            f"{name}: x (..., d), loc (..., d) and covariance (..., d, d) must agree in d >= 1, "
            f"got shapes {points.shape}, {mean.shape} and {covariance.shape}"
        )
    lead = broadcast_shapes(name, x=points.shape[:-1], loc=mean.shape[:-1], covariance=covariance.shape[:-2])
    per_point = math.prod(points.shape[:-1]) == math.prod(lead) == math.prod(covariance.shape[:-2])
    if not per_point or math.prod(lead) <= 1:
        mvn = object.__new__(MultivariateNormal)
        mvn._construct(name, mean, {"covariance": covariance}, dtype)
        return _evaluate(name, mvn, points, out, "log_prob")
    return _each_fused(name, points, mean, covariance, lead, dtype, out)


def _each_fused(
    name: str,
    x: np.ndarray,
    loc: np.ndarray,
    covariance: np.ndarray,
    lead: tuple[int, ...],
    dtype: np.dtype,
    out: Any,
) -> Any:
    """A covariance for every point, checked, factored and evaluated while a block of them is in cache."""
    result = memory_for(name, out, lead, dtype, x, loc, covariance)
    every = list(range(len(lead)))
    axes = Axes(lead, every, [], [])
    points, means = Rows(x, 1, lead, every), Rows(loc, 1, lead, every)
    matrices, values = Rows(covariance, 2, lead, every), Rows(result, 0, lead, every)

    def block(e: slice, _: slice) -> None:
        p, m, a = (rows.block(e).astype(dtype, copy=False) for rows in (points, means, matrices))
        target = values.target(e)
        value = np.empty(e.stop - e.start, dtype) if target is None else target
        with np.errstate(invalid="ignore"):
            info = ufuncs.mvn_log_prob_checked(p, m, a, out=(value, None))[1]
        if info.any():
            check_finite(name, "loc", loc.astype(dtype, copy=False))
            raise_bad(name, a, info, e.start, lead)
        if target is None:
            values.put(value, e)

    run(axes, seconds_per_value(x.shape[-1], True, dtype), block)
    return hand_over(result, out)
