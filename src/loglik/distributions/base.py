"""What every distribution shares: immutability, equality, repr, pickling, and methods that follow from others."""

import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self

import numpy as np

from loglik._engine import expectation, sampling, validate
from loglik._fitting import driver
from loglik._fitting.report import FitReport
from loglik._fitting.statistics import Observations


class Distribution:
    """Base of the distributions: an immutable value with parameters that broadcast.

    A subclass lists `_parameters` (the arguments of its constructor, in order), sets them through
    `_initialise` and supplies ``log_prob``, ``_sampler`` and ``_expectation``. Each file has the same order of sections:
    construction, shape, density, moments, sampling.
    """

    _parameters: ClassVar[tuple[str, ...]] = ()
    _event_axes: ClassVar[dict[str, int]] = {}
    """How many axes a parameter has behind those of the batch, for parameters that are vectors or matrices."""

    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...]
    dtype: np.dtype

    fit_report: FitReport | None = None
    """How the distribution was fitted; None if it was not. It is no part of equality, hash and repr, but pickling keeps it."""

    def _initialise(self, **attributes: Any) -> None:
        """Set attributes once; arrays become read-only."""
        for value in attributes.values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
        self.__dict__.update(attributes)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; make a new one instead of setting {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; {name!r} cannot be deleted")

    def _arguments(self) -> dict[str, Any]:
        """The constructor's arguments as given (without those left at None)."""
        return {name: getattr(self, "_" + name) for name in self._parameters if getattr(self, "_" + name) is not None}

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={_literal(value)}" for name, value in self._arguments().items())
        return f"{type(self).__name__}({arguments})"

    def _repr_html_(self) -> str:
        """Table and picture for notebooks."""
        from loglik._faces import html

        picture = None if self.batch_shape else self._picture()
        return html.page(type(self).__name__, self.batch_shape, self.dtype, self._table_rows(), picture)

    def _table_rows(self) -> list[tuple[str, Any]]:
        """Names and values for a notebook's table."""
        moments = ((label, getattr(self, name)) for label, name in (("mean", "mean"), ("sd", "std")))
        return [*self._arguments().items(), *moments]

    def _picture(self) -> Any:
        """What a notebook draws of a distribution that is no batch: one of `loglik._faces.pictures`, or None."""
        return None

    def __reduce__(self) -> tuple:
        # A pickle names the class alone, which is `loglik.<name>` wherever it is defined.
        return functools.partial(type(self), **self._arguments()), (), self._history()

    def _history(self) -> dict[str, Any] | None:
        """What a pickle keeps beyond the value."""
        return None if self.fit_report is None else {"fit_report": self.fit_report}

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        mine, theirs = self._arguments(), other._arguments()
        return mine.keys() == theirs.keys() and all(
            np.array_equal(mine[name], theirs[name]) and np.asarray(mine[name]).dtype == np.asarray(theirs[name]).dtype
            for name in mine
        )

    def __hash__(self) -> int:
        parts = ((name, np.asarray(value).tobytes()) for name, value in self._arguments().items())
        return hash((type(self).__name__, *parts))

    def __getitem__(self, index: Any) -> Self:
        """The distributions at `index` of the batch, as NumPy would pick them from an array of the batch shape."""
        name = type(self).__name__
        if not self.batch_shape:
            raise IndexError(f"{name} has no batch to index; the density or probability at i is d.prob(i)")
        return type(self)(**self._item(index))

    def __iter__(self) -> Iterator[Self]:
        """The distributions along the first axis of the batch."""
        if not self.batch_shape:
            raise TypeError(f"{type(self).__name__} has no batch to iterate over")
        return (self[i] for i in range(self.batch_shape[0]))

    def _item(self, index: Any) -> dict[str, Any]:
        """The constructor's arguments for a part of the batch. Those without batch axes stay as they are, so Python numbers stay
        weak and one matrix stays one matrix."""
        axes = np.indices(self.batch_shape, sparse=True)
        where = tuple(np.broadcast_to(positions, self.batch_shape)[index] for positions in axes)
        arguments = self._arguments()
        for name, value in arguments.items():
            event = self._event_axes.get(name, 0)
            if np.ndim(value) > event:
                event_shape = value.shape[value.ndim - event :]
                arguments[name] = np.broadcast_to(value, self.batch_shape + event_shape)[where]
        return arguments

    def _floating(self) -> tuple[Any, ...]:
        """What decides the floating type of a result, beside other arguments: the parameters as they were given."""
        return tuple(self._arguments().values())

    def log_prob(self, x: Any, *, out: Any = None, wrt: Any = None) -> Any:
        raise NotImplementedError

    def _lazily(self, method: str, x: Any, out: Any = None, wrt: Any = None, **options: Any) -> Any:
        """What a method gives for a dask array, as one."""
        from loglik._engine import chunks

        call = functools.partial(getattr(self, method), **options)
        name = f"{type(self).__name__}.{method}"
        return chunks.of_points(name, call, x, self.batch_shape, len(self.event_shape), out, wrt)

    def prob(self, x: Any, *, out: Any = None) -> Any:
        """Density or probability of `x`: exp(log_prob(x)). Arguments and errors are those of `log_prob`, but for `wrt`."""
        return np.exp(self.log_prob(x, out=out), out=out)

    def expect(self, g: Callable[[np.ndarray], Any]) -> Any:
        """Expectation E[g(X)].

        Parameters
        ----------
        g : callable
            Takes a float64 array of points (of any shape; for vectors with the coordinates along the last axis) and returns a
            real value for each, of the shape without coordinates. It is called with points of a batch together: it has to
            treat them alike.

        Returns
        -------
        ndarray or scalar
            Of the batch shape and the dtype of the distribution.

        Raises
        ------
        TypeError
            If `g` is not callable or its values are not real.
        ValueError
            If its result has another shape.
        NotImplementedError
            For a `MultivariateNormal` of more than 6 dimensions; sample it, ``g(d.sample(100_000)).mean(axis=0)``.

        Warns
        -----
        AccuracyWarning
            If an integral does not converge (with the error that was reached), or g overflows far out and the result is inf.

        Notes
        -----
        Outcomes that are listed: the exact sum over those that are possible. One dimension: Gauss-Legendre rules, the intervals
        halved where two of them disagree, until the error is within 1e-12 E|g| (with a warning if it stays above 1e-10);
        jumps and kinks of g are found, but a feature much narrower than a hundredth of the standard deviation may be missed.
        Gaussians of 2 to 6 dimensions: products of Gauss-Hermite rules, for smooth g. An infinite
        expectation is inf where g overflows, else there is the warning.

        Examples
        --------
        >>> import numpy as np
        >>> import loglik as ll
        >>> ll.Normal([0.0, 1.0], 2.0).expect(np.square)
        array([4., 5.])
        >>> print(ll.Uniform(0.0, 1.0).expect(np.sqrt).round(12))
        0.666666666667
        >>> print(ll.die(6).expect(lambda x: x**2).round(12))
        15.166666666667
        """
        function = f"{type(self).__name__}.expect"
        value, problem = self._expectation(function, expectation.checked(function, g, len(self.event_shape)))
        if problem is not None:
            warnings.warn(problem, validate.AccuracyWarning, stacklevel=2)
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(value).astype(self.dtype)[()]

    def _expectation(self, function: str, g: expectation.Values) -> expectation.Expectation:
        """E[g(X)], and what to warn of."""
        raise NotImplementedError

    _prior: ClassVar[type | None] = None
    _fit_events: ClassVar[int] = 0
    _from_moments: ClassVar[bool] = True
    _fitted: ClassVar[Any] = None

    @classmethod
    def _statistics(cls, function: str, data: Observations, prior: Any) -> Any:
        return data.part(not cls._fit_events)

    @classmethod
    def _moments_as_statistics(cls, function: str, moments: Any) -> Any:
        return moments

    @classmethod
    def _fit_passes(cls, function: str, data: driver.Passes, prior: Any, dtype: np.dtype) -> Any:
        found = data.collect(functools.partial(_statistics_of, cls, function, prior))
        return driver.from_statistics(cls, function, found.moments() if cls._from_moments else found, prior, dtype)

    @classmethod
    def fit(cls, x: Any, *, weights: Any = None, prior: Any = None, axis: Any = None, nan_policy: str = "raise") -> Self:
        """The distribution of this family under which the data are most likely; with a prior, the most likely one given the data.

        Parameters
        ----------
        x : array_like
            Observations. Univariate families reduce `axis`; `MultivariateNormal` takes (..., n, d), n observations of d
            variables. Any memory layout, memory maps included: data are read in blocks, and not copied.
        weights : array_like, optional
            One for each observation (of the shape of the reduced axes), or of the whole batch (of the shape of `x`, without d):
            finite and not negative. An integer weight is the same as so many equal observations, up to rounding.
        prior : optional
            A conjugate prior of `loglik.priors`: `Beta` for a Bernoulli, `NormalInverseGamma`, `NormalInverseWishart`, `Pareto`
            for a Uniform, `Dirichlet` for a Discrete. The fit is then the mode of the posterior density (MAP). A
            flat prior gives the bits of maximum likelihood.
        axis : int or tuple of int, optional
            Axes that hold the observations; the others are a batch. By default all.
        nan_policy : {"raise", "omit"}, optional
            What to do about NaN: raise ValueError, or leave out its observation.

        Returns
        -------
        Distribution
            Of the dtype of the data. Its ``fit_report`` has `n`, `weight`, `log_likelihood`, `aic`, `bic`, `standard_errors` by
            parameter and `method`, ``"ml"`` or ``"map"``.

        Raises
        ------
        ValueError
            For no data, a total weight of 0, NaN that is not wanted, infinite values, values outside the support (Bernoulli: 0
            and 1, Discrete: integers), observations that are all the same where the density would be infinite, and weights that
            do not fit. The message names the first index and its value.
        numpy.linalg.LinAlgError
            If the covariance of the data is singular, as for n ≤ d.
        TypeError
            If something is not real, or the prior belongs to another family.
        NotImplementedError
            For a family that has no fit.

        Notes
        -----
        Maximum likelihood: mean and √(Σw(x - mean)²/Σw); mean and covariance (divisor Σw); extremes for a Uniform; relative
        frequencies, for a batch of `Discrete` of the outcomes that any of them has. Mean and variance are right to a relative
        1e-14 also where the mean is 1e8 standard deviations from 0 (`loglik.MomentStats`). Same bits for any number of threads.

        Standard errors come from the Fisher information W·I(θ) at the estimate: σ/√W and σ/√(2W) for `loc` and `scale`,
        √(p(1 - p)/W) for `probs`, √((Σᵢᵢ Σⱼⱼ + Σᵢⱼ²)/W) for a covariance. The bounds of a Uniform have no Fisher information:
        theirs are the standard deviations of the extremes.

        Examples
        --------
        >>> import loglik as ll
        >>> normal = ll.Normal.fit([-1.0, 0.0, 1.0, 2.0])
        >>> normal
        Normal(loc=0.5, scale=1.118033988749895)
        >>> print(f"{normal.fit_report.log_likelihood:.12f}")
        -6.122041235447
        >>> ll.Bernoulli.fit([[0, 1, 1, 1], [0, 0, 0, 1]], axis=1).probs
        array([0.75, 0.25])
        """
        return driver.fit(cls, x, weights, prior, axis, nan_policy)

    def sample(
        self,
        shape: int | tuple[int, ...] = (),
        *,
        rng: "int | np.random.Generator | None" = None,  # quoted: naming the type would load numpy.random at import
        dtype: Any = None,
        out: np.ndarray | None = None,
    ) -> Any:
        """Independent random draws.

        Parameters
        ----------
        shape : int or tuple of int, optional
            How many draws, as the leading axes of the result.
        rng : None, int or numpy.random.Generator, optional
            None: fresh entropy. An int: a seed, which gives the same numbers every time. A generator advances by one
            64-bit integer, whatever the shape. Calls with the same seed are not independent of each other: for that,
            hand the same generator to all of them.
        dtype : dtype, optional
            Of the result. For continuous distributions float32 or float64, by default that of the distribution; the sample is
            that of the distribution with parameters rounded to it. For outcomes that are integers any dtype that holds
            them all, by default int64.
        out : ndarray, optional
            Where to write: exactly the shape and dtype of the result, in any layout.

        Returns
        -------
        ndarray or scalar
            Of shape ``shape + batch_shape + event_shape``. A uniform sample is in [low, high): `high` itself does not occur.
            A sample of a singular Gaussian is on its support.

        Raises
        ------
        ValueError
            For a negative size or seed, or an `out` or `dtype` that does not fit.
        TypeError
            If `shape` does not consist of integers, or `rng`, `dtype` or `out` is of another type.

        Notes
        -----
        The generator is Philox4x32-10, and a number of the result depends on nothing but the key that is drawn from `rng`, its
        index in the result and the parameters: not on threads, `out` or the numbers around it. The first m draws of
        ``sample(n)`` are ``sample(m)`` for the same seed. Normals come from the Box-Muller transformation of 53-bit uniforms
        (float32: 31 bits), with tails to 8.57 (6.66) standard deviations; uniforms have 53 (24) bits; the probability of an
        outcome is right to 2⁻⁵³. What may change between versions: `docs/random.md`.

        Examples
        --------
        >>> import loglik as ll
        >>> ll.die(6).sample(10, rng=1)
        array([5, 3, 2, 3, 1, 1, 5, 5, 3, 6])
        >>> ll.Normal([0.0, 100.0], 1.0).sample((1000, 50), rng=1).shape
        (1000, 50, 2)
        """
        function = f"{type(self).__name__}.sample"
        kind, fill = self._sampler(function, dtype)
        result, key = sampling.prepare(function, shape, self.batch_shape + self.event_shape, kind, rng, out)
        fill(result, key)
        return result[()] if out is None else out

    def _sampler(self, function: str, dtype: Any) -> tuple[np.dtype, Callable[[np.ndarray, int], None]]:
        """The dtype of a sample, and what fills an array of it from a key."""
        raise NotImplementedError


def _statistics_of(cls: type[Distribution], function: str, prior: Any, data: Observations) -> Any:
    return cls._statistics(function, data, prior)


def _literal(value: Any) -> str:
    """Text that ``eval`` turns into an equal value where ``array`` and NumPy's dtype names are imported."""
    if isinstance(value, np.ndarray):
        if value.size == 0 and value.ndim > 1:  # NumPy's own text is no expression
            return f"array([], dtype={value.dtype}).reshape{value.shape}"
        with np.printoptions(threshold=2**31, floatmode="unique", linewidth=120):
            return repr(value) if value.ndim else repr(value[()])
    return repr(value)


def apart(array: np.ndarray, out: Any) -> np.ndarray:
    """The array, or a copy of it where it may share memory with one of the arrays in `out`, however nested."""
    if isinstance(out, tuple):
        for each in out:
            array = apart(array, each)
        return array
    return array.copy() if isinstance(out, np.ndarray) and np.may_share_memory(array, out) else array


def keep(given: Any, array: np.ndarray) -> Any:
    """A Python number as a float, anything else as an own read-only array."""
    if type(given) in (bool, int, float):
        return float(given)
    return array.copy() if isinstance(given, np.ndarray) else array
