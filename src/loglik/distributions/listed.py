"""Outcomes that are listed with their probabilities: values at points, moments and samples, on what `loglik._discrete` does."""

import functools
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from loglik._discrete import look_ups, pmf_rows, sampling, scaled_pmf
from loglik._discrete.die_pool import Pool
from loglik._discrete.moments import PmfMoments, PoolMoments
from loglik._discrete.variable import Variable, highest
from loglik._engine import elementwise, expectation
from loglik._engine.results import hand_over, memory_for
from loglik._engine.sampling import discrete as sample_dtype
from loglik._engine.validate import as_array, broadcast_shapes, is_dask, result_dtype
from loglik.distributions.lattice import Lattice

_FLOAT64 = np.dtype(np.float64)


class ListedOutcomes(Lattice):
    """Base of `Discrete`: what follows from its plain data, a `Variable`."""

    _variable: Variable
    _readers: dict[str, Callable[..., Any]]
    _start: int
    _length: int
    _pool: Pool | None  # None: only the probabilities are known
    batch_shape: tuple[int, ...] = ()

    truncated_mass: float = 0.0
    """Probability that was cut off when this was made, and spread over the rest: above 0 for exploding dice only."""

    def _set(self, data: Variable) -> None:
        attributes = self.__dict__
        attributes["_variable"], attributes["_readers"] = data, {}
        attributes["_start"], attributes["_length"], attributes["_pool"], pmf, attributes["dtype"], truncated = data
        if pmf is not None:
            attributes["_masses"] = pmf
            if pmf.values.ndim > 1:
                attributes["batch_shape"] = pmf.values.shape[:-1]
        if truncated:
            attributes["truncated_mass"] = truncated

    @cached_property
    def _masses(self) -> scaled_pmf.Pmf:
        assert self._pool is not None  # without a pool it is set at construction
        return self._pool.pmf()

    def _row_values(self, function: Callable[[scaled_pmf.Pmf], np.ndarray], dtype: Any, *entries: int) -> np.ndarray:
        """`function` of all pmfs of the batch, with so many `entries` for each, read-only."""
        return _read_only(pmf_rows.per_row(self._masses, function, dtype, *entries))

    def _require_one_pmf(self, method: str) -> None:
        """Raise an error that says that a method is not for batches."""
        if self.batch_shape:
            raise ValueError(f"Discrete.{method}: one pmf is needed, not a batch of shape {self.batch_shape}")

    # ------------------------------------------------------------------------------------ values

    @property
    def start(self) -> int:
        """The lowest outcome that the arrays cover."""
        return self._start

    @property
    def support(self) -> np.ndarray:
        """The outcomes that `probs` belongs to, int64."""
        return np.arange(self._start, self._start + self._length)

    @cached_property
    def probs(self) -> np.ndarray:
        """Probabilities of the outcomes, shape (..., K); 0 where they are below the subnormal numbers. Read-only."""
        if self.batch_shape:
            if self._masses.exponents is None and self._masses.values.dtype == self.dtype:
                return _read_only(self._masses.values)
            return self._row_values(lambda rows: pmf_rows.probs(rows, self.dtype), self.dtype, self._length)
        values = None
        if self._pool is not None and "_masses" not in self.__dict__:
            values = self._pool.probs_of_equal_fair_dice()
        if values is None:
            values = scaled_pmf.probs(self._masses)
        return _read_only(values if values.dtype == self.dtype else values.astype(self.dtype))

    @cached_property
    def log_probs(self) -> np.ndarray:
        """Natural logarithms of `probs`, right where those underflow; -inf for zero. Read-only."""
        if self.batch_shape:
            return self._row_values(lambda rows: pmf_rows.logs(rows, self.dtype), self.dtype, self._length)
        return _read_only(
            scaled_pmf.logs(self._masses.values, self._masses.exponents).astype(self.dtype, copy=False)
        )

    # ------------------------------------------------------------------------------------ values at points

    def prob(self, x: Any, *, out: Any = None) -> Any:
        """P(X = x); 0 outside the support and for what is not an integer. Arguments and errors are those of `cdf`."""
        return self._apply("prob", x, out)

    def _gradients(self, x: Any, wrt: Any, out: Any) -> Any:
        raise NotImplementedError("Discrete.log_prob: wrt is not supported, outcomes are integers")

    def _apply(self, method: str, x: Any, out: Any = None, name: str = "x") -> Any:
        if is_dask(x):
            return self._lazily(method, x, out)
        function = f"Discrete.{method}"
        dtype = _FLOAT64 if method == "quantile" else result_dtype(x, self.dtype.type())
        points = as_array(function, name, x)
        if out is None and not self.batch_shape and points.size <= elementwise.BLOCK:
            return self._reader(method)(points, dtype=dtype)  # the common small call
        return self._at(method, function, {name: points}, dtype, out)

    def _apply_between(self, method: str, a: Any, b: Any, out: Any) -> Any:
        if is_dask(a, b):
            return self._lazily_between(method, a, b, out)
        function = f"Discrete.{method}"
        ends = {name: as_array(function, name, end) for name, end in (("a", a), ("b", b))}
        if out is None and not self.batch_shape and ends["a"].shape == ends["b"].shape and ends["a"].size <= elementwise.BLOCK:
            return self._reader(method)(*ends.values(), dtype=self.dtype)
        return self._at(method, function, ends, self.dtype, out)

    def _at(self, method: str, function: str, points: dict[str, np.ndarray], dtype: np.dtype, out: Any) -> Any:
        """The values of a method at points that are checked."""
        if not self.batch_shape:
            return elementwise.apply(function, self._reader(method), *points.values(), dtype=dtype, out=out, nanoseconds=20.0)
        shape = broadcast_shapes(function, **{name: array.shape for name, array in points.items()}, batch=self.batch_shape)
        target = memory_for(function, out, shape, dtype, *points.values())
        look_ups.fill_batch(method, self._masses, self._start, self.dtype, target, *points.values())
        return hand_over(target, out)

    def _reader(self, method: str) -> Callable[..., Any]:
        """What is called like a ufunc for the values of a method of one pmf; kept if it holds no arrays of its own."""
        found = self._readers.get(method)
        if found is not None:
            return found
        if method == "quantile":
            read = look_ups.quantiles(self._masses, self._tails, self._start, self.dtype)
        elif method == "prob_between":
            return elementwise.like_ufunc(look_ups.intervals(self.probs, self._start), "as given")
        elif method == "log_prob_between":
            return elementwise.like_ufunc(look_ups.log_intervals(self._masses, self._tails, self._start), "as given")
        else:
            table = getattr(self, f"{method}s") if "prob" in method else getattr(self._tails, method)
            read = look_ups.from_table(method, table, self._start)
        return self._readers.setdefault(method, elementwise.like_ufunc(read, "as given"))

    @cached_property
    def _tails(self) -> scaled_pmf.Tails:
        return scaled_pmf.tails(self._masses)

    # ------------------------------------------------------------------------------------ moments

    def _moment(self, name: str, *arguments: Any) -> Any:
        """A moment, or that of each pmf of the batch."""
        if self.batch_shape:

            def of_rows(rows: scaled_pmf.Pmf) -> np.ndarray:
                return getattr(PmfMoments(pmf_rows.probs(rows, self.dtype)), name)(*arguments)

            return self._row_values(of_rows, self.dtype)
        return self.dtype.type(getattr(self._moments, name)(*arguments))

    @cached_property
    def _moments(self) -> PoolMoments | PmfMoments:
        return PmfMoments(self.probs) if self._pool is None else PoolMoments(self._pool)

    @cached_property
    def mean(self) -> Any:
        """Expectation; correctly rounded where counts are known."""
        return self._moment("mean", self._start)

    @cached_property
    def variance(self) -> Any:
        """Expected squared distance from the mean; correctly rounded where counts are known."""
        return self._moment("variance")

    @property
    def std(self) -> Any:
        """Square root of the variance."""
        return np.sqrt(self.variance)

    @cached_property
    def skewness(self) -> Any:
        """Third central moment over the cubed standard deviation; NaN where the variance is zero."""
        return self._moment("skewness")

    @cached_property
    def kurtosis(self) -> Any:
        """Excess kurtosis: fourth cumulant over the squared variance, 0 for a Normal; NaN where the variance is zero."""
        return self._moment("kurtosis")

    @cached_property
    def mode(self) -> Any:
        """The most probable outcome, an int, for a batch an int64 array; the lowest one of several."""
        if self.batch_shape:
            return self._row_values(lambda rows: self._start + pmf_rows.modes(rows), np.int64)
        return self._start + scaled_pmf.argmax(self._masses)

    @cached_property
    def modes(self) -> tuple[int, ...]:
        """Every outcome of the largest probability, lowest first; by exact counts where they are known and not huge.

        A batch has none, as its pmfs may have different numbers of modes.
        """
        self._require_one_pmf("modes")
        heights = self._masses.values if self._masses.exponents is None else self.log_probs
        return tuple(self._start + i for i in highest(heights, self._pool))

    def entropy(self) -> Any:
        """Shannon entropy -Σ p·log p in nats, of the batch shape."""
        if self.batch_shape:
            return pmf_rows.per_row(self._masses, lambda rows: pmf_rows.entropies(rows, self.dtype), self.dtype)
        probs = self.probs.astype(np.float64)
        positive = probs > 0
        return self.dtype.type(-np.sum(probs[positive] * self.log_probs[positive]) + 0.0)

    def _expectation(self, function: str, g: expectation.Values) -> expectation.Expectation:
        values = g(self.support.astype(np.float64))
        if self.batch_shape:
            return pmf_rows.expectations(self._masses, self.dtype, values), None
        return expectation.of_outcomes(self.probs.astype(np.float64), values)

    # ------------------------------------------------------------------------------------ sampling

    def _extent(self) -> tuple[int, int]:
        return self._start, self._start + self._length - 1

    def _sampler(self, function: str, dtype: Any) -> tuple[np.dtype, Callable[[np.ndarray, int], None]]:
        kind = sample_dtype(function, dtype, *self._extent())
        if self.batch_shape:
            return kind, functools.partial(sampling.sample_batch, self._masses, self._start, self.dtype)
        return kind, sampling.sampler(self._table)

    @cached_property
    def _table(self) -> sampling.InversionTable:
        return sampling.inversion_table(self.probs, self._start)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.setflags(write=False)
    return view
