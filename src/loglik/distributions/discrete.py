"""A probability mass function on consecutive integers.

Design
- Sums of dice and of variables with exact counts are kept as a pool: how often each die is rolled
  (`loglik._discrete.die_pool`). Adding and multiplying touch the pool only, so ``a + b`` is exact and cheap, equal dice merge,
  and the probabilities are made once, when they are first asked for, by the best method for the whole pool.
- Everything else holds its probabilities (`loglik._discrete.scaled_pmf`), a batch of them likewise
  (`loglik._discrete.pmf_rows`).
- The class adds the public face: arithmetic lies in `loglik._discrete.variable`, values at points in
  `loglik._discrete.look_ups`, both on plain data.
"""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from loglik._discrete import look_ups, normal_limit, pmf_rows, sampling, scaled_pmf, variable
from loglik._discrete.checks import MAX_OUTCOMES, as_integer, check_counts, check_probs, integer
from loglik._discrete.die_pool import Die, Pool
from loglik._discrete.moments import Moments
from loglik._discrete.variable import Variable
from loglik._engine import expectation
from loglik._engine.sampling import discrete as sample_dtype
from loglik._engine.validate import as_array, broadcast_shapes, check_out, first_index, is_dask, require, result_dtype
from loglik.distributions.base import Distribution, _literal, apart

__all__ = ["Discrete"]

_SHOWN = 64  # numbers that `repr` shows
_HASHED = 1 << 12  # numbers of a batch that its hash depends on
_EXACT_MODES = 2**22  # bytes of exact counts that finding all modes may make


