"""A probability mass function on consecutive integers.

Design
- Sums of dice and of variables with exact counts are kept as a *pool*: how often each die is rolled. Adding
  and multiplying touch the pool only, so ``a + b`` is exact and cheap, equal dice merge, and the
  probabilities are made once, when they are first asked for, by the best method for the whole pool.
- Everything else holds its probabilities (`loglik._discrete.scaled_pmf`).
"""

import functools
import math
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from loglik._discrete import exact_counts, fitting, pmf_rows, row_sums, scaled_pmf
from loglik._discrete.checks import (
    MAX_OUTCOMES,
    as_integer,
    check_counts,
    check_probs,
    check_range,
    check_seconds,
    check_work,
    integer,
)
from loglik._discrete.die_pool import Die, Pool, bits, die_cumulants, die_moments, faces
from loglik._engine import expectation, sampling
from loglik._engine.results import hand_over, memory_for
from loglik._engine.validate import as_array, broadcast_shapes, check_out, first_index, is_dask, require, result_dtype
from loglik._fitting import priors
from loglik._kernels import cumulative, dice_pmf, fill_discrete
from loglik.distributions.base import Distribution, _literal

if TYPE_CHECKING:
    from loglik._discrete.normal_limit import NormalDistance

__all__ = ["Discrete"]

_FLOAT64 = np.dtype(np.float64)

