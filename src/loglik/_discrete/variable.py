"""A discrete variable in plain data, and the arithmetic of independent variables.

`loglik.Discrete` and the notation for dice stand on this: sums, differences, multiples and copies are made here, and refused here
if their result would be too large or take too long. What is known as a pool of dice stays one.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from loglik._discrete import row_sums, scaled_pmf
from loglik._discrete.checks import MAX_OUTCOMES, check_pool_work, check_range, check_seconds
from loglik._discrete.die_pool import Die, Pool, merged
from loglik._discrete.scaled_pmf import Pmf
from loglik._engine.validate import broadcast_shapes

_FLOAT64 = np.dtype(np.float64)
_EXACT_MODES = 2**22  # bytes of exact counts that finding all modes may make


class Variable(NamedTuple):
    """A variable on the integers start, start + 1, …, or a batch of variables on the same integers."""

    start: int
    length: int  # number of outcomes
    pool: Pool | None  # None if only the probabilities are known
    pmf: Pmf | None  # None for a pool whose probabilities have not been needed yet
    dtype: np.dtype
    truncated_mass: float = 0.0  # probability that was cut off and spread over the rest

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of the batch, () for one variable."""
        return () if self.pmf is None else self.pmf.values.shape[:-1]

    def probabilities(self) -> Pmf:
        """The `Pmf`, made now if it is not known yet."""
        if self.pmf is not None:
            return self.pmf
        assert self.pool is not None
        return self.pool.pmf()

    def counts(self, first: int, last: int) -> list[int]:
        """Exact counts of the outcomes from `first` to `last` of a variable that is a pool; 0 outside of the support."""
        assert self.pool is not None
        wanted = last + 1 - first
        if max(wanted, 0) > MAX_OUTCOMES:
            raise ValueError(f"Discrete.counts: {wanted} outcomes are more than the limit of {MAX_OUTCOMES}")
        begin, end = max(first - self.start, 0), min(last + 1 - self.start, self.length)
        if begin >= end:
            return [0] * wanted
        below, above = begin + self.start - first, last + 1 - self.start - end
        return [0] * below + self.pool.counts(begin, end) + [0] * above

    def shifted(self, shift: int) -> "Variable":
        """The variable plus an integer."""
        start = self.start + shift
        check_range(start, self.length)
        return Variable(start, self.length, self.pool, self.pmf, self.dtype, self.truncated_mass)

    def negated(self) -> "Variable":
        """The variable times -1."""
        start = -(self.start + self.length - 1)
        if self.pool is not None:
            return from_pool(self.pool.negated(), start, self.truncated_mass)
        return from_pmf(scaled_pmf.reverse(self.probabilities()), start, self.dtype, self.truncated_mass)

    def multiplied(self, factor: int) -> "Variable":
        """One variable times an integer; outcomes between multiples get probability 0."""
        if factor == 0:
            return constant(0)
        if factor < 0:
            return self.negated().multiplied(-factor)
        start = self.start * factor
        if self.pool is not None:
            return from_pool(self.pool.multiplied(factor), start, self.truncated_mass)
        check_range(start, (self.length - 1) * factor + 1)
        return from_pmf(scaled_pmf.stretch(self.probabilities(), factor), start, self.dtype, self.truncated_mass)

    def copies(self, n: int) -> "Variable":
        """The sum of n >= 0 independent copies."""
        batch = self.batch_shape
        if n == 0:
            if not batch:
                return constant(0)
            return from_pmf(Pmf(np.ones((*batch, 1)), None, np.zeros(batch, np.int64)), 0, _FLOAT64)
        start, truncated = n * self.start, 0.0
        if self.truncated_mass:
            truncated = -math.expm1(n * math.log1p(-self.truncated_mass))
        if self.pool is not None:
            return from_pool(self.pool.copies(n), start, truncated)
        pmf = self.probabilities()
        check_range(start, n * (self.length - 1) + 1)
        if np.count_nonzero(pmf.values) > 2:
            check_seconds(math.prod(batch) * scaled_pmf.power_seconds(self.length, n, underflow=False))
        sums = row_sums.power(pmf, n) if batch else scaled_pmf.normalised(scaled_pmf.power(pmf, n))
        return from_pmf(sums, start, self.dtype, truncated)


