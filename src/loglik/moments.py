"""Moments of samples: mergeable statistics, covariances and correlations."""

from collections.abc import Callable
from functools import partial
from typing import Any, Self

import numpy as np

from loglik._engine import validate
from loglik._fitting import driver
from loglik._fitting.statistics import Moments, Observations, Part, empty_states, join, summary
from loglik._gaussian.matrices import check_symmetric, items

__all__ = ["MomentStats", "correlation", "covariance", "covariance_from"]


class MomentStats:
    """Count, weight, mean, covariance and extremes of a sample that comes in blocks: from files, workers, a stream.

    `update` adds a block, ``a + b`` joins the statistics of two samples, `fit` makes a distribution of them: that of the whole
    sample, whatever the blocks. Statistics are small (2 d² + 4 d numbers), so workers send them home by pickle.

    Parameters
    ----------
    x : array_like, shape (n,) or (n, d), optional
        The first block.
    weights : array_like, shape (n,), optional
        Its weights.

    Notes
    -----
    Everything is kept in float64: the mean in two parts, squares about it with a compensation, joined by the formula of Chan,
    Golub and LeVeque (1983). So mean and variance are right to a relative 1e-14 for mean/std up to 1e8, in any number of blocks;
    different blocks differ in the last digits only, and threads in none. Squares of deviations must be within the range of
    doubles, so deviations within about 1e±150.

    Two objects are equal if all their numbers are. They are mutable, and so not hashable.

    Examples
    --------
    >>> import loglik as ll
    >>> north, south = ll.MomentStats([1.0, 2.0]), ll.MomentStats().update([4.0, 5.0])
    >>> both = north + south
    >>> both
    <MomentStats: 4 observations, mean 3.0, std 1.5811388300841898>
    >>> both.fit(ll.Normal)
    Normal(loc=3.0, scale=1.5811388300841898)
    """

    __hash__ = None  # type: ignore[assignment]
    __array_ufunc__ = None  # an array on the left does not add itself element by element

    def __init__(self, x: Any = None, *, weights: Any = None) -> None:
        self._state: np.ndarray | None = None  # None: nothing seen, the dimension is open
        self._shape: tuple[int, ...] = ()  # of an observation
        self._count = 0
        self._dtype: np.dtype | None = None
        if x is not None:
            self.update(x, weights)
        elif weights is not None:
            raise TypeError("MomentStats: weights without x")

    # ------------------------------------------------------------------------------------------- collecting

    def update(self, block: Any, weights: Any = None, *, nan_policy: str = "propagate") -> Self:
        """Add a block of observations.

        Parameters
        ----------
        block : array_like, shape (n,) or (n, d)
            Numbers or rows, like those before. Any memory layout, memory maps included: it is read once, and not copied.
        weights : array_like, shape (n,), optional
            Not negative and finite. An integer weight counts as so many equal rows; a row of weight 0 as none, whatever it holds.
        nan_policy : {"propagate", "raise", "omit"}, optional
            What NaN does: makes the moments of its coordinate NaN; raises ValueError; drops its row.

        Returns
        -------
        MomentStats
            The object itself. After an error it is what it was.

        Raises
        ------
        ValueError
            If the shape is not like that of the blocks before, a weight is negative or not finite, or for a NaN not wanted.
        TypeError
            If something is not real.

        Examples
        --------
        >>> import loglik as ll
        >>> stats = ll.MomentStats()
        >>> for block in ([[1.0, 2.0]], [[3.0, 6.0], [5.0, 4.0]]):
        ...     stats = stats.update(block)
        >>> stats.mean
        array([3., 4.])
        """
        name = "MomentStats.update"
        if validate.is_dask(block, weights):
            from loglik._engine import chunks

            x = chunks.as_dask(name, "block", block)
            parts = chunks.tree(name, partial(_stats_of, nan_policy=nan_policy), x, weights, (0,), x.ndim - 1)
            self.__dict__.update((self + parts.compute()).__dict__)
            return self
        x = validate.as_array(name, "block", block)
        if x.ndim not in (1, 2) or 0 in x.shape[1:]:
            raise ValueError(f"{name}: block must have shape (n,) or (n, d) with d >= 1, got {x.shape}")
        if self._state is not None and x.shape[1:] != self._shape:
            expected = f"(n, {self._shape[0]})" if self._shape else "(n,)"
            raise ValueError(f"{name}: block must have shape {expected} like those before, got {x.shape}")
        data = Observations(name, x, weights, (0,), x.ndim - 1, nan_policy, name="block")
        before = empty_states(1, data.d, False) if self._state is None else self._state
        states, counts = data.states(False, before)
        dtype = data.dtype if self._dtype is None else np.promote_types(self._dtype, data.dtype)
        self._state, self._shape, self._dtype = states[0], x.shape[1:], dtype
        self._count += int(counts[0])
        return self

    def __add__(self, other: Any) -> "MomentStats":
        if not isinstance(other, MomentStats):
            return NotImplemented
        if self._state is not None and other._state is not None and self._shape != other._shape:
            raise ValueError(f"MomentStats: observations of shape {self._shape} and {other._shape} do not go together")
        a, b = (self, other) if other._state is not None else (other, self)
        result = MomentStats()
        if b._state is not None:
            result._shape, result._count = b._shape, a._count + b._count
            result._state, result._dtype = b._state.copy(), b._dtype
            if a._state is not None and a._dtype is not None and b._dtype is not None:
                result._state = join(a._state.reshape(-1), b._state.reshape(-1), self._d, False)
                result._dtype = np.promote_types(a._dtype, b._dtype)
        return result

    def __radd__(self, other: Any) -> "MomentStats":
        return self + MomentStats() if type(other) is int and other == 0 else NotImplemented  # for sum()

    # ------------------------------------------------------------------------------------------- results

    @property
    def _d(self) -> int:
        return self._shape[0] if self._shape else 1

    def _moments(self) -> Moments:
        state = empty_states(1, self._d, False) if self._state is None else self._state.reshape(1, -1)
        m = summary(state, np.array([self._count]), self._d, False)
        return Moments(*(a[0] for a in m))

    def _value(self, array: np.ndarray) -> Any:
        return array.reshape(self._shape)[()]

    @property
    def count(self) -> int:
        """Number of observations of positive weight."""
        return self._count

    @property
    def weight(self) -> float:
        """Total weight; equal to `count` without weights."""
        return float(self._moments().weight)

    @property
    def mean(self) -> Any:
        """Weighted mean, of the shape of an observation; NaN if there are none."""
        return self._value(self._moments().mean)

    @property
    def min(self) -> Any:
        """Smallest value of each coordinate."""
        return self._value(self._moments().low)

    @property
    def max(self) -> Any:
        """Largest value of each coordinate."""
        return self._value(self._moments().high)

    @property
    def variance(self) -> Any:
        """Variances Σw(x - mean)²/Σw, of the shape of an observation."""
        m = self._moments()
        return self._value(np.diagonal(_divided("MomentStats.variance", m, 0)))

    def covariance(self, ddof: float = 0) -> Any:
        """Σw(x - mean)(x - mean)ᵀ/(Σw - ddof), of shape (d, d); a number for numbers.

        Raises
        ------
        ValueError
            If the total weight is not above `ddof`, or `ddof` is not a finite number.

        Examples
        --------
        >>> import loglik as ll
        >>> ll.MomentStats([[1.0, 2.0], [3.0, 6.0]]).covariance(ddof=1)
        array([[2., 4.],
               [4., 8.]])
        """
        name = "MomentStats.covariance"
        return _divided(name, self._moments(), _check_ddof(name, ddof)).reshape(self._shape * 2)[()]

    def fit(self, family: type, *, prior: Any = None) -> Any:
        """The distribution that ``family.fit`` gives for all that was collected.

        Parameters
        ----------
        family : Normal, Uniform, Bernoulli or MultivariateNormal
            Univariate families are fitted to each coordinate: their batch has the shape of an observation. For a Bernoulli,
            moments show values other than 0 and 1 up to rounding only.
        prior : optional
            A conjugate prior of `loglik.priors`.

        Raises
        ------
        ValueError, numpy.linalg.LinAlgError
            As ``family.fit``.
        NotImplementedError
            For a family that is not determined by moments.

        Examples
        --------
        >>> import loglik as ll
        >>> ll.MomentStats([3.0, 1.0, 2.0]).fit(ll.Uniform)
        Uniform(low=1.0, high=3.0)
        """
        dtype = np.dtype(np.float64) if self._dtype is None else self._dtype
        return driver.fit_moments(family, self._moments(), bool(self._shape), prior, dtype)

    # ------------------------------------------------------------------------------------------- as a value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MomentStats):
            return NotImplemented
        if (self._state is None) != (other._state is None):
            return False
        same = self._state is None or np.array_equal(self._state, other._state, equal_nan=True)  # type: ignore[arg-type]
        return same and (self._shape, self._count, self._dtype) == (other._shape, other._count, other._dtype)

    def __repr__(self) -> str:
        if self._count == 0:
            return "<MomentStats: empty>"
        with np.errstate(invalid="ignore"):
            std = np.sqrt(self.variance)
        weight = "" if self.weight == self._count else f" of weight {self.weight:g}"
        what = (
            f"mean {float(self.mean)!r}, std {float(std)!r}" if not self._shape
            else f"{self._d} coordinates, mean {np.array2string(self.mean, threshold=6, precision=6)}"
        )  # fmt: skip
        return f"<MomentStats: {self._count} observations{weight}, {what}>"