_SHOWN = 64  # numbers of a batch that `repr` shows
_DRAWN = 10_000  # outcomes in the picture of a notebook, where the probabilities are still to be found
_HASHED = 1 << 12  # numbers of a batch that its hash depends on
_EXACT_MODES = 2**22  # bytes of exact counts that finding all modes may make
_MIN_CELLS, _MAX_CELLS = 1 << 11, 1 << 20  # of the table that sampling looks outcomes up in: 8 KiB to 4 MiB


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
            checked = check_counts(counts)
            die: Die = len(checked) if len(checked) > 1 and set(checked) == {1} else checked
            self._set_pool({(die, 1): 1}, start)
        else:
            pmf, dtype = check_probs("log_probs", log_probs) if probs is None else check_probs("probs", probs)
            self._set_pmf(pmf, start, dtype)

    def _set_pool(self, pool: Pool, start: int) -> None:
        length = 1
        for (die, factor), n in pool.items():
            length += n * (faces(die) - 1) * factor
        check_range(start, length)
        check_work(pool)
        self.__dict__.update(_start=start, _length=length, _pool=pool, dtype=_FLOAT64)

    def _set_pmf(self, pmf: scaled_pmf.Pmf, start: int, dtype: np.dtype) -> None:
        *batch, length = pmf.values.shape
        check_range(start, length)
        self.__dict__.update(_start=start, _length=length, _pool=None, dtype=dtype, _masses=pmf)
        if batch:
            self.__dict__["batch_shape"] = tuple(batch)

    @classmethod
    def _from_pool(cls, pool: Pool, start: int) -> "Discrete":
        result = cls.__new__(cls)
        result._set_pool(pool, start)
        return result

    @classmethod
    def _from_dice(cls, n: int, sides: int) -> "Discrete":
        """Sum of n >= 0 fair dice with `sides` >= 1 sides."""
        return cls._from_pool({(sides, 1): n} if n and sides > 1 else {}, n)

    @classmethod
    def _from_pmf(cls, pmf: scaled_pmf.Pmf, start: int, dtype: np.dtype) -> "Discrete":
        result = cls.__new__(cls)
        result._set_pmf(pmf, start, dtype)
        return result

    @cached_property
    def _masses(self) -> scaled_pmf.Pmf:
        assert self._pool is not None
        terms, common = [], math.gcd(*(factor for _, factor in self._pool))  # sums are made without common gaps
        for (die, factor), n in self._pool.items():
            if isinstance(die, int):
                term = scaled_pmf.uniform_dice(n, die)
            else:
                term = scaled_pmf.power(scaled_pmf.from_counts(list(die)), n, list(die))
            terms.append(scaled_pmf.stretch(term, factor // common))
        if not terms:
            return scaled_pmf.plain(np.ones(1))
        if self._only_uniform_dice():
            return terms[0]
        return scaled_pmf.stretch(scaled_pmf.normalised(scaled_pmf.convolve_all(terms)), common)

    def __reduce__(self) -> tuple:
        if self._pool is not None:
            return Discrete._restored_pool, (self._pool, self._start, self.truncated_mass), self._history()
        return Discrete._restored_pmf, (tuple(self._masses), self._start, self.dtype, self.truncated_mass), self._history()

    @classmethod
    def _restored_pool(cls, pool: Pool, start: int, truncated: float) -> "Discrete":
        """Made from what a pickle holds."""
        return with_truncation(cls._from_pool(pool, start), truncated)

    @classmethod
    def _restored_pmf(cls, parts: tuple, start: int, dtype: np.dtype, truncated: float) -> "Discrete":
        """Made from what a pickle holds."""
        return with_truncation(cls._from_pmf(scaled_pmf.Pmf(*parts), start, dtype), truncated)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Discrete):
            return NotImplemented
        if (self._start, self._length, self.dtype) != (other._start, other._length, other.dtype):
            return False
        if self.batch_shape or other.batch_shape:
            return self.batch_shape == other.batch_shape and pmf_rows.equal(self, other)
        if self._pool is not None and self._pool == other._pool:
            return True
        mine, theirs = scaled_pmf.as_scaled(self._masses), scaled_pmf.as_scaled(other._masses)
        return all(np.array_equal(x, y) for x, y in zip(mine, theirs, strict=True))

    def __hash__(self) -> int:
        some = self._masses.values.reshape(-1)[:_HASHED] if self.batch_shape else self.probs
        return hash(("Discrete", self._start, self._length, self.dtype.char, self.batch_shape, some.tobytes()))

    def __repr__(self) -> str:
        if self.batch_shape:
            return self._repr_batch()
        notation = self._notation()
        if notation is not None:
            return f"dice({notation!r})"
        if self._length > 64:
            return (
                f"<Discrete: {self._length} outcomes from {self._start} to {self._start + self._length - 1}>"
            )
        start = f", start={self._start}" if self._start else ""
        if self._pool is not None:
            return f"Discrete(counts={self.counts()[0]}{start})"
        name, values = (
            # logarithms in float32 have their probabilities in float64
            ("probs", self.probs)
            if self._masses.exponents is None and self._masses.values.dtype == self.dtype
            else ("log_probs", self.log_probs)
        )
        if self.dtype == np.float32:
            return f"Discrete({name}=array({values.tolist()}, dtype=float32){start})"
        inf = ["-float('inf')" if value == -math.inf else repr(value) for value in values.tolist()]
        return f"Discrete({name}=[{', '.join(inf)}]{start})"

    def _repr_batch(self) -> str:
        if math.prod(self.batch_shape) * self._length > _SHOWN:
            last = self._start + self._length - 1
            return f"<Discrete: batch {self.batch_shape}, {self._length} outcomes from {self._start} to {last}>"
        plain = self._masses.exponents is None and self._masses.values.dtype == self.dtype
        name = "probs" if plain else "log_probs"
        start = f", start={self._start}" if self._start else ""
        return f"Discrete({name}={_literal(getattr(self, name))}{start})"

    def _of_rows(self, function: Callable[[scaled_pmf.Pmf], np.ndarray], dtype: Any, *entries: int) -> np.ndarray:
        """What `function` has for every pmf of the batch, read-only."""
        return _read_only(pmf_rows.per_row(self, function, dtype, *entries))

    def _needs_one(self, method: str) -> None:
        """Raise an error that says that a method is not for batches."""
        if self.batch_shape:
            raise ValueError(f"Discrete.{method}: one pmf is needed, not a batch of shape {self.batch_shape}")

    def _notation(self) -> str | None:
        """What `loglik.dice` makes an equal object from; None where its notation has no words for it."""
        if (
            self._pool is None
            or len(self._pool) > 8
            or not all(isinstance(die, int) for die, _ in self._pool)
        ):
            return None
        terms, lowest = [], 0
        for (die, factor), n in self._pool.items():
            terms.append(f"{n}d{die}" if factor == 1 else f"{factor}*{n}d{die}")
            lowest += n * factor
        shift = self._start - lowest
        if not terms:
            return str(self._start)
        return " + ".join(terms) + (f" {'+' if shift > 0 else '-'} {abs(shift)}" if shift else "")

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
            return self._of_rows(lambda rows: pmf_rows.probs(rows, self.dtype), self.dtype, self._length)
        only = self._only_uniform_dice()
        if only is not None and "_masses" not in self.__dict__:
            values = dice_pmf(*only, False)
        else:
            values = scaled_pmf.probs(self._masses)
        return _read_only(values if values.dtype == self.dtype else values.astype(self.dtype))

    @cached_property
    def log_probs(self) -> np.ndarray:
        """Natural logarithms of `probs`, right where those underflow; -inf for zero. Read-only."""
        if self.batch_shape:
            return self._of_rows(lambda rows: pmf_rows.logs(rows, self.dtype), self.dtype, self._length)
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
        self._needs_one("counts")
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
        return [0] * below + self._counts(begin, end) + [0] * above, first

    def _counts(self, begin: int, end: int) -> list[int]:
        """Counts of the outcomes start + begin .. start + end - 1."""
        only = self._only_uniform_dice()
        if only is not None:
            return exact_counts.uniform_dice(*only, begin, end)
        terms = []
        for (die, factor), n in (self._pool or {}).items():
            exact = exact_counts.uniform_dice(n, die) if isinstance(die, int) else exact_counts.power(list(die), n)
            terms.append(exact_counts.stretch(exact, factor))
        if len(terms) < 2:
            return exact_counts.convolve(terms)[begin:end]
        terms.sort(key=len)
        return exact_counts.convolve_range(exact_counts.convolve(terms[:-1]), terms[-1], begin, end)

    def _only_uniform_dice(self) -> tuple[int, int] | None:
        """(n, s) if this is a sum of n equal fair dice, up to a shift."""
        if self._pool is not None and len(self._pool) == 1:
            (((die, factor), n),) = self._pool.items()
            if factor == 1 and isinstance(die, int):
                return n, die
        return None

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
            return pmf_rows.quantiles(self, q)
        possible = np.flatnonzero(self._masses.values)
        low = np.searchsorted(self._tails.cdf.astype(self.dtype, copy=False), q.astype(self.dtype))
        # sf never rises: its mirror image is sorted. The first index with sf <= 1 − q.
        falling = self._tails.sf[::-1]
        high = self._length - np.searchsorted(falling, 1.0 - q, side="right")
        # So that quantile(cdf(x)) is x, q stands for what is rounded to it, except where that is much of the upper tail.
        high = np.where(1.0 - q > 2**13 * np.finfo(self.dtype).eps, np.minimum(low, high), high)
        index = np.clip(np.where(q > 0.5, high, low), possible[0], possible[-1])
        index = np.where(q == 1.0, possible[-1], index)
        return np.where(np.isnan(q), np.nan, self._start + index.astype(np.float64))[()]

    def prob_between(self, a: Any, b: Any) -> Any:
        """P(a <= X <= b), both ends included, summed over the outcomes between them; 0 where a > b.

        `a` and `b` broadcast, with the batch as well; NaN gives NaN. All terms are positive: nothing cancels.
        """
        name = "Discrete.prob_between"
        ends = {name_of: as_array(name, name_of, end).astype(np.float64) for name_of, end in (("a", a), ("b", b))}
        if self.batch_shape:
            return pmf_rows.over_rows(
                self, name, self.dtype, ends, lambda rows: pmf_rows.padded_probs(rows, self.dtype),
                lambda padded, first, a, b: pmf_rows.between(
                    padded, first + first // self._length, a, b, self._start, self._length
                ),
            )  # fmt: skip
        padded = np.append(self.probs.astype(np.float64), 0.0)
        low, high = np.broadcast_arrays(*ends.values())
        result = pmf_rows.between(padded, 0, low, high, self._start, self._length)
        return result.astype(self.dtype)[()]

    def _look_up(
        self, method: str, x: Any, below: float, above: float, *, out: Any = None, only_integers: bool = False
    ) -> Any:
        """What `method` has for floor(x); `below` and `above` outside; `below` for no integer, if asked."""
        if is_dask(x):
            return self._lazily(method, x, out)
        dtype, name = result_dtype(x, self.dtype.type()), f"Discrete.{method}"
        x = as_array(name, "x", x)
        if self.batch_shape:
            prepare, shape = pmf_rows.TABLES[method], broadcast_shapes(name, x=x.shape, batch=self.batch_shape)
            value = pmf_rows.over_rows(
                self, name, memory_for(name, out, shape, dtype, x), {"x": x}, lambda rows: prepare(rows, self.dtype),
                lambda take, first, x: pmf_rows.look_up(
                    x, self._start, self._length, lambda at: take(first + at), below, above, only_integers
                ),
            )  # fmt: skip
            return hand_over(value, out)
        if out is not None:
            check_out(name, out, x.shape, dtype)
        table = getattr(self, f"{method}s") if only_integers else getattr(self._tails, method)
        take = table.__getitem__
        value = pmf_rows.look_up(x, self._start, self._length, take, below, above, only_integers).astype(dtype)
        return hand_over(value, out)

    # ------------------------------------------------------------------------------------ moments

    @cached_property
    def mean(self) -> Any:
        """Expectation; correctly rounded where counts are known."""
        if self._pool is not None:
            total = sum(n * factor * die_moments(die)[0] for (die, factor), n in self._pool.items())
            return self.dtype.type(float(self._start + total))
        if self.batch_shape:
            return self._moment(lambda moments: self._start + moments.mean)
        return self.dtype.type(self._start + self._offset_mean)

    @cached_property
    def variance(self) -> Any:
        """Expected squared distance from the mean; correctly rounded where counts are known."""
        if self._pool is not None:
            terms = (n * factor**2 * die_moments(die)[1] for (die, factor), n in self._pool.items())
            return self.dtype.type(float(sum(terms)))
        if self.batch_shape:
            return self._moment(pmf_rows.Moments.variance)
        return self.dtype.type(self._central_moment(2))

    @property
    def std(self) -> Any:
        """Square root of the variance."""
        return np.sqrt(self.variance)

    @cached_property
    def skewness(self) -> Any:
        """Third central moment over the cubed standard deviation; NaN where the variance is zero."""
        if self.batch_shape:
            return self._moment(pmf_rows.Moments.skewness)
        if self._pool is not None:
            terms = (n * factor**3 * die_cumulants(die)[0] for (die, factor), n in self._pool.items())
            third = float(sum(terms))
        else:
            third = self._central_moment(3)
        return self.dtype.type(third / float(self.variance) / float(self.std) if self.variance > 0 else np.nan)

    @cached_property
    def kurtosis(self) -> Any:
        """Excess kurtosis: fourth cumulant over the squared variance, 0 for a Normal; NaN where the variance is zero."""
        if self.batch_shape:
            return self._moment(pmf_rows.Moments.kurtosis)
        if not self.variance > 0:
            return self.dtype.type(np.nan)
        variance = float(self.variance)
        if self._pool is not None:
            terms = (n * factor**4 * die_cumulants(die)[1] for (die, factor), n in self._pool.items())
            return self.dtype.type(float(sum(terms)) / variance / variance)
        return self.dtype.type(self._central_moment(4) / variance / variance - 3.0)

    def _moment(self, moment: Callable[[pmf_rows.Moments], Any]) -> np.ndarray:
        """Of every pmf of the batch."""
        return self._of_rows(lambda rows: moment(pmf_rows.Moments(rows, self.dtype)), self.dtype)

    def _central_moment(self, order: int) -> float:
        distance = np.arange(self._length) - self._offset_mean
        return float(np.sum(self.probs * distance**order, dtype=np.float64))

    @cached_property
    def _offset_mean(self) -> float:
        return float(np.sum(self.probs * np.arange(self._length), dtype=np.float64))

    @cached_property
    def mode(self) -> Any:
        """The most probable outcome, an int, for a batch an int64 array; the lowest one of several."""
        if self.batch_shape:
            return self._of_rows(lambda rows: self._start + pmf_rows.modes(rows), np.int64)
        return self._start + scaled_pmf.argmax(self._masses)

    @cached_property
    def modes(self) -> tuple[int, ...]:
        """Every outcome of the largest probability, lowest first; by exact counts where they are known and not huge.

        Of one pmf: rows of a batch have different numbers of modes.
        """
        self._needs_one("modes")
        heights = self._masses.values if self._masses.exponents is None else self.log_probs
        top = heights.max()
        near = np.flatnonzero(heights >= top - 1e-9 * abs(top))
        if self._pool is not None and self._only_uniform_dice() is None and len(near) > 1:
            size = self._length * sum(n * bits(die) for (die, _), n in self._pool.items()) / 8
            if size <= _EXACT_MODES:
                counts = self.counts()[0]
                most = max(counts)
                return tuple(self._start + i for i in near.tolist() if counts[i] == most)
        return tuple((self._start + near[heights[near] == top]).tolist())

    def entropy(self) -> Any:
        """Shannon entropy -Σ p·log p in nats, of the batch shape."""
        if self.batch_shape:
            return pmf_rows.per_row(self, lambda rows: pmf_rows.entropies(rows, self.dtype), self.dtype)
        probs = self.probs.astype(np.float64)
        some = probs > 0
        return self.dtype.type(-np.sum(probs[some] * self.log_probs[some]) + 0.0)

    # ------------------------------------------------------------------------------------ what other parts ask for

    _prior = priors.Dirichlet
    _from_moments = False
    _fitted = classmethod(fitting.discrete)

    @classmethod
    def _statistics(cls, function: str, rows: Any, prior: Any) -> fitting.Counts:
        return fitting.counts(function, rows, fitting.prior_range(function, prior))

    def _floating(self) -> tuple[Any, ...]:
        return (np.empty(0, self.dtype),)

    def __getitem__(self, index: Any) -> "Discrete":
        if not self.batch_shape:
            raise IndexError("Discrete has no batch to index; the probability of i is d.prob(i)")
        values, exponents, floor = self._masses
        part = scaled_pmf.Pmf(values[index], None if exponents is None else exponents[index], floor[index])
        return Discrete._from_pmf(part, self._start, self.dtype)

    def _expectation(self, function: str, g: expectation.Values) -> expectation.Expectation:
        values = g(self.support.astype(np.float64))
        if self.batch_shape:
            return pmf_rows.expectations(self, values), None
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

    def distance_to_normal(self) -> "NormalDistance":
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
        self._needs_one("distance_to_normal")
        from loglik._discrete.normal_limit import distances

        return distances(self)

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
        self._needs_one("plot")
        from loglik._discrete.normal_limit import plot

        return plot(self, ax)

    def _table_rows(self) -> list[tuple[str, Any]]:
        notation = self._notation()
        rows = [] if notation is None else [("dice", notation)]
        outcomes = f"{self._start} to {self._start + self._length - 1}".replace("-", "−")
        return [*rows, ("outcomes", outcomes), ("mean", self.mean), ("sd", self.std)]

    def _picture(self) -> Any:
        if "_masses" not in self.__dict__ and self._length > _DRAWN:
            return None
        from loglik._discrete.normal_limit import shown
        from loglik._faces import pictures

        outcomes, probs, _ = shown(self)
        return pictures.Masses(outcomes, probs)

    # ------------------------------------------------------------------------------------ sampling

    def _sampler(self, function: str, dtype: Any) -> tuple[np.dtype, Callable[[np.ndarray, int], None]]:
        kind = sampling.discrete(function, dtype, self._start, self._start + self._length - 1)
        if self.batch_shape:
            return kind, functools.partial(pmf_rows.sample, self)
        return kind, functools.partial(
            sampling.in_blocks, columns=(), parameters=(), draw=functools.partial(_draw, *self._table), nanoseconds=4.0
        )

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | int]:
        """What outcomes are drawn by: cumulative probabilities of those that are possible at all, where to look
        (`_kernels.fill_discrete`), and these outcomes, or the first of them where they are consecutive."""
        possible = np.flatnonzero(self.probs)
        sums = cumulative(self.probs[possible].astype(np.float64))
        np.maximum.accumulate(sums, out=sums)
        sums /= sums[-1]
        # Many cells for each outcome: then most of them need no search.
        cells = min(max(8 << (len(sums) - 1).bit_length(), _MIN_CELLS), _MAX_CELLS)
        guide = np.searchsorted(sums, np.arange(cells + 1) / cells, side="right")
        guide = np.minimum(guide, len(sums) - 1).astype(np.int32)
        first = self._start + int(possible[0])
        consecutive = possible[-1] - possible[0] == len(possible) - 1
        return sums, guide, first if consecutive else self._start + possible

    # ------------------------------------------------------------------------------------ arithmetic

    # NumPy scalars and arrays leave the operators to this class.
    __array_ufunc__ = None

    def __add__(self, other: Any) -> "Discrete":
        if isinstance(other, Discrete):
            return _sum([self, other])
        shift = as_integer(other)
        return NotImplemented if shift is None else self._shifted(shift)

    __radd__ = __add__

    def __sub__(self, other: Any) -> "Discrete":
        if isinstance(other, Discrete):
            return _sum([self, -other])
        shift = as_integer(other)
        return NotImplemented if shift is None else self._shifted(-shift)

    def __rsub__(self, other: Any) -> "Discrete":
        shift = as_integer(other)
        return NotImplemented if shift is None else (-self)._shifted(shift)

    def __neg__(self) -> "Discrete":
        start = -(self._start + self._length - 1)
        if self._pool is not None:
            pool: Pool = {}
            for (die, factor), n in self._pool.items():
                key = (die if isinstance(die, int) else die[::-1], factor)
                pool[key] = pool.get(key, 0) + n
            return with_truncation(Discrete._from_pool(pool, start), self.truncated_mass)
        return with_truncation(
            Discrete._from_pmf(scaled_pmf.reverse(self._masses), start, self.dtype), self.truncated_mass
        )

    def __rmatmul__(self, n: Any) -> "Discrete":
        copies = as_integer(n)
        if copies is None:
            return NotImplemented
        if copies < 0:
            raise ValueError(f"Discrete: n @ d needs n >= 0 copies, got {copies}; for a difference subtract")
        if copies == 0:
            return Discrete(np.ones((*self.batch_shape, 1))) if self.batch_shape else Discrete._from_pool({}, 0)
        truncated = -math.expm1(copies * math.log1p(-self.truncated_mass))
        if self._pool is not None:
            pool = {key: copies * m for key, m in self._pool.items()}
            return with_truncation(Discrete._from_pool(pool, copies * self._start), truncated)
        length = copies * (self._length - 1) + 1
        check_range(copies * self._start, length)
        if np.count_nonzero(self._masses.values) > 2:
            check_seconds(math.prod(self.batch_shape) * scaled_pmf.power_seconds(self._length, copies, underflow=False))
        if self.batch_shape:
            pmf = row_sums.power(self._masses, copies)
        else:
            pmf = scaled_pmf.normalised(scaled_pmf.power(self._masses, copies))
        return with_truncation(Discrete._from_pmf(pmf, copies * self._start, self.dtype), truncated)

    def _shifted(self, shift: int) -> "Discrete":
        if self._pool is not None:
            result = Discrete._from_pool(self._pool, self._start + shift)
        else:
            result = Discrete._from_pmf(self._masses, self._start + shift, self.dtype)
        # Probabilities do not move: what is computed is shared.
        for name in ("_masses", "probs", "log_probs", "_tails", "truncated_mass"):
            if name in self.__dict__:
                result.__dict__[name] = self.__dict__[name]
        return result

    def _times(self, factor: int) -> "Discrete":
        """One variable times an integer; outcomes between multiples get probability 0."""
        if factor == 0:
            return Discrete._from_pool({}, 0)
        if factor < 0:
            return (-self)._times(-factor)
        if self._pool is not None:
            pool = {(die, old * factor): n for (die, old), n in self._pool.items()}
            return with_truncation(Discrete._from_pool(pool, self._start * factor), self.truncated_mass)
        check_range(self._start * factor, (self._length - 1) * factor + 1)
        stretched = Discrete._from_pmf(scaled_pmf.stretch(self._masses, factor), self._start * factor, self.dtype)
        return with_truncation(stretched, self.truncated_mass)


# ---------------------------------------------------------------------------------------- helpers


def _draw(cdf: np.ndarray, guide: np.ndarray, outcomes: np.ndarray | int, key: int, start: int, values: np.ndarray) -> None:
    """Outcomes for a block of a sample."""
    index = values if values.dtype == np.int64 else np.empty(len(values), np.int64)
    fill_discrete(key, start, cdf, guide, index)
    values[...] = outcomes + index if isinstance(outcomes, int) else outcomes[index]


def _sum(terms: list[Discrete]) -> Discrete:
    from loglik.distributions.sums import convolve  # which needs the class of this module

    return convolve(terms)


def with_truncation(d: Discrete, *truncated: float) -> Discrete:
    """`d`, new and not yet shown to anyone, with the mass that independent variables it is made of have lost together."""
    lost = -math.expm1(math.fsum(map(math.log1p, (-mass for mass in truncated)))) if len(truncated) > 1 else truncated[0]
    if lost:
        d.__dict__["truncated_mass"] = lost
    return d


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.setflags(write=False)
    return view
