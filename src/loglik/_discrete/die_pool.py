"""Pools of dice with exact counts: their arithmetic, probabilities, counts and moments."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from loglik import _kernels
from loglik._discrete import exact_counts, scaled_pmf

if TYPE_CHECKING:
    from fractions import Fraction

# A die is its number of sides s (fair, on 0 .. s−1), or a tuple of exact counts (on 0, 1, …).
Die: TypeAlias = "int | tuple[int, ...]"


class Pool:
    """The sum of independent dice, counted from its lowest value.

    `dice` says how often each ``(die, factor)``, a die times a positive integer, is rolled. Equal dice are one entry.
    """

    __slots__ = ("dice", "length")

    def __init__(self, dice: dict[tuple[Die, int], int]) -> None:
        self.dice = dice
        self.length = 1
        for (die, factor), n in dice.items():
            self.length += n * (faces(die) - 1) * factor

    # ------------------------------------------------------------------------------------ arithmetic

    def negated(self) -> "Pool":
        """The pool of the mirrored dice."""
        dice: dict[tuple[Die, int], int] = {}
        for (die, factor), n in self.dice.items():
            key = (die if isinstance(die, int) else die[::-1], factor)
            dice[key] = dice.get(key, 0) + n
        return Pool(dice)

    def copies(self, n: int) -> "Pool":
        """The sum of n >= 1 independent copies."""
        return Pool({key: n * m for key, m in self.dice.items()})

    def multiplied(self, factor: int) -> "Pool":
        """The sum times a positive integer."""
        return Pool({(die, old * factor): n for (die, old), n in self.dice.items()})

    # ------------------------------------------------------------------------------------ values

    def equal_fair_dice(self) -> tuple[int, int] | None:
        """(n, s) if this is a sum of n fair dice with s sides, else None."""
        if len(self.dice) == 1:
            (((die, factor), n),) = self.dice.items()
            if factor == 1 and isinstance(die, int):
                return n, die
        return None

    def pmf(self) -> scaled_pmf.Pmf:
        """Probabilities of all sums."""
        terms, common = [], math.gcd(*(factor for _, factor in self.dice))  # sums are made without common gaps
        for (die, factor), n in self.dice.items():
            if isinstance(die, int):
                term = scaled_pmf.uniform_dice(n, die)
            else:
                term = scaled_pmf.power(scaled_pmf.from_counts(list(die)), n, list(die))
            terms.append(scaled_pmf.stretch(term, factor // common))
        if not terms:
            return scaled_pmf.plain(np.ones(1))
        if self.equal_fair_dice():
            return terms[0]
        return scaled_pmf.stretch(scaled_pmf.normalised(scaled_pmf.convolve_all(terms)), common)

    def probs_of_equal_fair_dice(self) -> np.ndarray | None:
        """Probabilities in plain doubles, made without a `Pmf`; None for other pools."""
        equal = self.equal_fair_dice()
        return None if equal is None else _kernels.dice_pmf(*equal, False)

    def bits(self) -> float:
        """Logarithm to base 2 of the number of rolls: how long the exact counts may be."""
        return sum(n * die_bits(die) for (die, _), n in self.dice.items())

    def counts(self, begin: int, end: int) -> list[int]:
        """Exact numbers of ways to reach the sums begin .. end - 1."""
        equal = self.equal_fair_dice()
        if equal is not None:
            return exact_counts.uniform_dice(*equal, begin, end)
        terms = []
        for (die, factor), n in self.dice.items():
            exact = exact_counts.uniform_dice(n, die) if isinstance(die, int) else exact_counts.power(list(die), n)
            terms.append(exact_counts.stretch(exact, factor))
        if len(terms) < 2:
            return exact_counts.convolve(terms)[begin:end]
        terms.sort(key=len)
        return exact_counts.convolve_range(exact_counts.convolve(terms[:-1]), terms[-1], begin, end)

    # ------------------------------------------------------------------------------------ moments

    def mean(self) -> "int | Fraction":
        """Exact mean."""
        return sum(n * factor * die_moments(die)[0] for (die, factor), n in self.dice.items())

    def variance(self) -> "int | Fraction":
        """Exact variance."""
        return sum(n * factor**2 * die_moments(die)[1] for (die, factor), n in self.dice.items())

    def third_cumulant(self) -> "int | Fraction":
        """Exact third cumulant."""
        return sum(n * factor**3 * die_cumulants(die)[0] for (die, factor), n in self.dice.items())

    def fourth_cumulant(self) -> "int | Fraction":
        """Exact fourth cumulant."""
        return sum(n * factor**4 * die_cumulants(die)[1] for (die, factor), n in self.dice.items())

    # ------------------------------------------------------------------------------------ notation

    def notation(self, start: int) -> str | None:
        """What `loglik.dice` makes the pool from, its lowest sum being `start`; None where its notation has no words for it."""
        if len(self.dice) > 8 or not all(isinstance(die, int) for die, _ in self.dice):
            return None
        terms, lowest = [], 0
        for (die, factor), n in self.dice.items():
            terms.append(f"{n}d{die}" if factor == 1 else f"{factor}*{n}d{die}")
            lowest += n * factor
        shift = start - lowest
        if not terms:
            return str(start)
        return " + ".join(terms) + (f" {'+' if shift > 0 else '-'} {abs(shift)}" if shift else "")


def merged(pools: Iterable[Pool]) -> Pool:
    """The sum of several pools; equal dice become one entry."""
    dice: dict[tuple[Die, int], int] = {}
    for pool in pools:
        for key, n in pool.dice.items():
            dice[key] = dice.get(key, 0) + n
    return Pool(dice)


# ------------------------------------------------------------------------------------------ one die


def faces(die: Die) -> int:
    """Number of faces."""
    return die if isinstance(die, int) else len(die)


def die_bits(die: Die) -> float:
    """Logarithm to base 2 of the total of the counts of a die."""
    return math.log2(die if isinstance(die, int) else sum(die))


def die_moments(die: Die) -> "tuple[Fraction, Fraction]":
    """Exact mean and variance."""
    from fractions import Fraction  # at the first use: it loads decimal

    if isinstance(die, int):
        return Fraction(die - 1, 2), Fraction(die * die - 1, 12)
    total = sum(die)
    mean = Fraction(sum(i * count for i, count in enumerate(die)), total)
    return mean, Fraction(sum(i * i * count for i, count in enumerate(die)), total) - mean**2


def die_cumulants(die: Die) -> "tuple[Fraction, Fraction]":
    """Exact third and fourth cumulant."""
    from fractions import Fraction

    if isinstance(die, int):
        return Fraction(0), Fraction(1 - die**4, 120)
    total = sum(die)
    # Around the rounded mean the integers stay small; a shift of the origin by m = mean − origin is put right below.
    origin = sum(i * count for i, count in enumerate(die)) // total
    raw = [Fraction(sum((i - origin) ** k * count for i, count in enumerate(die)), total) for k in range(5)]
    m = raw[1]
    second = raw[2] - m**2
    third = raw[3] - 3 * m * raw[2] + 2 * m**3
    fourth = raw[4] - 4 * m * raw[3] + 6 * m**2 * raw[2] - 3 * m**4
    return third, fourth - 3 * second**2