def _stats_of(block: Any, weights: Any, nan_policy: str) -> MomentStats:
    return MomentStats().update(block, weights, nan_policy=nan_policy)


def _check_ddof(function: str, ddof: Any) -> float:
    array = validate.as_array(function, "ddof", ddof)
    if array.shape != () or not np.isfinite(array):
        raise ValueError(f"{function}: ddof must be a finite number, got {ddof!r}")
    return float(array)


def _divided(function: str, m: Moments, ddof: float) -> np.ndarray:
    """The covariance in float64."""
    divisor = np.asarray(m.weight - ddof)
    if not np.all(divisor > 0):
        raise ValueError(f"{function}: the total weight must be above ddof = {ddof:g}, but it is {np.min(m.weight):g}")
    return m.squares / divisor[..., None, None]


def _sample(x: Any, weights: Any, function: str) -> Part:
    """What is known of x of shape (..., n, d) or (n,)."""
    array = validate.as_array(function, "x", x)
    _check_rows(function, array)
    events = int(array.ndim > 1)
    return Observations(function, array, weights, (max(0, array.ndim - 2),), events, "propagate").part(False)


def _check_rows(function: str, array: Any) -> None:
    if array.ndim == 0 or (array.ndim > 1 and array.shape[-1] == 0):
        raise ValueError(f"{function}: x must have shape (..., n, d) with d >= 1, or (n,), got {array.shape}")


