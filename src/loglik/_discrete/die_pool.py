"""Dice as exact counts, pools of them, and the exact moments of a pool's sum. Internal to `Discrete`."""

import math
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from fractions import Fraction

# A die is its number of sides s (on 0 .. s−1), or a tuple of exact counts (on 0, 1, …); (die, factor) is the
# die times a positive integer. A pool says how often each is rolled.
Die: TypeAlias = "int | tuple[int, ...]"
Pool: TypeAlias = dict[tuple[Die, int], int]


def faces(die: Die) -> int:
    return die if isinstance(die, int) else len(die)


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


def bits(die: Die) -> float:
    return math.log2(die if isinstance(die, int) else sum(die))