def from_pool(pool: Pool, start: int, truncated_mass: float = 0.0) -> Variable:
    """The sum of a pool of dice, its lowest value being `start`."""
    check_range(start, pool.length)
    check_pool_work(pool)
    return Variable(start, pool.length, pool, None, _FLOAT64, truncated_mass)


def from_pmf(pmf: Pmf, start: int, dtype: np.dtype, truncated_mass: float = 0.0) -> Variable:
    """A variable, or a batch of them, with known probabilities."""
    length = pmf.values.shape[-1]
    check_range(start, length)
    return Variable(start, length, None, pmf, dtype, truncated_mass)


def from_counts(counts: tuple[int, ...], start: int) -> Variable:
    """A variable whose probabilities are proportional to exact integers."""
    die: Die = len(counts) if len(counts) > 1 and set(counts) == {1} else counts
    return from_pool(Pool({(die, 1): 1}), start)


def fair_dice(n: int, sides: int) -> Variable:
    """The sum of n >= 0 fair dice with the faces 1 to `sides`."""
    return from_pool(Pool({(sides, 1): n} if n and sides > 1 else {}), n)


def constant(value: int) -> Variable:
    """A variable that always has one value."""
    return from_pool(Pool({}), value)


def sum_of(
    variables: Sequence[Variable], stacks: Sequence[np.ndarray] = (), dtype: np.dtype | None = None
) -> Variable:
    """The sum of independent variables, and of the rows of arrays of probabilities of 0, 1, 2, …

    It has the given dtype, else what those of the variables promote to.
    """
    start, truncated = sum(variable.start for variable in variables), joint_truncation(variables)
    if not stacks:
        pools = [variable.pool for variable in variables if variable.pool is not None]
        if len(pools) == len(variables):
            return from_pool(merged(pools), start, truncated)
    dtype = np.result_type(*(variable.dtype for variable in variables)) if dtype is None else dtype
    lengths = [variable.length for variable in variables]
    lengths += [stack.shape[1] for stack in stacks for _ in range(len(stack))]
    if not lengths:
        return constant(start)
    check_range(start, 1 + sum(lengths) - len(lengths))
    check_seconds(scaled_pmf.sum_seconds(lengths, underflow=False))
    pmfs = [variable.probabilities() for variable in variables]
    if len(lengths) > 2:  # many rounded sums: float32 only where the result is stored
        pmfs = [Pmf(pmf.values.astype(np.float64, copy=False), pmf.exponents, pmf.floor) for pmf in pmfs]
    pmf = scaled_pmf.convolve_all(pmfs, (stack.astype(np.float64, copy=False) for stack in stacks))
    return from_pmf(scaled_pmf.normalised(pmf), start, dtype, truncated)


def sum_of_batches(variables: Sequence[Variable]) -> Variable:
    """The sums of batches of independent variables, which broadcast."""
    shape = broadcast_shapes("convolve", **{f"variables[{i}]": variable.batch_shape for i, variable in enumerate(variables)})
    start, lengths = sum(variable.start for variable in variables), [variable.length for variable in variables]
    check_range(start, 1 + sum(lengths) - len(lengths))
    check_seconds(math.prod(shape) * scaled_pmf.sum_seconds(lengths, underflow=False))
    pmf = row_sums.convolve_all([variable.probabilities() for variable in variables], shape)
    dtype = np.result_type(*(variable.dtype for variable in variables))
    return from_pmf(pmf, start, dtype, joint_truncation(variables))


def joint_truncation(variables: Sequence[Variable]) -> float:
    """The mass that independent variables have lost together."""
    lost = [variable.truncated_mass for variable in variables if variable.truncated_mass]
    return -math.expm1(math.fsum(math.log1p(-mass) for mass in lost)) if lost else 0.0


def highest(heights: np.ndarray, pool: Pool | None) -> list[int]:
    """Indices of the largest of the probabilities, or of their logarithms; by the exact counts of a pool if they are not huge."""
    top = heights.max()
    near = np.flatnonzero(heights >= top - 1e-9 * abs(top))
    if len(near) > 1 and pool is not None and pool.equal_fair_dice() is None and pool.length * pool.bits() / 8 <= _EXACT_MODES:
        counts = pool.counts(0, pool.length)
        most = max(counts)
        return [i for i in near.tolist() if counts[i] == most]
    return near[heights[near] == top].tolist()