def _matrix(function: str, finish: Callable[[Moments], np.ndarray], x: Any, weights: Any) -> Any:
    """``finish(moments)`` of a sample, of the shape and dtype that belong to it."""
    if not validate.is_dask(x, weights):
        array = validate.as_array(function, "x", x)
        return _finished(_sample(array, weights, function), finish, array.ndim > 1)[()]
    from loglik._engine import chunks

    array = chunks.as_dask(function, "x", x)
    _check_rows(function, array)
    shape = () if array.ndim == 1 else (*array.shape[:-2], *array.shape[-1:] * 2)
    reduced, events = (max(0, array.ndim - 2),), int(array.ndim > 1)
    part = chunks.tree(function, partial(_sample, function=function), array, weights, reduced, events)
    return chunks.lazy_array(partial(_finished, finish=finish, square=bool(shape)), part, shape, validate.result_dtype(array))


def _finished(part: Part, finish: Callable[[Moments], np.ndarray], square: bool) -> np.ndarray:
    return finish(part.moments()).reshape(part.kept_shape + ((part.d,) * 2 if square else ())).astype(part.dtype)


def covariance(x: Any, *, weights: Any = None, ddof: float = 0) -> Any:
    r"""Covariance matrix of rows, in one pass over memory.

    .. math:: C = \frac{\sum_i w_i (x_i - \bar x)(x_i - \bar x)^T}{\sum_i w_i - \mathrm{ddof}}, \qquad
              \bar x = \frac{\sum_i w_i x_i}{\sum_i w_i}

    Parameters
    ----------
    x : array_like, shape (..., n, d) or (n,)
        n observations of d variables (`numpy.cov` has them in columns); leading axes are a batch. Any layout, memory maps
        included: no copy is made.
    weights : array_like, shape (n,) or (..., n), optional
        Not negative and finite: how often each observation counts.
    ddof : float, optional
        0 for maximum likelihood, 1 for the unbiased estimate.

    Returns
    -------
    ndarray or scalar
        Of shape (..., d, d), exactly symmetric, float32 for float32 data; a number for numbers. A NaN makes the row and the
        column of its variable NaN.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, shapes do not fit, or the total weight is not above `ddof`.
    TypeError
        If something is not real.

    Notes
    -----
    Sums are in float64 about points near the mean, so that relative to std(i)·std(j) entries are right to about 1e-14, also where
    the mean is 1e8 standard deviations from 0. The bits do not depend on threads. Weights give what repeated rows give, up to
    that bound.

    Examples
    --------
    Height and weight of five people:

    >>> import loglik as ll
    >>> people = [[170.0, 65.0], [180.0, 80.0], [165.0, 60.0], [190.0, 95.0], [170.0, 65.0]]
    >>> ll.covariance(people)
    array([[ 80., 115.],
           [115., 166.]])
    """
    name = "covariance"
    return _matrix(name, partial(_divided, name, ddof=_check_ddof(name, ddof)), x, weights)


