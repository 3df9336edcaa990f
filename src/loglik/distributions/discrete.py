"""A probability mass function on consecutive integers.

Design
- Sums of dice and of variables with exact counts are kept as a pool: how often each die is rolled
  (`loglik._discrete.die_pool`). Adding and multiplying touch the pool only, so ``a + b`` is exact and cheap, equal dice merge,
  and the probabilities are made once, when they are first asked for, by the best method for the whole pool.
- Everything else holds its probabilities (`loglik._discrete.scaled_pmf`), a batch of them likewise
  (`loglik._discrete.pmf_rows`).
- The class adds the public face to plain data (`loglik._discrete.variable`, where its arithmetic lies); values at points, moments
  and samples are in its base (`loglik.distributions.listed`).
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from loglik._discrete import fitting, normal_limit, pmf_rows, scaled_pmf, variable
from loglik._discrete.checks import as_integer, check_counts, check_probs, integer
from loglik._discrete.die_pool import Die, Pool
from loglik._discrete.variable import Variable
from loglik._engine.validate import first_index
from loglik._fitting import priors
from loglik.distributions.base import _literal
from loglik.distributions.listed import ListedOutcomes

__all__ = ["Discrete"]

_SHOWN = 64  # numbers that `repr` shows
_DRAWN = 10_000  # outcomes in the picture of a notebook, where the probabilities are still to be found
_HASHED = 1 << 12  # numbers of a batch that its hash depends on


class Discrete(ListedOutcomes):
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

    Points may be any real numbers: between the integers the probability is 0, and tails are those of the next lower integer.
    Tails are summed from their own end, and are 1 minus the other one where they are above one half; `prob_between` and
    `log_prob_between` are sums over the outcomes between their ends, in the dtype of the distribution. All of these keep their
    relative accuracy however small they are, logarithms also where the probability underflows. Outcomes have no gradients:
    `log_prob` raises NotImplementedError for `wrt`.

    ``quantile(cdf(x))`` is x, also where `cdf` was rounded: outcomes are float64 whatever the dtype. For q within 2^13 eps of 1
    it is 1 - q that is compared with the upper tail, exactly.

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

    @classmethod
    def _from_variable(cls, data: Variable) -> "Discrete":
        """The object of a variable in plain data."""
        result = cls.__new__(cls)
        result._set(data)
        return result

    def _with_pmf(self) -> Variable:
        """Plain data with the probabilities, which this object keeps, also where it is a pool."""
        return self._variable if self._pool is None else self._variable._replace(pmf=self._masses)

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

    # ------------------------------------------------------------------------------------ exact counts

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
        first, last = self._extent()
        first = first if low is None else integer("Discrete.counts", "low", low)
        last = last if high is None else integer("Discrete.counts", "high", high)
        if low is not None and high is not None and low > high:
            raise ValueError(f"Discrete.counts: low must be at most high, got {low} and {high}")
        return self._variable.counts(first, last), first

    # ------------------------------------------------------------------------------------ what other parts ask for

    _prior = priors.Dirichlet
    _from_moments = False
    _fitted = classmethod(fitting.discrete)

    @classmethod
    def _statistics(cls, function: str, data: Any, prior: Any) -> fitting.Counts:
        return fitting.counts(function, data, fitting.prior_range(function, prior))

    def _floating(self) -> tuple[Any, ...]:
        return (np.empty(0, self.dtype),)

    def __getitem__(self, index: Any) -> "Discrete":
        if not self.batch_shape:
            raise IndexError("Discrete has no batch to index; the probability of i is d.prob(i)")
        data = self._variable._replace(pmf=pmf_rows.item(self._masses, index))
        return Discrete._from_variable(data)

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
        normal, places = self.normal_approximation(), normal_limit.possible_places(self._masses)
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
        from loglik._faces import axes

        ax = axes.new_axes("Discrete.plot") if ax is None else ax
        outcomes, probs, step = self._visible()
        axes.draw_masses(ax, outcomes, probs, step, color="#8fb4d9", label="probability")
        if self.variance > 0:
            normal = self.normal_approximation()
            axes.draw_normal(ax, outcomes, step, normal.mean, normal.std, normal.prob)
        axes.finish(ax)
        return ax

    def _visible(self) -> tuple[np.ndarray, np.ndarray, int]:
        """The outcomes for a picture, all but a millionth of the probability; their probabilities; the step between them."""
        low, high = self.quantile([normal_limit.HIDDEN, 1 - normal_limit.HIDDEN])
        places = normal_limit.possible_places(self._masses)
        taken = normal_limit.visible(places, int(low) - self._start, int(high) - self._start)
        return self.support[taken], self.probs[taken], places.step

    def _table_rows(self) -> list[tuple[str, Any]]:
        notation = None if self._pool is None else self._pool.notation(self._start)
        rows = [] if notation is None else [("dice", notation)]
        outcomes = f"{self._start} to {self._start + self._length - 1}".replace("-", "−")
        return [*rows, ("outcomes", outcomes), ("mean", self.mean), ("sd", self.std)]

    def _picture(self) -> Any:
        if "_masses" not in self.__dict__ and self._length > _DRAWN:
            return None
        from loglik._faces import pictures

        outcomes, probs, _ = self._visible()
        return pictures.Masses(outcomes, probs)

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