class Discrete(Distribution):
    r"""Distribution on the consecutive integers start, start + 1, …

    .. math:: P(X = \mathrm{start} + k) = p_k, \qquad p_k \ge 0, \quad \sum_k p_k = 1

    Exactly one of `probs`, `log_probs` and `counts` is given. Sums of dice come from `loglik.die` and
    `loglik.dice`.

    Parameters
    ----------
    probs : array_like, shape (..., K)
        Probabilities. Each row must total 1 within 8·K·eps of its dtype and is then normalised. The leading axes are a
        batch of pmfs on the same outcomes.
    log_probs : array_like, shape (..., K)
        Natural logarithms of probabilities, -inf for zero; the same condition on the total. Values may be far
        below the range of doubles.
    counts : sequence of int, shape (K,)
        Exact non-negative integers of any size, proportional to the probabilities.
    start : int
        The outcome that the first entry belongs to.

    Raises
    ------
    ValueError
        If an entry is negative, NaN or infinite (the message names its index and value), if the total of a row is not
        1, if there are no entries, more than one dimension of `counts`, or an outcome beyond ±2^53.
    TypeError
        If not exactly one of the three is given, or a count or `start` is not an integer.

    Notes
    -----
    Arithmetic is that of independent random variables: ``a + b``, ``a - b``, ``a + 3``, ``-a``, and ``n @
    a``, the sum of n independent copies. (``3 @ a`` is not ``a`` times three.)

    Batches broadcast with arguments and with each other; every pmf of a batch has the bits that it would have alone.
    `counts`, `modes`, `plot` and `distance_to_normal` are for one pmf.

    Accuracy: entries of `probs` and `log_probs` have a relative error of at most about 20·N·2⁻⁵³ for N outcomes, however
    small they are (see `convolve`); sums of equal fair dice are correctly rounded
    but for rare ties. Sums that would take more than 2^26 outcomes or about a minute raise ValueError
    before they start.

    Examples
    --------
    >>> from loglik import Discrete
    >>> coin = Discrete([0.5, 0.5])
    >>> (2 @ coin).probs
    array([0.25, 0.5 , 0.25])
    >>> loaded = Discrete(counts=[1, 1, 1, 1, 1, 5], start=1)
    >>> float((loaded + loaded).prob(12))
    0.25
    >>> coins = Discrete([[0.5, 0.5], [0.25, 0.75]])
    >>> coins.batch_shape, coins.mean, coins.prob([0, 1])
    ((2,), array([0.5 , 0.75]), array([0.5 , 0.75]))
    >>> (coins + 1).sample(3, rng=1).shape
    (3, 2)
    """

    _variable: Variable
    _start: int
    _length: int
    _pool: Pool | None  # None: only the probabilities are known
    batch_shape: tuple[int, ...] = ()
    event_shape = ()

    truncated_mass: float = 0.0
    """Probability that was cut off when this was made, and spread over the rest: above 0 for exploding dice only."""

    # ------------------------------------------------------------------------------------ construction

    def __init__(
        self, probs: Any = None, *, log_probs: Any = None, counts: Iterable[int] | None = None, start: int = 0
    ) -> None:
        given = [
            name
            for name, value in (("probs", probs), ("log_probs", log_probs), ("counts", counts))
            if value is not None
        ]
        if len(given) != 1:
            raise TypeError(
                f"Discrete: give exactly one of probs, log_probs and counts, got {', '.join(given) or 'none'}"
            )
        start = integer("Discrete", "start", start)
        if counts is not None:
            self._set(variable.from_counts(check_counts(counts), start))
        else:
            pmf, dtype = check_probs("log_probs", log_probs) if probs is None else check_probs("probs", probs)
            self._set(variable.from_pmf(pmf, start, dtype))

    def _set(self, data: Variable) -> None:
        attributes = self.__dict__
        attributes["_variable"] = data
        attributes["_start"], attributes["_length"], attributes["_pool"], pmf, attributes["dtype"], truncated = data
        if pmf is not None:
            attributes["_masses"] = pmf
            if pmf.values.ndim > 1:
                attributes["batch_shape"] = pmf.values.shape[:-1]
        if truncated:
            attributes["truncated_mass"] = truncated

    @classmethod
    def _from_variable(cls, data: Variable) -> "Discrete":
        """The object of a variable in plain data."""
        result = cls.__new__(cls)
        result._set(data)
        return result

    def _with_pmf(self) -> Variable:
        """Plain data with the probabilities, which this object keeps, also where it is a pool."""
        return self._variable if self._pool is None else self._variable._replace(pmf=self._masses)

    @cached_property
    def _masses(self) -> scaled_pmf.Pmf:
        assert self._pool is not None  # without a pool it is set at construction
        return self._pool.pmf()

    def __reduce__(self) -> tuple:
        if self._pool is not None:
            return Discrete._restored_pool, (self._pool.dice, self._start, self.truncated_mass), self._history()
        return Discrete._restored_pmf, (tuple(self._masses), self._start, self.dtype, self.truncated_mass), self._history()

    @classmethod
    def _restored_pool(cls, dice: dict[tuple[Die, int], int], start: int, truncated: float) -> "Discrete":
        """The object of what a pickle holds."""
        return cls._from_variable(variable.from_pool(Pool(dice), start, truncated))

    @classmethod
    def _restored_pmf(cls, parts: tuple, start: int, dtype: np.dtype, truncated: float) -> "Discrete":
        """The object of what a pickle holds."""
        return cls._from_variable(variable.from_pmf(scaled_pmf.Pmf(*parts), start, dtype, truncated))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Discrete):
            return NotImplemented
        if (self._start, self._length, self.dtype) != (other._start, other._length, other.dtype):
            return False
        if self.batch_shape or other.batch_shape:
            return self.batch_shape == other.batch_shape and pmf_rows.equal(self._masses, other._masses)
        if self._pool is not None and other._pool is not None and self._pool.dice == other._pool.dice:
            return True
        mine, theirs = scaled_pmf.as_scaled(self._masses), scaled_pmf.as_scaled(other._masses)
        return all(np.array_equal(x, y) for x, y in zip(mine, theirs, strict=True))

    def __hash__(self) -> int:
        numbers = self._masses.values.reshape(-1)[:_HASHED] if self.batch_shape else self.probs
        return hash(("Discrete", self._start, self._length, self.dtype.char, self.batch_shape, numbers.tobytes()))

    def __repr__(self) -> str:
        notation = None if self._pool is None else self._pool.notation(self._start)
        if notation is not None:
            return f"dice({notation!r})"
        batch = f"batch {self.batch_shape}, " if self.batch_shape else ""
        if math.prod(self.batch_shape) * self._length > _SHOWN:
            return f"<Discrete: {batch}{self._length} outcomes from {self._start} to {self._start + self._length - 1}>"
        start = f", start={self._start}" if self._start else ""
        if self._pool is not None:
            return f"Discrete(counts={self.counts()[0]}{start})"
        # logarithms in float32 have their probabilities in float64
        plain = self._masses.exponents is None and self._masses.values.dtype == self.dtype
        name = "probs" if plain else "log_probs"
        values = getattr(self, name)
        if batch:
            return f"Discrete({name}={_literal(values)}{start})"
        if self.dtype == np.float32:
            return f"Discrete({name}=array({values.tolist()}, dtype=float32){start})"
        numbers = ["-float('inf')" if value == -math.inf else repr(value) for value in values.tolist()]
        return f"Discrete({name}=[{', '.join(numbers)}]{start})"

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

    def counts(self, low: int | None = None, high: int | None = None) -> tuple[list[int], int]:
        """Exact numbers of ways to reach each outcome, or each from `low` to `high`, and the lowest of these outcomes.

        Parameters
        ----------
        low, high : int, optional
            The first and the last outcome that are asked for; all without them. Where equal dice are rolled, nothing else
            is kept: ``counts(x, x)`` has no more memory than for a few integers.

        Returns
        -------
        counts : list of int
            Python integers of any size, proportional to the probabilities; 0 outside of the support.
        start : int
            The outcome of the first count.

        Raises
        ------
        ValueError
            If this object was built from probabilities, or `low` is above `high`.
        TypeError
            If `low` or `high` is not an integer.
        MemoryError
            If the integers would need more than 1 GiB (4 MiB for unequal dice, whose products take longer).

        Notes
        -----
        Equal dice: the recurrence of `dice` on integers, linear in the size of all counts up to `high` or to the mode,
        whichever is nearer to an end. Others are multiplied as one large integer each (Kronecker substitution).

        Examples
        --------
        >>> import loglik as ll
        >>> ll.dice(2, 6).counts()
        ([1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1], 2)
        >>> ll.dice(20, 6).counts(70, 71)
        ([189456975899496, 187890345960720], 70)
        """
        self._require_one_pmf("counts")
        if self._pool is None:
            raise ValueError("Discrete.counts: this distribution was built from probabilities; it has no exact counts")
        first = self._start if low is None else integer("Discrete.counts", "low", low)
        last = (self._start + self._length if high is None else integer("Discrete.counts", "high", high) + 1)
        if low is not None and high is not None and low > high:
            raise ValueError(f"Discrete.counts: low must be at most high, got {low} and {high}")
        if max(last - first, 0) > MAX_OUTCOMES:
            raise ValueError(f"Discrete.counts: {last - first} outcomes are more than the limit of {MAX_OUTCOMES}")
        begin, end = max(first - self._start, 0), min(last - self._start, self._length)
        if begin >= end:
            return [0] * (last - first), first
        below, above = begin + self._start - first, last - self._start - end
        return [0] * below + self._pool.counts(begin, end) + [0] * above, first

    # ------------------------------------------------------------------------------------ density

    def log_prob(self, x: Any, *, out: Any = None, wrt: Any = None) -> Any:
        """Natural logarithm of P(X = x).

        Parameters
        ----------
        x : array_like
            Any shape that broadcasts with the batch. -inf outside the support and for what is not an integer; NaN gives NaN.
        out : numpy.ndarray, optional
            Where to put the result.
        wrt : None
            A discrete distribution has no gradient.

        Returns
        -------
        numpy.ndarray or scalar
            In nats, of the shape of `x` broadcast with the batch. Right where the probability itself underflows.

        Raises
        ------
        NotImplementedError
            If `wrt` is given.
        ValueError
            If `x` does not broadcast with the batch, or `out` does not fit.
        """
        if wrt is not None:
            raise NotImplementedError("Discrete.log_prob: wrt is not supported, outcomes are integers")
        return self._look_up("log_prob", x, -np.inf, -np.inf, out=out, only_integers=True)

    def prob(self, x: Any) -> Any:
        """P(X = x); 0 outside the support and for what is not an integer, NaN for NaN."""
        return self._look_up("prob", x, 0.0, 0.0, only_integers=True)

    @cached_property
    def _tails(self) -> scaled_pmf.Tails:
        return scaled_pmf.tails(self._masses)

    def cdf(self, x: Any) -> Any:
        """P(X <= x), summed from the lower end while that is at most one half, else 1 - sf(x)."""
        return self._look_up("cdf", x, 0.0, 1.0)

    def sf(self, x: Any) -> Any:
        """P(X > x), summed from the upper end while that is at most one half, else 1 - cdf(x)."""
        return self._look_up("sf", x, 1.0, 0.0)

    def log_cdf(self, x: Any) -> Any:
        """Natural logarithm of P(X <= x), with full relative accuracy in the lower tail."""
        return self._look_up("log_cdf", x, -np.inf, 0.0)

    def log_sf(self, x: Any) -> Any:
        """Natural logarithm of P(X > x), with full relative accuracy in the upper tail."""
        return self._look_up("log_sf", x, 0.0, -np.inf)

    def quantile(self, q: Any) -> Any:
        """The smallest outcome x with P(X <= x) >= q.

        Parameters
        ----------
        q : array_like
            Within [0, 1]; 0 gives the lowest and 1 the highest outcome that is possible at all. NaN gives
            NaN. Broadcasts with the batch.

        Returns
        -------
        numpy.ndarray or scalar
            Outcomes as float64. ``quantile(cdf(x))`` is x, also where `cdf` was rounded. For q within 2^13 eps of 1 it is
            1 - q that is compared with the upper tail, exactly.

        Raises
        ------
        ValueError
            If an element of `q` is outside [0, 1], or `q` does not broadcast with the batch.
        """
        q = as_array("Discrete.quantile", "q", q).astype(np.float64)
        require("Discrete.quantile", "q", q, ~((q < 0) | (q > 1)), "within [0, 1]")
        if self.batch_shape:
            return look_ups.batch_quantile("Discrete.quantile", self._masses, self._start, self.dtype, q)
        return look_ups.quantile(self._masses, self._tails, self._start, self.dtype, q)[()]

    def prob_between(self, a: Any, b: Any) -> Any:
        """P(a <= X <= b), both ends included, summed over the outcomes between them; 0 where a > b.

        `a` and `b` broadcast, with the batch as well; NaN gives NaN. All terms are positive: nothing cancels.
        """
        name = "Discrete.prob_between"
        a, b = (as_array(name, argument, end).astype(np.float64) for argument, end in (("a", a), ("b", b)))
        if self.batch_shape:
            return look_ups.batch_prob_between(name, self._masses, self._start, self.dtype, a, b)
        return look_ups.prob_between(self.probs, self._start, a, b).astype(self.dtype)[()]

    def _look_up(
        self, method: str, x: Any, below: float, above: float, *, out: Any = None, only_integers: bool = False
    ) -> Any:
        """Values of `method` at floor(x); `below` and `above` outside; `below` for no integer if `only_integers`."""
        if is_dask(x):
            return self._lazily(method, x, out)
        dtype, name = result_dtype(x, self.dtype.type()), f"Discrete.{method}"
        x = as_array(name, "x", x)
        if out is not None:
            check_out(name, out, broadcast_shapes(name, x=x.shape, batch=self.batch_shape), dtype)
        if self.batch_shape:
            result = dtype if out is None else out
            return look_ups.batch_at_points(
                name, self._masses, self._start, self.dtype, method, apart(x, out), result, below, above, only_integers
            )
        table = getattr(self, f"{method}s") if only_integers else getattr(self._tails, method)
        take = table.__getitem__
        value = look_ups.at_points(x, self._start, self._length, take, below, above, only_integers).astype(dtype)
        if out is None:
            return value[()]
        out[...] = value
        return out

    # ------------------------------------------------------------------------------------ moments

    @cached_property
    def mean(self) -> Any:
        """Expectation; correctly rounded where counts are known."""
        if self._pool is not None:
            return self.dtype.type(float(self._start + self._pool.mean()))
        if self.batch_shape:
            return self._row_moments(lambda moments: self._start + moments.mean)
        return self.dtype.type(self._start + self._moments.mean)

    @cached_property
    def variance(self) -> Any:
        """Expected squared distance from the mean; correctly rounded where counts are known."""
        if self._pool is not None:
            return self.dtype.type(float(self._pool.variance()))
        return self._row_moments(Moments.variance) if self.batch_shape else self._moments.variance()

    @property
    def std(self) -> Any:
        """Square root of the variance."""
        return np.sqrt(self.variance)

    @cached_property
    def skewness(self) -> Any:
        """Third central moment over the cubed standard deviation; NaN where the variance is zero."""
        if self.batch_shape:
            return self._row_moments(Moments.skewness)
        third = float(self._moments.central(3) if self._pool is None else self._pool.third_cumulant())
        return self.dtype.type(third / float(self.variance) / float(self.std) if self.variance > 0 else np.nan)

    @cached_property
    def kurtosis(self) -> Any:
        """Excess kurtosis: fourth cumulant over the squared variance, 0 for a Normal; NaN where the variance is zero."""
        if self.batch_shape:
            return self._row_moments(Moments.kurtosis)
        variance = float(self.variance)
        if not variance > 0:
            return self.dtype.type(np.nan)
        if self._pool is None:
            return self.dtype.type(self._moments.central(4) / variance / variance - 3.0)
        return self.dtype.type(float(self._pool.fourth_cumulant()) / variance / variance)

    def _row_moments(self, moment: Callable[[Moments], Any]) -> np.ndarray:
        """A moment of each pmf of the batch."""
        return self._row_values(lambda rows: moment(Moments(pmf_rows.probs(rows, self.dtype))), self.dtype)

    @cached_property
    def _moments(self) -> Moments:
        return Moments(self.probs)

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
        top = heights.max()
        near = np.flatnonzero(heights >= top - 1e-9 * abs(top))
        pool = self._pool
        if (
            len(near) > 1
            and pool is not None
            and pool.equal_fair_dice() is None
            and self._length * pool.bits() / 8 <= _EXACT_MODES
        ):
            counts = pool.counts(0, self._length)
            most = max(counts)
            return tuple(self._start + i for i in near.tolist() if counts[i] == most)
        return tuple((self._start + near[heights[near] == top]).tolist())

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

    def normal_approximation(self) -> Any:
        """The Normal distribution with the same mean and standard deviation, of the same batch shape.

        Raises
        ------
        ValueError
            If the variance is zero.
        """
        from loglik.distributions.normal import Normal

        if np.any(self.variance == 0):
            where = f" at index {first_index(self.variance == 0)}" if self.batch_shape else ""
            raise ValueError(f"Discrete.normal_approximation: the variance{where} is 0, no Normal distribution matches")
        return Normal(self.mean, self.std)

    def distance_to_normal(self) -> normal_limit.NormalDistance:
        r"""How far this distribution is from the Normal with its mean μ and standard deviation σ.

        Returns
        -------
        NormalDistance
            A named tuple. With h the step between possible outcomes (1 for most) and :math:`q_k = P(k - h/2 < Y < k + h/2)`
            of that Normal:

            - ``kolmogorov``: the largest :math:`|P(X \le x) - P(Y \le x)|` over all real x;
            - ``total_variation``: :math:`\tfrac12 \sum_k |p_k - q_k|`;
            - ``kl``: :math:`\sum_k p_k \log(p_k/q_k)` in nats;
            - ``wasserstein``: :math:`\int |P(X \le x) - P(Y \le x)|\,dx`, in the unit of the outcomes.

        Raises
        ------
        ValueError
            If the variance is zero, or this is a batch.

        Notes
        -----
        A sum of n independent copies comes nearer as n grows: the first and the last (over σ) like :math:`n^{-1/2}`, the
        step of the lattice; the second like :math:`n^{-1}` and `kl` like :math:`n^{-2}` for symmetric copies, else
        :math:`n^{-1/2}` and :math:`n^{-1}`. Absolute error about 1e-13, for ``wasserstein`` times σ.

        Examples
        --------
        >>> import loglik as ll
        >>> for n in (1, 10, 100):
        ...     print(n, f"{ll.dice(n, 6).distance_to_normal().total_variation:.5f}")
        1 0.18746
        10 0.00714
        100 0.00070
        """
        self._require_one_pmf("distance_to_normal")
        normal, places = self.normal_approximation(), normal_limit.lattice(self._masses)
        return normal_limit.distances(
            places, self.probs, self.log_probs, self._tails, self._start, float(normal.mean), float(normal.std)
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the probabilities with the matching Normal.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if left out.

        Returns
        -------
        matplotlib.axes.Axes
            Nothing is shown or saved. Bars for up to 200 outcomes, a line of steps for more; outcomes whose
            probability together is below 1e-6 are left out at both ends.

        Raises
        ------
        ImportError
            If matplotlib is not installed (``pip install "loglik[plot]"``).
        ValueError
            If this is a batch.
        """
        self._require_one_pmf("plot")
        from loglik._faces import axes, bars

        ax = axes.new_axes("Discrete.plot") if ax is None else ax
        outcomes, probs, step = self._visible()
        bars.draw(ax, outcomes, probs, step, color="#8fb4d9", label="probability")
        if self.variance > 0:
            normal = self.normal_approximation()
            bars.draw_normal(ax, outcomes, step, normal.mean, normal.std, normal.prob)
        bars.finish(ax)
        return ax

    def _visible(self) -> tuple[np.ndarray, np.ndarray, int]:
        """The outcomes for a picture, all but a millionth of the probability; their probabilities; the step between them."""
        low, high = self.quantile([normal_limit.HIDDEN, 1 - normal_limit.HIDDEN])
        places = normal_limit.lattice(self._masses)
        taken = normal_limit.visible(places, int(low) - self._start, int(high) - self._start)
        return self.support[taken], self.probs[taken], places.step

    # ------------------------------------------------------------------------------------ sampling

    def _sampler(self, function: str, dtype: Any) -> tuple[np.dtype, Callable[[np.ndarray, int], None]]:
        result_dtype = sample_dtype(function, dtype, self._start, self._start + self._length - 1)
        if self.batch_shape:
            return result_dtype, functools.partial(sampling.sample_batch, self._masses, self._start, self.dtype)
        return result_dtype, sampling.sampler(self._table)

    @cached_property
    def _table(self) -> sampling.InversionTable:
        return sampling.inversion_table(self.probs, self._start)

    # ------------------------------------------------------------------------------------ arithmetic

    # NumPy scalars and arrays leave the operators to this class.
    __array_ufunc__ = None

    def __add__(self, other: Any) -> "Discrete":
        if isinstance(other, Discrete):
            return sum_of_discrete([self, other])
        shift = as_integer(other)
        return NotImplemented if shift is None else self._shifted(shift)

    __radd__ = __add__

    def __sub__(self, other: Any) -> "Discrete":
        if isinstance(other, Discrete):
            return sum_of_discrete([self, -other])
        shift = as_integer(other)
        return NotImplemented if shift is None else self._shifted(-shift)

    def __rsub__(self, other: Any) -> "Discrete":
        shift = as_integer(other)
        return NotImplemented if shift is None else (-self)._shifted(shift)

    def __neg__(self) -> "Discrete":
        return Discrete._from_variable(self._variable.negated())

    def __rmatmul__(self, n: Any) -> "Discrete":
        copies = as_integer(n)
        if copies is None:
            return NotImplemented
        if copies < 0:
            raise ValueError(f"Discrete: n @ d needs n >= 0 copies, got {copies}; for a difference subtract")
        return Discrete._from_variable(self._variable.copies(copies))

    def _shifted(self, shift: int) -> "Discrete":
        result = Discrete._from_variable(self._variable.shifted(shift))
        # Probabilities do not move: what is computed is shared.
        for name in ("_masses", "probs", "log_probs", "_tails"):
            if name in self.__dict__:
                result.__dict__[name] = self.__dict__[name]
        return result


# ---------------------------------------------------------------------------------------- helpers


def sum_of_discrete(terms: Sequence[Discrete], stacks: Sequence[np.ndarray] = (), dtype: np.dtype | None = None) -> Discrete:
    """The sum of independent variables, batches included, and of the rows of arrays of probabilities of 0, 1, 2, …"""
    if any(term.batch_shape for term in terms):
        return Discrete._from_variable(variable.sum_of_batches([term._with_pmf() for term in terms]))
    if stacks or any(term._pool is None for term in terms):
        return Discrete._from_variable(variable.sum_of([term._with_pmf() for term in terms], stacks, dtype))
    return Discrete._from_variable(variable.sum_of([term._variable for term in terms]))


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.setflags(write=False)
    return view
