"""The multivariate normal distribution."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from loglik import ufuncs
from loglik._divergences.normal_pairs import Gaussian
from loglik._engine import expectation, sampling
from loglik._engine.validate import is_dask, result_dtype
from loglik._fitting import gaussian as fitted_gaussian
from loglik._fitting import priors
from loglik._gaussian import conditional, coordinates, evaluation, missing, one_shot, singular
from loglik._gaussian import sampling as gaussian_sampling
from loglik._gaussian.batch import FORMS, GaussianBatch, Parameters, prepare
from loglik._gaussian.density_gradients import log_prob_gradients
from loglik._gaussian.matrices import check_finite
from loglik._gaussian.support import Support
from loglik.distributions import normal
from loglik.distributions.base import Distribution
from loglik.distributions.univariate import Line

__all__ = ["MultivariateNormal", "mvn_log_prob"]


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

    _parameters = ("loc", *FORMS, "allow_singular", "singular_rtol")
    _event_axes: ClassVar = {"loc": 1, "covariance": 2, "precision": 2, "scale_tril": 2, "variance": 1}
    _loc: Any
    _covariance: Any
    _precision: Any
    _scale_tril: Any
    _variance: Any
    _allow_singular: bool | None = None  # None: not given
    _singular_rtol: float | None = None
    _gaussians: GaussianBatch  # the parameters, checked and factored

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
        name = type(self).__name__
        if allow_singular is not False or singular_rtol is not None:
            singular.check_options(name, allow_singular, singular_rtol, precision is not None)
            if allow_singular:
                self._initialise(_allow_singular=True, _singular_rtol=singular_rtol)
        given = {"covariance": covariance, "precision": precision, "scale_tril": scale_tril, "variance": variance}
        forms = [form for form, matrix in given.items() if matrix is not None]
        if len(forms) != 1:
            got = ", ".join(forms) if forms else "none"
            raise ValueError(f"{name}: give exactly one of {', '.join(FORMS)}; got {got}")
        form = forms[0]
        gaussians = prepare(
            name, loc, form, given[form], allow_singular=bool(allow_singular), singular_rtol=singular_rtol
        )
        matrices = dict.fromkeys((f"_{form}" for form in FORMS), None) | {f"_{form}": gaussians.matrix}
        self._initialise(
            _gaussians=gaussians,
            _loc=gaussians.loc,
            **matrices,
            batch_shape=gaussians.batch_shape,
            event_shape=(gaussians.d,),
            dtype=gaussians.dtype,
        )

    @property
    def _form(self) -> str:
        return self._gaussians.form

    @property
    def _support(self) -> Support | None:
        return self._gaussians.support

    def _lower(self, dtype: np.dtype | None = None) -> np.ndarray:
        """scale_tril before broadcasting, computed once."""
        return self._gaussians.scale_tril(dtype)

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
        if type(x) is np.ndarray and out is None and wrt is None and nan_policy == "propagate":
            gaussians = self._gaussians
            if gaussians.single is not None and x.dtype == self.dtype and x.shape[-1:] == self.event_shape:
                return evaluation.log_prob_of_one(gaussians, x)
        elif is_dask(x):
            return self._lazily("log_prob", x, out, wrt, nan_policy=nan_policy)
        function = f"{type(self).__name__}.log_prob"
        if nan_policy != "propagate":
            missing.check_policy(function, nan_policy)
        if nan_policy == "raise":
            missing.check_complete(function, evaluation.as_points(function, x, *self.event_shape))
        if nan_policy == "marginalize":
            if wrt is not None:
                raise NotImplementedError(f"{function}: no gradients (wrt=) with nan_policy='marginalize'")
            points = evaluation.as_points(function, x, *self.event_shape)
            return missing.log_prob(function, self._gaussians, points, out)
        if wrt is None:
            return evaluation.log_prob(function, self._gaussians, x, out)
        if self._support is not None:
            raise NotImplementedError(f"{function}: no gradients (wrt=) where a covariance is singular")
        dtype = result_dtype(x, self._loc)
        points = evaluation.as_points(function, x, *self.event_shape)
        return log_prob_gradients(function, self._gaussians, points, dtype, wrt=wrt, out=out)

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
        return evaluation.mahalanobis(f"{type(self).__name__}.mahalanobis", self._gaussians, x)

    # ------------------------------------------------------------------------------------ moments and matrices

    @property
    def loc(self) -> np.ndarray:
        """Mean, of shape batch_shape + (d,); read-only."""
        return np.broadcast_to(self._loc, self.batch_shape + self.event_shape)

    mean = loc

    @property
    def mode(self) -> np.ndarray:
        """Where the density is largest, the mean, of shape batch_shape + (d,); read-only."""
        return self.loc

    @property
    def rank(self) -> Any:
        """Rank of the covariance, of shape batch_shape: d, or less where `allow_singular` found it singular.

        Examples
        --------
        >>> import loglik as ll
        >>> ll.MultivariateNormal([0.0, 0.0], variance=[[1.0, 1.0], [1.0, 0.0]], allow_singular=True).rank
        array([2, 1])
        """
        return self._gaussians.rank()

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
        return np.broadcast_to(self._gaussians.condition_number(), self.batch_shape)[()]

    @property
    def covariance(self) -> np.ndarray:
        """Covariance matrix, of shape batch_shape + (d, d); read-only."""
        return self._per_matrix(self._gaussians.covariance())

    @property
    def scale_tril(self) -> np.ndarray:
        """Lower triangular L with L Lᵀ = covariance, of shape batch_shape + (d, d); read-only. Its diagonal is positive,
        where the covariance is singular not negative."""
        return self._per_matrix(self._gaussians.scale_tril())

    @property
    def variance(self) -> np.ndarray:
        """Variances of the coordinates (the diagonal of the covariance), of shape batch_shape + (d,);
        read-only."""
        return np.broadcast_to(self._gaussians.variance(), self.batch_shape + self.event_shape)

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

    def _per_matrix(self, matrix: np.ndarray) -> np.ndarray:
        return np.broadcast_to(matrix, self.batch_shape + 2 * self.event_shape)

    def entropy(self) -> Any:
        """Differential entropy in nats: log det Σ / 2 + (d/2)(1 + log 2π); shape batch_shape. Where the covariance is
        singular, that of the density on the support, with the rank for d and det(BᵀB) for det Σ."""
        return np.broadcast_to(self._gaussians.entropy().astype(self.dtype), self.batch_shape)[()]

    def _expectation(self, function: str, g: expectation.Values) -> expectation.Expectation:
        lower = np.sqrt(self._variance)[..., None] * np.eye(self.event_shape[0]) if self._form == "variance" else self._lower()
        return expectation.gaussian(function, g, self._loc, lower)

    # ------------------------------------------------------------------------------------ what other parts ask for

    _prior = priors.NormalInverseWishart
    _fit_events = 1
    _fitted = classmethod(fitted_gaussian.multivariate_normal)

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
        sample_dtype = sampling.floating(function, dtype, self.dtype)
        factor_dtype = np.promote_types(sample_dtype, self.dtype)
        with np.errstate(over="ignore"):
            loc = self._loc.astype(sample_dtype, copy=False)
            matrix = np.sqrt(self._variance.astype(factor_dtype)) if self._form == "variance" else self._lower(factor_dtype)
            matrix = matrix.astype(sample_dtype, copy=False)
        if sample_dtype != factor_dtype:
            for name, array in (("loc", loc), ("scale_tril", matrix)):
                check_finite(f"{function}, in {sample_dtype}", name, array)
        if self._form == "variance":
            return sample_dtype, functools.partial(
                sampling.in_blocks, columns=self.batch_shape + self.event_shape, parameters=(loc, matrix), draw=normal.draw,
                nanoseconds=2.0,
            )
        return sample_dtype, functools.partial(gaussian_sampling.fill, self.batch_shape, loc, matrix)

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
        chosen = coordinates.chosen_coordinates(f"{type(self).__name__}.marginal", indices, *self.event_shape)
        return self._with_options(coordinates.marginal(self._gaussians, chosen))

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
        return self._with_options(conditional.condition(f"{type(self).__name__}.condition", self._gaussians, values))

    def _with_options(self, parameters: Parameters) -> "MultivariateNormal":
        """A distribution with these parameters and the options of this one."""
        arguments: dict[str, Any] = {parameters.form: parameters.matrix}
        if self._allow_singular:
            arguments |= {"allow_singular": True, "singular_rtol": self._singular_rtol}
        return type(self)(parameters.loc, **arguments)


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
    return one_shot.log_prob("mvn_log_prob", x, loc, covariance, out)