def correlation(x: Any, *, weights: Any = None) -> Any:
    """Correlation matrix of rows, ρ(i, j) = C(i, j)/√(C(i, i) C(j, j)) with C the `covariance`.

    Parameters
    ----------
    x, weights
        As for `covariance`.

    Returns
    -------
    ndarray or scalar
        Of shape (..., d, d): exactly symmetric, within [-1, 1], with a diagonal of 1. NaN in the row and the column of a variable
        that is constant or has a NaN.

    Raises
    ------
    ValueError, TypeError
        As `covariance`.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.correlation([[1.0, 2.0, 5.0], [2.0, 4.0, 3.0], [3.0, 6.0, 4.0]]).round(3)
    array([[ 1. ,  1. , -0.5],
           [ 1. ,  1. , -0.5],
           [-0.5, -0.5,  1. ]])
    """
    return _matrix("correlation", _correlation_of, x, weights)


def _correlation_of(m: Moments) -> np.ndarray:
    _divided("correlation", m, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        diagonal = np.diagonal(m.squares, axis1=-2, axis2=-1)
        std = np.sqrt(np.where(diagonal > 0, diagonal, np.nan))
        rho = np.clip(m.squares / std[..., :, None] / std[..., None, :], -1, 1)
    # dividing in the other order may round differently
    rho = np.tril(rho) + np.tril(rho, -1).swapaxes(-1, -2)
    i = np.arange(rho.shape[-1])
    rho[..., i, i] = np.where(np.isfinite(std), 1.0, np.nan)
    return rho


def covariance_from(std: Any, correlation: Any) -> Any:
    """Covariance matrix from standard deviations and correlations, C(i, j) = ρ(i, j) σ(i) σ(j).

    Parameters
    ----------
    std : array_like, shape (..., d)
        Standard deviations, positive and finite.
    correlation : array_like, shape (..., d, d), or float
        Correlations, symmetric with a diagonal of 1; a number is the correlation of two variables.

    Returns
    -------
    ndarray
        Of shape (..., d, d), exactly symmetric. Correlations of ±1 give a singular matrix, which
        ``MultivariateNormal(..., allow_singular=True)`` takes.

    Raises
    ------
    ValueError
        If a standard deviation is not positive, a correlation is beyond ±1, or the matrix is not symmetric with a diagonal of 1.
    numpy.linalg.LinAlgError
        If no variables have these correlations: the matrix has a negative eigenvalue.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.covariance_from([7.0, 12.0], 0.5)
    array([[ 49.,  42.],
           [ 42., 144.]])
    """
    name = "covariance_from"
    dtype = validate.result_dtype(std, correlation)
    sigma, rho = validate.as_array(name, "std", std), validate.as_array(name, "correlation", correlation)
    if sigma.ndim == 0 or sigma.shape[-1] == 0:
        raise ValueError(f"{name}: std must have shape (..., d) with d >= 1, got {sigma.shape}")
    d = sigma.shape[-1]
    validate.require(name, "std", sigma, (sigma > 0) & np.isfinite(sigma), "positive and finite")
    validate.require(name, "correlation", rho, np.abs(rho.astype(np.float64)) <= 1, "within [-1, 1]")
    if rho.ndim == 0 and d == 2:
        rho = np.array([[1, rho], [rho, 1]], dtype)
    if rho.ndim < 2 or rho.shape[-2:] != (d, d):
        number = ", or be a number for two variables" if rho.ndim == 0 else ""
        expected = f"(..., {d}, {d}) for std of shape {sigma.shape}"
        raise ValueError(f"{name}: correlation must have shape {expected}, got {rho.shape}{number}")
    shape = validate.broadcast_shapes(name, **{"std's batch": sigma.shape[:-1], "correlation's batch": rho.shape[:-2]})
    rho = rho.astype(dtype)
    diagonal = np.diagonal(rho, axis1=-2, axis2=-1)
    if not np.all(diagonal == 1):
        index = validate.first_index(diagonal != 1)
        entry = validate.describe_entry("correlation", (*index, index[-1]), diagonal[index])
        raise ValueError(f"{name}: the diagonal of correlation must be 1, but {entry}")
    check_symmetric(name, "correlation", items(rho, 2), rho.shape[:-2])
    rho = np.tril(rho) + np.tril(rho, -1).swapaxes(-1, -2)
    smallest = np.linalg.eigvalsh(rho.astype(np.float64))[..., 0] if rho.size else np.zeros(rho.shape[:-2])
    bad = smallest < -4 * d * float(np.finfo(dtype).eps)
    if np.any(bad):
        index = validate.first_index(bad)
        where = f"correlation[{', '.join(map(str, index))}]" if index else "correlation"
        raise np.linalg.LinAlgError(
            f"{name}: {where} is not positive semidefinite (smallest eigenvalue {float(smallest[index]):.3g}): "
            "no variables have these correlations"
        )
    sigma = np.broadcast_to(sigma.astype(dtype), (*shape, d))
    return rho * (sigma[..., :, None] * sigma[..., None, :])
